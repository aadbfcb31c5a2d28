/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/http.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct text {
	const char *at;
	size_t n;
};

const char *http_reason(enum http_status s)
{
	switch (s) {
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_TIMEOUT:
		return "Request Timeout";
	case HTTP_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE:
		return "Service Unavailable";
	case HTTP_VERSION_NOT_SUPPORTED:
		return "HTTP Version Not Supported";
	case HTTP_UNFINISHED:
		break;
	}
	return "";
}

/* RFC 9110 §5.6.2 */
static bool is_token(struct text t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.at[i];
		bool alphanumeric =
			(c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return t.n > 0;
}

static bool is(struct text t, const char *word)
{
	return t.n == strlen(word) && memcmp(t.at, word, t.n) == 0;
}

/* Up to `end`, which is taken away with it; false: it is not there. */
static bool cut(struct text *rest, char end, struct text *ret_part)
{
	const char *found = (const char *)memchr(rest->at, end, rest->n);
	if (!found)
		return false;
	*ret_part = (struct text){ rest->at, (size_t)(found - rest->at) };
	*rest = (struct text){ found + 1, rest->n - ret_part->n - 1 };
	return true;
}

enum line { LINE_WHOLE, LINE_UNFINISHED, LINE_BAD };

/* The next line without its CR LF. Control characters are no part of any (RFC 9110 §5.5, RFC 9112
 * §2.2). */
static enum line next_line(struct text *rest, struct text *ret_line)
{
	for (size_t i = 0; i < rest->n; i++) {
		unsigned char c = (unsigned char)rest->at[i];
		if (c == '\r') {
			if (i + 1 == rest->n)
				return LINE_UNFINISHED;
			if (rest->at[i + 1] != '\n')
				return LINE_BAD;
			*ret_line = (struct text){ rest->at, i };
			*rest = (struct text){ rest->at + i + 2, rest->n - i - 2 };
			return LINE_WHOLE;
		}
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return LINE_BAD;
	}
	return LINE_UNFINISHED;
}

struct request {
	struct text method, target;
	bool needs_host; /* HTTP/1.1 */
	unsigned hosts;
};

/* RFC 9112 §3 */
static enum http_status request_line(struct text line, struct request *q)
{
	struct text version = line;
	if (!cut(&version, ' ', &q->method) || !cut(&version, ' ', &q->target) ||
	    !is_token(q->method) || q->target.n == 0)
		return HTTP_BAD_REQUEST;
	for (size_t i = 0; i < q->target.n; i++)
		if (q->target.at[i] <= ' ' || q->target.at[i] > '~')
			return HTTP_BAD_REQUEST;
	if (version.n != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
	    version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' ||
	    version.at[7] > '9')
		return HTTP_BAD_REQUEST;
	if (version.at[5] != '1')
		return HTTP_VERSION_NOT_SUPPORTED;
	q->needs_host = version.at[7] != '0';
	return HTTP_UNFINISHED;
}

/* RFC 9112 §5: no blank before the colon, no line that goes on with the one before. */
static bool field_line(struct text line, struct request *q)
{
	struct text value = line, name;
	if (!cut(&value, ':', &name) || !is_token(name))
		return false;
	q->hosts += name.n == 4 && strncasecmp(name.at, "host", 4) == 0;
	return true;
}

static bool names(struct text target, const char *path)
{
	static const char scheme[] = "http://";
	struct text p = target;
	if (p.n > strlen(scheme) && strncasecmp(p.at, scheme, strlen(scheme)) == 0) {
		const char *slash =
			(const char *)memchr(p.at + strlen(scheme), '/', p.n - strlen(scheme));
		if (!slash)
			return false;
		p = (struct text){ slash, p.n - (size_t)(slash - p.at) };
	}
	struct text before_query;
	return is(cut(&p, '?', &before_query) ? before_query : p, path);
}

static enum http_status judge_whole(const struct request *q, const char *path)
{
	/* RFC 9112 §3.2 */
	if (q->hosts > 1 || (q->needs_host && q->hosts == 0))
		return HTTP_BAD_REQUEST;
	if (!names(q->target, path))
		return HTTP_NOT_FOUND;
	return is(q->method, "GET") || is(q->method, "HEAD") ? HTTP_OK : HTTP_METHOD_NOT_ALLOWED;
}

enum http_status http_judge(const char *bytes, size_t n, const char *path, bool *ret_head_only)
{
	struct text rest = { bytes, n }, line;
	struct request q = { 0 };
	enum line l;
	bool first = true, any = false;
	while ((l = next_line(&rest, &line)) == LINE_WHOLE) {
		/* RFC 9112 §2.2: an empty line before the request line is passed over. */
		if (line.n == 0 && first && !any) {
			any = true;
			continue;
		}
		if (line.n == 0 && !first)
			return judge_whole(&q, path);
		if (!first) {
			if (!field_line(line, &q))
				return HTTP_BAD_REQUEST;
			continue;
		}
		first = false;
		enum http_status s = request_line(line, &q);
		if (s != HTTP_UNFINISHED)
			return s;
		*ret_head_only = is(q.method, "HEAD");
	}
	if (l == LINE_BAD)
		return HTTP_BAD_REQUEST;
	return n >= HTTP_REQUEST_MAX ? HTTP_TOO_LARGE : HTTP_UNFINISHED;
}

size_t http_head(enum http_status s, size_t body_len, uint64_t unix_s,
		 char buf[static HTTP_HEAD_MAX])
{
	char date[40];
	time_t now = (time_t)unix_s;
	struct tm tm = { 0 };
	(void)gmtime_r(&now, &tm); /* fails beyond the year 2^31 */
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	int n = snprintf(buf, HTTP_HEAD_MAX,
			 "HTTP/1.1 %d %s\r\n"
			 "Date: %s\r\n"
			 "Content-Type: text/plain; %scharset=utf-8\r\n"
			 "Content-Length: %zu\r\n"
			 "%s"
			 "Cache-Control: no-store\r\n"
			 "Connection: close\r\n\r\n",
			 (int)s, http_reason(s), date, s == HTTP_OK ? "version=0.0.4; " : "",
			 body_len, s == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
	return (size_t)n;
}
