/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet of a client that is known costs in allocations, from its bytes over engine and
 * keeper to the database: none. Everybody's malloc is counted, the libraries', too.
 */
#include "unit.h"

#include "base/clock.h"
#include "daemon/keeper.h"
#include "dhcp6_peer.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	SOLICIT = 1,
	REQUEST = 3,
	RENEW = 5,
	IA_PD = 25,
	CLIENTS = 2048,
	GROUP = 64,
	ROUNDS = 8,                   /* of all clients; the first half are not counted */
	PACKETS_AN_ALLOCATION = 1000, /* the database's log is moved into it now and then */
};

/* --- counting
 * ------------------------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif

static size_t allocations;

#ifndef SANITIZED
#define SANITIZED false
/* Under these names glibc has them for whoever puts others in their place. */
void *__libc_malloc(size_t size);                     /* NOLINT */
void *__libc_calloc(size_t n, size_t size);           /* NOLINT */
void *__libc_realloc(void *p, size_t size);           /* NOLINT */
void *__libc_memalign(size_t alignment, size_t size); /* NOLINT */

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	allocations++;
	return __libc_memalign(alignment, size);
}
#endif

/* --- a server
 * ------------------------------------------------------------------------------------------------
 */

static struct fixture {
	char dir[64];
	struct loop *loop;
	struct keeper *keeper;
	struct dhcp6_config config;
	struct dhcp6_server *server;
	struct batch *batch;

	uint8_t prefixes[CLIENTS][16];
} f;

static void on_loaded(void *ctx)
{
	(void)ctx;
}

static int begin(void **state)
{
	(void)state;
	struct dhcp6_config *c = &f.config;
	const struct duid fresh = { .len = 4, .bytes = { 0, 2, 0, 1 } };
	uint8_t secret[STORE_NOTE_LEN];
	c->transfer.plen = 64;
	c->pd_len = 56;
	c->preferred_lft_s = 1800;
	c->valid_lft_s = 14400;
	c->max_bindings_per_client = D6_DEFAULT_MAX_BINDINGS;
	(void)snprintf(f.dir, sizeof f.dir, "/tmp/vbng-steady-XXXXXX"); /* fits */
	if (prefix6_parse("2001:db8::/32", -1, &c->pd_pool) < 0 ||
	    prefix6_parse("2001:dba::/64", -1, &c->transfer) < 0 || !mkdtemp(f.dir) ||
	    loop_new(false, &f.loop) < 0 ||
	    keeper_new(f.loop, f.dir, on_loaded, NULL, &f.keeper) < 0)
		return -1;
	keeper_open(f.keeper, false);
	keeper_duid(f.keeper, &fresh, &c->server_id);
	if (keeper_secret(f.keeper, secret) < 0 || dhcp6_server_new(c, &f.server) < 0 ||
	    batch_new(&f.batch) < 0)
		return -1;
	keeper_load(f.keeper, f.server);
	return keeper_fault(f.keeper) ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	char path[96];
	keeper_free(f.keeper);
	loop_free(f.loop);
	dhcp6_server_free(f.server);
	batch_free(f.batch);
	(void)snprintf(path, sizeof path, "%s/leases.db", f.dir); /* fits */
	return unlink(path) < 0 || rmdir(f.dir) < 0 ? -1 : 0;
}

static void say(uint8_t type, uint32_t client, struct peer_message *m)
{
	uint8_t duid[10] = { 0, 3, 0, 1, 2 };
	memcpy(duid + 6, &client, sizeof client);
	struct prefix6 p = { .plen = 56 };
	memcpy(&p.addr, f.prefixes[client], sizeof p.addr);
	peer_begin(m, type, client);
	peer_option(m, 1, duid, sizeof duid);
	if (type != SOLICIT)
		peer_option(m, 2, f.config.server_id.bytes, f.config.server_id.len);
	peer_ia(m, IA_PD, 1);
	if (type != SOLICIT)
		peer_iaprefix(m, &p);
	peer_ia_end(m);
}

/* A group's packets, their commit, and what they were answered: the prefix stands last. */
static void exchange(uint8_t type, uint32_t first)
{
	uint64_t now_ms = clock_mono_ms();
	struct pkt_meta meta = { .hop_limit = 64, .lladdr_len = 6 };
	meta.src.s6_addr[0] = 0xfe;
	meta.src.s6_addr[1] = 0x80;
	meta.dst.s6_addr[0] = 0xff;
	meta.dst.s6_addr[1] = 2;
	struct peer_message m;
	for (uint32_t i = first; i < first + GROUP; i++) {
		say(type, i, &m);
		memcpy(meta.src.s6_addr + 12, &i, sizeof i);
		memcpy(meta.lladdr + 2, &i, sizeof i);
		dhcp6_server_input(f.server, now_ms, &meta, rd_of(m.bytes, m.len), f.batch);
	}
	assert_int_equal(f.batch->n_answers, GROUP);
	assert_int_equal(f.batch->n_changes, type == SOLICIT ? 0 : GROUP);
	keeper_commit(f.keeper, f.batch, now_ms);
	keeper_tidy(f.keeper);
	for (size_t i = 0; i < GROUP; i++) {
		const struct answer *a = &f.batch->answers[i];
		memcpy(f.prefixes[first + i], a->bytes + a->len - 16, 16);
	}
	batch_reset(f.batch);
}

/* --- tests
 * --------------------------------------------------------------------------------------------------
 */

/* Sanitizers have an allocator of their own, and valgrind puts its in the place of any. */
static bool counted(void)
{
	const char *preloaded = getenv("LD_PRELOAD");
	return !SANITIZED && !(preloaded && strstr(preloaded, "vgpreload"));
}

static void known_clients_cost_no_allocation(void **state)
{
	(void)state;
	if (!counted()) {
		print_message("# skipped: another allocator is in our place\n");
		skip();
	}
	for (uint32_t c = 0; c < CLIENTS; c += GROUP) {
		exchange(SOLICIT, c);
		exchange(REQUEST, c);
	}
	size_t before = 0, packets = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round == ROUNDS / 2)
			before = allocations;
		for (uint32_t c = 0; c < CLIENTS; c += GROUP) {
			exchange(RENEW, c);
			exchange(SOLICIT, c);
			exchange(REQUEST, c);
			packets += round >= ROUNDS / 2 ? 3 * GROUP : 0;
		}
	}
	assert_null(keeper_fault(f.keeper));
	assert_true(before > 0); /* else nothing is counted */
	assert_in_range(allocations - before, 0, packets / PACKETS_AN_ALLOCATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_clients_cost_no_allocation, begin, end),
	};
	return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
