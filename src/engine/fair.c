/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/fair.h"

#include "base/pages.h"
#include "base/siphash.h"
#include "wire/dhcp6.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	NOTHING = 0xffff,
	HEARD_TICK_MS = 128,
	HEARD_TICKS = 0xfff, /* mask: they come round after nine minutes */
	HEARD_WAYS = 4,      /* senders with the same place */
	QUEUE_WAYS = 4,      /* queues with the same place */
	TURNS_OF_KNOWN = 3,  /* before who is new has one */
	RELAY_PEER_AT = 18,  /* in a RELAY-FORW (RFC 9915 §9): type, hops, link-address */
};

/* Packets of one sender, and its places among those whose turn comes and those with as many. */
struct queue {
	uint32_t who;        /* bits of its sender's hash */
	uint16_t head, tail; /* slots */
	uint16_t n;
	bool in_ring;        /* some that are empty have not left it yet */
	uint16_t next_turn;  /* queue; meaningless where it is not in the ring */
	uint16_t prev, next; /* among queues of the same length; meaningless where that is 0 */
};

/* Those who are new, or those who are not. */
struct class
{
	uint16_t last_turn; /* in the ring; its next is first. NOTHING: nobody is in it */
	uint16_t longest;
	size_t n;
	struct queue queues[FAIR_QUEUES];
	uint16_t by_length[FAIR_WAITING_MAX + 1]; /* the first queue that is so long */
};

enum { NEW, KNOWN, CLASSES };

struct fair {
	uint8_t key[16];
	unsigned turns;  /* that the known have had in a row */
	uint16_t vacant; /* first of the slots that hold nothing */
	struct fair_stats stats;
	struct class classes[CLASSES];
	uint16_t next[FAIR_WAITING_MAX]; /* slot: in its queue, or among the vacant */
	struct fair_memory *memory;
	struct fair_heard *heard;
	/* None of what follows is ever read from the memory. */
	uint32_t arrivals_used, waiting_used;
	uint32_t batch, taken, decided;
	uint64_t number; /* of the latest */
};

static_assert((int)FAIR_WAITING_MAX < (int)NOTHING && (int)FAIR_QUEUES < (int)NOTHING,
	      "numbers are of 16 bits");
static_assert((int)FAIR_HEARD_MS < (int)HEARD_TICK_MS * HEARD_TICKS / 2, "the ticks come round");

static void link_vacant(struct fair *f)
{
	for (size_t i = 0; i < FAIR_WAITING_MAX; i++)
		f->next[i] = i + 1 < FAIR_WAITING_MAX ? (uint16_t)(i + 1) : NOTHING;
	f->vacant = 0;
}

int fair_new(const uint8_t key[static 16], struct fair_memory *memory, struct fair_heard *heard,
	     struct fair **ret_fair)
{
	struct fair *f = (struct fair *)pages_new(sizeof *f, false);
	if (!f)
		return -ENOMEM;
	memcpy(f->key, key, sizeof f->key);
	f->memory = memory;
	f->heard = heard;
	for (size_t c = 0; c < CLASSES; c++) {
		f->classes[c].last_turn = NOTHING;
		memset(f->classes[c].by_length, 0xff, sizeof f->classes[c].by_length);
	}
	link_vacant(f);
	*ret_fair = f;
	return 0;
}

void fair_free(struct fair *f)
{
	pages_free(f, sizeof *f);
}

/* --- senders
 * ------------------------------------------------------------------------------------------------
 */

/* A relay speaks for many: its clients have some queues between them, and none of these all. */
static uint8_t part_of_relay(const struct fair *f, struct rd packet)
{
	if (rd_u8(&packet) != D6_RELAY_FORW)
		return 0;
	(void)rd_sub(&packet, RELAY_PEER_AT - 1);
	struct in6_addr peer = rd_in6(&packet);
	if (packet.bad)
		return 0;
	return (uint8_t)(1 + siphash24(f->key, &peer, sizeof peer) % FAIR_RELAY_QUEUES);
}

static uint64_t hash_sender(const struct fair *f, const struct pkt_meta *meta, struct rd packet)
{
	struct {
		uint8_t part, lladdr_len;
		uint8_t lladdr[sizeof meta->lladdr];
		struct in6_addr src;
	} who = { .part = part_of_relay(f, packet) };
	if (meta->lladdr_len > 0 && meta->lladdr_len <= sizeof who.lladdr) {
		who.lladdr_len = meta->lladdr_len;
		memcpy(who.lladdr, meta->lladdr, meta->lladdr_len);
	} else {
		who.src = meta->src;
	}
	return siphash24(f->key, &who, sizeof who);
}

static bool is_recent(uint32_t entry, uint32_t now)
{
	return entry && ((now - entry) & HEARD_TICKS) <= (uint32_t)FAIR_HEARD_MS / HEARD_TICK_MS;
}

/* Whether it was heard lately; from now on it was. The latest of a set stand in front. */
static bool hear(struct fair *f, uint64_t hash, uint64_t now_ms)
{
	uint32_t *set = &f->heard->entries[hash % (FAIR_HEARD / HEARD_WAYS) * HEARD_WAYS];
	const uint32_t now = (uint32_t)(now_ms / HEARD_TICK_MS) & HEARD_TICKS;
	/* Never 0, which is nobody. */
	const uint32_t who = ((uint32_t)(hash >> 32) | 1U << 31) & ~(uint32_t)HEARD_TICKS;
	size_t at = 0;
	while (at < HEARD_WAYS - 1 && (set[at] & ~(uint32_t)HEARD_TICKS) != who)
		at++;
	bool known = (set[at] & ~(uint32_t)HEARD_TICKS) == who && is_recent(set[at], now);
	memmove(set + 1, set, at * sizeof *set);
	set[0] = who | now;
	return known;
}

void fair_note(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet)
{
	(void)hear(f, hash_sender(f, meta, packet), now_ms); /* it is served, new or not */
}

/* --- records
 * ------------------------------------------------------------------------------------------------
 */

/*
 * For a reader that comes when the writer is no more: nothing runs at the same time, so it is the
 * order of instructions that counts, which the compiler is to leave as it is. A dead process has
 * carried out all up to one of them.
 */
static void set_state(struct fair_slot *s, enum fair_state state)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	s->state = state;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void into_batch(struct fair *f, struct fair_slot *s)
{
	s->batch = f->batch;
	s->place = (uint16_t)f->taken++;
	set_state(s, FAIR_TAKEN);
}

void fair_begin(struct fair *f)
{
	f->memory->deciding = 0;
	f->memory->batch = ++f->batch; /* before it has anything, and answered of none */
	f->memory->answered = 0;
	f->taken = f->decided = 0;
}

uint8_t *fair_room(struct fair *f, size_t at)
{
	return f->memory->arrivals[at].packet.bytes;
}

struct pkt_meta *fair_arrived(struct fair *f, size_t at, uint64_t now_ms,
			      const struct pkt_meta *meta, size_t len)
{
	struct fair_slot *s = &f->memory->arrivals[at];
	if (at >= f->arrivals_used)
		f->memory->arrivals_used = f->arrivals_used = (uint32_t)at + 1;
	/* Nothing is in its state that counts: it is vacant, or of a batch that is over. */
	s->deaths = s->tries = 0;
	s->at_ms = now_ms;
	s->number = ++f->number;
	s->packet.meta = *meta;
	s->packet.len = (uint16_t)len;
	set_state(s, FAIR_WAITING);
	return &s->packet.meta;
}

const struct fair_packet *fair_serve(struct fair *f, size_t at)
{
	struct fair_slot *s = &f->memory->arrivals[at];
	fair_note(f, s->at_ms, &s->packet.meta, rd_of(s->packet.bytes, s->packet.len));
	into_batch(f, s);
	return &s->packet;
}

void fair_forget(struct fair *f, size_t at)
{
	set_state(&f->memory->arrivals[at], FAIR_VACANT);
}

void fair_deciding(struct fair *f, size_t place)
{
	f->memory->deciding = (uint32_t)place + 1;
}

void fair_decided(struct fair *f, size_t n)
{
	f->decided = (uint32_t)n;
	f->memory->deciding = 0;
}

void fair_answered(struct fair *f)
{
	f->memory->answered = f->decided;
}

void fair_release(struct fair *f)
{
	assert(fair_waiting(f) == 0);
	f->arrivals_used = f->waiting_used = 0;
	link_vacant(f);
}

size_t fair_touched(const struct fair *f)
{
	return (size_t)f->arrivals_used + f->waiting_used;
}

/* --- queues
 * -------------------------------------------------------------------------------------------------
 */

/*
 * A queue of its own, as long as no more than QUEUE_WAYS with the same place have something
 * waiting: nobody is to stand behind a flooder by chance. Beyond that some share one.
 */
static uint16_t queue_of(struct class *c, uint64_t hash)
{
	const uint32_t who = (uint32_t)(hash >> 32);
	const size_t set = hash % (FAIR_QUEUES / QUEUE_WAYS) * QUEUE_WAYS;
	size_t at = set + who % QUEUE_WAYS;
	for (size_t i = set; i < set + QUEUE_WAYS; i++) {
		if (c->queues[i].n && c->queues[i].who == who)
			return (uint16_t)i;
		if (!c->queues[i].n)
			at = i;
	}
	if (!c->queues[at].n)
		c->queues[at].who = who;
	return (uint16_t)at;
}

/* Moves a queue among those that are as long as it is now. */
static void set_length(struct class *c, uint16_t at, uint16_t n)
{
	struct queue *q = &c->queues[at];
	if (q->n) {
		if (q->prev != NOTHING)
			c->queues[q->prev].next = q->next;
		else
			c->by_length[q->n] = q->next;
		if (q->next != NOTHING)
			c->queues[q->next].prev = q->prev;
	}
	q->n = n;
	if (n) {
		q->prev = NOTHING;
		q->next = c->by_length[n];
		if (q->next != NOTHING)
			c->queues[q->next].prev = at;
		c->by_length[n] = at;
	}
	if (n > c->longest)
		c->longest = n;
	while (c->longest && c->by_length[c->longest] == NOTHING)
		c->longest--;
}

/* Behind all others whose turn comes. */
static void join_ring(struct class *c, uint16_t at)
{
	if (c->last_turn == NOTHING) {
		c->queues[at].next_turn = at;
	} else {
		c->queues[at].next_turn = c->queues[c->last_turn].next_turn;
		c->queues[c->last_turn].next_turn = at;
	}
	c->queues[at].in_ring = true;
	c->last_turn = at;
}

/* Whose turn it is; a class where somebody waits has one. */
static uint16_t next_in_ring(struct class *c)
{
	for (;;) {
		uint16_t at = c->queues[c->last_turn].next_turn;
		if (c->queues[at].n) {
			c->last_turn = at;
			return at;
		}
		/* It has lost what it had, or had its last turn. */
		c->queues[at].in_ring = false;
		if (at == c->last_turn)
			c->last_turn = NOTHING;
		else
			c->queues[c->last_turn].next_turn = c->queues[at].next_turn;
	}
}

/* The oldest of a queue, which must have one. */
static uint16_t take_from(struct fair *f, struct class *c, uint16_t at)
{
	struct queue *q = &c->queues[at];
	uint16_t slot = q->head;
	q->head = f->next[slot];
	set_length(c, at, (uint16_t)(q->n - 1));
	c->n--;
	return slot;
}

static void give_back(struct fair *f, uint16_t slot)
{
	f->next[slot] = f->vacant;
	f->vacant = slot;
}

/* Each class is sure of half of the room. */
static void make_room(struct fair *f, const struct class *for_one)
{
	struct class *c = &f->classes[NEW];
	if (c->n < FAIR_WAITING_MAX / 2 || (c->n == FAIR_WAITING_MAX / 2 && for_one != c))
		c = &f->classes[KNOWN];
	uint16_t slot = take_from(f, c, c->by_length[c->longest]);
	f->stats.last_out = f->memory->waiting[slot].packet.meta;
	f->stats.crowded_out++;
	set_state(&f->memory->waiting[slot], FAIR_VACANT);
	give_back(f, slot);
}

/* What a record says of itself beside its packet. */
struct past {
	uint64_t at_ms, number;
	uint8_t deaths, tries;
};

static void fill(struct fair *f, uint16_t slot, const struct past *past,
		 const struct pkt_meta *meta, struct rd packet)
{
	struct fair_slot *s = &f->memory->waiting[slot];
	if (slot >= f->waiting_used)
		f->memory->waiting_used = f->waiting_used = (uint32_t)slot + 1;
	set_state(s, FAIR_FILLING);
	s->deaths = past->deaths;
	s->tries = past->tries;
	s->at_ms = past->at_ms;
	s->number = past->number;
	s->packet.meta = *meta;
	s->packet.len = (uint16_t)rd_left(&packet);
	memcpy(s->packet.bytes, packet.p, s->packet.len);
	set_state(s, FAIR_WAITING);
}

static void put(struct fair *f, uint64_t now_ms, const struct past *past,
		const struct pkt_meta *meta, struct rd packet)
{
	uint64_t hash = hash_sender(f, meta, packet);
	struct class *c = &f->classes[hear(f, hash, now_ms) ? KNOWN : NEW];
	if (f->vacant == NOTHING)
		make_room(f, c);
	uint16_t slot = f->vacant;
	f->vacant = f->next[slot];
	fill(f, slot, past, meta, packet);
	f->next[slot] = NOTHING;
	uint16_t at = queue_of(c, hash);
	struct queue *q = &c->queues[at];
	if (q->n)
		f->next[q->tail] = slot;
	else
		q->head = slot;
	q->tail = slot;
	set_length(c, at, (uint16_t)(q->n + 1));
	c->n++;
	if (!q->in_ring)
		join_ring(c, at);
}

void fair_put(struct fair *f, uint64_t now_ms, const struct pkt_meta *meta, struct rd packet)
{
	f->stats.crowded++;
	if (rd_left(&packet) > FAIR_PACKET_MAX) {
		f->stats.last_out = *meta;
		f->stats.crowded_out++;
		return;
	}
	const struct past past = { .at_ms = now_ms, .number = ++f->number };
	put(f, now_ms, &past, meta, packet);
}

void fair_queue(struct fair *f, size_t at)
{
	struct fair_slot *s = &f->memory->arrivals[at];
	const struct past past = { .at_ms = s->at_ms, .number = s->number };
	f->stats.crowded++;
	put(f, s->at_ms, &past, &s->packet.meta, rd_of(s->packet.bytes, s->packet.len));
	/* For an instant it stands there twice, under one number. */
	set_state(s, FAIR_VACANT);
}

const struct fair_packet *fair_take(struct fair *f)
{
	struct class *known = &f->classes[KNOWN], *new = &f->classes[NEW], *c = known;
	if (fair_waiting(f) == 0)
		return NULL;
	if (known->n == 0 || (new->n > 0 && f->turns >= TURNS_OF_KNOWN))
		c = new;
	f->turns = c == known ? f->turns + 1 : 0;
	uint16_t slot = take_from(f, c, next_in_ring(c));
	/* It holds what it holds until another is put. */
	give_back(f, slot);
	into_batch(f, &f->memory->waiting[slot]);
	return &f->memory->waiting[slot].packet;
}

/* --- what another one left
 * ------------------------------------------------------------------------------------------------
 */

enum { SLOTS = FAIR_BATCH_MAX + FAIR_WAITING_MAX };

struct found {
	uint64_t number;
	uint16_t slot;
};

static const struct fair_slot *slot_of(const struct fair_memory *m, size_t i)
{
	return i < FAIR_BATCH_MAX ? &m->arrivals[i] : &m->waiting[i - FAIR_BATCH_MAX];
}

/* How far the other one was. */
struct progress {
	uint32_t batch, deciding, answered;
};

/* Whether anybody may still serve it. */
static bool may_live(const struct progress *left, const struct fair_slot *s)
{
	if (s->deaths >= FAIR_DEATHS_MAX)
		return false;
	return s->state == FAIR_WAITING || (s->tries == 0 && left->deciding != s->place + 1U);
}

static bool is_over(const struct progress *left, const struct fair_slot *s)
{
	return s->state == FAIR_VACANT ||
	       (s->state == FAIR_TAKEN && (s->batch != left->batch || s->place < left->answered));
}

/* Into a queue, from a copy that nobody else changes; false: nobody may serve it. */
static bool adopt(struct fair *f, uint64_t now_ms, const struct progress *left, struct fair_slot *s,
		  bool (*wanted)(void *ctx, struct fair_packet *packet), void *ctx)
{
	if ((s->state != FAIR_WAITING && s->state != FAIR_TAKEN) || !may_live(left, s) ||
	    s->packet.len > FAIR_PACKET_MAX || s->at_ms > now_ms ||
	    now_ms - s->at_ms > FAIR_AGE_MAX_MS ||
	    s->packet.meta.lladdr_len > sizeof s->packet.meta.lladdr || !wanted(ctx, &s->packet))
		return false;
	const struct past past = { .at_ms = s->at_ms,
				   .number = ++f->number,
				   .deaths = (uint8_t)(s->deaths + 1),
				   .tries = (uint8_t)(s->tries + (s->state == FAIR_TAKEN)) };
	put(f, now_ms, &past, &s->packet.meta, rd_of(s->packet.bytes, s->packet.len));
	return true;
}

static int by_number(const void *a, const void *b)
{
	const struct found *x = (const struct found *)a, *y = (const struct found *)b;
	return (x->number > y->number) - (x->number < y->number);
}

static uint32_t at_most(uint32_t n, uint32_t max)
{
	return n < max ? n : max;
}

void fair_take_over(struct fair *f, uint64_t now_ms, const struct fair_memory *left,
		    bool (*wanted)(void *ctx, struct fair_packet *packet), void *ctx)
{
	const struct progress progress = { left->batch, left->deciding, left->answered };
	const uint32_t used[] = { at_most(left->arrivals_used, FAIR_BATCH_MAX),
				  at_most(left->waiting_used, FAIR_WAITING_MAX) };
	struct found found[SLOTS];
	size_t n = 0;
	for (uint32_t i = 0; i < used[0]; i++)
		found[n++] = (struct found){ left->arrivals[i].number, (uint16_t)i };
	for (uint32_t i = 0; i < used[1]; i++)
		found[n++] =
			(struct found){ left->waiting[i].number, (uint16_t)(FAIR_BATCH_MAX + i) };
	qsort(found, n, sizeof *found, by_number);
	const struct found *last = NULL;
	for (size_t i = 0; i < n; i++) {
		struct fair_slot copy = *slot_of(left, found[i].slot);
		if (is_over(&progress, &copy) || (last && last->number == found[i].number))
			continue;
		last = &found[i];
		if (adopt(f, now_ms, &progress, &copy, wanted, ctx))
			f->stats.taken_over++;
		else
			f->stats.lost++;
	}
}

size_t fair_waiting(const struct fair *f)
{
	return f->classes[NEW].n + f->classes[KNOWN].n;
}

const struct fair_stats *fair_stats(const struct fair *f)
{
	return &f->stats;
}

static bool class_consistent(const struct fair *f, const struct class *c)
{
	size_t n = 0, listed = 0;
	uint16_t longest = 0;
	for (size_t i = 0; i < FAIR_QUEUES; i++) {
		const struct queue *q = &c->queues[i];
		uint16_t slot = q->head, last = NOTHING, k = 0;
		for (; k < q->n; k++) {
			last = slot;
			slot = f->next[slot];
		}
		if (q->n && (last != q->tail || !q->in_ring))
			return false;
		n += q->n;
		longest = q->n > longest ? q->n : longest;
	}
	for (size_t len = 1; len <= FAIR_WAITING_MAX; len++)
		for (uint16_t i = c->by_length[len]; i != NOTHING; i = c->queues[i].next) {
			if (c->queues[i].n != len)
				return false;
			listed += len;
		}
	return n == c->n && listed == n && longest == c->longest;
}

bool fair_consistent(const struct fair *f)
{
	size_t vacant = 0;
	for (uint16_t i = f->vacant; i != NOTHING; i = f->next[i])
		vacant++;
	return vacant + fair_waiting(f) == FAIR_WAITING_MAX &&
	       class_consistent(f, &f->classes[NEW]) && class_consistent(f, &f->classes[KNOWN]);
}
