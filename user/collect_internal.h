/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the collector's files share. */
#ifndef SLUICE_COLLECT_INTERNAL_H
#define SLUICE_COLLECT_INTERNAL_H

#include "user/collect.h"
#include "user/collect_health.h"
#include "user/collect_shared.h"
#include "user/hashmap.h"
#include "user/labels.h"
#include "user/net_mounts.h"
#include "user/object_name.h"
#include "user/said_book.h"

struct ring_buffer;

/* A subject the model was told about, or one that has ended and waits to be taken out. */
struct known {
	struct subject who;
	uint64_t exit_ns; /* 0: alive as far as known */
	bool announced;	  /* by the kernel itself: better than what /proc says */
	struct known *next_dead;
};

struct closed_flow {
	struct flow flow;
	struct flow_key key;
	bool in_map; /* to be deleted there */
};

/* What the ring held, taken out of it while there was no time to look at it. */
struct backlog {
	char *bytes;
	size_t used, size;
};

/* Closed sockets that nobody held at the last look. */
struct suspects {
	uint64_t id[256];
	size_t n;
};

struct collector {
	struct engine *engine;
	struct model *model;
	struct object_names *names;
	struct labels *labels;
	struct net_mounts *net;
	struct said_book *said;
	struct ring_buffer *ring;
	struct backlog backlog;
	bool relieving; /* what comes goes there */
	struct file_read *reads; /* told by the other ring, not looked at yet */
	size_t nreads, reads_cap;
	bool taking_reads;
	uint32_t *reads_woken, *said_woken; /* the kernel's */
	struct hashmap known;
	struct known *dead; /* exited, not yet taken out */
	struct closed_flow *closed;
	size_t nclosed, closed_cap;
	uint64_t *gone_flows; /* ids whose taint records can go */
	size_t ngone, gone_cap;
	int64_t flows_drift; /* at the last count of them: how many more there should be */
	struct object *held, *held_before; /* pipes and files seen open by this look and the one before */
	size_t nheld, nheld_before, held_cap;
	struct object *dead_pipes;
	size_t ndead_pipes, dead_pipes_cap;
	struct suspects suspects;
	uint64_t *inlets; /* sockets of this host that tainted bytes may come in at, some more than once */
	size_t ninlets, inlets_cap;
	struct health_state health;
	struct shared_state shared;
	uint64_t now_ns, before_ns, since_ns, tidied_ns, healed_ns, objects_ns, devices_ns, begun_ns;
	uint64_t healed_away; /* flows without a record when descriptors were last looked at */
	unsigned taken;
	bool carriers;	/* processes wait to be taken up */
	bool ownerless; /* a flow without owner was seen */
	bool crowded;	/* the kernel half has asked for a tick */
	int err;	/* first error met inside a callback */
};

/* A full model leaves a thing out, counts it and makes a finding of it: not a reason to stop. */
static inline int unless_full(int err)
{
	return err == -ENOSPC ? 0 : err;
}

/* Grows an array for one more item; NULL: no memory. */
void *collect_grow(void **array, size_t *cap, size_t n, size_t size);

/* --- collect_ring.c --- */

int ring_open(struct collector *c);

/* The model must have heard of everyone that a map names. */
void introduce(struct collector *c, const struct subject *who);

/* Has it ended, so long ago that nothing more of it will come? */
bool ready_to_go(struct collector *c, const struct subject *who);

/* Forgets those that were ready for longer than `since_ns`. */
void forget_dead(struct collector *c, uint64_t since_ns);

/* --- collect.c --- */

/* Walks one table from `since_ns` on; the ring is emptied meanwhile. */
int collect_dump(struct collector *c, enum engine_iter it, size_t size, uint64_t since_ns,
		 int (*take)(void *, const void *));

/* --- collect_flows.c --- */

/* `key`: its record is in the map still; NULL: no more. */
int keep_closed(struct collector *c, const struct flow *f, const struct flow_key *key);
/* The live ones, what became their taint, those that closed before, those without a record. */
int collect_flows(struct collector *c);
int tidy_flow_taints(struct collector *c);
/* After the flows: what they said first. */
int collect_said(struct collector *c);

/* --- collect_carry.c --- */

/* Behind a look at descriptors: whoever is to be taken up, and all that they hold. */
int collect_carriers(struct collector *c);

/* --- collect_objects.c --- */

/* Forgets pipes and files that are gone; finds flows without owner. */
int look_at_descriptors(struct collector *c);
int forget_dead_pipes(struct collector *c);

/* Does a descriptor table hold it, at this look or the one before? */
bool collect_held(const struct collector *c, const struct object *what);

/* --- collect_local.c --- */

/* After the edges: whoever has read, the link is there. */
int collect_links(struct collector *c);
/* Takes out the links of gone_flows, which is sorted. */
int tidy_links(struct collector *c);
/* `looked`: descriptors were just looked at. */
int forget_inlets(struct collector *c, bool looked);

#endif
