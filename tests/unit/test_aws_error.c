/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What AWS's errors mean, and what may be an error's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/export/aws_error.h"
#include "user/export/backoff.h"

static void outcomes(void **state)
{
	static const struct {
		long status;
		const char *error;
		enum aws_outcome is;
	} t[] = {
	    {200, "", AWS_DONE},
	    {204, "", AWS_DONE},
	    {301, "", AWS_AGAIN},
	    {0, "", AWS_AGAIN},
	    {400, "Throttling", AWS_THROTTLED},
	    {400, "ThrottlingException", AWS_THROTTLED},
	    {400, "ThrottledException", AWS_THROTTLED},
	    {400, "RequestThrottled", AWS_THROTTLED},
	    {400, "RequestThrottledException", AWS_THROTTLED},
	    {400, "TooManyRequestsException", AWS_THROTTLED},
	    {400, "RequestLimitExceeded", AWS_THROTTLED},
	    {400, "LimitExceededException", AWS_THROTTLED},
	    {503, "SlowDown", AWS_THROTTLED},
	    {400, "BandwidthLimitExceeded", AWS_THROTTLED},
	    {400, "PriorRequestNotComplete", AWS_THROTTLED},
	    {400, "ProvisionedThroughputExceededException", AWS_THROTTLED},
	    {400, "TransactionInProgressException", AWS_THROTTLED},
	    {400, "EC2ThrottledException", AWS_THROTTLED},
	    {429, "", AWS_THROTTLED},
	    {500, "", AWS_AGAIN},
	    {502, "", AWS_AGAIN},
	    {503, "", AWS_AGAIN},
	    {504, "", AWS_AGAIN},
	    {408, "", AWS_AGAIN},
	    {400, "ServiceUnavailableException", AWS_AGAIN},
	    {400, "RequestTimeout", AWS_AGAIN},
	    {400, "RequestTimeoutException", AWS_AGAIN},
	    {400, "InternalException", AWS_AGAIN},
	    {400, "OperationAbortedException", AWS_AGAIN},
	    {400, "IDPCommunicationError", AWS_AGAIN},
	    {403, "RequestTimeTooSkewed", AWS_DENIED},
	    {400, "RequestExpired", AWS_DENIED},
	    {400, "ExpiredToken", AWS_DENIED},
	    {400, "ExpiredTokenException", AWS_DENIED},
	    {400, "UnrecognizedClientException", AWS_DENIED},
	    {403, "InvalidClientTokenId", AWS_DENIED},
	    {400, "InvalidSignatureException", AWS_DENIED},
	    {403, "SignatureDoesNotMatch", AWS_DENIED},
	    {400, "IncompleteSignature", AWS_DENIED},
	    {403, "MissingAuthenticationToken", AWS_DENIED},
	    {400, "AccessDeniedException", AWS_DENIED},
	    {403, "AccessDenied", AWS_DENIED},
	    {401, "InvalidAccessException", AWS_DENIED},
	    {403, "", AWS_DENIED},
	    {401, "x", AWS_DENIED},
	    {400, "ResourceNotFoundException", AWS_MISSING},
	    {404, "ResourceNotFoundException", AWS_MISSING},
	    {400, "ResourceAlreadyExistsException", AWS_EXISTS},
	    {409, "ResourceConflictException", AWS_EXISTS},
	    {400, "InvalidParameterException", AWS_REFUSED},
	    {400, "InvalidInputException", AWS_REFUSED},
	    {400, "", AWS_REFUSED},
	    {404, "", AWS_REFUSED},
	    {413, "", AWS_REFUSED},
	    {400, "SerializationException", AWS_REFUSED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		if (aws_outcome_of(t[i].status, t[i].error) != t[i].is)
			fail_msg("%ld %s: %d", t[i].status, t[i].error, aws_outcome_of(t[i].status, t[i].error));
}

static void what_helps(void **state)
{
	assert_true(aws_error_of_credentials("ExpiredToken") && aws_error_of_credentials("AccessDeniedException") &&
		    aws_error_of_credentials("UnrecognizedClientException"));
	assert_false(aws_error_of_credentials("InvalidAccessException") || aws_error_of_credentials("ThrottlingException"));
	assert_true(aws_error_of_time("RequestTimeTooSkewed") && aws_error_of_time("SignatureDoesNotMatch") &&
		    aws_error_of_time("InvalidSignatureException") && aws_error_of_time("RequestExpired"));
	assert_false(aws_error_of_time("ExpiredToken") || aws_error_of_time("RequestTimeout"));
	assert_true(aws_surely_undone(400, "ThrottlingException") && aws_surely_undone(503, "SlowDown") &&
		    aws_surely_undone(302, "") && aws_surely_undone(403, ""));
	assert_false(aws_surely_undone(500, "") || aws_surely_undone(503, "ServiceUnavailableException") ||
		     aws_surely_undone(502, "") || aws_surely_undone(504, "InternalFailure") || aws_surely_undone(200, ""));
}

static void names(void **state)
{
	static const char *const t[][2] = {
	    {"com.amazonaws.logs#ThrottlingException", "ThrottlingException"},
	    {"ThrottlingException:http://x#y/", "ThrottlingException"},
	    {"ThrottlingException:http://x/", "ThrottlingException"},
	    {" A ", "A"},
	    {"", ""},
	    {"#", ""},
	    {"a#b#c", "c"},
	    {"Bad\x1b[31m", "Bad?[31m"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char got[AWS_ERROR_LEN];

		aws_error_name(t[i][0], strlen(t[i][0]), got);
		assert_string_equal(got, t[i][1]);
	}
}

static void bodies(void **state)
{
	static const struct {
		const char *body, *error, *message;
	} t[] = {
	    {"{\"__type\":\"a#B\",\"message\":\"m\"}", "B", "m"},
	    {"{\"__type\":\"B\",\"Message\":\"M\"}", "B", "M"},
	    {" {\"code\":\"C\"}", "C", ""},
	    {"{\"Error\":{\"Code\":\"ExpiredToken\",\"Message\":\"old\"},\"RequestId\":\"r\"}", "ExpiredToken", "old"},
	    {"{\"__type\":[7],\"message\":{}}", "", ""},
	    {"{\"__type\":\"B\",\"message\":\"two\\nlines\\u001b[0m\"}", "B", "two?lines?[0m"},
	    {"{\"__type\":\"B\"", "", ""},
	    {"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>a &amp; "
	     "b</Message></Error>"
	     "<RequestId>r</RequestId></ErrorResponse>",
	     "InvalidIdentityToken", "a & b"},
	    {"<html><body>blocked</body></html>", "", ""},
	    {"", "", ""},
	    {"x", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char error[AWS_ERROR_LEN] = "?", message[64] = "?";

		aws_error_read(t[i].body, strlen(t[i].body), error, message, sizeof(message));
		assert_string_equal(error, t[i].error);
		assert_string_equal(message, t[i].message);
	}
}

static void a_long_name_is_cut(void **state)
{
	char body[1024], error[AWS_ERROR_LEN], message[16];

	snprintf(body, sizeof(body), "{\"__type\":\"%0200d\",\"message\":\"%0300d\"}", 7, 7);
	aws_error_read(body, strlen(body), error, message, sizeof(message));
	assert_int_equal(strlen(error), AWS_ERROR_LEN - 1);
	assert_int_equal(strlen(message), sizeof(message) - 1);
}

/* --- waiting -------------------------------------------------------------------------------------- */

static void waits_grow_to_a_cap(void **state)
{
	struct backoff b = {0};
	static const uint64_t seconds[] = {1, 2, 4, 8, 16, 20, 20, 20};

	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		uint64_t most = backoff_next(&b, AWS_AGAIN, UINT64_MAX);

		assert_in_range(most, seconds[i] * NSEC - 1, seconds[i] * NSEC);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_true(backoff_next(&b, AWS_AGAIN, UINT64_MAX) <= backoff_cap(AWS_AGAIN));
	assert_int_equal(backoff_next(&b, AWS_DONE, UINT64_MAX), 0);
	assert_in_range(backoff_next(&b, AWS_AGAIN, UINT64_MAX), NSEC - 1, NSEC);
}

static void waits_are_spread_over_all_of_it(void **state)
{
	unsigned quarter[4] = {0};

	for (unsigned i = 0; i < 4000; i++) {
		struct backoff b = {.tries = 4, .last = AWS_AGAIN};

		quarter[backoff_next(&b, AWS_AGAIN, backoff_random()) / (4 * NSEC + 1)]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(quarter[i], 800, 1200); /* seven standard deviations */
}

static void each_trouble_has_its_pace(void **state)
{
	struct backoff b = {0};

	assert_true(backoff_next(&b, AWS_THROTTLED, 0) > backoff_next(&b, AWS_AGAIN, 0));
	assert_true(backoff_next(&b, AWS_DENIED, 0) >= 10 * NSEC);
	assert_true(backoff_cap(AWS_AGAIN) < backoff_cap(AWS_THROTTLED) && backoff_cap(AWS_THROTTLED) < backoff_cap(AWS_DENIED));
	assert_int_equal(backoff_next(&b, AWS_REFUSED, UINT64_MAX), 0);
	for (unsigned i = 0; i < 20; i++)
		backoff_next(&b, AWS_AGAIN, 1);
	assert_in_range(backoff_next(&b, AWS_THROTTLED, UINT64_MAX), 2 * NSEC - 1, 2 * NSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(outcomes),
	    cmocka_unit_test(what_helps),
	    cmocka_unit_test(names),
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(a_long_name_is_cut),
	    cmocka_unit_test(waits_grow_to_a_cap),
	    cmocka_unit_test(waits_are_spread_over_all_of_it),
	    cmocka_unit_test(each_trouble_has_its_pace),
	};

	return cmocka_run_group_tests_name("aws_error", tests, NULL, NULL);
}
