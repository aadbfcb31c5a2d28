/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that the filter reports: a subscriber's bytes, inside of netlink's. The first byte
 * chooses whether the input is a datagram as it is, or the packet in a datagram as the kernel makes
 * it. Who sent it is noted in a table that stays bounded, and the ICMPv6 error that answers it is
 * one of RFC 4443 §2.4: never to a group, to an error or to more than 1280 bytes, with its checksum
 * right.
 */
#include "fuzz/fuzz.h"
#include "daemon/offenders.h"
#include "host/nflog.h"
#include "wire/icmp6.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 12 << 10, QUOTED_AT = 48, LLADDR = 6 };

static struct offenders offenders;
static uint64_t now_ms;
static unsigned told;

/* --- the answer
 * --------------------------------------------------------------------------------------------- */

/* RFC 8200 §8.1, as a receiver does it: all of it together is 0xffff. */
static bool checksum_right(const uint8_t *packet, size_t len)
{
	uint64_t sum = 58 + (len - 40);
	for (size_t i = 8; i < len; i++)
		sum += i & 1 ? packet[i] : (uint64_t)packet[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void check_answer(struct rd packet)
{
	static const struct in6_addr us = { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	uint8_t bytes[ICMP6_ERROR_MAX];
	struct wr w = wr_of(bytes, sizeof bytes);
	const uint8_t *asked = packet.p;
	size_t asked_len = rd_left(&packet);
	if (!icmp6_unreachable(&w, &us, ICMP6_SOURCE_POLICY, packet))
		return;
	size_t len = wr_len(&w);
	FUZZ_CHECK(asked_len >= 40 && asked[0] >> 4 == 6);
	FUZZ_CHECK(len <= ICMP6_ERROR_MAX && len >= QUOTED_AT + 40);
	FUZZ_CHECK(len == QUOTED_AT + asked_len || len == ICMP6_ERROR_MAX);
	FUZZ_CHECK(asked[24] != 0xff && asked[8] != 0xff); /* no group on either side */
	FUZZ_CHECK(asked[6] != 58 || (asked_len > 40 && asked[40] >= 128 && asked[40] != 137));
	FUZZ_CHECK(bytes[0] >> 4 == 6 && bytes[6] == 58 && bytes[40] == 1 && bytes[41] == 5);
	FUZZ_CHECK((size_t)(bytes[4] << 8 | bytes[5]) == len - 40);
	FUZZ_CHECK(memcmp(bytes + 8, &us, 16) == 0 && memcmp(bytes + 24, asked + 8, 16) == 0);
	FUZZ_CHECK(memcmp(bytes + QUOTED_AT, asked, len - QUOTED_AT) == 0);
	FUZZ_CHECK(checksum_right(bytes, len));
}

/* --- the table
 * ---------------------------------------------------------------------------------------------- */

static void check_table(void)
{
	size_t order[OFFENDERS_MAX];
	FUZZ_CHECK(offenders.n <= OFFENDERS_MAX);
	for (size_t i = 0; i < offenders.n; i++) {
		const struct offender *a = &offenders.slots[i];
		unsigned of_station = 0;
		FUZZ_CHECK(a->n > 0 && a->first_ms <= a->last_ms && a->last_ms <= now_ms);
		for (size_t k = 0; k < offenders.n; k++) {
			const struct offender *b = &offenders.slots[k];
			bool same = memcmp(a->lladdr, b->lladdr, sizeof a->lladdr) == 0;
			of_station += same;
			FUZZ_CHECK(i == k || !same || memcmp(&a->src, &b->src, sizeof a->src) != 0);
		}
		FUZZ_CHECK(of_station <= OFFENDERS_PER_STATION);
	}
	offenders_by_time(&offenders, order);
	for (size_t i = 1; i < offenders.n; i++)
		FUZZ_CHECK(order[i] < offenders.n && offenders.slots[order[i - 1]].last_ms >=
							     offenders.slots[order[i]].last_ms);
}

static void on_packet(void *ctx, const struct nflog_packet *p)
{
	(void)ctx;
	static uint8_t copy[DATAGRAM_MAX];
	struct offender seen = { .taken = strcmp(p->prefix, "taken") == 0 };
	FUZZ_CHECK(memchr(p->prefix, '\0', sizeof p->prefix));
	FUZZ_CHECK(p->lladdr_len <= NFLOG_LLADDR_MAX);
	/* All of them can be read. */
	if (p->len > 0)
		memcpy(copy, p->bytes, p->len);
	told++;
	struct rd packet = rd_of(p->bytes, p->len);
	if (!icmp6_addresses(packet, &seen.src, &seen.dst))
		return;
	if (p->lladdr_len == sizeof seen.lladdr)
		memcpy(seen.lladdr, p->lladdr, sizeof seen.lladdr);
	(void)offenders_note(&offenders, &seen, ++now_ms); /* whether to tell of it */
	check_table();
	check_answer(packet);
}

/* --- the datagram
 * ------------------------------------------------------------------------------------------- */

struct datagram {
	size_t len;
	_Alignas(struct nlmsghdr) uint8_t bytes[DATAGRAM_MAX];
};

static size_t aligned(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static void put_attr(struct datagram *d, uint16_t type, const void *bytes, size_t len)
{
	const struct nlattr a = { .nla_len = (uint16_t)(sizeof a + len), .nla_type = type };
	FUZZ_CHECK(d->len + sizeof a + aligned(len) <= sizeof d->bytes);
	memcpy(d->bytes + d->len, &a, sizeof a);
	if (len > 0)
		memcpy(d->bytes + d->len + sizeof a, bytes, len);
	d->len += sizeof a + aligned(len);
}

/* As the kernel would report these packets: each begins with the sender's last byte and a length of
 * eight bytes each. */
static void reported(struct datagram *d, const uint8_t *at, const uint8_t *end)
{
	static const char *const prefixes[] = { "foreign", "taken", "", "longer than it can be" };
	while (end - at >= 3 && d->len < DATAGRAM_MAX / 2) {
		struct nlmsghdr h = { .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET };
		const struct nfgenmsg g = { .nfgen_family = AF_INET6 };
		struct nfulnl_msg_packet_hw hw = { .hw_addrlen = htons(at[1] & 64 ? at[1] : LLADDR),
						   .hw_addr = { 2, 0, 0, 0, 0, at[0] } };
		const char *prefix = prefixes[at[1] & 3];
		size_t begin = d->len, len = (size_t)at[2] * 8 + (at[1] >> 2 & 7);
		at += 3;
		len = len < (size_t)(end - at) ? len : (size_t)(end - at);
		memset(d->bytes + begin, 0, sizeof h + sizeof g);
		d->len += sizeof h;
		memcpy(d->bytes + d->len, &g, sizeof g);
		d->len += aligned(sizeof g);
		put_attr(d, NFULA_PREFIX, prefix, strlen(prefix) + 1);
		put_attr(d, NFULA_HWADDR, &hw, sizeof hw);
		put_attr(d, NFULA_PAYLOAD, at, len);
		h.nlmsg_len = (uint32_t)(d->len - begin);
		memcpy(d->bytes + begin, &h, sizeof h);
		at += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct datagram d;
	static int ends[2] = { -1, -1 };
	if (ends[0] < 0)
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				      ends) == 0);
	offenders = (struct offenders){ 0 };
	now_ms = 1000;
	told = 0;
	d.len = 0;
	if (size == 0)
		return 0;
	if (data[0] & 1) {
		d.len = size - 1;
		if (d.len > 0)
			memcpy(d.bytes, data + 1, d.len);
	} else {
		reported(&d, data + 1, data + size);
	}
	if (d.len == 0)
		return 0;
	FUZZ_CHECK(send(ends[1], d.bytes, d.len, 0) == (ssize_t)d.len);
	nflog_receive(ends[0], on_packet, NULL);
	FUZZ_CHECK(data[0] & 1 || size < 4 || told > 0);
	/* And without netlink, of exactly this length, for a sanitizer to see its end. */
	check_answer(rd_of(data, size));
	return 0;
}
