/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations as people write them, for a configuration that the first byte chooses. Each entry is
 * taken or told, with its line; what is taken fits the rules, overlaps nothing, and means the same
 * when it is written out and read again. The engine takes all of it.
 */
#include "fuzz/fuzz.h"
#include "daemon/reservations_text.h"

#include <stdbool.h>
#include <string.h>

enum { WRITTEN_MAX = 1 << 20 };

struct told {
	size_t n;
	unsigned last_line;
};

static void on_fault(void *ctx, const char *sentence)
{
	struct told *t = (struct told *)ctx;
	unsigned line = 0;
	FUZZ_CHECK(sscanf(sentence, "a file line %u", &line) == 1 && line >= t->last_line);
	FUZZ_CHECK(strchr(sentence, ':') && strlen(sentence) > strlen("a file line 1: "));
	t->last_line = line;
	t->n++;
}

static struct prefix6 prefix(const char *bytes, size_t n, uint8_t plen)
{
	struct prefix6 p = { .plen = plen };
	memcpy(&p.addr, bytes, n);
	return p;
}

static void check_fits(const struct reservation *r, const struct reservation_rules *rules)
{
	FUZZ_CHECK(r->key_len > 0 && r->line > 0);
	FUZZ_CHECK(r->by != RESERVED_FOR_LLADDR || r->key_len == BINDING_LLADDR_MAX);
	if (r->kind == BINDING_NA) {
		FUZZ_CHECK(rules->ia_na && r->prefix.plen == 128);
		FUZZ_CHECK(prefix6_has_addr(&rules->transfer, &r->prefix.addr));
		FUZZ_CHECK(memcmp(&r->prefix.addr, &rules->own_addr, 16) != 0 &&
			   memcmp(&r->prefix.addr, &rules->transfer.addr, 16) != 0);
		return;
	}
	FUZZ_CHECK(r->kind == BINDING_PD && r->prefix.plen <= 64 && prefix6_is_masked(&r->prefix));
	FUZZ_CHECK(prefix6_contains(&rules->assigned, &r->prefix));
	for (size_t i = 0; i < rules->n_transfers; i++)
		FUZZ_CHECK(!prefix6_overlaps(&rules->transfers[i], &r->prefix));
	FUZZ_CHECK(!prefix6_overlaps(&rules->pd_pool, &r->prefix) ||
		   (r->prefix.plen >= rules->pd_min_len && r->prefix.plen <= rules->pd_max_len));
}

static void write_out(const struct reservation_list *list, char *text)
{
	static const char *const kinds[] = { "duid ", "mac ", "interface-id 0x" };
	FILE *out = fmemopen(text, WRITTEN_MAX, "w");
	FUZZ_CHECK(out);
	for (size_t i = 0; i < list->n; i++) {
		const struct reservation *r = &list->list[i];
		char what[PREFIX6_STRLEN];
		(void)fputs(kinds[r->by], out); /* fclose() tells */
		for (size_t k = 0; k < r->key_len; k++)
			(void)fprintf(out, "%02x", r->key[k]); /* likewise */
		if (r->has_iaid)
			(void)fprintf(out, " iaid %u", r->iaid);               /* likewise */
		(void)fprintf(out, " %s\n", prefix6_format(&r->prefix, what)); /* likewise */
	}
	FUZZ_CHECK(fclose(out) == 0);
}

static void check_again(const struct reservation_list *list, const struct reservation_rules *rules)
{
	static char text[WRITTEN_MAX];
	struct reservation_list again = { 0 };
	struct told told = { 0 };
	text[0] = '\0';
	if (list->n > 0)
		write_out(list, text);
	FUZZ_CHECK(reservations_read(text, "a file", 1, rules, on_fault, &told, &again) == 0);
	FUZZ_CHECK(told.n == 0 && again.n == list->n);
	for (size_t i = 0; i < list->n; i++) {
		const struct reservation *a = &list->list[i], *b = &again.list[i];
		FUZZ_CHECK(a->by == b->by && a->kind == b->kind && a->has_iaid == b->has_iaid &&
			   a->iaid == b->iaid && a->key_len == b->key_len && b->line == i + 1);
		FUZZ_CHECK(memcmp(a->key, b->key, a->key_len) == 0 &&
			   prefix6_equal(&a->prefix, &b->prefix));
	}
	reservation_list_done(&again);
}

/* What lies between two separators, as the parser finds them: it always gets on, and ends. */
static size_t count_entries(const char *text)
{
	size_t n = 0;
	for (const char *at = text; *at; n++) {
		const char *end = NULL, *next = reservations_entry(at, &end);
		FUZZ_CHECK(end >= at && next >= end &&
			   (*next == '\0' || *next == ';' || *next == '\n'));
		at = next + (*next != '\0');
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct prefix6 transfers[] = { prefix("\x20\x01\x0d\xb8\xff\xff", 6, 64),
					     prefix("\x20\x01\x0d\xb8\xff\xff\0\1", 8, 64) };
	uint8_t choice = size > 0 ? data[0] : 0;
	const struct reservation_rules rules = {
		.assigned = prefix("\x20\x01\x0d\xb8\xff\xff", 6, 48),
		.transfer = transfers[0],
		.transfers = transfers,
		.n_transfers = choice & 1 ? 2 : 1,
		.own_addr = prefix6_with_iid(&transfers[0], 1),
		.pd_pool = prefix("\x20\x01\x0d\xb8\xff\xff\x80", 7, 49),
		.pd_min_len = choice & 2 ? 52 : 56,
		.pd_max_len = choice & 4 ? 60 : 56,
		.ia_na = !(choice & 8),
	};
	struct reservation_list list = { 0 };
	struct told told = { 0 };
	struct reservations *all = NULL;
	char *text = (char *)calloc(1, size + 1);
	FUZZ_CHECK(text);
	if (size > 1)
		memcpy(text, data + 1, size - 1);
	FUZZ_CHECK(reservations_read(text, "a file", 1, &rules, on_fault, &told, &list) == 0);
	FUZZ_CHECK(told.n == list.n_faults && list.n + told.n <= count_entries(text));
	free(text);
	for (size_t i = 0; i < list.n; i++) {
		check_fits(&list.list[i], &rules);
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(!prefix6_overlaps(&list.list[i].prefix, &list.list[k].prefix));
	}
	check_again(&list, &rules);
	FUZZ_CHECK(reservations_new(list.list, list.n, &all, NULL) == 0 &&
		   reservations_count(all) == list.n);
	for (size_t i = 0; i < list.n; i++) {
		const struct reservation *found = reservations_at(all, &list.list[i].prefix);
		FUZZ_CHECK(found && prefix6_equal(&found->prefix, &list.list[i].prefix));
	}
	reservations_free(all);
	reservation_list_done(&list);
	return 0;
}
