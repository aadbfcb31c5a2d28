/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others say in our log: dnsmasq's lines, names and identifiers of subscribers. The first byte
 * chooses the format, the rest are values. Whatever they are, an event is one line of bounded
 * length, without a byte that a terminal obeys; as text its end comes back, as JSON it is an object
 * that has no member twice and the values that were given, as far as they are text and fit.
 */
#include "fuzz/fuzz.h"
#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VALUES = 4 };

static int log_fd = -1;

/* Standard error is the log's for that long; where something is not so it is told on the real one.
 */
static size_t written(enum log_format format, const struct kv *kvs, size_t n,
		      char line[static 2 * LOG_LINE_MAX])
{
	if (log_fd < 0)
		log_fd = memfd_create("log", MFD_CLOEXEC);
	int terminal = dup(STDERR_FILENO);
	FUZZ_CHECK(log_fd >= 0 && terminal >= 0 && ftruncate(log_fd, 0) == 0 &&
		   lseek(log_fd, 0, SEEK_SET) == 0);
	log_setup(LOG_DEBUG, format, "provider1");
	FUZZ_CHECK(dup2(log_fd, STDERR_FILENO) == STDERR_FILENO);
	log_event(LOG_WARNING, "dns", "dnsmasq says", kvs, n);
	FUZZ_CHECK(dup2(terminal, STDERR_FILENO) == STDERR_FILENO);
	(void)close(terminal); /* a duplicate */
	ssize_t len = pread(log_fd, line, 2 * LOG_LINE_MAX, 0);
	FUZZ_CHECK(len > 0);
	return (size_t)len;
}

/* Printable, UTF-8 without the C1 block: jansson refuses what is no UTF-8. */
static void check_line(const char *line, size_t len)
{
	FUZZ_CHECK(len <= LOG_LINE_MAX && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++) {
		unsigned char c = (unsigned char)line[i], d = (unsigned char)line[i + 1];
		FUZZ_CHECK(c >= 0x20 && c != 0x7f);
		FUZZ_CHECK(c != 0xc2 || d >= 0xa0);
	}
	json_t *text = json_stringn(line, len);
	FUZZ_CHECK(text);
	json_decref(text);
}

/* As far as it is text: what is no character stands as one that says so, so lengths are compared
 * only where all of it is. */
static void check_json(const char *line, size_t len, const struct kv *kvs, size_t n)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(json_is_object(o));
	FUZZ_CHECK(strcmp(json_string_value(json_object_get(o, "event")), "dnsmasq says") == 0);
	bool cut = json_is_true(json_object_get(o, "cut"));
	for (size_t i = 0; i < n; i++) {
		const char *got = json_string_value(json_object_get(o, kvs[i].key));
		FUZZ_CHECK(got || cut);
		json_t *whole = json_string(kvs[i].str); /* NULL: no UTF-8 */
		bool plain = whole && !strstr(kvs[i].str, "\xc2");
		if (got && plain && !cut)
			FUZZ_CHECK(strcmp(got, kvs[i].str) == 0);
		if (got && plain)
			FUZZ_CHECK(strncmp(got, kvs[i].str, strlen(got)) == 0);
		json_decref(whole);
	}
	json_decref(o);
}

/* In text a reader finds each value again: behind its key, quoted where it needs to be. */
static void check_text(const char *line, const struct kv *kvs, size_t n)
{
	static const char begin[] = "warning dns dnsmasq says";
	FUZZ_CHECK(strncmp(line, begin, sizeof begin - 1) == 0);
	const char *at = line + sizeof begin - 1;
	for (size_t i = 0; i < n; i++) {
		char key[16];
		int k = snprintf(key, sizeof key, " %s=", kvs[i].key);
		if (strncmp(at, key, (size_t)k) != 0) {
			FUZZ_CHECK(strcmp(at, " cut=true\n") == 0);
			return;
		}
		at += k;
		if (*at == '"') {
			for (at++; *at != '"'; at++) {
				FUZZ_CHECK(*at != '\n');
				at += *at == '\\';
			}
			at++;
		} else {
			at += strcspn(at, " \n");
		}
	}
	FUZZ_CHECK(strcmp(at, "\n") == 0 || strcmp(at, " cut=true\n") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[VALUES] = { "line", "name", "duid", "why" };
	char line[2 * LOG_LINE_MAX + 1], *values[VALUES];
	struct kv kvs[VALUES];
	if (size == 0)
		return 0;
	enum log_format format = data[0] & 1 ? LOG_JSON : LOG_TEXT;
	size_t n = 0;
	const uint8_t *at = data + 1, *end = data + size;
	for (; n < VALUES && at < end; n++) { /* between zero bytes */
		const uint8_t *zero = n + 1 < VALUES ? memchr(at, 0, (size_t)(end - at)) : NULL;
		size_t len = (size_t)((zero ? zero : end) - at);
		values[n] = strndup((const char *)at, len);
		FUZZ_CHECK(values[n]);
		kvs[n] = kv_str(keys[n], values[n]);
		at = zero ? zero + 1 : end;
	}
	size_t len = written(format, kvs, n, line);
	line[len] = '\0';
	check_line(line, len);
	if (format == LOG_JSON)
		check_json(line, len, kvs, n);
	else
		check_text(line, kvs, n);
	for (size_t i = 0; i < n; i++)
		free(values[i]);
	return 0;
}
