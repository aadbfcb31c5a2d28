/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/priv.h"

#include "base/cleanup.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

static const struct {
	unsigned cap;
	const char *name;
} privs[PRIV_COUNT] = {
	[PRIV_NET_ADMIN] = { CAP_NET_ADMIN, "NET_ADMIN" },
	[PRIV_SYS_ADMIN] = { CAP_SYS_ADMIN, "SYS_ADMIN" },
	[PRIV_NET_RAW] = { CAP_NET_RAW, "NET_RAW" },
	[PRIV_NET_BIND_SERVICE] = { CAP_NET_BIND_SERVICE, "NET_BIND_SERVICE" },
};

bool priv_have(enum priv p)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_get_caps_process() < 0)
		return false;
	return capng_have_capability(CAPNG_EFFECTIVE, privs[p].cap);
}

const char *priv_name(enum priv p)
{
	return privs[p].name;
}

int priv_drop_to_net_admin(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* The bounding set can only be emptied with CAP_SETPCAP, which a container may not have: then no_new_privs must do. */
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_get_caps_process() < 0)
		return -EIO;
	bool setpcap = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(setpcap ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
		return -EIO;
	return capng_apply(setpcap ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}
