/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/pool.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBES = 32, /* by hash, before the bitmap is searched: at a load of 1/2 all fail once in
			four thousand million times */
	PROBES_LARGE = 4096, /* in a range too large for a bitmap */
	FREED_LOOKED_AT = 256,
};

/* --- bitmaps
 * ------------------------------------------------------------------------------------------------
 */

static uint64_t words_for(unsigned bits)
{
	return bits > 6 ? UINT64_C(1) << (bits - 6) : 1;
}

static int bitmap_init(struct pool_bitmap *m, unsigned bits)
{
	m->bits = bits;
	for (;; bits = bits > 6 ? bits - 6 : 0) {
		uint64_t *words = calloc(words_for(bits), sizeof *words);
		if (!words)
			return -ENOMEM;
		m->level[m->n_levels++] = words;
		if (bits < 6)
			words[0] = ~UINT64_C(0)
				   << (1U << bits); /* what lies beyond the range is not free */
		if (bits <= 6)
			return 0;
	}
}

static bool bitmap_get(const struct pool_bitmap *m, uint64_t i)
{
	return m->level[0][i / 64] >> (i % 64) & 1;
}

/* Writes one word of the lowest level and what follows from it above. */
static void bitmap_put_word(struct pool_bitmap *m, uint64_t word, uint64_t value)
{
	m->level[0][word] = value;
	for (unsigned l = 1; l < m->n_levels; l++, word /= 64) {
		uint64_t bit = UINT64_C(1) << (word % 64);
		uint64_t was = m->level[l][word / 64];
		uint64_t now = m->level[l - 1][word] == UINT64_MAX ? was | bit : was & ~bit;
		if (now == was)
			return;
		m->level[l][word / 64] = now;
	}
}

static void bitmap_set(struct pool_bitmap *m, uint64_t first, uint64_t n, bool taken)
{
	while (n > 0) {
		uint64_t at = first % 64, run = 64 - at < n ? 64 - at : n;
		uint64_t mask = (run == 64 ? UINT64_MAX : (UINT64_C(1) << run) - 1) << at;
		uint64_t was = m->level[0][first / 64];
		bitmap_put_word(m, first / 64, taken ? was | mask : was & ~mask);
		first += run;
		n -= run;
	}
}

/* The first zero at or after `from`, which is within the map. */
static bool bitmap_next(const struct pool_bitmap *m, uint64_t from, uint64_t *ret_i)
{
	unsigned bits = m->bits;
	for (unsigned l = 0; l < m->n_levels && from >> bits == 0;
	     l++, bits = bits > 6 ? bits - 6 : 0) {
		uint64_t zeros = ~m->level[l][from / 64] & UINT64_MAX << (from % 64);
		if (zeros) {
			uint64_t i = from / 64 * 64 + (uint64_t)__builtin_ctzll(zeros);
			while (l-- > 0)
				i = i * 64 + (uint64_t)__builtin_ctzll(~m->level[l][i]);
			*ret_i = i;
			return true;
		}
		from = from / 64 + 1; /* the next word, as a bit of the level above */
	}
	return false;
}

/* --- the pool
 * -----------------------------------------------------------------------------------------------
 */

static unsigned bits_of(const struct pool *p, uint8_t plen)
{
	return (unsigned)plen - p->range.plen;
}

static struct pool_bitmap *map_of(struct pool *p, uint8_t plen)
{
	return &p->bitmaps[plen - p->min_plen];
}

int pool_init(struct pool *p, enum binding_kind kind, const struct prefix6 *range,
	      const uint8_t plens[static 3], const uint8_t key[static 16])
{
	*p = (struct pool){ .kind = kind,
			    .range = prefix6_masked(range),
			    .min_plen = plens[0],
			    .plen = plens[1],
			    .max_plen = plens[2] };
	memcpy(p->key, key, sizeof p->key);
	if (range->plen > plens[0] || plens[0] > plens[1] || plens[1] > plens[2] || plens[2] > 128)
		return -EINVAL;
	p->capacity = bits_of(p, p->plen) >= 63 ? UINT64_MAX : UINT64_C(1) << bits_of(p, p->plen);
	p->has_bitmaps = bits_of(p, p->max_plen) <= POOL_BITMAP_BITS;
	if (!p->has_bitmaps)
		return p->min_plen == p->max_plen ? 0 : -EINVAL;
	for (unsigned len = p->min_plen; len <= p->max_plen; len++)
		if (bitmap_init(map_of(p, (uint8_t)len), bits_of(p, (uint8_t)len)) < 0)
			return -ENOMEM;
	return 0;
}

void pool_done(struct pool *p)
{
	for (size_t i = 0; i < POOL_MAX_LENGTHS; i++)
		for (unsigned l = 0; l < p->bitmaps[i].n_levels; l++)
			free(p->bitmaps[i].level[l]);
	memset(p->bitmaps, 0, sizeof p->bitmaps);
	p->has_bitmaps = false;
}

/* Every slot that overlaps `what`, which is in the range: longer ones in it, and the ones around
 * it. */
static void mark_taken(struct pool *p, const struct prefix6 *what)
{
	for (unsigned len = p->min_plen; len <= p->max_plen; len++) {
		uint64_t first = prefix6_index_of(&p->range, (uint8_t)len, &what->addr);
		bitmap_set(map_of(p, (uint8_t)len), first,
			   len > what->plen ? UINT64_C(1) << (len - what->plen) : 1, true);
	}
}

/* The same the other way. One around it is free again where both of its halves are. */
static void mark_free(struct pool *p, const struct prefix6 *slot)
{
	for (unsigned len = slot->plen; len <= p->max_plen; len++) {
		uint64_t first = prefix6_index_of(&p->range, (uint8_t)len, &slot->addr);
		bitmap_set(map_of(p, (uint8_t)len), first, UINT64_C(1) << (len - slot->plen),
			   false);
	}
	for (unsigned len = slot->plen; len-- > p->min_plen;) {
		uint64_t i = prefix6_index_of(&p->range, (uint8_t)len, &slot->addr);
		const struct pool_bitmap *halves = map_of(p, (uint8_t)(len + 1));
		if (bitmap_get(halves, 2 * i) || bitmap_get(halves, 2 * i + 1))
			return;
		bitmap_set(map_of(p, (uint8_t)len), i, 1, false);
	}
}

void pool_note(struct pool *p, const struct prefix6 *slot, bool taken)
{
	if (!p->has_bitmaps)
		return;
	if (taken)
		mark_taken(p, slot);
	else
		mark_free(p, slot);
}

/* Whether the slot that `inside` is a part of has another excluded part already. */
static bool slot_spoiled(const struct pool *p, const struct prefix6 *inside)
{
	const struct prefix6 slot = { inside->addr, p->plen };
	for (size_t i = 0; i < p->n_excluded; i++)
		if (prefix6_overlaps(&slot, &p->excluded[i]))
			return true;
	return false;
}

int pool_exclude(struct pool *p, const struct prefix6 *what)
{
	if (!prefix6_overlaps(&p->range, what))
		return 0;
	if (p->n_excluded == POOL_MAX_EXCLUDED)
		return -ENOSPC;
	struct prefix6 inside = what->plen > p->range.plen ? prefix6_masked(what) : p->range;
	bool spoiled = inside.plen >= p->plen && slot_spoiled(p, &inside);
	p->excluded[p->n_excluded++] = inside;
	if (p->has_bitmaps)
		mark_taken(p, &inside);
	if (p->capacity == UINT64_MAX || spoiled)
		return 0;
	uint64_t gone = inside.plen < p->plen ? UINT64_C(1) << (p->plen - inside.plen)
					      : 1; /* a part of a slot spoils all of it */
	p->capacity -= gone < p->capacity ? gone : p->capacity;
	return 0;
}

/*
 * Interface identifiers that mean something else already: the subnet-router anycast address, the
 * small numbers that people give by hand, and those that RFC 5453 reserves.
 */
static bool reserved_iid(uint64_t iid)
{
	return iid < 0x10000 ||
	       (iid >= UINT64_C(0x02005efffe000000) && iid <= UINT64_C(0x02005efffeffffff)) ||
	       (iid >= UINT64_C(0xfdffffffffffff80) && iid <= UINT64_C(0xfdffffffffffffff));
}

static uint64_t low64(const struct in6_addr *a)
{
	uint64_t v = 0;
	for (int i = 8; i < 16; i++)
		v = v << 8 | a->s6_addr[i];
	return v;
}

static bool usable(const struct pool *p, const struct prefix6 *slot)
{
	for (size_t i = 0; i < p->n_excluded; i++)
		if (prefix6_overlaps(&p->excluded[i], slot))
			return false;
	return p->kind != BINDING_NA || !reserved_iid(low64(&slot->addr));
}

bool pool_owns(const struct pool *p, const struct prefix6 *prefix)
{
	return prefix->plen >= p->min_plen && prefix->plen <= p->max_plen &&
	       prefix6_is_masked(prefix) && prefix6_contains(&p->range, prefix) &&
	       usable(p, prefix);
}

bool pool_is_free(const struct pool *p, const struct binding_table *t, const struct prefix6 *slot)
{
	if (!p->has_bitmaps)
		return !bindings_by_prefix(t, &slot->addr, slot->plen);
	return !bitmap_get(&p->bitmaps[slot->plen - p->min_plen],
			   prefix6_index_of(&p->range, slot->plen, &slot->addr));
}

static bool avoided(const struct pool_wish *wish, const struct prefix6 *slot)
{
	for (size_t i = 0; i < wish->n_avoid; i++)
		if (prefix6_overlaps(slot, &wish->avoid[i]))
			return true;
	return false;
}

/* Of what is free, or was. */
static bool suits(const struct pool *p, const struct pool_wish *wish, const struct prefix6 *slot)
{
	return usable(p, slot) && !avoided(wish, slot) && !reservations_at(p->reserved, slot);
}

static bool may_have(const struct pool *p, const struct binding_table *t,
		     const struct pool_wish *wish, const struct prefix6 *slot)
{
	return pool_is_free(p, t, slot) && suits(p, wish, slot);
}

static uint64_t hash_client(const struct pool *p, const struct pool_wish *wish)
{
	uint8_t seed[DUID_MAX + 5];
	size_t len = wish->duid_len <= DUID_MAX ? wish->duid_len : DUID_MAX;
	seed[0] = (uint8_t)p->kind;
	for (int i = 0; i < 4; i++)
		seed[1 + i] = (uint8_t)(wish->iaid >> (24 - 8 * i));
	memcpy(seed + 5, wish->duid, len);
	return siphash24(p->key, seed, 5 + len);
}

/* Index of a slot of plen, of all the hash's bits that there is room for. */
static uint64_t place(const struct pool *p, uint8_t plen, uint64_t h)
{
	unsigned bits = bits_of(p, plen);
	uint64_t index = bits < 64 ? h & ((UINT64_C(1) << bits) - 1) : h;
	if (p->min_plen == p->max_plen || bits == 0)
		return index;
	uint64_t half = UINT64_C(1) << (bits - 1);
	return plen < p->plen ? index | half : index & ~half;
}

static bool pick_by_hash(const struct pool *p, const struct binding_table *t,
			 const struct pool_wish *wish, uint8_t plen, uint64_t h,
			 struct prefix6 *ret_prefix)
{
	uint64_t step = (h >> 32 ^ h << 17) | 1; /* odd: it reaches every slot of a power of two */
	for (unsigned i = 0; i < (p->has_bitmaps ? PROBES : PROBES_LARGE); i++, h += step) {
		struct prefix6 slot = prefix6_nth(&p->range, plen, place(p, plen, h));
		if (may_have(p, t, wish, &slot)) {
			*ret_prefix = slot;
			return true;
		}
	}
	return false;
}

/* What the bitmap calls free may still be a reserved identifier or spoken for in this message: few
 * are, so the search goes on behind it. */
static bool pick_from_bitmap(const struct pool *p, const struct binding_table *t,
			     const struct pool_wish *wish, uint8_t plen, uint64_t h,
			     struct prefix6 *ret_prefix)
{
	const struct pool_bitmap *m = &p->bitmaps[plen - p->min_plen];
	uint64_t start = place(p, plen, h), i;
	for (int round = 0; round < 2; round++, start = 0)
		for (uint64_t from = start; from >> m->bits == 0 && bitmap_next(m, from, &i);
		     from = i + 1) {
			struct prefix6 slot = prefix6_nth(&p->range, plen, i);
			if (may_have(p, t, wish, &slot)) {
				*ret_prefix = slot;
				return true;
			}
		}
	return false;
}

static bool pick_freed(const struct pool *p, const struct binding_table *t,
		       const struct pool_wish *wish, uint8_t plen, struct prefix6 *ret_prefix,
		       struct binding **ret_freed)
{
	struct binding *b = bindings_oldest_freed(t, p->kind);
	for (unsigned i = 0; b && i < FREED_LOOKED_AT; i++) {
		struct prefix6 slot = { b->addr, plen }; /* all of it, or the first part */
		/* One that was reserved is not of the pool, and may be of any length. */
		if (b->plen <= plen && pool_owns(p, &slot) && suits(p, wish, &slot)) {
			*ret_prefix = slot;
			*ret_freed = b;
			return true;
		}
		b = b->newer == BINDING_NONE ? NULL : bindings_get(t, b->newer);
	}
	return false;
}

static bool pick_length(struct pool *p, const struct binding_table *t, const struct pool_wish *wish,
			uint8_t plen, uint64_t h, struct prefix6 *ret_prefix,
			struct binding **ret_freed)
{
	return pick_by_hash(p, t, wish, plen, h, ret_prefix) ||
	       (p->has_bitmaps && pick_from_bitmap(p, t, wish, plen, h, ret_prefix)) ||
	       pick_freed(p, t, wish, plen, ret_prefix, ret_freed);
}

int pool_pick(struct pool *p, const struct binding_table *t, const struct pool_wish *wish,
	      struct prefix6 *ret_prefix, struct binding **ret_freed)
{
	uint64_t h = hash_client(p, wish);
	*ret_freed = NULL;
	for (int len = wish->plen; len >= p->min_plen; len--)
		if (pick_length(p, t, wish, (uint8_t)len, h, ret_prefix, ret_freed))
			return 0;
	for (int len = wish->plen + 1; len <= p->max_plen; len++)
		if (pick_length(p, t, wish, (uint8_t)len, h, ret_prefix, ret_freed))
			return 0;
	return -ENOSPC;
}

bool pool_expect(const struct pool *p, const struct prefix6 *prefix, const struct pool_wish *wish)
{
	if (prefix && !pool_owns(p, prefix))
		return false;
	if (!p->has_bitmaps)
		return true;
	uint8_t plen = prefix ? prefix->plen : p->plen;
	uint64_t i = prefix ? prefix6_index_of(&p->range, plen, &prefix->addr)
			    : place(p, plen, hash_client(p, wish));
	__builtin_prefetch(&p->bitmaps[plen - p->min_plen].level[0][i / 64], 1);
	return true;
}

bool pool_agrees(const struct pool *p, uint64_t n_taken)
{
	if (!p->has_bitmaps)
		return true;
	const struct pool_bitmap *m = &p->bitmaps[p->max_plen - p->min_plen];
	uint64_t n_set = 0;
	for (uint64_t w = 0; w < words_for(m->bits); w++)
		n_set += (uint64_t)__builtin_popcountll(m->level[0][w]);
	if (m->bits < 6)
		n_set -= 64 - (UINT64_C(1) << m->bits); /* what lies beyond the range */
	for (size_t i = 0; i < p->n_excluded; i++) {
		uint8_t plen = p->excluded[i].plen;
		n_taken += plen < p->max_plen ? UINT64_C(1) << (p->max_plen - plen) : 1;
	}
	return n_set == n_taken;
}
