/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Credentials of a role, had from STS: by a token that vouches for this machine, or by other credentials. Always posted, since an
 * address is written into more logs than a body is. */
#include <ctype.h>
#include <string.h>

#include "user/export/aws_environment.h"
#include "user/export/aws_error.h"
#include "user/export/aws_internal.h"
#include "user/locked.h"

#define WEB_TOKEN_MAX 20000 /* AWS's own limit */
#define ARN_LEN 2049
#define FORM_MAX 81920
#define CHAIN_MAX 5 /* profiles that name each other */
#define STS_MS 10000

/* --- asking STS --------------------------------------------------------------------------------- */

struct form {
	char *text; /* locked */
	size_t n;
};

static void form_text(struct form *f, const char *text)
{
	for (; *text && f->n + 4 < FORM_MAX; text++)
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			f->text[f->n++] = *text;
		else
			f->n += (size_t)sprintf(f->text + f->n, "%%%02X", (unsigned char)*text);
}

static void form_add(struct form *f, const char *name, const char *value)
{
	if (f->n && f->n + 2 < FORM_MAX)
		f->text[f->n++] = '&';
	form_text(f, name);
	if (f->n + 2 < FORM_MAX)
		f->text[f->n++] = '=';
	form_text(f, value);
}

/* Of an error only the name is told: its message may repeat what was sent. */
static int refused(struct creds_hunt *h, const char *what, const struct aws_http_answer *got, const char *error)
{
	if (got->status)
		creds_say(h, "%s: STS answers with status %ld%s%s", what, got->status, *error ? ", " : "", error);
	else
		creds_say(h, "%s: STS: %s", what, got->why);
	return got->status ? -EACCES : -EIO;
}

struct sts_asking {
	const char *what, *action; /* for people; for STS */
	const struct form *form;
	const struct creds *by; /* NULL: unsigned */
	char *answer;		/* locked, CREDS_ANSWER_MAX */
};

static int sts_send(struct creds_hunt *h, const struct sts_asking *s, struct aws_http_answer *ret, char error[static AWS_ERROR_LEN])
{
	struct aws_request q = {.service = "sts", .path = "/", .content_type = "application/x-www-form-urlencoded; charset=utf-8",
				.body = s->form->text, .len = s->form->n, .timeout_ms = STS_MS};
	int err = aws_send(h->a, &(struct aws_sending){&q, s->by, s->answer, CREDS_ANSWER_MAX}, ret, h->why);
	char message[8];

	if (!err)
		aws_error_read(s->answer, ret->status < 300 ? 0 : ret->len, error, message, sizeof(message));
	return err == -ENOENT ? -EIO : err; /* no endpoint: it is configured all the same */
}

static int sts_exchange(struct creds_hunt *h, const struct sts_asking *s)
{
	struct aws_http_answer got = {0};
	char error[AWS_ERROR_LEN];
	int err = sts_send(h, s, &got, error);

	if (!err && s->by && aws_mend_clock(h->a, &got, error))
		err = sts_send(h, s, &got, error);
	if (err)
		return err;
	if (got.status != 200)
		return refused(h, s->what, &got, error);
	err = creds_from_sts(s->action, s->answer, got.len, h->to);
	if (err)
		creds_say(h, "%s: what STS answers is no credential", s->what);
	return err;
}

static int sts_ask(struct creds_hunt *h, const char *what, const char *action, const struct form *f, const struct creds *by)
{
	_cleanup_locked_ char *answer = locked_alloc(CREDS_ANSWER_MAX);

	return answer ? sts_exchange(h, &(struct sts_asking){what, action, f, by, answer}) : -ENOMEM;
}

/* "sluice-" and this host's name: CloudTrail then says who it was. */
static void session_name(const char *said, char ret[static 65])
{
	char host[64] = "";

	if (said && *said) {
		snprintf(ret, 65, "%s", said);
		return;
	}
	if (gethostname(host, sizeof(host) - 1))
		host[0] = '\0';
	for (char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("+=,.@-", *c))
			*c = '-';
	snprintf(ret, 65, "sluice-%.57s", *host ? host : "host");
}

static int form_begin(struct form *f, const char *action, const char *role, const char *session)
{
	char name[65];

	f->text = locked_alloc(FORM_MAX);
	if (!f->text)
		return -ENOMEM;
	session_name(session, name);
	form_add(f, "Action", action);
	form_add(f, "Version", "2011-06-15");
	form_add(f, "RoleArn", role);
	form_add(f, "RoleSessionName", name);
	return 0;
}

/* --- by a token --------------------------------------------------------------------------------- */

int creds_assume_with_token(struct creds_hunt *h, const char *role, const char *token_file, const char *session)
{
	_cleanup_locked_ char *token = NULL;
	size_t n = 0;
	struct form f = {0};
	int err = aws_secret_read(token_file, WEB_TOKEN_MAX, &token, &n);

	if (err) {
		creds_say(h, "web identity: %s: %s", token_file, err == -EINVAL ? "not a regular file" : strerror(-err));
		return err == -ENOENT ? -EIO : err; /* it is configured */
	}
	if (n < 4 || strlen(token) != n || strpbrk(token, "\r\n")) {
		creds_say(h, "web identity: %s holds no token", token_file);
		return -EINVAL;
	}
	err = form_begin(&f, "AssumeRoleWithWebIdentity", role, session);
	if (!err) {
		form_add(&f, "WebIdentityToken", token);
		err = sts_ask(h, "web identity", "AssumeRoleWithWebIdentity", &f, NULL);
	}
	locked_free(f.text);
	if (!err)
		h->source = CREDS_WEB_IDENTITY;
	return err;
}

int creds_from_web_identity(struct creds_hunt *h)
{
	const char *file = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = aws_env("AWS_ROLE_ARN");

	if (!file)
		return -ENOENT;
	if (!role) {
		creds_say(h, "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not");
		return -EINVAL;
	}
	return creds_assume_with_token(h, role, file, aws_env("AWS_ROLE_SESSION_NAME"));
}

/* --- by a profile ------------------------------------------------------------------------------- */

struct role {
	char arn[ARN_LEN], source[AWS_PROFILE_NAME_LEN], from[64], token_file[4096], session[65], external[1225], seconds[8];
};

static int role_get(struct creds_hunt *h, const char *profile, const char *key, char *ret, size_t room)
{
	int err = aws_profiles_get(&h->profiles, profile, key, ret, room);

	if (err == -ENOENT)
		*ret = '\0';
	else if (err)
		creds_say(h, "profile %s: %s is too long", profile, key);
	return err == -ENOENT ? 0 : err;
}

/* -ENOENT: the profile has no role. */
static int role_read(struct creds_hunt *h, const char *profile, struct role *r)
{
	const struct {
		const char *key;
		char *to;
		size_t room;
	} keys[] = {
	    {"role_arn", r->arn, sizeof(r->arn)},
	    {"source_profile", r->source, sizeof(r->source)},
	    {"credential_source", r->from, sizeof(r->from)},
	    {"web_identity_token_file", r->token_file, sizeof(r->token_file)},
	    {"role_session_name", r->session, sizeof(r->session)},
	    {"external_id", r->external, sizeof(r->external)},
	    {"duration_seconds", r->seconds, sizeof(r->seconds)},
	};
	char mfa[256];
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !err; i++)
		err = role_get(h, profile, keys[i].key, keys[i].to, keys[i].room);
	if (err || !r->arn[0])
		return err ? err : -ENOENT;
	if (aws_profiles_get(&h->profiles, profile, "mfa_serial", mfa, sizeof(mfa)) != -ENOENT) {
		creds_say(h, "profile %s: mfa_serial is not supported: nobody is here to type a code", profile);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int assume(struct creds_hunt *h, const struct role *r, const struct creds *by)
{
	struct form f = {0};
	int err = form_begin(&f, "AssumeRole", r->arn, r->session);

	if (!err) {
		if (*r->external)
			form_add(&f, "ExternalId", r->external);
		if (*r->seconds)
			form_add(&f, "DurationSeconds", r->seconds);
		err = sts_ask(h, "profile", "AssumeRole", &f, by);
	}
	locked_free(f.text);
	return err;
}

static int static_keys(struct creds_hunt *h, const char *profile)
{
	struct aws_profiles at = aws_profiles_keys(&h->profiles, profile);
	struct creds *c = h->to;

	if (aws_profiles_get(&at, profile, "aws_access_key_id", c->access, sizeof(c->access)) ||
	    aws_profiles_get(&at, profile, "aws_secret_access_key", c->secret, sizeof(c->secret)))
		return -ENOENT;
	if (aws_profiles_get(&at, profile, "aws_session_token", c->token, sizeof(c->token)))
		c->token[0] = '\0';
	return creds_check(c);
}

static int of_profile(struct creds_hunt *h, const char *profile, unsigned depth);

/* The credentials that the role is assumed with, into h->to. */
static int source_of(struct creds_hunt *h, const char *profile, const struct role *r, unsigned depth)
{
	static const struct {
		const char *name;
		int (*get)(struct creds_hunt *h);
	} known[] = {{"Environment", creds_from_environment},
		     {"EcsContainer", creds_from_container},
		     {"Ec2InstanceMetadata", creds_from_instance}};
	int err = -ENOENT;

	if (*r->source)
		err = of_profile(h, r->source, depth + 1);
	else
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			if (!strcmp(r->from, known[i].name))
				err = known[i].get(h);
	if (err == -ENOENT || (err && !h->why[0])) {
		creds_say(h, "profile %s: %s gives no credentials to assume its role with", profile,
			  *r->source ? "source_profile" : *r->from ? "credential_source" : "without source_profile it");
		err = -EINVAL;
	}
	return err;
}

static int by_source(struct creds_hunt *h, const char *profile, const struct role *r, unsigned depth)
{
	_cleanup_locked_ struct creds *by = locked_alloc(sizeof(*by));
	int err = by ? source_of(h, profile, r, depth) : -ENOMEM;

	if (err)
		return err;
	*by = *h->to;
	wipe(h->to, sizeof(*h->to));
	return assume(h, r, by);
}

/* Into h->to: its role's; of one that another names its keys, if it has any. */
static int of_profile(struct creds_hunt *h, const char *profile, unsigned depth)
{
	_cleanup_free_ struct role *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	if (depth >= CHAIN_MAX) {
		creds_say(h, "profile %s: source_profile leads on and on", profile);
		return -ELOOP;
	}
	if (depth) {
		err = static_keys(h, profile);
		if (err != -ENOENT)
			return err;
	}
	err = role_read(h, profile, r);
	if (err)
		return err;
	if (*r->token_file)
		return creds_assume_with_token(h, r->arn, r->token_file, r->session);
	return by_source(h, profile, r, depth);
}

int creds_from_profile_role(struct creds_hunt *h)
{
	int err = of_profile(h, h->profiles.name, 0);

	if (!err && h->source != CREDS_WEB_IDENTITY)
		h->source = CREDS_PROFILE;
	return err;
}
