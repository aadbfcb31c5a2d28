/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/census.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	CELLS_MIN = 4096,
	NUMBERS_MIN = 1024,
};

int census_init(struct census *c)
{
	*c = (struct census){ .cells = calloc(CELLS_MIN, sizeof *c->cells), .mask = CELLS_MIN - 1 };
	return c->cells ? 0 : -ENOMEM;
}

void census_done(struct census *c)
{
	free(c->of);
	free(c->cells);
	*c = (struct census){ 0 };
}

uint32_t census_station(const uint8_t key[static 16], const void *bytes, size_t len)
{
	uint32_t hash = (uint32_t)siphash24(key, bytes, len);
	return hash ? hash : 1;
}

/* Where it is, or is to be: some place is always nobody's. */
static struct census_cell *cell_of(const struct census *c, uint32_t station)
{
	uint32_t at = station & c->mask;
	while (c->cells[at].station && c->cells[at].station != station)
		at = (at + 1) & c->mask;
	return &c->cells[at];
}

unsigned census_count(const struct census *c, uint32_t station)
{
	return c->cells ? cell_of(c, station)->n : 0;
}

/* Twice as many. Without memory for them they fill up more. */
static void spread(struct census *c)
{
	const uint32_t n = (c->mask + 1) * 2;
	struct census more = { .cells = c->mask < UINT32_MAX / 4 ? calloc(n, sizeof *c->cells)
								 : NULL,
			       .mask = n - 1 };
	if (!more.cells)
		return;
	for (uint32_t i = 0; i <= c->mask; i++)
		if (c->cells[i].station)
			*cell_of(&more, c->cells[i].station) = c->cells[i];
	free(c->cells);
	c->cells = more.cells;
	c->mask = more.mask;
}

/* Those that stand behind it, because their place was taken, move up. */
static void vacate(struct census *c, struct census_cell *cell)
{
	uint32_t hole = (uint32_t)(cell - c->cells), at = hole;
	c->n_stations--;
	for (;;) {
		c->cells[hole] = (struct census_cell){ 0 };
		uint32_t place;
		do {
			at = (at + 1) & c->mask;
			if (!c->cells[at].station)
				return;
			place = c->cells[at].station & c->mask;
			/* One whose place is behind the hole stays. */
		} while (((at - place) & c->mask) < ((at - hole) & c->mask));
		c->cells[hole] = c->cells[at];
		hole = at;
	}
}

/* False: there is no place for one more. */
static bool count_in(struct census *c, uint32_t station)
{
	struct census_cell *cell = cell_of(c, station);
	if (!cell->station && c->n_stations >= c->mask / 4 * 3) {
		spread(c);
		if (c->n_stations + 1 >= c->mask)
			return false;
		cell = cell_of(c, station);
	}
	c->n_stations += !cell->station;
	cell->station = station;
	cell->n++;
	c->n++;
	return true;
}

static void count_out(struct census *c, uint32_t station)
{
	struct census_cell *cell = cell_of(c, station);
	c->n--;
	if (--cell->n == 0)
		vacate(c, cell);
}

static bool has_place(struct census *c, uint32_t number)
{
	uint32_t n = c->n_of ? c->n_of : NUMBERS_MIN;
	while (n <= number && n <= UINT32_MAX / 2)
		n *= 2;
	if (number < c->n_of)
		return true;
	uint32_t *of = n > number ? realloc(c->of, n * sizeof *of) : NULL;
	if (!of)
		return false;
	memset(of + c->n_of, 0, (n - c->n_of) * sizeof *of);
	c->of = of;
	c->n_of = n;
	return true;
}

void census_set(struct census *c, uint32_t number, uint32_t station)
{
	if (!c->cells || (!station && number >= c->n_of) || !has_place(c, number))
		return;
	uint32_t *of = &c->of[number];
	if (*of == station)
		return;
	if (*of)
		count_out(c, *of);
	*of = station && count_in(c, station) ? station : 0;
}
