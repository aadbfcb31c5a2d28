/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reservations as people write them: what each line means, and what is told of a faulty one. */
#include "unit.h"

#include "daemon/reservations_text.h"

#include <stdlib.h>

static struct reservation_rules rules;
static struct reservation_list list;
static char told[4096];

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, 128, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static int setup(void **state)
{
	(void)state;
	rules = (struct reservation_rules){ .assigned = prefix("2001:db8:ffff::/48"),
					    .transfer = prefix("2001:db8:ffff::/64"),
					    .transfers = &rules.transfer,
					    .n_transfers = 1,
					    .own_addr = unit_in6("2001:db8:ffff::1"),
					    .pd_pool = prefix("2001:db8:ffff:8000::/49"),
					    .pd_min_len = 56,
					    .pd_max_len = 60,
					    .ia_na = true };
	told[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reservation_list_done(&list);
	return 0;
}

static void tell(void *ctx, const char *sentence)
{
	(void)ctx;
	strncat(told, sentence, sizeof told - strlen(told) - 2);
	strcat(told, "\n");
}

static void read_text(const char *text)
{
	reservation_list_done(&list);
	told[0] = '\0';
	assert_int_equal(reservations_read(text, "file", 1, &rules, tell, NULL, &list), 0);
}

static void each_kind_of_line_is_understood(void **state)
{
	(void)state;
	read_text("# whose is whose\n"
		  "duid 00:03:00:01:02:00:5e:00:00:01 2001:db8:ffff:9900::/56\n"
		  "\n"
		  "  MAC 02:00:5e:00:00:02\tiaid 7 2001:db8:ffff:9a00::/60   # the second house\r\n"
		  "interface-id \"slot 1/port 3\" 2001:db8:ffff:4000::/52; interface-id 0x65746837 "
		  "2001:db8:ffff::7\n"
		  "mac 02-00-5e-00-00-03 2001:db8:ffff::8/128");
	/* A hardware address with dashes is not what everything else here writes. */
	assert_int_equal(list.n_faults, 1);
	assert_non_null(strstr(told, "file line 6: '02-00-5e-00-00-03' is no Ethernet address"));
	assert_int_equal(list.n, 4);
	assert_int_equal(list.list[0].by, RESERVED_FOR_DUID);
	assert_int_equal(list.list[0].key_len, 10);
	assert_memory_equal(list.list[0].key, "\0\3\0\1\2\0\x5e\0\0\1", 10);
	assert_false(list.list[0].has_iaid);
	assert_int_equal(list.list[0].kind, BINDING_PD);
	assert_int_equal(list.list[0].line, 2);
	assert_int_equal(list.list[1].by, RESERVED_FOR_LLADDR);
	assert_true(list.list[1].has_iaid);
	assert_int_equal(list.list[1].iaid, 7);
	assert_int_equal(list.list[1].prefix.plen, 60);
	assert_int_equal(list.list[1].line, 4);
	assert_int_equal(list.list[2].by, RESERVED_FOR_INTERFACE_ID);
	assert_int_equal(list.list[2].key_len, 13);
	assert_memory_equal(list.list[2].key, "slot 1/port 3", 13);
	assert_int_equal(list.list[3].key_len, 4);
	assert_memory_equal(list.list[3].key, "eth7", 4);
	assert_int_equal(list.list[3].kind, BINDING_NA);
}

static void every_faulty_line_is_told_with_its_number(void **state)
{
	(void)state;
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "duid 00:03", "is not complete" },
		{ "dhid 00:03 2001:db8:ffff:9900::/56",
		  "'dhid' is none of duid, mac and interface-id" },
		{ "duid 00:0x 2001:db8:ffff:9900::/56", "'00:0x' is no DUID" },
		{ "mac 02:00:5e:00:00 2001:db8:ffff:9900::/56", "is no Ethernet address" },
		{ "interface-id 0xabc 2001:db8:ffff:9900::/56", "is no Interface-Id" },
		{ "interface-id \"\" 2001:db8:ffff:9900::/56", "is no Interface-Id" },
		{ "duid 0003 iaid 2001:db8:ffff:9900::/56", "lacks its IAID" },
		{ "duid 0003 iaid x 2001:db8:ffff:9900::/56", "'x' is no IAID" },
		{ "duid 0003 iaid 4294967296 2001:db8:ffff:9900::/56", "is no IAID" },
		{ "duid 0003 iaid -1 2001:db8:ffff:9900::/56", "is no IAID" },
		{ "duid 0003 9900::/56/2", "is neither an IPv6 prefix nor an address" },
		{ "duid 0003 2001:db8:ffff:9901::/56", "did you mean 2001:db8:ffff:9900::/56?" },
		{ "duid 0003 2001:db8:ffff:9900::/65", "longer than /64" },
		{ "duid 0003 2001:db8:fffe:9900::/56", "does not lie in ASSIGNED_PREFIX" },
		{ "duid 0003 2001:db8:ffff::/56", "overlaps the transfer network" },
		{ "duid 0003 2001:db8:ffff:9000::/52", "has not its length, /56 to /60" },
		{ "duid 0003 2001:db8:ffff:9900::/64", "has not its length, /56 to /60" },
		{ "duid 0003 2001:db8:ffff:1::1", "does not lie in the transfer network" },
		{ "duid 0003 2001:db8:ffff::1", "is our own address" },
		{ "duid 0003 2001:db8:ffff::", "anycast" },
		{ "duid 0003 2001:db8:ffff:9900::/56 more", "'more' stands behind the prefix" },
		{ "duid 0003 2001:db8:ffff:8000::/60",
		  "overlaps 2001:db8:ffff:8000::/56, which line 1 reserves" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[256], line[32];
		(void)snprintf(text, sizeof text,
			       "duid 0001 2001:db8:ffff:8000::/56\n%s\n"
			       "duid 0002 2001:db8:ffff:8100::/56",
			       cases[i].line);
		read_text(text);
		(void)snprintf(line, sizeof line, "file line 2: ");
		if (list.n_faults != 1 || strncmp(told, line, strlen(line)) != 0 ||
		    !strstr(told, cases[i].why))
			fail_msg("of '%s' it is told: %s", cases[i].line, told);
		assert_int_equal(list.n, 2);
	}
	rules.ia_na = false;
	read_text("duid 0003 2001:db8:ffff::7\nduid 0004 nonsense\n");
	assert_int_equal(list.n_faults, 2);
	assert_non_null(
		strstr(told, "line 1: 2001:db8:ffff::7 is an address, and DHCPV6_IA_NA=off"));
	assert_non_null(strstr(told, "line 2: 'nonsense'"));
}

static void of_several_in_a_line_the_faulty_one_is_told(void **state)
{
	(void)state;
	read_text("# one; two\n"
		  "duid 0001 2001:db8:ffff:8000::/56; mac x 2001:db8:ffff:8100::/56;duid 0003\n"
		  "duid 0004 2001:db8:ffff:8000::/60");
	assert_string_equal(told, "file line 2 entry 2: 'x' is no Ethernet address, as in "
				  "02:00:5e:00:00:01\n"
				  "file line 2 entry 3: is not complete: KIND KEY [iaid NUMBER] "
				  "PREFIX, KIND being duid, mac or interface-id\n"
				  "file line 3: 2001:db8:ffff:8000::/60 overlaps "
				  "2001:db8:ffff:8000::/56, which line 2 reserves\n");
	assert_int_equal(list.n, 1);
}

static void between_quotes_every_character_is_text(void **state)
{
	(void)state;
	read_text("interface-id \"a;b #c\" 2001:db8:ffff:8000::/56 # \"not; here\n"
		  "interface-id 3\"x 2001:db8:ffff:8100::/56;duid 0003 2001:db8:ffff:8200::/56");
	assert_string_equal(told, "");
	assert_int_equal(list.n, 3);
	assert_int_equal(list.list[0].key_len, 6);
	assert_memory_equal(list.list[0].key, "a;b #c", 6);
	assert_memory_equal(list.list[1].key, "3\"x", 3);
	read_text("interface-id \"a 2001:db8:ffff:8000::/56; duid 0003 2001:db8:ffff:8200::/56\n"
		  "duid 0004 2001:db8:ffff:8300::/56");
	assert_non_null(strstr(told, "file line 1: is not complete"));
	assert_int_equal(list.n, 1);
}

static void nothing_and_comments_alone_are_no_fault(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n\n", ";;", "# only; this\n", "   # that" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		read_text(texts[i]);
		assert_int_equal(list.n + list.n_faults, 0);
	}
}

static void words_of_any_length_are_bounded(void **state)
{
	(void)state;
	static char text[20000];
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "duid ", 5);
	read_text(text);
	assert_int_equal(list.n_faults, 1);
	memcpy(text + sizeof text - 40, " 2001:db8:ffff:9900::/56               ", 39);
	read_text(text);
	assert_int_equal(list.n_faults, 1);
	text[20] = '\n';
	read_text(text);
	assert_int_equal(list.n_faults, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_kind_of_line_is_understood),
		T(every_faulty_line_is_told_with_its_number),
		T(of_several_in_a_line_the_faulty_one_is_told),
		T(between_quotes_every_character_is_text),
		T(nothing_and_comments_alone_are_no_fault),
		T(words_of_any_length_are_bounded),
	};
	return cmocka_run_group_tests_name("daemon_reservations", tests, NULL, NULL);
}
