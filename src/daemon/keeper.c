/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "host/clock_watch.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	RETRY_MS = 5000,  /* between two attempts to write again what could not be written */
	RETRY_SHARE = 20, /* of the time at most goes into attempts: one in so many */
	REMIND_MS = 600000,
	IDLE_MS = 50,        /* without a commit, after which none is likely to come at once */
	CLOCK_SET_MS = 2000, /* the wall clock was set where it moves more against the monotonic */
	LOOK_MS = 1000,      /* between looks for whether the file is still there, with commits */
	LOOK_IDLE_MS = 5000, /* and where nobody comes */
	FAULT_MAX = 256,
	OWED_MS = 20, /* after the start's last note, if no commit has taken them along by then */
};

struct keeper {
	const char *state_dir;
	void (*on_loaded)(void *ctx);
	void *ctx;
	struct loop_timer *retry_timer, *owed_timer, *idle_timer, *look_timer;
	struct loop_watch *clock_watch;
	int clock_fd; /* readable when the wall clock was set */

	struct dhcp6_server *dhcp6;
	struct duid duid;
	uint8_t secret[STORE_NOTE_LEN];
	uint8_t replay[STORE_NOTE_LEN]; /* of this run; zeros: none is needed */

	struct store *store;
	char path[STORE_PATH_MAX];
	char fault[FAULT_MAX]; /* "" where it works */
	int error;
	bool behind; /* commits were missed: everything is written anew when it works again */
	bool loaded; /* what it held is in memory */
	bool corrupt;
	bool ending;
	bool unchecked; /* it was taken for sound when it was opened */
	uint64_t retry_at_ms, told_at_ms, looked_at_ms;
	int64_t offset_ms; /* of the wall clock from the monotonic one, as it is in the store */
};

static struct store_now wall(uint64_t now_ms)
{
	return (struct store_now){ .mono_ms = now_ms, .unix_ms = clock_unix_ms() };
}

static int64_t offset_of(struct store_now now)
{
	return (int64_t)(now.unix_ms - now.mono_ms);
}

static const char *advice_on(int r)
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
	case ESTALE:
		return "somebody has deleted or moved it: another one is written";
	case ENOLINK:
		return "it is a symbolic link to what is not there: mount that, or remove the link";
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
static void broke(struct keeper *k, int r, const char *what)
{
	uint64_t now_ms = clock_mono_ms();
	const char *reason = r == -ENOTSUP   ? "of a later version"
			     : r == -EUCLEAN ? "corrupt"
					     : strerror(-r);
	snprintf(k->fault, sizeof k->fault, "%s: %s; %s", what, reason, advice_on(r));
	if (r != k->error || now_ms - k->told_at_ms >= REMIND_MS) {
		k->told_at_ms = now_ms;
		log_error("store",
			  "bindings cannot be stored, going on from memory: a restart would lose "
			  "what is granted now",
			  kv_str("file", k->path), kv_str("what", what), kv_str("error", reason),
			  kv_str("advice", advice_on(r)));
	}
	k->error = r;
	k->behind = true;
	k->corrupt = k->corrupt || r == -EUCLEAN;
	loop_timer_set(k->retry_timer, k->retry_at_ms > now_ms ? k->retry_at_ms - now_ms : 0);
}

static void tell_moved(const char *moved_to, size_t rescued)
{
	log_error("store", "the database was corrupt: moved aside, beginning a new one",
		  kv_str("moved_to", moved_to), kv_u64("rescued", rescued));
}

/* Soon: a start's first answers come before it waits for the disk. */
static void owe(struct keeper *k)
{
	loop_timer_set(k->owed_timer, OWED_MS);
}

void keeper_settle(struct keeper *k)
{
	if (!k->store || k->behind || !store_owes(k->store))
		return;
	int r = store_commit(k->store, NULL, 0, wall(clock_mono_ms()));
	if (r < 0)
		broke(k, r, "notes");
}

static void on_owed(void *ctx)
{
	keeper_settle((struct keeper *)ctx);
}

static int open_store(struct keeper *k, bool sound)
{
	struct store_found found;
	int r = store_open(k->state_dir, clock_unix_ms(), sound, &k->store, &found);
	if (found.adopted)
		log_warn("store",
			 "an earlier start was killed while it replaced a corrupt database: going "
			 "on with what it had rescued",
			 kv_str("file", k->path));
	if (found.moved_aside[0])
		tell_moved(found.moved_aside, found.rescued);
	if (found.migrated_from)
		log_info("store", "schema brought up to date",
			 kv_i64("from_version", found.migrated_from));
	return r;
}

static int discard_store(struct keeper *k)
{
	char moved[STORE_PATH_MAX];
	store_close(k->store);
	k->store = NULL;
	int r = store_move_aside(k->state_dir, clock_unix_ms(), moved);
	if (moved[0])
		tell_moved(moved, 0);
	return r;
}

struct rewriting {
	struct keeper *k;
	struct store_now now;
};

static int rewrite_one(void *ctx, const struct binding *b)
{
	const struct rewriting *w = (const struct rewriting *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	return store_rewrite_put(w->k->store, &r, w->now);
}

/* Everything anew, by the wall clock of now: what was missed while it did not work is in memory. */
static int catch_up(struct keeper *k)
{
	struct rewriting w = { k, wall(clock_mono_ms()) };
	int r = store_rewrite_begin(k->store);
	if (r == 0)
		r = dhcp6_server_each(k->dhcp6, rewrite_one, &w);
	int e = store_rewrite_end(k->store, r == 0);
	if (r == 0 && e == 0)
		k->offset_ms = offset_of(w.now);
	return r < 0 ? r : e;
}

struct loading {
	struct keeper *k;
	uint64_t now_ms;
	size_t loaded, foreign, taken, changed;
};

static int load_one(void *ctx, const struct binding_record *r)
{
	struct loading *l = (struct loading *)ctx;
	int e = dhcp6_server_load(l->k->dhcp6, r, l->now_ms);
	l->loaded += e >= 0 || e == -ESTALE;
	l->changed += e > 0 || e == -ESTALE || (e == -ERANGE && r->number);
	l->foreign += e == -ERANGE;
	if (e == -ERANGE) /* its client knows nothing of that yet */
		dhcp6_server_recall(l->k->dhcp6, r, l->now_ms);
	l->taken += e == -EEXIST;
	return e == -ENOMEM   ? e
	       : e == -ERANGE ? STORE_FOREIGN
	       : e == -EEXIST ? STORE_REFUSED
			      : STORE_TAKEN;
}

static int load(struct keeper *k, size_t *ret_changed)
{
	struct loading l = { .k = k, .now_ms = clock_mono_ms() };
	const struct store_now now = wall(l.now_ms);
	struct store_counts counts;
	dhcp6_server_load_begin(k->dhcp6, store_expects(k->store));
	int r = store_load(k->store, now, load_one, &l, &counts);
	dhcp6_server_load_end(k->dhcp6);
	/* Of a damaged one no more is to be had, and what was is in memory. */
	k->loaded = r == 0 || r == -EUCLEAN;
	k->offset_ms = offset_of(now);
	if (l.loaded || l.foreign || counts.bad || l.taken)
		log_info("store", "bindings loaded", kv_u64("loaded", l.loaded),
			 kv_u64("outside_our_pools", l.foreign), kv_u64("contradictory", l.taken),
			 kv_u64("unreadable", counts.bad));
	if (counts.ahead)
		log_warn("store",
			 "the wall clock was later when these were granted: what is left of their "
			 "time counts from now on",
			 kv_u64("bindings", counts.ahead));
	/* Their rows say other than what we know: the clock went back, their time was over while
	 * nobody looked, they stand under another number now, or are to be set aside. */
	*ret_changed = counts.ahead + l.changed;
	return r;
}

static int reopen(struct keeper *k)
{
	int r = 0;
	if (k->corrupt)
		r = discard_store(k);
	if (r == 0) {
		k->corrupt = false;
		if (!k->store)
			r = open_store(k, false);
	}
	/* What it held before we could read it: who has come since then has the older right. */
	if (r == 0 && !k->loaded) {
		size_t changed; /* all of them are written anew below */
		r = load(k, &changed);
		if (!k->ending)
			k->on_loaded(k->ctx);
	}
	/* Clients know us by the one that we have used since, and would not find us under another
	 * after a restart. */
	if (r < 0)
		return r;
	static const uint8_t none[STORE_NOTE_LEN];
	store_duid_put(k->store, &k->duid);
	store_note_put(k->store, STORE_RECONFIGURE_SECRET, k->secret);
	if (memcmp(k->replay, none, sizeof none) != 0)
		store_note_put(k->store, STORE_REPLAY, k->replay);
	return catch_up(k);
}

static void on_retry(void *ctx)
{
	struct keeper *k = (struct keeper *)ctx;
	uint64_t begun_ms = clock_mono_ms();
	int r = reopen(k);
	uint64_t now_ms = clock_mono_ms(), took_ms = now_ms - begun_ms;
	uint64_t pause_ms = RETRY_SHARE * took_ms;
	k->retry_at_ms = now_ms + (pause_ms > RETRY_MS ? pause_ms : RETRY_MS);
	if (r < 0) {
		/* A database that fails is opened afresh the next time. */
		store_close(k->store);
		k->store = NULL;
		broke(k, r, "retry");
		return;
	}
	bool failed = k->error != 0;
	k->fault[0] = '\0';
	k->error = 0;
	k->behind = false;
	if (failed)
		log_info("store", "works again, all bindings are stored", kv_str("file", k->path));
}

/*
 * Instants are stored by the wall clock. Where that was set, what is stored means something else
 * from now on, and after a restart bindings would be over at once, or last too long: so they are
 * all written anew.
 */
static bool wall_clock_was_set(const struct keeper *k, struct store_now now)
{
	int64_t moved_ms = offset_of(now) - k->offset_ms;
	return moved_ms > CLOCK_SET_MS || moved_ms < -CLOCK_SET_MS;
}

static int follow_clock(struct keeper *k)
{
	log_info("store", "the wall clock was set, all bindings are stored anew");
	return catch_up(k);
}

static void on_clock_set(void *ctx, int fd)
{
	struct keeper *k = (struct keeper *)ctx;
	clock_watch_read(fd);
	if (!k->store || k->behind || !wall_clock_was_set(k, wall(clock_mono_ms())))
		return;
	int r = follow_clock(k);
	if (r < 0)
		broke(k, r, "clock");
}

static void on_idle(void *ctx)
{
	struct keeper *k = (struct keeper *)ctx;
	if (k->store)
		store_tidy(k->store, true);
}

/* It would be written to as ever, and be gone with the last who has it open. */
static bool is_gone(struct keeper *k)
{
	k->looked_at_ms = clock_mono_ms();
	return k->store && !k->behind && store_moved(k->store);
}

static void let_go(struct keeper *k)
{
	store_close(k->store);
	k->store = NULL;
	broke(k, -ESTALE, "file");
}

static void on_look(void *ctx)
{
	struct keeper *k = (struct keeper *)ctx;
	if (is_gone(k))
		let_go(k);
	loop_timer_set(k->look_timer, LOOK_IDLE_MS);
}

/* What is not on the disk now is in no memory afterwards. */
static void store_the_rest(struct keeper *k)
{
	k->ending = true;
	if (is_gone(k)) {
		log_warn("store",
			 "somebody has deleted or moved the database: all bindings are written "
			 "anew before the end",
			 kv_str("file", k->path));
		store_close(k->store);
		k->store = NULL;
		k->behind = true;
	} else {
		keeper_settle(k);
	}
	if (!k->behind || !k->dhcp6)
		return;
	int r = reopen(k);
	if (r < 0)
		log_error("store",
			  "the bindings could not be stored before the end: what was granted since "
			  "they could is lost",
			  kv_str("file", k->path), kv_errno(r), kv_str("advice", advice_on(r)));
	else
		log_info("store", "all bindings are stored", kv_str("file", k->path));
}

int keeper_new(struct loop *loop, const char *state_dir, void (*on_loaded)(void *ctx), void *ctx,
	       struct keeper **ret_keeper)
{
	struct keeper *k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	k->state_dir = state_dir;
	k->on_loaded = on_loaded;
	k->ctx = ctx;
	k->clock_fd = -1;
	snprintf(k->path, sizeof k->path, "%s/leases.db", state_dir);
	int r = loop_timer_new(loop, on_retry, k, &k->retry_timer);
	if (r == 0)
		r = loop_timer_new(loop, on_owed, k, &k->owed_timer);
	if (r == 0)
		r = loop_timer_new(loop, on_idle, k, &k->idle_timer);
	if (r == 0)
		r = loop_timer_new(loop, on_look, k, &k->look_timer);
	if (r == 0)
		r = clock_watch_new(&k->clock_fd);
	if (r == 0)
		r = loop_watch_fd(loop, k->clock_fd, on_clock_set, k, &k->clock_watch);
	if (r < 0) {
		keeper_free(k);
		return r;
	}
	*ret_keeper = k;
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	store_the_rest(k);
	loop_unwatch(k->clock_watch);
	loop_timer_free(k->retry_timer);
	loop_timer_free(k->owed_timer);
	loop_timer_free(k->idle_timer);
	loop_timer_free(k->look_timer);
	if (k->clock_fd >= 0)
		close(k->clock_fd);
	store_close(k->store);
	free(k);
}

void keeper_open(struct keeper *k, bool sound)
{
	k->unchecked = sound;
	int r = open_store(k, sound);
	if (r < 0)
		broke(k, r, "open");
	loop_timer_set(k->look_timer, LOOK_IDLE_MS);
}

void keeper_duid(struct keeper *k, const struct duid *fresh, struct duid *ret_duid)
{
	k->duid = *fresh;
	int r = k->store ? store_duid(k->store, fresh, &k->duid) : 0;
	if (r < 0)
		broke(k, r, "server DUID");
	owe(k);
	*ret_duid = k->duid;
}

int keeper_secret(struct keeper *k, uint8_t ret_secret[static STORE_NOTE_LEN])
{
	if (!k->store || store_note_get(k->store, STORE_RECONFIGURE_SECRET, k->secret) < 0) {
		if (getrandom(k->secret, sizeof k->secret, 0) != (ssize_t)sizeof k->secret)
			return -EAGAIN;
		if (k->store)
			store_note_put(k->store, STORE_RECONFIGURE_SECRET, k->secret);
		owe(k);
	}
	memcpy(ret_secret, k->secret, sizeof k->secret);
	return 0;
}

/* A run takes this many values at once, so that it writes but once: a millisecond each, 34 years.
 */
static const uint64_t REPLAYS_A_RUN = UINT64_C(1) << 40;

uint64_t keeper_replay_base(struct keeper *k, uint64_t now_ms)
{
	uint8_t note[STORE_NOTE_LEN] = { 0 };
	uint64_t first = clock_unix_ms(), kept;
	int r = k->store ? store_note_get(k->store, STORE_REPLAY, note) : -ENODATA;
	memcpy(&kept, note, sizeof kept);
	if (r == 0 && be64toh(kept) > first)
		first = be64toh(kept);
	kept = htobe64(first + REPLAYS_A_RUN);
	memcpy(k->replay, &kept, sizeof kept);
	if (k->store)
		store_note_put(k->store, STORE_REPLAY, k->replay);
	owe(k);
	return first - now_ms;
}

static bool note_of(struct keeper *k, enum store_note which,
		    uint8_t ret_note[static STORE_NOTE_LEN])
{
	return k->store && store_note_get(k->store, which, ret_note) == 0;
}

static void put_note(struct keeper *k, enum store_note which,
		     const uint8_t note[static STORE_NOTE_LEN])
{
	uint8_t kept[STORE_NOTE_LEN];
	if (!k->store || k->behind ||
	    (note_of(k, which, kept) && memcmp(kept, note, sizeof kept) == 0))
		return;
	store_note_put(k->store, which, note);
	owe(k);
}

bool keeper_digest(struct keeper *k, uint8_t ret_digest[static STORE_NOTE_LEN])
{
	return note_of(k, STORE_CONFIG_DIGEST, ret_digest);
}

void keeper_put_digest(struct keeper *k, const uint8_t digest[static STORE_NOTE_LEN])
{
	put_note(k, STORE_CONFIG_DIGEST, digest);
}

bool keeper_advertised(struct keeper *k, uint8_t ret_note[static STORE_NOTE_LEN])
{
	return note_of(k, STORE_ADVERTISED, ret_note);
}

void keeper_put_advertised(struct keeper *k, const uint8_t note[static STORE_NOTE_LEN])
{
	put_note(k, STORE_ADVERTISED, note);
	keeper_settle(k); /* it is advertised next, and never again for something else */
}

int keeper_load(struct keeper *k, struct dhcp6_server *dhcp6)
{
	size_t changed = 0;
	k->dhcp6 = dhcp6;
	if (!k->store)
		return 0;
	int r = load(k, &changed);
	if (r == -EUCLEAN && k->unchecked) {
		k->dhcp6 = NULL; /* what it has is not all there is, and not to be written */
		return r;
	}
	if (r == 0 && changed)
		r = catch_up(k);
	if (r < 0)
		broke(k, r, "load");
	return 0;
}

void keeper_commit(struct keeper *k, const struct batch *b, uint64_t now_ms)
{
	if (b->n_changes == 0 || k->behind)
		return;
	struct store_now now = wall(now_ms);
	int r = wall_clock_was_set(k, now) /* the batch's changes are in memory, too */
			? follow_clock(k)
			: store_commit(k->store, b->changes, b->n_changes, now);
	if (r < 0)
		broke(k, r, "commit");
}

void keeper_tidy(struct keeper *k)
{
	if (!k->store)
		return;
	if (clock_mono_ms() - k->looked_at_ms >= LOOK_MS && is_gone(k)) {
		let_go(k);
		return;
	}
	store_tidy(k->store, false);
	if (store_untidy(k->store))
		loop_timer_set(k->idle_timer, IDLE_MS);
}

const char *keeper_path(const struct keeper *k)
{
	return k->path;
}

const char *keeper_fault(const struct keeper *k)
{
	return k->fault[0] ? k->fault : NULL;
}
