/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses on the subscriber link that our routes and bindings lead to, each with its Ethernet
 * address: next hops of delegated prefixes, held once by each of them, and addresses that we handed
 * out. What stands here stands in the kernel's neighbour table as a permanent entry, which its
 * limit on neighbours does not count.
 *
 * Who came first is believed (as in RFC 6620): a subscriber that sends from another's address does
 * not get what is sent there. Only where nobody who holds it says otherwise any more, another
 * Ethernet address is taken.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATION_LLADDR = 6 };

struct station {
	struct in6_addr addr; /* ::, where the slot is empty */
	uint8_t lladdr[STATION_LLADDR];
	bool known;    /* lladdr is */
	uint32_t told; /* by how many of those who hold it, at least */
	bool entered;  /* for the caller: the kernel has it */
	bool guarded;  /* for the caller: the packet filter has it, with guarded_as */
	uint8_t guarded_as[STATION_LLADDR];
	uint32_t held;
};

struct stations {
	uint8_t key[16];
	struct station *slots;
	uint32_t mask, n;
};

/* key: 16 random bytes, so that nobody can make the addresses collide. -ENOMEM. */
int stations_init(struct stations *t, const uint8_t key[static 16]);
void stations_done(struct stations *t);

/*
 * One more holds this address. lladdr NULL: not known, which takes nothing away that is.
 * *ret_station is valid until the next call; `entered` is false where its entry is missing or not
 * what it should be any more. -ENOMEM.
 */
int stations_hold(struct stations *t, const struct in6_addr *addr, const uint8_t *lladdr,
		  struct station **ret_station);
/* Somebody who holds it already tells its link-layer address; before: what it told last, NULL:
 * nothing. NULL: nobody holds it. */
struct station *stations_update(struct stations *t, const struct in6_addr *addr,
				const uint8_t *before, const uint8_t *lladdr);
/* One less, that told lladdr last. True with *ret_gone where that was the last one; else it may be
 * known no more, with `entered` and `guarded` as they were. */
bool stations_release(struct stations *t, const struct in6_addr *addr, const uint8_t *lladdr,
		      struct station *ret_gone);
/* NULL: nobody holds it. */
struct station *stations_find(const struct stations *t, const struct in6_addr *addr);
/* The next after *at, which begins as NULL; NULL after the last. */
struct station *stations_next(const struct stations *t, const struct station *at);
