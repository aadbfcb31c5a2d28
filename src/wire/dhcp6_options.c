/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/dhcp6_options.h"

#include "wire/dhcp6.h"
#include "wire/dnsname.h"

#include <assert.h>

/* Suboptions of the NTP server option (RFC 5908 §4.1 to §4.3). */
enum { NTP_SRV_ADDR = 1, NTP_MC_ADDR = 2, NTP_SRV_FQDN = 3 };

/* RFC 7598 §4.1 */
enum { S46_RULE_FMR = 0x01 };

static size_t bytes_of_bits(unsigned bits)
{
	return (bits + 7) / 8;
}

void d6_put_ntp_address(struct wr *w, const struct in6_addr *a)
{
	size_t at = d6_open(w, D6_OPT_NTP_SERVER);
	d6_put_span(w, IN6_IS_ADDR_MULTICAST(a) ? NTP_MC_ADDR : NTP_SRV_ADDR, a, sizeof *a);
	d6_close(w, at);
}

void d6_put_ntp_name(struct wr *w, const char *name)
{
	size_t at = d6_open(w, D6_OPT_NTP_SERVER);
	size_t inner = d6_open(w, NTP_SRV_FQDN);
	dnsname_put(w, name);
	d6_close(w, inner);
	d6_close(w, at);
}

void d6_put_aftr_name(struct wr *w, const char *name)
{
	size_t at = d6_open(w, D6_OPT_AFTR_NAME);
	dnsname_put(w, name);
	d6_close(w, at);
}

void d6_put_pd_exclude(struct wr *w, const struct prefix6 *delegated,
		       const struct prefix6 *excluded)
{
	assert(excluded->plen > delegated->plen && prefix6_contains(delegated, excluded));
	const struct prefix6 masked = prefix6_masked(excluded);
	size_t n = bytes_of_bits((unsigned)excluded->plen - delegated->plen);
	size_t from = delegated->plen / 8;
	unsigned shift = delegated->plen % 8;
	size_t at = d6_open(w, D6_OPT_PD_EXCLUDE);
	wr_u8(w, excluded->plen);
	/* What is shifted out on the left belongs to the delegated prefix. */
	for (size_t i = from; i < from + n; i++) {
		unsigned here = masked.addr.s6_addr[i];
		unsigned next = i + 1 < sizeof masked.addr ? masked.addr.s6_addr[i + 1] : 0;
		wr_u8(w, (uint8_t)(here << shift | next >> (8 - shift)));
	}
	d6_close(w, at);
}

/* Padded with zero bits to a whole octet (RFC 7598 §4.1, §4.3, §4.4). */
static void put_prefix(struct wr *w, const struct prefix6 *p)
{
	const struct prefix6 masked = prefix6_masked(p);
	wr_u8(w, masked.plen);
	wr_bytes(w, &masked.addr, bytes_of_bits(masked.plen));
}

/* RFC 7598 §4.5: the PSID stands at the left of its field. */
static void put_ports(struct wr *w, const struct d6_s46_ports *p)
{
	size_t at = d6_open(w, D6_OPT_S46_PORTPARAMS);
	wr_u8(w, p->offset);
	wr_u8(w, p->psid_len);
	wr_be16(w, (uint16_t)((uint32_t)p->psid << (D6_S46_PORT_BITS - p->psid_len)));
	d6_close(w, at);
}

void d6_put_s46_rule(struct wr *w, const struct d6_s46_rule *rule)
{
	size_t at = d6_open(w, D6_OPT_S46_RULE);
	wr_u8(w, rule->fmr ? S46_RULE_FMR : 0);
	wr_u8(w, rule->ea_len);
	wr_u8(w, rule->plen4);
	wr_bytes(w, &rule->prefix4, sizeof rule->prefix4);
	put_prefix(w, &rule->prefix6);
	if (rule->has_ports)
		put_ports(w, &rule->ports);
	d6_close(w, at);
}

void d6_put_s46_br(struct wr *w, const struct in6_addr *a)
{
	d6_put_span(w, D6_OPT_S46_BR, a, sizeof *a);
}

void d6_put_s46_dmr(struct wr *w, const struct prefix6 *dmr)
{
	size_t at = d6_open(w, D6_OPT_S46_DMR);
	put_prefix(w, dmr);
	d6_close(w, at);
}

void d6_put_s46_bind(struct wr *w, const struct d6_s46_bind *bind)
{
	size_t at = d6_open(w, D6_OPT_S46_V4V6BIND);
	wr_bytes(w, &bind->addr4, sizeof bind->addr4);
	put_prefix(w, &bind->prefix6);
	if (bind->has_ports)
		put_ports(w, &bind->ports);
	d6_close(w, at);
}
