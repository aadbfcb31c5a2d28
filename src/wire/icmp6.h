/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMPv6 errors (RFC 4443), as whole IPv6 packets: for those whom the kernel would not answer. */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>
#include <stdbool.h>

enum {
	ICMP6_UNREACHABLE = 1,
	ICMP6_SOURCE_POLICY = 5, /* source address failed ingress/egress policy */
	ICMP6_ERROR_MAX = 1280,  /* RFC 4443 §2.4 (c) */
};

/* The addresses of an IPv6 packet. False where it is none, or too short to tell. */
bool icmp6_addresses(struct rd packet, struct in6_addr *ret_src, struct in6_addr *ret_dst);
/*
 * Destination Unreachable with this code, from `src` to the packet's source, with as much of the
 * packet as fits ICMP6_ERROR_MAX. False where none is to be sent (RFC 4443 §2.4 e): to an ICMPv6
 * error or Redirect, to a packet for or from a group of addresses, or to what is no packet.
 */
bool icmp6_unreachable(struct wr *w, const struct in6_addr *src, uint8_t code, struct rd packet);
