/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/fib_shared.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "host/landlock.h"
#include "host/priv.h"
#include "host/route.h"
#include "host/seccomp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static_assert((int)FIB_BATCH_MAX <= (int)ROUTE_BATCH_MAX, "a batch does not fit netlink's");
static_assert(sizeof(struct fib_request) % sizeof(uint32_t) == 0, "it is copied in words");

struct process {
	int fd;
	const struct fib_bounds *bounds;
	struct fib_shared *shared;
	struct fib_request *requests; /* FIB_BATCH_MAX: untouched pages cost nothing */
	struct route_batch *routes;
	struct nft_sets *filter; /* NULL: there is none */
	int filter_error;        /* of a transaction before the batch's end */
	uint32_t n_out;          /* refusals or elements that were written */
};

/* A copy that nobody changes any more: the server may write there while it is looked at. */
static struct fib_request fetch(const struct fib_shared *shared, uint32_t i)
{
	union {
		struct fib_request q;
		uint32_t words[sizeof(struct fib_request) / sizeof(uint32_t)];
	} copy;
	const volatile uint32_t *from =
		(const volatile uint32_t *)(const volatile void *)&shared->requests[i];
	for (size_t w = 0; w < ARRAY_LEN(copy.words); w++)
		copy.words[w] = from[w];
	return copy.q;
}

/* --- changes
 * -------------------------------------------------------------------------------------------------
 */

static int collect_route(struct process *p, const struct fib_request *q, uint32_t i)
{
	const struct route r = { .prefix = { q->addr, q->plen },
				 .type = ROUTE_VIA,
				 .has_gateway = q->add,
				 .gateway = q->gateway,
				 .oif = p->bounds->ifindex,
				 .metric = ROUTE_METRIC_DELEGATED };
	return q->add ? route_put(p->routes, &r, i) : route_del(p->routes, &r, i);
}

static int collect_neighbour(struct process *p, const struct fib_request *q, uint32_t i)
{
	return q->add ? neighbour_put(p->routes, p->bounds->ifindex, &q->addr, q->lladdr,
				      sizeof q->lladdr, i)
		      : neighbour_del(p->routes, p->bounds->ifindex, &q->addr, i);
}

static int collect_element(struct process *p, const struct fib_request *q)
{
	const struct prefix6 prefix = { q->addr, q->plen };
	const uint8_t *lladdr = q->has_lladdr ? q->lladdr : NULL;
	if (q->kind == FIB_STATION)
		return q->add ? nft_station_put(p->filter, q->lladdr, &q->addr)
			      : nft_station_del(p->filter, q->lladdr, &q->addr);
	return q->add ? nft_source_put(p->filter, &prefix, lladdr)
		      : nft_source_del(p->filter, &prefix, lladdr);
}

static void commit_filter(struct process *p)
{
	int r = p->filter ? nft_sets_commit(p->filter) : 0;
	if (p->filter_error == 0)
		p->filter_error = r;
}

static void carry(struct process *p, const struct fib_request *q, uint32_t i)
{
	/* A batch of routes and neighbours always fits. */
	if (q->kind == FIB_ROUTE)
		(void)collect_route(p, q, i);
	else if (q->kind == FIB_NEIGHBOUR)
		(void)collect_neighbour(p, q, i);
	else if (collect_element(p, q) == -ENOBUFS) {
		commit_filter(p);
		(void)collect_element(p, q); /* there is room again */
	}
}

static void on_refused(void *ctx, uint32_t tag, int err)
{
	struct process *p = (struct process *)ctx;
	p->shared->refused[p->n_out++] = (struct fib_refusal){ tag, err };
}

static bool no_request(void)
{
	log_error("fib", "the server says what is no request");
	return false;
}

static bool tell_out_of_bounds(const struct fib_request *q)
{
	char addr[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN];
	log_error("fib",
		  "the server asks for what is not its business, refused: a fault of ours, or "
		  "somebody has taken it over",
		  kv_u64("kind", q->kind), kv_u64("add", q->add),
		  kv_str("address", in6_format(&q->addr, addr)), kv_u64("length", q->plen),
		  kv_str("next_hop", in6_format(&q->gateway, gateway)));
	return false;
}

/* False: something is out of bounds; then none of it is done. */
static bool commit(struct process *p, uint32_t n, struct fib_answer *ret_answer)
{
	p->filter_error = 0;
	for (uint32_t i = 0; i < n; i++) {
		p->requests[i] = fetch(p->shared, i);
		if (!fib_allows(p->bounds, &p->requests[i]))
			return tell_out_of_bounds(&p->requests[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		carry(p, &p->requests[i], i);
	ret_answer->result = route_commit(p->routes, on_refused, p);
	commit_filter(p);
	ret_answer->filter = p->filter_error;
	return true;
}

/* --- reading
 * -------------------------------------------------------------------------------------------------
 */

static int on_element(void *ctx, const struct nft_element *e)
{
	struct process *p = (struct process *)ctx;
	if (p->n_out == FIB_ELEMENTS_MAX)
		return -ENOBUFS;
	struct fib_element *to = &p->shared->elements[p->n_out++];
	*to = (struct fib_element){ .set = (uint8_t)e->set,
				    .plen = e->prefix.plen,
				    .has_lladdr = e->lladdr != NULL,
				    .addr = e->prefix.addr };
	if (e->lladdr)
		memcpy(to->lladdr, e->lladdr, sizeof to->lladdr);
	return 0;
}

/* False: that is no question. */
static bool do_it(struct process *p, const struct fib_question *q, struct fib_answer *ret_answer)
{
	p->n_out = 0;
	if (q->op == FIB_COMMIT && q->n <= FIB_BATCH_MAX)
		return commit(p, q->n, ret_answer);
	if (q->n || !p->filter)
		return no_request();
	switch (q->op) {
	case FIB_READ:
		ret_answer->result = nft_sets_read(p->filter, p->bounds->shortest);
		return true;
	case FIB_READ_SOME:
		do /* most sets are empty: of lengths that nobody has */
			ret_answer->result = nft_sets_read_some(p->filter, on_element, p);
		while (ret_answer->result > 0 && p->n_out == 0);
		return true;
	case FIB_COUNTERS:
		ret_answer->result = nft_counters_read(p->filter, p->shared->packets);
		return true;
	default:
		return no_request();
	}
}

/* Nobody has asked for a while, and nobody may for hours. */
static int rest(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	memory_settle();
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* 1: the next; 0: the server is gone; -EPROTO. */
static int serve_one(struct process *p)
{
	struct fib_question q;
	struct fib_answer a = { 0 };
	ssize_t n = recv(p->fd, &q, sizeof q, MSG_TRUNC);
	if (n < 0 && errno == EAGAIN)
		return rest(p->fd);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return 0;
	if (n == (ssize_t)sizeof q ? !do_it(p, &q, &a) : !no_request())
		return -EPROTO;
	a.n = p->n_out;
	return send(p->fd, &a, sizeof a, MSG_NOSIGNAL) == (ssize_t)sizeof a;
}

static int confine(void)
{
	int r = priv_keep(1U << PRIV_NET_ADMIN, false);
	if (r < 0)
		return r;
	r = landlock_enter(NULL, 0);
	if (r < 0)
		log_debug("fib", "files are not closed to us by the kernel", kv_errno(r));
	r = seccomp_enter_fib();
	if (r < 0 && r != -EOPNOTSUPP)
		log_warn("fib", "this kernel cannot take system calls from us, going on",
			 kv_errno(r));
	return 0;
}

int fib_process_run(int fd, struct fib_shared *shared, const struct fib_bounds *bounds)
{
	struct process p = { .fd = fd, .shared = shared, .bounds = bounds };
	p.requests = calloc(FIB_BATCH_MAX, sizeof *p.requests);
	int r = p.requests ? route_batch_new(&p.routes) : -ENOMEM;
	if (r == 0 && bounds->table[0])
		r = nft_sets_new(bounds->table, &p.filter);
	if (r == 0)
		r = confine();
	if (r < 0) {
		log_error("fib", "routes cannot be set", kv_errno(r));
	} else {
		do
			r = serve_one(&p);
		while (r > 0);
	}
	nft_sets_free(p.filter);
	route_batch_free(p.routes);
	free(p.requests);
	return r == 0 ? 0 : r == -EPROTO ? EX_PROTOCOL : EX_OSERR;
}
