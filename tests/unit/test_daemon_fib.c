/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server may ask for, and the process that does it, spoken to as somebody would who has
 * taken the server over. */
#include "unit/sandbox.h"

#include "daemon/fib_shared.h"
#include "host/link.h"
#include "host/route.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sysexits.h>

static struct fixture {
	struct fib_bounds bounds;
	struct fib_shared *shared;
	int fd; /* the server's end */
	pid_t process;
} f;

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	assert_int_equal(prefix6_parse(text, 128, &p), 0);
	return p;
}

static struct fib_bounds bounds(void)
{
	return (struct fib_bounds){ .ifindex = 7,
				    .delegable = { prefix("2001:db8::/32") },
				    .n_on_link = 1,
				    .on_link = { prefix("2001:db8:0:1::/64") },
				    .table = "vbng-a",
				    .shortest = 48 };
}

static struct fib_request request(enum fib_kind kind, bool add, const char *what, bool lladdr)
{
	const struct prefix6 p = prefix(what);
	struct fib_request q = { .kind = (uint8_t)kind,
				 .add = add,
				 .plen = p.plen,
				 .has_lladdr = lladdr,
				 .addr = p.addr };
	if (lladdr)
		memcpy(q.lladdr, "\x02\0\0\0\0\x01", sizeof q.lladdr);
	return q;
}

static struct fib_request route(const char *what, const char *gateway)
{
	struct fib_request q = request(FIB_ROUTE, true, what, false);
	q.gateway = unit_in6(gateway);
	return q;
}

static bool allowed(struct fib_request q)
{
	const struct fib_bounds b = bounds();
	return fib_allows(&b, &q);
}

static void what_the_server_asks_for_is_allowed(void **state)
{
	(void)state;
	assert_true(allowed(route("2001:db8:100::/56", "fe80::a")));
	assert_true(allowed(route("2001:db8:100::/56", "2001:db8:0:1::a")));
	assert_true(allowed(request(FIB_ROUTE, false, "2001:db8:100::/56", false)));
	assert_true(allowed(request(FIB_NEIGHBOUR, true, "fe80::a", true)));
	assert_true(allowed(request(FIB_NEIGHBOUR, true, "2001:db8:0:1::a", true)));
	assert_true(allowed(request(FIB_NEIGHBOUR, false, "fe80::a", false)));
	assert_true(allowed(request(FIB_STATION, true, "fe80::a", true)));
	assert_true(allowed(request(FIB_STATION, false, "fe80::a", true)));
	assert_true(allowed(request(FIB_SOURCE, true, "2001:db8:100::/56", true)));
	assert_true(allowed(request(FIB_SOURCE, true, "2001:db8:100::/56", false)));
	assert_true(allowed(request(FIB_SOURCE, true, "2001:db8:0:1::a", true)));
	assert_true(allowed(request(FIB_SOURCE, false, "2001:db8:100::/64", false)));
}

/* What is left from before other networks were configured. */
static void what_was_ours_before_may_be_removed(void **state)
{
	(void)state;
	assert_true(allowed(request(FIB_ROUTE, false, "3fff::/56", false)));
	assert_true(allowed(request(FIB_NEIGHBOUR, false, "3fff::1", false)));
	assert_true(allowed(request(FIB_SOURCE, false, "3fff::/56", true)));
}

static void routes_lead_our_prefixes_to_the_link_and_nothing_elsewhere(void **state)
{
	(void)state;
	assert_false(allowed(route("::/0", "fe80::a")));
	assert_false(allowed(route("2001:db9::/56", "fe80::a")));
	assert_false(allowed(route("2001::/16", "fe80::a")));     /* more than ours */
	assert_false(allowed(route("2001:db8::/32", "fe80::a"))); /* the transfer network in it */
	assert_false(allowed(route("2001:db8:0:1::/64", "fe80::a")));
	assert_false(allowed(route("2001:db8:0:1:8000::/65", "fe80::a")));
	assert_false(allowed(route("2001:db8:100::1", "fe80::a")));
	assert_false(allowed(route("2001:db8:100::/56", "2001:db8:100::1")));
	assert_false(allowed(route("2001:db8:100::/56", "3fff::1")));
	assert_false(allowed(route("2001:db8:100::/56", "::")));
	assert_false(allowed(route("2001:db8:100::/56", "ff02::1")));
	assert_false(allowed(request(FIB_ROUTE, true, "2001:db8:100::/56", true)));
	assert_false(allowed(request(FIB_ROUTE, false, "::/0", false)));
}

static void entries_of_the_link_are_of_addresses_on_it(void **state)
{
	(void)state;
	static const char *const elsewhere[] = { "3fff::1", "2001:db8:100::1", "::", "ff02::1",
						 "::ffff:192.0.2.1" };
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
		assert_false(allowed(request(FIB_NEIGHBOUR, true, elsewhere[i], true)));
		assert_false(allowed(request(FIB_STATION, true, elsewhere[i], true)));
		assert_false(allowed(request(FIB_SOURCE, true, elsewhere[i], true)));
	}
	assert_false(allowed(request(FIB_NEIGHBOUR, true, "fe80::a", false)));
	assert_false(allowed(request(FIB_NEIGHBOUR, false, "fe80::a", true)));
	assert_false(allowed(request(FIB_NEIGHBOUR, false, "ff02::1", false)));
	assert_false(allowed(request(FIB_STATION, true, "fe80::a", false)));
	assert_false(allowed(request(FIB_STATION, true, "fe80::/64", true)));
}

static void sources_are_of_lengths_that_the_filter_has_sets_for(void **state)
{
	(void)state;
	assert_false(allowed(request(FIB_SOURCE, true, "2001:db8::/47", true)));
	assert_false(allowed(request(FIB_SOURCE, true, "2001:db8:100::/65", true)));
	assert_false(allowed(request(FIB_SOURCE, false, "2001:db8:100::/65", true)));
	assert_false(allowed(request(FIB_SOURCE, true, "3fff::/56", true)));
	const struct fib_request q = request(FIB_SOURCE, true, "2001:db8:100::/56", true);
	struct fib_bounds b = bounds();
	b.shortest = 0;
	assert_false(fib_allows(&b, &q));
	b = bounds();
	b.table[0] = '\0';
	assert_false(fib_allows(&b, &q));
}

/* Each field that is not as the server writes it. */
static void requests_have_one_form(void **state)
{
	(void)state;
	struct fib_request q = route("2001:db8:100::/56", "fe80::a"), good = q;
	assert_true(allowed(q));
	q.kind = 0;
	assert_false(allowed(q));
	q.kind = FIB_SOURCE + 1;
	assert_false(allowed(q));
	q = good;
	q.add = 2;
	assert_false(allowed(q));
	q = good;
	q.plen = 129;
	assert_false(allowed(q));
	q = good;
	q.addr.s6_addr[15] = 1; /* behind its length */
	assert_false(allowed(q));
	q = good;
	q.zero[1] = 1;
	assert_false(allowed(q));
	q = good;
	q.lladdr[5] = 1;
	assert_false(allowed(q));
	q = request(FIB_NEIGHBOUR, true, "fe80::a", true);
	q.gateway = unit_in6("fe80::b");
	assert_false(allowed(q));
}

static void a_length_of_zero_is_no_pool(void **state)
{
	(void)state;
	struct fib_bounds b = bounds();
	b.delegable[0] = (struct prefix6){ .plen = 0 };
	const struct fib_request q = route("2001:db8:100::/56", "fe80::a");
	assert_false(fib_allows(&b, &q));
}

/* --- the process
 * ------------------------------------------------------------------------------------------------
 */

static int begin(void **state)
{
	(void)state;
	int pair[2];
	f = (struct fixture){ .fd = -1, .bounds = bounds() };
	if (!sandbox.made)
		return 0;
	run("ip link add sub0 type veth peer name sub1 && ip link set sub0 addrgenmode none && ip "
	    "link set sub0 up && ip link set sub1 up && ip -6 addr add fe80::1/64 dev sub0 nodad");
	struct rtnl *rt;
	struct link_info l;
	assert_int_equal(rtnl_open(-1, &rt), 0);
	assert_int_equal(link_get(rt, "sub0", &l), 0);
	rtnl_close(rt);
	f.bounds.ifindex = l.ifindex;
	f.bounds.table[0] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f.shared = mmap(NULL, sizeof *f.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	assert_true(f.shared != MAP_FAILED);
	f.process = fork();
	if (f.process == 0) {
		(void)close(pair[0]); /* so that its end is seen */
		_exit(fib_process_run(pair[1], f.shared, &f.bounds));
	}
	assert_true(f.process > 0);
	(void)close(pair[1]); /* likewise */
	f.fd = pair[0];
	return 0;
}

/* How it ends, once we are gone or have said something. */
static int its_end(void)
{
	int status;
	assert_int_equal(waitpid(f.process, &status, 0), f.process);
	f.process = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int end(void **state)
{
	(void)state;
	if (!sandbox.made)
		return 0;
	(void)close(f.fd); /* nothing is pending */
	bool ended = !f.process || its_end() == 0;
	(void)munmap(f.shared, sizeof *f.shared);                 /* ours and whole */
	return system("ip link del sub0") == 0 && ended ? 0 : -1; /* NOLINT(cert-env33-c): fixed */
}

static void say(const void *what, size_t len)
{
	assert_int_equal(send(f.fd, what, len, 0), len);
}

static struct fib_answer ask(enum fib_op op, uint32_t n)
{
	const struct fib_question q = { op, n };
	struct fib_answer a;
	say(&q, sizeof q);
	assert_int_equal(recv(f.fd, &a, sizeof a, 0), sizeof a);
	return a;
}

static int see(void *ctx, const struct route *r)
{
	*(size_t *)ctx += r->metric == ROUTE_METRIC_DELEGATED && r->oif == f.bounds.ifindex;
	return 0;
}

static size_t routes(void)
{
	struct route_batch *b;
	size_t n = 0;
	assert_int_equal(route_batch_new(&b), 0);
	assert_int_equal(route_dump(b, see, &n), 0);
	route_batch_free(b);
	return n;
}

static void it_does_what_it_is_asked_for_and_tells_what_the_kernel_refused(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	f.shared->requests[0] = route("2001:db8:100::/56", "fe80::a");
	f.shared->requests[1] = route("2001:db8:200::/56", "fe80::1"); /* our own address */
	f.shared->requests[2] = request(FIB_NEIGHBOUR, true, "fe80::a", true);
	f.shared->requests[3] = route("2001:db8:300::/56", "fe80::a");
	struct fib_answer a = ask(FIB_COMMIT, 4);
	assert_int_equal(a.result, 1);
	assert_int_equal(a.n, 1);
	assert_int_equal(f.shared->refused[0].request, 1);
	assert_int_equal(f.shared->refused[0].error, -EINVAL);
	assert_int_equal(routes(), 2);
	run("ip -6 neigh show dev sub0 | grep -q 'fe80::a lladdr 02:00:00:00:00:01 .*PERMANENT'");
	f.shared->requests[0] = request(FIB_ROUTE, false, "2001:db8:100::/56", false);
	f.shared->requests[1] = request(FIB_ROUTE, false, "2001:db8:400::/56", false);
	a = ask(FIB_COMMIT, 2); /* what is not there is as good as removed */
	assert_int_equal(a.result, 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(routes(), 1);
}

static void one_request_out_of_bounds_ends_it_and_nothing_of_the_batch_is_done(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	const struct fib_question q = { FIB_COMMIT, 2 };
	f.shared->requests[0] = route("2001:db8:100::/56", "fe80::a");
	f.shared->requests[1] = route("::/0", "fe80::a");
	say(&q, sizeof q);
	assert_int_equal(its_end(), EX_PROTOCOL);
	assert_int_equal(routes(), 0);
}

static void a_question_that_it_does_not_know_ends_it(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static const struct fib_question bad[] = {
		{ 0, 0 },
		{ FIB_COMMIT, FIB_BATCH_MAX + 1 },
		{ FIB_READ, 0 }, /* there is no filter */
		{ FIB_COUNTERS, 1 },
		{ FIB_COUNTERS + 1, 0 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		say(&bad[i], sizeof bad[i]);
		assert_int_equal(its_end(), EX_PROTOCOL);
		if (end(state) < 0 || begin(state) < 0)
			fail();
	}
	static const char longer[sizeof(struct fib_question) + 1];
	say(longer, sizeof longer);
	assert_int_equal(its_end(), EX_PROTOCOL);
}

static void it_ends_with_the_server(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	assert_int_equal(ask(FIB_COMMIT, 0).result, 0);
	assert_int_equal(shutdown(f.fd, SHUT_RDWR), 0);
	assert_int_equal(its_end(), 0);
}

/* --- the server's side
 * ------------------------------------------------------------------------------------------
 */

static void forget(void *ctx)
{
	*(bool *)ctx = true;
}

static void the_server_sees_that_it_is_gone_and_promises_nothing(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct fib *fib;
	pid_t pid;
	bool forgotten = false;
	const struct prefix6 p = prefix("2001:db8:100::/56"), foreign = prefix("3fff::/56");
	const struct in6_addr hop = unit_in6("fe80::a");
	assert_int_equal(fib_new(&f.bounds, &fib), 0);
	assert_int_equal(fib_fork(fib, forget, &forgotten, &pid), 0);
	assert_false(forgotten); /* here */
	fib_be_server(fib);
	assert_int_equal(fib_route_put(fib, &foreign, &hop, 0),
			 -ERANGE); /* is not even asked for */
	assert_int_equal(fib_route_put(fib, &p, &hop, 0), 0);
	struct fib_result r = fib_commit(fib, NULL, NULL);
	assert_int_equal(r.routes, 0);
	assert_int_equal(r.filter, 0);
	assert_int_equal(routes(), 1);
	assert_false(fib_lost(fib));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fib_route_del(fib, &p, 0), 0);
	r = fib_commit(fib, NULL, NULL);
	assert_int_equal(r.routes, -EPIPE);
	assert_int_equal(r.filter, -EPIPE);
	assert_true(fib_lost(fib));
	fib_free(fib);
}

#define BOUNDS(test)  cmocka_unit_test(test)
#define PROCESS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOUNDS(what_the_server_asks_for_is_allowed),
		BOUNDS(what_was_ours_before_may_be_removed),
		BOUNDS(routes_lead_our_prefixes_to_the_link_and_nothing_elsewhere),
		BOUNDS(entries_of_the_link_are_of_addresses_on_it),
		BOUNDS(sources_are_of_lengths_that_the_filter_has_sets_for),
		BOUNDS(requests_have_one_form),
		BOUNDS(a_length_of_zero_is_no_pool),
		PROCESS(it_does_what_it_is_asked_for_and_tells_what_the_kernel_refused),
		PROCESS(one_request_out_of_bounds_ends_it_and_nothing_of_the_batch_is_done),
		PROCESS(a_question_that_it_does_not_know_ends_it),
		PROCESS(it_ends_with_the_server),
		PROCESS(the_server_sees_that_it_is_gone_and_promises_nothing),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
