/* SPDX-License-Identifier: GPL-2.0-or-later */
/* WireGuard keys: 32 bytes, 44 characters of base64. */
#pragma once

#include <stdint.h>

enum { WGKEY_LEN = 32, WGKEY_STRLEN = 45 };

/* Strict: 44 characters, canonical base64. -EINVAL. Runs in time independent of the key. */
int wgkey_parse(const char *text, uint8_t ret_key[static WGKEY_LEN]);
void wgkey_format(const uint8_t key[static WGKEY_LEN], char ret_text[static WGKEY_STRLEN]);
/* Curve25519's public key of a private one (RFC 7748). */
void wgkey_public(const uint8_t private_key[static WGKEY_LEN],
		  uint8_t ret_public[static WGKEY_LEN]);
/* Clamps 32 random bytes to a private key, as wg genkey does. */
void wgkey_clamp(uint8_t key[static WGKEY_LEN]);
