/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which subscriber has which name in DNS_ZONE. A name comes from the client FQDN option (RFC 4704)
 * that is kept with a binding, and belongs to the client's addresses (IA_NA); what is inside a
 * delegated prefix, its CPE names. When several clients want one name, the first keeps it until the
 * last of its addresses is gone, then it is the next one's.
 *
 * Pure, and the only place where bytes of a subscriber become text for a resolver: what comes out
 * are letters a to z, digits and '-', never anything else.
 */
#pragma once

#include "base/buf.h"
#include "engine/bindings.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAME_STRLEN = 64, /* a label of 63 and its end */
	NAMES_SHARDS = 64,
	NAMES_LINE_MAX = 64, /* addresses that have one name or wait for it */
};

/* Our own in the zone; nobody else can have it. */
#define NAMES_ROUTER "router"

/*
 * The name that a client FQDN option's body (RFC 4704 §4: flags, then a name in wire format that
 * may lack its end) gives: what stands before the zone, with upper case folded; every run of bytes
 * that are no letters or digits becomes one '-', and those at the ends go; at most 63. False where
 * there is none: nothing is left, the wire format is broken (cut, compressed, longer than 255, with
 * something behind its end), the client wants none (flag N), or it is one that nobody can have:
 * the router's, localhost, and wpad and isatap, by which a neighbour could lead others astray.
 * zone: in lower case, without a final dot.
 */
bool name_of_fqdn(struct rd body, const char *zone, char ret_name[static NAME_STRLEN]);

struct names;

/* zone is copied (as in name_of_fqdn(); at most 253 characters); key: 16 random bytes. -ENOMEM. */
int names_new(const char *zone, const uint8_t key[static 16], struct names **ret_names);
void names_free(struct names *n); /* NULL is allowed */

/*
 * What a binding's change means: a bound address takes its name, a binding that is no more (or
 * erased) loses it. Others change nothing. Where NAMES_LINE_MAX are in line for the name, the
 * address goes without until it is followed again, with the client's next RENEW. -ENOMEM: likewise.
 */
int names_follow(struct names *n, const struct binding_record *r, bool erased);

/*
 * From before a restart: this address was in line for the name at this place. Call in the order in
 * which names_lines() told them, before the bindings come; names_settle() then drops the places
 * that nobody came for. -EINVAL: no name.
 */
int names_remember(struct names *n, const struct in6_addr *addr, const char *name);
/* The same of a line "ADDRESS NAME" as it was kept, with or without its newline. line is changed.
 */
int names_remember_line(struct names *n, char *line);
void names_settle(struct names *n);

/*
 * Addresses that have a name are in shards by address, lines for a name by name: what was in one of
 * them is there after every restart. Bit 1 << shard each.
 */
struct names_changes {
	uint64_t having; /* of names_having() */
	uint64_t lines;  /* of names_lines() */
};
/* Those that changed since this was last asked. */
struct names_changes names_changed(struct names *n);
/* Whether names_changed() would tell of any. */
bool names_pending(const struct names *n);
/* Calls fn for each address in a shard that has a name (or that is in line for one, those of a name
 * in their order), until it returns < 0, which is returned. fn must not change the table. */
int names_having(const struct names *n, unsigned shard,
		 int (*fn)(void *ctx, const struct in6_addr *addr, const char *name), void *ctx);
int names_lines(const struct names *n, unsigned shard,
		int (*fn)(void *ctx, const struct in6_addr *addr, const char *name), void *ctx);

/* Names that somebody has, and clients' addresses that wait for one. */
size_t names_given(const struct names *n);
size_t names_waiting(const struct names *n);
/* Whether indexes, lists and counts agree: for tests. */
bool names_consistent(const struct names *n);
