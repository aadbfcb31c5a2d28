/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "base/siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t le64(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

uint64_t siphash24(const uint8_t key[static 16], const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	uint64_t k0 = le64(key, 8);
	uint64_t k1 = le64(key + 8, 8);
	/* The constants spell "somepseudorandomlygeneratedbytes". */
	struct sip s = {
		.v0 = k0 ^ 0x736f6d6570736575U,
		.v1 = k1 ^ 0x646f72616e646f6dU,
		.v2 = k0 ^ 0x6c7967656e657261U,
		.v3 = k1 ^ 0x7465646279746573U,
	};
	size_t left = len;
	for (; left >= 8; left -= 8, p += 8)
		sip_word(&s, le64(p, 8));
	/* The last word: what is left, and the length's low byte on top. */
	sip_word(&s, (left > 0 ? le64(p, left) : 0) | (uint64_t)(len & 0xff) << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
