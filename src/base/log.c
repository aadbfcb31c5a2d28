/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	INSTANCE_MAX = 64,
	/* What may still have to follow a value that was cut: a quote, `,"cut":true}` or `
	   cut=true`, and the newline. */
	TAIL_MAX = 16,
	BODY_MAX = LOG_LINE_MAX - TAIL_MAX,
};

static struct {
	enum log_level threshold;
	enum log_format format;
	char instance[INSTANCE_MAX];
} self = { .threshold = LOG_INFO, .format = LOG_TEXT };

/* One line in the making. Once `cut`, the body takes nothing more: only the tail is still written.
 */
struct line {
	char bytes[LOG_LINE_MAX];
	size_t n;
	bool cut;
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_setup(enum log_level threshold, enum log_format format, const char *instance)
{
	self.threshold = threshold;
	self.format = format;
	self.instance[0] = '\0';
	if (instance) {
		size_t n = strnlen(instance, sizeof self.instance - 1);
		memcpy(self.instance, instance, n);
		self.instance[n] = '\0';
	}
}

bool log_enabled(enum log_level level)
{
	return level <= self.threshold;
}

struct kv kv_errno(int err)
{
	int positive = err < 0 ? -err : err;
	const char *text = strerrordesc_np(positive);
	return text ? kv_str("error", text) : kv_i64("error", positive);
}

/* All n bytes or, where they do not fit, none of them. */
static void put(struct line *l, const char *bytes, size_t n)
{
	if (l->cut || l->n + n > BODY_MAX) {
		l->cut = true;
		return;
	}
	memcpy(l->bytes + l->n, bytes, n);
	l->n += n;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

/* For the tail, whose room put() has kept free. */
static void put_tail(struct line *l, const char *text)
{
	size_t n = strlen(text);
	memcpy(l->bytes + l->n, text, n);
	l->n += n;
}

/* As many of the n bytes as fit; they must be ASCII, so that any cut is a clean one. */
static void put_what_fits(struct line *l, const char *ascii, size_t n)
{
	size_t room = l->cut || l->n > BODY_MAX
			      ? 0
			      : BODY_MAX - l->n; /* a closing quote may stand beyond */
	put(l, ascii, n < room ? n : room);
	if (n > room)
		l->cut = true;
}

static void put_number(struct line *l, uint64_t magnitude, bool negative)
{
	char digits[21];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude > 0);
	if (negative)
		digits[--at] = '-';
	put(l, digits + at, sizeof digits - at);
}

/*
 * The length of the well-formed UTF-8 sequence at s, or 0. Control characters of the C1 block count
 * as ill-formed: terminals obey them.
 */
static size_t utf8_len(const unsigned char *s)
{
	size_t n;
	uint32_t c;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
		c = s[0] & 0x1fU;
	} else if ((s[0] & 0xf0) == 0xe0) {
		n = 3;
		c = s[0] & 0x0fU;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		c = s[0] & 0x07U;
	} else {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the final NUL stops here too */
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	bool overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
	bool surrogate = c >= 0xd800 && c <= 0xdfff;
	return overlong || surrogate || c > 0x10ffff || c < 0xa0 ? 0 : n;
}

static void put_escaped(struct line *l, const char *text, bool json)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	while (*s && !l->cut) {
		size_t n = utf8_len(s);
		if (*s == '"' || *s == '\\') {
			put(l, (const char[]){ '\\', (char)*s }, 2);
			n = 1;
		} else if (*s == '\n') {
			put(l, "\\n", 2);
		} else if (*s == '\t') {
			put(l, "\\t", 2);
		} else if (n == 0 && json) {
			put(l, "\\ufffd",
			    6); /* JSON has no way to name a byte that is no character */
			n = 1;
		} else if (n == 0 || *s < 0x20 || *s == 0x7f) {
			char esc[] = "\\u0000";
			esc[4] = hex[*s >> 4];
			esc[5] = hex[*s & 15];
			if (json) {
				put(l, esc, 6);
			} else {
				esc[2] = '\\';
				esc[3] = 'x';
				put(l, esc + 2, 4);
			}
			n = 1;
		} else {
			put(l, (const char *)s, n);
		}
		s += n;
	}
}

static bool plain_enough(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	if (!*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '"' || *s == '\\' || *s == '=')
			return false;
	return true;
}

static void put_quoted(struct line *l, const char *text, bool json)
{
	put(l, "\"", 1);
	if (l->cut)
		return;
	put_escaped(l, text, json);
	put_tail(l, "\""); /* also behind a value that was cut */
}

static void put_value(struct line *l, const struct kv *kv, bool json)
{
	switch (kv->type) {
	case KV_STR:
		if (!json && plain_enough(kv->str))
			put_what_fits(l, kv->str, strlen(kv->str));
		else
			put_quoted(l, kv->str, json);
		break;
	case KV_U64:
		put_number(l, kv->u64, false);
		break;
	case KV_I64:
		put_number(l, kv->i64 < 0 ? 0 - (uint64_t)kv->i64 : (uint64_t)kv->i64, kv->i64 < 0);
		break;
	case KV_BOOL:
		put_text(l, kv->boolean ? "true" : "false");
		break;
	}
}

static void put_member(struct line *l, const struct kv *kv, bool json)
{
	size_t start = l->n;
	put_text(l, json ? ",\"" : " ");
	put_text(l, kv->key);
	put_text(l, json ? "\":" : "=");
	size_t value = l->n;
	if (!l->cut)
		put_value(l, kv, json);
	if (l->cut && l->n == value)
		l->n = start; /* a key without its value would make no JSON */
}

static void compose_text(struct line *l, enum log_level level, const char *subsystem,
			 const char *event)
{
	put_text(l, level_names[level]);
	put_text(l, " ");
	put_text(l, subsystem);
	put_text(l, " ");
	put_text(l, event);
}

static void compose_json(struct line *l, enum log_level level, const char *subsystem,
			 const char *event)
{
	char ts[CLOCK_RFC3339_LEN];
	put_text(l, "{\"ts\":\"");
	put_text(l, clock_rfc3339(clock_unix_ms(), ts));
	put_text(l, "\",\"level\":\"");
	put_text(l, level_names[level]);
	put_text(l, "\"");
	if (self.instance[0]) {
		struct kv instance = kv_str("instance", self.instance);
		put_member(l, &instance, true);
	}
	struct kv names[] = { kv_str("subsystem", subsystem), kv_str("event", event) };
	put_member(l, &names[0], true);
	put_member(l, &names[1], true);
}

void log_event(enum log_level level, const char *subsystem, const char *event, const struct kv *kvs,
	       size_t n)
{
	if (!log_enabled(level))
		return;
	int saved_errno = errno;
	bool json = self.format == LOG_JSON;
	struct line l;
	l.n = 0;
	l.cut = false;
	if (json)
		compose_json(&l, level, subsystem, event);
	else
		compose_text(&l, level, subsystem, event);
	for (size_t i = 0; i < n && !l.cut; i++)
		put_member(&l, &kvs[i], json);
	if (l.cut)
		put_tail(&l, json ? ",\"cut\":true" : " cut=true");
	put_tail(&l, json ? "}\n" : "\n");

	/* One write a line, at most PIPE_BUF long: lines of several processes never mix. A log that
	 * cannot be written has nowhere to say so. */
	ssize_t written;
	do {
		written = write(STDERR_FILENO, l.bytes, l.n);
	} while (written < 0 && errno == EINTR);
	errno = saved_errno;
}
