/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/link.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <string.h>
#include <sys/socket.h>

struct rtnl {
	struct nl_sock *sock;
};

/* libnl folds many an errno into one of its own; these are the ones whose meaning we act upon or show. */
static int from_nle(int r)
{
	if (r >= 0)
		return r;
	switch (-r) {
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return -ENODEV;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_NOADDR:
		return -EADDRNOTAVAIL;
	case NLE_OPNOTSUPP:
	case NLE_AF_NOSUPPORT:
		return -EOPNOTSUPP;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_RANGE:
		return -ERANGE;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_INTR:
		return -EINTR;
	default:
		return -EIO;
	}
}

static int connect_route(void *ctx)
{
	return from_nle(nl_connect((struct nl_sock *)ctx, NETLINK_ROUTE));
}

int rtnl_open(int netns_fd, struct rtnl **ret_rtnl)
{
	struct rtnl *rt = calloc(1, sizeof *rt);
	if (!rt)
		return -ENOMEM;
	rt->sock = nl_socket_alloc();
	int r = -ENOMEM;
	if (rt->sock)
		r = netns_fd < 0 ? connect_route(rt->sock) : netns_call(netns_fd, connect_route, rt->sock);
	if (r < 0) {
		rtnl_close(rt);
		return r;
	}
	*ret_rtnl = rt;
	return 0;
}

void rtnl_close(struct rtnl *rt)
{
	if (!rt)
		return;
	nl_socket_free(rt->sock);
	free(rt);
}

static void fill_info(struct rtnl_link *link, struct link_info *info)
{
	*info = (struct link_info){
		.ifindex = (unsigned)rtnl_link_get_ifindex(link),
		.up = rtnl_link_get_flags(link) & IFF_UP,
		.carrier = rtnl_link_get_carrier(link) == 1,
		.loopback = rtnl_link_get_flags(link) & IFF_LOOPBACK,
		.mtu = rtnl_link_get_mtu(link),
	};
	const char *name = rtnl_link_get_name(link), *kind = rtnl_link_get_type(link);
	strncpy(info->name, name ? name : "", sizeof info->name - 1);
	strncpy(info->kind, kind ? kind : "", sizeof info->kind - 1);
	const struct nl_addr *ll = rtnl_link_get_addr(link);
	if (ll && nl_addr_get_len(ll) <= sizeof info->lladdr) {
		info->lladdr_len = (uint8_t)nl_addr_get_len(ll);
		memcpy(info->lladdr, nl_addr_get_binary_addr(ll), info->lladdr_len);
	}
}

static int get(struct rtnl *rt, int ifindex, const char *name, struct link_info *ret_info)
{
	struct rtnl_link *link = NULL;
	int r = from_nle(rtnl_link_get_kernel(rt->sock, ifindex, name, &link));
	if (r < 0)
		/* A kernel asked for a name that it cannot parse as a name says EINVAL, ENODEV is what is meant. */
		return r == -EINVAL || r == -ERANGE ? -ENODEV : r;
	fill_info(link, ret_info);
	rtnl_link_put(link);
	return 0;
}

int link_get(struct rtnl *rt, const char *name, struct link_info *ret_info)
{
	return get(rt, 0, name, ret_info);
}

int link_get_by_index(struct rtnl *rt, unsigned ifindex, struct link_info *ret_info)
{
	return get(rt, (int)ifindex, NULL, ret_info);
}

int link_get_by_lladdr(struct rtnl *rt, const uint8_t *lladdr, uint8_t len, struct link_info *ret_info)
{
	struct nl_cache *links = NULL;
	int r = from_nle(rtnl_link_alloc_cache(rt->sock, AF_UNSPEC, &links));
	if (r < 0)
		return r;
	r = -ENODEV;
	for (struct nl_object *o = nl_cache_get_first(links); o && r < 0; o = nl_cache_get_next(o)) {
		struct link_info info;
		fill_info((struct rtnl_link *)o, &info);
		if (info.kind[0] == '\0' && info.lladdr_len == len && memcmp(info.lladdr, lladdr, len) == 0) {
			*ret_info = info;
			r = 0;
		}
	}
	nl_cache_free(links);
	return r;
}

const char *link_names(struct rtnl *rt, char *buf, size_t size)
{
	buf[0] = '\0';
	struct nl_cache *links = NULL;
	if (rtnl_link_alloc_cache(rt->sock, AF_UNSPEC, &links) < 0)
		return buf;
	size_t at = 0;
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct link_info info;
		fill_info((struct rtnl_link *)o, &info);
		size_t len = strlen(info.name);
		if (info.loopback || at + len + 2 > size)
			continue;
		if (at)
			buf[at++] = ' ';
		memcpy(buf + at, info.name, len + 1);
		at += len;
	}
	nl_cache_free(links);
	return buf;
}

/* Applies what `change` holds to the link. */
static int apply(struct rtnl *rt, unsigned ifindex, struct rtnl_link *change)
{
	struct rtnl_link *which = rtnl_link_alloc();
	if (!which || !change) {
		rtnl_link_put(which);
		rtnl_link_put(change);
		return -ENOMEM;
	}
	rtnl_link_set_ifindex(which, (int)ifindex);
	rtnl_link_set_ifindex(change, (int)ifindex);
	int r = from_nle(rtnl_link_change(rt->sock, which, change, 0));
	rtnl_link_put(which);
	rtnl_link_put(change);
	return r;
}

int link_set_up(struct rtnl *rt, unsigned ifindex, bool up)
{
	struct rtnl_link *change = rtnl_link_alloc();
	if (change && up)
		rtnl_link_set_flags(change, IFF_UP);
	else if (change)
		rtnl_link_unset_flags(change, IFF_UP);
	return apply(rt, ifindex, change);
}

int link_set_mtu(struct rtnl *rt, unsigned ifindex, uint32_t mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	if (change)
		rtnl_link_set_mtu(change, mtu);
	return apply(rt, ifindex, change);
}

int link_set_no_autoconf(struct rtnl *rt, unsigned ifindex)
{
	struct rtnl_link *change = rtnl_link_alloc();
	if (change)
		rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE);
	return apply(rt, ifindex, change);
}

int link_move(struct rtnl *rt, unsigned ifindex, int netns_fd, const char *name)
{
	struct rtnl_link *change = rtnl_link_alloc();
	if (change) {
		rtnl_link_set_ns_fd(change, netns_fd);
		rtnl_link_set_name(change, name);
	}
	return apply(rt, ifindex, change);
}

int link_delete(struct rtnl *rt, unsigned ifindex)
{
	struct rtnl_link *which = rtnl_link_alloc();
	if (!which)
		return -ENOMEM;
	rtnl_link_set_ifindex(which, (int)ifindex);
	int r = from_nle(rtnl_link_delete(rt->sock, which));
	rtnl_link_put(which);
	return r;
}

static void copy_addr(uint8_t dst[static 16], const struct nl_addr *a)
{
	if (a && nl_addr_get_len(a) <= 16)
		memcpy(dst, nl_addr_get_binary_addr(a), nl_addr_get_len(a));
}

static void fill_addr(struct rtnl_addr *from, struct link_addr *a)
{
	struct nl_addr *local = rtnl_addr_get_local(from), *peer = rtnl_addr_get_peer(from);
	*a = (struct link_addr){
		.family = rtnl_addr_get_family(from),
		.plen = (uint8_t)rtnl_addr_get_prefixlen(from),
		.scope = (uint8_t)rtnl_addr_get_scope(from),
		.flags = rtnl_addr_get_flags(from),
		.preferred_lft_s = rtnl_addr_get_preferred_lifetime(from),
		.valid_lft_s = rtnl_addr_get_valid_lifetime(from),
	};
	copy_addr(a->addr, local);
	copy_addr(a->peer, peer);
	const char *label = a->family == AF_INET ? rtnl_addr_get_label(from) : NULL;
	strncpy(a->label, label ? label : "", sizeof a->label - 1);
}

/* IPv6 addresses with a lifetime come from router advertisements (or a client that will renew them): they return by themselves. */
static bool given_by_somebody(const struct link_addr *a)
{
	if (a->family == AF_INET)
		return true;
	return a->family == AF_INET6 && (a->flags & IFA_F_PERMANENT) && !(a->flags & IFA_F_TEMPORARY);
}

int link_addrs(struct rtnl *rt, unsigned ifindex, struct link_addr *ret_addrs, size_t max)
{
	struct nl_cache *addrs = NULL;
	int r = from_nle(rtnl_addr_alloc_cache(rt->sock, &addrs));
	if (r < 0)
		return r;
	size_t n = 0;
	for (struct nl_object *o = nl_cache_get_first(addrs); o && n < max; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		if (rtnl_addr_get_ifindex(addr) != (int)ifindex)
			continue;
		fill_addr(addr, &ret_addrs[n]);
		n += given_by_somebody(&ret_addrs[n]);
	}
	nl_cache_free(addrs);
	return (int)n;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static int add_addr(struct rtnl *rt, unsigned ifindex, const struct link_addr *a, int nl_flags)
{
	size_t len = a->family == AF_INET ? 4 : 16;
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(a->family, a->addr, len);
	struct nl_addr *peer = is_zero(a->peer, len) ? NULL : nl_addr_build(a->family, a->peer, len);
	int r = -ENOMEM;
	if (addr && local) {
		nl_addr_set_prefixlen(local, a->plen);
		rtnl_addr_set_ifindex(addr, (int)ifindex);
		r = from_nle(rtnl_addr_set_local(addr, local));
		rtnl_addr_set_prefixlen(addr, a->plen);
		rtnl_addr_set_scope(addr, a->scope);
		if (peer) {
			nl_addr_set_prefixlen(peer, a->plen);
			(void)rtnl_addr_set_peer(addr, peer); /* fails only on another family than local's */
		}
		/* The kernel's own marks (permanent, tentative) are not ours to set. */
		rtnl_addr_set_flags(addr, a->flags & (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE |
						      IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC));
		if (a->valid_lft_s && a->valid_lft_s != UINT32_MAX) {
			rtnl_addr_set_valid_lifetime(addr, a->valid_lft_s);
			rtnl_addr_set_preferred_lifetime(addr, a->preferred_lft_s);
		}
		if (a->label[0])
			(void)rtnl_addr_set_label(addr, a->label); /* longer than IFNAMSIZ only, which it is not */
		if (r == 0)
			r = from_nle(rtnl_addr_add(rt->sock, addr, nl_flags));
	}
	nl_addr_put(local);
	nl_addr_put(peer);
	rtnl_addr_put(addr);
	return r;
}

int link_addr_put(struct rtnl *rt, unsigned ifindex, const struct link_addr *a)
{
	return add_addr(rt, ifindex, a, NLM_F_CREATE | NLM_F_REPLACE);
}

static struct link_addr addr6(const struct in6_addr *a, uint8_t plen)
{
	struct link_addr la = {
		.family = AF_INET6,
		.plen = plen,
		.scope = IN6_IS_ADDR_LINKLOCAL(a) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.valid_lft_s = UINT32_MAX,
		.preferred_lft_s = UINT32_MAX,
	};
	memcpy(la.addr, a, sizeof *a);
	return la;
}

int link_addr6_add(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen, bool nodad)
{
	struct link_addr la = addr6(a, plen);
	la.flags = nodad ? IFA_F_NODAD : 0;
	return add_addr(rt, ifindex, &la, NLM_F_CREATE | NLM_F_EXCL);
}

int link_addr6_del(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(AF_INET6, a, sizeof *a);
	int r = -ENOMEM;
	if (addr && local) {
		nl_addr_set_prefixlen(local, plen);
		rtnl_addr_set_ifindex(addr, (int)ifindex);
		r = from_nle(rtnl_addr_set_local(addr, local));
		if (r == 0)
			r = from_nle(rtnl_addr_delete(rt->sock, addr, 0));
	}
	nl_addr_put(local);
	rtnl_addr_put(addr);
	return r;
}

int link_addr6_state(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, enum addr6_state *ret_state)
{
	struct nl_cache *addrs = NULL;
	int r = from_nle(rtnl_addr_alloc_cache(rt->sock, &addrs));
	if (r < 0)
		return r;
	enum addr6_state state = ADDR6_ABSENT;
	for (struct nl_object *o = nl_cache_get_first(addrs); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		struct link_addr la;
		if (rtnl_addr_get_ifindex(addr) != (int)ifindex)
			continue;
		fill_addr(addr, &la);
		if (la.family != AF_INET6 || memcmp(la.addr, a, sizeof *a) != 0)
			continue;
		state = la.flags & IFA_F_DADFAILED				? ADDR6_DUPLICATE :
			la.flags & IFA_F_TENTATIVE && !(la.flags & IFA_F_OPTIMISTIC) ? ADDR6_TENTATIVE :
										   ADDR6_USABLE;
		break;
	}
	nl_cache_free(addrs);
	*ret_state = state;
	return 0;
}

int link_events_open(int *ret_fd)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR };
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

void link_events_drain(int fd)
{
	char buf[8192];
	/* ENOBUFS says that events were lost, and more may wait: both mean "look", which the caller does after this. */
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}
