/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that SQLite wrote, read without it: the same rows, or none of them, whatever became of the
 * file in between.
 */
#include "unit.h"

#include "base/cleanup.h"
#include "store/db.h"
#include "store/image.h"

#include <stdlib.h>

enum { ROWS_MAX = 4000 };

struct fixture {
	sqlite3 *db;
	unsigned char *bytes;
	size_t len;
	uint32_t root, leaf;
	/* As it was read. */
	size_t n;
	int64_t numbers[ROWS_MAX], values[ROWS_MAX];
	size_t lengths[ROWS_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_int_equal(sqlite3_open(":memory:", &f->db), SQLITE_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	sqlite3_free(f->bytes);
	assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
	free(f);
	return 0;
}

static void run(struct fixture *f, const char *sql)
{
	char *why = NULL;
	if (sqlite3_exec(f->db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static int64_t ask(struct fixture *f, const char *sql)
{
	int64_t v = -1;
	assert_int_equal(db_int(f->db, sql, &v), 0);
	return v;
}

static void make(struct fixture *f, unsigned page_bytes)
{
	char sql[64];
	snprintf(sql, sizeof sql, "PRAGMA page_size=%u", page_bytes);
	run(f, sql);
	run(f, "CREATE TABLE t(number INTEGER PRIMARY KEY, v INTEGER, b BLOB) STRICT;"
	       "CREATE TABLE m(key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
	       "INSERT INTO m VALUES('duid');");
}

/* Values of every width, bytes of many lengths. */
static void add_rows(struct fixture *f, unsigned n)
{
	char sql[256];
	snprintf(sql, sizeof sql,
		 "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<%u)"
		 "INSERT INTO t SELECT x, (1<<(x%%63)) * (CASE x%%2 WHEN 0 THEN 1 ELSE -1 END), "
		 "zeroblob(x%%97) FROM c",
		 n);
	run(f, sql);
}

static void take(struct fixture *f)
{
	sqlite3_int64 len = 0;
	sqlite3_free(f->bytes);
	f->bytes = sqlite3_serialize(f->db, "main", &len, 0);
	assert_non_null(f->bytes);
	f->len = (size_t)len;
	f->root = (uint32_t)ask(f, "SELECT rootpage FROM sqlite_schema WHERE name='t'");
	f->leaf = (uint32_t)ask(f, "SELECT rootpage FROM sqlite_schema WHERE name='m'");
}

static int on_row(void *ctx, int64_t number, const uint8_t *record, size_t len)
{
	struct fixture *f = ctx;
	struct image_value v[3];
	if (image_record(record, len, v, 3) < 0 || v[0].kind != IMAGE_NULL ||
	    v[1].kind != IMAGE_NUMBER || v[2].kind != IMAGE_BYTES || f->n == ROWS_MAX)
		return -EUCLEAN;
	f->numbers[f->n] = number;
	f->values[f->n] = v[1].number;
	f->lengths[f->n++] = v[2].len;
	return 0;
}

/* Everything that is in it. */
static int walk(struct fixture *f)
{
	struct image im = { 0 };
	f->n = 0;
	int r = image_open(f->bytes, f->len, &im);
	if (r == 0)
		r = image_table(&im, 1, NULL, NULL);
	if (r == 0)
		r = image_leaf(&im, f->leaf);
	if (r == 0)
		r = image_table(&im, f->root, on_row, f);
	if (r == 0)
		r = image_end(&im);
	image_close(&im);
	return r;
}

static void assert_same(struct fixture *f)
{
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(f->db, "SELECT number,v,length(b) FROM t ORDER BY 1",
					    -1, &st, NULL),
			 SQLITE_OK);
	size_t n = 0;
	for (; sqlite3_step(st) == SQLITE_ROW; n++) {
		assert_true(n < f->n);
		assert_true(f->numbers[n] == sqlite3_column_int64(st, 0));
		assert_true(f->values[n] == sqlite3_column_int64(st, 1));
		assert_int_equal(f->lengths[n], sqlite3_column_int64(st, 2));
	}
	(void)sqlite3_finalize(st);
	assert_int_equal(n, f->n);
}

static void rows_are_what_sqlite_reads_at_every_size_of_pages(void **state)
{
	struct fixture *f = *state;
	for (unsigned page = 512; page <= 65536; page *= 2) {
		assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
		assert_int_equal(sqlite3_open(":memory:", &f->db), SQLITE_OK);
		make(f, page);
		add_rows(f, 3000);
		take(f);
		assert_int_equal(walk(f), 0);
		assert_int_equal(f->n, 3000);
		assert_same(f);
	}
}

static void an_empty_table_has_no_rows(void **state)
{
	struct fixture *f = *state;
	make(f, 1024);
	take(f);
	assert_int_equal(walk(f), 0);
	assert_int_equal(f->n, 0);
}

/* Gaps in pages, pages that nobody uses, cells that were moved. */
static void what_was_removed_and_changed_leaves_the_rest_as_it_is(void **state)
{
	struct fixture *f = *state;
	static const char *const changes[] = {
		"DELETE FROM t WHERE number%3=0",
		"UPDATE t SET b=zeroblob(number%200) WHERE number%5=0",
		"DELETE FROM t WHERE number BETWEEN 500 AND 2500",
		"INSERT INTO t SELECT number+10000,v,b FROM t WHERE number<300",
		"DELETE FROM t WHERE number>100",
		"DELETE FROM t",
	};
	make(f, 1024);
	add_rows(f, 3000);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		run(f, changes[i]);
		take(f);
		assert_int_equal(walk(f), 0);
		assert_same(f);
	}
}

static void what_is_unusual_is_left_to_sqlite(void **state)
{
	struct fixture *f = *state;
	static const char *const unusual[] = {
		"INSERT INTO t VALUES(9999, 1, zeroblob(3000))", /* in pages of its own */
		"CREATE TABLE another(x)",
		"CREATE INDEX i ON t(v)",
	};
	for (size_t i = 0; i < ARRAY_LEN(unusual); i++) {
		assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
		assert_int_equal(sqlite3_open(":memory:", &f->db), SQLITE_OK);
		make(f, 1024);
		add_rows(f, 100);
		run(f, unusual[i]);
		take(f);
		assert_int_equal(walk(f), -EUCLEAN);
	}
}

static void a_file_cut_short_is_unusual(void **state)
{
	struct fixture *f = *state;
	make(f, 1024);
	add_rows(f, 1000);
	take(f);
	const size_t whole = f->len;
	for (f->len = 0; f->len < whole; f->len += 512)
		assert_int_equal(walk(f), -EUCLEAN);
	f->len = whole;
	assert_int_equal(walk(f), 0);
}

/* Nothing outside of it is looked at (the sanitizers see to that), and what can still be read comes
 * in order. In what holds it together hardly anything may be another byte. */
static void any_byte_may_be_another(void **state)
{
	struct fixture *f = *state;
	make(f, 512);
	add_rows(f, 120);
	run(f, "DELETE FROM t WHERE number BETWEEN 20 AND 60");
	take(f);
	assert_true(ask(f, "PRAGMA freelist_count") > 0);
	for (size_t at = 0; at < f->len; at++) {
		const unsigned char was = f->bytes[at];
		static const unsigned char others[] = { 0, 1, 0x7f, 0x80, 0xff };
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			f->bytes[at] = others[i];
			int r = walk(f);
			assert_true(r == 0 || r == -EUCLEAN);
			for (size_t n = 1; n < f->n; n++)
				assert_true(f->numbers[n - 1] < f->numbers[n]);
		}
		f->bytes[at] = was;
	}
	/* The kind of a page, how many cells it has, and where they are. */
	for (size_t page = f->root - 1, at = 0; at < 8; at++) {
		f->bytes[page * 512 + at] ^= 0x55;
		assert_int_equal(walk(f), -EUCLEAN);
		f->bytes[page * 512 + at] ^= 0x55;
	}
	assert_int_equal(walk(f), 0);
}

static void what_a_row_says_may_end_it(void **state)
{
	struct fixture *f = *state;
	struct image im = { 0 };
	make(f, 1024);
	add_rows(f, 10);
	take(f);
	f->n = ROWS_MAX; /* on_row() has no room */
	assert_int_equal(image_open(f->bytes, f->len, &im), 0);
	assert_int_equal(image_table(&im, f->root, on_row, f), -EUCLEAN);
	assert_int_equal(image_table(&im, f->root, NULL, NULL), -EUCLEAN); /* met before */
	image_close(&im);
}

static void records_are_whole_and_of_so_many_values(void **state)
{
	(void)state;
	struct image_value v[3];
	/* Kinds: nothing, a byte, two bytes of bytes. */
	static const uint8_t record[] = { 4, 0, 1, 16, 0xfe, 7, 8 };
	assert_int_equal(image_record(record, sizeof record, v, 3), 0);
	assert_int_equal(v[0].kind, IMAGE_NULL);
	assert_int_equal(v[1].number, -2);
	assert_int_equal(v[2].len, 2);
	assert_int_equal(v[2].bytes[1], 8);
	assert_int_equal(image_record(record, sizeof record, v, 2), -EUCLEAN);
	for (size_t len = 0; len < sizeof record; len++)
		assert_int_equal(image_record(record, len, v, 3), -EUCLEAN);
	static const uint8_t more[] = { 4, 0, 1, 16, 0xfe, 7, 8, 9 }, text[] = { 2, 15, 'x' },
			     reserved[] = { 2, 10 }, constants[] = { 3, 8, 9 },
			     huge[] = { 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };
	assert_int_equal(image_record(more, sizeof more, v, 3), -EUCLEAN);
	assert_int_equal(image_record(text, sizeof text, v, 1), -EUCLEAN);
	assert_int_equal(image_record(reserved, sizeof reserved, v, 1), -EUCLEAN);
	assert_int_equal(image_record(huge, sizeof huge, v, 1), -EUCLEAN);
	assert_int_equal(image_record(constants, sizeof constants, v, 2), 0);
	assert_int_equal(v[0].number, 0);
	assert_int_equal(v[1].number, 1);
}

#define IMAGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(rows_are_what_sqlite_reads_at_every_size_of_pages),
		IMAGE_TEST(an_empty_table_has_no_rows),
		IMAGE_TEST(what_was_removed_and_changed_leaves_the_rest_as_it_is),
		IMAGE_TEST(what_is_unusual_is_left_to_sqlite),
		IMAGE_TEST(a_file_cut_short_is_unusual),
		IMAGE_TEST(any_byte_may_be_another),
		IMAGE_TEST(what_a_row_says_may_end_it),
		cmocka_unit_test(records_are_whole_and_of_so_many_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
