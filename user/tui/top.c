/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The loop: keys, documents and signals in, one drawing of what changed out. */
#include "user/tui/top_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/signalfd.h>

#define LOOK_MS 1000 /* is the newest document too old? */
#define OLD_NS (3 * NSEC)
#define KEYS_AT_ONCE 256 /* before what came of them is shown */

struct sheet *top_sheet(struct top *t)
{
	return t->nways ? &t->ways[t->nways - 1] : &t->base[t->view];
}

size_t top_view_number(const struct view_ops *v)
{
	for (size_t i = 0; i < VIEWS; i++)
		if (views[i] == v)
			return i;
	return 0;
}

const struct keyset *top_marks(struct top *t)
{
	return &t->marks[top_view_number(top_sheet(t)->view)];
}

void top_wish(struct top *t)
{
	struct sheet *s = top_sheet(t);
	unsigned whats = 1u << FEED_DATASETS | 1u << FEED_DESTINATIONS | 1u << FEED_FINDINGS | 1u << FEED_HEALTH;

	feed_want(t->feed, whats | 1u << s->view->what, t->interval_ns);
	sheet_find(s, s->selected_key); /* its document may come later */
	t->remake = t->redraw = true;
}

void top_say(struct top *t, enum style style, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(t->message, sizeof(t->message), format, ap);
	va_end(ap);
	t->message_style = style;
	t->redraw = true;
}

/* --- options ---------------------------------------------------------------------- */

static size_t first_view(enum feed_what what)
{
	size_t i = 0;

	while (i + 1 < VIEWS && views[i]->what != what)
		i++;
	return i;
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct feed_error *ret_error, const char *format, ...)
{
	char raw[sizeof(ret_error->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(ret_error->text, sizeof(ret_error->text), raw, strlen(raw));
	return false;
}

bool top_can(const struct top_options *o, struct feed_error *ret_error)
{
	_cleanup_(filter_freep) struct filter *f = NULL;
	struct filter_error error;
	char why[256];

	if (o->filter && filter_parse(o->filter, &f, &error))
		return refuse(ret_error, "the filter's column %u: %s", error.column, error.text);
	return term_can(why, sizeof(why)) || refuse(ret_error, "%s", why);
}

/* --- beginning and end --------------------------------------------------------------- */

static int begin(struct top *t)
{
	struct filter_error error;
	int err = 0;

	t->interval_ns = t->options->interval_ns ? t->options->interval_ns : NSEC;
	t->data.feed = t->feed;
	t->tab_y = -1;
	history_start(&t->history);
	for (size_t i = 0; i < VIEWS; i++)
		sheet_open(&t->base[i], views[i]);
	t->view = first_view(t->options->view);
	for (size_t i = 0; i < VIEWS && t->options->filter && !err; i++)
		err = sheet_filter(&t->base[i], t->options->filter, &error);
	return err;
}

static void end(struct top *t)
{
	page_close(&t->page);
	data_go(&t->data);
	for (size_t i = 0; i < t->nways; i++)
		sheet_close(&t->ways[i]);
	for (size_t i = 0; i < VIEWS; i++) {
		sheet_close(&t->base[i]);
		keyset_clear(&t->marks[i]);
	}
}

/* --- what comes in -------------------------------------------------------------------- */

static void take_signals(struct top *t, int fd)
{
	struct signalfd_siginfo s;

	while (read(fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo != SIGWINCH && s.ssi_signo != SIGCONT) {
			t->leave = true;
			continue;
		}
		term_resized();
		t->redraw = true;
	}
}

static void take_keys(struct top *t)
{
	struct term_event e;

	for (unsigned i = 0; i < KEYS_AT_ONCE && !t->leave && term_next(&e); i++)
		top_key(t, &e);
	t->leave = t->leave || term_gone();
}

static int take_documents(struct top *t)
{
	int changed = feed_step(t->feed);

	if (changed < 0)
		return changed;
	if (!changed)
		return 0;
	if (t->data.still)
		changed = data_fill(&t->data);
	else
		history_take(&t->history, &t->data, t->interval_ns);
	if (changed < 0)
		return changed;
	t->remake = t->remake || changed;
	t->redraw = true;
	return 0;
}

static int show(struct top *t)
{
	int err = 0;

	if (t->remake)
		err = sheet_make(top_sheet(t), &t->data, top_marks(t));
	if (t->remake && !err)
		err = page_make(t);
	t->remake = false;
	if (!err && t->redraw)
		top_draw(t);
	t->redraw = false;
	return err;
}

static int wait_for_more(struct top *t, int signals)
{
	short events = 0;
	int timeout = -1, fd = feed_poll(t->feed, &events, &timeout);
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
		{.fd = fd, .events = events},
	};
	uint64_t age;
	int n = poll(fds, ARRAY_SIZE(fds), timeout < 0 ? LOOK_MS : MIN(timeout, LOOK_MS));

	if (n < 0 && errno != EINTR)
		return -errno;
	if (n > 0 && fds[1].revents)
		take_signals(t, signals);
	if (n > 0 && fds[0].revents)
		take_keys(t);
	age = feed_age_ns(t->feed);
	if ((age != UINT64_MAX && age > OLD_NS) || feed_state(t->feed) == FEED_LOST)
		t->redraw = true;
	return 0;
}

static int loop(struct top *t, int signals)
{
	enum feed_state state = feed_state(t->feed);
	int err = 0;

	top_wish(t);
	while (!t->leave && !err) {
		err = show(t);
		if (!err)
			err = wait_for_more(t, signals);
		if (!err && !t->leave)
			err = take_documents(t);
		if (feed_state(t->feed) != state)
			t->redraw = true;
		state = feed_state(t->feed);
	}
	return err;
}

/* --- all --------------------------------------------------------------------------------- */

static int run_on_terminal(struct top *t)
{
	/* all that would end it with the terminal as it is */
	static const int signs[] = {SIGWINCH, SIGCONT, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t set, before;
	int err;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		sigaddset(&set, signs[i]);
	_cleanup_close_ int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &before);
	err = term_open(&(struct term_options){.ascii = t->options->ascii, .mono = t->options->mono});
	if (!err) {
		err = loop(t, signals);
		term_close();
	}
	/* what was meant for the viewer has ended it */
	for (struct signalfd_siginfo s; read(signals, &s, sizeof(s)) == sizeof(s);)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

int top_run(struct feed *f, const struct top_options *o)
{
	struct top *t;
	char why[256];
	int err;

	if (!term_can(why, sizeof(why)))
		return -ENOTTY;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->feed = f;
	t->options = o;
	err = begin(t);
	if (!err)
		err = run_on_terminal(t);
	end(t);
	free(t);
	return err;
}
