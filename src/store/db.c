/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/db.h"

#include "base/cleanup.h"
#include "store/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CACHE_KIB = 1024,
	WAL_BYTES_KEPT = 18 << 20, /* WAL_PAGES_MAX of them; what a large transaction made of it is
				      given back */
	PAGE_BYTES = 1024,
	SHAPE_MAX = 4096,
};

/* What the system said of an access that failed. */
static int system_error(sqlite3 *db, int otherwise)
{
	switch (db ? sqlite3_system_errno(db) : 0) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	case EACCES:
	case EPERM:
		return -EACCES;
	default:
		return otherwise;
	}
}

int db_error(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system_error(db, -EACCES);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	/* Our SQL is the same every time: where it cannot be carried out, tables are not what it
	 * was written for. */
	case SQLITE_ERROR:
	case SQLITE_SCHEMA:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return -EUCLEAN;
	default:
		return system_error(db, -EIO);
	}
}

int db_run(sqlite3 *db, const char *sql)
{
	return db_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int db_step(sqlite3_stmt *st)
{
	int r = db_error(sqlite3_db_handle(st), sqlite3_step(st));
	(void)sqlite3_reset(st); /* repeats what step said */
	return r;
}

int db_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int r = rc == SQLITE_DONE ? -ENODATA : db_error(db, rc);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

/* The one text that a query answers with; cut where it is longer. */
static int db_text(sqlite3 *db, const char *sql, char *ret_text, size_t size)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int r = rc == SQLITE_DONE ? -ENODATA : db_error(db, rc);
	if (rc == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(st, 0);
		snprintf(ret_text, size, "%s", text ? (const char *)text : "");
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

int db_open(const char *path, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	heap_install();
	int rc = sqlite3_open_v2(
		path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (!db)
		return -ENOMEM;
	*ret_db = db;
	int r = db_error(db, rc);
	if (r < 0)
		return r;
	(void)sqlite3_extended_result_codes(db, 1); /* cannot fail on an open database */
	/* SQLite falls back to reading where it may not write. */
	if (sqlite3_db_readonly(db, "main") == 1)
		return -EROFS;
	char pragmas[320];
	snprintf(pragmas, sizeof pragmas,
		 "PRAGMA page_size=%d; PRAGMA locking_mode=EXCLUSIVE; PRAGMA trusted_schema=OFF;"
		 "PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
		 "PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=0;"
		 "PRAGMA journal_size_limit=%d;",
		 PAGE_BYTES, CACHE_KIB, WAL_BYTES_KEPT);
	return db_run(db, pragmas);
}

/* --- schema
 * -------------------------------------------------------------------------------------------------
 */

int db_migrate(sqlite3 *db, const struct db_steps *steps, int64_t from)
{
	int r = 0;
	for (size_t v = (size_t)from; v < steps->n && r == 0; v++)
		r = db_run(db, steps->sql[v]);
	char version[48];
	snprintf(version, sizeof version, "PRAGMA user_version=%zu", steps->n);
	return r < 0 ? r : db_run(db, version);
}

/* All that is in a schema, column by column, however the SQL that made it was written. */
static int shape(sqlite3 *db, char ret_shape[static SHAPE_MAX])
{
	static const char sql[] =
		"SELECT group_concat(line, char(10)) FROM (SELECT m.type || ' ' || m.name || ' ' "
		"|| "
		"ifnull(group_concat(t.name || ' ' || t.type || ' ' || t.\"notnull\" || ' ' || "
		"t.pk), "
		"'')"
		" AS line FROM sqlite_schema m LEFT JOIN pragma_table_xinfo(m.name) t"
		" GROUP BY m.type, m.name ORDER BY m.type, m.name)";
	return db_text(db, sql, ret_shape, SHAPE_MAX);
}

/* In memory, what the steps make of nothing. The caller's to close in any case, NULL too. */
static int open_model(const struct db_steps *steps, sqlite3 **ret_db)
{
	char pragma[48];
	heap_install();
	int r = db_error(NULL, sqlite3_open(":memory:", ret_db));
	snprintf(pragma, sizeof pragma, "PRAGMA page_size=%d", PAGE_BYTES);
	if (r == 0)
		r = db_run(*ret_db, pragma);
	return r < 0 ? r : db_migrate(*ret_db, steps, 0);
}

static int check_shape(sqlite3 *db, const struct db_steps *steps)
{
	sqlite3 *model = NULL;
	char want[SHAPE_MAX] = "", have[SHAPE_MAX] = "";
	int r = open_model(steps, &model);
	if (r == 0)
		r = shape(model, want);
	(void)sqlite3_close(model); /* nothing of it is open any more */
	if (r == 0)
		r = shape(db, have);
	return r < 0 ? r : strcmp(want, have) == 0 ? 0 : -EUCLEAN;
}

static int write_whole(const char *path, const unsigned char *bytes, size_t len)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, bytes + done, len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fdatasync(fd) < 0 ? -errno : 0;
}

int db_create(const char *path, const struct db_steps *steps)
{
	/* In a file's first page: who may write to it, and who may read. */
	enum { WRITE_VERSION = 18, READ_VERSION = 19, WAL = 2 };
	sqlite3 *model = NULL;
	sqlite3_int64 len = 0;
	int r = open_model(steps, &model);
	unsigned char *bytes = r == 0 ? sqlite3_serialize(model, "main", &len, 0) : NULL;
	if (r == 0 && (!bytes || len < PAGE_BYTES))
		r = -ENOMEM;
	if (r == 0) {
		bytes[WRITE_VERSION] = bytes[READ_VERSION] = WAL;
		r = write_whole(path, bytes, (size_t)len);
	}
	sqlite3_free(bytes);
	(void)sqlite3_close(model); /* nothing of it is open any more */
	return r;
}

/* Damage behind the first page shows here, at 0.3 ms a thousand bindings, and not when it is
 * stumbled upon. */
static int check_pages(sqlite3 *db)
{
	char said[64] = "";
	int r = db_text(db, "PRAGMA quick_check(1)", said, sizeof said);
	return r < 0 ? r : strcmp(said, "ok") == 0 ? 0 : -EUCLEAN;
}

/* With nothing in its log the file is what SQLite would read, one page after the other. */
static bool log_is_empty(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	sqlite3_int64 bytes = 1;
	return sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
	       log && log->pMethods && log->pMethods->xFileSize(log, &bytes) == SQLITE_OK &&
	       bytes == 0;
}

int db_image(sqlite3 *db, size_t most, unsigned char **ret_bytes, size_t *ret_len)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 len = 0;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    !file || !file->pMethods || file->pMethods->xFileSize(file, &len) != SQLITE_OK)
		return -EIO;
	if (len <= 0 || (uint64_t)len > most || len > INT_MAX)
		return -EFBIG;
	unsigned char *bytes;
	if (log_is_empty(db)) {
		bytes = sqlite3_malloc64((sqlite3_uint64)len);
		if (bytes && file->pMethods->xRead(file, bytes, (int)len, 0) != SQLITE_OK) {
			sqlite3_free(bytes);
			return -EIO;
		}
	} else {
		bytes = sqlite3_serialize(db, "main", &len, 0);
	}
	if (!bytes)
		return -ENOMEM;
	*ret_bytes = bytes;
	*ret_len = (size_t)len;
	return 0;
}

int db_prepare(sqlite3 *db, const struct db_steps *steps, unsigned known, int64_t *ret_from)
{
	int64_t version = 0;
	int r = db_int(db, "PRAGMA user_version", &version);
	if (r < 0)
		return r;
	if (version > (int64_t)steps->n) {
		/* Closing it would move its log into it. */
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
					NULL); /* cannot fail: it is a flag */
		return -ENOTSUP;
	}
	if (version < 0)
		return -EUCLEAN;
	r = db_run(db, "PRAGMA journal_mode=WAL");
	if (r == 0 && !(known & DB_PAGES))
		r = check_pages(db);
	if (r == 0 && version < (int64_t)steps->n) {
		r = db_run(db, "BEGIN IMMEDIATE");
		if (r == 0)
			r = db_migrate(db, steps, version);
		if (r == 0)
			r = check_shape(db, steps);
		if (r == 0)
			r = db_run(db, "COMMIT");
		if (!sqlite3_get_autocommit(db))
			(void)db_run(db, "ROLLBACK"); /* r is what the caller hears */
	} else if (r == 0 && !(known & DB_TABLES)) {
		r = check_shape(db, steps);
	}
	if (r == 0)
		*ret_from = version;
	return r;
}
