/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A YAML document as a tree whose every node knows its line and column. An anchored
 * node may hang below several parents, so the tree is walked, never copied; a node
 * does not contain itself.
 */
#ifndef SLUICE_YAML_TREE_H
#define SLUICE_YAML_TREE_H

#include "user/util.h"

#define YTREE_BYTES_MAX (1u << 20)
#define YTREE_DEPTH_MAX 16
#define YTREE_NODES_MAX 65536 /* with each alias counted as all that it stands for */
#define YTREE_ANCHORS_MAX 256

enum ykind { Y_TEXT, Y_LIST, Y_MAP };

struct ynode {
	enum ykind kind;
	unsigned line, column; /* from 1, in characters */
	bool quoted;	  /* Y_TEXT: quoted, a block or !!str: never a number, boolean or null */
	char *text;	  /* Y_TEXT: valid UTF-8 without NUL; "" for nothing */
	struct ynode **v; /* Y_LIST: n items; Y_MAP: n / 2 pairs of key and value */
	size_t n;

	/* for the parser alone */
	size_t weight, room;
	bool open;
	char *anchor;
	struct ynode *next;
};

struct ytree {
	struct ynode *root; /* NULL: nothing but comments */
	struct ynode *all;
};

struct yerror {
	unsigned line, column;
	char text[256]; /* what, and what to do */
};

/* Parses exactly one document. -EINVAL with *ret_error filled; -ENOMEM. `{word}` directly after a
 * letter, digit or one of / . _ - is part of a plain text inside [] and {} as well. */
int ytree_parse(const char *text, size_t len, struct ytree **ret, struct yerror *ret_error);

struct ytree *ytree_free(struct ytree *t);
static inline void ytree_freep(struct ytree **t)
{
	ytree_free(*t);
}

/* A plain text that YAML reads as null. */
bool ynode_null(const struct ynode *n);

/* The value of a key in a mapping, or NULL. */
const struct ynode *ynode_get(const struct ynode *map, const char *key);

#endif
