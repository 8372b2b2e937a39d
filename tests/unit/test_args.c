/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/args.h"
#include "user/policy/config.h"

static const struct timespec now = {.tv_sec = 1800000000, .tv_nsec = 250000000};

#define PARSE(command, ret, error, ...)                                                            \
	parse(command, (char *[]){(char *)(command), __VA_ARGS__ __VA_OPT__(, ) NULL}, ret, error)

static int parse(const char *command, char **argv, struct options *ret, struct args_error *error)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	error->text[0] = '\0';
	return args_parse(args_command(command), argc, argv, &now, ret, error);
}

static void assert_refused(const char *command, char **argv, const char *expect)
{
	struct options o = {.operand = "untouched"};
	struct args_error e;

	assert_int_equal(parse(command, argv, &o, &e), -EINVAL);
	assert_string_equal(o.operand, "untouched");
	assert_null(strchr(e.text, '\n'));
	if (!strstr(e.text, expect))
		fail_msg("'%s' does not contain '%s'", e.text, expect);
}

#define REFUSED(expect, command, ...)                                                              \
	assert_refused(command, (char *[]){(char *)(command), __VA_ARGS__, NULL}, expect)

static void test_defaults(void **state)
{
	struct options o;
	struct args_error e;

	assert_int_equal(PARSE("run", &o, &e), 0);
	assert_null(o.config);
	assert_null(o.events);
	assert_string_equal(o.socket, SOCKET_DEFAULT_PATH);
	assert_int_equal(o.once_ns, 0);
	assert_int_equal(o.hooks, WISH_AUTO);
}

static void test_run_takes_all(void **state)
{
	struct options o;
	struct args_error e;

	assert_int_equal(PARSE("run", &o, &e, "-c", "a.yaml", "--events", "-", "--socket=/s",
			       "--once", "2.5", "--hooks", "tracepoint"),
			 0);
	assert_string_equal(o.config, "a.yaml");
	assert_string_equal(o.events, "-");
	assert_string_equal(o.socket, "/s");
	assert_int_equal(o.once_ns, 2500000000);
	assert_int_equal(o.hooks, WISH_TRACEPOINT);
	assert_int_equal(PARSE("run", &o, &e, "--config=b", "--hooks=trampoline", "--once=3m"), 0);
	assert_string_equal(o.config, "b");
	assert_int_equal(o.hooks, WISH_TRAMPOLINE);
	assert_int_equal(o.once_ns, 180 * NSEC);
}

static void test_operand_anywhere(void **state)
{
	struct options o;
	struct args_error e;

	assert_int_equal(PARSE("show", &o, &e, "flows", "--json"), 0);
	assert_string_equal(o.operand, "flows");
	assert_true(o.json);
	assert_int_equal(PARSE("show", &o, &e, "--json", "health"), 0);
	assert_string_equal(o.operand, "health");
	assert_int_equal(PARSE("show", &o, &e, "--json", "--", "jobs"), 0);
	assert_string_equal(o.operand, "jobs");
	setenv("POSIXLY_CORRECT", "1", 1);
	assert_int_equal(PARSE("show", &o, &e, "flows", "--json"), 0);
	unsetenv("POSIXLY_CORRECT");
	assert_true(o.json);
}

static void test_times(void **state)
{
	struct options o;
	struct args_error e;

	assert_int_equal(PARSE("show", &o, &e, "flows", "--since", "15m", "--until", "500ms"), 0);
	assert_true(o.since_given && o.until_given);
	assert_int_equal(o.since.tv_sec, now.tv_sec - 900);
	assert_int_equal(o.since.tv_nsec, now.tv_nsec);
	assert_int_equal(o.until.tv_sec, now.tv_sec - 1);
	assert_int_equal(o.until.tv_nsec, 750000000);
	assert_int_equal(PARSE("show", &o, &e, "flows", "--since", "2026-11-20T23:12:46.001Z"), 0);
	assert_false(o.until_given);
	assert_int_equal(o.since.tv_sec, 1795216366);
	assert_int_equal(o.since.tv_nsec, 1000000);
}

static void test_refusals(void **state)
{
	REFUSED("say what to show: datasets, jobs, processes, destinations, flows, findings or health", "show",
		"--json");
	REFUSED("'moon' cannot be shown", "show", "moon");
	REFUSED("one thing at a time", "show", "jobs", "flows");
	REFUSED("one thing at a time", "show", "jobs", "--", "flows");
	REFUSED("'x' is one word too many: see `sluice help run`", "run", "x");
	REFUSED("no option --nope: see `sluice help run`", "run", "--nope");
	REFUSED("no option --nope=3", "run", "--nope=3");
	REFUSED("no option -x", "run", "-x");
	REFUSED("no option -x", "show", "flows", "-xj");
	REFUSED("no option -j", "check", "-j");
	REFUSED("--socket wants a value: PATH", "run", "--socket");
	REFUSED("--config wants a value: FILE", "run", "-c");
	REFUSED("--config: the value is empty", "run", "-c", "");
	REFUSED("--json takes no value", "show", "flows", "--json=yes");
	REFUSED("--hooks: 'kprobe' is none of auto|trampoline|tracepoint", "run", "--hooks",
		"kprobe");
	REFUSED("--once: '0' is no time", "run", "--once", "0");
	REFUSED("--once: '-1'", "run", "--once", "-1");
	REFUSED("--once: '5 s'", "run", "--once", "5 s");
	REFUSED("--once: ''", "run", "--once=");
	REFUSED("--once: '1e3'", "run", "--once", "1e3");
	REFUSED("--since: 'yesterday' is no time", "show", "flows", "--since", "yesterday");
	REFUSED("--since: '99999999d'", "show", "flows", "--since", "99999999d");
	REFUSED("--until: it lies before --since", "show", "flows", "--since", "1m", "--until",
		"2m");
}

static void test_hostile_text_is_cut_and_cleaned(void **state)
{
	struct options o;
	struct args_error e;
	char bad[5000];

	memset(bad, '\x1b', sizeof(bad) - 1);
	bad[sizeof(bad) - 1] = '\0';
	assert_int_equal(PARSE("show", &o, &e, bad), -EINVAL);
	assert_null(strchr(e.text, '\x1b'));
	assert_int_equal(PARSE("run", &o, &e, "--hooks", bad), -EINVAL);
	assert_null(strchr(e.text, '\x1b'));
	memcpy(bad, "--", 2);
	assert_int_equal(PARSE("run", &o, &e, bad), -EINVAL);
	assert_null(strchr(e.text, '\x1b'));
}

static void test_help(void **state)
{
	struct options o;
	struct args_error e;

	assert_int_equal(PARSE("run", &o, &e, "-h"), 1);
	assert_int_equal(PARSE("show", &o, &e, "flows", "--help"), 1);
	_cleanup_free_ char *all = args_help();
	for (size_t i = 0; i < args_ncommands; i++) {
		const struct command_spec *c = &args_commands[i];
		_cleanup_free_ char *one = args_help_command(c);

		assert_non_null(strstr(all, c->summary));
		for (size_t k = 0; k < c->noptions; k++)
			assert_non_null(strstr(one, c->options[k].help));
		for (char *line = strtok(one, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(strlen(line) <= 120);
	}
	assert_null(args_command("nothing"));
}

/* The manual says what the tables say: each option and word stands in it. */
static void test_manual_follows_the_tables(void **state)
{
	char page[100000], want[64];
	_cleanup_fclose_ FILE *f = fopen("user/man/sluice.8", "re");

	if (!f)
		fail_msg("run from the project's root");
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	for (size_t i = 0; i < args_ncommands; i++) {
		const struct command_spec *c = &args_commands[i];

		snprintf(want, sizeof(want), ".Ss sluice %s", c->name);
		const char *section = strstr(page, want);
		if (!section)
			fail_msg("no section '%s'", want);
		const char *end = strstr(section, "\n.Sh"), *next = strstr(section + 1, "\n.Ss");
		if (next && next < end)
			end = next;
		for (size_t k = 0; k < c->noptions; k++) {
			snprintf(want, sizeof(want), "Fl -%s", c->options[k].name);
			const char *at = strstr(section, want);
			if (c->options[k].letter != 'h' && (!at || at > end))
				fail_msg("'%s' of %s is not in the manual", want, c->name);
		}
		for (size_t k = 0; c->operands && c->operands[k]; k++) {
			const char *at = strstr(section, c->operands[k]);
			assert_true(at && at < end);
		}
	}
}

static void test_time_parse(void **state)
{
	struct timespec t = {.tv_sec = 7};
	static const char *const bad[] = {"",
					  "2026",
					  "2026-11-20",
					  "2026-11-20T23:12Z",
					  "2026-11-20T23:12:46",
					  "2026-02-30T00:00:00Z",
					  "2026-13-01T00:00:00Z",
					  "2026-11-20T24:00:00Z",
					  "2026-11-20T23:12:46.Z",
					  "2026-11-20T23:12:46Zx",
					  "2026-11-20T23:12:46+1",
					  "2026-11-20T23:12:46+01:60",
					  "+026-11-20T23:12:46Z",
					  "2026-11-2"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(time_parse(bad[i], &t), -EINVAL);
	assert_int_equal(t.tv_sec, 7);
	assert_int_equal(time_parse("2026-11-21T01:12:46.5+02:00", &t), 0);
	assert_int_equal(t.tv_sec, 1795216366);
	assert_int_equal(t.tv_nsec, 500000000);
	assert_int_equal(time_parse("2026-11-20t22:42:46.1234567890-00:30", &t), 0);
	assert_int_equal(t.tv_sec, 1795216366);
	assert_int_equal(t.tv_nsec, 123456789);
	assert_int_equal(time_parse("2024-02-29T00:00:00Z", &t), 0);
	assert_int_equal(time_parse("2016-12-31T23:59:60Z", &t), 0);
	assert_int_equal(t.tv_sec, 1483228800);
	char text[TIME_LEN];
	assert_string_equal(time_rfc3339(text, &t), "2017-01-01T00:00:00.000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_run_takes_all),
	    cmocka_unit_test(test_operand_anywhere),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_hostile_text_is_cut_and_cleaned),
	    cmocka_unit_test(test_help),
	    cmocka_unit_test(test_manual_follows_the_tables),
	    cmocka_unit_test(test_time_parse),
	};

	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
