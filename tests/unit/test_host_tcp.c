/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "host/tcp.h"

#include <fcntl.h>
#include <unistd.h>

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof at;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return at.sin6_port; /* at the same place in both families */
}

static int reach4(in_port_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = port,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int r = connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ? -errno : 0;
	(void)close(fd); /* only tried */
	return r;
}

static void it_listens_and_waits_for_nobody(void **state)
{
	(void)state;
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = -1;
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at, false, &fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(accept(fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(reach4(port_of(fd)), 0);
	assert_int_equal(close(fd), 0);
}

static void a_taken_port_is_told_as_such(void **state)
{
	(void)state;
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = -1, second = -7;
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at, false, &fd), 0);
	at.sin_port = port_of(fd);
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at, false, &second), -EADDRINUSE);
	assert_int_equal(second, -7);
	assert_int_equal(close(fd), 0);
}

/* 198.18.0.0/15 is nobody's (RFC 2544). */
static void an_address_that_is_not_ours_only_early(void **state)
{
	(void)state;
	const struct sockaddr_in at4 = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(0xc6120001) };
	const struct sockaddr_in6 at6 = { .sin6_family = AF_INET6,
					  .sin6_addr = unit_in6("2001:db8:dead::1") };
	int fd = -7;
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at4, false, &fd), -EADDRNOTAVAIL);
	assert_int_equal(fd, -7);
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at4, true, &fd), 0);
	assert_int_equal(close(fd), 0);
	int r = tcp_listen(-1, (const struct sockaddr *)&at6, false, &fd);
	if (r == -EAFNOSUPPORT)
		skip(); /* this machine has no IPv6 */
	assert_int_equal(r, -EADDRNOTAVAIL);
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&at6, true, &fd), 0);
	assert_int_equal(close(fd), 0);
}

/* With IPv6 or without. */
static void the_wildcard_hears_ipv4_too(void **state)
{
	(void)state;
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = -1;
	assert_int_equal(tcp_listen(-1, (const struct sockaddr *)&any, false, &fd), 0);
	assert_int_equal(reach4(port_of(fd)), 0);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_listens_and_waits_for_nobody),
		cmocka_unit_test(a_taken_port_is_told_as_such),
		cmocka_unit_test(an_address_that_is_not_ours_only_early),
		cmocka_unit_test(the_wildcard_hears_ipv4_too),
	};
	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
