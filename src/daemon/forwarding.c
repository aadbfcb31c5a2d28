/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/forwarding.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "daemon/reconcile.h"
#include "daemon/stations.h"
#include "host/nft.h"
#include "host/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Tags of a batch's requests: routes by their number, neighbours beyond. */
enum { TAG_NEIGHBOUR = BATCH_CHANGES };

struct forwarding {
	unsigned ifindex;
	struct route_batch *requests;
	struct stations stations;
	struct nft_stations *filter; /* NULL: there is none */
	bool filter_changes;         /* wait in it */
	const struct batch *batch;   /* being carried out */
	bool *failed;
	uint64_t failures;
	struct ratelimit log_fault;
};

int forwarding_new(unsigned ifindex, const char *nft_table, const uint8_t key[static 16],
		   struct forwarding **ret_forwarding)
{
	struct forwarding *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->ifindex = ifindex;
	f->log_fault = (struct ratelimit){ .per_s = 1, .burst = 10 };
	int r = route_batch_new(&f->requests);
	if (r == 0)
		r = stations_init(&f->stations, key);
	if (r == 0 && nft_table)
		r = nft_stations_new(nft_table, &f->filter);
	if (r < 0) {
		forwarding_free(f);
		return r;
	}
	*ret_forwarding = f;
	return 0;
}

void forwarding_free(struct forwarding *f)
{
	if (!f)
		return;
	route_batch_free(f->requests);
	stations_done(&f->stations);
	nft_stations_free(f->filter);
	free(f);
}

uint64_t forwarding_failures(const struct forwarding *f)
{
	return f->failures;
}

static struct route delegated(const struct forwarding *f, const struct prefix6 *prefix,
			      const struct in6_addr *next_hop)
{
	return (struct route){ .prefix = *prefix,
			       .type = ROUTE_VIA,
			       .has_gateway = true,
			       .gateway = *next_hop,
			       .oif = f->ifindex,
			       .metric = ROUTE_METRIC_DELEGATED };
}

/* Where there was no room: what waits is carried out, and -ENOBUFS says to ask again. */
static int make_room(struct forwarding *f, int r)
{
	if (r != -ENOBUFS)
		return r;
	r = route_commit(f->requests, NULL, NULL);
	return r < 0 ? r : -ENOBUFS;
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
		  neighbour
			  ? "the kernel refuses a subscriber's neighbour entry, and will look for "
			    "it by itself"
			  : "the kernel refuses a delegated prefix's route, its client is not "
			    "answered",
		  kv_str("prefix", prefix6_format(&c->prefix, prefix)),
		  kv_str("next_hop", in6_format(&c->next_hop, hop)), kv_errno(err),
		  kv_u64("suppressed", suppressed));
}

/* The packet filter is no reason to leave a client without an answer: what it lacks costs a loop at
 * worst. */
static void filter_refused(struct forwarding *f, int r)
{
	if (r < 0 && ratelimit_allow(&f->log_fault, clock_mono_ms(), NULL))
		log_warn("route", "the packet filter does not take a station", kv_errno(r));
}

static void unguard(struct forwarding *f, struct station *s)
{
	if (!f->filter || !s->guarded)
		return;
	filter_refused(f, nft_station_del(f->filter, s->guarded_as, &s->addr));
	s->guarded = false;
	f->filter_changes = true;
}

/* Where it is as it should be, nothing is done. */
static int guard(struct forwarding *f, struct station *s)
{
	if (!f->filter || !s->known ||
	    (s->guarded && memcmp(s->guarded_as, s->lladdr, sizeof s->lladdr) == 0))
		return 0;
	unguard(f, s);
	int r = nft_station_put(f->filter, s->lladdr, &s->addr);
	s->guarded = r == 0;
	memcpy(s->guarded_as, s->lladdr, sizeof s->lladdr);
	f->filter_changes = true;
	return r;
}

static void commit_filter(struct forwarding *f)
{
	if (!f->filter_changes)
		return;
	f->filter_changes = false;
	int r = nft_station_commit(f->filter);
	filter_refused(f, r);
	for (struct station *s = NULL; r < 0 && (s = stations_next(&f->stations, s));)
		s->guarded = false; /* nobody knows: they are put again when they are told of */
}

static int release(struct forwarding *f, const struct in6_addr *addr, uint32_t tag)
{
	struct station gone;
	if (!stations_release(&f->stations, addr, &gone))
		return 0;
	unguard(f, &gone);
	return gone.entered ? neighbour_del(f->requests, f->ifindex, addr, tag) : 0;
}

/* Before a route that leads to it, so that no packet waits for neighbour discovery. */
static int follow_station(struct forwarding *f, const struct route_change *c, uint32_t tag)
{
	bool address = c->prefix.plen == 128;
	const struct in6_addr *addr = address ? &c->prefix.addr : &c->next_hop;
	bool moved = c->held && !address &&
		     memcmp(&c->next_hop, &c->old_next_hop, sizeof c->next_hop) != 0;
	const uint8_t *lladdr = c->lladdr_len ? c->lladdr : NULL;
	if (!c->add)
		return release(f, addr, tag);
	/* One that could not be entered before is entered now. */
	struct station *s = c->held && !moved ? stations_update(&f->stations, addr, lladdr) : NULL;
	int r = s ? 0 : stations_hold(&f->stations, addr, lladdr, &s);
	if (r == 0 && s->known && !s->entered) {
		r = neighbour_put(f->requests, f->ifindex, addr, s->lladdr, sizeof s->lladdr, tag);
		s->entered = r == 0;
	}
	if (r == 0)
		filter_refused(f, guard(f, s));
	return r == 0 && moved ? release(f, &c->old_next_hop, tag) : r;
}

static int collect(struct forwarding *f, const struct route_change *c, uint32_t i)
{
	int r = follow_station(f, c, TAG_NEIGHBOUR + i);
	if (r < 0 || c->prefix.plen == 128)
		return r;
	const struct route route = delegated(f, &c->prefix, &c->next_hop);
	return c->add ? route_put(f->requests, &route, i) : route_del(f->requests, &route, i);
}

void forwarding_install(struct forwarding *f, const struct batch *b,
			bool failed[static BATCH_CHANGES])
{
	memset(failed, 0, b->n_routes * sizeof failed[0]);
	if (b->n_routes == 0)
		return;
	f->batch = b;
	f->failed = failed;
	int r = 0;
	for (uint32_t i = 0; i < b->n_routes && r == 0; i++)
		r = collect(f, &b->routes[i], i);
	int e = route_commit(f->requests, on_refused, f);
	commit_filter(f);
	if (r == 0)
		r = e;
	if (r >= 0)
		return;
	/* Nothing is known of any of them: nobody is promised anything, and neighbours are entered
	 * anew.
	 */
	memset(failed, 1, b->n_routes * sizeof failed[0]);
	f->failures += b->n_routes;
	for (struct station *s = NULL; (s = stations_next(&f->stations, s));)
		s->entered = false;
	if (ratelimit_allow(&f->log_fault, clock_mono_ms(), NULL))
		log_error("route", "routes cannot be set", kv_errno(r));
}

/* --- all of them
 * ----------------------------------------------------------------------------------- */

struct route_list {
	struct delegated_route *routes;
	size_t n, room;
};

static int list_add(struct route_list *l, const struct prefix6 *prefix,
		    const struct in6_addr *next_hop)
{
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 256;
		struct delegated_route *longer = reallocarray(l->routes, room, sizeof *longer);
		if (!longer)
			return -ENOMEM;
		l->routes = longer;
		l->room = room;
	}
	l->routes[l->n++] = (struct delegated_route){ *prefix, *next_hop };
	return 0;
}

struct wanted {
	struct forwarding *f;
	struct route_list routes;
};

static int want(void *ctx, const struct binding *b)
{
	struct wanted *w = (struct wanted *)ctx;
	const struct prefix6 p = { b->addr, b->plen };
	const uint8_t *lladdr = b->lladdr_len ? b->lladdr : NULL;
	struct station *unused;
	if (b->state != BINDING_BOUND || (b->kind == BINDING_NA && !lladdr))
		return 0;
	int r = stations_hold(&w->f->stations, b->kind == BINDING_NA ? &b->addr : &b->next_hop,
			      lladdr, &unused);
	return r == 0 && b->kind == BINDING_PD ? list_add(&w->routes, &p, &b->next_hop) : r;
}

static int list_installed(void *ctx, const struct route *r)
{
	return r->type == ROUTE_VIA && r->has_gateway && r->metric == ROUTE_METRIC_DELEGATED
		       ? list_add((struct route_list *)ctx, &r->prefix, &r->gateway)
		       : 0;
}

static int reconcile_add(void *ctx, const struct delegated_route *d)
{
	struct forwarding *f = (struct forwarding *)ctx;
	const struct route r = delegated(f, &d->prefix, &d->next_hop);
	int e = make_room(f, route_put(f->requests, &r, 0));
	return e == -ENOBUFS ? route_put(f->requests, &r, 0) : e;
}

static int reconcile_remove(void *ctx, const struct delegated_route *d)
{
	struct forwarding *f = (struct forwarding *)ctx;
	const struct route r = delegated(f, &d->prefix, &d->next_hop);
	int e = make_room(f, route_del(f->requests, &r, 0));
	return e == -ENOBUFS ? route_del(f->requests, &r, 0) : e;
}

struct entries {
	struct forwarding *f;
	struct in6_addr *stale;
	size_t n, room;
};

/* What the kernel has: either right, or replaced or removed below. */
static int note_entry(void *ctx, const struct neighbour *n)
{
	struct entries *e = (struct entries *)ctx;
	struct station *s = stations_find(&e->f->stations, &n->addr);
	if (s && s->known) {
		s->entered = n->lladdr_len == sizeof s->lladdr &&
			     memcmp(s->lladdr, n->lladdr, sizeof s->lladdr) == 0;
		return 0;
	}
	if (e->n == e->room) {
		size_t room = e->room ? e->room * 2 : 64;
		struct in6_addr *longer = reallocarray(e->stale, room, sizeof *longer);
		if (!longer)
			return -ENOMEM;
		e->stale = longer;
		e->room = room;
	}
	e->stale[e->n++] = n->addr;
	return 0;
}

static int reconcile_neighbours(struct forwarding *f)
{
	struct entries e = { .f = f };
	int r = neighbour_dump(f->requests, f->ifindex, note_entry, &e);
	for (size_t i = 0; i < e.n && r == 0; i++) {
		r = make_room(f, neighbour_del(f->requests, f->ifindex, &e.stale[i], 0));
		if (r == -ENOBUFS)
			r = neighbour_del(f->requests, f->ifindex, &e.stale[i], 0);
	}
	free(e.stale);
	for (struct station *s = NULL; r == 0 && (s = stations_next(&f->stations, s));)
		if (s->known && !s->entered) {
			r = make_room(f, neighbour_put(f->requests, f->ifindex, &s->addr, s->lladdr,
						       sizeof s->lladdr, 0));
			if (r == -ENOBUFS)
				r = neighbour_put(f->requests, f->ifindex, &s->addr, s->lladdr,
						  sizeof s->lladdr, 0);
			s->entered = r == 0;
		}
	if (r == 0)
		r = route_commit(f->requests, NULL, NULL);
	if (r > 0)
		log_warn("route",
			 "some neighbour entries were refused, the kernel will look for them",
			 kv_i64("entries", r));
	return r < 0 ? r : 0;
}

void forwarding_reconcile_filter(struct forwarding *f)
{
	if (!f->filter)
		return;
	filter_refused(f, nft_station_flush(f->filter));
	f->filter_changes = true;
	for (struct station *s = NULL; (s = stations_next(&f->stations, s));) {
		int r = guard(f, s);
		if (r == -ENOBUFS) {
			commit_filter(f);
			r = guard(f, s);
		}
		filter_refused(f, r);
	}
	commit_filter(f);
}

static int reset_stations(struct forwarding *f)
{
	struct stations fresh;
	int r = stations_init(&fresh, f->stations.key);
	if (r < 0)
		return r;
	stations_done(&f->stations);
	f->stations = fresh;
	return 0;
}

int forwarding_reconcile(struct forwarding *f, const struct dhcp6_server *s)
{
	struct wanted wanted = { .f = f };
	struct route_list installed = { 0 };
	struct reconcile_counts n = { 0 };
	int r = reset_stations(f);
	if (r == 0)
		r = dhcp6_server_each(s, want, &wanted);
	if (r == 0)
		r = reconcile_neighbours(f);
	if (r == 0)
		r = route_dump(f->requests, list_installed, &installed);
	if (r == 0)
		r = reconcile_routes(wanted.routes.routes, wanted.routes.n, installed.routes,
				     installed.n, reconcile_add, reconcile_remove, f, &n);
	if (r >= 0)
		r = route_commit(f->requests, NULL, NULL);
	free(wanted.routes.routes);
	free(installed.routes);
	if (r > 0)
		log_error("route", "some delegated prefixes have no route", kv_i64("routes", r));
	if (r >= 0 && (n.added || n.removed))
		log_info("route", "reconciled", kv_u64("kept", n.kept), kv_u64("added", n.added),
			 kv_u64("removed", n.removed));
	return r < 0 ? r : 0;
}
