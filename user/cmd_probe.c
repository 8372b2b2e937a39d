/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

#include "user/credential_marks.h"
#include "user/plan.h"
#include "user/probe.h"
#include "user/screen.h"
#include "user/selftest.h"
#include "user/table_text.h"

struct outcome {
	struct facts facts;
	struct plan plan;
	int err; /* of the plan: what `run` would meet */
	struct selftest *test; /* NULL: not asked for, or there was nothing to test */
};

/* --- as JSON ---------------------------------------------------------------- */

static const char *trial_text(int trial)
{
	return trial == -ESRCH || trial == -ENOENT ? "its function is not in this kernel"
						   : strerror(-trial);
}

static json_t *facts_json(const struct facts *f)
{
	return json_pack("{s:b,s:b,s:o,s:b,s:b,s:b,s:b,s:b}", "privileged", f->privileged, "btf", f->btf,
			 "cgroup2", *f->cgroup2 ? json_string(f->cgroup2) : json_null(),
			 "rdonly_cast", f->have_cast, "current_task_btf", f->have_task_btf, "loop",
			 f->have_loop, "preempts_tracepoints", f->preempted, "preempts_trampolines",
			 f->interrupted);
}

static json_t *programs_json(const struct outcome *o)
{
	json_t *list = json_array();

	for (int h = 0; h < HOOK_KINDS; h++) {
		int trial = o->facts.trial[h];

		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:b,s:o,s:b}", "name", hook_name((enum hook)h), "set",
				    set_name(hook_set_of((enum hook)h)), "loads", trial == 0,
				    "error", trial ? json_string(trial_text(trial)) : json_null(),
				    "on", o->plan.on[h]));
	}
	return list;
}

static json_t *owners_json(const struct plan *p)
{
	json_t *list = json_array();

	for (int f = 0; f < FACT_KINDS; f++) {
		if (p->owner[f] < 0)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s}", "fact", fact_name((enum fact)f),
						"program", hook_name((enum hook)p->owner[f]),
						"text", fact_text((enum fact)f)));
	}
	return list;
}

struct gap_list {
	const struct plan *plan;
	json_t *list;
};

/* A fact that has an owner all the same is measured in part. */
static void gap_json(void *arg, enum fact f, const char *why)
{
	struct gap_list *g = arg;

	json_array_append_new(g->list, json_pack("{s:s,s:s,s:s,s:b}", "fact", fact_name(f), "text",
						 fact_text(f), "why", why, "partial",
						 g->plan->owner[f] >= 0));
}

/* What no program of the kernel half measures; "": nothing is in the way. */
static const char *marks_refused(char *buf, size_t n)
{
	bool pidfds;
	_cleanup_close_ int fd = credential_marks_open(&pidfds);

	snprintf(buf, n, "%s%s", fd < 0 ? "the kernel refuses fanotify: " : "", fd < 0 ? strerror(-fd) : "");
	return buf;
}

static void marks_json(struct gap_list *g)
{
	char why[128];

	if (*marks_refused(why, sizeof(why)))
		json_array_append_new(g->list, json_pack("{s:s,s:s,s:s,s:b}", "fact", CREDENTIAL_FACT, "text", CREDENTIAL_FACT_TEXT,
							 "why", why, "partial", false));
}

/* null where the figures mean nothing */
static json_t *row_json(const struct selftest_row *r)
{
	bool known = r->proof == PROOF_EXACT || proof_failed(r->proof);

	return json_pack("{s:s,s:s,s:o,s:o,s:o}", "path", r->name, "result", proof_name(r->proof), "bytes",
			 known && r->bytes ? json_integer((json_int_t)r->want) : json_null(), "seen",
			 !known	    ? json_null()
			 : r->bytes ? json_integer((json_int_t)r->got)
				    : json_boolean(r->got),
			 "why", *r->why ? json_string(r->why) : json_null());
}

static json_t *fact_json(const struct outcome *o, enum fact f)
{
	const struct selftest *t = o->test;
	json_t *paths = json_array();
	int h = o->plan.owner[f];

	for (size_t i = 0; i < t->nrows; i++)
		if (t->rows[i].facts >> f & 1)
			json_array_append_new(paths, row_json(&t->rows[i]));
	return json_pack("{s:s,s:s,s:s,s:o,s:o}", "fact", fact_name(f), "result", proof_name(t->fact[f]), "detail",
			 t->detail[f], "runs", t->counted && h >= 0 ? json_integer((json_int_t)t->runs[h]) : json_null(),
			 "paths", paths);
}

static json_t *test_json(const struct outcome *o)
{
	json_t *list;

	if (!o->test)
		return json_null();
	list = json_array();
	for (int f = 0; f < FACT_KINDS; f++)
		json_array_append_new(list, fact_json(o, (enum fact)f));
	return json_pack("{s:I,s:o,s:o}", "took_ms", (json_int_t)(o->test->took_ns / 1000000), "why",
			 *o->test->why ? json_string(o->test->why) : json_null(), "facts", list);
}

static int print_json(const struct outcome *o)
{
	struct timespec now;
	struct utsname u;
	char time[TIME_LEN];
	struct gap_list gaps = {&o->plan, json_array()};

	clock_gettime(CLOCK_REALTIME, &now);
	uname(&u);
	plan_gaps(&o->plan, gap_json, &gaps);
	plan_limits(&o->plan, gap_json, &gaps);
	marks_json(&gaps);
	return screen_json(
	    json_pack("{s:i,s:s,s:s,s:{s:s,s:s},s:{s:s,s:s,s:b},s:o,s:o,s:o,s:o,s:o}", "v", 1, "type",
		      "probe", "time", time_rfc3339(time, &now), "kernel", "release", u.release,
		      "machine", u.machine, "choice", "set", set_name(o->plan.set), "why",
		      o->plan.why, "usable", o->err == 0, "facts", facts_json(&o->facts), "owners",
		      owners_json(&o->plan), "gaps", gaps.list, "programs", programs_json(o), "self_test",
		      test_json(o)));
}

/* --- for people ------------------------------------------------------------- */

static const struct text_column owner_columns[] = {
    {.title = "MEASURED"},
    {.title = "BY"},
    {.title = "WHAT", .cut = CUT_END, .least = 16},
};

static const struct text_column gap_columns[] = {
    {.title = "NOT MEASURED"},
    {.title = "WHAT", .cut = CUT_END, .least = 16, .drop = 1},
    {.title = "WHY", .cut = CUT_END, .least = 16},
};

static const struct text_column limit_columns[] = {
    {.title = "NOT ALL OF IT"},
    {.title = "WHY", .cut = CUT_END, .least = 16},
};

static const struct text_column program_columns[] = {
    {.title = "PROGRAM"},
    {.title = "SET"},
    {.title = "ON"},
    {.title = "TRIAL", .cut = CUT_END, .least = 16},
};

static const struct text_column test_columns[] = {
    {.title = "FACT"},
    {.title = "RESULT"},
    {.title = "DETAIL", .cut = CUT_END, .least = 16},
};

struct rows {
	struct table_text *table;
	int err;
};

static void add(struct rows *r, const char *const *cells)
{
	if (r->err == 0)
		r->err = table_text_row(r->table, cells);
}

static void gap_row(void *arg, enum fact f, const char *why)
{
	struct rows *r = arg;

	add(r, (const char *[]){fact_name(f), fact_text(f), why});
}

static void limit_row(void *arg, enum fact f, const char *why)
{
	struct rows *r = arg;

	add(r, (const char *[]){fact_name(f), why});
}

static void owner_rows(const struct outcome *o, struct rows *r)
{
	for (int f = 0; f < FACT_KINDS; f++)
		if (o->plan.owner[f] >= 0)
			add(r, (const char *[]){fact_name((enum fact)f),
						hook_name((enum hook)o->plan.owner[f]),
						fact_text((enum fact)f)});
}

static void gap_rows(const struct outcome *o, struct rows *r)
{
	char why[128];

	plan_gaps(&o->plan, gap_row, r);
	if (*marks_refused(why, sizeof(why)))
		add(r, (const char *[]){CREDENTIAL_FACT, CREDENTIAL_FACT_TEXT, why});
}

static void limit_rows(const struct outcome *o, struct rows *r)
{
	plan_limits(&o->plan, limit_row, r);
}

static void program_rows(const struct outcome *o, struct rows *r)
{
	for (int h = 0; h < HOOK_KINDS; h++)
		add(r,
		    (const char *[]){hook_name((enum hook)h), set_name(hook_set_of((enum hook)h)),
				     o->plan.on[h] ? "yes" : "no",
				     o->facts.trial[h] ? trial_text(o->facts.trial[h]) : "loads"});
}

static void test_rows(const struct outcome *o, struct rows *r)
{
	for (int f = 0; o->test && f < FACT_KINDS; f++)
		add(r, (const char *[]){fact_name((enum fact)f), proof_name(o->test->fact[f]), o->test->detail[f]});
}

struct table {
	const struct text_column *columns;
	size_t n;
	void (*rows)(const struct outcome *o, struct rows *r);
};

static const struct table tables[] = {
    {owner_columns, ARRAY_SIZE(owner_columns), owner_rows},
    {gap_columns, ARRAY_SIZE(gap_columns), gap_rows},
    {limit_columns, ARRAY_SIZE(limit_columns), limit_rows},
    {program_columns, ARRAY_SIZE(program_columns), program_rows},
};

static const struct table test_table = {test_columns, ARRAY_SIZE(test_columns), test_rows};

static int print_table(const struct outcome *o, const struct table *what)
{
	_cleanup_(table_text_freep) struct table_text *t = NULL;
	struct rows r = {};

	r.err = table_text_new(what->columns, what->n, &t);
	r.table = t;
	if (r.err == 0)
		what->rows(o, &r);
	if (r.err < 0)
		return r.err;
	putchar('\n');
	table_text_print(t, screen_width(), stdout);
	return 0;
}

static const char *yes(bool v)
{
	return v ? "yes" : "no";
}

static int print_text(const struct outcome *o)
{
	const struct facts *f = &o->facts;
	struct utsname u;

	uname(&u);
	printf("kernel       %s %s\n", u.release, u.machine);
	printf("may load     %s\n", yes(f->privileged));
	printf("types (BTF)  %s\n", yes(f->btf));
	printf("cgroup v2    %s\n", *f->cgroup2 ? f->cgroup2 : "not mounted");
	printf("preempts     %s\n", f->preempted ? "programs on tracepoints and on trampolines"
				    : f->interrupted ? "programs on trampolines" : "no programs");
	printf("kernel help  bpf_rdonly_cast %s, bpf_get_current_task_btf %s, bpf_loop %s\n",
	       yes(f->have_cast), yes(f->have_task_btf), yes(f->have_loop));
	printf("hook set     %s: %s\n", set_name(o->plan.set), o->plan.why);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		int err = print_table(o, &tables[i]);

		if (err)
			return err;
	}
	return o->test ? print_table(o, &test_table) : 0;
}

/* What `run` would say here, and what would help. */
static int verdict(const struct outcome *o)
{
	if (o->err == 0)
		return EXIT_GOOD;
	if (o->err == -EPERM)
		cmd_error("probe", "the kernel refuses to load BPF programs for this user: try "
				   "`sudo sluice probe`");
	else if (!o->facts.btf)
		cmd_error(
		    "probe",
		    "the kernel describes no types: boot one built with CONFIG_DEBUG_INFO_BTF=y");
	else
		cmd_error("probe",
			  "the %s set cannot tell here what is read: `sluice check` may say why",
			  set_name(o->plan.set));
	return EXIT_KERNEL;
}

/* As `run` does it at its start: attached as planned, and let go again. */
static int self_test(struct outcome *o)
{
	_cleanup_(engine_closep) struct engine *e = NULL;
	int bad, err = engine_open(&o->plan, &e, &bad);

	if (err) {
		cmd_error("probe", "%s%s%s", bad < 0 ? "" : hook_name((enum hook)bad), bad < 0 ? "" : ": ", strerror(-err));
		return EXIT_KERNEL;
	}
	o->test = calloc(1, sizeof(*o->test));
	if (!o->test)
		return EXIT_USAGE;
	selftest_run(e, &o->plan, NULL, o->test);
	selftest_apply(o->test, &o->plan);
	for (int f = 0; f < FACT_KINDS; f++)
		if (proof_failed(o->test->fact[f]))
			return EXIT_FINDINGS;
	return EXIT_GOOD;
}

static int report(const struct options *options, struct outcome *o)
{
	int status = EXIT_GOOD, r;

	if (options->self_test && o->err == 0)
		status = self_test(o);
	if (status == EXIT_KERNEL)
		return status;
	r = options->json ? print_json(o) : print_text(o);
	if (r < 0) {
		cmd_error("probe", "%s", strerror(-r));
		return EXIT_USAGE;
	}
	fflush(stdout);
	return status ? status : verdict(o);
}

int cmd_probe(int argc, char **argv)
{
	struct outcome outcome = {};
	struct options o;
	int status;

	if (!cmd_options("probe", argc, argv, &o, &status))
		return status;
	probe_kernel(&outcome.facts);
	outcome.err = plan_make(&outcome.facts, o.hooks, &outcome.plan);
	if (outcome.err == 0)
		outcome.err = plan_check(&outcome.plan);
	status = report(&o, &outcome);
	free(outcome.test);
	return status;
}
