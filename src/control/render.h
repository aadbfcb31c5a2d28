/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the instance answers, as JSON (made from plain structs) and as text for people. */
#pragma once

#include "engine/bindings.h"
#include "engine/dhcp6_server.h"
#include "engine/uplink.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { STATUS_TEXT_MAX = 160, STATUS_OFFENDERS_MAX = 32 };

struct status_count {
	const char *reason;
	uint64_t n;
};

/* Somebody who sent from a source that is not its own. */
struct status_offender {
	const char *lladdr; /* the frame's source */
	const char *src;
	const char *dst; /* of the latest */
	const char *why; /* "foreign": not ours; "taken": ours, but not this subscriber's */
	uint64_t n;      /* packets that were looked at: a few a second of each subscriber */
	uint64_t first_unix_s, last_unix_s, age_s;
};

/* The packet filter. */
struct status_filter {
	bool active;               /* its rules are in force */
	const char *source_filter; /* "drop", "reject", "count" or "off" */
	bool isolation;
	const struct status_count *counts; /* packets turned away, by the reason */
	size_t n_counts;
	uint64_t rejected; /* answered with ICMPv6 1/5 */
	const struct status_offender *offenders;
	size_t n_offenders;
};

/* What `vbng status` tells, and what Prometheus reads. Strings are the caller's; NULL becomes null.
 * Ages are seconds, -1: never. */
struct status_view {
	const char *instance;
	const char *version;
	const char *state; /* "serving", "starting", "stopping" */
	bool serving;
	uint64_t start_unix_s;
	uint64_t uptime_s;
	uint64_t server_restarts;
	struct {
		bool present; /* false: WIREGUARD_BACKEND=none */
		const char *name;
		const char *backend;
		const char *state; /* "resolving", "connecting", "up", "stale" or "down" */
		const char *why;   /* a phrase */
		uint64_t state_age_s;
		uint64_t state_unix_s;  /* since when */
		uint64_t state_changes; /* these two since the start */
		uint64_t losses;
		bool lost; /* what subscribers are to see of it */
		const char *on_loss;
		const char *public_key;
		const char *peer;
		const char *endpoint;
		const char *endpoint_name; /* NULL: it was given as an address */
		const char *address;
		uint32_t mtu;
		uint64_t handshake_unix_s; /* 0: never */
		int64_t handshake_age_s;
		uint64_t rx_bytes;
		uint64_t tx_bytes;
		const char *probe; /* who is pinged; NULL: nobody */
		struct uplink_probe_stats probed;
	} tunnel;
	struct {
		const char *interface;
		const char *mode;
		bool link;
		const char *link_local;
		const char *transfer;
		size_t n_more_transfers; /* networks beside that one, and our addresses there */
		const char *const *more_transfers;
		bool nic_missing;
		const char *wanted_link_local; /* that of the configuration, which somebody has;
						  NULL: link_local is it */
		bool transfer_duplicate;       /* somebody has our transfer address */
		const struct status_router {   /* others on the link; the last heard first */
			const char *address;
			const char *prefix; /* its first; NULL: none */
			uint64_t lifetime_s;
			uint64_t heard_ago_s;
			const char *differs; /* in what it is at odds with us; NULL: nothing */
			bool conflicts;      /* and that breaks something */
		} * routers;
		size_t n_routers;
	} subscriber;
	struct {
		bool wanted; /* false: DHCPV6_NAMESERVER says otherwise */
		bool running;
		const char *state; /* "off", "absent", "waiting", "up" or "down" */
		const char *address;
		const char *zone; /* NULL: none */
		uint64_t restarts;
		uint64_t names, waiting; /* in the zone; addresses that wait for one */
	} dns;
	struct status_pool {
		const char *kind; /* "prefixes" or "addresses" */
		const char *range;
		unsigned plen;
		uint64_t capacity; /* of the usual length; more than INT64_MAX: no end */
		uint64_t used;     /* of those */
		uint64_t bound;    /* of any length, and reserved ones that lie elsewhere */
		uint64_t freed;
		uint64_t set_aside; /* declined */
		uint64_t exhausted; /* how often somebody got none */
	} pools[2];
	size_t n_pools;
	struct {
		uint64_t dhcpv6_received, dhcpv6_answered, dhcpv6_dropped;
		uint64_t rs_received, rs_dropped, rs_limited, ra_sent, ra_failed;
		uint64_t ra_heard, ra_refused, ra_untracked; /* other routers' advertisements */
		uint64_t routes_failed;
	} counters;
	const struct dhcp6_stats *dhcpv6;
	const struct status_drop {
		const char *reason;
		uint64_t n;
		bool rs; /* a router solicitation, else a DHCPv6 packet */
	} * drops;
	size_t n_drops;
	struct status_filter filter;
	struct {
		const char *path;
		bool ok;
		const char *fault; /* NULL where ok */
	} store;
};

/* A new reference, or NULL (no memory). */
json_t *status_to_json(const struct status_view *v);
/* One binding; valid_left_s and preferred_left_s UINT64_MAX: for ever. A new reference, or NULL. */
json_t *lease_to_json(const struct binding_record *r, uint64_t now_ms, uint64_t now_unix_ms);

/* Puts '?' in the place of what a terminal would obey instead of showing it: C0 but for newlines,
 * DEL, and C1 as UTF-8 has them. What is rendered comes from the server, which subscribers may have
 * taken over, and is shown to root. */
void render_disarm(char *shown, size_t n);
void render_status(const json_t *status, FILE *out);
void render_leases_head(FILE *out);
void render_lease(const json_t *lease, FILE *out);
