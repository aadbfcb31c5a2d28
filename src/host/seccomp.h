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

/* For the process that changes the kernel's tables: likewise, with a list of its own. */
int seccomp_enter_fib(void);

/*
 * For init, which has an undo to run and is therefore not killed. From here on, in this process and
 * its children, a call that is not of init's list is refused with EPERM. In a child that has set
 * SIGSYS back to its default it kills. Once a process; errors as above, and pipe2(2)'s.
 */
int seccomp_enter_init(void);
/* Readable where a call was refused in this process; -1 before seccomp_enter_init(), and where this
 * architecture's calls are refused without a report of ours. */
int seccomp_report_fd(void);
/* The number of a call that was refused, or -EAGAIN. */
int seccomp_refused(void);
/* In a forked child: no reports of it. */
void seccomp_drop_reports(void);

/* For the child that asks for a name: as the server's, with a list of its own. */
int seccomp_enter_resolver(void);

/*
 * For a spawner. From here on, in this process and in all that it forks and executes,
 * the calls that none of them needs are refused with EPERM, and the kernel's log tells of each.
 * Errors as above.
 */
int seccomp_enter_spawner(void);
