/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The keys of datasets[]. */
#include "user/policy/config_internal.h"

#include <limits.h>
#include <string.h>

#define DAY (86400 * NSEC)

/* Fails below the key path, at the value of that key. */
#define FAIL_BELOW(p, at, key, ...) (where_push(p, key), config_fail(p, at, __VA_ARGS__))

static int parse_id(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *id = NULL;
	int r = parse_text(p, n, 1024, &id);

	if (r < 0)
		return r;
	if (strlen(id) > 63 || id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-")])
		return config_fail(p, n, "'%s' is no good id; use 1 to 63 of a-z 0-9 . _ -",
				   quote(id).s);
	for (size_t i = 0; i < p->c->ndatasets; i++) {
		const struct dataset_config *d = &p->c->datasets[i];

		if (d->id && !strcmp(d->id, id))
			return config_fail(p, n,
					   "duplicate id '%s' (first on line %u); "
					   "give each dataset its own id",
					   id, d->line);
	}
	*(char **)to = id;
	id = NULL;
	return 0;
}

static int parse_dataset_path(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *path = NULL;
	int r = parse_text(p, n, PATH_MAX - 1, &path);

	if (r < 0)
		return r;
	if (strncmp(path, "s3://", 5))
		return parse_path(p, n, to);
	if (!bucket_name_ok(path + 5, strcspn(path + 5, "/")))
		return config_fail(p, n, "'%s' names no bucket; write s3://bucket/prefix",
				   quote(path).s);
	*(char **)to = path;
	path = NULL;
	return 0;
}

static int add_tag(struct parse *p, const struct ynode *map, size_t i, struct tag *t)
{
	int r = check_key(p, map, i);

	if (!r)
		r = parse_text(p, map->v[i], 128, &t->key);
	return r < 0 ? r : parse_text(p, map->v[i + 1], 256, &t->value);
}

static int parse_tags(struct parse *p, const struct ynode *n, void *to)
{
	struct dataset_config *d = to;
	int r = want_kind(p, n, Y_MAP, "{ DataType: PII }");

	if (r < 0)
		return r;
	if (n->n / 2 > CONFIG_TAGS_MAX)
		return config_fail(p, n->v[2 * CONFIG_TAGS_MAX], "more than %d tags; remove some",
				   CONFIG_TAGS_MAX);
	d->tags = calloc(n->n / 2 + 1, sizeof(*d->tags));
	if (!d->tags)
		return -ENOMEM;
	for (size_t i = 0; !r && i < n->n; i += 2) {
		size_t was = where_push(p, n->v[i]->kind == Y_TEXT ? n->v[i]->text : "?");

		r = add_tag(p, n, i, &d->tags[d->ntags++]);
		if (!r)
			where_pop(p, was);
	}
	return r;
}

/* An empty list would mean "any": surely not what one who writes it wants. */
static int parse_patterns(struct parse *p, const struct ynode *n, void *to)
{
	if (n->kind == Y_LIST && !n->n)
		return config_fail(p, n,
				   "is empty, which would let in anyone; name someone or remove "
				   "the key");
	return parse_strings(p, n, "[ \"slurm:*\" ]", NULL, to);
}

static int check_exe(struct parse *p, const struct ynode *n, char **text)
{
	if (**text == '/' || **text == '*')
		return 0;
	return config_fail(p, n,
			   "'%s' can match no executable; write an absolute path or a pattern "
			   "of one, e.g. /usr/bin/python3*",
			   quote(*text).s);
}

static int parse_exe(struct parse *p, const struct ynode *n, void *to)
{
	int r = n->kind == Y_LIST && !n->n ? parse_patterns(p, n, to) : 0;

	return r < 0 ? r : parse_strings(p, n, "[ /usr/bin/python3* ]", check_exe, to);
}

int parse_people(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("users", struct people, users, parse_patterns),
	    KEY("jobs", struct people, jobs, parse_patterns),
	    KEY("exe", struct people, exe, parse_exe),
	};
	struct people *who = to;

	who->set = true;
	if (n->kind == Y_MAP && !n->n)
		return config_fail(p, n,
				   "names no one; write users, jobs or exe, or remove the key");
	return map_parse(p, n, fields, ARRAY_SIZE(fields), who);
}

static int parse_per(struct parse *p, const struct ynode *n, void *to)
{
	return parse_duration(p, n, NSEC, 366 * DAY, "1s to 366d", to);
}

static int parse_budget(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    NEED("outside_vpc", struct dataset_config, budget.outside_vpc, parse_size),
	    NEED("per", struct dataset_config, budget.per_ns, parse_per),
	};
	struct dataset_config *d = to;

	d->budget.set = true;
	return map_parse(p, n, fields, ARRAY_SIZE(fields), d);
}

static int parse_mode(struct parse *p, const struct ynode *n, void *to)
{
	static const char *const words[] = {"alert", "block"};
	unsigned word;
	int r = parse_word(p, n, words, ARRAY_SIZE(words), &word);

	if (!r)
		*(bool *)to = word;
	return r;
}

static int set_root(struct parse *p, const struct ynode *n, struct dataset_config *d)
{
	const struct ynode *path = ynode_get(n, "path"), *mount = ynode_get(n, "mount");
	bool s3 = !strncmp(d->path, "s3://", 5);

	if (s3 && !mount)
		return FAIL_BELOW(p, path, "path",
				  "'%s' needs 'mount'; add mount: and the directory "
				  "where it is mounted",
				  quote(d->path).s);
	if (!s3 && mount)
		return FAIL_BELOW(p, mount, "mount", "goes only with an s3:// path; remove it");
	d->root = s3 ? d->mount : d->path;
	p->path_at[d - p->c->datasets] = path;
	p->root_at[d - p->c->datasets] = s3 ? mount : path;
	return 0;
}

static int parse_dataset(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    NEED("id", struct dataset_config, id, parse_id),
	    NEED("path", struct dataset_config, path, parse_dataset_path),
	    KEY("mount", struct dataset_config, mount, parse_path),
	    {"tags", parse_tags, 0, false},
	    KEY("readers", struct dataset_config, readers, parse_people),
	    {"derived", parse_derived, 0, false},
	    {"budget", parse_budget, 0, false},
	    KEY("mode", struct dataset_config, block, parse_mode),
	};
	struct dataset_config *d = to;
	int r;

	d->line = n->line;
	r = map_parse(p, n, fields, ARRAY_SIZE(fields), d);
	return r < 0 ? r : set_root(p, n, d);
}

int parse_datasets(struct parse *p, const struct ynode *n, void *to)
{
	struct config *c = to;

	return parse_items(p, n, "- id: ... and path: ... below it", SL_DATASETS_MAX,
			   sizeof(*c->datasets), parse_dataset, (void **)&c->datasets,
			   &c->ndatasets);
}
