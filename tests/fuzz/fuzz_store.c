/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's loader. The first byte chooses: mostly rows with columns of any type and value, put
 * into a table without rules and read by row_read(); else a sound database whose file is damaged
 * where the input says, or one that is the input itself, opened by store_open(), which takes
 * milliseconds. However hostile, what comes out is within bounds, and what was opened can be
 * written and read back.
 */
#include "fuzz/fuzz.h"
#include "store/row.h"
#include "store/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COLUMNS = 14,
	ROWS_MAX = 8,
	SOUND_ROWS = 100,
	SOUND_MAX = 256 << 10,
	DAMAGES = 64,
	FILES_FROM = 240
};

struct input {
	const uint8_t *at, *end;
};

static sqlite3 *rows_db;
static sqlite3_stmt *rows_put, *rows_get, *rows_clear;
static char dir[64], path[96];
static uint8_t sound[SOUND_MAX];
static size_t sound_len;

static uint64_t take(struct input *in, size_t n)
{
	uint64_t v = 0;
	for (; n > 0; n--)
		v = v << 8 | (in->at < in->end ? *in->at++ : 0);
	return v;
}

/* --- what must be so of every record
 * ------------------------------------------------------------------------------------- */

static void check_record(const struct binding_record *r, struct store_now now)
{
	FUZZ_CHECK(r->kind == BINDING_NA || r->kind == BINDING_PD);
	FUZZ_CHECK(r->state >= BINDING_BOUND && r->state <= BINDING_DECLINED);
	FUZZ_CHECK(r->prefix.plen >= 1 && r->prefix.plen <= 128);
	FUZZ_CHECK(r->kind == BINDING_PD || r->prefix.plen == 128);
	FUZZ_CHECK(prefix6_is_masked(&r->prefix));
	FUZZ_CHECK(r->duid.len >= 1 && r->duid.len <= DUID_MAX);
	FUZZ_CHECK(r->lladdr_len <= BINDING_LLADDR_MAX);
	FUZZ_CHECK(r->details_len <= BINDING_DETAILS_MAX);
	FUZZ_CHECK(r->preferred_lft_s <= r->valid_lft_s);
	FUZZ_CHECK(r->granted_at_ms <= now.mono_ms);
	if (r->valid_until_ms == UINT64_MAX) {
		FUZZ_CHECK(r->state == BINDING_BOUND && r->valid_lft_s == UINT32_MAX);
		return;
	}
	uint64_t longest_ms = r->state == BINDING_BOUND      ? r->valid_lft_s * UINT64_C(1000)
			      : r->state == BINDING_DECLINED ? 86400000
							     : 0;
	FUZZ_CHECK(r->valid_until_ms <= now.mono_ms + longest_ms);
}

struct seen {
	struct store_now now;
	size_t n;
	uint64_t sum; /* of what they are, in whatever order */
	uint64_t last_freed_ms;
	bool freed;
};

static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = (const uint8_t *)bytes;
	while (len-- > 0)
		sum = (sum ^ *b++) * UINT64_C(0x100000001b3);
	return sum;
}

/* Among those that were freed at one instant the order is nobody's business. */
static uint64_t sum_of(const struct binding_record *r)
{
	const uint64_t values[] = { r->number,
				    (uint64_t)r->kind,
				    (uint64_t)r->state,
				    r->iaid,
				    r->prefix.plen,
				    r->preferred_lft_s,
				    r->valid_lft_s,
				    r->state == BINDING_FREED ? 0 : r->granted_at_ms,
				    r->state == BINDING_FREED ? 0 : r->valid_until_ms };
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		sum = (sum ^ values[i]) * UINT64_C(0x100000001b3);
	sum = add_bytes(sum, r->duid.bytes, r->duid.len);
	sum = add_bytes(sum, &r->prefix.addr, sizeof r->prefix.addr);
	sum = add_bytes(sum, &r->next_hop, sizeof r->next_hop);
	sum = add_bytes(sum, r->lladdr, r->lladdr_len);
	return add_bytes(sum, r->details, r->details_len);
}

static int see(void *ctx, const struct binding_record *r)
{
	struct seen *seen = (struct seen *)ctx;
	check_record(r, seen->now);
	FUZZ_CHECK(!seen->freed || r->state == BINDING_FREED);
	if (r->state == BINDING_FREED) {
		FUZZ_CHECK(!seen->freed || r->granted_at_ms >= seen->last_freed_ms);
		seen->freed = true;
		seen->last_freed_ms = r->granted_at_ms;
	}
	seen->n++;
	seen->sum += sum_of(r);
	return 0;
}

static struct store_now some_now(struct input *in)
{
	struct store_now now = { .mono_ms = (UINT64_C(1) << 43) + take(in, 4),
				 .unix_ms = take(in, 6) };
	if (now.unix_ms >> 47)
		now.unix_ms = UINT64_C(1800000000000);
	return now;
}

/* --- rows
 * -------------------------------------------------------------------------------------------------
 */

/* What a column is like where nobody meddled with it: so that not all of a row is always wrong. */
static void bind_usual(int column)
{
	static const uint8_t bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff };
	static const int64_t numbers[COLUMNS] = { [0] = 2,
						  [2] = 56,
						  [3] = 1,
						  [5] = 7,
						  [8] = 1800,
						  [9] = 14400,
						  [10] = 1800000000000,
						  [11] = 1800014400000,
						  [13] = 1 };
	if (column == 1 || column == 4 || column == 6 || column == 7 || column == 12)
		(void)sqlite3_bind_blob(rows_put, column + 1, bytes, column == 7 ? 6 : 16,
					SQLITE_STATIC);
	else
		(void)sqlite3_bind_int64(rows_put, column + 1, numbers[column]);
}

static void bind_strange(struct input *in, int column)
{
	static const int64_t edges[] = { 0,
					 1,
					 2,
					 3,
					 4,
					 127,
					 128,
					 129,
					 255,
					 256,
					 UINT32_MAX,
					 INT64_MAX,
					 INT64_MIN,
					 -1,
					 INT64_C(1) << 46,
					 -(INT64_C(1) << 46) };
	uint8_t how = (uint8_t)take(in, 1);
	size_t left = (size_t)(in->end - in->at), len = how >> 3 & 31;
	switch (how & 7) {
	case 0:
		(void)sqlite3_bind_null(rows_put, column + 1);
		break;
	case 1:
		(void)sqlite3_bind_int64(rows_put, column + 1, edges[how >> 3 & 15]);
		break;
	case 2:
		(void)sqlite3_bind_int64(rows_put, column + 1, (int64_t)take(in, 8));
		break;
	case 3:
		(void)sqlite3_bind_int64(rows_put, column + 1, (int64_t)take(in, 2));
		break;
	case 4:
		(void)sqlite3_bind_double(rows_put, column + 1, (double)take(in, 4));
		break;
	case 5:
		(void)sqlite3_bind_text(rows_put, column + 1, (const char *)in->at,
					(int)(left < len ? left : len), SQLITE_STATIC);
		break;
	case 6:
		(void)sqlite3_bind_zeroblob(rows_put, column + 1, (int)take(in, 2) & 0x3ff);
		break;
	default:
		if (left < len)
			len = left;
		(void)sqlite3_bind_blob(rows_put, column + 1, in->at, (int)len, SQLITE_STATIC);
		in->at += len;
		break;
	}
}

static void rows(struct input *in)
{
	struct store_now now = some_now(in);
	(void)sqlite3_step(rows_clear); /* what is left of it does no harm */
	(void)sqlite3_reset(rows_clear);
	for (size_t n = 0; n < ROWS_MAX && in->at < in->end; n++) {
		uint16_t strange = (uint16_t)take(in, 2);
		for (int c = 0; c < COLUMNS; c++)
			if (strange >> c & 1)
				bind_strange(in, c);
			else
				bind_usual(c);
		(void)sqlite3_step(rows_put); /* the table refuses nothing */
		(void)sqlite3_reset(rows_put);
	}
	while (sqlite3_step(rows_get) == SQLITE_ROW) {
		struct row row;
		if (!row_read(rows_get, &row))
			continue;
		const struct binding_record r = row_record(&row, now, now.mono_ms);
		check_record(&r, now);
		/* What is written of it would be accepted again. */
		FUZZ_CHECK(r.valid_until_ms == UINT64_MAX ||
			   row_to_unix(r.valid_until_ms, now) >= row_to_unix(r.granted_at_ms, now));
	}
	(void)sqlite3_reset(rows_get);
}

/* --- files
 * -------------------------------------------------------------------------------------------------
 */

static void empty_dir(void)
{
	static const char *const ends[] = { "",
					    "-wal",
					    "-shm",
					    "-journal",
					    ".new",
					    ".new-wal",
					    ".corrupt-1800000000",
					    ".corrupt-1800000000-wal" };
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		char name[128];
		(void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void)unlink(name); /* most of them are not there */
	}
}

static void write_file(const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	(void)close(fd); /* the next reader would see what is wrong with it */
}

static struct binding_change some_change(uint32_t number)
{
	struct binding_change c = { .record = { .kind = BINDING_PD,
						.state = number % 5 ? BINDING_BOUND : BINDING_FREED,
						.duid = { .len = 10 },
						.iaid = number,
						.prefix = { .plen = 56 },
						.preferred_lft_s = 1800,
						.valid_lft_s = 14400,
						.granted_at_ms = (UINT64_C(1) << 43) + number } };
	c.record.prefix.addr.s6_addr[0] = 0x20;
	c.record.prefix.addr.s6_addr[5] = (uint8_t)(number >> 8);
	c.record.prefix.addr.s6_addr[6] = (uint8_t)number;
	c.record.valid_until_ms =
		c.record.granted_at_ms + (c.record.state == BINDING_BOUND ? 14400000 : 0);
	return c;
}

static void open_and_use(struct input *in)
{
	struct store_now now = some_now(in);
	struct store *s = NULL;
	struct store_found found;
	struct store_counts counts;
	struct seen seen = { .now = now };
	int r = store_open(dir, UINT64_C(1800000000000), false, &s, &found);
	FUZZ_CHECK((r == 0) == (s != NULL));
	if (r < 0)
		return;
	r = store_load(s, now, see, &seen, &counts);
	if (r == 0) {
		/* The first load is out of the file's image, where that is as usual; this is
		 * SQLite's own reading, and it reads the same. */
		struct seen again = { .now = now };
		struct store_counts counted;
		FUZZ_CHECK(store_load(s, now, see, &again, &counted) == 0);
		FUZZ_CHECK(again.n == seen.n && again.sum == seen.sum);
		FUZZ_CHECK(counted.bad == counts.bad && counted.ahead == counts.ahead);
	}
	FUZZ_CHECK(!found.moved_aside[0] || seen.n + counts.bad == found.rescued);
	const struct binding_change c = some_change(9999);
	const struct duid fresh = { .len = 1 };
	struct duid got;
	if (r == 0 && store_commit(s, &c, 1, now) == 0) {
		size_t before = seen.n;
		seen = (struct seen){ .now = now };
		FUZZ_CHECK(store_load(s, now, see, &seen, &counts) < 0 || seen.n >= before);
	}
	FUZZ_CHECK(store_duid(s, &fresh, &got) < 0 || got.len >= 1);
	store_close(s);
}

/* Bytes of a sound file changed here and there, or its end cut off. */
static void damaged(struct input *in)
{
	static uint8_t bytes[SOUND_MAX];
	memcpy(bytes, sound, sound_len);
	size_t len = sound_len;
	uint8_t cut = (uint8_t)take(in, 1);
	if (cut & 1)
		len = len * cut / 256;
	for (size_t i = 0; i < DAMAGES && in->end - in->at >= 4; i++) {
		size_t at = (size_t)take(in, 3) % sound_len;
		bytes[at] = (uint8_t)take(in, 1);
	}
	write_file(bytes, len);
	open_and_use(in);
}

static void any_file(struct input *in)
{
	write_file(in->at, (size_t)(in->end - in->at));
	in->at = in->end;
	open_and_use(in);
}

/* --- the target
 * ---------------------------------------------------------------------------------------------- */

static void remove_dir(void)
{
	empty_dir();
	(void)rmdir(dir); /* a file of a crash is left in it */
}

static void make_sound(void)
{
	struct store *s = NULL;
	struct store_found found;
	struct store_now now = { UINT64_C(1) << 43, UINT64_C(1800000000000) };
	struct duid got;
	static struct binding_change changes[SOUND_ROWS];
	for (uint32_t i = 0; i < SOUND_ROWS; i++)
		changes[i] = some_change(i);
	FUZZ_CHECK(store_open(dir, now.unix_ms, false, &s, &found) == 0);
	FUZZ_CHECK(store_duid(s, &changes[0].record.duid, &got) == 0);
	FUZZ_CHECK(store_commit(s, changes, SOUND_ROWS, now) == 0);
	store_close(s);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, sound, sizeof sound);
	FUZZ_CHECK(n > 4096 && n < (ssize_t)sizeof sound);
	(void)close(fd); /* it was only read */
	sound_len = (size_t)n;
}

static void set_up(void)
{
	struct stat st;
	const char *tmp = getenv("TMPDIR");
	if (!tmp)
		tmp = stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp";
	/* Most of the time went into locks and statistics. */
	FUZZ_CHECK(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
		   sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
	(void)snprintf(dir, sizeof dir, "%.40s/vbng-fuzz-XXXXXX", tmp);
	FUZZ_CHECK(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/leases.db", dir);
	FUZZ_CHECK(atexit(remove_dir) == 0);
	make_sound();
	FUZZ_CHECK(sqlite3_open(":memory:", &rows_db) == SQLITE_OK);
	FUZZ_CHECK(sqlite3_exec(rows_db, "CREATE TABLE binding(" ROW_COLUMNS ")", NULL, NULL,
				NULL) == SQLITE_OK);
	FUZZ_CHECK(sqlite3_prepare_v2(rows_db, "INSERT INTO binding VALUES(" ROW_PLACES ")", -1,
				      &rows_put, NULL) == SQLITE_OK);
	FUZZ_CHECK(sqlite3_prepare_v2(rows_db, "SELECT " ROW_COLUMNS " FROM binding", -1, &rows_get,
				      NULL) == SQLITE_OK);
	FUZZ_CHECK(sqlite3_prepare_v2(rows_db, "DELETE FROM binding", -1, &rows_clear, NULL) ==
		   SQLITE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	if (!rows_db)
		set_up();
	uint8_t what = (uint8_t)take(&in, 1);
	if (what < FILES_FROM) {
		rows(&in);
		return 0;
	}
	empty_dir();
	if (what & 1)
		damaged(&in);
	else
		any_file(&in);
	return 0;
}
