/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: the wall clock of this process and its children is as many seconds ahead as the
 * file in SKEW_FILE says, a 64-bit integer at its start that may change at any time. The machine's
 * own clock is everybody's, and stays as it is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead_s; /* NULL: nothing is said */

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("SKEW_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *at = mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED)
		ahead_s = at;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	long r = syscall(SYS_clock_gettime, clock, t);
	if (r == 0 && ahead_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += *ahead_s;
	return (int)r;
}
