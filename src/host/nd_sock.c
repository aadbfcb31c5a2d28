/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nd_sock.h"

#include "base/cleanup.h"
#include "host/sockopt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>

enum {
	SOCKET_BUFFER = 4 << 20, /* a thousand solicitations at one instant wait here */
	HOP_LIMIT = 255,         /* RFC 4861 §6.1 */
	CONTROL_MAX = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)),
};

struct nd_sock {
	int fd;
	unsigned ifindex;
	struct mmsghdr in[ND_SOCK_BATCH];
	struct iovec iov[ND_SOCK_BATCH];
	struct sockaddr_in6 from[ND_SOCK_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[ND_SOCK_BATCH][CONTROL_MAX];
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
	struct ipv6_mreq all_routers = { .ipv6mr_interface = ifindex };
	if (inet_pton(AF_INET6, "ff02::2", &all_routers.ipv6mr_multiaddr) != 1)
		return -EINVAL;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &all_routers, sizeof all_routers) < 0)
		return -errno;
	return 0;
}

int nd_sock_open(const char *ifname, unsigned ifindex, struct nd_sock **ret_sock)
{
	AUTO_CLOSE int fd =
		socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	int r = prepare(fd, ifname, ifindex);
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
	*ret_sock = s;
	return 0;
}

void nd_sock_close(struct nd_sock *s)
{
	if (!s)
		return;
	(void)close(s->fd); /* datagrams: nothing to flush */
	free(s);
}

int nd_sock_fd(const struct nd_sock *s)
{
	return s->fd;
}

static void read_control(struct msghdr *m, struct nd_packet *p)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof info);
			p->dst = info.ipi6_addr;
			p->ifindex = info.ipi6_ifindex;
		} else if (c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&p->hop_limit, CMSG_DATA(c), sizeof p->hop_limit);
		}
	}
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
		ret_packets[i] = (struct nd_packet){
			.bytes = s->packets[i],
			.len = s->in[i].msg_len,
			.hop_limit = -1,
			.src = s->from[i].sin6_addr,
		};
		read_control(&s->in[i].msg_hdr, &ret_packets[i]);
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
