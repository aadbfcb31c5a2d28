/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/spawner.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/priv.h"
#include "host/proc.h"
#include "host/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { REQUESTS_FD = 3 /* in the spawner, beside its standard ones */ };

struct spawner {
	pid_t pid; /* 0: it ended */
	int fd;    /* -1: it is of no use any more */
};

/* Between two copies of the same program: no encoding. */
struct request {
	uint32_t command;
	uint32_t number;
};

struct answer {
	int result;
	pid_t pid;
};

union fd_message {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* --- in the spawner
 * ------------------------------------------------------------------------------------------------
 */

/* The one descriptor that came with a message, or -1. More than one is nobody's request: they are
 * closed, and *ret_strange. */
static int descriptor_of(struct msghdr *m, bool *ret_strange)
{
	int fds[(sizeof(union fd_message) - CMSG_LEN(0)) / sizeof(int)];
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof fds[0];
	memcpy(fds, CMSG_DATA(c), n * sizeof fds[0]);
	if (n == 1 && !(m->msg_flags & MSG_CTRUNC))
		return fds[0];
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]); /* copies that nobody uses */
	*ret_strange = true;
	return -1;
}

/* 0 at the end; another size than a request's is none. */
static ssize_t receive(int from, struct request *ret_request, int *ret_fd)
{
	struct iovec iov = { ret_request, sizeof *ret_request };
	union fd_message control = { 0 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof control.bytes };
	bool strange = false;
	*ret_fd = -1;
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	*ret_fd = descriptor_of(&m, &strange);
	return strange || m.msg_flags & MSG_TRUNC ? (ssize_t)sizeof *ret_request + 1 : n;
}

void spawner_serve(const struct spawner_spec *spec, int requests_fd)
{
	struct request q;
	int fd;
	ssize_t n;
	bool answered = true;
	while (answered && (n = receive(requests_fd, &q, &fd)) != 0) {
		struct answer a = { 0 };
		if (n < 0 && errno == EINTR)
			continue;
		const bool asked = n == (ssize_t)sizeof q;
		if (asked)
			a.result = spec->serve(spec->ctx, q.command, q.number, fd, &a.pid);
		if (fd >= 0)
			(void)close(fd); /* whom it is for has a copy */
		answered =
			asked && send(requests_fd, &a, sizeof a, MSG_NOSIGNAL) == (ssize_t)sizeof a;
		/* Nobody knows of it: init is gone, perhaps since before it could be told to die
		 * with init, or did not wait any longer. */
		if (!answered && asked && a.result == 0 && a.pid > 0)
			(void)kill(a.pid, SIGKILL); /* gone is fine */
	}
}

static _Noreturn void life(const struct spawner_spec *spec, int fd, pid_t parent)
{
	/* A terminal's ^C reaches the whole group; we end after our parent, when nobody asks any
	 * more. */
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	if (prctl(PR_SET_NAME, spec->name) < 0 || child_settle(parent) < 0 ||
	    prctl(PR_SET_PDEATHSIG, 0) < 0)
		_exit(1);
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN); /* cannot fail for these */
	if ((spec->netns_fd >= 0 && setns(spec->netns_fd, CLONE_NEWNET) < 0) ||
	    dup2(fd, REQUESTS_FD) < 0 || fcntl(REQUESTS_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    child_close_from(REQUESTS_FD + 1) < 0)
		_exit(1);
	spec->begin(spec->ctx);
	if (priv_limit(spec->privs, true) < 0)
		_exit(1);
	(void)seccomp_enter_spawner(); /* where there is none, init says so of its own */
	spawner_serve(spec, REQUESTS_FD);
	/* However it ends: init may go between a request and its answer. */
	spec->end(spec->ctx);
	_exit(0);
}

/* --- here
 * ------------------------------------------------------------------------------------------------
 */

int spawner_start(const struct spawner_spec *spec, struct spawner **ret_spawner)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	AUTO_CLOSE int ours = pair[0];
	AUTO_CLOSE int its = pair[1];
	struct spawner *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	pid_t parent;
	s->pid = child_fork(CHILD_OF_US, &parent);
	if (s->pid == 0) {
		free(s);
		life(spec, its, parent);
	}
	if (s->pid < 0) {
		int r = (int)s->pid;
		free(s);
		return r;
	}
	s->fd = take_fd(&ours);
	*ret_spawner = s;
	return 0;
}

static int send_request(int to, const struct request *q, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)q, sizeof *q }; /* only read */
	union fd_message control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *q ? 0 : -EPIPE;
}

static int wait_for_answer(int from, struct answer *ret_answer)
{
	uint64_t until = clock_mono_ms() + SPAWNER_LIMIT_MS, now;
	while ((now = clock_mono_ms()) < until) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		int n = poll(&p, 1, (int)(until - now));
		if (n > 0)
			return recv(from, ret_answer, sizeof *ret_answer, MSG_DONTWAIT) ==
					       (ssize_t)sizeof *ret_answer
				       ? 0
				       : -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

int spawner_ask(struct spawner *s, uint32_t command, uint32_t number, int fd, pid_t *ret_pid)
{
	const struct request q = { command, number };
	struct answer a = { 0 };
	if (s->fd < 0)
		return -EPIPE;
	int r = send_request(s->fd, &q, fd);
	if (r == 0)
		r = wait_for_answer(s->fd, &a);
	if (r < 0) {
		(void)close(take_fd(&s->fd)); /* what it still says answers no question */
		return -EPIPE;
	}
	if (a.result == 0)
		*ret_pid = a.pid;
	return a.result;
}

pid_t spawner_pid(const struct spawner *s)
{
	return s ? s->pid : 0;
}

void spawner_ended(struct spawner *s)
{
	s->pid = 0;
	if (s->fd >= 0)
		(void)close(take_fd(&s->fd)); /* the other end is gone */
}

void spawner_free(struct spawner *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		(void)close(s->fd); /* nothing is pending: every request was answered */
	free(s);
}
