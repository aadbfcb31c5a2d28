/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/reservations.h"

#include <errno.h>

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, 128, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static struct reservation one(unsigned line, enum reservation_by by, const char *key,
			      const char *what)
{
	struct reservation r = { .by = by, .line = line, .prefix = prefix(what) };
	r.kind = r.prefix.plen == 128 ? BINDING_NA : BINDING_PD;
	r.key_len = (uint8_t)strlen(key);
	memcpy(r.key, key, r.key_len);
	return r;
}

struct seen {
	size_t n;
	unsigned lines[8];
	size_t stop_at;
};

static bool see(void *ctx, const struct reservation *r)
{
	struct seen *s = (struct seen *)ctx;
	s->lines[s->n++] = r->line;
	return s->n == s->stop_at;
}

static void a_clients_are_found_in_the_order_of_their_lines(void **state)
{
	(void)state;
	const struct reservation list[] = {
		one(4, RESERVED_FOR_DUID, "a", "2001:db8:4::/48"),
		one(2, RESERVED_FOR_DUID, "b", "2001:db8:2::/48"),
		one(3, RESERVED_FOR_LLADDR, "a", "2001:db8:3::/48"),
		one(1, RESERVED_FOR_DUID, "a", "2001:db8:1::/48"),
		one(5, RESERVED_FOR_DUID, "aa", "2001:db8:5::/48"),
	};
	struct reservations *r;
	assert_int_equal(reservations_new(list, 5, &r, NULL), 0);
	assert_int_equal(reservations_count(r), 5);
	struct seen s = { 0 };
	assert_false(reservations_for(r, RESERVED_FOR_DUID, (const uint8_t *)"a", 1, see, &s));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.lines[0], 1);
	assert_int_equal(s.lines[1], 4);
	s = (struct seen){ .stop_at = 1 };
	assert_true(reservations_for(r, RESERVED_FOR_DUID, (const uint8_t *)"a", 1, see, &s));
	assert_int_equal(s.n, 1);
	assert_false(
		reservations_for(r, RESERVED_FOR_INTERFACE_ID, (const uint8_t *)"a", 1, see, &s));
	reservations_free(r);
	reservations_free(NULL);
	assert_false(reservations_for(NULL, RESERVED_FOR_DUID, (const uint8_t *)"a", 1, see, &s));
	assert_int_equal(reservations_count(NULL), 0);
}

static void what_overlaps_one_is_found(void **state)
{
	(void)state;
	const struct reservation list[] = {
		one(1, RESERVED_FOR_DUID, "a", "2001:db8:0:1000::/52"),
		one(2, RESERVED_FOR_DUID, "b", "2001:db8:0:8000::/56"),
		one(3, RESERVED_FOR_DUID, "c", "2001:db8:1::7"),
	};
	static const struct {
		const char *what;
		unsigned line; /* 0: none */
	} cases[] = {
		{ "2001:db8:0:1000::/52", 1 },
		{ "2001:db8:0:1fff::/64", 1 },
		{ "2001:db8:0:1000::", 1 },
		{ "2001:db8::/51", 1 },
		{ "2001:db8:0:2000::/52", 0 },
		{ "2001:db8:0:8000::/52", 2 },
		{ "2001:db8:0:80ff::/64", 2 },
		{ "2001:db8:0:8100::/56", 0 },
		{ "2001:db8:1::7", 3 },
		{ "2001:db8:1::8", 0 },
		{ "2001:db8:1::/64", 3 },
		{ "::/0", 1 },
		{ "ff00::/8", 0 },
	};
	struct reservations *r;
	assert_int_equal(reservations_new(list, 3, &r, NULL), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct prefix6 p = prefix(cases[i].what);
		const struct reservation *at = reservations_at(r, &p);
		assert_int_equal(at ? at->line : 0, cases[i].line);
	}
	const struct prefix6 p = prefix("::/0");
	assert_null(reservations_at(NULL, &p));
	reservations_free(r);
	assert_int_equal(reservations_new(NULL, 0, &r, NULL), 0);
	assert_null(reservations_at(r, &p));
	reservations_free(r);
}

static void two_that_overlap_are_refused_and_the_later_named(void **state)
{
	(void)state;
	const struct reservation list[] = {
		one(7, RESERVED_FOR_DUID, "a", "2001:db8::/48"),
		one(8, RESERVED_FOR_DUID, "b", "2001:db9::/48"),
		one(3, RESERVED_FOR_DUID, "c", "2001:db8:0:5500::/56"),
	};
	struct reservations *r = NULL;
	struct reservation clash;
	assert_int_equal(reservations_new(list, 3, &r, &clash), -EEXIST);
	assert_int_equal(clash.line, 7);
	assert_int_equal(reservations_new(list, 3, &r, NULL), -EEXIST);
	assert_null(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clients_are_found_in_the_order_of_their_lines),
		cmocka_unit_test(what_overlaps_one_is_found),
		cmocka_unit_test(two_that_overlap_are_refused_and_the_later_named),
	};
	return cmocka_run_group_tests_name("engine_reservations", tests, NULL, NULL);
}
