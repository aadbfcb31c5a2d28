/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/clock_watch.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Armed for a day that does not come; what matters is that setting the clock cancels it. */
static const struct itimerspec never = { .it_value.tv_sec = INT64_C(1) << 32 };

static int arm(int fd)
{
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
		       ? -errno
		       : 0;
}

int clock_watch_new(int *ret_fd)
{
	AUTO_CLOSE int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = arm(fd);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

void clock_watch_read(int fd)
{
	uint64_t times;
	(void)!read(fd, &times, sizeof times); /* -ECANCELED, which is what it was waited for */
	(void)arm(fd);                         /* cannot fail: it did not the first time */
}
