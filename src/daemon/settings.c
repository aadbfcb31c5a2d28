/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
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

/* Needs change, and settings with them, while this process alone has this claim. */
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
	bool need[ARRAY_LEN(table)];
	char before[ARRAY_LEN(table)][SYSCTL_VALUE_MAX]; /* "": they do not know either */
};

static bool is_number(const char *s)
{
	s += *s == '-';
	return *s && s[strspn(s, "0123456789")] == '\0';
}

int settings_need_read(const char *text, uint32_t tag_of_ours, struct setting_need *ret_need)
{
	char ours[TAG_CHARS + 1];
	const char *tag = text + sizeof SETTINGS_NEED - 1, *key = tag + TAG_CHARS + 1;
	if (strlen(text) < sizeof SETTINGS_NEED + TAG_CHARS || key[-1] != '/')
		return -EBADMSG;
	(void)snprintf(ours, sizeof ours, "%08" PRIx32, tag_of_ours); /* fits */
	if (strncmp(tag, ours, TAG_CHARS) == 0)
		return -ESRCH;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t len = strlen(table[i].key);
		if (strncmp(key, table[i].key, len) != 0 || key[len] != '=')
			continue;
		const char *value = key + len + 1;
		struct setting_need need = { .setting = i };
		/* Who came later found what the first had set already, and has it from that one. */
		if (strcmp(value, table[i].value) != 0 && strlen(value) < sizeof need.before &&
		    is_number(value))
			memcpy(need.before, value, strlen(value) + 1);
		*ret_need = need;
		return 0;
	}
	return -EBADMSG;
}

int settings_need_write(const struct setting_need *need, uint32_t tag,
			char ret_text[static CLAIM_TEXT_MAX])
{
	return snprintf(ret_text, CLAIM_TEXT_MAX, SETTINGS_NEED "%08" PRIx32 "/%s=%s", tag,
			table[need->setting].key, need->before) < CLAIM_TEXT_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

static void on_need(void *ctx, const char *text)
{
	struct others *o = (struct others *)ctx;
	struct setting_need n;
	/* Ours may still be held by a child that was forked a moment ago. */
	if (settings_need_read(text, our_tag, &n) < 0)
		return;
	o->need[n.setting] = true;
	if (n.before[0])
		memcpy(o->before[n.setting], n.before, sizeof n.before);
}

/* A kernel that does not tell (-ENOENT) leaves us alone with ours. */
static int look_around(struct others *ret_others)
{
	*ret_others = (struct others){ 0 };
	int r = claim_list(-1, SETTINGS_NEED, on_need, ret_others);
	return r == -ENOENT ? 0 : r;
}

/* --- ours
 * ---------------------------------------------------------------------------------------------- */

static int hold(size_t i)
{
	char text[1][CLAIM_TEXT_MAX];
	struct setting_need need = { .setting = i };
	memcpy(need.before, needs[i].before, sizeof need.before);
	int r = settings_need_write(&need, our_tag, text[0]);
	if (r < 0)
		return r;
	r = claim_hold(-1, (const char(*)[CLAIM_TEXT_MAX])text, 1, &needs[i].fd);
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
