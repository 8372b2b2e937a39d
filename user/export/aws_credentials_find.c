/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where credentials come from, in botocore's order. The first place that is configured is the one: where it fails, nobody else's
 * are taken, since they would be another's rights.
 */
#include <stdarg.h>
#include <string.h>

#include "user/export/aws_environment.h"
#include "user/export/aws_internal.h"
#include "user/locked.h"

void creds_say(struct creds_hunt *h, const char *format, ...)
{
	char raw[2 * AWS_WHY_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(h->why, sizeof(h->why), raw, strlen(raw));
}

static bool copy(char *to, size_t room, const char *text)
{
	return snprintf(to, room, "%s", text ?: "") < (int)room;
}

int creds_from_environment(struct creds_hunt *h)
{
	const char *access = aws_env("AWS_ACCESS_KEY_ID"), *secret = aws_env("AWS_SECRET_ACCESS_KEY"),
		   *token = aws_env("AWS_SESSION_TOKEN") ?: aws_env("AWS_SECURITY_TOKEN"),
		   *end = aws_env("AWS_CREDENTIAL_EXPIRATION");

	if (!access)
		return -ENOENT;
	if (!secret) {
		creds_say(h, "environment: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
		return -EINVAL;
	}
	if (!copy(h->to->access, sizeof(h->to->access), access) || !copy(h->to->secret, sizeof(h->to->secret), secret) ||
	    !copy(h->to->token, sizeof(h->to->token), token) || creds_check(h->to)) {
		creds_say(
		    h, "environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds what no credential does");
		return -EINVAL;
	}
	h->to->expires_s = end ? creds_expiry(end) : 0;
	h->source = CREDS_ENVIRONMENT;
	return 0;
}

/* --- profile ------------------------------------------------------------------------------------ */

static bool profile_says(struct creds_hunt *h, const char *key)
{
	char text[8];

	return aws_profiles_get(&h->profiles, h->profiles.name, key, text, sizeof(text)) != -ENOENT;
}

static int partial(struct creds_hunt *h, const char *what)
{
	creds_say(h, "profile %s: %s", h->profiles.name, what);
	return -EINVAL;
}

static int creds_from_profile(struct creds_hunt *h)
{
	const char *name = h->profiles.name;
	struct aws_profiles at = aws_profiles_keys(&h->profiles, name);
	struct creds *c = h->to;
	int err = aws_profiles_get(&at, name, "aws_access_key_id", c->access, sizeof(c->access));

	if (err == -ENOENT)
		return err;
	if (err || aws_profiles_get(&at, name, "aws_secret_access_key", c->secret, sizeof(c->secret)))
		return partial(h, "aws_access_key_id without aws_secret_access_key, or one of them is too long");
	err = aws_profiles_get(&at, name, "aws_session_token", c->token, sizeof(c->token));
	if (err == -ENOENT)
		err = aws_profiles_get(&at, name, "aws_security_token", c->token, sizeof(c->token));
	if (err == -ENOENT)
		c->token[0] = '\0';
	if ((err && err != -ENOENT) || creds_check(c))
		return partial(h, "it holds what no credential does");
	h->source = CREDS_PROFILE;
	return 0;
}

/* What a monitor that runs as root does not do for a file in a home directory: run what it names, or open a browser. */
static int creds_not_supported(struct creds_hunt *h)
{
	static const char *const keys[] = {"credential_process", "sso_session", "sso_start_url", "login_session"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (profile_says(h, keys[i])) {
			creds_say(h, "profile %s: %s is not supported: use a role, of the instance or the pod, or keys",
				  h->profiles.name, keys[i]);
			return -EOPNOTSUPP;
		}
	return -ENOENT;
}

static int profile_exists(struct creds_hunt *h)
{
	if (!h->profiles.named || aws_profiles_have(&h->profiles, h->profiles.name))
		return -ENOENT;
	creds_say(h, "profile %s, of AWS_PROFILE, is in neither of the shared configuration's files", h->profiles.name);
	return -EINVAL;
}

/* --- all ---------------------------------------------------------------------------------------- */

static int (*const places[])(struct creds_hunt *h) = {
    profile_exists,	 creds_from_profile_role, creds_from_web_identity, creds_from_profile,
    creds_not_supported, creds_from_container,	  creds_from_instance,
};

static int find(struct creds_hunt *h)
{
	int err = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(places) && err == -ENOENT; i++) {
		wipe(h->to, sizeof(*h->to));
		err = places[i](h);
	}
	if (err == -ENOENT && !h->why[0])
		creds_say(h, "none are configured: neither in the environment nor in a shared profile, and there is no role of a "
			     "container or an instance");
	return err;
}

int creds_find(struct creds_hunt *h)
{
	int err = creds_from_environment(h);

	if (err != -ENOENT) /* then no file needs to be good */
		return err;
	err = aws_profiles_load(&h->profiles, h->why, sizeof(h->why));
	if (err)
		return err;
	err = find(h);
	aws_profiles_done(&h->profiles);
	return err;
}
