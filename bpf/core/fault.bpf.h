/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What of a mapped file became visible, page by page, and mappings that grow. Whatever maps a page of the page cache, a
 * fault, fault-around, populate, a huge page, khugepaged or another process's look into this memory, comes through one
 * of two functions that are given the mapping. A fork copies what its parent has seen, a move takes along what was seen.
 */
#ifndef SLUICE_FAULT_BPF_H
#define SLUICE_FAULT_BPF_H

#include "core/ledger.bpf.h"

#define PAGE_SHIFT 12
#define PMD_SIZE (1ULL << 21)
#define VM_FAULT_FALLBACK 0x800 /* include/linux/mm_types.h: nothing was mapped */

/* Mapped pages are those of a memory, whoever made them so: a peer that looks in, khugepaged. */
static __always_inline __u64 memory_owner(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	if (mm && bpf_core_field_exists(mm->owner) && mm->owner)
		return (__u64)mm->owner;
	return current_task();
}

static __always_inline void pages_mapped(struct vm_area_struct *vma, __u64 addr, __u64 bytes)
{
	__u64 file = (__u64)vma->vm_file, inode, task, mask;
	__u16 mode;

	if (!file)
		return;
	READ_IF(TYPED, inode, struct file, file, f_inode);
	READ_IF(TYPED, mode, struct inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFREG || !pages_told(inode))
		return;
	task = memory_owner(vma);
	mask = regular_map(task, file, inode, bytes,
			   ((vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start)) | (vma->vm_flags & VM_MAYSHARE ? OF_SHARED : 0));
	if (mask)
		taint_task(plain(task), mask, VIA_READ);
}

#endif
