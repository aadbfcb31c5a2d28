/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "host/dhcp6_sock.h"
#include "wire/dhcp6.h"

#include <stdlib.h>

static uint8_t packet[4096];

static enum d6_verdict parse_vector(const char *name, struct d6_msg *m)
{
	size_t n = unit_vector(name, packet, sizeof packet);
	memset(m, 0xa5, sizeof *m); /* what is left unset must not look like something */
	return d6_parse(rd_of(packet, n), m);
}

static void solicit_is_read(void **state)
{
	(void)state;
	struct d6_msg m;
	assert_int_equal(parse_vector("dhcp6/solicit-pd", &m), D6_OK);
	assert_int_equal(m.type, D6_SOLICIT);
	assert_int_equal(m.xid, 0x100874);
	assert_int_equal(m.client_id.len, 10);
	assert_int_equal(m.client_id.bytes[9], 0x0a);
	assert_null(m.server_id.bytes);
	assert_false(m.rapid_commit);
	assert_false(m.reconf_accept);
	assert_true(m.has_elapsed);
	assert_int_equal(m.elapsed_cs, 0);
	assert_int_equal(m.oro.len, 3 * 2);
	assert_true(d6_oro_has(&m, D6_OPT_DNS_SERVERS));
	assert_true(d6_oro_has(&m, D6_OPT_SOL_MAX_RT));
	assert_false(d6_oro_has(&m, D6_OPT_AFTR_NAME));
	assert_null(m.fqdn.bytes);
	assert_null(m.auth.bytes);
	assert_int_equal(m.n_ias, 1);
	assert_int_equal(m.ias[0].code, D6_OPT_IA_PD);
	assert_int_equal(m.ias[0].iaid, 1);
	assert_int_equal(m.ias[0].n_resources, 1);
	assert_int_equal(m.ias[0].resources[0].prefix.plen, 56);
	assert_true(IN6_IS_ADDR_UNSPECIFIED(&m.ias[0].resources[0].prefix.addr));
}

static void every_kept_option_is_read(void **state)
{
	(void)state;
	struct d6_msg m;
	struct in6_addr want = unit_in6("2001:db8::100");
	assert_int_equal(parse_vector("dhcp6/solicit-everything", &m), D6_OK);
	assert_true(m.rapid_commit);
	assert_true(m.reconf_accept);
	assert_int_equal(m.elapsed_cs, 300);
	assert_true(d6_oro_has(&m, D6_OPT_AFTR_NAME));
	assert_int_equal(m.fqdn.len, 5);
	assert_memory_equal(m.user_class.bytes,
			    "\x00\x03"
			    "abc",
			    5);
	assert_int_equal(m.vendor_class.len, 8); /* the first of two */
	assert_int_equal(m.vendor_class.bytes[3], 9);
	assert_int_equal(m.auth.len, 11);
	assert_int_equal(m.n_ias, 2); /* the IA_TA between them is none */
	assert_int_equal(m.ias[0].code, D6_OPT_IA_NA);
	assert_int_equal(m.ias[0].iaid, 2);
	assert_int_equal(m.ias[0].t1_s, 1800);
	assert_int_equal(m.ias[0].t2_s, 2880);
	assert_int_equal(m.ias[0].n_resources, 1);
	assert_int_equal(m.ias[0].resources[0].prefix.plen, 128);
	assert_memory_equal(&m.ias[0].resources[0].prefix.addr, &want, 16);
	assert_int_equal(m.ias[0].resources[0].preferred_lft_s, 3600);
	assert_int_equal(m.ias[0].resources[0].valid_lft_s, 7200);
	assert_int_equal(m.ias[1].code, D6_OPT_IA_PD);
	assert_int_equal(m.ias[1].iaid, 4);
	assert_int_equal(m.ias[1].n_resources, 2);
	want = unit_in6("2001:db8:ffff:8100::");
	assert_memory_equal(&m.ias[1].resources[1].prefix.addr, &want, 16);
	assert_int_equal(m.ias[1].resources[1].prefix.plen, 60);
	assert_int_equal(m.ias[1].resources[1].preferred_lft_s, 1);
	assert_true(m.ias[1].resources[1].valid_lft_s == D6_LFT_INFINITY);
}

static void other_messages_are_read(void **state)
{
	(void)state;
	struct d6_msg m;
	assert_int_equal(parse_vector("dhcp6/request-pd", &m), D6_OK);
	assert_int_equal(m.type, D6_REQUEST);
	assert_int_equal(m.server_id.len, 18);
	assert_int_equal(m.ias[0].resources[0].valid_lft_s, 14400);
	assert_null(m.oro.bytes);
	assert_false(d6_oro_has(&m, D6_OPT_DNS_SERVERS));
	assert_int_equal(parse_vector("dhcp6/information-request", &m), D6_OK);
	assert_int_equal(m.type, D6_INFORMATION_REQUEST);
	assert_null(m.client_id.bytes);
	assert_int_equal(m.elapsed_cs, 0xffff);
	assert_int_equal(m.n_ias, 0);
	assert_int_equal(parse_vector("dhcp6/release-two", &m), D6_OK);
	assert_int_equal(m.n_ias, 2);
}

/* No prefix of a good packet is read beyond its end, and none but those that end between two
 * options is good. */
static void every_truncation_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = { "dhcp6/solicit-everything", "dhcp6/release-two" };
	for (size_t i = 0; i < 2; i++) {
		uint8_t b[4096];
		size_t n = unit_vector(names[i], b, sizeof b);
		size_t boundary = 4;
		struct d6_msg m;
		for (size_t cut = 0; cut <= n; cut++) {
			uint8_t *exact = (uint8_t *)malloc(
				cut > 0 ? cut : 1); /* so that a sanitizer sees the end */
			assert_non_null(exact);
			memcpy(exact, b, cut);
			enum d6_verdict v = d6_parse(rd_of(exact, cut), &m);
			free(exact);
			if (cut < 4) {
				assert_int_equal(v, D6_TRUNCATED);
			} else if (cut == boundary) {
				assert_int_equal(v, D6_OK);
				if (cut < n)
					boundary += 4 + (size_t)(b[cut + 2] << 8 | b[cut + 3]);
			} else {
				assert_int_equal(v, D6_MALFORMED);
			}
		}
	}
}

static void overruns_are_refused(void **state)
{
	(void)state;
	struct d6_msg m;
	assert_int_equal(parse_vector("dhcp6/bad-option-overrun", &m), D6_MALFORMED);
	assert_int_equal(parse_vector("dhcp6/bad-inner-overrun", &m), D6_MALFORMED);
}

static enum d6_verdict with_option(uint16_t code, size_t len)
{
	static const uint8_t zeros[512];
	uint8_t b[600];
	struct d6_msg m;
	struct wr w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_SOLICIT, 1);
	d6_put_span(&w, code, zeros, len);
	return d6_parse(rd_of(b, wr_len(&w)), &m);
}

static void option_lengths_are_exact(void **state)
{
	(void)state;
	static const struct {
		uint16_t code;
		size_t good, bad[3];
	} rows[] = {
		{ D6_OPT_CLIENTID, 1, { 0, 0, 0 } },
		{ D6_OPT_CLIENTID,
		  200,
		  { 0, 0, 0 } }, /* too long for a DUID: the server's business */
		{ D6_OPT_SERVERID, 1, { 0, 0, 0 } },
		{ D6_OPT_IA_NA, 12, { 0, 11, 13 } },
		{ D6_OPT_IA_PD, 12, { 0, 11, 15 } },
		{ D6_OPT_ORO, 0, { 1, 3, 5 } },
		{ D6_OPT_ORO, 4, { 1, 3, 5 } },
		{ D6_OPT_PREFERENCE, 1, { 0, 2, 3 } },
		{ D6_OPT_ELAPSED_TIME, 2, { 0, 1, 3 } },
		{ D6_OPT_AUTH, 11, { 0, 10, 10 } },
		{ D6_OPT_UNICAST, 16, { 0, 15, 17 } },
		{ D6_OPT_STATUS_CODE, 2, { 0, 1, 1 } },
		{ D6_OPT_RAPID_COMMIT, 0, { 1, 2, 4 } },
		{ D6_OPT_USER_CLASS, 0, { 65535, 65535, 65535 } },
		{ D6_OPT_VENDOR_CLASS, 4, { 0, 3, 3 } },
		{ D6_OPT_RECONF_MSG, 1, { 0, 2, 2 } },
		{ D6_OPT_RECONF_ACCEPT, 0, { 1, 2, 4 } },
		{ D6_OPT_INFORMATION_REFRESH_TIME, 4, { 0, 3, 5 } },
		{ D6_OPT_CLIENT_FQDN, 1, { 0, 0, 0 } },
		{ D6_OPT_SOL_MAX_RT, 4, { 0, 3, 5 } },
		{ D6_OPT_INF_MAX_RT, 4, { 0, 3, 5 } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(with_option(rows[i].code, rows[i].good), D6_OK);
		for (size_t k = 0; k < 3; k++)
			if (rows[i].bad[k] <= 512)
				assert_int_equal(with_option(rows[i].code, rows[i].bad[k]),
						 D6_MALFORMED);
	}
	/* unknown ones, and IA_TA is as good as that, have whatever length they like */
	for (size_t len = 0; len < 6; len++) {
		assert_int_equal(with_option(65000, len), D6_OK);
		assert_int_equal(with_option(D6_OPT_IA_TA, len), D6_OK);
	}
}

static void only_some_options_may_stand_twice(void **state)
{
	(void)state;
	static const struct {
		uint16_t code;
		uint8_t len;
		enum d6_verdict want;
	} rows[] = {
		{ D6_OPT_CLIENTID, 4, D6_MALFORMED },
		{ D6_OPT_SERVERID, 4, D6_MALFORMED },
		{ D6_OPT_ORO, 2, D6_MALFORMED },
		{ D6_OPT_ELAPSED_TIME, 2, D6_MALFORMED },
		{ D6_OPT_RAPID_COMMIT, 0, D6_MALFORMED },
		{ D6_OPT_RECONF_ACCEPT, 0, D6_MALFORMED },
		{ D6_OPT_CLIENT_FQDN, 1, D6_MALFORMED },
		{ D6_OPT_USER_CLASS, 3, D6_MALFORMED },
		{ D6_OPT_AUTH, 11, D6_MALFORMED },
		{ D6_OPT_PREFERENCE, 1, D6_MALFORMED },
		{ D6_OPT_UNICAST, 16, D6_MALFORMED },
		{ D6_OPT_STATUS_CODE, 2, D6_MALFORMED },
		{ D6_OPT_RECONF_MSG, 1, D6_MALFORMED },
		{ D6_OPT_INFORMATION_REFRESH_TIME, 4, D6_MALFORMED },
		{ D6_OPT_SOL_MAX_RT, 4, D6_MALFORMED },
		{ D6_OPT_INF_MAX_RT, 4, D6_MALFORMED },
		{ D6_OPT_IA_NA, 12, D6_OK },
		{ D6_OPT_IA_PD, 12, D6_OK },
		{ D6_OPT_IA_TA, 4, D6_OK },
		{ D6_OPT_VENDOR_CLASS, 4, D6_OK },
		{ D6_OPT_VENDOR_OPTS, 4, D6_OK },
		{ 65000, 4, D6_OK },
	};
	static const uint8_t zeros[16];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t b[128];
		struct d6_msg m;
		struct wr w = wr_of(b, sizeof b);
		d6_put_header(&w, D6_SOLICIT, 1);
		d6_put_span(&w, rows[i].code, zeros, rows[i].len);
		d6_put_span(&w, 65001, zeros, 1);
		d6_put_span(&w, rows[i].code, zeros, rows[i].len);
		assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), rows[i].want);
	}
}

static void a_prefix_longer_than_an_address_is_refused(void **state)
{
	(void)state;
	for (unsigned plen = 127; plen < 256; plen++) {
		uint8_t b[128];
		struct d6_msg m;
		struct prefix6 p = { .plen = (uint8_t)plen };
		struct wr w = wr_of(b, sizeof b);
		d6_put_header(&w, D6_REQUEST, 1);
		size_t ia = d6_open_ia(&w, D6_OPT_IA_PD, 1, 0, 0);
		d6_close(&w, d6_open_iaprefix(&w, &p, 0, 0));
		d6_close(&w, ia);
		assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m),
				 plen <= 128 ? D6_OK : D6_MALFORMED);
	}
}

static void misplaced_resources_mean_nothing(void **state)
{
	(void)state;
	uint8_t b[256];
	struct d6_msg m;
	struct prefix6 p = { .addr = unit_in6("2001:db8::"), .plen = 56 };
	struct in6_addr a = unit_in6("2001:db8::1");
	struct wr w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_REQUEST, 1);
	size_t ia = d6_open_ia(&w, D6_OPT_IA_PD, 1, 0, 0);
	d6_put_iaaddr(&w, &a, 1, 1);
	d6_close(&w, ia);
	ia = d6_open_ia(&w, D6_OPT_IA_NA, 2, 0, 0);
	d6_close(&w, d6_open_iaprefix(&w, &p, 1, 1));
	d6_close(&w, ia);
	d6_put_iaaddr(&w, &a, 1, 1); /* in no IA at all */
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_OK);
	assert_int_equal(m.n_ias, 2);
	assert_int_equal(m.ias[0].n_resources, 0);
	assert_int_equal(m.ias[1].n_resources, 0);
}

static void form_is_checked_inside_resources_too(void **state)
{
	(void)state;
	for (int extra = 0; extra < 5; extra++) {
		uint8_t b[256];
		struct d6_msg m;
		struct prefix6 p = { .plen = 56 };
		struct wr w = wr_of(b, sizeof b);
		d6_put_header(&w, D6_REQUEST, 1);
		size_t ia = d6_open_ia(&w, D6_OPT_IA_PD, 1, 0, 0);
		size_t at = d6_open_iaprefix(&w, &p, 0, 0);
		wr_zero(&w, (size_t)extra); /* four are an option of code 0 without a body */
		d6_close(&w, at);
		d6_close(&w, ia);
		assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m),
				 extra % 4 == 0 ? D6_OK : D6_MALFORMED);
	}
}

static void counts_are_bounded(void **state)
{
	(void)state;
	static uint8_t b[20000];
	struct d6_msg m;
	struct wr w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_SOLICIT, 1);
	for (int i = 0; i < D6_MAX_IAS; i++)
		d6_close(&w, d6_open_ia(&w, D6_OPT_IA_PD, (uint32_t)i, 0, 0));
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_OK);
	assert_int_equal(m.n_ias, D6_MAX_IAS);
	assert_int_equal(m.ias[D6_MAX_IAS - 1].iaid, D6_MAX_IAS - 1);

	/* one more is passed over, but not without a look at its form */
	size_t ia = d6_open_ia(&w, D6_OPT_IA_PD, 99, 0, 0);
	struct prefix6 p = { .plen = 128 };
	size_t at = d6_open_iaprefix(&w, &p, 1, 1);
	d6_close(&w, at);
	d6_close(&w, ia);
	d6_put_empty(&w, D6_OPT_RAPID_COMMIT);
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_OK);
	assert_int_equal(m.n_ias, D6_MAX_IAS);
	assert_int_equal(m.ias[D6_MAX_IAS - 1].iaid, D6_MAX_IAS - 1);
	assert_int_equal(m.ias[D6_MAX_IAS - 1].n_resources, 0);
	assert_true(m.rapid_commit);
	b[at + 2 + 8] = 129; /* the prefix's length */
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_MALFORMED);

	/* the options of all levels together: one IA, and all others in it */
	w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_SOLICIT, 1);
	ia = d6_open_ia(&w, D6_OPT_IA_PD, 1, 0, 0);
	p.plen = 56;
	for (int i = 0; i < D6_MAX_OPTIONS - 1; i++)
		d6_close(&w, d6_open_iaprefix(&w, &p, (uint32_t)i, 0));
	d6_close(&w, ia);
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_OK);
	assert_int_equal(m.ias[0].n_resources, D6_MAX_RESOURCES);
	assert_int_equal(m.ias[0].resources[D6_MAX_RESOURCES - 1].preferred_lft_s,
			 D6_MAX_RESOURCES - 1);
	d6_put_empty(&w, 65000);
	assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_TOO_MANY);
}

/* RFC 9915 §16: unknown options are no reason to discard a message. */
static void no_packet_that_comes_has_too_many_options(void **state)
{
	(void)state;
	static const uint8_t zeros[DHCP6_SOCK_PACKET_MAX]; /* options of code 0, without bodies */
	uint8_t b[DHCP6_SOCK_PACKET_MAX];
	struct d6_msg m;
	struct wr w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_SOLICIT, 1);
	d6_put_empty(&w, D6_OPT_RAPID_COMMIT);
	wr_bytes(&w, zeros, sizeof b - wr_len(&w) - 4);
	d6_put_empty(&w, D6_OPT_RECONF_ACCEPT);
	assert_int_equal(wr_len(&w), sizeof b);
	assert_int_equal(d6_parse(rd_of(b, sizeof b), &m), D6_OK);
	assert_true(m.rapid_commit);
	assert_true(m.reconf_accept);

	struct d6_relay relay = { .hop_count = 1 };
	w = wr_of(b, sizeof b);
	d6_put_relay_reply(&w, &relay);
	size_t room = (sizeof b - wr_len(&w)) / 4 * 4;
	wr_bytes(&w, zeros, room - 8);
	d6_put_u32(&w, D6_OPT_RELAY_MSG, 1);
	assert_int_equal(d6_parse_relay(rd_of(b, wr_len(&w)), &relay), D6_OK);
}

static void every_code_of_an_option_request_counts(void **state)
{
	(void)state;
	static uint8_t b[20000];
	static const uint16_t last[] = { 0, 23, 63, 64, 255, 256, 1000, 65535 };
	for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
		struct d6_msg m;
		memset(&m, 0xa5, sizeof m);
		struct wr w = wr_of(b, sizeof b);
		d6_put_header(&w, D6_SOLICIT, 1);
		size_t oro = d6_open(&w, D6_OPT_ORO);
		for (unsigned k = 0; k < 8000; k++)
			wr_be16(&w, (uint16_t)(2000 + k));
		wr_be16(&w, last[i]);
		d6_close(&w, oro);
		assert_int_equal(d6_parse(rd_of(b, wr_len(&w)), &m), D6_OK);
		assert_false(d6_oro_has(&m, 1999));
		assert_true(d6_oro_has(&m, 2000));
		assert_true(d6_oro_has(&m, 9999));
		assert_false(d6_oro_has(&m, 10000));
		for (size_t k = 0; k < sizeof last / sizeof last[0]; k++)
			assert_int_equal(d6_oro_has(&m, last[k]), k == i);
	}
}

static void types_are_those_of_clients(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		const uint8_t b[] = { (uint8_t)type, 0, 0, 1 };
		struct d6_msg m;
		bool known = type >= D6_SOLICIT && type <= D6_INFORMATION_REQUEST;
		assert_int_equal(d6_parse(rd_of(b, sizeof b), &m), known ? D6_OK : D6_UNKNOWN_TYPE);
	}
}

static void the_iterator_has_three_outcomes(void **state)
{
	(void)state;
	const uint8_t b[] = { 0, 14, 0, 0, 0, 8, 0, 2, 1, 2, 0, 6, 0, 3, 1, 2 };
	struct rd r = rd_of(b, sizeof b);
	struct d6_opt opt = { 0 };
	assert_true(d6_opt_next(&r, &opt));
	assert_int_equal(opt.code, 14);
	assert_int_equal(rd_left(&opt.body), 0);
	assert_true(d6_opt_next(&r, &opt));
	assert_int_equal(opt.code, 8);
	assert_int_equal(rd_be16(&opt.body), 0x0102);
	assert_false(d6_opt_next(&r, &opt));
	assert_true(r.bad);
	assert_false(d6_opt_next(&r, &opt)); /* and stays there */
	r = rd_of(b, 10);
	assert_true(d6_opt_next(&r, &opt));
	assert_true(d6_opt_next(&r, &opt));
	assert_false(d6_opt_next(&r, &opt));
	assert_false(r.bad);
}

static void a_relay_is_read_and_answered(void **state)
{
	(void)state;
	uint8_t b[512];
	uint8_t out[512];
	size_t n = unit_vector("dhcp6/relay-forw", b, sizeof b);
	struct d6_relay relay;
	struct d6_msg m;
	struct in6_addr link = unit_in6("2001:db8:ffff::1");
	struct in6_addr peer = unit_in6("fe80::ff:fe00:a");
	assert_int_equal(d6_parse_relay(rd_of(b, n), &relay), D6_OK);
	assert_int_equal(relay.type, D6_RELAY_FORW);
	assert_int_equal(relay.hop_count, 0);
	assert_memory_equal(&relay.link_address, &link, 16);
	assert_memory_equal(&relay.peer_address, &peer, 16);
	assert_int_equal(relay.interface_id.len, 6);
	assert_memory_equal(relay.interface_id.bytes, "eth0.7", 6);
	assert_int_equal(relay.remote_id.len, 7);
	assert_memory_equal(relay.subscriber_id.bytes, "abc", 3);
	assert_int_equal(relay.linklayer.len, 8);
	assert_true(relay.has_relay_port);
	assert_int_equal(relay.relay_port, 8080);
	assert_int_equal(d6_parse(relay.message, &m), D6_OK);
	assert_int_equal(m.xid, 0x100874);

	struct wr w = wr_of(out, sizeof out);
	d6_put_relay_reply(&w, &relay);
	size_t at = d6_open(&w, D6_OPT_RELAY_MSG);
	d6_put_header(&w, D6_ADVERTISE, 5);
	d6_close(&w, at);
	struct d6_relay back;
	assert_int_equal(d6_parse_relay(rd_of(out, wr_len(&w)), &back), D6_OK);
	assert_int_equal(back.type, D6_RELAY_REPL);
	assert_memory_equal(&back.link_address, &link, 16);
	assert_memory_equal(&back.peer_address, &peer, 16);
	assert_int_equal(back.interface_id.len, 6);
	assert_int_equal(back.relay_port, 8080); /* RFC 8357 §5.2 */
	assert_null(back.remote_id.bytes);
	assert_int_equal(rd_left(&back.message), 4);
}

static void relays_are_validated(void **state)
{
	(void)state;
	uint8_t b[512];
	size_t n = unit_vector("dhcp6/relay-forw", b, sizeof b);
	struct d6_relay relay = { .hop_count = 77 };
	for (size_t cut = 0; cut < 34; cut++)
		assert_int_equal(d6_parse_relay(rd_of(b, cut), &relay), D6_TRUNCATED);
	assert_int_equal(d6_parse_relay(rd_of(b, 34), &relay), D6_MALFORMED); /* no message */
	assert_int_equal(d6_parse_relay(rd_of(b, n - 1), &relay), D6_MALFORMED);
	b[1] = D6_HOP_COUNT_LIMIT + 1;
	assert_int_equal(d6_parse_relay(rd_of(b, n), &relay), D6_TOO_MANY);
	b[1] = D6_HOP_COUNT_LIMIT;
	b[0] = D6_SOLICIT;
	assert_int_equal(d6_parse_relay(rd_of(b, n), &relay), D6_UNKNOWN_TYPE);
	b[0] = D6_RELAY_FORW;
	memcpy(b + n, b + n - 22, 22); /* a second message */
	assert_int_equal(d6_parse_relay(rd_of(b, n + 22), &relay), D6_MALFORMED);
	assert_int_equal(relay.hop_count, 77); /* untouched by all of these */
	assert_int_equal(d6_parse_relay(rd_of(b, n), &relay), D6_OK);
}

static void a_relays_options_stand_once(void **state)
{
	(void)state;
	static const uint16_t codes[] = { D6_OPT_INTERFACE_ID, D6_OPT_REMOTE_ID,
					  D6_OPT_SUBSCRIBER_ID, D6_OPT_CLIENT_LINKLAYER_ADDR,
					  D6_OPT_RELAY_PORT };
	static const uint8_t zeros[8];
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		uint8_t b[512];
		struct d6_relay relay;
		size_t n = unit_vector("dhcp6/relay-forw", b, sizeof b);
		struct wr w = wr_of(b + n, sizeof b - n);
		d6_put_span(&w, codes[i], zeros, codes[i] == D6_OPT_RELAY_PORT ? 2 : 4);
		assert_int_equal(d6_parse_relay(rd_of(b, n + wr_len(&w)), &relay), D6_MALFORMED);
	}
}

static void options_are_written(void **state)
{
	(void)state;
	/* clang-format off: a line an option */
	static const uint8_t want[] = {
		7, 0x12, 0x34, 0x56,                       /* REPLY */
		0, 14,   0,    0,                          /* Rapid Commit */
		0, 82,   0,    4,    0,    0,  0x0e, 0x10, /* SOL_MAX_RT */
		0, 13,   0,    4,    0,    3,  'n',  'o',  /* Status Code NoBinding "no" */
		0, 13,   0,    2,    0,    0,              /* Status Code Success */
		0, 23,   0,    16,   0x20, 1,  0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 1,    0,    3,    0,    12, 0,    0,    0, 1, 0, 0, 0, 2, 0, 0, 0, 3, /* IA_NA */
		0, 1,    0,    3,    7,    8,  9,
	};
	/* clang-format on */
	uint8_t b[256];
	struct in6_addr dns = unit_in6("2001:db8::1");
	struct wr w = wr_of(b, sizeof b);
	d6_put_header(&w, D6_REPLY, 0xff123456); /* 24 bits of it */
	d6_put_empty(&w, D6_OPT_RAPID_COMMIT);
	d6_put_u32(&w, D6_OPT_SOL_MAX_RT, 3600);
	d6_put_status(&w, D6_STATUS_NO_BINDING, "no");
	d6_put_status(&w, D6_STATUS_SUCCESS, NULL);
	d6_put_in6_list(&w, D6_OPT_DNS_SERVERS, &dns, 1);
	d6_close(&w, d6_open_ia(&w, D6_OPT_IA_NA, 1, 2, 3));
	d6_put_span(&w, D6_OPT_CLIENTID, "\x07\x08\x09", 3);
	assert_int_equal(wr_len(&w), sizeof want);
	assert_memory_equal(b, want, sizeof want);
}

static void overflow_is_sticky_at_every_size(void **state)
{
	(void)state;
	for (size_t size = 0; size < 61; size++) {
		uint8_t *b = (uint8_t *)malloc(size > 0 ? size : 1);
		assert_non_null(b);
		struct prefix6 p = { .plen = 56 };
		struct wr w = wr_of(b, size);
		d6_put_header(&w, D6_REPLY, 1);
		size_t ia = d6_open_ia(&w, D6_OPT_IA_PD, 1, 2, 3);
		size_t at = d6_open_iaprefix(&w, &p, 4, 5);
		d6_put_status(&w, D6_STATUS_SUCCESS, "12345");
		d6_close(&w, at);
		d6_close(&w, ia);
		assert_int_equal(w.full, size < 60);
		free(b);
	}
}

static void an_option_of_more_than_its_length_field_is_refused(void **state)
{
	(void)state;
	static uint8_t b[70000];
	struct wr w = wr_of(b, sizeof b);
	size_t at = d6_open(&w, D6_OPT_USER_CLASS);
	wr_zero(&w, 65535);
	d6_close(&w, at);
	assert_false(w.full);
	assert_int_equal(b[2], 0xff);
	w = wr_of(b, sizeof b);
	at = d6_open(&w, D6_OPT_USER_CLASS);
	wr_zero(&w, 65536);
	d6_close(&w, at);
	assert_true(w.full);
}

static void names_are_told(void **state)
{
	(void)state;
	assert_string_equal(d6_type_name(D6_SOLICIT), "SOLICIT");
	assert_string_equal(d6_type_name(D6_RELAY_REPL), "RELAY-REPL");
	assert_string_equal(d6_type_name(0), "UNKNOWN");
	assert_string_equal(d6_type_name(14), "UNKNOWN");
	assert_string_equal(d6_type_name(255), "UNKNOWN");
	assert_string_equal(d6_verdict_name(D6_MALFORMED), "malformed");
	for (int v = D6_OK; v <= D6_UNKNOWN_TYPE; v++)
		for (int u = D6_OK; u < v; u++)
			assert_string_not_equal(d6_verdict_name((enum d6_verdict)u),
						d6_verdict_name((enum d6_verdict)v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicit_is_read),
		cmocka_unit_test(every_kept_option_is_read),
		cmocka_unit_test(other_messages_are_read),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(overruns_are_refused),
		cmocka_unit_test(option_lengths_are_exact),
		cmocka_unit_test(only_some_options_may_stand_twice),
		cmocka_unit_test(a_prefix_longer_than_an_address_is_refused),
		cmocka_unit_test(misplaced_resources_mean_nothing),
		cmocka_unit_test(form_is_checked_inside_resources_too),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(no_packet_that_comes_has_too_many_options),
		cmocka_unit_test(every_code_of_an_option_request_counts),
		cmocka_unit_test(types_are_those_of_clients),
		cmocka_unit_test(the_iterator_has_three_outcomes),
		cmocka_unit_test(a_relay_is_read_and_answered),
		cmocka_unit_test(relays_are_validated),
		cmocka_unit_test(a_relays_options_stand_once),
		cmocka_unit_test(options_are_written),
		cmocka_unit_test(overflow_is_sticky_at_every_size),
		cmocka_unit_test(an_option_of_more_than_its_length_field_is_refused),
		cmocka_unit_test(names_are_told),
	};
	return cmocka_run_group_tests_name("dhcp6", tests, NULL, NULL);
}
