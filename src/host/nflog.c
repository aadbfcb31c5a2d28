/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nflog.h"

#include "base/cleanup.h"
#include "host/nlattr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum {
	GROUP_FIRST = 1180, /* low ones are what people choose by hand */
	GROUPS = 64,
	ANSWER_TIMEOUT_MS = 1000,
	READ_BYTES = 16 << 10,
	AT_ONCE = 1, /* packets that the kernel collects before it tells */
};

static int await_answer(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[1024];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	for (;;) {
		int n = poll(&p, 1, ANSWER_TIMEOUT_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ETIMEDOUT;
		ssize_t len = recv(fd, bytes, sizeof bytes, 0);
		if (len < 0 && errno != EINTR)
			return -errno;
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)bytes;
		if (len > 0 && nlmsg_ok(h, (int)len) && h->nlmsg_type == NLMSG_ERROR)
			return nlmsg_error(h);
	}
}

static int subscribe(int fd, uint16_t group, uint32_t copy_bytes)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[256] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct nfgenmsg *g = (struct nfgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	const struct nfulnl_msg_config_cmd bind_it = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(copy_bytes),
						     .copy_mode = NFULNL_COPY_PACKET };
	mnl_attr_put(h, NFULA_CFG_CMD, sizeof bind_it, &bind_it);
	mnl_attr_put(h, NFULA_CFG_MODE, sizeof mode, &mode);
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(AT_ONCE));
	return send(fd, h, h->nlmsg_len, 0) < 0 ? -errno : await_answer(fd);
}

int nflog_open(uint32_t copy_bytes, uint16_t *ret_group, int *ret_fd)
{
	AUTO_CLOSE int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	int r = -EPERM;
	/* -EPERM is also what the kernel says of a group that another socket has. */
	for (uint16_t group = GROUP_FIRST; r == -EPERM && group < GROUP_FIRST + GROUPS; group++) {
		r = subscribe(fd, group, copy_bytes);
		if (r == 0)
			*ret_group = group;
	}
	/* A kernel without the subsystem calls the request malformed. */
	if (r < 0)
		return r == -EINVAL ? -EOPNOTSUPP : r;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void take_lladdr(struct nflog_packet *p, const struct nlattr *a)
{
	const struct nfulnl_msg_packet_hw *hw = mnl_attr_get_payload(a);
	uint16_t len = ntohs(hw->hw_addrlen);
	if (len > sizeof p->lladdr)
		return;
	p->lladdr_len = (uint8_t)len;
	memcpy(p->lladdr, hw->hw_addr, len);
}

static bool take_packet(const struct nlmsghdr *h, struct nflog_packet *ret_packet)
{
	struct nflog_packet p = { .bytes = NULL };
	const struct nlattr *a;
	nlattr_each(a, h, sizeof(struct nfgenmsg))
	{
		uint16_t len = mnl_attr_get_payload_len(a);
		const char *text = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) == NFULA_PREFIX && len > 0 && len <= sizeof p.prefix)
			memcpy(p.prefix, text, len - 1U); /* the kernel ends it with a NUL */
		else if (mnl_attr_get_type(a) == NFULA_HWADDR &&
			 len >= sizeof(struct nfulnl_msg_packet_hw))
			take_lladdr(&p, a);
		else if (mnl_attr_get_type(a) == NFULA_PAYLOAD) {
			p.bytes = mnl_attr_get_payload(a);
			p.len = len;
		}
	}
	*ret_packet = p;
	return p.bytes != NULL;
}

void nflog_receive(int fd, void (*fn)(void *ctx, const struct nflog_packet *p), void *ctx)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[READ_BYTES];
	for (int round = 0; round < NFLOG_ROUND; round++) {
		ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n <= 0)
			return;
		int left = (int)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)bytes;
		     nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			struct nflog_packet p;
			if (h->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) &&
			    take_packet(h, &p))
				fn(ctx, &p);
		}
	}
}
