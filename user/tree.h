/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `show processes --tree`: each process under the one that it comes from. */
#ifndef SLUICE_TREE_H
#define SLUICE_TREE_H

#include <jansson.h>
#include "user/util.h"

/* Puts the items of a "processes" document in the order of the tree, and says at each its "depth". A later image of
 * a process stands under the earlier one, its children under the last. -EPROTO: no such document; -ENOMEM. */
int tree_sort(json_t *document);

/* Prints a sorted document. Who holds nothing, nor any of his descendants, is only counted. -EPROTO, -ENOMEM. */
int tree_text(const json_t *document, unsigned width, FILE *out);

#endif
