/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/foreign.h"

enum { NOW_MS = 1000000 };

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static struct nd_ra our_adv, theirs;
static struct foreign_ours ours;
static struct foreign f;
static struct foreign_router told;

static int setup(void **state)
{
	(void)state;
	our_adv = (struct nd_ra){ .cur_hop_limit = 64,
				  .other = true,
				  .router_lft_s = 1800,
				  .mtu = 1420,
				  .n_prefixes = 1,
				  .prefixes = { { .prefix = { unit_in6("2001:db8:ffff::"), 64 },
						  .on_link = true,
						  .autonomous = true,
						  .valid_lft_s = 14400,
						  .preferred_lft_s = 1800 } } };
	ours = (struct foreign_ours){ .adv = &our_adv,
				      .link_local = unit_in6("fe80::1"),
				      .slla = our_mac,
				      .assigned = { unit_in6("2001:db8:ffff::"), 48 } };
	theirs = our_adv;
	theirs.has_slla = true;
	memcpy(theirs.slla, (const uint8_t[6]){ 2, 0, 0, 0, 0, 2 }, sizeof theirs.slla);
	theirs.prefixes[0].prefix.addr = unit_in6("2001:db8:1::");
	memset(&f, 0, sizeof f);
	return 0;
}

static enum foreign_event heard(const char *from, uint64_t at_ms)
{
	const struct in6_addr src = unit_in6(from);
	return foreign_input(&f, at_ms, &src, &theirs, &ours, &told);
}

static size_t count(uint64_t at_ms)
{
	struct foreign_router r[FOREIGN_MAX];
	return foreign_list(&f, at_ms, r, FOREIGN_MAX);
}

static void another_provider_is_told_once(void **state)
{
	(void)state;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(told.issues, 0);
	assert_int_equal(told.n_prefixes, 1);
	assert_int_equal(heard("fe80::2", NOW_MS + 1), FOREIGN_KNOWN);
	assert_int_equal(heard("fe80::3", NOW_MS + 2), FOREIGN_NEW);
	assert_int_equal(count(NOW_MS + 2), 2);
}

/* RFC 4861 §6.2.7, one after the other */
static void each_contradiction_is_found(void **state)
{
	(void)state;
	const struct nd_ra plain = theirs;
	theirs.cur_hop_limit = 63;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(told.issues, FOREIGN_HOP_LIMIT);
	theirs = plain;
	theirs.managed = true;
	(void)heard("fe80::3", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_MANAGED);
	theirs = plain;
	theirs.other = false;
	(void)heard("fe80::4", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_OTHER);
	theirs = plain;
	theirs.mtu = 1280;
	(void)heard("fe80::5", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_MTU);
	theirs = plain;
	our_adv.reachable_time_ms = 30000;
	our_adv.retrans_timer_ms = 1000;
	theirs.reachable_time_ms = 30001;
	theirs.retrans_timer_ms = 1001;
	(void)heard("fe80::6", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_REACHABLE | FOREIGN_RETRANS);
}

static void a_new_contradiction_is_told_and_one_that_is_mended_forgotten(void **state)
{
	(void)state;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	theirs.mtu = 1280;
	assert_int_equal(heard("fe80::2", NOW_MS + 10000), FOREIGN_CHANGED);
	assert_int_equal(told.issues, FOREIGN_MTU);
	assert_int_equal(heard("fe80::2", NOW_MS + 20000), FOREIGN_KNOWN);
	theirs.mtu = 1420;
	assert_int_equal(heard("fe80::2", NOW_MS + 30000), FOREIGN_KNOWN);
	assert_int_equal(heard("fe80::2", NOW_MS + 40000), FOREIGN_KNOWN);
	assert_int_equal(told.issues, 0);
	theirs.mtu = 1280;
	assert_int_equal(heard("fe80::2", NOW_MS + 50000), FOREIGN_CHANGED);
}

/* RFC 4861 §6.2.3: the options of one advertisement may come in several packets. */
static void an_advertisement_in_several_packets_is_one(void **state)
{
	(void)state;
	struct nd_ra first = theirs, second = theirs;
	first.mtu = 1280;
	first.n_prefixes = 0;
	second.mtu = 0;
	second.router_lft_s = first.router_lft_s = 0;
	second.prefixes[0].prefix = our_adv.prefixes[0].prefix;
	for (unsigned round = 0; round < 5; round++) {
		theirs = second;
		enum foreign_event event = heard("fe80::2", NOW_MS + round * 10000);
		assert_int_equal(event, round ? FOREIGN_KNOWN : FOREIGN_NEW);
		theirs = first; /* which alone would be a farewell */
		event = heard("fe80::2", NOW_MS + round * 10000 + 1);
		assert_int_equal(event, round ? FOREIGN_KNOWN : FOREIGN_CHANGED);
		assert_int_equal(told.issues, FOREIGN_MTU | FOREIGN_OUR_PREFIX);
		assert_int_equal(told.n_prefixes, 1);
		assert_int_equal(count(NOW_MS + round * 10000 + 1), 1);
	}
}

static void what_is_not_specified_contradicts_nothing(void **state)
{
	(void)state;
	our_adv.reachable_time_ms = 30000;
	theirs.cur_hop_limit = 0;
	theirs.mtu = 0;
	theirs.retrans_timer_ms = 1000; /* ours is 0 */
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(told.issues, 0);
}

static void a_router_with_our_prefix_is_found(void **state)
{
	(void)state;
	theirs.prefixes[0].prefix = our_adv.prefixes[0].prefix;
	(void)heard("fe80::2", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_OUR_PREFIX);
	theirs.prefixes[0].valid_lft_s = 86400;
	(void)heard("fe80::3", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_OUR_PREFIX | FOREIGN_LIFETIMES);
	/* RFC 6275 §7.2: its whole address stands there */
	theirs.prefixes[0].prefix.addr = unit_in6("2001:db8:ffff::5");
	theirs.prefixes[0].router_address = true;
	(void)heard("fe80::4", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_OUR_PREFIX | FOREIGN_LIFETIMES);
	theirs.prefixes[0].prefix.plen = 32;
	(void)heard("fe80::5", NOW_MS);
	assert_int_equal(told.issues, FOREIGN_OUR_PREFIX);
	/* neither on the link nor for addresses: it says nothing */
	theirs.prefixes[0].on_link = theirs.prefixes[0].autonomous = false;
	(void)heard("fe80::6", NOW_MS);
	assert_int_equal(told.issues, 0);
}

static void a_cpe_whose_lan_is_plugged_into_its_wan_is_found(void **state)
{
	(void)state;
	theirs.prefixes[0].prefix.addr = unit_in6("2001:db8:ffff:8000::");
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(told.issues, FOREIGN_DELEGATED);
}

static void our_own_advertisements_are_not_foreign(void **state)
{
	(void)state;
	theirs = our_adv;
	theirs.has_slla = true;
	memcpy(theirs.slla, our_mac, 6);
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_OWN);
	assert_int_equal(count(NOW_MS), 0);
	theirs.router_lft_s = 0; /* our farewell, late */
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_OWN);
	/* A further packet of it, or one on a link without Ethernet addresses, has none. */
	theirs.has_slla = false;
	ours.same_bytes = true;
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_OWN);
	ours.slla = NULL;
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_OWN);
}

static void another_router_with_our_address_is_found(void **state)
{
	(void)state;
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_NEW);
	assert_int_equal(told.issues, FOREIGN_OUR_ADDRESS);
	/* We always say which is our link-layer address. */
	theirs.has_slla = false;
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_KNOWN);
	assert_int_equal(told.issues, FOREIGN_OUR_ADDRESS);
	/* We have given way: it is one like others. */
	ours.link_local = unit_in6("fe80::99");
	foreign_moved(&f);
	assert_int_equal(heard("fe80::1", NOW_MS), FOREIGN_KNOWN);
	assert_int_equal(told.issues, 0);
	assert_int_equal(count(NOW_MS), 1);
}

static void a_router_is_there_as_long_as_it_says(void **state)
{
	(void)state;
	theirs.router_lft_s = 30;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(count(NOW_MS + 29999), 1);
	assert_int_equal(count(NOW_MS + 30000), 0);
	assert_int_equal(heard("fe80::2", NOW_MS + 30000), FOREIGN_NEW);
	/* Nobody is believed to be there for 18 hours. */
	theirs.router_lft_s = 65535;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_KNOWN);
	assert_int_equal(count(NOW_MS + FOREIGN_LIFE_MAX_S * 1000 - 1), 1);
	assert_int_equal(count(NOW_MS + FOREIGN_LIFE_MAX_S * 1000), 0);
}

static void a_farewell_ends_it_and_a_lifetime_of_0_alone_does_not(void **state)
{
	(void)state;
	theirs.router_lft_s = 0; /* no default router, but its prefix is in use */
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	assert_int_equal(count(NOW_MS + 10000), 1);
	theirs.prefixes[0].preferred_lft_s = 0;
	assert_int_equal(heard("fe80::2", NOW_MS + 10000), FOREIGN_LEFT);
	assert_int_equal(count(NOW_MS + 10000), 0);
	assert_int_equal(heard("fe80::2", NOW_MS + 10001), FOREIGN_KNOWN); /* it says so thrice */
	assert_int_equal(count(NOW_MS + 10001), 0);
	/* At once after an advertisement it counts, too. */
	theirs.router_lft_s = 1800;
	assert_int_equal(heard("fe80::2", NOW_MS + 20000), FOREIGN_NEW);
	theirs.router_lft_s = 0;
	assert_int_equal(heard("fe80::2", NOW_MS + 20100), FOREIGN_LEFT);
}

static void a_flood_of_forged_routers_displaces_nobody(void **state)
{
	(void)state;
	assert_int_equal(heard("fe80::2", NOW_MS), FOREIGN_NEW);
	char src[32];
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(src, sizeof src, "fe80::1:%x", i);
		assert_int_equal(heard(src, NOW_MS + 1),
				 i < FOREIGN_MAX - 1 ? FOREIGN_NEW : FOREIGN_UNTRACKED);
	}
	assert_int_equal(count(NOW_MS + 1), FOREIGN_MAX);
	assert_int_equal(f.untracked, 1000 - (FOREIGN_MAX - 1));
	assert_int_equal(heard("fe80::2", NOW_MS + 2), FOREIGN_KNOWN);
	/* What matters is told even of one without a place. */
	assert_int_equal(heard("fe80::1", NOW_MS + 2), FOREIGN_UNTRACKED);
	assert_int_equal(told.issues, FOREIGN_OUR_ADDRESS);
}

static void the_list_has_the_last_heard_first(void **state)
{
	(void)state;
	struct foreign_router r[2];
	(void)heard("fe80::2", NOW_MS + 5);
	(void)heard("fe80::3", NOW_MS + 9);
	(void)heard("fe80::4", NOW_MS + 7);
	assert_int_equal(foreign_list(&f, NOW_MS + 10, r, 2), 2);
	assert_int_equal(r[0].heard_at_ms, NOW_MS + 9);
	assert_int_equal(r[1].heard_at_ms, NOW_MS + 7);
}

static void issues_have_names(void **state)
{
	(void)state;
	char text[FOREIGN_TEXT_MAX];
	assert_string_equal(foreign_issues_text(0, text), "");
	assert_string_equal(foreign_issues_text(FOREIGN_MTU | FOREIGN_OUR_PREFIX, text),
			    "MTU, our prefix");
	/* All of them fit. */
	assert_non_null(strstr(foreign_issues_text(~0U, text), "our link-local address"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(another_provider_is_told_once, setup),
		cmocka_unit_test_setup(each_contradiction_is_found, setup),
		cmocka_unit_test_setup(a_new_contradiction_is_told_and_one_that_is_mended_forgotten,
				       setup),
		cmocka_unit_test_setup(an_advertisement_in_several_packets_is_one, setup),
		cmocka_unit_test_setup(what_is_not_specified_contradicts_nothing, setup),
		cmocka_unit_test_setup(a_router_with_our_prefix_is_found, setup),
		cmocka_unit_test_setup(a_cpe_whose_lan_is_plugged_into_its_wan_is_found, setup),
		cmocka_unit_test_setup(our_own_advertisements_are_not_foreign, setup),
		cmocka_unit_test_setup(another_router_with_our_address_is_found, setup),
		cmocka_unit_test_setup(a_router_is_there_as_long_as_it_says, setup),
		cmocka_unit_test_setup(a_farewell_ends_it_and_a_lifetime_of_0_alone_does_not,
				       setup),
		cmocka_unit_test_setup(a_flood_of_forged_routers_displaces_nobody, setup),
		cmocka_unit_test_setup(the_list_has_the_last_heard_first, setup),
		cmocka_unit_test_setup(issues_have_names, setup),
	};
	return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
