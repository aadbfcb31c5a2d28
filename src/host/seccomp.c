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

int seccomp_enter_server(void)
{
	const struct sock_fprog program = {
		.len = ARRAY_LEN(server_filter),
		/* The kernel only reads it. */
		.filter = (struct sock_filter *)(uintptr_t)server_filter,
	};
	/* Without this flag kernels before 5.16 turn speculative store bypass off, which is meant
	 * for processes that run others' code, and costs ours a tenth of its speed. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program) < 0)
		return -errno;
	return 0;
}

#else

int seccomp_enter_server(void)
{
	return -EOPNOTSUPP;
}

#endif
