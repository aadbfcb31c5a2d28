/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "host/link.h"
#include "host/sysctl.h"

#include <linux/if_link.h>
#include <poll.h>
#include <time.h>

enum { MAX = 16, WAIT_MS = 60000 };

static void open_both(struct rtnl **own, struct rtnl **host)
{
	assert_int_equal(rtnl_open(-1, own), 0);
	assert_int_equal(rtnl_open(sandbox.host_ns, host), 0);
}

/* A veth pair whose one end is the host's NIC, up, with the addresses of somebody's network card.
 */
static void make_nic(const char *name)
{
	char command[512];
	(void)snprintf(command, sizeof command,
		       "ip link add %s type veth peer name %s-peer && ip link set %s-peer up && ip "
		       "link set %s mtu 1400 up",
		       name, name, name, name);
	run_in(sandbox.host_ns, command);
}

static void drop_nic(const char *name)
{
	char command[64];
	(void)snprintf(command, sizeof command, "ip link del %s", name);
	run_in(sandbox.host_ns, command);
}

static void finds_links_by_name_and_index(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own, *host;
	open_both(&own, &host);
	make_nic("nic0");
	struct link_info a, b;
	assert_int_equal(link_get(host, "nic0", &a), 0);
	assert_string_equal(a.name, "nic0");
	assert_string_equal(a.kind, "veth");
	assert_true(a.up);
	assert_true(a.carrier);
	assert_false(a.loopback);
	assert_int_equal(a.mtu, 1400);
	assert_int_equal(a.lladdr_len, 6);
	assert_int_equal(link_get_by_index(host, a.ifindex, &b), 0);
	assert_string_equal(b.name, "nic0");
	assert_memory_equal(a.lladdr, b.lladdr, 6);
	assert_int_equal(link_get(own, "nic0", &b), -ENODEV);
	assert_int_equal(link_get_by_index(own, 4242, &b), -ENODEV);
	assert_int_equal(link_get(own, "a-name-longer-than-a-link-can-have", &b), -ENODEV);
	assert_int_equal(link_get(own, "lo", &b), 0);
	assert_true(b.loopback);
	char names[64];
	assert_non_null(strstr(link_names(host, names, sizeof names), "nic0"));
	assert_null(strstr(names, "lo"));
	assert_string_equal(link_names(host, names, 3), "");
	drop_nic("nic0");
	rtnl_close(own);
	rtnl_close(host);
}

static const struct link_addr *find(const struct link_addr *addrs, int n, const char *text)
{
	for (int i = 0; i < n; i++) {
		char is[INET6_ADDRSTRLEN];
		if (inet_ntop(addrs[i].family, addrs[i].addr, is, sizeof is) &&
		    strcmp(is, text) == 0)
			return &addrs[i];
	}
	return NULL;
}

/* What `ip addr` shows of the NIC, without what changes by itself (lifetimes, the link's index). */
static void shows(const char *name, char *buf, size_t size)
{
	char command[256];
	(void)snprintf(command, sizeof command,
		       "ip addr show dev %s | sed -e 's/^[0-9]*: //' -e 's/@[^:]*:/:/' -e 's/ "
		       "link-netns[^ ]*.*//' -e 's/[0-9]*sec/sec/g' "
		       "-e 's/if[0-9]*:/:/' -e 's/ tentative//' | grep -v valid_lft | sort",
		       name);
	FILE *f = popen(command, "r"); /* NOLINT(cert-env33-c): this test's own command */
	assert_non_null(f);
	size_t n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	assert_int_equal(pclose(f), 0);
}

struct shown {
	const char *name;
	char text[4096];
};

static int shows_fn(void *ctx)
{
	struct shown *s = (struct shown *)ctx;
	shows(s->name, s->text, sizeof s->text);
	return 0;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
	(void)nanosleep(&t, NULL); /* shorter is fine: the loops around it are bounded by count */
}

/* The whole way that a subscriber's NIC goes, and everything about it is as it was. */
static void nic_comes_home_as_it_went(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own, *host;
	open_both(&own, &host);
	make_nic("nic1");
	/* As a network manager does: the link-local address is its own affair. */
	run_in(sandbox.host_ns, "ip link set nic1 down && ip link set nic1 addrgenmode none && "
				"ip link set nic1 up && ip -6 addr add fe80::77/64 dev nic1 nodad");
	run_in(sandbox.host_ns,
	       "ip addr add 192.0.2.7/24 brd + dev nic1 && ip addr add 192.0.2.8/24 dev nic1 label "
	       "nic1:1 && "
	       "ip addr add 198.51.100.1 peer 198.51.100.2/32 dev nic1 && "
	       "ip addr add 203.0.113.9/25 brd + metric 77 dev nic1 noprefixroute && "
	       "ip -6 addr add 2001:db8:1::5/64 dev nic1 nodad && "
	       "ip -6 addr add 2001:db8:2::5/64 dev nic1 nodad noprefixroute && "
	       "ip -6 addr add 2001:db8:3::5/64 dev nic1 nodad valid_lft 7000 preferred_lft 3000");
	struct shown before = { .name = "nic1" }, after = { .name = "nic1" };
	sleep_ms(50); /* the kernel's own link-local address leaves its tentative state or not:
			 shows() looks past that */
	assert_int_equal(netns_call(sandbox.host_ns, shows_fn, &before), 0);

	struct link_info nic;
	struct link_addr addrs[MAX];
	assert_int_equal(link_get(host, "nic1", &nic), 0);
	int n = link_addrs(host, nic.ifindex, addrs, MAX);
	assert_true(n >= 7);
	const struct link_addr *a = find(addrs, n, "192.0.2.8");
	assert_non_null(a);
	assert_int_equal(a->plen, 24);
	assert_string_equal(a->label, "nic1:1");
	a = find(addrs, n, "2001:db8:3::5");
	assert_non_null(a);
	assert_in_range(a->valid_lft_s, 6990, 7000);
	assert_in_range(a->preferred_lft_s, 2990, 3000);

	assert_int_equal(link_move(host, nic.ifindex, sandbox.own_ns, own, "sub0"), 0);
	struct link_info here, gone;
	assert_int_equal(link_get(own, "sub0", &here), 0);
	assert_int_equal(link_get(host, "nic1", &gone), -ENODEV);
	assert_false(here.up);
	assert_int_equal(here.mtu, 1400);
	assert_memory_equal(here.lladdr, nic.lladdr, 6);
	struct link_addr none[MAX];
	assert_int_equal(link_addrs(own, here.ifindex, none, MAX), 0);

	assert_int_equal(link_set_no_autoconf(own, here.ifindex), 0);
	assert_int_equal(link_set_up(own, here.ifindex, true), 0);
	assert_int_equal(link_get(own, "sub0", &here), 0);
	assert_int_equal(here.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
	assert_int_equal(link_addrs(own, here.ifindex, none, MAX),
			 0); /* no link-local address by itself */

	assert_int_equal(link_move(own, here.ifindex, sandbox.host_ns, host, "nic1"), 0);
	assert_int_equal(link_get(host, "nic1", &here), 0);
	assert_int_equal(here.addr_gen_mode, IN6_ADDR_GEN_MODE_EUI64); /* the move forgot it */
	assert_int_equal(nic.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
	assert_int_equal(link_set_addr_gen_mode(host, here.ifindex, nic.addr_gen_mode), 0);
	assert_int_equal(link_set_addr_gen_mode(host, here.ifindex, -1), 0);
	assert_int_equal(link_set_up(host, here.ifindex, true), 0);
	assert_int_equal(link_get(host, "nic1", &nic), 0);
	assert_int_equal(nic.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
	for (int i = 0; i < n; i++)
		assert_int_equal(link_addr_put(host, nic.ifindex, &addrs[i]), 0);
	sleep_ms(50);
	assert_int_equal(netns_call(sandbox.host_ns, shows_fn, &after), 0);
	assert_string_equal(before.text, after.text);
	struct link_addr restored[MAX];
	int m = link_addrs(host, nic.ifindex, restored, MAX);
	assert_int_equal(m, n);
	a = find(restored, m, "2001:db8:3::5");
	assert_non_null(a);
	assert_in_range(a->valid_lft_s, 6980, 7000);
	drop_nic("nic1");
	rtnl_close(own);
	rtnl_close(host);
}

static void move_into_a_taken_name_changes_nothing(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own, *host;
	open_both(&own, &host);
	make_nic("nic2");
	run("ip link add taken type veth peer name taken-peer");
	struct link_info before, after;
	assert_int_equal(link_get(host, "nic2", &before), 0);
	assert_int_equal(link_move(host, before.ifindex, sandbox.own_ns, own, "taken"), -EEXIST);
	assert_int_equal(link_get(host, "nic2", &after), 0);
	assert_true(after.up);
	assert_int_equal(link_move(host, 4242, sandbox.own_ns, own, "x"), -ENODEV);
	/* Found by an alternative name, too, but that is not its name. */
	run_in(sandbox.host_ns, "ip link property add dev nic2 altname other");
	assert_int_equal(link_get(host, "other", &after), 0);
	assert_string_equal(after.name, "nic2");
	assert_int_equal(link_move(host, before.ifindex, sandbox.own_ns, own, "other"), -EEXIST);
	assert_int_equal(link_get(host, "nic2", &after), 0);
	assert_true(after.up);
	struct link_info taken;
	assert_int_equal(link_get(own, "taken", &taken), 0);
	assert_int_equal(link_delete(own, taken.ifindex), 0);
	assert_int_equal(link_delete(own, taken.ifindex), -ENODEV);
	drop_nic("nic2");
	rtnl_close(own);
	rtnl_close(host);
}

static void sets_mtu_and_state(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own;
	assert_int_equal(rtnl_open(-1, &own), 0);
	run("ip link add m0 type veth peer name m1");
	struct link_info l;
	assert_int_equal(link_get(own, "m0", &l), 0);
	assert_false(l.up);
	assert_int_equal(link_set_mtu(own, l.ifindex, 1380), 0);
	assert_int_equal(link_set_up(own, l.ifindex, true), 0);
	assert_int_equal(link_get(own, "m0", &l), 0);
	assert_int_equal(l.mtu, 1380);
	assert_true(l.up);
	assert_false(l.carrier); /* the other end is down */
	run("ip link set m1 up");
	assert_int_equal(link_get(own, "m0", &l), 0);
	assert_true(l.carrier);
	assert_int_equal(link_set_up(own, l.ifindex, false), 0);
	assert_int_equal(link_get(own, "m0", &l), 0);
	assert_false(l.up);
	run("ip link del m0");
	rtnl_close(own);
}

static enum addr6_state wait_while_tentative(struct rtnl *rt, int events, unsigned ifindex,
					     const struct in6_addr *a)
{
	enum addr6_state s;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(link_addr6_state(rt, ifindex, a, &s), 0);
		if (s != ADDR6_TENTATIVE)
			return s;
		struct pollfd p = { .fd = events, .events = POLLIN };
		assert_true(poll(&p, 1, WAIT_MS) > 0); /* the event comes, nobody polls */
		link_events_drain(events);
	}
	return s;
}

static void duplicate_address_detection_is_told_by_events(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own;
	assert_int_equal(rtnl_open(-1, &own), 0);
	run("ip link add d0 type veth peer name d1");
	assert_int_equal(sysctl_set("net/ipv6/conf/d0/dad_transmits", "1"), 0);
	/* Time for the other end to claim its address, however busy this machine is. */
	assert_int_equal(sysctl_set("net/ipv6/neigh/d0/retrans_time_ms", "60000"), 0);
	struct link_info l, peer;
	assert_int_equal(link_get(own, "d0", &l), 0);
	assert_int_equal(link_get(own, "d1", &peer), 0);
	assert_int_equal(link_move(own, peer.ifindex, sandbox.host_ns, NULL, "d1"), 0);
	run_in(sandbox.host_ns, "ip link set d1 up && ip -6 addr add fe80::2/64 dev d1 nodad");
	int events = -1;
	assert_int_equal(link_events_open(-1, &events), 0);
	assert_int_equal(link_events_listen(events, LINK_EVENTS_LINKS | LINK_EVENTS_ADDRS6), 0);
	assert_int_equal(link_set_no_autoconf(own, l.ifindex), 0);
	assert_int_equal(link_set_up(own, l.ifindex, true), 0);
	/* The other end hears nothing before its kernel has noticed that there is a link. */
	run_in(sandbox.host_ns,
	       "for i in $(seq 600); do ip maddr show dev d1 | grep ff02::1:ff00:2 && "
	       "ip -6 addr show dev d1 -tentative | grep fe80::2/ && exit 0; sleep 0.1; done "
	       ">/dev/null; exit 1");

	struct in6_addr free_one = unit_in6("fe80::1"), taken = unit_in6("fe80::2"),
			quick = unit_in6("2001:db8::1");
	enum addr6_state s;
	assert_int_equal(link_addr6_state(own, l.ifindex, &free_one, &s), 0);
	assert_int_equal(s, ADDR6_ABSENT);
	assert_int_equal(link_addr6_add(own, l.ifindex, &taken, 64, false), 0);
	assert_int_equal(link_addr6_add(own, l.ifindex, &taken, 64, false), -EEXIST);
	assert_int_equal(wait_while_tentative(own, events, l.ifindex, &taken), ADDR6_DUPLICATE);
	assert_int_equal(sysctl_set("net/ipv6/neigh/d0/retrans_time_ms", "1000"), 0);
	assert_int_equal(link_addr6_add(own, l.ifindex, &free_one, 64, false), 0);
	assert_int_equal(link_addr6_add(own, l.ifindex, &quick, 64, true), 0);
	assert_int_equal(link_addr6_state(own, l.ifindex, &quick, &s), 0);
	assert_int_equal(s, ADDR6_USABLE); /* without detection at once */
	assert_int_equal(link_addr6_state(own, l.ifindex, &free_one, &s), 0);
	assert_int_equal(s, ADDR6_TENTATIVE);
	assert_int_equal(wait_while_tentative(own, events, l.ifindex, &free_one), ADDR6_USABLE);
	assert_int_equal(link_addr6_del(own, l.ifindex, &free_one, 64), 0);
	assert_int_equal(link_addr6_state(own, l.ifindex, &free_one, &s), 0);
	assert_int_equal(s, ADDR6_ABSENT);
	assert_int_equal(link_addr6_del(own, l.ifindex, &free_one, 64), -EADDRNOTAVAIL);

	/* The other end goes: an event, and no carrier. */
	link_events_drain(events);
	run_in(sandbox.host_ns, "ip link set d1 down");
	struct pollfd p = { .fd = events, .events = POLLIN };
	assert_true(poll(&p, 1, WAIT_MS) > 0);
	for (int i = 0; i < 20 && poll(&p, 1, 0) > 0; i++) /* another may come meanwhile */
		link_events_drain(events);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(link_get(own, "d0", &l), 0);
	assert_false(l.carrier);
	assert_int_equal(link_delete(own, l.ifindex), 0);
	assert_int_equal(link_get_by_index(own, l.ifindex, &l), -ENODEV);
	(void)close(events); /* nothing is pending on it that matters */
	rtnl_close(own);
}

static void device_of_a_kind_is_no_nic(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own;
	assert_int_equal(rtnl_open(-1, &own), 0);
	run("ip link add v0 type veth peer name v1");
	struct link_info l, found;
	assert_int_equal(link_get(own, "v0", &l), 0);
	assert_int_equal(link_get_by_lladdr(own, l.lladdr, l.lladdr_len, &found), -ENODEV);
	run("ip link del v0");
	rtnl_close(own);
}

static void kinds_of_links_are_known_without_making_one(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct rtnl *own;
	char before[256], after[256];
	assert_int_equal(rtnl_open(-1, &own), 0);
	link_names(own, before, sizeof before);
	assert_int_equal(link_kind_usable(own, "veth"), 0);
	assert_int_equal(link_kind_usable(own, "macvlan"), 0);
	assert_int_equal(link_kind_usable(own, "no-such-kind"), -EOPNOTSUPP);
	assert_string_equal(link_names(own, after, sizeof after), before);
	rtnl_close(own);
}

/* VBNG_TEST_NIC names a network card that a test may take: one of scripts/vm's. After a crash the
 * kernel may bring it home as dev<N>. */
static void nic_is_found_by_its_link_layer_address(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	const char *name = getenv("VBNG_TEST_NIC");
	if (!name)
		skip_because("VBNG_TEST_NIC names no network card to be taken");
	struct rtnl *first, *own;
	assert_int_equal(rtnl_open(sandbox.first_ns, &first), 0);
	assert_int_equal(rtnl_open(-1, &own), 0);
	struct link_info nic, found;
	assert_int_equal(link_get(first, name, &nic), 0);
	assert_string_equal(nic.kind, "");
	assert_int_equal(link_move(first, nic.ifindex, sandbox.own_ns, own, "sub0"), 0);
	assert_int_equal(link_get_by_lladdr(first, nic.lladdr, nic.lladdr_len, &found), -ENODEV);
	assert_int_equal(link_get_by_lladdr(own, nic.lladdr, nic.lladdr_len, &found), 0);
	assert_string_equal(found.name, "sub0");
	assert_int_equal(link_set_up(own, found.ifindex, true), 0);
	assert_int_equal(link_move(own, found.ifindex, sandbox.first_ns, first, "away0"), 0);
	assert_int_equal(link_get_by_lladdr(first, nic.lladdr, nic.lladdr_len, &found), 0);
	assert_string_equal(found.name, "away0");
	assert_int_equal(link_move(first, found.ifindex, sandbox.own_ns, own, name), 0);
	assert_int_equal(link_get(own, name, &found), 0);
	assert_int_equal(link_move(own, found.ifindex, sandbox.first_ns, first, name), 0);
	assert_int_equal(link_get(first, name, &found), 0);
	assert_int_equal(link_set_up(first, found.ifindex, nic.up), 0);
	rtnl_close(first);
	rtnl_close(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_links_by_name_and_index),
		cmocka_unit_test(nic_comes_home_as_it_went),
		cmocka_unit_test(move_into_a_taken_name_changes_nothing),
		cmocka_unit_test(sets_mtu_and_state),
		cmocka_unit_test(duplicate_address_detection_is_told_by_events),
		cmocka_unit_test(device_of_a_kind_is_no_nic),
		cmocka_unit_test(kinds_of_links_are_known_without_making_one),
		cmocka_unit_test(nic_is_found_by_its_link_layer_address),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
