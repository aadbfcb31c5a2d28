/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/dnsname.h"

#include <errno.h>
#include <string.h>

enum { LABEL_MAX = 63, NAME_MAX_TEXT = 253, NAME_MAX_WIRE = 255 };

static bool label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* The length without a final dot. */
static size_t text_len(const char *text)
{
	size_t n = strlen(text);
	return n > 0 && text[n - 1] == '.' ? n - 1 : n;
}

bool dnsname_valid(const char *text)
{
	size_t n = text_len(text);
	size_t label = 0;
	if (n == 0 || n > NAME_MAX_TEXT)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!label_char(text[i]) || ++label > LABEL_MAX) {
			return false;
		}
	}
	return label > 0;
}

void dnsname_put(struct wr *w, const char *text)
{
	if (!dnsname_valid(text)) {
		w->full = true;
		return;
	}
	size_t n = text_len(text);
	for (size_t at = 0; at < n;) {
		const char *dot = (const char *)memchr(text + at, '.', n - at);
		size_t label = (dot ? (size_t)(dot - text) : n) - at;
		wr_u8(w, (uint8_t)label);
		wr_bytes(w, text + at, label);
		at += label + 1;
	}
	wr_u8(w, 0);
}

int dnsname_get(struct rd *r, bool partial, char ret_text[static DNSNAME_STRLEN])
{
	char text[DNSNAME_STRLEN];
	size_t n = 0;
	for (;;) {
		if (partial && !r->bad && rd_left(r) == 0)
			break;
		uint8_t label = rd_u8(r);
		if (label == 0)
			break;
		/* Also refuses compression pointers, whose two high bits are set. */
		if (label > LABEL_MAX || n + label + 1 > NAME_MAX_TEXT + 1)
			return -EINVAL;
		const uint8_t *bytes = rd_take(r, label);
		if (!bytes)
			return -EINVAL;
		for (size_t i = 0; i < label; i++) {
			if (!label_char((char)bytes[i]))
				return -EINVAL;
			text[n++] = (char)bytes[i];
		}
		text[n++] = '.';
	}
	if (r->bad)
		return -EINVAL;
	text[n > 0 ? n - 1 : 0] = '\0'; /* in the place of the last dot */
	memcpy(ret_text, text, n > 0 ? n : 1);
	return 0;
}

bool dnsname_formed(struct rd r)
{
	bool ended = false;
	if (rd_left(&r) > NAME_MAX_WIRE)
		return false;
	while (!ended && rd_left(&r) > 0) {
		uint8_t label = rd_u8(&r);
		if (label > LABEL_MAX)
			return false;
		ended = label == 0;
		(void)rd_take(&r, label); /* an overrun stays in r */
	}
	return !r.bad && rd_left(&r) == 0;
}
