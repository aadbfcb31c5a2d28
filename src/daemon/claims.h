/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two instances cannot share: a name, a NIC, prefixes, a STATE_DIR; and a network namespace,
 * where both have a tunnel, for it has one default route and one routing table of the resolver's
 * queries. Each instance holds its own as claims (host/claim.h) in the host's network namespace, or
 * in ours where there is none, that of the tunnel in ours, and a lock in STATE_DIR. Both vanish
 * with it, even after a kill -9.
 */
#pragma once

#include "daemon/config.h"
#include "host/claim.h"

#include <stdbool.h>

enum { CLAIMS_MAX = 4 + CONFIG_MAX_TRANSFERS }; /* name, NIC, pool, tunnel, transfer networks */

struct claims {
	int fds[CLAIMS_MAX]; /* -1: not held */
	int lock_fd;         /* of STATE_DIR's lock, -1 */
};

#define CLAIMS_NONE                                                                                \
	{                                                                                          \
		.fds = { [0 ... CLAIMS_MAX - 1] = -1 }, .lock_fd = -1                              \
	}

/* Where they are held. */
struct claims_place {
	int ns;          /* of name and prefixes: the host's, -1 for our own */
	int nic_ns;      /* of the NIC: where it is looked for */
	const char *nic; /* its name there */
};

/*
 * Takes them, or with hold=false only looks whether that could be done. Every conflict is told as
 * one sentence that names the other instance. Returns how many there were: then nothing is held. Or
 * -ENOENT where the kernel does not tell who else is there: they are held all the same; another
 * negative errno as claim_hold(): nothing is held. May wait up to 0.2 s for an instance that is
 * only just ending, or that starts in the same moment.
 */
int claims_take(struct claims *ret_claims, const struct config *c, const struct claims_place *place,
		bool hold, void (*tell)(void *ctx, const char *sentence), void *ctx);
void claims_release(struct claims *c);
