/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other routers on the link, through a whole time: each step is an advertisement of one of forty
 * senders (built here from a few bytes, or the input's own bytes), time that goes by, or another
 * link-local address of ours. The table stays bounded and has nobody twice, nobody who has left and
 * nobody who was not heard for half an hour; what is told of a router is what its advertisements
 * said; our own are nobody's.
 */
#include "engine/foreign.h"
#include "fuzz/fuzz.h"
#include "wire/nd.h"

#include <stdbool.h>
#include <string.h>

enum { STEPS = 200, SENDERS = 40, OURS = 7 };

struct life {
	const uint8_t *at, *end;
	uint64_t now_ms;
	struct foreign table;
	struct nd_ra adv;
	uint8_t link_local;
	uint64_t untracked;
};

static uint8_t next_byte(struct life *l)
{
	return l->at < l->end ? *l->at++ : 0;
}

static struct in6_addr sender(uint8_t n)
{
	return (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [15] = n } };
}

static struct prefix6 network(uint8_t n)
{
	struct prefix6 p = { .plen = 64 };
	const uint8_t addr[8] = { 0x20, 0x01, 0x0d, 0xb8, 0xff, n & 8 ? 0xfe : 0xff, 0, n & 7 };
	memcpy(&p.addr, addr, sizeof addr);
	return p;
}

static void check_table(const struct life *l)
{
	struct foreign_router there[FOREIGN_MAX], few[3];
	char text[FOREIGN_TEXT_MAX];
	size_t n = foreign_list(&l->table, l->now_ms, there, FOREIGN_MAX);
	FUZZ_CHECK(n <= FOREIGN_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct foreign_router *r = &there[i];
		FUZZ_CHECK(i == 0 || there[i - 1].heard_at_ms >= r->heard_at_ms);
		FUZZ_CHECK(r->heard_at_ms <= l->now_ms && r->until_ms > l->now_ms);
		FUZZ_CHECK(l->now_ms - r->heard_at_ms < FOREIGN_LIFE_MAX_S * UINT64_C(1000));
		FUZZ_CHECK(r->issues == (r->before | r->fresh));
		size_t len = strlen(foreign_issues_text(r->issues, text));
		FUZZ_CHECK((len > 0) == (r->issues != 0) && len < sizeof text);
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(!IN6_ARE_ADDR_EQUAL(&r->addr, &there[k].addr));
	}
	FUZZ_CHECK(foreign_list(&l->table, l->now_ms, few, 3) == (n < 3 ? n : 3));
	for (size_t i = 0; i < n && i < 3; i++)
		FUZZ_CHECK(few[i].heard_at_ms == there[i].heard_at_ms);
}

static bool is_there(const struct life *l, const struct in6_addr *addr)
{
	struct foreign_router there[FOREIGN_MAX];
	size_t n = foreign_list(&l->table, l->now_ms, there, FOREIGN_MAX);
	for (size_t i = 0; i < n; i++)
		if (IN6_ARE_ADDR_EQUAL(&there[i].addr, addr))
			return true;
	return false;
}

static void check_event(struct life *l, enum foreign_event event, bool before,
			const struct in6_addr *src, const struct foreign_router *told)
{
	bool after = is_there(l, src);
	FUZZ_CHECK(IN6_ARE_ADDR_EQUAL(&told->addr, src));
	switch (event) {
	case FOREIGN_OWN:
		FUZZ_CHECK(src->s6_addr[15] == l->link_local && before == after);
		break;
	case FOREIGN_NEW:
		FUZZ_CHECK(!before && after);
		break;
	case FOREIGN_CHANGED:
		FUZZ_CHECK(before && after && told->issues);
		break;
	case FOREIGN_LEFT:
		FUZZ_CHECK(before && !after);
		break;
	case FOREIGN_UNTRACKED:
		FUZZ_CHECK(!before && !after);
		l->untracked++;
		break;
	case FOREIGN_KNOWN:
		FUZZ_CHECK(before == after);
		break;
	}
	FUZZ_CHECK(l->table.untracked == l->untracked);
	if (event != FOREIGN_OWN && src->s6_addr[15] == l->link_local)
		FUZZ_CHECK(told->issues & FOREIGN_OUR_ADDRESS);
}

static void hear(struct life *l, uint8_t who, const struct nd_ra *theirs, bool same_bytes)
{
	static const uint8_t slla[6] = { 2, 0, 0, 0, 0, OURS };
	const struct foreign_ours ours = { .adv = &l->adv,
					   .link_local = sender(l->link_local),
					   .slla = slla,
					   .assigned = { network(0).addr, 48 },
					   .same_bytes = same_bytes };
	struct foreign_router told;
	const struct in6_addr src = sender(who);
	bool before = is_there(l, &src);
	enum foreign_event event = foreign_input(&l->table, l->now_ms, &src, theirs, &ours, &told);
	check_event(l, event, before, &src, &told);
}

/* From a few bytes: mostly what differs from ours in little. */
static void built(struct life *l, uint8_t who)
{
	uint8_t how = next_byte(l), what = next_byte(l);
	struct nd_ra ra = l->adv;
	ra.router_lft_s = how & 1 ? 0 : (uint16_t)(how & 2 ? 1800 : 5);
	ra.managed = how & 4;
	ra.mtu = how & 8 ? 1400 : ra.mtu;
	ra.cur_hop_limit = how & 16 ? 32 : 64;
	ra.has_slla = how & 32;
	memcpy(ra.slla, "\2\0\0\0\0", 5);
	ra.slla[5] = how & 64 ? OURS : who;
	ra.n_prefixes = what & 3;
	for (size_t i = 0; i < ra.n_prefixes; i++)
		ra.prefixes[i] = (struct nd_prefix_info){
			.prefix = network((uint8_t)(what >> (2 + i))),
			.on_link = true,
			.valid_lft_s = 14400,
			.preferred_lft_s = what & 0x80 ? 0 : 1800,
		};
	hear(l, who, &ra, how & 128);
}

static void as_it_is(struct life *l, uint8_t who)
{
	struct pkt_meta m = { .ifindex = 1, .hop_limit = 255, .src = sender(who) };
	size_t len = next_byte(l) * (size_t)8, left = (size_t)(l->end - l->at);
	struct nd_ra ra;
	len = len < left ? len : left;
	if (nd_parse_ra(rd_of(l->at, len), &m, &ra) == ND_OK)
		hear(l, who, &ra, false);
	l->at += len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct life life;
	struct life *l = &life;
	*l = (struct life){
		.at = data,
		.end = data + size,
		.now_ms = 1000000,
		.link_local = 1,
		.adv = { .cur_hop_limit = 64, .router_lft_s = 1800, .mtu = 1420, .n_prefixes = 1 }
	};
	l->adv.prefixes[0] = (struct nd_prefix_info){ .prefix = network(0),
						      .on_link = true,
						      .autonomous = true,
						      .valid_lft_s = 14400,
						      .preferred_lft_s = 1800 };
	for (unsigned i = 0; i < STEPS && l->at < l->end; i++) {
		uint8_t what = next_byte(l), arg = what >> 2;
		switch (what & 3) {
		case 0:
			built(l, arg % SENDERS);
			break;
		case 1:
			as_it_is(l, arg % SENDERS);
			break;
		case 2:
			l->now_ms += arg & 32 ? (arg & 31U) * 60000 : arg * UINT64_C(500);
			break;
		default:
			l->link_local = arg % SENDERS;
			foreign_moved(&l->table);
			break;
		}
		check_table(l);
	}
	return 0;
}
