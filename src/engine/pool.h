/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which prefix for whom. A pool is a range cut into slots; a client's IA starts at the slot that a
 * keyed hash gives it and goes on from there where that one is taken. So the same client gets the
 * same prefix even if all state were lost.
 *
 * Slots of several lengths may come from one range: then a bitmap for each length says which slots
 * overlap something that is taken, and prefixes shorter than the usual length start in the upper
 * half of the range, the others in the lower one, so that they do not cut it up.
 */
#pragma once

#include "engine/bindings.h"
#include "engine/reservations.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	POOL_MAX_EXCLUDED = 8,
	POOL_BITMAP_BITS =
		24, /* up to 2^24 slots (2 MiB, touched as they are used) are kept as bitmaps */
	POOL_MAX_LENGTHS = POOL_BITMAP_BITS + 1,
};

/*
 * A bit a slot; above them, a bit for each word that is all ones, and so on up to one word. So the
 * next free one is found in a handful of steps however full the pool is.
 */
struct pool_bitmap {
	unsigned bits; /* 2^bits slots */
	unsigned n_levels;
	uint64_t *level[5];
};

struct pool {
	enum binding_kind kind;
	struct prefix6 range;
	uint8_t min_plen, plen,
		max_plen; /* of a slot: shortest, usual, longest; 128 for addresses */
	uint8_t key[16];
	size_t n_excluded;
	struct prefix6 excluded[POOL_MAX_EXCLUDED]; /* never handed out */
	const struct reservations *reserved;        /* never picked; NULL: none */
	uint64_t capacity; /* slots of the usual length less excluded ones; saturates */
	bool has_bitmaps;
	struct pool_bitmap bitmaps[POOL_MAX_LENGTHS]; /* by length - min_plen: slots that overlap
							 something taken */
};

/*
 * key: 16 bytes. -EINVAL: not range->plen <= min <= usual <= max <= 128, or several lengths in a
 * range of more than 2^POOL_BITMAP_BITS of the longest; -ENOMEM. After an error pool_done() is
 * allowed.
 */
int pool_init(struct pool *p, enum binding_kind kind, const struct prefix6 *range,
	      const uint8_t plens[static 3], const uint8_t key[static 16]);
void pool_done(struct pool *p);
/* Before the first pick; what is excluded does not overlap. -ENOSPC: more than POOL_MAX_EXCLUDED.
 * Outside the range it changes nothing. */
int pool_exclude(struct pool *p, const struct prefix6 *what);

/* Whether this is one of the pool's slots, of a length that it has, and may be handed out; to whom
 * it is reserved is not looked at. */
bool pool_owns(const struct pool *p, const struct prefix6 *prefix);
/* Whether nothing in the table overlaps this slot, which the pool owns. */
bool pool_is_free(const struct pool *p, const struct binding_table *t, const struct prefix6 *slot);

/* Who asks, and for what. */
struct pool_wish {
	const uint8_t *duid;
	size_t duid_len;
	uint32_t iaid;
	uint8_t plen;                /* within the pool's lengths */
	const struct prefix6 *avoid; /* spoken for in the same message */
	size_t n_avoid;
};

/*
 * A slot that nobody has had, or, where there is none, one that was freed, the oldest first
 * (*ret_freed, to be removed from the table by the caller before it adds the new one; NULL else).
 * Where the length wished for is used up, shorter ones follow, then longer ones (RFC 8168 §3.2).
 * Takes nothing. -ENOSPC: the pool is exhausted.
 */
int pool_pick(struct pool *p, const struct binding_table *t, const struct pool_wish *wish,
	      struct prefix6 *ret_prefix, struct binding **ret_freed);

/* Has what pool_is_free() looks at for this prefix on its way to the processor; NULL: for what
 * pool_pick() would take first for this wish, in the usual length. False: it is not the pool's. */
bool pool_expect(const struct pool *p, const struct prefix6 *prefix, const struct pool_wish *wish);

/* To be told of every slot of its own that enters or leaves the table. */
void pool_note(struct pool *p, const struct prefix6 *slot, bool taken);

/* For tests: whether the bitmaps hold as much as n_taken slots of the longest length and what is
 * excluded. True where there are none. */
bool pool_agrees(const struct pool *p, uint64_t n_taken);
