/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/nd.h"

#include "wire/dnsname.h"

#include <errno.h>

enum {
	ND_RS = 133,
	ND_RA = 134,
	ND_HOPS = 255,
	ND_UNIT = 8, /* option lengths count in these */

	OPT_SLLA = 1,            /* RFC 4861 §4.6.1 */
	OPT_PREFIX = 3,          /* RFC 4861 §4.6.2 */
	OPT_MTU = 5,             /* RFC 4861 §4.6.4 */
	OPT_PVD = 21,            /* RFC 8801 §3.1 */
	OPT_ROUTE = 24,          /* RFC 4191 §2.3 */
	OPT_RDNSS = 25,          /* RFC 8106 §5.1 */
	OPT_DNSSL = 31,          /* RFC 8106 §5.2 */
	OPT_CAPTIVE_PORTAL = 37, /* RFC 8910 §2.3 */
	OPT_PREF64 = 38,         /* RFC 8781 §4 */

	RA_MANAGED = 0x80,
	RA_OTHER = 0x40,
	PIO_ON_LINK = 0x80,
	PIO_AUTONOMOUS = 0x40,
	PIO_ROUTER_ADDRESS = 0x20,
	PIO_DHCPV6_PD = 0x10,
	PVD_HTTP = 0x8000,
	PVD_LEGACY = 0x4000,
	PVD_RA_HEADER = 0x2000,
	PVD_DELAY_MAX = 15,

	PREF_SHIFT = 3, /* the two bits stand at the same place in an RA's flags and in a route's */
	PREF_RESERVED = 2,

	PREF64_MAX_SCALED = 8191, /* 13 bits, in units of 8 s */
};

const char *nd_verdict_name(enum nd_verdict v)
{
	switch (v) {
	case ND_OK:
		return "ok";
	case ND_TRUNCATED:
		return "truncated";
	case ND_HOP_LIMIT:
		return "hop_limit";
	case ND_CODE:
		return "code";
	case ND_BAD_OPTION:
		return "bad_option";
	case ND_SLLA_UNSPEC:
		return "slla_unspec";
	case ND_NOT_LINK_LOCAL:
		return "not_link_local";
	case ND_UNKNOWN_TYPE:
		return "unknown_type";
	}
	return "unknown";
}

/* What every message of neighbour discovery must have (§6.1). The cursor then stands behind the
 * ICMPv6 header. */
static enum nd_verdict parse_header(struct rd *r, uint8_t type, const struct pkt_meta *meta)
{
	uint8_t got_type = rd_u8(r);
	uint8_t code = rd_u8(r);
	(void)rd_be16(r); /* the checksum, which the kernel has verified */
	if (r->bad)
		return ND_TRUNCATED;
	if (got_type != type)
		return ND_UNKNOWN_TYPE;
	if (meta->hop_limit != ND_HOPS)
		return ND_HOP_LIMIT;
	if (code != 0)
		return ND_CODE;
	return ND_OK;
}

/* The next option, its body without type and length; false at the clean end or (r->bad) where it
 * has no or too much length. */
static bool opt_next(struct rd *r, uint8_t *ret_type, struct rd *ret_body)
{
	if (rd_left(r) == 0)
		return false;
	uint8_t type = rd_u8(r);
	uint8_t units = rd_u8(r);
	if (units == 0) {
		r->bad = true; /* §4.6: it would never end */
		return false;
	}
	size_t len = (size_t)units * ND_UNIT - 2;
	const uint8_t *body = rd_take(r, len);
	if (!body)
		return false;
	*ret_type = type;
	*ret_body = rd_of(body, len);
	return true;
}

/* Longer ones belong to other links than Ethernet. */
static bool parse_slla(struct rd body, uint8_t ret_mac[static 6])
{
	if (rd_left(&body) != 6)
		return false;
	rd_bytes(&body, ret_mac, 6);
	return true;
}

enum nd_verdict nd_parse_rs(struct rd packet, const struct pkt_meta *meta, struct nd_rs *ret_rs)
{
	struct nd_rs rs = { 0 };
	bool slla_seen = false;
	enum nd_verdict v = parse_header(&packet, ND_RS, meta);
	if (v != ND_OK)
		return v;
	(void)rd_be32(&packet); /* reserved */
	if (packet.bad)
		return ND_TRUNCATED;
	uint8_t type;
	struct rd body;
	while (opt_next(&packet, &type, &body)) {
		if (type != OPT_SLLA)
			continue;
		slla_seen = true;
		rs.has_slla |= parse_slla(body, rs.slla);
	}
	if (packet.bad)
		return ND_BAD_OPTION;
	if (slla_seen && IN6_IS_ADDR_UNSPECIFIED(&meta->src))
		return ND_SLLA_UNSPEC;
	*ret_rs = rs;
	return ND_OK;
}

static uint8_t preference_bits(enum nd_preference p)
{
	return (uint8_t)((p == ND_PREF_HIGH ? 1 : p == ND_PREF_LOW ? 3 : 0) << PREF_SHIFT);
}

/* RFC 4191 §2.1: the reserved value in an RA's flags is read as medium. */
static enum nd_preference preference_of(uint8_t flags)
{
	unsigned bits = flags >> PREF_SHIFT & 3;
	return bits == 1 ? ND_PREF_HIGH : bits == 3 ? ND_PREF_LOW : ND_PREF_MEDIUM;
}

static size_t opt_open(struct wr *w, uint8_t type)
{
	size_t at = wr_len(w);
	wr_u8(w, type);
	wr_u8(w, 0); /* its length, written by opt_close() */
	return at;
}

/* Pads with zeros to a multiple of 8 and writes the length. */
static void opt_close(struct wr *w, size_t at)
{
	size_t len = wr_len(w) - at;
	wr_zero(w, (ND_UNIT - len % ND_UNIT) % ND_UNIT);
	size_t units = (wr_len(w) - at) / ND_UNIT;
	if (units > UINT8_MAX)
		w->full = true;
	if (!w->full)
		w->start[at + 1] = (uint8_t)units;
}

static void put_header(struct wr *w, const struct nd_ra *ra, uint16_t router_lft_s)
{
	/* RFC 4191 §2.2: a router that is no default router must not claim a preference. */
	uint8_t preference = router_lft_s > 0 ? preference_bits(ra->preference) : 0;
	wr_u8(w, ND_RA);
	wr_u8(w, 0);
	wr_be16(w, 0);
	wr_u8(w, ra->cur_hop_limit);
	wr_u8(w,
	      (uint8_t)((ra->managed ? RA_MANAGED : 0) | (ra->other ? RA_OTHER : 0) | preference));
	wr_be16(w, router_lft_s);
	wr_be32(w, ra->reachable_time_ms);
	wr_be32(w, ra->retrans_timer_ms);
}

/* All of it but the options within; these follow it. The length is not written. */
static size_t put_pvd(struct wr *w, const struct nd_ra *ra)
{
	const struct nd_pvd *p = &ra->pvd;
	size_t at = opt_open(w, OPT_PVD);
	wr_be16(w, (uint16_t)((p->http ? PVD_HTTP : 0) | (p->legacy ? PVD_LEGACY : 0) |
			      (p->only ? PVD_RA_HEADER : 0) | p->delay));
	wr_be16(w, p->sequence);
	dnsname_put(w, p->fqdn);
	opt_close(w, at);
	if (p->only)
		put_header(w, ra, ra->router_lft_s);
	return at;
}

/* --- single options: the n of a list that begin at `from`
 * ---------------------------------------------------------- */

static void put_slla(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	(void)from, (void)n; /* there is one */
	size_t at = opt_open(w, OPT_SLLA);
	wr_bytes(w, ra->slla, sizeof ra->slla);
	opt_close(w, at);
}

static void put_mtu(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	(void)from, (void)n; /* there is one */
	size_t at = opt_open(w, OPT_MTU);
	wr_be16(w, 0);
	wr_be32(w, ra->mtu);
	opt_close(w, at);
}

static void put_prefix(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	for (const struct nd_prefix_info *p = ra->prefixes + from; n > 0; p++, n--) {
		/* With R, the field holds the router's whole address (RFC 6275 §7.2). */
		struct prefix6 shown = p->router_address ? p->prefix : prefix6_masked(&p->prefix);
		size_t at = opt_open(w, OPT_PREFIX);
		wr_u8(w, shown.plen);
		wr_u8(w, (uint8_t)((p->on_link ? PIO_ON_LINK : 0) |
				   (p->autonomous ? PIO_AUTONOMOUS : 0) |
				   (p->router_address ? PIO_ROUTER_ADDRESS : 0) |
				   (p->dhcpv6_pd ? PIO_DHCPV6_PD : 0)));
		wr_be32(w, p->valid_lft_s);
		wr_be32(w, p->preferred_lft_s);
		wr_be32(w, 0);
		wr_in6(w, &shown.addr);
		opt_close(w, at);
	}
}

static void put_route(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	for (const struct nd_route_info *r = ra->routes + from; n > 0; r++, n--) {
		struct prefix6 masked = prefix6_masked(&r->prefix);
		size_t prefix_len = masked.plen == 0 ? 0 : masked.plen <= 64 ? 8 : 16;
		size_t at = opt_open(w, OPT_ROUTE);
		wr_u8(w, masked.plen);
		wr_u8(w, preference_bits(r->preference));
		wr_be32(w, r->lft_s);
		wr_bytes(w, &masked.addr, prefix_len);
		opt_close(w, at);
	}
}

static void put_rdnss(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	size_t at = opt_open(w, OPT_RDNSS);
	wr_be16(w, 0);
	wr_be32(w, ra->rdnss_lft_s);
	for (size_t i = from; i < from + n; i++)
		wr_in6(w, &ra->rdnss[i]);
	opt_close(w, at);
}

static void put_dnssl(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	size_t at = opt_open(w, OPT_DNSSL);
	wr_be16(w, 0);
	wr_be32(w, ra->dnssl_lft_s);
	for (size_t i = from; i < from + n; i++)
		dnsname_put(w, ra->search[i]);
	opt_close(w, at);
}

/* The prefix length code of RFC 8781 §4, or -1. */
static int pref64_code(uint8_t plen)
{
	static const uint8_t plens[] = { 96, 64, 56, 48, 40, 32 };
	for (int i = 0; i < (int)sizeof plens; i++)
		if (plens[i] == plen)
			return i;
	return -1;
}

static uint8_t pref64_plen(unsigned code)
{
	static const uint8_t plens[8] = { 96, 64, 56, 48, 40, 32, 0, 0 };
	return plens[code & 7];
}

static void put_pref64(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	(void)from, (void)n; /* there is one */
	struct prefix6 masked = prefix6_masked(&ra->pref64);
	unsigned scaled = (ra->pref64_lft_s + 7U) / 8;
	if (scaled > PREF64_MAX_SCALED)
		scaled = PREF64_MAX_SCALED;
	size_t at = opt_open(w, OPT_PREF64);
	wr_be16(w, (uint16_t)(scaled << 3 | (unsigned)pref64_code(masked.plen)));
	wr_bytes(w, &masked.addr, 12);
	opt_close(w, at);
}

static void put_captive_portal(struct wr *w, const struct nd_ra *ra, size_t from, size_t n)
{
	(void)from, (void)n; /* there is one */
	size_t at = opt_open(w, OPT_CAPTIVE_PORTAL);
	wr_bytes(w, ra->captive_portal, strlen(ra->captive_portal));
	opt_close(w, at);
}

/* --- an advertisement in packets
 * -------------------------------------------------------------------------------------------- */

/* What is being written: a cursor each packet. */
struct packing {
	const struct nd_ra *ra;
	size_t max_bytes;
	struct nd_packets *to;
	struct wr w[ND_PACKETS_MAX];
	size_t pvd_at[ND_PACKETS_MAX]; /* where its provisioning domain begins */
};

/* Whether the options stand within the provisioning domain's. */
static bool within_pvd(const struct nd_ra *ra)
{
	return ra->pvd.fqdn && ra->pvd.only;
}

/* One more, with what all have. Whether there is room for that. */
static bool packet_open(struct packing *k)
{
	if (k->to->n == ND_PACKETS_MAX)
		return false;
	const struct nd_ra *ra = k->ra;
	struct wr *w = &k->w[k->to->n];
	*w = wr_of(k->to->packets[k->to->n].bytes, k->max_bytes);
	put_header(w, ra, within_pvd(ra) ? 0 : ra->router_lft_s);
	/* Of the link, whoever looks: outside of a domain, and before it. */
	if (ra->has_slla && k->to->n == 0)
		put_slla(w, ra, 0, 1);
	if (ra->mtu && k->to->n == 0)
		put_mtu(w, ra, 0, 1);
	if (ra->pvd.fqdn)
		k->pvd_at[k->to->n] = put_pvd(w, ra);
	k->to->n++;
	return !w->full;
}

/* The cursor as it was, where it is too much. */
static bool try_put(struct packing *k, size_t packet, size_t from, size_t n,
		    void (*put)(struct wr *w, const struct nd_ra *ra, size_t from, size_t n))
{
	const struct wr before = k->w[packet];
	put(&k->w[packet], k->ra, from, n);
	if (!k->w[packet].full)
		return true;
	k->w[packet] = before;
	return false;
}

/* As many of n, from the first on, as there is room for in the first packet that has some. How
 * many. */
static size_t place(struct packing *k, size_t from, size_t n,
		    void (*put)(struct wr *w, const struct nd_ra *ra, size_t from, size_t n))
{
	for (; n > 0; n--)
		for (size_t i = 0; i < k->to->n; i++)
			if (try_put(k, i, from, n, put))
				return n;
	return 0;
}

/* All n of a kind. */
static int pack(struct packing *k, size_t n,
		void (*put)(struct wr *w, const struct nd_ra *ra, size_t from, size_t n))
{
	for (size_t from = 0, done; from < n; from += done) {
		done = place(k, from, n - from, put);
		if (!done && packet_open(k))
			done = place(k, from, n - from, put);
		if (!done)
			return -EMSGSIZE;
	}
	return 0;
}

static bool encodable(const struct nd_ra *ra)
{
	if (ra->n_prefixes > ND_MAX_PREFIXES || ra->n_routes > ND_MAX_ROUTES ||
	    ra->n_rdnss > ND_MAX_RDNSS || ra->n_search > ND_MAX_SEARCH)
		return false;
	for (size_t i = 0; i < ra->n_prefixes; i++)
		if (ra->prefixes[i].prefix.plen > 128 ||
		    ra->prefixes[i].preferred_lft_s > ra->prefixes[i].valid_lft_s)
			return false;
	for (size_t i = 0; i < ra->n_routes; i++)
		if (ra->routes[i].prefix.plen > 128)
			return false;
	for (size_t i = 0; i < ra->n_search; i++)
		if (!dnsname_valid(ra->search[i]))
			return false;
	if (ra->pvd.fqdn && (!dnsname_valid(ra->pvd.fqdn) || ra->pvd.delay > PVD_DELAY_MAX))
		return false;
	return !ra->has_pref64 || pref64_code(ra->pref64.plen) >= 0;
}

int nd_build_ra(const struct nd_ra *ra, size_t max_bytes, struct nd_packets *ret_packets)
{
	if (!encodable(ra))
		return -EINVAL;
	struct packing k = {
		.ra = ra,
		.max_bytes = max_bytes < ND_PACKET_BYTES ? max_bytes : ND_PACKET_BYTES,
		.to = ret_packets,
	};
	ret_packets->n = 0;
	int r = packet_open(&k) ? 0 : -EMSGSIZE;
	if (r == 0)
		r = pack(&k, ra->n_prefixes, put_prefix);
	if (r == 0)
		r = pack(&k, ra->n_routes, put_route);
	if (r == 0)
		r = pack(&k, ra->n_rdnss, put_rdnss);
	if (r == 0)
		r = pack(&k, ra->n_search, put_dnssl);
	if (r == 0)
		r = pack(&k, ra->has_pref64, put_pref64);
	if (r == 0)
		r = pack(&k, ra->captive_portal != NULL, put_captive_portal);
	for (size_t i = 0; i < ret_packets->n; i++) {
		/* What followed the domain's own fields stands within it only where it is to. */
		if (within_pvd(ra))
			opt_close(&k.w[i], k.pvd_at[i]);
		ret_packets->packets[i].len = wr_len(&k.w[i]);
	}
	return r;
}

static void parse_prefix(struct rd b, struct nd_ra *ra)
{
	if (rd_left(&b) != 30 || ra->n_prefixes == ND_MAX_PREFIXES)
		return;
	struct nd_prefix_info p = { .prefix.plen = rd_u8(&b) };
	uint8_t flags = rd_u8(&b);
	p.on_link = flags & PIO_ON_LINK;
	p.autonomous = flags & PIO_AUTONOMOUS;
	p.router_address = flags & PIO_ROUTER_ADDRESS;
	p.dhcpv6_pd = flags & PIO_DHCPV6_PD;
	p.valid_lft_s = rd_be32(&b);
	p.preferred_lft_s = rd_be32(&b);
	(void)rd_be32(&b); /* reserved */
	p.prefix.addr = rd_in6(&b);
	/* RFC 4862 §5.5.3: an option that contradicts itself is ignored. */
	if (p.prefix.plen > 128 || p.preferred_lft_s > p.valid_lft_s)
		return;
	if (!p.router_address)
		p.prefix = prefix6_masked(&p.prefix);
	ra->prefixes[ra->n_prefixes++] = p;
}

static void parse_route(struct rd b, struct nd_ra *ra)
{
	struct nd_route_info route = { .prefix.plen = rd_u8(&b) };
	uint8_t flags = rd_u8(&b);
	route.lft_s = rd_be32(&b);
	size_t prefix_len = rd_left(&b);
	/* RFC 4191 §2.3: the reserved preference, or a length that cannot hold the prefix, and the
	 * option is ignored. */
	if (ra->n_routes == ND_MAX_ROUTES || prefix_len > 16 ||
	    route.prefix.plen > prefix_len * 8 || (flags >> PREF_SHIFT & 3) == PREF_RESERVED)
		return;
	rd_bytes(&b, &route.prefix.addr, prefix_len);
	route.prefix = prefix6_masked(&route.prefix);
	route.preference = preference_of(flags);
	ra->routes[ra->n_routes++] = route;
}

static void parse_rdnss(struct rd b, struct nd_ra *ra)
{
	(void)rd_be16(&b); /* reserved */
	uint32_t lft_s = rd_be32(&b);
	if (rd_left(&b) == 0 || rd_left(&b) % sizeof(struct in6_addr) != 0)
		return;
	while (rd_left(&b) > 0 && ra->n_rdnss < ND_MAX_RDNSS) {
		ra->rdnss[ra->n_rdnss++] = rd_in6(&b);
		ra->rdnss_lft_s = lft_s;
	}
}

static void parse_pref64(struct rd b, struct nd_ra *ra)
{
	if (rd_left(&b) != 14 || ra->has_pref64)
		return;
	uint16_t scaled = rd_be16(&b);
	struct prefix6 p = { .plen = pref64_plen(scaled & 7) };
	rd_bytes(&b, &p.addr, 12);
	if (p.plen == 0)
		return; /* RFC 8781 §4: an unknown length code */
	ra->has_pref64 = true;
	ra->pref64 = prefix6_masked(&p);
	ra->pref64_lft_s =
		scaled & 0xfff8; /* thirteen bits of units of 8 s are the seconds themselves */
}

static void parse_ra_option(uint8_t type, struct rd body, struct nd_ra *ra)
{
	switch (type) {
	case OPT_SLLA:
		ra->has_slla |= parse_slla(body, ra->slla);
		break;
	case OPT_MTU:
		if (rd_left(&body) == 6) {
			(void)rd_be16(&body); /* reserved */
			ra->mtu = rd_be32(&body);
		}
		break;
	case OPT_PREFIX:
		parse_prefix(body, ra);
		break;
	case OPT_ROUTE:
		parse_route(body, ra);
		break;
	case OPT_RDNSS:
		parse_rdnss(body, ra);
		break;
	case OPT_PREF64:
		parse_pref64(body, ra);
		break;
	default:
		break;
	}
}

enum nd_verdict nd_parse_ra(struct rd packet, const struct pkt_meta *meta, struct nd_ra *ret_ra)
{
	struct nd_ra ra = { 0 };
	enum nd_verdict v = parse_header(&packet, ND_RA, meta);
	if (v != ND_OK)
		return v;
	if (!IN6_IS_ADDR_LINKLOCAL(&meta->src))
		return ND_NOT_LINK_LOCAL;
	ra.cur_hop_limit = rd_u8(&packet);
	uint8_t flags = rd_u8(&packet);
	ra.router_lft_s = rd_be16(&packet);
	ra.reachable_time_ms = rd_be32(&packet);
	ra.retrans_timer_ms = rd_be32(&packet);
	if (packet.bad)
		return ND_TRUNCATED;
	ra.managed = flags & RA_MANAGED;
	ra.other = flags & RA_OTHER;
	ra.preference = ra.router_lft_s > 0 ? preference_of(flags) : ND_PREF_MEDIUM;
	uint8_t type;
	struct rd body;
	while (opt_next(&packet, &type, &body))
		parse_ra_option(type, body, &ra);
	if (packet.bad)
		return ND_BAD_OPTION;
	*ret_ra = ra;
	return ND_OK;
}
