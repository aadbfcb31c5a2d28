/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of router advertisements through whole lives: each byte is something that happens
 * (time goes by, somebody solicits, the link or the uplink comes or goes, a new configuration, the
 * end). What must hold whatever happens, by RFC 4861 §6.2, is checked after every step.
 */
#include "fuzz/fuzz.h"
#include "engine/ra.h"

#include <string.h>

enum { SOLICITORS = 16, LATEST_MULTICAST_MS = MIN_DELAY_BETWEEN_RAS_MS + MAX_RA_DELAY_TIME_MS };

struct life {
	uint64_t now_ms;
	uint64_t seed;
	bool link_up;
	bool uplink_works;
	bool stopped;
	bool multicast_sent;
	uint64_t last_multicast_ms;
	bool asked[SOLICITORS]; /* by unicast, and not answered yet */
	uint64_t asked_at_ms[SOLICITORS];
	bool all_asked; /* from ::, and no multicast since */
	uint64_t all_asked_at_ms;
};

static struct ra ra;
static struct ra_out out;

static uint32_t seeded_random(void *arg)
{
	uint64_t *seed = (uint64_t *)arg;
	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*seed >> 32);
}

static struct in6_addr solicitor(unsigned i)
{
	return (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [15] = (uint8_t)(i + 1) } };
}

static struct ra_config config_of(uint8_t choice)
{
	struct ra_config c = {
		.max_rtr_adv_interval_s = choice & 1 ? 600 : 4,
		.min_rtr_adv_interval_s = choice & 1 ? 200 : 3,
		.uplink_loss = (enum ra_uplink_loss)(choice >> 1 & 1), /* withdraw or lifetime */
		.deprecate_on_stop = choice & 4,
	};
	c.max_bytes = ND_PACKET_BYTES;
	c.adv.router_lft_s = 1800;
	c.adv.mtu = choice & 8 ? 1420 : 1400;
	c.adv.n_prefixes = 1;
	c.adv.prefixes[0] = (struct nd_prefix_info){
		.prefix = { { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8 } }, 64 },
		.autonomous = true,
		.valid_lft_s = 14400,
		.preferred_lft_s = 1800,
	};
	return c;
}

static struct nd_ra sent(void)
{
	struct nd_ra got;
	struct pkt_meta m = { .src = solicitor(0), .hop_limit = 255 };
	FUZZ_CHECK(out.packets->n == 1);
	FUZZ_CHECK(nd_parse_ra(rd_of(out.packets->packets[0].bytes, out.packets->packets[0].len),
			       &m, &got) == ND_OK);
	return got;
}

static void forget_solicitors(struct life *l)
{
	memset(l->asked, 0, sizeof l->asked);
	l->all_asked = false;
}

static void check_out(struct life *l)
{
	for (size_t i = 0; i < out.n; i++) {
		if (IN6_IS_ADDR_MULTICAST(&out.dst[i].addr)) {
			FUZZ_CHECK(!l->multicast_sent ||
				   l->now_ms - l->last_multicast_ms >= MIN_DELAY_BETWEEN_RAS_MS);
			l->multicast_sent = true;
			l->last_multicast_ms = l->now_ms;
			forget_solicitors(l); /* it is everybody's answer */
			continue;
		}
		unsigned who = out.dst[i].addr.s6_addr[15] - 1U;
		FUZZ_CHECK(who < SOLICITORS && l->asked[who]);
		FUZZ_CHECK(l->now_ms - l->asked_at_ms[who] <= RA_UNICAST_DELAY_MS);
		l->asked[who] = false;
	}
	if (out.n > 0)
		FUZZ_CHECK((sent().router_lft_s > 0) == l->uplink_works);
}

/* Everything that is due until `until_ms`, at its own time. */
static void live(struct life *l, uint64_t until_ms)
{
	for (unsigned steps = 0; ra_deadline(&ra) <= until_ms; steps++) {
		FUZZ_CHECK(steps < 100000);
		if (ra_deadline(&ra) > l->now_ms)
			l->now_ms = ra_deadline(&ra);
		ra_tick(&ra, l->now_ms, &out);
		FUZZ_CHECK(out.n > 0);
		FUZZ_CHECK(l->link_up && !l->stopped);
		check_out(l);
		FUZZ_CHECK(out.n == RA_OUT_MAX || ra_deadline(&ra) > l->now_ms);
	}
	l->now_ms = until_ms;
	ra_tick(&ra, l->now_ms, &out);
	FUZZ_CHECK(out.n == 0);
	for (unsigned i = 0; i < SOLICITORS; i++)
		FUZZ_CHECK(!l->asked[i] || l->now_ms - l->asked_at_ms[i] <= RA_UNICAST_DELAY_MS);
	FUZZ_CHECK(!l->all_asked || l->now_ms - l->all_asked_at_ms <= LATEST_MULTICAST_MS);
	FUZZ_CHECK((ra_deadline(&ra) != UINT64_MAX) == (l->link_up && !l->stopped));
}

static void ask(struct life *l, unsigned who)
{
	struct pkt_meta m = { .ifindex = 1, .src = solicitor(who), .hop_limit = 255 };
	struct nd_rs rs = { 0 };
	FUZZ_CHECK(ra_input(&ra, l->now_ms, &m, &rs) == (l->link_up && !l->stopped));
	if (l->link_up && !l->stopped && !l->asked[who]) {
		l->asked[who] = true;
		l->asked_at_ms[who] = l->now_ms;
	}
}

static void ask_from_nowhere(struct life *l)
{
	struct pkt_meta m = { .ifindex = 1, .hop_limit = 255 };
	struct nd_rs rs = { 0 };
	bool heard = ra_input(&ra, l->now_ms, &m, &rs);
	FUZZ_CHECK(heard == (l->link_up && !l->stopped));
	if (heard && !l->all_asked) {
		l->all_asked = true;
		l->all_asked_at_ms = l->now_ms;
	}
}

static void stop(struct life *l)
{
	ra_stop(&ra, &out);
	FUZZ_CHECK(out.n == (l->link_up && !l->stopped));
	if (out.n > 0)
		FUZZ_CHECK(sent().router_lft_s == 0);
	l->stopped = true;
	forget_solicitors(l);
}

static void happen(struct life *l, uint8_t what)
{
	uint8_t arg = what & 15;
	struct ra_config c;
	switch (what >> 4) {
	case 0: /* milliseconds */
		live(l, l->now_ms + arg);
		break;
	case 1: /* tenths of a second */
		live(l, l->now_ms + (uint64_t)arg * 100);
		break;
	case 2: /* minutes */
		live(l, l->now_ms + (uint64_t)arg * 60000);
		break;
	case 3:
	case 4:
	case 5:
		ask(l, arg);
		break;
	case 6:
		ask_from_nowhere(l);
		break;
	case 7:
		ra_link_up(&ra, l->now_ms);
		l->link_up = true;
		break;
	case 8:
		ra_link_down(&ra);
		l->link_up = false;
		forget_solicitors(l);
		break;
	case 9:
		l->uplink_works = arg & 1;
		ra_set_uplink(&ra, l->now_ms, l->uplink_works);
		break;
	case 10:
		c = config_of(arg);
		FUZZ_CHECK(ra_reconfigure(&ra, l->now_ms, &c) == 0);
		break;
	case 11:
		if (arg == 0)
			stop(l);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct life l = { .now_ms = 1000, .seed = size, .uplink_works = true };
	struct ra_config c = config_of(size > 0 ? data[0] : 0);
	FUZZ_CHECK(ra_init(&ra, &c, seeded_random, &l.seed) == 0);
	for (size_t i = 0; i < size && i < 512; i++)
		happen(&l, data[i]);
	stop(&l);
	live(&l, l.now_ms + 3600000);
	return 0;
}
