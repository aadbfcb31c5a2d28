/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_values.h"

#include "base/cleanup.h"
#include "wire/dnsname.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DNS_PORT = 53 };

int value_fault(struct why *why, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(why->text, sizeof why->text, fmt, args); /* cut where it is longer */
	va_end(args);
	return -EINVAL;
}

void value_warn(struct why *why, const char *fmt, ...)
{
	size_t at = strlen(why->warning);
	if (at && at + 2 < sizeof why->warning) {
		memcpy(why->warning + at, "; ", 3);
		at += 2;
	}
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(why->warning + at, sizeof why->warning - at, fmt, args); /* cut likewise */
	va_end(args);
}

int value_key(const char *text, uint8_t ret_key[static WGKEY_LEN], struct why *why)
{
	size_t len = strlen(text);
	if (wgkey_parse(text, ret_key) == 0)
		return 0;
	/* The value itself is a secret, its length is not. */
	if (len != WGKEY_STRLEN - 1)
		return value_fault(
			why, "is no WireGuard key: it has %zu characters, a key in base64 has 44",
			len);
	return value_fault(why,
			   "is no WireGuard key: 44 characters, but not the base64 of 32 bytes");
}

int value_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value, struct why *why)
{
	uint64_t v = 0;
	size_t n = strlen(text);
	bool number = n > 0 && n <= 10;
	for (size_t i = 0; i < n && number; i++) {
		number = isdigit((unsigned char)text[i]);
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (!number)
		return value_fault(why, "'%.40s' is no number; it can be %u to %u", text, min, max);
	if (v < min || v > max)
		return value_fault(why, "%.40s is out of bounds; it can be %u to %u", text, min,
				   max);
	*ret_value = (uint32_t)v;
	return 0;
}

int value_word(const char *text, const char *const *words, size_t *ret_index, struct why *why)
{
	char all[128] = "";
	for (size_t i = 0; words[i]; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret_index = i;
			return 0;
		}
		size_t at = strlen(all);
		snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", words[i]);
	}
	return value_fault(why, "'%.40s' is none of %s", text, all);
}

int value_flag(const char *text, bool *ret_flag, struct why *why)
{
	static const char *const words[] = { "off", "on",    "0",    "1", "no",
					     "yes", "false", "true", NULL };
	size_t i;
	if (value_word(text, words, &i, why) < 0)
		return value_fault(why, "'%.40s' is neither on nor off", text);
	*ret_flag = i & 1;
	return 0;
}

int value_addr6(const char *text, struct in6_addr *ret_addr, struct why *why)
{
	if (inet_pton(AF_INET6, text, ret_addr) != 1)
		return value_fault(why, "'%.60s' is no IPv6 address", text);
	return 0;
}

int value_prefix(const char *text, int default_plen, bool masked, struct prefix6 *ret_prefix,
		 struct why *why)
{
	struct prefix6 p;
	int r = prefix6_parse(text, default_plen, &p);
	if (r == -EDOM)
		return value_fault(why, "'%.60s' lacks its length, as in 2001:db8::/48", text);
	if (r < 0)
		return value_fault(why, "'%.60s' is no IPv6 prefix", text);
	if (masked && !prefix6_is_masked(&p)) {
		const struct prefix6 should = prefix6_masked(&p);
		char meant[PREFIX6_STRLEN];
		return value_fault(why, "'%.60s' has bits set behind its length; did you mean %s?",
				   text, prefix6_format(&should, meant));
	}
	*ret_prefix = p;
	return 0;
}

int value_routable(const struct prefix6 *p, const char *text, struct why *why)
{
	static const struct {
		struct prefix6 prefix;
		const char *what;
	} classes[] = {
		{ { .addr = { .s6_addr = { 0xff } }, .plen = 8 }, "multicast" },
		{ { .addr = { .s6_addr = { 0xfe, 0x80 } }, .plen = 10 }, "link-local" },
		{ { .addr = { .s6_addr = { 0 } }, .plen = 128 }, "unspecified" },
		{ { .addr = { .s6_addr = { [15] = 1 } }, .plen = 128 }, "loopback" },
		{ { .addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } }, .plen = 96 },
		  "IPv4-mapped" },
	};
	if (p->plen == 0)
		return value_fault(why, "'%.60s' is everything, not a prefix of yours", text);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (prefix6_overlaps(&classes[i].prefix, p))
			return value_fault(why,
					   "'%.60s' has %s addresses, which are not routed; a "
					   "global or a unique local one (fd00::/8) is wanted",
					   text, classes[i].what);
	return 0;
}

struct in_addr value_masked4(struct in_addr addr, uint8_t plen)
{
	uint32_t mask = plen ? UINT32_MAX << (32 - plen) : 0;
	return (struct in_addr){ addr.s_addr & htonl(mask) };
}

int value_prefix4(const char *text, struct in_addr *ret_addr, uint8_t *ret_plen, struct why *why)
{
	char host[INET_ADDRSTRLEN];
	uint32_t plen = 32;
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct why unused;
	struct in_addr addr = { 0 };
	bool good = n < sizeof host && (!slash || value_u32(slash + 1, 0, 32, &plen, &unused) == 0);
	if (good) {
		memcpy(host, text, n);
		host[n] = '\0';
		good = inet_pton(AF_INET, host, &addr) == 1;
	}
	if (!good)
		return value_fault(why, "'%.60s' is no IPv4 ADDRESS/LENGTH", text);
	*ret_addr = addr;
	*ret_plen = (uint8_t)plen;
	return 0;
}

int value_fqdn(const char *text, struct why *why)
{
	struct in_addr v4;
	if (inet_pton(AF_INET, text, &v4) == 1)
		return value_fault(why, "'%.60s' is an IPv4 address", text);
	const char *dot = strchr(text, '.');
	if (!dnsname_valid(text) || !dot || !dot[1])
		return value_fault(why, "'%.60s' is no fully qualified domain name", text);
	return 0;
}

int value_assigned(const char *text, struct prefix6 *ret_prefix, struct why *why)
{
	size_t n = strlen(text);
	char whole[64];
	bool cut = n > 2 && n + 2 < sizeof whole && text[n - 1] == ':' && text[n - 2] != ':';
	if (cut) {
		snprintf(whole, sizeof whole, "%s:", text);
		text = whole;
	}
	return value_prefix(text, 48, true, ret_prefix, why);
}

static int port_of(const char *text, in_port_t *ret_port, struct why *why)
{
	uint32_t port;
	if (value_u32(text, 1, UINT16_MAX, &port, why) < 0)
		return value_fault(why, "'%.40s' is no port; it can be 1 to 65535", text);
	*ret_port = htons((uint16_t)port);
	return 0;
}

/* ADDRESS or ADDRESS%NIC, as it stands between the brackets. */
static int endpoint6(char *host, const char *text, struct config *c, struct why *why)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(c->wg_endpoint_port) };
	char *zone = strchr(host, '%'), name[IFNAMSIZ] = "";
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return value_fault(why, "'%.60s': there is no IPv6 address between the brackets",
				   text);
	bool link_local = IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
	if (link_local && !zone)
		return value_fault(why,
				   "'%.60s' is link-local: write the host's NIC that leads to it "
				   "behind it, as in [fe80::1%%eth0]:51820",
				   text);
	if (zone && !link_local)
		return value_fault(why, "'%.60s': only a link-local address has a %%NIC", text);
	if (zone && value_interface(zone, name, why) < 0)
		return -EINVAL;
	memcpy(c->wg_endpoint_zone, name, sizeof name);
	c->wg_endpoint.v6 = v6;
	return 0;
}

int value_endpoint(const char *text, struct config *c, struct why *why)
{
	char host[CONFIG_NAME_MAX];
	const char *colon = strrchr(text, ':');
	struct in6_addr bare;
	if (inet_pton(AF_INET6, text, &bare) == 1)
		return value_fault(why,
				   "'%.60s': an IPv6 address with a port is written [ADDRESS]:PORT",
				   text);
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof host)
		return value_fault(why, "'%.60s' lacks its port", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	in_port_t port = 0;
	if (port_of(colon + 1, &port, why) < 0)
		return -EINVAL;
	c->wg_endpoint_port = ntohs(port);
	size_t len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		return endpoint6(host + 1, text, c, why);
	}
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		c->wg_endpoint.v4 = v4;
		return 0;
	}
	/* No top-level domain begins with a digit: that is an address with a slip of the pen. */
	const char *dot = strrchr(host, '.'), *last = dot && dot[1] ? dot + 1 : host;
	if (!dnsname_valid(host) || isdigit((unsigned char)*last))
		return value_fault(why, "'%.60s' is no ADDRESS:PORT or NAME:PORT", text);
	memcpy(c->wg_endpoint_name, host, len + 1);
	return 0;
}

#define DOCKER_DNS 0x7f00000bU /* 127.0.0.11 */

static int add_resolver(void *ctx, const char *item, struct why *why)
{
	struct config *c = (struct config *)ctx;
	struct dns_server_config s = { .family = AF_INET6, .port = DNS_PORT };
	char host[INET6_ADDRSTRLEN + 2];
	in_port_t port = htons(DNS_PORT);
	if (c->n_resolvers == CONFIG_MAX_RESOLVERS)
		return value_fault(why, "has more than %d addresses", CONFIG_MAX_RESOLVERS);
	bool bare6 = inet_pton(AF_INET6, item, &s.v6) == 1;
	const char *colon = bare6 || item[strlen(item) - 1] == ']' ? NULL : strrchr(item, ':');
	size_t len = colon ? (size_t)(colon - item) : strlen(item);
	if (colon && port_of(colon + 1, &port, why) < 0)
		return -EINVAL;
	bool good = bare6;
	if (!bare6 && len > 0 && len < sizeof host) {
		memcpy(host, item, len);
		host[len] = '\0';
		bool brackets = host[0] == '[' && host[len - 1] == ']';
		if (brackets)
			host[len - 1] = '\0';
		else
			s.family = AF_INET;
		good = inet_pton(s.family, brackets ? host + 1 : host, &s.v6) == 1;
	}
	if (!good)
		return value_fault(
			why, "'%.60s' is no DNS server's ADDRESS, IPV4:PORT or [IPV6]:PORT", item);
	if (s.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&s.v6))
		return value_fault(why, "'%.60s' is link-local; give another address of it", item);
	/* Loopback is the host's own, and often right (127.0.0.53). */
	if (s.family == AF_INET && s.v4.s_addr == htonl(DOCKER_DNS))
		return value_fault(why,
				   "'%.60s' is Docker's, for containers: it is asked in the "
				   "host's network, where that one is not",
				   item);
	if (s.family == AF_INET ? s.v4.s_addr == INADDR_ANY || IN_MULTICAST(ntohl(s.v4.s_addr))
				: IN6_IS_ADDR_UNSPECIFIED(&s.v6) || IN6_IS_ADDR_MULTICAST(&s.v6))
		return value_fault(why, "'%.60s' is no single server's address", item);
	s.port = ntohs(port);
	c->resolvers[c->n_resolvers++] = s;
	return 0;
}

int value_resolvers(const char *text, struct config *c, struct why *why)
{
	c->n_resolvers = 0;
	return value_each(text, add_resolver, c, why);
}

int value_listen(const char *text, struct listen_config *ret_listen, struct why *why)
{
	struct listen_config l = { .in_host = strncmp(text, "host:", 5) == 0 };
	const char *at = text + (l.in_host ? 5 : 0), *colon = strrchr(at, ':');
	char host[CONFIG_LISTEN_MAX];
	size_t len = colon ? (size_t)(colon - at) : 0;
	if (!colon || strlen(text) >= sizeof l.text)
		return value_fault(why, "'%.60s' is no ADDRESS:PORT, [ADDRESS]:PORT or :PORT",
				   text);
	in_port_t port = 0;
	if (port_of(colon + 1, &port, why) < 0)
		return -EINVAL;
	memcpy(host, at, len);
	host[len] = '\0';
	bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
	if (brackets)
		host[len - 1] = '\0';
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
	if (len == 0 || (brackets && inet_pton(AF_INET6, host + 1, &v6.sin6_addr) == 1))
		l.at.v6 = v6;
	else if (!brackets && inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		l.at.v4 = v4;
	else
		return value_fault(why,
				   "'%.60s' is no address to listen at; it can be ADDRESS:PORT, "
				   "[ADDRESS]:PORT or :PORT, in the host's namespace with host: "
				   "before it",
				   text);
	memcpy(l.text, text, strlen(text) + 1);
	*ret_listen = l;
	return 0;
}

int value_interface(const char *text, char ret_name[static IFNAMSIZ], struct why *why)
{
	size_t n = strlen(text);
	if (n == 0 || n >= IFNAMSIZ || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
	    strpbrk(text, "/: \t"))
		return value_fault(why,
				   "'%.40s' cannot be an interface's name (1 to 15 characters, no "
				   "'/', ':' or blanks)",
				   text);
	memcpy(ret_name, text, n + 1);
	return 0;
}

int value_path(const char *text, char ret_path[static CONFIG_PATH_MAX], struct why *why)
{
	size_t n = strlen(text);
	if (text[0] != '/' || n >= CONFIG_PATH_MAX - 32)
		return value_fault(why, "'%.60s' is no absolute path of less than %d characters",
				   text, CONFIG_PATH_MAX - 32);
	memcpy(ret_path, text, n + 1);
	return 0;
}

int value_each(const char *text, int (*fn)(void *ctx, const char *item, struct why *why), void *ctx,
	       struct why *why)
{
	char *copy = strdup(text);
	if (!copy)
		return value_fault(why, "out of memory");
	size_t n = 0;
	int r = 0;
	char *rest = NULL;
	for (char *item = strtok_r(copy, ", \t\r\n", &rest); item && r >= 0;
	     item = strtok_r(NULL, ", \t\r\n", &rest)) {
		n++;
		r = fn(ctx, item, why);
	}
	free(copy);
	if (r < 0)
		return r;
	return n ? 0 : value_fault(why, "is empty");
}

struct addr_list {
	struct in6_addr *addrs;
	size_t n, max;
};

static int add_addr(void *ctx, const char *item, struct why *why)
{
	struct addr_list *l = (struct addr_list *)ctx;
	if (l->n == l->max)
		return value_fault(why, "has more than %zu addresses", l->max);
	return value_addr6(item, &l->addrs[l->n++], why);
}

int value_addr6_list(const char *text, size_t max, struct in6_addr *ret_addrs, size_t *ret_n,
		     struct why *why)
{
	struct addr_list l = { ret_addrs, 0, max };
	int r = value_each(text, add_addr, &l, why);
	if (r == 0)
		*ret_n = l.n;
	return r;
}

int value_servers(const char *text, bool link_local, size_t max, struct in6_addr *ret_addrs,
		  size_t *ret_n, struct why *why)
{
	struct in6_addr addrs[CONFIG_MAX_NAMESERVERS];
	char shown[INET6_ADDRSTRLEN];
	size_t n = 0;
	int r = value_addr6_list(text, max < ARRAY_LEN(addrs) ? max : ARRAY_LEN(addrs), addrs, &n,
				 why);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct prefix6 host = { addrs[i], 128 };
		if (link_local && IN6_IS_ADDR_LINKLOCAL(&addrs[i]))
			continue;
		r = value_routable(&host, in6_format(&addrs[i], shown), why);
		if (r < 0)
			return r;
	}
	memcpy(ret_addrs, addrs, n * sizeof addrs[0]);
	*ret_n = n;
	return 0;
}

static int add_allowed(void *ctx, const char *item, struct why *why)
{
	struct config *c = (struct config *)ctx;
	if (c->n_allowed_ips == CONFIG_MAX_ALLOWED_IPS)
		return value_fault(why, "has more than %d entries", CONFIG_MAX_ALLOWED_IPS);
	struct ip_prefix p = { .family = AF_INET6 };
	struct prefix6 v6;
	struct in_addr v4 = { 0 };
	bool masked;
	if (prefix6_parse(item, 128, &v6) == 0) {
		masked = prefix6_is_masked(&v6);
		p.v6 = prefix6_masked(&v6).addr;
		p.plen = v6.plen;
	} else if (value_prefix4(item, &v4, &p.plen, why) == 0) {
		p.family = AF_INET;
		p.v4 = value_masked4(v4, p.plen);
		masked = p.v4.s_addr == v4.s_addr;
	} else {
		return value_fault(why, "'%.60s' is no ADDRESS/LENGTH", item);
	}
	char meant[INET6_ADDRSTRLEN];
	if (!masked)
		value_warn(why, "'%.60s' has bits set behind its length, it is taken as %s/%u",
			   item, inet_ntop(p.family, &p.v6, meant, sizeof meant), p.plen);
	c->allowed_ips[c->n_allowed_ips++] = p;
	return 0;
}

int value_allowed_ips(const char *text, struct config *c, struct why *why)
{
	c->n_allowed_ips = 0;
	return value_each(text, add_allowed, c, why);
}

static int add_search(void *ctx, const char *item, struct why *why)
{
	struct config *c = (struct config *)ctx;
	if (c->n_search == CONFIG_MAX_SEARCH)
		return value_fault(why, "has more than %d domains", CONFIG_MAX_SEARCH);
	if (!dnsname_valid(item))
		return value_fault(why, "'%.60s' is no domain name", item);
	snprintf(c->search[c->n_search++], sizeof c->search[0], "%s", item);
	return 0;
}

int value_search(const char *text, struct config *c, struct why *why)
{
	c->n_search = 0;
	return value_each(text, add_search, c, why);
}

int value_pref64(const char *text, struct config *c, struct why *why)
{
	struct prefix6 p = { .plen = 0 };
	if (value_prefix(text, 96, true, &p, why) < 0)
		return -EINVAL;
	static const uint8_t lengths[] = { 32, 40, 48, 56, 64, 96 }; /* RFC 8781 §4 */
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		if (p.plen != lengths[i])
			continue;
		c->pref64 = p;
		c->has_pref64 = true;
		return 0;
	}
	return value_fault(why, "a NAT64 prefix has 32, 40, 48, 56, 64 or 96 bits, not %u", p.plen);
}
