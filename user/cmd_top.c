/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <string.h>

#include "user/tui/top.h"

static int open_feed(const struct options *o, struct feed **ret, struct feed_error *ret_error)
{
	int err;

	if (o->replay)
		return feed_open_replay(o->replay, ret, ret_error);
	err = feed_open_socket(o->socket, ret, ret_error);
	if (err != -ENOENT)
		return err;
	if (isatty(STDERR_FILENO) && geteuid() == 0)
		cmd_error("top", "no monitor runs at %s: starting one for as long as this lasts", o->socket);
	return feed_open_embedded(o, ret, ret_error);
}

static int on_terminal(struct feed *f, const struct top_options *top)
{
	int err = top_run(f, top);

	if (!err)
		return EXIT_GOOD;
	cmd_error("top", "it cannot go on: %s", *feed_why(f) ? feed_why(f) : strerror(-err));
	return EXIT_USAGE;
}

int cmd_top(int argc, char **argv)
{
	struct feed *f = NULL;
	struct feed_error error = {};
	struct top_options top;
	struct options o;
	int status;

	if (!cmd_options("top", argc, argv, &o, &status))
		return status;
	top = (struct top_options){.view = (enum feed_what)o.view, .interval_ns = o.interval_ns ? o.interval_ns : NSEC, .json = o.json,
				   .rounds = o.batch, .replay = o.replay != NULL, .filter = o.filter,
				   .source = o.replay, .ascii = o.ascii, .mono = o.mono};
	if ((!top.rounds && !top_can(&top, &error)) || open_feed(&o, &f, &error) < 0) {
		cmd_error("top", "%s", error.text);
		return EXIT_USAGE;
	}
	status = top.rounds ? top_batch(f, &top) : on_terminal(f, &top);
	int why = errno; /* of writing: it is told at the end */
	feed_close(f);
	errno = why;
	return status;
}
