/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uplink's tunnel over either backend: made, watched, made again. */
#pragma once

#include "daemon/config.h"
#include "host/link.h"
#include "host/route.h"
#include "host/wireguard.h"

#include <stdbool.h>
#include <stdint.h>

struct tunnel_keys;

struct tunnel {
	const struct config *config;
	struct wg_settings settings; /* without the keys */
	struct tunnel_keys *keys;    /* the keys' only place once the environment is wiped: for
					making the tunnel again (host/secret.h); NULL in a child */
	struct rtnl *host_rt;
	struct rtnl *own_rt;
	struct route_batch *routes;
	int host_ns;
	int own_ns;
	struct wg_tunnel wg;
	bool present;
	uint64_t made_at_ms;
	struct wg_state last;
};

/* Takes the settings out of c, which must outlive t, and copies its keys. As secret_new(). */
int tunnel_init(struct tunnel *t, const struct config *c);
/* Wipes the keys. The tunnel itself is left alone. */
void tunnel_done(struct tunnel *t);

/*
 * Creates it in our namespace, configures it, gives it its address, brings it up and sets the
 * default route. pause(ctx) is called while wireguard-go starts (every few milliseconds; false ends
 * it with -EINTR). On failure nothing of it is left. -EOPNOTSUPP: no kernel WireGuard and
 * WIREGUARD_BACKEND=kernel; -ENOENT: no wireguard-go; -ENODEV: no /dev/net/tun; -ETIMEDOUT:
 * wireguard-go did not come up; -EPERM.
 */
int tunnel_make(struct tunnel *t, bool (*pause)(void *ctx), void *ctx);
/* For the undo stack; arg is the struct tunnel. Ends wireguard-go (waits up to half a second). */
int tunnel_remove(void *arg);

/* Asks the backend, into t->last. -ENODEV, -ECONNREFUSED, -ENOENT: it is gone, make it again. */
int tunnel_poll(struct tunnel *t);
/* NULL for none. */
const char *tunnel_backend(const struct tunnel *t);
