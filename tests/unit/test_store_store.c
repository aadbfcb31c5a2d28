/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_LOADED = 16 };
static const struct store_now now = { .mono_ms = 5000000, .unix_ms = UINT64_C(1800000000000) };

struct fixture {
	char dir[64];
	char db[96];
	char moved[STORE_PATH_MAX];
	struct store *store;
	size_t n, bad;
	struct binding_record loaded[MAX_LOADED];
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
	assert_int_equal(store_open(f->dir, now.unix_ms, &f->store, f->moved), 0);
}

static int collect(void *ctx, const struct binding_record *r)
{
	struct fixture *f = ctx;
	assert_true(f->n < MAX_LOADED);
	f->loaded[f->n++] = *r;
	return 0;
}

static void load_at(struct fixture *f, struct store_now at)
{
	f->n = 0;
	assert_int_equal(store_load(f->store, at, collect, f, &f->bad), 0);
}

static struct binding_change change(uint8_t number, bool erase)
{
	struct binding_change c = {
		.erase = erase,
		.record = { .kind = BINDING_PD,
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
	changes[2].record.state = BINDING_FREED;
	assert_int_equal(store_commit(f->store, changes, 3, now), 0);
	store_close(f->store);
	open_it(f);
	load_at(f, now);
	assert_int_equal(f->n, 3);
	assert_int_equal(f->bad, 0);
	for (size_t i = 0; i < 3; i++) {
		const struct binding_record *a = &f->loaded[i], *b = &changes[i].record;
		assert_memory_equal(&a->prefix, &b->prefix, sizeof a->prefix);
		assert_memory_equal(a->duid.bytes, b->duid.bytes, b->duid.len);
		assert_int_equal(a->duid.len, b->duid.len);
		assert_int_equal(a->iaid, b->iaid);
		assert_int_equal(a->state, b->state);
		assert_memory_equal(&a->next_hop, &b->next_hop, sizeof a->next_hop);
		assert_memory_equal(a->lladdr, b->lladdr, 6);
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
	assert_non_null(strstr(f->moved, "leases.db.corrupt-1800000000"));
	assert_int_equal(access(f->moved, F_OK), 0);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	load_at(f, now);
	assert_int_equal(f->n, 1);
}

static void a_later_versions_file_is_left_alone(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE future(x); PRAGMA user_version=99", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(f->dir, now.unix_ms, &f->store, f->moved), -ENOTSUP);
	assert_string_equal(f->moved, "");
	assert_null(f->store);
}

static void the_duid_is_made_once(void **state)
{
	struct fixture *f = *state;
	const struct duid fresh = { .len = 3, .bytes = { 1, 2, 3 } },
			  other = { .len = 2, .bytes = { 9, 9 } };
	struct duid got;
	open_it(f);
	assert_int_equal(store_duid(f->store, &fresh, &got), 0);
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
	assert_int_equal(store_open(f->dir, now.unix_ms, &second, f->moved), -EBUSY);
	assert_null(second);
}

static void records_that_cannot_be_are_passed_over(void **state)
{
	struct fixture *f = *state;
	open_it(f);
	struct binding_change c = change(1, false);
	assert_int_equal(store_commit(f->store, &c, 1, now), 0);
	store_close(f->store);
	f->store = NULL;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			     "INSERT INTO binding VALUES(2,x'00',56,1,x'01',1,x'00',x'',1,1,0,0)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	open_it(f);
	load_at(f, now);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->bad, 1);
}

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_is_committed_is_there_after_a_restart),
		STORE_TEST(a_later_change_replaces_and_an_erased_one_is_gone),
		STORE_TEST(lifetimes_go_on_over_a_reboot),
		STORE_TEST(a_wall_clock_that_went_back_makes_nothing_immortal),
		STORE_TEST(a_corrupt_file_is_moved_aside_and_kept),
		STORE_TEST(a_later_versions_file_is_left_alone),
		STORE_TEST(the_duid_is_made_once),
		STORE_TEST(a_rewrite_is_all_or_nothing),
		STORE_TEST(a_second_process_is_refused),
		STORE_TEST(records_that_cannot_be_are_passed_over),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
