/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "daemon/undo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int order[8];
static size_t n_order;

struct step {
	int id;
	int result;
	int then; /* its result at a second call */
};

static int record(void *arg)
{
	struct step *s = (struct step *)arg;
	int result = s->result;
	order[n_order++] = s->id;
	s->result = s->then;
	return result;
}

static int setup(void **state)
{
	(void)state;
	n_order = 0;
	return 0;
}

static void runs_newest_first(void **state)
{
	(void)state;
	struct step a = { 1, 0, 0 }, b = { 2, 0, 0 }, c = { 3, 0, 0 };
	struct undo u = { 0 };
	undo_push(&u, "a", record, &a);
	undo_push(&u, "b", record, &b);
	undo_push(&u, "c", record, &c);
	assert_int_equal(undo_run(&u), 0);
	assert_int_equal(n_order, 3);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 1);
}

static void goes_on_after_a_failure_and_counts_it(void **state)
{
	(void)state;
	struct step a = { 1, 0, 0 }, b = { 2, -EIO, -EIO }, c = { 3, 0, 0 };
	struct undo u = { 0 };
	undo_push(&u, "a", record, &a);
	undo_push(&u, "b", record, &b);
	undo_push(&u, "c", record, &c);
	assert_int_equal(undo_run(&u), 1);
	assert_int_equal(n_order, 4);
}

static void what_fails_once_is_done_by_a_second_attempt_in_its_turn(void **state)
{
	(void)state;
	struct step a = { 1, 0, 0 }, b = { 2, -ENOBUFS, 0 }, c = { 3, -EMFILE, -ENODEV };
	static const int expected[] = { 3, 3, 2, 2, 1 };
	struct undo u = { 0 };
	undo_push(&u, "a", record, &a);
	undo_push(&u, "b", record, &b);
	undo_push(&u, "c", record, &c);
	assert_int_equal(undo_run(&u), 0);
	assert_int_equal(n_order, 5);
	assert_memory_equal(order, expected, sizeof expected);
}

static void already_gone_is_done(void **state)
{
	(void)state;
	struct step gone[] = { { 1, -ENODEV, 0 },
			       { 2, -ENOENT, 0 },
			       { 3, -ESRCH, 0 },
			       { 4, -EADDRNOTAVAIL, 0 },
			       { 5, -ENXIO, 0 } };
	struct undo u = { 0 };
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
		undo_push(&u, "gone", record, &gone[i]);
	assert_int_equal(undo_run(&u), 0);
	assert_int_equal(n_order, 5);
}

static void runs_each_step_once(void **state)
{
	(void)state;
	struct step a = { 1, 0, 0 };
	struct undo u = { 0 };
	undo_push(&u, "a", record, &a);
	undo_run(&u);
	undo_run(&u);
	assert_int_equal(n_order, 1);
}

static void a_forgotten_step_does_not_run(void **state)
{
	(void)state;
	struct step a = { 1, 0, 0 }, b = { 2, 0, 0 }, c = { 3, 0, 0 };
	struct undo u = { 0 };
	undo_push(&u, "a", record, &a);
	undo_push(&u, "b", record, &b);
	undo_push(&u, "c", record, &c);
	assert_true(undo_forget(&u, record, &b));
	assert_false(undo_forget(&u, record, &b));
	undo_run(&u);
	assert_int_equal(n_order, 2);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(runs_newest_first, setup),
		cmocka_unit_test_setup(goes_on_after_a_failure_and_counts_it, setup),
		cmocka_unit_test_setup(what_fails_once_is_done_by_a_second_attempt_in_its_turn,
				       setup),
		cmocka_unit_test_setup(already_gone_is_done, setup),
		cmocka_unit_test_setup(runs_each_step_once, setup),
		cmocka_unit_test_setup(a_forgotten_step_does_not_run, setup),
	};
	log_setup(LOG_ERROR, LOG_TEXT, NULL);
	return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
