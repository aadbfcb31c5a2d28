/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STATE_DIR/nic, as a start after a crash finds it, and as we write it. Where the first byte is
 * odd, the rest is a NIC, whose note must read as what was noted; otherwise it is the text. That is
 * taken as a whole, and then is what a link can have and reads the same when it is written again;
 * or it changes nothing.
 */
#include "daemon/nic_note.h"
#include "fuzz/fuzz.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

static void check_bounds(const struct nic_note *n)
{
	FUZZ_CHECK(memchr(n->name, 0, sizeof n->name) && memchr(n->boot, 0, sizeof n->boot));
	FUZZ_CHECK(n->lladdr_len <= sizeof n->lladdr && n->n_addrs <= NIC_MAX_ADDRS);
	FUZZ_CHECK(n->addr_gen_mode >= -1 && n->addr_gen_mode <= UINT8_MAX);
	for (size_t i = 0; i < n->n_addrs; i++) {
		const struct link_addr *a = &n->addrs[i];
		FUZZ_CHECK(a->family == AF_INET || a->family == AF_INET6);
		FUZZ_CHECK(a->plen <= (a->family == AF_INET ? 32 : 128));
		FUZZ_CHECK(memchr(a->label, 0, sizeof a->label));
		FUZZ_CHECK(a->seen_at_ms <= INT64_MAX);
	}
}

static bool same_addr(const struct link_addr *a, const struct link_addr *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, sizeof a->addr) == 0 &&
	       memcmp(a->peer, b->peer, sizeof a->peer) == 0 && a->plen == b->plen &&
	       a->scope == b->scope && a->flags == b->flags &&
	       a->preferred_lft_s == b->preferred_lft_s && a->valid_lft_s == b->valid_lft_s &&
	       strcmp(a->label, b->label) == 0 &&
	       memcmp(a->broadcast, b->broadcast, sizeof a->broadcast) == 0 &&
	       a->rt_priority == b->rt_priority && a->seen_at_ms == b->seen_at_ms &&
	       a->origin == 0 && b->origin == 0;
}

static void check_comes_back(const struct nic_note *n)
{
	static struct nic_note again;
	char *text = NULL;
	FUZZ_CHECK(nic_note_format(n, &text) == 0);
	size_t len = strlen(text);
	FUZZ_CHECK(len <= NIC_NOTE_MAX && !strchr(text, '\n'));
	FUZZ_CHECK(nic_note_parse(text, len, &again) == 0);
	FUZZ_CHECK(strcmp(n->name, again.name) == 0 && strcmp(n->boot, again.boot) == 0);
	FUZZ_CHECK(n->lladdr_len == again.lladdr_len &&
		   memcmp(n->lladdr, again.lladdr, n->lladdr_len) == 0);
	FUZZ_CHECK(n->up == again.up && n->addr_gen_mode == again.addr_gen_mode);
	FUZZ_CHECK(n->n_addrs == again.n_addrs);
	for (size_t i = 0; i < n->n_addrs; i++)
		FUZZ_CHECK(same_addr(&n->addrs[i], &again.addrs[i]));
	/* Cut anywhere it is none, as of a disk that was full. */
	for (size_t cut = 0; cut < len; cut += 1 + len / 8)
		FUZZ_CHECK(nic_note_parse(text, cut, &again) == -EBADMSG);
	free(text);
}

struct input {
	const uint8_t *at, *end;
};

static void take(struct input *in, void *to, size_t len)
{
	size_t left = (size_t)(in->end - in->at);
	memset(to, 0, len);
	if (left > 0)
		memcpy(to, in->at, len < left ? len : left);
	in->at += len < left ? len : left;
}

static uint8_t take_byte(struct input *in)
{
	uint8_t b;
	take(in, &b, 1);
	return b;
}

/* What the kernel says of a link, and no more: names of links are bytes. */
static void take_link(struct input *in, struct nic_note *n)
{
	uint8_t flags = take_byte(in);
	memset(n, 0, sizeof *n);
	take(in, n->name, sizeof n->name - 1);
	take(in, n->lladdr, sizeof n->lladdr);
	memcpy(n->boot, "0f1e2d3c-0000-4000-8000-123456789abc", 37);
	n->lladdr_len = (flags & 7) == 7 ? 8 : flags & 7;
	n->up = flags & 8;
	n->addr_gen_mode = flags & 16 ? -1 : flags >> 5;
	while (in->at < in->end && n->n_addrs < NIC_MAX_ADDRS) {
		struct link_addr *a = &n->addrs[n->n_addrs++];
		uint8_t how = take_byte(in);
		a->family = how & 1 ? AF_INET6 : AF_INET;
		size_t len = how & 1 ? 16 : 4;
		take(in, a->addr, len);
		if (how & 2)
			take(in, a->peer, len);
		if (how & 4)
			take(in, a->label, sizeof a->label - 1);
		if (how & 8)
			take(in, a->broadcast, sizeof a->broadcast);
		a->plen = (uint8_t)(take_byte(in) % (how & 1 ? 129 : 33));
		a->scope = take_byte(in);
		take(in, &a->flags, sizeof a->flags);
		take(in, &a->preferred_lft_s, sizeof a->preferred_lft_s);
		take(in, &a->valid_lft_s, sizeof a->valid_lft_s);
		take(in, &a->rt_priority, sizeof a->rt_priority);
		take(in, &a->seen_at_ms, sizeof a->seen_at_ms);
		a->seen_at_ms &= INT64_MAX;
	}
}

/* A text of those bytes would do. */
static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void noted(struct input in)
{
	static struct nic_note n;
	take_link(&in, &n);
	bool plain = is_ascii(n.name);
	char *text = NULL;
	int r = nic_note_format(&n, &text);
	FUZZ_CHECK(r == 0 || (r == -EILSEQ && !plain));
	free(text);
	for (size_t i = 0; i < n.n_addrs; i++)
		if (!is_ascii(n.addrs[i].label))
			memset(n.addrs[i].label, 0, sizeof n.addrs[i].label);
	if (r == 0)
		check_comes_back(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nic_note n, untouched;
	if (size == 0)
		return 0;
	if (data[0] & 1) {
		noted((struct input){ data + 1, data + size });
		return 0;
	}
	memset(&untouched, 0xa5, sizeof untouched);
	n = untouched;
	int r = nic_note_parse((const char *)data + 1, size - 1, &n);
	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0) {
		FUZZ_CHECK(memcmp(&n, &untouched, sizeof n) == 0);
		return 0;
	}
	check_bounds(&n);
	check_comes_back(&n);
	return 0;
}
