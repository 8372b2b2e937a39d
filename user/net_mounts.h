/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What tainted processes write to file systems of other hosts leaves this one: a kernel thread sends it, at another time and
 * together with others' bytes. So a flow is made of the edges: from the writer to the server, of the bytes written.
 *
 * Which server a device number stands for is in the mountinfo of our namespace, else in the writer's; it is remembered after the
 * file system was unmounted. Where neither tells, the kernel half has the kind of file system, and the server is not known.
 */
#ifndef SLUICE_NET_MOUNTS_H
#define SLUICE_NET_MOUNTS_H

#include "include/ledger.h"
#include "user/net_server.h"

struct model;
struct net_mounts;

/* `devices`: the kernel's map of devices whose file system is another host's, by their magic number; -1: none. */
int net_mounts_new(struct model *model, int devices, struct net_mounts **ret);
struct net_mounts *net_mounts_free(struct net_mounts *n);

/* Once per interval, before edges are read: takes in what was mounted. -ENOMEM. */
int net_mounts_tick(struct net_mounts *n);

/* What mountinfo says, as text: for net_mounts_tick() and tests. -ENOMEM. */
int net_mounts_learn(struct net_mounts *n, const struct mount_point *mounts, size_t nmounts);

/* An edge as its kernel entry says now. Cheap where its object is on no such file system. -ENOMEM, or as model_set_flow(). */
int net_mounts_heard(struct net_mounts *n, const struct edge_key *key, const struct edge_val *val);

/* Nothing more will be heard of it. */
int net_mounts_ended(struct net_mounts *n, const struct subject *who);

/* Where a device is mounted, by what net_mounts_tick() saw; NULL: not known. Owned by `n`, until the next tick. */
const char *net_mounts_path(const struct net_mounts *n, uint32_t dev);

#endif
