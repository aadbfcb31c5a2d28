/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/nic_note.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- to text
 * -------------------------------------------------------------------------------------------- */

static json_t *bytes_json(const uint8_t *bytes, size_t len)
{
	char hex[2 * 16 + 1] = "";
	for (size_t i = 0; i < len && i < 16; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]); /* fits */
	return json_string(hex);
}

static json_t *label_json(const char *label)
{
	json_t *text = json_string(label);
	return text ? text : json_string("");
}

static json_t *addr_json(const struct link_addr *a)
{
	return json_pack("{s:i, s:o, s:o, s:i, s:i, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "family",
			 a->family, "addr", bytes_json(a->addr, sizeof a->addr), "peer",
			 bytes_json(a->peer, sizeof a->peer), "plen", (int)a->plen, "scope",
			 (int)a->scope, "flags", (json_int_t)a->flags, "preferred",
			 (json_int_t)a->preferred_lft_s, "valid", (json_int_t)a->valid_lft_s,
			 "label", label_json(a->label), "broadcast",
			 bytes_json(a->broadcast, sizeof a->broadcast), "metric",
			 (json_int_t)a->rt_priority, "seen", (json_int_t)a->seen_at_ms);
}

int nic_note_format(const struct nic_note *n, char **ret_text)
{
	json_t *name = json_string(n->name);
	if (!name)
		return -EILSEQ;
	json_t *addrs = json_array();
	int r = 0;
	for (size_t i = 0; i < n->n_addrs && r == 0; i++)
		r = json_array_append_new(addrs, addr_json(&n->addrs[i])) < 0 ? -ENOMEM : 0;
	json_t *note = json_pack("{s:o, s:s, s:o, s:b, s:i, s:o}", "name", name, "boot", n->boot,
				 "lladdr", bytes_json(n->lladdr, n->lladdr_len), "up", (int)n->up,
				 "addr_gen_mode", n->addr_gen_mode, "addrs", addrs);
	char *text = r == 0 && note ? json_dumps(note, JSON_COMPACT) : NULL;
	json_decref(note);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

/* --- from text
 * -------------------------------------------------------------------------------------------- */

/* Missing is 0. */
static uint64_t number(const json_t *o, const char *key, uint64_t max, bool *bad)
{
	const json_t *v = json_object_get(o, key);
	if (!v)
		return 0;
	json_int_t n = json_integer_value(v);
	*bad = *bad || !json_is_integer(v) || n < 0 || (uint64_t)n > max;
	return (uint64_t)n;
}

/* 16 where it is no digit. */
static unsigned digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (unsigned)(at - digits) : 16;
}

/* How many they are; missing is none. */
static size_t bytes(const json_t *o, const char *key, uint8_t *ret_bytes, size_t max, bool *bad)
{
	const json_t *v = json_object_get(o, key);
	const char *hex = json_string_value(v);
	size_t len = json_string_length(v);
	if (!v)
		return 0;
	if (!hex || len % 2 || len / 2 > max) {
		*bad = true;
		return 0;
	}
	for (size_t i = 0; i < len / 2; i++) {
		unsigned high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
		*bad = *bad || high > 15 || low > 15;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return len / 2;
}

/* All of them, or none where it is missing. */
static void exact_bytes(const json_t *o, const char *key, uint8_t *ret_bytes, size_t len, bool *bad)
{
	size_t n = bytes(o, key, ret_bytes, len, bad);
	*bad = *bad || (n != 0 && n != len);
}

static void text(const json_t *o, const char *key, char *ret_text, size_t size, bool *bad)
{
	const json_t *v = json_object_get(o, key);
	const char *value = json_string_value(v);
	size_t len = json_string_length(v);
	if (!v)
		return;
	if (!value || len >= size || strlen(value) != len)
		*bad = true;
	else
		memcpy(ret_text, value, len + 1);
}

static struct link_addr addr_of(const json_t *o, bool *bad)
{
	struct link_addr a = { 0 };
	*bad = *bad || !json_is_object(o);
	a.family = (int)number(o, "family", AF_MAX, bad);
	*bad = *bad || (a.family != AF_INET && a.family != AF_INET6);
	a.plen = (uint8_t)number(o, "plen", a.family == AF_INET ? 32 : 128, bad);
	a.scope = (uint8_t)number(o, "scope", UINT8_MAX, bad);
	a.flags = (uint32_t)number(o, "flags", UINT32_MAX, bad);
	a.preferred_lft_s = (uint32_t)number(o, "preferred", UINT32_MAX, bad);
	a.valid_lft_s = (uint32_t)number(o, "valid", UINT32_MAX, bad);
	a.rt_priority = (uint32_t)number(o, "metric", UINT32_MAX, bad);
	a.seen_at_ms = number(o, "seen", INT64_MAX, bad);
	exact_bytes(o, "addr", a.addr, sizeof a.addr, bad);
	exact_bytes(o, "peer", a.peer, sizeof a.peer, bad);
	exact_bytes(o, "broadcast", a.broadcast, sizeof a.broadcast, bad);
	text(o, "label", a.label, sizeof a.label, bad);
	return a;
}

static void read_addrs(const json_t *addrs, struct nic_note *n, bool *bad)
{
	size_t i;
	const json_t *o;
	*bad = *bad || (addrs && !json_is_array(addrs)) || json_array_size(addrs) > NIC_MAX_ADDRS;
	if (*bad)
		return;
	json_array_foreach(addrs, i, o) n->addrs[n->n_addrs++] = addr_of(o, bad);
}

int nic_note_parse(const char *note, size_t len, struct nic_note *ret_note)
{
	if (len > NIC_NOTE_MAX)
		return -EBADMSG;
	json_t *o = json_loadb(note, len, 0, NULL);
	const json_t *mode = json_object_get(o, "addr_gen_mode"), *up = json_object_get(o, "up");
	struct nic_note n = { .addr_gen_mode = -1, .up = json_is_true(up) };
	bool bad = !json_is_object(o) || (up && !json_is_boolean(up));
	text(o, "name", n.name, sizeof n.name, &bad);
	text(o, "boot", n.boot, sizeof n.boot, &bad);
	n.lladdr_len = (uint8_t)bytes(o, "lladdr", n.lladdr, sizeof n.lladdr, &bad);
	if (mode && !(json_is_integer(mode) && json_integer_value(mode) == -1))
		n.addr_gen_mode = (int)number(o, "addr_gen_mode", UINT8_MAX, &bad);
	read_addrs(json_object_get(o, "addrs"), &n, &bad);
	json_decref(o);
	if (bad)
		return -EBADMSG;
	*ret_note = n;
	return 0;
}
