/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RFC 9915 §18.3.11, with the constants of §7.6: 2 s, doubled, 8 times. */
#include "unit.h"

#include "engine/recall.h"

#include <errno.h>

static struct recall recall;
static const uint8_t key[16] = { 3 };

static int setup(void **state)
{
	(void)state;
	return recall_init(&recall, key);
}

static int teardown(void **state)
{
	(void)state;
	recall_done(&recall);
	return 0;
}

static struct binding_record client(uint32_t n)
{
	struct binding_record r = { .kind = BINDING_PD, .state = BINDING_BOUND };
	r.duid.len = 6;
	memcpy(r.duid.bytes + 2, &n, sizeof n);
	r.details = (const uint8_t *)"details";
	r.details_len = 7;
	r.next_hop.s6_addr[15] = (uint8_t)n;
	return r;
}

static void add(uint32_t n, uint64_t now_ms)
{
	const struct binding_record r = client(n);
	assert_int_equal(recall_add(&recall, &r, now_ms), 0);
}

static void one_that_stays_silent_is_told_eight_times_and_given_up(void **state)
{
	(void)state;
	add(1, 1000);
	uint64_t now = 1000;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(recall_deadline(&recall), now);
		const struct recall_client *c = recall_next(&recall, now);
		assert_non_null(c);
		assert_int_equal(c->duid_len, 6);
		assert_int_equal(c->bytes[2], 1);
		assert_int_equal(c->next_hop.s6_addr[15], 1);
		assert_memory_equal(c->bytes + 6, "details", 7);
		assert_null(recall_next(&recall, now));
		now += UINT64_C(2000) << i;
		assert_null(recall_next(&recall, now - 1));
	}
	assert_int_equal(recall.n, 1);
	assert_int_equal(recall_deadline(&recall), now);
	assert_null(recall_next(&recall, now));
	assert_int_equal(recall.n, 0);
	assert_int_equal(recall.given_up, 1);
	assert_int_equal(recall_deadline(&recall), UINT64_MAX);
}

static void one_that_comes_is_told_no_more(void **state)
{
	(void)state;
	const struct binding_record r = client(1), other = client(2);
	add(1, 0);
	assert_non_null(recall_next(&recall, 0));
	assert_false(recall_heard(&recall, other.duid.bytes, other.duid.len));
	assert_true(recall_heard(&recall, r.duid.bytes, r.duid.len));
	assert_false(recall_heard(&recall, r.duid.bytes, r.duid.len));
	assert_null(recall_next(&recall, 1000000));
	assert_int_equal(recall.given_up, 0);
}

static void a_client_with_several_bindings_is_told_once(void **state)
{
	(void)state;
	add(1, 0);
	add(1, 0);
	assert_int_equal(recall.n, 1);
	assert_non_null(recall_next(&recall, 0));
	assert_null(recall_next(&recall, 0));
}

static void many_are_told_one_after_the_other(void **state)
{
	(void)state;
	enum { N = 3000 };
	unsigned told = 0;
	for (uint32_t i = 0; i < N; i++)
		add(i, 0);
	assert_int_equal(recall.n, N);
	for (uint64_t now = 0; now < 1000; now += 5)
		while (recall_next(&recall, now))
			told++;
	assert_int_equal(told, RECALL_PER_S);
	for (uint32_t i = 0; i < N; i++) {
		const struct binding_record r = client(i);
		assert_true(recall_heard(&recall, r.duid.bytes, r.duid.len));
	}
	assert_int_equal(recall.n, 0);
	assert_int_equal(recall_deadline(&recall), UINT64_MAX);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_that_stays_silent_is_told_eight_times_and_given_up),
		T(one_that_comes_is_told_no_more),
		T(a_client_with_several_bindings_is_told_once),
		T(many_are_told_one_after_the_other),
	};
	return cmocka_run_group_tests_name("engine_recall", tests, NULL, NULL);
}
