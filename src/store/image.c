/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/image.h"

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_BYTES = 100, /* of the file, in front of its first page's own */
	PAGE_MIN = 512,
	PAGE_MAX = 65536,
	USABLE_MIN = 480,
	DEPTH_MAX = 20,        /* of a tree, as SQLite has it */
	FREE_BLOCK_MIN = 4,    /* smaller gaps are in no chain */
	LOCKS_AT = 0x40000000, /* the page there is never used: such files are not ours */
	TEXT_FROM_KIND = 13,   /* odd kinds from there on are texts, even ones before and behind */
	BYTES_FROM_KIND = 12,  /* are bytes */
	TRUNK_BYTES = 8,       /* in front of a free-list page's entries */
	TABLE_INNER = 5,
	TABLE_LEAF = 13,
	INDEX_LEAF = 10,
};

/* Up to nine bytes, seven bits each, the last with eight; the first ones are the highest. */
static uint64_t read_varint(struct rd *r)
{
	uint64_t v = 0;
	if (r->p < r->end && !(*r->p & 0x80) && !r->bad)
		return *r->p++; /* nearly always */
	for (int i = 0; i < 8; i++) {
		uint8_t b = rd_u8(r);
		v = v << 7 | (b & 0x7f);
		if (!(b & 0x80))
			return v;
	}
	return v << 8 | rd_u8(r);
}

int image_open(const uint8_t *bytes, size_t len, struct image *ret_image)
{
	static const char magic[16] = "SQLite format 3";
	struct rd r = rd_of(bytes, len);
	const uint8_t *begin = rd_take(&r, sizeof magic);
	uint32_t page_bytes = rd_be16(&r);
	if (page_bytes == 1)
		page_bytes = PAGE_MAX;
	(void)rd_be16(&r); /* who may write and read: SQLite has opened it */
	uint8_t reserved = rd_u8(&r);
	if (!begin || memcmp(begin, magic, sizeof magic) != 0 || page_bytes < PAGE_MIN ||
	    (page_bytes & (page_bytes - 1)) != 0 || page_bytes - reserved < USABLE_MIN ||
	    len % page_bytes != 0 || len < page_bytes || len > LOCKS_AT)
		return -EUCLEAN;
	struct image im = { .bytes = bytes,
			    .n_pages = (uint32_t)(len / page_bytes),
			    .page_bytes = page_bytes,
			    .usable = page_bytes - reserved };
	struct rd head = rd_of(bytes, HEADER_BYTES);
	(void)rd_take(&head, 52); /* up to what tells of pages that point to others */
	if (rd_be32(&head) != 0)
		return -EUCLEAN;
	im.met = calloc(im.n_pages / 8 + 1, 1);
	if (!im.met)
		return -ENOMEM;
	*ret_image = im;
	return 0;
}

void image_close(struct image *im)
{
	free(im->met);
	im->met = NULL;
}

/* NULL: there is none of that number, or it was met before. */
static const uint8_t *meet(struct image *im, uint32_t page)
{
	uint32_t at = page - 1;
	if (page == 0 || page > im->n_pages || im->met[at / 8] & 1U << at % 8)
		return NULL;
	im->met[at / 8] = (uint8_t)(im->met[at / 8] | 1U << at % 8);
	im->n_met++;
	return im->bytes + (size_t)at * im->page_bytes;
}

/* --- trees
 * --------------------------------------------------------------------------------------------------
 */

struct walk {
	struct image *im;
	image_row_fn fn;
	void *ctx;
	bool begun;
	int64_t last; /* the number that was met last, once begun */
	unsigned depth, leaves_at;
};

struct tree_page {
	const uint8_t *bytes;
	uint8_t kind;
	uint32_t n_cells;
	uint32_t cells_at;   /* where their places are told */
	uint32_t content_at; /* from there on cells and gaps */
	uint32_t rightmost;
	uint32_t gaps; /* bytes of them */
};

/* The chain of gaps: ever farther back, none touching the next. */
static bool add_gaps(const struct image *im, uint32_t at, struct tree_page *p)
{
	for (uint32_t from = p->content_at; at;) {
		if (at < from || at > im->usable - FREE_BLOCK_MIN)
			return false;
		struct rd r = rd_of(p->bytes + at, FREE_BLOCK_MIN);
		uint32_t next = rd_be16(&r), size = rd_be16(&r);
		if (size < FREE_BLOCK_MIN || size > im->usable - at)
			return false;
		p->gaps += size;
		from = at + size;
		at = next;
	}
	return true;
}

static bool read_page(struct image *im, uint32_t number, struct tree_page *ret_page)
{
	const uint8_t *bytes = meet(im, number);
	if (!bytes)
		return false;
	struct rd r = rd_of(bytes, im->usable);
	uint32_t skipped = number == 1 ? HEADER_BYTES : 0;
	(void)rd_take(&r, skipped);
	struct tree_page p = { .bytes = bytes, .kind = rd_u8(&r) };
	uint32_t first_gap = rd_be16(&r);
	p.n_cells = rd_be16(&r);
	p.content_at = rd_be16(&r);
	if (p.content_at == 0)
		p.content_at = PAGE_MAX;
	p.gaps = rd_u8(&r);
	if (p.kind == TABLE_INNER)
		p.rightmost = rd_be32(&r);
	p.cells_at = skipped + (p.kind == TABLE_INNER ? 12 : 8);
	if (p.content_at > im->usable || p.n_cells > (p.content_at - p.cells_at) / 2 ||
	    p.content_at < p.cells_at || !add_gaps(im, first_gap, &p))
		return false;
	*ret_page = p;
	return true;
}

static struct rd cell(const struct image *im, const struct tree_page *p, uint32_t i)
{
	struct rd place = rd_of(p->bytes + p->cells_at + (size_t)2 * i, 2);
	uint32_t at = rd_be16(&place);
	struct rd r = rd_of(p->bytes + at, at < im->usable ? im->usable - at : 0);
	r.bad = at < p->content_at;
	return r;
}

/* Whether a cell that begins at `from` ends here, and is added to what the page holds. */
static bool add_cell(const struct rd *r, const uint8_t *from, uint32_t *held)
{
	enum { CELL_MIN = 4 }; /* what a gap needs, once it is one */
	uint32_t len = (uint32_t)(r->p - from);
	*held += len < CELL_MIN ? CELL_MIN : len;
	return !r->bad;
}

static int row_at(struct walk *w, const struct tree_page *p, uint32_t i, uint32_t *held)
{
	struct rd r = cell(w->im, p, i);
	const uint8_t *from = r.p;
	uint64_t len = read_varint(&r);
	int64_t number = (int64_t)read_varint(&r);
	if (len > w->im->usable - 35) /* longer ones go on in pages of their own */
		return -EUCLEAN;
	const uint8_t *record = rd_take(&r, (size_t)len);
	if (!record || !add_cell(&r, from, held) || (w->begun && number <= w->last))
		return -EUCLEAN;
	w->begun = true;
	w->last = number;
	return w->fn ? w->fn(w->ctx, number, record, (size_t)len) : 0;
}

static int walk(struct walk *w, uint32_t page);

/* What is to the left of it, and it is no smaller than that. */
static int child_at(struct walk *w, const struct tree_page *p, uint32_t i, uint32_t *held)
{
	struct rd r = cell(w->im, p, i);
	const uint8_t *from = r.p;
	uint32_t child = rd_be32(&r);
	int64_t most = (int64_t)read_varint(&r);
	if (!add_cell(&r, from, held))
		return -EUCLEAN;
	int e = walk(w, child);
	if (e < 0)
		return e;
	if (w->begun && w->last > most)
		return -EUCLEAN;
	w->begun = true;
	w->last = most;
	return 0;
}

static int walk(struct walk *w, uint32_t page) /* NOLINT(misc-no-recursion): DEPTH_MAX deep */
{
	struct tree_page p;
	if (w->depth == DEPTH_MAX || !read_page(w->im, page, &p) ||
	    (p.kind != TABLE_LEAF && p.kind != TABLE_INNER))
		return -EUCLEAN;
	if (p.kind == TABLE_LEAF) {
		if (w->leaves_at && w->leaves_at != w->depth + 1)
			return -EUCLEAN;
		w->leaves_at = w->depth + 1;
	}
	w->depth++;
	uint32_t held = 0;
	int e = 0;
	for (uint32_t i = 0; i < p.n_cells && e >= 0; i++)
		e = p.kind == TABLE_LEAF ? row_at(w, &p, i, &held) : child_at(w, &p, i, &held);
	if (e >= 0 && p.kind == TABLE_INNER)
		e = walk(w, p.rightmost);
	w->depth--;
	/* All of the page is told: cells that lie on each other, or on a gap, make too much of it.
	 */
	if (e >= 0 && p.content_at + held + p.gaps != w->im->usable)
		return -EUCLEAN;
	return e;
}

int image_table(struct image *im, uint32_t root, image_row_fn fn, void *ctx)
{
	struct walk w = { .im = im, .fn = fn, .ctx = ctx };
	int e = walk(&w, root);
	return e < 0 ? e : 0;
}

int image_leaf(struct image *im, uint32_t root)
{
	struct tree_page p;
	return read_page(im, root, &p) && p.kind == INDEX_LEAF ? 0 : -EUCLEAN;
}

int image_end(struct image *im)
{
	struct rd head = rd_of(im->bytes, HEADER_BYTES);
	(void)rd_take(&head, 28); /* up to how large the file is */
	uint32_t n_pages = rd_be32(&head), trunk = rd_be32(&head), n_free = rd_be32(&head);
	uint32_t free_from = im->n_met;
	while (trunk) {
		const uint8_t *bytes = meet(im, trunk);
		struct rd r = rd_of(bytes, bytes ? im->usable : 0);
		trunk = rd_be32(&r);
		uint32_t n = rd_be32(&r);
		if (!bytes || n > (im->usable - TRUNK_BYTES) / 4)
			return -EUCLEAN;
		while (n-- > 0)
			if (!meet(im, rd_be32(&r)))
				return -EUCLEAN;
	}
	return n_pages == im->n_pages && im->n_met - free_from == n_free && im->n_met == im->n_pages
		       ? 0
		       : -EUCLEAN;
}

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

static int64_t signed_of(const uint8_t *bytes, size_t len)
{
	uint64_t v = bytes[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < len; i++)
		v = v << 8 | bytes[i];
	return (int64_t)v;
}

static bool read_value(uint64_t kind, struct rd *body, struct image_value *v)
{
	static const uint8_t number_bytes[] = { 0, 1, 2, 3, 4, 6, 8 };
	enum { ZERO = 8, ONE = 9 };
	*v = (struct image_value){ .kind = kind == 0 ? IMAGE_NULL : IMAGE_NUMBER };
	if (kind == ZERO || kind == ONE) {
		v->number = kind == ONE;
	} else if (kind > 0 && kind < sizeof number_bytes) {
		const uint8_t *bytes = rd_take(body, number_bytes[kind]);
		v->number = bytes ? signed_of(bytes, number_bytes[kind]) : 0;
	} else if (kind >= BYTES_FROM_KIND && kind % 2 == 0) {
		v->kind = IMAGE_BYTES;
		v->len = (size_t)(kind - BYTES_FROM_KIND) / 2;
		v->bytes = rd_take(body, v->len);
	} else if (kind != 0) {
		return false;
	}
	return !body->bad;
}

int image_record(const uint8_t *record, size_t len, struct image_value *ret_values, size_t n)
{
	struct rd body = rd_of(record, len), sized = body;
	uint64_t kinds_len = read_varint(&sized);
	size_t skipped = (size_t)(sized.p - record);
	if (sized.bad || kinds_len < skipped || kinds_len > len)
		return -EUCLEAN;
	(void)rd_take(&body, (size_t)kinds_len);
	struct rd kinds = rd_of(sized.p, (size_t)kinds_len - skipped);
	for (size_t i = 0; i < n; i++)
		if (!read_value(read_varint(&kinds), &body, &ret_values[i]))
			return -EUCLEAN;
	return !kinds.bad && rd_left(&kinds) == 0 && rd_left(&body) == 0 ? 0 : -EUCLEAN;
}
