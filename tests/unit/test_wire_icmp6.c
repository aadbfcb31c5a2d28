/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/icmp6.h"

enum { HEADER = 40, UDP = 17, ICMP6 = 58 };

struct packet {
	uint8_t bytes[2048];
	size_t len;
};

/* An IPv6 packet with this next header and body. */
static struct packet packet(uint8_t next, const char *src, const char *dst, const void *body,
			    size_t len)
{
	struct packet p = { .len = HEADER + len };
	const struct in6_addr s = unit_in6(src), d = unit_in6(dst);
	p.bytes[0] = 0x60;
	p.bytes[4] = (uint8_t)(len >> 8);
	p.bytes[5] = (uint8_t)len;
	p.bytes[6] = next;
	p.bytes[7] = 64;
	memcpy(p.bytes + 8, &s, sizeof s);
	memcpy(p.bytes + 24, &d, sizeof d);
	memcpy(p.bytes + HEADER, body, len);
	return p;
}

static bool answer(const struct packet *p, uint8_t out[static ICMP6_ERROR_MAX], size_t *ret_len)
{
	const struct in6_addr ours = unit_in6("2001:db8:ffff::1");
	struct wr w = wr_of(out, ICMP6_ERROR_MAX);
	bool sent = icmp6_unreachable(&w, &ours, ICMP6_SOURCE_POLICY, rd_of(p->bytes, p->len));
	*ret_len = wr_len(&w);
	return sent;
}

/* Summed up with its pseudo header it is all ones, by another way than the one that made it. */
static bool checksum_right(const uint8_t *bytes, size_t len)
{
	uint64_t s = ICMP6 + len - HEADER;
	for (size_t i = 8; i < len; i++)
		s += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
	while (s > 0xffff)
		s = s % 0x10000 + s / 0x10000;
	return s == 0xffff;
}

static const uint8_t payload[1400] = { 0x12, 0x34, 0x56 };

static void it_quotes_the_packet_and_goes_to_its_source(void **state)
{
	(void)state;
	uint8_t out[ICMP6_ERROR_MAX];
	size_t len;
	const struct packet p = packet(UDP, "2001:db8:bad::1", "2001:db8::9", payload, 33);
	const struct in6_addr ours = unit_in6("2001:db8:ffff::1"), to = unit_in6("2001:db8:bad::1");
	assert_true(answer(&p, out, &len));
	assert_int_equal(len, HEADER + 8 + p.len);
	const uint8_t head[] = { 0x60, 0, 0, 0, 0, (uint8_t)(8 + p.len), ICMP6, 64 };
	assert_memory_equal(out, head, sizeof head);
	assert_memory_equal(out + 8, &ours, sizeof ours);
	assert_memory_equal(out + 24, &to, sizeof to);
	assert_int_equal(out[HEADER], 1);
	assert_int_equal(out[HEADER + 1], 5);
	assert_memory_equal(out + HEADER + 8, p.bytes, p.len);
	assert_true(checksum_right(out, len));
}

static void it_is_never_longer_than_every_link_takes(void **state)
{
	(void)state;
	uint8_t out[ICMP6_ERROR_MAX];
	size_t len;
	const struct packet p = packet(UDP, "2001:db8:bad::1", "2001:db8::9", payload, 1400);
	assert_true(answer(&p, out, &len));
	assert_int_equal(len, 1280);
	assert_true(checksum_right(out, len));
}

/* RFC 4443 §2.4 (e). */
static void what_must_not_be_answered_is_not(void **state)
{
	(void)state;
	uint8_t out[ICMP6_ERROR_MAX];
	size_t len;
	static const uint8_t error[8] = { 3 }, redirect[8] = { 137 }, echo[8] = { 128 };
	/* The same behind a header of options, and in a first and a later fragment. */
	static const uint8_t options[16] = { ICMP6, 0, 1, 4, 0, 0, 0, 0, 1 };
	static const uint8_t first[16] = { ICMP6, 0, 0, 1, 0, 0, 0, 1, 4 };
	static const uint8_t later[16] = { ICMP6, 0, 0, 8, 0, 0, 0, 1, 128 };
	static const uint8_t cut[16] = { 60, 200 };
	const struct packet silent[] = {
		packet(ICMP6, "2001:db8:bad::1", "2001:db8::9", error, sizeof error),
		packet(ICMP6, "2001:db8:bad::1", "2001:db8::9", redirect, sizeof redirect),
		packet(60, "2001:db8:bad::1", "2001:db8::9", options, sizeof options),
		packet(44, "2001:db8:bad::1", "2001:db8::9", first, sizeof first),
		packet(44, "2001:db8:bad::1", "2001:db8::9", later, sizeof later),
		packet(60, "2001:db8:bad::1", "2001:db8::9", cut, sizeof cut),
		packet(ICMP6, "2001:db8:bad::1", "2001:db8::9", NULL, 0),
		packet(UDP, "ff02::1", "2001:db8::9", payload, 8),
		packet(UDP, "::", "2001:db8::9", payload, 8),
		packet(UDP, "2001:db8:bad::1", "ff02::1", payload, 8),
	};
	for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
		if (answer(&silent[i], out, &len))
			fail_msg("packet %zu was answered", i);
	const struct packet asked =
		packet(ICMP6, "2001:db8:bad::1", "2001:db8::9", echo, sizeof echo);
	assert_true(answer(&asked, out, &len));
}

static void what_is_no_packet_is_refused(void **state)
{
	(void)state;
	uint8_t out[ICMP6_ERROR_MAX];
	size_t len;
	struct packet p = packet(UDP, "2001:db8:bad::1", "2001:db8::9", payload, 8);
	struct in6_addr src, dst;
	for (size_t n = 0; n < HEADER; n++) {
		p.len = n;
		assert_false(icmp6_addresses(rd_of(p.bytes, n), &src, &dst));
		assert_false(answer(&p, out, &len));
	}
	p.len = HEADER;
	p.bytes[0] = 0x45;
	assert_false(answer(&p, out, &len));
	/* Nor is half an answer given where there is no room. */
	p = packet(UDP, "2001:db8:bad::1", "2001:db8::9", payload, 33);
	const struct in6_addr ours = unit_in6("2001:db8:ffff::1");
	struct wr w = wr_of(out, 60);
	assert_false(icmp6_unreachable(&w, &ours, 5, rd_of(p.bytes, p.len)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_quotes_the_packet_and_goes_to_its_source),
		cmocka_unit_test(it_is_never_longer_than_every_link_takes),
		cmocka_unit_test(what_must_not_be_answered_is_not),
		cmocka_unit_test(what_is_no_packet_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
