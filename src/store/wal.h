/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The write-ahead log's keeping. A commit is fast where the log's file has room for it: where it
 * must grow, the file system has to write where the file ends, too, before fdatasync() returns,
 * which doubles the time. So the file is made longer in pieces, ahead of what is written; after the
 * log has been moved into the database it is written from its beginning again.
 *
 * Moving it writes pages all over the database, which holds up whoever waits: so it is done when
 * nobody does, or where the log is so long that more of it would hold up others for more than
 * WAL_HOLDUP_MS, by what the latest move took. The database must be nobody's but ours (EXCLUSIVE).
 */
enum {
	WAL_HOLDUP_MS = 25,
	WAL_PAGES_IDLE =
		512, /* from so many on it is worth while when nothing else is to be done */
	WAL_PAGES_MIN = 1000,   /* with which it is left alone where others wait */
	WAL_PAGES_FIRST = 4000, /* before anything is known of the disk */
	WAL_PAGES_MAX = 16000,
};

struct wal {
	sqlite3 *db;
	int pages;        /* in the log, by the last commit */
	int most;         /* before others have to wait for its move */
	int64_t page;     /* bytes of one */
	int64_t prepared; /* bytes of the file, as far as that is known */
};

/* Takes the database's hook for commits. w must stay where it is until the database is closed. */
void wal_init(struct wal *w, sqlite3 *db);

/*
 * After a commit, and after whatever was waiting for it. idle: nobody is likely to come meanwhile.
 * Where anything fails the log grows until a commit fails: that one is told.
 */
void wal_tidy(struct wal *w, bool idle);

/* There is something that wal_tidy(w, true) would do. */
bool wal_untidy(const struct wal *w);
