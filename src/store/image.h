/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A database file in memory, read without SQLite: all rows of a table in a tenth of the time that
 * its virtual machine takes for them, and what holds the file together is looked at on the way. It
 * knows what files of ours look like as a rule, and nothing more: whatever is unusual (damage, but
 * also rows that do not fit into a page) is left to SQLite, which knows everything.
 * The format: https://www.sqlite.org/fileformat2.html
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
	const uint8_t *bytes; /* borrowed */
	uint32_t n_pages;
	uint32_t page_bytes;
	uint32_t usable; /* bytes of a page */
	uint32_t n_met;  /* pages that were looked at */
	uint8_t *met;    /* a bit each */
};

/* -EUCLEAN: unusual; -ENOMEM. bytes outlives it. */
int image_open(const uint8_t *bytes, size_t len, struct image *ret_image);
void image_close(struct image *im); /* also of one that is all zeros */

/* A row of a table, by its number: its record, as SQLite writes it. < 0 ends the walk. */
typedef int (*image_row_fn)(void *ctx, int64_t number, const uint8_t *record, size_t len);

/*
 * Calls fn for each row of the table whose tree has its root on that page (from 1), by increasing
 * numbers. What fn says where that is < 0; -EUCLEAN: unusual, and fn has seen what comes before
 * that. fn NULL: the tree alone is looked at.
 */
int image_table(struct image *im, uint32_t root, image_row_fn fn, void *ctx);

/* The same for a tree of another kind, which is a single page; it is not read. */
int image_leaf(struct image *im, uint32_t root);

/* After all trees: whether what they do not use is free, all of it, once. -EUCLEAN: it is not. */
int image_end(struct image *im);

/* One value of a record. */
struct image_value {
	enum { IMAGE_NULL, IMAGE_NUMBER, IMAGE_BYTES } kind;
	int64_t number;
	const uint8_t *bytes;
	size_t len;
};

/* Exactly n values. -EUCLEAN: it has more or fewer, is cut short, or one is of another kind. */
int image_record(const uint8_t *record, size_t len, struct image_value *ret_values, size_t n);
