/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/route.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/nlattr.h"
#include "host/sockopt.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
	REQUEST_MAX = 128, /* bytes of the largest request */
	SEND_MAX = 256, /* requests a send: if all are refused, the answers fit the receive buffer
			   whatever it is limited to */
	SOCKET_BUFFER = 4 << 20,
	DUMP_READ = 32768, /* as much as the kernel puts into one message */
	ANSWER_TIMEOUT_MS = 5000,
};

struct route_batch {
	int fd;
	bool interrupted; /* the dump: what it shows was changed meanwhile */
	uint32_t seq;     /* of the first request collected */
	size_t n;         /* requests collected */
	size_t len;       /* their bytes */
	uint8_t *bytes;   /* ROUTE_BATCH_MAX * REQUEST_MAX: untouched pages cost nothing */
	uint32_t tags[ROUTE_BATCH_MAX];
	uint32_t starts[ROUTE_BATCH_MAX + 1];
};

int route_batch_new(struct route_batch **ret_batch)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	sock_set_buffers(fd, SOCKET_BUFFER, SOCKET_BUFFER);
	/* Acknowledgements without the request in them: less to copy. */
	(void)sock_set_int(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1); /* an optimisation only */
	struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	struct route_batch *b = calloc(1, sizeof *b);
	/* Zeros: libmnl leaves the padding behind an attribute as it is. */
	uint8_t *bytes = calloc(ROUTE_BATCH_MAX, REQUEST_MAX);
	if (!b || !bytes) {
		free(b);
		free(bytes);
		return -ENOMEM;
	}
	b->bytes = bytes;
	b->fd = take_fd(&fd);
	b->seq = 1;
	*ret_batch = b;
	return 0;
}

void route_batch_free(struct route_batch *b)
{
	if (!b)
		return;
	(void)close(b->fd); /* nothing is pending on it */
	free(b->bytes);
	free(b);
}

static struct nlmsghdr *begin(struct route_batch *b, uint16_t type, uint16_t flags)
{
	if (b->n == ROUTE_BATCH_MAX)
		return NULL;
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->bytes + b->len);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = b->seq + (uint32_t)b->n;
	return h;
}

static int end(struct route_batch *b, const struct nlmsghdr *h, uint32_t tag)
{
	b->starts[b->n] = (uint32_t)b->len;
	b->tags[b->n++] = tag;
	b->len += (h->nlmsg_len + 3U) & ~3U; /* netlink aligns messages to 4 bytes */
	b->starts[b->n] = (uint32_t)b->len;
	return 0;
}

static int route_request(struct route_batch *b, uint16_t type, uint16_t flags,
			 const struct route *r, uint32_t tag)
{
	struct nlmsghdr *h = begin(b, type, flags);
	if (!h)
		return -ENOBUFS;
	struct rtmsg *m = (struct rtmsg *)mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->rtm_family = AF_INET6;
	m->rtm_dst_len = r->prefix.plen;
	m->rtm_table = r->table ? r->table : RT_TABLE_MAIN;
	m->rtm_protocol = ROUTE_PROTOCOL;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = r->type == ROUTE_UNREACHABLE ? RTN_UNREACHABLE : RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, sizeof r->prefix.addr, &r->prefix.addr);
	mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
	/* A removal names prefix, metric and interface: whatever its next hop was, it goes. */
	if (type == RTM_NEWROUTE && r->type == ROUTE_VIA && r->has_gateway)
		mnl_attr_put(h, RTA_GATEWAY, sizeof r->gateway, &r->gateway);
	if (r->type == ROUTE_VIA)
		mnl_attr_put_u32(h, RTA_OIF, r->oif);
	return end(b, h, tag);
}

int route_put(struct route_batch *b, const struct route *r, uint32_t tag)
{
	return route_request(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r, tag);
}

int route_del(struct route_batch *b, const struct route *r, uint32_t tag)
{
	return route_request(b, RTM_DELROUTE, 0, r, tag);
}

static int neighbour_request(struct route_batch *b, uint16_t type, uint16_t flags, unsigned ifindex,
			     const struct in6_addr *a, const uint8_t *lladdr, size_t len,
			     uint32_t tag)
{
	struct nlmsghdr *h = begin(b, type, flags);
	if (!h)
		return -ENOBUFS;
	struct ndmsg *m = (struct ndmsg *)mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->ndm_family = AF_INET6;
	m->ndm_ifindex = (int)ifindex;
	m->ndm_state = NUD_PERMANENT;
	mnl_attr_put(h, NDA_DST, sizeof *a, a);
	if (lladdr) {
		mnl_attr_put(h, NDA_LLADDR, len, lladdr);
		mnl_attr_put_u8(h, NDA_PROTOCOL, ROUTE_PROTOCOL);
	}
	return end(b, h, tag);
}

int neighbour_put(struct route_batch *b, unsigned ifindex, const struct in6_addr *a,
		  const uint8_t *lladdr, size_t len, uint32_t tag)
{
	return neighbour_request(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, a, lladdr,
				 len, tag);
}

int neighbour_del(struct route_batch *b, unsigned ifindex, const struct in6_addr *a, uint32_t tag)
{
	return neighbour_request(b, RTM_DELNEIGH, 0, ifindex, a, NULL, 0, tag);
}

static ssize_t receive(int fd, void *buf, size_t size, uint64_t until_ms)
{
	for (;;) {
		ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n >= 0 ? n : -errno;
		uint64_t now = clock_mono_ms();
		if (now >= until_ms)
			return -ETIMEDOUT;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, (int)(until_ms - now)) < 0 && errno != EINTR)
			return -errno;
	}
}

static struct nlmsghdr *request_at(struct route_batch *b, size_t i)
{
	return (struct nlmsghdr *)(void *)(b->bytes + b->starts[i]);
}

/* A part of the batch, on its way. */
struct part {
	size_t from, n;
	size_t failed;
	bool done;
};

static void take_answer(struct route_batch *b, struct part *p, const struct nlmsghdr *h,
			void (*failed)(void *ctx, uint32_t tag, int err), void *ctx)
{
	uint32_t i = h->nlmsg_seq - (b->seq + (uint32_t)p->from);
	if (h->nlmsg_type != NLMSG_ERROR || i >= p->n)
		return; /* an answer to an earlier batch that timed out */
	int error = nlmsg_error(h);
	p->done = i == p->n - 1;
	uint16_t type = request_at(b, p->from + i)->nlmsg_type;
	bool removal = type == RTM_DELROUTE || type == RTM_DELNEIGH;
	if (error == 0 || (removal && (error == -ESRCH || error == -ENOENT)))
		return;
	p->failed++;
	if (failed)
		failed(ctx, b->tags[p->from + i], error);
}

/*
 * The kernel does them one after the other and speaks of those that it refuses. Only the last one
 * asks for an answer in any case: when that is there, all of them have been done.
 */
static int send_part(struct route_batch *b, size_t from, size_t n,
		     void (*failed)(void *ctx, uint32_t tag, int err), void *ctx)
{
	const uint8_t *bytes = b->bytes + b->starts[from];
	size_t len = b->starts[from + n] - b->starts[from];
	request_at(b, from + n - 1)->nlmsg_flags |= NLM_F_ACK;
	ssize_t sent;
	do
		sent = send(b->fd, bytes, len, 0);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	struct part p = { .from = from, .n = n };
	uint64_t until = clock_mono_ms() + ANSWER_TIMEOUT_MS;
	uint8_t buf[16384];
	while (!p.done) {
		ssize_t got = receive(b->fd, buf, sizeof buf, until);
		if (got < 0)
			return (int)got;
		int left = (int)got;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
		     nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take_answer(b, &p, h, failed, ctx);
	}
	return (int)p.failed;
}

int route_commit(struct route_batch *b, void (*failed)(void *ctx, uint32_t tag, int err), void *ctx)
{
	int total = 0, r = 0;
	for (size_t at = 0; at < b->n && r >= 0; at += SEND_MAX) {
		r = send_part(b, at, b->n - at < SEND_MAX ? b->n - at : SEND_MAX, failed, ctx);
		total += r > 0 ? r : 0;
	}
	b->seq += (uint32_t)b->n;
	b->n = 0;
	b->len = 0;
	return r < 0 ? r : total;
}

static int parse_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **attrs = (const struct nlattr **)data;
	uint16_t type = mnl_attr_get_type(attr);
	if (type <= RTA_MAX)
		attrs[type] = attr;
	return MNL_CB_OK;
}

/* 1: *ret_route is one of ours; 0: it is not. */
static int parse_route(const struct nlmsghdr *h, struct route *ret_route)
{
	const struct nlattr *attrs[RTA_MAX + 1] = { 0 };
	const struct rtmsg *m = (const struct rtmsg *)mnl_nlmsg_get_payload(h);
	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof *m ||
	    m->rtm_protocol != ROUTE_PROTOCOL || m->rtm_table != RT_TABLE_MAIN ||
	    m->rtm_dst_len > 128 || mnl_attr_parse(h, sizeof *m, parse_attr, attrs) < 0)
		return 0;
	struct route r = { .prefix.plen = m->rtm_dst_len,
			   .type = m->rtm_type == RTN_UNREACHABLE ? ROUTE_UNREACHABLE : ROUTE_VIA };
	/* One that has none is of no destination, gateway, interface or metric. */
	(void)(attrs[RTA_DST] && nlattr_get(attrs[RTA_DST], &r.prefix.addr, sizeof r.prefix.addr));
	r.has_gateway =
		attrs[RTA_GATEWAY] && nlattr_get(attrs[RTA_GATEWAY], &r.gateway, sizeof r.gateway);
	(void)(attrs[RTA_OIF] && nlattr_get(attrs[RTA_OIF], &r.oif, sizeof r.oif));
	(void)(attrs[RTA_PRIORITY] && nlattr_get(attrs[RTA_PRIORITY], &r.metric, sizeof r.metric));
	*ret_route = r;
	return 1;
}

static int parse_neighbour_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr **attrs = (const struct nlattr **)data;
	uint16_t type = mnl_attr_get_type(attr);
	if (type <= NDA_MAX)
		attrs[type] = attr;
	return MNL_CB_OK;
}

/* 1: *ret_neighbour is one of ours; 0: it is not. */
static int parse_neighbour(const struct nlmsghdr *h, unsigned ifindex,
			   struct neighbour *ret_neighbour)
{
	const struct nlattr *attrs[NDA_MAX + 1] = { 0 };
	const struct ndmsg *m = (const struct ndmsg *)mnl_nlmsg_get_payload(h);
	uint8_t protocol = 0;
	if (h->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(h) < sizeof *m ||
	    m->ndm_ifindex != (int)ifindex || !(m->ndm_state & NUD_PERMANENT) ||
	    mnl_attr_parse(h, sizeof *m, parse_neighbour_attr, attrs) < 0 || !attrs[NDA_PROTOCOL] ||
	    !nlattr_get(attrs[NDA_PROTOCOL], &protocol, sizeof protocol) ||
	    protocol != ROUTE_PROTOCOL || !attrs[NDA_DST] ||
	    mnl_attr_get_payload_len(attrs[NDA_DST]) != sizeof ret_neighbour->addr)
		return 0;
	*ret_neighbour = (struct neighbour){ 0 };
	memcpy(&ret_neighbour->addr, mnl_attr_get_payload(attrs[NDA_DST]),
	       sizeof ret_neighbour->addr);
	size_t len = attrs[NDA_LLADDR] ? mnl_attr_get_payload_len(attrs[NDA_LLADDR]) : 0;
	if (len > 0 && len <= sizeof ret_neighbour->lladdr) {
		memcpy(ret_neighbour->lladdr, mnl_attr_get_payload(attrs[NDA_LLADDR]), len);
		ret_neighbour->lladdr_len = len;
	}
	return 1;
}

/* Asks for all of a kind. */
static int dump_start(struct route_batch *b, uint16_t type)
{
	uint8_t request[REQUEST_MAX];
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = b->seq++;
	/* Both kinds begin with the family; the kernel looks at no more of them here. */
	uint8_t *family = (uint8_t *)mnl_nlmsg_put_extra_header(
		h, type == RTM_GETROUTE ? sizeof(struct rtmsg) : sizeof(struct ndmsg));
	*family = AF_INET6;
	b->interrupted = false;
	return send(b->fd, request, h->nlmsg_len, 0) < 0 ? -errno : 0;
}

/* Hands the messages of one read to fn(ctx, message). 1: there are more; 0: that was the end. */
static int dump_some(struct route_batch *b, int (*fn)(void *ctx, const struct nlmsghdr *h),
		     void *ctx)
{
	uint8_t buf[DUMP_READ];
	ssize_t got = receive(b->fd, buf, sizeof buf, clock_mono_ms() + ANSWER_TIMEOUT_MS);
	if (got < 0)
		return (int)got;
	int left = (int)got, r = 0;
	for (const struct nlmsghdr *a = (const struct nlmsghdr *)(const void *)buf;
	     nlmsg_ok(a, left); a = mnl_nlmsg_next(a, &left)) {
		b->interrupted |= (a->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (a->nlmsg_type == NLMSG_DONE)
			return r;
		if (a->nlmsg_type == NLMSG_ERROR)
			return nlmsg_error(a);
		if (r >= 0)
			r = fn(ctx, a);
	}
	return r < 0 ? r : 1;
}

struct dump_sink {
	int (*fn)(void *ctx, const struct nlmsghdr *h);
	void *ctx;
	int error; /* fn's */
};

/* The rest is read even where fn has had enough, so that the socket is clean for the next. */
static int until_error(void *ctx, const struct nlmsghdr *h)
{
	struct dump_sink *sink = (struct dump_sink *)ctx;
	if (sink->error == 0)
		sink->error = sink->fn(sink->ctx, h);
	return 0;
}

static int dump(struct route_batch *b, uint16_t type,
		int (*fn)(void *ctx, const struct nlmsghdr *h), void *ctx)
{
	struct dump_sink sink = { fn, ctx, 0 };
	int r = dump_start(b, type);
	if (r == 0)
		do
			r = dump_some(b, until_error, &sink);
		while (r > 0);
	return sink.error < 0 ? sink.error : r;
}

struct route_sink {
	int (*fn)(void *ctx, const struct route *r);
	void *ctx;
};

static int on_route(void *ctx, const struct nlmsghdr *h)
{
	const struct route_sink *sink = (const struct route_sink *)ctx;
	struct route route;
	return parse_route(h, &route) ? sink->fn(sink->ctx, &route) : 0;
}

bool route_dump_interrupted(const struct route_batch *b)
{
	return b->interrupted;
}

int route_dump_start(struct route_batch *b)
{
	return dump_start(b, RTM_GETROUTE);
}

int route_dump_some(struct route_batch *b, int (*fn)(void *ctx, const struct route *r), void *ctx)
{
	struct route_sink sink = { fn, ctx };
	return dump_some(b, on_route, &sink);
}

int route_dump(struct route_batch *b, int (*fn)(void *ctx, const struct route *r), void *ctx)
{
	struct route_sink sink = { fn, ctx };
	return dump(b, RTM_GETROUTE, on_route, &sink);
}

struct neighbour_sink {
	unsigned ifindex;
	int (*fn)(void *ctx, const struct neighbour *n);
	void *ctx;
};

static int on_neighbour(void *ctx, const struct nlmsghdr *h)
{
	const struct neighbour_sink *sink = (const struct neighbour_sink *)ctx;
	struct neighbour n;
	return parse_neighbour(h, sink->ifindex, &n) ? sink->fn(sink->ctx, &n) : 0;
}

int neighbour_dump_start(struct route_batch *b)
{
	return dump_start(b, RTM_GETNEIGH);
}

int neighbour_dump_some(struct route_batch *b, unsigned ifindex,
			int (*fn)(void *ctx, const struct neighbour *n), void *ctx)
{
	struct neighbour_sink sink = { ifindex, fn, ctx };
	return dump_some(b, on_neighbour, &sink);
}

int neighbour_dump(struct route_batch *b, unsigned ifindex,
		   int (*fn)(void *ctx, const struct neighbour *n), void *ctx)
{
	struct neighbour_sink sink = { ifindex, fn, ctx };
	return dump(b, RTM_GETNEIGH, on_neighbour, &sink);
}
