/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of HTTP/1.1 (RFC 9112) as one page needs: what a request is worth, and the head of its
 * answer. No I/O. A connection carries one request and is closed behind its answer, so what follows
 * a request's head (a body, pipelined requests) is never looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_REQUEST_MAX = 4096, /* bytes of request line and fields; more is answered with 431 */
	HTTP_HEAD_MAX = 320,     /* bytes of an answer's head, with its final NUL */
};

enum http_status {
	HTTP_UNFINISHED = 0, /* there is more to come */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_TIMEOUT = 408,
	HTTP_TOO_LARGE = 431,
	HTTP_UNAVAILABLE = 503,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};
/* Its reason phrase, which is the body of all but HTTP_OK. */
const char *http_reason(enum http_status s);

/*
 * What the n bytes that have arrived so far deserve. HTTP_OK: a GET or HEAD of `path` (RFC 9112
 * §3.2: in origin or absolute form, a query behind it does not matter). What can only become a bad
 * request is one before it is whole; lines end with CR LF, and nothing else is taken for that.
 * *ret_head_only: a HEAD; set with every finished request line.
 */
enum http_status http_judge(const char *bytes, size_t n, const char *path, bool *ret_head_only);

/* The answer's head, up to and with the empty line; its length. body_len is announced, whether or
 * not a body follows. */
size_t http_head(enum http_status s, size_t body_len, uint64_t unix_s,
		 char buf[static HTTP_HEAD_MAX]);
