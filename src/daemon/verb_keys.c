/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/verb_keys.h"

#include "wire/wgkey.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

static bool no_arguments(const char *verb, int argc, char **argv)
{
	if (argc > 0)
		fprintf(stderr, "vbng %s: unknown argument '%s'. It takes none\n", verb, argv[0]);
	return argc == 0;
}

static int print_key(const uint8_t key[static WGKEY_LEN])
{
	char text[WGKEY_STRLEN];
	wgkey_format(key, text);
	bool printed = puts(text) >= 0 && fflush(stdout) == 0;
	int err = errno;
	explicit_bzero(text, sizeof text);
	if (!printed)
		fprintf(stderr, "vbng: the key cannot be written: %s\n", strerror(err));
	return printed ? 0 : EX_IOERR;
}

int verb_genkey(int argc, char **argv)
{
	uint8_t key[WGKEY_LEN];
	if (!no_arguments("genkey", argc, argv))
		return EX_USAGE;
	if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) {
		fprintf(stderr, "vbng genkey: the kernel gives no random bytes: %s\n",
			strerror(errno));
		return EX_OSERR;
	}
	wgkey_clamp(key);
	int code = print_key(key);
	explicit_bzero(key, sizeof key);
	return code;
}

int verb_pubkey(int argc, char **argv)
{
	char line[256];
	uint8_t key[WGKEY_LEN], public_key[WGKEY_LEN];
	if (!no_arguments("pubkey", argc, argv))
		return EX_USAGE;
	bool got = fgets(line, sizeof line, stdin) != NULL;
	if (got)
		line[strcspn(line, "\r\n \t")] = '\0';
	int r = got ? wgkey_parse(line, key) : -EINVAL;
	explicit_bzero(line, sizeof line);
	if (r < 0) {
		fprintf(stderr, "vbng pubkey: standard input holds no WireGuard private key (44 "
				"characters of base64). "
				"Example: vbng genkey | vbng pubkey\n");
		return EX_DATAERR;
	}
	wgkey_public(key, public_key);
	explicit_bzero(key, sizeof key);
	return print_key(public_key);
}
