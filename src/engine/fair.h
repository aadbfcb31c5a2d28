/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is next where more packets come than can be served: those that wait stand in a queue for each
 * sender, and the queues take turns. A sender that is alone has everything; one that floods gets
 * its turn as everybody does, and what has no room any more is taken from whoever has most waiting.
 * Pure, of fixed size, and nothing is allocated for a packet.
 *
 * A flooder can make senders up, one for each packet, and each of them would be somebody new. But
 * whoever wants an answer asks again (RFC 9915 §15), and has been heard before: those have three
 * turns of four. So a flood of made-up senders costs who is new one retransmission, not the
 * service. What is remembered of senders is one number in a table of fixed size, by a keyed hash
 * that nobody can steer: the latest stay.
 */
#pragma once

#include "wire/nd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FAIR_WAITING_MAX = 4096, /* packets: 8 MiB, which nobody touches while there is no crowd */
	FAIR_PACKET_MAX = 2048,  /* bytes of one */
	FAIR_QUEUES = 4096, /* of those who are new, and as many of the others; only where more wait
			       do some share one */
	FAIR_HEARD = 1 << 20,     /* senders remembered: 4 MiB, as they come */
	FAIR_HEARD_MS = 16 << 10, /* for how long, at least: longer than IRT and its doubles */
	FAIR_RELAY_QUEUES = 32,   /* that one relay's clients have: it speaks for many */
};

struct fair_packet {
	struct pkt_meta meta;
	uint16_t len;
	uint8_t bytes[FAIR_PACKET_MAX];
};

struct fair_stats {
	uint64_t crowded;         /* packets that had to wait for others' turns */
	uint64_t crowded_out;     /* of these, those that found no room */
	struct pkt_meta last_out; /* the latest of them */
};

struct fair;

/* key: 16 random bytes. -ENOMEM. */
int fair_new(const uint8_t key[static 16], struct fair **ret_fair);
void fair_free(struct fair *f); /* NULL is allowed */

/*
 * One that is served at once, because nobody waits: its sender has been heard. meta's lladdr is
 * the sender; without one its source address.
 */
void fair_note(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet);
/* Puts one into its queue (packet is copied; longer than FAIR_PACKET_MAX it is dropped). Where
 * there is no room the oldest of whoever has most waiting goes, which may be this one. */
void fair_put(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet);
/* The next in turn; NULL: nobody waits. All that were taken stay valid until the next fair_put().
 */
const struct fair_packet *fair_take(struct fair *f);

size_t fair_waiting(const struct fair *f);
const struct fair_stats *fair_stats(const struct fair *f);
/* Whether queues, lengths and slots agree: for tests; slow. */
bool fair_consistent(const struct fair *f);
