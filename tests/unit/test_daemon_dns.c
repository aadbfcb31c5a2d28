/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/dns.h"

#include <stdlib.h>

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	assert_int_equal(prefix6_parse(text, -1, &p), 0);
	return p;
}

static struct config plain(void)
{
	struct config c = { .backend = WG_BACKEND_AUTO,
			    .wg_address = prefix("2001:db8:0:1::2/64"),
			    .assigned = prefix("2001:db8:ffff::/48"),
			    .transfers = { prefix("2001:db8:ffff::/64") },
			    .n_transfers = 1,
			    .pd_pool = prefix("2001:db8:ffff:8000::/49"),
			    .n_dns_upstream = 2,
			    .dns_upstream = { unit_in6("2620:fe::fe"),
					      unit_in6("2001:4860:4860::8888") } };
	return c;
}

static bool has_line(const struct config *c, const char *line)
{
	char *text, wanted[256];
	assert_int_equal(dns_configuration(c, "sub0", &text), 0);
	snprintf(wanted, sizeof wanted, "\n%s\n", line);
	bool has = strstr(text, wanted) != NULL;
	free(text);
	return has;
}

static size_t count(const struct config *c, const char *what)
{
	char *text;
	size_t n = 0;
	assert_int_equal(dns_configuration(c, "sub0", &text), 0);
	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	free(text);
	return n;
}

static void it_forwards_from_the_tunnels_address_alone(void **state)
{
	(void)state;
	struct config c = plain();
	assert_true(has_line(&c, "server=2620:fe::fe@2001:db8:0:1::2"));
	assert_true(has_line(&c, "server=2001:4860:4860::8888@2001:db8:0:1::2"));
	assert_int_equal(count(&c, "server="), 2);
	c.backend = WG_BACKEND_NONE;
	assert_int_equal(count(&c, "server="), 0);
}

static void it_answers_on_the_subscriber_link_and_reads_nothing_of_the_machine(void **state)
{
	(void)state;
	const struct config c = plain();
	static const char *const lines[] = { "interface=sub0", "except-interface=lo",
					     "bind-dynamic",   "no-resolv",
					     "no-hosts",       "user=",
					     "group=",         "pid-file=" };
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_true(has_line(&c, lines[i]));
	assert_int_equal(count(&c, "dhcp"), 0);
	assert_int_equal(count(&c, "local=") + count(&c, "hostsdir="), 0);
}

static void a_zone_and_its_reverse_zones_are_local(void **state)
{
	(void)state;
	struct config c = plain();
	strcpy(c.dns_zone, "provider1.lab");
	assert_true(has_line(&c, "local=/provider1.lab/"));
	assert_true(has_line(&c, "local=/f.f.f.f.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_true(has_line(&c, "host-record=router.provider1.lab,2001:db8:ffff::1"));
	assert_true(has_line(&c, "hostsdir=/run/vbng/dns/names"));
	assert_int_equal(count(&c, "local="), 2);
}

static void a_prefix_between_two_digits_has_several_reverse_zones(void **state)
{
	(void)state;
	struct config c = plain();
	strcpy(c.dns_zone, "lab");
	c.transfers[0] = prefix("2001:db8:7:1::/64");
	c.pd_pool = prefix("2001:db8:4000::/39");
	assert_true(has_line(&c, "local=/1.0.0.0.7.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_true(has_line(&c, "local=/0.4.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_true(has_line(&c, "local=/1.4.8.b.d.0.1.0.0.2.ip6.arpa/"));
	c.pd_pool = prefix("2001:db8:8:8000::/49");
	for (int digit = 8; digit <= 9; digit++) {
		char line[64];
		snprintf(line, sizeof line, "local=/%d.8.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/", digit);
		assert_true(has_line(&c, line));
	}
	assert_true(has_line(&c, "local=/f.8.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_false(has_line(&c, "local=/7.8.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_int_equal(count(&c, "local="), 1 + 1 + 1 + 8);
}

static void
every_transfer_network_has_its_reverse_zone_and_our_name_its_address_in_each(void **state)
{
	(void)state;
	struct config c = plain();
	strcpy(c.dns_zone, "lab");
	c.transfers[1] = prefix("2001:db8:ffff:1::/64");
	c.transfers[2] = prefix("2001:db8:7:1::/64");
	c.n_transfers = 3;
	assert_true(has_line(&c, "host-record=router.lab,2001:db8:ffff::1"));
	assert_true(has_line(&c, "host-record=router.lab,2001:db8:ffff:1::1"));
	assert_true(has_line(&c, "host-record=router.lab,2001:db8:7:1::1"));
	assert_true(has_line(&c, "local=/1.0.0.0.7.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa/"));
	assert_int_equal(count(&c, "local="), 1 + 1 + 1);
}

static void a_nic_whose_name_means_something_to_dnsmasq_is_refused(void **state)
{
	(void)state;
	struct config c = plain();
	static const char *const names[] = { "eth*", "a,b", "#x", "\"", "a\\b", "sub0\n" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(c.subscriber, sizeof c.subscriber, "%s", names[i]);
		assert_non_null(dns_impossible(&c));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_forwards_from_the_tunnels_address_alone),
		cmocka_unit_test(
			it_answers_on_the_subscriber_link_and_reads_nothing_of_the_machine),
		cmocka_unit_test(a_zone_and_its_reverse_zones_are_local),
		cmocka_unit_test(a_prefix_between_two_digits_has_several_reverse_zones),
		cmocka_unit_test(
			every_transfer_network_has_its_reverse_zone_and_our_name_its_address_in_each),
		cmocka_unit_test(a_nic_whose_name_means_something_to_dnsmasq_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
