/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Init reads these itself. What is no answer to a request of ours is not believed; what is, however
 * it was damaged on its way, is believed only where it is whole. */
#include "fuzz/fuzz.h"
#include "host/ping.h"

#include <netinet/icmp6.h>
#include <string.h>

static const struct ping_secret secret = { .key = { 42 }, .identifier = 0x1234 };

/* Less type and checksum, as we would have sent it at the instant that it tells. */
static bool is_ours(const uint8_t *bytes, size_t size)
{
	uint8_t ours[PING_BYTES];
	uint64_t sent_ns;
	if (size != PING_BYTES)
		return false;
	memcpy(&sent_ns, bytes + 8, sizeof sent_ns);
	ping_build(&secret, (uint16_t)(bytes[6] << 8 | bytes[7]), sent_ns, ours);
	return memcmp(ours + 4, bytes + 4, PING_BYTES - 4) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t seq = 0;
	uint32_t rtt_us = 0;
	if (ping_parse(&secret, rd_of(data, size), 1000000, &seq, &rtt_us))
		FUZZ_CHECK(is_ours(data, size));
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
	/* A fuzzer that is told what is compared finds the proof of another one. */
	bool taken = ping_parse(&secret, rd_of(answer, len), 1000000, &seq, &rtt_us);
	FUZZ_CHECK(same ? taken : !taken || is_ours(answer, len));
	return 0;
}
