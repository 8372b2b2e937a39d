/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_verify_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "user/array.h"

/* --- what was found ------------------------------------------------------------------- */

static json_t *number_or_null(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *text_or_null(const char *text)
{
	char safe[128];

	if (!text || !*text)
		return json_null();
	text_safe(safe, sizeof(safe), text, strlen(text));
	return json_string(safe);
}

void verify_problem(struct verify *v, const char *kind, const struct place *at, uint64_t last_seq, const char *format, ...)
{
	static const struct place nowhere;
	const struct place *p = at ? at : &nowhere;
	const struct sealed *d = p->seq ? verify_digest_of(v, p->seq) : NULL;
	char raw[512], text[512];
	va_list ap;

	v->nproblems++;
	if (v->nproblems > VERIFY_PROBLEMS)
		return;
	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(text, sizeof(text), raw, strlen(raw));
	json_array_append_new(v->problems, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "kind", kind, "segment",
						     text_or_null(p->segment), "line", number_or_null(p->line), "seq",
						     number_or_null(p->seq), "last_seq", number_or_null(last_seq), "time",
						     text_or_null(p->time), "digest_start", text_or_null(d ? d->start : NULL),
						     "digest_end", text_or_null(d ? d->end : NULL), "text", text));
}

void verify_limit(struct verify *v, const char *format, ...)
{
	char raw[512], text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(text, sizeof(text), raw, strlen(raw));
	json_array_append_new(v->limits, json_string(text));
}

int names_add(struct names *n, const char *name)
{
	int err = array_grow((void **)&n->v, &n->max, n->n + 1, sizeof(*n->v));

	if (!err)
		snprintf(n->v[n->n++], JOURNAL_NAME, "%s", name);
	return err;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool names_has(const struct names *n, const char *name)
{
	return n->n && bsearch(name, n->v, n->n, sizeof(*n->v), by_text);
}

/* --- the head ----------------------------------------------------------------------------- */

static int read_head(const struct verify *v, int which, struct journal_head *ret)
{
	if (which == HEAD_HERE)
		return journal_head_read(v->dir, JOURNAL_HEAD, ret);
	return v->state < 0 ? -ENOENT : journal_head_read(v->state, v->outside, ret);
}

/* Before anything else is read: what is written meanwhile is newer than it says. */
static void read_heads(struct verify *v, const char *path, const char *state)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	int err = read_head(v, HEAD_HERE, &v->heads[HEAD_HERE]);

	v->head_known[HEAD_HERE] = !err;
	if (err)
		verify_problem(v, "head", NULL, 0,
			       err == -ENOENT ? "there is no file " JOURNAL_HEAD
						": whether newest records were cut off cannot be told"
					      : "the file " JOURNAL_HEAD " was changed");
	if (!state || !real)
		return;
	v->state = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	journal_head_name(real, v->outside);
	err = read_head(v, HEAD_OUTSIDE, &v->heads[HEAD_OUTSIDE]);
	v->head_known[HEAD_OUTSIDE] = !err;
	if (err && err != -ENOENT)
		verify_problem(v, "head", NULL, 0, "%s/%s: the copy of the head was changed", state, v->outside);
}

/* Behind the end of a monitor that ended well, somebody else wrote; or the next one, just now. The head beside the records
 * can have been written with them. */
static void check_added(struct verify *v)
{
	for (int i = 0; i < 2; i++) {
		const struct journal_head *h = &v->heads[i];
		struct place at = {.segment = v->last.segment, .seq = h->seq + 1};
		struct journal_head now;

		if (!v->head_known[i] || !h->closed || v->last.seq <= h->seq || read_head(v, i, &now) || now.seq != h->seq ||
		    !now.closed)
			continue;
		verify_problem(v, "added", &at, v->last.seq,
			       "records %" PRIu64 " to %" PRIu64 " were added after the monitor had ended", at.seq, v->last.seq);
		return;
	}
}

static void check_heads(struct verify *v)
{
	for (int i = 0; i < 2; i++) {
		const struct journal_head *h = &v->heads[i];
		struct place at = {.seq = v->last.seq + 1};

		if (!v->head_known[i] || h->seq <= v->last.seq)
			continue;
		verify_problem(v, "cut", &at, h->seq, "records %" PRIu64 " to %" PRIu64 " are missing: the end was cut off",
			       at.seq, h->seq);
		return;
	}
}

/* --- the beginning --------------------------------------------------------------------------- */

/* A removal that was recorded may still be to be carried out. */
static const struct removal *removal_before(const struct verify *v, uint64_t seq)
{
	for (size_t i = v->nremovals; i > 0; i--)
		if (v->removals[i - 1].last == seq - 1)
			return &v->removals[i - 1];
	return NULL;
}

/* The first to say that this record goes. */
static const struct removal *removal_of(const struct verify *v, uint64_t seq)
{
	for (size_t i = 0; i < v->nremovals; i++)
		if (v->removals[i].first <= seq && seq <= v->removals[i].last)
			return &v->removals[i];
	return NULL;
}

static void check_first(struct verify *v)
{
	uint64_t seq = v->first.seq;

	if (!seq)
		return;
	if (seq == 1) {
		if (strcmp(v->first_prev, HASH_NONE) != 0)
			verify_problem(v, "edited", &v->first, 0, "the first record was changed: it goes on from another");
		return;
	}
	const struct removal *m = removal_before(v, seq);
	uint64_t newest = v->nremovals ? v->removals[v->nremovals - 1].last : 0;

	if (!m && removal_of(v, seq - 1))
		return; /* a removal that was begun, oldest first: what stays of it is still to go */
	if (!m) {
		struct place gone = {.seq = newest && newest < seq ? newest + 1 : 1};

		verify_problem(v, "deleted", &gone, seq - 1,
			       "records %" PRIu64 " to %" PRIu64 " are missing, and no record says that retention removed them",
			       gone.seq, seq - 1);
	} else if (strcmp(m->hash, v->first_prev) != 0) {
		verify_problem(v, "edited", &v->first, 0,
			       "record %" PRIu64 " was changed: it does not go on from the last one that retention removed",
			       seq);
	}
}

/* --- what cannot be proven --------------------------------------------------------------------- */

static void tell_limits(struct verify *v)
{
	const struct removal *m = v->first.seq > 1 ? removal_of(v, v->first.seq - 1) : NULL;

	if (v->last.seq > v->signed_seq)
		verify_limit(v,
			     "records %" PRIu64 " to %" PRIu64
			     " are chained, but no digest signs them yet: whoever can write here could have written them anew",
			     MAX(v->signed_seq + 1, v->first.seq), v->last.seq);
	if (m && m->seq > v->signed_seq)
		verify_limit(v,
			     "that retention removed the records before %" PRIu64 " is said by record %" PRIu64
			     ", which no digest signs yet: whoever can write here could have removed them",
			     v->first.seq, m->seq);
	if (v->nsealed)
		verify_limit(
		    v, "the key that signs is on the host that is watched: who was root there could sign anew. Compare the "
		       "newest digest's signature with one that left the host");
	if (!v->head_known[HEAD_OUTSIDE])
		verify_limit(
		    v,
		    "no copy of the head was found outside of the directory (--state): whoever can write here could have cut "
		    "off records after %" PRIu64,
		    v->last.seq);
	if (v->last_rest)
		verify_limit(
		    v, "the last segment ends with %" PRIu64 " bytes of a line: it is being written now, or a crash tore it",
		    v->last_rest);
}

/* --- the whole -------------------------------------------------------------------------------------- */

static json_t *sealed_json(const struct verify *v)
{
	const struct sealed *last = v->nsealed ? &v->sealed[v->nsealed - 1] : NULL;
	json_t *keys = json_array();
	size_t good = 0;

	for (size_t i = 0; i < v->nkeys; i++)
		json_array_append_new(keys, json_string(checker_fingerprint(v->keys[i])));
	for (size_t i = 0; i < v->nsealed; i++)
		good += v->sealed[i].good;
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "found", (json_int_t)v->nsealed, "good", (json_int_t)good,
			 "signed_seq", number_or_null(v->signed_seq), "newest", text_or_null(last ? last->name : NULL), "end",
			 text_or_null(last ? last->end : NULL), "signature",
			 last && last->signature ? json_string(last->signature) : json_null(), "keys", keys);
}

static json_t *document(struct verify *v, const char *path)
{
	struct timespec now;
	char time[TIME_LEN];

	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack(
	    "{s:i, s:s, s:s, s:o, s:b, s:{s:I, s:o, s:o, s:o, s:o}, s:I, s:I, s:o, s:{s:o, s:o}, s:O, s:O, s:I, s:O}", "v", 1,
	    "type", "verify", "time", time_rfc3339(time, &now), "dir", text_or_null(path), "good", v->nproblems == 0, "records",
	    "count", (json_int_t)v->records, "first_seq", number_or_null(v->first.seq), "last_seq", number_or_null(v->last.seq),
	    "first_time", text_or_null(v->first.time), "last_time", text_or_null(v->last.time), "segments",
	    (json_int_t)v->segments, "bytes", (json_int_t)v->bytes, "digests", sealed_json(v), "removed", "first_seq",
	    number_or_null(v->nremovals ? v->removals[0].first : 0), "last_seq",
	    number_or_null(v->nremovals ? v->removals[v->nremovals - 1].last : 0), "torn", v->torn, "problems", v->problems,
	    "nproblems", (json_int_t)v->nproblems, "limits", v->limits);
}

static int fail(struct verify_error *e, const char *path, int err)
{
	char raw[sizeof(e->text)];

	snprintf(raw, sizeof(raw), "%.180s: %s", path, err == -ENODATA ? "there is no journal" : strerror(-err));
	text_safe(e->text, sizeof(e->text), raw, strlen(raw));
	return err;
}

static int run(struct verify *v, const struct verify_options *o, json_t **ret, struct verify_error *e)
{
	int err = 0;

	v->dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->dir < 0)
		return fail(e, o->dir, -errno);
	read_heads(v, o->dir, o->state);
	err = journal_list_read(v->dir, &v->list);
	if (!err && !v->list.segments.n && !v->list.digests.n && !v->head_known[HEAD_HERE] && !v->head_known[HEAD_OUTSIDE])
		err = -ENODATA;
	if (err)
		return fail(e, o->dir, err);
	err = verify_read_keys(v, o->key, e);
	if (err)
		return *e->text ? err : fail(e, o->dir, err);
	err = verify_read_digests(v);
	if (!err)
		err = verify_chain(v);
	if (err)
		return fail(e, o->dir, err);
	if (v->removed.n)
		qsort(v->removed.v, v->removed.n, sizeof(*v->removed.v), by_text);
	check_first(v);
	verify_missing(v);
	check_heads(v);
	check_added(v);
	tell_limits(v);
	*ret = document(v, o->dir);
	return *ret ? 0 : fail(e, o->dir, -ENOMEM);
}

int journal_verify(const struct verify_options *o, json_t **ret, struct verify_error *ret_error)
{
	struct verify v = {.dir = -1, .state = -1, .problems = json_array(), .limits = json_array(), .torn = json_array()};
	int err = v.problems && v.limits && v.torn ? 0 : -ENOMEM;

	*ret_error = (struct verify_error){};
	if (!err)
		err = hasher_open(&v.line);
	if (!err)
		err = hasher_open(&v.whole);
	err = err ? fail(ret_error, o->dir, err) : run(&v, o, ret, ret_error);
	for (size_t i = 0; i < v.nsealed; i++)
		free(v.sealed[i].signature);
	for (size_t i = 0; i < v.nkeys; i++)
		checker_free(v.keys[i]);
	free(v.sealed);
	free(v.expected);
	free(v.keys);
	free(v.removed.v);
	free(v.recorded);
	free(v.removals);
	hasher_close(&v.line);
	hasher_close(&v.whole);
	journal_list_free(&v.list);
	json_decref(v.problems);
	json_decref(v.limits);
	json_decref(v.torn);
	closep(&v.dir);
	return err;
}
