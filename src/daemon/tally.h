/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What status and metrics count outlives a server: it stands in memory that all servers of one
 * start of the appliance share, and init, which holds it, never reads it. Whoever asks sees no
 * counter go back; a kill costs what was counted since the last batch, or since somebody asked.
 */
#pragma once

#include "daemon/advertiser.h"
#include "daemon/intake.h"
#include "engine/dhcp6_server.h"

#include <stdint.h>

struct tally {
	struct dhcp6_stats dhcp6;
	struct advertiser_stats advertiser;
	struct intake_stats intake;
	uint64_t ra_heard, ra_refused, ra_untracked; /* of other routers */
	uint64_t routes_failed;
	uint64_t rejected; /* wrong sources that were answered */
};

/* Zeros, shared with every child. -ENOMEM. */
int tally_new(struct tally **ret_tally);
void tally_free(struct tally *t); /* NULL is allowed */

/* What was counted before and what this server has counted, together; what is no counter (of pools,
 * and who waits) is as it is now. */
struct tally tally_sum(const struct tally *before, const struct tally *now);
