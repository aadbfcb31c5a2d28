/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/dhcp6.h"

#include "wire/dnsname.h"

enum {
	IA_FIXED_LEN = 12,       /* IAID, T1, T2 (§21.4, §21.21) */
	IAADDR_FIXED_LEN = 24,   /* §21.6 */
	IAPREFIX_FIXED_LEN = 25, /* §21.22 */
	ANY_LEN = UINT16_MAX,
	MAX_OPT_CODE = 143,
};

const char *d6_verdict_name(enum d6_verdict v)
{
	switch (v) {
	case D6_OK:
		return "ok";
	case D6_TRUNCATED:
		return "truncated";
	case D6_MALFORMED:
		return "malformed";
	case D6_TOO_MANY:
		return "too_many";
	case D6_UNKNOWN_TYPE:
		return "unknown_type";
	}
	return "unknown";
}

const char *d6_type_name(uint8_t type)
{
	static const char *const names[] = {
		[D6_SOLICIT] = "SOLICIT",
		[D6_ADVERTISE] = "ADVERTISE",
		[D6_REQUEST] = "REQUEST",
		[D6_CONFIRM] = "CONFIRM",
		[D6_RENEW] = "RENEW",
		[D6_REBIND] = "REBIND",
		[D6_REPLY] = "REPLY",
		[D6_RELEASE] = "RELEASE",
		[D6_DECLINE] = "DECLINE",
		[D6_RECONFIGURE] = "RECONFIGURE",
		[D6_INFORMATION_REQUEST] = "INFORMATION-REQUEST",
		[D6_RELAY_FORW] = "RELAY-FORW",
		[D6_RELAY_REPL] = "RELAY-REPL",
	};
	return type < sizeof names / sizeof names[0] && names[type] ? names[type] : "UNKNOWN";
}

bool d6_opt_next(struct rd *r, struct d6_opt *ret_opt)
{
	if (rd_left(r) == 0)
		return false;
	uint16_t code = rd_be16(r);
	struct rd body = rd_sub(r, rd_be16(r));
	if (r->bad)
		return false;
	*ret_opt = (struct d6_opt){ .code = code, .body = body };
	return true;
}

/*
 * What RFC 9915 and the options' own RFCs say about how long an option is and whether it may stand
 * twice. Options that are not here are skipped unseen. min and max are of the body, in bytes; it is
 * a multiple of `unit`.
 */
static const struct opt_rule {
	uint16_t min, max, unit;
	bool single;
} rules[MAX_OPT_CODE + 1] = {
	[D6_OPT_CLIENTID] = { 1, ANY_LEN, 1, true },
	[D6_OPT_SERVERID] = { 1, ANY_LEN, 1, true },
	[D6_OPT_IA_NA] = { IA_FIXED_LEN, ANY_LEN, 1, false },
	[D6_OPT_IAADDR] = { IAADDR_FIXED_LEN, ANY_LEN, 1, false },
	[D6_OPT_ORO] = { 0, ANY_LEN, 2, true },
	[D6_OPT_PREFERENCE] = { 1, 1, 1, true },
	[D6_OPT_ELAPSED_TIME] = { 2, 2, 1, true },
	[D6_OPT_RELAY_MSG] = { 1, ANY_LEN, 1, true },
	[D6_OPT_AUTH] = { 11, ANY_LEN, 1, true },
	[D6_OPT_UNICAST] = { 16, 16, 1, true },
	[D6_OPT_STATUS_CODE] = { 2, ANY_LEN, 1, true },
	[D6_OPT_RAPID_COMMIT] = { 0, 0, 1, true },
	[D6_OPT_USER_CLASS] = { 0, ANY_LEN, 1, true },
	[D6_OPT_VENDOR_CLASS] = { 4, ANY_LEN, 1, false },
	[D6_OPT_INTERFACE_ID] = { 0, ANY_LEN, 1, true },
	[D6_OPT_RECONF_MSG] = { 1, 1, 1, true },
	[D6_OPT_RECONF_ACCEPT] = { 0, 0, 1, true },
	[D6_OPT_IA_PD] = { IA_FIXED_LEN, ANY_LEN, 1, false },
	[D6_OPT_IAPREFIX] = { IAPREFIX_FIXED_LEN, ANY_LEN, 1, false },
	[D6_OPT_INFORMATION_REFRESH_TIME] = { 4, 4, 1, true },
	[D6_OPT_REMOTE_ID] = { 4, ANY_LEN, 1, true },
	[D6_OPT_SUBSCRIBER_ID] = { 0, ANY_LEN, 1, true },
	[D6_OPT_CLIENT_FQDN] = { 1, ANY_LEN, 1, true },
	[D6_OPT_CLIENT_LINKLAYER_ADDR] = { 2, ANY_LEN, 1, true },
	[D6_OPT_SOL_MAX_RT] = { 4, 4, 1, true },
	[D6_OPT_INF_MAX_RT] = { 4, 4, 1, true },
	[D6_OPT_RELAY_PORT] = { 2, 2, 1, true },
};

/* One list of options (a message's, an IA's, an address's) being walked under the rules. */
struct walk {
	struct rd rest;
	unsigned *budget; /* the message's: options of all lists together */
	uint64_t seen[MAX_OPT_CODE / 64 + 1];
};

/* D6_OK with *ret_opt; *ret_end at the clean end; else why the message is refused. */
static enum d6_verdict walk_next(struct walk *w, struct d6_opt *ret_opt, bool *ret_end)
{
	*ret_end = false;
	if (!d6_opt_next(&w->rest, ret_opt)) {
		*ret_end = true;
		return w->rest.bad ? D6_MALFORMED : D6_OK;
	}
	if (*w->budget == 0)
		return D6_TOO_MANY;
	(*w->budget)--;
	if (ret_opt->code > MAX_OPT_CODE || rules[ret_opt->code].unit == 0)
		return D6_OK;
	const struct opt_rule *rule = &rules[ret_opt->code];
	size_t len = rd_left(&ret_opt->body);
	if (len < rule->min || len > rule->max || len % rule->unit != 0)
		return D6_MALFORMED;
	uint64_t bit = UINT64_C(1) << ret_opt->code % 64;
	uint64_t *seen = &w->seen[ret_opt->code / 64];
	if (rule->single && (*seen & bit))
		return D6_MALFORMED;
	*seen |= bit;
	return D6_OK;
}

/* Options within an address or a prefix: looked at for their form only. Status codes from clients
 * are ignored (§21.13). */
static enum d6_verdict check_options(struct rd body, unsigned *budget)
{
	struct walk w = { .rest = body, .budget = budget };
	struct d6_opt opt;
	bool end;
	for (;;) {
		enum d6_verdict v = walk_next(&w, &opt, &end);
		if (v != D6_OK || end)
			return v;
	}
}

static struct d6_span span_of(struct rd body)
{
	return (struct d6_span){ .bytes = body.p, .len = (uint16_t)rd_left(&body) };
}

/* IAADDR and IAPREFIX have the same fields in another order (§21.6, §21.22). ia NULL: only its form
 * is of interest. */
static enum d6_verdict parse_resource(struct d6_opt *opt, struct d6_msg *m, struct d6_ia *ia,
				      unsigned *budget)
{
	struct d6_resource res = { 0 };
	if (opt->code == D6_OPT_IAADDR) {
		res.prefix.addr = rd_in6(&opt->body);
		res.prefix.plen = 128;
		res.preferred_lft_s = rd_be32(&opt->body);
		res.valid_lft_s = rd_be32(&opt->body);
	} else {
		res.preferred_lft_s = rd_be32(&opt->body);
		res.valid_lft_s = rd_be32(&opt->body);
		res.prefix.plen = rd_u8(&opt->body);
		res.prefix.addr = rd_in6(&opt->body);
	}
	if (res.prefix.plen > 128)
		return D6_MALFORMED;
	res.prefix = prefix6_masked(&res.prefix);
	if (ia && m->n_resources < D6_MAX_RESOURCES) {
		m->resources[m->n_resources++] = res;
		ia->n_resources++;
	}
	return check_options(opt->body, budget);
}

static enum d6_verdict parse_ia(struct d6_opt *opt, struct d6_msg *m, unsigned *budget)
{
	struct d6_ia *ia = m->n_ias < D6_MAX_IAS ? &m->ias[m->n_ias++] : NULL;
	struct rd fixed = rd_sub(&opt->body, IA_FIXED_LEN);
	if (ia) {
		ia->code = opt->code;
		ia->n_resources = 0;
		ia->resources = &m->resources[m->n_resources];
		ia->iaid = rd_be32(&fixed);
		ia->t1_s = rd_be32(&fixed);
		ia->t2_s = rd_be32(&fixed);
	}

	uint16_t wanted = opt->code == D6_OPT_IA_PD ? D6_OPT_IAPREFIX : D6_OPT_IAADDR;
	struct walk w = { .rest = opt->body, .budget = budget };
	struct d6_opt inner;
	bool end;
	for (;;) {
		enum d6_verdict v = walk_next(&w, &inner, &end);
		if (v != D6_OK || end)
			return v;
		if (inner.code != wanted)
			continue; /* also an address in an IA_PD, which means nothing there */
		v = parse_resource(&inner, m, ia, budget);
		if (v != D6_OK)
			return v;
	}
}

static void parse_oro(struct rd body, struct d6_msg *m)
{
	m->oro = span_of(body);
	while (rd_left(&body) > 0) {
		uint16_t code = rd_be16(&body);
		if (code < D6_ORO_LOW)
			m->oro_low[code / 64] |= UINT64_C(1) << code % 64;
	}
}

static enum d6_verdict parse_option(struct d6_opt *opt, struct d6_msg *m, unsigned *budget)
{
	switch (opt->code) {
	case D6_OPT_CLIENTID:
		m->client_id = span_of(opt->body);
		break;
	case D6_OPT_SERVERID:
		m->server_id = span_of(opt->body);
		break;
	case D6_OPT_IA_NA:
	case D6_OPT_IA_PD:
		return parse_ia(opt, m, budget);
	case D6_OPT_ORO:
		parse_oro(opt->body, m);
		break;
	case D6_OPT_ELAPSED_TIME:
		m->has_elapsed = true;
		m->elapsed_cs = rd_be16(&opt->body);
		break;
	case D6_OPT_AUTH:
		m->auth = span_of(opt->body);
		break;
	case D6_OPT_RAPID_COMMIT:
		m->rapid_commit = true;
		break;
	case D6_OPT_RECONF_ACCEPT:
		m->reconf_accept = true;
		break;
	case D6_OPT_USER_CLASS:
		m->user_class = span_of(opt->body);
		break;
	case D6_OPT_VENDOR_CLASS:
		/* One for each enterprise number may stand (§21.16): the first is kept. */
		if (!m->vendor_class.bytes)
			m->vendor_class = span_of(opt->body);
		break;
	case D6_OPT_CLIENT_FQDN: {
		struct d6_span fqdn = span_of(opt->body);
		(void)rd_u8(&opt->body); /* flags */
		if (dnsname_formed(opt->body))
			m->fqdn = fqdn;
		break;
	}
	default:
		break;
	}
	return D6_OK;
}

enum d6_verdict d6_parse(struct rd packet, struct d6_msg *ret_msg)
{
	/* The IAs are filled as they come: zeroing all of their room for every packet would cost
	 * more than the parsing. */
	struct d6_msg *m = ret_msg;
	memset(m, 0, offsetof(struct d6_msg, ias));

	m->type = rd_u8(&packet);
	m->xid = rd_be24(&packet);
	if (packet.bad)
		return D6_TRUNCATED;
	if (m->type < D6_SOLICIT || m->type > D6_INFORMATION_REQUEST)
		return D6_UNKNOWN_TYPE;

	unsigned budget = D6_MAX_OPTIONS;
	struct walk w = { .rest = packet, .budget = &budget };
	struct d6_opt opt;
	bool end;
	for (;;) {
		enum d6_verdict v = walk_next(&w, &opt, &end);
		if (v != D6_OK || end)
			return v;
		v = parse_option(&opt, m, &budget);
		if (v != D6_OK)
			return v;
	}
}

bool d6_oro_has(const struct d6_msg *m, uint16_t code)
{
	if (code < D6_ORO_LOW)
		return m->oro_low[code / 64] >> code % 64 & 1;
	struct rd codes = rd_of(m->oro.bytes, m->oro.len);
	bool found = false;
	while (rd_left(&codes) > 0 && !found)
		found = rd_be16(&codes) == code;
	return found;
}

static void parse_relay_option(struct d6_opt *opt, struct d6_relay *relay)
{
	switch (opt->code) {
	case D6_OPT_RELAY_MSG:
		relay->message = opt->body;
		break;
	case D6_OPT_INTERFACE_ID:
		relay->interface_id = span_of(opt->body);
		break;
	case D6_OPT_REMOTE_ID:
		relay->remote_id = span_of(opt->body);
		break;
	case D6_OPT_SUBSCRIBER_ID:
		relay->subscriber_id = span_of(opt->body);
		break;
	case D6_OPT_CLIENT_LINKLAYER_ADDR:
		relay->linklayer = span_of(opt->body);
		break;
	case D6_OPT_RELAY_PORT:
		relay->has_relay_port = true;
		relay->relay_port = rd_be16(&opt->body);
		break;
	default:
		break;
	}
}

enum d6_verdict d6_parse_relay(struct rd packet, struct d6_relay *ret_relay)
{
	struct d6_relay relay = { .type = rd_u8(&packet) };
	relay.hop_count = rd_u8(&packet);
	relay.link_address = rd_in6(&packet);
	relay.peer_address = rd_in6(&packet);
	if (packet.bad)
		return D6_TRUNCATED;
	if (relay.type != D6_RELAY_FORW && relay.type != D6_RELAY_REPL)
		return D6_UNKNOWN_TYPE;
	if (relay.hop_count > D6_HOP_COUNT_LIMIT)
		return D6_TOO_MANY;

	unsigned budget = D6_MAX_OPTIONS;
	struct walk w = { .rest = packet, .budget = &budget };
	struct d6_opt opt;
	bool end;
	for (;;) {
		enum d6_verdict v = walk_next(&w, &opt, &end);
		if (v != D6_OK)
			return v;
		if (end)
			break;
		parse_relay_option(&opt, &relay);
	}
	if (rd_left(&relay.message) == 0)
		return D6_MALFORMED; /* §19.3: a relay without a message relays nothing */
	*ret_relay = relay;
	return D6_OK;
}

void d6_put_header(struct wr *w, uint8_t type, uint32_t xid)
{
	wr_u8(w, type);
	wr_be24(w, xid);
}

size_t d6_open(struct wr *w, uint16_t code)
{
	wr_be16(w, code);
	size_t at = wr_len(w);
	wr_be16(w, 0); /* its length, written by d6_close() */
	return at;
}

void d6_close(struct wr *w, size_t at)
{
	if (w->full)
		return;
	size_t len = wr_len(w) - at - 2;
	if (len > UINT16_MAX)
		w->full = true;
	else
		wr_patch_be16(w, at, (uint16_t)len);
}

void d6_put_span(struct wr *w, uint16_t code, const void *bytes, size_t len)
{
	size_t at = d6_open(w, code);
	wr_bytes(w, bytes, len);
	d6_close(w, at);
}

void d6_put_empty(struct wr *w, uint16_t code)
{
	d6_close(w, d6_open(w, code));
}

void d6_put_u32(struct wr *w, uint16_t code, uint32_t value)
{
	size_t at = d6_open(w, code);
	wr_be32(w, value);
	d6_close(w, at);
}

void d6_put_status(struct wr *w, enum d6_status status, const char *message)
{
	size_t at = d6_open(w, D6_OPT_STATUS_CODE);
	wr_be16(w, (uint16_t)status);
	if (message)
		wr_bytes(w, message, strlen(message)); /* UTF-8, not NUL-terminated (§21.13) */
	d6_close(w, at);
}

void d6_put_in6_list(struct wr *w, uint16_t code, const struct in6_addr *addrs, size_t n)
{
	size_t at = d6_open(w, code);
	for (size_t i = 0; i < n; i++)
		wr_in6(w, &addrs[i]);
	d6_close(w, at);
}

size_t d6_open_ia(struct wr *w, uint16_t code, uint32_t iaid, uint32_t t1_s, uint32_t t2_s)
{
	size_t at = d6_open(w, code);
	wr_be32(w, iaid);
	wr_be32(w, t1_s);
	wr_be32(w, t2_s);
	return at;
}

void d6_put_iaaddr(struct wr *w, const struct in6_addr *a, uint32_t preferred_lft_s,
		   uint32_t valid_lft_s)
{
	size_t at = d6_open(w, D6_OPT_IAADDR);
	wr_in6(w, a);
	wr_be32(w, preferred_lft_s);
	wr_be32(w, valid_lft_s);
	d6_close(w, at);
}

size_t d6_open_iaprefix(struct wr *w, const struct prefix6 *p, uint32_t preferred_lft_s,
			uint32_t valid_lft_s)
{
	size_t at = d6_open(w, D6_OPT_IAPREFIX);
	wr_be32(w, preferred_lft_s);
	wr_be32(w, valid_lft_s);
	wr_u8(w, p->plen);
	wr_in6(w, &p->addr);
	return at;
}

void d6_put_relay_reply(struct wr *w, const struct d6_relay *relay)
{
	wr_u8(w, D6_RELAY_REPL);
	wr_u8(w, relay->hop_count);
	wr_in6(w, &relay->link_address);
	wr_in6(w, &relay->peer_address);
	if (relay->interface_id.bytes)
		d6_put_span(w, D6_OPT_INTERFACE_ID, relay->interface_id.bytes,
			    relay->interface_id.len);
	if (relay->has_relay_port) {
		/* RFC 8357 §5.2: copied, or the relay could not find the port of the next one. */
		size_t at = d6_open(w, D6_OPT_RELAY_PORT);
		wr_be16(w, relay->relay_port);
		d6_close(w, at);
	}
}
