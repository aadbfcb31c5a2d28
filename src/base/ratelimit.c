/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/ratelimit.h"

enum { MILLI = 1000 };

bool ratelimit_allow(struct ratelimit *rl, uint64_t now_ms, uint64_t *ret_suppressed)
{
	if (now_ms > rl->last_ms) {
		/* N tokens a second are N thousandths a millisecond. Compared by division: a long
		 * pause must not overflow. */
		uint64_t elapsed_ms = now_ms - rl->last_ms;
		if (rl->per_s > 0 && elapsed_ms > rl->milli_tokens_used / rl->per_s)
			rl->milli_tokens_used = 0;
		else
			rl->milli_tokens_used -= elapsed_ms * rl->per_s;
		rl->last_ms = now_ms;
	}
	if (rl->milli_tokens_used + MILLI > (uint64_t)rl->burst * MILLI) {
		rl->suppressed++;
		return false;
	}
	rl->milli_tokens_used += MILLI;
	if (ret_suppressed)
		*ret_suppressed = rl->suppressed;
	rl->suppressed = 0;
	return true;
}
