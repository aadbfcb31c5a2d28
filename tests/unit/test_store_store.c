/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/db.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_LOADED = 16 };
static const struct store_now now = { .mono_ms = 5000000, .unix_ms = UINT64_C(1800000000000) };

struct fixture {
	char dir[64];
	char db[96];
	struct store_found found;
	struct store *store;
	struct store_counts counts;
	size_t n;
	uint32_t last_number;
	struct binding_record loaded[MAX_LOADED];
	uint8_t details[MAX_LOADED][BINDING_DETAILS_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	strcpy(f->dir, "/tmp/vbng-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->db, sizeof f->db, "%s/leases.db", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	store_close(f->store);
	snprintf(command, sizeof command, "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of ours */
	free(f);
	return 0;
}

static void open_it(struct fixture *f)
{
	assert_int_equal(store_open(f->dir, now.unix_ms, false, &f->store, &f->found), 0);
}

static int collect(void *ctx, const struct binding_record *r)
{
	struct fixture *f = ctx;
	assert_true(f->n < MAX_LOADED);
	f->loaded[f->n] = *r;
	if (r->details_len)
		memcpy(f->details[f->n], r->details, r->details_len);
	f->loaded[f->n].details = f->details[f->n];
	f->n++;
	return 0;
}

static void load_at(struct fixture *f, struct store_now at)
{
	f->n = 0;
	assert_int_equal(store_load(f->store, at, collect, f, &f->counts), 0);
}

static struct binding_change change(uint8_t number, bool erase)
{
	struct binding_change c = {
		.erase = erase,
		.record = { .number = number,
			    .kind = BINDING_PD,
			    .state = BINDING_BOUND,
			    .duid = { .len = 10, .bytes = { 0, 3, 0, 1, 2, 0, 0, 0, 0, number } },
			    .iaid = 0xfffffff0U + number,
			    .prefix = { .plen = 56 },
			    .lladdr_len = 6,
			    .lladdr = { 2, 0, 0, 0, 0, number },
			    .preferred_lft_s = 1800,
			    .valid_lft_s = 14400,
			    .granted_at_ms = now.mono_ms,
			    .valid_until_ms = now.mono_ms + 14400000 }
	};
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:ffff::", &c.record.prefix.addr), 1);
	c.record.prefix.addr.s6_addr[6] = number;
	assert_int_equal(inet_pton(AF_INET6, "fe80::7", &c.record.next_hop), 1);
	return c;
}

static void what_is_committed_is_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change changes[] = { change(1, false), change(2, false), change(3, false) };
	changes[1].record.valid_until_ms = UINT64_MAX;
	changes[1].record.valid_lft_s = UINT32_MAX;
	changes[2].record.state = BINDING_FREED;
	changes[2].record.valid_until_ms = now.mono_ms;
	uint8_t details[BINDING_DETAILS_MAX];
	memset(details, 0xa7, sizeof details);
	changes[0].record.details = changes[1].record.details = details;
	changes[0].record.details_len = sizeof details;
	changes[1].record.details_len = 1;
	assert_int_equal(store_commit(f->store, changes, 3, now), 0);
	store_close(f->store);
	open_it(f);
	load_at(f, now);
	assert_int_equal(f->n, 3);
	assert_int_equal(f->counts.bad, 0);
	for (size_t i = 0; i < 3; i++) {
		const struct binding_record *a = &f->loaded[i], *b = &changes[i].record;
		assert_memory_equal(&a->prefix, &b->prefix, sizeof a->prefix);
		assert_memory_equal(a->duid.bytes, b->duid.bytes, b->duid.len);
		assert_int_equal(a->duid.len, b->duid.len);
		assert_int_equal(a->iaid, b->iaid);
		assert_int_equal(a->state, b->state);
		assert_memory_equal(&a->next_hop, &b->next_hop, sizeof a->next_hop);
		assert_memory_equal(a->lladdr, b->lladdr, 6);
		assert_int_equal(a->details_len, b->details_len);
		assert_memory_equal(a->details, details, b->details_len);
		assert_int_equal(a->valid_lft_s, b->valid_lft_s);
		assert_true(a->valid_until_ms == b->valid_until_ms);
	}
}

static void a_later_change_replaces_and_an_erased_one_is_gone(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change first[] = { change(1, false), change(2, false) };
	assert_int_equal(store_commit(f->store, first, 2, now), 0);
	struct binding_change second[] = { change(1, false), change(2, true) };
	second[0].record.iaid = 7;
	assert_int_equal(store_commit(f->store, second, 2, now), 0);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].iaid, 7);
}

static void lifetimes_go_on_over_a_reboot(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	/* 100 s later by the wall clock, on a machine that booted 30 s ago. */
	const struct store_now later = { .mono_ms = 30000, .unix_ms = now.unix_ms + 100000 };
	load_at(f, later);
	assert_true(f->loaded[0].valid_until_ms == 30000 + 14400000 - 100000);
}

static void a_wall_clock_that_went_back_makes_nothing_immortal(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	const struct store_now years_ago = { .mono_ms = 30000, .unix_ms = UINT64_C(86400000) };
	load_at(f, years_ago);
	assert_true(f->loaded[0].valid_until_ms == 30000 + 14400000);
}

static void a_corrupt_file_is_moved_aside_and_kept(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->db, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	char junk[8192];
	memset(junk, 'x', sizeof junk);
	assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
	close(fd);
	open_it(f);
	assert_non_null(strstr(f->found.moved_aside, "leases.db.corrupt-1800000000"));
	assert_int_equal(access(f->found.moved_aside, F_OK), 0);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	load_at(f, now);
	assert_int_equal(f->n, 1);
}

static void settle(struct fixture *f)
{
	assert_int_equal(store_commit(f->store, NULL, 0, now), 0);
	assert_false(store_owes(f->store));
}

static void the_duid_is_made_once(void **state)
{
	struct fixture *f = *state;
	const struct duid fresh = { .len = 3, .bytes = { 1, 2, 3 } },
			  other = { .len = 2, .bytes = { 9, 9 } };
	struct duid got;
	open_it(f);
	assert_int_equal(store_duid(f->store, &fresh, &got), 0);
	settle(f);
	store_close(f->store);
	open_it(f);
	assert_int_equal(store_duid(f->store, &other, &got), 0);
	assert_true(duid_equal(&got, &fresh));
}

static void a_rewrite_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change old = change(1, false), new = change(2, false);
	assert_int_equal(store_commit(f->store, &old, 1, now), 0);
	assert_int_equal(store_rewrite_begin(f->store), 0);
	assert_int_equal(store_rewrite_put(f->store, &new.record, now), 0);
	assert_int_equal(store_rewrite_end(f->store, false), 0);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].iaid, old.record.iaid);
	assert_int_equal(store_rewrite_begin(f->store), 0);
	assert_int_equal(store_rewrite_put(f->store, &new.record, now), 0);
	assert_int_equal(store_rewrite_end(f->store, true), 0);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].iaid, new.record.iaid);
}

static void a_second_process_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	open_it(f);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	assert_int_equal(store_open(f->dir, now.unix_ms, false, &second, &f->found), -EBUSY);
	assert_null(second);
}

/* A row as SQL, with one column's value replaced by another. */
static void insert_row(sqlite3 *db, unsigned number, const char *column, const char *value)
{
	static const char *const names[] = { "kind",
					     "prefix",
					     "plen",
					     "state",
					     "duid",
					     "iaid",
					     "next_hop",
					     "lladdr",
					     "preferred_s",
					     "valid_s",
					     "granted_unix_ms",
					     "until_unix_ms" };
	static const char *const values[] = { "2",
					      "",
					      "56",
					      "1",
					      "x'0003'",
					      "1",
					      "x'fe800000000000000000000000000007'",
					      "x''",
					      "1800",
					      "14400",
					      "1800000000000",
					      "1800014400000" };
	char sql[1024] = "INSERT INTO binding(kind,prefix,plen,state,duid,iaid,next_hop,lladdr,"
			 "preferred_s,valid_s,granted_unix_ms,until_unix_ms) VALUES(",
	     prefix[64], *error = NULL;
	snprintf(prefix, sizeof prefix, "x'20010db8%04x00000000000000000000'", number);
	for (size_t i = 0; i < 12; i++) {
		const char *v = column && strcmp(names[i], column) == 0 ? value
				: i == 1                                ? prefix
									: values[i];
		size_t at = strlen(sql);
		snprintf(sql + at, sizeof sql - at, "%s%s", v, i < 11 ? "," : ")");
	}
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static sqlite3 *open_raw(struct fixture *f)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	return db;
}

static void run_sql(struct fixture *f, const char *sql)
{
	sqlite3 *db = open_raw(f);
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	open_it(f);
}

static void close_it(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void notes_outlive_a_restart(void **state)
{
	struct fixture *f = *state;
	uint8_t note[STORE_NOTE_LEN], read[STORE_NOTE_LEN];
	open_it(f);
	assert_int_equal(store_note_get(f->store, STORE_CONFIG_DIGEST, read), -ENODATA);
	for (uint8_t i = 1; i < 3; i++) {
		memset(note, i, sizeof note);
		store_note_put(f->store, STORE_CONFIG_DIGEST, note);
	}
	settle(f);
	reopen(f);
	assert_int_equal(store_note_get(f->store, STORE_CONFIG_DIGEST, read), 0);
	assert_memory_equal(read, note, sizeof note);
	assert_int_equal(store_note_get(f->store, STORE_RECONFIGURE_SECRET, read), -ENODATA);
	close_it(f);
	run_sql(f, "UPDATE meta SET value=x'01' WHERE key='config_digest'");
	open_it(f);
	assert_int_equal(store_note_get(f->store, STORE_CONFIG_DIGEST, read), -EUCLEAN);
}

static void what_is_owed_comes_onto_the_disk_with_the_next_commit(void **state)
{
	struct fixture *f = *state;
	static const uint8_t note[STORE_NOTE_LEN] = { 1, 2, 3 };
	const struct duid own = { .len = 2, .bytes = { 4, 2 } }, other = { .len = 1 };
	const struct binding_change c = change(1, false);
	struct duid got;
	uint8_t read[STORE_NOTE_LEN];
	for (int committed = 0; committed < 2; committed++) {
		open_it(f);
		assert_int_equal(store_duid(f->store, &own, &got), 0);
		assert_true(duid_equal(&got, &own));
		store_note_put(f->store, STORE_REPLAY, note);
		assert_true(store_owes(f->store));
		assert_int_equal(store_note_get(f->store, STORE_REPLAY, read), 0);
		assert_memory_equal(read, note, sizeof note);
		if (committed)
			assert_int_equal(store_commit(f->store, &c, 1, now), 0);
		assert_int_equal(store_owes(f->store), !committed);
		reopen(f);
		assert_int_equal(store_note_get(f->store, STORE_REPLAY, read),
				 committed ? 0 : -ENODATA);
		assert_int_equal(store_duid(f->store, &other, &got), 0);
		assert_true(duid_equal(&got, committed ? &own : &other));
		close_it(f);
	}
}

/* Whatever is in the way of a first start: it begins with a whole file, or not at all. */
static void what_a_killed_first_start_left_is_no_hindrance(void **state)
{
	struct fixture *f = *state;
	char fresh[sizeof f->db + 8], log[sizeof f->db + 8];
	snprintf(fresh, sizeof fresh, "%s.new", f->db);
	snprintf(log, sizeof log, "%s-wal", f->db);
	const char *const left[] = { fresh, log };
	for (size_t i = 0; i < 2; i++) {
		int fd = open(left[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, "half of it", 10), 10);
		assert_int_equal(close(fd), 0);
	}
	open_it(f);
	assert_string_equal(f->found.moved_aside, "");
	assert_int_equal(access(fresh, F_OK), -1);
	const struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	reopen(f);
	load_at(f, now);
	assert_int_equal(f->n, 1);
}

/* As a start leaves it that is killed between moving the damaged file aside and putting the one
 * with what was rescued in its place. */
static void leave_only_the_rescued_one(struct fixture *f, char ret_fresh[static 128])
{
	snprintf(ret_fresh, 128, "%s.new", f->db);
	open_it(f);
	const struct binding_change changes[] = { change(1, false), change(2, false) };
	assert_int_equal(store_commit(f->store, changes, 2, now), 0);
	close_it(f);
	assert_int_equal(rename(f->db, ret_fresh), 0);
}

static void what_was_rescued_survives_a_kill_before_it_is_in_its_place(void **state)
{
	struct fixture *f = *state;
	char fresh[128];
	leave_only_the_rescued_one(f, fresh);
	open_it(f);
	assert_true(f->found.adopted);
	assert_string_equal(f->found.moved_aside, "");
	assert_int_equal(access(fresh, F_OK), -1);
	load_at(f, now);
	assert_int_equal(f->n, 2);
	reopen(f);
	assert_false(f->found.adopted);
}

static void what_was_rescued_is_rescued_again_where_it_was_damaged(void **state)
{
	struct fixture *f = *state;
	char fresh[128];
	leave_only_the_rescued_one(f, fresh);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fresh, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE stranger(x)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_it(f);
	assert_true(f->found.adopted);
	assert_string_not_equal(f->found.moved_aside, "");
	assert_int_equal(f->found.rescued, 2);
	load_at(f, now);
	assert_int_equal(f->n, 2);
}

static void what_was_rescued_is_nothing_to_go_by_beside_a_sound_one(void **state)
{
	struct fixture *f = *state;
	char fresh[128];
	leave_only_the_rescued_one(f, fresh);
	char kept[128];
	snprintf(kept, sizeof kept, "%s/kept", f->dir);
	assert_int_equal(rename(fresh, kept), 0);
	open_it(f);
	const struct binding_change c = change(3, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	close_it(f);
	assert_int_equal(rename(kept, fresh), 0);
	open_it(f);
	assert_false(f->found.adopted);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(access(fresh, F_OK), -1);
}

static void rows_that_cannot_be_are_passed_over_and_counted(void **state)
{
	static const struct {
		const char *column, *value;
	} cases[] = {
		{ "kind", "0" },
		{ "kind", "3" },
		{ "kind", "258" },        /* 2 in eight bits */
		{ "kind", "1" },          /* an address of 56 bits */
		{ "kind", "4294967298" }, /* 2 in 32 bits */
		{ "prefix", "x'00'" },
		{ "prefix", "x'20010db8000000ff0000000000000000ff'" },
		{ "prefix", "x'20010db80000000000000000000000ff'" }, /* bits behind its length */
		{ "plen", "0" },
		{ "plen", "129" },
		{ "plen", "312" }, /* 56 in eight bits */
		{ "plen", "-200" },
		{ "state", "0" },
		{ "state", "4" },
		{ "state", "-1" },
		{ "state", "4294967297" },
		{ "duid", "x''" },
		{ "duid", "zeroblob(256)" },
		{ "duid", "zeroblob(270)" },
		{ "iaid", "-1" },
		{ "iaid", "4294967296" },
		{ "next_hop", "x'fe80'" },
		{ "lladdr", "zeroblob(9)" },
		{ "preferred_s", "-1" },
		{ "preferred_s", "14401" },
		{ "preferred_s", "9223372036854775807" },
		{ "valid_s", "-14400" },
		{ "valid_s", "4294967296" },
		{ "granted_unix_ms", "-9223372036854775808" },
		{ "granted_unix_ms", "9223372036854775807" },
		{ "granted_unix_ms", "1800014400001" }, /* over before it began */
		{ "until_unix_ms", "9223372036854775807" },
		{ "until_unix_ms", "-9223372036854775808" },
		{ "until_unix_ms", "NULL" }, /* for ever, with a lifetime that ends */
	};
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	sqlite3 *db = open_raw(f);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
		insert_row(db, i, cases[i].column, cases[i].value);
	insert_row(db, 0x100, NULL, NULL);
	/* Set aside for a month. */
	insert_row(db, 0x101, "state", "3");
	sqlite3_exec(db, "UPDATE binding SET until_unix_ms=1802592000000 WHERE state=3", NULL, NULL,
		     NULL);
	sqlite3_close(db);
	open_it(f);
	load_at(f, now);
	assert_string_equal(f->found.moved_aside, "");
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].prefix.addr.s6_addr[4], 1);
	assert_int_equal(f->counts.bad, sizeof cases / sizeof cases[0] + 1);
}

/* --- clocks
 * -------------------------------------------------------------------------------------------------
 */

static void what_is_far_in_the_future_is_drawn_into_the_present(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	sqlite3 *db = open_raw(f);
	insert_row(db, 1, NULL, NULL);
	sqlite3_exec(db,
		     "UPDATE binding SET granted_unix_ms=60000000000000,"
		     "until_unix_ms=60000014400000",
		     NULL, NULL, NULL);
	sqlite3_close(db);
	open_it(f);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->counts.ahead, 1);
	assert_true(f->loaded[0].granted_at_ms == now.mono_ms);
	assert_true(f->loaded[0].valid_until_ms == now.mono_ms + 14400000);
}

static void what_is_far_in_the_past_is_over(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	sqlite3 *db = open_raw(f);
	insert_row(db, 1, NULL, NULL);
	sqlite3_exec(db,
		     "UPDATE binding SET granted_unix_ms=-60000014400000,"
		     "until_unix_ms=-60000000000000",
		     NULL, NULL, NULL);
	sqlite3_close(db);
	open_it(f);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->counts.ahead, 0);
	assert_true(f->loaded[0].granted_at_ms == 0);
	assert_true(f->loaded[0].valid_until_ms == 0);
}

static void a_declined_address_is_set_aside_for_no_longer_than_it_was(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change c = change(1, false);
	c.record.state = BINDING_DECLINED;
	c.record.valid_until_ms = now.mono_ms + 3600000;
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	const struct store_now years_ago = { .mono_ms = 30000, .unix_ms = UINT64_C(86400000) };
	load_at(f, years_ago);
	assert_int_equal(f->n, 1);
	assert_true(f->loaded[0].valid_until_ms == 30000 + 3600000);
}

/* Freed in this order: 3, 1, 2. */
static void free_three(struct fixture *f)
{
	const uint8_t order[] = { 3, 1, 2 };
	open_it(f);
	for (uint64_t i = 0; i < 3; i++) {
		struct binding_change c = change(order[i], false);
		c.record.state = BINDING_FREED;
		c.record.granted_at_ms = c.record.valid_until_ms = now.mono_ms - 3000 + i;
		assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	}
}

static void assert_order(const struct fixture *f)
{
	assert_int_equal(f->n, 3);
	assert_int_equal(f->loaded[0].prefix.addr.s6_addr[6], 3);
	assert_int_equal(f->loaded[1].prefix.addr.s6_addr[6], 1);
	assert_int_equal(f->loaded[2].prefix.addr.s6_addr[6], 2);
}

/* All that was loaded is written anew, as it is after the store did not work for a while. */
static void rewrite_loaded(struct fixture *f, struct store_now at)
{
	assert_int_equal(store_rewrite_begin(f->store), 0);
	for (size_t i = 0; i < f->n; i++)
		assert_int_equal(store_rewrite_put(f->store, &f->loaded[i], at), 0);
	assert_int_equal(store_rewrite_end(f->store, true), 0);
}

static void freed_ones_keep_their_order_over_reboots_and_rewrites(void **state)
{
	struct fixture *f = *state;
	free_three(f);
	/* The boot was a second ago, the clock a year behind, then right again, then years ahead.
	 */
	const uint64_t year_ms = UINT64_C(31536000000), boot_ms = UINT64_C(1) << 43;
	const struct store_now times[] = { { boot_ms + 1000, now.unix_ms + 10000 },
					   { boot_ms + 1000, now.unix_ms - year_ms },
					   { boot_ms + 9000, now.unix_ms + 20000 },
					   { boot_ms, now.unix_ms + 40 * year_ms },
					   { boot_ms, 0 },
					   { boot_ms + 5, now.unix_ms } };
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		reopen(f);
		load_at(f, times[i]);
		assert_order(f);
		rewrite_loaded(f, times[i]);
		load_at(f, times[i]);
		assert_order(f);
		for (size_t k = 0; k < 3; k++)
			assert_true(f->loaded[k].granted_at_ms <= times[i].mono_ms &&
				    (k == 0 ||
				     f->loaded[k].granted_at_ms > f->loaded[k - 1].granted_at_ms));
	}
}

static void one_freed_later_comes_after_those_freed_by_a_clock_that_was_ahead(void **state)
{
	struct fixture *f = *state;
	free_three(f);
	const struct store_now behind = { .mono_ms = (UINT64_C(1) << 43) + 100,
					  .unix_ms = now.unix_ms - UINT64_C(86400000) };
	load_at(f, behind);
	assert_int_equal(f->counts.ahead, 3);
	rewrite_loaded(f, behind);
	struct binding_change c = change(0, false);
	c.record.state = BINDING_FREED;
	c.record.granted_at_ms = c.record.valid_until_ms = behind.mono_ms + 1;
	assert_int_equal(store_commit(f->store, &c, 1, behind), 0);
	load_at(f, behind);
	assert_int_equal(f->n, 4);
	assert_int_equal(f->loaded[3].prefix.addr.s6_addr[6], 0);
}

static void freed_ones_come_after_those_that_are_held(void **state)
{
	struct fixture *f = *state;
	free_three(f);
	struct binding_change c = change(9, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	load_at(f, now);
	assert_int_equal(f->n, 4);
	assert_int_equal(f->loaded[0].state, BINDING_BOUND);
}

/* --- damage
 * -------------------------------------------------------------------------------------------------
 */

static void commit_many(struct fixture *f, unsigned n)
{
	sqlite3 *db = open_raw(f);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	for (unsigned i = 0; i < n; i++)
		insert_row(db, i, NULL, NULL);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
}

static off_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void spoil(struct fixture *f, off_t at, size_t n)
{
	char junk[8192];
	memset(junk, 'x', sizeof junk);
	int fd = open(f->db, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0 && n <= sizeof junk);
	assert_int_equal(pwrite(fd, junk, n, at), n);
	close(fd);
}

static int count_one(void *ctx, const struct binding_record *r)
{
	struct fixture *f = (struct fixture *)ctx;
	f->n++;
	if (r->number > f->last_number)
		f->last_number = r->number;
	return 0;
}

static size_t count_all(struct fixture *f)
{
	f->n = f->last_number = 0;
	assert_int_equal(store_load(f->store, now, count_one, f, &f->counts), 0);
	return f->n;
}

enum { PAGE = 1024 };

static void damage_in_the_middle_is_found_and_the_rest_is_kept(void **state)
{
	struct fixture *f = *state;
	const struct duid own = { .len = 3, .bytes = { 1, 2, 3 } },
			  other = { .len = 1, .bytes = { 9 } };
	struct duid got;
	open_it(f);
	assert_int_equal(store_duid(f->store, &own, &got), 0);
	static const uint8_t secret[STORE_NOTE_LEN] = { 5, 6, 7 };
	uint8_t note[STORE_NOTE_LEN];
	store_note_put(f->store, STORE_RECONFIGURE_SECRET, secret);
	settle(f);
	close_it(f);
	commit_many(f, 2000);
	run_sql(f, "INSERT INTO elsewhere SELECT * FROM binding WHERE number<=3");
	off_t pages = size_of(f->db) / PAGE;
	assert_true(pages > 20);
	spoil(f, pages / 2 * PAGE, 4 * PAGE);
	open_it(f);
	assert_string_not_equal(f->found.moved_aside, "");
	assert_int_equal(size_of(f->found.moved_aside), pages * PAGE);
	assert_in_range(f->found.rescued, 1900, 1999);
	size_t kept = count_all(f);
	assert_int_equal(kept, f->found.rescued);
	assert_int_equal(f->last_number, 2003); /* those that were set aside are there, behind */
	assert_int_equal(store_duid(f->store, &other, &got), 0);
	assert_true(duid_equal(&got, &own));
	assert_int_equal(store_note_get(f->store, STORE_RECONFIGURE_SECRET, note), 0);
	assert_memory_equal(note, secret, sizeof note);
	assert_int_equal(store_note_get(f->store, STORE_CONFIG_DIGEST, note), -ENODATA);
	reopen(f);
	assert_string_equal(f->found.moved_aside, "");
	assert_int_equal(count_all(f), kept);
}

/* Nobody has looked at its pages: who loads it stumbles over what is wrong with them. */
static void what_is_taken_for_sound_is_not_checked_until_it_is_loaded(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	commit_many(f, 2000);
	assert_int_equal(store_open(f->dir, now.unix_ms, true, &f->store, &f->found), 0);
	assert_int_equal(count_all(f), 2000);
	close_it(f);
	spoil(f, size_of(f->db) / PAGE / 2 * PAGE, PAGE);
	assert_int_equal(store_open(f->dir, now.unix_ms, true, &f->store, &f->found), 0);
	assert_string_equal(f->found.moved_aside, "");
	f->n = 0;
	assert_int_equal(store_load(f->store, now, count_one, f, &f->counts), -EUCLEAN);
	assert_in_range(f->n, 1, 1999);
	close_it(f);
	open_it(f); /* and this looks */
	assert_string_not_equal(f->found.moved_aside, "");
	assert_in_range(f->found.rescued, f->n, 1999);
}

static void a_file_cut_short_is_found(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	commit_many(f, 8000);
	assert_int_equal(truncate(f->db, size_of(f->db) / 2 / PAGE * PAGE), 0);
	open_it(f);
	assert_string_not_equal(f->found.moved_aside, "");
	assert_true(count_all(f) == f->found.rescued && f->found.rescued > 100);
}

static void an_empty_file_is_a_new_one(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->db, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	open_it(f);
	assert_string_equal(f->found.moved_aside, "");
	assert_int_equal(count_all(f), 0);
}

static off_t size_of_database(const struct fixture *f)
{
	struct stat st;
	assert_int_equal(stat(f->db, &st), 0);
	return st.st_size;
}

static void a_long_log_is_moved_into_the_database_when_it_is_tidied(void **state)
{
	enum { ROWS = 60000, A_ROW_MIN = 64 };
	struct fixture *f = *state;
	struct binding_change c = change(1, false);
	open_it(f);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	off_t short_log = size_of_database(f);
	store_tidy(f->store, true); /* nothing: it is short */
	assert_int_equal(size_of_database(f), short_log);
	assert_int_equal(store_rewrite_begin(f->store), 0);
	for (uint32_t i = 1; i <= ROWS; i++) {
		c.record.number = i;
		assert_int_equal(store_rewrite_put(f->store, &c.record, now), 0);
	}
	assert_int_equal(store_rewrite_end(f->store, true), 0);
	assert_int_equal(size_of_database(f), short_log);
	store_tidy(f->store, false);
	assert_true(size_of_database(f) > (off_t)ROWS * A_ROW_MIN);
	close_it(f);
}

static void a_schema_that_is_not_ours_is_moved_aside(void **state)
{
	static const char *const damages[] = {
		"DROP TABLE meta",
		"DROP TABLE binding",
		"ALTER TABLE binding DROP COLUMN lladdr",
		"ALTER TABLE binding ADD COLUMN more TEXT",
		"ALTER TABLE meta RENAME COLUMN value TO worth",
		"CREATE TRIGGER t AFTER INSERT ON binding BEGIN DELETE FROM binding; END",
		"CREATE TABLE other(x)",
		"PRAGMA user_version=0",
		"PRAGMA user_version=-3",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		open_it(f);
		assert_string_equal(f->found.moved_aside, "");
		close_it(f);
		run_sql(f, damages[i]);
		open_it(f);
		if (!f->found.moved_aside[0])
			fail_msg("not noticed: %s", damages[i]);
		struct binding_change c = change(1, false);
		assert_int_equal(store_commit(f->store, &c, 1, now), 0);
		close_it(f);
	}
}

static void the_duid_survives_where_the_bindings_table_is_gone(void **state)
{
	struct fixture *f = *state;
	const struct duid own = { .len = 2, .bytes = { 4, 2 } }, other = { .len = 1 };
	struct duid got;
	open_it(f);
	assert_int_equal(store_duid(f->store, &own, &got), 0);
	settle(f);
	close_it(f);
	run_sql(f, "DROP TABLE binding");
	open_it(f);
	assert_string_not_equal(f->found.moved_aside, "");
	assert_int_equal(store_duid(f->store, &other, &got), 0);
	assert_true(duid_equal(&got, &own));
}

static void corrupt_files_do_not_pile_up(void **state)
{
	struct fixture *f = *state;
	char moved[STORE_PATH_MAX];
	open_it(f);
	for (uint64_t i = 0; i < 10; i++) {
		close_it(f);
		assert_int_equal(store_move_aside(f->dir, now.unix_ms + i / 2 * 1000, moved), 0);
		assert_int_equal(access(moved, F_OK), 0);
		open_it(f);
	}
	unsigned n = 0;
	DIR *d = opendir(f->dir);
	for (struct dirent *e; (e = readdir(d));)
		n += strstr(e->d_name, ".corrupt-") != NULL;
	closedir(d);
	assert_int_equal(n, STORE_ASIDE_MAX);
	close_it(f);
	assert_int_equal(unlink(f->db), 0);
	assert_int_equal(store_move_aside(f->dir, now.unix_ms, moved), 0);
	assert_string_equal(moved, "");
}

static void a_log_goes_aside_with_its_file(void **state)
{
	struct fixture *f = *state;
	char log[STORE_PATH_MAX + 8], moved[STORE_PATH_MAX];
	open_it(f);
	close_it(f);
	snprintf(log, sizeof log, "%s-wal", f->db);
	int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(store_move_aside(f->dir, now.unix_ms, moved), 0);
	assert_int_equal(access(log, F_OK), -1);
	snprintf(log, sizeof log, "%s-wal", moved);
	assert_int_equal(access(log, F_OK), 0);
}

/* --- places that cannot be written
 * ------------------------------------------------------------------------------------- */

/* As somebody whom permissions bind. */
static int open_unprivileged(struct fixture *f)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct store *s = NULL;
		struct store_found found;
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(255);
		_exit(-store_open(f->dir, now.unix_ms, false, &s, &found));
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void an_unwritable_directory_or_file_is_told_as_such(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(open_unprivileged(f), -EACCES);
	assert_int_equal(chmod(f->dir, 0700), 0);
	open_it(f);
	close_it(f);
	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(chmod(f->db, 0444), 0);
	assert_int_equal(open_unprivileged(f), -EACCES);
	assert_int_equal(access(f->db, F_OK), 0);
}

static void a_directory_that_cannot_be_is_told_as_such(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	close_it(f);
	struct store *s = NULL;
	struct store_found found;
	assert_int_equal(store_open(f->db, now.unix_ms, false, &s, &found), -ENOTDIR);
	assert_null(s);
}

static void a_symbolic_link_to_nothing_is_told_and_left_as_it_is(void **state)
{
	struct fixture *f = *state;
	char elsewhere[sizeof f->db + 8];
	struct stat st;
	snprintf(elsewhere, sizeof elsewhere, "%s/volume", f->dir);
	assert_int_equal(symlink("volume", f->db), 0);
	assert_int_equal(store_open(f->dir, now.unix_ms, false, &f->store, &f->found), -ENOLINK);
	assert_int_equal(lstat(f->db, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat(elsewhere, &st), -1);
	/* With something there it is used through the link, an empty file too. */
	int fd = open(elsewhere, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	open_it(f);
	const struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	reopen(f);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(lstat(f->db, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(elsewhere, &st), 0);
	assert_true(st.st_size > 0);
}

static void what_cannot_be_looked_at_is_not_taken_for_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	assert_int_equal(symlink("leases.db", f->db), 0); /* round and round */
	assert_int_equal(store_open(f->dir, now.unix_ms, false, &f->store, &f->found), -ELOOP);
	assert_int_equal(lstat(f->db, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void what_is_taken_away_shows(void **state)
{
	static const char *const ends[] = { "", "-wal" };
	struct fixture *f = *state;
	char name[sizeof f->db + 8], kept[sizeof f->db + 8];
	snprintf(kept, sizeof kept, "%s/kept", f->dir);
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "%s%s", f->db, ends[i]);
		open_it(f);
		const struct binding_change c = change(1, false);
		assert_int_equal(store_commit(f->store, &c, 1, now), 0);
		assert_false(store_moved(f->store));
		assert_int_equal(rename(name, kept), 0);
		assert_true(store_moved(f->store));
		/* Another one in its place is not it. */
		int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
		assert_true(store_moved(f->store));
		assert_int_equal(rename(kept, name), 0);
		assert_false(store_moved(f->store));
		close_it(f);
	}
}

static void a_link_that_is_taken_away_shows(void **state)
{
	struct fixture *f = *state;
	char elsewhere[sizeof f->db + 8];
	snprintf(elsewhere, sizeof elsewhere, "%s/volume", f->dir);
	int fd = open(elsewhere, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("volume", f->db), 0);
	open_it(f);
	assert_false(store_moved(f->store));
	assert_int_equal(unlink(f->db), 0);
	assert_true(store_moved(f->store));
}

/* --- schema
 * -------------------------------------------------------------------------------------------------
 */

/* Written out: what the program of that version wrote, whatever the one of today does. */
static const char version_1[] =
	"PRAGMA journal_mode=WAL;"
	"CREATE TABLE binding(kind INTEGER NOT NULL, prefix BLOB NOT NULL, plen INTEGER NOT NULL,"
	" state INTEGER NOT NULL, duid BLOB NOT NULL, iaid INTEGER NOT NULL,"
	" next_hop BLOB NOT NULL, lladdr BLOB NOT NULL, preferred_s INTEGER NOT NULL,"
	" valid_s INTEGER NOT NULL, granted_unix_ms INTEGER NOT NULL, until_unix_ms INTEGER,"
	" PRIMARY KEY(kind, prefix, plen)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;"
	"INSERT INTO meta VALUES('duid', x'0002aa');"
	"INSERT INTO binding(kind,prefix,plen,state,duid,iaid,next_hop,lladdr,preferred_s,valid_s,"
	"granted_unix_ms,until_unix_ms) VALUES(2,x'20010db8ffff01000000000000000000',56,1,"
	"x'00030001020000000001',7,x'fe800000000000000000000000000007',x'020000000001',1800,14400,"
	"1800000000000,1800014400000);";

static void a_file_of_version_1_is_read(void **state)
{
	struct fixture *f = *state;
	const struct duid fresh = { .len = 1 };
	struct duid got;
	run_sql(f, version_1);
	open_it(f);
	assert_string_equal(f->found.moved_aside, "");
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].iaid, 7);
	assert_int_equal(f->loaded[0].lladdr[5], 1);
	assert_true(f->loaded[0].valid_until_ms == now.mono_ms + 14400000);
	assert_int_equal(store_duid(f->store, &fresh, &got), 0);
	assert_int_equal(got.len, 3);
	assert_int_equal(got.bytes[2], 0xaa);
}

static void a_damaged_file_of_version_1_is_rescued(void **state)
{
	struct fixture *f = *state;
	run_sql(f, version_1);
	run_sql(f, "CREATE TABLE more(x); INSERT INTO more VALUES(zeroblob(20000))");
	open_it(f);
	assert_string_not_equal(f->found.moved_aside, "");
	assert_int_equal(f->found.rescued, 1);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->loaded[0].iaid, 7);
}

static const char *const future_sql[] = {
	"CREATE TABLE a(x INTEGER NOT NULL) STRICT",
	"ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y='old'",
	"CREATE INDEX i ON a(y)",
};
static const char *const broken_sql[] = {
	"CREATE TABLE a(x INTEGER NOT NULL) STRICT",
	"ALTER TABLE a ADD COLUMN y TEXT",
	"ALTER TABLE b ADD COLUMN y TEXT",
};

static sqlite3 *open_for_steps(struct fixture *f)
{
	sqlite3 *db = NULL;
	assert_int_equal(db_open(f->db, &db), 0);
	return db;
}

static void every_older_version_is_brought_up_to_date(void **state)
{
	struct fixture *f = *state;
	for (size_t from = 0; from <= 3; from++) {
		const struct db_steps old = { future_sql, from }, all = { future_sql, 3 };
		int64_t found = -1, value = 0;
		sqlite3 *db = open_for_steps(f);
		assert_int_equal(db_prepare(db, &old, false, &found), 0);
		assert_int_equal(found, 0);
		if (from)
			assert_int_equal(db_run(db, "INSERT INTO a(x) VALUES(42)"), 0);
		sqlite3_close(db);
		db = open_for_steps(f);
		assert_int_equal(db_prepare(db, &all, false, &found), 0);
		assert_int_equal(found, from);
		assert_int_equal(db_int(db, "PRAGMA user_version", &value), 0);
		assert_int_equal(value, 3);
		if (from) {
			assert_int_equal(db_int(db, "SELECT x FROM a", &value), 0);
			assert_int_equal(value, 42);
		}
		if (from == 1)
			assert_int_equal(db_int(db, "SELECT x FROM a WHERE y='old'", &value), 0);
		sqlite3_close(db);
		assert_int_equal(unlink(f->db), 0);
	}
}

static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
	struct fixture *f = *state;
	const struct db_steps old = { broken_sql, 1 }, all = { broken_sql, 3 };
	int64_t value = 0;
	sqlite3 *db = open_for_steps(f);
	assert_int_equal(db_prepare(db, &old, false, &value), 0);
	assert_int_equal(db_run(db, "INSERT INTO a(x) VALUES(42)"), 0);
	assert_int_equal(db_prepare(db, &all, false, &value), -EUCLEAN);
	sqlite3_close(db);
	db = open_for_steps(f);
	assert_int_equal(db_prepare(db, &old, false, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(db_int(db, "SELECT count(*) FROM pragma_table_info('a')", &value), 0);
	assert_int_equal(value, 1);
	sqlite3_close(db);
}

static uint64_t sum_of(const char *path)
{
	uint64_t sum = 5381;
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	for (int c; (c = fgetc(file)) != EOF;)
		sum = sum * 33 + (uint64_t)c;
	(void)fclose(file);
	return sum;
}

static void a_later_versions_file_is_left_alone(void **state)
{
	struct fixture *f = *state;
	run_sql(f, "CREATE TABLE future(x); PRAGMA user_version=99");
	uint64_t before = sum_of(f->db);
	assert_int_equal(store_open(f->dir, now.unix_ms, false, &f->store, &f->found), -ENOTSUP);
	assert_string_equal(f->found.moved_aside, "");
	assert_null(f->store);
	assert_true(sum_of(f->db) == before);
}

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_is_committed_is_there_after_a_restart),
		STORE_TEST(notes_outlive_a_restart),
		STORE_TEST(what_is_owed_comes_onto_the_disk_with_the_next_commit),
		STORE_TEST(what_a_killed_first_start_left_is_no_hindrance),
		STORE_TEST(what_was_rescued_survives_a_kill_before_it_is_in_its_place),
		STORE_TEST(what_was_rescued_is_rescued_again_where_it_was_damaged),
		STORE_TEST(what_was_rescued_is_nothing_to_go_by_beside_a_sound_one),
		STORE_TEST(a_later_change_replaces_and_an_erased_one_is_gone),
		STORE_TEST(lifetimes_go_on_over_a_reboot),
		STORE_TEST(a_wall_clock_that_went_back_makes_nothing_immortal),
		STORE_TEST(a_corrupt_file_is_moved_aside_and_kept),
		STORE_TEST(a_later_versions_file_is_left_alone),
		STORE_TEST(the_duid_is_made_once),
		STORE_TEST(a_rewrite_is_all_or_nothing),
		STORE_TEST(a_second_process_is_refused),
		STORE_TEST(rows_that_cannot_be_are_passed_over_and_counted),
		STORE_TEST(what_is_far_in_the_future_is_drawn_into_the_present),
		STORE_TEST(what_is_far_in_the_past_is_over),
		STORE_TEST(a_declined_address_is_set_aside_for_no_longer_than_it_was),
		STORE_TEST(freed_ones_keep_their_order_over_reboots_and_rewrites),
		STORE_TEST(one_freed_later_comes_after_those_freed_by_a_clock_that_was_ahead),
		STORE_TEST(freed_ones_come_after_those_that_are_held),
		STORE_TEST(damage_in_the_middle_is_found_and_the_rest_is_kept),
		STORE_TEST(what_is_taken_for_sound_is_not_checked_until_it_is_loaded),
		STORE_TEST(a_file_cut_short_is_found),
		STORE_TEST(an_empty_file_is_a_new_one),
		STORE_TEST(a_schema_that_is_not_ours_is_moved_aside),
		STORE_TEST(the_duid_survives_where_the_bindings_table_is_gone),
		STORE_TEST(corrupt_files_do_not_pile_up),
		STORE_TEST(a_log_goes_aside_with_its_file),
		STORE_TEST(an_unwritable_directory_or_file_is_told_as_such),
		STORE_TEST(a_directory_that_cannot_be_is_told_as_such),
		STORE_TEST(a_symbolic_link_to_nothing_is_told_and_left_as_it_is),
		STORE_TEST(what_cannot_be_looked_at_is_not_taken_for_nothing),
		STORE_TEST(what_is_taken_away_shows),
		STORE_TEST(a_link_that_is_taken_away_shows),
		STORE_TEST(a_file_of_version_1_is_read),
		STORE_TEST(a_damaged_file_of_version_1_is_rescued),
		STORE_TEST(every_older_version_is_brought_up_to_date),
		STORE_TEST(a_long_log_is_moved_into_the_database_when_it_is_tidied),
		STORE_TEST(a_step_that_fails_leaves_the_file_as_it_was),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
