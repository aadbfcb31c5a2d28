/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCP Unique Identifiers (RFC 9915 §11). To a server they are opaque bytes; only our own is
 * composed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DUID_MAX = 255, /* §11.1 bounds them to 130 with their type; some clients know no bounds */
	DUID_STRLEN = 3 * DUID_MAX,
};

struct duid {
	uint8_t len; /* 1 to DUID_MAX; 0: none */
	uint8_t bytes[DUID_MAX];
};

bool duid_equal(const struct duid *a, const struct duid *b);
/* "00:03:00:01:…" into buf, which is returned. */
const char *duid_format(const uint8_t *bytes, size_t len, char buf[static DUID_STRLEN]);
/* Parses hex pairs with or without ':' between them. -EINVAL. */
int duid_parse(const char *text, struct duid *ret_duid);
/* A DUID-UUID (type 4, RFC 6355) out of 16 random bytes. */
struct duid duid_from_uuid(const uint8_t uuid[static 16]);
/* The Ethernet address in a DUID-LL or DUID-LLT of hardware type 1. False where it is another kind.
 */
bool duid_ethernet(const uint8_t *bytes, size_t len, uint8_t ret_mac[static 6]);
