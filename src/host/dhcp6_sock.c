/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/dhcp6_sock.h"

#include "base/cleanup.h"
#include "base/pages.h"
#include "host/datagrams.h"
#include "host/sockopt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PORT = 547,
	SOCKET_BUFFER =
		16 << 20, /* a street of CPEs that boot at once waits here, and is not lost */
};

struct dhcp6_sock {
	int fd;
	unsigned ifindex;
	struct dhcp6_sock_memory *memory;
	struct iovec in_iov[DHCP6_SOCK_BATCH];
	struct mmsghdr out[DHCP6_SOCK_BATCH];
	struct iovec out_iov[DHCP6_SOCK_BATCH];
	struct sockaddr_in6 to[DHCP6_SOCK_BATCH];
};

/* Nothing between IPv6's header and UDP's. What came in pieces has been put together by then. */
static int attach_filter(int fd)
{
	enum { NEXT_HEADER = offsetof(struct ip6_hdr, ip6_nxt) };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + NEXT_HEADER)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	return sock_attach_filter(fd, code, ARRAY_LEN(code));
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
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1);
	if (r == 0)
		r = attach_filter(fd);
	if (r < 0)
		return r;
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	r = datagrams_join(fd, "ff02::1:2", ifindex);
	return r < 0 ? r : datagrams_join(fd, "ff05::1:3", ifindex);
}

int dhcp6_sock_open(const char *ifname, unsigned ifindex, struct dhcp6_sock **ret_sock)
{
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = prepare(fd, ifname, ifindex);
	if (r < 0)
		return r;
	struct dhcp6_sock *s = (struct dhcp6_sock *)pages_new(sizeof *s, false);
	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < DHCP6_SOCK_BATCH; i++) {
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
	pages_free(s, sizeof *s);
}

int dhcp6_sock_fd(const struct dhcp6_sock *s)
{
	return s->fd;
}

unsigned dhcp6_sock_ifindex(const struct dhcp6_sock *s)
{
	return s->ifindex;
}

void dhcp6_sock_receive_into(struct dhcp6_sock *s, struct dhcp6_sock_memory *memory, uint8_t *first,
			     size_t stride)
{
	s->memory = memory;
	for (size_t i = 0; i < DHCP6_SOCK_BATCH; i++) {
		s->in_iov[i] = (struct iovec){ first + i * stride, DHCP6_SOCK_PACKET_MAX };
		memory->in[i].msg_hdr = (struct msghdr){ .msg_iov = &s->in_iov[i],
							 .msg_iovlen = 1,
							 .msg_name = &memory->from[i],
							 .msg_control = memory->control[i] };
	}
}

static struct dhcp6_packet packet_of(const struct mmsghdr *in, const struct sockaddr_in6 *from,
				     const uint8_t *bytes)
{
	const struct datagram_arrival a = datagram_arrival(&in->msg_hdr);
	return (struct dhcp6_packet){
		.bytes = bytes,
		.len = in->msg_len,
		.truncated = in->msg_hdr.msg_flags & MSG_TRUNC,
		.fragmented = a.fragmented,
		.hop_limit = a.hop_limit,
		.ifindex = a.ifindex,
		.dst = a.dst,
		.src = from->sin6_addr,
		.src_port = ntohs(from->sin6_port),
	};
}

int dhcp6_sock_receive(struct dhcp6_sock *s,
		       struct dhcp6_packet ret_packets[static DHCP6_SOCK_BATCH])
{
	struct dhcp6_sock_memory *m = s->memory;
	for (size_t i = 0; i < DHCP6_SOCK_BATCH; i++) {
		m->in[i].msg_len = 0;
		m->in[i].msg_hdr.msg_namelen = sizeof m->from[i];
		m->in[i].msg_hdr.msg_controllen = sizeof m->control[i];
	}
	/* Not before all of what is older is away. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	m->open = true;
	int n = recvmmsg(s->fd, m->in, DHCP6_SOCK_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		ret_packets[i] =
			packet_of(&m->in[i], &m->from[i], (const uint8_t *)s->in_iov[i].iov_base);
	return n;
}

bool dhcp6_sock_left(const struct dhcp6_sock_memory *left, size_t at,
		     struct dhcp6_packet *ret_packet)
{
	struct mmsghdr in = left->in[at];
	const struct sockaddr_in6 from = left->from[at];
	_Alignas(struct cmsghdr) uint8_t control[DHCP6_SOCK_CONTROL_MAX];
	memcpy(control, left->control[at], sizeof control);
	in.msg_hdr.msg_control = control;
	if (in.msg_hdr.msg_controllen > sizeof control)
		in.msg_hdr.msg_controllen = sizeof control;
	if (!left->open || in.msg_len == 0 || in.msg_len > DHCP6_SOCK_PACKET_MAX ||
	    from.sin6_family != AF_INET6)
		return false;
	*ret_packet = packet_of(&in, &from, NULL);
	return true;
}

struct sending {
	struct dhcp6_sock *s;
	const struct dhcp6_out *out;
};

static void fill(void *ctx, size_t place, size_t index)
{
	const struct sending *sending = (const struct sending *)ctx;
	struct dhcp6_sock *s = sending->s;
	const struct dhcp6_out *o = &sending->out[index];
	s->to[place] = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(o->dst_port),
		.sin6_addr = o->dst,
		.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&o->dst) ? s->ifindex : 0,
	};
	/* sendmmsg takes what it does not change as non-const */
	s->out_iov[place] = (struct iovec){ (void *)(uintptr_t)o->bytes, o->len };
}

size_t dhcp6_sock_send(struct dhcp6_sock *s, const struct dhcp6_out *out, size_t n,
		       size_t *ret_failed)
{
	struct sending sending = { s, out };
	return datagrams_send(s->fd, s->out, DHCP6_SOCK_BATCH, fill, &sending, n, ret_failed);
}
