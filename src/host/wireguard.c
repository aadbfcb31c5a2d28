/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/wireguard.h"

#include "base/cleanup.h"
#include "host/nlattr.h"
#include "host/wg_uapi.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

static const char kind[] = "wireguard";

enum { MESSAGE_MAX = 16384, ANSWER_TIMEOUT_S = 5 };

/* Sends one request and gives each answer to fn (may be NULL) until its acknowledgement or the
 * dump's end. */
static int transact(int fd, struct nlmsghdr *h, uint32_t seq, mnl_cb_t fn, void *ctx)
{
	h->nlmsg_seq = seq;
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	AUTO_FREE uint8_t *buf = malloc(MESSAGE_MAX);
	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = recv(fd, buf, MESSAGE_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		int r = mnl_cb_run(buf, (size_t)n, seq, 0, fn, ctx);
		if (r == MNL_CB_ERROR)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

/* For a kernel that does not create into another namespace: under a name that cannot clash, and
 * moved at once. */
static int create_and_move(struct rtnl *host_rt, int own_ns, struct rtnl *own_rt, const char *name)
{
	char born[IFNAMSIZ];
	struct link_info link;
	wg_born_name(wg_born_number(), born);
	int r = link_make(host_rt, kind, -1, born);
	if (r == 0)
		r = link_get(host_rt, born, &link);
	if (r == 0) {
		r = link_move(host_rt, link.ifindex, own_ns, own_rt, name);
		if (r < 0)
			(void)link_delete(host_rt, link.ifindex); /* r is what the caller hears */
	}
	return r;
}

int wg_kernel_create(struct rtnl *host_rt, int own_ns, struct rtnl *own_rt, const char *name,
		     struct wg_tunnel *ret_tunnel)
{
	int r = link_make(host_rt, kind, own_ns, name);
	if (r == -EINVAL)
		r = create_and_move(host_rt, own_ns, own_rt, name);
	struct link_info link = { 0 };
	if (r == 0)
		r = link_get(own_rt, name, &link);
	if (r < 0)
		return r;
	struct wg_tunnel t = { .ifindex = link.ifindex };
	strncpy(t.name, name, sizeof t.name - 1);
	*ret_tunnel = t;
	return 0;
}

struct family {
	uint16_t id;
};

static int on_family_attr(const struct nlattr *a, void *ctx)
{
	struct family *f = (struct family *)ctx;
	if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
		(void)nlattr_get(a, &f->id, sizeof f->id);
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *h, void *ctx)
{
	return mnl_attr_parse(h, sizeof(struct genlmsghdr), on_family_attr, ctx);
}

/* A generic netlink socket of our namespace, where the tunnel lives, and WireGuard's family number.
 */
static int genl_open(int *ret_fd, uint16_t *ret_family)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		return -errno;
	_Alignas(struct nlmsghdr) uint8_t buf[256] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = GENL_ID_CTRL;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct genlmsghdr *g = (struct genlmsghdr *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->cmd = CTRL_CMD_GETFAMILY;
	g->version = 1;
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	struct family f = { 0 };
	int r = transact(fd, h, 1, on_family, &f);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	if (f.id == 0)
		return -EOPNOTSUPP;
	*ret_fd = take_fd(&fd);
	*ret_family = f.id;
	return 0;
}

static struct nlmsghdr *begin(uint8_t *buf, uint16_t family, uint8_t cmd, uint16_t flags,
			      unsigned ifindex)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = family;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	struct genlmsghdr *g = (struct genlmsghdr *)mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->cmd = cmd;
	g->version = WG_GENL_VERSION;
	mnl_attr_put_u32(h, WGDEVICE_A_IFINDEX, ifindex);
	return h;
}

static void put_peer(struct nlmsghdr *h, const struct wg_settings *s)
{
	static const uint8_t no_key[WG_KEY_BYTES];
	struct nlattr *peers = mnl_attr_nest_start(h, WGDEVICE_A_PEERS);
	struct nlattr *peer = mnl_attr_nest_start(h, 0);
	mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, WG_KEY_BYTES, s->peer);
	mnl_attr_put_u32(h, WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
	mnl_attr_put(h, WGPEER_A_PRESHARED_KEY, WG_KEY_BYTES,
		     s->has_preshared_key ? s->preshared_key : no_key);
	if (s->endpoint)
		mnl_attr_put(h, WGPEER_A_ENDPOINT,
			     s->endpoint->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							       : sizeof(struct sockaddr_in6),
			     s->endpoint);
	mnl_attr_put_u16(h, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, s->keepalive_s);
	struct nlattr *ips = mnl_attr_nest_start(h, WGPEER_A_ALLOWEDIPS);
	for (size_t i = 0; i < s->n_allowed; i++) {
		const struct wg_allowed_ip *a = &s->allowed[i];
		struct nlattr *ip = mnl_attr_nest_start(h, 0);
		mnl_attr_put_u16(h, WGALLOWEDIP_A_FAMILY, (uint16_t)a->family);
		mnl_attr_put(h, WGALLOWEDIP_A_IPADDR, a->family == AF_INET ? 4 : 16, a->addr);
		mnl_attr_put_u8(h, WGALLOWEDIP_A_CIDR_MASK, a->plen);
		mnl_attr_nest_end(h, ip);
	}
	mnl_attr_nest_end(h, ips);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, peers);
}

static int kernel_configure(const struct wg_tunnel *t, const struct wg_settings *s, bool all)
{
	AUTO_CLOSE int fd = -1;
	uint16_t family = 0;
	int r = genl_open(&fd, &family);
	if (r < 0)
		return r;
	_Alignas(struct nlmsghdr) uint8_t buf[4096] = { 0 };
	struct nlmsghdr *h = begin(buf, family, WG_CMD_SET_DEVICE, 0, t->ifindex);
	if (all) {
		mnl_attr_put(h, WGDEVICE_A_PRIVATE_KEY, WG_KEY_BYTES, s->private_key);
		mnl_attr_put_u16(h, WGDEVICE_A_LISTEN_PORT, s->listen_port);
	}
	mnl_attr_put_u32(h, WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
	put_peer(h, s);
	r = transact(fd, h, 2, NULL, NULL);
	explicit_bzero(buf, sizeof buf);
	return r;
}

static int on_peer_attr(const struct nlattr *a, void *ctx)
{
	struct wg_state *s = (struct wg_state *)ctx;
	struct __kernel_timespec handshake;
	size_t len = mnl_attr_get_payload_len(a);
	const struct sockaddr *endpoint = (const struct sockaddr *)mnl_attr_get_payload(a);
	/* A value of another length than its own is left out. */
	switch (mnl_attr_get_type(a)) {
	case WGPEER_A_RX_BYTES:
		(void)nlattr_get(a, &s->rx_bytes, sizeof s->rx_bytes);
		break;
	case WGPEER_A_TX_BYTES:
		(void)nlattr_get(a, &s->tx_bytes, sizeof s->tx_bytes);
		break;
	case WGPEER_A_LAST_HANDSHAKE_TIME:
		if (nlattr_get(a, &handshake, sizeof handshake))
			s->handshake_unix_s = handshake.tv_sec > 0 ? (uint64_t)handshake.tv_sec : 0;
		break;
	case WGPEER_A_ENDPOINT:
		if ((len == sizeof(struct sockaddr_in) && endpoint->sa_family == AF_INET) ||
		    (len == sizeof(struct sockaddr_in6) && endpoint->sa_family == AF_INET6))
			memcpy(&s->endpoint, endpoint, len);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_peer(const struct nlattr *peer, void *ctx)
{
	return mnl_attr_parse_nested(peer, on_peer_attr, ctx);
}

static int on_device_attr(const struct nlattr *a, void *ctx)
{
	struct wg_state *s = (struct wg_state *)ctx;
	if (mnl_attr_get_type(a) == WGDEVICE_A_LISTEN_PORT)
		(void)nlattr_get(a, &s->listen_port, sizeof s->listen_port);
	return mnl_attr_get_type(a) == WGDEVICE_A_PEERS ? mnl_attr_parse_nested(a, on_peer, ctx)
							: MNL_CB_OK;
}

static int on_device(const struct nlmsghdr *h, void *ctx)
{
	return mnl_attr_parse(h, sizeof(struct genlmsghdr), on_device_attr, ctx);
}

static int kernel_state(const struct wg_tunnel *t, struct wg_state *ret_state)
{
	AUTO_CLOSE int fd = -1;
	uint16_t family = 0;
	int r = genl_open(&fd, &family);
	if (r < 0)
		return r;
	_Alignas(struct nlmsghdr) uint8_t buf[256] = { 0 };
	struct nlmsghdr *h = begin(buf, family, WG_CMD_GET_DEVICE, NLM_F_DUMP, t->ifindex);
	struct wg_state s = { 0 };
	r = transact(fd, h, 3, on_device, &s);
	if (r < 0)
		return r;
	*ret_state = s;
	return 0;
}

int wg_configure(const struct wg_tunnel *t, const struct wg_settings *s)
{
	return t->userspace ? wg_uapi_configure(t->born_name, s, true)
			    : kernel_configure(t, s, true);
}

int wg_renew_peer(const struct wg_tunnel *t, const struct wg_settings *s)
{
	return t->userspace ? wg_uapi_configure(t->born_name, s, false)
			    : kernel_configure(t, s, false);
}

int wg_get_state(const struct wg_tunnel *t, struct wg_state *ret_state)
{
	return t->userspace ? wg_uapi_state(t->born_name, ret_state) : kernel_state(t, ret_state);
}
