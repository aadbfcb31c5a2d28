/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include "base/cleanup.h"
#include "host/claim.h"
#include "host/sysctl.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

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

/*
 * A need is a claim (host/claim.h) in our namespace, of this text: NEED TAG/KEY=VALUE, where VALUE
 * is what the key is to be again once nobody needs it any more. Needs change, and settings with
 * them, while this process alone has the claim LOCK.
 */
#define NEED "vbng-need/"
#define LOCK "vbng-needs-lock"

enum { TAG_CHARS = 8, LOCK_TRIES = 200, LOCK_PAUSE_MS = 5 };

/* The appliance is one a process. */
static struct need {
	bool ours;
	bool left; /* it could not be put back, and nobody is told any more that it is needed */
	char before[SYSCTL_VALUE_MAX];
	int fd; /* of the claim, where it is ours */
} needs[ARRAY_LEN(table)];

static uint32_t our_tag; /* of each start anew: it tells ours from others' */

size_t settings_count(void)
{
	return ARRAY_LEN(table);
}

const struct setting *settings_get(size_t i)
{
	assert(i < ARRAY_LEN(table));
	return &table[i];
}

/* --- others in our namespace
 * ---------------------------------------------------------------------------------------------- */

/* -1: somebody keeps it for longer than anybody needs it. Then it is done without: what is lost is
 * what two want to have changed in the same millisecond. */
static int lock(void)
{
	static const char text[1][CLAIM_TEXT_MAX] = { LOCK };
	int fd = -1;
	for (int i = 0; i < LOCK_TRIES && claim_hold(-1, text, 1, &fd) == -EADDRINUSE; i++) {
		const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
		(void)nanosleep(&pause, NULL); /* a shorter one only tries earlier */
	}
	return fd;
}

struct others {
	char ours[TAG_CHARS + 1];
	bool need[ARRAY_LEN(table)];
	char before[ARRAY_LEN(table)][SYSCTL_VALUE_MAX]; /* "": they do not know either */
};

static void on_need(void *ctx, const char *text)
{
	struct others *o = (struct others *)ctx;
	const char *tag = text + sizeof NEED - 1, *key = tag + TAG_CHARS + 1;
	/* Ours may still be held by a child that was forked a moment ago. */
	if (strlen(text) < sizeof NEED + TAG_CHARS || strncmp(tag, o->ours, TAG_CHARS) == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t len = strlen(table[i].key);
		if (strncmp(key, table[i].key, len) != 0 || key[len] != '=')
			continue;
		const char *value = key + len + 1;
		o->need[i] = true;
		/* Who came later found what the first had set already, and has it from that one. */
		if (strcmp(value, table[i].value) != 0 && strlen(value) < SYSCTL_VALUE_MAX)
			memcpy(o->before[i], value, strlen(value) + 1);
	}
}

/* A kernel that does not tell (-ENOENT) leaves us alone with ours. */
static int look_around(struct others *ret_others)
{
	*ret_others = (struct others){ 0 };
	(void)snprintf(ret_others->ours, sizeof ret_others->ours, "%08" PRIx32, our_tag); /* fits */
	int r = claim_list(-1, NEED, on_need, ret_others);
	return r == -ENOENT ? 0 : r;
}

/* --- ours
 * ---------------------------------------------------------------------------------------------- */

static int hold(size_t i)
{
	char text[1][CLAIM_TEXT_MAX];
	if (snprintf(text[0], sizeof text[0], NEED "%08" PRIx32 "/%s=%s", our_tag, table[i].key,
		     needs[i].before) >= (int)sizeof text[0])
		return -ENAMETOOLONG;
	int r = claim_hold(-1, (const char(*)[CLAIM_TEXT_MAX])text, 1, &needs[i].fd);
	needs[i].ours = r == 0;
	return r;
}

void settings_drop(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (needs[i].ours)
			(void)close(needs[i].fd); /* a name is all that it held */
		needs[i].ours = false;
	}
}

/* In the table's order, for "all" writes the others with it. */
static int put_back(void *arg)
{
	(void)arg;
	AUTO_CLOSE int locked = lock();
	(void)locked; /* until we return */
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		needs[i].left = needs[i].left || needs[i].ours;
	settings_drop();
	struct others others;
	int first = look_around(&others);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct need *n = &needs[i];
		bool change = n->left && !others.need[i] && strcmp(n->before, table[i].value) != 0;
		int r = change ? sysctl_set(table[i].key, n->before) : 0;
		n->left = r < 0;
		first = first < 0 ? first : r;
	}
	return first;
}

int settings_apply(struct undo *u, const char **ret_key)
{
	struct others others;
	*ret_key = table[0].key;
	if (getrandom(&our_tag, sizeof our_tag, 0) != sizeof our_tag)
		return -EAGAIN;
	AUTO_CLOSE int locked = lock();
	(void)locked; /* until we return */
	int r = look_around(&others);
	if (r < 0)
		return r;
	undo_push(u, "put the kernel's settings back", put_back, NULL);
	/* All of them before the first is set, which may change others. */
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct need *n = &needs[i];
		r = sysctl_get(table[i].key, n->before);
		if (r == 0 && others.before[i][0])
			memcpy(n->before, others.before[i], sizeof n->before);
		if (r == 0)
			r = hold(i);
		if (r < 0 && table[i].required) {
			*ret_key = table[i].key;
			return r;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		r = needs[i].ours ? sysctl_set(table[i].key, table[i].value) : 0;
		if (r < 0 && table[i].required) {
			*ret_key = table[i].key;
			return r;
		}
	}
	return 0;
}
