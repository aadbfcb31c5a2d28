/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core costs without sockets, store and kernel: nanoseconds of an exchange (SOLICIT,
 *ADVERTISE, REQUEST, REPLY) of clients that are new and of clients that are known, of a RENEW and
 *of an expiry, and bytes a binding, with so many bindings held.
 *
 *	bench_core [BINDINGS...]        default: 1000 50000 1000000
 *
 * Ends with failure where an exchange with the largest number costs more than 1.5 times what it
 *costs with the smallest, or a binding more than 256 bytes without its indexes.
 */
#include "base/clock.h"
#include "dhcp6_peer.h"
#include "engine/dhcp6_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	GROUP = 64,
	SLICE = 20000,
	MEASURED = 200000,
	RUNS = 5,
	MAX_COUNTS = 8,
	DUID_AT = 8,
	DUID_LEN = 10
};

struct bench {
	struct dhcp6_server *server;
	struct batch *batch;
	struct dhcp6_config config;
	struct pkt_meta meta;
	uint64_t now_ms;
	struct peer_message solicit[GROUP], request[GROUP], renew[GROUP];
	size_t request_prefix_at, advertise_prefix_at;
	uint8_t offered[GROUP][16];
	uint64_t failed;
};

static double now_ns(void)
{
	struct timespec ts;
	(void)clock_gettime(
		CLOCK_PROCESS_CPUTIME_ID,
		&ts); /* cannot fail for this clock; others on the machine do not count */
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void set_client(struct peer_message *m, uint32_t client)
{
	for (unsigned i = 0; i < 4; i++)
		m->bytes[DUID_AT + DUID_LEN - 1 - i] = (uint8_t)(client >> (8 * i));
}

/* As a server receives them: many at a time. */
static void input(struct bench *b, const struct peer_message *m, size_t n)
{
	struct rd packets[GROUP] = { { 0 } };
	for (size_t i = 0; i < n; i++)
		packets[i] = rd_of(m[i].bytes, m[i].len);
	dhcp6_server_expect(b->server, packets, n);
	for (size_t i = 0; i < n; i++)
		dhcp6_server_input(b->server, b->now_ms, &b->meta, packets[i], b->batch);
}

/* A group of clients, whose numbers are given, through SOLICIT and REQUEST. */
static void exchange(struct bench *b, const uint32_t *clients, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set_client(&b->solicit[i], clients[i]);
	input(b, b->solicit, n);
	b->failed += n - b->batch->n_answers;
	for (size_t i = 0; i < b->batch->n_answers; i++)
		memcpy(b->offered[i], b->batch->answers[i].bytes + b->advertise_prefix_at, 16);
	batch_reset(b->batch);
	for (size_t i = 0; i < n; i++) {
		set_client(&b->request[i], clients[i]);
		memcpy(b->request[i].bytes + b->request_prefix_at, b->offered[i], 16);
	}
	input(b, b->request, n);
	b->failed += n - b->batch->n_changes;
	batch_reset(b->batch);
}

static void begin(struct bench *b, struct peer_message *m, uint8_t type)
{
	static const uint8_t duid[DUID_LEN] = { 0, 3, 0, 1, 2 };
	peer_begin(m, type, 0x123456);
	peer_option(m, 1, duid, sizeof duid);
	if (type != 1)
		peer_option(m, 2, b->config.server_id.bytes, b->config.server_id.len);
	peer_ia(m, 25, 1);
	if (type != 1)
		peer_iaprefix(m, &b->config.pd_pool);
	peer_ia_end(m);
}

static int setup(struct bench *b)
{
	*b = (struct bench){ .now_ms = 1000 };
	struct dhcp6_config *c = &b->config;
	c->transfer.plen = 64;
	c->pd_len = 56;
	c->preferred_lft_s = 1800;
	c->valid_lft_s = 14400;
	c->server_id = (struct duid){ .len = 18, .bytes = { 0, 4, 1, 2, 3 } };
	c->max_bindings_per_client = D6_DEFAULT_MAX_BINDINGS;
	if (prefix6_parse("2001:db8::/32", -1, &c->pd_pool) < 0 ||
	    prefix6_parse("2001:dba::/64", -1, &c->transfer) < 0)
		return -1;
	for (unsigned i = 0; i < 16; i++)
		c->table_key[i] = (uint8_t)(7 * i + 1);
	b->meta.src.s6_addr[0] = 0xfe;
	b->meta.src.s6_addr[1] = 0x80;
	b->meta.src.s6_addr[15] = 1;
	b->meta.dst.s6_addr[0] = 0xff;
	b->meta.dst.s6_addr[1] = 2;
	for (size_t i = 0; i < GROUP; i++) {
		begin(b, &b->solicit[i], 1);
		begin(b, &b->request[i], 3);
		begin(b, &b->renew[i], 5);
	}
	b->request_prefix_at = b->request[0].len - 16;
	if (dhcp6_server_new(c, &b->server) < 0 || batch_new(&b->batch) < 0)
		return -1;
	/* Where an ADVERTISE has its prefix: the same place in all of them. */
	input(b, b->solicit, 1);
	struct peer_answer *a = malloc(sizeof *a);
	if (!a || b->batch->n_answers != 1 ||
	    !peer_read(b->batch->answers[0].bytes, b->batch->answers[0].len, a))
		return -1;
	b->advertise_prefix_at = b->batch->answers[0].len - 16;
	bool good = a->n_ias == 1 && a->ias[0].n == 1 &&
		    memcmp(b->batch->answers[0].bytes + b->advertise_prefix_at,
			   &a->ias[0].resources[0].prefix.addr, 16) == 0;
	free(a);
	batch_reset(b->batch);
	return good ? 0 : -1;
}

static void teardown(struct bench *b)
{
	dhcp6_server_free(b->server);
	batch_free(b->batch);
}

static uint32_t shuffled(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((*seed >> 32) % n);
}

/* The new clients first .. first+n-1: nanoseconds an exchange. */
static double add_clients(struct bench *b, uint32_t first, uint32_t n)
{
	uint32_t group[GROUP];
	double start = now_ns();
	for (uint32_t done = 0; done < n;) {
		size_t k = 0;
		for (; k < GROUP && done < n; k++, done++)
			group[k] = first + done;
		exchange(b, group, k);
	}
	return (now_ns() - start) / n;
}

static double known_clients(struct bench *b, uint32_t held, bool renew)
{
	uint64_t seed = 42;
	uint32_t group[GROUP];
	double start = now_ns();
	for (uint32_t done = 0; done < MEASURED; done += GROUP) {
		for (size_t k = 0; k < GROUP; k++)
			group[k] = shuffled(&seed, held);
		b->now_ms++;
		if (!renew) {
			exchange(b, group, GROUP);
			continue;
		}
		for (size_t k = 0; k < GROUP; k++)
			set_client(&b->renew[k], group[k]);
		input(b, b->renew, GROUP);
		b->failed += GROUP - b->batch->n_changes;
		batch_reset(b->batch);
	}
	return (now_ns() - start) / MEASURED;
}

static double expire_all(struct bench *b, uint32_t held)
{
	double start = now_ns();
	b->now_ms += 14400 * UINT64_C(1000) + 1;
	uint64_t freed = 0;
	while (dhcp6_server_deadline(b->server) <= b->now_ms) {
		dhcp6_server_tick(b->server, b->now_ms, b->batch);
		freed += b->batch->n_changes;
		batch_reset(b->batch);
	}
	b->failed += held - freed;
	return (now_ns() - start) / held;
}

struct figures {
	double fresh_ns, known_ns, renew_ns, expire_ns, bytes, index_bytes;
};

static double least(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

/* The best of some slices: a shared machine only ever adds. Each is long enough to hold its share
 * of fresh memory, which the kernel clears in pages of 2 MiB. */
static double add_in_slices(struct bench *b, uint32_t first, uint32_t n)
{
	double best = 0;
	for (uint32_t done = 0; done < n;) {
		uint32_t slice = n - done < 2 * SLICE ? n - done : SLICE;
		best = least(best, add_clients(b, first + done, slice));
		done += slice;
	}
	return best;
}

/* The best of some runs, likewise. */
static bool measure(uint32_t held, struct figures *f)
{
	*f = (struct figures){ 0 };
	/* With few bindings a run is over before a clock can tell: many of them make one. */
	uint32_t fresh = held / 10 ? held / 10 : 1;
	int runs = held < 20000 ? RUNS * (int)(20000 / held) : held < 500000 ? RUNS : 2;
	for (int run = 0; run < runs; run++) {
		struct bench b;
		if (setup(&b) < 0)
			return false;
		(void)add_clients(&b, 0, held - fresh);
		f->fresh_ns = least(f->fresh_ns, add_in_slices(&b, held - fresh, fresh));
		if (run >= runs - 2) {
			f->known_ns = least(f->known_ns, known_clients(&b, held, false));
			f->renew_ns = least(f->renew_ns, known_clients(&b, held, true));
			f->bytes = sizeof(struct binding);
			f->index_bytes =
				(double)bindings_bytes(dhcp6_server_table(b.server)) / held -
				f->bytes;
			f->expire_ns = least(f->expire_ns, expire_all(&b, held));
		}
		if (b.failed)
			(void)fprintf(stderr, "%llu exchanges went wrong\n",
				      (unsigned long long)b.failed);
		bool good = b.failed == 0 && dhcp6_server_table(b.server)->n == held;
		teardown(&b);
		if (!good)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint32_t counts[MAX_COUNTS] = { 1000, 50000, 1000000 };
	int n = 3;
	if (argc > 1)
		for (n = 0; n < argc - 1 && n < MAX_COUNTS; n++)
			counts[n] = (uint32_t)strtoul(argv[n + 1], NULL, 10);
	struct figures f[MAX_COUNTS];
	(void)printf("bindings  new ns  known ns  renew ns  expire ns  bytes  +indexes, heap\n");
	for (int i = 0; i < n; i++) {
		if (counts[i] == 0 || !measure(counts[i], &f[i]))
			return EXIT_FAILURE;
		(void)printf("%8u  %6.0f  %8.0f  %8.0f  %9.0f  %5.0f  %14.0f\n", counts[i],
			     f[i].fresh_ns, f[i].known_ns, f[i].renew_ns, f[i].expire_ns,
			     f[i].bytes, f[i].index_bytes);
		(void)fflush(stdout); /* a lost line here is no fault of the measurement */
	}
	double growth = f[n - 1].fresh_ns / f[0].fresh_ns,
	       known = f[n - 1].known_ns / f[0].known_ns;
	(void)printf("from %u to %u bindings an exchange costs %.2f times as much for new clients, "
		     "%.2f for known ones\n",
		     counts[0], counts[n - 1], growth, known);
	return growth < 1.5 && f[0].bytes <= 256 ? EXIT_SUCCESS : EXIT_FAILURE;
}
