/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Values as the contract spells them. */
#include "user/export/record_fields.h"

#include <string.h>

int fields_add(json_t *to, const struct field *table, const struct subject_matter *s)
{
	for (const struct field *f = table; f->name; f++) {
		if (json_object_set_new(to, f->name, f->get(s)))
			return -ENOMEM;
	}
	return 0;
}

json_t *json_safe(const char *text)
{
	char small[256];

	if (!text)
		return json_null();
	size_t len = strlen(text);
	if (len < sizeof(small)) {
		text_safe(small, sizeof(small), text, len);
		return json_string(small);
	}
	_cleanup_free_ char *large = malloc(len + 1);
	if (!large)
		return NULL;
	text_safe(large, len + 1, text, len);
	return json_string(large);
}

json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

json_t *json_moment(const struct model *m, uint64_t boot_ns, int64_t offset)
{
	char text[TIME_LEN];
	int64_t ns;

	if (!boot_ns || !m->clock_known || __builtin_add_overflow(boot_ns, offset, &ns) || ns < 0)
		return json_null();
	struct timespec wall = {.tv_sec = ns / (int64_t)NSEC, .tv_nsec = ns % (int64_t)NSEC};
	return json_string(time_rfc3339(text, &wall));
}

static json_t *json_parent(const struct model *m, const struct m_subject *s)
{
	struct m_process key = {.id = {s->parent.start_ns, s->parent.tgid}};
	const struct m_process *p = hashmap_find(&m->processes, &key.id);

	if (!s->parent.tgid)
		return json_null();
	return json_pack("{s:o, s:o}", "pid", json_count(s->parent.tgid), "start",
			 json_moment(m, s->parent.start_ns,
				     p && p->images ? p->images->wall_offset : s->wall_offset));
}

json_t *json_process(const struct model *m, const struct m_subject *s)
{
	if (!s || s->merged || !s->process)
		return json_null();
	json_t *process = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "pid", json_count(s->who.tgid), "start",
			 json_moment(m, s->who.start_ns, s->wall_offset), "exe", json_safe(s->exe),
			 "comm", json_safe(*s->comm ? s->comm : NULL), "uid",
			 s->uid_known ? json_count(s->uid) : json_null(), "parent",
			 json_parent(m, s));

	if (process && s->trusted && json_object_set_new(process, "trusted", json_true())) {
		json_decref(process);
		return NULL;
	}
	return process;
}

json_t *json_job(const struct m_subject *s)
{
	return json_safe(s && s->job ? s->job->name : NULL);
}

json_t *json_dataset(const struct model *m, unsigned dataset)
{
	char number[32];

	if (dataset < SL_DATASETS_MAX && m->datasets[dataset].id)
		return json_safe(m->datasets[dataset].id);
	snprintf(number, sizeof(number), "#%u", dataset);
	return json_string(number);
}

json_t *json_datasets(const struct model *m, uint64_t mask)
{
	json_t *list = json_array();

	for (; list && mask; mask &= mask - 1) {
		if (json_array_append_new(list, json_dataset(m, (unsigned)__builtin_ctzll(mask)))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *json_tags(const struct m_dataset *d)
{
	json_t *tags = json_object();

	for (size_t i = 0; tags && i < d->ntags; i++) {
		char key[256];

		text_safe(key, sizeof(key), d->tags[i].key, strlen(d->tags[i].key));
		if (json_object_set_new(tags, key, json_safe(d->tags[i].value))) {
			json_decref(tags);
			return NULL;
		}
	}
	return tags;
}

/* The fact whose owner counts this kind. */
static bool kind_measured(const struct model *m, enum access_kind k)
{
	char fact[32];

	if (k == ACCESS_ASKED)
		return model_owns_fact(m, "channel.io_uring");
	snprintf(fact, sizeof(fact), "read.%s", access_name(k));
	return model_owns_fact(m, fact);
}

json_t *json_bytes(const struct model *m, const struct figures figures[ACCESS_KINDS])
{
	json_t *bytes = json_object();

	for (unsigned k = 1; bytes && k < ACCESS_KINDS; k++) {
		bool known = figures[k].bytes || kind_measured(m, (enum access_kind)k);

		if (json_object_set_new(bytes, access_name(k),
					known ? json_count(figures[k].bytes) : json_null())) {
			json_decref(bytes);
			return NULL;
		}
	}
	return bytes;
}

static json_t *json_class(const struct dest *d)
{
	char text[160];

	if (d->class != CLASS_AWS)
		return json_string(class_name(d->class));
	snprintf(text, sizeof(text), "aws:%s:%s", d->service ? d->service : "",
		 d->region ? d->region : "");
	return json_safe(text);
}

json_t *json_remote(const uint8_t addr[static 16], uint16_t port, const struct dest *d)
{
	char text[ADDR_LEN];

	static const uint8_t none[16];
	bool known = port || d->class != CLASS_UNOBSERVABLE || memcmp(addr, none, sizeof(none));

	return json_pack("{s:o, s:o, s:o, s:n, s:n, s:n}", "addr",
			 known ? json_string(addr_text(text, addr)) : json_null(), "port",
			 port ? json_count(port) : json_null(), "class", json_class(d), "name", "name_source", "bucket");
}

json_t *json_many(const struct dest *d)
{
	return json_pack("{s:n, s:n, s:o, s:n, s:n, s:n}", "addr", "port", "class", json_class(d), "name", "name_source",
			 "bucket");
}

json_t *json_words(const char *const *words, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && words && i < n && words[i]; i++) {
		if (json_array_append_new(list, json_safe(words[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *record_head(const struct model *m, const char *type, const struct timespec *wall,
		    uint64_t seq)
{
	char time[TIME_LEN];
	json_t *head =
	    json_pack("{s:i, s:s, s:s}", "v", 1, "type", type, "time", time_rfc3339(time, wall));
	json_t *host = json_pack("{s:o, s:o, s:n}", "name", json_safe(m->host), "boot_id",
				 json_safe(m->boot_id), "instance_id");

	if (!head || !host || (seq && json_object_set_new(head, "seq", json_count(seq))) ||
	    json_object_set(head, "host", host)) {
		json_decref(head);
		head = NULL;
	}
	json_decref(host);
	return head;
}
