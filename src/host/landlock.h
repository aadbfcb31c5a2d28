/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a process may reach, and processes: landlock(7). */
#pragma once

#include <stddef.h>

enum landlock_access {
	LANDLOCK_READ,  /* files, and what is in a folder */
	LANDLOCK_OWNER, /* that, writing, making and removing of files and folders */
};

struct landlock_place {
	const char *path; /* a file, or a folder with all that is in it */
	enum landlock_access access;
};

/*
 * From here on this process and its children open nothing outside of these places, whoever they run
 * as; descriptors that are open stay so. Nor do they reach other processes by /proc or ptrace(2),
 * nor by signals where the kernel knows how (6.12). no_new_privs must be set. Places that are only
 * to be read may be missing. Where another is, files stay open to it, and the rest holds: open(2)'s
 * error then. -EOPNOTSUPP: the kernel has none of this, or less than Linux 5.19's.
 */
int landlock_enter(const struct landlock_place *places, size_t n);
