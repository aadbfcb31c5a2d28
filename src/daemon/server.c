/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/server.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "control/client.h"
#include "control/metrics.h"
#include "control/render.h"
#include "daemon/config_options.h"
#include "daemon/forwarding.h"
#include "daemon/message.h"
#include "daemon/metrics.h"
#include "daemon/provisioning.h"
#include "engine/dhcp6_server.h"
#include "engine/ra.h"
#include "host/clock_watch.h"
#include "host/loop.h"
#include "host/priv.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/icmp6.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	ROUNDS = 16,            /* batches of one socket before the other has its turn */
	STORE_RETRY_MS = 5000,  /* between two attempts to write again what could not be written */
	STORE_RETRY_SHARE = 20, /* of the time at most goes into attempts: one in so many */
	STORE_REMIND_MS = 600000,
	CLOCK_SET_MS = 2000, /* the wall clock was set where it moves more against the monotonic */
	CONTROL_TIMEOUT_S = 2,
	FAULT_MAX = 256,
	EXHAUSTED_EVERY_S = 60,
	ROUTES_RETRY_MS = 1000,
	RESUBMIT_MS = 2, /* before a tick that found its batch full goes on */
};

struct server {
	const struct server_params *p;
	const struct config *c;
	struct loop *loop;
	struct loop_timer *expiry_timer, *ra_timer, *store_timer, *forwarding_timer;
	struct loop_watch *init_watch, *dhcp6_watch, *nd_watch, *control_watch, *clock_watch;
	struct metrics *metrics;

	struct dhcp6_server *dhcp6;
	struct duid duid;
	struct batch *batch;
	struct forwarding *forwarding;
	bool route_failed[BATCH_CHANGES];
	struct dhcp6_packet packets[DHCP6_SOCK_BATCH];
	struct rd expected[DHCP6_SOCK_BATCH];
	struct dhcp6_out out[BATCH_MESSAGES];
	struct dhcp6_frame_out frames[BATCH_MESSAGES];

	struct store *store;
	char store_path[CONFIG_PATH_MAX + 16];
	char store_fault[FAULT_MAX]; /* "" where it works */
	int store_error;
	bool store_behind; /* commits were missed: everything is written anew when it works again */
	bool store_loaded; /* what it held is in memory */
	bool store_corrupt;
	uint64_t store_retry_at_ms, store_told_at_ms;
	int64_t store_offset_ms; /* of the wall clock from the monotonic one, as it is in the store
				  */

	struct ra ra;
	struct nd_packet nd_packets[ND_SOCK_BATCH];
	struct ra_out ra_out;
	struct in6_addr link_local;
	int clock_fd; /* readable when the wall clock was set */

	bool telling; /* clients are being told that the configuration has changed */
	uint8_t digest[STORE_NOTE_LEN];
	uint8_t secret[STORE_NOTE_LEN]; /* out of which reconfigure keys are made */

	bool serving;
	bool told_serving;
	struct message uplink;
	bool carrier, missing;
	bool link_known; /* init has told of it */
	uint64_t rs_received, rs_dropped, ra_sent, ra_failed, truncated;
	uint64_t nd_drops[ND_UNKNOWN_TYPE + 1];
	struct ratelimit log_bound, log_fault, log_foreign, log_exhausted[2];
	uint64_t exhausted_told[2]; /* prefixes, addresses */
	int exit_code;
};

static struct store_now wall(uint64_t now_ms)
{
	return (struct store_now){ .mono_ms = now_ms, .unix_ms = clock_unix_ms() };
}

static uint32_t random32(void *arg)
{
	(void)arg;
	uint32_t v = 0;
	/* Never fails for 4 bytes once the kernel's pool is ready, which it is long before
	 * containers start. */
	(void)!getrandom(&v, sizeof v, 0);
	return v;
}

static void arm_expiry(struct server *s, uint64_t now_ms);
static void note_told(struct server *s);

/* --- the store
 * ---------------------------------------------------------------------------------------------- */

static int64_t offset_of(struct store_now now)
{
	return (int64_t)(now.unix_ms - now.mono_ms);
}

static const char *store_advice(int r)
{
	switch (-r) {
	case ENOSPC:
		return "make room on the volume";
	case EROFS:
		return "it is read-only: mount it for writing";
	case EACCES:
	case EPERM:
		return "give us the right to write there";
	case ENOTSUP:
		return "a later version of vbng has written it: run that one, or move it away";
	case EBUSY:
		return "another instance uses it: give each one a STATE_DIR of its own";
	case EUCLEAN:
		return "it is corrupt and will be moved aside";
	case EIO:
		return "the medium fails: see the kernel's log";
	case ENOENT:
	case ENOTDIR:
		return "STATE_DIR is not there: mount a volume, or name a directory that is";
	default:
		return "see the error";
	}
}

/* Told at once, again where the reason is another one, and from time to time. */
static void store_broke(struct server *s, int r, const char *what)
{
	uint64_t now_ms = clock_mono_ms();
	const char *reason = r == -ENOTSUP   ? "of a later version"
			     : r == -EUCLEAN ? "corrupt"
					     : strerror(-r);
	snprintf(s->store_fault, sizeof s->store_fault, "%s: %s; %s", what, reason,
		 store_advice(r));
	if (r != s->store_error || now_ms - s->store_told_at_ms >= STORE_REMIND_MS) {
		s->store_told_at_ms = now_ms;
		log_error("store",
			  "bindings cannot be stored, going on from memory: a restart would lose "
			  "what is granted now",
			  kv_str("file", s->store_path), kv_str("what", what),
			  kv_str("error", reason), kv_str("advice", store_advice(r)));
	}
	s->store_error = r;
	s->store_behind = true;
	s->store_corrupt = s->store_corrupt || r == -EUCLEAN;
	loop_timer_set(s->store_timer,
		       s->store_retry_at_ms > now_ms ? s->store_retry_at_ms - now_ms : 0);
}

static void tell_moved(const char *moved_to, size_t rescued)
{
	log_error("store", "the database was corrupt: moved aside, beginning a new one",
		  kv_str("moved_to", moved_to), kv_u64("rescued", rescued));
}

static int open_store(struct server *s)
{
	struct store_found found;
	int r = store_open(s->c->state_dir, clock_unix_ms(), &s->store, &found);
	if (found.moved_aside[0])
		tell_moved(found.moved_aside, found.rescued);
	if (found.migrated_from)
		log_info("store", "schema brought up to date",
			 kv_i64("from_version", found.migrated_from));
	return r;
}

static int discard_store(struct server *s)
{
	char moved[STORE_PATH_MAX];
	store_close(s->store);
	s->store = NULL;
	int r = store_move_aside(s->c->state_dir, clock_unix_ms(), moved);
	if (moved[0])
		tell_moved(moved, 0);
	return r;
}

struct rewriting {
	struct server *s;
	struct store_now now;
};

static int rewrite_one(void *ctx, const struct binding *b)
{
	const struct rewriting *w = (const struct rewriting *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	return store_rewrite_put(w->s->store, &r, w->now);
}

/* Everything anew, by the wall clock of now: what was missed while it did not work is in memory. */
static int catch_up(struct server *s)
{
	struct rewriting w = { s, wall(clock_mono_ms()) };
	int r = store_rewrite_begin(s->store);
	if (r == 0)
		r = dhcp6_server_each(s->dhcp6, rewrite_one, &w);
	int e = store_rewrite_end(s->store, r == 0);
	if (r == 0 && e == 0)
		s->store_offset_ms = offset_of(w.now);
	return r < 0 ? r : e;
}

static void put_routes_right(struct server *s);

static void on_forwarding(void *ctx)
{
	struct server *s = (struct server *)ctx;
	int r = forwarding_go_on(s->forwarding, s->dhcp6);
	if (r < 0) {
		log_error("route", "routes cannot be put right, trying again", kv_errno(r),
			  kv_u64("retry_ms", ROUTES_RETRY_MS));
		put_routes_right(s);
		loop_timer_set(s->forwarding_timer, ROUTES_RETRY_MS);
	} else if (r > 0) {
		loop_timer_set(s->forwarding_timer, 0);
	}
}

/* Begins it; the loop does the rest, piece by piece. */
static void put_routes_right(struct server *s)
{
	int r = forwarding_put_right(s->forwarding, s->dhcp6);
	if (r < 0)
		log_error("route", "routes cannot be put right", kv_errno(r));
	loop_timer_set(s->forwarding_timer, 0);
}

struct loading {
	struct server *s;
	uint64_t now_ms;
	size_t loaded, foreign, taken, over;
};

static int load_one(void *ctx, const struct binding_record *r)
{
	struct loading *l = (struct loading *)ctx;
	int e = dhcp6_server_load(l->s->dhcp6, r, l->now_ms);
	l->loaded += e == 0 || e == -ESTALE;
	l->over += e == -ESTALE;
	l->foreign += e == -ERANGE;
	if (e == -ERANGE) /* its client knows nothing of that yet */
		dhcp6_server_recall(l->s->dhcp6, r, l->now_ms);
	l->taken += e == -EEXIST;
	return e == -ENOMEM ? e : 0;
}

static int load(struct server *s, size_t *ret_changed)
{
	struct loading l = { .s = s, .now_ms = clock_mono_ms() };
	const struct store_now now = wall(l.now_ms);
	struct store_counts counts;
	int r = store_load(s->store, now, load_one, &l, &counts);
	/* Of a damaged one no more is to be had, and what was is in memory. */
	s->store_loaded = r == 0 || r == -EUCLEAN;
	s->store_offset_ms = offset_of(now);
	if (l.loaded || l.foreign || counts.bad || l.taken)
		log_info("store", "bindings loaded", kv_u64("loaded", l.loaded),
			 kv_u64("outside_our_pools", l.foreign), kv_u64("contradictory", l.taken),
			 kv_u64("unreadable", counts.bad));
	if (counts.ahead)
		log_warn("store",
			 "the wall clock was later when these were granted: what is left of their "
			 "time counts from now on",
			 kv_u64("bindings", counts.ahead));
	/* Their rows say other than what we know: the clock went back, or their time was over while
	 * nobody looked. */
	*ret_changed = counts.ahead + l.over;
	return r;
}

static int reopen(struct server *s)
{
	int r = 0;
	if (s->store_corrupt)
		r = discard_store(s);
	if (r == 0) {
		s->store_corrupt = false;
		if (!s->store)
			r = open_store(s);
	}
	/* What it held before we could read it: who has come since then has the older right. */
	if (r == 0 && !s->store_loaded) {
		size_t changed; /* all of them are written anew below */
		r = load(s, &changed);
		put_routes_right(s);
		arm_expiry(s, clock_mono_ms());
	}
	struct duid kept;
	if (r == 0)
		r = store_duid(s->store, &s->duid, &kept);
	if (r == 0)
		r = store_note_put(s->store, STORE_RECONFIGURE_SECRET, s->secret);
	return r < 0 ? r : catch_up(s);
}

static void on_store_retry(void *ctx)
{
	struct server *s = (struct server *)ctx;
	uint64_t begun_ms = clock_mono_ms();
	int r = reopen(s);
	uint64_t now_ms = clock_mono_ms(), took_ms = now_ms - begun_ms;
	uint64_t pause_ms = STORE_RETRY_SHARE * took_ms;
	s->store_retry_at_ms = now_ms + (pause_ms > STORE_RETRY_MS ? pause_ms : STORE_RETRY_MS);
	if (r < 0) {
		/* A database that fails is opened afresh the next time. */
		store_close(s->store);
		s->store = NULL;
		store_broke(s, r, "retry");
		return;
	}
	bool failed = s->store_error != 0;
	s->store_fault[0] = '\0';
	s->store_error = 0;
	s->store_behind = false;
	if (failed)
		log_info("store", "works again, all bindings are stored",
			 kv_str("file", s->store_path));
}

/*
 * Instants are stored by the wall clock. Where that was set, what is stored means something else
 * from now on, and after a restart bindings would be over at once, or last too long: so they are
 * all written anew.
 */
static bool wall_clock_was_set(const struct server *s, struct store_now now)
{
	int64_t moved_ms = offset_of(now) - s->store_offset_ms;
	return moved_ms > CLOCK_SET_MS || moved_ms < -CLOCK_SET_MS;
}

static int follow_clock(struct server *s)
{
	log_info("store", "the wall clock was set, all bindings are stored anew");
	return catch_up(s);
}

static void on_clock_set(void *ctx, int fd)
{
	struct server *s = (struct server *)ctx;
	clock_watch_read(fd);
	if (!s->store || s->store_behind || !wall_clock_was_set(s, wall(clock_mono_ms())))
		return;
	int r = follow_clock(s);
	if (r < 0)
		store_broke(s, r, "clock");
}

static void commit(struct server *s, uint64_t now_ms)
{
	if (s->batch->n_changes == 0 || s->store_behind)
		return;
	struct store_now now = wall(now_ms);
	int r = wall_clock_was_set(s, now) /* the batch's changes are in memory, too */
			? follow_clock(s)
			: store_commit(s->store, s->batch->changes, s->batch->n_changes, now);
	if (r < 0)
		store_broke(s, r, "commit");
}

/* --- commit, route, reply
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
		(void)dhcp6_frames_send(s->p->dhcp6_frames, &s->link_local, s->frames, n_frames,
					NULL);
	if (n)
		(void)dhcp6_sock_send(s->p->dhcp6_sock, s->out, n, NULL);
}

static void carry_out(struct server *s, uint64_t now_ms)
{
	commit(s, now_ms);
	forwarding_install(s->forwarding, s->batch, s->route_failed);
	reply(s);
	log_changes(s, now_ms);
	log_exhausted(s, now_ms);
	batch_reset(s->batch);
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
	carry_out(s, now_ms);
	note_told(s);
	arm_expiry(s, now_ms);
}

static void on_dhcp6(void *ctx, int fd)
{
	(void)fd;
	struct server *s = (struct server *)ctx;
	uint64_t now_ms = clock_mono_ms(), deadline = dhcp6_server_deadline(s->dhcp6);
	for (int round = 0; round < ROUNDS; round++) {
		int n = dhcp6_sock_receive(s->p->dhcp6_sock, s->packets);
		if (n < 0 && ratelimit_allow(&s->log_fault, now_ms, NULL))
			log_warn("dhcp6", "cannot receive", kv_errno(n));
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			s->expected[i] = rd_of(s->packets[i].bytes, s->packets[i].len);
		dhcp6_server_expect(s->dhcp6, s->expected, (size_t)n);
		/* The frames of these packets have been there before them. */
		if (s->p->dhcp6_frames)
			dhcp6_frames_learn(s->p->dhcp6_frames);
		for (int i = 0; i < n; i++) {
			const struct dhcp6_packet *p = &s->packets[i];
			struct pkt_meta meta = { .ifindex = p->ifindex,
						 .src = p->src,
						 .dst = p->dst,
						 .hop_limit = p->hop_limit,
						 .src_port = p->src_port };
			if (p->truncated) {
				s->truncated++;
				continue;
			}
			if (s->p->dhcp6_frames && IN6_IS_ADDR_LINKLOCAL(&p->src) &&
			    dhcp6_frames_sender(s->p->dhcp6_frames, &p->src, meta.lladdr))
				meta.lladdr_len = DHCP6_FRAMES_LLADDR;
			if (batch_full(s->batch))
				carry_out(s, now_ms);
			dhcp6_server_input(s->dhcp6, now_ms, &meta, rd_of(p->bytes, p->len),
					   s->batch);
		}
		carry_out(s, now_ms);
		if (n < DHCP6_SOCK_BATCH)
			break;
		now_ms = clock_mono_ms();
	}
	if (dhcp6_server_deadline(s->dhcp6) != deadline)
		arm_expiry(s, now_ms);
}

/* --- router advertisements
 * ---------------------------------------------------------------------------------- */

static void arm_ra(struct server *s)
{
	uint64_t at = ra_deadline(&s->ra), now_ms = clock_mono_ms();
	if (at == UINT64_MAX || !s->serving)
		loop_timer_stop(s->ra_timer);
	else
		loop_timer_set(s->ra_timer, at > now_ms ? at - now_ms : 0);
}

static void send_ra(struct server *s, uint64_t now_ms)
{
	for (size_t i = 0; i < s->ra_out.n; i++) {
		int r = nd_sock_send(s->p->nd_sock, &s->link_local, &s->ra_out.dst[i],
				     s->ra_out.bytes, s->ra_out.len);
		if (r == 0) {
			s->ra_sent++;
			continue;
		}
		s->ra_failed++;
		if (!IN6_IS_ADDR_MULTICAST(&s->ra_out.dst[i]))
			ra_undeliverable(&s->ra, now_ms);
		if (ratelimit_allow(&s->log_fault, now_ms, NULL))
			log_warn("ra", "an advertisement cannot be sent", kv_errno(r));
	}
	if (s->ra_sent && !s->told_serving) {
		const struct message m = { .type = MESSAGE_SERVING };
		s->told_serving = message_send(s->p->init_fd, &m) == 0;
	}
}

static void on_ra_due(void *ctx)
{
	struct server *s = (struct server *)ctx;
	uint64_t now_ms = clock_mono_ms();
	do {
		ra_tick(&s->ra, now_ms, &s->ra_out);
		send_ra(s, now_ms);
	} while (s->ra_out.n == RA_OUT_MAX);
	arm_ra(s);
}

/* RFC 4861 §6.2.7: another router whose advertisements contradict ours is an error of somebody's,
 * to be told to people. */
static void on_foreign_ra(struct server *s, const struct pkt_meta *meta, const struct nd_packet *p,
			  uint64_t now_ms)
{
	struct nd_ra theirs;
	uint64_t suppressed;
	if (nd_parse_ra(rd_of(p->bytes, p->len), meta, &theirs) != ND_OK ||
	    !ratelimit_allow(&s->log_foreign, now_ms, &suppressed))
		return;
	char src[INET6_ADDRSTRLEN];
	log_info("ra", "another router advertises on the subscriber link",
		 kv_str("router", in6_format(&p->src, src)),
		 kv_u64("lifetime_s", theirs.router_lft_s), kv_u64("prefixes", theirs.n_prefixes),
		 kv_u64("suppressed", suppressed));
}

static void on_nd(void *ctx, int fd)
{
	(void)fd;
	struct server *s = (struct server *)ctx;
	uint64_t now_ms = clock_mono_ms();
	for (int round = 0; round < ROUNDS; round++) {
		int n = nd_sock_receive(s->p->nd_sock, s->nd_packets);
		if (n < 0 && ratelimit_allow(&s->log_fault, now_ms, NULL))
			log_warn("ra", "cannot receive", kv_errno(n));
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			const struct nd_packet *p = &s->nd_packets[i];
			const struct pkt_meta meta = { .ifindex = p->ifindex,
						       .src = p->src,
						       .dst = p->dst,
						       .hop_limit = p->hop_limit };
			struct nd_rs rs;
			if (p->len > 0 && p->bytes[0] == ND_ROUTER_ADVERT) {
				on_foreign_ra(s, &meta, p, now_ms);
				continue;
			}
			s->rs_received++;
			enum nd_verdict v = nd_parse_rs(rd_of(p->bytes, p->len), &meta, &rs);
			if (v != ND_OK || !ra_input(&s->ra, now_ms, &meta, &rs))
				s->rs_dropped++;
			if (v != ND_OK)
				s->nd_drops[v]++;
		}
		if (n < ND_SOCK_BATCH)
			break;
	}
	arm_ra(s);
}

static int init_ra(struct server *s)
{
	const struct config *c = s->c;
	struct ra_config rc = {
		.max_rtr_adv_interval_s = c->ra_max_interval_s,
		.min_rtr_adv_interval_s = c->ra_min_interval_s,
		.uplink_loss = RA_LOSS_HOLD,
		.deprecate_on_stop = c->ra_deprecate_on_stop,
		.adv = {
			.cur_hop_limit = 64,
			.managed = c->ra_managed,
			.other = c->ra_other,
			.preference = c->ra_preference,
			.router_lft_s = c->ra_lifetime_s,
			.mtu = c->wg_mtu,
			.n_prefixes = 1,
			.prefixes = { { .prefix = c->transfer,
					.on_link = true,
					.autonomous = true,
					.valid_lft_s = c->valid_lft_s,
					.preferred_lft_s = c->preferred_lft_s } },
			.n_routes = c->n_ra_routes,
			.n_rdnss = c->n_nameservers,
			/* RFC 8106 §5.1: at least the longest interval, and by default three of them. */
			.rdnss_lft_s = 3U * c->ra_max_interval_s,
			.n_search = c->n_search,
			.dnssl_lft_s = 3U * c->ra_max_interval_s,
			.has_pref64 = c->has_pref64,
			.pref64 = c->pref64,
			/* RFC 8781 §4: 13 bits of units of 8 seconds */
			.pref64_lft_s = 3U * c->ra_max_interval_s > 65528 ? 65528 : (uint16_t)(3U * c->ra_max_interval_s),
		},
	};
	memcpy(rc.adv.routes, c->ra_routes, c->n_ra_routes * sizeof c->ra_routes[0]);
	memcpy(rc.adv.rdnss, c->nameservers, c->n_nameservers * sizeof c->nameservers[0]);
	for (size_t i = 0; i < c->n_search; i++)
		rc.adv.search[i] = c->search[i];
	if (s->p->lladdr_len == 6) {
		rc.adv.has_slla = true;
		memcpy(rc.adv.slla, s->p->lladdr, 6);
	}
	return ra_init(&s->ra, &rc, random32, NULL);
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

static const char *endpoint_text(const struct sockaddr_storage *ss, char buf[static 64])
{
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)ss;
	if (ss->ss_family == AF_INET)
		snprintf(buf, 64, "%s:%u", inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host),
			 ntohs(v4->sin_port));
	else if (ss->ss_family == AF_INET6)
		snprintf(buf, 64, "[%s]:%u", in6_format(&v6->sin6_addr, host),
			 ntohs(v6->sin6_port));
	else
		return NULL;
	return buf;
}

/* What a view's strings and drops stand in. */
struct view_text {
	char own_key[WGKEY_STRLEN], peer_key[WGKEY_STRLEN], address[PREFIX6_STRLEN], endpoint[64],
		ll[INET6_ADDRSTRLEN];
	char transfer[PREFIX6_STRLEN], pool[PREFIX6_STRLEN];
	struct status_drop drops[D6_DROP_COUNT + ND_UNKNOWN_TYPE + 2];
	size_t n_drops;
};

static struct status_view status_view(struct server *s, struct view_text *t)
{
	const struct config *c = s->c;
	const struct dhcp6_stats *st = dhcp6_server_stats(s->dhcp6);
	uint64_t dropped = 0, now_s = clock_unix_ms() / 1000;
	t->n_drops = 0;
	for (int i = 0; i < D6_DROP_COUNT; i++) {
		t->drops[t->n_drops++] = (struct status_drop){ dhcp6_drop_name((enum d6_drop)i),
							       st->drops[i], false };
		dropped += st->drops[i];
	}
	t->drops[t->n_drops++] = (struct status_drop){ "overlong", s->truncated, false };
	for (int i = 1; i <= ND_UNKNOWN_TYPE; i++)
		t->drops[t->n_drops++] = (struct status_drop){ nd_verdict_name((enum nd_verdict)i),
							       s->nd_drops[i], true };
	wgkey_format(c->wg_public_key, t->own_key);
	wgkey_format(c->wg_peer, t->peer_key);
	const struct prefix6 transfer_addr = { s->p->transfer_addr, c->transfer.plen };
	const uint64_t handshake = s->uplink.uplink.handshake_unix_s;
	const uint64_t uptime_s = (clock_mono_ms() - s->p->started_at_ms) / 1000;
	return (struct status_view){
		.instance = c->suffix,
		.version = s->p->version,
		.state = s->serving   ? "serving"
			 : s->carrier ? "starting"
				      : "waiting for the subscriber link",
		.serving = s->serving,
		.start_unix_s = now_s > uptime_s ? now_s - uptime_s : 0,
		.uptime_s = uptime_s,
		.server_restarts = s->p->restarts,
		.tunnel = { .present = s->p->backend != NULL,
			    .name = c->tunnel,
			    .backend = s->p->backend,
			    .state = uplink_state_name(s->uplink.uplink.state),
			    .public_key = t->own_key,
			    .peer = t->peer_key,
			    .endpoint = endpoint_text(&s->uplink.uplink.endpoint, t->endpoint),
			    .address = prefix6_format(&c->wg_address, t->address),
			    .mtu = c->wg_mtu,
			    .handshake_unix_s = handshake,
			    .handshake_age_s =
				    handshake ? (int64_t)(now_s > handshake ? now_s - handshake : 0)
					      : -1,
			    .rx_bytes = s->uplink.uplink.rx_bytes,
			    .tx_bytes = s->uplink.uplink.tx_bytes },
		.subscriber = { .interface = s->p->ifname,
				.mode = s->p->subscriber_mode,
				.link = s->carrier,
				.link_local = in6_format(&s->link_local, t->ll),
				.transfer = prefix6_format(&transfer_addr, t->transfer),
				.nic_missing = s->missing },
		.pools = { { "prefixes", prefix6_format(&c->pd_pool, t->pool), c->pd_len,
			     st->pd.capacity, st->pd.used, st->pd.bound, st->pd.freed,
			     st->pd.declined, st->pd.exhausted },
			   { "addresses", t->transfer, 128, st->na.capacity, st->na.used,
			     st->na.bound, st->na.freed, st->na.declined, st->na.exhausted } },
		.n_pools = c->ia_na ? 2 : 1,
		.counters = { .dhcpv6_received = st->received,
			      .dhcpv6_answered = st->answered,
			      .dhcpv6_dropped = dropped + s->truncated,
			      .rs_received = s->rs_received,
			      .rs_dropped = s->rs_dropped,
			      .ra_sent = s->ra_sent,
			      .ra_failed = s->ra_failed,
			      .routes_failed = forwarding_failures(s->forwarding) },
		.dhcpv6 = st,
		.drops = t->drops,
		.n_drops = t->n_drops,
		.store = { .path = s->store_path,
			   .ok = s->store_fault[0] == '\0',
			   .fault = s->store_fault[0] ? s->store_fault : NULL },
	};
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
	bool healthy = !s->missing && (s->serving || (s->link_known && !s->carrier));
	return json_pack("{s:b, s:s}", "healthy", (int)healthy, "state",
			 s->missing   ? "the subscriber's NIC is gone"
			 : s->serving ? "serving"
			 : s->carrier ? "starting"
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
	int r = s->store && !s->store_behind
			? store_note_put(s->store, STORE_CONFIG_DIGEST, s->digest)
			: 0;
	if (r < 0)
		store_broke(s, r, "configuration's digest");
}

/* Those that were given something under another configuration are to come for what is true now. */
static void tell_of_changes(struct server *s)
{
	uint8_t before[STORE_NOTE_LEN];
	provisioning_digest(s->c, s->digest);
	int r = s->store ? store_note_get(s->store, STORE_CONFIG_DIGEST, before) : -ENODATA;
	bool changed = r == 0 && memcmp(before, s->digest, sizeof before) != 0;
	if (changed)
		(void)dhcp6_server_each(s->dhcp6, recall_any, s); /* never ends early */
	uint64_t n = dhcp6_server_stats(s->dhcp6)->recall.waiting;
	if (n)
		log_info("dhcp6", "the configuration has changed, clients are told to come back",
			 kv_u64("clients", n));
	s->telling = true;
	note_told(s);
}

/* --- clearing
 * -----------------------------------------------------------------------------------------------
 */

struct selector {
	bool all;
	struct prefix6 prefix; /* plen 0: not by prefix */
	struct duid duid;      /* len 0: not by DUID */
};

static bool selected(void *ctx, const struct binding *b)
{
	const struct selector *s = (const struct selector *)ctx;
	const struct prefix6 p = { b->addr, b->plen };
	return s->all || (s->prefix.plen && prefix6_contains(&s->prefix, &p)) ||
	       (s->duid.len && s->duid.len == b->duid_len &&
		memcmp(s->duid.bytes, binding_duid(b), b->duid_len) == 0);
}

static json_t *clear(struct server *s, const char *what)
{
	struct selector which = { .all = strcmp(what, "all") == 0 };
	/* A DUID of eight bytes, as it is listed, is an address as well. */
	bool prefix = prefix6_parse(what, 128, &which.prefix) == 0 && which.prefix.plen;
	bool duid = duid_parse(what, &which.duid) == 0;
	if (!which.all && !prefix && !duid)
		return json_pack("{s:s}", "fault", "is no prefix, no address and no DUID");
	size_t n = remove_bindings(s, selected, &which);
	log_info("control", "bindings cleared", kv_str("which", what), kv_u64("bindings", n));
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
	char line[CONTROL_LINE_MAX] = "";
	const char *clear_word = control_request_word(CONTROL_CLEAR);
	if (setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(conn, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
	    recv(conn, line, sizeof line - 1, 0) <= 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, control_request_word(CONTROL_STATUS)) == 0) {
		const struct message ask = { .type = MESSAGE_UPLINK_ASK };
		(void)message_send(
			s->p->init_fd,
			&ask); /* for the next time: what is known now is at most seconds old */
		answer_json(conn, status_json(s));
	} else if (strcmp(line, control_request_word(CONTROL_HEALTH)) == 0) {
		answer_json(conn, health_json(s));
	} else if (strcmp(line, control_request_word(CONTROL_LEASES)) == 0) {
		answer_leases(s, conn);
	} else if (strncmp(line, clear_word, strlen(clear_word)) == 0 &&
		   line[strlen(clear_word)] == ' ') {
		answer_json(conn, clear(s, line + strlen(clear_word) + 1));
	}
}

/* --- init's messages
 * ---------------------------------------------------------------------------------------- */

static void begin_serving(struct server *s, const struct message *m)
{
	s->link_local = m->serve.link_local;
	dhcp6_server_own(s->dhcp6, &s->link_local);
	if (!s->serving) {
		s->serving = true;
		if (loop_watch_fd(s->loop, dhcp6_sock_fd(s->p->dhcp6_sock), on_dhcp6, s,
				  &s->dhcp6_watch) < 0 ||
		    loop_watch_fd(s->loop, nd_sock_fd(s->p->nd_sock), on_nd, s, &s->nd_watch) < 0) {
			s->exit_code = EX_OSERR;
			loop_stop(s->loop);
			return;
		}
		ra_link_up(&s->ra, clock_mono_ms());
		on_ra_due(s);
	}
}

static void on_link(struct server *s, const struct message *m)
{
	bool was = s->carrier;
	s->carrier = m->link.carrier;
	s->link_known = true;
	s->missing = m->link.missing;
	if (!s->serving)
		return;
	if (s->carrier && !was) {
		/* Whoever took the link down took routes and neighbours with it. */
		put_routes_right(s);
		ra_link_up(&s->ra, clock_mono_ms());
	} else if (!s->carrier && was)
		ra_link_down(&s->ra);
	on_ra_due(s);
}

static void log_summary(struct server *s)
{
	const struct dhcp6_stats *st = dhcp6_server_stats(s->dhcp6);
	log_info("server", "summary", kv_u64("prefixes", st->pd.bound),
		 kv_u64("addresses", st->na.bound), kv_u64("dhcpv6_received", st->received),
		 kv_u64("dhcpv6_answered", st->answered), kv_u64("rs_received", s->rs_received),
		 kv_u64("ra_sent", s->ra_sent),
		 kv_str("uplink", uplink_state_name(s->uplink.uplink.state)),
		 kv_bool("store_ok", s->store_fault[0] == '\0'));
}

static void say_farewell(struct server *s)
{
	if (!s->serving)
		return;
	ra_stop(&s->ra, &s->ra_out);
	send_ra(s, clock_mono_ms());
}

static void follow_link(struct server *s)
{
	dhcp6_server_reachable(s->dhcp6, s->serving && s->carrier);
	arm_expiry(s, clock_mono_ms());
}

static void on_init_message(void *ctx, int fd)
{
	struct server *s = (struct server *)ctx;
	struct message m;
	int r;
	while ((r = message_recv(fd, &m)) == 0) {
		switch (m.type) {
		case MESSAGE_SERVE:
			begin_serving(s, &m);
			follow_link(s);
			break;
		case MESSAGE_LINK:
			on_link(s, &m);
			follow_link(s);
			break;
		case MESSAGE_UPLINK:
			s->uplink = m;
			break;
		case MESSAGE_ANNOUNCE:
			if (provisioning_reserve(s->c, s->dhcp6, true) == 0)
				follow_reservations(s);
			else
				log_error("reservations",
					  "what was reserved before stays so until the faults are "
					  "mended and SIGHUP comes again");
			if (s->serving && s->carrier) {
				ra_link_up(&s->ra, clock_mono_ms());
				on_ra_due(s);
			}
			break;
		case MESSAGE_SUMMARY:
			log_summary(s);
			break;
		case MESSAGE_STOP:
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

static int fresh_duid(struct duid *ret_duid)
{
	uint8_t uuid[16];
	if (getrandom(uuid, sizeof uuid, 0) != (ssize_t)sizeof uuid)
		return -EAGAIN;
	*ret_duid = duid_from_uuid(uuid);
	return 0;
}

/* A secret that nobody kept is as good as another: clients learn their keys anew with their next
 * answer. */
static int reconfigure_secret(struct server *s, uint8_t ret_secret[static STORE_NOTE_LEN])
{
	int r = s->store ? store_note_get(s->store, STORE_RECONFIGURE_SECRET, ret_secret)
			 : -ENODATA;
	if (r == 0)
		return 0;
	if (getrandom(ret_secret, STORE_NOTE_LEN, 0) != STORE_NOTE_LEN)
		return -EAGAIN;
	if (s->store) {
		r = store_note_put(s->store, STORE_RECONFIGURE_SECRET, ret_secret);
		if (r < 0)
			store_broke(s, r, "reconfigure secret");
	}
	return 0;
}
static_assert((int)STORE_NOTE_LEN == (int)D6_RECONFIGURE_SECRET_LEN &&
		      (int)STORE_NOTE_LEN == (int)PROVISIONING_DIGEST_LEN,
	      "a note is none of what it is to hold");

static int init_dhcp6(struct server *s)
{
	const struct config *c = s->c;
	struct dhcp6_config d = {
		.transfer = c->transfer,
		.own_addr = s->p->transfer_addr,
		.pd_pool = c->pd_pool,
		.pd_len = c->pd_len,
		.pd_min_len = c->pd_min_len,
		.pd_max_len = c->pd_max_len,
		.pd_exclude_len = c->pd_exclude_len,
		.pd_exclude_subnet = c->pd_exclude_subnet,
		.preferred_lft_s = c->preferred_lft_s,
		.valid_lft_s = c->valid_lft_s,
		.ia_na = c->ia_na,
		.rapid_commit = c->rapid_commit,
		.n_nameservers = c->n_nameservers,
		.n_search = c->n_search,
		.max_bindings_per_client = c->client_limit,
		.reconfigure = c->reconfigure,
		.replay_base = clock_unix_ms() - clock_mono_ms(),
	};
	struct duid fresh;
	int r = fresh_duid(&fresh);
	if (r == 0 && getrandom(d.table_key, sizeof d.table_key, 0) != (ssize_t)sizeof d.table_key)
		r = -EAGAIN;
	if (r < 0)
		return r;
	s->duid = fresh;
	if (s->store) {
		r = store_duid(s->store, &fresh, &s->duid);
		if (r < 0)
			store_broke(s, r, "server DUID");
	}
	r = reconfigure_secret(s, s->secret);
	if (r < 0)
		return r;
	memcpy(d.reconfigure_secret, s->secret, sizeof d.reconfigure_secret);
	d.server_id = s->duid;
	memcpy(d.pool_key, s->p->pool_key, sizeof d.pool_key);
	memcpy(d.nameservers, c->nameservers, c->n_nameservers * sizeof d.nameservers[0]);
	for (size_t i = 0; i < c->n_search; i++)
		d.search[i] = c->search[i];
	d.n_extra = config_options_list(c, D6_MAX_EXTRA_OPTIONS, d.extra);
	return dhcp6_server_new(&d, &s->dhcp6);
}

static int init_forwarding(struct server *s)
{
	uint8_t key[16];
	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EAGAIN;
	return forwarding_new(s->p->ifindex, s->p->nft_table, key, &s->forwarding);
}

static int init_loop(struct server *s)
{
	int r = loop_new(false, &s->loop);
	if (r == 0)
		r = loop_timer_new(s->loop, on_expiry, s, &s->expiry_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_ra_due, s, &s->ra_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_store_retry, s, &s->store_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_forwarding, s, &s->forwarding_timer);
	if (r == 0)
		r = clock_watch_new(&s->clock_fd);
	if (r == 0)
		r = loop_watch_fd(s->loop, s->clock_fd, on_clock_set, s, &s->clock_watch);
	return r;
}

static int start(struct server *s)
{
	int r = init_loop(s);
	if (r == 0)
		r = batch_new(&s->batch);
	if (r == 0)
		r = init_forwarding(s);
	if (r == 0)
		r = init_ra(s);
	if (r < 0)
		return r;
	r = open_store(s);
	if (r < 0)
		store_broke(s, r, "open");
	r = init_dhcp6(s);
	if (r < 0)
		return r;
	r = provisioning_reserve(s->c, s->dhcp6, false);
	if (r < 0)
		return r;
	if (s->store) {
		size_t changed;
		r = load(s, &changed);
		if (r == 0 && changed)
			r = catch_up(s);
		if (r < 0)
			store_broke(s, r, "load");
	}
	(void)dhcp6_server_each(s->dhcp6, recall_astray, s); /* never ends early */
	tell_of_changes(s);
	put_routes_right(s);
	r = priv_drop_to_net_admin();
	if (r < 0)
		return r;
	r = loop_watch_fd(s->loop, s->p->init_fd, on_init_message, s, &s->init_watch);
	if (r == 0)
		r = loop_watch_fd(s->loop, s->p->control_fd, on_control, s, &s->control_watch);
	if (r == 0 && s->p->metrics_fd >= 0)
		r = metrics_new(s->loop, s->p->metrics_fd, metrics_page, s, &s->metrics);
	arm_expiry(s, clock_mono_ms());
	const struct message ready = { .type = MESSAGE_READY };
	return r < 0 ? r : message_send(s->p->init_fd, &ready);
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
	s->link_local = p->config->link_local;
	snprintf(s->store_path, sizeof s->store_path, "%s/leases.db", s->c->state_dir);
	s->log_bound = (struct ratelimit){ .per_s = 20, .burst = 100 };
	s->log_fault = (struct ratelimit){ .per_s = 1, .burst = 10 };
	s->log_foreign = (struct ratelimit){ .per_s = 1, .burst = 1 };
	for (size_t i = 0; i < ARRAY_LEN(s->log_exhausted); i++)
		s->log_exhausted[i] = (struct ratelimit){ .per_s = 1, .burst = 1 };
	int r = start(s);
	if (r == 0)
		loop_run(s->loop);
	else
		log_error("server", "cannot start", kv_errno(r));
	metrics_free(s->metrics);
	store_close(s->store);
	forwarding_free(s->forwarding);
	batch_free(s->batch);
	dhcp6_server_free(s->dhcp6);
	return r < 0 ? EX_SOFTWARE : s->exit_code;
}
