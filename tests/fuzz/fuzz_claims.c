/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other instances say that they have, and need: names of abstract sockets. The first byte
 * chooses. As text: it is taken within bounds, the same again when it is written, or changes
 * nothing. As two configurations: each claim is read as it was written, and if one instance is in
 * the other's way, the other is in its way, too, for the reasons that stand in claim_text.h. As a
 * need: what a setting was comes back, and nothing else would ever be written into one.
 */
#include "daemon/claim_text.h"
#include "daemon/settings.h"
#include "fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

enum { TRANSFERS = 3 };

struct input {
	const uint8_t *at, *end;
};

static uint8_t take_byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* --- texts
 * -------------------------------------------------------------------------------------------- */

static void check_claim(const char *text)
{
	static struct claim c, again, untouched;
	char written[CLAIM_TEXT_MAX];
	memset(&untouched, 0xa5, sizeof untouched);
	c = untouched;
	int r = claim_read(text, &c);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0) {
		FUZZ_CHECK(memcmp(&c, &untouched, sizeof c) == 0);
		return;
	}
	FUZZ_CHECK(c.kind < CLAIM_KINDS && c.instance[0]);
	FUZZ_CHECK(memchr(c.instance, 0, sizeof c.instance) && memchr(c.value, 0, sizeof c.value));
	FUZZ_CHECK(c.prefix.plen <= 128);
	claim_write(&c, written);
	FUZZ_CHECK(strcmp(written, text) == 0);
	FUZZ_CHECK(claim_read(written, &again) == 0 && again.tag == c.tag);
	FUZZ_CHECK(prefix6_equal(&again.prefix, &c.prefix));
}

static bool is_number(const char *s)
{
	s += *s == '-';
	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9')
			return false;
	return *s != '\0';
}

static void check_need(const char *text, uint32_t tag)
{
	struct setting_need n = { 0 }, again = { 0 };
	char written[CLAIM_TEXT_MAX];
	int r = settings_need_read(text, tag, &n);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ESRCH);
	if (r < 0)
		return;
	FUZZ_CHECK(n.setting < settings_count());
	FUZZ_CHECK(n.before[0] == '\0' || is_number(n.before));
	FUZZ_CHECK(strcmp(n.before, settings_get(n.setting)->value) != 0);
	FUZZ_CHECK(settings_need_write(&n, ~tag, written) == 0);
	FUZZ_CHECK(strncmp(written, SETTINGS_NEED, strlen(SETTINGS_NEED)) == 0);
	FUZZ_CHECK(settings_need_read(written, ~tag, &again) == -ESRCH);
	FUZZ_CHECK(settings_need_read(written, tag, &again) == 0);
	FUZZ_CHECK(again.setting == n.setting && strcmp(again.before, n.before) == 0);
}

/* --- two instances
 * -------------------------------------------------------------------------------------------- */

static struct prefix6 take_prefix(struct input *in)
{
	struct prefix6 p = { .plen = (uint8_t)(32 + take_byte(in) % 33) };
	p.addr.s6_addr[0] = 0x20;
	for (size_t i = 4; i < 8; i++)
		p.addr.s6_addr[i] = take_byte(in);
	return prefix6_masked(&p);
}

static void take_config(struct input *in, struct config *c, char nic[static CLAIM_VALUE_MAX])
{
	static const char *const nics[] = { "eth0", "eth1", "eth", "enp2s0f1np1.123" };
	static const enum subscriber_mode modes[] = { SUBSCRIBER_MOVE, SUBSCRIBER_LOCAL,
						      SUBSCRIBER_MACVLAN, SUBSCRIBER_VLAN };
	uint8_t how = take_byte(in);
	memset(c, 0, sizeof *c);
	c->suffix[0] = how & 1 ? 'a' : 'b';
	c->suffix[1] = how & 2 ? 'c' : '\0';
	c->subscriber_mode = modes[how >> 2 & 3];
	c->vlan_id = (uint16_t)(1 + (how >> 6));
	c->backend = c->suffix[1] ? WG_BACKEND_KERNEL : WG_BACKEND_NONE;
	memcpy(c->tunnel, "wg-x", 5);
	c->pd_pool = take_prefix(in);
	c->n_transfers = 1 + take_byte(in) % TRANSFERS;
	for (size_t i = 0; i < c->n_transfers; i++)
		c->transfers[i] = take_prefix(in);
	claim_describe_nic(c, nics[how >> 4 & 3], nic);
}

/* As the text of the claim would be read by the other one. */
static struct claim told(const struct config *c, enum claim_kind kind, const char *value)
{
	struct claim said = { .tag = 7, .kind = kind }, heard;
	char text[CLAIM_TEXT_MAX];
	memcpy(said.instance, c->suffix, sizeof said.instance);
	memcpy(said.value, value, strlen(value) + 1);
	claim_write(&said, text);
	FUZZ_CHECK(claim_read(text, &heard) == 0);
	FUZZ_CHECK(heard.tag == 7 && heard.kind == kind && strcmp(heard.value, value) == 0 &&
		   strcmp(heard.instance, c->suffix) == 0);
	return heard;
}

static unsigned in_the_way(const struct config *theirs, const char *their_nic,
			   const struct config *c, const char *nic)
{
	char prefix[PREFIX6_STRLEN];
	struct prefix6 transfer = { .plen = 129 };
	struct claim said = told(theirs, CLAIM_NAME, theirs->suffix);
	unsigned ways = claim_collides(&said, c, nic, &transfer);
	said = told(theirs, CLAIM_NIC, their_nic);
	ways |= claim_collides(&said, c, nic, &transfer);
	if (theirs->backend != WG_BACKEND_NONE) {
		said = told(theirs, CLAIM_TUNNEL, theirs->tunnel);
		ways |= claim_collides(&said, c, nic, &transfer);
	}
	said = told(theirs, CLAIM_POOL, prefix6_format(&theirs->pd_pool, prefix));
	ways |= claim_collides(&said, c, nic, &transfer);
	for (size_t i = 0; i < theirs->n_transfers; i++) {
		said = told(theirs, CLAIM_TRANSFER, prefix6_format(&theirs->transfers[i], prefix));
		ways |= claim_collides(&said, c, nic, &transfer);
	}
	FUZZ_CHECK((transfer.plen <= 128) == !!(ways & 1U << CLAIM_TRANSFER));
	return ways;
}

static bool overlap(const struct config *a, const struct config *b)
{
	bool found = false;
	for (size_t i = 0; i <= a->n_transfers; i++)
		for (size_t k = 0; k <= b->n_transfers; k++)
			found |= prefix6_overlaps(i ? &a->transfers[i - 1] : &a->pd_pool,
						  k ? &b->transfers[k - 1] : &b->pd_pool);
	return found;
}

static bool same_nic(const struct config *a, const char *nic_a, const struct config *b,
		     const char *nic_b)
{
	size_t len = strcspn(nic_a, "|");
	bool shared = a->subscriber_mode == b->subscriber_mode &&
		      (a->subscriber_mode == SUBSCRIBER_MACVLAN ||
		       (a->subscriber_mode == SUBSCRIBER_VLAN && a->vlan_id != b->vlan_id));
	bool upon_both = a->subscriber_mode >= SUBSCRIBER_MACVLAN &&
			 b->subscriber_mode >= SUBSCRIBER_MACVLAN;
	return len == strcspn(nic_b, "|") && strncmp(nic_a, nic_b, len) == 0 && !shared &&
	       (!upon_both || a->subscriber_mode == b->subscriber_mode);
}

static void check_pair(struct input in)
{
	static struct config a, b;
	char nic_a[CLAIM_VALUE_MAX], nic_b[CLAIM_VALUE_MAX];
	const unsigned prefixes = 1U << CLAIM_POOL | 1U << CLAIM_TRANSFER;
	take_config(&in, &a, nic_a);
	take_config(&in, &b, nic_b);
	unsigned ab = in_the_way(&a, nic_a, &b, nic_b), ba = in_the_way(&b, nic_b, &a, nic_a);
	FUZZ_CHECK(!(ab & prefixes) == !(ba & prefixes) && !(ab & prefixes) == !overlap(&a, &b));
	FUZZ_CHECK((ab & ~prefixes) == (ba & ~prefixes));
	FUZZ_CHECK(!(ab & 1U << CLAIM_NAME) == (strcmp(a.suffix, b.suffix) != 0));
	bool tunnels = a.backend != WG_BACKEND_NONE && b.backend != WG_BACKEND_NONE;
	FUZZ_CHECK(!(ab & 1U << CLAIM_TUNNEL) == !tunnels);
	FUZZ_CHECK(!(ab & 1U << CLAIM_NIC) == !same_nic(&a, nic_a, &b, nic_b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[2 * CLAIM_TEXT_MAX];
	if (size == 0)
		return 0;
	size_t len = size - 1 < sizeof text - 1 ? size - 1 : sizeof text - 1;
	if (data[0] % 3 == 0) {
		check_pair((struct input){ data + 1, data + size });
		return 0;
	}
	if (len > 0)
		memcpy(text, data + 1, len);
	text[len] = '\0';
	if (data[0] % 3 == 1)
		check_claim(text);
	else if (strncmp(text, SETTINGS_NEED, strlen(SETTINGS_NEED)) == 0 &&
		 strlen(text) < CLAIM_TEXT_MAX) /* as claim_list() gives them */
		check_need(text, 0x01234567);
	return 0;
}
