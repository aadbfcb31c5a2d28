/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test begins with: cmocka wants these headers before its own. */
#pragma once

#include "vectors/vectors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Loads tests/vectors/<name>.hex; fails the test where it is none. */
static inline size_t unit_vector(const char *name, uint8_t *buf, size_t size)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s.hex", VECTORS_DIR, name);
	long n = vector_load(path, buf, size);
	if (n < 0)
		fail_msg("no vector %s", path);
	return (size_t)n;
}

static inline struct in6_addr unit_in6(const char *text)
{
	struct in6_addr a;
	if (inet_pton(AF_INET6, text, &a) != 1)
		fail_msg("no address: %s", text);
	return a;
}

/*
 * Milliseconds, counted from some moment on, in which anything here waited for a processor or the
 * disk, or in which the machine itself was not run: by so much may all be late, and nobody is to
 * blame. As time itself where the kernel does not tell.
 */
static inline uint64_t unit_stalled_ms(void)
{
	static const char *const paths[] = { "/proc/pressure/cpu", "/proc/pressure/io" };
	unsigned long long us, steal = 0, sum_us = 0;
	for (size_t i = 0; i < 2; i++) {
		FILE *f = fopen(paths[i], "re");
		bool told = f && fscanf(f, "some %*s %*s %*s total=%llu", &us) == 1;
		if (f)
			(void)fclose(f); /* only read */
		if (!told) {
			struct timespec now;
			assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
			return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
		}
		sum_us += us;
	}
	FILE *f = fopen("/proc/stat", "re");
	if (f) {
		(void)!fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal);
		(void)fclose(f); /* only read */
	}
	return sum_us / 1000 + steal * 10; /* in ticks of a hundredth of a second */
}
