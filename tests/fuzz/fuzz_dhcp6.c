/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCPv6: what was read of a message, written and read again, is the same. Relays are unwrapped as
 * a server does it. */
#include "fuzz/fuzz.h"
#include "wire/dhcp6.h"

#include <string.h>

enum { OUT_MAX = 1 << 18 };

static void put_kept(struct wr *w, uint16_t code, const struct d6_span *s)
{
	if (s->bytes)
		d6_put_span(w, code, s->bytes, s->len);
}

static void put_ia(struct wr *w, const struct d6_ia *ia)
{
	size_t at = d6_open_ia(w, ia->code, ia->iaid, ia->t1_s, ia->t2_s);
	for (size_t i = 0; i < ia->n_resources; i++) {
		const struct d6_resource *res = &ia->resources[i];
		if (ia->code == D6_OPT_IA_PD)
			d6_close(w, d6_open_iaprefix(w, &res->prefix, res->preferred_lft_s,
						     res->valid_lft_s));
		else
			d6_put_iaaddr(w, &res->prefix.addr, res->preferred_lft_s, res->valid_lft_s);
	}
	d6_close(w, at);
}

static void build(struct wr *w, const struct d6_msg *m)
{
	d6_put_header(w, m->type, m->xid);
	put_kept(w, D6_OPT_CLIENTID, &m->client_id);
	put_kept(w, D6_OPT_SERVERID, &m->server_id);
	if (m->rapid_commit)
		d6_put_empty(w, D6_OPT_RAPID_COMMIT);
	if (m->reconf_accept)
		d6_put_empty(w, D6_OPT_RECONF_ACCEPT);
	if (m->has_elapsed) {
		size_t at = d6_open(w, D6_OPT_ELAPSED_TIME);
		wr_be16(w, m->elapsed_cs);
		d6_close(w, at);
	}
	put_kept(w, D6_OPT_ORO, &m->oro);
	put_kept(w, D6_OPT_CLIENT_FQDN, &m->fqdn);
	put_kept(w, D6_OPT_AUTH, &m->auth);
	put_kept(w, D6_OPT_USER_CLASS, &m->user_class);
	put_kept(w, D6_OPT_VENDOR_CLASS, &m->vendor_class);
	for (size_t i = 0; i < m->n_ias; i++)
		put_ia(w, &m->ias[i]);
}

static void check_span(const struct d6_span *a, const struct d6_span *b)
{
	FUZZ_CHECK((a->bytes == NULL) == (b->bytes == NULL));
	FUZZ_CHECK(a->len == b->len);
	if (a->bytes && b->bytes)
		FUZZ_CHECK(memcmp(a->bytes, b->bytes, a->len) == 0);
}

static void check_ia(const struct d6_ia *a, const struct d6_ia *b)
{
	FUZZ_CHECK(a->code == b->code && a->iaid == b->iaid && a->t1_s == b->t1_s &&
		   a->t2_s == b->t2_s);
	FUZZ_CHECK(a->n_resources <= D6_MAX_RESOURCES && a->n_resources == b->n_resources);
	for (size_t i = 0; i < a->n_resources; i++) {
		const struct d6_resource *p = &a->resources[i];
		const struct d6_resource *q = &b->resources[i];
		FUZZ_CHECK(p->prefix.plen <= 128 && prefix6_equal(&p->prefix, &q->prefix));
		FUZZ_CHECK(p->preferred_lft_s == q->preferred_lft_s &&
			   p->valid_lft_s == q->valid_lft_s);
	}
}

static void check_equal(const struct d6_msg *a, const struct d6_msg *b)
{
	FUZZ_CHECK(a->type == b->type && a->xid == b->xid);
	FUZZ_CHECK(a->rapid_commit == b->rapid_commit && a->reconf_accept == b->reconf_accept);
	FUZZ_CHECK(a->has_elapsed == b->has_elapsed && a->elapsed_cs == b->elapsed_cs);
	check_span(&a->oro, &b->oro);
	check_span(&a->client_id, &b->client_id);
	check_span(&a->server_id, &b->server_id);
	check_span(&a->fqdn, &b->fqdn);
	check_span(&a->auth, &b->auth);
	check_span(&a->user_class, &b->user_class);
	check_span(&a->vendor_class, &b->vendor_class);
	FUZZ_CHECK(a->n_ias <= D6_MAX_IAS && a->n_ias == b->n_ias);
	for (size_t i = 0; i < a->n_ias; i++)
		check_ia(&a->ias[i], &b->ias[i]);
}

/* What is said to be asked for is what stands in the list: of all low codes and some beyond. */
static void check_requested(const struct d6_msg *m)
{
	bool listed[D6_ORO_LOW + 8] = { 0 };
	FUZZ_CHECK(m->oro.len % 2 == 0);
	for (size_t i = 0; i < m->oro.len; i += 2) {
		size_t code = (size_t)(m->oro.bytes[i] << 8 | m->oro.bytes[i + 1]);
		if (code < sizeof listed)
			listed[code] = true;
	}
	for (size_t code = 0; code < sizeof listed; code++)
		FUZZ_CHECK(d6_oro_has(m, (uint16_t)code) == listed[code]);
}

static void fuzz_message(struct rd packet)
{
	static struct d6_msg first;
	static struct d6_msg second;
	static uint8_t bytes[OUT_MAX];
	if (d6_parse(packet, &first) != D6_OK)
		return;
	check_requested(&first);
	struct wr w = wr_of(bytes, sizeof bytes);
	build(&w, &first);
	/* Only spans can be long, and they came from one packet. */
	FUZZ_CHECK(!w.full);
	FUZZ_CHECK(d6_parse(rd_of(bytes, wr_len(&w)), &second) == D6_OK);
	check_equal(&first, &second);
}

static void fuzz_relay(struct rd packet)
{
	struct d6_relay relay;
	struct d6_relay back;
	static uint8_t bytes[OUT_MAX];
	for (int depth = 0; depth < 4 && d6_parse_relay(packet, &relay) == D6_OK; depth++) {
		FUZZ_CHECK(relay.hop_count <= D6_HOP_COUNT_LIMIT);
		FUZZ_CHECK(rd_left(&relay.message) > 0);
		struct wr w = wr_of(bytes, sizeof bytes);
		d6_put_relay_reply(&w, &relay);
		d6_put_span(&w, D6_OPT_RELAY_MSG, relay.message.p, rd_left(&relay.message));
		FUZZ_CHECK(!w.full);
		FUZZ_CHECK(d6_parse_relay(rd_of(bytes, wr_len(&w)), &back) == D6_OK);
		FUZZ_CHECK(back.type == D6_RELAY_REPL && back.hop_count == relay.hop_count);
		FUZZ_CHECK(memcmp(&back.link_address, &relay.link_address, 16) == 0);
		FUZZ_CHECK(memcmp(&back.peer_address, &relay.peer_address, 16) == 0);
		FUZZ_CHECK(back.has_relay_port == relay.has_relay_port &&
			   back.relay_port == relay.relay_port);
		check_span(&back.interface_id, &relay.interface_id);
		packet = relay.message;
	}
	fuzz_message(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_relay(rd_of(data, size)); /* no relay: the message itself */
	return 0;
}
