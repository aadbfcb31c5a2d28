/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Router advertisements: what they say and when they go (RFC 4861 §6.2). Pure: time (milliseconds
 * of the monotonic clock), randomness and solicitations are arguments; what should be sent leaves
 * as data.
 *
 * Solicitors with an address are answered by unicast (§6.2.6 allows it, RFC 7772 §5.1 asks for
 * it): MIN_DELAY_BETWEEN_RAS, which would have all but the first wait for seconds, binds multicast
 * only. Those without one share a multicast answer at the times of §6.2.6.
 *
 * A daemon's loop:
 *	for (;;) {
 *		sleep until ra_deadline(ra) or a packet;
 *		packet → nd_parse_rs() → ra_input();
 *		do {
 *			ra_tick(ra, now, &out);
 *			send out;
 *		} while (out.n == RA_OUT_MAX);
 *	}
 */
#pragma once

#include "wire/nd.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 4861 §10 and what RFC 4861 §6.2.1 (as RFC 8319 §4 widened it) lets be configured. */
enum {
	MAX_INITIAL_RTR_ADVERT_INTERVAL_S = 16,
	MAX_INITIAL_RTR_ADVERTISEMENTS = 3,
	MAX_FINAL_RTR_ADVERTISEMENTS = 3,
	MIN_DELAY_BETWEEN_RAS_MS = 3000,
	MAX_RA_DELAY_TIME_MS = 500,

	MAX_RTR_ADV_INTERVAL_MIN_S = 4,
	MAX_RTR_ADV_INTERVAL_MAX_S = 65535,
	MIN_RTR_ADV_INTERVAL_MIN_S = 3, /* and at most 0.75 of the longest interval */
};

enum {
	/* Unicast answers wait for 0 to this at random: within MAX_RA_DELAY_TIME, and a thousand at
	   once are soon served. */
	RA_UNICAST_DELAY_MS = 20,
	RA_PENDING_MAX = 1024, /* solicitors waiting for a unicast answer; further ones share a
				  multicast one */
	RA_OUT_MAX = 128,      /* destinations handed out at a time */
	RA_BYTES_MAX = 1460,   /* of one advertisement: Ethernet's 1500 less the IPv6 header */
};

/* What subscribers see of a dead uplink. */
enum ra_uplink_loss {
	RA_LOSS_WITHDRAW, /* no default router, routes or DNS any more, prefixes deprecated (RFC
			     8978, RFC 9096) */
	RA_LOSS_LIFETIME, /* the same, but prefixes are left alone (RFC 8475) */
	RA_LOSS_HOLD,     /* nothing */
};

struct ra_config {
	uint32_t max_rtr_adv_interval_s;
	uint32_t min_rtr_adv_interval_s;
	struct nd_ra adv; /* what is advertised while all is well; the strings in it must outlive
			     the engine */
	enum ra_uplink_loss uplink_loss;
	bool deprecate_on_stop;
};

struct ra {
	struct ra_config config;
	uint32_t (*rnd)(void *);
	void *rnd_arg;

	bool link_up;
	bool uplink_works;
	bool stopped;

	unsigned initial_left; /* of the burst of MAX_INITIAL_RTR_ADVERTISEMENTS */
	bool multicast_sent;   /* whether last_multicast_ms is anything */
	uint64_t last_multicast_ms;
	uint64_t next_multicast_ms;

	uint64_t unicast_at_ms; /* when all that wait are answered; meaningless while none does */
	size_t n_pending;
	struct in6_addr pending[RA_PENDING_MAX];

	size_t len; /* the advertisement as it is to be sent now */
	uint8_t bytes[RA_BYTES_MAX];
};

/* One message for n destinations. bytes belong to the engine and stay valid until the next call on
 * it. */
struct ra_out {
	const uint8_t *bytes;
	size_t len;
	size_t n;
	struct in6_addr dst[RA_OUT_MAX];
};

/*
 * Starts silent, with its link down and its uplink working. rnd gives 32 uniformly random bits.
 * -EINVAL: intervals or lifetimes out of bounds, or something that an RA can't say; -EMSGSIZE: it
 * does not fit into one.
 */
int ra_init(struct ra *ra, const struct ra_config *config, uint32_t (*rnd)(void *), void *rnd_arg);

/* Another configuration; a change is announced at once and repeated (§6.2.4). Errors as ra_init(),
 * and nothing has changed. */
int ra_reconfigure(struct ra *ra, uint64_t now_ms, const struct ra_config *config);

/* The link is (or is again) there: advertises at once, then MAX_INITIAL_RTR_ADVERTISEMENTS - 1
 * times quickly. */
void ra_link_up(struct ra *ra, uint64_t now_ms);
/* Nothing is sent, and nobody's solicitation is remembered, until the link is back. */
void ra_link_down(struct ra *ra);

/* What the tunnel does. By uplink_loss this changes what is advertised; a change is announced as
 * ra_reconfigure() does. */
void ra_set_uplink(struct ra *ra, uint64_t now_ms, bool works);

/* A solicitation that nd_parse_rs() accepted. False where it gets no answer: no link, stopped, or
 * an impossible source. */
bool ra_input(struct ra *ra, uint64_t now_ms, const struct pkt_meta *meta, const struct nd_rs *rs);

/* Takes what is due into *out; out->n is 0 where nothing is. Call again while it is RA_OUT_MAX. */
void ra_tick(struct ra *ra, uint64_t now_ms, struct ra_out *out);

/*
 * A unicast answer could not be sent (the kernel's neighbour table is full, say): its solicitor,
 * and all others of whom this is said meanwhile, get a multicast one at the times of §6.2.6.
 */
void ra_undeliverable(struct ra *ra, uint64_t now_ms);

/* When ra_tick() next has something to do; UINT64_MAX: never, as things are. */
uint64_t ra_deadline(const struct ra *ra);

/*
 * The farewell (§6.2.5): router lifetime 0, routes and DNS withdrawn, prefixes deprecated where the
 * configuration says so. *out has it MAX_FINAL_RTR_ADVERTISEMENTS times for all nodes, or not at
 * all (n is 0) where there is no link or it was said already. Afterwards the engine stays silent.
 */
void ra_stop(struct ra *ra, struct ra_out *out);
