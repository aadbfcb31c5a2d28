/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in DNS_ZONE: what clients call themselves (RFC 4704, any bytes), and the lines that an
 * earlier run left, through whole lives of the table. Each first byte of a step says what happens:
 * a binding of one of a few clients comes, changes or goes, a line is remembered, all is settled,
 * or the server starts again from what the table tells. Always: what comes out is a label of
 * letters, digits and '-' that nobody else has, and the table agrees with itself.
 */
#include "fuzz/fuzz.h"
#include "engine/names.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { STEPS = 128, ADDRESSES = 48, CLIENTS = 8, SHOWN_MAX = ADDRESSES + 1 };

static const char zone[] = "provider1.lab";
static const uint8_t key[16] = { 1, 2, 3 };

struct shown {
	struct in6_addr addr;
	char name[NAME_STRLEN];
};

struct life {
	const uint8_t *at, *end;
	struct names *names;
	bool settled;
	size_t n_having, n_lines;
	struct shown having[SHOWN_MAX], lines[SHOWN_MAX];
	uint8_t owner[ADDRESSES]; /* whose it is, counted from 1; 0: nobody's that is known */
};

static uint8_t next_byte(struct life *l)
{
	return l->at < l->end ? *l->at++ : 0;
}

static struct in6_addr address(uint8_t n)
{
	return (struct in6_addr){ .s6_addr = { 0x20, 0x01, 0x0d,
					       0xb8, [15] = (uint8_t)(n % ADDRESSES) } };
}

/* What a resolver may be told. */
static void check_label(const char *name)
{
	size_t len = strlen(name);
	FUZZ_CHECK(len >= 1 && len <= 63);
	FUZZ_CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len);
	FUZZ_CHECK(strcmp(name, "router") != 0 && strcmp(name, "localhost") != 0 &&
		   strcmp(name, "wpad") != 0 && strcmp(name, "isatap") != 0);
}

static int show(struct shown *list, size_t *n, const struct in6_addr *addr, const char *name)
{
	check_label(name);
	FUZZ_CHECK(*n < ADDRESSES); /* an address has one name at most */
	for (size_t i = 0; i < *n; i++)
		FUZZ_CHECK(!IN6_ARE_ADDR_EQUAL(&list[i].addr, addr));
	list[*n].addr = *addr;
	memcpy(list[*n].name, name, strlen(name) + 1);
	(*n)++;
	return 0;
}

static int on_having(void *ctx, const struct in6_addr *addr, const char *name)
{
	struct life *l = (struct life *)ctx;
	return show(l->having, &l->n_having, addr, name);
}

static int on_line(void *ctx, const struct in6_addr *addr, const char *name)
{
	struct life *l = (struct life *)ctx;
	return show(l->lines, &l->n_lines, addr, name);
}

static void check(struct life *l)
{
	FUZZ_CHECK(names_consistent(l->names));
	l->n_having = l->n_lines = 0;
	for (unsigned s = 0; s < NAMES_SHARDS; s++) {
		FUZZ_CHECK(names_having(l->names, s, on_having, l) == 0);
		FUZZ_CHECK(names_lines(l->names, s, on_line, l) == 0);
	}
	FUZZ_CHECK(l->n_lines == l->n_having + names_waiting(l->names));
	for (size_t i = 0; i < l->n_having; i++)
		for (size_t k = 0; k < i; k++) {
			uint8_t a = l->owner[l->having[i].addr.s6_addr[15]],
				b = l->owner[l->having[k].addr.s6_addr[15]];
			/* One client at most has a name. */
			FUZZ_CHECK(strcmp(l->having[i].name, l->having[k].name) != 0 || a == b);
		}
}

/* A binding of a client, whose FQDN option is the next bytes, or one of a few usual names. */
static void follow(struct life *l, uint8_t what)
{
	static const char *const usual[] = { "\4host", "\3cpe", "\4HOST\11provider1\3lab",
					     "\6router" };
	uint8_t addr = next_byte(l) % ADDRESSES, client = next_byte(l) % CLIENTS,
		how = next_byte(l);
	uint8_t details[4 + 256] = { 0, 39 };
	size_t n = 1;
	details[4] = how >> 4; /* flags */
	if (how & 8) {
		size_t left = (size_t)(l->end - l->at), len = next_byte(l);
		left -= left > 0;
		len = len < left ? len : left;
		len = len < 255 ? len : 254;
		if (len > 0)
			memcpy(details + 5, l->at, len);
		l->at += len;
		n += len;
	} else {
		size_t len = strlen(usual[how & 3]);
		memcpy(details + 5, usual[how & 3], len);
		n += len;
	}
	details[2] = (uint8_t)(n >> 8);
	details[3] = (uint8_t)n;
	char name[NAME_STRLEN];
	bool named = name_of_fqdn(rd_of(details + 4, n), zone, name);
	if (named)
		check_label(name);
	struct binding_record r = { .kind = what & 64 ? BINDING_PD : BINDING_NA,
				    .state = what & 32 ? BINDING_FREED : BINDING_BOUND,
				    .duid = { .len = 2, .bytes = { 7, client } },
				    .prefix = { address(addr), 128 },
				    .details_len = what & 16 ? 0 : (uint16_t)(4 + n),
				    .details = details };
	bool erased = what & 8;
	FUZZ_CHECK(names_follow(l->names, &r, erased) == 0);
	/* One that has none changes nothing for whoever had the address before: that one's end is
	 * told apart. */
	if (r.kind == BINDING_NA && !erased && r.state == BINDING_BOUND && named && r.details_len)
		l->owner[addr] = client + 1;
}

static void remember(struct life *l)
{
	char line[160];
	size_t n = 0;
	while (n + 1 < sizeof line && l->at < l->end && *l->at != '\n')
		line[n++] = (char)*l->at++;
	line[n] = '\0';
	(void)next_byte(l); /* its end */
	if (strlen(line) != n)
		return; /* a file is read as text */
	int r = names_remember_line(l->names, line);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
}

/* Only what the lines told is there, and in their order. */
static void start_again(struct life *l)
{
	check(l);
	names_free(l->names);
	FUZZ_CHECK(names_new(zone, key, &l->names) == 0);
	for (size_t i = 0; i < l->n_lines; i++)
		FUZZ_CHECK(names_remember(l->names, &l->lines[i].addr, l->lines[i].name) == 0);
	memset(l->owner, 0, sizeof l->owner);
	FUZZ_CHECK(names_waiting(l->names) == l->n_lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct life life;
	struct life *l = &life;
	*l = (struct life){ .at = data, .end = data + size };
	char name[NAME_STRLEN];
	if (name_of_fqdn(rd_of(data, size), zone, name))
		check_label(name);
	FUZZ_CHECK(names_new(zone, key, &l->names) == 0);
	for (unsigned i = 0; i < STEPS && l->at < l->end; i++) {
		uint8_t what = next_byte(l);
		switch (what & 7) {
		case 0:
			remember(l);
			break;
		case 1:
			names_settle(l->names);
			break;
		case 2:
			start_again(l);
			break;
		default:
			follow(l, what);
			break;
		}
		check(l);
		if (what & 128) {
			(void)names_changed(l->names); /* they are written */
			FUZZ_CHECK(!names_pending(l->names));
		}
	}
	names_settle(l->names);
	check(l);
	for (size_t i = 0; i < l->n_lines; i++)
		FUZZ_CHECK(l->owner[l->lines[i].addr.s6_addr[15]]); /* nobody else is left */
	names_free(l->names);
	return 0;
}
