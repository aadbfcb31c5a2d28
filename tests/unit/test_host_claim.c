/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "host/claim.h"

#include <string.h>

struct seen {
	size_t n;
	char texts[8][CLAIM_TEXT_MAX];
};

static void on_claim(void *ctx, const char *text)
{
	struct seen *s = (struct seen *)ctx;
	assert_in_range(s->n, 0, 7);
	(void)snprintf(s->texts[s->n++], CLAIM_TEXT_MAX, "%s", text);
}

static struct seen list(int ns, const char *begin)
{
	struct seen s = { 0 };
	assert_int_equal(claim_list(ns, begin, on_claim, &s), 0);
	return s;
}

static void a_claim_is_seen_where_it_is_held_and_gone_with_its_descriptor(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static const char texts[2][CLAIM_TEXT_MAX] = { "unit/one", "unit/two" };
	int fds[2];
	assert_int_equal(claim_hold(sandbox.host_ns, texts, 2, fds), 0);
	assert_int_equal(list(-1, "unit/").n, 0);
	struct seen s = list(sandbox.host_ns, "unit/");
	assert_int_equal(s.n, 2);
	assert_int_equal(list(sandbox.host_ns, "unit/tw").n, 1);
	assert_int_equal(list(sandbox.host_ns, "other/").n, 0);
	(void)close(fds[0]); /* a name is all that it held */
	s = list(sandbox.host_ns, "unit/");
	assert_int_equal(s.n, 1);
	assert_string_equal(s.texts[0], "unit/two");
	(void)close(fds[1]); /* likewise */
	assert_int_equal(list(sandbox.host_ns, "unit/").n, 0);
}

static void all_are_held_or_none(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static const char first[1][CLAIM_TEXT_MAX] = { "unit/b" };
	static const char texts[2][CLAIM_TEXT_MAX] = { "unit/a", "unit/b" };
	int fd, fds[2];
	assert_int_equal(claim_hold(-1, first, 1, &fd), 0);
	assert_int_equal(claim_hold(-1, texts, 2, fds), -EADDRINUSE);
	assert_int_equal(fds[0], -1);
	assert_int_equal(list(-1, "unit/").n, 1);
	(void)close(fd); /* a name is all that it held */
}

static void the_longest_text_comes_back_whole_and_a_longer_one_is_refused(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char text[1][CLAIM_TEXT_MAX];
	memset(text[0], 'x', CLAIM_TEXT_MAX);
	int fd;
	assert_int_equal(claim_hold(-1, (const char(*)[CLAIM_TEXT_MAX])text, 1, &fd),
			 -ENAMETOOLONG);
	text[0][CLAIM_TEXT_MAX - 1] = '\0';
	assert_int_equal(claim_hold(-1, (const char(*)[CLAIM_TEXT_MAX])text, 1, &fd), 0);
	struct seen s = list(-1, "xxx");
	assert_int_equal(s.n, 1);
	assert_string_equal(s.texts[0], text[0]);
	(void)close(fd); /* a name is all that it held */
}

static void hundreds_of_others_do_not_hide_one(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	enum { MANY = 600 };
	static int fds[MANY];
	for (size_t i = 0; i < MANY; i++) {
		char text[1][CLAIM_TEXT_MAX];
		(void)snprintf(text[0], CLAIM_TEXT_MAX, "%s/%090zu", i == 7 ? "unit" : "other", i);
		assert_int_equal(claim_hold(-1, (const char(*)[CLAIM_TEXT_MAX])text, 1, &fds[i]),
				 0);
	}
	assert_int_equal(list(-1, "unit/").n, 1);
	for (size_t i = 0; i < MANY; i++)
		(void)close(fds[i]); /* a name is all that it held */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_claim_is_seen_where_it_is_held_and_gone_with_its_descriptor),
		cmocka_unit_test(all_are_held_or_none),
		cmocka_unit_test(the_longest_text_comes_back_whole_and_a_longer_one_is_refused),
		cmocka_unit_test(hundreds_of_others_do_not_hide_one),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
