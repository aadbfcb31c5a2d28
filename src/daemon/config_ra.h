/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variables of router advertisements that are more than a number or a word, and what they say
 * together. */
#pragma once

#include "daemon/config_reading.h"
#include "daemon/config_values.h"

/* One or more /64, into c->transfers and c->transfer. */
int ra_transfers(const char *text, struct config *c, struct why *why);
/* PREFIX[,NAME=VALUE…], blanks between prefixes. */
int ra_prefixes(const char *text, struct config *c, struct why *why);
/* PREFIX[@PREFERENCE[@SECONDS]], comma separated. */
int ra_routes(const char *text, struct config *c, struct why *why);
int ra_pvd(const char *text, struct config *c, struct why *why);

/* Derives what is not given, and holds all of it against each other. The prefixes and DHCPv6's
 * lifetimes are known by now. */
void config_ra_check(struct reading *rd);
