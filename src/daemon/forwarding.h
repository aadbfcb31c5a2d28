/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel forwards for the bindings: a route for each delegated prefix, and a permanent
 * neighbour entry for each address that such a route or an assigned address leads to, which the
 * packet filter knows, too, so that nothing goes back to where it came from (RFC 8987 §4.2), and
 * who may send from which prefix (BCP 38). Fed with batches; at the start, and when the link was
 * down, with all bindings at once.
 */
#pragma once

#include "daemon/fib.h"
#include "engine/batch.h"
#include "engine/dhcp6_server.h"

#include <stdbool.h>
#include <stdint.h>

struct forwarding;

/* Towards the interface and with the filter that the FIB's process is for; that stays the caller's.
 * key: 16 random bytes. -ENOMEM. */
int forwarding_new(struct fib *fib, const uint8_t key[static 16],
		   struct forwarding **ret_forwarding);
void forwarding_free(struct forwarding *f); /* NULL is allowed */

/*
 * Makes the kernel's tables hold exactly what the bindings say: this begins it, and may be called
 * again at any time; forwarding_go_on() does one bounded piece, so that subscribers are served
 * meanwhile: whoever gets an answer has its route anyway. 1: call it again; 0: all is right, and
 * what was changed is logged. A negative errno where a table could not be read or written: begin
 * anew.
 */
int forwarding_put_right(struct forwarding *f, const struct dhcp6_server *s);
int forwarding_go_on(struct forwarding *f, const struct dhcp6_server *s);

/*
 * Carries a batch's routes out: they are under way between begin and end, in which nothing else may
 * be asked of f, and the batch must not change. After the end failed[i] says whether route i is not
 * as it was to be; then its client must not be answered. Neighbour entries that fail are logged and
 * fail nothing: the kernel's own discovery finds them.
 */
void forwarding_begin(struct forwarding *f, const struct batch *b,
		      bool failed[static BATCH_CHANGES]);
void forwarding_end(struct forwarding *f);

/* The packet filter refused something, and may lack whom it should let pass: forwarding_go_on() is
 * to be called in a while. */
bool forwarding_astray(const struct forwarding *f);
/* Whom the packet filter has turned away so far. -ENOENT: there are no rules. */
int forwarding_turned_away(struct forwarding *f, uint64_t ret_packets[static NFT_REASONS]);
/* Routes that the kernel refused so far. */
uint64_t forwarding_failures(const struct forwarding *f);
