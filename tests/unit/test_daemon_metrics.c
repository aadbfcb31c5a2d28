/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/clock.h"
#include "control/http.h"
#include "daemon/metrics.h"
#include "host/tcp.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LIMIT_MS = 60000, STEP_MS = 20, PAGE_MAX = 1 << 20 };

static struct fixture {
	struct loop *loop;
	struct loop_timer *tick;
	struct metrics *metrics;
	int listening;
	struct sockaddr_in at;
	size_t page_len;
	int page_error;
	unsigned pages;
} f;

static void on_tick(void *ctx)
{
	(void)ctx; /* waking up is all */
}

static int page(void *ctx, char **ret_text, size_t *ret_len)
{
	(void)ctx;
	f.pages++;
	if (f.page_error)
		return f.page_error;
	char *text = malloc(f.page_len + 1);
	assert_non_null(text);
	memset(text, 'm', f.page_len);
	text[f.page_len] = '\0';
	*ret_text = text;
	*ret_len = f.page_len;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){ .page_len = 100 };
	f.at = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof f.at;
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&f.at, false, &f.listening), 0);
	assert_int_equal(getsockname(f.listening, (struct sockaddr *)&f.at, &len), 0);
	assert_int_equal(loop_new(false, &f.loop), 0);
	assert_int_equal(loop_timer_new(f.loop, on_tick, NULL, &f.tick), 0);
	assert_int_equal(metrics_new(f.loop, f.listening, page, NULL, &f.metrics), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	metrics_free(f.metrics);
	loop_timer_free(f.tick);
	loop_free(f.loop);
	return close(f.listening);
}

static void turn(void)
{
	loop_timer_set(f.tick, STEP_MS);
	loop_step(f.loop);
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&f.at, sizeof f.at), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static char heard[PAGE_MAX + 1024];

/* All until the other end says that it is over; -1: it was torn off. */
static long hear(int fd)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;
	size_t n = 0;
	for (;;) {
		ssize_t r = recv(fd, heard + n, sizeof heard - 1 - n, MSG_DONTWAIT);
		if (r > 0)
			n += (size_t)r;
		else if (r == 0 || errno != EAGAIN) {
			heard[n] = '\0';
			return r == 0 ? (long)n : -1;
		}
		assert_true(clock_mono_ms() < end);
		if (r < 0)
			turn();
	}
}

static void expect(const char *request, const char *status, size_t body)
{
	int fd = dial();
	say(fd, request);
	assert_true(hear(fd) > 0);
	assert_int_equal(strncmp(heard, status, strlen(status)), 0);
	const char *empty = strstr(heard, "\r\n\r\n");
	assert_non_null(empty);
	assert_int_equal(strlen(empty + 4), body);
	assert_int_equal(close(fd), 0);
}

static void a_get_brings_the_page(void **state)
{
	(void)state;
	expect("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", 100);
	assert_non_null(strstr(heard, "Content-Length: 100\r\n"));
	assert_int_equal(f.pages, 1);
}

static void a_head_brings_its_length_alone(void **state)
{
	(void)state;
	expect("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 ", 0);
	assert_non_null(strstr(heard, "Content-Length: 100\r\n"));
}

static void refusals_have_a_status_and_make_no_page(void **state)
{
	(void)state;
	expect("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 ", strlen("Not Found"));
	expect("nonsense\r\n", "HTTP/1.1 400 ", strlen("Bad Request"));
	expect("GET /metrics HTTP/3.0\r\n", "HTTP/1.1 505 ", strlen("HTTP Version Not Supported"));
	assert_int_equal(f.pages, 0);
	f.page_error = -ENOMEM;
	expect("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 503 ", strlen("Service Unavailable"));
}

/* Without reading on, closing would reset the connection and take the answer away. */
static void a_refusal_reaches_a_client_that_still_sends(void **state)
{
	(void)state;
	int fd = dial();
	say(fd, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
	static char body[60001];
	memset(body, 'b', sizeof body - 1);
	say(fd, body);
	assert_true(hear(fd) > 0);
	assert_int_equal(strncmp(heard, "HTTP/1.1 405 ", 13), 0);
	assert_int_equal(close(fd), 0);
}

static void an_oversized_request_is_refused(void **state)
{
	(void)state;
	static char big[HTTP_REQUEST_MAX + 1000];
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "GET /metrics HTTP/1.0\r\nA: ", 26);
	expect(big, "HTTP/1.1 431 ", strlen("Request Header Fields Too Large"));
}

static void the_second_of_two_pipelined_requests_is_not_served(void **state)
{
	(void)state;
	expect("GET /metrics HTTP/1.0\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", 100);
	assert_non_null(strstr(heard, "Connection: close\r\n"));
	assert_int_equal(f.pages, 1);
}

static void a_slow_request_is_served_in_time_and_refused_behind_it(void **state)
{
	(void)state;
	int fd = dial();
	for (const char *c = "GET /metrics HTTP/1.0\r\n\r\n"; *c; c++) {
		say(fd, (const char[]){ *c, '\0' });
		turn();
	}
	assert_true(hear(fd) > 0);
	assert_int_equal(strncmp(heard, "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(close(fd), 0);
	fd = dial();
	uint64_t begun = clock_mono_ms(), stalled = unit_stalled_ms();
	say(fd, "GET /metrics HT");
	assert_true(hear(fd) > 0);
	assert_in_range(clock_mono_ms() - begun, METRICS_READ_MS - 100,
			METRICS_READ_MS + 2000 + unit_stalled_ms() - stalled);
	assert_int_equal(strncmp(heard, "HTTP/1.1 408 ", 13), 0);
	assert_int_equal(close(fd), 0);
}

static void a_page_larger_than_the_sockets_buffers_arrives_whole(void **state)
{
	(void)state;
	f.page_len = PAGE_MAX;
	int fd = dial();
	say(fd, "GET /metrics HTTP/1.0\r\n\r\n");
	for (int i = 0; i < 10; i++)
		turn(); /* nobody reads, and the loop goes on */
	assert_true(hear(fd) > PAGE_MAX);
	assert_int_equal(strlen(strstr(heard, "\r\n\r\n") + 4), PAGE_MAX);
	assert_int_equal(close(fd), 0);
}

static void the_oldest_of_too_many_gives_way(void **state)
{
	(void)state;
	int silent[METRICS_CONNECTIONS];
	for (size_t i = 0; i < METRICS_CONNECTIONS; i++) {
		silent[i] = dial();
		turn();
	}
	uint64_t begun = clock_mono_ms(), stalled = unit_stalled_ms();
	expect("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", 100);
	assert_true(clock_mono_ms() - begun < METRICS_READ_MS / 2 + unit_stalled_ms() - stalled);
	assert_int_equal(hear(silent[0]), 0);
	char byte;
	assert_int_equal(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (size_t i = 0; i < METRICS_CONNECTIONS; i++)
		assert_int_equal(close(silent[i]), 0);
}

static void one_who_hangs_up_is_forgotten(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * METRICS_CONNECTIONS; i++) {
		int fd = dial();
		if (i % 2)
			say(fd, "GET /metrics HTTP/1.0\r\n\r\n");
		turn();
		const struct linger reset = { .l_onoff = 1 };
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
		assert_int_equal(close(fd), 0);
		turn();
	}
	expect("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", 100);
}

/* A listener that can accept nothing is ready all the time: the loop must not spin on it. */
static void without_descriptors_it_waits_and_comes_back(void **state)
{
	(void)state;
	struct rlimit before, none;
	if (getenv("TAP_UNDER")) {
		print_message("# skipped: memcheck takes a connection that is over the limit, and "
			      "closes it\n");
		skip();
	}
	int fd = dial();
	say(fd, "GET /metrics HTTP/1.0\r\n\r\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	int lowest_free = dup(fd);
	assert_true(lowest_free >= 0);
	assert_int_equal(close(lowest_free), 0);
	none.rlim_cur = (rlim_t)lowest_free; /* poll(2) refuses more than the limit */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	unsigned turns = 0;
	for (uint64_t end = clock_mono_ms() + 300; clock_mono_ms() < end; turns++)
		turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(turns < 40);
	assert_true(hear(fd) > 0);
	assert_int_equal(strncmp(heard, "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_get_brings_the_page, setup, teardown),
		cmocka_unit_test_setup_teardown(a_head_brings_its_length_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_have_a_status_and_make_no_page, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_refusal_reaches_a_client_that_still_sends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_oversized_request_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_second_of_two_pipelined_requests_is_not_served,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_slow_request_is_served_in_time_and_refused_behind_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_page_larger_than_the_sockets_buffers_arrives_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_of_too_many_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(one_who_hangs_up_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors_it_waits_and_comes_back, setup,
						teardown),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
