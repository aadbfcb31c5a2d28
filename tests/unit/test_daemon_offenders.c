/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/offenders.h"

static struct offender from(uint8_t station, uint32_t source)
{
	struct offender o = { .lladdr = { 2, 0, 0x5e, 0, 0, station },
			      .src = unit_in6("2001:db8:bad::"),
			      .dst = unit_in6("2001:db8::1") };
	memcpy(&o.src.s6_addr[12], &source, sizeof source);
	return o;
}

static bool note(struct offenders *o, uint8_t station, uint32_t source, uint64_t now_ms)
{
	const struct offender seen = from(station, source);
	return offenders_note(o, &seen, now_ms);
}

static bool known(const struct offenders *o, uint8_t station, uint32_t source)
{
	const struct offender wanted = from(station, source);
	for (size_t i = 0; i < o->n; i++)
		if (memcmp(o->slots[i].lladdr, wanted.lladdr, sizeof wanted.lladdr) == 0 &&
		    memcmp(&o->slots[i].src, &wanted.src, sizeof wanted.src) == 0)
			return true;
	return false;
}

static void the_same_again_is_counted_where_it_stands(void **state)
{
	(void)state;
	struct offenders o = { 0 };
	struct offender seen = from(1, 1);
	assert_true(offenders_note(&o, &seen, 1000));
	seen.dst = unit_in6("2001:db8::2");
	seen.taken = true;
	assert_false(offenders_note(&o, &seen, 3000));
	assert_int_equal(o.n, 1);
	assert_int_equal(o.slots[0].n, 2);
	assert_int_equal(o.slots[0].first_ms, 1000);
	assert_int_equal(o.slots[0].last_ms, 3000);
	assert_true(o.slots[0].taken);
	assert_memory_equal(&o.slots[0].dst, &seen.dst, sizeof seen.dst);
}

static void one_station_pushes_out_its_own_alone(void **state)
{
	(void)state;
	struct offenders o = { 0 };
	assert_true(note(&o, 7, 0, 1));
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(note(&o, 1, i, 2 + i));
	assert_int_equal(o.n, 1 + OFFENDERS_PER_STATION);
	assert_true(known(&o, 7, 0));
	for (uint32_t i = 1000 - OFFENDERS_PER_STATION; i < 1000; i++)
		assert_true(known(&o, 1, i));
}

static void of_many_stations_those_that_were_quiet_longest_go(void **state)
{
	(void)state;
	struct offenders o = { 0 };
	for (uint8_t i = 0; i < OFFENDERS_MAX; i++)
		assert_true(note(&o, i, 1, 100U + i));
	assert_false(note(&o, 0, 1, 1000)); /* heard again */
	assert_true(note(&o, 200, 1, 1001));
	assert_int_equal(o.n, OFFENDERS_MAX);
	assert_true(known(&o, 0, 1));
	assert_false(known(&o, 1, 1));
	assert_true(known(&o, 2, 1));
	assert_true(known(&o, 200, 1));
}

static void they_are_listed_the_latest_first(void **state)
{
	(void)state;
	struct offenders o = { 0 };
	size_t order[OFFENDERS_MAX];
	offenders_by_time(&o, order); /* none */
	const uint64_t at[] = { 50, 90, 10, 70 };
	for (uint8_t i = 0; i < 4; i++)
		assert_true(note(&o, i, 1, at[i]));
	offenders_by_time(&o, order);
	const size_t expected[] = { 1, 3, 0, 2 };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(order[i], expected[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_again_is_counted_where_it_stands),
		cmocka_unit_test(one_station_pushes_out_its_own_alone),
		cmocka_unit_test(of_many_stations_those_that_were_quiet_longest_go),
		cmocka_unit_test(they_are_listed_the_latest_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
