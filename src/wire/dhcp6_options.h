/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCPv6 options that are sent to those who ask for them, written as their RFCs have them. Each
 * function writes one whole option; overflow is sticky in w->full. Integers are in host order.
 */
#pragma once

#include "base/buf.h"
#include "base/prefix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum d6_s46_option {
	D6_OPT_S46_RULE = 89,
	D6_OPT_S46_BR = 90,
	D6_OPT_S46_DMR = 91,
	D6_OPT_S46_V4V6BIND = 92,
	D6_OPT_S46_PORTPARAMS = 93,
};

enum {
	D6_S46_EA_MAX = 48,     /* RFC 7598 §4.1 */
	D6_S46_OFFSET_MAX = 15, /* RFC 7598 §4.5 */
	D6_S46_PORT_BITS = 16,
};

/*
 * NTP server option (RFC 5908 §4): each holds one time source, so several sources are several
 * options. A unicast address is a server's (§4.1), a multicast address one of a group of them
 * (§4.2).
 */
void d6_put_ntp_address(struct wr *w, const struct in6_addr *a);
/* The same by name (§4.3), which must be dnsname_valid(). */
void d6_put_ntp_name(struct wr *w, const char *name);

/* AFTR-Name (RFC 6334 §3); dnsname_valid(). */
void d6_put_aftr_name(struct wr *w, const char *name);

/*
 * Prefix exclude (RFC 6603 §4.2), to stand within the IAPREFIX option of `delegated`: of the
 * excluded prefix, which lies within it and is longer, only the bits behind the delegated length.
 */
void d6_put_pd_exclude(struct wr *w, const struct prefix6 *delegated,
		       const struct prefix6 *excluded);

/* The ports that share an IPv4 address (RFC 7598 §4.5). */
struct d6_s46_ports {
	uint8_t offset;   /* bits before the PSID in a port, 0 to D6_S46_OFFSET_MAX */
	uint8_t psid_len; /* bits, 0 to 16 */
	uint16_t psid;    /* as a number: less than 2^psid_len; 0 where psid_len is */
};

/* A mapping rule of MAP-E and MAP-T (RFC 7598 §4.1). Bits behind both lengths are zero. */
struct d6_s46_rule {
	bool fmr; /* also for forwarding, CE to CE (the F flag) */
	uint8_t ea_len;
	struct in_addr prefix4; /* in network order, as everywhere */
	uint8_t plen4;
	struct prefix6 prefix6;
	bool has_ports;
	struct d6_s46_ports ports;
};

/* A lightweight 4over6 binding (RFC 7598 §4.4). */
struct d6_s46_bind {
	struct in_addr addr4;
	struct prefix6 prefix6;
	bool has_ports;
	struct d6_s46_ports ports;
};

/* What stands in the containers (§5), which are opened with d6_open(). */
void d6_put_s46_rule(struct wr *w, const struct d6_s46_rule *rule);
void d6_put_s46_br(struct wr *w, const struct in6_addr *a);         /* §4.2 */
void d6_put_s46_dmr(struct wr *w, const struct prefix6 *dmr);       /* §4.3 */
void d6_put_s46_bind(struct wr *w, const struct d6_s46_bind *bind); /* §4.4 */
