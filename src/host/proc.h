/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children: other programs, and forks of us. */
#pragma once

#include "host/priv.h"

#include <sys/types.h>

/* Who reaps a child, and dies with whom. */
enum child_of {
	CHILD_OF_US,
	CHILD_OF_OUR_PARENT, /* CLONE_PARENT: we are a process that starts others' children */
};

struct child_spec {
	char *const *argv; /* argv[0] is looked up in PATH */
	char *const *env;  /* the whole environment: nothing of ours is passed on */
	unsigned privs;    /* what it keeps, bits 1U << PRIV_…: the rest is gone for good */
	uid_t uid;         /* whose it is (priv_can_become() first), with gid; 0: ours */
	gid_t gid;
	int log_fd; /* its descriptors 1 and 2; 0: our stderr */
	enum child_of parent;
};

/*
 * Starts it with default signal dispositions, nothing blocked, no descriptor but 0 (/dev/null), 1
 * and 2, in a process group of its own, in the namespaces that we are in, and so that it dies with
 * its parent. Returns once it is running: -ENOENT where there is no such program.
 */
int child_spawn(const struct child_spec *spec, pid_t *ret_pid);
/*
 * fork(2) that leaves every signal (but SIGSYS) blocked in the child until child_settle(): no
 * handler of ours may run there, for it would write to descriptors that our loop reads. 0 in the
 * child, whose *ret_parent is for child_settle(); else its process id, or a negative errno.
 */
pid_t child_fork(enum child_of of, pid_t *ret_parent);
/* In a forked child that goes on as us: default dispositions for every signal that the loop caught,
 * nothing blocked, dies with its parent. */
int child_settle(pid_t parent);
/* In such a child: closes every descriptor from this one on. Kernels before 5.9 have no call for
 * it, and are asked one by one. 0, or close_range(2)'s errors. */
int child_close_from(int first);
