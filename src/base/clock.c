/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

/* More than two hundred years. */
#define MONO_BEGINS_MS (UINT64_C(1) << 43)

static uint64_t read_ms(clockid_t id)
{
	struct timespec ts = { 0 };
	(void)clock_gettime(id, &ts); /* fails only for an unknown clock or a bad pointer */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return MONO_BEGINS_MS + read_ms(CLOCK_BOOTTIME);
}

uint64_t clock_slept_ms(void)
{
	uint64_t awake = read_ms(CLOCK_MONOTONIC), all = read_ms(CLOCK_BOOTTIME);
	return all > awake ? all - awake : 0;
}

uint64_t clock_unix_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

uint64_t clock_cpu_us(void)
{
	struct timespec ts = { 0 };
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* likewise */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void put_digits(char *at, uint64_t value, size_t n)
{
	while (n > 0) {
		at[--n] = (char)('0' + value % 10);
		value /= 10;
	}
}

/*
 * By hand, for gmtime_r() reads the time zone's file where nobody has yet, and a log line must not
 * depend on files. Years begin with March here, so that a leap day is the last of its year: then
 * the months' lengths repeat every five of them (153 days).
 */
const char *clock_rfc3339(uint64_t unix_ms, char buf[static CLOCK_RFC3339_LEN])
{
	static const uint64_t end_of_9999_ms = 253402300799999;
	if (unix_ms > end_of_9999_ms)
		unix_ms = end_of_9999_ms;
	uint64_t s = unix_ms / 1000 % 86400;
	uint64_t days = unix_ms / 1000 / 86400 + 719468;     /* since 0000-03-01 */
	uint64_t cycle = days / 146097, day = days % 146097; /* of 400 years */
	uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	uint64_t month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	bool next_year = month >= 10;
	memcpy(buf, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_LEN);
	put_digits(buf, cycle * 400 + year + next_year, 4);
	put_digits(buf + 5, next_year ? month - 9 : month + 3, 2);
	put_digits(buf + 8, day + 1, 2);
	put_digits(buf + 11, s / 3600, 2);
	put_digits(buf + 14, s / 60 % 60, 2);
	put_digits(buf + 17, s % 60, 2);
	put_digits(buf + 20, unix_ms % 1000, 3);
	return buf;
}
