/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations as people write them: one a line (or between semicolons), what follows a '#' is a
 * comment. Between quotes, semicolons and '#' are text.
 *
 *     duid 00:03:00:01:02:00:5e:00:00:01 2001:db8:ffff:9900::/56
 *     mac 02:00:5e:00:00:02 iaid 7 2001:db8:ffff:9a00::/56
 *     interface-id "slot 1/port 3" 2001:db8:ffff:9b00::/56
 *     interface-id 0x65746837 2001:db8:ffff::7
 *
 * A prefix has its length; an address (of the transfer network) has none, or 128.
 */
#pragma once

#include "daemon/config.h"
#include "engine/reservations.h"

#include <stddef.h>

/* What a reservation must fit to. */
struct reservation_rules {
	struct prefix6 assigned;
	struct prefix6 transfer;
	const struct prefix6 *transfers; /* that one and the others */
	size_t n_transfers;
	struct in6_addr own_addr; /* in the transfer network */
	struct prefix6 pd_pool;
	uint8_t pd_min_len, pd_max_len; /* of prefixes that lie in the pool */
	bool ia_na;                     /* addresses are handed out at all */
};

struct reservation_list {
	struct reservation *list;
	size_t n, room;
	size_t n_faults;
};

/* Where what begins at `at` is over: at a semicolon, the end of the line or of the text. *ret_end:
 * the same without a comment. */
const char *reservations_entry(const char *at, const char **ret_end);
/*
 * Adds what the text holds to *list, which begins as zeros. Each faulty entry is told to
 * fault(ctx, "SOURCE line N: what is wrong with it"), counted, and left out; where a line has
 * several, it is "SOURCE line N entry M". Lines are numbered from first_line. -ENOMEM.
 */
int reservations_read(const char *text, const char *source, unsigned first_line,
		      const struct reservation_rules *rules,
		      void (*fault)(void *ctx, const char *sentence), void *ctx,
		      struct reservation_list *list);
/* Those of a configuration: of its variable, and of the file `reservations` in its STATE_DIR,
 * neither of which need be there. */
int reservations_load(const struct config *c, void (*fault)(void *ctx, const char *sentence),
		      void *ctx, struct reservation_list *list);
void reservation_list_done(struct reservation_list *list);
