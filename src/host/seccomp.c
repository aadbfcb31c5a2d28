/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/seccomp.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef VBNG_SECCOMP

#include "host/seccomp_filter.h"

static int enter(const struct sock_filter *filter, size_t len, unsigned flags)
{
	const struct sock_fprog program = {
		.len = (unsigned short)len,
		/* The kernel only reads it. */
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};
	/* Without this flag kernels before 5.16 turn speculative store bypass off, which is meant
	 * for processes that run others' code, and costs ours a tenth of its speed. */
	flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? -errno : 0;
}

int seccomp_enter_server(void)
{
	return enter(server_filter, ARRAY_LEN(server_filter), 0);
}

int seccomp_enter_spawner(void)
{
	return enter(spawner_filter, ARRAY_LEN(spawner_filter), SECCOMP_FILTER_FLAG_LOG);
}

#else

int seccomp_enter_server(void)
{
	return -EOPNOTSUPP;
}

int seccomp_enter_spawner(void)
{
	return -EOPNOTSUPP;
}

#endif
