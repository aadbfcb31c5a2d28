/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/rule.h"

#include "base/cleanup.h"
#include "host/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static int request(uint16_t type, uint16_t flags, const struct in6_addr *from, uint16_t port,
		   uint8_t table)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	_Alignas(struct nlmsghdr) uint8_t bytes[256] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	struct fib_rule_hdr *r = (struct fib_rule_hdr *)mnl_nlmsg_put_extra_header(h, sizeof *r);
	r->family = AF_INET6;
	r->src_len = 128;
	r->table = table;
	r->action = FR_ACT_TO_TBL;
	const struct fib_rule_port_range ports = { port, port };
	mnl_attr_put(h, FRA_SRC, sizeof *from, from);
	mnl_attr_put(h, FRA_DPORT_RANGE, sizeof ports, &ports);
	mnl_attr_put_u32(h, FRA_PRIORITY, RULE_PRIORITY);
	mnl_attr_put_u8(h, FRA_PROTOCOL, ROUTE_PROTOCOL);
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	/* The kernel has answered when send() returns. */
	_Alignas(struct nlmsghdr) uint8_t answer[1024];
	ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return mnl_cb_run(answer, (size_t)n, 0, 0, NULL, NULL) == MNL_CB_ERROR ? -errno : 0;
}

int rule_put(const struct in6_addr *from, uint16_t port, uint8_t table)
{
	int r = request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, from, port, table);
	return r == -EEXIST ? 0 : r;
}

int rule_del(const struct in6_addr *from, uint16_t port, uint8_t table)
{
	int r = request(RTM_DELRULE, 0, from, port, table);
	return r == -ENOENT ? 0 : r;
}
