/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Does the steps named on its command line, one after another, in as many processes as they
 * ask for, so that a test can build any chain from file to network in one line of shell:
 *
 *   actor pipe fork{ read:/data/x write-pipe:9001 } connect:tcp:10.0.0.2:9000 read-pipe:9001 send:500009
 *
 * Each process instance prints one JSON line of truth when it ends (or execs).
 */
#include "tests/work/actor.h"
#include "tests/work/actor_verbs.h"

#include <signal.h>

static const char blocks_help[] =
    "  fork{ STEPS }              a child does STEPS and ends; fork:N{ for N of them\n"
    "  spawn{ STEPS }             the same through fork and exec of this program\n"
    "  repeat:N{ STEPS }          N times; % in a slot's name is the turn, from 0\n"
    "  try{ STEPS }               a failing step is noted and ends only the block\n"
    "  exec[:PROGRAM]             replace this process by itself (or a copy of itself) for the\n"
    "                             remaining steps of the block; not inside repeat{ or try{\n";

static void usage(FILE *f)
{
	fputs("usage: actor [-o FILE] STEP...      each STEP one word, VERB[@SLOT][:ARGUMENT]\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct verb *v = &verbs[i];
		char word[64];

		snprintf(word, sizeof(word), "%s%s%s", v->name, *v->arg ? ":" : "", v->arg);
		fprintf(f, "  %-26s %s\n", word, v->help);
	}
	fputs(blocks_help, f);
	fputs("Each process instance appends one JSON line to FILE (default stdout).\n", f);
}

/* --- the report ---------------------------------------------------------------------- */

static void truth_text(struct text *out, int i)
{
	const struct truth *t = &me.truth[i];

	text_add(out, "{\"step\":");
	text_quote(out, me.step[i]);
	text_add(out, ",\"runs\":%llu,", (unsigned long long)t->runs);
	if (t->tally.calls || t->tally.ops || t->tally.files)
		tally_text(out, &t->tally);
	else
		text_add(out, "\"bytes\":0");
	if (*t->local)
		text_add(out, ",\"local\":\"%s\"", t->local);
	if (t->error)
		text_add(out, ",\"errno\":%d", t->error);
	text_add(out, ",\"end_ns\":%llu}", (unsigned long long)t->end_ns);
}

static void report(void)
{
	struct text out = {0};
	bool first = true;

	text_add(&out, "{\"program\":\"actor\",\"pid\":%d,\"ppid\":%d,\"exec\":%u", getpid(),
		 getppid(), me.exec);
	for (int i = T_NONE + 1; i < T_COUNT; i++)
		text_add(&out, ",\"%s\":%llu", total_names[i], (unsigned long long)me.total[i]);
	text_add(&out, ",\"mapped\":%llu,\"touched\":%llu", (unsigned long long)me.mapped.mapped,
		 (unsigned long long)me.mapped.touched);
	text_add(&out, ",\"cpu_ns\":%llu,\"steps\":[", (unsigned long long)cpu_ns());
	for (int i = 0; i < me.steps; i++)
		if (me.truth[i].runs) {
			text_add(&out, first ? "" : ",");
			truth_text(&out, i);
			first = false;
		}
	text_add(&out, "]");
	if (me.failed >= 0) {
		text_add(&out, ",\"failed\":");
		text_quote(&out, me.step[me.failed]);
		text_add(&out, ",\"errno\":%d,\"error\":", me.error);
		text_quote(&out, strerror(me.error));
	}
	text_add(&out, ",\"ok\":%s}", me.failed < 0 && !me.child_failed ? "true" : "false");
	text_out(me.report, &out);
}

static void finish(int status)
{
	report();
	_exit(status ? status : me.failed >= 0 || me.child_failed ? EXIT_SAD : 0);
}

/* The children of a process that failed may wait for it for ever; it does not wait for them. */
static void fail(int step, int error)
{
	me.failed = step;
	me.error = -error;
	fprintf(stderr, "actor: %s: %s\n", me.step[step], strerror(-error));
	finish(EXIT_SAD);
}

/* --- running the list ------------------------------------------------------------------ */

enum block { B_NONE, B_FORK, B_SPAWN, B_REPEAT, B_TRY };

static bool word_is(const char *step, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(step, word, n) && (step[n] == '{' || step[n] == ':');
}

static enum block block_kind(const char *step, uint64_t *ret_times)
{
	static const struct {
		const char *word;
		enum block kind;
	} kinds[] = {{"fork", B_FORK}, {"spawn", B_SPAWN}, {"repeat", B_REPEAT}, {"try", B_TRY}};
	size_t len = strlen(step);

	if (!len || step[len - 1] != '{')
		return B_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].word);
		char digits[24] = "1";

		if (!word_is(step, kinds[i].word))
			continue;
		if (step[n] == ':')
			snprintf(digits, sizeof(digits), "%.*s", (int)(len - n - 2), step + n + 1);
		*ret_times = number(digits, step);
		return kinds[i].kind;
	}
	return B_NONE;
}

/* Index of the } that closes the block opened at `open`. */
static int block_end(int open)
{
	uint64_t times;
	int depth = 0;

	for (int i = open; i < me.steps; i++) {
		if (block_kind(me.step[i], &times) != B_NONE)
			depth++;
		else if (!strcmp(me.step[i], "}") && --depth == 0)
			return i;
	}
	misuse("'%s' is never closed by a word }", me.step[open]);
}

static const struct verb *verb_find(const char *step)
{
	size_t n = strcspn(step, "@:");

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strlen(verbs[i].name) == n && !strncmp(verbs[i].name, step, n))
			return &verbs[i];
	return NULL;
}

static void clear_truth(void)
{
	memset(me.truth, 0, (size_t)me.steps * sizeof(*me.truth));
	memset(me.total, 0, sizeof(me.total));
	memset(&me.mapped, 0, sizeof(me.mapped));
	me.exec = 0;
	me.child_failed = false;
}

/* The state is handed over as steps of its own, put before the remaining ones. */
static int exec_steps(const char *program, int from, int to)
{
	size_t room = (size_t)(to - from) + me.slots_count + 12, n = 0;
	char **argv = must_alloc(room * sizeof(*argv));
	struct text word;

#define ADD(...) (word = (struct text){0}, text_add(&word, __VA_ARGS__), argv[n++] = word.s)
	ADD("%s", program_invocation_name);
	ADD("--report=%d", me.report);
	ADD("--exec=%u", me.exec + 1);
	ADD("--");
	for (size_t i = 0; i < me.slots_count; i++) {
		const struct slot *s = &me.slots[i];

		if (s->rd >= 0 || s->wr >= 0)
			ADD("fd@%s:%d,%d", s->name, s->rd, s->wr);
	}
	ADD("chunk:%zu", me.chunk);
	ADD("rate:%llu", (unsigned long long)me.rate);
	ADD("via:%s", via_names[me.via]);
#undef ADD
	for (int i = from; i < to; i++)
		argv[n++] = me.step[i];
	execv(program, argv);
	return -errno;
}

static int run_exec(int at, int to)
{
	const char *program = strchr(me.step[at], ':');
	int r;

	if (me.repeating || me.trying)
		misuse("exec is not possible inside repeat{ or try{");
	me.truth[at].runs++;
	me.truth[at].end_ns = clock_ns(CLOCK_REALTIME);
	report();
	r = exec_steps(program ? program + 1 : "/proc/self/exe", at + 1, to);
	clear_truth();
	return r;
}

static int run_step(int i, int to)
{
	const struct verb *v = verb_find(me.step[i]);
	struct truth *t = &me.truth[i];
	struct tally before = t->tally;
	char *copy, *arg, *at;
	char slot[NAME_LEN];
	int r;

	if (!v)
		return run_exec(i, to);
	copy = strdup(me.step[i]);
	if (!copy)
		die("strdup");
	arg = strchr(copy, ':');
	if (arg)
		*arg++ = 0;
	at = strchr(copy, '@');
	slot_name(slot, at ? at + 1 : NULL, v->slot);
	t->runs++;
	r = v->run(slot, arg ? arg : copy + strlen(copy), t);
	t->end_ns = clock_ns(CLOCK_REALTIME);
	me.total[v->total] += t->tally.bytes - before.bytes;
	me.mapped.mapped += t->tally.mapped - before.mapped;
	me.mapped.touched += t->tally.touched - before.touched;
	free(copy);
	return r;
}

static int run(int from, int to);

static void run_child(enum block kind, int from, int to)
{
	clear_truth();
	me.trying = me.repeating = 0;
	if (kind == B_SPAWN) {
		int r = exec_steps("/proc/self/exe", from, to);

		fail(from - 1, r);
	}
	run(from, to);
	collect_children();
	finish(0);
}

static int run_block(int i, int end, enum block kind, uint64_t times)
{
	uint64_t outer = me.turn;
	int r = 0;

	me.truth[i].runs++;
	for (uint64_t turn = 0; turn < times && r == 0; turn++) {
		pid_t pid;

		me.turn = turn;
		if (kind == B_TRY || kind == B_REPEAT) {
			r = run(i + 1, end);
			continue;
		}
		pid = fork();
		if (pid < 0)
			return -errno;
		if (pid == 0)
			run_child(kind, i + 1, end);
		me.truth[i].tally.ops++;
	}
	me.turn = outer;
	me.truth[i].end_ns = clock_ns(CLOCK_REALTIME);
	return r;
}

/* Steps from..to. Inside try{ a failure is returned, elsewhere it ends the process. */
static int run(int from, int to)
{
	for (int i = from; i < to; i++) {
		uint64_t times = 1;
		enum block kind = block_kind(me.step[i], &times);
		int end = kind == B_NONE ? i : block_end(i);
		int r;

		me.trying += kind == B_TRY;
		me.repeating += kind == B_REPEAT;
		r = kind == B_NONE ? run_step(i, to) : run_block(i, end, kind, times);
		me.trying -= kind == B_TRY;
		me.repeating -= kind == B_REPEAT;
		if (r < 0)
			me.truth[i].error = -r;
		if (r < 0 && kind != B_TRY) {
			if (me.trying)
				return r;
			fail(i, r);
		}
		i = end;
	}
	return 0;
}

/* Before anything is done, so that a typing error does not show half way through a test. */
static void check_steps(void)
{
	uint64_t times;
	int depth = 0;

	for (int i = 0; i < me.steps; i++) {
		if (block_kind(me.step[i], &times) != B_NONE) {
			block_end(i);
			depth++;
		} else if (!strcmp(me.step[i], "}")) {
			if (--depth < 0)
				misuse("a word } closes nothing");
		} else if (!verb_find(me.step[i]) && strcmp(me.step[i], "exec") &&
			   strncmp(me.step[i], "exec:", 5)) {
			misuse("'%s' is no step; see --help", me.step[i]);
		}
	}
}

static int options(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-o") && i + 1 < argc) {
			me.report = report_open(argv[++i]);
		} else if (!strncmp(argv[i], "--report=", 9)) {
			me.report = (int)number(argv[i] + 9, "--report");
		} else if (!strncmp(argv[i], "--exec=", 7)) {
			me.exec = (unsigned int)number(argv[i] + 7, "--exec");
		} else if (!strcmp(argv[i], "--")) {
			return i + 1;
		} else {
			bool asked = !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");

			usage(asked ? stdout : stderr);
			exit(asked ? 0 : EXIT_MISUSE);
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	int first;

	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	first = options(argc, argv);
	me.step = argv + first;
	me.steps = argc - first;
	if (!me.steps) {
		usage(stderr);
		return EXIT_MISUSE;
	}
	check_steps();
	me.truth = must_alloc((size_t)me.steps * sizeof(*me.truth));
	me.buffer = must_alloc(BUFFER);
	memset(me.buffer, 'x', BUFFER);
	run(0, me.steps);
	collect_children();
	finish(0);
}
