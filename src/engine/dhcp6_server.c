/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dhcp6_server.h"

#include "engine/pool.h"
#include "wire/dnsname.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dhcp6_server {
	struct dhcp6_config config;
	struct binding_table table;
	struct pool pd;
	struct pool na;
	uint32_t t1_s, t2_s;
	struct dhcp6_stats stats;
};

/* One message on its way through. */
struct exchange {
	struct dhcp6_server *s;
	uint64_t now_ms;
	const struct pkt_meta *meta;
	struct batch *batch;
	struct d6_msg msg;
	size_t n_relays;
	struct d6_relay relays[D6_HOP_COUNT_LIMIT + 1]; /* outermost first */
	struct in6_addr next_hop;
	struct wr w;
	size_t n_avoid; /* prefixes that this message's earlier IAs were offered */
	struct prefix6 avoid[D6_MAX_IAS];
	uint32_t first_route;
};

const char *dhcp6_drop_name(enum d6_drop d)
{
	static const char *const names[D6_DROP_COUNT] = {
		[D6_DROP_MALFORMED] = "malformed",
		[D6_DROP_TOO_MANY] = "too_many",
		[D6_DROP_UNKNOWN_TYPE] = "unknown_type",
		[D6_DROP_NOT_FOR_SERVERS] = "not_for_servers",
		[D6_DROP_UNICAST] = "unicast",
		[D6_DROP_NO_CLIENT_ID] = "no_client_id",
		[D6_DROP_NO_SERVER_ID] = "no_server_id",
		[D6_DROP_HAS_SERVER_ID] = "has_server_id",
		[D6_DROP_OTHER_SERVER] = "other_server",
		[D6_DROP_HAS_IA] = "has_ia",
		[D6_DROP_LONG_DUID] = "long_duid",
		[D6_DROP_NOTHING_TO_CONFIRM] = "nothing_to_confirm",
		[D6_DROP_HOP_COUNT] = "hop_count",
		[D6_DROP_SOURCE] = "source",
		[D6_DROP_NO_ROOM] = "no_room",
	};
	return (unsigned)d < D6_DROP_COUNT ? names[d] : "unknown";
}

static uint32_t fraction(uint32_t lifetime_s, uint32_t tenths)
{
	return lifetime_s == D6_LFT_INFINITY ? D6_LFT_INFINITY : (uint32_t)((uint64_t)lifetime_s * tenths / 10);
}

int dhcp6_server_new(const struct dhcp6_config *config, struct dhcp6_server **ret_server)
{
	struct dhcp6_server *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->t1_s = fraction(config->preferred_lft_s, 5);
	s->t2_s = fraction(config->preferred_lft_s, 8);
	const struct prefix6 own = { config->own_addr, 128 };
	int r = bindings_init(&s->table, config->table_key);
	if (r == 0)
		r = pool_init(&s->pd, BINDING_PD, &config->pd_pool, config->pd_len, config->pool_key);
	if (r == 0)
		r = pool_init(&s->na, BINDING_NA, &config->transfer, 128, config->pool_key);
	if (r == 0)
		r = pool_exclude(&s->pd, &config->transfer);
	if (r == 0)
		r = pool_exclude(&s->na, &own);
	if (r < 0) {
		dhcp6_server_free(s);
		return r;
	}
	*ret_server = s;
	return 0;
}

void dhcp6_server_free(struct dhcp6_server *s)
{
	if (!s)
		return;
	bindings_done(&s->table);
	pool_done(&s->pd);
	pool_done(&s->na);
	free(s);
}

static struct pool *pool_of(struct dhcp6_server *s, enum binding_kind kind)
{
	return kind == BINDING_PD ? &s->pd : &s->na;
}

static struct dhcp6_pool_stats *pool_stats(struct dhcp6_server *s, enum binding_kind kind)
{
	return kind == BINDING_PD ? &s->stats.pd : &s->stats.na;
}

int dhcp6_server_load(struct dhcp6_server *s, const struct binding_record *r, uint64_t now_ms)
{
	if (r->duid.len == 0 || r->duid.len > DUID_MAX || (r->kind != BINDING_PD && r->kind != BINDING_NA) ||
	    !pool_owns(pool_of(s, r->kind), &r->prefix))
		return -ERANGE;
	if (bindings_by_prefix(&s->table, &r->prefix.addr, r->prefix.plen) ||
	    bindings_by_client(&s->table, r->kind, r->duid.bytes, r->duid.len, r->iaid))
		return -EEXIST;
	struct binding_record kept = *r;
	bool over = r->state != BINDING_FREED && r->valid_until_ms <= now_ms;
	if (over)
		kept.state = BINDING_FREED;
	struct binding *b;
	if (bindings_add(&s->table, &kept, &b) < 0)
		return -ENOMEM;
	pool_note(pool_of(s, r->kind), &b->addr, true);
	return over && r->state == BINDING_BOUND ? -ESTALE : 0;
}

uint64_t dhcp6_server_deadline(const struct dhcp6_server *s)
{
	const struct binding *b = bindings_soonest(&s->table);
	return b ? b->valid_until_ms : UINT64_MAX;
}

int dhcp6_server_each(const struct dhcp6_server *s, int (*fn)(void *ctx, const struct binding *b), void *ctx)
{
	return bindings_each(&s->table, fn, ctx);
}

const struct binding_table *dhcp6_server_table(const struct dhcp6_server *s)
{
	return &s->table;
}

const struct dhcp6_stats *dhcp6_server_stats(struct dhcp6_server *s)
{
	for (int kind = BINDING_NA; kind <= BINDING_PD; kind++) {
		struct dhcp6_pool_stats *p = pool_stats(s, (enum binding_kind)kind);
		p->capacity = pool_of(s, (enum binding_kind)kind)->capacity;
		p->bound = s->table.n_by_state[kind][BINDING_BOUND];
		p->freed = s->table.n_by_state[kind][BINDING_FREED];
		p->declined = s->table.n_by_state[kind][BINDING_DECLINED];
	}
	return &s->stats;
}

/* --- what a batch is told ----------------------------------------------------------------------------------- */

static void note_change(struct batch *batch, const struct binding *b, bool erase)
{
	struct binding_change *c = &batch->changes[batch->n_changes++];
	c->erase = erase;
	binding_to_record(b, &c->record);
}

static void note_route(struct batch *batch, const struct binding *b, bool add)
{
	if (b->kind != BINDING_PD)
		return;
	struct route_change *r = &batch->routes[batch->n_routes++];
	*r = (struct route_change){ .add = add, .prefix = { b->addr, b->plen }, .next_hop = b->next_hop, .lladdr_len = b->lladdr_len };
	memcpy(r->lladdr, b->lladdr, sizeof r->lladdr);
}

/* A bound one that is no more: remembered for its client, or set aside. */
static void end_binding(struct dhcp6_server *s, uint64_t now_ms, struct binding *b, enum binding_state state, struct batch *batch)
{
	if (b->state == BINDING_BOUND)
		note_route(batch, b, false);
	b->granted_at_ms = now_ms;
	bindings_set(&s->table, b, state, state == BINDING_DECLINED ? now_ms + D6_DECLINE_S * UINT64_C(1000) : now_ms);
	note_change(batch, b, false);
}

static void forget_binding(struct dhcp6_server *s, struct binding *b, struct batch *batch)
{
	if (b->state == BINDING_BOUND)
		note_route(batch, b, false);
	note_change(batch, b, true);
	pool_note(pool_of(s, (enum binding_kind)b->kind), &b->addr, false);
	bindings_remove(&s->table, b);
}

void dhcp6_server_tick(struct dhcp6_server *s, uint64_t now_ms, struct batch *batch)
{
	struct binding *b;
	while (!batch_full(batch) && (b = bindings_soonest(&s->table)) && b->valid_until_ms <= now_ms)
		end_binding(s, now_ms, b, BINDING_FREED, batch);
}

/* --- choosing and granting ---------------------------------------------------------------------------------- */

static enum binding_kind kind_of(const struct d6_ia *ia)
{
	return ia->code == D6_OPT_IA_PD ? BINDING_PD : BINDING_NA;
}

static struct binding *find(const struct exchange *x, const struct d6_ia *ia)
{
	return bindings_by_client(&x->s->table, kind_of(ia), x->msg.client_id.bytes, x->msg.client_id.len, ia->iaid);
}

static bool over_limit(const struct exchange *x)
{
	unsigned max = x->s->config.max_bindings_per_client;
	return max && bindings_count_client(&x->s->table, x->msg.client_id.bytes, x->msg.client_id.len, BINDING_BOUND) >= max;
}

static bool avoided(const struct exchange *x, const struct prefix6 *p)
{
	for (size_t i = 0; i < x->n_avoid; i++)
		if (prefix6_equal(&x->avoid[i], p))
			return true;
	return false;
}

/* The prefix or address that the client names itself, where it is ours and nobody has ever had it. */
static bool hinted(const struct exchange *x, const struct d6_ia *ia, struct prefix6 *ret_prefix)
{
	const struct pool *pool = pool_of(x->s, kind_of(ia));
	for (size_t i = 0; i < ia->n_resources; i++) {
		const struct prefix6 *p = &ia->resources[i].prefix;
		if (pool_owns(pool, p) && !avoided(x, p) && !bindings_by_prefix(&x->s->table, &p->addr, p->plen)) {
			*ret_prefix = *p;
			return true;
		}
	}
	return false;
}

/*
 * What this IA would get: the client's own where it has or had one, else what it asks for, else what the pool picks. Changes nothing.
 * -ENOSPC; -EDQUOT: the client has its fill.
 */
static int choose(struct exchange *x, const struct d6_ia *ia, struct prefix6 *ret_prefix, struct binding **ret_mine,
		  struct binding **ret_freed)
{
	enum binding_kind kind = kind_of(ia);
	struct binding *mine = find(x, ia);
	*ret_freed = NULL;
	*ret_mine = mine;
	if (mine && mine->state == BINDING_BOUND) {
		*ret_prefix = (struct prefix6){ mine->addr, mine->plen };
		return 0;
	}
	if (over_limit(x))
		return -EDQUOT;
	if (mine && mine->state == BINDING_FREED) {
		*ret_prefix = (struct prefix6){ mine->addr, mine->plen };
		return 0;
	}
	if (hinted(x, ia, ret_prefix))
		return 0;
	return pool_pick(pool_of(x->s, kind), &x->s->table, x->msg.client_id.bytes, x->msg.client_id.len, ia->iaid, x->avoid,
			 x->n_avoid, ret_prefix, ret_freed);
}

static uint64_t until(uint64_t now_ms, uint32_t lifetime_s)
{
	return lifetime_s == D6_LFT_INFINITY ? UINT64_MAX : now_ms + lifetime_s * UINT64_C(1000);
}

/* Lifetimes start anew, and the route goes where the client is now. */
static void refresh(struct exchange *x, struct binding *b)
{
	const struct dhcp6_config *c = &x->s->config;
	const struct pkt_meta *m = x->meta;
	b->next_hop = x->next_hop;
	b->lladdr_len = m->lladdr_len;
	memcpy(b->lladdr, m->lladdr, sizeof b->lladdr);
	b->granted_at_ms = x->now_ms;
	b->preferred_lft_s = c->preferred_lft_s;
	b->valid_lft_s = c->valid_lft_s;
	bindings_set(&x->s->table, b, BINDING_BOUND, until(x->now_ms, c->valid_lft_s));
	note_change(x->batch, b, false);
	/* Installed for every grant, known or not: it costs little, and heals a table that somebody else has touched. */
	note_route(x->batch, b, true);
}

/* Makes the choice the client's. */
static int grant(struct exchange *x, const struct d6_ia *ia, const struct prefix6 *prefix, struct binding *mine, struct binding *freed,
		 struct binding **ret_binding)
{
	struct dhcp6_server *s = x->s;
	if (mine && mine->state != BINDING_DECLINED) {
		refresh(x, mine);
		*ret_binding = mine;
		return 0;
	}
	if (mine) {
		/* The IA's former address was declined: it stays set aside, but under nobody's name. */
		struct binding_record aside;
		binding_to_record(mine, &aside);
		forget_binding(s, mine, x->batch);
		aside.duid = s->config.server_id;
		aside.iaid = (uint32_t)(x->now_ms ^ x->msg.xid);
		if (!bindings_by_client(&s->table, aside.kind, aside.duid.bytes, aside.duid.len, aside.iaid) &&
		    bindings_add(&s->table, &aside, &mine) == 0) {
			pool_note(pool_of(s, aside.kind), &mine->addr, true);
			note_change(x->batch, mine, false);
		}
	}
	if (freed)
		forget_binding(s, freed, x->batch);
	unsigned max = s->config.max_bindings_per_client;
	/* What is remembered of one client is bounded, too: its many IAIDs of yesterday give way. */
	if (max && bindings_count_client(&s->table, x->msg.client_id.bytes, x->msg.client_id.len, 0) >= 2 * max) {
		struct binding *old =
			bindings_any_of_client(&s->table, x->msg.client_id.bytes, x->msg.client_id.len, BINDING_FREED);
		if (old)
			forget_binding(s, old, x->batch);
	}
	struct binding_record r = { .kind = kind_of(ia), .state = BINDING_BOUND, .iaid = ia->iaid, .prefix = *prefix };
	r.duid.len = (uint8_t)x->msg.client_id.len;
	memcpy(r.duid.bytes, x->msg.client_id.bytes, r.duid.len);
	r.valid_until_ms = until(x->now_ms, s->config.valid_lft_s);
	struct binding *b;
	if (bindings_add(&s->table, &r, &b) < 0)
		return -ENOMEM;
	pool_note(pool_of(s, r.kind), &b->addr, true);
	refresh(x, b);
	*ret_binding = b;
	return 0;
}

/* --- writing IAs -------------------------------------------------------------------------------------------- */

static void put_resource(struct exchange *x, uint16_t code, const struct prefix6 *p, uint32_t preferred_s, uint32_t valid_s)
{
	if (code == D6_OPT_IA_PD)
		d6_close(&x->w, d6_open_iaprefix(&x->w, p, preferred_s, valid_s));
	else
		d6_put_iaaddr(&x->w, &p->addr, preferred_s, valid_s);
}

/* What the client believes to have and does not: lifetimes 0, next to what it has (§18.3.4, §18.3.5; RFC 9096 §3.1 for what it means). */
static void put_withdrawn(struct exchange *x, const struct d6_ia *ia, const struct prefix6 *kept)
{
	for (size_t i = 0; i < ia->n_resources; i++) {
		const struct prefix6 *p = &ia->resources[i].prefix;
		/* ::/N is a hint for a length, not a prefix that anybody holds. */
		if (IN6_IS_ADDR_UNSPECIFIED(&p->addr) || (kept && prefix6_equal(p, kept)))
			continue;
		put_resource(x, ia->code, p, 0, 0);
	}
}

static void put_ia_status(struct exchange *x, const struct d6_ia *ia, enum d6_status status, const char *why)
{
	size_t at = ia->code == D6_OPT_IA_TA ? d6_open(&x->w, ia->code) : d6_open_ia(&x->w, ia->code, ia->iaid, 0, 0);
	if (ia->code == D6_OPT_IA_TA)
		wr_be32(&x->w, ia->iaid);
	d6_put_status(&x->w, status, why);
	d6_close(&x->w, at);
}

static void put_ia(struct exchange *x, const struct d6_ia *ia, const struct prefix6 *p, bool withdraw_others)
{
	const struct dhcp6_config *c = &x->s->config;
	size_t at = d6_open_ia(&x->w, ia->code, ia->iaid, x->s->t1_s, x->s->t2_s);
	put_resource(x, ia->code, p, c->preferred_lft_s, c->valid_lft_s);
	if (withdraw_others)
		put_withdrawn(x, ia, p);
	d6_close(&x->w, at);
	if (x->n_avoid < D6_MAX_IAS)
		x->avoid[x->n_avoid++] = *p;
}

static bool refuse_kind(struct exchange *x, const struct d6_ia *ia)
{
	if (ia->code == D6_OPT_IA_PD || (ia->code == D6_OPT_IA_NA && x->s->config.ia_na))
		return false;
	put_ia_status(x, ia, D6_STATUS_NO_ADDRS_AVAIL, "this provider hands out no addresses by DHCPv6");
	return true;
}

static void put_none(struct exchange *x, const struct d6_ia *ia, int why)
{
	bool pd = ia->code == D6_OPT_IA_PD;
	if (why == -EDQUOT)
		x->s->stats.over_limit++;
	else
		pool_stats(x->s, kind_of(ia))->exhausted++;
	put_ia_status(x, ia, pd ? D6_STATUS_NO_PREFIX_AVAIL : D6_STATUS_NO_ADDRS_AVAIL,
		      why == -EDQUOT ? "this client holds as many as it may" : "the pool is exhausted");
}

/* One IA of a SOLICIT, REQUEST, RENEW or REBIND. commit: it becomes the client's, else it is an offer that holds nothing. */
static void serve_ia(struct exchange *x, const struct d6_ia *ia, bool commit, bool renewal)
{
	struct prefix6 prefix;
	struct binding *mine, *freed;
	if (refuse_kind(x, ia))
		return;
	int r = choose(x, ia, &prefix, &mine, &freed);
	if (r == 0 && commit) {
		struct binding *b;
		r = grant(x, ia, &prefix, mine, freed, &b);
	}
	if (r < 0 && renewal) {
		/* §18.3.4, §18.3.5: nothing to prolong and nothing to give instead. */
		size_t at = d6_open_ia(&x->w, ia->code, ia->iaid, 0, 0);
		put_withdrawn(x, ia, NULL);
		d6_put_status(&x->w, D6_STATUS_NO_BINDING, "no binding for this IA, and nothing free to give instead");
		d6_close(&x->w, at);
	} else if (r < 0) {
		put_none(x, ia, r);
	} else {
		put_ia(x, ia, &prefix, renewal);
	}
}

/* --- messages ----------------------------------------------------------------------------------------------- */

static void drop(struct dhcp6_server *s, enum d6_drop why)
{
	s->stats.drops[why]++;
}

static void put_options(struct exchange *x)
{
	const struct dhcp6_config *c = &x->s->config;
	if (c->n_nameservers && d6_oro_has(&x->msg, D6_OPT_DNS_SERVERS))
		d6_put_in6_list(&x->w, D6_OPT_DNS_SERVERS, c->nameservers, c->n_nameservers);
	if (c->n_search && d6_oro_has(&x->msg, D6_OPT_DOMAIN_LIST)) {
		size_t at = d6_open(&x->w, D6_OPT_DOMAIN_LIST);
		for (size_t i = 0; i < c->n_search; i++)
			dnsname_put(&x->w, c->search[i]);
		d6_close(&x->w, at);
	}
}

/* Where relays brought the message, its answer is wrapped as often (§19.3). */
static void begin_answer(struct exchange *x, uint8_t type, size_t relay_msgs[static D6_HOP_COUNT_LIMIT + 1])
{
	x->w = wr_of(x->batch->arena[x->batch->n_answers], BATCH_ANSWER_MAX);
	for (size_t i = 0; i < x->n_relays; i++) {
		d6_put_relay_reply(&x->w, &x->relays[i]);
		relay_msgs[i] = d6_open(&x->w, D6_OPT_RELAY_MSG);
	}
	d6_put_header(&x->w, type, x->msg.xid);
	d6_put_span(&x->w, D6_OPT_SERVERID, x->s->config.server_id.bytes, x->s->config.server_id.len);
	if (x->msg.client_id.bytes)
		d6_put_span(&x->w, D6_OPT_CLIENTID, x->msg.client_id.bytes, x->msg.client_id.len);
}

static void end_answer(struct exchange *x, const size_t relay_msgs[static D6_HOP_COUNT_LIMIT + 1])
{
	for (size_t i = x->n_relays; i-- > 0;)
		d6_close(&x->w, relay_msgs[i]);
	if (x->w.full) {
		drop(x->s, D6_DROP_NO_ROOM);
		return;
	}
	struct answer *a = &x->batch->answers[x->batch->n_answers];
	*a = (struct answer){
		.dst = x->meta->src,
		.dst_port = x->n_relays ? DHCP6_SERVER_PORT : DHCP6_CLIENT_PORT,
		.len = (uint16_t)wr_len(&x->w),
		.first_route = x->first_route,
		.n_routes = (uint32_t)x->batch->n_routes - x->first_route,
		.bytes = x->w.start,
	};
	/* RFC 8357: a relay that said so is answered where it sent from. */
	if (x->n_relays && x->relays[0].has_relay_port)
		a->dst_port = x->meta->src_port;
	x->batch->n_answers++;
	x->s->stats.answered++;
}

static void put_ias(struct exchange *x, bool commit, bool renewal)
{
	for (size_t i = 0; i < x->msg.n_ias; i++)
		serve_ia(x, &x->msg.ias[i], commit, renewal);
}

static bool on_link(const struct exchange *x, const struct in6_addr *a)
{
	return prefix6_has_addr(&x->s->config.transfer, a);
}

/* §18.3.1 */
static void on_solicit(struct exchange *x)
{
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	bool rapid = x->msg.rapid_commit && x->s->config.rapid_commit;
	begin_answer(x, rapid ? D6_REPLY : D6_ADVERTISE, relay_msgs);
	if (rapid)
		d6_put_empty(&x->w, D6_OPT_RAPID_COMMIT);
	put_ias(x, rapid, false);
	put_options(x);
	end_answer(x, relay_msgs);
}

/* §18.3.2 */
static void on_request(struct exchange *x)
{
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	begin_answer(x, D6_REPLY, relay_msgs);
	for (size_t i = 0; i < x->msg.n_ias; i++) {
		const struct d6_ia *ia = &x->msg.ias[i];
		bool foreign = false;
		for (size_t k = 0; k < ia->n_resources && ia->code == D6_OPT_IA_NA; k++)
			foreign |= !IN6_IS_ADDR_UNSPECIFIED(&ia->resources[k].prefix.addr) &&
				   !on_link(x, &ia->resources[k].prefix.addr);
		if (foreign)
			put_ia_status(x, ia, D6_STATUS_NOT_ON_LINK, "an address of this IA does not belong to this link");
		else
			serve_ia(x, ia, true, false);
	}
	put_options(x);
	end_answer(x, relay_msgs);
}

/* §18.3.3: about addresses alone; a prefix is confirmed by REBIND. */
static void on_confirm(struct exchange *x)
{
	size_t n = 0;
	bool fits = true;
	for (size_t i = 0; i < x->msg.n_ias; i++) {
		const struct d6_ia *ia = &x->msg.ias[i];
		for (size_t k = 0; k < ia->n_resources && ia->code != D6_OPT_IA_PD; k++, n++)
			fits &= on_link(x, &ia->resources[k].prefix.addr);
	}
	if (n == 0) {
		drop(x->s, D6_DROP_NOTHING_TO_CONFIRM);
		return;
	}
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	begin_answer(x, D6_REPLY, relay_msgs);
	d6_put_status(&x->w, fits ? D6_STATUS_SUCCESS : D6_STATUS_NOT_ON_LINK, NULL);
	end_answer(x, relay_msgs);
}

/* §18.3.4, §18.3.5 */
static void on_renew(struct exchange *x)
{
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	begin_answer(x, D6_REPLY, relay_msgs);
	put_ias(x, true, true);
	put_options(x);
	end_answer(x, relay_msgs);
}

static bool names(const struct d6_ia *ia, const struct binding *b)
{
	const struct prefix6 p = { b->addr, b->plen };
	for (size_t i = 0; i < ia->n_resources; i++)
		if (prefix6_equal(&ia->resources[i].prefix, &p))
			return true;
	return false;
}

/* §18.3.7, §18.3.8: what is not this client's is nobody's business of its. */
static void on_give_back(struct exchange *x, enum binding_state state)
{
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	begin_answer(x, D6_REPLY, relay_msgs);
	for (size_t i = 0; i < x->msg.n_ias; i++) {
		const struct d6_ia *ia = &x->msg.ias[i];
		struct binding *b = find(x, ia);
		bool declined_prefix = state == BINDING_DECLINED && ia->code == D6_OPT_IA_PD;
		if (declined_prefix)
			continue; /* a DECLINE is about addresses (§18.2.8) */
		if (!b || b->state != BINDING_BOUND)
			put_ia_status(x, ia, D6_STATUS_NO_BINDING, "no binding for this IA");
		else if (names(ia, b))
			end_binding(x->s, x->now_ms, b, state, x->batch);
	}
	d6_put_status(&x->w, D6_STATUS_SUCCESS, NULL);
	end_answer(x, relay_msgs);
}

/* §18.3.6 */
static void on_information_request(struct exchange *x)
{
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1];
	begin_answer(x, D6_REPLY, relay_msgs);
	put_options(x);
	end_answer(x, relay_msgs);
}

/* §16: who must and must not name whom. D6_DROP_COUNT: the message stands. */
static enum d6_drop validate(const struct exchange *x)
{
	const struct d6_msg *m = &x->msg;
	const struct duid *own = &x->s->config.server_id;
	bool server_id = m->server_id.bytes != NULL;
	bool ours = server_id && m->server_id.len == own->len && memcmp(m->server_id.bytes, own->bytes, own->len) == 0;
	if (m->client_id.bytes && m->client_id.len > DUID_MAX)
		return D6_DROP_LONG_DUID;
	switch (m->type) {
	case D6_SOLICIT:
	case D6_CONFIRM:
	case D6_REBIND:
		if (!m->client_id.bytes)
			return D6_DROP_NO_CLIENT_ID;
		return server_id ? D6_DROP_HAS_SERVER_ID : D6_DROP_COUNT;
	case D6_REQUEST:
	case D6_RENEW:
	case D6_RELEASE:
	case D6_DECLINE:
		if (!m->client_id.bytes)
			return D6_DROP_NO_CLIENT_ID;
		if (!server_id)
			return D6_DROP_NO_SERVER_ID;
		return ours ? D6_DROP_COUNT : D6_DROP_OTHER_SERVER;
	case D6_INFORMATION_REQUEST:
		if (m->n_ias)
			return D6_DROP_HAS_IA;
		return server_id && !ours ? D6_DROP_OTHER_SERVER : D6_DROP_COUNT;
	case D6_ADVERTISE:
	case D6_REPLY:
	case D6_RECONFIGURE:
	case D6_RELAY_REPL:
		return D6_DROP_NOT_FOR_SERVERS;
	default:
		return D6_DROP_UNKNOWN_TYPE;
	}
}

static void handle(struct exchange *x)
{
	switch (x->msg.type) {
	case D6_SOLICIT:
		on_solicit(x);
		break;
	case D6_REQUEST:
		on_request(x);
		break;
	case D6_CONFIRM:
		on_confirm(x);
		break;
	case D6_RENEW:
	case D6_REBIND:
		on_renew(x);
		break;
	case D6_RELEASE:
		on_give_back(x, BINDING_FREED);
		break;
	case D6_DECLINE:
		on_give_back(x, BINDING_DECLINED);
		break;
	default: /* validate() lets nothing else through */
		on_information_request(x);
		break;
	}
}

static enum d6_drop drop_of(enum d6_verdict v)
{
	return v == D6_TOO_MANY ? D6_DROP_TOO_MANY : v == D6_UNKNOWN_TYPE ? D6_DROP_UNKNOWN_TYPE : D6_DROP_MALFORMED;
}

/* Takes the relays' layers off (§19); *packet is the client's message afterwards. */
static enum d6_drop unwrap(struct exchange *x, struct rd *packet)
{
	while (rd_left(packet) > 0 && *packet->p == D6_RELAY_FORW) {
		if (x->n_relays > D6_HOP_COUNT_LIMIT)
			return D6_DROP_HOP_COUNT;
		struct d6_relay *relay = &x->relays[x->n_relays];
		enum d6_verdict v = d6_parse_relay(*packet, relay);
		if (v != D6_OK)
			return drop_of(v);
		if (relay->hop_count >= D6_HOP_COUNT_LIMIT)
			return D6_DROP_HOP_COUNT;
		x->n_relays++;
		*packet = relay->message;
	}
	return D6_DROP_COUNT;
}

/*
 * Where the client's prefix is to be routed: to its own link-local address; behind a relay that has a link of its own to that relay.
 * A lightweight relay (RFC 6221) has none, its link-address is "::", and the client is on our link.
 */
static enum d6_drop find_next_hop(struct exchange *x)
{
	x->next_hop = x->meta->src;
	if (x->n_relays == 0)
		return IN6_IS_ADDR_LINKLOCAL(&x->meta->src) ? D6_DROP_COUNT : D6_DROP_SOURCE;
	bool lightweight = true;
	for (size_t i = 0; i < x->n_relays; i++)
		lightweight &= IN6_IS_ADDR_UNSPECIFIED(&x->relays[i].link_address);
	if (lightweight)
		x->next_hop = x->relays[x->n_relays - 1].peer_address;
	return IN6_IS_ADDR_UNSPECIFIED(&x->next_hop) || IN6_IS_ADDR_MULTICAST(&x->next_hop) ? D6_DROP_SOURCE : D6_DROP_COUNT;
}

void dhcp6_server_input(struct dhcp6_server *s, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet, struct batch *batch)
{
	struct exchange x;
	x.s = s;
	x.now_ms = now_ms;
	x.meta = meta;
	x.batch = batch;
	x.n_relays = 0;
	x.n_avoid = 0;
	x.first_route = (uint32_t)batch->n_routes;
	s->stats.received++;
	enum d6_drop why = unwrap(&x, &packet);
	if (why == D6_DROP_COUNT && rd_left(&packet) > 0 && *packet.p == D6_RELAY_REPL)
		why = D6_DROP_NOT_FOR_SERVERS;
	if (why == D6_DROP_COUNT) {
		enum d6_verdict v = d6_parse(packet, &x.msg);
		why = v == D6_OK ? D6_DROP_COUNT : drop_of(v);
	}
	if (why == D6_DROP_COUNT) {
		s->stats.by_type[x.n_relays ? D6_RELAY_FORW : x.msg.type]++;
		/* Relays may use unicast (§19.1.1); a client has no reason to any more, with Server Unicast gone. */
		if (!x.n_relays && !IN6_IS_ADDR_MULTICAST(&meta->dst))
			why = D6_DROP_UNICAST;
	}
	if (why == D6_DROP_COUNT)
		why = validate(&x);
	if (why == D6_DROP_COUNT)
		why = find_next_hop(&x);
	if (why == D6_DROP_COUNT)
		handle(&x);
	else
		drop(s, why);
}
