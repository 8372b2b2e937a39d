/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/history.h"

#include <math.h>
#include <string.h>

void history_start(struct history *h)
{
	*h = (struct history){0};
	for (unsigned i = 0; i < SERIES; i++)
		h->total[i] = h->rate[i] = NAN;
}

static enum series series_of(const char *class)
{
	static const struct {
		const char *class;
		enum series series;
	} classes[] = {
		{"internet", SERIES_INTERNET}, {"private", SERIES_PRIVATE}, {"aws", SERIES_AWS}, {"vpc", SERIES_VPC},
		{"unobservable", SERIES_UNOBSERVABLE},
	};

	for (size_t i = 0; class && i < ARRAY_SIZE(classes); i++) {
		size_t n = strlen(classes[i].class);

		if (!strncmp(class, classes[i].class, n) && (!class[n] || class[n] == ':'))
			return classes[i].series;
	}
	return SERIES_OTHER;
}

static void sum_read(const struct data *d, double *ret)
{
	const json_t *items = json_at(data_document(d, FEED_DATASETS), "items");
	double sum = 0;

	for (size_t i = 0; i < json_array_size(items); i++)
		sum += json_number_value(json_at(json_array_get(items, i), "bytes_read"));
	*ret = items ? sum : NAN;
}

static void sum_sent(const struct data *d, double total[static SERIES])
{
	const json_t *items = json_at(data_document(d, FEED_DESTINATIONS), "items");

	for (unsigned i = SERIES_INTERNET; i < SERIES; i++)
		total[i] = items ? 0 : NAN;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		total[series_of(json_string_value(json_at(item, "remote.class")))] +=
			json_number_value(json_at(item, "tainted_out"));
	}
}

static double seconds(const char *time)
{
	struct timespec t;

	return time && time_parse(time, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0;
}

static void take_sample(struct history *h, const double total[static SERIES], double span)
{
	for (unsigned i = 0; i < SERIES; i++) {
		double rate = (total[i] - h->total[i]) / span;

		/* items that were forgotten take their bytes with them */
		h->rate[i] = rate >= 0 ? rate : NAN;
		h->past[i][h->at] = (float)h->rate[i];
	}
	h->at = (h->at + 1) % HISTORY_LENGTH;
	h->n = MIN(h->n + 1, (unsigned)HISTORY_LENGTH);
}

void history_take(struct history *h, const struct data *d, uint64_t interval_ns)
{
	double now = seconds(data_time(d)), total[SERIES];

	sum_read(d, &total[SERIES_READ]);
	sum_sent(d, total);
	if (h->time && now < h->time)
		history_start(h);
	if (h->time && now - h->time < 0.5 * (double)interval_ns / (double)NSEC)
		return;
	if (h->time)
		take_sample(h, total, now - h->time);
	memcpy(h->total, total, sizeof(total));
	h->time = now;
}

void history_bars(const struct history *h, enum series which, unsigned cells, char *ret, size_t n)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	float most = 0;
	size_t w = 0;

	cells = MIN(cells, (unsigned)HISTORY_LENGTH);
	for (unsigned i = 0; i < MIN(cells, h->n); i++) {
		float v = h->past[which][(h->at + HISTORY_LENGTH - 1 - i) % HISTORY_LENGTH];

		most = v > most ? v : most;
	}
	ret[0] = '\0';
	for (unsigned i = cells; i-- > 0 && w + 4 < n;) {
		float v = i < h->n ? h->past[which][(h->at + HISTORY_LENGTH - 1 - i) % HISTORY_LENGTH] : NAN;
		unsigned high = most > 0 && v > 0 ? 1 + (unsigned)(v / most * 6.99f) : 0;

		w += (size_t)snprintf(ret + w, n - w, "%s", isnan(v) ? " " : bars[MIN(high, 7u)]);
	}
}
