/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/view.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "wire/wgkey.h"

#include <arpa/inet.h>
#include <stdio.h>

static const char *endpoint_text(const struct sockaddr_storage *ss, char buf[static 64])
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)ss;
	if (ss->ss_family == AF_INET)
		snprintf(buf, 64, "%s:%u", inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host),
			 ntohs(v4->sin_port));
	else if (ss->ss_family == AF_INET6)
		snprintf(buf, 64, "[%s]:%u", in6_format(&v6->sin6_addr, host),
			 ntohs(v6->sin6_port));
	else
		return NULL;
	return buf;
}

static size_t list_routers(const struct foreign_watch *w, struct view_text *t)
{
	struct foreign_router there[FOREIGN_MAX];
	uint64_t now_ms = clock_mono_ms();
	size_t n = foreign_list(&w->table, now_ms, there, FOREIGN_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct foreign_router *r = &there[i];
		struct view_router *text = &t->router_texts[i];
		t->routers[i] = (struct status_router){
			.address = in6_format(&r->addr, text->address),
			.prefix = r->n_prefixes ? prefix6_format(&r->prefix, text->prefix) : NULL,
			.lifetime_s = r->router_lft_s,
			.heard_ago_s = (now_ms - r->heard_at_ms) / 1000,
			.differs = r->issues ? foreign_issues_text(r->issues, text->differs) : NULL,
			.conflicts = foreign_grave(r->issues),
		};
	}
	return n;
}

/* Each reason; how many DHCPv6 packets in all. */
static uint64_t list_drops(const struct tally *n, struct view_text *t)
{
	uint64_t dropped = 0;
	t->n_drops = 0;
	for (int i = 0; i < D6_DROP_COUNT; i++)
		t->drops[t->n_drops++] = (struct status_drop){ dhcp6_drop_name((enum d6_drop)i),
							       n->dhcp6.drops[i], false };
	t->drops[t->n_drops++] = (struct status_drop){ "overlong", n->intake.truncated, false };
	t->drops[t->n_drops++] = (struct status_drop){ "foreign_source", n->intake.foreign, false };
	t->drops[t->n_drops++] =
		(struct status_drop){ "unknown_sender", n->intake.unknown_sender, false };
	t->drops[t->n_drops++] =
		(struct status_drop){ "crowded_out", n->intake.crowded_out, false };
	t->drops[t->n_drops++] =
		(struct status_drop){ "server_died", n->intake.server_died, false };
	for (size_t i = 0; i < t->n_drops; i++)
		dropped += t->drops[i].n;
	for (int i = 1; i <= ND_UNKNOWN_TYPE; i++)
		t->drops[t->n_drops++] = (struct status_drop){ nd_verdict_name((enum nd_verdict)i),
							       n->advertiser.drops[i], true };
	return dropped;
}

static struct status_filter filter_of(const struct view_sources *s, struct view_text *t)
{
	struct status_filter f = filter_view(s->filter, s->forwarding, &t->filter);
	f.rejected = s->tally->rejected;
	return f;
}

struct status_view view_of(const struct view_sources *s, struct view_text *t)
{
	const struct config *c = s->server->config;
	const struct dhcp6_stats *st = &s->tally->dhcp6;
	const struct advertiser_stats *ra = &s->tally->advertiser;
	const struct message *uplink = s->uplink;
	const uint64_t dropped = list_drops(s->tally, t), now_s = clock_unix_ms() / 1000;
	wgkey_format(c->wg_public_key, t->own_key);
	wgkey_format(c->wg_peer, t->peer_key);
	for (size_t i = 1; i < c->n_transfers; i++) {
		const struct prefix6 more = { prefix6_with_iid(&c->transfers[i], 1),
					      c->transfers[i].plen };
		t->more_transfers[i - 1] = prefix6_format(&more, t->more_transfer_texts[i - 1]);
	}
	const struct prefix6 transfer_addr = { s->server->transfer_addr, c->transfer.plen };
	static const char *const losses[] = { "withdraw", "lifetime", "hold" };
	const uint64_t handshake_at_ms = uplink->uplink.handshake_at_ms, now_ms = clock_mono_ms();
	const uint64_t changed_at_ms =
		uplink->uplink.changed_at_ms; /* 0: init has told nothing yet */
	const uint64_t state_age_s = changed_at_ms ? (now_ms - changed_at_ms) / 1000 : 0;
	const uint64_t uptime_s = (clock_mono_ms() - s->server->started_at_ms) / 1000;
	return (struct status_view){
		.instance = c->suffix,
		.version = s->server->version,
		.state = s->link->missing   ? "waiting for the subscriber's NIC"
			 : s->serving       ? "serving"
			 : s->link->carrier ? "starting"
					    : "waiting for the subscriber link",
		.serving = s->serving && !s->link->missing,
		.start_unix_s = now_s > uptime_s ? now_s - uptime_s : 0,
		.uptime_s = uptime_s,
		.server_restarts = s->server->restarts,
		.tunnel = { .present = s->server->backend != NULL,
			    .name = c->tunnel,
			    .backend = s->server->backend,
			    .state = uplink_state_name(uplink->uplink.state),
			    .why = uplink_reason_text(&uplink->uplink.reason, t->why),
			    .state_age_s = state_age_s,
			    .state_unix_s = now_s > state_age_s ? now_s - state_age_s : 0,
			    .state_changes = uplink->uplink.changes,
			    .lost = uplink->uplink.lost,
			    .losses = uplink->uplink.losses,
			    .on_loss = losses[c->uplink_loss],
			    .public_key = t->own_key,
			    .peer = t->peer_key,
			    .endpoint = endpoint_text(&uplink->uplink.endpoint, t->endpoint),
			    .endpoint_name = c->wg_endpoint_name[0] ? c->wg_endpoint_name : NULL,
			    .address = prefix6_format(&c->wg_address, t->address),
			    .mtu = c->wg_mtu,
			    .handshake_unix_s = uplink->uplink.handshake_unix_s,
			    .handshake_age_s = handshake_at_ms
						       ? (int64_t)(now_ms - handshake_at_ms) / 1000
						       : -1,
			    .rx_bytes = uplink->uplink.rx_bytes,
			    .tx_bytes = uplink->uplink.tx_bytes,
			    .probe = uplink->uplink.probed ? in6_format(&c->uplink_probe, t->probe)
							   : NULL,
			    .probed = uplink->uplink.probe },
		.subscriber = { .interface = s->server->ifname,
				.mode = s->server->subscriber_mode,
				.link = s->link->carrier,
				.link_local = in6_format(&s->link->link_local, t->ll),
				.transfer = prefix6_format(&transfer_addr, t->transfer),
				.n_more_transfers = c->n_transfers - 1,
				.more_transfers = t->more_transfers,
				.nic_missing = s->link->missing,
				.wanted_link_local =
					IN6_ARE_ADDR_EQUAL(&s->link->link_local, &c->link_local)
						? NULL
						: in6_format(&c->link_local, t->wanted_ll),
				.transfer_duplicate = s->link->transfer_duplicate,
				.routers = t->routers,
				.n_routers = list_routers(s->foreign, t) },
		.dns = { .state = dns_state_name(s->dns->state),
			 .running = s->dns->state == DNS_UP,
			 .wanted = s->dns->state != DNS_OFF,
			 .address = in6_format(&s->server->transfer_addr, t->resolver),
			 .zone = s->names ? c->dns_zone : NULL,
			 .restarts = s->dns->restarts,
			 .names = dns_names_given(s->names),
			 .waiting = dns_names_waiting(s->names) },
		.pools = { { "prefixes", prefix6_format(&c->pd_pool, t->pool), c->pd_len,
			     st->pd.capacity, st->pd.used, st->pd.bound, st->pd.freed,
			     st->pd.declined, st->pd.exhausted },
			   { "addresses", prefix6_format(&c->transfer, t->addresses), 128,
			     st->na.capacity, st->na.used, st->na.bound, st->na.freed,
			     st->na.declined, st->na.exhausted } },
		.n_pools = c->ia_na ? 2 : 1,
		.counters = { .dhcpv6_received = st->received + s->tally->intake.foreign +
						 s->tally->intake.unknown_sender +
						 s->tally->intake.crowded_out +
						 s->tally->intake.server_died,
			      .dhcpv6_answered = st->answered,
			      .dhcpv6_dropped = dropped,
			      .rs_received = ra->rs_received,
			      .rs_dropped = ra->rs_dropped,
			      .rs_limited = ra->rs_limited,
			      .ra_sent = ra->ra_sent,
			      .ra_failed = ra->ra_failed,
			      .ra_heard = s->tally->ra_heard,
			      .ra_refused = s->tally->ra_refused,
			      .ra_untracked = s->tally->ra_untracked,
			      .routes_failed = s->tally->routes_failed },
		.dhcpv6 = st,
		.drops = t->drops,
		.n_drops = t->n_drops,
		.filter = filter_of(s, t),
		.store = { .path = keeper_path(s->keeper),
			   .ok = !keeper_fault(s->keeper),
			   .fault = keeper_fault(s->keeper) },
	};
}
