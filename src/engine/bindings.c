/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bindings.h"

#include "base/large.h"
#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 1024,
	BLOCK = 16, /* chunks that come as one when there are that many: 2 MiB */
	INDEX_MIN = 1024,
	NUMBERS_SPARE = 16384, /* of which, and of three in four, a loaded table may be vacant */
	EXPIRY_STEPS = 4096,   /* prolonged ones put back into their place by one call */
};

static struct binding *at(const struct binding_table *t, uint32_t id)
{
	return &t->chunks[id / CHUNK][id % CHUNK];
}

struct binding *bindings_get(const struct binding_table *t, uint32_t id)
{
	return at(t, id);
}

const uint8_t *binding_duid(const struct binding *b)
{
	return b->duid_len > BINDING_INLINE_DUID ? b->duid.elsewhere : b->duid.here;
}

static uint32_t hash_client(const struct binding_table *t, const uint8_t *duid, size_t len)
{
	return (uint32_t)siphash24(t->key, duid, len);
}

static uint32_t hash_prefix(const struct binding_table *t, const struct in6_addr *addr,
			    uint8_t plen)
{
	uint8_t bytes[17];
	memcpy(bytes, addr, 16);
	bytes[16] = plen;
	return (uint32_t)siphash24(t->key, bytes, sizeof bytes);
}

/* --- indexes
 * ------------------------------------------------------------------------------------------------
 */

static int index_alloc(struct binding_index *x, uint32_t size)
{
	x->slots = large_alloc((size_t)size * sizeof *x->slots);
	if (!x->slots)
		return -ENOMEM;
	memset(x->slots, 0xff, (size_t)size * sizeof *x->slots); /* BINDING_NONE everywhere */
	x->mask = size - 1;
	x->used = 0;
	return 0;
}

static void index_place(struct binding_index *x, uint32_t hash, uint32_t id)
{
	uint32_t i = hash & x->mask;
	while (x->slots[i].id != BINDING_NONE)
		i = (i + 1) & x->mask;
	x->slots[i] = (struct binding_slot){ hash, id };
	x->used++;
}

enum { INDEX_MOST = 1 << 30 };

/* Room for n more at a load of at most 3/4. */
static int index_reserve(struct binding_index *x, size_t n)
{
	uint32_t size = x->mask + 1, wanted = size;
	while (wanted / 4 * 3 < x->used + n && wanted < INDEX_MOST)
		wanted *= 2;
	if (wanted == size)
		return x->used + n <= size / 4 * 3 ? 0 : -ENOMEM;
	struct binding_index larger;
	if (index_alloc(&larger, wanted) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		if (x->slots[i].id != BINDING_NONE)
			index_place(&larger, x->slots[i].hash, x->slots[i].id);
	free(x->slots);
	*x = larger;
	return 0;
}

/* Takes one out and moves those behind it up, so that no probe ever meets a gap that was not there
 * when it was placed. */
static void index_take(struct binding_index *x, uint32_t hash, uint32_t id)
{
	uint32_t i = hash & x->mask;
	while (x->slots[i].id != id)
		i = (i + 1) & x->mask;
	uint32_t hole = i;
	for (i = (i + 1) & x->mask; x->slots[i].id != BINDING_NONE; i = (i + 1) & x->mask) {
		uint32_t home = x->slots[i].hash & x->mask;
		if (((i - home) & x->mask) >= ((i - hole) & x->mask)) {
			x->slots[hole] = x->slots[i];
			hole = i;
		}
	}
	x->slots[hole].id = BINDING_NONE;
	x->used--;
}

/* --- the expiry heap
 * ---------------------------------------------------------------------------------------- */

static void heap_put(struct binding_table *t, uint32_t pos, struct binding_due due)
{
	t->heap[pos] = due;
	at(t, due.id)->heap_at = pos;
}

/* Four children a node: half the levels, and the children's times stand beside each other. */
static void heap_up(struct binding_table *t, uint32_t pos, struct binding_due due)
{
	while (pos > 0 && due.at_ms < t->heap[(pos - 1) / 4].at_ms) {
		heap_put(t, pos, t->heap[(pos - 1) / 4]);
		pos = (pos - 1) / 4;
	}
	heap_put(t, pos, due);
}

static void heap_down(struct binding_table *t, uint32_t pos, struct binding_due due)
{
	for (;;) {
		uint32_t first = 4 * pos + 1, best = first;
		if (first >= t->heap_n)
			break;
		for (uint32_t c = first + 1; c < first + 4 && c < t->heap_n; c++)
			if (t->heap[c].at_ms < t->heap[best].at_ms)
				best = c;
		if (t->heap[best].at_ms >= due.at_ms)
			break;
		heap_put(t, pos, t->heap[best]);
		pos = best;
	}
	heap_put(t, pos, due);
}

static void heap_take(struct binding_table *t, struct binding *b)
{
	uint32_t pos = b->heap_at;
	if (pos == BINDING_NONE)
		return;
	b->heap_at = BINDING_NONE;
	struct binding_due last = t->heap[--t->heap_n];
	if (pos == t->heap_n)
		return;
	if (pos > 0 && last.at_ms < t->heap[(pos - 1) / 4].at_ms)
		heap_up(t, pos, last);
	else
		heap_down(t, pos, last);
}

/* The heap has room for every binding there is (bindings_add saw to it). */
static void heap_set(struct binding_table *t, struct binding *b)
{
	struct binding_due due = { b->valid_until_ms, b->id };
	if (b->heap_at == BINDING_NONE)
		heap_up(t, t->heap_n++, due);
	else if (due.at_ms < t->heap[b->heap_at].at_ms)
		heap_up(t, b->heap_at, due);
}

uint64_t bindings_deadline(const struct binding_table *t)
{
	return t->heap_n ? t->heap[0].at_ms : UINT64_MAX;
}

struct binding *bindings_expired(struct binding_table *t, uint64_t now_ms)
{
	for (unsigned i = 0; i < EXPIRY_STEPS && t->heap_n && t->heap[0].at_ms <= now_ms; i++) {
		struct binding *b = at(t, t->heap[0].id);
		if (b->valid_until_ms <= now_ms)
			return b;
		heap_down(t, 0, (struct binding_due){ b->valid_until_ms, t->heap[0].id });
	}
	return NULL;
}

/* --- the queue of freed ones
 * -------------------------------------------------------------------------------- */

static void queue_take(struct binding_table *t, struct binding *b)
{
	if (b->older != BINDING_NONE)
		at(t, b->older)->newer = b->newer;
	else
		t->freed[b->kind].oldest = b->newer;
	if (b->newer != BINDING_NONE)
		at(t, b->newer)->older = b->older;
	else
		t->freed[b->kind].newest = b->older;
	b->older = b->newer = BINDING_NONE;
}

static void queue_put(struct binding_table *t, struct binding *b)
{
	b->older = t->freed[b->kind].newest;
	b->newer = BINDING_NONE;
	if (b->older != BINDING_NONE)
		at(t, b->older)->newer = b->id;
	else
		t->freed[b->kind].oldest = b->id;
	t->freed[b->kind].newest = b->id;
}

/* --- the table
 * ---------------------------------------------------------------------------------------------- */

int bindings_init(struct binding_table *t, const uint8_t key[static 16])
{
	*t = (struct binding_table){ .free_head = BINDING_NONE };
	memcpy(t->key, key, sizeof t->key);
	for (size_t k = 0; k < 3; k++)
		t->freed[k].oldest = t->freed[k].newest = BINDING_NONE;
	if (index_alloc(&t->by_client, INDEX_MIN) < 0 ||
	    index_alloc(&t->by_prefix, INDEX_MIN) < 0) {
		bindings_done(t);
		return -ENOMEM;
	}
	return 0;
}

static void free_parts(struct binding *b)
{
	if (b->duid_len > BINDING_INLINE_DUID)
		free(b->duid.elsewhere);
	free(b->details);
	b->details = NULL;
}

/* How many stand in one piece of memory that begins with this one; 0: it is within such a piece. */
static uint32_t piece_at(uint32_t chunk)
{
	return chunk < BLOCK ? 1 : chunk % BLOCK == 0 ? BLOCK : 0;
}

void bindings_done(struct binding_table *t)
{
	for (uint32_t i = 0; t->by_prefix.slots && i <= t->by_prefix.mask; i++) {
		uint32_t id = t->by_prefix.slots[i].id;
		if (id != BINDING_NONE)
			free_parts(at(t, id));
	}
	for (uint32_t i = 0; i < t->n_chunks; i++)
		if (piece_at(i))
			free(t->chunks[i]);
	free(t->chunks);
	free(t->by_client.slots);
	free(t->by_prefix.slots);
	free(t->heap);
	*t = (struct binding_table){ .free_head = BINDING_NONE };
}

static int add_chunks(struct binding_table *t)
{
	uint32_t n = piece_at(t->n_chunks);
	struct binding **chunks = realloc(t->chunks, (t->n_chunks + n) * sizeof *chunks);
	if (!chunks)
		return -ENOMEM;
	t->chunks = chunks;
	size_t bytes = (size_t)n * CHUNK * sizeof **chunks;
	struct binding *piece =
		n == 1 ? aligned_alloc(_Alignof(struct binding), bytes) : large_alloc(bytes);
	if (!piece)
		return -ENOMEM;
	while (n-- > 0) {
		t->chunks[t->n_chunks++] = piece;
		piece += CHUNK;
	}
	return 0;
}

/* Begins all up to this one, as vacant. False: it is too far beyond the others, or there is no
 * memory. */
static bool begin_up_to(struct binding_table *t, uint32_t id)
{
	if (id / 4 > t->n + NUMBERS_SPARE / 4)
		return false;
	while (id >= t->n_chunks * CHUNK)
		if (add_chunks(t) < 0)
			return false;
	for (; t->n_begun <= id; t->n_begun++)
		at(t, t->n_begun)->state = 0;
	return true;
}

/* The one of this number, if it can be had; BINDING_NONE else. */
static uint32_t kept_id(struct binding_table *t, uint32_t number)
{
	uint32_t id = number - 1;
	return t->loading && begin_up_to(t, id) && !at(t, id)->state ? id : BINDING_NONE;
}

/* There is room for it (reserve() saw to it). */
static uint32_t next_id(struct binding_table *t)
{
	uint32_t id = t->free_head;
	if (id == BINDING_NONE)
		return t->n_begun++;
	t->free_head = at(t, id)->older;
	return id;
}

void bindings_load_begin(struct binding_table *t, size_t expected)
{
	t->loading = t->free_head == BINDING_NONE;
	/* Where there is no memory for them they grow as they come. */
	(void)index_reserve(&t->by_client, expected);
	(void)index_reserve(&t->by_prefix, expected);
}

void bindings_load_end(struct binding_table *t)
{
	if (!t->loading)
		return;
	t->loading = false;
	for (uint32_t id = t->n_begun; id-- > 0;) {
		struct binding *b = at(t, id);
		if (b->state)
			continue;
		b->older = t->free_head;
		t->free_head = id;
	}
}

static int reserve(struct binding_table *t)
{
	if (t->free_head == BINDING_NONE && t->n_begun == t->n_chunks * CHUNK && add_chunks(t) < 0)
		return -ENOMEM;
	if (t->heap_size < t->n + 1) {
		uint32_t size = t->heap_size ? t->heap_size * 2 : CHUNK;
		struct binding_due *heap = realloc(t->heap, size * sizeof *heap);
		if (!heap)
			return -ENOMEM;
		t->heap = heap;
		t->heap_size = size;
	}
	return index_reserve(&t->by_client, 1) < 0 || index_reserve(&t->by_prefix, 1) < 0 ? -ENOMEM
											  : 0;
}

/* NULL for none of them. */
static int copy_details(const uint8_t *bytes, size_t len, struct binding_details **ret_details)
{
	struct binding_details *d = NULL;
	if (len > 0) {
		d = malloc(sizeof *d + len);
		if (!d)
			return -ENOMEM;
		d->len = (uint16_t)len;
		memcpy(d->bytes, bytes, len);
	}
	*ret_details = d;
	return 0;
}

int binding_set_details(struct binding *b, const uint8_t *details, size_t len)
{
	size_t had = b->details ? b->details->len : 0;
	if (had == len && (len == 0 || memcmp(b->details->bytes, details, len) == 0))
		return 0;
	struct binding_details *copy;
	if (copy_details(details, len, &copy) < 0)
		return -ENOMEM;
	free(b->details);
	b->details = copy;
	return 0;
}

int bindings_add(struct binding_table *t, const struct binding_record *r,
		 struct binding **ret_binding)
{
	if (reserve(t) < 0)
		return -ENOMEM;
	struct binding_details *details = NULL;
	if (copy_details(r->details, r->details_len, &details) < 0)
		return -ENOMEM;
	uint8_t *elsewhere = NULL;
	if (r->duid.len > BINDING_INLINE_DUID) {
		elsewhere = malloc(r->duid.len);
		if (!elsewhere) {
			free(details);
			return -ENOMEM;
		}
	}
	uint32_t id = r->number ? kept_id(t, r->number) : BINDING_NONE;
	if (id == BINDING_NONE)
		id = next_id(t);
	struct binding *b = at(t, id);
	*b = (struct binding){
		.id = id,
		.addr = r->prefix.addr,
		.plen = r->prefix.plen,
		.next_hop = r->next_hop,
		.details = details,
		.granted_at_ms = r->granted_at_ms,
		.iaid = r->iaid,
		.preferred_lft_s = r->preferred_lft_s,
		.valid_lft_s = r->valid_lft_s,
		.heap_at = BINDING_NONE,
		.older = BINDING_NONE,
		.newer = BINDING_NONE,
		.kind = (uint8_t)r->kind,
		.lladdr_len = r->lladdr_len,
		.duid_len = r->duid.len,
	};
	memcpy(b->lladdr, r->lladdr, sizeof b->lladdr);
	if (elsewhere)
		b->duid.elsewhere = elsewhere;
	memcpy(elsewhere ? elsewhere : b->duid.here, r->duid.bytes, r->duid.len);
	b->client_hash = hash_client(t, r->duid.bytes, r->duid.len);
	b->prefix_hash = hash_prefix(t, &b->addr, b->plen);
	index_place(&t->by_client, b->client_hash, id);
	index_place(&t->by_prefix, b->prefix_hash, id);
	t->n++;
	bindings_set(t, b, r->state, r->valid_until_ms);
	*ret_binding = b;
	return 0;
}

void bindings_remove(struct binding_table *t, struct binding *b)
{
	uint32_t id = b->id;
	heap_take(t, b);
	if (b->state == BINDING_FREED)
		queue_take(t, b);
	t->n_by_state[b->kind][b->state]--;
	index_take(&t->by_client, b->client_hash, id);
	index_take(&t->by_prefix, b->prefix_hash, id);
	free_parts(b);
	t->n--;
	b->state = 0;
	b->older = t->free_head;
	t->free_head = id;
}

void bindings_set(struct binding_table *t, struct binding *b, enum binding_state state,
		  uint64_t valid_until_ms)
{
	uint64_t before_ms = b->valid_until_ms;
	if (b->state == BINDING_FREED)
		queue_take(t, b);
	if (b->state)
		t->n_by_state[b->kind][b->state]--;
	b->state = (uint8_t)state;
	b->valid_until_ms = valid_until_ms;
	t->n_by_state[b->kind][state]++;
	if (state == BINDING_FREED)
		queue_put(t, b);
	if (state == BINDING_FREED || valid_until_ms == UINT64_MAX)
		heap_take(t, b);
	else if (b->heap_at == BINDING_NONE ||
		 valid_until_ms < before_ms) /* the heap is too early for the others: let it */
		heap_set(t, b);
}

static bool is_client(const struct binding *b, uint32_t hash, const uint8_t *duid, size_t len)
{
	return b->client_hash == hash && b->duid_len == len &&
	       memcmp(binding_duid(b), duid, len) == 0;
}

uint32_t bindings_expect(const struct binding_table *t, const uint8_t *duid, size_t duid_len)
{
	uint32_t hash = hash_client(t, duid, duid_len);
	__builtin_prefetch(&t->by_client.slots[hash & t->by_client.mask]);
	return hash;
}

bool bindings_expect_found(const struct binding_table *t, uint32_t expected)
{
	const struct binding_index *x = &t->by_client;
	for (uint32_t i = expected & x->mask; x->slots[i].id != BINDING_NONE;
	     i = (i + 1) & x->mask) {
		if (x->slots[i].hash != expected)
			continue;
		const struct binding *b = at(t, x->slots[i].id);
		__builtin_prefetch(b, 1);
		__builtin_prefetch(&b->granted_at_ms, 1); /* its second line */
		return true;
	}
	return false;
}

void bindings_expect_prefix(const struct binding_table *t, const struct in6_addr *addr,
			    uint8_t plen)
{
	uint32_t hash = hash_prefix(t, addr, plen);
	__builtin_prefetch(&t->by_prefix.slots[hash & t->by_prefix.mask], 1);
}

uint32_t bindings_hash(const struct binding_table *t, const uint8_t *duid, size_t duid_len)
{
	return hash_client(t, duid, duid_len);
}

struct binding *bindings_by_client(const struct binding_table *t, enum binding_kind kind,
				   const uint8_t *duid, size_t duid_len, uint32_t iaid)
{
	return bindings_find(t, hash_client(t, duid, duid_len), kind, duid, duid_len, iaid);
}

struct binding *bindings_find(const struct binding_table *t, uint32_t hash, enum binding_kind kind,
			      const uint8_t *duid, size_t duid_len, uint32_t iaid)
{
	const struct binding_index *x = &t->by_client;
	for (uint32_t i = hash & x->mask; x->slots[i].id != BINDING_NONE; i = (i + 1) & x->mask) {
		if (x->slots[i].hash != hash)
			continue;
		struct binding *b = at(t, x->slots[i].id);
		if (b->kind == kind && b->iaid == iaid && b->state != BINDING_DECLINED &&
		    is_client(b, hash, duid, duid_len))
			return b;
	}
	return NULL;
}

struct binding_holdings bindings_of_client(const struct binding_table *t, uint32_t hash,
					   const uint8_t *duid, size_t duid_len)
{
	const struct binding_index *x = &t->by_client;
	struct binding_holdings h = { 0 };
	for (uint32_t i = hash & x->mask; x->slots[i].id != BINDING_NONE; i = (i + 1) & x->mask) {
		if (x->slots[i].hash != hash)
			continue;
		struct binding *b = at(t, x->slots[i].id);
		if (!is_client(b, hash, duid, duid_len))
			continue;
		h.bound += b->state == BINDING_BOUND;
		h.declined += b->state == BINDING_DECLINED;
		h.freed += b->state == BINDING_FREED;
		if (b->state == BINDING_FREED)
			h.a_freed = b;
	}
	return h;
}

struct binding *bindings_by_prefix(const struct binding_table *t, const struct in6_addr *addr,
				   uint8_t plen)
{
	uint32_t hash = hash_prefix(t, addr, plen);
	const struct binding_index *x = &t->by_prefix;
	for (uint32_t i = hash & x->mask; x->slots[i].id != BINDING_NONE; i = (i + 1) & x->mask) {
		if (x->slots[i].hash != hash)
			continue;
		struct binding *b = at(t, x->slots[i].id);
		if (b->plen == plen && memcmp(&b->addr, addr, sizeof *addr) == 0)
			return b;
	}
	return NULL;
}

struct binding *bindings_oldest_freed(const struct binding_table *t, enum binding_kind kind)
{
	uint32_t id = t->freed[kind].oldest;
	return id == BINDING_NONE ? NULL : at(t, id);
}

void binding_to_record(const struct binding *b, struct binding_record *ret_record)
{
	struct binding_record *r = ret_record;
	r->number = b->id + 1;
	r->kind = (enum binding_kind)b->kind;
	r->state = (enum binding_state)b->state;
	r->duid.len = b->duid_len;
	memcpy(r->duid.bytes, binding_duid(b), b->duid_len);
	r->iaid = b->iaid;
	r->prefix = (struct prefix6){ b->addr, b->plen };
	r->next_hop = b->next_hop;
	r->lladdr_len = b->lladdr_len;
	memcpy(r->lladdr, b->lladdr, sizeof r->lladdr);
	r->preferred_lft_s = b->preferred_lft_s;
	r->valid_lft_s = b->valid_lft_s;
	r->granted_at_ms = b->granted_at_ms;
	r->valid_until_ms = b->valid_until_ms;
	r->details_len = b->details ? b->details->len : 0;
	r->details = b->details ? b->details->bytes : NULL;
}

struct binding *bindings_next(const struct binding_table *t, uint32_t id)
{
	while (id < t->n_begun && !at(t, id)->state)
		id++; /* not in use */
	return id < t->n_begun ? at(t, id) : NULL;
}

int bindings_each(const struct binding_table *t, int (*fn)(void *ctx, const struct binding *b),
		  void *ctx)
{
	for (const struct binding *b = bindings_next(t, 0); b; b = bindings_next(t, b->id + 1)) {
		int r = fn(ctx, b);
		if (r < 0)
			return r;
	}
	return 0;
}

size_t bindings_bytes(const struct binding_table *t)
{
	return (size_t)t->n_chunks * CHUNK * sizeof(struct binding) +
	       ((size_t)t->by_client.mask + 1) * sizeof(struct binding_slot) +
	       ((size_t)t->by_prefix.mask + 1) * sizeof(struct binding_slot) +
	       (size_t)t->heap_size * sizeof *t->heap;
}

static bool entry_consistent(const struct binding_table *t, uint32_t id)
{
	const struct binding *b = at(t, id);
	const struct binding *found = bindings_by_client(t, (enum binding_kind)b->kind,
							 binding_duid(b), b->duid_len, b->iaid);
	if (bindings_by_prefix(t, &b->addr, b->plen) != b ||
	    (b->state == BINDING_DECLINED ? found == b : found != b))
		return false;
	if (b->state == BINDING_FREED || b->valid_until_ms == UINT64_MAX)
		return b->heap_at == BINDING_NONE;
	return b->heap_at < t->heap_n && t->heap[b->heap_at].id == id &&
	       t->heap[b->heap_at].at_ms <= b->valid_until_ms;
}

bool bindings_consistent(const struct binding_table *t)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i <= t->by_prefix.mask; i++) {
		if (t->by_prefix.slots[i].id == BINDING_NONE)
			continue;
		n++;
		if (!entry_consistent(t, t->by_prefix.slots[i].id))
			return false;
	}
	for (uint32_t i = 1; i < t->heap_n; i++)
		if (t->heap[i].at_ms < t->heap[(i - 1) / 4].at_ms)
			return false;
	uint64_t queued = 0;
	for (int kind = BINDING_NA; kind <= BINDING_PD; kind++)
		for (uint32_t id = t->freed[kind].oldest; id != BINDING_NONE && queued <= n;
		     id = at(t, id)->newer)
			queued += at(t, id)->state == BINDING_FREED;
	return n == t->n && t->by_client.used == n && t->by_prefix.used == n &&
	       queued == t->n_by_state[BINDING_NA][BINDING_FREED] +
				 t->n_by_state[BINDING_PD][BINDING_FREED];
}
