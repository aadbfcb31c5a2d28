/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /metrics, on the server's loop, beside DHCPv6: nothing here waits. A connection carries one
 * request (RFC 9112 with "Connection: close") and lives for seconds at most; there are never more
 * than METRICS_CONNECTIONS, and where another one comes the oldest gives way, so that nobody keeps
 * the monitoring out by holding connections open.
 */
#pragma once

#include "host/loop.h"

#include <stddef.h>

enum {
	METRICS_CONNECTIONS = 8,
	METRICS_READ_MS = 3000,  /* for the whole request */
	METRICS_WRITE_MS = 5000, /* for the whole answer */
	METRICS_LINGER_MS = 500, /* for the other end to close, once it has been answered */
};

struct metrics;

/* Makes the page: text that is malloc'ed. Negative errno: answered with 503. */
typedef int (*metrics_page_fn)(void *ctx, char **ret_text, size_t *ret_len);

/* listening stays the caller's. -ENOMEM. */
int metrics_new(struct loop *l, int listening, metrics_page_fn page, void *ctx,
		struct metrics **ret_metrics);
void metrics_free(struct metrics *m); /* NULL is allowed */
