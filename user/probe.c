/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/resource.h>

#include "user/attach.h"
#include "user/preemption.h"

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

#define ALIKE 2 /* so many trampolines refused in one way, and the kernel refuses the kind */
#define ENOTSUPP_KERNEL 524 /* what attaching trampolines says where an architecture has none */

/* After `bad` was refused with `err`: what else need not be tried. */
static void leave_out(struct facts *f, struct plan *plan, int bad, int err, unsigned *alike)
{
	plan->on[bad] = false;
	f->trial[bad] = err;
	if (hook_set_of((enum hook)bad) != SET_TRAMPOLINE || (err != -EPERM && err != -ENOTSUPP_KERNEL))
		return;
	if (++*alike < ALIKE)
		return;
	for (int h = 0; h < HOOK_KINDS; h++) {
		if (plan->on[h])
			f->trial[h] = err;
		plan->on[h] = false;
	}
}

static void one_by_one(struct facts *f, struct plan *plan, int cgroup_fd)
{
	int bad;

	for (int h = 0; h < HOOK_KINDS; h++) {
		struct plan one = *plan;

		if (!plan->on[h])
			continue;
		memset(one.on, 0, sizeof(one.on));
		one.on[h] = true;
		f->trial[h] = engine_trial(&one, cgroup_fd, &bad);
	}
}

/* All programs of one set in one go, again without each that is refused: what loads together needs no trial of its own. */
static void try_set(struct facts *f, const struct btf *btf, struct plan *plan, enum hook_set set, int cgroup_fd)
{
	bool missing[HOOK_KINDS] = {};
	int bad, err = engine_missing(plan, btf, missing);
	unsigned alike = 0;

	for (int h = 0; h < HOOK_KINDS; h++) {
		plan->on[h] = hook_set_of((enum hook)h) == set;
		if (plan->on[h] && !f->preempted && hook_steady((enum hook)h)) {
			plan->on[h] = false;
			f->trial[h] = -ECANCELED;
		}
		if (plan->on[h])
			f->trial[h] = 0;
		if (plan->on[h] && missing[h]) {
			plan->on[h] = false;
			f->trial[h] = -ESRCH;
		}
	}
	for (int h = 0; h < HOOK_KINDS && !err; h++) {
		err = engine_trial(plan, cgroup_fd, &bad);
		if (!err)
			return;
		if (bad < 0 || !plan->on[bad])
			break;
		leave_out(f, plan, bad, err, &alike);
		err = 0;
	}
	one_by_one(f, plan, cgroup_fd);
}

static void probe_helpers(struct facts *f, const struct btf *btf)
{
	const enum bpf_prog_type type = BPF_PROG_TYPE_RAW_TRACEPOINT;

	f->have_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	f->have_task_btf = libbpf_probe_bpf_helper(type, BPF_FUNC_get_current_task_btf, NULL) == 1;
	f->have_loop = libbpf_probe_bpf_helper(type, BPF_FUNC_loop, NULL) == 1;
}

static void not_tried(struct facts *f, enum hook_set set)
{
	for (int h = 0; h < HOOK_KINDS; h++)
		if (hook_set_of((enum hook)h) == set)
			f->trial[h] = -ECANCELED;
}

static bool trampolines_do(const struct facts *f)
{
	struct plan p;

	return !plan_make(f, WISH_TRAMPOLINE, &p);
}

static void try_sets(struct facts *f, const struct btf *btf, struct plan *plan, enum wish wish, bool all)
{
	int cgroup_fd = cgroup2_open(f->cgroup2);

	not_tried(f, SET_TRAMPOLINE);
	not_tried(f, SET_TRACEPOINT);
	try_set(f, btf, plan, SET_BOTH, cgroup_fd);
	if (all || wish != WISH_TRACEPOINT)
		try_set(f, btf, plan, SET_TRAMPOLINE, cgroup_fd);
	if (all || wish == WISH_TRACEPOINT || (wish == WISH_AUTO && (f->interrupted || !trampolines_do(f))))
		try_set(f, btf, plan, SET_TRACEPOINT, cgroup_fd);
	if (cgroup_fd >= 0)
		close(cgroup_fd);
}

static void probe(enum wish wish, bool all, struct facts *ret)
{
	struct facts f = {};
	struct plan plan = {};
	struct btf *btf;

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
	if (f.have_loop && preemption_find(&f.preempted))
		f.preempted = false;
	f.interrupted = f.preempted || preemption_of_kernel();
	plan.have_cast = f.have_cast;
	plan.have_task_btf = f.have_task_btf;
	plan.have_loop = f.have_loop;
	plan.preempted = f.preempted;
	try_sets(&f, btf, &plan, wish, all);
	btf__free(btf);
	*ret = f;
}

void probe_kernel(struct facts *ret)
{
	probe(WISH_AUTO, true, ret);
}

void probe_wanted(enum wish wish, struct facts *ret)
{
	probe(wish, false, ret);
}
