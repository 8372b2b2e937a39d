/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Attaches an empty program to each hook named, says "ready", and holds them until stdin closes or
 * it is killed. What the kernel refuses it names, with exit status 77: nothing attached, or with
 * --some only the rest.
 *
 *   hold_empty empty.bpf.o tp_btf/sys_exit fexit/vfs_read...
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#define EXIT_UNSUPPORTED 77

static const struct kind {
	const char *prefix, *program;
} kinds[] = {
    {"tp_btf/", "empty_tp_btf"},
    {"fentry/", "empty_fentry"},
    {"fexit/", "empty_fexit"},
    {"lsm/", "empty_lsm"},
};

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static const struct kind *kind_of(const char *hook)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(hook, kinds[i].prefix, strlen(kinds[i].prefix)))
			return &kinds[i];
	fprintf(stderr, "hold_empty: '%s': a hook is tp_btf/, fentry/, fexit/ or lsm/NAME\n", hook);
	exit(2);
}

/* One object per hook: a program has one target. The object stays open with its program. */
static int hold(const char *file, const char *hook)
{
	const struct kind *k = kind_of(hook);
	struct bpf_object *o = bpf_object__open_file(file, NULL);
	struct bpf_program *p, *mine = NULL;
	struct bpf_link *link;
	int r;

	if (!o) {
		fprintf(stderr, "hold_empty: %s: %s\n", file, strerror(errno));
		exit(1);
	}
	bpf_object__for_each_program(p, o)
	{
		bool wanted = !strcmp(bpf_program__name(p), k->program);

		bpf_program__set_autoload(p, wanted);
		if (wanted)
			mine = p;
	}
	r = bpf_program__set_attach_target(mine, 0, hook + strlen(k->prefix));
	if (r == 0)
		r = bpf_object__load(o);
	if (r == 0) {
		link = bpf_program__attach(mine);
		if (!link)
			r = -errno;
	}
	if (r < 0)
		bpf_object__close(o);
	return r;
}

int main(int argc, char **argv)
{
	bool some = argc > 1 && !strcmp(argv[1], "--some");
	const char *file = argv[1 + some];
	int held = 0, refused = 0;
	char c;

	if (argc < 3 + some) {
		fputs("usage: hold_empty [--some] OBJECT HOOK...\n", stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	libbpf_set_print(silent);
	for (int i = 2 + some; i < argc; i++) {
		int r = hold(file, argv[i]);

		if (r < 0) {
			fprintf(stderr, "%s refused: %s (%d)\n", argv[i],
				r == -524 ? "not supported" : strerror(-r), r);
			refused++;
			if (!some)
				return EXIT_UNSUPPORTED;
		} else {
			held++;
		}
	}
	if (!held)
		return EXIT_UNSUPPORTED;
	printf("ready %d held, %d refused\n", held, refused);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
