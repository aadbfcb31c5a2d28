/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/census.h"

static struct census census;

static int setup(void **state)
{
	(void)state;
	return census_init(&census);
}

static int teardown(void **state)
{
	(void)state;
	census_done(&census);
	return 0;
}

static void each_binding_counts_for_the_last_it_was_given_to(void **state)
{
	(void)state;
	census_set(&census, 0, 7);
	census_set(&census, 5000, 7);
	census_set(&census, 5000, 7);
	assert_int_equal(census_count(&census, 7), 2);
	census_set(&census, 5000, 8);
	assert_int_equal(census_count(&census, 7), 1);
	assert_int_equal(census_count(&census, 8), 1);
	census_set(&census, 0, 0);
	census_set(&census, 1U << 31, 0); /* never was anybody's */
	assert_int_equal(census_count(&census, 7), 0);
	assert_int_equal(census.n, 1);
}

static void a_hundred_thousand_stations_are_told_apart(void **state)
{
	(void)state;
	static const uint8_t key[16] = "a key for tests";
	const uint32_t n = 100000;
	for (uint32_t i = 0; i < 3 * n; i++) {
		const uint32_t who = i % n;
		census_set(&census, i, census_station(key, &who, sizeof who));
	}
	uint64_t all = 0;
	for (uint32_t who = 0; who < n; who++) {
		unsigned k = census_count(&census, census_station(key, &who, sizeof who));
		assert_in_range(k, 3, 3 * 16);
		all += k;
	}
	assert_true(all < 3 * 3 * (uint64_t)n); /* of what it is not alone with, on the average */
	for (uint32_t i = 0; i < 3 * n; i++)
		census_set(&census, i, 0);
	assert_int_equal(census.n, 0);
	for (uint32_t i = 0; i <= census.mask; i++)
		assert_int_equal(census.counts[i], 0);
}

static void one_that_was_never_begun_counts_nothing(void **state)
{
	(void)state;
	struct census none = { 0 };
	census_set(&none, 1, 7);
	assert_int_equal(census_count(&none, 7), 0);
	census_done(&none);
}

static void a_station_is_never_nobody(void **state)
{
	(void)state;
	static const uint8_t key[16] = { 0 };
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_not_equal(census_station(key, &i, sizeof i), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(each_binding_counts_for_the_last_it_was_given_to),
		T(a_hundred_thousand_stations_are_told_apart),
		T(one_that_was_never_begun_counts_nothing),
		T(a_station_is_never_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
