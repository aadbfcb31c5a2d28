/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/prefix.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

typedef unsigned __int128 u128;

static u128 addr_to_u128(const struct in6_addr *a)
{
	uint64_t half[2];
	memcpy(half, a, sizeof half);
	return (u128)be64toh(half[0]) << 64 | be64toh(half[1]);
}

static struct in6_addr addr_from_u128(u128 v)
{
	const uint64_t half[2] = { htobe64((uint64_t)(v >> 64)), htobe64((uint64_t)v) };
	struct in6_addr a;
	memcpy(&a, half, sizeof a);
	return a;
}

/* Ones in the first plen bits. A shift by the whole width is undefined in C, hence the case. */
static u128 mask_of(unsigned plen)
{
	return plen == 0 ? 0 : ~(u128)0 << (128 - plen);
}

/* One to three digits, at most 128; no sign, no space, nothing behind. */
static int parse_plen(const char *text, uint8_t *ret_plen)
{
	size_t n = strlen(text);
	unsigned v = 0;
	if (n == 0 || n > 3)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > 128)
		return -EINVAL;
	*ret_plen = (uint8_t)v;
	return 0;
}

int prefix6_parse(const char *text, int default_plen, struct prefix6 *ret_prefix)
{
	const char *slash = strchr(text, '/');
	size_t addr_len = slash ? (size_t)(slash - text) : strlen(text);
	char addr_text[INET6_ADDRSTRLEN];
	struct prefix6 p;
	if (addr_len >= sizeof addr_text)
		return -EINVAL;
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = '\0';
	if (inet_pton(AF_INET6, addr_text, &p.addr) != 1)
		return -EINVAL;
	if (slash) {
		int r = parse_plen(slash + 1, &p.plen);
		if (r < 0)
			return r;
	} else if (default_plen < 0) {
		return -EDOM;
	} else {
		assert(default_plen <= 128);
		p.plen = (uint8_t)default_plen;
	}
	*ret_prefix = p;
	return 0;
}

const char *in6_format(const struct in6_addr *a, char buf[static INET6_ADDRSTRLEN])
{
	const char *text = inet_ntop(AF_INET6, a, buf, INET6_ADDRSTRLEN);
	assert(text); /* fails only for an unknown family or a short buffer */
	return text;
}

const char *prefix6_format(const struct prefix6 *p, char buf[static PREFIX6_STRLEN])
{
	(void)in6_format(&p->addr, buf); /* returns buf */
	size_t n = strlen(buf);
	buf[n++] = '/';
	if (p->plen >= 100)
		buf[n++] = (char)('0' + p->plen / 100);
	if (p->plen >= 10)
		buf[n++] = (char)('0' + p->plen / 10 % 10);
	buf[n++] = (char)('0' + p->plen % 10);
	buf[n] = '\0';
	return buf;
}

struct prefix6 prefix6_masked(const struct prefix6 *p)
{
	return (struct prefix6){ .addr = addr_from_u128(addr_to_u128(&p->addr) & mask_of(p->plen)),
				 .plen = p->plen };
}

bool prefix6_is_masked(const struct prefix6 *p)
{
	return (addr_to_u128(&p->addr) & ~mask_of(p->plen)) == 0;
}

bool prefix6_equal(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->plen == b->plen && memcmp(&a->addr, &b->addr, sizeof a->addr) == 0;
}

bool prefix6_has_addr(const struct prefix6 *p, const struct in6_addr *a)
{
	return ((addr_to_u128(&p->addr) ^ addr_to_u128(a)) & mask_of(p->plen)) == 0;
}

bool prefix6_contains(const struct prefix6 *outer, const struct prefix6 *inner)
{
	return inner->plen >= outer->plen && prefix6_has_addr(outer, &inner->addr);
}

bool prefix6_overlaps(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->plen <= b->plen ? prefix6_contains(a, b) : prefix6_contains(b, a);
}

unsigned prefix6_count_log2(const struct prefix6 *p, uint8_t sub_plen)
{
	assert(sub_plen >= p->plen && sub_plen <= 128);
	unsigned bits = (unsigned)sub_plen - p->plen;
	return bits > 63 ? 63 : bits;
}

struct prefix6 prefix6_nth(const struct prefix6 *p, uint8_t sub_plen, uint64_t index)
{
	assert(sub_plen >= p->plen && sub_plen <= 128);
	assert(sub_plen - p->plen > 63 || index >> (sub_plen - p->plen) == 0);
	u128 base = addr_to_u128(&p->addr) & mask_of(p->plen);
	u128 offset = sub_plen == 0 ? 0 : (u128)index << (128 - sub_plen);
	return (struct prefix6){ .addr = addr_from_u128(base | offset), .plen = sub_plen };
}

uint64_t prefix6_index_of(const struct prefix6 *p, uint8_t sub_plen, const struct in6_addr *a)
{
	assert(sub_plen >= p->plen && sub_plen <= 128);
	u128 inside = addr_to_u128(a) & ~mask_of(p->plen);
	return sub_plen == 0 ? 0 : (uint64_t)(inside >> (128 - sub_plen));
}

struct in6_addr prefix6_with_iid(const struct prefix6 *p, uint64_t iid)
{
	u128 mask = mask_of(p->plen);
	return addr_from_u128((addr_to_u128(&p->addr) & mask) | ((u128)iid & ~mask));
}
