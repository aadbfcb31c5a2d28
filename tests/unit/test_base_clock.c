/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/clock.h"

#include <time.h>

static void an_instant_is_written_as_rfc_3339(void **state)
{
	(void)state;
	char text[CLOCK_RFC3339_LEN];
	static const struct {
		uint64_t unix_ms;
		const char *text;
	} known[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 951868800000, "2000-03-01T00:00:00.000Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" }, /* no leap year */
		{ 1795263799042, "2026-11-21T12:23:19.042Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ UINT64_MAX, "9999-12-31T23:59:59.999Z" },
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		assert_ptr_equal(clock_rfc3339(known[i].unix_ms, text), text);
		assert_string_equal(text, known[i].text);
	}
}

/* Every day of 800 years, beside the C library's calendar. */
static void every_day_is_the_one_that_libc_says(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 292194; day++) {
		char ours[CLOCK_RFC3339_LEN], theirs[CLOCK_RFC3339_LEN];
		time_t t = (time_t)(day * 86400 + day % 86400);
		struct tm tm;
		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000Z", &tm),
				 CLOCK_RFC3339_LEN - 1);
		clock_rfc3339((uint64_t)t * 1000, ours);
		if (strcmp(ours, theirs) != 0)
			fail_msg("%s should be %s", ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instant_is_written_as_rfc_3339),
		cmocka_unit_test(every_day_is_the_one_that_libc_says),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
