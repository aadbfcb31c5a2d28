/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/row.h"

#include <errno.h>
#include <string.h>

/* Two thousand years to either side of 1970: no clock of ours is ever there. */
#define INSTANT_MAX_MS (INT64_C(1) << 46)
/* Nothing is set aside for longer than a day. */
#define SET_ASIDE_MAX_MS INT64_C(86400000)

enum column {
	KIND,
	PREFIX,
	PLEN,
	STATE,
	DUID,
	IAID,
	NEXT_HOP,
	LLADDR,
	PREFERRED,
	VALID,
	GRANTED,
	UNTIL,
	DETAILS,
	NUMBER,
};

/* --- clocks
 * -------------------------------------------------------------------------------------------------
 */

static int64_t saturated_add(int64_t a, int64_t b)
{
	int64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int64_t signed_ms(uint64_t ms)
{
	return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

int64_t row_to_unix(uint64_t at_ms, struct store_now now)
{
	int64_t unix_ms =
		saturated_add(signed_ms(now.unix_ms), signed_ms(at_ms) - signed_ms(now.mono_ms));
	return unix_ms > INSTANT_MAX_MS    ? INSTANT_MAX_MS
	       : unix_ms < -INSTANT_MAX_MS ? -INSTANT_MAX_MS
					   : unix_ms;
}

/* What was before the monotonic clock began was long ago: 0. */
static uint64_t to_mono(int64_t unix_ms, struct store_now now)
{
	int64_t at = saturated_add(unix_ms - signed_ms(now.unix_ms), signed_ms(now.mono_ms));
	return at > 0 ? (uint64_t)at : 0;
}

/* --- writing
 * ------------------------------------------------------------------------------------------------
 */

int row_bind(sqlite3_stmt *st, const struct binding_record *r, int64_t granted_unix_ms,
	     const int64_t *until_unix_ms)
{
	int rc = sqlite3_bind_int(st, 1 + KIND, (int)r->kind);
	rc |= sqlite3_bind_blob(st, 1 + PREFIX, &r->prefix.addr, sizeof r->prefix.addr,
				SQLITE_STATIC);
	rc |= sqlite3_bind_int(st, 1 + PLEN, r->prefix.plen);
	rc |= sqlite3_bind_int(st, 1 + STATE, (int)r->state);
	rc |= sqlite3_bind_blob(st, 1 + DUID, r->duid.bytes, r->duid.len, SQLITE_STATIC);
	rc |= sqlite3_bind_int64(st, 1 + IAID, r->iaid);
	rc |= sqlite3_bind_blob(st, 1 + NEXT_HOP, &r->next_hop, sizeof r->next_hop, SQLITE_STATIC);
	rc |= sqlite3_bind_blob(st, 1 + LLADDR, r->lladdr, r->lladdr_len, SQLITE_STATIC);
	rc |= sqlite3_bind_int64(st, 1 + PREFERRED, r->preferred_lft_s);
	rc |= sqlite3_bind_int64(st, 1 + VALID, r->valid_lft_s);
	rc |= sqlite3_bind_int64(st, 1 + GRANTED, granted_unix_ms);
	rc |= until_unix_ms ? sqlite3_bind_int64(st, 1 + UNTIL, *until_unix_ms)
			    : sqlite3_bind_null(st, 1 + UNTIL);
	/* A null pointer would be a NULL. */
	rc |= sqlite3_bind_blob(st, 1 + DETAILS, r->details_len ? (const void *)r->details : "",
				r->details_len, SQLITE_STATIC);
	/* NULL: SQLite chooses. */
	rc |= r->number ? sqlite3_bind_int64(st, 1 + NUMBER, r->number)
			: sqlite3_bind_null(st, 1 + NUMBER);
	return rc == SQLITE_OK ? 0 : -ENOMEM;
}

/* --- reading
 * ------------------------------------------------------------------------------------------------
 */

static bool read_number(sqlite3_stmt *st, enum column c, int64_t min, int64_t max,
			int64_t *ret_value)
{
	int64_t v = sqlite3_column_int64(st, (int)c);
	if (sqlite3_column_type(st, (int)c) != SQLITE_INTEGER || v < min || v > max)
		return false;
	*ret_value = v;
	return true;
}

/* min to max bytes of it. */
static bool read_bytes(sqlite3_stmt *st, enum column c, size_t min, size_t max, void *dst,
		       size_t *ret_len)
{
	if (sqlite3_column_type(st, (int)c) != SQLITE_BLOB)
		return false;
	const void *bytes = sqlite3_column_blob(st, (int)c);
	int len = sqlite3_column_bytes(st, (int)c);
	if (len < (int)min || len > (int)max || (len > 0 && !bytes))
		return false;
	if (len > 0)
		memcpy(dst, bytes, (size_t)len);
	*ret_len = (size_t)len;
	return true;
}

static bool is_sound(const struct row *row)
{
	const struct binding_record *r = &row->record;
	if (r->preferred_lft_s > r->valid_lft_s || IN6_IS_ADDR_UNSPECIFIED(&r->next_hop) ||
	    !prefix6_is_masked(&r->prefix) || (r->kind == BINDING_NA && r->prefix.plen != 128))
		return false;
	if (row->for_ever)
		return r->state == BINDING_BOUND && r->valid_lft_s == UINT32_MAX;
	return row->until_unix_ms >= row->granted_unix_ms &&
	       (r->state != BINDING_DECLINED ||
		row->until_unix_ms - row->granted_unix_ms <= SET_ASIDE_MAX_MS);
}

bool row_read(sqlite3_stmt *st, struct row *ret_row)
{
	struct row row = { .for_ever = sqlite3_column_type(st, UNTIL) == SQLITE_NULL };
	struct binding_record *r = &row.record;
	int64_t kind, plen, state, iaid, preferred, valid, number;
	size_t len, duid_len, lladdr_len, details_len;
	if (!read_number(st, KIND, BINDING_NA, BINDING_PD, &kind) ||
	    !read_number(st, PLEN, 1, 128, &plen) ||
	    !read_number(st, STATE, BINDING_BOUND, BINDING_DECLINED, &state) ||
	    !read_number(st, IAID, 0, UINT32_MAX, &iaid) ||
	    !read_number(st, PREFERRED, 0, UINT32_MAX, &preferred) ||
	    !read_number(st, VALID, 0, UINT32_MAX, &valid) ||
	    !read_number(st, NUMBER, 1, UINT32_MAX, &number) ||
	    !read_number(st, GRANTED, -INSTANT_MAX_MS, INSTANT_MAX_MS, &row.granted_unix_ms) ||
	    (!row.for_ever &&
	     !read_number(st, UNTIL, -INSTANT_MAX_MS, INSTANT_MAX_MS, &row.until_unix_ms)) ||
	    !read_bytes(st, PREFIX, 16, 16, &r->prefix.addr, &len) ||
	    !read_bytes(st, NEXT_HOP, 16, 16, &r->next_hop, &len) ||
	    !read_bytes(st, DUID, 1, DUID_MAX, r->duid.bytes, &duid_len) ||
	    !read_bytes(st, LLADDR, 0, BINDING_LLADDR_MAX, r->lladdr, &lladdr_len) ||
	    !read_bytes(st, DETAILS, 0, sizeof row.details, row.details, &details_len))
		return false;
	r->duid.len = (uint8_t)duid_len;
	r->lladdr_len = (uint8_t)lladdr_len;
	r->details_len = (uint16_t)details_len;
	r->number = (uint32_t)number;
	r->kind = (enum binding_kind)kind;
	r->prefix.plen = (uint8_t)plen;
	r->state = (enum binding_state)state;
	r->iaid = (uint32_t)iaid;
	r->preferred_lft_s = (uint32_t)preferred;
	r->valid_lft_s = (uint32_t)valid;
	if (!is_sound(&row))
		return false;
	*ret_row = row;
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct binding_record row_record(const struct row *row, struct store_now now, uint64_t latest_ms)
{
	struct binding_record r = row->record;
	r.details = row->details;
	r.granted_at_ms = earlier(to_mono(row->granted_unix_ms, now), latest_ms);
	if (row->for_ever) {
		r.valid_until_ms = UINT64_MAX;
		return r;
	}
	uint64_t span_ms = (uint64_t)(row->until_unix_ms - row->granted_unix_ms);
	if (r.state == BINDING_FREED)
		span_ms = 0; /* it has been over since */
	else if (r.state == BINDING_BOUND)
		span_ms = earlier(span_ms, r.valid_lft_s * UINT64_C(1000));
	r.valid_until_ms = earlier(to_mono(row->until_unix_ms, now), now.mono_ms + span_ms);
	return r;
}
