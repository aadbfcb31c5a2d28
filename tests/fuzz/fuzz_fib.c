/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server that somebody has taken over may ask of the process that changes the kernel's
 * tables: the input is requests, one after the other. Whatever is allowed to be added leads what is
 * ours to the link, and is nothing of the link's own network; looked at bit by bit, not with what
 * the check itself computes with.
 */
#include "fuzz/fuzz.h"
#include "daemon/fib_check.h"

#include <string.h>

/* 2001:db8::/32 is ours, 2001:db8:0:1::/64 the link's. */
static const uint8_t ours[4] = { 0x20, 1, 0xd, 0xb8 };
static const uint8_t network[8] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1 };

static bool begins(const struct in6_addr *a, const uint8_t *with, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if ((a->s6_addr[i / 8] ^ with[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool at_the_link(const struct in6_addr *a)
{
	static const uint8_t local[2] = { 0xfe, 0x80 };
	return begins(a, local, 10) || begins(a, network, 64);
}

static void look(const struct fib_bounds *b, const struct fib_request *q)
{
	if (!fib_allows(b, q))
		return;
	FUZZ_CHECK(q->kind >= FIB_ROUTE && q->kind <= FIB_SOURCE && q->add <= 1 && q->plen <= 128);
	for (unsigned i = q->plen; i < 128; i++)
		FUZZ_CHECK(!(q->addr.s6_addr[i / 8] >> (7 - i % 8) & 1));
	if (!q->add)
		return;
	if (q->kind == FIB_NEIGHBOUR || q->kind == FIB_STATION || q->plen == 128) {
		FUZZ_CHECK(q->kind != FIB_ROUTE && q->plen == 128 && at_the_link(&q->addr));
		return;
	}
	FUZZ_CHECK(q->plen > 32 && begins(&q->addr, ours, 32));
	FUZZ_CHECK(!begins(&q->addr, network, q->plen < 64 ? q->plen : 64));
	FUZZ_CHECK(q->kind != FIB_ROUTE || at_the_link(&q->gateway));
	FUZZ_CHECK(q->kind != FIB_SOURCE || (b->table[0] && b->shortest && q->plen >= b->shortest &&
					     q->plen <= NFT_LONGEST_PREFIX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fib_bounds b = { .ifindex = 7, .delegable = { { .plen = 32 } }, .n_on_link = 1 };
	if (size < 1)
		return 0;
	memcpy(&b.delegable[0].addr, ours, sizeof ours);
	b.on_link[0].plen = 64;
	memcpy(&b.on_link[0].addr, network, sizeof network);
	if (data[0] & 1)
		memcpy(b.table, "vbng", 5);
	b.shortest = data[0] & 2 ? 48 : 0;
	for (size_t at = 1; size - at >= sizeof(struct fib_request);
	     at += sizeof(struct fib_request)) {
		struct fib_request q;
		memcpy(&q, data + at, sizeof q);
		look(&b, &q);
	}
	return 0;
}
