/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which findings there are, what of them was imported, and what waits. */
#include "user/export/hub_internal.h"

#include <string.h>

#include "user/export/finding_words.h"

struct hub_finding *hub_find(const struct hub *h, const char *id)
{
	char key[HUB_ID_LEN] = {0};

	if (strlen(id) >= sizeof(key))
		return NULL;
	memcpy(key, id, strlen(id));
	return hashmap_find(&h->by_id, key);
}

static void dispose(struct hub_finding *f)
{
	free(f->asff_id);
	free(f->text);
	free(f);
}

void hub_drop_waiting(struct hub *h, struct hub_finding *f)
{
	if (!f->text)
		return;
	h->waiting--;
	h->waiting_bytes -= f->len;
	free(f->text);
	f->text = NULL;
	f->len = 0;
	f->tries = 0;
	f->due_ns = 0;
	f->worse = -1;
}

void hub_forget_all(struct hub *h)
{
	for (struct hub_finding *f = h->first, *next; f; f = next) {
		next = f->next;
		dispose(f);
	}
	hashmap_free(&h->by_id);
	h->by_id = HASHMAP_OF(struct hub_finding, id);
	h->first = NULL;
	h->known = h->waiting = h->waiting_bytes = 0;
}

static bool forget_oldest(struct hub *h)
{
	struct hub_finding **oldest = NULL, *gone;

	for (struct hub_finding **p = &h->first; *p; p = &(*p)->next)
		if (!(*p)->text && (!oldest || (*p)->updated_ms < (*oldest)->updated_ms))
			oldest = p;
	if (!oldest)
		return false;
	gone = *oldest;
	*oldest = gone->next;
	hashmap_remove(&h->by_id, gone->id);
	dispose(gone);
	h->known--;
	return true;
}

struct hub_finding *hub_get(struct hub *h, const char *id)
{
	struct hub_finding *f = hub_find(h, id);

	if (f || strlen(id) >= HUB_ID_LEN)
		return f;
	if (h->known >= HUB_KNOWN_MAX && !forget_oldest(h))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	memcpy(f->id, id, strlen(id));
	f->severity = f->worse = -1;
	if (hashmap_add(&h->by_id, f)) {
		free(f);
		return NULL;
	}
	f->next = h->first;
	h->first = f;
	h->known++;
	return f;
}

/* Its newest state takes the place of one that was not imported yet. */
static int keep(struct hub *h, struct hub_finding *f, const struct journal_line *line, int severity)
{
	char *copy = malloc(line->len);
	uint64_t oldest = f->text ? f->oldest : line->seq;
	int worse = f->text ? MAX(f->worse, severity) : severity;
	unsigned tries = f->tries;
	uint64_t due = f->due_ns;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, line->text, line->len);
	hub_drop_waiting(h, f);
	f->text = copy;
	f->len = line->len;
	f->seq = line->seq;
	f->oldest = oldest;
	f->worse = worse;
	f->tries = tries;
	f->due_ns = due;
	h->waiting++;
	h->waiting_bytes += line->len;
	return 0;
}

static int take_record(struct hub *h, const json_t *record, const struct journal_line *line)
{
	const char *type = json_string_value(json_object_get(record, "type")),
		   *id = json_string_value(json_object_get(record, "id"));
	struct hub_finding *f;

	if (!type || strcmp(type, "finding"))
		return 0;
	if (!id || !*id || strlen(id) >= HUB_ID_LEN || finding_time(record, "time") < 0) {
		h->told.refused++;
		return 0;
	}
	f = hub_get(h, id);
	if (!f)
		return -ENOSPC;
	return f->done >= line->seq ? 0 : keep(h, f, line, finding_severity(record));
}

int hub_take(struct hub *h, const struct journal_line *line)
{
	static const char word[] = "\"finding\"";
	json_t *record;
	int err;

	if (!memmem(line->text, line->len, word, sizeof(word) - 1))
		return 0;
	if (h->waiting_bytes + line->len > HUB_WAITING_BYTES && h->waiting)
		return -ENOSPC;
	record = json_loadb(line->text, line->len, 0, NULL);
	if (!record) {
		h->told.missed++;
		return 0;
	}
	err = take_record(h, record, line);
	json_decref(record);
	return err;
}

uint64_t hub_cursor(const struct hub *h)
{
	uint64_t cursor = h->read;

	for (const struct hub_finding *f = h->first; f; f = f->next)
		if (f->text)
			cursor = MIN(cursor, f->oldest - 1);
	return cursor;
}
