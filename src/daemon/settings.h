/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel settings of our namespace that the appliance stands on, and their undoing. Instances
 * that share a namespace tell each other what they need, and what it was before the first of them
 * came: the last one to go puts it back, whoever that is, also after a kill -9 of others.
 */
#pragma once

#include "daemon/undo.h"
#include "host/claim.h"
#include "host/sysctl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A need is a claim (host/claim.h) in our namespace, of this text: SETTINGS_NEED TAG/KEY=VALUE,
 * where VALUE is what the key is to be again once nobody needs it any more. The tag, eight digits,
 * is of each start anew: it tells ours from others'.
 */
#define SETTINGS_NEED "vbng-need/"

struct setting {
	const char *key; /* below /proc/sys */
	const char *value;
	bool required; /* false: better so, and it works without */
};

size_t settings_count(void);
const struct setting *settings_get(size_t i);

/* What another instance says that it needs (a claim's text). */
struct setting_need {
	size_t setting;                /* number of it */
	char before[SYSCTL_VALUE_MAX]; /* a number, which it is to be again; "": it does not know */
};

/* text begins with SETTINGS_NEED. What is no number is not known. 0; -ESRCH: it has our tag, and is
 * our own; -EBADMSG: no need of a setting that we know of. */
int settings_need_read(const char *text, uint32_t tag_of_ours, struct setting_need *ret_need);
/* Of a tag and what it was before. -ENAMETOOLONG. */
int settings_need_write(const struct setting_need *need, uint32_t tag,
			char ret_text[static CLAIM_TEXT_MAX]);

/* Sets all of them, once in a process; what they were before is pushed on u. -EROFS, -EACCES, …:
 * *ret_key names the one that failed. May wait up to a second for another instance that is doing
 * the same. */
int settings_apply(struct undo *u, const char **ret_key);
/* In a forked child: gives up what only init is to hold. */
void settings_drop(void);
