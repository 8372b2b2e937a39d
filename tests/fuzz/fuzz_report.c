/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Any lines as records, each twice, behind a byte that says what is asked for: the short way through them gives the same
 * document as the long way, or leaves a line to it. As records of a journal, and as text, they only have to end well.
 */
#include <stdlib.h>
#include <string.h>

#include "user/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct timespec early = {1800000000, 500000000}, late = {1800000001, 0};
static const struct report_wish wishes[] = {
    {0},
    {.dataset = "a"},
    {.job = "j"},
    {.since = &early},
    {.until = &early},
    {.since = &early, .until = &late, .dataset = "a", .job = "j"},
    {.finding = "f"},
    {.rows = 2},
};

static struct report *new_report(const struct report_wish *wish)
{
	struct report *r;

	if (report_new(wish, &r))
		abort();
	return r;
}

/* As json_lines_each() gives it; short_way: false: the other one is gone at once. */
static int give(struct report *r, bool short_way, const char *line, size_t len)
{
	struct json_lines_why why;
	int err = short_way ? report_raw(r, line, len) : 0;
	json_t *v;

	if (err)
		return err;
	v = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	err = json_is_object(v) ? report_take(r, v, &why) : -EINVAL;
	json_decref(v);
	return err;
}

static void give_all(struct report *quick, struct report *slow, struct report *journal, const char *p, const char *end)
{
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		for (int twice = 0; twice < 2; twice++) {
			if ((give(quick, true, p, n) < 0) != (give(slow, false, p, n) < 0) || report_line(journal, p, n))
				abort();
		}
		p += n + 1;
	}
}

static json_t *document(struct report *r)
{
	json_t *d = report_document(r, false);

	if (!d || json_object_del(d, "time"))
		abort();
	return d;
}

static void print(const json_t *document)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f || report_text(document, 80, f))
		abort();
	fclose(f);
	if (memchr(text, '\033', n))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	const struct report_wish *wish = &wishes[*data % ARRAY_SIZE(wishes)];
	struct report_wish vouched = *wish;

	vouched.vouched = true;
	struct report *quick = new_report(wish), *slow = new_report(wish), *journal = new_report(&vouched);
	give_all(quick, slow, journal, (const char *)data + 1, (const char *)data + len);
	json_t *a = document(quick), *b = document(slow), *c = document(journal);
	if (!json_equal(a, b))
		abort();
	print(a);
	print(c);
	json_decref(a);
	json_decref(b);
	json_decref(c);
	report_free(quick);
	report_free(slow);
	report_free(journal);
	return 0;
}
