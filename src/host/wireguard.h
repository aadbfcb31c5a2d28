/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnel: one interface for the kernel's WireGuard and for wireguard-go. A tunnel's encrypted
 * UDP leaves from the namespace in which it was created, wherever it lives; both kinds are born in
 * the host's and live in ours.
 */
#pragma once

#include "host/link.h"
#include "host/proc.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WG_KEY_BYTES = 32, WG_ALLOWED_MAX = 32 };

struct wg_allowed_ip {
	int family;
	uint8_t addr[16];
	uint8_t plen;
};

struct wg_settings {
	uint8_t private_key[WG_KEY_BYTES];
	uint8_t peer[WG_KEY_BYTES];
	bool has_preshared_key;
	uint8_t preshared_key[WG_KEY_BYTES];
	const struct sockaddr *endpoint; /* sockaddr_in or sockaddr_in6; NULL: not known yet */
	uint16_t listen_port;            /* 0: the kernel chooses */
	uint16_t keepalive_s;            /* 0: none */
	size_t n_allowed;
	struct wg_allowed_ip allowed[WG_ALLOWED_MAX];
};

struct wg_state {
	uint64_t handshake_unix_s; /* 0: none yet */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint16_t listen_port;
	struct sockaddr_storage endpoint; /* where the peer was last heard from */
};

struct wg_tunnel {
	bool userspace;
	unsigned ifindex;         /* in our namespace; 0: not there yet */
	pid_t pid;                /* wireguard-go's; 0: none */
	char name[IFNAMSIZ];      /* in our namespace */
	char born_name[IFNAMSIZ]; /* userspace: its TUN's name in the host's namespace, and its
				     socket's */
};

/*
 * Creates a kernel tunnel named `name` in own_ns, where own_rt is, born where host_rt is, in one
 * request; it never appears among the host's links. -EOPNOTSUPP: this kernel has no WireGuard;
 * -EEXIST: the name is taken; -EPERM.
 */
int wg_kernel_create(struct rtnl *host_rt, int own_ns, struct rtnl *own_rt, const char *name,
		     struct wg_tunnel *ret_tunnel);

/*
 * Runs wireguard-go, for a link whose name is made of that number, in the namespace that we are in.
 * -ENOENT: no wireguard-go; -ENODEV: no /dev/net/tun; -EPERM, -EACCES: it may not be opened.
 */
int wg_userspace_run(uint32_t number, enum child_of of, pid_t *ret_pid);
/*
 * Has it run, in the host's namespace, under a name that cannot clash there, by run(ctx, …), whose
 * errors these are. Follow with wg_userspace_adopt() until it is no longer -EAGAIN.
 */
int wg_userspace_start(int (*run)(void *ctx, uint32_t number, pid_t *ret_pid), void *ctx,
		       const char *name, struct wg_tunnel *ret_tunnel);
/*
 * Takes its TUN into own_ns, where own_rt is, named t->name, with that MTU, down. Its UDP socket is
 * open then, and it is ready to be configured. -EAGAIN: it is not that far yet, ask again in a few
 * ms; -EEXIST: the name is taken.
 */
int wg_userspace_adopt(struct wg_tunnel *t, struct rtnl *host_rt, int own_ns, struct rtnl *own_rt,
		       uint32_t mtu);

/* All settings at once, what was there before is replaced. For userspace it may wait up to 2 s for
 * an answer. */
int wg_configure(const struct wg_tunnel *t, const struct wg_settings *s);
/*
 * The peer alone, as if it were a new one: no session, no cached source address, its counters at 0,
 * and with a keepalive a handshake at once. Our key and port stay.
 */
int wg_renew_peer(const struct wg_tunnel *t, const struct wg_settings *s);
int wg_get_state(const struct wg_tunnel *t, struct wg_state *ret_state);
/* The userspace backend's socket file, left behind where wireguard-go was killed. */
void wg_userspace_cleanup(const struct wg_tunnel *t);
