/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel answers over netlink, read by our own code: the tunnel's state, routes and
 * neighbours, the packet filter's sets and counters, other instances' claims. The first byte
 * chooses who asks; the rest are datagrams, whose messages have the sequence number that was asked
 * with unless a bit says otherwise. Whatever they hold, what is read is within bounds, depends on
 * nothing that was not received, and ends. The system calls are this file's own (--wrap).
 */
#include "fuzz/fuzz.h"
#include "host/claim.h"
#include "host/nft_sets.h"
#include "host/route.h"
#include "host/wireguard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum {
	FOUND_MAX = 256,
	CALLS_MAX = 4096, /* of recv(2): whoever asks for more does not end */
	RAW = 0xff,
	NFT_SHORTEST = 60,
	WORDS_MAX = 64,
};

/* What the kernel says in this run. */
static struct {
	const uint8_t *at, *end;
	uint8_t fill; /* of what a read leaves of its buffer */
	uint32_t seq; /* of the latest question */
	uint64_t now_ms;
	unsigned calls;
} kernel;

/* What came out of it. */
struct seen {
	int result;
	struct wg_state state;
	uint64_t packets[NFT_REASONS];
	size_t n, len;
	uint8_t bytes[FOUND_MAX * 64];
};

static uint8_t next_byte(void)
{
	return kernel.at < kernel.end ? *kernel.at++ : 0;
}

/* A message; how many bytes of the buffer it takes. */
static size_t put_message(uint8_t *to, size_t room)
{
	static const uint16_t types[16] = { NLMSG_DONE,   NLMSG_ERROR,  RTM_NEWROUTE, RTM_NEWNEIGH,
					    GENL_ID_CTRL, 0xa00 | 10,   0xa00 | 12,   0xa00 | 18,
					    20,           NLMSG_NOOP,   0x1c,         0xa00 | 19,
					    RTM_NEWROUTE, RTM_NEWNEIGH, NLMSG_ERROR,  0 };
	uint8_t how = next_byte();
	size_t len = next_byte();
	if (how == RAW) {
		len = len < room ? len : room;
		for (size_t i = 0; i < len; i++)
			to[i] = next_byte();
		/* libmnl takes a length beyond 2 GiB for a negative one; no kernel says such. */
		if (len > 3)
			to[3] &= 0x7f;
		return len;
	}
	if (how & 0x40)
		len = len << 8 | next_byte();
	struct nlmsghdr h = { .nlmsg_type = types[how & 15],
			      .nlmsg_flags =
				      how & 0x20 ? NLM_F_DUMP_INTR | NLM_F_MULTI : NLM_F_MULTI,
			      .nlmsg_seq = how & 0x80 ? kernel.seq + 1 : kernel.seq };
	size_t left = (size_t)(kernel.end - kernel.at);
	len = len < left ? len : left;
	if (room < sizeof h)
		return 0;
	len = len < room - sizeof h ? len : room - sizeof h;
	h.nlmsg_len = (uint32_t)(sizeof h + len);
	memcpy(to, &h, sizeof h);
	if (len > 0)
		memcpy(to + sizeof h, kernel.at, len);
	kernel.at += len;
	size_t all = NLMSG_ALIGN(h.nlmsg_len);
	return all < room ? all : h.nlmsg_len;
}

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap___recv_chk(int fd, void *buf, size_t size, size_t room, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t size, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
uint64_t __wrap_clock_mono_ms(void);

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	(void)fd;
	(void)flags;
	FUZZ_CHECK(++kernel.calls < CALLS_MAX);
	memset(buf, kernel.fill, size);
	if (kernel.at == kernel.end) {
		errno = EAGAIN;
		return -1;
	}
	uint8_t n = next_byte();
	if (n == RAW) { /* an error instead */
		static const int errors[] = { EINTR, ENOBUFS, ENOMEM, EAGAIN };
		errno = errors[next_byte() & 3];
		return -1;
	}
	size_t len = 0;
	for (unsigned i = 0; i <= (n & 7U) && kernel.at < kernel.end; i++)
		len += put_message((uint8_t *)buf + len, size - len);
	return (ssize_t)len;
}

ssize_t __wrap___recv_chk(int fd, void *buf, size_t size, size_t room, int flags)
{
	FUZZ_CHECK(size <= room);
	return __wrap_recv(fd, buf, size, flags);
}

ssize_t __wrap_send(int fd, const void *buf, size_t size, int flags)
{
	struct nlmsghdr h;
	(void)fd;
	(void)flags;
	/* Of a batch the last one that wants an answer. */
	for (size_t at = 0; at + sizeof h <= size; at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, (const uint8_t *)buf + at, sizeof h);
		FUZZ_CHECK(h.nlmsg_len >= sizeof h && h.nlmsg_len <= size - at);
		kernel.seq = h.nlmsg_seq;
	}
	return (ssize_t)size;
}

int __wrap_socket(int domain, int type, int protocol)
{
	(void)type;
	(void)protocol;
	FUZZ_CHECK(domain == AF_NETLINK);
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
	(void)fd;
	(void)at;
	(void)len;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

/* Nothing else ever comes: all of the time goes by. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	(void)fds;
	(void)n;
	FUZZ_CHECK(timeout >= 0);
	kernel.now_ms += (uint64_t)timeout;
	return 0;
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	(void)room;
	return __wrap_poll(fds, n, timeout);
}

uint64_t __wrap_clock_mono_ms(void)
{
	return kernel.now_ms;
}

/* --- who asks
 * -----------------------------------------------------------------------------------------------
 */

static int keep(struct seen *s, const void *bytes, size_t len)
{
	if (s->len + len <= sizeof s->bytes) {
		memcpy(s->bytes + s->len, bytes, len);
		s->len += len;
	}
	s->n++;
	return 0;
}

static int on_route(void *ctx, const struct route *r)
{
	FUZZ_CHECK(r->prefix.plen <= 128);
	(void)keep((struct seen *)ctx, &r->prefix, sizeof r->prefix);
	(void)keep((struct seen *)ctx, &r->gateway, sizeof r->gateway);
	const uint32_t words[] = { (uint32_t)r->type, r->has_gateway, r->oif, r->metric };
	return keep((struct seen *)ctx, words, sizeof words);
}

static int on_neighbour(void *ctx, const struct neighbour *n)
{
	FUZZ_CHECK(n->lladdr_len <= sizeof n->lladdr);
	(void)keep((struct seen *)ctx, &n->addr, sizeof n->addr);
	return keep((struct seen *)ctx, n->lladdr, n->lladdr_len);
}

static int on_element(void *ctx, const struct nft_element *e)
{
	FUZZ_CHECK(e->set <= NFT_PREFIX && e->prefix.plen <= 128);
	FUZZ_CHECK(e->set != NFT_STATION || e->lladdr);
	FUZZ_CHECK(e->set != NFT_ADDRESS || !e->lladdr);
	FUZZ_CHECK(e->set != NFT_PREFIX ||
		   (e->prefix.plen >= NFT_SHORTEST && e->prefix.plen <= NFT_LONGEST_PREFIX));
	(void)keep((struct seen *)ctx, &e->prefix, sizeof e->prefix);
	return e->lladdr ? keep((struct seen *)ctx, e->lladdr, NFT_LLADDR_LEN) : 0;
}

static void on_failed(void *ctx, uint32_t tag, int err)
{
	FUZZ_CHECK(tag < WORDS_MAX);
	const uint32_t words[] = { tag, (uint32_t)err };
	(void)keep((struct seen *)ctx, words, sizeof words);
}

static void on_claim(void *ctx, const char *text)
{
	FUZZ_CHECK(strlen(text) < CLAIM_TEXT_MAX && strncmp(text, "vbng", 4) == 0);
	(void)keep((struct seen *)ctx, text, strlen(text));
}

static void ask_tunnel(struct seen *s)
{
	const struct wg_tunnel t = { .ifindex = 7, .name = "wg-x" };
	s->result = wg_get_state(&t, &s->state);
	FUZZ_CHECK(s->result <= 0);
	FUZZ_CHECK(s->state.endpoint.ss_family == AF_UNSPEC ||
		   s->state.endpoint.ss_family == AF_INET ||
		   s->state.endpoint.ss_family == AF_INET6);
}

static void ask_routes(struct seen *s, uint8_t what)
{
	struct route_batch *b = NULL;
	FUZZ_CHECK(route_batch_new(&b) == 0);
	if (what == 1) {
		s->result = route_dump(b, on_route, s);
	} else if (what == 2) {
		s->result = neighbour_dump(b, 7, on_neighbour, s);
	} else {
		unsigned n = 1 + next_byte() % WORDS_MAX;
		for (uint32_t i = 0; i < n; i++) {
			struct route r = { .prefix = { .plen = 56 }, .oif = 7 };
			r.prefix.addr.s6_addr[6] = (uint8_t)i;
			FUZZ_CHECK((i & 1 ? route_put : route_del)(b, &r, i) == 0);
		}
		s->result = route_commit(b, on_failed, s);
		FUZZ_CHECK(s->result < 0 || (size_t)s->result == s->n);
	}
	s->packets[0] = route_dump_interrupted(b);
	route_batch_free(b);
}

static void ask_filter(struct seen *s, uint8_t what)
{
	struct nft_sets *sets = NULL;
	FUZZ_CHECK(nft_sets_new("vbng-x", &sets) == 0);
	if (what == 4) {
		s->result = nft_sets_read(sets, NFT_SHORTEST);
		if (s->result == 0)
			do
				s->result = nft_sets_read_some(sets, on_element, s);
			while (s->result > 0);
	} else if (what == 5) {
		s->result = nft_counters_read(sets, s->packets);
	} else {
		const uint8_t lladdr[NFT_LLADDR_LEN] = { 2 };
		struct prefix6 p = { .plen = NFT_SHORTEST };
		p.addr.s6_addr[0] = 0x20;
		FUZZ_CHECK(nft_station_put(sets, lladdr, &p.addr) == 0);
		FUZZ_CHECK(nft_source_put(sets, &p, lladdr) == 0);
		FUZZ_CHECK(nft_source_del(sets, &p, lladdr) == 0);
		s->result = nft_sets_commit(sets);
	}
	nft_sets_free(sets);
}

static void ask(const uint8_t *data, size_t size, uint8_t fill, struct seen *s)
{
	memset(s, 0, sizeof *s);
	kernel.at = data;
	kernel.end = data + size;
	kernel.fill = fill;
	kernel.seq = kernel.calls = 0;
	kernel.now_ms = UINT64_C(1) << 43;
	uint8_t what = next_byte() % 8;
	switch (what) {
	case 0:
		ask_tunnel(s);
		break;
	case 1:
	case 2:
	case 3:
		ask_routes(s, what);
		break;
	case 7:
		s->result = claim_list(-1, "vbng", on_claim, s);
		break;
	default:
		ask_filter(s, what);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen first, second;
	ask(data, size, 0x00, &first);
	ask(data, size, 0x5a, &second);
	FUZZ_CHECK(memcmp(&first, &second, sizeof first) == 0);
	return 0;
}
