/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv6 prefixes: arithmetic and text. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* plen in bits, 0 to 128. Bits behind plen are zero in a prefix and may be set in an interface's
 * address. */
struct prefix6 {
	struct in6_addr addr;
	uint8_t plen;
};

enum { PREFIX6_STRLEN = INET6_ADDRSTRLEN + 4 };

/*
 * Parses "ADDR/LEN", or "ADDR" with default_plen. Keeps the bits behind the length (see
 * prefix6_masked). -EINVAL: no IPv6 address or length; -EDOM: no length given and default_plen is
 * negative.
 */
int prefix6_parse(const char *text, int default_plen, struct prefix6 *ret_prefix);

/* Writes "ADDR/LEN" into buf and returns buf. */
const char *prefix6_format(const struct prefix6 *p, char buf[static PREFIX6_STRLEN]);
const char *in6_format(const struct in6_addr *a, char buf[static INET6_ADDRSTRLEN]);

/* The prefix with the bits behind its length cleared. */
struct prefix6 prefix6_masked(const struct prefix6 *p);
bool prefix6_is_masked(const struct prefix6 *p);

bool prefix6_equal(const struct prefix6 *a, const struct prefix6 *b);
bool prefix6_has_addr(const struct prefix6 *p, const struct in6_addr *a);
/* True where inner lies wholly in outer (equal counts). */
bool prefix6_contains(const struct prefix6 *outer, const struct prefix6 *inner);
bool prefix6_overlaps(const struct prefix6 *a, const struct prefix6 *b);

/* How many prefixes of sub_plen bits there are in p, as a power of two; saturates at 63. sub_plen
 * >= p->plen. */
unsigned prefix6_count_log2(const struct prefix6 *p, uint8_t sub_plen);
/* The index-th prefix of sub_plen bits in p, counted from 0; index < 2^prefix6_count_log2(). */
struct prefix6 prefix6_nth(const struct prefix6 *p, uint8_t sub_plen, uint64_t index);
/* The inverse: which of p's prefixes of sub_plen bits holds a. Undefined where a is outside p. */
uint64_t prefix6_index_of(const struct prefix6 *p, uint8_t sub_plen, const struct in6_addr *a);
/* An address in p: its bits from p, the rest from iid's low 64 bits (for plen <= 64). */
struct in6_addr prefix6_with_iid(const struct prefix6 *p, uint64_t iid);
