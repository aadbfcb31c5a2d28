/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What wireguard-go answers, which init reads itself. Whatever it is, it is a state within bounds
 * or a negative errno; and a state as wireguard-go writes it, with the lines in any order and
 * others between them, is read as it was.
 */
#include "fuzz/fuzz.h"
#include "host/wg_uapi.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum { ERRNO_MAX = 4095, LINES = 8, LINE = 128 };

static void any_text(const uint8_t *data, size_t size)
{
	struct wg_state untouched, state;
	memset(&untouched, 0xa5, sizeof untouched);
	state = untouched;
	char *text = (char *)calloc(1, size + 1);
	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	int r = wg_uapi_read_answer(text);
	FUZZ_CHECK(r <= 0 && r >= -ERRNO_MAX);
	r = wg_uapi_read_state(text, &state);
	free(text);
	FUZZ_CHECK(r <= 0 && r >= -ERRNO_MAX);
	if (r < 0)
		FUZZ_CHECK(memcmp(&state, &untouched, sizeof state) == 0);
	else
		FUZZ_CHECK(state.endpoint.ss_family == AF_UNSPEC ||
			   state.endpoint.ss_family == AF_INET ||
			   state.endpoint.ss_family == AF_INET6);
}

static uint64_t take(const uint8_t **at, const uint8_t *end, size_t n)
{
	uint64_t v = 0;
	for (; n > 0; n--)
		v = v << 8 | (*at < end ? *(*at)++ : 0);
	return v;
}

static void written_state(const uint8_t *at, size_t size)
{
	const uint8_t *end = at + size;
	char lines[LINES][LINE], host[INET6_ADDRSTRLEN], text[LINES * LINE] = "";
	struct wg_state s = { .handshake_unix_s = take(&at, end, 5),
			      .rx_bytes = take(&at, end, 8),
			      .tx_bytes = take(&at, end, 8),
			      .listen_port = (uint16_t)take(&at, end, 2) };
	uint64_t how = take(&at, end, 3);
	int error = how & 1 ? (int)(how >> 1 & 0xfff) : 0;
	struct in6_addr a = { 0 };
	for (size_t i = 0; i < sizeof a; i++)
		a.s6_addr[i] = (uint8_t)take(&at, end, 1);
	size_t n = 0;
	(void)snprintf(lines[n++], LINE, "private_key=%064x\n", 1);
	(void)snprintf(lines[n++], LINE, "listen_port=%u\n", s.listen_port);
	(void)snprintf(lines[n++], LINE, "last_handshake_time_sec=%llu\n",
		       (unsigned long long)s.handshake_unix_s);
	(void)snprintf(lines[n++], LINE, "rx_bytes=%llu\n", (unsigned long long)s.rx_bytes);
	(void)snprintf(lines[n++], LINE, "tx_bytes=%llu\nprotocol_version=1\n",
		       (unsigned long long)s.tx_bytes);
	(void)snprintf(lines[n++], LINE, "errno=%d\n", error);
	if (how & 1 << 14) {
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
					   .sin6_addr = a,
					   .sin6_port = htons(s.listen_port) };
		(void)snprintf(lines[n++], LINE, "endpoint=[%s%s]:%u\n",
			       inet_ntop(AF_INET6, &a, host, sizeof host),
			       how & 1 << 15 ? "%eth0" : "", s.listen_port);
		memcpy(&s.endpoint, &v6, sizeof v6);
	} else {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(s.listen_port) };
		memcpy(&v4.sin_addr, &a, sizeof v4.sin_addr);
		(void)snprintf(lines[n++], LINE, "endpoint=%s:%u\n",
			       inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host), s.listen_port);
		memcpy(&s.endpoint, &v4, sizeof v4);
	}
	for (size_t i = 0; i < n; i++) /* from anywhere on, to where it began */
		(void)strcat(text, lines[(i + (how >> 16)) % n]);
	struct wg_state back;
	int r = wg_uapi_read_state(text, &back);
	FUZZ_CHECK(r == -error);
	if (r == 0)
		FUZZ_CHECK(back.handshake_unix_s == s.handshake_unix_s &&
			   back.rx_bytes == s.rx_bytes && back.tx_bytes == s.tx_bytes &&
			   back.listen_port == s.listen_port &&
			   memcmp(&back.endpoint, &s.endpoint, sizeof s.endpoint) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	any_text(data, size);
	written_state(data, size);
	return 0;
}
