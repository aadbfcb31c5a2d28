/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server that died left in the memory for packets, through as many deaths as there may be:
 * the input is the memory's head, then records, each after the place where it stands. Whatever it
 * is, queues agree with themselves; what is served is a record that stood there, within bounds, no
 * older than may be, each once; and servers that die without having served come to an empty queue.
 */
#include "engine/fair.h"
#include "fuzz/fuzz.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { RECORDS = 64, NOW_MS = 1 << 20, RECORD = offsetof(struct fair_slot, packet.bytes) };

static struct fair_memory memories[2];
static struct fair_heard heard;

/* Slots that the input filled, and those that a fair did. */
static void clear(struct fair_memory *m)
{
	for (size_t i = 0; i < RECORDS; i++)
		memset(&m->arrivals[i], 0, RECORD);
	memset(m->waiting, 0, 2 * RECORDS * sizeof *m->waiting);
	memset(&m->waiting[FAIR_WAITING_MAX - RECORDS], 0, RECORDS * sizeof *m->waiting);
	memset(m, 0, offsetof(struct fair_memory, arrivals));
}

static bool wanted(void *ctx, struct fair_packet *packet)
{
	++*(size_t *)ctx;
	FUZZ_CHECK(packet->len <= FAIR_PACKET_MAX &&
		   packet->meta.lladdr_len <= sizeof packet->meta.lladdr);
	return packet->meta.hop_limit != 1;
}

/* Places of all kinds: arrivals, and the first and the last that wait. */
static struct fair_slot *slot_at(struct fair_memory *m, uint8_t at)
{
	const size_t i = at % RECORDS;
	if (at < RECORDS)
		return &m->arrivals[i];
	return at < 2 * RECORDS ? &m->waiting[i] : &m->waiting[FAIR_WAITING_MAX - RECORDS + i];
}

static size_t fill(struct fair_memory *m, const uint8_t *data, size_t size)
{
	uint32_t head[5];
	size_t n = 0;
	if (size < sizeof head)
		return 0;
	memcpy(head, data, sizeof head);
	m->arrivals_used = head[0];
	m->waiting_used = head[1];
	m->batch = head[2];
	m->deciding = head[3];
	m->answered = head[4];
	for (data += sizeof head, size -= sizeof head; size > 1 && n < RECORDS; n++) {
		struct fair_slot *s = slot_at(m, data[0]);
		static const uint32_t states[] = { FAIR_VACANT, FAIR_FILLING, FAIR_WAITING,
						   FAIR_TAKEN };
		const uint8_t how = data[1];
		data += 2;
		size -= 2;
		size_t len = size < RECORD ? size : RECORD;
		memcpy((void *)(uintptr_t)s, data, len);
		data += len;
		size -= len;
		/* Mostly what is nearly right. */
		if (how & 4)
			s->state = states[how & 3];
		if (how & 8)
			s->at_ms = NOW_MS - (how >> 4) * UINT64_C(400);
		if (how & 16)
			s->packet.len = (uint16_t)(s->packet.len % (FAIR_PACKET_MAX + 2));
		if (how & 32)
			s->batch = m->batch;
		if (how & 64)
			s->deaths &= 3;
		memset(s->packet.bytes, how, 64);
	}
	return n;
}

static struct fair *next_life(const struct fair_memory *left, struct fair_memory *own,
			      size_t *ret_asked)
{
	static const uint8_t key[16] = "a key for tests";
	struct fair *f = NULL;
	*ret_asked = 0;
	FUZZ_CHECK(fair_new(key, own, &heard, &f) == 0);
	fair_take_over(f, NOW_MS, left, wanted, ret_asked);
	const struct fair_stats *st = fair_stats(f);
	FUZZ_CHECK(fair_consistent(f));
	FUZZ_CHECK(st->taken_over == fair_waiting(f) && st->taken_over <= *ret_asked);
	return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fair_memory *left = &memories[0], *own = &memories[1];
	size_t asked, records = fill(left, data, size), waiting = records;
	const bool serves = size > 0 && data[size - 1] & 1;
	for (int life = 0; life <= FAIR_DEATHS_MAX; life++) {
		struct fair *f = next_life(left, own, &asked);
		FUZZ_CHECK(fair_waiting(f) <= waiting);
		waiting = fair_waiting(f);
		fair_begin(f);
		size_t taken = 0;
		for (const struct fair_packet *p; (serves || life == FAIR_DEATHS_MAX) &&
						  taken < FAIR_BATCH_MAX && (p = fair_take(f));
		     taken++) {
			FUZZ_CHECK(p->len <= FAIR_PACKET_MAX && p->meta.hop_limit != 1);
			fair_deciding(f, taken);
		}
		FUZZ_CHECK(life < FAIR_DEATHS_MAX || waiting == 0);
		fair_free(f);
		struct fair_memory *dead = left;
		left = own;
		own = dead;
		clear(own);
	}
	clear(left);
	return 0;
}
