/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/buf.h"

static void rd_reads_network_order(void **state)
{
	(void)state;
	const uint8_t b[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct rd r = rd_of(b, sizeof b);
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_be16(&r), 0x0203);
	assert_int_equal(rd_be24(&r), 0x040506);
	assert_int_equal(rd_be32(&r), 0x0708090a);
	assert_false(r.bad);
	assert_int_equal(rd_left(&r), 0);
}

static void rd_keeps_the_high_bit(void **state)
{
	(void)state;
	const uint8_t b[] = { 0xff, 0xff, 0xff, 0xff };
	struct rd r = rd_of(b, sizeof b);
	assert_true(rd_be32(&r) == 0xffffffffU);
}

/* RFC 9915 §21.1: an option longer than the message is malformed. */
static void rd_sub_rejects_overlong_option(void **state)
{
	(void)state;
	const uint8_t b[] = { 1, 2, 3 };
	struct rd r = rd_of(b, sizeof b);
	struct rd sub = rd_sub(&r, 4);
	assert_true(sub.bad);
	assert_true(r.bad);
	assert_int_equal(rd_left(&sub), 0);
	assert_int_equal(rd_u8(&sub), 0);
}

static void rd_sub_takes_its_bytes_from_the_parent(void **state)
{
	(void)state;
	const uint8_t b[] = { 1, 2, 3 };
	struct rd r = rd_of(b, sizeof b);
	struct rd sub = rd_sub(&r, 2);
	assert_int_equal(rd_left(&sub), 2);
	assert_int_equal(rd_left(&r), 1);
	assert_int_equal(rd_be16(&sub), 0x0102);
	assert_int_equal(rd_u8(&sub), 0);
	assert_true(sub.bad);
	assert_false(r.bad); /* the child's error is its own */
	assert_int_equal(rd_u8(&r), 3);
}

static void rd_errors_are_sticky(void **state)
{
	(void)state;
	const uint8_t b[] = { 1, 2 };
	uint8_t dst[4] = { 9, 9, 9, 9 };
	struct rd r = rd_of(b, sizeof b);
	assert_int_equal(rd_be32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&r), 0); /* though two bytes are there */
	rd_bytes(&r, dst, 1);
	assert_int_equal(dst[0], 9);
	assert_int_equal(rd_left(&r), 0);
	struct in6_addr a = rd_in6(&r);
	assert_memory_equal(&a, &in6addr_any, sizeof a);
}

static void rd_takes_nothing_at_the_end(void **state)
{
	(void)state;
	const uint8_t b[] = { 1 };
	struct rd r = rd_of(b, 0);
	assert_non_null(rd_take(&r, 0));
	assert_false(r.bad);
	assert_null(rd_take(&r, 1));
	assert_true(r.bad);
	r = rd_of(NULL, 0);
	assert_int_equal(rd_left(&r), 0);
	assert_false(r.bad);
}

static void wr_writes_network_order(void **state)
{
	(void)state;
	uint8_t b[10];
	const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct wr w = wr_of(b, sizeof b);
	wr_u8(&w, 0x01);
	wr_be16(&w, 0x0203);
	wr_be24(&w, 0x040506);
	wr_be32(&w, 0x0708090a);
	assert_false(w.full);
	assert_int_equal(wr_len(&w), sizeof b);
	assert_memory_equal(b, want, sizeof b);
}

static void wr_overflow_is_sticky_and_stays_inside(void **state)
{
	(void)state;
	uint8_t b[8] = { 0 };
	struct wr w = wr_of(b, 3);
	wr_be16(&w, 0xaaaa);
	wr_be16(&w, 0xbbbb);
	assert_true(w.full);
	wr_u8(&w, 0xcc); /* it would fit */
	assert_int_equal(wr_len(&w), 2);
	for (size_t i = 2; i < sizeof b; i++)
		assert_int_equal(b[i], 0);
}

static void wr_patches_what_was_written(void **state)
{
	(void)state;
	uint8_t b[4] = { 0 };
	struct wr w = wr_of(b, sizeof b);
	wr_be16(&w, 0);
	wr_patch_be16(&w, 0, 0x1234);
	wr_patch_be16(&w, 1, 0x5678); /* half of it is not written yet */
	assert_int_equal(b[0], 0x12);
	assert_int_equal(b[1], 0x34);
	assert_int_equal(b[2], 0);
}

static void wr_zero_fills(void **state)
{
	(void)state;
	uint8_t b[4] = { 1, 2, 3, 4 };
	struct wr w = wr_of(b, sizeof b);
	wr_zero(&w, 3);
	wr_bytes(&w, NULL, 0);
	assert_int_equal(wr_len(&w), 3);
	assert_int_equal(b[2], 0);
	assert_int_equal(b[3], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rd_reads_network_order),
		cmocka_unit_test(rd_keeps_the_high_bit),
		cmocka_unit_test(rd_sub_rejects_overlong_option),
		cmocka_unit_test(rd_sub_takes_its_bytes_from_the_parent),
		cmocka_unit_test(rd_errors_are_sticky),
		cmocka_unit_test(rd_takes_nothing_at_the_end),
		cmocka_unit_test(wr_writes_network_order),
		cmocka_unit_test(wr_overflow_is_sticky_and_stays_inside),
		cmocka_unit_test(wr_patches_what_was_written),
		cmocka_unit_test(wr_zero_fills),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
