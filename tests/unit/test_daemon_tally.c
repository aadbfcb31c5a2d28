/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "daemon/tally.h"

#include <assert.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every counter and everything else is its own place's number times this. */
static struct tally numbered(uint64_t times)
{
	struct tally t;
	uint64_t *all = (uint64_t *)&t;
	static_assert(sizeof t % sizeof *all == 0, "it is numbers alone");
	for (size_t i = 0; i < sizeof t / sizeof *all; i++)
		all[i] = (i + 1) * times;
	return t;
}

static void is_of_now(uint64_t *sum, const uint64_t *now)
{
	assert_int_equal(*sum, *now);
	*sum = 0;
}

static void counters_add_up_and_the_rest_is_as_it_is_now(void **state)
{
	(void)state;
	const struct tally before = numbered(1000), now = numbered(1);
	struct tally sum = tally_sum(&before, &now);
	struct dhcp6_pool_stats *const pools[] = { &sum.dhcp6.pd, &sum.dhcp6.na };
	const struct dhcp6_pool_stats *const pools_now[] = { &now.dhcp6.pd, &now.dhcp6.na };
	for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
		is_of_now(&pools[i]->capacity, &pools_now[i]->capacity);
		is_of_now(&pools[i]->used, &pools_now[i]->used);
		is_of_now(&pools[i]->bound, &pools_now[i]->bound);
		is_of_now(&pools[i]->freed, &pools_now[i]->freed);
		is_of_now(&pools[i]->declined, &pools_now[i]->declined);
	}
	is_of_now(&sum.dhcp6.recall.waiting, &now.dhcp6.recall.waiting);
	/* Who was the latest is no number. */
	uint8_t *latest = (uint8_t *)&sum.dhcp6.over_station_limit.src;
	const size_t len = sizeof sum.dhcp6.over_station_limit - sizeof(uint64_t);
	assert_memory_equal(latest, &now.dhcp6.over_station_limit.src, len);
	memset(latest, 0, len);
	const uint64_t *all = (const uint64_t *)&sum;
	for (size_t i = 0; i < sizeof sum / sizeof *all; i++)
		if (all[i])
			assert_int_equal(all[i], (i + 1) * 1001);
}

static void what_one_process_counted_the_next_goes_on_with(void **state)
{
	(void)state;
	struct tally *t;
	assert_int_equal(tally_new(&t), 0);
	assert_int_equal(t->rejected, 0);
	for (int servers = 0; servers < 3; servers++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			const struct tally before = *t;
			const struct tally now = { .rejected = 5, .dhcp6.pd.bound = 7 };
			*t = tally_sum(&before, &now);
			*t = tally_sum(&before, &now); /* which it does again and again */
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(t->rejected, 15);
	assert_int_equal(t->dhcp6.pd.bound, 7);
	tally_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_up_and_the_rest_is_as_it_is_now),
		cmocka_unit_test(what_one_process_counted_the_next_goes_on_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
