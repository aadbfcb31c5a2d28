/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server that is somebody else's by now may do to init: each two bytes of the input are a
 * packet of any size, time that goes by, or a turn of the loop. Init hears what was sent, in order,
 * up to the first thing that is no message or should not have been said, which it is told once; so
 * many at once and a second and no more; and until then it is never deaf for good. The loop is this
 * file's own (--wrap).
 */
#include "daemon/inbox.h"
#include "fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 2000, WAITING_MAX = 64 };

#define ALLOWED MESSAGE_UPLINK_ASK

/* A loop of one watch and one timer. */
struct loop_watch {
	loop_fd_fn fn;
	void *ctx;
	int fd;
	bool on;
};
struct loop_timer {
	loop_timer_fn fn;
	void *ctx;
	uint64_t at_ms; /* 0: not running */
};

static struct {
	uint64_t now_ms, began_ms;
	struct loop_watch watch;
	struct loop_timer timer;
	bool no_memory;
	/* what was sent and not heard yet, and what is to come of it */
	uint8_t waiting[WAITING_MAX];
	size_t n_waiting;
	uint64_t heard, heard_now;
	unsigned wrong;
	bool refused; /* what came last should not have been said */
} at;

enum kind { RIGHT, UNASKED, NONE };

int __wrap_loop_watch_fd(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
			 struct loop_watch **ret_watch);
void __wrap_loop_unwatch(struct loop_watch *w);
int __wrap_loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx,
			  struct loop_timer **ret_timer);
void __wrap_loop_timer_set(struct loop_timer *t, uint64_t delay_ms);
void __wrap_loop_timer_stop(struct loop_timer *t);
void __wrap_loop_timer_free(struct loop_timer *t);
uint64_t __wrap_clock_mono_ms(void);

int __wrap_loop_watch_fd(struct loop *l, int fd, loop_fd_fn fn, void *ctx,
			 struct loop_watch **ret_watch)
{
	(void)l;
	if (at.no_memory)
		return -ENOMEM;
	FUZZ_CHECK(!at.watch.on);
	at.watch = (struct loop_watch){ fn, ctx, fd, true };
	*ret_watch = &at.watch;
	return 0;
}

void __wrap_loop_unwatch(struct loop_watch *w)
{
	if (w)
		w->on = false;
}

int __wrap_loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx,
			  struct loop_timer **ret_timer)
{
	(void)l;
	at.timer = (struct loop_timer){ .fn = fn, .ctx = ctx };
	*ret_timer = &at.timer;
	return 0;
}

void __wrap_loop_timer_set(struct loop_timer *t, uint64_t delay_ms)
{
	FUZZ_CHECK(delay_ms > 0);
	t->at_ms = at.now_ms + delay_ms;
}

void __wrap_loop_timer_stop(struct loop_timer *t)
{
	t->at_ms = 0;
}

void __wrap_loop_timer_free(struct loop_timer *t)
{
	if (t)
		t->at_ms = 0;
}

uint64_t __wrap_clock_mono_ms(void)
{
	return at.now_ms;
}

static uint8_t take_waiting(void)
{
	FUZZ_CHECK(at.n_waiting > 0);
	uint8_t first = at.waiting[0];
	memmove(at.waiting, at.waiting + 1, --at.n_waiting);
	return first;
}

static bool on_message(void *ctx, const struct message *m)
{
	(void)ctx;
	uint8_t sent = take_waiting();
	FUZZ_CHECK(at.wrong == 0 && sent != NONE);
	FUZZ_CHECK((sent == RIGHT) == (m->type == ALLOWED));
	at.heard++;
	FUZZ_CHECK(++at.heard_now <= INBOX_AT_ONCE);
	FUZZ_CHECK(at.heard <=
		   INBOX_BURST + 1 + (at.now_ms - at.began_ms) * INBOX_PER_S / UINT64_C(1000));
	at.refused = sent != RIGHT;
	return !at.refused;
}

static void on_wrong(void *ctx)
{
	(void)ctx;
	FUZZ_CHECK(at.refused || take_waiting() == NONE);
	FUZZ_CHECK(at.wrong++ == 0);
}

static void send_packet(int fd, uint8_t what, uint8_t size)
{
	static uint8_t bytes[2 * sizeof(struct message)];
	struct message m;
	memset(&m, what, sizeof m);
	m.type = what & 1 ? ALLOWED : (enum message_type)(what | 0x100);
	memcpy(bytes, &m, sizeof m);
	size_t len = size < 0xc0 ? sizeof m : 1 + (size_t)(size & 0x3f) * 37 % sizeof bytes;
	if (at.n_waiting + 2 > WAITING_MAX || send(fd, bytes, len, MSG_DONTWAIT) < 0)
		return; /* the server would wait */
	at.waiting[at.n_waiting++] = len != sizeof m ? NONE : what & 1 ? RIGHT : UNASKED;
}

static void turn(void)
{
	at.heard_now = 0;
	if (at.timer.at_ms && at.timer.at_ms <= at.now_ms) {
		at.timer.at_ms = 0;
		at.timer.fn(at.timer.ctx);
	}
	at.heard_now = 0;
	if (at.watch.on && at.n_waiting > 0)
		at.watch.fn(at.watch.ctx, at.watch.fd);
	/* Who has done no wrong is heard now, or at a time. */
	FUZZ_CHECK(at.wrong > 0 || at.watch.on || at.timer.at_ms);
	FUZZ_CHECK(at.wrong == 0 || (!at.watch.on && !at.timer.at_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int ends[2];
	struct inbox *in = NULL;
	memset(&at, 0, sizeof at);
	at.now_ms = at.began_ms = 1000;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		   0);
	const struct inbox_calls calls = { .on_message = on_message, .on_wrong = on_wrong };
	FUZZ_CHECK(inbox_new(NULL, ends[0], &calls, &in) == 0);
	for (size_t i = 0; i + 1 < size && i < 2 * STEPS; i += 2) {
		uint8_t what = data[i], arg = data[i + 1];
		switch (what >> 6) {
		case 0:
			at.now_ms += arg;
			break;
		case 1:
			at.no_memory = arg == 0xff;
			turn();
			break;
		case 2: /* its last words, when it has ended */
			at.heard_now = 0;
			inbox_read(in);
			break;
		default:
			send_packet(ends[1], what, arg);
			break;
		}
	}
	/* All that is left is heard in the end, unless something was wrong. */
	at.no_memory = false;
	for (size_t i = 0; i < 100 && at.n_waiting > 0 && at.wrong == 0; i++) {
		at.now_ms += INBOX_PAUSE_MS;
		turn();
	}
	FUZZ_CHECK(at.wrong > 0 || at.n_waiting == 0);
	inbox_free(in);
	(void)close(ends[0]); /* nothing is written there */
	(void)close(ends[1]); /* likewise */
	return 0;
}
