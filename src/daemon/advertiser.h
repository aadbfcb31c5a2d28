/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Router advertisements towards the subscribers: the engine's (engine/ra.h) content and timing, on
 * the socket that init holds. */
#pragma once

#include "daemon/config.h"
#include "daemon/foreign_watch.h"
#include "daemon/keeper.h"
#include "host/loop.h"
#include "host/nd_sock.h"
#include "wire/nd.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct advertiser;

struct advertiser_params {
	struct loop *loop;
	const struct config *config; /* outlives the advertiser, as what follows */
	struct nd_sock *sock;
	const uint8_t *lladdr; /* the subscriber interface's link-layer address */
	uint8_t lladdr_len;
	uint32_t mtu;               /* the subscriber interface's */
	struct keeper *keeper;      /* of the provisioning domain's number */
	bool (*on_sent)(void *ctx); /* the first is on the link; asked again with the next until
				       it says true */
	/* another router advertises from our link-local address, and does not give way */
	void (*on_contested)(void *ctx);
	void *ctx;
};

struct advertiser_stats {
	uint64_t rs_received, rs_dropped, ra_sent, ra_failed;
	uint64_t rs_limited; /* answered with all others, for more came than are answered alone */
	uint64_t drops[ND_UNKNOWN_TYPE + 1]; /* by enum nd_verdict */
};

/* Nothing is sent or heard before advertiser_begin(). -ENOMEM, and ra_init()'s errors. */
int advertiser_new(const struct advertiser_params *p, struct advertiser **ret_advertiser);
void advertiser_free(struct advertiser *a); /* NULL is allowed */

/* From this link-local address; listens to solicitations, and advertises at once. -ENOMEM. */
int advertiser_begin(struct advertiser *a, const struct in6_addr *link_local);
/* From another address from now on. */
void advertiser_from(struct advertiser *a, const struct in6_addr *link_local);
/* The link went up or down. Up, which may be said again, advertises at once and repeats it. */
void advertiser_link(struct advertiser *a, bool up);
/* Whether the uplink works; until told otherwise it does. What of that is advertised is
 * UPLINK_LOSS. */
void advertiser_uplink(struct advertiser *a, bool works);
/* The last words: we are no router any more. */
void advertiser_farewell(struct advertiser *a);

/* The other routers on the link. */
const struct foreign_watch *advertiser_foreign(const struct advertiser *a);
const struct advertiser_stats *advertiser_stats(const struct advertiser *a);
