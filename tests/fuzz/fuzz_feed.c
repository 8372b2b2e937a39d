/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any lines as what a monitor tells of changes: what comes of them is a document, or none. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "user/tui/feed_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every item is a different one, and has a rate or none. */
static void check(const struct feed_doc *d, enum watch_what what)
{
	const json_t *document = feed_doc_json(d), *items = json_object_get(document, "items");

	if (!document)
		return;
	if (what == WATCH_HEALTH ? !json_is_object(json_object_get(document, "health")) : !json_is_array(items))
		abort();
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		if (!json_is_object(item) || (i && item == json_array_get(items, i - 1)) || feed_doc_rate(d, item, "n") < 0)
			abort();
	}
	feed_doc_rate(d, NULL, "a.b");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct feed_doc *docs[WATCH_WHATS];
	const char *p = (const char *)data, *end = p + len;

	for (unsigned i = 0; i < WATCH_WHATS; i++)
		docs[i] = feed_doc_new((enum watch_what)i);
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);
		json_t *line = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);

		for (unsigned i = 0; i < WATCH_WHATS; i++) {
			int r = feed_doc_apply(docs[i], line, n);

			if (r && r != -EPROTO && r != -ESTALE && r != -EFBIG)
				abort();
			check(docs[i], (enum watch_what)i);
		}
		json_decref(line);
		p += n + 1;
	}
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		feed_doc_free(docs[i]);
	return 0;
}
