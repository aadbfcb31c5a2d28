/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/metrics.h"

#include "base/cleanup.h"
#include "wire/dhcp6.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A family in the making: its samples follow its head. */
struct out {
	FILE *f;
	const char *instance;
	const char *name;
};

static void put_label(struct out *o, const char *key, const char *value)
{
	fprintf(o->f, "%s=\"", key);
	for (const char *c = value ? value : ""; *c; c++) {
		if (*c == '\n')
			fputs("\\n", o->f);
		else if (*c == '"' || *c == '\\')
			fprintf(o->f, "\\%c", *c);
		else
			fputc(*c, o->f);
	}
	fputc('"', o->f);
}

static void family(struct out *o, const char *name, const char *type, const char *help)
{
	o->name = name;
	fprintf(o->f, "# HELP vbng_%s %s\n# TYPE vbng_%s %s\n", name, help, name, type);
}

/* label NULL: none but the instance's. */
static void sample(struct out *o, const char *label, const char *label_value, uint64_t value)
{
	fprintf(o->f, "vbng_%s{", o->name);
	put_label(o, "instance", o->instance);
	if (label) {
		fputc(',', o->f);
		put_label(o, label, label_value);
	}
	fprintf(o->f, "} %" PRIu64 "\n", value);
}

static void gauge(struct out *o, const char *name, const char *help, uint64_t value)
{
	family(o, name, "gauge", help);
	sample(o, NULL, NULL, value);
}

static void counter(struct out *o, const char *name, const char *help, uint64_t value)
{
	family(o, name, "counter", help);
	sample(o, NULL, NULL, value);
}

static void put_process(struct out *o, const struct status_view *v)
{
	family(o, "build_info", "gauge", "Always 1; the version is a label.");
	sample(o, "version", v->version, 1);
	gauge(o, "start_time_seconds", "When the appliance was started, since the Unix epoch.",
	      v->start_unix_s);
	gauge(o, "serving", "1 while subscribers are served.", v->serving);
	counter(o, "server_restarts_total",
		"How often the server process was started anew after a fault.", v->server_restarts);
	gauge(o, "store_ok", "0 while bindings cannot be stored and live in memory only.",
	      v->store.ok);
}

/* millionths: as decimal fractions of 1 they are exact */
static void sample_micro(struct out *o, const char *label, const char *label_value, uint64_t micro)
{
	fprintf(o->f, "vbng_%s{", o->name);
	put_label(o, "instance", o->instance);
	fputc(',', o->f);
	put_label(o, label, label_value);
	fprintf(o->f, "} %" PRIu64 ".%06" PRIu64 "\n", micro / 1000000, micro % 1000000);
}

static void put_probe(struct out *o, const struct status_view *v)
{
	const struct uplink_probe_stats *p = &v->tunnel.probed;
	const struct {
		const char *of;
		uint32_t us;
	} rtts[] = { { "last", p->rtt_last_us },
		     { "smoothed", p->rtt_smoothed_us },
		     { "min", p->rtt_min_us },
		     { "avg", p->rtt_avg_us },
		     { "max", p->rtt_max_us } };
	counter(o, "uplink_probes_sent_total", "Echo requests to UPLINK_PROBE.", p->sent);
	counter(o, "uplink_probes_answered_total", "Those that were answered.", p->answered);
	family(o, "uplink_probe_loss_ratio", "gauge",
	       "Of the last 64 echo requests, the share without an answer.");
	sample_micro(o, "address", v->tunnel.probe, p->loss_permille * UINT64_C(1000));
	if (!p->answered)
		return;
	family(o, "uplink_probe_rtt_seconds", "gauge",
	       "Round trip of echo requests: the last, smoothed as TCP does (RFC 6298), and of "
	       "the last 64 the least, the average and the most.");
	for (size_t i = 0; i < ARRAY_LEN(rtts); i++)
		sample_micro(o, "of", rtts[i].of, rtts[i].us);
}

static void put_tunnel(struct out *o, const struct status_view *v)
{
	static const enum uplink_state states[] = { UPLINK_RESOLVING, UPLINK_CONNECTING, UPLINK_UP,
						    UPLINK_STALE, UPLINK_DOWN };
	if (!v->tunnel.present)
		return;
	family(o, "tunnel_state", "gauge", "1 for the state that the tunnel is in.");
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		sample(o, "state", uplink_state_name(states[i]),
		       v->tunnel.state &&
			       strcmp(uplink_state_name(states[i]), v->tunnel.state) == 0);
	gauge(o, "tunnel_state_changed_timestamp_seconds",
	      "When it entered that state, since the Unix epoch.", v->tunnel.state_unix_s);
	counter(o, "tunnel_state_changes_total", "How often it has entered another one.",
		v->tunnel.state_changes);
	gauge(o, "uplink_lost", "1 while UPLINK_LOSS is in force for subscribers.", v->tunnel.lost);
	counter(o, "uplink_losses_total", "How often that began.", v->tunnel.losses);
	gauge(o, "tunnel_last_handshake_timestamp_seconds",
	      "The last handshake, since the Unix epoch; 0: none yet.", v->tunnel.handshake_unix_s);
	if (v->tunnel.handshake_age_s >= 0)
		gauge(o, "tunnel_handshake_age_seconds",
		      "How long ago the last handshake was; absent: none yet.",
		      (uint64_t)v->tunnel.handshake_age_s);
	counter(o, "tunnel_receive_bytes_total",
		"Received by the tunnel, since it was made, with WireGuard's own overhead.",
		v->tunnel.rx_bytes);
	counter(o, "tunnel_transmit_bytes_total",
		"Sent by the tunnel, since it was made, with WireGuard's own overhead.",
		v->tunnel.tx_bytes);
	gauge(o, "tunnel_mtu_bytes", "The tunnel's MTU.", v->tunnel.mtu);
	if (v->tunnel.probe)
		put_probe(o, v);
}

static void put_subscriber(struct out *o, const struct status_view *v)
{
	family(o, "subscriber_carrier", "gauge", "1 while the subscriber link has a carrier.");
	sample(o, "interface", v->subscriber.interface, v->subscriber.link);
	family(o, "subscriber_nic_missing", "gauge", "1 where the subscriber's NIC is gone.");
	sample(o, "interface", v->subscriber.interface, v->subscriber.nic_missing);
	family(o, "subscriber_transfer_duplicate", "gauge",
	       "1 while somebody else on the subscriber link has our transfer address.");
	sample(o, "interface", v->subscriber.interface, v->subscriber.transfer_duplicate);
	family(o, "subscriber_link_local_replaced", "gauge",
	       "1 where somebody else on the subscriber link has SUBSCRIBER_LINK_LOCAL, and ours "
	       "is another.");
	sample(o, "interface", v->subscriber.interface, v->subscriber.wanted_link_local != NULL);
	uint64_t conflicting = 0;
	for (size_t i = 0; i < v->subscriber.n_routers; i++)
		conflicting += v->subscriber.routers[i].conflicts;
	gauge(o, "foreign_routers",
	      "Other routers on the subscriber link that were heard within their lifetime; at most "
	      "16 are kept.",
	      v->subscriber.n_routers);
	gauge(o, "foreign_routers_conflicting",
	      "Those of them that advertise a prefix of ours, or from our link-local address.",
	      conflicting);
}

/* One family, one sample a pool, its value at the same place in each. */
static void put_pools(struct out *o, const struct status_view *v)
{
	static const struct {
		const char *name, *type, *help;
		size_t at;
	} families[] = {
		{ "pool_used", "gauge",
		  "What clients hold of the pool, in prefixes of the usual length (a begun one "
		  "counts whole) or addresses.",
		  offsetof(struct status_pool, used) },
		{ "pool_bound", "gauge",
		  "Prefixes or addresses that clients hold, of any length, and reserved ones "
		  "outside the pool.",
		  offsetof(struct status_pool, bound) },
		{ "pool_freed", "gauge",
		  "Released or expired ones that are remembered for their client; reused, the "
		  "oldest first, where no other is left.",
		  offsetof(struct status_pool, freed) },
		{ "pool_declined", "gauge", "Set aside after a client found them in use.",
		  offsetof(struct status_pool, set_aside) },
		{ "pool_exhausted_total", "counter",
		  "How often a client was told that none is left.",
		  offsetof(struct status_pool, exhausted) },
	};
	family(o, "pool_capacity", "gauge",
	       "How many of the usual length the pool has; +Inf where it is as good as endless.");
	for (size_t i = 0; i < v->n_pools; i++) {
		if (v->pools[i].capacity != UINT64_MAX) {
			sample(o, "kind", v->pools[i].kind, v->pools[i].capacity);
			continue;
		}
		fputs("vbng_pool_capacity{", o->f);
		put_label(o, "instance", o->instance);
		fputc(',', o->f);
		put_label(o, "kind", v->pools[i].kind);
		fputs("} +Inf\n", o->f);
	}
	for (size_t k = 0; k < ARRAY_LEN(families); k++) {
		family(o, families[k].name, families[k].type, families[k].help);
		for (size_t i = 0; i < v->n_pools; i++) {
			uint64_t value;
			memcpy(&value, (const char *)&v->pools[i] + families[k].at, sizeof value);
			sample(o, "kind", v->pools[i].kind, value);
		}
	}
}

static void put_by_type(struct out *o, const char *name, const char *help, const uint64_t *counts,
			bool (*wanted)(unsigned type))
{
	family(o, name, "counter", help);
	for (unsigned type = D6_SOLICIT; type <= D6_RELAY_REPL; type++)
		if (wanted(type) || counts[type] > 0)
			sample(o, "type", d6_type_name((uint8_t)type), counts[type]);
}

static bool is_answer(unsigned type)
{
	return type == D6_ADVERTISE || type == D6_REPLY;
}

static bool is_for_servers(unsigned type)
{
	return !is_answer(type) && type != D6_RECONFIGURE && type != D6_RELAY_REPL;
}

static void put_dhcpv6(struct out *o, const struct status_view *v)
{
	const struct dhcp6_stats *st = v->dhcpv6;
	counter(o, "dhcpv6_received_total", "DHCPv6 packets received, dropped ones too.",
		v->counters.dhcpv6_received);
	put_by_type(o, "dhcpv6_messages_received_total",
		    "DHCPv6 messages that could be read; a relayed one counts as RELAY-FORW and as "
		    "what is in it.",
		    st->by_type, is_for_servers);
	put_by_type(o, "dhcpv6_messages_answered_total",
		    "DHCPv6 answers, wrapped for a relay or not.", st->answers_by_type, is_answer);
	family(o, "dhcpv6_dropped_total", "counter", "DHCPv6 packets that got no answer, and why.");
	for (size_t i = 0; i < v->n_drops; i++)
		if (!v->drops[i].rs)
			sample(o, "reason", v->drops[i].reason, v->drops[i].n);
	counter(o, "dhcpv6_over_limit_total",
		"Prefixes or addresses refused because their client holds as many as it may.",
		st->over_limit);
	counter(o, "dhcpv6_over_station_limit_total",
		"Prefixes or addresses refused because their client's link-layer address, or its "
		"relay, holds as many as it may.",
		st->over_station_limit.n);
	counter(o, "dhcpv6_not_from_holder_total",
		"Prefixes or addresses that somebody gave back in their holder's name, but not "
		"from where that is: they stay.",
		st->not_from_holder);
	gauge(o, "dhcpv6_recall_waiting",
	      "Clients that are to come back for a changed configuration and have not yet.",
	      st->recall.waiting);
	counter(o, "dhcpv6_recall_sent_total", "RECONFIGUREs sent.", st->recall.sent);
	counter(o, "dhcpv6_recall_heard_total", "Clients that came back after a RECONFIGURE.",
		st->recall.heard);
	counter(o, "dhcpv6_recall_given_up_total",
		"Clients that did not come back, however often a RECONFIGURE was sent.",
		st->recall.given_up);
	counter(o, "routes_failed_total",
		"Routes of delegated prefixes that the kernel refused; their clients got no "
		"answer.",
		v->counters.routes_failed);
}

static void put_dns(struct out *o, const struct status_view *v)
{
	if (!v->dns.wanted)
		return;
	gauge(o, "dns_up", "Whether our own resolver runs.", v->dns.running);
	counter(o, "dns_restarts_total", "How often our own resolver was started again.",
		v->dns.restarts);
	if (!v->dns.zone)
		return;
	gauge(o, "dns_names", "Names in DNS_ZONE that subscribers have.", v->dns.names);
	gauge(o, "dns_names_waiting", "Addresses that wait for a name that somebody else has.",
	      v->dns.waiting);
}

static void put_nd(struct out *o, const struct status_view *v)
{
	uint64_t unexplained = v->counters.rs_dropped;
	counter(o, "router_solicitations_received_total",
		"Router solicitations received, dropped ones too.", v->counters.rs_received);
	family(o, "router_solicitations_dropped_total", "counter",
	       "Router solicitations that got no answer, and why.");
	for (size_t i = 0; i < v->n_drops; i++) {
		if (!v->drops[i].rs)
			continue;
		sample(o, "reason", v->drops[i].reason, v->drops[i].n);
		unexplained -= v->drops[i].n;
	}
	sample(o, "reason", "unanswerable", unexplained);
	counter(o, "router_solicitations_limited_total",
		"Router solicitations beyond what is answered one by one: the next multicast "
		"advertisement is their answer.",
		v->counters.rs_limited);
	counter(o, "router_advertisements_sent_total", "Router advertisements sent.",
		v->counters.ra_sent);
	counter(o, "router_advertisements_failed_total",
		"Router advertisements that could not be sent.", v->counters.ra_failed);
	counter(o, "router_advertisements_heard_total",
		"Router advertisements of other routers on the subscriber link.",
		v->counters.ra_heard);
	counter(o, "router_advertisements_refused_total",
		"Other routers' advertisements that are none by RFC 4861 §6.1.2.",
		v->counters.ra_refused);
	counter(o, "router_advertisements_untracked_total",
		"Advertisements of routers beyond those that are kept.", v->counters.ra_untracked);
}

static void put_filter(struct out *o, const struct status_filter *f)
{
	gauge(o, "filter_active", "0 where the kernel's packet filter could not be used.",
	      f->active);
	family(o, "filter_packets_total", "counter",
	       "Packets that the packet filter turned away, and why; with SOURCE_FILTER=count "
	       "those with wrong sources are counted, and pass.");
	for (size_t i = 0; i < f->n_counts; i++)
		sample(o, "reason", f->counts[i].reason, f->counts[i].n);
	counter(o, "filter_rejected_total",
		"Wrong sources answered with ICMPv6 type 1 code 5 (SOURCE_FILTER=reject).",
		f->rejected);
}

int metrics_render(const struct status_view *v, char **ret_text, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	struct out o = { .f = open_memstream(&text, &len), .instance = v->instance };
	if (!o.f)
		return -ENOMEM;
	put_process(&o, v);
	put_tunnel(&o, v);
	put_subscriber(&o, v);
	put_pools(&o, v);
	put_dhcpv6(&o, v);
	put_nd(&o, v);
	put_dns(&o, v);
	put_filter(&o, &v->filter);
	bool failed = ferror(o.f) != 0;
	if (fclose(o.f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}
