/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Views as plain tables, for scripts. */
#include "user/tui/top.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#include "user/cmd.h"
#include "user/screen.h"
#include "user/show_text.h"
#include "user/tui/view.h"
#include "user/tui/filter.h"
#include "user/value_text.h"

#define PATIENCE_NS (60 * NSEC) /* for a monitor that went away */

static volatile sig_atomic_t told_to_end; /* the signal */

static void on_signal(int number)
{
	told_to_end = number;
}

static void mind_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN); /* nobody reads any more: that is an error of writing */
}

static int step(struct feed *f)
{
	struct pollfd p = {};
	int timeout;

	p.fd = feed_poll(f, &p.events, &timeout);
	if (poll(&p, 1, timeout < 0 ? 1000 : MIN(timeout, 1000)) < 0 && errno != EINTR)
		return -errno;
	return told_to_end ? -EINTR : feed_step(f);
}

/* Until there is a new document of the view. */
static int wait_document(struct feed *f, enum feed_what what)
{
	uint64_t end = now_boot_ns() + PATIENCE_NS;
	int r;

	do {
		r = step(f);
		if (feed_state(f) != FEED_LOST)
			end = now_boot_ns() + PATIENCE_NS;
		if (r >= 0 && now_boot_ns() >= end)
			r = -ETIMEDOUT;
	} while (r >= 0 && !(r & 1 << what));
	return MIN(r, 0);
}

static void back_by(struct timespec *t, uint64_t ns)
{
	t->tv_sec -= (time_t)(ns / NSEC);
	t->tv_nsec -= (long)(ns % NSEC);
	if (t->tv_nsec < 0) {
		t->tv_sec--;
		t->tv_nsec += (long)NSEC;
	}
}

/* To that moment of the records, and no further. */
static int wait_replayed(struct feed *f, const struct top_options *o, uint64_t rounds_left)
{
	struct feed_span span;
	struct timespec to;
	int r = 0;

	feed_span(f, &span);
	to = span.last;
	back_by(&to, MIN(rounds_left, (uint64_t)INT32_MAX) * MIN(o->interval_ns, 3600 * NSEC));
	feed_pause(f, true);
	feed_seek(f, &to);
	do
		r = step(f);
	while (r >= 0 && !(r & 1 << o->view));
	return MIN(r, 0);
}

static void decrefp(json_t **j)
{
	json_decref(*j);
}

static const char *figure_of(enum feed_what what)
{
	for (size_t i = 0; i < VIEWS; i++)
		if (views[i]->what == what)
			return views[i]->figure;
	return NULL;
}

static int print_round(const struct feed *f, const struct filter *filter, const struct top_options *o, bool first)
{
	const json_t *all = feed_document(f, o->view);
	_cleanup_(decrefp) json_t *d = all ? filter_document(filter, all, figure_of(o->view)) : NULL;
	const char *time = json_string_value(json_at(d, "time"));
	char safe[64];
	int r;

	if (!d)
		return all ? -ENOMEM : -ENODATA;
	if (o->json) {
		r = json_dumpf(d, stdout, JSON_COMPACT | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0)) < 0 ? -EIO : 0;
		putchar('\n');
	} else {
		text_safe(safe, sizeof(safe), time ? time : "?", time ? strlen(time) : 1);
		printf("%s%s %s\n", first ? "" : "\n", safe, feed_word(o->view));
		r = show_text(feed_word(o->view), d, screen_width(), stdout);
	}
	return fflush(stdout) != 0 ? -EIO : r;
}

int top_batch(struct feed *f, const struct top_options *o)
{
	_cleanup_(filter_freep) struct filter *filter = NULL;
	struct filter_error error;
	int r = 0;

	if (o->filter && filter_parse(o->filter, &filter, &error)) {
		cmd_error("top", "the filter's column %u: %s", error.column, error.text);
		return EXIT_USAGE;
	}
	mind_signals();
	feed_want(f, 1u << o->view, o->interval_ns);
	for (uint64_t i = 0; i < o->rounds && r >= 0; i++) {
		r = o->replay ? wait_replayed(f, o, o->rounds - 1 - i) : wait_document(f, o->view);
		if (r >= 0)
			r = print_round(f, filter, o, i == 0);
	}
	if (r >= 0)
		return EXIT_GOOD;
	if (r == -EIO || r == -EINTR)
		return EXIT_USAGE; /* said when standard output is closed, or by who ended it */
	cmd_error("top", "%s", *feed_why(f) ? feed_why(f) : strerror(-r));
	return EXIT_USAGE;
}
