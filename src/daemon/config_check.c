/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_check.h"

#include "base/cleanup.h"
#include "daemon/config_options.h"
#include "daemon/config_ra.h"
#include "daemon/config_table.h"
#include "daemon/reservations_text.h"
#include "engine/batch.h"
#include "engine/dhcp6_server.h"
#include "engine/pool.h"

#include <inttypes.h>
#include <string.h>

enum {
	OPTION_HEADER_BYTES = 4,
	ANSWER_REST_BYTES = 300, /* header, identifiers and two IAs */
};

static void derive_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	if (!c->assigned.plen)
		return; /* told already */
	if (!reading_given(rd, "TRANSFER_PREFIX"))
		c->transfers[c->n_transfers++] = c->transfer = prefix6_nth(&c->assigned, 64, 0);
	if (!reading_given(rd, "DHCPV6_PD_PREFIX") && c->assigned.plen < 64)
		c->pd_pool = prefix6_nth(&c->assigned, (uint8_t)(c->assigned.plen + 1), 1);
	if (!reading_given(rd, "DHCPV6_PD_PREFIX") && c->assigned.plen == 64) {
		reading_fault(
			rd, "ASSIGNED_PREFIX: a /64 is the transfer network, and leaves nothing to "
			    "delegate. Ask the provider for a /60 at the "
			    "least, or set DHCPV6_PD_PREFIX");
		return;
	}
	if (!reading_given(rd, "DHCPV6_PD_DELEGATION_LENGTH"))
		c->pd_len = c->pd_pool.plen <= 56 ? 56 : c->pd_pool.plen <= 60 ? 60 : 64;
	if (!reading_given(rd, "DHCPV6_PD_MIN_LENGTH"))
		c->pd_min_len = c->pd_len;
	if (!reading_given(rd, "DHCPV6_PD_MAX_LENGTH"))
		c->pd_max_len = c->pd_len;
}

/* The delegation length itself fits into the pool. */
static void check_lengths(struct reading *rd)
{
	const struct config *c = &rd->c;
	unsigned pool = c->pd_pool.plen;
	char a[PREFIX6_STRLEN];
	if (reading_faulty(rd, "DHCPV6_PD_MIN_LENGTH") ||
	    reading_faulty(rd, "DHCPV6_PD_MAX_LENGTH"))
		return;
	if (c->pd_min_len > c->pd_len)
		reading_fault(
			rd,
			"DHCPV6_PD_MIN_LENGTH: a /%u is longer than the delegation length, /%u. "
			"Give at most %u, or set DHCPV6_PD_DELEGATION_LENGTH",
			c->pd_min_len, c->pd_len, c->pd_len);
	if (c->pd_max_len < c->pd_len)
		reading_fault(rd,
			      "DHCPV6_PD_MAX_LENGTH: a /%u is shorter than the delegation length, "
			      "/%u. Give at least %u, or set DHCPV6_PD_DELEGATION_LENGTH",
			      c->pd_max_len, c->pd_len, c->pd_len);
	if (c->pd_min_len < pool)
		reading_fault(rd,
			      "DHCPV6_PD_MIN_LENGTH: a /%u does not fit into the pool "
			      "DHCPV6_PD_PREFIX=%s. Give at least %u",
			      c->pd_min_len, prefix6_format(&c->pd_pool, a), pool);
	if (c->pd_min_len < c->pd_max_len && c->pd_max_len > pool + POOL_BITMAP_BITS)
		reading_fault(rd,
			      "%s: the pool DHCPV6_PD_PREFIX=%s has 2^%u prefixes of /%u; where "
			      "lengths differ it can have 2^%u of the longest. Give at most a /%u "
			      "as the longest, a smaller pool, or one length",
			      reading_given(rd, "DHCPV6_PD_MAX_LENGTH") ? "DHCPV6_PD_MAX_LENGTH"
									: "DHCPV6_PD_MIN_LENGTH",
			      prefix6_format(&c->pd_pool, a), c->pd_max_len - pool, c->pd_max_len,
			      POOL_BITMAP_BITS, pool + POOL_BITMAP_BITS);
}

static void check_exclude(struct reading *rd)
{
	const struct config *c = &rd->c;
	unsigned bits = (unsigned)c->pd_exclude_len - c->pd_max_len;
	if (!c->pd_exclude_len)
		return;
	if (c->pd_exclude_len <= c->pd_max_len)
		reading_fault(rd,
			      "DHCPV6_PD_EXCLUDE: a /%u is not a part of a delegated /%u. Example: "
			      "DHCPV6_PD_EXCLUDE=0/%u",
			      c->pd_exclude_len, c->pd_max_len,
			      c->pd_max_len < 64 ? 64 : c->pd_max_len + 1);
	else if (bits < 64 && c->pd_exclude_subnet >> bits)
		reading_fault(
			rd,
			"DHCPV6_PD_EXCLUDE: a delegated /%u has 2^%u prefixes of /%u, counted "
			"from 0; there is no number %" PRIu64 ". Example: DHCPV6_PD_EXCLUDE=0/%u",
			c->pd_max_len, bits, c->pd_exclude_len, c->pd_exclude_subnet,
			c->pd_exclude_len);
}

/* Where our own end of the tunnel must not be: a more specific route would lead it to a
 * subscriber. */
static void check_tunnel_address(struct reading *rd, bool pool)
{
	const struct config *c = &rd->c;
	char a[PREFIX6_STRLEN], b[PREFIX6_STRLEN];
	if (!c->wg_address.plen || c->backend == WG_BACKEND_NONE)
		return;
	for (size_t i = 0; i < c->n_transfers; i++)
		if (prefix6_has_addr(&c->transfers[i], &c->wg_address.addr)) {
			reading_warn(
				rd,
				"WIREGUARD_ADDRESS=%s lies in the transfer network "
				"TRANSFER_PREFIX=%s, "
				"which is on the subscribers' link. Set another TRANSFER_PREFIX",
				prefix6_format(&c->wg_address, a),
				prefix6_format(&c->transfers[i], b));
			return;
		}
	if (pool && prefix6_has_addr(&c->pd_pool, &c->wg_address.addr))
		reading_warn(
			rd,
			"WIREGUARD_ADDRESS=%s lies in the pool DHCPV6_PD_PREFIX=%s, and may be "
			"delegated to somebody. Set another DHCPV6_PD_PREFIX",
			prefix6_format(&c->wg_address, a), prefix6_format(&c->pd_pool, b));
}

/* An echo request must find into the tunnel, and its answer must be none of ours. */
static void check_probe(struct reading *rd)
{
	const struct config *c = &rd->c;
	char a[INET6_ADDRSTRLEN];
	bool allowed = false;
	if (!c->has_uplink_probe || c->backend == WG_BACKEND_NONE ||
	    reading_faulty(rd, "WIREGUARD_ALLOWED_IPS"))
		return;
	for (size_t i = 0; i < c->n_allowed_ips; i++) {
		const struct prefix6 p = { c->allowed_ips[i].v6, c->allowed_ips[i].plen };
		allowed |= c->allowed_ips[i].family == AF_INET6 &&
			   prefix6_has_addr(&p, &c->uplink_probe);
	}
	in6_format(&c->uplink_probe, a);
	if (!allowed)
		reading_fault(rd,
			      "UPLINK_PROBE: %s is none of WIREGUARD_ALLOWED_IPS, so that no echo "
			      "request to it goes through the tunnel. Give another, or set "
			      "WIREGUARD_ALLOWED_IPS",
			      a);
	else if (IN6_ARE_ADDR_EQUAL(&c->uplink_probe, &c->wg_address.addr) ||
		 (c->assigned.plen && prefix6_has_addr(&c->assigned, &c->uplink_probe)))
		reading_fault(rd,
			      "UPLINK_PROBE: %s is on this side of the tunnel. Give an address of "
			      "the provider, or one beyond it",
			      a);
}

/* The pool beside one of the transfer networks. Whether there is something to delegate. */
static bool pool_clear_of(struct reading *rd, const struct prefix6 *transfer)
{
	const struct config *c = &rd->c;
	char a[PREFIX6_STRLEN], b[PREFIX6_STRLEN];
	if (prefix6_contains(transfer, &c->pd_pool))
		reading_fault(rd,
			      "DHCPV6_PD_PREFIX=%s lies in the transfer network "
			      "TRANSFER_PREFIX=%s: there "
			      "is nothing left to delegate",
			      prefix6_format(&c->pd_pool, a), prefix6_format(transfer, b));
	else if (c->pd_pool.plen == c->pd_max_len && prefix6_contains(&c->pd_pool, transfer))
		reading_fault(
			rd,
			"DHCPV6_PD_PREFIX=%s is a single delegated prefix, and holds the "
			"transfer network TRANSFER_PREFIX=%s: there is nothing left to delegate",
			prefix6_format(&c->pd_pool, a), prefix6_format(transfer, b));
	else
		return true;
	return false;
}

static void check_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	char a[PREFIX6_STRLEN], b[PREFIX6_STRLEN];
	bool pool = c->pd_pool.plen && !reading_faulty(rd, "DHCPV6_PD_PREFIX") &&
		    !reading_faulty(rd, "DHCPV6_PD_DELEGATION_LENGTH");
	bool clear = pool;
	if (!c->assigned.plen)
		return;
	if (pool && c->pd_len < c->pd_pool.plen) {
		reading_fault(rd,
			      "DHCPV6_PD_DELEGATION_LENGTH: a /%u does not fit into the pool "
			      "DHCPV6_PD_PREFIX=%s",
			      c->pd_len, prefix6_format(&c->pd_pool, a));
		clear = false;
	}
	for (size_t i = 0; clear && i < c->n_transfers; i++)
		clear = pool_clear_of(rd, &c->transfers[i]);
	if (clear)
		check_lengths(rd);
	if (pool)
		check_exclude(rd);
	check_tunnel_address(rd, pool);
	if (pool && !prefix6_contains(&c->assigned, &c->pd_pool))
		reading_warn(
			rd,
			"DHCPV6_PD_PREFIX=%s is not within ASSIGNED_PREFIX=%s: does the provider "
			"route it to us?",
			prefix6_format(&c->pd_pool, a), prefix6_format(&c->assigned, b));
	for (size_t i = 0; i < c->n_transfers; i++)
		if (!prefix6_contains(&c->assigned, &c->transfers[i]))
			reading_warn(rd,
				     "TRANSFER_PREFIX=%s is not within ASSIGNED_PREFIX=%s: does "
				     "the provider route it to us?",
				     prefix6_format(&c->transfers[i], a),
				     prefix6_format(&c->assigned, b));
}

static void check_times(struct reading *rd)
{
	struct config *c = &rd->c;
	if (c->preferred_lft_s > c->valid_lft_s)
		reading_fault(rd,
			      "DHCPV6_PREFERRED_LIFETIME: %u s is more than "
			      "DHCPV6_VALID_LIFETIME's %u s. "
			      "Give at most %u, or set DHCPV6_VALID_LIFETIME",
			      c->preferred_lft_s, c->valid_lft_s, c->valid_lft_s);
}

/*
 * Ours is announced unless others are given; it runs where it is announced or has a zone. Without a
 * tunnel it could forward to nobody.
 */
static void derive_resolver(struct reading *rd)
{
	struct config *c = &rd->c;
	const struct in6_addr own = config_own_resolver(c);
	struct why why = { .text = "" };
	bool given = reading_given(rd, "DHCPV6_NAMESERVER"), announced = false;
	if (!reading_given(rd, "DNS_UPSTREAM")) {
		size_t dns = reading_find("DNS_UPSTREAM");
		const char *fallback = config_variables[dns].fallback;
		if (config_variables[dns].parse(fallback, c, &why) < 0)
			reading_fault_of(rd, dns, why.text);
	}
	for (size_t i = 0; i < c->n_nameservers; i++)
		announced |= IN6_ARE_ADDR_EQUAL(&c->nameservers[i], &own);
	for (size_t i = 0; c->assigned.plen && i < c->n_dns_upstream; i++)
		if (IN6_ARE_ADDR_EQUAL(&c->dns_upstream[i], &own))
			reading_fault(rd,
				      "DNS_UPSTREAM: our own resolver's address is in it, which "
				      "forwards there. Example: DNS_UPSTREAM=2620:fe::fe");
	c->resolver = c->dns_zone[0] || (given ? announced : c->backend != WG_BACKEND_NONE);
	if (given)
		return;
	c->n_nameservers = 1;
	c->nameservers[0] = own;
	if (!c->resolver)
		config_without_resolver(c);
}

static void derive_rest(struct reading *rd)
{
	struct config *c = &rd->c;
	derive_resolver(rd);
	if (c->backend != WG_BACKEND_NONE)
		wgkey_public(c->wg_private_key, c->wg_public_key);
	if (c->backend != WG_BACKEND_NONE &&
	    memcmp(c->wg_public_key, c->wg_peer, sizeof c->wg_peer) == 0 &&
	    !reading_faulty(rd, "WIREGUARD_PEER"))
		reading_fault(
			rd, "WIREGUARD_PEER: this is the public key of WIREGUARD_PRIVATE_KEY, our "
			    "own. The provider's is wanted");
}

/* --- what must fit into one message
 * ------------------------------------------------------------------------- */

/* Where our own resolver cannot run, those that it would have asked are announced instead. */
static size_t most_nameservers(const struct config *c)
{
	return c->resolver && c->n_dns_upstream > c->n_nameservers ? c->n_dns_upstream
								   : c->n_nameservers;
}

/* What dhcp6_server_new() takes, and what a frame does. */
static void check_options(struct reading *rd)
{
	const struct config *c = &rd->c;
	struct dhcp6_extra_option list[D6_MAX_EXTRA_OPTIONS + 1];
	size_t room = 2 * OPTION_HEADER_BYTES + most_nameservers(c) * sizeof c->nameservers[0];
	for (size_t i = 0; i < c->n_search; i++)
		room += strlen(c->search[i]) + 2;
	room += c->options_len;
	if (config_options_list(c, ARRAY_LEN(list), list) > D6_MAX_EXTRA_OPTIONS)
		reading_fault(rd,
			      "DHCPV6_NTP_SERVER, DHCPV6_OPTION_<code> and the like: they are more "
			      "than %d options. Give fewer",
			      D6_MAX_EXTRA_OPTIONS);
	if (room > BATCH_OPTIONS_MAX)
		reading_fault(
			rd,
			"DNS_SEARCH, DHCPV6_OPTION_<code> and the like: all options "
			"together have %zu bytes, they can have %d. Give fewer or shorter ones",
			room, BATCH_OPTIONS_MAX);
	else if (room + ANSWER_REST_BYTES > BATCH_ANSWER_FIT)
		reading_warn(rd,
			     "DNS_SEARCH, DHCPV6_OPTION_<code> and the like: all options "
			     "together have %zu bytes; an answer to somebody who asks for all of "
			     "them comes in fragments, which some networks lose",
			     room);
}

static void on_reservation_fault(void *ctx, const char *sentence)
{
	struct reading *rd = (struct reading *)ctx;
	reading_fault(rd, "%s", sentence);
}

/* What they must fit to is right, or they would be told for another's fault. */
static void check_reservations(struct reading *rd)
{
	static const char *const parts[] = { "ASSIGNED_PREFIX",
					     "TRANSFER_PREFIX",
					     "DHCPV6_PD_PREFIX",
					     "DHCPV6_PD_DELEGATION_LENGTH",
					     "DHCPV6_PD_MIN_LENGTH",
					     "DHCPV6_PD_MAX_LENGTH",
					     "DHCPV6_IA_NA",
					     "DHCPV6_RESERVATIONS",
					     "STATE_DIR" };
	struct reservation_list list = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (reading_faulty(rd, parts[i]))
			return;
	if (!rd->c.assigned.plen)
		return; /* told already */
	if (reservations_load(&rd->c, on_reservation_fault, rd, &list) < 0)
		rd->out_of_memory = true;
	reservation_list_done(&list);
}

void config_check(struct reading *rd)
{
	size_t n_faults = rd->report->n_faults;
	derive_prefixes(rd);
	check_prefixes(rd);
	bool prefixes_fit = rd->report->n_faults == n_faults;
	check_times(rd);
	check_probe(rd);
	derive_rest(rd);
	config_ra_check(rd);
	check_options(rd);
	if (prefixes_fit)
		check_reservations(rd);
}
