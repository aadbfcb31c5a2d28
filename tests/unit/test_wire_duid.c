/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/duid.h"

static void formats_and_parses_back(void **state)
{
	(void)state;
	char text[DUID_STRLEN];
	struct duid d;
	assert_int_equal(duid_parse("00:03:00:01:02:AA:bb:00:00:0f", &d), 0);
	assert_int_equal(d.len, 10);
	assert_string_equal(duid_format(d.bytes, d.len, text), "00:03:00:01:02:aa:bb:00:00:0f");
	struct duid same;
	assert_int_equal(duid_parse("0003000102aabb00000f", &same), 0);
	assert_true(duid_equal(&d, &same));
	same.bytes[9] ^= 1;
	assert_false(duid_equal(&d, &same));
	same = d;
	same.len--;
	assert_false(duid_equal(&d, &same));
}

static void refuses_what_is_no_hex(void **state)
{
	(void)state;
	const char *const bad[] = { "",       ":",  "0",     "00:",  ":00",    "00:1",
				    "00::11", "0g", "00 11", "0x00", "00:11:", "000" };
	struct duid d = { .len = 1, .bytes = { 7 } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(duid_parse(bad[i], &d), -EINVAL);
		assert_int_equal(d.len, 1);
		assert_int_equal(d.bytes[0], 7);
	}
}

/* RFC 9915 §11.1: 128 octets behind the type code at most. */
static void is_bounded(void **state)
{
	(void)state;
	char text[2 * (DUID_MAX + 1) + 1];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	struct duid d;
	assert_int_equal(duid_parse(text, &d), -EINVAL);
	text[2 * DUID_MAX] = '\0';
	assert_int_equal(duid_parse(text, &d), 0);
	assert_int_equal(d.len, DUID_MAX);

	uint8_t longer[DUID_MAX + 50];
	memset(longer, 0xbb, sizeof longer);
	char shown[DUID_STRLEN];
	assert_int_equal(strlen(duid_format(longer, sizeof longer, shown)), DUID_STRLEN - 1);
	assert_string_equal(duid_format(longer, 0, shown), "");
}

static void makes_a_uuid_duid(void **state)
{
	(void)state;
	const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct duid d = duid_from_uuid(uuid);
	char text[DUID_STRLEN];
	assert_string_equal(duid_format(d.bytes, d.len, text),
			    "00:04:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10");
}

static void finds_ethernet_addresses(void **state)
{
	(void)state;
	const uint8_t want[6] = { 2, 0, 0, 0, 0, 0x0a };
	uint8_t mac[6] = { 0 };
	const uint8_t ll[] = { 0, 3, 0, 1, 2, 0, 0, 0, 0, 0x0a };
	const uint8_t llt[] = { 0, 1, 0, 1, 0x2a, 0x3b, 0x4c, 0x5d, 2, 0, 0, 0, 0, 0x0a };
	assert_true(duid_ethernet(ll, sizeof ll, mac));
	assert_memory_equal(mac, want, 6);
	memset(mac, 0, 6);
	assert_true(duid_ethernet(llt, sizeof llt, mac));
	assert_memory_equal(mac, want, 6);

	const uint8_t other_hw[] = { 0, 3, 0, 6, 2, 0, 0, 0, 0, 0x0a };
	const uint8_t en[] = { 0, 2, 0, 1, 2, 0, 0, 0, 0, 0x0a };
	const uint8_t longer[] = { 0, 3, 0, 1, 2, 0, 0, 0, 0, 0x0a, 0 };
	memset(mac, 9, 6);
	assert_false(duid_ethernet(other_hw, sizeof other_hw, mac));
	assert_false(duid_ethernet(en, sizeof en, mac));
	assert_false(duid_ethernet(longer, sizeof longer, mac));
	for (size_t n = 0; n < sizeof llt; n++)
		assert_false(duid_ethernet(llt, n, mac));
	assert_int_equal(mac[0], 9); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_and_parses_back),
		cmocka_unit_test(refuses_what_is_no_hex),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(makes_a_uuid_duid),
		cmocka_unit_test(finds_ethernet_addresses),
	};
	return cmocka_run_group_tests_name("duid", tests, NULL, NULL);
}
