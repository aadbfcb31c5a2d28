/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/loop.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/clock_watch.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

/* The two clocks are read one after the other, and who is stopped in between has not slept. */
enum { SLEPT_MIN_MS = 1000 };

struct loop_extra {
	struct loop_extra *next;
	union {
		ev_signal signal;
		ev_child child;
	} w;
	loop_signal_fn on_signal;
	loop_child_fn on_child;
	void *ctx;
};

struct loop {
	struct ev_loop *ev;
	struct loop_extra *extras;
	struct loop_timer *timers; /* all there are */
	struct loop_watch *clock_watch;
	int clock_fd;
	uint64_t slept_ms; /* as of the last look */
	loop_sleep_fn on_sleep;
	void *sleep_ctx;
};

struct loop_watch {
	ev_io io;
	struct loop *loop;
	loop_fd_fn fn;
	void *ctx;
};

struct loop_timer {
	ev_timer timer;
	struct loop *loop;
	struct loop_timer *next, *previous;
	loop_timer_fn fn;
	void *ctx;
};

/* libev's own answer to a failing system call is to abort, which PID 1 must not: it retries at the
 * next iteration. That there is a callback also keeps it from giving up a descriptor where poll()
 * finds no memory. */
static void on_syscall_error(const char *msg)
{
	(void)msg;
}

int loop_new(bool with_children, struct loop **ret_loop)
{
	ev_set_syserr_cb(on_syscall_error);
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->clock_fd = -1;
	/* poll(2), for the few descriptors that we have: epoll_ctl(2) may refuse one (ENOSPC, where
	 * others of our user have used up fs.epoll.max_user_watches), and libev then drops its
	 * watch, among them its own for signals, which nobody could start again. */
	const unsigned flags = EVFLAG_NOENV | EVBACKEND_POLL;
	l->ev = with_children ? ev_default_loop(flags) : ev_loop_new(flags);
	if (!l->ev) {
		free(l);
		return -ENOSYS;
	}
	*ret_loop = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->extras) {
		struct loop_extra *x = l->extras;
		l->extras = x->next;
		if (x->on_signal)
			ev_signal_stop(l->ev, &x->w.signal);
		else
			ev_child_stop(l->ev, &x->w.child);
		free(x);
	}
	loop_unwatch(l->clock_watch);
	if (l->clock_fd >= 0)
		(void)close(l->clock_fd); /* a timer that never fires */
	ev_loop_destroy(l->ev);
	free(l);
}

static void on_io(struct ev_loop *ev, ev_io *io, int revents)
{
	(void)ev;
	(void)revents;
	struct loop_watch *w = (struct loop_watch *)io->data;
	w->fn(w->ctx, io->fd);
}

static int watch(struct loop *l, int fd, int events, loop_fd_fn fn, void *ctx,
		 struct loop_watch **ret_watch)
{
	struct loop_watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	ev_io_init(&w->io, on_io, fd, events);
	w->io.data = w;
	ev_io_start(l->ev, &w->io);
	*ret_watch = w;
	return 0;
}

int loop_watch_fd(struct loop *l, int fd, loop_fd_fn fn, void *ctx, struct loop_watch **ret_watch)
{
	return watch(l, fd, EV_READ, fn, ctx, ret_watch);
}

int loop_watch_write(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
		     struct loop_watch **ret_watch)
{
	return watch(l, fd, EV_WRITE, fn, ctx, ret_watch);
}

void loop_unwatch(struct loop_watch *w)
{
	if (!w)
		return;
	ev_io_stop(w->loop->ev, &w->io);
	free(w);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void)ev;
	(void)revents;
	struct loop_timer *t = (struct loop_timer *)timer->data;
	t->fn(t->ctx);
}

int loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx, struct loop_timer **ret_timer)
{
	struct loop_timer *t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	ev_timer_init(&t->timer, on_timer, 0, 0);
	t->timer.data = t;
	t->next = l->timers;
	if (t->next)
		t->next->previous = t;
	l->timers = t;
	*ret_timer = t;
	return 0;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ms)
{
	ev_timer_stop(t->loop->ev, &t->timer);
	/* libev counts from the iteration's start, which may be long ago when a batch took its
	 * time. */
	ev_now_update(t->loop->ev);
	ev_timer_set(&t->timer, (double)delay_ms / 1000.0, 0);
	ev_timer_start(t->loop->ev, &t->timer);
}

void loop_timer_stop(struct loop_timer *t)
{
	ev_timer_stop(t->loop->ev, &t->timer);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	ev_timer_stop(t->loop->ev, &t->timer);
	if (t->next)
		t->next->previous = t->previous;
	if (t->previous)
		t->previous->next = t->next;
	else
		t->loop->timers = t->next;
	free(t);
}

/* The kernel wakes whoever waits for the wall clock to be set when it resumes, too. */
static void on_clock(void *ctx, int fd)
{
	struct loop *l = (struct loop *)ctx;
	clock_watch_read(fd);
	uint64_t all_ms = clock_slept_ms(), slept_ms = all_ms - l->slept_ms;
	if (all_ms < l->slept_ms + SLEPT_MIN_MS)
		return;
	l->slept_ms = all_ms;
	ev_now_update(l->ev);
	for (struct loop_timer *t = l->timers; t; t = t->next) {
		if (!ev_is_active(&t->timer))
			continue;
		double left_s = ev_timer_remaining(l->ev, &t->timer) - (double)slept_ms / 1000.0;
		ev_timer_stop(l->ev, &t->timer);
		ev_timer_set(&t->timer, left_s > 0 ? left_s : 0, 0);
		ev_timer_start(l->ev, &t->timer);
	}
	l->on_sleep(l->sleep_ctx, slept_ms);
}

int loop_watch_sleep(struct loop *l, loop_sleep_fn fn, void *ctx)
{
	AUTO_CLOSE int fd = -1;
	l->slept_ms = clock_slept_ms();
	l->on_sleep = fn;
	l->sleep_ctx = ctx;
	int r = clock_watch_new(&fd);
	if (r == 0)
		r = loop_watch_fd(l, fd, on_clock, l, &l->clock_watch);
	if (r < 0)
		return r;
	/* Before whatever else happened then: nobody is to judge by clocks that have moved on. */
	ev_io_stop(l->ev, &l->clock_watch->io);
	ev_set_priority(&l->clock_watch->io, EV_MAXPRI);
	ev_io_start(l->ev, &l->clock_watch->io);
	l->clock_fd = take_fd(&fd);
	return 0;
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	(void)ev;
	(void)revents;
	struct loop_extra *x = (struct loop_extra *)w->data;
	x->on_signal(x->ctx, w->signum);
}

static void on_child(struct ev_loop *ev, ev_child *w, int revents)
{
	(void)ev;
	(void)revents;
	struct loop_extra *x = (struct loop_extra *)w->data;
	x->on_child(x->ctx, w->rpid, w->rstatus);
}

int loop_watch_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx)
{
	struct loop_extra *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->on_signal = fn;
	x->ctx = ctx;
	ev_signal_init(&x->w.signal, on_signal, signo);
	x->w.signal.data = x;
	ev_signal_start(l->ev, &x->w.signal);
	x->next = l->extras;
	l->extras = x;
	return 0;
}

int loop_watch_children(struct loop *l, loop_child_fn fn, void *ctx)
{
	struct loop_extra *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->on_child = fn;
	x->ctx = ctx;
	ev_child_init(&x->w.child, on_child, 0, 0); /* 0: whoever ends */
	x->w.child.data = x;
	ev_child_start(l->ev, &x->w.child);
	x->next = l->extras;
	l->extras = x;
	return 0;
}

void loop_run(struct loop *l)
{
	ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

void loop_step(struct loop *l)
{
	ev_run(l->ev, EVRUN_ONCE);
}
