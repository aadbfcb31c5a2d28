/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/forwarding.h"

#include "base/clock.h"
#include "base/lladdr.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "daemon/stations.h"
#include "host/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Tags of a batch's requests: routes by their number, neighbours beyond. */
enum {
	TAG_NEIGHBOUR = BATCH_CHANGES,
	PUT_RIGHT_STEP = 512, /* requests at a time: some 2 ms */
	LOOK_AGAIN_MAX = 8,
	LOOK_IN_PIECES_MAX = 2, /* at routes; then at all of them at once */
};

/* In this order. */
enum phase {
	LOOK_AT_NEIGHBOURS,
	PUT_NEIGHBOURS,
	LOOK_AT_ROUTES,
	PUT_ROUTES,
	LOOK_AT_FILTER,
	PUT_STATIONS,
	PUT_SOURCES,
	RIGHT,
};

/* The kernel's tables are being put right, piece by piece. */
struct putting_right {
	enum phase phase;
	struct route_batch *dump; /* reads, while batches go on */
	uint32_t n;               /* bindings that are looked at: those with smaller numbers */
	uint8_t *seen;            /* a bit each: the kernel has its route; then: its source */
	uint32_t at, mask;        /* where the phase goes on */
	bool strangers;           /* in the packet filter, found by the latest look */
	unsigned again;           /* dumps that may lack something */
	bool lacks;               /* the one under way does */
	uint64_t kept, added, removed, refused;
	uint64_t begun_ms;
};

struct forwarding {
	struct fib *fib; /* changes what we may not */
	unsigned ifindex;
	struct stations stations;
	bool filter;  /* there is one */
	bool sources; /* and it knows who may send from where */
	bool astray;  /* it refused something */
	struct putting_right right;
	const struct batch *batch; /* being carried out */
	bool *failed;
	int collected; /* an error on the way */
	uint64_t failures;
	struct ratelimit log_fault, log_claim;
};

int forwarding_new(struct fib *fib, const uint8_t key[static 16],
		   struct forwarding **ret_forwarding)
{
	struct forwarding *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->fib = fib;
	f->ifindex = fib_bounds(fib)->ifindex;
	f->filter = fib_bounds(fib)->table[0];
	f->sources = f->filter && fib_bounds(fib)->shortest;
	f->right.phase = RIGHT;
	f->log_fault = f->log_claim = (struct ratelimit){ .per_s = 1, .burst = 10 };
	int r = stations_init(&f->stations, key);
	if (r < 0) {
		forwarding_free(f);
		return r;
	}
	*ret_forwarding = f;
	return 0;
}

static void stop_putting_right(struct forwarding *f);

void forwarding_free(struct forwarding *f)
{
	if (!f)
		return;
	stop_putting_right(f);
	stations_done(&f->stations);
	free(f);
}

uint64_t forwarding_failures(const struct forwarding *f)
{
	return f->failures;
}

bool forwarding_astray(const struct forwarding *f)
{
	return f->astray;
}

int forwarding_turned_away(struct forwarding *f, uint64_t ret_packets[static NFT_REASONS])
{
	return fib_counters_read(f->fib, ret_packets);
}

/* --- batches
 * ------------------------------------------------------------------------------------------------
 */

static void on_refused(void *ctx, uint32_t tag, int err)
{
	struct forwarding *f = (struct forwarding *)ctx;
	bool neighbour = tag >= TAG_NEIGHBOUR;
	const struct route_change *c = &f->batch->routes[neighbour ? tag - TAG_NEIGHBOUR : tag];
	uint64_t suppressed;
	if (!neighbour) {
		f->failed[tag] = true;
		f->failures++;
	}
	if (!ratelimit_allow(&f->log_fault, clock_mono_ms(), &suppressed))
		return;
	char prefix[PREFIX6_STRLEN], hop[INET6_ADDRSTRLEN];
	log_error("route",
		  err == -ERANGE ? "a binding leads to where nothing of ours is, its client is not "
				   "answered"
		  : neighbour
			  ? "the kernel refuses a subscriber's neighbour entry, and will look for "
			    "it by itself"
			  : "the kernel refuses a delegated prefix's route, its client is not "
			    "answered",
		  kv_str("prefix", prefix6_format(&c->prefix, prefix)),
		  kv_str("next_hop", in6_format(&c->next_hop, hop)), kv_errno(err),
		  kv_u64("suppressed", suppressed));
}

/* The packet filter is no reason to leave a client without an answer: it is put right a little
 * later. Where somebody took the table away, all are let pass anyway. */
static void filter_refused(struct forwarding *f, int r)
{
	if (r >= 0)
		return;
	f->astray = r != -ENOENT;
	if (ratelimit_allow(&f->log_fault, clock_mono_ms(), NULL))
		log_warn("filter",
			 r == -ENOENT ? "the packet filter's table is gone, going on without"
				      : "the packet filter refuses a subscriber, trying again",
			 kv_errno(r));
}

static void unguard(struct forwarding *f, struct station *s)
{
	if (!f->filter || !s->guarded)
		return;
	filter_refused(f, fib_station_del(f->fib, s->guarded_as, &s->addr));
	s->guarded = false;
}

/* Where it is as it should be, nothing is done. */
static int guard(struct forwarding *f, struct station *s)
{
	if (!f->filter || !s->known ||
	    (s->guarded && memcmp(s->guarded_as, s->lladdr, sizeof s->lladdr) == 0))
		return 0;
	unguard(f, s);
	int r = fib_station_put(f->fib, s->lladdr, &s->addr);
	s->guarded = r == 0;
	memcpy(s->guarded_as, s->lladdr, sizeof s->lladdr);
	return r;
}

/* What became of routes and neighbours. */
static int commit_end(struct forwarding *f, void (*failed)(void *ctx, uint32_t tag, int err))
{
	const struct fib_result r = fib_commit_end(f->fib, failed, f);
	if (!fib_lost(f->fib)) /* else all of it is another server's soon */
		filter_refused(f, r.filter);
	for (struct station *s = NULL; r.filter < 0 && (s = stations_next(&f->stations, s));)
		s->guarded = false; /* nobody knows: they are put again when they are told of */
	return r.routes;
}

static const uint8_t *ethernet(const uint8_t *lladdr, uint8_t len)
{
	return len == STATION_LLADDR ? lladdr : NULL;
}

static int release(struct forwarding *f, const struct in6_addr *addr, const uint8_t *lladdr,
		   uint32_t tag)
{
	struct station gone, *s;
	if (stations_release(&f->stations, addr, lladdr, &gone)) {
		unguard(f, &gone);
		return gone.entered ? fib_neighbour_del(f->fib, addr, tag) : 0;
	}
	/* Others hold it whom nobody believed: the kernel looks for it, until they speak again. */
	s = stations_find(&f->stations, addr);
	if (!s || s->known)
		return 0;
	bool entered = s->entered;
	s->entered = false;
	unguard(f, s);
	return entered ? fib_neighbour_del(f->fib, addr, tag) : 0;
}

static void tell_of_claim(struct forwarding *f, const struct station *s, const uint8_t *lladdr)
{
	char addr[INET6_ADDRSTRLEN], its[LLADDR_STRLEN], other[LLADDR_STRLEN];
	uint64_t suppressed;
	if (!lladdr || !s->known || memcmp(s->lladdr, lladdr, sizeof s->lladdr) == 0 ||
	    !ratelimit_allow(&f->log_claim, clock_mono_ms(), &suppressed))
		return;
	log_warn("route",
		 "a client asks from the address of another, whose link-layer address is kept: "
		 "what is sent there goes to the other",
		 kv_str("address", in6_format(&s->addr, addr)),
		 kv_str("kept", lladdr_format(s->lladdr, its)),
		 kv_str("claimed", lladdr_format(lladdr, other)), kv_u64("suppressed", suppressed));
}

/* Before a route that leads to it, so that no packet waits for neighbour discovery. */
static int follow_station(struct forwarding *f, const struct route_change *c, uint32_t tag)
{
	bool address = c->prefix.plen == 128;
	const struct in6_addr *addr = address ? &c->prefix.addr : &c->next_hop;
	bool moved = c->held && !address &&
		     memcmp(&c->next_hop, &c->old_next_hop, sizeof c->next_hop) != 0;
	const uint8_t *lladdr = ethernet(c->lladdr, c->lladdr_len);
	const uint8_t *old = ethernet(c->old_lladdr, c->old_lladdr_len);
	if (!c->add)
		return release(f, addr, lladdr, tag);
	/* One that could not be entered before is entered now. */
	struct station *s =
		c->held && !moved ? stations_update(&f->stations, addr, old, lladdr) : NULL;
	int r = s ? 0 : stations_hold(&f->stations, addr, lladdr, &s);
	if (r == 0)
		tell_of_claim(f, s, lladdr);
	if (r == 0 && s->known && !s->entered) {
		r = fib_neighbour_put(f->fib, addr, s->lladdr, tag);
		s->entered = r == 0;
	}
	if (r == 0)
		filter_refused(f, guard(f, s));
	return r == 0 && moved ? release(f, &c->old_next_hop, old, tag) : r;
}

/* Who may send from it. Links that are no Ethernet have no stations to be told apart. */
static void follow_source(struct forwarding *f, const struct route_change *c)
{
	const uint8_t *now = ethernet(c->lladdr, c->lladdr_len);
	const uint8_t *old = ethernet(c->old_lladdr, c->old_lladdr_len);
	bool same = !now == !old && (!now || memcmp(now, old, NFT_LLADDR_LEN) == 0);
	if (!f->sources || (c->add && c->held && same))
		return;
	if (!c->add || c->held)
		filter_refused(f, fib_source_del(f->fib, &c->prefix, old));
	if (c->add)
		filter_refused(f, fib_source_put(f->fib, &c->prefix, now));
}

static int collect(struct forwarding *f, const struct route_change *c, uint32_t i)
{
	follow_source(f, c);
	int r = follow_station(f, c, TAG_NEIGHBOUR + i);
	if (r < 0 || c->prefix.plen == 128)
		return r;
	if (c->add)
		return fib_route_put(f->fib, &c->prefix, &c->next_hop, i);
	f->right.lacks = true;
	return fib_route_del(f->fib, &c->prefix, i);
}

void forwarding_begin(struct forwarding *f, const struct batch *b,
		      bool failed[static BATCH_CHANGES])
{
	int r = 0;
	memset(failed, 0, b->n_routes * sizeof failed[0]);
	f->batch = b;
	f->failed = failed;
	for (uint32_t i = 0; i < b->n_routes && r == 0; i++) {
		r = collect(f, &b->routes[i], i);
		if (r == -ERANGE) { /* its own client's loss alone */
			on_refused(f, i, r);
			r = 0;
		}
	}
	f->collected = r;
	fib_commit_begin(f->fib);
}

void forwarding_end(struct forwarding *f)
{
	const struct batch *b = f->batch;
	bool *failed = f->failed;
	int r = commit_end(f, on_refused);
	if (f->collected < 0)
		r = f->collected;
	if (r >= 0)
		return;
	/* Nothing is known of any of them: nobody is promised anything, and neighbours are entered
	 * anew.
	 */
	memset(failed, 1, b->n_routes * sizeof failed[0]);
	if (fib_lost(f->fib)) /* that says nothing of the kernel, or of routes */
		return;
	f->failures += b->n_routes;
	for (struct station *s = NULL; (s = stations_next(&f->stations, s));)
		s->entered = false;
	if (ratelimit_allow(&f->log_fault, clock_mono_ms(), NULL))
		log_error("route", "routes cannot be set", kv_errno(r));
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------
 */

static int want(void *ctx, const struct binding *b)
{
	struct forwarding *f = (struct forwarding *)ctx;
	const uint8_t *lladdr = b->lladdr_len ? b->lladdr : NULL;
	struct station *unused;
	if (b->state != BINDING_BOUND || (b->kind == BINDING_NA && !lladdr))
		return 0;
	return stations_hold(&f->stations, b->kind == BINDING_NA ? &b->addr : &b->next_hop, lladdr,
			     &unused);
}

static void stop_putting_right(struct forwarding *f)
{
	route_batch_free(f->right.dump);
	free(f->right.seen);
	f->right = (struct putting_right){ .phase = RIGHT };
}

int forwarding_put_right(struct forwarding *f, const struct dhcp6_server *s)
{
	const struct binding_table *t = dhcp6_server_table(s);
	struct stations fresh;
	int r = stations_init(&fresh, f->stations.key);
	if (r < 0)
		return r;
	stop_putting_right(f);
	stations_done(&f->stations);
	f->stations = fresh;
	r = dhcp6_server_each(s, want, f);
	if (r == 0)
		r = route_batch_new(&f->right.dump);
	f->right.n = t->n_begun;
	f->right.begun_ms = clock_mono_ms();
	f->right.seen = calloc(t->n_begun / 8 + 1, 1);
	if (r == 0 && !f->right.seen)
		r = -ENOMEM;
	if (r == 0)
		r = neighbour_dump_start(f->right.dump);
	if (r < 0)
		stop_putting_right(f);
	else
		f->right.phase = LOOK_AT_NEIGHBOURS;
	return r;
}

/* What the kernel has: either right, or to be replaced, or nobody's. */
static int look_at_neighbour(void *ctx, const struct neighbour *n)
{
	struct forwarding *f = (struct forwarding *)ctx;
	struct station *s = stations_find(&f->stations, &n->addr);
	if (!s || !s->known)
		return fib_neighbour_del(f->fib, &n->addr, 0) == -ENOBUFS ? -ENOBUFS : 0;
	s->entered = n->lladdr_len == sizeof s->lladdr &&
		     memcmp(s->lladdr, n->lladdr, sizeof s->lladdr) == 0;
	return 0;
}

struct look {
	struct forwarding *f;
	const struct binding_table *t;
};

static bool was_seen(const struct putting_right *right, const struct binding *b)
{
	return right->seen[b->id / 8] >> b->id % 8 & 1;
}

static void see(struct putting_right *right, const struct binding *b)
{
	if (b->id < right->n)
		right->seen[b->id / 8] |= (uint8_t)(1U << b->id % 8);
}

/* Requests go out between them. */
static bool in_pieces(const struct putting_right *right)
{
	return right->again < LOOK_IN_PIECES_MAX;
}

static int look_at_route(void *ctx, const struct route *r)
{
	const struct look *l = (const struct look *)ctx;
	struct putting_right *right = &l->f->right;
	if (r->type != ROUTE_VIA || !r->has_gateway || r->metric != ROUTE_METRIC_DELEGATED ||
	    r->oif != l->f->ifindex)
		return 0; /* another instance's, or no delegated one */
	const struct binding *b = bindings_by_prefix(l->t, &r->prefix.addr, r->prefix.plen);
	if (!b || b->state != BINDING_BOUND) {
		int e = fib_route_del(l->f->fib, &r->prefix, 0);
		right->removed += e == 0;
		right->lacks |= e == -ENOBUFS || in_pieces(right);
		return 0; /* it is seen again where there was no room for it */
	}
	if (b->id < right->n && memcmp(&b->next_hop, &r->gateway, sizeof r->gateway) == 0) {
		right->kept += !was_seen(right, b);
		see(right, b);
	}
	return 0;
}

/* Bindings that came since have put their routes themselves. True: there are more. */
static int put_routes(struct forwarding *f, const struct binding_table *t)
{
	struct putting_right *right = &f->right;
	const struct binding *b;
	for (unsigned n = 0;
	     n < PUT_RIGHT_STEP && (b = bindings_next(t, right->at)) && b->id < right->n;) {
		right->at = b->id + 1;
		if (b->kind != BINDING_PD || b->state != BINDING_BOUND || was_seen(right, b))
			continue;
		const struct prefix6 p = { b->addr, b->plen };
		int r = fib_route_put(f->fib, &p, &b->next_hop, 0);
		if (r < 0 && r != -ERANGE)
			return r;
		right->refused += r < 0;
		right->added += r == 0;
		n++;
	}
	b = bindings_next(t, right->at);
	return b && b->id < right->n;
}

/* The table may have grown meanwhile, and everything in it stand elsewhere: then it begins anew. */
static struct station *next_station(struct forwarding *f)
{
	struct putting_right *right = &f->right;
	if (right->mask != f->stations.mask) {
		right->mask = f->stations.mask;
		right->at = 0;
	}
	struct station *s =
		stations_next(&f->stations, right->at ? &f->stations.slots[right->at - 1] : NULL);
	right->at = s ? (uint32_t)(s - f->stations.slots) + 1 : f->stations.mask + 1;
	return s;
}

/* True: there are more. */
static int put_neighbours(struct forwarding *f)
{
	for (unsigned n = 0; n < PUT_RIGHT_STEP;) {
		struct station *s = next_station(f);
		if (!s)
			return 0;
		if (!s->known || s->entered)
			continue;
		int r = fib_neighbour_put(f->fib, &s->addr, s->lladdr, 0);
		if (r < 0 && r != -ERANGE)
			return r;
		f->right.refused += r < 0;
		s->entered = true;
		n++;
	}
	return 1;
}

static int put_stations(struct forwarding *f)
{
	for (unsigned n = 0; n < PUT_RIGHT_STEP; n++) {
		struct station *s = next_station(f);
		if (!s)
			return 0;
		filter_refused(f, guard(f, s));
	}
	return 1;
}

/* In pieces while that is promising; else all of them, some 2 ms a thousand. */
static int look_at_routes(struct forwarding *f, const struct binding_table *t)
{
	struct look look = { f, t };
	if (in_pieces(&f->right))
		return route_dump_some(f->right.dump, look_at_route, &look);
	int r = route_dump_start(f->right.dump);
	f->right.lacks = false;
	while (r >= 0 && (r = route_dump_some(f->right.dump, look_at_route, &look)) > 0)
		;
	return r;
}

static const uint8_t *station_of(const struct binding *b)
{
	return b->lladdr_len == NFT_LLADDR_LEN ? b->lladdr : NULL;
}

/* Bindings that came since are there already. */
static int put_sources(struct forwarding *f, const struct binding_table *t)
{
	const struct binding *b = NULL;
	for (unsigned n = 0;
	     n < PUT_RIGHT_STEP && (b = bindings_next(t, f->right.at)) && b->id < f->right.n;) {
		const struct prefix6 p = { b->addr, b->plen };
		f->right.at = b->id + 1;
		if (b->state != BINDING_BOUND || (b->kind == BINDING_NA && !b->lladdr_len) ||
		    was_seen(&f->right, b))
			continue;
		filter_refused(f, fib_source_put(f->fib, &p, station_of(b)));
		n++;
	}
	b = bindings_next(t, f->right.at);
	return b && b->id < f->right.n;
}

static void know(struct forwarding *f, struct station *s, const struct binding *b)
{
	if (b)
		see(&f->right, b);
	if (!s)
		return;
	s->guarded = true;
	memcpy(s->guarded_as, s->lladdr, sizeof s->lladdr);
}

/* Nothing is emptied to be filled again: what is right passes all the while. */
static int look_at_element(void *ctx, const struct nft_element *e)
{
	const struct look *l = (const struct look *)ctx;
	struct station *s = NULL;
	const struct binding *b = NULL;
	const uint8_t *lladdr = NULL;
	if (e->set == NFT_STATION) {
		s = stations_find(&l->f->stations, &e->prefix.addr);
		lladdr = s && s->known ? s->lladdr : NULL;
	} else {
		b = bindings_by_prefix(l->t, &e->prefix.addr, e->prefix.plen);
		b = b && b->state == BINDING_BOUND ? b : NULL;
		lladdr = b && e->set == NFT_PREFIX ? station_of(b) : NULL;
	}
	if ((s || b) && !lladdr == !e->lladdr &&
	    (!lladdr || memcmp(lladdr, e->lladdr, NFT_LLADDR_LEN) == 0)) {
		know(l->f, s, b);
		return 0;
	}
	l->f->right.strangers = true; /* a set that changes may not show all: once more */
	return fib_element_del(l->f->fib, e);
}

/*
 * Before anything is put into its sets: to find its place in one again, the kernel goes through it
 * from the beginning for each piece of a dump, so that reading one takes a time that grows with the
 * square of what is in it. After a start there is nothing in any of them. 50,000 elements: 0.3 s.
 */
static int look_at_filter(struct forwarding *f, const struct binding_table *t)
{
	struct look look = { f, t };
	int r = f->filter ? fib_filter_read_some(f->fib, look_at_element, &look) : 0;
	filter_refused(f, r);
	return r > 0;
}

/* One piece of what the phase has to do. 1: there is more of it. */
static int do_phase(struct forwarding *f, const struct binding_table *t)
{
	switch (f->right.phase) {
	case LOOK_AT_NEIGHBOURS:
		return neighbour_dump_some(f->right.dump, f->ifindex, look_at_neighbour, f);
	case PUT_NEIGHBOURS:
		return put_neighbours(f);
	case LOOK_AT_ROUTES:
		return look_at_routes(f, t);
	case PUT_ROUTES:
		return put_routes(f, t);
	case PUT_STATIONS:
		return f->filter ? put_stations(f) : 0;
	case PUT_SOURCES:
		return f->sources ? put_sources(f, t) : 0;
	case LOOK_AT_FILTER:
		return look_at_filter(f, t);
	case RIGHT:
		break;
	}
	return 0;
}

/*
 * A dump that the kernel calls interrupted may lack what it should show. So may one of routes
 * between whose pieces some were removed: where others came as well, the kernel begins anew, passes
 * over as many as it has shown, and says nothing (6.18).
 */
static bool may_lack(const struct forwarding *f)
{
	const struct putting_right *right = &f->right;
	return (right->phase == LOOK_AT_NEIGHBOURS && route_dump_interrupted(right->dump)) ||
	       (right->phase == LOOK_AT_ROUTES &&
		(right->lacks || route_dump_interrupted(right->dump))) ||
	       (right->phase == LOOK_AT_FILTER && right->strangers);
}

static int look_again(struct forwarding *f)
{
	f->right.again++;
	f->right.lacks = false;
	if (f->right.phase == LOOK_AT_NEIGHBOURS)
		return neighbour_dump_start(f->right.dump);
	if (f->right.phase == LOOK_AT_FILTER) {
		f->right.strangers = false;
		filter_refused(f, fib_filter_read(f->fib));
		return 0;
	}
	return in_pieces(&f->right) ? route_dump_start(f->right.dump) : 0;
}

static int next_phase(struct forwarding *f)
{
	if (may_lack(f) && f->right.again < LOOK_AGAIN_MAX)
		return look_again(f);
	f->right.again = 0;
	f->right.lacks = false;
	f->right.phase++;
	f->right.at = 0;
	if (f->right.phase == LOOK_AT_ROUTES)
		return route_dump_start(f->right.dump);
	if (f->right.phase == LOOK_AT_FILTER && f->filter) {
		memset(f->right.seen, 0, f->right.n / 8 + 1);
		filter_refused(f, fib_filter_read(f->fib));
	}
	return 0;
}

int forwarding_go_on(struct forwarding *f, const struct dhcp6_server *s)
{
	if (f->right.phase == RIGHT && f->astray) {
		f->astray = false;
		int begun = forwarding_put_right(f, s);
		return begun < 0 ? begun : 1;
	}
	if (f->right.phase == RIGHT)
		return 0;
	int more = do_phase(f, dhcp6_server_table(s));
	fib_commit_begin(f->fib);
	int refused = commit_end(f, NULL);
	int r = more < 0 ? more : refused < 0 ? refused : more == 0 ? next_phase(f) : 0;
	f->right.refused += refused > 0 ? (unsigned)refused : 0;
	if (r < 0) {
		stop_putting_right(f);
		return r;
	}
	if (f->right.phase != RIGHT)
		return 1;
	if (f->right.refused)
		log_error("route", "the kernel refused some routes or neighbour entries",
			  kv_u64("refused", f->right.refused));
	if (f->right.added || f->right.removed)
		log_info("route", "reconciled", kv_u64("kept", f->right.kept),
			 kv_u64("added", f->right.added), kv_u64("removed", f->right.removed),
			 kv_u64("ms", clock_mono_ms() - f->right.begun_ms));
	stop_putting_right(f);
	return 0;
}
