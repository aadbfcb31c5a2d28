/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we ask of the kernel's packet filter: one table, "inet vbng-INSTANCE", in the namespace that
 * we are in. Its rules stand in nft.c as the text that nft(8) would be given.
 *
 * RFC 8987 §4.2 R-3: a packet that a subscriber sends into its own delegated prefix, to a part of
 * it that the subscriber does not use, is not sent back to it. The kernel knows which station a
 * packet came from (the frame's source) and to which it would go (the route's next hop): where the
 * two are one, the packet is answered with ICMPv6 type 1 code 6 instead (reject route to
 * destination). `stations` holds what is one: the link-layer address and the link-local next hop of
 * each subscriber that has delegated prefixes. Prefixes and their lengths play no part, and traffic
 * between two subscribers passes.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NFT_TABLE_MAX = 32,      /* bytes of a table's name with its NUL */
	NFT_STATIONS_MAX = 4096, /* collected before a commit */
	NFT_LLADDR_LEN = 6,      /* Ethernet */
	NFT_WHY_MAX = 256,
};

struct nft_guard;

/*
 * The table with its set of stations, still without rules; what a killed run left of that name goes
 * in the same transaction. ifname is the subscriber interface, which need not exist yet; instance
 * becomes part of the table's name (characters that nft has a use for become '_').
 * -EINVAL: a name that no rule can hold ('"', '\', '*', nothing printable); -EOPNOTSUPP,
 * -EPROTONOSUPPORT: the kernel has no nf_tables; -EPERM; -ETIMEDOUT after 5 s.
 */
int nft_guard_open(const char *ifname, const char *instance, struct nft_guard **ret_guard);
/* Valid as long as the guard. */
const char *nft_guard_table(const struct nft_guard *g);
/*
 * Starts to load the rules: in a child, because the library that reads them is larger than we are
 * and takes milliseconds; it is gone with the child. Once for a guard. The child is reaped by the
 * process's child watcher, like any other. Negative errno where there can be no child.
 */
int nft_guard_load(struct nft_guard *g);
/* Readable when the verdict is there, and closed by the verdict: unwatch it before. -1 before
 * nft_guard_load() and after the verdict. */
int nft_guard_fd(const struct nft_guard *g);
/*
 * 0: the rules are in force. -EAGAIN: not known yet. Else none of them is, and why (NFT_WHY_MAX
 * bytes) says what was refused: -ELIBACC: the library cannot be loaded; -EOPNOTSUPP: the kernel
 * took them not; -EIO: the child ended without a word. -ENOTCONN: there is nothing to wait for.
 */
int nft_guard_verdict(struct nft_guard *g, char why[static NFT_WHY_MAX]);
/* In a forked child that goes on as another: gives up its copy; the table stays. NULL is allowed.
 */
void nft_guard_drop(struct nft_guard *g);
/* Removes the table, whatever is in it, and frees the guard; waits for a child that still loads (2
 * s at most) and for the kernel's own tidying up (some 10 ms). NULL is allowed. -ENOENT where
 * somebody removed it before us, -EPERM, -ETIMEDOUT. */
int nft_guard_close(struct nft_guard *g);

/* Changes of a table's stations, collected and made at once. No allocation after its making. */
struct nft_stations;

/* With a socket of its own, of the namespace that we are in. -ENOMEM or socket(2)'s. */
int nft_stations_new(const char *table, struct nft_stations **ret_stations);
void nft_stations_free(struct nft_stations *s); /* NULL is allowed */

/* Adding what is there and removing what is not is no failure. -ENOBUFS: commit first. */
int nft_station_put(struct nft_stations *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *next_hop);
int nft_station_del(struct nft_stations *s, const uint8_t lladdr[static NFT_LLADDR_LEN],
		    const struct in6_addr *next_hop);
/* Removes all, those too that were collected before. */
int nft_station_flush(struct nft_stations *s);

/*
 * Makes what was collected true, in its order, and waits for the kernel's word (-ETIMEDOUT after 5
 * s). It goes in transactions of some hundreds, each of which is done as a whole or not at all; the
 * first that is refused ends it, with its errno (-ENOENT: there is no such table), and what came
 * after it is forgotten. Empty afterwards in any case.
 */
int nft_station_commit(struct nft_stations *s);
