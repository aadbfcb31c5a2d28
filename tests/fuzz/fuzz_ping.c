/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Init reads these itself. What is no answer to a request of ours is not believed; what is, however
 * it was damaged on its way, is believed only where it is whole. */
#include "fuzz/fuzz.h"
#include "host/ping.h"

#include <netinet/icmp6.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ping_secret secret = { .key = { 42 }, .identifier = 0x1234 };
	uint16_t seq = 0;
	uint32_t rtt_us = 0;
	if (ping_parse(&secret, rd_of(data, size), 1000000, &seq, &rtt_us)) {
		uint8_t ours[PING_BYTES];
		uint64_t sent_ns;
		FUZZ_CHECK(size == PING_BYTES);
		memcpy(&sent_ns, data + 8, sizeof sent_ns);
		ping_build(&secret, seq, sent_ns, ours);
		FUZZ_CHECK(memcmp(ours + 4, data + 4, PING_BYTES - 4) == 0);
	}
	/* Damage: the input says which bytes of an answer are turned round, and how much is cut. */
	uint8_t answer[PING_BYTES];
	ping_build(&secret, (uint16_t)size, 500000, answer);
	answer[0] = ICMP6_ECHO_REPLY;
	uint8_t whole[PING_BYTES];
	memcpy(whole, answer, sizeof whole);
	for (size_t i = 0; i < size && i < PING_BYTES; i++)
		answer[i] ^= data[i];
	size_t len =
		size > PING_BYTES ? PING_BYTES - data[PING_BYTES] % (PING_BYTES + 1U) : PING_BYTES;
	bool same = len == PING_BYTES && memcmp(answer, whole, 2) == 0 &&
		    memcmp(answer + 4, whole + 4, PING_BYTES - 4) == 0; /* less the checksum */
	FUZZ_CHECK(ping_parse(&secret, rd_of(answer, len), 1000000, &seq, &rtt_us) == same);
	return 0;
}
