/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/row.h"

#include "store/image.h"

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

/* A row's values, wherever they are read: details and number come last. */
enum { VALUES = NUMBER + 1 };

static bool read_number(const struct image_value *v, int64_t min, int64_t max, int64_t *ret_value)
{
	if (v->kind != IMAGE_NUMBER || v->number < min || v->number > max)
		return false;
	*ret_value = v->number;
	return true;
}

/* min to max bytes of it. */
static bool read_bytes(const struct image_value *v, size_t min, size_t max, void *dst,
		       size_t *ret_len)
{
	if (v->kind != IMAGE_BYTES || v->len < min || v->len > max)
		return false;
	if (v->len > 0)
		memcpy(dst, v->bytes, v->len);
	*ret_len = v->len;
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

static bool row_of(const struct image_value v[static VALUES], struct row *row)
{
	struct binding_record *r = &row->record;
	int64_t kind, plen, state, iaid, preferred, valid, number;
	size_t len, duid_len, lladdr_len, details_len;
	row->for_ever = v[UNTIL].kind == IMAGE_NULL;
	row->until_unix_ms = 0;
	if (!read_number(&v[KIND], BINDING_NA, BINDING_PD, &kind) ||
	    !read_number(&v[PLEN], 1, 128, &plen) ||
	    !read_number(&v[STATE], BINDING_BOUND, BINDING_DECLINED, &state) ||
	    !read_number(&v[IAID], 0, UINT32_MAX, &iaid) ||
	    !read_number(&v[PREFERRED], 0, UINT32_MAX, &preferred) ||
	    !read_number(&v[VALID], 0, UINT32_MAX, &valid) ||
	    !read_number(&v[NUMBER], 1, UINT32_MAX, &number) ||
	    !read_number(&v[GRANTED], -INSTANT_MAX_MS, INSTANT_MAX_MS, &row->granted_unix_ms) ||
	    (!row->for_ever &&
	     !read_number(&v[UNTIL], -INSTANT_MAX_MS, INSTANT_MAX_MS, &row->until_unix_ms)) ||
	    !read_bytes(&v[PREFIX], 16, 16, &r->prefix.addr, &len) ||
	    !read_bytes(&v[NEXT_HOP], 16, 16, &r->next_hop, &len) ||
	    !read_bytes(&v[DUID], 1, DUID_MAX, r->duid.bytes, &duid_len) ||
	    !read_bytes(&v[LLADDR], 0, BINDING_LLADDR_MAX, r->lladdr, &lladdr_len) ||
	    !read_bytes(&v[DETAILS], 0, sizeof row->details, row->details, &details_len))
		return false;
	memset(r->lladdr + lladdr_len, 0, sizeof r->lladdr - lladdr_len);
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
	return is_sound(row);
}

bool row_read(sqlite3_stmt *st, struct row *ret_row)
{
	struct image_value v[VALUES] = { 0 };
	for (int c = 0; c < VALUES; c++) {
		switch (sqlite3_column_type(st, c)) {
		case SQLITE_INTEGER:
			v[c].kind = IMAGE_NUMBER;
			v[c].number = sqlite3_column_int64(st, c);
			break;
		case SQLITE_BLOB:
			v[c].bytes = (const uint8_t *)sqlite3_column_blob(st, c);
			v[c].len = (size_t)sqlite3_column_bytes(st, c);
			v[c].kind = v[c].bytes || v[c].len == 0 ? IMAGE_BYTES : IMAGE_NULL;
			break;
		case SQLITE_NULL:
			break;
		default:
			return false;
		}
	}
	return row_of(v, ret_row);
}

/* What the tables' columns say of their kinds, and SQLite holds them to. */
static bool is_of_its_kind(enum column c, const struct image_value *v)
{
	switch (c) {
	case PREFIX:
	case DUID:
	case NEXT_HOP:
	case LLADDR:
	case DETAILS:
		return v->kind == IMAGE_BYTES;
	case UNTIL:
		return v->kind != IMAGE_BYTES;
	default:
		return v->kind == IMAGE_NUMBER;
	}
}

int row_parse(const uint8_t *record, size_t len, int64_t number, struct row *ret_row)
{
	/* In front of them stands the number, as nothing: it is the row's key. */
	struct image_value v[1 + VALUES];
	if (image_record(record, len, v, VALUES) < 0 || v[0].kind != IMAGE_NULL)
		return -EUCLEAN;
	for (unsigned c = KIND; c < NUMBER; c++)
		if (!is_of_its_kind((enum column)c, &v[1 + c]))
			return -EUCLEAN;
	if (!ret_row)
		return 0;
	v[1 + NUMBER] = (struct image_value){ .kind = IMAGE_NUMBER, .number = number };
	return row_of(v + 1, ret_row);
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
