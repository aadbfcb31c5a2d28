/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a claim says: vbng/INSTANCE/TAG/KIND/VALUE. The tag is of each start anew: it tells ours
 * from others', and makes every name different, so that nobody can take one beforehand.
 */
#pragma once

#include "base/prefix.h"
#include "daemon/config.h"
#include "host/claim.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define CLAIM_TEXT_BEGIN "vbng/"

enum { CLAIM_VALUE_MAX = PREFIX6_STRLEN };
_Static_assert(IFNAMSIZ + 16 <= CLAIM_VALUE_MAX, "a NIC with its mode fits");

enum claim_kind { CLAIM_NAME, CLAIM_NIC, CLAIM_TUNNEL, CLAIM_POOL, CLAIM_TRANSFER, CLAIM_KINDS };

struct claim {
	char instance[CONFIG_SUFFIX_MAX + 1];
	uint32_t tag;
	enum claim_kind kind;
	char value[CLAIM_VALUE_MAX]; /* name, NIC as claim_describe_nic(), tunnel's name, prefix */
	struct prefix6 prefix;       /* of a pool or a transfer network */
};

void claim_write(const struct claim *c, char ret_text[static CLAIM_TEXT_MAX]);
/* 0, or -EBADMSG: none that an instance makes. */
int claim_read(const char *text, struct claim *ret_claim);

/* How a configuration uses the NIC of that name: the name alone, or with |macvlan or |vlan7 behind
 * it. */
void claim_describe_nic(const struct config *c, const char *name,
			char ret_value[static CLAIM_VALUE_MAX]);

/*
 * Which of what we have the claim of another instance is in the way of: a set of 1U << enum
 * claim_kind. Tunnels are in each other's way. our_nic as described. A prefix may be in the way of
 * both pool and transfer networks; *ret_transfer is then the last of ours that it overlaps.
 */
unsigned claim_collides(const struct claim *theirs, const struct config *c, const char *our_nic,
			struct prefix6 *ret_transfer);
