/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/yaml_tree.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

/*
 * `log_group: /sluice/{instance_id}` is fine on a line of its own, but inside { } YAML ends the
 * text at the brace. No valid document has "{word}" directly behind a text there, so such braces
 * are given to libyaml as private-use characters (one for one: columns stay right) and turned
 * back in the texts it returns.
 */
#define STAND_IN_OPEN "\uf8f1"
#define STAND_IN_CLOSE "\uf8f2"
#define STAND_IN_LEN (sizeof(STAND_IN_OPEN) - 1)

#define DIRECTIVES_MAX 16

struct builder {
	struct ytree *tree;
	struct yerror *error;
	struct ynode *stack[YTREE_DEPTH_MAX];
	size_t depth;
	struct ynode *anchored[YTREE_ANCHORS_MAX];
	size_t nanchored;
	size_t nodes;
	unsigned documents;
	bool stand_ins;
};

__attribute__((format(printf, 4, 5))) static int refuse(struct yerror *e, size_t line,
							size_t column, const char *fmt, ...)
{
	va_list ap;

	e->line = (unsigned)line;
	e->column = (unsigned)column;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int refuse_at(struct builder *b, const yaml_mark_t *at, const char *what)
{
	return refuse(b->error, at->line + 1, at->column + 1, "%s", what);
}

/* --- the text --------------------------------------------------------------- */

static int refuse_byte(struct yerror *e, const char *text, size_t offset, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return refuse(e, line, column, "%s", what);
}

static bool yaml_allows(uint32_t cp)
{
	return cp == '\t' || cp == '\n' || cp == '\r' || (cp >= 0x20 && cp < 0x7f) || cp == 0x85 ||
	       (cp >= 0xa0 && cp != 0xfeff && cp != 0xfffe && cp != 0xffff);
}

static int check_bytes(const char *text, size_t len, struct yerror *e)
{
	unsigned directives = 0;

	for (size_t i = 0; i < len;) {
		uint32_t cp;
		size_t k = utf8_next(text + i, len - i, &cp);

		if (!k)
			return refuse_byte(e, text, i, "is not UTF-8; save the file as UTF-8");
		if (!cp)
			return refuse_byte(e, text, i,
					   "a NUL byte; save the file as plain UTF-8 text");
		if (!yaml_allows(cp))
			return refuse_byte(e, text, i, "a control character; remove it");
		/* libyaml compares each directive with all before it. */
		if (cp == '%' && (!i || text[i - 1] == '\n') && ++directives > DIRECTIVES_MAX)
			return refuse_byte(e, text, i, "too many directives; remove them");
		i += k;
	}
	return 0;
}

/* Length of "{word}" at s, or 0. */
static size_t placeholder(const char *s, size_t left)
{
	size_t n = 1;

	if (!left || s[0] != '{')
		return 0;
	while (n < left && (islower((unsigned char)s[n]) || s[n] == '_'))
		n++;
	return n > 1 && n < left && s[n] == '}' ? n + 1 : 0;
}

/* Copies text with the braces of placeholders replaced; *ret_len is the copy's length. */
static char *put_stand_ins(const char *text, size_t len, size_t *ret_len)
{
	char *out = malloc(len * STAND_IN_LEN + 1);
	bool after_text = false;
	size_t w = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len;) {
		size_t n = after_text ? placeholder(text + i, len - i) : 0;

		if (!n) {
			after_text = isalnum((unsigned char)text[i]) || strchr("/._-", text[i]);
			out[w++] = text[i++];
			continue;
		}
		memcpy(out + w, STAND_IN_OPEN, STAND_IN_LEN);
		memcpy(out + w + STAND_IN_LEN, text + i + 1, n - 2);
		memcpy(out + w + STAND_IN_LEN + n - 2, STAND_IN_CLOSE, STAND_IN_LEN);
		w += 2 * STAND_IN_LEN + n - 2;
		i += n;
	}
	*ret_len = w;
	return out;
}

static void undo_stand_ins(char *text)
{
	char *w = text;

	for (const char *r = text; *r;) {
		bool open = !strncmp(r, STAND_IN_OPEN, STAND_IN_LEN);

		if (open || !strncmp(r, STAND_IN_CLOSE, STAND_IN_LEN)) {
			*w++ = open ? '{' : '}';
			r += STAND_IN_LEN;
		} else {
			*w++ = *r++;
		}
	}
	*w = '\0';
}

/* --- nodes ------------------------------------------------------------------ */

static int node_new(struct builder *b, enum ykind kind, const yaml_mark_t *at, const char *anchor,
		    struct ynode **ret)
{
	struct ynode *n;

	if (++b->nodes > YTREE_NODES_MAX)
		return refuse_at(b, at, "more values than any policy needs; shorten the file");
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->next = b->tree->all;
	b->tree->all = n;
	n->kind = kind;
	n->line = (unsigned)at->line + 1;
	n->column = (unsigned)at->column + 1;
	n->weight = 1;
	if (anchor) {
		if (b->nanchored == YTREE_ANCHORS_MAX)
			return refuse_at(b, at, "too many anchors; write the values out");
		n->anchor = strdup(anchor);
		if (!n->anchor)
			return -ENOMEM;
		b->anchored[b->nanchored++] = n;
	}
	*ret = n;
	return 0;
}

/* Hangs a node below the innermost open one. */
static int attach(struct builder *b, struct ynode *n, const yaml_mark_t *at)
{
	struct ynode *up = b->depth ? b->stack[b->depth - 1] : NULL;

	if (!up) {
		b->tree->root = n;
		return 0;
	}
	if (up->weight + n->weight > YTREE_NODES_MAX)
		return refuse_at(b, at,
				 "stands for more values than any policy needs; "
				 "write out what is meant instead of aliases of aliases");
	if (up->n == up->room) {
		size_t room = up->room ? up->room * 2 : 8;
		struct ynode **v = reallocarray(up->v, room, sizeof(*v));
		if (!v)
			return -ENOMEM;
		up->v = v;
		up->room = room;
	}
	up->v[up->n++] = n;
	up->weight += n->weight;
	return 0;
}

static int add_text(struct builder *b, const yaml_event_t *e)
{
	const char *tag = (const char *)e->data.scalar.tag;
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct ynode *n;
	int r;

	if (tag && strcmp(tag, YAML_STR_TAG) && strcmp(tag, "!"))
		return refuse_at(b, &e->start_mark, "YAML tags have no use here; remove the tag");
	if (memchr(text, '\0', len))
		return refuse_at(b, &e->start_mark, "a NUL byte inside a text; remove the \\0");
	r = node_new(b, Y_TEXT, &e->start_mark, (const char *)e->data.scalar.anchor, &n);
	if (r < 0)
		return r;
	n->quoted = tag || e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = strndup(text, len);
	if (!n->text)
		return -ENOMEM;
	if (b->stand_ins)
		undo_stand_ins(n->text);
	return attach(b, n, &e->start_mark);
}

static int open_node(struct builder *b, const yaml_event_t *e, enum ykind kind, const char *tag,
		     const char *anchor)
{
	const char *usual = kind == Y_MAP ? YAML_MAP_TAG : YAML_SEQ_TAG;
	struct ynode *n;
	int r;

	if (tag && strcmp(tag, usual))
		return refuse_at(b, &e->start_mark, "YAML tags have no use here; remove the tag");
	if (b->depth == YTREE_DEPTH_MAX)
		return refuse_at(b, &e->start_mark,
				 "nested deeper than any policy needs; "
				 "remove the surplus brackets or indentation");
	r = node_new(b, kind, &e->start_mark, anchor, &n);
	if (r < 0)
		return r;
	n->open = true;
	b->stack[b->depth++] = n;
	return 0;
}

static int close_node(struct builder *b, const yaml_event_t *e)
{
	struct ynode *n = b->stack[--b->depth];

	n->open = false;
	return attach(b, n, &e->end_mark);
}

static int add_alias(struct builder *b, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct ynode *n = NULL;

	for (size_t i = b->nanchored; i-- > 0 && !n;)
		if (!strcmp(b->anchored[i]->anchor, name))
			n = b->anchored[i];
	if (!n)
		return refuse_at(b, &e->start_mark,
				 "an alias of an anchor that is not defined before; "
				 "put a text that starts with * in quotes");
	if (n->open)
		return refuse_at(b, &e->start_mark,
				 "an alias of what it lies in; write the values out");
	return attach(b, n, &e->start_mark);
}

static int add_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++b->documents > 1)
			return refuse_at(b, &e->start_mark,
					 "a second document; keep one document in the file");
		return 0;
	case YAML_ALIAS_EVENT:
		return add_alias(b, e);
	case YAML_SCALAR_EVENT:
		return add_text(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, e, Y_LIST, (const char *)e->data.sequence_start.tag,
				 (const char *)e->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, e, Y_MAP, (const char *)e->data.mapping_start.tag,
				 (const char *)e->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(b, e);
	default:
		return 0;
	}
}

/* --- the parser's own complaints --------------------------------------------- */

static const struct {
	const char *problem, *advice;
	bool at_context; /* the place to mend is where the construct begins */
} advices[] = {
    {"while scanning an alias", "put a text that starts with * in quotes", true},
    {"while scanning an anchor", "put a text that starts with & in quotes", true},
    {"while scanning a quoted scalar", "close the quotes, and double each \\ in \"\"", false},
    {"while scanning a directive", "put a text that starts with % in quotes", true},
    {"found unexpected end of stream", "close the quotes", true},
    {"found character that cannot start any token",
     "indent with spaces, not tabs, and quote a text that starts with @ or `", false},
    {"mapping values are not allowed in this context",
     "put a text that holds \": \" in quotes, or mend the indentation", false},
    {"did not find expected ',' or ']'", "close the list with ]", false},
    {"did not find expected ',' or '}'", "close the mapping with }", false},
    {"could not find expected ':'", "write the key as 'key: value'", false},
};

static const char *advice_for(const yaml_parser_t *p, bool *ret_at_context)
{
	for (int pass = 0; pass < 2; pass++) {
		const char *said = pass ? p->context : p->problem;

		for (size_t i = 0; said && i < ARRAY_SIZE(advices); i++) {
			if (strcmp(said, advices[i].problem))
				continue;
			*ret_at_context = advices[i].at_context && p->context;
			return advices[i].advice;
		}
	}
	*ret_at_context = false;
	return "mend the indentation, quotes or brackets here";
}

static int refuse_syntax(struct builder *b, const yaml_parser_t *p)
{
	const yaml_mark_t *at = &p->problem_mark;
	const char *problem = p->problem ? p->problem : "no YAML";
	const char *advice;
	bool at_context;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	advice = advice_for(p, &at_context);
	if (at_context)
		at = &p->context_mark;
	if (p->context && !at_context)
		return refuse(b->error, at->line + 1, at->column + 1,
			      "%s (%s that began on line %zu, column %zu); %s", problem, p->context,
			      p->context_mark.line + 1, p->context_mark.column + 1, advice);
	return refuse(b->error, at->line + 1, at->column + 1, "%s%s%s; %s",
		      p->context ? p->context : "", p->context ? ", " : "", problem, advice);
}

static int build(struct builder *b, const char *text, size_t len)
{
	yaml_parser_t p;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	while (!r && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&p, &e)) {
			r = refuse_syntax(b, &p);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		r = add_event(b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return r;
}

/* --- public ------------------------------------------------------------------ */

int ytree_parse(const char *text, size_t len, struct ytree **ret, struct yerror *ret_error)
{
	_cleanup_(ytree_freep) struct ytree *tree = NULL;
	_cleanup_free_ char *copy = NULL;
	struct builder b = {.error = ret_error};
	int r;

	if (len > YTREE_BYTES_MAX)
		return refuse(ret_error, 1, 1, "larger than 1 MiB; a policy is far smaller");
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	r = check_bytes(text, len, ret_error);
	if (r < 0)
		return r;
	b.stand_ins = !memmem(text, len, STAND_IN_OPEN, STAND_IN_LEN) &&
		      !memmem(text, len, STAND_IN_CLOSE, STAND_IN_LEN);
	if (b.stand_ins) {
		text = copy = put_stand_ins(text, len, &len);
		if (!copy)
			return -ENOMEM;
	}
	b.tree = tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	r = build(&b, text, len);
	if (r < 0)
		return r;
	*ret = tree;
	tree = NULL;
	return 0;
}

struct ytree *ytree_free(struct ytree *t)
{
	struct ynode *next;

	for (struct ynode *n = t ? t->all : NULL; n; n = next) {
		next = n->next;
		free(n->text);
		free(n->anchor);
		free(n->v);
		free(n);
	}
	free(t);
	return NULL;
}

bool ynode_null(const struct ynode *n)
{
	return n->kind == Y_TEXT && !n->quoted &&
	       (!*n->text || !strcmp(n->text, "~") || !strcmp(n->text, "null") ||
		!strcmp(n->text, "Null") || !strcmp(n->text, "NULL"));
}

const struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	for (size_t i = 0; map->kind == Y_MAP && i + 1 < map->n; i += 2)
		if (map->v[i]->kind == Y_TEXT && !strcmp(map->v[i]->text, key))
			return map->v[i + 1];
	return NULL;
}
