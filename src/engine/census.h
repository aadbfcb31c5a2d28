/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many bindings there are of each station, whatever DUIDs they are of. A station is known by 32
 * bits of a keyed hash that nobody can steer; two that share them are counted as one, which happens
 * among a thousand stations once in eight thousand starts. Four bytes a binding, and eleven to
 * twenty-two a station.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct census_cell {
	uint32_t station; /* 0: nobody's */
	uint32_t n;
};

struct census {
	uint32_t *of; /* by the binding's number: its station; 0: it is not counted */
	uint32_t n_of;
	struct census_cell *cells; /* each station's at its place, or behind others from there on */
	uint32_t mask;             /* of places */
	uint32_t n_stations;
	uint32_t n; /* bindings that are counted */
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
