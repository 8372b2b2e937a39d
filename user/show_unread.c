/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The files of a dataset that were never read. */
#include "user/show_internal.h"

#include <string.h>

#include "user/table_text.h"
#include "user/value_text.h"

static const struct text_column columns[] = {
	{.title = "SIZE", .right = true},
	{.title = "NEVER READ", .cut = CUT_START, .least = 12},
};

static int add_file(struct table_text *t, const json_t *item)
{
	_cleanup_free_ char *size = value_text(json_at(item, "size"), FORMAT_SIZE, NULL);
	_cleanup_free_ char *path = value_text(json_at(item, "path"), FORMAT_TEXT, NULL);

	return table_text_row(t, (const char *const[]){size, path && *path ? path : "(the dataset is this one file)"});
}

static int print_files(const json_t *items, const struct printer *p)
{
	_cleanup_(table_text_freep) struct table_text *t = NULL;
	int r = table_text_new(columns, ARRAY_SIZE(columns), &t);

	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = add_file(t, json_array_get(items, i));
	if (r == 0)
		table_text_print(t, p->width, p->out);
	return r;
}

static void print_safe(const char *text, const struct printer *p)
{
	char safe[NOTE_BYTES];

	text_safe(safe, sizeof(safe), text, strlen(text));
	fprintf(p->out, "%s\n", safe);
}

int show_unread(const json_t *document, const struct printer *p)
{
	const json_t *items = json_at(document, "items"), *rest = json_at(document, "rest");
	_cleanup_free_ char *id = value_text(json_at(document, "dataset"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *path = value_text(json_at(document, "path"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *job = value_text(json_at(document, "job"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *used = value_text(json_at(document, "used"), FORMAT_USED, NULL);
	_cleanup_free_ char *most = value_text(json_at(document, "used.bytes_share_most"), FORMAT_MOST, NULL);
	char head[NOTE_BYTES];
	int r;

	if (!json_is_array(items))
		return -EPROTO;
	snprintf(head, sizeof(head), "%s in %s: %s of its files, %s of its bytes read by %s", id ? id : "?", path ? path : "?",
		 used ? used : "?", most ? most : "?", job ? job : "anyone");
	print_safe(head, p);
	if (!json_is_integer(rest))
		fputs("how many were never read is not known: not all of the dataset could be looked at, or not yet\n", p->out);
	if (!json_array_size(items))
		return 0;
	r = print_files(items, p);
	if (r == 0 && json_is_integer(rest) && json_integer_value(rest) > 0)
		fprintf(p->out, "and %lld more\n", (long long)json_integer_value(rest));
	return r;
}
