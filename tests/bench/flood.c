/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flood: one subscriber that sends as fast as its link takes it.
 *
 *   flood -i IFACE [-k KINDS] [-f WHAT] [-t SECONDS] [-r RATE]
 *
 * -k  what it sends, one after the other, of s (SOLICIT), q (REQUEST, of a prefix and an address,
 *     once the server's identifier is known from an ADVERTISE), r (router solicitation),
 *     n (neighbour solicitation for fe80::1) and y (RELAY-FORW around a SOLICIT); "s"
 * -f  what it makes up for each frame, of d (the DUID), a (the link-local source), m (the MAC, and
 *     with it the link-layer options) and x (a global source, of 2001:db8:bad::/48); none
 * -t  for how long, or until SIGTERM (10)
 * -r  frames a second (0: as many as go)
 *
 * The MAC is 02:f1:00:00:00:01 where it is not made up. Prints a line of JSON: what it sent, and
 * the answers that it saw.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME = 512, ETH = 14, IP6 = 40, UDP = 8, RELAY = 34 };
enum { SOLICIT = 1, ADVERTISE = 2, REQUEST = 3, RELAY_FORW = 12 };
enum { O_CLIENTID = 1, O_SERVERID = 2, O_IA_NA = 3, O_RELAY_MSG = 9, O_IA_PD = 25 };
enum { CLIENT_PORT = 546, SERVER_PORT = 547 };

static int fd;
static uint8_t frames[BATCH][FRAME];
static struct iovec iov[BATCH];
static struct mmsghdr out[BATCH];
static const char *kinds = "s", *forged = "";
static uint8_t server_id[130];
static size_t server_id_len;
static uint64_t answers;
static volatile sig_atomic_t told_to_end;

static const uint8_t all_servers[16] = { 0xff, 2, [13] = 1, 0, 2 };
static const uint8_t all_routers[16] = { 0xff, 2, [15] = 2 };
static const uint8_t router[16] = { 0xfe, 0x80, [15] = 1 };
static const uint8_t routers_group[16] = { 0xff, 2, [11] = 1, 0xff, [15] = 1 };

static uint64_t random64(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static bool forges(char what)
{
	return strchr(forged, what) != NULL;
}

static void put_be(uint8_t *p, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint8_t *opt(uint8_t *p, uint16_t code, size_t len, const void *data)
{
	put_be(p, code, 2);
	put_be(p + 2, (uint32_t)len, 2);
	memcpy(p + 4, data, len);
	return p + 4 + len;
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (; n > 1; n -= 2, p += 2)
		s += (uint32_t)(p[0] << 8 | p[1]);
	return n ? s + (uint32_t)(p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

/* --- what is sent. Each returns the bytes behind the IPv6 header. */

static size_t put_message(uint8_t *p, uint8_t type)
{
	const uint8_t *start = p;
	uint64_t who = forges('d') ? random64() : 1;
	uint8_t duid[10] = { 0, 3, 0, 1, 2 }, ia[12] = { [3] = 1 };
	memcpy(duid + 5, &who, 5);
	put_be(p, (uint32_t)random64(), 4);
	*p = type;
	p = opt(p + 4, O_CLIENTID, sizeof duid, duid);
	if (type == REQUEST)
		p = opt(p, O_SERVERID, server_id_len, server_id);
	p = opt(p, O_IA_PD, sizeof ia, ia);
	p = opt(p, O_IA_NA, sizeof ia, ia);
	return (size_t)(p - start);
}

static size_t put_dhcp6(uint8_t *u, uint8_t type, const uint8_t *src)
{
	uint8_t *p = u + UDP;
	size_t len;
	if (type == RELAY_FORW) {
		memset(p, 0, RELAY);
		p[0] = RELAY_FORW;
		memcpy(p + 18, src, 16);
		size_t inner = put_message(p + RELAY + 4, SOLICIT);
		put_be(p + RELAY, O_RELAY_MSG, 2);
		put_be(p + RELAY + 2, (uint32_t)inner, 2);
		len = UDP + RELAY + 4 + inner;
	} else {
		len = UDP + put_message(p, type);
	}
	put_be(u, type == RELAY_FORW ? SERVER_PORT : CLIENT_PORT, 2);
	put_be(u + 2, SERVER_PORT, 2);
	put_be(u + 4, (uint32_t)len, 2);
	return len;
}

static size_t put_nd(uint8_t *p, uint8_t type, const uint8_t *mac)
{
	size_t n = type == ND_NEIGHBOR_SOLICIT ? 24 : 8;
	memset(p, 0, n);
	p[0] = type;
	if (type == ND_NEIGHBOR_SOLICIT)
		memcpy(p + 8, router, 16);
	p[n] = ND_OPT_SOURCE_LINKADDR;
	p[n + 1] = 1;
	memcpy(p + n + 2, mac, 6);
	return n + 8;
}

static size_t compose(uint8_t *f, char kind)
{
	uint8_t *ip = f + ETH, *p = ip + IP6, *mac = f + 6;
	const uint64_t r = random64(), made = random64();
	const uint8_t *dst = kind == 'r' ? all_routers : kind == 'n' ? routers_group : all_servers;
	f[0] = f[1] = 0x33;
	memcpy(f + 2, dst + 12, 4);
	memcpy(mac, (const uint8_t[]){ 0x02, 0xf1, 0, 0, 0, 1 }, 6);
	if (forges('m'))
		memcpy(mac + 2, &r, 4);
	put_be(f + 12, ETHERTYPE_IPV6, 2);
	put_be(ip, 0x60000000, 4);
	ip[7] = 255;
	memset(ip + 8, 0, 16);
	ip[8] = 0xfe;
	ip[9] = 0x80;
	memcpy(ip + 18, mac, 6);
	if (forges('a') || forges('x'))
		memcpy(ip + 16, &made, 8);
	if (forges('x'))
		memcpy(ip + 8, (const uint8_t[]){ 0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad }, 6);
	memcpy(ip + 24, dst, 16);
	bool nd = kind == 'r' || kind == 'n';
	size_t len = nd ? put_nd(p, kind == 'r' ? ND_ROUTER_SOLICIT : ND_NEIGHBOR_SOLICIT, mac)
			: put_dhcp6(p,
				    kind == 'y'                    ? RELAY_FORW
				    : kind == 'q' && server_id_len ? REQUEST
								   : SOLICIT,
				    ip + 8);
	ip[6] = nd ? IPPROTO_ICMPV6 : IPPROTO_UDP;
	put_be(ip + 4, (uint32_t)len, 2);
	uint8_t *check = p + (nd ? 2 : 6);
	put_be(check, 0, 2);
	uint16_t c = (uint16_t)~fold(sum(sum((uint32_t)len + ip[6], ip + 8, 32), p, len));
	put_be(check, c ? c : 0xffff, 2);
	return ETH + IP6 + len;
}

/* --- what comes back */

static void note_server(const uint8_t *p, size_t len)
{
	for (size_t at = 4; at + 4 <= len;) {
		size_t n = (size_t)(p[at + 2] << 8 | p[at + 3]);
		if (p[at] == 0 && p[at + 1] == O_SERVERID && n <= sizeof server_id &&
		    at + 4 + n <= len) {
			memcpy(server_id, p + at + 4, n);
			server_id_len = n;
		}
		at += 4 + n;
	}
}

static void receive(void)
{
	uint8_t b[2048];
	ssize_t n;
	for (int i = 0; i < BATCH && (n = recv(fd, b, sizeof b, MSG_DONTWAIT)) > 0; i++) {
		if (n < ETH + IP6 + UDP + 4 || b[ETH + 6] != IPPROTO_UDP)
			continue;
		answers++;
		if (!server_id_len && b[ETH + IP6 + UDP] == ADVERTISE)
			note_server(b + ETH + IP6 + UDP, (size_t)n - ETH - IP6 - UDP);
	}
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t flood(double seconds, double rate)
{
	uint64_t n = 0;
	double begun = now_s(), t;
	size_t n_kinds = strlen(kinds);
	while (!told_to_end && (t = now_s()) - begun < seconds) {
		if (rate > 0 && (double)n > (t - begun) * rate) {
			(void)poll(NULL, 0, 1);
			receive();
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++)
			iov[i].iov_len = compose(frames[i], kinds[(n + i) % n_kinds]);
		int k = sendmmsg(fd, out, BATCH, 0);
		if (k > 0) {
			n += (uint64_t)k;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd p = { fd, POLLOUT, 0 };
			(void)poll(&p, 1, 1);
		} else if (errno != EINTR) {
			perror("sendmmsg");
			exit(1);
		}
		receive();
	}
	t = now_s() - begun;
	printf("{\"sent\":%llu,\"seconds\":%.2f,\"per_s\":%.0f,\"answers\":%llu}\n",
	       (unsigned long long)n, t, (double)n / t, (unsigned long long)answers);
	return n;
}

static void on_term(int signo)
{
	(void)signo;
	told_to_end = 1;
}

int main(int argc, char **argv)
{
	const char *ifname = NULL;
	double seconds = 10, rate = 0;
	int o, one = 1;
	while ((o = getopt(argc, argv, "i:k:f:t:r:")) != -1)
		switch (o) {
		case 'i':
			ifname = optarg;
			break;
		case 'k':
			kinds = optarg;
			break;
		case 'f':
			forged = optarg;
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 'r':
			rate = strtod(optarg, NULL);
			break;
		default:
			ifname = NULL;
			optind = argc;
			break;
		}
	if (!ifname || !*kinds || strspn(kinds, "sqrny") != strlen(kinds) ||
	    strspn(forged, "damx") != strlen(forged)) {
		fprintf(stderr, "see the head of flood.c\n");
		return 2;
	}
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i].iov_base = frames[i];
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (void *)&at, sizeof at) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0) {
		perror(ifname);
		return 1;
	}
	(void)signal(SIGTERM, on_term);
	return flood(seconds, rate) ? 0 : 1;
}
