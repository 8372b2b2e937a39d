/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/config_text.h"

#include <string.h>

#include "user/dest/class.h"
#include "user/value_text.h"
#include "user/table_text.h"

char *duration_text(char buf[static DURATION_LEN], uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} units[] = {{86400 * NSEC, "d"}, {3600 * NSEC, "h"}, {60 * NSEC, "m"}, {NSEC, "s"}};

	/* A day is written as hours, as people do. */
	for (size_t i = ns >= 2 * units[0].ns ? 0 : 1; i < ARRAY_SIZE(units); i++) {
		if (ns >= units[i].ns && ns % units[i].ns == 0) {
			snprintf(buf, DURATION_LEN, "%llu%s",
				 (unsigned long long)(ns / units[i].ns), units[i].unit);
			return buf;
		}
	}
	snprintf(buf, DURATION_LEN, "%llums", (unsigned long long)(ns / (NSEC / 1000)));
	return buf;
}

/* --- as JSON ---------------------------------------------------------------- */

static json_t *text_json(const char *text)
{
	char safe[4096];

	if (!text)
		return json_null();
	text_safe(safe, sizeof(safe), text, strlen(text));
	return json_string(safe);
}

static json_t *strings_json(const struct strings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, text_json(s->v[i]));
	return list;
}

static json_t *duration_json(uint64_t ns)
{
	char text[DURATION_LEN];

	return json_string(duration_text(text, ns));
}

static json_t *cidr_json(const struct cidr *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = c->bits >= 96 && memcmp(c->addr, mapped, sizeof(mapped)) == 0;
	char addr[ADDR_LEN];

	return json_sprintf("%s/%u", addr_text(addr, c->addr), c->bits - (v4 ? 96u : 0u));
}

static json_t *people_json(const struct people *who)
{
	if (!who->set)
		return json_null();
	return json_pack("{s:o,s:o,s:o}", "users", strings_json(&who->users), "jobs", strings_json(&who->jobs), "exe",
			 strings_json(&who->exe));
}

static json_t *derived_json(const struct dataset_config *d)
{
	if (!d->derived.from.n)
		return json_null();
	return json_pack("{s:o,s:o}", "from", strings_json(&d->derived.from), "writers", people_json(&d->derived.writers));
}

static json_t *dataset_json(const struct dataset_config *d)
{
	json_t *o = json_object(), *tags = json_object();

	for (size_t i = 0; i < d->ntags; i++) {
		char key[256];

		text_safe(key, sizeof(key), d->tags[i].key, strlen(d->tags[i].key));
		json_object_set_new(tags, key, text_json(d->tags[i].value));
	}
	json_object_set_new(o, "id", text_json(d->id));
	json_object_set_new(o, "path", text_json(d->path));
	if (d->mount)
		json_object_set_new(o, "mount", text_json(d->mount));
	json_object_set_new(o, "tags", tags);
	json_object_set_new(o, "readers", people_json(&d->readers));
	json_object_set_new(o, "derived", derived_json(d));
	json_object_set_new(o, "budget",
			    !d->budget.set ? json_null()
					   : json_pack("{s:I,s:o}", "outside_vpc",
						       (json_int_t)d->budget.outside_vpc, "per",
						       duration_json(d->budget.per_ns)));
	json_object_set_new(o, "mode", json_string(d->block ? "block" : "alert"));
	return o;
}

static void set_if(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, text_json(text));
}

static json_t *allow_json(const struct allow_rule *a)
{
	json_t *o = json_object();

	set_if(o, "name", a->name);
	set_if(o, "bucket", a->bucket);
	set_if(o, "service", a->service);
	set_if(o, "account", a->account);
	if (a->has_cidr)
		json_object_set_new(o, "cidr", cidr_json(&a->cidr));
	if (a->port)
		json_object_set_new(o, "port", json_integer(a->port));
	if (a->datasets.n)
		json_object_set_new(o, "datasets", strings_json(&a->datasets));
	return o;
}

static const char *expect_name(enum expect e)
{
	return e == EXPECT_ML ? "ml" : e == EXPECT_TAINTED ? "tainted" : "all";
}

static json_t *network_json(const struct config *c)
{
	json_t *cidrs = json_array(), *allow = json_array();

	for (size_t i = 0; i < c->network.nvpc_cidrs; i++)
		json_array_append_new(cidrs, cidr_json(&c->network.vpc_cidrs[i]));
	for (size_t i = 0; i < c->network.nallow; i++)
		json_array_append_new(allow, allow_json(&c->network.allow[i]));
	return json_pack("{s:s,s:o,s:s,s:o,s:o}", "vpc", c->network.vpc_auto ? "auto" : "off",
			 "vpc_cidrs", cidrs, "expect", expect_name(c->network.expect), "aws_ranges",
			 text_json(c->network.aws_ranges), "allow", allow);
}

static json_t *journal_json(const struct config *c)
{
	if (!c->journal.dir)
		return json_null();
	return json_pack("{s:o,s:I,s:o}", "dir", text_json(c->journal.dir), "max_size",
			 (json_int_t)c->journal.max_size, "retain",
			 duration_json(c->journal.retain_ns));
}

static json_t *export_json(const struct config *c)
{
	json_t *cloudwatch = json_null();

	if (c->export.cloudwatch)
		cloudwatch = json_pack(
		    "{s:o,s:o,s:o,s:i}", "log_group", text_json(c->export.log_group), "namespace",
		    text_json(c->export.metric_namespace), "endpoint",
		    text_json(c->export.endpoint), "retain_days", (int)c->export.retain_days);
	return json_pack("{s:o,s:b}", "cloudwatch", cloudwatch, "security_hub",
			 c->export.security_hub);
}

json_t *config_json(const struct config *c)
{
	json_t *datasets = json_array();

	for (size_t i = 0; i < c->ndatasets; i++)
		json_array_append_new(datasets, dataset_json(&c->datasets[i]));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "file", text_json(c->file),
			 "digest", c->file ? text_json(c->digest) : json_null(), "datasets",
			 datasets, "jobs", strings_json(&c->jobs), "network", network_json(c),
			 "trusted", strings_json(&c->trusted), "journal", journal_json(c), "state",
			 text_json(c->state ? c->state : "off"), "export",
			 export_json(c), "interval", duration_json(c->interval_ns), "inactive",
			 strings_json(&c->inactive));
}

/* --- for people ------------------------------------------------------------- */

static const struct text_column dataset_columns[] = {
    {.title = "DATASET", .cut = CUT_END, .least = 10},
    {.title = "PATH", .cut = CUT_START, .least = 12},
    {.title = "TAGS", .cut = CUT_END, .least = 10, .drop = 2},
    {.title = "READERS", .cut = CUT_END, .least = 10, .drop = 3},
    {.title = "MAY LEAVE", .right = true, .drop = 1},
    {.title = "MODE"},
};

/* "users trainer; exe /usr/bin/python3*"; an empty list says nothing. */
static char *people_text(const json_t *who)
{
	char *text = NULL;
	size_t len;
	const char *key;
	json_t *list;
	FILE *f;
	bool any = false;

	if (!who)
		return strdup("anyone");
	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	json_object_foreach ((json_t *)who, key, list) {
		_cleanup_free_ char *names = value_text(list, FORMAT_NAMES, NULL);

		if (json_array_size(list) == 0)
			continue;
		fprintf(f, "%s%s %s", any ? "; " : "", key, names ? names : "?");
		any = true;
	}
	fclose(f);
	return text;
}

static char *budget_text(const json_t *budget)
{
	_cleanup_free_ char *bytes = value_text(json_at(budget, "outside_vpc"), FORMAT_SIZE, NULL);
	_cleanup_free_ char *per = value_text(json_at(budget, "per"), FORMAT_TEXT, NULL);
	char *text;

	if (!budget)
		return strdup("-");
	return asprintf(&text, "%s per %s", bytes ? bytes : "?", per ? per : "?") < 0 ? NULL : text;
}

static int add_dataset(struct table_text *t, const json_t *d)
{
	char *cells[] = {
	    value_text(json_at(d, "id"), FORMAT_TEXT, NULL),
	    value_text(json_at(d, json_at(d, "mount") ? "mount" : "path"), FORMAT_TEXT, NULL),
	    value_text(json_at(d, "tags"), FORMAT_TAGS, NULL),
	    people_text(json_at(d, "readers")),
	    budget_text(json_at(d, "budget")),
	    value_text(json_at(d, "mode"), FORMAT_TEXT, NULL),
	};
	int r = table_text_row(t, (const char *const *)cells);

	_Static_assert(ARRAY_SIZE(cells) == ARRAY_SIZE(dataset_columns), "columns");
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		free(cells[i]);
	return r;
}

static int print_derived(const json_t *d, FILE *out)
{
	_cleanup_free_ char *id = value_text(json_at(d, "id"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *from = value_text(json_at(d, "derived.from"), FORMAT_NAMES, NULL);
	_cleanup_free_ char *writers = people_text(json_at(d, "derived.writers"));

	if (!id || !from || !writers)
		return -ENOMEM;
	fprintf(out, "%s is derived from %s, as written by %s\n", id, from, writers);
	return 0;
}

static int print_datasets(const json_t *datasets, unsigned width, FILE *out)
{
	_cleanup_(table_text_freep) struct table_text *t = NULL;
	bool any = false;
	int r;

	if (json_array_size(datasets) == 0) {
		fprintf(out, "no datasets\n\n");
		return 0;
	}
	r = table_text_new(dataset_columns, ARRAY_SIZE(dataset_columns), &t);
	for (size_t i = 0; r == 0 && i < json_array_size(datasets); i++)
		r = add_dataset(t, json_array_get(datasets, i));
	if (r == 0) {
		table_text_print(t, width, out);
		fputc('\n', out);
	}
	for (size_t i = 0; r == 0 && i < json_array_size(datasets); i++) {
		const json_t *d = json_array_get(datasets, i);

		if (!json_at(d, "derived"))
			continue;
		r = print_derived(d, out);
		any = true;
	}
	if (any)
		fputc('\n', out);
	return r;
}

/* One line of a setting: printed when the value has something to say. */
static const struct {
	const char *label, *path;
	enum value_format format;
} settings[] = {
    {"ML jobs by name", "jobs", FORMAT_NAMES},
    {"VPC", "network.vpc", FORMAT_TEXT},
    {"VPC ranges", "network.vpc_cidrs", FORMAT_NAMES},
    {"must stay inside", "network.expect", FORMAT_TEXT},
    {"AWS ranges", "network.aws_ranges", FORMAT_TEXT},
    {"trusted", "trusted", FORMAT_NAMES},
    {"journal", "journal.dir", FORMAT_TEXT},
    {"state", "state", FORMAT_TEXT},
    {"CloudWatch", "export.cloudwatch.log_group", FORMAT_TEXT},
    {"interval", "interval", FORMAT_TEXT},
};

static void print_line(FILE *out, unsigned width, const char *label, const char *text)
{
	char safe[1024], cut[1040];

	text_safe(safe, sizeof(safe), text, strlen(text));
	text_fit(cut, sizeof(cut), safe, width > 40 ? width - 26 : sizeof(safe), CUT_END);
	fprintf(out, "%-24s  %s\n", label, cut);
}

static void print_allowed(const json_t *allow, unsigned width, FILE *out)
{
	for (size_t i = 0; i < json_array_size(allow); i++) {
		_cleanup_free_ char *text = value_text(json_array_get(allow, i), FORMAT_TAGS, NULL);

		print_line(out, width, i ? "" : "allowed", text ? text : "?");
	}
}

int config_print(const json_t *config, unsigned width, FILE *out)
{
	const json_t *inactive = json_at(config, "inactive");
	int r = print_datasets(json_at(config, "datasets"), width, out);

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		_cleanup_free_ char *text =
		    value_text(json_at(config, settings[i].path), settings[i].format, NULL);

		if (text && strcmp(text, "-") != 0)
			print_line(out, width, settings[i].label, text);
	}
	print_allowed(json_at(config, "network.allow"), width, out);
	for (size_t i = 0; i < json_array_size(inactive); i++)
		print_line(out, width, i ? "" : "no effect yet",
			   json_string_value(json_array_get(inactive, i)));
	return r;
}
