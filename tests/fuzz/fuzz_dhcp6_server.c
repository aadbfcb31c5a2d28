/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delegating router through whole conversations: the first byte chooses a configuration, each
 * further group of bytes is something that happens (a message of one of a few clients with a few
 * IAs, time that goes by, a restart from what was stored, other reservations, bindings that are
 * removed, garbage). After every step that changed something, and at the end, what the
 * batches said so far must agree with the table, and both with the rules: no prefix with two
 * owners, no overlap, nothing outside the pools and the reservations, nothing routed that is not
 * bound, no station held more or less often than there are routes and addresses that lead to it,
 * every answer well formed, covered by a binding that lasts as long as was promised, with options
 * where RFC 9915 has them, and to a message that may be answered (§16), which is read here byte by
 * byte. What somebody holds ends by its time, by its own client's word or by ours, never by another
 * client's.
 */
#include "fuzz/fuzz.h"
#include "dhcp6_peer.h"
#include "engine/dhcp6_server.h"

#include <string.h>

enum {
	CLIENTS = 24,
	IAIDS = 6,
	ROWS = 8192,
	INDEX = 4 * ROWS,
	STEPS = 256,
	LINKS = 3,
	STATIONS = 2048,
	LONG_ID = 700
};

/* What a store and a kernel that did as the batches say would hold. */
struct row {
	bool used, routed, way_known;
	uint8_t way; /* as in struct life, of whoever has it */
	struct binding_record record;
	struct in6_addr next_hop;
	uint8_t details[BINDING_DETAILS_MAX];
};

/* Where routes and addresses lead to, as whoever carries batches out keeps them. */
struct station {
	struct in6_addr addr;
	int64_t held;
};

enum cause { BY_NOBODY, BY_CLIENT, BY_TIME, BY_US };

struct life {
	const uint8_t *at, *end;
	enum cause cause;     /* of the changes that come now */
	uint8_t speaker;      /* BY_CLIENT: whose word it is */
	struct in6_addr from; /* where that is routed to */
	uint8_t way;          /* 1: a relay brought it */
	bool gives_back;      /* it is a RELEASE or a DECLINE */
	uint64_t now_ms;
	struct dhcp6_config config;
	struct dhcp6_server *server;
	struct batch *batch;
	struct row rows[ROWS];
	bool changed;          /* since the table was last held against the rows */
	size_t n_rows;         /* the others have not been touched by this input */
	uint16_t index[INDEX]; /* open addressing; number of a row, counted from 1; 0: none */
	struct prefix6 last[CLIENTS]; /* what each was last told, to name it again */
	bool extras;      /* reservations, link-layer addresses, details, clients to be recalled */
	uint8_t reserved; /* which set of reservations there is; 0: none */
	size_t n_stations;
	struct station stations[STATIONS];
};

static struct life life;
static struct peer_message message;
static struct peer_answer answer;

static uint8_t next_byte(struct life *l)
{
	return l->at < l->end ? *l->at++ : 0;
}

static struct prefix6 prefix(const char *bytes, size_t n, uint8_t plen)
{
	struct prefix6 p = { .plen = plen };
	memcpy(&p.addr, bytes, n);
	return p;
}

/* Small pools, so that they run out; one that is too large for a bitmap; several lengths. */
static struct dhcp6_config config_of(uint8_t choice)
{
	struct dhcp6_config c = {
		.transfer = prefix("\x20\x01\x0d\xb8", 4, 64),
		.own_addr = prefix("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 128).addr,
		.pd_pool = prefix("\x20\x01\x0d\xb8", 4, 56),
		.pd_len = 60,
		.preferred_lft_s = 1800,
		.valid_lft_s = 14400,
		.ia_na = !(choice & 1),
		.rapid_commit = !(choice & 2),
		.max_bindings_per_client = choice & 4 ? 3 : D6_DEFAULT_MAX_BINDINGS,
		.max_bindings_per_station = choice & 4 ? 5 : 0,
		.n_nameservers = 1,
		.n_search = 1,
		.search = { "example.net" },
		.server_id = { .len = 4, .bytes = { 0, 2, 1, 2 } },
	};
	c.nameservers[0] = c.own_addr;
	switch (choice >> 3 & 3) {
	case 1: /* several lengths */
		c.pd_min_len = 58;
		c.pd_max_len = 64;
		break;
	case 2: /* a range without a bitmap */
		c.pd_pool.plen = 32;
		c.pd_len = 64;
		break;
	case 3: /* for ever */
		c.preferred_lft_s = c.valid_lft_s = D6_LFT_INFINITY;
		break;
	default:
		break;
	}
	c.reconfigure = choice & 64;
	if (choice & 32) { /* of the longest of them, the last */
		c.pd_exclude_len = 68;
		c.pd_exclude_subnet = 15;
	}
	return c;
}

static size_t hash_of(const struct binding_record *r)
{
	uint64_t words[2], h = (uint64_t)r->kind << 8 | r->prefix.plen;
	memcpy(words, &r->prefix.addr, sizeof words);
	for (size_t i = 0; i < 2; i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (size_t)(h >> 16);
}

/* Of that prefix; one that is not used yet where there was none. */
static struct row *row_of(struct life *l, const struct binding_record *r)
{
	size_t i = hash_of(r) % INDEX;
	for (; l->index[i]; i = (i + 1) % INDEX) {
		struct row *row = &l->rows[l->index[i] - 1];
		if (row->record.kind == r->kind && prefix6_equal(&row->record.prefix, &r->prefix))
			return row;
	}
	FUZZ_CHECK(l->n_rows < ROWS);
	struct row *row = &l->rows[l->n_rows++];
	l->index[i] = (uint16_t)l->n_rows;
	*row = (struct row){ .record = { .kind = r->kind, .prefix = r->prefix } };
	return row;
}

/* As if nothing had ever been stored; only what was touched is cleared. */
static void forget_rows(struct life *l)
{
	for (size_t n = 0; n < l->n_rows; n++) {
		size_t i = hash_of(&l->rows[n].record) % INDEX;
		while (l->index[i] != n + 1)
			i = (i + 1) % INDEX;
		l->index[i] = 0;
	}
	l->n_rows = 0;
}

static struct station *station_of(struct life *l, const struct in6_addr *addr)
{
	size_t i = 0;
	while (i < l->n_stations && memcmp(&l->stations[i].addr, addr, sizeof *addr) != 0)
		i++;
	FUZZ_CHECK(i < STATIONS);
	if (i == l->n_stations)
		l->stations[l->n_stations++] = (struct station){ .addr = *addr };
	return &l->stations[i];
}

/* Each begins once, moves from where it was, and ends once. */
static void follow_station(struct life *l, const struct route_change *c)
{
	bool address = c->prefix.plen == 128;
	struct station *s = station_of(l, address ? &c->prefix.addr : &c->next_hop);
	FUZZ_CHECK(!address || c->lladdr_len > 0);
	if (c->add && c->held) {
		struct station *old = address ? s : station_of(l, &c->old_next_hop);
		FUZZ_CHECK(old->held > 0);
		old->held--;
		s->held++;
	} else if (c->add) {
		s->held++;
	} else {
		FUZZ_CHECK(s->held > 0);
		s->held--;
	}
}

static int leave_station(void *ctx, const struct binding *b)
{
	struct life *l = (struct life *)ctx;
	if (b->state == BINDING_BOUND && (b->kind == BINDING_PD || b->lladdr_len))
		station_of(l, b->kind == BINDING_PD ? &b->next_hop : &b->addr)->held--;
	return 0;
}

static int enter_station(void *ctx, const struct binding *b)
{
	struct life *l = (struct life *)ctx;
	if (b->state == BINDING_BOUND && (b->kind == BINDING_PD || b->lladdr_len))
		station_of(l, b->kind == BINDING_PD ? &b->next_hop : &b->addr)->held++;
	return 0;
}

/* What the routes told so far hold is what the table holds. */
static void check_stations(struct life *l)
{
	(void)dhcp6_server_each(l->server, leave_station, l); /* never ends early */
	for (size_t i = 0; i < l->n_stations; i++)
		FUZZ_CHECK(l->stations[i].held == 0);
	(void)dhcp6_server_each(l->server, enter_station, l); /* likewise */
}

/* As the store's key: whoever writes it writes this row and no other. */
static void check_number(const struct life *l, const struct row *row, uint32_t number)
{
	FUZZ_CHECK(number > 0);
	FUZZ_CHECK(!row->used || row->record.number == number);
	for (size_t i = 0; !row->used && i < l->n_rows; i++)
		FUZZ_CHECK(!l->rows[i].used || l->rows[i].record.number != number);
}

/* Who may end or change what is held, and when. */
static void check_cause(const struct life *l, const struct row *row, const struct binding_change *c)
{
	const struct binding_record *r = &row->record;
	if (!row->used || r->state != BINDING_BOUND)
		return;
	bool over = r->valid_until_ms <= l->now_ms;
	FUZZ_CHECK(l->cause != BY_NOBODY && (l->cause != BY_TIME || over));
	if (l->cause == BY_CLIENT && !over)
		FUZZ_CHECK(r->duid.len == 10 && r->duid.bytes[9] == l->speaker);
	if (c->erase || c->record.state != BINDING_BOUND) {
		/* Another's identifier does not end what he has: only whoever is where he was. */
		if (l->cause == BY_CLIENT && !over)
			FUZZ_CHECK(l->gives_back
					   ? memcmp(&r->next_hop, &l->from, sizeof l->from) == 0 &&
						     (!row->way_known || row->way == l->way)
					   : l->extras); /* another is reserved for it by now */
		return;
	}
	FUZZ_CHECK(l->cause == BY_CLIENT && c->record.iaid == r->iaid);
	FUZZ_CHECK(c->record.valid_until_ms >= r->valid_until_ms);
}

static void store_changes(struct life *l)
{
	l->changed = l->changed || l->batch->n_changes || l->batch->n_routes;
	for (size_t i = 0; i < l->batch->n_changes; i++) {
		const struct binding_change *c = &l->batch->changes[i];
		struct row *row = row_of(l, &c->record);
		check_number(l, row, c->record.number);
		check_cause(l, row, c);
		if (c->erase) {
			FUZZ_CHECK(row->used);
			row->used = false;
			continue;
		}
		FUZZ_CHECK(!row->used || row->record.state != BINDING_BOUND ||
			   c->record.state != BINDING_BOUND ||
			   duid_equal(&row->record.duid, &c->record.duid));
		row->used = true;
		row->way = l->way;
		row->way_known = l->cause == BY_CLIENT && l->config.max_bindings_per_station;
		row->record = c->record;
		FUZZ_CHECK(row->record.details_len <= sizeof row->details);
		if (row->record.details_len)
			memcpy(row->details, row->record.details, row->record.details_len);
		row->record.details = row->details; /* the record's were the batch's */
	}
	for (size_t i = 0; i < l->batch->n_routes; i++)
		follow_station(l, &l->batch->routes[i]);
	for (size_t i = 0; i < l->batch->n_routes; i++) {
		const struct route_change *c = &l->batch->routes[i];
		if (c->prefix.plen == 128)
			continue; /* an address: its client's link-layer address alone */
		const struct binding_record key = { .kind = BINDING_PD, .prefix = c->prefix };
		struct row *row = row_of(l, &key);
		if (!row->used) {
			FUZZ_CHECK(!c->add); /* its row went in the same batch */
			row->routed = false;
			continue;
		}
		row->routed = c->add;
		row->next_hop = c->next_hop;
	}
	for (size_t i = 0; i < l->n_rows; i++) {
		struct row *row = &l->rows[i];
		bool bound_prefix = row->used && row->record.kind == BINDING_PD &&
				    row->record.state == BINDING_BOUND;
		if (!row->used)
			row->routed = false;
		FUZZ_CHECK(row->routed == bound_prefix);
		FUZZ_CHECK(!row->routed || memcmp(&row->next_hop, &row->record.next_hop,
						  sizeof row->next_hop) == 0);
	}
}

struct count {
	struct life *life;
	uint64_t n;
};

/* Of what is bound: inside its pool and of a length that it has, or reserved elsewhere. */
static void check_place(const struct dhcp6_config *c, const struct binding_record *r)
{
	const struct prefix6 elsewhere = prefix("\x20\x01\x0d\xb9", 4, 32);
	if (r->state != BINDING_BOUND)
		return;
	if (r->kind == BINDING_NA) {
		FUZZ_CHECK(r->prefix.plen == 128 && c->ia_na &&
			   prefix6_has_addr(&c->transfer, &r->prefix.addr));
		FUZZ_CHECK(memcmp(&r->prefix.addr, &c->own_addr, 16) != 0 &&
			   memcmp(&r->prefix.addr, &c->transfer.addr, 16) != 0);
		return;
	}
	uint8_t min = c->pd_min_len ? c->pd_min_len : c->pd_len,
		max = c->pd_max_len ? c->pd_max_len : c->pd_len;
	FUZZ_CHECK(prefix6_is_masked(&r->prefix));
	FUZZ_CHECK((prefix6_contains(&c->pd_pool, &r->prefix) && r->prefix.plen >= min &&
		    r->prefix.plen <= max && !prefix6_overlaps(&c->transfer, &r->prefix)) ||
		   prefix6_contains(&elsewhere, &r->prefix));
}

static int check_binding(void *ctx, const struct binding *b)
{
	struct count *count = (struct count *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	check_place(&count->life->config, &r);
	const struct row *row = row_of(count->life, &r);
	FUZZ_CHECK(
		row->used && row->record.state == r.state && row->record.iaid == r.iaid &&
		duid_equal(&row->record.duid, &r.duid) &&
		row->record.valid_until_ms == r.valid_until_ms &&
		memcmp(&row->record.next_hop, &r.next_hop, sizeof r.next_hop) == 0 &&
		row->record.lladdr_len == r.lladdr_len &&
		row->record.details_len == r.details_len &&
		(r.details_len == 0 || memcmp(row->record.details, r.details, r.details_len) == 0));
	count->n++;
	return 0;
}

static void check_table(struct life *l)
{
	struct count count = { .life = l };
	l->changed = false;
	FUZZ_CHECK(dhcp6_server_consistent(l->server));
	(void)dhcp6_server_each(l->server, check_binding, &count); /* check_binding aborts itself */
	uint64_t rows = 0;
	for (size_t i = 0; i < l->n_rows; i++)
		rows += l->rows[i].used;
	FUZZ_CHECK(rows == count.n);
	check_stations(l);
}

/* Answers to nobody's question are for clients that are to come back. */
static void carry_out(struct life *l)
{
	store_changes(l);
	for (size_t i = 0; i < l->batch->n_answers; i++) {
		FUZZ_CHECK(
			peer_read(l->batch->answers[i].bytes, l->batch->answers[i].len, &answer));
		FUZZ_CHECK(answer.type == 10 && answer.options[19].len == 1 &&
			   answer.options[11].len == 28);
		FUZZ_CHECK(l->batch->answers[i].dst_port == (answer.n_relays ? 547 : 546));
	}
	batch_reset(l->batch);
}

static void pass_time(struct life *l, uint64_t ms)
{
	l->now_ms += ms;
	l->cause = BY_TIME;
	for (unsigned i = 0; dhcp6_server_deadline(l->server) <= l->now_ms; i++) {
		FUZZ_CHECK(i < 10000);
		dhcp6_server_tick(l->server, l->now_ms, l->batch);
		carry_out(l);
	}
	for (size_t i = 0; i < l->n_rows; i++) {
		const struct row *row = &l->rows[i];
		FUZZ_CHECK(!row->used || row->record.state == BINDING_FREED ||
			   row->record.valid_until_ms > l->now_ms);
	}
}

/* To the moment when something is due, or to just before it. */
static void pass_until_due(struct life *l, bool before)
{
	uint64_t due = dhcp6_server_deadline(l->server);
	if (due != UINT64_MAX && due > l->now_ms)
		pass_time(l, due - l->now_ms - before);
}

static struct reservation reserved(enum reservation_by by, const void *key, uint8_t key_len,
				   struct prefix6 what)
{
	struct reservation r = { .by = by, .key_len = key_len, .prefix = what };
	r.kind = what.plen == 128 ? BINDING_NA : BINDING_PD;
	memcpy(r.key, key, key_len);
	return r;
}

/* The same prefixes for others, in the two sets that there are. */
static struct reservations *reservations_of(const struct life *l)
{
	struct reservations *all = NULL;
	if (!l->reserved)
		return NULL;
	struct prefix6 inside[3];
	for (uint8_t i = 0; i < 3; i++) {
		inside[i] = l->config.pd_pool;
		inside[i].plen = l->config.pd_len;
		inside[i].addr.s6_addr[7] = (uint8_t)(0x40 + 0x10 * i);
	}
	const struct prefix6 outside = prefix("\x20\x01\x0d\xb9", 4, l->reserved == 1 ? 40 : 44);
	const struct prefix6 small = prefix("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xff", 16, 128);
	const struct prefix6 large =
		prefix("\x20\x01\x0d\xb8\0\0\0\0\x20\0\0\0\0\0\0\x33", 16, 128);
	uint8_t first = l->reserved == 1 ? 1 : 3, second = l->reserved == 1 ? 2 : 1;
	const uint8_t duid[2][10] = { { 0, 3, 0, 1, 2, 0, 0, 0, 0, first },
				      { 0, 3, 0, 1, 2, 0, 0, 0, 0, second } };
	const uint8_t mac[6] = { 2, 0, 0, 0, 1, second };
	struct reservation list[] = {
		reserved(RESERVED_FOR_DUID, duid[0], 10, inside[0]),
		reserved(RESERVED_FOR_DUID, duid[1], 10, inside[1]),
		reserved(RESERVED_FOR_LLADDR, mac, 6, inside[2]),
		reserved(RESERVED_FOR_INTERFACE_ID, "eth1", 4, outside),
		reserved(RESERVED_FOR_DUID, duid[0], 10, small),
		reserved(RESERVED_FOR_LLADDR, mac, 6, large),
	};
	list[1].has_iaid = true;
	list[1].iaid = 2;
	for (unsigned i = 0; i < 6; i++)
		list[i].line = i + 1;
	FUZZ_CHECK(reservations_new(list, l->config.ia_na ? 6 : 4, &all, NULL) == 0);
	return all;
}

static void remove_bindings(struct life *l, bool (*which)(void *ctx, const struct binding *b),
			    void *ctx)
{
	uint32_t at = 0;
	size_t n = 0;
	l->cause = BY_US;
	while (dhcp6_server_remove(l->server, which, ctx, l->now_ms, l->batch, &at, &n))
		carry_out(l);
	carry_out(l);
}

static bool unfounded(void *ctx, const struct binding *b)
{
	return dhcp6_server_unfounded(((struct life *)ctx)->server, b);
}

static bool of_client(void *ctx, const struct binding *b)
{
	return binding_duid(b)[9] == *(const uint8_t *)ctx;
}

static int recall(void *ctx, const struct binding *b)
{
	struct life *l = (struct life *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	FUZZ_CHECK(!dhcp6_server_unfounded(l->server, b));
	if (dhcp6_server_astray(l->server, b))
		dhcp6_server_recall(l->server, &r, l->now_ms);
	return 0;
}

/* As after a SIGHUP. */
static void reserve(struct life *l, uint8_t set)
{
	l->reserved = set;
	dhcp6_server_reserve(l->server, reservations_of(l));
	remove_bindings(l, unfounded, l);
	(void)dhcp6_server_each(l->server, recall, l); /* aborts itself */
}

static void restart(struct life *l)
{
	l->changed = true;
	l->cause = BY_NOBODY;
	dhcp6_server_free(l->server);
	FUZZ_CHECK(dhcp6_server_new(&l->config, &l->server) == 0);
	dhcp6_server_reachable(l->server, l->extras);
	dhcp6_server_reserve(l->server, reservations_of(l));
	dhcp6_server_load_begin(l->server, 0);
	for (size_t i = 0; i < l->n_rows; i++)
		if (l->rows[i].used)
			l->rows[i].way_known = false;
	for (size_t i = 0; i < l->n_rows; i++)
		if (l->rows[i].used)
			FUZZ_CHECK(dhcp6_server_load(l->server, &l->rows[i].record, l->now_ms) ==
				   0);
	dhcp6_server_load_end(l->server);
}

static void check_granted(struct life *l, const struct peer_ia *ia, uint8_t client)
{
	for (size_t i = 0; i < ia->n; i++) {
		const struct peer_resource *res = &ia->resources[i];
		if (res->valid_s == 0)
			continue;
		const struct binding_record key = { .kind = ia->code == 25 ? BINDING_PD
									   : BINDING_NA,
						    .prefix = res->prefix };
		const struct row *row = row_of(l, &key);
		FUZZ_CHECK(row->used && row->record.state == BINDING_BOUND &&
			   row->record.iaid == ia->iaid);
		FUZZ_CHECK(row->record.duid.len == 10 && row->record.duid.bytes[9] == client);
		/* Nobody else has it as long as this client may use it. */
		uint64_t until_ms = res->valid_s == D6_LFT_INFINITY
					    ? UINT64_MAX
					    : l->now_ms + (uint64_t)res->valid_s * 1000;
		FUZZ_CHECK(row->record.valid_until_ms >= until_ms);
		FUZZ_CHECK(row->record.valid_until_ms - until_ms < 1000);
	}
}

/* §21.4, §21.21: times in order. */
static void check_times(const struct peer_ia *ia)
{
	for (size_t i = 0; i < ia->n; i++) {
		const struct peer_resource *r = &ia->resources[i];
		FUZZ_CHECK(r->preferred_s <= r->valid_s);
		FUZZ_CHECK(r->valid_s == 0 || (ia->t1_s <= ia->t2_s && ia->t2_s <= r->preferred_s));
	}
}

/* Of each prefix that is given, to those who ask (how & 2). */
static void check_excluded(const struct life *l, const struct peer_ia *ia, bool asked)
{
	for (size_t i = 0; i < ia->n; i++) {
		const struct peer_resource *r = &ia->resources[i];
		bool wanted = asked && l->config.pd_exclude_len && ia->code == 25 && r->valid_s;
		FUZZ_CHECK(r->excluded.plen == (wanted ? l->config.pd_exclude_len : 0));
		if (!wanted)
			continue;
		const struct prefix6 right = prefix6_nth(&r->prefix, l->config.pd_exclude_len,
							 l->config.pd_exclude_subnet);
		FUZZ_CHECK(prefix6_equal(&r->excluded, &right));
	}
}

static void check_answer(struct life *l, const struct answer *a, uint8_t client, uint8_t type,
			 bool asked)
{
	FUZZ_CHECK(peer_read(a->bytes, a->len, &answer));
	FUZZ_CHECK(a->dst_port == (answer.n_relays ? 547 : 546));
	FUZZ_CHECK(answer.type == 7 || (answer.type == 2 && type == 1));
	FUZZ_CHECK(answer.options[2].len == l->config.server_id.len);
	FUZZ_CHECK(answer.options[1].len == 10 && answer.options[1].at[9] == client);
	for (size_t i = 0; i < answer.n_ias; i++) {
		const struct peer_ia *ia = &answer.ias[i];
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(answer.ias[k].code != ia->code ||
				   answer.ias[k].iaid != ia->iaid);
		bool live = ia->n > 0 && ia->resources[0].valid_s > 0;
		FUZZ_CHECK(live == (ia->status == PEER_NO_STATUS));
		check_times(ia);
		if (live && ia->code == 25)
			l->last[client] = ia->resources[0].prefix;
		check_excluded(l, ia, asked);
		if (answer.type == 7)
			check_granted(l, ia, client);
		for (size_t k = 0; live && k < i; k++)
			for (size_t m = 0; m < answer.ias[k].n; m++)
				FUZZ_CHECK(answer.ias[k].resources[m].valid_s == 0 ||
					   answer.ias[k].code != ia->code ||
					   !prefix6_overlaps(&answer.ias[k].resources[m].prefix,
							     &ia->resources[0].prefix));
	}
}

/* --- what may be answered at all
 * ------------------------------------------------------------------------------------ */

/* Options that stand in a message itself. */
struct outline {
	uint8_t type;
	uint32_t xid;
	struct peer_bytes client_id, server_id;
	struct peer_bytes oro;
	size_t n_ias;
	struct {
		uint16_t code;
		uint32_t iaid;
	} ias[PEER_MAX_IAS]; /* as many as there is room for */
	bool clean, any_ia, rapid_commit, reconf_accept, fqdn;
};

static struct outline outline_of(const uint8_t *at, const uint8_t *end)
{
	struct outline o = { .clean = true };
	uint16_t code;
	struct peer_bytes body = { 0 };
	bool bad = false;
	while (end - at >= 34 && *at == 12) { /* what is relayed */
		struct peer_bytes inner = { 0 };
		at += 34;
		while (peer_next(&at, end, &code, &body, &bad))
			if (code == 9)
				inner = body;
		if (bad || !inner.at)
			return (struct outline){ 0 };
		at = inner.at;
		end = at + inner.len;
	}
	if (end - at < 4)
		return (struct outline){ 0 };
	o.type = *at;
	o.xid = (uint32_t)peer_get(at + 1, 3);
	at += 4;
	while (peer_next(&at, end, &code, &body, &bad)) {
		if (code == 1)
			o.client_id = body;
		if (code == 2)
			o.server_id = body;
		if (code == 6)
			o.oro = body;
		if ((code == 3 || code == 25) && body.len >= 4 && o.n_ias < PEER_MAX_IAS) {
			o.ias[o.n_ias].code = code;
			o.ias[o.n_ias++].iaid = (uint32_t)peer_get(body.at, 4);
		}
		o.any_ia = o.any_ia || code == 3 || code == 4 || code == 25;
		o.rapid_commit = o.rapid_commit || code == 14;
		o.reconf_accept = o.reconf_accept || code == 20;
		o.fqdn = o.fqdn || code == 39;
	}
	o.clean = !bad;
	return o;
}

/* RFC 9915 §16.2 to §16.12. */
static bool answerable(const struct life *l, const struct outline *o)
{
	const struct duid *us = &l->config.server_id;
	bool client = o->client_id.len > 0, ours = o->server_id.at && o->server_id.len == us->len &&
						   memcmp(o->server_id.at, us->bytes, us->len) == 0;
	switch (o->type) {
	case 1: /* SOLICIT, CONFIRM, REBIND */
	case 4:
	case 6:
		return o->clean && client && !o->server_id.at;
	case 3: /* REQUEST, RENEW, RELEASE, DECLINE */
	case 5:
	case 8:
	case 9:
		return o->clean && client && ours;
	case 11: /* INFORMATION-REQUEST */
		return o->clean && !o->any_ia && (!o->server_id.at || ours);
	default:
		return false;
	}
}

static bool asks_for(const struct outline *o, uint16_t code)
{
	for (size_t i = 0; i + 2 <= o->oro.len; i += 2)
		if (peer_get(o->oro.at + i, 2) == code)
			return true;
	return false;
}

/* Which options an answer may have, by RFC 9915's tables of §21 and appendix B: what is not here is
 * only for a client, only asked for, or for nobody any more. */
static bool has_its_place(const struct outline *o, uint8_t answer_type, uint16_t code)
{
	bool gives_back = o->type == 8 || o->type == 9, confirms = o->type == 4;
	switch (code) {
	case 1: /* checked against the message's */
	case 2:
		return true;
	case 13: /* of a whole message */
		return gives_back || confirms;
	case 14:
		return answer_type == 7 && o->type == 1 && o->rapid_commit;
	case 11: /* the key that a Reconfigure is checked with (§20.4) */
		return answer_type == 7 && o->reconf_accept && !gives_back && !confirms;
	case 20:
		return o->reconf_accept && !gives_back && !confirms;
	case 39: /* RFC 4704 §6 */
		return o->fqdn && asks_for(o, 39) && o->type != 11;
	case 23:
	case 24:
		return asks_for(o, code) && !gives_back && !confirms;
	default:
		return false;
	}
}

static void check_options(const struct outline *o)
{
	for (uint16_t code = 0; code < 256; code++)
		FUZZ_CHECK(!answer.options[code].at || has_its_place(o, answer.type, code));
	FUZZ_CHECK(answer.n_ias == 0 || (o->any_ia && o->type != 4 && o->type != 11));
	for (size_t i = 0; i < answer.n_ias; i++) {
		const struct peer_ia *ia = &answer.ias[i];
		bool asked = o->n_ias == PEER_MAX_IAS;
		for (size_t k = 0; k < o->n_ias; k++)
			asked |= o->ias[k].code == ia->code && o->ias[k].iaid == ia->iaid;
		FUZZ_CHECK(asked);
		/* §18.3.7: of what is given back only that it was not held. */
		FUZZ_CHECK((o->type != 8 && o->type != 9) || (ia->n == 0 && ia->status == 3));
	}
}

/* Whoever it is from, whatever is in it: what answers it is one message that belongs to it. */
static void check_allowed(const struct life *l, const uint8_t *bytes, size_t len)
{
	const struct outline o = outline_of(bytes, bytes + len);
	FUZZ_CHECK(l->batch->n_answers <= 1);
	if (l->batch->n_answers == 0)
		return;
	FUZZ_CHECK(answerable(l, &o));
	FUZZ_CHECK(peer_read(l->batch->answers[0].bytes, l->batch->answers[0].len, &answer));
	FUZZ_CHECK(answer.xid == o.xid);
	check_options(&o);
	FUZZ_CHECK(answer.type != 2 || l->batch->n_changes == 0); /* an offer holds nothing */
	FUZZ_CHECK(answer.type == 7 || (answer.type == 2 && o.type == 1));
	FUZZ_CHECK(o.type != 1 || (answer.type == 7) == answer.rapid_commit);
	FUZZ_CHECK(!answer.rapid_commit || (o.rapid_commit && l->config.rapid_commit));
	FUZZ_CHECK(answer.options[2].len == l->config.server_id.len &&
		   memcmp(answer.options[2].at, l->config.server_id.bytes, answer.options[2].len) ==
			   0);
	FUZZ_CHECK(answer.options[1].len == o.client_id.len &&
		   (!o.client_id.len ||
		    memcmp(answer.options[1].at, o.client_id.at, o.client_id.len) == 0));
}

static void put_ia(struct life *l, uint8_t client)
{
	uint8_t what = next_byte(l), hint = next_byte(l);
	uint16_t code = what & 0x80 ? 3 : what & 0x40 ? (what & 0x20 ? 4 : 25) : 25;
	struct prefix6 p = { .plen = (uint8_t)(56 + hint % 10) };
	peer_ia(&message, code, what % IAIDS);
	for (unsigned n = what >> 3 & 3; n > 0; n--, hint = next_byte(l)) {
		switch (hint >> 6) {
		case 0: /* a length alone, or its address's :: */
			break;
		case 1: /* its own, or another client's */
			p = l->last[hint & 1 ? client : hint % CLIENTS];
			break;
		case 2: /* somewhere in the pool, or next to it */
			p.addr = l->config.pd_pool.addr;
			p.addr.s6_addr[7] = (uint8_t)(hint << 4);
			break;
		default: /* an address of the transfer network, or a strange one */
			p.addr = l->config.transfer.addr;
			p.addr.s6_addr[8] = hint & 1 ? 0x20 : 0;
			p.addr.s6_addr[15] = hint;
			break;
		}
		if (code == 25)
			peer_iaprefix(&message, &p);
		else
			peer_iaaddr(&message, &p.addr);
	}
	peer_ia_end(&message);
}

/* A message as a client would send it: type, client, where from, IAs. */
static void converse(struct life *l, uint8_t type)
{
	static const uint16_t oro[] = { 23, 24, 67, 39 };
	uint8_t who = next_byte(l), how = next_byte(l), client = who % CLIENTS;
	uint8_t duid[10] = { 0, 3, 0, 1, 2, 0, 0, 0, 0, client };
	struct pkt_meta meta = { .ifindex = 1, .hop_limit = 64, .src_port = 546, .lladdr_len = 6 };
	l->cause = BY_CLIENT;
	l->speaker = client;
	meta.src = prefix("\xfe\x80", 2, 0).addr;
	meta.src.s6_addr[14] = how >> 6; /* its hardware may be swapped */
	meta.src.s6_addr[15] = client;
	meta.dst = prefix("\xff\x02\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16, 0).addr;
	peer_begin(&message, type, who);
	peer_option(&message, 1, duid, sizeof duid);
	if (type == 3 || type == 5 || type == 8 || type == 9)
		peer_option(&message, 2, l->config.server_id.bytes, l->config.server_id.len);
	uint8_t more = l->extras ? next_byte(l) : 0;
	static char long_id[LONG_ID + 1];
	struct peer_message linklayer = { 0 };
	const uint8_t mac[8] = { 0, 1, 2, 0, 0, 0, 1, client };
	memcpy(meta.lladdr, mac + 2, 6);
	if (more & 1)
		meta.lladdr_len = 0;
	if (more & 2)
		peer_option(&message, 20, NULL, 0);
	if (more & 4)
		peer_option(&message, 39, "\0\3cpe", 5);
	if (more & 8)
		peer_option(&linklayer, 79, mac, sizeof mac);
	if (more & 16)
		peer_option(&linklayer, 38, mac, sizeof mac);
	memset(long_id, 'i', sizeof long_id);
	long_id[LONG_ID * (more >> 6) / 3] = '\0';
	const char *interface_id = more & 32 ? "eth1" : more >> 6 ? long_id : "eth0";
	if (how & 1)
		peer_option(&message, 14, NULL, 0);
	if (how & 2)
		peer_oro(&message, oro + (client & 1),
			 (more & 4 ? 4U : 3U) - (client & 1)); /* not all ask for all */
	for (unsigned n = how >> 2 & 7; n > 0; n--)
		put_ia(l, client);
	struct in6_addr any = IN6ADDR_ANY_INIT, peer = meta.src,
			link = prefix("\x20\x01\x0d\xb8\0\1", 6, 0).addr;
	for (uint8_t i = 0; i < who >> 6; i++) {
		peer_relay(&message, i, how & 0x20 ? &link : &any, &peer, interface_id, &linklayer);
		peer.s6_addr[15] = 0xee;
	}
	l->from = meta.src;
	if (who >> 6)
		meta.src.s6_addr[15] = 0xee;
	if (how & 0x20) /* a relay that routes; else it bridges */
		l->from = meta.src;
	l->way = who >> 6 ? 1 : 0;
	l->gives_back = type == 8 || type == 9;
	dhcp6_server_input(l->server, l->now_ms, &meta, rd_of(message.bytes, message.len),
			   l->batch);
	check_allowed(l, message.bytes, message.len);
	store_changes(l);
	if (l->batch->n_answers == 1)
		check_answer(l, &l->batch->answers[0], client, type, how & 2);
	else
		FUZZ_CHECK(type == 4 &&
			   l->batch->n_changes == 0); /* silence is no answer to anything else */
	batch_reset(l->batch);
}

/* The rest of the input as it is, as a packet. */
static void garbage(struct life *l)
{
	struct pkt_meta meta = { .ifindex = 1, .hop_limit = 64 };
	l->cause = BY_CLIENT;
	const struct outline o = outline_of(l->at, l->end);
	l->speaker = o.client_id.len == 10 ? o.client_id.at[9] : CLIENTS;
	meta.src = prefix("\xfe\x80", 2, 0).addr;
	meta.dst = prefix("\xff\x02\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16, 0).addr;
	l->from = meta.src;
	l->way = l->at < l->end && *l->at == 12;
	l->gives_back = o.type == 8 || o.type == 9;
	dhcp6_server_input(l->server, l->now_ms, &meta, rd_of(l->at, (size_t)(l->end - l->at)),
			   l->batch);
	check_allowed(l, l->at, (size_t)(l->end - l->at));
	l->at = l->end;
	store_changes(l);
	batch_reset(l->batch);
}

static void put_server_id(const struct life *l, unsigned which)
{
	static const uint8_t other[] = { 0, 2, 1, 3 };
	const struct duid *us = &l->config.server_id;
	switch (which) {
	case 1:
	case 2:
		peer_option(&message, 2, us->bytes, us->len);
		break;
	case 3:
		peer_option(&message, 2, other, sizeof other);
		break;
	case 4:
		peer_option(&message, 2, us->bytes, us->len - 1U);
		break;
	case 5: /* twice */
		peer_option(&message, 2, us->bytes, us->len);
		peer_option(&message, 2, us->bytes, us->len);
		break;
	case 6:
		peer_option(&message, 2, NULL, 0);
		break;
	default: /* none */
		break;
	}
}

/* A message of any type, which names client and server as it must or not, from and to wherever. */
static void strange(struct life *l)
{
	uint8_t type = next_byte(l) % 40, ids = next_byte(l), how = next_byte(l),
		client = how % CLIENTS;
	uint8_t duid[300] = { 0, 3, 0, 1, 2, 0, 0, 0, 0, client };
	static const size_t id_len[] = { 10, 10, 10, 0, 1, 130, 255, 300 };
	struct pkt_meta meta = { .ifindex = 1, .hop_limit = 64, .src_port = 546 };
	l->cause = BY_CLIENT;
	l->speaker = client;
	meta.src = prefix(how & 0x20 ? "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\1"
				     : "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\1",
			  15, 0)
			   .addr;
	meta.dst =
		how & 0x40 ? meta.src : prefix("\xff\x02\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16, 0).addr;
	peer_begin(&message, type, ids);
	if ((ids & 7) != 3)
		peer_option(&message, 1, duid, id_len[ids & 7]);
	put_server_id(l, ids >> 3 & 7);
	if (ids & 64)
		peer_option(&message, 14, NULL, 0);
	if (ids & 128) /* likewise, a client that may not be one */
		peer_option(&message, 1, duid, sizeof duid);
	if (how & 0x80)
		put_ia(l, client);
	l->from = meta.src;
	l->way = 0;
	l->gives_back = type == 8 || type == 9;
	dhcp6_server_input(l->server, l->now_ms, &meta, rd_of(message.bytes, message.len),
			   l->batch);
	check_allowed(l, message.bytes, message.len);
	FUZZ_CHECK(l->batch->n_answers == 0 ||
		   !(how & 0x40)); /* §16: to all servers, or not at all */
	store_changes(l);
	batch_reset(l->batch);
}

static void happen(struct life *l)
{
	uint8_t what = next_byte(l), arg = what & 15;
	switch (what >> 4) {
	case 0:
		pass_time(l, (uint64_t)arg * 1000);
		break;
	case 1:
		pass_time(l, (uint64_t)arg * 3600000);
		break;
	case 2:
		if (arg == 0)
			restart(l);
		else if (l->extras && arg < 4)
			reserve(l, arg - 1);
		else if (l->extras && arg < 8)
			remove_bindings(l, of_client, &(uint8_t){ next_byte(l) });
		else if (l->extras && arg < 10)
			dhcp6_server_reachable(l->server, arg == 8);
		else if (arg >= 10)
			pass_until_due(l, arg & 1);
		break;
	case 3:
		if (arg == 0)
			garbage(l);
		else
			strange(l);
		break;
	default: { /* mostly what clients send most */
		static const uint8_t types[16] = { 1, 1, 3, 3, 3, 5, 5, 6, 8, 8, 9, 4, 1, 3, 5, 8 };
		converse(l, types[arg]);
		break;
	}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct life *l = &life;
	forget_rows(l);
	memset(l->last, 0, sizeof l->last);
	l->at = data;
	l->end = data + size;
	l->now_ms = 1000;
	if (!l->batch)
		FUZZ_CHECK(batch_new(&l->batch) == 0);
	l->n_stations = 0;
	l->reserved = 0;
	l->config = config_of(next_byte(l));
	l->extras = l->config.reconfigure;
	FUZZ_CHECK(dhcp6_server_new(&l->config, &l->server) == 0);
	dhcp6_server_reachable(l->server, l->extras);
	for (unsigned i = 0; l->at < l->end && i < STEPS; i++) {
		happen(l);
		if (l->changed)
			check_table(l);
	}
	check_table(l); /* what changed without being told shows here */
	dhcp6_server_free(l->server);
	l->server = NULL;
	batch_reset(l->batch);
	return 0;
}
