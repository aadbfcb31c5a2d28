/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Milliseconds of CLOCK_BOOTTIME: monotonic, and it goes on through a suspend, as lifetimes do for
 * subscribers. It does not begin at 0, so that what was before the boot has instants, too.
 */
uint64_t clock_mono_ms(void);
/* Milliseconds of that during which the machine was suspended, since its boot: timers of the
 * kernel's own monotonic clock, libev's among them, stood still then. */
uint64_t clock_slept_ms(void);
/* Milliseconds since 1970 by the wall clock; only for what is stored. It may jump. */
uint64_t clock_unix_ms(void);
/* Microseconds of a processor that this process has had since its fork. */
uint64_t clock_cpu_us(void);

enum { CLOCK_RFC3339_LEN = sizeof "1970-01-01T00:00:00.000Z" };
/* As RFC 3339 writes it, in UTC, to the millisecond. Years beyond 9999 stay at its end. Returns
 * buf.
 */
const char *clock_rfc3339(uint64_t unix_ms, char buf[static CLOCK_RFC3339_LEN]);
