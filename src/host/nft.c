/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nft.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/proc.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * The table, as `nft list table` shows it. $subscriber is the subscriber interface.
 *
 * Every chain that looks at forwarded or sent packets costs each of them something: what is rare is
 * told apart by the cheapest match first.
 */
static const char rules[] =
	"{\n"
	/* The link-layer address and the link-local next hop of each subscriber with delegated
	 * prefixes: the server's part (nft_station_put). Made before the rules are loaded, by
	 * put_set() below, and of the same type. */
	"	set stations {\n"
	"		type ether_addr . ipv6_addr\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	/* RFC 8987 §4.2 R-3. nfproto stands there so that nft does not look for an EtherType in
	 * the frame. */
	"		iifname $subscriber oifname $subscriber meta nfproto ipv6"
	"			ether saddr . rt ip6 nexthop @stations"
	"			counter reject with icmpv6 type reject-route\n"
	"	}\n"
	"	chain output {\n"
	"		type filter hook output priority filter; policy accept;\n"
	/* The kernel has a Redirect on its way before it asks the chain above, which tells a
	 * subscriber that the better way to its own prefix is itself. And between subscribers a
	 * provider's edge is the only way: their ports may be isolated from one another. There is
	 * no sysctl for it. */
	"		oifname $subscriber icmpv6 type nd-redirect counter drop\n"
	"	}\n"
	"}\n";

enum {
	ANSWER_TIMEOUT_MS = 5000,
	LOAD_LIMIT_S = 10,
	CLOSE_WAIT_MS = 1000,
	NFT_TYPE_ETHER_IPV6 = 9 << 6 | 8, /* what nft calls ether_addr . ipv6_addr */
	KEY_LLADDR = 8,                   /* each part is padded to 4 bytes */
	KEY_LEN = KEY_LLADDR + 16,
	ELEMENT_BYTES = 4 + 4 + 4 + KEY_LEN, /* three nested attributes' heads and the key */
	MESSAGE_BYTES = 128,                 /* a message without elements, at most */
	PUT_RUN_MAX = 256,                   /* elements a message */
	DEL_RUN_MAX = 64,                    /* fewer: each is compared with those before it */
	MESSAGES_MAX = 64, /* a transaction: when all of them fail, the answers fit the buffer */
	SEND_MAX = 32 << 10,
};

static const char set_name[] = "stations";

/* --- transactions
 * -------------------------------------------------------------------------------------------- */

/* One batch in the making. What a caller puts must fit: it knows its messages. */
struct txn {
	uint8_t *bytes;
	size_t len;
	size_t messages;
	uint32_t first_seq; /* of the batch's beginning */
	uint32_t seq;       /* of the latest message */
	struct nlmsghdr *latest;
};

static struct nlmsghdr *txn_message(struct txn *t, int type, int flags, uint8_t family,
				    uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(t->bytes + t->len);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++t->seq;
	struct nfgenmsg *g = (struct nfgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

static void txn_end_message(struct txn *t, struct nlmsghdr *h)
{
	t->len += (h->nlmsg_len + 3U) & ~3U; /* netlink aligns messages to 4 bytes */
	t->latest = h;
	t->messages++;
}

static struct txn txn_begin(uint8_t *bytes, uint32_t seq)
{
	struct txn t = { .bytes = bytes, .first_seq = seq + 1, .seq = seq };
	txn_end_message(&t,
			txn_message(&t, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	return t;
}

/* A message about our table; attributes may follow before txn_end_message(). */
static struct nlmsghdr *txn_table(struct txn *t, int type, int flags, const char *table)
{
	struct nlmsghdr *h =
		txn_message(t, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
	/* Of a table, a set and its elements the first attribute is the table's name. */
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	return h;
}

/* Until `wanted` is acknowledged or something of the batch is refused. The kernel has answered by
 * the time that send(2) returns; the limit is for what ought not to be. */
static int txn_answer(int fd, uint32_t first, uint32_t wanted)
{
	uint64_t until = clock_mono_ms() + ANSWER_TIMEOUT_MS;
	bool known = false;
	int result = 0;
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0 && known)
			return result; /* and nothing of it is left in the socket */
		if (n < 0) {
			uint64_t now = clock_mono_ms();
			struct pollfd p = { .fd = fd, .events = POLLIN };
			if (now >= until)
				return -ETIMEDOUT;
			if (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR)
				return -errno;
			continue;
		}
		int left = (int)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
		     mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			/* Else it answers an earlier one, which timed out. */
			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first > wanted - first ||
			    known)
				continue;
			const struct nlmsgerr *e =
				(const struct nlmsgerr *)mnl_nlmsg_get_payload(h);
			result = e->error;
			known = result != 0 || h->nlmsg_seq == wanted;
		}
	}
}

static int txn_commit(int fd, struct txn *t)
{
	/* Refusals are told unasked; of success the last message's word will do. */
	t->latest->nlmsg_flags |= NLM_F_ACK;
	uint32_t wanted = t->seq;
	txn_end_message(t, txn_message(t, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	ssize_t sent;
	do
		sent = send(fd, t->bytes, t->len, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : txn_answer(fd, t->first_seq, wanted);
}

static int nft_socket(int *ret_fd)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return -errno;
	int one = 1;
	/* Answers without the request in them: less to copy. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one,
			 sizeof one); /* an optimisation only */
	struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* --- the guard
 * -----------------------------------------------------------------------------------------------
 */

struct nft_guard {
	int fd;       /* kept open: see make_table() */
	uint32_t seq; /* of the latest message sent */
	char table[NFT_TABLE_MAX];
	char ifname[IFNAMSIZ];
	pid_t loader;
	int verdict_fd;
};

/* What the child tells; one write, which a pipe takes whole. */
struct verdict {
	int result;
	char why[NFT_WHY_MAX];
};

static void put_set(struct txn *t, const char *table)
{
	struct nlmsghdr *h = txn_table(t, NFT_MSG_NEWSET, NLM_F_CREATE, table);
	mnl_attr_put_strz(h, NFTA_SET_NAME, set_name);
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, 0);
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(NFT_TYPE_ETHER_IPV6));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(KEY_LEN));
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(1));
	txn_end_message(t, h);
}

static int guard_commit(struct nft_guard *g, struct txn *t)
{
	int r = txn_commit(g->fd, t);
	g->seq = t->seq;
	return r;
}

/* Without a removal, where nothing is to be replaced: what was removed is freed in the kernel's own
 * time, and whoever closes the socket before that waits for it, 10 ms and more. */
static int make_table(struct nft_guard *g, bool replace)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[6 * MESSAGE_BYTES] = { 0 };
	struct txn t = txn_begin(bytes, g->seq);
	txn_end_message(&t, txn_table(&t, NFT_MSG_NEWTABLE,
				      NLM_F_CREATE | (replace ? 0 : NLM_F_EXCL), g->table));
	if (replace) {
		txn_end_message(&t, txn_table(&t, NFT_MSG_DELTABLE, 0, g->table));
		txn_end_message(&t, txn_table(&t, NFT_MSG_NEWTABLE, NLM_F_CREATE, g->table));
	}
	put_set(&t, g->table);
	return guard_commit(g, &t);
}

static int remove_table(struct nft_guard *g)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[3 * MESSAGE_BYTES] = { 0 };
	struct txn t = txn_begin(bytes, g->seq);
	txn_end_message(&t, txn_table(&t, NFT_MSG_DELTABLE, 0, g->table));
	return guard_commit(g, &t);
}

/* Between nft's quotes. */
static bool quotable(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"\\*", name[i]))
			return false;
	return n > 0 && n < IFNAMSIZ;
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int nft_guard_open(const char *ifname, const char *instance, struct nft_guard **ret_guard)
{
	if (!quotable(ifname))
		return -EINVAL;
	struct nft_guard *g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->verdict_fd = -1;
	g->fd = -1;
	(void)snprintf(g->ifname, sizeof g->ifname, "%s", ifname); /* fits: quotable() */
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

/* In the child. The library is asked for here alone, so that we have neither its pages nor those of
 * what it needs in turn. */
static struct verdict load_rules(const struct nft_guard *g)
{
	char text[sizeof rules + 128];
	int n = snprintf(text, sizeof text, "define subscriber = \"%s\"\ntable inet %s %s",
			 g->ifname, g->table, rules);
	if (n < 0 || (size_t)n >= sizeof text)
		return verdict(-EIO, "the rules do not fit their buffer");
	void *lib = dlopen("libnftables.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!lib)
		return verdict(-ELIBACC, "%s", dlerror());
	__typeof__(&nft_ctx_new) ctx_new = dlsym(lib, "nft_ctx_new");
	__typeof__(&nft_ctx_buffer_error) buffer_error = dlsym(lib, "nft_ctx_buffer_error");
	__typeof__(&nft_ctx_get_error_buffer) get_error = dlsym(lib, "nft_ctx_get_error_buffer");
	__typeof__(&nft_run_cmd_from_buffer) run_cmd = dlsym(lib, "nft_run_cmd_from_buffer");
	if (!ctx_new || !buffer_error || !get_error || !run_cmd)
		return verdict(-ELIBACC, "libnftables.so.1 lacks a function that we use");
	struct nft_ctx *ctx = ctx_new(NFT_CTX_DEFAULT);
	if (!ctx || buffer_error(ctx) != 0)
		return verdict(-ENOMEM, "%s", strerror(ENOMEM));
	if (run_cmd(ctx, text) == 0)
		return verdict(0, "%s", "");
	/* "/dev/stdin:7:3-99: Error: …", then the line, then a row of carets: the first will do. */
	const char *said = get_error(ctx);
	const char *error = strstr(said, "Error: ");
	error = error ? error + strlen("Error: ") : said;
	return verdict(-EOPNOTSUPP, "%.*s", (int)strcspn(error, "\n"), error);
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

int nft_guard_load(struct nft_guard *g)
{
	int pipe_fds[2];
	if (g->loader)
		return -EALREADY;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	AUTO_CLOSE int from = pipe_fds[0];
	AUTO_CLOSE int to = pipe_fds[1];
	/* No handler of ours may run in the child: it would write to descriptors that our loop
	 * reads. */
	sigset_t all, before;
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, &before) < 0)
		return -errno;
	pid_t parent = getpid();
	pid_t pid = fork();
	int fork_errno = errno;
	if (pid == 0)
		loader_child(g, to, parent);
	(void)sigprocmask(SIG_SETMASK, &before, NULL); /* cannot fail with these arguments */
	if (pid < 0)
		return -fork_errno;
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
	return v.result;
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
	int r = remove_table(g);
	nft_guard_drop(g);
	return r;
}

/* --- stations
 * ------------------------------------------------------------------------------------------------
 */

struct change {
	enum change_kind { PUT, DEL, FLUSH } kind;
	uint8_t key[KEY_LEN];
};

struct nft_stations {
	int fd;
	char table[NFT_TABLE_MAX];
	uint32_t seq; /* of the latest message sent */
	size_t n;
	struct change changes[NFT_STATIONS_MAX]; /* untouched pages cost nothing */
	_Alignas(struct nlmsghdr) uint8_t bytes[SEND_MAX];
};

int nft_stations_new(const char *table, struct nft_stations **ret_stations)
{
	AUTO_CLOSE int fd = -1;
	if (strlen(table) >= NFT_TABLE_MAX)
		return -EINVAL;
	int r = nft_socket(&fd);
	if (r < 0)
		return r;
	struct nft_stations *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	(void)snprintf(s->table, sizeof s->table, "%s", table); /* fits, as was seen above */
	s->fd = take_fd(&fd);
	*ret_stations = s;
	return 0;
}

void nft_stations_free(struct nft_stations *s)
{
	if (!s)
		return;
	(void)close(s->fd); /* nothing is pending on it */
	free(s);
}

static int collect(struct nft_stations *s, enum change_kind kind, const uint8_t *lladdr,
		   const struct in6_addr *next_hop)
{
	if (s->n == NFT_STATIONS_MAX)
		return -ENOBUFS;
	struct change *c = &s->changes[s->n++];
	*c = (struct change){ .kind = kind };
	if (lladdr) {
		memcpy(c->key, lladdr, NFT_LLADDR_LEN);
		memcpy(c->key + KEY_LLADDR, next_hop, sizeof *next_hop);
	}
	return 0;
}

int nft_station_put(struct nft_stations *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *next_hop)
{
	return collect(s, PUT, lladdr, next_hop);
}

int nft_station_del(struct nft_stations *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *next_hop)
{
	return collect(s, DEL, lladdr, next_hop);
}

int nft_station_flush(struct nft_stations *s)
{
	s->n = 0;
	return collect(s, FLUSH, NULL, NULL);
}

static void put_elements(struct nft_stations *s, struct txn *t, int type, int flags,
			 const struct change *c, size_t n)
{
	struct nlmsghdr *h = txn_table(t, type, flags, s->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set_name);
	struct nlattr *list = n ? mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
		mnl_attr_put(h, NFTA_DATA_VALUE, KEY_LEN, c[i].key);
		mnl_attr_nest_end(h, key);
		mnl_attr_nest_end(h, element);
	}
	if (list)
		mnl_attr_nest_end(h, list);
	txn_end_message(t, h);
}

/* Whether `at` is among the changes between `from` and it. */
static bool repeats(const struct nft_stations *s, size_t from, size_t at)
{
	for (size_t i = from; i < at; i++)
		if (memcmp(s->changes[i].key, s->changes[at].key, KEY_LEN) == 0)
			return true;
	return false;
}

/* How many of one kind follow one another at `from`; of removals, those that are all different: see
 * put_run(). */
static size_t run_length(const struct nft_stations *s, size_t from)
{
	enum change_kind kind = s->changes[from].kind;
	size_t n = 1, most = kind == PUT ? PUT_RUN_MAX : DEL_RUN_MAX;
	while (n < most && from + n < s->n && s->changes[from + n].kind == kind &&
	       (kind == PUT || !repeats(s, from, from + n)))
		n++;
	return n;
}

static void put_run(struct nft_stations *s, struct txn *t, size_t from, size_t n)
{
	const struct change *c = &s->changes[from];
	/* Removing what is not there would undo the whole transaction, and only kernels after 6.2
	 * can be asked not to mind; adding what is there is nothing. So removals are additions
	 * first. */
	if (c->kind != FLUSH)
		put_elements(s, t, NFT_MSG_NEWSETELEM, NLM_F_CREATE, c, n);
	if (c->kind != PUT)
		put_elements(s, t, NFT_MSG_DELSETELEM, 0, c, c->kind == FLUSH ? 0 : n);
}

/* One transaction of what fits it, from `*at` on. */
static int commit_part(struct nft_stations *s, size_t *at)
{
	struct txn t = txn_begin(s->bytes, s->seq);
	while (*at < s->n) {
		size_t n = run_length(s, *at);
		size_t most = 2 * (MESSAGE_BYTES + n * ELEMENT_BYTES);
		/* MESSAGE_BYTES are the end's. */
		if (t.len + most + MESSAGE_BYTES > sizeof s->bytes || t.messages + 2 > MESSAGES_MAX)
			break;
		put_run(s, &t, *at, n);
		*at += n;
	}
	int r = txn_commit(s->fd, &t);
	s->seq = t.seq;
	return r;
}

int nft_station_commit(struct nft_stations *s)
{
	int r = 0;
	for (size_t at = 0; at < s->n && r == 0;)
		r = commit_part(s, &at);
	s->n = 0;
	return r;
}
