/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/dhcp6_sock.h"

#include "base/cleanup.h"
#include "host/sockopt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PORT = 547,
	SOCKET_BUFFER =
		16 << 20, /* a street of CPEs that boot at once waits here, and is not lost */
	CONTROL_MAX = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)),
};

struct dhcp6_sock {
	int fd;
	unsigned ifindex;
	struct mmsghdr in[DHCP6_SOCK_BATCH];
	struct iovec in_iov[DHCP6_SOCK_BATCH];
	struct sockaddr_in6 from[DHCP6_SOCK_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[DHCP6_SOCK_BATCH][CONTROL_MAX];
	struct mmsghdr out[DHCP6_SOCK_BATCH];
	struct iovec out_iov[DHCP6_SOCK_BATCH];
	struct sockaddr_in6 to[DHCP6_SOCK_BATCH];
	uint8_t packets[DHCP6_SOCK_BATCH][DHCP6_SOCK_PACKET_MAX]; /* last: pages that no packet
								     reached cost nothing */
};

static int join(int fd, const char *group, unsigned ifindex)
{
	struct ipv6_mreq m = { .ipv6mr_interface = ifindex };
	if (inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr) != 1)
		return -EINVAL;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof m) < 0 ? -errno : 0;
}

static int prepare(int fd, const char *ifname, unsigned ifindex)
{
	sock_set_buffers(fd, SOCKET_BUFFER, SOCKET_BUFFER);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1) < 0)
		return -errno;
	int r = sock_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	if (r < 0)
		return r;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	r = join(fd, "ff02::1:2", ifindex);
	return r < 0 ? r : join(fd, "ff05::1:3", ifindex);
}

int dhcp6_sock_open(const char *ifname, unsigned ifindex, struct dhcp6_sock **ret_sock)
{
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = prepare(fd, ifname, ifindex);
	if (r < 0)
		return r;
	struct dhcp6_sock *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < DHCP6_SOCK_BATCH; i++) {
		s->in_iov[i] = (struct iovec){ s->packets[i], sizeof s->packets[i] };
		s->in[i].msg_hdr.msg_iov = &s->in_iov[i];
		s->in[i].msg_hdr.msg_iovlen = 1;
		s->in[i].msg_hdr.msg_name = &s->from[i];
		s->in[i].msg_hdr.msg_control = s->control[i];
		s->out[i].msg_hdr.msg_iov = &s->out_iov[i];
		s->out[i].msg_hdr.msg_iovlen = 1;
		s->out[i].msg_hdr.msg_name = &s->to[i];
		s->out[i].msg_hdr.msg_namelen = sizeof s->to[i];
	}
	s->ifindex = ifindex;
	s->fd = take_fd(&fd);
	*ret_sock = s;
	return 0;
}

void dhcp6_sock_close(struct dhcp6_sock *s)
{
	if (!s)
		return;
	(void)close(s->fd); /* datagrams: nothing to flush */
	free(s);
}

int dhcp6_sock_fd(const struct dhcp6_sock *s)
{
	return s->fd;
}

static void read_control(struct msghdr *m, struct dhcp6_packet *p)
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

int dhcp6_sock_receive(struct dhcp6_sock *s,
		       struct dhcp6_packet ret_packets[static DHCP6_SOCK_BATCH])
{
	for (size_t i = 0; i < DHCP6_SOCK_BATCH; i++) {
		s->in[i].msg_hdr.msg_namelen = sizeof s->from[i];
		s->in[i].msg_hdr.msg_controllen = sizeof s->control[i];
	}
	int n = recvmmsg(s->fd, s->in, DHCP6_SOCK_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		ret_packets[i] = (struct dhcp6_packet){
			.bytes = s->packets[i],
			.len = s->in[i].msg_len,
			.truncated = s->in[i].msg_hdr.msg_flags & MSG_TRUNC,
			.hop_limit = -1,
			.src = s->from[i].sin6_addr,
			.src_port = ntohs(s->from[i].sin6_port),
		};
		read_control(&s->in[i].msg_hdr, &ret_packets[i]);
	}
	return n;
}

size_t dhcp6_sock_send(struct dhcp6_sock *s, const struct dhcp6_out *out, size_t n,
		       size_t *ret_failed)
{
	size_t sent = 0, failed = 0;
	while (sent + failed < n) {
		size_t at = sent + failed,
		       m = n - at < DHCP6_SOCK_BATCH ? n - at : DHCP6_SOCK_BATCH;
		for (size_t i = 0; i < m; i++) {
			const struct dhcp6_out *o = &out[at + i];
			s->to[i] = (struct sockaddr_in6){
				.sin6_family = AF_INET6,
				.sin6_port = htons(o->dst_port),
				.sin6_addr = o->dst,
				.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&o->dst) ? s->ifindex : 0
			};
			/* sendmmsg takes what it does not change as non-const */
			s->out_iov[i] = (struct iovec){ (void *)(uintptr_t)o->bytes, o->len };
		}
		int k = sendmmsg(s->fd, s->out, (unsigned)m, 0);
		if (k > 0)
			sent += (size_t)k;
		else if (errno != EINTR)
			failed++; /* the first of them is the one that was refused */
	}
	if (ret_failed)
		*ret_failed = failed;
	return sent;
}
