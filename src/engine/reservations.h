/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefixes and addresses that are set down for somebody: a client by its DUID, its Ethernet
 * address, or the port that a relay tells of (Interface-Id). Nobody else is given them.
 */
#pragma once

#include "base/prefix.h"
#include "engine/bindings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reservation_by { RESERVED_FOR_DUID, RESERVED_FOR_LLADDR, RESERVED_FOR_INTERFACE_ID };

struct reservation {
	enum reservation_by by;
	uint8_t key_len; /* a link-layer address has 6 */
	uint8_t key[DUID_MAX];
	bool has_iaid;
	uint32_t iaid; /* for this IA alone */
	enum binding_kind kind;
	struct prefix6 prefix; /* an address has plen 128 */
	unsigned line;         /* of the text that it comes from, 0: none */
};

struct reservations;

/*
 * Copies and sorts the list. -EEXIST: two of them overlap, and *ret_clash (may be NULL) is the
 * later one, by its line; -ENOMEM.
 */
int reservations_new(const struct reservation *list, size_t n,
		     struct reservations **ret_reservations, struct reservation *ret_clash);
void reservations_free(struct reservations *r);          /* NULL is allowed */
size_t reservations_count(const struct reservations *r); /* 0 for NULL */
const struct reservation *reservations_nth(const struct reservations *r, size_t i);

/* The one that overlaps this; NULL: none. r may be NULL. */
const struct reservation *reservations_at(const struct reservations *r,
					  const struct prefix6 *prefix);

/* Calls fn for each that is for this key, in the order of their lines, until it returns true.
 * Whether it did. r may be NULL. */
bool reservations_for(const struct reservations *r, enum reservation_by by, const uint8_t *key,
		      size_t key_len, bool (*fn)(void *ctx, const struct reservation *one),
		      void *ctx);
