/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/sandbox.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void path_of(int fd, char path[static 64])
{
	(void)snprintf(path, 64, "/proc/self/fd/%d", fd);
}

static void says_what_a_path_is(void **state)
{
	(void)state;
	int fd = -1;
	char dir[] = "/tmp/test_host_netns.XXXXXX", fifo[64], file[64];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	(void)snprintf(file, sizeof file, "%s/file", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int made = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(made >= 0);
	(void)close(made); /* nothing was written */
	assert_int_equal(netns_open("/nonexistent/netns", &fd), -ENOENT);
	assert_int_equal(netns_open(dir, &fd), -EINVAL);
	assert_int_equal(netns_open(file, &fd), -EINVAL);
	assert_int_equal(netns_open(fifo, &fd), -EINVAL); /* and does not wait for a writer */
	assert_int_equal(netns_open("/dev/null", &fd), -EINVAL);
	assert_int_equal(netns_open("/proc/self/ns/uts", &fd), -EINVAL);
	assert_int_equal(netns_open("/proc/self/ns/net", &fd), -EEXIST);
	assert_int_equal(fd, -1);
	assert_int_equal(unlink(fifo), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void opens_another_namespace(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	char path[64];
	int fd = -1, own = -1;
	path_of(sandbox.host_ns, path);
	assert_int_equal(netns_open(path, &fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(netns_same(fd, sandbox.host_ns), 1);
	assert_int_equal(netns_same(fd, sandbox.own_ns), 0);
	assert_int_equal(netns_open_own(&own), 0);
	assert_int_equal(netns_same(own, sandbox.own_ns), 1);
	path_of(own, path);
	int again = -1;
	assert_int_equal(netns_open(path, &again), -EEXIST);
	assert_int_equal(netns_same(own, -1), -EBADF);
	(void)close(fd);  /* only looked at */
	(void)close(own); /* likewise */
}

static void socket_belongs_to_the_other_namespace(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	run_in(sandbox.host_ns, "ip link add onlythere type veth peer name peerthere");
	int fd = -1;
	assert_int_equal(netns_socket(sandbox.host_ns, AF_INET, SOCK_DGRAM, 0, &fd), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	struct ifreq there = { .ifr_name = "onlythere" }, here = there;
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &there), 0);
	assert_true(there.ifr_ifindex > 0);
	int own = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(own, SIOCGIFINDEX, &here), -1); /* we are back at home */
	assert_int_equal(netns_socket(sandbox.host_ns, AF_INET, SOCK_DGRAM, 255, &fd),
			 -EPROTONOSUPPORT);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(netns_socket(null, AF_INET, SOCK_DGRAM, 0, &fd), -EINVAL);
	int now = -1;
	assert_int_equal(netns_open_own(&now), 0);
	assert_int_equal(netns_same(now, sandbox.own_ns), 1);
	(void)close(fd);   /* nothing was sent */
	(void)close(own);  /* likewise */
	(void)close(null); /* likewise */
	(void)close(now);  /* only looked at */
	run_in(sandbox.host_ns, "ip link del onlythere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_a_path_is),
		cmocka_unit_test(opens_another_namespace),
		cmocka_unit_test(socket_belongs_to_the_other_namespace),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
