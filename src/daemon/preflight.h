/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What boot needs, looked at before anything is touched: privileges, the host's namespace, the NIC,
 * kernel settings that could not be written, a TUN device. Each fault is logged with what to do
 * about it; all of them, not only the first.
 */
#pragma once

#include "daemon/config.h"
#include "host/link.h"

struct preflight {
	int own_ns;  /* the caller closes all three */
	int host_ns; /* -1: there is none, and none is needed */
	struct rtnl *own_rt;
	struct rtnl *host_rt; /* NULL like host_ns */
};

/* 0, or the exit code of the contract for the worst fault (77 before 69); *ret_preflight is to be
 * closed in either case. */
int preflight_run(const struct config *c, struct preflight *ret_preflight);
void preflight_done(struct preflight *p);
