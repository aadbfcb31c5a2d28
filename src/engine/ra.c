/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/ra.h"

#include "base/siphash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* RFC 4862 §5.5.3 e: an unauthenticated RA can't bring a host's valid lifetime below this anyway.
 */
enum { TWO_HOURS_S = 7200 };

static const struct ra_dst all_nodes = { .addr = { .s6_addr = { 0xff, 0x02, [15] = 0x01 } } };

/* lo to hi, both included */
static uint64_t random_between(struct ra *ra, uint64_t lo, uint64_t hi)
{
	return lo + (ra->rnd(ra->rnd_arg) * (hi - lo + 1) >> 32);
}

/* No default router, routes, DNS or NAT64 here: what led through the uplink leads nowhere now. */
static void withdraw(struct nd_ra *adv)
{
	adv->router_lft_s = 0;
	adv->rdnss_lft_s = 0;
	adv->dnssl_lft_s = 0;
	adv->pref64_lft_s = 0;
	for (size_t i = 0; i < adv->n_routes; i++)
		adv->routes[i].lft_s = 0;
}

static void deprecate(struct nd_ra *adv, uint32_t max_valid_lft_s)
{
	for (size_t i = 0; i < adv->n_prefixes; i++) {
		struct nd_prefix_info *p = &adv->prefixes[i];
		p->preferred_lft_s = 0;
		if (p->valid_lft_s > max_valid_lft_s)
			p->valid_lft_s = max_valid_lft_s;
	}
}

static struct nd_ra current_adv(const struct ra_config *config, bool uplink_works)
{
	struct nd_ra adv = config->adv;
	if (!uplink_works && config->uplink_loss != RA_LOSS_HOLD) {
		withdraw(&adv);
		if (config->uplink_loss == RA_LOSS_WITHDRAW)
			deprecate(&adv, ND_INFINITE);
	}
	return adv;
}

static struct nd_ra final_adv(const struct ra_config *config)
{
	struct nd_ra adv = config->adv;
	withdraw(&adv);
	if (config->deprecate_on_stop)
		deprecate(&adv, TWO_HOURS_S);
	return adv;
}

static bool bounds_kept(const struct ra_config *c)
{
	uint32_t max = c->max_rtr_adv_interval_s;
	uint32_t min = c->min_rtr_adv_interval_s;
	if (max < MAX_RTR_ADV_INTERVAL_MIN_S || max > MAX_RTR_ADV_INTERVAL_MAX_S)
		return false;
	/* §6.2.1 has 0.75 of the longest as the upper bound, which for 4 is 3, the lower one. */
	if (min < MIN_RTR_ADV_INTERVAL_MIN_S || min > max || min * 4 > max * 3)
		return false;
	return c->adv.router_lft_s == 0 || c->adv.router_lft_s >= max;
}

static bool packets_equal(const struct nd_packets *a, const struct nd_packets *b)
{
	bool equal = a->n == b->n;
	for (size_t i = 0; equal && i < a->n; i++)
		equal = a->packets[i].len == b->packets[i].len &&
			memcmp(a->packets[i].bytes, b->packets[i].bytes, a->packets[i].len) == 0;
	return equal;
}

/* The packets for `adv` into the engine. Whether anything is different from before is told by
 * *ret_changed. */
static int encode(struct ra *ra, const struct nd_ra *adv, size_t max_bytes, bool *ret_changed)
{
	struct nd_packets packets;
	int r = nd_build_ra(adv, max_bytes, &packets);
	if (r < 0)
		return r;
	*ret_changed = !packets_equal(&packets, &ra->packets);
	ra->packets = packets;
	return 0;
}

int ra_init(struct ra *ra, const struct ra_config *config, uint32_t (*rnd)(void *), void *rnd_arg)
{
	bool changed;
	if (!bounds_kept(config))
		return -EINVAL;
	memset(ra, 0, sizeof *ra);
	ra->config = *config;
	ra->rnd = rnd;
	ra->rnd_arg = rnd_arg;
	ra->uplink_works = true;
	ra->unicast = (struct ratelimit){ .per_s = RA_UNICAST_PER_S, .burst = RA_UNICAST_BURST };
	for (size_t i = 0; i < sizeof ra->slot_key; i++)
		ra->slot_key[i] = (uint8_t)rnd(rnd_arg);
	return encode(ra, &config->adv, config->max_bytes, &changed);
}

/* A multicast RA as soon as MIN_DELAY_BETWEEN_RAS lets it go, and the burst from its beginning
 * (§6.2.4). */
static void announce(struct ra *ra, uint64_t now_ms)
{
	uint64_t at = now_ms;
	if (ra->multicast_sent && ra->last_multicast_ms + MIN_DELAY_BETWEEN_RAS_MS > at)
		at = ra->last_multicast_ms + MIN_DELAY_BETWEEN_RAS_MS;
	ra->initial_left = MAX_INITIAL_RTR_ADVERTISEMENTS;
	ra->next_multicast_ms = at;
}

int ra_reconfigure(struct ra *ra, uint64_t now_ms, const struct ra_config *config)
{
	bool changed;
	if (!bounds_kept(config))
		return -EINVAL;
	struct nd_ra adv = current_adv(config, ra->uplink_works);
	int r = encode(ra, &adv, config->max_bytes, &changed);
	if (r < 0)
		return r;
	ra->config = *config;
	if (changed && ra->link_up && !ra->stopped)
		announce(ra, now_ms);
	return 0;
}

void ra_link_up(struct ra *ra, uint64_t now_ms)
{
	if (ra->stopped)
		return;
	ra->link_up = true;
	announce(ra, now_ms);
}

static void forget_pending(struct ra *ra)
{
	ra->n_pending = 0;
	memset(ra->slots, 0, sizeof ra->slots);
}

void ra_link_down(struct ra *ra)
{
	ra->link_up = false;
	forget_pending(ra);
}

void ra_set_uplink(struct ra *ra, uint64_t now_ms, bool works)
{
	bool changed;
	if (ra->stopped || works == ra->uplink_works)
		return;
	ra->uplink_works = works;
	struct nd_ra adv = current_adv(&ra->config, works);
	int r = encode(ra, &adv, ra->config.max_bytes, &changed);
	assert(r == 0); /* only lifetimes differ from what could be encoded before */
	if (r == 0 && changed && ra->link_up)
		announce(ra, now_ms);
}

/* §6.2.6: at random within MAX_RA_DELAY_TIME, or as long after MIN_DELAY_BETWEEN_RAS; joined with
 * what was to go earlier. */
static void solicit_multicast(struct ra *ra, uint64_t now_ms)
{
	uint64_t delay_ms = random_between(ra, 0, MAX_RA_DELAY_TIME_MS);
	uint64_t at = now_ms + delay_ms;
	if (ra->multicast_sent && ra->last_multicast_ms + MIN_DELAY_BETWEEN_RAS_MS > now_ms)
		at = ra->last_multicast_ms + MIN_DELAY_BETWEEN_RAS_MS + delay_ms;
	if (at < ra->next_multicast_ms)
		ra->next_multicast_ms = at;
}

void ra_undeliverable(struct ra *ra, uint64_t now_ms)
{
	if (ra->link_up && !ra->stopped)
		solicit_multicast(ra, now_ms);
}

/* Whether one more may go to this station now. Without an address that it told, its IPv6 address
 * is as good: the kernel asks for the other. */
static bool may_have_unicast(struct ra *ra, uint64_t now_ms, const struct ra_dst *who)
{
	uint64_t hash = who->has_lladdr ? siphash24(ra->slot_key, who->lladdr, sizeof who->lladdr)
					: siphash24(ra->slot_key, &who->addr, sizeof who->addr);
	uint8_t *n = &ra->per_station[hash % RA_STATIONS];
	if (ra->station_s != now_ms / 1000) {
		ra->station_s = now_ms / 1000;
		memset(ra->per_station, 0, sizeof ra->per_station);
	}
	if (*n >= RA_STATION_PER_S || !ratelimit_allow(&ra->unicast, now_ms, NULL)) {
		ra->n_limited++;
		return false;
	}
	++*n;
	return true;
}

/*
 * Among those that wait for a unicast answer. False where there is no room. A slot of somebody who
 * has been answered may point to a later one: it is passed over like any other that does not match.
 */
static bool remember(struct ra *ra, uint64_t now_ms, const struct ra_dst *who)
{
	size_t at = (size_t)siphash24(ra->slot_key, &who->addr, sizeof who->addr);
	for (size_t tries = 0; tries < RA_PENDING_SLOTS; tries++, at++) {
		uint16_t *slot = &ra->slots[at % RA_PENDING_SLOTS];
		if (*slot > 0 && *slot <= ra->n_pending) {
			if (IN6_ARE_ADDR_EQUAL(&ra->pending[*slot - 1].addr, &who->addr))
				return true;
			continue;
		}
		if (*slot > 0)
			continue;
		if (ra->n_pending == RA_PENDING_MAX || !may_have_unicast(ra, now_ms, who))
			return false;
		if (ra->n_pending == 0)
			ra->unicast_at_ms = now_ms + random_between(ra, 0, RA_UNICAST_DELAY_MS);
		ra->pending[ra->n_pending] = *who;
		*slot = (uint16_t)++ra->n_pending;
		return true;
	}
	return false;
}

/* A station's own: what is sent to a group's would reach others, past all delays. */
static bool is_station(const uint8_t lladdr[static 6])
{
	static const uint8_t nobody[6];
	return !(lladdr[0] & 1) && memcmp(lladdr, nobody, sizeof nobody) != 0;
}

bool ra_input(struct ra *ra, uint64_t now_ms, const struct pkt_meta *meta, const struct nd_rs *rs)
{
	if (!ra->link_up || ra->stopped)
		return false;
	if (IN6_IS_ADDR_MULTICAST(&meta->src) || IN6_IS_ADDR_LOOPBACK(&meta->src))
		return false;
	struct ra_dst who = { .addr = meta->src, .has_lladdr = rs->has_slla };
	memcpy(who.lladdr, rs->slla, sizeof who.lladdr);
	/* The kernel, too, believes whatever link-layer address it was told. */
	bool unicast =
		!IN6_IS_ADDR_UNSPECIFIED(&meta->src) && (!rs->has_slla || is_station(rs->slla));
	if (!unicast || !remember(ra, now_ms, &who))
		solicit_multicast(ra, now_ms);
	return true;
}

/* §6.2.4: the timer begins anew with every multicast RA. */
static void note_multicast(struct ra *ra, uint64_t now_ms)
{
	uint64_t interval_ms =
		random_between(ra, (uint64_t)ra->config.min_rtr_adv_interval_s * 1000,
			       (uint64_t)ra->config.max_rtr_adv_interval_s * 1000);
	if (ra->initial_left > 0)
		ra->initial_left--;
	const uint64_t initial_max_ms = (uint64_t)MAX_INITIAL_RTR_ADVERT_INTERVAL_S * 1000;
	if (ra->initial_left > 0 && interval_ms > initial_max_ms)
		interval_ms = initial_max_ms;
	ra->multicast_sent = true;
	ra->last_multicast_ms = now_ms;
	ra->next_multicast_ms = now_ms + interval_ms;
}

void ra_tick(struct ra *ra, uint64_t now_ms, struct ra_out *out)
{
	out->packets = &ra->packets;
	out->n = 0;
	if (!ra->link_up || ra->stopped)
		return;
	if (now_ms >= ra->next_multicast_ms) {
		out->dst[out->n++] = all_nodes;
		note_multicast(ra, now_ms);
		forget_pending(ra);
	}
	if (ra->n_pending == 0 || now_ms < ra->unicast_at_ms)
		return;
	while (ra->n_pending > 0 && out->n < RA_OUT_MAX)
		out->dst[out->n++] = ra->pending[--ra->n_pending];
	if (ra->n_pending == 0)
		forget_pending(ra);
}

uint64_t ra_deadline(const struct ra *ra)
{
	if (!ra->link_up || ra->stopped)
		return UINT64_MAX;
	if (ra->n_pending > 0 && ra->unicast_at_ms < ra->next_multicast_ms)
		return ra->unicast_at_ms;
	return ra->next_multicast_ms;
}

void ra_stop(struct ra *ra, struct ra_out *out)
{
	bool changed;
	struct nd_ra adv = final_adv(&ra->config);
	int r = encode(ra, &adv, ra->config.max_bytes, &changed);
	assert(r == 0); /* only lifetimes differ from what could be encoded before */
	out->packets = &ra->packets;
	out->n = 0;
	if (r == 0 && ra->link_up && !ra->stopped)
		out->dst[out->n++] = all_nodes;
	ra->stopped = true;
	forget_pending(ra);
}
