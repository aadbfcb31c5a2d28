/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/leases.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(D6_MAX_IAS * LEASES_CHANGES_PER_IA <= BATCH_PER_MESSAGE,
	      "a message can overrun its batch");

static struct prefix6 prefix_of(const struct binding *b)
{
	return (struct prefix6){ b->addr, b->plen };
}

/* --- what a batch is told
 * ----------------------------------------------------------------------------------- */

static void note_change(struct batch *batch, const struct binding *b, bool erase)
{
	struct binding_change *c = &batch->changes[batch->n_changes++];
	c->erase = erase;
	binding_to_record(b, &c->record);
	if (c->record.details_len == 0)
		return;
	/* The binding may be another one by the time the batch is carried out. */
	uint8_t *copy = batch->details + batch->details_used;
	memcpy(copy, c->record.details, c->record.details_len);
	c->record.details = copy;
	batch->details_used += c->record.details_len;
}

/* An address has no route, and nothing is to be told of it while its client's link-layer address is
 * not known. */
static bool has_route(const struct binding *b)
{
	return b->kind == BINDING_PD || b->lladdr_len > 0;
}

/* Where a binding's route led when it was told of last. */
struct way {
	struct in6_addr next_hop;
	uint8_t lladdr_len;
	uint8_t lladdr[BINDING_LLADDR_MAX];
};

static struct way way_of(const struct binding *b)
{
	struct way w = { .next_hop = b->next_hop, .lladdr_len = b->lladdr_len };
	memcpy(w.lladdr, b->lladdr, sizeof w.lladdr);
	return w;
}

/* old NULL: there was none. */
static void note_route(struct batch *batch, const struct binding *b, bool add,
		       const struct way *old)
{
	const struct way now = way_of(b);
	if (!has_route(b))
		return;
	struct route_change *r = &batch->routes[batch->n_routes++];
	*r = (struct route_change){
		.add = add,
		.held = old != NULL,
		.prefix = prefix_of(b),
		.next_hop = b->next_hop,
		.lladdr_len = b->lladdr_len,
	};
	memcpy(r->lladdr, b->lladdr, sizeof r->lladdr);
	old = old ? old : &now;
	r->old_next_hop = old->next_hop;
	r->old_lladdr_len = old->lladdr_len;
	memcpy(r->old_lladdr, old->lladdr, sizeof r->old_lladdr);
}

/* --- the end of a binding
 * ----------------------------------------------------------------------------------- */

/* What is reserved need not be of the pool. */
static void note_slot(struct leases *l, enum binding_kind kind, const struct prefix6 *p, bool taken)
{
	if (pool_owns(&l->pools[kind], p))
		pool_note(&l->pools[kind], p, taken);
}

static bool is_free(const struct leases *l, enum binding_kind kind, const struct prefix6 *p)
{
	return pool_owns(&l->pools[kind], p) ? pool_is_free(&l->pools[kind], &l->table, p)
					     : !bindings_by_prefix(&l->table, &p->addr, p->plen);
}

static uint64_t slots_of(const struct leases *l, const struct binding *b)
{
	const struct pool *pool = &l->pools[b->kind];
	const struct prefix6 p = prefix_of(b);
	return pool_owns(pool, &p) ? UINT64_C(1) << (pool->max_plen - b->plen) : 0;
}

uint64_t leases_used(const struct leases *l, enum binding_kind kind)
{
	const struct pool *pool = &l->pools[kind];
	unsigned bits = pool->max_plen - pool->plen;
	uint64_t whole = l->bound_slots[kind] >> bits;
	return whole + (whole << bits != l->bound_slots[kind]);
}

/* Before its state changes, or it goes. */
static void cease(struct leases *l, const struct binding *b, struct batch *batch)
{
	if (b->state != BINDING_BOUND)
		return;
	const struct way old = way_of(b);
	note_route(batch, b, false, &old);
	l->bound_slots[b->kind] -= slots_of(l, b);
}

int leases_count_stations(struct leases *l)
{
	int r = census_init(&l->held);
	if (r == 0)
		r = census_init(&l->kept);
	return r == 0 ? census_init(&l->relayed) : r;
}

void leases_uncount_stations(struct leases *l)
{
	census_done(&l->held);
	census_done(&l->kept);
	census_done(&l->relayed);
}

static void count(struct leases *l, const struct lease_client *c, const struct binding *b)
{
	if (!l->max_per_station)
		return;
	census_set(&l->held, b->id, c->station);
	census_set(&l->kept, b->id, c->station);
	census_set(&l->relayed, b->id, c->relay);
}

static void uncount(struct leases *l, const struct binding *b)
{
	census_set(&l->held, b->id, 0);
	census_set(&l->relayed, b->id, 0);
}

void leases_forget(struct leases *l, struct binding *b, struct batch *batch)
{
	const struct prefix6 p = prefix_of(b);
	cease(l, b, batch);
	note_change(batch, b, true);
	note_slot(l, (enum binding_kind)b->kind, &p, false);
	uncount(l, b);
	census_set(&l->kept, b->id, 0);
	bindings_remove(&l->table, b);
}

/* Whether it is not to be remembered: what its client can do again and again is bounded. */
static bool is_too_many(const struct leases *l, const struct binding *b)
{
	return (l->max_per_station && b->id < l->kept.n_of &&
		census_count(&l->kept, l->kept.of[b->id]) > l->max_per_station) ||
	       (b->kind == BINDING_NA &&
		l->table.n_by_state[BINDING_NA][BINDING_FREED] >= LEASES_MAX_FREED_ADDRESSES);
}

void leases_end(struct leases *l, struct binding *b, enum binding_state state, uint64_t now_ms,
		struct batch *batch)
{
	if (state == BINDING_FREED && is_too_many(l, b)) {
		leases_forget(l, b, batch);
		return;
	}
	cease(l, b, batch);
	if (state == BINDING_FREED)
		uncount(l, b);
	b->granted_at_ms = now_ms;
	bindings_set(&l->table, b, state,
		     state == BINDING_DECLINED ? now_ms + LEASES_DECLINE_S * UINT64_C(1000)
					       : now_ms);
	note_change(batch, b, false);
}

void leases_expire(struct leases *l, uint64_t now_ms, struct batch *batch)
{
	struct binding *b;
	while (!batch_full(batch) && (b = bindings_expired(&l->table, now_ms))) {
		if (b->state == BINDING_DECLINED)
			leases_forget(
				l, b,
				batch); /* its client may have another one for that IA by now */
		else
			leases_end(l, b, BINDING_FREED, now_ms, batch);
	}
}

/* --- choosing
 * -----------------------------------------------------------------------------------------------
 */

struct binding *leases_find(const struct leases *l, const struct lease_client *c,
			    enum binding_kind kind, uint32_t iaid)
{
	return bindings_find(&l->table, c->hash, kind, c->duid, c->duid_len, iaid);
}

bool leases_from_holder(const struct leases *l, const struct lease_client *c,
			const struct binding *b)
{
	const struct lease_lladdr *lladdr = b->kind == BINDING_NA ? &c->own : &c->via;
	uint32_t station = b->id < l->held.n_of ? l->held.of[b->id] : 0;
	return memcmp(&b->next_hop, &c->next_hop, sizeof b->next_hop) == 0 &&
	       (!station || station == c->station) &&
	       (!b->lladdr_len ||
		(lladdr->len && memcmp(b->lladdr, lladdr->bytes, sizeof b->lladdr) == 0));
}

static bool is_spoken(const struct lease_spoken *spoken, const struct prefix6 *p)
{
	for (size_t i = 0; i < spoken->n; i++)
		if (prefix6_overlaps(&spoken->prefixes[i], p))
			return true;
	return false;
}

/* --- reservations
 * -------------------------------------------------------------------------------------------
 */

void leases_reserve(struct leases *l, const struct reservations *reserved)
{
	l->reserved = reserved;
	l->pools[BINDING_PD].reserved = reserved;
	l->pools[BINDING_NA].reserved = reserved;
}

/* Calls fn for each reservation that is for this client. */
static bool each_reserved(const struct leases *l, const struct lease_client *c,
			  bool (*fn)(void *ctx, const struct reservation *r), void *ctx)
{
	uint8_t lladdr[BINDING_LLADDR_MAX];
	const struct reservations *r = l->reserved;
	if (reservations_for(r, RESERVED_FOR_DUID, c->duid, c->duid_len, fn, ctx))
		return true;
	if (c->own.len &&
	    reservations_for(r, RESERVED_FOR_LLADDR, c->own.bytes, c->own.len, fn, ctx))
		return true;
	/* Behind a relay the frame is not the client's, but most have their address in the DUID. */
	if (duid_ethernet(c->duid, c->duid_len, lladdr) &&
	    reservations_for(r, RESERVED_FOR_LLADDR, lladdr, sizeof lladdr, fn, ctx))
		return true;
	return c->interface_id.bytes &&
	       reservations_for(r, RESERVED_FOR_INTERFACE_ID, c->interface_id.bytes,
				c->interface_id.len, fn, ctx);
}

struct reserved_search {
	const struct leases *l;
	enum binding_kind kind;
	uint32_t iaid;
	const struct prefix6 *exactly;     /* NULL: any that is to be had */
	const struct lease_spoken *spoken; /* with that */
	const struct binding *mine;        /* with that */
	const struct reservation *found;
};

static bool reserved_one(void *ctx, const struct reservation *r)
{
	struct reserved_search *s = (struct reserved_search *)ctx;
	if (r->kind != s->kind || (r->has_iaid && r->iaid != s->iaid))
		return false;
	if (s->exactly ? !prefix6_equal(&r->prefix, s->exactly) : is_spoken(s->spoken, &r->prefix))
		return false;
	const struct binding *holder =
		bindings_by_prefix(&s->l->table, &r->prefix.addr, r->prefix.plen);
	/* Somebody's whom it was given to before it was reserved, or another IA's of this client.
	 */
	if (!s->exactly && holder && holder != s->mine && holder->state != BINDING_FREED)
		return false;
	if (!s->exactly && !holder && !is_free(s->l, s->kind, &r->prefix))
		return false; /* overlapped by such a one */
	s->found = r;
	return true;
}

bool leases_may_hold(const struct leases *l, const struct lease_client *client,
		     enum binding_kind kind, uint32_t iaid, const struct prefix6 *prefix)
{
	if (pool_owns(&l->pools[kind], prefix))
		return true;
	const struct reservation *r = reservations_at(l->reserved, prefix);
	if (!client)
		return r && r->kind == kind && prefix6_equal(&r->prefix, prefix);
	struct reserved_search s = { .l = l, .kind = kind, .iaid = iaid, .exactly = prefix };
	return each_reserved(l, client, reserved_one, &s);
}

/* Sets the choice where a reservation decides. True: it is made. */
static bool choose_reserved(const struct leases *l, const struct lease_client *c,
			    enum binding_kind kind, uint32_t iaid,
			    const struct lease_spoken *spoken, struct lease_choice *choice)
{
	struct binding *mine = choice->mine;
	struct reserved_search s = { .l = l, .kind = kind, .iaid = iaid };
	if (mine) {
		s.exactly = &choice->prefix;
		if (each_reserved(l, c, reserved_one, &s))
			return false; /* it has one of its own already */
	}
	s.exactly = NULL;
	s.spoken = spoken;
	s.mine = mine;
	if (each_reserved(l, c, reserved_one, &s)) {
		choice->prefix = s.found->prefix;
		choice->freed =
			bindings_by_prefix(&l->table, &s.found->prefix.addr, s.found->prefix.plen);
		choice->old = mine;
		choice->mine = NULL;
		return true;
	}
	if (mine && (reservations_at(l->reserved, &choice->prefix) ||
		     !pool_owns(&l->pools[kind], &choice->prefix))) {
		choice->old = mine; /* reserved for somebody else, or no more */
		choice->mine = NULL;
	}
	return false;
}

bool leases_astray(const struct leases *l, const struct lease_client *c, const struct binding *b)
{
	const struct lease_spoken nothing = { 0 };
	struct lease_choice choice = { .prefix = prefix_of(b) };
	choice.mine = leases_find(l, c, (enum binding_kind)b->kind, b->iaid);
	return choice.mine == b &&
	       (choose_reserved(l, c, (enum binding_kind)b->kind, b->iaid, &nothing, &choice) ||
		!choice.mine);
}

/* The prefix or address that the client names itself, where it is ours and nobody has ever had it.
 */
static bool hinted(const struct leases *l, const struct pool *pool, const struct d6_ia *ia,
		   const struct lease_spoken *spoken, struct prefix6 *ret_prefix)
{
	for (size_t i = 0; i < ia->n_resources; i++) {
		const struct prefix6 *p = &ia->resources[i].prefix;
		if (pool_owns(pool, p) && pool_is_free(pool, &l->table, p) &&
		    !is_spoken(spoken, p) && !reservations_at(l->reserved, p)) {
			*ret_prefix = *p;
			return true;
		}
	}
	return false;
}

/* The length that the client asks for, as near as the pool has it (RFC 8168 §3.2); the usual one
 * where it does not. */
static uint8_t wished_length(const struct pool *pool, const struct d6_ia *ia)
{
	for (size_t i = 0; i < ia->n_resources; i++) {
		uint8_t plen = ia->resources[i].prefix.plen;
		if (plen)
			return plen < pool->min_plen   ? pool->min_plen
			       : plen > pool->max_plen ? pool->max_plen
						       : plen;
	}
	return pool->plen;
}

/* Addresses are endless: whoever takes ever more of them leaves room for prefixes. */
static bool table_has_room(const struct leases *l, enum binding_kind kind)
{
	const uint64_t *na = l->table.n_by_state[BINDING_NA];
	if (kind == BINDING_NA && na[BINDING_BOUND] + na[BINDING_DECLINED] >= LEASES_MAX_ADDRESSES)
		return false;
	return l->table.n < LEASES_MAX_TABLE || bindings_oldest_freed(&l->table, BINDING_PD) ||
	       bindings_oldest_freed(&l->table, BINDING_NA);
}

/* Whether n more are too many. */
static bool station_is_full(const struct leases *l, const struct lease_client *c, unsigned n)
{
	if (!l->max_per_station)
		return false;
	return census_count(&l->held, c->station) + n > l->max_per_station ||
	       (c->relay && census_count(&l->relayed, c->relay) + n >
				    l->max_per_station * (unsigned)LEASES_RELAY_STATIONS);
}

int leases_choose(struct leases *l, const struct lease_client *c, enum binding_kind kind,
		  const struct d6_ia *ia, const struct lease_spoken *spoken,
		  struct lease_choice *ret_choice)
{
	struct pool *pool = &l->pools[kind];
	struct lease_choice choice = { .mine = leases_find(l, c, kind, ia->iaid) };
	if (choice.mine)
		choice.prefix = prefix_of(choice.mine);
	if (l->reserved && choose_reserved(l, c, kind, ia->iaid, spoken, &choice)) {
		*ret_choice = choice; /* whoever set it down knows how many its client has */
		return 0;
	}
	if (!choice.mine || choice.mine->state != BINDING_BOUND) {
		struct binding_holdings h =
			bindings_of_client(&l->table, c->hash, c->duid, c->duid_len);
		if (choice.old && choice.old->state == BINDING_BOUND)
			h.bound--;
		if (l->max_per_client && h.bound + spoken->n_new >= l->max_per_client)
			return -EDQUOT;
		if (station_is_full(
			    l, c,
			    spoken->n_new +
				    (choice.old && choice.old->state == BINDING_BOUND ? 0 : 1)))
			return -EUSERS;
		if (choice.mine && is_spoken(spoken, &choice.prefix))
			choice.mine = NULL; /* an earlier IA of an exhausted pool was offered it */
		/* What was declined counts, too: nobody gets at ever more addresses by declining
		 * them. */
		if (!choice.mine && l->max_per_client &&
		    h.bound + h.declined >= 2 * l->max_per_client)
			return -EDQUOT;
		if (!choice.mine && !table_has_room(l, kind))
			return -ENOSPC;
		struct pool_wish wish = { c->duid,          c->duid_len,
					  ia->iaid,         wished_length(pool, ia),
					  spoken->prefixes, spoken->n };
		if (!choice.mine && !hinted(l, pool, ia, spoken, &choice.prefix)) {
			int r = pool_pick(pool, &l->table, &wish, &choice.prefix, &choice.freed);
			if (r < 0)
				return r;
		}
	}
	*ret_choice = choice;
	return 0;
}

/* --- granting
 * -----------------------------------------------------------------------------------------------
 */

static uint64_t until(uint64_t now_ms, uint32_t lifetime_s)
{
	return lifetime_s == D6_LFT_INFINITY ? UINT64_MAX : now_ms + lifetime_s * UINT64_C(1000);
}

/* Lifetimes start anew, and the route goes where the client is now. held: it was bound before. */
static void refresh(struct leases *l, const struct lease_client *c, struct binding *b, bool held,
		    uint64_t now_ms, struct batch *batch)
{
	/* Where an address is, is where its client is; where a prefix is, the way there. */
	const struct lease_lladdr *lladdr = b->kind == BINDING_NA ? &c->own : &c->via;
	const struct way old = way_of(b);
	bool moved = memcmp(&b->next_hop, &c->next_hop, sizeof c->next_hop) != 0;
	bool told = held && has_route(b);
	/* An address whose client is not seen any more: later there is nothing to be told by. */
	if (told && b->kind == BINDING_NA && moved && !lladdr->len)
		note_route(batch, b, false, &old);
	b->next_hop = c->next_hop;
	/* Not every frame tells it; what was told of this very next hop stands. */
	if (lladdr->len || moved) {
		b->lladdr_len = lladdr->len;
		memcpy(b->lladdr, lladdr->bytes, sizeof b->lladdr);
	}
	/* Of little weight: without memory for what is new, what was known stays. */
	(void)binding_set_details(b, c->details, c->details_len);
	b->granted_at_ms = now_ms;
	b->preferred_lft_s = l->preferred_lft_s;
	b->valid_lft_s = l->valid_lft_s;
	bindings_set(&l->table, b, BINDING_BOUND, until(now_ms, l->valid_lft_s));
	if (!held)
		l->bound_slots[b->kind] += slots_of(l, b);
	count(l, c, b);
	note_change(batch, b, false);
	/* Installed with every grant, known or not: it costs little, and heals a table that
	 * somebody else has touched. */
	note_route(batch, b, true, told ? &old : NULL);
}

/* What must be forgotten so that another one can be remembered: of this client, and of all of them.
 */
static void make_room(struct leases *l, const struct lease_client *c, enum binding_kind kind,
		      struct batch *batch)
{
	struct binding_holdings h = bindings_of_client(&l->table, c->hash, c->duid, c->duid_len);
	if (l->max_per_client && h.a_freed &&
	    h.bound + h.declined + h.freed >= 2 * l->max_per_client)
		leases_forget(l, h.a_freed, batch);
	if (l->table.n < LEASES_MAX_TABLE)
		return;
	struct binding *b = bindings_oldest_freed(&l->table, kind);
	if (!b)
		b = bindings_oldest_freed(&l->table, kind == BINDING_PD ? BINDING_NA : BINDING_PD);
	if (b)
		leases_forget(l, b, batch);
}

int leases_grant(struct leases *l, const struct lease_client *c, enum binding_kind kind,
		 uint32_t iaid, const struct lease_choice *choice, uint64_t now_ms,
		 struct batch *batch)
{
	if (choice->mine) {
		refresh(l, c, choice->mine, choice->mine->state == BINDING_BOUND, now_ms, batch);
		return 0;
	}
	if (choice->old)
		leases_forget(l, choice->old, batch);
	if (choice->freed && choice->freed != choice->old)
		leases_forget(l, choice->freed, batch);
	make_room(l, c, kind, batch);
	struct binding_record r = { .kind = kind,
				    .state = BINDING_BOUND,
				    .iaid = iaid,
				    .prefix = choice->prefix,
				    .next_hop = c->next_hop };
	r.duid.len = (uint8_t)c->duid_len;
	memcpy(r.duid.bytes, c->duid, c->duid_len);
	r.valid_until_ms = until(now_ms, l->valid_lft_s);
	struct binding *b;
	int e = bindings_add(&l->table, &r, &b);
	if (e < 0)
		return e;
	note_slot(l, kind, &r.prefix, true);
	refresh(l, c, b, false, now_ms, batch);
	return 0;
}

int leases_load(struct leases *l, const struct binding_record *r, uint64_t now_ms)
{
	if (r->duid.len == 0 || (r->kind != BINDING_PD && r->kind != BINDING_NA) ||
	    r->state < BINDING_BOUND || r->state > BINDING_DECLINED)
		return -ERANGE;
	struct pool *pool = &l->pools[r->kind];
	const bool owned = pool_owns(pool, &r->prefix); /* asked once: there may be a million */
	if (!owned && !leases_may_hold(l, NULL, r->kind, r->iaid, &r->prefix))
		return -ERANGE;
	if (!(owned ? pool_is_free(pool, &l->table, &r->prefix)
		    : is_free(l, r->kind, &r->prefix)) ||
	    (r->state != BINDING_DECLINED &&
	     bindings_by_client(&l->table, r->kind, r->duid.bytes, r->duid.len, r->iaid)))
		return -EEXIST;
	struct binding_record kept = *r;
	bool over = r->state == BINDING_BOUND && r->valid_until_ms <= now_ms;
	if (over) {
		kept.state = BINDING_FREED;
		kept.granted_at_ms = r->valid_until_ms;
	}
	struct binding *b;
	int e = bindings_add(&l->table, &kept, &b);
	if (e < 0)
		return e;
	if (owned) {
		pool_note(pool, &r->prefix, true);
		if (kept.state == BINDING_BOUND)
			l->bound_slots[r->kind] += UINT64_C(1) << (pool->max_plen - b->plen);
	}
	return over ? -ESTALE : b->id + 1 != r->number;
}

/* --- for tests
 * ---------------------------------------------------------------------------------------------- */

struct check {
	const struct leases *l;
	uint64_t n_taken[3]; /* by kind: slots of the longest length */
	uint64_t n_bound[3]; /* of those */
};

static int check_one(void *ctx, const struct binding *b)
{
	struct check *check = (struct check *)ctx;
	const struct leases *l = check->l;
	const struct prefix6 p = prefix_of(b);
	const struct pool *pool = &l->pools[b->kind];
	if (!leases_may_hold(l, NULL, (enum binding_kind)b->kind, b->iaid, &p) ||
	    is_free(l, (enum binding_kind)b->kind, &p))
		return -EINVAL;
	if (b->state == BINDING_FREED && b->id < l->held.n_of && l->held.of[b->id])
		return -EINVAL;
	if (!pool_owns(pool, &p))
		return 0;
	check->n_taken[b->kind] += slots_of(l, b);
	check->n_bound[b->kind] += b->state == BINDING_BOUND ? slots_of(l, b) : 0;
	/* Nothing shorter that holds this one: with that, no two of them overlap. */
	for (unsigned len = pool->min_plen; len < p.plen; len++) {
		struct prefix6 around = { p.addr, (uint8_t)len };
		around = prefix6_masked(&around);
		if (bindings_by_prefix(&l->table, &around.addr, around.plen))
			return -EINVAL;
	}
	return 0;
}

bool leases_consistent(const struct leases *l)
{
	struct check check = { .l = l };
	return bindings_consistent(&l->table) && bindings_each(&l->table, check_one, &check) == 0 &&
	       memcmp(check.n_bound, l->bound_slots, sizeof check.n_bound) == 0 &&
	       pool_agrees(&l->pools[BINDING_NA], check.n_taken[BINDING_NA]) &&
	       pool_agrees(&l->pools[BINDING_PD], check.n_taken[BINDING_PD]);
}
