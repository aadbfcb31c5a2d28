/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/census.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	CELLS_MIN = 16384,
	CELL_BINDINGS = 4, /* on the average, before there are more cells */
	NUMBERS_MIN = 1024,
};

int census_init(struct census *c)
{
	*c = (struct census){ .counts = calloc(CELLS_MIN, sizeof *c->counts),
			      .mask = CELLS_MIN - 1 };
	return c->counts ? 0 : -ENOMEM;
}

void census_done(struct census *c)
{
	free(c->of);
	free(c->counts);
	*c = (struct census){ 0 };
}

uint32_t census_station(const uint8_t key[static 16], const void *bytes, size_t len)
{
	uint32_t hash = (uint32_t)siphash24(key, bytes, len);
	return hash ? hash : 1;
}

unsigned census_count(const struct census *c, uint32_t station)
{
	return c->counts ? c->counts[station & c->mask] : 0;
}

/* Without memory for more cells, more stations share one. */
static void spread(struct census *c)
{
	const uint32_t n = (c->mask + 1) * 2;
	uint32_t *counts = c->mask < UINT32_MAX / 4 ? calloc(n, sizeof *counts) : NULL;
	if (!counts)
		return;
	for (uint32_t i = 0; i < c->n_of; i++)
		if (c->of[i])
			counts[c->of[i] & (n - 1)]++;
	free(c->counts);
	c->counts = counts;
	c->mask = n - 1;
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
	if (!c->counts || (!station && number >= c->n_of) || !has_place(c, number))
		return;
	uint32_t *of = &c->of[number];
	if (*of == station)
		return;
	if (*of) {
		c->counts[*of & c->mask]--;
		c->n--;
	}
	*of = station;
	if (!station)
		return;
	c->counts[station & c->mask]++;
	c->n++;
	if (c->n / CELL_BINDINGS > c->mask)
		spread(c);
}
