/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/tcp.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { BACKLOG = 16 };

static int open_in(int ns, int family, int *ret_fd)
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	if (ns >= 0)
		return netns_socket(ns, family, type, 0, ret_fd);
	int fd = socket(family, type, 0);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static bool is_any6(const struct sockaddr *addr)
{
	struct sockaddr_in6 a;
	if (addr->sa_family != AF_INET6)
		return false;
	memcpy(&a, addr, sizeof a);
	return IN6_IS_ADDR_UNSPECIFIED(&a.sin6_addr);
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int tcp_listen(int ns, const struct sockaddr *addr, bool early, int *ret_fd)
{
	struct sockaddr_in any4 = { .sin_family = AF_INET };
	AUTO_CLOSE int fd = -1;
	int r = open_in(ns, addr->sa_family, &fd);
	if (r == -EAFNOSUPPORT && is_any6(addr)) {
		struct sockaddr_in6 any6;
		memcpy(&any6, addr, sizeof any6);
		any4.sin_port = any6.sin6_port;
		addr = (const struct sockaddr *)&any4;
		r = open_in(ns, AF_INET, &fd);
	}
	/* A port whose former connections are still dying down is not taken. */
	if (r == 0)
		r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && addr->sa_family == AF_INET6)
		r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (r == 0 && early)
		r = set(fd, IPPROTO_IP, IP_FREEBIND, 1); /* holds for IPv6 as well */
	if (r < 0)
		return r;
	socklen_t len = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
	if (bind(fd, addr, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}
