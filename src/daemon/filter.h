/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet filter, as the appliance uses it: what its rules are by the configuration, and what
 * the server learns of whom they turn away. A wrong source is reported by the kernel (a few packets
 * a second of each station); the last ones are kept for people to look at, logged once, and with
 * SOURCE_FILTER=reject answered with ICMPv6 type 1 code 5, straight to the station that sent it.
 */
#pragma once

#include "control/render.h"
#include "daemon/config.h"
#include "daemon/forwarding.h"
#include "host/dhcp6_frames.h"
#include "host/loop.h"
#include "host/nft_rules.h"

#include <stdbool.h>
#include <stdint.h>

/* log_group: of host/nflog.h; 0: none. */
struct nft_rules filter_rules(const struct config *c, uint16_t log_group);

struct filter;

struct filter_params {
	struct loop *loop;
	const struct config *config;
	int nflog_fd;                  /* -1: nothing is reported; not closed by the filter */
	struct dhcp6_frames *frames;   /* NULL: the link is no Ethernet */
	struct in6_addr transfer_addr; /* ours, from which senders are answered */
};

/* -ENOMEM or the loop's. */
int filter_new(const struct filter_params *p, struct filter **ret_filter);
void filter_free(struct filter *f); /* NULL is allowed */

/* What a view's strings and lists stand in. */
struct filter_text {
	struct status_count counts[NFT_REASONS];
	struct status_offender offenders[STATUS_OFFENDERS_MAX];
	struct {
		char lladdr[24], src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	} texts[STATUS_OFFENDERS_MAX];
};
/* Wrong sources that were answered. */
uint64_t filter_rejected(const struct filter *f);

/* Points into *t; what was rejected is left to whoever counts it over several servers. */
struct status_filter filter_view(struct filter *f, struct forwarding *forwarding,
				 struct filter_text *t);
