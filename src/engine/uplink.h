/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the uplink works: what the tunnel's counters, its handshakes and (where somebody wants
 * them) echo requests through it tell. Pure: all instants are arguments, milliseconds of one
 * monotonic clock; what the states mean for subscribers leaves as `lost`.
 *
 *	none        there is no uplink, so that none can be lost
 *	resolving   the endpoint's name has no address yet
 *	connecting  the tunnel is there, and has had no handshake since it was made
 *	up          works, as far as can be told
 *	stale       worked, and does not any more
 *	down        its interface is gone, or the provider has been silent for UPLINK_GIVE_UP_MS
 *
 * What WireGuard's behaviour lets be told without asking anybody (protocol constants of its paper,
 * §6): what is sent with content is answered within KEEPALIVE_TIMEOUT (10 s), by traffic or by an
 * empty packet. Where it is not, the sender begins a handshake after 5 s more, repeats it every 5
 * s, and gives up after REKEY_ATTEMPT_TIME (90 s). So silence is evidence only after we have sent
 * something that is more than an empty keepalive; then two handshakes have had their chance after
 * UPLINK_SILENT_MS. An idle tunnel without WIREGUARD_KEEPALIVE has handshakes of any age and is
 * well. With one, a session is renewed by the keepalive at the latest that follows its end
 * (REJECT_AFTER_TIME, 180 s; 120 s where we began it), so that a much older handshake means that
 * none succeeds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	UPLINK_SILENT_MS = 22000,  /* sent, and nothing came back */
	UPLINK_GIVE_UP_MS = 90000, /* from stale or connecting to down: REKEY_ATTEMPT_TIME */
	UPLINK_SESSION_MS = 180000,
	UPLINK_SESSION_SLACK_MS = 20000, /* for the keepalive's jitter and handshakes repeated */
	/* Before its first handshake an uplink has the benefit of the doubt for so long. */
	UPLINK_GRACE_MS = 15000,
	/* An uplink that is lost within UPLINK_FLAP_MS of its return must work so long before its
	 * next return is believed; twice as long the next time. */
	UPLINK_FLAP_MS = 600000,
	UPLINK_PROVE_MIN_MS = 10000,
	UPLINK_PROVE_MAX_MS = 160000,
	UPLINK_KNOCK_MS = 10000, /* between two attempts to wake a dead tunnel that is else idle */

	UPLINK_PROBES_LOST = 3,       /* so many in a row: stale */
	UPLINK_PROBES_ANSWERED = 3,   /* so many in a row: up again */
	UPLINK_PROBE_HURRY_MS = 1000, /* between two of them while there is doubt, at most */
	/* Of a probe; between the two it follows the round trips as TCP's timer does (RFC 6298). */
	UPLINK_PROBE_WAIT_MIN_MS = 1000,
	UPLINK_PROBE_WAIT_MAX_MS = 5000,
	UPLINK_PROBE_WINDOW = 64, /* as many are remembered for loss and round trips */

	UPLINK_POLL_MS = 5000, /* looks at the counters: all is well */
	UPLINK_POLL_DOUBT_MS = 1000,
	UPLINK_POLL_QUICK_MS = 250, /* until the first handshake */
};

enum uplink_state {
	UPLINK_NONE,
	UPLINK_RESOLVING,
	UPLINK_CONNECTING,
	UPLINK_UP,
	UPLINK_STALE,
	UPLINK_DOWN,
	UPLINK_STATES,
};
const char *uplink_state_name(enum uplink_state s);

/* Why a state was entered. The numbers that are not named here are 0. */
enum uplink_cause {
	UPLINK_NO_TUNNEL,        /* none is configured */
	UPLINK_NAME_WANTED,      /* resolving */
	UPLINK_NO_HANDSHAKE_YET, /* connecting: the tunnel was made, or its endpoint's name found */
	UPLINK_HANDSHAKE,        /* up: one was completed */
	UPLINK_ANSWERED,         /* up: n echo requests in a row were answered */
	UPLINK_UNANSWERED,   /* stale: bytes sent within ms, nothing came back; handshake_age_ms */
	UPLINK_SESSION_OVER, /* stale: handshake_age_ms is more than a session lasts; bytes */
	UPLINK_PROBES_UNANSWERED, /* stale: n in a row; handshake_age_ms */
	UPLINK_GAVE_UP,        /* down: silent for ms; handshake_age_ms, 0 where there was none */
	UPLINK_INTERFACE_GONE, /* down */
};
struct uplink_reason {
	enum uplink_cause cause;
	uint64_t ms;
	uint64_t handshake_age_ms;
	uint64_t bytes;
	uint64_t n;
};

struct uplink_settings {
	bool present;         /* false: the state is none, whatever happens */
	uint16_t keepalive_s; /* 0: none */
	bool probed;
	uint32_t probe_interval_ms; /* at least 1 */
	uint32_t loss_delay_ms;     /* how long it must not work before it is lost */
};

/* As WireGuard counts them since the tunnel was made. */
struct uplink_counters {
	uint64_t handshake_unix_s; /* 0: none; only whether it changes is looked at, for the wall
				      clock may be set */
	uint64_t rx_bytes, tx_bytes;
};

struct uplink_probe {
	enum { UPLINK_PROBE_UNUSED, UPLINK_PROBE_OUT, UPLINK_PROBE_BACK, UPLINK_PROBE_LOST } is;
	uint16_t seq;
	uint64_t sent_at_ms;
	uint32_t rtt_us;
};

struct uplink {
	struct uplink_settings settings;

	enum uplink_state state;
	struct uplink_reason reason;
	uint64_t changed_at_ms;
	uint64_t changes; /* of the state, from the first on */

	bool there; /* the interface */
	bool resolving;
	uint64_t made_at_ms;
	uint64_t handshake_at_ms; /* when it was first seen; 0: none since the tunnel was made */
	struct uplink_counters last;
	uint64_t counted_at_ms;
	uint64_t asked_at_ms; /* since when something waits for an answer; 0: nothing does */
	uint64_t woke_at_ms;  /* from the last suspend; 0: never */
	uint64_t tx_answered; /* of tx_bytes */

	bool lost; /* what subscribers are to see */
	bool was_up;
	bool failing;
	uint64_t failing_since_ms;
	uint64_t losses;         /* how often it was lost */
	uint64_t returned_at_ms; /* from the last of them; 0: never */
	uint64_t prove_ms;       /* how long it must be up to return */

	struct uplink_probe probes[UPLINK_PROBE_WINDOW];
	uint16_t next_seq;
	uint64_t next_probe_ms;
	unsigned lost_in_row, answered_in_row;
	uint64_t row_begins_ms; /* probes of before are no evidence of loss */
	uint64_t probes_sent, probes_answered;
	uint32_t rtt_last_us, rtt_smoothed_us, rtt_variation_us;
};

/* Of the last UPLINK_PROBE_WINDOW probes, less those that are still out. */
struct uplink_probe_stats {
	uint64_t sent, answered; /* since the start */
	uint32_t window;         /* how many the rest is about */
	uint32_t loss_permille;
	uint32_t rtt_last_us, rtt_smoothed_us; /* 0: never one */
	uint32_t rtt_min_us, rtt_avg_us, rtt_max_us;
};

void uplink_init(struct uplink *u, const struct uplink_settings *settings, uint64_t now_ms);

/* The tunnel's interface was made, or made anew: its counters begin at 0. */
void uplink_made(struct uplink *u, uint64_t now_ms);
void uplink_gone(struct uplink *u, uint64_t now_ms);
/* Whether the endpoint's name is without an address. Shown until the first handshake; afterwards
 * the tunnel goes on with the address that it had. */
void uplink_set_resolving(struct uplink *u, uint64_t now_ms, bool resolving);
void uplink_count(struct uplink *u, uint64_t now_ms, const struct uplink_counters *c);

/* The machine was suspended until now: that nothing was heard meanwhile is no evidence, neither is
 * the age of the session, which the kernel has ended. */
void uplink_slept(struct uplink *u, uint64_t now_ms);

/* Whether an echo request is to be sent now, and with which sequence number. Without
 * settings.probed it is only to wake a dead tunnel over which nothing else goes, and its answer
 * counts nothing. */
bool uplink_probe_due(struct uplink *u, uint64_t now_ms, uint16_t *ret_seq);
/* False where no such probe was waited for (a duplicate, or one of very long ago). */
bool uplink_probe_answered(struct uplink *u, uint64_t now_ms, uint16_t seq, uint32_t rtt_us);

/* Time goes by. All of the above do it, too. */
void uplink_tick(struct uplink *u, uint64_t now_ms);
/* When uplink_tick() or uplink_probe_due() has something to do; UINT64_MAX: never, as things are.
 */
uint64_t uplink_deadline(const struct uplink *u);
/* How long from now uplink_count() is wanted again. */
uint64_t uplink_poll_ms(const struct uplink *u, uint64_t now_ms);

void uplink_probe_stats(const struct uplink *u, struct uplink_probe_stats *ret_stats);
