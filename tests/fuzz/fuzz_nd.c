/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Solicitations and advertisements: whatever is accepted obeys RFC 4861 §6.1, and what was read of
 * an RA survives being written. */
#include "fuzz/fuzz.h"
#include "wire/nd.h"

#include <string.h>

static struct pkt_meta meta_from_link(void)
{
	struct pkt_meta m = { .ifindex = 1, .hop_limit = 255 };
	m.src.s6_addr[0] = 0xfe;
	m.src.s6_addr[1] = 0x80;
	m.src.s6_addr[15] = 1;
	return m;
}

static void fuzz_rs(const uint8_t *data, size_t size)
{
	struct pkt_meta m = meta_from_link();
	struct nd_rs rs;
	enum nd_verdict v = nd_parse_rs(rd_of(data, size), &m, &rs);
	if (v == ND_OK)
		FUZZ_CHECK(size >= 8 && size % 8 == 0 && data[0] == 133 && data[1] == 0);
	struct pkt_meta far = m;
	far.hop_limit = 254;
	FUZZ_CHECK(nd_parse_rs(rd_of(data, size), &far, &rs) != ND_OK);
	m.src = in6addr_any;
	enum nd_verdict unspecified = nd_parse_rs(rd_of(data, size), &m, &rs);
	FUZZ_CHECK(unspecified == v || (v == ND_OK && unspecified == ND_SLLA_UNSPEC));
	FUZZ_CHECK(unspecified != ND_OK || !rs.has_slla);
}

/* Lifetimes of servers are told apart on the wire by option; the struct has one for all. */
static void check_equal(const struct nd_ra *a, const struct nd_ra *b)
{
	FUZZ_CHECK(a->cur_hop_limit == b->cur_hop_limit && a->managed == b->managed &&
		   a->other == b->other);
	FUZZ_CHECK(a->preference == b->preference && a->router_lft_s == b->router_lft_s &&
		   a->mtu == b->mtu);
	FUZZ_CHECK(a->reachable_time_ms == b->reachable_time_ms &&
		   a->retrans_timer_ms == b->retrans_timer_ms);
	FUZZ_CHECK(a->has_slla == b->has_slla &&
		   (!a->has_slla || memcmp(a->slla, b->slla, 6) == 0));
	FUZZ_CHECK(a->n_prefixes == b->n_prefixes && a->n_routes == b->n_routes &&
		   a->n_rdnss == b->n_rdnss);
	for (size_t i = 0; i < a->n_prefixes; i++) {
		const struct nd_prefix_info *p = &a->prefixes[i];
		const struct nd_prefix_info *q = &b->prefixes[i];
		FUZZ_CHECK(prefix6_equal(&p->prefix, &q->prefix));
		FUZZ_CHECK(p->on_link == q->on_link && p->autonomous == q->autonomous);
		FUZZ_CHECK(p->router_address == q->router_address && p->dhcpv6_pd == q->dhcpv6_pd);
		FUZZ_CHECK(p->valid_lft_s == q->valid_lft_s &&
			   p->preferred_lft_s == q->preferred_lft_s);
	}
	for (size_t i = 0; i < a->n_routes; i++) {
		FUZZ_CHECK(prefix6_equal(&a->routes[i].prefix, &b->routes[i].prefix));
		FUZZ_CHECK(a->routes[i].preference == b->routes[i].preference &&
			   a->routes[i].lft_s == b->routes[i].lft_s);
	}
	FUZZ_CHECK(a->n_rdnss == 0 || a->rdnss_lft_s == b->rdnss_lft_s);
	FUZZ_CHECK(memcmp(a->rdnss, b->rdnss, a->n_rdnss * sizeof a->rdnss[0]) == 0);
	FUZZ_CHECK(a->has_pref64 == b->has_pref64);
	FUZZ_CHECK(!a->has_pref64 ||
		   (prefix6_equal(&a->pref64, &b->pref64) && a->pref64_lft_s == b->pref64_lft_s));
}

static void fuzz_ra(const uint8_t *data, size_t size)
{
	struct pkt_meta m = meta_from_link();
	struct nd_ra first;
	struct nd_ra second;
	if (nd_parse_ra(rd_of(data, size), &m, &first) != ND_OK)
		return;
	FUZZ_CHECK(size >= 16 && size % 8 == 0 && data[0] == 134 && data[1] == 0);
	static struct nd_packets built;
	FUZZ_CHECK(nd_build_ra(&first, ND_PACKET_BYTES, &built) == 0 && built.n == 1);
	FUZZ_CHECK(nd_parse_ra(rd_of(built.packets[0].bytes, built.packets[0].len), &m, &second) ==
		   ND_OK);
	check_equal(&first, &second);
}

/* In packets of any size: each can be read, says the same of the router, and together they have
 * what one has. */
static void fuzz_split(const uint8_t *data, size_t size)
{
	static struct nd_packets built;
	struct pkt_meta m = meta_from_link();
	struct nd_ra whole, part;
	size_t prefixes = 0, routes = 0, servers = 0, nat64 = 0;
	if (nd_parse_ra(rd_of(data, size), &m, &whole) != ND_OK)
		return;
	if (size & 1 << 3)
		whole.pvd = (struct nd_pvd){ .fqdn = "isp.example", .http = true, .delay = 15 };
	size_t max = 120 + 8 * (size_t)data[2]; /* a checksum, which says nothing else */
	if (nd_build_ra(&whole, max, &built) < 0)
		return;
	for (size_t i = 0; i < built.n; i++) {
		FUZZ_CHECK(built.packets[i].len <= max);
		FUZZ_CHECK(nd_parse_ra(rd_of(built.packets[i].bytes, built.packets[i].len), &m,
				       &part) == ND_OK);
		FUZZ_CHECK(part.router_lft_s == whole.router_lft_s &&
			   part.preference == whole.preference && part.managed == whole.managed &&
			   part.other == whole.other);
		prefixes += part.n_prefixes;
		routes += part.n_routes;
		servers += part.n_rdnss;
		nat64 += part.has_pref64;
		FUZZ_CHECK(i == 0 || (!part.has_slla && !part.mtu));
	}
	FUZZ_CHECK(prefixes == whole.n_prefixes && routes == whole.n_routes &&
		   servers == whole.n_rdnss && nat64 == whole.has_pref64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_rs(data, size);
	fuzz_ra(data, size);
	fuzz_split(data, size);
	return 0;
}
