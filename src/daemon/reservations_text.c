/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/reservations_text.h"

#include "base/cleanup.h"
#include "wire/duid.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { SENTENCE_MAX = 512, WORD_MAX = 600, LONGEST_PREFIX = 64, FILE_MAX = 256 << 10 };

struct reading {
	const char *source;
	const struct reservation_rules *rules;
	void (*fault)(void *ctx, const char *sentence);
	void *ctx;
	struct reservation_list *list;
	unsigned line, entry; /* both counted from 1; entry 0: the line has only one */
};

__attribute__((format(printf, 2, 3))) static void fault(struct reading *r, const char *fmt, ...)
{
	char why[SENTENCE_MAX], sentence[SENTENCE_MAX + 300];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(why, sizeof why, fmt, args); /* cut where it is longer */
	va_end(args);
	char entry[32] = "";
	if (r->entry)
		(void)snprintf(entry, sizeof entry, " entry %u", r->entry);
	(void)snprintf(sentence, sizeof sentence, "%.256s line %u%s: %s", r->source, r->line, entry,
		       why);
	r->list->n_faults++;
	r->fault(r->ctx, sentence);
}

/* The next word of the line, without its quotes. False: there is none. */
static bool next_word(const char **at, const char *end, char ret_word[static WORD_MAX])
{
	const char *p = *at;
	while (p < end && isspace((unsigned char)*p))
		p++;
	if (p == end)
		return false;
	bool quoted = *p == '"';
	const char *start = p + quoted;
	p = start;
	while (p < end && (quoted ? *p != '"' : !isspace((unsigned char)*p)))
		p++;
	size_t n = (size_t)(p - start) < WORD_MAX - 1 ? (size_t)(p - start) : WORD_MAX - 1;
	memcpy(ret_word, start, n);
	ret_word[n] = '\0';
	*at = p + (quoted && p < end);
	return true;
}

static bool read_key(struct reading *r, const char *kind, const char *word, struct reservation *one)
{
	struct duid bytes = { 0 };
	bool hex = strncasecmp(word, "0x", 2) == 0;
	if (strcasecmp(kind, "duid") == 0) {
		one->by = RESERVED_FOR_DUID;
		if (duid_parse(word, &bytes) < 0) {
			fault(r,
			      "'%.60s' is no DUID: pairs of hexadecimal digits, with or without "
			      "':' between them",
			      word);
			return false;
		}
	} else if (strcasecmp(kind, "mac") == 0) {
		one->by = RESERVED_FOR_LLADDR;
		if (duid_parse(word, &bytes) < 0 || bytes.len != BINDING_LLADDR_MAX) {
			fault(r, "'%.60s' is no Ethernet address, as in 02:00:5e:00:00:01", word);
			return false;
		}
	} else if (strcasecmp(kind, "interface-id") == 0) {
		one->by = RESERVED_FOR_INTERFACE_ID;
		size_t n = strlen(word);
		if (hex ? duid_parse(word + 2, &bytes) < 0 : n == 0 || n > sizeof bytes.bytes) {
			fault(r, "'%.60s' is no Interface-Id: text, or bytes as in 0x65746837",
			      word);
			return false;
		}
		if (!hex) {
			memcpy(bytes.bytes, word, n);
			bytes.len = (uint8_t)n;
		}
	} else {
		fault(r, "'%.40s' is none of duid, mac and interface-id", kind);
		return false;
	}
	one->key_len = bytes.len;
	memcpy(one->key, bytes.bytes, bytes.len);
	return true;
}

static bool read_iaid(struct reading *r, const char *word, struct reservation *one)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(word, &end, strncasecmp(word, "0x", 2) == 0 ? 16 : 10);
	if (!isdigit((unsigned char)word[0]) || *end || errno || v > UINT32_MAX) {
		fault(r, "'%.40s' is no IAID; it can be 0 to 4294967295", word);
		return false;
	}
	one->has_iaid = true;
	one->iaid = (uint32_t)v;
	return true;
}

static bool address_fits(struct reading *r, const char *word, const struct in6_addr *a)
{
	char text[PREFIX6_STRLEN];
	const struct in6_addr anycast = r->rules->transfer.addr;
	if (!r->rules->ia_na)
		fault(r, "%.60s is an address, and DHCPV6_IA_NA=off: none is handed out", word);
	else if (!prefix6_has_addr(&r->rules->transfer, a))
		fault(r, "%.60s does not lie in the transfer network %s", word,
		      prefix6_format(&r->rules->transfer, text));
	else if (memcmp(a, &r->rules->own_addr, sizeof *a) == 0)
		fault(r, "%.60s is our own address", word);
	else if (memcmp(a, &anycast, sizeof *a) == 0)
		fault(r, "%.60s is the routers' anycast address of the transfer network", word);
	else
		return true;
	return false;
}

static const struct prefix6 *overlapped_transfer(const struct reservation_rules *rules,
						 const struct prefix6 *p)
{
	for (size_t i = 0; i < rules->n_transfers; i++)
		if (prefix6_overlaps(&rules->transfers[i], p))
			return &rules->transfers[i];
	return NULL;
}

static bool prefix_fits(struct reading *r, const char *word, const struct prefix6 *p)
{
	const struct reservation_rules *rules = r->rules;
	char a[PREFIX6_STRLEN];
	const struct prefix6 masked = prefix6_masked(p);
	if (!prefix6_is_masked(p))
		fault(r, "'%.60s' has bits set behind its length; did you mean %s?", word,
		      prefix6_format(&masked, a));
	else if (p->plen > LONGEST_PREFIX)
		fault(r, "%.60s is longer than /%d", word, LONGEST_PREFIX);
	else if (!prefix6_contains(&rules->assigned, p))
		fault(r, "%.60s does not lie in ASSIGNED_PREFIX=%s", word,
		      prefix6_format(&rules->assigned, a));
	else if (overlapped_transfer(rules, p))
		fault(r, "%.60s overlaps the transfer network %s", word,
		      prefix6_format(overlapped_transfer(rules, p), a));
	else if (prefix6_overlaps(&rules->pd_pool, p) &&
		 (p->plen < rules->pd_min_len || p->plen > rules->pd_max_len))
		fault(r,
		      "%.60s lies in the pool %s and has not its length, /%u to /%u. One outside "
		      "the pool may have another",
		      word, prefix6_format(&rules->pd_pool, a), rules->pd_min_len,
		      rules->pd_max_len);
	else
		return true;
	return false;
}

static bool read_what(struct reading *r, const char *word, struct reservation *one)
{
	struct prefix6 *p = &one->prefix;
	if (prefix6_parse(word, 128, p) < 0) {
		fault(r, "'%.60s' is neither an IPv6 prefix nor an address", word);
		return false;
	}
	one->kind = p->plen == 128 ? BINDING_NA : BINDING_PD;
	return one->kind == BINDING_NA ? address_fits(r, word, &p->addr) : prefix_fits(r, word, p);
}

static int add(struct reservation_list *l, const struct reservation *one)
{
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 16;
		struct reservation *longer = reallocarray(l->list, room, sizeof *longer);
		if (!longer)
			return -ENOMEM;
		l->list = longer;
		l->room = room;
	}
	l->list[l->n++] = *one;
	return 0;
}

/* One that overlaps one before it is its own line's fault. */
static bool clashes(struct reading *r, const char *word, const struct reservation *one)
{
	for (size_t i = 0; i < r->list->n; i++) {
		const struct reservation *other = &r->list->list[i];
		if (!prefix6_overlaps(&other->prefix, &one->prefix))
			continue;
		char text[PREFIX6_STRLEN];
		fault(r, "%.60s overlaps %s, which line %u reserves", word,
		      prefix6_format(&other->prefix, text), other->line);
		return true;
	}
	return false;
}

static int read_line(struct reading *r, const char *at, const char *end)
{
	struct reservation one = { .line = r->line };
	char kind[WORD_MAX], key[WORD_MAX], word[WORD_MAX], more[WORD_MAX];
	if (!next_word(&at, end, kind))
		return 0;
	if (!next_word(&at, end, key) || !next_word(&at, end, word)) {
		fault(r, "is not complete: KIND KEY [iaid NUMBER] PREFIX, KIND being duid, mac or "
			 "interface-id");
		return 0;
	}
	if (!read_key(r, kind, key, &one))
		return 0;
	if (strcasecmp(word, "iaid") == 0) {
		if (!next_word(&at, end, word) || !next_word(&at, end, more)) {
			fault(r, "lacks its IAID, or its prefix or address");
			return 0;
		}
		if (!read_iaid(r, word, &one))
			return 0;
		memcpy(word, more, sizeof word);
	}
	if (!read_what(r, word, &one))
		return 0;
	if (next_word(&at, end, more)) {
		fault(r, "'%.40s' stands behind the prefix, where nothing may", more);
		return 0;
	}
	return clashes(r, word, &one) ? 0 : add(r->list, &one);
}

const char *reservations_entry(const char *at, const char **ret_end)
{
	bool quoted = false, begins = true; /* a word, and only there a quote opens one */
	const char *p = at;
	while (*p && *p != '\n' && (quoted || (*p != ';' && *p != '#'))) {
		if (*p == '"' && (quoted || begins))
			quoted = !quoted;
		begins = isspace((unsigned char)*p);
		p++;
	}
	*ret_end = p;
	/* What a comment says is not cut by a semicolon in it. */
	return *p == '#' ? p + strcspn(p, "\n") : p;
}

int reservations_read(const char *text, const char *source, unsigned first_line,
		      const struct reservation_rules *rules,
		      void (*fault_fn)(void *ctx, const char *sentence), void *ctx,
		      struct reservation_list *list)
{
	struct reading r = { source, rules, fault_fn, ctx, list, first_line, 0 };
	int e = 0;
	for (const char *at = text; *at && e == 0;) {
		const char *end, *next = reservations_entry(at, &end);
		if (*next == ';' || r.entry)
			r.entry++;
		e = read_line(&r, at, end);
		if (*next == '\n') {
			r.line++;
			r.entry = 0;
		}
		at = next + (*next != '\0');
	}
	return e;
}

/* Not through the C library's files: those ask a device whether it is a terminal, which the server
 * may not; and what is no file at all must not hold it up. */
static int read_text(int fd, char *text, size_t *ret_len)
{
	size_t n = 0;
	ssize_t more = 1;
	while (more && n <= FILE_MAX) {
		more = read(fd, text + n, FILE_MAX + 1 - n);
		if (more < 0 && errno != EINTR)
			return -errno;
		n += more > 0 ? (size_t)more : 0;
	}
	*ret_len = n;
	return n > FILE_MAX ? -EFBIG : memchr(text, '\0', n) ? -EILSEQ : 0;
}

/* The whole of it, NULL where there is none. */
static int read_file(const char *path, char **ret_text)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*ret_text = NULL;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	AUTO_FREE char *text = malloc(FILE_MAX + 1);
	size_t n = 0;
	int r = text ? read_text(fd, text, &n) : -ENOMEM;
	if (r < 0)
		return r;
	text[n] = '\0';
	*ret_text = take_ptr(&text);
	return 0;
}

int reservations_load(const struct config *c, void (*fault_fn)(void *ctx, const char *sentence),
		      void *ctx, struct reservation_list *list)
{
	const struct reservation_rules rules = { .assigned = c->assigned,
						 .transfer = c->transfer,
						 .transfers = c->transfers,
						 .n_transfers = c->n_transfers,
						 .own_addr = prefix6_with_iid(&c->transfer, 1),
						 .pd_pool = c->pd_pool,
						 .pd_min_len = c->pd_min_len,
						 .pd_max_len = c->pd_max_len,
						 .ia_na = c->ia_na };
	char path[CONFIG_PATH_MAX + 16], sentence[SENTENCE_MAX];
	AUTO_FREE char *text = NULL;
	(void)snprintf(path, sizeof path, "%s/reservations", c->state_dir);
	int r = reservations_read(c->reservations, "DHCPV6_RESERVATIONS", 1, &rules, fault_fn, ctx,
				  list);
	int e = read_file(path, &text);
	if (e == -ENOMEM)
		return e;
	if (e < 0) {
		(void)snprintf(sentence, sizeof sentence, "%s: cannot be read: %s", path,
			       e == -EILSEQ  ? "it is no text"
			       : e == -EFBIG ? "it is longer than 256 KiB"
					     : strerror(-e));
		list->n_faults++;
		fault_fn(ctx, sentence);
	}
	return r == 0 && text ? reservations_read(text, path, 1, &rules, fault_fn, ctx, list) : r;
}

void reservation_list_done(struct reservation_list *list)
{
	free(list->list);
	*list = (struct reservation_list){ 0 };
}
