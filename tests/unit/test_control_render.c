/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/buf.h"
#include "control/render.h"
#include "wire/dhcp6.h"

#include <stdlib.h>

enum { NOW_MS = 1000000 };
#define NOW_UNIX_MS UINT64_C(1795263799000)

static struct status_router routers[] = {
	{ "fe80::2", "2001:db8:eeee::/64", 1800, 30, "MTU", false },
	{ "fe80::3", NULL, 0, 7300, "our prefix", true },
};

static const struct status_count turned_away[] = { { "foreign", 12 }, { "icmp", 0 } };

static const struct status_offender offenders[] = {
	{ "02:00:00:00:00:09", "2001:db8:77::1", "2001:db8::1", "foreign", 12, 1, 2, 90 },
};

static struct status_view view(void)
{
	return (struct status_view){
		.instance = "provider1",
		.version = "1.2.3",
		.state = "serving",
		.serving = true,
		.uptime_s = 119,
		.tunnel = { .present = true,
			    .name = "wg-provider1",
			    .backend = "kernel",
			    .state = "up",
			    .why = "handshake",
			    .state_age_s = 120,
			    .on_loss = "withdraw",
			    .public_key = "OURS=",
			    .peer = "THEIRS=",
			    .endpoint = "192.0.2.1:51820",
			    .address = "2001:db8::2/64",
			    .mtu = 1420,
			    .handshake_age_s = 78,
			    .rx_bytes = 1023,
			    .tx_bytes = 1536 },
		.subscriber = { .interface = "sub0",
				.mode = "move",
				.link = true,
				.link_local = "fe80::1",
				.transfer = "2001:db8:ffff::1" },
		.dns = { .state = "up",
			 .address = "2001:db8:ffff::1",
			 .zone = "provider1.lab",
			 .names = 3,
			 .waiting = 1 },
		.pools = { { "prefixes", "2001:db8:ffff:8000::/49", 56, 128, 126, 127, 1, 2, 0 },
			   { "addresses", "2001:db8:ffff::/64", 128, UINT64_MAX, 3, 3, 2, 0, 0 } },
		.n_pools = 2,
		.counters = { .dhcpv6_received = 10,
			      .dhcpv6_answered = 9,
			      .dhcpv6_dropped = 1,
			      .rs_received = 8,
			      .ra_sent = 11 },
		.filter = { .active = true,
			    .source_filter = "drop",
			    .counts = turned_away,
			    .n_counts = 2,
			    .offenders = offenders,
			    .n_offenders = 1 },
		.store = { .path = "/var/lib/vbng/leases.db", .ok = true },
	};
}

/* What `vbng status` shows of it; the caller frees. */
static char *shown(const struct status_view *v)
{
	json_t *status = status_to_json(v);
	assert_non_null(status);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	assert_non_null(f);
	render_status(status, f);
	assert_int_equal(fclose(f), 0);
	json_decref(status);
	render_disarm(text, n);
	return text;
}

static void shows(const struct status_view *v, const char *wanted)
{
	char *text = shown(v);
	if (!strstr(text, wanted))
		fail_msg("there is no '%s' in\n%s", wanted, text);
	free(text);
}

static void shows_not(const struct status_view *v, const char *unwanted)
{
	char *text = shown(v);
	if (strstr(text, unwanted))
		fail_msg("there is '%s' in\n%s", unwanted, text);
	free(text);
}

static void status_is_a_page_for_people(void **state)
{
	(void)state;
	struct status_view v = view();
	char *text = shown(&v);
	assert_string_equal(
		text,
		"provider1: serving for 119 s (vbng 1.2.3)\n"
		"tunnel      wg-provider1 up, kernel WireGuard, address 2001:db8::2/64, MTU 1420\n"
		"            up for 2 min: handshake\n"
		"            provider THEIRS= at 192.0.2.1:51820; our public key OURS=\n"
		"            last handshake 78 s ago, received 1023 B, sent 1.5 KiB\n"
		"subscriber  sub0 (move), link up, fe80::1 and 2001:db8:ffff::1\n"
		"dns         resolver up at 2001:db8:ffff::1, 3 names in provider1.lab, 1 waiting\n"
		"prefixes    126 of 128 in use, /56 each from 2001:db8:ffff:8000::/49 (127 "
		"bindings), 2 set aside\n"
		"addresses   3 in use, /128 each from 2001:db8:ffff::/64\n"
		"services    DHCPv6: 10 received, 9 answered, 1 dropped; router solicitations: 8, "
		"advertisements: 11\n"
		"filter      wrong sources: drop; turned away: foreign 12\n"
		"            02:00:00:00:00:09 from 2001:db8:77::1 (foreign) to 2001:db8::1, 12+ "
		"times, last 90 s ago\n"
		"store       /var/lib/vbng/leases.db\n");
	free(text);
}

static void trouble_is_told_in_words(void **state)
{
	(void)state;
	struct status_view v = view();
	v.tunnel.state = "stale";
	v.tunnel.lost = true;
	v.tunnel.handshake_age_s = -1;
	v.tunnel.endpoint_name = "provider.example:51820";
	v.tunnel.endpoint = NULL;
	v.subscriber.nic_missing = true;
	v.subscriber.wanted_link_local = "fe80::1";
	v.subscriber.link_local = "fe80::5";
	v.subscriber.transfer_duplicate = true;
	v.subscriber.routers = routers;
	v.subscriber.n_routers = 2;
	v.pools[0].used = v.pools[0].bound = 128;
	v.pools[0].exhausted = 7;
	v.store.ok = false;
	v.store.fault = "disk full";
	shows(&v, "handshake; LOST: subscribers are told to use another provider\n");
	shows(&v, "at provider.example:51820 (no address yet); our");
	shows(&v, "no handshake yet, received");
	shows(&v, "link gone");
	shows(&v, "fe80::1 is somebody else's on this link, so it is fe80::5\n");
	shows(&v, "CLASH: somebody else on this link has our address in 2001:db8:ffff::1");
	shows(&v, "another router: fe80::2, 2001:db8:eeee::/64, heard 30 s ago; differs in: MTU\n");
	shows(&v, "another router: fe80::3, heard 2 h 1 min ago; CONFLICTS in: our prefix\n");
	shows(&v, "; EXHAUSTED: none left for 7 requests since the start\n");
	shows(&v, "FAILING, bindings are kept in memory only: disk full\n");
	v.pools[0].used--;
	shows(&v, "; had none left for 7 requests");
	v.tunnel.on_loss = "lifetime";
	shows(&v, "subscribers are told to use another router\n");
	v.tunnel.on_loss = "hold";
	shows(&v, "subscribers are told nothing (hold)\n");
	v.tunnel.present = false;
	shows(&v, "tunnel      none (WIREGUARD_BACKEND=none)\n");
	v.filter.active = false;
	shows(&v, "filter      NONE");
}

static void ages_and_sizes_have_the_unit_that_fits(void **state)
{
	(void)state;
	static const struct {
		uint64_t s;
		const char *text;
	} ages[] = {
		{ 0, "for 0 s (" },          { 119, "for 119 s (" },
		{ 120, "for 2 min (" },      { 7199, "for 119 min (" },
		{ 7200, "for 2 h 0 min (" }, { 172799, "for 47 h 59 min (" },
		{ 172800, "for 2 days (" },  { 4000000000, "for 46296 days (" },
	};
	struct status_view v = view();
	for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
		v.uptime_s = ages[i].s;
		shows(&v, ages[i].text);
	}
	v.tunnel.rx_bytes = 1024;
	v.tunnel.tx_bytes = INT64_MAX;
	shows(&v, "received 1.0 KiB, sent 8192.0 PiB\n");
}

/* 2^64 addresses are more than a JSON integer holds, and nobody uses them up. */
static void a_pool_without_an_end_has_no_capacity(void **state)
{
	(void)state;
	struct status_view v = view();
	json_t *status = status_to_json(&v);
	const json_t *pools = json_object_get(status, "pools");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(pools, 0), "capacity")),
			 128);
	assert_true(json_is_null(json_object_get(json_array_get(pools, 1), "capacity")));
	json_decref(status);
	v.pools[1].capacity = INT64_MAX;
	status = status_to_json(&v);
	pools = json_object_get(status, "pools");
	assert_true(json_integer_value(json_object_get(json_array_get(pools, 1), "capacity")) ==
		    INT64_MAX);
	json_decref(status);
}

/* Names of interfaces and paths are the operator's, and need be no UTF-8. */
static void status_is_there_whatever_things_are_called(void **state)
{
	(void)state;
	struct status_view v = view();
	v.subscriber.interface = "b\xfcro";
	v.store.path = "/srv/\"vbng\"\\\n\xff";
	char *text = shown(&v);
	assert_non_null(strstr(text, "subscriber  b?ro (move)"));
	free(text);
	json_t *status = status_to_json(&v);
	char *json = json_dumps(status, JSON_COMPACT);
	assert_non_null(strstr(json, "\"/srv/\\\"vbng\\\"\\\\\\n?\""));
	free(json);
	json_decref(status);
}

static void nothing_that_is_shown_moves_the_terminal(void **state)
{
	(void)state;
	struct status_view v = view();
	v.instance = "a\x1b[2Jb\rc\x7f"
		     "d\xc2\x9b"
		     "2Je\tf";
	shows(&v, "a?[2Jb?c?d??2Je?f: serving");
	/* What only looks alike stays, at the end, too. */
	char text[] = "\xc2\xa0 b\xc3\xbc\xc3\x9f\n\xc2";
	render_disarm(text, sizeof text - 1);
	assert_string_equal(text, "\xc2\xa0 b\xc3\xbc\xc3\x9f\n?");
	/* Neither does a reason that somebody made the name of a counter. */
	static const struct status_count counts[] = { { "x\x1b]0;y\x07", 1 } };
	v.filter.counts = counts;
	v.filter.n_counts = 1;
	shows(&v, "turned away: x?]0;y? 1\n");
	shows_not(&v, "\x1b");
}

/* --- leases
 * -------------------------------------------------------------------------------------------- */

static struct binding_record record(void)
{
	return (struct binding_record){
		.kind = BINDING_PD,
		.state = BINDING_BOUND,
		.duid = { .len = 4, .bytes = { 0, 3, 0, 1 } },
		.iaid = 4294967295,
		.prefix = { .addr = unit_in6("2001:db8:ffff:8000::"), .plen = 56 },
		.next_hop = unit_in6("fe80::9"),
		.lladdr_len = 6,
		.lladdr = { 2, 0, 0, 0, 0, 9 },
		.preferred_lft_s = 1800,
		.valid_lft_s = 14400,
		.valid_until_ms = NOW_MS + 14399999,
	};
}

static char *line_of(const struct binding_record *r)
{
	json_t *lease = lease_to_json(r, NOW_MS, NOW_UNIX_MS);
	assert_non_null(lease);
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	assert_non_null(f);
	render_lease(lease, f);
	assert_int_equal(fclose(f), 0);
	json_decref(lease);
	return text;
}

static void a_lease_tells_whose_it_is_and_how_long(void **state)
{
	(void)state;
	struct binding_record r = record();
	json_t *lease = lease_to_json(&r, NOW_MS, NOW_UNIX_MS);
	char *json = json_dumps(lease, JSON_COMPACT);
	assert_string_equal(
		json,
		"{\"kind\":\"prefix\",\"prefix\":\"2001:db8:ffff:8000::/56\",\"state\":\"bound\","
		"\"duid\":\"00:03:00:01\",\"iaid\":4294967295,\"next_hop\":\"fe80::9\","
		"\"preferred_lifetime_s\":1800,\"valid_lifetime_s\":14400,"
		"\"lladdr\":\"02:00:00:00:00:09\",\"valid_left_s\":14399,"
		"\"valid_until\":\"2026-11-21T16:23:18Z\"}");
	free(json);
	json_decref(lease);
	char *text = line_of(&r);
	assert_string_equal(text, "2001:db8:ffff:8000::/56                     bound    3 h 59 min "
				  "4294967295 fe80::9                     00:03:00:01\n");
	free(text);
	r.valid_until_ms = UINT64_MAX;
	text = line_of(&r);
	assert_non_null(strstr(text, " ever "));
	free(text);
	r.kind = BINDING_NA;
	r.state = BINDING_DECLINED;
	r.prefix.plen = 128;
	r.valid_until_ms = NOW_MS - 1;
	text = line_of(&r);
	assert_int_equal(strncmp(text, "2001:db8:ffff:8000:: ", 21), 0);
	assert_non_null(strstr(text, " declined 0 s "));
	free(text);
}

static void put(struct wr *w, uint16_t code, const void *bytes, size_t n)
{
	wr_be16(w, code);
	wr_be16(w, (uint16_t)n);
	wr_bytes(w, bytes, n);
}

/* Everything that subscribers and relays can say of themselves, as they should not. */
static void hostile_names_are_harmless_in_text_and_json(void **state)
{
	(void)state;
	static const struct {
		uint16_t code;
		const char *bytes;
		size_t n;
		const char *text; /* NULL: it is not shown */
	} said[] = {
		{ D6_OPT_CLIENT_FQDN, "\0\3cpe\3lab\0", 10, " fqdn=\"cpe.lab\"" },
		{ D6_OPT_CLIENT_FQDN, "\0\4a\x1b[H\0", 7, NULL },
		{ D6_OPT_CLIENT_FQDN, "\0\4a\nb\"\0", 7, NULL },
		{ D6_OPT_CLIENT_FQDN, "\0\3\xc2\x9bJ\0", 6, NULL },
		{ D6_OPT_CLIENT_FQDN,
		  "\0\x3f"
		  "cut",
		  5, NULL },
		{ D6_OPT_CLIENT_FQDN, "", 0, NULL },
		{ D6_OPT_INTERFACE_ID, "ge-0/0/1", 8, " interface_id=\"ge-0/0/1\"" },
		{ D6_OPT_INTERFACE_ID, "x\x1b[2J", 5, " interface_id=\"0x781b5b324a\"" },
		{ D6_OPT_INTERFACE_ID, "a\" b=\"", 6, " interface_id=\"0x6122206" },
		{ D6_OPT_INTERFACE_ID, "0x41", 4, " interface_id=\"0x30783431\"" },
		{ D6_OPT_INTERFACE_ID, "", 0, " interface_id=\"0x\"" },
		{ D6_OPT_SUBSCRIBER_ID, "\xc2\x9b", 2, " subscriber_id=\"0xc29b\"" },
		{ D6_OPT_REMOTE_ID, "\0\0\0\x09\r\n", 6, " remote_id=\"0x0d0a\"" },
		{ D6_OPT_REMOTE_ID, "\0\0", 2, " remote_id=\"0x\"" },
	};
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		uint8_t details[64];
		struct wr w = wr_of(details, sizeof details);
		put(&w, said[i].code, said[i].bytes, said[i].n);
		assert_false(w.full);
		struct binding_record r = record();
		r.details = details;
		r.details_len = (uint16_t)wr_len(&w);
		char *text = line_of(&r);
		if (said[i].text && !strstr(text, said[i].text))
			fail_msg("%zu: there is no%s in %s", i, said[i].text, text);
		for (const char *c = text; c[1]; c++)
			if (*c < ' ' || *c > '~')
				fail_msg("%zu: byte %02x in %s", i, (uint8_t)*c, text);
		assert_true(said[i].text || !strstr(text, "=\""));
		free(text);
		json_t *lease = lease_to_json(&r, NOW_MS, NOW_UNIX_MS);
		char *json = json_dumps(lease, JSON_COMPACT);
		json_t *again = json_loads(json, 0, NULL);
		assert_true(json_equal(lease, again));
		json_decref(again);
		free(json);
		json_decref(lease);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_a_page_for_people),
		cmocka_unit_test(trouble_is_told_in_words),
		cmocka_unit_test(ages_and_sizes_have_the_unit_that_fits),
		cmocka_unit_test(a_pool_without_an_end_has_no_capacity),
		cmocka_unit_test(status_is_there_whatever_things_are_called),
		cmocka_unit_test(nothing_that_is_shown_moves_the_terminal),
		cmocka_unit_test(a_lease_tells_whose_it_is_and_how_long),
		cmocka_unit_test(hostile_names_are_harmless_in_text_and_json),
	};
	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
