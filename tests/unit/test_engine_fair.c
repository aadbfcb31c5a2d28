/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "engine/fair.h"
#include "wire/dhcp6.h"

#include <stdlib.h>

static struct fair *fair;
static struct fair_memory *memory;
static struct fair_heard *heard;

static const uint8_t key[16] = "a key for tests";

static int setup(void **state)
{
	(void)state;
	memory = calloc(1, sizeof *memory);
	heard = calloc(1, sizeof *heard);
	return memory && heard ? fair_new(key, memory, heard, &fair) : -1;
}

static int teardown(void **state)
{
	(void)state;
	fair_free(fair);
	free(memory);
	free(heard);
	return 0;
}

/* A sender of this number, by its link-layer address. */
static struct pkt_meta from(uint32_t n)
{
	struct pkt_meta m = { .src = unit_in6("fe80::1234"), .lladdr_len = 6, .lladdr = { 2 } };
	memcpy(m.lladdr + 2, &n, sizeof n);
	return m;
}

static uint32_t sender_of(const struct fair_packet *p)
{
	uint32_t n;
	memcpy(&n, p->meta.lladdr + 2, sizeof n);
	return n;
}

static void put(uint64_t now_ms, uint32_t sender, uint8_t content)
{
	const uint8_t bytes[4] = { D6_SOLICIT, content };
	const struct pkt_meta m = from(sender);
	fair_put(fair, now_ms, &m, rd_of(bytes, sizeof bytes));
}

static void assert_next(uint32_t sender, uint8_t content)
{
	const struct fair_packet *p = fair_take(fair);
	assert_non_null(p);
	assert_int_equal(sender_of(p), sender);
	assert_int_equal(p->bytes[1], content);
	assert_int_equal(p->len, 4);
}

/* How many of the next n are this one's. */
static unsigned count_next(unsigned n, uint32_t sender)
{
	unsigned found = 0;
	for (const struct fair_packet *p; n > 0 && (p = fair_take(fair)); n--)
		found += sender_of(p) == sender;
	return found;
}

static void who_is_alone_has_everything_in_its_order(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 200; i++)
		put(1000, 1, i);
	/* The first made it known. */
	assert_next(1, 1);
	for (unsigned i = 0; i < 199; i++)
		assert_non_null(fair_take(fair));
	assert_null(fair_take(fair));
	assert_int_equal(fair_waiting(fair), 0);
	assert_int_equal(fair_stats(fair)->crowded_out, 0);
	for (uint8_t i = 0; i < 200; i++)
		put(1001, 1, i);
	for (uint8_t i = 0; i < 200; i++)
		assert_next(1, i);
	assert_true(fair_consistent(fair));
}

static void senders_take_turns_however_much_one_of_them_sends(void **state)
{
	(void)state;
	for (uint32_t s = 1; s <= 3; s++) {
		const struct pkt_meta m = from(s);
		fair_note(fair, 1000, &m, rd_of("\1", 1));
	}
	for (uint8_t i = 0; i < 100; i++)
		put(1000, 1, i);
	put(1000, 2, 1);
	put(1000, 3, 1);
	put(1000, 3, 2);
	assert_next(1, 0);
	assert_next(2, 1);
	assert_next(3, 1);
	assert_next(1, 1);
	assert_next(3, 2);
	assert_next(1, 2);
	assert_next(1, 3);
	put(1000, 2, 9); /* it left when it had nothing more, and comes back */
	assert_next(1, 4);
	assert_next(2, 9);
}

static void what_has_no_room_is_taken_from_whoever_has_most(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3 * FAIR_WAITING_MAX; i++) {
		put(1000, 1, (uint8_t)i);
		if (i % 64 == 0)
			put(1000, 2 + i / 64 % 100, 1); /* a hundred of them, nearly twice each */
	}
	assert_true(fair_consistent(fair));
	assert_int_equal(fair_waiting(fair), FAIR_WAITING_MAX);
	assert_int_equal(sender_of((const struct fair_packet *)&(struct fair_packet){
				 .meta = fair_stats(fair)->last_out }),
			 1);
	unsigned of_others = FAIR_WAITING_MAX - count_next(FAIR_WAITING_MAX, 1);
	assert_int_equal(of_others, 3 * FAIR_WAITING_MAX / 64);
}

static void who_asks_again_is_heard_before_those_that_somebody_makes_up(void **state)
{
	(void)state;
	const uint32_t honest = 7;
	uint32_t made_up = 1 << 20;
	put(1000, honest, 1);
	/* At fifty a millisecond, of which ten are served. */
	for (uint64_t ms = 1000; ms < 2050; ms++) {
		for (int i = 0; i < 50; i++)
			put(ms, made_up++, 0);
		for (int i = 0; i < 10; i++)
			assert_non_null(fair_take(fair));
	}
	assert_true(fair_consistent(fair));
	put(2050, honest, 2);
	assert_int_equal(count_next(2, honest), 1);
}

static void who_is_new_has_a_turn_in_four(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 400; i++)
		put(1000, 1 + i % 2, 0);
	for (uint32_t i = 0; i < 100; i++)
		put(1000, 1000 + i, 0);
	unsigned new = 0;
	for (int i = 0; i < 200; i++)
		new += sender_of(fair_take(fair)) >= 1000;
	assert_in_range(new, 48, 52);
}

static void without_a_link_layer_address_the_source_tells_senders_apart(void **state)
{
	(void)state;
	const struct pkt_meta a = { .src = unit_in6("fe80::a") },
			      b = { .src = unit_in6("fe80::b") };
	fair_note(fair, 1000, &a, rd_of("\1", 1));
	fair_note(fair, 1000, &b, rd_of("\1", 1));
	for (int i = 0; i < 10; i++)
		fair_put(fair, 1000, &a, rd_of("\1", 1));
	fair_put(fair, 1000, &b, rd_of("\1", 1));
	(void)fair_take(fair);
	assert_memory_equal(&fair_take(fair)->meta.src, &b.src, sizeof b.src);
}

/* Each of a relay's clients has its turn beside the others, and all of them some turns beside those
 * who are not behind it. */
static void a_relays_clients_share_a_part(void **state)
{
	(void)state;
	uint8_t bytes[60] = { D6_RELAY_FORW };
	const struct pkt_meta relay = from(1);
	for (int round = 0; round < 2; round++) /* once to be heard */
		for (uint16_t client = 0; client < 500; client++) {
			memcpy(bytes + 18, &client, sizeof client);
			fair_put(fair, 1000, &relay, rd_of(bytes, sizeof bytes));
			while (round == 0 && fair_take(fair))
				;
		}
	const struct pkt_meta other = from(2);
	fair_note(fair, 1000, &other, rd_of("\1", 1));
	put(1000, 2, 0);
	assert_int_equal(count_next(FAIR_RELAY_QUEUES + 1, 2), 1);
	uint16_t first, second;
	memcpy(&first, fair_take(fair)->bytes + 18, sizeof first);
	memcpy(&second, fair_take(fair)->bytes + 18, sizeof second);
	assert_int_not_equal(first, second);
}

static void a_cut_relays_message_is_its_own(void **state)
{
	(void)state;
	const uint8_t cut[20] = { D6_RELAY_FORW };
	const struct pkt_meta m = from(1);
	fair_note(fair, 1000, &m, rd_of(cut, 0));
	fair_put(fair, 1000, &m, rd_of(cut, sizeof cut));
	fair_put(fair, 1000, &m, rd_of(cut, 0));
	assert_int_equal(fair_take(fair)->len, 20);
	assert_int_equal(fair_take(fair)->len, 0);
}

static void who_was_heard_long_ago_is_new(void **state)
{
	(void)state;
	for (uint64_t later = FAIR_HEARD_MS; later <= FAIR_HEARD_MS * 3; later += FAIR_HEARD_MS) {
		uint64_t now_ms = 1000000 * later;
		const struct pkt_meta flooder = from(1), other = from(2);
		fair_note(fair, now_ms, &other, rd_of("\1", 1));
		now_ms += later;
		fair_note(fair, now_ms, &flooder, rd_of("\1", 1));
		for (int i = 0; i < 20; i++)
			put(now_ms, 1, 0);
		put(now_ms, 2, 0);
		bool in_first_round = count_next(2, 2) == 1;
		assert_int_equal(in_first_round, later == FAIR_HEARD_MS);
		(void)teardown(state);
		(void)setup(state);
	}
}

static void what_is_too_long_is_dropped(void **state)
{
	(void)state;
	static const uint8_t bytes[FAIR_PACKET_MAX + 1];
	const struct pkt_meta m = from(1);
	fair_put(fair, 1000, &m, rd_of(bytes, sizeof bytes));
	assert_null(fair_take(fair));
	assert_int_equal(fair_stats(fair)->crowded_out, 1);
	fair_put(fair, 1000, &m, rd_of(bytes, FAIR_PACKET_MAX));
	assert_int_equal(fair_take(fair)->len, FAIR_PACKET_MAX);
}

static void everything_agrees_whatever_comes(void **state)
{
	(void)state;
	uint32_t x = 1;
	for (unsigned i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		uint32_t sender = x >> 28 == 0 ? x : x >> 20 & 0xff; /* some are made up */
		unsigned phase = i / 20000 % 3;
		if ((x >> 8 & 3) > phase)
			put(i / 10, sender & (sender >> 3), (uint8_t)x);
		else
			(void)fair_take(fair);
		if (i % 5000 == 0)
			assert_true(fair_consistent(fair));
	}
	while (fair_take(fair))
		;
	assert_true(fair_consistent(fair));
	assert_int_equal(fair_waiting(fair), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(who_is_alone_has_everything_in_its_order),
		TEST(senders_take_turns_however_much_one_of_them_sends),
		TEST(what_has_no_room_is_taken_from_whoever_has_most),
		TEST(who_asks_again_is_heard_before_those_that_somebody_makes_up),
		TEST(who_is_new_has_a_turn_in_four),
		TEST(without_a_link_layer_address_the_source_tells_senders_apart),
		TEST(a_relays_clients_share_a_part),
		TEST(a_cut_relays_message_is_its_own),
		TEST(who_was_heard_long_ago_is_new),
		TEST(what_is_too_long_is_dropped),
		TEST(everything_agrees_whatever_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
