/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <string.h>

#include "user/client.h"
#include "user/policy/finding.h"
#include "user/report.h"
#include "user/screen.h"

#define TIMEOUT_MS 15000

/* "exfil.volume,staging.copy" or "any": calls `each` with every word; the first that returns true ends it. */
static bool any_word(const char *list, bool (*each)(const void *arg, const char *word), const void *arg, char word[64])
{
	for (const char *s = list;; s++) {
		size_t n = strcspn(s, ",");

		snprintf(word, 64, "%.*s", (int)MIN(n, (size_t)63), s);
		if (each(arg, word))
			return true;
		s += n;
		if (!*s)
			return false;
	}
}

static bool is_no_rule(const void *arg, const char *word)
{
	for (unsigned i = 0; i < RULE_KINDS; i++)
		if (!strcmp(rule_name((enum rule)i), word))
			return false;
	return strcmp(word, "any") != 0;
}

static bool was_found(const void *report, const char *word)
{
	return report_found(report, word);
}

static int check_rules(const char *list)
{
	char word[64];

	if (!list || !any_word(list, is_no_rule, NULL, word))
		return 0;
	cmd_error("report", "--fail-on: '%s' is no rule: give rules such as exfil.volume,staging.copy, or any", word);
	return -EINVAL;
}

/* --- one finding ------------------------------------------------------------------------ */

static int print_story(json_t *finding, bool json)
{
	json_t *lines = report_story(finding), *line;
	struct timespec now;
	char time[TIME_LEN];
	size_t i;

	if (!lines)
		return -ENOMEM;
	if (json) {
		clock_gettime(CLOCK_REALTIME, &now);
		return screen_json(json_pack("{s:i, s:s, s:s, s:O, s:o}", "v", 1, "type", "report", "time",
					     time_rfc3339(time, &now), "finding", finding, "story", lines));
	}
	json_array_foreach (lines, i, line)
		puts(json_string_value(line));
	json_decref(lines);
	return 0;
}

static json_t *find(const json_t *document, const char *id)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(document, "items"), i, item)
		if (json_is_string(json_object_get(item, "id")) && !strcmp(json_string_value(json_object_get(item, "id")), id))
			return item;
	return NULL;
}

static int ask(const struct options *o, json_t **ret, struct client_error *error)
{
	_cleanup_(client_closep) struct client *c = NULL;
	json_t *request = json_pack("{s:s}", "show", "findings");
	int r;

	if (!request) {
		snprintf(error->text, sizeof(error->text), "no memory");
		return -ENOMEM;
	}
	r = client_open(o->socket, TIMEOUT_MS, &c, error);

	if (r == 0)
		r = client_ask(c, request, TIMEOUT_MS, ret, error);
	json_decref(request);
	return r;
}

static int story_of_monitor(const struct options *o)
{
	struct client_error error = {};
	json_t *document, *finding;
	int err;

	if (ask(o, &document, &error) < 0) {
		cmd_error("report", "%s", error.text);
		return EXIT_USAGE;
	}
	finding = find(document, o->finding);
	err = finding ? print_story(finding, o->json) : -ENOENT;
	if (err == -ENOENT)
		cmd_error("report", "the monitor has no finding %s: `sluice show findings` gives their ids", o->finding);
	else if (err)
		cmd_error("report", "%s", strerror(-err));
	json_decref(document);
	return err ? EXIT_USAGE : EXIT_GOOD;
}

/* --- a file of records -------------------------------------------------------------------- */

static int print_report(const struct options *o, const struct report *r, const struct json_lines_end *end)
{
	json_t *document, *finding;
	int err;

	if (o->finding) {
		finding = report_finding(r, o->finding);
		if (finding)
			return print_story(finding, o->json);
		cmd_error("report", "%s has no finding %s within what was asked for", o->events, o->finding);
		return -ENOENT;
	}
	document = report_document(r, end);
	if (!document)
		return -ENOMEM;
	if (o->json)
		return screen_json(document);
	err = report_text(document, screen_width(), stdout);
	json_decref(document);
	return err;
}

static int report_of_file(const struct options *o)
{
	struct report_wish wish = {
	    .dataset = o->dataset,
	    .job = o->job,
	    .since = o->since_given ? &o->since : NULL,
	    .until = o->until_given ? &o->until : NULL,
	    .finding = o->finding,
	};
	_cleanup_(report_freep) struct report *r = NULL;
	struct json_lines_error error = {};
	struct json_lines_end end;
	char word[64];
	int err = report_new(&wish, &r);

	if (!err)
		err = json_lines_each(o->events, report_take, r, &end, &error);
	if (*error.text)
		cmd_error("report", "%s", error.text);
	if (!err)
		err = print_report(o, r, &end);
	if (err == -ENOMEM)
		cmd_error("report", "no memory");
	if (err)
		return EXIT_USAGE;
	return o->fail_on && any_word(o->fail_on, was_found, r, word) ? EXIT_FINDINGS : EXIT_GOOD;
}

int cmd_report(int argc, char **argv)
{
	struct options o;
	int status;

	if (!cmd_options("report", argc, argv, &o, &status))
		return status;
	if (check_rules(o.fail_on))
		return EXIT_USAGE;
	if (o.events)
		return report_of_file(&o);
	if (o.finding && !o.dataset && !o.job && !o.since_given && !o.until_given && !o.fail_on)
		return story_of_monitor(&o);
	cmd_error("report", "say what to read: --events FILE, as `sluice run --events` writes it, or --finding ID alone to ask the running monitor");
	return EXIT_USAGE;
}
