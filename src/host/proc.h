/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs run as children (fork, execve). A child starts clean: default signal dispositions and an empty mask, no descriptor but
 * those it is given, its own process group, no privilege that was not asked for, and it dies with us (PR_SET_PDEATHSIG), however we die.
 */
#pragma once

#include "host/priv.h"

#include <stddef.h>
#include <sys/types.h>

enum { PROC_FDS_MAX = 8 };

struct proc_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is the program's path, looked up in no PATH */
	const char *const *env;  /* NULL-terminated, the whole environment; NULL: empty */
	int netns_fd;            /* the network namespace it lives in; -1: ours */
	int log_fd;              /* its stdout and stderr; -1: our stderr. Its stdin is /dev/null. */
	uid_t uid;               /* 0: ours, and then gid is not looked at */
	gid_t gid;
	unsigned privs;          /* what it keeps: bits 1U << PRIV_…; the rest is gone for good (no_new_privs) */
	size_t n_fds;
	int fds[PROC_FDS_MAX];   /* becomes its descriptors 3, 4, … */
};

/*
 * Starts it. Returns when the program runs (its execve has succeeded) or could not be started: -ENOENT no such program, -EACCES,
 * -EPERM a privilege of ours is missing (PRIV_SYS_ADMIN for netns_fd), -EAGAIN, -ENOMEM. The child is reaped by whoever reaps ours (loop_watch_children()).
 */
int proc_spawn(const struct proc_spec *spec, pid_t *ret_pid);

/*
 * We become the reaper of orphans below us, which PID 1 is anyway, so that nothing started by a child outlives the appliance unseen.
 * Not inherited by children.
 */
int proc_become_subreaper(void);

/*
 * What a signal handler of ours must not leave behind for a child that is forked without execve: all dispositions default, mask empty.
 */
void proc_reset_signals(void);
