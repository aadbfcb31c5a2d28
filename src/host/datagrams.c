/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/datagrams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

int datagrams_join(int fd, const char *group, unsigned ifindex)
{
	struct ipv6_mreq m = { .ipv6mr_interface = ifindex };
	if (inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr) != 1)
		return -EINVAL;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof m) < 0 ? -errno : 0;
}

/* The data of this type that is wholly there. */
static bool holds(const struct msghdr *m, const struct cmsghdr *c, int type, size_t len)
{
	const size_t left =
		m->msg_controllen - (size_t)((const uint8_t *)c - (const uint8_t *)m->msg_control);
	return c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == type &&
	       c->cmsg_len >= CMSG_LEN(len) && left >= CMSG_LEN(len);
}

struct datagram_arrival datagram_arrival(const struct msghdr *m)
{
	struct datagram_arrival a = { .hop_limit = -1 };
	struct msghdr h = *m; /* CMSG_NXTHDR wants one that may be changed */
	struct in6_pktinfo info;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (holds(m, c, IPV6_PKTINFO, sizeof info)) {
			memcpy(&info, CMSG_DATA(c), sizeof info);
			a.dst = info.ipi6_addr;
			a.ifindex = info.ipi6_ifindex;
		} else if (holds(m, c, IPV6_HOPLIMIT, sizeof a.hop_limit)) {
			memcpy(&a.hop_limit, CMSG_DATA(c), sizeof a.hop_limit);
		} else if (holds(m, c, IPV6_RECVFRAGSIZE, sizeof(int))) {
			a.fragmented = true; /* the kernel tells the size of no others */
		}
	}
	return a;
}

size_t datagrams_send(int fd, struct mmsghdr *out, size_t size,
		      void (*fill)(void *ctx, size_t place, size_t index), void *ctx, size_t n,
		      size_t *ret_failed)
{
	size_t sent = 0, failed = 0;
	while (sent + failed < n) {
		size_t at = sent + failed, m = n - at < size ? n - at : size;
		for (size_t i = 0; i < m; i++)
			fill(ctx, i, at + i);
		int k = sendmmsg(fd, out, (unsigned)m, 0);
		if (k > 0)
			sent += (size_t)k;
		else if (errno != EINTR)
			failed++; /* the first of them is the one that was refused */
	}
	if (ret_failed)
		*ret_failed = failed;
	return sent;
}
