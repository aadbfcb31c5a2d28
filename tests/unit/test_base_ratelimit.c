/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/ratelimit.h"

static void starts_full_and_refuses_beyond_the_burst(void **state)
{
	(void)state;
	struct ratelimit rl = { .per_s = 2, .burst = 3 };
	uint64_t suppressed = 99;
	for (int i = 0; i < 3; i++)
		assert_true(ratelimit_allow(&rl, 1000, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(ratelimit_allow(&rl, 1000, &suppressed));
	assert_false(ratelimit_allow(&rl, 1499, NULL));
	assert_true(ratelimit_allow(&rl, 1500, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(ratelimit_allow(&rl, 1501, &suppressed));
}

static void never_holds_more_than_the_burst(void **state)
{
	(void)state;
	struct ratelimit rl = { .per_s = 1000, .burst = 2 };
	assert_true(ratelimit_allow(&rl, UINT64_MAX / 2, NULL));
	assert_true(ratelimit_allow(&rl, UINT64_MAX, NULL));
	assert_true(ratelimit_allow(&rl, UINT64_MAX, NULL));
	assert_false(ratelimit_allow(&rl, UINT64_MAX, NULL));
}

static void keeps_fractions_of_a_token(void **state)
{
	(void)state;
	struct ratelimit rl = { .per_s = 3, .burst = 1 };
	unsigned granted = 0;
	for (uint64_t ms = 0; ms < 10000; ms++)
		granted += ratelimit_allow(&rl, ms, NULL);
	assert_int_equal(granted, 30); /* at 0, 334, 667 or so, 1000, … */
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	(void)state;
	struct ratelimit rl = { .per_s = 1, .burst = 1 };
	assert_true(ratelimit_allow(&rl, 5000, NULL));
	assert_false(ratelimit_allow(&rl, 4000, NULL));
	assert_false(ratelimit_allow(&rl, 5999, NULL));
	assert_true(ratelimit_allow(&rl, 6000, NULL));
}

static void no_burst_means_never_and_no_rate_means_the_burst_alone(void **state)
{
	(void)state;
	struct ratelimit never = { .per_s = 5, .burst = 0 };
	assert_false(ratelimit_allow(&never, 100000, NULL));
	struct ratelimit once = { .per_s = 0, .burst = 1 };
	assert_true(ratelimit_allow(&once, 0, NULL));
	assert_false(ratelimit_allow(&once, 1000000, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_full_and_refuses_beyond_the_burst),
		cmocka_unit_test(never_holds_more_than_the_burst),
		cmocka_unit_test(keeps_fractions_of_a_token),
		cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
		cmocka_unit_test(no_burst_means_never_and_no_rate_means_the_burst_alone),
	};
	return cmocka_run_group_tests_name("ratelimit", tests, NULL, NULL);
}
