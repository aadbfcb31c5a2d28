/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/nft.h"
#include "host/nft_sets.h"

#include <poll.h>
#include <signal.h>

enum { MANY = 3000, LOAD_WAIT_MS = 60000 };

static const char why_no_nft[] = "this kernel has no nf_tables";

static const struct nft_rules plain_rules = {
	.subscriber = "sub0", .ethernet = true, .usual_len = 56, .assigned = { .plen = 48 }
};

/* Guards are opened by the first line of every test: where the kernel cannot, it is skipped. */
static struct nft_guard *guard(const char *instance)
{
	struct nft_guard *g = NULL;
	int r = nft_guard_open(&plain_rules, instance, &g);
	if (r == -EOPNOTSUPP || r == -EPROTONOSUPPORT)
		skip_because(why_no_nft);
	assert_int_equal(r, 0);
	return g;
}

static int await(struct nft_guard *g, char why[static NFT_WHY_MAX])
{
	struct pollfd p = { .fd = nft_guard_fd(g), .events = POLLIN };
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, LOAD_WAIT_MS), 1);
	int r = nft_guard_verdict(g, why);
	assert_true(waitpid(-1, NULL, 0) > 0); /* there is no loop here that would */
	return r;
}

static struct nft_sets *stations(const char *table)
{
	struct nft_sets *s = NULL;
	assert_int_equal(nft_sets_new(table, &s), 0);
	return s;
}

static const uint8_t *lladdr(uint32_t i)
{
	static uint8_t a[NFT_LLADDR_LEN];
	const uint8_t made[NFT_LLADDR_LEN] = {
		2, 0, 0x5e, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i
	};
	memcpy(a, made, sizeof a);
	return a;
}

static const struct in6_addr *next_hop(uint32_t i)
{
	static struct in6_addr a;
	a = unit_in6("fe80::");
	a.s6_addr[13] = (uint8_t)(i >> 16);
	a.s6_addr[14] = (uint8_t)(i >> 8);
	a.s6_addr[15] = (uint8_t)i;
	return &a;
}

static void put(struct nft_sets *s, uint32_t i)
{
	assert_int_equal(nft_station_put(s, lladdr(i), next_hop(i)), 0);
}

static void del(struct nft_sets *s, uint32_t i)
{
	assert_int_equal(nft_station_del(s, lladdr(i), next_hop(i)), 0);
}

/* As nft(8) counts them: an independent reader. */
static void assert_stations(const char *table, unsigned n)
{
	char command[256];
	(void)snprintf(command, sizeof command,
		       "test $(nft list set inet %s stations | grep -o ' fe80:' | wc -l) = %u",
		       table, n);
	run(command);
}

static void the_rules_are_loaded_by_a_child_that_leaves_nothing(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("provider1");
	char why[NFT_WHY_MAX];
	assert_string_equal(nft_guard_table(g), "vbng-provider1");
	assert_int_equal(nft_guard_fd(g), -1);
	assert_int_equal(nft_guard_verdict(g, why), -ENOTCONN);
	assert_int_equal(nft_guard_load(g, "sub0", true), 0);
	assert_int_equal(nft_guard_load(g, "sub0", true), -EALREADY);
	int r = await(g, why);
	if (r < 0)
		fail_msg("%s", why);
	assert_int_equal(nft_guard_fd(g), -1);
	assert_int_equal(nft_guard_verdict(g, why), -ENOTCONN);
	run("nft list table inet vbng-provider1 | grep -q 'oifname \"sub0\" meta nfproto ipv6 "
	    "ether saddr . rt ip6 nexthop @stations counter name \"own_prefix\" reject with icmpv6 "
	    "reject-route'");
	run("! nft list chain inet vbng-provider1 gate 2>/dev/null");
	run("! grep -q libnftables /proc/$PPID/maps");
	assert_int_equal(nft_guard_close(g), 0);
	run("test -z \"$(nft list tables)\"");
}

static void what_a_killed_run_left_is_replaced(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *old = guard("a"), *g;
	char why[NFT_WHY_MAX];
	struct nft_sets *s = stations("vbng-a");
	put(s, 1);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_int_equal(nft_guard_load(old, "sub0", true), 0);
	assert_int_equal(await(old, why), 0);
	run("nft add table inet other");
	run("nft add rule inet vbng-a forward counter");
	g = guard("a");
	assert_stations("vbng-a", 0);
	run("! nft list chain inet vbng-a forward 2>/dev/null");
	assert_int_equal(nft_guard_load(g, "sub0", true), 0);
	assert_int_equal(await(g, why), 0);
	run("test $(nft list chain inet vbng-a from_subscriber | grep -c own_prefix) = 1");
	assert_int_equal(nft_guard_close(g), 0);
	assert_int_equal(nft_guard_close(old), -ENOENT); /* it was the same */
	run("test \"$(nft list tables)\" = 'table inet other' && nft delete table inet other");
	nft_sets_free(s);
}

static void instances_in_one_namespace_have_each_a_table(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *a = guard("a"), *b = guard("b*\"{");
	assert_string_equal(nft_guard_table(b), "vbng-b___");
	struct nft_sets *in_a = stations(nft_guard_table(a)), *in_b = stations("vbng-b___");
	put(in_a, 1);
	put(in_b, 2);
	put(in_b, 3);
	assert_int_equal(nft_sets_commit(in_a), 0);
	assert_int_equal(nft_sets_commit(in_b), 0);
	assert_int_equal(nft_guard_close(a), 0);
	assert_stations("vbng-b___", 2);
	assert_int_equal(nft_guard_close(b), 0);
	nft_sets_free(in_a);
	nft_sets_free(in_b);
}

static void names_that_no_rule_can_hold_are_refused(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = NULL;
	const char *const bad[] = { "", "su\"b", "sub*", "su\\b", "su\tb" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct nft_rules rules = plain_rules;
		(void)snprintf(rules.subscriber, sizeof rules.subscriber, "%s", bad[i]);
		assert_int_equal(nft_guard_open(&rules, "a", &g), -EINVAL);
		rules = plain_rules;
		(void)snprintf(rules.tunnel, sizeof rules.tunnel, "%s", bad[i]);
		if (bad[i][0]) /* "" is none */
			assert_int_equal(nft_guard_open(&rules, "a", &g), -EINVAL);
	}
	assert_int_equal(nft_guard_open(&plain_rules, "an-instance-whose-name-is-too-long", &g),
			 -EINVAL);
	assert_null(g);
	struct nft_sets *s = NULL;
	assert_int_equal(nft_sets_new("a-table-whose-name-is-far-too-long", &s), -EINVAL);
}

static void stations_come_and_go_without_complaint(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	struct nft_sets *s = stations("vbng-a");
	assert_int_equal(nft_sets_commit(s), 0); /* nothing to do */
	put(s, 1);
	put(s, 2);
	assert_int_equal(nft_sets_commit(s), 0);
	run("nft get element inet vbng-a stations '{ 02:00:5e:00:00:01 . fe80::1 }' >/dev/null");
	put(s, 1); /* there already */
	put(s, 3);
	put(s, 3);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_stations("vbng-a", 3);
	del(s, 9); /* never there */
	del(s, 3);
	del(s, 3);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_stations("vbng-a", 2);
	/* The other half of the pair is another station. */
	assert_int_equal(nft_station_del(s, lladdr(1), next_hop(2)), 0);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_stations("vbng-a", 2);
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

static void changes_are_made_in_their_order(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	struct nft_sets *s = stations("vbng-a");
	put(s, 1);
	assert_int_equal(nft_sets_commit(s), 0);
	put(s, 2);
	del(s, 2);
	del(s, 1);
	put(s, 1);
	/* One after the other in turn, over several transactions. */
	for (uint32_t i = 100; i < 400; i++) {
		put(s, i);
		del(s, i - 1);
	}
	assert_int_equal(nft_sets_commit(s), 0);
	assert_stations("vbng-a", 2);
	run("nft get element inet vbng-a stations '{ 02:00:5e:00:00:01 . fe80::1 }' >/dev/null");
	run("nft get element inet vbng-a stations '{ 02:00:5e:00:01:8f . fe80::18f }' >/dev/null");
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

static void thousands_of_stations_go_in_one_commit(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	struct nft_sets *s = stations("vbng-a");
	uint64_t start = clock_mono_ms();
	for (uint32_t i = 0; i < MANY; i++)
		put(s, i);
	assert_int_equal(nft_sets_commit(s), 0);
	uint64_t made = clock_mono_ms();
	assert_stations("vbng-a", MANY);
	uint64_t counted = clock_mono_ms();
	for (uint32_t i = 0; i < MANY; i++)
		del(s, i);
	assert_int_equal(nft_sets_commit(s), 0);
	print_message("# %d stations: put in %u ms, removed in %u ms\n", MANY,
		      (unsigned)(made - start), (unsigned)(clock_mono_ms() - counted));
	assert_stations("vbng-a", 0);
	for (uint32_t i = 0; i < NFT_CHANGES_MAX; i++)
		put(s, 1);
	assert_int_equal(nft_station_put(s, lladdr(1), next_hop(1)), -ENOBUFS);
	assert_int_equal(nft_station_del(s, lladdr(1), next_hop(1)), -ENOBUFS);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_stations("vbng-a", 1);
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

static void a_refusal_is_told_and_forgotten(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	struct nft_sets *s = stations("vbng-a");
	assert_int_equal(nft_guard_close(g), 0);
	for (uint32_t i = 0; i < 300; i++) {
		put(s, i);
		del(s, i);
	}
	assert_int_equal(nft_sets_commit(s), -ENOENT); /* the table is gone */
	assert_int_equal(nft_sets_commit(s), 0);       /* nothing is left to do */
	g = guard("a");
	put(s, 1);
	assert_int_equal(nft_sets_commit(s), 0); /* nor of the answers */
	assert_stations("vbng-a", 1);
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

static void closing_waits_for_the_rules_that_are_being_loaded(void **state)
{
	(void)state;
	if (getenv("TAP_UNDER")) {
		print_message("# skipped: memcheck is too slow for the alarm that guards it\n");
		skip();
	}
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	assert_int_equal(nft_guard_load(g, "sub0", true), 0);
	assert_int_equal(nft_guard_close(g), 0);
	int status;
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_true(WIFEXITED(status));
	run("test -z \"$(nft list tables)\"");
}

static void what_the_kernel_refuses_is_told_in_words(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	char why[NFT_WHY_MAX] = "";
	/* A set of that name but of another type is in the rules' way. */
	run("nft 'delete set inet vbng-a stations; add set inet vbng-a stations { type ipv6_addr; "
	    "}'");
	assert_int_equal(nft_guard_load(g, "sub0", true), 0);
	assert_int_equal(await(g, why), -EOPNOTSUPP);
	assert_true(strlen(why) > 0);
	assert_null(strchr(why, '\n'));
	run("! nft list chain inet vbng-a forward 2>/dev/null"); /* all or nothing */
	assert_int_equal(nft_guard_close(g), 0);
}

static void nothing_is_forwarded_until_the_rules_are_there(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	char why[NFT_WHY_MAX];
	run("nft list chain inet vbng-a gate | grep -q 'iifname \"sub0\" drop'");
	run("nft list chain inet vbng-a gate | grep -q 'type filter hook forward'");
	assert_int_equal(nft_guard_load(g, "a\"b", true), -EINVAL);
	assert_int_equal(nft_guard_load(g, "sub1", true), 0);
	assert_int_equal(await(g, why), 0);
	run("! nft list chain inet vbng-a gate 2>/dev/null");
	run("nft list chain inet vbng-a forward | grep -q 'iifname \"sub1\".*from_subscriber'");
	assert_int_equal(nft_guard_let_pass(g), -ENOENT);
	assert_int_equal(nft_guard_close(g), 0);
	g = guard("a");
	assert_int_equal(nft_guard_let_pass(g), 0);
	run("! nft list chain inet vbng-a gate 2>/dev/null");
	assert_int_equal(nft_guard_close(g), 0);
}

/* nft itself takes the text, of whatever the configuration can ask for. */
static void the_rules_of_every_configuration_are_taken(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char why[NFT_WHY_MAX];
	for (unsigned i = 0; i < 64; i++) {
		struct nft_guard *g = NULL;
		struct nft_rules r = { .subscriber = "sub0",
				       .source = (enum nft_source)(i & 3),
				       .isolate = i & 4,
				       .dhcp6_rate = i & 2 ? 1000000 : i & 1,
				       .usual_len = 56,
				       .assigned = { unit_in6("2001:db8::"), i & 8 ? 20 : 48 },
				       .n_transfers = 2,
				       .transfers = { { unit_in6("2001:db8::"), 64 },
						      { unit_in6("2001:db8:0:1::"), 64 } },
				       .own = { unit_in6("2001:db8::1"),
						unit_in6("2001:db8:0:1::1") },
				       .log_group = i & 16 ? 1180 : 0 };
		if (i & 32) {
			(void)snprintf(r.tunnel, sizeof r.tunnel, "wg-a");
			r.open.family = i & 4 ? AF_INET : AF_INET6;
			r.open.tcp_port = 9547;
		}
		int e = nft_guard_open(&r, "a", &g);
		if (e == -EOPNOTSUPP || e == -EPROTONOSUPPORT)
			skip_because(why_no_nft);
		assert_int_equal(e, 0);
		assert_int_equal(nft_guard_load(g, "sub0", i % 5 != 0), 0);
		e = await(g, why);
		if (e != 0)
			fail_msg("configuration %u: %s", i, why);
		assert_int_equal(nft_guard_close(g), 0);
	}
}

struct seen {
	size_t stations, addresses, prefixes, anybodys;
};

static int see(void *ctx, const struct nft_element *e)
{
	struct seen *s = (struct seen *)ctx;
	s->stations += e->set == NFT_STATION;
	s->addresses += e->set == NFT_ADDRESS;
	s->prefixes += e->set == NFT_PREFIX;
	s->anybodys += e->set == NFT_PREFIX && !e->lladdr;
	return 0;
}

static struct seen read_all(struct nft_sets *s)
{
	struct seen seen = { 0 };
	int r = nft_sets_read(s, 48);
	assert_int_equal(r, 0);
	while ((r = nft_sets_read_some(s, see, &seen)) > 0)
		;
	assert_int_equal(r, 0);
	return seen;
}

static struct prefix6 nth_prefix(uint32_t i, uint8_t plen)
{
	const struct prefix6 all = { unit_in6("2001:db8::"), 32 };
	return plen == 128 ? (struct prefix6){ prefix6_with_iid(&all, i), 128 }
			   : prefix6_nth(&all, plen, i);
}

static void who_may_send_from_what_is_kept_by_length_and_read_back(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_rules rules = plain_rules;
	struct nft_guard *g = NULL;
	rules.source = NFT_SOURCE_DROP;
	int r = nft_guard_open(&rules, "a", &g);
	if (r == -EOPNOTSUPP || r == -EPROTONOSUPPORT)
		skip_because(why_no_nft);
	assert_int_equal(r, 0);
	struct nft_sets *s = stations("vbng-a");
	struct prefix6 p;
	for (uint32_t i = 0; i < MANY; i++) {
		p = nth_prefix(i, i % 3 ? 56 : 60);
		assert_int_equal(nft_source_put(s, &p, i % 7 ? lladdr(i) : NULL), 0);
	}
	for (uint32_t i = 0; i < 20; i++) {
		p = nth_prefix(i, 128);
		assert_int_equal(nft_source_put(s, &p, lladdr(i)), 0);
		put(s, i);
	}
	assert_int_equal(nft_sets_commit(s), 0);
	struct seen seen = read_all(s);
	assert_int_equal(seen.prefixes, MANY);
	assert_int_equal(seen.anybodys, (MANY + 6) / 7);
	assert_int_equal(seen.addresses, 20);
	assert_int_equal(seen.stations, 20);
	run("nft get element inet vbng-a prefixes_56 '{ 02:00:5e:00:00:01 . 2001:db8:0:100:: }' "
	    ">/dev/null");
	/* Of the same address and another length is another prefix; so is one of somebody else's.
	 */
	p = nth_prefix(1, 56);
	const struct prefix6 shorter = { p.addr, 55 };
	assert_int_equal(nft_source_del(s, &shorter, lladdr(1)), 0);
	assert_int_equal(nft_source_del(s, &p, lladdr(2)), 0);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_int_equal(read_all(s).prefixes, MANY);
	assert_int_equal(nft_source_del(s, &p, lladdr(1)), 0);
	assert_int_equal(nft_sets_commit(s), 0);
	assert_int_equal(read_all(s).prefixes, MANY - 1);
	const struct prefix6 longer = { p.addr, 65 };
	assert_int_equal(nft_source_put(s, &longer, lladdr(1)), -ERANGE);
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

static void counters_are_there_with_the_rules(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nft_guard *g = guard("a");
	struct nft_sets *s = stations("vbng-a");
	char why[NFT_WHY_MAX];
	uint64_t packets[NFT_REASONS];
	assert_int_equal(nft_counters_read(s, packets), -ENOENT);
	assert_int_equal(nft_guard_load(g, "sub0", true), 0);
	assert_int_equal(await(g, why), 0);
	memset(packets, 0xff, sizeof packets);
	assert_int_equal(nft_counters_read(s, packets), 0);
	for (size_t i = 0; i < NFT_REASONS; i++)
		assert_int_equal(packets[i], 0);
	run("nft -j list counters table inet vbng-a | grep -q uplink_service");
	run("nft 'delete table inet vbng-a; add table inet vbng-a; add counter inet vbng-a flood { "
	    "packets 7 bytes 700 }'");
	assert_int_equal(nft_counters_read(s, packets), -ENOENT); /* not all */
	nft_sets_free(s);
	assert_int_equal(nft_guard_close(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_are_loaded_by_a_child_that_leaves_nothing),
		cmocka_unit_test(what_a_killed_run_left_is_replaced),
		cmocka_unit_test(instances_in_one_namespace_have_each_a_table),
		cmocka_unit_test(names_that_no_rule_can_hold_are_refused),
		cmocka_unit_test(stations_come_and_go_without_complaint),
		cmocka_unit_test(changes_are_made_in_their_order),
		cmocka_unit_test(thousands_of_stations_go_in_one_commit),
		cmocka_unit_test(a_refusal_is_told_and_forgotten),
		cmocka_unit_test(closing_waits_for_the_rules_that_are_being_loaded),
		cmocka_unit_test(what_the_kernel_refuses_is_told_in_words),
		cmocka_unit_test(nothing_is_forwarded_until_the_rules_are_there),
		cmocka_unit_test(the_rules_of_every_configuration_are_taken),
		cmocka_unit_test(who_may_send_from_what_is_kept_by_length_and_read_back),
		cmocka_unit_test(counters_are_there_with_the_rules),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
