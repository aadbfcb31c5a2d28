/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The WireGuard tunnel: lives in our network namespace, sends its encrypted UDP from the host's. Two backends behind one handle: the
 * kernel's WireGuard (generic netlink) and wireguard-go as a child (a TUN device and the cross-platform configuration protocol).
 *
 *	wg_kernel_available() ? wg_kernel_new(&where, &wg) : wg_userspace_new(&where, loop, ready, ctx, &wg);
 *	wg_configure(wg, &settings);     once it is ready, and before it is brought up
 *	wg_bring_up(wg);                 addresses and routes are given with link.h and route.h
 *	…
 *	wg_free(wg);                     takes the interface away
 *
 * Every call but wg_userspace_new()'s readiness answers at once or, at worst, after WG_ANSWER_MAX_MS (-ETIMEDOUT).
 */
#pragma once

#include "host/loop.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WG_KEY_BYTES = 32, WG_ALLOWED_MAX = 64, WG_ANSWER_MAX_MS = 1000 };

union wg_endpoint {
	struct sockaddr sa; /* sa_family AF_UNSPEC: none (the peer's first packet tells) */
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct wg_allowed_ip {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint8_t plen;
};

/* The whole configuration: applying it replaces whatever was there. It holds secrets: wipe it when done (explicit_bzero). */
struct wg_settings {
	uint8_t private_key[WG_KEY_BYTES];
	uint8_t peer[WG_KEY_BYTES];
	bool has_preshared_key;
	uint8_t preshared_key[WG_KEY_BYTES];
	union wg_endpoint endpoint;
	uint16_t listen_port; /* 0: any */
	uint16_t keepalive_s; /* 0: none */
	size_t n_allowed_ips;
	struct wg_allowed_ip allowed_ips[WG_ALLOWED_MAX];
};

struct wg_state {
	uint8_t public_key[WG_KEY_BYTES]; /* ours; all zero before wg_configure(). Not known to the userspace backend, where it stays zero. */
	uint16_t listen_port;
	bool has_peer;
	union wg_endpoint endpoint;       /* where the peer was heard last, or was said to be */
	uint64_t last_handshake_unix_ms;  /* 0: never. By the wall clock: compare with clock_unix_ms(). */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

struct wg_where {
	const char *name;  /* in our namespace */
	int host_netns_fd; /* where it is born and its UDP stays; -1: our own */
	uint32_t mtu;
};

struct wg;

/* 1: the kernel has WireGuard (its module is loaded by this question where it can be), 0: it has not, or a negative errno. */
int wg_kernel_available(void);
/*
 * Creates the interface, down. -EOPNOTSUPP: the kernel has no WireGuard; -EEXIST: our namespace has an interface of that name;
 * -EPERM: CAP_NET_ADMIN is missing in one of the namespaces, or CAP_SYS_ADMIN to enter the host's.
 */
int wg_kernel_new(const struct wg_where *where, struct wg **ret_wg);

/*
 * Starts wireguard-go in the host's namespace. ready(ctx, 0) is called from the loop when the interface is in our namespace, down, or
 * ready(ctx, errno) when it will never be; then the handle is good for wg_free() only. Never called before this returns or after wg_free().
 * -ENXIO: there is no TUN device (/dev/net/tun); -ENOENT: no wireguard-go; -EPERM: CAP_NET_ADMIN or CAP_SYS_ADMIN is missing.
 */
typedef void (*wg_ready_fn)(void *ctx, int err);
int wg_userspace_new(const struct wg_where *where, struct loop *l, wg_ready_fn ready, void *ctx, struct wg **ret_wg);

/* Takes the interface away, and the child with it (which init's reaping then sees end). NULL is allowed. */
void wg_free(struct wg *w);

/* "kernel" or "userspace". */
const char *wg_backend(const struct wg *w);
/* In our namespace; 0 before it is ready. */
unsigned wg_ifindex(const struct wg *w);
/* The process that the tunnel lives by; 0: none (kernel). When it ends the tunnel is gone: wg_free() and begin anew. */
pid_t wg_child(const struct wg *w);

int wg_configure(struct wg *w, const struct wg_settings *s);
/* Up, with the userspace backend's sockets open at once (its own detection of that takes up to a second). */
int wg_bring_up(struct wg *w);
int wg_set_endpoint(struct wg *w, const uint8_t peer[static WG_KEY_BYTES], const union wg_endpoint *endpoint);
int wg_get_state(struct wg *w, struct wg_state *ret_state);
