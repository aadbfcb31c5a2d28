/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uplink's tunnel over either backend: made, watched, made again. */
#pragma once

#include "daemon/children.h"
#include "daemon/config.h"
#include "host/link.h"
#include "host/route.h"
#include "host/wireguard.h"

#include <stdbool.h>
#include <stdint.h>

struct tunnel_keys;

struct tunnel {
	const struct config *config;
	struct wg_settings settings;      /* without the keys */
	struct tunnel_keys *keys;         /* the keys' only place once the environment is wiped: for
					     making the tunnel again (host/secret.h); NULL in a child */
	struct sockaddr_storage endpoint; /* what settings.endpoint points to, where it is known */
	struct children *children;        /* who start wireguard-go */
	struct rtnl *host_rt;
	struct rtnl *own_rt;
	struct route_batch *routes;
	int own_ns;
	struct wg_tunnel wg;
	bool present;   /* there is something to be removed */
	bool starting;  /* and it is wireguard-go, which is not that far yet */
	bool userspace; /* what was made last is wireguard-go's, there or not */
	uint64_t start_until_ms;
	bool routed[WG_ALLOWED_MAX]; /* beside settings.allowed: it leads into the tunnel */
	uint64_t made_at_ms;
	struct wg_state last;   /* its counters since it was made, whatever was renewed */
	struct wg_state before; /* of the peers before the one that it has now */
};

/*
 * Takes the settings out of c, which must outlive t, and copies its keys. The endpoint is known
 * where it is an address without a zone. As secret_new().
 */
int tunnel_init(struct tunnel *t, const struct config *c);
/* Wipes the keys. The tunnel itself is left alone. */
void tunnel_done(struct tunnel *t);

/*
 * Creates it in our namespace, configures it, gives it its address, brings it up and sets the
 * default route. The port that it had before is tried first. -EAGAIN: wireguard-go is starting,
 * tunnel_go_on() until that says something else (every few ms). On any other failure nothing of it
 * is left. -EOPNOTSUPP: no kernel WireGuard and WIREGUARD_BACKEND=kernel; -ENOENT: no wireguard-go;
 * -ENODEV: no /dev/net/tun; -ETIMEDOUT: wireguard-go did not come up; -EPERM.
 */
int tunnel_begin(struct tunnel *t);
int tunnel_go_on(struct tunnel *t);
/* For the undo stack; arg is the struct tunnel. Where it fails the tunnel is there as before. Ends
 * wireguard-go (waits up to half a second where its interface is still there). */
int tunnel_remove(void *arg);
/* The same, and whatever comes of it there is none any more. */
void tunnel_drop(struct tunnel *t);

/* Where the provider is from now on, with a new handshake at once. NULL: nobody knows. A tunnel
 * that is not there gets it when it is made. */
int tunnel_set_endpoint(struct tunnel *t, const struct sockaddr_storage *to);

/*
 * Puts right what somebody changed on its interface: down, another MTU, without its address or its
 * routes. What it was goes into ret_what, as a phrase ("" where nothing was wrong).
 */
enum { TUNNEL_WHAT_MAX = 96 };
int tunnel_mend(struct tunnel *t, char ret_what[static TUNNEL_WHAT_MAX]);

/* Asks the backend, into t->last. -ENODEV, -ECONNREFUSED, -ENOENT: it is gone, make it again. */
int tunnel_poll(struct tunnel *t);
/* NULL for none. */
const char *tunnel_backend(const struct tunnel *t);
