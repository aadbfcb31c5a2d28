/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_wgconf.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum section { NOWHERE, INTERFACE, PEER };

enum { SETTING_NAME_MAX = sizeof "PersistentKeepalive" - 1 };

static const struct {
	enum section section;
	const char *key;
	const char *variable; /* NULL: known, and of no use to us */
} settings[] = {
	{ INTERFACE, "PrivateKey", "WIREGUARD_PRIVATE_KEY" },
	{ INTERFACE, "Address", "WIREGUARD_ADDRESS" },
	{ INTERFACE, "ListenPort", "WIREGUARD_LISTEN_PORT" },
	{ INTERFACE, "MTU", "WIREGUARD_MTU" },
	{ INTERFACE, "DNS", NULL },
	{ INTERFACE, "Table", NULL },
	{ INTERFACE, "FwMark", NULL },
	{ INTERFACE, "SaveConfig", NULL },
	{ INTERFACE, "PreUp", NULL },
	{ INTERFACE, "PostUp", NULL },
	{ INTERFACE, "PreDown", NULL },
	{ INTERFACE, "PostDown", NULL },
	{ PEER, "PublicKey", "WIREGUARD_PEER" },
	{ PEER, "PresharedKey", "WIREGUARD_PRESHARED_KEY" },
	{ PEER, "Endpoint", "WIREGUARD_ENDPOINT" },
	{ PEER, "AllowedIPs", "WIREGUARD_ALLOWED_IPS" },
	{ PEER, "PersistentKeepalive", "WIREGUARD_KEEPALIVE" },
};

struct conf {
	const char *file;
	unsigned line;
	enum section section;
	unsigned peers;
	void (*on_value)(void *ctx, const char *variable, const char *value, const char *file,
			 unsigned line);
	void (*on_note)(void *ctx, bool is_fault, const char *text);
	void *ctx;
};

__attribute__((format(printf, 3, 4))) static void tell(const struct conf *c, bool is_fault,
						       const char *fmt, ...)
{
	char what[256], text[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args); /* cut where it is longer */
	va_end(args);
	snprintf(text, sizeof text, "%.200s line %u: %s", c->file, c->line, what);
	c->on_note(c->ctx, is_fault, text);
}

static char *trimmed(char *text)
{
	text += strspn(text, " \t\r");
	size_t n = strlen(text);
	while (n > 0 && strchr(" \t\r", text[n - 1]))
		text[--n] = '\0';
	return text;
}

/* A tunnel's address list may name IPv4 as well: we are IPv6 only. */
static void take_address(const struct conf *c, char *value)
{
	unsigned taken = 0;
	for (char *item; (item = strsep(&value, ","));) {
		item = trimmed(item);
		if (!*item)
			continue;
		if (!strchr(item, ':'))
			tell(c, false,
			     "the IPv4 address %.40s is passed over, this access network is IPv6 "
			     "only",
			     item);
		else if (taken++)
			tell(c, false,
			     "the further address %.60s is passed over, the tunnel has one", item);
		else
			c->on_value(c->ctx, "WIREGUARD_ADDRESS", item, c->file, c->line);
	}
}

static bool is_setting(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (strcasecmp(settings[i].key, key) == 0)
			return true;
	return false;
}

static void take_setting(const struct conf *c, const char *key, char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (settings[i].section != c->section || strcasecmp(settings[i].key, key) != 0)
			continue;
		if (!settings[i].variable)
			tell(c, false, "%s is passed over", settings[i].key);
		else if (strcasecmp(key, "Address") == 0)
			take_address(c, value);
		else if (strcasecmp(key, "PersistentKeepalive") == 0 &&
			 strcasecmp(value, "off") == 0)
			c->on_value(c->ctx, settings[i].variable, "0", c->file, c->line);
		else
			c->on_value(c->ctx, settings[i].variable, value, c->file, c->line);
		return;
	}
	tell(c, true, "'%s' is no setting of [%s]", key, c->section == PEER ? "Peer" : "Interface");
}

/*
 * Whether something before a '=' can be a setting's name. A key that has slipped into a line of its
 * own also ends in one: it is longer than all names, and nothing stands behind it.
 */
static bool can_be_name(const char *key, const char *value)
{
	size_t letters = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return letters > 0 && letters <= SETTING_NAME_MAX && !key[letters] && *value &&
	       *value != '=';
}

static void take_line(struct conf *c, char *line)
{
	line[strcspn(line, "#;")] = '\0';
	line = trimmed(line);
	if (!*line)
		return;
	if (strcasecmp(line, "[Interface]") == 0) {
		c->section = INTERFACE;
		return;
	}
	if (strcasecmp(line, "[Peer]") == 0) {
		c->section = PEER;
		if (++c->peers > 1)
			tell(c, true,
			     "a second [Peer]: the tunnel has one provider at its other end");
		return;
	}
	char *equals = strchr(line, '='), *value = equals;
	if (equals) {
		*equals = '\0';
		value = trimmed(equals + 1);
		line = trimmed(line);
	}
	bool known = equals && is_setting(line);
	if (line[0] == '[' || !equals || !(known || can_be_name(line, value))) {
		/* The line is not repeated: it may be half a key. */
		tell(c, true, "%s",
		     line[0] == '[' ? "an unknown section; there are [Interface] and [Peer]"
				    : "neither a section nor KEY = VALUE");
		return;
	}
	if (c->section == NOWHERE)
		tell(c, true, "%s stands before the first section", line);
	else if (c->peers <= 1)
		take_setting(c, line, value);
}

void wgconf_read(const char *file, char *text,
		 void (*on_value)(void *ctx, const char *variable, const char *value,
				  const char *file, unsigned line),
		 void (*on_note)(void *ctx, bool is_fault, const char *text), void *ctx)
{
	struct conf c = { .file = file, .on_value = on_value, .on_note = on_note, .ctx = ctx };
	for (char *line; (line = strsep(&text, "\n"));) {
		c.line++;
		take_line(&c, line);
	}
}
