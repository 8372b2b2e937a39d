/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From the kernel's maps into the model, once per interval. */
#ifndef SLUICE_COLLECT_H
#define SLUICE_COLLECT_H

#include "user/attach.h"
#include "user/model.h"

struct collector;
struct object_handle;

/* `gaps` and `owners` are as struct health has them; all three must outlive the collector. -ENOMEM, or what libbpf says. */
int collector_new(struct engine *engine, struct model *model, const struct plan *plan, struct collector **ret);
struct collector *collector_free(struct collector *c);

/* What existed before: mappings and descriptors of every process. Call once, after the datasets' roots are known. */
int collector_seed(struct collector *c);

/* Before collector_seed(): what a monitor before this one knew to hold bytes of the datasets in `mask`. -ENOSPC: no room;
 * -ESRCH: the process is no more; -EOPNOTSUPP: not with this kernel. Whoever was born of such a process after `since_ns` is
 * found by collector_seed(). `inode` is as in struct object_taint, of this boot. An object may be adopted later as well. */
int collector_adopt_subject(struct collector *c, const struct subject *who, uint64_t mask, uint64_t since_ns);
int collector_adopt_object(struct collector *c, const struct object *what, uint64_t mask, uint64_t inode,
			   const struct object_handle *handle);

/* By what the next monitor finds it again; zero where that is not known. */
void collector_known_object(const struct collector *c, const struct object *what, struct object_handle *ret_handle,
			    uint64_t *ret_inode);

/* A descriptor that turns readable when the kernel has something to say. */
int collector_fd(const struct collector *c);

/* Takes what the ring holds: cheap, any time. */
int collector_drain(struct collector *c);

/* Empties the ring without looking at what it held: between other work that takes long. */
void collector_relieve(struct collector *c);

/* Has the kernel half asked for a tick before its time, since it runs out of room? Tells it once. */
bool collector_crowded(struct collector *c);

/* One interval: drains, reads every map, forgets what has ended. `late_ns`: how much after its time. */
int collector_tick(struct collector *c, uint64_t now_ns, uint64_t late_ns);

/* How long no monitor was watching before this one; see alive.h. Told once, with the next health. */
void collector_blind(struct collector *c, uint64_t ns);

#endif
