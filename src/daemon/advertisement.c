/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/advertisement.h"

#include "base/clock.h"
#include "base/siphash.h"

#include <string.h>

enum {
	IPV6_MIN_MTU = 1280, /* RFC 8200 §5 */
	IPV6_HEADER_BYTES = 40,
	PREF64_LIFETIME_MAX_S = 65528, /* RFC 8781 §4: 13 bits of units of 8 seconds */
	MS_A_MINUTE = 60000,
};

static uint32_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

static struct nd_pvd pvd_of(const struct config *c)
{
	return (struct nd_pvd){
		.fqdn = c->pvd[0] ? c->pvd : NULL,
		.http = c->pvd_http,
		.legacy = c->pvd_legacy,
		.only = c->pvd_only,
		.delay = c->pvd_delay,
		.sequence = c->pvd_sequence,
	};
}

void advertisement_of(const struct config *c, uint32_t link_mtu, struct ra_config *ret_config)
{
	uint32_t room = link_mtu > IPV6_MIN_MTU ? link_mtu : IPV6_MIN_MTU;
	uint32_t mtu = c->ra_mtu ? at_most(c->ra_mtu, room) : 0;
	struct ra_config rc = {
		.max_rtr_adv_interval_s = c->ra_max_interval_s,
		.min_rtr_adv_interval_s = c->ra_min_interval_s,
		/* Hosts that follow what is announced need not take in more. */
		.max_bytes = (mtu ? mtu : room) - IPV6_HEADER_BYTES,
		.uplink_loss = c->uplink_loss,
		.deprecate_on_stop = c->ra_deprecate_on_stop,
		.adv = {
			.cur_hop_limit = c->ra_hop_limit,
			.managed = c->ra_managed,
			.other = c->ra_other,
			.preference = c->ra_preference,
			.router_lft_s = c->ra_lifetime_s,
			.reachable_time_ms = c->ra_reachable_ms,
			.retrans_timer_ms = c->ra_retrans_ms,
			.has_slla = c->ra_source_lladdr,
			.mtu = mtu,
			.n_prefixes = c->n_ra_prefixes,
			.n_routes = c->n_ra_routes,
			.n_rdnss = c->n_nameservers,
			.rdnss_lft_s = c->ra_dns_lifetime_s,
			.n_search = c->n_search,
			.dnssl_lft_s = c->ra_dns_lifetime_s,
			.has_pref64 = c->has_pref64,
			.pref64 = c->pref64,
			/* RFC 8781 §4.1 */
			.pref64_lft_s = (uint16_t)at_most(3U * c->ra_max_interval_s,
							  PREF64_LIFETIME_MAX_S),
			/* RFC 8910 §2: the same as by DHCPv6 */
			.captive_portal = c->captive_portal[0] ? c->captive_portal : NULL,
			.pvd = pvd_of(c),
		},
	};
	for (size_t i = 0; i < c->n_ra_prefixes; i++)
		rc.adv.prefixes[i] = c->ra_prefixes[i].info;
	memcpy(rc.adv.routes, c->ra_routes, c->n_ra_routes * sizeof c->ra_routes[0]);
	memcpy(rc.adv.rdnss, c->nameservers, c->n_nameservers * sizeof c->nameservers[0]);
	for (size_t i = 0; i < c->n_search; i++)
		rc.adv.search[i] = c->search[i];
	*ret_config = rc;
}

/* With the number itself left out: how anybody would read it. */
static uint64_t digest_of(const struct ra_config *rc)
{
	static const uint8_t key[16] = { 'a', 'd', 'v', 'e', 'r', 't', 'i', 's', 'e', 'd' };
	struct nd_ra adv = rc->adv;
	struct nd_packets packets;
	uint64_t digest = 0;
	adv.pvd.sequence = 0;
	if (nd_build_ra(&adv, rc->max_bytes, &packets) < 0)
		return 0; /* ra_init() refuses it, too */
	for (size_t i = 0; i < packets.n; i++)
		digest = digest * 31 +
			 siphash24(key, packets.packets[i].bytes, packets.packets[i].len);
	return digest;
}

void advertisement_number(const struct config *c, const uint8_t *last, struct ra_config *rc,
			  uint8_t ret_note[static ADVERTISEMENT_NOTE_LEN])
{
	const uint64_t digest = digest_of(rc);
	uint16_t sequence = (uint16_t)(clock_unix_ms() / MS_A_MINUTE);
	if (last) {
		memcpy(&sequence, last + sizeof digest, sizeof sequence);
		if (memcmp(last, &digest, sizeof digest) != 0)
			sequence++;
	}
	if (c->has_pvd_sequence)
		sequence = c->pvd_sequence;
	rc->adv.pvd.sequence = sequence;
	memset(ret_note, 0, ADVERTISEMENT_NOTE_LEN);
	memcpy(ret_note, &digest, sizeof digest);
	memcpy(ret_note + sizeof digest, &sequence, sizeof sequence);
}
