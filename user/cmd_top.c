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

int cmd_top(int argc, char **argv)
{
	struct feed *f = NULL;
	struct feed_error error = {};
	struct top_options top = {};
	struct options o;
	int status;

	if (!cmd_options("top", argc, argv, &o, &status))
		return status;
	top = (struct top_options){.view = (enum feed_what)o.view,
				   .interval_ns = o.interval_ns ? o.interval_ns : NSEC,
				   .json = o.json,
				   .rounds = o.batch,
				   .replay = o.replay != NULL};
	if (!top.rounds) {
		cmd_error("top", "say how often: --batch N");
		return EXIT_USAGE;
	}
	if (open_feed(&o, &f, &error) < 0) {
		cmd_error("top", "%s", error.text);
		return EXIT_USAGE;
	}
	status = top_batch(f, &top);
	int why = errno; /* of writing: it is told at the end */
	feed_close(f);
	errno = why;
	return status;
}
