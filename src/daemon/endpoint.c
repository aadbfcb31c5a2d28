/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static struct sockaddr_in v4_of(const struct sockaddr_storage *a)
{
	struct sockaddr_in v4;
	memcpy(&v4, a, sizeof v4);
	return v4;
}

static struct sockaddr_in6 v6_of(const struct sockaddr_storage *a)
{
	struct sockaddr_in6 v6;
	memcpy(&v6, a, sizeof v6);
	return v6;
}

bool endpoint_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in x = v4_of(a), y = v4_of(b);
		return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
	}
	const struct sockaddr_in6 x = v6_of(a), y = v6_of(b);
	return x.sin6_port == y.sin6_port && IN6_ARE_ADDR_EQUAL(&x.sin6_addr, &y.sin6_addr);
}

const char *endpoint_format(const struct sockaddr_storage *a, char buf[static ENDPOINT_STRLEN])
{
	char host[INET6_ADDRSTRLEN] = "", zone[16] = "";
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in v4 = v4_of(a);
		snprintf(buf, ENDPOINT_STRLEN, "%s:%u",
			 inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host), ntohs(v4.sin_port));
	} else if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 v6 = v6_of(a);
		if (v6.sin6_scope_id)
			snprintf(zone, sizeof zone, "%%%u", v6.sin6_scope_id);
		snprintf(buf, ENDPOINT_STRLEN, "[%s%s]:%u",
			 inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host), zone,
			 ntohs(v6.sin6_port));
	} else {
		snprintf(buf, ENDPOINT_STRLEN, "none");
	}
	return buf;
}

void endpoint_init(struct endpoint *e, const struct sockaddr_storage *to, uint16_t port,
		   uint64_t now_ms)
{
	*e = (struct endpoint){ .named = !to,
				.port = port,
				.ask_at_ms = now_ms,
				.ask_pause_ms = ENDPOINT_ASK_MIN_MS,
				.try_at_ms = now_ms + ENDPOINT_TRY_MAX_MS };
	if (!to)
		return;
	e->addrs[e->n++] = e->current = *to;
	e->has_current = true;
}

void endpoint_works(struct endpoint *e, const struct sockaddr_storage *heard)
{
	e->well = true;
	e->tries = 0;
	e->ask_pause_ms = ENDPOINT_ASK_MIN_MS;
	if (heard->ss_family == AF_UNSPEC)
		return;
	e->good = e->current = *heard;
	e->has_good = e->has_current = true;
}

static size_t find(const struct endpoint *e, const struct sockaddr_storage *a)
{
	size_t i = 0;
	while (i < e->n && !endpoint_same(&e->addrs[i], a))
		i++;
	return i;
}

void endpoint_fails(struct endpoint *e, uint64_t now_ms)
{
	if (!e->well)
		return;
	e->well = false;
	e->ask_at_ms = now_ms;
	if (!e->named)
		e->n = 1; /* what was added at an earlier failure is of the past */
	if (e->has_good && e->n < ENDPOINT_ADDRS_MAX && find(e, &e->good) == e->n)
		e->addrs[e->n++] = e->good;
	e->at = e->has_current ? find(e, &e->current) : e->n;
	/* Its name may lead elsewhere by now: the answer comes first. */
	e->try_at_ms = e->named ? now_ms + ENDPOINT_TRY_MS : now_ms;
}

void endpoint_network_changed(struct endpoint *e, uint64_t now_ms)
{
	if (e->well)
		return;
	e->ask_at_ms = now_ms;
	e->ask_pause_ms = ENDPOINT_ASK_MIN_MS;
	e->tries = 0;
	if (e->n)
		e->try_at_ms = now_ms;
}

static struct sockaddr_storage with_port(const struct resolver_addr *a, uint16_t port)
{
	struct sockaddr_storage s = { 0 };
	const struct sockaddr_in v4 = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr = a->v4 };
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
					 .sin6_port = htons(port),
					 .sin6_addr = a->v6 };
	if (a->family == AF_INET)
		memcpy(&s, &v4, sizeof v4);
	else
		memcpy(&s, &v6, sizeof v6);
	return s;
}

bool endpoint_answer(struct endpoint *e, uint64_t now_ms, const struct resolver_answer *a)
{
	e->asking = false;
	e->ask_at_ms = now_ms + e->ask_pause_ms;
	e->ask_pause_ms = e->ask_pause_ms * 2 < ENDPOINT_ASK_MAX_MS ? e->ask_pause_ms * 2
								    : ENDPOINT_ASK_MAX_MS;
	/* Without an answer the addresses that are known are as good as any. */
	if (a->verdict != RESOLVER_FOUND)
		return false;
	struct sockaddr_storage found[ENDPOINT_ADDRS_MAX];
	size_t n = 0, known = 0;
	bool has_good = false;
	for (; n < a->n; n++) {
		found[n] = with_port(&a->addrs[n], e->port);
		known += find(e, &found[n]) < e->n;
		has_good = has_good || (e->has_good && endpoint_same(&found[n], &e->good));
	}
	if (e->has_good && !has_good) {
		known += find(e, &e->good) < e->n;
		found[n++] = e->good;
	}
	bool changed = known != n || n != e->n;
	memcpy(e->addrs, found, n * sizeof *found);
	e->n = n;
	e->at = e->has_current ? find(e, &e->current) : n;
	/* A name server that keeps answers gives the same one until then. */
	uint64_t ttl_ms = (uint64_t)a->ttl_s * 1000;
	if (ttl_ms < ENDPOINT_TTL_MIN_MS)
		ttl_ms = ENDPOINT_TTL_MIN_MS;
	if (e->ask_at_ms > now_ms + ttl_ms)
		e->ask_at_ms = now_ms + ttl_ms;
	/* The one in use is no longer the name's, or there is none yet: at once. */
	if (!e->well && (!e->has_current || (e->at >= a->n && changed)))
		e->try_at_ms = now_ms;
	return changed;
}

static uint64_t try_ms(const struct endpoint *e)
{
	if (e->n <= 1)
		return ENDPOINT_TRY_MAX_MS;
	size_t rounds = (e->tries - 1) / e->n;
	uint64_t ms = (uint64_t)ENDPOINT_TRY_MS << (rounds < 3 ? rounds : 3);
	return ms < ENDPOINT_TRY_MAX_MS ? ms : ENDPOINT_TRY_MAX_MS;
}

enum endpoint_action endpoint_next(struct endpoint *e, uint64_t now_ms)
{
	if (e->well)
		return ENDPOINT_WAIT;
	if (e->named && !e->asking && now_ms >= e->ask_at_ms) {
		e->asking = true;
		return ENDPOINT_ASK;
	}
	if (e->n == 0 || now_ms < e->try_at_ms)
		return ENDPOINT_WAIT;
	e->at = e->at + 1 < e->n ? e->at + 1 : 0;
	e->current = e->addrs[e->at];
	e->has_current = true;
	e->tries++;
	e->try_at_ms = now_ms + try_ms(e);
	return ENDPOINT_SET;
}

uint64_t endpoint_deadline(const struct endpoint *e)
{
	uint64_t at = UINT64_MAX;
	if (e->well)
		return at;
	if (e->named && !e->asking)
		at = e->ask_at_ms;
	if (e->n && e->try_at_ms < at)
		at = e->try_at_ms;
	return at;
}
