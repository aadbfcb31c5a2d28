/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel settings below /proc/sys. Keys are paths: "net/ipv6/conf/all/forwarding". */
#pragma once

enum { SYSCTL_VALUE_MAX = 64, SYSCTL_KEY_MAX = 128 };

/* The value without its newline. -ENOENT and others of open(2) and read(2). */
int sysctl_get(const char *key, char ret_value[static SYSCTL_VALUE_MAX]);
/* Writes only where the value differs. -EROFS: /proc/sys is read-only (an unprivileged container);
 * -ENOENT, -EACCES. */
int sysctl_set(const char *key, const char *value);
