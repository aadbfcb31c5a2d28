/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only two cursors with which packet bytes are read and written. Errors are sticky: read on and
 * test `bad` (or `full`) once. After an error reads give 0 and writes do nothing, so no caller can
 * be led outside the buffer. All multi-byte integers are in network order on the wire.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A read cursor over bytes that somebody else owns. */
struct rd {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

/* bytes may be NULL where len is 0. */
static inline struct rd rd_of(const void *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	return (struct rd){ .p = p, .end = len ? p + len : p };
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next n bytes, or NULL with `bad` set where fewer are left. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *at = r->p;
	r->p += n;
	return at;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *b = rd_take(r, 1);
	return b ? b[0] : 0;
}

static inline uint16_t rd_be16(struct rd *r)
{
	const uint8_t *b = rd_take(r, 2);
	return (uint16_t)(b ? b[0] << 8 | b[1] : 0);
}

static inline uint32_t rd_be24(struct rd *r)
{
	const uint8_t *b = rd_take(r, 3);
	return b ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}

static inline uint32_t rd_be32(struct rd *r)
{
	const uint8_t *b = rd_take(r, 4);
	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* Copies n bytes out; dst is left alone where they are not there. */
static inline void rd_bytes(struct rd *r, void *dst, size_t n)
{
	const uint8_t *b = rd_take(r, n);
	if (b)
		memcpy(dst, b, n);
}

static inline struct in6_addr rd_in6(struct rd *r)
{
	struct in6_addr a = IN6ADDR_ANY_INIT;
	rd_bytes(r, &a, sizeof a);
	return a;
}

/* A child cursor over the next n bytes; the parent already stands behind them. Bad where they are
 * not there. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *b = rd_take(r, n);
	return b ? rd_of(b, n) : (struct rd){ .bad = true };
}

/* A write cursor into a buffer that somebody else owns. */
struct wr {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool full;
};

static inline struct wr wr_of(void *buf, size_t size)
{
	return (struct wr){ .start = (uint8_t *)buf,
			    .p = (uint8_t *)buf,
			    .end = (uint8_t *)buf + size };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for n bytes at the cursor, or NULL with `full` set. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	if (w->full || (size_t)(w->end - w->p) < n) {
		w->full = true;
		return NULL;
	}
	uint8_t *at = w->p;
	w->p += n;
	return at;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *b = wr_room(w, 1);
	if (b)
		b[0] = v;
}

static inline void wr_be16(struct wr *w, uint16_t v)
{
	uint8_t *b = wr_room(w, 2);
	if (b) {
		b[0] = (uint8_t)(v >> 8);
		b[1] = (uint8_t)v;
	}
}

static inline void wr_be24(struct wr *w, uint32_t v)
{
	uint8_t *b = wr_room(w, 3);
	if (b) {
		b[0] = (uint8_t)(v >> 16);
		b[1] = (uint8_t)(v >> 8);
		b[2] = (uint8_t)v;
	}
}

static inline void wr_be32(struct wr *w, uint32_t v)
{
	wr_be16(w, (uint16_t)(v >> 16));
	wr_be16(w, (uint16_t)v);
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *b = wr_room(w, n);
	if (b && n)
		memcpy(b, src, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *b = wr_room(w, n);
	if (b)
		memset(b, 0, n);
}

static inline void wr_in6(struct wr *w, const struct in6_addr *a)
{
	wr_bytes(w, a, sizeof *a);
}

/* Overwrites two bytes written before, at offset `at` from the start (for lengths known only
 * later). */
static inline void wr_patch_be16(struct wr *w, size_t at, uint16_t v)
{
	if (w->full || at + 2 > wr_len(w))
		return;
	w->start[at] = (uint8_t)(v >> 8);
	w->start[at + 1] = (uint8_t)v;
}
