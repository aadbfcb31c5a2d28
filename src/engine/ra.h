/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Router advertisements: what they say and when they go (RFC 4861 §6.2). Pure: time (milliseconds
 * of the monotonic clock), randomness and solicitations are arguments; what should be sent leaves
 * as data.
 *
 * Solicitors with an address are answered by unicast (§6.2.6 allows it, RFC 7772 §5.1 asks for
 * it): MIN_DELAY_BETWEEN_RAS, which would have all but the first wait for seconds, binds multicast
 * only. Those without one share a multicast answer at the times of §6.2.6. Where a multicast one
 * goes while solicitors wait, it is their answer, too.
 *
 * An advertisement that is too large for one packet goes as several (§6.2.3), one behind the other
 * each time; by the times here they are one.
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

#include "base/ratelimit.h"
#include "wire/nd.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 4861 §10 and what RFC 4861 §6.2.1 (as RFC 8319 §4 widened it) lets be configured. */
enum {
	MAX_INITIAL_RTR_ADVERT_INTERVAL_S = 16,
	MAX_INITIAL_RTR_ADVERTISEMENTS = 3,
	MIN_DELAY_BETWEEN_RAS_MS = 3000,
	MAX_RA_DELAY_TIME_MS = 500,

	MAX_RTR_ADV_INTERVAL_MIN_S = 4,
	MAX_RTR_ADV_INTERVAL_MAX_S = 65535,
	MIN_RTR_ADV_INTERVAL_MIN_S = 3, /* and at most 0.75 of the longest interval */
};

enum {
	/* Unicast answers wait for 0 to this at random: within MAX_RA_DELAY_TIME, and thousands at
	   once are soon served. */
	RA_UNICAST_DELAY_MS = 20,
	RA_PENDING_MAX = 8192, /* solicitors waiting for a unicast answer; further ones share a
				  multicast one */
	RA_PENDING_SLOTS = 2 * RA_PENDING_MAX, /* of the table by which they are found */
	RA_OUT_MAX = 128,                      /* destinations handed out at a time */
	/* Whoever makes solicitations up would have us send to whomever he names: beyond this, they
	   are answered by the multicast one. */
	RA_UNICAST_PER_S = 500,            /* in all, once */
	RA_UNICAST_BURST = RA_PENDING_MAX, /* are used up; more houses than a street has */
	RA_STATIONS = 4096,     /* told apart by a keyed hash of their link-layer address */
	RA_STATION_PER_S = 100, /* to each of them */
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
	size_t max_bytes; /* of a packet, from the ICMPv6 header on: what the link's MTU leaves */
	enum ra_uplink_loss uplink_loss;
	bool deprecate_on_stop;
};

/* Whom an advertisement is for. */
struct ra_dst {
	struct in6_addr addr;
	bool has_lladdr; /* the Ethernet address that its solicitation told */
	uint8_t lladdr[6];
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
	struct ra_dst pending[RA_PENDING_MAX];
	struct ratelimit unicast;
	uint64_t station_s; /* the second in which these were answered, so often */
	uint8_t per_station[RA_STATIONS];
	uint64_t n_limited; /* solicitations that were to share a multicast answer for that */
	uint8_t slot_key[16];
	uint16_t slots[RA_PENDING_SLOTS]; /* by the hash of their address: 1 + which of the pending,
					     also those that are no more; 0: free */

	struct nd_packets packets; /* the advertisement as it is to be sent now */
};

/* One advertisement for n destinations: all of its packets for each. They belong to the engine and
 * stay valid until the next call on it. */
struct ra_out {
	const struct nd_packets *packets;
	size_t n;
	struct ra_dst dst[RA_OUT_MAX];
};

/*
 * Starts silent, with its link down and its uplink working. rnd gives 32 uniformly random bits.
 * -EINVAL: intervals or lifetimes out of bounds, or something that an RA can't say; -EMSGSIZE: it
 * does not fit into ND_PACKETS_MAX packets of max_bytes.
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
 * An advertisement could not be sent (the kernel's neighbour table is full, say): whoever was to
 * get it, and all others of whom this is said meanwhile, get a multicast one at the times of
 * §6.2.6.
 */
void ra_undeliverable(struct ra *ra, uint64_t now_ms);

/* When ra_tick() next has something to do; UINT64_MAX: never, as things are. */
uint64_t ra_deadline(const struct ra *ra);

/*
 * The farewell (§6.2.5): router lifetime 0, routes and DNS withdrawn, prefixes deprecated where the
 * configuration says so. *out has it once for all nodes, or not at all (n is 0) where there is no
 * link or it was said already: MIN_DELAY_BETWEEN_RAS, which holds for these as well, would keep
 * whoever stops us for seconds. Afterwards the engine stays silent.
 */
void ra_stop(struct ra *ra, struct ra_out *out);
