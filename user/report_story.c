/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A finding in plain words: what it says, how it came to it hop by hop, what it means and what weakens it. */
#include "user/report.h"

#include <stdarg.h>
#include <string.h>

#include "user/value_text.h"

#define LINE_BYTES 2048
#define GAPS_NAMED 6

__attribute__((format(printf, 2, 3))) static int say(json_t *lines, const char *format, ...)
{
	char raw[LINE_BYTES], safe[LINE_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(safe, sizeof(safe), raw, strlen(raw));
	return json_array_append_new(lines, json_string(safe)) ? -ENOMEM : 0;
}

static const char *text_at(const json_t *v, const char *path, const char *otherwise)
{
	const char *s = json_string_value(json_at(v, path));

	return s ? s : otherwise;
}

/* --- hops -------------------------------------------------------------------------- */

/* F: from, T: to, B: the bytes or what stands for them when they are not counted. */
static const struct {
	const char *via, *words;
} hops[] = {
	{"read", "T read B of F"},
	{"mmap", "T mapped at most B of F"},
	{"device", "T read at most B of F from its block device"},
	{"asked", "T asked for B of F, and may have got them"},
	{"fork", "F started T, which began with all that it held"},
	{"exec", "F became T by exec, and kept what it held"},
	{"held", "T holds an end of what F filled"},
	{"before", "T held at most B of F already when the monitor began"},
	{"peek", "T looked into the memory of F"},
	{"core_dump", "the memory of F was dumped into T"},
	{"channel", "F opened T, whose bytes nothing here counts"},
	{"network", "F sent B to T"},
	{"tcp", "F sent B to T by TCP"},
	{"udp", "F sent B to T by UDP"},
};

/* Those that are not in the table are named by what they do, "pipe_write". */
static const char *words_of(const char *via)
{
	size_t n = strlen(via);

	for (size_t i = 0; i < ARRAY_SIZE(hops); i++)
		if (!strcmp(hops[i].via, via))
			return hops[i].words;
	if (n > 6 && !strcmp(via + n - 6, "_write"))
		return "F wrote B into T";
	if (n > 5 && !strcmp(via + n - 5, "_read"))
		return "T read B from F";
	return "B went from F to T";
}

static int hop_line(json_t *lines, size_t number, const json_t *hop)
{
	_cleanup_free_ char *bytes = value_text(json_at(hop, "bytes"), FORMAT_SIZE, NULL);
	char text[LINE_BYTES];
	size_t w = 0;

	text[0] = '\0';
	for (const char *c = words_of(text_at(hop, "via", "")); *c && w < sizeof(text) - 1; c++) {
		const char *word = *c == 'F'   ? text_at(hop, "from", "?")
				   : *c == 'T' ? text_at(hop, "to", "?")
				   : *c == 'B' ? (bytes ? bytes : "an amount that is not counted")
					       : NULL;
		/* capitals within words ("TCP") stand for themselves */
		bool alone = (c[1] == ' ' || c[1] == ',' || !c[1]) && (w == 0 || text[w - 1] == ' ');

		if (word && alone)
			w += (size_t)snprintf(text + w, sizeof(text) - w, "%s", word);
		else
			w += (size_t)snprintf(text + w, sizeof(text) - w, "%c", *c);
	}
	return say(lines, "  %2zu  %-24s  %s (%s)", number, text_at(hop, "time", "time not known"), text,
		   text_at(hop, "via", "?"));
}

static int chain_lines(json_t *lines, const json_t *chain)
{
	size_t i;
	json_t *hop;
	int err = 0;

	if (!json_array_size(chain))
		return say(lines, "  no chain of hops belongs to this finding");
	err = say(lines, "how it can have come there: the widest way, each with the first time and the bytes so far");
	json_array_foreach (chain, i, hop)
		err = err ? err : hop_line(lines, i + 1, hop);
	return err;
}

/* --- around them --------------------------------------------------------------------- */

static int who_line(json_t *lines, const json_t *f)
{
	const json_t *p = json_at(f, "process");
	_cleanup_free_ char *name = value_text(p, FORMAT_PROCESS, NULL), *uid = value_text(json_at(p, "uid"), FORMAT_TEXT, NULL);

	if (!p)
		return say(lines, "by:     %s; no single process is named", text_at(f, "job", "an unknown job"));
	return say(lines, "by:     %s, user %s, executable %s, job %s", name ? name : "?", uid ? uid : "?",
		   text_at(p, "exe", "?"), text_at(f, "job", "not known"));
}

static int remote_line(json_t *lines, const json_t *f)
{
	_cleanup_free_ char *remote = value_text(json_at(f, "remote"), FORMAT_REMOTE, NULL);

	return remote ? say(lines, "to:     %s (%s)", remote, text_at(f, "remote.class", "class not known")) : 0;
}

static int bound_line(json_t *lines, const json_t *f)
{
	_cleanup_free_ char *bound = value_text(json_at(f, "leak_bound"), FORMAT_BOUND, NULL);
	_cleanup_free_ char *exposed = value_text(json_at(f, "exposed"), FORMAT_SIZE, NULL);

	if (bound)
		return say(lines, "so:     at most %lld bytes (%s) of %s went; they may stand for %s of it, no more",
			   (long long)json_integer_value(json_at(f, "leak_bound")), bound, text_at(f, "dataset", "tagged data"),
			   exposed ? exposed : "?");
	return exposed ? say(lines, "so:     %lld bytes (%s) of %s are exposed", (long long)json_integer_value(json_at(f, "exposed")),
			     exposed, text_at(f, "dataset", "tagged data"))
		       : 0;
}

static int coverage_line(json_t *lines, const json_t *f)
{
	const json_t *gaps = json_at(f, "coverage");
	_cleanup_free_ char *names = value_text(gaps, FORMAT_NAMES, NULL);
	size_t n = json_array_size(gaps);

	if (!n)
		return say(lines, "sure:   nothing that this finding rests on was left unmeasured");
	if (n > GAPS_NAMED || !names)
		return say(lines, "unsure: weakened by %zu gaps in what is measured, listed in its `coverage`", n);
	return say(lines, "unsure: weakened by what is not measured: %s", names);
}

json_t *report_story(const json_t *f)
{
	json_t *lines = json_array();
	_cleanup_free_ char *mitre = value_text(json_at(f, "mitre"), FORMAT_NAMES, NULL);
	int err = lines ? say(lines, "%s  %s, %s", text_at(f, "id", "?"), text_at(f, "rule", "?"), text_at(f, "severity", "?"))
			: -ENOMEM;

	if (!err)
		err = say(lines, "what:   %s", text_at(f, "title", "?"));
	if (!err)
		err = say(lines, "when:   first %s, last %s, raised %lld times, %s", text_at(f, "first", "?"), text_at(f, "last", "?"),
			  (long long)json_integer_value(json_at(f, "count")), text_at(f, "action", "?"));
	if (!err)
		err = who_line(lines, f);
	if (!err)
		err = remote_line(lines, f);
	if (!err)
		err = chain_lines(lines, json_at(f, "chain"));
	if (!err)
		err = bound_line(lines, f);
	if (!err)
		err = coverage_line(lines, f);
	if (!err && mitre && *mitre != '-')
		err = say(lines, "ATT&CK: %s", mitre);
	if (!err)
		return lines;
	json_decref(lines);
	return NULL;
}
