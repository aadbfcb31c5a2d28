/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Echo requests on one interface, and their answers (RFC 4443 §4). What comes back is believed
 * where it holds what only we can have sent: identifier, instant and a keyed hash of both.
 */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>
#include <stdint.h>

enum { PING_BYTES = 24 }; /* header, instant, hash */

/* What a sender's requests have in common. */
struct ping_secret {
	uint8_t key[16];
	uint16_t identifier;
};

/* A request from its ICMPv6 header on, checksum 0. now_ns: any monotonic clock. */
void ping_build(const struct ping_secret *s, uint16_t seq, uint64_t now_ns,
		uint8_t ret_bytes[static PING_BYTES]);
/* An answer, from its ICMPv6 header on. False: not to one of ours. */
bool ping_parse(const struct ping_secret *s, struct rd packet, uint64_t now_ns, uint16_t *ret_seq,
		uint32_t *ret_rtt_us);

struct ping;

/* A raw socket that sees the interface's echo replies with our identifier alone; src is an address
 * of ours. -EPERM: no CAP_NET_RAW; -ENODEV, -EADDRNOTAVAIL, -ENOMEM. */
int ping_open(const char *ifname, const struct in6_addr *src, struct ping **ret_ping);
void ping_close(struct ping *p); /* NULL is allowed */
int ping_fd(const struct ping *p);
/* Without blocking. A negative errno: -EAGAIN where there is no room now; what WireGuard says where
 * it has no endpoint (-EDESTADDRREQ) or dst is of no allowed IP (-ENOKEY). */
int ping_send(struct ping *p, const struct in6_addr *dst, uint16_t seq);
/* The next answer, without blocking. 1; 0: there was none (any more), or a bounded number of
 * packets was read that are none; a negative errno. */
int ping_receive(struct ping *p, uint16_t *ret_seq, uint32_t *ret_rtt_us);
