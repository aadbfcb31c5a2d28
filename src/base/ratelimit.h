/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A token bucket. Start it as { .per_s = …, .burst = … }: full. */
struct ratelimit {
	uint32_t per_s;
	uint32_t burst;
	uint64_t milli_tokens_used;
	uint64_t last_ms;
	uint64_t suppressed; /* refusals since the last grant */
};

/* True where the event may happen now; *ret_suppressed (may be NULL) then says how many were
 * refused since the last grant. */
bool ratelimit_allow(struct ratelimit *rl, uint64_t now_ms, uint64_t *ret_suppressed);
