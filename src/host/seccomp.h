/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls given up (seccomp(2)). What is left, and what is refused, stands in seccomp_calls.h.
 */
#pragma once

/*
 * From here on, in this process and its children, a call that is not of the server's list kills the
 * process (SIGSYS). Needs no_new_privs (priv_keep()). -EOPNOTSUPP: this is a build without it (for
 * sanitizers and valgrind, which make calls of their own); -EINVAL, -ENOSYS: the kernel has none.
 */
int seccomp_enter_server(void);

/*
 * For a spawner and for init. From here on, in this process and in all that it forks and executes,
 * the calls that none of them needs are refused with EPERM, and the kernel's log tells of each.
 * Errors as above.
 */
int seccomp_enter_spawner(void);
