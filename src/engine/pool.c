/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/pool.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBES = 32,          /* by hash: at a load of 1/2 all fail once in four thousand million times */
	PROBES_LARGE = 4096,  /* in a pool too large for a bitmap */
	BITMAP_BITS = 24,     /* 2^24 slots are 2 MiB */
};

int pool_init(struct pool *p, enum binding_kind kind, const struct prefix6 *range, uint8_t plen, const uint8_t key[static 16])
{
	if (plen < range->plen || plen > 128)
		return -EINVAL;
	*p = (struct pool){ .kind = kind, .range = prefix6_masked(range), .plen = plen, .bits = (unsigned)plen - range->plen };
	memcpy(p->key, key, sizeof p->key);
	p->capacity = p->bits >= 63 ? UINT64_MAX : UINT64_C(1) << p->bits;
	return 0;
}

void pool_done(struct pool *p)
{
	free(p->bitmap);
	p->bitmap = NULL;
}

int pool_exclude(struct pool *p, const struct prefix6 *what)
{
	if (!prefix6_overlaps(&p->range, what))
		return 0;
	if (p->n_excluded == POOL_MAX_EXCLUDED)
		return -ENOSPC;
	p->excluded[p->n_excluded++] = *what;
	if (p->capacity == UINT64_MAX)
		return 0;
	uint64_t gone = 1; /* a part of a slot spoils all of it */
	if (what->plen < p->plen)
		gone = what->plen <= p->range.plen ? p->capacity : UINT64_C(1) << (p->plen - what->plen);
	p->capacity -= gone < p->capacity ? gone : p->capacity;
	return 0;
}

/*
 * Interface identifiers that mean something else already: the subnet-router anycast address, the small numbers that people give by hand,
 * and those that RFC 5453 reserves.
 */
static bool reserved_iid(uint64_t iid)
{
	return iid < 0x10000 || (iid >= UINT64_C(0x02005efffe000000) && iid <= UINT64_C(0x02005efffe005212)) ||
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
	return p->plen < 128 || !reserved_iid(low64(&slot->addr));
}

bool pool_owns(const struct pool *p, const struct prefix6 *prefix)
{
	return prefix->plen == p->plen && prefix6_is_masked(prefix) && prefix6_contains(&p->range, prefix) && usable(p, prefix);
}

static bool avoided(const struct prefix6 *slot, const struct prefix6 *avoid, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (prefix6_equal(slot, &avoid[i]))
			return true;
	return false;
}

static struct prefix6 slot_at(const struct pool *p, uint64_t index)
{
	if (p->bits < 64)
		index &= (UINT64_C(1) << p->bits) - 1;
	return prefix6_nth(&p->range, p->plen, index);
}

static uint64_t hash_client(const struct pool *p, const uint8_t *duid, size_t len, uint32_t iaid)
{
	uint8_t seed[DUID_MAX + 5];
	seed[0] = (uint8_t)p->kind;
	memcpy(seed + 1, &iaid, sizeof iaid);
	memcpy(seed + 5, duid, len <= DUID_MAX ? len : DUID_MAX);
	return siphash24(p->key, seed, 5 + (len <= DUID_MAX ? len : DUID_MAX));
}

static int mark_taken(void *ctx, const struct binding *b)
{
	struct pool *p = (struct pool *)ctx;
	if (b->kind == p->kind && b->plen == p->plen && prefix6_has_addr(&p->range, &b->addr))
		pool_note(p, &b->addr, true);
	return 0;
}

/* One walk over the table, the first time that a search by hash fails. */
static bool ensure_bitmap(struct pool *p, const struct binding_table *t)
{
	if (p->bitmap || p->bits > BITMAP_BITS)
		return p->bitmap != NULL;
	size_t words = p->bits > 6 ? (size_t)1 << (p->bits - 6) : 1;
	p->bitmap = calloc(words, sizeof *p->bitmap);
	if (!p->bitmap)
		return false;
	if (p->bits < 6)
		p->bitmap[0] = ~UINT64_C(0) << (1U << p->bits); /* what is beyond the range is not free */
	(void)bindings_each(t, mark_taken, p);		  /* mark_taken never fails */
	return true;
}

/* The next free slot behind the cursor: the search goes round, so that the whole of it costs little a call. */
static bool find_in_bitmap(struct pool *p, const struct prefix6 *avoid, size_t n_avoid, struct prefix6 *ret_prefix)
{
	uint64_t words = p->bits > 6 ? UINT64_C(1) << (p->bits - 6) : 1;
	uint64_t w = p->cursor % words;
	for (uint64_t n = 0; n < words; n++, w = (w + 1) % words) {
		for (uint64_t free_bits = ~p->bitmap[w]; free_bits; free_bits &= free_bits - 1) {
			struct prefix6 slot = slot_at(p, w * 64 + (uint64_t)__builtin_ctzll(free_bits));
			if (!usable(p, &slot) || avoided(&slot, avoid, n_avoid))
				continue;
			p->cursor = w;
			*ret_prefix = slot;
			return true;
		}
	}
	return false;
}

int pool_pick(struct pool *p, const struct binding_table *t, const uint8_t *duid, size_t duid_len, uint32_t iaid,
	      const struct prefix6 *avoid, size_t n_avoid, struct prefix6 *ret_prefix, struct binding **ret_freed)
{
	uint64_t h = hash_client(p, duid, duid_len, iaid);
	uint64_t step = (h >> 32 ^ h << 17) | 1; /* odd: it reaches every slot of a power of two */
	unsigned probes = p->bits > BITMAP_BITS ? PROBES_LARGE : PROBES;
	*ret_freed = NULL;
	for (unsigned i = 0; i < probes; i++, h += step) {
		struct prefix6 slot = slot_at(p, h);
		if (usable(p, &slot) && !avoided(&slot, avoid, n_avoid) && !bindings_by_prefix(t, &slot.addr, slot.plen)) {
			*ret_prefix = slot;
			return 0;
		}
	}
	if (ensure_bitmap(p, t) && find_in_bitmap(p, avoid, n_avoid, ret_prefix))
		return 0;
	struct binding *b = bindings_oldest_freed(t, p->kind);
	while (b) {
		struct prefix6 slot = { b->addr, b->plen };
		if (pool_owns(p, &slot) && !avoided(&slot, avoid, n_avoid)) {
			*ret_prefix = slot;
			*ret_freed = b;
			return 0;
		}
		b = b->newer == BINDING_NONE ? NULL : bindings_get(t, b->newer);
	}
	return -ENOSPC;
}

void pool_note(struct pool *p, const struct in6_addr *addr, bool taken)
{
	if (!p->bitmap)
		return;
	uint64_t i = prefix6_index_of(&p->range, p->plen, addr);
	if (taken)
		p->bitmap[i / 64] |= UINT64_C(1) << (i % 64);
	else
		p->bitmap[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
