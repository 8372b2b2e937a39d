/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Back to before the first record of a replay: rows stay, and are of nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/tui/replay_docs.h"
#include "user/tui/replay_state.h"

static void take(struct replay *r, const char *text)
{
	int64_t at;

	assert_int_equal(replay_take(r, (struct span){text, strlen(text)}, INT64_MAX, &at), 1);
}

/* A flow that says nothing leaves no value behind that a row could name. */
static void test_flow_of_nothing(void **state)
{
	struct feed_doc *docs[WATCH_WHATS];
	struct replay_docs *d = replay_docs_new();
	struct replay_mark *start;
	struct replay *r;

	assert_non_null(d);
	assert_int_equal(replay_new(&r), 0);
	start = replay_mark(r);
	assert_non_null(start);
	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		docs[i] = feed_doc_new((enum watch_what)i);
		assert_non_null(docs[i]);
	}
	take(r, "{\"v\":1,\"type\":\"flow\",\"time\":\"2027-01-15T08:00:00.001Z\",\"seq\":2}");
	assert_int_equal(replay_values(r), 0);
	replay_back(r, start);
	replay_docs_clear(d, docs);
	assert_int_equal(replay_docs_update(d, r, (1u << WATCH_WHATS) - 1, docs, 1000000000000000000), 0);
	assert_int_equal(json_array_size(json_object_get(feed_doc_json(docs[WATCH_DESTINATIONS]), "items")), 0);
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		feed_doc_free(docs[i]);
	replay_mark_free(start);
	replay_docs_free(d);
	replay_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_of_nothing),
	};

	return cmocka_run_group_tests_name("replay_back", tests, NULL, NULL);
}
