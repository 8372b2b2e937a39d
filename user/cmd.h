/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The commands: each takes its own argv, argv[0] its name, and returns an exit status. */
#ifndef SLUICE_CMD_H
#define SLUICE_CMD_H

#include "user/args.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "0.1.0"
#endif

int cmd_run(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_probe(int argc, char **argv);

/* Reads a command's line. True: go on with *ret. False: help was asked for or the line is wrong,
 * which has been printed; return *ret_status. */
bool cmd_options(const char *command, int argc, char **argv, struct options *ret, int *ret_status);

/* Prints "sluice COMMAND: text" as one line to stderr, made safe for a terminal. */
__attribute__((format(printf, 2, 3))) void cmd_error(const char *command, const char *format, ...);

#endif
