/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/stat.h>

#include "user/attach.h"
#include "user/object.h"
#include "user/tracefs.h"

static struct bpf_map *map_of(const struct bpf_object *obj, enum engine_map m)
{
	return bpf_object__find_map_by_name(obj, engine_map_name(m));
}

struct bpf_program *load_program(const struct bpf_object *obj, enum hook h)
{
	return bpf_object__find_program_by_name(obj, hook_name(h));
}

/* What an object does not name, it has no use for. */
static void set_knob(struct bpf_object *obj, const char *name, bool on)
{
	bool *at = object_variable(obj, ".rodata", name, sizeof(*at));

	if (at)
		*at = on;
}

/* The network namespace that "this host" is about. */
static void set_home(struct bpf_object *obj)
{
	uint32_t *at = object_variable(obj, ".rodata", "home_netns", sizeof(*at));
	struct stat st;

	if (at && !stat("/proc/thread-self/ns/net", &st))
		*at = (uint32_t)st.st_ino;
}

static void set_knobs(struct bpf_object *obj, const struct plan *p)
{
	set_knob(obj, "have_cast", p->have_cast);
	set_knob(obj, "have_task_btf", p->have_task_btf);
	set_knob(obj, "fault_pages", p->owner[FACT_MMAP_PAGES] >= 0 && p->owner[FACT_MMAP_HUGE] >= 0);
	set_knob(obj, "preempted", p->preempted);
	set_knob(obj, "trampolines", p->set == SET_TRAMPOLINE);
	set_home(obj);
}

void load_limit_maps(struct bpf_object *obj)
{
	static const enum engine_map limited[] = {MAP_LEDGER, MAP_TAINTED, MAP_OBJECTS,	  MAP_EDGES,
						  MAP_FLOWS,  MAP_SOCKS,   MAP_FLOW_TAINTS,
						 MAP_LINKS,  MAP_INLETS,  MAP_MEMBERS, MAP_CARRIERS};
	const char *text = getenv("SLUICE_MAP_MAX");
	uint64_t most = 0;
	uint32_t *flows_max;

	if (!text || size_parse(text, &most) || most < 16)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(limited); i++) {
		struct bpf_map *map = map_of(obj, limited[i]);

		if (bpf_map__max_entries(map) > most)
			bpf_map__set_max_entries(map, (uint32_t)most);
	}
	flows_max = object_variable(obj, ".rodata", "flows_max", sizeof(*flows_max));
	if (flows_max)
		*flows_max = bpf_map__max_entries(map_of(obj, MAP_FLOWS));
}

/* Which map a map iterator walks; -1: it walks tasks. */
static int iter_map(enum hook h)
{
	switch (h) {
	case HOOK_sweep_flows:
		return MAP_FLOWS;
	case HOOK_dump_ledger:
		return MAP_LEDGER;
	case HOOK_dump_edges:
		return MAP_EDGES;
	case HOOK_dump_tainted:
		return MAP_TAINTED;
	case HOOK_dump_flow_taints:
		return MAP_FLOW_TAINTS;
	case HOOK_dump_links:
		return MAP_LINKS;
	case HOOK_find_dead_pipes:
	case HOOK_share_again:
		return MAP_OBJECTS;
	default:
		return -1;
	}
}

static struct bpf_link *attach_iter(struct bpf_object *obj, enum hook h, struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = {};
	int m = iter_map(h);

	if (m < 0)
		return bpf_program__attach_iter(prog, NULL);
	info.map.map_fd = (uint32_t)bpf_map__fd(map_of(obj, (enum engine_map)m));
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	return bpf_program__attach_iter(prog, &opts);
}

static int attach_first(struct bpf_object *obj, enum hook h, struct bpf_program *prog, int cgroup_fd, struct bpf_link **ret)
{
	const char *section = bpf_program__section_name(prog);
	struct bpf_link *link;

	if (!strcmp(section, "raw_tp") || !strcmp(section, "?raw_tp")) {
		*ret = NULL;
		return 0;
	}
	if (strstr(section, "tracepoint/"))
		return tracefs_attach(prog, strchr(section, '/') + 1, ret);
	if (strstr(section, "cgroup"))
		link = bpf_program__attach_cgroup(prog, cgroup_fd);
	else if (strstr(section, "iter/"))
		link = attach_iter(obj, h, prog);
	else
		link = bpf_program__attach(prog);
	if (!link)
		return errno ? -errno : -EINVAL;
	*ret = link;
	return 0;
}

static const struct {
	enum hook program;
	const char *tracepoint;
} also_at[] = {
#define X(program, tracepoint) {HOOK_##program, tracepoint},
	SL_ALSO_AT(X)
#undef X
};

int load_attach(struct bpf_object *obj, enum hook h, int cgroup_fd, struct hook_links *ret)
{
	struct bpf_program *prog = load_program(obj, h);
	struct hook_links links = {};
	size_t n = 1;
	int err;

	if (!prog)
		return -EOPNOTSUPP; /* not in the object for this kernel */
	err = attach_first(obj, h, prog, cgroup_fd, &links.at[0]);
	for (size_t i = 0; i < ARRAY_SIZE(also_at) && !err; i++) {
		if (also_at[i].program == h)
			err = n < HOOK_LINKS ? tracefs_attach(prog, also_at[i].tracepoint, &links.at[n++]) : -ENOSPC;
	}
	if (err)
		load_detach(&links);
	else
		*ret = links;
	return err;
}

void load_detach(struct hook_links *links)
{
	for (size_t i = 0; i < HOOK_LINKS; i++) {
		bpf_link__destroy(links->at[i]);
		links->at[i] = NULL;
	}
}

static void shrink_maps(struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__is_internal(map))
			continue;
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			bpf_map__set_max_entries(map, (uint32_t)sysconf(_SC_PAGESIZE));
		else if (bpf_map__max_entries(map) > 64)
			bpf_map__set_max_entries(map, 64);
	}
}

/* Which program was refused libbpf only says aloud. */
static __thread int refused = -1;

static int note_refused(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[256], name[64];

	vsnprintf(text, sizeof(text), format, args);
	if (sscanf(text, "libbpf: prog '%63[^']': BPF program load failed", name) != 1)
		return 0;
	for (int h = 0; h < HOOK_KINDS; h++)
		if (!strcmp(name, hook_name((enum hook)h)))
			refused = h;
	return 0;
}

static void choose_programs(struct bpf_object *obj, const struct plan *plan)
{
	set_knobs(obj, plan);
	for (int h = 0; h < HOOK_KINDS; h++) {
		struct bpf_program *prog = load_program(obj, (enum hook)h);

		if (prog)
			bpf_program__set_autoload(prog, plan->on[h]);
	}
}

/* Without a log of its own libbpf verifies a refused program a second time, to tell why; only statistics are asked for. */
static void log_little(struct bpf_object *obj)
{
	static char log[16384];
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		bpf_program__set_log_level(prog, 4 /* BPF_LOG_STATS */);
		bpf_program__set_log_buf(prog, log, sizeof(log));
	}
}

int load_programs(struct bpf_object *obj, const struct plan *plan, int *ret_bad)
{
	bool aloud = getenv("SLUICE_BPF_LOG");
	libbpf_print_fn_t before = libbpf_set_print(aloud ? NULL : note_refused);
	int err;

	choose_programs(obj, plan);
	if (!aloud)
		log_little(obj);
	refused = -1;
	err = bpf_object__load(obj);
	*ret_bad = refused;
	libbpf_set_print(before);
	return err;
}

static int attach_for_a_moment(struct bpf_object *obj, const struct plan *plan, int cgroup_fd, int *ret_bad)
{
	struct hook_links links[HOOK_KINDS] = {};
	int err = 0;

	for (int h = 0; h < HOOK_KINDS && !err; h++) {
		*ret_bad = h;
		if (plan->on[h])
			err = load_attach(obj, (enum hook)h, cgroup_fd, &links[h]);
	}
	for (int h = 0; h < HOOK_KINDS; h++)
		load_detach(&links[h]);
	return err;
}

int load_trial(const struct plan *plan, int cgroup_fd, int *ret_bad)
{
	struct bpf_object *obj = object_open(!plan->have_loop);
	int err = obj ? 0 : -errno;

	*ret_bad = -1;
	if (!err) {
		shrink_maps(obj);
		err = load_programs(obj, plan, ret_bad);
	}
	if (!err)
		err = attach_for_a_moment(obj, plan, cgroup_fd, ret_bad);
	bpf_object__close(obj);
	return err;
}

/* How the kernel's types name what a section attaches to. */
static const struct {
	const char *section, *prefix;
	uint32_t kind;
} target_types[] = {
	{"fentry/", "", BTF_KIND_FUNC},	    {"fexit/", "", BTF_KIND_FUNC},
	{"fmod_ret/", "", BTF_KIND_FUNC},   {"lsm/", "bpf_lsm_", BTF_KIND_FUNC},
	{"iter/", "bpf_iter_", BTF_KIND_FUNC}, {"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF},
};

static bool target_missing(const struct bpf_program *prog, const struct btf *kernel)
{
	const char *section = bpf_program__section_name(prog);
	char name[128];

	section += section[0] == '?';
	for (size_t i = 0; i < ARRAY_SIZE(target_types); i++) {
		size_t n = strlen(target_types[i].section);

		if (strncmp(section, target_types[i].section, n))
			continue;
		snprintf(name, sizeof(name), "%s%s", target_types[i].prefix, section + n);
		return btf__find_by_name_kind(kernel, name, target_types[i].kind) < 0;
	}
	return false;
}

int load_missing(const struct plan *plan, const struct btf *kernel, bool ret[HOOK_KINDS])
{
	struct bpf_object *obj = object_open(!plan->have_loop);

	if (!obj)
		return -errno;
	for (int h = 0; h < HOOK_KINDS; h++) {
		const struct bpf_program *prog = load_program(obj, (enum hook)h);

		ret[h] = !prog || target_missing(prog, kernel);
	}
	bpf_object__close(obj);
	return 0;
}
