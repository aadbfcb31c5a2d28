/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients are told by configuration: its reservations, and whether it is still what they were
 * told last. */
#pragma once

#include "daemon/config.h"
#include "engine/dhcp6_server.h"

#include <stdint.h>

enum { PROVISIONING_DIGEST_LEN = 32 };

/* Reads the reservations and hands them to the server. Faulty lines are logged; where `all` is true
 * they are -EINVAL, and what was reserved before stays so, else the others count. -ENOMEM. */
int provisioning_reserve(const struct config *c, struct dhcp6_server *s, bool all);

/* What configuration alone says of the server, the rest is zeros: whose it is, its own address and
 * its keys are for the caller. */
void provisioning_config(const struct config *c, struct dhcp6_config *ret_config);

/* Of everything in it that an answer tells; two configurations with the same digest tell the same.
 */
void provisioning_digest(const struct config *c,
			 uint8_t ret_digest[static PROVISIONING_DIGEST_LEN]);
