/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's (and the relay's) side of DHCPv6 for tests: writes messages and reads answers byte
 * by byte, without the codec that the server uses, so that a fault of that one does not hide
 * itself.
 */
#pragma once

#include "base/prefix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	PEER_MESSAGE_MAX = 4096,
	PEER_MAX_IAS = 128,
	PEER_MAX_RESOURCES = 64,
	PEER_MAX_RELAYS = 10,
	PEER_NO_STATUS = -1
};

/* --- writing
 * ------------------------------------------------------------------------------------------------
 */

struct peer_message {
	size_t len;
	size_t open; /* where the length of the open IA stands; 0: none */
	uint8_t bytes[PEER_MESSAGE_MAX];
};

static inline void peer_bytes(struct peer_message *m, const void *bytes, size_t n)
{
	if (n > 0 && m->len + n <= sizeof m->bytes) {
		memcpy(m->bytes + m->len, bytes, n);
		m->len += n;
	}
}

static inline void peer_be(struct peer_message *m, uint64_t value, unsigned n)
{
	for (unsigned i = n; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		peer_bytes(m, &byte, 1);
	}
}

static inline void peer_begin(struct peer_message *m, uint8_t type, uint32_t xid)
{
	m->len = m->open = 0;
	peer_be(m, type, 1);
	peer_be(m, xid, 3);
}

static inline void peer_option(struct peer_message *m, uint16_t code, const void *bytes, size_t n)
{
	peer_be(m, code, 2);
	peer_be(m, n, 2);
	peer_bytes(m, bytes, n);
}

static inline void peer_oro(struct peer_message *m, const uint16_t *codes, size_t n)
{
	peer_be(m, 6, 2);
	peer_be(m, 2 * n, 2);
	for (size_t i = 0; i < n; i++)
		peer_be(m, codes[i], 2);
}

/* code: 3 (IA_NA), 4 (IA_TA, obsolete) or 25 (IA_PD). What follows goes into it until
 * peer_ia_end(). */
static inline void peer_ia(struct peer_message *m, uint16_t code, uint32_t iaid)
{
	peer_be(m, code, 2);
	m->open = m->len;
	peer_be(m, 0, 2);
	peer_be(m, iaid, 4);
	if (code != 4)
		peer_be(m, 0, 8);
}

static inline void peer_ia_end(struct peer_message *m)
{
	if (m->open + 2 <= m->len && m->len <= sizeof m->bytes) { /* else it found no room */
		size_t n = m->len - m->open - 2;
		m->bytes[m->open] = (uint8_t)(n >> 8);
		m->bytes[m->open + 1] = (uint8_t)n;
	}
	m->open = 0;
}

static inline void peer_iaprefix(struct peer_message *m, const struct prefix6 *p)
{
	peer_be(m, 26, 2);
	peer_be(m, 25, 2);
	peer_be(m, 0, 8);
	peer_be(m, p->plen, 1);
	peer_bytes(m, &p->addr, 16);
}

static inline void peer_iaaddr(struct peer_message *m, const struct in6_addr *a)
{
	peer_be(m, 5, 2);
	peer_be(m, 24, 2);
	peer_bytes(m, a, 16);
	peer_be(m, 0, 8);
}

/* Wraps m into a RELAY-FORW; interface_id NULL: without. */
static inline void peer_relay(struct peer_message *m, uint8_t hops, const struct in6_addr *link,
			      const struct in6_addr *peer, const char *interface_id,
			      const struct peer_message *extra)
{
	struct peer_message out = { 0 };
	peer_be(&out, 12, 1);
	peer_be(&out, hops, 1);
	peer_bytes(&out, link, 16);
	peer_bytes(&out, peer, 16);
	if (interface_id)
		peer_option(&out, 18, interface_id, strlen(interface_id));
	if (extra)
		peer_bytes(&out, extra->bytes, extra->len);
	peer_option(&out, 9, m->bytes, m->len);
	*m = out;
}

/* --- reading
 * ------------------------------------------------------------------------------------------------
 */

struct peer_resource {
	struct prefix6 prefix;
	uint32_t preferred_s, valid_s;
	struct prefix6 excluded; /* of the prefix (RFC 6603); plen 0: nothing */
};

struct peer_ia {
	uint16_t code;
	uint32_t iaid, t1_s, t2_s;
	int status;
	size_t n;
	struct peer_resource resources[PEER_MAX_RESOURCES];
};

struct peer_bytes {
	const uint8_t *at; /* NULL: absent */
	size_t len;
};

struct peer_answer {
	size_t n_relays;
	struct {
		uint8_t hops;
		struct in6_addr link, peer;
		struct peer_bytes interface_id, relay_port;
	} relays[PEER_MAX_RELAYS]; /* outermost first */
	uint8_t type;
	uint32_t xid;
	int status;
	bool rapid_commit;
	struct peer_bytes options[256]; /* by code */
	size_t n_ias;
	struct peer_ia ias[PEER_MAX_IAS];
};

static inline uint64_t peer_get(const uint8_t *at, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

/* One option off *at; false at the end, with *bad where it is not a clean one. */
static inline bool peer_next(const uint8_t **at, const uint8_t *end, uint16_t *code,
			     struct peer_bytes *body, bool *bad)
{
	if (*at == end)
		return false;
	if (end - *at < 4 || end - *at - 4 < (ptrdiff_t)peer_get(*at + 2, 2)) {
		*bad = true;
		return false;
	}
	*code = (uint16_t)peer_get(*at, 2);
	*body = (struct peer_bytes){ *at + 4, (size_t)peer_get(*at + 2, 2) };
	*at += 4 + body->len;
	return true;
}

/* All that may stand in an IAPREFIX: one Prefix Exclude, whose bits follow the prefix's. */
static inline bool peer_read_excluded(const uint8_t *at, size_t len, struct peer_resource *r)
{
	if (len < 6 || peer_get(at, 2) != 67 || peer_get(at + 2, 2) != len - 4)
		return false;
	unsigned bits = (unsigned)at[4] - r->prefix.plen;
	if (at[4] > 128 || at[4] <= r->prefix.plen || len != 5 + (bits + 7) / 8)
		return false;
	r->excluded = r->prefix;
	r->excluded.plen = at[4];
	for (unsigned i = 0; i < (len - 5) * 8; i++) {
		unsigned to = r->prefix.plen + i;
		if (!(at[5 + i / 8] >> (7 - i % 8) & 1))
			continue;
		if (i >= bits)
			return false; /* what fills up the last octet is zero */
		r->excluded.addr.s6_addr[to / 8] |= (uint8_t)(0x80 >> to % 8);
	}
	return true;
}

static inline bool peer_read_ia(struct peer_bytes body, uint16_t ia_code, struct peer_ia *ia)
{
	enum { FIXED = 12 };
	if (body.len < FIXED)
		return false;
	*ia = (struct peer_ia){ .code = ia_code,
				.iaid = (uint32_t)peer_get(body.at, 4),
				.t1_s = (uint32_t)peer_get(body.at + 4, 4),
				.t2_s = (uint32_t)peer_get(body.at + 8, 4),
				.status = PEER_NO_STATUS };
	const uint8_t *at = body.at + FIXED, *end = body.at + body.len;
	uint16_t code;
	bool bad = false;
	while (peer_next(&at, end, &code, &body, &bad)) {
		struct peer_resource r = { 0 };
		if (code == 13) {
			if (body.len < 2 || ia->status != PEER_NO_STATUS)
				return false;
			ia->status = (int)peer_get(body.at, 2);
			continue;
		}
		if (code != (ia_code == 25 ? 26 : 5) || body.len < (ia_code == 25 ? 25 : 24) ||
		    ia->n == PEER_MAX_RESOURCES)
			return false;
		const uint8_t *lifetimes = ia_code == 25 ? body.at : body.at + 16;
		r.preferred_s = (uint32_t)peer_get(lifetimes, 4);
		r.valid_s = (uint32_t)peer_get(lifetimes + 4, 4);
		r.prefix.plen = ia_code == 25 ? body.at[8] : 128;
		memcpy(&r.prefix.addr, ia_code == 25 ? body.at + 9 : body.at, 16);
		if (body.len > (ia_code == 25 ? 25 : 24) &&
		    (ia_code != 25 || !peer_read_excluded(body.at + 25, body.len - 25, &r)))
			return false;
		ia->resources[ia->n++] = r;
	}
	return !bad;
}

/* False where it is not what an answer may be: an option that is cut off or stands twice, an IA
 * that is none, or an IA_TA, which nobody sends any more (RFC 9915 §21.5). */
static inline bool peer_read(const uint8_t *bytes, size_t len, struct peer_answer *a)
{
	memset(a, 0, offsetof(struct peer_answer, ias));
	a->status = PEER_NO_STATUS;
	const uint8_t *at = bytes, *end = bytes + len;
	uint16_t code;
	struct peer_bytes body;
	bool bad = false;
	while (at < end && *at == 13) {
		if (end - at < 34 || a->n_relays == PEER_MAX_RELAYS)
			return false;
		size_t i = a->n_relays++;
		a->relays[i].hops = at[1];
		memcpy(&a->relays[i].link, at + 2, 16);
		memcpy(&a->relays[i].peer, at + 18, 16);
		struct peer_bytes inner = { 0 };
		at += 34;
		while (peer_next(&at, end, &code, &body, &bad)) {
			if (code == 9)
				inner = body;
			else if (code == 18)
				a->relays[i].interface_id = body;
			else if (code == 135)
				a->relays[i].relay_port = body;
			else
				return false;
		}
		if (bad || !inner.at)
			return false;
		at = inner.at;
		end = inner.at + inner.len;
	}
	if (end - at < 4)
		return false;
	a->type = at[0];
	a->xid = (uint32_t)peer_get(at + 1, 3);
	at += 4;
	while (peer_next(&at, end, &code, &body, &bad)) {
		if (code == 3 || code == 25) {
			if (a->n_ias == PEER_MAX_IAS ||
			    !peer_read_ia(body, code, &a->ias[a->n_ias++]))
				return false;
			continue;
		}
		if (code == 4 || code > 255 || a->options[code].at)
			return false;
		a->options[code] = body;
		if (code == 13 && body.len < 2)
			return false;
		if (code == 13)
			a->status = (int)peer_get(body.at, 2);
		a->rapid_commit |= code == 14;
	}
	return !bad;
}

static inline const struct peer_ia *peer_find_ia(const struct peer_answer *a, uint16_t code,
						 uint32_t iaid)
{
	for (size_t i = 0; i < a->n_ias; i++)
		if (a->ias[i].code == code && a->ias[i].iaid == iaid)
			return &a->ias[i];
	return NULL;
}
