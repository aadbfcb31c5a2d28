/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nft_sets.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/nft.h"
#include "host/nft_txn.h"
#include "host/nlattr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	KEY_LLADDR = 8, /* each part of a key is padded to 4 bytes */
	KEY_MAX = KEY_LLADDR + 16,
	ELEMENT_BYTES = 4 + 4 + 4 + KEY_MAX, /* three nested attributes' heads and the key */
	PUT_RUN_MAX = 256,                   /* elements a message */
	DEL_RUN_MAX = 64,                    /* fewer: each is compared with those before it */
	MESSAGES_MAX = 64, /* a transaction: when all of them fail, the answers fit the buffer */
	SEND_MAX = 32 << 10,
	DUMP_TIMEOUT_MS = 1000,
	READ_BYTES = 32 << 10, /* what the kernel puts into a datagram of a dump, at most */
};

struct change {
	enum change_kind { PUT, DEL } kind;
	uint8_t plen; /* of the set's name, in the queue of prefixes */
	uint8_t key[KEY_MAX];
};

/* One a kind of set, so that what is put of each stands together: in runs, a message each. */
enum { QUEUES = NFT_PREFIX + 1 };

struct queue {
	size_t n;
	struct change changes[NFT_CHANGES_MAX]; /* untouched pages cost nothing */
};

struct nft_sets {
	int fd;
	char table[NFT_TABLE_MAX];
	uint32_t seq; /* of the latest message sent */
	struct queue queues[QUEUES];
	/* Reading back: */
	int dump_fd;
	uint32_t dump_seq;
	enum nft_set dumped;
	uint8_t dumped_plen, shortest;
	/* Writing: */
	_Alignas(struct nlmsghdr) uint8_t bytes[SEND_MAX];
};

int nft_sets_new(const char *table, struct nft_sets **ret_sets)
{
	AUTO_CLOSE int fd = -1;
	AUTO_CLOSE int dump_fd = -1;
	if (strlen(table) >= NFT_TABLE_MAX)
		return -EINVAL;
	int r = nft_socket(&fd);
	if (r == 0)
		r = nft_socket(&dump_fd);
	if (r < 0)
		return r;
	struct nft_sets *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	(void)snprintf(s->table, sizeof s->table, "%s", table); /* fits, as was seen above */
	s->fd = take_fd(&fd);
	s->dump_fd = take_fd(&dump_fd);
	*ret_sets = s;
	return 0;
}

void nft_sets_free(struct nft_sets *s)
{
	if (!s)
		return;
	(void)close(s->fd);      /* nothing is pending on it */
	(void)close(s->dump_fd); /* nobody asks any more */
	free(s);
}

/* --- changes
 * -------------------------------------------------------------------------------------------------
 */

static const char *set_name(enum nft_set set, uint8_t plen, char buf[static NFT_SET_NAME_MAX])
{
	return set == NFT_STATION   ? NFT_SET_STATIONS
	       : set == NFT_ADDRESS ? NFT_SET_ADDRESSES
				    : nft_prefixes_name(plen, buf);
}

static size_t key_len(enum nft_set set)
{
	return set == NFT_ADDRESS ? sizeof(struct in6_addr) : KEY_MAX;
}

static int collect(struct nft_sets *s, enum nft_set k, const struct change *c)
{
	struct queue *q = &s->queues[k];
	if (q->n == NFT_CHANGES_MAX)
		return -ENOBUFS;
	q->changes[q->n++] = *c;
	return 0;
}

/* lladdr NULL: of zeros, which stands for any. */
static struct change pair(enum change_kind kind, const uint8_t *lladdr, const struct in6_addr *addr)
{
	struct change c = { .kind = kind };
	if (lladdr)
		memcpy(c.key, lladdr, NFT_LLADDR_LEN);
	memcpy(c.key + KEY_LLADDR, addr, sizeof *addr);
	return c;
}

int nft_station_put(struct nft_sets *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *addr)
{
	const struct change c = pair(PUT, lladdr, addr);
	return collect(s, NFT_STATION, &c);
}

int nft_station_del(struct nft_sets *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *addr)
{
	const struct change c = pair(DEL, lladdr, addr);
	return collect(s, NFT_STATION, &c);
}

static int source(struct nft_sets *s, enum change_kind kind, const struct prefix6 *prefix,
		  const uint8_t *lladdr)
{
	if (prefix->plen == 128) {
		struct change c = { .kind = kind };
		memcpy(c.key, &prefix->addr, sizeof prefix->addr);
		return collect(s, NFT_ADDRESS, &c);
	}
	if (prefix->plen > NFT_LONGEST_PREFIX)
		return -ERANGE;
	struct change c = pair(kind, lladdr, &prefix->addr);
	c.plen = prefix->plen;
	return collect(s, NFT_PREFIX, &c);
}

int nft_source_put(struct nft_sets *s, const struct prefix6 *prefix, const uint8_t *lladdr)
{
	return source(s, PUT, prefix, lladdr);
}

int nft_source_del(struct nft_sets *s, const struct prefix6 *prefix, const uint8_t *lladdr)
{
	return source(s, DEL, prefix, lladdr);
}

/* --- commit
 * --------------------------------------------------------------------------------------------------
 */

static void put_elements(struct nft_sets *s, struct nft_txn *t, int type, int flags, enum nft_set k,
			 const struct change *c, size_t n)
{
	char name[NFT_SET_NAME_MAX];
	struct nlmsghdr *h = nft_txn_message(t, type, flags, s->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set_name(k, c->plen, name));
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < n; i++) {
		struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
		struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
		mnl_attr_put(h, NFTA_DATA_VALUE, key_len(k), c[i].key);
		mnl_attr_nest_end(h, key);
		mnl_attr_nest_end(h, element);
	}
	mnl_attr_nest_end(h, list);
	nft_txn_end(t, h);
}

/* Whether `at` is among the changes between `from` and it. */
static bool repeats(const struct queue *q, size_t from, size_t at)
{
	for (size_t i = from; i < at; i++)
		if (memcmp(q->changes[i].key, q->changes[at].key, KEY_MAX) == 0)
			return true;
	return false;
}

/* How many of one kind, of one set, follow one another at `from`; of removals, those that are all
 * different: see put_run(). */
static size_t run_length(const struct queue *q, size_t from)
{
	const struct change *c = &q->changes[from];
	size_t n = 1, most = c->kind == PUT ? PUT_RUN_MAX : DEL_RUN_MAX;
	while (n < most && from + n < q->n && c[n].kind == c->kind && c[n].plen == c->plen &&
	       (c->kind == PUT || !repeats(q, from, from + n)))
		n++;
	return n;
}

static void put_run(struct nft_sets *s, struct nft_txn *t, enum nft_set k, size_t from, size_t n)
{
	const struct change *c = &s->queues[k].changes[from];
	/* Removing what is not there would undo the whole transaction, and only kernels after 6.2
	 * can be asked not to mind; adding what is there is nothing. So removals are additions
	 * first. */
	put_elements(s, t, NFT_MSG_NEWSETELEM, NLM_F_CREATE, k, c, n);
	if (c->kind == DEL)
		put_elements(s, t, NFT_MSG_DELSETELEM, 0, k, c, n);
}

/* One transaction of what fits it, from at[] of each queue on. */
static int commit_part(struct nft_sets *s, size_t at[static QUEUES])
{
	struct nft_txn t = nft_txn_begin(s->bytes, s->seq);
	for (enum nft_set k = NFT_STATION; k <= NFT_PREFIX; k++) {
		const struct queue *q = &s->queues[k];
		while (at[k] < q->n) {
			size_t n = run_length(q, at[k]);
			size_t most = 2 * (NFT_MESSAGE_BYTES + n * ELEMENT_BYTES);
			/* The message's bytes in the second sum are the end's. */
			if (t.len + most + NFT_MESSAGE_BYTES > sizeof s->bytes ||
			    t.messages + 2 > MESSAGES_MAX)
				break;
			put_run(s, &t, k, at[k], n);
			at[k] += n;
		}
	}
	int r = nft_txn_commit(s->fd, &t);
	s->seq = t.seq;
	return r;
}

int nft_sets_commit(struct nft_sets *s)
{
	size_t at[QUEUES] = { 0 };
	int r = 0;
	while (r == 0 && (at[NFT_STATION] < s->queues[NFT_STATION].n ||
			  at[NFT_ADDRESS] < s->queues[NFT_ADDRESS].n ||
			  at[NFT_PREFIX] < s->queues[NFT_PREFIX].n))
		r = commit_part(s, at);
	for (size_t q = 0; q < QUEUES; q++)
		s->queues[q].n = 0;
	return r;
}

/* --- reading
 * -------------------------------------------------------------------------------------------------
 */

/* What a socket was asked for, a datagram at a time. 1: there is more. */
static int receive(int fd, uint32_t seq, void (*fn)(const struct nlmsghdr *h, void *ctx), void *ctx)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[READ_BYTES];
	uint64_t until = clock_mono_ms() + DUMP_TIMEOUT_MS;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_mono_ms();
		ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN && now < until) {
			(void)poll(&p, 1, (int)(until - now)); /* recv tells */
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		int left = (int)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)bytes;
		     nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			/* Else it answers an earlier question, which nobody waits for any more. */
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return nlmsg_error(h);
			fn(h, ctx);
		}
		return 1;
	}
}

static struct nlmsghdr *question(const struct nft_sets *s, uint8_t *bytes, int type, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = (struct nfgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, s->table); /* of all kinds the first attribute */
	return h;
}

static int ask_for_set(struct nft_sets *s)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[NFT_MESSAGE_BYTES] = { 0 };
	char name[NFT_SET_NAME_MAX];
	struct nlmsghdr *h = question(s, bytes, NFT_MSG_GETSETELEM, ++s->dump_seq);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set_name(s->dumped, s->dumped_plen, name));
	return send(s->dump_fd, h, h->nlmsg_len, 0) < 0 ? -errno : 0;
}

int nft_sets_read(struct nft_sets *s, uint8_t shortest)
{
	s->shortest = shortest;
	s->dumped = NFT_STATION;
	s->dumped_plen = 0;
	return ask_for_set(s);
}

/* False: that was the last one. */
static bool next_set(struct nft_sets *s)
{
	if (!s->shortest || s->dumped_plen == NFT_LONGEST_PREFIX)
		return false;
	if (s->dumped == NFT_STATION) {
		s->dumped = NFT_ADDRESS;
	} else if (s->dumped == NFT_ADDRESS) {
		s->dumped = NFT_PREFIX;
		s->dumped_plen = s->shortest;
	} else {
		s->dumped_plen++;
	}
	return true;
}

struct elements {
	const struct nft_sets *s;
	int (*fn)(void *ctx, const struct nft_element *e);
	void *ctx;
	int result;
};

static const struct nlattr *inner(const struct nlattr *in, uint16_t type)
{
	const struct nlattr *a;
	nlattr_each_nested(a, in)
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static int take_element(struct elements *into, const struct nlattr *element)
{
	static const uint8_t any[NFT_LLADDR_LEN];
	const struct nlattr *key = inner(element, NFTA_SET_ELEM_KEY);
	const struct nlattr *value = key ? inner(key, NFTA_DATA_VALUE) : NULL;
	enum nft_set set = into->s->dumped;
	if (!value || mnl_attr_get_payload_len(value) != key_len(set))
		return 0;
	const uint8_t *bytes = mnl_attr_get_payload(value);
	struct nft_element e = { .set = set,
				 .prefix.plen = set == NFT_PREFIX ? into->s->dumped_plen : 128 };
	memcpy(&e.prefix.addr, bytes + key_len(set) - sizeof e.prefix.addr, sizeof e.prefix.addr);
	if (set == NFT_STATION || (set == NFT_PREFIX && memcmp(bytes, any, sizeof any) != 0))
		e.lladdr = bytes;
	return into->fn(into->ctx, &e);
}

static void take_elements(const struct nlmsghdr *h, void *ctx)
{
	struct elements *into = (struct elements *)ctx;
	const struct nlattr *a, *element;
	nlattr_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		nlattr_each_nested(element, a)
		{
			if (into->result == 0)
				into->result = take_element(into, element);
		}
	}
}

int nft_sets_read_some(struct nft_sets *s, int (*fn)(void *ctx, const struct nft_element *e),
		       void *ctx)
{
	struct elements into = { s, fn, ctx, 0 };
	int r = receive(s->dump_fd, s->dump_seq, take_elements, &into);
	if (r == 0 && into.result == 0 && next_set(s))
		r = ask_for_set(s) < 0 ? -errno : 1;
	return into.result < 0 ? into.result : r;
}

int nft_element_del(struct nft_sets *s, const struct nft_element *e)
{
	return e->set == NFT_STATION ? nft_station_del(s, e->lladdr, &e->prefix.addr)
				     : nft_source_del(s, &e->prefix, e->lladdr);
}

/* --- counters
 * ------------------------------------------------------------------------------------------------
 */

const char *nft_reason_name(enum nft_reason r)
{
	static const char *const names[NFT_REASONS] = {
		[NFT_SOURCE_FOREIGN] = "source_foreign",
		[NFT_SOURCE_TAKEN] = "source_taken",
		[NFT_OWN_PREFIX] = "own_prefix",
		[NFT_ISOLATED] = "isolated",
		[NFT_SUBSCRIBER_SERVICE] = "subscriber_service",
		[NFT_UPLINK_SERVICE] = "uplink_service",
		[NFT_FLOOD] = "flood",
		[NFT_FLOOD_STRANGERS] = "flood_strangers",
		[NFT_FLOOD_DHCPV6] = "flood_dhcpv6",
		[NFT_REDIRECT] = "redirects",
	};
	return (size_t)r < ARRAY_LEN(names) ? names[r] : "unknown";
}

struct reading {
	uint64_t packets[NFT_REASONS];
	size_t found;
};

static uint64_t packets_of(const struct nlattr *data)
{
	const struct nlattr *a;
	uint64_t packets = 0;
	nlattr_each_nested(a, data)
	{
		if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS &&
		    mnl_attr_get_payload_len(a) == sizeof packets)
			packets = be64toh(mnl_attr_get_u64(a));
	}
	return packets;
}

static void take_object(const struct nlmsghdr *h, void *ctx)
{
	struct reading *into = (struct reading *)ctx;
	const struct nlattr *a, *data = NULL;
	const char *name = NULL;
	nlattr_each(a, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_OBJ_NAME &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(a);
		else if (mnl_attr_get_type(a) == NFTA_OBJ_DATA)
			data = a;
	}
	for (enum nft_reason r = 0; name && data && r < NFT_REASONS; r++)
		if (strcmp(name, nft_reason_name(r)) == 0) {
			into->packets[r] = packets_of(data);
			into->found++;
		}
}

int nft_counters_read(struct nft_sets *s, uint64_t ret_packets[static NFT_REASONS])
{
	_Alignas(struct nlmsghdr) uint8_t bytes[NFT_MESSAGE_BYTES] = { 0 };
	struct nlmsghdr *h = question(s, bytes, NFT_MSG_GETOBJ, ++s->seq);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	if (send(s->fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	struct reading into = { .found = 0 };
	int r;
	do
		r = receive(s->fd, s->seq, take_object, &into);
	while (r > 0);
	if (r < 0)
		return r;
	if (into.found < NFT_REASONS)
		return -ENOENT;
	memcpy(ret_packets, into.packets, sizeof into.packets);
	return 0;
}
