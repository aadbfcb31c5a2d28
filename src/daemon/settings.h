/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel settings of our namespace that the appliance stands on, and their undoing. */
#pragma once

#include "daemon/undo.h"

#include <stdbool.h>
#include <stddef.h>

struct setting {
	const char *key; /* below /proc/sys */
	const char *value;
	bool required; /* false: better so, and it works without */
};

size_t settings_count(void);
const struct setting *settings_get(size_t i);

/* Sets all of them; what they were before is pushed on u. -EROFS, -EACCES, …: *ret_key names the
 * one that failed. */
int settings_apply(struct undo *u, const char **ret_key);
