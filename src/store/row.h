/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A binding as a row of the table, and back. What is read may be anything that a file can hold; a
 * row that comes out of row_read() is one that the program could have written.
 */
#pragma once

#include "engine/bindings.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* In this order wherever rows are written or read. */
#define ROW_VALUES                                                                                 \
	"kind,prefix,plen,state,duid,iaid,next_hop,lladdr,preferred_s,valid_s,granted_unix_ms,"    \
	"until_unix_ms,details"
#define ROW_COLUMNS ROW_VALUES ",number"
#define ROW_PLACES  "?,?,?,?,?,?,?,?,?,?,?,?,?,?"

/* Its record's instants mean nothing: they are the wall clock's, here. So does its details'
 * pointer. */
struct row {
	struct binding_record record;
	uint8_t details[BINDING_DETAILS_MAX];
	int64_t granted_unix_ms;
	int64_t until_unix_ms;
	bool for_ever; /* then until_unix_ms means nothing */
};

/* The instants of a record on the wall clock, kept within what row_read() accepts. */
int64_t row_to_unix(uint64_t at_ms, struct store_now now);

/* Binds all of ROW_PLACES; blobs stay the record's, until the statement is reset. -ENOMEM. */
int row_bind(sqlite3_stmt *st, const struct binding_record *r, int64_t granted_unix_ms,
	     const int64_t *until_unix_ms);

/* False: no row of ours, and what is in ret_row means nothing. */
bool row_read(sqlite3_stmt *st, struct row *ret_row);
/* The same of a record out of a file's image: 1, or 0 where it is no row of ours; -EUCLEAN: nor one
 * that the table can have. Without ret_row the latter is all that is looked at, and else it is 0.
 */
int row_parse(const uint8_t *record, size_t len, int64_t number, struct row *ret_row);

/*
 * The record, its instants on the monotonic clock. However the wall clock has jumped since, it does
 * not last longer from now on than it was granted for, and was not granted later than latest_ms.
 * Its details are the row's.
 */
struct binding_record row_record(const struct row *row, struct store_now now, uint64_t latest_ms);
