/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/finding_words.h"

#include <string.h>

#include "user/value_text.h"

#define HOPS_TOLD 12

int finding_severity(const json_t *record)
{
	static const char *const names[] = {"info", "low", "medium", "high", "critical"};
	const char *word = json_string_value(json_object_get(record, "severity"));

	for (int i = 0; word && i < (int)ARRAY_SIZE(names); i++)
		if (!strcmp(word, names[i]))
			return i;
	return -1;
}

const char *finding_advice(const char *rule)
{
	static const struct {
		const char *rule, *advice;
	} all[] = {
	    {"exfil.volume",
	     "Find out whether this destination is meant to receive the dataset. If it is, add it to network.allow for this "
	     "dataset; if not, end the job, keep the journal, and rotate what the process could use."},
	    {"budget.exceeded", "Find out why more of the dataset left than its budget allows, or raise datasets[].budget."},
	    {"egress.unexpected", "Find out why the job talks to this destination. If it is meant to, add it to network.allow."},
	    {"egress.plaintext", "Use TLS for this connection: whoever carries it can read the data."},
	    {"s3.foreign-bucket",
	     "Find out whose bucket this is. If it is meant to receive the data, add it to network.allow; limit the VPC "
	     "endpoint's policy to the buckets that are."},
	    {"dns.tunnel", "End the process and keep the journal: questions to name servers carry data out."},
	    {"staging.copy", "Remove the copy, or tag its place as a dataset and say in `derived` who may write it."},
	    {"access.unauthorized",
	     "Find out who read the dataset and why; then either name them in readers, or take the right to read away."},
	    {"credential.static",
	     "Give the job credentials that end: a role of the instance, pod or task instead of a key in a file."},
	    {"channel.unobservable",
	     "Find out why the process opened a way out that is not measured, and close it where it is not needed."},
	    {"monitor.tamper", "Find out who touched the monitor; treat what was measured from then on as incomplete."},
	    {"monitor.gap", "Treat figures of that time as too low; see `sluice show health` for what was not measured, and why."},
	};

	for (size_t i = 0; rule && i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i].rule, rule))
			return all[i].advice;
	return NULL;
}

const char *finding_host(const json_t *record)
{
	const char *id = json_string_value(json_at(record, "host.instance_id"));
	const char *name = json_string_value(json_at(record, "host.name"));

	return words_any(id) ? id : words_any(name) ? name : "unknown";
}

int64_t finding_time(const json_t *record, const char *path)
{
	const char *text = json_string_value(json_at(record, path));
	struct timespec t;

	if (!text || time_parse(text, &t) || t.tv_sec < 0)
		return -1;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Of these Unicode has some more, which no one sees either. */
static bool is_space(uint32_t cp)
{
	return cp <= ' ' || cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200b) || cp == 0x2028 ||
	       cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000 || cp == 0xfeff;
}

bool words_any(const char *text)
{
	size_t left = text ? strlen(text) : 0, n;
	uint32_t cp;

	for (; left; text += n, left -= n) {
		n = utf8_next(text, left, &cp);
		if (!n || !is_space(cp))
			return true; /* no UTF-8 is told as "?" */
	}
	return false;
}

json_t *words_cut(const char *text, size_t most)
{
	size_t size = text ? strlen(text) + 1 : 0, left, n; /* what is made safe gets no longer */
	_cleanup_free_ char *safe = size ? malloc(size) : NULL;
	const char *s = safe;
	uint32_t cp;

	if (!safe)
		return NULL;
	left = text_safe(safe, size, text, strlen(text));
	for (; most && (n = utf8_next(s, left, &cp)); most--) {
		s += n;
		left -= n;
	}
	return s == safe ? NULL : json_stringn(safe, (size_t)(s - safe));
}

/* --- sentences ------------------------------------------------------------------------------ */

static void tell_process(FILE *f, const json_t *record)
{
	const json_t *p = json_at(record, "process");
	_cleanup_free_ char *name = value_text(p, FORMAT_PROCESS, NULL), *uid = value_text(json_at(p, "uid"), FORMAT_TEXT, NULL);
	const char *exe = json_string_value(json_at(p, "exe")), *job = json_string_value(json_at(record, "job"));

	if (p)
		fprintf(f, " By %s, executable %s, user %s", name ? name : "?", exe ? exe : "?", uid ? uid : "?");
	if (job)
		fprintf(f, "%s job %s", p ? "," : " By", job);
	if (p || job)
		fputc('.', f);
}

static void tell_remote(FILE *f, const json_t *record)
{
	_cleanup_free_ char *remote = value_text(json_at(record, "remote"), FORMAT_REMOTE, NULL);
	const char *class = json_string_value(json_at(record, "remote.class"));

	if (remote)
		fprintf(f, " To %s (%s).", remote, class ? class : "class not known");
}

static void tell_bound(FILE *f, const json_t *record)
{
	_cleanup_free_ char *bound = value_text(json_at(record, "leak_bound"), FORMAT_SIZE, NULL);
	_cleanup_free_ char *exposed = value_text(json_at(record, "exposed"), FORMAT_SIZE, NULL);
	const char *set = json_string_value(json_at(record, "dataset"));

	if (bound)
		fprintf(f, " At most %lld bytes (%s) of %s left; they may stand for %s of it.",
			(long long)json_integer_value(json_at(record, "leak_bound")), bound, set ? set : "tagged data",
			exposed ? exposed : "an unknown part");
	else if (exposed)
		fprintf(f, " %s of %s are exposed.", exposed, set ? set : "tagged data");
}

/* "dataset p > loader[5] (read) > pipe:[7] (pipe_write)" */
static void tell_chain(FILE *f, const json_t *record)
{
	const json_t *chain = json_at(record, "chain");
	size_t i, n = json_array_size(chain);
	json_t *hop;

	if (!n)
		return;
	json_array_foreach (chain, i, hop) {
		const char *from = json_string_value(json_at(hop, "from")), *to = json_string_value(json_at(hop, "to"));
		const char *via = json_string_value(json_at(hop, "via"));

		if (i == 0)
			fprintf(f, " Way: %s", from ? from : "?");
		if (i == HOPS_TOLD)
			fprintf(f, " > and %zu more", n - i);
		if (i < HOPS_TOLD)
			fprintf(f, " > %s (%s)", to ? to : "?", via ? via : "?");
	}
	fputc('.', f);
}

static void tell_coverage(FILE *f, const json_t *record)
{
	size_t n = json_array_size(json_at(record, "coverage"));

	if (n)
		fprintf(f, " Weakened by %zu facts that are not measured.", n);
}

char *finding_description(const json_t *record)
{
	const char *title = json_string_value(json_object_get(record, "title"));
	_cleanup_free_ char *raw = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&raw, &n);
	char *safe;

	if (!f)
		return NULL;
	fprintf(f, "%s.", words_any(title) ? title : "A finding without a title");
	tell_remote(f, record);
	tell_bound(f, record);
	tell_process(f, record);
	tell_coverage(f, record);
	tell_chain(f, record);
	if (fclose(f))
		return NULL;
	safe = malloc(n + 1);
	if (safe)
		text_safe(safe, n + 1, raw, n);
	return safe;
}
