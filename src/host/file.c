/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, int flags)
{
	struct stat st;
	AUTO_CLOSE int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0) /* sockets, and FIFOs that nobody reads, where they are to be written */
		return errno == ENXIO ? -EMEDIUMTYPE : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EMEDIUMTYPE;
}

int file_create(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

const char *file_why(int r)
{
	return r == -EMEDIUMTYPE ? "it is no regular file" : strerror(-r);
}
