/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subscriber link as init holds it: the NIC (daemon/nic), our addresses and our sockets on it.
 * And what becomes of them: the cable is pulled, somebody sets the NIC down, somebody else has our
 * address, the NIC disappears and comes back. All of it is noticed by netlink events.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/message.h"
#include "daemon/nic.h"
#include "daemon/preflight.h"
#include "daemon/undo.h"
#include "host/dhcp6_frames.h"
#include "host/dhcp6_sock.h"
#include "host/loop.h"
#include "host/nd_sock.h"
#include "host/route.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct subscriber {
	/* the owner's, set before subscriber_take(); they outlive this */
	const struct config *config;
	const struct preflight *at;
	struct loop *loop;
	struct route_batch *routes;
	void (*changed)(void *ctx); /* something in `link` */
	/* The NIC is another interface than before, and is set up: the sockets are to be opened
	 * anew, and the server with them. */
	void (*replaced)(void *ctx);
	void *ctx;

	struct nic nic;
	struct dhcp6_sock *dhcp6_sock;
	struct dhcp6_frames *dhcp6_frames; /* NULL where the interface is no Ethernet */
	struct nd_sock *nd_sock;
	struct in6_addr transfer_addrs[CONFIG_MAX_TRANSFERS]; /* beside config->transfers */
	struct link_state link;

	/* its own */
	struct link_state told;
	int events_fd, host_events_fd; /* -1: none */
	struct loop_watch *events_watch, *host_events_watch;
	struct loop_timer *again_timer, *duplicate_timer;
	bool duplicate[CONFIG_MAX_TRANSFERS]; /* somebody on the link has it, too */
	bool down;                            /* administratively, by somebody else */
	unsigned link_local_tries;            /* of other link-local addresses, in a row */
	bool settled; /* links have had time to get their names since one came */
	uint64_t away_since_ms;
	int again_error;          /* why it could not be taken, as told last */
	uint64_t contested_at_ms; /* 0: never */
};

/* After the owner's fields are set. */
void subscriber_init(struct subscriber *s);
/*
 * Takes the NIC and gives it our addresses, each with its inverse on u. Errors as nic_take(), or
 * *ret_why says in half a sentence what could not be done. -EINTR: pause(ctx) said so.
 */
int subscriber_take(struct subscriber *s, struct undo *u, bool (*pause)(void *ctx), void *ctx,
		    const char **ret_why);
/*
 * Opens the three sockets, instead of those that there may be. On failure *ret_why names what could
 * not be opened; what was open before mostly stays.
 */
int subscriber_open_sockets(struct subscriber *s, const char **ret_why);
/* From now on all changes are followed, beginning with how things are. Closed by
 * subscriber_done(). */
int subscriber_watch(struct subscriber *s);
/* Somebody else sends advertisements from our link-local address: whether it is really theirs is
 * found out by duplicate address detection, at most twice a minute. */
void subscriber_contested(struct subscriber *s);
/* For an undo stack: arg is the struct subscriber. */
int subscriber_close_sockets(void *arg);
/* Ends the following. */
void subscriber_done(struct subscriber *s);
/* In a forked child, which has its parent's descriptors and no loop. */
void subscriber_drop(struct subscriber *s);
