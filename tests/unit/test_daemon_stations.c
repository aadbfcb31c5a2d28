/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/stations.h"

#include <errno.h>
#include <stdlib.h>

static struct stations table;

static int setup(void **state)
{
	(void)state;
	static const uint8_t key[16] = { 7 };
	return stations_init(&table, key);
}

static int teardown(void **state)
{
	(void)state;
	stations_done(&table);
	return 0;
}

static const uint8_t first[] = { 2, 0, 0, 0, 0, 1 }, second[] = { 2, 0, 0, 0, 0, 2 };

static struct in6_addr nth(uint32_t i)
{
	struct in6_addr a = { .s6_addr = { 0xfe, 0x80 } };
	memcpy(&a.s6_addr[12], &i, sizeof i);
	a.s6_addr[8] = 1;
	return a;
}

static struct station *hold(uint32_t i, const char *lladdr)
{
	const struct in6_addr a = nth(i);
	struct station *s = NULL;
	assert_int_equal(stations_hold(&table, &a, (const uint8_t *)lladdr, &s), 0);
	assert_memory_equal(&s->addr, &a, sizeof a);
	return s;
}

static void one_stays_as_long_as_somebody_holds_it(void **state)
{
	(void)state;
	const struct in6_addr a = nth(1);
	struct station gone;
	(void)hold(1, "\2\0\0\0\0\1");
	(void)hold(1, NULL);
	assert_int_equal(table.n, 1);
	assert_false(stations_release(&table, &a, NULL, &gone));
	assert_true(stations_release(&table, &a, first, &gone));
	assert_true(gone.known);
	assert_memory_equal(gone.lladdr, "\2\0\0\0\0\1", 6);
	assert_null(stations_find(&table, &a));
	assert_false(stations_release(&table, &a, first, &gone));
	assert_int_equal(table.n, 0);
}

static void what_the_kernel_has_is_old_once_the_link_layer_address_changes(void **state)
{
	(void)state;
	const struct in6_addr a = nth(1), other = nth(2);
	struct station *s = hold(1, NULL);
	assert_false(s->known);
	s = stations_update(&table, &a, NULL, first);
	assert_true(s->known);
	s->entered = true;
	assert_true(hold(1, "\2\0\0\0\0\1")->entered);
	assert_true(hold(1, NULL)->entered);
	/* Both that told the first tell another now. */
	assert_true(stations_update(&table, &a, first, second)->entered);
	s = stations_update(&table, &a, first, second);
	assert_false(s->entered);
	assert_memory_equal(s->lladdr, second, 6);
	assert_null(stations_update(&table, &other, first, second));
}

static void who_came_first_is_believed(void **state)
{
	(void)state;
	const struct in6_addr a = nth(1);
	struct station *s = hold(1, "\2\0\0\0\0\1");
	s->entered = true;
	/* Neither when a thief comes nor when it comes again. */
	s = hold(1, "\2\0\0\0\0\2");
	assert_memory_equal(s->lladdr, first, 6);
	s = stations_update(&table, &a, second, second);
	assert_memory_equal(s->lladdr, first, 6);
	s = stations_update(&table, &a, second, (const uint8_t *)"\2\0\0\0\0\3");
	assert_memory_equal(s->lladdr, first, 6);
	assert_true(s->known && s->entered);
}

static void another_is_believed_once_nobody_says_otherwise(void **state)
{
	(void)state;
	const struct in6_addr a = nth(1);
	struct station gone;
	(void)hold(1, "\2\0\0\0\0\1");
	(void)hold(1, "\2\0\0\0\0\1");
	(void)hold(1, "\2\0\0\0\0\2");
	assert_false(stations_release(&table, &a, first, &gone));
	struct station *s = stations_update(&table, &a, second, second);
	assert_memory_equal(s->lladdr, first, 6);
	s->entered = true;
	assert_false(stations_release(&table, &a, first, &gone));
	s = stations_find(&table, &a);
	assert_false(s->known);
	assert_true(s->entered);
	s = stations_update(&table, &a, second, second);
	assert_true(s->known);
	assert_false(s->entered);
	assert_memory_equal(s->lladdr, second, 6);
}

static void the_unspecified_address_is_nobodys(void **state)
{
	(void)state;
	struct station *s;
	assert_int_equal(stations_hold(&table, &in6addr_any, NULL, &s), -EINVAL);
	assert_null(stations_find(&table, &in6addr_any));
}

static void thousands_come_and_go(void **state)
{
	(void)state;
	enum { N = 20000 };
	struct station gone;
	for (uint32_t i = 0; i < N; i++)
		(void)hold(i, NULL);
	for (uint32_t i = 0; i < N; i += 2) {
		const struct in6_addr a = nth(i);
		assert_true(stations_release(&table, &a, NULL, &gone));
	}
	assert_int_equal(table.n, N / 2);
	size_t seen = 0;
	for (struct station *s = NULL; (s = stations_next(&table, s));)
		seen++;
	assert_int_equal(seen, N / 2);
	for (uint32_t i = 0; i < N; i++) {
		const struct in6_addr a = nth(i);
		assert_int_equal(stations_find(&table, &a) != NULL, i % 2);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_stays_as_long_as_somebody_holds_it),
		T(what_the_kernel_has_is_old_once_the_link_layer_address_changes),
		T(who_came_first_is_believed),
		T(another_is_believed_once_nobody_says_otherwise),
		T(the_unspecified_address_is_nobodys),
		T(thousands_come_and_go),
	};
	return cmocka_run_group_tests_name("daemon_stations", tests, NULL, NULL);
}
