/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subscribers' resolver: dnsmasq as a child of init. It caches what it forwards through the
 * tunnel, answers on the subscriber link alone, and serves DNS_ZONE from files that the server
 * writes (daemon/dns_names.h). It does no DHCP and reads neither /etc/hosts nor /etc/resolv.conf.
 *
 * It may bind a low port and nothing else, and is the user `dnsmasq` where there is one and we may
 * become it. Its upstream sockets are bound to our address inside the tunnel: where the tunnel is
 * gone, so is that address, and no query leaves at all. What leaves from there to port 53 is routed
 * by a table of its own, so that no other route of the namespace leads it elsewhere.
 */
#pragma once

#include "daemon/children.h"
#include "daemon/config.h"
#include "daemon/message.h"
#include "host/loop.h"
#include "host/route.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DNS_DIRECTORY  "/run/vbng/dns"
#define DNS_NAMES      DNS_DIRECTORY "/names"
#define DNS_CONFIG     DNS_OUR_FOLDER "/dnsmasq.conf" /* where no server writes */
#define DNS_PROGRAM    "dnsmasq"
#define DNS_PATH       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DNS_OUR_FOLDER "/run/vbng" /* init's, which the resolver must pass */

enum { DNS_TABLE = 118 }; /* routes of what it asks: through the tunnel, or not at all */

struct dns;

/* DNS_NAMES and what it lies in, for everybody to read; that they are there is no fault. mkdir(2)'s
 * errors. */
int dns_make_folders(void);

/* Why our own resolver cannot run here, as the end of a sentence; NULL: it can. */
const char *dns_impossible(const struct config *c);

/*
 * Nothing runs yet. changed(ctx) is called when what dns_view() tells is another. config and
 * children must outlive it. -ENOMEM.
 */
int dns_new(struct loop *loop, const struct config *config, struct children *children,
	    void (*changed)(void *ctx), void *ctx, struct dns **ret_dns);
/* Ends dnsmasq, where it runs. NULL is allowed. */
void dns_free(struct dns *d);

/* In the forked server: what is init's alone is closed. NULL is allowed. */
void dns_drop(struct dns *d);

/* The route into the tunnel of what it asks, to be put each time that the tunnel is made. */
struct route dns_route(unsigned tunnel_ifindex);
/* That what it asks goes nowhere else; an undo's step takes it back. Errors of rule_put() and of
 * the routes. */
int dns_way_put(const struct config *c, struct route_batch *routes);
int dns_way_remove(const struct config *c, struct route_batch *routes);

/* Writes its configuration and starts it; logs where it cannot, and tries again later. ifname: the
 * subscriber interface. Said again, it does nothing, unless that has another name. */
void dns_start(struct dns *d, const char *ifname);
/* A child ended: whether it was dnsmasq, which then is started again, ever later if it keeps dying.
 * status: as waitpid(2) gives it. */
bool dns_ended(struct dns *d, pid_t pid, int status);

/* What the server shows of it. */
struct message_dns dns_view(const struct dns *d);

/* The configuration as text. For tests, too. 0, or -ENOMEM. */
int dns_configuration(const struct config *c, const char *ifname, char **ret_text);
