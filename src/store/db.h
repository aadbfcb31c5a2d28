/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite as the store wants it: opened, its errors in errno's words, its schema brought up to date
 * by steps.
 */
#pragma once

#include <sqlite3.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A result code as 0 or a negative errno: -ENOMEM, -ENOSPC (quota, too), -EROFS, -EACCES, -EBUSY,
 * -EUCLEAN (corrupt, no database, or a schema that is not ours), -EIO (the medium). db tells what
 * the system said; NULL is allowed.
 */
int db_error(sqlite3 *db, int rc);

int db_run(sqlite3 *db, const char *sql);
/* Runs to the end and resets; what is bound stays. */
int db_step(sqlite3_stmt *st);
/* The first column of the first row. -ENODATA: no row. */
int db_int(sqlite3 *db, const char *sql, int64_t *ret_value);

/*
 * Opens path (made where it is missing) for this process alone. Nothing is written yet. A file that
 * turns out to be none of SQLite's is -EUCLEAN: the handle is the caller's in any case but -ENOMEM,
 * to be closed by sqlite3_close().
 */
int db_open(const char *path, sqlite3 **ret_db);

/*
 * One entry a version: the SQL that leads from the version before to this one, version 1 first.
 * What is there once does not change any more, or files in the field would not be what it says.
 */
struct db_steps {
	const char *const *sql;
	size_t n;
};

/*
 * Brings the schema to the newest version, all steps in one transaction, and checks that pages and
 * tables are what they should be. *ret_from is the version that was found, 0 in a new file.
 * -ENOTSUP: a later version has written it, and it is as it was. -EUCLEAN: damaged. known: what has
 * been checked already, and is not again (DB_PAGES, DB_TABLES), and what it is for (DB_EMPTY: there
 * are no rows).
 */
enum { DB_PAGES = 1, DB_TABLES = 2, DB_EMPTY = 4 };
int db_prepare(sqlite3 *db, const struct db_steps *steps, unsigned known, int64_t *ret_from);

/*
 * Makes a file of the newest schema, in WAL mode, with nothing in it, and has it on the disk:
 * SQLite would wait for that seven times, once for each thing that it does. Its name is on the disk
 * with the first commit. -EEXIST: path is there; what open(2), write(2) and fdatasync(2) say, and
 * then a part of it may be there.
 */
int db_create(const char *path, const struct db_steps *steps);

/*
 * All of the file's pages as they are now, those in its log among them. *ret_bytes is the caller's
 * to give to sqlite3_free(). -EFBIG: more than most bytes; -ENOMEM, -EIO.
 */
int db_image(sqlite3 *db, size_t most, unsigned char **ret_bytes, size_t *ret_len);

/* The steps alone, without the checks of pages, inside a transaction of the caller's. */
int db_migrate(sqlite3 *db, const struct db_steps *steps, int64_t from);
