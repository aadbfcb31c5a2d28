/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/link.h"
#include "host/route.h"
#include "host/rule.h"

enum { MANY = 2000, AT_A_TIME = 64 };

struct seen {
	size_t n;
	struct route last;
	struct route all[64];
};

static int see(void *ctx, const struct route *r)
{
	struct seen *s = (struct seen *)ctx;
	if (s->n < ARRAY_LEN(s->all))
		s->all[s->n] = *r;
	s->n++;
	return 0;
}

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	assert_int_equal(prefix6_parse(text, 128, &p), 0);
	return p;
}

static struct route via(const char *to, const char *gateway, unsigned oif)
{
	return (struct route){ .prefix = prefix(to),
			       .type = ROUTE_VIA,
			       .has_gateway = true,
			       .gateway = unit_in6(gateway),
			       .oif = oif,
			       .metric = ROUTE_METRIC_DELEGATED };
}

static unsigned make_link(void)
{
	run("ip link add sub0 type veth peer name sub1 && ip link set sub0 addrgenmode none && ip "
	    "link set sub0 up && "
	    "ip link set sub1 up && ip -6 addr add fe80::1/64 dev sub0 nodad");
	struct rtnl *rt;
	struct link_info l;
	assert_int_equal(rtnl_open(-1, &rt), 0);
	assert_int_equal(link_get(rt, "sub0", &l), 0);
	rtnl_close(rt);
	return l.ifindex;
}

struct failures {
	size_t n;
	uint32_t tag;
	int err;
};

static void note_failure(void *ctx, uint32_t tag, int err)
{
	struct failures *f = (struct failures *)ctx;
	f->n++;
	f->tag = tag;
	f->err = err;
}

static void a_route_moves_with_its_client(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	unsigned oif = make_link();
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	struct route r = via("2001:db8:42::/56", "fe80::a", oif),
		     moved = via("2001:db8:42::/56", "fe80::b", oif);
	struct route unreachable = { .prefix = prefix("2001:db8:42::/48"),
				     .type = ROUTE_UNREACHABLE,
				     .metric = ROUTE_METRIC_UNREACHABLE };
	assert_int_equal(route_put(b, &unreachable, 1), 0);
	assert_int_equal(route_put(b, &r, 2), 0);
	assert_int_equal(route_put(b, &r, 3), 0); /* the same again is nothing new */
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	struct seen s = { 0 };
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, 2);
	run("ip -6 route get 2001:db8:42:00ff::1 | grep -q 'via fe80::a dev sub0'");
	run("ip -6 route get 2001:db8:42:0100::1 2>&1 | grep -q 'unreachable\\|No route'");
	run("ip -6 route show 2001:db8:42::/56 | grep -q 'proto 118 metric 256'");

	assert_int_equal(route_put(b, &moved, 4), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	s.n = 0;
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, 2); /* in the other's place, not beside it */
	const struct route *found = s.all[0].type == ROUTE_VIA ? &s.all[0] : &s.all[1];
	assert_true(prefix6_equal(&found->prefix, &moved.prefix));
	assert_true(found->has_gateway);
	assert_memory_equal(&found->gateway, &moved.gateway, sizeof moved.gateway);
	assert_int_equal(found->oif, oif);
	assert_int_equal(found->metric, ROUTE_METRIC_DELEGATED);
	run("ip -6 route get 2001:db8:42:00ff::1 | grep -q 'via fe80::b dev sub0'");

	/* A removal asks not who the next hop was, and is done where there is nothing left. */
	assert_int_equal(route_del(b, &r, 5), 0);
	assert_int_equal(route_del(b, &r, 6), 0);
	assert_int_equal(route_del(b, &unreachable, 7), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	s.n = 0;
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, 0);
	route_batch_free(b);
	run("ip link del sub0");
}

static void others_routes_are_not_ours(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	unsigned oif = make_link();
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	run("ip -6 route add 2001:db8:1::/64 via fe80::c dev sub0 metric 300 && "
	    "ip -6 route add 2001:db8:2::/64 via fe80::c dev sub0 proto 118 table 77");
	struct route r = { .prefix = prefix("::/0"),
			   .type = ROUTE_VIA,
			   .oif = oif,
			   .metric = ROUTE_METRIC_DEFAULT };
	assert_int_equal(route_put(b, &r, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	struct seen s = { 0 };
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.all[0].prefix.plen, 0);
	assert_false(s.all[0].has_gateway);
	assert_int_equal(s.all[0].oif, oif);
	/* Of the same prefix and metric, but not ours. */
	struct route not_ours = via("2001:db8:1::/64", "fe80::c", oif);
	not_ours.metric = 300;
	assert_int_equal(route_del(b, &not_ours, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	run("ip -6 route show 2001:db8:1::/64 | grep -q fe80::c");
	route_batch_free(b);
	run("ip link del sub0");
}

static void each_refusal_is_told_with_its_tag(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	unsigned oif = make_link();
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	struct route good = via("2001:db8:1::/56", "fe80::a", oif),
		     bad = via("2001:db8:2::/56", "fe80::a", 4242);
	assert_int_equal(route_put(b, &good, 10), 0);
	assert_int_equal(route_put(b, &bad, 11), 0);
	assert_int_equal(route_put(b, &good, 12), 0);
	struct failures f = { 0 };
	assert_int_equal(route_commit(b, note_failure, &f), 1);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.tag, 11);
	assert_int_equal(f.err, -ENODEV);
	run("ip -6 route show 2001:db8:1::/56 | grep -q fe80::a");
	assert_int_equal(route_commit(b, note_failure, &f), 0); /* empty */
	for (int i = 0; i < ROUTE_BATCH_MAX; i++)
		assert_int_equal(route_del(b, &good, 0), 0);
	assert_int_equal(route_del(b, &good, 0), -ENOBUFS);
	assert_int_equal(route_put(b, &good, 0), -ENOBUFS);
	struct in6_addr a = unit_in6("fe80::a");
	assert_int_equal(neighbour_del(b, oif, &a, 0), -ENOBUFS);
	assert_int_equal(route_commit(b, note_failure, &f), 0);
	assert_int_equal(f.n, 1);
	route_batch_free(b);
	run("ip link del sub0");
}

static int count_neighbour(void *ctx, const struct neighbour *n)
{
	assert_int_equal(n->lladdr_len, 6);
	assert_memory_equal(n->lladdr, "\2\0\0\0\0\1", 6);
	++*(size_t *)ctx;
	return 0;
}

static void neighbours_are_permanent_and_uncounted(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	unsigned oif = make_link();
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	struct in6_addr a = unit_in6("fe80::a");
	const uint8_t first[] = { 2, 0, 0, 0, 0, 1 }, second[] = { 2, 0, 0, 0, 0, 2 };
	assert_int_equal(neighbour_put(b, oif, &a, first, sizeof first, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	run("ip -6 neigh show fe80::a dev sub0 | grep -q '02:00:00:00:00:01.*PERMANENT'");
	assert_int_equal(neighbour_put(b, oif, &a, second, sizeof second, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	run("ip -6 neigh show fe80::a dev sub0 | grep -q '02:00:00:00:00:02.*PERMANENT'");
	assert_int_equal(neighbour_del(b, oif, &a, 0), 0);
	assert_int_equal(neighbour_del(b, oif, &a, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	run("test -z \"$(ip -6 neigh show fe80::a dev sub0 nud permanent)\"");
	/* More than the table's limit of 1024, which a namespace cannot raise. */
	for (uint32_t i = 0; i < 1500; i++) {
		a.s6_addr[14] = (uint8_t)(i >> 8);
		a.s6_addr[15] = (uint8_t)i;
		assert_int_equal(neighbour_put(b, oif, &a, first, sizeof first, i), 0);
	}
	struct failures f = { 0 };
	assert_int_equal(route_commit(b, note_failure, &f), 0);
	run("test $(ip -6 neigh show dev sub0 nud permanent | wc -l) -ge 1500");
	/* Somebody else's are not in the dump. */
	run("ip -6 neigh add fe80::bad lladdr 02:00:00:00:00:03 dev sub0 nud permanent");
	size_t n = 0;
	assert_int_equal(neighbour_dump(b, oif, count_neighbour, &n), 0);
	assert_int_equal(n, 1500);
	assert_int_equal(neighbour_dump(b, oif + 1, count_neighbour, &n), 0);
	assert_int_equal(n, 1500);
	route_batch_free(b);
	run("ip link del sub0");
}

static struct prefix6 nth(uint32_t i)
{
	const struct prefix6 pool = prefix("2001:db8::/32");
	return prefix6_nth(&pool, 56, i);
}

static int stop_early(void *ctx, const struct route *r)
{
	(void)r;
	return ++*(int *)ctx == 3 ? -EINTR : 0;
}

/* In the way that they come: some dozens at a time. Says how long it took; what is fast enough, the
 * benchmark says. */
/* What goes from an address to a port has a table of its own, whatever the main one says. */
static void a_rule_leads_packets_to_its_table(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	const struct in6_addr from = unit_in6("2001:db8::2");
	const struct route nowhere = { .type = ROUTE_UNREACHABLE, .metric = 4096, .table = 118 };
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	run("ip -6 addr add 2001:db8::2/128 dev lo nodad; ip -6 route add 2001:db8:9::/48 dev lo");
	assert_int_equal(route_put(b, &nowhere, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	int r = rule_put(&from, 53, 118);
	if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(rule_put(&from, 53, 118), 0);
	run("ip -6 route get 2001:db8:9::1 from 2001:db8::2 ipproto udp dport 53 2>&1 | grep -q "
	    "'unreachable\\|No route'");
	run("ip -6 route get 2001:db8:9::1 from 2001:db8::2 ipproto udp dport 54 | grep -q 'dev "
	    "lo'");
	run("test $(ip -6 rule | grep -c 118) = 1");
	assert_int_equal(rule_del(&from, 53, 118), 0);
	assert_int_equal(rule_del(&from, 53, 118), 0);
	run("ip -6 route get 2001:db8:9::1 from 2001:db8::2 ipproto udp dport 53 | grep -q 'dev "
	    "lo'");
	assert_int_equal(route_del(b, &nowhere, 0), 0);
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	run("ip -6 addr del 2001:db8::2/128 dev lo; ip -6 route del 2001:db8:9::/48 dev lo");
	route_batch_free(b);
}

static void many_routes_come_and_go(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	unsigned oif = make_link();
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	struct route r = via("::/0", "fe80::a", oif);
	uint64_t start = clock_mono_ms();
	for (uint32_t i = 0; i < MANY; i++) {
		r.prefix = nth(i);
		assert_int_equal(route_put(b, &r, i), 0);
		if (i % AT_A_TIME == AT_A_TIME - 1 || i == MANY - 1)
			assert_int_equal(route_commit(b, NULL, NULL), 0);
	}
	uint64_t put = clock_mono_ms();
	struct seen s = { 0 };
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, MANY);
	uint64_t dumped = clock_mono_ms();
	int calls = 0;
	assert_int_equal(route_dump(b, stop_early, &calls), -EINTR);
	assert_int_equal(calls, 3);
	s.n = 0;
	assert_int_equal(route_dump(b, see, &s),
			 0); /* nothing of the one before is left in the socket */
	assert_int_equal(s.n, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		r.prefix = nth(i);
		assert_int_equal(route_del(b, &r, i), 0);
	}
	assert_int_equal(route_commit(b, NULL, NULL), 0); /* all in one */
	s.n = 0;
	assert_int_equal(route_dump(b, see, &s), 0);
	assert_int_equal(s.n, 0);
	print_message("# %d routes, %d at a time: put in %u ms, dumped in %u ms\n", MANY, AT_A_TIME,
		      (unsigned)(put - start), (unsigned)(dumped - put));
	route_batch_free(b);
	run("ip link del sub0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_moves_with_its_client),
		cmocka_unit_test(others_routes_are_not_ours),
		cmocka_unit_test(each_refusal_is_told_with_its_tag),
		cmocka_unit_test(neighbours_are_permanent_and_uncounted),
		cmocka_unit_test(a_rule_leads_packets_to_its_table),
		cmocka_unit_test(many_routes_come_and_go),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
