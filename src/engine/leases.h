/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets what, for how long, and what becomes of it: the bindings and the two pools (prefixes and
 * addresses) as one. Knows nothing of messages; every change leaves in the batch, its route beside
 * it.
 */
#pragma once

#include "engine/batch.h"
#include "engine/bindings.h"
#include "engine/census.h"
#include "engine/pool.h"
#include "engine/reservations.h"
#include "wire/dhcp6.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LEASES_DECLINE_S = 3600, /* how long a declined address is set aside */
	LEASES_MAX_TABLE =
		4 << 20, /* bindings in any state: what forged clients can make us remember */
	LEASES_MAX_ADDRESSES = 1 << 18,       /* bound or set aside */
	LEASES_MAX_FREED_ADDRESSES = 1 << 16, /* remembered for their clients */
	LEASES_RELAY_STATIONS =
		64, /* as many times what a station may hold, a relay's clients may */
	LEASES_CHANGES_PER_IA = 5, /* of the batch, at most */
};

struct leases {
	struct binding_table table;
	struct pool pools[3];    /* by kind */
	uint64_t bound_slots[3]; /* by kind: what is bound of its pool, in the longest slots */
	const struct reservations *reserved; /* NULL: none */
	uint32_t preferred_lft_s;
	uint32_t valid_lft_s;
	/* A station, or the relay of one, whatever DUIDs it names; 0: no limit. Those that were
	 * loaded count from their next renewal on. */
	unsigned max_per_station;
	struct census held, kept; /* by station: bound or set aside; in any state */
	struct census relayed;    /* by relay: as held */
	unsigned max_per_client;  /* bound ones; 0: no limit. Twice as many are remembered of one
				     client in all */
};

/* An Ethernet address; len 0: unknown. */
struct lease_lladdr {
	uint8_t len;
	uint8_t bytes[BINDING_LLADDR_MAX];
};

/* The client of one message. duid_len is 1 to DUID_MAX. */
struct lease_client {
	const uint8_t *duid;
	size_t duid_len;
	uint32_t hash;    /* bindings_hash() of it */
	uint32_t station; /* census_station() of it */
	uint32_t relay;   /* of the relay that brought its message; 0: none */
	struct in6_addr next_hop;
	struct lease_lladdr via; /* the next hop's */
	struct lease_lladdr own; /* the client's, which behind a relay is not the next hop */
	const uint8_t *details;  /* as a binding's */
	size_t details_len;
	struct d6_span interface_id; /* of the relay nearest to it that tells one */
};

/* What an IA would get. */
struct lease_choice {
	struct prefix6 prefix;
	struct binding *mine;  /* the client's for this IA, bound or freed; NULL: none */
	struct binding *freed; /* somebody's former one that gives way; NULL: none */
	struct binding *old;   /* the client's for this IA, which gives way to this; NULL: none */
};

/* What earlier IAs of the same message were offered or given. */
struct lease_spoken {
	unsigned n_new; /* offered, without being bound yet */
	size_t n;
	struct prefix6 prefixes[D6_MAX_IAS];
};

/* Before anything is granted or loaded, where there is a max_per_station; and at the end. -ENOMEM.
 */
int leases_count_stations(struct leases *l);
void leases_uncount_stations(struct leases *l);

/* What clients hold of a pool, in slots of the usual length, a begun one whole; to be held against
 * its capacity. */
uint64_t leases_used(const struct leases *l, enum binding_kind kind);

struct binding *leases_find(const struct leases *l, const struct lease_client *c,
			    enum binding_kind kind, uint32_t iaid);

/*
 * Whether a message that gives b back is from where b was given to: the same next hop and, as far
 * as they are known of b, the same link-layer address and the same station, so that neither a
 * made-up source nor a made-up relay speaks for anybody. After a restart, and where stations have
 * no limit, stations are not known.
 */
bool leases_from_holder(const struct leases *l, const struct lease_client *c,
			const struct binding *b);

/*
 * Changes nothing: what is reserved for the client, else its own where it has or had one for this
 * IA that is not reserved for others, else what it asks for where nobody has had that, else what
 * the pool picks. -ENOSPC: the pool (or the table) is exhausted; -EDQUOT: the client has its fill;
 * -EUSERS: its station has, or its relay.
 */
int leases_choose(struct leases *l, const struct lease_client *c, enum binding_kind kind,
		  const struct d6_ia *ia, const struct lease_spoken *spoken,
		  struct lease_choice *ret_choice);
/* Makes a choice of this very moment the client's, with new lifetimes and a route to where it is
 * now. -ENOMEM. */
int leases_grant(struct leases *l, const struct lease_client *c, enum binding_kind kind,
		 uint32_t iaid, const struct lease_choice *choice, uint64_t now_ms,
		 struct batch *batch);
/* A bound one that is no more: BINDING_FREED is remembered for its client (but of a station that
 * has had very many), BINDING_DECLINED is set aside (RFC 9915 §18.3.8). The binding may be gone. */
void leases_end(struct leases *l, struct binding *b, enum binding_state state, uint64_t now_ms,
		struct batch *batch);
/* Forgets one altogether. */
void leases_forget(struct leases *l, struct binding *b, struct batch *batch);
/* As dhcp6_server_reserve(). */
void leases_reserve(struct leases *l, const struct reservations *reserved);
/* Whether this client, or anybody where client is NULL, may hold it by pool or by reservation. */
bool leases_may_hold(const struct leases *l, const struct lease_client *client,
		     enum binding_kind kind, uint32_t iaid, const struct prefix6 *prefix);
/* As dhcp6_server_astray(). */
bool leases_astray(const struct leases *l, const struct lease_client *c, const struct binding *b);
/* As dhcp6_server_tick(). */
void leases_expire(struct leases *l, uint64_t now_ms, struct batch *batch);
/* As dhcp6_server_load(). */
int leases_load(struct leases *l, const struct binding_record *r, uint64_t now_ms);

/* Whether indexes, pools and bindings agree, and nothing overlaps that is not the same: for tests
 * and the fuzzer; slow. */
bool leases_consistent(const struct leases *l);
