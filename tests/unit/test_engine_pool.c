/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/pool.h"

#include <stdlib.h>

static const uint8_t key[16] = { 9, 8, 7 };

/* A pool with its table, as the server has them. */
struct world {
	struct binding_table table;
	struct pool pool;
	uint32_t iaid; /* of the last client made up */
};

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;
	if (prefix6_parse(text, 128, &p) < 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static void begin(struct world *w, enum binding_kind kind, const char *range, uint8_t min,
		  uint8_t usual, uint8_t max)
{
	const struct prefix6 p = prefix(range);
	memset(w, 0, sizeof *w);
	assert_int_equal(bindings_init(&w->table, key), 0);
	assert_int_equal(pool_init(&w->pool, kind, &p, (const uint8_t[]){ min, usual, max }, key),
			 0);
}

static void end(struct world *w)
{
	bindings_done(&w->table);
	pool_done(&w->pool);
}

static int pick(struct world *w, uint32_t client, uint8_t plen, struct prefix6 *ret_prefix,
		struct binding **ret_freed)
{
	const uint8_t duid[6] = { 0,
				  2,
				  (uint8_t)(client >> 24),
				  (uint8_t)(client >> 16),
				  (uint8_t)(client >> 8),
				  (uint8_t)client };
	const struct pool_wish wish = {
		.duid = duid, .duid_len = sizeof duid, .iaid = 1, .plen = plen
	};
	return pool_pick(&w->pool, &w->table, &wish, ret_prefix, ret_freed);
}

static struct binding *take(struct world *w, uint32_t client, const struct prefix6 *p)
{
	struct binding_record r = { .kind = w->pool.kind,
				    .state = BINDING_BOUND,
				    .iaid = 1,
				    .prefix = *p,
				    .valid_until_ms = UINT64_MAX };
	r.duid = (struct duid){ .len = 6,
				.bytes = { 0, 2, (uint8_t)(client >> 24), (uint8_t)(client >> 16),
					   (uint8_t)(client >> 8), (uint8_t)client } };
	struct binding *b;
	assert_int_equal(bindings_add(&w->table, &r, &b), 0);
	pool_note(&w->pool, p, true);
	return b;
}

static void give_back(struct world *w, struct binding *b)
{
	const struct prefix6 p = { b->addr, b->plen };
	bindings_remove(&w->table, b);
	pool_note(&w->pool, &p, false);
}

/* Picks and takes; the length that came of it, 0 where there was none. */
static uint8_t serve(struct world *w, uint32_t client, uint8_t plen)
{
	struct prefix6 p;
	struct binding *freed;
	if (pick(w, client, plen, &p, &freed) < 0)
		return 0;
	assert_true(pool_owns(&w->pool, &p));
	if (freed)
		give_back(w, freed);
	assert_true(pool_is_free(&w->pool, &w->table, &p));
	take(w, client, &p);
	assert_false(pool_is_free(&w->pool, &w->table, &p));
	return p.plen;
}

static int no_overlap(void *ctx, const struct binding *b)
{
	const struct world *w = (const struct world *)ctx;
	for (uint32_t i = 0; i < w->table.n_begun; i++) {
		const struct binding *o = bindings_get(&w->table, i);
		const struct prefix6 p = { b->addr, b->plen }, q = { o->addr, o->plen };
		if (o != b && o->state && prefix6_overlaps(&p, &q))
			return -EEXIST;
	}
	return 0;
}

static void refuses_lengths_that_contradict_each_other(void **state)
{
	(void)state;
	struct pool p;
	const struct prefix6 range = prefix("2001:db8::/48");
	static const uint8_t bad[][3] = {
		{ 47, 56, 56 }, { 57, 56, 60 }, { 56, 60, 59 }, { 56, 56, 129 }, { 56, 56, 73 }
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(pool_init(&p, BINDING_PD, &range, bad[i], key), -EINVAL);
		pool_done(&p);
	}
}

static void the_same_client_is_given_the_same_slot(void **state)
{
	(void)state;
	struct world w, again;
	struct prefix6 p, q;
	struct binding *freed;
	begin(&w, BINDING_PD, "2001:db8::/40", 56, 56, 56);
	begin(&again, BINDING_PD, "2001:db8::/40", 56, 56, 56);
	for (uint32_t client = 0; client < 200; client++) {
		assert_int_equal(pick(&w, client, 56, &p, &freed), 0);
		assert_int_equal(pick(&again, client, 56, &q, &freed), 0); /* all state lost */
		assert_true(prefix6_equal(&p, &q));
	}
	again.pool.key[0]++;
	unsigned same = 0;
	for (uint32_t client = 0; client < 200; client++) {
		assert_int_equal(pick(&w, client, 56, &p, &freed), 0);
		assert_int_equal(pick(&again, client, 56, &q, &freed), 0);
		same += prefix6_equal(&p, &q);
	}
	assert_true(same < 5); /* and another key gives other slots */
	end(&w);
	end(&again);
}

static void every_slot_is_found_and_none_twice(void **state)
{
	(void)state;
	static const uint8_t plens[] = { 48, 49, 53, 54, 55, 60, 61, 64 };
	for (size_t i = 0; i < sizeof plens; i++) {
		struct world w;
		begin(&w, BINDING_PD, "2001:db8::/48", plens[i], plens[i], plens[i]);
		uint32_t n = 1U << (plens[i] - 48);
		for (uint32_t client = 0; client < n; client++)
			assert_int_equal(serve(&w, client, plens[i]), plens[i]);
		assert_int_equal(serve(&w, n, plens[i]), 0);
		assert_int_equal(w.table.n, n);
		assert_int_equal(w.pool.capacity, n);
		end(&w);
	}
}

static void the_last_free_slot_of_millions_is_found(void **state)
{
	(void)state;
	struct world w;
	struct prefix6 p, last = prefix("2001:db8:0:7b00::/56");
	struct binding *freed;
	begin(&w, BINDING_PD, "2001:db8::/32", 56, 56, 56);
	pool_note(&w.pool, &w.pool.range, true); /* all of it, without a binding for each */
	assert_int_equal(pick(&w, 1, 56, &p, &freed), -ENOSPC);
	pool_note(&w.pool, &last, false);
	assert_int_equal(pick(&w, 1, 56, &p, &freed), 0);
	assert_true(prefix6_equal(&p, &last));
	end(&w);
}

static void excluded_prefixes_are_never_given(void **state)
{
	(void)state;
	struct world w;
	const struct prefix6 transfer = prefix("2001:db8:0:1300::/64"),
			     outside = prefix("2001:db9::/64");
	const struct prefix6 slot = prefix("2001:db8:0:1300::/56"),
			     misfit = prefix("2001:db8:0:1400::/60");
	begin(&w, BINDING_PD, "2001:db8::/48", 56, 56, 56);
	assert_int_equal(pool_exclude(&w.pool, &transfer), 0);
	assert_int_equal(pool_exclude(&w.pool, &outside), 0);
	assert_int_equal(w.pool.capacity, 255);
	assert_false(pool_owns(&w.pool, &slot));
	assert_false(pool_owns(&w.pool, &misfit));
	for (uint32_t client = 0; client < 255; client++)
		assert_int_equal(serve(&w, client, 56), 56);
	assert_int_equal(serve(&w, 255, 56), 0);
	assert_null(bindings_by_prefix(&w.table, &slot.addr, 56));
	end(&w);
}

static void two_parts_of_a_slot_spoil_it_once(void **state)
{
	(void)state;
	struct world w;
	const struct prefix6 parts[] = { prefix("2001:db8:0:1300::/64"),
					 prefix("2001:db8:0:1301::/64"),
					 prefix("2001:db8:0:1400::/64") };
	begin(&w, BINDING_PD, "2001:db8::/48", 56, 56, 56);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pool_exclude(&w.pool, &parts[i]), 0);
	assert_int_equal(w.pool.capacity, 254);
	for (uint32_t client = 0; client < 254; client++)
		assert_int_equal(serve(&w, client, 56), 56);
	assert_int_equal(serve(&w, 254, 56), 0);
	end(&w);
}

static void a_pool_within_what_is_excluded_is_empty(void **state)
{
	(void)state;
	struct world w;
	const struct prefix6 all = prefix("2001:db8::/32");
	begin(&w, BINDING_PD, "2001:db8::/48", 56, 56, 56);
	assert_int_equal(pool_exclude(&w.pool, &all), 0);
	assert_int_equal(w.pool.capacity, 0);
	assert_int_equal(serve(&w, 1, 56), 0);
	end(&w);
}

static void freed_slots_come_last_and_the_oldest_first(void **state)
{
	(void)state;
	struct world w;
	struct prefix6 p;
	struct binding *freed, *b[16];
	begin(&w, BINDING_PD, "2001:db8::/52", 56, 56, 56);
	for (uint32_t i = 0; i < 15; i++) {
		assert_int_equal(pick(&w, i, 56, &p, &freed), 0);
		assert_null(freed);
		b[i] = take(&w, i, &p);
	}
	bindings_set(&w.table, b[7], BINDING_FREED, 1);
	bindings_set(&w.table, b[3], BINDING_FREED, 2);
	assert_int_equal(pick(&w, 100, 56, &p, &freed), 0);
	assert_null(freed); /* there is one that nobody ever had */
	take(&w, 100, &p);
	assert_int_equal(pick(&w, 101, 56, &p, &freed), 0);
	assert_ptr_equal(freed, b[7]);
	assert_memory_equal(&p.addr, &b[7]->addr, 16);
	give_back(&w, freed);
	take(&w, 101, &p);
	assert_int_equal(pick(&w, 102, 56, &p, &freed), 0);
	assert_ptr_equal(freed, b[3]);
	end(&w);
}

static void what_the_message_has_spoken_for_is_avoided(void **state)
{
	(void)state;
	struct world w;
	struct prefix6 p[16], q;
	struct binding *freed;
	const uint8_t duid[] = { 0, 2, 1 };
	begin(&w, BINDING_PD, "2001:db8::/52", 56, 56, 56);
	struct pool_wish wish = { .duid = duid, .duid_len = sizeof duid, .plen = 56, .avoid = p };
	for (uint32_t i = 0; i < 16; i++, wish.n_avoid++) {
		wish.iaid = i;
		assert_int_equal(pool_pick(&w.pool, &w.table, &wish, &p[i], &freed), 0);
		for (uint32_t k = 0; k < i; k++)
			assert_false(prefix6_overlaps(&p[i], &p[k]));
	}
	assert_int_equal(pool_pick(&w.pool, &w.table, &wish, &q, &freed), -ENOSPC);
	end(&w);
}

/* RFC 4291 §2.6.1, RFC 5453 §3: identifiers that are not for hosts. */
static void addresses_have_no_reserved_identifier(void **state)
{
	(void)state;
	struct world w;
	begin(&w, BINDING_NA, "2001:db8::/64", 128, 128, 128);
	static const char *const reserved[] = { "2001:db8::",
						"2001:db8::1",
						"2001:db8::ffff",
						"2001:db8::200:5eff:fe00:0",
						"2001:db8::200:5eff:feff:ffff",
						"2001:db8::fdff:ffff:ffff:ff80",
						"2001:db8::fdff:ffff:ffff:ffff" };
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		const struct prefix6 p = { unit_in6(reserved[i]), 128 };
		assert_false(pool_owns(&w.pool, &p));
	}
	const struct prefix6 good = { unit_in6("2001:db8::1:0:0:1"), 128 };
	assert_true(pool_owns(&w.pool, &good));
	for (uint32_t client = 0; client < 1000; client++)
		assert_int_equal(serve(&w, client, 128), 128);
	assert_int_equal(w.pool.capacity, UINT64_MAX);
	end(&w);
}

static void a_range_too_large_for_a_bitmap_works_by_hash(void **state)
{
	(void)state;
	struct world w;
	begin(&w, BINDING_PD, "2001:db8::/32", 64, 64, 64);
	assert_false(w.pool.has_bitmaps);
	for (uint32_t client = 0; client < 3000; client++)
		assert_int_equal(serve(&w, client, 64), 64);
	assert_int_equal(bindings_each(&w.table, no_overlap, &w), 0);
	end(&w);
}

static void prefixes_of_several_lengths_never_overlap(void **state)
{
	(void)state;
	struct world w;
	begin(&w, BINDING_PD, "2001:db8::/48", 52, 56, 64);
	uint32_t seed = 1, served = 0;
	for (uint32_t client = 0; client < 3000; client++) {
		seed = seed * 1664525 + 1013904223;
		served += serve(&w, client, (uint8_t)(52 + (seed >> 24) % 13)) != 0;
		if (seed >> 16 & 1) {
			struct binding *b = bindings_get(&w.table, (seed >> 8) % w.table.n_begun);
			if (b->state)
				give_back(&w, b);
		}
	}
	assert_true(served > 100);
	assert_int_equal(bindings_each(&w.table, no_overlap, &w), 0);
	uint64_t n = 0;
	for (uint32_t i = 0; i < w.table.n_begun; i++)
		if (bindings_get(&w.table, i)->state)
			n += UINT64_C(1) << (64 - bindings_get(&w.table, i)->plen);
	assert_true(pool_agrees(&w.pool, n));
	assert_false(pool_agrees(&w.pool, n + 1));
	/* And when all has gone, all is free again. */
	for (uint32_t i = 0; i < w.table.n_begun; i++)
		if (bindings_get(&w.table, i)->state)
			give_back(&w, bindings_get(&w.table, i));
	for (uint8_t len = 52; len <= 64; len++)
		for (uint64_t i = 0; i < UINT64_C(1) << (len - 48); i++) {
			const struct prefix6 p = prefix6_nth(&w.pool.range, len, i);
			assert_true(pool_is_free(&w.pool, &w.table, &p));
		}
	end(&w);
}

static void shorter_prefixes_keep_to_the_upper_half(void **state)
{
	(void)state;
	struct world w;
	struct prefix6 p;
	struct binding *freed;
	const struct prefix6 upper = prefix("2001:db8:0:8000::/49");
	begin(&w, BINDING_PD, "2001:db8::/48", 52, 56, 60);
	for (uint32_t client = 0; client < 50; client++)
		for (uint8_t len = 52; len <= 60; len++) {
			assert_int_equal(pick(&w, client, len, &p, &freed), 0);
			assert_int_equal(p.plen, len);
			assert_true(prefix6_contains(&upper, &p) == (len < 56));
		}
	end(&w);
}

/* RFC 8168 §3.2: where the length asked for is used up, a shorter one, and then a longer one. */
static void another_length_where_the_one_wished_for_is_used_up(void **state)
{
	(void)state;
	struct world w;
	begin(&w, BINDING_PD, "2001:db8::/48", 50, 52, 54);
	const struct prefix6 three_quarters[] = { prefix("2001:db8::/50"),
						  prefix("2001:db8:0:4000::/50"),
						  prefix("2001:db8:0:8000::/50") };
	for (uint32_t i = 0; i < 3; i++)
		take(&w, 100 + i, &three_quarters[i]);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(serve(&w, i, 52), 52);
	assert_int_equal(serve(&w, 3, 50),
			 52); /* none of that length: longer, as near as there is */
	assert_int_equal(serve(&w, 4, 54), 0);
	end(&w);
	begin(&w, BINDING_PD, "2001:db8::/48", 50, 52, 54);
	const struct prefix6 parts[] = { prefix("2001:db8::/54"), prefix("2001:db8:0:4000::/54"),
					 prefix("2001:db8:0:8000::/54"),
					 prefix("2001:db8:0:c000::/54") };
	for (uint32_t i = 0; i < 4; i++)
		take(&w, i, &parts[i]);
	assert_int_equal(serve(&w, 9, 50), 51);
	end(&w);
}

static void a_freed_shorter_prefix_is_cut_where_nothing_else_is_left(void **state)
{
	(void)state;
	struct world w;
	struct prefix6 p;
	struct binding *freed;
	begin(&w, BINDING_PD, "2001:db8::/48", 48, 56, 56);
	const struct prefix6 all = prefix("2001:db8::/48");
	struct binding *b = take(&w, 1, &all);
	assert_int_equal(serve(&w, 2, 56), 0);
	bindings_set(&w.table, b, BINDING_FREED, 1);
	assert_int_equal(pick(&w, 2, 56, &p, &freed), 0);
	assert_ptr_equal(freed, b);
	assert_int_equal(p.plen, 56);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_lengths_that_contradict_each_other),
		cmocka_unit_test(the_same_client_is_given_the_same_slot),
		cmocka_unit_test(every_slot_is_found_and_none_twice),
		cmocka_unit_test(the_last_free_slot_of_millions_is_found),
		cmocka_unit_test(excluded_prefixes_are_never_given),
		cmocka_unit_test(two_parts_of_a_slot_spoil_it_once),
		cmocka_unit_test(a_pool_within_what_is_excluded_is_empty),
		cmocka_unit_test(freed_slots_come_last_and_the_oldest_first),
		cmocka_unit_test(what_the_message_has_spoken_for_is_avoided),
		cmocka_unit_test(addresses_have_no_reserved_identifier),
		cmocka_unit_test(a_range_too_large_for_a_bitmap_works_by_hash),
		cmocka_unit_test(prefixes_of_several_lengths_never_overlap),
		cmocka_unit_test(shorter_prefixes_keep_to_the_upper_half),
		cmocka_unit_test(another_length_where_the_one_wished_for_is_used_up),
		cmocka_unit_test(a_freed_shorter_prefix_is_cut_where_nothing_else_is_left),
	};
	return cmocka_run_group_tests_name("engine_pool", tests, NULL, NULL);
}
