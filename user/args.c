/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/args.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "user/policy/config.h"

#define OPTIONS_MAX 16
/* getopt_long() returns an option's index plus this, out of the way of letters. */
#define VAL_BASE 256

static const char *const hooks_words[] = {
    [WISH_AUTO] = "auto", [WISH_TRAMPOLINE] = "trampoline", [WISH_TRACEPOINT] = "tracepoint", NULL};
static const char *const show_words[] = {"datasets", "jobs", "processes", "destinations",
					 "flows", "findings", "health", NULL};

static const char *const view_words[] = {"jobs", "processes", "datasets", "destinations", "flows", "findings", "health", NULL};

// clang-format off
#define AT(field) offsetof(struct options, field)

#define OPTION_CONFIG \
	{.name = "config", .letter = 'c', .kind = OPTION_TEXT, .value = "FILE", .offset = AT(config), \
	 .help = "the configuration; default " CONFIG_DEFAULT_PATH}
#define OPTION_SOCKET(what) \
	{.name = "socket", .kind = OPTION_TEXT, .value = "PATH", .offset = AT(socket), \
	 .help = what "; default " SOCKET_DEFAULT_PATH}
#define OPTION_HOOKS \
	{.name = "hooks", .kind = OPTION_WORD, .value = "auto|trampoline|tracepoint", .words = hooks_words, \
	 .offset = AT(hooks), .help = "which hook set; auto takes the best that this kernel accepts"}
#define OPTION_JSON \
	{.name = "json", .kind = OPTION_FLAG, .offset = AT(json), .help = "print one JSON document"}
#define OPTION_HELP {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "print this help"}

static const struct option_spec run_options[] = {
	OPTION_CONFIG,
	{.name = "events", .kind = OPTION_TEXT, .value = "FILE|-", .offset = AT(events),
	 .help = "append records to FILE, or print them, as JSON Lines"},
	OPTION_SOCKET("where `sluice show` can ask"),
	{.name = "once", .kind = OPTION_SECONDS, .value = "SECONDS", .offset = AT(once_ns),
	 .help = "run that long, write the final totals and exit"},
	OPTION_HOOKS,
	OPTION_HELP,
};

static const struct option_spec show_options[] = {
	OPTION_JSON,
	{.name = "tree", .kind = OPTION_FLAG, .offset = AT(tree),
	 .help = "processes under those that they come from, and what each received"},
	{.name = "unread", .kind = OPTION_TEXT, .value = "ID", .offset = AT(unread),
	 .help = "of this dataset the files that nobody read"},
	{.name = "job", .kind = OPTION_TEXT, .value = "NAME", .offset = AT(job),
	 .help = "with --unread: that no process of this job read"},
	{.name = "since", .kind = OPTION_TIME, .value = "T", .offset = AT(since), .given = AT(since_given),
	 .help = "only what was active at T or later (RFC 3339, or 15m before now)"},
	{.name = "until", .kind = OPTION_TIME, .value = "T", .offset = AT(until), .given = AT(until_given),
	 .help = "only what had begun by T"},
	OPTION_SOCKET("where the monitor listens"),
	OPTION_HELP,
};

static const struct option_spec top_options[] = {
	OPTION_CONFIG,
	OPTION_SOCKET("where a monitor listens that is joined"),
	{.name = "replay", .kind = OPTION_TEXT, .value = "FILE", .offset = AT(replay),
	 .help = "what was, of a file of records or a journal's directory"},
	{.name = "batch", .kind = OPTION_COUNT, .value = "N", .offset = AT(batch),
	 .help = "print N rounds of a view as plain tables; of a replay the last ones"},
	{.name = "interval", .kind = OPTION_SECONDS, .value = "SECONDS", .offset = AT(interval_ns),
	 .help = "between rounds; default 1"},
	{.name = "view", .kind = OPTION_WORD, .value = "jobs|processes|datasets|destinations|flows|findings|health",
	 .words = view_words, .offset = AT(view), .help = "what is shown first; default jobs"},
	{.name = "filter", .kind = OPTION_TEXT, .value = "TERMS", .offset = AT(filter),
	 .help = "only rows that it lets through, as 'dataset:ID class:internet >1MiB'"},
	{.name = "ascii", .kind = OPTION_FLAG, .offset = AT(ascii), .help = "draw with ASCII only; so it is without a UTF-8 locale"},
	{.name = "mono", .kind = OPTION_FLAG, .offset = AT(mono), .help = "draw without colours, as with NO_COLOR set"},
	{.name = "json", .kind = OPTION_FLAG, .offset = AT(json), .help = "with --batch: a document per round, each on a line"},
	OPTION_HELP,
};

static const struct option_spec report_options[] = {
	OPTION_CONFIG,
	{.name = "journal", .kind = OPTION_TEXT, .value = "DIR", .offset = AT(journal),
	 .help = "the journal to read; default the configuration's journal.dir"},
	{.name = "events", .kind = OPTION_TEXT, .value = "FILE|-", .offset = AT(events),
	 .help = "instead of a journal: records as `sluice run --events` wrote them"},
	{.name = "finding", .kind = OPTION_TEXT, .value = "ID", .offset = AT(finding),
	 .help = "the story of one finding, hop by hop; given alone, the running monitor is asked first"},
	{.name = "dataset", .kind = OPTION_TEXT, .value = "ID", .offset = AT(dataset), .help = "of this dataset only"},
	{.name = "job", .kind = OPTION_TEXT, .value = "ID", .offset = AT(job), .help = "of this job only"},
	{.name = "since", .kind = OPTION_TIME, .value = "T", .offset = AT(since), .given = AT(since_given),
	 .help = "only records of T or later (RFC 3339, or 15m before now)"},
	{.name = "until", .kind = OPTION_TIME, .value = "T", .offset = AT(until), .given = AT(until_given),
	 .help = "only records of T or earlier"},
	OPTION_JSON,
	{.name = "ocsf", .kind = OPTION_FLAG, .offset = AT(ocsf), .help = "print the findings as OCSF 1.6 events, one a line"},
	{.name = "fail-on", .kind = OPTION_TEXT, .value = "RULE,...", .offset = AT(fail_on),
	 .help = "exit with 1 if one of these rules, or any, was broken"},
	OPTION_SOCKET("where the monitor listens"),
	OPTION_HELP,
};

static const struct option_spec check_options[] = {
	OPTION_CONFIG,
	OPTION_JSON,
	OPTION_HELP,
};

static const struct option_spec verify_options[] = {
	OPTION_JSON,
	{.name = "key", .kind = OPTION_TEXT, .value = "FILE", .offset = AT(key),
	 .help = "the public key that must have signed, kept elsewhere; default those beside the digests"},
	{.name = "state", .kind = OPTION_TEXT, .value = "PATH", .offset = AT(state),
	 .help = "where the monitor keeps what it knows of the journal's end; default " STATE_DEFAULT_DIR},
	OPTION_HELP,
};

static const struct option_spec probe_options[] = {
	OPTION_JSON,
	{.name = "self-test", .kind = OPTION_FLAG, .offset = AT(self_test),
	 .help = "walk every data path with a canary, and tell which are seen"},
	OPTION_HOOKS,
	OPTION_HELP,
};

#define OPTIONS(table) .options = table, .noptions = ARRAY_SIZE(table)

const struct command_spec args_commands[] = {
	{.name = "run", .summary = "the monitor, in the foreground", OPTIONS(run_options),
	 .detail = "Watches the configured datasets until SIGINT or SIGTERM. Needs root.\n"},
	{.name = "show", .summary = "what a running monitor knows", .operands = show_words, OPTIONS(show_options)},
	{.name = "top", .summary = "the viewer; starts a monitor of its own when none runs", OPTIONS(top_options),
	 .detail = "Joins the monitor that listens at --socket, for which membership of the group `sluice` is enough; if there is\n"
		   "none, root gets one for as long as the viewer lives, by the configuration given with -c.\n"},
	{.name = "report", .summary = "who read what and where it can have gone, from the journal", OPTIONS(report_options)},
	{.name = "check", .summary = "validate the configuration and the host's posture", OPTIONS(check_options),
	 .detail = "Exits with 1 when a check fails, with 2 when the configuration is refused.\n"},
	{.name = "verify", .summary = "check the journal's hash chain and signatures", .free_operand = "DIR",
	 OPTIONS(verify_options), .detail = "Exits with 1 when something was changed, with 2 when that cannot be told.\n"},
	{.name = "probe", .summary = "what this kernel allows, the hook set chosen, the gaps",
	 OPTIONS(probe_options),
	 .detail = "With --self-test it exits with 1 when a fact has an owner that does not see it.\n"},
};
// clang-format on

const size_t args_ncommands = ARRAY_SIZE(args_commands);

_Static_assert(sizeof(enum wish) == sizeof(unsigned), "OPTION_WORD");
_Static_assert(ARRAY_SIZE(run_options) <= OPTIONS_MAX, "OPTIONS_MAX");

const struct command_spec *args_command(const char *name)
{
	for (size_t i = 0; i < args_ncommands; i++)
		if (strcmp(args_commands[i].name, name) == 0)
			return &args_commands[i];
	return NULL;
}

__attribute__((format(printf, 2, 3))) static int refuse(struct args_error *ret_error,
							const char *format, ...)
{
	char raw[sizeof(ret_error->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(ret_error->text, sizeof(ret_error->text), raw, strlen(raw));
	return -EINVAL;
}

static int parse_word(const struct option_spec *o, const char *value, unsigned *ret,
		      struct args_error *ret_error)
{
	for (unsigned i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], value) == 0) {
			*ret = i;
			return 0;
		}
	}
	return refuse(ret_error, "--%s: '%.60s' is none of %s", o->name, value, o->value);
}

static int parse_seconds(const struct option_spec *o, const char *value, uint64_t *ret,
			 struct args_error *ret_error)
{
	char text[32];
	uint64_t ns;
	size_t n = strlen(value);
	bool bare = n && isdigit((unsigned char)value[n - 1]);

	if (snprintf(text, sizeof(text), "%s%s", value, bare ? "s" : "") >= (int)sizeof(text) ||
	    duration_parse(text, &ns) < 0 || ns == 0)
		return refuse(ret_error,
			      "--%s: '%.60s' is no time: give seconds, such as 5 or 0.5",
			      o->name, value);
	*ret = ns;
	return 0;
}

static int parse_count(const struct option_spec *o, const char *value, uint64_t *ret, struct args_error *ret_error)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end || n == 0 || n > UINT32_MAX)
		return refuse(ret_error, "--%s: '%.60s' is no number of times: give one from 1 up", o->name, value);
	*ret = n;
	return 0;
}

static int parse_time(const struct option_spec *o, const char *value, const struct timespec *now,
		      struct timespec *ret, struct args_error *ret_error)
{
	uint64_t ago;

	if (time_parse(value, ret) == 0)
		return 0;
	if (duration_parse(value, &ago) < 0 || ago / NSEC > (uint64_t)now->tv_sec)
		return refuse(ret_error,
			      "--%s: '%.60s' is no time: give one such as 2026-11-20T23:12:46Z, or "
			      "a duration "
			      "before now such as 15m",
			      o->name, value);
	ret->tv_sec = now->tv_sec - (time_t)(ago / NSEC);
	ret->tv_nsec = now->tv_nsec - (long)(ago % NSEC);
	if (ret->tv_nsec < 0) {
		ret->tv_sec--;
		ret->tv_nsec += NSEC;
	}
	return 0;
}

static int take_option(const struct option_spec *o, const char *value, const struct timespec *now,
		       struct options *options, struct args_error *ret_error)
{
	char *field = (char *)options + o->offset;
	int r;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		if (!*value)
			return refuse(ret_error, "--%s: the value is empty: give %s", o->name,
				      o->value);
		*(const char **)field = value;
		return 0;
	case OPTION_WORD:
		return parse_word(o, value, (unsigned *)field, ret_error);
	case OPTION_SECONDS:
		return parse_seconds(o, value, (uint64_t *)field, ret_error);
	case OPTION_COUNT:
		return parse_count(o, value, (uint64_t *)field, ret_error);
	case OPTION_TIME:
		r = parse_time(o, value, now, (struct timespec *)field, ret_error);
		if (r == 0)
			*(bool *)((char *)options + o->given) = true;
		return r;
	}
	return -EINVAL;
}

/* "datasets, jobs or health" */
static char *words_list(char *out, size_t size, const char *const *words)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; words[i] && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s",
				      i == 0	     ? ""
				      : words[i + 1] ? ", "
						     : " or ",
				      words[i]);
	return out;
}

static int take_operand(const struct command_spec *c, const char *word, struct options *options,
			struct args_error *ret_error)
{
	char list[128];

	if (!c->operands && !c->free_operand)
		return refuse(ret_error, "'%.60s' is one word too many: see `sluice help %s`", word,
			      c->name);
	if (options->operand)
		return refuse(ret_error,
			      "'%.60s' is one word too many: ask for one thing at a time", word);
	if (c->free_operand && !*word)
		return refuse(ret_error, "%s is empty", c->free_operand);
	if (c->free_operand) {
		options->operand = word;
		return 0;
	}
	for (size_t i = 0; c->operands[i]; i++) {
		if (strcmp(c->operands[i], word) == 0) {
			options->operand = c->operands[i];
			return 0;
		}
	}
	return refuse(ret_error, "'%.60s' cannot be shown: ask for %s", word,
		      words_list(list, sizeof(list), c->operands));
}

/* getopt's own words name argv[0] only and go to stderr: each complaint is worded here. */
static int complain(const struct command_spec *c, int got, char **argv,
		    struct args_error *ret_error)
{
	const struct option_spec *o = NULL;

	for (size_t i = 0; i < c->noptions; i++)
		if (optopt == VAL_BASE + (int)i || (optopt && optopt == c->options[i].letter))
			o = &c->options[i];
	if (got == ':' && o)
		return refuse(ret_error, "--%s wants a value: %s", o->name, o->value);
	if (o)
		return refuse(ret_error, "--%s takes no value", o->name);
	if (optopt && optopt < VAL_BASE)
		return refuse(ret_error, "no option -%c: see `sluice help %s`", optopt, c->name);
	return refuse(ret_error, "no option %.60s: see `sluice help %s`", argv[optind - 1],
		      c->name);
}

static void getopt_tables(const struct command_spec *c, struct option *ret_long, char *ret_short)
{
	size_t n = 0;

	/* '-': operands are given in order as option 1, whatever POSIXLY_CORRECT says. */
	ret_short[n++] = '-';
	ret_short[n++] = ':';
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option_spec *o = &c->options[i];

		ret_long[i] =
		    (struct option){.name = o->name,
				    .val = VAL_BASE + (int)i,
				    .has_arg = o->value ? required_argument : no_argument};
		if (!o->letter)
			continue;
		ret_short[n++] = o->letter;
		if (o->value)
			ret_short[n++] = ':';
	}
	ret_short[n] = '\0';
	ret_long[c->noptions] = (struct option){};
}

static const struct option_spec *option_of(const struct command_spec *c, int got)
{
	for (size_t i = 0; i < c->noptions; i++)
		if (got == VAL_BASE + (int)i || got == c->options[i].letter)
			return &c->options[i];
	return NULL;
}

static bool command_is(const struct command_spec *c, const char *name)
{
	return strcmp(c->name, name) == 0;
}

static int check_whole(const struct command_spec *c, const struct options *o,
		       struct args_error *ret_error)
{
	char list[128];

	if (c->operands && !o->operand)
		return refuse(ret_error, "say what to show: %s",
			      words_list(list, sizeof(list), c->operands));
	if (c->free_operand && !o->operand)
		return refuse(ret_error, "say which: sluice %s %s", c->name, c->free_operand);
	if (o->tree && strcmp(o->operand, "processes") != 0)
		return refuse(ret_error, "--tree: only processes have one: sluice show processes --tree");
	if (o->unread && strcmp(o->operand, "datasets") != 0)
		return refuse(ret_error, "--unread: only datasets have files: sluice show datasets --unread ID");
	if (c->operands && o->job && !o->unread)
		return refuse(ret_error, "--job: say of which dataset: sluice show datasets --unread ID --job NAME");
	if (o->journal && o->events)
		return refuse(ret_error, "--events: a journal is named as well: give one of --journal and --events");
	if (o->ocsf && o->json)
		return refuse(ret_error, "--ocsf: its events are JSON already, one a line: leave --json out");
	if (o->json && !o->batch && command_is(c, "top"))
		return refuse(ret_error, "--json: it is for scripts: give --batch N too");
	if (o->since_given && o->until_given &&
	    (o->since.tv_sec > o->until.tv_sec ||
	     (o->since.tv_sec == o->until.tv_sec && o->since.tv_nsec > o->until.tv_nsec)))
		return refuse(ret_error, "--until: it lies before --since: swap them");
	return 0;
}

int args_parse(const struct command_spec *command, int argc, char **argv,
	       const struct timespec *now, struct options *ret, struct args_error *ret_error)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 + 2 * OPTIONS_MAX + 1];
	struct options options = {.socket = SOCKET_DEFAULT_PATH};
	int got, r;

	getopt_tables(command, longs, shorts);
	optind = 0; /* starts anew, and reads the leading '-' of the short options */
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_spec *o = option_of(command, got);

		if (got == '?' || got == ':')
			return complain(command, got, argv, ret_error);
		if (got == 1)
			r = take_operand(command, optarg, &options, ret_error);
		else if (o->letter == 'h')
			return 1;
		else
			r = take_option(o, optarg, now, &options, ret_error);
		if (r < 0)
			return r;
	}
	for (; optind < argc; optind++) {
		r = take_operand(command, argv[optind], &options, ret_error);
		if (r < 0)
			return r;
	}
	r = check_whole(command, &options, ret_error);
	if (r < 0)
		return r;
	*ret = options;
	return 0;
}
