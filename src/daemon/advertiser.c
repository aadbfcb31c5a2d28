/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/advertiser.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "daemon/advertisement.h"
#include "engine/ra.h"

#include <assert.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ROUNDS = 16 }; /* batches of the socket before others have their turn */

struct advertiser {
	struct advertiser_params p;
	struct in6_addr link_local;
	struct loop_timer *timer;
	struct loop_watch *sock_watch; /* NULL: not begun */
	struct ra ra;
	struct nd_packet packets[ND_SOCK_BATCH];
	struct ra_out out;
	struct advertiser_stats stats;
	struct foreign_watch foreign;
	struct ratelimit log_fault;
	bool told; /* that the first is sent */
};

static uint32_t random32(void *arg)
{
	(void)arg;
	uint32_t v = 0;
	/* Never fails for 4 bytes once the kernel's pool is ready, which it is long before
	 * containers start. */
	(void)!getrandom(&v, sizeof v, 0);
	return v;
}

static void arm(struct advertiser *a)
{
	uint64_t at = ra_deadline(&a->ra), now_ms = clock_mono_ms();
	if (at == UINT64_MAX || !a->sock_watch)
		loop_timer_stop(a->timer);
	else
		loop_timer_set(a->timer, at > now_ms ? at - now_ms : 0);
}

/* Where its solicitation told an Ethernet address, straight to that. */
static int send_to(struct advertiser *a, const struct ra_dst *to, const uint8_t *bytes, size_t len)
{
	int r = to->has_lladdr ? nd_sock_send_frame(a->p.sock, &a->link_local, &to->addr,
						    to->lladdr, bytes, len)
			       : -EOPNOTSUPP;
	return r == -EOPNOTSUPP ? nd_sock_send(a->p.sock, &a->link_local, &to->addr, bytes, len)
				: r;
}

static void transmit(struct advertiser *a, uint64_t now_ms)
{
	for (size_t i = 0; i < a->out.n; i++) {
		int r = 0;
		for (size_t k = 0; r == 0 && k < a->out.packets->n; k++)
			r = send_to(a, &a->out.dst[i], a->out.packets->packets[k].bytes,
				    a->out.packets->packets[k].len);
		if (r == 0) {
			a->stats.ra_sent++;
			continue;
		}
		a->stats.ra_failed++;
		ra_undeliverable(&a->ra, now_ms);
		if (ratelimit_allow(&a->log_fault, now_ms, NULL))
			log_warn("ra", "an advertisement cannot be sent", kv_errno(r));
	}
	if (a->stats.ra_sent && !a->told)
		a->told = a->p.on_sent(a->p.ctx);
}

static void on_due(void *ctx)
{
	struct advertiser *a = (struct advertiser *)ctx;
	uint64_t now_ms = clock_mono_ms();
	do {
		ra_tick(&a->ra, now_ms, &a->out);
		transmit(a, now_ms);
	} while (a->out.n == RA_OUT_MAX);
	arm(a);
}

/* But for the checksum, which is the kernel's. */
static bool is_sent(const struct advertiser *a, const struct nd_packet *p)
{
	enum { CHECKSUM_END = 4 };
	for (size_t i = 0; i < a->ra.packets.n; i++)
		if (a->ra.packets.packets[i].len == p->len && p->len > CHECKSUM_END &&
		    memcmp(a->ra.packets.packets[i].bytes + CHECKSUM_END, p->bytes + CHECKSUM_END,
			   p->len - CHECKSUM_END) == 0)
			return true;
	return false;
}

static void on_foreign_ra(struct advertiser *a, const struct pkt_meta *meta,
			  const struct nd_packet *p, uint64_t now_ms)
{
	const struct foreign_ours ours = {
		.adv = &a->ra.config.adv,
		.link_local = a->link_local,
		.slla = a->p.lladdr_len == 6 ? a->p.lladdr : NULL,
		.assigned = a->p.config->assigned,
		.same_bytes = is_sent(a, p),
	};
	if (foreign_watch_input(&a->foreign, now_ms, meta, rd_of(p->bytes, p->len), &ours))
		a->p.on_contested(a->p.ctx);
}

static void on_packets(void *ctx, int fd)
{
	(void)fd;
	struct advertiser *a = (struct advertiser *)ctx;
	uint64_t now_ms = clock_mono_ms();
	for (int round = 0; round < ROUNDS; round++) {
		int n = nd_sock_receive(a->p.sock, a->packets);
		if (n < 0 && ratelimit_allow(&a->log_fault, now_ms, NULL))
			log_warn("ra", "cannot receive", kv_errno(n));
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			const struct nd_packet *p = &a->packets[i];
			const struct pkt_meta meta = { .ifindex = p->ifindex,
						       .src = p->src,
						       .dst = p->dst,
						       .hop_limit = p->hop_limit };
			struct nd_rs rs;
			if (p->len > 0 && p->bytes[0] == ND_ROUTER_ADVERT) {
				on_foreign_ra(a, &meta, p, now_ms);
				continue;
			}
			a->stats.rs_received++;
			enum nd_verdict v = nd_parse_rs(rd_of(p->bytes, p->len), &meta, &rs);
			if (v != ND_OK || !ra_input(&a->ra, now_ms, &meta, &rs))
				a->stats.rs_dropped++;
			if (v != ND_OK)
				a->stats.drops[v]++;
		}
		if (n < ND_SOCK_BATCH)
			break;
	}
	a->stats.rs_limited = a->ra.n_limited;
	arm(a);
}

static_assert((int)STORE_NOTE_LEN == (int)ADVERTISEMENT_NOTE_LEN, "no note is of that length");

static int init_engine(struct advertiser *a)
{
	struct ra_config rc;
	advertisement_of(a->p.config, a->p.mtu, &rc);
	if (rc.adv.pvd.fqdn) {
		uint8_t last[STORE_NOTE_LEN], note[STORE_NOTE_LEN];
		bool known = keeper_advertised(a->p.keeper, last);
		advertisement_number(a->p.config, known ? last : NULL, &rc, note);
		keeper_put_advertised(a->p.keeper, note);
	}
	if (rc.adv.has_slla && a->p.lladdr_len == sizeof rc.adv.slla)
		memcpy(rc.adv.slla, a->p.lladdr, sizeof rc.adv.slla);
	else
		rc.adv.has_slla = false;
	return ra_init(&a->ra, &rc, random32, NULL);
}

int advertiser_new(const struct advertiser_params *p, struct advertiser **ret_advertiser)
{
	struct advertiser *a = calloc(1, sizeof *a); /* untouched pages cost nothing */
	if (!a)
		return -ENOMEM;
	a->p = *p;
	a->log_fault = (struct ratelimit){ .per_s = 1, .burst = 10 };
	foreign_watch_init(&a->foreign);
	int r = loop_timer_new(p->loop, on_due, a, &a->timer);
	if (r == 0)
		r = init_engine(a);
	if (r < 0) {
		advertiser_free(a);
		return r;
	}
	*ret_advertiser = a;
	return 0;
}

void advertiser_free(struct advertiser *a)
{
	if (!a)
		return;
	loop_unwatch(a->sock_watch);
	loop_timer_free(a->timer);
	free(a);
}

int advertiser_begin(struct advertiser *a, const struct in6_addr *link_local)
{
	a->link_local = *link_local;
	int r = loop_watch_fd(a->p.loop, nd_sock_fd(a->p.sock), on_packets, a, &a->sock_watch);
	if (r == 0)
		advertiser_link(a, true);
	return r;
}

void advertiser_from(struct advertiser *a, const struct in6_addr *link_local)
{
	a->link_local = *link_local;
	foreign_moved(&a->foreign.table);
}

void advertiser_link(struct advertiser *a, bool up)
{
	if (up)
		ra_link_up(&a->ra, clock_mono_ms());
	else
		ra_link_down(&a->ra);
	on_due(a);
}

void advertiser_uplink(struct advertiser *a, bool works)
{
	ra_set_uplink(&a->ra, clock_mono_ms(), works);
	if (a->sock_watch) /* else begun it is not, and says it when it is */
		on_due(a);
}

void advertiser_farewell(struct advertiser *a)
{
	ra_stop(&a->ra, &a->out);
	transmit(a, clock_mono_ms());
}

const struct foreign_watch *advertiser_foreign(const struct advertiser *a)
{
	return &a->foreign;
}

const struct advertiser_stats *advertiser_stats(const struct advertiser *a)
{
	return &a->stats;
}
