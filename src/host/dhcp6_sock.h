/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UDP socket of a DHCPv6 server on one link (RFC 9915 §7.1, §7.2), read and written in batches.
 */
#pragma once

#include "host/datagrams.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	DHCP6_SOCK_BATCH = 128,
	DHCP6_SOCK_PACKET_MAX = 2048,
	DHCP6_SOCK_CONTROL_MAX = DATAGRAM_CONTROL_MAX,
};

struct dhcp6_packet {
	const uint8_t
		*bytes; /* in the buffers that the socket was given: valid until the next receive */
	size_t len;
	bool truncated;  /* longer than DHCP6_SOCK_PACKET_MAX */
	bool fragmented; /* it came in pieces */
	unsigned ifindex;
	int hop_limit; /* -1: unknown */
	uint16_t src_port;
	struct in6_addr src;
	struct in6_addr dst; /* :: where unknown */
};

struct dhcp6_out {
	const uint8_t *bytes;
	size_t len;
	struct in6_addr dst;
	uint16_t dst_port;
};

struct dhcp6_sock;

/*
 * Bound to the interface alone, port 547, a member of ff02::1:2 (and ff05::1:3, where relays send).
 * Belongs to the namespace in which it is opened. -EADDRINUSE: another DHCPv6 server is there;
 * -EACCES: no CAP_NET_BIND_SERVICE; -EPERM: no CAP_NET_RAW. Packets with extension headers, which
 * no client has a use for and of which nothing tells whose frame they came in, do not reach it.
 */
int dhcp6_sock_open(const char *ifname, unsigned ifindex, struct dhcp6_sock **ret_sock);
void dhcp6_sock_close(struct dhcp6_sock *s); /* NULL is allowed */
int dhcp6_sock_fd(const struct dhcp6_sock *s);
unsigned dhcp6_sock_ifindex(const struct dhcp6_sock *s);

/* What the kernel says of the packets that it receives. */
struct dhcp6_sock_memory {
	volatile bool
		open; /* set by dhcp6_sock_receive(); for whoever has taken what it gave to reset */
	struct mmsghdr in[DHCP6_SOCK_BATCH];
	struct sockaddr_in6 from[DHCP6_SOCK_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[DHCP6_SOCK_BATCH][DHCP6_SOCK_CONTROL_MAX];
};

/*
 * Where packets are received from now on: DHCP6_SOCK_BATCH buffers of DHCP6_SOCK_PACKET_MAX bytes,
 * each stride bytes after the one before. They and the memory belong to the caller, and outlive the
 * socket's use. Before the first dhcp6_sock_receive().
 */
void dhcp6_sock_receive_into(struct dhcp6_sock *s, struct dhcp6_sock_memory *memory, uint8_t *first,
			     size_t stride);
/*
 * What another process's latest dhcp6_sock_receive() left in its memory, which may be anything: the
 * packet of this place (whose bytes are where that one received them: NULL here), unless there was
 * none or it was empty.
 */
bool dhcp6_sock_left(const struct dhcp6_sock_memory *left, size_t at,
		     struct dhcp6_packet *ret_packet);

/* What waits, at most DHCP6_SOCK_BATCH packets, without blocking. How many; 0: nothing; -ENETDOWN
 * and others of recvmmsg(2). */
int dhcp6_sock_receive(struct dhcp6_sock *s,
		       struct dhcp6_packet ret_packets[static DHCP6_SOCK_BATCH]);
/*
 * Sends n answers. A send that the kernel refuses is passed over (its client asks again) and
 * counted in *ret_failed (may be NULL). How many left.
 */
size_t dhcp6_sock_send(struct dhcp6_sock *s, const struct dhcp6_out *out, size_t n,
		       size_t *ret_failed);
