/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop (libev behind it, seen nowhere else). One thread. Init uses the default loop,
 * which alone sees signals and children; a forked server makes one of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_watch;
struct loop_timer;

typedef void (*loop_fd_fn)(void *ctx, int fd);
typedef void (*loop_timer_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, int signo);
/* status as waitpid(2) gives it */
typedef void (*loop_child_fn)(void *ctx, pid_t pid, int status);

/* with_children: the process's default loop. -ENOMEM, -ENOSYS. */
int loop_new(bool with_children, struct loop **ret_loop);
/* Also right in a forked child, where it gives up the parent's loop without disturbing it. NULL is
 * allowed. */
void loop_free(struct loop *l);

/* Calls fn while fd is readable (or, with loop_watch_write, writable). The fd stays the caller's.
 * -ENOMEM. */
int loop_watch_fd(struct loop *l, int fd, loop_fd_fn fn, void *ctx, struct loop_watch **ret_watch);
int loop_watch_write(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
		     struct loop_watch **ret_watch);
void loop_unwatch(struct loop_watch *w); /* NULL is allowed; may be called from its own callback */

/* A timer, not running. -ENOMEM. */
int loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx, struct loop_timer **ret_timer);
/* Fires once, delay_ms from now; replaces an earlier setting. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(
	struct loop_timer *t); /* NULL is allowed; may be called from its own callback */

/* Default loop only; they last as long as the loop. -ENOMEM. */
int loop_watch_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx);
/* Every child and (as PID 1) every orphan that ends. */
int loop_watch_children(struct loop *l, loop_child_fn fn, void *ctx);

/*
 * Calls fn when the machine was suspended and is awake again, with how long that was. libev's
 * timers stand still meanwhile; ours are made up for it before: what should have happened happens
 * now. Once a loop; it lasts as long as the loop. Negative errno.
 */
typedef void (*loop_sleep_fn)(void *ctx, uint64_t slept_ms);
int loop_watch_sleep(struct loop *l, loop_sleep_fn fn, void *ctx);

/* Until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Waits for something to happen and handles it, once: for a wait inside straight-line code, with a
 * timer to bound it. */
void loop_step(struct loop *l);
