/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an engine wants done, as data. The daemon carries a batch out in this order: changes → store
 * (one transaction), routes → kernel (one netlink batch), answers → subscribers (one sendmmsg), so
 * that nobody is told what a crash can forget.
 */
#pragma once

#include "engine/bindings.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BATCH_MESSAGES = 128,    /* messages taken at a time */
	BATCH_PER_MESSAGE = 640, /* changes or routes of one message at most: each of 128 IAs gives
				    one up, replaces another, and reuses somebody else's */
	BATCH_CHANGES = BATCH_MESSAGES * 4 + BATCH_PER_MESSAGE,
	BATCH_ANSWER_FIT =
		1452, /* bytes of an answer that fits into one Ethernet frame: 1500 less headers */
	BATCH_OPTIONS_MAX = 4096, /* bytes of what is configured for whoever asks, in one answer */
	BATCH_ANSWER_MAX = 20480, /* of any: those, as many IAs and all that relays want back */
	BATCH_ARENA = BATCH_MESSAGES * 1024 + BATCH_ANSWER_MAX,
	BATCH_DETAILS = BATCH_CHANGES * BINDING_DETAILS_MAX,
};

/* The record is the new state of (kind, duid, iaid, prefix) or, with erase, the row to remove; its
 * details are in the batch. */
struct binding_change {
	bool erase;
	struct binding_record record;
};

/*
 * A route of a delegated prefix: `add` installs it or moves it to another next hop, else it is
 * removed. An address has no route, but its client's link-layer address is told all the same, from
 * when it is known to when it is not any more.
 */
struct route_change {
	bool add;
	bool held;             /* it was told of before, through old_next_hop */
	struct prefix6 prefix; /* /128: an address */
	struct in6_addr next_hop;
	struct in6_addr old_next_hop;
	uint8_t lladdr_len; /* of the next hop, for its neighbour entry; 0: unknown */
	uint8_t lladdr[BINDING_LLADDR_MAX];
	uint8_t old_lladdr_len; /* as it was told before, where held; else as above */
	uint8_t old_lladdr[BINDING_LLADDR_MAX];
};

struct answer {
	struct in6_addr dst;
	uint16_t dst_port;
	uint16_t len;
	uint8_t lladdr_len; /* of dst, where it is on the link; 0: unknown */
	uint8_t lladdr[BINDING_LLADDR_MAX];
	uint32_t first_route; /* its routes: where one of them fails, the answer must not leave */
	uint32_t n_routes;
	const uint8_t *bytes; /* in the batch's arena */
};

struct batch {
	size_t n_changes, n_routes, n_answers;
	struct binding_change changes[BATCH_CHANGES];
	struct route_change routes[BATCH_CHANGES];
	struct answer answers[BATCH_MESSAGES];
	size_t details_used;
	uint8_t details[BATCH_DETAILS]; /* the changes' */
	size_t arena_used;
	uint8_t arena[BATCH_ARENA]; /* pages that nobody wrote to cost nothing */
};

/* -ENOMEM. */
int batch_new(struct batch **ret_batch);
void batch_free(struct batch *b); /* NULL is allowed */
void batch_reset(struct batch *b);
/* No room for the worst that one more message can bring: carry it out first. */
bool batch_full(const struct batch *b);
