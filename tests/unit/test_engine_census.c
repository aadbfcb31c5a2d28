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
	uint32_t alone = 0;
	for (uint32_t who = 0; who < n; who++) {
		unsigned k = census_count(&census, census_station(key, &who, sizeof who));
		assert_in_range(k, 3, 3 * 2);
		alone += k == 3;
	}
	assert_in_range(alone, n - 20, n); /* of 32 bits that are the same there is a pair or two */
	for (uint32_t who = n; who < 2 * n; who++)
		if (census_count(&census, census_station(key, &who, sizeof who)))
			alone--;
	assert_in_range(alone, n - 40, n);
	for (uint32_t i = 0; i < 3 * n; i++)
		census_set(&census, i, 0);
	assert_int_equal(census.n, 0);
	assert_int_equal(census.n_stations, 0);
	for (uint32_t i = 0; i <= census.mask; i++)
		assert_int_equal(census.cells[i].station, 0);
}

/* Places are the lowest bits: all of these want the same one, or its neighbours. */
static void those_whose_place_is_taken_are_found_when_others_go(void **state)
{
	(void)state;
	enum { STATIONS = 300, ROUNDS = 20000 };
	static unsigned held[STATIONS];
	uint32_t of[ROUNDS / 10] = { 0 }, random = 1;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		random = random * 1664525 + 1013904223;
		const uint32_t number = (random >> 8) % (ROUNDS / 10);
		const uint32_t who = (random >> 20) % (STATIONS + 1); /* the last: nobody */
		if (of[number])
			held[of[number] - 1]--;
		of[number] = who == STATIONS ? 0 : who + 1;
		if (of[number])
			held[who]++;
		census_set(&census, number, of[number] ? 0xffe + who % 5 + (who << 16) : 0);
	}
	uint32_t stations = 0;
	for (uint32_t who = 0; who < STATIONS; who++) {
		assert_int_equal(census_count(&census, 0xffe + who % 5 + (who << 16)), held[who]);
		stations += held[who] > 0;
	}
	assert_int_equal(census.n_stations, stations);
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
		T(those_whose_place_is_taken_are_found_when_others_go),
		T(one_that_was_never_begun_counts_nothing),
		T(a_station_is_never_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
