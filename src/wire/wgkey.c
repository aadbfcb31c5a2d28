/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base64 is done here and not by nettle's codec, whose table look-ups depend on the key's bits: a
 * cache tells them to whoever shares it.
 */
#include "wire/wgkey.h"

#include <errno.h>
#include <nettle/curve25519.h>
#include <string.h>

enum { GROUPS = 11, TEXT_LEN = WGKEY_STRLEN - 1 };

/* All ones where lo <= v <= hi, else 0, without a branch. */
static int between(int v, int lo, int hi)
{
	return ((lo - 1 - v) & (v - hi - 1)) >> 31;
}

static char encode6(int v)
{
	int c = 0;
	c |= between(v, 0, 25) & (v + 'A');
	c |= between(v, 26, 51) & (v - 26 + 'a');
	c |= between(v, 52, 61) & (v - 52 + '0');
	c |= between(v, 62, 62) & '+';
	c |= between(v, 63, 63) & '/';
	return (char)c;
}

/* 0 to 63, or -1 */
static int decode6(char ch)
{
	int c = (unsigned char)ch;
	int v = -1;
	v += between(c, 'A', 'Z') & (c - 'A' + 1);
	v += between(c, 'a', 'z') & (c - 'a' + 26 + 1);
	v += between(c, '0', '9') & (c - '0' + 52 + 1);
	v += between(c, '+', '+') & (62 + 1);
	v += between(c, '/', '/') & (63 + 1);
	return v;
}

int wgkey_parse(const char *text, uint8_t ret_key[static WGKEY_LEN])
{
	uint8_t key[GROUPS * 3] = { 0 }; /* the last group's third byte is padding */
	int bad = 0;
	if (strlen(text) != TEXT_LEN || text[TEXT_LEN - 1] != '=')
		return -EINVAL;
	for (size_t g = 0; g < GROUPS; g++) {
		const char *c = text + g * 4;
		int v[4] = { decode6(c[0]), decode6(c[1]), decode6(c[2]),
			     g == GROUPS - 1 ? 0 : decode6(c[3]) };
		bad |= (v[0] | v[1] | v[2] | v[3]) < 0;
		uint32_t bits = (uint32_t)(v[0] & 63) << 18 | (uint32_t)(v[1] & 63) << 12 |
				(uint32_t)(v[2] & 63) << 6 | (uint32_t)(v[3] & 63);
		key[g * 3] = (uint8_t)(bits >> 16);
		key[g * 3 + 1] = (uint8_t)(bits >> 8);
		key[g * 3 + 2] = (uint8_t)bits;
	}
	/* Canonical: the bits behind the 32nd byte are zero. */
	bad |= key[WGKEY_LEN] != 0;
	if (!bad)
		memcpy(ret_key, key, WGKEY_LEN);
	explicit_bzero(key, sizeof key);
	return bad ? -EINVAL : 0;
}

void wgkey_format(const uint8_t key[static WGKEY_LEN], char ret_text[static WGKEY_STRLEN])
{
	for (size_t g = 0; g < GROUPS; g++) {
		const uint8_t *k = key + g * 3;
		char *c = ret_text + g * 4;
		uint32_t third = g == GROUPS - 1 ? 0 : k[2];
		uint32_t bits = (uint32_t)k[0] << 16 | (uint32_t)k[1] << 8 | third;
		for (int i = 0; i < 4; i++)
			c[i] = encode6((int)(bits >> (18 - 6 * i) & 63));
	}
	ret_text[TEXT_LEN - 1] = '=';
	ret_text[TEXT_LEN] = '\0';
}

void wgkey_public(const uint8_t private_key[static WGKEY_LEN], uint8_t ret_public[static WGKEY_LEN])
{
	_Static_assert(WGKEY_LEN == CURVE25519_SIZE, "a WireGuard key is a Curve25519 one");
	curve25519_mul_g(ret_public, private_key);
}

void wgkey_clamp(uint8_t key[static WGKEY_LEN])
{
	key[0] &= 248;
	key[WGKEY_LEN - 1] = (uint8_t)((key[WGKEY_LEN - 1] & 127) | 64);
}
