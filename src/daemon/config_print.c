/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "daemon/config.h"
#include "daemon/config_table.h"
#include "daemon/reservations_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static void print_addrs(const struct in6_addr *addrs, size_t n, FILE *out)
{
	char text[INET6_ADDRSTRLEN];
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", in6_format(&addrs[i], text));
	fputc('\n', out);
}

static void print_endpoint(const struct config *c, FILE *out)
{
	char host[INET6_ADDRSTRLEN];
	fprintf(out, "WIREGUARD_ENDPOINT=");
	if (c->wg_endpoint_name[0])
		fprintf(out, "%s", c->wg_endpoint_name);
	else if (c->wg_endpoint.sa.sa_family == AF_INET)
		fprintf(out, "%s",
			inet_ntop(AF_INET, &c->wg_endpoint.v4.sin_addr, host, sizeof host));
	else
		fprintf(out, "[%s%s%s]", in6_format(&c->wg_endpoint.v6.sin6_addr, host),
			c->wg_endpoint_zone[0] ? "%" : "", c->wg_endpoint_zone);
	fprintf(out, ":%u\n", c->wg_endpoint_port);
	for (size_t i = 0; i < c->n_resolvers; i++) {
		const struct dns_server_config *s = &c->resolvers[i];
		bool v6 = s->family == AF_INET6;
		fprintf(out, "%s%s%s%s:%u%s",
			i ? "," : "WIREGUARD_ENDPOINT_RESOLVER=", v6 ? "[" : "",
			inet_ntop(s->family, &s->v6, host, sizeof host), v6 ? "]" : "", s->port,
			i + 1 < c->n_resolvers ? "" : "\n");
	}
}

static void print_tunnel(const struct config *c, FILE *out)
{
	char text[PREFIX6_STRLEN], key[WGKEY_STRLEN], host[INET6_ADDRSTRLEN];
	fprintf(out, "WIREGUARD_PRIVATE_KEY=(secret)\n");
	wgkey_format(c->wg_public_key, key);
	fprintf(out, "# its public key, for the provider: %s\n", key);
	if (c->has_preshared_key)
		fprintf(out, "WIREGUARD_PRESHARED_KEY=(secret)\n");
	wgkey_format(c->wg_peer, key);
	fprintf(out, "WIREGUARD_PEER=%s\n", key);
	fprintf(out, "WIREGUARD_ADDRESS=%s\n", prefix6_format(&c->wg_address, text));
	print_endpoint(c, out);
	fprintf(out, "WIREGUARD_MTU=%u\nWIREGUARD_KEEPALIVE=%u\n", c->wg_mtu, c->wg_keepalive_s);
	fprintf(out, "WIREGUARD_ALLOWED_IPS=");
	for (size_t i = 0; i < c->n_allowed_ips; i++) {
		const struct ip_prefix *p = &c->allowed_ips[i];
		fprintf(out, "%s%s/%u", i ? "," : "",
			inet_ntop(p->family, &p->v6, host, sizeof host), p->plen);
	}
	fputc('\n', out);
	if (c->wg_listen_port)
		fprintf(out, "WIREGUARD_LISTEN_PORT=%u\n", c->wg_listen_port);
}

/* Each with all that it says, so that nobody has to derive anything. */
static void print_advertised_prefixes(const struct config *c, FILE *out)
{
	char text[PREFIX6_STRLEN];
	for (size_t i = 0; i < c->n_ra_prefixes; i++) {
		const struct nd_prefix_info *p = &c->ra_prefixes[i].info;
		const struct prefix6 prefix = prefix6_masked(&p->prefix);
		fprintf(out,
			"%s%s,on-link=%s,autonomous=%s,router-address=%s,pd-preferred=%s,valid=%u,"
			"preferred=%u",
			i ? " " : "ROUTER_ADVERTISEMENT_PREFIXES=", prefix6_format(&prefix, text),
			on_off(p->on_link), on_off(p->autonomous), on_off(p->router_address),
			on_off(p->dhcpv6_pd), p->valid_lft_s, p->preferred_lft_s);
	}
	fputc('\n', out);
}

static void print_pvd(const struct config *c, FILE *out)
{
	fprintf(out,
		"ROUTER_ADVERTISEMENT_PVD=%s\nROUTER_ADVERTISEMENT_PVD_HTTP=%s\nROUTER_"
		"ADVERTISEMENT_PVD_LEGACY=%s\nROUTER_ADVERTISEMENT_PVD_ONLY=%s\nROUTER_"
		"ADVERTISEMENT_PVD_DELAY=%u\n",
		c->pvd, on_off(c->pvd_http), on_off(c->pvd_legacy), on_off(c->pvd_only),
		c->pvd_delay);
	if (c->has_pvd_sequence)
		fprintf(out, "ROUTER_ADVERTISEMENT_PVD_SEQUENCE=%u\n", c->pvd_sequence);
}

static void print_advertisements(const struct config *c, FILE *out)
{
	static const char *const preference[] = { "low", "medium", "high" };
	char text[PREFIX6_STRLEN];
	fprintf(out,
		"ROUTER_ADVERTISEMENT_MIN_INTERVAL=%u\nROUTER_ADVERTISEMENT_MAX_INTERVAL=%"
		"u\nROUTER_ADVERTISEMENT_LIFETIME=%u\n",
		c->ra_min_interval_s, c->ra_max_interval_s, c->ra_lifetime_s);
	fprintf(out,
		"ROUTER_ADVERTISEMENT_PREFERENCE=%s\nROUTER_ADVERTISEMENT_MANAGED=%s\nROUTER_"
		"ADVERTISEMENT_OTHER=%s\n",
		preference[c->ra_preference + 1], on_off(c->ra_managed), on_off(c->ra_other));
	fprintf(out, "ROUTER_ADVERTISEMENT_DEPRECATE_ON_STOP=%s\n",
		on_off(c->ra_deprecate_on_stop));
	fprintf(out,
		"ROUTER_ADVERTISEMENT_HOP_LIMIT=%u\nROUTER_ADVERTISEMENT_REACHABLE_TIME=%"
		"u\nROUTER_ADVERTISEMENT_RETRANS_TIMER=%u\n",
		c->ra_hop_limit, c->ra_reachable_ms, c->ra_retrans_ms);
	fprintf(out, "ROUTER_ADVERTISEMENT_SOURCE_LINK_LAYER=%s\nROUTER_ADVERTISEMENT_MTU=%u\n",
		on_off(c->ra_source_lladdr), c->ra_mtu);
	fprintf(out,
		"ROUTER_ADVERTISEMENT_ON_LINK=%s\nROUTER_ADVERTISEMENT_AUTONOMOUS=%s\nROUTER_"
		"ADVERTISEMENT_PD_PREFERRED=%s\n",
		on_off(c->ra_on_link), on_off(c->ra_autonomous), on_off(c->ra_pd_preferred));
	if (c->n_ra_routes)
		fprintf(out, "ROUTER_ADVERTISEMENT_ROUTES=");
	for (size_t i = 0; i < c->n_ra_routes; i++)
		fprintf(out, "%s@%s@%u%s", prefix6_format(&c->ra_routes[i].prefix, text),
			preference[c->ra_routes[i].preference + 1], c->ra_routes[i].lft_s,
			i + 1 < c->n_ra_routes ? "," : "\n");
	print_advertised_prefixes(c, out);
	fprintf(out, "ROUTER_ADVERTISEMENT_DNS_LIFETIME=%u\n", c->ra_dns_lifetime_s);
	if (c->has_pref64)
		fprintf(out, "ROUTER_ADVERTISEMENT_PREF64=%s\n", prefix6_format(&c->pref64, text));
	if (c->pvd[0])
		print_pvd(c, out);
}

static void print_uplink(const struct config *c, FILE *out)
{
	static const char *const losses[] = { "withdraw", "lifetime", "hold" };
	char text[INET6_ADDRSTRLEN];
	fprintf(out, "UPLINK_LOSS=%s\nUPLINK_LOSS_DELAY=%u\n", losses[c->uplink_loss],
		c->uplink_loss_delay_s);
	if (c->has_uplink_probe)
		fprintf(out, "UPLINK_PROBE=%s\nUPLINK_PROBE_INTERVAL=%u\n",
			in6_format(&c->uplink_probe, text), c->uplink_probe_interval_s);
}

/* Between semicolons, so that it is one line of an env file; comments, which may hold any, are left
 * out. */
static void print_reservations(const struct config *c, FILE *out)
{
	bool begun = false;
	for (const char *at = c->reservations; *at;) {
		const char *end, *next = reservations_entry(at, &end);
		at += strspn(at, " \t\r");
		while (at < end && isspace((unsigned char)end[-1]))
			end--;
		if (at < end) {
			fprintf(out, "%s%.*s",
				begun ? "; " : "DHCPV6_RESERVATIONS=", (int)(end - at), at);
			begun = true;
		}
		at = next + (*next != '\0');
	}
	if (begun)
		fputc('\n', out);
}

void config_print(const struct config *c, FILE *out)
{
	static const char *const backends[] = { "auto", "kernel", "userspace", "none" },
				 *const modes[] = { "auto", "move", "local", "macvlan" };
	static const char *const filters[] = { "drop", "reject", "count", "off" };
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	char text[PREFIX6_STRLEN];
	fprintf(out, "WIREGUARD_INTERFACE_SUFFIX=%s\nWIREGUARD_BACKEND=%s\n", c->suffix,
		backends[c->backend]);
	if (c->backend != WG_BACKEND_NONE)
		print_tunnel(c, out);
	fprintf(out, "ASSIGNED_PREFIX=%s\n", prefix6_format(&c->assigned, text));
	for (size_t i = 0; i < c->n_transfers; i++)
		fprintf(out, "%s%s",
			i ? "," : "TRANSFER_PREFIX=", prefix6_format(&c->transfers[i], text));
	fputc('\n', out);
	fprintf(out, "DHCPV6_PD_PREFIX=%s\n", prefix6_format(&c->pd_pool, text));
	fprintf(out, "DHCPV6_PD_DELEGATION_LENGTH=%u\n", c->pd_len);
	fprintf(out, "DHCPV6_PD_MIN_LENGTH=%u\nDHCPV6_PD_MAX_LENGTH=%u\n", c->pd_min_len,
		c->pd_max_len);
	if (c->pd_exclude_len)
		fprintf(out, "DHCPV6_PD_EXCLUDE=%" PRIu64 "/%u\n", c->pd_exclude_subnet,
			c->pd_exclude_len);
	fprintf(out, "SUBSCRIBER_INTERFACE=%s\n", c->subscriber);
	if (c->subscriber_mode == SUBSCRIBER_VLAN)
		fprintf(out, "SUBSCRIBER_MODE=vlan:%u\n", c->vlan_id);
	else
		fprintf(out, "SUBSCRIBER_MODE=%s\n", modes[c->subscriber_mode]);
	fprintf(out, "SUBSCRIBER_LINK_LOCAL=%s\n", in6_format(&c->link_local, text));
	fprintf(out, "SOURCE_FILTER=%s\nSUBSCRIBER_ISOLATION=%s\n", filters[c->source_filter],
		on_off(c->isolation));
	fprintf(out, "DHCPV6_VALID_LIFETIME=%u\nDHCPV6_PREFERRED_LIFETIME=%u\n", c->valid_lft_s,
		c->preferred_lft_s);
	fprintf(out, "DHCPV6_IA_NA=%s\nDHCPV6_RAPID_COMMIT=%s\n", on_off(c->ia_na),
		on_off(c->rapid_commit));
	fprintf(out,
		"DHCPV6_CLIENT_LIMIT=%u\nDHCPV6_STATION_LIMIT=%u\nDHCPV6_RATE_LIMIT=%u\nDHCPV6_"
		"RECONFIGURE=%s\n",
		c->client_limit, c->station_limit, c->dhcp6_rate, on_off(c->reconfigure));
	print_reservations(c, out);
	fprintf(out, "DHCPV6_NAMESERVER=");
	print_addrs(c->nameservers, c->n_nameservers, out);
	fprintf(out, "DNS_UPSTREAM=");
	print_addrs(c->dns_upstream, c->n_dns_upstream, out);
	if (c->dns_zone[0])
		fprintf(out, "DNS_ZONE=%s\n", c->dns_zone);
	for (size_t i = 0; i < c->n_search; i++)
		fprintf(out, "%s%s%s", i ? "," : "DNS_SEARCH=", c->search[i],
			i + 1 < c->n_search ? "" : "\n");
	fputs(c->options_text, out);
	print_advertisements(c, out);
	if (c->backend != WG_BACKEND_NONE)
		print_uplink(c, out);
	fprintf(out, "HOST_NETNS=%s\nSTATE_DIR=%s\n", c->host_netns, c->state_dir);
	if (c->metrics.text[0])
		fprintf(out, "METRICS_LISTEN=%s\n", c->metrics.text);
	fprintf(out, "LOG_LEVEL=%s\nLOG_FORMAT=%s\n", levels[c->log_level],
		c->log_format == LOG_JSON ? "json" : "text");
}

static const char *const titles[] = { "Required", "Derived unless given", "Optional" };

void config_print_reference(FILE *out)
{
	for (enum config_section s = CONFIG_REQUIRED; s <= CONFIG_OPTIONAL; s++) {
		bool fallback = s != CONFIG_REQUIRED;
		fprintf(out, "%s### %s\n\n| variable | %s | meaning |\n| --- | --- | --- |\n",
			s ? "\n" : "", titles[s], fallback ? "default" : "example");
		for (size_t i = 0; i < config_n_variables; i++) {
			const struct config_variable *v = &config_variables[i];
			if (v->section != s)
				continue;
			fprintf(out, "| `%s` | %s | %s |\n", v->name,
				fallback    ? v->fallback
				: v->secret ? "base64"
					    : v->example,
				v->meaning);
		}
	}
}

void config_print_example(FILE *out)
{
	fputs("# One provider. Copy this, fill in what is required, and check it:\n"
	      "#     docker run --rm --env-file provider1.env vbng check\n"
	      "# Every NAME can also be given as NAME_FILE, the path of a file that holds the "
	      "value.\n",
	      out);
	for (enum config_section s = CONFIG_REQUIRED; s <= CONFIG_OPTIONAL; s++) {
		fprintf(out, "\n# --- %s ---\n", titles[s]);
		for (size_t i = 0; i < config_n_variables; i++) {
			const struct config_variable *v = &config_variables[i];
			if (v->section != s)
				continue;
			fprintf(out, "\n# %s", v->meaning);
			if (v->fallback)
				fprintf(out, "\n# default: %s", v->fallback);
			/* A key that everybody can read here must not end up in anybody's tunnel.
			 */
			fprintf(out, "\n%s%s=%s\n", s == CONFIG_REQUIRED ? "" : "#",
				config_example_name(v), v->secret ? "" : v->example);
		}
	}
}
