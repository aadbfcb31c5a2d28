/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/endpoint.h"

enum { PORT = 51820, T0 = 1000000 };

static struct sockaddr_storage at(const char *address)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		memcpy(&s, &v4, sizeof v4);
	else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
		memcpy(&s, &v6, sizeof v6);
	else
		fail_msg("no address: %s", address);
	return s;
}

static struct resolver_answer found(uint32_t ttl_s, const char *first, const char *second)
{
	struct resolver_answer a = { .verdict = RESOLVER_FOUND, .ttl_s = ttl_s };
	const char *const texts[] = { first, second };
	for (size_t i = 0; i < 2 && texts[i]; i++) {
		a.addrs[i].family = strchr(texts[i], ':') ? AF_INET6 : AF_INET;
		assert_int_equal(inet_pton(a.addrs[i].family, texts[i], &a.addrs[i].v6), 1);
		a.n++;
	}
	return a;
}

static void assert_current(const struct endpoint *e, const char *text)
{
	char buf[ENDPOINT_STRLEN];
	assert_true(e->has_current);
	assert_string_equal(endpoint_format(&e->current, buf), text);
}

static struct endpoint of_a_name(void)
{
	struct endpoint e;
	endpoint_init(&e, NULL, PORT, T0);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_ASK);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_WAIT);
	return e;
}

static void an_answer_is_used_at_once(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	assert_int_equal(endpoint_deadline(&e), UINT64_MAX);
	struct resolver_answer a = found(300, "2001:db8::1", "192.0.2.1");
	assert_true(endpoint_answer(&e, T0 + 50, &a));
	assert_int_equal(endpoint_next(&e, T0 + 50), ENDPOINT_SET);
	assert_current(&e, "[2001:db8::1]:51820");
	assert_int_equal(endpoint_next(&e, T0 + 50), ENDPOINT_WAIT);
}

static void without_an_answer_the_pauses_grow_to_a_minute(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	const struct resolver_answer none = { .verdict = RESOLVER_NO_ANSWER };
	uint64_t now = T0;
	static const unsigned pauses_s[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	for (size_t i = 0; i < 8; i++) {
		assert_false(endpoint_answer(&e, now, &none));
		assert_int_equal(endpoint_deadline(&e), now + pauses_s[i] * 1000);
		assert_int_equal(endpoint_next(&e, now + pauses_s[i] * 1000 - 1), ENDPOINT_WAIT);
		now += pauses_s[i] * 1000;
		assert_int_equal(endpoint_next(&e, now), ENDPOINT_ASK);
	}
	/* The cable is plugged in. */
	assert_false(endpoint_answer(&e, now, &none));
	endpoint_network_changed(&e, now + 10);
	assert_int_equal(endpoint_next(&e, now + 10), ENDPOINT_ASK);
}

static void addresses_are_tried_by_turns_and_ever_longer(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(3600, "2001:db8::1", "192.0.2.1");
	uint64_t now = T0, begun[8];
	(void)endpoint_answer(&e, now, &a);
	for (size_t i = 0; i < 8;) {
		enum endpoint_action next = endpoint_next(&e, now);
		if (next == ENDPOINT_SET) {
			assert_current(&e, i % 2 ? "192.0.2.1:51820" : "[2001:db8::1]:51820");
			begun[i++] = now;
		} else if (next == ENDPOINT_ASK) {
			assert_false(endpoint_answer(&e, now, &a));
		} else {
			now = endpoint_deadline(&e);
		}
	}
	assert_int_equal(begun[1] - begun[0], 4000);
	assert_int_equal(begun[2] - begun[1], 4000);
	assert_int_equal(begun[3] - begun[2], 8000);
	assert_int_equal(begun[7] - begun[6], 30000);
}

static void a_single_address_is_left_to_wireguard_mostly(void **state)
{
	(void)state;
	struct endpoint e;
	const struct sockaddr_storage to = at("192.0.2.1");
	endpoint_init(&e, &to, PORT, T0);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_WAIT);
	assert_int_equal(endpoint_deadline(&e), T0 + 30000);
	assert_int_equal(endpoint_next(&e, T0 + 30000), ENDPOINT_SET);
	assert_current(&e, "192.0.2.1:51820");
}

static void while_it_works_nothing_is_done(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(1, "192.0.2.1", NULL);
	const struct sockaddr_storage roamed = at("192.0.2.9");
	(void)endpoint_answer(&e, T0, &a);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_SET);
	endpoint_works(&e, &roamed);
	assert_int_equal(endpoint_deadline(&e), UINT64_MAX);
	endpoint_network_changed(&e, T0 + 5000);
	assert_int_equal(endpoint_next(&e, T0 + 3600000), ENDPOINT_WAIT);
	assert_current(&e, "192.0.2.9:51820");
}

static void a_name_that_leads_elsewhere_is_followed_at_once(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(300, "192.0.2.1", NULL);
	struct sockaddr_storage heard = at("192.0.2.1");
	(void)endpoint_answer(&e, T0, &a);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_SET);
	endpoint_works(&e, &heard);
	endpoint_fails(&e, T0 + 90000);
	assert_int_equal(endpoint_next(&e, T0 + 90000), ENDPOINT_ASK);
	a = found(300, "192.0.2.9", NULL);
	assert_true(endpoint_answer(&e, T0 + 90020, &a));
	assert_int_equal(endpoint_next(&e, T0 + 90020), ENDPOINT_SET);
	assert_current(&e, "192.0.2.9:51820");
	/* If nobody is there, the old one has its turn, too. */
	assert_int_equal(endpoint_next(&e, T0 + 94020), ENDPOINT_ASK);
	assert_int_equal(endpoint_next(&e, T0 + 94020), ENDPOINT_SET);
	assert_current(&e, "192.0.2.1:51820");
}

static void an_unchanged_name_leaves_wireguard_its_time(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(300, "192.0.2.1", "192.0.2.2");
	const struct sockaddr_storage heard = at("192.0.2.1");
	(void)endpoint_answer(&e, T0, &a);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_SET);
	endpoint_works(&e, &heard);
	endpoint_fails(&e, T0 + 90000);
	assert_int_equal(endpoint_next(&e, T0 + 90000), ENDPOINT_ASK);
	assert_false(endpoint_answer(&e, T0 + 90020, &a));
	assert_int_equal(endpoint_next(&e, T0 + 90999), ENDPOINT_WAIT);
	assert_int_equal(endpoint_next(&e, T0 + 94000), ENDPOINT_ASK);
	assert_int_equal(endpoint_next(&e, T0 + 94000), ENDPOINT_SET);
	assert_current(&e, "192.0.2.2:51820");
}

static void where_the_provider_was_last_heard_is_tried_beside_what_was_given(void **state)
{
	(void)state;
	struct endpoint e;
	const struct sockaddr_storage given = at("2001:db8::1"), roamed = at("2001:db8::9");
	endpoint_init(&e, &given, PORT, T0);
	endpoint_works(&e, &roamed);
	endpoint_fails(&e, T0 + 90000);
	assert_int_equal(endpoint_next(&e, T0 + 90000), ENDPOINT_SET);
	assert_current(&e, "[2001:db8::1]:51820");
	assert_int_equal(endpoint_next(&e, T0 + 94000), ENDPOINT_SET);
	assert_current(&e, "[2001:db8::9]:51820");
	/* What is of the past does not pile up. */
	for (unsigned i = 0; i < 40; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "2001:db8::1:%x", i);
		const struct sockaddr_storage heard = at(text);
		endpoint_works(&e, &heard);
		endpoint_fails(&e, T0 + 100000 + i);
		assert_int_equal(e.n, 2);
	}
}

static void a_short_time_to_live_is_not_overdone(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(0, "192.0.2.1", NULL);
	uint64_t now = T0;
	for (size_t i = 0; i < 6; i++) {
		(void)endpoint_answer(&e, now, &a);
		assert_true(e.ask_at_ms - now <= ENDPOINT_TTL_MIN_MS);
		now = e.ask_at_ms;
		while (endpoint_next(&e, now) != ENDPOINT_ASK)
			assert_true(endpoint_deadline(&e) <= now);
	}
	(void)endpoint_answer(&e, now, &a);
	assert_int_equal(e.ask_at_ms, now + ENDPOINT_TTL_MIN_MS);
}

static void a_failing_name_server_takes_nothing_away(void **state)
{
	(void)state;
	struct endpoint e = of_a_name();
	struct resolver_answer a = found(300, "192.0.2.1", NULL);
	const struct resolver_answer none = { .verdict = RESOLVER_NO_NAME };
	const struct sockaddr_storage heard = at("192.0.2.1");
	(void)endpoint_answer(&e, T0, &a);
	assert_int_equal(endpoint_next(&e, T0), ENDPOINT_SET);
	endpoint_works(&e, &heard);
	endpoint_fails(&e, T0 + 90000);
	assert_int_equal(endpoint_next(&e, T0 + 90000), ENDPOINT_ASK);
	assert_false(endpoint_answer(&e, T0 + 90020, &none));
	assert_int_equal(e.n, 1);
	assert_current(&e, "192.0.2.1:51820");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_used_at_once),
		cmocka_unit_test(without_an_answer_the_pauses_grow_to_a_minute),
		cmocka_unit_test(addresses_are_tried_by_turns_and_ever_longer),
		cmocka_unit_test(a_single_address_is_left_to_wireguard_mostly),
		cmocka_unit_test(while_it_works_nothing_is_done),
		cmocka_unit_test(a_name_that_leads_elsewhere_is_followed_at_once),
		cmocka_unit_test(an_unchanged_name_leaves_wireguard_its_time),
		cmocka_unit_test(where_the_provider_was_last_heard_is_tried_beside_what_was_given),
		cmocka_unit_test(a_short_time_to_live_is_not_overdone),
		cmocka_unit_test(a_failing_name_server_takes_nothing_away),
	};
	return cmocka_run_group_tests_name("daemon/endpoint", tests, NULL, NULL);
}
