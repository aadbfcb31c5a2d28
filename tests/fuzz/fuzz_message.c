/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server may say to init, which outlives it: packets of any size over their socket pair,
 * the first two bytes of the input telling how long. One of the right size is taken as it is, any
 * other is none, and nothing is left behind for the next. Numbers of states and reasons that do not
 * exist still have a text.
 */
#include "fuzz/fuzz.h"
#include "daemon/message.h"
#include "daemon/uplink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ends[2] = { -1, -1 };
	static uint8_t packet[PACKET_MAX];
	struct message m, untouched;
	memset(&untouched, 0xa5, sizeof untouched);
	m = untouched;
	if (ends[0] < 0)
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				      ends) == 0);
	if (size < 2)
		return 0;
	/* Mostly of the right size, with what the input has first. */
	size_t len = data[0] & 3 ? sizeof m : (size_t)(data[0] << 6 | data[1]) % PACKET_MAX;
	memset(packet, 0, sizeof packet);
	size_t given = size - 2 < sizeof packet ? size - 2 : sizeof packet;
	if (given > 0)
		memcpy(packet, data + 2, given);
	FUZZ_CHECK(message_recv(ends[0], &m) == -EAGAIN);
	FUZZ_CHECK(memcmp(&m, &untouched, sizeof m) == 0);
	FUZZ_CHECK(send(ends[1], packet, len, 0) == (ssize_t)len);
	int r = message_recv(ends[0], &m);
	FUZZ_CHECK(r == (len == sizeof m ? 0 : len == 0 ? -EPIPE : -EPROTO));
	FUZZ_CHECK(memcmp(&m, r == 0 ? (const void *)packet : &untouched, sizeof m) == 0);
	FUZZ_CHECK(message_recv(ends[0], &m) == -EAGAIN);
	char text[UPLINK_REASON_STRLEN];
	struct uplink_reason why = m.uplink.reason;
	FUZZ_CHECK(strlen(uplink_state_name(m.uplink.state)) > 0);
	FUZZ_CHECK(strlen(dns_state_name(m.dns.state)) > 0);
	size_t n = strlen(uplink_reason_text(&why, text));
	FUZZ_CHECK(n > 0 && n < sizeof text);
	return 0;
}
