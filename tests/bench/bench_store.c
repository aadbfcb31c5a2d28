/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a commit costs: batches of new bindings, as a street that comes up makes them, then of
 * renewals in any order, as a quiet day does. Its length (median, 99th percentile, longest, with
 * the disk's answer in it), what is put off until its answers have left, and processor time a
 * binding.
 *
 *	bench_store DIRECTORY [BINDINGS [BATCH]]	default: 50000 in batches of 32
 *
 * The directory should be fresh, and on the disk in question.
 */
#include "base/clock.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH_MOST = 256, DUID_LEN = 10 };

struct bench {
	struct store *store;
	struct binding_change changes[BATCH_MOST];
	double *took_us, tidied_us; /* the longest */
	size_t n, batch, commits;
};

static double seconds(clockid_t clock)
{
	struct timespec ts;
	(void)clock_gettime(clock, &ts); /* cannot fail for the two that are asked for */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void set(struct binding_change *c, uint32_t number, uint64_t now_ms)
{
	struct binding_record *r = &c->record;
	*c = (struct binding_change){ 0 };
	r->kind = BINDING_PD;
	r->state = BINDING_BOUND;
	r->number = number + 1;
	r->prefix.plen = 56;
	/* A pool's choice: no order in it. */
	uint64_t at = number * UINT64_C(0x9e3779b97f4a7c15);
	r->prefix.addr.s6_addr[0] = 0x20;
	memcpy(&r->prefix.addr.s6_addr[1], &at, 6);
	static const uint8_t duid[DUID_LEN] = { 0, 3, 0, 1, 2 };
	r->duid.len = DUID_LEN;
	memcpy(r->duid.bytes, duid, sizeof duid);
	memcpy(&r->duid.bytes[6], &number, sizeof number);
	r->iaid = 1;
	r->next_hop.s6_addr[0] = 0xfe;
	r->next_hop.s6_addr[1] = 0x80;
	memcpy(&r->next_hop.s6_addr[12], &number, sizeof number);
	r->lladdr_len = 6;
	memcpy(&r->lladdr[2], &number, sizeof number);
	r->preferred_lft_s = 3600;
	r->valid_lft_s = 7200;
	r->granted_at_ms = now_ms;
	r->valid_until_ms = now_ms + UINT64_C(7200000);
}

static int commit(struct bench *b, size_t n, uint64_t now_ms)
{
	const struct store_now now = { .mono_ms = now_ms, .unix_ms = clock_unix_ms() };
	double begun = seconds(CLOCK_MONOTONIC);
	int r = store_commit(b->store, b->changes, n, now);
	double done = seconds(CLOCK_MONOTONIC);
	b->took_us[b->commits++] = (done - begun) * 1e6;
	store_tidy(b->store, false);
	double tidied_us = (seconds(CLOCK_MONOTONIC) - done) * 1e6;
	b->tidied_us = tidied_us > b->tidied_us ? tidied_us : b->tidied_us;
	return r;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void tell(struct bench *b, const char *what, double wall_s, double cpu_s)
{
	qsort(b->took_us, b->commits, sizeof b->took_us[0], compare);
	printf("%-9s %9.0f bindings/s %6.2f us of processor each; a commit: %6.0f us median, "
	       "%6.0f p99, %6.0f longest; tidying: %6.0f longest\n",
	       what, (double)b->n / wall_s, cpu_s / (double)b->n * 1e6, b->took_us[b->commits / 2],
	       b->took_us[b->commits * 99 / 100], b->took_us[b->commits - 1], b->tidied_us);
	b->commits = 0;
	b->tidied_us = 0;
}

/* Each binding once, in the order of their numbers, or in any: by a stride that has no divisor in
 * common with how many they are. */
static int run(struct bench *b, const char *what, bool in_order)
{
	size_t stride = in_order ? 1 : 7919;
	while (!in_order && b->n % stride == 0)
		stride += 2;
	uint64_t now_ms = clock_mono_ms();
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	int r = 0;
	for (size_t i = 0; i < b->n && r == 0;) {
		size_t n = 0;
		while (n < b->batch && i < b->n)
			set(&b->changes[n++], (uint32_t)(i++ * stride % b->n), now_ms);
		r = commit(b, n, now_ms);
	}
	tell(b, what, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	return r;
}

struct table {
	struct binding_table bindings;
	size_t n;
};

static int count(void *ctx, const struct binding_record *r)
{
	(void)r;
	((struct table *)ctx)->n++;
	return STORE_TAKEN;
}

static int add(void *ctx, const struct binding_record *r)
{
	struct table *t = (struct table *)ctx;
	struct binding *b;
	t->n++;
	int e = bindings_add(&t->bindings, r, &b);
	return e < 0 ? e : STORE_TAKEN;
}

/* A start on what is there: once as after a clean stop, once as after the last server was killed,
 * and with the table that the rows become. */
static int start(const char *dir, const char *what, bool sound,
		 int (*fn)(void *ctx, const struct binding_record *r))
{
	static const uint8_t key[16] = { 1 };
	struct table t = { 0 };
	struct store *s = NULL;
	struct store_found found;
	struct store_counts counts;
	int r = bindings_init(&t.bindings, key);
	double begun = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (r == 0)
		r = store_open(dir, clock_unix_ms(), sound, &s, &found);
	double opened = seconds(CLOCK_MONOTONIC), opened_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	const struct store_now now = { .mono_ms = clock_mono_ms(), .unix_ms = clock_unix_ms() };
	if (r == 0) {
		bindings_load_begin(&t.bindings, store_expects(s));
		r = store_load(s, now, fn, &t, &counts);
		bindings_load_end(&t.bindings);
	}
	double loaded = seconds(CLOCK_MONOTONIC), loaded_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	printf("%-26s %8zu bindings; opened: %6.1f ms (%6.1f of processor), loaded: %6.1f ms "
	       "(%6.1f), %5.2f us of processor a binding\n",
	       what, t.n, (opened - begun) * 1e3, (opened_cpu - cpu) * 1e3, (loaded - opened) * 1e3,
	       (loaded_cpu - opened_cpu) * 1e3, (loaded_cpu - opened_cpu) / (double)t.n * 1e6);
	store_close(s);
	bindings_done(&t.bindings);
	return r;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct store_found found;
	b.n = argc > 2 ? strtoul(argv[2], NULL, 10) : 50000;
	b.batch = argc > 3 ? strtoul(argv[3], NULL, 10) : 32;
	if (argc < 2 || b.n == 0 || b.n > UINT32_MAX || b.batch == 0 || b.batch > BATCH_MOST) {
		fputs("usage: bench_store DIRECTORY [BINDINGS [BATCH]]\n", stderr);
		return 2;
	}
	b.took_us = calloc(b.n, sizeof b.took_us[0]);
	int r = b.took_us ? store_open(argv[1], clock_unix_ms(), false, &b.store, &found) : -1;
	if (r == 0)
		r = run(&b, "new", true);
	if (r == 0)
		r = run(&b, "renewed", false);
	store_close(b.store);
	free(b.took_us);
	if (r == 0)
		r = start(argv[1], "start, rows alone", false, count);
	if (r == 0)
		r = start(argv[1], "start, with the table", false, add);
	if (r == 0)
		r = start(argv[1], "next server, rows alone", true, count);
	if (r == 0)
		r = start(argv[1], "next server, with the table", true, add);
	if (r < 0)
		fprintf(stderr, "bench_store: %s\n", strerror(-r));
	return r < 0;
}
