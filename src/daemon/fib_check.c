/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/fib_check.h"

#include "base/cleanup.h"

#include <string.h>

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *b = (const uint8_t *)bytes;
	for (size_t i = 0; i < len; i++)
		if (b[i])
			return false;
	return true;
}

static bool on_link(const struct fib_bounds *b, const struct in6_addr *a)
{
	bool there = IN6_IS_ADDR_LINKLOCAL(a);
	for (size_t i = 0; i < b->n_on_link && !there; i++)
		there = prefix6_has_addr(&b->on_link[i], a);
	return there;
}

static bool delegable(const struct fib_bounds *b, const struct prefix6 *p)
{
	bool ours = false;
	for (size_t i = 0; i < ARRAY_LEN(b->delegable) && !ours; i++)
		ours = b->delegable[i].plen && prefix6_contains(&b->delegable[i], p);
	for (size_t i = 0; i < b->n_on_link && ours; i++)
		ours = !prefix6_overlaps(&b->on_link[i], p);
	return ours;
}

static bool allows_route(const struct fib_bounds *b, const struct fib_request *q,
			 const struct prefix6 *p)
{
	if (q->has_lladdr || p->plen == 0 || p->plen == 128)
		return false;
	return q->add ? delegable(b, p) && on_link(b, &q->gateway)
		      : is_zero(&q->gateway, sizeof q->gateway);
}

static bool allows_neighbour(const struct fib_bounds *b, const struct fib_request *q,
			     const struct prefix6 *p)
{
	if (p->plen != 128 || q->has_lladdr != q->add)
		return false;
	return q->add ? on_link(b, &p->addr) : !IN6_IS_ADDR_MULTICAST(&p->addr);
}

static bool allows_station(const struct fib_bounds *b, const struct fib_request *q,
			   const struct prefix6 *p)
{
	return b->table[0] && p->plen == 128 && q->has_lladdr && (!q->add || on_link(b, &p->addr));
}

static bool allows_source(const struct fib_bounds *b, const struct fib_request *q,
			  const struct prefix6 *p)
{
	if (!b->table[0] || !b->shortest)
		return false;
	if (p->plen == 128)
		return !q->add || on_link(b, &p->addr);
	return p->plen >= b->shortest && p->plen <= NFT_LONGEST_PREFIX &&
	       (!q->add || delegable(b, p));
}

bool fib_allows(const struct fib_bounds *b, const struct fib_request *q)
{
	const struct prefix6 p = { q->addr, q->plen };
	if (q->add > 1 || q->has_lladdr > 1 || p.plen > 128 || !prefix6_is_masked(&p) ||
	    !is_zero(q->zero, sizeof q->zero) ||
	    (!q->has_lladdr && !is_zero(q->lladdr, sizeof q->lladdr)) ||
	    (q->kind != FIB_ROUTE && !is_zero(&q->gateway, sizeof q->gateway)))
		return false;
	switch (q->kind) {
	case FIB_ROUTE:
		return allows_route(b, q, &p);
	case FIB_NEIGHBOUR:
		return allows_neighbour(b, q, &p);
	case FIB_STATION:
		return allows_station(b, q, &p);
	case FIB_SOURCE:
		return allows_source(b, q, &p);
	default:
		return false;
	}
}
