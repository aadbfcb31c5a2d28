/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS_ZONE's names on their way to the resolver: the server's side. Bindings are followed in memory
 * (engine/names.h); what changed is written some time later, never once a packet: in DNS_NAMES what
 * dnsmasq reads, in STATE_DIR/names who is in line for which name, so that a restart changes
 * nothing. Both have a file for each shard, and the loop writes one at a time.
 */
#pragma once

#include "engine/batch.h"
#include "engine/dhcp6_server.h"
#include "host/loop.h"

#include <stddef.h>

struct dns_names;

/* zone and state_dir outlive it. Remembers who was in line for what. -ENOMEM; -EAGAIN: the kernel
 * has no random bytes. */
int dns_names_new(struct loop *loop, const char *zone, const char *state_dir,
		  struct dns_names **ret_names);
void dns_names_free(struct dns_names *n); /* NULL is allowed, here and below */

/* The bindings were loaded: all that are there have their names, who did not come back has none. */
void dns_names_load(struct dns_names *n, const struct dhcp6_server *dhcp6);
/* What a batch changes. */
void dns_names_follow(struct dns_names *n, const struct batch *b);

size_t dns_names_given(const struct dns_names *n);
size_t dns_names_waiting(const struct dns_names *n);
