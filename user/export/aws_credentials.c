/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Keeping credentials: renewed before they end; those that are there serve while a renewal fails. */
#include <string.h>

#include "user/export/aws_internal.h"
#include "user/export/backoff.h"
#include "user/locked.h"

#define FORCED_NS (60 * NSEC)	/* between two renewals because AWS refused */
#define SAME_NS (60 * NSEC)	/* when what was given is not newer than what was there */
#define ENDED_NS (300 * NSEC)	/* when what was given has ended already: an outage that AWS bridges */

static void drop(struct aws *a)
{
	wipe(a->creds, sizeof(*a->creds));
	a->source = CREDS_NOWHERE;
}

static void take(struct aws *a, const struct creds_hunt *h)
{
	uint64_t now = now_boot_ns();
	bool old = a->source == h->source && h->to->expires_s && h->to->expires_s == a->age.expires_s;
	struct creds_age age = creds_age_of(h->to->expires_s, aws_now_s(a), now);

	if (old && !age.ended_when_got)
		age.early_s = MAX(age.early_s, a->age.early_s);
	*a->creds = *h->to;
	a->source = h->source;
	a->age = age;
	a->failures = 0;
	a->why[0] = '\0';
	a->again_ns = now + (age.ended_when_got ? ENDED_NS : old ? SAME_NS : 0);
}

/* 0: there are new ones. */
static int renew(struct aws *a)
{
	struct creds_hunt h = {.a = a};
	_cleanup_locked_ struct creds *to = locked_alloc(sizeof(*to));
	int err;

	if (!to)
		return -ENOMEM;
	h.to = to;
	err = creds_find(&h);
	if (!err) {
		take(a, &h);
		return 0;
	}
	if (err == -ECANCELED || err == -ENOMEM)
		return err;
	memcpy(a->why, h.why, sizeof(a->why));
	a->failures++;
	a->again_ns = now_boot_ns() + creds_pause(a->failures, backoff_random());
	return -ENOENT;
}

/* The metadata service gives what has ended while it cannot give new ones, and AWS then takes it. */
static bool still_do(const struct aws *a, enum creds_need need)
{
	return a->source != CREDS_NOWHERE && (need != CREDS_ENDED || a->source == CREDS_INSTANCE);
}

int aws_credentials_get(struct aws *a)
{
	uint64_t now = now_boot_ns();
	enum creds_need need = a->source == CREDS_NOWHERE ? CREDS_ENDED : creds_need(&a->age, aws_now_s(a), now);
	int err = 0;

	if (need != CREDS_FRESH && now >= a->again_ns)
		err = renew(a);
	if (err == -ECANCELED || err == -ENOMEM)
		return err;
	if (a->source != CREDS_NOWHERE)
		need = creds_need(&a->age, aws_now_s(a), now_boot_ns());
	if (still_do(a, need))
		return 0;
	drop(a);
	return -ENOENT;
}

static bool same(const struct creds *a, const struct creds *b)
{
	return !strcmp(a->access, b->access) && !strcmp(a->secret, b->secret) && !strcmp(a->token, b->token);
}

bool aws_credentials_force(struct aws *a)
{
	_cleanup_locked_ struct creds *was = NULL;
	uint64_t now = now_boot_ns();

	if (a->forced_ns && now - a->forced_ns < FORCED_NS)
		return false;
	a->forced_ns = now;
	was = locked_alloc(sizeof(*was));
	if (!was)
		return false;
	*was = *a->creds;
	return !renew(a) && !same(was, a->creds);
}

static const char *const sources[] = {
    [CREDS_NOWHERE] = NULL,		  [CREDS_ENVIRONMENT] = "environment", [CREDS_PROFILE] = "profile",
    [CREDS_WEB_IDENTITY] = "web identity", [CREDS_CONTAINER] = "container",	 [CREDS_INSTANCE] = "instance",
};

const char *aws_credential_source(const struct aws *a)
{
	return sources[a->source];
}

int64_t aws_credential_expiry(const struct aws *a)
{
	return a->source == CREDS_NOWHERE ? 0 : a->age.expires_s;
}
