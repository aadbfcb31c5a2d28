/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One event, one line on stderr: "level subsystem event key=value…" or the same as a JSON object,
 * which begins with the time ("ts", RFC 3339, UTC); text leaves that to whatever collects it.
 * In text, values with spaces, quotes, '=' or control characters are quoted and escaped. Never give
 * it a secret. The logger keeps errno. Lines longer than LOG_LINE_MAX are cut and marked
 *(cut=true).
 *
 *	log_info("pd", "bound", kv_str("prefix", text), kv_u64("valid_s", 7200));
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_LINE_MAX = 2048 };

struct kv {
	const char *key;
	enum { KV_STR, KV_U64, KV_I64, KV_BOOL } type;
	union {
		const char *str;
		uint64_t u64;
		int64_t i64;
		bool boolean;
	};
};

static inline struct kv kv_str(const char *key, const char *value)
{
	return (struct kv){ .key = key, .type = KV_STR, .str = value ? value : "" };
}
static inline struct kv kv_u64(const char *key, uint64_t value)
{
	return (struct kv){ .key = key, .type = KV_U64, .u64 = value };
}
static inline struct kv kv_i64(const char *key, int64_t value)
{
	return (struct kv){ .key = key, .type = KV_I64, .i64 = value };
}
static inline struct kv kv_bool(const char *key, bool value)
{
	return (struct kv){ .key = key, .type = KV_BOOL, .boolean = value };
}
/* An errno, positive or negative, as text: error="No such device". */
struct kv kv_errno(int err);

/* Process-wide: threshold, format, and the instance's name (shown as instance=… in JSON only; may
 * be NULL; copied). */
void log_setup(enum log_level threshold, enum log_format format, const char *instance);
bool log_enabled(enum log_level level);
void log_event(enum log_level level, const char *subsystem, const char *event, const struct kv *kvs,
	       size_t n);

#define LOG_KVS_(...)                                                                              \
	((const struct kv[]){ { 0 }, ##__VA_ARGS__ }) + 1,                                         \
		sizeof((const struct kv[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct kv) - 1
#define LOG_AT_(level, subsystem, event, ...)                                                      \
	do {                                                                                       \
		if (log_enabled(level))                                                            \
			log_event(level, subsystem, event, LOG_KVS_(__VA_ARGS__));                 \
	} while (0)
#define log_error(subsystem, event, ...) LOG_AT_(LOG_ERROR, subsystem, event, ##__VA_ARGS__)
#define log_warn(subsystem, event, ...)  LOG_AT_(LOG_WARNING, subsystem, event, ##__VA_ARGS__)
#define log_info(subsystem, event, ...)  LOG_AT_(LOG_INFO, subsystem, event, ##__VA_ARGS__)
#define log_debug(subsystem, event, ...) LOG_AT_(LOG_DEBUG, subsystem, event, ##__VA_ARGS__)
