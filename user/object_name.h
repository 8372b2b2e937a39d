/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where the files lie that edges name, and when they are gone. A file stays in the kernel's
 * `objects` and in the model as long as its inode may exist: the taint must outlive every
 * descriptor. What is gone is taken out of both.
 */
#ifndef SLUICE_OBJECT_NAME_H
#define SLUICE_OBJECT_NAME_H

#include "user/attach.h"
#include "user/model.h"

struct object_names;
struct object_handle;

int object_names_new(struct engine *engine, struct model *model, struct object_names **ret);
struct object_names *object_names_free(struct object_names *n);

/* An edge was told to the model. Cheap: the object is only noted. */
void object_names_heard(struct object_names *n, const struct edge_key *key);

/* One that a monitor before this one knew, and by which handle; it is looked for as any other. -ENOSPC. */
int object_names_adopted(struct object_names *n, const struct object *what, const struct object_handle *handle);

/* Its handle, of length 0 where none is known. */
void object_names_handle(const struct object_names *n, const struct object *what, struct object_handle *ret);

/* An object of the kernel's table that no process has open, at two looks in a row: is it a file (or
 * may be one), which only object_names_tick() forgets? False: a pipe, with or without a name. */
bool object_names_keeps(struct object_names *n, const struct object *what);

/* The kernel half says that this object is no more. */
void object_names_gone(struct object_names *n, const struct object *what);

/* Once per interval, after the edges were read: names what is new, forgets what is gone; a bounded
 * number each. */
int object_names_tick(struct object_names *n, uint64_t now_ns);

/* Is it a pipe without a name? */
bool object_names_pipe(const struct object_names *n, const struct object *what);

/* These are no more: their edges are settled, and the kernel's tables and the model forget them. Puts them in order. */
int objects_gone(struct engine *engine, struct model *model, struct object *v, size_t n);

#endif
