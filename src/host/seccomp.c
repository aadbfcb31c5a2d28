/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/seccomp.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
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

int seccomp_enter_fib(void)
{
	return enter(fib_filter, ARRAY_LEN(fib_filter), 0);
}

int seccomp_enter_resolver(void)
{
	return enter(resolver_filter, ARRAY_LEN(resolver_filter), 0);
}

int seccomp_enter_spawner(void)
{
	return enter(spawner_filter, ARRAY_LEN(spawner_filter), SECCOMP_FILTER_FLAG_LOG);
}

/* A signal's handler knows no others than such. Numbers of calls go in at [1]. */
static int reports[2] = { -1, -1 };

#if defined(__x86_64__) || defined(__aarch64__)
#define VBNG_TRAPS

/* The kernel asks for it in the place of the call, whose result is what it leaves there. */
static void on_refused(int signo, siginfo_t *info, void *context)
{
	ucontext_t *c = (ucontext_t *)context;
	int call = info->si_syscall, before = errno;
	(void)signo;
#ifdef __x86_64__
	c->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
	c->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#endif
	/* Where the pipe is full there is enough to be read. */
	(void)!write(reports[1], &call, sizeof call);
	errno = before;
}
#endif

int seccomp_enter_init(void)
{
#ifdef VBNG_TRAPS
	struct sigaction action = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };
	if (pipe2(reports, O_CLOEXEC | O_NONBLOCK) < 0 || sigaction(SIGSYS, &action, NULL) < 0)
		return -errno;
#endif
	return enter(init_filter, ARRAY_LEN(init_filter), SECCOMP_FILTER_FLAG_LOG);
}

int seccomp_report_fd(void)
{
	return reports[0];
}

int seccomp_refused(void)
{
	int call;
	ssize_t n = reports[0] < 0 ? -1 : read(reports[0], &call, sizeof call);
	return n == (ssize_t)sizeof call ? call : -EAGAIN;
}

void seccomp_drop_reports(void)
{
	for (size_t i = 0; i < ARRAY_LEN(reports); i++)
		if (reports[i] >= 0)
			(void)close(take_fd(&reports[i])); /* init's */
}

#else

int seccomp_enter_init(void)
{
	return -EOPNOTSUPP;
}

int seccomp_report_fd(void)
{
	return -1;
}

int seccomp_refused(void)
{
	return -EAGAIN;
}

void seccomp_drop_reports(void)
{
}

int seccomp_enter_server(void)
{
	return -EOPNOTSUPP;
}

int seccomp_enter_spawner(void)
{
	return -EOPNOTSUPP;
}

int seccomp_enter_resolver(void)
{
	return -EOPNOTSUPP;
}

int seccomp_enter_fib(void)
{
	return -EOPNOTSUPP;
}

#endif
