/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "control/http.h"

#include <stdlib.h>

static bool head_only;

static enum http_status judge(const char *request)
{
	head_only = false;
	return http_judge(request, strlen(request), "/metrics", &head_only);
}

static void a_get_is_ok_and_a_head_is_known_as_one(void **state)
{
	(void)state;
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_OK);
	assert_false(head_only);
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nAccept: */*\r\nhOsT:x\r\nX:\r\n\r\n"),
			 HTTP_OK);
	assert_int_equal(judge("GET /metrics HTTP/1.0\r\n\r\n"), HTTP_OK);
	assert_int_equal(judge("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_OK);
	assert_true(head_only);
}

/* RFC 9112 §3.2.2, §3.2.1, §2.2 */
static void the_target_has_its_several_forms(void **state)
{
	(void)state;
	assert_int_equal(judge("GET /metrics?collect=all HTTP/1.0\r\n\r\n"), HTTP_OK);
	assert_int_equal(judge("GET http://h:9547/metrics HTTP/1.1\r\nHost: h:9547\r\n\r\n"),
			 HTTP_OK);
	assert_int_equal(judge("GET HTTP://h/metrics?q HTTP/1.0\r\n\r\n"), HTTP_OK);
	assert_int_equal(judge("\r\nGET /metrics HTTP/1.0\r\n\r\n"), HTTP_OK);
}

static void another_path_is_not_found(void **state)
{
	(void)state;
	static const char *const paths[] = { "/",          "/metric",   "/metricsx",
					     "/metrics/",  "/METRICS",  "//metrics",
					     "*",          "metrics",   "http://metrics",
					     "http://h/x", "/%6detrics" };
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		char request[128];
		snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", paths[i]);
		assert_int_equal(judge(request), HTTP_NOT_FOUND);
	}
	assert_int_equal(judge("POST / HTTP/1.0\r\n\r\n"), HTTP_NOT_FOUND);
}

static void another_method_is_not_allowed(void **state)
{
	(void)state;
	assert_int_equal(judge("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b"),
			 HTTP_METHOD_NOT_ALLOWED);
	assert_int_equal(judge("get /metrics HTTP/1.0\r\n\r\n"), HTTP_METHOD_NOT_ALLOWED);
	assert_int_equal(judge("M-SEARCH /metrics HTTP/1.0\r\n\r\n"), HTTP_METHOD_NOT_ALLOWED);
	char buf[HTTP_HEAD_MAX];
	http_head(HTTP_METHOD_NOT_ALLOWED, 0, 0, buf);
	assert_non_null(strstr(buf, "\r\nAllow: GET, HEAD\r\n"));
}

static void what_is_no_http_is_a_bad_request(void **state)
{
	(void)state;
	static const char *const bad[] = {
		" GET /metrics HTTP/1.0\r\n\r\n",
		"GET  /metrics HTTP/1.0\r\n\r\n",
		"GET /metrics  HTTP/1.0\r\n\r\n",
		"GET /metrics HTTP/1.0 \r\n\r\n",
		"GET /met rics HTTP/1.0\r\n\r\n",
		"GET\t/metrics\tHTTP/1.0\r\n\r\n",
		"GET /metrics\r\n\r\n",
		"GET /metr\303\257cs HTTP/1.0\r\n\r\n",
		"G(T /metrics HTTP/1.0\r\n\r\n",
		"GET /metrics HTTP/1.\r\n\r\n",
		"GET /metrics HTTP/1.10\r\n\r\n",
		"GET /metrics HTTP/x.0\r\n\r\n",
		"GET /metrics http/1.1\r\nHost: x\r\n\r\n",
		"\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n",
		"GET /metrics HTTP/1.0\n\n",
		"GET /metrics HTTP/1.0\rHost: x\r\n\r\n",
		"\x16\x03\x01\x02",
		"SSH-2.0-x\r\n",
		/* fields: RFC 9112 §5.1, §5.2 */
		"GET /metrics HTTP/1.0\r\nHost : x\r\n\r\n",
		"GET /metrics HTTP/1.0\r\n: x\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nno colon\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nA: b\r\n folded\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nA: b\nC: d\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nA: \x01\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nA: \x7f\r\n\r\n",
		/* RFC 9112 §3.2: one Host, and in HTTP/1.1 not none */
		"GET /metrics HTTP/1.1\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET /metrics HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (judge(bad[i]) != HTTP_BAD_REQUEST)
			fail_msg("%zu is taken for something", i);
	static const char nul[] = "GET /metrics HTTP/1.0\r\nA: \0\r\n\r\n";
	assert_int_equal(http_judge(nul, sizeof nul - 1, "/metrics", &head_only), HTTP_BAD_REQUEST);
}

static void another_major_version_is_told_so(void **state)
{
	(void)state;
	assert_int_equal(judge("GET /metrics HTTP/2.0\r\n"), HTTP_VERSION_NOT_SUPPORTED);
	assert_int_equal(judge("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_VERSION_NOT_SUPPORTED);
	assert_int_equal(judge("GET /metrics HTTP/0.9\r\n"), HTTP_VERSION_NOT_SUPPORTED);
	assert_int_equal(judge("GET /metrics HTTP/1.2\r\nHost: x\r\n\r\n"), HTTP_OK);
}

/* However it is cut, a good request is unfinished until its last byte, and the bytes behind it
 * change nothing. */
static void a_request_may_arrive_byte_by_byte(void **state)
{
	(void)state;
	static const char request[] =
		"\r\nGET /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: caf\xc3\xa9\t1\r\n\r\n"
		"GET /other HTTP/1.1\r\n\r\n";
	size_t whole = (size_t)(strstr(request, "\r\n\r\n") - request) + 4;
	for (size_t n = 0; n < sizeof request; n++) {
		/* at the end of memory of its own, for a sanitizer to watch */
		char *copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, request, n);
		enum http_status s = http_judge(copy, n, "/metrics", &head_only);
		free(copy);
		assert_int_equal(s, n < whole ? HTTP_UNFINISHED : HTTP_OK);
	}
}

static void a_head_without_end_is_too_large(void **state)
{
	(void)state;
	static char big[HTTP_REQUEST_MAX];
	memset(big, 'a', sizeof big);
	assert_int_equal(http_judge(big, sizeof big - 1, "/metrics", &head_only), HTTP_UNFINISHED);
	assert_int_equal(http_judge(big, sizeof big, "/metrics", &head_only), HTTP_TOO_LARGE);
	memcpy(big, "GET /metrics HTTP/1.0\r\nA: ", 26);
	assert_int_equal(http_judge(big, sizeof big, "/metrics", &head_only), HTTP_TOO_LARGE);
	memcpy(big + sizeof big - 4, "\r\n\r\n", 4);
	assert_int_equal(http_judge(big, sizeof big, "/metrics", &head_only), HTTP_OK);
}

static void an_answer_says_what_it_is(void **state)
{
	(void)state;
	char buf[HTTP_HEAD_MAX];
	size_t n = http_head(HTTP_OK, 1234, 784111777, buf);
	assert_int_equal(n, strlen(buf));
	assert_string_equal(buf, "HTTP/1.1 200 OK\r\n"
				 "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				 "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
				 "Content-Length: 1234\r\n"
				 "Cache-Control: no-store\r\n"
				 "Connection: close\r\n\r\n");
	static const enum http_status all[] = { HTTP_OK,          HTTP_BAD_REQUEST,
						HTTP_NOT_FOUND,   HTTP_METHOD_NOT_ALLOWED,
						HTTP_TIMEOUT,     HTTP_TOO_LARGE,
						HTTP_UNAVAILABLE, HTTP_VERSION_NOT_SUPPORTED };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		assert_true(strlen(http_reason(all[i])) > 0);
		assert_true(http_head(all[i], SIZE_MAX, 253402300799, buf) < HTTP_HEAD_MAX);
		assert_string_equal(buf + strlen(buf) - 4, "\r\n\r\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_is_ok_and_a_head_is_known_as_one),
		cmocka_unit_test(the_target_has_its_several_forms),
		cmocka_unit_test(another_path_is_not_found),
		cmocka_unit_test(another_method_is_not_allowed),
		cmocka_unit_test(what_is_no_http_is_a_bad_request),
		cmocka_unit_test(another_major_version_is_told_so),
		cmocka_unit_test(a_request_may_arrive_byte_by_byte),
		cmocka_unit_test(a_head_without_end_is_too_large),
		cmocka_unit_test(an_answer_says_what_it_is),
	};
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
