/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tunnel_watch.h"

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/endpoint.h"
#include "host/resolver.h"
#include "host/routing.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	START_STEP_MS = 5, /* between two looks at a wireguard-go that is starting */
	RETRY_MIN_MS = 100,
	RETRY_MAX_MS = 5000,
	LIVED_LONG_ENOUGH_MS = 10000, /* one that lasted so long is made again at once */
	MEND_PAUSE_MS = 1000,         /* somebody may insist on what we put right */
	DYING_MS = 100,          /* what a killed wireguard-go needs, its interface being gone */
	MUTE_MAX = 3,            /* as often in a row wireguard-go may leave us without an answer */
	CHANGES_SETTLE_MS = 300, /* routes and addresses come one after the other */
	CHANGES_PAUSE_MS = 5000,
	SAME_VERDICT_MS = 600000, /* between two lines about the same failure of the resolver */
};

struct tunnel_watch {
	struct tunnel_watch_params p;
	struct loop_timer *poll_timer;
	int events_fd; /* of links and addresses in our namespace */
	struct loop_watch *events_watch;
	uint64_t retry_ms;
	uint64_t mended_at_ms;
	unsigned mutes;

	struct endpoint endpoint;
	struct loop_timer *endpoint_timer;

	pid_t resolver_pid; /* 0: none */
	int resolver_fd;
	struct loop_watch *resolver_watch;
	struct loop_timer *resolver_timer;
	enum resolver_verdict told_verdict;
	uint64_t verdict_told_at_ms; /* 0: none was */

	int changes_fd; /* of the host's network; deaf while the tunnel works */
	struct loop_watch *changes_watch;
	struct loop_timer *changes_timer;
	bool changes_due;
	uint64_t changed_at_ms;
};

/* --- the endpoint
 * -----------------------------------------------------------------------------------------------
 */

static void run_endpoint(struct tunnel_watch *w);

static void show_resolving(struct tunnel_watch *w)
{
	uplink_watch_set_resolving(w->p.uplink, w->endpoint.named && !w->endpoint.has_current);
}

static const char *server_advice(const struct config *c, enum resolver_verdict v)
{
	if (c->n_resolvers)
		return "WIREGUARD_ENDPOINT and WIREGUARD_ENDPOINT_RESOLVER";
	if (v == RESOLVER_NO_SERVER || v == RESOLVER_NO_ANSWER || v == RESOLVER_REFUSED)
		return "name DNS servers in WIREGUARD_ENDPOINT_RESOLVER, or mount the host's "
		       "resolv.conf at " RESOLVER_MOUNTED;
	return "WIREGUARD_ENDPOINT";
}

static void log_answer(struct tunnel_watch *w, const struct resolver_answer *a, bool changed)
{
	const struct config *c = w->p.config;
	uint64_t now = clock_mono_ms();
	if (a->verdict == RESOLVER_FOUND) {
		char first[ENDPOINT_STRLEN];
		LOG_AT_(changed || w->told_verdict != a->verdict ? LOG_INFO : LOG_DEBUG, "tunnel",
			"endpoint resolved", kv_str("name", c->wg_endpoint_name),
			kv_u64("addresses", a->n),
			kv_str("first", endpoint_format(&w->endpoint.addrs[0], first)),
			kv_u64("ttl_s", a->ttl_s));
	} else {
		uint64_t in_ms = w->endpoint.ask_at_ms > now ? w->endpoint.ask_at_ms - now : 0;
		bool told = w->told_verdict == a->verdict && w->verdict_told_at_ms &&
			    now < w->verdict_told_at_ms + SAME_VERDICT_MS;
		LOG_AT_(told ? LOG_DEBUG : LOG_WARNING, "tunnel",
			"endpoint not resolved, trying again", kv_str("name", c->wg_endpoint_name),
			kv_str("why", resolver_verdict_text(a->verdict)), kv_u64("retry_ms", in_ms),
			kv_str("check", server_advice(c, a->verdict)));
		if (!told)
			w->verdict_told_at_ms = now;
	}
	w->told_verdict = a->verdict;
}

static void close_resolver(struct tunnel_watch *w)
{
	loop_unwatch(w->resolver_watch);
	w->resolver_watch = NULL;
	loop_timer_stop(w->resolver_timer);
	if (w->resolver_fd >= 0)
		(void)close(take_fd(&w->resolver_fd)); /* read, or not waited for any more */
}

static void take_answer(struct tunnel_watch *w, const struct resolver_answer *a)
{
	close_resolver(w);
	bool changed = endpoint_answer(&w->endpoint, clock_mono_ms(), a);
	log_answer(w, a, changed);
	run_endpoint(w);
}

static void on_resolved(void *ctx, int fd)
{
	struct tunnel_watch *w = (struct tunnel_watch *)ctx;
	struct resolver_answer a;
	if (resolver_read(fd, &a) == 0)
		take_answer(w, &a);
}

/* It cannot be: the child has a limit of its own. */
static void on_resolver_overdue(void *ctx)
{
	struct tunnel_watch *w = (struct tunnel_watch *)ctx;
	const struct resolver_answer none = { .verdict = RESOLVER_FAULT };
	if (w->resolver_pid)
		(void)kill(w->resolver_pid, SIGKILL); /* its alarm does it where we may not */
	take_answer(w, &none);
}

static void ask(struct tunnel_watch *w)
{
	int r = children_resolve(w->p.children, &w->resolver_pid, &w->resolver_fd);
	if (r == 0)
		r = loop_watch_fd(w->p.loop, w->resolver_fd, on_resolved, w, &w->resolver_watch);
	if (r < 0) {
		const struct resolver_answer none = { .verdict = RESOLVER_FAULT };
		log_debug("tunnel", "the resolver cannot be started", kv_errno(r));
		close_resolver(w);
		log_answer(w, &none, endpoint_answer(&w->endpoint, clock_mono_ms(), &none));
		return;
	}
	loop_timer_set(w->resolver_timer, 2 * RESOLVER_LIMIT_MS);
}

/* A zone is a NIC of the host's by name; its number may be another one every time. */
static int fill_in_zone(const struct tunnel_watch *w, struct sockaddr_storage *at)
{
	struct link_info nic;
	struct sockaddr_in6 v6;
	if (!w->p.config->wg_endpoint_zone[0] || at->ss_family != AF_INET6)
		return 0;
	memcpy(&v6, at, sizeof v6);
	if (!IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
		return 0;
	int r = link_get(w->p.tunnel->host_rt, w->p.config->wg_endpoint_zone, &nic);
	if (r < 0)
		return r;
	v6.sin6_scope_id = nic.ifindex;
	memcpy(at, &v6, sizeof v6);
	return 0;
}

static void set_endpoint(struct tunnel_watch *w)
{
	struct sockaddr_storage to = w->endpoint.current;
	char was_text[ENDPOINT_STRLEN], text[ENDPOINT_STRLEN];
	const struct sockaddr_storage was = w->p.tunnel->endpoint;
	int r = fill_in_zone(w, &to);
	if (r == -ENODEV) {
		log_warn("tunnel", "the host has no such NIC, trying again",
			 kv_str("WIREGUARD_ENDPOINT", w->p.config->wg_endpoint_zone));
		return;
	}
	if (r == 0)
		r = tunnel_set_endpoint(w->p.tunnel, &to);
	if (r < 0)
		log_warn("tunnel", "the endpoint cannot be set, trying again", kv_errno(r),
			 kv_str("endpoint", endpoint_format(&to, text)));
	else
		LOG_AT_(endpoint_same(&was, &to) ? LOG_DEBUG : LOG_INFO, "tunnel", "endpoint",
			kv_str("address", endpoint_format(&to, text)),
			kv_str("was", endpoint_format(&was, was_text)));
}

/* A look first: a handshake that the last one did not see yet would be thrown away. */
static void run_endpoint(struct tunnel_watch *w)
{
	enum endpoint_action action;
	tunnel_watch_look(w);
	uint64_t now = clock_mono_ms();
	while ((action = endpoint_next(&w->endpoint, now)) != ENDPOINT_WAIT) {
		if (action == ENDPOINT_ASK)
			ask(w);
		else
			set_endpoint(w);
	}
	show_resolving(w);
	uint64_t at = endpoint_deadline(&w->endpoint);
	if (at == UINT64_MAX)
		loop_timer_stop(w->endpoint_timer);
	else
		loop_timer_set(w->endpoint_timer, at > now ? at - now : 0);
}

static void on_endpoint_time(void *ctx)
{
	run_endpoint((struct tunnel_watch *)ctx);
}

/* --- the host's network, while the tunnel does not work
 * --------------------------------------------------------------------------------------------- */

static void on_changes_settled(void *ctx)
{
	struct tunnel_watch *w = (struct tunnel_watch *)ctx;
	w->changes_due = false;
	w->changed_at_ms = clock_mono_ms();
	log_debug("tunnel", "the host's network has changed");
	endpoint_network_changed(&w->endpoint, w->changed_at_ms);
	run_endpoint(w);
}

static void on_changes(void *ctx, int fd)
{
	struct tunnel_watch *w = (struct tunnel_watch *)ctx;
	link_events_drain(fd);
	if (w->changes_due)
		return;
	uint64_t now = clock_mono_ms(), from = w->changed_at_ms + CHANGES_PAUSE_MS;
	w->changes_due = true;
	loop_timer_set(w->changes_timer, w->changed_at_ms && from > now + CHANGES_SETTLE_MS
						 ? from - now
						 : CHANGES_SETTLE_MS);
}

static void stop_listening(struct tunnel_watch *w)
{
	if (w->changes_fd < 0)
		return;
	(void)routing_changes_listen(w->changes_fd, false); /* then it is only woken for nothing */
	link_events_drain(w->changes_fd);
	loop_timer_stop(w->changes_timer);
	w->changes_due = false;
}

static void start_listening(struct tunnel_watch *w)
{
	int r = w->changes_fd < 0 ? 0 : routing_changes_listen(w->changes_fd, true);
	if (r < 0)
		log_debug("tunnel", "the host's network cannot be watched, going on by the clock",
			  kv_errno(r));
}

/* Once, while its namespace can still be entered. */
static void open_changes(struct tunnel_watch *w)
{
	int r = routing_changes_open(w->p.host_ns, &w->changes_fd);
	if (r == 0)
		r = loop_watch_fd(w->p.loop, w->changes_fd, on_changes, w, &w->changes_watch);
	if (r == 0)
		return;
	if (w->changes_fd >= 0)
		(void)close(take_fd(&w->changes_fd)); /* nobody would read it */
	log_warn("tunnel", "the host's network cannot be watched, going on by the clock",
		 kv_errno(r));
}

void tunnel_watch_uplink(struct tunnel_watch *w, enum uplink_state is)
{
	if (!w)
		return;
	if (is == UPLINK_UP) {
		endpoint_works(&w->endpoint, &w->p.tunnel->last.endpoint);
		stop_listening(w);
	} else {
		endpoint_fails(&w->endpoint, clock_mono_ms());
		start_listening(w);
	}
	/* Not from here, where the uplink is telling us: what follows may change its state. */
	loop_timer_set(w->endpoint_timer, 0);
}

/* --- the interface
 * ---------------------------------------------------------------------------------------------- */

static void look(void *ctx);

static uint64_t next_retry(struct tunnel_watch *w)
{
	return backoff_next(&w->retry_ms, RETRY_MIN_MS, RETRY_MAX_MS);
}

static void go_on_making(struct tunnel_watch *w, int r)
{
	if (r == -EAGAIN) {
		loop_timer_set(w->poll_timer, START_STEP_MS);
		return;
	}
	if (r == -EPIPE)
		return; /* nobody is left who starts wireguard-go: we end, as was said */
	if (r < 0) {
		uint64_t delay = next_retry(w);
		delay = delay ? delay : RETRY_MIN_MS;
		log_error("tunnel", "cannot be made again, trying later", kv_errno(r),
			  kv_u64("retry_ms", delay));
		loop_timer_set(w->poll_timer, delay);
		return;
	}
	log_info("tunnel", "made again", kv_str("interface", w->p.config->tunnel));
	w->mutes = 0;
	uplink_watch_made(w->p.uplink);
	look(w);
}

/* With the address that it last had. */
static void make_again(struct tunnel_watch *w)
{
	struct sockaddr_storage to = w->endpoint.current;
	/* While there is none it cannot fail. */
	(void)tunnel_set_endpoint(
		w->p.tunnel, w->endpoint.has_current && fill_in_zone(w, &to) == 0 ? &to : NULL);
	go_on_making(w, tunnel_begin(w->p.tunnel));
}

/* Made again at once, or soon where it never lasts. */
static void gone(struct tunnel_watch *w, const char *event, struct kv detail)
{
	struct tunnel *t = w->p.tunnel;
	if (!t->starting && clock_mono_ms() - t->made_at_ms >= LIVED_LONG_ENOUGH_MS)
		w->retry_ms = 0;
	uint64_t delay = next_retry(w);
	log_warn("tunnel", event, kv_str("interface", w->p.config->tunnel), detail,
		 kv_u64("in_ms", delay));
	uplink_watch_gone(w->p.uplink);
	w->p.looked(w->p.ctx);
	tunnel_drop(t); /* what is left of it: mostly nothing */
	if (delay)
		loop_timer_set(w->poll_timer, delay);
	else
		make_again(w);
}

static void wireguard_go_ended(struct tunnel_watch *w, int status)
{
	w->p.tunnel->wg.pid = 0;
	gone(w, "wireguard-go ended, making the tunnel again",
	     WIFSIGNALED(status) ? kv_i64("signal", WTERMSIG(status))
				 : kv_i64("status", WEXITSTATUS(status)));
}

/* A wireguard-go that is killed takes its interface along some milliseconds before it is a child
 * that has ended: which of the two came first, people want to be told. */
static bool was_killed(struct tunnel *t, int *ret_status)
{
	pid_t pid = 0;
	for (int waited = 0; t->wg.pid > 0 && pid == 0 && waited < DYING_MS; waited += 5) {
		pid = waitpid(t->wg.pid, ret_status, WNOHANG);
		if (pid == 0)
			(void)usleep(5000); /* a shorter sleep only asks more often */
	}
	if (pid > 0)
		t->wg.pid = 0;
	return pid > 0 && WIFSIGNALED(*ret_status);
}

static void interface_gone(struct tunnel_watch *w, int error)
{
	int status;
	if (was_killed(w->p.tunnel, &status))
		wireguard_go_ended(w, status);
	else
		gone(w, "the interface is gone, making it again", kv_errno(error));
}

/* Its answers are awaited, for up to 2 s: one that gives none holds everything up. */
static bool end_mute(struct tunnel_watch *w)
{
	if (!w->p.tunnel->wg.userspace || ++w->mutes < MUTE_MAX)
		return false;
	log_error("tunnel", "wireguard-go does not answer, ending it");
	(void)kill(w->p.tunnel->wg.pid, SIGKILL); /* our child, whose end is heard of */
	return true;
}

static void mend(struct tunnel_watch *w)
{
	char what[TUNNEL_WHAT_MAX];
	uint64_t now = clock_mono_ms();
	if (w->mended_at_ms && now < w->mended_at_ms + MEND_PAUSE_MS)
		return;
	int r = tunnel_mend(w->p.tunnel, what);
	if (what[0] == '\0' && r == 0)
		return;
	w->mended_at_ms = now;
	if (r == 0)
		log_warn("tunnel", "somebody changed it, put right",
			 kv_str("interface", w->p.config->tunnel), kv_str("what", what));
	else if (r != -ENODEV)
		log_warn("tunnel", "somebody changed it, and it cannot be put right",
			 kv_str("interface", w->p.config->tunnel), kv_str("what", what),
			 kv_errno(r));
}

static void look(void *ctx)
{
	struct tunnel_watch *w = (struct tunnel_watch *)ctx;
	struct tunnel *t = w->p.tunnel;
	if (t->starting) {
		go_on_making(w, tunnel_go_on(t));
		return;
	}
	if (!t->present) {
		make_again(w);
		return;
	}
	int r = tunnel_poll(t);
	if (r == -ENODEV || r == -ECONNREFUSED || r == -ENOENT) {
		interface_gone(w, r);
		return;
	}
	if (r == 0) {
		w->mutes = 0;
		mend(w);
		uplink_watch_count(w->p.uplink, &t->last);
		if (uplink_watch_state(w->p.uplink) == UPLINK_UP)
			endpoint_works(&w->endpoint, &t->last.endpoint);
	} else if (r == -ETIMEDOUT && end_mute(w)) {
		return;
	}
	w->p.looked(w->p.ctx);
	loop_timer_set(w->poll_timer, uplink_watch_poll_ms(w->p.uplink));
}

static void on_event(void *ctx, int fd)
{
	link_events_drain(fd);
	tunnel_watch_look((struct tunnel_watch *)ctx);
}

void tunnel_watch_look(struct tunnel_watch *w)
{
	/* While it is being made, or waits for that, its time is set. */
	if (w && w->p.tunnel->present && !w->p.tunnel->starting)
		look(w);
}

bool tunnel_watch_child(struct tunnel_watch *w, pid_t pid, int status)
{
	if (!w)
		return false;
	if (pid == w->resolver_pid) {
		w->resolver_pid = 0; /* its answer, or that there is none, comes by the pipe */
		return true;
	}
	if (pid != w->p.tunnel->wg.pid)
		return false;
	wireguard_go_ended(w, status);
	return true;
}

/* --- its life
 * ------------------------------------------------------------------------------------------------
 */

int tunnel_watch_new(const struct tunnel_watch_params *p, struct tunnel_watch **ret_watch)
{
	struct tunnel_watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->p = *p;
	w->resolver_fd = w->changes_fd = w->events_fd = -1;
	int r = loop_timer_new(p->loop, look, w, &w->poll_timer);
	if (r == 0)
		r = loop_timer_new(p->loop, on_endpoint_time, w, &w->endpoint_timer);
	if (r == 0)
		r = loop_timer_new(p->loop, on_resolver_overdue, w, &w->resolver_timer);
	if (r == 0)
		r = loop_timer_new(p->loop, on_changes_settled, w, &w->changes_timer);
	if (r == 0)
		r = link_events_open(-1, &w->events_fd);
	if (r == 0)
		r = loop_watch_fd(p->loop, w->events_fd, on_event, w, &w->events_watch);
	if (r < 0) {
		tunnel_watch_free(w);
		return r;
	}
	const struct config *c = p->config;
	struct sockaddr_storage to = { 0 };
	memcpy(&to, &c->wg_endpoint, sizeof c->wg_endpoint);
	endpoint_init(&w->endpoint, c->wg_endpoint_name[0] ? NULL : &to, c->wg_endpoint_port,
		      clock_mono_ms());
	if (c->wg_endpoint_zone[0])
		w->endpoint.try_at_ms = clock_mono_ms(); /* it was made without */
	open_changes(w);
	start_listening(w);
	run_endpoint(w);
	*ret_watch = w;
	return 0;
}

void tunnel_watch_drop(struct tunnel_watch *w)
{
	if (!w)
		return;
	if (w->resolver_fd >= 0)
		(void)close(take_fd(&w->resolver_fd)); /* init's business */
	if (w->changes_fd >= 0)
		(void)close(take_fd(&w->changes_fd)); /* likewise */
	if (w->events_fd >= 0)
		(void)close(take_fd(&w->events_fd)); /* likewise */
}

void tunnel_watch_free(struct tunnel_watch *w)
{
	if (!w)
		return;
	close_resolver(w);
	loop_unwatch(w->changes_watch);
	if (w->changes_fd >= 0)
		(void)close(w->changes_fd); /* events nobody reads any more */
	loop_unwatch(w->events_watch);
	if (w->events_fd >= 0)
		(void)close(w->events_fd); /* likewise */
	loop_timer_free(w->poll_timer);
	loop_timer_free(w->endpoint_timer);
	loop_timer_free(w->resolver_timer);
	loop_timer_free(w->changes_timer);
	if (w->resolver_pid)
		(void)kill(w->resolver_pid, SIGKILL); /* its alarm does it where we may not */
	free(w);
}
