/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What boot acquired, so that it can be given back: every change pushes its inverse before the next
 * change is made. Undone newest first, on every way out; a step that fails is run once more, for
 * the kernel may have been short of something for a moment, and does not keep the others from
 * running. "Already gone" counts as done.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* 0, or a negative errno: then what is not undone yet can still be, by calling it again. -ENOENT,
 * -ENODEV, -ESRCH, -EADDRNOTAVAIL and -ENXIO mean that there is nothing left to undo. */
typedef int (*undo_fn)(void *arg);

enum { UNDO_MAX = 64 };

struct undo {
	size_t n;
	struct undo_step {
		const char *
			what; /* "return subscriber NIC": read by people when it fails; a literal */
		undo_fn fn;
		void *arg; /* the pusher's, and must live until the step has run */
	} steps[UNDO_MAX];
};

/* Never fails: more steps than UNDO_MAX is a programming error. */
void undo_push(struct undo *u, const char *what, undo_fn fn, void *arg);
/* Takes the newest step with this fn and arg off without running it (its acquisition is gone
 * already). False where there is none. */
bool undo_forget(struct undo *u, undo_fn fn, const void *arg);
/* Runs everything; the number of steps that failed. */
size_t undo_run(struct undo *u);
