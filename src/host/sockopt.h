/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of sockets that several of ours set. */
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/socket.h>

/* An option that is a number. A negative errno of setsockopt(2). */
static inline int sock_set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* A classic BPF program of n instructions. A negative errno of setsockopt(2). */
static inline int sock_attach_filter(int fd, struct sock_filter *code, size_t n)
{
	const struct sock_fprog program = { .len = (unsigned short)n, .filter = code };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno
											  : 0;
}

/*
 * Buffers of so many bytes, 0: as they are. Beyond the host's limits that takes CAP_NET_ADMIN of
 * the initial user namespace; without it they are as large as the host allows, which is slower
 * under a burst, not wrong.
 */
static inline void sock_set_buffers(int fd, int receive, int send)
{
	if (receive && sock_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive) < 0)
		(void)sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, receive); /* the limit it is */
	if (send && sock_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, send) < 0)
		(void)sock_set_int(fd, SOL_SOCKET, SO_SNDBUF, send); /* likewise */
}
