/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

/* stderr is a pipe while a test runs; each read of it then returns what was written by now. */
static int pipe_r;
static int saved_stderr;

static int setup(void **state)
{
	int fds[2];
	(void)state;
	log_setup(LOG_INFO, LOG_TEXT, NULL);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	pipe_r = fds[0];
	if (saved_stderr < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return -1;
	return close(fds[1]);
}

static int teardown(void **state)
{
	(void)state;
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	return close(pipe_r);
}

static char out[8192];

static const char *logged(void)
{
	ssize_t n = read(pipe_r, out, sizeof out - 1);
	out[n > 0 ? n : 0] = '\0';
	return out;
}

/* What follows the time that a line of JSON begins with; the time is checked on the way. */
static const char *behind_ts(const char *line, uint64_t after_ms, uint64_t before_ms)
{
	static const char shape[] = "{\"ts\":\"0000-00-00T00:00:00.000Z\",";
	char from[CLOCK_RFC3339_LEN], to[CLOCK_RFC3339_LEN];
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != shape[i])
			fail_msg("no time at the beginning of %s", line);
	clock_rfc3339(after_ms, from);
	clock_rfc3339(before_ms, to);
	assert_true(strncmp(line + 7, from, strlen(from)) >= 0);
	assert_true(strncmp(line + 7, to, strlen(to)) <= 0);
	return line + strlen(shape);
}

static void text_is_level_subsystem_event_and_pairs(void **state)
{
	(void)state;
	log_info("pd", "bound", kv_str("prefix", "2001:db8::/56"), kv_u64("valid_s", 7200));
	assert_string_equal(logged(), "info pd bound prefix=2001:db8::/56 valid_s=7200\n");
	log_error("a", "b");
	assert_string_equal(logged(), "error a b\n");
	log_warn("a", "b", kv_bool("yes", true), kv_bool("no", false), kv_str("none", NULL));
	assert_string_equal(logged(), "warning a b yes=true no=false none=\"\"\n");
}

static void numbers_reach_their_ends(void **state)
{
	(void)state;
	log_info("a", "b", kv_u64("u", UINT64_MAX), kv_i64("i", INT64_MIN), kv_i64("m", -1),
		 kv_u64("z", 0));
	assert_string_equal(logged(),
			    "info a b u=18446744073709551615 i=-9223372036854775808 m=-1 z=0\n");
}

static void text_quotes_what_would_mislead(void **state)
{
	(void)state;
	log_info("a", "b", kv_str("k", "two words"), kv_str("q", "say \"x\\y\""),
		 kv_str("e", "a=b"));
	assert_string_equal(logged(),
			    "info a b k=\"two words\" q=\"say \\\"x\\\\y\\\"\" e=\"a=b\"\n");
	log_info("a", "b", kv_str("k", "one\ninfo forged line\t\x1b[31m\x7f"));
	assert_string_equal(logged(), "info a b k=\"one\\ninfo forged line\\t\\x1b[31m\\x7f\"\n");
}

static void only_well_formed_utf8_passes(void **state)
{
	(void)state;
	log_info("a", "b", kv_str("k", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
	assert_string_equal(logged(), "info a b k=\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\n");
	log_info("a", "b", kv_str("k", "\xc2\xa0\xf4\x8f\xbf\xbf\xe0\xa0\x80\xf0\x90\x80\x80"));
	assert_string_equal(
		logged(), "info a b k=\"\xc2\xa0\xf4\x8f\xbf\xbf\xe0\xa0\x80\xf0\x90\x80\x80\"\n");
	/* overlong in three and in four bytes */
	log_info("a", "b", kv_str("k", "\xe0\x9f\xbf|\xf0\x8f\xbf\xbf"));
	assert_string_equal(logged(), "info a b k=\"\\xe0\\x9f\\xbf|\\xf0\\x8f\\xbf\\xbf\"\n");
	/* a lone byte, an overlong '/', a surrogate, a C1 control character, one beyond U+10FFFF,
	 * one cut short */
	log_info("a", "b",
		 kv_str("k", "\xff|\xc0\xaf|\xed\xa0\x80|\xc2\x9b|\xf4\x90\x80\x80|\xe2\x82"));
	assert_string_equal(
		logged(),
		"info a b k=\"\\xff|\\xc0\\xaf|\\xed\\xa0\\x80|\\xc2\\x9b|\\xf4\\x90\\x80\\x80|"
		"\\xe2\\x82\"\n");
}

static void json_is_one_object_a_line(void **state)
{
	(void)state;
	uint64_t begun_ms = clock_unix_ms();
	log_setup(LOG_INFO, LOG_JSON, "provider1");
	log_info("pd", "bound", kv_str("prefix", "2001:db8::/56"), kv_u64("n", 7), kv_i64("i", -7),
		 kv_bool("b", true));
	assert_string_equal(behind_ts(logged(), begun_ms, clock_unix_ms()),
			    "\"level\":\"info\",\"instance\":\"provider1\",\"subsystem\":\"pd\","
			    "\"event\":\"bound\","
			    "\"prefix\":\"2001:db8::/56\",\"n\":7,\"i\":-7,\"b\":true}\n");
	log_setup(LOG_INFO, LOG_JSON, NULL);
	log_info("a", "b", kv_str("k", "\"\\\n\t\x01\xff\x7f"));
	assert_string_equal(behind_ts(logged(), begun_ms, clock_unix_ms()),
			    "\"level\":\"info\",\"subsystem\":\"a\",\"event\":\"b\","
			    "\"k\":\"\\\"\\\\\\n\\t\\u0001\\ufffd\\u007f\"}\n");
}

static void the_threshold_holds(void **state)
{
	(void)state;
	log_debug("a", "b");
	assert_string_equal(logged(), "");
	log_setup(LOG_ERROR, LOG_TEXT, NULL);
	log_warn("a", "b");
	assert_string_equal(logged(), "");
	assert_false(log_enabled(LOG_WARNING));
	log_setup(LOG_DEBUG, LOG_TEXT, NULL);
	log_debug("a", "b");
	assert_string_equal(logged(), "debug a b\n");
}

static void errno_survives(void **state)
{
	(void)state;
	errno = ENOENT;
	log_info("a", "b", kv_errno(-ENODEV));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(logged(), "info a b error=\"No such device\"\n");
	(void)close(STDERR_FILENO); /* teardown puts one in its place */
	log_info("a", "b");
	assert_int_equal(errno, ENOENT);
}

static void errors_have_text_by_either_sign(void **state)
{
	(void)state;
	assert_string_equal(kv_errno(ENODEV).str, "No such device");
	assert_string_equal(kv_errno(-ENODEV).str, "No such device");
	assert_int_equal(kv_errno(-99999).type, KV_I64);
	assert_int_equal(kv_errno(-99999).i64, 99999);
}

static void long_lines_are_cut_and_marked(void **state)
{
	(void)state;
	static char big[2 * LOG_LINE_MAX];
	memset(big, 'x', sizeof big - 1);
	const char *line;
	log_info("a", "b", kv_str("k", big), kv_u64("after", 1));
	line = logged();
	assert_true(strlen(line) <= LOG_LINE_MAX);
	assert_string_equal(line + strlen(line) - 11, "x cut=true\n");
	assert_true(strlen(line) > LOG_LINE_MAX - 40);
	log_setup(LOG_INFO, LOG_JSON, NULL);
	log_info("a", "b", kv_str("k", big), kv_u64("after", 1));
	line = logged();
	assert_true(strlen(line) <= LOG_LINE_MAX);
	assert_string_equal(line + strlen(line) - 15, "x\",\"cut\":true}\n");
}

/* Wherever the cut falls, a line of JSON has its quotes in pairs, ends as an object, and fits. */
static void cuts_at_every_place_leave_whole_lines(void **state)
{
	(void)state;
	static char value[LOG_LINE_MAX];
	for (size_t n = LOG_LINE_MAX - 180; n < LOG_LINE_MAX - 1; n++) {
		memset(value, 'x', n);
		value[n] = '\0';
		log_setup(LOG_INFO, n % 2 ? LOG_JSON : LOG_TEXT, NULL);
		log_info("a", "b", kv_str("k", value), kv_str("q", "\"\xc3\xa9 "),
			 kv_i64("n", -123456), kv_bool("t", true));
		const char *line = logged();
		size_t len = strlen(line);
		assert_true(len <= LOG_LINE_MAX);
		assert_int_equal(line[len - 1], '\n');
		unsigned quotes = 0;
		for (size_t i = 0; i < len; i++)
			quotes += line[i] == '"' && line[i - 1] != '\\';
		assert_int_equal(quotes % 2, 0);
		if (n % 2) {
			assert_int_equal(line[len - 2], '}');
			assert_null(strstr(line, ":}"));
			assert_null(strstr(line, ":,"));
			assert_null(strstr(line, "-,"));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_is_level_subsystem_event_and_pairs, setup,
						teardown),
		cmocka_unit_test_setup_teardown(numbers_reach_their_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(text_quotes_what_would_mislead, setup, teardown),
		cmocka_unit_test_setup_teardown(only_well_formed_utf8_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(json_is_one_object_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(the_threshold_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(errno_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_have_text_by_either_sign, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_and_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(cuts_at_every_place_leave_whole_lines, setup,
						teardown),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
