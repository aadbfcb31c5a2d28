/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bindings: which client (DUID, IAID) holds which address or delegated prefix (RFC 9915 §4.2), in one table with three
 * indexes: by client, by prefix, by expiry. All instants are milliseconds of the monotonic clock.
 */
#pragma once

#include "base/prefix.h"
#include "wire/duid.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum binding_kind { BINDING_NA = 1, BINDING_PD = 2 };

/* Only a bound one is the client's and has a route. The others keep a prefix from being handed to somebody else too soon. */
enum binding_state {
	BINDING_BOUND = 1,
	BINDING_FREED = 2,    /* released or expired: remembered for its client, reused last, oldest first */
	BINDING_DECLINED = 3, /* set aside until valid_until_ms (RFC 9915 §18.3.8) */
};

enum { BINDING_LLADDR_MAX = 8, BINDING_FQDN_MAX = 255, BINDING_RELAY_ID_MAX = 64 };

/* A binding as a value: what the store keeps and what the command line shows. */
struct binding_record {
	enum binding_kind kind;
	enum binding_state state;
	struct duid duid;
	uint32_t iaid;
	struct prefix6 prefix;        /* an address has plen 128 */
	struct in6_addr next_hop;     /* the client's (or its relay's) address: the route's gateway */
	uint8_t lladdr_len;           /* the client's link-layer address; 0: unknown */
	uint8_t lladdr[BINDING_LLADDR_MAX];
	uint32_t preferred_lft_s;     /* as last granted */
	uint32_t valid_lft_s;
	uint64_t granted_at_ms;       /* when it was last granted */
	uint64_t valid_until_ms;      /* UINT64_MAX: for ever */
};
