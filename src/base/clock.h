/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * Milliseconds of CLOCK_BOOTTIME: monotonic, and it goes on through a suspend, as lifetimes do for
 * subscribers. It does not begin at 0, so that what was before the boot has instants, too.
 */
uint64_t clock_mono_ms(void);
/* Milliseconds since 1970 by the wall clock; only for what is stored. It may jump. */
uint64_t clock_unix_ms(void);
