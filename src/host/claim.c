/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/claim.h"

#include "base/cleanup.h"
#include "host/netns.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum {
	ANSWER_BYTES = 32 << 10, /* a dump comes in pieces of at most this size */
	ANSWER_TIMEOUT_S = 2,
};

/* --- holding
 * -------------------------------------------------------------------------------------------- */

struct hold {
	const char (*texts)[CLAIM_TEXT_MAX];
	size_t n;
	int *fds;
};

static int hold_one(const char *text, int *ret_fd)
{
	/* The first byte of the name is a zero: that makes it abstract. */
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strnlen(text, CLAIM_TEXT_MAX);
	if (len == CLAIM_TEXT_MAX)
		return -ENAMETOOLONG;
	memcpy(at.sun_path + 1, text, len);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int hold_all(void *ctx)
{
	const struct hold *h = (const struct hold *)ctx;
	for (size_t i = 0; i < h->n; i++) {
		int r = hold_one(h->texts[i], &h->fds[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int claim_hold(int ns, const char (*texts)[CLAIM_TEXT_MAX], size_t n, int *ret_fds)
{
	for (size_t i = 0; i < n; i++)
		ret_fds[i] = -1;
	struct hold h = { texts, n, ret_fds };
	int r = ns < 0 ? hold_all(&h) : netns_call(ns, hold_all, &h);
	for (size_t i = 0; r < 0 && i < n; i++)
		if (ret_fds[i] >= 0)
			(void)close(take_fd(&ret_fds[i])); /* a name is all that it held */
	return r;
}

/* --- looking
 * -------------------------------------------------------------------------------------------- */

struct seen {
	char text[CLAIM_TEXT_MAX];
	bool trusted;
};

struct look {
	const char *begin;
	void (*fn)(void *ctx, const char *text);
	void *ctx;
};

static int on_attr(const struct nlattr *a, void *ctx)
{
	struct seen *s = (struct seen *)ctx;
	size_t len = mnl_attr_get_payload_len(a);
	const char *bytes = (const char *)mnl_attr_get_payload(a);
	if (mnl_attr_get_type(a) == UNIX_DIAG_NAME && len > 1 && len <= CLAIM_TEXT_MAX &&
	    bytes[0] == '\0') {
		memcpy(s->text, bytes + 1, len - 1);
		s->text[len - 1] = '\0';
	} else if (mnl_attr_get_type(a) == UNIX_DIAG_UID && len == sizeof(uint32_t)) {
		uint32_t uid = mnl_attr_get_u32(a);
		s->trusted = uid == 0 || uid == geteuid();
	}
	return MNL_CB_OK;
}

static int on_socket(const struct nlmsghdr *h, void *ctx)
{
	const struct look *l = (const struct look *)ctx;
	struct seen s = { .trusted = true }; /* where a kernel older than 5.3 does not tell */
	int r = mnl_attr_parse(h, sizeof(struct unix_diag_msg), on_attr, &s);
	if (r == MNL_CB_OK && s.trusted && strncmp(s.text, l->begin, strlen(l->begin)) == 0)
		l->fn(l->ctx, s.text);
	return r;
}

static int ask(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t buf[128] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	struct unix_diag_req *req =
		(struct unix_diag_req *)mnl_nlmsg_put_extra_header(h, sizeof *req);
	req->sdiag_family = AF_UNIX;
	req->udiag_states = 1U << TCP_CLOSE; /* bound, and neither listening nor connected */
	req->udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_UID;
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	return 0;
}

int claim_list(int ns, const char *begin, void (*fn)(void *ctx, const char *text), void *ctx)
{
	AUTO_CLOSE int fd = -1;
	if (ns >= 0) {
		int r = netns_socket(ns, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, &fd);
		if (r < 0)
			return r == -EPROTONOSUPPORT ? -ENOENT : r;
	} else {
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		if (fd < 0)
			return errno == EPROTONOSUPPORT ? -ENOENT : -errno;
	}
	int r = ask(fd);
	if (r < 0)
		return r;
	AUTO_FREE uint8_t *buf = malloc(ANSWER_BYTES);
	if (!buf)
		return -ENOMEM;
	struct look l = { begin, fn, ctx };
	for (;;) {
		ssize_t n = recv(fd, buf, ANSWER_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		r = mnl_cb_run(buf, (size_t)n, 1, 0, on_socket, &l);
		if (r == MNL_CB_ERROR)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}
