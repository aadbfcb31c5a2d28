/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that lead packets to a routing table of their own (IPv6, in our namespace). */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

enum { RULE_PRIORITY = 118 }; /* before the main table's, 32766 */

/*
 * What we send from this address to this port, by UDP or TCP, is routed by this table alone, before
 * all others. That it is there already is no fault. -EOPNOTSUPP, -EAFNOSUPPORT: this kernel has no
 * rules; -EPERM.
 */
int rule_put(const struct in6_addr *from, uint16_t port, uint8_t table);
/* That it is gone already is no fault. */
int rule_del(const struct in6_addr *from, uint16_t port, uint8_t table);
