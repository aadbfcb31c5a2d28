/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/dnsname.h"

static void put_and_get_are_inverse(void **state)
{
	(void)state;
	const char *const names[] = {
		"lab", "www.example.net", "a.b-c._tcp.X1", "azAZ09",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890.x"
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		uint8_t b[DNSNAME_STRLEN];
		char text[DNSNAME_STRLEN];
		struct wr w = wr_of(b, sizeof b);
		dnsname_put(&w, names[i]);
		assert_false(w.full);
		assert_int_equal(wr_len(&w), strlen(names[i]) + 2);
		struct rd r = rd_of(b, wr_len(&w));
		assert_int_equal(dnsname_get(&r, false, text), 0);
		assert_string_equal(text, names[i]);
		assert_int_equal(rd_left(&r), 0);
	}
}

static void writes_the_bytes_of_the_rfc(void **state)
{
	(void)state;
	uint8_t want[64];
	uint8_t b[64];
	size_t n = unit_vector("dnsname/full", want, sizeof want);
	struct wr w = wr_of(b, sizeof b);
	dnsname_put(&w, "www.example.net."); /* with or without the final dot */
	assert_int_equal(wr_len(&w), n);
	assert_memory_equal(b, want, n);
}

static void judges_text(void **state)
{
	(void)state;
	char label63[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890";
	char label64[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz012345678901";
	char name253[256];
	assert_int_equal(strlen(label63), 63);
	(void)snprintf(name253, sizeof name253, "%s.%s.%s.%.61s", label63, label63, label63,
		       label63);
	assert_int_equal(strlen(name253), 253);
	assert_true(dnsname_valid(label63));
	assert_true(dnsname_valid(name253));
	assert_true(dnsname_valid("a."));
	assert_true(dnsname_valid("_x-1.y"));
	strcat(name253, "x");
	assert_false(dnsname_valid(name253));
	const char *const bad[] = { "",    ".",   "..",       ".a",  "a..b", "a..",
				    "a b", "a/b", "\xc3\xa9", "a\n", "@",    "[",
				    "`",   "{",   "/",        ":",   label64 };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t b[300];
		struct wr w = wr_of(b, sizeof b);
		assert_false(dnsname_valid(bad[i]));
		dnsname_put(&w, bad[i]);
		assert_true(w.full);
		assert_int_equal(wr_len(&w), 0);
	}
}

static int get(const void *bytes, size_t len, bool partial, char *text)
{
	struct rd r = rd_of(bytes, len);
	return dnsname_get(&r, partial, text);
}

/* RFC 4704 §4.2: a partial name ends with its last label. */
static void partial_names_end_with_the_cursor(void **state)
{
	(void)state;
	uint8_t b[64];
	char text[DNSNAME_STRLEN] = "before";
	size_t n = unit_vector("dnsname/partial", b, sizeof b);
	assert_int_equal(get(b, n, false, text), -EINVAL);
	assert_string_equal(text, "before");
	assert_int_equal(get(b, n, true, text), 0);
	assert_string_equal(text, "cpe");
	assert_int_equal(get(b, n - 1, true, text), -EINVAL); /* within a label */
	assert_int_equal(get(b, 0, true, text), 0);
	assert_string_equal(text, "");
	n = unit_vector("dnsname/full", b, sizeof b);
	assert_int_equal(get(b, n, true, text), 0);
	assert_string_equal(text, "www.example.net");
}

static void refuses_pointers_overruns_and_odd_bytes(void **state)
{
	(void)state;
	uint8_t b[64];
	char text[DNSNAME_STRLEN] = "before";
	size_t n = unit_vector("dnsname/pointer", b, sizeof b);
	assert_int_equal(get(b, n, true, text), -EINVAL);
	n = unit_vector("dnsname/overrun", b, sizeof b);
	assert_int_equal(get(b, n, true, text), -EINVAL);
	const uint8_t dot_inside[] = { 3, 'a', '.', 'b', 0 };
	const uint8_t nul_inside[] = { 3, 'a', 0, 'b', 0 };
	assert_int_equal(get(dot_inside, sizeof dot_inside, false, text), -EINVAL);
	assert_int_equal(get(nul_inside, sizeof nul_inside, false, text), -EINVAL);
	assert_int_equal(get(b, 0, false, text), -EINVAL);
	assert_string_equal(text, "before");
}

/* RFC 1035 §2.3.4: 255 bytes on the wire, 253 characters of text. */
static void names_are_bounded(void **state)
{
	(void)state;
	uint8_t b[300] = { 0 };
	char text[DNSNAME_STRLEN];
	for (size_t i = 0; i < 128; i++) {
		b[2 * i] = 1;
		b[2 * i + 1] = 'a';
	}
	assert_int_equal(get(b, 2 * 126, true, text), 0);
	b[2 * 127] = 0; /* 127 labels, 255 bytes */
	assert_int_equal(get(b, 2 * 127 + 1, false, text), 0);
	assert_int_equal(strlen(text), 253);
	b[2 * 127] = 1;
	assert_int_equal(get(b, 2 * 128 + 1, false, text), -EINVAL);
}

static bool formed(const void *bytes, size_t len)
{
	return dnsname_formed(rd_of(bytes, len));
}

/* RFC 4704 §4.2: whole, without its end, or nothing at all. */
static void names_of_any_bytes_are_told_from_what_is_none(void **state)
{
	(void)state;
	uint8_t b[257];
	assert_true(formed(NULL, 0));
	assert_true(formed("", 1));
	assert_true(formed("\1a\0", 3));
	assert_true(formed("\1a", 2));
	assert_true(formed("\3a.\0\1b", 6));
	assert_false(formed("\2a", 2));
	assert_false(formed("\1a\0\0", 4));
	assert_false(formed("\0\1a", 3));
	assert_false(formed("\300\14", 2));
	assert_false(formed("\1a\100", 3));
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = i % 2 ? 'a' : 1;
	assert_true(formed(b, 254));
	b[254] = 0;
	assert_true(formed(b, 255));
	b[254] = 1;
	assert_false(formed(b, 256));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_and_get_are_inverse),
		cmocka_unit_test(writes_the_bytes_of_the_rfc),
		cmocka_unit_test(judges_text),
		cmocka_unit_test(partial_names_end_with_the_cursor),
		cmocka_unit_test(refuses_pointers_overruns_and_odd_bytes),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(names_of_any_bytes_are_told_from_what_is_none),
	};
	return cmocka_run_group_tests_name("dnsname", tests, NULL, NULL);
}
