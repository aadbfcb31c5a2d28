/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/uplink.h"

#include <string.h>

enum {
	KEEPALIVE_BYTES = 32,   /* a data message without content */
	INITIATION_BYTES = 148, /* of a handshake: who sends one asks, and answers nothing */
};

const char *uplink_state_name(enum uplink_state s)
{
	static const char *const names[UPLINK_STATES] = { "none", "resolving", "connecting",
							  "up",   "stale",     "down" };
	return (unsigned)s < UPLINK_STATES ? names[s] : "unknown";
}

/* --- loss
 * ---------------------------------------------------------------------------------------------------
 */

static void begin_failing(struct uplink *u, uint64_t since_ms)
{
	if (u->failing)
		return;
	u->failing = true;
	u->failing_since_ms = since_ms;
}

static uint64_t patience_ms(const struct uplink *u)
{
	uint64_t delay_ms = u->settings.loss_delay_ms;
	return !u->was_up && delay_ms < UPLINK_GRACE_MS ? UPLINK_GRACE_MS : delay_ms;
}

static void lose(struct uplink *u, uint64_t now_ms)
{
	bool flaps = u->returned_at_ms && now_ms < u->returned_at_ms + UPLINK_FLAP_MS;
	u->lost = true;
	u->losses++;
	u->prove_ms = !flaps                                  ? 0
		      : !u->prove_ms                          ? UPLINK_PROVE_MIN_MS
		      : 2 * u->prove_ms < UPLINK_PROVE_MAX_MS ? 2 * u->prove_ms
							      : UPLINK_PROVE_MAX_MS;
}

static void judge_loss(struct uplink *u, uint64_t now_ms)
{
	switch (u->state) {
	case UPLINK_NONE:
	case UPLINK_UP:
		u->was_up = true;
		u->failing = false;
		if (u->lost && now_ms >= u->changed_at_ms + u->prove_ms) {
			u->lost = false;
			u->returned_at_ms = now_ms;
		}
		return;
	case UPLINK_CONNECTING:
		/* A new tunnel that nobody has used yet says nothing, neither for nor against. */
		if (u->asked_at_ms)
			begin_failing(u, u->asked_at_ms);
		break;
	default:
		begin_failing(u, now_ms);
		break;
	}
	if (u->failing && !u->lost && now_ms >= u->failing_since_ms + patience_ms(u))
		lose(u, now_ms);
}

/* --- states
 * -------------------------------------------------------------------------------------------------
 */

static void enter(struct uplink *u, uint64_t now_ms, enum uplink_state to,
		  const struct uplink_reason *why)
{
	u->state = to;
	u->reason = *why;
	u->changed_at_ms = now_ms;
	u->changes++;
	u->lost_in_row = 0;
	u->answered_in_row = 0;
	u->row_begins_ms = now_ms;
	if (to == UPLINK_UP)
		u->next_probe_ms = now_ms;
}

static uint64_t handshake_age_ms(const struct uplink *u, uint64_t now_ms)
{
	return u->handshake_at_ms ? now_ms - u->handshake_at_ms : 0;
}

/* Since when a session can have been renewed and was not. */
static uint64_t session_since_ms(const struct uplink *u)
{
	return u->handshake_at_ms > u->woke_at_ms ? u->handshake_at_ms : u->woke_at_ms;
}

static uint64_t unanswered_bytes(const struct uplink *u)
{
	return u->last.tx_bytes - u->tx_answered;
}

static bool gave_up(const struct uplink *u, uint64_t now_ms, uint64_t since_ms,
		    struct uplink_reason *why)
{
	if (now_ms < since_ms + UPLINK_GIVE_UP_MS)
		return false;
	*why = (struct uplink_reason){ .cause = UPLINK_GAVE_UP,
				       .ms = now_ms - since_ms,
				       .handshake_age_ms = handshake_age_ms(u, now_ms),
				       .bytes = unanswered_bytes(u) };
	return true;
}

static uint64_t session_ms(const struct uplink_settings *s)
{
	return UPLINK_SESSION_MS + UPLINK_SESSION_SLACK_MS + s->keepalive_s * UINT64_C(1000);
}

static enum uplink_state from_up(const struct uplink *u, uint64_t now_ms, struct uplink_reason *why)
{
	const struct uplink_settings *s = &u->settings;
	uint64_t age_ms = handshake_age_ms(u, now_ms);
	why->handshake_age_ms = age_ms;
	if (s->probed) {
		why->cause = UPLINK_PROBES_UNANSWERED;
		why->n = u->lost_in_row;
		return u->lost_in_row >= UPLINK_PROBES_LOST ? UPLINK_STALE : UPLINK_UP;
	}
	why->bytes = unanswered_bytes(u);
	if (u->asked_at_ms && now_ms >= u->asked_at_ms + UPLINK_SILENT_MS) {
		why->cause = UPLINK_UNANSWERED;
		why->ms = now_ms - u->asked_at_ms;
		return UPLINK_STALE;
	}
	if (s->keepalive_s && now_ms >= session_since_ms(u) + session_ms(s)) {
		why->cause = UPLINK_SESSION_OVER;
		return UPLINK_STALE;
	}
	return UPLINK_UP;
}

/* Back from stale or down, or from the one to the other. */
static enum uplink_state from_dead(const struct uplink *u, uint64_t now_ms,
				   struct uplink_reason *why)
{
	if (u->settings.probed && u->answered_in_row >= UPLINK_PROBES_ANSWERED) {
		*why = (struct uplink_reason){ .cause = UPLINK_ANSWERED, .n = u->answered_in_row };
		return UPLINK_UP;
	}
	if (!u->settings.probed && u->handshake_at_ms > u->changed_at_ms) {
		*why = (struct uplink_reason){ .cause = UPLINK_HANDSHAKE };
		return UPLINK_UP;
	}
	if (u->state == UPLINK_STALE && gave_up(u, now_ms, u->changed_at_ms, why))
		return UPLINK_DOWN;
	return u->state;
}

static enum uplink_state before_handshake(const struct uplink *u, uint64_t now_ms,
					  struct uplink_reason *why)
{
	if (u->handshake_at_ms) {
		why->cause = UPLINK_HANDSHAKE;
		return UPLINK_UP;
	}
	if (u->resolving) {
		why->cause = UPLINK_NAME_WANTED;
		return UPLINK_RESOLVING;
	}
	if (u->state == UPLINK_CONNECTING && u->asked_at_ms &&
	    gave_up(u, now_ms, u->asked_at_ms, why))
		return UPLINK_DOWN;
	why->cause = UPLINK_NO_HANDSHAKE_YET;
	return UPLINK_CONNECTING;
}

static enum uplink_state next_state(const struct uplink *u, uint64_t now_ms,
				    struct uplink_reason *why)
{
	if (!u->there) {
		why->cause = UPLINK_INTERFACE_GONE;
		return UPLINK_DOWN;
	}
	switch (u->state) {
	case UPLINK_RESOLVING:
	case UPLINK_CONNECTING:
		return before_handshake(u, now_ms, why);
	case UPLINK_UP:
		return from_up(u, now_ms, why);
	default:
		return from_dead(u, now_ms, why);
	}
}

static void settle(struct uplink *u, uint64_t now_ms)
{
	if (u->state != UPLINK_NONE) {
		struct uplink_reason why = { 0 };
		enum uplink_state to = next_state(u, now_ms, &why);
		if (to != u->state)
			enter(u, now_ms, to, &why);
	}
	judge_loss(u, now_ms);
}

void uplink_init(struct uplink *u, const struct uplink_settings *settings, uint64_t now_ms)
{
	memset(u, 0, sizeof *u);
	u->settings = *settings;
	u->state = settings->present ? UPLINK_DOWN : UPLINK_NONE;
	u->reason.cause = settings->present ? UPLINK_INTERFACE_GONE : UPLINK_NO_TUNNEL;
	u->changed_at_ms = now_ms;
}

void uplink_made(struct uplink *u, uint64_t now_ms)
{
	if (u->state == UPLINK_NONE)
		return;
	u->there = true;
	u->made_at_ms = u->counted_at_ms = now_ms;
	u->last = (struct uplink_counters){ 0 };
	u->handshake_at_ms = u->asked_at_ms = u->tx_answered = 0;
	const struct uplink_reason why = { .cause = u->resolving ? UPLINK_NAME_WANTED
								 : UPLINK_NO_HANDSHAKE_YET };
	enter(u, now_ms, u->resolving ? UPLINK_RESOLVING : UPLINK_CONNECTING, &why);
	settle(u, now_ms);
}

void uplink_gone(struct uplink *u, uint64_t now_ms)
{
	u->there = false;
	u->asked_at_ms = 0;
	settle(u, now_ms);
}

void uplink_set_resolving(struct uplink *u, uint64_t now_ms, bool resolving)
{
	u->resolving = resolving;
	settle(u, now_ms);
}

void uplink_slept(struct uplink *u, uint64_t now_ms)
{
	u->woke_at_ms = u->row_begins_ms = now_ms;
	u->asked_at_ms = 0;
	u->tx_answered = u->last.tx_bytes;
	u->lost_in_row = u->answered_in_row = 0;
	u->failing_since_ms = now_ms;
	for (size_t i = 0; i < UPLINK_PROBE_WINDOW; i++)
		if (u->probes[i].is == UPLINK_PROBE_OUT)
			u->probes[i].is = UPLINK_PROBE_UNUSED;
	settle(u, now_ms);
}

/* --- the tunnel's counters
 * --------------------------------------------------------------------------------- */

/* More than the keepalives that can have gone since the last look: ours, and the empty packet with
 * which WireGuard answers. */
static bool has_asked(const struct uplink *u, uint64_t since_ms, uint64_t sent_bytes)
{
	uint64_t keepalives = 2;
	if (u->settings.keepalive_s)
		keepalives += since_ms / 1000 / u->settings.keepalive_s;
	return sent_bytes > keepalives * KEEPALIVE_BYTES;
}

void uplink_count(struct uplink *u, uint64_t now_ms, const struct uplink_counters *c)
{
	if (!u->there) {
		settle(u, now_ms);
		return;
	}
	uint64_t sent = c->tx_bytes - u->last.tx_bytes, heard = c->rx_bytes - u->last.rx_bytes;
	uint64_t since_ms = now_ms - u->counted_at_ms;
	/* Somebody who only begins handshakes does not hear our answers: the way there is broken.
	 */
	if (heard % INITIATION_BYTES != 0) {
		u->asked_at_ms = 0;
		u->tx_answered = c->tx_bytes;
	} else if (!u->asked_at_ms && has_asked(u, since_ms, sent)) {
		u->asked_at_ms = now_ms;
	}
	if (c->handshake_unix_s && c->handshake_unix_s != u->last.handshake_unix_s)
		u->handshake_at_ms = now_ms;
	u->last = *c;
	u->counted_at_ms = now_ms;
	settle(u, now_ms);
}

uint64_t uplink_poll_ms(const struct uplink *u, uint64_t now_ms)
{
	if (u->state == UPLINK_CONNECTING && now_ms < u->made_at_ms + UPLINK_GRACE_MS)
		return UPLINK_POLL_QUICK_MS;
	return u->state == UPLINK_UP && !u->asked_at_ms ? UPLINK_POLL_MS : UPLINK_POLL_DOUBT_MS;
}

/* --- probes
 * -------------------------------------------------------------------------------------------------
 */

static struct uplink_probe *probe_of(struct uplink *u, uint16_t seq)
{
	return &u->probes[seq % UPLINK_PROBE_WINDOW];
}

/* RFC 6298 §2 */
static uint64_t probe_wait_ms(const struct uplink *u)
{
	uint64_t ms = ((uint64_t)u->rtt_smoothed_us + 4ULL * u->rtt_variation_us) / 1000;
	return ms < UPLINK_PROBE_WAIT_MIN_MS   ? UPLINK_PROBE_WAIT_MIN_MS
	       : ms > UPLINK_PROBE_WAIT_MAX_MS ? UPLINK_PROBE_WAIT_MAX_MS
					       : ms;
}

static void note_rtt(struct uplink *u, uint32_t rtt_us)
{
	u->rtt_last_us = rtt_us;
	if (u->probes_answered == 0) {
		u->rtt_smoothed_us = rtt_us;
		u->rtt_variation_us = rtt_us / 2;
		return;
	}
	uint32_t off = rtt_us > u->rtt_smoothed_us ? rtt_us - u->rtt_smoothed_us
						   : u->rtt_smoothed_us - rtt_us;
	u->rtt_variation_us = (uint32_t)((3ULL * u->rtt_variation_us + off) / 4);
	u->rtt_smoothed_us = (uint32_t)((7ULL * u->rtt_smoothed_us + rtt_us) / 8);
}

static bool knocks(const struct uplink *u)
{
	return !u->settings.probed && !u->settings.keepalive_s && u->there &&
	       (u->state == UPLINK_STALE || u->state == UPLINK_DOWN);
}

static bool probes(const struct uplink *u)
{
	return u->settings.probed && u->there && u->state != UPLINK_RESOLVING;
}

/* In doubt they go quickly, so that it is known within seconds which way it is. What has been down
 * for long is asked as often as what is up. */
static uint64_t probe_gap_ms(const struct uplink *u)
{
	bool doubt = u->state == UPLINK_UP     ? u->lost_in_row > 0
		     : u->state == UPLINK_DOWN ? u->answered_in_row > 0
					       : true;
	uint64_t ms = u->settings.probe_interval_ms;
	return doubt && ms > UPLINK_PROBE_HURRY_MS ? UPLINK_PROBE_HURRY_MS : ms;
}

bool uplink_probe_due(struct uplink *u, uint64_t now_ms, uint16_t *ret_seq)
{
	uplink_tick(u, now_ms);
	if ((!probes(u) && !knocks(u)) || now_ms < u->next_probe_ms)
		return false;
	uint16_t seq = u->next_seq++;
	*ret_seq = seq;
	if (knocks(u)) {
		u->next_probe_ms = now_ms + UPLINK_KNOCK_MS;
		return true;
	}
	*probe_of(u, seq) =
		(struct uplink_probe){ .is = UPLINK_PROBE_OUT, .seq = seq, .sent_at_ms = now_ms };
	u->probes_sent++;
	u->next_probe_ms = now_ms + probe_gap_ms(u);
	return true;
}

static void hurry(struct uplink *u, uint64_t now_ms)
{
	uint64_t at = now_ms + probe_gap_ms(u);
	if (at < u->next_probe_ms)
		u->next_probe_ms = at;
}

bool uplink_probe_answered(struct uplink *u, uint64_t now_ms, uint16_t seq, uint32_t rtt_us)
{
	struct uplink_probe *p = probe_of(u, seq);
	if (p->seq != seq || (p->is != UPLINK_PROBE_OUT && p->is != UPLINK_PROBE_LOST))
		return false;
	p->is = UPLINK_PROBE_BACK;
	p->rtt_us = rtt_us;
	note_rtt(u, rtt_us);
	u->probes_answered++;
	u->lost_in_row = 0;
	u->answered_in_row++;
	if (p->sent_at_ms >= u->row_begins_ms)
		u->row_begins_ms = p->sent_at_ms + 1;
	hurry(u, now_ms);
	settle(u, now_ms);
	return true;
}

static void give_probes_up(struct uplink *u, uint64_t now_ms)
{
	uint64_t wait_ms = probe_wait_ms(u);
	for (size_t i = 0; i < UPLINK_PROBE_WINDOW; i++) {
		struct uplink_probe *p = &u->probes[i];
		if (p->is != UPLINK_PROBE_OUT || now_ms < p->sent_at_ms + wait_ms)
			continue;
		p->is = UPLINK_PROBE_LOST;
		if (p->sent_at_ms < u->row_begins_ms)
			continue; /* a later one was answered, or it is of an earlier state */
		u->lost_in_row++;
		u->answered_in_row = 0;
		if (u->lost_in_row == 1 && u->state == UPLINK_UP)
			u->next_probe_ms = now_ms; /* the interval may be long */
	}
}

void uplink_tick(struct uplink *u, uint64_t now_ms)
{
	give_probes_up(u, now_ms);
	settle(u, now_ms);
}

static void sooner(uint64_t *at, uint64_t other)
{
	if (other < *at)
		*at = other;
}

uint64_t uplink_deadline(const struct uplink *u)
{
	uint64_t at = UINT64_MAX, wait_ms = probe_wait_ms(u);
	if (u->failing && !u->lost)
		at = u->failing_since_ms + patience_ms(u);
	if (u->lost && u->state == UPLINK_UP)
		sooner(&at, u->changed_at_ms + u->prove_ms);
	if (u->state == UPLINK_STALE)
		sooner(&at, u->changed_at_ms + UPLINK_GIVE_UP_MS);
	if (u->state == UPLINK_CONNECTING && u->asked_at_ms)
		sooner(&at, u->asked_at_ms + UPLINK_GIVE_UP_MS);
	if (u->state == UPLINK_UP && !u->settings.probed) {
		if (u->asked_at_ms)
			sooner(&at, u->asked_at_ms + UPLINK_SILENT_MS);
		if (u->settings.keepalive_s)
			sooner(&at, session_since_ms(u) + session_ms(&u->settings));
	}
	if (probes(u) || knocks(u))
		sooner(&at, u->next_probe_ms);
	for (size_t i = 0; i < UPLINK_PROBE_WINDOW; i++)
		if (u->probes[i].is == UPLINK_PROBE_OUT)
			sooner(&at, u->probes[i].sent_at_ms + wait_ms);
	return at;
}

void uplink_probe_stats(const struct uplink *u, struct uplink_probe_stats *ret_stats)
{
	struct uplink_probe_stats s = { .sent = u->probes_sent,
					.answered = u->probes_answered,
					.rtt_last_us = u->rtt_last_us,
					.rtt_smoothed_us = u->rtt_smoothed_us };
	uint64_t sum = 0;
	uint32_t back = 0;
	for (size_t i = 0; i < UPLINK_PROBE_WINDOW; i++) {
		const struct uplink_probe *p = &u->probes[i];
		s.window += p->is == UPLINK_PROBE_BACK || p->is == UPLINK_PROBE_LOST;
		if (p->is != UPLINK_PROBE_BACK)
			continue;
		if (back++ == 0 || p->rtt_us < s.rtt_min_us)
			s.rtt_min_us = p->rtt_us;
		if (p->rtt_us > s.rtt_max_us)
			s.rtt_max_us = p->rtt_us;
		sum += p->rtt_us;
	}
	s.rtt_avg_us = back ? (uint32_t)(sum / back) : 0;
	s.loss_permille = s.window ? (s.window - back) * 1000 / s.window : 0;
	*ret_stats = s;
}
