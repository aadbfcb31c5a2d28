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
 *
 * Packets stand in memory that the caller has, so that they outlive the process where that is
 * shared (docs/architecture.md): each is a record of its own, and who finds it believes nothing
 * that links it to others. The server after a dead one puts what it finds there into queues of its
 * own: what waited, and of a batch that was never answered what has not been in one before, but for
 * the one that was being decided. So whatever killed two servers kills no third.
 */
#pragma once

#include "wire/nd.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FAIR_WAITING_MAX = 4096, /* packets: 8 MiB, which nobody touches while there is no crowd */
	FAIR_BATCH_MAX = 128,    /* packets that are served together */
	FAIR_PACKET_MAX = 2048,  /* bytes of one */
	FAIR_QUEUES = 4096, /* of those who are new, and as many of the others; only where more wait
			       do some share one */
	FAIR_HEARD = 1 << 20,     /* senders remembered: 4 MiB, as they come */
	FAIR_HEARD_MS = 16 << 10, /* for how long, at least: longer than IRT and its doubles */
	FAIR_RELAY_QUEUES = 32,   /* that one relay's clients have: it speaks for many */
	FAIR_AGE_MAX_MS = 5000,   /* of what is taken over: its client has asked again by then */
	FAIR_DEATHS_MAX = 3,      /* of servers, that one may outlive: a loop ends */
};

struct fair_packet {
	struct pkt_meta meta;
	uint16_t len;
	uint8_t bytes[FAIR_PACKET_MAX];
};

enum fair_state {
	FAIR_VACANT = 0,
	FAIR_FILLING = 0x46494c4c,
	FAIR_WAITING = 0x57414954,
	FAIR_TAKEN =
		0x54414b45, /* into the batch of that number; vacant when that is not the latest */
};

/* A packet, and all that is to be known of it. Its state is written before anything else of it
 * changes, and when all has: a process may end between any two instructions. */
struct fair_slot {
	volatile uint32_t state; /* enum fair_state */
	uint32_t batch;
	uint16_t place;         /* in the batch */
	uint8_t deaths;         /* of servers, that it has outlived */
	uint8_t tries;          /* batches that it was in, and that were not answered */
	uint64_t at_ms, number; /* when it came, and after which others */
	struct fair_packet packet;
};

/* Zeros at first. Read by nobody but by who writes it, and by the one after that. */
struct fair_memory {
	volatile uint32_t arrivals_used, waiting_used; /* slots that were ever touched */
	volatile uint32_t batch;                       /* the latest */
	volatile uint32_t deciding; /* the place of the one that is being decided, and 1; 0: none */
	volatile uint32_t answered; /* places below */
	struct fair_slot arrivals[FAIR_BATCH_MAX]; /* as they are received */
	struct fair_slot waiting[FAIR_WAITING_MAX];
};

/* Who was heard: bits of a sender's hash, and when. Zeros at first; whatever stands there is
 * good enough. */
struct fair_heard {
	uint32_t entries[FAIR_HEARD];
};

struct fair_stats {
	uint64_t taken_over;      /* packets that a server before us left */
	uint64_t lost;            /* packets that it left and that nobody serves */
	uint64_t crowded;         /* packets that had to wait for others' turns */
	uint64_t crowded_out;     /* of these, those that found no room */
	struct pkt_meta last_out; /* the latest of them */
};

struct fair;

/* key: 16 random bytes, the same as long as heard is. Both memories outlive it. -ENOMEM. */
int fair_new(const uint8_t key[static 16], struct fair_memory *memory, struct fair_heard *heard,
	     struct fair **ret_fair);
void fair_free(struct fair *f); /* NULL is allowed */

/*
 * Puts into queues what another one left in its memory, which may be anything and may change
 * meanwhile, in the order in which it came. wanted: whether one is to be served at all; may add to
 * what its meta knows of it. For a fair that is new.
 */
void fair_take_over(struct fair *f, uint64_t now_ms, const struct fair_memory *left,
		    bool (*wanted)(void *ctx, struct fair_packet *packet), void *ctx);

/* The batch before is over, one begins. */
void fair_begin(struct fair *f);

/* Where FAIR_PACKET_MAX bytes may be received, at < FAIR_BATCH_MAX; each sizeof(struct fair_slot)
 * after the one before. */
uint8_t *fair_room(struct fair *f, size_t at);
/* There a packet is now, len <= FAIR_PACKET_MAX. What is known of it, to be added to. One of the
 * three that follow is what becomes of it. */
struct pkt_meta *fair_arrived(struct fair *f, size_t at, uint64_t now_ms,
			      const struct pkt_meta *meta, size_t len);
/*
 * It is served at once, because nobody waits: its sender has been heard, and it is the next of the
 * batch. meta's lladdr is the sender; without one its source address. Valid until fair_begin().
 */
const struct fair_packet *fair_serve(struct fair *f, size_t at);
/* It is not to be served, after all. */
void fair_forget(struct fair *f, size_t at);
/* It goes into its queue. Where there is no room the oldest of whoever has most waiting goes, which
 * may be this one. */
void fair_queue(struct fair *f, size_t at);

/* As fair_serve() and fair_queue(), for a packet that is elsewhere (and is copied; longer than
 * FAIR_PACKET_MAX it is dropped). */
void fair_note(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet);
void fair_put(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet);
/* The next in turn, and of the batch; NULL: nobody waits. All that were taken stay valid until one
 * is put or queued. */
const struct fair_packet *fair_take(struct fair *f);

/*
 * How far the batch is, for whoever comes after us: the one of this place is being decided; all
 * below it are decided; all that were decided are answered.
 */
void fair_deciding(struct fair *f, size_t place);
void fair_decided(struct fair *f, size_t n);
void fair_answered(struct fair *f);

/* Nothing of the memory is needed any more: its pages may go. Nobody may wait, and the batch be
 * over. */
void fair_release(struct fair *f);
/* Slots that were touched since. */
size_t fair_touched(const struct fair *f);

size_t fair_waiting(const struct fair *f);
const struct fair_stats *fair_stats(const struct fair *f);
/* Whether queues, lengths and slots agree: for tests; slow. */
bool fair_consistent(const struct fair *f);
