/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "wire/wgkey.h"

/* RFC 7748 §6.1 */
static const uint8_t alice_private[WGKEY_LEN] = {
	0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
	0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
	0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
};
static const uint8_t alice_public[WGKEY_LEN] = {
	0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d,
	0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38,
	0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a,
};
static const uint8_t bob_private[WGKEY_LEN] = {
	0x5d, 0xab, 0x08, 0x7e, 0x62, 0x4a, 0x8a, 0x4b, 0x79, 0xe1, 0x7f,
	0x8b, 0x83, 0x80, 0x0e, 0xe6, 0x6f, 0x3b, 0xb1, 0x29, 0x26, 0x18,
	0xb6, 0xfd, 0x1c, 0x2f, 0x8b, 0x27, 0xff, 0x88, 0xe0, 0xeb,
};
static const uint8_t bob_public[WGKEY_LEN] = {
	0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
	0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78,
	0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f,
};

static void public_keys_match_the_rfc(void **state)
{
	(void)state;
	uint8_t got[WGKEY_LEN];
	wgkey_public(alice_private, got);
	assert_memory_equal(got, alice_public, WGKEY_LEN);
	wgkey_public(bob_private, got);
	assert_memory_equal(got, bob_public, WGKEY_LEN);
	/* clamping changes bits that the function ignores */
	uint8_t clamped[WGKEY_LEN];
	memcpy(clamped, bob_private, WGKEY_LEN);
	wgkey_clamp(clamped);
	wgkey_public(clamped, got);
	assert_memory_equal(got, bob_public, WGKEY_LEN);
}

static void text_matches_another_codecs(void **state)
{
	(void)state;
	char text[WGKEY_STRLEN];
	uint8_t key[WGKEY_LEN];
	/* base64(1) of Alice's private key */
	wgkey_format(alice_private, text);
	assert_string_equal(text, "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=");
	assert_int_equal(wgkey_parse(text, key), 0);
	assert_memory_equal(key, alice_private, WGKEY_LEN);
	/* every character of the alphabet: 00 10 83 10 51 87 … is "ABCDEFGH…" */
	assert_int_equal(wgkey_parse("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopo=", key), 0);
	wgkey_format(key, text);
	assert_string_equal(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopo=");
	assert_int_equal(key[1], 0x10);
	assert_int_equal(wgkey_parse("qrstuvwxyz0123456789+/AAAAAAAAAAAAAAAAAAAAA=", key), 0);
	wgkey_format(key, text);
	assert_string_equal(text, "qrstuvwxyz0123456789+/AAAAAAAAAAAAAAAAAAAAA=");
}

static void every_byte_survives(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		uint8_t key[WGKEY_LEN];
		uint8_t back[WGKEY_LEN];
		char text[WGKEY_STRLEN];
		for (size_t i = 0; i < WGKEY_LEN; i++)
			key[i] = (uint8_t)(v + i * 37);
		wgkey_format(key, text);
		assert_int_equal(wgkey_parse(text, back), 0);
		assert_memory_equal(back, key, WGKEY_LEN);
	}
}

static void parsing_is_strict(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo", /* no padding */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n",
		" dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC=",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp=", /* bits behind the last byte */
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LC==",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCoo",
		"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqs-_7pR25LCo=", /* the URL's alphabet */
		"dwdtCnMYpX08=sFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
		"dwdtCnMYpX08\377sFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
	};
	uint8_t key[WGKEY_LEN];
	memset(key, 0x55, sizeof key);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(wgkey_parse(bad[i], key), -EINVAL);
		assert_int_equal(key[0], 0x55); /* untouched */
		assert_int_equal(key[WGKEY_LEN - 1], 0x55);
	}
}

/* The 64 characters and no other byte, in every place of a group. */
static void exactly_the_alphabet_is_read(void **state)
{
	(void)state;
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t at = 0; at < 4; at++) {
		for (int c = 1; c < 256; c++) {
			char text[WGKEY_STRLEN] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
			uint8_t key[WGKEY_LEN];
			text[at] = (char)c;
			const char *in = strchr(alphabet, c);
			assert_int_equal(wgkey_parse(text, key), in ? 0 : -EINVAL);
			if (in) {
				uint32_t group =
					(uint32_t)key[0] << 16 | (uint32_t)key[1] << 8 | key[2];
				assert_int_equal(group, (uint32_t)(in - alphabet) << (18 - 6 * at));
			}
		}
	}
}

static void clamps_as_wireguard_does(void **state)
{
	(void)state;
	uint8_t key[WGKEY_LEN];
	memset(key, 0xff, sizeof key);
	wgkey_clamp(key);
	assert_int_equal(key[0], 0xf8);
	assert_int_equal(key[1], 0xff);
	assert_int_equal(key[31], 0x7f);
	memset(key, 0, sizeof key);
	wgkey_clamp(key);
	assert_int_equal(key[0], 0);
	assert_int_equal(key[31], 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_keys_match_the_rfc),
		cmocka_unit_test(text_matches_another_codecs),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(parsing_is_strict),
		cmocka_unit_test(exactly_the_alphabet_is_read),
		cmocka_unit_test(clamps_as_wireguard_does),
	};
	return cmocka_run_group_tests_name("wgkey", tests, NULL, NULL);
}
