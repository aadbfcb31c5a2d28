/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/ping.h"

#include "base/cleanup.h"
#include "base/siphash.h"
#include "host/sockopt.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

enum {
	AT_IDENTIFIER = 4, /* in the ICMPv6 header */
	FOREIGN_MAX = 64,  /* read at a time, so that a flood of them holds nobody up */
	RTT_MAX_US = 600000000,
};

struct ping {
	int fd;
	struct ping_secret secret;
};

static uint64_t proof(const struct ping_secret *s, uint16_t seq, uint64_t sent_ns)
{
	uint8_t said[2 + 2 + 8];
	struct wr w = wr_of(said, sizeof said);
	wr_be16(&w, s->identifier);
	wr_be16(&w, seq);
	wr_bytes(&w, &sent_ns, sizeof sent_ns);
	return siphash24(s->key, said, wr_len(&w));
}

void ping_build(const struct ping_secret *s, uint16_t seq, uint64_t now_ns,
		uint8_t ret_bytes[static PING_BYTES])
{
	struct wr w = wr_of(ret_bytes, PING_BYTES);
	uint64_t hash = proof(s, seq, now_ns);
	wr_u8(&w, ICMP6_ECHO_REQUEST);
	wr_u8(&w, 0);
	wr_be16(&w, 0); /* the kernel fills the checksum in */
	wr_be16(&w, s->identifier);
	wr_be16(&w, seq);
	wr_bytes(&w, &now_ns, sizeof now_ns);
	wr_bytes(&w, &hash, sizeof hash);
}

bool ping_parse(const struct ping_secret *s, struct rd packet, uint64_t now_ns, uint16_t *ret_seq,
		uint32_t *ret_rtt_us)
{
	uint64_t sent_ns = 0, hash = 0;
	uint8_t type = rd_u8(&packet), code = rd_u8(&packet);
	(void)rd_be16(&packet); /* the kernel has checked it */
	uint16_t identifier = rd_be16(&packet), seq = rd_be16(&packet);
	rd_bytes(&packet, &sent_ns, sizeof sent_ns);
	rd_bytes(&packet, &hash, sizeof hash);
	if (packet.bad || rd_left(&packet) > 0 || type != ICMP6_ECHO_REPLY || code != 0 ||
	    identifier != s->identifier || hash != proof(s, seq, sent_ns))
		return false;
	uint64_t rtt_us = now_ns > sent_ns ? (now_ns - sent_ns) / 1000 : 0;
	*ret_seq = seq;
	*ret_rtt_us = rtt_us < RTT_MAX_US ? (uint32_t)rtt_us : RTT_MAX_US;
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec ts = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* fails only for an unknown clock */
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Others' answers do not even wake us. */
static int see_our_answers_alone(int fd, uint16_t identifier)
{
	struct icmp6_filter types;
	ICMP6_FILTER_SETBLOCKALL(&types);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_IDENTIFIER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof types) < 0)
		return -errno;
	return sock_attach_filter(fd, code, ARRAY_LEN(code));
}

int ping_open(const char *ifname, const struct in6_addr *src, struct ping **ret_ping)
{
	struct ping_secret secret;
	const struct sockaddr_in6 from = { .sin6_family = AF_INET6, .sin6_addr = *src };
	if (getrandom(&secret, sizeof secret, 0) != (ssize_t)sizeof secret)
		return -EAGAIN;
	AUTO_CLOSE int fd =
		socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	int r = see_our_answers_alone(fd, secret.identifier);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1) <
		    0 ||
	    bind(fd, (const struct sockaddr *)&from, sizeof from) < 0)
		return -errno;
	struct ping *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->secret = secret;
	p->fd = take_fd(&fd);
	*ret_ping = p;
	return 0;
}

void ping_close(struct ping *p)
{
	if (!p)
		return;
	(void)close(p->fd); /* datagrams: nothing to flush */
	free(p);
}

int ping_fd(const struct ping *p)
{
	return p->fd;
}

int ping_send(struct ping *p, const struct in6_addr *dst, uint16_t seq)
{
	uint8_t bytes[PING_BYTES];
	const struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = *dst };
	ping_build(&p->secret, seq, now_ns(), bytes);
	ssize_t n = sendto(p->fd, bytes, sizeof bytes, MSG_DONTWAIT, (const struct sockaddr *)&to,
			   sizeof to);
	return n < 0 ? -errno : 0;
}

int ping_receive(struct ping *p, uint16_t *ret_seq, uint32_t *ret_rtt_us)
{
	uint8_t bytes[PING_BYTES];
	for (int foreign = 0; foreign < FOREIGN_MAX; foreign++) {
		/* MSG_TRUNC: the packet's own length, of which the rest is not read. */
		ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == PING_BYTES && ping_parse(&p->secret, rd_of(bytes, sizeof bytes), now_ns(),
						  ret_seq, ret_rtt_us))
			return 1;
	}
	return 0;
}
