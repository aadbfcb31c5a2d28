/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define PRIVATE "YNqHbfBQKaGvzefSSbpt1vkiOuSs5fCjMQCHs8Nxs2I="
#define PEER    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

enum { MAX_ENV = 64 };

/* An environment that is complete, changed entry by entry; "NAME" without '=' takes it out. */
struct env {
	char *entries[MAX_ENV];
	size_t n;
};

static void set(struct env *e, const char *entry)
{
	size_t len = strcspn(entry, "=");
	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->entries[i], entry, len) != 0 || e->entries[i][len] != '=')
			continue;
		free(e->entries[i]);
		e->entries[i] = e->entries[--e->n];
		e->entries[e->n] = NULL;
	}
	if (entry[len] == '=')
		e->entries[e->n++] = strdup(entry);
}

static struct env complete(void)
{
	struct env e = { 0 };
	set(&e, "WIREGUARD_INTERFACE_SUFFIX=provider1");
	set(&e, "WIREGUARD_PRIVATE_KEY=" PRIVATE);
	set(&e, "WIREGUARD_PEER=" PEER);
	set(&e, "WIREGUARD_ADDRESS=2001:db8::2/64");
	set(&e, "WIREGUARD_ENDPOINT=192.0.2.42:51820");
	set(&e, "ASSIGNED_PREFIX=2001:db8:ffff::/48");
	set(&e, "SUBSCRIBER_INTERFACE=enp2s0");
	return e;
}

static void done(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->entries[i]);
}

static bool in_list(char **list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(list[i], text))
			return true;
	return false;
}

static void assert_reads(struct env *e, struct config *c)
{
	struct config_report report;
	int r = config_read(e->entries, c, &report);
	if (r < 0 && report.n_faults)
		print_error("%s\n", report.faults[0]);
	assert_int_equal(r, 0);
	config_report_done(&report);
}

/* One change to a complete environment is a fault that says this, and names the variable first. */
static void assert_fault(const char *change, const char *says)
{
	struct env e = complete();
	struct config c;
	struct config_report report;
	set(&e, change);
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	if (!in_list(report.faults, report.n_faults, says))
		fail_msg("%s: no fault says \"%s\", the first is: %s", change, says,
			 report.faults[0]);
	config_report_done(&report);
	done(&e);
}

static void assert_warns(const char *change, const char *says)
{
	struct env e = complete();
	struct config c;
	struct config_report report;
	set(&e, change);
	assert_int_equal(config_read(e.entries, &c, &report), 0);
	assert_true(in_list(report.warnings, report.n_warnings, says));
	config_report_done(&report);
	done(&e);
}

static void assert_prefix(const struct prefix6 *p, const char *text)
{
	char buf[PREFIX6_STRLEN];
	assert_string_equal(prefix6_format(p, buf), text);
}

static void the_rest_is_derived_from_what_is_required(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_string_equal(c.tunnel, "wg-provider1");
	assert_prefix(&c.transfer, "2001:db8:ffff::/64");
	assert_prefix(&c.pd_pool, "2001:db8:ffff:8000::/49");
	assert_int_equal(c.pd_len, 56);
	assert_int_equal(c.wg_mtu, 1420);
	assert_int_equal(c.wg_keepalive_s, 25);
	assert_int_equal(c.preferred_lft_s, 1800);
	assert_int_equal(c.valid_lft_s, 14400);
	assert_int_equal(c.ra_min_interval_s, 200);
	assert_int_equal(c.ra_max_interval_s, 600);
	assert_int_equal(c.ra_lifetime_s, 1800);
	assert_int_equal(c.n_nameservers, 2);
	assert_int_equal(c.wg_endpoint.v4.sin_family, AF_INET);
	assert_int_equal(ntohs(c.wg_endpoint.v4.sin_port), 51820);
	done(&e);
}

static void the_assigned_prefix_can_be_written_in_three_ways(void **state)
{
	(void)state;
	static const char *const ways[] = { "ASSIGNED_PREFIX=2001:db8:ffff::/48",
					    "ASSIGNED_PREFIX=2001:db8:ffff:0::",
					    "ASSIGNED_PREFIX=2001:db8:ffff:" };
	for (size_t i = 0; i < 3; i++) {
		struct env e = complete();
		struct config c;
		set(&e, ways[i]);
		assert_reads(&e, &c);
		assert_prefix(&c.assigned, "2001:db8:ffff::/48");
		done(&e);
	}
}

static void a_small_pool_is_cut_into_smaller_parts(void **state)
{
	(void)state;
	static const struct {
		const char *assigned;
		unsigned length;
	} cases[] = { { "ASSIGNED_PREFIX=2001:db8:ffff::/56", 60 },
		      { "ASSIGNED_PREFIX=2001:db8:ffff::/60", 64 } };
	for (size_t i = 0; i < 2; i++) {
		struct env e = complete();
		struct config c;
		set(&e, cases[i].assigned);
		assert_reads(&e, &c);
		assert_int_equal(c.pd_len, cases[i].length);
		done(&e);
	}
}

static void every_fault_is_found_not_only_the_first(void **state)
{
	(void)state;
	struct env e = { 0 };
	struct config c;
	struct config_report report;
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	assert_int_equal(report.n_faults, 7);
	config_report_done(&report);
	e = complete();
	set(&e, "WIREGUARD_MTU=99999");
	set(&e, "WIREGUARD_ENDPOINT=192.0.2.1");
	set(&e, "DHCPV6_IA_NA=maybe");
	set(&e, "SUBSCRIBER_INTERFACE");
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	assert_int_equal(report.n_faults, 4);
	config_report_done(&report);
	done(&e);
}

static void faults_say_what_was_wrong_and_give_an_example(void **state)
{
	(void)state;
	assert_fault("WIREGUARD_ENDPOINT=192.0.2.1",
		     "WIREGUARD_ENDPOINT: '192.0.2.1' lacks its port. Example: "
		     "WIREGUARD_ENDPOINT=192.0.2.42:51820");
	assert_fault("WIREGUARD_ENDPOINT=2001:db8::1", "written [ADDRESS]:PORT");
	assert_fault("WIREGUARD_ENDPOINT=vpn.example.net:51820", "is a domain name");
	assert_fault("WIREGUARD_ENDPOINT=192.0.2.1:0", "is no port");
	assert_fault("WIREGUARD_INTERFACE_SUFFIX=much-too-long-a-name", "it can have 1 to 12");
	assert_fault("ASSIGNED_PREFIX=2001:db8:ffff::1/48", "did you mean 2001:db8:ffff::/48?");
	assert_fault("ASSIGNED_PREFIX=192.0.2.0/24", "is no IPv6 prefix");
	assert_fault("ASSIGNED_PREFIX=2001:db8::/64", "leaves nothing to delegate");
	assert_fault("TRANSFER_PREFIX=2001:db8:ffff::/60", "is a /60");
	assert_fault("DHCPV6_PD_PREFIX=2001:db8:ffff::/64", "lies in the transfer network");
	assert_fault("DHCPV6_PD_DELEGATION_LENGTH=48", "does not fit into the pool");
	assert_fault("SUBSCRIBER_INTERFACE=a/b", "cannot be an interface's name");
	assert_fault("SUBSCRIBER_MODE=vlan:7", "is not served by this version");
	assert_fault("DHCPV6_PREFERRED_LIFETIME=20000",
		     "is more than DHCPV6_VALID_LIFETIME's 14400 s");
	assert_fault("ROUTER_ADVERTISEMENT_MIN_INTERVAL=500", "three quarters");
	assert_fault("ROUTER_ADVERTISEMENT_LIFETIME=30",
		     "is less than ROUTER_ADVERTISEMENT_MAX_INTERVAL's");
	assert_fault("WIREGUARD_KEEPALIVE=-1", "is no number");
	assert_fault("WIREGUARD_PEER", "WIREGUARD_PEER: is missing. Example: WIREGUARD_PEER=");
	assert_fault("ROUTER_ADVERTISEMENT_PREF64=64:ff9b::/95", "not 95");
}

static void secrets_are_never_repeated(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"WIREGUARD_PRIVATE_KEY=hunter2hunter2", "WIREGUARD_PRESHARED_KEY=hunter2",
		"WIREGUARD_PRIVATE_KEY=hunter2hunter2hunter2hunter2hunter2hunter2XX"
	};
	for (size_t i = 0; i < 3; i++) {
		struct env e = complete();
		struct config c;
		struct config_report report;
		set(&e, bad[i]);
		assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
		assert_false(in_list(report.faults, report.n_faults, "hunter2"));
		config_report_done(&report);
		done(&e);
	}
}

static void our_own_key_is_not_the_providers(void **state)
{
	(void)state;
	uint8_t private_key[WGKEY_LEN], public_key[WGKEY_LEN];
	char text[WGKEY_STRLEN], entry[128];
	assert_int_equal(wgkey_parse(PRIVATE, private_key), 0);
	wgkey_public(private_key, public_key);
	wgkey_format(public_key, text);
	snprintf(entry, sizeof entry, "WIREGUARD_PEER=%s", text);
	assert_fault(entry, "our own");
}

static void quotes_and_carriage_returns_are_taken_off_with_a_warning(void **state)
{
	(void)state;
	assert_warns("SUBSCRIBER_INTERFACE=\"enp2s0\"", "took the quotes");
	assert_warns("SUBSCRIBER_INTERFACE=enp2s0\r", "carriage return");
	struct env e = complete();
	struct config c;
	set(&e, "SUBSCRIBER_INTERFACE='enp2s0'\r");
	assert_reads(&e, &c);
	assert_string_equal(c.subscriber, "enp2s0");
	done(&e);
}

static void an_unknown_name_is_answered_with_the_nearest(void **state)
{
	(void)state;
	assert_warns(
		"WIREGUARD_ENDPIONT=192.0.2.1:1",
		"WIREGUARD_ENDPIONT: there is no such variable. Did you mean WIREGUARD_ENDPOINT?");
	assert_warns("UPLINK_LOSS=hold", "this version does not serve it");
}

static void values_come_from_files(void **state)
{
	(void)state;
	char path[] = "/tmp/vbng-test-XXXXXX", entry[128];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, PRIVATE "\n", strlen(PRIVATE) + 1),
			 (ssize_t)strlen(PRIVATE) + 1);
	close(fd);
	struct env e = complete();
	struct config c;
	snprintf(entry, sizeof entry, "WIREGUARD_PRIVATE_KEY_FILE=%s", path);
	set(&e, entry);
	struct config_report report;
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	assert_true(in_list(report.faults, report.n_faults, "are both given"));
	config_report_done(&report);
	set(&e, "WIREGUARD_PRIVATE_KEY");
	assert_reads(&e, &c);
	uint8_t key[WGKEY_LEN];
	assert_int_equal(wgkey_parse(PRIVATE, key), 0);
	assert_memory_equal(c.wg_private_key, key, sizeof key);
	done(&e);
	unlink(path);
	assert_fault("SUBSCRIBER_MODE_FILE=/nowhere/at/all", "cannot be read: No such file");
}

static void a_wg_quick_file_gives_what_the_variables_do_not(void **state)
{
	(void)state;
	static const char conf[] =
		"[Interface]\nPrivateKey = " PRIVATE
		"\nAddress = 10.0.0.2/32, 2001:db8:7::2/64\nDNS = 1.1.1.1\nMTU = 1380\n"
		"PostUp = echo no\n\n[Peer] # the provider\nPublicKey = " PEER
		"\nEndpoint = [2001:db8::1]:443\n"
		"AllowedIPs = ::/0\nPersistentKeepalive = off\n";
	char path[] = "/tmp/vbng-test-XXXXXX", entry[128];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, conf, strlen(conf)), (ssize_t)strlen(conf));
	close(fd);
	struct env e = complete();
	struct config c;
	struct config_report report;
	set(&e, "WIREGUARD_PRIVATE_KEY");
	set(&e, "WIREGUARD_PEER");
	set(&e, "WIREGUARD_ENDPOINT");
	snprintf(entry, sizeof entry, "WIREGUARD_CONFIG_FILE=%s", path);
	set(&e, entry);
	assert_int_equal(config_read(e.entries, &c, &report), 0);
	assert_true(in_list(report.warnings, report.n_warnings,
			    "line 3: the IPv4 address 10.0.0.2/32 is passed over"));
	assert_true(in_list(report.warnings, report.n_warnings, "line 6: PostUp is passed over"));
	config_report_done(&report);
	assert_int_equal(c.wg_mtu, 1380);
	assert_int_equal(c.wg_keepalive_s, 0);
	assert_int_equal(c.wg_endpoint.v6.sin6_family, AF_INET6);
	assert_prefix(&c.wg_address, "2001:db8::2/64");
	done(&e);
	unlink(path);
}

static void without_a_tunnel_its_variables_are_not_wanted(void **state)
{
	(void)state;
	struct env e = { 0 };
	struct config c;
	set(&e, "WIREGUARD_BACKEND=none");
	set(&e, "WIREGUARD_INTERFACE_SUFFIX=x");
	set(&e, "ASSIGNED_PREFIX=2001:db8:ffff::/48");
	set(&e, "SUBSCRIBER_INTERFACE=eth0");
	assert_reads(&e, &c);
	assert_int_equal(c.backend, WG_BACKEND_NONE);
	done(&e);
}

static void wiping_leaves_no_secret_in_the_environment(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	char *value = NULL;
	for (size_t i = 0; i < e.n; i++)
		if (strncmp(e.entries[i], "WIREGUARD_PRIVATE_KEY=", 22) == 0)
			value = e.entries[i];
	assert_non_null(value);
	config_wipe_secrets(&c, e.entries);
	assert_null(strstr(value, PRIVATE));
	assert_int_equal(value[22], '\0');
	size_t left = 0;
	for (char **entry = e.entries; *entry; entry++, left++)
		assert_null(strstr(*entry, "PRIVATE_KEY"));
	assert_int_equal(left, e.n - 1);
	static const uint8_t zero[WGKEY_LEN];
	assert_memory_equal(c.wg_private_key, zero, sizeof zero);
	e.n--;
	free(value);
	done(&e);
}

static void assert_listens(const char *value, bool in_host, const char *addr, unsigned port)
{
	struct env e = complete();
	struct config c;
	char change[128], text[INET6_ADDRSTRLEN];
	snprintf(change, sizeof change, "METRICS_LISTEN=%s", value);
	set(&e, change);
	assert_reads(&e, &c);
	assert_string_equal(c.metrics.text, value);
	assert_int_equal(c.metrics.in_host, in_host);
	bool v4 = c.metrics.at.sa.sa_family == AF_INET;
	const void *where = v4 ? (const void *)&c.metrics.at.v4.sin_addr
			       : (const void *)&c.metrics.at.v6.sin6_addr;
	assert_string_equal(inet_ntop(c.metrics.at.sa.sa_family, where, text, sizeof text), addr);
	assert_int_equal(ntohs(v4 ? c.metrics.at.v4.sin_port : c.metrics.at.v6.sin6_port), port);
	done(&e);
}

static void metrics_can_be_had_at_an_address_of_ours_or_of_the_host(void **state)
{
	(void)state;
	assert_listens("127.0.0.1:9547", false, "127.0.0.1", 9547);
	assert_listens("[::1]:1", false, "::1", 1);
	assert_listens(":65535", false, "::", 65535);
	assert_listens("host:198.51.100.7:9547", true, "198.51.100.7", 9547);
	assert_listens("host:[2001:db8::7]:9547", true, "2001:db8::7", 9547);
	assert_listens("host::9547", true, "::", 9547);
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_string_equal(c.metrics.text, "");
	assert_false(c.metrics.in_host);
	done(&e);
	static const char *const bad[] = { "9547",
					   "::1:9547",
					   "[]:9547",
					   "[127.0.0.1]:9547",
					   "localhost:9547",
					   "host:host::9547",
					   "[fe80::1%eth0]:9547" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char change[128];
		snprintf(change, sizeof change, "METRICS_LISTEN=%s", bad[i]);
		assert_fault(change, "Example: METRICS_LISTEN=host:127.0.0.1:9547");
	}
	assert_fault("METRICS_LISTEN=127.0.0.1:", "is no port");
	assert_fault("METRICS_LISTEN=127.0.0.1:65536", "is no port");
	assert_fault("METRICS_LISTEN=:0", "is no port");
	assert_fault("METRICS_LISTEN=[0000:0000:0000:0000:0000:0000:0000:0001:"
		     "0000000000000000000000]:1",
		     "is no ADDRESS:PORT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_is_derived_from_what_is_required),
		cmocka_unit_test(the_assigned_prefix_can_be_written_in_three_ways),
		cmocka_unit_test(a_small_pool_is_cut_into_smaller_parts),
		cmocka_unit_test(every_fault_is_found_not_only_the_first),
		cmocka_unit_test(faults_say_what_was_wrong_and_give_an_example),
		cmocka_unit_test(secrets_are_never_repeated),
		cmocka_unit_test(our_own_key_is_not_the_providers),
		cmocka_unit_test(quotes_and_carriage_returns_are_taken_off_with_a_warning),
		cmocka_unit_test(an_unknown_name_is_answered_with_the_nearest),
		cmocka_unit_test(values_come_from_files),
		cmocka_unit_test(a_wg_quick_file_gives_what_the_variables_do_not),
		cmocka_unit_test(without_a_tunnel_its_variables_are_not_wanted),
		cmocka_unit_test(metrics_can_be_had_at_an_address_of_ours_or_of_the_host),
		cmocka_unit_test(wiping_leaves_no_secret_in_the_environment),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
