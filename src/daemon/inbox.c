/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/inbox.h"

#include "base/clock.h"
#include "base/ratelimit.h"

#include <errno.h>
#include <stdlib.h>

struct inbox {
	struct loop *loop;
	int fd;
	struct inbox_calls calls;
	struct loop_watch *watch; /* NULL: not read now, or (over) not any more */
	struct loop_timer *pause;
	struct ratelimit rate;
	bool over;
};

static void on_readable(void *ctx, int fd)
{
	(void)fd;
	inbox_read((struct inbox *)ctx);
}

static void unwatch(struct inbox *in)
{
	loop_unwatch(in->watch);
	in->watch = NULL;
}

static void pause_reading(struct inbox *in)
{
	unwatch(in);
	loop_timer_set(in->pause, INBOX_PAUSE_MS);
}

static void on_pause_over(void *ctx)
{
	struct inbox *in = (struct inbox *)ctx;
	/* No memory for it now: in a while. */
	if (!in->over && loop_watch_fd(in->loop, in->fd, on_readable, in, &in->watch) < 0)
		loop_timer_set(in->pause, INBOX_PAUSE_MS);
}

static void stop_reading(struct inbox *in)
{
	in->over = true;
	unwatch(in);
	loop_timer_stop(in->pause);
}

void inbox_read(struct inbox *in)
{
	for (unsigned n = 0; in && !in->over && n < INBOX_AT_ONCE; n++) {
		struct message m;
		if (!ratelimit_allow(&in->rate, clock_mono_ms(), NULL)) {
			pause_reading(in);
			return;
		}
		int r = message_recv(in->fd, &m);
		if (r == -EPIPE) {
			stop_reading(in); /* it is ending: how, the loop's child watcher tells */
		} else if (r == -EPROTO || (r == 0 && !in->calls.on_message(in->calls.ctx, &m))) {
			stop_reading(in);
			in->calls.on_wrong(in->calls.ctx);
		} else if (r < 0) {
			return; /* there is nothing, or no memory for it now */
		}
	}
}

bool inbox_is_over(const struct inbox *in)
{
	return !in || in->over;
}

int inbox_new(struct loop *loop, int fd, const struct inbox_calls *calls, struct inbox **ret_inbox)
{
	struct inbox *in = calloc(1, sizeof *in);
	if (!in)
		return -ENOMEM;
	in->loop = loop;
	in->fd = fd;
	in->calls = *calls;
	in->rate = (struct ratelimit){ .per_s = INBOX_PER_S, .burst = INBOX_BURST };
	int r = loop_timer_new(loop, on_pause_over, in, &in->pause);
	if (r == 0)
		r = loop_watch_fd(loop, fd, on_readable, in, &in->watch);
	if (r < 0) {
		inbox_free(in);
		return r;
	}
	*ret_inbox = in;
	return 0;
}

void inbox_free(struct inbox *in)
{
	if (!in)
		return;
	loop_unwatch(in->watch);
	loop_timer_free(in->pause);
	free(in);
}
