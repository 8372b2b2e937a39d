/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any lines as records: documents come of them, the same ones after going back and forth. */
#include <stdlib.h>
#include <string.h>

#include "user/tui/replay_docs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ALL ((1u << WATCH_WHATS) - 1)

static void take(struct replay *r, const char *p, const char *end)
{
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);
		int64_t at;
		int got = replay_take(r, (struct span){p, n}, INT64_MAX, &at);

		if (got != 1 && got != -EINVAL)
			abort();
		p += n + 1;
	}
}

static void make(const struct replay *r, struct replay_docs *d, struct feed_doc *docs[WATCH_WHATS])
{
	replay_docs_clear(d, docs);
	if (replay_docs_update(d, r, ALL, docs, 1000000000000000000))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *begin = (const char *)data, *end = begin + len, *middle = memchr(begin, '\n', len / 2);
	struct feed_doc *docs[WATCH_WHATS];
	json_t *before[WATCH_WHATS];
	struct replay_docs *d = replay_docs_new();
	struct replay_mark *m;
	struct replay *r;

	if (replay_new(&r))
		abort();
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		docs[i] = feed_doc_new((enum watch_what)i);
	middle = middle ? middle + 1 : begin;
	take(r, begin, middle);
	m = replay_mark(r);
	take(r, middle, end);
	make(r, d, docs);
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		before[i] = json_deep_copy(feed_doc_json(docs[i]));
	replay_back(r, m);
	make(r, d, docs);
	take(r, middle, end);
	make(r, d, docs);
	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		if (!json_equal(before[i], feed_doc_json(docs[i])))
			abort();
		json_decref(before[i]);
		feed_doc_free(docs[i]);
	}
	replay_mark_free(m);
	replay_docs_free(d);
	replay_free(r);
	return 0;
}
