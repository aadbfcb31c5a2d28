/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nft_txn.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/nlattr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { ANSWER_TIMEOUT_MS = 5000 };

static struct nlmsghdr *put_head(struct nft_txn *t, int type, int flags, uint8_t family,
				 uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(t->bytes + t->len);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++t->seq;
	struct nfgenmsg *g = (struct nfgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

void nft_txn_end(struct nft_txn *t, struct nlmsghdr *h)
{
	t->len += (h->nlmsg_len + 3U) & ~3U; /* netlink aligns messages to 4 bytes */
	t->latest = h;
	t->messages++;
}

struct nft_txn nft_txn_begin(uint8_t *bytes, uint32_t seq)
{
	struct nft_txn t = { .bytes = bytes, .first_seq = seq + 1, .seq = seq };
	nft_txn_end(&t, put_head(&t, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	return t;
}

struct nlmsghdr *nft_txn_message(struct nft_txn *t, int type, int flags, const char *table)
{
	struct nlmsghdr *h = put_head(t, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
	/* Of a table, a chain, a rule, a set and its elements alike. */
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	return h;
}

/* Until `wanted` is acknowledged or something of the batch is refused. The kernel has answered by
 * the time that send(2) returns; the limit is for what ought not to be. */
static int await_answer(int fd, uint32_t first, uint32_t wanted)
{
	uint64_t until = clock_mono_ms() + ANSWER_TIMEOUT_MS;
	bool known = false;
	int result = 0;
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0 && known)
			return result; /* and nothing of it is left in the socket */
		if (n < 0) {
			uint64_t now = clock_mono_ms();
			struct pollfd p = { .fd = fd, .events = POLLIN };
			if (now >= until)
				return -ETIMEDOUT;
			if (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR)
				return -errno;
			continue;
		}
		int left = (int)n;
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
		     nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			/* Else it answers an earlier one, which timed out. */
			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first > wanted - first ||
			    known)
				continue;
			result = nlmsg_error(h);
			known = result != 0 || h->nlmsg_seq == wanted;
		}
	}
}

int nft_txn_commit(int fd, struct nft_txn *t)
{
	/* Refusals are told unasked; of success the last message's word will do. */
	t->latest->nlmsg_flags |= NLM_F_ACK;
	uint32_t wanted = t->seq;
	nft_txn_end(t, put_head(t, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	ssize_t sent;
	do
		sent = send(fd, t->bytes, t->len, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : await_answer(fd, t->first_seq, wanted);
}

int nft_socket(int *ret_fd)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return -errno;
	int one = 1;
	/* Answers without the request in them: less to copy. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one,
			 sizeof one); /* an optimisation only */
	struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}
