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

static struct nd_packets packets;

/* As one packet. */
static size_t build(const struct nd_ra *ra, uint8_t *b, size_t size)
{
	assert_int_equal(nd_build_ra(ra, size, &packets), 0);
	assert_int_equal(packets.n, 1);
	memcpy(b, packets.packets[0].bytes, packets.packets[0].len);
	return packets.packets[0].len;
}

static void ra_is_built_byte_by_byte(void **state)
{
	(void)state;
	uint8_t want[512];
	uint8_t got[512];
	size_t n = unit_vector("nd/ra-full", want, sizeof want);
	struct nd_ra ra = full_ra();
	assert_int_equal(build(&ra, got, sizeof got), n);
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
	assert_int_equal(build(&ra, b, sizeof b),
			 16 + ND_MAX_PREFIXES * 32 + 16 * 8 + 8 + 8 * 16 + 8 + 8 * 6);
}

static void refuses_what_cannot_be_said(void **state)
{
	(void)state;
	uint8_t b[2048];
	struct nd_ra bad[9] = { 0 };
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
	bad[7].pvd.fqdn = "not a name";
	bad[8].pvd = (struct nd_pvd){ .fqdn = "isp.example", .delay = 16 };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(nd_build_ra(&bad[i], ND_PACKET_BYTES, &packets), -EINVAL);
	static char url[ND_PACKET_BYTES];
	memset(url, 'x', sizeof url - 1);
	struct nd_ra portal = { .captive_portal = url };
	url[ND_PACKET_BYTES - 16 - 2 - 3] =
		'\0'; /* 1439 and its two octets: 180 units and one more */
	assert_int_equal(nd_build_ra(&portal, ND_PACKET_BYTES, &packets), -EMSGSIZE);
	url[ND_PACKET_BYTES - 16 - 2 - 4] = '\0';
	assert_int_equal(build(&portal, b, sizeof b), 16 + 1440);
	assert_int_equal(b[17], 180);
	assert_int_equal(nd_build_ra(&portal, 15, &packets), -EMSGSIZE); /* not even a header */
}

/* All that there can be, in the shortest packets that there are: IPv6's least MTU. */
static struct nd_ra largest_ra(void)
{
	static char name[254], url[256];
	for (size_t i = 0; i < sizeof name - 1; i++)
		name[i] = i % 60 == 59 ? '.' : 'a';
	memset(url, 'u', sizeof url - 1);
	struct nd_ra ra = full_ra();
	ra.n_prefixes = ND_MAX_PREFIXES;
	for (size_t i = 0; i < ND_MAX_PREFIXES; i++) {
		ra.prefixes[i] = ra.prefixes[0];
		ra.prefixes[i].prefix.addr.s6_addr[7] = (uint8_t)i;
	}
	ra.n_routes = ND_MAX_ROUTES;
	for (size_t i = 0; i < ND_MAX_ROUTES; i++) {
		ra.routes[i] = ra.routes[2];
		ra.routes[i].prefix.addr.s6_addr[7] = (uint8_t)i;
	}
	ra.n_rdnss = ND_MAX_RDNSS;
	ra.n_search = ND_MAX_SEARCH;
	for (size_t i = 0; i < ND_MAX_SEARCH; i++)
		ra.search[i] = name;
	ra.captive_portal = url;
	ra.pvd = (struct nd_pvd){ .fqdn = name, .only = true };
	return ra;
}

/* RFC 4861 §6.2.3: several with the same header, each option in one of them, as few as can be. */
static void what_does_not_fit_into_one_is_spread_over_several(void **state)
{
	(void)state;
	struct pkt_meta m = meta_from("fe80::1");
	struct nd_ra ra = full_ra(), got;
	size_t prefixes = 0, routes = 0, servers = 0;
	assert_int_equal(nd_build_ra(&ra, 120, &packets), 0);
	assert_int_equal(packets.n, 3); /* 248 bytes of options, 104 in each */
	for (size_t i = 0; i < packets.n; i++) {
		assert_true(packets.packets[i].len <= 120);
		assert_memory_equal(packets.packets[i].bytes, packets.packets[0].bytes, 16);
		assert_int_equal(
			nd_parse_ra(rd_of(packets.packets[i].bytes, packets.packets[i].len), &m,
				    &got),
			ND_OK);
		prefixes += got.n_prefixes;
		routes += got.n_routes;
		servers += got.n_rdnss;
		assert_int_equal(got.has_slla, i == 0);
		assert_int_equal(got.mtu, i == 0 ? 1420 : 0);
	}
	assert_int_equal(prefixes, 2);
	assert_int_equal(routes, 3);
	assert_int_equal(servers, 2);
}

/* A list is cut where the rest of it does not fit. */
static void lists_of_servers_and_names_are_cut_between_packets(void **state)
{
	(void)state;
	struct pkt_meta m = meta_from("fe80::1");
	struct nd_ra got, ra = { .n_rdnss = 3, .rdnss_lft_s = 60 };
	for (size_t i = 0; i < 3; i++)
		ra.rdnss[i] = (struct in6_addr){ .s6_addr = { [15] = (uint8_t)(i + 1) } };
	assert_int_equal(nd_build_ra(&ra, 16 + 8 + 32 + 8, &packets), 0);
	assert_int_equal(packets.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			nd_parse_ra(rd_of(packets.packets[i].bytes, packets.packets[i].len), &m,
				    &got),
			ND_OK);
		assert_int_equal(got.n_rdnss, i == 0 ? 2 : 1);
		assert_int_equal(got.rdnss_lft_s, 60);
		assert_int_equal(got.rdnss[0].s6_addr[15], i == 0 ? 1 : 3);
	}
	struct nd_ra names = { .n_search = 3, .dnssl_lft_s = 60, .search = { "a", "b", "c" } };
	assert_int_equal(nd_build_ra(&names, 16 + 16, &packets), 0);
	assert_int_equal(packets.n, 2); /* 8 and three times 3 bytes are 17 */
	static const uint8_t first[] = { 31, 2, 0, 0, 0, 0, 0, 60, 1, 'a', 0, 1, 'b', 0, 0, 0 },
			     second[] = { 31, 2, 0, 0, 0, 0, 0, 60, 1, 'c', 0, 0, 0, 0, 0, 0 };
	assert_memory_equal(packets.packets[0].bytes + 16, first, sizeof first);
	assert_memory_equal(packets.packets[1].bytes + 16, second, sizeof second);
}

static void the_largest_fits_into_the_packets_that_there_are(void **state)
{
	(void)state;
	struct nd_ra ra = largest_ra();
	assert_int_equal(nd_build_ra(&ra, 1240, &packets), 0);
	assert_true(packets.n < ND_PACKETS_MAX);
}

/* RFC 8801 §3.1 */
static void a_provisioning_domain_is_built_byte_by_byte(void **state)
{
	(void)state;
	uint8_t b[256];
	struct nd_ra ra = {
		.router_lft_s = 1800,
		.preference = ND_PREF_HIGH,
		.has_slla = true,
		.mtu = 1420,
		.n_routes = 1,
		.routes = { { { unit_in6("::"), 0 }, ND_PREF_LOW, 9 } },
		.pvd = { .fqdn = "example.org", .http = true, .delay = 5, .sequence = 123 },
	};
	static const uint8_t option[] = { 21,  3,   0x80, 5,   0,   123, 7, 'e', 'x', 'a', 'm', 'p',
					  'l', 'e', 3,    'o', 'r', 'g', 0, 0,   0,   0,   0,   0 };
	static const uint8_t route[] = { 24, 1, 0, 0x18, 0, 0, 0, 9 };
	assert_int_equal(build(&ra, b, sizeof b), 16 + 8 + 8 + 24 + 8);
	assert_memory_equal(b + 32, option, sizeof option);
	assert_memory_equal(b + 56, route, sizeof route); /* behind it, for all */

	ra.pvd.only = true;
	ra.pvd.legacy = true;
	static const uint8_t within[] = { 21,  6,   0xe0, 5,    0,   123, 7,   'e', 'x', 'a',
					  'm', 'p', 'l',  'e',  3,   'o', 'r', 'g', 0,   0,
					  0,   0,   0,    0,    134, 0,   0,   0,   0,   8,
					  7,   8,   0,    0,    0,   0,   0,   0,   0,   0,
					  24,  1,   0,    0x18, 0,   0,   0,   9 };
	static const uint8_t header[16] = { 134 };
	assert_int_equal(build(&ra, b, sizeof b), 16 + 8 + 8 + sizeof within);
	assert_memory_equal(b, header, sizeof header); /* no router for those who do not look */
	assert_memory_equal(b + 32, within, sizeof within);
}

/* RFC 8801 §3.2: all but the options within stands in every packet. */
static void a_provisioning_domain_is_repeated_in_every_packet(void **state)
{
	(void)state;
	for (int only = 0; only < 2; only++) {
		struct nd_ra ra = full_ra();
		ra.has_slla = false;
		ra.mtu = 0;
		ra.pvd = (struct nd_pvd){ .fqdn = "isp.example", .http = true, .only = only };
		assert_int_equal(nd_build_ra(&ra, 240, &packets), 0);
		assert_true(packets.n >= 2);
		for (size_t i = 0; i < packets.n; i++) {
			const uint8_t *b = packets.packets[i].bytes;
			assert_int_equal(b[16], 21);
			assert_memory_equal(b + 18, packets.packets[0].bytes + 18,
					    only ? 22 + 16 : 22);
			assert_int_equal(b[17], only ? (packets.packets[i].len - 16) / 8 : 3);
		}
	}
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
		cmocka_unit_test(what_does_not_fit_into_one_is_spread_over_several),
		cmocka_unit_test(lists_of_servers_and_names_are_cut_between_packets),
		cmocka_unit_test(the_largest_fits_into_the_packets_that_there_are),
		cmocka_unit_test(a_provisioning_domain_is_built_byte_by_byte),
		cmocka_unit_test(a_provisioning_domain_is_repeated_in_every_packet),
		cmocka_unit_test(odd_options_are_passed_over),
		cmocka_unit_test(lists_are_cut_at_their_maxima),
		cmocka_unit_test(verdicts_have_names),
	};
	return cmocka_run_group_tests_name("nd", tests, NULL, NULL);
}
