/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people see of what subscribers said. The first byte chooses: the details of a binding as the
 * input, shown by `vbng leases` as JSON and as text; or a line of JSON as the input, as `vbng
 * status` and `vbng leases` read it from a server that may be anybody's by then. Nothing of it
 * reaches the terminal that the terminal would obey, and what a server that is still ours says of
 * a subscriber stays one line, without being disarmed.
 */
#include "fuzz/fuzz.h"
#include "control/render.h"

#include <stdbool.h>
#include <string.h>

enum { SHOWN_MAX = 1 << 18 };

static char shown[SHOWN_MAX];

static void check_shown(FILE *out, bool line)
{
	long n = ftell(out);
	FUZZ_CHECK(n > 0 && n < SHOWN_MAX - 1 && fclose(out) == 0);
	if (!line)
		render_disarm(shown, (size_t)n);
	for (long i = 0; i < n; i++) {
		unsigned char c = (unsigned char)shown[i], d = (unsigned char)shown[i + 1];
		FUZZ_CHECK((c >= 0x20 && c != 0x7f) || (c == '\n' && (!line || i == n - 1)));
		FUZZ_CHECK(c != 0xc2 || d >= 0xa0); /* the C1 block */
	}
	FUZZ_CHECK(shown[n - 1] == '\n');
}

static FILE *terminal(void)
{
	FILE *out = fmemopen(shown, sizeof shown, "w");
	FUZZ_CHECK(out);
	return out;
}

static void show_lease(const json_t *lease, bool honest)
{
	FILE *out = terminal();
	render_lease(lease, out);
	check_shown(out, honest);
}

static void binding(const uint8_t *data, size_t size)
{
	uint8_t how = size > 0 ? data[0] : 0;
	struct binding_record r = { .number = 1,
				    .kind = how & 1 ? BINDING_NA : BINDING_PD,
				    .state = (enum binding_state)(BINDING_BOUND + (how >> 1) % 3),
				    .duid = { .len = 10 },
				    .prefix = { .plen = 56 },
				    .valid_lft_s = how & 8 ? UINT32_MAX : 60,
				    .granted_at_ms = 1000,
				    .valid_until_ms = how & 8 ? UINT64_MAX : 61000,
				    .lladdr_len = how & 16 ? 6 : 0 };
	size_t len = size > 1 ? size - 1 : 0;
	r.details = data + 1;
	r.details_len = (uint16_t)(len < BINDING_DETAILS_MAX ? len : BINDING_DETAILS_MAX);
	if (len == 0)
		r.details = NULL;
	json_t *lease = lease_to_json(&r, 2000, UINT64_C(1800000000000));
	FUZZ_CHECK(lease);
	char *text = json_dumps(lease, JSON_COMPACT);
	FUZZ_CHECK(text && !strchr(text, '\n'));
	json_t *back = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(json_equal(lease, back));
	show_lease(back, true);
	free(text);
	json_decref(back);
	json_decref(lease);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1) {
		binding(data + 1, size - 1);
		return 0;
	}
	json_t *said = json_loadb((const char *)data + 1, size - 1, 0, NULL);
	if (!said)
		return 0;
	show_lease(said, false);
	FILE *out = terminal();
	render_status(said, out);
	check_shown(out, false);
	json_decref(said);
	return 0;
}
