/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "control/metrics.h"

#include <stdlib.h>

static struct dhcp6_stats stats;

static const struct status_drop drops[] = {
	{ "malformed", 3, false },
	{ "overlong", 0, false },
	{ "hop_limit", 2, true },
};

static struct status_view view(void)
{
	stats = (struct dhcp6_stats){ .received = 10, .over_limit = 4, .not_from_holder = 6 };
	stats.over_station_limit.n = 12;
	stats.recall.waiting = 21;
	stats.recall.sent = 22;
	stats.recall.heard = 23;
	stats.recall.given_up = 24;
	stats.by_type[D6_SOLICIT] = 5;
	stats.answers_by_type[D6_ADVERTISE] = 6;
	return (struct status_view){
		.instance = "provider1",
		.version = "1.2.3",
		.serving = true,
		.start_unix_s = 1795263799,
		.server_restarts = 1,
		.tunnel = { .present = true,
			    .state = "stale",
			    .state_unix_s = 1795263790,
			    .state_changes = 3,
			    .lost = true,
			    .losses = 2,
			    .probe = "2001:db8::1",
			    .probed = { .sent = 100,
					.answered = 90,
					.window = 64,
					.loss_permille = 156,
					.rtt_last_us = 12345,
					.rtt_smoothed_us = 1000000,
					.rtt_min_us = 1,
					.rtt_avg_us = 2,
					.rtt_max_us = 2000003 },
			    .mtu = 1420,
			    .handshake_unix_s = 1795263700,
			    .handshake_age_s = 200,
			    .rx_bytes = UINT64_MAX,
			    .tx_bytes = 7 },
		.subscriber = { .interface = "sub0", .link = true },
		.dns = { .wanted = true,
			 .running = true,
			 .zone = "provider1.lab",
			 .restarts = 31,
			 .names = 32,
			 .waiting = 33 },
		.pools = { { "prefixes", "2001:db8::/49", 56, 128, 126, 127, 1, 0, 9 },
			   { "addresses", "2001:db8::/64", 128, UINT64_MAX, 3, 3, 2, 1, 0 } },
		.n_pools = 2,
		.counters = { .dhcpv6_received = 10,
			      .rs_received = 8,
			      .rs_limited = 17,
			      .rs_dropped = 3,
			      .ra_sent = 11,
			      .ra_failed = 12,
			      .routes_failed = 13 },
		.dhcpv6 = &stats,
		.drops = drops,
		.n_drops = 3,
		.store = { .ok = true },
	};
}

static char *render(const struct status_view *v)
{
	char *text = NULL;
	size_t len = 0;
	assert_int_equal(metrics_render(v, &text, &len), 0);
	assert_int_equal(len, strlen(text));
	return text;
}

/* A whole line of it. */
static void has(const char *text, const char *line)
{
	char wanted[256];
	snprintf(wanted, sizeof wanted, "\n%s\n", line);
	if (!strstr(text, wanted))
		fail_msg("there is no line %s in\n%s", line, text);
}

static void every_number_of_the_view_is_there(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"vbng_build_info{instance=\"provider1\",version=\"1.2.3\"} 1",
		"vbng_start_time_seconds{instance=\"provider1\"} 1795263799",
		"vbng_serving{instance=\"provider1\"} 1",
		"vbng_server_restarts_total{instance=\"provider1\"} 1",
		"vbng_store_ok{instance=\"provider1\"} 1",
		"vbng_tunnel_state{instance=\"provider1\",state=\"resolving\"} 0",
		"vbng_tunnel_state{instance=\"provider1\",state=\"connecting\"} 0",
		"vbng_tunnel_state_changed_timestamp_seconds{instance=\"provider1\"} 1795263790",
		"vbng_tunnel_state_changes_total{instance=\"provider1\"} 3",
		"vbng_uplink_lost{instance=\"provider1\"} 1",
		"vbng_uplink_losses_total{instance=\"provider1\"} 2",
		"vbng_uplink_probes_sent_total{instance=\"provider1\"} 100",
		"vbng_uplink_probes_answered_total{instance=\"provider1\"} 90",
		"vbng_uplink_probe_loss_ratio{instance=\"provider1\",address=\"2001:db8::1\"} "
		"0.156000",
		"vbng_uplink_probe_rtt_seconds{instance=\"provider1\",of=\"last\"} 0.012345",
		"vbng_uplink_probe_rtt_seconds{instance=\"provider1\",of=\"smoothed\"} 1.000000",
		"vbng_uplink_probe_rtt_seconds{instance=\"provider1\",of=\"min\"} 0.000001",
		"vbng_uplink_probe_rtt_seconds{instance=\"provider1\",of=\"max\"} 2.000003",
		"vbng_tunnel_state{instance=\"provider1\",state=\"up\"} 0",
		"vbng_tunnel_state{instance=\"provider1\",state=\"stale\"} 1",
		"vbng_tunnel_state{instance=\"provider1\",state=\"down\"} 0",
		"vbng_tunnel_last_handshake_timestamp_seconds{instance=\"provider1\"} 1795263700",
		"vbng_tunnel_handshake_age_seconds{instance=\"provider1\"} 200",
		"vbng_tunnel_receive_bytes_total{instance=\"provider1\"} 18446744073709551615",
		"vbng_tunnel_transmit_bytes_total{instance=\"provider1\"} 7",
		"vbng_dns_up{instance=\"provider1\"} 1",
		"vbng_dns_restarts_total{instance=\"provider1\"} 31",
		"vbng_dns_names{instance=\"provider1\"} 32",
		"vbng_dns_names_waiting{instance=\"provider1\"} 33",
		"vbng_tunnel_mtu_bytes{instance=\"provider1\"} 1420",
		"vbng_subscriber_carrier{instance=\"provider1\",interface=\"sub0\"} 1",
		"vbng_subscriber_nic_missing{instance=\"provider1\",interface=\"sub0\"} 0",
		"vbng_pool_capacity{instance=\"provider1\",kind=\"prefixes\"} 128",
		"vbng_pool_capacity{instance=\"provider1\",kind=\"addresses\"} +Inf",
		"vbng_pool_used{instance=\"provider1\",kind=\"prefixes\"} 126",
		"vbng_pool_bound{instance=\"provider1\",kind=\"prefixes\"} 127",
		"vbng_pool_freed{instance=\"provider1\",kind=\"addresses\"} 2",
		"vbng_pool_declined{instance=\"provider1\",kind=\"addresses\"} 1",
		"vbng_pool_exhausted_total{instance=\"provider1\",kind=\"prefixes\"} 9",
		"vbng_dhcpv6_received_total{instance=\"provider1\"} 10",
		"vbng_dhcpv6_messages_received_total{instance=\"provider1\",type=\"SOLICIT\"} 5",
		"vbng_dhcpv6_messages_received_total{instance=\"provider1\",type=\"RENEW\"} 0",
		"vbng_dhcpv6_messages_answered_total{instance=\"provider1\",type=\"ADVERTISE\"} 6",
		"vbng_dhcpv6_messages_answered_total{instance=\"provider1\",type=\"REPLY\"} 0",
		"vbng_dhcpv6_dropped_total{instance=\"provider1\",reason=\"malformed\"} 3",
		"vbng_dhcpv6_over_limit_total{instance=\"provider1\"} 4",
		"vbng_dhcpv6_over_station_limit_total{instance=\"provider1\"} 12",
		"vbng_dhcpv6_not_from_holder_total{instance=\"provider1\"} 6",
		"vbng_dhcpv6_recall_waiting{instance=\"provider1\"} 21",
		"vbng_dhcpv6_recall_sent_total{instance=\"provider1\"} 22",
		"vbng_dhcpv6_recall_heard_total{instance=\"provider1\"} 23",
		"vbng_dhcpv6_recall_given_up_total{instance=\"provider1\"} 24",
		"vbng_routes_failed_total{instance=\"provider1\"} 13",
		"vbng_router_solicitations_received_total{instance=\"provider1\"} 8",
		"vbng_router_solicitations_dropped_total{instance=\"provider1\",reason=\"hop_"
		"limit\"} 2",
		"vbng_router_solicitations_dropped_total{instance=\"provider1\",reason="
		"\"unanswerable\"} 1",
		"vbng_router_solicitations_limited_total{instance=\"provider1\"} 17",
		"vbng_router_advertisements_sent_total{instance=\"provider1\"} 11",
		"vbng_router_advertisements_failed_total{instance=\"provider1\"} 12",
	};
	struct status_view v = view();
	char *text = render(&v);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		has(text, lines[i]);
	free(text);
}

static void what_is_not_there_is_not_invented(void **state)
{
	(void)state;
	struct status_view v = view();
	v.tunnel.handshake_age_s = -1;
	v.tunnel.handshake_unix_s = 0;
	v.n_pools = 1;
	char *text = render(&v);
	assert_null(strstr(text, "handshake_age"));
	assert_null(strstr(text, "addresses\""));
	has(text, "vbng_tunnel_last_handshake_timestamp_seconds{instance=\"provider1\"} 0");
	free(text);
	v.tunnel.present = false;
	text = render(&v);
	assert_null(strstr(text, "vbng_tunnel"));
	free(text);
}

static void labels_are_escaped(void **state)
{
	(void)state;
	struct status_view v = view();
	v.instance = "a\"b\\c\nd";
	char *text = render(&v);
	has(text, "vbng_serving{instance=\"a\\\"b\\\\c\\nd\"} 1");
	free(text);
}

/* Each family once, its head before its samples, counters by their name and no others. */
static void families_have_the_shape_of_the_format(void **state)
{
	(void)state;
	struct status_view v = view();
	char *text = render(&v), *rest = NULL;
	char name[64] = "", type[16] = "", seen[8192] = "";
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line, "# HELP %63s", name), 1);
			char key[80];
			snprintf(key, sizeof key, " %s ", name);
			assert_null(strstr(seen, key));
			strncat(seen, key, sizeof seen - strlen(seen) - 1);
			type[0] = '\0';
		} else if (strncmp(line, "# TYPE ", 7) == 0) {
			char again[64];
			assert_int_equal(sscanf(line, "# TYPE %63s %15s", again, type), 2);
			assert_string_equal(again, name);
			size_t n = strlen(name);
			bool total = n > 6 && strcmp(name + n - 6, "_total") == 0;
			assert_string_equal(type, total ? "counter" : "gauge");
		} else {
			assert_true(type[0] != '\0');
			assert_int_equal(strncmp(line, name, strlen(name)), 0);
			assert_int_equal(line[strlen(name)], '{');
		}
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_the_view_is_there),
		cmocka_unit_test(what_is_not_there_is_not_invented),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(families_have_the_shape_of_the_format),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
