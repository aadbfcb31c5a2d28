/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include "daemon/forwarding.h"
#include "host/link.h"
#include "host/route.h"

enum { MANY = 6000, AT_A_TIME = 40 };

static struct fixture {
	unsigned oif;
	struct fib *fib;
	pid_t process;
	struct dhcp6_server *server;
	struct forwarding *forwarding;
	struct batch *batch;
	size_t n_routes;
} f;

static void forget(void *ctx)
{
	(void)ctx; /* there is nothing */
}

static int setup(void **state)
{
	(void)state;
	static const uint8_t key[16];
	struct dhcp6_config config = { .pd_len = 64,
				       .preferred_lft_s = 1800,
				       .valid_lft_s = 3600,
				       .server_id = { .len = 4, .bytes = { 0, 2, 1, 2 } } };
	f = (struct fixture){ 0 };
	if (!sandbox.made)
		return 0;
	run("ip link add sub0 type veth peer name sub1 && ip link set sub0 addrgenmode none && ip "
	    "link set sub0 up && ip link set sub1 up && ip -6 addr add fe80::1/64 dev sub0 nodad");
	struct rtnl *rt;
	struct link_info l;
	assert_int_equal(rtnl_open(-1, &rt), 0);
	assert_int_equal(link_get(rt, "sub0", &l), 0);
	rtnl_close(rt);
	f.oif = l.ifindex;
	assert_int_equal(prefix6_parse("2001:db8::/48", -1, &config.pd_pool), 0);
	assert_int_equal(prefix6_parse("2001:db8:1::/64", -1, &config.transfer), 0);
	assert_int_equal(dhcp6_server_new(&config, &f.server), 0);
	const struct fib_bounds bounds = { .ifindex = f.oif,
					   .delegable = { config.pd_pool },
					   .n_on_link = 1,
					   .on_link = { config.transfer } };
	assert_int_equal(fib_new(&bounds, &f.fib), 0);
	assert_int_equal(fib_fork(f.fib, forget, NULL, &f.process), 0);
	fib_be_server(f.fib);
	assert_int_equal(forwarding_new(f.fib, key, &f.forwarding), 0);
	assert_int_equal(batch_new(&f.batch), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forwarding_free(f.forwarding);
	fib_free(f.fib);
	if (f.process)
		assert_int_equal(waitpid(f.process, NULL, 0), f.process);
	dhcp6_server_free(f.server);
	batch_free(f.batch);
	return sandbox.made ? system("ip link del sub0") : 0; /* NOLINT(cert-env33-c): fixed */
}

static struct prefix6 nth(unsigned i)
{
	struct prefix6 p = { .addr = unit_in6("2001:db8::"), .plen = 64 };
	p.addr.s6_addr[6] = (uint8_t)(i >> 8);
	p.addr.s6_addr[7] = (uint8_t)i;
	return p;
}

static void leave_routes_behind(unsigned n)
{
	struct route_batch *b;
	assert_int_equal(route_batch_new(&b), 0);
	for (unsigned i = 0; i < n; i++) {
		const struct route r = { .prefix = nth(i),
					 .type = ROUTE_VIA,
					 .has_gateway = true,
					 .gateway = unit_in6("fe80::a"),
					 .oif = f.oif,
					 .metric = ROUTE_METRIC_DELEGATED };
		assert_int_equal(route_put(b, &r, 0), 0);
	}
	assert_int_equal(route_commit(b, NULL, NULL), 0);
	route_batch_free(b);
}

/* But for the one that comes again and again. */
static int count(void *ctx, const struct route *r)
{
	const struct prefix6 coming = nth(MANY);
	*(size_t *)ctx += !prefix6_equal(&r->prefix, &coming);
	return 0;
}

static size_t routes_left(void)
{
	struct route_batch *b;
	size_t n = 0;
	assert_int_equal(route_batch_new(&b), 0);
	assert_int_equal(route_dump(b, count, &n), 0);
	route_batch_free(b);
	return n;
}

/* As when clients release them or their time is over, and others come. */
static void remove_some(unsigned from)
{
	static bool failed[BATCH_CHANGES];
	batch_reset(f.batch);
	for (unsigned i = from; i < from + AT_A_TIME; i++)
		f.batch->routes[f.batch->n_routes++] = (struct route_change){
			.prefix = nth(i), .next_hop = unit_in6("fe80::a"), .held = true
		};
	f.batch->routes[f.batch->n_routes++] = (struct route_change){
		.add = true, .prefix = nth(MANY), .next_hop = unit_in6("fe80::a")
	};
	forwarding_begin(f.forwarding, f.batch, failed);
	forwarding_end(f.forwarding);
}

/* The kernel begins a dump anew when routes come, and passes over as many as it has shown, though
 * some of those have gone. */
static void no_route_is_overlooked_because_others_come_and_go_meanwhile(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	leave_routes_behind(MANY);
	assert_int_equal(routes_left(), MANY);
	assert_int_equal(forwarding_put_right(f.forwarding, f.server), 0);
	int more;
	for (unsigned at = 0; (more = forwarding_go_on(f.forwarding, f.server)) > 0;
	     at = (at + AT_A_TIME) % (MANY - AT_A_TIME))
		remove_some(at);
	assert_int_equal(more, 0);
	assert_int_equal(routes_left(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			no_route_is_overlooked_because_others_come_and_go_meanwhile, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
