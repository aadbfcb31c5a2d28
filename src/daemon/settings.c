/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include "base/cleanup.h"
#include "host/sysctl.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/* "all" comes first: writing it writes every interface and the default with it, whatever Docker set
 * them to. */
static const struct setting table[] = {
	{ "net/ipv6/conf/all/disable_ipv6", "0", true },
	{ "net/ipv6/conf/default/disable_ipv6", "0", true },
	{ "net/ipv6/conf/all/forwarding", "1", true },
	{ "net/ipv6/conf/default/forwarding", "1", true },
	/* A provider does not take other routers' word (RFC 4861 §6.2.7 has it only look). */
	{ "net/ipv6/conf/default/accept_ra", "0", false },
	/* A crowd of subscribers with a prefix each; the kernel's limit of 4096 is for caches long
	   gone (before 6.3 it still counts). */
	{ "net/ipv6/route/max_size", "2147483647", false },
};

/* What each was before; the appliance is one a process. */
static char before[ARRAY_LEN(table)][SYSCTL_VALUE_MAX];

size_t settings_count(void)
{
	return ARRAY_LEN(table);
}

const struct setting *settings_get(size_t i)
{
	assert(i < ARRAY_LEN(table));
	return &table[i];
}

static int put_back(void *arg)
{
	const struct setting *s = (const struct setting *)arg;
	return sysctl_set(s->key, before[s - table]);
}

int settings_apply(struct undo *u, const char **ret_key)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int r = sysctl_get(table[i].key, before[i]);
		bool same = r == 0 && strcmp(before[i], table[i].value) == 0;
		if (r == 0 && !same) {
			r = sysctl_set(table[i].key, table[i].value);
			if (r == 0)
				undo_push(u, "put a kernel setting back", put_back,
					  (void *)(uintptr_t)&table[i]);
		}
		if (r < 0 && table[i].required) {
			*ret_key = table[i].key;
			return r;
		}
	}
	return 0;
}
