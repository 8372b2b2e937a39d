/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/mman.h>

#include "include/ledger.h"
#include "user/util.h"

/* need the types of ledger.h */
#include "sluice.skel.h"
#include "sluice_old.skel.h"

struct bpf_object *object_open(bool old)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "sluice_bpf");
	size_t size = 0;
	const void *elf = old ? sluice_old__elf_bytes(&size) : sluice_bpf__elf_bytes(&size);

	return bpf_object__open_mem(elf, size, &opts);
}

/* Offset of a variable in its section, -1 if there is none of that size. */
static long offset_of(const struct bpf_object *obj, const char *section, const char *name, size_t size)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1;
	const struct btf_type *sec = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	const struct btf_var_secinfo *v = sec ? btf_var_secinfos(sec) : NULL;

	for (int i = 0; v && i < btf_vlen(sec); i++) {
		const struct btf_type *var = btf__type_by_id(btf, v[i].type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), name))
			return v[i].size == size ? (long)v[i].offset : -1;
	}
	return -1;
}

void *object_variable(struct bpf_object *obj, const char *section, const char *name, size_t size)
{
	long at = offset_of(obj, section, name, size);
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, section);
	size_t have = 0;
	char *first = map ? (char *)bpf_map__initial_value((struct bpf_map *)map, &have) : NULL;

	return first && at >= 0 && (size_t)at + size <= have ? first + at : NULL;
}

int object_map(struct bpf_object *obj, struct object_memory *ret)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, ".bss");
	size_t size;
	void *bss;

	if (!map)
		return -ENOENT;
	size = bpf_map__value_size(map);
	bss = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (bss == MAP_FAILED)
		return -errno;
	*ret = (struct object_memory){.obj = obj, .bss = bss, .size = size};
	return 0;
}

void object_unmap(struct object_memory *m)
{
	if (m->bss)
		munmap(m->bss, m->size);
	m->bss = NULL;
}

void *object_live(const struct object_memory *m, const char *name, size_t size)
{
	long at = m->bss ? offset_of(m->obj, ".bss", name, size) : -1;

	return at >= 0 && (size_t)at + size <= m->size ? (char *)m->bss + at : NULL;
}
