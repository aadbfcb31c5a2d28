/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SCHEMA_VERSION = 1, CACHE_KIB = 512, WAL_PAGES = 1000, PATH_MAX_DIR = STORE_PATH_MAX - 64 };

struct store {
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *rollback, *put, *erase;
};

static const char schema[] =
	"CREATE TABLE binding("
	" kind INTEGER NOT NULL, prefix BLOB NOT NULL, plen INTEGER NOT NULL, state INTEGER NOT "
	"NULL,"
	" duid BLOB NOT NULL, iaid INTEGER NOT NULL, next_hop BLOB NOT NULL, lladdr BLOB NOT NULL,"
	" preferred_s INTEGER NOT NULL, valid_s INTEGER NOT NULL,"
	" granted_unix_ms INTEGER NOT NULL, until_unix_ms INTEGER," /* NULL: for ever */
	" PRIMARY KEY(kind, prefix, plen)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;";

static int from_sqlite(int rc)
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
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

static int run(sqlite3 *db, const char *sql)
{
	return from_sqlite(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static int step(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	(void)sqlite3_reset(st); /* repeats what step said */
	return from_sqlite(rc);
}

static int one_int(sqlite3 *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st); /* repeats what step said */
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENODATA : from_sqlite(rc);
}

static int prepare(struct store *s)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} all[] = {
		{ &s->begin, "BEGIN IMMEDIATE" },
		{ &s->commit, "COMMIT" },
		{ &s->rollback, "ROLLBACK" },
		{ &s->put, "INSERT OR REPLACE INTO binding VALUES(?,?,?,?,?,?,?,?,?,?,?,?)" },
		{ &s->erase, "DELETE FROM binding WHERE kind=? AND prefix=? AND plen=?" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int rc = sqlite3_prepare_v3(s->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
					    all[i].st, NULL);
		if (rc != SQLITE_OK)
			return from_sqlite(rc);
	}
	return 0;
}

static int set_up(struct store *s)
{
	char pragmas[256];
	snprintf(pragmas, sizeof pragmas,
		 "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		 "PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=%d; PRAGMA temp_store=MEMORY;",
		 CACHE_KIB, WAL_PAGES);
	int r = run(s->db, pragmas);
	int64_t version = 0;
	if (r == 0)
		r = one_int(s->db, "PRAGMA user_version", &version);
	if (r == 0 && version > SCHEMA_VERSION)
		return -ENOTSUP;
	if (r == 0)
		r = run(s->db, "BEGIN IMMEDIATE");
	if (r < 0)
		return r;
	if (version == 0)
		r = run(s->db, schema);
	/* A table that is not what the version says is as good as corrupt: preparing the statements
	 * shows it. */
	if (r == 0)
		r = prepare(s);
	int e = run(s->db, r == 0 ? "COMMIT" : "ROLLBACK");
	if (r == -EIO)
		r = -EUCLEAN;
	return r < 0 ? r : e;
}

static int open_file(const char *path, struct store **ret_store)
{
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	int r = from_sqlite(sqlite3_open_v2(
		path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		NULL));
	if (r == 0) {
		(void)sqlite3_extended_result_codes(s->db, 1); /* cannot fail on an open database */
		(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 512,
					64); /* less memory; a refusal costs nothing */
		r = set_up(s);
	}
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret_store = s;
	return 0;
}

static int move_aside(const char *path, uint64_t unix_ms, char ret_moved[static STORE_PATH_MAX])
{
	char to[STORE_PATH_MAX], from_extra[STORE_PATH_MAX], to_extra[STORE_PATH_MAX + 8];
	snprintf(to, sizeof to, "%.256s.corrupt-%" PRIu64, path, unix_ms / 1000);
	if (rename(path, to) < 0)
		return -errno;
	/* The log belongs to the file that it was written for, and would be replayed into a new
	 * one. */
	snprintf(from_extra, sizeof from_extra, "%.256s-wal", path);
	snprintf(to_extra, sizeof to_extra, "%s-wal", to);
	if (rename(from_extra, to_extra) < 0 && errno != ENOENT)
		return -errno;
	memcpy(ret_moved, to, sizeof to);
	return 0;
}

int store_open(const char *dir, uint64_t unix_ms, struct store **ret_store,
	       char ret_moved_aside[static STORE_PATH_MAX])
{
	char path[STORE_PATH_MAX];
	ret_moved_aside[0] = '\0';
	if (!dir || strlen(dir) > PATH_MAX_DIR)
		return -ENAMETOOLONG;
	snprintf(path, sizeof path, "%.250s/leases.db", dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	int r = open_file(path, ret_store);
	if (r != -EUCLEAN)
		return r;
	r = move_aside(path, unix_ms, ret_moved_aside);
	return r < 0 ? r : open_file(path, ret_store);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_stmt *const all[] = { s->begin, s->commit, s->rollback, s->put, s->erase };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)sqlite3_finalize(all[i]); /* repeats an earlier error */
	(void)sqlite3_close(
		s->db); /* checkpoints; what it cannot is in the log, and read at the next start */
	free(s);
}

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

static int64_t to_unix(uint64_t at_ms, struct store_now now)
{
	return (int64_t)now.unix_ms + ((int64_t)at_ms - (int64_t)now.mono_ms);
}

static int put(struct store *s, const struct binding_record *r, struct store_now now)
{
	sqlite3_stmt *st = s->put;
	int rc = sqlite3_bind_int(st, 1, (int)r->kind);
	rc |= sqlite3_bind_blob(st, 2, &r->prefix.addr, sizeof r->prefix.addr, SQLITE_STATIC);
	rc |= sqlite3_bind_int(st, 3, r->prefix.plen);
	rc |= sqlite3_bind_int(st, 4, (int)r->state);
	rc |= sqlite3_bind_blob(st, 5, r->duid.bytes, r->duid.len, SQLITE_STATIC);
	rc |= sqlite3_bind_int64(st, 6, r->iaid);
	rc |= sqlite3_bind_blob(st, 7, &r->next_hop, sizeof r->next_hop, SQLITE_STATIC);
	rc |= sqlite3_bind_blob(st, 8, r->lladdr, r->lladdr_len, SQLITE_STATIC);
	rc |= sqlite3_bind_int64(st, 9, r->preferred_lft_s);
	rc |= sqlite3_bind_int64(st, 10, r->valid_lft_s);
	rc |= sqlite3_bind_int64(st, 11, to_unix(r->granted_at_ms, now));
	rc |= r->valid_until_ms == UINT64_MAX
		      ? sqlite3_bind_null(st, 12)
		      : sqlite3_bind_int64(st, 12, to_unix(r->valid_until_ms, now));
	return rc != SQLITE_OK ? -ENOMEM : step(st);
}

static int erase(struct store *s, const struct binding_record *r)
{
	int rc = sqlite3_bind_int(s->erase, 1, (int)r->kind);
	rc |= sqlite3_bind_blob(s->erase, 2, &r->prefix.addr, sizeof r->prefix.addr, SQLITE_STATIC);
	rc |= sqlite3_bind_int(s->erase, 3, r->prefix.plen);
	return rc != SQLITE_OK ? -ENOMEM : step(s->erase);
}

int store_commit(struct store *s, const struct binding_change *changes, size_t n,
		 struct store_now now)
{
	if (n == 0)
		return 0;
	int r = step(s->begin);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = changes[i].erase ? erase(s, &changes[i].record)
				     : put(s, &changes[i].record, now);
	if (r == 0)
		r = step(s->commit);
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		(void)step(s->rollback); /* r is what the caller hears */
	return r;
}

int store_rewrite_begin(struct store *s)
{
	int r = step(s->begin);
	return r < 0 ? r : run(s->db, "DELETE FROM binding");
}

int store_rewrite_put(struct store *s, const struct binding_record *r, struct store_now now)
{
	return put(s, r, now);
}

int store_rewrite_end(struct store *s, bool commit)
{
	int r = commit ? step(s->commit) : 0;
	if (!sqlite3_get_autocommit(s->db))
		(void)step(s->rollback); /* r is what the caller hears */
	return r;
}

/* An instant of the wall clock on the monotonic one, which may have begun after it: then it is 0,
 * long ago. */
static uint64_t to_mono(int64_t unix_ms, struct store_now now)
{
	int64_t at = (int64_t)now.mono_ms + (unix_ms - (int64_t)now.unix_ms);
	return at > 0 ? (uint64_t)at : 0;
}

static bool column_bytes(sqlite3_stmt *st, int column, void *dst, size_t size)
{
	if (sqlite3_column_bytes(st, column) != (int)size)
		return false;
	memcpy(dst, sqlite3_column_blob(st, column), size);
	return true;
}

static bool read_record(sqlite3_stmt *st, struct store_now now, struct binding_record *r)
{
	*r = (struct binding_record){
		.kind = (enum binding_kind)sqlite3_column_int(st, 0),
		.prefix.plen = (uint8_t)sqlite3_column_int(st, 2),
		.state = (enum binding_state)sqlite3_column_int(st, 3),
		.iaid = (uint32_t)sqlite3_column_int64(st, 5),
		.preferred_lft_s = (uint32_t)sqlite3_column_int64(st, 8),
		.valid_lft_s = (uint32_t)sqlite3_column_int64(st, 9),
		.granted_at_ms = to_mono(sqlite3_column_int64(st, 10), now),
	};
	int duid = sqlite3_column_bytes(st, 4), lladdr = sqlite3_column_bytes(st, 7);
	if (!column_bytes(st, 1, &r->prefix.addr, 16) || !column_bytes(st, 6, &r->next_hop, 16) ||
	    duid < 1 || duid > DUID_MAX || lladdr > BINDING_LLADDR_MAX || r->prefix.plen > 128 ||
	    (r->kind != BINDING_NA && r->kind != BINDING_PD) || r->state < BINDING_BOUND ||
	    r->state > BINDING_DECLINED)
		return false;
	r->duid.len = (uint8_t)duid;
	memcpy(r->duid.bytes, sqlite3_column_blob(st, 4), (size_t)duid);
	r->lladdr_len = (uint8_t)lladdr;
	if (lladdr)
		memcpy(r->lladdr, sqlite3_column_blob(st, 7), (size_t)lladdr);
	if (sqlite3_column_type(st, 11) == SQLITE_NULL) {
		r->valid_until_ms = UINT64_MAX;
		return true;
	}
	r->valid_until_ms = to_mono(sqlite3_column_int64(st, 11), now);
	/* Where the wall clock went back, what it counted would be valid too long. */
	uint64_t longest = now.mono_ms + r->valid_lft_s * UINT64_C(1000);
	if (r->state == BINDING_BOUND && r->valid_until_ms > longest)
		r->valid_until_ms = longest;
	return true;
}

int store_load(struct store *s, struct store_now now,
	       int (*fn)(void *ctx, const struct binding_record *r), void *ctx, size_t *ret_bad)
{
	sqlite3_stmt *st = NULL;
	size_t bad = 0;
	/* Freed ones in the order in which they were freed: that is the order in which they are
	 * reused. */
	int rc = sqlite3_prepare_v2(s->db, "SELECT * FROM binding ORDER BY granted_unix_ms", -1,
				    &st, NULL);
	int r = from_sqlite(rc);
	while (r == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct binding_record record;
		if (read_record(st, now, &record))
			r = fn(ctx, &record);
		else
			bad++;
	}
	if (r == 0)
		r = from_sqlite(rc);
	(void)sqlite3_finalize(st); /* repeats what step said */
	*ret_bad = bad;
	return r;
}

int store_duid(struct store *s, const struct duid *fresh, struct duid *ret_duid)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "INSERT OR IGNORE INTO meta VALUES('duid', ?)", -1, &st,
				    NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(st, 1, fresh->bytes, fresh->len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	(void)sqlite3_finalize(st); /* repeats what step said */
	int r = from_sqlite(rc);
	if (r < 0)
		return r;
	st = NULL;
	rc = sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE key='duid'", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int len = rc == SQLITE_ROW ? sqlite3_column_bytes(st, 0) : 0;
	if (len >= 1 && len <= DUID_MAX) {
		ret_duid->len = (uint8_t)len;
		memcpy(ret_duid->bytes, sqlite3_column_blob(st, 0), (size_t)len);
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return len >= 1 && len <= DUID_MAX ? 0 : rc == SQLITE_ROW ? -EUCLEAN : from_sqlite(rc);
}
