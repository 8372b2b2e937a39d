/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The command line: one table per command says what it takes; parsing, help and the manual page
 * follow it. */
#ifndef SLUICE_ARGS_H
#define SLUICE_ARGS_H

#include "user/plan.h"

/* What any command may be given; a command's table says which of these it fills. Texts point into
 * argv. */
struct options {
	const char *config; /* -c; NULL: not given, CONFIG_DEFAULT_PATH is meant */
	const char *events; /* NULL: none; "-": standard output */
	const char *socket; /* never NULL */
	uint64_t once_ns;   /* 0: not given */
	enum wish hooks;
	bool json;
	bool self_test;
	bool tree;
	bool ocsf;
	const char *journal; /* NULL: not given, the configuration's is meant */
	const char *dataset, *job, *finding, *fail_on, *unread; /* NULL: not given */
	bool since_given, until_given;
	struct timespec since, until; /* wall clock */
	const char *state, *key;      /* NULL: not given */
	const char *replay;	      /* NULL: none */
	uint64_t batch;		      /* rounds; 0: not given */
	uint64_t interval_ns;	      /* 0: not given */
	unsigned view;		      /* enum feed_what */
	const char *filter;	      /* NULL: none */
	bool ascii, mono;
	const char *operand;	      /* NULL: none */
};

enum option_kind {
	OPTION_FLAG,	/* bool */
	OPTION_TEXT,	/* const char *: anything but an empty text */
	OPTION_WORD,	/* unsigned: index into words */
	OPTION_SECONDS, /* uint64_t, nanoseconds, more than 0: "5", "0.5", "15m" */
	OPTION_COUNT,	/* uint64_t, more than 0 */
	OPTION_TIME,	/* struct timespec and a bool: RFC 3339, or a duration before now */
};

struct option_spec {
	const char *name; /* without -- */
	char letter;	  /* 0: none */
	enum option_kind kind;
	const char *value; /* what stands for the value in help; NULL for a flag */
	const char *const *words;
	size_t offset, given; /* in struct options; `given` is the bool of OPTION_TIME */
	const char *help;
};

struct command_spec {
	const char *name;
	const char *summary;
	const char *const *operands; /* the words that may stand as operand, NULL-terminated; NULL:
					none is taken */
	const char *free_operand; /* what stands for the one operand that is any text, and must be there; NULL: none is */
	const char *detail;	     /* more lines for `help COMMAND`, or NULL */
	const struct option_spec *options;
	size_t noptions;
};

extern const struct command_spec args_commands[];
extern const size_t args_ncommands;

const struct command_spec *args_command(const char *name); /* NULL: no such command */

struct args_error {
	char text[256]; /* one line: which option, and what to do */
};

/* argv[0] is the command's name. 0; 1: help was asked for; -EINVAL: *ret_error says why. `now` is
 * the wall clock. */
int args_parse(const struct command_spec *command, int argc, char **argv,
	       const struct timespec *now, struct options *ret, struct args_error *ret_error);

/* The whole help text, or that of one command; to be freed. NULL: no memory. */
char *args_help(void);
char *args_help_command(const struct command_spec *command);

#endif
