/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bindings on disk: STATE_DIR/leases.db (SQLite, WAL, synchronous=FULL), one transaction a
 * batch. In memory instants are milliseconds of the monotonic clock; on disk they are the wall
 * clock's, so every call that crosses the border is given both.
 */
#pragma once

#include "engine/batch.h"
#include "engine/bindings.h"
#include "wire/duid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_now {
	uint64_t mono_ms;
	uint64_t unix_ms;
};

enum { STORE_PATH_MAX = 320 };

/*
 * Opens it, making directory and schema where they are missing. A file that is no (or a corrupt)
 * database is moved aside to leases.db.corrupt-<unix time>, and *ret_moved_aside (empty otherwise)
 * says where. -EROFS, -EACCES, -ENOSPC, -EIO, -EBUSY (another process has it), -ENOTSUP (written by
 * a later version), -ENOMEM.
 */
int store_open(const char *dir, uint64_t unix_ms, struct store **ret_store,
	       char ret_moved_aside[static STORE_PATH_MAX]);
void store_close(struct store *s); /* NULL is allowed */

/*
 * Calls fn for each record, its instants on the monotonic clock. What the wall clock's jumps made
 * absurd is clamped: nothing is valid longer than its own lifetime from now on. Records that cannot
 * be are passed over and counted in *ret_bad. fn < 0 ends it and is returned.
 */
int store_load(struct store *s, struct store_now now,
	       int (*fn)(void *ctx, const struct binding_record *r), void *ctx, size_t *ret_bad);

/* All changes in one transaction, on the disk when it returns 0. Else none of them is. */
int store_commit(struct store *s, const struct binding_change *changes, size_t n,
		 struct store_now now);

/*
 * Catching up after commits failed: begin empties the table inside a transaction, put adds records,
 * end commits (commit = true) or takes it all back. An error in between leaves the caller to call
 * store_rewrite_end(s, false).
 */
int store_rewrite_begin(struct store *s);
int store_rewrite_put(struct store *s, const struct binding_record *r, struct store_now now);
int store_rewrite_end(struct store *s, bool commit);

/* The server's DUID: fresh is written where there is none yet. */
int store_duid(struct store *s, const struct duid *fresh, struct duid *ret_duid);
