/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_ra.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	INTERVALS = 3, /* that lifetimes last by default: two advertisements may be lost */
	LIFETIME_MAX_S = 65535,
	SLAAC_LENGTH = 64,
};

static bool listed(const struct prefix6 *list, size_t n, const struct prefix6 *p)
{
	for (size_t i = 0; i < n; i++)
		if (prefix6_equal(&list[i], p))
			return true;
	return false;
}

static int add_transfer(void *ctx, const char *item, struct why *why)
{
	struct config *c = (struct config *)ctx;
	struct prefix6 p;
	if (c->n_transfers == CONFIG_MAX_TRANSFERS)
		return value_fault(why, "has more than %d networks", CONFIG_MAX_TRANSFERS);
	if (value_prefix(item, SLAAC_LENGTH, true, &p, why) < 0)
		return -EINVAL;
	if (p.plen != SLAAC_LENGTH)
		return value_fault(why,
				   "'%.60s' is a /%u; hosts form their addresses in a /64 alone",
				   item, p.plen);
	if (listed(c->transfers, c->n_transfers, &p))
		return value_fault(why, "has '%.60s' twice", item);
	int r = value_routable(&p, item, why);
	if (r == 0)
		c->transfers[c->n_transfers++] = p;
	return r;
}

int ra_transfers(const char *text, struct config *c, struct why *why)
{
	c->n_transfers = 0;
	int r = value_each(text, add_transfer, c, why);
	if (r == 0)
		c->transfer = c->transfers[0];
	return r;
}

static int take_attribute(struct ra_prefix *p, const char *item, struct why *why)
{
	bool router_address_given = false;
	const struct {
		const char *key;
		bool *flag;
		uint32_t *seconds;
		bool *given;
	} known[] = {
		{ "on-link=", &p->info.on_link, NULL, &p->on_link_given },
		{ "autonomous=", &p->info.autonomous, NULL, &p->autonomous_given },
		{ "router-address=", &p->info.router_address, NULL, &router_address_given },
		{ "pd-preferred=", &p->info.dhcpv6_pd, NULL, &p->pd_given },
		{ "valid=", NULL, &p->info.valid_lft_s, &p->valid_given },
		{ "preferred=", NULL, &p->info.preferred_lft_s, &p->preferred_given },
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		size_t n = strlen(known[i].key);
		struct why inner = { .text = "" };
		if (strncmp(item, known[i].key, n) != 0)
			continue;
		int r = known[i].flag
				? value_flag(item + n, known[i].flag, &inner)
				: value_u32(item + n, 0, UINT32_MAX, known[i].seconds, &inner);
		if (r < 0)
			return value_fault(why, "'%.60s': %.120s", item, inner.text);
		*known[i].given = true;
		return 0;
	}
	return value_fault(why,
			   "'%.60s' is none of on-link=, autonomous=, router-address=, "
			   "pd-preferred=, valid=, preferred=",
			   item);
}

/* One prefix with what follows it. */
static int take_prefix(struct config *c, char *text, struct why *why)
{
	struct ra_prefix p = { .on_link_given = false };
	char *rest = text, *item = strsep(&rest, ",");
	if (c->n_ra_prefixes == ND_MAX_PREFIXES)
		return value_fault(why, "has more than %d prefixes", ND_MAX_PREFIXES);
	if (value_prefix(item, -1, true, &p.info.prefix, why) < 0 ||
	    value_routable(&p.info.prefix, item, why) < 0)
		return -EINVAL;
	for (size_t i = 0; i < c->n_ra_prefixes; i++)
		if (prefix6_equal(&c->ra_prefixes[i].info.prefix, &p.info.prefix))
			return value_fault(why, "has '%.60s' twice", item);
	while ((item = strsep(&rest, ",")))
		if (take_attribute(&p, item, why) < 0)
			return -EINVAL;
	c->ra_prefixes[c->n_ra_prefixes++] = p;
	return 0;
}

int ra_prefixes(const char *text, struct config *c, struct why *why)
{
	char *copy = strdup(text);
	if (!copy)
		return value_fault(why, "out of memory");
	c->n_ra_prefixes = 0;
	int r = 0;
	char *rest = NULL;
	for (char *item = strtok_r(copy, " \t\r\n", &rest); item && r == 0;
	     item = strtok_r(NULL, " \t\r\n", &rest))
		r = take_prefix(c, item, why);
	free(copy);
	return r;
}

static int add_route(void *ctx, const char *item, struct why *why)
{
	static const char *const words[] = { "low", "medium", "high", NULL };
	struct config *c = (struct config *)ctx;
	char copy[128];
	if (c->n_ra_routes == CONFIG_MAX_ROUTES)
		return value_fault(why, "has more than %d routes", CONFIG_MAX_ROUTES);
	if ((size_t)snprintf(copy, sizeof copy, "%s", item) >= sizeof copy)
		return value_fault(why, "'%.60s' is no PREFIX[@PREFERENCE[@SECONDS]]", item);
	struct nd_route_info *r = &c->ra_routes[c->n_ra_routes];
	char *rest = copy, *prefix = strsep(&rest, "@"), *preference = strsep(&rest, "@");
	size_t which = 1;
	if (preference && value_word(preference, words, &which, why) < 0)
		return -EINVAL;
	if (rest && value_u32(rest, 1, UINT32_MAX, &r->lft_s, why) < 0)
		return -EINVAL;
	r->preference = (enum nd_preference)((int)which - 1);
	c->ra_route_timed[c->n_ra_routes] = rest != NULL;
	int e = value_prefix(prefix, -1, true, &r->prefix, why);
	c->n_ra_routes += e == 0;
	return e;
}

int ra_routes(const char *text, struct config *c, struct why *why)
{
	c->n_ra_routes = 0;
	return value_each(text, add_route, c, why);
}

int ra_pvd(const char *text, struct config *c, struct why *why)
{
	size_t n = strlen(text);
	if (value_fqdn(text, why) < 0)
		return -EINVAL;
	memcpy(c->pvd, text, n + 1); /* a valid name has at most 254 */
	return 0;
}

/* --- all of it together
 * ------------------------------------------------------------------------------------------------
 */

static void check_intervals(struct reading *rd)
{
	struct config *c = &rd->c;
	uint32_t longest = c->ra_max_interval_s;
	if (!reading_given(rd, "ROUTER_ADVERTISEMENT_MIN_INTERVAL"))
		c->ra_min_interval_s = (uint16_t)(longest / 3 > 3 ? longest / 3 : 3);
	/* RFC 4861 §6.2.1 */
	if (c->ra_min_interval_s > 3 && c->ra_min_interval_s * 4 > c->ra_max_interval_s * 3)
		reading_fault(
			rd,
			"ROUTER_ADVERTISEMENT_MIN_INTERVAL: %u s is more than three quarters of "
			"ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s. "
			"Example: ROUTER_ADVERTISEMENT_MIN_INTERVAL=%u",
			c->ra_min_interval_s, longest, longest / 3);
	if (!reading_given(rd, "ROUTER_ADVERTISEMENT_LIFETIME"))
		c->ra_lifetime_s =
			(uint16_t)(INTERVALS * longest < LIFETIME_MAX_S ? INTERVALS * longest
									: LIFETIME_MAX_S);
	else if (c->ra_lifetime_s && c->ra_lifetime_s < longest)
		reading_fault(rd,
			      "ROUTER_ADVERTISEMENT_LIFETIME: %u s is less than "
			      "ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s: subscribers would lose "
			      "their default router between two advertisements. Example: "
			      "ROUTER_ADVERTISEMENT_LIFETIME=1800",
			      c->ra_lifetime_s, longest);
	if (!reading_given(rd, "ROUTER_ADVERTISEMENT_DNS_LIFETIME"))
		c->ra_dns_lifetime_s = INTERVALS * longest; /* RFC 8106 §5.1 */
	else if (c->ra_dns_lifetime_s < longest)
		reading_warn(rd,
			     "ROUTER_ADVERTISEMENT_DNS_LIFETIME: %u s is less than "
			     "ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s: hosts may lose their name "
			     "servers between two advertisements",
			     c->ra_dns_lifetime_s, longest);
}

static void check_routes(struct reading *rd)
{
	struct config *c = &rd->c;
	/* RFC 4191 §3.1: a router that is nobody's default may still be the way to somewhere. */
	uint32_t usual = c->ra_lifetime_s ? c->ra_lifetime_s : INTERVALS * c->ra_max_interval_s;
	char text[PREFIX6_STRLEN];
	for (size_t i = 0; i < c->n_ra_routes; i++) {
		struct nd_route_info *r = &c->ra_routes[i];
		if (!c->ra_route_timed[i])
			r->lft_s = usual;
		else if (r->lft_s < c->ra_max_interval_s)
			reading_warn(rd,
				     "ROUTER_ADVERTISEMENT_ROUTES: %u s of %s is less than "
				     "ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s: hosts may lose "
				     "the route between two advertisements",
				     r->lft_s, prefix6_format(&r->prefix, text),
				     c->ra_max_interval_s);
	}
}

/* What was not said of one. */
static void complete(const struct config *c, struct ra_prefix *p, bool is_transfer)
{
	struct nd_prefix_info *info = &p->info;
	if (!p->on_link_given)
		info->on_link = is_transfer && c->ra_on_link;
	if (!p->autonomous_given)
		info->autonomous = is_transfer && c->ra_autonomous;
	if (!p->pd_given)
		info->dhcpv6_pd = c->ra_pd_preferred;
	if (!p->valid_given)
		info->valid_lft_s = c->valid_lft_s;
	if (!p->preferred_given)
		info->preferred_lft_s = c->preferred_lft_s < info->valid_lft_s ? c->preferred_lft_s
									       : info->valid_lft_s;
}

/* The transfer networks first, each with what was said of it; then those that were only said. */
static void order_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	struct ra_prefix all[CONFIG_MAX_TRANSFERS + ND_MAX_PREFIXES];
	size_t n = 0;
	for (size_t i = 0; i < c->n_transfers; i++) {
		all[n] = (struct ra_prefix){ .info.prefix = c->transfers[i] };
		for (size_t k = 0; k < c->n_ra_prefixes; k++)
			if (prefix6_equal(&c->ra_prefixes[k].info.prefix, &c->transfers[i]))
				all[n] = c->ra_prefixes[k];
		complete(c, &all[n++], true);
	}
	for (size_t k = 0; k < c->n_ra_prefixes; k++)
		if (!listed(c->transfers, c->n_transfers, &c->ra_prefixes[k].info.prefix)) {
			all[n] = c->ra_prefixes[k];
			complete(c, &all[n++], false);
		}
	if (n > ND_MAX_PREFIXES) {
		reading_fault(rd,
			      "ROUTER_ADVERTISEMENT_PREFIXES: with those of TRANSFER_PREFIX they "
			      "are %zu, they can be %d",
			      n, ND_MAX_PREFIXES);
		n = ND_MAX_PREFIXES;
	}
	memcpy(c->ra_prefixes, all, n * sizeof all[0]);
	c->n_ra_prefixes = n;
}

static void check_prefix(struct reading *rd, struct nd_prefix_info *info, bool is_transfer)
{
	static const char name[] = "ROUTER_ADVERTISEMENT_PREFIXES";
	char text[PREFIX6_STRLEN];
	prefix6_format(&info->prefix, text);
	if (info->preferred_lft_s > info->valid_lft_s)
		reading_fault(rd, "%s: %s is to be preferred for %u s and valid for %u s only",
			      name, text, info->preferred_lft_s, info->valid_lft_s);
	if (info->autonomous && info->prefix.plen != SLAAC_LENGTH)
		reading_fault(rd,
			      "%s: %s has autonomous=on, and hosts form their addresses in a /64 "
			      "alone (RFC 4862 §5.5.3)",
			      name, text);
	else if (info->autonomous && !is_transfer)
		reading_warn(rd,
			     "%s: %s has autonomous=on, and nothing leads to the addresses that "
			     "hosts form in it. Add it to TRANSFER_PREFIX",
			     name, text);
	if (info->router_address && !is_transfer)
		reading_fault(rd,
			      "%s: %s has router-address=on, and we have no address in it. Add it "
			      "to TRANSFER_PREFIX",
			      name, text);
	else if (info->router_address)
		info->prefix.addr = prefix6_with_iid(&info->prefix, 1);
}

static void check_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	bool given = reading_given(rd, "ROUTER_ADVERTISEMENT_PREFIXES");
	if (reading_faulty(rd, "ROUTER_ADVERTISEMENT_PREFIXES"))
		c->n_ra_prefixes = 0;
	order_prefixes(rd);
	for (size_t i = 0; given && i < c->n_ra_prefixes; i++)
		check_prefix(rd, &c->ra_prefixes[i].info, i < c->n_transfers);
}

static void check_pvd(struct reading *rd)
{
	static const char *const parts[] = { "ROUTER_ADVERTISEMENT_PVD_HTTP",
					     "ROUTER_ADVERTISEMENT_PVD_LEGACY",
					     "ROUTER_ADVERTISEMENT_PVD_ONLY",
					     "ROUTER_ADVERTISEMENT_PVD_DELAY",
					     "ROUTER_ADVERTISEMENT_PVD_SEQUENCE" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (reading_given(rd, parts[i]) && !reading_given(rd, "ROUTER_ADVERTISEMENT_PVD"))
			reading_warn(rd, "%s: without ROUTER_ADVERTISEMENT_PVD it changes nothing",
				     parts[i]);
}

static void check_mtu(struct reading *rd)
{
	struct config *c = &rd->c;
	if (!reading_given(rd, "ROUTER_ADVERTISEMENT_MTU"))
		c->ra_mtu = c->wg_mtu;
	else if (c->ra_mtu > c->wg_mtu && c->backend != WG_BACKEND_NONE)
		reading_warn(rd,
			     "ROUTER_ADVERTISEMENT_MTU: %u is more than the tunnel takes, "
			     "WIREGUARD_MTU's %u",
			     c->ra_mtu, c->wg_mtu);
}

void config_ra_check(struct reading *rd)
{
	check_intervals(rd);
	check_routes(rd);
	check_prefixes(rd);
	check_mtu(rd);
	check_pvd(rd);
}
