/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that others may have put there: what is none (a FIFO, a device) must not hold us up. */
#pragma once

/*
 * Opens a regular file, as open(2) with O_CLOEXEC; symbolic links are followed unless flags say
 * otherwise. Never waits for another process. The descriptor, or: -EMEDIUMTYPE, it is there and is
 * no regular file; else what open(2) says.
 */
int file_open(const char *path, int flags);

/* Begins a new one in place of whatever has that name, readable for all, for writing alone. */
int file_create(const char *path);

/* What file_open() and file_create() refused it for, in words. */
const char *file_why(int r);
