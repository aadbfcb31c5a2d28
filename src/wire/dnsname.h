/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS names on the wire (RFC 1035 §3.1), uncompressed as RFC 9915 §10 and RFC 8106 want them. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { DNSNAME_STRLEN = 256 };

/* A name as text (with or without a final dot): letters, digits, '-' and '_', labels of 1 to 63,
 * 253 in all. */
bool dnsname_valid(const char *text);
/* Writes it as labels with the root's zero byte. Sets w->full where it is no valid name. */
void dnsname_put(struct wr *w, const char *text);
/* Reads one name, no compression; a missing root byte at the end of the cursor is allowed where
 * partial is (RFC 4704 §4.2). -EINVAL. */
int dnsname_get(struct rd *r, bool partial, char ret_text[static DNSNAME_STRLEN]);
/* Whether that is one name and nothing else, of labels with any bytes in them, at most 255 octets
 * in all; its end may be missing, and so may all of it (RFC 4704 §4.2). */
bool dnsname_formed(struct rd r);
