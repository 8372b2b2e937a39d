/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/resource.h>

#include "user/attach.h"
#include "user/load.h"
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

static bool kind_refused(int err)
{
	return err == -EPERM || err == -ENOTSUPP_KERNEL;
}

static void refuse_trampolines(struct facts *f, int err)
{
	for (int h = 0; h < HOOK_KINDS; h++)
		if (hook_set_of((enum hook)h) == SET_TRAMPOLINE && !f->trial[h])
			f->trial[h] = err;
}

static void try_alone(struct facts *f, const struct plan *plan, enum hook h, int cgroup_fd)
{
	struct plan one = *plan;
	int bad;

	memset(one.on, 0, sizeof(one.on));
	one.on[h] = true;
	f->trial[h] = load_trial(&one, cgroup_fd, &bad);
}

/* All programs of one set in one go, again without each that is refused: what loads together needs no trial of its own. */
static void try_set(struct facts *f, struct plan *plan, enum hook_set set, int cgroup_fd)
{
	unsigned alike = 0;
	int bad, err;

	for (int tries = 0; tries < HOOK_KINDS; tries++) {
		for (int h = 0; h < HOOK_KINDS; h++)
			plan->on[h] = hook_set_of((enum hook)h) == set && !f->trial[h];
		err = load_trial(plan, cgroup_fd, &bad);
		if (!err)
			return;
		if (bad < 0 || !plan->on[bad])
			break;
		f->trial[bad] = err;
		if (set == SET_TRAMPOLINE && kind_refused(err) && ++alike >= ALIKE)
			refuse_trampolines(f, err);
	}
	for (int h = 0; h < HOOK_KINDS; h++)
		if (plan->on[h])
			try_alone(f, plan, (enum hook)h, cgroup_fd);
}

static void try_sets(struct facts *f, struct plan *plan)
{
	int cgroup_fd = cgroup2_open(f->cgroup2);

	try_set(f, plan, SET_BOTH, cgroup_fd);
	try_set(f, plan, SET_TRAMPOLINE, cgroup_fd);
	try_set(f, plan, SET_TRACEPOINT, cgroup_fd);
	if (cgroup_fd >= 0)
		close(cgroup_fd);
}

/* Two small ones tell whether the kernel refuses the kind. */
static void try_trampolines(struct facts *f, const struct plan *plan)
{
	static const enum hook small[ALIKE] = {HOOK_a_link, HOOK_a_ptmx_open};
	unsigned alike = 0, tried = 0;
	int err = 0;

	for (size_t i = 0; i < ALIKE; i++) {
		if (f->trial[small[i]])
			continue;
		try_alone(f, plan, small[i], -1);
		err = f->trial[small[i]];
		tried++;
		alike += kind_refused(err);
		if (!kind_refused(err))
			return;
	}
	if (tried && alike == tried)
		refuse_trampolines(f, err);
}

/* What has no place in this kernel, or no use, need not be tried. */
static int leave_out(struct facts *f, const struct btf *btf, const struct plan *plan)
{
	bool missing[HOOK_KINDS] = {};
	int err = load_missing(plan, btf, missing);

	for (int h = 0; h < HOOK_KINDS && !err; h++) {
		if (!f->preempted && hook_steady((enum hook)h))
			f->trial[h] = -ECANCELED;
		else if (missing[h])
			f->trial[h] = -ESRCH;
	}
	return err;
}

static void probe_helpers(struct facts *f, const struct btf *btf)
{
	const enum bpf_prog_type type = BPF_PROG_TYPE_RAW_TRACEPOINT;

	f->have_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	f->have_task_btf = libbpf_probe_bpf_helper(type, BPF_FUNC_get_current_task_btf, NULL) == 1;
	f->have_loop = libbpf_probe_bpf_helper(type, BPF_FUNC_loop, NULL) == 1;
}

static void refuse_all(struct facts *f, int err)
{
	for (int h = 0; h < HOOK_KINDS; h++)
		f->trial[h] = err;
}

/* All that is known before anything of ours is loaded. *ret_plan has nothing on. */
static void look(struct facts *f, struct plan *ret_plan)
{
	libbpf_print_fn_t before;
	struct btf *btf;
	int err;

	lift_memlock();
	probe_cgroup2(f->cgroup2, sizeof(f->cgroup2));
	f->privileged = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL) == 1;
	before = libbpf_set_print(keep_quiet);
	btf = btf__load_vmlinux_btf();
	libbpf_set_print(before);
	f->btf = btf != NULL;
	if (!f->privileged || !btf) {
		refuse_all(f, btf ? -EPERM : -ENOTSUP);
		btf__free(btf);
		return;
	}
	probe_helpers(f, btf);
	if (f->have_loop && preemption_find(&f->preempted))
		f->preempted = false;
	f->interrupted = f->preempted || preemption_of_kernel();
	ret_plan->have_cast = f->have_cast;
	ret_plan->have_task_btf = f->have_task_btf;
	ret_plan->have_loop = f->have_loop;
	ret_plan->preempted = f->preempted;
	err = leave_out(f, btf, ret_plan);
	if (err)
		refuse_all(f, err);
	btf__free(btf);
}

void probe_kernel(struct facts *ret)
{
	struct plan plan = {};

	memset(ret, 0, sizeof(*ret));
	look(ret, &plan);
	if (ret->btf && ret->privileged)
		try_sets(ret, &plan);
}

void probe_guess(enum wish wish, struct facts *ret)
{
	struct plan plan = {};

	memset(ret, 0, sizeof(*ret));
	look(ret, &plan);
	if (wish == WISH_TRAMPOLINE || (wish == WISH_AUTO && !ret->interrupted))
		try_trampolines(ret, &plan);
}
