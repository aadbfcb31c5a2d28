/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's forwarding tables (the FIB: routes and neighbours of subscribers, and the packet
 * filter's sets), changed by a process of its own. Init forks it beside each server; it alone has
 * CAP_NET_ADMIN, holds the netlink sockets that change something, and reads nothing but requests of
 * the server: so many of a fixed size, in memory that the two share (daemon/fib_check.h), then one
 * message, then one answer. What is out of bounds ends it, and init ends the server with it.
 *
 * Whoever has the server's end is the only one who asks, one question at a time.
 */
#pragma once

#include "daemon/fib_check.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	FIB_BATCH_MAX = 8192,  /* requests collected before a commit */
	FIB_ANSWER_MS = 20000, /* longer than the kernel's own answers are waited for in all */
};

struct fib;

/* --- init
 * -------------------------------------------------------------------------------------------------
 */

/* The memory and a socket pair, for a server and its process. Copies *bounds. -ENOMEM,
 * socketpair(2)'s. */
int fib_new(const struct fib_bounds *bounds, struct fib **ret_fib);
/*
 * Forks it, as "vbng-fib"; it dies with us, and ends when the server's end is closed everywhere.
 * forget(ctx) is called in it, before anything else, for what it must not know. fork(2)'s errors.
 * That it cannot begin shows by its end: with EX_PROTOCOL where it was asked for something that is
 * out of bounds, else with EX_OSERR.
 */
int fib_fork(struct fib *f, void (*forget)(void *ctx), void *ctx, pid_t *ret_pid);
/* Lets go of both ends and of the memory: in whoever is neither of the two, and in the server at
 * its end. NULL is allowed. */
void fib_free(struct fib *f);

/* --- the server
 * -------------------------------------------------------------------------------------------
 */

/* This process is the server: it has that end alone from here on. */
void fib_be_server(struct fib *f);
const struct fib_bounds *fib_bounds(const struct fib *f);

/*
 * Collect a request each. 0; -ERANGE: it is out of bounds, and is not asked for; -ENOBUFS: commit
 * first. tag comes back where the kernel refuses it. lladdr: FIB_LLADDR_LEN bytes.
 */
int fib_route_put(struct fib *f, const struct prefix6 *prefix, const struct in6_addr *gateway,
		  uint32_t tag);
int fib_route_del(struct fib *f, const struct prefix6 *prefix, uint32_t tag);
int fib_neighbour_put(struct fib *f, const struct in6_addr *a, const uint8_t *lladdr, uint32_t tag);
int fib_neighbour_del(struct fib *f, const struct in6_addr *a, uint32_t tag);
/* As those of host/nft_sets.h. */
int fib_station_put(struct fib *f, const uint8_t *lladdr, const struct in6_addr *addr);
int fib_station_del(struct fib *f, const uint8_t *lladdr, const struct in6_addr *addr);
int fib_source_put(struct fib *f, const struct prefix6 *prefix, const uint8_t *lladdr);
int fib_source_del(struct fib *f, const struct prefix6 *prefix, const uint8_t *lladdr);
int fib_element_del(struct fib *f, const struct nft_element *e);

struct fib_result {
	int routes; /* routes and neighbours: how many the kernel refused, or a negative errno */
	int filter; /* the sets: 0, or a negative errno (nft_sets_commit()) */
};

/*
 * Has all of it done, routes and neighbours before the sets, and waits for that. failed(ctx, tag,
 * err) is called for each route and neighbour that the kernel refused; removing what is not there
 * is no failure. Both results are -EPIPE where nobody is there any more who could. Empty afterwards
 * in any case.
 */
struct fib_result fib_commit(struct fib *f, void (*failed)(void *ctx, uint32_t tag, int err),
			     void *ctx);
/* The same in two steps, between which it is being done: nothing may be collected or asked there.
 */
void fib_commit_begin(struct fib *f);
struct fib_result fib_commit_end(struct fib *f, void (*failed)(void *ctx, uint32_t tag, int err),
				 void *ctx);

/* The process is gone, or does not answer: there is nothing left to do but to end. */
bool fib_lost(const struct fib *f);

/* As nft_sets_read() and nft_sets_read_some(), all sets of the filter; nothing may be collected
 * meanwhile that is not committed before the next piece. */
int fib_filter_read(struct fib *f);
int fib_filter_read_some(struct fib *f, int (*fn)(void *ctx, const struct nft_element *e),
			 void *ctx);
/* As nft_counters_read(). */
int fib_counters_read(struct fib *f, uint64_t ret_packets[static NFT_REASONS]);
