/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What init reads of the child that has read a name server's bytes, and the resolv.conf that tells
 * whom it asks. The first byte chooses: an answer of any size, one of the right size whose fields
 * are strange here and there, or text. What is believed is within bounds and can be sent to.
 */
#include "fuzz/fuzz.h"
#include "host/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static bool sendable(const struct resolver_addr *a)
{
	if (a->family == AF_INET)
		return a->v4.s_addr != 0 && (ntohl(a->v4.s_addr) >> 28) != 14;
	static const uint8_t zeros[12];
	return a->family == AF_INET6 && a->v6.s6_addr[0] != 0xff &&
	       !(a->v6.s6_addr[0] == 0xfe && (a->v6.s6_addr[1] & 0xc0) == 0x80) &&
	       memcmp(&a->v6, &in6addr_any, 16) != 0 &&
	       !(memcmp(&a->v6, zeros, 10) == 0 && a->v6.s6_addr[10] == 0xff &&
		 a->v6.s6_addr[11] == 0xff);
}

static void answer(const uint8_t *data, size_t size)
{
	static int ends[2] = { -1, -1 };
	struct resolver_answer a;
	if (ends[0] < 0)
		FUZZ_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	FUZZ_CHECK(resolver_read(ends[0], &a) == -EAGAIN);
	if (size == 0)
		return;
	FUZZ_CHECK(write(ends[1], data, size) == (ssize_t)size);
	FUZZ_CHECK(resolver_read(ends[0], &a) == 0);
	FUZZ_CHECK((unsigned)a.verdict < RESOLVER_VERDICTS && a.n <= RESOLVER_ADDRS_MAX);
	FUZZ_CHECK((a.verdict == RESOLVER_FOUND) == (a.n > 0));
	FUZZ_CHECK(resolver_verdict_text(a.verdict)[0]);
	FUZZ_CHECK(size >= sizeof a || a.verdict == RESOLVER_FAULT);
	for (size_t i = 0; i < a.n; i++)
		FUZZ_CHECK(sendable(&a.addrs[i]));
	uint8_t rest[256];
	while (read(ends[0], rest, sizeof rest) > 0)
		; /* what was more than an answer */
}

static void strange_answer(const uint8_t *at, size_t size)
{
	const uint8_t *end = at + size;
	struct resolver_answer a = { .verdict = RESOLVER_FOUND, .ttl_s = 60 };
	a.n = at < end ? *at++ % (RESOLVER_ADDRS_MAX + 2) : 0;
	for (size_t i = 0; i < RESOLVER_ADDRS_MAX; i++) {
		a.addrs[i].family = i & 1 ? AF_INET : AF_INET6;
		memcpy(&a.addrs[i].v6, "\x20\x01\x0d\xb8", 4);
	}
	while (end - at >= 2) { /* a byte somewhere */
		uint8_t *bytes = (uint8_t *)&a;
		bytes[(size_t)(at[0] * 2 + (at[1] & 1)) % sizeof a] = at[1];
		at += 2;
	}
	answer((const uint8_t *)&a, sizeof a);
}

static void resolv_conf(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	struct resolver_server servers[RESOLVER_SERVERS_MAX];
	if (fd < 0) {
		fd = memfd_create("resolv.conf", MFD_CLOEXEC);
		FUZZ_CHECK(fd >= 0);
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	size_t all = resolver_servers(path, false, servers, RESOLVER_SERVERS_MAX);
	FUZZ_CHECK(all <= RESOLVER_SERVERS_MAX);
	for (size_t i = 0; i < all; i++)
		FUZZ_CHECK(servers[i].family == AF_INET || servers[i].family == AF_INET6);
	size_t others = resolver_servers(path, true, servers, RESOLVER_SERVERS_MAX);
	for (size_t i = 0; i < others; i++)
		FUZZ_CHECK(servers[i].family != AF_INET ||
			   servers[i].v4.s_addr != htonl(0x7f00000b));
	size_t one = resolver_servers(path, false, servers, 1);
	FUZZ_CHECK(one == (all > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] & 3) {
	case 0:
		answer(data + 1, size - 1);
		break;
	case 1:
		resolv_conf(data + 1, size - 1);
		break;
	default:
		strange_answer(data + 1, size - 1);
		break;
	}
	return 0;
}
