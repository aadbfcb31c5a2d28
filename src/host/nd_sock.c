/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nd_sock.h"

#include "base/cleanup.h"
#include "host/checksum.h"
#include "host/datagrams.h"
#include "host/sockopt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	SOCKET_BUFFER = 4 << 20, /* a thousand solicitations at one instant wait here */
	HOP_LIMIT = 255,         /* RFC 4861 §6.1 */
};

struct nd_sock {
	int fd;
	int frames_fd; /* a packet socket that only sends; -1: no Ethernet */
	unsigned ifindex;
	struct mmsghdr in[ND_SOCK_BATCH];
	struct iovec iov[ND_SOCK_BATCH];
	struct sockaddr_in6 from[ND_SOCK_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[ND_SOCK_BATCH][DATAGRAM_CONTROL_MAX];
	uint8_t packets[ND_SOCK_BATCH][ND_SOCK_PACKET_MAX];
};

static int prepare(int fd, const char *ifname, unsigned ifindex)
{
	sock_set_buffers(fd, SOCKET_BUFFER, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1) < 0)
		return -errno;
	struct icmp6_filter filter;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) < 0)
		return -errno;
	static const struct {
		int option, value;
	} options[] = {
		{ IPV6_UNICAST_HOPS, HOP_LIMIT }, { IPV6_MULTICAST_HOPS, HOP_LIMIT },
		{ IPV6_MULTICAST_LOOP, 0 },       { IPV6_RECVPKTINFO, 1 },
		{ IPV6_RECVHOPLIMIT, 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int r = sock_set_int(fd, IPPROTO_IPV6, options[i].option, options[i].value);
		if (r < 0)
			return r;
	}
	return datagrams_join(fd, "ff02::2", ifindex);
}

/* Protocol 0: nothing arrives at it. *ret_fd is -1 where the interface is no Ethernet. */
static int open_frames(const char *ifname, int *ret_fd)
{
	struct ifreq q = { 0 };
	memcpy(q.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	AUTO_CLOSE int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &q) < 0)
		return -errno;
	sock_set_buffers(fd, 0, SOCKET_BUFFER);
	*ret_fd = q.ifr_hwaddr.sa_family == ARPHRD_ETHER ? take_fd(&fd) : -1;
	return 0;
}

int nd_sock_open(const char *ifname, unsigned ifindex, struct nd_sock **ret_sock)
{
	AUTO_CLOSE int fd =
		socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	AUTO_CLOSE int frames_fd = -1;
	int r = prepare(fd, ifname, ifindex);
	if (r == 0)
		r = open_frames(ifname, &frames_fd);
	if (r < 0)
		return r;
	struct nd_sock *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < ND_SOCK_BATCH; i++) {
		s->iov[i] = (struct iovec){ s->packets[i], sizeof s->packets[i] };
		s->in[i].msg_hdr.msg_iov = &s->iov[i];
		s->in[i].msg_hdr.msg_iovlen = 1;
		s->in[i].msg_hdr.msg_name = &s->from[i];
		s->in[i].msg_hdr.msg_control = s->control[i];
	}
	s->ifindex = ifindex;
	s->fd = take_fd(&fd);
	s->frames_fd = take_fd(&frames_fd);
	*ret_sock = s;
	return 0;
}

void nd_sock_close(struct nd_sock *s)
{
	if (!s)
		return;
	(void)close(s->fd); /* datagrams: nothing to flush */
	if (s->frames_fd >= 0)
		(void)close(s->frames_fd); /* likewise */
	free(s);
}

int nd_sock_fd(const struct nd_sock *s)
{
	return s->fd;
}

int nd_sock_receive(struct nd_sock *s, struct nd_packet ret_packets[static ND_SOCK_BATCH])
{
	for (size_t i = 0; i < ND_SOCK_BATCH; i++) {
		s->in[i].msg_hdr.msg_namelen = sizeof s->from[i];
		s->in[i].msg_hdr.msg_controllen = sizeof s->control[i];
	}
	int n = recvmmsg(s->fd, s->in, ND_SOCK_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		const struct datagram_arrival a = datagram_arrival(&s->in[i].msg_hdr);
		ret_packets[i] = (struct nd_packet){
			.bytes = s->packets[i],
			.len = s->in[i].msg_len,
			.hop_limit = a.hop_limit,
			.ifindex = a.ifindex,
			.src = s->from[i].sin6_addr,
			.dst = a.dst,
		};
	}
	return n;
}

int nd_sock_send(struct nd_sock *s, const struct in6_addr *src, const struct in6_addr *dst,
		 const uint8_t *bytes, size_t len)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_addr = *dst,
				   .sin6_scope_id = s->ifindex };
	struct iovec iov = { (void *)(uintptr_t)bytes, len }; /* sendmsg does not change it */
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof to,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
	struct in6_pktinfo info = { .ipi6_addr = *src, .ipi6_ifindex = s->ifindex };
	memcpy(CMSG_DATA(c), &info, sizeof info);
	return sendmsg(s->fd, &m, 0) < 0 ? -errno : 0;
}

static uint16_t checksum(const struct ip6_hdr *ip6, const uint8_t *bytes, size_t len)
{
	const struct {
		uint32_t len;
		uint8_t zero[3], next;
	} pseudo = { .len = htonl((uint32_t)len), .next = IPPROTO_ICMPV6 };
	uint64_t s = checksum_add(0, &ip6->ip6_src, 2 * sizeof ip6->ip6_src);
	s = checksum_add(s, &pseudo, sizeof pseudo);
	return checksum_end(checksum_add(s, bytes, len));
}

int nd_sock_send_frame(struct nd_sock *s, const struct in6_addr *src, const struct in6_addr *dst,
		       const uint8_t lladdr[static ND_SOCK_LLADDR], const uint8_t *bytes,
		       size_t len)
{
	struct {
		struct ip6_hdr ip6;
		struct icmp6_hdr icmp6;
	} h = { .ip6 = { .ip6_src = *src, .ip6_dst = *dst } };
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)s->ifindex,
				  .sll_halen = ND_SOCK_LLADDR };
	if (s->frames_fd < 0)
		return -EOPNOTSUPP;
	if (len < sizeof h.icmp6 || len > UINT16_MAX)
		return -EINVAL;
	memcpy(to.sll_addr, lladdr, ND_SOCK_LLADDR);
	h.ip6.ip6_vfc = 6 << 4;
	h.ip6.ip6_plen = htons((uint16_t)len);
	h.ip6.ip6_nxt = IPPROTO_ICMPV6;
	h.ip6.ip6_hlim = HOP_LIMIT;
	memcpy(&h.icmp6, bytes, sizeof h.icmp6);
	h.icmp6.icmp6_cksum = checksum(&h.ip6, bytes, len);
	struct iovec iov[] = {
		{ &h, sizeof h },
		/* sendmsg does not change it */
		{ (void *)(uintptr_t)(bytes + sizeof h.icmp6), len - sizeof h.icmp6 },
	};
	const struct msghdr m = { .msg_name = &to,
				  .msg_namelen = sizeof to,
				  .msg_iov = iov,
				  .msg_iovlen = ARRAY_LEN(iov) };
	return sendmsg(s->frames_fd, &m, 0) < 0 ? -errno : 0;
}
