/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any text as an answer of AWS's, or as a file that credentials are read from; the first byte says which. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "user/export/aws_creds.h"
#include "user/export/aws_error.h"
#include "user/export/aws_profile.h"
#include "user/export/aws_url.h"
#include "user/export/json_pick.h"
#include "user/export/sigv4.h"
#include "user/export/xml_pick.h"
#include "user/locked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool good)
{
	if (!good)
		abort();
}

static void is_safe(const char *text, size_t room)
{
	char again[4096];

	must(memchr(text, 0, room));
	must(text_safe(again, sizeof(again), text, strlen(text)) == strlen(text) && !strcmp(again, text));
}

static void check_error(const char *text, size_t n)
{
	char error[AWS_ERROR_LEN], message[256];

	aws_error_read(text, n, error, message, sizeof(message));
	is_safe(error, sizeof(error));
	is_safe(message, sizeof(message));
	aws_error_name(text, n, error);
	is_safe(error, sizeof(error));
	for (long status = 0; status < 600; status += 100) {
		enum aws_outcome o = aws_outcome_of(status, error);

		must((o == AWS_DONE) == (status == 200) && o != AWS_NO_CREDENTIALS);
	}
}

/* What was taken can be sent in a header, and ends within room. */
static void check_creds(int err, const struct creds *c)
{
	must(err ? !c->access[0] : !creds_check(c) && c->expires_s >= 0);
}

static void check_credentials(const char *text, size_t n, const char *action)
{
	struct creds *c = locked_alloc(sizeof(*c));

	must(c != NULL);
	check_creds(action ? creds_from_sts(action, text, n, c) : creds_from_json(text, n, c), c);
	locked_free(c);
}

static void check_account(const char *text, size_t n)
{
	char account[AWS_ACCOUNT_LEN];

	if (!account_from_sts(text, n, account))
		must(strspn(account, "0123456789") == 12 && !account[12]);
}

/* Both read the same, where both read it. */
static void check_json(const char *text, size_t n)
{
	char got[256];
	int err = json_pick(text, n, (const char *const[]){"a", NULL}, got, sizeof(got));
	json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *a = json_object_get(v, "a");

	must(err || memchr(got, 0, sizeof(got)));
	if (!err && json_is_string(a))
		must(!strcmp(got, json_string_value(a)));
	if (json_is_object(v) && !a)
		must(err);
	json_decref(v);
}

static void check_xml(const char *text, size_t n)
{
	char got[64];

	if (!xml_pick(text, n, (const char *const[]){"r", "i", "a", NULL}, got, sizeof(got)))
		must(memchr(got, 0, sizeof(got)) != NULL);
}

static void check_profile(const char *text, size_t n)
{
	char got[64];

	for (int config = 0; config < 2; config++) {
		int err = aws_profile_find(text, n, config, "default", "key", got, sizeof(got));

		must(err || (*got && memchr(got, 0, sizeof(got)) && !strchr(got, '\n')));
		must(err == -ENOENT || !aws_profile_find(text, n, config, "default", NULL, NULL, 0));
	}
}

/* What was read is written and read again as the same; and a path of it can be signed or is refused. */
static void check_url(const char *text)
{
	struct aws_url u, again;
	char authority[AWS_AUTHORITY_LEN], whole[AWS_AUTHORITY_LEN + AWS_PATH_LEN + 16], signature[SIGV4_LEN];

	if (aws_url_parse(text, &u))
		return;
	sprintf(whole, "http%s://%s%s", u.tls ? "s" : "", aws_url_authority(&u, authority), u.path);
	must(!aws_url_parse(whole, &again) && !strcmp(u.host, again.host) && u.port == again.port && !strcmp(u.path, again.path) &&
	     u.tls == again.tls && aws_url_credentials_ok(&u) == aws_url_credentials_ok(&again));
	char *query = strchr(u.path, '?');
	if (query)
		*query++ = '\0';
	const struct sigv4_header headers[] = {{"host", authority}, {"x", whole}};
	struct sigv4 q = {.access_key = "A",
			  .secret_key = "s",
			  .region = "r",
			  .service = "s",
			  .method = "GET",
			  .path = u.path,
			  .query = query,
			  .headers = headers,
			  .nheaders = 2,
			  .date = "20261126T191934Z"};
	int err = sigv4_sign(&q, signature);
	must(!err || err == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;
	size_t n;

	if (!len)
		return 0;
	n = len - 1;
	text = malloc(n + 1);
	memcpy(text, data + 1, n);
	text[n] = '\0';
	switch (data[0]) {
	case 'e': check_error(text, n); break;
	case 'c': check_credentials(text, n, NULL); break;
	case 's': check_credentials(text, n, "AssumeRole"); break;
	case 'a': check_account(text, n); break;
	case 'j': check_json(text, n); break;
	case 'x': check_xml(text, n); break;
	case 'p': check_profile(text, n); break;
	case 't': must(creds_expiry(text) >= 0); break;
	default: check_url(text);
	}
	free(text);
	return 0;
}
