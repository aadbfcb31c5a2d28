/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/ra.h"

/* Randomness that says what the test wants: 0 gives the low end of a range, UINT32_MAX the high
 * one. */
static uint32_t fixed_random(void *arg)
{
	return *(const uint32_t *)arg;
}

static uint32_t random_value;
static struct ra ra;
static struct ra_out out;

static struct ra_config config(void)
{
	struct ra_config c = {
		.max_rtr_adv_interval_s = 600,
		.min_rtr_adv_interval_s = 200,
		.adv = {
			.cur_hop_limit = 64,
			.other = true,
			.router_lft_s = 1800,
			.mtu = 1420,
			.n_prefixes = 1,
			.n_routes = 1,
			.n_rdnss = 1,
			.rdnss_lft_s = 1800,
			.rdnss = { unit_in6("2001:db8:ffff::1") },
			.n_search = 1,
			.dnssl_lft_s = 1800,
			.search = { "lab" },
			.has_pref64 = true,
			.pref64 = { unit_in6("64:ff9b::"), 96 },
			.pref64_lft_s = 1800,
		},
		.max_bytes = ND_PACKET_BYTES,
		.uplink_loss = RA_LOSS_WITHDRAW,
		.deprecate_on_stop = true,
	};
	c.adv.prefixes[0] = (struct nd_prefix_info){ .prefix = { unit_in6("2001:db8:ffff::"), 64 },
						     .on_link = true,
						     .autonomous = true,
						     .valid_lft_s = 14400,
						     .preferred_lft_s = 1800 };
	c.adv.routes[0] =
		(struct nd_route_info){ { unit_in6("2001:db8:5::"), 48 }, ND_PREF_HIGH, 1800 };
	return c;
}

static int setup(void **state)
{
	(void)state;
	struct ra_config c = config();
	random_value = 0;
	return ra_init(&ra, &c, fixed_random, &random_value);
}

/* At 1,000,000 ms the link comes up and the burst of three is over: the next is due at now() + 200
 * s, by random_value 0. */
static uint64_t settled(void)
{
	uint64_t now = 1000000;
	ra_link_up(&ra, now);
	for (int i = 0; i < MAX_INITIAL_RTR_ADVERTISEMENTS; i++) {
		now = ra_deadline(&ra);
		ra_tick(&ra, now, &out);
		assert_int_equal(out.n, 1);
	}
	assert_int_equal(ra_deadline(&ra), now + 200000);
	return now;
}

static bool is_all_nodes(const struct ra_dst *d)
{
	struct in6_addr all = unit_in6("ff02::1");
	return IN6_ARE_ADDR_EQUAL(&d->addr, &all) && !d->has_lladdr;
}

static bool solicit_with(uint64_t now_ms, const char *src, const struct nd_rs *rs)
{
	struct pkt_meta m = {
		.ifindex = 1, .src = unit_in6(src), .dst = unit_in6("ff02::2"), .hop_limit = 255
	};
	return ra_input(&ra, now_ms, &m, rs);
}

static bool solicit(uint64_t now_ms, const char *src)
{
	struct nd_rs rs = { 0 };
	return solicit_with(now_ms, src, &rs);
}

static void assert_silent(uint64_t now_ms)
{
	ra_tick(&ra, now_ms, &out);
	assert_int_equal(out.n, 0);
}

static void assert_one_multicast(uint64_t now_ms)
{
	ra_tick(&ra, now_ms, &out);
	assert_int_equal(out.n, 1);
	assert_true(is_all_nodes(&out.dst[0]));
}

/* What was sent last, by a parser that the engine does not use. */
static struct nd_ra sent(void)
{
	struct nd_ra got;
	struct pkt_meta m = { .src = unit_in6("fe80::1"), .hop_limit = 255 };
	assert_int_equal(out.packets->n, 1);
	assert_int_equal(
		nd_parse_ra(rd_of(out.packets->packets[0].bytes, out.packets->packets[0].len), &m,
			    &got),
		ND_OK);
	return got;
}

static void says_nothing_without_a_link(void **state)
{
	(void)state;
	assert_true(ra_deadline(&ra) == UINT64_MAX);
	assert_silent(5000000);
	assert_false(solicit(5000000, "fe80::a"));
	assert_true(ra_deadline(&ra) == UINT64_MAX);
}

/* RFC 4861 §6.2.4: the first at once, then two of at most 16 s, then the configured interval. */
static void begins_with_a_burst(void **state)
{
	(void)state;
	ra_link_up(&ra, 1000);
	assert_int_equal(ra_deadline(&ra), 1000);
	assert_one_multicast(1000);
	assert_int_equal(ra_deadline(&ra), 17000);
	assert_silent(16999);
	assert_one_multicast(17000);
	assert_int_equal(ra_deadline(&ra), 33000);
	random_value = UINT32_MAX;
	assert_one_multicast(33000);
	assert_int_equal(ra_deadline(&ra), 633000); /* the longest */
	random_value = 0;
	assert_one_multicast(633000);
	assert_int_equal(ra_deadline(&ra), 833000); /* the shortest */
	random_value = UINT32_MAX / 2;
	assert_one_multicast(833000);
	assert_int_equal(ra_deadline(&ra), 833000 + 400000);
}

static void a_short_interval_is_kept_in_the_burst(void **state)
{
	(void)state;
	struct ra_config c = config();
	c.max_rtr_adv_interval_s = 8;
	c.min_rtr_adv_interval_s = 5;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	ra_link_up(&ra, 0);
	assert_one_multicast(0);
	assert_int_equal(ra_deadline(&ra), 5000);
}

/* A late tick (a suspended machine) sends one, not all that were missed. */
static void missed_times_are_not_made_up_for(void **state)
{
	(void)state;
	uint64_t now = settled() + 86400000;
	assert_one_multicast(now);
	assert_silent(now);
	assert_int_equal(ra_deadline(&ra), now + 200000);
}

static void says_what_is_configured(void **state)
{
	(void)state;
	ra_link_up(&ra, 0);
	assert_one_multicast(0);
	struct nd_ra got = sent();
	assert_int_equal(got.router_lft_s, 1800);
	assert_true(got.other);
	assert_int_equal(got.mtu, 1420);
	assert_int_equal(got.n_prefixes, 1);
	assert_int_equal(got.prefixes[0].valid_lft_s, 14400);
	assert_int_equal(got.prefixes[0].preferred_lft_s, 1800);
	assert_true(got.prefixes[0].autonomous);
	assert_int_equal(got.rdnss_lft_s, 1800);
	assert_int_equal(got.routes[0].lft_s, 1800);
	assert_int_equal(got.pref64_lft_s, 1800);
}

/* RFC 7772 §5.1, RFC 4861 §6.2.6: at random within what MAX_RA_DELAY_TIME allows, and not bound to
 * the 3 s. */
static void a_solicitor_gets_its_own_answer(void **state)
{
	(void)state;
	uint64_t now = settled() + 10;
	random_value = UINT32_MAX;
	assert_true(solicit(now, "fe80::a"));
	assert_int_equal(ra_deadline(&ra), now + RA_UNICAST_DELAY_MS);
	assert_silent(now + RA_UNICAST_DELAY_MS - 1);
	ra_tick(&ra, now + RA_UNICAST_DELAY_MS, &out);
	assert_int_equal(out.n, 1);
	struct in6_addr want = unit_in6("fe80::a");
	assert_memory_equal(&out.dst[0].addr, &want, 16);
	assert_int_equal(sent().router_lft_s, 1800);
	assert_int_equal(ra_deadline(&ra),
			 now - 10 + 200000); /* the multicast timer goes on as it was */

	random_value = 0;
	assert_true(solicit(now + 100, "2001:db8:ffff::a")); /* a global source is one too */
	assert_int_equal(ra_deadline(&ra), now + 100);
	ra_tick(&ra, now + 100, &out);
	assert_int_equal(out.n, 1);
}

static void solicitations_of_one_host_are_joined(void **state)
{
	(void)state;
	uint64_t now = settled() + 10;
	random_value = UINT32_MAX;
	assert_true(solicit(now, "fe80::a"));
	assert_true(solicit(now + 1, "fe80::b"));
	assert_true(solicit(now + 2, "fe80::a"));
	assert_true(solicit(now + 19, "fe80::a"));
	ra_tick(&ra, now + RA_UNICAST_DELAY_MS, &out); /* the first one's delay is everybody's */
	assert_int_equal(out.n, 2);
	assert_silent(now + 1000);
}

/* A thousand hosts at one instant: each has its answer within the 20 ms, and hardly any are
 * multicast. */
static void a_thousand_at_once_are_all_served(void **state)
{
	(void)state;
	static bool seen[1000];
	uint64_t now = settled() + 10;
	random_value = UINT32_MAX;
	for (unsigned i = 0; i < 1000; i++) {
		char src[32];
		(void)snprintf(src, sizeof src, "fe80::1:%x", i);
		assert_true(solicit(now, src));
	}
	size_t total = 0;
	size_t calls = 0;
	uint64_t then = ra_deadline(&ra);
	assert_true(then <= now + RA_UNICAST_DELAY_MS);
	do {
		ra_tick(&ra, then, &out);
		calls++;
		for (size_t k = 0; k < out.n; k++) {
			assert_int_equal(out.dst[k].addr.s6_addr[0], 0xfe);
			unsigned i = (unsigned)out.dst[k].addr.s6_addr[14] << 8 |
				     out.dst[k].addr.s6_addr[15];
			assert_true(i < 1000);
			assert_false(seen[i]);
			seen[i] = true;
		}
		total += out.n;
		assert_true(out.n < RA_OUT_MAX ||
			    ra_deadline(&ra) <= then); /* a loop by deadlines serves them too */
	} while (out.n == RA_OUT_MAX);
	assert_int_equal(total, 1000);
	assert_int_equal(calls, 1000 / RA_OUT_MAX + 1);
	assert_int_equal(ra_deadline(&ra), now - 10 + 200000);
}

/* Those that wait are found again however many they are, also when some have been answered. */
static void joins_among_thousands(void **state)
{
	(void)state;
	char src[32];
	uint64_t now = settled() + 10;
	random_value = UINT32_MAX;
	for (unsigned twice = 0; twice < 2; twice++)
		for (unsigned i = 0; i < 5000; i++) {
			(void)snprintf(src, sizeof src, "fe80::1:%x", i);
			assert_true(solicit(now, src));
		}
	ra_tick(&ra, now + RA_UNICAST_DELAY_MS, &out);
	assert_int_equal(out.n, RA_OUT_MAX); /* the last RA_OUT_MAX of them have been answered */
	assert_true(solicit(now + RA_UNICAST_DELAY_MS, "fe80::1:0"));    /* waits already */
	assert_true(solicit(now + RA_UNICAST_DELAY_MS, "fe80::1:1387")); /* not any more */
	size_t total = 0;
	do {
		ra_tick(&ra, now + RA_UNICAST_DELAY_MS, &out);
		total += out.n;
	} while (out.n == RA_OUT_MAX);
	assert_int_equal(total, 5000 - RA_OUT_MAX + 1);
	assert_int_equal(ra_deadline(&ra), now - 10 + 200000); /* no multicast among it */
}

/* Its solicitation tells where a frame is to go, so that nobody need look for it. */
static void answers_go_to_the_address_that_was_told(void **state)
{
	(void)state;
	static const struct nd_rs told = { true, { 2, 0, 0, 0, 0, 0xa } }, untold = { 0 };
	static const struct nd_rs groups[] = { { true, { 0x33, 0x33, 0, 0, 0, 1 } },
					       { true, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
					       { true, { 0 } } };
	uint64_t now = settled() + 10000;
	assert_true(solicit_with(now, "fe80::a", &told));
	ra_tick(&ra, now, &out);
	assert_int_equal(out.n, 1);
	assert_true(out.dst[0].has_lladdr);
	assert_memory_equal(out.dst[0].lladdr, told.slla, 6);
	assert_true(solicit_with(now, "fe80::a", &untold));
	ra_tick(&ra, now, &out);
	assert_int_equal(out.n, 1);
	assert_false(is_all_nodes(&out.dst[0]) || out.dst[0].has_lladdr);
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		now += 10000;
		assert_true(solicit_with(now, "fe80::a", &groups[i]));
		assert_one_multicast(now); /* nobody's own: it would reach others, or no one */
	}
}

/* A flood from forged addresses costs a bounded queue, and a multicast answer each three seconds
 * for what is beyond it. */
static void a_flood_is_bounded(void **state)
{
	(void)state;
	uint64_t last_multicast = settled();
	uint64_t now = last_multicast + 5000;
	random_value = UINT32_MAX;
	for (unsigned i = 0; i < 2 * RA_PENDING_MAX; i++) {
		char src[40];
		(void)snprintf(src, sizeof src, "fe80::2:%x", i);
		assert_true(solicit(now, src));
	}
	uint64_t then = now + RA_UNICAST_DELAY_MS;
	size_t unicast = 0;
	do {
		ra_tick(&ra, then, &out);
		unicast += out.n;
	} while (out.n == RA_OUT_MAX);
	assert_int_equal(unicast, RA_PENDING_MAX);
	assert_int_equal(ra_deadline(&ra), now + MAX_RA_DELAY_TIME_MS);
	assert_one_multicast(now + MAX_RA_DELAY_TIME_MS);
	assert_silent(now + MAX_RA_DELAY_TIME_MS + 1);
}

/* How many leave by unicast at once, when all that wait are due. */
static size_t count_unicast(uint64_t now)
{
	size_t n = 0;
	do {
		ra_tick(&ra, now, &out);
		for (size_t i = 0; i < out.n; i++)
			n += !is_all_nodes(&out.dst[i]);
	} while (out.n == RA_OUT_MAX);
	return n;
}

/* Sources are made up; the link-layer address is somebody's. */
static void a_station_gets_few_advertisements_a_second_whoever_asks_for_it(void **state)
{
	(void)state;
	const struct nd_rs victim = { true, { 2, 0, 0, 0, 0, 1 } },
			   other = { true, { 2, 0, 0, 0, 0, 2 } };
	uint64_t now = settled() + 4000;
	random_value = UINT32_MAX;
	for (unsigned second = 0; second < 3; second++) {
		for (unsigned i = 0; i < 2 * RA_STATION_PER_S; i++) {
			char src[40];
			(void)snprintf(src, sizeof src, "fe80::%x:%x", second, i);
			assert_true(solicit_with(now, src, &victim));
		}
		assert_true(solicit_with(now, "fe80::d:1", &other));
		assert_int_equal(count_unicast(now + RA_UNICAST_DELAY_MS), RA_STATION_PER_S + 1);
		ra_tick(&ra, now + MAX_RA_DELAY_TIME_MS, &out);
		assert_int_equal(out.n, second == 0); /* the one for all others */
		now += 1000;
	}
	assert_int_equal(ra.n_limited, 3 * RA_STATION_PER_S);
}

/* Everything is made up: beyond some a second all share the multicast one. */
static void made_up_solicitations_get_so_many_unicast_answers_a_second_in_all(void **state)
{
	(void)state;
	uint64_t now = settled() + 4000;
	size_t unicast = 0, multicast = 0;
	for (unsigned ms = 0; ms < 20000; ms++, now++) {
		for (unsigned i = 0; i < 5; i++) {
			char src[40];
			struct nd_rs rs = { true,
					    { 2, (uint8_t)i, (uint8_t)(ms >> 8), (uint8_t)ms } };
			(void)snprintf(src, sizeof src, "fe80::%x:%x", ms, i);
			assert_true(solicit_with(now, src, &rs));
		}
		if (now < ra_deadline(&ra))
			continue;
		ra_tick(&ra, now, &out);
		for (size_t i = 0; i < out.n; i++) {
			multicast += is_all_nodes(&out.dst[i]);
			unicast += !is_all_nodes(&out.dst[i]);
		}
	}
	assert_in_range(unicast, RA_UNICAST_BURST, RA_UNICAST_BURST + 20 * RA_UNICAST_PER_S);
	assert_in_range(multicast, 5, 7);
}

/* RFC 4861 §6.2.6 for those that have no address to answer to */
static void the_unspecified_are_answered_by_multicast(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	random_value = UINT32_MAX;
	assert_true(solicit(now, "::"));
	assert_int_equal(ra_deadline(&ra), now + MAX_RA_DELAY_TIME_MS);
	random_value = 0;
	assert_true(solicit(now + 200, "::")); /* a shorter delay takes it with it */
	assert_int_equal(ra_deadline(&ra), now + 200);
	random_value = UINT32_MAX;
	assert_true(solicit(now + 200, "::")); /* a longer one does not */
	assert_int_equal(ra_deadline(&ra), now + 200);
	random_value = 0;
	assert_one_multicast(now + 200);
	assert_int_equal(ra_deadline(&ra), now + 200 + 200000); /* §6.2.4: the timer starts anew */
}

static void multicasts_are_three_seconds_apart(void **state)
{
	(void)state;
	uint64_t last = settled();
	random_value = UINT32_MAX;
	assert_true(solicit(last + 1000, "::"));
	assert_int_equal(ra_deadline(&ra), last + MIN_DELAY_BETWEEN_RAS_MS + MAX_RA_DELAY_TIME_MS);
	random_value = 0;
	assert_true(solicit(last + 2999, "::"));
	assert_int_equal(ra_deadline(&ra), last + MIN_DELAY_BETWEEN_RAS_MS);
	assert_one_multicast(last + 3000);
	/* however many ask, for a minute */
	uint64_t before = last + 3000;
	for (uint64_t now = before + 1; now < before + 60000; now++) {
		(void)solicit(now, "::");
		ra_tick(&ra, now, &out);
		if (out.n > 0) {
			assert_true(now - last >= MIN_DELAY_BETWEEN_RAS_MS || last < before);
			assert_true(last < before ||
				    now - last <= MIN_DELAY_BETWEEN_RAS_MS + MAX_RA_DELAY_TIME_MS);
			last = now;
		}
	}
	assert_true(last > before);
}

static void an_answer_joins_what_goes_soon_anyway(void **state)
{
	(void)state;
	uint64_t due = settled() + 200000;
	random_value = UINT32_MAX;
	assert_true(solicit(due - 100, "::"));
	assert_int_equal(ra_deadline(&ra), due);
}

/* §6.2.6: whoever waits for an answer of its own has it with what all get. */
static void a_multicast_one_answers_those_that_wait(void **state)
{
	(void)state;
	uint64_t due = settled() + 200000;
	random_value = UINT32_MAX;
	assert_true(solicit(due - 5, "fe80::a"));
	assert_int_equal(ra_deadline(&ra), due);
	assert_one_multicast(due);
	assert_silent(due + 100);
	assert_true(solicit(due + 100, "fe80::a")); /* asks again, and is answered again */
	ra_tick(&ra, due + 100 + RA_UNICAST_DELAY_MS, &out);
	assert_int_equal(out.n, 1);
	assert_false(is_all_nodes(&out.dst[0]));
}

/* RFC 4861 §6.2.3: what does not fit into one goes as several, together each time. */
static void what_does_not_fit_goes_in_several_packets(void **state)
{
	(void)state;
	static char url[1200];
	struct pkt_meta m = { .src = unit_in6("fe80::1"), .hop_limit = 255 };
	struct ra_config c = config();
	memset(url, 'x', sizeof url - 1);
	c.adv.captive_portal = url;
	c.max_bytes = 1240;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	uint64_t now = settled() + 10;
	assert_int_equal(out.n, 1);
	assert_int_equal(out.packets->n, 2);
	for (size_t i = 0; i < 2; i++) {
		struct nd_ra got;
		assert_true(out.packets->packets[i].len <= 1240);
		assert_int_equal(nd_parse_ra(rd_of(out.packets->packets[i].bytes,
						   out.packets->packets[i].len),
					     &m, &got),
				 ND_OK);
		assert_int_equal(got.router_lft_s, 1800);
	}
	assert_true(solicit(now, "fe80::a"));
	ra_tick(&ra, now, &out);
	assert_int_equal(out.n, 1);
	assert_int_equal(out.packets->n, 2);
	ra_stop(&ra, &out);
	assert_int_equal(out.n, 1);
	assert_int_equal(out.packets->n, 2);
	c.max_bytes = 1200; /* no room for the portal, wherever */
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), -EMSGSIZE);
}

static void the_undeliverable_share_a_multicast(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	random_value = UINT32_MAX;
	ra_undeliverable(&ra, now);
	ra_undeliverable(&ra, now);
	assert_int_equal(ra_deadline(&ra), now + MAX_RA_DELAY_TIME_MS);
	assert_one_multicast(now + MAX_RA_DELAY_TIME_MS);
	ra_link_down(&ra);
	ra_undeliverable(&ra, now + 5000);
	assert_true(ra_deadline(&ra) == UINT64_MAX);
}

static void impossible_sources_get_none(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	uint64_t deadline = ra_deadline(&ra);
	assert_false(solicit(now, "ff02::1"));
	assert_false(solicit(now, "::1"));
	assert_int_equal(ra_deadline(&ra), deadline);
}

/* RFC 8978, RFC 9096: no default router, prefixes deprecated, DNS and routes gone; said at once and
 * three times. */
static void a_lost_uplink_is_withdrawn(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	ra_set_uplink(&ra, now, false);
	for (int i = 0; i < 3; i++) {
		assert_one_multicast(now);
		struct nd_ra got = sent();
		assert_int_equal(got.router_lft_s, 0);
		assert_int_equal(got.preference, ND_PREF_MEDIUM);
		assert_int_equal(got.prefixes[0].preferred_lft_s, 0);
		assert_int_equal(got.prefixes[0].valid_lft_s, 14400);
		assert_int_equal(got.rdnss_lft_s, 0);
		assert_int_equal(got.n_rdnss, 1);
		assert_int_equal(got.routes[0].lft_s, 0);
		assert_int_equal(got.pref64_lft_s, 0);
		assert_int_equal(got.mtu, 1420);
		if (i < 2)
			assert_int_equal(ra_deadline(&ra), now + 16000);
		now = ra_deadline(&ra);
	}
	assert_true(solicit(now - 100000, "fe80::a"));
	ra_tick(&ra, now - 100000, &out);
	assert_int_equal(out.n, 1);
	assert_int_equal(sent().router_lft_s, 0); /* who asks hears the same */

	ra_set_uplink(&ra, now, true);
	assert_one_multicast(now);
	assert_int_equal(sent().router_lft_s, 1800);
	assert_int_equal(sent().prefixes[0].preferred_lft_s, 1800);
	assert_int_equal(ra_deadline(&ra), now + 16000);
}

static void an_uplink_that_flaps_is_told_each_three_seconds(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	ra_set_uplink(&ra, now, false);
	assert_one_multicast(now);
	ra_set_uplink(&ra, now + 100, true);
	assert_int_equal(ra_deadline(&ra), now + 3000);
	ra_set_uplink(&ra, now + 200, false);
	ra_set_uplink(&ra, now + 300, true);
	assert_int_equal(ra_deadline(&ra), now + 3000);
	assert_one_multicast(now + 3000);
	assert_int_equal(sent().router_lft_s, 1800);
}

static void the_same_state_again_is_no_news(void **state)
{
	(void)state;
	uint64_t now = settled();
	ra_set_uplink(&ra, now, true);
	assert_int_equal(ra_deadline(&ra), now + 200000);
}

/* RFC 8475 */
static void lifetime_leaves_prefixes_alone(void **state)
{
	(void)state;
	struct ra_config c = config();
	c.uplink_loss = RA_LOSS_LIFETIME;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	ra_set_uplink(&ra, 0, false);
	ra_link_up(&ra, 0);
	assert_one_multicast(0);
	assert_int_equal(sent().router_lft_s, 0);
	assert_int_equal(sent().prefixes[0].preferred_lft_s, 1800);
}

static void hold_says_nothing(void **state)
{
	(void)state;
	struct ra_config c = config();
	c.uplink_loss = RA_LOSS_HOLD;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	uint64_t now = settled();
	ra_set_uplink(&ra, now + 5000, false);
	assert_int_equal(ra_deadline(&ra), now + 200000);
	assert_one_multicast(now + 200000);
	assert_int_equal(sent().router_lft_s, 1800);
}

/* RFC 4861 §6.2.5, RFC 4862 §5.5.3 e */
static void says_farewell_once(void **state)
{
	(void)state;
	uint64_t now = settled();
	(void)solicit(now, "fe80::a");
	ra_stop(&ra, &out);
	assert_int_equal(out.n, 1); /* §6.2.6: more of them would be three seconds apart */
	assert_true(is_all_nodes(&out.dst[0]));
	struct nd_ra got = sent();
	assert_int_equal(got.router_lft_s, 0);
	assert_int_equal(got.prefixes[0].preferred_lft_s, 0);
	assert_int_equal(got.prefixes[0].valid_lft_s, 7200);
	assert_int_equal(got.rdnss_lft_s, 0);
	assert_int_equal(got.routes[0].lft_s, 0);

	assert_true(ra_deadline(&ra) == UINT64_MAX);
	assert_silent(now + 10000000);
	assert_false(solicit(now + 10, "fe80::a"));
	ra_link_up(&ra, now + 10);
	ra_set_uplink(&ra, now + 10, false);
	assert_silent(now + 10000000);
	ra_stop(&ra, &out);
	assert_int_equal(out.n, 0);
}

static void a_farewell_can_leave_the_prefix_to_others(void **state)
{
	(void)state;
	struct ra_config c = config();
	c.deprecate_on_stop = false;
	c.adv.prefixes[0].valid_lft_s = 3600;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	(void)settled();
	ra_stop(&ra, &out);
	assert_int_equal(sent().router_lft_s, 0);
	assert_int_equal(sent().prefixes[0].preferred_lft_s, 1800);
	assert_int_equal(sent().prefixes[0].valid_lft_s, 3600);
}

static void a_short_valid_lifetime_is_not_prolonged_by_the_farewell(void **state)
{
	(void)state;
	struct ra_config c = config();
	c.adv.prefixes[0].valid_lft_s = 3600;
	assert_int_equal(ra_init(&ra, &c, fixed_random, &random_value), 0);
	(void)settled();
	ra_stop(&ra, &out);
	assert_int_equal(sent().prefixes[0].preferred_lft_s, 0);
	assert_int_equal(sent().prefixes[0].valid_lft_s, 3600);
}

static void no_farewell_without_a_link(void **state)
{
	(void)state;
	ra_stop(&ra, &out);
	assert_int_equal(out.n, 0);
}

static void a_pulled_cable_forgets_and_a_plugged_one_bursts(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	random_value = UINT32_MAX;
	assert_true(solicit(now, "fe80::a"));
	ra_link_down(&ra);
	assert_true(ra_deadline(&ra) == UINT64_MAX);
	assert_silent(now + 1000000);
	ra_link_up(&ra, now + 1000000);
	assert_one_multicast(now + 1000000); /* and no unicast */
	assert_int_equal(ra_deadline(&ra), now + 1016000);
}

static void a_plug_that_bounces_keeps_three_seconds(void **state)
{
	(void)state;
	ra_link_up(&ra, 0);
	assert_one_multicast(0);
	ra_link_down(&ra);
	ra_link_up(&ra, 500);
	assert_int_equal(ra_deadline(&ra), 3000);
}

static void a_new_configuration_is_announced(void **state)
{
	(void)state;
	uint64_t now = settled() + 10000;
	struct ra_config c = config();
	assert_int_equal(ra_reconfigure(&ra, now, &c), 0); /* the same: no news */
	assert_int_equal(ra_deadline(&ra), now - 10000 + 200000);
	c.adv.managed = true;
	assert_int_equal(ra_reconfigure(&ra, now, &c), 0);
	assert_one_multicast(now);
	assert_true(sent().managed);
	assert_int_equal(ra_deadline(&ra), now + 16000);

	ra_set_uplink(&ra, now + 5000, false);
	c.adv.managed = false;
	assert_int_equal(ra_reconfigure(&ra, now + 5000, &c),
			 0); /* while the uplink is lost it stays lost */
	assert_one_multicast(now + 5000);
	assert_false(sent().managed);
	assert_int_equal(sent().router_lft_s, 0);
}

static void faulty_configurations_are_refused(void **state)
{
	(void)state;
	static const struct {
		uint32_t min, max;
		uint16_t lft;
		int want;
	} rows[] = {
		{ 200, 600, 1800, 0 },
		{ 200, 600, 600, 0 },
		{ 200, 600, 0, 0 },
		{ 200, 600, 599, -EINVAL },
		{ 3, 4, 1800, 0 },
		{ 3, 3, 1800, -EINVAL },
		{ 2, 4, 1800, -EINVAL },
		{ 450, 600, 1800, 0 },
		{ 451, 600, 1800, -EINVAL },
		{ 4, 65535, 65535, 0 },
		{ 4, 65536, 0, -EINVAL },
		{ 4, 4, 1800, -EINVAL },
		{ 0xffffffff, 600, 1800, -EINVAL },
		{ 0x40000001, 600, 1800, -EINVAL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ra_config c = config();
		struct ra r;
		c.min_rtr_adv_interval_s = rows[i].min;
		c.max_rtr_adv_interval_s = rows[i].max;
		c.adv.router_lft_s = rows[i].lft;
		assert_int_equal(ra_init(&r, &c, fixed_random, &random_value), rows[i].want);
	}
	uint64_t now = settled();
	struct ra_config c = config();
	c.adv.n_search = 1;
	c.adv.search[0] = "no name";
	assert_int_equal(ra_reconfigure(&ra, now, &c), -EINVAL);
	c = config();
	static char url[1500];
	memset(url, 'x', sizeof url - 1);
	c.adv.captive_portal = url;
	assert_int_equal(ra_reconfigure(&ra, now, &c), -EMSGSIZE);
	assert_int_equal(ra_deadline(&ra), now + 200000);
	assert_one_multicast(now + 200000); /* goes on with what it had */
	assert_int_equal(sent().router_lft_s, 1800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_nothing_without_a_link, setup),
		cmocka_unit_test_setup(begins_with_a_burst, setup),
		cmocka_unit_test_setup(a_short_interval_is_kept_in_the_burst, setup),
		cmocka_unit_test_setup(missed_times_are_not_made_up_for, setup),
		cmocka_unit_test_setup(says_what_is_configured, setup),
		cmocka_unit_test_setup(a_solicitor_gets_its_own_answer, setup),
		cmocka_unit_test_setup(solicitations_of_one_host_are_joined, setup),
		cmocka_unit_test_setup(a_thousand_at_once_are_all_served, setup),
		cmocka_unit_test_setup(joins_among_thousands, setup),
		cmocka_unit_test_setup(answers_go_to_the_address_that_was_told, setup),
		cmocka_unit_test_setup(a_flood_is_bounded, setup),
		cmocka_unit_test_setup(
			a_station_gets_few_advertisements_a_second_whoever_asks_for_it, setup),
		cmocka_unit_test_setup(
			made_up_solicitations_get_so_many_unicast_answers_a_second_in_all, setup),
		cmocka_unit_test_setup(the_unspecified_are_answered_by_multicast, setup),
		cmocka_unit_test_setup(multicasts_are_three_seconds_apart, setup),
		cmocka_unit_test_setup(an_answer_joins_what_goes_soon_anyway, setup),
		cmocka_unit_test_setup(a_multicast_one_answers_those_that_wait, setup),
		cmocka_unit_test_setup(what_does_not_fit_goes_in_several_packets, setup),
		cmocka_unit_test_setup(the_undeliverable_share_a_multicast, setup),
		cmocka_unit_test_setup(impossible_sources_get_none, setup),
		cmocka_unit_test_setup(a_lost_uplink_is_withdrawn, setup),
		cmocka_unit_test_setup(an_uplink_that_flaps_is_told_each_three_seconds, setup),
		cmocka_unit_test_setup(the_same_state_again_is_no_news, setup),
		cmocka_unit_test_setup(lifetime_leaves_prefixes_alone, setup),
		cmocka_unit_test_setup(hold_says_nothing, setup),
		cmocka_unit_test_setup(says_farewell_once, setup),
		cmocka_unit_test_setup(a_farewell_can_leave_the_prefix_to_others, setup),
		cmocka_unit_test_setup(a_short_valid_lifetime_is_not_prolonged_by_the_farewell,
				       setup),
		cmocka_unit_test_setup(no_farewell_without_a_link, setup),
		cmocka_unit_test_setup(a_pulled_cable_forgets_and_a_plugged_one_bursts, setup),
		cmocka_unit_test_setup(a_plug_that_bounces_keeps_three_seconds, setup),
		cmocka_unit_test_setup(a_new_configuration_is_announced, setup),
		cmocka_unit_test_setup(faulty_configurations_are_refused, setup),
	};
	return cmocka_run_group_tests_name("ra", tests, NULL, NULL);
}
