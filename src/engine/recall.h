/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that are to come back, because what they were told is not so any more (RFC 9915
 * §18.3.11): whom to send a RECONFIGURE, when, and when to give up. All instants are milliseconds
 * of the monotonic clock.
 */
#pragma once

#include "engine/bindings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
	RECALL_PER_S = 200,   /* that are told for the first time */
	RECALL_TIMEOUT_S = 2, /* REC_TIMEOUT, doubled from one try to the next (§7.6) */
	RECALL_TRIES = 8,     /* REC_MAX_RC */
	RECALL_MAX = 1 << 20, /* clients at a time: the others learn it when they renew */
};

/* One client, and where it is. */
struct recall_client {
	TAILQ_ENTRY(recall_client) in_turn;
	struct recall_client *next_in_bucket;
	uint64_t due_ms;
	uint32_t hash;
	uint8_t tries;
	uint8_t lladdr_len;
	uint8_t lladdr[BINDING_LLADDR_MAX];
	struct in6_addr next_hop;
	uint16_t duid_len, details_len;
	uint8_t bytes[]; /* the DUID, then the details */
};

struct recall {
	uint8_t key[16];
	/* By the number of tries: one list's clients all wait equally long, so each stands in
	 * order. */
	TAILQ_HEAD(recall_turn, recall_client) turns[RECALL_TRIES + 1];
	struct recall_client **buckets;
	uint32_t n, n_buckets;
	uint64_t next_first_ms; /* when the next one has its first turn */
	uint64_t given_up;
};

/* key: 16 random bytes. -ENOMEM. */
int recall_init(struct recall *r, const uint8_t key[static 16]);
void recall_done(struct recall *r);

/* This record's client is to come back; one that waits already keeps its turn. -ENOMEM; -ENOBUFS:
 * there are RECALL_MAX. */
int recall_add(struct recall *r, const struct binding_record *b, uint64_t now_ms);
/* It came by itself, or because it was told to. Whether it was waited for. */
bool recall_heard(struct recall *r, const uint8_t *duid, size_t duid_len);
/* Whose turn it is, its next one set; those that were told often enough are forgotten on the way.
 * NULL: nobody's yet. Valid until the next call of any of these. */
const struct recall_client *recall_next(struct recall *r, uint64_t now_ms);
uint64_t recall_deadline(const struct recall *r); /* UINT64_MAX: never */
