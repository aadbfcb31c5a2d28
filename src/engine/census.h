/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many bindings there are of each station, whatever DUIDs they are of. A station is known by a
 * keyed hash that nobody can steer; two that share one are counted as one, which among a thousand
 * stations happens to one in a dozen thousand. Four bytes a binding, and no more than some for the
 * stations.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct census {
	uint32_t *of; /* by the binding's number: its station; 0: it is not counted */
	uint32_t n_of;
	uint32_t *counts; /* by station */
	uint32_t mask;    /* of them */
	uint32_t n;       /* bindings that are counted */
};

/* -ENOMEM. */
int census_init(struct census *c);
void census_done(struct census *c); /* also of one that is all zeros */

/* Who this is, in a census; never 0. */
uint32_t census_station(const uint8_t key[static 16], const void *bytes, size_t len);
unsigned census_count(const struct census *c, uint32_t station);
/* From now on the binding of this number is this station's; 0: nobody's. Where there is no memory
 * to remember it, it is not counted. */
void census_set(struct census *c, uint32_t number, uint32_t station);
