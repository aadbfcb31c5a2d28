/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we ask of the kernel's packet filter: one table, "inet vbng-INSTANCE", in the namespace that
 * we are in. Its rules stand in nft_rules.c as the text that nft(8) would be given; what they look
 * up and count is nft_sets.h's.
 *
 * RFC 8987 §4.2 R-3: a packet that a subscriber sends into its own delegated prefix, to a part of
 * it that the subscriber does not use, is not sent back to it. The kernel knows which station a
 * packet came from (the frame's source) and to which it would go (the route's next hop): where the
 * two are one, the packet is answered with ICMPv6 type 1 code 6 instead (reject route to
 * destination). Prefixes and their lengths play no part, and traffic between two subscribers
 * passes.
 *
 * BCP 38: a packet from a subscriber whose source is not its own does not get through. Whose a
 * delegated prefix is, is told by the frame's source and the prefix together.
 */
#pragma once

#include "host/nft_rules.h"

enum {
	NFT_WHY_MAX = 256,
	NFT_UNREPORTED = 1,
};

struct nft_guard;

/*
 * The table with its sets, still without rules: from now on, until nft_guard_verdict(), nothing is
 * forwarded from the subscriber interface. What a killed run left of that name goes in the same
 * transaction. The interfaces need not exist yet; instance becomes part of the table's name
 * (characters that nft has a use for become '_'). -EINVAL: a name that no rule can hold ('"', '\',
 * '*', nothing printable); -EOPNOTSUPP, -EPROTONOSUPPORT: the kernel has no nf_tables; -EPERM;
 * -ETIMEDOUT after 5 s.
 */
int nft_guard_open(const struct nft_rules *rules, const char *instance,
		   struct nft_guard **ret_guard);
/* Valid as long as the guard. */
const char *nft_guard_table(const struct nft_guard *g);
/*
 * Starts to load the rules: in a child, because the library that reads them is larger than we are
 * and takes milliseconds; it is gone with the child. Once for a guard. The child is reaped by the
 * process's child watcher, like any other. subscriber: what the interface is called after all (an
 * alternative name may have found it); ethernet: it is one. -EINVAL: a name that no rule can hold;
 * or another errno where there can be no child: then nft_guard_let_pass().
 */
int nft_guard_load(struct nft_guard *g, const char *subscriber, bool ethernet);
/* Readable when the verdict is there, and closed by the verdict: unwatch it before. -1 before
 * nft_guard_load() and after the verdict. */
int nft_guard_fd(const struct nft_guard *g);
/*
 * 0: the rules are in force. NFT_UNREPORTED: likewise, but the kernel cannot report wrong sources,
 * for the reason in why. -EAGAIN: not known yet. Else there are none, everything is forwarded, and
 * why (NFT_WHY_MAX bytes) says what was refused: -ELIBACC: the library cannot be loaded;
 * -EOPNOTSUPP: the kernel took them not; -EIO: the child ended without a word. -ENOTCONN: there is
 * nothing to wait for.
 */
int nft_guard_verdict(struct nft_guard *g, char why[static NFT_WHY_MAX]);
/* Where no rules will come: forwards all the same. -ENOENT: it does already. */
int nft_guard_let_pass(struct nft_guard *g);
/* In a forked child that goes on as another: gives up its copy; the table stays. NULL is allowed.
 */
void nft_guard_drop(struct nft_guard *g);
/* Removes the table, whatever is in it, and frees the guard, unless it is still there: then it may
 * be tried again; waits for a child that still loads (2 s at most) and for the kernel's own tidying
 * up (some 10 ms). NULL is allowed. -ENOENT where somebody removed it before us, -EPERM,
 * -ETIMEDOUT. */
int nft_guard_close(struct nft_guard *g);
