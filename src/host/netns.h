/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces (setns(2), namespaces(7)). */
#pragma once

/*
 * Opens the network namespace at path (a bind mount or /proc/PID/ns/net). The descriptor is the
 * caller's, CLOEXEC. -ENOENT: no such file; -EINVAL: it is no network namespace; -EEXIST: it is our
 * own; -EACCES, -EPERM as open(2).
 */
int netns_open(const char *path, int *ret_fd);
/* Our own. */
int netns_open_own(int *ret_fd);
/* 1: the same namespace, 0: two. */
int netns_same(int fd_a, int fd_b);
/*
 * Runs fn(ctx) inside the namespace and comes back. The result is fn's, or: -EPERM without
 * CAP_SYS_ADMIN, -ENOTRECOVERABLE where the way back failed (the process is in the wrong place and
 * must end).
 */
int netns_call(int fd, int (*fn)(void *ctx), void *ctx);
/* socket(2) inside the namespace; it stays bound to it. */
int netns_socket(int fd, int domain, int type, int protocol, int *ret_fd);
