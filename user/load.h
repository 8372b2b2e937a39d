/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* BPF objects, their programs and how each is attached: what attach.c and probe.c have in common. */
#ifndef SLUICE_LOAD_H
#define SLUICE_LOAD_H

#include "user/plan.h"

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct btf;

/* NULL: this object has none. Owned by the object. */
struct bpf_program *load_program(const struct bpf_object *obj, enum hook h);

/* SLUICE_MAP_MAX bounds what the maps of unbounded things hold, for hosts where every megabyte counts; what
 * does not fit goes to the overflow accounts. Before load. */
void load_limit_maps(struct bpf_object *obj);

/* Loads the programs that plan->on names. On failure, a negative errno, *ret_bad is the hook (enum hook) that was
 * refused, -1 if that is not known. With SLUICE_BPF_LOG in the environment libbpf says all it has to say. */
int load_programs(struct bpf_object *obj, const struct plan *plan, int *ret_bad);

/* The links of one program, the first of them to where its section says; none for what is only run on request. */
struct hook_links {
	struct bpf_link *at[HOOK_LINKS];
};

/* `cgroup_fd` is for cgroup programs. *ret is whole or untouched, and owned by the caller. */
int load_attach(struct bpf_object *obj, enum hook h, int cgroup_fd, struct hook_links *ret);

void load_detach(struct hook_links *links);

/* Loads what plan->on names, with small maps, and attaches it for a moment; 0 or the first negative errno, *ret_bad as
 * above. */
int load_trial(const struct plan *plan, int cgroup_fd, int *ret_bad);

/* Which programs attach to something that `kernel`, its types, does not have. 0 or a negative errno. */
int load_missing(const struct plan *plan, const struct btf *kernel, bool ret[HOOK_KINDS]);

#endif
