/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/aws_name.h"

#include <ctype.h>
#include <string.h>

#include "user/dest/aws_partition.h"

#define HOST_LEN 256
#define LABELS_MAX 40 /* of a bucket 32, in the name of an interface endpoint */

/* The labels before the suffix, the last one first. */
struct labels {
	char text[HOST_LEN];
	const char *partition;
	const char *v[LABELS_MAX];
	size_t n;
};

static bool ends_with(const char *host, const char *suffix)
{
	size_t n = strlen(host), len = strlen(suffix);

	return n > len && !strcmp(host + n - len, suffix);
}

static bool strip_suffix(char *host, const char **ret_partition)
{
	for (size_t i = 0; i < ARRAY_SIZE(aws_partitions) * 2; i++) {
		const char *suffix = aws_partitions[i / 2].suffixes[i % 2];

		if (!ends_with(host, suffix))
			continue;
		host[strlen(host) - strlen(suffix)] = '\0';
		*ret_partition = aws_partitions[i / 2].name;
		return true;
	}
	return false;
}

static bool split(const char *host, struct labels *ret)
{
	size_t n = strlen(host);

	if (n && host[n - 1] == '.')
		n--;
	if (!n || n >= sizeof(ret->text))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)host[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
		ret->text[i] = (char)tolower(c);
	}
	ret->text[n] = '\0';
	if (!strip_suffix(ret->text, &ret->partition))
		return false;
	ret->n = 0;
	for (char *dot; ret->n < LABELS_MAX; *dot = '\0') {
		dot = strrchr(ret->text, '.');
		const char *label = dot ? dot + 1 : ret->text;

		if (!*label)
			return false;
		ret->v[ret->n++] = label;
		if (!dot)
			return true;
	}
	return false;
}

/* "eu-central-1", "us-gov-west-1"; letters come first: "s3-eu-west-1" is none. */
static bool is_region(const char *s)
{
	size_t n = strlen(s), dashes = 0;

	for (const char *c = s; *c; c++)
		dashes += *c == '-';
	return dashes >= 2 && n < AWS_WORD_LEN && s[strspn(s, "abcdefghijklmnopqrstuvwxyz")] == '-' &&
	       isdigit((unsigned char)s[n - 1]) && s[n - 2] == '-' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool is_account(const char *s)
{
	return strlen(s) == 12 && strspn(s, "0123456789") == 12;
}

static void set_word(char ret[static AWS_WORD_LEN], const char *s)
{
	snprintf(ret, AWS_WORD_LEN, "%s", s);
}

/* What stands before label `at`, as it was written: a bucket's name may have dots. False: too long for any. */
static bool rest_before(const struct labels *l, size_t at, char ret[static AWS_WORD_LEN])
{
	size_t w = 0;

	for (size_t i = l->n; i-- > at;) {
		int n = snprintf(ret + w, AWS_WORD_LEN - w, "%s%s", w ? "." : "", l->v[i]);

		if (n < 0 || (size_t)n >= AWS_WORD_LEN - w)
			return false;
		w += (size_t)n;
	}
	return true;
}

/* "name-123456789012": an access point and its owner. */
static bool split_owner(const char *label, struct aws_name *a)
{
	size_t n = strlen(label);

	if (n < 14 || label[n - 13] != '-' || !is_account(label + n - 12) || n - 13 >= AWS_WORD_LEN)
		return false;
	memcpy(a->resource, label, n - 13);
	a->resource[n - 13] = '\0';
	memcpy(a->account, label + n - 12, 13);
	return true;
}

/* --- S3 -------------------------------------------------------------------------------------- */

static const struct {
	const char *label;
	enum s3_form form; /* with something before it */
} s3_labels[] = {
	{"s3", S3_BUCKET},
	{"s3-fips", S3_BUCKET},
	{"s3-accelerate", S3_BUCKET},
	{"s3-website", S3_BUCKET},
	{"s3-external-1", S3_BUCKET},
	{"s3-accesspoint", S3_ACCESS_POINT},
	{"s3-accesspoint-fips", S3_ACCESS_POINT},
	{"s3-object-lambda", S3_OBJECT_LAMBDA},
	{"s3-object-lambda-fips", S3_OBJECT_LAMBDA},
	{"s3-outposts", S3_OUTPOST},
	{"s3-outposts-fips", S3_OUTPOST},
	{"s3-control", S3_CONTROL},
	{"s3-control-fips", S3_CONTROL},
	{"s3express-control", S3_CONTROL},
	{"s3express-control-fips", S3_CONTROL},
	{"s3-global", S3_MULTI_REGION},
};

/* "s3-eu-west-1", "s3-website-eu-west-1": the old way to name a region. */
static bool old_region(const char *label, struct aws_name *a)
{
	static const char *const heads[] = {"s3-website-", "s3-fips-", "s3-"};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		size_t n = strlen(heads[i]);

		if (strncmp(label, heads[i], n) || !is_region(label + n))
			continue;
		set_word(a->region, label + n);
		return true;
	}
	return false;
}

static bool is_s3(const char *label, struct aws_name *a, enum s3_form *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(s3_labels); i++) {
		if (!strcmp(s3_labels[i].label, label)) {
			*ret = s3_labels[i].form;
			return true;
		}
	}
	*ret = S3_BUCKET;
	return !strncmp(label, "s3express-", 10) || old_region(label, a);
}

/* <ap>-<account>.op-<id>, or a bucket by its alias, on a rack (op-<id>) or a server (ec2). */
static bool name_outpost(const struct labels *l, size_t at, struct aws_name *a)
{
	if (l->n != at + 2 || (strncmp(l->v[at], "op-", 3) && strcmp(l->v[at], "ec2")))
		return false;
	if (!split_owner(l->v[at + 1], a))
		set_word(a->resource, l->v[at + 1]);
	return true;
}

/* `at`: the first label, from the right, before the service's own. */
static bool name_resource(const struct labels *l, size_t at, enum s3_form form, struct aws_name *a)
{
	a->form = form;
	if (at >= l->n) {
		a->form = form == S3_BUCKET ? S3_PATH : form;
		return form == S3_BUCKET || form == S3_CONTROL;
	}
	switch (form) {
	case S3_BUCKET:
		return rest_before(l, at, a->resource);
	case S3_ACCESS_POINT:
	case S3_OBJECT_LAMBDA:
		return l->n == at + 1 && split_owner(l->v[at], a);
	case S3_OUTPOST:
		return name_outpost(l, at, a);
	case S3_MULTI_REGION: /* <alias>.mrap.accesspoint */
		set_word(a->resource, l->v[l->n - 1]);
		return l->n == at + 3 && !strcmp(l->v[at], "accesspoint") && !strcmp(l->v[at + 1], "mrap");
	case S3_CONTROL:
		if (l->n == at + 1 && is_account(l->v[at]))
			memcpy(a->account, l->v[at], 13);
		return l->n == at + 1;
	default:
		return false;
	}
}

/* An interface endpoint: ....{bucket|accesspoint|control}.vpce-<id>.s3.<region>.vpce */
static bool name_private_s3(const struct labels *l, size_t at, struct aws_name *a)
{
	const char *what = at + 1 < l->n ? l->v[at + 1] : "";

	a->private_link = true;
	if (!strcmp(what, "bucket"))
		return name_resource(l, at + 2, S3_BUCKET, a);
	if (!strcmp(what, "accesspoint"))
		return name_resource(l, at + 2, S3_ACCESS_POINT, a);
	a->form = strcmp(what, "control") ? S3_PATH : S3_CONTROL;
	return true;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Of any other service: <...>.<service>[.<region>], with -fips behind it. */
static bool name_service(const struct labels *l, size_t at, struct aws_name *a)
{
	char *fips;

	set_word(a->service, l->v[at]);
	fips = strstr(a->service, "-fips");
	if (fips && !fips[5])
		*fips = '\0';
	/* 123456789012.dkr.ecr.<region> */
	for (size_t i = at + 1; i < l->n; i++)
		if (is_account(l->v[i]))
			memcpy(a->account, l->v[i], 13);
	return true;
}

bool aws_name_parse(const char *host, struct aws_name *ret)
{
	struct aws_name a = {0};
	struct labels l;
	enum s3_form form;
	size_t at = 0;
	bool vpce;

	if (!split(host, &l))
		return false;
	vpce = !strcmp(l.v[0], "vpce");
	at += vpce;
	if (at < l.n && is_region(l.v[at]))
		set_word(a.region, l.v[at++]);
	if (at < l.n && !strcmp(l.v[at], "dualstack"))
		at++;
	if (at >= l.n)
		return false;
	bool s3 = is_s3(l.v[at], &a, &form);
	a.partition = strcmp(l.partition, "aws-us-gov") ? l.partition : aws_partition_of(a.region)->name;
	if (!s3) {
		a.private_link = vpce;
		name_service(&l, at, &a);
		*ret = a;
		return true;
	}
	set_word(a.service, "s3");
	if (!(vpce ? name_private_s3(&l, at + 1, &a) : name_resource(&l, at + 1, form, &a)))
		return false;
	*ret = a;
	return true;
}
