/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an engine wants done, as data. The daemon carries a batch out in this order: changes → store (one transaction),
 * routes → kernel (one netlink batch), answers → subscribers (one sendmmsg), so that nobody is told what a crash can forget.
 */
#pragma once

#include "engine/bindings.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BATCH_MESSAGES = 128,                      /* messages taken at a time */
	BATCH_CHANGES = BATCH_MESSAGES * 36,       /* worst case: every IA of every message replaces one and frees another */
	BATCH_ANSWER_MAX = 1452,                   /* bytes of one answer: IPv6's 1500 less headers */
};

/* The record is the new state of (kind, duid, iaid, prefix) or, with erase, the row to remove. */
struct binding_change {
	bool erase;
	struct binding_record record;
};

/* A route of a delegated prefix: `add` installs it or moves it to another next hop, else it is removed. */
struct route_change {
	bool add;
	struct prefix6 prefix;
	struct in6_addr next_hop;
	uint8_t lladdr_len; /* of the next hop, for its neighbour entry; 0: unknown */
	uint8_t lladdr[BINDING_LLADDR_MAX];
};

struct answer {
	struct in6_addr dst;
	uint16_t dst_port;
	uint16_t len;
	uint8_t *bytes; /* in the batch's own arena */
};
