/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/aws_ranges.h"

#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "user/dest/ranges.h"

#define NAME_MOST 32 /* of a service, of a region */
#define FILE_SHOWN 120

/* In the order in which services of one prefix decide. */
enum kind { KIND_NAMED, KIND_EC2, KIND_AMAZON };

/* One entry of the file. */
struct listed {
	struct cidr prefix;
	enum kind kind;
	const char *service, *region; /* among the names */
};

struct reading {
	const char *file;
	struct aws_ranges *ranges;
	struct aws_ranges_error *error;
	struct listed *v;
	size_t n;
};

/* --- errors ------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int refuse(struct aws_ranges_error *e, const char *file,
							const char *fmt, ...)
{
	char what[sizeof(e->text) - FILE_SHOWN - 4], name[FILE_SHOWN + 1];
	size_t len = strlen(file), cut = len > FILE_SHOWN ? len - FILE_SHOWN : 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	text_safe(name, sizeof(name), file + cut, len - cut);
	snprintf(e->text, sizeof(e->text), "%s%s%s", cut ? "..." : "", name, what);
	return -EINVAL;
}

static int refuse_syntax(struct reading *in, const json_error_t *e)
{
	char what[JSON_ERROR_TEXT_LENGTH];

	if (json_error_code(e) == json_error_out_of_memory)
		return -ENOMEM;
	text_safe(what, sizeof(what), e->text, strlen(e->text));
	return refuse(in->error, in->file, ":%d:%d: %s; this is not all of a JSON file: fetch it from AWS again",
		      MAX(e->line, 1), MAX(e->column, 1), what);
}

static int refuse_field(struct reading *in, const char *list, size_t i, const char *field, const json_t *value,
			const char *wanted)
{
	const char *text = json_string_value(value);
	char shown[48] = "", what[64];

	text_safe(shown, sizeof(shown), text ? text : "", text ? strlen(text) : 0);
	snprintf(what, sizeof(what), text ? "'%s' is not" : value ? "this is not" : "missing; it is to be", shown);
	return refuse(in->error, in->file, ": %s[%zu].%s: %s %s; fetch the file from AWS again, or correct the entry",
		      list, i, field, what, wanted);
}

/* --- names --------------------------------------------------------------------- */

static bool is_name(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == NAME_MOST || !(isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-'))
			return false;
	return n;
}

/* Where a name stands among the sorted ones, or would. */
static size_t name_place(const struct aws_ranges *r, const char *name)
{
	size_t low = 0, high = r->nnames;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(r->names[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A few dozen names stand in many thousand entries. */
static int name_keep(struct reading *in, const char *name, const char **ret)
{
	struct aws_ranges *r = in->ranges;
	size_t at = name_place(r, name);

	if (at == r->nnames || strcmp(r->names[at], name)) {
		if (r->nnames == AWS_RANGES_NAMES_MAX)
			return refuse(in->error, in->file,
				      ": more than %u services and regions; this is not AWS's file: fetch it again",
				      AWS_RANGES_NAMES_MAX);
		char *copy = strdup(name);
		if (!copy)
			return -ENOMEM;
		memmove(&r->names[at + 1], &r->names[at], (r->nnames - at) * sizeof(*r->names));
		r->names[at] = copy;
		r->nnames++;
	}
	*ret = r->names[at];
	return 0;
}

/* --- entries -------------------------------------------------------------------- */

static const struct list {
	const char *name, *field, *wanted;
	bool v6;
} lists[] = {
    {"prefixes", "ip_prefix", "an IPv4 range such as 192.0.2.0/24", false},
    {"ipv6_prefixes", "ipv6_prefix", "an IPv6 range such as 2001:db8::/32", true},
};

/* What holds IPv4 in IPv6's clothes would speak for addresses that the other list is about. */
static bool prefix_parse(const char *text, bool v6, struct cidr *ret)
{
	static const struct cidr mapped = {.addr = {[10] = 0xff, [11] = 0xff}, .bits = 96};

	if (!strchr(text, '/') || !strchr(text, ':') != !v6 || cidr_parse(text, ret) < 0)
		return false;
	return !v6 || (!prefix_holds(ret, &mapped) && !prefix_holds(&mapped, ret));
}

static enum kind kind_of(const char *service)
{
	if (!strcasecmp(service, "EC2"))
		return KIND_EC2;
	return strcasecmp(service, "AMAZON") ? KIND_NAMED : KIND_AMAZON;
}

static int read_name(struct reading *in, const char *list, size_t i, const json_t *entry, const char *field,
		     const char **ret)
{
	const json_t *value = json_object_get(entry, field);
	const char *text = json_string_value(value);

	if (!text || !is_name(text))
		return refuse_field(in, list, i, field, value, "a name of up to 32 letters, digits, - and _");
	return name_keep(in, text, ret);
}

static int read_entry(struct reading *in, const struct list *list, size_t i, const json_t *entry)
{
	struct listed *to = &in->v[in->n];
	const json_t *value = json_object_get(entry, list->field);
	const char *text = json_string_value(value);
	int err;

	if (!text || !prefix_parse(text, list->v6, &to->prefix))
		return refuse_field(in, list->name, i, list->field, value, list->wanted);
	err = read_name(in, list->name, i, entry, "service", &to->service);
	if (!err)
		err = read_name(in, list->name, i, entry, "region", &to->region);
	if (err)
		return err;
	to->kind = kind_of(to->service);
	in->n++;
	return 0;
}

static int read_list(struct reading *in, const struct list *list, const json_t *doc)
{
	const json_t *entries = json_object_get(doc, list->name);
	int err = 0;

	for (size_t i = 0; i < json_array_size(entries) && !err; i++)
		err = read_entry(in, list, i, json_array_get(entries, i));
	return err;
}

static int read_lists(struct reading *in, const json_t *doc)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *list = json_object_get(doc, lists[i].name);

		if (!json_is_array(list))
			return refuse(in->error, in->file, ": no list '%s' in it; name AWS's ip-ranges.json", lists[i].name);
		n += json_array_size(list);
	}
	if (!n || n > AWS_RANGES_MAX)
		return refuse(in->error, in->file, ": %s; fetch the file from AWS again",
			      n ? "more than 262144 prefixes" : "not one prefix");
	in->v = calloc(n, sizeof(*in->v));
	in->ranges->names = calloc(AWS_RANGES_NAMES_MAX, sizeof(*in->ranges->names));
	if (!in->v || !in->ranges->names)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(lists) && !err; i++)
		err = read_list(in, &lists[i], doc);
	return err;
}

/* "2026-08-22-21-17-05", UTC. */
static int read_created(struct reading *in, const json_t *doc)
{
	const char *date = json_string_value(json_object_get(doc, "createDate"));
	struct timespec wall;
	char text[] = "YYYY-MM-DDThh:mm:ssZ";

	if (date && strlen(date) == 19) {
		memcpy(text, date, 19);
		if (text[10] == '-' && text[13] == '-' && text[16] == '-') {
			text[10] = 'T';
			text[13] = text[16] = ':';
			if (!time_parse(text, &wall)) {
				time_rfc3339(in->ranges->source.created, &wall);
				return 0;
			}
		}
	}
	return refuse(in->error, in->file, ": createDate: not a time such as 2026-08-22-21-17-05; fetch the file from AWS again");
}

/* --- what they come to ------------------------------------------------------------- */

/* Prefixes before those inside them; of one prefix the entry that decides first. */
static int by_prefix(const void *pa, const void *pb)
{
	const struct listed *a = pa, *b = pb;
	int c = memcmp(a->prefix.addr, b->prefix.addr, sizeof(a->prefix.addr));

	if (!c)
		c = a->prefix.bits - b->prefix.bits;
	if (!c)
		c = (int)a->kind - (int)b->kind;
	if (!c)
		c = strcmp(a->service, b->service);
	return c ? c : strcmp(a->region, b->region);
}

static bool same_prefix(const struct listed *a, const struct listed *b)
{
	return a->prefix.bits == b->prefix.bits && !memcmp(a->prefix.addr, b->prefix.addr, sizeof(a->prefix.addr));
}

/* May the addresses be anybody's? What AMAZON alone is listed for is what holds it. */
static bool rented(enum kind kind, bool around)
{
	return kind == KIND_EC2 || (kind == KIND_AMAZON && around);
}

/* Of sorted entries; prefixes nest or are disjoint, so those around one are a stack. */
static size_t merge(const struct listed *v, size_t n, struct class_entry *to)
{
	struct {
		const struct cidr *prefix;
		bool rented;
	} open[129]; /* nested prefixes have distinct lengths */
	size_t depth = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && same_prefix(&v[i - 1], &v[i]))
			continue;
		while (depth && !prefix_holds(open[depth - 1].prefix, &v[i].prefix))
			depth--;
		bool anyone = rented(v[i].kind, depth && open[depth - 1].rented);

		open[depth].prefix = &v[i].prefix;
		open[depth++].rented = anyone;
		to[kept++] = anyone ? (struct class_entry){.prefix = v[i].prefix, .class = CLASS_INTERNET}
				    : (struct class_entry){v[i].prefix, CLASS_AWS, v[i].service, v[i].region};
	}
	return kept;
}

static int merge_all(struct reading *in)
{
	struct aws_ranges *r = in->ranges;

	qsort(in->v, in->n, sizeof(*in->v), by_prefix);
	r->entries = calloc(in->n, sizeof(*r->entries));
	if (!r->entries)
		return -ENOMEM;
	r->source.prefixes = merge(in->v, in->n, r->entries);
	return 0;
}

static int read_document(struct reading *in, const json_t *doc)
{
	int err = json_is_object(doc) ? read_created(in, doc)
				      : refuse(in->error, in->file, ": holds no JSON object; name AWS's ip-ranges.json");

	if (!err)
		err = read_lists(in, doc);
	return err ? err : merge_all(in);
}

static int read_text(struct reading *in, const char *text, size_t len)
{
	json_error_t e;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	int err = doc ? read_document(in, doc) : refuse_syntax(in, &e);

	json_decref(doc);
	free(in->v);
	return err;
}

int aws_ranges_parse(const char *text, size_t len, const char *file, struct aws_ranges **ret,
		     struct aws_ranges_error *ret_error)
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *r = calloc(1, sizeof(*r));
	struct reading in = {.file = file, .ranges = r, .error = ret_error};
	int err = r && (r->source.file = strdup(file)) ? 0 : -ENOMEM;

	if (!err)
		err = read_text(&in, text, len);
	if (err == -ENOMEM)
		refuse(ret_error, file, ": not enough memory to read it; free some and try again");
	if (err)
		return err;
	*ret = r;
	r = NULL;
	return 0;
}

/* --- the file ------------------------------------------------------------------------ */

/* Without waiting, should it have become a pipe. */
static int read_file(const char *file, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EMEDIUMTYPE;
	if (st.st_size > AWS_RANGES_BYTES_MAX)
		return -EFBIG;
	_cleanup_free_ char *buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	int err = fd_read(fd, buf, (size_t)st.st_size, ret_len);
	if (err)
		return err;
	*ret = buf;
	buf = NULL;
	return 0;
}

int aws_ranges_load(const char *file, struct aws_ranges **ret, struct aws_ranges_error *ret_error)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int err = read_file(file, &text, &len);

	if (!err)
		return aws_ranges_parse(text, len, file, ret, ret_error);
	if (err == -EFBIG)
		refuse(ret_error, file, ": larger than %u MiB; name AWS's ip-ranges.json", AWS_RANGES_BYTES_MAX >> 20);
	else if (err == -EMEDIUMTYPE)
		refuse(ret_error, file, ": is no regular file; name the file itself");
	else
		refuse(ret_error, file, ": cannot be read: %s; mend that or name another file", strerror(-err));
	return err == -EFBIG || err == -EMEDIUMTYPE ? -EINVAL : err;
}

struct aws_ranges *aws_ranges_free(struct aws_ranges *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->nnames; i++)
		free(r->names[i]);
	free(r->names);
	free(r->entries);
	free(r->source.file);
	free(r);
	return NULL;
}
