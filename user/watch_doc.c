/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/watch_doc.h"

#include <string.h>

#include "user/array.h"
#include "user/hashmap.h"

#define AGAIN_EVERY 32	/* generations after which an item is made whatever its print says */
#define GONE_MAX 65536	/* keys of items that are no more */
#define TWINS_MAX 100000 /* items of one key */

struct member {
	uint64_t changed; /* generation */
	uint32_t at, len; /* "name":value in the item's text */
	uint32_t name;	  /* bytes of it that are the name */
};

struct item {
	uint64_t hash; /* of the key: nobody knows by what, so nobody finds two alike */
	struct item *prev, *next;
	uint64_t print;
	uint64_t born, changed, met; /* generations */
	struct member *members; /* in one piece with the text */
	unsigned nmembers;
	const char *text;
	size_t len;
	char key[];
};

struct gone {
	uint64_t generation;
	char *key;
};

struct watch_doc {
	const char *what;
	uint64_t before, generation, floor; /* a change since below the floor cannot be told */
	uint64_t at_ns;
	size_t max, bytes;
	struct json_text time, host, scratch;
	uint64_t host_changed;
	struct hashmap items;
	struct item *first, *last;
	struct gone *gone;
	size_t ngone, max_gone;
	struct member *fresh; /* of the item at hand */
	size_t max_fresh;
};

struct watch_doc *watch_doc_new(const char *what, uint64_t before, size_t max)
{
	struct watch_doc *d = calloc(1, sizeof(*d));

	if (d)
		*d = (struct watch_doc){.what = what, .before = before, .generation = before, .floor = before + 1, .max = max,
					.time.max = 256, .host.max = 64 << 10, .scratch.max = max,
					.items = HASHMAP_OF(struct item, hash)};
	return d;
}

static void item_free(struct item *i)
{
	free(i->members);
	free(i);
}

struct watch_doc *watch_doc_free(struct watch_doc *d)
{
	if (!d)
		return NULL;
	for (struct item *i = d->first, *next; i; i = next) {
		next = i->next;
		item_free(i);
	}
	for (size_t i = 0; i < d->ngone; i++)
		free(d->gone[i].key);
	hashmap_free(&d->items);
	free(d->gone);
	free(d->fresh);
	free(d->time.data);
	free(d->host.data);
	free(d->scratch.data);
	free(d);
	return NULL;
}

uint64_t watch_doc_generation(const struct watch_doc *d)
{
	return d->generation;
}

int watch_doc_begin(struct watch_doc *d, uint64_t at_ns, const json_t *time, const json_t *host)
{
	int err;

	d->generation++;
	d->at_ns = at_ns;
	d->time.len = d->scratch.len = 0;
	err = json_write(&d->time, time);
	if (!err)
		err = json_write(&d->scratch, host);
	if (err || (d->scratch.len == d->host.len && !memcmp(d->scratch.data, d->host.data, d->host.len)))
		return err;
	d->host.len = 0;
	d->host_changed = d->generation;
	return json_write_raw(&d->host, d->scratch.data, d->scratch.len);
}

/* --- one item -------------------------------------------------------------------- */

static uint64_t key_hash(const char *key)
{
	return hashmap_hash(key, strlen(key));
}

static struct item *find(const struct watch_doc *d, const char *key)
{
	uint64_t hash = key_hash(key);

	return hashmap_find(&d->items, &hash);
}

bool watch_doc_same(struct watch_doc *d, const char *key, uint64_t print)
{
	struct item *i = find(d, key);

	if (!i || i->print != print || i->met == d->generation || (i->hash + d->generation) % AGAIN_EVERY == 0)
		return false;
	i->met = d->generation;
	return true;
}

/* Into scratch and fresh. */
static int spell(struct watch_doc *d, const json_t *item, unsigned *ret_n)
{
	const char *name;
	json_t *value;
	unsigned n = 0;
	int err = 0;

	d->scratch.len = 0;
	json_object_foreach ((json_t *)item, name, value) {
		uint32_t at = (uint32_t)d->scratch.len;

		err = array_grow((void **)&d->fresh, &d->max_fresh, n + 1, sizeof(*d->fresh));
		if (!err)
			err = json_write_text(&d->scratch, name);
		uint32_t named = (uint32_t)d->scratch.len - at;
		if (!err)
			err = json_write_raw(&d->scratch, ":", 1);
		if (!err)
			err = json_write(&d->scratch, value);
		if (err)
			return err;
		d->fresh[n++] = (struct member){d->generation, at, (uint32_t)d->scratch.len - at, named};
	}
	*ret_n = n;
	return 0;
}

/* Takes over when each member changed. False: they are not the same members, so that it is another item. */
static bool compare(struct watch_doc *d, const struct item *i, unsigned n, bool *ret_changed)
{
	*ret_changed = false;
	if (n != i->nmembers)
		return false;
	for (unsigned k = 0; k < n; k++) {
		const struct member *was = &i->members[k];
		struct member *is = &d->fresh[k];

		if (is->name != was->name || memcmp(d->scratch.data + is->at, i->text + was->at, is->name))
			return false;
		if (is->len == was->len && !memcmp(d->scratch.data + is->at, i->text + was->at, is->len))
			is->changed = was->changed;
		else
			*ret_changed = true;
	}
	return true;
}

static int put_text(struct watch_doc *d, struct item *i, unsigned n)
{
	size_t head = n * sizeof(struct member), len = d->scratch.len;
	struct member *both;

	if (d->bytes - i->len + len > d->max)
		return -EFBIG;
	both = malloc(head + len + 1);
	if (!both)
		return -ENOMEM;
	if (n)
		memcpy(both, d->fresh, head);
	if (len)
		memcpy((char *)both + head, d->scratch.data, len);
	free(i->members);
	d->bytes = d->bytes - i->len + len;
	i->members = both;
	i->nmembers = n;
	i->text = (const char *)both + head;
	i->len = len;
	return 0;
}

static int item_new(struct watch_doc *d, const char *key, struct item **ret)
{
	size_t len = strlen(key);
	struct item *i = calloc(1, sizeof(*i) + len + 1);
	int err;

	if (!i)
		return -ENOMEM;
	memcpy(i->key, key, len + 1);
	i->hash = key_hash(key);
	i->born = d->generation;
	err = hashmap_add(&d->items, i);
	if (err) {
		free(i);
		return err;
	}
	i->prev = d->last;
	*(i->prev ? &i->prev->next : &d->first) = i;
	d->last = i;
	*ret = i;
	return 0;
}

static void item_remove(struct watch_doc *d, struct item *i)
{
	*(i->prev ? &i->prev->next : &d->first) = i->next;
	*(i->next ? &i->next->prev : &d->last) = i->prev;
	hashmap_remove(&d->items, &i->hash);
	d->bytes -= i->len;
	item_free(i);
}

/* What was met already in this generation has a twin: KEY, KEY#2, KEY#3. */
static int twin_key(const struct watch_doc *d, const char *key, char **ret)
{
	for (unsigned n = 2; n < TWINS_MAX; n++) {
		char *text;

		if (asprintf(&text, "%s#%u", key, n) < 0)
			return -ENOMEM;
		const struct item *i = find(d, text);
		if (!i || i->met != d->generation) {
			*ret = text;
			return 0;
		}
		free(text);
	}
	return -EFBIG;
}

int watch_doc_item(struct watch_doc *d, const char *key, uint64_t print, const json_t *json)
{
	_cleanup_free_ char *twin = NULL;
	struct item *i = find(d, key);
	bool changed = true, fresh = false;
	unsigned n;
	int err = spell(d, json, &n);

	if (!err && i && i->met == d->generation) {
		err = twin_key(d, key, &twin);
		i = err ? NULL : find(d, twin);
	}
	if (!err && !i) {
		fresh = true;
		err = item_new(d, twin ? twin : key, &i);
	}
	if (err)
		return err;
	if (!fresh && !compare(d, i, n, &changed)) {
		i->born = d->generation;
		for (unsigned k = 0; k < n; k++)
			d->fresh[k].changed = d->generation;
		changed = true;
	}
	if (changed)
		err = put_text(d, i, n);
	if (err && fresh)
		item_remove(d, i);
	if (err)
		return err;
	i->changed = changed ? d->generation : i->changed;
	i->met = d->generation;
	i->print = print;
	return 0;
}

/* --- the end of a generation --------------------------------------------------------- */

static void forget_gone(struct watch_doc *d, size_t n)
{
	if (!n)
		return;
	d->floor = MAX(d->floor, d->gone[n - 1].generation);
	for (size_t i = 0; i < n; i++)
		free(d->gone[i].key);
	memmove(d->gone, d->gone + n, (d->ngone - n) * sizeof(*d->gone));
	d->ngone -= n;
}

/* Without memory for it, whoever does not have this generation is told the whole. */
static void note_gone(struct watch_doc *d, const char *key)
{
	if (d->ngone >= GONE_MAX)
		forget_gone(d, d->ngone / 2);
	char *copy = strdup(key);
	if (!copy || array_grow((void **)&d->gone, &d->max_gone, d->ngone + 1, sizeof(*d->gone))) {
		free(copy);
		d->floor = d->generation;
		return;
	}
	d->gone[d->ngone++] = (struct gone){d->generation, copy};
}

void watch_doc_end(struct watch_doc *d)
{
	for (struct item *i = d->first, *next; i; i = next) {
		next = i->next;
		if (i->met == d->generation)
			continue;
		note_gone(d, i->key);
		item_remove(d, i);
	}
}

/* --- lines ------------------------------------------------------------------------------ */

static int write_named(struct json_text *to, const char *name, uint64_t n)
{
	int err = json_write_raw(to, name, strlen(name));

	return err ? err : json_write_number(to, (int64_t)n);
}

static int write_head(const struct watch_doc *d, uint64_t since, struct json_text *to)
{
	int err = json_write_raw(to, "{\"watch\":", 9);

	if (!err)
		err = json_write_text(to, d->what);
	if (!err)
		err = write_named(to, ",\"generation\":", d->generation);
	if (!err)
		err = write_named(to, ",\"since\":", since);
	if (!err)
		err = write_named(to, ",\"at_ns\":", d->at_ns);
	if (!err)
		err = json_write_raw(to, ",\"time\":", 8);
	if (!err)
		err = json_write_raw(to, d->time.data, d->time.len);
	if (!err && d->host_changed > since)
		err = json_write_raw(to, ",\"host\":", 8);
	if (!err && d->host_changed > since)
		err = json_write_raw(to, d->host.data, d->host.len);
	return err;
}

static int write_item(const struct item *i, uint64_t since, struct json_text *to)
{
	int err = json_write_text(to, i->key);
	bool first = true;

	if (!err)
		err = json_write_raw(to, ":{", 2);
	for (unsigned k = 0; k < i->nmembers && !err; k++) {
		const struct member *m = &i->members[k];

		if (m->changed <= since)
			continue;
		if (!first)
			err = json_write_raw(to, ",", 1);
		first = false;
		if (!err)
			err = json_write_raw(to, i->text + m->at, m->len);
	}
	return err ? err : json_write_raw(to, "}", 1);
}

static bool is_added(const struct item *i, uint64_t since)
{
	return i->born > since;
}

static bool is_changed(const struct item *i, uint64_t since)
{
	return i->born <= since && i->changed > since;
}

static int write_items(const struct watch_doc *d, const char *name, bool (*which)(const struct item *, uint64_t), uint64_t from,
		       uint64_t since, struct json_text *to)
{
	int err = json_write_raw(to, name, strlen(name));
	bool first = true;

	for (const struct item *i = d->first; i && !err; i = i->next) {
		if (!which(i, since))
			continue;
		if (!first)
			err = json_write_raw(to, ",", 1);
		first = false;
		if (!err)
			err = write_item(i, from, to);
	}
	return err ? err : json_write_raw(to, "}", 1);
}

/* One that was gone for a while and came again was added since: taking it out first changes nothing. */
static int write_gone(const struct watch_doc *d, uint64_t since, struct json_text *to)
{
	int err = json_write_raw(to, ",\"gone\":[", 9);
	bool first = true;

	for (size_t i = 0; i < d->ngone && !err; i++) {
		if (d->gone[i].generation <= since)
			continue;
		if (!first)
			err = json_write_raw(to, ",", 1);
		first = false;
		if (!err)
			err = json_write_text(to, d->gone[i].key);
	}
	return err ? err : json_write_raw(to, "]", 1);
}

int watch_doc_write(const struct watch_doc *d, uint64_t since, struct json_text *to)
{
	size_t before = to->len;
	int err;

	if (since < d->floor || since > d->generation)
		since = 0;
	err = write_head(d, since, to);
	if (!err)
		err = write_items(d, ",\"added\":{", is_added, 0, since, to);
	if (!err && since)
		err = write_items(d, ",\"changed\":{", is_changed, since, since, to);
	if (!err && since)
		err = write_gone(d, since, to);
	if (!err)
		err = json_write_raw(to, "}\n", 2);
	if (err)
		to->len = before;
	return err;
}
