/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCPv6 as it comes in: from the socket, with the Ethernet address of each sender, in the order in
 * which it is to be served. While no more comes than is served at once, that is the order in which
 * it came; else senders take turns (engine/fair.h). The socket is emptied before each batch, so
 * that it is not the kernel that drops, which would not look whose it is.
 */
#pragma once

#include "base/buf.h"
#include "daemon/config.h"
#include "engine/fair.h"
#include "host/dhcp6_frames.h"
#include "host/dhcp6_sock.h"
#include "wire/nd.h"

#include <stddef.h>
#include <stdint.h>

enum { INTAKE_BATCH = DHCP6_SOCK_BATCH };

struct intake_params {
	const struct config *config; /* outlives it, as what follows */
	struct dhcp6_sock *sock;
	struct dhcp6_frames *frames; /* NULL: no Ethernet */
};

struct intake_stats {
	uint64_t truncated; /* longer than any message */
	uint64_t
		foreign; /* from an address that is none of ours: who has it would get the answer */
	uint64_t crowded_out; /* others had a right to be served first */
};

struct intake;

/* -ENOMEM; -EAGAIN: the kernel has no random numbers. */
int intake_new(const struct intake_params *p, struct intake **ret_intake);
void intake_free(struct intake *in); /* NULL is allowed */

/*
 * The next batch: of each packet what it says and what is known of it. They stay valid until the
 * next call. How many; 0: nothing is there; or dhcp6_sock_receive()'s errors.
 */
int intake_next(struct intake *in, uint64_t now_ms, struct rd ret_packets[static INTAKE_BATCH],
		struct pkt_meta ret_metas[static INTAKE_BATCH]);
/* Whether some wait that the socket does not tell of any more. */
bool intake_waiting(const struct intake *in);
struct intake_stats intake_stats(const struct intake *in);
