/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store.h"

#include "base/cleanup.h"
#include "store/aside.h"
#include "store/db.h"
#include "store/image.h"
#include "store/row.h"
#include "store/wal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_MAX_DIR = STORE_PATH_MAX - 64,
	RESCUE_ROOM = 256,
	AHEAD_MS = 2000,        /* the two clocks are not read in the same moment */
	IMAGE_MOST = 128 << 20, /* bytes of a file, which are in memory while it is loaded */
};

/* Whose time is over for so long is not set aside any more. */
#define ELSEWHERE_MS (INT64_C(30) * 86400000)

static const char *const note_keys[] = {
	[STORE_RECONFIGURE_SECRET] = "reconfigure_secret",
	[STORE_CONFIG_DIGEST] = "config_digest",
	[STORE_ADVERTISED] = "advertised",
	[STORE_REPLAY] = "replay",
};
#define DUID_KEY "duid"

/* What is to be written beside the next batch. */
struct owed {
	bool is;
	uint8_t len;
	uint8_t bytes[DUID_MAX];
};
static_assert((int)DUID_MAX >= (int)STORE_NOTE_LEN, "a note is not owed whole");

/* Numbers of rows. */
struct numbers {
	int64_t *all;
	size_t n, room;
};

/* Which file stood under a name. */
struct seen {
	bool is;
	dev_t dev;
	ino_t ino;
};

struct store {
	sqlite3 *db;
	char path[STORE_PATH_MAX];
	struct seen file, log; /* when it was opened */
	sqlite3_stmt *begin, *commit, *rollback, *put, *erase;
	struct wal wal;
	struct owed duid, notes[ARRAY_LEN(note_keys)];
	/* Of a file that was found sound on the way, until it is loaded; else NULL. */
	unsigned char *image_bytes;
	size_t image_len, image_rows;
	uint32_t binding_root, elsewhere_root, meta_root;
	/* As the last load found: to be set aside, and to be set aside no longer. */
	struct numbers foreign, settled;
};

static const char *const step_sql[] = {
	/* 1 */
	"CREATE TABLE binding("
	" kind INTEGER NOT NULL, prefix BLOB NOT NULL, plen INTEGER NOT NULL, state INTEGER NOT "
	"NULL,"
	" duid BLOB NOT NULL, iaid INTEGER NOT NULL, next_hop BLOB NOT NULL, lladdr BLOB NOT NULL,"
	" preferred_s INTEGER NOT NULL, valid_s INTEGER NOT NULL,"
	" granted_unix_ms INTEGER NOT NULL, until_unix_ms INTEGER," /* NULL: for ever */
	" PRIMARY KEY(kind, prefix, plen)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;",
	/* 2: what else is known of a client */
	"ALTER TABLE binding ADD COLUMN details BLOB NOT NULL DEFAULT x'';",
	/* 3: in the order of their numbers, which is that of their coming: those that come together
	 * stand together, where the order of their prefixes scattered them over all pages */
	"CREATE TABLE numbered("
	" number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, prefix BLOB NOT NULL,"
	" plen INTEGER NOT NULL, state INTEGER NOT NULL, duid BLOB NOT NULL, iaid INTEGER NOT "
	"NULL,"
	" next_hop BLOB NOT NULL, lladdr BLOB NOT NULL, preferred_s INTEGER NOT NULL,"
	" valid_s INTEGER NOT NULL, granted_unix_ms INTEGER NOT NULL, until_unix_ms INTEGER,"
	" details BLOB NOT NULL DEFAULT x'') STRICT;"
	"INSERT INTO numbered SELECT NULL,kind,prefix,plen,state,duid,iaid,next_hop,lladdr,"
	"preferred_s,valid_s,granted_unix_ms,until_unix_ms,details FROM binding;"
	"DROP TABLE binding;"
	"ALTER TABLE numbered RENAME TO binding;",
	/* 4: what is of no pool today, but may be tomorrow, under numbers of its own */
	"CREATE TABLE elsewhere("
	" number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, prefix BLOB NOT NULL,"
	" plen INTEGER NOT NULL, state INTEGER NOT NULL, duid BLOB NOT NULL, iaid INTEGER NOT "
	"NULL,"
	" next_hop BLOB NOT NULL, lladdr BLOB NOT NULL, preferred_s INTEGER NOT NULL,"
	" valid_s INTEGER NOT NULL, granted_unix_ms INTEGER NOT NULL, until_unix_ms INTEGER,"
	" details BLOB NOT NULL DEFAULT x'') STRICT;",
};
static const struct db_steps steps = { step_sql, ARRAY_LEN(step_sql) };

/* --- what can be read of a damaged file
 * ---------------------------------------------------------------------- */

struct rescue {
	struct row *rows;
	size_t n, room;
	struct duid duid;
	bool has_note[ARRAY_LEN(note_keys)];
	uint8_t notes[ARRAY_LEN(note_keys)][STORE_NOTE_LEN];
};

static void rescue_done(struct rescue *r)
{
	free(r->rows);
	*r = (struct rescue){ 0 };
}

static bool rescue_add(struct rescue *r, const struct row *row)
{
	if (r->n == r->room) {
		size_t room = r->room ? r->room * 2 : RESCUE_ROOM;
		struct row *longer = reallocarray(r->rows, room, sizeof *longer);
		if (!longer)
			return false;
		r->rows = longer;
		r->room = room;
	}
	r->rows[r->n++] = *row;
	return true;
}

/* As far as it goes, and `most` rows at most: in a damaged tree one page can be met many times.
 * Without their numbers, where others have those. Whether it was all. */
static bool rescue_run(sqlite3 *db, const char *sql, bool numbers, size_t most, struct rescue *r)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	bool room = true;
	while (rc == SQLITE_OK && room && most-- > 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct row row;
		rc = SQLITE_OK;
		if (!row_read(st, &row))
			continue;
		row.record.number = numbers ? row.record.number : 0;
		room = rescue_add(r, &row);
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return rc == SQLITE_DONE;
}

/* How many bytes; -ENODATA: there are none of that key; -EUCLEAN: not 1 to size of them. */
static int read_meta(sqlite3 *db, const char *key, void *ret_bytes, size_t size)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key=?", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int r = rc == SQLITE_DONE ? -ENODATA : db_error(db, rc);
	if (rc == SQLITE_ROW) {
		const void *bytes = sqlite3_column_blob(st, 0);
		int len = sqlite3_column_bytes(st, 0);
		r = bytes && len >= 1 && (size_t)len <= size ? len : -EUCLEAN;
		if (r > 0)
			memcpy(ret_bytes, bytes, (size_t)len);
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

static int read_duid(sqlite3 *db, struct duid *ret_duid)
{
	uint8_t bytes[DUID_MAX];
	int n = read_meta(db, DUID_KEY, bytes, sizeof bytes);
	if (n < 0)
		return n;
	ret_duid->len = (uint8_t)n;
	memcpy(ret_duid->bytes, bytes, (size_t)n);
	return 0;
}

static int read_note(sqlite3 *db, enum store_note note, uint8_t ret_bytes[static STORE_NOTE_LEN])
{
	uint8_t bytes[STORE_NOTE_LEN];
	int n = read_meta(db, note_keys[note], bytes, sizeof bytes);
	if (n < 0)
		return n;
	if (n != STORE_NOTE_LEN)
		return -EUCLEAN;
	memcpy(ret_bytes, bytes, sizeof bytes);
	return 0;
}

/* From both ends towards the damage. Nothing of it is written to that file. */
static void rescue_from(sqlite3 *db, struct rescue *r)
{
	enum { ROW_BYTES_MIN = 48 };
	int64_t version = 0, pages = 0, page_bytes = 0;
	/* Has SQLite look into a file that was cut short, too. */
	if (db_run(db, "PRAGMA writable_schema=ON") < 0 ||
	    db_int(db, "PRAGMA user_version", &version) < 0 || version < 1 ||
	    version > (int64_t)steps.n || db_int(db, "PRAGMA page_count", &pages) < 0 ||
	    db_int(db, "PRAGMA page_size", &page_bytes) < 0 || pages < 1 || db_run(db, "BEGIN") < 0)
		return;
	size_t most = (size_t)pages * (size_t)page_bytes / ROW_BYTES_MIN;
	if (version == (int64_t)steps.n || db_migrate(db, &steps, version) == 0) {
		if (!rescue_run(db, "SELECT " ROW_COLUMNS " FROM binding ORDER BY number", true,
				most, r))
			(void)rescue_run(db,
					 "SELECT " ROW_COLUMNS " FROM binding ORDER BY number DESC",
					 true, most, r); /* what it got is in r */
		/* The next load tells them from the others again. */
		(void)rescue_run(db, "SELECT " ROW_COLUMNS " FROM elsewhere", false, most,
				 r);           /* likewise */
		(void)read_duid(db, &r->duid); /* without one it stays empty */
		for (size_t i = 0; i < ARRAY_LEN(note_keys); i++)
			r->has_note[i] = read_note(db, (enum store_note)i, r->notes[i]) == 0;
	}
	if (!sqlite3_get_autocommit(db))
		(void)db_run(db, "ROLLBACK"); /* and closing does it */
}

/* --- open and close
 * ------------------------------------------------------------------------------------------
 */

static int prepare(struct store *s)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} all[] = {
		{ &s->begin, "BEGIN IMMEDIATE" },
		{ &s->commit, "COMMIT" },
		{ &s->rollback, "ROLLBACK" },
		{ &s->put,
		  "INSERT OR REPLACE INTO binding(" ROW_COLUMNS ") VALUES(" ROW_PLACES ")" },
		{ &s->erase, "DELETE FROM binding WHERE number=?" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int rc = sqlite3_prepare_v3(s->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
					    all[i].st, NULL);
		if (rc != SQLITE_OK)
			return db_error(s->db, rc);
	}
	return 0;
}

static void drop_image(struct store *s)
{
	sqlite3_free(s->image_bytes);
	s->image_bytes = NULL;
}

/* Where the tables' trees begin. False: not these three are what there is. */
static bool find_roots(struct store *s)
{
	const struct {
		const char *name;
		uint32_t *root;
	} tables[] = { { "binding", &s->binding_root },
		       { "elsewhere", &s->elsewhere_root },
		       { "meta", &s->meta_root } };
	sqlite3_stmt *st = NULL;
	int rc =
		sqlite3_prepare_v2(s->db, "SELECT name,rootpage FROM sqlite_schema", -1, &st, NULL);
	size_t found = 0, rows = 0;
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		rc = SQLITE_OK;
		rows++;
		for (size_t i = 0; name && i < ARRAY_LEN(tables); i++) {
			if (strcmp(name, tables[i].name) != 0)
				continue;
			*tables[i].root = (uint32_t)sqlite3_column_int64(st, 1);
			found++;
		}
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return rc == SQLITE_DONE && rows == ARRAY_LEN(tables) && found == rows;
}

static int look_at(void *ctx, int64_t number, const uint8_t *record, size_t len)
{
	++*(size_t *)ctx;
	return row_parse(record, len, number, NULL);
}

/*
 * The file's pages, where all of them are what they should be: then nobody has to look at them
 * again, neither page by page nor through SQLite's eyes when the rows are loaded. What is unusual
 * is for those.
 */
static bool take_image(struct store *s)
{
	enum { SCHEMA_ROOT = 1 };
	struct image im = { 0 };
	s->image_rows = 0;
	if (!find_roots(s) || db_image(s->db, IMAGE_MOST, &s->image_bytes, &s->image_len) < 0)
		return false;
	int r = image_open(s->image_bytes, s->image_len, &im);
	if (r == 0)
		r = image_table(&im, SCHEMA_ROOT, NULL, NULL);
	if (r == 0)
		r = image_leaf(&im, s->meta_root);
	if (r == 0)
		r = image_table(&im, s->binding_root, look_at, &s->image_rows);
	if (r == 0)
		r = image_table(&im, s->elsewhere_root, look_at, &s->image_rows);
	if (r == 0)
		r = image_end(&im);
	image_close(&im);
	if (r < 0)
		drop_image(s);
	return r == 0;
}

static struct seen see(const char *path)
{
	struct stat st;
	return stat(path, &st) < 0
		       ? (struct seen){ 0 }
		       : (struct seen){ .is = true, .dev = st.st_dev, .ino = st.st_ino };
}

static bool is_another(const struct seen *before, const char *path)
{
	struct seen now = see(path);
	return before->is && (!now.is || now.dev != before->dev || now.ino != before->ino);
}

/* SQLite's own name of it: beside what a symbolic link points to. */
static const char *log_path(const struct store *s)
{
	return sqlite3_filename_wal(sqlite3_db_filename(s->db, "main"));
}

/* known: as db_prepare() has it. rescue: filled where the file is -EUCLEAN; NULL is allowed. */
static int open_file(const char *path, unsigned known, struct store **ret_store,
		     int64_t *ret_version, struct rescue *rescue)
{
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	int r = db_open(path, &s->db);
	if (r == 0 && !(known & DB_EMPTY) && take_image(s))
		known |= DB_PAGES;
	if (r == 0)
		r = db_prepare(s->db, &steps, known, ret_version);
	if (r == 0 && *ret_version != (int64_t)steps.n)
		drop_image(s); /* its tables are others now */
	if (r == 0)
		r = prepare(s);
	if (r == 0) {
		wal_init(&s->wal, s->db);
		snprintf(s->path, sizeof s->path, "%s", path);
		s->file = see(path);
		s->log = see(log_path(s));
	}
	if (r == -EUCLEAN && rescue)
		rescue_from(s->db, rescue);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_stmt *const all[] = { s->begin, s->commit, s->rollback, s->put, s->erase };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)sqlite3_finalize(all[i]); /* repeats an earlier error */
	free(s->foreign.all);
	free(s->settled.all);
	drop_image(s);
	(void)sqlite3_close(
		s->db); /* checkpoints; what it cannot is in the log, and read at the next start */
	free(s);
}

static int put_meta(sqlite3 *db, const char *key, const void *bytes, size_t len)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta(key,value) VALUES(?,?)", -1,
				    &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(st, 2, bytes, (int)len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	int r = db_error(db, rc);
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

/* --- what is owed
 * ------------------------------------------------------------------------------------------------
 */

static void owe(struct owed *o, const uint8_t *bytes, size_t len)
{
	o->is = true;
	o->len = (uint8_t)len;
	memcpy(o->bytes, bytes, len);
}

bool store_owes(const struct store *s)
{
	bool any = s->duid.is;
	for (size_t i = 0; i < ARRAY_LEN(s->notes); i++)
		any = any || s->notes[i].is;
	return any;
}

/* Inside a transaction; owed until that has succeeded. */
static int put_owed(struct store *s)
{
	int r = s->duid.is ? put_meta(s->db, DUID_KEY, s->duid.bytes, s->duid.len) : 0;
	for (size_t i = 0; i < ARRAY_LEN(s->notes) && r == 0; i++)
		if (s->notes[i].is)
			r = put_meta(s->db, note_keys[i], s->notes[i].bytes, s->notes[i].len);
	return r;
}

static void owe_nothing(struct store *s)
{
	s->duid.is = false;
	for (size_t i = 0; i < ARRAY_LEN(s->notes); i++)
		s->notes[i].is = false;
}

static int put_rescued(struct store *s, const struct rescue *rescue)
{
	int r = db_step(s->begin);
	if (r == 0 && rescue->duid.len)
		r = put_meta(s->db, DUID_KEY, rescue->duid.bytes, rescue->duid.len);
	for (size_t i = 0; i < ARRAY_LEN(note_keys) && r == 0; i++)
		if (rescue->has_note[i])
			r = put_meta(s->db, note_keys[i], rescue->notes[i], STORE_NOTE_LEN);
	for (size_t i = 0; i < rescue->n && r == 0; i++) {
		const struct row *row = &rescue->rows[i];
		struct binding_record record = row->record;
		record.details = row->details;
		r = row_bind(s->put, &record, row->granted_unix_ms,
			     row->for_ever ? NULL : &row->until_unix_ms);
		if (r == 0)
			r = db_step(s->put);
	}
	return r < 0 ? r : db_step(s->commit);
}

/* A sound file beside the damaged one, then that one aside, then the sound one in its place: where
 * anything fails before, all is as it was. */
static int replace(const char *path, uint64_t unix_ms, const struct rescue *rescue,
		   struct store_found *found)
{
	char fresh[STORE_PATH_MAX];
	struct store *s = NULL;
	int64_t version, n = 0;
	snprintf(fresh, sizeof fresh, "%.256s.new", path);
	int r = aside_remove(fresh); /* of a start that was killed here */
	if (r == 0)
		r = open_file(fresh, 0, &s, &version, NULL);
	if (r == 0)
		r = put_rescued(s, rescue);
	if (r == 0)
		r = db_int(s->db, "SELECT count(*) FROM binding", &n);
	if (r == 0)
		/* Its name is going to change: nothing may stay in its log. */
		r = db_run(s->db, "PRAGMA wal_checkpoint(TRUNCATE)");
	store_close(s);
	if (r == 0)
		r = aside_move(path, unix_ms, found->moved_aside);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0) {
		struct stat st;
		if (lstat(path, &st) == 0)         /* else it is all there is: adopt() takes it */
			(void)aside_remove(fresh); /* the next try begins with it, too */
		return r;
	}
	found->rescued = (size_t)n;
	return 0;
}

static int path_in(const char *dir, char ret_path[static STORE_PATH_MAX])
{
	if (!dir || strlen(dir) > PATH_MAX_DIR)
		return -ENAMETOOLONG;
	snprintf(ret_path, STORE_PATH_MAX, "%.256s/leases.db", dir);
	return 0;
}

/* SQLite's own words for what may not be written do not tell why. */
static int check_access(const char *dir, const char *path)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (access(path, R_OK | W_OK) < 0 && errno != ENOENT)
		return -errno;
	return access(dir, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

/* Whether a new one has a place there: nothing is, or an empty file. What a symbolic link points to
 * may be mounted later. */
static int is_vacant(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 1 : -errno;
	if (!S_ISLNK(st.st_mode))
		return S_ISREG(st.st_mode) && st.st_size == 0;
	return stat(path, &st) == 0 ? 0 : errno == ENOENT ? -ENOLINK : -errno;
}

/* Whether there is something in it; -EUCLEAN: it is damaged, and is worth a rescue. */
static int is_worth_adopting(const char *fresh)
{
	struct store *s = NULL;
	struct rescue rescue = { 0 };
	int64_t version, n = 0;
	int r = open_file(fresh, 0, &s, &version, &rescue);
	if (r == 0)
		r = db_int(s->db,
			   "SELECT (SELECT count(*) FROM binding) + (SELECT count(*) FROM "
			   "elsewhere) + (SELECT count(*) FROM meta)",
			   &n);
	store_close(s);
	if (r == -EUCLEAN && rescue.n == 0 && rescue.duid.len == 0)
		r = 0;
	rescue_done(&rescue);
	return r < 0 ? r : n > 0;
}

/* Where path is vacant: replace() may have been killed when the damaged one was aside already, and
 * the sound one not yet in its place. */
static int adopt(const char *path, const char *fresh, bool *ret_adopted)
{
	struct stat st;
	if (lstat(fresh, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	int r = is_worth_adopting(fresh);
	if (r == 0 || (r < 0 && r != -EUCLEAN))
		return r;
	r = aside_remove(path); /* a log without a database is nobody's */
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	*ret_adopted = r == 0;
	return r;
}

/* A new one where there is none, or an empty one: under another name first, so that what is there
 * is whole whenever the power fails. */
static int begin_anew(const char *path, bool *ret_begun, bool *ret_adopted)
{
	char fresh[STORE_PATH_MAX];
	int r = is_vacant(path);
	if (r <= 0)
		return r;
	snprintf(fresh, sizeof fresh, "%.256s.new", path);
	r = adopt(path, fresh, ret_adopted);
	if (r < 0 || *ret_adopted)
		return r;
	r = aside_remove(fresh); /* of a start that was killed here */
	if (r == 0)
		r = db_create(fresh, &steps);
	if (r == 0)
		r = aside_remove(path); /* a log without a database is nobody's */
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		(void)aside_remove(fresh); /* the next try begins with it, too */
	*ret_begun = r == 0;
	return r;
}

/* Of a replace() that was killed early, where the damaged file is no longer there: it must not be
 * adopted when this one is gone some day. */
static void forget_fresh(const char *path)
{
	char fresh[STORE_PATH_MAX];
	snprintf(fresh, sizeof fresh, "%.256s.new", path);
	(void)aside_remove(fresh); /* the next start tries again */
}

int store_open(const char *dir, uint64_t unix_ms, bool sound, struct store **ret_store,
	       struct store_found *ret_found)
{
	char path[STORE_PATH_MAX];
	struct rescue rescue = { 0 };
	int64_t version = 0;
	*ret_found = (struct store_found){ 0 };
	int r = path_in(dir, path);
	if (r == 0)
		r = check_access(dir, path);
	bool begun = false;
	if (r == 0)
		r = begin_anew(path, &begun, &ret_found->adopted);
	if (r == 0)
		r = open_file(path,
			      (sound || begun ? DB_PAGES | DB_TABLES : 0) | (begun ? DB_EMPTY : 0),
			      ret_store, &version, &rescue);
	if (r == -EUCLEAN) {
		r = replace(path, unix_ms, &rescue, ret_found);
		if (r == 0)
			r = open_file(path, 0, ret_store, &version, NULL);
	}
	rescue_done(&rescue);
	if (r == 0 && !begun)
		forget_fresh(path);
	if (r == 0 && version < (int64_t)steps.n)
		ret_found->migrated_from = version;
	return r;
}

int store_move_aside(const char *dir, uint64_t unix_ms, char ret_moved[static STORE_PATH_MAX])
{
	char path[STORE_PATH_MAX];
	ret_moved[0] = '\0';
	int r = path_in(dir, path);
	if (r == 0)
		r = aside_move(path, unix_ms, ret_moved);
	return r == -ENOENT ? 0 : r;
}

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

static int put(struct store *s, const struct binding_record *r, struct store_now now)
{
	int64_t until_unix_ms = row_to_unix(r->valid_until_ms, now);
	int e = row_bind(s->put, r, row_to_unix(r->granted_at_ms, now),
			 r->valid_until_ms == UINT64_MAX ? NULL : &until_unix_ms);
	return e < 0 ? e : db_step(s->put);
}

static int erase(struct store *s, const struct binding_record *r)
{
	return sqlite3_bind_int64(s->erase, 1, r->number) == SQLITE_OK ? db_step(s->erase)
								       : -ENOMEM;
}

int store_commit(struct store *s, const struct binding_change *changes, size_t n,
		 struct store_now now)
{
	if (n == 0 && !store_owes(s))
		return 0;
	drop_image(s); /* of what was */
	int r = db_step(s->begin);
	if (r < 0)
		return r;
	r = put_owed(s);
	for (size_t i = 0; i < n && r == 0; i++)
		r = changes[i].erase ? erase(s, &changes[i].record)
				     : put(s, &changes[i].record, now);
	if (r == 0)
		r = db_step(s->commit);
	if (r == 0)
		owe_nothing(s);
	else if (!sqlite3_get_autocommit(s->db))
		(void)db_step(s->rollback); /* r is what the caller hears */
	return r;
}

bool store_moved(struct store *s)
{
	int moved = 0;
	return (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
		moved) ||
	       is_another(&s->file, s->path) || is_another(&s->log, log_path(s));
}

void store_tidy(struct store *s, bool idle)
{
	wal_tidy(&s->wal, idle);
}

bool store_untidy(const struct store *s)
{
	return wal_untidy(&s->wal);
}

/* sql with each of the numbers in turn. */
static int run_for_each(sqlite3 *db, const char *sql, const struct numbers *numbers)
{
	if (numbers->n == 0)
		return 0;
	sqlite3_stmt *st = NULL;
	int r = db_error(db, sqlite3_prepare_v2(db, sql, -1, &st, NULL));
	for (size_t i = 0; i < numbers->n && r == 0; i++) {
		r = db_error(db, sqlite3_bind_int64(st, 1, numbers->all[i]));
		if (r == 0)
			r = db_step(st);
	}
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

int store_rewrite_begin(struct store *s)
{
	drop_image(s); /* of what was */
	int r = db_step(s->begin);
	if (r == 0)
		r = put_owed(s);
	if (r == 0)
		r = run_for_each(s->db,
				 "INSERT INTO elsewhere(" ROW_VALUES ") SELECT " ROW_VALUES
				 " FROM binding WHERE number=?",
				 &s->foreign);
	if (r == 0)
		r = run_for_each(s->db, "DELETE FROM elsewhere WHERE number=?", &s->settled);
	return r < 0 ? r : db_run(s->db, "DELETE FROM binding");
}

int store_rewrite_put(struct store *s, const struct binding_record *r, struct store_now now)
{
	return put(s, r, now);
}

int store_rewrite_end(struct store *s, bool commit)
{
	int r = commit ? db_step(s->commit) : 0;
	if (!sqlite3_get_autocommit(s->db))
		(void)db_step(s->rollback); /* r is what the caller hears */
	if (commit && r == 0) {
		s->foreign.n = s->settled.n = 0;
		owe_nothing(s);
	}
	return r;
}

static int note_number(struct numbers *numbers, int64_t number)
{
	if (numbers->n == numbers->room) {
		size_t room = numbers->room ? numbers->room * 2 : 64;
		int64_t *longer = reallocarray(numbers->all, room, sizeof *longer);
		if (!longer)
			return -ENOMEM;
		numbers->all = longer;
		numbers->room = room;
	}
	numbers->all[numbers->n++] = number;
	return 0;
}

struct loading {
	struct store *s;
	struct store_now now;
	int (*fn)(void *ctx, const struct binding_record *r);
	void *ctx;
	struct store_counts counts;
	struct row row; /* the one that is read */
	size_t n_freed; /* of those that are still to be offered */
	struct freed *freed;
	size_t freed_room;
};

/* Bound by a row whose time was over while nobody looked. */
static bool is_over(const struct row *row, struct store_now now)
{
	return row->record.state == BINDING_BOUND && !row->for_ever &&
	       row->until_unix_ms <= row_to_unix(now.mono_ms, now);
}

static int offer(struct loading *l, const struct binding_record *r)
{
	int verdict = l->fn(l->ctx, r);
	return verdict == STORE_FOREIGN ? note_number(&l->s->foreign, r->number)
	       : verdict < 0            ? verdict
					: 0;
}

static int load_held(struct loading *l, const struct row *row)
{
	l->counts.ahead += row->granted_unix_ms > row_to_unix(l->now.mono_ms, l->now) + AHEAD_MS;
	if (row->record.state == BINDING_FREED || is_over(row, l->now)) {
		l->n_freed++;
		return 0;
	}
	const struct binding_record record = row_record(row, l->now, l->now.mono_ms);
	return offer(l, &record);
}

/*
 * The order in which they were freed, or their time was over, is the one in which they are reused.
 * It is that of their instants, which must stay different where the wall clock puts them into the
 * future: none is later than its place in the queue lets it be.
 */
static int load_freed(struct loading *l, const struct row *row)
{
	l->n_freed -= l->n_freed > 0;
	uint64_t latest_ms = l->now.mono_ms > l->n_freed ? l->now.mono_ms - l->n_freed : 0;
	struct binding_record record = row_record(row, l->now, latest_ms);
	if (record.valid_until_ms > latest_ms)
		record.valid_until_ms = latest_ms;
	return offer(l, &record);
}

/* What an earlier load set aside. */
static int load_elsewhere(struct loading *l, const struct row *row)
{
	int64_t long_ago = row_to_unix(l->now.mono_ms, l->now) - ELSEWHERE_MS;
	struct binding_record record = row_record(row, l->now, l->now.mono_ms);
	record.number = 0;
	bool old = !row->for_ever && row->until_unix_ms < long_ago;
	int r = old ? STORE_REFUSED : l->fn(l->ctx, &record);
	return r == STORE_TAKEN || r == STORE_REFUSED
		       ? note_number(&l->s->settled, row->record.number)
		       : r;
}

/* --- through SQLite */

/* What comes of a row: < 0 ends the load. */
typedef int (*row_fn)(struct loading *l, const struct row *row);

/* As far as it can be read. counted: what is no row of ours is in the counts already. */
static int each_row(struct loading *l, const char *sql, bool counted, row_fn fn)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = l->s->db;
	int r = 0, rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	int at = rc == SQLITE_OK ? sqlite3_bind_parameter_index(st, ":now") : 0;
	if (at)
		rc = sqlite3_bind_int64(st, at, row_to_unix(l->now.mono_ms, l->now));
	while (rc == SQLITE_OK && r >= 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (row_read(st, &l->row))
			r = fn(l, &l->row);
		else
			l->counts.bad += !counted;
	}
	if (r >= 0)
		r = db_error(db, rc);
	(void)sqlite3_finalize(st); /* repeats what step said */
	return r;
}

static int load_rows(struct loading *l)
{
	int r = each_row(l, "SELECT " ROW_COLUMNS " FROM binding", false, load_held);
	if (r == 0 && l->n_freed)
		r = each_row(
			l,
			"SELECT " ROW_COLUMNS
			" FROM binding WHERE state=2 OR (state=1 AND until_unix_ms<=:now)"
			" ORDER BY CASE state WHEN 2 THEN granted_unix_ms ELSE until_unix_ms END",
			true, load_freed);
	if (r == 0)
		r = each_row(l, "SELECT " ROW_COLUMNS " FROM elsewhere", false, load_elsewhere);
	return r;
}

/* --- out of the file's image */

struct freed {
	int64_t since_unix_ms;
	int64_t number;
	const uint8_t *record;
	size_t len;
};

static int note_freed(struct loading *l, int64_t number, const uint8_t *record, size_t len)
{
	if (l->n_freed > l->freed_room) {
		size_t room = l->freed_room ? l->freed_room * 2 : 64;
		struct freed *longer = reallocarray(l->freed, room, sizeof *longer);
		if (!longer)
			return -ENOMEM;
		l->freed = longer;
		l->freed_room = room;
	}
	const struct row *row = &l->row;
	l->freed[l->n_freed - 1] =
		(struct freed){ row->record.state == BINDING_FREED ? row->granted_unix_ms
								   : row->until_unix_ms,
				number, record, len };
	return 0;
}

static int held_record(void *ctx, int64_t number, const uint8_t *record, size_t len)
{
	struct loading *l = (struct loading *)ctx;
	int r = row_parse(record, len, number, &l->row);
	l->counts.bad += r == 0;
	if (r <= 0)
		return r;
	size_t before = l->n_freed;
	r = load_held(l, &l->row);
	return r < 0 || l->n_freed == before ? r : note_freed(l, number, record, len);
}

static int elsewhere_record(void *ctx, int64_t number, const uint8_t *record, size_t len)
{
	struct loading *l = (struct loading *)ctx;
	int r = row_parse(record, len, number, &l->row);
	l->counts.bad += r == 0;
	return r <= 0 ? r : load_elsewhere(l, &l->row);
}

static int compare_freed(const void *a, const void *b)
{
	const struct freed *x = (const struct freed *)a, *y = (const struct freed *)b;
	int when = (x->since_unix_ms > y->since_unix_ms) - (x->since_unix_ms < y->since_unix_ms);
	return when ? when : (x->number > y->number) - (x->number < y->number);
}

/* Nothing is met here that was not met when it was taken. */
static int load_image(struct loading *l)
{
	const struct store *s = l->s;
	struct image im = { 0 };
	int r = image_open(s->image_bytes, s->image_len, &im);
	if (r == 0)
		r = image_table(&im, s->binding_root, held_record, l);
	if (r == 0 && l->n_freed)
		qsort(l->freed, l->n_freed, sizeof *l->freed, compare_freed);
	for (size_t i = 0, n = l->n_freed; i < n && r >= 0; i++) {
		const struct freed *f = &l->freed[i];
		r = row_parse(f->record, f->len, f->number, &l->row);
		if (r > 0)
			r = load_freed(l, &l->row);
	}
	if (r >= 0)
		r = image_table(&im, s->elsewhere_root, elsewhere_record, l);
	free(l->freed);
	image_close(&im);
	return r;
}

size_t store_expects(const struct store *s)
{
	return s->image_bytes ? s->image_rows : 0;
}

int store_load(struct store *s, struct store_now now,
	       int (*fn)(void *ctx, const struct binding_record *r), void *ctx,
	       struct store_counts *ret_counts)
{
	struct loading l = { .s = s, .now = now, .fn = fn, .ctx = ctx };
	s->foreign.n = s->settled.n = 0;
	int r = s->image_bytes ? load_image(&l) : load_rows(&l);
	drop_image(s);
	*ret_counts = l.counts;
	return r;
}

int store_duid(struct store *s, const struct duid *fresh, struct duid *ret_duid)
{
	struct duid kept = { 0 };
	int r = 0;
	if (s->duid.is) {
		kept.len = s->duid.len;
		memcpy(kept.bytes, s->duid.bytes, s->duid.len);
	} else {
		r = read_duid(s->db, &kept);
	}
	if (r == -ENODATA) {
		store_duid_put(s, fresh);
		kept = *fresh;
		r = 0;
	}
	if (r == 0)
		*ret_duid = kept;
	return r;
}

void store_duid_put(struct store *s, const struct duid *duid)
{
	owe(&s->duid, duid->bytes, duid->len);
}

int store_note_get(struct store *s, enum store_note note, uint8_t ret_bytes[static STORE_NOTE_LEN])
{
	if (!s->notes[note].is)
		return read_note(s->db, note, ret_bytes);
	memcpy(ret_bytes, s->notes[note].bytes, STORE_NOTE_LEN);
	return 0;
}

void store_note_put(struct store *s, enum store_note note,
		    const uint8_t bytes[static STORE_NOTE_LEN])
{
	owe(&s->notes[note], bytes, STORE_NOTE_LEN);
}
