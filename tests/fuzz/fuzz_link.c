/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel answers of links and addresses, which init asks for through libnl: the first byte
 * chooses a question, the rest are datagrams as in fuzz_netlink.c. Whatever they hold, a link's
 * name and kind end, its address fits, what is counted is there, and it depends on nothing that was
 * not received. An address that was read is written as the kernel wants it. libnl's socket is this
 * file's own.
 */
#include "fuzz/fuzz.h"
#include "host/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <string.h>

enum { CALLS_MAX = 512, DATAGRAM_MAX = 8192, ADDRS_MAX = 24, NAMES_MAX = 64, RAW = 0xff };

static struct {
	const uint8_t *at, *end;
	uint32_t seq; /* of the latest question */
	uint32_t port;
	unsigned calls;
	uint64_t now_ms;
	unsigned puts; /* addresses that were written */
} kernel;

struct seen {
	int result;
	struct link_info link;
	enum addr6_state state;
	char names[NAMES_MAX];
	size_t n;
	struct link_addr addrs[ADDRS_MAX];
};

/* libnl loses a link that it was told together with an error, which no kernel does (3.7). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libnl\nleak:nl_object_alloc\n";
}

static uint8_t next_byte(void)
{
	return kernel.at < kernel.end ? *kernel.at++ : 0;
}

static size_t put_message(uint8_t *to, size_t room)
{
	static const uint16_t types[8] = { NLMSG_DONE,  NLMSG_ERROR, RTM_NEWLINK, RTM_NEWADDR,
					   RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR, NLMSG_NOOP };
	uint8_t how = next_byte();
	size_t len = next_byte();
	if (how == RAW) {
		len = len < room ? len : room;
		for (size_t i = 0; i < len; i++)
			to[i] = next_byte();
		return len;
	}
	if (how & 0x40)
		len = len << 8 | next_byte();
	struct nlmsghdr h = { .nlmsg_type = types[how & 7],
			      .nlmsg_flags = how & 8    ? 0
					     : how & 16 ? NLM_F_DUMP_INTR | NLM_F_MULTI
							: NLM_F_MULTI,
			      .nlmsg_seq = how & 0x80 ? kernel.seq + 1 : kernel.seq,
			      .nlmsg_pid = how & 32 ? 0 : kernel.port };
	size_t left = (size_t)(kernel.end - kernel.at);
	len = len < left ? len : left;
	if (room < sizeof h)
		return 0;
	len = len < room - sizeof h ? len : room - sizeof h;
	h.nlmsg_len = (uint32_t)(sizeof h + len);
	memcpy(to, &h, sizeof h);
	if (len > 0)
		memcpy(to + sizeof h, kernel.at, len);
	kernel.at += len;
	size_t all = NLMSG_ALIGN(h.nlmsg_len);
	if (all > room)
		return h.nlmsg_len;
	memset(to + h.nlmsg_len, 0, all - h.nlmsg_len);
	return all;
}

/* libnl frees *ret_bytes. */
static int receive(struct nl_sock *sock, struct sockaddr_nl *from, unsigned char **ret_bytes,
		   struct ucred **creds)
{
	(void)sock;
	(void)creds;
	FUZZ_CHECK(++kernel.calls < CALLS_MAX);
	*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
	if (kernel.at == kernel.end)
		return -NLE_AGAIN;
	uint8_t n = next_byte();
	if (n == RAW) { /* an error instead */
		static const int errors[] = { NLE_INTR, NLE_NOMEM, NLE_AGAIN, NLE_FAILURE };
		return -errors[next_byte() & 3];
	}
	uint8_t bytes[DATAGRAM_MAX];
	size_t len = 0;
	for (unsigned i = 0; i <= (n & 7U) && kernel.at < kernel.end; i++)
		len += put_message(bytes + len, sizeof bytes - len);
	if (len == 0)
		return 0;
	*ret_bytes = malloc(len); /* of just that size, for a sanitizer to see its end */
	FUZZ_CHECK(*ret_bytes);
	memcpy(*ret_bytes, bytes, len);
	return (int)len;
}

/* An address that we ask for is of lengths that the kernel takes, and has a time left. */
static void check_addr(const struct nlmsghdr *h)
{
	struct ifaddrmsg m;
	FUZZ_CHECK(h->nlmsg_len >= NLMSG_LENGTH(sizeof m));
	memcpy(&m, NLMSG_DATA(h), sizeof m);
	size_t want = m.ifa_family == AF_INET ? 4 : 16, left = h->nlmsg_len - NLMSG_SPACE(sizeof m);
	FUZZ_CHECK(m.ifa_family == AF_INET || m.ifa_family == AF_INET6);
	bool local = false;
	const uint8_t *at = (const uint8_t *)h + NLMSG_SPACE(sizeof m);
	while (left > 0) {
		struct rtattr a;
		FUZZ_CHECK(left >= sizeof a);
		memcpy(&a, at, sizeof a);
		FUZZ_CHECK(a.rta_len >= sizeof a && a.rta_len <= left);
		size_t len = a.rta_len - sizeof a;
		FUZZ_CHECK((a.rta_type != IFA_LOCAL && a.rta_type != IFA_ADDRESS) || len == want);
		FUZZ_CHECK(a.rta_type != IFA_LABEL || (len > 0 && len <= IFNAMSIZ));
		FUZZ_CHECK(a.rta_type != IFA_CACHEINFO || len == sizeof(struct ifa_cacheinfo));
		local |= a.rta_type == IFA_LOCAL;
		size_t all = RTA_ALIGN(a.rta_len);
		at += all < left ? all : left;
		left -= all < left ? all : left;
	}
	FUZZ_CHECK(local);
	kernel.puts++;
}

static int transmit(struct nl_sock *sock, struct nl_msg *msg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	(void)sock;
	FUZZ_CHECK(h->nlmsg_len >= sizeof *h);
	kernel.seq = h->nlmsg_seq;
	kernel.port = h->nlmsg_pid;
	if (h->nlmsg_type == RTM_NEWADDR)
		check_addr(h);
	return (int)h->nlmsg_len;
}

int __wrap_nl_connect(struct nl_sock *sock, int protocol);
int __wrap_nl_socket_get_fd(const struct nl_sock *sock);
uint64_t __wrap_clock_mono_ms(void);

int __wrap_nl_connect(struct nl_sock *sock, int protocol)
{
	FUZZ_CHECK(protocol == NETLINK_ROUTE);
	struct nl_cb *cb = nl_socket_get_cb(sock);
	nl_cb_overwrite_recv(cb, receive);
	nl_cb_overwrite_send(cb, transmit);
	nl_cb_put(cb);
	return 0;
}

/* Nothing is ever left there of an earlier question. */
int __wrap_nl_socket_get_fd(const struct nl_sock *sock)
{
	(void)sock;
	return -1;
}

uint64_t __wrap_clock_mono_ms(void)
{
	return kernel.now_ms;
}

static void check_link(const struct link_info *i)
{
	FUZZ_CHECK(memchr(i->name, 0, sizeof i->name) && memchr(i->kind, 0, sizeof i->kind));
	FUZZ_CHECK(i->lladdr_len <= sizeof i->lladdr);
	FUZZ_CHECK(i->addr_gen_mode >= -1 && i->addr_gen_mode <= UINT8_MAX);
}

static void ask_addrs(struct rtnl *rt, struct seen *s)
{
	s->result = link_addrs(rt, 7, s->addrs, ADDRS_MAX);
	FUZZ_CHECK(s->result <= ADDRS_MAX);
	s->n = s->result > 0 ? (size_t)s->result : 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct link_addr *a = &s->addrs[i];
		FUZZ_CHECK(a->family == AF_INET || a->family == AF_INET6);
		FUZZ_CHECK(memchr(a->label, 0, sizeof a->label));
		FUZZ_CHECK(a->seen_at_ms == kernel.now_ms);
	}
	/* Half a minute later all that have time left are asked for, each once. */
	kernel.now_ms += 30000;
	kernel.at = kernel.end;
	for (size_t i = 0; i < s->n; i++) {
		unsigned before = kernel.puts;
		int r = link_addr_put(rt, 7, &s->addrs[i]);
		FUZZ_CHECK(r <= 0);
		FUZZ_CHECK(kernel.puts == before + (s->addrs[i].valid_lft_s > 30));
	}
}

static void ask(const uint8_t *data, size_t size, struct seen *s)
{
	static const uint8_t wanted[8] = { 2, 0, 0, 0, 0, 1 };
	const struct in6_addr addr = { .s6_addr = { 0xfe, 0x80, [15] = 1 } };
	struct rtnl *rt = NULL;
	memset(s, 0, sizeof *s);
	kernel.at = data;
	kernel.end = data + size;
	kernel.seq = kernel.port = kernel.calls = kernel.puts = 0;
	kernel.now_ms = UINT64_C(1) << 43;
	FUZZ_CHECK(rtnl_open(-1, &rt) == 0);
	switch (next_byte() % 8) {
	case 0:
		s->result = link_get(rt, "sub0", &s->link);
		break;
	case 1:
		s->result = link_get_by_index(rt, 7, &s->link);
		break;
	case 2:
		s->result = link_get_by_lladdr(rt, wanted, 6, &s->link);
		FUZZ_CHECK(s->result < 0 || (s->link.lladdr_len == 6 && !s->link.kind[0] &&
					     memcmp(s->link.lladdr, wanted, 6) == 0));
		break;
	case 3:
		FUZZ_CHECK(link_names(rt, s->names, sizeof s->names) == s->names);
		FUZZ_CHECK(memchr(s->names, 0, sizeof s->names));
		break;
	case 4:
		ask_addrs(rt, s);
		break;
	case 5:
		s->result = link_addr6_state(rt, 7, &addr, &s->state);
		FUZZ_CHECK(s->result < 0 || s->state <= ADDR6_USABLE);
		break;
	case 6:
		s->result = link_kind_usable(rt, "wireguard");
		break;
	default:
		s->result = link_move(rt, 7, 3, rt, "sub0");
		break;
	}
	FUZZ_CHECK(s->result >= -4095);
	if (s->result == 0)
		check_link(&s->link);
	rtnl_close(rt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen first, second;
	ask(data, size, &first);
	ask(data, size, &second);
	FUZZ_CHECK(memcmp(&first, &second, sizeof first) == 0);
	return 0;
}
