/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dnsmasq says, cut into lines: bytes of a program that reads what anybody sends. */
#pragma once

#include <stddef.h>

enum { DNS_LINE_MAX = 256 }; /* with its NUL; what is longer is cut */

struct dns_lines {
	char line[DNS_LINE_MAX]; /* so far */
	size_t len;
	char last[DNS_LINE_MAX]; /* the latest whole one that says something; "": none yet */
};

/*
 * Calls fn (NULL: nobody) for each line that ends in bytes and says something, without what
 * dnsmasq puts before its own (its name and process id). A NUL ends what a line says. text is
 * l->last. Lines that were begun go on with the next bytes.
 */
void dns_lines_read(struct dns_lines *l, const char *bytes, size_t n,
		    void (*fn)(void *ctx, const char *text), void *ctx);
/* What was begun will not go on: another dnsmasq begins anew. */
void dns_lines_end(struct dns_lines *l);
