/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/duid.h"

#include "base/buf.h"

#include <errno.h>
#include <string.h>

/* RFC 9915 §11.2, §11.4 and RFC 6355 §4 */
enum { DUID_LLT = 1, DUID_LL = 3, DUID_UUID = 4, HWTYPE_ETHERNET = 1, UUID_LEN = 16, MAC_LEN = 6 };

bool duid_equal(const struct duid *a, const struct duid *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const char *duid_format(const uint8_t *bytes, size_t len, char buf[static DUID_STRLEN])
{
	static const char hex[] = "0123456789abcdef";
	char *at = buf;
	if (len > DUID_MAX)
		len = DUID_MAX;
	for (size_t i = 0; i < len; i++) {
		if (i > 0)
			*at++ = ':';
		*at++ = hex[bytes[i] >> 4];
		*at++ = hex[bytes[i] & 15];
	}
	*at = '\0';
	return buf;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

int duid_parse(const char *text, struct duid *ret_duid)
{
	struct duid d = { 0 };
	while (*text) {
		if (d.len > 0 && *text == ':')
			text++;
		int high = hex_digit(text[0]);
		int low = high < 0 ? high : hex_digit(text[1]);
		if (low < 0 || d.len == DUID_MAX)
			return -EINVAL;
		d.bytes[d.len++] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (d.len == 0)
		return -EINVAL;
	*ret_duid = d;
	return 0;
}

struct duid duid_from_uuid(const uint8_t uuid[static 16])
{
	struct duid d = { 0 };
	struct wr w = wr_of(d.bytes, sizeof d.bytes);
	wr_be16(&w, DUID_UUID);
	wr_bytes(&w, uuid, UUID_LEN);
	d.len = (uint8_t)wr_len(&w);
	return d;
}

bool duid_ethernet(const uint8_t *bytes, size_t len, uint8_t ret_mac[static 6])
{
	struct rd r = rd_of(bytes, len);
	uint16_t type = rd_be16(&r);
	uint16_t hwtype = rd_be16(&r);
	if (type == DUID_LLT)
		(void)rd_be32(&r); /* the time of its making */
	else if (type != DUID_LL)
		return false;
	if (r.bad || hwtype != HWTYPE_ETHERNET || rd_left(&r) != MAC_LEN)
		return false;
	rd_bytes(&r, ret_mac, MAC_LEN);
	return true;
}
