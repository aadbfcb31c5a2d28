/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dns_names.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/dns.h"
#include "engine/names.h"
#include "host/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum {
	FIRST_MS = 100,   /* from a change to its writing, where there was none for long */
	PAUSE_MS = 1000,  /* between two rounds of writing, at least */
	PAUSE_SHARE = 20, /* of the time at most goes into writing: one in so many */
	RETRY_MS = 60000, /* what cannot be written is tried again, or with the next change */
	PATH_SIZE = CONFIG_PATH_MAX + 32,
	LINES_MAX = 16 << 20, /* bytes of one of 64 files */
};

struct dns_names {
	struct names *names;
	const char *zone;
	char order_dir[CONFIG_PATH_MAX + 8]; /* STATE_DIR/names */
	struct loop_timer *timer;
	struct names_changes to_write; /* shards of this round */
	struct names_changes failed;   /* those of the last that could not be written */
	bool armed;                    /* a round is to come, or under way */
	bool in_round;
	uint64_t spent_ms, not_before_ms;
	int round_error, error; /* of this round; the last that was told */
};

/* --- reading what was
 * ---------------------------------------------------------------------------------------------- */

static void shard_path(char path[static PATH_SIZE], const char *dir, unsigned shard,
		       const char *suffix)
{
	snprintf(path, PATH_SIZE, "%s/%02u%s", dir, shard, suffix);
}

/* What is no file, or far longer than we make them, is passed over: so is who was in line there. */
static FILE *open_lines(const char *path)
{
	struct stat st;
	AUTO_CLOSE int fd = file_open(path, O_RDONLY);
	int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && st.st_size > LINES_MAX)
		r = -EFBIG;
	FILE *f = r == 0 ? fdopen(fd, "r") : NULL;
	if (f)
		(void)take_fd(&fd); /* it is f's now */
	else if (r != -ENOENT)
		log_warn("dns",
			 "who was in line for names cannot be read, they go to who asks first",
			 kv_str("file", path), kv_str("why", r < 0 ? file_why(r) : "no memory"));
	return f;
}

/* Lines of "ADDRESS NAME"; others are passed over. */
static void remember(struct dns_names *n)
{
	char path[PATH_SIZE], line[INET6_ADDRSTRLEN + NAME_STRLEN + 8];
	for (unsigned s = 0; s < NAMES_SHARDS; s++) {
		shard_path(path, n->order_dir, s, "");
		FILE *f = open_lines(path);
		if (!f)
			continue;
		while (fgets(line, sizeof line, f))
			(void)names_remember_line(n->names, line); /* or it comes anew */
		(void)fclose(f);                                   /* read only */
	}
}

/* --- writing what is
 * ---------------------------------------------------------------------------------------------- */

struct writing {
	const char *zone; /* what stands behind names; NULL: nothing */
	FILE *f;
	size_t n;
};

static int write_line(void *ctx, const struct in6_addr *addr, const char *name)
{
	struct writing *w = (struct writing *)ctx;
	char text[INET6_ADDRSTRLEN];
	/* ferror() tells in the end. */
	(void)fprintf(w->f, "%s %s%s%s\n", in6_format(addr, text), name, w->zone ? "." : "",
		      w->zone ? w->zone : "");
	w->n++;
	return 0;
}

static int create(const char *path, FILE **ret_f)
{
	AUTO_CLOSE int fd = file_create(path);
	if (fd < 0)
		return fd;
	FILE *f = fdopen(fd, "w");
	if (!f)
		return -errno;
	(void)take_fd(&fd); /* it is f's now */
	*ret_f = f;
	return 0;
}

/* Nobody ever reads half a file: it gets its name when it is whole, or goes where it would be
 * empty. */
static int finish(FILE *f, const char *part, const char *path, bool empty)
{
	bool failed = ferror(f) || fchmod(fileno(f), 0644) < 0;
	if (fclose(f) != 0 || failed)
		return -EIO;
	if (empty)
		return unlink(part) < 0 || (unlink(path) < 0 && errno != ENOENT) ? -errno : 0;
	return rename(part, path) < 0 ? -errno : 0;
}

/* Parts are written beside the folder that dnsmasq watches. */
static int write_having(const struct dns_names *n, unsigned shard)
{
	static const char part[] = DNS_DIRECTORY "/part";
	char path[PATH_SIZE];
	shard_path(path, DNS_NAMES, shard, "");
	struct writing w = { .zone = n->zone };
	int r = create(part, &w.f);
	if (r < 0)
		return r;
	(void)names_having(n->names, shard, write_line, &w); /* never ends early */
	return finish(w.f, part, path, w.n == 0);
}

static int write_lines(const struct dns_names *n, unsigned shard)
{
	char part[PATH_SIZE], path[PATH_SIZE];
	shard_path(part, n->order_dir, shard, "~");
	shard_path(path, n->order_dir, shard, "");
	struct writing w = { 0 };
	int r = create(part, &w.f);
	if (r < 0)
		return r;
	(void)names_lines(n->names, shard, write_line, &w); /* never ends early */
	return finish(w.f, part, path, w.n == 0);
}

static void arm(struct dns_names *n, uint64_t now_ms)
{
	uint64_t at = now_ms + FIRST_MS;
	if (at < n->not_before_ms)
		at = n->not_before_ms;
	n->armed = true;
	loop_timer_set(n->timer, at - now_ms);
}

static void tell(struct dns_names *n, int r)
{
	if (r != n->error && r < 0)
		log_error("dns", "names cannot be written, trying again", kv_errno(r),
			  kv_str("resolver", DNS_NAMES), kv_str("order", n->order_dir));
	else if (r != n->error)
		log_info("dns", "names are written again");
	n->error = r;
}

static void begin_round(struct dns_names *n)
{
	const struct names_changes changed = names_changed(n->names);
	n->to_write.having |= changed.having | n->failed.having;
	n->to_write.lines |= changed.lines | n->failed.lines;
	n->failed = (struct names_changes){ 0 };
	n->round_error = 0;
	n->spent_ms = 0;
	n->in_round = true;
}

static void write_next(struct dns_names *n, uint64_t *to_write, uint64_t *failed,
		       int (*write)(const struct dns_names *n, unsigned shard))
{
	unsigned shard = (unsigned)__builtin_ctzll(*to_write);
	int r = write(n, shard);
	*to_write &= ~(1ULL << shard);
	if (r == 0)
		return;
	*failed |= 1ULL << shard;
	n->round_error = r;
}

static void end_round(struct dns_names *n, uint64_t now_ms)
{
	uint64_t pause_ms = PAUSE_SHARE * n->spent_ms;
	n->not_before_ms = now_ms + (pause_ms > PAUSE_MS ? pause_ms : PAUSE_MS);
	n->in_round = n->armed = false;
	tell(n, n->round_error);
	if (names_pending(n->names))
		arm(n, now_ms);
	else if (n->failed.having || n->failed.lines)
		loop_timer_set(n->timer, RETRY_MS);
}

/* One shard, then whoever else has something to do. What changes meanwhile is for another round, or
 * this one might never end. */
static void on_timer(void *ctx)
{
	struct dns_names *n = (struct dns_names *)ctx;
	uint64_t begun_ms = clock_mono_ms();
	if (!n->in_round)
		begin_round(n);
	/* What is resolved goes first. */
	if (n->to_write.having)
		write_next(n, &n->to_write.having, &n->failed.having, write_having);
	else if (n->to_write.lines)
		write_next(n, &n->to_write.lines, &n->failed.lines, write_lines);
	uint64_t now_ms = clock_mono_ms();
	n->spent_ms += now_ms - begun_ms;
	if (n->to_write.having || n->to_write.lines)
		loop_timer_set(n->timer, 0);
	else
		end_round(n, now_ms);
}

/* --- following
 * ---------------------------------------------------------------------------------------------- */

int dns_names_new(struct loop *loop, const char *zone, const char *state_dir,
		  struct dns_names **ret_names)
{
	uint8_t key[16];
	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EAGAIN;
	struct dns_names *n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	n->zone = zone;
	/* What another run left for the resolver is not true any more. */
	n->to_write.having = n->to_write.lines = UINT64_MAX;
	snprintf(n->order_dir, sizeof n->order_dir, "%s/names", state_dir);
	int r = names_new(zone, key, &n->names);
	if (r == 0)
		r = loop_timer_new(loop, on_timer, n, &n->timer);
	if (r < 0) {
		dns_names_free(n);
		return r;
	}
	r = dns_make_folders();
	if (r < 0)
		log_debug("dns", "no folder for the resolver's names", kv_errno(r));
	if (mkdir(n->order_dir, 0755) < 0 && errno != EEXIST)
		log_debug("dns", "no folder for the order of names", kv_errno(errno));
	remember(n);
	*ret_names = n;
	return 0;
}

void dns_names_free(struct dns_names *n)
{
	if (!n)
		return;
	loop_timer_free(n->timer);
	names_free(n->names);
	free(n);
}

static int follow_one(void *ctx, const struct binding *b)
{
	struct dns_names *n = (struct dns_names *)ctx;
	struct binding_record r;
	binding_to_record(b, &r);
	(void)names_follow(n->names, &r, false); /* where there is no memory it has no name */
	return 0;
}

void dns_names_load(struct dns_names *n, const struct dhcp6_server *dhcp6)
{
	if (!n)
		return;
	(void)dhcp6_server_each(dhcp6, follow_one, n); /* never ends early */
	names_settle(n->names);
	if (!n->armed)
		arm(n, clock_mono_ms());
}

void dns_names_follow(struct dns_names *n, const struct batch *b)
{
	if (!n)
		return;
	for (size_t i = 0; i < b->n_changes; i++)
		/* Where there is no memory it has no name until its client renews. */
		(void)names_follow(n->names, &b->changes[i].record, b->changes[i].erase);
	if (!n->armed && names_pending(n->names))
		arm(n, clock_mono_ms());
}

size_t dns_names_given(const struct dns_names *n)
{
	return n ? names_given(n->names) : 0;
}

size_t dns_names_waiting(const struct dns_names *n)
{
	return n ? names_waiting(n->names) : 0;
}
