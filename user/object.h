/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The BPF programs that stand in this binary: one object for kernels of today, one for those before bpf_loop. */
#ifndef SLUICE_OBJECT_H
#define SLUICE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

struct bpf_object;

/* Parsed, nothing loaded; NULL with errno. `old`: what 5.10's verifier takes. Close with bpf_object__close(). */
struct bpf_object *object_open(bool old);

/* Before load: where the first value of a global variable is to be written; NULL if this object has no such variable
 * of `size` bytes. `section` is ".rodata" or ".bss". Owned by the object. */
void *object_variable(struct bpf_object *obj, const char *section, const char *name, size_t size);

/* After load: the variables of .bss as the programs see them. */
struct object_memory {
	struct bpf_object *obj;
	void *bss;
	size_t size;
};

/* 0 or a negative errno. object_unmap() also takes what was never mapped. */
int object_map(struct bpf_object *obj, struct object_memory *ret);
void object_unmap(struct object_memory *m);

/* As object_variable(), in that memory. */
void *object_live(const struct object_memory *m, const char *name, size_t size);

#endif
