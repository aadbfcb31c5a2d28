/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request as it arrived on the control socket (control/client.h writes it). */
#pragma once

#include "base/prefix.h"
#include "control/client.h"
#include "engine/bindings.h"
#include "wire/duid.h"

#include <stdbool.h>
#include <stddef.h>

/* Which bindings are to be forgotten. A DUID of eight bytes, as it is listed, is an address as
 * well: then both count. */
struct control_selector {
	bool all;
	struct prefix6 prefix; /* plen 0: not by prefix */
	struct duid duid;      /* len 0: not by DUID */
};

struct control_asked {
	enum control_request what;
	const char *argument; /* of CONTROL_CLEAR; points into the bytes */
	struct control_selector which;
};

/*
 * bytes[0..len): what was read, at most up to its newline of any use; one more byte must be there
 * to be written to. 0; -EINVAL: it is no request; -EDOM: one to clear what is no prefix, no address
 * and no DUID.
 */
int control_request_read(char *bytes, size_t len, struct control_asked *ret_asked);
bool control_selects(const struct control_selector *which, const struct binding *b);
