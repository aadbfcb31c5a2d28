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

enum {
	STORE_PATH_MAX = 320,
	STORE_ASIDE_MAX = 4, /* corrupt files that are kept; the oldest of more are removed */
};

/* What opening it met with. */
struct store_found {
	char moved_aside[STORE_PATH_MAX]; /* where a corrupt file is now; "": it was sound */
	size_t rescued; /* of the bindings in that one, taken over into a new one */
	bool adopted;   /* there was none but what a killed start had rescued of a corrupt one */
	int64_t migrated_from; /* the version of the schema that was brought up to date; 0: none */
};

/*
 * Opens it, making directory and file where they are missing, bringing an older schema up to date,
 * and checking all of its pages. A file that is no database, is damaged anywhere or has a schema
 * that is not ours is moved aside, with its log, to leases.db.corrupt-<unix time>; the bindings,
 * the server's DUID and the notes that could still be read of it are in the new one.
 *
 * sound: its pages were checked in this start of the appliance, by a process that was killed since.
 * They are not again, which is a good part of the time that opening takes; what damage the load
 * meets it tells.
 *
 * -EROFS, -EACCES: the directory or the file may not be written; -ENOSPC; -EIO: the medium;
 * -EBUSY: another process has it; -ENOTSUP: written by a later version, and left as it is;
 * -ENOLINK: it is a symbolic link to what is not there; -ENOMEM, -ENAMETOOLONG, and what mkdir(2)
 * and lstat(2) say. Nothing has been moved or lost where it fails.
 */
int store_open(const char *dir, uint64_t unix_ms, bool sound, struct store **ret_store,
	       struct store_found *ret_found);
void store_close(struct store *s); /* NULL is allowed */

/*
 * Moves the (closed) database aside as it is: for one that turns out to be corrupt while it is
 * used, and whose contents are all in memory. ret_moved: where to; "" where there was none.
 */
int store_move_aside(const char *dir, uint64_t unix_ms, char ret_moved[static STORE_PATH_MAX]);

/* Whether somebody has deleted, moved or replaced the file, or its log, since it was opened: what
 * is committed goes where no later start looks. A few stat(2). */
bool store_moved(struct store *s);

/* What whoever loads a record says of it. */
enum store_verdict {
	STORE_TAKEN,
	STORE_FOREIGN, /* of no pool today, and perhaps tomorrow: it is set aside */
	STORE_REFUSED, /* it contradicts another one */
};

/* How many records a load is about to find; 0: nobody knows. */
size_t store_expects(const struct store *s);

/*
 * Calls fn for each record, its instants on the monotonic clock; those that were freed, or whose
 * time is over, come last, in the order in which they were or it was. What the wall clock's jumps
 * made absurd is clamped: nothing lasts longer from now on than it was granted for, and nothing was
 * granted later than now. After all of these come, with number 0, those that were set aside by an
 * earlier load. What fn says becomes true with the next rewrite. fn < 0 ends it and is returned;
 * -EUCLEAN: the file is damaged after all, and fn has seen what could be read. *ret_counts is
 * written in any case.
 */
struct store_counts {
	size_t bad;   /* rows that cannot be, passed over */
	size_t ahead; /* granted in what is the future now: to be written anew, or each load gives
			 them their time again */
};
int store_load(struct store *s, struct store_now now,
	       int (*fn)(void *ctx, const struct binding_record *r), void *ctx,
	       struct store_counts *ret_counts);

/* All changes, and what is owed (see below), in one transaction, on the disk when it returns 0.
 * Else none of them is; errors as store_open(), and -EUCLEAN: the file is corrupt. n may be 0. */
int store_commit(struct store *s, const struct binding_change *changes, size_t n,
		 struct store_now now);

/*
 * What commits put off, for after the answers: where the write-ahead log has become long, it is
 * moved into the database, which takes some milliseconds (store/wal.h: from when on). idle: nobody
 * waits, and earlier will do. Whoever never calls it has a log that grows until the database is
 * closed. store_untidy(): it would be worth while when idle.
 */
void store_tidy(struct store *s, bool idle);
bool store_untidy(const struct store *s);

/*
 * Catching up after commits failed: begin empties the table inside a transaction, but for what was
 * foreign to the last load, put adds records, end commits (commit = true) or takes it all back. An
 * error in between leaves the caller to call store_rewrite_end(s, false).
 */
int store_rewrite_begin(struct store *s);
int store_rewrite_put(struct store *s, const struct binding_record *r, struct store_now now);
int store_rewrite_end(struct store *s, bool commit);

/*
 * The server's DUID, and what else outlives a restart. What is put is owed: at once it is what is
 * got, and with the next transaction (a commit, or a rewrite) it comes onto the disk. So a start
 * waits for the disk once, and not for each of them.
 */

/* The one that is kept; where there is none yet it is fresh, from now on. */
int store_duid(struct store *s, const struct duid *fresh, struct duid *ret_duid);
void store_duid_put(struct store *s, const struct duid *duid);
bool store_owes(const struct store *s);

enum store_note {
	STORE_RECONFIGURE_SECRET, /* out of which clients' keys are made (wire/dhcp6_auth.h) */
	STORE_CONFIG_DIGEST,      /* of what clients were told last */
	STORE_ADVERTISED,         /* what was advertised last, and its sequence number */
	STORE_REPLAY,             /* beyond all replay values that were used, big-endian */
};
enum { STORE_NOTE_LEN = 32 };
/* -ENODATA: there is none; -EUCLEAN: it is of another length. */
int store_note_get(struct store *s, enum store_note note, uint8_t ret_bytes[static STORE_NOTE_LEN]);
void store_note_put(struct store *s, enum store_note note,
		    const uint8_t bytes[static STORE_NOTE_LEN]);
