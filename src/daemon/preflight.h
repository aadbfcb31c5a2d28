/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What boot needs, looked at before anything is touched: privileges, the host's namespace, the NIC,
 * kernel settings that could not be written, a TUN device, other instances that have what is
 * wanted. Each fault is told with what to do about it; all of them, not only the first.
 */
#pragma once

#include "daemon/claims.h"
#include "daemon/config.h"
#include "host/link.h"

struct preflight {
	int own_ns;  /* the caller closes all three */
	int host_ns; /* -1: there is none, and none is needed */
	struct rtnl *own_rt;
	struct rtnl *host_rt; /* NULL like host_ns */
	struct claims claims;
};

#define PREFLIGHT_NONE                                                                             \
	{                                                                                          \
		.own_ns = -1, .host_ns = -1, .claims = CLAIMS_NONE                                 \
	}

/* 0, or the exit code of the contract for the worst fault (77 before 69); *ret_preflight is to be
 * closed in either case. hold: what no other instance may have is ours from then on, until it is
 * closed; else it is only looked at, and nothing changes. tell gets each fault as a sentence. */
int preflight_run(const struct config *c, bool hold, void (*tell)(const char *sentence),
		  struct preflight *ret_preflight);
void preflight_done(struct preflight *p);
