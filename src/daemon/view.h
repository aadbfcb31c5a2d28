/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and Prometheus see of a running instance, gathered from all who know a part of it. */
#pragma once

#include "control/render.h"
#include "daemon/dns_names.h"
#include "daemon/filter.h"
#include "daemon/foreign_watch.h"
#include "daemon/keeper.h"
#include "daemon/message.h"
#include "daemon/server.h"
#include "daemon/tally.h"
#include "daemon/uplink.h"
#include "engine/dhcp6_server.h"
#include "wire/wgkey.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view_sources {
	const struct server_params *server;
	const struct message *uplink; /* MESSAGE_UPLINK, init's last */
	const struct tally *tally;
	const struct foreign_watch *foreign;
	const struct keeper *keeper;
	const struct message_dns *dns; /* init's last */
	const struct dns_names *names; /* NULL: none */
	const struct link_state *link;
	struct filter *filter;
	struct forwarding *forwarding;
	bool serving;
};

/* What a view's strings and drops stand in. */
struct view_text {
	char own_key[WGKEY_STRLEN], peer_key[WGKEY_STRLEN], address[PREFIX6_STRLEN], endpoint[64],
		ll[INET6_ADDRSTRLEN], resolver[INET6_ADDRSTRLEN];
	char why[UPLINK_REASON_STRLEN], probe[INET6_ADDRSTRLEN];
	char more_transfer_texts[CONFIG_MAX_TRANSFERS - 1][PREFIX6_STRLEN];
	const char *more_transfers[CONFIG_MAX_TRANSFERS - 1];
	char transfer[PREFIX6_STRLEN], pool[PREFIX6_STRLEN], addresses[PREFIX6_STRLEN];
	struct status_drop drops[D6_DROP_COUNT + ND_UNKNOWN_TYPE + 5];
	size_t n_drops;
	char wanted_ll[INET6_ADDRSTRLEN];
	struct status_router routers[FOREIGN_MAX];
	struct view_router {
		char address[INET6_ADDRSTRLEN], prefix[PREFIX6_STRLEN], differs[FOREIGN_TEXT_MAX];
	} router_texts[FOREIGN_MAX];
	struct filter_text filter;
};

/* Points into *s and *t. */
struct status_view view_of(const struct view_sources *s, struct view_text *t);
