/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "daemon/uplink.h"

static void says(struct uplink_reason why, const char *text)
{
	char buf[UPLINK_REASON_STRLEN];
	assert_string_equal(uplink_reason_text(&why, buf), text);
}

static void every_reason_is_told_in_words(void **state)
{
	(void)state;
	says((struct uplink_reason){ .cause = UPLINK_NO_TUNNEL }, "no uplink is configured");
	says((struct uplink_reason){ .cause = UPLINK_NAME_WANTED },
	     "the endpoint's name is being looked up");
	says((struct uplink_reason){ .cause = UPLINK_NO_HANDSHAKE_YET }, "no handshake yet");
	says((struct uplink_reason){ .cause = UPLINK_HANDSHAKE }, "handshake");
	says((struct uplink_reason){ .cause = UPLINK_ANSWERED, .n = 3 },
	     "3 echo requests in a row were answered");
	says((struct uplink_reason){ .cause = UPLINK_UNANSWERED,
				     .ms = 22500,
				     .bytes = 740,
				     .handshake_age_ms = 130000 },
	     "no answer to 740 bytes sent within 22 s, last handshake 2 min 10 s ago");
	says((struct uplink_reason){ .cause = UPLINK_SESSION_OVER,
				     .handshake_age_ms = 190000,
				     .bytes = 320 },
	     "no handshake for 3 min 10 s, 320 bytes sent unanswered");
	says((struct uplink_reason){ .cause = UPLINK_PROBES_UNANSWERED,
				     .n = 3,
				     .handshake_age_ms = 3600000 },
	     "3 echo requests in a row without an answer, last handshake 1 h 0 min ago");
	says((struct uplink_reason){ .cause = UPLINK_GAVE_UP,
				     .ms = 90000,
				     .handshake_age_ms = 123000 },
	     "still no answer after 1 min 30 s, last handshake 2 min 3 s ago");
	says((struct uplink_reason){ .cause = UPLINK_GAVE_UP, .ms = 90000 },
	     "no answer within 1 min 30 s, and never a handshake");
	says((struct uplink_reason){ .cause = UPLINK_INTERFACE_GONE }, "its interface is gone");
}

static void the_longest_reason_is_not_cut(void **state)
{
	(void)state;
	char buf[UPLINK_REASON_STRLEN];
	for (int cause = UPLINK_NO_TUNNEL; cause <= UPLINK_INTERFACE_GONE; cause++) {
		const struct uplink_reason why = { .cause = (enum uplink_cause)cause,
						   .ms = UINT64_MAX,
						   .handshake_age_ms = UINT64_MAX,
						   .bytes = UINT64_MAX,
						   .n = UINT64_MAX };
		assert_true(strlen(uplink_reason_text(&why, buf)) < UPLINK_REASON_STRLEN - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_told_in_words),
		cmocka_unit_test(the_longest_reason_is_not_cut),
	};
	return cmocka_run_group_tests_name("uplink", tests, NULL, NULL);
}
