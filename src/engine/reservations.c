/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/reservations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reservations {
	size_t n;
	struct reservation *by_key;           /* sorted by key, then by line */
	const struct reservation **by_prefix; /* into those; sorted by address */
};

static int compare_key(const struct reservation *r, enum reservation_by by, const uint8_t *key,
		       size_t key_len)
{
	if (r->by != by)
		return r->by < by ? -1 : 1;
	if (r->key_len != key_len)
		return r->key_len < key_len ? -1 : 1;
	return memcmp(r->key, key, key_len);
}

static int by_key_and_line(const void *a, const void *b)
{
	const struct reservation *x = (const struct reservation *)a;
	const struct reservation *y = (const struct reservation *)b;
	int c = compare_key(x, y->by, y->key, y->key_len);
	if (c == 0)
		c = x->line < y->line ? -1 : x->line > y->line;
	return c != 0 ? c : memcmp(&x->prefix.addr, &y->prefix.addr, sizeof x->prefix.addr);
}

static int by_address(const void *a, const void *b)
{
	const struct reservation *x = *(const struct reservation *const *)a;
	const struct reservation *y = *(const struct reservation *const *)b;
	int c = memcmp(&x->prefix.addr, &y->prefix.addr, sizeof x->prefix.addr);
	return c != 0 ? c : (int)x->prefix.plen - (int)y->prefix.plen;
}

int reservations_new(const struct reservation *list, size_t n,
		     struct reservations **ret_reservations, struct reservation *ret_clash)
{
	struct reservations *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->n = n;
	r->by_key = calloc(n ? n : 1, sizeof *r->by_key);
	r->by_prefix = calloc(n ? n : 1, sizeof *r->by_prefix);
	if (!r->by_key || !r->by_prefix) {
		reservations_free(r);
		return -ENOMEM;
	}
	if (n)
		memcpy(r->by_key, list, n * sizeof *list);
	qsort(r->by_key, n, sizeof *r->by_key, by_key_and_line);
	for (size_t i = 0; i < n; i++)
		r->by_prefix[i] = &r->by_key[i];
	qsort(r->by_prefix, n, sizeof *r->by_prefix, by_address);
	/* Sorted by address, the shorter first: whoever overlaps one stands right behind it. */
	for (size_t i = 1; i < n; i++) {
		const struct reservation *x = r->by_prefix[i - 1], *y = r->by_prefix[i];
		if (!prefix6_overlaps(&x->prefix, &y->prefix))
			continue;
		if (ret_clash)
			*ret_clash = x->line > y->line ? *x : *y;
		reservations_free(r);
		return -EEXIST;
	}
	*ret_reservations = r;
	return 0;
}

void reservations_free(struct reservations *r)
{
	if (!r)
		return;
	free(r->by_key);
	free(r->by_prefix);
	free(r);
}

size_t reservations_count(const struct reservations *r)
{
	return r ? r->n : 0;
}

const struct reservation *reservations_nth(const struct reservations *r, size_t i)
{
	return &r->by_key[i];
}

const struct reservation *reservations_at(const struct reservations *r,
					  const struct prefix6 *prefix)
{
	if (!r || r->n == 0)
		return NULL;
	/* The first that begins behind it: only that one and the one before can overlap it, for
	 * they do not overlap each other. */
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(&r->by_prefix[middle]->prefix.addr, &prefix->addr,
			   sizeof prefix->addr) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && prefix6_overlaps(&r->by_prefix[low - 1]->prefix, prefix))
		return r->by_prefix[low - 1];
	return low < r->n && prefix6_overlaps(&r->by_prefix[low]->prefix, prefix)
		       ? r->by_prefix[low]
		       : NULL;
}

bool reservations_for(const struct reservations *r, enum reservation_by by, const uint8_t *key,
		      size_t key_len, bool (*fn)(void *ctx, const struct reservation *one),
		      void *ctx)
{
	if (!r || r->n == 0)
		return false;
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_key(&r->by_key[middle], by, key, key_len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < r->n && compare_key(&r->by_key[low], by, key, key_len) == 0; low++)
		if (fn(ctx, &r->by_key[low]))
			return true;
	return false;
}
