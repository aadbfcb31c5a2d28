/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities (capabilities(7)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum priv {
	PRIV_NET_ADMIN,
	PRIV_SYS_ADMIN,
	PRIV_NET_RAW,
	PRIV_NET_BIND_SERVICE,
	PRIV_COUNT, /* of those that the least container has */
	/* used where they are there */
	PRIV_SETPCAP = PRIV_COUNT, /* emptying the bounding set */
	PRIV_SETUID,
	PRIV_SETGID,
	PRIV_KILL,
	PRIV_DAC_OVERRIDE,
	PRIV_ALL,
};

bool priv_have(enum priv p);
/* "NET_ADMIN", as docker's --cap-add takes it. */
const char *priv_name(enum priv p);
/*
 * Of the wanted (bits 1U << PRIV_…) those that we have not, as "NET_ADMIN SYS_ADMIN", cut to the
 * buffer. How many; 0 leaves "" there.
 */
size_t priv_missing(unsigned wanted, char *buf, size_t size);

/*
 * Keeps, of what the process has, the privileges of the mask alone, for good: no execve can bring
 * any back (no_new_privs), and where CAP_SETPCAP allows it the bounding set is emptied too. With
 * `inherit` a program that is executed next keeps them, whoever it runs as. -EIO where the kernel
 * does not tell or take capabilities, -EPERM where it refuses.
 */
int priv_keep(unsigned privs, bool inherit);
/* Whether a child of ours can be somebody else's, and be told to end all the same (CAP_SETUID,
 * CAP_SETGID, CAP_KILL). */
bool priv_can_become(void);
/* Another user, with this group alone; the privileges stay until priv_keep(). The parent death
 * signal is to be set again. -EPERM. */
int priv_become(uid_t uid, gid_t gid);
/*
 * For who goes on forking: as priv_keep(), with nothing inheritable or ambient, and root is a user
 * like others from now on: what is executed gets no capability for being root's (SECBIT_NOROOT,
 * locked). programs: the bounding set holds the same privileges, for others to be executed with
 * them; else it is empty, too. Both sets and bits only where CAP_SETPCAP allows it.
 */
int priv_limit(unsigned privs, bool programs);
