/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCPv6 as it comes in: from the socket, with the Ethernet address of each sender, in the order in
 * which it is to be served. While no more comes than is served at once, that is the order in which
 * it came; else senders take turns (engine/fair.h). The socket is emptied before each batch, so
 * that it is not the kernel that drops, which would not look whose it is.
 *
 * What was read and is not answered stands in memory that outlives a server: init maps it before it
 * forks one, and never reads it. Each server writes to memory of its own, so that nobody of the one
 * before it changes what it reads.
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

struct intake_memory;

/* -EAGAIN: the kernel has no random numbers; -ENOMEM. */
int intake_memory_new(struct intake_memory **ret_memory);
void intake_memory_free(struct intake_memory *m); /* NULL is allowed */
/* Before a server is forked: what it is going to write to. -ENOMEM. */
int intake_memory_next(struct intake_memory *m);
/* It is forked, and what the one before it left is its business. */
void intake_memory_passed_on(struct intake_memory *m);

struct intake_params {
	const struct config *config; /* outlives it, as what follows */
	struct intake_memory *memory;
	struct dhcp6_sock *sock;
	struct dhcp6_frames *frames; /* NULL: no Ethernet */
};

struct intake_stats {
	uint64_t truncated; /* longer than any message */
	uint64_t
		foreign; /* from an address that is none of ours: who has it would get the answer */
	uint64_t unknown_sender; /* it is not known which Ethernet address they came from */
	uint64_t crowded_out;    /* others had a right to be served first */
	uint64_t server_died;    /* over it, or while they waited for too long */
};

struct intake;

/* Takes over what the server before this one left. -ENOMEM. */
int intake_new(const struct intake_params *p, struct intake **ret_intake);
void intake_free(struct intake *in); /* NULL is allowed */

/*
 * The next batch: of each packet what it says and what is known of it. They stay valid until the
 * next call. How many; 0: nothing is there; or dhcp6_sock_receive()'s errors.
 */
int intake_next(struct intake *in, uint64_t now_ms, struct rd ret_packets[static INTAKE_BATCH],
		struct pkt_meta ret_metas[static INTAKE_BATCH]);
/* How far that batch is: see engine/fair.h. */
void intake_deciding(struct intake *in, size_t place);
void intake_decided(struct intake *in, size_t n);
void intake_answered(struct intake *in);
/* Gives back what a crowd needed, some time after it; intake_next() does so, too. */
void intake_settle(struct intake *in, uint64_t now_ms);
/* Whether some wait that the socket does not tell of any more. */
bool intake_waiting(const struct intake *in);
struct intake_stats intake_stats(const struct intake *in);
