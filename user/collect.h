/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From the kernel's maps into the model, once per interval. */
#ifndef SLUICE_COLLECT_H
#define SLUICE_COLLECT_H

#include "user/attach.h"
#include "user/model.h"

struct collector;

/* `gaps` and `owners` are as struct health has them; all three must outlive the collector. -ENOMEM, or what libbpf says. */
int collector_new(struct engine *engine, struct model *model, const struct plan *plan, struct collector **ret);
struct collector *collector_free(struct collector *c);

/* What existed before: mappings and descriptors of every process. Call once, after the datasets' roots are known. */
int collector_seed(struct collector *c);

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
