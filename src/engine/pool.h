/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which prefix for whom. A pool is a range cut into slots of one length; a client's IA starts at the slot that a keyed hash gives
 * it and goes on from there where that one is taken. So the same client gets the same prefix even if all state were lost.
 */
#pragma once

#include "engine/bindings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_MAX_EXCLUDED = 4 };

struct pool {
	enum binding_kind kind;
	struct prefix6 range;
	uint8_t plen;       /* of a slot; 128 for addresses */
	unsigned bits;      /* plen - range.plen: 2^bits slots */
	uint8_t key[16];
	size_t n_excluded;
	struct prefix6 excluded[POOL_MAX_EXCLUDED]; /* never handed out */
	uint64_t capacity;  /* slots less excluded ones; saturates */
	uint64_t *bitmap;   /* of taken slots, made when the first search by hash fails; NULL until then, and for ranges too large */
	uint64_t cursor;    /* where the last search in the bitmap ended */
};

/* key: 16 bytes. -EINVAL: plen is shorter than the range, or longer than 128. */
int pool_init(struct pool *p, enum binding_kind kind, const struct prefix6 *range, uint8_t plen, const uint8_t key[static 16]);
void pool_done(struct pool *p);
/* Before the first pick. -ENOSPC: more than POOL_MAX_EXCLUDED. Outside the range it changes nothing. */
int pool_exclude(struct pool *p, const struct prefix6 *what);

/* Whether this is one of the pool's slots, of the right length, and may be handed out. */
bool pool_owns(const struct pool *p, const struct prefix6 *prefix);

/*
 * A slot for this IA that nobody has had, or, where there is none, the one that was freed first (*ret_freed, to be removed from
 * the table by the caller when it commits; NULL else). Takes nothing. avoid: slots that are spoken for in the same message.
 * -ENOSPC: the pool is exhausted.
 */
int pool_pick(struct pool *p, const struct binding_table *t, const uint8_t *duid, size_t duid_len, uint32_t iaid,
	      const struct prefix6 *avoid, size_t n_avoid, struct prefix6 *ret_prefix, struct binding **ret_freed);

/* To be told of every slot that enters or leaves the table. */
void pool_note(struct pool *p, const struct in6_addr *addr, bool taken);
