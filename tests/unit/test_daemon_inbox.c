/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/inbox.h"
#include "host/loop.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_MS = 20000 };

struct fixture {
	struct loop *loop;
	struct loop_timer *limit;
	struct inbox *inbox;
	int theirs, ours;
	unsigned heard, wrong, most_a_turn;
};

static bool on_message(void *ctx, const struct message *m)
{
	struct fixture *f = (struct fixture *)ctx;
	f->heard++;
	return m->type == MESSAGE_UPLINK_ASK;
}

static void on_wrong(void *ctx)
{
	struct fixture *f = (struct fixture *)ctx;
	f->wrong++;
}

static void on_limit(void *ctx)
{
	(void)ctx;
	fail_msg("%s", "nothing happens any more");
}

static void start(struct fixture *f)
{
	int pair[2];
	*f = (struct fixture){ 0 };
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	f->ours = pair[0];
	f->theirs = pair[1];
	assert_int_equal(loop_new(false, &f->loop), 0);
	assert_int_equal(loop_timer_new(f->loop, on_limit, f, &f->limit), 0);
	loop_timer_set(f->limit, LIMIT_MS);
	const struct inbox_calls calls = { .ctx = f,
					   .on_message = on_message,
					   .on_wrong = on_wrong };
	assert_int_equal(inbox_new(f->loop, f->ours, &calls, &f->inbox), 0);
}

static void finish(struct fixture *f)
{
	inbox_free(f->inbox);
	loop_timer_free(f->limit);
	loop_free(f->loop);
	if (f->theirs >= 0)
		close(f->theirs);
	close(f->ours);
}

/* As many as there is room for; how many. */
static unsigned flood(struct fixture *f)
{
	const struct message m = { .type = MESSAGE_UPLINK_ASK };
	unsigned n = 0;
	while (message_send(f->theirs, &m) == 0)
		n++;
	return n;
}

static void turn(struct fixture *f)
{
	unsigned before = f->heard;
	loop_step(f->loop);
	if (f->heard - before > f->most_a_turn)
		f->most_a_turn = f->heard - before;
}

static void what_is_said_is_heard_in_order(void **state)
{
	(void)state;
	struct fixture f;
	start(&f);
	const struct message m = { .type = MESSAGE_UPLINK_ASK };
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(message_send(f.theirs, &m), 0);
	while (f.heard < 5)
		turn(&f);
	assert_int_equal(f.wrong, 0);
	finish(&f);
}

static void a_flood_has_so_many_messages_a_turn_and_so_many_a_second(void **state)
{
	(void)state;
	struct fixture f;
	start(&f);
	const uint64_t begun_ms = clock_mono_ms();
	unsigned said = flood(&f);
	assert_true(said > INBOX_AT_ONCE);
	while (f.heard < INBOX_BURST + 20) {
		turn(&f);
		said += flood(&f);
	}
	const uint64_t took_ms = clock_mono_ms() - begun_ms;
	assert_true(f.most_a_turn <= INBOX_AT_ONCE);
	assert_true(f.heard <= INBOX_BURST + INBOX_PER_S * took_ms / 1000 + 1);
	assert_true(said > f.heard); /* the rest waits, and the sender cannot send any more */
	assert_int_equal(f.wrong, 0);
	finish(&f);
}

static void a_flood_pauses_its_reader_and_not_the_loop(void **state)
{
	(void)state;
	struct fixture f;
	start(&f);
	for (flood(&f); f.heard < INBOX_BURST; flood(&f))
		turn(&f);
	/* Nothing is due but the end of the pause: the loop sleeps until then. */
	unsigned before = f.heard, turns = 0;
	for (; f.heard == before; turns++)
		turn(&f);
	assert_in_range(turns, 1, 4);
	finish(&f);
}

static void nothing_is_heard_of_whoever_says_what_it_should_not(void **state)
{
	(void)state;
	struct fixture f;
	start(&f);
	const struct message wrong = { .type = MESSAGE_STOP },
			     right = { .type = MESSAGE_UPLINK_ASK };
	assert_int_equal(message_send(f.theirs, &wrong), 0);
	assert_int_equal(message_send(f.theirs, &right), 0);
	while (!f.wrong)
		turn(&f);
	inbox_read(f.inbox);
	assert_int_equal(f.heard, 1);
	assert_int_equal(f.wrong, 1);
	finish(&f);
}

static void what_is_no_message_is_wrong_whatever_its_size(void **state)
{
	(void)state;
	static const uint8_t bytes[2 * sizeof(struct message)];
	const size_t sizes[] = { 1, sizeof(struct message) - 1, sizeof(struct message) + 1,
				 sizeof bytes };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fixture f;
		start(&f);
		assert_int_equal(send(f.theirs, bytes, sizes[i], 0), sizes[i]);
		while (!f.wrong)
			turn(&f);
		assert_int_equal(f.heard, 0);
		finish(&f);
	}
}

static void an_end_is_no_fault_and_what_was_said_before_is_heard(void **state)
{
	(void)state;
	struct fixture f;
	start(&f);
	const struct message m = { .type = MESSAGE_UPLINK_ASK };
	assert_int_equal(message_send(f.theirs, &m), 0);
	close(f.theirs);
	f.theirs = -1;
	assert_false(inbox_is_over(f.inbox));
	inbox_read(f.inbox);
	inbox_read(f.inbox);
	assert_true(inbox_is_over(f.inbox));
	assert_int_equal(f.heard, 1);
	assert_int_equal(f.wrong, 0);
	inbox_read(NULL);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_heard_in_order),
		cmocka_unit_test(a_flood_has_so_many_messages_a_turn_and_so_many_a_second),
		cmocka_unit_test(a_flood_pauses_its_reader_and_not_the_loop),
		cmocka_unit_test(nothing_is_heard_of_whoever_says_what_it_should_not),
		cmocka_unit_test(what_is_no_message_is_wrong_whatever_its_size),
		cmocka_unit_test(an_end_is_no_fault_and_what_was_said_before_is_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
