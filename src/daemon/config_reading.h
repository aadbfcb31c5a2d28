/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration while it is being read: what config.c gathers and config_check.c holds against
 * itself. */
#pragma once

#include "daemon/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A variable's text. */
struct raw {
	char *value;    /* NULL: not given */
	char from[256]; /* how people gave it: "NAME", "NAME_FILE=/run/x" or "provider.conf line 3"
			 */
	uint16_t code;  /* of DHCPV6_OPTION_<code> */
};

struct reading {
	size_t n; /* raws: first one beside each of config_variables, then those of
		     DHCPV6_OPTION_<code> */
	struct raw *raws;
	bool *faulty; /* beside raws: told already */
	struct config c;
	struct config_report *report;
	bool out_of_memory;
};

__attribute__((format(printf, 2, 3))) void reading_fault(struct reading *rd, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void reading_warn(struct reading *rd, const char *fmt, ...);
/* A fault of the variable at i, with an example of its value, as it would stand in an env file. */
void reading_fault_of(struct reading *rd, size_t i, const char *why);

/* Of a variable that is in the table. */
size_t reading_find(const char *name);
bool reading_given(const struct reading *rd, const char *name);
bool reading_faulty(const struct reading *rd, const char *name);
