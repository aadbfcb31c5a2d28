/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pauses between attempts: none before the first, then min_ms, and twice the last one up to max_ms.
 */
#pragma once

#include <stdint.h>

/* The pause before the next attempt, in ms. *next_ms is 0 at the start, and where all is well
 * again. */
static inline uint64_t backoff_next(uint64_t *next_ms, uint64_t min_ms, uint64_t max_ms)
{
	uint64_t pause_ms = *next_ms;
	*next_ms = pause_ms == 0 ? min_ms : pause_ms * 2 > max_ms ? max_ms : pause_ms * 2;
	return pause_ms;
}
