/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into perfdhcp: a receive buffer that does not overflow, so that what it counts as lost
 * the server lost. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
int bind(int fd, const struct sockaddr *a, socklen_t l)
{
	int n = 64 << 20;
	if (a->sa_family == AF_INET6) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof n);
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof n);
	}
	return ((int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind"))(fd, a,
											    l);
}
