/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/unit.h"

#include "base/cleanup.h"
#include "store/db.h"
#include "store/wal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROW = 900 }; /* bytes: a page each */

static struct fixture {
	char dir[64], path[96], log[128];
	sqlite3 *db;
	struct wal wal;
} f;

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){ .dir = "/tmp/vbng-wal-XXXXXX" };
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof f.path, "%s/t.db", f.dir);
	snprintf(f.log, sizeof f.log, "%s-wal", f.path);
	assert_int_equal(db_open(f.path, &f.db), 0);
	assert_int_equal(db_run(f.db, "PRAGMA journal_mode=WAL"), 0);
	wal_init(&f.wal, f.db);
	assert_int_equal(db_run(f.db, "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB)"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	(void)sqlite3_close(f.db);
	snprintf(command, sizeof command, "rm -rf %s", f.dir);
	return system(command); /* NOLINT(cert-env33-c): a path of ours */
}

static void add(unsigned rows)
{
	char sql[192];
	snprintf(sql, sizeof sql,
		 "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i<%u)"
		 " INSERT INTO t(b) SELECT randomblob(%d) FROM r",
		 rows, ROW);
	assert_int_equal(db_run(f.db, sql), 0);
}

static off_t size_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* What a commit has to write beside its rows is where the file ends. */
static void commits_do_not_make_the_logs_file_longer(void **state)
{
	enum { COMMITS = 100 };
	(void)state;
	unsigned longer = 0;
	for (unsigned i = 0; i < COMMITS; i++) {
		wal_tidy(&f.wal, false);
		off_t before = size_of(f.log);
		add(3);
		longer += size_of(f.log) != before;
	}
	assert_int_equal(longer, 0);
	assert_true(f.wal.pages > COMMITS * 3);
}

static void nothing_is_written_into_an_empty_log(void **state)
{
	(void)state;
	assert_int_equal(db_run(f.db, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	f.wal.pages = 0;
	wal_tidy(&f.wal, false);
	wal_tidy(&f.wal, true);
	assert_int_equal(size_of(f.log), 0);
}

static void copy(const char *from, const char *to)
{
	static char bytes[1 << 20];
	AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
}

/* As a power cut leaves it: with the room that was made, and with what an earlier round left there.
 */
static void room_in_the_log_is_no_damage_to_it(void **state)
{
	(void)state;
	char path[160], log[176];
	int64_t rows = 0;
	add(700);
	wal_tidy(&f.wal, true);
	assert_int_equal(f.wal.pages, 0);
	for (unsigned i = 0; i < 10; i++) {
		add(1);
		wal_tidy(&f.wal, false);
	}
	snprintf(path, sizeof path, "%s/copy.db", f.dir);
	snprintf(log, sizeof log, "%s-wal", path);
	copy(f.path, path);
	copy(f.log, log);
	sqlite3 *db;
	assert_int_equal(db_open(path, &db), 0);
	assert_int_equal(db_int(db, "SELECT count(*) FROM t", &rows), 0);
	assert_int_equal(rows, 710);
	char said[16] = "";
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	snprintf(said, sizeof said, "%s", (const char *)sqlite3_column_text(st, 0));
	(void)sqlite3_finalize(st);
	assert_string_equal(said, "ok");
	(void)sqlite3_close(db);
}

static void a_log_is_moved_early_when_nobody_waits(void **state)
{
	(void)state;
	off_t before = size_of(f.path);
	add(WAL_PAGES_IDLE - 100);
	assert_false(wal_untidy(&f.wal));
	wal_tidy(&f.wal, true);
	assert_int_equal(size_of(f.path), before);
	add(100);
	assert_true(wal_untidy(&f.wal));
	wal_tidy(&f.wal, false);
	assert_int_equal(size_of(f.path), before);
	wal_tidy(&f.wal, true);
	assert_true(size_of(f.path) > before + WAL_PAGES_IDLE * ROW);
	assert_false(wal_untidy(&f.wal));
}

/* However fast or slow the disk is. */
static void how_long_a_log_gets_is_bounded(void **state)
{
	(void)state;
	int most = 0;
	for (unsigned i = 0; i < 120; i++) {
		add(300);
		most = f.wal.pages > most ? f.wal.pages : most;
		wal_tidy(&f.wal, false);
		assert_in_range(f.wal.most, WAL_PAGES_MIN, WAL_PAGES_MAX);
	}
	assert_in_range(most, WAL_PAGES_MIN, WAL_PAGES_MAX + 1000);
	assert_true(size_of(f.log) < (WAL_PAGES_MAX + 1000) * 1100);
}

int main(void)
{
#define WAL_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WAL_TEST(commits_do_not_make_the_logs_file_longer),
		WAL_TEST(nothing_is_written_into_an_empty_log),
		WAL_TEST(room_in_the_log_is_no_damage_to_it),
		WAL_TEST(a_log_is_moved_early_when_nobody_waits),
		WAL_TEST(how_long_a_log_gets_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
