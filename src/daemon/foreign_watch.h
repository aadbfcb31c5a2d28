/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is told to people of other routers on the subscriber link (engine/foreign.h): one line when
 * one comes, goes or is at odds with us in something new, at a bounded rate whatever is sent.
 */
#pragma once

#include "base/buf.h"
#include "base/ratelimit.h"
#include "engine/foreign.h"

#include <stdbool.h>
#include <stdint.h>

struct foreign_watch {
	struct foreign table;
	uint64_t heard;   /* others' advertisements, without those that nd_parse_ra() refused */
	uint64_t refused; /* those */
	/* its own */
	struct ratelimit log_plain, log_grave;
	uint64_t contested_at_ms; /* our address, first; 0: it is not */
	struct ratelimit answer;
	bool loop_told;
};

void foreign_watch_init(struct foreign_watch *w);
/*
 * A router advertisement that came in, from the ICMPv6 header on. True where its sender has our
 * link-local address, and it is for us to give way: at once where our link-layer address is the
 * greater one, so that of two that hear each other one stays; else when it goes on for seconds. At
 * most once a second.
 */
bool foreign_watch_input(struct foreign_watch *w, uint64_t now_ms, const struct pkt_meta *meta,
			 struct rd packet, const struct foreign_ours *ours);
