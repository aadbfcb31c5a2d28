/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expected values were computed with another implementation of HMAC (python's hmac and hashlib). */
#include "unit.h"

#include "wire/dhcp6.h"
#include "wire/dhcp6_auth.h"

static void unhex(const char *text, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;
		assert_int_equal(sscanf(text + 2 * i, "%2x", &v), 1);
		bytes[i] = (uint8_t)v;
	}
}

static void the_key(uint8_t key[static 16])
{
	uint8_t secret[32];
	for (unsigned i = 0; i < 32; i++)
		secret[i] = (uint8_t)i;
	const struct in6_addr at = unit_in6("fe80::c");
	d6_reconfigure_key(secret, &at, (const uint8_t *)"client", 6, key);
}

static void a_clients_key_follows_from_secret_place_and_duid(void **state)
{
	(void)state;
	uint8_t key[16], expected[16];
	unhex("6e960bdba209f73d0eba1d14f7329384", expected, 16);
	the_key(key);
	assert_memory_equal(key, expected, 16);
}

static void a_reconfigure_is_signed_over_all_of_it(void **state)
{
	(void)state;
	uint8_t buf[256], key[16], expected[16];
	struct wr w = wr_of(buf, sizeof buf);
	wr_bytes(&w, "a relay's layer", 15);
	const uint8_t *message = w.p;
	d6_put_header(&w, D6_RECONFIGURE, 0);
	d6_put_span(&w, D6_OPT_CLIENTID, "client", 6);
	size_t at = d6_open(&w, D6_OPT_RECONF_MSG);
	wr_u8(&w, D6_RENEW);
	d6_close(&w, at);
	the_key(key);
	size_t before = wr_len(&w);
	d6_put_reconfigure_digest(&w, message, 0x0102030405060708, key);
	assert_false(w.full);
	assert_int_equal(wr_len(&w) - before, D6_AUTH_OPTION_LEN);
	unhex("0d56715213dc3c1e2df2ab21205e4532", expected, 16);
	assert_memory_equal(w.p - 16, expected, 16);
	assert_memory_equal(w.p - 32, "\0\x0b\0\x1c\3\1\0\1\2\3\4\5\6\7\x08\2", 16);
}

static void a_key_is_handed_over_with_type_1(void **state)
{
	(void)state;
	uint8_t buf[64], key[16] = "0123456789abcdef";
	struct wr w = wr_of(buf, sizeof buf);
	d6_put_reconfigure_key(&w, 7, key);
	assert_int_equal(wr_len(&w), D6_AUTH_OPTION_LEN);
	assert_memory_equal(buf,
			    "\0\x0b\0\x1c\3\1\0\0\0\0\0\0\0\0\7\1"
			    "0123456789abcdef",
			    32);
}

static void nothing_is_written_beyond_the_buffer(void **state)
{
	(void)state;
	uint8_t buf[D6_AUTH_OPTION_LEN] = { 0 }, key[16] = { 0 };
	struct wr w = wr_of(buf, sizeof buf - 1);
	d6_put_reconfigure_digest(&w, buf, 7, key);
	assert_true(w.full);
	assert_int_equal(buf[sizeof buf - 1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clients_key_follows_from_secret_place_and_duid),
		cmocka_unit_test(a_reconfigure_is_signed_over_all_of_it),
		cmocka_unit_test(a_key_is_handed_over_with_type_1),
		cmocka_unit_test(nothing_is_written_beyond_the_buffer),
	};
	return cmocka_run_group_tests_name("wire_dhcp6_auth", tests, NULL, NULL);
}
