/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a variable's text means: one parser a kind of value. Each writes where it is told to, or
 * says why not in a phrase that completes "NAME: …" and never repeats a secret. 0 or -EINVAL; the
 * target is untouched on failure.
 */
#pragma once

#include "daemon/config.h"

#include <stddef.h>

enum { WHY_MAX = 256 };
struct why {
	char text[WHY_MAX];
	char warning[WHY_MAX]; /* of a value that was taken all the same; empty: none */
};

int value_key(const char *text, uint8_t ret_key[static WGKEY_LEN], struct why *why);
int value_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value, struct why *why);
int value_flag(const char *text, bool *ret_flag, struct why *why);
/* Bits behind the length are a fault where masked is true. */
int value_prefix(const char *text, int default_plen, bool masked, struct prefix6 *ret_prefix,
		 struct why *why);
/* Whether what we route or stand on can lie there: neither everything nor multicast, link-local,
 * loopback, unspecified or IPv4-mapped. Unique local and documentation prefixes can. */
int value_routable(const struct prefix6 *p, const char *text, struct why *why);
/* IPv4, ADDRESS/LENGTH; 32 where no length is given. */
int value_prefix4(const char *text, struct in_addr *ret_addr, uint8_t *ret_plen, struct why *why);
/* With the bits behind the length cleared. */
struct in_addr value_masked4(struct in_addr addr, uint8_t plen);
/* A domain name of at least two labels, and no IPv4 address. */
int value_fqdn(const char *text, struct why *why);
/* As value_prefix, and the predecessor's "2001:db8:ffff:", which lacks its last colon. */
int value_assigned(const char *text, struct prefix6 *ret_prefix, struct why *why);
int value_addr6(const char *text, struct in6_addr *ret_addr, struct why *why);
/* IPv4:port, [IPv6]:port, [link-local%NIC]:port or name:port, into c->wg_endpoint and what follows
 * it. */
int value_endpoint(const char *text, struct config *c, struct why *why);
/* DNS servers, each ADDRESS, IPv4:port or [IPv6]:port, into c->resolvers. */
int value_resolvers(const char *text, struct config *c, struct why *why);
/* [host:]IPv4:port, [host:][IPv6]:port or [host:]:port, where "host:" and IPv6's brackets are meant
 * literally. */
int value_listen(const char *text, struct listen_config *ret_listen, struct why *why);
int value_interface(const char *text, char ret_name[static IFNAMSIZ], struct why *why);
int value_path(const char *text, char ret_path[static CONFIG_PATH_MAX], struct why *why);
/* words: NULL-terminated; *ret_index is which of them it is. */
int value_word(const char *text, const char *const *words, size_t *ret_index, struct why *why);
/* Comma (or space) separated lists. */
int value_addr6_list(const char *text, size_t max, struct in6_addr *ret_addrs, size_t *ret_n,
		     struct why *why);
/* Likewise, of addresses at which a DNS server can be: no multicast and none that means nobody or
 * ourselves; link-local ones where they are allowed. */
int value_servers(const char *text, bool link_local, size_t max, struct in6_addr *ret_addrs,
		  size_t *ret_n, struct why *why);
int value_allowed_ips(const char *text, struct config *c, struct why *why);
int value_search(const char *text, struct config *c, struct why *why);
int value_pref64(const char *text, struct config *c, struct why *why);
/* Calls fn for each item of a comma or space separated list, until it returns < 0. -EINVAL where
 * there is none. */
int value_each(const char *text, int (*fn)(void *ctx, const char *item, struct why *why), void *ctx,
	       struct why *why);

__attribute__((format(printf, 2, 3))) int value_fault(struct why *why, const char *fmt, ...);
/* Adds to why->warning. */
__attribute__((format(printf, 2, 3))) void value_warn(struct why *why, const char *fmt, ...);
