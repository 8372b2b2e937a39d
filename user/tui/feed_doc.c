/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/feed_doc.h"

#include <math.h>
#include <string.h>

#include "user/array.h"
#include "user/client.h"
#include "user/hashmap.h"
#include "user/value_text.h"

#define ITEMS_MAX 400000 /* above what a monitor keeps */
#define MEMBERS_MAX 64	 /* of one item */
#define TAKEN_MAX (4 * (size_t)CLIENT_REPLY_MAX) /* bytes of changes, until the whole is asked for */

struct entry {
	uint64_t hash; /* of the key: nobody knows by what, so nobody finds two alike */
	json_t *item;
	json_t *before; /* as it was before the last change; NULL: it was not there */
	uint64_t born, changed, met; /* numbers of changes to the document */
	bool gone;
	char key[];
};

struct feed_doc {
	enum watch_what what;
	json_t *json; /* {"v":1,"type":...,"items":[...]}; NULL: none yet */
	struct hashmap entries;
	struct entry **order; /* as the items are */
	size_t n, max;
	uint64_t generation; /* the monitor's */
	uint64_t changes, first_change; /* since which rates are known */
	uint64_t at_ns, before_ns;
	size_t taken;
};

struct feed_doc *feed_doc_new(enum watch_what what)
{
	struct feed_doc *d = calloc(1, sizeof(*d));

	if (d)
		*d = (struct feed_doc){.what = what, .entries = HASHMAP_OF(struct entry, hash)};
	return d;
}

static void entry_free(struct entry *e)
{
	json_decref(e->item);
	json_decref(e->before);
	free(e);
}

void feed_doc_clear(struct feed_doc *d)
{
	for (size_t i = 0; i < d->n; i++)
		entry_free(d->order[i]);
	hashmap_free(&d->entries);
	d->entries = HASHMAP_OF(struct entry, hash);
	json_decref(d->json);
	d->json = NULL;
	d->n = d->taken = 0;
	d->generation = d->at_ns = d->before_ns = 0;
	d->first_change = d->changes + 1;
}

struct feed_doc *feed_doc_free(struct feed_doc *d)
{
	if (!d)
		return NULL;
	feed_doc_clear(d);
	hashmap_free(&d->entries);
	free(d->order);
	free(d);
	return NULL;
}

const json_t *feed_doc_json(const struct feed_doc *d)
{
	return d->json;
}

const char *feed_doc_key(enum watch_what what, const json_t *item)
{
	const char *key =
	    what == WATCH_HEALTH ? "health" : json_string_value(json_object_get(item, what == WATCH_JOBS ? "job" : "id"));

	return key ? key : "";
}

static struct entry *find(const struct feed_doc *d, const char *key)
{
	uint64_t hash = hashmap_hash(key, strlen(key));

	return hashmap_find(&d->entries, &hash);
}

/* --- one change ------------------------------------------------------------------- */

static json_t *items_of(const struct feed_doc *d)
{
	return json_object_get(d->json, "items");
}

/* The item in the document's list, or its "health". */
static int place(struct feed_doc *d, size_t at, json_t *item)
{
	if (d->what == WATCH_HEALTH)
		return json_object_set(d->json, "health", item) ? -ENOMEM : 0;
	if (at < json_array_size(items_of(d)))
		return json_array_set(items_of(d), at, item) ? -ENOMEM : 0;
	return json_array_append(items_of(d), item) ? -ENOMEM : 0;
}

static int add(struct feed_doc *d, const char *key, json_t *item)
{
	size_t len = strlen(key);
	struct entry *e;
	int err = d->n < ITEMS_MAX ? array_grow((void **)&d->order, &d->max, d->n + 1, sizeof(*d->order)) : -EFBIG;

	if (err)
		return err;
	e = calloc(1, sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, len + 1);
	e->hash = hashmap_hash(key, len);
	e->born = e->changed = d->changes;
	err = hashmap_add(&d->entries, e);
	if (!err)
		err = place(d, d->n, item);
	if (err) {
		hashmap_remove(&d->entries, &e->hash);
		free(e);
		return err;
	}
	e->item = json_incref(item);
	d->order[d->n++] = e;
	return 0;
}

/* What it was stays as long as this change is the last. */
static void keep_before(struct feed_doc *d, struct entry *e)
{
	if (e->changed == d->changes)
		return;
	json_decref(e->before);
	e->before = json_copy(e->item); /* none: its rate is not known for once */
	e->changed = d->changes;
}

static int merge(struct feed_doc *d, const char *key, json_t *members)
{
	struct entry *e = find(d, key);

	if (!e || e->gone)
		return -ESTALE;
	keep_before(d, e);
	if (json_object_update(e->item, members))
		return -ENOMEM;
	return json_object_size(e->item) > MEMBERS_MAX ? -EFBIG : 0;
}

static int put(struct feed_doc *d, const char *key, json_t *item)
{
	struct entry *e = find(d, key);

	if (json_object_size(item) > MEMBERS_MAX)
		return -EFBIG;
	if (!e)
		return add(d, key, item);
	/* in the same place: contents alone change, so that who points at the item has the new one */
	bool anew = e->gone;
	e->gone = false;
	keep_before(d, e);
	if (anew) {
		e->born = d->changes;
		json_decref(e->before);
		e->before = NULL;
	}
	if (json_object_clear(e->item) || json_object_update(e->item, item))
		return -ENOMEM;
	return 0;
}

static int sweep(struct feed_doc *d)
{
	size_t kept = 0;

	if (d->what != WATCH_HEALTH && json_array_clear(items_of(d)))
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		struct entry *e = d->order[i];

		if (e->gone || (d->what != WATCH_HEALTH && json_array_append(items_of(d), e->item))) {
			hashmap_remove(&d->entries, &e->hash);
			entry_free(e);
			continue;
		}
		d->order[kept++] = e;
	}
	d->n = kept;
	return 0;
}

static int begin(struct feed_doc *d, uint64_t at_ns, json_t *time, json_t *host)
{
	if (!d->json && d->what == WATCH_HEALTH)
		d->json = json_pack("{s:i, s:s, s:n, s:n, s:{}}", "v", 1, "type", watch_word(d->what), "time", "host", "health");
	else if (!d->json)
		d->json = json_pack("{s:i, s:s, s:n, s:n, s:[]}", "v", 1, "type", watch_word(d->what), "time", "host", "items");
	if (!d->json || json_object_set(d->json, "time", time) || (host && json_object_set(d->json, "host", host)))
		return -ENOMEM;
	d->changes++;
	d->before_ns = d->at_ns;
	d->at_ns = at_ns;
	return 0;
}

/* --- lines of a monitor -------------------------------------------------------------- */

struct parts {
	json_t *time, *host, *added, *changed, *gone;
	uint64_t generation, since, at_ns;
};

static bool take_number(const json_t *line, const char *name, uint64_t *ret)
{
	const json_t *v = json_object_get(line, name);

	*ret = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool all_objects(json_t *items)
{
	const char *key;
	json_t *v;

	json_object_foreach (items, key, v)
		if (!json_is_object(v))
			return false;
	return json_is_object(items);
}

static bool all_texts(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return false;
	return json_is_array(list);
}

static bool take_parts(const struct feed_doc *d, json_t *line, struct parts *p)
{
	const char *what = json_string_value(json_object_get(line, "watch"));

	p->time = json_object_get(line, "time");
	p->host = json_object_get(line, "host");
	p->added = json_object_get(line, "added");
	p->changed = json_object_get(line, "changed");
	p->gone = json_object_get(line, "gone");
	return what && !strcmp(what, watch_word(d->what)) && take_number(line, "generation", &p->generation) &&
	       take_number(line, "since", &p->since) && take_number(line, "at_ns", &p->at_ns) && json_is_string(p->time) &&
	       (!p->host || json_is_object(p->host)) && all_objects(p->added) && (!p->changed || all_objects(p->changed)) &&
	       (!p->gone || all_texts(p->gone));
}

static int take_changes(struct feed_doc *d, const struct parts *p)
{
	const char *key;
	json_t *v;
	int err = 0;

	for (size_t i = 0; i < json_array_size(p->gone); i++) {
		struct entry *e = find(d, json_string_value(json_array_get(p->gone, i)));

		if (e)
			e->gone = true; /* one that came and went meanwhile was never here */
	}
	json_object_foreach (p->changed, key, v)
		if (!err)
			err = merge(d, key, v);
	json_object_foreach (p->added, key, v)
		if (!err)
			err = put(d, key, v);
	if (!err && json_array_size(p->gone))
		err = sweep(d);
	return err;
}

int feed_doc_apply(struct feed_doc *d, json_t *line, size_t len)
{
	struct parts p;
	int err;

	if (!take_parts(d, line, &p))
		return -EPROTO;
	if (p.since && (!d->json || p.since != d->generation || p.generation < p.since || p.at_ns < d->at_ns))
		return -ESTALE;
	if (p.since && d->taken + len > TAKEN_MAX)
		return -EFBIG;
	if (!p.since)
		feed_doc_clear(d);
	d->taken += len;
	err = begin(d, p.at_ns, p.time, p.host);
	if (!err)
		err = take_changes(d, &p);
	d->generation = p.generation;
	if (err)
		feed_doc_clear(d);
	return err;
}

/* --- changes of one's own --------------------------------------------------------------- */

int feed_doc_begin(struct feed_doc *d, uint64_t at_ns, const char *time, const json_t *host)
{
	json_t *text = json_string(time);
	int err = text ? begin(d, at_ns, text, (json_t *)host) : -ENOMEM;

	json_decref(text);
	return err;
}

void feed_doc_touch(struct feed_doc *d, const char *key)
{
	struct entry *e = find(d, key);

	if (e)
		e->met = d->changes;
}

int feed_doc_put(struct feed_doc *d, const char *key, json_t *item)
{
	int err = item ? put(d, key, item) : -ENOMEM;

	json_decref(item);
	if (!err)
		feed_doc_touch(d, key);
	return err;
}

int feed_doc_end(struct feed_doc *d)
{
	bool any = false;

	for (size_t i = 0; i < d->n; i++) {
		d->order[i]->gone = d->order[i]->met != d->changes;
		any = any || d->order[i]->gone;
	}
	return any ? sweep(d) : 0;
}

/* --- rates --------------------------------------------------------------------------------- */

static bool number_at(const json_t *item, const char *path, double *ret)
{
	const json_t *v = json_at(item, path);

	*ret = json_number_value(v);
	return json_is_number(v);
}

double feed_doc_rate(const struct feed_doc *d, const json_t *item, const char *path)
{
	const struct entry *e = item || d->what == WATCH_HEALTH ? find(d, feed_doc_key(d->what, item)) : NULL;
	double now, before = 0, seconds = (double)(d->at_ns - d->before_ns) / (double)NSEC;

	if (!e || d->changes <= d->first_change || d->at_ns <= d->before_ns || !number_at(e->item, path, &now))
		return NAN;
	if (e->changed != d->changes)
		return 0;
	if (e->born != d->changes && !number_at(e->before, path, &before))
		return NAN;
	return now < before ? NAN : (now - before) / seconds;
}
