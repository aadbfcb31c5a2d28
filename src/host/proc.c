/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/proc.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 1 << 16 /* of a child on an old kernel: far more than we ever have */ };

static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() != parent ? -ESRCH /* it died before the line above */ : 0;
}

int child_settle(pid_t parent)
{
	int r = die_with(parent);
	if (r < 0)
		return r;
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL); /* fails for SIGKILL, SIGSTOP and libc's own: those are
					     right already */
	sigset_t none;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

int child_close_from(int first)
{
	struct rlimit most;
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return 0;
	if (errno != ENOSYS || getrlimit(RLIMIT_NOFILE, &most) < 0)
		return -errno;
	for (int fd = first; (rlim_t)fd < most.rlim_cur && fd < DESCRIPTORS_MAX; fd++)
		(void)close(fd); /* most are not open */
	return 0;
}

/* Only what is safe between fork and exec. Returns an errno where it fails. */
static int become(const struct child_spec *spec, pid_t parent)
{
	int r = child_settle(parent);
	if (r < 0)
		return -r;
	if (setpgid(0, 0) < 0)
		return errno;
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    (spec->log_fd && dup2(spec->log_fd, STDERR_FILENO) < 0) ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return errno;
	/* Another user's process is not killed with its parent any more until it says so again. */
	r = spec->uid ? priv_become(spec->uid, spec->gid) : 0;
	if (r == 0 && spec->uid)
		r = die_with(parent);
	if (r < 0)
		return -r;
	/* Everything of ours is CLOEXEC; this is for what our own parent left open. */
	if (syscall(SYS_close_range, 3U, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) < 0 &&
	    errno != ENOSYS)
		return errno;
	r = priv_keep(spec->privs, true);
	if (r < 0)
		return -r;
	execvpe(spec->argv[0], spec->argv, spec->env);
	return errno;
}

/* The C library has no call for it. What it remembers of its own thread stays the parent's: neither
 * locks nor threads are used in such a child. */
static pid_t fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

pid_t child_fork(enum child_of of, pid_t *ret_parent)
{
	sigset_t all, before;
	*ret_parent = of == CHILD_OF_US ? getpid() : getppid();
	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* comes in the place of a call, and kills where it is blocked */
	if (sigprocmask(SIG_SETMASK, &all, &before) < 0)
		return -errno;
	pid_t pid = of == CHILD_OF_US ? fork() : fork_sibling();
	int fork_errno = errno;
	if (pid != 0)
		(void)sigprocmask(SIG_SETMASK, &before,
				  NULL); /* cannot fail with these arguments */
	return pid < 0 ? -fork_errno : pid;
}

int child_spawn(const struct child_spec *spec, pid_t *ret_pid)
{
	int report[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	AUTO_CLOSE int from = report[0];
	AUTO_CLOSE int to = report[1];
	pid_t parent;
	pid_t pid = child_fork(spec->parent, &parent);
	if (pid < 0)
		return (int)pid;
	if (pid == 0) {
		int err = become(spec, parent);
		(void)!write(to, &err, sizeof err); /* nobody else to tell */
		_exit(127);
	}
	(void)close(take_fd(&to)); /* our copy, so that the end is seen */
	int err = 0;
	ssize_t n;
	do
		n = read(from, &err, sizeof err);
	while (n < 0 && errno == EINTR);
	if (n == sizeof err)
		return -err; /* its parent reaps it, as any child */
	*ret_pid = pid;
	return 0;
}
