/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What wireguard-go answers, as init reads it. */
#include "unit/unit.h"

#include "host/wg_uapi.h"

static int read_state(const char *text, struct wg_state *ret_state)
{
	char copy[512];
	assert_true(snprintf(copy, sizeof copy, "%s", text) < (int)sizeof copy);
	return wg_uapi_read_state(copy, ret_state);
}

static void a_state_is_read_line_by_line(void **state)
{
	(void)state;
	struct wg_state s = { 0 };
	assert_int_equal(
		read_state("private_key=00\nlisten_port=51820\npublic_key=11\n"
			   "endpoint=[2001:db8::1]:443\nlast_handshake_time_sec=1800000000\n"
			   "tx_bytes=18446744073709551615\nrx_bytes=7\nnew_thing\nerrno=0",
			   &s),
		0);
	assert_int_equal(s.listen_port, 51820);
	assert_int_equal(s.handshake_unix_s, 1800000000);
	assert_true(s.tx_bytes == UINT64_MAX);
	assert_int_equal(s.rx_bytes, 7);
	assert_int_equal(s.endpoint.ss_family, AF_INET6);
}

static void an_errno_of_either_sign_is_a_negative_result(void **state)
{
	(void)state;
	struct wg_state s = { 0 };
	assert_int_equal(read_state("errno=-19", &s), -ENODEV);
	assert_int_equal(read_state("errno=19", &s), -ENODEV);
	assert_int_equal(wg_uapi_read_answer("errno=0"), 0);
	assert_int_equal(wg_uapi_read_answer("errno=-22\n"), -EINVAL);
	assert_int_equal(wg_uapi_read_answer("errno=22"), -EINVAL);
}

static void what_is_no_number_or_too_large_is_no_answer(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"rx_bytes=1",
		"errno=",
		"errno=-2147483648", /* has no positive counterpart as an int */
		"errno=4096",
		"errno=99999999999999999999",
		"errno=0x5",
		"errno=--1",
		"listen_port=65536\nerrno=0",
		"rx_bytes=18446744073709551616\nerrno=0",
		"tx_bytes=-1\nerrno=0",
		"last_handshake_time_sec=1 \nerrno=0",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct wg_state s = { .rx_bytes = 42 };
		assert_int_equal(read_state(texts[i], &s), -EPROTO);
		assert_int_equal(s.rx_bytes, 42);
		if (!strchr(texts[i], '\n'))
			assert_int_equal(wg_uapi_read_answer(texts[i]), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_is_read_line_by_line),
		cmocka_unit_test(an_errno_of_either_sign_is_a_negative_result),
		cmocka_unit_test(what_is_no_number_or_too_large_is_no_answer),
	};
	return cmocka_run_group_tests_name("wg_uapi", tests, NULL, NULL);
}
