/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/netns.h"
#include "host/sockopt.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/vlan.h>
#include <string.h>
#include <sys/socket.h>

struct rtnl {
	struct nl_sock *sock;
};

/* libnl folds many an errno into one of its own; these are the ones whose meaning we act upon or
 * show. */
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

/*
 * For a request: without the answers to earlier ones that failed on their way. libnl would take
 * them for this one's, or find their numbers wrong, and tell of a failure where there was none,
 * from then on every time.
 */
static struct nl_sock *ready(struct rtnl *rt)
{
	while (recv(nl_socket_get_fd(rt->sock), NULL, 0, MSG_DONTWAIT | MSG_TRUNC) > 0)
		; /* the length is all that is asked for, the rest is dropped */
	return rt->sock;
}

int rtnl_open(int netns_fd, struct rtnl **ret_rtnl)
{
	struct rtnl *rt = calloc(1, sizeof *rt);
	if (!rt)
		return -ENOMEM;
	rt->sock = nl_socket_alloc();
	int r = -ENOMEM;
	if (rt->sock)
		r = netns_fd < 0 ? connect_route(rt->sock)
				 : netns_call(netns_fd, connect_route, rt->sock);
	if (r < 0) {
		rtnl_close(rt);
		return r;
	}
	nl_socket_disable_seq_check(rt->sock); /* ready() sees to it */
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
	uint8_t mode;
	info->addr_gen_mode = rtnl_link_inet6_get_addr_gen_mode(link, &mode) < 0 ? -1 : mode;
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
	int r = from_nle(rtnl_link_get_kernel(ready(rt), ifindex, name, &link));
	if (r < 0)
		/* A kernel asked for a name that it cannot parse as a name says EINVAL, ENODEV is
		 * what is meant. */
		return r == -EINVAL || r == -ERANGE ? -ENODEV : r;
	if (!link)
		return -EIO; /* an answer without a link in it */
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

int link_get_by_lladdr(struct rtnl *rt, const uint8_t *lladdr, uint8_t len,
		       struct link_info *ret_info)
{
	struct nl_cache *links = NULL;
	int r = from_nle(rtnl_link_alloc_cache(ready(rt), AF_UNSPEC, &links));
	if (r < 0)
		return r;
	r = -ENODEV;
	for (struct nl_object *o = nl_cache_get_first(links); o && r < 0;
	     o = nl_cache_get_next(o)) {
		struct link_info info;
		fill_info((struct rtnl_link *)o, &info);
		if (info.kind[0] == '\0' && info.lladdr_len == len &&
		    memcmp(info.lladdr, lladdr, len) == 0) {
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
	if (rtnl_link_alloc_cache(ready(rt), AF_UNSPEC, &links) < 0)
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
	int r = from_nle(rtnl_link_change(ready(rt), which, change, 0));
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

int link_set_addr_gen_mode(struct rtnl *rt, unsigned ifindex, int mode)
{
	if (mode < 0)
		return 0;
	struct rtnl_link *change = rtnl_link_alloc();
	if (change)
		rtnl_link_inet6_set_addr_gen_mode(change, (uint8_t)mode);
	return apply(rt, ifindex, change);
}

int link_set_no_autoconf(struct rtnl *rt, unsigned ifindex)
{
	return link_set_addr_gen_mode(rt, ifindex, IN6_ADDR_GEN_MODE_NONE);
}

/*
 * The kernel checks a link's present name before it moves, but a new one only afterwards
 * (do_setlink in 6.1): a clash would leave the link over there, under its old name. So a new name
 * is asked for first.
 */
static int check_new_name(struct rtnl *rt, unsigned ifindex, struct rtnl *there, const char *name)
{
	struct link_info link, taken;
	int r = link_get_by_index(rt, ifindex, &link);
	if (r < 0 || strcmp(link.name, name) == 0)
		return r;
	/* One of its alternative names goes with it, and cannot be its name at the same time. */
	r = link_get(rt, name, &taken);
	if (r == 0 && taken.ifindex == ifindex)
		return -EEXIST;
	r = link_get(there, name, &taken);
	return r == 0 ? -EEXIST : r == -ENODEV ? 0 : r;
}

int link_move(struct rtnl *rt, unsigned ifindex, int netns_fd, struct rtnl *there, const char *name)
{
	int r = check_new_name(rt, ifindex, there, name);
	if (r < 0)
		return r;
	struct rtnl_link *change = rtnl_link_alloc();
	if (change) {
		rtnl_link_set_ns_fd(change, netns_fd);
		rtnl_link_set_name(change, name);
	}
	return apply(rt, ifindex, change);
}

int link_rename(struct rtnl *rt, unsigned ifindex, const char *name)
{
	struct rtnl_link *change = rtnl_link_alloc();
	if (change)
		rtnl_link_set_name(change, name);
	return apply(rt, ifindex, change);
}

int link_delete(struct rtnl *rt, unsigned ifindex)
{
	struct rtnl_link *which = rtnl_link_alloc();
	if (!which)
		return -ENOMEM;
	rtnl_link_set_ifindex(which, (int)ifindex);
	int r = from_nle(rtnl_link_delete(ready(rt), which));
	rtnl_link_put(which);
	return r;
}

int link_make(struct rtnl *rt, const char *kind, int netns_fd, const char *name)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int r = link ? from_nle(rtnl_link_set_type(link, kind)) : -ENOMEM;
	if (r == 0) {
		if (netns_fd >= 0)
			rtnl_link_set_ns_fd(link, netns_fd);
		rtnl_link_set_name(link, name);
		r = from_nle(rtnl_link_add(ready(rt), link, NLM_F_CREATE | NLM_F_EXCL));
	}
	rtnl_link_put(link);
	return r;
}

int link_make_upon(struct rtnl *rt, unsigned ifindex, uint16_t vlan_id,
		   const uint8_t lladdr[static 6], int netns_fd, const char *name)
{
	struct rtnl_link *link = vlan_id ? rtnl_link_vlan_alloc() : rtnl_link_macvlan_alloc();
	struct nl_addr *addr = nl_addr_build(AF_LLC, lladdr, 6);
	int r = link && addr ? 0 : -ENOMEM;
	if (r == 0 && vlan_id)
		r = from_nle(rtnl_link_vlan_set_id(link, vlan_id));
	else if (r == 0)
		r = from_nle(rtnl_link_macvlan_set_mode(link, MACVLAN_MODE_BRIDGE));
	if (r == 0) {
		if (!vlan_id)
			rtnl_link_set_addr(link, addr);
		rtnl_link_set_link(link, (int)ifindex);
		rtnl_link_set_ns_fd(link, netns_fd);
		rtnl_link_set_name(link, name);
		r = from_nle(rtnl_link_add(rt->sock, link, NLM_F_CREATE | NLM_F_EXCL));
	}
	nl_addr_put(addr);
	rtnl_link_put(link);
	return r;
}

/*
 * By a request that no kernel can carry out: no link can be called that. The kind is looked up
 * before the name (6.1 and 6.18 alike).
 */
int link_kind_usable(struct rtnl *rt, const char *kind)
{
	const struct ifinfomsg nothing = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	if (!msg)
		return -ENOMEM;
	int r = nlmsg_append(msg, (void *)(uintptr_t)&nothing, sizeof nothing, NLMSG_ALIGNTO);
	if (r >= 0)
		r = nla_put_string(msg, IFLA_IFNAME, "/");
	struct nlattr *info = r >= 0 ? nla_nest_start(msg, IFLA_LINKINFO) : NULL;
	if (info)
		r = nla_put_string(msg, IFLA_INFO_KIND, kind);
	if (!info || r < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nla_nest_end(msg, info);
	(void)ready(rt);
	r = from_nle(nl_send_sync(rt->sock, msg)); /* frees it */
	return r == -EINVAL ? 0 : r == 0 ? -EPROTO : r;
}

/* One address of a dump; further ones of other links are passed over. */
struct addr_dump {
	unsigned ifindex;
	void (*fn)(struct addr_dump *d, const struct link_addr *a);
	bool tells_origin; /* the kernel (5.18 and later) says who made an address */
	int error;
	/* link_addrs() */
	struct link_addr *addrs;
	size_t n, max;
	/* link_addr6_state() */
	const struct in6_addr *wanted;
	enum addr6_state state;
};

static void copy_attr(void *dst, size_t size, const struct nlattr *attr)
{
	if (attr && (size_t)nla_len(attr) <= size)
		memcpy(dst, nla_data(attr), (size_t)nla_len(attr));
}

static void read_addr(const struct ifaddrmsg *m, struct nlattr **attrs, struct link_addr *a)
{
	*a = (struct link_addr){
		.family = m->ifa_family,
		.plen = m->ifa_prefixlen,
		.scope = m->ifa_scope,
		.flags = attrs[IFA_FLAGS] ? nla_get_u32(attrs[IFA_FLAGS]) : m->ifa_flags,
		.preferred_lft_s = UINT32_MAX,
		.valid_lft_s = UINT32_MAX,
		.rt_priority = attrs[IFA_RT_PRIORITY] ? nla_get_u32(attrs[IFA_RT_PRIORITY]) : 0,
		.origin = attrs[IFA_PROTO] ? nla_get_u8(attrs[IFA_PROTO]) : 0,
		.seen_at_ms = clock_mono_ms(),
	};
	/* Where both are there, IFA_ADDRESS is the other end of a point-to-point link, or the same
	 * again. */
	copy_attr(a->addr, sizeof a->addr,
		  attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS]);
	if (attrs[IFA_LOCAL] && attrs[IFA_ADDRESS] &&
	    nla_len(attrs[IFA_LOCAL]) == nla_len(attrs[IFA_ADDRESS]) &&
	    memcmp(nla_data(attrs[IFA_LOCAL]), nla_data(attrs[IFA_ADDRESS]),
		   (size_t)nla_len(attrs[IFA_LOCAL])) != 0)
		copy_attr(a->peer, sizeof a->peer, attrs[IFA_ADDRESS]);
	copy_attr(a->broadcast, sizeof a->broadcast, attrs[IFA_BROADCAST]);
	if (attrs[IFA_LABEL])
		(void)nla_strlcpy(a->label, attrs[IFA_LABEL],
				  sizeof a->label); /* IFNAMSIZ is the kernel's limit too */
	if (attrs[IFA_CACHEINFO] &&
	    (size_t)nla_len(attrs[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
		struct ifa_cacheinfo c;
		memcpy(&c, nla_data(attrs[IFA_CACHEINFO]), sizeof c);
		a->preferred_lft_s = c.ifa_prefered;
		a->valid_lft_s = c.ifa_valid;
	}
}

static int on_addr(struct nl_msg *msg, void *ctx)
{
	struct addr_dump *d = (struct addr_dump *)ctx;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct nlattr *attrs[IFA_MAX + 1];
	if (h->nlmsg_type != RTM_NEWADDR)
		return NL_OK;
	if (nlmsg_parse(h, sizeof(struct ifaddrmsg), attrs, IFA_MAX, NULL) < 0) {
		d->error = -EBADMSG;
		return NL_OK;
	}
	const struct ifaddrmsg *m = (const struct ifaddrmsg *)nlmsg_data(h);
	d->tells_origin |= attrs[IFA_PROTO] != NULL;
	if (m->ifa_index != d->ifindex || (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return NL_OK;
	struct link_addr a;
	read_addr(m, attrs, &a);
	d->fn(d, &a);
	return NL_OK;
}

static int dump_addrs(struct rtnl *rt, struct addr_dump *d)
{
	struct ifaddrmsg all = { .ifa_family = AF_UNSPEC };
	struct nl_cb *usual = nl_socket_get_cb(rt->sock); /* with what rtnl_open() set */
	struct nl_cb *cb = nl_cb_clone(usual);
	nl_cb_put(usual);
	if (!cb)
		return -ENOMEM;
	int r = from_nle(nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_addr, d));
	if (r == 0)
		r = from_nle(nl_send_simple(ready(rt), RTM_GETADDR, NLM_F_DUMP, &all, sizeof all));
	if (r >= 0)
		r = from_nle(nl_recvmsgs(rt->sock, cb));
	nl_cb_put(cb);
	return r < 0 ? r : d->error;
}

/* The kernel's own: it makes them again when the link is up (link-local) or when a router
 * advertises (the others). */
static bool made_by_kernel(const struct link_addr *a)
{
	return a->family == AF_INET6 &&
	       (a->flags & IFA_F_TEMPORARY || a->origin == IFAPROT_KERNEL_LO ||
		a->origin == IFAPROT_KERNEL_RA || a->origin == IFAPROT_KERNEL_LL);
}

static void keep_addr(struct addr_dump *d, const struct link_addr *a)
{
	if (d->n < d->max && !made_by_kernel(a))
		d->addrs[d->n++] = *a;
}

int link_addrs(struct rtnl *rt, unsigned ifindex, struct link_addr *ret_addrs, size_t max)
{
	struct addr_dump d = {
		.ifindex = ifindex, .fn = keep_addr, .addrs = ret_addrs, .max = max
	};
	int r = dump_addrs(rt, &d);
	if (r < 0 || d.tells_origin)
		return r < 0 ? r : (int)d.n;
	/* An older kernel does not tell a router's addresses from a given one with a lifetime; the
	 * former are the common case. */
	size_t kept = 0;
	for (size_t i = 0; i < d.n; i++)
		if (ret_addrs[i].family == AF_INET || ret_addrs[i].flags & IFA_F_PERMANENT)
			ret_addrs[kept++] = ret_addrs[i];
	return (int)kept;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

/* What of a lifetime is left; for ever stays for ever. */
static uint32_t left_of(uint32_t lft_s, uint64_t elapsed_s)
{
	return lft_s == UINT32_MAX ? lft_s : elapsed_s < lft_s ? (uint32_t)(lft_s - elapsed_s) : 0;
}

static bool put_addr_attrs(struct nl_msg *msg, const struct link_addr *a, uint32_t preferred_s,
			   uint32_t valid_s)
{
	/* The kernel's own marks (permanent, tentative) are not ours to set. */
	uint32_t flags = a->flags & (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE |
				     IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC | IFA_F_MANAGETEMPADDR);
	int len = a->family == AF_INET ? 4 : 16;
	const struct ifa_cacheinfo lifetimes = { .ifa_prefered = preferred_s,
						 .ifa_valid = valid_s };
	return nla_put(msg, IFA_LOCAL, len, a->addr) == 0 &&
	       nla_put(msg, IFA_ADDRESS, len, is_zero(a->peer, (size_t)len) ? a->addr : a->peer) ==
		       0 &&
	       (is_zero(a->broadcast, sizeof a->broadcast) ||
		nla_put(msg, IFA_BROADCAST, 4, a->broadcast) == 0) &&
	       (a->label[0] == '\0' || nla_put_string(msg, IFA_LABEL, a->label) == 0) &&
	       (a->rt_priority == 0 || nla_put_u32(msg, IFA_RT_PRIORITY, a->rt_priority) == 0) &&
	       (a->origin == 0 || nla_put_u8(msg, IFA_PROTO, a->origin) == 0) &&
	       nla_put_u32(msg, IFA_FLAGS, flags) == 0 &&
	       nla_put(msg, IFA_CACHEINFO, sizeof lifetimes, &lifetimes) == 0;
}

static int request_addr(struct rtnl *rt, int type, int nl_flags, unsigned ifindex,
			const struct link_addr *a)
{
	/* An instant to come is of a clock that was moved (a time namespace of another start's). */
	uint64_t now_ms = clock_mono_ms();
	uint64_t elapsed_s =
		a->seen_at_ms && a->seen_at_ms < now_ms ? (now_ms - a->seen_at_ms) / 1000 : 0;
	uint32_t valid_s = left_of(a->valid_lft_s, elapsed_s);
	if (valid_s == 0)
		return 0; /* it would have ended meanwhile */
	struct nl_msg *msg = nlmsg_alloc_simple(type, nl_flags);
	if (!msg)
		return -ENOMEM;
	struct ifaddrmsg m = { .ifa_family = (uint8_t)a->family,
			       .ifa_prefixlen = a->plen,
			       .ifa_scope = a->scope,
			       .ifa_index = ifindex };
	if (nlmsg_append(msg, &m, sizeof m, NLMSG_ALIGNTO) < 0 ||
	    !put_addr_attrs(msg, a, left_of(a->preferred_lft_s, elapsed_s), valid_s)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return from_nle(nl_send_sync(ready(rt), msg)); /* which frees the message */
}

int link_addr_put(struct rtnl *rt, unsigned ifindex, const struct link_addr *a)
{
	return request_addr(rt, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, a);
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

int link_addr6_add(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen,
		   bool nodad)
{
	struct link_addr la = addr6(a, plen);
	la.flags = nodad ? IFA_F_NODAD : 0;
	return request_addr(rt, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, &la);
}

int link_addr6_del(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen)
{
	struct link_addr la = addr6(a, plen);
	return request_addr(rt, RTM_DELADDR, 0, ifindex, &la);
}

static void note_state(struct addr_dump *d, const struct link_addr *a)
{
	if (a->family != AF_INET6 || memcmp(a->addr, d->wanted, sizeof *d->wanted) != 0)
		return;
	if (a->flags & IFA_F_DADFAILED)
		d->state = ADDR6_DUPLICATE;
	else if (a->flags & IFA_F_TENTATIVE && !(a->flags & IFA_F_OPTIMISTIC))
		d->state = ADDR6_TENTATIVE;
	else
		d->state = ADDR6_USABLE;
}

int link_addr6_state(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a,
		     enum addr6_state *ret_state)
{
	struct addr_dump d = {
		.ifindex = ifindex, .fn = note_state, .wanted = a, .state = ADDR6_ABSENT
	};
	int r = dump_addrs(rt, &d);
	if (r < 0)
		return r;
	*ret_state = d.state;
	return 0;
}

int link_events_open(int netns_fd, int *ret_fd)
{
	enum { TYPE = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK };
	AUTO_CLOSE int fd = -1;
	int r = 0;
	if (netns_fd >= 0)
		r = netns_socket(netns_fd, AF_NETLINK, TYPE, NETLINK_ROUTE, &fd);
	else if ((fd = socket(AF_NETLINK, TYPE, NETLINK_ROUTE)) < 0)
		r = -errno;
	const struct sockaddr_nl at = { .nl_family = AF_NETLINK };
	if (r == 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

int link_events_listen(int fd, unsigned events)
{
	static const struct {
		unsigned event;
		int group;
	} groups[] = { { LINK_EVENTS_LINKS, RTNLGRP_LINK },
		       { LINK_EVENTS_ADDRS6, RTNLGRP_IPV6_IFADDR } };
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int how =
			events & groups[i].event ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;
		int r = sock_set_int(fd, SOL_NETLINK, how, groups[i].group);
		if (r < 0)
			return r;
	}
	return 0;
}

void link_events_drain(int fd)
{
	char buf[8192];
	/* ENOBUFS says that events were lost, and more may wait: both mean "look", which the caller
	 * does after this. */
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}
