/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/routing.h"

#include "base/cleanup.h"
#include "host/netns.h"
#include "host/sockopt.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 8192 };

static int on_route_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == sizeof(uint32_t))
		*(unsigned *)ctx = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *m = (const struct rtmsg *)mnl_nlmsg_get_payload(h);
	return m->rtm_type == RTN_UNICAST ? mnl_attr_parse(h, sizeof *m, on_route_attr, ctx)
					  : MNL_CB_OK;
}

int routing_out_if(const struct in6_addr *to, unsigned *ret_ifindex)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	_Alignas(struct nlmsghdr) uint8_t request[128] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	struct rtmsg *m = (struct rtmsg *)mnl_nlmsg_put_extra_header(h, sizeof *m);
	m->rtm_family = AF_INET6;
	m->rtm_dst_len = 128;
	mnl_attr_put(h, RTA_DST, sizeof *to, to);
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	/* The kernel has answered when send() returns. */
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_MAX];
	ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	unsigned oif = 0;
	if (mnl_cb_run(answer, (size_t)n, 0, 0, on_route, &oif) == MNL_CB_ERROR)
		return -errno;
	if (!oif)
		return -ENETUNREACH;
	*ret_ifindex = oif;
	return 0;
}

int routing_changes_open(int netns_fd, int *ret_fd)
{
	int type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
	AUTO_CLOSE int fd = -1;
	int r = 0;
	if (netns_fd >= 0)
		r = netns_socket(netns_fd, AF_NETLINK, type, NETLINK_ROUTE, &fd);
	else if ((fd = socket(AF_NETLINK, type, NETLINK_ROUTE)) < 0)
		r = -errno;
	const struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (r == 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

int routing_changes_listen(int fd, bool listen)
{
	static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE };
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int r = sock_set_int(fd, SOL_NETLINK,
				     listen ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
				     groups[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
