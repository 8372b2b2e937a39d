/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_error.h"

#include <string.h>

#include "user/export/json_pick.h"
#include "user/export/xml_pick.h"

/* --- meaning ------------------------------------------------------------------------------------ */

static bool one_of(const char *error, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(error, *names))
			return true;
	return false;
}

static bool begins(const char *error, const char *with)
{
	return !strncmp(error, with, strlen(with));
}

/* Those of botocore's standard mode, and Security Hub's. */
static const char *const throttled[] = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    NULL,
};
static const char *const transient[] = {
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalFailure",
    "InternalError",
    "InternalException",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "OperationAbortedException",
    "IDPCommunicationError",
    NULL,
};
static const char *const credentials[] = {
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "OptInRequired",
    "AuthFailure",
    "UnauthorizedOperation",
    "InvalidAccessKeyId",
    "InvalidToken",
    "TokenRefreshRequired",
    NULL,
};
static const char *const denied[] = {
    "InvalidAccessException",
    "InvalidIdentityToken",
    "InvalidIdentityTokenException",
    "IDPRejectedClaim",
    "RegionDisabledException",
    "KMSAccessDeniedException",
    NULL,
};
static const char *const times[] = {
    "RequestTimeTooSkewed",
    "RequestExpired",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestInTheFuture",
    "AuthFailure",
    NULL,
};
/* Their names say that nothing was done; that a service is unavailable may be found half way. */
static const char *const undone[] = {
    "OperationAbortedException", "RequestTimeout", "RequestTimeoutException", "IDPCommunicationError", NULL,
};

bool aws_error_of_credentials(const char *error)
{
	return one_of(error, credentials) || begins(error, "AccessDenied") || begins(error, "ExpiredToken");
}

bool aws_error_of_time(const char *error)
{
	return one_of(error, times);
}

static bool is_throttled(long status, const char *error)
{
	return status == 429 || one_of(error, throttled) || begins(error, "RequestThrottled");
}

static bool is_transient(long status, const char *error)
{
	return status >= 500 || status == 408 || !status || one_of(error, transient) || begins(error, "RequestTimeout");
}

static enum aws_outcome of_status(long status)
{
	switch (status) {
	case 401:
	case 403:
	case 407: /* a proxy's */
		return AWS_DENIED;
	default:
		return status >= 400 ? AWS_REFUSED : AWS_AGAIN; /* 1xx and 3xx are no answers of AWS's */
	}
}

/* A name says more than a status: AWS throttles with 400, and denies with it. RequestTimeTooSkewed is a matter of time, not of
 * a time-out. */
enum aws_outcome aws_outcome_of(long status, const char *error)
{
	if (status >= 200 && status < 300)
		return AWS_DONE;
	if (is_throttled(status, error))
		return AWS_THROTTLED;
	if (begins(error, "RequestTimeTooSkewed") || aws_error_of_time(error) || aws_error_of_credentials(error) ||
	    one_of(error, denied))
		return AWS_DENIED;
	if (is_transient(status, error))
		return AWS_AGAIN;
	if (begins(error, "ResourceNotFound"))
		return AWS_MISSING;
	if (begins(error, "ResourceAlreadyExists") || !strcmp(error, "ResourceConflictException"))
		return AWS_EXISTS;
	return of_status(status);
}

bool aws_surely_undone(long status, const char *error)
{
	return (status >= 300 && status < 500) || is_throttled(status, error) || one_of(error, undone);
}

/* --- reading ------------------------------------------------------------------------------------ */

void aws_error_name(const char *said, size_t n, char ret[static AWS_ERROR_LEN])
{
	const char *hash;
	size_t end;

	for (; n && (*said == ' ' || *said == '\t'); n--)
		said++;
	for (end = 0; end < n && !memchr(": \t\r\n", said[end], 5); end++)
		;
	hash = memrchr(said, '#', end);
	if (hash) {
		end -= (size_t)(hash + 1 - said);
		said = hash + 1;
	}
	text_safe(ret, AWS_ERROR_LEN, said, end);
}

/* The first of the members that is there, as it is. */
static bool json_first(const char *body, size_t n, const char *const (*paths)[4], size_t count, char *ret, size_t room)
{
	for (size_t i = 0; i < count; i++)
		if (!json_pick(body, n, paths[i], ret, room) && *ret)
			return true;
	*ret = '\0';
	return false;
}

/* A longer one, or one with line ends, is no reason to say nothing: then it is read as JSON, copied, and cut. */
static void json_long(const char *body, size_t n, const char *const *names, char *ret, size_t room)
{
	json_t *v = json_loadb(body, n, 0, NULL);

	for (*ret = '\0'; v && *names && !*ret; names++) {
		const json_t *text = json_object_get(v, *names);

		if (json_is_string(text))
			text_safe(ret, room, json_string_value(text), json_string_length(text));
	}
	json_decref(v);
}

static void read_json(const char *body, size_t n, char ret_error[static AWS_ERROR_LEN], char *ret_message, size_t room)
{
	static const char *const names[][4] = {{"__type"}, {"code"}, {"Code"}, {"Error", "Code"}, {"error"}};
	static const char *const sts[][4] = {{"Error", "Message"}};
	static const char *const messages[] = {"message", "Message", "errorMessage", NULL};
	char said[2048];

	if (json_first(body, n, names, ARRAY_SIZE(names), said, sizeof(said)))
		aws_error_name(said, strlen(said), ret_error);
	json_long(body, n, messages, ret_message, room);
	if (!*ret_message && json_first(body, n, sts, ARRAY_SIZE(sts), said, sizeof(said)))
		text_safe(ret_message, room, said, strlen(said));
}

static void read_xml(const char *body, size_t n, char ret_error[static AWS_ERROR_LEN], char *ret_message, size_t room)
{
	static const char *const code[][4] = {{"ErrorResponse", "Error", "Code"}, {"Error", "Code"}};
	static const char *const message[][4] = {{"ErrorResponse", "Error", "Message"}, {"Error", "Message"}};
	char said[2048];

	for (size_t i = 0; i < ARRAY_SIZE(code) && !*ret_error; i++)
		if (!xml_pick(body, n, code[i], said, sizeof(said)))
			aws_error_name(said, strlen(said), ret_error);
	for (size_t i = 0; i < ARRAY_SIZE(message) && !*ret_message; i++)
		if (!xml_pick(body, n, message[i], said, sizeof(said)))
			text_safe(ret_message, room, said, strlen(said));
}

void aws_error_read(const char *body, size_t n, char ret_error[static AWS_ERROR_LEN], char *ret_message, size_t room)
{
	size_t i = 0;

	*ret_error = *ret_message = '\0';
	while (i < n && memchr(" \t\r\n", body[i], 4))
		i++;
	if (i < n && body[i] == '{')
		read_json(body, n, ret_error, ret_message, room);
	else if (i < n && body[i] == '<')
		read_xml(body, n, ret_error, ret_message, room);
}
