/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is known of who holds tagged bytes, kept in a file while the monitor runs and taken up by the next one: files that
 * were written, renamed or not; processes that live, and those born of them while nobody watched; what waits in pipes, queues
 * and shared memory. A file is found after a reboot too, by its path or by its file handle, and told by inode and generation
 * from another in its place. What was in sockets and terminals then is not kept.
 */
#ifndef SLUICE_CARRY_H
#define SLUICE_CARRY_H

#include "user/collect.h"
#include "user/model.h"

struct carry;

struct carry_told {
	size_t processes, objects; /* that are known again */
	unsigned pending;   /* files whose file system is not there yet, maybe */
	unsigned forgotten; /* of datasets that are not in the configuration, or no more to be found */
	bool damaged;	    /* not all could be read: */
	char why[512];	    /* safe for a terminal */
	uint64_t unwatched_ns; /* between the last word of it and now; 0: of another boot */
};

/* `dir` is made where it is missing. -EPERM: others than root can write there; else a negative errno. */
int carry_open(const char *dir, const char *socket, struct carry **ret);
struct carry *carry_close(struct carry *c);

/* Where it is kept, whatever the configuration says by now. Owned by it. */
const char *carry_dir(const struct carry *c);

/* Before collector_seed(). A file that cannot be used at all is set aside as FILE.bad. -ENOMEM, or what bpf(2) says. */
int carry_restore(struct carry *c, struct engine *engine, struct model *m, struct collector *collector, uint64_t now_ns,
		  struct carry_told *ret);

/* Looks for pending files once more; how many were found. */
unsigned carry_retry(struct carry *c, struct engine *engine, struct model *m, struct collector *collector);

/* Is there something new to be kept, and is it time? It takes no more than one part in 50 of it. */
bool carry_due(const struct carry *c, const struct model *m, uint64_t now_ns);

/* `final`: it is on the disk when this returns. Where nothing is held there is no file. Errors of the file system; -EFBIG. */
int carry_save(struct carry *c, struct model *m, const struct collector *collector, uint64_t now_ns, bool final);

#endif
