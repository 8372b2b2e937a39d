/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_creds.h"

#include <ctype.h>
#include <string.h>

#include "user/export/json_pick.h"
#include "user/export/xml_pick.h"
#include "user/locked.h"

static bool graphic(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool is_key_id(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return *text;
}

int creds_check(const struct creds *c)
{
	return is_key_id(c->access) && *c->secret && graphic(c->secret) && graphic(c->token) ? 0 : -EINVAL;
}

/* --- when they end ------------------------------------------------------------------------------ */

/* As JSON may write a number; a part of a second is cut. */
static int64_t seconds(const char *text)
{
	int64_t v = 0;
	int left = 0, e = 0;
	bool point = false;

	for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (v > INT64_MAX / 100)
			return 0;
		v = v * 10 + (*text - '0');
		left += point;
	}
	if ((*text == 'e' || *text == 'E') && text++) {
		text += *text == '+';
		if (!isdigit((unsigned char)*text))
			return 0;
		for (; isdigit((unsigned char)*text) && e < 100; text++)
			e = e * 10 + (*text - '0');
	}
	if (*text)
		return 0;
	for (; left < e; left++)
		if (__builtin_mul_overflow(v, 10, &v))
			return 0;
	for (; left > e; left--)
		v /= 10;
	return v;
}

int64_t creds_expiry(const char *text)
{
	static const int64_t last = 253402300799; /* 9999-12-31T23:59:59Z */
	struct timespec t;
	int64_t s = time_parse(text, &t) ? seconds(text) : t.tv_sec;

	return s > 0 && s <= last ? s : 0;
}

/* --- answers ------------------------------------------------------------------------------------ */

static char *trimmed(char *text)
{
	size_t n = strlen(text), skip = strspn(text, " \t\r\n");

	while (n > skip && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	memmove(text, text + skip, n - skip + 1);
	return text;
}

static bool is_json(const char *text, size_t n)
{
	while (n && isspace((unsigned char)*text)) {
		text++;
		n--;
	}
	return n && *text == '{';
}

static int json_member(const char *text, size_t n, const char *name, char *ret, size_t room)
{
	return json_pick(text, n, (const char *const[]){name, NULL}, ret, room);
}

/* An end that cannot be read is one that is not known: that is no reason to go without. */
static int fill_json(const char *text, size_t n, struct creds *c)
{
	char code[64], end[64];
	int err = json_member(text, n, "Code", code, sizeof(code));

	if (!err && strcmp(code, "Success"))
		return -EACCES;
	if (err && err != -ENOENT)
		return -EINVAL;
	if (json_member(text, n, "AccessKeyId", c->access, sizeof(c->access)) ||
	    json_member(text, n, "SecretAccessKey", c->secret, sizeof(c->secret)))
		return -EINVAL;
	err = json_member(text, n, "Token", c->token, sizeof(c->token));
	if (err && err != -ENOENT)
		return -EINVAL;
	c->expires_s = json_member(text, n, "Expiration", end, sizeof(end)) ? 0 : creds_expiry(end);
	return creds_check(c);
}

static int sts_member(const char *const path[6], const char *text, size_t n, char *ret, size_t room)
{
	int err = is_json(text, n) ? json_pick(text, n, path, ret, room) : xml_pick(text, n, path, ret, room);

	if (!err)
		trimmed(ret);
	return err;
}

static int fill_sts(const char *action, const char *text, size_t n, struct creds *c)
{
	char outer[64], inner[64], end[64];
	const char *path[6] = {outer, inner, "Credentials"};

	snprintf(outer, sizeof(outer), "%sResponse", action);
	snprintf(inner, sizeof(inner), "%sResult", action);
	path[3] = "AccessKeyId";
	if (sts_member(path, text, n, c->access, sizeof(c->access)))
		return -EINVAL;
	path[3] = "SecretAccessKey";
	if (sts_member(path, text, n, c->secret, sizeof(c->secret)))
		return -EINVAL;
	path[3] = "SessionToken";
	if (sts_member(path, text, n, c->token, sizeof(c->token)) || !*c->token)
		return -EINVAL;
	path[3] = "Expiration";
	c->expires_s = sts_member(path, text, n, end, sizeof(end)) ? 0 : creds_expiry(end);
	return creds_check(c);
}

int creds_from_json(const char *text, size_t n, struct creds *ret)
{
	_cleanup_locked_ struct creds *c = locked_alloc(sizeof(*c));
	int err = c ? fill_json(text, n, c) : -ENOMEM;

	if (!err)
		*ret = *c;
	return err;
}

int creds_from_sts(const char *action, const char *text, size_t n, struct creds *ret)
{
	_cleanup_locked_ struct creds *c = locked_alloc(sizeof(*c));
	int err = c ? fill_sts(action, text, n, c) : -ENOMEM;

	if (!err)
		*ret = *c;
	return err;
}

int account_from_sts(const char *text, size_t n, char ret[static AWS_ACCOUNT_LEN])
{
	static const char *const path[6] = {"GetCallerIdentityResponse", "GetCallerIdentityResult", "Account"};
	char account[32];

	if (sts_member(path, text, n, account, sizeof(account)) || strlen(account) != AWS_ACCOUNT_LEN - 1 ||
	    strspn(account, "0123456789") != AWS_ACCOUNT_LEN - 1)
		return -EINVAL;
	memcpy(ret, account, AWS_ACCOUNT_LEN);
	return 0;
}

/* --- age ---------------------------------------------------------------------------------------- */

struct creds_age creds_age_of(int64_t expires_s, int64_t now_s, uint64_t now_ns)
{
	int64_t life = expires_s ? expires_s - now_s : 0;

	return (struct creds_age){.expires_s = expires_s,
				  .early_s = life > 0 ? MIN(life / 4, CREDS_ADVISED_S) : 0,
				  .got_ns = now_ns,
				  .ended_when_got = expires_s && life <= 0};
}

enum creds_need creds_need(const struct creds_age *a, int64_t now_s, uint64_t now_ns)
{
	if (!a->expires_s)
		return now_ns - a->got_ns < CREDS_UNKNOWN_S * NSEC ? CREDS_FRESH : CREDS_ADVISED;
	if (a->ended_when_got)
		return CREDS_ADVISED;
	if (now_s >= a->expires_s)
		return CREDS_ENDED;
	return a->expires_s - now_s > a->early_s ? CREDS_FRESH : CREDS_ADVISED;
}

/* From half a second to a minute. */
uint64_t creds_pause(unsigned failures, uint64_t random)
{
	uint64_t most = MIN(60 * NSEC, NSEC << MIN(failures, 10u));

	return failures ? most / 2 + random % (most / 2 + 1) : 0;
}
