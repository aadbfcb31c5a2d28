/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What our sockets of datagrams have in common: groups, what the kernel tells of an arrival, and
 * sending many at a time. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Room for the ancillary data of an arrival. */
enum {
	DATAGRAM_CONTROL_MAX = CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)),
};

struct datagram_arrival {
	struct in6_addr dst; /* :: where the kernel does not tell */
	unsigned ifindex;    /* 0: likewise */
	int hop_limit;       /* -1: likewise */
	bool fragmented;     /* it came in pieces; false: likewise */
};

/* group: as text. setsockopt(2)'s errors. */
int datagrams_join(int fd, const char *group, unsigned ifindex);

/* Out of a received message of a socket with IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT and
 * IPV6_RECVFRAGSIZE. Whatever its ancillary data says, nothing outside of it is read. */
struct datagram_arrival datagram_arrival(const struct msghdr *m);

/*
 * Sends n messages, `size` of them at a time: fill makes out[place] the one with this index. One
 * that the kernel refuses is passed over. How many were sent; ret_failed: how many were refused,
 * NULL is allowed.
 */
size_t datagrams_send(int fd, struct mmsghdr *out, size_t size,
		      void (*fill)(void *ctx, size_t place, size_t index), void *ctx, size_t n,
		      size_t *ret_failed);
