/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the packet filter's rules look up, and what they have counted: the part of the table
 * (host/nft.h) that changes while subscribers are served.
 *
 * `stations` holds the link-layer address and the address on the link of whoever a binding of ours
 * leads to: next hops of delegated prefixes, and addresses that we handed out. `addresses` holds
 * the latter alone, `prefixes_<length>` the delegated prefixes of each length with the link-layer
 * address that may send from them. All of them are hash tables: what a change costs does not depend
 * on how many are there.
 */
#pragma once

#include "base/prefix.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NFT_CHANGES_MAX = 4096, /* of each kind, collected before a commit */
	NFT_LLADDR_LEN = 6,     /* Ethernet */
	NFT_LONGEST_PREFIX = 64,
};

/* Changes of a table's sets, collected and made at once. No allocation after its making. */
struct nft_sets;

/* With a socket of its own, of the namespace that we are in. -ENOMEM or socket(2)'s. */
int nft_sets_new(const char *table, struct nft_sets **ret_sets);
void nft_sets_free(struct nft_sets *s); /* NULL is allowed */

/* Adding what is there and removing what is not is no failure. -ENOBUFS: commit first. */
int nft_station_put(struct nft_sets *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *addr);
int nft_station_del(struct nft_sets *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *addr);
/*
 * Who may send from this prefix, at most NFT_LONGEST_PREFIX long and as the guard was opened for
 * (-ERANGE); or of a /128, an address on the link, that only its station may. lladdr NULL: whoever
 * does, for nobody knows its.
 */
int nft_source_put(struct nft_sets *s, const struct prefix6 *prefix, const uint8_t *lladdr);
int nft_source_del(struct nft_sets *s, const struct prefix6 *prefix, const uint8_t *lladdr);
/*
 * Makes what was collected true, of each set in its order, and waits for the kernel's word
 * (-ETIMEDOUT after 5 s). It goes in transactions of some hundreds, each of which is done as a
 * whole or not at all; the first that is refused ends it, with its errno (-ENOENT: there is no such
 * table), and what came after it is forgotten. Empty afterwards in any case.
 */
int nft_sets_commit(struct nft_sets *s);

/* What stands in a set: a station, an address (lladdr is NULL), or a prefix of this length with who
 * may send from it. */
struct nft_element {
	enum nft_set { NFT_STATION, NFT_ADDRESS, NFT_PREFIX } set;
	struct prefix6 prefix;
	const uint8_t *lladdr; /* of a prefix NULL, too: whoever does */
};
/*
 * Reads all sets back, a piece at a time, while changes go on. shortest: of the lengths that the
 * guard was opened for; 0: it was opened for no sources. nft_sets_read_some(): 1: call it again; 0:
 * that was all; else what fn returned below 0, or the kernel's word. What changes meanwhile may be
 * missed.
 */
int nft_sets_read(struct nft_sets *s, uint8_t shortest);
int nft_sets_read_some(struct nft_sets *s, int (*fn)(void *ctx, const struct nft_element *e),
		       void *ctx);
/* In the terms of nft_station_del() and nft_source_del(). */
int nft_element_del(struct nft_sets *s, const struct nft_element *e);

/* Whom the rules have turned away, by the reason. */
enum nft_reason {
	NFT_SOURCE_FOREIGN,     /* a source that no subscriber of ours can have */
	NFT_SOURCE_TAKEN,       /* one of ours that is not theirs */
	NFT_OWN_PREFIX,         /* into an unused part of its own prefix (RFC 8987 §4.2) */
	NFT_ISOLATED,           /* to another subscriber */
	NFT_SUBSCRIBER_SERVICE, /* from a subscriber, to what we do not offer it */
	NFT_UPLINK_SERVICE,     /* the same from the tunnel */
	NFT_FLOOD,              /* ICMPv6 to us, more than one station needs */
	NFT_FLOOD_STRANGERS,    /* the same of all together that hold nothing of ours */
	NFT_FLOOD_DHCPV6,       /* more DHCPv6 than DHCPV6_RATE_LIMIT of one station */
	NFT_REDIRECT,           /* the kernel's own Redirects to subscribers */
	NFT_REASONS,
};
/* What it is called, in the table, too. */
const char *nft_reason_name(enum nft_reason r);

/* Packets so far. -ENOENT: the rules are not in force; -ETIMEDOUT; others of the kernel. */
int nft_counters_read(struct nft_sets *s, uint64_t ret_packets[static NFT_REASONS]);
