/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links and addresses (rtnetlink through libnl-route-3). A struct rtnl is a socket that belongs to
 * one network namespace for good. Results are 0 or a negative errno: -ENODEV no such link, -EPERM
 * no CAP_NET_ADMIN in that namespace, -EEXIST the name is taken.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtnl;

/* netns_fd -1: our own namespace. */
int rtnl_open(int netns_fd, struct rtnl **ret_rtnl);
void rtnl_close(struct rtnl *rt); /* NULL is allowed */

enum { LINK_KIND_MAX = 16 };

struct link_info {
	unsigned ifindex;
	char name[IFNAMSIZ];
	char kind[LINK_KIND_MAX]; /* "veth", "wireguard"; "" for a physical NIC */
	bool up;                  /* administratively */
	bool carrier;
	bool loopback;
	uint32_t mtu;
	int addr_gen_mode; /* IN6_ADDR_GEN_MODE_…: how it forms its link-local address; -1: no IPv6
			      here */
	uint8_t lladdr_len;
	uint8_t lladdr[8];
};

int link_get(struct rtnl *rt, const char *name, struct link_info *ret_info);
int link_get_by_index(struct rtnl *rt, unsigned ifindex, struct link_info *ret_info);
/* The link with this link-layer address that is no virtual device of a kind; for a NIC that came
 * back under another name. -ENODEV. */
int link_get_by_lladdr(struct rtnl *rt, const uint8_t *lladdr, uint8_t len,
		       struct link_info *ret_info);
/* Names of all links but loopback, space separated, cut to the buffer: for error messages. Returns
 * buf. */
const char *link_names(struct rtnl *rt, char *buf, size_t size);

int link_set_up(struct rtnl *rt, unsigned ifindex, bool up);
int link_set_mtu(struct rtnl *rt, unsigned ifindex, uint32_t mtu);
/* How the kernel forms the link-local address when the link comes up. A mode of -1 changes nothing.
 */
int link_set_addr_gen_mode(struct rtnl *rt, unsigned ifindex, int mode);
/* Mode none: the kernel forms no link-local address of its own. */
int link_set_no_autoconf(struct rtnl *rt, unsigned ifindex);
/*
 * To the namespace, under name, in one request (a move into a taken name fails before anything has
 * happened: -EEXIST). there: a socket in that namespace, to be asked whether a name other than the
 * link's present one is free; NULL will do where the name stays. Addresses and the up state do not
 * survive it.
 */
int link_move(struct rtnl *rt, unsigned ifindex, int netns_fd, struct rtnl *there,
	      const char *name);
/*
 * A link of that kind, born in rt's namespace, living in netns_fd's (-1: there, too). -EOPNOTSUPP:
 * this kernel has no such links; -EEXIST: the name is taken.
 */
int link_make(struct rtnl *rt, const char *kind, int netns_fd, const char *name);
/* A link that is down. -EEXIST: the name is taken. */
int link_rename(struct rtnl *rt, unsigned ifindex, const char *name);
int link_delete(struct rtnl *rt, unsigned ifindex);
/*
 * A link on top of another one: made by rt, in whose namespace that is, straight into the namespace
 * netns_fd and under name there, which older kernels (6.1) want to be free in rt's, too. vlan_id 0:
 * a macvlan (mode bridge: those on one link hear each other), with this Ethernet address; else a
 * VLAN, which has the other link's. -EEXIST: the name is taken there, or the VLAN is in use here;
 * -EBUSY: the other link cannot be shared (a macvlan on what is part of a bridge); -EOPNOTSUPP:
 * this kernel has no such links.
 */
int link_make_upon(struct rtnl *rt, unsigned ifindex, uint16_t vlan_id,
		   const uint8_t lladdr[static 6], int netns_fd, const char *name);

/*
 * Whether this kernel makes links of a kind ("vlan", "macvlan", "wireguard"), its modules included,
 * which it loads then as it would for a link. Nothing is made. -EOPNOTSUPP: it does not.
 */
int link_kind_usable(struct rtnl *rt, const char *kind);

/* An address as found on a link, enough to put it back. */
struct link_addr {
	int family;
	uint8_t addr[16];
	uint8_t peer[16]; /* point-to-point; all zero where there is none */
	uint8_t plen;
	uint8_t scope;
	uint32_t flags;           /* IFA_F_… */
	uint32_t preferred_lft_s; /* UINT32_MAX: for ever */
	uint32_t valid_lft_s;
	char label[IFNAMSIZ]; /* IPv4 */
	uint8_t broadcast[4]; /* IPv4; all zero where there is none */
	uint32_t rt_priority; /* metric of its prefix's route; 0: the kernel's default */
	uint8_t origin;       /* IFA_PROTO; 0: not told */
	uint64_t seen_at_ms;  /* when the lifetimes were what they say, by clock_mono_ms(); 0: count
				 them from when it is put */
};

/*
 * The addresses that somebody gave to the link: not those that the kernel makes and remakes itself
 * (link-local and autoconfigured ones; before Linux 5.18, which does not tell them apart, no IPv6
 * address with a lifetime either). At most max of them; returns how many.
 */
int link_addrs(struct rtnl *rt, unsigned ifindex, struct link_addr *ret_addrs, size_t max);
/* Adds or replaces. One with a lifetime gets what is left of it since seen_at_ms; if that is
 * nothing, nothing is done. */
int link_addr_put(struct rtnl *rt, unsigned ifindex, const struct link_addr *a);
/* nodad: usable at once, without duplicate address detection. */
int link_addr6_add(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen,
		   bool nodad);
int link_addr6_del(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a, uint8_t plen);

enum addr6_state { ADDR6_ABSENT, ADDR6_TENTATIVE, ADDR6_DUPLICATE, ADDR6_USABLE };
int link_addr6_state(struct rtnl *rt, unsigned ifindex, const struct in6_addr *a,
		     enum addr6_state *ret_state);

/*
 * A descriptor (nonblocking) that becomes readable when what it listens for changes in the
 * namespace that it was opened in (netns_fd -1: our own). At first it listens for nothing.
 * link_events_drain() empties it; what changed is then asked for: the events only say when to look.
 * -ENOBUFS is handled inside: it, too, means "look".
 */
enum link_events { LINK_EVENTS_NONE = 0, LINK_EVENTS_LINKS = 1, LINK_EVENTS_ADDRS6 = 2 };
int link_events_open(int netns_fd, int *ret_fd);
/* For these from now on, whatever it was before: a set of enum link_events. */
int link_events_listen(int fd, unsigned events);
void link_events_drain(int fd);
