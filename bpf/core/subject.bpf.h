/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Subjects: who they are, what user space must know of them, and how taint goes
 * from one to the next by fork and exec.
 */
#ifndef SLUICE_SUBJECT_BPF_H
#define SLUICE_SUBJECT_BPF_H

#include "core/compat.bpf.h"
#include "core/loss.bpf.h"

#define DESCENTS 8

/* An address whose type the verifier forgets: global functions take only plain numbers. */
static __always_inline __u64 plain(__u64 address)
{
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), &address);
	return v;
}

static __always_inline void subject_of(__u64 task, struct subject *who)
{
	__u64 leader;

	READ_TASK(leader, struct task_struct, task, group_leader);
	READ_TASK(who->start_ns, struct task_struct, leader, start_boottime);
	READ_TASK(who->tgid, struct task_struct, task, tgid);
	READ_TASK(who->exec, struct task_struct, task, self_exec_id);
}

/* The same of a plain address. */
static __always_inline void subject_at(__u64 task, struct subject *who)
{
	__u64 leader;

	READ_PROBE(leader, struct task_struct, task, group_leader);
	READ_PROBE(who->start_ns, struct task_struct, leader, start_boottime);
	READ_PROBE(who->tgid, struct task_struct, task, tgid);
	READ_PROBE(who->exec, struct task_struct, task, self_exec_id);
}

/* A path, leaf first, over mount points up to the root of the mount namespace. A part left empty is a
 * step over a mount point. */
static __noinline int put_exe_path(struct subject_event *ev, __u64 file)
{
	__u64 m, dentry, root, up, above;
	int i;

	dentry = (__u64)BPF_CORE_READ((struct file *)file, f_path.dentry);
	m = (__u64)BPF_CORE_READ((struct file *)file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	for (i = 0; i < SL_PATH_PARTS; i++) {
		ev->exe[i][0] = '\0';
		root = (__u64)BPF_CORE_READ((struct mount *)m, mnt.mnt_root);
		up = (__u64)BPF_CORE_READ((struct dentry *)dentry, d_parent);
		if (dentry == root) {
			above = (__u64)BPF_CORE_READ((struct mount *)m, mnt_parent);
			if (above == m) {
				ev->exe_cut = 0;
				break;
			}
			dentry = (__u64)BPF_CORE_READ((struct mount *)m, mnt_mountpoint);
			m = above;
			continue;
		}
		if (dentry == up)
			break; /* unreachable from its mount: cut */
		/* a name that fills the part may be longer: cut, user space asks /proc */
		if (bpf_probe_read_kernel_str(ev->exe[i], SL_PART_LEN,
					      BPF_CORE_READ((struct dentry *)dentry, d_name.name)) >= SL_PART_LEN)
			break;
		dentry = up;
	}
	ev->exe_parts = i;
	return 0;
}

static __noinline int put_cgroup_path(struct subject_event *ev, __u64 kn)
{
	__u32 n = 0;

	for (int i = 0; i < SL_CGROUP_PARTS; i++) {
		__u64 up = kn ? kernfs_parent(kn) : 0;
		__u64 name;

		if (!up)
			break;
		name = (__u64)BPF_CORE_READ((struct kernfs_node *)kn, name);
		if (bpf_probe_read_kernel_str(ev->cgroup_path[i], SL_CGROUP_PART_LEN, (void *)name) < 0)
			break;
		n++;
		kn = up;
	}
	ev->cgroup_parts = n;
	ev->cgroup_cut = kn && kernfs_parent(kn) != 0;
	return 0;
}

/* Whom it descends from: a socket may have come down that line, through processes that are no concern else. */
static __noinline int put_ancestors(struct subject_event *ev, __u64 addr)
{
	struct task_struct *task = (struct task_struct *)addr;

	for (int i = 0; i < SL_ANCESTORS; i++) {
		task = BPF_CORE_READ(task, real_parent, group_leader);
		ev->ancestors[i].start_ns = task ? BPF_CORE_READ(task, start_boottime) : 0;
		ev->ancestors[i].tgid = task ? BPF_CORE_READ(task, tgid) : 0;
		ev->ancestors[i].exec = 0;
	}
	return 0;
}

static __always_inline __u64 task_cgroup_node(__u64 task)
{
	return (__u64)BPF_CORE_READ((struct task_struct *)task, cgroups, dfl_cgrp, kn);
}

static __always_inline __u64 task_cgroup_id(__u64 task)
{
	return BPF_CORE_READ((struct kernfs_node *)task_cgroup_node(task), id);
}

/* A process that was no concern until now: user space hears once who it is. When the ring is full
 * it is tried again at the next occasion. Global, like all that is rare and has many callers: verified once. */
int announce_slowly(__u64 addr);

__weak __noinline int announce_slowly(__u64 addr)
{
	struct task_struct *task = (struct task_struct *)addr;
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct subject_event *ev;
	struct file *exe;
	struct subject who;
	__u8 one = 1;

	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		return 0;
	}
	subject_at(addr, &who);
	ev->type = EVENT_SUBJECT;
	ev->who = who;
	ev->uid = BPF_CORE_READ(task, cred, uid.val);
	put_ancestors(ev, addr);
	ev->time_ns = bpf_ktime_get_boot_ns();
	ev->session = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
	ev->pid_ns = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, ns.inum);
	ev->cgroup = task_cgroup_id(addr);
	ev->exe_ino = 0;
	ev->exe_dev = 0;
	ev->exe_parts = 0;
	ev->exe_cut = 1;
	ev->pad = 0;
	bpf_core_read(ev->comm, sizeof(ev->comm), &leader->comm);
	exe = BPF_CORE_READ(task, mm, exe_file);
	if (exe) {
		ev->exe_ino = BPF_CORE_READ(exe, f_inode, i_ino);
		ev->exe_dev = BPF_CORE_READ(exe, f_inode, i_sb, s_dev);
		put_exe_path(ev, (__u64)exe);
	}
	put_cgroup_path(ev, task_cgroup_node(addr));
	bpf_ringbuf_submit(ev, ring_flags());
	bpf_map_update_elem(&announced, &who, &one, BPF_ANY);
	return 0;
}

static __always_inline void announce(__u64 task, struct subject *who)
{
	if (!bpf_map_lookup_elem(&announced, who))
		announce_slowly(plain(task));
}

/* Is the task of this process, or was it born of it after `since_ns`, so that it has what that one had then? Whose parent has
 * ended is another's child by then: no. A plain address. */
static __always_inline bool descends(__u64 task, const struct subject *from, __u64 since_ns)
{
	__u64 born = ~0ULL;

	for (int i = 0; i < DESCENTS && task; i++) {
		__u64 leader, start = 0;
		__u32 tgid = 0;

		READ_PROBE(leader, struct task_struct, task, group_leader);
		READ_PROBE(start, struct task_struct, leader, start_boottime);
		READ_PROBE(tgid, struct task_struct, leader, tgid);
		if (tgid == from->tgid && start == from->start_ns)
			return born >= since_ns;
		born = start;
		READ_PROBE(task, struct task_struct, leader, real_parent);
	}
	return false;
}

/* Later readers of `mask` on other CPUs may write it at the same moment; without an atomic OR
 * (BPF_OR with fetch is 5.12) each looks again whether its bits survived. */
static __always_inline void mask_add(__u64 *mask, __u64 bits)
{
	for (int i = 0; i < 4; i++) {
		__u64 now = *(volatile __u64 *)mask;

		if ((now & bits) == bits)
			return;
		*(volatile __u64 *)mask = now | bits;
	}
}

/* What a subject may hold, asked because it is about to pass it on: user space must hear of it then. */
static __always_inline __u64 subject_mask(struct subject *who)
{
	struct taint *t = any_taint ? bpf_map_lookup_elem(&tainted, who) : NULL;

	if (!t)
		return 0;
	t->used = 1;
	return t->mask;
}

/* A child starts with what its parent may hold. */
static __always_inline void subject_fork(__u64 parent, __u64 child)
{
	struct taint born = {};
	struct subject from, to;
	struct taint *t;

	if (!any_taint)
		return;
	subject_of(parent, &from);
	subject_of(child, &to);
	if (from.tgid == to.tgid)
		return;
	t = bpf_map_lookup_elem(&tainted, &from);
	if (!t)
		return;
	t->used = 1;
	announce(parent, &from);
	born.mask = t->mask;
	born.inherited = born.mask;
	born.from = from;
	born.via = VIA_FORK;
	born.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&tainted, &to, &born, BPF_ANY))
		lose(LOSS_TAINT_FULL);
}

/* A new image keeps what the old one may hold (its pipes, its files). An old image that did nothing
 * is no hop: its successor takes its place under the parent. self_exec_id has moved on already. */
static __always_inline void subject_exec(__u64 task)
{
	struct taint born = {};
	struct subject from, to;
	struct taint *t;

	if (!any_taint)
		return;
	subject_of(task, &to);
	from = to;
	from.exec--;
	t = bpf_map_lookup_elem(&tainted, &from);
	if (!t)
		return;
	born = *t;
	born.inherited = born.mask;
	if (t->used) {
		born.from = from;
		born.via = VIA_EXEC;
	}
	born.used = 0;
	born.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&tainted, &to, &born, BPF_ANY)) {
		lose(LOSS_TAINT_FULL);
		return;
	}
	if (!t->used)
		bpf_map_delete_elem(&tainted, &from);
}

/* The last thread is gone. A child that inherited taint and did nothing is forgotten here, so that a
 * storm of forks fills no map; any other user space collects. */
static __always_inline void subject_exit(__u64 task)
{
	struct exit_event *ev;
	struct subject who;
	struct taint *t;

	if (BPF_CORE_READ((struct task_struct *)task, signal, live.counter) > 0)
		return;
	subject_of(task, &who);
	t = any_taint ? bpf_map_lookup_elem(&tainted, &who) : NULL;
	if (t && !t->used) {
		bpf_map_delete_elem(&tainted, &who);
		t = NULL;
	}
	if (!t && !bpf_map_lookup_elem(&announced, &who))
		return;
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		return;
	}
	ev->type = EVENT_EXIT;
	ev->pad = 0;
	ev->who = who;
	ev->time_ns = bpf_ktime_get_boot_ns();
	bpf_ringbuf_submit(ev, ring_flags());
}

#endif
