/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/names.h"

enum { FLAG_S = 1, FLAG_N = 4 };
static const char zone[] = "provider1.lab";

/* --- a name out of a client's bytes */

/* flags, and each string of the list as a label; root: with the end of the name. */
static struct rd fqdn(uint8_t *buf, uint8_t flags, bool root, const char *const *labels)
{
	size_t n = 0;
	buf[n++] = flags;
	for (; *labels; labels++) {
		size_t len = strlen(*labels);
		buf[n++] = (uint8_t)len;
		memcpy(buf + n, *labels, len);
		n += len;
	}
	if (root)
		buf[n++] = 0;
	return rd_of(buf, n);
}

static void is_named(const char *wanted, struct rd body)
{
	char name[NAME_STRLEN] = "untouched";
	bool named = name_of_fqdn(body, zone, name);
	if (!wanted) {
		assert_false(named);
		assert_string_equal(name, "untouched");
		return;
	}
	assert_true(named);
	assert_string_equal(name, wanted);
}

#define NAMED(wanted, ...)                                                                         \
	do {                                                                                       \
		uint8_t buf_[512];                                                                 \
		is_named(wanted, fqdn(buf_, FLAG_S, true, (const char *[]){ __VA_ARGS__, NULL })); \
		is_named(wanted,                                                                   \
			 fqdn(buf_, FLAG_S, false, (const char *[]){ __VA_ARGS__, NULL }));        \
	} while (0)

static void letters_and_digits_stay_and_upper_case_is_folded(void **state)
{
	(void)state;
	NAMED("office", "office");
	NAMED("office7", "OFFICE7");
	NAMED("42", "42");
}

static void every_run_of_others_becomes_one_hyphen_and_none_is_left_at_the_ends(void **state)
{
	(void)state;
	NAMED("paul-s-laptop", "Paul's  Laptop!!");
	NAMED("a-b", "--a---b--");
	NAMED("a-b", "_a_-_b_");
	NAMED("m-ller", "m\303\274ller");
	NAMED("xn-mller-kva", "xn--mller-kva");
}

static void a_dot_is_no_letter_either(void **state)
{
	(void)state;
	NAMED("office-example-com", "office", "example", "com");
	NAMED("a-b", "a.b");
}

static void our_zone_behind_it_is_left_out(void **state)
{
	(void)state;
	NAMED("office", "Office", "Provider1", "LAB");
	NAMED("office", "office.provider1.lab");
	NAMED("a-office", "a", "office", "provider1", "lab");
	NAMED("myprovider1-lab", "myprovider1", "lab");
	NAMED(NULL, "provider1", "lab");
}

static void a_name_that_becomes_empty_is_no_name(void **state)
{
	(void)state;
	NAMED(NULL, "-");
	NAMED(NULL, "...", "_", "\377\376");
	uint8_t root[] = { FLAG_S, 0 };
	is_named(NULL, rd_of(root, sizeof root));
	is_named(NULL, rd_of(root, 1));
	is_named(NULL, rd_of(root, 0));
}

static void nothing_can_be_injected_into_a_line(void **state)
{
	(void)state;
	NAMED("a-1-2-3-4-evil", "a\n1.2.3.4 evil");
	NAMED("a-b", "a\r\n#b");
	NAMED("a-b", "a\tb ");
	uint8_t nul[] = { FLAG_S, 3, 'a', 0, 'b', 0 };
	is_named("a-b", rd_of(nul, sizeof nul));
}

/* Every byte in every place: what comes out is a label, whatever goes in. */
static void only_labels_come_out(void **state)
{
	(void)state;
	uint32_t x = 1;
	for (int round = 0; round < 20000; round++) {
		uint8_t buf[300];
		char name[NAME_STRLEN];
		size_t len = (size_t)(round % 280);
		for (size_t i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			buf[i] = (uint8_t)(x >> 24);
		}
		if (len > 1)
			buf[1] &= 63; /* often a possible label */
		buf[0] = 0;
		if (!name_of_fqdn(rd_of(buf, len), zone, name))
			continue;
		size_t n = strlen(name);
		assert_in_range(n, 1, 63);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), n);
		assert_true(name[0] != '-' && name[n - 1] != '-' && !strstr(name, "--"));
	}
}

static void a_label_ends_at_63_and_not_with_a_hyphen(void **state)
{
	(void)state;
	char first[63], second[63], wanted[64];
	memset(first, 'a', 62);
	memset(second, 'b', 62);
	first[62] = second[62] = '\0';
	memset(wanted, 'a', 62);
	wanted[62] = '\0';
	NAMED(wanted, first, second);
	first[61] = '\0';
	memset(wanted, 'a', 61);
	memcpy(wanted + 61, "-b", 3);
	NAMED(wanted, first, second);
}

static void broken_wire_format_is_no_name(void **state)
{
	(void)state;
	const struct {
		size_t len;
		uint8_t bytes[8];
	} broken[] = {
		{ 4, { 0, 5, 'a', 'b' } },         /* a label longer than what is there */
		{ 4, { 0, 0xc0, 0x0c, 0 } },       /* a compression pointer */
		{ 5, { 0, 0x41, 'a', 'b', 'c' } }, /* an extended label type */
		{ 6, { 0, 1, 'a', 0, 1, 'b' } },   /* something behind the end */
		{ 4, { 0, 'a', 'b', 'c' } },       /* text that is no wire format */
	};
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		is_named(NULL, rd_of(broken[i].bytes, broken[i].len));
	uint8_t longest[1 + 5 * 64] = { 0 };
	for (size_t i = 1; i < sizeof longest; i += 64) {
		longest[i] = 63;
		memset(longest + i + 1, 'a', 63);
	}
	is_named(NULL, rd_of(longest, sizeof longest));
}

static void who_wants_none_gets_none(void **state)
{
	(void)state;
	uint8_t buf[64];
	is_named(NULL, fqdn(buf, FLAG_N, true, (const char *[]){ "office", NULL }));
	is_named("office", fqdn(buf, 0, true, (const char *[]){ "office", NULL }));
}

static void names_that_would_mislead_others_are_nobodys(void **state)
{
	(void)state;
	NAMED(NULL, "router");
	NAMED(NULL, "WPAD");
	NAMED(NULL, "isatap", "provider1", "lab");
	NAMED(NULL, "-localhost-");
	NAMED("wpad2", "wpad2");
}

/* --- who has which */

static struct names *new_names(void)
{
	static const uint8_t key[16] = { 7 };
	struct names *n;
	assert_int_equal(names_new(zone, key, &n), 0);
	return n;
}

static void tell(struct names *n, const char *client, const char *addr, const char *name,
		 enum binding_state state, bool erased)
{
	static uint8_t details[128]; /* outlives the record */
	struct binding_record r = { .kind = BINDING_NA,
				    .state = state,
				    .prefix = { unit_in6(addr), 128 },
				    .details = details };
	r.duid.len = (uint8_t)strlen(client);
	memcpy(r.duid.bytes, client, r.duid.len);
	if (name) {
		struct rd body = fqdn(details + 4, 0, true, (const char *[]){ name, NULL });
		size_t len = rd_left(&body);
		memcpy(details, (const uint8_t[]){ 0, 39, 0, (uint8_t)len }, 4);
		r.details_len = (uint16_t)(4 + len);
	}
	assert_int_equal(names_follow(n, &r, erased), 0);
	assert_true(names_consistent(n));
}

static void bound(struct names *n, const char *client, const char *addr, const char *name)
{
	tell(n, client, addr, name, BINDING_BOUND, false);
}

static void freed(struct names *n, const char *client, const char *addr)
{
	tell(n, client, addr, NULL, BINDING_FREED, false);
}

struct looking {
	const char *name;
	char found[256];
};

static int look(void *ctx, const struct in6_addr *addr, const char *name)
{
	struct looking *l = (struct looking *)ctx;
	char text[INET6_ADDRSTRLEN];
	if (strcmp(name, l->name) != 0)
		return 0;
	size_t n = strlen(l->found);
	(void)snprintf(l->found + n, sizeof l->found - n, "%s%s", n ? " " : "",
		       inet_ntop(AF_INET6, addr, text, sizeof text));
	return 0;
}

static void has(const struct names *n, const char *name, const char *addrs)
{
	struct looking l = { .name = name };
	for (unsigned s = 0; s < NAMES_SHARDS; s++)
		assert_int_equal(names_having(n, s, look, &l), 0);
	assert_string_equal(l.found, addrs);
}

static void in_line(const struct names *n, const char *name, const char *addrs)
{
	struct looking l = { .name = name };
	for (unsigned s = 0; s < NAMES_SHARDS; s++)
		assert_int_equal(names_lines(n, s, look, &l), 0);
	assert_string_equal(l.found, addrs);
}

static void the_first_keeps_a_name_and_the_second_gets_it_when_the_first_leaves(void **state)
{
	(void)state;
	struct names *n = new_names();
	bound(n, "a", "2001:db8::a", "office");
	bound(n, "b", "2001:db8::b", "Office");
	bound(n, "c", "2001:db8::c", "office");
	has(n, "office", "2001:db8::a");
	assert_int_equal(names_given(n), 1);
	assert_int_equal(names_waiting(n), 2);
	bound(n, "a", "2001:db8::a", "office"); /* a renewal */
	has(n, "office", "2001:db8::a");
	freed(n, "a", "2001:db8::a");
	has(n, "office", "2001:db8::b");
	bound(n, "a", "2001:db8::a", "office"); /* who comes back is the last */
	tell(n, "b", "2001:db8::b", "office", BINDING_BOUND, true);
	has(n, "office", "2001:db8::c");
	freed(n, "c", "2001:db8::c");
	has(n, "office", "2001:db8::a");
	freed(n, "a", "2001:db8::a");
	has(n, "office", "");
	assert_int_equal(names_given(n) + names_waiting(n), 0);
	names_free(n);
}

static void a_clients_addresses_are_all_under_its_name_until_the_last_is_gone(void **state)
{
	(void)state;
	struct names *n = new_names();
	bound(n, "a", "2001:db8::a", "office");
	bound(n, "b", "2001:db8::b", "office");
	bound(n, "a", "2001:db8::a2", "office");
	in_line(n, "office", "2001:db8::a 2001:db8::a2 2001:db8::b");
	assert_int_equal(names_waiting(n), 1);
	freed(n, "a", "2001:db8::a");
	has(n, "office", "2001:db8::a2");
	freed(n, "a", "2001:db8::a2");
	has(n, "office", "2001:db8::b");
	names_free(n);
}

static void a_client_can_call_itself_something_else(void **state)
{
	(void)state;
	struct names *n = new_names();
	bound(n, "a", "2001:db8::a", "office");
	bound(n, "b", "2001:db8::b", "office");
	bound(n, "a", "2001:db8::a", "home");
	has(n, "office", "2001:db8::b");
	has(n, "home", "2001:db8::a");
	bound(n, "a", "2001:db8::a", NULL);
	has(n, "home", "");
	names_free(n);
}

static void an_address_that_is_somebody_elses_by_now_is_not_taken_from_it(void **state)
{
	(void)state;
	struct names *n = new_names();
	bound(n, "a", "2001:db8::a", "office");
	bound(n, "b", "2001:db8::a", "home");
	tell(n, "a", "2001:db8::a", NULL, BINDING_FREED, true);
	has(n, "home", "2001:db8::a");
	has(n, "office", "");
	names_free(n);
}

static void a_delegated_prefix_has_no_name(void **state)
{
	(void)state;
	struct names *n = new_names();
	uint8_t details[] = { 0, 39, 0, 8, 0, 6, 'o', 'f', 'f', 'i', 'c', 'e' };
	struct binding_record r = { .kind = BINDING_PD,
				    .state = BINDING_BOUND,
				    .prefix = { unit_in6("2001:db8:8000::"), 56 },
				    .duid = { .len = 1, .bytes = { 'a' } },
				    .details = details,
				    .details_len = sizeof details };
	assert_int_equal(names_follow(n, &r, false), 0);
	assert_int_equal(names_given(n), 0);
	names_free(n);
}

static void the_line_for_one_name_is_bounded(void **state)
{
	(void)state;
	struct names *n = new_names();
	char client[16], addr[32];
	for (int i = 0; i < NAMES_LINE_MAX + 10; i++) {
		snprintf(client, sizeof client, "c%d", i);
		snprintf(addr, sizeof addr, "2001:db8::%x", i + 1);
		bound(n, client, addr, "office");
	}
	assert_int_equal(names_waiting(n), NAMES_LINE_MAX - 1);
	freed(n, "c0", "2001:db8::1");
	bound(n, client, addr, "office");
	assert_int_equal(names_waiting(n), NAMES_LINE_MAX - 1);
	has(n, "office", "2001:db8::2");
	names_free(n);
}

struct copy {
	struct names *to;
	size_t n;
};

static int copy_one(void *ctx, const struct in6_addr *addr, const char *name)
{
	struct copy *c = (struct copy *)ctx;
	c->n++;
	return names_remember(c->to, addr, name);
}

static void the_order_in_line_outlasts_a_restart(void **state)
{
	(void)state;
	struct names *before = new_names(), *n = new_names();
	bound(before, "a", "2001:db8::a", "office");
	bound(before, "b", "2001:db8::b", "office");
	bound(before, "c", "2001:db8::c", "office");
	bound(before, "a", "2001:db8::a2", "office");
	bound(before, "x", "2001:db8::1", "home");
	struct copy copy = { .to = n };
	for (unsigned s = 0; s < NAMES_SHARDS; s++)
		assert_int_equal(names_lines(before, s, copy_one, &copy), 0);
	assert_int_equal(copy.n, 5);
	has(n, "office", "");
	/* The bindings come in another order, and one is gone. */
	bound(n, "c", "2001:db8::c", "office");
	bound(n, "d", "2001:db8::d", "office");
	bound(n, "a", "2001:db8::a2", "office");
	bound(n, "x", "2001:db8::1", "elsewhere");
	bound(n, "a", "2001:db8::a", "office");
	names_settle(n);
	assert_true(names_consistent(n));
	in_line(n, "office", "2001:db8::a 2001:db8::a2 2001:db8::c 2001:db8::d");
	assert_int_equal(names_waiting(n), 2);
	has(n, "elsewhere", "2001:db8::1");
	has(n, "home", "");
	freed(n, "a", "2001:db8::a");
	freed(n, "a", "2001:db8::a2");
	has(n, "office", "2001:db8::c");
	freed(n, "c", "2001:db8::c");
	has(n, "office", "2001:db8::d");
	names_free(before);
	names_free(n);
}

static void only_names_are_remembered(void **state)
{
	(void)state;
	struct names *n = new_names();
	const struct in6_addr a = unit_in6("2001:db8::a");
	char longest[NAME_STRLEN + 1];
	memset(longest, 'a', NAME_STRLEN);
	longest[NAME_STRLEN] = '\0';
	assert_int_equal(names_remember(n, &a, ""), -EINVAL);
	assert_int_equal(names_remember(n, &a, "a\nb"), -EINVAL);
	assert_int_equal(names_remember(n, &a, "Office"), -EINVAL);
	assert_int_equal(names_remember(n, &a, "router"), -EINVAL);
	assert_int_equal(names_remember(n, &a, longest), -EINVAL);
	assert_int_equal(names_remember(n, &a, longest + 1), 0);
	assert_int_equal(names_remember(n, &a, "b"), -EINVAL);
	names_free(n);
}

static void changed(struct names *n, int having, int lines)
{
	const struct names_changes c = names_changed(n);
	assert_int_equal(__builtin_popcountll(c.having), having);
	assert_int_equal(__builtin_popcountll(c.lines), lines);
	assert_false(names_pending(n));
}

static void what_changed_is_told_once(void **state)
{
	(void)state;
	struct names *n = new_names();
	changed(n, 0, 0);
	bound(n, "a", "2001:db8::a", "office");
	assert_true(names_pending(n));
	changed(n, 1, 1);
	bound(n, "a", "2001:db8::a", "office");
	freed(n, "b", "2001:db8::b");
	changed(n, 0, 0);
	bound(n, "b", "2001:db8::b", "office"); /* who waits is in line only */
	changed(n, 0, 1);
	freed(n, "a", "2001:db8::a");
	changed(n, 2, 1);
	names_free(n);
}

/* A resolver forgets a file's records before it reads it again: what an address is called must not
 * go from one file to another. */
static void an_address_and_a_line_stay_in_their_shards(void **state)
{
	(void)state;
	struct names *n = new_names();
	bound(n, "a", "2001:db8::a", "office");
	const struct names_changes before = names_changed(n);
	bound(n, "a", "2001:db8::a", "home");
	assert_int_equal(names_changed(n).having, before.having);
	names_free(n);
	static const uint8_t another_key[16] = { 8 };
	assert_int_equal(names_new(zone, another_key, &n), 0);
	bound(n, "a", "2001:db8::a", "office");
	const struct names_changes again = names_changed(n);
	assert_int_equal(again.having, before.having);
	assert_int_equal(again.lines, before.lines);
	names_free(n);
}

static void ten_thousand_names_come_and_go(void **state)
{
	(void)state;
	struct names *n = new_names();
	char client[16], addr[32], name[16];
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 10000; i++) {
			snprintf(client, sizeof client, "c%d", i);
			snprintf(addr, sizeof addr, "2001:db8::%x", i + 1);
			snprintf(name, sizeof name, "n%d", i % 5000);
			static uint8_t details[64];
			struct binding_record r = { .kind = BINDING_NA,
						    .state = round ? BINDING_FREED : BINDING_BOUND,
						    .prefix = { unit_in6(addr), 128 },
						    .details = details };
			r.duid.len = (uint8_t)strlen(client);
			memcpy(r.duid.bytes, client, r.duid.len);
			struct rd body = fqdn(details + 4, 0, true, (const char *[]){ name, NULL });
			size_t len = rd_left(&body);
			memcpy(details, (const uint8_t[]){ 0, 39, 0, (uint8_t)len }, 4);
			r.details_len = (uint16_t)(4 + len);
			assert_int_equal(names_follow(n, &r, false), 0);
			if (round == 0 && i == 9999) {
				assert_int_equal(names_given(n), 5000);
				assert_int_equal(names_waiting(n), 5000);
				assert_true(names_consistent(n));
				const struct names_changes all = names_changed(n);
				assert_true(all.having == UINT64_MAX && all.lines == UINT64_MAX);
			}
		}
	assert_int_equal(names_given(n), 0);
	assert_true(names_consistent(n));
	names_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_and_digits_stay_and_upper_case_is_folded),
		cmocka_unit_test(
			every_run_of_others_becomes_one_hyphen_and_none_is_left_at_the_ends),
		cmocka_unit_test(a_dot_is_no_letter_either),
		cmocka_unit_test(our_zone_behind_it_is_left_out),
		cmocka_unit_test(a_name_that_becomes_empty_is_no_name),
		cmocka_unit_test(nothing_can_be_injected_into_a_line),
		cmocka_unit_test(only_labels_come_out),
		cmocka_unit_test(a_label_ends_at_63_and_not_with_a_hyphen),
		cmocka_unit_test(broken_wire_format_is_no_name),
		cmocka_unit_test(who_wants_none_gets_none),
		cmocka_unit_test(names_that_would_mislead_others_are_nobodys),
		cmocka_unit_test(
			the_first_keeps_a_name_and_the_second_gets_it_when_the_first_leaves),
		cmocka_unit_test(a_clients_addresses_are_all_under_its_name_until_the_last_is_gone),
		cmocka_unit_test(a_client_can_call_itself_something_else),
		cmocka_unit_test(an_address_that_is_somebody_elses_by_now_is_not_taken_from_it),
		cmocka_unit_test(a_delegated_prefix_has_no_name),
		cmocka_unit_test(the_line_for_one_name_is_bounded),
		cmocka_unit_test(the_order_in_line_outlasts_a_restart),
		cmocka_unit_test(only_names_are_remembered),
		cmocka_unit_test(what_changed_is_told_once),
		cmocka_unit_test(an_address_and_a_line_stay_in_their_shards),
		cmocka_unit_test(ten_thousand_names_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
