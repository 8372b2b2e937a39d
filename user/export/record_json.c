/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Values as the contract spells them. */
#include "user/export/record_fields.h"

#include <string.h>

#include "user/model_credential.h"

int fields_add(json_t *to, const struct field *table, const struct subject_matter *s)
{
	for (const struct field *f = table; f->name; f++) {
		if (json_object_set_new_nocheck(to, f->name, f->get(s)))
			return -ENOMEM;
	}
	return 0;
}

json_t *json_members(const struct member *members)
{
	json_t *object = json_object();
	int err = object ? 0 : -ENOMEM;

	for (const struct member *i = members; i->name; i++) {
		if (err)
			json_decref(i->value);
		else
			err = json_object_set_new_nocheck(object, i->name, i->value);
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_safe(const char *text)
{
	char small[256];

	if (!text)
		return json_null();
	size_t len = strlen(text);
	if (len < sizeof(small))
		return json_stringn_nocheck(small, text_safe(small, sizeof(small), text, len));
	_cleanup_free_ char *large = malloc(len + 1);
	if (!large)
		return NULL;
	return json_stringn_nocheck(large, text_safe(large, len + 1, text, len));
}

json_t *json_count(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

json_t *json_moment(const struct model *m, uint64_t boot_ns, int64_t offset)
{
	char text[TIME_LEN];
	int64_t ns;

	if (!boot_ns || !m->clock_known || __builtin_add_overflow((int64_t)boot_ns, offset, &ns) || ns < 0)
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
	return JSON_OF({"pid", json_count(s->parent.tgid)},
		       {"start", json_moment(m, s->parent.start_ns,
					     p && p->images ? p->images->wall_offset : s->wall_offset)});
}

json_t *json_process(const struct model *m, const struct m_subject *s)
{
	if (!s || s->merged || !s->process)
		return json_null();
	json_t *process = JSON_OF({"pid", json_count(s->who.tgid)},
				  {"start", json_moment(m, s->who.start_ns, s->wall_offset)},
				  {"exe", json_safe(s->exe)}, {"comm", json_safe(*s->comm ? s->comm : NULL)},
				  {"uid", s->uid_known ? json_count(s->uid) : json_null()},
				  {"parent", json_parent(m, s)});

	if (process && s->trusted && json_object_set_new(process, "trusted", json_true())) {
		json_decref(process);
		return NULL;
	}
	return process;
}

json_t *json_process_told(const struct model *m, const struct process_told *by)
{
	bool known = by->start_ns;
	json_t *parent = known && by->parent ? JSON_OF({"pid", json_count(by->parent)}, {"start", json_null()}) : json_null();

	return JSON_OF({"pid", json_count(by->pid)}, {"start", json_moment(m, by->start_ns, m->start_offset)},
		       {"exe", json_safe(by->exe)}, {"comm", json_told(by->comm)},
		       {"uid", by->uid_known ? json_count(by->uid) : json_null()}, {"parent", parent});
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
	static const char *const facts[ACCESS_KINDS] = {
	    [ACCESS_READ] = "read.read",
	    [ACCESS_MMAP] = "read.mmap",
	    [ACCESS_DEVICE] = "read.device",
	    [ACCESS_ASKED] = "channel.io_uring",
	};

	return !facts[k] || model_owns_fact(m, facts[k]);
}

json_t *json_bytes(const struct model *m, const struct figures figures[ACCESS_KINDS])
{
	json_t *bytes = json_object();

	for (unsigned k = 1; bytes && k < ACCESS_KINDS; k++) {
		bool known = figures[k].bytes || kind_measured(m, (enum access_kind)k);

		if (json_object_set_new_nocheck(bytes, access_name(k),
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

json_t *json_told(const char *text)
{
	return text && *text ? json_safe(text) : json_null();
}

static const char *name_note(const struct m_said *s)
{
	return s->facts.hidden ? "ech" : s->facts.nameless ? "no-sni" : NULL;
}

static int add_said(json_t *to, const struct m_said *s)
{
	static const struct m_said nothing;
	const struct m_said *w = s ? s : &nothing;
	const struct aws_name *a = &w->aws;
	bool bucket = a->form == S3_BUCKET;
	struct member members[] = {
		{"name", json_told(w->facts.name)},
		{"name_source", json_told(name_source_text(w->facts.source))},
		{"name_belief", json_told(name_belief_text(w->facts.belief))},
		{"name_note", json_told(name_note(w))},
		{"service", json_told(a->service)},
		{"bucket", json_told(bucket ? a->resource : NULL)},
		{"access_point", json_told(bucket ? NULL : a->resource)},
		{"account", json_told(a->account)},
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_set_new_nocheck(to, members[i].name, members[i].value))
			err = -ENOMEM;
	return err;
}

/* Takes `head` over. */
static json_t *with_said(json_t *head, const struct m_said *s)
{
	if (head && !add_said(head, s))
		return head;
	json_decref(head);
	return NULL;
}

json_t *json_remote(const uint8_t addr[static 16], uint16_t port, const struct dest *d, const struct m_said *said)
{
	char text[ADDR_LEN];

	static const uint8_t none[16];
	bool known = port || d->class != CLASS_UNOBSERVABLE || memcmp(addr, none, sizeof(none));

	return with_said(JSON_OF({"addr", known ? json_string(addr_text(text, addr)) : json_null()},
				 {"port", port ? json_count(port) : json_null()}, {"class", json_class(d)}),
			 said);
}

json_t *json_channel(const char *name)
{
	json_t *remote = with_said(json_pack("{s:n, s:n, s:s}", "addr", "port", "class", class_name(CLASS_UNOBSERVABLE)), NULL);

	if (remote && !json_object_set_new_nocheck(remote, "name", json_safe(name)))
		return remote;
	json_decref(remote);
	return NULL;
}

json_t *json_many(const struct dest *d)
{
	return with_said(json_pack("{s:n, s:n, s:o}", "addr", "port", "class", json_class(d)), NULL);
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

json_t *json_host(const struct model *m)
{
	return JSON_OF({"name", json_safe(m->host)}, {"boot_id", json_safe(m->boot_id)}, 
		       {"instance_id", json_told(m->vpc.instance_id)}, {"account", json_told(m->vpc.account)},
		       {"region", json_told(m->vpc.region)});
}

json_t *json_time(const struct timespec *wall)
{
	char text[TIME_LEN];

	return json_string(time_rfc3339(text, wall));
}

json_t *record_frame(const char *type, json_t *time, uint64_t seq, json_t *host)
{
	json_t *head = JSON_OF({"v", json_integer(1)}, {"type", json_string(type)}, {"time", time});
	int err = !head || (seq && json_object_set_new(head, "seq", json_count(seq)));

	if (err)
		json_decref(host);
	else
		err = json_object_set_new(head, "host", host);
	if (!err)
		return head;
	json_decref(head);
	return NULL;
}

json_t *record_head(const struct model *m, const char *type, const struct timespec *wall, uint64_t seq)
{
	return record_frame(type, json_time(wall), seq, json_host(m));
}
