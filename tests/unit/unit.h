/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test begins with: cmocka wants these headers before its own. */
#pragma once

#include "vectors/vectors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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
