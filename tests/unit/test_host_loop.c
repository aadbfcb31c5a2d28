/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/unit.h"

#include "base/clock.h"
#include "host/loop.h"
#include "host/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 60000 };

struct probe {
	struct loop *loop;
	struct loop_timer *timer, *limit;
	struct loop_watch *watch;
	int fired, limits, readable, writable, signals, children;
	int last_signal;
	pid_t last_pid;
	int last_status;
	int wanted_children;
};

static void on_limit(void *ctx)
{
	struct probe *p = (struct probe *)ctx;
	p->limits++;
	loop_stop(p->loop);
}

static void on_timer(void *ctx)
{
	struct probe *p = (struct probe *)ctx;
	p->fired++;
	loop_stop(p->loop);
}

static void start(struct probe *p, bool with_children)
{
	*p = (struct probe){ 0 };
	assert_int_equal(loop_new(with_children, &p->loop), 0);
	assert_int_equal(loop_timer_new(p->loop, on_limit, p, &p->limit), 0);
	loop_timer_set(p->limit, LIMIT_MS);
}

static void finish(struct probe *p)
{
	assert_int_equal(p->limits, 0);
	loop_timer_free(p->limit);
	loop_free(p->loop);
}

static void timers_fire_once_and_can_be_set_again(void **state)
{
	(void)state;
	struct probe p;
	start(&p, false);
	assert_int_equal(loop_timer_new(p.loop, on_timer, &p, &p.timer), 0);
	uint64_t before = clock_mono_ms();
	loop_timer_set(p.timer, 10);
	loop_timer_set(p.timer, 60); /* replaces */
	loop_run(p.loop);
	uint64_t took = clock_mono_ms() - before;
	assert_int_equal(p.fired, 1);
	assert_in_range(took, 59, LIMIT_MS);
	/* Not from when the loop last looked at the clock, but from now. */
	(void)usleep(50000); /* shorter only makes the test less sharp */
	before = clock_mono_ms();
	loop_timer_set(p.timer, 40);
	loop_run(p.loop);
	assert_in_range(clock_mono_ms() - before, 39, LIMIT_MS);
	assert_int_equal(p.fired, 2);
	loop_timer_set(p.timer, 0);
	loop_run(p.loop);
	assert_int_equal(p.fired, 3);
	loop_timer_set(p.timer, 1);
	loop_timer_stop(p.timer);
	loop_timer_set(p.limit, 30);
	loop_run(p.loop);
	assert_int_equal(p.fired, 3);
	assert_int_equal(p.limits, 1);
	p.limits = 0;
	loop_timer_free(p.timer);
	loop_timer_free(NULL);
	finish(&p);
}

static void on_readable(void *ctx, int fd)
{
	struct probe *p = (struct probe *)ctx;
	char byte;
	p->readable++;
	if (read(fd, &byte, 1) == 0) {
		loop_unwatch(p->watch); /* from its own callback */
		p->watch = NULL;
		loop_stop(p->loop);
	}
}

static void on_writable(void *ctx, int fd)
{
	struct probe *p = (struct probe *)ctx;
	p->writable++;
	assert_int_equal(write(fd, "x", 1), 1);
	if (p->writable == 3) {
		loop_unwatch(p->watch);
		loop_stop(p->loop);
	}
}

static void descriptors_are_watched_until_they_are_not(void **state)
{
	(void)state;
	struct probe p;
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	start(&p, false);
	assert_int_equal(loop_watch_write(p.loop, fds[1], on_writable, &p, &p.watch), 0);
	loop_run(p.loop);
	assert_int_equal(p.writable, 3);
	assert_int_equal(loop_watch_fd(p.loop, fds[0], on_readable, &p, &p.watch), 0);
	loop_step(p.loop);
	assert_int_equal(p.readable, 1);
	(void)close(fds[1]); /* three bytes and the end */
	loop_run(p.loop);
	assert_int_equal(p.readable, 4);
	assert_null(p.watch);
	loop_unwatch(NULL);
	(void)close(fds[0]); /* read to its end */
	finish(&p);
}

static void on_signal(void *ctx, int signo)
{
	struct probe *p = (struct probe *)ctx;
	p->signals++;
	p->last_signal = signo;
	loop_stop(p->loop);
}

static void signals_are_read_by_the_loop(void **state)
{
	(void)state;
	struct probe p;
	start(&p, true);
	assert_int_equal(loop_watch_signal(p.loop, SIGUSR1, on_signal, &p), 0);
	assert_int_equal(loop_watch_signal(p.loop, SIGTERM, on_signal, &p), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(p.signals, 0); /* nothing happens behind the loop's back */
	loop_run(p.loop);
	assert_int_equal(p.signals, 1);
	assert_int_equal(p.last_signal, SIGTERM);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(p.loop);
	assert_int_equal(p.last_signal, SIGUSR1);
	finish(&p);
	/* And after it the signals are everybody's again. */
	struct sigaction now;
	assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_DFL);
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct probe *p = (struct probe *)ctx;
	p->children++;
	p->last_pid = pid;
	p->last_status = status;
	if (p->children == p->wanted_children)
		loop_stop(p->loop);
}

static void children_and_orphans_are_reaped(void **state)
{
	(void)state;
	struct probe p;
	start(&p, true);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(loop_watch_children(p.loop, on_child, &p), 0);
	p.wanted_children = 1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	loop_run(p.loop);
	assert_int_equal(p.last_pid, pid);
	assert_true(WIFEXITED(p.last_status));
	assert_int_equal(WEXITSTATUS(p.last_status), 7);
	/* Ten children that each leave an orphan behind. */
	p.children = 0;
	p.wanted_children = 20;
	for (int i = 0; i < 10; i++) {
		if (fork() == 0) {
			if (fork() == 0)
				(void)usleep(20000); /* so that it outlives its parent */
			_exit(0);
		}
	}
	loop_run(p.loop);
	assert_int_equal(p.children, 20);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	finish(&p);
}

/* What the server does: gives up the parent's loop, makes one of its own, and the parent's goes on
 * as if nothing had been. */
static void a_forked_child_gives_up_the_loop_undisturbed(void **state)
{
	(void)state;
	struct probe p;
	int to_parent[2];
	assert_int_equal(pipe2(to_parent, O_CLOEXEC), 0);
	start(&p, true);
	p.wanted_children = -1;
	assert_int_equal(loop_watch_signal(p.loop, SIGUSR1, on_signal, &p), 0);
	assert_int_equal(loop_watch_children(p.loop, on_child, &p), 0);
	assert_int_equal(loop_watch_fd(p.loop, to_parent[0], on_readable, &p, &p.watch), 0);
	loop_timer_set(p.limit, 1);
	loop_run(p.loop); /* the watch is in the kernel now */
	assert_int_equal(p.limits, 1);
	p.limits = 0;
	loop_timer_set(p.limit, LIMIT_MS);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		if (child_settle(parent) < 0)
			_exit(1);
		loop_free(p.loop);
		struct probe own = { 0 };
		if (loop_new(true, &own.loop) < 0 ||
		    loop_timer_new(own.loop, on_timer, &own, &own.timer) < 0 ||
		    loop_watch_signal(own.loop, SIGUSR1, on_signal, &own) < 0)
			_exit(2);
		loop_timer_set(own.timer, 20);
		loop_run(own.loop);
		if (own.fired != 1)
			_exit(3);
		if (raise(SIGUSR1) != 0)
			_exit(4);
		loop_run(own.loop);
		if (own.signals != 1)
			_exit(5);
		loop_timer_free(own.timer);
		loop_free(own.loop);
		_exit(write(to_parent[1], "x", 1) == 1 ? 0 : 6);
	}
	(void)close(to_parent[1]); /* the child's */
	loop_run(p.loop);          /* a byte, then the end */
	assert_int_equal(p.readable, 2);
	assert_int_equal(p.signals, 0); /* the child's own signal was its own */
	p.wanted_children = p.children + 1;
	if (p.children == 0)
		loop_run(p.loop);
	assert_int_equal(p.last_pid, pid);
	assert_int_equal(p.last_status, 0);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(p.loop);
	assert_int_equal(p.signals, 1);
	(void)close(to_parent[0]); /* read to its end */
	finish(&p);
}

/* The machine's sleep: how long it was in all, and the descriptor that tells of its end. */
static uint64_t asleep_ms;
static int bell[2] = { -1, -1 };

uint64_t __wrap_clock_slept_ms(void);
uint64_t __wrap_clock_slept_ms(void)
{
	return asleep_ms;
}

int __wrap_clock_watch_new(int *ret_fd);
int __wrap_clock_watch_new(int *ret_fd)
{
	assert_int_equal(pipe2(bell, O_CLOEXEC), 0);
	*ret_fd = bell[0];
	return 0;
}

void __wrap_clock_watch_read(int fd);
void __wrap_clock_watch_read(int fd)
{
	char byte;
	assert_int_equal(read(fd, &byte, 1), 1);
}

struct sleeper {
	struct probe p;
	struct loop_timer *soon, *later;
	char order[8];
	uint64_t told_ms;
};

static void note(struct sleeper *s, char what)
{
	s->order[strlen(s->order)] = what;
}

static void on_wake(void *ctx, uint64_t slept_ms)
{
	struct sleeper *s = (struct sleeper *)ctx;
	note(s, 'w');
	s->told_ms = slept_ms;
}

static void on_soon(void *ctx)
{
	note((struct sleeper *)ctx, 's');
}

static void on_later(void *ctx)
{
	struct sleeper *s = (struct sleeper *)ctx;
	note(s, 'l');
	loop_stop(s->p.loop);
}

static void timers_are_made_up_for_the_machines_sleep(void **state)
{
	(void)state;
	struct sleeper s = { 0 };
	start(&s.p, false);
	asleep_ms = 5000; /* from before */
	assert_int_equal(loop_watch_sleep(s.p.loop, on_wake, &s), 0);
	assert_int_equal(loop_timer_new(s.p.loop, on_soon, &s, &s.soon), 0);
	assert_int_equal(loop_timer_new(s.p.loop, on_later, &s, &s.later), 0);
	assert_int_equal(loop_timer_new(s.p.loop, on_timer, &s.p, &s.p.timer), 0);
	/* The wall clock was set, and nobody slept: everything stays as it was. */
	loop_timer_set(s.soon, 3600 * 1000);
	loop_timer_set(s.p.timer, 50);
	assert_int_equal(write(bell[1], "x", 1), 1);
	loop_run(s.p.loop);
	assert_string_equal(s.order, "");
	/* An hour and a bit: what was due within it is due now, the rest so much earlier. */
	loop_timer_set(s.later, 3600 * 1000 + 60);
	loop_timer_set(s.p.limit, 3600 * 1000 + LIMIT_MS);
	asleep_ms += 3600 * 1000;
	assert_int_equal(write(bell[1], "x", 1), 1);
	loop_run(s.p.loop);
	assert_string_equal(s.order, "wsl");
	assert_int_equal(s.told_ms, 3600 * 1000);
	assert_int_equal(s.p.fired, 1); /* what did not run does not run now */
	/* Freed in any order. */
	loop_timer_free(s.later);
	loop_timer_free(s.soon);
	loop_timer_free(s.p.timer);
	finish(&s.p);
	(void)close(bell[1]); /* the other end was the loop's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_once_and_can_be_set_again),
		cmocka_unit_test(descriptors_are_watched_until_they_are_not),
		cmocka_unit_test(signals_are_read_by_the_loop),
		cmocka_unit_test(children_and_orphans_are_reaped),
		cmocka_unit_test(a_forked_child_gives_up_the_loop_undisturbed),
		cmocka_unit_test(timers_are_made_up_for_the_machines_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
