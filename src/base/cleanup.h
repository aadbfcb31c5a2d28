/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdlib.h>
#include <unistd.h>

/* Scope-owned resources: released when the variable goes out of scope, handed out with take_…(). */
#define AUTO_FREE  __attribute__((cleanup(cleanup_free_ptr)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close_fd)))

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about a failing close of what we drop */
}

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void *take_ptr_(void **p)
{
	void *taken = *p;
	*p = NULL;
	return taken;
}
#define take_ptr(p) ((__typeof__(*(p)))take_ptr_((void **)(p)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
