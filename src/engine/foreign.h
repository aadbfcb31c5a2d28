/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other routers on the subscriber link (RFC 4861 §6.2.7): who they are, and in what their
 * advertisements contradict ours. Pure, and bounded: however many sources somebody makes up, only
 * FOREIGN_MAX are kept.
 */
#pragma once

#include "wire/nd.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FOREIGN_MAX = 16,
	FOREIGN_LIFE_MAX_S = 1800, /* a router is there so long after it was heard, or as long as it
				      says where that is less */
	FOREIGN_TEXT_MAX = 256,
	FOREIGN_ROUND_MS = 2000, /* what comes within this is one advertisement, in several packets
				    (RFC 4861 §6.2.3) */
};

/* In what it is at odds with us; several at once. */
enum foreign_issue {
	FOREIGN_HOP_LIMIT = 1 << 0, /* those of §6.2.7: one of its values is another than ours */
	FOREIGN_MANAGED = 1 << 1,
	FOREIGN_OTHER = 1 << 2,
	FOREIGN_REACHABLE = 1 << 3,
	FOREIGN_RETRANS = 1 << 4,
	FOREIGN_MTU = 1 << 5,
	FOREIGN_LIFETIMES = 1 << 6,  /* of a prefix that we advertise, too */
	FOREIGN_OUR_PREFIX = 1 << 7, /* it advertises a prefix that is ours on this link */
	FOREIGN_DELEGATED =
		1 << 8, /* one out of what we delegate: a CPE's LAN is wired to its WAN */
	FOREIGN_OUR_ADDRESS = 1 << 9, /* it advertises from our link-local address */
};

struct foreign_router {
	struct in6_addr addr;
	uint64_t heard_at_ms;
	uint64_t until_ms; /* then it is there no more, unless it is heard again; 0: a free place */
	uint64_t round_at_ms;
	uint16_t router_lft_s;
	bool lives;             /* of this round: it is a router, or has prefixes to live in */
	unsigned before, fresh; /* issues of the round before and of this one */
	unsigned issues;        /* enum foreign_issue */
	size_t n_prefixes;      /* that its last advertisement had */
	struct prefix6 prefix;  /* the first of them */
};

struct foreign {
	struct foreign_router routers[FOREIGN_MAX];
	uint64_t untracked; /* advertisements of routers for which there was no place */
};

/* What is ours. */
struct foreign_ours {
	const struct nd_ra *adv; /* as we advertise while all is well */
	struct in6_addr link_local;
	const uint8_t *slla;     /* 6 bytes; NULL: we advertise none */
	struct prefix6 assigned; /* all that we delegate from */
	bool same_bytes;         /* the packet is, byte by byte, one that we send */
};

enum foreign_event {
	FOREIGN_KNOWN,     /* nothing that was not known */
	FOREIGN_OWN,       /* our own advertisement, which the link brought back */
	FOREIGN_NEW,       /* a router that was not there */
	FOREIGN_CHANGED,   /* it is at odds with us in something else than before */
	FOREIGN_LEFT,      /* it says that it is no router any more */
	FOREIGN_UNTRACKED, /* a router for which there is no place */
};

/*
 * An advertisement that nd_parse_ra() accepted. *ret_router is what is known of its sender now,
 * also of one that has left or has no place.
 */
enum foreign_event foreign_input(struct foreign *f, uint64_t now_ms, const struct in6_addr *src,
				 const struct nd_ra *theirs, const struct foreign_ours *ours,
				 struct foreign_router *ret_router);
/* The routers that are there now, those heard last first; at most max. Returns how many. */
size_t foreign_list(const struct foreign *f, uint64_t now_ms, struct foreign_router *ret_routers,
		    size_t max);
/* Our link-local address is another now: nobody who had the old one is at odds with us for that. */
void foreign_moved(struct foreign *f);
/* Whether one of them breaks something; the others are for people to look at. */
bool foreign_grave(unsigned issues);
/* "MTU, our prefix"; "" where there are none. Returns buf. */
const char *foreign_issues_text(unsigned issues, char buf[static FOREIGN_TEXT_MAX]);
