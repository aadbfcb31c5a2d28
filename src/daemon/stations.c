/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/stations.h"

#include "base/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 256 };

static uint32_t home_of(const struct stations *t, const struct in6_addr *addr)
{
	return (uint32_t)siphash24(t->key, addr, sizeof *addr) & t->mask;
}

static bool empty(const struct station *s)
{
	return IN6_IS_ADDR_UNSPECIFIED(&s->addr);
}

/* Where it is, or the empty slot where it would be. */
static struct station *slot_of(const struct stations *t, const struct in6_addr *addr)
{
	uint32_t i = home_of(t, addr);
	while (!empty(&t->slots[i]) && memcmp(&t->slots[i].addr, addr, sizeof *addr) != 0)
		i = (i + 1) & t->mask;
	return &t->slots[i];
}

int stations_init(struct stations *t, const uint8_t key[static 16])
{
	*t = (struct stations){ .mask = SLOTS_MIN - 1 };
	memcpy(t->key, key, sizeof t->key);
	t->slots = calloc(SLOTS_MIN, sizeof *t->slots);
	return t->slots ? 0 : -ENOMEM;
}

void stations_done(struct stations *t)
{
	free(t->slots);
	*t = (struct stations){ 0 };
}

/* Room for one more at a load of at most 3/4. */
static int reserve(struct stations *t)
{
	uint32_t size = t->mask + 1;
	if (t->n + 1 <= size / 4 * 3)
		return 0;
	struct stations larger = *t;
	larger.mask = size * 2 - 1;
	larger.slots = size < 1U << 30 ? calloc((size_t)size * 2, sizeof *larger.slots) : NULL;
	if (!larger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		if (!empty(&t->slots[i]))
			*slot_of(&larger, &t->slots[i].addr) = t->slots[i];
	free(t->slots);
	*t = larger;
	return 0;
}

static bool is_its(const struct station *s, const uint8_t *lladdr)
{
	return lladdr && s->known && memcmp(s->lladdr, lladdr, sizeof s->lladdr) == 0;
}

static void tell(struct station *s, const uint8_t *lladdr)
{
	if (!lladdr || (s->known && !is_its(s, lladdr)))
		return;
	if (!s->known) {
		s->entered &= memcmp(s->lladdr, lladdr, sizeof s->lladdr) == 0;
		memcpy(s->lladdr, lladdr, sizeof s->lladdr);
		s->known = true;
		s->told = 0;
	}
	s->told++;
}

static void untell(struct station *s, const uint8_t *lladdr)
{
	if (is_its(s, lladdr))
		s->known = --s->told > 0;
}

int stations_hold(struct stations *t, const struct in6_addr *addr, const uint8_t *lladdr,
		  struct station **ret_station)
{
	if (IN6_IS_ADDR_UNSPECIFIED(addr))
		return -EINVAL;
	if (reserve(t) < 0)
		return -ENOMEM;
	struct station *s = slot_of(t, addr);
	if (empty(s)) {
		*s = (struct station){ .addr = *addr };
		t->n++;
	}
	s->held++;
	tell(s, lladdr);
	*ret_station = s;
	return 0;
}

struct station *stations_find(const struct stations *t, const struct in6_addr *addr)
{
	struct station *s = slot_of(t, addr);
	return empty(s) ? NULL : s;
}

struct station *stations_update(struct stations *t, const struct in6_addr *addr,
				const uint8_t *before, const uint8_t *lladdr)
{
	struct station *s = stations_find(t, addr);
	if (!s || !lladdr || (before && is_its(s, lladdr) && is_its(s, before)))
		return s;
	untell(s, before);
	tell(s, lladdr);
	return s;
}

/* Moves those behind it up, so that no probe ever meets a gap that was not there when they were
 * placed.
 */
static void take_out(struct stations *t, uint32_t hole)
{
	for (uint32_t i = (hole + 1) & t->mask; !empty(&t->slots[i]); i = (i + 1) & t->mask) {
		uint32_t home = home_of(t, &t->slots[i].addr);
		if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = (struct station){ 0 };
	t->n--;
}

bool stations_release(struct stations *t, const struct in6_addr *addr, const uint8_t *lladdr,
		      struct station *ret_gone)
{
	struct station *s = stations_find(t, addr);
	if (!s)
		return false;
	if (--s->held > 0) {
		untell(s, lladdr);
		return false;
	}
	*ret_gone = *s;
	take_out(t, (uint32_t)(s - t->slots));
	return true;
}

struct station *stations_next(const struct stations *t, const struct station *at)
{
	uint32_t i = at ? (uint32_t)(at - t->slots) + 1 : 0;
	while (i <= t->mask && empty(&t->slots[i]))
		i++;
	return i <= t->mask ? &t->slots[i] : NULL;
}
