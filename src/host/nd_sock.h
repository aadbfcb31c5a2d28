/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw ICMPv6 socket of a router on one link: router solicitations and other routers'
 * advertisements in, our advertisements out. (libndp's handle gives neither a packet's hop limit
 * and destination nor batches, and its parser would stand beside wire/nd's; what is left of it is
 * this socket, so it is not used.)
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum { ND_SOCK_BATCH = 64, ND_SOCK_PACKET_MAX = 1500, ND_SOCK_LLADDR = 6 };

struct nd_packet {
	const uint8_t *bytes; /* from the ICMPv6 header on; valid until the next receive */
	size_t len;
	int hop_limit; /* -1: unknown */
	unsigned ifindex;
	struct in6_addr src;
	struct in6_addr dst;
};

struct nd_sock;

/* Bound to the interface, a member of ff02::2, both hop limits 255. -EPERM: no CAP_NET_RAW. */
int nd_sock_open(const char *ifname, unsigned ifindex, struct nd_sock **ret_sock);
void nd_sock_close(struct nd_sock *s); /* NULL is allowed */
int nd_sock_fd(const struct nd_sock *s);
/* At most ND_SOCK_BATCH packets, without blocking. How many, 0: nothing, or a negative errno. Bad
 * checksums never get here. */
int nd_sock_receive(struct nd_sock *s, struct nd_packet ret_packets[static ND_SOCK_BATCH]);
/* From src, an address of ours on the link; the kernel fills the checksum in. 0 or a negative
 * errno. */
int nd_sock_send(struct nd_sock *s, const struct in6_addr *src, const struct in6_addr *dst,
		 const uint8_t *bytes, size_t len);
/*
 * The same in a frame to this Ethernet address, whatever the kernel knows of neighbours: it has
 * room for about a thousand of them in all of the host. -EOPNOTSUPP: the interface is no Ethernet.
 */
int nd_sock_send_frame(struct nd_sock *s, const struct in6_addr *src, const struct in6_addr *dst,
		       const uint8_t lladdr[static ND_SOCK_LLADDR], const uint8_t *bytes,
		       size_t len);
