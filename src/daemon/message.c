/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/message.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/socket.h>

const char *dns_state_name(enum dns_state s)
{
	static const char *const names[] = { "off", "absent", "waiting", "up", "down" };
	return (size_t)s < ARRAY_LEN(names) ? names[s] : "unknown";
}

int message_send(int fd, const struct message *m)
{
	ssize_t n;
	do
		n = send(fd, m, sizeof *m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

int message_recv(int fd, struct message *ret_message)
{
	struct message m;
	ssize_t n;
	do
		n = recv(fd, &m, sizeof m, MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if ((size_t)n != sizeof m)
		return -EPROTO;
	*ret_message = m;
	return 0;
}
