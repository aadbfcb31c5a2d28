/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subscriber's NIC: somebody's network card, taken and given back. What it was like is noted in
 * memory and, for a start after a crash, in STATE_DIR/nic.
 */
#pragma once

#include "daemon/config.h"
#include "host/link.h"

#include <stdbool.h>
#include <stddef.h>

enum { NIC_MAX_ADDRS = 64 };

struct nic {
	const char *state_dir;
	struct rtnl *host_rt; /* NULL where there is no host namespace (SUBSCRIBER_MODE=local
				 without one) */
	struct rtnl *own_rt;
	int host_ns;
	bool moved; /* it came from the host and goes back there */
	bool made;  /* it is our own, on top of the host's (macvlan, VLAN). Neither: it was in our
		       namespace already */
	bool gone;  /* it ceased to exist after it was taken, and is not there again */
	char home_name[IFNAMSIZ]; /* on the host */
	struct link_info link;    /* in our namespace, under the name that it has here */
	bool was_up;
	int was_addr_gen_mode; /* as in struct link_info */
	size_t n_addrs;
	struct link_addr addrs[NIC_MAX_ADDRS];
};

/*
 * Finds the NIC that mode and name mean, and takes it. After a crash it is waited for (up to 5 s;
 * pause(ctx) is called in between and ends the wait by returning false) and looked for under the
 * name that the kernel gave it. 0: n->link is in our namespace, down, without addresses where it
 * was moved. -ENODEV: there is none of that name; -EEXIST: *ret_blocker names a link that is in the
 * way; -EINTR: pause said so; for a link on top of the host's also those of link_make_upon(), and
 * -ENETDOWN: the host's is down. Nothing is changed on failure.
 */
int nic_take(struct nic *n, const struct config *c, int own_ns, bool (*pause)(void *ctx),
	     void *ctx);
/* "move", "local", "macvlan" or "vlan:7": what came of SUBSCRIBER_MODE. Returns buf. */
enum { NIC_MODE_MAX = 16 };
const char *nic_mode(const struct nic *n, const struct config *c, char buf[static NIC_MODE_MAX]);
/*
 * One that is gone, taken again, from where it was taken before and under the same name; never
 * waits. By its name or, of a card (a link of no kind), by its link-layer address, which tells it
 * from another that has got its name. settled: cards have had the time to get their names, so that
 * one which has only the name, or only the address, is taken, too. *ret_wait (where the result is
 * -ENODEV): there is one that would be taken then. 0: n->link is as nic_take() leaves it. Nothing
 * is changed on failure.
 */
int nic_retake(struct nic *n, const struct config *c, int own_ns, bool settled, bool *ret_wait);
/* Whether, when it was taken, a program of the host's looked after it that will want to do so again
 * (NetworkManager, networkd or dhcpcd with addresses from DHCP). */
bool nic_managed(const struct nic *n);
/*
 * The inverse of both, for the undo stack: home, with its name, its addresses and its
 * administrative state. One that is managed has up to 2 s to be set up by that program, and only
 * gets back what that does not know of. arg is the struct nic. Nothing but the note is given back
 * while it is gone.
 */
int nic_return(void *arg);
