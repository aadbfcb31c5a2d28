/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests on the control socket. What is none is refused; what is one is one of the words, and
 * what it clears is what it names and nothing else: no binding outside a prefix, none of another
 * client, and not all of them unless it says so.
 */
#include "fuzz/fuzz.h"
#include "control/request.h"

#include <errno.h>
#include <string.h>

static struct binding some_binding(uint8_t n)
{
	struct binding b = { .kind = BINDING_PD, .plen = 56, .duid_len = 10 };
	const uint8_t addr[8] = { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, n };
	memcpy(&b.addr, addr, sizeof addr);
	memcpy(b.duid.here, "\0\3\0\1\2\0\0\0\0", 9);
	b.duid.here[9] = n;
	return b;
}

static void check_selector(const struct control_asked *asked)
{
	const struct control_selector *w = &asked->which;
	FUZZ_CHECK(w->all == (strcmp(asked->argument, "all") == 0));
	FUZZ_CHECK(w->all || w->prefix.plen || w->duid.len);
	for (unsigned n = 0; n < 256; n++) {
		const struct binding b = some_binding((uint8_t)n);
		const struct prefix6 p = { b.addr, b.plen };
		bool named = (w->duid.len == 10 && memcmp(w->duid.bytes, b.duid.here, 10) == 0) ||
			     (w->prefix.plen && prefix6_contains(&w->prefix, &p));
		FUZZ_CHECK(control_selects(w, &b) == (w->all || named));
	}
	/* Read again from what it means. */
	char text[DUID_STRLEN + 16], prefix[PREFIX6_STRLEN];
	struct control_asked again;
	if (w->prefix.plen) {
		size_t n = (size_t)snprintf(text, sizeof text, "clear %s\n",
					    prefix6_format(&w->prefix, prefix));
		FUZZ_CHECK(control_request_read(text, n, &again) == 0);
		FUZZ_CHECK(prefix6_equal(&again.which.prefix, &w->prefix));
	}
	if (w->duid.len) {
		char duid[DUID_STRLEN];
		size_t n = (size_t)snprintf(text, sizeof text, "clear %s\n",
					    duid_format(w->duid.bytes, w->duid.len, duid));
		FUZZ_CHECK(control_request_read(text, n, &again) == 0);
		FUZZ_CHECK(duid_equal(&again.which.duid, &w->duid));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_asked asked;
	size_t len = size < CONTROL_LINE_MAX ? size : CONTROL_LINE_MAX - 1;
	char *bytes = (char *)malloc(len + 1); /* of its size, for a sanitizer to see its end */
	FUZZ_CHECK(bytes);
	if (len > 0)
		memcpy(bytes, data, len);
	int r = control_request_read(bytes, len, &asked);
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EDOM);
	if (r == 0) {
		const char *word = control_request_word(asked.what);
		FUZZ_CHECK(word && strncmp(bytes, word, strlen(word)) == 0);
		FUZZ_CHECK((asked.what == CONTROL_CLEAR) == (asked.argument != NULL));
		if (asked.what == CONTROL_CLEAR)
			check_selector(&asked);
	}
	free(bytes);
	return 0;
}
