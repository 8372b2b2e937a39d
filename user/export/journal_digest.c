/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_digest.h"

#include <string.h>

char *digest_time(char buf[static TIME_LEN], const struct timespec *wall)
{
	struct tm tm = {0};

	gmtime_r(&wall->tv_sec, &tm);
	if (!strftime(buf, TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm))
		buf[0] = '\0';
	return buf;
}

char *digest_to_sign(const char *end, const char *bucket, const char *object, const char hash[static HASH_HEX + 1],
		     const char *previous_signature, size_t *ret_len)
{
	char *text;
	int n =
	    asprintf(&text, "%s\n%s/%s\n%s\n%s", end, bucket, object, hash, previous_signature ? previous_signature : "null");

	if (n < 0)
		return NULL;
	*ret_len = (size_t)n;
	return text;
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static bool good_logs(const json_t *logs)
{
	size_t i;
	json_t *f;

	if (!json_is_array(logs))
		return false;
	json_array_foreach (logs, i, f) {
		const char *hash = text_of(f, "hashValue");

		if (!text_of(f, "s3Object") || !hash || strlen(hash) != HASH_HEX)
			return false;
	}
	return true;
}

static bool take_members(struct digest *d, const char *name)
{
	const json_t *j = d->json, *own = json_object_get(j, "sluice");
	json_int_t first = json_integer_value(json_object_get(own, "first_seq"));
	json_int_t last = json_integer_value(json_object_get(own, "last_seq"));

	d->object = text_of(j, "digestS3Object");
	d->fingerprint = text_of(j, "digestPublicKeyFingerprint");
	d->start = text_of(j, "digestStartTime");
	d->end = text_of(j, "digestEndTime");
	d->previous = text_of(j, "previousDigestS3Object");
	d->previous_hash = text_of(j, "previousDigestHashValue");
	d->previous_signature = text_of(j, "previousDigestSignature");
	d->logs = json_object_get(j, "logFiles");
	d->first_seq = first > 0 ? (uint64_t)first : 0;
	d->last_seq = last > 0 ? (uint64_t)last : 0;
	return d->object && !strcmp(d->object, name) && d->fingerprint && d->start && d->end && text_of(j, "digestS3Bucket") &&
	       good_logs(d->logs) && !d->previous == !d->previous_hash && !d->previous == !d->previous_signature;
}

static int read_signature(int dir, const char *name, char **ret)
{
	char file[JOURNAL_NAME + 8], *text;
	size_t len;

	snprintf(file, sizeof(file), "%s.sig", name);
	int err = journal_read_file(dir, file, SIGN_HEX_MAX + 1, &text, &len);

	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	if (len < 2 || text[len - 1] != '\n' || strspn(text, "0123456789abcdef") != len - 1) {
		free(text);
		return -EBADMSG;
	}
	text[len - 1] = '\0';
	*ret = text;
	return 0;
}

static int parse(struct digest *d, const char *name, const char *text, size_t len)
{
	struct hasher h;
	int err = hasher_open(&h);

	if (err)
		return err;
	hasher_hex(&h, text, len, d->hash);
	hasher_close(&h);
	d->json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return d->json && take_members(d, name) ? 0 : -EBADMSG;
}

int digest_read(int dir, const char *name, struct digest *ret, const char **ret_why)
{
	_cleanup_free_ char *text = NULL;
	struct digest d = {0};
	size_t len;
	int err = journal_read_file(dir, name, DIGEST_MAX, &text, &len);

	*ret_why = "cannot be read";
	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	err = parse(&d, name, text, len);
	if (err) {
		*ret_why = "is no digest, or was changed";
	} else {
		err = read_signature(dir, name, &d.signature);
		*ret_why = err == -ENOENT ? "has no signature beside it" : "has a signature that is none";
	}
	if (err) {
		digest_clear(&d);
		return err;
	}
	*ret = d;
	return 0;
}

void digest_clear(struct digest *d)
{
	json_decref(d->json);
	free(d->signature);
	*d = (struct digest){0};
}

int digest_check(const struct digest *d, const struct checker *key)
{
	size_t len;
	_cleanup_free_ char *text =
	    digest_to_sign(d->end, text_of(d->json, "digestS3Bucket"), d->object, d->hash, d->previous_signature, &len);

	if (!text)
		return -ENOMEM;
	return checker_check(key, text, len, d->signature, strlen(d->signature));
}
