/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that starts others for us, so that we need neither the privileges for that nor execve()
 * and setns() any more. It is forked before we give them up, lives in one network namespace, and
 * knows a fixed set of commands: numbers, whose meaning is a function that it brought along. What
 * it starts are our children, not its own: we see them end. It reads nothing but our requests, and
 * dies with us.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawner;

enum { SPAWNER_NAME_MAX = 16, SPAWNER_LIMIT_MS = 6000 };

struct spawner_spec {
	char name[SPAWNER_NAME_MAX]; /* of the process, as ps shows it */
	int netns_fd;   /* which it enters first, for good; -1: it stays where we are */
	unsigned privs; /* all that it keeps, bits 1U << PRIV_…; nothing comes back */
	/* In the new process, all of them. Before privileges are given up, in its namespace, with
	 * none of our descriptors left; may wipe what it must not know. */
	void (*begin)(void *ctx);
	/* Does the command. fd: what came with it, or -1; closed after this. A negative errno, or 0
	 * and in *ret_pid whom it started, as CHILD_OF_OUR_PARENT (host/proc.h). */
	int (*serve)(void *ctx, uint32_t command, uint32_t number, int fd, pid_t *ret_pid);
	/* We are gone, or do not need it any more. A parent death signal reaches only those whom
	 * the dying parent may kill, and that may not be all of them. */
	void (*end)(void *ctx);
	void *ctx; /* as it is now: they have a copy of all our memory */
};

/* fork(2)'s and socketpair(2)'s errors. That it cannot begin shows when it is asked. */
int spawner_start(const struct spawner_spec *spec, struct spawner **ret_spawner);
/*
 * Has a command done and waits for that: as long as an execve() takes, at most SPAWNER_LIMIT_MS. fd
 * (-1: none) is copied to it. -EPIPE: there is no spawner any more, nor will there be; else what
 * serve() says.
 */
int spawner_ask(struct spawner *s, uint32_t command, uint32_t number, int fd, pid_t *ret_pid);
/*
 * What its process does all its life: answers requests until their sender closes requests_fd, or
 * until something comes that is none (of another size, or with more than one descriptor). Nothing
 * that came is left open. For tests; spawner_start() has it called.
 */
void spawner_serve(const struct spawner_spec *spec, int requests_fd);
/* Its process, to be reaped as any child; 0 once spawner_ended() was told. */
pid_t spawner_pid(const struct spawner *s);
void spawner_ended(struct spawner *s);
/* It ends by itself then. Also for a forked child of ours, where it does not. NULL is allowed. */
void spawner_free(struct spawner *s);
