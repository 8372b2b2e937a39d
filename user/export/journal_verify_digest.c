/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Digests: each as it was signed, each following the one before, each segment as they say. */
#include "user/export/journal_verify_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "user/array.h"

#define PEM_MAX 8192

/* --- keys ----------------------------------------------------------------------------- */

static int add_key(struct verify *v, struct checker *key)
{
	struct checker **more = reallocarray(v->keys, v->nkeys + 1, sizeof(*more));

	if (!more) {
		checker_free(key);
		return -ENOMEM;
	}
	v->keys = more;
	v->keys[v->nkeys++] = key;
	return 0;
}

static int read_given_key(struct verify *v, const char *file, struct verify_error *e)
{
	char pem[PEM_MAX];
	size_t len = 0;
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct checker *key = NULL;
	int err = fd < 0 ? -errno : fd_read(fd, pem, sizeof(pem), &len);

	if (!err)
		err = checker_new(pem, len, &key);
	if (!err)
		return add_key(v, key);
	snprintf(e->text, sizeof(e->text), "--key: %s; give a key-*.pem file as it lay beside the digests",
		 err == -EBADMSG ? "it is no public key of digests" : strerror(-err));
	return err;
}

/* Its name holds the beginning of its fingerprint. */
static int read_key_beside(struct verify *v, const char *name)
{
	_cleanup_free_ char *pem = NULL;
	struct checker *key = NULL;
	char right[JOURNAL_NAME];
	size_t len;
	int err = journal_read_file(v->dir, name, PEM_MAX, &pem, &len);

	if (!err)
		err = checker_new(pem, len, &key);
	if (err == -ENOMEM)
		return err;
	if (!err)
		journal_key_name(right, checker_fingerprint(key));
	if (!err && !strcmp(right, name))
		return add_key(v, key);
	checker_free(key);
	verify_problem(v, "key", NULL, 0, "%s was changed: it is not the key whose name it has", name);
	return 0;
}

int verify_read_keys(struct verify *v, const char *file, struct verify_error *ret_error)
{
	int err = 0;

	if (file)
		return read_given_key(v, file, ret_error);
	for (size_t i = 0; i < v->list.keys.n && !err; i++)
		err = read_key_beside(v, v->list.keys.v[i].name);
	return err;
}

static const struct checker *key_of(const struct verify *v, const char *fingerprint)
{
	for (size_t i = 0; i < v->nkeys; i++)
		if (!strcmp(checker_fingerprint(v->keys[i]), fingerprint))
			return v->keys[i];
	return NULL;
}

/* --- reading them -------------------------------------------------------------------------- */

static struct place place_of(const struct sealed *s)
{
	struct place p = {.segment = s->name, .seq = s->last_seq};

	memcpy(p.time, s->end, sizeof(p.time));
	return p;
}

static int expect_logs(struct verify *v, const struct digest *d, size_t digest)
{
	json_t *f;
	size_t i;

	json_array_foreach (d->logs, i, f) {
		const char *name = json_string_value(json_object_get(f, "s3Object"));
		const char *hash = json_string_value(json_object_get(f, "hashValue"));
		char right[JOURNAL_NAME];
		uint64_t first;
		int err;

		if (sscanf(name, "sluice-%20" SCNu64, &first) != 1)
			continue;
		journal_segment_name(right, first);
		if (strcmp(right, name) != 0)
			continue;
		err = array_grow((void **)&v->expected, &v->max_expected, v->nexpected + 1, sizeof(*v->expected));
		if (err)
			return err;
		struct expected *x = &v->expected[v->nexpected++];
		*x = (struct expected){.first = first, .digest = digest};
		snprintf(x->hash, sizeof(x->hash), "%s", hash);
	}
	return 0;
}

static void check_signature(struct verify *v, const struct digest *d, struct sealed *s)
{
	const struct checker *key = key_of(v, d->fingerprint);
	struct place at = place_of(s);

	if (!key) {
		verify_problem(v, "signature", &at, 0, "%s is signed by key %.16s, which is not known", s->name,
			       d->fingerprint);
	} else if (digest_check(d, key)) {
		verify_problem(v, "signature", &at, 0, "%s or its signature was changed", s->name);
	} else {
		s->good = true;
		v->signed_seq = MAX(v->signed_seq, s->last_seq);
	}
}

/* NULL: it is the first that is there. */
static void check_follows(struct verify *v, const struct digest *d, const struct sealed *s, const struct sealed *before)
{
	const char *starts = json_string_value(json_object_get(json_object_get(d->json, "sluice"), "starts"));
	struct place at = place_of(s);

	if (!d->previous) {
		if (before)
			verify_limit(v, "the chain of digests starts anew with %s: %.100s", s->name,
				     starts ? starts : "it does not say why");
		return;
	}
	if (!before)
		return; /* the one it follows is to be in the list of what retention removed: that is looked at later */
	if (strcmp(d->previous, before->name) != 0)
		verify_problem(v, "digest", &at, 0, "%s follows %.60s, but %s is before it", s->name, d->previous,
			       before->name);
	else if (strcmp(d->previous_hash, before->hash) != 0 || !before->signature ||
		 strcmp(d->previous_signature, before->signature) != 0)
		verify_problem(v, "digest", &at, 0, "%s is not the one that %s followed", before->name, s->name);
}

static int take_digest(struct verify *v, const struct journal_file *f, struct digest *d)
{
	struct sealed *s = &v->sealed[v->nsealed];
	const struct sealed *before = v->nsealed ? s - 1 : NULL;

	*s = (struct sealed){.first_seq = d->first_seq, .last_seq = d->last_seq, .signature = d->signature};
	d->signature = NULL;
	snprintf(s->name, sizeof(s->name), "%s", f->name);
	memcpy(s->hash, d->hash, sizeof(s->hash));
	snprintf(s->start, sizeof(s->start), "%s", d->start);
	snprintf(s->end, sizeof(s->end), "%s", d->end);
	d->signature = s->signature; /* lent for the check */
	check_signature(v, d, s);
	check_follows(v, d, s, before);
	d->signature = NULL;
	return expect_logs(v, d, v->nsealed++);
}

static int by_first(const void *a, const void *b)
{
	const struct expected *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

int verify_read_digests(struct verify *v)
{
	int err = 0;

	for (size_t i = 0; i < v->list.digests.n && !err; i++) {
		const struct journal_file *f = &v->list.digests.v[i];
		struct digest d;
		const char *why;
		int got = digest_read(v->dir, f->name, &d, &why);

		if (got == -ENOMEM)
			return got;
		if (got == -ENOENT && faccessat(v->dir, f->name, F_OK, AT_SYMLINK_NOFOLLOW))
			continue; /* retention, just now */
		if (got) {
			verify_problem(v, "digest", &(struct place){.segment = f->name, .seq = f->seq}, 0, "%s %s", f->name,
				       why);
			continue;
		}
		err = array_grow((void **)&v->sealed, &v->max_sealed, v->nsealed + 1, sizeof(*v->sealed));
		if (!err)
			err = take_digest(v, f, &d);
		digest_clear(&d);
	}
	if (v->nexpected)
		qsort(v->expected, v->nexpected, sizeof(*v->expected), by_first);
	return err;
}

const struct sealed *verify_digest_of(const struct verify *v, uint64_t seq)
{
	for (size_t i = 0; i < v->nsealed; i++)
		if (v->sealed[i].first_seq && seq >= v->sealed[i].first_seq && seq <= v->sealed[i].last_seq)
			return &v->sealed[i];
	return NULL;
}

/* --- against what is there ------------------------------------------------------------------- */

void verify_segment_hash(struct verify *v, const struct journal_file *f, const char hash[static HASH_HEX + 1], uint64_t last)
{
	struct expected key = {.first = f->seq};
	struct expected *x = v->nexpected ? bsearch(&key, v->expected, v->nexpected, sizeof(*v->expected), by_first) : NULL;
	struct place at = {.segment = f->name, .seq = f->seq};

	if (!x)
		return;
	while (x > v->expected && x[-1].first == f->seq)
		x--;
	for (; x < v->expected + v->nexpected && x->first == f->seq; x++) {
		const struct sealed *s = &v->sealed[x->digest];

		x->met = true;
		if (strcmp(x->hash, hash) != 0)
			verify_problem(v, "segment", &at, last, "%s is not what %s signed between %s and %s", f->name, s->name,
				       s->start, s->end);
	}
}

static void find_segments(struct verify *v)
{
	for (size_t i = 0; i < v->nexpected; i++) {
		const struct expected *x = &v->expected[i];
		const struct sealed *s = &v->sealed[x->digest];
		struct place at = {.seq = x->first};
		char name[JOURNAL_NAME];

		journal_segment_name(name, x->first);
		if (x->met || names_has(&v->removed, name))
			continue;
		at.segment = name;
		memcpy(at.time, s->start, sizeof(at.time));
		verify_problem(v, "deleted", &at, 0,
			       "%s is missing: %s signed it, and no record says that retention removed it", name, s->name);
	}
}

static const struct sealed *sealed_by_name(const struct verify *v, const char *name)
{
	for (size_t i = 0; i < v->nsealed; i++)
		if (!strcmp(v->sealed[i].name, name))
			return &v->sealed[i];
	return NULL;
}

/* One that was made while the journal was being read. */
static bool is_fresh(const struct verify *v, const struct recorded_digest *r)
{
	struct digest d;
	const char *why;
	bool same;

	if (digest_read(v->dir, r->name, &d, &why))
		return false;
	same = !strcmp(d.hash, r->hash);
	digest_clear(&d);
	return same;
}

static bool is_listed(const struct verify *v, const char *name)
{
	for (size_t i = 0; i < v->list.digests.n; i++)
		if (!strcmp(v->list.digests.v[i].name, name))
			return true;
	return false;
}

/* Each digest that the chain tells of. */
static void find_digests(struct verify *v)
{
	for (size_t i = 0; i < v->nrecorded; i++) {
		const struct recorded_digest *d = &v->recorded[i];
		const struct sealed *s = sealed_by_name(v, d->name);

		if (s && (strcmp(s->hash, d->hash) != 0 ||
			  strncmp(s->signature, d->signature_head, sizeof(d->signature_head) - 1) != 0))
			verify_problem(v, "digest", &d->at, 0, "%s is not the one of which record %" PRIu64 " tells", d->name,
				       d->at.seq);
		/* one that is there, and could not be read, was told already */
		if (!s && !names_has(&v->removed, d->name) && !is_listed(v, d->name) && !is_fresh(v, d))
			verify_problem(v, "digest", &d->at, 0, "%s is missing: record %" PRIu64 " tells of it", d->name,
				       d->at.seq);
	}
}

/* The digest that the first one follows must have gone by retention. */
static void find_first_digest(struct verify *v)
{
	struct digest d;
	const char *why;

	if (!v->nsealed || digest_read(v->dir, v->sealed[0].name, &d, &why))
		return;
	if (d.previous && strcmp(v->list.digests.v[0].name, v->sealed[0].name) == 0 && !names_has(&v->removed, d.previous)) {
		struct place at = place_of(&v->sealed[0]);

		verify_problem(v, "digest", &at, 0,
			       "%.60s, which %s follows, is missing, and no record says that retention removed it", d.previous,
			       v->sealed[0].name);
	}
	digest_clear(&d);
}

void verify_missing(struct verify *v)
{
	find_segments(v);
	find_digests(v);
	find_first_digest(v);
}
