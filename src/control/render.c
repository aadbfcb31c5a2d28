/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/render.h"

#include "base/cleanup.h"
#include "wire/dhcp6.h"
#include "wire/dnsname.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static json_t *text(const char *s)
{
	if (!s)
		return json_null();
	json_t *told = json_string(s);
	if (told)
		return told;
	/* JSON is UTF-8; paths and interfaces' names need not be. */
	char *copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		*c = (uint8_t)*c < 0x80 ? *c : '?';
	told = json_string(copy);
	free(copy);
	return told;
}

static json_t *ms(uint32_t us)
{
	return json_real(us / 1000.0);
}

static json_t *probe_json(const struct status_view *v)
{
	const struct uplink_probe_stats *p = &v->tunnel.probed;
	if (!v->tunnel.probe)
		return json_null();
	json_t *o = json_pack("{s:o, s:I, s:I, s:I, s:f, s:n}", "address", text(v->tunnel.probe),
			      "sent", (json_int_t)p->sent, "answered", (json_int_t)p->answered,
			      "window", (json_int_t)p->window, "loss_percent",
			      p->loss_permille / 10.0, "rtt_ms");
	if (p->answered)
		json_object_set_new(o, "rtt_ms",
				    json_pack("{s:o, s:o, s:o, s:o, s:o}", "last",
					      ms(p->rtt_last_us), "smoothed",
					      ms(p->rtt_smoothed_us), "min", ms(p->rtt_min_us),
					      "avg", ms(p->rtt_avg_us), "max", ms(p->rtt_max_us)));
	return o;
}

static json_t *tunnel_json(const struct status_view *v)
{
	if (!v->tunnel.present)
		return json_null();
	json_t *t = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "name",
			      text(v->tunnel.name), "backend", text(v->tunnel.backend), "state",
			      text(v->tunnel.state), "public_key", text(v->tunnel.public_key),
			      "peer", text(v->tunnel.peer), "endpoint", text(v->tunnel.endpoint),
			      "address", text(v->tunnel.address), "mtu", (json_int_t)v->tunnel.mtu,
			      "rx_bytes", (json_int_t)v->tunnel.rx_bytes, "tx_bytes",
			      (json_int_t)v->tunnel.tx_bytes);
	json_object_set_new(t, "endpoint_name", text(v->tunnel.endpoint_name));
	json_object_set_new(t, "why", text(v->tunnel.why));
	json_object_set_new(t, "state_age_s", json_integer((json_int_t)v->tunnel.state_age_s));
	json_object_set_new(t, "state_changes", json_integer((json_int_t)v->tunnel.state_changes));
	json_object_set_new(t, "lost", json_boolean(v->tunnel.lost));
	json_object_set_new(t, "losses", json_integer((json_int_t)v->tunnel.losses));
	json_object_set_new(t, "on_loss", text(v->tunnel.on_loss));
	json_object_set_new(t, "probe", probe_json(v));
	json_object_set_new(t, "handshake_age_s",
			    v->tunnel.handshake_age_s < 0
				    ? json_null()
				    : json_integer(v->tunnel.handshake_age_s));
	return t;
}

static json_t *dns_json(const struct status_view *v)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "state", text(v->dns.state), "address",
			 text(v->dns.address), "zone", text(v->dns.zone), "restarts",
			 (json_int_t)v->dns.restarts, "names", (json_int_t)v->dns.names,
			 "names_waiting", (json_int_t)v->dns.waiting);
}

static json_t *pools_json(const struct status_view *v)
{
	json_t *pools = json_array();
	for (size_t i = 0; i < v->n_pools; i++) {
		const struct status_pool *p = &v->pools[i];
		/* The addresses of a /64: nobody uses them up, and no JSON integer holds them. */
		json_t *capacity = p->capacity > INT64_MAX ? json_null()
							   : json_integer((json_int_t)p->capacity);
		json_array_append_new(
			pools,
			json_pack("{s:o, s:o, s:i, s:o, s:I, s:I, s:I, s:I, s:I}", "kind",
				  text(p->kind), "range", text(p->range), "length", (int)p->plen,
				  "capacity", capacity, "used", (json_int_t)p->used, "bound",
				  (json_int_t)p->bound, "freed", (json_int_t)p->freed, "set_aside",
				  (json_int_t)p->set_aside, "exhausted", (json_int_t)p->exhausted));
	}
	return pools;
}

static json_t *counters_json(const struct status_view *v)
{
	json_t *drops = json_object();
	for (size_t i = 0; i < v->n_drops; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s%s", v->drops[i].rs ? "rs_" : "",
			 v->drops[i].reason);
		if (v->drops[i].n > 0)
			json_object_set_new(drops, name, json_integer((json_int_t)v->drops[i].n));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "dhcpv6_received",
			 (json_int_t)v->counters.dhcpv6_received, "dhcpv6_answered",
			 (json_int_t)v->counters.dhcpv6_answered, "dhcpv6_dropped",
			 (json_int_t)v->counters.dhcpv6_dropped, "rs_received",
			 (json_int_t)v->counters.rs_received, "rs_dropped",
			 (json_int_t)v->counters.rs_dropped, "ra_sent",
			 (json_int_t)v->counters.ra_sent, "routes_failed",
			 (json_int_t)v->counters.routes_failed, "drops", drops);
}

static json_t *subscriber_json(const struct status_view *v)
{
	json_t *routers = json_array();
	for (size_t i = 0; i < v->subscriber.n_routers; i++) {
		const struct status_router *r = &v->subscriber.routers[i];
		json_array_append_new(
			routers, json_pack("{s:o, s:o, s:I, s:I, s:o, s:b}", "address",
					   text(r->address), "prefix", text(r->prefix),
					   "lifetime_s", (json_int_t)r->lifetime_s, "heard_ago_s",
					   (json_int_t)r->heard_ago_s, "differs", text(r->differs),
					   "conflicts", (int)r->conflicts));
	}
	json_t *more = json_array();
	for (size_t i = 0; i < v->subscriber.n_more_transfers; i++)
		json_array_append_new(more, text(v->subscriber.more_transfers[i]));
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "interface",
			 text(v->subscriber.interface), "mode", text(v->subscriber.mode), "link",
			 (int)v->subscriber.link, "link_local", text(v->subscriber.link_local),
			 "wanted_link_local", text(v->subscriber.wanted_link_local), "transfer",
			 text(v->subscriber.transfer), "more_transfers", more, "transfer_duplicate",
			 (int)v->subscriber.transfer_duplicate, "missing",
			 (int)v->subscriber.nic_missing, "routers", routers);
}

static json_t *filter_json(const struct status_filter *f)
{
	json_t *counts = json_object(), *offenders = json_array();
	for (size_t i = 0; i < f->n_counts; i++)
		if (f->counts[i].n > 0)
			json_object_set_new(counts, f->counts[i].reason,
					    json_integer((json_int_t)f->counts[i].n));
	for (size_t i = 0; i < f->n_offenders; i++) {
		const struct status_offender *o = &f->offenders[i];
		json_array_append_new(
			offenders,
			json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "lladdr",
				  text(o->lladdr), "source", text(o->src), "destination",
				  text(o->dst), "why", text(o->why), "packets", (json_int_t)o->n,
				  "first_unix_s", (json_int_t)o->first_unix_s, "last_unix_s",
				  (json_int_t)o->last_unix_s, "age_s", (json_int_t)o->age_s));
	}
	return json_pack("{s:b, s:o, s:b, s:o, s:I, s:o}", "active", (int)f->active,
			 "source_filter", text(f->source_filter), "isolation", (int)f->isolation,
			 "turned_away", counts, "rejected", (json_int_t)f->rejected,
			 "wrong_sources", offenders);
}

json_t *status_to_json(const struct status_view *v)
{
	json_t *subscriber = subscriber_json(v);
	json_t *store = json_pack("{s:o, s:b, s:o}", "path", text(v->store.path), "ok",
				  (int)v->store.ok, "fault", text(v->store.fault));
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "instance",
			 text(v->instance), "version", text(v->version), "state", text(v->state),
			 "uptime_s", (json_int_t)v->uptime_s, "server_restarts",
			 (json_int_t)v->server_restarts, "tunnel", tunnel_json(v), "subscriber",
			 subscriber, "dns", dns_json(v), "pools", pools_json(v), "counters",
			 counters_json(v), "filter", filter_json(&v->filter), "store", store);
}

static const char *state_name(enum binding_state s)
{
	switch (s) {
	case BINDING_BOUND:
		return "bound";
	case BINDING_FREED:
		return "freed";
	case BINDING_DECLINED:
		return "declined";
	}
	return "unknown";
}

/* Text where it is printable, and bytes as reservations write them (0x…) else: what relays call
 * their ports is either. */
static json_t *opaque_json(struct rd body)
{
	char hex[2 + 2 * BINDING_DETAILS_MAX + 1] = "0x", *at = hex + 2;
	size_t n = rd_left(&body);
	const uint8_t *bytes = rd_take(&body, n);
	bool printable = n > 0 && !(n > 1 && bytes[0] == '0' && bytes[1] == 'x');
	for (size_t i = 0; i < n; i++) {
		printable &= bytes[i] >= ' ' && bytes[i] <= '~' && bytes[i] != '"';
		at += snprintf(at, 3, "%02x", bytes[i]);
	}
	return printable ? json_stringn((const char *)bytes, n) : json_string(hex);
}

/* RFC 4704 §4: flags, then a name that may lack its end. */
static json_t *fqdn_json(struct rd body)
{
	char name[DNSNAME_STRLEN];
	(void)rd_u8(&body);
	return !body.bad && dnsname_get(&body, true, name) == 0 ? json_string(name) : json_null();
}

/* What else is known of the client; keys stand where there is something to tell. */
static void add_details(json_t *lease, const struct binding_record *r)
{
	struct rd details = rd_of(r->details, r->details_len);
	struct d6_opt opt;
	char mac[3 * BINDING_LLADDR_MAX] = "";
	for (size_t i = 0; i < r->lladdr_len; i++)
		snprintf(mac + strlen(mac), 4, "%s%02x", i ? ":" : "", r->lladdr[i]);
	if (r->lladdr_len)
		json_object_set_new(lease, "lladdr", json_string(mac));
	while (d6_opt_next(&details, &opt)) {
		if (opt.code == D6_OPT_CLIENT_FQDN)
			json_object_set_new(lease, "fqdn", fqdn_json(opt.body));
		else if (opt.code == D6_OPT_INTERFACE_ID)
			json_object_set_new(lease, "interface_id", opaque_json(opt.body));
		else if (opt.code == D6_OPT_SUBSCRIBER_ID)
			json_object_set_new(lease, "subscriber_id", opaque_json(opt.body));
		else if (opt.code == D6_OPT_REMOTE_ID) {
			json_object_set_new(lease, "remote_id_enterprise",
					    json_integer(rd_be32(&opt.body)));
			json_object_set_new(lease, "remote_id", opaque_json(opt.body));
		} else if (opt.code == D6_OPT_RECONF_ACCEPT)
			json_object_set_new(lease, "accepts_reconfigure", json_true());
	}
}

json_t *lease_to_json(const struct binding_record *r, uint64_t now_ms, uint64_t now_unix_ms)
{
	char duid[DUID_STRLEN], prefix[PREFIX6_STRLEN], hop[INET6_ADDRSTRLEN];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I}", "kind",
			      r->kind == BINDING_PD ? "prefix" : "address", "prefix",
			      r->kind == BINDING_PD ? prefix6_format(&r->prefix, prefix)
						    : in6_format(&r->prefix.addr, prefix),
			      "state", state_name(r->state), "duid",
			      duid_format(r->duid.bytes, r->duid.len, duid), "iaid",
			      (json_int_t)r->iaid, "next_hop", in6_format(&r->next_hop, hop),
			      "preferred_lifetime_s", (json_int_t)r->preferred_lft_s,
			      "valid_lifetime_s", (json_int_t)r->valid_lft_s);
	if (!o)
		return NULL;
	add_details(o, r);
	if (r->valid_until_ms == UINT64_MAX) {
		json_object_set_new(o, "valid_left_s", json_null());
		json_object_set_new(o, "valid_until", json_null());
		return o;
	}
	uint64_t left_ms = r->valid_until_ms > now_ms ? r->valid_until_ms - now_ms : 0;
	time_t until = (time_t)((now_unix_ms + left_ms) / 1000);
	char when[32];
	struct tm tm;
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &tm));
	json_object_set_new(o, "valid_left_s", json_integer((json_int_t)(left_ms / 1000)));
	json_object_set_new(o, "valid_until", json_string(when));
	return o;
}

void render_disarm(char *shown, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)shown[i], next = (uint8_t)(i + 1 < n ? shown[i + 1] : 0);
		if ((c < ' ' && c != '\n') || c == 0x7f) {
			shown[i] = '?';
		} else if (c == 0xc2 && next < 0xa0) {
			shown[i] = '?';
			if (next >= 0x80)
				shown[++i] = '?';
		}
	}
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "-";
}

static json_int_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *duration(uint64_t s, char buf[static 48])
{
	if (s < 120)
		snprintf(buf, 48, "%" PRIu64 " s", s);
	else if (s < 2 * 3600)
		snprintf(buf, 48, "%" PRIu64 " min", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, 48, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, 48, "%" PRIu64 " days", s / 86400);
	return buf;
}

static const char *size(uint64_t bytes, char buf[static 32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 1024 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

static double real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void render_probe(const json_t *p, FILE *out)
{
	const json_t *rtt = json_object_get(p, "rtt_ms");
	if (!json_is_object(p))
		return;
	fprintf(out, "            probe %s: %.1f %% of the last %" JSON_INTEGER_FORMAT " lost",
		str(p, "address"), real(p, "loss_percent"), num(p, "window"));
	if (json_is_object(rtt))
		fprintf(out, ", round trip %.1f ms (min %.1f, avg %.1f, max %.1f)",
			real(rtt, "smoothed"), real(rtt, "min"), real(rtt, "avg"),
			real(rtt, "max"));
	fputc('\n', out);
}

/* What subscribers see of an uplink that is lost, by UPLINK_LOSS. */
static const char *told_of_loss(const char *on_loss)
{
	return strcmp(on_loss, "hold") == 0       ? "subscribers are told nothing (hold)"
	       : strcmp(on_loss, "lifetime") == 0 ? "subscribers are told to use another router"
						  : "subscribers are told to use another provider";
}

static void render_tunnel(const json_t *t, FILE *out)
{
	if (!json_is_object(t)) {
		fprintf(out, "tunnel      none (WIREGUARD_BACKEND=none)\n");
		return;
	}
	char age[48], rx[32], tx[32], since[48];
	const json_t *handshake = json_object_get(t, "handshake_age_s");
	fprintf(out, "tunnel      %s %s, %s WireGuard, address %s, MTU %" JSON_INTEGER_FORMAT "\n",
		str(t, "name"), str(t, "state"), str(t, "backend"), str(t, "address"),
		num(t, "mtu"));
	fprintf(out, "            %s for %s: %s%s%s\n", str(t, "state"),
		duration((uint64_t)num(t, "state_age_s"), since), str(t, "why"),
		json_is_true(json_object_get(t, "lost")) ? "; LOST: " : "",
		json_is_true(json_object_get(t, "lost")) ? told_of_loss(str(t, "on_loss")) : "");
	bool named = json_is_string(json_object_get(t, "endpoint_name"));
	bool found = json_is_string(json_object_get(t, "endpoint"));
	fprintf(out, "            provider %s at %s%s%s; our public key %s\n", str(t, "peer"),
		named ? str(t, "endpoint_name") : "", named && found ? " = " : "",
		named && !found ? " (no address yet)" : str(t, "endpoint"), str(t, "public_key"));
	if (json_is_integer(handshake))
		fprintf(out, "            last handshake %s ago, ",
			duration((uint64_t)json_integer_value(handshake), age));
	else
		fprintf(out, "            no handshake yet, ");
	fprintf(out, "received %s, sent %s\n", size((uint64_t)num(t, "rx_bytes"), rx),
		size((uint64_t)num(t, "tx_bytes"), tx));
	render_probe(json_object_get(t, "probe"), out);
}

static void render_link_troubles(const json_t *s, FILE *out)
{
	if (json_is_string(json_object_get(s, "wanted_link_local")))
		fprintf(out, "            %s is somebody else's on this link, so it is %s\n",
			str(s, "wanted_link_local"), str(s, "link_local"));
	if (json_is_true(json_object_get(s, "transfer_duplicate")))
		fprintf(out,
			"            CLASH: somebody else on this link has our address in %s, with "
			"the same TRANSFER_PREFIX\n",
			str(s, "transfer"));
	size_t i;
	const json_t *r;
	json_array_foreach(json_object_get(s, "routers"), i, r)
	{
		char ago[48];
		bool prefix = json_is_string(json_object_get(r, "prefix"));
		fprintf(out, "            another router: %s%s%s, heard %s ago", str(r, "address"),
			prefix ? ", " : "", prefix ? str(r, "prefix") : "",
			duration((uint64_t)num(r, "heard_ago_s"), ago));
		if (json_is_string(json_object_get(r, "differs")))
			fprintf(out, "; %s: %s",
				json_is_true(json_object_get(r, "conflicts")) ? "CONFLICTS in"
									      : "differs in",
				str(r, "differs"));
		fputc('\n', out);
	}
}

static void render_dns(const json_t *d, FILE *out)
{
	const char *state = str(d, "state");
	if (strcmp(state, "off") == 0 || strcmp(state, "absent") == 0) {
		fprintf(out, "dns         %s\n",
			strcmp(state, "off") == 0
				? "no resolver of our own: others are announced"
				: "our own resolver CANNOT RUN, others are announced: see the log");
		return;
	}
	fprintf(out, "dns         resolver %s at %s",
		strcmp(state, "up") == 0     ? "up"
		: strcmp(state, "down") == 0 ? "DOWN"
					     : "not started yet",
		str(d, "address"));
	if (json_is_string(json_object_get(d, "zone")))
		fprintf(out,
			", %" JSON_INTEGER_FORMAT " names in %s, %" JSON_INTEGER_FORMAT " waiting",
			num(d, "names"), str(d, "zone"), num(d, "names_waiting"));
	if (num(d, "restarts") > 0)
		fprintf(out, "; restarted %" JSON_INTEGER_FORMAT " times", num(d, "restarts"));
	fputc('\n', out);
}

static void render_filter(const json_t *f, FILE *out)
{
	const char *key, *separator = "";
	json_t *value;
	size_t i;
	char age[48];
	if (!json_is_true(json_object_get(f, "active"))) {
		fprintf(out, "filter      NONE: the kernel's packet filter could not be used; any "
			     "source passes\n");
		return;
	}
	fprintf(out, "filter      wrong sources: %s%s; turned away: ", str(f, "source_filter"),
		json_is_true(json_object_get(f, "isolation")) ? ", subscribers isolated" : "");
	json_t *counts = json_object_get(f, "turned_away");
	json_object_foreach(counts, key, value)
	{
		fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, separator, key,
			json_integer_value(value));
		separator = ", ";
	}
	fputs(json_object_size(counts) ? "\n" : "nobody\n", out);
	json_array_foreach(json_object_get(f, "wrong_sources"), i, value)
	{
		fprintf(out,
			"            %s from %s (%s) to %s, %" JSON_INTEGER_FORMAT
			"+ times, last %s ago\n",
			str(value, "lladdr"), str(value, "source"), str(value, "why"),
			str(value, "destination"), num(value, "packets"),
			duration((uint64_t)num(value, "age_s"), age));
	}
}

void render_status(const json_t *status, FILE *out)
{
	char up[48];
	fprintf(out, "%s: %s for %s (vbng %s)\n", str(status, "instance"), str(status, "state"),
		duration((uint64_t)num(status, "uptime_s"), up), str(status, "version"));
	render_tunnel(json_object_get(status, "tunnel"), out);
	const json_t *s = json_object_get(status, "subscriber");
	fprintf(out, "subscriber  %s (%s), link %s, %s and %s\n", str(s, "interface"),
		str(s, "mode"),
		json_is_true(json_object_get(s, "missing")) ? "gone"
		: json_is_true(json_object_get(s, "link"))  ? "up"
							    : "down",
		str(s, "link_local"), str(s, "transfer"));
	size_t i;
	const json_t *more;
	json_array_foreach(json_object_get(s, "more_transfers"), i, more)
		fprintf(out, "            and %s\n", json_string_value(more));
	render_link_troubles(s, out);
	render_dns(json_object_get(status, "dns"), out);
	const json_t *pool;
	json_array_foreach(json_object_get(status, "pools"), i, pool)
	{
		fprintf(out, "%-11s %" JSON_INTEGER_FORMAT, str(pool, "kind"), num(pool, "used"));
		const json_t *capacity = json_object_get(pool, "capacity");
		if (json_is_integer(capacity))
			fprintf(out, " of %" JSON_INTEGER_FORMAT, json_integer_value(capacity));
		fprintf(out, " in use, /%" JSON_INTEGER_FORMAT " each from %s", num(pool, "length"),
			str(pool, "range"));
		if (num(pool, "bound") != num(pool, "used"))
			fprintf(out, " (%" JSON_INTEGER_FORMAT " bindings)", num(pool, "bound"));
		if (num(pool, "set_aside") > 0)
			fprintf(out, ", %" JSON_INTEGER_FORMAT " set aside",
				num(pool, "set_aside"));
		if (num(pool, "exhausted") > 0)
			fprintf(out, "; %s for %" JSON_INTEGER_FORMAT " requests since the start",
				json_is_integer(capacity) &&
						num(pool, "used") >= json_integer_value(capacity)
					? "EXHAUSTED: none left"
					: "had none left",
				num(pool, "exhausted"));
		fputc('\n', out);
	}
	const json_t *c = json_object_get(status, "counters");
	fprintf(out,
		"services    DHCPv6: %" JSON_INTEGER_FORMAT " received, %" JSON_INTEGER_FORMAT
		" answered, %" JSON_INTEGER_FORMAT
		" dropped; router solicitations: %" JSON_INTEGER_FORMAT
		", advertisements: %" JSON_INTEGER_FORMAT "\n",
		num(c, "dhcpv6_received"), num(c, "dhcpv6_answered"), num(c, "dhcpv6_dropped"),
		num(c, "rs_received"), num(c, "ra_sent"));
	render_filter(json_object_get(status, "filter"), out);
	const json_t *store = json_object_get(status, "store");
	if (json_is_true(json_object_get(store, "ok")))
		fprintf(out, "store       %s\n", str(store, "path"));
	else
		fprintf(out, "store       %s: FAILING, bindings are kept in memory only: %s\n",
			str(store, "path"), str(store, "fault"));
}

void render_leases_head(FILE *out)
{
	fprintf(out, "%-43s %-8s %-10s %-10s %-27s %s\n", "PREFIX OR ADDRESS", "STATE", "VALID FOR",
		"IAID", "NEXT HOP", "DUID");
}

void render_lease(const json_t *lease, FILE *out)
{
	char left[48];
	const json_t *s = json_object_get(lease, "valid_left_s");
	fprintf(out, "%-43s %-8s %-10s %-10" JSON_INTEGER_FORMAT " %-27s %s", str(lease, "prefix"),
		str(lease, "state"),
		json_is_integer(s) ? duration((uint64_t)json_integer_value(s), left) : "ever",
		num(lease, "iaid"), str(lease, "next_hop"), str(lease, "duid"));
	static const char *const told[] = { "fqdn", "interface_id", "subscriber_id", "remote_id" };
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (json_is_string(json_object_get(lease, told[i])))
			fprintf(out, " %s=\"%s\"", told[i], str(lease, told[i]));
	fputc('\n', out);
}
