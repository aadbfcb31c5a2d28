/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delegating router: what a DHCPv6 message means (RFC 9915). Pure: time, randomness and the packet are arguments, what
 * should happen leaves in a batch.
 */
#pragma once

#include "base/buf.h"
#include "engine/batch.h"
#include "engine/bindings.h"
#include "wire/dhcp6.h"
#include "wire/nd.h"

enum { D6_MAX_NAMESERVERS = 8, D6_MAX_SEARCH = 8 };

struct dhcp6_config {
	struct prefix6 transfer;       /* IA_NA addresses come from here */
	struct in6_addr own_addr;      /* never handed out */
	struct prefix6 pd_pool;
	uint8_t pd_len;                /* length of a delegated prefix where the client's hint says nothing else */
	uint8_t pd_min_len;            /* shortest and longest that a hint can get; both pd_len unless configured */
	uint8_t pd_max_len;
	uint32_t preferred_lft_s;      /* T1 and T2 are 0.5 and 0.8 of it */
	uint32_t valid_lft_s;
	bool ia_na;
	bool rapid_commit;
	size_t n_nameservers;
	struct in6_addr nameservers[D6_MAX_NAMESERVERS];
	size_t n_search;
	const char *search[D6_MAX_SEARCH];
	unsigned max_bindings_per_client; /* 0: no limit */
	struct duid server_id;
	uint8_t pool_key[16];          /* from the configuration, so that prefixes survive the loss of all state */
	uint8_t table_key[16];         /* random: nobody can make the hash tables collide */
};
