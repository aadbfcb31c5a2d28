/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the tunnel: looks at it (now and then, when links change, when somebody asks), puts right
 * what was changed on its interface, makes it again where it is gone, and leads it to the provider,
 * whose name is asked for by a child. What it sees it tells the uplink's state machine.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/tunnel.h"
#include "daemon/uplink.h"
#include "host/loop.h"

struct tunnel_watch;

struct tunnel_watch_params {
	const struct config *config;
	struct loop *loop;
	struct children *children;
	int host_ns;
	struct tunnel *tunnel;       /* made */
	struct uplink_watch *uplink; /* told that it is */
	void (*looked)(void *ctx);   /* the uplink was told what the tunnel is like now */
	void *ctx;
};

/* From here on it is kept. All that p points to must outlive it. */
int tunnel_watch_new(const struct tunnel_watch_params *p, struct tunnel_watch **ret_watch);
void tunnel_watch_free(struct tunnel_watch *w); /* NULL is allowed */
/* In the forked server: gives its descriptors up. NULL is allowed. */
void tunnel_watch_drop(struct tunnel_watch *w);

/* A look at once. NULL is allowed, here and below: there is no tunnel. */
void tunnel_watch_look(struct tunnel_watch *w);
/* Another state of the uplink. */
void tunnel_watch_uplink(struct tunnel_watch *w, enum uplink_state is);
/* A child ended. True: it was one of the tunnel's. */
bool tunnel_watch_child(struct tunnel_watch *w, pid_t pid, int status);
