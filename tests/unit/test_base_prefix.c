/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/prefix.h"

static struct prefix6 parsed(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, 128, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static void assert_prefix(const struct prefix6 *p, const char *want)
{
	char buf[PREFIX6_STRLEN];
	assert_string_equal(prefix6_format(p, buf), want);
}

static void parses_address_and_length(void **state)
{
	(void)state;
	struct prefix6 p;
	assert_int_equal(prefix6_parse("2001:db8::/32", -1, &p), 0);
	assert_prefix(&p, "2001:db8::/32");
	assert_int_equal(prefix6_parse("2001:db8::5", 64, &p), 0);
	assert_prefix(&p, "2001:db8::5/64"); /* the bits behind the length are kept */
	assert_int_equal(prefix6_parse("::/0", -1, &p), 0);
	assert_prefix(&p, "::/0");
	assert_int_equal(prefix6_parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", -1, &p),
			 0);
	assert_prefix(&p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	for (uint8_t plen = 0; plen <= 128; plen++) {
		char text[PREFIX6_STRLEN];
		(void)snprintf(text, sizeof text, "2001:db8::/%u", plen);
		assert_int_equal(prefix6_parse(text, -1, &p), 0);
		assert_prefix(&p, text);
	}
	assert_int_equal(prefix6_parse("2001:db8::/007", -1, &p), 0);
	assert_int_equal(p.plen, 7);
}

static void refuses_what_is_no_prefix(void **state)
{
	(void)state;
	const char *const bad[] = {
		"",
		"/",
		"/64",
		"2001:db8::/",
		"2001:db8::/129",
		"2001:db8::/-1",
		"2001:db8::/+1",
		"2001:db8::/6x",
		"2001:db8::/ 6",
		"2001:db8::/0064",
		"192.0.2.1/24",
		"2001:db8::/a",
		"2001:db8::/1:",
		"2001:db8::/1/",
		"0000:0000:0000:0000:0000:0000:0000:0000:000000/64", /* 46 characters of address */

		"fe80::1%eth0/64",
		"2001:db8::/64/64",
		" ::/0",
		"::1 ",
		"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64"
	};
	struct prefix6 p = parsed("2001:db8::1/77");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(prefix6_parse(bad[i], 64, &p), -EINVAL);
		assert_prefix(&p, "2001:db8::1/77"); /* untouched */
	}
	assert_int_equal(prefix6_parse("2001:db8::", -1, &p), -EDOM);
	assert_int_equal(prefix6_parse("2001:zzz::", -1, &p), -EINVAL);
}

static void masks_at_every_kind_of_length(void **state)
{
	(void)state;
	static const struct {
		uint8_t plen;
		const char *want;
	} rows[] = { { 0, "::/0" },
		     { 1, "8000::/1" },
		     { 7, "fe00::/7" },
		     { 8, "ff00::/8" },
		     { 64, "ffff:ffff:ffff:ffff::/64" },
		     { 127, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
		     { 128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct prefix6 all = parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
		all.plen = rows[i].plen;
		struct prefix6 m = prefix6_masked(&all);
		assert_prefix(&m, rows[i].want);
		assert_true(prefix6_is_masked(&m));
		assert_int_equal(prefix6_is_masked(&all), rows[i].plen == 128);
	}
}

static void contains_and_overlaps(void **state)
{
	(void)state;
	struct prefix6 p48 = parsed("2001:db8:ffff::/48");
	struct prefix6 p56 = parsed("2001:db8:ffff:8000::/56");
	struct prefix6 other = parsed("2001:db8:fffe::/48");
	struct prefix6 all = parsed("::/0");
	assert_true(prefix6_contains(&p48, &p56));
	assert_true(prefix6_contains(&p48, &p48));
	assert_false(prefix6_contains(&p56, &p48));
	assert_false(prefix6_contains(&p48, &other));
	assert_true(prefix6_contains(&all, &other));
	assert_true(prefix6_overlaps(&p56, &p48));
	assert_true(prefix6_overlaps(&p48, &p56));
	assert_false(prefix6_overlaps(&p48, &other));
	struct in6_addr in = unit_in6("2001:db8:ffff:80ff:ffff:ffff:ffff:ffff");
	struct in6_addr out = unit_in6("2001:db8:ffff:8100::");
	assert_true(prefix6_has_addr(&p56, &in));
	assert_false(prefix6_has_addr(&p56, &out));
	assert_true(prefix6_equal(&p48, &p48));
	struct prefix6 longer = p48;
	longer.plen = 49;
	assert_false(prefix6_equal(&p48, &longer));
	assert_false(prefix6_equal(&p48, &other));
}

static void counts_subprefixes(void **state)
{
	(void)state;
	struct prefix6 p = parsed("2001:db8:ffff:8000::/49");
	assert_int_equal(prefix6_count_log2(&p, 56), 7);
	assert_int_equal(prefix6_count_log2(&p, 49), 0);
	assert_int_equal(prefix6_count_log2(&p, 112), 63);
	assert_int_equal(prefix6_count_log2(&p, 128), 63);
}

static void nth_and_index_are_inverse(void **state)
{
	(void)state;
	struct prefix6 pool = parsed("2001:db8:ffff:8000::/49");
	struct prefix6 n = prefix6_nth(&pool, 56, 0);
	assert_prefix(&n, "2001:db8:ffff:8000::/56");
	n = prefix6_nth(&pool, 56, 127);
	assert_prefix(&n, "2001:db8:ffff:ff00::/56");
	for (uint64_t i = 0; i < 128; i++) {
		n = prefix6_nth(&pool, 56, i);
		assert_true(prefix6_contains(&pool, &n));
		assert_int_equal(prefix6_index_of(&pool, 56, &n.addr), i);
		/* any address within it has the same index */
		n.addr.s6_addr[15] = 1;
		assert_int_equal(prefix6_index_of(&pool, 56, &n.addr), i);
	}
	n = prefix6_nth(&pool, 49, 0);
	assert_true(prefix6_equal(&n, &pool));
	struct prefix6 lan = parsed("2001:db8::/64");
	n = prefix6_nth(&lan, 128, UINT64_MAX);
	assert_prefix(&n, "2001:db8::ffff:ffff:ffff:ffff/128");
	assert_true(prefix6_index_of(&lan, 128, &n.addr) == UINT64_MAX);
	struct prefix6 all = parsed("::/0");
	n = prefix6_nth(&all, 64, UINT64_C(0x20010db800000001));
	assert_prefix(&n, "2001:db8:0:1::/64");
	n = prefix6_nth(&all, 0, 0);
	assert_prefix(&n, "::/0");
	assert_int_equal(prefix6_index_of(&all, 0, &lan.addr), 0);
}

static void nth_ignores_bits_behind_the_pools_length(void **state)
{
	(void)state;
	struct prefix6 pool = parsed("2001:db8:ffff:8055::1/49");
	struct prefix6 n = prefix6_nth(&pool, 56, 1);
	assert_prefix(&n, "2001:db8:ffff:8100::/56");
}

static void puts_interface_ids_behind_the_prefix(void **state)
{
	(void)state;
	struct prefix6 lan = parsed("2001:db8:0:1::/64");
	struct in6_addr a = prefix6_with_iid(&lan, 1);
	struct in6_addr want = unit_in6("2001:db8:0:1::1");
	assert_memory_equal(&a, &want, sizeof a);
	struct prefix6 narrow = parsed("2001:db8::/48");
	a = prefix6_with_iid(&narrow, UINT64_MAX);
	want = unit_in6("2001:db8::ffff:ffff:ffff:ffff");
	assert_memory_equal(&a, &want, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_address_and_length),
		cmocka_unit_test(refuses_what_is_no_prefix),
		cmocka_unit_test(masks_at_every_kind_of_length),
		cmocka_unit_test(contains_and_overlaps),
		cmocka_unit_test(counts_subprefixes),
		cmocka_unit_test(nth_and_index_are_inverse),
		cmocka_unit_test(nth_ignores_bits_behind_the_pools_length),
		cmocka_unit_test(puts_interface_ids_behind_the_prefix),
	};
	return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}
