/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_table.h"

#include "base/cleanup.h"
#include "daemon/config_options.h"
#include "daemon/config_ra.h"
#include "wire/dnsname.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	MTU_MIN = 1280,
	MTU_MAX = 9000,
	RA_LIFETIME_MAX_S = 65535,
	CLIENT_LIMIT_MAX =
		4096, /* all of one client lie side by side in its index, and are looked through */
	DHCPV6_RATE_MAX = 1000000,
	UPLINK_TIME_MAX_S = 3600,
	VLAN_ID_MAX = 4094,
	INTERVAL_MAX_S = 65535,     /* RFC 8319 §4 */
	REACHABLE_MAX_MS = 3600000, /* RFC 4861 §6.2.1 */
	PVD_DELAY_MAX = 15,
};

static int suffix(const char *v, struct config *c, struct why *why)
{
	size_t n = strlen(v);
	char name[IFNAMSIZ];
	if (n == 0 || n > CONFIG_SUFFIX_MAX)
		return value_fault(why,
				   "'%.40s' has %zu characters; it can have 1 to %d, for the "
				   "tunnel is called wg-<suffix>",
				   v, n, CONFIG_SUFFIX_MAX);
	if (value_interface(v, name, why) < 0)
		return -EINVAL;
	memcpy(c->suffix, v, n + 1);
	snprintf(c->tunnel, sizeof c->tunnel, "wg-%.12s", v);
	return 0;
}

static int private_key(const char *v, struct config *c, struct why *why)
{
	return value_key(v, c->wg_private_key, why);
}

static int peer(const char *v, struct config *c, struct why *why)
{
	return value_key(v, c->wg_peer, why);
}

static int preshared_key(const char *v, struct config *c, struct why *why)
{
	int r = value_key(v, c->wg_preshared_key, why);
	c->has_preshared_key = r == 0;
	return r;
}

static int address(const char *v, struct config *c, struct why *why)
{
	struct prefix6 p;
	if (value_prefix(v, 128, false, &p, why) < 0)
		return -EINVAL;
	if (p.plen == 0)
		return value_fault(why, "'%.60s': a length of 0 would put everybody on our link",
				   v);
	const struct prefix6 host = { p.addr, 128 };
	int r = value_routable(&host, v, why);
	if (r == 0)
		c->wg_address = p;
	return r;
}

static int assigned(const char *v, struct config *c, struct why *why)
{
	struct prefix6 p;
	if (value_assigned(v, &p, why) < 0 || value_routable(&p, v, why) < 0)
		return -EINVAL;
	if (p.plen > 64)
		return value_fault(
			why, "'%.60s' is longer than /64: there is no room for a transfer network",
			v);
	c->assigned = p;
	return 0;
}

static int subscriber(const char *v, struct config *c, struct why *why)
{
	return value_interface(v, c->subscriber, why);
}

static int pd_prefix(const char *v, struct config *c, struct why *why)
{
	struct prefix6 p;
	if (value_prefix(v, -1, true, &p, why) < 0 || value_routable(&p, v, why) < 0)
		return -EINVAL;
	c->pd_pool = p;
	return 0;
}

static int length(const char *v, uint8_t *ret_length, struct why *why)
{
	uint32_t n;
	int r = value_u32(v, 1, 64, &n, why);
	if (r == 0)
		*ret_length = (uint8_t)n;
	return r;
}

static int pd_length(const char *v, struct config *c, struct why *why)
{
	return length(v, &c->pd_len, why);
}

static int pd_min_length(const char *v, struct config *c, struct why *why)
{
	return length(v, &c->pd_min_len, why);
}

static int pd_max_length(const char *v, struct config *c, struct why *why)
{
	return length(v, &c->pd_max_len, why);
}

static int mtu(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, MTU_MIN, MTU_MAX, &c->wg_mtu, why);
}

static int u16(const char *v, uint32_t min, uint32_t max, uint16_t *ret_value, struct why *why)
{
	uint32_t n;
	int r = value_u32(v, min, max, &n, why);
	if (r == 0)
		*ret_value = (uint16_t)n;
	return r;
}

static int keepalive(const char *v, struct config *c, struct why *why)
{
	return u16(v, 0, UINT16_MAX, &c->wg_keepalive_s, why);
}

static int listen_port(const char *v, struct config *c, struct why *why)
{
	return u16(v, 1, UINT16_MAX, &c->wg_listen_port, why);
}

static int backend(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "auto", "kernel", "userspace", "none", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->backend = (enum wg_backend)i;
	return r;
}

static int valid_lifetime(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 1, UINT32_MAX, &c->valid_lft_s, why);
}

static int preferred_lifetime(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 1, UINT32_MAX, &c->preferred_lft_s, why);
}

/* Those that are on or off. */
#define FLAG(reader, member)                                                                       \
	static int reader(const char *v, struct config *c, struct why *why)                        \
	{                                                                                          \
		return value_flag(v, &c->member, why);                                             \
	}
FLAG(ia_na, ia_na)
FLAG(rapid_commit, rapid_commit)
FLAG(reconfigure, reconfigure)
FLAG(ra_managed, ra_managed)
FLAG(ra_other, ra_other)
FLAG(ra_deprecate, ra_deprecate_on_stop)
FLAG(ra_source_lladdr, ra_source_lladdr)
FLAG(ra_on_link, ra_on_link)
FLAG(ra_autonomous, ra_autonomous)
FLAG(ra_pd_preferred, ra_pd_preferred)
FLAG(ra_pvd_http, pvd_http)
FLAG(ra_pvd_legacy, pvd_legacy)
FLAG(ra_pvd_only, pvd_only)
FLAG(isolation, isolation)
#undef FLAG

static int client_limit(const char *v, struct config *c, struct why *why)
{
	int r = value_u32(v, 0, CLIENT_LIMIT_MAX, &c->client_limit, why);
	if (r == 0 && c->client_limit == 0)
		c->client_limit = CLIENT_LIMIT_MAX;
	return r;
}

static int station_limit(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 0, D6_MAX_STATION_LIMIT, &c->station_limit, why);
}

static int dhcp6_rate(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 0, DHCPV6_RATE_MAX, &c->dhcp6_rate, why);
}

/* Looked at line by line once the prefixes are known that they must fit to. */
static int reservations(const char *v, struct config *c, struct why *why)
{
	size_t n = strlen(v);
	if (n >= sizeof c->reservations)
		return value_fault(why,
				   "has %zu bytes, of at most %zu. Put them into the file "
				   "reservations in STATE_DIR",
				   n, sizeof c->reservations - 1);
	memcpy(c->reservations, v, n + 1);
	return 0;
}

static int nameservers(const char *v, struct config *c, struct why *why)
{
	return value_servers(v, true, CONFIG_MAX_NAMESERVERS, c->nameservers, &c->n_nameservers,
			     why);
}

static int dns_upstream(const char *v, struct config *c, struct why *why)
{
	return value_servers(v, false, CONFIG_MAX_NAMESERVERS, c->dns_upstream, &c->n_dns_upstream,
			     why);
}

static int dns_zone(const char *v, struct config *c, struct why *why)
{
	size_t n = strlen(v);
	n -= n > 0 && v[n - 1] == '.';
	if (!dnsname_valid(v))
		return value_fault(why, "'%.60s' is no domain name", v);
	if (n > CONFIG_ZONE_MAX)
		return value_fault(why,
				   "has %zu characters; it can have %d, for names stand before it",
				   n, CONFIG_ZONE_MAX);
	for (size_t i = 0; i < n; i++)
		c->dns_zone[i] = (char)tolower((unsigned char)v[i]);
	c->dns_zone[n] = '\0';
	return 0;
}

static int ra_min(const char *v, struct config *c, struct why *why)
{
	return u16(v, 3, INTERVAL_MAX_S, &c->ra_min_interval_s, why);
}

static int ra_max(const char *v, struct config *c, struct why *why)
{
	return u16(v, 4, INTERVAL_MAX_S, &c->ra_max_interval_s, why);
}

static int ra_lifetime(const char *v, struct config *c, struct why *why)
{
	return u16(v, 0, RA_LIFETIME_MAX_S, &c->ra_lifetime_s, why);
}

static int ra_preference(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "low", "medium", "high", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->ra_preference = (enum nd_preference)((int)i - 1);
	return r;
}

static int uplink_loss(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "withdraw", "lifetime", "hold", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->uplink_loss = (enum ra_uplink_loss)i;
	return r;
}

static int uplink_loss_delay(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 0, UPLINK_TIME_MAX_S, &c->uplink_loss_delay_s, why);
}

static int uplink_probe(const char *v, struct config *c, struct why *why)
{
	struct in6_addr a;
	if (value_addr6(v, &a, why) < 0)
		return -EINVAL;
	const struct prefix6 host = { a, 128 };
	int r = value_routable(&host, v, why);
	if (r == 0) {
		c->uplink_probe = a;
		c->has_uplink_probe = true;
	}
	return r;
}

static int uplink_probe_interval(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 1, UPLINK_TIME_MAX_S, &c->uplink_probe_interval_s, why);
}

static int u8(const char *v, uint8_t max, uint8_t *ret_value, struct why *why)
{
	uint32_t n;
	int r = value_u32(v, 0, max, &n, why);
	if (r == 0)
		*ret_value = (uint8_t)n;
	return r;
}

static int ra_hop_limit(const char *v, struct config *c, struct why *why)
{
	return u8(v, UINT8_MAX, &c->ra_hop_limit, why);
}

static int ra_reachable(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 0, REACHABLE_MAX_MS, &c->ra_reachable_ms, why);
}

static int ra_retrans(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 0, UINT32_MAX, &c->ra_retrans_ms, why);
}

static int ra_mtu(const char *v, struct config *c, struct why *why)
{
	if (strcmp(v, "0") == 0) {
		c->ra_mtu = 0;
		return 0;
	}
	return value_u32(v, MTU_MIN, MTU_MAX, &c->ra_mtu, why);
}

static int ra_dns_lifetime(const char *v, struct config *c, struct why *why)
{
	return value_u32(v, 1, UINT32_MAX, &c->ra_dns_lifetime_s, why);
}

static int ra_pvd_delay(const char *v, struct config *c, struct why *why)
{
	return u8(v, PVD_DELAY_MAX, &c->pvd_delay, why);
}

static int ra_pvd_sequence(const char *v, struct config *c, struct why *why)
{
	c->has_pvd_sequence = true;
	return u16(v, 0, UINT16_MAX, &c->pvd_sequence, why);
}

static int mode(const char *v, struct config *c, struct why *why)
{
	/* The last is for the fault's text: whoever has an identifier never gets there. */
	static const char *const words[] = {
		"auto", "move", "local", "macvlan", "vlan:<id>", NULL
	};
	size_t i;
	if (strncmp(v, "vlan:", 5) == 0) {
		uint32_t id;
		if (value_u32(v + 5, 1, VLAN_ID_MAX, &id, why) < 0)
			return -EINVAL;
		c->subscriber_mode = SUBSCRIBER_VLAN;
		c->vlan_id = (uint16_t)id;
		return 0;
	}
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->subscriber_mode = (enum subscriber_mode)i;
	return r;
}

static int link_local(const char *v, struct config *c, struct why *why)
{
	struct in6_addr a;
	if (value_addr6(v, &a, why) < 0)
		return -EINVAL;
	/* RFC 4291 §2.5.6: 54 zeros follow fe80::/10; §2.6.1: identifier 0 is every router's. */
	const struct prefix6 link = { { .s6_addr = { 0xfe, 0x80 } }, 64 };
	if (!prefix6_has_addr(&link, &a))
		return value_fault(why, "'%.60s' is not link-local (fe80::/64), as fe80::1 is", v);
	if (IN6_ARE_ADDR_EQUAL(&a, &link.addr))
		return value_fault(why,
				   "'%.60s' is the anycast address of all routers on a link. One "
				   "of our own is wanted, fe80::1 for example",
				   v);
	c->link_local = a;
	return 0;
}

static int source_filter(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "drop", "reject", "count", "off", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->source_filter = (enum source_filter)i;
	return r;
}

static int host_netns(const char *v, struct config *c, struct why *why)
{
	c->host_netns_given = true;
	return value_path(v, c->host_netns, why);
}

static int state_dir(const char *v, struct config *c, struct why *why)
{
	return value_path(v, c->state_dir, why);
}

static int metrics_listen(const char *v, struct config *c, struct why *why)
{
	return value_listen(v, &c->metrics, why);
}

static int log_level(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "error", "warning", "info", "debug", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->log_level = (enum log_level)i;
	return r;
}

static int log_format(const char *v, struct config *c, struct why *why)
{
	static const char *const words[] = { "text", "json", NULL };
	size_t i;
	int r = value_word(v, words, &i, why);
	if (r == 0)
		c->log_format = (enum log_format)i;
	return r;
}

static int debug(const char *v, struct config *c, struct why *why)
{
	bool on;
	int r = value_flag(v, &on, why);
	if (r == 0 && on)
		c->log_level = LOG_DEBUG;
	return r;
}

static int option_pattern(const char *v, struct config *c, struct why *why)
{
	(void)v;
	(void)c;
	return value_fault(why, "<code> stands for the option's number");
}

/* Read by config_read() itself, before the others. */
static int elsewhere(const char *v, struct config *c, struct why *why)
{
	(void)v;
	(void)c;
	(void)why;
	return 0;
}

const struct config_variable config_variables[] = {
	{ "WIREGUARD_INTERFACE_SUFFIX", CONFIG_REQUIRED, "provider1", NULL,
	  "the tunnel is called `wg-<suffix>` inside the container (at most 12 characters); also "
	  "the instance's name in logs",
	  suffix, false, CONFIG_PLAIN },
	{ "WIREGUARD_PRIVATE_KEY", CONFIG_REQUIRED, "YNqHbfBQKaGvzefSSbpt1vkiOuSs5fCjMQCHs8Nxs2I=",
	  NULL, "our private key, base64", private_key, true, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_PEER", CONFIG_REQUIRED, "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", NULL,
	  "the provider's public key", peer, false, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_ADDRESS", CONFIG_REQUIRED, "2001:db8::2/64", NULL,
	  "our address inside the tunnel; /128 where no length is given", address, false,
	  CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_ENDPOINT", CONFIG_REQUIRED, "192.0.2.42:51820", NULL,
	  "the provider's endpoint: IPv4, [IPv6], [link-local%NIC] or a domain name, with port",
	  value_endpoint, false, CONFIG_FOR_TUNNEL },
	{ "ASSIGNED_PREFIX", CONFIG_REQUIRED, "2001:db8:ffff::/48", NULL,
	  "the prefix that the provider routes to us; /48 where no length is given", assigned,
	  false, CONFIG_PLAIN },
	{ "SUBSCRIBER_INTERFACE", CONFIG_REQUIRED, "enp2s0", NULL,
	  "the NIC on the host to which the subscribers are connected", subscriber, false,
	  CONFIG_PLAIN },

	{ "TRANSFER_PREFIX", CONFIG_DERIVED, "2001:db8:ffff::/64",
	  "the first /64 of ASSIGNED_PREFIX",
	  "the network between us and the CPEs; we are `::1` in it. Several, comma separated: "
	  "addresses are handed out from the first",
	  ra_transfers, false, CONFIG_PLAIN },
	{ "DHCPV6_PD_PREFIX", CONFIG_DERIVED, "2001:db8:ffff:8000::/49",
	  "the upper half of ASSIGNED_PREFIX", "the pool from which prefixes are delegated",
	  pd_prefix, false, CONFIG_PLAIN },
	{ "DHCPV6_PD_DELEGATION_LENGTH", CONFIG_DERIVED, "56",
	  "56 (60 or 64 where the pool is too small for it)", "length of a delegated prefix",
	  pd_length, false, CONFIG_PLAIN },
	{ "DHCPV6_PD_MIN_LENGTH", CONFIG_DERIVED, "52", "DHCPV6_PD_DELEGATION_LENGTH",
	  "the shortest prefix that a client gets whose hint asks for one (the biggest network)",
	  pd_min_length, false, CONFIG_PLAIN },
	{ "DHCPV6_PD_MAX_LENGTH", CONFIG_DERIVED, "64", "DHCPV6_PD_DELEGATION_LENGTH",
	  "the longest; where it differs from the shortest, the pool can have 2^24 prefixes of "
	  "this length at most",
	  pd_max_length, false, CONFIG_PLAIN },

	{ "WIREGUARD_PRESHARED_KEY", CONFIG_OPTIONAL,
	  "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=", "none", "base64", preshared_key, true,
	  CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_MTU", CONFIG_OPTIONAL, "1420", "1420",
	  "the tunnel's MTU, advertised to subscribers, and what TCP's MSS is clamped to", mtu,
	  false, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_KEEPALIVE", CONFIG_OPTIONAL, "25", "25", "seconds, 0 for none", keepalive,
	  false, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_ALLOWED_IPS", CONFIG_OPTIONAL, "::/0", "::/0",
	  "what is routed into the tunnel, comma separated", value_allowed_ips, false,
	  CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_LISTEN_PORT", CONFIG_OPTIONAL, "51820", "chosen by the kernel",
	  "our UDP port on the host", listen_port, false, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_ENDPOINT_RESOLVER", CONFIG_OPTIONAL, "9.9.9.9,[2620:fe::fe]:53", "the host's",
	  "DNS servers, comma separated, that are asked for the endpoint's name in the host's "
	  "network (127.0.0.53 there is the host's)",
	  value_resolvers, false, CONFIG_FOR_TUNNEL },
	{ "WIREGUARD_BACKEND", CONFIG_OPTIONAL, "auto", "auto",
	  "`kernel`, `userspace` (wireguard-go), `auto`, or `none` for an access network without "
	  "an uplink",
	  backend, false, CONFIG_PLAIN },
	{ "WIREGUARD_CONFIG_FILE", CONFIG_OPTIONAL, "/run/secrets/provider.conf", "none",
	  "a wg-quick style .conf as providers hand them out; the variables win over what it says",
	  elsewhere, false, CONFIG_FOR_TUNNEL },
	{ "DHCPV6_VALID_LIFETIME", CONFIG_OPTIONAL, "14400", "14400",
	  "seconds, for DHCPv6 and for the advertised prefix", valid_lifetime, false,
	  CONFIG_PLAIN },
	{ "DHCPV6_PREFERRED_LIFETIME", CONFIG_OPTIONAL, "1800", "1800",
	  "seconds; T1 and T2 are 0.5 and 0.8 of it", preferred_lifetime, false, CONFIG_PLAIN },
	{ "DHCPV6_IA_NA", CONFIG_OPTIONAL, "on", "on",
	  "also hand out WAN addresses from the transfer network to those who ask", ia_na, false,
	  CONFIG_PLAIN },
	{ "DHCPV6_RAPID_COMMIT", CONFIG_OPTIONAL, "on", "on",
	  "two messages instead of four for those who ask", rapid_commit, false, CONFIG_PLAIN },
	{ "DHCPV6_CLIENT_LIMIT", CONFIG_OPTIONAL, "8", "8",
	  "prefixes and addresses that one client may hold; at most 4096, which 0 stands for, too",
	  client_limit, false, CONFIG_PLAIN },
	{ "DHCPV6_STATION_LIMIT", CONFIG_OPTIONAL, "64", "64",
	  "prefixes and addresses that one link-layer address may hold, under however many DUIDs; "
	  "a relay's clients together 64 times as many; 0 for no limit",
	  station_limit, false, CONFIG_PLAIN },
	{ "DHCPV6_RATE_LIMIT", CONFIG_OPTIONAL, "1000", "1000",
	  "DHCPv6 packets a second that the packet filter lets through from one link-layer "
	  "address, sixteen times as many from a relay; 0 for no limit",
	  dhcp6_rate, false, CONFIG_PLAIN },
	{ "DHCPV6_RECONFIGURE", CONFIG_OPTIONAL, "on", "on",
	  "tell clients that accept it to come back when what they were told has changed "
	  "(RECONFIGURE, RFC 9915 §18.3.11)",
	  reconfigure, false, CONFIG_PLAIN },
	{ "DHCPV6_RESERVATIONS", CONFIG_OPTIONAL,
	  "duid 00:03:00:01:02:00:5e:00:00:01 2001:db8:ffff:9900::/56", "none",
	  "prefixes and addresses set down for a `duid`, `mac` or `interface-id`, separated by `;` "
	  "or "
	  "lines; also one a line in the file `reservations` in STATE_DIR",
	  reservations, false, CONFIG_PLAIN },
	{ "DHCPV6_NAMESERVER", CONFIG_OPTIONAL, "2620:fe::fe", "our own resolver",
	  "DNS servers announced to subscribers (also as DHCPV6_PD_NAMESERVER), comma separated; "
	  "our own resolver, `::1` in TRANSFER_PREFIX, then runs only where it is among them or "
	  "DNS_ZONE is set",
	  nameservers, false, CONFIG_PLAIN },
	{ "DNS_UPSTREAM", CONFIG_OPTIONAL, "2620:fe::fe,2001:4860:4860::8888",
	  "2620:fe::fe,2001:4860:4860::8888",
	  "where our own resolver forwards, through the tunnel, comma separated; what is announced "
	  "where it cannot run",
	  dns_upstream, false, CONFIG_PLAIN },
	{ "DNS_SEARCH", CONFIG_OPTIONAL, "provider1.example", "none",
	  "search list, comma separated", value_search, false, CONFIG_PLAIN },
	{ "DNS_ZONE", CONFIG_OPTIONAL, "provider1.lab", "none",
	  "our own resolver gives subscribers' addresses names in this zone, from the client FQDN "
	  "option (RFC 4704), and has one itself, `router`",
	  dns_zone, false, CONFIG_PLAIN },
	{ "DHCPV6_NTP_SERVER", CONFIG_OPTIONAL, "2001:db8::123,ntp.provider1.example", "none",
	  "time sources for those who ask (RFC 5908), comma separated: addresses, multicast "
	  "groups, "
	  "names",
	  option_ntp, false, CONFIG_DHCP6 },
	{ "DHCPV6_SOL_MAX_RT", CONFIG_OPTIONAL, "3600", "none",
	  "seconds, 60 to 86400: the longest pause between a client's SOLICITs (RFC 9915 §21.24)",
	  option_sol_max_rt, false, CONFIG_DHCP6 },
	{ "DHCPV6_INF_MAX_RT", CONFIG_OPTIONAL, "3600", "none",
	  "the same for INFORMATION-REQUESTs (RFC 9915 §21.25)", option_inf_max_rt, false,
	  CONFIG_DHCP6 },
	{ "DHCPV6_INFORMATION_REFRESH_TIME", CONFIG_OPTIONAL, "86400", "none",
	  "seconds, 600 at least, after which clients without a binding ask again (RFC 9915 "
	  "§21.23)",
	  option_refresh_time, false, CONFIG_DHCP6 },
	{ "DHCPV6_AFTR_NAME", CONFIG_OPTIONAL, "aftr.provider1.example", "none",
	  "the other end of a DS-Lite tunnel (RFC 6334)", option_aftr, false, CONFIG_DHCP6 },
	{ "DHCPV6_CAPTIVE_PORTAL", CONFIG_OPTIONAL, "https://portal.provider1.example/api", "none",
	  "the portal's API (RFC 8910), or `urn:ietf:params:capport:unrestricted` for none",
	  option_captive_portal, false, CONFIG_DHCP6 },
	{ "DHCPV6_S46_MAPE", CONFIG_OPTIONAL,
	  "br=2001:db8::1 rule=2001:db8:4000::/40,192.0.2.0/24,ea=16", "none",
	  "MAP-E (RFC 7598): one or more `br=ADDRESS`, one or more "
	  "`rule=PREFIX,IPV4/"
	  "LENGTH,ea=BITS[,fmr][,psid-offset=BITS][,psid-len=BITS][,psid=NUMBER]`, "
	  "blanks between",
	  option_s46_mape, false, CONFIG_DHCP6 },
	{ "DHCPV6_S46_MAPT", CONFIG_OPTIONAL,
	  "dmr=64:ff9b::/96 rule=2001:db8:4000::/40,192.0.2.0/24,ea=16", "none",
	  "MAP-T (RFC 7598): `dmr=PREFIX` and rules as above", option_s46_mapt, false,
	  CONFIG_DHCP6 },
	{ "DHCPV6_S46_LW4O6", CONFIG_OPTIONAL, "br=2001:db8::1", "none",
	  "lightweight 4over6 (RFC 7598): one or more `br=ADDRESS`, and at most one "
	  "`bind=IPV4,PREFIX[,psid-offset=BITS][,psid-len=BITS][,psid=NUMBER]`",
	  option_s46_lw4o6, false, CONFIG_DHCP6 },
	{ "DHCPV6_PD_EXCLUDE", CONFIG_OPTIONAL, "0/64", "none",
	  "what clients that ask for it leave out of their delegated prefix (RFC 6603), as "
	  "NUMBER/LENGTH: 0/64 is the first /64 in it, 255/64 (or 0xff/64) the last of a /56",
	  option_pd_exclude, false, CONFIG_PLAIN },
	{ "DHCPV6_OPTION_<code>", CONFIG_OPTIONAL, "0a0b0c", "none",
	  "any other option for those who ask, by its number, as hex", option_pattern, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_MIN_INTERVAL", CONFIG_OPTIONAL, "200",
	  "200 (or a third of the longest)", "seconds (RFC 4861)", ra_min, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_MAX_INTERVAL", CONFIG_OPTIONAL, "600", "600",
	  "seconds, 4 to 65535 (RFC 8319)", ra_max, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_LIFETIME", CONFIG_OPTIONAL, "1800",
	  "1800 (or three times the longest interval)",
	  "seconds that we are a default router, 0 for not at all", ra_lifetime, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PREFERENCE", CONFIG_OPTIONAL, "medium", "medium",
	  "as a default router: `low`, `medium`, `high` (RFC 4191)", ra_preference, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_MANAGED", CONFIG_OPTIONAL, "off", "off", "the M flag", ra_managed,
	  false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_OTHER", CONFIG_OPTIONAL, "on", "on", "the O flag", ra_other, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_DEPRECATE_ON_STOP", CONFIG_OPTIONAL, "on", "on",
	  "the farewell also deprecates the prefix (not wanted where another router serves the "
	  "same)",
	  ra_deprecate, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_HOP_LIMIT", CONFIG_OPTIONAL, "64", "64",
	  "the hop limit that hosts begin with, 0 to leave it to them", ra_hop_limit, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_REACHABLE_TIME", CONFIG_OPTIONAL, "30000", "0",
	  "milliseconds that hosts take a neighbour for reachable, at most 3600000; 0 to leave it "
	  "to them",
	  ra_reachable, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_RETRANS_TIMER", CONFIG_OPTIONAL, "1000", "0",
	  "milliseconds between their neighbour solicitations, 0 to leave it to them", ra_retrans,
	  false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_SOURCE_LINK_LAYER", CONFIG_OPTIONAL, "on", "on",
	  "our link-layer address stands in the advertisement; off where several share the load "
	  "(RFC 4861 §6.2.1)",
	  ra_source_lladdr, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_MTU", CONFIG_OPTIONAL, "1420", "WIREGUARD_MTU",
	  "the MTU that hosts are to keep to, 0 to say none; never more than the NIC's", ra_mtu,
	  false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_ON_LINK", CONFIG_OPTIONAL, "on", "on",
	  "the L flag of the transfer networks; off: subscribers reach each other through us alone",
	  ra_on_link, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_AUTONOMOUS", CONFIG_OPTIONAL, "on", "on",
	  "their A flag: hosts form addresses in them (SLAAC)", ra_autonomous, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PD_PREFERRED", CONFIG_OPTIONAL, "off", "off",
	  "the P flag (RFC 9762): hosts are to ask for a prefix each rather than to form addresses",
	  ra_pd_preferred, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PREFIXES", CONFIG_OPTIONAL,
	  "2001:db8:ffff::/64,on-link=off,preferred=900 2001:db8:ffff:8000::/49,pd-preferred=on",
	  "none",
	  "what differs for single prefixes, blanks between them: PREFIX and any of `on-link=`, "
	  "`autonomous=`, `router-address=` (RFC 6275), `pd-preferred=` (`on` or `off`), `valid=`, "
	  "`preferred=` (seconds). Those that are not in TRANSFER_PREFIX are advertised besides, "
	  "neither on-link nor autonomous",
	  ra_prefixes, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_ROUTES", CONFIG_OPTIONAL, "2001:db8:1::/48@high", "none",
	  "more-specific routes (RFC 4191): prefix[@preference[@seconds]], comma separated; they "
	  "last as long as the router unless seconds are given",
	  ra_routes, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_DNS_LIFETIME", CONFIG_OPTIONAL, "1800",
	  "three times the longest interval",
	  "seconds that name servers and search list last (RFC 8106), 4294967295 for ever",
	  ra_dns_lifetime, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PREF64", CONFIG_OPTIONAL, "64:ff9b::/96", "none",
	  "NAT64 prefix (RFC 8781)", value_pref64, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD", CONFIG_OPTIONAL, "provider1.example", "none",
	  "the provisioning domain's name (RFC 8801), by which hosts tell several providers apart",
	  ra_pvd, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD_HTTP", CONFIG_OPTIONAL, "on", "off",
	  "the H flag: `https://NAME/.well-known/pvd` tells more of it", ra_pvd_http, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD_LEGACY", CONFIG_OPTIONAL, "on", "off",
	  "the L flag: what DHCPv4 hands out on this link belongs to it", ra_pvd_legacy, false,
	  CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD_ONLY", CONFIG_OPTIONAL, "on", "off",
	  "the R flag: everything stands within the domain, so that hosts that do not know of "
	  "domains take neither router nor prefix from us",
	  ra_pvd_only, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD_DELAY", CONFIG_OPTIONAL, "5", "0",
	  "0 to 15: hosts spread their looks at what is told there over 2^(2 * this) milliseconds",
	  ra_pvd_delay, false, CONFIG_PLAIN },
	{ "ROUTER_ADVERTISEMENT_PVD_SEQUENCE", CONFIG_OPTIONAL, "7",
	  "grows whenever what is advertised changes",
	  "0 to 65535: its sequence number, at whose growth hosts look again", ra_pvd_sequence,
	  false, CONFIG_PLAIN },
	{ "UPLINK_LOSS", CONFIG_OPTIONAL, "withdraw", "withdraw",
	  "what subscribers see while the uplink is lost: `withdraw` (no default router any more, "
	  "prefixes deprecated), `lifetime` (no default router, prefixes left alone) or `hold` "
	  "(nothing)",
	  uplink_loss, false, CONFIG_FOR_TUNNEL },
	{ "UPLINK_LOSS_DELAY", CONFIG_OPTIONAL, "3", "3",
	  "seconds that the uplink must not work before it is lost; 15 at the least before its "
	  "first handshake",
	  uplink_loss_delay, false, CONFIG_FOR_TUNNEL },
	{ "UPLINK_PROBE", CONFIG_OPTIONAL, "2001:db8::1", "none",
	  "an IPv6 address pinged through the tunnel, which tells whether it works; without it "
	  "handshakes and unanswered traffic tell",
	  uplink_probe, false, CONFIG_FOR_TUNNEL },
	{ "UPLINK_PROBE_INTERVAL", CONFIG_OPTIONAL, "5", "5",
	  "seconds between two echo requests; one each second while there is doubt",
	  uplink_probe_interval, false, CONFIG_FOR_TUNNEL },
	{ "SUBSCRIBER_MODE", CONFIG_OPTIONAL, "auto", "auto",
	  "`move` the NIC from the host; `local` when it is already in our namespace; `macvlan` or "
	  "`vlan:<id>` on top of it, leaving it to the host and to other instances; `auto` is "
	  "`move`, or `local` where the host has none of that name and we have",
	  mode, false, CONFIG_PLAIN },
	{ "SUBSCRIBER_LINK_LOCAL", CONFIG_OPTIONAL, "fe80::1", "fe80::1",
	  "ours on the link; another one is chosen, and logged, when somebody has it", link_local,
	  false, CONFIG_PLAIN },
	{ "SUBSCRIBER_ISOLATION", CONFIG_OPTIONAL, "off", "off",
	  "subscribers do not reach one another through us", isolation, false, CONFIG_PLAIN },
	{ "SOURCE_FILTER", CONFIG_OPTIONAL, "drop", "drop",
	  "what becomes of a subscriber's packet whose source is not its own (BCP 38): `drop`, "
	  "`reject` (ICMPv6 type 1 code 5), `count`, `off`",
	  source_filter, false, CONFIG_PLAIN },
	{ "HOST_NETNS", CONFIG_OPTIONAL, "/var/run/netns/host",
	  "/var/run/netns/host (or /var/run/netns/init, where only that is mounted)",
	  "where the host's network namespace is mounted", host_netns, false, CONFIG_PLAIN },
	{ "STATE_DIR", CONFIG_OPTIONAL, "/var/lib/vbng", "/var/lib/vbng",
	  "leases live here; without a volume as long as the container", state_dir, false,
	  CONFIG_PLAIN },
	{ "METRICS_LISTEN", CONFIG_OPTIONAL, "host:127.0.0.1:9547", "none",
	  "address:port where Prometheus finds `/metrics`, in the container's network namespace "
	  "or, "
	  "with `host:` before it, in the host's; IPv6 addresses in brackets, all addresses "
	  "without "
	  "one",
	  metrics_listen, false, CONFIG_PLAIN },
	{ "LOG_LEVEL", CONFIG_OPTIONAL, "info", "info", "`error`, `warning`, `info`, `debug`",
	  log_level, false, CONFIG_PLAIN },
	{ "LOG_FORMAT", CONFIG_OPTIONAL, "text", "text", "`text` or `json`", log_format, false,
	  CONFIG_PLAIN },
	{ "DEBUG", CONFIG_OPTIONAL, "1", "off", "DEBUG=1 is LOG_LEVEL=debug", debug, false,
	  CONFIG_PLAIN },
};
const size_t config_n_variables = ARRAY_LEN(config_variables);

const char *config_example_name(const struct config_variable *v)
{
	return strchr(v->name, '<') ? "DHCPV6_OPTION_242" : v->name;
}
