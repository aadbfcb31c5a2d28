/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/reconcile.h"

#include <stdlib.h>
#include <string.h>

static int by_prefix(const void *a, const void *b)
{
	const struct delegated_route *x = (const struct delegated_route *)a;
	const struct delegated_route *y = (const struct delegated_route *)b;
	int c = memcmp(&x->prefix.addr, &y->prefix.addr, sizeof x->prefix.addr);
	return c ? c : (int)x->prefix.plen - (int)y->prefix.plen;
}

int reconcile_routes(struct delegated_route *wanted, size_t n_wanted,
		     struct delegated_route *installed, size_t n_installed,
		     int (*add)(void *ctx, const struct delegated_route *r),
		     int (*remove)(void *ctx, const struct delegated_route *r), void *ctx,
		     struct reconcile_counts *ret_counts)
{
	struct reconcile_counts counts = { 0 };
	if (n_wanted)
		qsort(wanted, n_wanted, sizeof *wanted, by_prefix);
	if (n_installed)
		qsort(installed, n_installed, sizeof *installed, by_prefix);
	size_t w = 0, i = 0;
	while (w < n_wanted || i < n_installed) {
		int c = w == n_wanted      ? 1
			: i == n_installed ? -1
					   : by_prefix(&wanted[w], &installed[i]);
		int r = 0;
		if (c > 0) {
			r = remove(ctx, &installed[i++]);
			counts.removed++;
		} else if (c == 0 && memcmp(&wanted[w].next_hop, &installed[i].next_hop,
					    sizeof wanted[w].next_hop) == 0) {
			w++;
			i++;
			counts.kept++;
		} else {
			r = add(ctx, &wanted[w++]);
			i += c == 0;
			counts.added++;
		}
		if (r < 0)
			return r;
	}
	*ret_counts = counts;
	return 0;
}
