/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/filter.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lladdr.h"
#include "base/log.h"
#include "base/ratelimit.h"
#include "daemon/offenders.h"
#include "host/nflog.h"
#include "wire/icmp6.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)STATUS_OFFENDERS_MAX >= (int)OFFENDERS_MAX, "some would not be shown");

struct filter {
	struct filter_params p;
	struct loop_watch *watch;
	struct offenders offenders;
	struct ratelimit log_wrong;
	uint64_t rejected;
};

/* --- the rules
 * -----------------------------------------------------------------------------------------------
 */

static enum nft_source source_of(enum source_filter s)
{
	switch (s) {
	case SOURCE_OFF:
		return NFT_SOURCE_OFF;
	case SOURCE_COUNT:
		return NFT_SOURCE_COUNT;
	case SOURCE_REJECT:
		return NFT_SOURCE_REJECT;
	case SOURCE_DROP:
		break;
	}
	return NFT_SOURCE_DROP;
}

/* METRICS_LISTEN in our own namespace, where it names an address: whoever gave that one meant it.
 */
static void open_metrics(const struct listen_config *l, struct nft_rules *r)
{
	if (!l->text[0] || l->in_host)
		return;
	if (l->at.sa.sa_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&l->at.v6.sin6_addr)) {
		r->open.v6 = l->at.v6.sin6_addr;
		r->open.tcp_port = ntohs(l->at.v6.sin6_port);
		r->open.family = AF_INET6;
	} else if (l->at.sa.sa_family == AF_INET && l->at.v4.sin_addr.s_addr != INADDR_ANY) {
		r->open.v4 = l->at.v4.sin_addr;
		r->open.tcp_port = ntohs(l->at.v4.sin_port);
		r->open.family = AF_INET;
	}
}

struct nft_rules filter_rules(const struct config *c, uint16_t log_group)
{
	struct nft_rules r = { .source = source_of(c->source_filter),
			       .isolate = c->isolation,
			       .dhcp6_rate = c->dhcp6_rate,
			       .usual_len = c->pd_len,
			       .assigned = c->assigned,
			       .n_transfers = c->n_transfers,
			       .log_group = log_group };
	static_assert((int)CONFIG_MAX_TRANSFERS <= (int)NFT_MAX_TRANSFERS, "some are forgotten");
	for (size_t i = 0; i < c->n_transfers; i++) {
		r.transfers[i] = c->transfers[i];
		r.own[i] = prefix6_with_iid(&c->transfers[i], 1);
	}
	(void)snprintf(r.subscriber, sizeof r.subscriber, "%s", c->subscriber); /* the same size */
	if (c->backend != WG_BACKEND_NONE)
		(void)snprintf(r.tunnel, sizeof r.tunnel, "%s", c->tunnel); /* likewise */
	open_metrics(&c->metrics, &r);
	return r;
}

/* --- what is reported
 * ---------------------------------------------------------------------------------------- */

static const char *why(const struct offender *o)
{
	return o->taken ? "taken" : "foreign";
}

static void tell(struct filter *f, const struct offender *o, uint64_t now_ms)
{
	char mac[LLADDR_STRLEN], src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	uint64_t suppressed;
	if (!ratelimit_allow(&f->log_wrong, now_ms, &suppressed))
		return;
	log_warn("filter",
		 o->taken ? "a subscriber sends from an address of ours that is not its own"
			  : "a subscriber sends from an address that is not ours",
		 kv_str("lladdr", lladdr_format(o->lladdr, mac)),
		 kv_str("source", in6_format(&o->src, src)),
		 kv_str("destination", in6_format(&o->dst, dst)), kv_u64("suppressed", suppressed));
}

/* The rules report so few of each station that this needs no limit of its own (RFC 4443 §2.4 f). */
static void reject(struct filter *f, const struct offender *o, struct rd packet)
{
	uint8_t bytes[ICMP6_ERROR_MAX];
	struct wr w = wr_of(bytes, sizeof bytes);
	if (f->p.config->source_filter != SOURCE_REJECT || !f->p.frames ||
	    !icmp6_unreachable(&w, &f->p.transfer_addr, ICMP6_SOURCE_POLICY, packet))
		return;
	f->rejected += dhcp6_frames_send_packet(f->p.frames, o->lladdr, bytes, wr_len(&w)) == 0;
}

static void on_reported(void *ctx, const struct nflog_packet *p)
{
	struct filter *f = (struct filter *)ctx;
	const uint64_t now_ms = clock_mono_ms();
	struct rd packet = rd_of(p->bytes, p->len);
	struct offender seen = { .taken = strcmp(p->prefix, NFT_REPORT_TAKEN) == 0 };
	if (!icmp6_addresses(packet, &seen.src, &seen.dst))
		return;
	if (p->lladdr_len == sizeof seen.lladdr)
		memcpy(seen.lladdr, p->lladdr, sizeof seen.lladdr);
	if (offenders_note(&f->offenders, &seen, now_ms))
		tell(f, &seen, now_ms);
	if (p->lladdr_len == sizeof seen.lladdr)
		reject(f, &seen, packet);
}

static void on_nflog(void *ctx, int fd)
{
	nflog_receive(fd, on_reported, ctx);
}

int filter_new(const struct filter_params *p, struct filter **ret_filter)
{
	struct filter *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->p = *p;
	f->log_wrong = (struct ratelimit){ .per_s = 1, .burst = 10 };
	int r = p->nflog_fd >= 0 ? loop_watch_fd(p->loop, p->nflog_fd, on_nflog, f, &f->watch) : 0;
	if (r < 0) {
		filter_free(f);
		return r;
	}
	*ret_filter = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	loop_unwatch(f->watch);
	free(f);
}

/* --- what is shown
 * ------------------------------------------------------------------------------------------- */

static const char *mode_name(enum source_filter s)
{
	static const char *const names[] = { "drop", "reject", "count", "off" };
	return (size_t)s < ARRAY_LEN(names) ? names[s] : "unknown";
}

static size_t view_offenders(const struct filter *f, struct filter_text *t)
{
	size_t order[OFFENDERS_MAX];
	uint64_t now_ms = clock_mono_ms(), now_s = clock_unix_ms() / 1000;
	offenders_by_time(&f->offenders, order);
	for (size_t i = 0; i < f->offenders.n; i++) {
		const struct offender *o = &f->offenders.slots[order[i]];
		t->offenders[i] = (struct status_offender){
			.lladdr = lladdr_format(o->lladdr, t->texts[i].lladdr),
			.src = in6_format(&o->src, t->texts[i].src),
			.dst = in6_format(&o->dst, t->texts[i].dst),
			.why = why(o),
			.n = o->n,
			.first_unix_s = now_s - (now_ms - o->first_ms) / 1000,
			.last_unix_s = now_s - (now_ms - o->last_ms) / 1000,
			.age_s = (now_ms - o->last_ms) / 1000,
		};
	}
	return f->offenders.n;
}

uint64_t filter_rejected(const struct filter *f)
{
	return f->rejected;
}

struct status_filter filter_view(struct filter *f, struct forwarding *forwarding,
				 struct filter_text *t)
{
	uint64_t packets[NFT_REASONS] = { 0 };
	bool active = forwarding_turned_away(forwarding, packets) == 0;
	for (enum nft_reason i = 0; i < NFT_REASONS; i++)
		t->counts[i] = (struct status_count){ nft_reason_name(i), packets[i] };
	return (struct status_filter){ .active = active,
				       .source_filter = mode_name(f->p.config->source_filter),
				       .isolation = f->p.config->isolation,
				       .counts = t->counts,
				       .n_counts = NFT_REASONS,
				       .offenders = t->offenders,
				       .n_offenders = view_offenders(f, t) };
}
