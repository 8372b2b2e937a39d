/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What each key does. */
#include "user/tui/top_internal.h"

#include <string.h>

#define DOUBLE_MS 400
#define SEEK_PARTS 30
#define SPEED_MIN 0.125
#define SPEED_MAX 4096.0 /* a power of two, so that half as fast again and again comes by 1 */

/* --- ways --------------------------------------------------------------------------- */

static void go_to(struct top *t, size_t view)
{
	while (t->nways)
		sheet_close(&t->ways[--t->nways]);
	page_close(&t->page);
	t->view = view % VIEWS;
	top_wish(t);
}

static void way_back(struct top *t)
{
	struct sheet *s = top_sheet(t);
	struct filter_error error;

	if (t->nways) {
		sheet_close(&t->ways[--t->nways]);
		top_wish(t);
	} else if (*t->search) {
		t->search[0] = '\0';
	} else if (*s->filter_text) {
		sheet_filter(s, "", &error);
		t->remake = true;
	} else if (s->only_marked) {
		s->only_marked = false;
		t->remake = true;
	}
}

/* Rows of those who are not known by a process lead nowhere. */
static bool leads_on(const struct sheet *s, const json_t *item)
{
	bool by_process = s->view->scope == SCOPE_PROCESS || s->view->scope == SCOPE_FLOW;

	return s->view->enter && (!by_process || json_at(item, "process"));
}

static void enter(struct top *t)
{
	struct sheet *s = top_sheet(t), *next;
	const struct row *r = sheet_row(s);

	if (!r)
		return;
	if (!leads_on(s, r->item) || t->nways == WAYS_MAX) {
		if (page_open_item(t))
			top_say(t, STYLE_BAD, "no memory left for this");
		return;
	}
	next = &t->ways[t->nways];
	sheet_open(next, s->view->enter);
	/* the document it is from may change in place */
	next->scope = (struct scope){.kind = s->view->scope, .item = json_deep_copy(r->item)};
	next->name = s->view->name_of(r->item);
	t->nways++;
	top_wish(t);
}

/* --- order --------------------------------------------------------------------------- */

static void sort_by(struct top *t, size_t column)
{
	struct sheet *s = top_sheet(t);

	if (column >= s->view->ncolumns)
		return;
	if (column == s->sort)
		s->reverse = !s->reverse;
	else
		s->reverse = false;
	s->sort = column;
	sheet_freeze(s, false);
	t->remake = true;
}

/* The next, which gets room for it where it had none; of figures that are not asked for only those on the screen. */
static void sort_beside(struct top *t, int step)
{
	struct sheet *s = top_sheet(t);
	size_t n = s->view->ncolumns, at = s->sort;

	for (size_t i = 0; i < n; i++) {
		at = (at + n + (size_t)(step + (int)n)) % n;
		unsigned figures = s->view->columns[at].figures;
		if (s->title_y < 0 || s->title_x[at] >= 0 || !figures || figures & 1u << t->figures)
			break;
	}
	if (at != s->sort)
		sort_by(t, at);
}

static void freeze(struct top *t)
{
	struct sheet *s = top_sheet(t);
	bool on = !s->frozen;

	if (sheet_freeze(s, on))
		top_say(t, STYLE_BAD, "no memory left for this");
	else
		top_say(t, STYLE_TEXT, on ? "the order is frozen" : "the order goes on");
	t->remake = true;
}

static void next_figures(struct top *t)
{
	static const char *const words[] = {"totals", "rates per second", "bounds of what leaked"};

	t->figures = (t->figures + 1) % FIGURES;
	top_say(t, STYLE_TEXT, "%s first", words[t->figures]);
}

static void toggle_tree(struct top *t)
{
	struct sheet *s = top_sheet(t);

	if (!s->view->tree) {
		top_say(t, STYLE_WARN, "only processes make a tree: press 2");
		return;
	}
	s->tree = !s->tree;
	t->remake = true;
}

/* --- marks, following ------------------------------------------------------------------- */

static void mark(struct top *t)
{
	struct sheet *s = top_sheet(t);
	const struct row *r = sheet_row(s);

	if (!r)
		return;
	if (keyset_toggle(&t->marks[top_view_number(s->view)], rows_key(&s->rows, s->selected)))
		top_say(t, STYLE_BAD, "there are too many marks");
	sheet_select(s, s->selected + 1);
	t->remake = true;
}

static void only_marked(struct top *t)
{
	struct sheet *s = top_sheet(t);

	if (!s->only_marked && !top_marks(t)->n) {
		top_say(t, STYLE_WARN, "nothing is marked: m marks a row");
		return;
	}
	s->only_marked = !s->only_marked;
	t->remake = true;
}

static void follow(struct top *t)
{
	struct sheet *s = top_sheet(t);

	s->follow = !s->follow && sheet_row(s);
	if (s->follow)
		s->selected_key = rows_key(&s->rows, s->selected);
	top_say(t, STYLE_TEXT, s->follow ? "following this row" : "not following any more");
}

/* --- time ----------------------------------------------------------------------------------- */

static void stand_still(struct top *t)
{
	struct feed_span span;

	if (feed_state(t->feed) == FEED_ENDED) {
		top_say(t, STYLE_WARN, "the replay is at its end: [ goes back");
	} else if (feed_span(t->feed, &span)) {
		bool plays = feed_state(t->feed) == FEED_REPLAY;

		feed_pause(t->feed, plays);
	} else if (t->data.still) {
		data_go(&t->data);
	} else if (data_stop(&t->data)) {
		top_say(t, STYLE_BAD, "no memory left to stand still");
	}
	t->remake = true;
}

static void seek(struct top *t, int step)
{
	struct feed_span span;
	struct timespec to;
	double whole, now;

	if (!feed_span(t->feed, &span)) {
		top_say(t, STYLE_WARN, "only a replay can be moved in: sluice top --replay FILE");
		return;
	}
	whole = (double)(span.last.tv_sec - span.first.tv_sec) + 1e-9 * (double)(span.last.tv_nsec - span.first.tv_nsec);
	now = (double)(span.now.tv_sec - span.first.tv_sec) + 1e-9 * (double)(span.now.tv_nsec - span.first.tv_nsec);
	now += step * MAX(whole / SEEK_PARTS, 0.001);
	now = MIN(MAX(now, 0.0), whole) + 1e-9 * (double)span.first.tv_nsec;
	to.tv_sec = span.first.tv_sec + (time_t)now;
	to.tv_nsec = (long)((now - (double)(time_t)now) * 1e9);
	feed_seek(t->feed, &to);
	t->remake = true;
}

static void speed(struct top *t, double by)
{
	struct feed_span span;

	if (!feed_span(t->feed, &span)) {
		top_say(t, STYLE_WARN, "only a replay has a speed: sluice top --replay FILE");
		return;
	}
	feed_speed(t->feed, MIN(MAX((span.speed > 0 ? span.speed : 1) * by, SPEED_MIN), SPEED_MAX));
}

static void interval(struct top *t, int step)
{
	static const uint64_t ms[] = {100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000};
	uint64_t to = t->interval_ns;

	/* the next one that way, whatever it was at first */
	for (size_t i = 0; i < ARRAY_SIZE(ms); i++) {
		uint64_t ns = ms[step > 0 ? ARRAY_SIZE(ms) - 1 - i : i] * (NSEC / 1000);

		if (step > 0 ? ns > t->interval_ns : ns < t->interval_ns)
			to = ns;
	}
	t->interval_ns = to;
	top_wish(t);
	top_say(t, STYLE_TEXT, "every %g s", (double)to / (double)NSEC);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void again(struct top *t, bool back)
{
	if (!*t->search)
		top_say(t, STYLE_WARN, "nothing is searched for: / does");
	else if (!sheet_search(top_sheet(t), t->search, back, false))
		top_say(t, STYLE_WARN, "no row contains %s", t->search);
}

static void save(struct top *t)
{
	char name[128];
	int err = top_save(name, sizeof(name));

	if (err)
		top_say(t, STYLE_BAD, "cannot write %s: %s", name, strerror(-err));
	else
		top_say(t, STYLE_GOOD, "written to %s", name);
}

static bool move_in(struct top *t, enum action a)
{
	struct sheet *s = top_sheet(t);
	size_t at = s->selected, page = MAX(s->page, 2u) - 1;

	switch (a) {
	case ACTION_UP:
		sheet_select(s, at ? at - 1 : 0);
		return true;
	case ACTION_DOWN:
		sheet_select(s, at + 1);
		return true;
	case ACTION_PAGE_UP:
		sheet_select(s, at > page ? at - page : 0);
		return true;
	case ACTION_PAGE_DOWN:
		sheet_select(s, at + page);
		return true;
	case ACTION_FIRST:
		sheet_select(s, 0);
		return true;
	case ACTION_LAST:
		sheet_select(s, SIZE_MAX);
		return true;
	default:
		return false;
	}
}

static bool order_in(struct top *t, enum action a)
{
	switch (a) {
	case ACTION_SORT_LEFT:
		sort_beside(t, -1);
		return true;
	case ACTION_SORT_RIGHT:
		sort_beside(t, 1);
		return true;
	case ACTION_REVERSE:
		sort_by(t, top_sheet(t)->sort);
		return true;
	case ACTION_FREEZE:
		freeze(t);
		return true;
	case ACTION_FIGURES:
		next_figures(t);
		return true;
	case ACTION_TREE:
		toggle_tree(t);
		return true;
	case ACTION_DETAIL:
		top_sheet(t)->detail = !top_sheet(t)->detail;
		return true;
	case ACTION_FOLLOW:
		follow(t);
		return true;
	case ACTION_MARK:
		mark(t);
		return true;
	case ACTION_UNMARK:
		keyset_clear(&t->marks[top_view_number(top_sheet(t)->view)]);
		top_sheet(t)->only_marked = false;
		t->remake = true;
		return true;
	case ACTION_ONLY_MARKED:
		only_marked(t);
		return true;
	default:
		return false;
	}
}

static bool time_in(struct top *t, enum action a)
{
	switch (a) {
	case ACTION_PAUSE:
		stand_still(t);
		return true;
	case ACTION_SLOWER:
		interval(t, 1);
		return true;
	case ACTION_FASTER:
		interval(t, -1);
		return true;
	case ACTION_SEEK_BACK:
		seek(t, -1);
		return true;
	case ACTION_SEEK_ON:
		seek(t, 1);
		return true;
	case ACTION_SPEED_LESS:
		speed(t, 0.5);
		return true;
	case ACTION_SPEED_MORE:
		speed(t, 2);
		return true;
	default:
		return false;
	}
}

static bool go_in(struct top *t, enum action a, unsigned key)
{
	switch (a) {
	case ACTION_VIEW:
		go_to(t, key - '1');
		return true;
	case ACTION_NEXT_VIEW:
		go_to(t, t->view + 1);
		return true;
	case ACTION_PREVIOUS_VIEW:
		go_to(t, t->view + VIEWS - 1);
		return true;
	case ACTION_ENTER:
		enter(t);
		return true;
	case ACTION_BACK:
		way_back(t);
		return true;
	default:
		return false;
	}
}

static void act(struct top *t, enum action a, unsigned key)
{
	if ((t->page.kind && page_act(t, a)) || move_in(t, a) || order_in(t, a) || time_in(t, a) || go_in(t, a, key))
		return;
	switch (a) {
	case ACTION_SEARCH:
		prompt_open(t, PROMPT_SEARCH);
		break;
	case ACTION_FILTER:
		prompt_open(t, PROMPT_FILTER);
		break;
	case ACTION_AGAIN:
		again(t, false);
		break;
	case ACTION_AGAIN_BACK:
		again(t, true);
		break;
	case ACTION_SAVE:
		save(t);
		break;
	case ACTION_REPAINT:
		term_repaint();
		break;
	case ACTION_HELP:
		if (page_open_help(t))
			top_say(t, STYLE_BAD, "no memory left for the help");
		break;
	case ACTION_QUIT:
		t->leave = true;
		break;
	default:
		break;
	}
}

/* --- the mouse -------------------------------------------------------------------------------- */

static void press_tab(struct top *t, int x)
{
	size_t found = VIEWS;

	for (size_t i = 0; i < VIEWS && x < t->tab_end; i++)
		if (t->tab_x[i] >= 0 && x >= t->tab_x[i])
			found = i;
	if (found < VIEWS)
		go_to(t, found);
}

static void press_row(struct top *t, size_t row)
{
	struct sheet *s = top_sheet(t);
	uint64_t now = now_boot_ns();
	bool twice = row == t->pressed_row && now - t->pressed_ns < DOUBLE_MS * (NSEC / 1000);

	if (row >= s->rows.n)
		return;
	sheet_select(s, row);
	t->pressed_row = row;
	t->pressed_ns = twice ? 0 : now;
	if (twice)
		enter(t);
}

static void press(struct top *t, int y, int x)
{
	struct sheet *s = top_sheet(t);

	/* what is typed is for the table that it was opened on */
	if (t->prompt.kind)
		prompt_key(t, TERM_ENTER);
	if (t->prompt.kind)
		return;
	if (t->tab_y >= 0 && y == t->tab_y)
		press_tab(t, x);
	else if (t->page.kind || s->title_y < 0)
		return;
	else if (y == s->title_y)
		sort_by(t, sheet_title_at(s, x));
	else if (y > s->title_y && y <= s->title_y + (int)s->page)
		press_row(t, s->first + (size_t)(y - s->title_y - 1));
}

static void wheel(struct top *t, enum action a)
{
	for (unsigned i = 0; i < 3; i++)
		if (!t->page.kind || !page_act(t, a))
			move_in(t, a);
}

void top_key(struct top *t, const struct term_event *e)
{
	t->redraw = true;
	t->message[0] = '\0';
	if (e->key == TERM_PRESS)
		press(t, e->y, e->x);
	else if (e->key == TERM_WHEEL_UP)
		wheel(t, ACTION_UP);
	else if (e->key == TERM_WHEEL_DOWN)
		wheel(t, ACTION_DOWN);
	else if (t->prompt.kind)
		prompt_key(t, e->key);
	else
		act(t, key_action(e->key), e->key);
	/* the next key may be about what this one changed */
	if (t->remake && sheet_make(top_sheet(t), &t->data, top_marks(t)) == 0)
		t->remake = t->page.kind == PAGE_ITEM;
}
