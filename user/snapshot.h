/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The model as JSON: what the socket, `show` and the viewer give to people and scripts. */
#ifndef SLUICE_SNAPSHOT_H
#define SLUICE_SNAPSHOT_H

#include <jansson.h>
#include "user/model.h"

#define SNAPSHOT_UNREAD_MAX 1000

/* The files of a dataset that nobody read, or no process of the job (NULL: of any), at most so many; {"error":...} where
 * there is no such dataset or job. NULL: no memory. */
json_t *snapshot_unread(const struct model *m, const char *dataset, const char *job, const struct timespec *wall);

/* `what`: datasets, jobs, processes, destinations, flows, findings, health. Returns
 * {"v":1,"type":what,"time":...,"host":{...},"items":[...]} (health: "health":{...}) or NULL:
 * unknown word or no memory. The caller owns it. */
json_t *snapshot(const struct model *m, const char *what, const struct timespec *wall);

/* The same items for whoever watches them, and of health one whose key is "health". -ENOENT: unknown word; as watch_doc_item(). */
struct watch_doc;
int snapshot_watch(const struct model *m, const char *what, const struct timespec *wall, struct watch_doc *to);

#endif
