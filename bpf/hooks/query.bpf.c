// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Questions of our own, run by BPF_PROG_TEST_RUN in the asking process. */
#include "core/ledger.bpf.h"

/* Which inode is behind the caller's descriptor args[0]? The kernel's answer: stat() shows another
 * device on overlayfs and btrfs. args[1]: which of the answers it is; of the second no tag is asked, since whole trees
 * are, and verdicts on other files are to stay. */
SEC("?raw_tp")
int identify_fd(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = current_task(), files, fdt, fds, file = 0, inode, fd = ctx->args[0];
	struct file_identity *to = &identified[ctx->args[1] & 1];
	struct object what;
	bool derived;
	__u32 max;

	to->found = 0;
	READ_TASK(files, struct task_struct, task, files);
	READ_TASK(fdt, struct files_struct, files, fdt);
	READ_TASK(max, struct fdtable, fdt, max_fds);
	READ_TASK(fds, struct fdtable, fdt, fd);
	if (fd >= max || bpf_probe_read_kernel(&file, sizeof(file), (void *)(fds + 8 * fd)) || !file)
		return 0;
	READ(inode, struct file, file, f_inode);
	object_of(false, inode, &what);
	to->obj = what;
	READ(to->size, struct inode, inode, i_size);
	READ(to->mode, struct inode, inode, i_mode);
	to->tag = ctx->args[1] & 1 ? 0 : file_tag(file, inode, &derived);
	to->found = 1;
	return 0;
}

#ifndef SLUICE_OLD_KERNEL
/* Asked by making a call while this is attached. Where the kernel keeps a program on its CPU by forbidding migration, it
 * does not forbid preemption. */
SEC("?tp_btf/sys_exit")
int find_preemption(void *ctx)
{
	__u16 pinned = 0;

	if (!preemption_asked || (__u32)bpf_get_current_pid_tgid() != preemption_asked)
		return 0;
	if (bpf_core_field_exists(struct task_struct, migration_disabled))
		READ(pinned, struct task_struct, current_task(), migration_disabled);
	preemption_found = pinned ? 2 : 1;
	return 0;
}
#endif

char LICENSE[] SEC("license") = "Dual MIT/GPL";
