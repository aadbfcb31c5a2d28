/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/netns.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { BACK_TRIES = 10 };

int netns_open_own(int *ret_fd)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int netns_same(int fd_a, int fd_b)
{
	struct stat a, b;
	if (fstat(fd_a, &a) < 0 || fstat(fd_b, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int netns_open(const char *path, int *ret_fd)
{
	/* Not waiting: the path is somebody's word, and may name a FIFO. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	/* Anything else than a namespace answers ENOTTY: an empty file where the bind mount should
	 * be, a directory. */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EINVAL;
	AUTO_CLOSE int own = -1;
	int r = netns_open_own(&own);
	if (r < 0)
		return r;
	r = netns_same(fd, own);
	if (r != 0)
		return r < 0 ? r : -EEXIST;
	*ret_fd = take_fd(&fd);
	return 0;
}

int netns_call(int fd, int (*fn)(void *ctx), void *ctx)
{
	AUTO_CLOSE int own = -1;
	int r = netns_open_own(&own);
	if (r < 0)
		return r;
	if (setns(fd, CLONE_NEWNET) < 0)
		return -errno;
	r = fn(ctx);
	/* What keeps us out there is a lack of memory, at most: not for long. */
	for (int tries = 0; setns(own, CLONE_NEWNET) < 0; tries++)
		if (tries == BACK_TRIES)
			return -ENOTRECOVERABLE;
	return r;
}

struct socket_call {
	int domain, type, protocol;
	int fd;
};

static int open_socket(void *ctx)
{
	struct socket_call *c = (struct socket_call *)ctx;
	c->fd = socket(c->domain, c->type | SOCK_CLOEXEC, c->protocol);
	return c->fd < 0 ? -errno : 0;
}

int netns_socket(int fd, int domain, int type, int protocol, int *ret_fd)
{
	struct socket_call c = { domain, type, protocol, -1 };
	int r = netns_call(fd, open_socket, &c);
	if (r < 0) {
		if (c.fd >= 0)
			(void)close(c.fd); /* the way back failed: the caller ends */
		return r;
	}
	*ret_fd = c.fd;
	return 0;
}
