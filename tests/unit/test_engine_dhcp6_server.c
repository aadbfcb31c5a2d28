/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delegating router by RFC 9915, whose sections are named where nothing else is. Messages are
 * written and answers read by dhcp6_peer.h, which shares no code with the server's codec.
 */
#include "unit.h"

#include "dhcp6_peer.h"
#include "engine/dhcp6_server.h"
#include "engine/leases.h"
#include "host/dhcp6_sock.h"

#include <stdlib.h>

enum {
	SOLICIT = 1,
	ADVERTISE,
	REQUEST,
	CONFIRM,
	RENEW,
	REBIND,
	REPLY,
	RELEASE,
	DECLINE,
	RECONFIGURE,
	INFORMATION_REQUEST
};
enum { IA_NA = 3, IA_TA = 4, IA_PD = 25, XID = 0xabcdef };
enum { SUCCESS = 0, NO_ADDRS_AVAIL = 2, NO_BINDING = 3, NOT_ON_LINK = 4, NO_PREFIX_AVAIL = 6 };

static struct dhcp6_config config;
static struct dhcp6_server *server;
static struct batch *batch;
static struct pkt_meta meta;
static uint64_t now_ms;
static struct peer_message msg;
static struct peer_answer answer;
static const struct prefix6 none;

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, 128, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static void start(void)
{
	dhcp6_server_free(server);
	server = NULL;
	assert_int_equal(dhcp6_server_new(&config, &server), 0);
	dhcp6_server_reachable(server, true);
}

static int setup(void **state)
{
	(void)state;
	now_ms = 1000000;
	meta = (struct pkt_meta){ .ifindex = 2, .hop_limit = 64, .src_port = 546 };
	meta.src = unit_in6("fe80::c");
	meta.dst = unit_in6("ff02::1:2");
	config = (struct dhcp6_config){
		.transfer = prefix("2001:db8:ffff::/64"),
		.own_addr = unit_in6("2001:db8:ffff::1"),
		.pd_pool = prefix("2001:db8:ffff:8000::/49"),
		.pd_len = 56,
		.preferred_lft_s = 1800,
		.valid_lft_s = 14400,
		.ia_na = true,
		.rapid_commit = true,
		.n_nameservers = 2,
		.nameservers = { unit_in6("2001:db8:ffff::1"), unit_in6("2001:db8::53") },
		.n_search = 1,
		.search = { "example.net" },
		.max_bindings_per_client = D6_DEFAULT_MAX_BINDINGS,
		.server_id = { .len = 6, .bytes = { 0, 2, 's', 'r', 'v', '1' } },
		.pool_key = { 1 },
		.table_key = { 2 },
	};
	if (batch_new(&batch) < 0 || dhcp6_server_new(&config, &server) < 0)
		return -1;
	dhcp6_server_reachable(server, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dhcp6_server_free(server);
	server = NULL;
	batch_free(batch);
	return 0;
}

static const struct dhcp6_stats *stats(void)
{
	return dhcp6_server_stats(server);
}

/* --- a client
 * -----------------------------------------------------------------------------------------------
 */

static void begin_as(uint8_t type, const char *client)
{
	batch_reset(batch);
	peer_begin(&msg, type, XID);
	peer_option(&msg, 1, client, strlen(client));
	if (type == REQUEST || type == RENEW || type == RELEASE || type == DECLINE)
		peer_option(&msg, 2, config.server_id.bytes, config.server_id.len);
}

static void begin(uint8_t type)
{
	begin_as(type, "client");
}

/* An IA that names `what`; one with a prefix length of 0 is left out. */
static void put_ia(uint16_t code, uint32_t iaid, const struct prefix6 *what)
{
	peer_ia(&msg, code, iaid);
	if (what->plen && code == IA_PD)
		peer_iaprefix(&msg, what);
	else if (what->plen)
		peer_iaaddr(&msg, &what->addr);
	peer_ia_end(&msg);
}

static void input(void)
{
	dhcp6_server_input(server, now_ms, &meta, rd_of(msg.bytes, msg.len), batch);
	assert_true(dhcp6_server_consistent(server));
}

/* Hands the message over and reads the one answer. */
static void ask(uint8_t expected_type)
{
	size_t before = batch->n_answers;
	input();
	assert_int_equal(batch->n_answers, before + 1);
	const struct answer *a = &batch->answers[before];
	assert_true(peer_read(a->bytes, a->len, &answer));
	assert_int_equal(answer.type, expected_type);
	assert_int_equal(answer.xid, XID);
	assert_int_equal(answer.options[2].len, config.server_id.len);
	assert_memory_equal(answer.options[2].at, config.server_id.bytes, config.server_id.len);
}

static void ask_in_vain(enum d6_drop why)
{
	uint64_t before = stats()->drops[why];
	input();
	assert_int_equal(batch->n_answers, 0);
	assert_int_equal(batch->n_changes, 0);
	assert_int_equal(batch->n_routes, 0);
	assert_int_equal(stats()->drops[why], before + 1);
}

static struct prefix6 got(uint16_t code, uint32_t iaid)
{
	const struct peer_ia *ia = peer_find_ia(&answer, code, iaid);
	assert_non_null(ia);
	assert_int_equal(ia->status, PEER_NO_STATUS);
	assert_true(ia->n >= 1 && ia->resources[0].valid_s > 0);
	return ia->resources[0].prefix;
}

static int status_of(uint16_t code, uint32_t iaid)
{
	const struct peer_ia *ia = peer_find_ia(&answer, code, iaid);
	assert_non_null(ia);
	assert_int_equal(ia->t1_s, 0);
	return ia->status;
}

static struct prefix6 request_as(const char *client, uint16_t code, uint32_t iaid,
				 const struct prefix6 *hint)
{
	begin_as(REQUEST, client);
	put_ia(code, iaid, hint);
	ask(REPLY);
	return got(code, iaid);
}

static struct prefix6 request(void)
{
	return request_as("client", IA_PD, 1, &none);
}

static void assert_route(size_t i, bool add, const struct prefix6 *p, const char *next_hop)
{
	assert_true(batch->n_routes > i);
	const struct in6_addr hop = unit_in6(next_hop);
	assert_int_equal(batch->routes[i].add, add);
	assert_true(prefix6_equal(&batch->routes[i].prefix, p));
	assert_memory_equal(&batch->routes[i].next_hop, &hop, 16);
}

static void release_as(const char *client, uint32_t iaid, const struct prefix6 *p)
{
	begin_as(RELEASE, client);
	put_ia(IA_PD, iaid, p);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
}

/* Time goes by, and what expires does; the batches are thrown away. */
static void pass(uint64_t seconds)
{
	now_ms += seconds * 1000;
	do {
		batch_reset(batch);
		dhcp6_server_tick(server, now_ms, batch);
	} while (dhcp6_server_deadline(server) <= now_ms);
}

/* --- SOLICIT (§18.3.1, §18.3.9)
 * ----------------------------------------------------------------------------- */

static void solicit_is_answered_by_an_offer_that_holds_nothing(void **state)
{
	(void)state;
	begin(SOLICIT);
	put_ia(IA_PD, 7, &none);
	ask(ADVERTISE);
	const struct prefix6 p = got(IA_PD, 7);
	assert_true(prefix6_contains(&config.pd_pool, &p));
	assert_int_equal(p.plen, 56);
	const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 7);
	assert_int_equal(ia->t1_s, 900);
	assert_int_equal(ia->t2_s, 1440);
	assert_int_equal(ia->resources[0].preferred_s, 1800);
	assert_int_equal(ia->resources[0].valid_s, 14400);
	assert_int_equal(answer.options[1].len, 6);
	assert_memory_equal(answer.options[1].at, "client", 6);
	assert_null(answer.options[7].at); /* no preference unless configured */
	assert_int_equal(answer.status, PEER_NO_STATUS);
	assert_int_equal(batch->n_changes + batch->n_routes, 0);
	assert_int_equal(dhcp6_server_table(server)->n, 0);
}

static void answers_go_to_port_546_of_the_sender_whatever_port_it_used(void **state)
{
	(void)state;
	meta.src_port = 40000;
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	assert_int_equal(batch->answers[0].dst_port, 546);
	assert_memory_equal(&batch->answers[0].dst, &meta.src, 16);
}

static void the_same_client_is_offered_the_same_prefix_every_time(void **state)
{
	(void)state;
	struct prefix6 first = none;
	for (int i = 0; i < 5; i++) {
		if (i == 3)
			start(); /* all state lost */
		begin(SOLICIT);
		put_ia(IA_PD, 1, &none);
		ask(ADVERTISE);
		const struct prefix6 p = got(IA_PD, 1);
		if (i == 0)
			first = p;
		assert_true(prefix6_equal(&p, &first));
	}
	const struct prefix6 p = request();
	assert_true(prefix6_equal(&p, &first));
	release_as("client", 1, &p);
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	const struct prefix6 after = got(IA_PD, 1);
	assert_true(prefix6_equal(&after, &first));
}

static void a_thousand_forged_clients_starve_no_pool(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char client[16];
		(void)snprintf(client, sizeof client, "forged%u", i);
		begin_as(SOLICIT, client);
		put_ia(IA_PD, 1, &none);
		ask(ADVERTISE);
		(void)got(IA_PD, 1);
	}
	assert_int_equal(stats()->pd.bound, 0);
	(void)request();
}

static void rapid_commit_binds_at_once(void **state)
{
	(void)state;
	begin(SOLICIT);
	peer_option(&msg, 14, NULL, 0);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_true(answer.rapid_commit);
	const struct prefix6 p = got(IA_PD, 1);
	assert_int_equal(batch->n_changes, 1);
	assert_int_equal(batch->changes[0].record.state, BINDING_BOUND);
	assert_route(0, true, &p, "fe80::c");
}

static void rapid_commit_that_is_off_gives_an_offer(void **state)
{
	(void)state;
	config.rapid_commit = false;
	start();
	begin(SOLICIT);
	peer_option(&msg, 14, NULL, 0);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	assert_false(answer.rapid_commit);
	assert_int_equal(batch->n_changes, 0);
}

static void solicit_without_ia_is_answered(void **state)
{
	(void)state;
	begin(SOLICIT);
	ask(ADVERTISE);
	assert_int_equal(answer.n_ias, 0);
}

static void every_ia_is_answered_in_its_own_right(void **state)
{
	(void)state;
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_NA, 1, &none);
	put_ia(IA_PD, 2, &none);
	put_ia(IA_TA, 1, &none); /* obsolete (§21.5) */
	ask(ADVERTISE);
	assert_int_equal(answer.n_ias, 3);
	const struct prefix6 a = got(IA_PD, 1), b = got(IA_PD, 2), c = got(IA_NA, 1);
	assert_false(prefix6_overlaps(&a, &b));
	assert_true(prefix6_has_addr(&config.transfer, &c.addr));
	const struct peer_ia *pd = peer_find_ia(&answer, IA_PD, 1),
			     *na = peer_find_ia(&answer, IA_NA, 1);
	assert_int_equal(pd->t1_s, na->t1_s);
	assert_int_equal(pd->t2_s, na->t2_s);
}

/* As many as the longest message that is taken has room for. */
static void every_ia_of_a_message_is_answered(void **state)
{
	(void)state;
	enum { MANY = 125 };
	static const uint8_t types[] = { SOLICIT, REQUEST, RENEW, REBIND, RELEASE };
	config.max_bindings_per_client = 0;
	start();
	for (size_t i = 0; i < sizeof types; i++) {
		begin(types[i]);
		for (uint32_t iaid = 0; iaid < MANY; iaid++)
			put_ia(iaid & 1 ? IA_NA : IA_PD, iaid, &none);
		assert_true(msg.len <= DHCP6_SOCK_PACKET_MAX);
		ask(types[i] == SOLICIT ? ADVERTISE : REPLY);
		assert_int_equal(answer.n_ias, types[i] == RELEASE ? 0 : MANY);
		for (size_t k = 0; k < answer.n_ias; k++) {
			assert_int_equal(answer.ias[k].iaid, k);
			(void)got(k & 1 ? IA_NA : IA_PD, (uint32_t)k);
		}
		assert_int_equal(stats()->pd.bound + stats()->na.bound,
				 types[i] == SOLICIT ? 0 : MANY);
	}
	begin(INFORMATION_REQUEST);
	for (uint32_t iaid = 0; iaid < MANY; iaid++)
		put_ia(IA_PD, iaid, &none);
	ask_in_vain(D6_DROP_HAS_IA);
}

/* In words only as long as there is room for them. */
static void many_refusals_fit_into_a_frame(void **state)
{
	(void)state;
	for (uint32_t n = 9; n <= 50; n += 41) {
		begin(SOLICIT);
		for (uint32_t iaid = 0; iaid < n; iaid++)
			put_ia(IA_PD, iaid, &none);
		ask(ADVERTISE);
		assert_int_equal(answer.n_ias, n);
		for (size_t k = D6_DEFAULT_MAX_BINDINGS; k < n; k++)
			assert_int_equal(answer.ias[k].status, NO_PREFIX_AVAIL);
		assert_true(batch->answers[0].len <= BATCH_ANSWER_FIT);
	}
}

static void an_ia_that_stands_twice_is_answered_once(void **state)
{
	(void)state;
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_PD, 2, &none);
	ask(ADVERTISE);
	assert_int_equal(answer.n_ias, 2);
}

static void addresses_are_refused_where_they_are_off(void **state)
{
	(void)state;
	config.ia_na = false;
	start();
	begin(SOLICIT);
	put_ia(IA_NA, 1, &none);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	assert_int_equal(status_of(IA_NA, 1), NO_ADDRS_AVAIL);
	(void)got(IA_PD, 1);
}

static void infinite_lifetimes_have_infinite_t1_and_t2(void **state)
{
	(void)state;
	config.preferred_lft_s = config.valid_lft_s = 0xffffffff;
	start();
	(void)request();
	const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 1);
	assert_int_equal(ia->t1_s, 0xffffffff);
	assert_int_equal(ia->t2_s, 0xffffffff);
	assert_int_equal(dhcp6_server_deadline(server), UINT64_MAX);
}

/* --- hints (§18.3.1, RFC 8168)
 * ------------------------------------------------------------------------------ */

static void a_free_prefix_that_is_asked_for_is_given(void **state)
{
	(void)state;
	const struct prefix6 wish = prefix("2001:db8:ffff:9900::/56");
	const struct prefix6 p = request_as("client", IA_PD, 1, &wish);
	assert_true(prefix6_equal(&p, &wish));
	const struct prefix6 q = request_as("other", IA_PD, 1, &wish);
	assert_false(prefix6_overlaps(&q, &wish));
}

static void a_free_address_that_is_asked_for_is_given(void **state)
{
	(void)state;
	const struct prefix6 wish = prefix("2001:db8:ffff::1:2:3:4"),
			     ours = prefix("2001:db8:ffff::1");
	const struct prefix6 p = request_as("client", IA_NA, 1, &wish);
	assert_true(prefix6_equal(&p, &wish));
	const struct prefix6 q = request_as("other", IA_NA, 1, &ours);
	assert_false(prefix6_equal(&q, &ours));
}

static void a_hint_outside_the_pool_is_passed_over(void **state)
{
	(void)state;
	const struct prefix6 wishes[] = { prefix("2001:db8:1::/56"),
					  prefix("2001:db8:ffff:8000::/60"),
					  prefix("2001:db8:ffff:8001::/56"),
					  prefix("2001:db8:ffff::/56") };
	for (size_t i = 0; i < 4; i++) {
		const struct prefix6 p = request_as("client", IA_PD, (uint32_t)i, &wishes[i]);
		assert_true(prefix6_contains(&config.pd_pool, &p));
		assert_true(prefix6_is_masked(&p));
		assert_int_equal(p.plen, 56);
	}
}

static void one_hint_in_two_ias_is_honoured_once(void **state)
{
	(void)state;
	const struct prefix6 wish = prefix("2001:db8:ffff:9900::/56");
	begin(SOLICIT);
	put_ia(IA_PD, 1, &wish);
	put_ia(IA_PD, 2, &wish);
	ask(ADVERTISE);
	const struct prefix6 a = got(IA_PD, 1), b = got(IA_PD, 2);
	assert_true(prefix6_equal(&a, &wish));
	assert_false(prefix6_overlaps(&a, &b));
}

static void a_length_hint_gets_the_nearest_that_the_pool_has(void **state)
{
	(void)state;
	static const struct {
		const char *hint;
		uint8_t len;
	} cases[] = {
		{ "::/40", 52 }, { "::/52", 52 }, { "::/54", 54 }, { "::/60", 60 }, { "::/64", 60 }
	};
	config.pd_min_len = 52;
	config.pd_max_len = 60;
	start();
	for (size_t i = 0; i < 5; i++) {
		const struct prefix6 wish = prefix(cases[i].hint);
		const struct prefix6 p = request_as("client", IA_PD, (uint32_t)i, &wish);
		assert_int_equal(p.plen, cases[i].len);
	}
	const struct prefix6 p = request_as("client", IA_PD, 9, &none);
	assert_int_equal(p.plen, 56);
}

static void assert_held(uint64_t used, uint64_t bound)
{
	assert_int_equal(stats()->pd.used, used);
	assert_int_equal(stats()->pd.bound, bound);
}

static void what_is_used_of_the_pool_counts_in_the_usual_length(void **state)
{
	(void)state;
	const struct prefix6 large = prefix("::/52"), small = prefix("::/60");
	struct prefix6 first = { 0 };
	config.pd_min_len = 52;
	config.pd_max_len = 60;
	start();
	for (uint32_t i = 0; i < 5; i++) {
		const struct prefix6 p = request_as("client", IA_PD, i, &small);
		first = i ? first : p;
		assert_held(1, i + 1);
	}
	(void)request_as("another", IA_PD, 1, &large);
	assert_held(17, 6);
	/* Renewed, and over. */
	(void)request_as("client", IA_PD, 0, &first);
	assert_held(17, 6);
	begin(RELEASE);
	put_ia(IA_PD, 0, &first);
	ask(REPLY);
	assert_held(17, 5);
	now_ms += 14400000;
	dhcp6_server_tick(server, now_ms, batch);
	assert_held(0, 0);
	(void)request_as("client", IA_PD, 0, &none);
	assert_held(1, 1);
	assert_true(dhcp6_server_consistent(server));
}

static void a_length_hint_is_no_matter_where_there_is_one_length(void **state)
{
	(void)state;
	const struct prefix6 wish = prefix("::/48");
	const struct prefix6 p = request_as("client", IA_PD, 1, &wish);
	assert_int_equal(p.plen, 56);
}

/* --- REQUEST (§18.3.2)
 * -------------------------------------------------------------------------------------- */

static void request_binds_what_was_offered(void **state)
{
	(void)state;
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	const struct prefix6 offer = got(IA_PD, 1);
	const struct prefix6 p = request_as("client", IA_PD, 1, &offer);
	assert_true(prefix6_equal(&p, &offer));
	assert_int_equal(batch->n_changes, 1);
	const struct binding_record *r = &batch->changes[0].record;
	assert_false(batch->changes[0].erase);
	assert_int_equal(r->kind, BINDING_PD);
	assert_int_equal(r->state, BINDING_BOUND);
	assert_int_equal(r->iaid, 1);
	assert_true(prefix6_equal(&r->prefix, &p));
	assert_int_equal(r->duid.len, 6);
	assert_int_equal(r->granted_at_ms, now_ms);
	assert_int_equal(r->valid_until_ms, now_ms + 14400000);
	assert_route(0, true, &p, "fe80::c");
	assert_int_equal(batch->answers[0].first_route, 0);
	assert_int_equal(batch->answers[0].n_routes, 1);
	assert_int_equal(stats()->pd.bound, 1);
}

static void a_request_again_gets_the_same_again(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	now_ms += 5000;
	const struct prefix6 q = request();
	assert_true(prefix6_equal(&p, &q));
	assert_int_equal(batch->changes[0].record.valid_until_ms, now_ms + 14400000);
	assert_int_equal(dhcp6_server_table(server)->n, 1);
}

static void addresses_have_no_route(void **state)
{
	(void)state;
	(void)request_as("client", IA_NA, 1, &none);
	assert_int_equal(batch->n_changes, 1);
	assert_int_equal(batch->n_routes, 0);
}

static void an_address_of_another_link_is_told_so(void **state)
{
	(void)state;
	const struct prefix6 foreign = prefix("2001:db8:1::5");
	begin(REQUEST);
	put_ia(IA_NA, 1, &foreign);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(status_of(IA_NA, 1), NOT_ON_LINK);
	assert_int_equal(peer_find_ia(&answer, IA_NA, 1)->n, 0);
	(void)got(IA_PD, 1);
}

static void an_exhausted_pool_says_so(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff:8000::/55");
	start();
	const struct prefix6 a = request_as("a", IA_PD, 1, &none),
			     b = request_as("b", IA_PD, 1, &none);
	assert_false(prefix6_equal(&a, &b));
	for (int i = 0; i < 2; i++) {
		begin_as(i == 0 ? SOLICIT : REQUEST, "c");
		put_ia(IA_PD, 1, &none);
		put_ia(IA_NA, 1, &none);
		ask(i == 0 ? ADVERTISE : REPLY);
		assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
		(void)got(IA_NA, 1);
	}
	assert_int_equal(stats()->pd.exhausted, 2);
	assert_int_equal(stats()->pd.capacity, 2);
}

static void a_client_holds_no_more_than_its_share(void **state)
{
	(void)state;
	config.max_bindings_per_client = 3;
	start();
	begin(SOLICIT);
	for (uint32_t i = 0; i < 5; i++)
		put_ia(i % 2 ? IA_NA : IA_PD, i, &none);
	ask(ADVERTISE); /* an offer promises no more than a REQUEST keeps */
	assert_int_equal(status_of(IA_NA, 3), NO_ADDRS_AVAIL);
	assert_int_equal(status_of(IA_PD, 4), NO_PREFIX_AVAIL);
	begin(REQUEST);
	for (uint32_t i = 0; i < 5; i++)
		put_ia(i % 2 ? IA_NA : IA_PD, i, &none);
	ask(REPLY);
	(void)got(IA_PD, 2);
	assert_int_equal(status_of(IA_NA, 3), NO_ADDRS_AVAIL);
	assert_int_equal(status_of(IA_PD, 4), NO_PREFIX_AVAIL);
	assert_int_equal(stats()->over_limit, 4);
	begin(RENEW); /* what it has stays its own */
	put_ia(IA_PD, 0, &none);
	ask(REPLY);
	(void)got(IA_PD, 0);
	(void)request_as("other", IA_PD, 1, &none);
}

static void what_is_remembered_of_one_client_is_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		const struct prefix6 p = request_as("client", IA_PD, i, &none);
		release_as("client", i, &p);
	}
	assert_int_equal(dhcp6_server_table(server)->n, 2 * D6_DEFAULT_MAX_BINDINGS);
}

static void come_from(uint8_t station)
{
	meta.lladdr_len = 6;
	memcpy(meta.lladdr, (const uint8_t[]){ 2, 0, 0, 0, 0, station }, 6);
	meta.src.s6_addr[15] = station;
}

static const char *made_up(unsigned i)
{
	static char name[16];
	(void)snprintf(name, sizeof name, "nobody%u", i);
	return name;
}

/* How many of n clients that somebody makes up get a prefix. */
static unsigned count_served(unsigned first, unsigned n)
{
	unsigned served = 0;
	for (unsigned i = first; i < first + n; i++) {
		begin_as(REQUEST, made_up(i));
		put_ia(IA_PD, 1, &none);
		ask(REPLY);
		served += peer_find_ia(&answer, IA_PD, 1)->status != NO_PREFIX_AVAIL;
	}
	return served;
}

static void a_station_holds_no_more_than_its_share_whatever_it_calls_itself(void **state)
{
	(void)state;
	config.max_bindings_per_station = 10;
	start();
	come_from(1);
	assert_int_equal(count_served(0, 50), 10);
	assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
	assert_int_equal(stats()->over_station_limit.n, 40);
	assert_memory_equal(stats()->over_station_limit.lladdr, meta.lladdr, 6);
	assert_int_equal(stats()->pd.exhausted + stats()->over_limit, 0);
	begin_as(SOLICIT, "another");
	put_ia(IA_NA, 1, &none);
	ask(ADVERTISE); /* an offer promises no more than a REQUEST keeps */
	assert_int_equal(status_of(IA_NA, 1), NO_ADDRS_AVAIL);
	begin_as(RENEW, made_up(3)); /* what they have stays theirs */
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	(void)got(IA_PD, 1);
	meta.src.s6_addr[15] = 99; /* nor under another address */
	assert_int_equal(count_served(50, 1), 0);
	come_from(2);
	assert_int_equal(count_served(100, 5), 5);
}

static void what_a_station_gives_back_it_may_have_again(void **state)
{
	(void)state;
	config.max_bindings_per_station = 10;
	start();
	come_from(1);
	for (unsigned i = 0; i < 100; i++) {
		const struct prefix6 p = request_as(made_up(i), IA_PD, 1, &none);
		release_as(made_up(i), 1, &p);
	}
	assert_int_equal(dhcp6_server_table(server)->n, 10); /* that are remembered */
	assert_int_equal(count_served(200, 50), 10);
	pass(config.valid_lft_s);
	assert_int_equal(stats()->pd.bound, 0);
	assert_in_range(dhcp6_server_table(server)->n, 10, 20);
	assert_int_equal(count_served(300, 50), 10);
	assert_int_equal(stats()->over_station_limit.n, 80);
}

static void what_it_declines_a_station_has_had(void **state)
{
	(void)state;
	config.max_bindings_per_station = 10;
	start();
	come_from(1);
	for (unsigned i = 0; i < 10; i++) {
		const struct prefix6 p = request_as(made_up(i), IA_NA, 1, &none);
		begin_as(DECLINE, made_up(i));
		put_ia(IA_NA, 1, &p);
		ask(REPLY);
	}
	assert_int_equal(count_served(20, 1), 0);
	pass(LEASES_DECLINE_S + 1);
	assert_int_equal(count_served(20, 1), 1);
}

static void a_binding_counts_where_its_client_is(void **state)
{
	(void)state;
	config.max_bindings_per_station = 10;
	start();
	come_from(1);
	assert_int_equal(count_served(0, 11), 10);
	come_from(2);
	begin_as(RENEW, made_up(0));
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(count_served(50, 20), 9);
	come_from(1);
	assert_int_equal(count_served(100, 20), 1);
}

static void a_relays_clients_are_told_apart_and_bounded_together(void **state)
{
	(void)state;
	config.max_bindings_per_station = 1;
	config.pd_len = 64;
	start();
	come_from(1);
	unsigned served = 0, refused = 0;
	for (unsigned i = 0; i < LEASES_RELAY_STATIONS + 20; i++) {
		struct in6_addr peer = unit_in6("fe80::5:0");
		peer.s6_addr[15] = (uint8_t)i;
		for (unsigned k = 0; k < 2; k++) { /* two clients of one house */
			begin_as(REQUEST, made_up(2 * i + k));
			put_ia(IA_PD, 1, &none);
			peer_relay(&msg, 0, &config.own_addr, &peer, "port 3", NULL);
			ask(REPLY);
			bool ok = peer_find_ia(&answer, IA_PD, 1)->status != NO_PREFIX_AVAIL;
			served += ok;
			refused += !ok;
		}
	}
	assert_int_equal(served, LEASES_RELAY_STATIONS);
	assert_int_equal(refused, LEASES_RELAY_STATIONS + 40);
	assert_int_equal(count_served(1000, 2), 1); /* the relay's own are none of its clients' */
}

/* RFC 6939's option is what anybody says who calls itself a relay. */
static void who_is_only_named_has_nothing_counted_against_it(void **state)
{
	(void)state;
	const struct in6_addr victim = unit_in6("fe80::2");
	struct peer_message linklayer = { 0 };
	config.max_bindings_per_station = 10;
	start();
	peer_option(&linklayer, 79, "\0\1\2\0\0\0\0\2", 8);
	come_from(1);
	for (unsigned i = 0; i < 20; i++) {
		begin_as(REQUEST, made_up(i));
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &in6addr_any, &victim, "eth7", i < 10 ? &linklayer : NULL);
		ask(REPLY);
		(void)got(IA_PD, 1);
	}
	begin_as(REQUEST, made_up(20));
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &victim, "eth7", &linklayer);
	ask(REPLY);
	assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
	come_from(2); /* itself, and then behind a relay of its own */
	assert_int_equal(count_served(100, 11), 10);
	come_from(3);
	for (unsigned i = 200; i < 202; i++) {
		begin_as(REQUEST, made_up(i));
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &in6addr_any, &victim, "eth7", i == 200 ? &linklayer : NULL);
		ask(REPLY);
		(void)got(IA_PD, 1);
	}
}

static void the_longest_duids_are_served_and_longer_ones_counted(void **state)
{
	(void)state;
	char client[DUID_MAX + 2];
	memset(client, 'x', sizeof client);
	client[DUID_MAX] = '\0';
	(void)request_as(client, IA_PD, 1, &none);
	client[DUID_MAX] = 'x';
	client[DUID_MAX + 1] = '\0';
	begin_as(SOLICIT, client);
	put_ia(IA_PD, 1, &none);
	ask_in_vain(D6_DROP_LONG_DUID);
	(void)request_as("x", IA_PD, 1, &none); /* one byte */
}

/* --- RENEW, REBIND (§18.3.4, §18.3.5)
 * ------------------------------------------------------------------------ */

static void renew_and_rebind_prolong(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	for (int i = 0; i < 2; i++) {
		now_ms += 900000;
		begin(i == 0 ? RENEW : REBIND);
		put_ia(IA_PD, 1, &p);
		ask(REPLY);
		const struct prefix6 q = got(IA_PD, 1);
		assert_true(prefix6_equal(&p, &q));
		assert_int_equal(peer_find_ia(&answer, IA_PD, 1)->n, 1);
		assert_int_equal(batch->changes[0].record.valid_until_ms, now_ms + 14400000);
		assert_route(0, true, &p, "fe80::c");
	}
	pass(14399);
	assert_int_equal(stats()->pd.bound, 1);
	pass(1);
	assert_int_equal(stats()->pd.bound, 0);
}

static void assert_lifetimes(uint8_t type, const struct prefix6 *p, uint32_t preferred_s,
			     uint32_t t1_s, uint32_t t2_s)
{
	begin(type);
	put_ia(IA_PD, 1, p);
	ask(type == SOLICIT ? ADVERTISE : REPLY);
	const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 1);
	const struct prefix6 q = got(IA_PD, 1);
	assert_true(prefix6_equal(p, &q));
	assert_int_equal(ia->resources[0].preferred_s, preferred_s);
	assert_int_equal(ia->resources[0].valid_s, 14400);
	assert_int_equal(ia->t1_s, t1_s);
	assert_int_equal(ia->t2_s, t2_s);
}

static int count_outdated(void *ctx, const struct binding *b)
{
	*(size_t *)ctx += dhcp6_server_outdated(server, b);
	return 0;
}

static size_t outdated(void)
{
	size_t n = 0;
	assert_int_equal(dhcp6_server_each(server, count_outdated, &n), 0);
	return n;
}

/* RFC 9096 §3.5 is how a CE router passes it on; RFC 8978 why it must be told. */
static void while_the_uplink_is_lost_all_that_is_granted_is_deprecated(void **state)
{
	(void)state;
	static const uint8_t types[] = { RENEW, REBIND, REQUEST, SOLICIT };
	const struct prefix6 p = request();
	assert_int_equal(outdated(), 0);
	dhcp6_server_uplink(server, false);
	assert_int_equal(outdated(), 1);
	for (size_t i = 0; i < 4; i++)
		assert_lifetimes(types[i], &p, 0, 60, 96);
	assert_int_equal(outdated(), 0);
	begin_as(RENEW, "other");
	put_ia(IA_NA, 1, &none);
	ask(REPLY);
	const struct prefix6 address = got(IA_NA, 1);
	assert_true(prefix6_contains(&config.transfer, &address));
	assert_int_equal(peer_find_ia(&answer, IA_NA, 1)->resources[0].preferred_s, 0);
	dhcp6_server_uplink(server, true);
	assert_int_equal(outdated(), 2);
	for (size_t i = 0; i < 4; i++)
		assert_lifetimes(types[i], &p, 1800, 900, 1440);
	assert_int_equal(outdated(), 1);
}

static void short_lifetimes_stay_as_short_while_the_uplink_is_lost(void **state)
{
	(void)state;
	config.preferred_lft_s = 100;
	start();
	const struct prefix6 p = request();
	dhcp6_server_uplink(server, false);
	assert_lifetimes(RENEW, &p, 0, 50, 80);
}

static void the_route_follows_the_client(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	const uint8_t types[] = { SOLICIT, REQUEST, RENEW, REBIND };
	for (size_t i = 0; i < 4; i++) {
		const struct in6_addr old = meta.src;
		meta.src.s6_addr[15]++;
		meta.lladdr_len = 6;
		meta.lladdr[0] = 2;
		meta.lladdr[5] = (uint8_t)i;
		begin(types[i]);
		if (types[i] == SOLICIT)
			peer_option(&msg, 14, NULL, 0);
		put_ia(IA_PD, 1, &p);
		ask(REPLY);
		assert_int_equal(batch->n_routes, 1);
		assert_true(batch->routes[0].add);
		assert_memory_equal(&batch->routes[0].next_hop, &meta.src, 16);
		assert_memory_equal(&batch->routes[0].old_next_hop, &old, 16);
		assert_int_equal(batch->routes[0].lladdr_len, 6);
		assert_int_equal(batch->routes[0].lladdr[5], i);
		assert_memory_equal(&batch->changes[0].record.next_hop, &meta.src, 16);
	}
}

static void a_binding_that_is_not_known_is_granted_as_claimed(void **state)
{
	(void)state;
	const struct prefix6 claim = prefix("2001:db8:ffff:a500::/56");
	begin(RENEW);
	put_ia(IA_PD, 1, &claim);
	ask(REPLY);
	const struct prefix6 p = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &claim));
	assert_route(0, true, &claim, "fe80::c");
	begin_as(REBIND, "other");
	put_ia(IA_PD, 1, &claim);
	ask(REPLY);
	const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 1);
	assert_int_equal(ia->n,
			 2); /* another one, and word that the one claimed is somebody else's */
	assert_false(prefix6_overlaps(&ia->resources[0].prefix, &claim));
	assert_true(prefix6_equal(&ia->resources[1].prefix, &claim));
	assert_int_equal(ia->resources[1].valid_s, 0);
	assert_int_equal(ia->resources[1].preferred_s, 0);
}

/* RFC 9096 §3.1, RFC 8978: the old prefix is taken back in the same message that brings the new
 * one. */
static void a_prefix_that_is_not_ours_any_more_is_withdrawn_beside_the_new_one(void **state)
{
	(void)state;
	const struct prefix6 old = prefix("2001:db8:eeee:8000::/56"),
			     old_address = prefix("2001:db8:eeee::77");
	begin(RENEW);
	put_ia(IA_PD, 1, &old);
	put_ia(IA_NA, 1, &old_address);
	ask(REPLY);
	for (int i = 0; i < 2; i++) {
		const struct peer_ia *ia = peer_find_ia(&answer, i == 0 ? IA_PD : IA_NA, 1);
		assert_int_equal(ia->status, PEER_NO_STATUS);
		assert_int_equal(ia->n, 2);
		assert_int_equal(ia->resources[0].valid_s, 14400);
		assert_int_equal(ia->resources[1].valid_s, 0);
		assert_int_equal(ia->t1_s, 900);
		assert_true(prefix6_equal(&ia->resources[1].prefix, i == 0 ? &old : &old_address));
	}
}

static void a_renewal_that_nothing_is_left_for_says_so_and_withdraws(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff:8000::/56");
	start();
	const struct prefix6 mine = request_as("a", IA_PD, 1, &none);
	begin_as(RENEW, "b");
	put_ia(IA_PD, 1, &mine);
	ask(REPLY);
	assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
	const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 1);
	assert_int_equal(ia->n, 1);
	assert_int_equal(ia->resources[0].valid_s, 0);
	begin_as(RENEW, "a"); /* and its owner has not been touched */
	put_ia(IA_PD, 1, &mine);
	ask(REPLY);
	const struct prefix6 still = got(IA_PD, 1);
	assert_true(prefix6_equal(&still, &mine));
}

static void a_length_hint_in_a_renewal_withdraws_nothing(void **state)
{
	(void)state;
	const struct prefix6 p = request(), hint = prefix("::/48");
	begin(RENEW);
	peer_ia(&msg, IA_PD, 1);
	peer_iaprefix(&msg, &hint);
	peer_iaprefix(&msg, &p);
	peer_ia_end(&msg);
	ask(REPLY);
	assert_int_equal(peer_find_ia(&answer, IA_PD, 1)->n, 1);
}

static void whoever_claims_hundreds_is_still_answered(void **state)
{
	(void)state;
	config.max_bindings_per_client = 0;
	start();
	begin(RENEW);
	for (uint32_t i = 0; i < 6; i++) {
		peer_ia(&msg, IA_PD, i);
		for (uint32_t k = 0; k < 16; k++) {
			const struct prefix6 range = prefix("2001:db8:1::/48");
			const struct prefix6 claim = prefix6_nth(&range, 56, i * 16 + k);
			peer_iaprefix(&msg, &claim);
		}
		peer_ia_end(&msg);
	}
	ask(REPLY);
	assert_int_equal(answer.n_ias, 6);
	for (uint32_t i = 0; i < 6; i++)
		(void)got(IA_PD, i);
	assert_true(batch->answers[0].len <= BATCH_ANSWER_FIT);
}

/* --- CONFIRM (§18.3.3)
 * -------------------------------------------------------------------------------------- */

static void confirm_looks_at_the_link_of_addresses(void **state)
{
	(void)state;
	const struct prefix6 here = prefix("2001:db8:ffff::abcd:1"),
			     elsewhere = prefix("2001:db8:1::1");
	begin(CONFIRM);
	put_ia(IA_NA, 1, &here);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
	assert_int_equal(answer.n_ias, 0);
	begin(CONFIRM);
	put_ia(IA_NA, 1, &here);
	put_ia(IA_NA, 2, &elsewhere);
	ask(REPLY);
	assert_int_equal(answer.status, NOT_ON_LINK);
	assert_int_equal(batch->n_changes, 0);
}

/* Several transfer networks are one link: what lies in any of them is right there, and addresses
 * are given from the first alone. */
static void every_transfer_network_is_on_our_link(void **state)
{
	(void)state;
	const struct prefix6 second = prefix("2001:db8:ffff:1::abcd:1"),
			     third = prefix("2001:db8:ffff:2::abcd:1");
	config.n_more_transfers = 1;
	config.more_transfers[0] = prefix("2001:db8:ffff:1::/64");
	start();
	begin(CONFIRM);
	put_ia(IA_NA, 1, &second);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
	begin(CONFIRM);
	put_ia(IA_NA, 1, &third);
	ask(REPLY);
	assert_int_equal(answer.status, NOT_ON_LINK);
	const struct prefix6 p = request_as("client", IA_NA, 1, &second);
	assert_true(prefix6_contains(&config.transfer, &p));
}

static void confirm_without_addresses_is_not_answered(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	begin(CONFIRM);
	ask_in_vain(D6_DROP_NOTHING_TO_CONFIRM);
	begin(CONFIRM);
	put_ia(IA_PD, 1, &p);
	ask_in_vain(D6_DROP_NOTHING_TO_CONFIRM);
	begin(CONFIRM);
	put_ia(IA_NA, 1, &none);
	ask_in_vain(D6_DROP_NOTHING_TO_CONFIRM);
	begin(CONFIRM);
	const struct prefix6 here = prefix("2001:db8:ffff::abcd:1");
	put_ia(IA_TA, 1, &here);
	ask_in_vain(D6_DROP_NOTHING_TO_CONFIRM);
}

/* --- RELEASE, DECLINE (§18.3.7, §18.3.8)
 * -------------------------------------------------------------------- */

static void release_ends_the_binding_and_its_route(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	release_as("client", 1, &p);
	assert_int_equal(answer.n_ias, 0);
	assert_int_equal(batch->n_changes, 1);
	assert_int_equal(batch->changes[0].record.state, BINDING_FREED);
	assert_int_equal(batch->n_routes, 1);
	assert_route(0, false, &p, "fe80::c");
	assert_int_equal(stats()->pd.bound, 0);
	assert_int_equal(stats()->pd.freed, 1);
	assert_int_equal(dhcp6_server_deadline(server), UINT64_MAX);
}

static void release_of_what_is_not_bound_says_no_binding(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	begin(RELEASE);
	put_ia(IA_PD, 1, &p);
	put_ia(IA_PD, 2, &p);
	put_ia(IA_NA, 1, &p);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
	assert_int_equal(answer.n_ias, 2);
	assert_int_equal(status_of(IA_PD, 2), NO_BINDING);
	assert_int_equal(status_of(IA_NA, 1), NO_BINDING);
	release_as("client", 1, &p); /* again */
	assert_int_equal(status_of(IA_PD, 1), NO_BINDING);
	assert_int_equal(batch->n_changes, 0);
}

static void nobody_releases_what_is_somebody_elses(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	release_as("thief", 1, &p);
	assert_int_equal(status_of(IA_PD, 1), NO_BINDING);
	assert_int_equal(batch->n_changes + batch->n_routes, 0);
	const struct prefix6 q = request_as("thief", IA_PD, 1, &none);
	release_as("thief", 1, &p); /* under an IA that it has */
	assert_int_equal(batch->n_changes + batch->n_routes, 0);
	assert_false(prefix6_equal(&p, &q));
	assert_int_equal(stats()->pd.bound, 2);
}

/* It has the client's identifier, and its address as a source or as a relay tells it, but not its
 * frames. */
static void nobody_gives_back_by_a_made_up_source_or_relay(void **state)
{
	(void)state;
	struct peer_message linklayer = { 0 };
	config.max_bindings_per_station = 10;
	start();
	come_from(1);
	const struct pkt_meta victim = meta;
	const struct prefix6 p = request();
	peer_option(&linklayer, 79, "\0\1", 2);
	memcpy(linklayer.bytes + linklayer.len, victim.lladdr, 6);
	linklayer.len += 6;
	linklayer.bytes[3] = 8;
	come_from(2);
	const struct pkt_meta thief = meta;
	meta.src = victim.src;
	release_as("client", 1, &p);
	assert_int_equal(batch->n_changes + batch->n_routes, 0);
	meta = thief;
	begin(RELEASE);
	put_ia(IA_PD, 1, &p);
	peer_relay(&msg, 0, &in6addr_any, &victim.src, "eth7", &linklayer);
	ask(REPLY);
	assert_int_equal(batch->n_changes + batch->n_routes, 0);
	assert_int_equal(stats()->not_from_holder, 2);
	meta = victim;
	release_as("client", 1, &p);
	assert_int_equal(batch->n_changes, 1);
	assert_int_equal(stats()->pd.bound, 0);
}

static void a_temporary_ia_releases_no_other(void **state)
{
	(void)state;
	const struct prefix6 a = request_as("client", IA_NA, 1, &none);
	begin(RELEASE);
	put_ia(IA_TA, 1, &a);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
	assert_int_equal(answer.n_ias, 0);
	assert_int_equal(stats()->na.bound, 1);
}

static void a_declined_address_is_set_aside_for_an_hour(void **state)
{
	(void)state;
	const struct prefix6 a = request_as("client", IA_NA, 1, &none);
	begin(DECLINE);
	put_ia(IA_NA, 1, &a);
	ask(REPLY);
	assert_int_equal(answer.status, SUCCESS);
	assert_int_equal(batch->changes[0].record.state, BINDING_DECLINED);
	assert_int_equal(stats()->na.declined, 1);
	const struct prefix6 b = request_as("client", IA_NA, 1, &a);
	assert_false(prefix6_equal(&a, &b));
	const struct prefix6 c = request_as("other", IA_NA, 1, &a);
	assert_false(prefix6_equal(&a, &c));
	pass(LEASES_DECLINE_S - 1);
	assert_int_equal(stats()->na.declined, 1);
	now_ms += 1000;
	batch_reset(batch);
	dhcp6_server_tick(server, now_ms, batch);
	assert_int_equal(batch->n_changes, 1);
	assert_true(batch->changes[0].erase);
	assert_true(prefix6_equal(&batch->changes[0].record.prefix, &a));
	assert_int_equal(stats()->na.declined, 0);
	const struct prefix6 d = request_as("third", IA_NA, 1, &a);
	assert_true(prefix6_equal(&a, &d));
}

static void declining_again_and_again_comes_to_an_end(void **state)
{
	(void)state;
	unsigned served = 0;
	for (int i = 0; i < 100; i++) {
		begin(REQUEST);
		put_ia(IA_NA, 1, &none);
		ask(REPLY);
		const struct peer_ia *ia = peer_find_ia(&answer, IA_NA, 1);
		if (ia->status == NO_ADDRS_AVAIL)
			continue;
		served++;
		const struct prefix6 a = got(IA_NA, 1);
		begin(DECLINE);
		put_ia(IA_NA, 1, &a);
		ask(REPLY);
	}
	assert_int_equal(served, 2 * D6_DEFAULT_MAX_BINDINGS);
	(void)request_as("other", IA_NA, 1, &none);
}

static void decline_is_about_addresses(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	begin(DECLINE);
	put_ia(IA_PD, 1, &p);
	put_ia(IA_NA, 4, &none);
	ask(REPLY);
	assert_int_equal(stats()->pd.bound, 1);
	assert_int_equal(status_of(IA_NA, 4), NO_BINDING);
}

/* --- INFORMATION-REQUEST and options (§18.3.6, §21.7)
 * ------------------------------------------------------- */

static void information_is_given_with_and_without_a_client_id(void **state)
{
	(void)state;
	static const uint16_t oro[] = { 23, 24 };
	for (int i = 0; i < 2; i++) {
		batch_reset(batch);
		peer_begin(&msg, INFORMATION_REQUEST, XID);
		if (i == 1)
			peer_option(&msg, 1, "client", 6);
		peer_oro(&msg, oro, 2);
		ask(REPLY);
		assert_int_equal(answer.options[1].len, i == 1 ? 6 : 0);
		assert_int_equal(answer.options[23].len, 32);
		assert_memory_equal(answer.options[23].at, config.nameservers, 32);
		assert_int_equal(answer.options[24].len, 13);
		assert_memory_equal(answer.options[24].at, "\7example\3net", 13);
	}
}

static void options_are_given_to_those_who_ask(void **state)
{
	(void)state;
	static const uint8_t sol_max_rt[] = { 0, 0, 14, 16 }, refresh[] = { 0, 1, 81, 128 };
	static const uint16_t oro[] = { 82, 32, 24 };
	config.n_extra = 2;
	config.extra[0] = (struct dhcp6_extra_option){ .code = 82, .len = 4, .bytes = sol_max_rt };
	config.extra[1] = (struct dhcp6_extra_option){
		.code = 32, .len = 4, .bytes = refresh, .information_only = true
	};
	start();
	begin(SOLICIT);
	ask(ADVERTISE);
	assert_null(answer.options[23].at);
	assert_null(answer.options[82].at);
	begin(SOLICIT);
	peer_oro(&msg, oro, 3);
	ask(ADVERTISE);
	assert_null(answer.options[23].at);
	assert_int_equal(answer.options[24].len, 13);
	assert_int_equal(answer.options[82].len, 4);
	assert_memory_equal(answer.options[82].at, sol_max_rt, 4);
	assert_null(answer.options[32].at); /* §21.23: only in answers to INFORMATION-REQUEST */
	begin(INFORMATION_REQUEST);
	peer_oro(&msg, oro, 3);
	ask(REPLY);
	assert_int_equal(answer.options[32].len, 4);
	assert_memory_equal(answer.options[32].at, refresh, 4);
}

/* RFC 5908 §4: a time source an option, so the option stands as often as there are sources. */
static void an_option_with_several_instances_is_sent_with_all_of_them(void **state)
{
	(void)state;
	static const uint8_t first[] = { 1, 2, 3 }, second[] = { 4, 5 };
	static const uint16_t oro[] = { 56 };
	static const uint8_t both[] = { 0, 56, 0, 3, 1, 2, 3, 0, 56, 0, 2, 4, 5 };
	config.n_extra = 2;
	config.extra[0] = (struct dhcp6_extra_option){ .code = 56, .len = 3, .bytes = first };
	config.extra[1] = (struct dhcp6_extra_option){ .code = 56, .len = 2, .bytes = second };
	start();
	begin(SOLICIT);
	peer_oro(&msg, oro, 1);
	input();
	const struct answer *a = &batch->answers[0];
	assert_true(a->len > sizeof both);
	assert_memory_equal(a->bytes + a->len - sizeof both, both, sizeof both);
}

/* The IAPREFIX of the answer, from its prefix's length on. */
static const uint8_t *iaprefix_of(const struct answer *a, size_t *ret_len)
{
	for (size_t i = 0; i + 4 < a->len; i++)
		if (a->bytes[i] == 0 && a->bytes[i + 1] == 26 && a->bytes[i + 2] == 0 &&
		    a->bytes[i + 3] >= 25) {
			*ret_len = a->bytes[i + 3];
			return a->bytes + i + 4 + 8;
		}
	fail_msg("no IAPREFIX in the answer");
	return NULL;
}

/* RFC 6603 §4.2 */
static void a_part_of_the_prefix_is_excluded_for_those_who_ask(void **state)
{
	(void)state;
	static const uint16_t oro[] = { 23, 67 }, others[] = { 23 };
	size_t len;
	config.pd_exclude_len = 64;
	config.pd_exclude_subnet = 0xfe;
	start();
	for (int renewal = 0; renewal < 2; renewal++) {
		begin(renewal ? RENEW : REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_oro(&msg, oro, 2);
		input();
		const uint8_t *p = iaprefix_of(&batch->answers[0], &len);
		assert_int_equal(len, 25 + 6);
		assert_int_equal(p[0], 56);
		assert_memory_equal(p + 17, "\0\103\0\2\100\376", 6);
		begin(renewal ? RENEW : REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_oro(&msg, others, 1);
		input();
		(void)iaprefix_of(&batch->answers[0], &len);
		assert_int_equal(len, 25);
	}
}

static void a_withdrawn_prefix_excludes_nothing(void **state)
{
	(void)state;
	static const uint16_t oro[] = { 67 };
	const struct prefix6 foreign = prefix("2001:db8:eeee::/64");
	config.pd_exclude_len = 64;
	start();
	begin(RENEW);
	put_ia(IA_PD, 1, &foreign);
	peer_oro(&msg, oro, 1);
	input();
	size_t found = 0;
	const struct answer *a = &batch->answers[0];
	for (size_t i = 0; i + 6 < a->len; i++)
		found += memcmp(a->bytes + i, "\0\103\0\2\100", 5) == 0;
	assert_int_equal(found, 1);
}

static void what_is_excluded_must_exist_in_every_prefix(void **state)
{
	(void)state;
	static const struct {
		uint8_t len;
		uint64_t subnet;
		uint8_t max_len;
		int result;
	} cases[] = {
		{ 64, 255, 0, 0 }, { 64, 256, 0, -EINVAL }, { 56, 0, 0, -EINVAL },
		{ 57, 1, 0, 0 },   { 129, 0, 0, -EINVAL },  { 128, UINT64_MAX, 0, 0 },
		{ 64, 15, 60, 0 }, { 64, 16, 60, -EINVAL }, { 60, 0, 60, -EINVAL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		config.pd_exclude_len = cases[i].len;
		config.pd_exclude_subnet = cases[i].subnet;
		config.pd_max_len = cases[i].max_len;
		struct dhcp6_server *other = NULL;
		assert_int_equal(dhcp6_server_new(&config, &other), cases[i].result);
		dhcp6_server_free(other);
	}
}

/* --- what is not answered (§16)
 * ----------------------------------------------------------------------------- */

static void identifiers_are_demanded_as_each_message_type_has_them(void **state)
{
	(void)state;
	enum need { MUST, MUST_NOT, MAY };
	static const struct {
		uint8_t type;
		enum need client, own;
	} cases[] = {
		{ SOLICIT, MUST, MUST_NOT }, { REQUEST, MUST, MUST },
		{ CONFIRM, MUST, MUST_NOT }, { RENEW, MUST, MUST },
		{ REBIND, MUST, MUST_NOT },  { RELEASE, MUST, MUST },
		{ DECLINE, MUST, MUST },     { INFORMATION_REQUEST, MAY, MAY },
	};
	const struct prefix6 here = prefix("2001:db8:ffff::abcd:1");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int ids = 0; ids < 6; ids++) {
			bool client = ids & 1;
			int own = ids / 2; /* 0: none, 1: ours, 2: another server's */
			batch_reset(batch);
			peer_begin(&msg, cases[i].type, XID);
			if (client)
				peer_option(&msg, 1, "client", 6);
			if (own)
				peer_option(&msg, 2, own == 1 ? "\0\2srv1" : "\0\2srv2", 6);
			if (cases[i].type != INFORMATION_REQUEST)
				put_ia(IA_NA, 1, &here);
			if (cases[i].client == MUST && !client)
				ask_in_vain(D6_DROP_NO_CLIENT_ID);
			else if (cases[i].own == MUST && !own)
				ask_in_vain(D6_DROP_NO_SERVER_ID);
			else if (cases[i].own == MUST_NOT && own)
				ask_in_vain(D6_DROP_HAS_SERVER_ID);
			else if (own == 2)
				ask_in_vain(D6_DROP_OTHER_SERVER);
			else
				ask(cases[i].type == SOLICIT ? ADVERTISE : REPLY);
		}
}

static void information_request_with_an_ia_is_dropped(void **state)
{
	(void)state;
	begin(INFORMATION_REQUEST);
	put_ia(IA_PD, 1, &none);
	ask_in_vain(D6_DROP_HAS_IA);
	begin(INFORMATION_REQUEST);
	put_ia(IA_TA, 1, &none); /* which is no IA any more */
	ask(REPLY);
}

static void messages_of_servers_and_unknown_ones_are_dropped(void **state)
{
	(void)state;
	static const uint8_t types[] = { ADVERTISE, REPLY, RECONFIGURE };
	for (size_t i = 0; i < sizeof types; i++) {
		begin(types[i]);
		ask_in_vain(D6_DROP_NOT_FOR_SERVERS);
	}
	begin(0);
	ask_in_vain(D6_DROP_UNKNOWN_TYPE);
	begin(14);
	ask_in_vain(D6_DROP_UNKNOWN_TYPE);
	begin(SOLICIT);
	peer_relay(&msg, 0, &config.own_addr, &meta.src, NULL, NULL);
	msg.bytes[0] = 13; /* a RELAY-REPL */
	ask_in_vain(D6_DROP_NOT_FOR_SERVERS);
}

static void clients_are_not_served_by_unicast(void **state)
{
	(void)state;
	meta.dst = config.own_addr;
	begin(SOLICIT);
	ask_in_vain(D6_DROP_UNICAST);
	meta.dst = in6addr_any; /* unknown is as good as wrong */
	begin(SOLICIT);
	ask_in_vain(D6_DROP_UNICAST);
}

static void clients_speak_from_their_link_local_address(void **state)
{
	(void)state;
	meta.src = unit_in6("2001:db8:ffff::77");
	begin(SOLICIT);
	ask_in_vain(D6_DROP_SOURCE);
}

static void what_cannot_be_parsed_is_dropped_and_counted(void **state)
{
	(void)state;
	begin(SOLICIT);
	msg.len--;
	ask_in_vain(D6_DROP_MALFORMED);
	begin(SOLICIT);
	msg.len = 3;
	ask_in_vain(D6_DROP_MALFORMED);
	begin(SOLICIT);
	msg.len = 0;
	ask_in_vain(D6_DROP_MALFORMED);
	begin(SOLICIT);
	peer_option(&msg, 1, "twice", 5);
	ask_in_vain(D6_DROP_MALFORMED);
}

static void everything_is_counted_by_type(void **state)
{
	(void)state;
	(void)request();
	begin(SOLICIT);
	ask(ADVERTISE);
	begin(INFORMATION_REQUEST);
	put_ia(IA_PD, 1, &none);
	ask_in_vain(D6_DROP_HAS_IA);
	assert_int_equal(stats()->received, 3);
	assert_int_equal(stats()->by_type[REQUEST], 1);
	assert_int_equal(stats()->by_type[SOLICIT], 1);
	assert_int_equal(stats()->by_type[INFORMATION_REQUEST], 1);
	assert_int_equal(stats()->answered, 2);
	assert_int_equal(stats()->answers_by_type[REPLY], 1);
	assert_int_equal(stats()->answers_by_type[ADVERTISE], 1);
	for (int i = 0; i < D6_DROP_COUNT; i++)
		assert_string_not_equal(dhcp6_drop_name((enum d6_drop)i), "unknown");
}

/* --- relays (§19, RFC 6221, RFC 8357, RFC 6939)
 * ------------------------------------------------------------- */

static void relays_are_answered_as_they_are_nested(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), near_link = unit_in6("2001:db8:5::1"),
			      far_link = unit_in6("2001:db8:6::1");
	const struct in6_addr near = unit_in6("2001:db8:5::9");
	meta.src = unit_in6("fe80::9");
	meta.dst = config.own_addr; /* relays may use unicast (§19.1.1) */
	meta.src_port = 547;
	begin(REQUEST);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &near_link, &client, "port 3", NULL);
	peer_relay(&msg, 1, &far_link, &near, NULL, NULL);
	ask(REPLY);
	assert_int_equal(answer.n_relays, 2);
	assert_int_equal(answer.relays[0].hops, 1);
	assert_memory_equal(&answer.relays[0].link, &far_link, 16);
	assert_memory_equal(&answer.relays[0].peer, &near, 16);
	assert_null(answer.relays[0].interface_id.at);
	assert_int_equal(answer.relays[1].hops, 0);
	assert_memory_equal(&answer.relays[1].peer, &client, 16);
	assert_int_equal(answer.relays[1].interface_id.len, 6);
	assert_memory_equal(answer.relays[1].interface_id.at, "port 3", 6);
	assert_int_equal(batch->answers[0].dst_port, 547);
	assert_memory_equal(&batch->answers[0].dst, &meta.src, 16);
	const struct prefix6 p = got(IA_PD, 1);
	assert_route(0, true, &p, "fe80::9"); /* the relay nearest to us */
	assert_int_equal(stats()->by_type[12], 1);
	assert_int_equal(stats()->by_type[REQUEST], 1);
}

static void behind_a_lightweight_relay_the_route_goes_to_the_client(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c");
	struct peer_message linklayer = { 0 };
	peer_option(&linklayer, 79, "\0\1\2\0\0\0\0\x63", 8);
	meta.src = unit_in6("fe80::9");
	meta.lladdr_len = 6;
	begin(REQUEST);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_NA, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &client, "eth7", NULL);
	ask(REPLY);
	const struct prefix6 p = got(IA_PD, 1);
	(void)got(IA_NA, 1); /* it is on our link */
	assert_route(0, true, &p, "fe80::c");
	assert_int_equal(batch->routes[0].lladdr_len, 0); /* the frame's was the relay's */
	begin(RENEW);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &client, "eth7", &linklayer);
	ask(REPLY);
	assert_int_equal(batch->routes[0].lladdr_len, 6);
	assert_memory_equal(batch->routes[0].lladdr, "\2\0\0\0\0\x63", 6);
	const struct in6_addr ours = unit_in6("fe80::1");
	dhcp6_server_own(server, &ours);
	begin(RENEW);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &ours, "eth7", NULL);
	ask_in_vain(D6_DROP_SOURCE); /* no route leads through ourselves */
	const struct in6_addr global = unit_in6("2001:db8:ffff::c");
	begin(RENEW);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &global, "eth7", NULL);
	ask_in_vain(D6_DROP_SOURCE);
}

/* Ends as many entries as it begins: what nobody takes out stands in the kernel until the next
 * start.
 */
static void an_address_whose_client_is_lost_sight_of_is_taken_out(void **state)
{
	(void)state;
	const struct in6_addr elsewhere = unit_in6("fe80::d");
	memcpy(meta.lladdr, "\2\0\0\0\0\1", 6);
	meta.lladdr_len = 6;
	const struct prefix6 p = request_as("client", IA_NA, 1, &none);
	assert_route(0, true, &p, "fe80::c");
	assert_false(batch->routes[0].held);
	/* From behind a lightweight relay that does not tell where it is. */
	begin(RENEW);
	put_ia(IA_NA, 1, &p);
	peer_relay(&msg, 0, &in6addr_any, &elsewhere, "eth7", NULL);
	ask(REPLY);
	assert_int_equal(batch->changes[0].record.lladdr_len, 0);
	assert_int_equal(batch->n_routes, 1);
	assert_false(batch->routes[0].add);
	assert_true(prefix6_equal(&batch->routes[0].prefix, &p));
	/* Seen again: that is a new entry, and the last one. */
	for (int i = 0; i < 2; i++) {
		begin(RENEW);
		put_ia(IA_NA, 1, &p);
		ask(REPLY);
		assert_int_equal(batch->n_routes, 1);
		assert_true(batch->routes[0].add);
		assert_int_equal(batch->routes[0].held, i);
	}
	begin(RELEASE);
	put_ia(IA_NA, 1, &p);
	ask(REPLY);
	assert_int_equal(batch->n_routes, 1);
	assert_false(batch->routes[0].add);
}

/* RFC 6939 §4. What is no station's address would send the traffic to everybody, or to nobody. */
static void only_the_address_of_an_ethernet_station_is_believed(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		const char *bytes;
	} options[] = {
		{ 2, "\0\1" },
		{ 5, "\0\1\2\0\0" },
		{ 7, "\0\1\2\0\0\0\0" },
		{ 9, "\0\1\2\0\0\0\0\x63\0" },
		{ 8, "\0\x20\2\0\0\0\0\x63" }, /* InfiniBand */
		{ 8, "\0\1\0\0\0\0\0\0" },
		{ 8, "\0\1\xff\xff\xff\xff\xff\xff" },
		{ 8, "\0\1\x33\x33\0\0\0\1" },
		{ 8, "\0\1\2\0\0\0\0\x63" },
	};
	const struct in6_addr client = unit_in6("fe80::c");
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		bool last = i + 1 == sizeof options / sizeof options[0];
		struct peer_message linklayer = { 0 };
		peer_option(&linklayer, 79, options[i].bytes, options[i].len);
		begin(REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &in6addr_any, &client, "eth7", &linklayer);
		ask(REPLY);
		assert_int_equal(batch->routes[0].lladdr_len, last ? 6 : 0);
	}
	memcpy(meta.lladdr, "\xff\xff\xff\xff\xff\xff", 6);
	meta.lladdr_len = 6;
	(void)request_as("another", IA_PD, 1, &none);
	assert_int_equal(batch->routes[0].lladdr_len, 0);
}

/* RFC 6221 §4: it bridges, and what came through a router comes from none. Or else everybody behind
 * a subscriber could say where its neighbour is to be found. */
static void a_lightweight_relay_is_on_our_link(void **state)
{
	(void)state;
	static const char *const sources[] = { "fe80::9", "2001:db8:ffff::9",
					       "2001:db8:ffff:8000::5", "2001:db8:1::5", "::1" };
	const struct in6_addr victim = unit_in6("fe80::c");
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		meta.src = unit_in6(sources[i]);
		meta.dst = config.own_addr;
		begin(REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &in6addr_any, &victim, "eth7", NULL);
		if (i < 2)
			ask(REPLY);
		else
			ask_in_vain(D6_DROP_SOURCE);
	}
}

static void a_lightweight_relay_behind_another_leaves_the_route_to_that(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), link = unit_in6("2001:db8:ffff::9");
	for (int outer_has_link = 0; outer_has_link < 2; outer_has_link++) {
		meta.src = unit_in6("fe80::9");
		begin(REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, outer_has_link ? &in6addr_any : &link, &client, "eth7", NULL);
		peer_relay(&msg, 1, outer_has_link ? &link : &in6addr_any, &client, NULL, NULL);
		ask(REPLY);
		const struct prefix6 p = got(IA_PD, 1);
		assert_route(0, true, &p, "fe80::9");
	}
}

static void a_relay_port_is_answered(void **state)
{
	(void)state;
	struct peer_message port = { 0 };
	peer_option(&port, 135, "\0\0", 2);
	meta.src_port = 5547;
	begin(SOLICIT);
	peer_relay(&msg, 0, &config.own_addr, &meta.src, NULL, NULL);
	ask(ADVERTISE);
	assert_int_equal(batch->answers[0].dst_port, 547);
	begin(SOLICIT);
	peer_relay(&msg, 0, &config.own_addr, &meta.src, NULL, &port);
	ask(ADVERTISE);
	assert_int_equal(batch->answers[0].dst_port, 5547);
	assert_int_equal(answer.relays[0].relay_port.len, 2);
}

/* §13.1: addresses belong to the client's link, which the relay nearest to it names. */
static void clients_on_other_links_get_prefixes_only(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), elsewhere = unit_in6("2001:db8:5::1");
	const struct prefix6 here = prefix("2001:db8:ffff::abcd:1"),
			     there = prefix("2001:db8:5::77");
	begin(SOLICIT);
	put_ia(IA_NA, 1, &none);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &elsewhere, &client, NULL, NULL);
	ask(ADVERTISE);
	assert_int_equal(status_of(IA_NA, 1), NO_ADDRS_AVAIL);
	(void)got(IA_PD, 1);
	begin(CONFIRM);
	put_ia(IA_NA, 1, &here);
	peer_relay(&msg, 0, &elsewhere, &client, NULL, NULL);
	ask(REPLY);
	assert_int_equal(answer.status, NOT_ON_LINK);
	begin(CONFIRM);
	put_ia(IA_NA, 1, &there); /* of which we know nothing */
	peer_relay(&msg, 0, &elsewhere, &client, NULL, NULL);
	ask_in_vain(D6_DROP_NOTHING_TO_CONFIRM);
}

/* What the kernel has no route to is no next hop: a prefix that led there would be lost to
 * everybody.
 */
static void a_relay_that_is_not_on_our_link_gets_nothing_of_ours(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), link = unit_in6("2001:db8:aaaa::1");
	for (int i = 0; i < 2; i++) {
		meta.src = unit_in6(i ? "2001:db8:ffff::9" : "2001:db8:ffff:8000::5");
		meta.dst = config.own_addr;
		begin(REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &link, &client, NULL, NULL);
		ask(REPLY);
		assert_int_equal(batch->n_changes, i);
		if (i)
			(void)got(IA_PD, 1);
		else
			assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
	}
	meta.src = unit_in6("2001:db8:ffff:8000::5");
	begin(INFORMATION_REQUEST);
	peer_relay(&msg, 0, &link, &client, NULL, NULL);
	ask(REPLY);
	/* Nor an address of our link, though it says that it serves that. */
	const struct in6_addr ours = unit_in6("2001:db8:ffff::9");
	begin(REQUEST);
	put_ia(IA_NA, 1, &none);
	peer_relay(&msg, 0, &ours, &client, NULL, NULL);
	ask(REPLY);
	assert_int_equal(batch->n_changes, 0);
	assert_int_equal(status_of(IA_NA, 1), NO_ADDRS_AVAIL);
}

static void the_relay_nearest_to_the_client_names_its_link(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), ours = unit_in6("2001:db8:ffff::9"),
			      elsewhere = unit_in6("2001:db8:5::1");
	for (int near_is_ours = 0; near_is_ours < 2; near_is_ours++) {
		begin(SOLICIT);
		put_ia(IA_NA, 1, &none);
		peer_relay(&msg, 0, near_is_ours ? &ours : &elsewhere, &client, NULL, NULL);
		peer_relay(&msg, 1, near_is_ours ? &elsewhere : &ours, &client, NULL, NULL);
		ask(ADVERTISE);
		assert_int_equal(peer_find_ia(&answer, IA_NA, 1)->status,
				 near_is_ours ? PEER_NO_STATUS : NO_ADDRS_AVAIL);
	}
}

static void relays_nest_to_the_limit_and_no_further(void **state)
{
	(void)state;
	for (unsigned depth = 9; depth <= 10; depth++) {
		begin(SOLICIT);
		for (uint8_t i = 0; i < depth; i++)
			peer_relay(&msg, i < 8 ? i : 8, &in6addr_any, &meta.src, NULL, NULL);
		if (depth == 9)
			ask(ADVERTISE);
		else
			ask_in_vain(D6_DROP_HOP_COUNT);
	}
	assert_int_equal(answer.n_relays, 9);
	begin(SOLICIT);
	peer_relay(&msg, 9, &in6addr_any, &meta.src, NULL, NULL);
	ask_in_vain(D6_DROP_TOO_MANY);
}

static void an_answer_that_cannot_fit_changes_nothing(void **state)
{
	(void)state;
	char name[7000];
	memset(name, 'i', sizeof name);
	name[sizeof name - 1] = '\0';
	begin(REQUEST);
	put_ia(IA_PD, 1, &none);
	/* Three relays whose Interface-Ids alone are longer than an answer may be; longer than
	 * dhcp6_peer.h writes. */
	static uint8_t bytes[24000];
	struct wr w = wr_of(bytes, sizeof bytes);
	for (int i = 2; i >= 0; i--) {
		wr_u8(&w, 12);
		wr_u8(&w, (uint8_t)i);
		wr_zero(&w, 16);
		wr_in6(&w, &meta.src);
		wr_be16(&w, 18);
		wr_be16(&w, (uint16_t)(sizeof name - 1));
		wr_bytes(&w, name, sizeof name - 1);
		wr_be16(&w, 9);
		wr_be16(&w, (uint16_t)(msg.len + (size_t)i * (34 + 4 + sizeof name - 1 + 4)));
	}
	wr_bytes(&w, msg.bytes, msg.len);
	assert_false(w.full);
	dhcp6_server_input(server, now_ms, &meta, rd_of(bytes, wr_len(&w)), batch);
	assert_int_equal(stats()->drops[D6_DROP_NO_ROOM], 1);
	assert_int_equal(batch->n_answers + batch->n_changes, 0);
	assert_int_equal(stats()->pd.bound, 0);
}

/* A name that comes back and withdrawn prefixes share one frame's room. */
static void a_long_name_leaves_room_for_fewer_withdrawals(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 256; len++) {
		uint8_t name[256] = {
			0
		}; /* flags, labels of one letter, and an end for each other */
		for (size_t i = 1; i + 1 < len; i += 2) {
			name[i] = 1;
			name[i + 1] = 'a';
		}
		begin(RENEW);
		peer_oro(&msg, (const uint16_t[]){ 39 }, 1);
		peer_ia(&msg, IA_PD, 1);
		for (uint32_t k = 0; k < 60; k++) {
			const struct prefix6 range = prefix("2001:db8:1::/48");
			const struct prefix6 claim = prefix6_nth(&range, 56, k);
			peer_iaprefix(&msg, &claim);
		}
		peer_ia_end(&msg);
		peer_option(&msg, 39, name, len);
		ask(REPLY);
		assert_int_equal(answer.options[39].len, len);
		assert_true(batch->answers[0].len <= BATCH_ANSWER_FIT);
		(void)got(IA_PD, 1);
	}
}

/* --- time
 * ---------------------------------------------------------------------------------------------------
 */

static void an_expired_binding_loses_its_route_and_is_remembered(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	assert_int_equal(dhcp6_server_deadline(server), now_ms + 14400000);
	now_ms += 14400000;
	batch_reset(batch);
	dhcp6_server_tick(server, now_ms, batch);
	assert_int_equal(batch->n_changes, 1);
	assert_int_equal(batch->changes[0].record.state, BINDING_FREED);
	assert_route(0, false, &p, "fe80::c");
	assert_int_equal(batch->n_answers, 0);
	const struct prefix6 q = request();
	assert_true(prefix6_equal(&p, &q));
}

static void many_expire_in_as_many_batches_as_it_takes(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8::/40");
	config.transfer = prefix("2001:db9::/64");
	config.own_addr = unit_in6("2001:db9::1");
	start();
	for (unsigned i = 0; i < 3000; i++) {
		char client[16];
		(void)snprintf(client, sizeof client, "c%u", i);
		begin_as(REQUEST, client);
		put_ia(IA_PD, 1, &none);
		dhcp6_server_input(server, now_ms, &meta, rd_of(msg.bytes, msg.len), batch);
	}
	assert_int_equal(stats()->pd.bound, 3000);
	now_ms += 14400000;
	size_t freed = 0;
	for (int i = 0; dhcp6_server_deadline(server) <= now_ms; i++) {
		assert_true(i < 20);
		batch_reset(batch);
		dhcp6_server_tick(server, now_ms, batch);
		assert_int_equal(batch->n_changes, batch->n_routes);
		freed += batch->n_changes;
	}
	assert_int_equal(freed, 3000);
}

static void freed_prefixes_go_to_others_last_and_the_oldest_first(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff:8000::/54");
	start();
	static const char *const clients[] = { "a", "b", "c", "d" };
	struct prefix6 p[4];
	for (size_t i = 0; i < 4; i++)
		p[i] = request_as(clients[i], IA_PD, 1, &none);
	release_as("c", 1, &p[2]);
	now_ms += 1000;
	release_as("a", 1, &p[0]);
	const struct prefix6 q = request_as("new", IA_PD, 1, &p[0]);
	assert_true(prefix6_equal(&q, &p[2]));
	assert_int_equal(batch->n_changes, 2);
	assert_true(batch->changes[0].erase);
	assert_false(batch->changes[1].erase);
	const struct prefix6 back = request_as("a", IA_PD, 1, &none); /* whose own is still there */
	assert_true(prefix6_equal(&back, &p[0]));
}

static void what_one_ia_is_offered_is_not_offered_to_the_next(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff:8000::/55");
	start();
	const struct prefix6 p = request_as("client", IA_PD, 2, &none);
	(void)request_as("other", IA_PD, 1, &none);
	release_as("client", 2, &p);
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none); /* of an exhausted pool it is offered what the client held for the
				    other IA */
	put_ia(IA_PD, 2, &none);
	ask(ADVERTISE);
	const struct prefix6 q = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &q));
	assert_int_equal(status_of(IA_PD, 2), NO_PREFIX_AVAIL);
}

static void answers_of_one_batch_stand_beside_each_other(void **state)
{
	(void)state;
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	const struct prefix6 p = got(IA_PD, 1);
	peer_begin(&msg, SOLICIT, XID);
	peer_option(&msg, 1, "another", 7);
	put_ia(IA_PD, 1, &none);
	ask(ADVERTISE);
	assert_true(peer_read(batch->answers[0].bytes, batch->answers[0].len, &answer));
	const struct prefix6 q = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &q));
	assert_memory_equal(answer.options[1].at, "client", 6);
	assert_ptr_equal(batch->answers[1].bytes, batch->answers[0].bytes + batch->answers[0].len);
}

/* --- loading
 * ------------------------------------------------------------------------------------------------
 */

static int load(const struct binding_record *r)
{
	dhcp6_server_load_begin(server, 0);
	return dhcp6_server_load(server, r, now_ms);
}

static void a_restart_goes_on_where_it_was(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	struct binding_record r = batch->changes[0].record;
	start();
	assert_int_equal(load(&r), 0);
	assert_true(dhcp6_server_consistent(server));
	assert_int_equal(dhcp6_server_deadline(server), r.valid_until_ms);
	begin(RENEW);
	put_ia(IA_PD, 1, &p);
	ask(REPLY);
	const struct prefix6 q = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &q));
	assert_int_equal(dhcp6_server_table(server)->n, 1);
}

static void records_that_cannot_be_are_kept_out(void **state)
{
	(void)state;
	(void)request();
	struct binding_record r = batch->changes[0].record, other;
	start();
	assert_int_equal(load(&r), 0);
	assert_int_equal(load(&r), -EEXIST);
	other = r;
	other.duid.bytes[0]++; /* the prefix has an owner */
	assert_int_equal(load(&other), -EEXIST);
	other = r;
	other.prefix = prefix("2001:db8:ffff:8000::/56"); /* the IA has a prefix */
	if (prefix6_equal(&other.prefix, &r.prefix))
		other.prefix = prefix("2001:db8:ffff:8100::/56");
	assert_int_equal(load(&other), -EEXIST);
	static const char *const foreign[] = { "2001:db8:1:8000::/56", "2001:db8:ffff:8000::/60",
					       "2001:db8:ffff:8000::/48" };
	for (size_t i = 0; i < 3; i++) {
		other = r;
		other.iaid = 99;
		other.prefix = prefix(foreign[i]);
		assert_int_equal(load(&other), -ERANGE);
	}
	other = r;
	other.iaid = 99;
	other.kind = BINDING_NA;
	other.prefix = prefix("2001:db8:ffff::1"); /* our own */
	assert_int_equal(load(&other), -ERANGE);
	other.prefix = prefix("2001:db8:ffff::1:1:1:1");
	other.duid.len = 0;
	assert_int_equal(load(&other), -ERANGE);
	assert_int_equal(dhcp6_server_table(server)->n, 1);
}

static void a_declined_record_stands_beside_the_one_that_followed_it(void **state)
{
	(void)state;
	const struct prefix6 a = request_as("client", IA_NA, 1, &none);
	begin(DECLINE);
	put_ia(IA_NA, 1, &a);
	ask(REPLY);
	struct binding_record declined = batch->changes[0].record;
	const struct prefix6 b = request_as("client", IA_NA, 1, &none);
	struct binding_record bound = batch->changes[0].record;
	start();
	assert_int_equal(load(&bound), 0);
	assert_int_equal(load(&declined), 0);
	assert_true(dhcp6_server_consistent(server));
	const struct prefix6 again = request_as("client", IA_NA, 1, &none);
	assert_true(prefix6_equal(&again, &b));
	pass(LEASES_DECLINE_S);
	assert_int_equal(stats()->na.declined, 0);
	assert_int_equal(dhcp6_server_table(server)->n, 1);
}

static void a_record_whose_time_is_over_is_only_remembered(void **state)
{
	(void)state;
	const struct prefix6 p = request();
	struct binding_record r = batch->changes[0].record;
	start();
	now_ms = r.valid_until_ms;
	assert_int_equal(load(&r), -ESTALE);
	assert_int_equal(stats()->pd.bound, 0);
	assert_int_equal(dhcp6_server_deadline(server), UINT64_MAX);
	const struct prefix6 q = request();
	assert_true(prefix6_equal(&p, &q));
}

static void a_transfer_network_inside_the_pool_is_left_out(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff::/54");
	start();
	assert_int_equal(stats()->pd.capacity, 3);
	for (unsigned i = 0; i < 3; i++) {
		char client[8];
		(void)snprintf(client, sizeof client, "c%u", i);
		const struct prefix6 p = request_as(client, IA_PD, 1, &config.transfer);
		assert_false(prefix6_overlaps(&p, &config.transfer));
	}
	begin_as(REQUEST, "one more");
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
}

static void a_configuration_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	struct dhcp6_server *s = NULL;
	struct dhcp6_config c = config;
	c.pd_len = 48;
	assert_int_equal(dhcp6_server_new(&c, &s), -EINVAL);
	c = config;
	c.preferred_lft_s = c.valid_lft_s + 1;
	assert_int_equal(dhcp6_server_new(&c, &s), -EINVAL);
	c = config;
	c.server_id.len = 0;
	assert_int_equal(dhcp6_server_new(&c, &s), -EINVAL);
	c = config;
	c.pd_min_len = 57;
	assert_int_equal(dhcp6_server_new(&c, &s), -EINVAL);
	assert_null(s);
}

/* What a binding keeps of the options of this code; NULL: nothing. */
static const uint8_t *kept(size_t change, uint16_t code, size_t *ret_len)
{
	const struct binding_record *r = &batch->changes[change].record;
	for (size_t at = 0; at + 4 <= r->details_len;) {
		const uint8_t *o = r->details + at;
		size_t len = (size_t)o[2] << 8 | o[3];
		if ((o[0] << 8 | o[1]) == code) {
			*ret_len = len;
			return o + 4;
		}
		at += 4 + len;
	}
	return NULL;
}

static void assert_kept(size_t change, uint16_t code, const char *bytes, size_t len)
{
	size_t n;
	const uint8_t *at = kept(change, code, &n);
	assert_non_null(at);
	assert_int_equal(n, len);
	assert_memory_equal(at, bytes, len);
}

static void what_relays_say_of_a_client_is_kept_with_its_bindings(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), far_link = unit_in6("2001:db8:6::1");
	struct peer_message near = { 0 }, far = { 0 };
	peer_option(&near, 38, "subscriber 7", 12);
	peer_option(&far, 37,
		    "\0\0\0\x9"
		    "line 9",
		    10);
	peer_option(&far, 38, "somebody else", 13);
	meta.src = unit_in6("fe80::9");
	begin(REQUEST);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_PD, 2, &none);
	peer_relay(&msg, 0, &in6addr_any, &client, "eth7", &near);
	peer_relay(&msg, 1, &far_link, &client, "slot 1", &far);
	ask(REPLY);
	assert_int_equal(batch->n_changes, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_kept(i, 18, "eth7", 4); /* the nearest to the client that says so */
		assert_kept(i, 38, "subscriber 7", 12);
		assert_kept(i, 37,
			    "\0\0\0\x9"
			    "line 9",
			    10);
	}
	/* Without relays at the next renewal, it is no more what is known of it. */
	meta.src = unit_in6("fe80::c");
	begin(RENEW);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(batch->changes[0].record.details_len, 0);
}

static void details_that_do_not_fit_are_left_out(void **state)
{
	(void)state;
	char big[BINDING_DETAILS_MAX];
	config.reconfigure = true;
	start();
	memset(big, 'x', sizeof big);
	begin(REQUEST);
	peer_option(&msg, 39, big, sizeof big);
	peer_option(&msg, 20, NULL, 0);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(batch->changes[0].record.details_len, 4);
	assert_kept(0, 20, "", 0);
}

/* RFC 4704 §4, §6 */
static void a_clients_name_is_kept_and_comes_back_to_those_who_ask(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		begin(i < 2 ? REQUEST : RENEW);
		peer_option(&msg, 39, i & 1 ? "\1\3cpe" : "\0\3cpe", 5);
		if (i < 3)
			peer_option(&msg, 6, "\0\x27", 2);
		put_ia(IA_PD, 1, &none);
		ask(REPLY);
		assert_kept(0, 39, i & 1 ? "\1\3cpe" : "\0\3cpe", 5);
		if (i == 3) {
			assert_null(answer.options[39].at);
			continue;
		}
		assert_int_equal(answer.options[39].len, 5);
		assert_memory_equal(answer.options[39].at, i & 1 ? "\6\3cpe" : "\4\3cpe", 5);
	}
}

/* --- reservations
 * -----------------------------------------------------------------------------------------------
 */

static struct reservation reservation(enum reservation_by by, const char *key, size_t len,
				      const char *what)
{
	struct reservation r = { .by = by, .prefix = prefix(what), .key_len = (uint8_t)len };
	r.kind = r.prefix.plen == 128 ? BINDING_NA : BINDING_PD;
	memcpy(r.key, key, len);
	return r;
}

static void reserve(const struct reservation *list, size_t n)
{
	struct reservations *r = NULL;
	assert_int_equal(reservations_new(list, n, &r, NULL), 0);
	dhcp6_server_reserve(server, r);
}

static void a_reserved_prefix_that_is_too_long_for_it_excludes_nothing(void **state)
{
	(void)state;
	static const uint16_t oro[] = { 67 };
	static const struct {
		const char *what;
		size_t len;
	} cases[] = { { "2001:db8:ffff:9000::/56", 25 + 6 },
		      { "2001:db8:ffff:9000::/61", 25 },
		      { "2001:db8:ffff:9000::/64", 25 },
		      { "2001:db8:ffff:9000::/72", 25 } };
	config.pd_exclude_len = 64;
	config.pd_exclude_subnet = 8;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct reservation r =
			reservation(RESERVED_FOR_DUID, "client", 6, cases[i].what);
		size_t len;
		start();
		reserve(&r, 1);
		begin(REQUEST);
		put_ia(IA_PD, 1, &none);
		peer_oro(&msg, oro, 1);
		input();
		assert_int_equal(iaprefix_of(&batch->answers[0], &len)[0], r.prefix.plen);
		assert_int_equal(len, cases[i].len);
	}
}

static size_t remove_those(bool (*which)(void *ctx, const struct binding *b))
{
	uint32_t at = 0;
	size_t n = 0;
	while (dhcp6_server_remove(server, which, server, now_ms, batch, &at, &n))
		batch_reset(batch);
	return n;
}

static bool is_unfounded(void *ctx, const struct binding *b)
{
	return dhcp6_server_unfounded((const struct dhcp6_server *)ctx, b);
}

static void reserved_prefixes_and_addresses_go_to_their_client(void **state)
{
	(void)state;
	const struct reservation list[] = {
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:9900::/56"),
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff::7"),
		reservation(RESERVED_FOR_LLADDR, "\2\0\0\0\0\5", 6, "2001:db8:ffff:4000::/52"),
	};
	reserve(list, 3);
	struct prefix6 p = request();
	assert_true(prefix6_equal(&p, &list[0].prefix));
	p = request_as("client", IA_NA, 1, &none);
	assert_true(prefix6_equal(&p, &list[1].prefix));
	p = request_as("client", IA_PD, 2, &none);
	assert_false(
		prefix6_overlaps(&p, &list[2].prefix)); /* another IA has to do with the pool */
	meta.lladdr_len = 6;
	memcpy(meta.lladdr, "\2\0\0\0\0\5", 6);
	p = request_as("another", IA_PD, 1, &none);
	assert_true(prefix6_equal(&p, &list[2].prefix)); /* neither of the pool nor of its length */
	assert_route(0, true, &p, "fe80::c");
	meta.lladdr_len = 0;
	p = request_as("a third", IA_PD, 1, &none);
	assert_false(prefix6_overlaps(&p, &list[2].prefix));
	assert_held(3, 4); /* what lies elsewhere is nothing of the pool */
}

static void the_address_in_a_duid_is_good_enough_behind_a_relay(void **state)
{
	(void)state;
	const struct reservation mine =
		reservation(RESERVED_FOR_LLADDR, "\2\0\0\0\0\5", 6, "2001:db8:ffff:9900::/56");
	reserve(&mine, 1);
	batch_reset(batch);
	peer_begin(&msg, REQUEST, XID);
	peer_option(&msg, 1, "\0\3\0\1\2\0\0\0\0\5", 10);
	peer_option(&msg, 2, config.server_id.bytes, config.server_id.len);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	const struct prefix6 p = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &mine.prefix));
}

static void a_port_has_its_prefix_whoever_is_behind_it(void **state)
{
	(void)state;
	const struct reservation port =
		reservation(RESERVED_FOR_INTERFACE_ID, "eth7", 4, "2001:db8:ffff:9900::/56");
	const struct in6_addr client = unit_in6("fe80::c");
	reserve(&port, 1);
	for (int i = 0; i < 2; i++) {
		begin_as(REQUEST, i ? "second" : "first");
		put_ia(IA_PD, 1, &none);
		peer_relay(&msg, 0, &in6addr_any, &client, "eth7", NULL);
		ask(REPLY);
		struct prefix6 p = got(IA_PD, 1);
		assert_int_equal(prefix6_equal(&p, &port.prefix),
				 i == 0); /* the first has it still */
	}
	release_as("first", 1, &port.prefix);
	begin_as(RENEW, "second");
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &in6addr_any, &client, "eth7", NULL);
	ask(REPLY);
	const struct prefix6 p = got(IA_PD, 1);
	assert_true(prefix6_equal(&p, &port.prefix));
}

static void a_reservation_is_for_one_ia_where_it_says_so(void **state)
{
	(void)state;
	struct reservation list[] = {
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:9900::/56"),
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:9a00::/56"),
	};
	list[0].has_iaid = list[1].has_iaid = true;
	list[0].iaid = 2;
	list[1].iaid = 1;
	reserve(list, 2);
	begin(REQUEST);
	put_ia(IA_PD, 1, &none);
	put_ia(IA_PD, 2, &none);
	put_ia(IA_PD, 3, &none);
	ask(REPLY);
	struct prefix6 p = got(IA_PD, 1), q = got(IA_PD, 2), other = got(IA_PD, 3);
	assert_true(prefix6_equal(&p, &list[1].prefix) && prefix6_equal(&q, &list[0].prefix));
	assert_null(reservations_at(NULL, &other));
	assert_false(prefix6_overlaps(&other, &p) || prefix6_overlaps(&other, &q));
}

static void nobody_else_gets_what_is_reserved_however_it_asks(void **state)
{
	(void)state;
	config.pd_pool = prefix("2001:db8:ffff:8000::/54"); /* four of them */
	start();
	const struct reservation list[] = {
		reservation(RESERVED_FOR_DUID, "absent", 6, "2001:db8:ffff:8000::/56"),
		reservation(RESERVED_FOR_DUID, "absent", 6, "2001:db8:ffff:8200::/56"),
	};
	reserve(list, 2);
	struct prefix6 p = request_as("a", IA_PD, 1, &list[0].prefix);
	assert_false(prefix6_overlaps(&p, &list[0].prefix));
	(void)request_as("b", IA_PD, 1, &none);
	begin_as(REQUEST, "c");
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_int_equal(status_of(IA_PD, 1), NO_PREFIX_AVAIL);
	release_as("a", 1, &p);
	struct prefix6 again = request_as("c", IA_PD, 1, &list[1].prefix);
	assert_true(prefix6_equal(&again, &p));
	p = request_as("absent", IA_PD, 1, &none);
	assert_true(prefix6_equal(&p, &list[0].prefix));
}

/* RFC 9915 §18.3.4: with lifetimes 0 beside the new one. */
static void bindings_move_to_what_is_reserved_when_they_are_renewed(void **state)
{
	(void)state;
	const struct prefix6 mine = request(), others = request_as("other", IA_PD, 1, &none);
	char text[PREFIX6_STRLEN];
	struct reservation list[] = {
		reservation(RESERVED_FOR_DUID, "new", 3, prefix6_format(&others, text)),
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:4200::/56"),
	};
	reserve(list, 2);
	const struct binding *own = bindings_by_prefix(dhcp6_server_table(server), &mine.addr, 56);
	const struct binding *taken =
		bindings_by_prefix(dhcp6_server_table(server), &others.addr, 56);
	assert_true(dhcp6_server_astray(server, own) && dhcp6_server_astray(server, taken));
	assert_false(dhcp6_server_unfounded(server, own) || dhcp6_server_unfounded(server, taken));
	/* As long as the other one has it, there is another one for its heir. */
	const struct prefix6 meanwhile = request_as("new", IA_PD, 1, &none);
	assert_false(prefix6_equal(&meanwhile, &others));
	const struct {
		const char *who;
		struct prefix6 had;
		const struct prefix6 *gets; /* NULL: another one */
	} cases[] = {
		{ "client", mine, &list[1].prefix },
		{ "other", others, NULL },
		{ "new", meanwhile, &list[0].prefix },
		{ "new", list[0].prefix, &list[0].prefix },
	};
	for (size_t i = 0; i < 4; i++) {
		begin_as(RENEW, cases[i].who);
		put_ia(IA_PD, 1, &cases[i].had);
		ask(REPLY);
		const struct prefix6 p = got(IA_PD, 1);
		const struct peer_ia *ia = peer_find_ia(&answer, IA_PD, 1);
		assert_int_equal(prefix6_equal(&p, &cases[i].had), i == 3);
		if (cases[i].gets)
			assert_true(prefix6_equal(&p, cases[i].gets));
		if (i == 3)
			continue;
		assert_int_equal(ia->n, 2);
		assert_true(prefix6_equal(&ia->resources[1].prefix, &cases[i].had));
		assert_int_equal(ia->resources[1].valid_s, 0);
		assert_route(0, false, &cases[i].had, "fe80::c");
	}
	assert_int_equal(stats()->pd.bound, 3);
}

static void what_an_older_reservation_allowed_goes_with_it(void **state)
{
	(void)state;
	const struct reservation old =
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:4000::/52");
	config.reconfigure = true;
	start();
	reserve(&old, 1);
	begin(REQUEST);
	peer_option(&msg, 20, NULL, 0);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	(void)request_as("other", IA_PD, 1, &none);
	batch_reset(batch);
	assert_int_equal(remove_those(is_unfounded), 0);
	reserve(NULL, 0);
	assert_int_equal(remove_those(is_unfounded), 1);
	assert_int_equal(batch->n_changes, 1);
	assert_true(batch->changes[0].erase);
	assert_route(0, false, &old.prefix, "fe80::c");
	assert_true(dhcp6_server_consistent(server));
	assert_int_equal(stats()->pd.bound, 1);
	assert_int_equal(stats()->recall.waiting, 1);
}

static void a_reserved_binding_is_there_again_after_a_restart(void **state)
{
	(void)state;
	const struct reservation mine =
		reservation(RESERVED_FOR_DUID, "client", 6, "2001:db8:ffff:4000::/52");
	reserve(&mine, 1);
	(void)request();
	const struct binding_record r = batch->changes[0].record;
	start();
	assert_int_equal(load(&r), -ERANGE);
	reserve(&mine, 1);
	assert_int_equal(load(&r), 0);
	assert_int_equal(load(&r), -EEXIST);
	assert_true(dhcp6_server_consistent(server));
	struct prefix6 p = request();
	assert_true(prefix6_equal(&p, &mine.prefix));
}

/* RFC 6939: what the frame tells is the relay's. */
static void behind_a_relay_on_our_link_an_address_is_where_its_client_is(void **state)
{
	(void)state;
	const struct in6_addr client = unit_in6("fe80::c"), link = unit_in6("2001:db8:ffff::9");
	const struct reservation relays =
		reservation(RESERVED_FOR_LLADDR, "\2\0\0\0\0\x09", 6, "2001:db8:ffff:9900::/56");
	struct peer_message linklayer = { 0 };
	peer_option(&linklayer, 79, "\0\1\2\0\0\0\0\x63", 8);
	reserve(&relays, 1);
	meta.src = unit_in6("fe80::9");
	meta.lladdr_len = 6;
	memcpy(meta.lladdr, "\2\0\0\0\0\x09", 6);
	for (int told = 0; told < 2; told++) {
		begin_as(REQUEST, told ? "told" : "silent");
		put_ia(IA_PD, 1, &none);
		put_ia(IA_NA, 1, &none);
		peer_relay(&msg, 0, &link, &client, NULL, told ? &linklayer : NULL);
		ask(REPLY);
		const struct prefix6 p = got(IA_PD, 1), a = got(IA_NA, 1);
		assert_false(prefix6_equal(&p, &relays.prefix));
		assert_route(0, true, &p, "fe80::9");
		assert_memory_equal(batch->routes[0].lladdr, "\2\0\0\0\0\x09", 6);
		assert_int_equal(batch->n_routes, 1 + told);
		if (!told)
			continue;
		assert_true(prefix6_equal(&batch->routes[1].prefix, &a));
		assert_memory_equal(batch->routes[1].lladdr, "\2\0\0\0\0\x63", 6);
	}
}

/* --- RECONFIGURE (§18.3.11, §20.4)
 * -----------------------------------------------------------------------------------------------
 */

static bool any(void *ctx, const struct binding *b)
{
	(void)ctx;
	(void)b;
	return true;
}

static void clients_that_accept_it_are_offered_reconfigure_and_get_a_key(void **state)
{
	(void)state;
	config.reconfigure = true;
	start();
	uint64_t replay = 0;
	const uint8_t types[] = { SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST };
	for (size_t i = 0; i < sizeof types; i++) {
		begin(types[i]);
		peer_option(&msg, 20, NULL, 0);
		if (types[i] != INFORMATION_REQUEST)
			put_ia(IA_PD, 1, &none);
		ask(types[i] == SOLICIT ? ADVERTISE : REPLY);
		assert_non_null(answer.options[20].at);
		if (types[i] == SOLICIT) {
			assert_null(answer.options[11].at);
			continue;
		}
		assert_int_equal(answer.options[11].len, 28);
		assert_memory_equal(answer.options[11].at, "\3\1\0", 3);
		assert_int_equal(answer.options[11].at[11], 1);
		assert_true(peer_get(answer.options[11].at + 3, 8) > replay); /* §20.3 */
		replay = peer_get(answer.options[11].at + 3, 8);
	}
	(void)request();
	assert_null(answer.options[20].at);
	assert_null(answer.options[11].at);
	config.reconfigure = false;
	start();
	begin(REQUEST);
	peer_option(&msg, 20, NULL, 0);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	assert_null(answer.options[20].at);
	assert_null(answer.options[11].at);
	assert_int_equal(batch->changes[0].record.details_len, 0);
}

static void whoever_says_a_duid_from_elsewhere_gets_another_key(void **state)
{
	(void)state;
	uint8_t keys[3][16];
	config.reconfigure = true;
	start();
	for (size_t i = 0; i < 3; i++) {
		meta.src = unit_in6(i == 1 ? "fe80::bad" : "fe80::c");
		begin(INFORMATION_REQUEST);
		peer_option(&msg, 20, NULL, 0);
		ask(REPLY);
		memcpy(keys[i], answer.options[11].at + 12, 16);
	}
	assert_memory_equal(keys[0], keys[2], 16);
	assert_memory_not_equal(keys[0], keys[1], 16);
}

static void removed_bindings_leave_no_trace_and_their_clients_are_told(void **state)
{
	(void)state;
	config.reconfigure = true;
	start();
	for (int i = 0; i < 2; i++) {
		begin_as(REQUEST, i ? "deaf" : "client");
		if (i == 0)
			peer_option(&msg, 20, NULL, 0);
		put_ia(IA_PD, 1, &none);
		put_ia(IA_PD, 2, &none);
		ask(REPLY);
	}
	batch_reset(batch);
	assert_int_equal(remove_those(any), 4);
	assert_int_equal(batch->n_changes, 4);
	assert_int_equal(batch->n_routes, 4);
	assert_int_equal(dhcp6_server_table(server)->n, 0);
	assert_int_equal(remove_those(any), 0);
	assert_int_equal(dhcp6_server_deadline(server), now_ms);
	batch_reset(batch);
	dhcp6_server_reachable(server, false); /* the cable is out: no try is wasted */
	assert_int_equal(dhcp6_server_deadline(server), UINT64_MAX);
	dhcp6_server_tick(server, now_ms, batch);
	assert_int_equal(batch->n_answers, 0);
	dhcp6_server_reachable(server, true);
	dhcp6_server_tick(server, now_ms, batch);
	assert_int_equal(batch->n_answers, 1);
	const struct answer *a = &batch->answers[0];
	assert_true(peer_read(a->bytes, a->len, &answer));
	assert_int_equal(answer.type, RECONFIGURE);
	assert_int_equal(answer.xid, 0); /* §16.11 */
	assert_int_equal(a->dst_port, 546);
	assert_memory_equal(&a->dst, &meta.src, 16);
	assert_memory_equal(answer.options[1].at, "client", 6);
	assert_memory_equal(answer.options[2].at, config.server_id.bytes, config.server_id.len);
	assert_int_equal(answer.options[19].len, 1);
	assert_int_equal(answer.options[19].at[0], RENEW);
	assert_int_equal(answer.options[11].len, 28);
	assert_int_equal(answer.options[11].at[11], 2);
	assert_ptr_equal(answer.options[11].at + 28, a->bytes + a->len); /* signed to its end */
	/* It comes back, has a prefix, and is told no more. */
	begin(RENEW);
	put_ia(IA_PD, 1, &none);
	ask(REPLY);
	(void)got(IA_PD, 1);
	assert_int_equal(stats()->recall.heard, 1);
	assert_int_equal(stats()->recall.waiting, 0);
	assert_int_equal(stats()->recall.sent, 1);
}

static void behind_relays_a_reconfigure_goes_the_way_of_the_answers(void **state)
{
	(void)state;
	config.reconfigure = true;
	start();
	const struct in6_addr client = unit_in6("fe80::c"), near_link = unit_in6("2001:db8:5::1"),
			      far_link = unit_in6("2001:db8:6::1"),
			      near = unit_in6("2001:db8:5::9");
	meta.src = unit_in6("fe80::9");
	begin(REQUEST);
	peer_option(&msg, 20, NULL, 0);
	put_ia(IA_PD, 1, &none);
	peer_relay(&msg, 0, &near_link, &client, "port 3", NULL);
	peer_relay(&msg, 1, &far_link, &near, NULL, NULL);
	ask(REPLY);
	batch_reset(batch);
	assert_int_equal(remove_those(any), 1);
	batch_reset(batch);
	dhcp6_server_tick(server, now_ms, batch);
	assert_int_equal(batch->n_answers, 1);
	assert_true(peer_read(batch->answers[0].bytes, batch->answers[0].len, &answer));
	assert_int_equal(batch->answers[0].dst_port, 547);
	assert_memory_equal(&batch->answers[0].dst, &meta.src, 16);
	assert_int_equal(answer.type, RECONFIGURE);
	assert_int_equal(answer.n_relays, 2);
	assert_memory_equal(&answer.relays[0].link, &far_link, 16);
	assert_memory_equal(&answer.relays[1].peer, &client, 16);
	assert_memory_equal(answer.relays[1].interface_id.at, "port 3", 6);
}

static void a_look_ahead_changes_nothing(void **state)
{
	(void)state;
	(void)request();
	begin(SOLICIT);
	put_ia(IA_PD, 1, &none);
	const uint8_t cut[] = { 1, 2, 3, 4, 0, 1, 0, 9, 1 };
	const struct rd packets[] = { rd_of(msg.bytes, msg.len), rd_of(cut, sizeof cut),
				      rd_of(cut, 2), rd_of(cut, 0) };
	dhcp6_server_expect(server, packets, 4);
	assert_int_equal(stats()->received, 1);
	assert_int_equal(batch->n_answers, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(solicit_is_answered_by_an_offer_that_holds_nothing),
		T(answers_go_to_port_546_of_the_sender_whatever_port_it_used),
		T(the_same_client_is_offered_the_same_prefix_every_time),
		T(a_thousand_forged_clients_starve_no_pool),
		T(rapid_commit_binds_at_once),
		T(rapid_commit_that_is_off_gives_an_offer),
		T(solicit_without_ia_is_answered),
		T(every_ia_is_answered_in_its_own_right),
		T(every_ia_of_a_message_is_answered),
		T(many_refusals_fit_into_a_frame),
		T(an_ia_that_stands_twice_is_answered_once),
		T(addresses_are_refused_where_they_are_off),
		T(infinite_lifetimes_have_infinite_t1_and_t2),
		T(a_free_prefix_that_is_asked_for_is_given),
		T(a_free_address_that_is_asked_for_is_given),
		T(a_hint_outside_the_pool_is_passed_over),
		T(one_hint_in_two_ias_is_honoured_once),
		T(a_length_hint_gets_the_nearest_that_the_pool_has),
		T(what_is_used_of_the_pool_counts_in_the_usual_length),
		T(a_length_hint_is_no_matter_where_there_is_one_length),
		T(request_binds_what_was_offered),
		T(a_request_again_gets_the_same_again),
		T(addresses_have_no_route),
		T(an_address_of_another_link_is_told_so),
		T(an_exhausted_pool_says_so),
		T(a_client_holds_no_more_than_its_share),
		T(what_is_remembered_of_one_client_is_bounded),
		T(a_station_holds_no_more_than_its_share_whatever_it_calls_itself),
		T(what_a_station_gives_back_it_may_have_again),
		T(what_it_declines_a_station_has_had),
		T(a_binding_counts_where_its_client_is),
		T(a_relays_clients_are_told_apart_and_bounded_together),
		T(who_is_only_named_has_nothing_counted_against_it),
		T(the_longest_duids_are_served_and_longer_ones_counted),
		T(renew_and_rebind_prolong),
		T(while_the_uplink_is_lost_all_that_is_granted_is_deprecated),
		T(short_lifetimes_stay_as_short_while_the_uplink_is_lost),
		T(the_route_follows_the_client),
		T(a_binding_that_is_not_known_is_granted_as_claimed),
		T(a_prefix_that_is_not_ours_any_more_is_withdrawn_beside_the_new_one),
		T(a_renewal_that_nothing_is_left_for_says_so_and_withdraws),
		T(a_length_hint_in_a_renewal_withdraws_nothing),
		T(whoever_claims_hundreds_is_still_answered),
		T(confirm_looks_at_the_link_of_addresses),
		T(every_transfer_network_is_on_our_link),
		T(confirm_without_addresses_is_not_answered),
		T(release_ends_the_binding_and_its_route),
		T(release_of_what_is_not_bound_says_no_binding),
		T(nobody_releases_what_is_somebody_elses),
		T(nobody_gives_back_by_a_made_up_source_or_relay),
		T(a_temporary_ia_releases_no_other),
		T(a_declined_address_is_set_aside_for_an_hour),
		T(declining_again_and_again_comes_to_an_end),
		T(decline_is_about_addresses),
		T(information_is_given_with_and_without_a_client_id),
		T(options_are_given_to_those_who_ask),
		T(an_option_with_several_instances_is_sent_with_all_of_them),
		T(a_part_of_the_prefix_is_excluded_for_those_who_ask),
		T(a_withdrawn_prefix_excludes_nothing),
		T(what_is_excluded_must_exist_in_every_prefix),
		T(a_reserved_prefix_that_is_too_long_for_it_excludes_nothing),
		T(identifiers_are_demanded_as_each_message_type_has_them),
		T(information_request_with_an_ia_is_dropped),
		T(messages_of_servers_and_unknown_ones_are_dropped),
		T(clients_are_not_served_by_unicast),
		T(clients_speak_from_their_link_local_address),
		T(what_cannot_be_parsed_is_dropped_and_counted),
		T(everything_is_counted_by_type),
		T(relays_are_answered_as_they_are_nested),
		T(behind_a_lightweight_relay_the_route_goes_to_the_client),
		T(an_address_whose_client_is_lost_sight_of_is_taken_out),
		T(only_the_address_of_an_ethernet_station_is_believed),
		T(a_lightweight_relay_is_on_our_link),
		T(a_lightweight_relay_behind_another_leaves_the_route_to_that),
		T(a_relay_port_is_answered),
		T(clients_on_other_links_get_prefixes_only),
		T(a_relay_that_is_not_on_our_link_gets_nothing_of_ours),
		T(the_relay_nearest_to_the_client_names_its_link),
		T(relays_nest_to_the_limit_and_no_further),
		T(an_answer_that_cannot_fit_changes_nothing),
		T(a_long_name_leaves_room_for_fewer_withdrawals),
		T(an_expired_binding_loses_its_route_and_is_remembered),
		T(many_expire_in_as_many_batches_as_it_takes),
		T(freed_prefixes_go_to_others_last_and_the_oldest_first),
		T(what_one_ia_is_offered_is_not_offered_to_the_next),
		T(answers_of_one_batch_stand_beside_each_other),
		T(a_restart_goes_on_where_it_was),
		T(records_that_cannot_be_are_kept_out),
		T(a_declined_record_stands_beside_the_one_that_followed_it),
		T(a_record_whose_time_is_over_is_only_remembered),
		T(a_transfer_network_inside_the_pool_is_left_out),
		T(a_configuration_that_contradicts_itself_is_refused),
		T(what_relays_say_of_a_client_is_kept_with_its_bindings),
		T(details_that_do_not_fit_are_left_out),
		T(a_clients_name_is_kept_and_comes_back_to_those_who_ask),
		T(reserved_prefixes_and_addresses_go_to_their_client),
		T(the_address_in_a_duid_is_good_enough_behind_a_relay),
		T(a_port_has_its_prefix_whoever_is_behind_it),
		T(a_reservation_is_for_one_ia_where_it_says_so),
		T(nobody_else_gets_what_is_reserved_however_it_asks),
		T(bindings_move_to_what_is_reserved_when_they_are_renewed),
		T(what_an_older_reservation_allowed_goes_with_it),
		T(a_reserved_binding_is_there_again_after_a_restart),
		T(behind_a_relay_on_our_link_an_address_is_where_its_client_is),
		T(clients_that_accept_it_are_offered_reconfigure_and_get_a_key),
		T(whoever_says_a_duid_from_elsewhere_gets_another_key),
		T(removed_bindings_leave_no_trace_and_their_clients_are_told),
		T(behind_relays_a_reconfigure_goes_the_way_of_the_answers),
		T(a_look_ahead_changes_nothing),
	};
	return cmocka_run_group_tests_name("engine_dhcp6_server", tests, NULL, NULL);
}
