/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between daemon/fib.c, which is the server's side, and daemon/fib_process.c: two copies of the
 * same program, so no encoding. */
#pragma once

#include "daemon/fib.h"

enum {
	FIB_ELEMENTS_MAX = 2048, /* of one piece of a set: more than its 32 KiB can hold */
	FIB_REST_MS = 10000,     /* after so long without a question memory is given back */
};

enum fib_op {
	FIB_COMMIT = 1,
	FIB_READ,      /* the filter's sets, from the beginning */
	FIB_READ_SOME, /* a piece of them */
	FIB_COUNTERS,
};

struct fib_question {
	uint32_t op;
	uint32_t n; /* requests, of FIB_COMMIT; else 0 */
};

struct fib_answer {
	int32_t result; /* of FIB_COMMIT that of routes and neighbours; else as host/nft_sets.h */
	int32_t filter; /* of FIB_COMMIT */
	uint32_t n;     /* refusals, or elements */
};

struct fib_refusal {
	uint32_t request;
	int32_t error;
};

struct fib_element {
	uint8_t set;
	uint8_t plen;
	uint8_t has_lladdr;
	uint8_t lladdr[FIB_LLADDR_LEN];
	struct in6_addr addr;
};

/* Pages that nobody wrote to cost nothing. */
struct fib_shared {
	struct fib_request requests[FIB_BATCH_MAX]; /* written by the server, at any time */
	/* written by the process: */
	struct fib_refusal refused[FIB_BATCH_MAX];
	struct fib_element elements[FIB_ELEMENTS_MAX];
	uint64_t packets[NFT_REASONS];
};

/* fd: blocking, with FIB_REST_MS as the limit of its recv(2). An exit code, when the server's end
 * is closed, or because of a fault. */
int fib_process_run(int fd, struct fib_shared *shared, const struct fib_bounds *bounds);
