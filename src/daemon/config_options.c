/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_options.h"

#include "base/cleanup.h"
#include "daemon/config_s46.h"
#include "wire/dhcp6.h"
#include "wire/dhcp6_options.h"
#include "wire/dnsname.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MAX_RT_MIN_S = 60, /* RFC 9915 §21.24, §21.25 */
	MAX_RT_MAX_S = 86400,
	IRT_MINIMUM_S = 600, /* RFC 9915 §7.6 */
	NTP_MAX = 8,
	SUBNET_DIGITS = 20,
};

/* What is still free. */
static struct wr rest_of(struct config *c)
{
	return wr_of(c->options + c->options_len, sizeof c->options - c->options_len);
}

static int keep(struct config *c, const struct wr *w, struct why *why)
{
	if (w->full)
		return value_fault(
			why, "there is no room for it: all options together can have %d bytes",
			CONFIG_OPTION_BYTES);
	c->options_len += wr_len(w);
	return 0;
}

static int seconds(uint16_t code, const char *text, uint32_t min, uint32_t max, struct config *c,
		   struct why *why)
{
	uint32_t s;
	if (value_u32(text, min, max, &s, why) < 0)
		return -EINVAL;
	struct wr w = rest_of(c);
	d6_put_u32(&w, code, s);
	return keep(c, &w, why);
}

int option_sol_max_rt(const char *text, struct config *c, struct why *why)
{
	return seconds(D6_OPT_SOL_MAX_RT, text, MAX_RT_MIN_S, MAX_RT_MAX_S, c, why);
}

int option_inf_max_rt(const char *text, struct config *c, struct why *why)
{
	return seconds(D6_OPT_INF_MAX_RT, text, MAX_RT_MIN_S, MAX_RT_MAX_S, c, why);
}

int option_refresh_time(const char *text, struct config *c, struct why *why)
{
	return seconds(D6_OPT_INFORMATION_REFRESH_TIME, text, IRT_MINIMUM_S, UINT32_MAX, c, why);
}

struct ntp {
	struct wr w;
	unsigned n;
};

static int add_ntp(void *ctx, const char *item, struct why *why)
{
	struct ntp *ntp = (struct ntp *)ctx;
	struct in6_addr a;
	struct in_addr v4;
	if (ntp->n++ == NTP_MAX)
		return value_fault(why, "has more than %d time sources", NTP_MAX);
	if (inet_pton(AF_INET, item, &v4) == 1)
		return value_fault(why,
				   "'%.60s' is an IPv4 address; the option holds IPv6 "
				   "addresses and names",
				   item);
	if (inet_pton(AF_INET6, item, &a) == 1) {
		if (IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) ||
		    IN6_IS_ADDR_V4MAPPED(&a))
			return value_fault(why, "'%.60s' is no address that subscribers can reach",
					   item);
		d6_put_ntp_address(&ntp->w, &a);
		return 0;
	}
	if (value_fqdn(item, why) < 0)
		return value_fault(why,
				   "'%.60s' is neither an IPv6 address nor a fully qualified "
				   "domain name",
				   item);
	d6_put_ntp_name(&ntp->w, item);
	return 0;
}

int option_ntp(const char *text, struct config *c, struct why *why)
{
	struct ntp ntp = { .w = rest_of(c) };
	int r = value_each(text, add_ntp, &ntp, why);
	return r < 0 ? r : keep(c, &ntp.w, why);
}

int option_aftr(const char *text, struct config *c, struct why *why)
{
	if (value_fqdn(text, why) < 0)
		return -EINVAL;
	struct wr w = rest_of(c);
	d6_put_aftr_name(&w, text);
	return keep(c, &w, why);
}

/* RFC 3986 §2: what may stand in a URI, and hex digits behind a percent sign. */
static bool uri_chars(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("-._~:/?#[]@!$&'()*+,;=%", *p))
			return false;
		if (*p == '%' && (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2])))
			return false;
	}
	return true;
}

/* HOST[:PORT] of n bytes; the host is a name, an IPv4 address or [IPv6]. */
static bool uri_authority(const char *text, size_t n)
{
	char copy[CONFIG_URI_MAX + 1];
	struct in6_addr v6;
	struct why unused;
	uint32_t port;
	memcpy(copy, text, n);
	copy[n] = '\0';
	char *host = copy, *end = copy + strcspn(copy, ":");
	if (copy[0] == '[') {
		host++;
		end = strchr(host, ']');
		if (!end)
			return false;
		*end++ = '\0';
		if (inet_pton(AF_INET6, host, &v6) != 1)
			return false;
	}
	bool ported = *end == ':';
	if (*end && !ported)
		return false;
	*end = '\0';
	if (copy[0] != '[' && !dnsname_valid(host))
		return false;
	return !ported || value_u32(end + 1, 1, UINT16_MAX, &port, &unused) == 0;
}

int option_captive_portal(const char *text, struct config *c, struct why *why)
{
	static const char https[] = "https://",
			  unrestricted[] = "urn:ietf:params:capport:unrestricted";
	size_t n = strlen(text), scheme = sizeof https - 1;
	if (n > CONFIG_URI_MAX)
		return value_fault(why, "has %zu characters; it can have %d (RFC 8910 §2)", n,
				   CONFIG_URI_MAX);
	if (strcmp(text, unrestricted) != 0) {
		/* RFC 8908 §4.1: the API is asked over HTTPS alone. */
		if (strncasecmp(text, https, scheme) != 0)
			return value_fault(why,
					   "'%.60s' does not begin with https:// (and is not %s, "
					   "which says that there is no portal)",
					   text, unrestricted);
		if (!uri_chars(text))
			return value_fault(why,
					   "'%.60s' has characters that a URI cannot have; write "
					   "them as %%XX",
					   text);
		if (!uri_authority(text + scheme, strcspn(text + scheme, "/?#")))
			return value_fault(why, "'%.60s' has no valid HOST[:PORT] behind https://",
					   text);
	}
	struct wr w = rest_of(c);
	d6_put_span(&w, D6_OPT_CAPTIVE_PORTAL, text, n);
	if (keep(c, &w, why) < 0)
		return -EINVAL;
	memcpy(c->captive_portal, text, n + 1);
	return 0;
}

static int s46(uint16_t code, enum s46_kind kind, const char *text, struct config *c,
	       struct why *why)
{
	struct wr w = rest_of(c);
	size_t at = d6_open(&w, code);
	if (s46_put(kind, text, &w, why) < 0)
		return -EINVAL;
	d6_close(&w, at);
	return keep(c, &w, why);
}

int option_s46_mape(const char *text, struct config *c, struct why *why)
{
	return s46(D6_OPT_S46_CONT_MAPE, S46_MAPE, text, c, why);
}

int option_s46_mapt(const char *text, struct config *c, struct why *why)
{
	return s46(D6_OPT_S46_CONT_MAPT, S46_MAPT, text, c, why);
}

int option_s46_lw4o6(const char *text, struct config *c, struct why *why)
{
	return s46(D6_OPT_S46_CONT_LW, S46_LW4O6, text, c, why);
}

int option_pd_exclude(const char *text, struct config *c, struct why *why)
{
	const char *slash = strchr(text, '/');
	uint32_t plen;
	struct why unused;
	if (!slash)
		return value_fault(why,
				   "'%.40s' is no NUMBER/LENGTH: 0/64 is the first /64 of each "
				   "delegated prefix",
				   text);
	bool hex = strncasecmp(text, "0x", 2) == 0;
	const char *digits = hex ? text + 2 : text;
	size_t n = (size_t)(slash - digits);
	bool good = n > 0 && n <= (hex ? 16 : SUBNET_DIGITS - 1) &&
		    strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") == n;
	if (!good)
		return value_fault(why, "'%.40s': the number before the slash is wrong", text);
	if (value_u32(slash + 1, 1, 128, &plen, &unused) < 0)
		return value_fault(why, "'%.40s': the length can be 1 to 128", text);
	c->pd_exclude_subnet = strtoull(digits, NULL, hex ? 16 : 10);
	c->pd_exclude_len = (uint8_t)plen;
	return 0;
}

/* Codes that DHCPV6_OPTION_<code> cannot have, and why: "option 6 …". */
static const struct {
	uint16_t first, last;
	const char *why;
} governed[] = {
	{ 1, 2, "is in every answer by itself" },
	{ 3, 5, "is what the server hands out" },
	{ 6, 6, "is what clients ask by" },
	{ 7, 7, "is not asked for: it ranks servers" },
	{ 8, 8, "is sent by clients alone" },
	{ 9, 9, "is for relay agents" },
	{ 11, 11, "authenticates messages, which only the server can do" },
	{ 12, 12, "is obsolete (RFC 9915)" },
	{ 13, 13, "is the server's own word on a message" },
	{ 14, 14, "has a variable of its own, DHCPV6_RAPID_COMMIT" },
	{ 15, 16, "is sent by clients alone" },
	{ 18, 18, "is for relay agents" },
	{ 19, 20, "is for reconfiguration, which only the server can start" },
	{ D6_OPT_DNS_SERVERS, D6_OPT_DNS_SERVERS, "has a variable of its own, DHCPV6_NAMESERVER" },
	{ D6_OPT_DOMAIN_LIST, D6_OPT_DOMAIN_LIST, "has a variable of its own, DNS_SEARCH" },
	{ 25, 26, "is what the server hands out" },
	{ D6_OPT_INFORMATION_REFRESH_TIME, D6_OPT_INFORMATION_REFRESH_TIME,
	  "has a variable of its own, DHCPV6_INFORMATION_REFRESH_TIME" },
	{ 37, 38, "is for relay agents" },
	{ 39, 39, "answers a name that the client has sent" },
	{ 43, 43, "is for relay agents" },
	{ 44, 48, "is for leasequeries" },
	{ 53, 53, "is for relay agents" },
	{ D6_OPT_NTP_SERVER, D6_OPT_NTP_SERVER, "has a variable of its own, DHCPV6_NTP_SERVER" },
	{ 61, 62, "is sent by clients alone" },
	{ D6_OPT_AFTR_NAME, D6_OPT_AFTR_NAME, "has a variable of its own, DHCPV6_AFTR_NAME" },
	{ 66, 66, "is for relay agents" },
	{ D6_OPT_PD_EXCLUDE, D6_OPT_PD_EXCLUDE, "has a variable of its own, DHCPV6_PD_EXCLUDE" },
	{ 79, 81, "is for relay agents" },
	{ D6_OPT_SOL_MAX_RT, D6_OPT_SOL_MAX_RT, "has a variable of its own, DHCPV6_SOL_MAX_RT" },
	{ D6_OPT_INF_MAX_RT, D6_OPT_INF_MAX_RT, "has a variable of its own, DHCPV6_INF_MAX_RT" },
	{ 87, 87, "carries whole DHCPv4 messages" },
	{ D6_OPT_S46_RULE, D6_OPT_S46_RULE,
	  "stands within others, see DHCPV6_S46_MAPE and DHCPV6_S46_MAPT" },
	{ D6_OPT_S46_DMR, D6_OPT_S46_DMR, "stands within another, see DHCPV6_S46_MAPT" },
	{ D6_OPT_S46_V4V6BIND, D6_OPT_S46_V4V6BIND, "stands within another, see DHCPV6_S46_LW4O6" },
	{ D6_OPT_S46_PORTPARAMS, D6_OPT_S46_PORTPARAMS,
	  "stands within others, see DHCPV6_S46_MAPE" },
	{ D6_OPT_S46_CONT_MAPE, D6_OPT_S46_CONT_MAPE,
	  "has a variable of its own, DHCPV6_S46_MAPE" },
	{ D6_OPT_S46_CONT_MAPT, D6_OPT_S46_CONT_MAPT,
	  "has a variable of its own, DHCPV6_S46_MAPT" },
	{ D6_OPT_S46_CONT_LW, D6_OPT_S46_CONT_LW, "has a variable of its own, DHCPV6_S46_LW4O6" },
	{ 100, 102, "is for leasequeries" },
	{ D6_OPT_CAPTIVE_PORTAL, D6_OPT_CAPTIVE_PORTAL,
	  "has a variable of its own, DHCPV6_CAPTIVE_PORTAL" },
	{ 105, 110, "is for relay agents" },
	{ 114, 134, "is for failover between servers" },
	{ 135, 135, "is for relay agents" },
};

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

int option_raw(uint16_t code, const char *text, struct config *c, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(governed); i++)
		if (code >= governed[i].first && code <= governed[i].last)
			return value_fault(why, "option %u %s", code, governed[i].why);
	struct wr w = rest_of(c);
	size_t at = d6_open(&w, code);
	for (const char *p = strncasecmp(text, "0x", 2) == 0 ? text + 2 : text; *p;) {
		if (strchr(": \t\r\n", *p)) {
			p++;
			continue;
		}
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
			return value_fault(why,
					   "is not hex: at '%.20s' two digits are wanted for each "
					   "byte",
					   p);
		wr_u8(&w, (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1])));
		p += 2;
	}
	d6_close(&w, at);
	return keep(c, &w, why);
}

size_t config_options_list(const struct config *c, size_t max,
			   struct dhcp6_extra_option *ret_options)
{
	struct rd all = rd_of(c->options, c->options_len);
	struct d6_opt opt;
	size_t n = 0;
	while (n < max && d6_opt_next(&all, &opt))
		ret_options[n++] = (struct dhcp6_extra_option){
			.code = opt.code,
			.len = (uint16_t)rd_left(&opt.body),
			.bytes = opt.body.p,
			/* RFC 9915 §21.23 */
			.information_only = opt.code == D6_OPT_INFORMATION_REFRESH_TIME,
		};
	return n;
}
