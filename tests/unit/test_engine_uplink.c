/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uplink's states by a clock of our own. WireGuard's part is played by counters. */
#include "unit.h"

#include "engine/uplink.h"

static struct uplink up;
static uint64_t now;
static struct uplink_counters wg;

enum {
	KEEPALIVE = 32,
	INITIATION = 148,
	RESPONSE = 92,
	DATA = 128,
	DELAY_MS = 3000,
};

static const struct uplink_settings plain = {
	.present = true, .keepalive_s = 25, .probe_interval_ms = 5000, .loss_delay_ms = DELAY_MS
};

static void begin(const struct uplink_settings *s)
{
	now = 1000000;
	wg = (struct uplink_counters){ 0 };
	uplink_init(&up, s, now);
}

static void made(void)
{
	wg = (struct uplink_counters){ 0 };
	uplink_made(&up, now);
}

/* Looks at the counters every second, as the daemon does where there is doubt. */
static void pass_s(unsigned s)
{
	for (unsigned i = 0; i < s; i++) {
		now += 1000;
		uplink_count(&up, now, &wg);
	}
}

static void traffic(uint64_t sent, uint64_t heard)
{
	wg.tx_bytes += sent;
	wg.rx_bytes += heard;
	uplink_count(&up, now, &wg);
}

static void handshake(void)
{
	wg.handshake_unix_s = now / 1000;
	traffic(INITIATION + KEEPALIVE, RESPONSE);
}

static void connected(const struct uplink_settings *s)
{
	begin(s);
	made();
	now += 200;
	handshake();
	assert_int_equal(up.state, UPLINK_UP);
}

static void state_is(enum uplink_state s, enum uplink_cause why)
{
	assert_string_equal(uplink_state_name(up.state), uplink_state_name(s));
	assert_int_equal(up.reason.cause, why);
}

static void a_suspend_is_no_evidence_but_what_follows_is(void **state)
{
	(void)state;
	connected(&plain);
	pass_s(30);
	traffic(DATA, 0); /* and then the lid is closed */
	now += 3600 * 1000;
	uplink_slept(&up, now);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	pass_s(60);
	assert_int_equal(up.state, UPLINK_UP);
	traffic(DATA, 0); /* now it counts */
	pass_s(UPLINK_SILENT_MS / 1000 + 1);
	state_is(UPLINK_STALE, UPLINK_UNANSWERED);
	/* One that nobody uses is found out by its session, which is to be renewed from now on. */
	connected(&plain);
	pass_s(30);
	now += 3600 * 1000;
	uplink_slept(&up, now);
	assert_in_range(uplink_deadline(&up), now + UPLINK_SESSION_MS, now + 2 * UPLINK_SESSION_MS);
	pass_s((UPLINK_SESSION_MS + UPLINK_SESSION_SLACK_MS) / 1000 + plain.keepalive_s - 1);
	assert_int_equal(up.state, UPLINK_UP);
	pass_s(2);
	state_is(UPLINK_STALE, UPLINK_SESSION_OVER);
	assert_in_range(up.reason.handshake_age_ms, 3600 * 1000, 3600 * 1000 * 2);
	/* What had failed before it has its patience anew. */
	pass_s(1);
	assert_false(up.lost);
	now += 3600 * 1000;
	uplink_slept(&up, now);
	assert_false(up.lost);
	pass_s(DELAY_MS / 1000);
	assert_true(up.lost);
}

static void without_an_uplink_none_is_ever_lost(void **state)
{
	(void)state;
	const struct uplink_settings none = { .present = false, .probed = true };
	uint16_t seq;
	begin(&none);
	uplink_made(&up, now);
	uplink_gone(&up, now);
	now += 10000000;
	uplink_tick(&up, now);
	state_is(UPLINK_NONE, UPLINK_NO_TUNNEL);
	assert_false(up.lost);
	assert_false(uplink_probe_due(&up, now, &seq));
	assert_true(uplink_deadline(&up) == UINT64_MAX);
}

static void a_new_tunnel_connects_and_is_up_with_its_first_handshake(void **state)
{
	(void)state;
	begin(&plain);
	state_is(UPLINK_DOWN, UPLINK_INTERFACE_GONE);
	made();
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	assert_int_equal(uplink_poll_ms(&up, now), UPLINK_POLL_QUICK_MS);
	now += 100;
	traffic(INITIATION, 0);
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	now += 100;
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	assert_int_equal(up.changed_at_ms, now);
	assert_int_equal(up.changes, 2);
	assert_int_equal(uplink_poll_ms(&up, now), UPLINK_POLL_MS);
	assert_false(up.lost);
}

static void a_name_is_resolved_before_it_connects(void **state)
{
	(void)state;
	begin(&plain);
	uplink_set_resolving(&up, now, true);
	state_is(UPLINK_DOWN, UPLINK_INTERFACE_GONE);
	made();
	state_is(UPLINK_RESOLVING, UPLINK_NAME_WANTED);
	now += 500;
	uplink_set_resolving(&up, now, false);
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	uplink_set_resolving(&up, now, true);
	state_is(UPLINK_RESOLVING, UPLINK_NAME_WANTED);
	/* The provider called us. */
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	uplink_set_resolving(&up, now, false);
	uplink_set_resolving(&up, now, true);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
}

static void a_name_that_is_not_found_costs_the_benefit_of_the_doubt(void **state)
{
	(void)state;
	begin(&plain);
	uplink_set_resolving(&up, now, true);
	made();
	pass_s(UPLINK_GRACE_MS / 1000 - 1);
	assert_false(up.lost);
	pass_s(1);
	assert_true(up.lost);
	state_is(UPLINK_RESOLVING, UPLINK_NAME_WANTED);
}

static void a_provider_that_never_answers_is_given_up_for_the_time_being(void **state)
{
	(void)state;
	begin(&plain);
	made();
	now += 250;
	traffic(INITIATION, 0);
	uint64_t asked = now;
	while (now - asked < UPLINK_GRACE_MS - 1000) {
		pass_s(1);
		assert_false(up.lost);
	}
	pass_s(1);
	assert_true(up.lost);
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	assert_true(uplink_deadline(&up) == asked + UPLINK_GIVE_UP_MS);
	pass_s((UPLINK_GIVE_UP_MS - UPLINK_GRACE_MS) / 1000 - 1);
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	pass_s(1);
	state_is(UPLINK_DOWN, UPLINK_GAVE_UP);
	assert_int_equal(up.reason.ms, UPLINK_GIVE_UP_MS);
	assert_int_equal(up.reason.handshake_age_ms, 0);
	assert_int_equal(up.reason.bytes, INITIATION);
	/* WireGuard goes on calling with every keepalive. */
	pass_s(100);
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	assert_false(up.lost);
	assert_int_equal(up.losses, 1);
}

/* WIREGUARD_KEEPALIVE=0: nothing goes before a subscriber sends something. */
static void a_new_tunnel_that_nobody_uses_is_not_lost(void **state)
{
	(void)state;
	struct uplink_settings quiet = plain;
	quiet.keepalive_s = 0;
	begin(&quiet);
	made();
	pass_s(3600);
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	assert_false(up.lost);
	assert_true(uplink_deadline(&up) == UINT64_MAX);
	traffic(INITIATION, 0);
	pass_s(UPLINK_GRACE_MS / 1000);
	assert_true(up.lost);
}

static void an_idle_tunnel_without_keepalive_stays_up_however_old_its_handshake(void **state)
{
	(void)state;
	struct uplink_settings quiet = plain;
	quiet.keepalive_s = 0;
	connected(&quiet);
	pass_s(24 * 3600);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	assert_false(up.lost);
	assert_int_equal(uplink_poll_ms(&up, now), UPLINK_POLL_MS);
}

static void keepalives_alone_need_no_answer(void **state)
{
	(void)state;
	connected(&plain);
	/* A session of ours is renewed by the first keepalive after 120 s, one that the provider
	 * began by the first after its end. */
	for (unsigned minute = 0; minute < 60; minute++) {
		for (unsigned i = 0; i < 8; i++) {
			pass_s(25);
			traffic(KEEPALIVE, 0);
			state_is(UPLINK_UP, UPLINK_HANDSHAKE);
			assert_true(up.asked_at_ms == 0);
		}
		handshake();
	}
}

static void traffic_that_is_answered_keeps_it_up(void **state)
{
	(void)state;
	connected(&plain);
	for (unsigned i = 0; i < 100; i++) {
		pass_s(3);
		traffic(10 * DATA, 0);
		assert_int_equal(uplink_poll_ms(&up, now), UPLINK_POLL_DOUBT_MS);
		pass_s(10); /* KEEPALIVE_TIMEOUT */
		traffic(0, KEEPALIVE);
		assert_int_equal(uplink_poll_ms(&up, now), UPLINK_POLL_MS);
		if (i % 9 == 8)
			handshake();
	}
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
}

static void traffic_without_an_answer_makes_it_stale_then_down(void **state)
{
	(void)state;
	connected(&plain);
	pass_s(40);
	traffic(3 * DATA, 0);
	uint64_t asked = now;
	assert_true(uplink_deadline(&up) == asked + UPLINK_SILENT_MS);
	pass_s(UPLINK_SILENT_MS / 1000 - 1);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	traffic(2 * INITIATION, 0);
	pass_s(1);
	state_is(UPLINK_STALE, UPLINK_UNANSWERED);
	assert_int_equal(up.reason.ms, UPLINK_SILENT_MS);
	assert_int_equal(up.reason.bytes, 3 * DATA + 2 * INITIATION);
	assert_int_equal(up.reason.handshake_age_ms, 40000 + UPLINK_SILENT_MS);
	assert_false(up.lost);
	pass_s(DELAY_MS / 1000 - 1);
	assert_false(up.lost);
	pass_s(1);
	assert_true(up.lost);
	pass_s(UPLINK_GIVE_UP_MS / 1000);
	state_is(UPLINK_DOWN, UPLINK_GAVE_UP);
	assert_true(up.lost);
	assert_int_equal(up.losses, 1);
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	assert_false(up.lost);
}

static void a_loss_shorter_than_the_delay_is_told_to_nobody(void **state)
{
	(void)state;
	connected(&plain);
	uplink_gone(&up, now);
	state_is(UPLINK_DOWN, UPLINK_INTERFACE_GONE);
	pass_s(1);
	made();
	now += DELAY_MS - 1500;
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	pass_s(10);
	assert_false(up.lost);
	assert_int_equal(up.losses, 0);
}

static void an_interface_that_goes_is_down_at_once_and_lost_after_the_delay(void **state)
{
	(void)state;
	connected(&plain);
	uplink_gone(&up, now);
	assert_true(uplink_deadline(&up) == now + DELAY_MS);
	/* A new one says nothing by itself. */
	now += 1000;
	made();
	state_is(UPLINK_CONNECTING, UPLINK_NO_HANDSHAKE_YET);
	now += DELAY_MS - 1001;
	uplink_tick(&up, now);
	assert_false(up.lost);
	now += 1;
	uplink_tick(&up, now);
	assert_true(up.lost);
}

/* Lost and back: how long after its handshake the return was believed, in seconds. */
static unsigned lose_and_return(void)
{
	unsigned s = 0;
	uplink_gone(&up, now);
	pass_s(DELAY_MS / 1000);
	assert_true(up.lost);
	made();
	now += 100;
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	for (; up.lost; s++) {
		assert_true(uplink_deadline(&up) > now);
		pass_s(1);
	}
	return s;
}

static void an_uplink_that_flaps_must_work_ever_longer_to_return(void **state)
{
	(void)state;
	static const unsigned proofs_s[] = { 0, 10, 20, 40, 80, 160, 160 };
	connected(&plain);
	for (size_t i = 0; i < sizeof proofs_s / sizeof *proofs_s; i++) {
		assert_int_equal(lose_and_return(), proofs_s[i]);
		pass_s(20);
	}
	/* Lost while it proves itself: that is the same loss. */
	uplink_gone(&up, now);
	pass_s(DELAY_MS / 1000);
	made();
	now += 100;
	handshake();
	uint64_t losses = up.losses;
	pass_s(100);
	uplink_gone(&up, now);
	pass_s(60);
	assert_true(up.lost);
	assert_int_equal(up.losses, losses);
	assert_int_equal(lose_and_return(), 160);
	for (unsigned s = 0; s < UPLINK_FLAP_MS / 1000; s += 100) {
		handshake();
		pass_s(100);
	}
	assert_int_equal(lose_and_return(), 0);
}

static void who_only_begins_handshakes_does_not_hear_us(void **state)
{
	(void)state;
	connected(&plain);
	pass_s(30);
	traffic(DATA, 0);
	for (unsigned i = 0; i < 5; i++) {
		pass_s(5);
		traffic(RESPONSE, INITIATION);
	}
	state_is(UPLINK_STALE, UPLINK_UNANSWERED);
	/* and one more of those is no return */
	traffic(RESPONSE, INITIATION);
	state_is(UPLINK_STALE, UPLINK_UNANSWERED);
}

static void with_a_keepalive_a_session_does_not_get_old(void **state)
{
	(void)state;
	connected(&plain);
	uint64_t limit_s = (UPLINK_SESSION_MS + UPLINK_SESSION_SLACK_MS) / 1000 + plain.keepalive_s;
	/* As if the attempts to begin another were not counted. */
	for (uint64_t s = 1; s < limit_s; s++)
		pass_s(1);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	pass_s(1);
	state_is(UPLINK_STALE, UPLINK_SESSION_OVER);
	assert_int_equal(up.reason.handshake_age_ms, limit_s * 1000);
}

/* Its time is that of the wall clock; only that it is another one counts. */
static void a_wall_clock_that_is_set_changes_nothing(void **state)
{
	(void)state;
	begin(&plain);
	made();
	now += 200;
	wg.handshake_unix_s = 5;
	traffic(INITIATION, RESPONSE);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	pass_s(100);
	assert_int_equal(now - up.handshake_at_ms, 100000);
	wg.handshake_unix_s = UINT64_C(1) << 40;
	traffic(INITIATION, RESPONSE);
	assert_int_equal(up.handshake_at_ms, now);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
}

static void a_dead_tunnel_that_nothing_goes_over_is_knocked_at(void **state)
{
	(void)state;
	struct uplink_settings quiet = plain;
	uint16_t seq;
	quiet.keepalive_s = 0;
	connected(&quiet);
	assert_false(uplink_probe_due(&up, now, &seq));
	traffic(DATA, 0);
	pass_s(UPLINK_SILENT_MS / 1000);
	state_is(UPLINK_STALE, UPLINK_UNANSWERED);
	assert_true(uplink_probe_due(&up, now, &seq));
	assert_false(uplink_probe_due(&up, now, &seq));
	assert_true(uplink_deadline(&up) <= now + UPLINK_KNOCK_MS);
	now += UPLINK_KNOCK_MS;
	assert_true(uplink_probe_due(&up, now, &seq));
	struct uplink_probe_stats stats;
	uplink_probe_stats(&up, &stats);
	assert_int_equal(stats.sent, 0);
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	now += UPLINK_KNOCK_MS;
	assert_false(uplink_probe_due(&up, now, &seq));
}

/* --- with probes
 * --------------------------------------------------------------------------------------------- */

static struct uplink_settings probed(void)
{
	struct uplink_settings s = plain;
	s.probed = true;
	return s;
}

/* Runs by the engine's own deadlines until `until`; the other end answers after rtt_ms, or not at
 * all where that is 0. Returns how many were sent. */
static unsigned run_until(uint64_t until, uint32_t rtt_ms)
{
	unsigned sent = 0;
	while (now < until) {
		uint16_t seq;
		while (uplink_probe_due(&up, now, &seq)) {
			sent++;
			if (!rtt_ms)
				continue;
			now += rtt_ms;
			assert_true(uplink_probe_answered(&up, now, seq, rtt_ms * 1000));
			assert_false(uplink_probe_answered(&up, now, seq, rtt_ms * 1000));
		}
		uint64_t at = uplink_deadline(&up);
		now = at > now ? at : now + 1;
	}
	now = until;
	uplink_tick(&up, now);
	return sent;
}

static void probes_go_at_their_interval_while_all_is_well(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	connected(&s);
	unsigned n = run_until(now + 600000, 20);
	assert_in_range(n, 115, 121);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	struct uplink_probe_stats stats;
	uplink_probe_stats(&up, &stats);
	assert_int_equal(stats.answered, stats.sent);
	assert_int_equal(stats.loss_permille, 0);
	assert_int_equal(stats.window, UPLINK_PROBE_WINDOW);
	assert_int_equal(stats.rtt_min_us, 20000);
	assert_int_equal(stats.rtt_max_us, 20000);
	assert_int_equal(stats.rtt_smoothed_us, 20000);
}

static void three_probes_in_a_row_without_an_answer_make_it_stale(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	connected(&s);
	run_until(now + 60000, 20);
	uint64_t from = now;
	while (up.state == UPLINK_UP)
		run_until(now + 10, 0);
	state_is(UPLINK_STALE, UPLINK_PROBES_UNANSWERED);
	assert_int_equal(up.reason.n, UPLINK_PROBES_LOST);
	/* An interval at most to the first, one second's wait, two more in a hurry. */
	assert_true(now - from <= s.probe_interval_ms + 3 * UPLINK_PROBE_WAIT_MIN_MS + 100);
	assert_false(up.lost);
	run_until(now + DELAY_MS, 0);
	assert_true(up.lost);
	run_until(now + UPLINK_GIVE_UP_MS, 0);
	state_is(UPLINK_DOWN, UPLINK_GAVE_UP);
}

static void two_lost_probes_are_none_of_three(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	connected(&s);
	for (unsigned i = 0; i < 50; i++) {
		run_until(now + 10000, 20);
		while (up.lost_in_row < 2)
			run_until(now + 10, 0);
		run_until(now + 1500, 20);
		assert_int_equal(up.lost_in_row, 0);
	}
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	struct uplink_probe_stats stats;
	uplink_probe_stats(&up, &stats);
	assert_in_range(stats.loss_permille, 200, 600);
}

static void it_takes_three_answers_in_a_row_to_come_back(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	connected(&s);
	run_until(now + 10000, 20);
	run_until(now + 20000, 0);
	assert_true(up.lost);
	/* A handshake alone is not what was asked for. */
	handshake();
	state_is(UPLINK_STALE, UPLINK_PROBES_UNANSWERED);
	/* Nor is every third answer. */
	for (unsigned i = 0; i < 5; i++) {
		while (up.answered_in_row < 2)
			run_until(now + 10, 20);
		run_until(now + 2500, 0);
		state_is(UPLINK_STALE, UPLINK_PROBES_UNANSWERED);
	}
	uint64_t from = now;
	while (up.state != UPLINK_UP)
		run_until(now + 10, 20);
	state_is(UPLINK_UP, UPLINK_ANSWERED);
	assert_int_equal(up.reason.n, UPLINK_PROBES_ANSWERED);
	assert_true(now - from <= 3 * UPLINK_PROBE_HURRY_MS + 100);
	assert_false(up.lost);
	run_until(now + 60000, 20);
	state_is(UPLINK_UP, UPLINK_ANSWERED);
}

static void what_is_down_for_long_is_asked_at_the_interval_and_back_in_a_hurry(void **state)
{
	(void)state;
	struct uplink_settings s = probed();
	s.probe_interval_ms = 30000;
	connected(&s);
	run_until(now + 300000, 0);
	state_is(UPLINK_DOWN, UPLINK_GAVE_UP);
	assert_in_range(run_until(now + 300000, 0), 9, 11);
	uint64_t from = now;
	while (up.state != UPLINK_UP)
		run_until(now + 10, 20);
	assert_true(now - from <= s.probe_interval_ms + 2 * UPLINK_PROBE_HURRY_MS + 100);
}

static void a_slow_path_is_given_the_time_that_it_takes(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	connected(&s);
	/* A satellite: nearly at the bound from the first on, then beyond it. */
	run_until(now + 100000, 900);
	run_until(now + 100000, 1500);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	struct uplink_probe_stats stats;
	uplink_probe_stats(&up, &stats);
	assert_int_equal(stats.rtt_last_us, 1500000);
	assert_int_equal(stats.rtt_min_us, 900000);
}

static void a_late_answer_is_an_answer(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	uint16_t seq;
	connected(&s);
	assert_true(uplink_probe_due(&up, now, &seq));
	now += UPLINK_PROBE_WAIT_MIN_MS;
	uplink_tick(&up, now);
	assert_int_equal(up.lost_in_row, 1);
	now += 500;
	assert_true(uplink_probe_answered(&up, now, seq, 1500000));
	assert_int_equal(up.lost_in_row, 0);
	struct uplink_probe_stats stats;
	uplink_probe_stats(&up, &stats);
	assert_int_equal(stats.loss_permille, 0);
}

static void answers_that_nobody_waits_for_are_none(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	uint16_t seq, other;
	connected(&s);
	assert_false(uplink_probe_answered(&up, now, 0, 1));
	assert_true(uplink_probe_due(&up, now, &seq));
	assert_false(uplink_probe_answered(&up, now, (uint16_t)(seq + 1), 1));
	assert_false(uplink_probe_answered(&up, now, (uint16_t)(seq + UPLINK_PROBE_WINDOW), 1));
	for (unsigned i = 0; i < UPLINK_PROBE_WINDOW; i++) {
		now += 5000;
		assert_true(uplink_probe_due(&up, now, &other));
	}
	assert_false(uplink_probe_answered(&up, now, seq, 1)); /* its place is another's */
	assert_int_equal(up.probes_answered, 0);
}

static void probes_of_the_tunnel_before_do_not_count_against_the_new_one(void **state)
{
	(void)state;
	struct uplink_settings s = probed();
	s.probe_interval_ms = 1000;
	uint16_t seq;
	connected(&s);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(uplink_probe_due(&up, now, &seq));
		now += 1000;
	}
	assert_true(uplink_probe_due(&up, now, &seq));
	uplink_gone(&up, now);
	made();
	now += 100;
	handshake();
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	run_until(now + 3000, 20);
	state_is(UPLINK_UP, UPLINK_HANDSHAKE);
	assert_int_equal(up.lost_in_row, 0);
}

static void nothing_is_sent_before_the_endpoint_has_an_address(void **state)
{
	(void)state;
	const struct uplink_settings s = probed();
	uint16_t seq;
	begin(&s);
	assert_false(uplink_probe_due(&up, now, &seq));
	uplink_set_resolving(&up, now, true);
	made();
	assert_false(uplink_probe_due(&up, now, &seq));
	uplink_set_resolving(&up, now, false);
	assert_true(uplink_probe_due(&up, now, &seq));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_uplink_none_is_ever_lost),
		cmocka_unit_test(a_new_tunnel_connects_and_is_up_with_its_first_handshake),
		cmocka_unit_test(a_name_is_resolved_before_it_connects),
		cmocka_unit_test(a_name_that_is_not_found_costs_the_benefit_of_the_doubt),
		cmocka_unit_test(a_provider_that_never_answers_is_given_up_for_the_time_being),
		cmocka_unit_test(a_new_tunnel_that_nobody_uses_is_not_lost),
		cmocka_unit_test(
			an_idle_tunnel_without_keepalive_stays_up_however_old_its_handshake),
		cmocka_unit_test(keepalives_alone_need_no_answer),
		cmocka_unit_test(traffic_that_is_answered_keeps_it_up),
		cmocka_unit_test(traffic_without_an_answer_makes_it_stale_then_down),
		cmocka_unit_test(a_loss_shorter_than_the_delay_is_told_to_nobody),
		cmocka_unit_test(an_interface_that_goes_is_down_at_once_and_lost_after_the_delay),
		cmocka_unit_test(an_uplink_that_flaps_must_work_ever_longer_to_return),
		cmocka_unit_test(who_only_begins_handshakes_does_not_hear_us),
		cmocka_unit_test(with_a_keepalive_a_session_does_not_get_old),
		cmocka_unit_test(a_suspend_is_no_evidence_but_what_follows_is),
		cmocka_unit_test(a_wall_clock_that_is_set_changes_nothing),
		cmocka_unit_test(a_dead_tunnel_that_nothing_goes_over_is_knocked_at),
		cmocka_unit_test(probes_go_at_their_interval_while_all_is_well),
		cmocka_unit_test(three_probes_in_a_row_without_an_answer_make_it_stale),
		cmocka_unit_test(two_lost_probes_are_none_of_three),
		cmocka_unit_test(it_takes_three_answers_in_a_row_to_come_back),
		cmocka_unit_test(
			what_is_down_for_long_is_asked_at_the_interval_and_back_in_a_hurry),
		cmocka_unit_test(a_slow_path_is_given_the_time_that_it_takes),
		cmocka_unit_test(a_late_answer_is_an_answer),
		cmocka_unit_test(answers_that_nobody_waits_for_are_none),
		cmocka_unit_test(probes_of_the_tunnel_before_do_not_count_against_the_new_one),
		cmocka_unit_test(nothing_is_sent_before_the_endpoint_has_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
