/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <string.h>

#include "user/client.h"
#include "user/export/journal_read.h"
#include "user/export/ocsf.h"
#include "user/policy/config.h"
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

/* Without a word if it fails: the journal may know. */
static int story_of_monitor(const struct options *o, struct client_error *error)
{
	json_t *document, *finding;
	int err = ask(o, &document, error);

	if (err < 0)
		return err;
	finding = find(document, o->finding);
	err = finding ? print_story(finding, o->json) : -ENOENT;
	json_decref(document);
	if (err)
		snprintf(error->text, sizeof(error->text),
			 err == -ENOENT ? "the monitor has no finding %s: `sluice show findings` gives their ids" : "%s",
			 err == -ENOENT ? o->finding : strerror(-err));
	return err;
}

/* --- a file of records, or a journal ------------------------------------------------------------ */

static int print_ocsf(struct report *r)
{
	json_t *list = report_findings_json(r), *finding, *event;
	size_t i, left_out = 0;
	int err = list ? 0 : -ENOMEM;

	json_array_foreach (list, i, finding) {
		int got = err ? err : ocsf_finding(finding, &event);

		if (got == -EINVAL) {
			left_out++;
			continue;
		}
		if (!got && (json_dumpf(event, stdout, JSON_COMPACT) || putchar('\n') == EOF))
			got = -EIO;
		if (!got)
			json_decref(event);
		err = got;
	}
	json_decref(list);
	if (left_out)
		cmd_error("report", "%zu findings were left out: they lack an id, a rule or a time", left_out);
	return err ? err : fflush(stdout) ? -EIO : 0;
}

static int print_finding(const struct options *o, const struct report *r, const char *source)
{
	json_t *finding = report_finding(r, o->finding);

	if (finding)
		return print_story(finding, o->json);
	cmd_error("report", "%s has no finding %s within what was asked for", source, o->finding);
	return -ENOENT;
}

static int print_report(const struct options *o, struct report *r, const char *source, bool torn)
{
	json_t *document;
	int err;

	if (o->ocsf)
		return print_ocsf(r);
	if (o->finding)
		return print_finding(o, r, source);
	document = report_document(r, torn);
	if (!document)
		return -ENOMEM;
	if (o->json)
		return screen_json(document);
	err = report_text(document, screen_width(), stdout);
	json_decref(document);
	return err;
}

/* What stands before the first record was removed long ago; what is missing later is a gap. */
static int read_records(struct journal_reader *reader, struct report *r)
{
	struct journal_line line;
	bool any = false;
	int got, err = 0;

	while (!err && (got = journal_reader_next(reader, &line))) {
		if (got == -EBADMSG)
			report_missed(r, 0, 0, 1);
		else if (got < 0)
			return got;
		else {
			report_missed(r, any ? 0 : line.skipped, any ? line.skipped : 0, 0);
			any = true;
			err = report_line(r, line.text, line.len);
		}
	}
	return err;
}

static int read_journal(const struct options *o, const char *dir, struct report *r)
{
	_cleanup_(journal_reader_closep) struct journal_reader *reader = NULL;
	int err = journal_reader_open(dir, &reader);

	if (!err && o->since_given)
		err = journal_reader_at(reader, &o->since);
	if (!err)
		err = read_records(reader, r);
	if (err == -ENOENT)
		cmd_error("report",
			  "%s: there is no such journal: does a monitor write one, and there? Else name another with --journal "
			  "DIR, or a file "
			  "of records with --events FILE",
			  dir);
	else if (err && err != -ENOMEM)
		cmd_error("report", "%s: %s", dir, strerror(-err));
	return err;
}

static int read_events(const struct options *o, struct report *r, bool *ret_torn)
{
	struct json_lines_error error = {};
	struct json_lines_end end;
	int err = json_lines_each(o->events, report_raw, report_take, r, &end, &error);

	if (*error.text)
		cmd_error("report", "%s", error.text);
	*ret_torn = !err && end.torn;
	return err;
}

/* `dir`: the journal's; NULL: --events. */
static int report_of(const struct options *o, const char *dir)
{
	struct report_wish wish = {
	    .dataset = o->dataset,
	    .job = o->job,
	    .since = o->since_given ? &o->since : NULL,
	    .until = o->until_given ? &o->until : NULL,
	    .finding = o->finding,
	    .vouched = dir,
	};
	_cleanup_(report_freep) struct report *r = NULL;
	bool torn = false;
	char word[64];
	int err = report_new(&wish, &r);

	if (!err)
		err = dir ? read_journal(o, dir, r) : read_events(o, r, &torn);
	if (!err)
		err = print_report(o, r, dir ? dir : o->events, torn);
	if (err == -ENOMEM)
		cmd_error("report", "no memory");
	if (err)
		return EXIT_USAGE;
	return o->fail_on && any_word(o->fail_on, was_found, r, word) ? EXIT_FINDINGS : EXIT_GOOD;
}

/* --- which ---------------------------------------------------------------------------------------- */

/* To be freed. NULL: there is none, and *ret_why says so. */
static char *configured_journal(const struct options *o, struct config_error *ret_why)
{
	_cleanup_(config_freep) struct config *c = NULL;
	const char *file = o->config ? o->config : CONFIG_DEFAULT_PATH;

	if (config_load_elsewhere(file, &c, ret_why))
		return NULL;
	if (!c->journal.dir)
		snprintf(ret_why->text, sizeof(ret_why->text),
			 "%.200s: it has no `journal`: add one, such as journal: { dir: " JOURNAL_DEFAULT_DIR " }", file);
	return c->journal.dir ? strdup(c->journal.dir) : NULL;
}

/* What the running monitor has is newer than a journal; and what it forgot may be there. */
static bool asks_monitor(const struct options *o)
{
	return o->finding && !o->config && !o->dataset && !o->job && !o->since_given && !o->until_given && !o->fail_on && !o->ocsf;
}

static int report_of_journal(const struct options *o)
{
	struct client_error monitor = {};
	struct config_error why = {};
	_cleanup_free_ char *dir = NULL;

	if (asks_monitor(o) && !story_of_monitor(o, &monitor))
		return EXIT_GOOD;
	dir = configured_journal(o, &why);
	if (dir && (!*monitor.text || !access(dir, F_OK)))
		return report_of(o, dir);
	if (*monitor.text)
		cmd_error("report", "%s", monitor.text);
	else
		cmd_error(
		    "report",
		    "which journal? %s; or say what to read: --journal DIR, or --events FILE, as `sluice run --events` writes it",
		    why.text);
	return EXIT_USAGE;
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
		return report_of(&o, NULL);
	return o.journal ? report_of(&o, o.journal) : report_of_journal(&o);
}
