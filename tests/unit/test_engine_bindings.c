/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/bindings.h"

#include <stdlib.h>

static const uint8_t key[16] = { 1, 2, 3 };

static int setup(void **state)
{
	struct binding_table *t = calloc(1, sizeof *t);
	*state = t;
	return t && bindings_init(t, key) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	bindings_done((struct binding_table *)*state);
	free(*state);
	return 0;
}

static struct binding_record record(uint32_t client, uint32_t iaid, uint32_t slot)
{
	struct binding_record r = {
		.kind = BINDING_PD, .state = BINDING_BOUND, .iaid = iaid, .valid_until_ms = 1000
	};
	r.duid = (struct duid){ .len = 6,
				.bytes = { 0, 2, (uint8_t)(client >> 24), (uint8_t)(client >> 16),
					   (uint8_t)(client >> 8), (uint8_t)client } };
	r.prefix = (struct prefix6){ unit_in6("2001:db8::"), 56 };
	for (int i = 0; i < 4; i++)
		r.prefix.addr.s6_addr[3 + i] = (uint8_t)(slot >> (24 - 8 * i));
	return r;
}

static struct binding *add(struct binding_table *t, const struct binding_record *r)
{
	struct binding *b;
	assert_int_equal(bindings_add(t, r, &b), 0);
	return b;
}

static struct binding *find(const struct binding_table *t, const struct binding_record *r)
{
	return bindings_by_client(t, r->kind, r->duid.bytes, r->duid.len, r->iaid);
}

static void finds_by_client_and_by_prefix(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	struct binding_record a = record(1, 1, 1), b = record(1, 2, 2), c = record(2, 1, 3);
	struct binding *ba = add(t, &a), *bb = add(t, &b), *bc = add(t, &c);
	assert_ptr_equal(find(t, &a), ba);
	assert_ptr_equal(find(t, &b), bb);
	assert_ptr_equal(find(t, &c), bc);
	assert_ptr_equal(bindings_by_prefix(t, &b.prefix.addr, 56), bb);
	assert_null(bindings_by_prefix(t, &b.prefix.addr, 60));
	assert_null(bindings_by_client(t, BINDING_NA, a.duid.bytes, a.duid.len,
				       1)); /* an IA_NA's IAIDs are its own (RFC 9915 §12) */
	assert_null(bindings_by_client(t, BINDING_PD, a.duid.bytes, 5, 1));
	assert_true(bindings_consistent(t));
}

static void gives_back_what_it_was_given(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	struct binding_record in = record(7, 9, 3), out;
	memset(&out, 0, sizeof out);
	in.next_hop = unit_in6("fe80::7");
	in.lladdr_len = 6;
	memcpy(in.lladdr, "\2\0\0\0\0\7", 6);
	in.preferred_lft_s = 5;
	in.valid_lft_s = 6;
	in.granted_at_ms = 7;
	binding_to_record(add(t, &in), &out);
	assert_true(duid_equal(&in.duid, &out.duid));
	assert_true(prefix6_equal(&in.prefix, &out.prefix));
	assert_memory_equal(&in.next_hop, &out.next_hop, 16);
	assert_int_equal(out.lladdr_len, 6);
	assert_memory_equal(in.lladdr, out.lladdr, 6);
	assert_int_equal(out.kind, BINDING_PD);
	assert_int_equal(out.state, BINDING_BOUND);
	assert_int_equal(out.iaid, 9);
	assert_int_equal(out.preferred_lft_s, 5);
	assert_int_equal(out.valid_lft_s, 6);
	assert_int_equal(out.granted_at_ms, 7);
	assert_int_equal(out.valid_until_ms, 1000);
}

static uint32_t number_of(const struct binding *b)
{
	return b->id + 1;
}

static void loaded_records_keep_their_numbers(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	static const uint32_t wanted[] = { 5, 2, 5, 4000000, 2000 };
	bindings_load_begin(t, 3000);
	for (uint32_t i = 0; i < 5; i++) {
		struct binding_record r = record(i, 1, i);
		r.number = wanted[i];
		uint32_t number = number_of(add(t, &r));
		/* Taken, and too far beyond the others: those get one that nobody has. */
		assert_int_equal(number == wanted[i], i != 2 && i != 3);
	}
	bindings_load_end(t);
	assert_true(bindings_consistent(t));
	/* Those that come fill the gaps. */
	static const uint32_t next[] = { 1, 3, 4 };
	for (uint32_t i = 0; i < 3; i++) {
		struct binding_record r = record(10 + i, 1, 10 + i);
		r.number = 2;
		assert_int_equal(number_of(add(t, &r)), next[i]);
	}
}

/* RFC 9915 §11.1: up to 128 octets behind the type code. */
static void holds_the_longest_duids(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	for (unsigned len = 1; len <= DUID_MAX; len++) {
		struct binding_record r = record(0, 1, len), out;
		r.duid.len = (uint8_t)len;
		memset(r.duid.bytes, 0xa5, len);
		binding_to_record(add(t, &r), &out);
		assert_true(duid_equal(&r.duid, &out.duid));
	}
	for (unsigned len = 1; len <= DUID_MAX; len++) {
		struct binding_record r = record(0, 1, len);
		r.duid.len = (uint8_t)len;
		memset(r.duid.bytes, 0xa5, len);
		struct binding *b = find(t, &r);
		assert_non_null(b);
		assert_memory_equal(&b->addr, &r.prefix.addr, 16);
		if (len % 2)
			bindings_remove(t, b);
	}
	assert_int_equal(t->n, DUID_MAX / 2);
	assert_true(bindings_consistent(t));
}

static void grows_and_shrinks_without_losing_any(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	enum { N = 20000 };
	for (uint32_t i = 0; i < N; i++) {
		struct binding_record r = record(i % 5000, i / 5000, i);
		r.valid_until_ms = 1 + i * 7919 % N;
		add(t, &r);
	}
	assert_true(bindings_consistent(t));
	for (uint32_t i = 0; i < N; i += 3) {
		struct binding_record r = record(i % 5000, i / 5000, i);
		bindings_remove(t, find(t, &r));
	}
	assert_true(bindings_consistent(t));
	for (uint32_t i = 0; i < N; i++) {
		struct binding_record r = record(i % 5000, i / 5000, i);
		assert_true((find(t, &r) == NULL) == (i % 3 == 0));
		assert_true((bindings_by_prefix(t, &r.prefix.addr, 56) == NULL) == (i % 3 == 0));
	}
	size_t before = bindings_bytes(t);
	for (uint32_t i = 0; i < N; i += 3) {
		struct binding_record r = record(i % 5000, i / 5000, i);
		add(t, &r);
	}
	assert_int_equal(bindings_bytes(t), before); /* what was given back is used again */
	assert_true(bindings_consistent(t));
}

static void what_expires_comes_in_the_order_of_time(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	enum { N = 1000 };
	for (uint32_t i = 0; i < N; i++) {
		struct binding_record r = record(i, 1, i);
		r.valid_until_ms = 1000 + i * 7919 % N;
		add(t, &r);
	}
	assert_int_equal(bindings_deadline(t), 1000);
	assert_null(bindings_expired(t, 999));
	uint64_t last = 0;
	for (uint32_t i = 0; i < N; i++) {
		struct binding *b = bindings_expired(t, 5000);
		assert_non_null(b);
		assert_true(b->valid_until_ms >= last);
		last = b->valid_until_ms;
		bindings_remove(t, b);
	}
	assert_null(bindings_expired(t, 5000));
	assert_int_equal(bindings_deadline(t), UINT64_MAX);
}

static void a_prolonged_one_does_not_expire_at_its_former_time(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	struct binding_record r = record(1, 1, 1), other = record(2, 1, 2);
	other.valid_until_ms = 3000;
	struct binding *b = add(t, &r);
	add(t, &other);
	bindings_set(t, b, BINDING_BOUND, 4000);
	assert_null(bindings_expired(t, 2999));
	assert_int_equal(bindings_deadline(t), 3000); /* it has found its new place */
	assert_true(bindings_consistent(t));
	assert_ptr_equal(bindings_expired(t, 4000), find(t, &other));
	bindings_set(t, b, BINDING_BOUND, 2000); /* and an earlier time counts at once */
	assert_int_equal(bindings_deadline(t), 2000);
	assert_ptr_equal(bindings_expired(t, 2000), b);
	bindings_set(t, b, BINDING_BOUND, UINT64_MAX);
	assert_null(bindings_expired(t, 2999));
	assert_true(bindings_consistent(t));
}

static void freed_ones_queue_by_the_time_of_their_freeing(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	struct binding *b[4];
	for (uint32_t i = 0; i < 4; i++) {
		struct binding_record r = record(i, 1, i);
		b[i] = add(t, &r);
	}
	bindings_set(t, b[2], BINDING_FREED, 1);
	bindings_set(t, b[0], BINDING_FREED, 2);
	bindings_set(t, b[3], BINDING_FREED, 3);
	assert_ptr_equal(bindings_oldest_freed(t, BINDING_PD), b[2]);
	assert_null(bindings_oldest_freed(t, BINDING_NA));
	bindings_set(t, b[2], BINDING_BOUND, 5000); /* its client came back */
	assert_ptr_equal(bindings_oldest_freed(t, BINDING_PD), b[0]);
	bindings_remove(t, b[3]);
	bindings_set(t, b[2], BINDING_FREED, 4);
	bindings_remove(t, b[0]);
	assert_ptr_equal(bindings_oldest_freed(t, BINDING_PD), b[2]);
	assert_int_equal(t->n_by_state[BINDING_PD][BINDING_FREED], 1);
	assert_int_equal(t->n_by_state[BINDING_PD][BINDING_BOUND], 1);
	assert_true(bindings_consistent(t));
}

/* RFC 9915 §18.3.8: it is set aside, and the IA may have another one meanwhile. */
static void a_declined_one_is_not_its_clients_any_more(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	struct binding_record first = record(1, 1, 1), second = record(1, 1, 2);
	struct binding *b = add(t, &first);
	bindings_set(t, b, BINDING_DECLINED, 9000);
	assert_null(find(t, &first));
	assert_ptr_equal(bindings_by_prefix(t, &first.prefix.addr, 56), b);
	struct binding *other = add(t, &second);
	assert_ptr_equal(find(t, &first), other);
	struct binding_holdings h =
		bindings_of_client(t, bindings_hash(t, first.duid.bytes, first.duid.len),
				   first.duid.bytes, first.duid.len);
	assert_int_equal(h.bound, 1);
	assert_int_equal(h.declined, 1);
	assert_int_equal(h.freed, 0);
	assert_null(h.a_freed);
	assert_true(bindings_consistent(t));
}

static int by_hash(const void *a, const void *b)
{
	const struct binding *const *x = (const struct binding *const *)a,
				    *const *y = (const struct binding *const *)b;
	return ((*x)->client_hash > (*y)->client_hash) - ((*x)->client_hash < (*y)->client_hash);
}

static void two_clients_of_one_hash_are_two(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	enum { N = 300000 }; /* of so many some ten pairs have the same 32 bits */
	struct binding **all = calloc(N, sizeof(struct binding *));
	unsigned pairs = 0;
	assert_non_null(all);
	for (uint32_t i = 0; i < N; i++) {
		struct binding_record r = record(i, 1, i);
		all[i] = add(t, &r);
	}
	qsort(all, N, sizeof all[0], by_hash);
	for (uint32_t i = 1; i < N; i++) {
		if (all[i]->client_hash != all[i - 1]->client_hash)
			continue;
		pairs++;
		for (uint32_t k = i - 1; k <= i; k++) {
			assert_ptr_equal(bindings_by_client(t, BINDING_PD, binding_duid(all[k]),
							    all[k]->duid_len, 1),
					 all[k]);
			assert_int_equal(bindings_of_client(t, all[k]->client_hash,
							    binding_duid(all[k]), all[k]->duid_len)
						 .bound,
					 1);
		}
	}
	free(all);
	assert_true(pairs > 0);
}

static int stop_at_two(void *ctx, const struct binding *b)
{
	(void)b;
	return ++*(int *)ctx == 2 ? -ECANCELED : 0;
}

static int count(void *ctx, const struct binding *b)
{
	(void)b;
	++*(int *)ctx;
	return 0;
}

static void each_visits_the_living_and_can_be_stopped(void **state)
{
	struct binding_table *t = (struct binding_table *)*state;
	for (uint32_t i = 0; i < 5; i++) {
		struct binding_record r = record(i, 1, i);
		add(t, &r);
	}
	struct binding_record gone = record(3, 1, 3);
	bindings_remove(t, find(t, &gone));
	int n = 0;
	assert_int_equal(bindings_each(t, count, &n), 0);
	assert_int_equal(n, 4);
	n = 0;
	assert_int_equal(bindings_each(t, stop_at_two, &n), -ECANCELED);
	assert_int_equal(n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_by_client_and_by_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_back_what_it_was_given, setup, teardown),
		cmocka_unit_test_setup_teardown(loaded_records_keep_their_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(holds_the_longest_duids, setup, teardown),
		cmocka_unit_test_setup_teardown(grows_and_shrinks_without_losing_any, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_expires_comes_in_the_order_of_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_prolonged_one_does_not_expire_at_its_former_time,
						setup, teardown),
		cmocka_unit_test_setup_teardown(freed_ones_queue_by_the_time_of_their_freeing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_declined_one_is_not_its_clients_any_more, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_clients_of_one_hash_are_two, setup, teardown),
		cmocka_unit_test_setup_teardown(each_visits_the_living_and_can_be_stopped, setup,
						teardown),
	};
	return cmocka_run_group_tests_name("engine_bindings", tests, NULL, NULL);
}
