/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Neighbour discovery as a router needs it (RFC 4861): router solicitations in, router
 * advertisements out (and in, those of other routers). The ICMPv6 checksum is the kernel's.
 */
#pragma once

#include "base/buf.h"
#include "base/prefix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What came with a packet beside its bytes. Anything unknown is such that it is refused. */
struct pkt_meta {
	unsigned ifindex;
	struct in6_addr src;
	struct in6_addr dst;
	int hop_limit;      /* -1: unknown, which is refused */
	uint16_t src_port;  /* UDP only */
	uint8_t lladdr_len; /* the frame's source address; 0: unknown */
	uint8_t lladdr[8];
};

enum nd_verdict {
	ND_OK = 0,
	ND_TRUNCATED,
	ND_HOP_LIMIT,      /* not 255 (§6.1.1) */
	ND_CODE,           /* ICMP code not 0 */
	ND_BAD_OPTION,     /* an option of length 0 or over the end */
	ND_SLLA_UNSPEC,    /* from :: with a source link-layer address option */
	ND_NOT_LINK_LOCAL, /* an RA from an address that is not link-local (§6.1.2) */
	ND_UNKNOWN_TYPE,
};
const char *nd_verdict_name(enum nd_verdict v);

struct nd_rs {
	bool has_slla;
	uint8_t slla[6];
};
/* Validates by RFC 4861 §6.1.1. packet begins with the ICMPv6 header. */
enum nd_verdict nd_parse_rs(struct rd packet, const struct pkt_meta *meta, struct nd_rs *ret_rs);

enum { ND_MAX_PREFIXES = 16, ND_MAX_RDNSS = 8, ND_MAX_ROUTES = 16, ND_MAX_SEARCH = 8 };
#define ND_INFINITE 0xffffffffU

/* RFC 4191 §2.1, as the two bits say it */
enum nd_preference { ND_PREF_LOW = -1, ND_PREF_MEDIUM = 0, ND_PREF_HIGH = 1 };

struct nd_prefix_info {
	struct prefix6 prefix;
	bool on_link;        /* L */
	bool autonomous;     /* A */
	bool router_address; /* R (RFC 6275): the prefix field then holds the router's whole address
			      */
	bool dhcpv6_pd;      /* P (RFC 9762) */
	uint32_t valid_lft_s; /* ND_INFINITE: for ever */
	uint32_t preferred_lft_s;
};

struct nd_route_info {
	struct prefix6 prefix;
	enum nd_preference preference;
	uint32_t lft_s;
};

/* The provisioning domain that an advertisement is of (RFC 8801). */
struct nd_pvd {
	const char *fqdn; /* its name; NULL: none is told. Owned by whoever filled this in */
	bool http;        /* H: https://<fqdn>/.well-known/pvd tells more */
	bool legacy;      /* L: DHCPv4 on this link is of the same domain */
	bool only; /* R: those alone who know of domains take anything: all but what is the link's
		      own stands within the option, with a header of its own; the outer one is of
		      no router */
	uint8_t delay;     /* 0 to 15: what is told there is fetched within 2^(2 * delay) ms */
	uint16_t sequence; /* of what is told there (RFC 1982) */
};

/* A router advertisement, with everything that it may carry; what is zero or empty is left out. */
struct nd_ra {
	uint8_t cur_hop_limit;
	bool managed;
	bool other;
	enum nd_preference preference;
	uint16_t router_lft_s;
	uint32_t reachable_time_ms;
	uint32_t retrans_timer_ms;
	bool has_slla;
	uint8_t slla[6];
	uint32_t mtu; /* 0: no option */
	size_t n_prefixes;
	struct nd_prefix_info prefixes[ND_MAX_PREFIXES];
	size_t n_routes;
	struct nd_route_info routes[ND_MAX_ROUTES];
	size_t n_rdnss;
	uint32_t rdnss_lft_s;
	struct in6_addr rdnss[ND_MAX_RDNSS];
	size_t n_search; /* DNSSL, RFC 8106; names as text, no final dot; owned by whoever filled
			    this in */
	uint32_t dnssl_lft_s;
	const char *search[ND_MAX_SEARCH];
	bool has_pref64; /* RFC 8781 */
	struct prefix6 pref64;
	uint16_t pref64_lft_s;      /* rounded up to a multiple of 8 */
	const char *captive_portal; /* RFC 8910; NULL: none */
	struct nd_pvd pvd;
};

enum {
	ND_PACKETS_MAX = 8,     /* that one advertisement may take */
	ND_PACKET_BYTES = 1460, /* of each at most: Ethernet's 1500 less the IPv6 header */
};
struct nd_packets {
	size_t n;
	struct {
		size_t len;
		uint8_t bytes[ND_PACKET_BYTES]; /* from the ICMPv6 header on, its checksum zero */
	} packets[ND_PACKETS_MAX];
};
/*
 * The whole RA in as few packets of at most max_bytes (and ND_PACKET_BYTES) as hold it (RFC 4861
 * §6.2.3): each has the same header and provisioning domain and a part of the options. -EMSGSIZE
 * where there is an option that fits into none or they would be too many, -EINVAL where a value
 * can't be encoded; *ret_packets is then of no use.
 */
int nd_build_ra(const struct nd_ra *ra, size_t max_bytes, struct nd_packets *ret_packets);
/* Another router's RA, validated by §6.1.2; unknown options are skipped. Lists are cut at their
 * maxima; search, captive_portal and pvd are left empty. */
enum nd_verdict nd_parse_ra(struct rd packet, const struct pkt_meta *meta, struct nd_ra *ret_ra);
