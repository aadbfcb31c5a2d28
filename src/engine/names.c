/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/names.h"

#include "base/cleanup.h"
#include "base/siphash.h"
#include "wire/dhcp6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_NAME_MAX = 255, LABEL_MAX = 63, FLAG_N = 4, FIRST_BUCKETS = 64 };

/* An address that is under a name, or waits for it. */
struct claim {
	struct claim *chain; /* of its bucket */
	struct claim *next;  /* behind it in line */
	struct name *name;
	struct claim *prev_having, *next_having; /* in its shard, while has_it */
	struct in6_addr addr;
	uint64_t owner; /* which client; 0: it was there before the restart */
	bool has_it;
};

struct name {
	struct name *chain;       /* of its bucket */
	struct name *prev, *next; /* in its shard */
	struct claim *line;       /* never empty; whose is the first's has the name */
	unsigned shard;
	unsigned n; /* in line */
	char text[NAME_STRLEN];
};

struct names {
	uint8_t key[16];
	char *zone;
	struct claim **claims;
	struct name **names;
	size_t n_claims, claim_buckets; /* powers of two */
	size_t n_names, name_buckets;
	size_t n_remembered, n_having;
	struct names_changes changed;
	struct name *lines[NAMES_SHARDS];
	struct claim *having[NAMES_SHARDS];
};

/* --- what a client calls itself
 * ---------------------------------------------------------------------------------------------- */

/* The labels with a dot between them, in lower case; any other byte may be in it. Its length, or -1
 * where it is no name. */
static int read_fqdn(struct rd *body, char text[static WIRE_NAME_MAX])
{
	int n = 0;
	while (rd_left(body)) {
		uint8_t len = rd_u8(body);
		if (len == 0)
			return rd_left(body) ? -1 : n;
		const uint8_t *label = rd_take(body, len);
		if (len > LABEL_MAX || !label || n + len + 1 >= WIRE_NAME_MAX)
			return -1;
		if (n)
			text[n++] = '.';
		for (uint8_t i = 0; i < len; i++) {
			char c = (char)label[i];
			text[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		}
	}
	return body->bad ? -1 : n;
}

/* Without the zone at its end, where it is there. */
static size_t before_zone(const char *text, size_t n, const char *zone)
{
	size_t z = strlen(zone);
	if (n < z || memcmp(text + n - z, zone, z) != 0)
		return n;
	if (n == z)
		return 0;
	return text[n - z - 1] == '.' ? n - z - 1 : n;
}

static bool letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool nobodys(const char *name)
{
	static const char *const reserved[] = { NAMES_ROUTER, "localhost", "wpad", "isatap" };
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return false;
}

bool name_of_fqdn(struct rd body, const char *zone, char ret_name[static NAME_STRLEN])
{
	char text[WIRE_NAME_MAX], name[NAME_STRLEN];
	size_t at = 0;
	bool gap = false;
	uint8_t flags = rd_u8(&body);
	int len = read_fqdn(&body, text);
	if (len < 0 || flags & FLAG_N)
		return false;
	size_t n = before_zone(text, (size_t)len, zone);
	for (size_t i = 0; i < n; i++) {
		if (!letter_or_digit(text[i])) {
			gap = true;
			continue;
		}
		bool hyphen = gap && at > 0;
		if (at + hyphen >= LABEL_MAX)
			break;
		if (hyphen)
			name[at++] = '-';
		name[at++] = text[i];
		gap = false;
	}
	name[at] = '\0';
	if (at == 0 || nobodys(name))
		return false;
	memcpy(ret_name, name, at + 1);
	return true;
}

/* --- the table
 * ---------------------------------------------------------------------------------------------- */

int names_new(const char *zone, const uint8_t key[static 16], struct names **ret_names)
{
	struct names *n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	memcpy(n->key, key, sizeof n->key);
	n->zone = strdup(zone);
	n->claims = calloc(FIRST_BUCKETS, sizeof *n->claims);
	n->names = calloc(FIRST_BUCKETS, sizeof *n->names);
	n->claim_buckets = n->name_buckets = FIRST_BUCKETS;
	if (!n->zone || !n->claims || !n->names) {
		names_free(n);
		return -ENOMEM;
	}
	*ret_names = n;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	for (unsigned s = 0; s < NAMES_SHARDS; s++) {
		for (struct name *name = n->lines[s], *next; name; name = next) {
			next = name->next;
			for (struct claim *c = name->line, *behind; c; c = behind) {
				behind = c->next;
				free(c);
			}
			free(name);
		}
	}
	free(n->claims);
	free(n->names);
	free(n->zone);
	free(n);
}

static uint64_t hash_addr(const struct names *n, const struct in6_addr *a)
{
	return siphash24(n->key, a, sizeof *a);
}

static uint64_t hash_name(const struct names *n, const char *text)
{
	return siphash24(n->key, text, strlen(text));
}

/* The same in every process: without a key, for nothing is looked up by it (FNV-1a). */
static unsigned shard_of(const void *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	uint32_t h = 2166136261U;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619U;
	return (h >> 16 ^ h) % NAMES_SHARDS;
}

static struct claim *find_claim(const struct names *n, const struct in6_addr *a)
{
	struct claim *c = n->claims[hash_addr(n, a) & (n->claim_buckets - 1)];
	while (c && memcmp(&c->addr, a, sizeof *a) != 0)
		c = c->chain;
	return c;
}

static struct name *find_name(const struct names *n, const char *text)
{
	struct name *name = n->names[hash_name(n, text) & (n->name_buckets - 1)];
	while (name && strcmp(name->text, text) != 0)
		name = name->chain;
	return name;
}

/* Where there is no memory for more buckets, the chains grow instead. */
static void grow_claims(struct names *n)
{
	size_t size = 2 * n->claim_buckets;
	struct claim **buckets =
		n->n_claims < n->claim_buckets ? NULL : calloc(size, sizeof *buckets);
	if (!buckets)
		return;
	for (size_t i = 0; i < n->claim_buckets; i++)
		for (struct claim *c = n->claims[i], *chain; c; c = chain) {
			struct claim **to = &buckets[hash_addr(n, &c->addr) & (size - 1)];
			chain = c->chain;
			c->chain = *to;
			*to = c;
		}
	free(n->claims);
	n->claims = buckets;
	n->claim_buckets = size;
}

static void grow_names(struct names *n)
{
	size_t size = 2 * n->name_buckets;
	struct name **buckets = n->n_names < n->name_buckets ? NULL : calloc(size, sizeof *buckets);
	if (!buckets)
		return;
	for (size_t i = 0; i < n->name_buckets; i++)
		for (struct name *name = n->names[i], *chain; name; name = chain) {
			struct name **to = &buckets[hash_name(n, name->text) & (size - 1)];
			chain = name->chain;
			name->chain = *to;
			*to = name;
		}
	free(n->names);
	n->names = buckets;
	n->name_buckets = size;
}

static struct name *add_name(struct names *n, const char *text)
{
	struct name *name = calloc(1, sizeof *name);
	if (!name)
		return NULL;
	grow_names(n);
	struct name **bucket = &n->names[hash_name(n, text) & (n->name_buckets - 1)];
	memcpy(name->text, text, strlen(text) + 1);
	name->shard = shard_of(text, strlen(text));
	name->chain = *bucket;
	*bucket = name;
	name->next = n->lines[name->shard];
	if (name->next)
		name->next->prev = name;
	n->lines[name->shard] = name;
	n->n_names++;
	return name;
}

static void remove_name(struct names *n, struct name *name)
{
	struct name **at = &n->names[hash_name(n, name->text) & (n->name_buckets - 1)];
	while (*at != name)
		at = &(*at)->chain;
	*at = name->chain;
	if (name->prev)
		name->prev->next = name->next;
	else
		n->lines[name->shard] = name->next;
	if (name->next)
		name->next->prev = name->prev;
	n->n_names--;
	free(name);
}

static void set_having(struct names *n, struct claim *c, bool has_it)
{
	if (c->has_it == has_it)
		return;
	unsigned shard = shard_of(&c->addr, sizeof c->addr);
	c->has_it = has_it;
	n->changed.having |= 1ULL << shard;
	if (has_it) {
		c->prev_having = NULL;
		c->next_having = n->having[shard];
		n->having[shard] = c;
		if (c->next_having)
			c->next_having->prev_having = c;
		n->n_having++;
		return;
	}
	if (c->prev_having)
		c->prev_having->next_having = c->next_having;
	else
		n->having[shard] = c->next_having;
	if (c->next_having)
		c->next_having->prev_having = c->prev_having;
	n->n_having--;
}

/* A line has changed: whose is the first's has the name. */
static void look_at_line(struct names *n, struct name *name)
{
	n->changed.lines |= 1ULL << name->shard;
	for (struct claim *c = name->line; c; c = c->next)
		set_having(n, c, c->owner && c->owner == name->line->owner);
}

static void leave(struct names *n, struct claim *c)
{
	struct name *name = c->name;
	struct claim **at = &n->claims[hash_addr(n, &c->addr) & (n->claim_buckets - 1)];
	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	for (at = &name->line; *at != c;)
		at = &(*at)->next;
	*at = c->next;
	set_having(n, c, false);
	look_at_line(n, name);
	n->n_claims--;
	name->n--;
	n->n_remembered -= c->owner == 0;
	free(c);
	if (!name->line)
		remove_name(n, name);
}

/* Behind what the owner has in this line already, or at its end. */
static int join(struct names *n, const struct in6_addr *addr, uint64_t owner, const char *text)
{
	struct name *name = find_name(n, text);
	if (name && name->n == NAMES_LINE_MAX)
		return 0;
	struct claim *c = calloc(1, sizeof *c);
	if (c && !name)
		name = add_name(n, text);
	if (!c || !name) {
		free(c);
		return -ENOMEM;
	}
	grow_claims(n);
	struct claim **bucket = &n->claims[hash_addr(n, addr) & (n->claim_buckets - 1)];
	struct claim **at = &name->line;
	bool mine = false;
	while (*at && !(mine && (*at)->owner != owner)) {
		mine = owner && (*at)->owner == owner;
		at = &(*at)->next;
	}
	*c = (struct claim){
		.chain = *bucket, .next = *at, .name = name, .addr = *addr, .owner = owner
	};
	*at = *bucket = c;
	n->n_claims++;
	name->n++;
	n->n_remembered += owner == 0;
	look_at_line(n, name);
	return 0;
}

static void come_back(struct names *n, struct claim *c, uint64_t owner)
{
	c->owner = owner;
	n->n_remembered--;
	look_at_line(n, c->name);
}

static bool wanted_name(const struct names *n, const struct binding_record *r,
			char ret_name[static NAME_STRLEN])
{
	struct rd details = rd_of(r->details, r->details_len);
	struct d6_opt opt;
	while (d6_opt_next(&details, &opt))
		if (opt.code == D6_OPT_CLIENT_FQDN)
			return name_of_fqdn(opt.body, n->zone, ret_name);
	return false;
}

int names_follow(struct names *n, const struct binding_record *r, bool erased)
{
	char text[NAME_STRLEN];
	if (r->kind != BINDING_NA)
		return 0;
	uint64_t owner = siphash24(n->key, r->duid.bytes, r->duid.len);
	owner = owner ? owner : 1;
	bool wants = !erased && r->state == BINDING_BOUND && wanted_name(n, r, text);
	struct claim *had = find_claim(n, &r->prefix.addr);
	if (had && wants && strcmp(had->name->text, text) == 0) {
		if (had->owner == owner)
			return 0;
		if (had->owner == 0) {
			come_back(n, had, owner);
			return 0;
		}
	}
	/* Its former client's leave may be told after the address is somebody else's. */
	if (had && !wants && had->owner && had->owner != owner)
		return 0;
	if (had)
		leave(n, had);
	return wants ? join(n, &r->prefix.addr, owner, text) : 0;
}

int names_remember(struct names *n, const struct in6_addr *addr, const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len >= NAME_STRLEN || nobodys(name) || find_claim(n, addr))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!letter_or_digit(name[i]) && name[i] != '-')
			return -EINVAL;
	return join(n, addr, 0, name);
}

int names_remember_line(struct names *n, char *line)
{
	struct prefix6 p;
	char *name = strchr(line, ' ');
	if (!name)
		return -EINVAL;
	*name++ = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (prefix6_parse(line, 128, &p) < 0 || p.plen != 128)
		return -EINVAL;
	return names_remember(n, &p.addr, name);
}

void names_settle(struct names *n)
{
	for (unsigned s = 0; s < NAMES_SHARDS && n->n_remembered; s++)
		for (struct name *name = n->lines[s], *next; name; name = next) {
			next = name->next;
			for (struct claim *c = name->line, *behind; c; c = behind) {
				behind = c->next;
				if (c->owner == 0)
					leave(n, c); /* the name goes with its last one */
			}
		}
}

struct names_changes names_changed(struct names *n)
{
	struct names_changes changed = n->changed;
	n->changed = (struct names_changes){ 0 };
	return changed;
}

bool names_pending(const struct names *n)
{
	return n->changed.having || n->changed.lines;
}

int names_having(const struct names *n, unsigned shard,
		 int (*fn)(void *ctx, const struct in6_addr *addr, const char *name), void *ctx)
{
	for (const struct claim *c = n->having[shard]; c; c = c->next_having) {
		int r = fn(ctx, &c->addr, c->name->text);
		if (r < 0)
			return r;
	}
	return 0;
}

int names_lines(const struct names *n, unsigned shard,
		int (*fn)(void *ctx, const struct in6_addr *addr, const char *name), void *ctx)
{
	for (const struct name *name = n->lines[shard]; name; name = name->next)
		for (const struct claim *c = name->line; c; c = c->next) {
			int r = fn(ctx, &c->addr, name->text);
			if (r < 0)
				return r;
		}
	return 0;
}

size_t names_given(const struct names *n)
{
	return n->n_names;
}

size_t names_waiting(const struct names *n)
{
	return n->n_claims - n->n_having;
}

static bool line_consistent(const struct names *n, const struct name *name, size_t *n_having,
			    size_t *n_remembered)
{
	unsigned in_line = 0;
	for (const struct claim *c = name->line; c; c = c->next) {
		if (c->name != name || find_claim(n, &c->addr) != c ||
		    c->has_it != (c->owner && c->owner == name->line->owner))
			return false;
		in_line++;
		*n_having += c->has_it;
		*n_remembered += c->owner == 0;
	}
	return in_line > 0 && in_line == name->n;
}

bool names_consistent(const struct names *n)
{
	size_t n_names = 0, n_claims = 0, n_having = 0, n_remembered = 0, listed = 0;
	for (unsigned s = 0; s < NAMES_SHARDS; s++) {
		const struct name *prev = NULL;
		for (const struct name *name = n->lines[s]; name; prev = name, name = name->next) {
			if (name->prev != prev || name->shard != s ||
			    find_name(n, name->text) != name ||
			    !line_consistent(n, name, &n_having, &n_remembered))
				return false;
			n_names++;
			n_claims += name->n;
		}
		const struct claim *before = NULL;
		for (const struct claim *c = n->having[s]; c; before = c, c = c->next_having) {
			if (!c->has_it || c->prev_having != before ||
			    shard_of(&c->addr, sizeof c->addr) != s)
				return false;
			listed++;
		}
	}
	return n_names == n->n_names && n_claims == n->n_claims && n_having == n->n_having &&
	       listed == n_having && n_remembered == n->n_remembered;
}
