/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that can be read can be written, and is the same bytes again. Read both as a whole and as
 * a partial one. */
#include "fuzz/fuzz.h"
#include "wire/dnsname.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[DNSNAME_STRLEN];
	char again[DNSNAME_STRLEN];
	uint8_t out[DNSNAME_STRLEN];
	for (int partial = 0; partial < 2; partial++) {
		struct rd r = rd_of(data, size);
		if (dnsname_get(&r, partial != 0, text) < 0)
			continue;
		FUZZ_CHECK(!r.bad);
		FUZZ_CHECK(strlen(text) <= 253);
		if (text[0] == '\0')
			continue; /* the root, which has no text */
		FUZZ_CHECK(dnsname_valid(text));
		struct wr w = wr_of(out, sizeof out);
		dnsname_put(&w, text);
		FUZZ_CHECK(!w.full);
		size_t taken = size - rd_left(&r);
		FUZZ_CHECK(wr_len(&w) == taken || (partial && wr_len(&w) == taken + 1));
		FUZZ_CHECK(memcmp(out, data, taken) == 0);
		struct rd back = rd_of(out, wr_len(&w));
		FUZZ_CHECK(dnsname_get(&back, false, again) == 0);
		FUZZ_CHECK(strcmp(text, again) == 0);
	}
	return 0;
}
