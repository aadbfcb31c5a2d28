/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening TCP socket. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Listens at addr (sockaddr_in or sockaddr_in6) inside the namespace ns, or in ours where that is
 * -1. The IPv6 wildcard hears IPv4 too, and where there is no IPv6 it becomes IPv4's. early: the
 * address need not be there yet. The descriptor is nonblocking, CLOEXEC and the caller's.
 * -EADDRINUSE: the port is taken; -EADDRNOTAVAIL: the address is none of the namespace's; -EACCES,
 * -EPERM.
 */
int tcp_listen(int ns, const struct sockaddr *addr, bool early, int *ret_fd);
