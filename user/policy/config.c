/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/config_internal.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* Keys that are checked and have no effect in this build; `value` limits that to one value.
 * A value that asks for nothing (off, false, an empty list) is never named. */
static const struct {
	const char *key, *value;
} no_effect[] = {
    {"datasets[].mode", "block"},
};

/* Is "datasets[3].mode" the key "datasets[].mode"? */
static bool is_key(const char *where, const char *key)
{
	while (*where && *where == *key) {
		if (*where == '[')
			where += strspn(where + 1, "0123456789");
		where++;
		key++;
	}
	return !*where && !*key;
}

static bool asks_for_nothing(const struct ynode *n)
{
	if (n->kind != Y_TEXT)
		return n->kind == Y_LIST && !n->n;
	return !strcasecmp(n->text, "off") || !strcasecmp(n->text, "false") ||
	       !strcasecmp(n->text, "no");
}

static int strings_add_new(struct strings *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], text))
			return 0;
	char **v = reallocarray(s->v, s->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->v = v;
	s->v[s->n] = strdup(text);
	if (!s->v[s->n])
		return -ENOMEM;
	s->n++;
	return 0;
}

int config_note_inactive(struct parse *p, const struct ynode *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_effect); i++) {
		const char *value = no_effect[i].value;
		char text[64];

		if (!is_key(p->where, no_effect[i].key) || asks_for_nothing(n))
			continue;
		if (value && (n->kind != Y_TEXT || strcmp(n->text, value)))
			continue;
		snprintf(text, sizeof(text), "%s%s%s", no_effect[i].key, value ? ": " : "",
			 value ? value : "");
		return strings_add_new(&p->c->inactive, text);
	}
	return 0;
}

/* --- errors ------------------------------------------------------------------ */

/* A file's name for a message; of a long one the end, where the difference is. */
static const char *shown_file(char buf[static 200], const char *file)
{
	size_t len = strlen(file);
	size_t cut = len > 180 ? len - 180 : 0;

	while (cut && (file[cut] & 0xc0) == 0x80)
		cut++;
	snprintf(buf, 200, "%s", cut ? "..." : "");
	text_safe(buf + (cut ? 3 : 0), 197, file + cut, len - cut);
	return buf;
}

__attribute__((format(printf, 5, 6))) static void
say(struct config_error *e, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	char name[200];
	size_t n;
	va_list ap;

	if (line)
		n = (size_t)snprintf(e->text, sizeof(e->text), "%s:%u:%u: ", shown_file(name, file),
				     line, column);
	else
		n = (size_t)snprintf(e->text, sizeof(e->text), "%s: ", shown_file(name, file));
	va_start(ap, fmt);
	vsnprintf(e->text + n, sizeof(e->text) - n, fmt, ap);
	va_end(ap);
}

int config_fail(struct parse *p, const struct ynode *at, const char *fmt, ...)
{
	char what[sizeof(p->error->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	say(p->error, p->file, at->line, at->column, "%s%s%s", p->where, *p->where ? ": " : "",
	    what);
	return -EINVAL;
}

/* --- reading ----------------------------------------------------------------- */

static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t room = YTREE_BYTES_MAX + 1; /* one more, so that too long shows */
	_cleanup_free_ char *buf = malloc(room);
	int err = buf ? fd_read(fd, buf, room, ret_len) : -ENOMEM;

	if (err)
		return err;
	*ret = buf;
	buf = NULL;
	return 0;
}

static int read_file(const char *file, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : read_all(fd, ret, ret_len);
}

static int refuse_file(const char *file, int r, struct config_error *e)
{
	if (r == -ENOENT && !strcmp(file, CONFIG_DEFAULT_PATH))
		say(e, file, 0, 0,
		    "not found; write there what to watch, for example:\n%s"
		    "or name another file with -c FILE",
		    CONFIG_EXAMPLE);
	else if (r == -ENOENT)
		say(e, file, 0, 0, "not found; check the name given with -c");
	else if (r == -EACCES)
		say(e, file, 0, 0,
		    "may not be read by this user; run as root, or give read access");
	else if (r == -EISDIR)
		say(e, file, 0, 0, "is a directory; name the YAML file in it with -c");
	else
		say(e, file, 0, 0, "cannot be read: %s; mend that or name another file with -c",
		    strerror(-r));
	return r;
}

static int load(const char *file, bool check_paths, struct config **ret, struct config_error *ret_error)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = read_file(file, &text, &len);

	if (r < 0)
		return refuse_file(file, r, ret_error);
	return config_parse(text, len, file, check_paths, ret, ret_error);
}

int config_load(const char *file, struct config **ret, struct config_error *ret_error)
{
	return load(file, true, ret, ret_error);
}

int config_load_elsewhere(const char *file, struct config **ret, struct config_error *ret_error)
{
	return load(file, false, ret, ret_error);
}

/* --- the whole --------------------------------------------------------------- */

static int digest_text(char ret[static 65], const char *text, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!EVP_Digest(text, len, md, &n, EVP_sha256(), NULL) || n != 32)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		snprintf(ret + (size_t)i * 2, 3, "%02x", md[i]);
	return 0;
}

static int set_default(char **field, const char *text)
{
	if (*field)
		return 0;
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

/* What is not in the file; numbers are set before the file is read, texts after. */
static int fill_defaults(struct config *c)
{
	int r = set_default(&c->network.aws_ranges, "auto");

	if (!r)
		r = set_default(&c->export.log_group, "/sluice/{instance_id}");
	if (!r)
		r = set_default(&c->export.metric_namespace, "Sluice");
	if (!r)
		r = set_default(&c->export.endpoint, "auto");
	if (!r)
		r = set_default(&c->export.hub_endpoint, "auto");
	if (!r && (c->export.cloudwatch || c->export.security_hub)) /* what is exported is what the journal holds */
		r = set_default(&c->journal.dir, JOURNAL_DEFAULT_DIR);
	return r;
}

static struct config *config_blank(const char *file, const char *text, size_t len)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->network.vpc_auto = true;
	c->network.expect = EXPECT_ML;
	c->journal.max_size = 1ULL << 30;
	c->journal.retain_ns = 30 * 86400 * NSEC;
	c->export.retain_days = 30;
	c->interval_ns = NSEC;
	c->state = strdup(STATE_DEFAULT_DIR);
	c->file = strdup(file);
	if (!c->file || !c->state || digest_text(c->digest, text, len) < 0)
		return config_free(c);
	return c;
}

int config_default(struct config **ret)
{
	_cleanup_(config_freep) struct config *c = config_blank("built-in defaults", "", 0);

	if (!c || fill_defaults(c) < 0)
		return -ENOMEM;
	*ret = c;
	c = NULL;
	return 0;
}

static int check(struct parse *p, const struct ytree *tree, bool check_paths)
{
	static const struct ynode start = {.line = 1, .column = 1};
	int r;

	/* An editor that is just writing the file leaves it empty for a moment: not a policy. */
	if (!tree->root || ynode_null(tree->root))
		return config_fail(p, tree->root ? tree->root : &start,
				   "says nothing; write what to watch, for example:\n%s",
				   CONFIG_EXAMPLE);
	r = config_parse_root(p, tree->root);
	if (!r)
		r = config_check_overlaps(p);
	if (!r && check_paths)
		r = config_check_roots(p);
	return r ? r : fill_defaults(p->c);
}

int config_parse(const char *text, size_t len, const char *name, bool check_paths,
		 struct config **ret, struct config_error *ret_error)
{
	_cleanup_(config_freep) struct config *c = NULL;
	_cleanup_(ytree_freep) struct ytree *tree = NULL;
	struct parse p = {.file = name, .error = ret_error, .check_paths = check_paths};
	struct yerror bad;
	int r = ytree_parse(text, len, &tree, &bad);

	if (r == -EINVAL)
		say(ret_error, name, bad.line, bad.column, "%s", bad.text);
	if (!r) {
		p.c = c = config_blank(name, text, len);
		r = c ? check(&p, tree, check_paths) : -ENOMEM;
	}
	free(p.allow_at);
	if (r == -ENOMEM)
		say(ret_error, name, 0, 0, "not enough memory to read it; free some and try again");
	if (r < 0)
		return r;
	*ret = c;
	c = NULL;
	return 0;
}

/* --- giving back -------------------------------------------------------------- */

static void strings_clear(struct strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

static void people_clear(struct people *who)
{
	strings_clear(&who->users);
	strings_clear(&who->jobs);
	strings_clear(&who->exe);
}

static void dataset_clear(struct dataset_config *d)
{
	for (size_t i = 0; i < d->ntags; i++) {
		free(d->tags[i].key);
		free(d->tags[i].value);
	}
	free(d->tags);
	free(d->id);
	free(d->path);
	free(d->mount);
	people_clear(&d->readers);
	strings_clear(&d->derived.from);
	people_clear(&d->derived.writers);
}

static void allow_clear(struct allow_rule *a)
{
	free(a->name);
	free(a->bucket);
	free(a->service);
	free(a->account);
	strings_clear(&a->datasets);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->ndatasets; i++)
		dataset_clear(&c->datasets[i]);
	for (size_t i = 0; i < c->network.nallow; i++)
		allow_clear(&c->network.allow[i]);
	free(c->file);
	free(c->datasets);
	strings_clear(&c->jobs);
	free(c->network.vpc_cidrs);
	free(c->network.resolvers);
	free(c->network.aws_ranges);
	free(c->network.allow);
	strings_clear(&c->trusted);
	free(c->journal.dir);
	free(c->state);
	free(c->export.log_group);
	free(c->export.metric_namespace);
	free(c->export.endpoint);
	free(c->export.hub_endpoint);
	strings_clear(&c->inactive);
	free(c);
	return NULL;
}
