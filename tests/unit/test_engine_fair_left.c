/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server that died leaves to the next, wherever it was, and whatever stands there. */
#include "unit.h"

#include "base/cleanup.h"
#include "engine/fair.h"
#include "wire/dhcp6.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t key[16] = "a key for tests";
static struct fair_heard *heard;

/* A server: its queues, and its memory, which is there when it is not any more. */
struct life {
	struct fair *fair;
	struct fair_memory *memory;
};

static int setup(void **state)
{
	(void)state;
	heard = calloc(1, sizeof *heard);
	return heard ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(heard);
	return 0;
}

static struct life begin(void)
{
	struct life l = { .memory = mmap(NULL, sizeof *l.memory, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	assert_true(l.memory != MAP_FAILED);
	assert_int_equal(fair_new(key, l.memory, heard, &l.fair), 0);
	return l;
}

static void end(struct life *l)
{
	fair_free(l->fair);
	assert_int_equal(munmap(l->memory, sizeof *l->memory), 0);
}

static bool any(void *ctx, struct fair_packet *packet)
{
	(void)ctx;
	(void)packet;
	return true;
}

/* The next server: what is left of the one before it is its memory. */
static struct life next_life(struct life *dead, uint64_t now_ms)
{
	struct life l = begin();
	fair_take_over(l.fair, now_ms, dead->memory, any, NULL);
	assert_true(fair_consistent(l.fair));
	end(dead);
	return l;
}

/* All are of one sender, so that they stay in their order. */
static const struct pkt_meta sender = { .ifindex = 3,
					.hop_limit = 64,
					.src_port = 546,
					.lladdr_len = 6,
					.lladdr = { 2, 0, 0, 0, 0, 1 } };

static size_t content(uint8_t id, uint8_t ret_bytes[static 256])
{
	memset(ret_bytes, id, 256);
	ret_bytes[0] = D6_SOLICIT;
	return 4 + id;
}

static void put(struct life *l, uint64_t now_ms, uint8_t id)
{
	uint8_t bytes[256];
	size_t len = content(id, bytes);
	fair_put(l->fair, now_ms, &sender, rd_of(bytes, len));
}

static void arrive(struct life *l, uint64_t now_ms, size_t at, uint8_t id)
{
	uint8_t bytes[256];
	size_t len = content(id, bytes);
	memcpy(fair_room(l->fair, at), bytes, len);
	assert_ptr_equal(fair_arrived(l->fair, at, now_ms, &sender, len)->lladdr,
			 l->memory->arrivals[at].packet.meta.lladdr);
}

static uint8_t id_of(const struct fair_packet *p)
{
	uint8_t bytes[256];
	assert_in_range(p->len, 4, 255);
	size_t len = content(p->bytes[3], bytes);
	assert_int_equal(p->len, len);
	assert_memory_equal(p->bytes, bytes, len);
	assert_memory_equal(&p->meta, &sender, sizeof sender);
	return p->bytes[3];
}

static void assert_next(struct life *l, uint8_t id)
{
	const struct fair_packet *p = fair_take(l->fair);
	assert_non_null(p);
	assert_int_equal(id_of(p), id);
}

static void assert_no_more(struct life *l)
{
	assert_null(fair_take(l->fair));
}

static void what_waited_is_served_by_the_next_in_its_order(void **state)
{
	(void)state;
	struct life l = begin();
	fair_begin(l.fair);
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	for (uint8_t id = 0; id < 200; id++)
		put(&l, 1000 + id, id);
	l = next_life(&l, 1500);
	assert_int_equal(fair_stats(l.fair)->taken_over, 200);
	for (uint8_t id = 0; id < 200; id++)
		assert_next(&l, id);
	assert_no_more(&l);
	assert_int_equal(fair_stats(l.fair)->lost, 0);
	end(&l);
}

static void what_was_read_and_not_looked_at_is_there_too(void **state)
{
	(void)state;
	struct life l = begin();
	fair_begin(l.fair);
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	arrive(&l, 1000, 0, 10);
	arrive(&l, 1000, 1, 11);
	fair_queue(l.fair, 0);
	l = next_life(&l, 1000);
	assert_next(&l, 10);
	assert_next(&l, 11);
	assert_no_more(&l);
	end(&l);
}

static void a_batch_has_a_second_try_and_no_third(void **state)
{
	(void)state;
	struct life l = begin();
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	fair_begin(l.fair);
	for (uint8_t id = 0; id < 6; id++)
		put(&l, 1000, id);
	for (uint8_t id = 0; id < 4; id++)
		assert_next(&l, id);
	fair_decided(l.fair, 4);
	l = next_life(&l, 1100);
	assert_int_equal(fair_stats(l.fair)->taken_over, 6);
	fair_begin(l.fair);
	for (uint8_t id = 0; id < 6; id++)
		assert_next(&l, id);
	fair_decided(l.fair, 6);
	l = next_life(&l, 1200);
	assert_int_equal(fair_stats(l.fair)->taken_over, 2);
	assert_int_equal(fair_stats(l.fair)->lost, 4);
	assert_next(&l, 4);
	assert_next(&l, 5);
	assert_no_more(&l);
	end(&l);
}

/* It has come to decide the second of a batch of three. */
static struct life in_its_second_of_three(void)
{
	struct life l = begin();
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	fair_begin(l.fair);
	for (uint8_t id = 0; id < 3; id++) {
		arrive(&l, 1000, id, id);
		assert_int_equal(id_of(fair_serve(l.fair, id)), id);
	}
	fair_deciding(l.fair, 0);
	fair_deciding(l.fair, 1);
	return l;
}

static void the_one_that_was_being_decided_has_none(void **state)
{
	(void)state;
	struct life l = in_its_second_of_three();
	l = next_life(&l, 1000);
	assert_int_equal(fair_stats(l.fair)->lost, 1);
	assert_next(&l, 0);
	assert_next(&l, 2);
	assert_no_more(&l);
	end(&l);
}

static void what_was_answered_is_not_served_again(void **state)
{
	(void)state;
	struct life l = in_its_second_of_three();
	fair_decided(l.fair, 2);
	fair_answered(l.fair);
	l = next_life(&l, 1000);
	assert_int_equal(fair_stats(l.fair)->taken_over, 1);
	assert_int_equal(fair_stats(l.fair)->lost, 0);
	fair_begin(l.fair);
	assert_next(&l, 2);
	fair_deciding(l.fair, 0);
	fair_decided(l.fair, 1);
	fair_answered(l.fair);
	fair_begin(l.fair);
	l = next_life(&l, 1000);
	assert_no_more(&l);
	assert_int_equal(fair_stats(l.fair)->lost, 0);
	end(&l);
}

static void servers_that_die_at_once_come_to_an_empty_queue(void **state)
{
	(void)state;
	struct life l = begin();
	put(&l, 1000, 7);
	for (int death = 0; death < FAIR_DEATHS_MAX; death++) {
		l = next_life(&l, 1000);
		assert_int_equal(fair_waiting(l.fair), 1);
	}
	l = next_life(&l, 1000);
	assert_no_more(&l);
	assert_int_equal(fair_stats(l.fair)->lost, 1);
	end(&l);
}

static void what_is_too_old_or_from_the_future_is_not_served(void **state)
{
	(void)state;
	struct life l = begin();
	fair_note(l.fair, 100000, &sender, rd_of("\1", 1));
	put(&l, 100000 - FAIR_AGE_MAX_MS - 1, 1);
	put(&l, 100000 - FAIR_AGE_MAX_MS, 2);
	put(&l, 100000, 3);
	put(&l, 100001, 4);
	l = next_life(&l, 100000);
	assert_next(&l, 2);
	assert_next(&l, 3);
	assert_no_more(&l);
	assert_int_equal(fair_stats(l.fair)->lost, 2);
	end(&l);
}

static bool of_interface_4(void *ctx, struct fair_packet *packet)
{
	++*(int *)ctx;
	return packet->meta.ifindex == 4;
}

static void what_nobody_wants_and_what_is_not_whole_is_lost(void **state)
{
	(void)state;
	struct life l = begin(), dead = begin();
	for (uint8_t id = 0; id < 8; id++)
		put(&dead, 1000, id);
	struct fair_slot *s = dead.memory->waiting;
	int asked = 0;
	s[0].state = FAIR_FILLING;
	s[1].state = 1;
	s[2].state = FAIR_VACANT;
	s[3].packet.len = FAIR_PACKET_MAX + 1;
	s[4].packet.meta.lladdr_len = sizeof sender.lladdr + 1;
	s[5].packet.meta.ifindex = 4;
	s[6].number = s[7].number; /* the same one */
	fair_take_over(l.fair, 1000, dead.memory, of_interface_4, &asked);
	assert_int_equal(asked, 2);
	assert_int_equal(fair_stats(l.fair)->taken_over, 1);
	assert_int_equal(fair_stats(l.fair)->lost, 5);
	assert_int_equal(fair_take(l.fair)->meta.ifindex, 4);
	assert_no_more(&l);
	end(&l);
	end(&dead);
}

static void a_full_queue_is_taken_over_and_so_is_what_had_just_come(void **state)
{
	(void)state;
	struct life l = begin();
	fair_begin(l.fair);
	for (unsigned i = 0; i < FAIR_WAITING_MAX + 50; i++)
		put(&l, 1000, (uint8_t)(i % 200));
	for (unsigned i = 0; i < FAIR_BATCH_MAX; i++)
		arrive(&l, 1000, i, (uint8_t)i);
	l = next_life(&l, 1000);
	assert_int_equal(fair_stats(l.fair)->taken_over, FAIR_WAITING_MAX + FAIR_BATCH_MAX);
	assert_int_equal(fair_waiting(l.fair), FAIR_WAITING_MAX);
	assert_int_equal(fair_stats(l.fair)->crowded_out, FAIR_BATCH_MAX);
	end(&l);
}

static void memory_that_was_given_back_is_as_new(void **state)
{
	(void)state;
	struct life l = begin();
	fair_begin(l.fair);
	for (uint8_t id = 0; id < 100; id++)
		put(&l, 1000, id);
	while (fair_take(l.fair))
		;
	assert_int_equal(fair_touched(l.fair), 100);
	fair_decided(l.fair, 100);
	fair_answered(l.fair);
	fair_release(l.fair);
	assert_int_equal(madvise(l.memory, sizeof *l.memory, MADV_REMOVE), 0);
	assert_int_equal(fair_touched(l.fair), 0);
	assert_true(fair_consistent(l.fair));
	fair_begin(l.fair);
	put(&l, 1000, 1);
	assert_int_equal(fair_touched(l.fair), 1);
	assert_next(&l, 1);
	put(&l, 1000, 2);
	l = next_life(&l, 1000);
	assert_int_equal(fair_stats(l.fair)->taken_over, 1);
	assert_int_equal(fair_stats(l.fair)->lost, 0);
	end(&l);
}

/* Records of which any part may be anything, more often than not nearly right. */
static void whatever_stands_there_is_survived(void **state)
{
	(void)state;
	struct life dead = begin();
	uint32_t x = 1;
	for (unsigned round = 0; round < 300; round++) {
		uint8_t *at = (uint8_t *)dead.memory;
		const size_t len = sizeof(struct fair_slot) * (round % 40 + 1);
		for (size_t i = 0; i < len && round % 3 == 0; i++) {
			x = x * 1664525 + 1013904223;
			at[i] = (uint8_t)(x >> 24);
		}
		for (unsigned i = 0; i < 40; i++) {
			x = x * 1664525 + 1013904223;
			struct fair_slot *s = x >> 31 ? &dead.memory->arrivals[x >> 8 & 127]
						      : &dead.memory->waiting[x >> 8 & 4095];
			static const uint32_t states[] = { FAIR_VACANT, FAIR_FILLING, FAIR_WAITING,
							   FAIR_TAKEN };
			s->state = states[x >> 29 & 3];
			s->number = x >> 20 & 15;
			s->at_ms = 1000 + (x >> 16 & 7);
			s->deaths = x >> 12 & 3;
			s->packet.len = (uint16_t)(x >> 4);
		}
		dead.memory->arrivals_used = round % 2 ? x : 128;
		dead.memory->waiting_used = round % 2 ? x : 4096;
		struct life l = begin();
		fair_take_over(l.fair, 1005, dead.memory, any, NULL);
		assert_true(fair_consistent(l.fair));
		size_t served = 0;
		for (const struct fair_packet *p; (p = fair_take(l.fair)); served++)
			assert_true(p->len <= FAIR_PACKET_MAX);
		assert_int_equal(served, fair_stats(l.fair)->taken_over);
		end(&l);
	}
	end(&dead);
}

/* --- dying between any two instructions
 * ------------------------------------------------------------------------------------------------
 */

enum { STEPS = 21 };

/* Bits of the packets that are there for the next one after each step. */
static const uint8_t there_after[STEPS] = {
	0x00,       /* fair_begin */
	0x01, 0x03, /* two arrive */
	0x03, 0x03, /* and are queued */
	0x07,       /* another */
	0x07, 0x07, /* two are taken */
	0x06, 0x05, /* each is decided */
	0x07,       /* both are */
	0x04,       /* and answered */
	0x04,       /* fair_begin */
	0x0c, 0x0c, /* one arrives in the place of another, and is served */
	0x04, 0x0c, /* it is decided */
	0x04,       /* and answered */
	0x14, 0x14, /* one arrives there, and is queued where another was */
	0x34,       /* one more */
};

static void step(struct life *l, int n)
{
	switch (n) {
	case 0:
	case 12:
		fair_begin(l->fair);
		break;
	case 1:
	case 2:
		arrive(l, 1000, (size_t)n - 1, (uint8_t)(n - 1));
		break;
	case 3:
	case 4:
		fair_queue(l->fair, (size_t)n - 3);
		break;
	case 5:
		put(l, 1000, 2);
		break;
	case 6:
	case 7:
		(void)fair_take(l->fair);
		break;
	case 8:
	case 9:
		fair_deciding(l->fair, (size_t)n - 8);
		break;
	case 10:
		fair_decided(l->fair, 2);
		break;
	case 11:
	case 17:
		fair_answered(l->fair);
		break;
	case 13:
		arrive(l, 1000, 0, 3);
		break;
	case 14:
		(void)fair_serve(l->fair, 0);
		break;
	case 15:
		fair_deciding(l->fair, 0);
		break;
	case 16:
		fair_decided(l->fair, 1);
		break;
	case 18:
		fair_begin(l->fair);
		arrive(l, 1000, 0, 4);
		break;
	case 19:
		fair_queue(l->fair, 0);
		break;
	default:
		put(l, 1000, 5);
		break;
	}
}

/* What a server finds that comes now, while step n is being made. */
static void look(const struct fair_memory *left, int n)
{
	const unsigned before = n > 0 ? there_after[n - 1] : 0;
	const unsigned after = n < STEPS ? there_after[n] : before;
	struct life l = begin();
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	fair_take_over(l.fair, 1000, left, any, NULL);
	unsigned found = 0;
	for (const struct fair_packet *p; (p = fair_take(l.fair));) {
		unsigned bit = 1U << id_of(p);
		assert_true(bit > found); /* in their order, and each once */
		found |= bit;
	}
	assert_int_equal(found & (before & after), before & after);
	assert_int_equal(found & ~(before | after), 0);
	end(&l);
}

static bool under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");
	return preloaded && strstr(preloaded, "vgpreload");
}

/* Of its own steps, one for each instruction. */
static void dying_between_any_two_instructions_loses_at_most_what_was_being_received(void **state)
{
	(void)state;
	struct life l = begin();
	volatile int *made =
		mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(made != MAP_FAILED);
	fair_note(l.fair, 1000, &sender, rd_of("\1", 1));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (under_valgrind() || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		(void)raise(SIGSTOP); /* cannot fail */
		for (int n = 0; n < STEPS; n++) {
			step(&l, n);
			*made = n + 1;
		}
		_exit(0);
	}
	int status;
	unsigned instructions = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		print_message("# skipped: nobody may be traced here\n");
		skip();
	}
	for (; *made < STEPS; instructions++) {
		look(l.memory, *made);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
	}
	look(l.memory, STEPS);
	print_message("# %u instructions\n", instructions);
	assert_true(instructions > 500);
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(munmap((void *)(uintptr_t)made, sizeof *made), 0);
	end(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(what_waited_is_served_by_the_next_in_its_order),
		TEST(what_was_read_and_not_looked_at_is_there_too),
		TEST(a_batch_has_a_second_try_and_no_third),
		TEST(the_one_that_was_being_decided_has_none),
		TEST(what_was_answered_is_not_served_again),
		TEST(servers_that_die_at_once_come_to_an_empty_queue),
		TEST(what_is_too_old_or_from_the_future_is_not_served),
		TEST(what_nobody_wants_and_what_is_not_whole_is_lost),
		TEST(a_full_queue_is_taken_over_and_so_is_what_had_just_come),
		TEST(memory_that_was_given_back_is_as_new),
		TEST(whatever_stands_there_is_survived),
		TEST(dying_between_any_two_instructions_loses_at_most_what_was_being_received),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
