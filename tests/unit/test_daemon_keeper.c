/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings from the delegating router through keeper and store onto a disk, and back after a kill.
 * A kill leaves what the files hold at that moment: they are copied as they are, and the next life
 * begins with the copy. Both clocks are the test's (the linker puts them in, see meson.build).
 */
#include "unit.h"

#include "base/log.h"
#include "daemon/keeper.h"
#include "dhcp6_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST = 3, RENEW = 5, RELEASE = 8, DECLINE = 9, IA_NA = 3, IA_PD = 25 };
enum {
	CLIENTS = 90,
	IAIDS = 3,
	MAX_HELD = 20000,
	LIVES = 80,
	BATCHES = 10, /* of a life, at most */
	VALID_S = 14400,
};

uint64_t __wrap_clock_mono_ms(void); /* NOLINT: the linker's name */
uint64_t __wrap_clock_unix_ms(void); /* NOLINT */

static uint64_t mono_ms, unix_ms;

uint64_t __wrap_clock_mono_ms(void) /* NOLINT */
{
	return mono_ms;
}

uint64_t __wrap_clock_unix_ms(void) /* NOLINT */
{
	return unix_ms;
}

struct held {
	struct binding_record record;
	uint8_t details[BINDING_DETAILS_MAX];
};

static struct fixture {
	char dir[64], other[80];
	struct dhcp6_config config;
	struct loop *loop;
	struct loop_timer *tick;
	struct keeper *keeper;
	struct dhcp6_server *server;
	struct batch *batch;
	struct duid duid;
	uint8_t secret[STORE_NOTE_LEN];
	unsigned loaded_later;
	uint64_t seed;
	size_t n_before, n_after;
	struct held before[MAX_HELD], after[MAX_HELD];
} f;

static uint32_t below(uint32_t n)
{
	f.seed = f.seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((f.seed >> 33) % n);
}

static void pass(uint64_t ms)
{
	mono_ms += ms;
	unix_ms += ms;
}

/* --- a life
 * -------------------------------------------------------------------------------------------------
 */

static void on_loaded(void *ctx)
{
	(void)ctx;
	f.loaded_later++;
}

static void on_tick(void *ctx)
{
	(void)ctx; /* waking up is all */
}

static void begin(void)
{
	const struct duid fresh = { .len = 4,
				    .bytes = { 0, 2, (uint8_t)below(256), (uint8_t)below(256) } };
	assert_int_equal(loop_new(false, &f.loop), 0);
	assert_int_equal(loop_timer_new(f.loop, on_tick, NULL, &f.tick), 0);
	assert_int_equal(keeper_new(f.loop, f.dir, on_loaded, NULL, &f.keeper), 0);
	keeper_open(f.keeper, false);
	keeper_duid(f.keeper, &fresh, &f.duid);
	assert_int_equal(keeper_secret(f.keeper, f.secret), 0);
	f.config.server_id = f.duid;
	assert_int_equal(dhcp6_server_new(&f.config, &f.server), 0);
	assert_int_equal(batch_new(&f.batch), 0);
	assert_int_equal(keeper_load(f.keeper, f.server), 0);
	assert_true(dhcp6_server_consistent(f.server));
}

static void end(void)
{
	keeper_free(f.keeper);
	loop_timer_free(f.tick);
	loop_free(f.loop);
	dhcp6_server_free(f.server);
	batch_free(f.batch);
	f.keeper = NULL;
	f.tick = NULL;
	f.loop = NULL;
	f.server = NULL;
	f.batch = NULL;
}

/* What keeper's timers have due, done. */
static void let_it_run(void)
{
	for (int i = 0; i < 3; i++) {
		loop_timer_set(f.tick, 1);
		loop_step(f.loop);
	}
}

static void remove_all(const char *dir)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	(void)closedir(d); /* it was only read */
	assert_int_equal(rmdir(dir), 0);
}

static void copy_file(int from_dir, int to_dir, const char *name)
{
	static uint8_t bytes[1 << 16];
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(from >= 0 && to >= 0);
	for (ssize_t n; (n = read(from, bytes, sizeof bytes)) != 0;) {
		assert_true(n > 0);
		assert_int_equal(write(to, bytes, (size_t)n), n);
	}
	close(from);
	close(to);
}

/* The files as they are now, before anything is closed, are what the next life begins with. */
static void end_by_kill(void)
{
	assert_int_equal(mkdir(f.other, 0700), 0);
	DIR *d = opendir(f.dir);
	int to = open(f.other, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d && to >= 0);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			copy_file(dirfd(d), to, e->d_name);
	(void)closedir(d); /* it was only read */
	close(to);
	end();
	remove_all(f.dir);
	char old[sizeof f.dir];
	memcpy(old, f.dir, sizeof old);
	memcpy(f.dir, f.other, sizeof old);
	memcpy(f.other, old, sizeof old);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof f);
	const char *seed = getenv("VBNG_SEED");
	f.seed = seed ? strtoull(seed, NULL, 0) : 20261121;
	mono_ms = UINT64_C(1) << 43;
	unix_ms = UINT64_C(1800000000000);
	strcpy(f.dir, "/tmp/vbng-keeper-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.other, sizeof f.other, "%s-2", f.dir);
	f.config = (struct dhcp6_config){ .pd_len = 64,
					  .preferred_lft_s = VALID_S / 2,
					  .valid_lft_s = VALID_S,
					  .ia_na = true,
					  .max_bindings_per_client = 2 };
	assert_int_equal(prefix6_parse("2001:db8:0:100::/58", -1, &f.config.pd_pool), 0);
	assert_int_equal(prefix6_parse("2001:db8:1::/64", -1, &f.config.transfer), 0);
	log_setup(LOG_ERROR, LOG_TEXT, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	end();
	remove_all(f.dir);
	remove_all(f.other);
	return 0;
}

/* --- traffic
 * ------------------------------------------------------------------------------------------------
 */

static void carry_out(void)
{
	keeper_commit(f.keeper, f.batch, mono_ms);
	batch_reset(f.batch);
}

static void say(uint8_t type, uint16_t code, uint32_t client, uint32_t iaid)
{
	static struct peer_message m;
	const struct pkt_meta meta = { .ifindex = 1,
				       .hop_limit = 64,
				       .src_port = 546,
				       .src = unit_in6("fe80::7"),
				       .dst = unit_in6("ff02::1:2"),
				       .lladdr_len = 6,
				       .lladdr = { 2, 0, 0, 0, 0, 7 } };
	/* Some DUIDs do not fit into a binding. */
	uint8_t duid[40] = { 0, 2, 0, 0, (uint8_t)(client >> 8), (uint8_t)client };
	size_t duid_len = client % 7 ? 6 : sizeof duid;
	const struct binding *b =
		bindings_by_client(dhcp6_server_table(f.server),
				   code == IA_PD ? BINDING_PD : BINDING_NA, duid, duid_len, iaid);
	peer_begin(&m, type, client);
	peer_option(&m, 1, duid, duid_len);
	peer_option(&m, 2, f.duid.bytes, f.duid.len);
	if (client % 3 == 0)
		peer_option(&m, 39, "\0\3cpe", 5);
	peer_ia(&m, code, iaid);
	if (b && code == IA_PD)
		peer_iaprefix(&m, &(struct prefix6){ b->addr, b->plen });
	if (b && code == IA_NA)
		peer_iaaddr(&m, &b->addr);
	peer_ia_end(&m);
	if (batch_full(f.batch))
		carry_out();
	dhcp6_server_input(f.server, mono_ms, &meta, rd_of(m.bytes, m.len), f.batch);
}

static bool is_doomed(void *ctx, const struct binding *b)
{
	const uint8_t *duid = binding_duid(b);
	return duid[5] % 16 == *(const uint32_t *)ctx;
}

/* Some messages, and what else happens. */
static void live_a_while(void)
{
	static const uint8_t types[] = {
		REQUEST, REQUEST, REQUEST, RENEW, RELEASE, RELEASE, DECLINE
	};
	for (uint32_t n = below(64); n > 0; n--)
		say(types[below(sizeof types)], below(4) ? IA_PD : IA_NA, below(CLIENTS),
		    below(IAIDS));
	carry_out();
	switch (below(12)) {
	case 0:
		pass(VALID_S * UINT64_C(500));
		break;
	case 1: { /* as somebody who clears them */
		uint32_t at = 0, which = below(16);
		size_t n = 0;
		bool more;
		do {
			more = dhcp6_server_remove(f.server, is_doomed, &which, mono_ms, f.batch,
						   &at, &n);
			carry_out();
		} while (more);
		break;
	}
	case 2: /* somebody sets the clock: the next commit finds it out */
		unix_ms += below(2) ? UINT64_C(7200000) : UINT64_C(-7200000);
		while (f.batch->n_changes == 0)
			say(RENEW, IA_PD, below(CLIENTS), 0);
		carry_out();
		break;
	default:
		pass(below(3000));
		break;
	}
	while (dhcp6_server_deadline(f.server) <= mono_ms) {
		dhcp6_server_tick(f.server, mono_ms, f.batch);
		carry_out();
	}
}

/* --- comparing
 * ----------------------------------------------------------------------------------------------
 */

struct listing {
	struct held *to;
	size_t *n;
};

static int list_one(void *ctx, const struct binding *b)
{
	const struct listing *l = (const struct listing *)ctx;
	assert_true(*l->n < MAX_HELD);
	struct held *h = &l->to[(*l->n)++];
	binding_to_record(b, &h->record);
	if (h->record.details_len)
		memcpy(h->details, h->record.details, h->record.details_len);
	return 0;
}

static int by_prefix(const void *a, const void *b)
{
	const struct binding_record *x = &((const struct held *)a)->record;
	const struct binding_record *y = &((const struct held *)b)->record;
	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	int order = memcmp(&x->prefix.addr, &y->prefix.addr, sizeof x->prefix.addr);
	return order ? order : x->prefix.plen - y->prefix.plen;
}

static void list(struct held *to, size_t *n)
{
	struct listing l = { to, n };
	*n = 0;
	assert_int_equal(dhcp6_server_each(f.server, list_one, &l), 0);
	qsort(to, *n, sizeof *to, by_prefix);
}

static void assert_same(const struct held *before, const struct held *after)
{
	const struct binding_record *a = &before->record, *b = &after->record;
	/* Whose time went by while nothing ran is found freed. */
	bool over = a->state == BINDING_BOUND && a->valid_until_ms <= mono_ms;
	assert_int_equal(b->state, over ? BINDING_FREED : a->state);
	assert_int_equal(a->kind, b->kind);
	assert_true(prefix6_equal(&a->prefix, &b->prefix));
	assert_true(duid_equal(&a->duid, &b->duid));
	assert_int_equal(a->iaid, b->iaid);
	assert_memory_equal(&a->next_hop, &b->next_hop, sizeof a->next_hop);
	assert_int_equal(a->lladdr_len, b->lladdr_len);
	assert_memory_equal(a->lladdr, b->lladdr, a->lladdr_len);
	assert_int_equal(a->valid_lft_s, b->valid_lft_s);
	assert_int_equal(a->details_len, b->details_len);
	assert_memory_equal(before->details, after->details, a->details_len);
	if (a->state != BINDING_FREED)
		assert_true(a->valid_until_ms == b->valid_until_ms);
}

/* How many freed ones there are of a kind, each freed after the one before it. */
static size_t queue_in_order(enum binding_kind kind)
{
	const struct binding_table *t = dhcp6_server_table(f.server);
	const struct binding *b = bindings_oldest_freed(t, kind);
	size_t n = 0;
	for (uint64_t last_ms = 0; b; n++) {
		assert_true(b->granted_at_ms >= last_ms);
		last_ms = b->granted_at_ms;
		b = b->newer == BINDING_NONE ? NULL : bindings_get(t, b->newer);
	}
	return n;
}

static void assert_nothing_lost(void)
{
	list(f.after, &f.n_after);
	assert_int_equal(f.n_before, f.n_after);
	for (size_t i = 0; i < f.n_before; i++)
		assert_same(&f.before[i], &f.after[i]);
}

static void killed_at_any_batch_it_finds_all_that_it_had(void **state)
{
	(void)state;
	size_t bound = 0, freed = 0, declined = 0;
	const char *lives = getenv("VBNG_LIVES");
	begin();
	for (unsigned long life = lives ? strtoul(lives, NULL, 10) : LIVES; life > 0; life--) {
		for (uint32_t n = 1 + below(BATCHES); n > 0; n--)
			live_a_while();
		assert_null(keeper_fault(f.keeper));
		list(f.before, &f.n_before);
		end_by_kill();
		if (below(8) == 0)
			pass(VALID_S * UINT64_C(600));
		begin();
		assert_nothing_lost();
		const struct dhcp6_stats *s = dhcp6_server_stats(f.server);
		bound += s->pd.bound;
		freed += s->pd.freed;
		declined += s->na.declined;
		assert_int_equal(queue_in_order(BINDING_PD), s->pd.freed);
		assert_int_equal(queue_in_order(BINDING_NA), s->na.freed);
	}
	assert_true(bound && freed && declined); /* it was about something */
}

/* --- clocks
 * -------------------------------------------------------------------------------------------------
 */

static uint64_t left_ms(uint32_t client)
{
	const struct binding *b = bindings_next(dhcp6_server_table(f.server), client);
	return b ? b->valid_until_ms - mono_ms : 0;
}

static void a_wall_clock_that_is_set_while_it_runs_frees_nothing_and_prolongs_nothing(void **state)
{
	(void)state;
	static const int64_t by_ms[] = { INT64_C(40) * 86400000, -INT64_C(40) * 86400000, 3600000,
					 -3600000 };
	begin();
	for (size_t i = 0; i < sizeof by_ms / sizeof by_ms[0]; i++) {
		say(REQUEST, IA_PD, 0, 1);
		say(REQUEST, IA_PD, 1, 1);
		carry_out();
		pass(1000000);
		unix_ms += (uint64_t)by_ms[i];
		/* Noticed with the next thing that is written, and all the others are, too. */
		say(RENEW, IA_PD, 1, 1);
		carry_out();
		pass(500000);
		end_by_kill();
		pass(7000);
		begin();
		assert_int_equal(dhcp6_server_stats(f.server)->pd.bound, 2);
		assert_int_equal(left_ms(0), VALID_S * 1000 - 1507000);
		assert_int_equal(left_ms(1), VALID_S * 1000 - 507000);
	}
}

/* --- another configuration
 * ------------------------------------------------------------------------------------------------
 */

static void begin_with(const char *pool)
{
	assert_int_equal(prefix6_parse(pool, -1, &f.config.pd_pool), 0);
	begin();
}

static void what_is_of_no_pool_today_is_there_when_it_is_tomorrow(void **state)
{
	(void)state;
	enum { FIRST = 20, SECOND = 5 };
	begin_with("2001:db8:0:100::/58");
	for (uint32_t client = 0; client < FIRST; client++)
		say(REQUEST, IA_PD, client, 1);
	carry_out();
	list(f.before, &f.n_before);
	end_by_kill();
	for (int again = 0; again < 2; again++) {
		begin_with("2001:db8:0:200::/58");
		assert_int_equal(dhcp6_server_table(f.server)->n, again ? SECOND : 0);
		for (uint32_t client = 0; client < SECOND; client++)
			say(REQUEST, IA_PD, FIRST + client, 1);
		carry_out();
		/* Everything is written anew, but for what is not ours. */
		unix_ms += 86400000;
		say(RENEW, IA_PD, FIRST, 1);
		carry_out();
		unix_ms -= 86400000;
		say(RENEW, IA_PD, FIRST, 1);
		carry_out();
		end_by_kill();
	}
	begin_with("2001:db8:0:100::/58");
	assert_nothing_lost();
	say(RELEASE, IA_PD, 3, 1);
	carry_out();
	end_by_kill();
	/* It came back, and stands once. */
	begin_with("2001:db8:0:100::/58");
	assert_int_equal(dhcp6_server_stats(f.server)->pd.bound, FIRST - 1);
	assert_int_equal(dhcp6_server_stats(f.server)->pd.freed, 1);
	end_by_kill();
	begin_with("2001:db8::/48");
	assert_int_equal(dhcp6_server_stats(f.server)->pd.bound, FIRST - 1 + SECOND);
}

static void what_is_of_no_pool_for_long_is_forgotten(void **state)
{
	(void)state;
	begin_with("2001:db8:0:100::/58");
	say(REQUEST, IA_PD, 0, 1);
	carry_out();
	end();
	begin_with("2001:db8:0:200::/58");
	end();
	pass(UINT64_C(31) * 86400000);
	begin_with("2001:db8:0:100::/58");
	assert_int_equal(dhcp6_server_table(f.server)->n, 0);
}

/* --- a store that comes late
 * -----------------------------------------------------------------------------------------------
 */

static void what_clients_were_told_while_the_store_could_not_be_read_stands(void **state)
{
	(void)state;
	char hidden[128], path[128];
	snprintf(path, sizeof path, "%s/leases.db", f.dir);
	snprintf(hidden, sizeof hidden, "%s/hidden", f.dir);
	begin();
	say(REQUEST, IA_PD, 0, 1);
	carry_out();
	end();
	/* Something that is no file stands in its place, and goes again. */
	assert_int_equal(rename(path, hidden), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	begin();
	const struct duid duid = f.duid;
	assert_non_null(keeper_fault(f.keeper));
	say(REQUEST, IA_PD, 1, 1);
	carry_out();
	assert_int_equal(f.loaded_later, 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rename(hidden, path), 0);
	pass(60000);
	let_it_run();
	assert_null(keeper_fault(f.keeper));
	assert_int_equal(f.loaded_later, 1);
	assert_int_equal(dhcp6_server_stats(f.server)->pd.bound, 2);
	list(f.before, &f.n_before);
	end_by_kill();
	begin();
	assert_nothing_lost();
	assert_true(duid_equal(&duid, &f.duid));
}

static void remove_it(const char *end)
{
	char path[128];
	snprintf(path, sizeof path, "%s/leases.db%s", f.dir, end);
	assert_int_equal(unlink(path), 0);
}

static void what_is_deleted_while_it_runs_is_written_anew_before_the_end(void **state)
{
	(void)state;
	static const char *const ends[] = { "", "-wal" };
	begin();
	for (size_t i = 0; i < 3; i++) {
		for (uint32_t client = 0; client < 5; client++)
			say(REQUEST, IA_PD, client + 5 * (uint32_t)i, 1);
		carry_out();
		for (size_t n = 0; n < 2; n++)
			if (i == 2 || i == n)
				remove_it(ends[n]);
		/* Nobody has said anything since. */
		list(f.before, &f.n_before);
		const struct duid duid = f.duid;
		uint8_t secret[STORE_NOTE_LEN];
		memcpy(secret, f.secret, sizeof secret);
		end();
		begin();
		assert_int_equal(f.n_before, 5 * (i + 1));
		assert_nothing_lost();
		assert_true(duid_equal(&duid, &f.duid));
		assert_memory_equal(secret, f.secret, sizeof secret);
	}
	assert_int_equal(f.loaded_later, 0);
}

static void what_was_granted_while_it_could_not_be_stored_is_stored_before_the_end(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/leases.db", f.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	begin();
	assert_non_null(keeper_fault(f.keeper));
	say(REQUEST, IA_PD, 1, 1);
	carry_out();
	assert_int_equal(rmdir(path), 0);
	list(f.before, &f.n_before);
	end();
	begin();
	assert_null(keeper_fault(f.keeper));
	assert_int_equal(f.n_before, 1);
	assert_nothing_lost();
	assert_int_equal(f.loaded_later, 0);
}

/* --- damage
 * -------------------------------------------------------------------------------------------------
 */

static size_t files_aside(void)
{
	DIR *d = opendir(f.dir);
	size_t n = 0;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += strstr(e->d_name, "leases.db.corrupt-") == e->d_name;
	(void)closedir(d); /* it was only read */
	return n;
}

/* So many that the database does not fit into SQLite's memory. */
static void grant_many(uint32_t n)
{
	for (uint32_t client = 0; client < n; client++)
		say(REQUEST, IA_PD, client, 1);
	carry_out();
}

static void spoil_the_file(void)
{
	char path[128];
	static const uint8_t junk[4096] = { 0xff, 0xee, 0xdd };
	struct stat st = { 0 };
	snprintf(path, sizeof path, "%s/leases.db", f.dir);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 4096; at < st.st_size; at += (off_t)sizeof junk)
		assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
	close(fd);
}

static void a_database_that_is_spoiled_while_it_runs_is_moved_aside_and_written_anew(void **state)
{
	(void)state;
	enum { MANY = 16000 };
	assert_int_equal(prefix6_parse("2001:db8:8000::/48", -1, &f.config.pd_pool), 0);
	begin();
	grant_many(MANY);
	end();
	begin();
	spoil_the_file();
	say(RENEW, IA_PD, 1, 1);
	grant_many(MANY);
	assert_non_null(keeper_fault(f.keeper));
	/* Served from memory meanwhile, and written with the rest. */
	say(REQUEST, IA_PD, MANY + 1, 1);
	carry_out();
	assert_int_equal(files_aside(), 0);
	let_it_run();
	assert_null(keeper_fault(f.keeper));
	assert_int_equal(files_aside(), 1);
	say(REQUEST, IA_PD, MANY + 2, 1);
	carry_out();
	assert_null(keeper_fault(f.keeper));
	list(f.before, &f.n_before);
	assert_int_equal(f.n_before, MANY + 2);
	end_by_kill();
	const struct duid duid = f.duid;
	uint8_t secret[STORE_NOTE_LEN];
	memcpy(secret, f.secret, sizeof secret);
	begin();
	assert_nothing_lost();
	assert_true(duid_equal(&duid, &f.duid));
	assert_memory_equal(secret, f.secret, sizeof secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_any_batch_it_finds_all_that_it_had, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_wall_clock_that_is_set_while_it_runs_frees_nothing_and_prolongs_nothing,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_of_no_pool_today_is_there_when_it_is_tomorrow, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_of_no_pool_for_long_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_clients_were_told_while_the_store_could_not_be_read_stands, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_is_deleted_while_it_runs_is_written_anew_before_the_end, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_was_granted_while_it_could_not_be_stored_is_stored_before_the_end,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_database_that_is_spoiled_while_it_runs_is_moved_aside_and_written_anew,
			setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
