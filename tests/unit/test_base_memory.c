/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kilobytes of mapped files that are in memory, by /proc/self/status. */
static unsigned long resident_files_kib(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "RssFile: %lu kB", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static const char text[] = "a constant";
static const char *const relocated[] = { text, "another" }; /* written to when it was loaded */
static int written = 7;

static void what_the_start_mapped_is_let_go(void **state)
{
	(void)state;
	unsigned long before = resident_files_kib();
	memory_settle();
	assert_true(resident_files_kib() < before);
}

static void what_was_written_or_is_constant_is_as_it_was(void **state)
{
	(void)state;
	char *allocated = malloc(1 << 20);
	assert_non_null(allocated);
	memset(allocated, 'x', 1 << 20);
	written = 8;
	memory_settle();
	assert_int_equal(written, 8);
	assert_ptr_equal(relocated[0], text);
	assert_string_equal(relocated[0], "a constant");
	assert_string_equal(relocated[1], "another");
	for (size_t i = 0; i < 1 << 20; i++)
		assert_int_equal(allocated[i], 'x');
	free(allocated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_start_mapped_is_let_go),
		cmocka_unit_test(what_was_written_or_is_constant_is_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
