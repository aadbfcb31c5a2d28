/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel settings of our namespace that the appliance stands on, and their undoing. Instances
 * that share a namespace tell each other what they need, and what it was before the first of them
 * came: the last one to go puts it back, whoever that is, also after a kill -9 of others.
 */
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

/* Sets all of them, once in a process; what they were before is pushed on u. -EROFS, -EACCES, …:
 * *ret_key names the one that failed. May wait up to a second for another instance that is doing
 * the same. */
int settings_apply(struct undo *u, const char **ret_key);
/* In a forked child: gives up what only init is to hold. */
void settings_drop(void);
