/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities (capabilities(7)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum priv { PRIV_NET_ADMIN, PRIV_SYS_ADMIN, PRIV_NET_RAW, PRIV_NET_BIND_SERVICE, PRIV_COUNT };

bool priv_have(enum priv p);
/* "NET_ADMIN", as docker's --cap-add takes it. */
const char *priv_name(enum priv p);
/*
 * For the serving process: keeps CAP_NET_ADMIN alone in every set, the bounding set included, for good, and no execve can bring any back
 * (no_new_privs). 0 or a negative errno.
 */
int priv_drop_to_net_admin(void);
