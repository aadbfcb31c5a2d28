/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

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

uint64_t clock_unix_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}
