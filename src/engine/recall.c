/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/recall.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 256 };

int recall_init(struct recall *r, const uint8_t key[static 16])
{
	*r = (struct recall){ .n_buckets = BUCKETS_MIN };
	memcpy(r->key, key, sizeof r->key);
	for (size_t i = 0; i <= RECALL_TRIES; i++)
		TAILQ_INIT(&r->turns[i]);
	r->buckets = calloc(r->n_buckets, sizeof(struct recall_client *));
	return r->buckets ? 0 : -ENOMEM;
}

void recall_done(struct recall *r)
{
	for (uint32_t i = 0; r->buckets && i < r->n_buckets; i++)
		for (struct recall_client *c = r->buckets[i], *next; c; c = next) {
			next = c->next_in_bucket;
			free(c);
		}
	free(r->buckets);
	r->buckets = NULL;
	r->n = r->n_buckets = 0;
}

static uint32_t hash(const struct recall *r, const uint8_t *duid, size_t len)
{
	return (uint32_t)siphash24(r->key, duid, len);
}

/* What points to it, or to the end of where it would be. */
static struct recall_client **place_of(const struct recall *r, const uint8_t *duid, size_t len)
{
	uint32_t h = hash(r, duid, len);
	struct recall_client **at = &r->buckets[h & (r->n_buckets - 1)];
	while (*at && !((*at)->hash == h && (*at)->duid_len == len &&
			memcmp((*at)->bytes, duid, len) == 0))
		at = &(*at)->next_in_bucket;
	return at;
}

/* Longer chains where there is no memory: slower, not wrong. */
static void grow(struct recall *r)
{
	uint32_t n = r->n_buckets * 2;
	struct recall_client **buckets = calloc(n, sizeof(struct recall_client *));
	if (!buckets)
		return;
	for (uint32_t i = 0; i < r->n_buckets; i++)
		for (struct recall_client *c = r->buckets[i], *next; c; c = next) {
			next = c->next_in_bucket;
			c->next_in_bucket = buckets[c->hash & (n - 1)];
			buckets[c->hash & (n - 1)] = c;
		}
	free(r->buckets);
	r->buckets = buckets;
	r->n_buckets = n;
}

int recall_add(struct recall *r, const struct binding_record *b, uint64_t now_ms)
{
	if (*place_of(r, b->duid.bytes, b->duid.len))
		return 0;
	if (r->n == RECALL_MAX)
		return -ENOBUFS;
	struct recall_client *c = malloc(sizeof *c + b->duid.len + b->details_len);
	if (!c)
		return -ENOMEM;
	if (r->n >= r->n_buckets)
		grow(r);
	if (r->next_first_ms < now_ms)
		r->next_first_ms = now_ms;
	*c = (struct recall_client){ .due_ms = r->next_first_ms,
				     .hash = hash(r, b->duid.bytes, b->duid.len),
				     .next_hop = b->next_hop,
				     .lladdr_len = b->lladdr_len,
				     .duid_len = b->duid.len,
				     .details_len = b->details_len };
	memcpy(c->lladdr, b->lladdr, sizeof c->lladdr);
	memcpy(c->bytes, b->duid.bytes, b->duid.len);
	if (b->details_len)
		memcpy(c->bytes + b->duid.len, b->details, b->details_len);
	r->next_first_ms += 1000 / RECALL_PER_S;
	TAILQ_INSERT_TAIL(&r->turns[0], c, in_turn);
	*place_of(r, b->duid.bytes, b->duid.len) = c;
	r->n++;
	return 0;
}

static void forget(struct recall *r, struct recall_client **at)
{
	struct recall_client *c = *at;
	if (!c)
		return; /* not there: nothing to forget */
	*at = c->next_in_bucket;
	TAILQ_REMOVE(&r->turns[c->tries], c, in_turn);
	r->n--;
	free(c);
}

bool recall_heard(struct recall *r, const uint8_t *duid, size_t duid_len)
{
	if (r->n == 0)
		return false;
	struct recall_client **at = place_of(r, duid, duid_len);
	if (!*at)
		return false;
	forget(r, at);
	return true;
}

const struct recall_client *recall_next(struct recall *r, uint64_t now_ms)
{
	struct recall_client *c;
	/* The last turn is only waited for. */
	while ((c = TAILQ_FIRST(&r->turns[RECALL_TRIES])) && c->due_ms <= now_ms) {
		forget(r, place_of(r, c->bytes, c->duid_len));
		r->given_up++;
	}
	for (size_t i = 0; i < RECALL_TRIES; i++) {
		c = TAILQ_FIRST(&r->turns[i]);
		if (!c || c->due_ms > now_ms)
			continue;
		TAILQ_REMOVE(&r->turns[i], c, in_turn);
		c->due_ms = now_ms + (RECALL_TIMEOUT_S * UINT64_C(1000) << i);
		c->tries++;
		TAILQ_INSERT_TAIL(&r->turns[c->tries], c, in_turn);
		return c;
	}
	return NULL;
}

uint64_t recall_deadline(const struct recall *r)
{
	uint64_t soonest = UINT64_MAX;
	for (size_t i = 0; i <= RECALL_TRIES; i++) {
		const struct recall_client *c = TAILQ_FIRST(&r->turns[i]);
		if (c && c->due_ms < soonest)
			soonest = c->due_ms;
	}
	return soonest;
}
