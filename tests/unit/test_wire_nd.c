/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/nd.h"

static struct pkt_meta meta_from(const char *src)
{
	return (struct pkt_meta){
		.ifindex = 1, .src = unit_in6(src), .dst = unit_in6("ff02::2"), .hop_limit = 255
	};
}

static enum nd_verdict parse_rs(const char *vector, const struct pkt_meta *meta, struct nd_rs *rs)
{
	uint8_t b[256];
	size_t n = unit_vector(vector, b, sizeof b);
	return nd_parse_rs(rd_of(b, n), meta, rs);
}

static void rs_with_and_without_option(void **state)
{
	(void)state;
	struct pkt_meta m = meta_from("fe80::1234");
	struct nd_rs rs;
	assert_int_equal(parse_rs("nd/rs-slla", &m, &rs), ND_OK);
	assert_true(rs.has_slla);
	assert_int_equal(rs.slla[0], 0x02);
	assert_int_equal(rs.slla[5], 0x0a);
	assert_int_equal(parse_rs("nd/rs-plain", &m, &rs), ND_OK);
	assert_false(rs.has_slla);
	m = meta_from("::");
	assert_int_equal(parse_rs("nd/rs-plain", &m, &rs), ND_OK);
}

/* RFC 4861 §6.1.1, each of its conditions */
static void rs_is_validated(void **state)
{
	(void)state;
	uint8_t b[16];
	struct nd_rs rs = { .has_slla = true, .slla = { 9 } };
	struct pkt_meta good = meta_from("fe80::1234");
	struct pkt_meta m = good;
	size_t n = unit_vector("nd/rs-slla", b, sizeof b);

	m.hop_limit = 254;
	assert_int_equal(nd_parse_rs(rd_of(b, n), &m, &rs), ND_HOP_LIMIT);
	m.hop_limit = -1; /* not told: refused */
	assert_int_equal(nd_parse_rs(rd_of(b, n), &m, &rs), ND_HOP_LIMIT);
	m = meta_from("::");
	assert_int_equal(nd_parse_rs(rd_of(b, n), &m, &rs), ND_SLLA_UNSPEC);
	b[1] = 1;
	assert_int_equal(nd_parse_rs(rd_of(b, n), &good, &rs), ND_CODE);
	b[1] = 0;
	b[0] = 134;
	assert_int_equal(nd_parse_rs(rd_of(b, n), &good, &rs), ND_UNKNOWN_TYPE);
	b[0] = 133;
	for (size_t cut = 0; cut < 8; cut++)
		assert_int_equal(nd_parse_rs(rd_of(b, cut), &good, &rs), ND_TRUNCATED);
	for (size_t cut = 9; cut < 16; cut++)
		assert_int_equal(nd_parse_rs(rd_of(b, cut), &good, &rs), ND_BAD_OPTION);
	assert_int_equal(parse_rs("nd/rs-zero-length", &good, &rs), ND_BAD_OPTION);
	assert_int_equal(parse_rs("nd/rs-overrun", &good, &rs), ND_BAD_OPTION);
	assert_int_equal(rs.slla[0], 9); /* untouched by all of these */
}

static void rs_skips_unknown_options(void **state)
{
	(void)state;
	const uint8_t b[] = { 133, 0, 0, 0, 0, 0, 0, 0, 14, 1, 1, 2,
			      3,   4, 5, 6, 1, 1, 2, 0, 0,  0, 0, 7 };
	struct pkt_meta m = meta_from("fe80::1234");
	struct nd_rs rs;
	assert_int_equal(nd_parse_rs(rd_of(b, sizeof b), &m, &rs), ND_OK);
	assert_true(rs.has_slla);
	assert_int_equal(rs.slla[5], 7);
}

/* What ra-full.hex says. */
static struct nd_ra full_ra(void)
{
	struct nd_ra ra = {
		.cur_hop_limit = 64,
		.other = true,
		.preference = ND_PREF_HIGH,
		.router_lft_s = 1800,
		.reachable_time_ms = 30000,
		.retrans_timer_ms = 1000,
		.has_slla = true,
		.slla = { 2, 0, 0, 0, 0, 1 },
		.mtu = 1420,
		.n_prefixes = 2,
		.n_routes = 3,
		.n_rdnss = 2,
		.rdnss_lft_s = 1800,
		.rdnss = { unit_in6("2001:db8:ffff::1"), unit_in6("fe80::1") },
		.n_search = 2,
		.dnssl_lft_s = 1800,
		.search = { "lab", "example.net" },
		.has_pref64 = true,
		.pref64 = { unit_in6("64:ff9b::"), 96 },
		.pref64_lft_s = 1800,
		.captive_portal = "https://lab.example/",
	};
	ra.prefixes[0] = (struct nd_prefix_info){ .prefix = { unit_in6("2001:db8:ffff::"), 64 },
						  .on_link = true,
						  .autonomous = true,
						  .valid_lft_s = 14400,
						  .preferred_lft_s = 1800 };
	ra.prefixes[1] = (struct nd_prefix_info){ .prefix = { unit_in6("2001:db8:ffff:1::1"), 64 },
						  .router_address = true,
						  .dhcpv6_pd = true,
						  .valid_lft_s = ND_INFINITE,
						  .preferred_lft_s = ND_INFINITE };
	ra.routes[0] = (struct nd_route_info){ { unit_in6("::"), 0 }, ND_PREF_LOW, 1800 };
	ra.routes[1] =
		(struct nd_route_info){ { unit_in6("2001:db8:5::"), 48 }, ND_PREF_MEDIUM, 1800 };
	ra.routes[2] =
		(struct nd_route_info){ { unit_in6("2001:db8:6:0:0:1::"), 96 }, ND_PREF_HIGH, 0 };
	return ra;
}

static void ra_is_built_byte_by_byte(void **state)
{
	(void)state;
	uint8_t want[512];
	uint8_t got[512];
	size_t n = unit_vector("nd/ra-full", want, sizeof want);
	struct nd_ra ra = full_ra();
	struct wr w = wr_of(got, sizeof got);
	assert_int_equal(nd_build_ra(&w, &ra), 0);
	assert_int_equal(wr_len(&w), n);
	assert_memory_equal(got, want, n);
}

static void ra_is_read_back(void **state)
{
	(void)state;
	uint8_t b[512];
	size_t n = unit_vector("nd/ra-full", b, sizeof b);
	struct pkt_meta m = meta_from("fe80::1");
	struct nd_ra want = full_ra();
	struct nd_ra got;
	assert_int_equal(nd_parse_ra(rd_of(b, n), &m, &got), ND_OK);
	assert_int_equal(got.cur_hop_limit, 64);
	assert_false(got.managed);
	assert_true(got.other);
	assert_int_equal(got.preference, ND_PREF_HIGH);
	assert_int_equal(got.router_lft_s, 1800);
	assert_int_equal(got.reachable_time_ms, 30000);
	assert_int_equal(got.retrans_timer_ms, 1000);
	assert_true(got.has_slla);
	assert_memory_equal(got.slla, want.slla, 6);
	assert_int_equal(got.mtu, 1420);
	assert_int_equal(got.n_prefixes, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(prefix6_equal(&got.prefixes[i].prefix, &want.prefixes[i].prefix));
		assert_int_equal(got.prefixes[i].on_link, want.prefixes[i].on_link);
		assert_int_equal(got.prefixes[i].autonomous, want.prefixes[i].autonomous);
		assert_int_equal(got.prefixes[i].router_address, want.prefixes[i].router_address);
		assert_int_equal(got.prefixes[i].dhcpv6_pd, want.prefixes[i].dhcpv6_pd);
		assert_int_equal(got.prefixes[i].valid_lft_s, want.prefixes[i].valid_lft_s);
		assert_int_equal(got.prefixes[i].preferred_lft_s, want.prefixes[i].preferred_lft_s);
	}
	assert_int_equal(got.n_routes, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(prefix6_equal(&got.routes[i].prefix, &want.routes[i].prefix));
		assert_int_equal(got.routes[i].preference, want.routes[i].preference);
		assert_int_equal(got.routes[i].lft_s, want.routes[i].lft_s);
	}
	assert_int_equal(got.n_rdnss, 2);
	assert_int_equal(got.rdnss_lft_s, 1800);
	assert_memory_equal(got.rdnss, want.rdnss, 2 * sizeof got.rdnss[0]);
	assert_int_equal(got.n_search, 0);
	assert_true(got.has_pref64);
	assert_true(prefix6_equal(&got.pref64, &want.pref64));
	assert_int_equal(got.pref64_lft_s, 1800);
	assert_null(got.captive_portal);
}

/* RFC 4861 §6.1.2 */
static void ra_is_validated(void **state)
{
	(void)state;
	uint8_t b[512];
	struct nd_ra ra;
	size_t n = unit_vector("nd/ra-full", b, sizeof b);
	struct pkt_meta good = meta_from("fe80::1");
	struct pkt_meta m = meta_from("2001:db8::1");
	assert_int_equal(nd_parse_ra(rd_of(b, n), &m, &ra), ND_NOT_LINK_LOCAL);
	m = good;
	m.hop_limit = 64;
	assert_int_equal(nd_parse_ra(rd_of(b, n), &m, &ra), ND_HOP_LIMIT);
	for (size_t cut = 0; cut < 16; cut++)
		assert_int_equal(nd_parse_ra(rd_of(b, cut), &good, &ra), ND_TRUNCATED);
	assert_int_equal(nd_parse_ra(rd_of(b, 16), &good, &ra), ND_OK);
	assert_int_equal(nd_parse_ra(rd_of(b, n - 1), &good, &ra), ND_BAD_OPTION);
	b[17] = 0; /* the first option's length */
	assert_int_equal(nd_parse_ra(rd_of(b, n), &good, &ra), ND_BAD_OPTION);
	b[1] = 1;
	assert_int_equal(nd_parse_ra(rd_of(b, n), &good, &ra), ND_CODE);
}

static size_t build(const struct nd_ra *ra, uint8_t *b, size_t size)
{
	struct wr w = wr_of(b, size);
	if (nd_build_ra(&w, ra) != 0)
		fail_msg("can't build");
	return wr_len(&w);
}

static void an_empty_ra_has_no_options(void **state)
{
	(void)state;
	struct nd_ra ra = { .managed = true };
	const uint8_t want[16] = { 134, 0, 0, 0, 0, 0x80 };
	uint8_t b[64];
	assert_int_equal(build(&ra, b, sizeof b), 16);
	assert_memory_equal(b, want, 16);
}

/* RFC 4191 §2.2 */
static void no_preference_without_a_lifetime(void **state)
{
	(void)state;
	uint8_t b[64];
	struct nd_ra ra = { .router_lft_s = 1, .preference = ND_PREF_LOW };
	(void)build(&ra, b, sizeof b);
	assert_int_equal(b[5], 0x18);
	ra.router_lft_s = 0;
	(void)build(&ra, b, sizeof b);
	assert_int_equal(b[5], 0);
}

static void stray_host_bits_stay_at_home(void **state)
{
	(void)state;
	uint8_t b[128];
	struct nd_ra ra = { .n_prefixes = 1, .n_routes = 1 };
	ra.prefixes[0].prefix = (struct prefix6){ unit_in6("2001:db8::1"), 64 };
	ra.routes[0].prefix = (struct prefix6){ unit_in6("2001:db8::1"), 128 };
	assert_int_equal(build(&ra, b, sizeof b), 16 + 32 + 24);
	assert_int_equal(b[48 + 23], 1); /* a host's route has none that are stray */
	ra.routes[0].prefix = (struct prefix6){ unit_in6("2001:db8:0:ff::"), 56 };
	assert_int_equal(build(&ra, b, sizeof b), 16 + 32 + 16);
	assert_int_equal(b[16 + 31], 0);
	assert_int_equal(b[48 + 15], 0);
}

/* RFC 8781 §4: lifetimes in units of 8 s, rounded up, 13 bits; six lengths. */
static void pref64_is_scaled(void **state)
{
	(void)state;
	static const struct {
		uint8_t plen;
		uint16_t lft_s;
		uint16_t want;
	} rows[] = { { 96, 0, 0 },      { 64, 1, 8 | 1 },          { 56, 8, 8 | 2 },
		     { 48, 9, 16 | 3 }, { 40, 65528, 0xfff8 | 4 }, { 32, 65535, 0xfff8 | 5 } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t b[64];
		struct nd_ra ra = { .has_pref64 = true,
				    .pref64 = { unit_in6("64:ff9b::"), rows[i].plen },
				    .pref64_lft_s = rows[i].lft_s };
		assert_int_equal(build(&ra, b, sizeof b), 32);
		assert_int_equal(b[18] << 8 | b[19], rows[i].want);
	}
}

static void lists_can_be_filled_to_their_maxima(void **state)
{
	(void)state;
	static uint8_t b[4096];
	struct nd_ra ra = { .n_prefixes = ND_MAX_PREFIXES,
			    .n_routes = ND_MAX_ROUTES,
			    .n_rdnss = ND_MAX_RDNSS,
			    .n_search = ND_MAX_SEARCH };
	for (size_t i = 0; i < ND_MAX_SEARCH; i++)
		ra.search[i] = "abcd"; /* six bytes */
	assert_int_equal(build(&ra, b, sizeof b), 16 + 8 * 32 + 16 * 8 + 8 + 8 * 16 + 8 + 8 * 6);
}

static void refuses_what_cannot_be_said(void **state)
{
	(void)state;
	uint8_t b[2048];
	struct nd_ra bad[7] = { 0 };
	bad[0].n_prefixes = ND_MAX_PREFIXES + 1;
	bad[1].n_prefixes = 1;
	bad[1].prefixes[0].preferred_lft_s = 1; /* longer than valid */
	bad[2].n_routes = 1;
	bad[2].routes[0].prefix.plen = 129;
	bad[3].n_search = 1;
	bad[3].search[0] = "not a name";
	bad[4].has_pref64 = true;
	bad[4].pref64.plen = 65;
	bad[5].n_rdnss = ND_MAX_RDNSS + 1;
	bad[6].n_prefixes = 1;
	bad[6].prefixes[0].prefix.plen = 129;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct wr w = wr_of(b, sizeof b);
		assert_int_equal(nd_build_ra(&w, &bad[i]), -EINVAL);
		assert_int_equal(wr_len(&w), 0);
	}
	struct nd_ra ra = full_ra();
	for (size_t size = 0; size < 256; size++) {
		struct wr w = wr_of(b, size);
		assert_int_equal(nd_build_ra(&w, &ra), -EMSGSIZE);
		assert_true(w.full);
	}
	/* an option is 2,040 bytes at most */
	static uint8_t large[4096];
	static char url[2039 + 1];
	memset(url, 'x', sizeof url - 1);
	struct nd_ra portal = { .captive_portal = url };
	struct wr w = wr_of(large, sizeof large);
	assert_int_equal(nd_build_ra(&w, &portal), -EMSGSIZE);
	url[2038] = '\0';
	assert_int_equal(build(&portal, large, sizeof large), 16 + 2040);
	assert_int_equal(large[17], 255);
}

/* A foreign RA with options that contradict themselves: they are passed over, the rest counts. */
static void odd_options_are_passed_over(void **state)
{
	(void)state;
	/* clang-format off: a line an option */
	const uint8_t
		b
			[] = {
				134, 0,  0,   0,    64, 0x10, 0,   100, 0, 0, 0,
				0,   0,  0,   0,    0, /* reserved preference: medium */
				24,  1,  0,   0x10, 0,  0,    0,   9, /* a route of reserved
									 preference */
				24,  1,  64,  0,    0,  0,    0,   9, /* a /64 in no bytes */
				24,  1,  0,   0,    0,  0,    0,   9, /* ::/0, good */
				25,  1,  0,   0,    0,  0,    0,   9, /* no servers */
				25,  2,  0,   0,    0,  0,    0,   9,   1, 2, 3,
				4,   5,  6,   7,    8, /* half a server */
				5,   2,  0,   0,    0,  0,    5,   0,   0, 0, 0,
				0,   0,  0,   0,    0, /* an MTU of two units */
				1,   2,  1,   2,    3,  4,    5,   6,   7, 8, 9,
				10,  11, 12,  13,   14, /* an InfiniBand address */
				38,  2,  0,   7,    0,  100,  255, 155, 0, 0, 0,
				0,   0,  0,   0,    0, /* an unknown prefix length code */
				3,   4,  129, 0xc0, 0,  0,    0,   9,   0, 0, 0,
				9,   0,  0,   0,    0,  0,    0,   0,   0, 0, 0,
				0,   0,  0,   0,    0,  0,    0,   0,   0, 0, /* /129 */
				3,   4,  64,  0xc0, 0,  0,    0,   9,   0, 0, 0,
				10,  0,  0,   0,    0,  0,    0,   0,   0, 0, 0,
				0,   0,  0,   0,    0,  0,    0,   0,   0, 0, /* 10 > 9 */
			};
	/* clang-format on */
	struct pkt_meta m = meta_from("fe80::1");
	struct nd_ra ra;
	assert_int_equal(nd_parse_ra(rd_of(b, sizeof b), &m, &ra), ND_OK);
	assert_int_equal(ra.preference, ND_PREF_MEDIUM);
	assert_int_equal(ra.n_routes, 1);
	assert_int_equal(ra.routes[0].prefix.plen, 0);
	assert_int_equal(ra.n_rdnss, 0);
	assert_int_equal(ra.mtu, 0);
	assert_false(ra.has_slla);
	assert_false(ra.has_pref64);
	assert_int_equal(ra.n_prefixes, 0);
}

static void lists_are_cut_at_their_maxima(void **state)
{
	(void)state;
	uint8_t b[4096] = { 134, [4] = 64 };
	struct wr w = wr_of(b, sizeof b);
	(void)wr_room(&w, 16);
	for (int i = 0; i < 40; i++) {
		static const uint8_t route[] = { 24, 1, 0, 0, 0, 0, 0, 9 };
		wr_bytes(&w, route, sizeof route);
		wr_u8(&w, 3); /* a PIO */
		wr_u8(&w, 4);
		wr_zero(&w, 30);
		wr_u8(&w, 25); /* one server each */
		wr_u8(&w, 3);
		wr_zero(&w, 22);
	}
	struct pkt_meta m = meta_from("fe80::1");
	struct nd_ra ra;
	assert_int_equal(nd_parse_ra(rd_of(b, wr_len(&w)), &m, &ra), ND_OK);
	assert_int_equal(ra.n_routes, ND_MAX_ROUTES);
	assert_int_equal(ra.n_prefixes, ND_MAX_PREFIXES);
	assert_int_equal(ra.n_rdnss, ND_MAX_RDNSS);
}

static void verdicts_have_names(void **state)
{
	(void)state;
	for (int v = ND_OK; v <= ND_UNKNOWN_TYPE; v++)
		for (int u = ND_OK; u < v; u++)
			assert_string_not_equal(nd_verdict_name((enum nd_verdict)u),
						nd_verdict_name((enum nd_verdict)v));
	assert_string_equal(nd_verdict_name(ND_HOP_LIMIT), "hop_limit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rs_with_and_without_option),
		cmocka_unit_test(rs_is_validated),
		cmocka_unit_test(rs_skips_unknown_options),
		cmocka_unit_test(ra_is_built_byte_by_byte),
		cmocka_unit_test(ra_is_read_back),
		cmocka_unit_test(ra_is_validated),
		cmocka_unit_test(an_empty_ra_has_no_options),
		cmocka_unit_test(no_preference_without_a_lifetime),
		cmocka_unit_test(stray_host_bits_stay_at_home),
		cmocka_unit_test(pref64_is_scaled),
		cmocka_unit_test(lists_can_be_filled_to_their_maxima),
		cmocka_unit_test(refuses_what_cannot_be_said),
		cmocka_unit_test(odd_options_are_passed_over),
		cmocka_unit_test(lists_are_cut_at_their_maxima),
		cmocka_unit_test(verdicts_have_names),
	};
	return cmocka_run_group_tests_name("nd", tests, NULL, NULL);
}
