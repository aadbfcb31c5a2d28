/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The internet checksum (RFC 1071) of what we hand to a packet socket, where the kernel fills in
 * none. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds bytes to a sum that begins with 0; a last odd one counts as the upper half of a word, so
 * that only the last piece may be odd. */
static inline uint64_t checksum_add(uint64_t s, const void *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	for (; len >= 4; p += 4, len -= 4) {
		uint32_t word;
		memcpy(&word, p, sizeof word);
		s += word; /* 2^16 = 1 modulo 2^16 - 1: wider words add up to the same */
	}
	uint8_t rest[4] = { 0 };
	memcpy(rest, p, len);
	uint32_t word;
	memcpy(&word, rest, sizeof word);
	return s + word;
}

/* As it stands in a header; never 0, which for UDP would mean none (RFC 8200 §8.1) and elsewhere is
 * the same number. */
static inline uint16_t checksum_end(uint64_t s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16 & 0xffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	uint16_t c = (uint16_t)~s;
	return c ? c : 0xffff;
}
