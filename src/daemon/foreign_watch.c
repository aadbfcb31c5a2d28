/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/foreign_watch.h"

#include "base/log.h"

#include <string.h>

enum {
	/* Lines: ten at once, then one in half a minute. */
	LOG_BURST = 10,
	LOG_EVERY_S = 30,
	PATIENCE_MS = 5000, /* for the other one to give way */
};

void foreign_watch_init(struct foreign_watch *w)
{
	const struct ratelimit slow = { .per_s = 1, .burst = LOG_BURST };
	*w = (struct foreign_watch){ .log_plain = slow,
				     .log_grave = slow,
				     .answer = { .per_s = 1, .burst = 1 } };
}

static void tell(struct foreign_watch *w, uint64_t now_ms, const char *what,
		 const struct foreign_router *r)
{
	bool grave = foreign_grave(r->issues);
	uint64_t suppressed;
	/* Its second is half a minute. */
	if (!ratelimit_allow(grave ? &w->log_grave : &w->log_plain, now_ms / LOG_EVERY_S,
			     &suppressed))
		return;
	char addr[INET6_ADDRSTRLEN], prefix[PREFIX6_STRLEN] = "none", differs[FOREIGN_TEXT_MAX];
	if (r->n_prefixes)
		(void)prefix6_format(&r->prefix, prefix); /* returns its buffer */
	const struct kv kvs[] = {
		kv_str("router", in6_format(&r->addr, addr)),
		kv_u64("lifetime_s", r->router_lft_s),
		kv_str("prefix", prefix),
		kv_u64("prefixes", r->n_prefixes),
		kv_str(grave ? "conflicts" : "differs", foreign_issues_text(r->issues, differs)),
		kv_u64("suppressed", suppressed),
	};
	enum log_level level = grave ? LOG_WARNING : LOG_INFO;
	if (log_enabled(level))
		log_event(level, "ra", what, kvs, sizeof kvs / sizeof kvs[0]);
}

static bool gives_way(struct foreign_watch *w, uint64_t now_ms, const struct nd_ra *theirs,
		      const struct foreign_ours *ours)
{
	if (ours->slla && theirs->has_slla &&
	    memcmp(theirs->slla, ours->slla, sizeof theirs->slla) < 0)
		return true;
	if (!w->contested_at_ms ||
	    now_ms - w->contested_at_ms > (uint64_t)FOREIGN_LIFE_MAX_S * 1000)
		w->contested_at_ms = now_ms;
	return now_ms - w->contested_at_ms >= PATIENCE_MS;
}

bool foreign_watch_input(struct foreign_watch *w, uint64_t now_ms, const struct pkt_meta *meta,
			 struct rd packet, const struct foreign_ours *ours)
{
	struct nd_ra theirs;
	struct foreign_router r;
	if (nd_parse_ra(packet, meta, &theirs) != ND_OK) {
		w->refused++;
		return false;
	}
	enum foreign_event event = foreign_input(&w->table, now_ms, &meta->src, &theirs, ours, &r);
	w->heard += event != FOREIGN_OWN;
	switch (event) {
	case FOREIGN_OWN:
		if (!w->loop_told)
			log_warn("ra",
				 "our own advertisement came back: is there a loop in the link?");
		w->loop_told = true;
		return false;
	case FOREIGN_NEW:
		tell(w, now_ms, "another router advertises on the subscriber link", &r);
		break;
	case FOREIGN_CHANGED:
		tell(w, now_ms, "another router on the subscriber link advertises something else",
		     &r);
		break;
	case FOREIGN_LEFT:
		tell(w, now_ms, "another router on the subscriber link has said farewell", &r);
		break;
	case FOREIGN_UNTRACKED:
		tell(w, now_ms, "more routers than can be kept advertise on the subscriber link",
		     &r);
		break;
	case FOREIGN_KNOWN:
		break;
	}
	return IN6_ARE_ADDR_EQUAL(&meta->src, &ours->link_local) &&
	       gives_way(w, now_ms, &theirs, ours) && ratelimit_allow(&w->answer, now_ms, NULL);
}
