/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the provider is: which of its addresses the tunnel sends to, when the next one is tried and
 * when its name is asked for again. Pure: instants are arguments, the asking and the setting are
 * the caller's.
 *
 * While the tunnel works nothing is done: WireGuard follows a peer that moves, and the address at
 * which it was last heard is the best one. Once it does not work, the name is asked for at once and
 * ever less often, and its addresses are tried by turns, with the one that it was last heard at.
 */
#pragma once

#include "host/resolver.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ENDPOINT_ADDRS_MAX = RESOLVER_ADDRS_MAX + 1,
	ENDPOINT_TRY_MS =
		4000, /* for one of several addresses; twice as long in each further round */
	ENDPOINT_TRY_MAX_MS =
		30000, /* and for a single one, which WireGuard keeps trying by itself */
	ENDPOINT_ASK_MIN_MS = 1000, /* between two questions; twice as long after each */
	ENDPOINT_ASK_MAX_MS = 60000,
	ENDPOINT_TTL_MIN_MS = 5000, /* a shorter time to live is not waited for */
};

struct endpoint {
	bool named;
	uint16_t port; /* host byte order */
	bool well;
	size_t n;
	struct sockaddr_storage addrs[ENDPOINT_ADDRS_MAX];
	size_t at; /* which of them is in use; n: none of them */
	bool has_current;
	struct sockaddr_storage current; /* what the tunnel sends to */
	bool has_good;
	struct sockaddr_storage good; /* where the provider was last heard */
	bool asking;
	size_t tries; /* since it last worked */
	uint64_t try_at_ms;
	uint64_t ask_at_ms;
	uint64_t ask_pause_ms;
};

/* to: NULL where the endpoint is a name. */
void endpoint_init(struct endpoint *e, const struct sockaddr_storage *to, uint16_t port,
		   uint64_t now_ms);

/* The tunnel works, and this is where the provider was last heard (AF_UNSPEC: not known). */
void endpoint_works(struct endpoint *e, const struct sockaddr_storage *heard);
/* It does not. */
void endpoint_fails(struct endpoint *e, uint64_t now_ms);
/* The network by which the provider is reached has changed. */
void endpoint_network_changed(struct endpoint *e, uint64_t now_ms);
/* To an ENDPOINT_ASK. True where the addresses are others than before. */
bool endpoint_answer(struct endpoint *e, uint64_t now_ms, const struct resolver_answer *a);

enum endpoint_action {
	ENDPOINT_WAIT,
	ENDPOINT_ASK, /* for the name's addresses; endpoint_answer() follows */
	ENDPOINT_SET, /* e->current, as the tunnel's endpoint, with a new handshake */
};
enum endpoint_action endpoint_next(struct endpoint *e, uint64_t now_ms);
/* When endpoint_next() has something to do. UINT64_MAX: not before something happens. */
uint64_t endpoint_deadline(const struct endpoint *e);

bool endpoint_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

enum { ENDPOINT_STRLEN = 80 };
/* "192.0.2.1:51820", "[fe80::1%2]:51820"; "none" for AF_UNSPEC. Returns buf. */
const char *endpoint_format(const struct sockaddr_storage *a, char buf[static ENDPOINT_STRLEN]);
