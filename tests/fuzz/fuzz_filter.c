/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any text as a filter. What is wrong must be told with a column inside of it, and safe for a terminal. */
#include <stdlib.h>
#include <string.h>

#include "user/tui/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char items[] =
	"[{\"process\": {\"pid\": 2120, \"comm\": \"sender\", \"uid\": 70001}, \"job\": \"slurm:4242.0\", \"datasets\": [\"patients\"],"
	"  \"remote\": {\"addr\": \"203.0.113.202\", \"port\": 8443, \"class\": \"internet\"}, \"tainted_out\": 1048576, \"allowed\": true},"
	" {\"severity\": \"high\", \"leak_bound\": null, \"volume\": {\"a\": 1, \"b\": null}, \"tags\": {\"k\": \"v\"}, \"process\": null}, 7]";

static void check_error(const char *text, const struct filter_error *e)
{
	char safe[sizeof(e->text)];

	text_safe(safe, sizeof(safe), e->text, strlen(e->text));
	if (!e->column || e->column > strlen(text) + 1 || !*e->text || strcmp(safe, e->text))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static json_t *list;
	struct filter *f = NULL;
	struct filter_error e = {0};
	char *text = strndup((const char *)data, len);

	/* matching a pattern of many stars takes as long as a person deserves who types it */
	for (char *p = text, stars = 0; *p; p++)
		if (*p == '*' && stars++ > 3)
			*p = 'x';
	list = list ? list : json_loads(items, 0, NULL);
	if (filter_parse(text, &f, &e) == 0) {
		for (size_t i = 0; i < json_array_size(list); i++) {
			filter_match(f, json_array_get(list, i), "tainted_out");
			filter_match(f, json_array_get(list, i), NULL);
		}
	} else {
		check_error(text, &e);
	}
	filter_free(f);
	free(text);
	return 0;
}
