/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a spawner reads of init: each three bytes of the input are a packet of any size with some
 * descriptors, or with credentials. Each request up to the first packet that is none is served once
 * and answered once, with its descriptor, which works, or with none; nothing after that is; and no
 * descriptor is left.
 */
#include "fuzz/fuzz.h"
#include "host/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKETS = 32, FDS_MAX = 4, REQUEST_LEN = 8, PACKET_MAX = 64 };

struct expected {
	uint32_t command, number;
	bool with_fd;
};

struct life {
	size_t n, served;
	struct expected requests[PACKETS];
};

/* Never success: whom a spawner started, and nobody was told of, it would kill. */
static int refusal(uint32_t command)
{
	return -1 - (int)(command & 0xff);
}

static int serve(void *ctx, uint32_t command, uint32_t number, int fd, pid_t *ret_pid)
{
	struct life *l = (struct life *)ctx;
	FUZZ_CHECK(l->served < l->n);
	const struct expected *e = &l->requests[l->served++];
	FUZZ_CHECK(command == e->command && number == e->number);
	FUZZ_CHECK((fd >= 0) == e->with_fd);
	FUZZ_CHECK(fd < 0 || fcntl(fd, F_GETFD) == FD_CLOEXEC);
	*ret_pid = (pid_t)number;
	return refusal(command);
}

/* The next one that would be given. */
static int next_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	FUZZ_CHECK(fd >= 0 && close(fd) == 0);
	return fd;
}

static void send_packet(int to, const void *bytes, size_t len, size_t n_fds, bool credentials)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	int fds[FDS_MAX];
	memset(&control, 0, sizeof control);
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = STDERR_FILENO;
	if (n_fds || credentials) {
		m.msg_control = control.bytes;
		m.msg_controllen =
			n_fds ? CMSG_SPACE(n_fds * sizeof(int)) : CMSG_SPACE(sizeof(struct ucred));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = n_fds ? SCM_RIGHTS : SCM_CREDENTIALS;
		c->cmsg_len =
			n_fds ? CMSG_LEN(n_fds * sizeof(int)) : CMSG_LEN(sizeof(struct ucred));
		const struct ucred us = { getpid(), getuid(), getgid() };
		memcpy(CMSG_DATA(c), n_fds ? (const void *)fds : &us,
		       n_fds ? n_fds * sizeof(int) : sizeof us);
	}
	FUZZ_CHECK(sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct life l;
	int ends[2], before = next_fd();
	bool over = false;
	memset(&l, 0, sizeof l);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	for (size_t i = 0; i + 2 < size && i < 3 * (size_t)PACKETS; i += 3) {
		uint8_t bytes[PACKET_MAX], how = data[i];
		size_t len = how & 7 ? REQUEST_LEN : 1 + data[i + 1] % (PACKET_MAX - 1);
		/* One descriptor or none, mostly. */
		size_t n_fds = how & 8 ? (how & 0x30 ? 1 : 2 + data[i + 2] % (FDS_MAX - 1)) : 0;
		memset(bytes, data[i + 1], sizeof bytes);
		bytes[4] = data[i + 2];
		send_packet(ends[0], bytes, len, n_fds, how & 0x40);
		over = over || len != REQUEST_LEN || n_fds > 1;
		if (over)
			continue;
		struct expected *e = &l.requests[l.n++];
		memcpy(&e->command, bytes, sizeof e->command);
		memcpy(&e->number, bytes + 4, sizeof e->number);
		e->with_fd = n_fds == 1;
	}
	FUZZ_CHECK(shutdown(ends[0], SHUT_WR) == 0);
	const struct spawner_spec spec = { .serve = serve, .ctx = &l };
	spawner_serve(&spec, ends[1]);
	FUZZ_CHECK(l.served == l.n);
	for (size_t i = 0; i < l.n; i++) {
		struct {
			int result;
			pid_t pid;
		} answer;
		FUZZ_CHECK(recv(ends[0], &answer, sizeof answer, MSG_DONTWAIT) == sizeof answer);
		FUZZ_CHECK(answer.result == refusal(l.requests[i].command) &&
			   answer.pid == (pid_t)l.requests[i].number);
	}
	FUZZ_CHECK(close(ends[1]) == 0);
	FUZZ_CHECK(recv(ends[0], &over, 1, MSG_DONTWAIT) <= 0);
	FUZZ_CHECK(close(ends[0]) == 0);
	FUZZ_CHECK(next_fd() == before);
	return 0;
}
