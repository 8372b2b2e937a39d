/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What `sluice help` prints, from the tables that the parser reads. */
#include "user/args.h"

#define SYNOPSIS_WIDTH 88

/* "sluice show datasets|jobs [--json] [--since T]", wrapped under its first word. */
static void print_synopsis(FILE *f, const struct command_spec *c)
{
	char part[128];
	int indent = fprintf(f, "sluice %s", c->name), at = indent;

	if (c->operands) {
		at += fprintf(f, " ");
		for (size_t i = 0; c->operands[i]; i++)
			at += fprintf(f, "%s%s", i ? "|" : "", c->operands[i]);
	}
	if (c->free_operand)
		at += fprintf(f, " %s", c->free_operand);
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option_spec *o = &c->options[i];
		int n;

		if (o->letter == 'h')
			continue;
		if (o->letter)
			n = snprintf(part, sizeof(part), " [-%c %s]", o->letter, o->value);
		else
			n = snprintf(part, sizeof(part), " [--%s%s%s]", o->name,
				     o->value ? " " : "", o->value ? o->value : "");
		if (at + n > SYNOPSIS_WIDTH)
			at = fprintf(f, "\n%*s", indent, "") - 1;
		at += fprintf(f, "%s", part);
	}
	fputc('\n', f);
}

static void print_option(FILE *f, const struct option_spec *o)
{
	char left[128], letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	int n = snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
			 o->value ? o->value : "");
	if (n > 22)
		fprintf(f, "%s\n%24s%s\n", left, "", o->help);
	else
		fprintf(f, "%-24s%s\n", left, o->help);
}

char *args_help_command(const struct command_spec *command)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "sluice %s: %s\n\n", command->name, command->summary);
	print_synopsis(f, command);
	fputc('\n', f);
	for (size_t i = 0; i < command->noptions; i++)
		print_option(f, &command->options[i]);
	if (command->detail)
		fprintf(f, "\n%s", command->detail);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *args_help(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "sluice: which job read which dataset, and at most how much of it left the VPC, "
		   "to whom\n\n");
	for (size_t i = 0; i < args_ncommands; i++)
		print_synopsis(f, &args_commands[i]);
	fprintf(f, "sluice help [COMMAND]\nsluice --version\n\n");
	for (size_t i = 0; i < args_ncommands; i++)
		fprintf(f, "  %-10s%s\n", args_commands[i].name, args_commands[i].summary);
	fprintf(f, "\nThe manual: man 8 sluice\n");
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
