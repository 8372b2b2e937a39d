/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records become rows: the short way, for a record that is like one before. It is taken only where it is certain that the
 * long way would do the same; else nothing has been done yet, and the long way is gone.
 */
#include "user/report_internal.h"

#define TIME_CHARS 24 /* 2026-11-20T10:00:05.250Z */

typedef const struct tape_item item;

/* --- what a value may be: as in report_check.c ------------------------------------------------- */

static bool is_count(item *i)
{
	return i && (i->kind == TAPE_NULL || (i->kind == TAPE_NUMBER && i->number >= 0));
}

static bool is_name(item *i)
{
	return i && (i->kind == TAPE_NULL || i->kind == TAPE_STRING);
}

static bool is_text(item *i)
{
	return i && i->kind == TAPE_STRING;
}

static bool is_object(item *i)
{
	return i && i->kind == TAPE_OBJECT;
}

static bool is_object_or_null(item *i)
{
	return i && (i->kind == TAPE_NULL || i->kind == TAPE_OBJECT);
}

static bool is_texts(const struct tape *t, item *list)
{
	if (!list || list->kind != TAPE_LIST)
		return false;
	tape_each(t, list, i) if (i->kind != TAPE_STRING) return false;
	return true;
}

/* Absent, null or a text: what the long way takes as "" where it is no text. */
static bool is_text_or_nothing(item *i)
{
	return !i || i->kind == TAPE_NULL || i->kind == TAPE_STRING;
}

static bool is_number_or_nothing(item *i)
{
	return !i || i->kind == TAPE_NULL || i->kind == TAPE_NUMBER;
}

static int64_t number_of(item *i, int64_t otherwise)
{
	return i && i->kind == TAPE_NUMBER ? i->number : otherwise;
}

static void add(struct figure *f, item *more)
{
	figure_add(f, more->kind == TAPE_NUMBER, more->number);
}

/* --- keys ------------------------------------------------------------------------------------------ */

struct key {
	char *text;
	size_t len; /* above REPORT_KEY_MAX: it does not fit */
};

static void key_text(struct key *k, const char *text, size_t len)
{
	if (k->len + len > REPORT_KEY_MAX) {
		k->len = REPORT_KEY_MAX + 1;
		return;
	}
	memcpy(k->text + k->len, text, len);
	k->len += len;
}

static void key_end(struct key *k)
{
	key_text(k, "\x1f", 1);
}

static void key_item(struct key *k, item *i)
{
	if (i && i->kind == TAPE_STRING)
		key_text(k, i->text, i->len);
	key_end(k);
}

static void key_number(struct key *k, int64_t n)
{
	char text[24];
	uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	char *p = text + sizeof(text);

	do
		*--p = (char)('0' + left % 10);
	while (left /= 10);
	if (n < 0)
		*--p = '-';
	key_text(k, p, (size_t)(text + sizeof(text) - p));
	key_end(k);
}

static void key_list(struct key *k, const struct tape *t, item *list)
{
	if (list && list->kind == TAPE_LIST) {
		tape_each(t, list, i)
		{
			key_text(k, i->text, i->len);
			key_text(k, "\x1e", 1);
		}
	}
	key_end(k);
}

/* NULL: there is none yet, which the long way begins. */
static struct row *row_of(struct report *r, enum table t, const struct key *k)
{
	struct row *row = k->len <= REPORT_KEY_MAX ? row_find(r, t, k->text, k->len) : NULL;

	return row || !rows_full(r, t) ? row : r->rows[t].others;
}

static int process_of(struct report *r, struct row *row, item *process)
{
	item *start = tape_at(&r->tape, process, "start");

	if (!process || process->kind != TAPE_OBJECT)
		return 0;
	bool told = start && start->kind == TAPE_STRING;

	return row_process(r, row, number_of(tape_at(&r->tape, process, "pid"), 0), told ? start->text : "", told ? start->len : 0);
}

/* pid and start, and their sort. */
static bool is_process(const struct tape *t, item *process)
{
	if (!is_object_or_null(process))
		return false;
	return process->kind == TAPE_NULL ||
	       (is_number_or_nothing(tape_at(t, process, "pid")) && is_text_or_nothing(tape_at(t, process, "start")));
}

static int end_with(struct report *r, struct row *row, item *time, item *process)
{
	row_time(row, time->text, time->len);
	report_note_time(r, time->text, time->len);
	r->records++;
	return process_of(r, row, process) < 0 ? -ENOMEM : 1;
}

/* --- the kinds --------------------------------------------------------------------------------------- */

static int take_access(struct report *r, item *time)
{
	const struct tape *t = &r->tape;
	item *set = tape_at(t, t->v, "dataset"), *job = tape_at(t, t->v, "job"), *process = tape_at(t, t->v, "process");
	item *bytes = tape_at(t, t->v, "bytes"), *ops = tape_at(t, t->v, "ops"), *files = tape_at(t, t->v, "files");
	item *exact = tape_at(t, t->v, "exact"), *uid = tape_at(t, process, "uid"), *exe = tape_at(t, process, "exe");
	item *comm = tape_at(t, process, "comm");
	struct key k = {r->key, 0};
	struct row *row;

	if (!is_text(set) || !is_name(job) || !is_process(t, process) || !is_object(bytes) || !is_count(ops) || !is_count(files) ||
	    !exact || !is_number_or_nothing(uid) || !is_text_or_nothing(exe) || !is_text_or_nothing(comm) ||
	    tape_at(t, t->v, "credential"))
		return 0;
	if ((r->dataset && !tape_is(set, r->dataset)) || (r->job && !tape_is(job, r->job)))
		return 1;
	key_item(&k, set);
	key_item(&k, job);
	key_number(&k, number_of(uid, -1));
	key_item(&k, exe && exe->kind == TAPE_STRING && exe->len ? exe : comm);
	row = row_of(r, TABLE_ACCESS, &k);
	if (!row)
		return 0;
	add(&row->figures[FIGURE_OPS], ops);
	add(&row->figures[FIGURE_FILES], files);
	tape_each(t, bytes, more)
	{
		struct figure *f = row_kind(row, more->key, more->key_len);

		if (f)
			add(f, more);
		add(&row->figures[FIGURE_BYTES_TOTAL], more);
	}
	if (!row->exact || exact->kind == TAPE_FALSE)
		row->exact = exact->kind == TAPE_TRUE ? EXACT_YES : exact->kind == TAPE_FALSE ? EXACT_NO : EXACT_UNKNOWN;
	return end_with(r, row, time, process);
}

static bool names(const struct tape *t, item *list, const char *id)
{
	tape_each(t, list, i) if (tape_is(i, id)) return true;
	return false;
}

static bool is_outside(const struct tape *t, item *remote)
{
	item *class = tape_at(t, remote, "class"), *source = tape_at(t, remote, "name_source");
	bool is = class && class->kind == TAPE_STRING, told = source && source->kind == TAPE_STRING;

	return report_outside(is ? class->text : "", is ? class->len : 0, told ? source->text : "", told ? source->len : 0);
}

static int note_left(struct report *r, item *sets, item *out)
{
	const struct tape *t = &r->tape;
	int err = 0;

	tape_each(t, sets, i) if (!err && (!r->dataset || tape_is(i, r->dataset))) err =
	    left_add(r, i->text, i->len, out->kind == TAPE_NUMBER, out->number);
	return err;
}

static int take_flow(struct report *r, item *time)
{
	const struct tape *t = &r->tape;
	item *job = tape_at(t, t->v, "job"), *proto = tape_at(t, t->v, "proto"), *process = tape_at(t, t->v, "process");
	item *remote = tape_at(t, t->v, "remote"), *out = tape_at(t, t->v, "bytes_out"), *tainted = tape_at(t, t->v, "tainted_out");
	item *sets = tape_at(t, t->v, "datasets"), *addr = tape_at(t, remote, "addr"), *name = tape_at(t, remote, "name");
	item *port = tape_at(t, remote, "port");
	bool outside = is_outside(t, remote);
	struct key k = {r->key, 0};
	struct row *row;

	if (!is_name(job) || !is_name(proto) || !is_process(t, process) || !is_object_or_null(remote) || !is_count(out) ||
	    !is_count(tainted) || !is_texts(t, sets) || !is_text_or_nothing(addr) || !is_text_or_nothing(name) ||
	    !is_number_or_nothing(port) || tape_at(t, t->v, "dataset") || tape_at(t, t->v, "via"))
		return 0;
	if ((r->dataset && !names(t, sets, r->dataset)) || (r->job && !tape_is(job, r->job)))
		return 1;
	if (!sets->number) { /* nothing tagged can have gone there */
		report_note_time(r, time->text, time->len);
		r->records++;
		return 1;
	}
	key_item(&k, job);
	key_item(&k, proto);
	key_item(&k, addr);
	key_number(&k, number_of(port, 0));
	key_item(&k, name);
	key_item(&k, tape_at(t, remote, "class"));
	key_number(&k, outside);
	key_list(&k, t, sets);
	row = row_of(r, TABLE_DESTINATIONS, &k);
	if (!row)
		return 0;
	add(&row->figures[FIGURE_BYTES_OUT], out);
	add(&row->figures[FIGURE_TAINTED_OUT], tainted);
	return outside && note_left(r, sets, tainted) ? -ENOMEM : end_with(r, row, time, process);
}

/* As the long way names an end. False: it is of another form than a monitor gives it. */
static bool key_of_end(struct key *k, const struct tape *t, item *end)
{
	item *object = tape_at(t, end, "object"), *process = tape_at(t, end, "process");
	item *kind = tape_at(t, object, "kind"), *path = tape_at(t, object, "path"), *name = tape_at(t, object, "name");
	item *comm = tape_at(t, process, "comm");

	if (!is_object(end) || !is_text_or_nothing(kind) || !is_text_or_nothing(path) || !is_text_or_nothing(name) ||
	    !is_text_or_nothing(comm) || (object && object->kind != TAPE_NULL && object->kind != TAPE_OBJECT) ||
	    (process && process->kind != TAPE_NULL && process->kind != TAPE_OBJECT))
		return false;
	if (is_object(object)) {
		if (is_text(kind))
			key_text(k, kind->text, MIN(kind->len, 64u));
		else if (is_text(name))
			key_text(k, name->text,
				 (size_t)((char *)memchr(name->text, ':', name->len) ?: name->text + name->len) -
				     (size_t)name->text);
		if (is_text(path)) {
			key_text(k, " ", 1);
			key_text(k, path->text, path->len);
		}
	} else if (!is_object(process)) {
		key_text(k, "?", 1);
	} else if (is_text(comm)) {
		key_text(k, comm->text, comm->len);
	}
	key_end(k);
	return true;
}

static int take_transfer(struct report *r, item *time)
{
	const struct tape *t = &r->tape;
	item *via = tape_at(t, t->v, "via"), *bytes = tape_at(t, t->v, "bytes"), *sets = tape_at(t, t->v, "datasets");
	item *declared = tape_at(t, t->v, "declared");
	struct key k = {r->key, 0};
	struct row *row;

	if (!is_text(via) || !is_count(bytes) || !is_texts(t, sets) || (declared && !is_texts(t, declared)) ||
	    tape_at(t, t->v, "dataset"))
		return 0;
	key_item(&k, via);
	if (!key_of_end(&k, t, tape_at(t, t->v, "from")) || !key_of_end(&k, t, tape_at(t, t->v, "to")))
		return 0;
	if (r->dataset && !names(t, sets, r->dataset))
		return 1;
	if (r->job) { /* it is between processes, and of no job */
		report_note_time(r, time->text, time->len);
		r->records++;
		return 1;
	}
	key_list(&k, t, sets);
	key_list(&k, t, declared);
	row = row_of(r, TABLE_TRANSFERS, &k);
	if (!row)
		return 0;
	add(&row->figures[FIGURE_BYTES], bytes);
	return end_with(r, row, time, NULL);
}

static int take_finding(struct report *r, item *time, const char *line, size_t len)
{
	const struct tape *t = &r->tape;
	item *id = tape_at(t, t->v, "id"), *rule = tape_at(t, t->v, "rule"), *set = tape_at(t, t->v, "dataset");
	item *job = tape_at(t, t->v, "job"), *chain = tape_at(t, t->v, "chain"), *first = tape_at(t, t->v, "first");
	bool told = first && first->kind == TAPE_STRING;

	if (!is_text(id) || !is_text(rule) || !is_name(set) || !is_name(job) || !chain || chain->kind != TAPE_LIST ||
	    !is_text_or_nothing(first) || tape_at(t, t->v, "datasets") || tape_at(t, t->v, "via"))
		return 0;
	if ((r->dataset && !tape_is(set, r->dataset)) || (r->job && !tape_is(job, r->job)))
		return 1;
	report_note_time(r, time->text, time->len);
	r->records++;
	return report_keep_finding(r, id->text, id->len, told ? first->text : "", told ? first->len : 0, rule->text, rule->len,
				   line, len)
		   ? -ENOMEM
		   : 1;
}

/* --- the line ------------------------------------------------------------------------------------------- */

/* Of the form that a monitor gives it, so that times can be compared as texts. */
static bool is_time(struct report *r, const char *s, size_t n)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	struct timespec t;
	char text[TIME_LEN];

	if (n != TIME_CHARS)
		return false;
	if (!memcmp(s, r->good_time, TIME_CHARS))
		return true;
	for (size_t i = 0; i < TIME_CHARS; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	memcpy(text, s, TIME_CHARS);
	text[TIME_CHARS] = '\0';
	if (time_parse(text, &t))
		return false;
	memcpy(r->good_time, text, sizeof(text));
	return true;
}

static bool is_within(const struct report *r, const char *time)
{
	return (!r->has_since || memcmp(time, r->since_text, TIME_CHARS) >= 0) &&
	       (!r->has_until || memcmp(time, r->until_text, TIME_CHARS) <= 0);
}

/* {"v":1,"type":"access","time":"2026-11-20T10:00:05.250Z","seq":7,... as a journal has each: type and time without a look
 * at the rest. */
struct head {
	const char *type, *time;
	size_t type_len;
};

static bool read_head(struct report *r, const char *line, size_t len, struct head *ret)
{
	static const char before_type[] = "{\"v\":1,\"type\":\"", before_time[] = "\",\"time\":\"";
	const char *type = line + sizeof(before_type) - 1, *end;

	if (len < 128 || memcmp(line, before_type, sizeof(before_type) - 1))
		return false;
	end = memchr(type, '"', 32);
	if (!end || memcmp(end, before_time, sizeof(before_time) - 1))
		return false;
	*ret = (struct head){type, end + sizeof(before_time) - 1, (size_t)(end - type)};
	return is_time(r, ret->time, TIME_CHARS);
}

static bool head_is(const struct head *h, const char *type)
{
	return h->type_len == strlen(type) && !memcmp(h->type, type, h->type_len);
}

static bool mentions(const char *line, size_t len, const char *text)
{
	return memmem(line, len, text, strlen(text)) || memchr(line, '\\', len);
}

/* What can't be wanted: the journal vouches for its form, nobody need look. */
static bool is_beside(struct report *r, const struct head *h, const char *line, size_t len)
{
	if (head_is(h, "policy") || head_is(h, "journal") || head_is(h, "digest"))
		return true;
	if (head_is(h, "health"))
		return r->has_until && memcmp(h->time, r->until_text, TIME_CHARS) > 0;
	if (!head_is(h, "access") && !head_is(h, "flow") && !head_is(h, "transfer") && !head_is(h, "finding"))
		return false;
	return !is_within(r, h->time) || (r->dataset && !mentions(line, len, r->dataset)) ||
	       (r->job && !head_is(h, "transfer") && !mentions(line, len, r->job));
}

/* Most flows of a busy host carry nothing tagged. In a text the quotes would be escaped: this is no part of one. */
static bool is_untagged(const struct report *r, const struct head *h, const char *line, size_t len)
{
	static const char none[] = "\"datasets\":[]";

	return !r->dataset && !r->job && head_is(h, "flow") && memmem(line, len, none, sizeof(none) - 1);
}

static int take_tape(struct report *r, const char *line, size_t len)
{
	const struct tape *t = &r->tape;
	item *v = tape_at(t, t->v, "v"), *type = tape_at(t, t->v, "type"), *time = tape_at(t, t->v, "time"),
	     *seq = tape_at(t, t->v, "seq");

	if (!v || v->kind != TAPE_NUMBER || v->number != 1 || !is_text(type) || !is_text(time) ||
	    !is_time(r, time->text, time->len) || !seq || seq->kind != TAPE_NUMBER)
		return 0;
	bool within = is_within(r, time->text);
	int taken = 0;

	if (tape_is(type, "access"))
		taken = within ? take_access(r, time) : 0;
	else if (tape_is(type, "flow"))
		taken = within ? take_flow(r, time) : 0;
	else if (tape_is(type, "transfer"))
		taken = within ? take_transfer(r, time) : 0;
	else if (tape_is(type, "finding"))
		taken = within ? take_finding(r, time, line, len) : 0;
	if (taken == 1)
		report_note_seq(r, seq->number);
	return taken;
}

int report_fast(struct report *r, const char *line, size_t len)
{
	struct head h;

	if (r->vouched && read_head(r, line, len, &h)) {
		if (is_beside(r, &h, line, len))
			return 1;
		if (head_is(&h, "health"))
			return report_note_health(r, line, len) ? -ENOMEM : 1;
		if (is_untagged(r, &h, line, len)) {
			report_note_time(r, h.time, TIME_CHARS);
			r->records++;
			return 1;
		}
	}
	return tape_read(&r->tape, line, len) ? take_tape(r, line, len) : 0;
}
