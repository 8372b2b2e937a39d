/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Signs that a process computes a model: it maps code of a framework, or has an accelerator. Seen of every process, tainted or
 * not; user space hears of the first of each kind. Names can be chosen, but only to be watched more closely.
 */
#ifndef SLUICE_ML_BPF_H
#define SLUICE_ML_BPF_H

#include "core/subject.bpf.h"

#define PROT_EXEC 4
#define EVERY_MINOR 0xfffff

/* The first 24 bytes of a text as three words, and which bits of them count: compared as such, since memcmp would be a call. */
#define HAS(text, i) ((i) < sizeof(text) - 1)
#define BYTE(text, i) (HAS(text, i) ? (__u64)(__u8)(text)[HAS(text, i) ? (i) : 0] << 8 * ((i) & 7) : 0)
#define BITS(text, i) (HAS(text, i) ? 0xffULL << 8 * ((i) & 7) : 0)
#define EIGHT(of, text, i)                                                                         \
	(of(text, i) | of(text, i + 1) | of(text, i + 2) | of(text, i + 3) | of(text, i + 4) | of(text, i + 5) | \
	 of(text, i + 6) | of(text, i + 7))
#define SAME(name, text, i) (((name)[(i) / 8] & EIGHT(BITS, text, i)) == EIGHT(BYTE, text, i))
#define BEGINS(name, text) (SAME(name, text, 0) && SAME(name, text, 8) && SAME(name, text, 16))

/* Shared objects by how their names begin. */
static __always_inline bool is_framework(const __u64 *name)
{
	return BEGINS(name, "libtorch") || BEGINS(name, "libtensorflow") || BEGINS(name, "_pywrap_tensorflow") ||
	       BEGINS(name, "xla_extension") || BEGINS(name, "libjax") || BEGINS(name, "_jax.") ||
	       BEGINS(name, "libxla") || BEGINS(name, "pjrt_") || BEGINS(name, "libpjrt") || BEGINS(name, "libtpu") ||
	       BEGINS(name, "libcuda") || BEGINS(name, "libcudnn") || BEGINS(name, "libnccl") ||
	       BEGINS(name, "libneuron") || BEGINS(name, "libnrt.") || BEGINS(name, "libnccom") ||
	       BEGINS(name, "libamdhip64") || BEGINS(name, "libhsa-runtime") || BEGINS(name, "librccl") ||
	       BEGINS(name, "libonnxruntime") || BEGINS(name, "libmxnet");
}

static __always_inline bool is_accelerator(__u64 inode)
{
	__u32 dev, any, *kind;

	READ_PROBE(dev, struct inode, inode, i_rdev);
	any = dev | EVERY_MINOR;
	kind = bpf_map_lookup_elem(&char_devices, &any);
	return kind && *kind == SL_ACCELERATOR;
}

/* Plain addresses. */
int ml_tell(__u64 task, __u64 dentry, __u32 sign);

__weak __noinline int ml_tell(__u64 task, __u64 dentry, __u32 sign)
{
	struct ml_event *ev;
	struct subject who;
	__u8 *told, bit = 1 << (sign & 7);
	__u64 name;

	subject_at(task, &who);
	announce(task, &who);
	told = bpf_map_lookup_elem(&announced, &who);
	if (!told || *told & bit)
		return 0;
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		lose(LOSS_RING_FULL);
		return 0;
	}
	ev->type = EVENT_ML;
	ev->sign = sign;
	ev->who = who;
	ev->time_ns = bpf_ktime_get_boot_ns();
	ev->name[0] = '\0';
	READ_PROBE(name, struct dentry, dentry, d_name.name);
	bpf_probe_read_kernel_str(ev->name, sizeof(ev->name), (void *)name);
	bpf_ringbuf_submit(ev, ring_flags());
	*told |= bit;
	return 0;
}

/* `file` is held by the task or, with `prot`, mapped by it. Plain addresses. */
int ml_look(__u64 task, __u64 file, __u64 prot);

__weak __noinline int ml_look(__u64 task, __u64 file, __u64 prot)
{
	__u64 name[3] = {};
	__u64 inode, dentry, at;
	__u16 mode;

	READ_PROBE(inode, struct file, file, f_inode);
	READ_PROBE(mode, struct inode, inode, i_mode);
	mode &= S_IFMT;
	if (mode != S_IFCHR && !(mode == S_IFREG && prot & PROT_EXEC))
		return 0;
	READ_PROBE(dentry, struct file, file, f_path.dentry);
	if (mode == S_IFCHR)
		return is_accelerator(inode) ? ml_tell(task, dentry, ML_ACCELERATOR) : 0;
	READ_PROBE(at, struct dentry, dentry, d_name.name);
	bpf_probe_read_kernel_str(name, sizeof(name), (void *)at);
	return is_framework(name) ? ml_tell(task, dentry, ML_FRAMEWORK) : 0;
}

#endif
