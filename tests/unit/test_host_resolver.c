/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names asked for in another namespace, of a name server that is made for it: it lives there, on
 * 127.0.0.53 port 53 and 5353, and what it answers follows from the name's first label.
 */
#include "unit/sandbox.h"

#include "base/clock.h"
#include "host/resolver.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
	QTYPE_A = 1,
	QTYPE_CNAME = 5,
	QTYPE_AAAA = 28,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	HEADER_BYTES = 12,
	MESSAGE_MAX = 512,
	SLOW_MS = 1200,
	ANSWER_MS = 20000,
};

/* --- the name server --- */

struct record {
	const char *label;
	uint16_t type;
	uint32_t ttl_s;
	const char *data; /* an address, or the label of the alias's next name */
};

static const struct record zone[] = {
	{ "both", QTYPE_A, 300, "192.0.2.1" },     { "both", QTYPE_A, 300, "192.0.2.2" },
	{ "both", QTYPE_AAAA, 60, "2001:db8::1" }, { "both", QTYPE_AAAA, 60, "2001:db8::2" },
	{ "four", QTYPE_A, 300, "192.0.2.4" },     { "six", QTYPE_AAAA, 300, "2001:db8::6" },
	{ "alias", QTYPE_CNAME, 300, "next" },     { "next", QTYPE_CNAME, 20, "four" },
	{ "half", QTYPE_A, 300, "192.0.2.5" },     { "mutehalf", QTYPE_A, 300, "192.0.2.6" },
	{ "slow", QTYPE_A, 300, "192.0.2.7" },     { "nowhere", QTYPE_A, 300, "0.0.0.0" },
	{ "nowhere", QTYPE_AAAA, 300, "ff02::1" },
};

static size_t put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
	return 2;
}

static size_t put_label(uint8_t *at, const char *label)
{
	size_t n = strlen(label);
	at[0] = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		at[1 + i] = (uint8_t)label[i];
	/* The rest of the name is the question's, behind its own first label. */
	return n + 1;
}

/* The answers to a question of that type and first label, appended; how many bytes and records. */
static size_t put_records(uint8_t *at, const char *label, unsigned type, unsigned rest_of_name,
			  unsigned *n)
{
	size_t len = 0;
	for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++) {
		const struct record *r = &zone[i];
		if (strcmp(r->label, label) != 0 || (r->type != type && r->type != QTYPE_CNAME))
			continue;
		(*n)++;
		len += put_label(at + len, label);
		len += put16(at + len, 0xc000 | rest_of_name);
		len += put16(at + len, r->type);
		len += put16(at + len, 1);
		len += put16(at + len, r->ttl_s >> 16);
		len += put16(at + len, r->ttl_s & 0xffff);
		uint8_t *size = at + len;
		len += 2;
		size_t before = len;
		if (r->type == QTYPE_CNAME) {
			len += put_label(at + len, r->data);
			len += put16(at + len, 0xc000 | rest_of_name);
		} else {
			len += (size_t)(inet_pton(type == QTYPE_A ? AF_INET : AF_INET6, r->data,
						  at + len) == 1
						? (type == QTYPE_A ? 4 : 16)
						: 0);
		}
		(void)put16(size, (unsigned)(len - before));
		if (r->type == QTYPE_CNAME)
			len += put_records(at + len, r->data, type, rest_of_name, n);
	}
	return len;
}

static void answer(int fd, uint8_t *m, size_t len, const struct sockaddr_in *from)
{
	char label[64] = "";
	size_t n = m[HEADER_BYTES], end = HEADER_BYTES;
	if (len < HEADER_BYTES + 5 || n >= sizeof label)
		return;
	memcpy(label, m + HEADER_BYTES + 1, n);
	label[n] = '\0';
	while (end < len && m[end])
		end += m[end] + 1U;
	unsigned type = (unsigned)m[end + 1] << 8 | m[end + 2], count = 0, rcode = 0;
	end += 5;
	if (strcmp(label, "mute") == 0 || (strcmp(label, "mutehalf") == 0 && type == QTYPE_AAAA))
		return;
	if (strcmp(label, "none") == 0)
		rcode = RCODE_NXDOMAIN;
	if (strcmp(label, "broken") == 0 || (strcmp(label, "half") == 0 && type == QTYPE_AAAA))
		rcode = RCODE_SERVFAIL;
	if (strcmp(label, "slow") == 0) {
		const struct timespec wait = { .tv_sec = SLOW_MS / 1000,
					       .tv_nsec = SLOW_MS % 1000 * 1000000L };
		(void)nanosleep(&wait, NULL); /* a signal ends the process anyway */
	}
	(void)put16(m + 2, 0x8180 | rcode);
	memset(m + 8, 0, 4); /* no authority, no additional records */
	if (!rcode)
		end += put_records(m + end, label, type, HEADER_BYTES + 1 + (unsigned)n, &count);
	(void)put16(m + 6, count);
	if (strcmp(label, "garbage") == 0)
		memset(m + HEADER_BYTES, 0xff, end - HEADER_BYTES);
	(void)sendto(fd, m, end, 0, (const struct sockaddr *)(const void *)from, sizeof *from);
}

static void serve(const int fds[2])
{
	for (;;) {
		struct pollfd p[2] = { { .fd = fds[0], .events = POLLIN },
				       { .fd = fds[1], .events = POLLIN } };
		if (poll(p, 2, -1) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			uint8_t m[MESSAGE_MAX * 2];
			struct sockaddr_in from;
			socklen_t from_len = sizeof from;
			ssize_t len =
				p[i].revents ? recvfrom(fds[i], m, MESSAGE_MAX, 0,
							(struct sockaddr *)(void *)&from, &from_len)
					     : 0;
			if (len > 0)
				answer(fds[i], m, (size_t)len, &from);
		}
	}
}

static pid_t server;

static int group_setup(void **state)
{
	if (sandbox_enter(state) < 0)
		return -1;
	if (!sandbox.made)
		return 0;
	run_in(sandbox.host_ns,
	       "ip route add 2001:db8::/64 dev lo && ip route add 192.0.2.0/24 dev lo");
	int fds[2];
	static const uint16_t ports[] = { 53, 5353 };
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in at = { .sin_family = AF_INET,
					  .sin_port = htons(ports[i]),
					  .sin_addr = { htonl(0x7f000035) } };
		if (netns_socket(sandbox.host_ns, AF_INET, SOCK_DGRAM, 0, &fds[i]) < 0 ||
		    bind(fds[i], (const struct sockaddr *)(const void *)&at, sizeof at) < 0)
			return -1;
	}
	server = fork();
	if (server == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with these arguments */
		serve(fds);
	}
	return server < 0 ? -1 : 0;
}

static int group_teardown(void **state)
{
	if (server > 0) {
		(void)kill(server, SIGKILL); /* not reaped: it is there */
		(void)waitpid(server, NULL, 0);
	}
	return sandbox_leave(state);
}

/* --- the tests --- */

static struct resolver_question question(const char *name)
{
	return (struct resolver_question){ .name = name,
					   .etc_fd = -1,
					   .n_servers = 1,
					   .servers = { { .family = AF_INET,
							  .v4 = { htonl(0x7f000035) } } } };
}

struct asking {
	const struct resolver_question *question;
	pid_t pid;
	int fd;
};

static int run_resolver(void *ctx)
{
	struct asking *a = (struct asking *)ctx;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	int r = resolver_run(a->question, ends[1], CHILD_OF_US, &a->pid);
	a->fd = ends[0];
	(void)close(ends[1]); /* the child's */
	return r;
}

/* Asking is done in the blink of an eye, whatever becomes of it. */
static struct asking ask(const struct resolver_question *q)
{
	struct asking a = { .question = q, .fd = -1 };
	uint64_t begun = clock_mono_ms(), stalled = unit_stalled_ms();
	assert_int_equal(netns_call(sandbox.host_ns, run_resolver, &a), 0);
	assert_true(clock_mono_ms() - begun < 500 + unit_stalled_ms() - stalled);
	return a;
}

static struct resolver_answer answer_of(const struct asking *asking)
{
	struct pollfd p = { .fd = asking->fd, .events = POLLIN };
	struct resolver_answer a = { 0 };
	int status = 0;
	assert_int_equal(poll(&p, 1, ANSWER_MS), 1);
	assert_int_equal(resolver_read(asking->fd, &a), 0);
	(void)close(asking->fd); /* read to its end */
	assert_int_equal(waitpid(asking->pid, &status, 0), asking->pid);
	assert_int_equal(status, 0);
	return a;
}

static struct resolver_answer asked(const struct resolver_question *q)
{
	const struct asking a = ask(q);
	return answer_of(&a);
}

static struct resolver_answer asked_for(const char *name)
{
	const struct resolver_question q = question(name);
	return asked(&q);
}

static void assert_addr(const struct resolver_addr *a, const char *text)
{
	char buf[INET6_ADDRSTRLEN];
	assert_string_equal(inet_ntop(a->family, &a->v6, buf, sizeof buf), text);
}

static void the_families_alternate(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct resolver_answer a = asked_for("both.example");
	assert_int_equal(a.verdict, RESOLVER_FOUND);
	assert_int_equal(a.n, 4);
	static const int families[] = { AF_INET6, AF_INET, AF_INET6, AF_INET };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(a.addrs[i].family, families[i]);
	assert_int_equal(a.ttl_s, 60);
}

static void what_there_is_no_route_to_comes_last(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	run_in(sandbox.host_ns, "ip route del 2001:db8::/64 dev lo");
	struct resolver_answer a = asked_for("both.example");
	run_in(sandbox.host_ns, "ip route add 2001:db8::/64 dev lo");
	assert_int_equal(a.n, 4);
	static const int families[] = { AF_INET, AF_INET, AF_INET6, AF_INET6 };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(a.addrs[i].family, families[i]);
}

static void a_name_may_have_one_family_alone(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct resolver_answer a = asked_for("four.example");
	assert_int_equal(a.verdict, RESOLVER_FOUND);
	assert_int_equal(a.n, 1);
	assert_addr(&a.addrs[0], "192.0.2.4");
	a = asked_for("six.example");
	assert_int_equal(a.n, 1);
	assert_addr(&a.addrs[0], "2001:db8::6");
}

static void a_chain_of_aliases_lasts_as_long_as_its_shortest_link(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct resolver_answer a = asked_for("alias.example");
	assert_int_equal(a.n, 1);
	assert_addr(&a.addrs[0], "192.0.2.4");
	assert_int_equal(a.ttl_s, 20);
}

static void what_is_not_found_is_told_apart(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	assert_int_equal(asked_for("none.example").verdict, RESOLVER_NO_NAME);
	assert_int_equal(asked_for("empty.example").verdict, RESOLVER_NO_ADDRESS);
	assert_int_equal(asked_for("broken.example").verdict, RESOLVER_REFUSED);
	assert_int_equal(asked_for("nowhere.example").verdict, RESOLVER_NO_ADDRESS);
}

static void one_family_is_enough_where_the_server_fails_for_the_other(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct resolver_answer a = asked_for("half.example");
	assert_int_equal(a.verdict, RESOLVER_FOUND);
	assert_int_equal(a.n, 1);
	uint64_t begun = clock_mono_ms(), stalled = unit_stalled_ms();
	a = asked_for("mutehalf.example");
	assert_int_equal(a.n, 1);
	assert_addr(&a.addrs[0], "192.0.2.6");
	/* It waited for the other, and not long. */
	assert_in_range(clock_mono_ms() - begun, 900, 4000 + unit_stalled_ms() - stalled);
}

static void a_slow_server_is_waited_for_by_the_child_alone(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	uint64_t begun = clock_mono_ms();
	struct resolver_answer a = asked_for("slow.example");
	assert_int_equal(a.verdict, RESOLVER_FOUND);
	assert_true(clock_mono_ms() - begun >= SLOW_MS);
}

static void a_mute_server_and_garbage_cost_no_more_than_the_limit(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	uint64_t begun = clock_mono_ms(), stalled = unit_stalled_ms();
	const struct resolver_question mute = question("mute.example"),
				       garbage = question("garbage.example");
	const struct asking first = ask(&mute), second = ask(&garbage);
	assert_int_equal(answer_of(&first).verdict, RESOLVER_NO_ANSWER);
	struct resolver_answer a = answer_of(&second);
	assert_int_equal(a.n, 0);
	assert_int_not_equal(a.verdict, RESOLVER_FOUND);
	assert_true(clock_mono_ms() - begun <= RESOLVER_LIMIT_MS + unit_stalled_ms() - stalled);
}

static void a_server_can_have_another_port_and_the_next_is_asked(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct resolver_question q = question("four.example");
	q.n_servers = 2;
	q.servers[0].v4.s_addr = htonl(INADDR_LOOPBACK); /* nobody listens there */
	q.servers[1] = (struct resolver_server){ .family = AF_INET,
						 .v4 = { htonl(0x7f000035) },
						 .port = 5353 };
	assert_int_equal(asked(&q).n, 1);
	/* That nobody is there must not be held against either family. */
	q.name = "both.example";
	for (int i = 0; i < 20; i++)
		assert_int_equal(asked(&q).n, 4);
	q.name = "four.example";
	q.n_servers = 1;
	assert_int_equal(asked(&q).verdict, RESOLVER_REFUSED);
}

static void the_child_is_nobody_with_nothing(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	const struct resolver_question q = question("mute.example");
	char path[64], text[4096] = "";
	const struct asking asking = ask(&q);
	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)asking.pid);
	/* It is on its way there. */
	for (int i = 0; i < 200 && !strstr(text, "CapEff:\t0000000000000000"); i++) {
		int status = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(status >= 0);
		ssize_t n = read(status, text, sizeof text - 1);
		(void)close(status); /* read only */
		assert_true(n > 0);
		text[n] = '\0';
		(void)usleep(10000); /* a shorter sleep only asks more often */
	}
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(text, "CapAmb:\t0000000000000000"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	assert_non_null(strstr(text, "Uid:\t65118\t65118\t65118\t65118"));
	(void)kill(asking.pid, SIGKILL); /* not reaped: it is there */
	(void)waitpid(asking.pid, NULL, 0);
	struct resolver_answer a;
	assert_int_equal(resolver_read(asking.fd, &a), 0);
	assert_int_equal(a.verdict, RESOLVER_FAULT);
	(void)close(asking.fd); /* read to its end */
}

static void a_resolv_conf_without_dockers_server(void **state)
{
	(void)state;
	char path[] = "/tmp/test-resolver-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "# nameserver 192.0.2.9\nsearch example\n"
				   "nameserver 127.0.0.11\n  nameserver\t192.0.2.53 # ours\n"
				   "nameserver\nnameserver nobody\nnameserver 2001:db8::53\n"
				   "options edns0";
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	(void)close(fd); /* what matters is read below */
	struct resolver_server s[RESOLVER_SERVERS_MAX];
	assert_int_equal(resolver_servers(path, true, s, RESOLVER_SERVERS_MAX), 2);
	assert_int_equal(s[0].family, AF_INET);
	assert_int_equal(s[0].v4.s_addr, inet_addr("192.0.2.53"));
	assert_int_equal(s[1].family, AF_INET6);
	assert_int_equal(resolver_servers(path, false, s, RESOLVER_SERVERS_MAX), 3);
	assert_int_equal(resolver_servers(path, false, s, 1), 1);
	(void)unlink(path); /* ours */
	assert_int_equal(resolver_servers(path, false, s, RESOLVER_SERVERS_MAX), 0);
}

int main(void)
{
	/* memcheck needs more memory and descriptors than the child leaves itself. */
	if (getenv("TAP_UNDER")) {
		(void)puts("1..0 # SKIP memcheck does not fit the limits that the child has");
		return 0;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_families_alternate),
		cmocka_unit_test(what_there_is_no_route_to_comes_last),
		cmocka_unit_test(a_name_may_have_one_family_alone),
		cmocka_unit_test(a_chain_of_aliases_lasts_as_long_as_its_shortest_link),
		cmocka_unit_test(what_is_not_found_is_told_apart),
		cmocka_unit_test(one_family_is_enough_where_the_server_fails_for_the_other),
		cmocka_unit_test(a_slow_server_is_waited_for_by_the_child_alone),
		cmocka_unit_test(a_mute_server_and_garbage_cost_no_more_than_the_limit),
		cmocka_unit_test(a_server_can_have_another_port_and_the_next_is_asked),
		cmocka_unit_test(the_child_is_nobody_with_nothing),
		cmocka_unit_test(a_resolv_conf_without_dockers_server),
	};
	return cmocka_run_group_tests_name("host/resolver", tests, group_setup, group_teardown);
}
