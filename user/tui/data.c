/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/data.h"

#include <math.h>
#include <string.h>

#define RATES "\001rates" /* no document has such a key */

static int copy_rates(const struct data *d, enum feed_what what, const struct view_ops *v, const json_t *item, json_t *copy)
{
	json_t *rates;

	if (!json_is_object(copy)) /* a monitor may say anything */
		return 0;
	rates = json_object();
	for (size_t i = 0; rates && i < v->ncolumns; i++) {
		double rate = v->columns[i].rate ? feed_rate(d->feed, what, item, v->columns[i].path) : NAN;

		if (isfinite(rate))
			json_object_set_new(rates, v->columns[i].path, json_real(rate));
	}
	return json_object_set_new(copy, RATES, rates) ? -ENOMEM : 0;
}

static int copy_document(struct data *d, enum feed_what what)
{
	const json_t *document = feed_document(d->feed, what), *items = json_at(document, "items");
	int err = 0;

	if (!document)
		return 0;
	d->copies[what] = json_deep_copy(document);
	if (!d->copies[what])
		return -ENOMEM;
	for (size_t v = 0; v < VIEWS; v++) {
		if (views[v]->what != what)
			continue;
		for (size_t i = 0; i < json_array_size(items) && !err; i++)
			err = copy_rates(d, what, views[v], json_array_get(items, i),
					 json_array_get(json_at(d->copies[what], "items"), i));
	}
	return err;
}

void data_go(struct data *d)
{
	for (size_t i = 0; i < FEED_WHATS; i++) {
		json_decref(d->copies[i]);
		d->copies[i] = NULL;
	}
	d->still = false;
}

int data_stop(struct data *d)
{
	int err = 0;

	for (enum feed_what i = 0; i < FEED_WHATS && !err; i++)
		err = copy_document(d, i);
	if (err)
		data_go(d);
	else
		d->still = true;
	return err;
}

int data_fill(struct data *d)
{
	int err = 0, any = 0;

	for (enum feed_what i = 0; i < FEED_WHATS && !err; i++) {
		if (d->copies[i])
			continue;
		err = copy_document(d, i);
		any = any || d->copies[i];
	}
	return err ? err : any;
}

const json_t *data_document(const struct data *d, enum feed_what what)
{
	return d->still ? d->copies[what] : feed_document(d->feed, what);
}

double data_rate(const struct data *d, enum feed_what what, const json_t *item, const char *path)
{
	const json_t *rate;

	if (!d->still)
		return feed_rate(d->feed, what, item, path);
	rate = json_object_get(json_object_get(item, RATES), path);
	return json_is_real(rate) ? json_real_value(rate) : NAN;
}

const char *data_time(const struct data *d)
{
	const char *newest = NULL;

	for (enum feed_what i = 0; i < FEED_WHATS; i++) {
		const char *time = json_string_value(json_at(data_document(d, i), "time"));

		if (time && (!newest || strcmp(time, newest) > 0))
			newest = time;
	}
	return newest;
}
