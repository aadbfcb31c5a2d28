/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server may ask of the process that changes the kernel's tables (daemon/fib.h), and
 * whether it is within what init said when it forked the two. Pure: the server's own requests are
 * looked at before they are made, and once more by whoever carries them out.
 */
#pragma once

#include "base/prefix.h"
#include "host/nft.h"
#include "host/nft_sets.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FIB_ON_LINK_MAX = 8,
	FIB_LLADDR_LEN = NFT_LLADDR_LEN, /* Ethernet: other links have no entries of ours */
};

struct fib_bounds {
	unsigned ifindex;            /* of the subscriber interface */
	struct prefix6 delegable[2]; /* ASSIGNED_PREFIX and the pool; of length 0: none */
	size_t n_on_link;
	struct prefix6 on_link[FIB_ON_LINK_MAX]; /* the transfer networks */
	char table[NFT_TABLE_MAX];               /* the packet filter's; "": there is none */
	uint8_t shortest; /* of the prefixes that it tells apart; 0: it knows no sources */
};

enum fib_kind {
	FIB_ROUTE =
		1, /* of addr/plen, over gateway; metric, protocol and interface are not asked */
	FIB_NEIGHBOUR, /* addr, permanent, at lladdr; on the subscriber interface */
	FIB_STATION,   /* lladdr and addr, in the filter */
	FIB_SOURCE,    /* addr/plen and who may send from it (any: anybody), there */
};

/* In memory that both share. What a kind does not need is zero. */
struct fib_request {
	uint8_t kind;
	uint8_t add;        /* 1; 0: remove it */
	uint8_t plen;       /* of addr */
	uint8_t has_lladdr; /* 1, 0 */
	uint8_t lladdr[FIB_LLADDR_LEN];
	uint8_t zero[2];
	struct in6_addr addr;
	struct in6_addr gateway;
};

/*
 * Whether it may be done. Added is only what is ours to give: routes and sources of prefixes in
 * `delegable` that leave the networks on the link alone, over a next hop on the link; neighbours,
 * stations and sources of addresses on the link. Removed may be whatever has the form of that: our
 * protocol's routes of our metric, neighbours on our interface, elements of our own sets.
 */
bool fib_allows(const struct fib_bounds *b, const struct fib_request *q);
