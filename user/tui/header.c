/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/header.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "user/tui/health_items.h"
#include "user/tui/term.h"

#define OLD_NS (5 * NSEC) /* since the newest document: then its age is told, whatever the interval */

/* --- pieces of a line ------------------------------------------------------------- */

struct pen {
	int y, x, end;
};

__attribute__((format(printf, 3, 4))) static void write_text(struct pen *p, enum style style, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	p->x += term_text(p->y, p->x, p->end - p->x, style, text);
}

/* What does not fit as a whole is left out. */
static bool fits(const struct pen *p, const char *text)
{
	return p->x + term_width(text) <= p->end;
}

/* --- the first line: where, when, how --------------------------------------------- */

struct state {
	enum style style;
	char text[96];
};

static void age_text(char buf[static 32], uint64_t ns)
{
	uint64_t s = ns / NSEC;

	if (ns == UINT64_MAX)
		snprintf(buf, 32, "never heard");
	else if (s < 120)
		snprintf(buf, 32, "%llu s old", (unsigned long long)s);
	else if (s < 7200)
		snprintf(buf, 32, "%llu min old", (unsigned long long)s / 60);
	else
		snprintf(buf, 32, "%llu h old", (unsigned long long)s / 3600);
}

static const char *speed_text(char buf[static 16], double speed)
{
	snprintf(buf, 16, speed >= 1 || speed <= 0 ? "%.0f×" : "%.3g×", speed);
	return buf;
}

static void replay_text(const struct header *h, struct state *s, const char *word)
{
	struct feed_span span;
	double whole, done;
	char speed[16];

	if (!feed_span(h->data->feed, &span)) {
		snprintf(s->text, sizeof(s->text), "%s", word);
		return;
	}
	whole = (double)(span.last.tv_sec - span.first.tv_sec) + 1e-9 * (double)(span.last.tv_nsec - span.first.tv_nsec);
	done = (double)(span.now.tv_sec - span.first.tv_sec) + 1e-9 * (double)(span.now.tv_nsec - span.first.tv_nsec);
	snprintf(s->text, sizeof(s->text), "%s %3.0f %% of %.0f s at %s", word,
		 whole > 0 ? 100 * fmin(fmax(done / whole, 0), 1) : 100, whole, speed_text(speed, span.speed));
}

static struct state state_of(const struct header *h)
{
	uint64_t age = feed_age_ns(h->data->feed), old = MAX(OLD_NS, 3 * h->interval_ns);
	struct state s = {.style = STYLE_GOOD};
	char text[32];

	age_text(text, age);
	switch (feed_state(h->data->feed)) {
	case FEED_LIVE:
		if (h->data->still) {
			s.style = STYLE_WARN;
			snprintf(s.text, sizeof(s.text), "PAUSED");
		} else if (age != UINT64_MAX && age > old) {
			s.style = STYLE_BAD;
			snprintf(s.text, sizeof(s.text), " LATE: %s ", text);
		} else {
			snprintf(s.text, sizeof(s.text), "%s every %g s", age == UINT64_MAX ? "waiting," : "live,",
				 (double)h->interval_ns / (double)NSEC);
		}
		break;
	case FEED_LOST:
		s.style = STYLE_BAD;
		snprintf(s.text, sizeof(s.text), " MONITOR LOST: %s%s ", text, h->data->still ? ", paused" : "");
		break;
	case FEED_REPLAY:
		replay_text(h, &s, "replay");
		break;
	case FEED_PAUSED:
		s.style = STYLE_WARN;
		replay_text(h, &s, "replay PAUSED");
		break;
	case FEED_ENDED:
		s.style = STYLE_WARN;
		replay_text(h, &s, "replay ENDED");
		break;
	}
	return s;
}

static void draw_first(const struct header *h)
{
	const json_t *health = data_document(h->data, FEED_HEALTH);
	const char *host = json_string_value(json_at(health, "host.name"));
	const char *instance = json_string_value(json_at(health, "host.instance_id"));
	const char *region = json_string_value(json_at(health, "host.region")), *time = data_time(h->data);
	const char *set = json_string_value(json_at(health, "health.backend"));
	struct state s = state_of(h);
	int room = term_width(s.text) + 2;
	struct pen p = {.y = 0, .x = 1, .end = MAX(h->width - room, MIN(7, h->width))};
	char text[160];

	write_text(&p, STYLE_NAME, "sluice");
	write_text(&p, STYLE_STRONG, "  %s", host ? host : "?");
	if (time && strlen(time) >= 19) {
		snprintf(text, sizeof(text), "  %.10s %.8sZ", time, time + 11);
		if (!fits(&p, text))
			snprintf(text, sizeof(text), "  %.8sZ", time + 11);
		write_text(&p, STYLE_TEXT, "%s", text);
	}
	snprintf(text, sizeof(text), "  %s%s%s", instance ? instance : "", instance && region ? " " : "", region ? region : "");
	if ((instance || region) && fits(&p, text))
		write_text(&p, STYLE_DIM, "%s", text);
	snprintf(text, sizeof(text), "  %s hooks", set ? set : "?");
	if (set && fits(&p, text))
		write_text(&p, STYLE_DIM, "%s", text);
	snprintf(text, sizeof(text), "  %s", h->source ? h->source : "");
	if (h->source && fits(&p, text))
		write_text(&p, STYLE_DIM, "%s", text);
	p = (struct pen){.y = 0, .x = MAX(h->width - room + 1, 8), .end = h->width};
	write_text(&p, s.style, "%s", s.text);
}

/* --- the second and third: what is read, and what leaves ---------------------------- */

static const struct slot {
	const char *label;
	enum series series;
	enum style style;
} slots[] = {
	{"tagged read", SERIES_READ, STYLE_TAINT},
	{"→ internet", SERIES_INTERNET, STYLE_OUTSIDE},
	{"→ private", SERIES_PRIVATE, STYLE_OUTSIDE},
	{"→ aws", SERIES_AWS, STYLE_CLOUD},
	{"→ vpc", SERIES_VPC, STYLE_INSIDE},
	{"→ unobserved", SERIES_UNOBSERVABLE, STYLE_OUTSIDE}, /* there is seldom any */
};

#define SLOT_TOTAL 24 /* from this width on a slot tells its total too */

static void draw_slot(const struct header *h, const struct slot *s, int x, int width)
{
	double rate = h->history->rate[s->series], total = h->history->total[s->series];
	struct pen p = {.y = 1, .x = x, .end = x + width - 1};
	char bars[HISTORY_LENGTH * 4], text[SIZE_LEN];
	bool moves = rate > 0;

	write_text(&p, moves ? s->style : STYLE_DIM, "%s ", s->label);
	history_bars(h->history, s->series, (unsigned)MAX(p.end - p.x, 0), bars, sizeof(bars));
	write_text(&p, moves || total > 0 ? s->style : STYLE_DIM, "%s", bars);
	p = (struct pen){.y = 2, .x = x, .end = x + width - 1};
	if (isnan(rate))
		write_text(&p, STYLE_DIM, "?/s");
	else
		write_text(&p, moves ? s->style : STYLE_DIM, "%s/s", size_iec(text, bytes_of(rate)));
	if (width < SLOT_TOTAL)
		return;
	write_text(&p, STYLE_DIM, "  of ");
	write_text(&p, total > 0 ? STYLE_TEXT : STYLE_DIM, "%s", isnan(total) ? "?" : size_iec(text, bytes_of(total)));
}

static void draw_slots(const struct header *h)
{
	int n = (int)ARRAY_SIZE(slots) - !(h->history->total[SERIES_UNOBSERVABLE] > 0), each = (h->width - 1) / n;

	for (int i = 0; i < n; i++)
		draw_slot(h, &slots[i], 1 + i * each, each);
}

/* --- the fourth: what was found, and what is not measured ---------------------------- */

static void draw_findings(const struct header *h, struct pen *p)
{
	static const char *const words[] = {"critical", "high", "medium", "low", "info"};
	const json_t *items = json_at(data_document(h->data, FEED_FINDINGS), "items");
	size_t counts[ARRAY_SIZE(words)] = {0};
	bool any = false;

	for (size_t i = 0; i < json_array_size(items); i++) {
		const char *word = json_string_value(json_at(json_array_get(items, i), "severity"));

		for (size_t k = 0; word && k < ARRAY_SIZE(words); k++)
			counts[k] += !strcmp(words[k], word);
	}
	write_text(p, STYLE_DIM, "findings");
	if (!items)
		write_text(p, STYLE_DIM, "  ?");
	for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
		char text[48];

		if (!counts[k])
			continue;
		any = true;
		snprintf(text, sizeof(text), k ? "%zu %s" : " %zu %s ", counts[k], words[k]);
		if (p->x + 2 + term_width(text) > p->end) {
			write_text(p, STYLE_DIM, " …");
			break;
		}
		write_text(p, STYLE_TEXT, "  ");
		write_text(p, theme_severity(words[k]), "%s", text);
	}
	if (items && !any)
		write_text(p, STYLE_GOOD, "  none");
}

/* The worst of what is not as it should be. */
static struct state measured(const struct header *h)
{
	struct health_summary m;
	struct state s = {.style = STYLE_BAD};

	health_sum(data_document(h->data, FEED_HEALTH), &m);
	if (!m.known) {
		s.style = STYLE_WARN;
		snprintf(s.text, sizeof(s.text), "measured: ? (no word of the monitor)");
	} else if (m.late) {
		snprintf(s.text, sizeof(s.text), " MONITOR IS LATE ");
	} else if (m.lost) {
		snprintf(s.text, sizeof(s.text), " LOST %llu: %.40s%s ", (unsigned long long)m.lost, m.kind,
			 m.kinds_lost > 1 ? ", more" : "");
	} else if (m.journal_bad) {
		snprintf(s.text, sizeof(s.text), " JOURNAL FAILS ");
	} else if (m.exporter_bad) {
		snprintf(s.text, sizeof(s.text), " EXPORTER DOWN ");
	} else if (m.gaps) {
		s.style = STYLE_WARN;
		snprintf(s.text, sizeof(s.text), "NOT MEASURED: %zu fact%s", m.gaps, m.gaps == 1 ? "" : "s");
	} else {
		s.style = STYLE_GOOD;
		snprintf(s.text, sizeof(s.text), m.lost_known ? "all measured" : "losses: ?");
	}
	return s;
}

static void draw_fourth(const struct header *h)
{
	struct state s = measured(h);
	int room = term_width(s.text) + 2;
	struct pen p = {.y = 3, .x = 1, .end = MAX(h->width - room, 0)};

	draw_findings(h, &p);
	p = (struct pen){.y = 3, .x = MAX(h->width - room + 1, p.x + 1), .end = h->width};
	write_text(&p, s.style, "%s", s.text);
}

int header_draw(const struct header *h, int rows)
{
	if (rows >= 1)
		draw_first(h);
	if (rows >= HEADER_ROWS) {
		draw_slots(h);
		draw_fourth(h);
		return HEADER_ROWS;
	}
	return MAX(MIN(rows, 1), 0);
}
