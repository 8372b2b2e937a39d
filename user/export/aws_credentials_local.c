/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Credentials from this machine's own neighbourhood: the container's endpoint, the instance's metadata. */
#include <string.h>

#include "user/export/aws_environment.h"
#include "user/export/aws_internal.h"
#include "user/imds.h"
#include "user/locked.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define CONTAINER_CONNECT_MS 2000
#define CONTAINER_MS 5000
#define TOKEN_MAX 16384
#define ROLE_LEN 65

/* --- container ---------------------------------------------------------------------------------- */

/* The address itself opens the way to credentials: it is not told. */
static int container_url(struct creds_hunt *h, struct aws_url *ret)
{
	const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
		   *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	char text[AWS_PATH_LEN + sizeof(CONTAINER_HOST)];
	int err;

	if (!relative && !full)
		return -ENOENT;
	if (relative && *relative != '/') {
		creds_say(h, "container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
		return -EINVAL;
	}
	if (relative)
		err = snprintf(text, sizeof(text), CONTAINER_HOST "%s", relative) < (int)sizeof(text) ? aws_url_parse(text, ret)
												      : -EINVAL;
	else
		err = aws_url_parse(full, ret);
	wipe(text, sizeof(text));
	if (err)
		creds_say(h, "container: AWS_CONTAINER_CREDENTIALS_%s_URI is no URL", relative ? "RELATIVE" : "FULL");
	else if (!aws_url_credentials_ok(ret)) {
		creds_say(h, "container: %s may not be asked for credentials over http: use https, or an address of this host",
			  ret->host);
		err = -EPERM;
	}
	return err;
}

/* *ret stays NULL where none is asked for. */
static int container_token(struct creds_hunt *h, char **ret)
{
	const char *file = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
		   *token = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	size_t n = 0;
	int err = file ? aws_secret_read(file, TOKEN_MAX, ret, &n) : 0;

	if (err) {
		creds_say(h, "container: %s: %s", file, err == -EINVAL ? "not a regular file" : strerror(-err));
		return err;
	}
	if (!file && token) {
		n = strlen(token);
		while (n && strchr(" \t\r\n", token[n - 1]))
			n--;
		*ret = locked_alloc(n + 1);
		if (!*ret)
			return -ENOMEM;
		memcpy(*ret, token, n);
	}
	if (*ret && (strlen(*ret) != n || strpbrk(*ret, "\r\n"))) {
		creds_say(h, "container: the authorization token holds a line end");
		return -EINVAL;
	}
	return 0;
}

static int container_ask(struct creds_hunt *h, const struct aws_url *url, const char *token, char *answer)
{
	struct aws_http_header headers[] = {{"Accept", "application/json"}, {"Authorization", token}};
	struct aws_http_request q = {.url = url,
				     .method = "GET",
				     .headers = headers,
				     .nheaders = token ? 2 : 1,
				     .direct = true,
				     .connect_ms = CONTAINER_CONNECT_MS,
				     .timeout_ms = aws_left_ms(h->a, CONTAINER_MS),
				     .to = answer,
				     .room = CREDS_ANSWER_MAX};
	struct aws_http_answer got;
	int err = aws_http_send(h->a->http, &q, &got);

	if (err)
		return err;
	if (got.status != 200) {
		if (got.status)
			creds_say(h, "container: %s answers with status %ld", url->host, got.status);
		else
			creds_say(h, "container: %s: %s", url->host, got.why);
		return -EIO;
	}
	err = creds_from_json(answer, got.len, h->to);
	if (err)
		creds_say(h, "container: what %s answers is no credential", url->host);
	return err;
}

int creds_from_container(struct creds_hunt *h)
{
	struct aws_url url;
	_cleanup_locked_ char *token = NULL;
	_cleanup_locked_ char *answer = locked_alloc(CREDS_ANSWER_MAX);
	int err = answer ? container_url(h, &url) : -ENOMEM;

	if (!err)
		err = container_token(h, &token);
	if (!err)
		err = container_ask(h, &url, token, answer);
	if (!err)
		h->source = CREDS_CONTAINER;
	wipe(&url, sizeof(url));
	return err == -ENOENT && h->why[0] ? -EIO : err; /* a token's file that is missing is no place that is not configured */
}

/* --- instance ----------------------------------------------------------------------------------- */

struct imds *aws_imds(struct aws *a)
{
	if (!a->imds && !imds_open(&a->imds))
		imds_stop_by(a->imds, a->stop);
	return a->imds;
}

static int instance_says(struct creds_hunt *h, enum imds_state s)
{
	switch (s) {
	case IMDS_OK:
		return 0;
	case IMDS_OFF:
		creds_say(h, "none are configured, and AWS_EC2_METADATA_DISABLED keeps from asking for the instance's role");
		return -ENOENT;
	case IMDS_NOT_EC2:
	case IMDS_UNKNOWN:
		return -ENOENT;
	case IMDS_HOPS:
		creds_say(h, "instance: the metadata service took the connection, but its answer did not come: its hop limit may "
			     "be too low");
		return -ETIMEDOUT;
	case IMDS_REFUSED:
		creds_say(h, "instance: the metadata service is switched off for this instance");
		return -EACCES;
	default:
		creds_say(h, "instance: what the metadata service answers makes no sense");
		return -EIO;
	}
}

/* The first line: an instance has one role. */
static bool role_of(char *text)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-";
	size_t n = strspn(text, set);

	if (!n || n >= ROLE_LEN || (text[n] && !strchr("\r\n", text[n])))
		return false;
	text[n] = '\0';
	return true;
}

static int instance_ask(struct creds_hunt *h, struct imds *i, char *answer)
{
	static const char base[] = "/latest/meta-data/iam/security-credentials/";
	char path[sizeof(base) + ROLE_LEN];
	int err = instance_says(h, imds_read(i, base, answer, CREDS_ANSWER_MAX));

	if (err)
		return err;
	if (!*answer) {
		creds_say(h, "none are configured, and this instance has no role");
		return -ENOENT;
	}
	if (!role_of(answer))
		return instance_says(h, IMDS_BROKEN);
	snprintf(path, sizeof(path), "%s%s", base, answer);
	err = instance_says(h, imds_read(i, path, answer, CREDS_ANSWER_MAX));
	if (err)
		return err;
	err = creds_from_json(answer, strlen(answer), h->to);
	if (err == -EACCES)
		creds_say(h, "instance: the metadata service cannot give credentials: the role may not be assumed by it");
	else if (err)
		creds_say(h, "instance: what the metadata service answers is no credential");
	return err;
}

int creds_from_instance(struct creds_hunt *h)
{
	_cleanup_locked_ char *answer = locked_alloc(CREDS_ANSWER_MAX);
	struct imds *i = answer ? aws_imds(h->a) : NULL;
	int err;

	if (!answer)
		return -ENOMEM;
	if (!i) {
		creds_say(h, "instance: AWS_EC2_METADATA_SERVICE_ENDPOINT is no http address");
		return -EINVAL;
	}
	err = instance_ask(h, i, answer);
	if (!err)
		h->source = CREDS_INSTANCE;
	return err;
}
