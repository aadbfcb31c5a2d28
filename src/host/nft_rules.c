/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nft_rules.h"

#include "base/cleanup.h"
#include "host/nft_sets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The rules bind to two interfaces by their names, so that in a namespace that we share with others
 * nothing else is touched. There is no connection tracking: what subscribers forward must not cost
 * us memory. Every packet that is forwarded goes through what is written here: the cheapest match
 * comes first, and what an honest subscriber sends is told apart by the first lookup.
 */

/* Memory that senders can make the kernel take, and what one of them may have of what is shared. */
#define TALKERS_MAX "4096" /* in each of the sets of those that are metered */
#define TALKER_RATE "200/second burst 400 packets"
/* Of strangers in all. Each of these makes the kernel look for room among its neighbours, which
 * when there is none takes it long: up to a millisecond in which it does nothing else. */
#define SOLICIT_RATE  "1000/second burst 10000 packets" /* more than the server answers alone */
#define NEIGHBOR_RATE "500/second burst 1000 packets"
#define REPORTS_MAX   "1024"
#define REPORT_RATE   "10/second burst 20 packets"
#define REPORTS_RATE  "500/second burst 500 packets"
#define ECHO_RATE     "100/second burst 100 packets"

bool nft_quotable(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"\\*", name[i]))
			return false;
	return n > 0 && n < IFNAMSIZ;
}

const char *nft_prefixes_name(uint8_t plen, char buf[static NFT_SET_NAME_MAX])
{
	(void)snprintf(buf, NFT_SET_NAME_MAX, "prefixes_%u", plen); /* fits */
	return buf;
}

uint8_t nft_rules_shortest(const struct nft_rules *r)
{
	if (r->source == NFT_SOURCE_OFF)
		return 0;
	return r->assigned.plen ? r->assigned.plen : 1;
}

static void put_sets(const struct nft_rules *r, FILE *f)
{
	static const char *const metered[] = { "talkers", "strangers", "askers", "relays" };
	char name[NFT_SET_NAME_MAX];
	uint8_t shortest = nft_rules_shortest(r);
	for (enum nft_reason i = 0; i < NFT_REASONS; i++)
		fprintf(f, "	counter %s { }\n", nft_reason_name(i));
	/* These are there already, with what the server has put in (nft.c): of the same type. */
	fputs("	set " NFT_SET_STATIONS " { type ether_addr . ipv6_addr; }\n", f);
	if (shortest)
		fputs("	set " NFT_SET_ADDRESSES " { type ipv6_addr; }\n", f);
	for (uint8_t n = shortest; shortest && n <= NFT_LONGEST_PREFIX; n++)
		fprintf(f, "	set %s { type ether_addr . ipv6_addr; }\n",
			nft_prefixes_name(n, name));
	/* Of those that flood, so that others are not harmed; the least that is known of them. */
	for (size_t i = 0; i < ARRAY_LEN(metered); i++)
		fprintf(f,
			"	set %s { type ether_addr; size " TALKERS_MAX
			"; flags dynamic,timeout; timeout 10s; }\n",
			metered[i]);
	fputs("	set reported { type ether_addr; size " REPORTS_MAX
	      "; flags dynamic,timeout; timeout 1m; }\n",
	      f);
}

/* --- sources
 * -------------------------------------------------------------------------------------------------
 */

/* Who reads the reports answers to where the packet came from. The kernel's answer would go where
 * that source is: into the tunnel, or to whom it was taken from. */
static bool kernel_rejects(const struct nft_rules *r)
{
	return r->source == NFT_SOURCE_REJECT && !(r->log_group && r->ethernet);
}

static void put_wrong(const struct nft_rules *r, const char *chain, enum nft_reason reason, FILE *f)
{
	fprintf(f, "	chain %s {\n", chain);
	if (r->log_group)
		fprintf(f,
			"		%slimit rate " REPORTS_RATE
			" log prefix \"%s\" group %u snaplen %d\n",
			r->ethernet ? "update @reported { ether saddr limit rate " REPORT_RATE " } "
				    : "",
			chain, r->log_group, NFT_REPORT_BYTES);
	fprintf(f, "		counter name %s", nft_reason_name(reason));
	if (kernel_rejects(r))
		fputs(" reject with icmpv6 type policy-fail", f);
	else if (r->source != NFT_SOURCE_COUNT)
		fputs(" drop", f);
	fputs("\n	}\n", f);
}

/* How many of an address's bits count. */
static const char *mask(uint8_t plen, char buf[static INET6_ADDRSTRLEN])
{
	struct prefix6 all = { .plen = plen };
	memset(&all.addr, 0xff, sizeof all.addr);
	all = prefix6_masked(&all);
	return in6_format(&all.addr, buf);
}

static void put_lookup(const char *station, uint8_t plen, FILE *f)
{
	char bits[INET6_ADDRSTRLEN], set[NFT_SET_NAME_MAX];
	fprintf(f, "		%s . ip6 saddr & %s @%s return\n", station, mask(plen, bits),
		nft_prefixes_name(plen, set));
}

/* Returns where the source is the sender's. */
static void put_source(const struct nft_rules *r, FILE *f)
{
	char text[PREFIX6_STRLEN], addr[INET6_ADDRSTRLEN];
	uint8_t shortest = nft_rules_shortest(r);
	put_wrong(r, NFT_REPORT_FOREIGN, NFT_SOURCE_FOREIGN, f);
	put_wrong(r, NFT_REPORT_TAKEN, NFT_SOURCE_TAKEN, f);
	fputs("	chain source {\n", f);
	if (r->ethernet)
		put_lookup("ether saddr", r->usual_len, f);
	/* To us. Into the tunnel the kernel forwards none, and says so (RFC 4443 §3.1, code 2). */
	fputs("		ip6 saddr fe80::/10 return\n", f);
	if (r->ethernet)
		fputs("		ether saddr . ip6 saddr @" NFT_SET_STATIONS " return\n", f);
	for (size_t i = 0; i < r->n_transfers; i++)
		fprintf(f, "		ip6 saddr %s goto " NFT_REPORT_TAKEN "\n",
			in6_format(&r->own[i], addr));
	if (r->ethernet)
		fputs("		ip6 saddr @" NFT_SET_ADDRESSES " goto " NFT_REPORT_TAKEN "\n", f);
	for (size_t i = 0; i < r->n_transfers; i++)
		fprintf(f, "		ip6 saddr %s return\n",
			prefix6_format(&r->transfers[i], text));
	for (uint8_t n = NFT_LONGEST_PREFIX; r->ethernet && n >= shortest; n--) {
		if (n != r->usual_len)
			put_lookup("ether saddr", n, f);
		/* Of whom nobody knows the link-layer address. */
		put_lookup("ether saddr & 00:00:00:00:00:00", n, f);
	}
	/* No stations to be told apart: what is routed there may come from there. */
	if (!r->ethernet)
		fputs("		fib saddr . iif oif exists return\n", f);
	fprintf(f, "		ip6 saddr %s goto " NFT_REPORT_TAKEN "\n",
		prefix6_format(&r->assigned, text));
	fputs("		goto " NFT_REPORT_FOREIGN "\n	}\n", f);
}

/*
 * Where the packet leads nowhere, its hops are used up or it is too big, the kernel says so to its
 * source before it asks the chain of what is forwarded: to whomever a subscriber names. So sources
 * are looked at before that, but for what does not leave the link: neighbours are discovered with
 * any. Kernels before 5.9 do not reject there.
 */
static bool looks_early(const struct nft_rules *r)
{
	return r->source != NFT_SOURCE_OFF && !kernel_rejects(r);
}

static void put_early(const struct nft_rules *r, FILE *f)
{
	if (looks_early(r))
		fputs("	chain prerouting {\n"
		      "		type filter hook prerouting priority filter; policy accept;\n"
		      "		iifname $subscriber ip6 daddr != fe80::/10 ip6 daddr != ff00::/8"
		      " jump source\n"
		      "	}\n",
		      f);
}

/* Whatever has not been looked at. */
static const char *jump_source(const struct nft_rules *r)
{
	if (r->source == NFT_SOURCE_OFF)
		return "";
	return looks_early(r) ? "		ip6 daddr fe80::/10 jump source\n"
				"		ip6 daddr ff00::/8 jump source\n"
			      : "		meta nfproto ipv6 jump source\n";
}

/* --- forwarding
 * ---------------------------------------------------------------------------------------------- */

static void put_forward(const struct nft_rules *r, FILE *f)
{
	/* RFC 4291 §2.5.2, §2.5.6: where a packet leaves by where it came in, the kernel does not
	 * look at that, and the router's own address or a neighbour's is as good as any. */
	fputs("	chain from_subscriber {\n"
	      "		oifname $subscriber ip6 saddr { ::, fe80::/10 }"
	      " counter name source_foreign drop\n",
	      f);
	fputs(jump_source(r), f);
	/* RFC 8987 §4.2 R-3. nfproto stands there so that nft does not look for an EtherType in
	 * the frame. */
	if (r->ethernet)
		fputs("		oifname $subscriber meta nfproto ipv6 ether saddr . rt ip6 nexthop "
		      "@" NFT_SET_STATIONS
		      " counter name own_prefix reject with icmpv6 type reject-route\n",
		      f);
	if (r->isolate)
		fputs("		oifname $subscriber counter name isolated"
		      " reject with icmpv6 type admin-prohibited\n",
		      f);
	fputs("	}\n"
	      "	chain forward {\n"
	      "		type filter hook forward priority filter; policy accept;\n"
	      "		iifname $subscriber meta nfproto ipv6 jump from_subscriber\n",
	      f);
	/* Both ends of a connection learn what fits the tunnel, though neither may be told by a
	 * Packet Too Big that somebody filters. It only ever makes the segments smaller. */
	if (r->tunnel[0])
		fputs("		oifname $tunnel tcp flags & (syn | rst) == syn"
		      " tcp option maxseg size set rt mtu\n"
		      "		iifname $tunnel tcp flags & (syn | rst) == syn"
		      " tcp option maxseg size set rt mtu\n",
		      f);
	fputs("	}\n", f);
}

/* --- to us
 * ---------------------------------------------------------------------------------------------------
 */

static void put_open_service(const struct nft_rules *r, FILE *f)
{
	char text[INET6_ADDRSTRLEN];
	if (!r->open.family)
		return;
	fprintf(f, "		%s daddr %s tcp dport %u accept\n",
		r->open.family == AF_INET6 ? "ip6" : "ip",
		inet_ntop(r->open.family, &r->open.v6, text, sizeof text), r->open.tcp_port);
}

static bool is_paced(const struct nft_rules *r)
{
	return r->ethernet && r->dhcp6_rate;
}

/*
 * How much one station may ask of us. Those that hold something of ours are metered apart: nobody
 * who makes link-layer addresses up takes their places. He is somebody new each time, whom no meter
 * of his own stops: so strangers have a limit in all. A relay asks for many.
 */
static void put_pace(const struct nft_rules *r, FILE *f)
{
	const char *dropped = " counter name flood drop\n";
	if (!r->ethernet)
		return;
	fprintf(f,
		"	chain pace_strangers {\n"
		"		update @strangers { ether saddr limit rate over " TALKER_RATE " }%s"
		"		icmpv6 type nd-router-solicit limit rate over " SOLICIT_RATE
		" counter name flood_strangers drop\n"
		"		icmpv6 type nd-neighbor-solicit limit rate over " NEIGHBOR_RATE
		" counter name flood_strangers drop\n"
		"	}\n"
		"	chain pace_icmp {\n"
		"		ether saddr . ip6 saddr != @" NFT_SET_STATIONS
		" goto pace_strangers\n"
		"		update @talkers { ether saddr limit rate over " TALKER_RATE " }%s"
		"	}\n",
		dropped, dropped);
	if (!is_paced(r))
		return;
	fprintf(f,
		"	chain pace_relays {\n"
		"		update @relays { ether saddr limit rate over %" PRIu64
		"/second burst %" PRIu64 " packets } counter name flood_dhcpv6 drop\n"
		"	}\n"
		"	chain pace_dhcpv6 {\n"
		"		udp sport 547 goto pace_relays\n"
		"		update @askers { ether saddr limit rate over %" PRIu32
		"/second burst %" PRIu64 " packets } counter name flood_dhcpv6 drop\n"
		"	}\n",
		(uint64_t)r->dhcp6_rate * NFT_RELAY_RATES,
		UINT64_C(2) * r->dhcp6_rate * NFT_RELAY_RATES, r->dhcp6_rate,
		UINT64_C(2) * r->dhcp6_rate);
}

/*
 * RFC 4890 §4.4 has the types: what neighbour and multicast listener discovery need comes from
 * link-local addresses and from ::, the others from wherever a subscriber may send from. Router
 * advertisements are let in for whoever watches for other routers: the kernel does not listen to
 * them. Fragments but the first have no header to be judged by, and are nothing without the first.
 */
static void put_input_of_subscribers(const struct nft_rules *r, FILE *f)
{
	const char *jump = jump_source(r);
	put_pace(r, f);
	fputs("	chain subscriber_icmp {\n", f);
	if (r->ethernet)
		fputs("		jump pace_icmp\n", f);
	fprintf(f,
		"		icmpv6 type { nd-router-solicit, nd-router-advert, "
		"nd-neighbor-solicit,"
		" nd-neighbor-advert, ind-neighbor-solicit, ind-neighbor-advert,"
		" mld-listener-query, mld-listener-report, mld-listener-done,"
		" mld2-listener-report, 148, 149, 151, 152, 153 } accept\n"
		"%s"
		"		icmpv6 type { destination-unreachable, packet-too-big, "
		"time-exceeded,"
		" parameter-problem, echo-request, echo-reply } accept\n"
		"		counter name subscriber_service drop\n"
		"	}\n"
		"	chain subscriber_input {\n"
		"		meta nfproto ipv6 frag frag-off != 0 accept\n"
		"		meta l4proto 58 goto subscriber_icmp\n",
		jump);
	/* Clients have link-local addresses; what a relay sends is answered where it says to be.
	 * Protocols are numbers: the image has no /etc/protocols. */
	fprintf(f,
		"%s"
		"		ip6 saddr fe80::/10 udp dport 547 accept\n"
		"%s"
		"		meta nfproto ipv6 udp dport 547 accept\n",
		is_paced(r) ? "		meta nfproto ipv6 udp dport 547 jump pace_dhcpv6\n" : "",
		jump);
	fputs("		meta nfproto ipv6 meta l4proto { 6, 17 } th dport 53 accept\n", f);
	put_open_service(r, f);
	fputs("		counter name subscriber_service drop\n	}\n", f);
}

/* Answers to what our resolver and probes ask; ours are not the only ones who can say so, but there
 * is nothing else at those ports. */
static void put_input_of_tunnel(const struct nft_rules *r, FILE *f)
{
	fputs("	chain uplink_input {\n"
	      "		meta nfproto ipv6 frag frag-off != 0 accept\n"
	      "		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded,"
	      " parameter-problem, echo-reply } accept\n"
	      "		icmpv6 type echo-request limit rate " ECHO_RATE " accept\n"
	      "		udp sport 53 udp dport >= 1024 accept\n"
	      "		tcp sport 53 tcp dport >= 1024 tcp flags & (syn | ack) != syn accept\n",
	      f);
	put_open_service(r, f);
	fputs("		counter name uplink_service drop\n	}\n", f);
}

static void put_to_and_from_us(const struct nft_rules *r, FILE *f)
{
	put_input_of_subscribers(r, f);
	if (r->tunnel[0])
		put_input_of_tunnel(r, f);
	fputs("	chain input {\n"
	      "		type filter hook input priority filter; policy accept;\n"
	      "		iifname $subscriber goto subscriber_input\n",
	      f);
	if (r->tunnel[0])
		fputs("		iifname $tunnel goto uplink_input\n", f);
	/* The kernel has a Redirect on its way before it asks the chain of what is forwarded, which
	 * tells a subscriber that the better way to its own prefix is itself. And between
	 * subscribers a provider's edge is the only way: their ports may be isolated from one
	 * another. There is no sysctl for it. */
	fputs("	}\n"
	      "	chain output {\n"
	      "		type filter hook output priority filter; policy accept;\n"
	      "		oifname $subscriber icmpv6 type nd-redirect counter name redirects drop\n"
	      "	}\n",
	      f);
}

int nft_rules_write(const struct nft_rules *r, const char *table, char **ret_text)
{
	char *text = NULL;
	size_t len = 0;
	if (!nft_quotable(r->subscriber) || (r->tunnel[0] && !nft_quotable(r->tunnel)))
		return -EINVAL;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	fprintf(f, "define subscriber = \"%s\"\n", r->subscriber);
	if (r->tunnel[0])
		fprintf(f, "define tunnel = \"%s\"\n", r->tunnel);
	fprintf(f, "table inet %s {\n", table);
	put_sets(r, f);
	if (r->source != NFT_SOURCE_OFF)
		put_source(r, f);
	put_early(r, f);
	put_forward(r, f);
	put_to_and_from_us(r, f);
	fprintf(f, "}\ndelete chain inet %s " NFT_CHAIN_GATE "\n", table);
	bool failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}
