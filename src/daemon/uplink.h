/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Init's view of the uplink: engine/uplink with its clock, its log and its echo requests. Whatever
 * learns something of the tunnel tells it here; what it makes of that is heard by the callbacks and
 * told to the server.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/message.h"
#include "engine/uplink.h"
#include "host/loop.h"
#include "host/wireguard.h"

struct uplink_watch;

struct uplink_watch_calls {
	void *ctx;
	/* Another state; it is logged already. What they do may change it again. */
	void (*on_change)(void *ctx, enum uplink_state from, enum uplink_state to);
	/* What subscribers are to see has changed; it is logged already. */
	void (*on_loss)(void *ctx, bool lost);
};

/* config and loop must outlive it. Silent until uplink_watch_made(). -ENOMEM. */
int uplink_watch_new(const struct config *c, struct loop *loop,
		     const struct uplink_watch_calls *calls, struct uplink_watch **ret_watch);
void uplink_watch_free(struct uplink_watch *w); /* NULL is allowed */
/* In the forked server: gives its descriptor up. */
void uplink_watch_drop(struct uplink_watch *w);

/* The tunnel's interface was made (anew), it is up and has its address. */
void uplink_watch_made(struct uplink_watch *w);
void uplink_watch_gone(struct uplink_watch *w);
/* The machine was suspended until now. */
void uplink_watch_slept(struct uplink_watch *w);
/* Whether the endpoint is a name that has no address yet. */
void uplink_watch_set_resolving(struct uplink_watch *w, bool resolving);
/* What the backend tells of the peer, asked again after uplink_watch_poll_ms(). */
void uplink_watch_count(struct uplink_watch *w, const struct wg_state *s);
uint64_t uplink_watch_poll_ms(const struct uplink_watch *w);

enum uplink_state uplink_watch_state(const struct uplink_watch *w);
/* A MESSAGE_UPLINK for the server. */
void uplink_watch_message(const struct uplink_watch *w, struct message *ret_message);

enum { UPLINK_REASON_STRLEN = 160 };
/* "no handshake for 3 min 10 s, 320 bytes sent unanswered". Returns buf. */
const char *uplink_reason_text(const struct uplink_reason *why,
			       char buf[static UPLINK_REASON_STRLEN]);
