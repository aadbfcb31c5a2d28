/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/metrics.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "control/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ACCEPT_PAUSE_MS = 1000, DISCARD = 4096 };

struct connection {
	struct metrics *m;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *limit;
	enum { READING, WRITING, LINGERING } phase;
	size_t n_in;
	char in[HTTP_REQUEST_MAX];
	char *out;
	size_t out_len, out_at;
};

struct metrics {
	struct loop *loop;
	int listening;
	struct loop_watch *watch;
	struct loop_timer *pause; /* over: connections are accepted again */
	struct ratelimit log_fault;
	metrics_page_fn page;
	void *ctx;
	size_t n;
	struct connection *connections[METRICS_CONNECTIONS]; /* the oldest first */
};

static void drop(struct connection *c)
{
	struct metrics *m = c->m;
	size_t i = 0;
	while (m->connections[i] != c)
		i++;
	m->n--;
	memmove(&m->connections[i], &m->connections[i + 1], (m->n - i) * sizeof m->connections[0]);
	loop_unwatch(c->watch);
	loop_timer_free(c->limit);
	(void)close(c->fd); /* whether the other end heard all of it is its own business */
	free(c->out);
	free(c);
}

static void on_ready(void *ctx, int fd);

/* From one phase to the next: another event is waited for, and another limit begins. */
static void enter(struct connection *c, int phase, uint64_t limit_ms)
{
	bool write = phase == WRITING;
	loop_unwatch(c->watch);
	c->watch = NULL;
	c->phase = phase;
	loop_timer_set(c->limit, limit_ms);
	int r = write ? loop_watch_write(c->m->loop, c->fd, on_ready, c, &c->watch)
		      : loop_watch_fd(c->m->loop, c->fd, on_ready, c, &c->watch);
	if (r < 0)
		loop_timer_set(c->limit, 0); /* no memory to go on with: dropped from the loop */
}

/* The other end has an answer; closing before it has read that, while something of its own is
 * unread here, would take the answer from it (RFC 9112 §9.6). */
static void linger(struct connection *c)
{
	if (shutdown(c->fd, SHUT_WR) < 0)
		drop(c);
	else
		enter(c, LINGERING, METRICS_LINGER_MS);
}

static void go_on_writing(struct connection *c)
{
	ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		drop(c);
		return;
	}
	c->out_at += (size_t)n;
	if (c->out_at == c->out_len)
		linger(c);
}

static void answer(struct connection *c, enum http_status status, bool head_only)
{
	AUTO_FREE char *page = NULL;
	size_t page_len = 0;
	if (status == HTTP_OK && c->m->page(c->m->ctx, &page, &page_len) < 0)
		status = HTTP_UNAVAILABLE;
	const char *body = status == HTTP_OK ? page : http_reason(status);
	size_t body_len = status == HTTP_OK ? page_len : strlen(body);
	char head[HTTP_HEAD_MAX];
	size_t head_len = http_head(status, body_len, clock_unix_ms() / 1000, head);
	c->out = malloc(head_len + body_len);
	if (!c->out) {
		drop(c);
		return;
	}
	memcpy(c->out, head, head_len);
	c->out_len = head_len;
	if (!head_only) {
		memcpy(c->out + head_len, body, body_len);
		c->out_len += body_len;
	}
	enter(c, WRITING, METRICS_WRITE_MS);
}

static void go_on_reading(struct connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof c->in - c->n_in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->n_in += (size_t)n;
	bool head_only = false;
	enum http_status status = http_judge(c->in, c->n_in, "/metrics", &head_only);
	if (status != HTTP_UNFINISHED)
		answer(c, status, head_only);
}

static void on_ready(void *ctx, int fd)
{
	struct connection *c = (struct connection *)ctx;
	switch (c->phase) {
	case READING:
		go_on_reading(c);
		break;
	case WRITING:
		go_on_writing(c);
		break;
	case LINGERING: {
		char nobody_reads[DISCARD];
		ssize_t n = recv(fd, nobody_reads, sizeof nobody_reads, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			drop(c);
		break;
	}
	}
}

static void on_limit(void *ctx)
{
	struct connection *c = (struct connection *)ctx;
	if (c->phase == READING && c->n_in > 0)
		answer(c, HTTP_TIMEOUT, false);
	else
		drop(c);
}

static int add(struct metrics *m, int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->m = m;
	c->fd = fd;
	int r = loop_timer_new(m->loop, on_limit, c, &c->limit);
	if (r < 0) {
		free(c);
		return r;
	}
	if (m->n == METRICS_CONNECTIONS)
		drop(m->connections[0]);
	m->connections[m->n++] = c;
	enter(c, READING, METRICS_READ_MS);
	return 0;
}

/* One a turn of the loop: DHCPv6 has its turns in between. */
static void on_connection(void *ctx, int listening)
{
	struct metrics *m = (struct metrics *)ctx;
	AUTO_CLOSE int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = fd < 0 ? -errno : add(m, fd);
	if (r == 0) {
		(void)take_fd(&fd); /* the connection's */
		return;
	}
	if (r != -EMFILE && r != -ENFILE && r != -ENOMEM && r != -ENOBUFS)
		return; /* it has gone again, accept(2) */
	/* It would be ready for ever: not to be looked at for a while. */
	loop_unwatch(m->watch);
	m->watch = NULL;
	loop_timer_set(m->pause, ACCEPT_PAUSE_MS);
	uint64_t suppressed;
	if (ratelimit_allow(&m->log_fault, clock_mono_ms(), &suppressed))
		log_warn("metrics", "cannot accept a connection", kv_errno(r),
			 kv_u64("suppressed", suppressed));
}

static void listen_again(void *ctx)
{
	struct metrics *m = (struct metrics *)ctx;
	if (loop_watch_fd(m->loop, m->listening, on_connection, m, &m->watch) < 0)
		loop_timer_set(m->pause, ACCEPT_PAUSE_MS);
}

int metrics_new(struct loop *l, int listening, metrics_page_fn page, void *ctx,
		struct metrics **ret_metrics)
{
	struct metrics *m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	m->loop = l;
	m->listening = listening;
	m->page = page;
	m->ctx = ctx;
	m->log_fault = (struct ratelimit){ .per_s = 1, .burst = 1 };
	int r = loop_timer_new(l, listen_again, m, &m->pause);
	if (r == 0)
		r = loop_watch_fd(l, listening, on_connection, m, &m->watch);
	if (r < 0) {
		metrics_free(m);
		return r;
	}
	*ret_metrics = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	while (m->n > 0)
		drop(m->connections[m->n - 1]);
	loop_unwatch(m->watch);
	loop_timer_free(m->pause);
	free(m);
}
