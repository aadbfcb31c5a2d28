/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dnsmasq says, as it comes out of its pipe: however it is cut into reads (the first byte says
 * into which), the same lines are told, each once, in order, without an end of a line or a NUL, and
 * no longer than what was said; and the last one is the one that is told when it ends.
 */
#include "daemon/dns.h"
#include "daemon/dns_lines.h"
#include "fuzz/fuzz.h"

#include <string.h>

enum { TEXT_MAX = 8192 };

struct heard {
	size_t n, len;
	char text[TEXT_MAX]; /* each with its NUL */
};

static void on_line(void *ctx, const char *text)
{
	struct heard *h = (struct heard *)ctx;
	size_t len = strlen(text);
	FUZZ_CHECK(len > 0 && len < DNS_LINE_MAX && !strchr(text, '\n'));
	h->n++;
	if (h->len + len + 1 <= sizeof h->text) {
		memcpy(h->text + h->len, text, len + 1);
		h->len += len + 1;
	}
}

static void hear(const uint8_t *data, size_t size, size_t piece, struct heard *h)
{
	static struct dns_lines l;
	memset(&l, 0, sizeof l);
	memset(h, 0, sizeof *h);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(n); /* of just that size, for a sanitizer to see its end */
		FUZZ_CHECK(copy);
		memcpy(copy, data + at, n);
		dns_lines_read(&l, copy, n, on_line, h);
		free(copy);
		FUZZ_CHECK(l.len < sizeof l.line && strlen(l.last) < sizeof l.last);
	}
	/* Begun by one, not ended by the next. */
	struct dns_lines other = l;
	dns_lines_end(&other);
	dns_lines_read(&other, "x\n", 2, NULL, NULL);
	FUZZ_CHECK(strcmp(other.last, "x") == 0);
	dns_lines_read(&l, "\n", 1, on_line, h);
	if (h->n > 0 && h->len < sizeof h->text - DNS_LINE_MAX) {
		size_t last = h->len - strlen(l.last) - 1;
		FUZZ_CHECK(strcmp(h->text + last, l.last) == 0);
	}
}

/* What each line says, found otherwise: its bytes up to a NUL, cut, without the prefix. */
static void check_text(const uint8_t *data, size_t size, const struct heard *h)
{
	size_t n = 0, told = 0;
	for (size_t at = 0; at <= size; at++) {
		const uint8_t *end = at < size ? memchr(data + at, '\n', size - at) : NULL;
		size_t len = end ? (size_t)(end - data) - at : size - at;
		char line[DNS_LINE_MAX] = "";
		size_t cut = len < sizeof line - 1 ? len : sizeof line - 1;
		if (cut > 0)
			memcpy(line, data + at, cut);
		const char *text = line, *colon = strstr(line, ": ");
		if (strncmp(line, DNS_PROGRAM, strlen(DNS_PROGRAM)) == 0 && colon)
			text = colon + 2;
		if (*text) {
			FUZZ_CHECK(told == h->len || strcmp(h->text + told, text) == 0);
			told += told < h->len ? strlen(text) + 1 : 0;
			n++;
		}
		at += len;
	}
	FUZZ_CHECK(n == h->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heard whole, pieces;
	if (size == 0)
		return 0;
	size_t piece = data[0] ? data[0] : 1;
	data++;
	size--;
	hear(data, size, size ? size : 1, &whole);
	hear(data, size, piece, &pieces);
	FUZZ_CHECK(memcmp(&whole, &pieces, sizeof whole) == 0);
	check_text(data, size, &whole);
	return 0;
}
