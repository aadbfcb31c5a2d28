/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/claims.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/claim_text.h"
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>

enum { SENTENCE_MAX = 384, RETRY_MIN_MS = 40 };

struct ours {
	const struct config *c;
	uint32_t tag;
	char nic[CLAIM_VALUE_MAX];
};

struct conflict {
	char other[CONFIG_SUFFIX_MAX + 1]; /* "": none */
	char value[CLAIM_VALUE_MAX];       /* what it has */
	struct prefix6 ours;               /* of the transfer networks the one in its way */
};

struct look {
	const struct ours *ours;
	unsigned here; /* the kinds, as bits, that are looked for in this namespace */
	struct conflict found[CLAIM_KINDS];
};

/* --- what is in the way of what
 * -------------------------------------------------------------------------------------------- */

static void on_claim(void *ctx, const char *text)
{
	struct look *l = (struct look *)ctx;
	struct claim theirs;
	struct prefix6 transfer = { 0 };
	if (claim_read(text, &theirs) < 0 || theirs.tag == l->ours->tag ||
	    !(l->here >> theirs.kind & 1))
		return;
	unsigned ways = claim_collides(&theirs, l->ours->c, l->ours->nic, &transfer);
	for (enum claim_kind k = 0; k < CLAIM_KINDS; k++) {
		struct conflict *f = &l->found[k];
		if (!(ways & 1U << k))
			continue;
		memcpy(f->other, theirs.instance, sizeof f->other);
		memcpy(f->value, theirs.value, sizeof f->value);
		f->ours = transfer;
	}
}

/* --- the claims
 * -------------------------------------------------------------------------------------------- */

static void put_claim(const struct ours *ours, enum claim_kind kind, const char *value,
		      char ret_text[static CLAIM_TEXT_MAX])
{
	struct claim c = { .tag = ours->tag, .kind = kind };
	(void)snprintf(c.instance, sizeof c.instance, "%s", ours->c->suffix); /* of the same size */
	(void)snprintf(c.value, sizeof c.value, "%s", value);                 /* fits */
	claim_write(&c, ret_text);
}

static int hold(struct claims *claims, const struct ours *ours, const struct claims_place *place)
{
	const struct config *c = ours->c;
	char texts[CLAIMS_MAX][CLAIM_TEXT_MAX], prefix[PREFIX6_STRLEN];
	size_t n = 0;
	put_claim(ours, CLAIM_NAME, c->suffix, texts[n++]);
	put_claim(ours, CLAIM_POOL, prefix6_format(&c->pd_pool, prefix), texts[n++]);
	for (size_t i = 0; i < c->n_transfers; i++)
		put_claim(ours, CLAIM_TRANSFER, prefix6_format(&c->transfers[i], prefix),
			  texts[n++]);
	/* Then those that may be held elsewhere. */
	size_t nic = n++, tunnel = n;
	put_claim(ours, CLAIM_NIC, ours->nic, texts[nic]);
	put_claim(ours, CLAIM_TUNNEL, c->tunnel, texts[tunnel]);
	const char(*all)[CLAIM_TEXT_MAX] = (const char(*)[CLAIM_TEXT_MAX])texts;
	int r = claim_hold(place->ns, all, nic, claims->fds);
	if (r == 0)
		r = claim_hold(place->nic_ns, all + nic, 1, &claims->fds[nic]);
	if (r == 0 && c->backend != WG_BACKEND_NONE)
		r = claim_hold(-1, all + tunnel, 1, &claims->fds[tunnel]);
	return r;
}

/* How many conflicts there are. */
static int look(struct look *l, const struct claims_place *place)
{
	enum { HOST, NIC, OWN, PLACES };
	const int at[PLACES] = { place->ns, place->nic_ns, -1 };
	unsigned here[PLACES] = { ~(1U << CLAIM_NIC | 1U << CLAIM_TUNNEL), 1U << CLAIM_NIC,
				  1U << CLAIM_TUNNEL };
	memset(l->found, 0, sizeof l->found);
	for (size_t i = 0; i < PLACES; i++) {
		/* Each namespace once. */
		for (size_t k = i + 1; k < PLACES; k++)
			if (at[k] == at[i]) {
				here[i] |= here[k];
				here[k] = 0;
			}
		l->here = here[i];
		int r = here[i] ? claim_list(at[i], CLAIM_TEXT_BEGIN, on_claim, l) : 0;
		if (r < 0)
			return r;
	}
	int n = 0;
	for (enum claim_kind k = 0; k < CLAIM_KINDS; k++)
		n += l->found[k].other[0] != '\0';
	return n;
}

/* --- STATE_DIR
 * -------------------------------------------------------------------------------------------- */

/* 0: it is ours, or there is nothing that could be shared; 1: somebody has it. */
static int lock_state(struct claims *claims, const struct config *c, bool keep,
		      char ret_other[static CONFIG_SUFFIX_MAX + 1])
{
	char path[CONFIG_PATH_MAX + 8];
	(void)snprintf(path, sizeof path, "%s/lock", c->state_dir); /* fits */
	/* For reading: a file that is open for writing would keep the volume from being mounted
	 * read-only. */
	AUTO_CLOSE int fd = file_open(path, O_RDONLY | (keep ? O_CREAT : 0) | O_NOFOLLOW);
	if (fd < 0) {
		/* There is no such directory, or nobody can write there: nothing to share. */
		if (fd != -ENOENT && fd != -EROFS)
			log_warn("boot",
				 "STATE_DIR cannot be locked against another instance, going on",
				 kv_str("path", path), kv_str("error", file_why(fd)));
		return 0;
	}
	if (flock(fd, (keep ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK) {
			log_warn("boot",
				 "STATE_DIR cannot be locked against another instance, going on",
				 kv_str("path", path), kv_errno(errno));
			return 0;
		}
		char name[CONFIG_SUFFIX_MAX + 1] = "";
		ssize_t n = pread(fd, name, sizeof name - 1, 0);
		name[n > 0 ? n : 0] = '\0';
		name[strspn(name,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] =
			'\0';
		memcpy(ret_other, name, sizeof name);
		return 1;
	}
	if (!keep)
		return 0;
	/* For the message that somebody else gets: without it that only says less. */
	AUTO_CLOSE int name_fd = file_open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW);
	if (name_fd >= 0)
		(void)!write(name_fd, c->suffix, strlen(c->suffix));
	claims->lock_fd = take_fd(&fd);
	return 0;
}

/* --- telling
 * -------------------------------------------------------------------------------------------- */

static int tell_all(const struct look *l, const char *lock_other, bool locked,
		    void (*tell)(void *ctx, const char *sentence), void *ctx)
{
	const struct config *c = l->ours->c;
	const struct conflict *f = l->found;
	char s[SENTENCE_MAX], ours[PREFIX6_STRLEN];
	if (f[CLAIM_NAME].other[0]) {
		/* All the rest is in its hands as well: one line says enough. */
		(void)snprintf(s, sizeof s,
			       "WIREGUARD_INTERFACE_SUFFIX=%s: the instance %s is running on this "
			       "host already. Stop it, or give this one another name",
			       c->suffix, f[CLAIM_NAME].other);
		tell(ctx, s);
		return 1;
	}
	int n = 0;
	if (f[CLAIM_NIC].other[0]) {
		(void)snprintf(s, sizeof s,
			       "SUBSCRIBER_INTERFACE=%s: the instance %s has this NIC. Stop it, or "
			       "give this one another NIC",
			       c->subscriber, f[CLAIM_NIC].other);
		tell(ctx, s);
		n++;
	}
	if (f[CLAIM_TUNNEL].other[0]) {
		(void)snprintf(
			s, sizeof s,
			"this network namespace: the instance %s has its tunnel %s in it, and "
			"with it the default route. Start %s with a namespace of its own "
			"(--network none), or without a tunnel (WIREGUARD_BACKEND=none)",
			f[CLAIM_TUNNEL].other, f[CLAIM_TUNNEL].value, c->suffix);
		tell(ctx, s);
		n++;
	}
	static const enum claim_kind prefixes[] = { CLAIM_POOL, CLAIM_TRANSFER };
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		enum claim_kind k = prefixes[i];
		if (!f[k].other[0])
			continue;
		(void)snprintf(s, sizeof s,
			       "%s=%s overlaps %s, which the instance %s on this host hands out. "
			       "Every instance needs prefixes of its own (ASSIGNED_PREFIX)",
			       k == CLAIM_POOL ? "DHCPV6_PD_PREFIX" : "TRANSFER_PREFIX",
			       prefix6_format(k == CLAIM_POOL ? &c->pd_pool : &f[k].ours, ours),
			       f[k].value, f[k].other);
		tell(ctx, s);
		n++;
	}
	if (locked) {
		(void)snprintf(s, sizeof s,
			       "STATE_DIR=%s: %s%s keeps its leases there. Give every instance a "
			       "volume of its own",
			       c->state_dir, lock_other[0] ? "the instance " : "another instance",
			       lock_other);
		tell(ctx, s);
		n++;
	}
	return n;
}

/* --- both
 * -------------------------------------------------------------------------------------------- */

int claims_take(struct claims *ret_claims, const struct config *c, const struct claims_place *place,
		bool keep, void (*tell)(void *ctx, const char *sentence), void *ctx)
{
	struct ours ours = { .c = c };
	claim_describe_nic(c, place->nic, ours.nic);
	for (int attempt = 0;; attempt++) {
		if (getrandom(&ours.tag, sizeof ours.tag, 0) != sizeof ours.tag)
			return -EAGAIN;
		struct claims claims = CLAIMS_NONE;
		struct look l = { .ours = &ours };
		char lock_other[CONFIG_SUFFIX_MAX + 1] = "";
		/* Held first and looked around then: of two that start together at least one sees
		 * the other. */
		int r = keep ? hold(&claims, &ours, place) : 0;
		if (r == 0)
			r = look(&l, place);
		bool locked = (r >= 0 || r == -ENOENT) && lock_state(&claims, c, keep, lock_other);
		if ((r == 0 || r == -ENOENT) && !locked) {
			*ret_claims = claims;
			return r;
		}
		claims_release(&claims);
		if (r < 0 && r != -ENOENT)
			return r;
		/* Both may have seen each other, or it is ending: once more, at a moment of our
		 * own. */
		if (attempt > 0)
			return tell_all(&l, lock_other, locked, tell, ctx);
		const struct timespec pause = { .tv_nsec = (RETRY_MIN_MS + ours.tag % 128) *
							   1000000L };
		(void)nanosleep(&pause, NULL); /* a shorter one only looks earlier */
	}
}

void claims_release(struct claims *c)
{
	for (size_t i = 0; i < CLAIMS_MAX; i++)
		if (c->fds[i] >= 0)
			(void)close(take_fd(&c->fds[i])); /* a name is all that it held */
	if (c->lock_fd >= 0)
		(void)close(take_fd(&c->lock_fd)); /* likewise */
}
