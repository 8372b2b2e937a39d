/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One function per data path; selftest_table.c says which fact each is for and how it is verified.
 */
#ifndef SLUICE_CANARY_STEPS_H
#define SLUICE_CANARY_STEPS_H

#include "user/canary.h"

/* canary_read.c: the first process reads the dataset's file. */
int step_read(struct canary *c);
int step_pread(struct canary *c);
int step_readv(struct canary *c);
int step_preadv(struct canary *c);
int step_preadv2(struct canary *c);
int step_mmap(struct canary *c);
int step_mapped_before(struct canary *c);
int step_direct(struct canary *c);
int step_splice(struct canary *c);
int step_tee(struct canary *c);
int step_sendfile(struct canary *c);
int step_copy(struct canary *c);
int step_clone(struct canary *c);
int step_rename(struct canary *c);
int step_link(struct canary *c);
int step_moved_out(struct canary *c);

/* canary_async.c */
int step_io_uring(struct canary *c);
int step_libaio(struct canary *c);

/* canary_lineage.c: the first process tastes, the second gets it from there. */
int step_fork(struct canary *c);
int step_exec(struct canary *c);
int step_exit(struct canary *c);
int step_pipe(struct canary *c);
int step_pipe_readv(struct canary *c);
int step_terminal(struct canary *c);
int step_new_pipe(struct canary *c);
int step_open_fifo(struct canary *c);
int step_process_vm_readv(struct canary *c);
int step_ptrace(struct canary *c);
int step_proc_mem(struct canary *c);
int step_unix(struct canary *c);
int step_unix_stream(struct canary *c);
int step_msgqueue(struct canary *c);
int step_shm(struct canary *c);
int step_sysv(struct canary *c);
int step_shm_before(struct canary *c);
int step_derived(struct canary *c);
int step_derivedv(struct canary *c);
int step_packet(struct canary *c);

/* canary_served.c */
int step_served(struct canary *c);

/* canary_net.c: over loopback only. */
int step_tcp(struct canary *c);
int step_loopback(struct canary *c);
int step_loopback_datagram(struct canary *c);
int step_udp_create(struct canary *c);
int step_udp_connect4(struct canary *c);
int step_udp_connect6(struct canary *c);
int step_udp_send4(struct canary *c);
int step_udp_send6(struct canary *c);
int step_first_words(struct canary *c);
int step_udp_release(struct canary *c);

#endif
