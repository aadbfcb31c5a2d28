/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/foreign.h"

#include <string.h>

static bool differs(uint32_t theirs, uint32_t ours)
{
	return theirs != 0 && ours != 0 && theirs != ours; /* 0: not specified */
}

static unsigned prefix_issues(const struct nd_prefix_info *theirs, const struct foreign_ours *ours)
{
	if (!theirs->on_link && !theirs->autonomous)
		return 0; /* it says nothing of the prefix */
	const struct prefix6 p = prefix6_masked(&theirs->prefix);
	unsigned issues = 0;
	for (size_t i = 0; i < ours->adv->n_prefixes; i++) {
		const struct nd_prefix_info *own = &ours->adv->prefixes[i];
		const struct prefix6 o = prefix6_masked(&own->prefix);
		if (prefix6_overlaps(&p, &o))
			issues |= FOREIGN_OUR_PREFIX;
		if (prefix6_equal(&p, &o) && (theirs->valid_lft_s != own->valid_lft_s ||
					      theirs->preferred_lft_s != own->preferred_lft_s))
			issues |= FOREIGN_LIFETIMES;
	}
	if (!issues && prefix6_overlaps(&p, &ours->assigned))
		issues |= FOREIGN_DELEGATED;
	return issues;
}

static unsigned issues_of(const struct in6_addr *src, const struct nd_ra *theirs,
			  const struct foreign_ours *ours)
{
	const struct nd_ra *own = ours->adv;
	unsigned issues = 0;
	if (differs(theirs->cur_hop_limit, own->cur_hop_limit))
		issues |= FOREIGN_HOP_LIMIT;
	if (theirs->managed != own->managed)
		issues |= FOREIGN_MANAGED;
	if (theirs->other != own->other)
		issues |= FOREIGN_OTHER;
	if (differs(theirs->reachable_time_ms, own->reachable_time_ms))
		issues |= FOREIGN_REACHABLE;
	if (differs(theirs->retrans_timer_ms, own->retrans_timer_ms))
		issues |= FOREIGN_RETRANS;
	if (differs(theirs->mtu, own->mtu))
		issues |= FOREIGN_MTU;
	for (size_t i = 0; i < theirs->n_prefixes; i++)
		issues |= prefix_issues(&theirs->prefixes[i], ours);
	if (IN6_ARE_ADDR_EQUAL(src, &ours->link_local))
		issues |= FOREIGN_OUR_ADDRESS;
	return issues;
}

/* Sent by us: from our address, and with the link-layer address that nobody else has, or (further
 * packets of an advertisement have none) as we send it. */
static bool is_own(const struct in6_addr *src, const struct nd_ra *theirs,
		   const struct foreign_ours *ours)
{
	if (!IN6_ARE_ADDR_EQUAL(src, &ours->link_local))
		return false;
	return ours->same_bytes || (ours->slla && theirs->has_slla &&
				    memcmp(theirs->slla, ours->slla, sizeof theirs->slla) == 0);
}

/* A router with a lifetime of 0 still is one where it has prefixes to live in. */
static bool lives(const struct nd_ra *theirs)
{
	for (size_t i = 0; i < theirs->n_prefixes; i++)
		if (theirs->prefixes[i].preferred_lft_s > 0)
			return true;
	return theirs->router_lft_s > 0;
}

static bool is_there(const struct foreign_router *r, uint64_t now_ms)
{
	return r->until_ms > now_ms;
}

/* Its place, or a free one, or NULL. */
static struct foreign_router *place_of(struct foreign *f, uint64_t now_ms,
				       const struct in6_addr *src)
{
	struct foreign_router *free_place = NULL;
	for (size_t i = 0; i < FOREIGN_MAX; i++) {
		struct foreign_router *r = &f->routers[i];
		if (!is_there(r, now_ms))
			free_place = free_place ? free_place : r;
		else if (IN6_ARE_ADDR_EQUAL(&r->addr, src))
			return r;
	}
	return free_place;
}

/* What is known from earlier packets, of this round or of the one before, is kept: a packet that
 * lacks an option says nothing of it. */
static void merge(struct foreign_router *r, const struct foreign_router *known, uint64_t now_ms)
{
	r->before = known->before;
	if (now_ms - known->round_at_ms >= FOREIGN_ROUND_MS) {
		r->before = known->fresh;
	} else {
		r->round_at_ms = known->round_at_ms;
		r->fresh |= known->fresh;
		r->lives |= known->lives;
		if (!r->n_prefixes) {
			r->n_prefixes = known->n_prefixes;
			r->prefix = known->prefix;
		}
	}
	r->issues = r->before | r->fresh;
}

enum foreign_event foreign_input(struct foreign *f, uint64_t now_ms, const struct in6_addr *src,
				 const struct nd_ra *theirs, const struct foreign_ours *ours,
				 struct foreign_router *ret_router)
{
	uint64_t life_s = theirs->router_lft_s ? theirs->router_lft_s : FOREIGN_LIFE_MAX_S;
	unsigned issues = issues_of(src, theirs, ours);
	struct foreign_router r = { .addr = *src,
				    .heard_at_ms = now_ms,
				    .round_at_ms = now_ms,
				    .router_lft_s = theirs->router_lft_s,
				    .lives = lives(theirs),
				    .fresh = issues,
				    .issues = issues,
				    .n_prefixes = theirs->n_prefixes };
	r.until_ms = now_ms + (life_s < FOREIGN_LIFE_MAX_S ? life_s : FOREIGN_LIFE_MAX_S) * 1000;
	if (theirs->n_prefixes)
		r.prefix = prefix6_masked(&theirs->prefixes[0].prefix);
	*ret_router = r;
	if (is_own(src, theirs, ours))
		return FOREIGN_OWN;
	struct foreign_router *place = place_of(f, now_ms, src);
	const bool known = place && is_there(place, now_ms);
	if (known)
		merge(&r, place, now_ms);
	*ret_router = r;
	/* Nothing in this round says that it is one; or it takes back what it said in it. */
	if (!r.lives ||
	    (known && theirs->router_lft_s == 0 && place->router_lft_s > 0 && !lives(theirs))) {
		if (!known)
			return FOREIGN_KNOWN;
		*place = (struct foreign_router){ 0 };
		return FOREIGN_LEFT;
	}
	if (!place) {
		f->untracked++;
		return FOREIGN_UNTRACKED;
	}
	const bool news = known && r.issues & ~place->issues;
	*place = r;
	return !known ? FOREIGN_NEW : news ? FOREIGN_CHANGED : FOREIGN_KNOWN;
}

void foreign_moved(struct foreign *f)
{
	const unsigned kept = ~(unsigned)FOREIGN_OUR_ADDRESS;
	for (size_t i = 0; i < FOREIGN_MAX; i++) {
		f->routers[i].before &= kept;
		f->routers[i].fresh &= kept;
		f->routers[i].issues &= kept;
	}
}

size_t foreign_list(const struct foreign *f, uint64_t now_ms, struct foreign_router *ret_routers,
		    size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < FOREIGN_MAX; i++) {
		const struct foreign_router *r = &f->routers[i];
		if (!is_there(r, now_ms))
			continue;
		size_t at = n < max ? n++ : max;
		while (at > 0 && ret_routers[at - 1].heard_at_ms < r->heard_at_ms) {
			if (at < max)
				ret_routers[at] = ret_routers[at - 1];
			at--;
		}
		if (at < max)
			ret_routers[at] = *r;
	}
	return n;
}

bool foreign_grave(unsigned issues)
{
	return issues & (FOREIGN_OUR_PREFIX | FOREIGN_DELEGATED | FOREIGN_OUR_ADDRESS);
}

const char *foreign_issues_text(unsigned issues, char buf[static FOREIGN_TEXT_MAX])
{
	static const char *const names[] = { "hop limit",
					     "M flag",
					     "O flag",
					     "reachable time",
					     "retransmit time",
					     "MTU",
					     "prefix lifetimes",
					     "our prefix",
					     "a part of our assigned prefix",
					     "our link-local address" };
	size_t at = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!(issues & 1U << i))
			continue;
		const char *parts[] = { at ? ", " : "", names[i] };
		for (size_t k = 0; k < 2; k++) {
			size_t len = strlen(parts[k]);
			if (at + len >= FOREIGN_TEXT_MAX)
				return buf;
			memcpy(buf + at, parts[k], len + 1);
			at += len;
		}
	}
	return buf;
}
