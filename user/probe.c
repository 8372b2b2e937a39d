/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/resource.h>

#include "user/attach.h"

void probe_cgroup2(char *ret, size_t n)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	ret[0] = '\0';
	while (f && getline(&line, &cap, f) > 0) {
		char root[256], at[256];
		char *dash = strstr(line, " - cgroup2 ");

		/* fields 4 and 5: the root within the file system, and where it is mounted */
		if (!dash || sscanf(line, "%*d %*d %*s %255s %255s", root, at) != 2 || strcmp(root, "/"))
			continue;
		if (strlen(at) < n && !strchr(at, '\\')) {
			strcpy(ret, at);
			return;
		}
	}
}

/* Before 5.11 maps count against the memlock limit (d5299b67dd59 and others). */
static void lift_memlock(void)
{
	struct rlimit lim = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &lim);
}

static int keep_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/* All programs of one set in one go: what loads together needs no trial of its own. */
static void try_set(struct facts *f, const struct btf *btf, struct plan *plan, enum hook_set set, int cgroup_fd)
{
	int err;

	for (int h = 0; h < HOOK_KINDS; h++) {
		const char *target = set == SET_TRAMPOLINE ? engine_target((enum hook)h) : NULL;

		plan->on[h] = hook_set_of((enum hook)h) == set;
		if (plan->on[h] && target && btf__find_by_name_kind(btf, target, BTF_KIND_FUNC) < 0) {
			plan->on[h] = false;
			f->trial[h] = -ESRCH;
		}
	}
	err = engine_trial(plan, cgroup_fd);
	if (!err)
		return;
	for (int h = 0; h < HOOK_KINDS; h++) {
		struct plan one = *plan;

		if (!plan->on[h])
			continue;
		memset(one.on, 0, sizeof(one.on));
		one.on[h] = true;
		f->trial[h] = engine_trial(&one, cgroup_fd);
	}
}

static void probe_helpers(struct facts *f, const struct btf *btf)
{
	const enum bpf_prog_type type = BPF_PROG_TYPE_RAW_TRACEPOINT;

	f->have_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	f->have_task_btf = libbpf_probe_bpf_helper(type, BPF_FUNC_get_current_task_btf, NULL) == 1;
	f->have_loop = libbpf_probe_bpf_helper(type, BPF_FUNC_loop, NULL) == 1;
}

void probe_kernel(struct facts *ret)
{
	struct facts f = {};
	struct plan plan = {};
	struct btf *btf;
	int cgroup_fd;

	lift_memlock();
	probe_cgroup2(f.cgroup2, sizeof(f.cgroup2));
	f.privileged = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL) == 1;
	libbpf_print_fn_t before = libbpf_set_print(keep_quiet);
	btf = btf__load_vmlinux_btf();
	libbpf_set_print(before);
	f.btf = btf != NULL;
	if (!f.privileged || !btf) {
		for (int h = 0; h < HOOK_KINDS; h++)
			f.trial[h] = btf ? -EPERM : -ENOTSUP;
		btf__free(btf);
		*ret = f;
		return;
	}
	probe_helpers(&f, btf);
	plan.have_cast = f.have_cast;
	plan.have_task_btf = f.have_task_btf;
	plan.have_loop = f.have_loop;
	cgroup_fd = cgroup2_open(f.cgroup2);
	try_set(&f, btf, &plan, SET_BOTH, cgroup_fd);
	try_set(&f, btf, &plan, SET_TRACEPOINT, cgroup_fd);
	try_set(&f, btf, &plan, SET_TRAMPOLINE, cgroup_fd);
	if (cgroup_fd >= 0)
		close(cgroup_fd);
	btf__free(btf);
	*ret = f;
}
