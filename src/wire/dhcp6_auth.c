/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/dhcp6_auth.h"

#include "wire/dhcp6.h"

#include <nettle/hmac.h>
#include <string.h>

enum {
	PROTOCOL_RECONFIGURE_KEY = 3,
	ALGORITHM_HMAC_MD5 = 1,
	RDM_MONOTONIC = 0,
	TYPE_KEY = 1,
	TYPE_DIGEST = 2,
};

void d6_reconfigure_key(const uint8_t secret[static D6_RECONFIGURE_SECRET_LEN],
			const struct in6_addr *next_hop, const uint8_t *duid, size_t duid_len,
			uint8_t ret_key[static D6_RECONFIGURE_KEY_LEN])
{
	struct hmac_sha256_ctx h;
	hmac_sha256_set_key(&h, D6_RECONFIGURE_SECRET_LEN, secret);
	hmac_sha256_update(&h, sizeof *next_hop, next_hop->s6_addr);
	hmac_sha256_update(&h, duid_len, duid);
	hmac_sha256_digest(&h, D6_RECONFIGURE_KEY_LEN, ret_key);
}

static void put_auth(struct wr *w, uint64_t replay, uint8_t type, const uint8_t value[static 16])
{
	size_t at = d6_open(w, D6_OPT_AUTH);
	wr_u8(w, PROTOCOL_RECONFIGURE_KEY);
	wr_u8(w, ALGORITHM_HMAC_MD5);
	wr_u8(w, RDM_MONOTONIC);
	wr_be32(w, (uint32_t)(replay >> 32));
	wr_be32(w, (uint32_t)replay);
	wr_u8(w, type);
	wr_bytes(w, value, 16);
	d6_close(w, at);
}

void d6_put_reconfigure_key(struct wr *w, uint64_t replay,
			    const uint8_t key[static D6_RECONFIGURE_KEY_LEN])
{
	put_auth(w, replay, TYPE_KEY, key);
}

void d6_put_reconfigure_digest(struct wr *w, const uint8_t *message, uint64_t replay,
			       const uint8_t key[static D6_RECONFIGURE_KEY_LEN])
{
	static const uint8_t zero[MD5_DIGEST_SIZE];
	struct hmac_md5_ctx h;
	put_auth(w, replay, TYPE_DIGEST, zero);
	if (w->full)
		return;
	hmac_md5_set_key(&h, D6_RECONFIGURE_KEY_LEN, key);
	hmac_md5_update(&h, (size_t)(w->p - message), message);
	hmac_md5_digest(&h, MD5_DIGEST_SIZE, w->p - MD5_DIGEST_SIZE);
}
