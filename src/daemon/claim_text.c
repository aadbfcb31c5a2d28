/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/claim_text.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PARTS = 5, TAG_CHARS = 8 };

static const char *const kind_names[CLAIM_KINDS] = { "name", "nic", "tunnel", "pool", "transfer" };

void claim_write(const struct claim *c, char ret_text[static CLAIM_TEXT_MAX])
{
	(void)snprintf(ret_text, CLAIM_TEXT_MAX,
		       CLAIM_TEXT_BEGIN "%s/%08" PRIx32 "/%s/%s", /* fits */
		       c->instance, c->tag, kind_names[c->kind], c->value);
}

static int read_tag(const char *text, uint32_t *ret_tag)
{
	uint32_t tag = 0;
	size_t n = 0;
	for (; text[n] && n < TAG_CHARS; n++) {
		static const char digits[] = "0123456789abcdef";
		const char *at = strchr(digits, text[n]);
		if (!at)
			return -EBADMSG;
		tag = tag << 4 | (uint32_t)(at - digits);
	}
	if (n < TAG_CHARS || text[n])
		return -EBADMSG;
	*ret_tag = tag;
	return 0;
}

int claim_read(const char *text, struct claim *ret_claim)
{
	struct claim c = { .kind = CLAIM_KINDS };
	char copy[CLAIM_TEXT_MAX], *rest = copy, *part[PARTS];
	size_t len = strnlen(text, CLAIM_TEXT_MAX), begin = sizeof CLAIM_TEXT_BEGIN - 1;
	if (len == CLAIM_TEXT_MAX || strncmp(text, CLAIM_TEXT_BEGIN, begin) != 0)
		return -EBADMSG;
	memcpy(copy, text, len + 1);
	for (size_t i = 0; i < PARTS; i++)
		part[i] = i + 1 < PARTS ? strsep(&rest, "/") : rest;
	if (!part[PARTS - 1] || !part[1][0] || strlen(part[1]) >= sizeof c.instance ||
	    strlen(part[4]) >= sizeof c.value || read_tag(part[2], &c.tag) < 0)
		return -EBADMSG;
	for (enum claim_kind k = 0; k < CLAIM_KINDS; k++)
		if (strcmp(part[3], kind_names[k]) == 0)
			c.kind = k;
	if (c.kind == CLAIM_KINDS)
		return -EBADMSG;
	if ((c.kind == CLAIM_POOL || c.kind == CLAIM_TRANSFER) &&
	    prefix6_parse(part[4], -1, &c.prefix) < 0)
		return -EBADMSG;
	memcpy(c.instance, part[1], strlen(part[1]) + 1);
	memcpy(c.value, part[4], strlen(part[4]) + 1);
	*ret_claim = c;
	return 0;
}

void claim_describe_nic(const struct config *c, const char *name,
			char ret_value[static CLAIM_VALUE_MAX])
{
	if (c->subscriber_mode == SUBSCRIBER_VLAN)
		(void)snprintf(ret_value, CLAIM_VALUE_MAX, "%s|vlan%u", name,
			       c->vlan_id); /* fits */
	else
		(void)snprintf(ret_value, CLAIM_VALUE_MAX, "%s%s", name, /* likewise */
			       c->subscriber_mode == SUBSCRIBER_MACVLAN ? "|macvlan" : "");
}

/* One who has all of a NIC is in everybody's way; macvlans share it, as VLANs of different numbers
 * do. */
static bool nics_collide(const char *a, const char *b)
{
	size_t len_a = strcspn(a, "|"), len_b = strcspn(b, "|");
	if (len_a != len_b || strncmp(a, b, len_a) != 0)
		return false;
	if (!a[len_a] || !b[len_b])
		return true;
	return strcmp(a, b) == 0 && strcmp(a + len_a, "|macvlan") != 0;
}

unsigned claim_collides(const struct claim *theirs, const struct config *c, const char *our_nic,
			struct prefix6 *ret_transfer)
{
	unsigned found = 0;
	switch (theirs->kind) {
	case CLAIM_NAME:
		return strcmp(theirs->value, c->suffix) == 0 ? 1U << CLAIM_NAME : 0;
	case CLAIM_NIC:
		return nics_collide(theirs->value, our_nic) ? 1U << CLAIM_NIC : 0;
	case CLAIM_TUNNEL:
		return c->backend != WG_BACKEND_NONE ? 1U << CLAIM_TUNNEL : 0;
	default:
		break;
	}
	if (prefix6_overlaps(&theirs->prefix, &c->pd_pool))
		found |= 1U << CLAIM_POOL;
	for (size_t i = 0; i < c->n_transfers; i++)
		if (prefix6_overlaps(&theirs->prefix, &c->transfers[i])) {
			found |= 1U << CLAIM_TRANSFER;
			*ret_transfer = c->transfers[i];
		}
	return found;
}
