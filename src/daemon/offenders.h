/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who sent from a source that is not its own, of late. Bounded: a station that makes its sources up
 * pushes out no more than its own earlier ones, and many stations the ones that were quiet longest.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OFFENDERS_MAX = 32, OFFENDERS_PER_STATION = 4, OFFENDER_LLADDR = 6 };

struct offender {
	bool taken;                      /* the source is one of ours, but not its; else foreign */
	uint8_t lladdr[OFFENDER_LLADDR]; /* zeros where the link has none */
	struct in6_addr src;
	struct in6_addr dst; /* of the latest */
	uint64_t n;          /* packets that were reported */
	uint64_t first_ms, last_ms;
};

struct offenders {
	size_t n;
	struct offender slots[OFFENDERS_MAX];
};

/* One more packet. True where this station was not seen to send from that source before. */
bool offenders_note(struct offenders *o, const struct offender *seen, uint64_t now_ms);
/* The latest first, by their places in o->slots. */
void offenders_by_time(const struct offenders *o, size_t ret_order[static OFFENDERS_MAX]);
