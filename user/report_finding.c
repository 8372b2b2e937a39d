/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Findings as they were told last. One is told each time it grows: only what is kept in the end is parsed. */
#include "user/report_internal.h"

#include "user/array.h"

#define FINDINGS_KEPT 4096
#define RULES_KEPT 256
#define BYTES_KEPT (128u << 20) /* of all of them */

static int count_rule(struct report *r, const char *rule, size_t len)
{
	_cleanup_free_ char *name = strndup(rule, len);
	json_t *had;

	if (!name)
		return -ENOMEM;
	had = json_object_get(r->rules, name);
	if (!had && json_object_size(r->rules) >= RULES_KEPT)
		return 0;
	return json_object_set_new_nocheck(r->rules, name, json_integer(json_integer_value(had) + 1)) ? -ENOMEM : 0;
}

static int keep_text(struct report *r, struct told *f, const char *text, size_t len)
{
	if (len > f->room) {
		char *more = realloc(f->text, len);

		if (!more)
			return -ENOMEM;
		r->finding_bytes += len - f->room;
		f->text = more;
		f->room = len;
	}
	memcpy(f->text, text, len);
	f->len = len;
	json_decref(f->record);
	f->record = NULL;
	return 0;
}

/* A new one; its place is what the index says. */
static int append(struct report *r, const char *key, const char *id, size_t id_len, const char *first, size_t first_len)
{
	struct told *f;
	int err = array_grow((void **)&r->findings, &r->findings_room, r->nfindings + 1, sizeof(*r->findings));

	if (err)
		return err;
	f = &r->findings[r->nfindings];
	*f = (struct told){.id = strndup(id, id_len), .first = strndup(first, first_len)};
	if (f->id && f->first && !json_object_set_new_nocheck(r->finding_index, key, json_integer((json_int_t)r->nfindings))) {
		r->nfindings++;
		return 0;
	}
	free(f->id);
	free(f->first);
	return -ENOMEM;
}

int report_keep_finding(struct report *r, const char *id, size_t id_len, const char *first, size_t first_len, const char *rule,
			size_t rule_len, const char *text, size_t len)
{
	_cleanup_free_ char *key = NULL;
	json_t *place;
	int err;

	if (asprintf(&key, "%.*s\x1f%.*s", (int)MIN(id_len, (size_t)1024), id, (int)MIN(first_len, (size_t)64), first) < 0) {
		key = NULL;
		return -ENOMEM;
	}
	place = json_object_get(r->finding_index, key);
	if (!place) {
		err = count_rule(r, rule, rule_len);
		if (err)
			return err;
	}
	if (r->finding && (strlen(r->finding) != id_len || memcmp(r->finding, id, id_len)))
		return 0;
	if ((!place && r->nfindings >= FINDINGS_KEPT) || r->finding_bytes + len > BYTES_KEPT) {
		r->findings_left_out++;
		return 0;
	}
	err = place ? 0 : append(r, key, id, id_len, first, first_len);
	place = json_object_get(r->finding_index, key);
	return err ? err : keep_text(r, &r->findings[json_integer_value(place)], text, len);
}

static json_t *parsed(struct told *f)
{
	if (!f->record)
		f->record = json_loadb(f->text, f->len, 0, NULL);
	return f->record;
}

json_t *report_finding(const struct report *r, const char *id)
{
	for (size_t i = r->nfindings; i--;) /* the last run of a monitor that found it */
		if (!strcmp(r->findings[i].id, id))
			return parsed(&r->findings[i]);
	return NULL;
}

json_t *report_findings_json(struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < r->nfindings; i++) {
		if (json_array_append(list, parsed(&r->findings[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

void report_findings_free(struct report *r)
{
	for (size_t i = 0; i < r->nfindings; i++) {
		free(r->findings[i].id);
		free(r->findings[i].first);
		free(r->findings[i].text);
		json_decref(r->findings[i].record);
	}
	free(r->findings);
	json_decref(r->finding_index);
	json_decref(r->rules);
}

bool report_found(const struct report *r, const char *rule)
{
	return !strcmp(rule, "any") ? json_object_size(r->rules) > 0 : json_object_get(r->rules, rule) != NULL;
}
