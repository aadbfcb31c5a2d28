/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/intake.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lladdr.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/prefix.h"
#include "base/ratelimit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
	DRAINS = FAIR_WAITING_MAX / INTAKE_BATCH, /* of the socket before some are served */
	TOLD_EVERY_S = 60,
	SMALL = 2 * INTAKE_BATCH, /* slots: nobody misses their memory */
	SETTLE_MS = 10000,
};

/* A server's: what it reads, and what it has not answered. */
struct own {
	volatile uint64_t receiving_at_ms;
	struct dhcp6_sock_memory sock;
	struct fair_memory fair;
};

struct intake_memory {
	uint8_t key[16];
	struct fair_heard *heard; /* by all of them */
	struct own *now;          /* the server's that is there, or is going to be */
	struct own *left;         /* the one's before it, as long as that is to be passed on */
};

static_assert((int)FAIR_BATCH_MAX == (int)INTAKE_BATCH &&
		      (int)FAIR_PACKET_MAX == (int)DHCP6_SOCK_PACKET_MAX,
	      "what the socket gives is what there is room for");

struct intake {
	struct intake_params p;
	struct fair *fair;
	uint64_t crowd_at_ms;
	uint64_t truncated, foreign, unknown_sender;
	uint64_t taken_over, lost; /* that no record was made of */
	uint64_t told;             /* of those that were crowded out */
	struct ratelimit log_crowd;
	struct dhcp6_packet packets[INTAKE_BATCH];
	struct pkt_meta *metas[INTAKE_BATCH];
};

/* --- memory that outlives a server
 * -----------------------------------------------------------------------------------------------
 */

int intake_memory_new(struct intake_memory **ret_memory)
{
	struct intake_memory *m = calloc(1, sizeof *m);
	if (!m)
		return -ENOMEM;
	int r = getrandom(m->key, sizeof m->key, 0) == (ssize_t)sizeof m->key ? 0 : -EAGAIN;
	m->heard = (struct fair_heard *)pages_new(sizeof *m->heard, true);
	if (r == 0 && !m->heard)
		r = -ENOMEM;
	if (r < 0) {
		intake_memory_free(m);
		return r;
	}
	*ret_memory = m;
	return 0;
}

void intake_memory_free(struct intake_memory *m)
{
	if (!m)
		return;
	pages_free(m->heard, sizeof *m->heard);
	pages_free(m->now, sizeof *m->now);
	pages_free(m->left, sizeof *m->left);
	free(m);
}

int intake_memory_next(struct intake_memory *m)
{
	if (m->left)
		return 0; /* no server has come to be meanwhile */
	struct own *fresh = (struct own *)pages_new(sizeof *fresh, true);
	if (!fresh)
		return -ENOMEM;
	m->left = m->now;
	m->now = fresh;
	return 0;
}

void intake_memory_passed_on(struct intake_memory *m)
{
	pages_free(take_ptr(&m->left), sizeof *m->left);
}

/* --- a server's
 * ------------------------------------------------------------------------------------------------
 */

/* What relays send may be forwarded to us from anywhere, and is answered there. */
static bool from_here(const struct config *c, const struct in6_addr *src)
{
	bool here = IN6_IS_ADDR_LINKLOCAL(src) || prefix6_has_addr(&c->assigned, src) ||
		    prefix6_has_addr(&c->pd_pool, src);
	for (size_t i = 0; i < c->n_transfers && !here; i++)
		here = prefix6_has_addr(&c->transfers[i], src);
	return here;
}

/* On an Ethernet link, without an Ethernet address. Its sender could be somebody new with each
 * message, and have what no station's limit counts; a client whose frame was lost asks again. */
static bool nobodys(const struct intake *in, const struct pkt_meta *m)
{
	return in->p.frames && IN6_IS_ADDR_LINKLOCAL(&m->src) && !m->lladdr_len;
}

static void know_sender(const struct intake *in, struct pkt_meta *m, const struct dhcp6_packet *p)
{
	if (!m->lladdr_len && in->p.frames && IN6_IS_ADDR_LINKLOCAL(&m->src) &&
	    dhcp6_frames_sender(in->p.frames, p, m->lladdr))
		m->lladdr_len = DHCP6_FRAMES_LLADDR;
}

static struct pkt_meta meta_of(const struct dhcp6_packet *p)
{
	return (struct pkt_meta){ .ifindex = p->ifindex,
				  .src = p->src,
				  .dst = p->dst,
				  .hop_limit = p->hop_limit,
				  .src_port = p->src_port };
}

/* What the sockets would have given us, too. */
static bool is_ours(void *ctx, struct fair_packet *packet)
{
	const struct intake *in = (const struct intake *)ctx;
	struct pkt_meta *m = &packet->meta;
	if (m->ifindex != dhcp6_sock_ifindex(in->p.sock) || m->hop_limit < -1 ||
	    m->hop_limit > 255 || (m->lladdr_len && m->lladdr_len != DHCP6_FRAMES_LLADDR) ||
	    !from_here(in->p.config, &m->src))
		return false;
	const struct dhcp6_packet p = {
		.bytes = packet->bytes, .len = packet->len, .src = m->src, .src_port = m->src_port
	};
	know_sender(in, m, &p);
	return !nobodys(in, m);
}

/* It died while it received: the kernel told it of packets, and it nobody. */
static void take_received(struct intake *in, uint64_t now_ms, const struct own *left)
{
	const uint64_t at_ms = left->receiving_at_ms;
	for (size_t i = 0; i < INTAKE_BATCH; i++) {
		const struct fair_slot *s = &left->fair.arrivals[i];
		struct dhcp6_packet p;
		struct fair_packet packet;
		if (s->state == FAIR_WAITING || !dhcp6_sock_left(&left->sock, i, &p) || p.truncated)
			continue;
		packet.meta = meta_of(&p);
		packet.len = (uint16_t)p.len;
		memcpy(packet.bytes, s->packet.bytes, p.len);
		if (at_ms > now_ms || now_ms - at_ms > FAIR_AGE_MAX_MS ||
		    (in->p.frames && p.fragmented) || !is_ours(in, &packet)) {
			in->lost++;
			continue;
		}
		fair_put(in->fair, at_ms, &packet.meta, rd_of(packet.bytes, packet.len));
		in->taken_over++;
	}
}

static void take_over(struct intake *in)
{
	const struct own *left = in->p.memory->left;
	if (!left)
		return;
	const uint64_t now_ms = clock_mono_ms();
	if (in->p.frames)
		dhcp6_frames_learn(in->p.frames); /* it may not have come to that */
	fair_take_over(in->fair, now_ms, &left->fair, is_ours, in);
	take_received(in, now_ms, left);
	intake_memory_passed_on(in->p.memory);
	in->crowd_at_ms = now_ms;
	const uint64_t packets = fair_stats(in->fair)->taken_over + in->taken_over;
	const uint64_t lost = fair_stats(in->fair)->lost + in->lost;
	if (packets || lost)
		log_info("dhcp6", "what the server before this one had read is served",
			 kv_u64("packets", packets), kv_u64("lost", lost));
}

static void lay_out(struct intake *in)
{
	dhcp6_sock_receive_into(in->p.sock, &in->p.memory->now->sock, fair_room(in->fair, 0),
				sizeof(struct fair_slot));
}

int intake_new(const struct intake_params *p, struct intake **ret_intake)
{
	struct intake *in = calloc(1, sizeof *in);
	if (!in)
		return -ENOMEM;
	in->p = *p;
	in->log_crowd = (struct ratelimit){ .per_s = 1, .burst = 1 };
	int r = fair_new(p->memory->key, &p->memory->now->fair, p->memory->heard, &in->fair);
	if (r < 0) {
		intake_free(in);
		return r;
	}
	lay_out(in);
	take_over(in);
	*ret_intake = in;
	return 0;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	fair_free(in->fair);
	free(in);
}

/* Takes out of n packets what nobody is to see, and says what is known of the others: of these it
 * returns how many there are, and their places. */
static size_t look_at(struct intake *in, uint64_t now_ms, size_t n,
		      uint8_t places[static INTAKE_BATCH])
{
	size_t kept = 0;
	/* First of all, so that whatever happens to us they are there for the next. */
	for (size_t i = 0; i < n; i++) {
		const struct dhcp6_packet *p = &in->packets[i];
		in->truncated += p->truncated;
		if (p->truncated)
			continue;
		if (!from_here(in->p.config, &p->src)) {
			in->foreign++;
			continue;
		}
		const struct pkt_meta m = meta_of(p);
		in->metas[kept] = fair_arrived(in->fair, i, now_ms, &m, p->len);
		places[kept++] = (uint8_t)i;
	}
	in->p.memory->now->sock.open = false; /* they are records, all of them */
	/* The frames of these packets have been there before them. */
	if (in->p.frames)
		dhcp6_frames_learn(in->p.frames);
	size_t known = 0;
	for (size_t i = 0; i < kept; i++) {
		know_sender(in, in->metas[i], &in->packets[places[i]]);
		if (nobodys(in, in->metas[i])) {
			fair_forget(in->fair, places[i]);
			in->unknown_sender++;
			continue;
		}
		in->metas[known] = in->metas[i];
		places[known++] = places[i];
	}
	return known;
}

/* Said at once, then at most once a minute. */
static void tell(struct intake *in, uint64_t now_ms)
{
	const struct fair_stats *st = fair_stats(in->fair);
	char mac[LLADDR_STRLEN] = "unknown", src[INET6_ADDRSTRLEN];
	/* The bucket counts in seconds, which are to be longer ones here. */
	if (st->crowded_out == in->told ||
	    !ratelimit_allow(&in->log_crowd, now_ms / TOLD_EVERY_S, NULL))
		return;
	if (st->last_out.lladdr_len == DHCP6_FRAMES_LLADDR)
		(void)lladdr_format(st->last_out.lladdr, mac);
	log_warn("dhcp6", "more comes than can be served, whoever sends most is heard least",
		 kv_u64("dropped", st->crowded_out - in->told), kv_str("last_lladdr", mac),
		 kv_str("last_source", in6_format(&st->last_out.src, src)));
	in->told = st->crowded_out;
}

static void hand_out(const struct fair_packet *p, struct rd *ret_packet, struct pkt_meta *ret_meta)
{
	*ret_packet = rd_of(p->bytes, p->len);
	*ret_meta = p->meta;
}

void intake_settle(struct intake *in, uint64_t now_ms)
{
	if (fair_touched(in->fair) <= SMALL || intake_waiting(in) ||
	    now_ms - in->crowd_at_ms < SETTLE_MS)
		return;
	fair_release(in->fair);
	/* Refused, they stay, and nothing else is different. */
	(void)madvise(in->p.memory->now, sizeof *in->p.memory->now, MADV_REMOVE);
	lay_out(in);
}

int intake_next(struct intake *in, uint64_t now_ms, struct rd ret_packets[static INTAKE_BATCH],
		struct pkt_meta ret_metas[static INTAKE_BATCH])
{
	int n = 0;
	uint8_t places[INTAKE_BATCH];
	intake_settle(in, now_ms);
	fair_begin(in->fair);
	for (int drain = 0; drain < DRAINS; drain++) {
		in->p.memory->now->receiving_at_ms = now_ms;
		n = dhcp6_sock_receive(in->p.sock, in->packets);
		if (n < 0 && !intake_waiting(in))
			return n;
		if (n <= 0)
			break;
		size_t kept = look_at(in, now_ms, (size_t)n, places);
		if (n < INTAKE_BATCH && !intake_waiting(in)) {
			for (size_t i = 0; i < kept; i++)
				hand_out(fair_serve(in->fair, places[i]), &ret_packets[i],
					 &ret_metas[i]);
			if (kept > 0)
				return (int)kept;
			continue;
		}
		for (size_t i = 0; i < kept; i++)
			fair_queue(in->fair, places[i]);
		in->crowd_at_ms = now_ms;
		if (n < INTAKE_BATCH)
			break;
	}
	tell(in, now_ms);
	const struct fair_packet *p;
	int taken = 0;
	while (taken < INTAKE_BATCH && (p = fair_take(in->fair))) {
		hand_out(p, &ret_packets[taken], &ret_metas[taken]);
		taken++;
	}
	return taken;
}

void intake_deciding(struct intake *in, size_t place)
{
	fair_deciding(in->fair, place);
}

void intake_decided(struct intake *in, size_t n)
{
	fair_decided(in->fair, n);
}

void intake_answered(struct intake *in)
{
	fair_answered(in->fair);
}

bool intake_waiting(const struct intake *in)
{
	return fair_waiting(in->fair) > 0;
}

struct intake_stats intake_stats(const struct intake *in)
{
	return (struct intake_stats){ .truncated = in->truncated,
				      .foreign = in->foreign,
				      .unknown_sender = in->unknown_sender,
				      .crowded_out = fair_stats(in->fair)->crowded_out,
				      .server_died = fair_stats(in->fair)->lost + in->lost };
}
