/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children that are other programs. */
#pragma once

#include "host/priv.h"

#include <sys/types.h>

struct child_spec {
	char *const *argv; /* argv[0] is looked up in PATH */
	char *const *env;  /* the whole environment: nothing of ours is passed on */
	int netns_fd;      /* where it runs; -1: where we are */
	unsigned privs;    /* what it keeps, bits 1U << PRIV_…: the rest is gone for good */
	uid_t uid;         /* whose it is (priv_can_become() first), with gid; 0: ours */
	gid_t gid;
	int log_fd; /* its descriptors 1 and 2; 0: our stderr */
};

/*
 * Starts it with default signal dispositions, nothing blocked, no descriptor but 0 (/dev/null), 1
 * and 2, in a process group of its own, and so that it dies with us. Returns once it
 * is running: -ENOENT where there is no such program, -EPERM where the namespace may not be
 * entered.
 */
int child_spawn(const struct child_spec *spec, pid_t *ret_pid);
/* In a forked child that goes on as us: default dispositions for every signal that the loop caught,
 * nothing blocked, dies with its parent. */
int child_settle(pid_t parent);
