/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delegating router: what a DHCPv6 message means (RFC 9915). Pure: time, randomness and the
 * packet are arguments, what should happen leaves in a batch.
 */
#pragma once

#include "base/buf.h"
#include "engine/batch.h"
#include "engine/bindings.h"
#include "engine/reservations.h"
#include "wire/dhcp6.h"
#include "wire/dhcp6_auth.h"
#include "wire/nd.h"

enum {
	D6_MAX_NAMESERVERS = 8,
	D6_MAX_SEARCH = 8,
	D6_MAX_EXTRA_OPTIONS = 24,
	D6_MAX_MORE_TRANSFERS = 7,
	D6_DEFAULT_MAX_BINDINGS = 8,
	D6_DEFAULT_STATION_LIMIT = 64,
	D6_MAX_STATION_LIMIT = 1 << 20
};

/* An option ready to be sent to whoever asks for it in an Option Request option (RFC 9915 §21.7).
 */
struct dhcp6_extra_option {
	uint16_t code;
	uint16_t len;
	const uint8_t *bytes;  /* must outlive the server */
	bool information_only; /* only in answers to INFORMATION-REQUEST, as the information refresh
				  time (§21.23) */
};

struct dhcp6_config {
	struct prefix6 transfer; /* IA_NA addresses come from here */
	size_t n_more_transfers; /* on the same link; we are ::1 in each, and nothing is handed
				    out from them */
	struct prefix6 more_transfers[D6_MAX_MORE_TRANSFERS];
	struct in6_addr own_addr; /* never handed out */
	struct prefix6 pd_pool;
	uint8_t pd_len; /* length of a delegated prefix where the client's hint says nothing else */
	uint8_t pd_min_len; /* shortest and longest that a hint gets (RFC 8168 §3.2); 0: pd_len.
			       Where they differ, pd_pool holds */
	uint8_t pd_max_len; /* at most 2^POOL_BITMAP_BITS of the longest */
	/* What clients that ask for it (RFC 6603) are to leave out of a delegated prefix: the
	 * prefix of this length that has this number in it, from 0. Longer than every delegated
	 * one of the pool, and the number exists in each; a reserved
	 * prefix that is too long for it excludes nothing. 0: none. */
	uint8_t pd_exclude_len;
	uint64_t pd_exclude_subnet;
	uint32_t preferred_lft_s; /* T1 and T2 are 0.5 and 0.8 of it */
	uint32_t valid_lft_s;
	bool ia_na;
	bool rapid_commit;
	size_t n_nameservers;
	struct in6_addr nameservers[D6_MAX_NAMESERVERS];
	size_t n_search;
	const char *search[D6_MAX_SEARCH]; /* must outlive the server */
	const char *zone; /* addresses get names in it (engine/names.h); NULL: nobody does that;
			     must outlive the server */
	size_t n_extra;
	struct dhcp6_extra_option extra[D6_MAX_EXTRA_OPTIONS];
	unsigned max_bindings_per_client; /* 0: no limit */
	/* Of one station, by whatever DUIDs; LEASES_RELAY_STATIONS times as many of one relay. At
	   most D6_MAX_STATION_LIMIT; 0: no limit */
	unsigned max_bindings_per_station;
	bool reconfigure; /* offer to tell clients to come back when something changes (§18.3.11) */
	uint8_t reconfigure_secret[D6_RECONFIGURE_SECRET_LEN]; /* the same after a restart, or
								  clients believe nothing of it */
	uint64_t replay_base; /* with now_ms added, larger than ever before (§20.3) */
	struct duid server_id;
	uint8_t pool_key[16];  /* from the configuration, so that prefixes survive the loss of all
				  state */
	uint8_t table_key[16]; /* random: nobody can make the hash tables collide */
};

/* Why a message got no answer. */
enum d6_drop {
	D6_DROP_MALFORMED,
	D6_DROP_TOO_MANY, /* options or relays beyond our bounds */
	D6_DROP_UNKNOWN_TYPE,
	D6_DROP_NOT_FOR_SERVERS, /* ADVERTISE, REPLY, RECONFIGURE, RELAY-REPL (§16) */
	D6_DROP_UNICAST,         /* a client's message that was not sent to a multicast address */
	D6_DROP_NO_CLIENT_ID,
	D6_DROP_NO_SERVER_ID,
	D6_DROP_HAS_SERVER_ID,
	D6_DROP_OTHER_SERVER,
	D6_DROP_HAS_IA, /* an INFORMATION-REQUEST with an IA (§16.12) */
	D6_DROP_LONG_DUID,
	D6_DROP_NOTHING_TO_CONFIRM, /* a CONFIRM without addresses (§18.3.3) */
	D6_DROP_HOP_COUNT,          /* relayed more often than HOP_COUNT_LIMIT */
	D6_DROP_SOURCE,             /* neither a link-local client nor a relay */
	D6_DROP_NO_ROOM,            /* the answer would not fit */
	D6_DROP_COUNT,
};
const char *dhcp6_drop_name(enum d6_drop d);

struct dhcp6_pool_stats {
	uint64_t capacity; /* UINT64_MAX: as good as endless */
	uint64_t used;     /* of it, by what is bound: slots of the usual length */
	uint64_t bound, freed, declined;
	uint64_t exhausted; /* how often somebody got none */
};

struct dhcp6_stats {
	uint64_t received;                   /* everything, dropped ones too */
	uint64_t by_type[D6_RELAY_REPL + 1]; /* what could be parsed; a relayed one counts as
						RELAY_FORW and as what is in it */
	uint64_t answered;
	uint64_t answers_by_type[D6_RELAY_REPL +
				 1]; /* ADVERTISE or REPLY; wrapped in a RELAY-REPL or not */
	uint64_t drops[D6_DROP_COUNT];
	uint64_t over_limit; /* IAs refused because their client has too many */
	struct {
		uint64_t n;          /* because its station has, or its relay */
		struct in6_addr src; /* of the latest of them */
		uint8_t lladdr_len;  /* likewise; 0: unknown */
		uint8_t lladdr[BINDING_LLADDR_MAX];
	} over_station_limit;
	uint64_t not_from_holder; /* IAs of RELEASE and DECLINE that another sent in its name */
	struct {
		uint64_t waiting;  /* clients that are to come back and have not yet */
		uint64_t sent;     /* RECONFIGUREs */
		uint64_t heard;    /* clients that came */
		uint64_t given_up; /* and that did not */
	} recall;
	struct dhcp6_pool_stats pd, na;
};

struct dhcp6_server;

/* config is copied. -EINVAL: lengths or lifetimes that contradict each other, or no server id;
 * -ENOMEM. */
int dhcp6_server_new(const struct dhcp6_config *config, struct dhcp6_server **ret_server);
void dhcp6_server_free(struct dhcp6_server *s); /* NULL is allowed */

/*
 * Puts stored records back at start, between begin and end; those that were freed in the order in
 * which they were. A record is 0; 1: it is there under another number than its own; -ERANGE: it is
 * not of our pools (any more); -EEXIST: it overlaps one that is there, or its client's IA has one;
 * -ESTALE: it is bound and its time is over (it is kept as a freed one); -ENOMEM.
 */
void dhcp6_server_load_begin(struct dhcp6_server *s, size_t expected);
int dhcp6_server_load(struct dhcp6_server *s, const struct binding_record *r, uint64_t now_ms);
void dhcp6_server_load_end(struct dhcp6_server *s);

/*
 * Says which packets are about to be given to dhcp6_server_input(), so that what they need is on
 * its way to the processor meanwhile. Changes nothing, and need not be called. Of more than
 * BATCH_MESSAGES the first are looked at.
 */
void dhcp6_server_expect(const struct dhcp6_server *s, const struct rd *packets, size_t n);

/* One packet. The batch must not be batch_full(). */
void dhcp6_server_input(struct dhcp6_server *s, uint64_t now_ms, const struct pkt_meta *meta,
			struct rd packet, struct batch *batch);

/*
 * Frees what has expired, and tells clients to come back that are due. The work of one call is
 * bounded: carry the batch out and call again while dhcp6_server_deadline() is not in the future.
 */
void dhcp6_server_tick(struct dhcp6_server *s, uint64_t now_ms, struct batch *batch);
/* Before then dhcp6_server_tick() has nothing to do; UINT64_MAX: never. It may have nothing to do
 * then either. */
uint64_t dhcp6_server_deadline(const struct dhcp6_server *s);

/*
 * From now on these are reserved, which become the server's own (NULL: nothing is). Bindings that
 * are unfounded then are to be removed; clients of those that are astray are to be recalled.
 */
void dhcp6_server_reserve(struct dhcp6_server *s, struct reservations *reserved);
/* Whether nothing allows a binding: its prefix is of no pool and not reserved for its client. */
bool dhcp6_server_unfounded(const struct dhcp6_server *s, const struct binding *b);
/* Whether its client would be given another one today: that is reserved for it, or this for others.
 */
bool dhcp6_server_astray(const struct dhcp6_server *s, const struct binding *b);

/*
 * Forgets bindings, whatever their state, for which which(ctx, b) is true, and tells their clients
 * to come back. The work of one call is bounded: *at, 0 at first, says where it goes on. True:
 * carry the batch out and call again. *n_removed grows by how many it were.
 */
bool dhcp6_server_remove(struct dhcp6_server *s, bool (*which)(void *ctx, const struct binding *b),
			 void *ctx, uint64_t now_ms, struct batch *batch, uint32_t *at,
			 size_t *n_removed);
/* Our link-local address, which is nobody else's next hop. */
void dhcp6_server_own(struct dhcp6_server *s, const struct in6_addr *link_local);
/* Whether clients can be reached now: until then, and while they cannot, none is told to come back.
 */
void dhcp6_server_reachable(struct dhcp6_server *s, bool reachable);
/* The client of this record is to come back for what is true now, if it accepts a RECONFIGURE: they
 * leave with dhcp6_server_tick(). The record need not be of our pools any more. */
void dhcp6_server_recall(struct dhcp6_server *s, const struct binding_record *r, uint64_t now_ms);

/*
 * The uplink is lost, or works again (at first it does): while it is lost, all that is granted is
 * deprecated (preferred lifetime 0) and its client comes back soon, so that hosts prefer another
 * provider's addresses (RFC 8978, RFC 9096). Valid lifetimes stay, and with them what is bound.
 */
void dhcp6_server_uplink(struct dhcp6_server *s, bool works);
/* Whether its client was told otherwise than it would be now. */
bool dhcp6_server_outdated(const struct dhcp6_server *s, const struct binding *b);

/* Calls fn for each binding, in any state, until it returns < 0, which is returned. */
int dhcp6_server_each(const struct dhcp6_server *s, int (*fn)(void *ctx, const struct binding *b),
		      void *ctx);
/* Up to date at the call; the server's. */
const struct dhcp6_stats *dhcp6_server_stats(struct dhcp6_server *s);
/* For tests, benchmark and fuzzer. */
const struct binding_table *dhcp6_server_table(const struct dhcp6_server *s);
bool dhcp6_server_consistent(const struct dhcp6_server *s);
