/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/priv.h"

#include "base/cleanup.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
	unsigned cap;
	const char *name;
} privs_table[PRIV_ALL] = {
	[PRIV_NET_ADMIN] = { CAP_NET_ADMIN, "NET_ADMIN" },
	[PRIV_SYS_ADMIN] = { CAP_SYS_ADMIN, "SYS_ADMIN" },
	[PRIV_NET_RAW] = { CAP_NET_RAW, "NET_RAW" },
	[PRIV_NET_BIND_SERVICE] = { CAP_NET_BIND_SERVICE, "NET_BIND_SERVICE" },
	[PRIV_SETPCAP] = { CAP_SETPCAP, "SETPCAP" },
	[PRIV_SETUID] = { CAP_SETUID, "SETUID" },
	[PRIV_SETGID] = { CAP_SETGID, "SETGID" },
	[PRIV_KILL] = { CAP_KILL, "KILL" },
	[PRIV_DAC_OVERRIDE] = { CAP_DAC_OVERRIDE, "DAC_OVERRIDE" },
};

/* libcap-ng remembers whose capabilities it looks at; a forked child must say that it is somebody
 * else. */
static int read_own(void)
{
	capng_setpid(0);
	capng_clear(CAPNG_SELECT_ALL);
	return capng_get_caps_process() < 0 ? -EIO : 0;
}

bool priv_have(enum priv p)
{
	return read_own() == 0 && capng_have_capability(CAPNG_EFFECTIVE, privs_table[p].cap);
}

const char *priv_name(enum priv p)
{
	return privs_table[p].name;
}

size_t priv_missing(unsigned wanted, char *buf, size_t size)
{
	size_t n = 0, at = 0;
	buf[0] = '\0';
	for (enum priv p = 0; p < PRIV_COUNT; p++) {
		if (!(wanted & 1U << p) || priv_have(p))
			continue;
		n++;
		size_t len = strlen(privs_table[p].name);
		if (at + len + 2 > size)
			continue;
		if (at)
			buf[at++] = ' ';
		memcpy(buf + at, privs_table[p].name, len + 1);
		at += len;
	}
	return n;
}

/* The privileges of the mask in these sets, all others in none. */
static int keep(unsigned privs, capng_type_t sets)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	int r = read_own();
	if (r < 0)
		return r;
	/* The bounding set can only be emptied with CAP_SETPCAP, which a container may not have:
	 * then no_new_privs must do. */
	bool setpcap = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	unsigned kept = 0;
	for (enum priv p = 0; p < PRIV_ALL; p++)
		if (privs & 1U << p && capng_have_capability(CAPNG_PERMITTED, privs_table[p].cap))
			kept |= 1U << p;
	capng_select_t which =
		setpcap ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
	capng_clear(which);
	for (enum priv p = 0; p < PRIV_ALL; p++)
		if (kept & 1U << p && capng_update(CAPNG_ADD, sets, privs_table[p].cap) < 0)
			return -EIO;
	return capng_apply(which) < 0 ? -EPERM : 0;
}

int priv_keep(unsigned privs, bool inherit)
{
	capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	if (inherit)
		/* The bounding set limits what may become inheritable. */
		sets |= CAPNG_INHERITABLE | CAPNG_AMBIENT | CAPNG_BOUNDING_SET;
	return keep(privs, sets);
}

int priv_limit(unsigned privs, bool programs)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0) < 0 &&
	    errno != EPERM)
		return -errno;
	capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	if (programs)
		sets |= CAPNG_BOUNDING_SET;
	return keep(privs, sets);
}

bool priv_can_become(void)
{
	return read_own() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_KILL);
}

int priv_become(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* What stayed permitted is effective no more. */
	if (read_own() < 0)
		return -EIO;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap) &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap) < 0)
			return -EIO;
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}
