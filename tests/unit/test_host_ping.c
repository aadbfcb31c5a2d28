/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests out of one end of a veth pair; the kernel of the namespace at its other end
 * answers. */
#include "unit/sandbox.h"

#include "host/link.h"
#include "host/ping.h"

#include <netinet/icmp6.h>
#include <poll.h>
#include <sys/socket.h>

enum { WAIT_MS = 60000, NOTHING_MS = 200 };

static const struct ping_secret secret = { .key = { 1, 2, 3 }, .identifier = 0xabcd };

/* What the other end makes of a request. */
static void turn_round(uint8_t bytes[PING_BYTES])
{
	bytes[0] = ICMP6_ECHO_REPLY;
}

static bool parses(const uint8_t *bytes, size_t len, uint64_t now_ns)
{
	uint16_t seq;
	uint32_t rtt_us;
	return ping_parse(&secret, rd_of(bytes, len), now_ns, &seq, &rtt_us);
}

static void an_answer_tells_its_request_and_how_long_it_took(void **state)
{
	(void)state;
	uint8_t bytes[PING_BYTES];
	uint16_t seq = 0;
	uint32_t rtt_us = 0;
	ping_build(&secret, 65535, 5000000, bytes);
	assert_int_equal(bytes[0], ICMP6_ECHO_REQUEST);
	turn_round(bytes);
	assert_true(ping_parse(&secret, rd_of(bytes, sizeof bytes), 5012345, &seq, &rtt_us));
	assert_int_equal(seq, 65535);
	assert_int_equal(rtt_us, 12);
	/* A clock that goes back, and one that went far. */
	assert_true(ping_parse(&secret, rd_of(bytes, sizeof bytes), 1, &seq, &rtt_us));
	assert_int_equal(rtt_us, 0);
	assert_true(ping_parse(&secret, rd_of(bytes, sizeof bytes), UINT64_MAX, &seq, &rtt_us));
	assert_int_equal(rtt_us, 600000000);
}

static void no_byte_of_an_answer_can_be_another(void **state)
{
	(void)state;
	uint8_t bytes[PING_BYTES + 1] = { 0 };
	ping_build(&secret, 7, 5000000, bytes);
	assert_false(parses(bytes, PING_BYTES, 6000000)); /* our own request */
	turn_round(bytes);
	for (size_t i = 0; i < PING_BYTES; i++)
		for (unsigned bit = 0; bit < 8 && i != 2 && i != 3; bit++) { /* the checksum */
			bytes[i] ^= (uint8_t)(1U << bit);
			assert_false(parses(bytes, PING_BYTES, 6000000));
			bytes[i] ^= (uint8_t)(1U << bit);
		}
	for (size_t len = 0; len < PING_BYTES; len++)
		assert_false(parses(bytes, len, 6000000));
	assert_false(parses(bytes, PING_BYTES + 1, 6000000));
	assert_true(parses(bytes, PING_BYTES, 6000000));
}

static int make_link(void **state)
{
	if (sandbox_enter(state) < 0 || !sandbox.made)
		return sandbox.made ? -1 : 0;
	run("ip link add up0 type veth peer name peer0");
	struct rtnl *own;
	struct link_info theirs;
	if (rtnl_open(-1, &own) < 0 || link_get(own, "peer0", &theirs) < 0 ||
	    link_move(own, theirs.ifindex, sandbox.host_ns, NULL, "peer0") < 0)
		return -1;
	rtnl_close(own);
	run("ip link set up0 up && ip -6 addr add 2001:db8::1/64 dev up0 nodad");
	run_in(sandbox.host_ns,
	       "ip link set peer0 up && ip -6 addr add 2001:db8::2/64 dev peer0 nodad");
	return 0;
}

static bool readable(const struct ping *p, int ms)
{
	struct pollfd fd = { .fd = ping_fd(p), .events = POLLIN };
	return poll(&fd, 1, ms) == 1;
}

static void the_other_end_answers(void **state)
{
	(void)state;
	if (!sandbox.made)
		skip_because(sandbox.why_not);
	const struct in6_addr ours = unit_in6("2001:db8::1"), theirs = unit_in6("2001:db8::2");
	struct ping *p;
	uint16_t seq = 0;
	uint32_t rtt_us = 0;
	assert_int_equal(ping_open("up0", &ours, &p), 0);
	assert_int_equal(ping_receive(p, &seq, &rtt_us), 0);
	for (uint16_t i = 100; i < 103; i++) {
		assert_int_equal(ping_send(p, &theirs, i), 0);
		assert_true(readable(p, WAIT_MS));
		assert_int_equal(ping_receive(p, &seq, &rtt_us), 1);
		assert_int_equal(seq, i);
		assert_in_range(rtt_us, 1, WAIT_MS * 1000);
		assert_int_equal(ping_receive(p, &seq, &rtt_us), 0);
	}
	ping_close(p);
}

static void answers_to_others_do_not_wake_us(void **state)
{
	(void)state;
	if (!sandbox.made)
		skip_because(sandbox.why_not);
	const struct in6_addr ours = unit_in6("2001:db8::1"), theirs = unit_in6("2001:db8::2");
	struct ping *p;
	assert_int_equal(ping_open("up0", &ours, &p), 0);
	run("ping -6 -q -c 1 -W 2 2001:db8::2 > /dev/null");
	assert_false(readable(p, NOTHING_MS));
	struct ping *other;
	assert_int_equal(ping_open("up0", &ours, &other), 0);
	assert_int_equal(ping_send(other, &theirs, 1), 0);
	assert_true(readable(other, WAIT_MS));
	/* One in 65536 times both have the same identifier; then it is read and not believed. */
	uint16_t seq;
	uint32_t rtt_us;
	assert_int_equal(ping_receive(p, &seq, &rtt_us), 0);
	ping_close(other);
	ping_close(p);
}

static void what_cannot_be_is_told(void **state)
{
	(void)state;
	if (!sandbox.made)
		skip_because(sandbox.why_not);
	const struct in6_addr ours = unit_in6("2001:db8::1"), foreign = unit_in6("2001:db8::77"),
			      beyond = unit_in6("2001:db8:1::1");
	struct ping *p = NULL;
	assert_int_equal(ping_open("nowhere0", &ours, &p), -ENODEV);
	assert_int_equal(ping_open("up0", &foreign, &p), -EADDRNOTAVAIL);
	assert_null(p);
	assert_int_equal(ping_open("up0", &ours, &p), 0);
	assert_int_equal(ping_send(p, &beyond, 1), -ENETUNREACH);
	ping_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_tells_its_request_and_how_long_it_took),
		cmocka_unit_test(no_byte_of_an_answer_can_be_another),
		cmocka_unit_test(the_other_end_answers),
		cmocka_unit_test(answers_to_others_do_not_wake_us),
		cmocka_unit_test(what_cannot_be_is_told),
	};
	return cmocka_run_group_tests_name("ping", tests, make_link, sandbox_leave);
}
