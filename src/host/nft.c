/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nft.h"

#include "base/cleanup.h"
#include "host/nft_sets.h"
#include "host/nft_txn.h"
#include "host/proc.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	LOAD_LIMIT_S = 60, /* the kernel may have to read a dozen modules from a slow disk */
	CLOSE_WAIT_MS = 1000,
	GATE_BYTES = 512, /* a chain with its rule */
	NFT_TYPE_IPV6 = 8,
	NFT_TYPE_ETHER_IPV6 = 9 << 6 | NFT_TYPE_IPV6, /* what nft calls ether_addr . ipv6_addr */
	LEN_IPV6 = 16,
	LEN_ETHER_IPV6 = 8 + LEN_IPV6, /* each part is padded to 4 bytes */
	SETS_MAX = 2 + NFT_LONGEST_PREFIX,
};

/* --- the guard
 * -----------------------------------------------------------------------------------------------
 */

struct nft_guard {
	int fd;       /* kept open: see make_table() */
	uint32_t seq; /* of the latest message sent */
	char table[NFT_TABLE_MAX];
	struct nft_rules rules;
	pid_t loader;
	int verdict_fd;
};

/* What the child tells; one write, which a pipe takes whole. */
struct verdict {
	int result;
	char why[NFT_WHY_MAX];
};

static void put_set(struct nft_txn *t, const char *table, const char *name, uint32_t type,
		    uint32_t len)
{
	struct nlmsghdr *h = nft_txn_message(t, NFT_MSG_NEWSET, NLM_F_CREATE, table);
	mnl_attr_put_strz(h, NFTA_SET_NAME, name);
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, 0);
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(type));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(len));
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl((uint32_t)t->messages));
	nft_txn_end(t, h);
}

static void put_sets(struct nft_txn *t, const char *table, uint8_t shortest)
{
	char name[NFT_SET_NAME_MAX];
	put_set(t, table, NFT_SET_STATIONS, NFT_TYPE_ETHER_IPV6, LEN_ETHER_IPV6);
	if (!shortest)
		return;
	put_set(t, table, NFT_SET_ADDRESSES, NFT_TYPE_IPV6, LEN_IPV6);
	for (unsigned n = shortest; n <= NFT_LONGEST_PREFIX; n++)
		put_set(t, table, nft_prefixes_name((uint8_t)n, name), NFT_TYPE_ETHER_IPV6,
			LEN_ETHER_IPV6);
}

static struct nlattr *expression(struct nlmsghdr *h, const char *name, struct nlattr **ret_data)
{
	struct nlattr *e = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	*ret_data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void end_expression(struct nlmsghdr *h, struct nlattr *e, struct nlattr *data)
{
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, e);
}

/* iifname "…" drop */
static void put_drop(struct nlmsghdr *h, const char *ifname)
{
	struct nlattr *data, *e = expression(h, "meta", &data);
	mnl_attr_put_u32(h, NFTA_META_KEY, htonl(NFT_META_IIFNAME));
	mnl_attr_put_u32(h, NFTA_META_DREG, htonl(NFT_REG_1));
	end_expression(h, e, data);

	char name[IFNAMSIZ] = "";
	memcpy(name, ifname, strnlen(ifname, sizeof name - 1));
	e = expression(h, "cmp", &data);
	mnl_attr_put_u32(h, NFTA_CMP_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(h, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
	struct nlattr *value = mnl_attr_nest_start(h, NFTA_CMP_DATA);
	mnl_attr_put(h, NFTA_DATA_VALUE, sizeof name, name);
	mnl_attr_nest_end(h, value);
	end_expression(h, e, data);

	e = expression(h, "immediate", &data);
	mnl_attr_put_u32(h, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	value = mnl_attr_nest_start(h, NFTA_IMMEDIATE_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl(NF_DROP));
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, value);
	end_expression(h, e, data);
}

/* Until the rules are there, subscribers reach nobody: what is told apart by no rule yet is no
 * honest packet's source. Not through the library, which would take too long. */
static void put_gate(struct nft_txn *t, const char *table, const char *ifname)
{
	struct nlmsghdr *h = nft_txn_message(t, NFT_MSG_NEWCHAIN, NLM_F_CREATE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, NFT_CHAIN_GATE);
	struct nlattr *hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(NF_INET_FORWARD));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl(0));
	mnl_attr_nest_end(h, hook);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	nft_txn_end(t, h);

	h = nft_txn_message(t, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, NFT_CHAIN_GATE);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	put_drop(h, ifname);
	mnl_attr_nest_end(h, list);
	nft_txn_end(t, h);
}

static int guard_commit(struct nft_guard *g, struct nft_txn *t)
{
	int r = nft_txn_commit(g->fd, t);
	g->seq = t->seq;
	return r;
}

/* Without a removal, where nothing is to be replaced: what was removed is freed in the kernel's own
 * time, and whoever closes the socket before that waits for it, 10 ms and more. */
static int make_table(struct nft_guard *g, bool replace)
{
	_Alignas(struct nlmsghdr)
		uint8_t bytes[(5 + SETS_MAX) * NFT_MESSAGE_BYTES + GATE_BYTES] = { 0 };
	struct nft_txn t = nft_txn_begin(bytes, g->seq);
	nft_txn_end(&t, nft_txn_message(&t, NFT_MSG_NEWTABLE,
					NLM_F_CREATE | (replace ? 0 : NLM_F_EXCL), g->table));
	if (replace) {
		nft_txn_end(&t, nft_txn_message(&t, NFT_MSG_DELTABLE, 0, g->table));
		nft_txn_end(&t, nft_txn_message(&t, NFT_MSG_NEWTABLE, NLM_F_CREATE, g->table));
	}
	put_sets(&t, g->table, nft_rules_shortest(&g->rules));
	put_gate(&t, g->table, g->rules.subscriber);
	return guard_commit(g, &t);
}

static int remove_one(struct nft_guard *g, int type, const char *chain)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[3 * NFT_MESSAGE_BYTES] = { 0 };
	struct nft_txn t = nft_txn_begin(bytes, g->seq);
	struct nlmsghdr *h = nft_txn_message(&t, type, 0, g->table);
	if (chain)
		mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chain);
	nft_txn_end(&t, h);
	return guard_commit(g, &t);
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int nft_guard_open(const struct nft_rules *rules, const char *instance,
		   struct nft_guard **ret_guard)
{
	if (!nft_quotable(rules->subscriber) || (rules->tunnel[0] && !nft_quotable(rules->tunnel)))
		return -EINVAL;
	struct nft_guard *g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->verdict_fd = -1;
	g->fd = -1;
	g->rules = *rules;
	int n = snprintf(g->table, sizeof g->table, "vbng-%s", instance);
	int r = n < 0 || (size_t)n >= sizeof g->table ? -EINVAL : nft_socket(&g->fd);
	for (char *c = g->table; *c; c++)
		*c = plain(*c) || *c == '-' ? *c : '_';
	if (r == 0)
		r = make_table(g, false);
	if (r == -EEXIST)
		r = make_table(g, true);
	if (r < 0) {
		nft_guard_drop(g);
		return r;
	}
	*ret_guard = g;
	return 0;
}

void nft_guard_drop(struct nft_guard *g)
{
	if (!g)
		return;
	if (g->verdict_fd >= 0)
		(void)close(g->verdict_fd); /* nobody asks any more */
	if (g->fd >= 0)
		(void)close(g->fd); /* nothing is pending on it */
	free(g);
}

const char *nft_guard_table(const struct nft_guard *g)
{
	return g->table;
}

__attribute__((format(printf, 2, 3))) static struct verdict verdict(int result, const char *fmt,
								    ...)
{
	struct verdict v = { .result = result };
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(v.why, sizeof v.why, fmt, args); /* cut where it is longer */
	va_end(args);
	return v;
}

/* What is asked of libnftables. */
struct library {
	struct nft_ctx *ctx;
	__typeof__(&nft_run_cmd_from_buffer) run_cmd;
	__typeof__(&nft_ctx_get_error_buffer) get_error;
};

static struct verdict open_library(struct library *ret_library)
{
	void *lib = dlopen("libnftables.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!lib)
		return verdict(-ELIBACC, "%s", dlerror());
	__typeof__(&nft_ctx_new) ctx_new = dlsym(lib, "nft_ctx_new");
	__typeof__(&nft_ctx_buffer_error) buffer_error = dlsym(lib, "nft_ctx_buffer_error");
	struct library l = { .run_cmd = dlsym(lib, "nft_run_cmd_from_buffer"),
			     .get_error = dlsym(lib, "nft_ctx_get_error_buffer") };
	if (!ctx_new || !buffer_error || !l.get_error || !l.run_cmd)
		return verdict(-ELIBACC, "libnftables.so.1 lacks a function that we use");
	l.ctx = ctx_new(NFT_CTX_DEFAULT);
	if (!l.ctx || buffer_error(l.ctx) != 0)
		return verdict(-ENOMEM, "%s", strerror(ENOMEM));
	*ret_library = l;
	return verdict(0, "%s", "");
}

static struct verdict run_rules(const struct library *l, const struct nft_rules *rules,
				const char *table)
{
	char *text;
	int r = nft_rules_write(rules, table, &text);
	if (r < 0)
		return verdict(r, "the rules cannot be written: %s", strerror(-r));
	r = l->run_cmd(l->ctx, text);
	free(text);
	if (r == 0)
		return verdict(0, "%s", "");
	/* "/dev/stdin:7:3-99: Error: …", then the line, then a row of carets: the first will do. */
	const char *said = l->get_error(l->ctx);
	const char *error = strstr(said, "Error: ");
	error = error ? error + strlen("Error: ") : said;
	return verdict(-EOPNOTSUPP, "%.*s", (int)strcspn(error, "\n"), error);
}

/* In the child. The library is asked for here alone, so that we have neither its pages nor those of
 * what it needs in turn. */
static struct verdict load_rules(const struct nft_guard *g)
{
	struct library l = { .ctx = NULL };
	struct verdict v = open_library(&l);
	if (v.result < 0 || !l.ctx)
		return v;
	v = run_rules(&l, &g->rules, g->table);
	if (v.result == -EOPNOTSUPP && g->rules.log_group) {
		/* A kernel that cannot report is no reason to let everything pass. */
		struct nft_rules silent = g->rules;
		silent.log_group = 0;
		if (run_rules(&l, &silent, g->table).result == 0)
			v.result = NFT_UNREPORTED;
	}
	return v;
}

static _Noreturn void loader_child(const struct nft_guard *g, int to, pid_t parent)
{
	struct verdict v = { .result = -EIO };
	if (dup2(to, STDERR_FILENO + 1) < 0)
		_exit(1);
	to = STDERR_FILENO + 1;
	/* Nothing of the parent's is kept open. Kernels before 5.9 do not know it: then it stays so
	 * for a moment. */
	(void)syscall(SYS_close_range, (unsigned)to + 1, ~0U, 0U);
	if (child_settle(parent) < 0)
		_exit(1);
	(void)alarm(LOAD_LIMIT_S); /* it ends us; cannot fail */
	v = load_rules(g);
	_exit(write(to, &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
}

int nft_guard_load(struct nft_guard *g, const char *subscriber, bool ethernet)
{
	int pipe_fds[2];
	if (g->loader)
		return -EALREADY;
	if (!nft_quotable(subscriber))
		return -EINVAL;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	AUTO_CLOSE int from = pipe_fds[0];
	AUTO_CLOSE int to = pipe_fds[1];
	(void)snprintf(g->rules.subscriber, sizeof g->rules.subscriber, "%s",
		       subscriber); /* fits */
	g->rules.ethernet = ethernet;
	pid_t parent;
	pid_t pid = child_fork(CHILD_OF_US, &parent);
	if (pid < 0)
		return (int)pid;
	if (pid == 0)
		loader_child(g, to, parent);
	g->loader = pid;
	g->verdict_fd = take_fd(&from);
	return 0;
}

int nft_guard_fd(const struct nft_guard *g)
{
	return g->verdict_fd;
}

int nft_guard_verdict(struct nft_guard *g, char why[static NFT_WHY_MAX])
{
	if (g->verdict_fd < 0)
		return -ENOTCONN;
	struct verdict v;
	ssize_t n;
	do
		n = read(g->verdict_fd, &v, sizeof v);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n != (ssize_t)sizeof v)
		v = verdict(-EIO, "whoever loads the rules ended without a word");
	(void)close(take_fd(&g->verdict_fd)); /* read to its end */
	memcpy(why, v.why, sizeof v.why);
	if (v.result < 0)
		(void)nft_guard_let_pass(g); /* what failed is told already */
	return v.result;
}

int nft_guard_let_pass(struct nft_guard *g)
{
	return remove_one(g, NFT_MSG_DELCHAIN, NFT_CHAIN_GATE);
}

/* A child that still loads would bring the table back after its removal. While it lives it holds
 * the pipe open, so that it is known not to be reaped, and its number to be its own. */
static void end_loader(const struct nft_guard *g)
{
	struct pollfd p = { .fd = g->verdict_fd, .events = POLLIN };
	if (g->verdict_fd < 0 || poll(&p, 1, CLOSE_WAIT_MS) != 0)
		return;
	(void)kill(g->loader, SIGKILL);   /* it is our child and not reaped: it is there */
	(void)poll(&p, 1, CLOSE_WAIT_MS); /* what it was doing in the kernel comes to its end */
}

int nft_guard_close(struct nft_guard *g)
{
	if (!g)
		return 0;
	end_loader(g);
	int r = remove_one(g, NFT_MSG_DELTABLE, NULL);
	if (r >= 0 || r == -ENOENT)
		nft_guard_drop(g);
	return r;
}
