/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/undo.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum { AGAIN_MS = 20 };

void undo_push(struct undo *u, const char *what, undo_fn fn, void *arg)
{
	assert(u->n < UNDO_MAX);
	u->steps[u->n++] = (struct undo_step){ .what = what, .fn = fn, .arg = arg };
}

bool undo_forget(struct undo *u, undo_fn fn, const void *arg)
{
	for (size_t i = u->n; i-- > 0;) {
		if (u->steps[i].fn != fn || u->steps[i].arg != arg)
			continue;
		memmove(&u->steps[i], &u->steps[i + 1], (u->n - i - 1) * sizeof u->steps[0]);
		u->n--;
		return true;
	}
	return false;
}

static bool already_gone(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -ESRCH || r == -EADDRNOTAVAIL || r == -ENXIO;
}

static bool done(const struct undo_step *s, int *ret_r)
{
	*ret_r = s->fn(s->arg);
	return *ret_r >= 0 || already_gone(*ret_r);
}

size_t undo_run(struct undo *u)
{
	static const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	size_t failed = 0;
	while (u->n > 0) {
		struct undo_step *s = &u->steps[--u->n];
		int r;
		/* A pause that is cut short only makes it sooner. */
		if (done(s, &r) || (nanosleep(&pause, NULL), done(s, &r))) {
			log_debug("stop", "undone", kv_str("what", s->what));
			continue;
		}
		failed++;
		log_error("stop", "cannot undo", kv_str("what", s->what), kv_errno(r));
	}
	return failed;
}
