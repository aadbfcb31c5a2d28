/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Reconfigure Key Authentication Protocol (RFC 9915 §20.4): how a client knows that a
 * RECONFIGURE comes from the server that it has its leases from. */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum {
	D6_RECONFIGURE_KEY_LEN = 16,
	D6_RECONFIGURE_SECRET_LEN = 32,
	D6_AUTH_OPTION_LEN = 4 + 11 + 17, /* bytes of either option below, header included */
};

/* A client's key, out of a secret of ours, where it is, and its DUID: unguessable, another one for
 * whoever says its DUID from elsewhere, and nothing to be remembered. */
void d6_reconfigure_key(const uint8_t secret[static D6_RECONFIGURE_SECRET_LEN],
			const struct in6_addr *next_hop, const uint8_t *duid, size_t duid_len,
			uint8_t ret_key[static D6_RECONFIGURE_KEY_LEN]);

/* The option with which a REPLY hands the key over (§20.4.1). replay: larger than in every message
 * before (§20.3). */
void d6_put_reconfigure_key(struct wr *w, uint64_t replay,
			    const uint8_t key[static D6_RECONFIGURE_KEY_LEN]);

/*
 * The option that authenticates a RECONFIGURE (§20.4.2), as its last: message is where the DHCPv6
 * message begins in w, behind relays' layers. Its digest is filled in when the message is complete,
 * which it is with this.
 */
void d6_put_reconfigure_digest(struct wr *w, const uint8_t *message, uint64_t replay,
			       const uint8_t key[static D6_RECONFIGURE_KEY_LEN]);
