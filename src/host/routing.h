/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's routing tells: where packets go, and when that may have changed. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

/* Of our namespace: the interface by which packets to this address leave. -ENETUNREACH: there is
 * none. */
int routing_out_if(const struct in6_addr *to, unsigned *ret_ifindex);

/*
 * A descriptor (nonblocking) that becomes readable when addresses or routes change in a namespace,
 * of either family; netns_fd -1: ours. Deaf until routing_changes_listen(). link_events_drain()
 * empties it.
 */
int routing_changes_open(int netns_fd, int *ret_fd);
/* Wherever we are. setsockopt(2)'s errors. */
int routing_changes_listen(int fd, bool listen);
