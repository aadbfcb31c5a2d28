/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices that somebody set the wall clock (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). */
#pragma once

/* A descriptor that is readable after the wall clock was set, the caller's. Negative errno. */
int clock_watch_new(int *ret_fd);
/* Makes it wait for the next time. */
void clock_watch_read(int fd);
