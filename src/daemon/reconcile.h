/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's table must change so that it holds exactly the routes of the bindings. Used
 * once at the server's start: one dump, one difference, batches.
 */
#pragma once

#include "base/prefix.h"

#include <netinet/in.h>
#include <stddef.h>

struct delegated_route {
	struct prefix6 prefix;
	struct in6_addr next_hop;
};

struct reconcile_counts {
	size_t kept;
	size_t added;   /* missing, or there with another next hop */
	size_t removed; /* nobody's */
};

/*
 * Sorts both arrays in place and calls add(ctx, route) for each wanted route that is not installed
 * so, and remove(ctx, route) for each installed one whose prefix nobody holds. A route that only
 * needs another next hop is added (which replaces it), not removed. Stops at the first callback
 * that returns < 0 and returns that; else 0 with *ret_counts.
 */
int reconcile_routes(struct delegated_route *wanted, size_t n_wanted,
		     struct delegated_route *installed, size_t n_installed,
		     int (*add)(void *ctx, const struct delegated_route *r),
		     int (*remove)(void *ctx, const struct delegated_route *r), void *ctx,
		     struct reconcile_counts *ret_counts);
