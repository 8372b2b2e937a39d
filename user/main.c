/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <stdarg.h>
#include <signal.h>
#include <string.h>

#include "user/export/aws_environment.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cmd_run},
    {"show", cmd_show},
    {"top", cmd_top},
    {"report", cmd_report},
    {"check", cmd_check},
    {"verify", cmd_verify},
    {"probe", cmd_probe},
};

void cmd_error(const char *command, const char *format, ...)
{
	char raw[1024], text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(text, sizeof(text), raw, strlen(raw));
	fprintf(stderr, "sluice%s%s: %s\n", *command ? " " : "", command, text);
}

static int print_help(char *text)
{
	if (!text) {
		cmd_error("", "no memory");
		return EXIT_USAGE;
	}
	fputs(text, stdout);
	free(text);
	return EXIT_GOOD;
}

bool cmd_options(const char *command, int argc, char **argv, struct options *ret, int *ret_status)
{
	const struct command_spec *spec = args_command(command);
	struct args_error error;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int r = args_parse(spec, argc, argv, &now, ret, &error);
	if (r == 0)
		return true;
	if (r > 0) {
		*ret_status = print_help(args_help_command(spec));
	} else {
		cmd_error(command, "%s", error.text);
		*ret_status = EXIT_USAGE;
	}
	return false;
}

static int help(int argc, char **argv)
{
	if (argc < 2)
		return print_help(args_help());
	const struct command_spec *spec = args_command(argv[1]);
	if (spec && argc == 2)
		return print_help(args_help_command(spec));
	if (spec)
		cmd_error("help", "'%.60s' is one word too many: ask for one command", argv[2]);
	else
		cmd_error("help", "no command '%.60s': `sluice help` lists them", argv[1]);
	return EXIT_USAGE;
}

static int dispatch(int argc, char **argv)
{
	const char *word = argv[0];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, word) == 0)
			return commands[i].run(argc, argv);
	if (strcmp(word, "help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return help(argc, argv);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("sluice " SLUICE_VERSION);
		return EXIT_GOOD;
	}
	cmd_error("", "no %s '%.60s': `sluice help` lists the commands",
		  *word == '-' ? "option" : "command", word);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		cmd_error("", "say what to do: `sluice help` lists the commands");
		return EXIT_USAGE;
	}
	if (aws_environment_take()) {
		cmd_error("", "no memory");
		return EXIT_USAGE;
	}
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files makes a write fail, and ends nothing */
	int status = dispatch(argc - 1, argv + 1);

	/* A full disk shows itself only here, and a cut document must not look like a good one. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cmd_error("", "could not write to standard output: %s", strerror(errno));
		return status ? status : EXIT_USAGE;
	}
	return status;
}
