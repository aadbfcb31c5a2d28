/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sysctl.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int open_key(const char *key, int flags)
{
	char path[SYSCTL_KEY_MAX + 16];
	if (snprintf(path, sizeof path, "/proc/sys/%s", key) >= (int)sizeof path)
		return -ENAMETOOLONG;
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_get(const char *key, char ret_value[static SYSCTL_VALUE_MAX])
{
	AUTO_CLOSE int fd = open_key(key, O_RDONLY);
	if (fd < 0)
		return fd;
	char value[SYSCTL_VALUE_MAX];
	ssize_t n = read(fd, value, sizeof value - 1);
	if (n < 0)
		return -errno;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	memcpy(ret_value, value, sizeof value);
	return 0;
}

int sysctl_set(const char *key, const char *value)
{
	char now[SYSCTL_VALUE_MAX];
	if (sysctl_get(key, now) == 0 && strcmp(now, value) == 0)
		return 0;
	AUTO_CLOSE int fd = open_key(key, O_WRONLY);
	if (fd < 0)
		return fd;
	size_t len = strlen(value);
	ssize_t n = write(fd, value, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}
