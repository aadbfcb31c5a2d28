/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/icmp6.h"

#include <string.h>

enum {
	HEADER_BYTES = 40,
	ERROR_BYTES = 8, /* type, code, checksum, unused */
	HOP_LIMIT = 64,
	NEXT_ICMP6 = 58,
	NEXT_FRAGMENT = 44,
	INFORMATIONAL = 128, /* the first type that is no error */
	REDIRECT = 137,
	HEADERS_MAX = 8, /* of extension headers that are passed over */
};

bool icmp6_addresses(struct rd packet, struct in6_addr *ret_src, struct in6_addr *ret_dst)
{
	uint32_t first = rd_be32(&packet);
	(void)rd_be32(&packet); /* payload length, next header, hop limit */
	struct in6_addr src = rd_in6(&packet), dst = rd_in6(&packet);
	if (packet.bad || first >> 28 != 6)
		return false;
	*ret_src = src;
	*ret_dst = dst;
	return true;
}

/* Hop-by-hop options, routing, destination options: those that tell their length alike. */
static bool skippable(uint8_t next)
{
	return next == 0 || next == 43 || next == 60;
}

/* Whether it is, or may be, an ICMPv6 error or a Redirect: of a later fragment nobody knows. */
static bool is_error(struct rd packet)
{
	(void)rd_take(&packet, 6);
	uint8_t next = rd_u8(&packet);
	(void)rd_take(&packet, HEADER_BYTES - 7);
	for (int i = 0; i < HEADERS_MAX && (skippable(next) || next == NEXT_FRAGMENT); i++) {
		bool fragment = next == NEXT_FRAGMENT;
		next = rd_u8(&packet);
		uint8_t units = rd_u8(&packet);
		uint16_t offset = rd_be16(&packet) >> 3;
		(void)rd_take(&packet, fragment ? 4 : 4 + 8 * (size_t)units);
		if (fragment && offset)
			return next == NEXT_ICMP6;
	}
	uint8_t type = rd_u8(&packet);
	return packet.bad || skippable(next) ||
	       (next == NEXT_ICMP6 && (type < INFORMATIONAL || type == REDIRECT));
}

/* RFC 1071. bytes from an even offset on. */
static uint32_t sum(uint32_t s, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return s;
}

static uint16_t checksum(const uint8_t *addresses, const uint8_t *upper, size_t len)
{
	uint32_t s = sum((uint32_t)len + NEXT_ICMP6, addresses, 2 * sizeof(struct in6_addr));
	s = sum(s, upper, len); /* at most 1240 bytes: no overflow */
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

bool icmp6_unreachable(struct wr *w, const struct in6_addr *src, uint8_t code, struct rd packet)
{
	struct in6_addr to, of;
	size_t quoted = rd_left(&packet);
	if (quoted > ICMP6_ERROR_MAX - HEADER_BYTES - ERROR_BYTES)
		quoted = ICMP6_ERROR_MAX - HEADER_BYTES - ERROR_BYTES;
	if (!icmp6_addresses(packet, &to, &of) || IN6_IS_ADDR_MULTICAST(&of) ||
	    IN6_IS_ADDR_MULTICAST(&to) || IN6_IS_ADDR_UNSPECIFIED(&to) || is_error(packet))
		return false;
	size_t begin = wr_len(w);
	wr_be32(w, UINT32_C(6) << 28);
	wr_be16(w, (uint16_t)(ERROR_BYTES + quoted));
	wr_u8(w, NEXT_ICMP6);
	wr_u8(w, HOP_LIMIT);
	wr_in6(w, src);
	wr_in6(w, &to);
	wr_u8(w, ICMP6_UNREACHABLE);
	wr_u8(w, code);
	wr_zero(w, ERROR_BYTES - 2);
	wr_bytes(w, rd_take(&packet, quoted), quoted);
	if (w->full)
		return false;
	const uint8_t *at = w->start + begin;
	wr_patch_be16(w, begin + HEADER_BYTES + 2,
		      checksum(at + 8, at + HEADER_BYTES, ERROR_BYTES + quoted));
	return true;
}
