/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/reconcile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The calls, as text: "+prefix>hop" and "-prefix", in order. */
struct calls {
	char text[1024];
	int result;
};

static void note(struct calls *c, char sign, const struct delegated_route *r)
{
	char p[PREFIX6_STRLEN], h[INET6_ADDRSTRLEN];
	size_t at = strlen(c->text);
	if (sign == '+')
		snprintf(c->text + at, sizeof c->text - at, "+%s>%s ",
			 prefix6_format(&r->prefix, p), in6_format(&r->next_hop, h));
	else
		snprintf(c->text + at, sizeof c->text - at, "-%s ", prefix6_format(&r->prefix, p));
}

static int on_add(void *ctx, const struct delegated_route *r)
{
	note((struct calls *)ctx, '+', r);
	return ((struct calls *)ctx)->result;
}

static int on_remove(void *ctx, const struct delegated_route *r)
{
	note((struct calls *)ctx, '-', r);
	return ((struct calls *)ctx)->result;
}

static struct delegated_route route(const char *prefix, const char *hop)
{
	struct delegated_route r;
	assert_int_equal(prefix6_parse(prefix, -1, &r.prefix), 0);
	assert_int_equal(inet_pton(AF_INET6, hop, &r.next_hop), 1);
	return r;
}

static void adds_what_is_missing_and_removes_what_is_nobodys(void **state)
{
	(void)state;
	struct delegated_route wanted[] = { route("2001:db8:3::/56", "fe80::3"),
					    route("2001:db8:1::/56", "fe80::1") };
	struct delegated_route installed[] = { route("2001:db8:9::/56", "fe80::9"),
					       route("2001:db8:1::/56", "fe80::1"),
					       route("2001:db8:0::/56", "fe80::8") };
	struct calls c = { 0 };
	struct reconcile_counts n;
	assert_int_equal(reconcile_routes(wanted, 2, installed, 3, on_add, on_remove, &c, &n), 0);
	assert_string_equal(c.text, "-2001:db8::/56 +2001:db8:3::/56>fe80::3 -2001:db8:9::/56 ");
	assert_int_equal(n.kept, 1);
	assert_int_equal(n.added, 1);
	assert_int_equal(n.removed, 2);
}

static void another_next_hop_is_replaced_and_not_removed(void **state)
{
	(void)state;
	struct delegated_route wanted[] = { route("2001:db8:1::/56", "fe80::2") };
	struct delegated_route installed[] = { route("2001:db8:1::/56", "fe80::1") };
	struct calls c = { 0 };
	struct reconcile_counts n;
	assert_int_equal(reconcile_routes(wanted, 1, installed, 1, on_add, on_remove, &c, &n), 0);
	assert_string_equal(c.text, "+2001:db8:1::/56>fe80::2 ");
}

static void the_length_is_part_of_the_prefix(void **state)
{
	(void)state;
	struct delegated_route wanted[] = { route("2001:db8:1::/60", "fe80::1") };
	struct delegated_route installed[] = { route("2001:db8:1::/56", "fe80::1") };
	struct calls c = { 0 };
	struct reconcile_counts n;
	assert_int_equal(reconcile_routes(wanted, 1, installed, 1, on_add, on_remove, &c, &n), 0);
	assert_string_equal(c.text, "-2001:db8:1::/56 +2001:db8:1::/60>fe80::1 ");
}

static void nothing_on_either_side_is_nothing_to_do(void **state)
{
	(void)state;
	struct calls c = { 0 };
	struct reconcile_counts n;
	assert_int_equal(reconcile_routes(NULL, 0, NULL, 0, on_add, on_remove, &c, &n), 0);
	assert_string_equal(c.text, "");
}

static void a_failing_callback_stops_it(void **state)
{
	(void)state;
	struct delegated_route wanted[] = { route("2001:db8:1::/56", "fe80::1"),
					    route("2001:db8:2::/56", "fe80::2") };
	struct calls c = { .result = -ENOBUFS };
	struct reconcile_counts n;
	assert_int_equal(reconcile_routes(wanted, 2, NULL, 0, on_add, on_remove, &c, &n), -ENOBUFS);
	assert_string_equal(c.text, "+2001:db8:1::/56>fe80::1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_what_is_missing_and_removes_what_is_nobodys),
		cmocka_unit_test(another_next_hop_is_replaced_and_not_removed),
		cmocka_unit_test(the_length_is_part_of_the_prefix),
		cmocka_unit_test(nothing_on_either_side_is_nothing_to_do),
		cmocka_unit_test(a_failing_callback_stops_it),
	};
	return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
