/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kernel's static tracepoints by name. */
#ifndef SLUICE_TRACEFS_H
#define SLUICE_TRACEFS_H

struct bpf_program;
struct bpf_link;

/* Attaches to "category/name", whether tracefs is mounted or not. The caller destroys the link. Negative
 * errno; -ENOENT: this kernel has no such tracepoint. */
int tracefs_attach(struct bpf_program *prog, const char *tracepoint, struct bpf_link **ret);

#endif
