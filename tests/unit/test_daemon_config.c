/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include "base/cleanup.h"
#include "daemon/advertisement.h"
#include "daemon/config_options.h"
#include "daemon/config_table.h"
#include "engine/ra.h"

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

enum { MAX_ENV = 128 };

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
	if (entry[len] != '=')
		return;
	assert_true(e->n + 1 < MAX_ENV);
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

/* What is announced of these variables, and whether our own resolver runs. */
static void assert_resolver(const char *const *changes, bool runs, const char *announced)
{
	struct env e = complete();
	struct config c;
	char text[INET6_ADDRSTRLEN], all[CONFIG_MAX_NAMESERVERS * INET6_ADDRSTRLEN] = "";
	for (; *changes; changes++)
		set(&e, *changes);
	assert_reads(&e, &c);
	assert_int_equal(c.resolver, runs);
	for (size_t i = 0; i < c.n_nameservers; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? "," : "",
			 in6_format(&c.nameservers[i], text));
	assert_string_equal(all, announced);
	done(&e);
}

static void our_own_resolver_runs_where_somebody_is_led_to_it(void **state)
{
	(void)state;
#define SET(...) ((const char *const[]){ __VA_ARGS__, NULL })
	static const char own[] = "2001:db8:ffff::1", zone[] = "DNS_ZONE=Provider1.LAB.",
			  given[] = "DHCPV6_NAMESERVER=2001:db8::53",
			  both[] = "DHCPV6_NAMESERVER=2001:db8:ffff::1,2001:db8::53",
			  none[] = "WIREGUARD_BACKEND=none",
			  upstream[] = "DNS_UPSTREAM=2001:db8::77";
	assert_resolver(SET(upstream), true, own);
	assert_resolver(SET(upstream, zone), true, own);
	assert_resolver(SET(given), false, "2001:db8::53");
	assert_resolver(SET(given, zone), true, "2001:db8::53");
	assert_resolver(SET(both), true, "2001:db8:ffff::1,2001:db8::53");
	assert_resolver(SET(none, upstream), false, "2001:db8::77");
	assert_resolver(SET(none, upstream, zone), true, own);
}

static void without_our_own_resolver_others_are_announced(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	char text[INET6_ADDRSTRLEN];
	set(&e, "DNS_UPSTREAM=2001:db8::77");
	set(&e, "DNS_ZONE=Provider1.LAB.");
	assert_reads(&e, &c);
	assert_string_equal(c.dns_zone, "provider1.lab");
	config_without_resolver(&c);
	assert_false(c.resolver);
	assert_int_equal(c.n_nameservers, 1);
	assert_string_equal(in6_format(&c.nameservers[0], text), "2001:db8::77");
	set(&e, "DHCPV6_NAMESERVER=2001:db8:ffff::1,2001:db8::53");
	assert_reads(&e, &c);
	config_without_resolver(&c);
	assert_int_equal(c.n_nameservers, 1);
	assert_string_equal(in6_format(&c.nameservers[0], text), "2001:db8::53");
	done(&e);
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
	assert_true(c.resolver);
	assert_int_equal(c.n_nameservers, 1);
	char own[INET6_ADDRSTRLEN];
	assert_string_equal(in6_format(&c.nameservers[0], own), "2001:db8:ffff::1");
	assert_int_equal(c.n_dns_upstream, 2);
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
	assert_fault("WIREGUARD_ENDPOINT=192.0.2.300:51820", "is no ADDRESS:PORT or NAME:PORT");
	assert_fault("WIREGUARD_ENDPOINT=-_!.example.net:51820", "is no ADDRESS:PORT or NAME:PORT");
	assert_fault("WIREGUARD_ENDPOINT=vpn.example.net", "lacks its port");
	assert_fault("WIREGUARD_ENDPOINT=[fe80::1]:51820", "as in [fe80::1%eth0]:51820");
	assert_fault("WIREGUARD_ENDPOINT=[2001:db8::1%eth0]:51820", "only a link-local address");
	assert_fault("WIREGUARD_ENDPOINT=[fe80::1%]:51820", "cannot be an interface's name");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=dns.example", "is no DNS server's ADDRESS");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=192.0.2.1:0", "is no port");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=]", "is no DNS server's ADDRESS");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=fe80::1", "is link-local");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=192.0.2.53,127.0.0.11:53",
		     "'127.0.0.11:53' is Docker's, for containers");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=0.0.0.0", "is no single server's address");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=::", "is no single server's address");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=224.0.0.251", "is no single server's address");
	assert_fault("WIREGUARD_ENDPOINT_RESOLVER=[ff02::fb]:5353",
		     "is no single server's address");
	assert_fault("WIREGUARD_ENDPOINT=192.0.2.1:0", "is no port");
	assert_fault("WIREGUARD_INTERFACE_SUFFIX=much-too-long-a-name", "it can have 1 to 12");
	assert_fault("ASSIGNED_PREFIX=2001:db8:ffff::1/48", "did you mean 2001:db8:ffff::/48?");
	assert_fault("ASSIGNED_PREFIX=192.0.2.0/24", "is no IPv6 prefix");
	assert_fault("ASSIGNED_PREFIX=2001:db8::/64", "leaves nothing to delegate");
	assert_fault("TRANSFER_PREFIX=2001:db8:ffff::/60", "'2001:db8:ffff::/60' is a /60");
	assert_fault("DHCPV6_PD_PREFIX=2001:db8:ffff::/64", "lies in the transfer network");
	assert_fault("DHCPV6_PD_DELEGATION_LENGTH=48", "does not fit into the pool");
	assert_fault("SUBSCRIBER_INTERFACE=a/b", "cannot be an interface's name");
	assert_fault("SUBSCRIBER_MODE=vlan:4095", "4094");
	assert_fault("DHCPV6_PREFERRED_LIFETIME=20000",
		     "is more than DHCPV6_VALID_LIFETIME's 14400 s. Give at most 14400");
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
}

static void what_becomes_of_a_lost_uplink_is_configured(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.uplink_loss, RA_LOSS_WITHDRAW);
	assert_int_equal(c.uplink_loss_delay_s, 3);
	assert_int_equal(c.uplink_probe_interval_s, 5);
	assert_false(c.has_uplink_probe);
	set(&e, "UPLINK_LOSS=lifetime");
	set(&e, "UPLINK_LOSS_DELAY=0");
	set(&e, "UPLINK_PROBE=2001:db8::1");
	set(&e, "UPLINK_PROBE_INTERVAL=1");
	assert_reads(&e, &c);
	assert_int_equal(c.uplink_loss, RA_LOSS_LIFETIME);
	assert_int_equal(c.uplink_loss_delay_s, 0);
	assert_int_equal(c.uplink_probe_interval_s, 1);
	assert_true(c.has_uplink_probe);
	const struct prefix6 probe = { c.uplink_probe, 128 };
	assert_prefix(&probe, "2001:db8::1/128");
	set(&e, "WIREGUARD_ALLOWED_IPS=2001:db8:beef::/48");
	struct config_report report;
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	assert_true(in_list(report.faults, report.n_faults, "is none of WIREGUARD_ALLOWED_IPS"));
	config_report_done(&report);
	done(&e);
	assert_fault("UPLINK_LOSS=drop", "UPLINK_LOSS");
	assert_fault("UPLINK_LOSS_DELAY=3601", "UPLINK_LOSS_DELAY");
	assert_fault("UPLINK_PROBE=192.0.2.1", "UPLINK_PROBE");
	assert_fault("UPLINK_PROBE=ff02::1", "UPLINK_PROBE");
	assert_fault("UPLINK_PROBE=2001:db8::2", "is on this side of the tunnel");
	assert_fault("UPLINK_PROBE=2001:db8:ffff:1::1", "is on this side of the tunnel");
	assert_fault("UPLINK_PROBE_INTERVAL=0", "UPLINK_PROBE_INTERVAL");
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
	assert_warns("DNS_ZONE_FILE=/dev/null", "DNS_ZONE_FILE=/dev/null: nothing is in it");
}

static void a_pipe_gives_a_value_and_holds_nobody_up(void **state)
{
	(void)state;
	char entry[128];
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(entry, sizeof entry, "SUBSCRIBER_MODE_FILE=/proc/self/fd/%d", ends[0]);
	assert_fault(entry, "it is a pipe, and nobody writes into it");
	assert_int_equal(write(ends[1], "wrong\n", 6), 6);
	close(ends[1]);
	assert_fault(entry, "wrong");
	close(ends[0]);
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

static void a_key_that_slipped_into_a_line_of_its_own_is_not_repeated(void **state)
{
	(void)state;
	static const char *const confs[] = {
		"[Interface]\nPrivateKey =\n" PRIVATE "\n",
		PRIVATE "\n[Interface]\n",
		"[Interface]\n" PRIVATE " # mine\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
		char path[] = "/tmp/vbng-test-XXXXXX", entry[128];
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, confs[i], strlen(confs[i])), (ssize_t)strlen(confs[i]));
		close(fd);
		struct env e = complete();
		struct config c;
		struct config_report report;
		snprintf(entry, sizeof entry, "WIREGUARD_CONFIG_FILE=%s", path);
		set(&e, entry);
		assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
		assert_true(in_list(report.faults, report.n_faults,
				    "neither a section nor KEY = VALUE"));
		assert_false(in_list(report.faults, report.n_faults, "BQKaGvzef"));
		config_report_done(&report);
		done(&e);
		unlink(path);
	}
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

/* Of a complete environment with these changes (NULL-terminated): faults and warnings that say so,
 * NULL for none at all. */
static void assert_says(const char *const *changes, const char *fault, const char *warning)
{
	struct env e = complete();
	struct config c;
	struct config_report report;
	for (; *changes; changes++)
		set(&e, *changes);
	int r = config_read(e.entries, &c, &report);
	assert_int_equal(r, fault ? -EINVAL : 0);
	if (fault && !in_list(report.faults, report.n_faults, fault))
		fail_msg("no fault says \"%s\", the first is: %s", fault, report.faults[0]);
	if (warning && !in_list(report.warnings, report.n_warnings, warning))
		fail_msg("no warning says \"%s\"", warning);
	if (!fault && !warning && report.n_warnings)
		fail_msg("a warning: %s", report.warnings[0]);
	config_report_done(&report);
	done(&e);
}
#define SAYS(fault, warning, ...)                                                                  \
	assert_says((const char *const[]){ __VA_ARGS__, NULL }, fault, warning)

/* What a complete environment with this change sends to those who ask, byte by byte. */
static void assert_options(const char *change, const void *bytes, size_t len)
{
	struct env e = complete();
	struct config c;
	set(&e, change);
	assert_reads(&e, &c);
	assert_int_equal(c.options_len, len);
	assert_memory_equal(c.options, bytes, len);
	done(&e);
}
#define OPTIONS(change, ...)                                                                       \
	do {                                                                                       \
		static const uint8_t expected[] = { __VA_ARGS__ };                                 \
		assert_options(change, expected, sizeof expected);                                 \
	} while (0)

static void every_example_of_the_documentation_is_accepted(void **state)
{
	(void)state;
	size_t tried = 0;
	for (size_t i = 0; i < config_n_variables; i++) {
		const struct config_variable *v = &config_variables[i];
		char entry[512];
		if (!v->meaning || strcmp(v->name, "WIREGUARD_CONFIG_FILE") == 0)
			continue; /* its example is a file, which is not there */
		snprintf(entry, sizeof entry, "%s=%s", config_example_name(v), v->example);
		/* What tells more of a provisioning domain wants one. */
		bool pvd = strncmp(v->name, "ROUTER_ADVERTISEMENT_PVD_", 25) == 0;
		SAYS(NULL, NULL, entry, pvd ? "ROUTER_ADVERTISEMENT_PVD=isp.example" : NULL);
		tried++;
	}
	assert_true(tried > 50);
}

static void what_is_printed_reads_as_the_same(void **state)
{
	(void)state;
	static const char *const given[] = {
		"DHCPV6_NTP_SERVER=2001:db8::123,ntp.example.net",
		"DHCPV6_SOL_MAX_RT=7200",
		"DHCPV6_S46_LW4O6=br=2001:db8::1 bind=192.0.2.1,2001:db8::/56,psid-len=4,psid=3",
		"DHCPV6_OPTION_242=0a 0b",
		"DHCPV6_CAPTIVE_PORTAL=https://portal.example/",
		"DHCPV6_PD_EXCLUDE=0xff/64",
		"DHCPV6_PD_MIN_LENGTH=52",
		"DHCPV6_IA_NA=off",
		"TRANSFER_PREFIX=2001:db8:ffff::/64,2001:db8:ffff:1::/64",
		"ROUTER_ADVERTISEMENT_PREFIXES=2001:db8:ffff:1::/64,on-link=off,router-address=on "
		"2001:db8:ffff:8000::/49,pd-preferred=on,valid=7",
		"ROUTER_ADVERTISEMENT_ROUTES=2001:db8:1::/48@high@900,2001:db8:2::/48",
		"ROUTER_ADVERTISEMENT_MTU=1400",
		"ROUTER_ADVERTISEMENT_PVD=isp.example",
		"ROUTER_ADVERTISEMENT_PVD_ONLY=on",
		"ROUTER_ADVERTISEMENT_PVD_SEQUENCE=7",
	};
	struct env e = complete(), again = complete();
	struct config c, read_again;
	for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
		set(&e, given[i]);
	assert_reads(&e, &c);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	config_print(&c, out);
	assert_int_equal(fclose(out), 0);
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] != '#' && !strstr(line, "(secret)"))
			set(&again, line);
	assert_reads(&again, &read_again);
	assert_memory_equal(c.options, read_again.options, c.options_len);
	assert_int_equal(read_again.options_len, c.options_len);
	assert_string_equal(c.options_text, read_again.options_text);
	struct ra_config told, told_again;
	advertisement_of(&c, 1500, &told);
	advertisement_of(&read_again, 1500, &told_again);
	static struct nd_packets packets, packets_again;
	assert_int_equal(nd_build_ra(&told.adv, told.max_bytes, &packets), 0);
	assert_int_equal(nd_build_ra(&told_again.adv, told_again.max_bytes, &packets_again), 0);
	assert_int_equal(packets.n, packets_again.n);
	assert_int_equal(packets.packets[0].len, packets_again.packets[0].len);
	assert_memory_equal(packets.packets[0].bytes, packets_again.packets[0].bytes,
			    packets.packets[0].len);
	assert_int_equal(read_again.n_transfers, 2);
	assert_int_equal(read_again.pd_exclude_subnet, 255);
	assert_int_equal(read_again.pd_exclude_len, 64);
	assert_int_equal(read_again.pd_min_len, 52);
	assert_int_equal(read_again.pd_max_len, 56);
	assert_false(read_again.ia_na);
	free(text);
	done(&e);
	done(&again);
}

static void what_cannot_be_routed_is_no_prefix_of_ours(void **state)
{
	(void)state;
	static const char *const names[] = { "ASSIGNED_PREFIX", "DHCPV6_PD_PREFIX",
					     "TRANSFER_PREFIX", "WIREGUARD_ADDRESS" };
	static const struct {
		const char *value, *says;
	} cases[] = {
		{ "ff05::/64", "'ff05::/64' has multicast addresses" },
		{ "fe80::/64", "'fe80::/64' has link-local addresses" },
		{ "::ffff:0:0/112", "" }, /* too long for some */
		{ "::/64", "" },          /* has ::, ::1 and the IPv4-mapped ones */
	};
	char entry[128];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
			snprintf(entry, sizeof entry, "%s=%s", names[i], cases[k].value);
			assert_fault(entry, cases[k].says);
			assert_fault(entry, names[i]);
		}
	assert_fault("ASSIGNED_PREFIX=::/0", "ASSIGNED_PREFIX: '::/0' is everything");
	assert_fault("DHCPV6_PD_PREFIX=::/0", "DHCPV6_PD_PREFIX: '::/0' is everything");
	assert_fault("ASSIGNED_PREFIX=8000::/1", "has multicast addresses");
	assert_fault("DHCPV6_PD_PREFIX=::ffff:0:0/100", "has IPv4-mapped addresses");
	assert_fault("WIREGUARD_ADDRESS=::1", "has loopback addresses");
	assert_fault("WIREGUARD_ADDRESS=::", "has unspecified addresses");
	assert_fault("WIREGUARD_ADDRESS=::ffff:192.0.2.1", "has IPv4-mapped addresses");
	assert_fault("WIREGUARD_ADDRESS=2001:db8::2/0", "a length of 0");
	SAYS(NULL, NULL, "ASSIGNED_PREFIX=fd00:1:2::/48");
	SAYS(NULL, NULL, "WIREGUARD_ADDRESS=fd00::2/64");
}

static void an_assigned_prefix_that_is_too_long_is_a_fault_and_nothing_more(void **state)
{
	(void)state;
	assert_fault("ASSIGNED_PREFIX=2001:db8::/72", "is longer than /64");
	assert_fault("ASSIGNED_PREFIX=2001:db8::/128", "is longer than /64");
}

static void lengths_of_hints_keep_around_the_delegation_length(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.pd_min_len, 56);
	assert_int_equal(c.pd_max_len, 56);
	set(&e, "DHCPV6_PD_MIN_LENGTH=52");
	set(&e, "DHCPV6_PD_MAX_LENGTH=64");
	assert_reads(&e, &c);
	assert_int_equal(c.pd_min_len, 52);
	assert_int_equal(c.pd_max_len, 64);
	done(&e);
	assert_fault("DHCPV6_PD_MIN_LENGTH=60",
		     "DHCPV6_PD_MIN_LENGTH: a /60 is longer than the delegation length, /56");
	assert_fault("DHCPV6_PD_MAX_LENGTH=52",
		     "DHCPV6_PD_MAX_LENGTH: a /52 is shorter than the delegation length, /56");
	assert_fault("DHCPV6_PD_MIN_LENGTH=48",
		     "DHCPV6_PD_MIN_LENGTH: a /48 does not fit into the pool");
	assert_fault("DHCPV6_PD_MIN_LENGTH=0", "it can be 1 to 64");
	assert_fault("DHCPV6_PD_MAX_LENGTH=65", "it can be 1 to 64");
	/* 2^24 of the longest and not one more */
	SAYS(NULL, NULL, "ASSIGNED_PREFIX=2001:dba::/31", "DHCPV6_PD_MAX_LENGTH=56",
	     "DHCPV6_PD_MIN_LENGTH=48");
	SAYS("DHCPV6_PD_MAX_LENGTH: the pool DHCPV6_PD_PREFIX=2001:dbb::/32 has 2^25 prefixes of "
	     "/57; "
	     "where lengths differ it can have 2^24 of the longest. Give at most a /56",
	     NULL, "ASSIGNED_PREFIX=2001:dba::/31", "DHCPV6_PD_MAX_LENGTH=57");
	SAYS("DHCPV6_PD_MIN_LENGTH: the pool", NULL, "ASSIGNED_PREFIX=2001:db8::/30",
	     "DHCPV6_PD_MIN_LENGTH=48");
	/* one length has no such bound */
	SAYS(NULL, NULL, "ASSIGNED_PREFIX=2001:dba::/31", "DHCPV6_PD_DELEGATION_LENGTH=64");
}

static void a_client_is_always_bounded(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.client_limit, 8);
	set(&e, "DHCPV6_CLIENT_LIMIT=0");
	assert_reads(&e, &c);
	assert_int_equal(c.client_limit, 4096);
	done(&e);
	assert_fault("DHCPV6_CLIENT_LIMIT=4097", "4096");
}

static void a_stations_rate_may_be_unlimited(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.dhcp6_rate, 1000);
	set(&e, "DHCPV6_RATE_LIMIT=0");
	assert_reads(&e, &c);
	assert_int_equal(c.dhcp6_rate, 0);
	done(&e);
	assert_fault("DHCPV6_RATE_LIMIT=1000001", "1000000");
}

static void what_a_station_may_hold_is_bounded_unless_it_is_told_otherwise(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.station_limit, 64);
	set(&e, "DHCPV6_STATION_LIMIT=0");
	assert_reads(&e, &c);
	assert_int_equal(c.station_limit, 0);
	done(&e);
	assert_fault("DHCPV6_STATION_LIMIT=1048577", "1048576");
}

static void the_pool_keeps_clear_of_what_is_ours(void **state)
{
	(void)state;
	SAYS("DHCPV6_PD_PREFIX=2001:db8:ffff::/56 is a single delegated prefix, and holds the "
	     "transfer network",
	     NULL, "DHCPV6_PD_PREFIX=2001:db8:ffff::/56");
	SAYS(NULL, NULL, "DHCPV6_PD_PREFIX=2001:db8:ffff::/56", "DHCPV6_PD_DELEGATION_LENGTH=57");
	SAYS(NULL, NULL, "DHCPV6_PD_PREFIX=2001:db8:ffff::/48");
	SAYS(NULL, "WIREGUARD_ADDRESS=2001:db8:ffff::2/64 lies in the transfer network",
	     "WIREGUARD_ADDRESS=2001:db8:ffff::2/64");
	SAYS(NULL, "WIREGUARD_ADDRESS=2001:db8:ffff:8000::2/128 lies in the pool",
	     "WIREGUARD_ADDRESS=2001:db8:ffff:8000::2");
	SAYS(NULL, NULL, "WIREGUARD_ADDRESS=2001:db8:ffff:4000::2");
}

static void host_bits_of_allowed_ips_are_taken_off_with_a_warning(void **state)
{
	(void)state;
	SAYS(NULL,
	     "WIREGUARD_ALLOWED_IPS: '10.1.2.3/8' has bits set behind its length, it is taken as "
	     "10.0.0.0/8; '2001:db8::1/64' has bits set behind its length, it is taken as "
	     "2001:db8::/64",
	     "WIREGUARD_ALLOWED_IPS=10.1.2.3/8, 2001:db8::1/64, 192.0.2.1");
	struct env e = complete();
	struct config c;
	set(&e, "WIREGUARD_ALLOWED_IPS=10.1.2.3/8,192.0.2.1,203.0.113.9/0");
	assert_reads(&e, &c);
	assert_int_equal(c.n_allowed_ips, 3);
	assert_int_equal(ntohl(c.allowed_ips[0].v4.s_addr), 0x0a000000);
	assert_int_equal(ntohl(c.allowed_ips[1].v4.s_addr), 0xc0000201);
	assert_int_equal(c.allowed_ips[1].plen, 32);
	assert_int_equal(c.allowed_ips[2].v4.s_addr, 0);
	done(&e);
	SAYS(NULL, NULL, "WIREGUARD_ALLOWED_IPS=::/0,0.0.0.0/0");
	assert_fault("WIREGUARD_ALLOWED_IPS=10.0.0.0/33", "'10.0.0.0/33' is no ADDRESS/LENGTH");
	assert_fault("WIREGUARD_ALLOWED_IPS=somewhere", "'somewhere' is no ADDRESS/LENGTH");
	assert_fault("WIREGUARD_ALLOWED_IPS=,", "is empty");
}

static const struct nd_prefix_info *advertised(const struct config *c, const char *prefix)
{
	struct prefix6 p;
	assert_int_equal(prefix6_parse(prefix, -1, &p), 0);
	for (size_t i = 0; i < c->n_ra_prefixes; i++) {
		struct prefix6 q = prefix6_masked(&c->ra_prefixes[i].info.prefix);
		if (prefix6_equal(&p, &q))
			return &c->ra_prefixes[i].info;
	}
	fail_msg("%s is not advertised", prefix);
	return NULL;
}

static void transfer_networks_are_advertised_as_hosts_can_use_them(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_int_equal(c.n_transfers, 1);
	assert_prefix(&c.transfers[0], "2001:db8:ffff::/64");
	assert_int_equal(c.n_ra_prefixes, 1);
	const struct nd_prefix_info *p = advertised(&c, "2001:db8:ffff::/64");
	assert_true(p->on_link && p->autonomous && !p->dhcpv6_pd && !p->router_address);
	assert_int_equal(p->valid_lft_s, 14400);
	assert_int_equal(p->preferred_lft_s, 1800);
	assert_int_equal(c.ra_hop_limit, 64);
	assert_int_equal(c.ra_mtu, 1420);
	assert_int_equal(c.ra_dns_lifetime_s, 1800);
	assert_true(c.ra_source_lladdr);
	done(&e);
}

static void several_transfer_networks_each_have_their_say(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	set(&e, "TRANSFER_PREFIX=2001:db8:ffff:2::/64, 2001:db8:ffff:1::");
	set(&e, "ROUTER_ADVERTISEMENT_ON_LINK=off");
	set(&e, "ROUTER_ADVERTISEMENT_PREFIXES="
		"2001:db8:ffff:1::/64,on-link=on,autonomous=off,router-address=on,valid=600 "
		"2001:db8:ffff:8000::/49,pd-preferred=on,preferred=4294967295,valid=4294967295");
	assert_reads(&e, &c);
	assert_prefix(&c.transfer, "2001:db8:ffff:2::/64");
	assert_int_equal(c.n_transfers, 2);
	assert_int_equal(c.n_ra_prefixes, 3);
	const struct nd_prefix_info *p = advertised(&c, "2001:db8:ffff:2::/64");
	assert_true(!p->on_link && p->autonomous && !p->router_address);
	p = advertised(&c, "2001:db8:ffff:1::/64");
	assert_true(p->on_link && !p->autonomous && p->router_address);
	assert_int_equal(p->prefix.addr.s6_addr[15], 1); /* the address itself */
	assert_int_equal(p->valid_lft_s, 600);
	assert_int_equal(p->preferred_lft_s, 600); /* not longer than that */
	p = advertised(&c, "2001:db8:ffff:8000::/49");
	assert_true(!p->on_link && !p->autonomous && p->dhcpv6_pd);
	assert_int_equal(p->preferred_lft_s, ND_INFINITE);
	done(&e);
	SAYS("TRANSFER_PREFIX: has '2001:db8:ffff::/64' twice", NULL,
	     "TRANSFER_PREFIX=2001:db8:ffff::,2001:db8:ffff::/64");
	SAYS("TRANSFER_PREFIX: has more than 8 networks", NULL,
	     "TRANSFER_PREFIX=fd00:0::,fd00:1::,fd00:2::,fd00:3::,fd00:4::,fd00:5::,fd00:6::,"
	     "fd00:7::,fd00:8::");
	SAYS("lies in the transfer network TRANSFER_PREFIX=2001:db8:ffff:1::/64", NULL,
	     "TRANSFER_PREFIX=2001:db8:ffff::/64,2001:db8:ffff:1::/64",
	     "DHCPV6_PD_PREFIX=2001:db8:ffff:1::/64", "DHCPV6_PD_DELEGATION_LENGTH=64");
	SAYS(NULL, "TRANSFER_PREFIX=2001:db8:1::/64 is not within ASSIGNED_PREFIX",
	     "TRANSFER_PREFIX=2001:db8:ffff::/64,2001:db8:1::/64");
	SAYS(NULL, "WIREGUARD_ADDRESS=2001:db8:ffff:1::2/64 lies in the transfer network",
	     "TRANSFER_PREFIX=2001:db8:ffff::/64,2001:db8:ffff:1::/64",
	     "WIREGUARD_ADDRESS=2001:db8:ffff:1::2/64");
}

static void faults_of_advertised_prefixes_are_told(void **state)
{
	(void)state;
#define PREFIXES "ROUTER_ADVERTISEMENT_PREFIXES="
	assert_fault(PREFIXES "2001:db8::", "lacks its length");
	assert_fault(PREFIXES "2001:db8::1/64", "did you mean 2001:db8::/64?");
	assert_fault(PREFIXES "fe80::/64", "has link-local addresses");
	assert_fault(PREFIXES "fd00::/64,autonomous", "'autonomous' is none of on-link=");
	assert_fault(PREFIXES "fd00::/64,on-link=maybe", "'on-link=maybe': 'maybe' is neither");
	assert_fault(PREFIXES "fd00::/64,valid=-1", "'valid=-1': '-1' is no number");
	assert_fault(PREFIXES "fd00::/64,valid=60,preferred=61",
		     "fd00::/64 is to be preferred for 61 s and valid for 60 s only");
	assert_fault(PREFIXES "fd00::/64 fd00::/64", "has 'fd00::/64' twice");
	assert_fault(PREFIXES "fd00::/48,autonomous=on", "form their addresses in a /64 alone");
	assert_fault(PREFIXES "fd00::/64,router-address=on", "we have no address in it");
	SAYS(NULL, "fd00::/64 has autonomous=on, and nothing leads to the addresses",
	     PREFIXES "fd00::/64,autonomous=on");
	char many[1024] = PREFIXES;
	for (unsigned i = 0; i < ND_MAX_PREFIXES; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "fd00:%x::/64 ", i);
	assert_fault(many, "with those of TRANSFER_PREFIX they are 17, they can be 16");
	snprintf(many + strlen(many), sizeof many - strlen(many), "fd00:ff::/64");
	assert_fault(many, "has more than 16 prefixes");
#undef PREFIXES
}

static void lifetimes_follow_the_longest_interval(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	set(&e, "ROUTER_ADVERTISEMENT_MAX_INTERVAL=40000");
	set(&e, "ROUTER_ADVERTISEMENT_ROUTES=2001:db8:1::/48@high@90000,2001:db8:2::/48@low,"
		"2001:db8:3::/48");
	assert_reads(&e, &c);
	assert_int_equal(c.ra_min_interval_s, 13333);
	assert_int_equal(c.ra_lifetime_s, 65535);
	assert_int_equal(c.ra_dns_lifetime_s, 120000);
	assert_int_equal(c.ra_routes[0].lft_s, 90000);
	assert_int_equal(c.ra_routes[1].lft_s, 65535);
	assert_int_equal(c.ra_routes[1].preference, ND_PREF_LOW);
	done(&e);
	/* RFC 4191: the way to somewhere, and nobody's default router */
	struct env no_default = complete();
	set(&no_default, "ROUTER_ADVERTISEMENT_LIFETIME=0");
	set(&no_default, "ROUTER_ADVERTISEMENT_ROUTES=2001:db8:1::/48");
	assert_reads(&no_default, &c);
	assert_int_equal(c.ra_lifetime_s, 0);
	assert_int_equal(c.ra_routes[0].lft_s, 1800);
	done(&no_default);
	SAYS(NULL, "599 s of 2001:db8:1::/48 is less than",
	     "ROUTER_ADVERTISEMENT_ROUTES=2001:db8:1::/48@low@599");
	SAYS(NULL, "ROUTER_ADVERTISEMENT_DNS_LIFETIME: 599 s is less than",
	     "ROUTER_ADVERTISEMENT_DNS_LIFETIME=599");
	assert_fault("ROUTER_ADVERTISEMENT_ROUTES=2001:db8::/48@low@0", "it can be 1 to");
	assert_fault("ROUTER_ADVERTISEMENT_ROUTES=2001:db8::/48@low@9@9", "is no number");
}

static void a_provisioning_domain_is_a_name(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	assert_reads(&e, &c);
	assert_string_equal(c.pvd, "");
	set(&e, "ROUTER_ADVERTISEMENT_PVD=provider1.example");
	set(&e, "ROUTER_ADVERTISEMENT_PVD_HTTP=on");
	set(&e, "ROUTER_ADVERTISEMENT_PVD_DELAY=15");
	set(&e, "ROUTER_ADVERTISEMENT_PVD_SEQUENCE=65535");
	assert_reads(&e, &c);
	assert_string_equal(c.pvd, "provider1.example");
	assert_true(c.pvd_http && !c.pvd_legacy && !c.pvd_only && c.has_pvd_sequence);
	done(&e);
	assert_fault("ROUTER_ADVERTISEMENT_PVD=provider1", "no fully qualified domain name");
	assert_fault("ROUTER_ADVERTISEMENT_PVD=a..b", "no fully qualified domain name");
	assert_fault("ROUTER_ADVERTISEMENT_PVD_DELAY=16", "it can be 0 to 15");
	assert_fault("ROUTER_ADVERTISEMENT_PVD_SEQUENCE=65536", "it can be 0 to 65535");
	SAYS(NULL, "ROUTER_ADVERTISEMENT_PVD_ONLY: without ROUTER_ADVERTISEMENT_PVD it changes",
	     "ROUTER_ADVERTISEMENT_PVD_ONLY=on");
}

/* RFC 8801 §4.1: hosts look again where the number has grown, so it grows with each change and not
 * with each start. */
static void a_provisioning_domains_number_grows_with_what_is_advertised(void **state)
{
	(void)state;
	uint8_t note[ADVERTISEMENT_NOTE_LEN], next[ADVERTISEMENT_NOTE_LEN];
	struct env e = complete();
	struct config c;
	struct ra_config rc;
	set(&e, "ROUTER_ADVERTISEMENT_PVD=isp.example");
	assert_reads(&e, &c);
	advertisement_of(&c, 1500, &rc);
	advertisement_number(&c, NULL, &rc, note);
	uint16_t first = rc.adv.pvd.sequence;
	for (int start = 0; start < 2; start++) {
		advertisement_of(&c, 1500, &rc);
		advertisement_number(&c, note, &rc, next);
		assert_int_equal(rc.adv.pvd.sequence, first);
		assert_memory_equal(note, next, sizeof note);
	}
	c.ra_hop_limit = 32;
	advertisement_of(&c, 1500, &rc);
	advertisement_number(&c, note, &rc, next);
	assert_int_equal(rc.adv.pvd.sequence, (uint16_t)(first + 1));
	advertisement_of(&c, 1500, &rc);
	advertisement_number(&c, next, &rc, note);
	assert_int_equal(rc.adv.pvd.sequence, (uint16_t)(first + 1));
	c.has_pvd_sequence = true;
	c.pvd_sequence = 7;
	advertisement_number(&c, note, &rc, next);
	assert_int_equal(rc.adv.pvd.sequence, 7);
	done(&e);
}

static void numbers_of_an_advertisement_have_their_bounds(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	set(&e, "ROUTER_ADVERTISEMENT_HOP_LIMIT=0");
	set(&e, "ROUTER_ADVERTISEMENT_REACHABLE_TIME=3600000");
	set(&e, "ROUTER_ADVERTISEMENT_RETRANS_TIMER=4294967295");
	set(&e, "ROUTER_ADVERTISEMENT_MTU=0");
	assert_reads(&e, &c);
	assert_int_equal(c.ra_hop_limit, 0);
	assert_int_equal(c.ra_reachable_ms, 3600000);
	assert_int_equal(c.ra_retrans_ms, UINT32_MAX);
	assert_int_equal(c.ra_mtu, 0);
	done(&e);
	assert_fault("ROUTER_ADVERTISEMENT_HOP_LIMIT=256", "it can be 0 to 255");
	assert_fault("ROUTER_ADVERTISEMENT_REACHABLE_TIME=3600001", "it can be 0 to 3600000");
	assert_fault("ROUTER_ADVERTISEMENT_MTU=1279", "it can be 1280 to 9000");
	assert_fault("ROUTER_ADVERTISEMENT_DNS_LIFETIME=0", "it can be 1 to 4294967295");
	SAYS(NULL, "ROUTER_ADVERTISEMENT_MTU: 1500 is more than the tunnel takes",
	     "ROUTER_ADVERTISEMENT_MTU=1500");
}

static void seconds_become_options_of_four_bytes(void **state)
{
	(void)state;
	OPTIONS("DHCPV6_SOL_MAX_RT=60", 0, 82, 0, 4, 0, 0, 0, 60);
	OPTIONS("DHCPV6_SOL_MAX_RT=86400", 0, 82, 0, 4, 0, 1, 0x51, 0x80);
	OPTIONS("DHCPV6_INF_MAX_RT=3600", 0, 83, 0, 4, 0, 0, 0x0e, 0x10);
	OPTIONS("DHCPV6_INFORMATION_REFRESH_TIME=600", 0, 32, 0, 4, 0, 0, 2, 0x58);
	OPTIONS("DHCPV6_INFORMATION_REFRESH_TIME=4294967295", 0, 32, 0, 4, 255, 255, 255, 255);
	assert_fault("DHCPV6_SOL_MAX_RT=59", "59 is out of bounds; it can be 60 to 86400");
	assert_fault("DHCPV6_SOL_MAX_RT=86401", "it can be 60 to 86400");
	assert_fault("DHCPV6_INF_MAX_RT=1h", "'1h' is no number");
	assert_fault("DHCPV6_INF_MAX_RT=0", "it can be 60 to 86400");
	assert_fault("DHCPV6_INFORMATION_REFRESH_TIME=599", "it can be 600 to 4294967295");
}

static void time_sources_are_options_of_their_own(void **state)
{
	(void)state;
	OPTIONS("DHCPV6_NTP_SERVER=2001:db8::123, ff05::101,ntp.example", 0, 56, 0, 20, 0, 1, 0, 16,
		0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x23, 0, 56, 0, 20, 0, 2, 0,
		16, 0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 56, 0, 17, 0, 3, 0, 13, 3,
		'n', 't', 'p', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0);
	assert_fault("DHCPV6_NTP_SERVER=192.0.2.1", "'192.0.2.1' is an IPv4 address");
	assert_fault("DHCPV6_NTP_SERVER=::1", "no address that subscribers can reach");
	assert_fault("DHCPV6_NTP_SERVER=::", "no address that subscribers can reach");
	assert_fault("DHCPV6_NTP_SERVER=::ffff:192.0.2.1", "no address that subscribers can reach");
	assert_fault("DHCPV6_NTP_SERVER=ntp", "neither an IPv6 address nor a fully qualified");
	assert_fault("DHCPV6_NTP_SERVER=ntp..example", "neither an IPv6 address nor a fully");
	assert_fault("DHCPV6_NTP_SERVER=,,", "is empty");
	assert_fault("DHCPV6_NTP_SERVER=a.b,a.b,a.b,a.b,a.b,a.b,a.b,a.b,a.b",
		     "has more than 8 time sources");
}

static void a_tunnel_endpoint_is_a_name(void **state)
{
	(void)state;
	OPTIONS("DHCPV6_AFTR_NAME=aftr.example", 0, 64, 0, 14, 4, 'a', 'f', 't', 'r', 7, 'e', 'x',
		'a', 'm', 'p', 'l', 'e', 0);
	assert_fault("DHCPV6_AFTR_NAME=aftr", "'aftr' is no fully qualified domain name");
	assert_fault("DHCPV6_AFTR_NAME=aftr.", "is no fully qualified domain name");
	assert_fault("DHCPV6_AFTR_NAME=2001:db8::1", "is no fully qualified domain name");
	assert_fault("DHCPV6_AFTR_NAME=192.0.2.1", "is an IPv4 address");
	assert_fault("DHCPV6_AFTR_NAME=a.example,b.example", "is no fully qualified domain name");
}

static void the_endpoint_can_be_a_name_or_a_link_local_address(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	struct config_report report;
	set(&e, "WIREGUARD_ENDPOINT=vpn-1.example.net.:4500");
	set(&e, "WIREGUARD_ENDPOINT_RESOLVER=192.0.2.53, 192.0.2.54:5353 "
		"2001:db8::53,[2001:db8::54],[2001:db8::55]:54");
	assert_int_equal(config_read(e.entries, &c, &report), 0);
	assert_int_equal(report.n_warnings, 0);
	config_report_done(&report);
	assert_string_equal(c.wg_endpoint_name, "vpn-1.example.net.");
	assert_int_equal(c.wg_endpoint_port, 4500);
	assert_int_equal(c.wg_endpoint.sa.sa_family, AF_UNSPEC);
	assert_int_equal(c.n_resolvers, 5);
	static const uint16_t ports[] = { 53, 5353, 53, 53, 54 };
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(c.resolvers[i].family, i < 2 ? AF_INET : AF_INET6);
		assert_int_equal(c.resolvers[i].port, ports[i]);
	}
	set(&e, "WIREGUARD_ENDPOINT=[fe80::7%enp1s0]:51820");
	assert_int_equal(config_read(e.entries, &c, &report), 0);
	config_report_done(&report);
	assert_string_equal(c.wg_endpoint_name, "");
	assert_string_equal(c.wg_endpoint_zone, "enp1s0");
	assert_int_equal(c.wg_endpoint.v6.sin6_addr.s6_addr[15], 7);
	done(&e);
}

static void a_captive_portal_is_an_https_uri(void **state)
{
	(void)state;
	static const char *const good[] = { "https://p.example/api?a=b#c", "https://p.example",
					    "HTTPS://p.example:8443/%41",
					    "https://[2001:db8::1]:443/x",
					    "urn:ietf:params:capport:unrestricted" };
	static const struct {
		const char *uri, *says;
	} bad[] = {
		{ "http://p.example/", "does not begin with https://" },
		{ "p.example", "does not begin with https://" },
		{ "urn:ietf:params:capport:none", "does not begin with https://" },
		{ "https://p.example/a b", "characters that a URI cannot have" },
		{ "https://p.example/\xc3\xa4", "characters that a URI cannot have" },
		{ "https://p.example/%4", "characters that a URI cannot have" },
		{ "https://p.example/%zz", "characters that a URI cannot have" },
		{ "https://", "no valid HOST[:PORT]" },
		{ "https:///api", "no valid HOST[:PORT]" },
		{ "https://p.example:/", "no valid HOST[:PORT]" },
		{ "https://p.example:65536/", "no valid HOST[:PORT]" },
		{ "https://user@p.example/", "no valid HOST[:PORT]" },
		{ "https://[2001:db8::1/", "no valid HOST[:PORT]" },
		{ "https://[2001:db8::g]/", "no valid HOST[:PORT]" },
		{ "https://[2001:db8::1]x/", "no valid HOST[:PORT]" },
	};
	char entry[512];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct env e = complete();
		struct config c;
		snprintf(entry, sizeof entry, "DHCPV6_CAPTIVE_PORTAL=%s", good[i]);
		set(&e, entry);
		assert_reads(&e, &c);
		assert_string_equal(c.captive_portal, good[i]);
		assert_int_equal(c.options_len, 4 + strlen(good[i]));
		assert_int_equal(c.options[1], 103);
		assert_memory_equal(c.options + 4, good[i], strlen(good[i]));
		done(&e);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(entry, sizeof entry, "DHCPV6_CAPTIVE_PORTAL=%s", bad[i].uri);
		assert_fault(entry, bad[i].says);
	}
	snprintf(entry, sizeof entry, "DHCPV6_CAPTIVE_PORTAL=https://p.example/%0238d", 0);
	assert_fault(entry, "has 256 characters; it can have 255");
	entry[strlen(entry) - 1] = '\0';
	SAYS(NULL, NULL, entry);
}

static void softwires_are_containers(void **state)
{
	(void)state;
	OPTIONS("DHCPV6_S46_MAPE=br=2001:db8::1  rule=2001:db8:4000::/40,192.0.2.0/24,ea=16,fmr", 0,
		94, 0, 37, 0, 90, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		89, 0, 13, 1, 16, 24, 192, 0, 2, 0, 40, 0x20, 1, 0xd, 0xb8, 0x40);
	OPTIONS("DHCPV6_S46_MAPT=dmr=64:ff9b::/96 "
		"rule=2001:db8::/32,192.0.2.1/32,ea=0,psid-offset=4,psid-len=8,psid=52",
		0, 95, 0, 41, 0, 91, 0, 13, 96, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 89,
		0, 20, 0, 0, 32, 192, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8, 0, 93, 0, 4, 4, 8, 52, 0);
	OPTIONS("DHCPV6_S46_LW4O6=br=2001:db8::1 bind=192.0.2.7,2001:db8:42::/48,psid-len=4,psid=5",
		0, 96, 0, 43, 0, 90, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0, 92, 0, 19, 192, 0, 2, 7, 48, 0x20, 1, 0xd, 0xb8, 0, 0x42, 0, 93, 0, 4, 0, 4,
		0x50, 0);
	/* MAP's offset is 6 where nothing is said (RFC 7597 §5.1), lw4o6's is 0 */
	OPTIONS("DHCPV6_S46_LW4O6=br=2001:db8::1 bind=192.0.2.7,2001:db8::/32", 0, 96, 0, 33, 0, 90,
		0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 92, 0, 9, 192, 0,
		2, 7, 32, 0x20, 1, 0xd, 0xb8);
	struct env e = complete();
	struct config c;
	set(&e, "DHCPV6_S46_MAPE=br=2001:db8::1 br=2001:db8::2 "
		"rule=2001:db8::/32,192.0.2.1/32,ea=0,psid-len=8,psid=1");
	assert_reads(&e, &c);
	assert_memory_equal(c.options + c.options_len - 4, "\6\10\1\0", 4);
	done(&e);
}

static void faults_of_softwires_name_the_item(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "MAPE=br=2001:db8::1", "DHCPV6_S46_MAPE: lacks rule=" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=8", "lacks br=" },
		{ "MAPE=dmr=64:ff9b::/96", "'dmr=64:ff9b::/96' is none of br=, rule=" },
		{ "MAPE=br", "'br' is none of br=, rule=" },
		{ "MAPE=br=fe80::1", "br: 'fe80::1' has link-local addresses" },
		{ "MAPE=br=192.0.2.1", "br: '192.0.2.1' is no IPv6 address" },
		{ "MAPE=rule=", "rule: '' is no IPv6 prefix" },
		{ "MAPE=rule=2001:db8::/32", "rule: lacks its IPv4 prefix" },
		{ "MAPE=rule=2001:db8::1/32,192.0.2.0/24,ea=8", "did you mean 2001:db8::/32?" },
		{ "MAPE=rule=2001:db8::,192.0.2.0/24,ea=8", "lacks its length" },
		{ "MAPE=rule=2001:db8::/32,2001:db8::/32,ea=8", "is no IPv4 ADDRESS/LENGTH" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.9/24,ea=8", "did you mean 192.0.2.0/24?" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24", "lacks ea=" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=49", "'ea=49': 49 is out of bounds" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=8,ea=8", "'ea=8': given twice" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=8,fmrx", "'fmrx' is none of ea=, fmr," },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=19",
		  "ea=19 leaves 11 bits behind the /24 for the PSID" },
		{ "MAPE=rule=2001:db8::/120,192.0.2.0/24,ea=9", "ea=9 does not fit behind a /120" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.0/24,ea=8,psid-offset=16", "it can be 0 to 15" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.1/32,ea=0,psid-len=11",
		  "psid-offset=6 and psid-len=11 are more than a port's 16 bits" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.1/32,ea=0,psid-len=4,psid=16",
		  "psid=16 does not fit into psid-len=4" },
		{ "MAPE=rule=2001:db8::/32,192.0.2.1/32,ea=0,psid=1",
		  "psid=1 does not fit into psid-len=0" },
		{ "MAPT=rule=2001:db8::/32,192.0.2.0/24,ea=8", "DHCPV6_S46_MAPT: lacks dmr=" },
		{ "MAPT=dmr=64:ff9b::/96 dmr=64:ff9b::/96 rule=2001:db8::/32,192.0.2.0/24,ea=8",
		  "has dmr= 2 times" },
		{ "MAPT=dmr=64:ff9b::1/96", "dmr: '64:ff9b::1/96' has bits set" },
		{ "MAPT=dmr=ff00::/8", "dmr: 'ff00::/8' has multicast addresses" },
		{ "LW4O6=bind=192.0.2.1,2001:db8::/56", "DHCPV6_S46_LW4O6: lacks br=" },
		{ "LW4O6=br=2001:db8::1 bind=x,2001:db8::/56", "bind: 'x' is no IPv4 address" },
		{ "LW4O6=br=2001:db8::1 bind=192.0.2.1", "bind: lacks its IPv6 prefix" },
		{ "LW4O6=br=2001:db8::1 bind=192.0.2.1,2001:db8::/56,ea=8",
		  "'ea=8' is none of psid-offset=, psid-len=, psid=" },
		{ "LW4O6=br=2001:db8::1 bind=192.0.2.1,2001:db8::/56 bind=192.0.2.2,2001:db8::/56",
		  "has bind= 2 times, it can have it 1 times" },
	};
	char entry[256];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(entry, sizeof entry, "DHCPV6_S46_%s", cases[i].text);
		assert_fault(entry, cases[i].says);
	}
}

static void a_part_of_each_prefix_is_excluded_by_its_number(void **state)
{
	(void)state;
	static const struct {
		const char *entry;
		uint64_t subnet;
		unsigned len;
	} good[] = { { "DHCPV6_PD_EXCLUDE=0/64", 0, 64 },
		     { "DHCPV6_PD_EXCLUDE=255/64", 255, 64 },
		     { "DHCPV6_PD_EXCLUDE=0xFF/64", 255, 64 },
		     { "DHCPV6_PD_EXCLUDE=0xffffffffffffffff/128", UINT64_MAX, 128 } };
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct env e = complete();
		struct config c;
		set(&e, good[i].entry);
		assert_reads(&e, &c);
		assert_true(c.pd_exclude_subnet == good[i].subnet);
		assert_int_equal(c.pd_exclude_len, good[i].len);
		done(&e);
	}
	assert_fault("DHCPV6_PD_EXCLUDE=64", "is no NUMBER/LENGTH: 0/64 is the first /64");
	assert_fault("DHCPV6_PD_EXCLUDE=/64", "the number before the slash is wrong");
	assert_fault("DHCPV6_PD_EXCLUDE=-1/64", "the number before the slash is wrong");
	assert_fault("DHCPV6_PD_EXCLUDE=ff/64", "the number before the slash is wrong");
	assert_fault("DHCPV6_PD_EXCLUDE=0x/64", "the number before the slash is wrong");
	assert_fault("DHCPV6_PD_EXCLUDE=0/129", "the length can be 1 to 128");
	assert_fault("DHCPV6_PD_EXCLUDE=0/0", "the length can be 1 to 128");
	assert_fault("DHCPV6_PD_EXCLUDE=0/56",
		     "a /56 is not a part of a delegated /56. Example: DHCPV6_PD_EXCLUDE=0/64");
	assert_fault(
		"DHCPV6_PD_EXCLUDE=256/64",
		"a delegated /56 has 2^8 prefixes of /64, counted from 0; there is no number 256");
	SAYS("a delegated /60 has 2^4 prefixes of /64", NULL, "DHCPV6_PD_EXCLUDE=16/64",
	     "DHCPV6_PD_MAX_LENGTH=60");
	SAYS("Example: DHCPV6_PD_EXCLUDE=0/65", NULL, "DHCPV6_PD_EXCLUDE=0/64",
	     "DHCPV6_PD_MAX_LENGTH=64");
}

static void any_other_option_is_given_as_hex(void **state)
{
	(void)state;
	OPTIONS("DHCPV6_OPTION_242=0a0b0c", 0, 242, 0, 3, 10, 11, 12);
	OPTIONS("DHCPV6_OPTION_65535=0xAb:cD 01", 255, 255, 0, 3, 0xab, 0xcd, 1);
	OPTIONS("DHCPV6_OPTION_242=0x", 0, 242, 0, 0);
	SAYS(NULL, NULL, "DHCPV6_OPTION_242=00", "DHCPV6_OPTION_243=00");
	SAYS(NULL, NULL, "DHCPV6_OPTION_242=");
	assert_fault("DHCPV6_OPTION_242=0a0", "DHCPV6_OPTION_242: is not hex: at '0'");
	assert_fault("DHCPV6_OPTION_242=0g", "is not hex: at '0g'");
	assert_fault("DHCPV6_OPTION_242=hello", "Example: DHCPV6_OPTION_242=0a0b0c");
	assert_fault("DHCPV6_OPTION_0=00", "DHCPV6_OPTION_0: this is no option's code");
	assert_fault("DHCPV6_OPTION_65536=00", "it can be 1 to 65535");
	assert_fault("DHCPV6_OPTION_0242=00", "without zeros before it");
	assert_fault("DHCPV6_OPTION_99999999999999999999=00", "this is no option's code");
	assert_fault("DHCPV6_OPTION_<code>=00", "stands for the option's number");
	assert_warns("DHCPV6_OPTION_NTP=00", "DHCPV6_OPTION_NTP: there is no such variable");
	assert_warns("DHCPV6_OPTION_242X=00", "there is no such variable");
}

static void options_that_are_not_ours_to_give_are_told_with_the_reason(void **state)
{
	(void)state;
	static const struct {
		unsigned code;
		const char *says;
	} cases[] = {
		{ 1, "is in every answer by itself" },
		{ 2, "is in every answer by itself" },
		{ 3, "is what the server hands out" },
		{ 4, "is what the server hands out" },
		{ 5, "is what the server hands out" },
		{ 6, "is what clients ask by" },
		{ 7, "ranks servers" },
		{ 8, "is sent by clients" },
		{ 9, "is for relay agents" },
		{ 11, "authenticates messages" },
		{ 12, "is obsolete" },
		{ 13, "the server's own word" },
		{ 14, "DHCPV6_RAPID_COMMIT" },
		{ 16, "is sent by clients" },
		{ 18, "is for relay agents" },
		{ 20, "is for reconfiguration" },
		{ 23, "has a variable of its own, DHCPV6_NAMESERVER" },
		{ 24, "DNS_SEARCH" },
		{ 25, "is what the server hands out" },
		{ 26, "is what the server hands out" },
		{ 32, "DHCPV6_INFORMATION_REFRESH_TIME" },
		{ 38, "is for relay agents" },
		{ 39, "answers a name" },
		{ 45, "is for leasequeries" },
		{ 56, "DHCPV6_NTP_SERVER" },
		{ 64, "DHCPV6_AFTR_NAME" },
		{ 67, "DHCPV6_PD_EXCLUDE" },
		{ 82, "DHCPV6_SOL_MAX_RT" },
		{ 83, "DHCPV6_INF_MAX_RT" },
		{ 89, "see DHCPV6_S46_MAPE" },
		{ 94, "DHCPV6_S46_MAPE" },
		{ 95, "DHCPV6_S46_MAPT" },
		{ 96, "DHCPV6_S46_LW4O6" },
		{ 103, "DHCPV6_CAPTIVE_PORTAL" },
		{ 135, "is for relay agents" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char entry[64], head[64];
		snprintf(entry, sizeof entry, "DHCPV6_OPTION_%u=00", cases[i].code);
		snprintf(head, sizeof head, "DHCPV6_OPTION_%u: option %u ", cases[i].code,
			 cases[i].code);
		assert_fault(entry, cases[i].says);
		assert_fault(entry, head);
	}
}

static void variables_that_are_named_as_the_reason_exist(void **state)
{
	(void)state;
	for (unsigned code = 1; code <= UINT16_MAX; code++) {
		struct config c = { 0 };
		struct why why = { .text = "" };
		if (option_raw((uint16_t)code, "00", &c, &why) == 0)
			continue;
		const char *name = strstr(why.text, "D");
		if (!name || (strncmp(name, "DHCPV6_", 7) != 0 && strncmp(name, "DNS_", 4) != 0))
			continue;
		bool known = false;
		size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		for (size_t i = 0; i < config_n_variables; i++)
			known |= strlen(config_variables[i].name) == len &&
				 strncmp(config_variables[i].name, name, len) == 0;
		if (!known)
			fail_msg("option %u names %s, which is no variable", code, name);
	}
}

static void raw_options_come_from_files_too(void **state)
{
	(void)state;
	char path[] = "/tmp/vbng-test-XXXXXX", entry[128];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0a0b\n0c\n", 8), 8);
	close(fd);
	snprintf(entry, sizeof entry, "DHCPV6_OPTION_242_FILE=%s", path);
	OPTIONS(entry, 0, 242, 0, 3, 10, 11, 12);
	SAYS(NULL, NULL, entry);
	SAYS("DHCPV6_OPTION_242 and DHCPV6_OPTION_242_FILE are both given", NULL,
	     "DHCPV6_OPTION_242=00", entry);
	unlink(path);
	assert_fault("DHCPV6_OPTION_242_FILE=/nowhere/at/all", "cannot be read: No such file");
}

static void all_options_together_are_bounded(void **state)
{
	(void)state;
	static char entry[3 * CONFIG_OPTION_BYTES];
	char more[64];
	struct env e = complete();
	struct config c;
	struct config_report report;
	/* 1452 bytes are a frame's; 4096 what the server takes */
	snprintf(entry, sizeof entry, "DHCPV6_OPTION_242=%0*d", 2 * 1300, 0);
	SAYS(NULL, "comes in fragments", entry);
	snprintf(entry, sizeof entry, "DHCPV6_OPTION_242=%0*d", 2 * 4060, 0);
	SAYS("they can have 4096", NULL, entry);
	snprintf(entry, sizeof entry, "DHCPV6_OPTION_242=%0*d", 2 * 4093, 0);
	assert_fault(entry, "DHCPV6_OPTION_242: there is no room for it");
	for (unsigned i = 0; i < D6_MAX_EXTRA_OPTIONS; i++) {
		snprintf(more, sizeof more, "DHCPV6_OPTION_%u=00", 200 + i);
		set(&e, more);
	}
	assert_reads(&e, &c);
	struct dhcp6_extra_option list[D6_MAX_EXTRA_OPTIONS];
	assert_int_equal(config_options_list(&c, D6_MAX_EXTRA_OPTIONS, list), D6_MAX_EXTRA_OPTIONS);
	set(&e, "DHCPV6_SOL_MAX_RT=60");
	assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
	assert_true(in_list(report.faults, report.n_faults, "they are more than 24 options"));
	config_report_done(&report);
	done(&e);
}

/* What the configuration lets through, the server takes. */
static void the_largest_options_are_taken_by_the_server(void **state)
{
	(void)state;
	static char entry[3 * CONFIG_OPTION_BYTES];
	/* Beside two name servers: 4096 - 8 - 32 - 4. */
	for (int len = 4052; len <= 4053; len++) {
		struct env e = complete();
		struct config c;
		struct config_report report;
		snprintf(entry, sizeof entry, "DHCPV6_OPTION_242=%0*d", 2 * len, 0);
		set(&e, entry);
		assert_int_equal(config_read(e.entries, &c, &report), len == 4052 ? 0 : -EINVAL);
		config_report_done(&report);
		done(&e);
		if (len != 4052)
			continue;
		struct dhcp6_config d = { .transfer = c.transfer,
					  .pd_pool = c.pd_pool,
					  .pd_len = c.pd_len,
					  .valid_lft_s = c.valid_lft_s,
					  .preferred_lft_s = c.preferred_lft_s,
					  .n_nameservers = c.n_nameservers,
					  .server_id = { .len = 4 } };
		d.n_extra = config_options_list(&c, D6_MAX_EXTRA_OPTIONS, d.extra);
		struct dhcp6_server *server = NULL;
		assert_int_equal(dhcp6_server_new(&d, &server), 0);
		dhcp6_server_free(server);
	}
}

static void the_refresh_time_is_for_information_requests_alone(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	set(&e, "DHCPV6_INFORMATION_REFRESH_TIME=600");
	set(&e, "DHCPV6_SOL_MAX_RT=60");
	assert_reads(&e, &c);
	struct dhcp6_extra_option list[4];
	assert_int_equal(config_options_list(&c, 4, list), 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(list[i].information_only == (list[i].code == 32));
	assert_int_equal(config_options_list(&c, 1, list), 1);
	done(&e);
}

static void every_kind_of_bad_value_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *entry, *says;
	} cases[] = {
		{ "WIREGUARD_INTERFACE_SUFFIX=a/b", "cannot be an interface's name" },
		{ "WIREGUARD_PEER=short", "it has 5 characters, a key in base64 has 44" },
		{ "WIREGUARD_PEER=xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D!=", "not the base64" },
		{ "WIREGUARD_ADDRESS=192.0.2.1/24", "is no IPv6 prefix" },
		{ "WIREGUARD_ADDRESS=2001:db8::2/129", "is no IPv6 prefix" },
		{ "WIREGUARD_ENDPOINT=[2001:db8::g]:51820",
		  "no IPv6 address between the brackets" },
		{ "WIREGUARD_ENDPOINT=192.0.2.1:65536", "is no port" },
		{ "WIREGUARD_ENDPOINT=:51820", "lacks its port" },
		{ "WIREGUARD_ENDPOINT=a b:51820", "is no ADDRESS:PORT or NAME:PORT" },
		{ "SUBSCRIBER_INTERFACE=sixteen-letters-", "cannot be an interface's name" },
		{ "SUBSCRIBER_INTERFACE=..", "cannot be an interface's name" },
		{ "TRANSFER_PREFIX=2001:db8:ffff::1/64", "did you mean 2001:db8:ffff::/64?" },
		{ "DHCPV6_PD_PREFIX=2001:db8:ffff::", "lacks its length" },
		{ "DHCPV6_PD_DELEGATION_LENGTH=65", "it can be 1 to 64" },
		{ "DHCPV6_PD_DELEGATION_LENGTH=/56", "is no number" },
		{ "WIREGUARD_MTU=1279", "it can be 1280 to 9000" },
		{ "WIREGUARD_MTU=9001", "it can be 1280 to 9000" },
		{ "WIREGUARD_KEEPALIVE=65536", "it can be 0 to 65535" },
		{ "WIREGUARD_LISTEN_PORT=0", "it can be 1 to 65535" },
		{ "WIREGUARD_BACKEND=openvpn", "is none of auto, kernel, userspace, none" },
		{ "DHCPV6_VALID_LIFETIME=0", "it can be 1 to 4294967295" },
		{ "DHCPV6_VALID_LIFETIME=4294967296", "is out of bounds" },
		{ "DHCPV6_PREFERRED_LIFETIME=0", "it can be 1 to 4294967295" },
		{ "DHCPV6_IA_NA=2", "is neither on nor off" },
		{ "DHCPV6_RAPID_COMMIT=maybe", "is neither on nor off" },
		{ "DHCPV6_NAMESERVER=192.0.2.1", "is no IPv6 address" },
		{ "DHCPV6_NAMESERVER=::1,::2,::3,::4,::5,::6,::7,::8,::9",
		  "more than 8 addresses" },
		{ "DHCPV6_NAMESERVER=2001:db8::53,::", "which are not routed" },
		{ "DHCPV6_NAMESERVER=::1", "which are not routed" },
		{ "DHCPV6_NAMESERVER=ff02::fb", "which are not routed" },
		{ "DHCPV6_NAMESERVER=::ffff:192.0.2.1", "which are not routed" },
		{ "DNS_UPSTREAM=dns.example", "'dns.example' is no IPv6 address" },
		{ "DNS_UPSTREAM=::", "which are not routed" },
		{ "DNS_UPSTREAM=::1", "which are not routed" },
		{ "DNS_UPSTREAM=ff02::fb", "which are not routed" },
		{ "DNS_UPSTREAM=fe80::1", "which are not routed" },
		{ "DNS_UPSTREAM=2001:db8:ffff::1", "our own resolver's address" },
		{ "DNS_ZONE=provider1..lab", "is no domain name" },
		{ "DNS_ZONE=lab\nserver=/x/", "is no domain name" },
		{ "DNS_SEARCH=not_a,-name!", "is no domain name" },
		{ "DNS_SEARCH=a,b,c,d,e,f,g,h,i", "more than 8 domains" },
		{ "ROUTER_ADVERTISEMENT_MIN_INTERVAL=2", "it can be 3 to 65535" },
		{ "ROUTER_ADVERTISEMENT_MAX_INTERVAL=3", "it can be 4 to 65535" },
		{ "ROUTER_ADVERTISEMENT_LIFETIME=65536", "it can be 0 to 65535" },
		{ "ROUTER_ADVERTISEMENT_PREFERENCE=highest", "is none of low, medium, high" },
		{ "ROUTER_ADVERTISEMENT_MANAGED=x", "is neither on nor off" },
		{ "ROUTER_ADVERTISEMENT_OTHER=x", "is neither on nor off" },
		{ "ROUTER_ADVERTISEMENT_DEPRECATE_ON_STOP=x", "is neither on nor off" },
		{ "ROUTER_ADVERTISEMENT_ROUTES=2001:db8::/48@best",
		  "is none of low, medium, high" },
		{ "ROUTER_ADVERTISEMENT_ROUTES=2001:db8::1/48", "did you mean 2001:db8::/48?" },
		{ "ROUTER_ADVERTISEMENT_ROUTES=2001:db8::", "lacks its length" },
		{ "ROUTER_ADVERTISEMENT_PREF64=64:ff9b::1/96", "has bits set" },
		{ "SUBSCRIBER_MODE=vlan:", "is no number" },
		{ "SUBSCRIBER_MODE=vlan:0", "1 to 4094" },
		{ "SUBSCRIBER_MODE=borrow", "is none of auto, move, local, macvlan, vlan:<id>" },
		{ "SUBSCRIBER_LINK_LOCAL=2001:db8::1", "is not link-local" },
		{ "SUBSCRIBER_LINK_LOCAL=fe80:1::1", "is not link-local" },
		{ "SUBSCRIBER_LINK_LOCAL=fe80::", "is the anycast address" },
		{ "SUBSCRIBER_LINK_LOCAL=one", "is no IPv6 address" },
		{ "HOST_NETNS=run/netns/host", "is no absolute path" },
		{ "STATE_DIR=leases", "is no absolute path" },
		{ "LOG_LEVEL=loud", "is none of error, warning, info, debug" },
		{ "LOG_FORMAT=xml", "is none of text, json" },
		{ "DEBUG=very", "is neither on nor off" },
		{ "WIREGUARD_CONFIG_FILE=/nowhere/at/all", "cannot be read: No such file" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[96];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(cases[i].entry, "="),
			 cases[i].entry);
		assert_fault(cases[i].entry, cases[i].says);
		assert_fault(cases[i].entry, name);
	}
}

static void reservations_are_printed_as_one_line_of_an_env_file(void **state)
{
	(void)state;
	struct env e = complete();
	struct config c;
	AUTO_FREE char *text = NULL;
	size_t n;
	set(&e, "DHCPV6_RESERVATIONS=# the street; all of it\n"
		"duid 0001 2001:db8:ffff:8000::/56  # the first\n\n;"
		"interface-id \"a;b #c\" 2001:db8:ffff:8100::/56");
	assert_reads(&e, &c);
	FILE *out = open_memstream(&text, &n);
	assert_non_null(out);
	config_print(&c, out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "\nDHCPV6_RESERVATIONS=duid 0001 2001:db8:ffff:8000::/56; "
				     "interface-id \"a;b #c\" 2001:db8:ffff:8100::/56\n"));
	done(&e);
}

static void faulty_reservations_are_told_beside_other_faults(void **state)
{
	(void)state;
	static const struct {
		const char *other;
		bool told;
	} cases[] = {
		{ "DHCPV6_RECONFIGURE=x", true },     { "WIREGUARD_PEER=x", true },
		{ "DHCPV6_VALID_LIFETIME=60", true }, { "ASSIGNED_PREFIX=x", false },
		{ "ASSIGNED_PREFIX", false },         { "DHCPV6_PD_MIN_LENGTH=57", false },
		{ "DHCPV6_IA_NA=x", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct env e = complete();
		struct config c;
		struct config_report report;
		set(&e, "DHCPV6_RESERVATIONS=duid 0001 nonsense");
		set(&e, cases[i].other);
		assert_int_equal(config_read(e.entries, &c, &report), -EINVAL);
		if (in_list(report.faults, report.n_faults, "'nonsense'") != cases[i].told)
			fail_msg("beside %s", cases[i].other);
		assert_int_equal(report.n_faults, cases[i].told ? 2 : 1);
		config_report_done(&report);
		done(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_resolver_runs_where_somebody_is_led_to_it),
		cmocka_unit_test(without_our_own_resolver_others_are_announced),
		cmocka_unit_test(the_rest_is_derived_from_what_is_required),
		cmocka_unit_test(the_assigned_prefix_can_be_written_in_three_ways),
		cmocka_unit_test(a_small_pool_is_cut_into_smaller_parts),
		cmocka_unit_test(every_fault_is_found_not_only_the_first),
		cmocka_unit_test(faults_say_what_was_wrong_and_give_an_example),
		cmocka_unit_test(secrets_are_never_repeated),
		cmocka_unit_test(our_own_key_is_not_the_providers),
		cmocka_unit_test(quotes_and_carriage_returns_are_taken_off_with_a_warning),
		cmocka_unit_test(an_unknown_name_is_answered_with_the_nearest),
		cmocka_unit_test(what_becomes_of_a_lost_uplink_is_configured),
		cmocka_unit_test(values_come_from_files),
		cmocka_unit_test(a_pipe_gives_a_value_and_holds_nobody_up),
		cmocka_unit_test(a_wg_quick_file_gives_what_the_variables_do_not),
		cmocka_unit_test(a_key_that_slipped_into_a_line_of_its_own_is_not_repeated),
		cmocka_unit_test(without_a_tunnel_its_variables_are_not_wanted),
		cmocka_unit_test(metrics_can_be_had_at_an_address_of_ours_or_of_the_host),
		cmocka_unit_test(wiping_leaves_no_secret_in_the_environment),
		cmocka_unit_test(every_example_of_the_documentation_is_accepted),
		cmocka_unit_test(what_is_printed_reads_as_the_same),
		cmocka_unit_test(what_cannot_be_routed_is_no_prefix_of_ours),
		cmocka_unit_test(an_assigned_prefix_that_is_too_long_is_a_fault_and_nothing_more),
		cmocka_unit_test(lengths_of_hints_keep_around_the_delegation_length),
		cmocka_unit_test(a_client_is_always_bounded),
		cmocka_unit_test(a_stations_rate_may_be_unlimited),
		cmocka_unit_test(what_a_station_may_hold_is_bounded_unless_it_is_told_otherwise),
		cmocka_unit_test(the_pool_keeps_clear_of_what_is_ours),
		cmocka_unit_test(host_bits_of_allowed_ips_are_taken_off_with_a_warning),
		cmocka_unit_test(transfer_networks_are_advertised_as_hosts_can_use_them),
		cmocka_unit_test(several_transfer_networks_each_have_their_say),
		cmocka_unit_test(faults_of_advertised_prefixes_are_told),
		cmocka_unit_test(lifetimes_follow_the_longest_interval),
		cmocka_unit_test(a_provisioning_domain_is_a_name),
		cmocka_unit_test(a_provisioning_domains_number_grows_with_what_is_advertised),
		cmocka_unit_test(numbers_of_an_advertisement_have_their_bounds),
		cmocka_unit_test(seconds_become_options_of_four_bytes),
		cmocka_unit_test(time_sources_are_options_of_their_own),
		cmocka_unit_test(a_tunnel_endpoint_is_a_name),
		cmocka_unit_test(the_endpoint_can_be_a_name_or_a_link_local_address),
		cmocka_unit_test(a_captive_portal_is_an_https_uri),
		cmocka_unit_test(softwires_are_containers),
		cmocka_unit_test(faults_of_softwires_name_the_item),
		cmocka_unit_test(a_part_of_each_prefix_is_excluded_by_its_number),
		cmocka_unit_test(any_other_option_is_given_as_hex),
		cmocka_unit_test(options_that_are_not_ours_to_give_are_told_with_the_reason),
		cmocka_unit_test(variables_that_are_named_as_the_reason_exist),
		cmocka_unit_test(raw_options_come_from_files_too),
		cmocka_unit_test(all_options_together_are_bounded),
		cmocka_unit_test(the_largest_options_are_taken_by_the_server),
		cmocka_unit_test(the_refresh_time_is_for_information_requests_alone),
		cmocka_unit_test(every_kind_of_bad_value_is_told),
		cmocka_unit_test(reservations_are_printed_as_one_line_of_an_env_file),
		cmocka_unit_test(faulty_reservations_are_told_beside_other_faults),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
