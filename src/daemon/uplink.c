/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/uplink.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "host/ping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SPAN_STRLEN = 48 };

struct uplink_watch {
	const struct config *config;
	struct loop *loop;
	struct uplink_watch_calls calls;
	struct uplink uplink;
	enum uplink_state told_state;
	uint64_t told_changes, told_at_ms;
	bool told_lost;
	bool hinted;
	struct sockaddr_storage endpoint; /* where the peer was last heard from */

	struct loop_timer *timer;
	struct ping *ping; /* NULL while there is no tunnel */
	struct loop_watch *ping_watch;
	struct ratelimit log_ping;
};

/* --- in words
 * -------------------------------------------------------------------------------------------------
 */

/* "12 s", "3 min 10 s", "2 h 5 min" */
static const char *span(uint64_t ms, char buf[static SPAN_STRLEN])
{
	uint64_t s = ms / 1000;
	if (s < 60)
		snprintf(buf, SPAN_STRLEN, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(buf, SPAN_STRLEN, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(buf, SPAN_STRLEN, "%" PRIu64 " h %" PRIu64 " min", s / 3600,
			 s % 3600 / 60);
	return buf;
}

const char *uplink_reason_text(const struct uplink_reason *why,
			       char buf[static UPLINK_REASON_STRLEN])
{
	char time[SPAN_STRLEN], age[SPAN_STRLEN];
	span(why->ms, time);
	span(why->handshake_age_ms, age);
	snprintf(buf, UPLINK_REASON_STRLEN, "the reason is not known");
	switch (why->cause) {
	case UPLINK_NO_TUNNEL:
		snprintf(buf, UPLINK_REASON_STRLEN, "no uplink is configured");
		break;
	case UPLINK_NAME_WANTED:
		snprintf(buf, UPLINK_REASON_STRLEN, "the endpoint's name is being looked up");
		break;
	case UPLINK_NO_HANDSHAKE_YET:
		snprintf(buf, UPLINK_REASON_STRLEN, "no handshake yet");
		break;
	case UPLINK_HANDSHAKE:
		snprintf(buf, UPLINK_REASON_STRLEN, "handshake");
		break;
	case UPLINK_ANSWERED:
		snprintf(buf, UPLINK_REASON_STRLEN,
			 "%" PRIu64 " echo requests in a row were answered", why->n);
		break;
	case UPLINK_UNANSWERED:
		snprintf(buf, UPLINK_REASON_STRLEN,
			 "no answer to %" PRIu64 " bytes sent within %s, last handshake %s ago",
			 why->bytes, time, age);
		break;
	case UPLINK_SESSION_OVER:
		snprintf(buf, UPLINK_REASON_STRLEN,
			 "no handshake for %s, %" PRIu64 " bytes sent unanswered", age, why->bytes);
		break;
	case UPLINK_PROBES_UNANSWERED:
		snprintf(buf, UPLINK_REASON_STRLEN,
			 "%" PRIu64 " echo requests in a row without an answer, last handshake %s "
			 "ago",
			 why->n, age);
		break;
	case UPLINK_GAVE_UP:
		if (why->handshake_age_ms)
			snprintf(buf, UPLINK_REASON_STRLEN,
				 "still no answer after %s, last handshake %s ago", time, age);
		else
			snprintf(buf, UPLINK_REASON_STRLEN,
				 "no answer within %s, and never a handshake", time);
		break;
	case UPLINK_INTERFACE_GONE:
		snprintf(buf, UPLINK_REASON_STRLEN, "its interface is gone");
		break;
	}
	return buf;
}

static void log_state(const struct uplink_watch *w, enum uplink_state was, uint64_t lasted_ms)
{
	enum uplink_state is = w->uplink.state;
	bool bad = is == UPLINK_STALE || is == UPLINK_DOWN;
	char why[UPLINK_REASON_STRLEN], lasted[SPAN_STRLEN];
	LOG_AT_(bad ? LOG_WARNING : LOG_INFO, "tunnel", uplink_state_name(is),
		kv_str("interface", w->config->tunnel),
		kv_str("why", uplink_reason_text(&w->uplink.reason, why)),
		kv_str("was", uplink_state_name(was)), kv_str("for", span(lasted_ms, lasted)));
}

static void log_loss(const struct uplink_watch *w)
{
	static const char *const said[] = {
		[RA_LOSS_WITHDRAW] = "we are no default router, and prefixes are deprecated",
		[RA_LOSS_HOLD] = "nothing (UPLINK_LOSS=hold)",
		[RA_LOSS_LIFETIME] = "we are no default router (UPLINK_LOSS=lifetime)",
	};
	char why[UPLINK_REASON_STRLEN];
	if (w->uplink.lost)
		log_warn("uplink", "lost", kv_str("interface", w->config->tunnel),
			 kv_str("why", uplink_reason_text(&w->uplink.reason, why)),
			 kv_str("subscribers_are_told", said[w->config->uplink_loss]),
			 kv_u64("until_it_works_for_s", w->uplink.prove_ms / 1000));
	else
		log_info("uplink", "works again", kv_str("interface", w->config->tunnel));
}

/* --- what the engine says
 * ------------------------------------------------------------------------------------- */

static void arm(struct uplink_watch *w, uint64_t now_ms)
{
	uint64_t at = uplink_deadline(&w->uplink);
	if (at == UINT64_MAX)
		loop_timer_stop(w->timer);
	else
		loop_timer_set(w->timer, at > now_ms ? at - now_ms : 0);
}

/* After everything that the engine was told. Each change is noted before it is passed on: whoever
 * hears of it may tell us something in turn. */
static void pass_on(struct uplink_watch *w, uint64_t now_ms)
{
	arm(w, now_ms);
	if (w->told_changes != w->uplink.changes) {
		enum uplink_state from = w->told_state, to = w->uplink.state;
		uint64_t lasted_ms = w->uplink.changed_at_ms - w->told_at_ms;
		w->told_changes = w->uplink.changes;
		w->told_state = to;
		w->told_at_ms = w->uplink.changed_at_ms;
		log_state(w, from, lasted_ms);
		if (from != to)
			w->calls.on_change(w->calls.ctx, from, to);
	}
	if (w->told_lost != w->uplink.lost) {
		w->told_lost = w->uplink.lost;
		log_loss(w);
		w->calls.on_loss(w->calls.ctx, w->uplink.lost);
	}
}

/* Whom to send an echo request where nobody is to be asked: any packet that WireGuard lets through
 * wakes it, so whoever is at the other end, or the first address behind it. */
static struct in6_addr whoever_is_there(const struct config *c)
{
	const struct in6_addr all_nodes = { .s6_addr = { 0xff, 0x02, [15] = 0x01 } };
	const struct in6_addr *first = NULL;
	for (size_t i = 0; i < c->n_allowed_ips; i++) {
		const struct ip_prefix *p = &c->allowed_ips[i];
		const struct prefix6 allowed = { p->v6, p->plen };
		if (p->family == AF_INET6 && prefix6_has_addr(&allowed, &all_nodes))
			return all_nodes;
		if (p->family == AF_INET6 && !first)
			first = &p->v6;
	}
	return first ? *first : all_nodes;
}

static void send_probes(struct uplink_watch *w, uint64_t now_ms)
{
	const struct in6_addr dst =
		w->config->has_uplink_probe ? w->config->uplink_probe : whoever_is_there(w->config);
	uint16_t seq;
	while (uplink_probe_due(&w->uplink, now_ms, &seq)) {
		int r = w->ping ? ping_send(w->ping, &dst, seq) : -ENODEV;
		/* It counts as lost, as one does that got lost on its way. */
		if (r < 0 && ratelimit_allow(&w->log_ping, now_ms, NULL))
			log_debug("uplink", "an echo request cannot be sent", kv_errno(r));
	}
}

static void on_time(void *ctx)
{
	struct uplink_watch *w = (struct uplink_watch *)ctx;
	uint64_t now_ms = clock_mono_ms();
	uplink_tick(&w->uplink, now_ms);
	send_probes(w, now_ms);
	pass_on(w, now_ms);
}

static void on_ping(void *ctx, int fd)
{
	struct uplink_watch *w = (struct uplink_watch *)ctx;
	uint64_t now_ms = clock_mono_ms();
	uint16_t seq;
	uint32_t rtt_us;
	(void)fd; /* the ping's */
	int r = ping_receive(w->ping, &seq, &rtt_us);
	if (r == 1 && w->uplink.settings.probed)
		(void)uplink_probe_answered(&w->uplink, now_ms, seq, rtt_us); /* or a duplicate */
	else if (r < 0 && ratelimit_allow(&w->log_ping, now_ms, NULL))
		log_debug("uplink", "echo replies cannot be read", kv_errno(r));
	pass_on(w, now_ms);
}

/* --- what init tells
 * ------------------------------------------------------------------------------------------ */

int uplink_watch_new(const struct config *c, struct loop *loop,
		     const struct uplink_watch_calls *calls, struct uplink_watch **ret_watch)
{
	struct uplink_watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	int r = loop_timer_new(loop, on_time, w, &w->timer);
	if (r < 0) {
		free(w);
		return r;
	}
	const struct uplink_settings settings = {
		.present = c->backend != WG_BACKEND_NONE,
		.keepalive_s = c->wg_keepalive_s,
		.probed = c->has_uplink_probe,
		.probe_interval_ms = c->uplink_probe_interval_s * 1000,
		.loss_delay_ms = c->uplink_loss_delay_s * 1000,
	};
	w->config = c;
	w->loop = loop;
	w->calls = *calls;
	w->log_ping = (struct ratelimit){ .per_s = 1, .burst = 1 };
	w->told_at_ms = clock_mono_ms();
	uplink_init(&w->uplink, &settings, w->told_at_ms);
	w->told_state = w->uplink.state;
	*ret_watch = w;
	return 0;
}

static void close_ping(struct uplink_watch *w)
{
	loop_unwatch(w->ping_watch);
	w->ping_watch = NULL;
	ping_close(w->ping);
	w->ping = NULL;
}

void uplink_watch_free(struct uplink_watch *w)
{
	if (!w)
		return;
	close_ping(w);
	loop_timer_free(w->timer);
	free(w);
}

void uplink_watch_drop(struct uplink_watch *w)
{
	ping_close(w->ping);
	w->ping = NULL;
}

/* A tunnel without it is judged by its handshakes. */
static void open_ping(struct uplink_watch *w)
{
	int r = ping_open(w->config->tunnel, &w->config->wg_address.addr, &w->ping);
	if (r == 0)
		r = loop_watch_fd(w->loop, ping_fd(w->ping), on_ping, w, &w->ping_watch);
	if (r < 0) {
		close_ping(w);
		log_warn("uplink",
			 "echo requests cannot be sent, the tunnel's handshakes alone tell whether "
			 "it works",
			 kv_errno(r));
	}
	w->uplink.settings.probed = r == 0 && w->config->has_uplink_probe;
}

void uplink_watch_made(struct uplink_watch *w)
{
	uint64_t now_ms = clock_mono_ms();
	close_ping(w);
	open_ping(w);
	uplink_made(&w->uplink, now_ms);
	pass_on(w, now_ms);
}

void uplink_watch_gone(struct uplink_watch *w)
{
	uint64_t now_ms = clock_mono_ms();
	close_ping(w);
	uplink_gone(&w->uplink, now_ms);
	pass_on(w, now_ms);
}

void uplink_watch_slept(struct uplink_watch *w)
{
	uint64_t now_ms = clock_mono_ms();
	uplink_slept(&w->uplink, now_ms);
	pass_on(w, now_ms);
}

void uplink_watch_set_resolving(struct uplink_watch *w, bool resolving)
{
	uint64_t now_ms = clock_mono_ms();
	uplink_set_resolving(&w->uplink, now_ms, resolving);
	pass_on(w, now_ms);
}

/* Once: whoever sets a tunnel up for the first time is the one who reads it. */
static void hint(struct uplink_watch *w, uint64_t now_ms)
{
	const struct uplink *u = &w->uplink;
	if (w->hinted || u->state != UPLINK_CONNECTING || !u->asked_at_ms ||
	    now_ms < u->asked_at_ms + UPLINK_GRACE_MS)
		return;
	w->hinted = true;
	log_warn("tunnel", "no handshake yet",
		 kv_str("check", "WIREGUARD_ENDPOINT, WIREGUARD_PEER, and that the provider knows "
				 "our public key"),
		 kv_bool("heard_anything", u->last.rx_bytes > 0));
}

void uplink_watch_count(struct uplink_watch *w, const struct wg_state *s)
{
	const struct uplink_counters counters = { .handshake_unix_s = s->handshake_unix_s,
						  .rx_bytes = s->rx_bytes,
						  .tx_bytes = s->tx_bytes };
	uint64_t now_ms = clock_mono_ms();
	w->endpoint = s->endpoint;
	uplink_count(&w->uplink, now_ms, &counters);
	hint(w, now_ms);
	pass_on(w, now_ms);
}

uint64_t uplink_watch_poll_ms(const struct uplink_watch *w)
{
	return uplink_poll_ms(&w->uplink, clock_mono_ms());
}

enum uplink_state uplink_watch_state(const struct uplink_watch *w)
{
	return w->uplink.state;
}

void uplink_watch_message(const struct uplink_watch *w, struct message *ret_message)
{
	const struct uplink *u = &w->uplink;
	*ret_message = (struct message){ .type = MESSAGE_UPLINK,
					 .uplink = { .state = u->state,
						     .reason = u->reason,
						     .changed_at_ms = u->changed_at_ms,
						     .changes = u->changes,
						     .lost = u->lost,
						     .losses = u->losses,
						     .handshake_unix_s = u->last.handshake_unix_s,
						     .handshake_at_ms = u->handshake_at_ms,
						     .rx_bytes = u->last.rx_bytes,
						     .tx_bytes = u->last.tx_bytes,
						     .endpoint = w->endpoint,
						     .probed = u->settings.probed } };
	uplink_probe_stats(u, &ret_message->uplink.probe);
}
