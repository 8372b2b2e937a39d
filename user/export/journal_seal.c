/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Digests of what was written: made, signed, chained. */
#include "user/export/journal_internal.h"

#include <string.h>

#include "user/array.h"

static json_t *log_file(const struct journal *j, const struct segment *s)
{
	char name[JOURNAL_NAME];

	journal_segment_name(name, s->first);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "s3Bucket", j->host, "s3Object", name, "hashValue", s->hash,
			 "hashAlgorithm", "SHA-256", "newestEventTime", s->last_time, "oldestEventTime", s->first_time);
}

struct cover {
	json_t *logs;
	const char *oldest, *newest; /* NULL: nothing */
	uint64_t first, last;
};

static int cover(const struct journal *j, struct cover *ret)
{
	struct cover c = {.logs = json_array()};

	for (size_t i = 0; c.logs && i < j->nclosed; i++) {
		const struct segment *s = &j->closed[i];

		if (!s->hash[0] || s->first <= j->seal.covered)
			continue;
		if (json_array_append_new(c.logs, log_file(j, s))) {
			json_decref(c.logs);
			c.logs = NULL;
			break;
		}
		c.first = c.first ? c.first : s->first;
		c.last = s->last;
		c.oldest = c.oldest ? c.oldest : s->first_time;
		c.newest = s->last_time;
	}
	if (!c.logs)
		return -ENOMEM;
	*ret = c;
	return 0;
}

/* Takes over c->logs. */
static json_t *compose(const struct journal *j, const char *name, const char *end, const struct cover *c)
{
	const struct seal *before = &j->seal;
	bool follows = before->name[0];
	char start[TIME_LEN];

	/* of the first one: to the second, as all of these */
	snprintf(start, sizeof(start), "%s", end);
	if (c->oldest && strlen(c->oldest) > 20)
		snprintf(start, sizeof(start), "%.19sZ", c->oldest);
	json_t *d = json_pack("{s:n, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:o}",
			      "awsAccountId", "digestStartTime", before->end[0] ? before->end : start, "digestEndTime", end,
			      "digestS3Bucket", j->host, "digestS3Object", name, "digestPublicKeyFingerprint",
			      signer_fingerprint(j->signer), "digestSignatureAlgorithm", "SHA256withRSA", "newestEventTime",
			      c->newest, "oldestEventTime", c->oldest, "previousDigestS3Bucket", follows ? j->host : NULL,
			      "previousDigestS3Object", follows ? before->name : NULL, "previousDigestHashValue",
			      follows ? before->hash : NULL, "previousDigestHashAlgorithm", follows ? "SHA-256" : NULL,
			      "previousDigestSignature", follows ? before->signature : NULL, "logFiles", c->logs);

	if (d && json_object_set_new(d, "sluice",
				     json_pack("{s:I, s:I, s:s?}", "first_seq", (json_int_t)c->first, "last_seq",
					       (json_int_t)c->last, "starts", follows ? NULL : before->why))) {
		json_decref(d);
		return NULL;
	}
	return d;
}

static int sign(const struct journal *j, const char *name, const char *end, const char *text, size_t len, struct seal *fresh)
{
	struct hasher h;
	size_t n;
	int err = hasher_open(&h);

	if (err)
		return err;
	hasher_hex(&h, text, len, fresh->hash);
	hasher_close(&h);
	_cleanup_free_ char *to_sign =
	    digest_to_sign(end, j->host, name, fresh->hash, j->seal.name[0] ? j->seal.signature : NULL, &n);
	return to_sign ? signer_sign(j->signer, to_sign, n, fresh->signature) : -ENOMEM;
}

/* The signature first: a digest that is there has one. */
static int put(struct journal *j, const char *text, size_t len, const struct seal *fresh)
{
	char file[JOURNAL_NAME + 8], sig[SIGN_HEX_MAX + 2];
	int n = snprintf(sig, sizeof(sig), "%s\n", fresh->signature), err;

	snprintf(file, sizeof(file), "%s.sig", fresh->name);
	err = array_grow((void **)&j->digests, &j->max_digests, j->ndigests + 1, sizeof(*j->digests));
	if (!err)
		err = writer_file(j->writer, file, sig, (size_t)n);
	if (!err)
		err = writer_file(j->writer, fresh->name, text, len);
	if (err)
		return err;
	struct digest_file *f = &j->digests[j->ndigests++];
	*f = (struct digest_file){.file.seq = fresh->covered, .bytes = len + (size_t)n};
	memcpy(f->file.name, fresh->name, sizeof(f->file.name));
	j->bytes += f->bytes;
	return 0;
}

static void note(struct journal *j, const struct cover *c, const char *start)
{
	const struct seal *s = &j->seal;

	journal_add_note(j, "digest",
			 json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "file", s->name, "hash", s->hash, "signature",
				   s->signature, "key", signer_fingerprint(j->signer), "start", start, "end", s->end,
				   "first_seq", (json_int_t)c->first, "last_seq", (json_int_t)c->last),
			 NULL);
}

int journal_make_digest(struct journal *j)
{
	struct seal fresh = {0};
	char start[TIME_LEN];
	struct cover c;
	int err = cover(j, &c);

	if (err)
		return err;
	digest_time(fresh.end, &j->wall);
	fresh.covered = MAX(c.last, j->seal.covered);
	journal_digest_name(fresh.name, fresh.covered, &j->wall);
	if (!strcmp(fresh.name, j->seal.name)) {
		json_decref(c.logs);
		return 0; /* of this second and of the same records there is one */
	}
	json_t *d = compose(j, fresh.name, fresh.end, &c);
	_cleanup_free_ char *text = d ? json_dumps(d, JSON_COMPACT) : NULL;

	snprintf(start, sizeof(start), "%s", d ? json_string_value(json_object_get(d, "digestStartTime")) : "");
	json_decref(d);
	err = text ? sign(j, fresh.name, fresh.end, text, strlen(text), &fresh) : -ENOMEM;
	if (!err)
		err = put(j, text, strlen(text), &fresh);
	if (err)
		return err;
	j->seal = fresh;
	note(j, &c, start);
	return 0;
}

/* --- where an earlier monitor stopped -------------------------------------------------- */

static int check_newest(const struct journal *j, const struct digest *d)
{
	struct checker *key;
	int err = checker_new(signer_public(j->signer), strlen(signer_public(j->signer)), &key);

	if (err)
		return err;
	err = digest_check(d, key);
	checker_free(key);
	return err;
}

void journal_resume_digests(struct journal *j)
{
	const struct digest_file *newest = journal_newest_digest(j, j->head.seq);
	const char *name = newest ? newest->file.name : NULL, *why;
	struct seal *s = &j->seal;
	struct digest d;

	*s = (struct seal){.why = j->head.seq ? "there is no digest before" : "the journal is new"};
	if (!name)
		return;
	s->covered = newest->file.seq;
	s->why = "the digest before is damaged";
	if (digest_read(j->dir, name, &d, &why))
		return;
	if (strlen(d.end) < TIME_LEN)
		snprintf(s->end, sizeof(s->end), "%s", d.end);
	if (strcmp(d.fingerprint, signer_fingerprint(j->signer)) != 0) {
		s->why = "the key is new";
	} else if (!check_newest(j, &d) && strlen(d.signature) <= SIGN_HEX_MAX) {
		snprintf(s->name, sizeof(s->name), "%s", name);
		snprintf(s->signature, sizeof(s->signature), "%s", d.signature);
		memcpy(s->hash, d.hash, sizeof(s->hash));
	}
	digest_clear(&d);
}
