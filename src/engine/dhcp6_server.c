/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dhcp6_server.h"

#include "engine/leases.h"
#include "engine/names.h"
#include "engine/recall.h"
#include "wire/dhcp6_options.h"
#include "wire/dnsname.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	IA_ROOM = 96, /* bytes of an IA with one prefix (and what it excludes), or with a status and
			 its text */
	STATUS_ROOM = 16, /* of a message's own status, and of Rapid Commit */
	RECONFIGURE_ROOM = 4 + D6_AUTH_OPTION_LEN,
	DEPRECATED_T1_S = 60,  /* for clients that no RECONFIGURE reaches: what they hold is good
				  again soon after the uplink is */
	HARDWARE_ETHERNET = 1, /* in a client link-layer address option (RFC 6939 §4) */
};

struct dhcp6_server {
	struct dhcp6_config config;
	struct leases leases;
	struct reservations *reserved;
	struct recall recall;
	bool reachable;
	struct in6_addr own_link_local;
	uint64_t last_replay;
	uint32_t t1_s, t2_s;
	size_t options_room; /* bytes of everything that a client can ask for */
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
	bool our_link; /* false: behind a relay whose link has another prefix than ours */
	bool routable; /* the next hop is on our link */
	struct lease_client client;
	uint8_t details[BINDING_DETAILS_MAX];
	struct lease_spoken spoken;
	struct wr w;
	uint8_t answer_type;
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1]; /* options to close */
	size_t ias_left; /* of the message, from the one being answered on */
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
	return lifetime_s == D6_LFT_INFINITY ? D6_LFT_INFINITY
					     : (uint32_t)((uint64_t)lifetime_s * tenths / 10);
}

void dhcp6_server_uplink(struct dhcp6_server *s, bool works)
{
	uint32_t preferred_s = s->config.preferred_lft_s, t1_s = fraction(preferred_s, 5);
	if (!works && t1_s > DEPRECATED_T1_S) {
		s->t1_s = DEPRECATED_T1_S;
		s->t2_s = DEPRECATED_T1_S * 8 / 5;
	} else {
		s->t1_s = t1_s;
		s->t2_s = fraction(preferred_s, 8);
	}
	s->leases.preferred_lft_s = works ? preferred_s : 0;
}

bool dhcp6_server_outdated(const struct dhcp6_server *s, const struct binding *b)
{
	return b->state == BINDING_BOUND &&
	       (b->preferred_lft_s == 0) != (s->leases.preferred_lft_s == 0);
}

/* In one of the transfer networks. */
static bool on_our_link(const struct dhcp6_server *s, const struct in6_addr *a)
{
	bool there = prefix6_has_addr(&s->config.transfer, a);
	for (size_t i = 0; i < s->config.n_more_transfers && !there; i++)
		there = prefix6_has_addr(&s->config.more_transfers[i], a);
	return there;
}

static int init_pools(struct dhcp6_server *s)
{
	const struct dhcp6_config *c = &s->config;
	const struct prefix6 own = { c->own_addr, 128 };
	const uint8_t pd[3] = { c->pd_min_len ? c->pd_min_len : c->pd_len, c->pd_len,
				c->pd_max_len ? c->pd_max_len : c->pd_len };
	const uint8_t na[3] = { 128, 128, 128 };
	int r = pool_init(&s->leases.pools[BINDING_PD], BINDING_PD, &c->pd_pool, pd, c->pool_key);
	if (r == 0)
		r = pool_init(&s->leases.pools[BINDING_NA], BINDING_NA, &c->transfer, na,
			      c->pool_key);
	if (r == 0)
		r = pool_exclude(&s->leases.pools[BINDING_PD], &c->transfer);
	for (size_t i = 0; i < c->n_more_transfers && r == 0; i++)
		r = pool_exclude(&s->leases.pools[BINDING_PD], &c->more_transfers[i]);
	return r == 0 ? pool_exclude(&s->leases.pools[BINDING_NA], &own) : r;
}

static size_t room_for_options(const struct dhcp6_config *c)
{
	size_t room = 8 + RECONFIGURE_ROOM + c->n_nameservers * sizeof(struct in6_addr);
	for (size_t i = 0; i < c->n_search; i++)
		room += strlen(c->search[i]) + 2;
	for (size_t i = 0; i < c->n_extra; i++)
		room += 4U + c->extra[i].len;
	return room;
}

/* Whether a prefix of this length has a part of its own that is to be excluded. */
static bool has_excluded(const struct dhcp6_config *c, uint8_t plen)
{
	unsigned bits = (unsigned)c->pd_exclude_len - plen;
	return c->pd_exclude_len > plen && (bits >= 64 || c->pd_exclude_subnet >> bits == 0);
}

static bool exclude_valid(const struct dhcp6_config *c)
{
	return !c->pd_exclude_len || (c->pd_exclude_len <= 128 &&
				      has_excluded(c, c->pd_max_len ? c->pd_max_len : c->pd_len));
}

static bool config_valid(const struct dhcp6_config *c)
{
	return exclude_valid(c) && c->server_id.len > 0 && c->valid_lft_s > 0 &&
	       c->preferred_lft_s <= c->valid_lft_s && c->n_nameservers <= D6_MAX_NAMESERVERS &&
	       c->n_search <= D6_MAX_SEARCH && c->n_extra <= D6_MAX_EXTRA_OPTIONS &&
	       c->max_bindings_per_station <= D6_MAX_STATION_LIMIT &&
	       room_for_options(c) <= BATCH_OPTIONS_MAX + RECONFIGURE_ROOM;
}

int dhcp6_server_new(const struct dhcp6_config *config, struct dhcp6_server **ret_server)
{
	if (!config_valid(config))
		return -EINVAL;
	struct dhcp6_server *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->options_room = room_for_options(config);
	dhcp6_server_uplink(s, true);
	s->leases.valid_lft_s = config->valid_lft_s;
	s->leases.max_per_client = config->max_bindings_per_client;
	s->leases.max_per_station = config->max_bindings_per_station;
	int r = bindings_init(&s->leases.table, config->table_key);
	if (r == 0 && s->leases.max_per_station)
		r = leases_count_stations(&s->leases);
	if (r == 0)
		r = recall_init(&s->recall, config->table_key);
	if (r == 0)
		r = init_pools(s);
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
	bindings_done(&s->leases.table);
	leases_uncount_stations(&s->leases);
	recall_done(&s->recall);
	reservations_free(s->reserved);
	pool_done(&s->leases.pools[BINDING_PD]);
	pool_done(&s->leases.pools[BINDING_NA]);
	free(s);
}

void dhcp6_server_load_begin(struct dhcp6_server *s, size_t expected)
{
	bindings_load_begin(&s->leases.table, expected);
}

void dhcp6_server_load_end(struct dhcp6_server *s)
{
	bindings_load_end(&s->leases.table);
}

int dhcp6_server_load(struct dhcp6_server *s, const struct binding_record *r, uint64_t now_ms)
{
	return leases_load(&s->leases, r, now_ms);
}

uint64_t dhcp6_server_deadline(const struct dhcp6_server *s)
{
	uint64_t expiry = bindings_deadline(&s->leases.table);
	uint64_t recall = s->reachable ? recall_deadline(&s->recall) : UINT64_MAX;
	return expiry < recall ? expiry : recall;
}

int dhcp6_server_each(const struct dhcp6_server *s, int (*fn)(void *ctx, const struct binding *b),
		      void *ctx)
{
	return bindings_each(&s->leases.table, fn, ctx);
}

const struct binding_table *dhcp6_server_table(const struct dhcp6_server *s)
{
	return &s->leases.table;
}

bool dhcp6_server_consistent(const struct dhcp6_server *s)
{
	return leases_consistent(&s->leases);
}

static struct dhcp6_pool_stats *pool_stats(struct dhcp6_server *s, enum binding_kind kind)
{
	return kind == BINDING_PD ? &s->stats.pd : &s->stats.na;
}

const struct dhcp6_stats *dhcp6_server_stats(struct dhcp6_server *s)
{
	for (int kind = BINDING_NA; kind <= BINDING_PD; kind++) {
		struct dhcp6_pool_stats *p = pool_stats(s, (enum binding_kind)kind);
		p->capacity = s->leases.pools[kind].capacity;
		p->used = leases_used(&s->leases, (enum binding_kind)kind);
		p->bound = s->leases.table.n_by_state[kind][BINDING_BOUND];
		p->freed = s->leases.table.n_by_state[kind][BINDING_FREED];
		p->declined = s->leases.table.n_by_state[kind][BINDING_DECLINED];
	}
	s->stats.recall.waiting = s->recall.n;
	s->stats.recall.given_up = s->recall.given_up;
	return &s->stats;
}

static enum binding_kind kind_of(const struct d6_ia *ia)
{
	return ia->code == D6_OPT_IA_PD ? BINDING_PD : BINDING_NA;
}

/* --- reservations, and clients that are to come back
 * --------------------------------------------------------
 */

void dhcp6_server_reserve(struct dhcp6_server *s, struct reservations *reserved)
{
	leases_reserve(&s->leases, reserved);
	reservations_free(s->reserved);
	s->reserved = reserved;
}

/* What is kept of this option; bytes NULL: nothing. */
static struct d6_span detail_of(const uint8_t *details, size_t len, uint16_t code)
{
	struct rd r = rd_of(details, len);
	struct d6_opt opt;
	while (d6_opt_next(&r, &opt))
		if (opt.code == code)
			return (struct d6_span){ opt.body.p, (uint16_t)rd_left(&opt.body) };
	return (struct d6_span){ 0 };
}

/* Whoever holds a binding, as far as the binding tells. */
static struct lease_client client_of(const struct binding *b)
{
	struct lease_client c = { .duid = binding_duid(b),
				  .duid_len = b->duid_len,
				  .hash = b->client_hash,
				  .next_hop = b->next_hop,
				  .via.len = b->lladdr_len };
	memcpy(c.via.bytes, b->lladdr, sizeof c.via.bytes);
	c.own = c.via;
	if (b->details)
		c.interface_id = detail_of(b->details->bytes, b->details->len, D6_OPT_INTERFACE_ID);
	return c;
}

bool dhcp6_server_unfounded(const struct dhcp6_server *s, const struct binding *b)
{
	const struct lease_client c = client_of(b);
	const struct prefix6 p = { b->addr, b->plen };
	return !leases_may_hold(&s->leases, &c, (enum binding_kind)b->kind, b->iaid, &p);
}

bool dhcp6_server_astray(const struct dhcp6_server *s, const struct binding *b)
{
	if (reservations_count(s->reserved) == 0 || b->state == BINDING_DECLINED)
		return false;
	const struct lease_client c = client_of(b);
	return leases_astray(&s->leases, &c, b);
}

void dhcp6_server_own(struct dhcp6_server *s, const struct in6_addr *link_local)
{
	s->own_link_local = *link_local;
}

void dhcp6_server_reachable(struct dhcp6_server *s, bool reachable)
{
	s->reachable = reachable;
}

void dhcp6_server_recall(struct dhcp6_server *s, const struct binding_record *r, uint64_t now_ms)
{
	/* Without memory its client learns it when it renews, as if it did not accept this. */
	if (s->config.reconfigure && r->state == BINDING_BOUND &&
	    detail_of(r->details, r->details_len, D6_OPT_RECONF_ACCEPT).bytes)
		(void)recall_add(&s->recall, r, now_ms);
}

bool dhcp6_server_remove(struct dhcp6_server *s, bool (*which)(void *ctx, const struct binding *b),
			 void *ctx, uint64_t now_ms, struct batch *batch, uint32_t *at,
			 size_t *n_removed)
{
	struct binding *b;
	while ((b = bindings_next(&s->leases.table, *at))) {
		if (batch_full(batch))
			return true;
		*at = b->id + 1;
		if (!which(ctx, b))
			continue;
		struct binding_record record;
		binding_to_record(b, &record);
		dhcp6_server_recall(s, &record, now_ms);
		leases_forget(&s->leases, b, batch);
		++*n_removed;
	}
	return false;
}

static uint64_t next_replay(struct dhcp6_server *s, uint64_t now_ms)
{
	uint64_t replay = s->config.replay_base + now_ms;
	s->last_replay = replay > s->last_replay ? replay : s->last_replay + 1;
	return s->last_replay;
}

/* §18.3.11. Behind relays it goes the way that the answers went (§19.3). */
static void put_reconfigure(struct dhcp6_server *s, const struct recall_client *c, uint64_t now_ms,
			    struct batch *batch)
{
	uint8_t key[D6_RECONFIGURE_KEY_LEN];
	struct wr w = wr_of(batch->arena + batch->arena_used, BATCH_ANSWER_MAX);
	size_t relay_msgs[D6_HOP_COUNT_LIMIT + 1], n_relays = 0;
	uint16_t port = DHCP6_CLIENT_PORT;
	struct d6_span way = detail_of(c->bytes + c->duid_len, c->details_len, D6_OPT_RELAY_MSG);
	if (way.bytes) {
		struct rd layers = rd_of(way.bytes, way.len);
		port = rd_be16(&layers);
		while (rd_left(&layers) > 2 && n_relays < D6_HOP_COUNT_LIMIT + 1) {
			struct rd layer = rd_sub(&layers, rd_be16(&layers));
			wr_bytes(&w, layer.p, rd_left(&layer));
			relay_msgs[n_relays++] = d6_open(&w, D6_OPT_RELAY_MSG);
		}
	}
	const uint8_t *message = w.p;
	d6_put_header(&w, D6_RECONFIGURE, 0);
	d6_put_span(&w, D6_OPT_SERVERID, s->config.server_id.bytes, s->config.server_id.len);
	d6_put_span(&w, D6_OPT_CLIENTID, c->bytes, c->duid_len);
	size_t at = d6_open(&w, D6_OPT_RECONF_MSG);
	wr_u8(&w, D6_RENEW);
	d6_close(&w, at);
	d6_reconfigure_key(s->config.reconfigure_secret, &c->next_hop, c->bytes, c->duid_len, key);
	d6_put_reconfigure_digest(&w, message, next_replay(s, now_ms), key);
	while (n_relays > 0)
		d6_close(&w, relay_msgs[--n_relays]);
	assert(!w.full); /* a DUID and details are far shorter than an answer may be */
	struct answer *a = &batch->answers[batch->n_answers++];
	*a = (struct answer){
		.dst = c->next_hop,
		.dst_port = port,
		.lladdr_len = c->lladdr_len,
		.len = (uint16_t)wr_len(&w),
		.first_route = (uint32_t)batch->n_routes,
		.bytes = w.start,
	};
	memcpy(a->lladdr, c->lladdr, sizeof a->lladdr);
	batch->arena_used += wr_len(&w);
	s->stats.recall.sent++;
}

void dhcp6_server_tick(struct dhcp6_server *s, uint64_t now_ms, struct batch *batch)
{
	leases_expire(&s->leases, now_ms, batch);
	const struct recall_client *c;
	while (s->reachable && !batch_full(batch) && (c = recall_next(&s->recall, now_ms)))
		put_reconfigure(s, c, now_ms, batch);
}

/* Bytes that an answer may still need, beside so many IAs. */
static size_t room_to_come(const struct exchange *x, size_t n_ias)
{
	const char *zone = x->s->config.zone;
	size_t name = x->msg.fqdn.bytes
			      ? x->msg.fqdn.len + 4U + (zone ? NAME_STRLEN + strlen(zone) + 2 : 0)
			      : 0;
	return x->s->options_room + name + STATUS_ROOM + n_ias * IA_ROOM;
}

/* --- writing IAs
 * -------------------------------------------------------------------------------------------- */

/* RFC 6603 §4.2: only for those who ask, and within the prefix that it is a part of. */
static void put_exclude(struct exchange *x, const struct prefix6 *p)
{
	const struct dhcp6_config *c = &x->s->config;
	/* A reserved prefix may be longer than all of the pool. */
	if (!has_excluded(c, p->plen) || !d6_oro_has(&x->msg, D6_OPT_PD_EXCLUDE))
		return;
	const struct prefix6 excluded = prefix6_nth(p, c->pd_exclude_len, c->pd_exclude_subnet);
	d6_put_pd_exclude(&x->w, p, &excluded);
}

static void put_resource(struct exchange *x, uint16_t code, const struct prefix6 *p,
			 uint32_t preferred_s, uint32_t valid_s)
{
	if (code != D6_OPT_IA_PD) {
		d6_put_iaaddr(&x->w, &p->addr, preferred_s, valid_s);
		return;
	}
	size_t at = d6_open_iaprefix(&x->w, p, preferred_s, valid_s);
	if (valid_s) /* else it is withdrawn, and may be any prefix at all */
		put_exclude(x, p);
	d6_close(&x->w, at);
}

/* Among the first n of an IA. */
static bool names(const struct d6_ia *ia, size_t n, const struct prefix6 *p)
{
	for (size_t i = 0; i < n; i++)
		if (prefix6_equal(&ia->resources[i].prefix, p))
			return true;
	return false;
}

/*
 * What the client believes to have and does not: lifetimes 0, next to what it has (§18.3.4,
 * §18.3.5; RFC 9096 §3.1 for what it means). As far as they fit into a frame beside what must be
 * said: nobody is left without an answer for claiming many.
 */
static void put_withdrawn(struct exchange *x, const struct d6_ia *ia, const struct prefix6 *kept)
{
	size_t to_come = room_to_come(x, x->ias_left);
	for (size_t i = 0; i < ia->n_resources && wr_len(&x->w) + to_come < BATCH_ANSWER_FIT; i++) {
		const struct prefix6 *p = &ia->resources[i].prefix;
		/* ::/N is a hint for a length, not a prefix that anybody holds. */
		if (!IN6_IS_ADDR_UNSPECIFIED(&p->addr) && !(kept && prefix6_equal(p, kept)) &&
		    !names(ia, i, p))
			put_resource(x, ia->code, p, 0, 0);
	}
}

/* An IA that gets nothing, and why, in words as long as a frame has room for what must be said of
 * the others. withdraw: the client may hold something by our former word. */
static void put_refused(struct exchange *x, const struct d6_ia *ia, enum d6_status status,
			const char *why, bool withdraw)
{
	bool roomy = wr_len(&x->w) + x->ias_left * IA_ROOM < BATCH_ANSWER_FIT;
	size_t at = d6_open_ia(&x->w, ia->code, ia->iaid, 0, 0);
	if (withdraw)
		put_withdrawn(x, ia, NULL);
	d6_put_status(&x->w, status, roomy ? why : NULL);
	d6_close(&x->w, at);
}

/* Counts what leases_choose() or leases_grant() refused; returns what the client is told. */
static const char *note_refused(struct exchange *x, enum binding_kind kind, int why)
{
	struct dhcp6_stats *st = &x->s->stats;
	if (why == -EDQUOT) {
		st->over_limit++;
		return "this client holds as many as it may";
	}
	if (why != -EUSERS) {
		pool_stats(x->s, kind)->exhausted++;
		return "none is left";
	}
	st->over_station_limit.n++;
	st->over_station_limit.src = x->meta->src;
	st->over_station_limit.lladdr_len =
		x->meta->lladdr_len == BINDING_LLADDR_MAX ? BINDING_LLADDR_MAX : 0;
	memcpy(st->over_station_limit.lladdr, x->meta->lladdr, BINDING_LLADDR_MAX);
	return "this station holds as many as it may";
}

/* One IA of a SOLICIT, REQUEST, RENEW or REBIND. commit: it becomes the client's, else it is an
 * offer that holds nothing. */
static void serve_ia(struct exchange *x, const struct d6_ia *ia, bool commit, bool renewal)
{
	struct dhcp6_server *s = x->s;
	struct lease_choice choice;
	enum binding_kind kind = kind_of(ia);
	bool pd = kind == BINDING_PD;
	if (!pd && (!s->config.ia_na || !x->our_link)) {
		put_refused(x, ia, D6_STATUS_NO_ADDRS_AVAIL, "no addresses are handed out here",
			    renewal);
		return;
	}
	if (pd && !x->routable) {
		put_refused(x, ia, D6_STATUS_NO_PREFIX_AVAIL, "no route leads to this relay",
			    renewal);
		return;
	}
	int r = leases_choose(&s->leases, &x->client, kind, ia, &x->spoken, &choice);
	if (r == 0 && commit)
		r = leases_grant(&s->leases, &x->client, kind, ia->iaid, &choice, x->now_ms,
				 x->batch);
	if (r < 0) {
		put_refused(x, ia, pd ? D6_STATUS_NO_PREFIX_AVAIL : D6_STATUS_NO_ADDRS_AVAIL,
			    note_refused(x, kind, r), renewal);
		return;
	}
	size_t at = d6_open_ia(&x->w, ia->code, ia->iaid, s->t1_s, s->t2_s);
	put_resource(x, ia->code, &choice.prefix, s->leases.preferred_lft_s, s->config.valid_lft_s);
	if (renewal)
		put_withdrawn(x, ia, &choice.prefix);
	d6_close(&x->w, at);
	x->spoken.prefixes[x->spoken.n++] = choice.prefix;
	x->spoken.n_new += !commit && !(choice.mine && choice.mine->state == BINDING_BOUND);
}

/* --- messages
 * -----------------------------------------------------------------------------------------------
 */

static void drop(struct dhcp6_server *s, enum d6_drop why)
{
	s->stats.drops[why]++;
}

static bool wants_address(const struct d6_msg *m)
{
	for (uint8_t i = 0; i < m->n_ias; i++)
		if (m->ias[i].code == D6_OPT_IA_NA)
			return true;
	return false;
}

/*
 * RFC 4704 §6, to those who ask. Whoever has an address is called by what comes back (S), once
 * nobody else is called so any more; else the client's own name comes back, and nobody writes it
 * into a DNS (N). O says that S is not as the client wished.
 */
static void put_fqdn(struct exchange *x)
{
	enum { FLAG_S = 1, FLAG_O = 2, FLAG_N = 4 };
	const struct d6_span theirs = x->msg.fqdn;
	const char *zone = x->s->config.zone;
	bool wished = theirs.bytes[0] & FLAG_S;
	char name[NAME_STRLEN];
	bool named = zone && x->s->config.ia_na && wants_address(&x->msg) &&
		     name_of_fqdn(rd_of(theirs.bytes, theirs.len), zone, name);
	size_t at = d6_open(&x->w, D6_OPT_CLIENT_FQDN);
	wr_u8(&x->w, (named ? FLAG_S : FLAG_N) | (wished != named ? FLAG_O : 0));
	if (named) {
		wr_u8(&x->w, (uint8_t)strlen(name));
		wr_bytes(&x->w, name, strlen(name));
		dnsname_put(&x->w, zone);
	} else {
		wr_bytes(&x->w, theirs.bytes + 1, theirs.len - 1U);
	}
	d6_close(&x->w, at);
}

/* §18.3.9, §20.4.1: we would, too; and how it will know that it is us. */
static void put_reconfigure_accept(struct exchange *x)
{
	uint8_t key[D6_RECONFIGURE_KEY_LEN];
	if (!x->s->config.reconfigure || !x->msg.reconf_accept || !x->msg.client_id.bytes)
		return;
	d6_put_empty(&x->w, D6_OPT_RECONF_ACCEPT);
	if (x->answer_type != D6_REPLY)
		return;
	d6_reconfigure_key(x->s->config.reconfigure_secret, &x->client.next_hop,
			   x->msg.client_id.bytes, x->msg.client_id.len, key);
	d6_put_reconfigure_key(&x->w, next_replay(x->s, x->now_ms), key);
}

static void put_options(struct exchange *x)
{
	const struct dhcp6_config *c = &x->s->config;
	put_reconfigure_accept(x);
	if (x->msg.oro.len == 0)
		return;
	if (c->n_nameservers && d6_oro_has(&x->msg, D6_OPT_DNS_SERVERS))
		d6_put_in6_list(&x->w, D6_OPT_DNS_SERVERS, c->nameservers, c->n_nameservers);
	if (c->n_search && d6_oro_has(&x->msg, D6_OPT_DOMAIN_LIST)) {
		size_t at = d6_open(&x->w, D6_OPT_DOMAIN_LIST);
		for (size_t i = 0; i < c->n_search; i++)
			dnsname_put(&x->w, c->search[i]);
		d6_close(&x->w, at);
	}
	if (x->msg.fqdn.bytes && x->msg.type != D6_INFORMATION_REQUEST &&
	    d6_oro_has(&x->msg, D6_OPT_CLIENT_FQDN))
		put_fqdn(x);
	for (size_t i = 0; i < c->n_extra; i++) {
		const struct dhcp6_extra_option *o = &c->extra[i];
		if (o->information_only && x->msg.type != D6_INFORMATION_REQUEST)
			continue;
		if (d6_oro_has(&x->msg, o->code))
			d6_put_span(&x->w, o->code, o->bytes, o->len);
	}
}

/*
 * Where relays brought the message, its answer is wrapped as often (§19.3). False where what is to
 * come may not fit (relays that want long Interface-Ids echoed): then nothing is to be changed.
 */
static bool begin_answer(struct exchange *x, uint8_t type)
{
	x->w = wr_of(x->batch->arena + x->batch->arena_used, BATCH_ANSWER_MAX);
	for (size_t i = 0; i < x->n_relays; i++) {
		d6_put_relay_reply(&x->w, &x->relays[i]);
		x->relay_msgs[i] = d6_open(&x->w, D6_OPT_RELAY_MSG);
	}
	x->answer_type = type;
	d6_put_header(&x->w, type, x->msg.xid);
	d6_put_span(&x->w, D6_OPT_SERVERID, x->s->config.server_id.bytes,
		    x->s->config.server_id.len);
	if (x->msg.client_id.bytes)
		d6_put_span(&x->w, D6_OPT_CLIENTID, x->msg.client_id.bytes, x->msg.client_id.len);
	if (!x->w.full && wr_len(&x->w) + room_to_come(x, x->msg.n_ias) <= BATCH_ANSWER_MAX)
		return true;
	drop(x->s, D6_DROP_NO_ROOM);
	return false;
}

static void end_answer(struct exchange *x)
{
	for (size_t i = x->n_relays; i-- > 0;)
		d6_close(&x->w, x->relay_msgs[i]);
	assert(!x->w.full); /* begin_answer() saw to it */
	struct answer *a = &x->batch->answers[x->batch->n_answers++];
	*a = (struct answer){
		.dst = x->meta->src,
		.dst_port = x->n_relays ? DHCP6_SERVER_PORT : DHCP6_CLIENT_PORT,
		.len = (uint16_t)wr_len(&x->w),
		.first_route = x->first_route,
		.n_routes = (uint32_t)x->batch->n_routes - x->first_route,
		.bytes = x->w.start,
	};
	if (x->meta->lladdr_len <= BINDING_LLADDR_MAX) {
		a->lladdr_len = x->meta->lladdr_len;
		memcpy(a->lladdr, x->meta->lladdr, sizeof a->lladdr);
	}
	/* RFC 8357 §5.2: a relay that said so is answered where it sent from. */
	if (x->n_relays && x->relays[0].has_relay_port)
		a->dst_port = x->meta->src_port;
	x->batch->arena_used += wr_len(&x->w);
	x->s->stats.answered++;
	x->s->stats.answers_by_type[x->answer_type]++;
}

/* The next IA to answer, NULL after the last. One that stands twice is answered once. */
static const struct d6_ia *next_ia(struct exchange *x, size_t *i)
{
	for (; *i < x->msg.n_ias; (*i)++) {
		const struct d6_ia *ia = &x->msg.ias[*i];
		bool again = false;
		for (size_t k = 0; k < *i; k++)
			again |= x->msg.ias[k].code == ia->code && x->msg.ias[k].iaid == ia->iaid;
		if (!again) {
			x->ias_left = x->msg.n_ias - (*i)++;
			return ia;
		}
	}
	return NULL;
}

static void put_ias(struct exchange *x, bool commit, bool renewal)
{
	const struct d6_ia *ia;
	for (size_t i = 0; (ia = next_ia(x, &i));)
		serve_ia(x, ia, commit, renewal);
}

static bool on_link(const struct exchange *x, const struct in6_addr *a)
{
	return x->our_link && on_our_link(x->s, a);
}

/* §18.3.1, §18.3.9 */
static void on_solicit(struct exchange *x)
{
	bool rapid = x->msg.rapid_commit && x->s->config.rapid_commit;
	if (!begin_answer(x, rapid ? D6_REPLY : D6_ADVERTISE))
		return;
	if (rapid)
		d6_put_empty(&x->w, D6_OPT_RAPID_COMMIT);
	put_ias(x, rapid, false);
	put_options(x);
	end_answer(x);
}

/* §18.3.2: an IA that names an address of another link is told so, and gets nothing else. */
static bool names_foreign_address(const struct exchange *x, const struct d6_ia *ia)
{
	for (size_t i = 0; i < ia->n_resources && ia->code == D6_OPT_IA_NA; i++) {
		const struct in6_addr *a = &ia->resources[i].prefix.addr;
		if (!IN6_IS_ADDR_UNSPECIFIED(a) && !on_link(x, a))
			return true;
	}
	return false;
}

static void on_request(struct exchange *x)
{
	const struct d6_ia *ia;
	if (!begin_answer(x, D6_REPLY))
		return;
	for (size_t i = 0; (ia = next_ia(x, &i));) {
		if (names_foreign_address(x, ia))
			put_refused(x, ia, D6_STATUS_NOT_ON_LINK,
				    "an address of this IA does not belong to this link", false);
		else
			serve_ia(x, ia, true, false);
	}
	put_options(x);
	end_answer(x);
}

/*
 * §18.3.3: about addresses alone; a prefix is confirmed by REBIND. Behind a relay with another
 * prefix we know nothing of what is right there, only that ours is wrong.
 */
static void on_confirm(struct exchange *x)
{
	size_t n = 0, fit = 0;
	for (size_t i = 0; i < x->msg.n_ias; i++) {
		const struct d6_ia *ia = &x->msg.ias[i];
		for (size_t k = 0; k < ia->n_resources && ia->code != D6_OPT_IA_PD; k++, n++)
			fit += on_our_link(x->s, &ia->resources[k].prefix.addr);
	}
	if (n == 0 || (!x->our_link && fit == 0)) {
		drop(x->s, D6_DROP_NOTHING_TO_CONFIRM);
		return;
	}
	if (!begin_answer(x, D6_REPLY))
		return;
	d6_put_status(&x->w, x->our_link && fit == n ? D6_STATUS_SUCCESS : D6_STATUS_NOT_ON_LINK,
		      NULL);
	end_answer(x);
}

/* §18.3.4, §18.3.5. What is not known but could be given is granted: a lost store costs nobody the
 * connection. */
static void on_renew(struct exchange *x)
{
	if (!begin_answer(x, D6_REPLY))
		return;
	put_ias(x, true, true);
	put_options(x);
	end_answer(x);
}

static bool names_binding(const struct d6_ia *ia, const struct binding *b)
{
	const struct prefix6 p = { b->addr, b->plen };
	return names(ia, ia->n_resources, &p);
}

/*
 * §18.3.7, §18.3.8: what is not this client's is nobody's business of its. Identifiers are no
 * secret on a link that is shared: a client that has another address now says so by RENEW, REBIND
 * or SOLICIT, and its binding follows; only then it can give that back. Who ends another's binding
 * would win nothing by it but harm.
 */
static void on_give_back(struct exchange *x, enum binding_state state)
{
	const struct d6_ia *ia;
	if (!begin_answer(x, D6_REPLY))
		return;
	d6_put_status(&x->w, D6_STATUS_SUCCESS, NULL);
	for (size_t i = 0; (ia = next_ia(x, &i));) {
		struct binding *b = leases_find(&x->s->leases, &x->client, kind_of(ia), ia->iaid);
		if (!b || b->state != BINDING_BOUND)
			put_refused(x, ia, D6_STATUS_NO_BINDING, "no binding for this IA", false);
		else if (!leases_from_holder(&x->s->leases, &x->client, b))
			x->s->stats.not_from_holder++;
		else if (names_binding(ia, b) && (state == BINDING_FREED || b->kind == BINDING_NA))
			leases_end(&x->s->leases, b, state, x->now_ms,
				   x->batch); /* a DECLINE is about addresses (§18.2.8) */
	}
	end_answer(x);
}

/* §18.3.6 */
static void on_information_request(struct exchange *x)
{
	if (!begin_answer(x, D6_REPLY))
		return;
	put_options(x);
	end_answer(x);
}

/* §16: who must and must not name whom. D6_DROP_COUNT: the message stands. */
static enum d6_drop validate(const struct exchange *x)
{
	const struct d6_msg *m = &x->msg;
	const struct duid *own = &x->s->config.server_id;
	bool server_id = m->server_id.bytes != NULL;
	bool ours = server_id && m->server_id.len == own->len &&
		    memcmp(m->server_id.bytes, own->bytes, own->len) == 0;
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
	default: /* ADVERTISE, REPLY, RECONFIGURE: the parser lets nothing else through */
		return D6_DROP_NOT_FOR_SERVERS;
	}
}

static void handle(struct exchange *x)
{
	if (x->msg.type != D6_SOLICIT && x->msg.type != D6_CONFIRM &&
	    recall_heard(&x->s->recall, x->client.duid, x->client.duid_len))
		x->s->stats.recall.heard++;
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
	return v == D6_TOO_MANY       ? D6_DROP_TOO_MANY
	       : v == D6_UNKNOWN_TYPE ? D6_DROP_UNKNOWN_TYPE
				      : D6_DROP_MALFORMED;
}

/* Takes the relays' layers off (§19); *packet is the client's message afterwards. */
static enum d6_drop unwrap(struct exchange *x, struct rd *packet)
{
	while (rd_left(packet) > 0 && *packet->p == D6_RELAY_FORW) {
		if (x->n_relays > D6_HOP_COUNT_LIMIT)
			return D6_DROP_HOP_COUNT;
		enum d6_verdict v = d6_parse_relay(*packet, &x->relays[x->n_relays]);
		if (v != D6_OK)
			return drop_of(v);
		*packet = x->relays[x->n_relays++].message;
	}
	return rd_left(packet) > 0 && *packet->p == D6_RELAY_REPL ? D6_DROP_NOT_FOR_SERVERS
								  : D6_DROP_COUNT;
}

/* §13.1: the link is what the relay nearest to the client says that has something to say; else it
 * is ours. */
static bool is_our_link(const struct exchange *x)
{
	for (size_t i = x->n_relays; i-- > 0;) {
		const struct in6_addr *a = &x->relays[i].link_address;
		if (!IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LINKLOCAL(a))
			return on_our_link(x->s, a);
	}
	return true;
}

/* Of a single station: a group's address would send a subscriber's traffic to everybody. */
static struct lease_lladdr station_of(const uint8_t *bytes, size_t len)
{
	static const uint8_t nobody[BINDING_LLADDR_MAX];
	struct lease_lladdr a = { 0 };
	if (len != sizeof nobody || (bytes[0] & 1) || memcmp(bytes, nobody, len) == 0)
		return a;
	a.len = sizeof nobody;
	memcpy(a.bytes, bytes, sizeof nobody);
	return a;
}

/* Of the client as its relay tells it (RFC 6939), or not. */
static struct lease_lladdr told_station(struct d6_span option)
{
	struct rd r = rd_of(option.bytes, option.bytes ? option.len : 0);
	if (rd_be16(&r) != HARDWARE_ETHERNET)
		return (struct lease_lladdr){ 0 };
	return station_of(r.p, rd_left(&r));
}

/* Whoever sends in our name: no route leads there. */
static bool is_ours(const struct dhcp6_server *s, const struct in6_addr *a)
{
	const struct dhcp6_config *c = &s->config;
	bool ours =
		IN6_ARE_ADDR_EQUAL(a, &s->own_link_local) || IN6_ARE_ADDR_EQUAL(a, &c->own_addr);
	for (size_t i = 0; i < c->n_more_transfers && !ours; i++) {
		const struct in6_addr own = prefix6_with_iid(&c->more_transfers[i], 1);
		ours = IN6_ARE_ADDR_EQUAL(a, &own);
	}
	return ours;
}

/*
 * Where the client's prefix is to be routed: to its own link-local address; behind a relay that has
 * a link of its own to that relay. A lightweight relay (RFC 6221) has none, its link-address is
 * "::", and the client is on our link.
 */
static enum d6_drop find_client(struct exchange *x)
{
	struct lease_client *c = &x->client;
	c->duid = x->msg.client_id.bytes;
	c->duid_len = x->msg.client_id.len;
	c->hash = c->duid ? bindings_hash(&x->s->leases.table, c->duid, c->duid_len) : 0;
	c->next_hop = x->meta->src;
	c->via = c->own = station_of(x->meta->lladdr, x->meta->lladdr_len);
	x->routable = IN6_IS_ADDR_LINKLOCAL(&c->next_hop) || on_our_link(x->s, &c->next_hop);
	/* What a router forwarded to us is not from our link, whatever link it says to serve. */
	x->our_link = x->routable && is_our_link(x);
	if (is_ours(x->s, &c->next_hop))
		return D6_DROP_SOURCE;
	if (x->n_relays == 0)
		return IN6_IS_ADDR_LINKLOCAL(&x->meta->src) ? D6_DROP_COUNT : D6_DROP_SOURCE;
	const struct d6_relay *nearest = &x->relays[x->n_relays - 1];
	c->own = told_station(nearest->linklayer);
	bool lightweight = true;
	for (size_t i = 0; i < x->n_relays; i++)
		lightweight &= IN6_IS_ADDR_UNSPECIFIED(&x->relays[i].link_address);
	if (lightweight) {
		/* It bridges: what came through a router, from whoever is behind a subscriber, is
		 * from none. The frame was the relay's. */
		if (!x->routable)
			return D6_DROP_SOURCE;
		c->next_hop = nearest->peer_address;
		c->via = c->own;
		return IN6_IS_ADDR_LINKLOCAL(&c->next_hop) && !is_ours(x->s, &c->next_hop)
			       ? D6_DROP_COUNT
			       : D6_DROP_SOURCE;
	}
	return IN6_IS_ADDR_UNSPECIFIED(&c->next_hop) || IN6_IS_ADDR_MULTICAST(&c->next_hop)
		       ? D6_DROP_SOURCE
		       : D6_DROP_COUNT;
}

/* Whose bindings are counted together, whatever DUIDs they are of. What a relay tells of its
 * clients is its own word: so there is a limit for it, too, and nothing counts against anybody
 * whom it only names. */
static void find_station(struct exchange *x)
{
	enum { STATION, ADDRESS, RELAY, TOLD, PEER };
	struct lease_client *c = &x->client;
	const uint8_t *key = x->s->config.table_key;
	struct {
		uint8_t kind, lladdr[BINDING_LLADDR_MAX], zero;
		uint32_t relay, interface_id;
		struct in6_addr addr;
	} who = { .kind = ADDRESS, .addr = x->meta->src }, told = { .kind = PEER };
	static_assert(sizeof who == 8 + 2 * sizeof(uint32_t) + sizeof who.addr, "padded");
	const struct lease_lladdr sender = station_of(x->meta->lladdr, x->meta->lladdr_len);
	if (sender.len) {
		who.kind = STATION;
		who.addr = (struct in6_addr){ 0 };
		memcpy(who.lladdr, sender.bytes, sender.len);
	}
	c->relay = 0;
	if (x->n_relays == 0) {
		c->station = census_station(key, &who, sizeof who);
		return;
	}
	who.kind = RELAY;
	c->relay = told.relay = census_station(key, &who, sizeof who);
	const struct d6_relay *nearest = &x->relays[x->n_relays - 1];
	if (c->own.len) {
		told.kind = TOLD;
		memcpy(told.lladdr, c->own.bytes, c->own.len);
	} else {
		told.addr = nearest->peer_address;
		if (nearest->interface_id.bytes)
			told.interface_id = census_station(key, nearest->interface_id.bytes,
							   nearest->interface_id.len);
	}
	c->station = census_station(key, &told, sizeof told);
}

static void keep(struct wr *w, uint16_t code, struct d6_span span)
{
	if (span.bytes && span.len + 4U <= (size_t)(w->end - w->p))
		d6_put_span(w, code, span.bytes, span.len);
}

/*
 * What a message needs that is to reach the client through its relays: the port of the first, then
 * each one's layer, outermost first, behind its length. One that is our next hop needs nothing.
 */
static void keep_way_back(const struct exchange *x, struct wr *w)
{
	if (x->n_relays == 0 ||
	    memcmp(&x->client.next_hop, &x->meta->src, sizeof x->meta->src) != 0)
		return;
	struct wr before = *w;
	size_t at = d6_open(w, D6_OPT_RELAY_MSG);
	wr_be16(w, x->relays[0].has_relay_port ? x->meta->src_port : DHCP6_SERVER_PORT);
	for (size_t i = 0; i < x->n_relays; i++) {
		size_t start = wr_len(w);
		wr_be16(w, 0);
		d6_put_relay_reply(w, &x->relays[i]);
		if (!w->full)
			wr_patch_be16(w, start, (uint16_t)(wr_len(w) - start - 2));
	}
	d6_close(w, at);
	/* Too long to be kept: such a client cannot be reached, and learns it when it renews. */
	if (w->full)
		*w = before;
}

/*
 * What is kept with a binding besides: who the nearest relay that knows says that the client is
 * (RFC 4649, RFC 4580, RFC 9915 §21.18), what it calls itself (RFC 4704), and whether it can be
 * told to come back (§21.20). What does not fit is left out, the least important last.
 */
static void note_details(struct exchange *x)
{
	struct wr w = wr_of(x->details, sizeof x->details);
	x->client.interface_id = (struct d6_span){ 0 };
	bool accepts = x->msg.reconf_accept && x->s->config.reconfigure;
	if (accepts)
		d6_put_empty(&w, D6_OPT_RECONF_ACCEPT);
	struct d6_span interface_id = { 0 }, subscriber_id = { 0 }, remote_id = { 0 };
	for (size_t i = 0; i < x->n_relays; i++) {
		const struct d6_relay *r = &x->relays[i];
		interface_id = r->interface_id.bytes ? r->interface_id : interface_id;
		subscriber_id = r->subscriber_id.bytes ? r->subscriber_id : subscriber_id;
		remote_id = r->remote_id.bytes ? r->remote_id : remote_id;
	}
	keep(&w, D6_OPT_INTERFACE_ID, interface_id);
	x->client.interface_id = interface_id;
	keep(&w, D6_OPT_SUBSCRIBER_ID, subscriber_id);
	keep(&w, D6_OPT_REMOTE_ID, remote_id);
	if (accepts)
		keep_way_back(x, &w);
	keep(&w, D6_OPT_CLIENT_FQDN, x->msg.fqdn);
	x->client.details = x->details;
	x->client.details_len = wr_len(&w);
}

static enum d6_drop accept_message(struct exchange *x, struct rd packet)
{
	enum d6_drop why = unwrap(x, &packet);
	if (why != D6_DROP_COUNT)
		return why;
	enum d6_verdict v = d6_parse(packet, &x->msg);
	if (v != D6_OK)
		return drop_of(v);
	x->s->stats.by_type[x->msg.type]++;
	x->s->stats.by_type[D6_RELAY_FORW] += x->n_relays > 0;
	/* Relays may use unicast (§19.1.1); a client has no reason to any more, with Server Unicast
	 * gone. */
	if (!x->n_relays && !IN6_IS_ADDR_MULTICAST(&x->meta->dst))
		return D6_DROP_UNICAST;
	why = validate(x);
	if (why == D6_DROP_COUNT)
		why = find_client(x);
	if (why == D6_DROP_COUNT) {
		find_station(x);
		note_details(x);
	}
	return why;
}

/* An early look at a message as it comes from a client itself, without judging the rest. */
struct glimpse {
	struct rd duid;
	struct rd rest; /* behind the client id */
	uint32_t client;
};

static bool glimpse_of(struct rd packet, struct glimpse *ret_glimpse)
{
	struct d6_opt opt;
	(void)rd_be32(&packet); /* type and transaction id */
	while (d6_opt_next(&packet, &opt)) {
		if (opt.code != D6_OPT_CLIENTID)
			continue;
		ret_glimpse->duid = opt.body;
		ret_glimpse->rest = packet;
		return rd_left(&opt.body) > 0 && rd_left(&opt.body) <= DUID_MAX;
	}
	return false;
}

/* Whoever has nothing yet gets what it names, or else, most often, what the pool has for it first.
 */
static void expect_new(const struct leases *l, const struct glimpse *g)
{
	struct d6_opt opt, inner;
	struct rd rest = g->rest;
	struct prefix6 named;
	while (d6_opt_next(&rest, &opt) && opt.code != D6_OPT_IA_PD)
		;
	if (rest.bad || opt.code != D6_OPT_IA_PD)
		return;
	const struct pool_wish wish = { .duid = g->duid.p,
					.duid_len = rd_left(&g->duid),
					.iaid = rd_be32(&opt.body) };
	(void)rd_sub(&opt.body, 8); /* T1, T2 */
	if (!d6_opt_next(&opt.body, &inner) || inner.code != D6_OPT_IAPREFIX) {
		pool_expect(&l->pools[BINDING_PD], NULL, &wish);
		return;
	}
	(void)rd_sub(&inner.body, 8); /* lifetimes */
	named.plen = rd_u8(&inner.body);
	named.addr = rd_in6(&inner.body);
	if (!inner.body.bad && pool_expect(&l->pools[BINDING_PD], &named, &wish))
		bindings_expect_prefix(&l->table, &named.addr, named.plen);
}

void dhcp6_server_expect(const struct dhcp6_server *s, const struct rd *packets, size_t n)
{
	struct glimpse seen[BATCH_MESSAGES];
	size_t n_seen = 0;
	for (size_t i = 0; i < n && i < BATCH_MESSAGES; i++) {
		struct glimpse *g = &seen[n_seen];
		if (!glimpse_of(packets[i], g))
			continue;
		g->client = bindings_expect(&s->leases.table, g->duid.p, rd_left(&g->duid));
		n_seen++;
	}
	for (size_t i = 0; i < n_seen; i++)
		if (!bindings_expect_found(&s->leases.table, seen[i].client))
			expect_new(&s->leases, &seen[i]);
}

void dhcp6_server_input(struct dhcp6_server *s, uint64_t now_ms, const struct pkt_meta *meta,
			struct rd packet, struct batch *batch)
{
	struct exchange x; /* its arrays are filled as they are needed: zeroing all of them would
			      cost more than the rest */
	x.s = s;
	x.now_ms = now_ms;
	x.meta = meta;
	x.batch = batch;
	x.n_relays = 0;
	x.spoken.n = x.spoken.n_new = 0;
	x.first_route = (uint32_t)batch->n_routes;
	s->stats.received++;
	enum d6_drop why = accept_message(&x, packet);
	if (why == D6_DROP_COUNT)
		handle(&x);
	else
		drop(s, why);
}
