/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_s46.h"

#include "base/cleanup.h"
#include "wire/dhcp6_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_DEFAULT_OFFSET = 6 /* RFC 7597 §5.1 */ };

enum s46_item { S46_BR, S46_DMR, S46_RULE, S46_BIND, S46_ITEMS };

struct s46 {
	struct wr *w;
	unsigned n[S46_ITEMS];
};

/* What may follow in a rule or a binding, and which of it did. */
struct params {
	bool is_rule;
	bool has_ea, has_offset, has_psid_len, has_psid;
	bool fmr;
	uint32_t ea, offset, psid_len, psid;
};

static int number(const char *item, const char *text, uint32_t max, uint32_t *ret_value, bool *seen,
		  struct why *why)
{
	struct why inner;
	if (*seen)
		return value_fault(why, "'%.60s': given twice", item);
	if (value_u32(text, 0, max, ret_value, &inner) < 0)
		return value_fault(why, "'%.60s': %.120s", item, inner.text);
	*seen = true;
	return 0;
}

static int take_param(struct params *p, const char *item, struct why *why)
{
	const struct {
		const char *key;
		bool in_bind;
		uint32_t max, *value;
		bool *seen;
	} known[] = {
		{ "ea=", false, D6_S46_EA_MAX, &p->ea, &p->has_ea },
		{ "psid-offset=", true, D6_S46_OFFSET_MAX, &p->offset, &p->has_offset },
		{ "psid-len=", true, D6_S46_PORT_BITS, &p->psid_len, &p->has_psid_len },
		{ "psid=", true, UINT16_MAX, &p->psid, &p->has_psid },
	};
	if (p->is_rule && strcmp(item, "fmr") == 0) {
		p->fmr = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		size_t n = strlen(known[i].key);
		if ((p->is_rule || known[i].in_bind) && strncmp(item, known[i].key, n) == 0)
			return number(item, item + n, known[i].max, known[i].value, known[i].seen,
				      why);
	}
	return value_fault(why, "'%.60s' is none of %spsid-offset=, psid-len=, psid=", item,
			   p->is_rule ? "ea=, fmr, " : "");
}

static int take_params(struct params *p, char *rest, struct why *why)
{
	for (char *item; (item = strsep(&rest, ","));)
		if (take_param(p, item, why) < 0)
			return -EINVAL;
	if (p->psid && p->psid >> p->psid_len)
		return value_fault(why, "psid=%u does not fit into psid-len=%u", p->psid,
				   p->psid_len);
	if (p->offset + p->psid_len > D6_S46_PORT_BITS)
		return value_fault(why,
				   "psid-offset=%u and psid-len=%u are more than a port's 16 "
				   "bits",
				   p->offset, p->psid_len);
	return 0;
}

static bool ports_of(const struct params *p, struct d6_s46_ports *ret_ports)
{
	*ret_ports = (struct d6_s46_ports){ .offset = (uint8_t)p->offset,
					    .psid_len = (uint8_t)p->psid_len,
					    .psid = (uint16_t)p->psid };
	return p->has_offset || p->has_psid_len || p->has_psid;
}

static int prefix_of(const char *text, struct prefix6 *ret_prefix, struct why *why)
{
	if (!text)
		return value_fault(why, "lacks its IPv6 prefix");
	return value_prefix(text, -1, true, ret_prefix, why);
}

/* RFC 7597 §5.2: the EA bits hold what the IPv4 prefix leaves open, and the PSID. */
static int check_rule(const struct d6_s46_rule *rule, const struct params *p, struct why *why)
{
	unsigned open = 32U - rule->plen4, psid_bits = p->ea > open ? p->ea - open : 0;
	if (rule->prefix6.plen + p->ea > 128)
		return value_fault(why, "ea=%u does not fit behind a /%u", p->ea,
				   rule->prefix6.plen);
	if (psid_bits + p->offset > D6_S46_PORT_BITS)
		return value_fault(why,
				   "ea=%u leaves %u bits behind the /%u for the PSID, which with "
				   "psid-offset=%u are more than a port's 16",
				   p->ea, psid_bits, rule->plen4, p->offset);
	return 0;
}

static int put_rule(struct s46 *s, char *text, struct why *why)
{
	struct params p = { .is_rule = true, .offset = MAP_DEFAULT_OFFSET };
	struct d6_s46_rule rule;
	char *rest = text;
	if (prefix_of(strsep(&rest, ","), &rule.prefix6, why) < 0)
		return -EINVAL;
	const char *text4 = strsep(&rest, ",");
	if (!text4)
		return value_fault(why, "lacks its IPv4 prefix");
	if (value_prefix4(text4, &rule.prefix4, &rule.plen4, why) < 0)
		return -EINVAL;
	const struct in_addr masked = value_masked4(rule.prefix4, rule.plen4);
	if (masked.s_addr != rule.prefix4.s_addr) {
		char meant[INET_ADDRSTRLEN];
		return value_fault(
			why, "'%.40s' has bits set behind its length; did you mean %s/%u?", text4,
			inet_ntop(AF_INET, &masked, meant, sizeof meant), rule.plen4);
	}
	if (take_params(&p, rest, why) < 0)
		return -EINVAL;
	if (!p.has_ea)
		return value_fault(why, "lacks ea=, the number of its embedded address bits");
	if (check_rule(&rule, &p, why) < 0)
		return -EINVAL;
	rule.fmr = p.fmr;
	rule.ea_len = (uint8_t)p.ea;
	rule.has_ports = ports_of(&p, &rule.ports);
	d6_put_s46_rule(s->w, &rule);
	return 0;
}

static int put_bind(struct s46 *s, char *text, struct why *why)
{
	struct params p = { .offset = 0 };
	struct d6_s46_bind bind;
	char *rest = text;
	const char *text4 = strsep(&rest, ",");
	if (inet_pton(AF_INET, text4, &bind.addr4) != 1)
		return value_fault(why, "'%.40s' is no IPv4 address", text4);
	if (prefix_of(strsep(&rest, ","), &bind.prefix6, why) < 0 || take_params(&p, rest, why) < 0)
		return -EINVAL;
	bind.has_ports = ports_of(&p, &bind.ports);
	d6_put_s46_bind(s->w, &bind);
	return 0;
}

static int put_br(struct s46 *s, char *text, struct why *why)
{
	struct prefix6 br = { .plen = 128 };
	if (value_addr6(text, &br.addr, why) < 0 || value_routable(&br, text, why) < 0)
		return -EINVAL;
	d6_put_s46_br(s->w, &br.addr);
	return 0;
}

static int put_dmr(struct s46 *s, char *text, struct why *why)
{
	struct prefix6 dmr;
	if (prefix_of(text, &dmr, why) < 0 || value_routable(&dmr, text, why) < 0)
		return -EINVAL;
	d6_put_s46_dmr(s->w, &dmr);
	return 0;
}

static const struct {
	const char *key;
	int (*put)(struct s46 *s, char *text, struct why *why);
} items[S46_ITEMS] = {
	[S46_BR] = { "br=", put_br },
	[S46_DMR] = { "dmr=", put_dmr },
	[S46_RULE] = { "rule=", put_rule },
	[S46_BIND] = { "bind=", put_bind },
};

/* How often each may stand in a container (RFC 7598 §5). */
enum { MANY = 32 };
static const struct {
	unsigned least, most;
} counts[][S46_ITEMS] = {
	[S46_MAPE] = { [S46_BR] = { 1, MANY }, [S46_RULE] = { 1, MANY } },
	[S46_MAPT] = { [S46_DMR] = { 1, 1 }, [S46_RULE] = { 1, MANY } },
	[S46_LW4O6] = { [S46_BR] = { 1, MANY }, [S46_BIND] = { 0, 1 } },
};

static int put_item(struct s46 *s, enum s46_kind kind, char *item, struct why *why)
{
	char all[64] = "";
	for (size_t i = 0; i < S46_ITEMS; i++) {
		size_t n = strlen(items[i].key), at = strlen(all);
		if (!counts[kind][i].most)
			continue;
		snprintf(all + at, sizeof all - at, "%s%s", at ? ", " : "", items[i].key);
		if (strncmp(item, items[i].key, n) != 0)
			continue;
		struct why inner = { .text = "" };
		s->n[i]++;
		if (items[i].put(s, item + n, &inner) < 0)
			return value_fault(why, "%.*s: %.200s", (int)n - 1, item, inner.text);
		return 0;
	}
	return value_fault(why, "'%.60s' is none of %s", item, all);
}

/* text is changed. */
static int put_items(struct s46 *s, enum s46_kind kind, char *text, struct why *why)
{
	char *rest = NULL;
	for (char *item = strtok_r(text, " \t\r\n", &rest); item;
	     item = strtok_r(NULL, " \t\r\n", &rest))
		if (put_item(s, kind, item, why) < 0)
			return -EINVAL;
	for (size_t i = 0; i < S46_ITEMS; i++) {
		if (s->n[i] < counts[kind][i].least)
			return value_fault(why, "lacks %s", items[i].key);
		if (s->n[i] > counts[kind][i].most)
			return value_fault(why, "has %s %u times, it can have it %u times",
					   items[i].key, s->n[i], counts[kind][i].most);
	}
	return 0;
}

int s46_put(enum s46_kind kind, const char *text, struct wr *w, struct why *why)
{
	struct s46 s = { .w = w };
	char *copy = strdup(text);
	if (!copy)
		return value_fault(why, "out of memory");
	int r = put_items(&s, kind, copy, why);
	free(copy);
	return r;
}
