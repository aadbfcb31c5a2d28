/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dns_names.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/dns.h"
#include "engine/names.h"

#include <arpa/inet.h>
#include <errno.h>
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
};

struct dns_names {
	struct names *names;
	const char *zone;
	char order_dir[CONFIG_PATH_MAX + 8]; /* STATE_DIR/names */
	struct loop_timer *timer;
	uint64_t to_write; /* shards of this round */
	uint64_t failed;   /* those of the last that could not be written */
	bool armed;        /* a round is to come, or under way */
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

/* Lines of "ADDRESS NAME"; others are passed over. */
static void remember(struct dns_names *n)
{
	char path[PATH_SIZE], line[INET6_ADDRSTRLEN + NAME_STRLEN + 8];
	for (unsigned s = 0; s < NAMES_SHARDS; s++) {
		shard_path(path, n->order_dir, s, "");
		FILE *f = fopen(path, "re");
		if (!f)
			continue; /* nobody was in line */
		while (fgets(line, sizeof line, f)) {
			struct in6_addr addr;
			char *name = strchr(line, ' ');
			line[strcspn(line, "\n")] = '\0';
			if (!name)
				continue;
			*name++ = '\0';
			if (inet_pton(AF_INET6, line, &addr) == 1)
				(void)names_remember(n->names, &addr, name); /* or it comes anew */
		}
		(void)fclose(f); /* read only */
	}
}

/* --- writing what is
 * ---------------------------------------------------------------------------------------------- */

struct writing {
	const struct dns_names *n;
	FILE *hosts, *order;
	size_t n_hosts, n_order;
};

static int write_entry(void *ctx, const struct names_entry *e)
{
	struct writing *w = (struct writing *)ctx;
	char addr[INET6_ADDRSTRLEN];
	in6_format(&e->addr, addr);
	if (w->order)
		(void)fprintf(w->order, "%s %s\n", addr, e->name); /* ferror() tells in the end */
	w->n_order++;
	if (!e->has_it)
		return 0;
	if (w->hosts)
		(void)fprintf(w->hosts, "%s %s.%s\n", addr, e->name, w->n->zone); /* likewise */
	w->n_hosts++;
	return 0;
}

/* Nobody ever reads half a file: it gets its name when it is whole, or goes where it would be
 * empty. */
static int finish(FILE *f, const char *whole, const char *path, bool empty)
{
	bool failed = ferror(f) || fchmod(fileno(f), 0644) < 0;
	if (fclose(f) != 0 || failed)
		return -EIO;
	if (empty)
		return unlink(whole) < 0 || (unlink(path) < 0 && errno != ENOENT) ? -errno : 0;
	return rename(whole, path) < 0 ? -errno : 0;
}

/* The part is written beside the folder that dnsmasq watches. */
static int write_shard(const struct dns_names *n, unsigned shard)
{
	char hosts[PATH_SIZE], order[PATH_SIZE], whole_order[PATH_SIZE];
	static const char whole_hosts[] = DNS_DIRECTORY "/part";
	shard_path(hosts, DNS_NAMES, shard, "");
	shard_path(order, n->order_dir, shard, "");
	shard_path(whole_order, n->order_dir, shard, "~");
	struct writing w = { .n = n, .hosts = fopen(whole_hosts, "we") };
	int r = w.hosts ? 0 : -errno;
	w.order = fopen(whole_order, "we");
	int e = w.order ? 0 : -errno;
	(void)names_entries(n->names, shard, write_entry, &w); /* never ends early */
	if (r == 0)
		r = finish(w.hosts, whole_hosts, hosts, w.n_hosts == 0);
	if (e == 0)
		e = finish(w.order, whole_order, order, w.n_order == 0);
	return r < 0 ? r : e;
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
	n->to_write |= names_changed(n->names) | n->failed;
	n->failed = 0;
	n->round_error = 0;
	n->spent_ms = 0;
	n->in_round = true;
}

static void end_round(struct dns_names *n, uint64_t now_ms)
{
	uint64_t pause_ms = PAUSE_SHARE * n->spent_ms;
	n->not_before_ms = now_ms + (pause_ms > PAUSE_MS ? pause_ms : PAUSE_MS);
	n->in_round = n->armed = false;
	tell(n, n->round_error);
	if (names_pending(n->names))
		arm(n, now_ms);
	else if (n->failed)
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
	if (n->to_write) {
		unsigned shard = (unsigned)__builtin_ctzll(n->to_write);
		int r = write_shard(n, shard);
		n->to_write &= ~(1ULL << shard);
		if (r < 0) {
			n->failed |= 1ULL << shard;
			n->round_error = r;
		}
	}
	uint64_t now_ms = clock_mono_ms();
	n->spent_ms += now_ms - begun_ms;
	if (n->to_write)
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
	n->to_write = UINT64_MAX;
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
