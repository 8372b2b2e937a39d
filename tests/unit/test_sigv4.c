/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Signatures, against what botocore 1.29 makes of the same requests, and "get-vanilla" of AWS's own suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/export/sigv4.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DATE "20261126T191934Z"

struct vector {
	const char *method, *path, *query, *body, *service;
	struct sigv4_header headers[SIGV4_HEADERS_MAX + 1];
	const char *names, *signature;
};

static struct sigv4 request_of(const struct vector *v)
{
	struct sigv4 q = {.access_key = "AKIDEXAMPLE",
			  .secret_key = SECRET,
			  .region = "eu-central-1",
			  .service = v->service,
			  .method = v->method,
			  .path = v->path,
			  .query = v->query,
			  .headers = v->headers,
			  .body = v->body,
			  .len = strlen(v->body),
			  .date = DATE};

	while (v->headers[q.nheaders].name)
		q.nheaders++;
	return q;
}

static const struct vector vectors[] = {
    {"POST",
     "/",
     NULL,
     "{}",
     "logs",
     {{"X-Amz-Target", "Logs_20140328.PutLogEvents"},
      {"Content-Type", "application/x-amz-json-1.1"},
      {"X-Amz-Date", DATE},
      {"Host", "logs.eu-central-1.amazonaws.com"}},
     "content-type;host;x-amz-date;x-amz-target",
     "19d70f89256c2595cc8f0466ccf0079f526e1da54c2ae22a797a01558067ab3b"},
    {"POST",
     "",
     "",
     "",
     "logs",
     {{"host", "127.0.0.1:8443"},
      {"content-type", "application/x-amz-json-1.1"},
      {"x-amz-date", DATE},
      {"x-amz-security-token", "tok+/=="},
      {"x-amz-target", "T"}},
     "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
     "71184af47b3c777eb4ce5711e2cefbf42cf7d3fe8dac5c8f4fd97ce02ccf5fe3"},
    {"GET",
     "/a/b",
     "x=1&a=2&a=1&empty=&flag&ab=3",
     "",
     "service",
     {{"host", "h.example"}, {"x-amz-date", DATE}},
     "host;x-amz-date",
     "0a9cbde1d598cefc958918bf7664f4e967573f75d90a6738bb32cb27a19a153d"},
    {"PUT",
     "//x/./y/../z%20a/%C3%A9/",
     NULL,
     "body",
     "service",
     {{"host", "h.example"}, {"x-amz-date", DATE}},
     "host;x-amz-date",
     "dacfb5afa629b09368565843086dfdb2d5cde9c37968f2370672ba9e64b14150"},
    {"PUT",
     "/a/..",
     NULL,
     "body",
     "service",
     {{"host", "h.example"}, {"x-amz-date", DATE}},
     "host;x-amz-date",
     "d6e1d63b9fe84c257ec3702b688205662a1e18d67c1df8965563214f0b5f2663"},
    {"POST",
     "/",
     "q=~no&q=%E2%98%83",
     "b",
     "service",
     {{"x-amz-meta-a-b", "2"}, {"host", "h.example"}, {"x-amz-meta-a", "  1   2\t3  "}, {"x-amz-date", DATE}},
     "host;x-amz-date;x-amz-meta-a;x-amz-meta-a-b",
     "5c195f33fd264aa7e614cc4cd5218af51793e8cf1113bb06b4516a53ec9d4986"},
    /* the same, spelled as others do */
    {"POST",
     "/",
     "q=%7eno&&q=%e2%98%83&",
     "b",
     "service",
     {{"X-AMZ-META-A-B", "2"}, {"host", "h.example"}, {"x-amz-meta-a", "1 2 3"}, {"x-amz-date", DATE}},
     "host;x-amz-date;x-amz-meta-a;x-amz-meta-a-b",
     "5c195f33fd264aa7e614cc4cd5218af51793e8cf1113bb06b4516a53ec9d4986"},
};

static void as_botocore_signs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct sigv4 q = request_of(&vectors[i]);
		char got[SIGV4_LEN], want[SIGV4_LEN];

		assert_int_equal(sigv4_sign(&q, got), 0);
		snprintf(want, sizeof(want),
			 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/eu-central-1/%s/aws4_request, "
			 "SignedHeaders=%s, Signature=%s",
			 vectors[i].service, vectors[i].names, vectors[i].signature);
		assert_string_equal(got, want);
	}
}

static void as_aws_signs(void **state)
{
	const struct sigv4_header headers[] = {{"Host", "example.amazonaws.com"},
					       {"X-Amz-Date", "20150830T123600Z"},
					       {"My-Header1", "value4"},
					       {"My-Header1", "value1"}};
	struct sigv4 q = {.access_key = "AKIDEXAMPLE",
			  .secret_key = SECRET,
			  .region = "us-east-1",
			  .service = "service",
			  .method = "GET",
			  .path = "/",
			  .headers = headers,
			  .nheaders = 2,
			  .date = "20150830T123600Z"};
	char got[SIGV4_LEN];

	assert_int_equal(sigv4_sign(&q, got), 0);
	assert_non_null(strstr(got, "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
	q.nheaders = 4;
	assert_int_equal(sigv4_sign(&q, got), 0);
	assert_non_null(strstr(got, "SignedHeaders=host;my-header1;x-amz-date, "
				    "Signature=05577627fbea18c3ba9929345e1f2548ebb9382c9b370c84849c847a9472c07a"));
}

/* Whatever is changed changes the signature. */
static void everything_is_signed(void **state)
{
	struct sigv4 q = request_of(&vectors[1]), other[8];
	struct sigv4_header headers[5];
	char first[SIGV4_LEN], got[SIGV4_LEN];

	memcpy(headers, q.headers, sizeof(headers));
	headers[3].value = "tok+/=!";
	assert_int_equal(sigv4_sign(&q, first), 0);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		other[i] = q;
	other[0].secret_key = "x";
	other[1].region = "eu-central-2";
	other[2].service = "log";
	other[3].method = "PUT";
	other[4].path = "/a";
	other[5].query = "a";
	other[6].headers = headers;
	other[7].body = "x";
	other[7].len = 1;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		assert_int_equal(sigv4_sign(&other[i], got), 0);
		assert_string_not_equal(strstr(got, "Signature="), strstr(first, "Signature="));
	}
}

static void what_cannot_be_signed(void **state)
{
	struct sigv4_header many[SIGV4_HEADERS_MAX + 1];
	struct sigv4 q = request_of(&vectors[0]);
	char got[SIGV4_LEN] = "as it was", *text = calloc(1, 20000);

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct sigv4_header){"n", "v"};
	q.headers = many;
	q.nheaders = ARRAY_SIZE(many);
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	q = request_of(&vectors[0]);
	static const char *const queries[] = {"a=%", "a=%4", "a=%zz", "%=1"};
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		q.query = queries[i];
		assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	}
	for (unsigned i = 0; i <= SIGV4_QUERY_MAX; i++)
		strcat(text, "a=b&");
	q.query = text;
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	memset(text, 'a', 5000);
	text[5000] = '\0';
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	q.query = NULL;
	q.secret_key = text;
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	q.secret_key = SECRET;
	q.access_key = text;
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	q.access_key = "AK";
	q.region = text;
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	q.region = "r";
	q.date[0] = '\0';
	assert_int_equal(sigv4_sign(&q, got), -EINVAL);
	assert_string_equal(got, "as it was");
	free(text);
}

static void dates(void **state)
{
	char date[SIGV4_DATE_LEN] = "";

	assert_int_equal(sigv4_date(1795720774, date), 0);
	assert_string_equal(date, DATE);
	assert_int_equal(sigv4_date(0, date), 0);
	assert_string_equal(date, "19700101T000000Z");
	assert_int_equal(sigv4_date(-1, date), -ERANGE);
	assert_int_equal(sigv4_date(253402300800, date), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_botocore_signs),     cmocka_unit_test(as_aws_signs), cmocka_unit_test(everything_is_signed),
	    cmocka_unit_test(what_cannot_be_signed), cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
