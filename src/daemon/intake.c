/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/intake.h"

#include "base/lladdr.h"
#include "base/log.h"
#include "base/prefix.h"
#include "base/ratelimit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	DRAINS = FAIR_WAITING_MAX / INTAKE_BATCH, /* of the socket before some are served */
	TOLD_EVERY_S = 60,
};

struct intake {
	struct intake_params p;
	struct fair *fair;
	uint64_t truncated, foreign;
	uint64_t told; /* of those that were crowded out */
	struct ratelimit log_crowd;
	struct dhcp6_packet packets[INTAKE_BATCH];
};

int intake_new(const struct intake_params *p, struct intake **ret_intake)
{
	uint8_t key[16];
	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EAGAIN;
	struct intake *in = calloc(1, sizeof *in);
	if (!in)
		return -ENOMEM;
	in->p = *p;
	in->log_crowd = (struct ratelimit){ .per_s = 1, .burst = 1 };
	int r = fair_new(key, &in->fair);
	if (r < 0) {
		intake_free(in);
		return r;
	}
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

/* What relays send may be forwarded to us from anywhere, and is answered there. */
static bool from_here(const struct config *c, const struct in6_addr *src)
{
	bool here = IN6_IS_ADDR_LINKLOCAL(src) || prefix6_has_addr(&c->assigned, src) ||
		    prefix6_has_addr(&c->pd_pool, src);
	for (size_t i = 0; i < c->n_transfers && !here; i++)
		here = prefix6_has_addr(&c->transfers[i], src);
	return here;
}

/* Takes out of n packets what nobody is to see, and says what is known of the others. */
static size_t look_at(struct intake *in, size_t n, struct rd *packets, struct pkt_meta *metas)
{
	size_t kept = 0;
	/* The frames of these packets have been there before them. */
	if (in->p.frames)
		dhcp6_frames_learn(in->p.frames);
	for (size_t i = 0; i < n; i++) {
		const struct dhcp6_packet *p = &in->packets[i];
		struct pkt_meta *m = &metas[kept];
		in->truncated += p->truncated;
		if (p->truncated)
			continue;
		if (!from_here(in->p.config, &p->src)) {
			in->foreign++;
			continue;
		}
		*m = (struct pkt_meta){ .ifindex = p->ifindex,
					.src = p->src,
					.dst = p->dst,
					.hop_limit = p->hop_limit,
					.src_port = p->src_port };
		if (in->p.frames && IN6_IS_ADDR_LINKLOCAL(&p->src) &&
		    dhcp6_frames_sender(in->p.frames, &p->src, m->lladdr))
			m->lladdr_len = DHCP6_FRAMES_LLADDR;
		packets[kept++] = rd_of(p->bytes, p->len);
	}
	return kept;
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

int intake_next(struct intake *in, uint64_t now_ms, struct rd ret_packets[static INTAKE_BATCH],
		struct pkt_meta ret_metas[static INTAKE_BATCH])
{
	int n = 0;
	for (int drain = 0; drain < DRAINS; drain++) {
		n = dhcp6_sock_receive(in->p.sock, in->packets);
		if (n < 0 && !intake_waiting(in))
			return n;
		if (n <= 0)
			break;
		size_t kept = look_at(in, (size_t)n, ret_packets, ret_metas);
		if (n < INTAKE_BATCH && !intake_waiting(in)) {
			for (size_t i = 0; i < kept; i++)
				fair_note(in->fair, now_ms, &ret_metas[i], ret_packets[i]);
			if (kept > 0)
				return (int)kept;
			continue;
		}
		for (size_t i = 0; i < kept; i++)
			fair_put(in->fair, now_ms, &ret_metas[i], ret_packets[i]);
		if (n < INTAKE_BATCH)
			break;
	}
	tell(in, now_ms);
	const struct fair_packet *p;
	int taken = 0;
	while (taken < INTAKE_BATCH && (p = fair_take(in->fair))) {
		ret_packets[taken] = rd_of(p->bytes, p->len);
		ret_metas[taken++] = p->meta;
	}
	return taken;
}

bool intake_waiting(const struct intake *in)
{
	return fair_waiting(in->fair) > 0;
}

struct intake_stats intake_stats(const struct intake *in)
{
	return (struct intake_stats){ .truncated = in->truncated,
				      .foreign = in->foreign,
				      .crowded_out = fair_stats(in->fair)->crowded_out };
}
