/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The variables that are DHCPv6 options for those who ask. Each of these parsers appends whole
 * options to c->options; 0, or -EINVAL with *why, and c->options is as it was.
 */
#pragma once

#include "daemon/config_values.h"
#include "engine/dhcp6_server.h"

#include <stddef.h>
#include <stdint.h>

int option_sol_max_rt(const char *text, struct config *c, struct why *why);
int option_inf_max_rt(const char *text, struct config *c, struct why *why);
int option_refresh_time(const char *text, struct config *c, struct why *why);
int option_ntp(const char *text, struct config *c, struct why *why);
int option_aftr(const char *text, struct config *c, struct why *why);
/* Sets c->captive_portal as well. */
int option_captive_portal(const char *text, struct config *c, struct why *why);
int option_s46_mape(const char *text, struct config *c, struct why *why);
int option_s46_mapt(const char *text, struct config *c, struct why *why);
int option_s46_lw4o6(const char *text, struct config *c, struct why *why);
/* Any other one, as hex. A fault for codes that the server itself, relays, clients or another
 * variable govern. */
int option_raw(uint16_t code, const char *text, struct config *c, struct why *why);

/* Not an option of a message but of each prefix: "NUMBER/LENGTH" into c->pd_exclude_…. */
int option_pd_exclude(const char *text, struct config *c, struct why *why);

/* c->options for the server, into which the entries point. Returns how many there are; of more than
 * max the first. */
size_t config_options_list(const struct config *c, size_t max,
			   struct dhcp6_extra_option *ret_options);
