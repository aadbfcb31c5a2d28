/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/offenders.h"

#include <string.h>

static bool same_station(const struct offender *a, const struct offender *b)
{
	return memcmp(a->lladdr, b->lladdr, sizeof a->lladdr) == 0;
}

static bool same(const struct offender *a, const struct offender *b)
{
	return same_station(a, b) && memcmp(&a->src, &b->src, sizeof a->src) == 0;
}

/* Its own that was quiet longest, where it has as many as it may; else a new place, or of all that
 * were quiet longest. */
static struct offender *place_for(struct offenders *o, const struct offender *seen)
{
	struct offender *own = NULL, *any = NULL;
	size_t n_own = 0;
	for (size_t i = 0; i < o->n; i++) {
		struct offender *at = &o->slots[i];
		if (!any || at->last_ms < any->last_ms)
			any = at;
		if (!same_station(at, seen))
			continue;
		n_own++;
		if (!own || at->last_ms < own->last_ms)
			own = at;
	}
	if (n_own >= OFFENDERS_PER_STATION)
		return own;
	return o->n < OFFENDERS_MAX ? &o->slots[o->n++] : any;
}

bool offenders_note(struct offenders *o, const struct offender *seen, uint64_t now_ms)
{
	for (size_t i = 0; i < o->n; i++) {
		struct offender *at = &o->slots[i];
		if (!same(at, seen))
			continue;
		at->n++;
		at->taken = seen->taken;
		at->dst = seen->dst;
		at->last_ms = now_ms;
		return false;
	}
	struct offender *at = place_for(o, seen);
	*at = *seen;
	at->n = 1;
	at->first_ms = at->last_ms = now_ms;
	return true;
}

void offenders_by_time(const struct offenders *o, size_t ret_order[static OFFENDERS_MAX])
{
	for (size_t i = 0; i < o->n; i++) {
		size_t at = i;
		for (; at > 0 && o->slots[ret_order[at - 1]].last_ms < o->slots[i].last_ms; at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = i;
	}
}
