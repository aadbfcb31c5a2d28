/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/request.h"

#include <errno.h>
#include <string.h>

static int read_selector(const char *what, struct control_selector *ret_which)
{
	struct control_selector which = { .all = strcmp(what, "all") == 0 };
	bool prefix = prefix6_parse(what, 128, &which.prefix) == 0 && which.prefix.plen;
	bool duid = duid_parse(what, &which.duid) == 0;
	if (!which.all && !prefix && !duid)
		return -EDOM;
	*ret_which = which;
	return 0;
}

int control_request_read(char *bytes, size_t len, struct control_asked *ret_asked)
{
	struct control_asked asked = { 0 };
	bytes[len] = '\0';
	bytes[strcspn(bytes, "\n")] = '\0';
	char *blank = strchr(bytes, ' ');
	size_t word_len = blank ? (size_t)(blank - bytes) : strlen(bytes);
	for (enum control_request r = 0; control_request_word(r); r++) {
		const char *word = control_request_word(r);
		if (strlen(word) != word_len || memcmp(word, bytes, word_len) != 0 ||
		    (blank != NULL) != (r == CONTROL_CLEAR))
			continue;
		asked.what = r;
		asked.argument = blank ? blank + 1 : NULL;
		int e = blank ? read_selector(asked.argument, &asked.which) : 0;
		if (e == 0)
			*ret_asked = asked;
		return e;
	}
	return -EINVAL;
}

bool control_selects(const struct control_selector *which, const struct binding *b)
{
	const struct prefix6 p = { b->addr, b->plen };
	return which->all || (which->prefix.plen && prefix6_contains(&which->prefix, &p)) ||
	       (which->duid.len && which->duid.len == b->duid_len &&
		memcmp(which->duid.bytes, binding_duid(b), b->duid_len) == 0);
}
