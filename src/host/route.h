/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6 routes and permanent neighbours, in batches: many requests in one send, their
 * answer awaited. All of them carry ROUTE_PROTOCOL and are, where nothing else is said, in the
 * main table of the namespace that the socket was opened in.
 */
#pragma once

#include "base/prefix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ROUTE_PROTOCOL = 118,         /* 'v'; no routing daemon in iproute2's rt_protos has it */
	ROUTE_METRIC_DELEGATED = 256, /* of a delegated prefix */
	ROUTE_METRIC_UNREACHABLE = 4096,
	ROUTE_METRIC_DEFAULT = 64, /* before what a Docker network may have put there (1024) */
	ROUTE_BATCH_MAX = 8192,    /* requests collected before a commit */
};

struct route {
	struct prefix6 prefix;
	enum route_type { ROUTE_VIA, ROUTE_UNREACHABLE } type;
	bool has_gateway;
	struct in6_addr gateway;
	unsigned oif; /* ROUTE_VIA */
	uint32_t metric;
	uint8_t table; /* 0: main */
};

struct route_batch;

/* With a socket of its own. -ENOMEM or socket(2)'s. */
int route_batch_new(struct route_batch **ret_batch);
void route_batch_free(struct route_batch *b);

/* Collects a request; `tag` comes back where it fails. -ENOBUFS: commit first. */
int route_put(struct route_batch *b, const struct route *r, uint32_t tag); /* adds or replaces */
int route_del(struct route_batch *b, const struct route *r, uint32_t tag);
/* A permanent neighbour, which the kernel's neighbour limits do not count; it carries
 * ROUTE_PROTOCOL where the kernel keeps that (5.0 and later). */
int neighbour_put(struct route_batch *b, unsigned ifindex, const struct in6_addr *a,
		  const uint8_t *lladdr, size_t len, uint32_t tag);
int neighbour_del(struct route_batch *b, unsigned ifindex, const struct in6_addr *a, uint32_t tag);

/*
 * Sends what was collected and waits for every answer (bounded: -ETIMEDOUT after 5 s). failed(ctx,
 * tag, err) is called for each request that the kernel refused, err a negative errno; removing what
 * is not there is no failure. Returns how many failed, or a negative errno where the batch as a
 * whole could not be done. Empty afterwards in any case.
 */
int route_commit(struct route_batch *b, void (*failed)(void *ctx, uint32_t tag, int err),
		 void *ctx);

/* Calls fn for each route of ROUTE_PROTOCOL in the main table. Its result < 0 ends the dump and is
 * returned. */
int route_dump(struct route_batch *b, int (*fn)(void *ctx, const struct route *r), void *ctx);

struct neighbour {
	struct in6_addr addr;
	size_t lladdr_len;
	uint8_t lladdr[8];
};
/*
 * The same in pieces, for somebody who has other things to do: a start, then calls until one
 * returns 0 (or a negative errno). Each reads what one message of the kernel holds, some hundred
 * routes; 1: there is more. A batch that is being dumped from must not be used for anything else
 * until then. Where the table changed meanwhile, what changed may be missing or stand twice, and
 * where routes were removed from it, others may be missing as well.
 */
int route_dump_start(struct route_batch *b);
int route_dump_some(struct route_batch *b, int (*fn)(void *ctx, const struct route *r), void *ctx);
int neighbour_dump_start(struct route_batch *b);
/* Whether the kernel says so of the last one. */
bool route_dump_interrupted(const struct route_batch *b);
/* As route_dump(), of the permanent neighbours of ROUTE_PROTOCOL on this interface. */
int neighbour_dump(struct route_batch *b, unsigned ifindex,
		   int (*fn)(void *ctx, const struct neighbour *n), void *ctx);
int neighbour_dump_some(struct route_batch *b, unsigned ifindex,
			int (*fn)(void *ctx, const struct neighbour *n), void *ctx);
