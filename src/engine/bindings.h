/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bindings: which client (DUID, IAID) holds which address or delegated prefix (RFC 9915 §4.2),
 * in one table with three indexes: by client, by prefix, by expiry. All instants are milliseconds
 * of the monotonic clock.
 */
#pragma once

#include "base/prefix.h"
#include "wire/duid.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum binding_kind { BINDING_NA = 1, BINDING_PD = 2 };

/* Only a bound one is the client's and has a route. The others keep a prefix from being handed to
 * somebody else too soon. */
enum binding_state {
	BINDING_BOUND = 1,
	BINDING_FREED =
		2, /* released or expired: remembered for its client, reused last, oldest first */
	BINDING_DECLINED = 3, /* set aside until valid_until_ms (RFC 9915 §18.3.8) */
};

enum {
	BINDING_LLADDR_MAX = 6,
	BINDING_DETAILS_MAX = 512,
};

/* A binding as a value: what the store keeps and what the command line shows. */
struct binding_record {
	uint32_t number; /* where it stands in table and store, from 1; 0: the table chooses */
	enum binding_kind kind;
	enum binding_state state;
	struct duid duid;
	uint32_t iaid;
	struct prefix6 prefix;    /* an address has plen 128 */
	struct in6_addr next_hop; /* the client's (or its relay's) address: the route's gateway */
	uint8_t lladdr_len;       /* the client's link-layer address; 0: unknown */
	uint8_t lladdr[BINDING_LLADDR_MAX];
	uint32_t preferred_lft_s; /* as last granted */
	uint32_t valid_lft_s;
	uint64_t granted_at_ms;  /* when it was last granted, or freed */
	uint64_t valid_until_ms; /* UINT64_MAX: for ever */
	uint16_t details_len;    /* at most BINDING_DETAILS_MAX */
	const uint8_t *details;  /* what else is known of the client, as DHCPv6 options; borrowed */
};

/* Bytes of a variable length that a binding owns. */
struct binding_details {
	uint16_t len;
	uint8_t bytes[];
};

enum { BINDING_INLINE_DUID = 24 };
#define BINDING_NONE 0xffffffffU

/*
 * One of the table's own; addressed by its number, which stays the same while it lives. Two cache
 * lines: what tells whose it is stands in the first.
 */
struct binding {
	uint32_t id;
	uint32_t client_hash;
	uint32_t iaid;
	uint8_t kind;
	uint8_t state;
	uint8_t plen;
	uint8_t duid_len;
	struct in6_addr addr;
	union {
		uint8_t here[BINDING_INLINE_DUID];
		uint8_t *elsewhere; /* a DUID longer than that */
	} duid;
	uint64_t valid_until_ms;

	uint64_t granted_at_ms;
	struct in6_addr next_hop;
	struct binding_details *details; /* NULL: none */
	uint32_t preferred_lft_s;
	uint32_t valid_lft_s;
	uint32_t heap_at;      /* position in the expiry heap; BINDING_NONE: not in it */
	uint32_t older, newer; /* neighbours in the queue of freed ones */
	uint32_t prefix_hash;
	uint8_t lladdr_len;
	uint8_t lladdr[BINDING_LLADDR_MAX];
} __attribute__((aligned(64)));

struct binding_slot {
	uint32_t hash;
	uint32_t id; /* BINDING_NONE: empty */
};

/* Open addressing, linear probing, no tombstones. */
struct binding_index {
	struct binding_slot *slots;
	uint32_t mask;
	uint32_t used;
};

/*
 * One that expires. at_ms may be too early, never too late: a prolonged binding keeps its place
 * until that comes up, so that a renewal costs nothing here.
 */
struct binding_due {
	uint64_t at_ms;
	uint32_t id;
};

struct binding_table {
	uint8_t key[16];
	struct binding **chunks;
	uint32_t n_chunks;
	uint32_t n_begun;   /* numbers given out so far; those behind have never been touched */
	uint32_t free_head; /* of those given back, chained through `older` */
	bool loading;       /* records keep their numbers; vacant ones are in no chain */
	uint32_t n;         /* live bindings, in any state */
	struct binding_index
		by_client; /* hash of the DUID alone: all of a client's stand in one run */
	struct binding_index by_prefix;
	struct binding_due *heap; /* soonest first */
	uint32_t heap_n, heap_size;
	struct {
		uint32_t oldest, newest;
	} freed[3];                /* by kind */
	uint64_t n_by_state[3][4]; /* kind, state */
};

/* key: 16 random bytes, so that nobody can make the indexes collide. -ENOMEM. */
int bindings_init(struct binding_table *t, const uint8_t key[static 16]);
void bindings_done(struct binding_table *t);

struct binding *bindings_get(const struct binding_table *t, uint32_t id);
const uint8_t *binding_duid(const struct binding *b);

/* What a client holds or held for an IA; declined ones are nobody's any more and are not found.
 * NULL: none. */
struct binding *bindings_by_client(const struct binding_table *t, enum binding_kind kind,
				   const uint8_t *duid, size_t duid_len, uint32_t iaid);

/* Of a DUID: for several looks at one client. */
uint32_t bindings_hash(const struct binding_table *t, const uint8_t *duid, size_t duid_len);
struct binding *bindings_find(const struct binding_table *t, uint32_t hash, enum binding_kind kind,
			      const uint8_t *duid, size_t duid_len, uint32_t iaid);

/*
 * Two steps that have a client's bindings in the processor's cache before they are looked up; with
 * a million of them that is most of what a message costs. Some other clients between the steps, and
 * between the second and the look-up, are what hides it.
 */
uint32_t bindings_expect(const struct binding_table *t, const uint8_t *duid, size_t duid_len);
bool bindings_expect_found(const struct binding_table *t, uint32_t expected); /* false: none */
/* The same for one that is about to be added with this prefix. */
void bindings_expect_prefix(const struct binding_table *t, const struct in6_addr *addr,
			    uint8_t plen);

/* All of one client's, of all kinds. */
struct binding_holdings {
	unsigned bound, freed, declined;
	struct binding *a_freed; /* one of the freed; NULL: none */
};
struct binding_holdings bindings_of_client(const struct binding_table *t, uint32_t hash,
					   const uint8_t *duid, size_t duid_len);

/* Whoever has exactly this prefix, in whatever state; NULL: nobody. */
struct binding *bindings_by_prefix(const struct binding_table *t, const struct in6_addr *addr,
				   uint8_t plen);

/*
 * Adds one; the caller has made sure that neither the client's IA nor the prefix is there. -ENOMEM.
 * Lifetimes, state and the rest are the record's.
 */
int bindings_add(struct binding_table *t, const struct binding_record *r,
		 struct binding **ret_binding);
void bindings_remove(struct binding_table *t, struct binding *b);

/*
 * Between these two, in a table to which nothing was given back yet, a record keeps its number
 * where that is vacant and not far beyond how many there are: whoever wrote it finds it there
 * again. expected: about how many come, 0 where nobody knows: there is room for them at once, if
 * there is memory.
 */
void bindings_load_begin(struct binding_table *t, size_t expected);
void bindings_load_end(struct binding_table *t);
/* State and expiry of a binding change through here alone, so that heap, queue and counts follow.
 */
void bindings_set(struct binding_table *t, struct binding *b, enum binding_state state,
		  uint64_t valid_until_ms);

/* Not before this is there anything for bindings_expired(); UINT64_MAX: never. */
uint64_t bindings_deadline(const struct binding_table *t);
/*
 * One whose time is over at now_ms; NULL: none. Each call looks at a bounded number of them: NULL
 * while bindings_deadline() is still not in the future means that there may be more, at another
 * call.
 */
struct binding *bindings_expired(struct binding_table *t, uint64_t now_ms);
/* The one of this kind that was freed first; NULL: none. */
struct binding *bindings_oldest_freed(const struct binding_table *t, enum binding_kind kind);

/* *ret_record points into the binding: valid while that is not changed. */
void binding_to_record(const struct binding *b, struct binding_record *ret_record);

/* Keeps a copy; allocates nothing where they are what they were. -ENOMEM: they are what they were.
 */
int binding_set_details(struct binding *b, const uint8_t *details, size_t len);

/* Calls fn for each until it returns < 0, which is returned. fn must not change the table. */
int bindings_each(const struct binding_table *t, int (*fn)(void *ctx, const struct binding *b),
		  void *ctx);
/* The one with this number or the next after it; NULL after the last. The table may change between
 * calls.
 */
struct binding *bindings_next(const struct binding_table *t, uint32_t id);
/* Bytes that the table has allocated: bindings, indexes, heap. */
size_t bindings_bytes(const struct binding_table *t);
/* Whether the indexes, the heap and the queue agree with each other: for tests and the fuzzer. */
bool bindings_consistent(const struct binding_table *t);
