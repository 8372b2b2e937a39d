/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/carry_state.h"

#include <string.h>

#include "user/array.h"

struct reading {
	struct carry_state *s;
	struct json_lines_why *why;
	bool begun;
};

void carry_holder_done(struct carry_holder *h)
{
	chain_free(h->is.chain, h->is.nchain);
	free(h->path);
	*h = (struct carry_holder){0};
}

struct carry_state *carry_state_free(struct carry_state *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->nsets; i++) {
		free(s->sets[i].id);
		free(s->sets[i].path);
	}
	for (size_t i = 0; i < s->nholders; i++)
		carry_holder_done(&s->holders[i]);
	free(s->sets);
	free(s->holders);
	free(s);
	return NULL;
}

/* --- values ------------------------------------------------------------------------ */

static int refuse(struct reading *r, const char *what)
{
	snprintf(r->why->text, sizeof(r->why->text), "%s", what);
	return -EINVAL;
}

/* An integer of any 64 bits; false: it is none, or not there. */
static bool number_at(const json_t *line, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(line, key);

	if (json_is_integer(v))
		*ret = (uint64_t)json_integer_value(v);
	return json_is_integer(v);
}

/* One that counts something. */
static bool count_at(const json_t *line, const char *key, uint64_t *ret)
{
	uint64_t n;

	if (!number_at(line, key, &n) || n > INT64_MAX)
		return false;
	*ret = n;
	return true;
}

static bool small_at(const json_t *line, const char *key, uint32_t *ret)
{
	uint64_t n;

	if (!number_at(line, key, &n) || n > UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static int nibble(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* How many bytes there are, or -EINVAL: more than `max`, or no hex. */
static int unhex(const char *text, void *ret, size_t max)
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > max)
		return -EINVAL;
	for (size_t i = 0; i < n / 2; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		((unsigned char *)ret)[i] = (unsigned char)(high << 4 | low);
	}
	return (int)(n / 2);
}

/* *ret NULL: it has no name. -EINVAL, -ENOMEM. */
static int name_at(const json_t *line, char **ret)
{
	const char *text = json_string_value(json_object_get(line, "path"));
	const char *coded = json_string_value(json_object_get(line, "path_hex"));
	char *name = NULL;
	int n;

	if (!text && !coded) {
		*ret = NULL;
		return 0;
	}
	name = text ? strdup(text) : calloc(1, strlen(coded) / 2 + 1);
	if (!name)
		return -ENOMEM;
	n = text ? 1 : unhex(coded, name, strlen(coded) / 2);
	if (n > 0 && strlen(name) == (text ? strlen(text) : (size_t)n)) {
		*ret = name;
		return 0;
	}
	free(name);
	return -EINVAL;
}

/* --- lines ---------------------------------------------------------------------------- */

static int take_head(struct reading *r, const json_t *line)
{
	struct carry_head h = {0};
	const char *boot = json_string_value(json_object_get(line, "boot"));
	uint64_t offset;

	if (json_integer_value(json_object_get(line, "v")) != 1)
		return refuse(r, "written by another version of sluice");
	if (!boot || strlen(boot) != BOOT_ID_LEN || !count_at(line, "boot_ns", &h.boot_ns) ||
	    !number_at(line, "wall_offset", &offset))
		return refuse(r, "'boot', 'boot_ns' or 'wall_offset' is not what it should be");
	memcpy(h.boot, boot, BOOT_ID_LEN);
	h.wall_offset = (int64_t)offset;
	r->s->head = h;
	r->begun = true;
	return 0;
}

static int spent_at(const json_t *line, struct carried_dataset *d)
{
	const json_t *list = json_object_get(line, "spent"), *pair;
	size_t i;

	if (!list)
		return 0;
	if (!count_at(line, "spent_slot_ns", &d->spent_slot_ns) || !d->spent_slot_ns ||
	    !number_at(line, "spent_until_ns", &d->spent_until_ns))
		return -EINVAL;
	json_array_foreach (list, i, pair) {
		const json_t *slot = json_array_get(pair, 0), *bytes = json_array_get(pair, 1);

		if (!json_is_integer(slot) || json_integer_value(slot) < 0 || json_integer_value(slot) >= BUDGET_SLOTS ||
		    !json_is_integer(bytes) || json_integer_value(bytes) < 0)
			return -EINVAL;
		d->spent[json_integer_value(slot)] = (uint64_t)json_integer_value(bytes);
	}
	return 0;
}

static int take_set(struct reading *r, const json_t *line)
{
	struct carry_state *s = r->s;
	const char *id = json_string_value(json_object_get(line, "id"));
	struct carry_set set = {0};
	int err;

	if (!id || !count_at(line, "total", &set.is.total) || !count_at(line, "size", &set.is.size) ||
	    !count_at(line, "files", &set.is.files))
		return refuse(r, "'id', 'total', 'size' or 'files' is not what it should be");
	set.is.shrank = json_is_true(json_object_get(line, "shrank"));
	if (spent_at(line, &set.is))
		return refuse(r, "what was spent of its budget is not what it should be");
	if (s->nsets >= SL_DATASETS_MAX)
		return refuse(r, "more datasets than there can be");
	err = array_grow((void **)&s->sets, &s->max_sets, s->nsets + 1, sizeof(*s->sets));
	if (!err)
		err = name_at(line, &set.path);
	if (err)
		return err == -EINVAL ? refuse(r, "'path' is not what it should be") : err;
	set.id = strdup(id);
	if (!set.id) {
		free(set.path);
		return -ENOMEM;
	}
	s->sets[s->nsets++] = set;
	return 0;
}

static int hop_at(const json_t *v, struct hop *ret)
{
	const char *from = json_string_value(json_array_get(v, 0)), *to = json_string_value(json_array_get(v, 1));
	const char *via = json_string_value(json_array_get(v, 2));
	const json_t *bytes = json_array_get(v, 3), *time = json_array_get(v, 4);

	if (!from || !to || !via || !json_is_integer(time) || (!json_is_integer(bytes) && !json_is_null(bytes)))
		return -EINVAL;
	*ret = (struct hop){
	    .from = strdup(from),
	    .to = strdup(to),
	    .via = hop_via(via),
	    .bytes = (uint64_t)json_integer_value(bytes),
	    .time_ns = (uint64_t)json_integer_value(time),
	    .counted = json_is_integer(bytes),
	};
	if (ret->via && ret->from && ret->to)
		return 0;
	free(ret->from);
	free(ret->to);
	return ret->via ? -ENOMEM : -EINVAL;
}

static int way_at(const json_t *line, struct carried *c)
{
	const json_t *list = json_object_get(line, "way");
	size_t n = json_array_size(list);

	if (n > CARRY_HOPS_MAX)
		return -EINVAL;
	c->chain = n ? calloc(n, sizeof(*c->chain)) : NULL;
	if (n && !c->chain)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int err = hop_at(json_array_get(list, i), &c->chain[i]);

		if (err)
			return err;
		c->nchain++;
	}
	return 0;
}

static bool kind_at(const json_t *line, enum object_kind *ret)
{
	static const enum object_kind kinds[] = {OBJECT_FILE, OBJECT_PIPE, OBJECT_MEMORY, OBJECT_QUEUE};
	const char *word = json_string_value(json_object_get(line, "kind"));

	for (size_t i = 0; word && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(word, object_kind_name(kinds[i])))
			continue;
		*ret = kinds[i];
		return true;
	}
	return false;
}

static int object_at(const json_t *line, struct carry_holder *h)
{
	const char *handle = json_string_value(json_object_get(line, "handle"));
	int n = handle ? unhex(handle, h->handle.bytes, sizeof(h->handle.bytes)) : 0;
	uint64_t type = 0, ino;

	if (!number_at(line, "ino", &ino) || !small_at(line, "dev", &h->what.dev) || !small_at(line, "gen", &h->what.gen) ||
	    !kind_at(line, &h->kind) || n < 0 || (handle && !count_at(line, "handle_type", &type)) || type > INT32_MAX)
		return -EINVAL;
	h->what.ino = ino;
	h->handle.length = (unsigned)n;
	h->handle.type = (int)type;
	h->open = json_is_true(json_object_get(line, "open"));
	h->pending = json_is_true(json_object_get(line, "pending"));
	number_at(line, "inode", &h->inode);
	return name_at(line, &h->path);
}

static int process_at(const json_t *line, struct carry_holder *h)
{
	uint64_t start;

	if (!count_at(line, "start_ns", &start) || !small_at(line, "pid", &h->who.tgid) || !h->who.tgid ||
	    !small_at(line, "exec", &h->who.exec))
		return -EINVAL;
	h->who.start_ns = start;
	return 0;
}

static int holder_at(const struct carry_state *s, const json_t *line, struct carry_holder *h)
{
	const char *id = json_string_value(json_object_get(line, "dataset"));
	int err;

	while (id && h->set < s->nsets && strcmp(s->sets[h->set].id, id))
		h->set++;
	if (!id || h->set == s->nsets || !count_at(line, "bound", &h->is.bound) || !h->is.bound ||
	    !count_at(line, "exposed", &h->is.exposed) || !number_at(line, "since_ns", &h->is.since_ns))
		return -EINVAL;
	err = h->is_object ? object_at(line, h) : process_at(line, h);
	return err ? err : way_at(line, &h->is);
}

static int take_holder(struct reading *r, const json_t *line, bool is_object)
{
	struct carry_state *s = r->s;
	struct carry_holder h = {.is_object = is_object};
	int err = s->nholders < CARRY_HOLDERS_MAX
		      ? array_grow((void **)&s->holders, &s->max_holders, s->nholders + 1, sizeof(*s->holders))
		      : refuse(r, "more holders than there can be");

	if (err)
		return err;
	err = holder_at(s, line, &h);
	if (!err) {
		s->holders[s->nholders++] = h;
		return 0;
	}
	carry_holder_done(&h);
	return err == -EINVAL ? refuse(r, is_object ? "no object that holds something of a dataset above"
						    : "no process that holds something of a dataset above")
			      : err;
}

static int take_line(void *arg, json_t *line, struct json_lines_why *why)
{
	struct reading *r = arg;
	const char *type = json_string_value(json_object_get(line, "type"));

	r->why = why;
	if (r->s->whole)
		return refuse(r, "a line behind the last one");
	if (!type)
		return refuse(r, "without a 'type'");
	if (!r->begun)
		return strcmp(type, "lineage") ? refuse(r, "no file of a monitor's lineage") : take_head(r, line);
	if (!strcmp(type, "dataset"))
		return take_set(r, line);
	if (!strcmp(type, "object") || !strcmp(type, "process"))
		return take_holder(r, line, *type == 'o');
	r->s->whole = !strcmp(type, "end");
	return r->s->whole ? 0 : refuse(r, "of a type that is not known");
}

int carry_read(const char *path, struct carry_state **ret, struct json_lines_error *ret_error)
{
	struct carry_state *s = calloc(1, sizeof(*s));
	struct reading r = {.s = s};
	struct json_lines_end end;
	int err = s ? json_lines_each(path, NULL, take_line, &r, &end, ret_error) : -ENOMEM;

	if (!err && !s->whole) {
		snprintf(ret_error->text, sizeof(ret_error->text), "it ends before its last line");
		err = -EINVAL;
	}
	if (err == -EINVAL && r.begun) {
		s->whole = false; /* what stands before it still holds */
		err = 0;
	}
	if (err) {
		carry_state_free(s);
		return err;
	}
	*ret = s;
	return 0;
}
