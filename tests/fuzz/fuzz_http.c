/* SPDX-License-Identifier: GPL-2.0-or-later */
/* However a request is cut into what has arrived and what has not: a verdict, once there, stays,
 * and a page is given to a whole GET or HEAD of it alone. */
#include "control/http.h"
#include "fuzz/fuzz.h"

#include <string.h>

static enum http_status judge(const uint8_t *data, size_t n, bool *ret_head_only)
{
	/* a block of its own, for a sanitizer to see its end */
	char *copy = malloc(n ? n : 1);
	FUZZ_CHECK(copy);
	memcpy(copy, data, n);
	enum http_status s = http_judge(copy, n, "/metrics", ret_head_only);
	free(copy);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > HTTP_REQUEST_MAX)
		size = HTTP_REQUEST_MAX; /* nobody is read further */
	bool head_only = false;
	enum http_status s = judge(data, size, &head_only);
	const size_t cuts[] = { size / 4, size / 2, size - size / 4, size ? size - 1 : 0 };
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		bool head_then = false;
		enum http_status then = judge(data, cuts[i], &head_then);
		FUZZ_CHECK(then == HTTP_UNFINISHED || then == s);
		FUZZ_CHECK(!head_then || head_only);
	}
	FUZZ_CHECK(size < HTTP_REQUEST_MAX || s != HTTP_UNFINISHED);
	FUZZ_CHECK(s == HTTP_UNFINISHED || http_reason(s)[0] != '\0');
	if (s != HTTP_OK || !data)
		return 0;
	size_t at = size > 2 && data[0] == '\r' ? 2 : 0;
	const char *method = head_only ? "HEAD " : "GET ";
	FUZZ_CHECK(size - at > strlen(method) && memcmp(data + at, method, strlen(method)) == 0);
	const char *line_end = memmem(data + at, size - at, "\r\n", 2);
	const char *named = memmem(data + at, size - at, "/metrics", 8);
	FUZZ_CHECK(line_end && named && named < line_end);
	FUZZ_CHECK(memmem(data + at, size - at, "\r\n\r\n", 4));
	char buf[HTTP_HEAD_MAX];
	FUZZ_CHECK(http_head(s, size, size, buf) == strlen(buf));
	return 0;
}
