/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/dhcp6_options.h"

static uint8_t buf[512];
static struct wr w;

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, -1, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static struct in_addr in4(const char *text)
{
	struct in_addr a;
	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return a;
}

static void begin(void)
{
	memset(buf, 0xa5, sizeof buf);
	w = wr_of(buf, sizeof buf);
}

#define assert_wrote(...)                                                                          \
	do {                                                                                       \
		static const uint8_t expected[] = { __VA_ARGS__ };                                 \
		assert_false(w.full);                                                              \
		assert_int_equal(wr_len(&w), sizeof expected);                                     \
		assert_memory_equal(buf, expected, sizeof expected);                               \
	} while (0)

/* RFC 5908 §4.1 and §4.2 */
static void an_ntp_source_is_a_server_or_a_multicast_group_by_its_address(void **state)
{
	(void)state;
	struct in6_addr a = unit_in6("2001:db8::123");
	begin();
	d6_put_ntp_address(&w, &a);
	assert_wrote(0, 56, 0, 20, 0, 1, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		     0x23);
	a = unit_in6("ff05::101");
	begin();
	d6_put_ntp_address(&w, &a);
	assert_wrote(0, 56, 0, 20, 0, 2, 0, 16, 0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1);
}

/* RFC 5908 §4.3 */
static void an_ntp_source_may_be_a_name(void **state)
{
	(void)state;
	begin();
	d6_put_ntp_name(&w, "ntp.example");
	assert_wrote(0, 56, 0, 17, 0, 3, 0, 13, 3, 'n', 't', 'p', 7, 'e', 'x', 'a', 'm', 'p', 'l',
		     'e', 0);
}

/* RFC 6334 §3 */
static void an_aftr_is_a_name_in_labels(void **state)
{
	(void)state;
	begin();
	d6_put_aftr_name(&w, "aftr.example.");
	assert_wrote(0, 64, 0, 14, 4, 'a', 'f', 't', 'r', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0);
}

/* RFC 6603 §4.2 */
static void an_excluded_prefix_is_the_bits_behind_the_delegated_length(void **state)
{
	(void)state;
	static const struct {
		const char *delegated, *excluded;
		size_t len;
		uint8_t body[20];
	} cases[] = {
		{ "2001:db8:dead:bee0::/59", "2001:db8:dead:beef::/64", 2, { 64, 0x78 } },
		{ "2001:db8:dead:be00::/56", "2001:db8:dead:beef::/64", 2, { 64, 0xef } },
		{ "2001:db8:dead:be00::/56", "2001:db8:dead:be00::/64", 2, { 64, 0 } },
		{ "2001:db8:dead::/48", "2001:db8:dead:beef::/64", 3, { 64, 0xbe, 0xef } },
		/* sixteen bits across three octets */
		{ "2001:db8:dead:bee0::/52",
		  "2001:db8:dead:b123:4000::/68",
		  3,
		  { 68, 0x12, 0x34 } },
		/* one bit, and one bit more than an octet */
		{ "2001:db8:dead:beee::/63", "2001:db8:dead:beef::/64", 2, { 64, 0x80 } },
		{ "2001:db8:dead:be00::/55", "2001:db8:dead:bfff::/64", 3, { 64, 0xff, 0x80 } },
		/* up to the address's last bit */
		{ "2001:db8::/127", "2001:db8::1/128", 2, { 128, 0x80 } },
		{ "2001:db8::/121", "2001:db8::55/128", 2, { 128, 0xaa } },
		{ "2001:db8::/64",
		  "2001:db8::123:4567:89ab:cdef/128",
		  9,
		  { 128, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef } },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct prefix6 delegated = prefix(cases[i].delegated),
				     masked = prefix6_masked(&delegated),
				     excluded = prefix(cases[i].excluded);
		begin();
		d6_put_pd_exclude(&w, &masked, &excluded);
		assert_int_equal(wr_len(&w), 4 + cases[i].len);
		assert_int_equal(buf[0] << 8 | buf[1], 67);
		assert_int_equal(buf[2] << 8 | buf[3], cases[i].len);
		assert_memory_equal(buf + 4, cases[i].body, cases[i].len);
	}
}

/* RFC 7598 §4.1 */
static void a_rule_has_its_ipv4_prefix_whole_and_its_ipv6_prefix_cut(void **state)
{
	(void)state;
	struct d6_s46_rule rule = { .ea_len = 16,
				    .prefix4 = in4("192.0.2.0"),
				    .plen4 = 24,
				    .prefix6 = prefix("2001:db8::/40") };
	begin();
	d6_put_s46_rule(&w, &rule);
	assert_wrote(0, 89, 0, 13, 0, 16, 24, 192, 0, 2, 0, 40, 0x20, 1, 0xd, 0xb8, 0);
	rule.fmr = true;
	rule.prefix6 = prefix("2001:db8:8000::/33");
	begin();
	d6_put_s46_rule(&w, &rule);
	assert_wrote(0, 89, 0, 13, 1, 16, 24, 192, 0, 2, 0, 33, 0x20, 1, 0xd, 0xb8, 0x80);
}

/* RFC 7598 §4.5 */
static void the_psid_stands_at_the_left_of_its_field(void **state)
{
	(void)state;
	struct d6_s46_rule rule = { .ea_len = 0,
				    .prefix4 = in4("192.0.2.1"),
				    .plen4 = 32,
				    .prefix6 = prefix("2001:db8::/32"),
				    .has_ports = true,
				    .ports = { .offset = 6, .psid_len = 8, .psid = 0x34 } };
	begin();
	d6_put_s46_rule(&w, &rule);
	assert_wrote(0, 89, 0, 20, 0, 0, 32, 192, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8, 0, 93, 0, 4, 6,
		     8, 0x34, 0);
	rule.ports = (struct d6_s46_ports){ .offset = 4 };
	begin();
	d6_put_s46_rule(&w, &rule);
	assert_wrote(0, 89, 0, 20, 0, 0, 32, 192, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8, 0, 93, 0, 4, 4,
		     0, 0, 0);
	rule.ports = (struct d6_s46_ports){ .psid_len = 16, .psid = 0xabcd };
	begin();
	d6_put_s46_rule(&w, &rule);
	assert_memory_equal(w.p - 4, "\x00\x10\xab\xcd", 4);
}

/* RFC 7598 §4.2 and §4.3 */
static void a_border_relay_is_an_address_and_a_default_mapping_a_prefix(void **state)
{
	(void)state;
	const struct in6_addr br = unit_in6("2001:db8::1");
	const struct prefix6 dmr = prefix("64:ff9b::/96"), whole = prefix("2001:db8::/64");
	begin();
	d6_put_s46_br(&w, &br);
	assert_wrote(0, 90, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	begin();
	d6_put_s46_dmr(&w, &dmr);
	assert_wrote(0, 91, 0, 13, 96, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0);
	begin();
	d6_put_s46_dmr(&w, &whole);
	assert_wrote(0, 91, 0, 9, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0);
}

/* RFC 7598 §4.4 */
static void a_binding_joins_an_ipv4_address_to_a_prefix(void **state)
{
	(void)state;
	struct d6_s46_bind bind = { .addr4 = in4("192.0.2.7"),
				    .prefix6 = prefix("2001:db8:42:ff00::/56") };
	begin();
	d6_put_s46_bind(&w, &bind);
	assert_wrote(0, 92, 0, 12, 192, 0, 2, 7, 56, 0x20, 1, 0xd, 0xb8, 0, 0x42, 0xff);
	bind.has_ports = true;
	bind.ports = (struct d6_s46_ports){ .psid_len = 4, .psid = 5 };
	begin();
	d6_put_s46_bind(&w, &bind);
	assert_wrote(0, 92, 0, 20, 192, 0, 2, 7, 56, 0x20, 1, 0xd, 0xb8, 0, 0x42, 0xff, 0, 93, 0, 4,
		     0, 4, 0x50, 0);
}

static void what_does_not_fit_is_told_by_the_cursor(void **state)
{
	(void)state;
	const struct in6_addr a = unit_in6("2001:db8::1");
	w = wr_of(buf, 23);
	d6_put_ntp_address(&w, &a);
	assert_true(w.full);
	begin();
	d6_put_aftr_name(&w, "not a name");
	assert_true(w.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ntp_source_is_a_server_or_a_multicast_group_by_its_address),
		cmocka_unit_test(an_ntp_source_may_be_a_name),
		cmocka_unit_test(an_aftr_is_a_name_in_labels),
		cmocka_unit_test(an_excluded_prefix_is_the_bits_behind_the_delegated_length),
		cmocka_unit_test(a_rule_has_its_ipv4_prefix_whole_and_its_ipv6_prefix_cut),
		cmocka_unit_test(the_psid_stands_at_the_left_of_its_field),
		cmocka_unit_test(a_border_relay_is_an_address_and_a_default_mapping_a_prefix),
		cmocka_unit_test(a_binding_joins_an_ipv4_address_to_a_prefix),
		cmocka_unit_test(what_does_not_fit_is_told_by_the_cursor),
	};
	return cmocka_run_group_tests_name("dhcp6 options", tests, NULL, NULL);
}
