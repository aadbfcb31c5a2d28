/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dns_lines.h"

#include "daemon/dns.h"

#include <string.h>

static void end_line(struct dns_lines *l, void (*fn)(void *ctx, const char *text), void *ctx)
{
	l->line[l->len] = '\0';
	l->len = 0;
	const char *text = strncmp(l->line, DNS_PROGRAM, strlen(DNS_PROGRAM)) == 0
				   ? strstr(l->line, ": ")
				   : NULL;
	text = text ? text + 2 : l->line;
	if (!*text)
		return;
	memcpy(l->last, text, strlen(text) + 1);
	if (fn)
		fn(ctx, l->last);
}

void dns_lines_read(struct dns_lines *l, const char *bytes, size_t n,
		    void (*fn)(void *ctx, const char *text), void *ctx)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			end_line(l, fn, ctx);
		else if (l->len + 1 < sizeof l->line)
			l->line[l->len++] = bytes[i];
	}
}

void dns_lines_end(struct dns_lines *l)
{
	l->len = 0;
}
