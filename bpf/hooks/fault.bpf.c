// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Set A: pages of mapped files as they become visible. */
#define SLUICE_TYPED_FILES
#include "core/fault.bpf.h"

/* 3bd786f76de2 ("mm: convert do_set_pte() to set_pte_range()"), 6.6 */
SEC("?fentry/set_pte_range")
int BPF_PROG(a_map_pages, struct vm_fault *vmf, void *folio, void *page, unsigned int nr,
	     unsigned long addr)
{
	pages_mapped(vmf->vma, addr, (__u64)nr << PAGE_SHIFT);
	return 0;
}

SEC("?fentry/do_set_pte")
int BPF_PROG(a_map_page, struct vm_fault *vmf, void *page, unsigned long addr)
{
	pages_mapped(vmf->vma, addr, 1ULL << PAGE_SHIFT);
	return 0;
}

/* Its arguments differ between kernels, so the result is asked for. */
SEC("?fexit/do_set_pmd")
int BPF_PROG(a_map_huge, struct vm_fault *vmf)
{
	__u64 ret = 0;

	if (bpf_get_func_ret(ctx, &ret) || ((__u32)ret & VM_FAULT_FALLBACK))
		return 0;
	pages_mapped(vmf->vma, vmf->address & ~(PMD_SIZE - 1), PMD_SIZE);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
