/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/server.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lladdr.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ratelimit.h"
#include "base/siphash.h"
#include "control/client.h"
#include "control/metrics.h"
#include "control/request.h"
#include "daemon/advertiser.h"
#include "daemon/dns.h"
#include "daemon/dns_names.h"
#include "daemon/filter.h"
#include "daemon/forwarding.h"
#include "daemon/intake.h"
#include "daemon/keeper.h"
#include "daemon/message.h"
#include "daemon/metrics.h"
#include "daemon/provisioning.h"
#include "daemon/view.h"
#include "engine/dhcp6_server.h"
#include "host/landlock.h"
#include "host/loop.h"
#include "host/priv.h"
#include "host/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	TURN_MS = 20,    /* of one socket before the others have theirs */
	REST_MS = 10000, /* without DHCPv6, after which memory is given back */
	CONTROL_TIMEOUT_S = 2,
	EXHAUSTED_EVERY_S = 60,
	ROUTES_RETRY_MS = 1000,
	PART_MS = 1000,  /* for init to let go of our sockets, which it does at once */
	RESUBMIT_MS = 2, /* before a tick that found its batch full goes on */
};

struct server {
	const struct server_params *p;
	const struct config *c;
	struct loop *loop;
	struct loop_timer *expiry_timer, *forwarding_timer, *dhcp6_timer, *rest_timer;
	struct loop_watch *init_watch, *dhcp6_watch, *frames_watch, *control_watch;
	struct metrics *metrics;

	struct dhcp6_server *dhcp6;
	struct batch *batch;
	struct forwarding *forwarding;
	struct filter *filter;
	bool route_failed[BATCH_CHANGES];
	struct intake *intake;
	struct rd packets[INTAKE_BATCH];
	struct pkt_meta metas[INTAKE_BATCH];
	struct dhcp6_out out[BATCH_MESSAGES];
	struct dhcp6_frame_out frames[BATCH_MESSAGES];

	struct keeper *keeper;
	struct advertiser *advertiser;
	struct dns_names *names; /* NULL: without DNS_ZONE nobody has one */

	bool telling; /* clients are being told that the configuration has changed */
	uint8_t digest[STORE_NOTE_LEN];

	bool serving;
	bool stopping;         /* init wants us to end */
	bool settled;          /* what the start alone needed is given back */
	uint64_t served_at_ms; /* DHCPv6, last */
	bool rests;            /* and what serving needed, since then */
	struct tally before;   /* counted by the servers before us */
	struct message uplink;
	struct message_dns dns; /* init's last word */
	bool uplink_known;      /* init has told of it */
	struct link_state link;
	bool link_known; /* init has told of it */
	struct ratelimit log_bound, log_fault, log_exhausted[2], log_station;
	uint64_t exhausted_told[2]; /* prefixes, addresses */
	uint64_t over_station_limit_told;
	int exit_code;
};

static void arm_expiry(struct server *s, uint64_t now_ms);
static void note_told(struct server *s);

static void put_routes_right(struct server *s);

/* Nothing can be promised any more: init has another server and another process for it at once,
 * which answers what is not answered (daemon/intake). So nothing is done here that could say that
 * it was. */
static void end_without_fib(const struct server *s)
{
	if (fib_lost(s->p->fib))
		_exit(EX_SOFTWARE);
}

static void on_forwarding(void *ctx)
{
	struct server *s = (struct server *)ctx;
	int r = forwarding_go_on(s->forwarding, s->dhcp6);
	end_without_fib(s);
	if (r < 0) {
		log_error("route", "routes cannot be put right, trying again", kv_errno(r),
			  kv_u64("retry_ms", ROUTES_RETRY_MS));
		put_routes_right(s);
		loop_timer_set(s->forwarding_timer, ROUTES_RETRY_MS);
	} else if (r > 0) {
		loop_timer_set(s->forwarding_timer, 0);
	} else if (forwarding_astray(s->forwarding)) {
		loop_timer_set(s->forwarding_timer, ROUTES_RETRY_MS);
	} else if (!s->settled) {
		/* The start is over, and whoever waited for it has been answered. */
		s->settled = true;
		memory_settle();
		loop_timer_set(s->rest_timer, REST_MS);
	}
}

/* Nobody has come for a while, and nobody may for hours. */
static void on_rest(void *ctx)
{
	struct server *s = (struct server *)ctx;
	const uint64_t now_ms = clock_mono_ms(), due_ms = s->served_at_ms + REST_MS;
	s->rests = now_ms >= due_ms;
	if (!s->rests) {
		loop_timer_set(s->rest_timer, due_ms - now_ms);
		return;
	}
	intake_settle(s->intake, now_ms);
	memory_settle();
}

/* Begins it; the loop does the rest, piece by piece. */
static void put_routes_right(struct server *s)
{
	int r = forwarding_put_right(s->forwarding, s->dhcp6);
	if (r < 0)
		log_error("route", "routes cannot be put right", kv_errno(r));
	loop_timer_set(s->forwarding_timer, 0);
}

/* Bindings have come that were unreadable at the start. */
static void on_loaded(void *ctx)
{
	struct server *s = (struct server *)ctx;
	put_routes_right(s);
	dns_names_load(s->names, s->dhcp6);
	arm_expiry(s, clock_mono_ms());
}

/* --- commit and route, then reply
 * ----------------------------------------------------------------------------------- */

static void log_changes(struct server *s, uint64_t now_ms)
{
	for (size_t i = 0; i < s->batch->n_changes; i++) {
		const struct binding_record *r = &s->batch->changes[i].record;
		uint64_t suppressed;
		if (s->batch->changes[i].erase || !log_enabled(LOG_INFO))
			continue;
		if (!ratelimit_allow(&s->log_bound, now_ms, &suppressed))
			return;
		char duid[DUID_STRLEN], prefix[PREFIX6_STRLEN], hop[INET6_ADDRSTRLEN];
		static const char *const events[] = { "", "bound", "freed", "declined" };
		log_info(r->kind == BINDING_PD ? "pd" : "na", events[r->state],
			 kv_str("prefix", prefix6_format(&r->prefix, prefix)),
			 kv_str("duid", duid_format(r->duid.bytes, r->duid.len, duid)),
			 kv_u64("iaid", r->iaid), kv_str("next_hop", in6_format(&r->next_hop, hop)),
			 kv_u64("valid_s", r->valid_lft_s), kv_u64("suppressed", suppressed));
	}
}

/* A swapped CPE, or somebody who knows its DUID: whose prefix it is sees what to look for. */
static void log_moves(struct server *s, uint64_t now_ms)
{
	for (size_t i = 0; i < s->batch->n_routes; i++) {
		const struct route_change *r = &s->batch->routes[i];
		char prefix[PREFIX6_STRLEN], from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
		if (!r->add || !r->held || IN6_ARE_ADDR_EQUAL(&r->next_hop, &r->old_next_hop) ||
		    !log_enabled(LOG_INFO) || !ratelimit_allow(&s->log_bound, now_ms, NULL))
			continue;
		log_info(r->prefix.plen == 128 ? "na" : "pd",
			 "follows its client to another address",
			 kv_str("prefix", prefix6_format(&r->prefix, prefix)),
			 kv_str("from", in6_format(&r->old_next_hop, from)),
			 kv_str("to", in6_format(&r->next_hop, to)));
	}
}

/* What a batch asked of a pool and did not get. Said at once, then at most once a minute. */
static void log_exhausted(struct server *s, uint64_t now_ms)
{
	const struct dhcp6_stats *st = dhcp6_server_stats(s->dhcp6);
	const struct {
		const struct dhcp6_pool_stats *of;
		const char *pool, *hint;
		const struct prefix6 *range;
	} pools[] = {
		{ &st->pd, "prefixes",
		  "a shorter DHCPV6_PD_PREFIX, a longer DHCPV6_PD_DELEGATION_LENGTH, or a shorter "
		  "DHCPV6_VALID_LIFETIME",
		  &s->c->pd_pool },
		{ &st->na, "addresses", "a shorter DHCPV6_VALID_LIFETIME, or DHCPV6_IA_NA=off",
		  &s->c->transfer },
	};
	for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
		uint64_t n = pools[i].of->exhausted - s->exhausted_told[i];
		char range[PREFIX6_STRLEN];
		/* The bucket counts in seconds, which are to be longer ones here. */
		if (n == 0 ||
		    !ratelimit_allow(&s->log_exhausted[i], now_ms / EXHAUSTED_EVERY_S, NULL))
			continue;
		s->exhausted_told[i] = pools[i].of->exhausted;
		log_warn("pool", "exhausted, clients go without", kv_str("pool", pools[i].pool),
			 kv_str("range", prefix6_format(pools[i].range, range)),
			 kv_u64("capacity", pools[i].of->capacity),
			 kv_u64("used", pools[i].of->used), kv_u64("bound", pools[i].of->bound),
			 kv_u64("declined", pools[i].of->declined), kv_u64("refused", n),
			 kv_str("what_helps", pools[i].hint));
	}
}

/* Said at once, then at most once a minute. */
static void log_over_station_limit(struct server *s, uint64_t now_ms)
{
	const struct dhcp6_stats *st = dhcp6_server_stats(s->dhcp6);
	char mac[LLADDR_STRLEN] = "unknown", src[INET6_ADDRSTRLEN];
	uint64_t n = st->over_station_limit.n - s->over_station_limit_told;
	if (n == 0 || !ratelimit_allow(&s->log_station, now_ms / EXHAUSTED_EVERY_S, NULL))
		return;
	s->over_station_limit_told += n;
	if (st->over_station_limit.lladdr_len)
		(void)lladdr_format(st->over_station_limit.lladdr, mac);
	log_warn("pool", "a station wants more than DHCPV6_STATION_LIMIT, and goes without",
		 kv_str("lladdr", mac),
		 kv_str("source", in6_format(&st->over_station_limit.src, src)),
		 kv_u64("limit", s->c->station_limit), kv_u64("refused", n));
}

static bool withheld(const struct server *s, const struct answer *a)
{
	for (uint32_t i = 0; i < a->n_routes; i++)
		if (s->route_failed[a->first_route + i])
			return true;
	return false;
}

/* Straight to where the client's frame came from: no neighbour entry is made for it, and none is
 * needed. */
static bool as_frame(const struct server *s, const struct answer *a, const struct dhcp6_out *out,
		     struct dhcp6_frame_out *ret_frame)
{
	if (!s->p->dhcp6_frames || !IN6_IS_ADDR_LINKLOCAL(&out->dst) ||
	    a->lladdr_len != sizeof ret_frame->lladdr ||
	    out->len > dhcp6_frames_max(s->p->dhcp6_frames))
		return false;
	ret_frame->out = *out;
	memcpy(ret_frame->lladdr, a->lladdr, sizeof ret_frame->lladdr);
	return true;
}

static void reply(struct server *s)
{
	size_t n = 0, n_frames = 0;
	for (size_t i = 0; i < s->batch->n_answers; i++) {
		const struct answer *a = &s->batch->answers[i];
		const struct dhcp6_out out = {
			.bytes = a->bytes, .len = a->len, .dst = a->dst, .dst_port = a->dst_port
		};
		if (withheld(s, a))
			continue;
		if (as_frame(s, a, &out, &s->frames[n_frames]))
			n_frames++;
		else
			s->out[n++] = out;
	}
	/* A client that hears nothing asks again. */
	if (n_frames)
		(void)dhcp6_frames_send(s->p->dhcp6_frames, &s->link.link_local, s->frames,
					n_frames, NULL);
	if (n)
		(void)dhcp6_sock_send(s->p->dhcp6_sock, s->out, n, NULL);
}

static void tally_up(struct server *s)
{
	const struct foreign_watch *foreign = advertiser_foreign(s->advertiser);
	const struct tally now = { .dhcp6 = *dhcp6_server_stats(s->dhcp6),
				   .advertiser = *advertiser_stats(s->advertiser),
				   .intake = intake_stats(s->intake),
				   .ra_heard = foreign->heard,
				   .ra_refused = foreign->refused,
				   .ra_untracked = foreign->table.untracked,
				   .routes_failed = forwarding_failures(s->forwarding),
				   .rejected = filter_rejected(s->filter) };
	*s->p->tally = tally_sum(&s->before, &now);
}

/*
 * Another process sets routes while the disk works; whoever is answered has both. One that is there
 * without its row, because we were killed between, is removed by the next server, which compares
 * the two; after a power cut there are none.
 */
static void carry_out(struct server *s, uint64_t now_ms)
{
	bool was_astray = forwarding_astray(s->forwarding);
	forwarding_begin(s->forwarding, s->batch, s->route_failed);
	keeper_commit(s->keeper, s->batch, now_ms);
	dns_names_follow(s->names, s->batch);
	forwarding_end(s->forwarding);
	if (forwarding_astray(s->forwarding) && !was_astray)
		loop_timer_set(s->forwarding_timer, ROUTES_RETRY_MS);
	end_without_fib(s);
	reply(s);
	intake_answered(s->intake);
	keeper_tidy(s->keeper);
	log_changes(s, now_ms);
	log_moves(s, now_ms);
	log_exhausted(s, now_ms);
	log_over_station_limit(s, now_ms);
	batch_reset(s->batch);
	tally_up(s);
}

static void arm_expiry(struct server *s, uint64_t now_ms)
{
	uint64_t at = dhcp6_server_deadline(s->dhcp6);
	if (at == UINT64_MAX)
		loop_timer_stop(s->expiry_timer);
	else
		loop_timer_set(s->expiry_timer, at > now_ms ? at - now_ms : RESUBMIT_MS);
}

static void on_expiry(void *ctx)
{
	struct server *s = (struct server *)ctx;
	uint64_t now_ms = clock_mono_ms();
	dhcp6_server_tick(s->dhcp6, now_ms, s->batch);
	if (s->batch->n_answers)
		keeper_settle(s->keeper); /* replay values that a RECONFIGURE uses are used up */
	carry_out(s, now_ms);
	note_told(s);
	arm_expiry(s, now_ms);
}

static void serve_batch(struct server *s, size_t n, uint64_t now_ms)
{
	dhcp6_server_expect(s->dhcp6, s->packets, n);
	for (size_t i = 0; i < n; i++) {
		if (batch_full(s->batch)) {
			intake_decided(s->intake, i);
			carry_out(s, now_ms);
		}
		intake_deciding(s->intake, i);
		dhcp6_server_input(s->dhcp6, now_ms, &s->metas[i], s->packets[i], s->batch);
	}
	intake_decided(s->intake, n);
	carry_out(s, now_ms);
}

static void serve_dhcp6(void *ctx)
{
	struct server *s = (struct server *)ctx;
	const uint64_t begun_ms = clock_mono_ms(), deadline = dhcp6_server_deadline(s->dhcp6);
	uint64_t now_ms = begun_ms;
	int n;
	do {
		n = intake_next(s->intake, now_ms, s->packets, s->metas);
		if (n < 0 && ratelimit_allow(&s->log_fault, now_ms, NULL))
			log_warn("dhcp6", "cannot receive", kv_errno(n));
		if (n > 0)
			serve_batch(s, (size_t)n, now_ms);
		now_ms = clock_mono_ms();
	} while (n == INTAKE_BATCH && now_ms - begun_ms < TURN_MS);
	if (intake_waiting(s->intake))
		loop_timer_set(s->dhcp6_timer, 0);
	s->served_at_ms = now_ms;
	if (s->rests)
		loop_timer_set(s->rest_timer, REST_MS);
	s->rests = false;
	if (dhcp6_server_deadline(s->dhcp6) != deadline)
		arm_expiry(s, now_ms);
}

static void on_dhcp6(void *ctx, int fd)
{
	(void)fd;
	serve_dhcp6(ctx);
}

/* UDP may never have a packet of theirs. */
static void on_frames(void *ctx, int fd)
{
	const struct server *s = (const struct server *)ctx;
	(void)fd;
	dhcp6_frames_look(s->p->dhcp6_frames);
}

/* --- control
 * ------------------------------------------------------------------------------------------------
 */

static int print_lease(void *ctx, const struct binding *b)
{
	FILE *f = (FILE *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	json_t *lease = lease_to_json(&r, clock_mono_ms(), clock_unix_ms());
	int e = lease && json_dumpf(lease, f, JSON_COMPACT) == 0 && fputc('\n', f) != EOF ? 0
											  : -EIO;
	json_decref(lease);
	return e;
}

static int count_lease(void *ctx, const struct binding *b)
{
	(void)b;
	++*(size_t *)ctx;
	return 0;
}

/* In a forked child, on its own copy of the table: however slowly it is read, subscribers are
 * served meanwhile. */
static void answer_leases(struct server *s, int fd)
{
	pid_t pid = fork();
	if (pid != 0) {
		if (pid < 0)
			log_warn("control", "cannot list the leases", kv_errno(errno));
		return;
	}
	size_t n = 0;
	FILE *f = fdopen(fd, "w");
	bool ok = f && dhcp6_server_each(s->dhcp6, print_lease, f) == 0 &&
		  dhcp6_server_each(s->dhcp6, count_lease, &n) == 0 &&
		  fprintf(f, "{\"leases\": %zu}\n", n) > 0 && fflush(f) == 0;
	_exit(ok ? 0 : EX_IOERR);
}

static void answer_json(int fd, json_t *answer)
{
	AUTO_FREE char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	/* Whoever asked has gone, or reads nothing for two seconds: its loss. */
	if (text)
		(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static struct status_view status_view(struct server *s, struct view_text *t)
{
	tally_up(s);
	const struct view_sources sources = {
		.server = s->p,
		.uplink = &s->uplink,
		.tally = s->p->tally,
		.foreign = advertiser_foreign(s->advertiser),
		.keeper = s->keeper,
		.dns = &s->dns,
		.names = s->names,
		.link = &s->link,
		.filter = s->filter,
		.forwarding = s->forwarding,
		.serving = s->serving,
	};
	return view_of(&sources, t);
}

static json_t *status_json(struct server *s)
{
	struct view_text text;
	const struct status_view v = status_view(s, &text);
	return status_to_json(&v);
}

static int metrics_page(void *ctx, char **ret_text, size_t *ret_len)
{
	struct view_text text;
	const struct status_view v = status_view((struct server *)ctx, &text);
	return metrics_render(&v, ret_text, ret_len);
}

/* Healthy is: doing what can be done. A cable that nobody plugged in is no illness. */
static json_t *health_json(const struct server *s)
{
	bool healthy = !s->link.missing && (s->serving || (s->link_known && !s->link.carrier));
	return json_pack("{s:b, s:s}", "healthy", (int)healthy, "state",
			 s->link.missing   ? "the subscriber's NIC is gone"
			 : s->serving      ? "serving"
			 : s->link.carrier ? "starting"
					   : "waiting for the subscriber link");
}

static size_t remove_bindings(struct server *s, bool (*which)(void *ctx, const struct binding *b),
			      void *ctx)
{
	uint32_t at = 0;
	size_t n = 0;
	bool more;
	do {
		uint64_t now_ms = clock_mono_ms();
		more = dhcp6_server_remove(s->dhcp6, which, ctx, now_ms, s->batch, &at, &n);
		carry_out(s, now_ms);
	} while (more);
	arm_expiry(s, clock_mono_ms());
	return n;
}

/* --- what clients were told, and is no more
 * ------------------------------------------------------------------------- */

static bool unfounded(void *ctx, const struct binding *b)
{
	const struct server *s = (const struct server *)ctx;
	return dhcp6_server_unfounded(s->dhcp6, b);
}

static void recall(struct server *s, const struct binding *b)
{
	struct binding_record r;
	binding_to_record(b, &r);
	dhcp6_server_recall(s->dhcp6, &r, clock_mono_ms());
}

static int recall_astray(void *ctx, const struct binding *b)
{
	struct server *s = (struct server *)ctx;
	if (dhcp6_server_astray(s->dhcp6, b))
		recall(s, b);
	return 0;
}

static int recall_any(void *ctx, const struct binding *b)
{
	recall((struct server *)ctx, b);
	return 0;
}

/* Bindings that reservations no longer allow go; clients that have others now are told. */
static void follow_reservations(struct server *s)
{
	size_t n = remove_bindings(s, unfounded, s);
	if (n)
		log_info("reservations", "bindings that nothing allows any more are removed",
			 kv_u64("bindings", n));
	(void)dhcp6_server_each(s->dhcp6, recall_astray, s); /* never ends early */
	arm_expiry(s, clock_mono_ms());
}

/* The digest is noted when all have come or were given up: until then a restart begins anew. */
static void note_told(struct server *s)
{
	if (!s->telling || dhcp6_server_stats(s->dhcp6)->recall.waiting)
		return;
	s->telling = false;
	keeper_put_digest(s->keeper, s->digest);
}

/* Those that were given something under another configuration are to come for what is true now. */
static void tell_of_changes(struct server *s)
{
	uint8_t before[STORE_NOTE_LEN];
	provisioning_digest(s->c, s->digest);
	bool changed =
		keeper_digest(s->keeper, before) && memcmp(before, s->digest, sizeof before) != 0;
	if (changed)
		(void)dhcp6_server_each(s->dhcp6, recall_any, s); /* never ends early */
	uint64_t n = dhcp6_server_stats(s->dhcp6)->recall.waiting;
	if (n)
		log_info("dhcp6", "the configuration has changed, clients are told to come back",
			 kv_u64("clients", n));
	s->telling = true;
	note_told(s);
}

/* --- the uplink
 * -----------------------------------------------------------------------------------------------
 */

static int recall_outdated(void *ctx, const struct binding *b)
{
	struct server *s = (struct server *)ctx;
	if (dhcp6_server_outdated(s->dhcp6, b))
		recall(s, b);
	return 0;
}

/* The first time whatever is told: a server before us may have granted what is not so any more. */
static void follow_uplink(struct server *s, const struct message *m)
{
	bool news = !s->uplink_known || s->uplink.uplink.lost != m->uplink.lost;
	s->uplink = *m;
	s->uplink_known = true;
	if (!news)
		return;
	advertiser_uplink(s->advertiser, !m->uplink.lost);
	dhcp6_server_uplink(s->dhcp6, !m->uplink.lost || s->c->uplink_loss != RA_LOSS_WITHDRAW);
	(void)dhcp6_server_each(s->dhcp6, recall_outdated, s); /* never ends early */
	arm_expiry(s, clock_mono_ms());
}

/* --- clearing
 * -----------------------------------------------------------------------------------------------
 */

static bool selected(void *ctx, const struct binding *b)
{
	return control_selects((const struct control_selector *)ctx, b);
}

static json_t *clear(struct server *s, struct control_asked *asked)
{
	size_t n = remove_bindings(s, selected, &asked->which);
	log_info("control", "bindings cleared", kv_str("which", asked->argument),
		 kv_u64("bindings", n));
	return json_pack("{s:I}", "cleared", (json_int_t)n);
}

static void on_control(void *ctx, int fd)
{
	struct server *s = (struct server *)ctx;
	AUTO_CLOSE int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (conn < 0)
		return;
	/* Root on this machine, who may block us for these two seconds, and could do worse. */
	const struct timeval limit = { .tv_sec = CONTROL_TIMEOUT_S };
	char line[CONTROL_LINE_MAX];
	struct control_asked asked;
	if (setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(conn, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		return;
	ssize_t len = recv(conn, line, sizeof line - 1, 0);
	int r = len > 0 ? control_request_read(line, (size_t)len, &asked) : -EINVAL;
	if (r < 0) {
		if (r == -EDOM)
			answer_json(conn, json_pack("{s:s}", "fault",
						    "is no prefix, no address and no DUID"));
		return;
	}
	switch (asked.what) {
	case CONTROL_STATUS: {
		const struct message ask = { .type = MESSAGE_UPLINK_ASK };
		(void)message_send(
			s->p->init_fd,
			&ask); /* for the next time: what is known now is at most seconds old */
		answer_json(conn, status_json(s));
		break;
	}
	case CONTROL_HEALTH:
		answer_json(conn, health_json(s));
		break;
	case CONTROL_LEASES:
		answer_leases(s, conn);
		break;
	case CONTROL_CLEAR:
		answer_json(conn, clear(s, &asked));
		break;
	}
}

/* --- init's messages
 * ---------------------------------------------------------------------------------------- */

static bool link_works(const struct server *s)
{
	return s->link.carrier && s->link.usable;
}

static void begin_serving(struct server *s)
{
	s->serving = true;
	if (loop_watch_fd(s->loop, dhcp6_sock_fd(s->p->dhcp6_sock), on_dhcp6, s, &s->dhcp6_watch) <
		    0 ||
	    (s->p->dhcp6_frames && loop_watch_fd(s->loop, dhcp6_frames_fd(s->p->dhcp6_frames),
						 on_frames, s, &s->frames_watch) < 0) ||
	    advertiser_begin(s->advertiser, &s->link.link_local) < 0) {
		s->exit_code = EX_OSERR;
		loop_stop(s->loop);
	}
	/* What a server before us had read: the socket does not tell of it. */
	if (intake_waiting(s->intake))
		loop_timer_set(s->dhcp6_timer, 0);
}

static void on_link(struct server *s, const struct message *m)
{
	bool worked = link_works(s), known = s->link_known;
	bool moved = !IN6_ARE_ADDR_EQUAL(&s->link.link_local, &m->link.link_local);
	s->link = m->link;
	s->link_known = true;
	if (moved || !known)
		dhcp6_server_own(s->dhcp6, &s->link.link_local);
	if (!s->serving) {
		if (link_works(s))
			begin_serving(s);
		return;
	}
	if (moved)
		advertiser_from(s->advertiser, &s->link.link_local);
	if (link_works(s) && !worked) {
		/* Whoever took the link down took routes and neighbours with it. */
		put_routes_right(s);
		advertiser_link(s->advertiser, true);
	} else if (!link_works(s) && worked) {
		advertiser_link(s->advertiser, false);
	}
}

static void log_summary(struct server *s)
{
	tally_up(s);
	const struct dhcp6_stats *st = &s->p->tally->dhcp6;
	const struct advertiser_stats *ra = &s->p->tally->advertiser;
	log_info("server", "summary", kv_u64("prefixes", st->pd.bound),
		 kv_u64("addresses", st->na.bound), kv_u64("dhcpv6_received", st->received),
		 kv_u64("dhcpv6_answered", st->answered), kv_u64("rs_received", ra->rs_received),
		 kv_u64("ra_sent", ra->ra_sent),
		 kv_str("uplink", uplink_state_name(s->uplink.uplink.state)),
		 kv_bool("store_ok", !keeper_fault(s->keeper)));
}

static void say_farewell(struct server *s)
{
	if (s->serving && !s->link.missing)
		advertiser_farewell(s->advertiser);
}

static void follow_link(struct server *s)
{
	dhcp6_server_reachable(s->dhcp6, s->serving && link_works(s));
	arm_expiry(s, clock_mono_ms());
}

/* What init knows of the world. False: it is something else. */
static bool follow_news(struct server *s, const struct message *m)
{
	switch (m->type) {
	case MESSAGE_LINK:
		on_link(s, m);
		follow_link(s);
		return true;
	case MESSAGE_UPLINK:
		follow_uplink(s, m);
		return true;
	case MESSAGE_DNS:
		s->dns = m->dns;
		return true;
	default:
		return false;
	}
}

static void on_init_message(void *ctx, int fd)
{
	struct server *s = (struct server *)ctx;
	struct message m;
	int r;
	while ((r = message_recv(fd, &m)) == 0) {
		if (follow_news(s, &m))
			continue;
		switch (m.type) {
		case MESSAGE_ANNOUNCE:
			if (provisioning_reserve(s->c, s->dhcp6, true) == 0)
				follow_reservations(s);
			else
				log_error("reservations",
					  "what was reserved before stays so until the faults are "
					  "mended and SIGHUP comes again");
			if (s->serving && link_works(s))
				advertiser_link(s->advertiser, true);
			break;
		case MESSAGE_SUMMARY:
			log_summary(s);
			break;
		case MESSAGE_STOP:
			s->stopping = true;
			say_farewell(s);
			loop_stop(s->loop);
			return;
		default:
			log_error("server", "init says what it should not",
				  kv_u64("message", (uint64_t)m.type));
			break;
		}
	}
	if (r == -EAGAIN)
		return;
	/* Without init nobody gives the NIC back: nothing is left to do but to end, and its end
	 * ends us anyway. */
	s->exit_code = EX_SOFTWARE;
	loop_stop(s->loop);
}

/* --- start
 * --------------------------------------------------------------------------------------------------
 */

/* Where none is kept, or none can be read: the same after a lost volume, so that clients still find
 * the server that they know. */
static struct duid derived_duid(const uint8_t key[static 16])
{
	uint8_t uuid[16];
	for (uint8_t half = 0; half < 2; half++) {
		const uint8_t label[6] = { 'D', 'U', 'I', 'D', ' ', half };
		uint64_t h = siphash24(key, label, sizeof label);
		memcpy(uuid + 8 * half, &h, sizeof h);
	}
	return duid_from_uuid(uuid);
}

static_assert((int)STORE_NOTE_LEN == (int)D6_RECONFIGURE_SECRET_LEN &&
		      (int)STORE_NOTE_LEN == (int)PROVISIONING_DIGEST_LEN,
	      "a note is none of what it is to hold");

static int init_dhcp6(struct server *s)
{
	const struct config *c = s->c;
	struct dhcp6_config d;
	provisioning_config(c, &d);
	d.own_addr = s->p->transfer_addr;
	d.zone = s->names ? c->dns_zone : NULL;
	const struct duid derived = derived_duid(s->p->pool_key);
	if (getrandom(d.table_key, sizeof d.table_key, 0) != (ssize_t)sizeof d.table_key)
		return -EAGAIN;
	keeper_duid(s->keeper, &derived, &d.server_id);
	if (c->reconfigure)
		d.replay_base = keeper_replay_base(s->keeper, clock_mono_ms());
	int r = keeper_secret(s->keeper, d.reconfigure_secret);
	if (r < 0)
		return r;
	memcpy(d.pool_key, s->p->pool_key, sizeof d.pool_key);
	return dhcp6_server_new(&d, &s->dhcp6);
}

static bool on_first_sent(void *ctx)
{
	const struct server *s = (const struct server *)ctx;
	const struct message m = { .type = MESSAGE_SERVING };
	return message_send(s->p->init_fd, &m) == 0;
}

/* Init, which reads nothing that comes from the link, finds out whose it is. */
static void on_contested(void *ctx)
{
	const struct server *s = (const struct server *)ctx;
	const struct message m = { .type = MESSAGE_CONTESTED };
	(void)message_send(s->p->init_fd, &m); /* lost where init is busy: it will be heard again */
}

static int init_advertiser(struct server *s)
{
	const struct advertiser_params p = { .loop = s->loop,
					     .config = s->c,
					     .sock = s->p->nd_sock,
					     .lladdr = s->p->lladdr,
					     .lladdr_len = s->p->lladdr_len,
					     .mtu = s->p->mtu,
					     .keeper = s->keeper,
					     .on_sent = on_first_sent,
					     .on_contested = on_contested,
					     .ctx = s };
	return advertiser_new(&p, &s->advertiser);
}

static int init_forwarding(struct server *s)
{
	uint8_t key[16];
	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EAGAIN;
	return forwarding_new(s->p->fib, key, &s->forwarding);
}

static int init_filter(struct server *s)
{
	const struct filter_params p = { .loop = s->loop,
					 .config = s->c,
					 .nflog_fd = s->p->nflog_fd,
					 .frames = s->p->dhcp6_frames,
					 .transfer_addr = s->p->transfer_addr };
	return filter_new(&p, &s->filter);
}

/* What hosts keep of us may have run out on their clocks. */
static void on_slept(void *ctx, uint64_t slept_ms)
{
	const struct server *s = (const struct server *)ctx;
	(void)slept_ms; /* the timers know */
	if (s->serving && link_works(s))
		advertiser_link(s->advertiser, true);
}

static int init_intake(struct server *s)
{
	const struct intake_params p = { .config = s->c,
					 .memory = s->p->intake,
					 .sock = s->p->dhcp6_sock,
					 .frames = s->p->dhcp6_frames };
	return intake_new(&p, &s->intake);
}

static int init_loop(struct server *s)
{
	int r = loop_new(false, &s->loop);
	if (r == 0)
		r = loop_watch_sleep(s->loop, on_slept, s);
	if (r == 0)
		r = loop_timer_new(s->loop, on_expiry, s, &s->expiry_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_forwarding, s, &s->forwarding_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, serve_dhcp6, s, &s->dhcp6_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_rest, s, &s->rest_timer);
	return r;
}

/*
 * Root by name, as we are, reaches programs that others execute, kernel settings, disks, and the
 * memory of wireguard-go, which is in the host's namespace: no capability is asked for there. Time
 * zones, and what the C library looks up for itself, may be read.
 */
static void confine(const struct server *s)
{
	const struct landlock_place places[] = {
		{ s->c->state_dir, LANDLOCK_OWNER },
		{ s->names ? DNS_DIRECTORY : s->c->state_dir, LANDLOCK_OWNER },
		{ "/etc/localtime", LANDLOCK_READ },
		{ "/usr/share/zoneinfo", LANDLOCK_READ },
		{ "/dev/urandom", LANDLOCK_READ },
		{ "/proc/sys/vm/overcommit_memory", LANDLOCK_READ },
		{ "/sys/devices/system/cpu", LANDLOCK_READ },
	};
	int r = landlock_enter(places, ARRAY_LEN(places));
	if (r == -EOPNOTSUPP || r == -EPERM) /* the kernel, or what filters an engine's calls */
		log_debug("server", "files are not closed to us by the kernel", kv_errno(r));
	else if (r < 0)
		log_warn("server", "files could not be closed to us, going on", kv_errno(r));
}

static int start(struct server *s)
{
	int r = init_loop(s);
	if (r == 0)
		r = batch_new(&s->batch);
	if (r == 0)
		r = init_forwarding(s);
	if (r == 0)
		r = init_filter(s);
	if (r == 0)
		r = init_intake(s);
	if (r == 0)
		r = keeper_new(s->loop, s->c->state_dir, on_loaded, s, &s->keeper);
	if (r < 0)
		return r;
	if (s->c->resolver && s->c->dns_zone[0])
		r = dns_names_new(s->loop, s->c->dns_zone, s->c->state_dir, &s->names);
	if (r < 0)
		return r;
	keeper_open(s->keeper, s->p->sound);
	r = init_advertiser(s);
	if (r == 0)
		r = init_dhcp6(s);
	if (r < 0)
		return r;
	r = provisioning_reserve(s->c, s->dhcp6, false);
	if (r < 0)
		return r;
	r = keeper_load(s->keeper, s->dhcp6);
	if (r < 0)
		return r;
	dns_names_load(s->names, s->dhcp6);
	(void)dhcp6_server_each(s->dhcp6, recall_astray, s); /* never ends early */
	tell_of_changes(s);
	put_routes_right(s);
	r = priv_keep(0, false);
	if (r < 0)
		return r;
	confine(s);
	/* A call that is not of the list ends the server; init has the next one up at once. */
	r = seccomp_enter_server();
	if (r < 0 && r != -EOPNOTSUPP)
		log_warn("server", "this kernel cannot take system calls from us, going on",
			 kv_errno(r));
	r = loop_watch_fd(s->loop, s->p->init_fd, on_init_message, s, &s->init_watch);
	if (r == 0)
		r = loop_watch_fd(s->loop, s->p->control_fd, on_control, s, &s->control_watch);
	if (r == 0 && s->p->metrics_fd >= 0)
		r = metrics_new(s->loop, s->p->metrics_fd, metrics_page, s, &s->metrics);
	arm_expiry(s, clock_mono_ms());
	const struct message ready = { .type = MESSAGE_READY };
	if (r == 0)
		r = message_send(s->p->init_fd, &ready);
	/* Nobody waits for init to tell what it knew when it forked us: it does so after this. */
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(s->p->news); i++)
		(void)follow_news(s, &s->p->news[i]); /* they are nothing else */
	log_debug("server", "ready", kv_u64("cpu_us", clock_cpu_us()),
		  kv_bool("database_checked", !s->p->sound));
	return r;
}

/*
 * All that is ours is done. The sockets are left, and the kernel takes its time (RCU's, 10 ms and
 * more) over those that see frames, in whoever closes them last: that is us, while init undoes the
 * rest, if it lets go of them before we end.
 */
static void part(const struct server *s)
{
	struct pollfd init = { .fd = s->p->init_fd }; /* that it hung up is told in any case */
	(void)shutdown(init.fd, SHUT_WR);             /* it is gone, or knows now */
	(void)poll(&init, 1, PART_MS);                /* whatever comes of it, we end */
}

int server_run(const struct server_params *p)
{
	/* Leases are listed by forked children that nobody waits for. */
	(void)signal(SIGCHLD, SIG_IGN); /* cannot fail */
	static struct server
		server; /* large, and one a process; its untouched pages cost nothing */
	struct server *s = &server;
	s->p = p;
	s->c = p->config;
	s->link.link_local = p->config->link_local;
	s->log_bound = (struct ratelimit){ .per_s = 20, .burst = 100 };
	s->log_fault = (struct ratelimit){ .per_s = 1, .burst = 10 };
	s->log_station = (struct ratelimit){ .per_s = 1, .burst = 1 };
	for (size_t i = 0; i < ARRAY_LEN(s->log_exhausted); i++)
		s->log_exhausted[i] = (struct ratelimit){ .per_s = 1, .burst = 1 };
	s->before = *p->tally;
	int r = start(s);
	if (r == 0) {
		loop_run(s->loop);
		tally_up(s);
	} else {
		log_error("server", "cannot start", kv_errno(r));
	}
	metrics_free(s->metrics);
	keeper_free(s->keeper);
	dns_names_free(s->names);
	advertiser_free(s->advertiser);
	filter_free(s->filter);
	intake_free(s->intake);
	forwarding_free(s->forwarding);
	fib_free(p->fib);
	batch_free(s->batch);
	dhcp6_server_free(s->dhcp6);
	if (s->stopping)
		part(s);
	return r < 0 ? EX_SOFTWARE : s->exit_code;
}
