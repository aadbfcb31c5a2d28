/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/heap.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP = 64,         /* between two sizes */
	SIZES = 32,        /* up to 2 KiB; what is larger comes and goes with a start */
	KEPT_BYTES = 4096, /* of each size, and two blocks at least */
};

/* In front of what SQLite gets, which must be aligned to 8 bytes. */
struct block {
	uint64_t size; /* bytes behind this */
};
static_assert(sizeof(struct block) == 8, "padded");

/* SQLite hands no context to its allocator, so this is the one state of the store that is not in a
 * struct store. */
static struct kept {
	struct block *first; /* the next one's address is in each one's bytes */
	size_t n;
} kept[SIZES];

/* Of blocks of that size; NULL: it is too large. */
static struct kept *kept_of(size_t size)
{
	return size > 0 && size <= (size_t)SIZES * STEP ? &kept[(size - 1) / STEP] : NULL;
}

static struct block *block_of(void *p)
{
	return (struct block *)p - 1;
}

static int heap_roundup(int n)
{
	return n <= SIZES * STEP ? (n + STEP - 1) / STEP * STEP : (n + 7) & ~7;
}

static void *heap_malloc(int n)
{
	size_t size = (size_t)heap_roundup(n);
	struct kept *k = kept_of(size);
	struct block *b = k ? k->first : NULL;
	if (b) {
		memcpy(&k->first, b + 1, sizeof(struct block *));
		k->n--;
		return b + 1;
	}
	b = malloc(sizeof *b + size);
	if (!b)
		return NULL;
	b->size = size;
	return b + 1;
}

static void heap_free(void *p)
{
	if (!p)
		return;
	struct block *b = block_of(p);
	struct kept *k = kept_of(b->size);
	if (!k || (k->n >= 2 && (k->n + 1) * b->size > KEPT_BYTES)) {
		free(b);
		return;
	}
	memcpy(p, &k->first, sizeof(struct block *));
	k->first = b;
	k->n++;
}

static int heap_size(void *p)
{
	return p ? (int)block_of(p)->size : 0;
}

static void *heap_realloc(void *p, int n)
{
	size_t size = (size_t)heap_roundup(n);
	struct block *b = block_of(p);
	if (size <= b->size && kept_of(b->size))
		return p;
	if (!kept_of(b->size) && !kept_of(size)) {
		b = realloc(b, sizeof *b + size);
		if (!b)
			return NULL;
		b->size = size;
		return b + 1;
	}
	void *q = heap_malloc(n);
	if (!q)
		return NULL;
	memcpy(q, p, b->size < size ? b->size : size);
	heap_free(p);
	return q;
}

static int heap_init(void *ctx)
{
	(void)ctx;
	return SQLITE_OK;
}

static void heap_shutdown(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < SIZES; i++) {
		for (struct block *b = kept[i].first, *next; b; b = next) {
			memcpy(&next, b + 1, sizeof(struct block *));
			free(b);
		}
		kept[i] = (struct kept){ 0 };
	}
}

void heap_install(void)
{
	static const struct sqlite3_mem_methods methods = { heap_malloc,   heap_free,
							    heap_realloc,  heap_size,
							    heap_roundup,  heap_init,
							    heap_shutdown, NULL };
	/* Refused where SQLite is in use already, with the same settings since the first time. */
	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* no locks that nobody contends for */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* no sums that nobody reads */
}
