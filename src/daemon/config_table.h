/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every variable of the contract, in the order in which people read about them. */
#pragma once

#include "daemon/config_values.h"

enum config_section { CONFIG_REQUIRED, CONFIG_DERIVED, CONFIG_OPTIONAL };

enum config_kind {
	CONFIG_PLAIN,
	CONFIG_FOR_TUNNEL, /* not needed with WIREGUARD_BACKEND=none */
	CONFIG_DHCP6,      /* goes into config's options, which print as they were given */
};

struct config_variable {
	const char *name;
	enum config_section section;
	const char *example;
	const char *fallback; /* the default, as people read it; NULL: none (then `preset` in
				 config_read() says what an absent one means) */
	const char *meaning;
	int (*parse)(const char *text, struct config *c, struct why *why);
	bool secret;
	enum config_kind kind;
};

extern const struct config_variable config_variables[];
extern const size_t config_n_variables;
/* The name that goes with the example: DHCPV6_OPTION_<code> stands for many. */
const char *config_example_name(const struct config_variable *v);
