/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host as Sluice understands it: subjects, objects, datasets, flows, and how
 * tagged bytes could have moved between them. The collector writes it; rules,
 * records, the socket and the viewer only read it. It makes no system call, so
 * that it is tested without a kernel: whoever calls passes the time.
 *
 * Figures given to model_set_*() are totals of one kernel map entry. When the
 * collector has taken an entry out of the kernel it calls the *_settled function,
 * and a later entry with the same key counts from zero again, on top.
 */
#ifndef SLUICE_MODEL_H
#define SLUICE_MODEL_H

#include <jansson.h>

#include "include/ledger.h"
#include "user/util.h"

struct config;
struct file_list;
struct classes; /* user/dest: address to destination class */
struct model;

/* What the collector learned of a subject; strings are copied. NULL or 0 where not known. */
struct subject_info {
	struct subject who;
	struct subject parent; /* exec may be 0: unknown */
	const struct subject *ancestors; /* the parent's parent and so on; may be NULL */
	size_t nancestors;
	uint64_t seen_ns;
	uint32_t uid;
	bool uid_known;
	uint32_t session;
	const char *comm;
	const char *exe;    /* absolute path in its own mount namespace; NULL unknown */
	const char *cgroup; /* path in the v2 hierarchy; NULL unknown */
	const char *job;    /* "slurm:12.0", "unit:x.service", ...: see user/job.h */
};

/* What a subject says of its job and of its own place in it; "" or 0: nothing. Never to decide by. */
#define LABEL_LEN 128
enum job_label { LABEL_JOB_NAME, LABEL_POD, LABEL_STAGE, LABEL_KINDS };
enum job_number { NUMBER_RANK, NUMBER_LOCAL_RANK, NUMBER_WORLD_SIZE, NUMBER_KINDS };
struct job_labels {
	char text[LABEL_KINDS][LABEL_LEN]; /* made safe */
	uint32_t number[NUMBER_KINDS];	   /* plus one */
};

/* `config` and `classes` must outlive the model or be replaced by model_policy(). -ENOSPC there:
 * more datasets than numbers, those of earlier policies included; nothing has changed then. */
int model_new(const struct config *config, const struct classes *classes, struct model **ret);
struct model *model_free(struct model *m);
int model_policy(struct model *m, const struct config *config, const struct classes *classes);

/* The number of a dataset: its bit in every mask and its index in every key. Numbers given once are
 * kept over model_policy(), so whoever registers datasets in the kernel asks here. -ENOENT. */
int model_dataset(const struct model *m, const char *id);

/* Names for the `host` of every record; copied. NULL: not known. */
int model_set_host(struct model *m, const char *name, const char *boot_id);

/* Where this host is, as its metadata say; texts are "" where not known. */
struct model_vpc {
	bool asked;		/* false: the configuration alone says what the VPC is */
	const char *state, *why; /* static; enum imds_state in words */
	char id[32], instance_id[32], region[32], account[32];
	unsigned blocks;  /* that count as the VPC's, configured ones too */
	uint64_t told_ns; /* when metadata were told last; 0: never */
};
void model_set_vpc(struct model *m, const struct model_vpc *v);

/* The monitor's own process, by its number in the initial PID namespace. */
void model_set_self(struct model *m, uint32_t tgid);

/* What is wrong with fetching AWS's ranges; copied; "": nothing. */
void model_set_ranges_why(struct model *m, const char *why);

struct exporter_told;
uint64_t model_seq(const struct model *m); /* of the newest record; 0: none yet */
struct hub_told;
void model_set_hub(struct model *m, const struct hub_told *t); /* copied */
void model_set_exporter(struct model *m, const struct exporter_told *t); /* copied */

/* The same moment by both clocks. Times of records are derived from it. */
void model_set_clock(struct model *m, uint64_t boot_ns, const struct timespec *wall);

/* Size and file count of a dataset as last scanned: the denominator of shares and severities. Bytes
 * 0: not known, or not all of it was seen. Bounds are capped by the size only where that can be
 * trusted: no scan found less than the one before, and nothing was read since this one began. Where
 * model_begin_scan() was not called, two scans in a row must have found the same. */
void model_begin_scan(struct model *m, unsigned dataset);

/* Was a dataset read since it was last measured, so that a new measure could tighten bounds? */
bool model_wants_scan(const struct model *m);
void model_set_dataset_size(struct model *m, unsigned dataset, uint64_t bytes, uint64_t files);

/* The files that were met meanwhile; takes over the list. -ENOMEM: then figures about files are "at least" from now on. */
int model_set_dataset_files(struct model *m, unsigned dataset, struct file_list *list);

/* Of the functions below, -ENOSPC means that the model is full: the thing is left out, which is
 * counted and becomes a monitor.gap; carry on. -EINVAL: the entry makes no sense; -ENOMEM. */
int model_set_subject(struct model *m, const struct subject_info *info);
int model_set_exit(struct model *m, const struct subject *who, uint64_t when_ns);
int model_set_access(struct model *m, const struct ledger_key *key, const struct ledger_val *val);
/* The subject read or mapped a file of the dataset; may be told again. */
int model_set_file_read(struct model *m, const struct subject *who, unsigned dataset, const struct object *what);
/* One that was told could not be kept. */
void model_miss_file_read(struct model *m);
int model_settle_access(struct model *m, const struct ledger_key *key);
int model_set_overflow(struct model *m, const struct overflow_key *key,
		       const struct overflow_val *val);
int model_set_taint(struct model *m, const struct subject *who, const struct taint *t);
int model_set_edge(struct model *m, const struct edge_key *key, const struct edge_val *val);
int model_settle_edge(struct model *m, const struct edge_key *key);

/* It shows (enum ml_sign) that it computes a model, by the library or device `name` (hostile, copied): its job is an ML
 * job from then on. -ENOENT: it or its job is not known. */
int model_set_ml(struct model *m, const struct subject *who, uint32_t sign, const char *name);

/* Of a job's processes the first to say a thing is quoted. -ENOENT, -ENOMEM. */
int model_set_labels(struct model *m, const struct subject *who, const struct job_labels *labels);

/* What is known of an object that an edge named: where it lies (hostile text, copied; NULL: not known),
 * and whether only its owner can read it, and only on this host. -ENOENT, -ENOMEM. */
int model_name_object(struct model *m, const struct object *what, const char *path, bool confined);
/* Its inode is no more, and the kernel's tables name it no longer. */
void model_forget_object(struct model *m, const struct object *what);
/* A closed flow is given once more, with flow->closed set; then it is final. */
int model_set_flow(struct model *m, const struct flow *flow);
int model_set_flow_taint(struct model *m, const struct flow_taint_key *key,
			 const struct flow_taint *val);
/* What the flow sends comes in at a socket of this host. */
int model_set_link(struct model *m, const struct link_key *key);
/* The kernel's tables are read once more: what readers got first, flows later. */
void model_begin_look(struct model *m);
/* Totals of flows that have no record, and the datasets that they may have carried from when a bit first stands in
 * `mask`. */
int model_set_flow_overflow(struct model *m, uint64_t out, uint64_t in, uint64_t mask, uint64_t now_ns);

/* `name` is what people call it, e.g. "AF_PACKET socket"; copied. */
int model_set_channel(struct model *m, const struct channel_key *key, const struct channel_val *val,
		      const char *name);

/* One program of the kernel half, as the kernel counts it. */
struct program_health {
	const char *name;  /* static */
	const char *facts; /* that it owns, "a, b"; NULL: none. Outlives the model's next health */
	uint64_t runs, misses; /* misses: left out by the kernel, since it was at work on that processor already */
	bool runs_known, misses_known;
};
#define HEALTH_PROGRAMS 104

/* The state of measurement itself, for health records and monitor.gap. */
struct health {
	const char *backend;	     /* "trampoline", "tracepoint" */
	const char *const *owners;   /* "fact=program", NULL-terminated */
	const char *const *gaps;     /* "fact: why", NULL-terminated */
	const char *const *limits;   /* likewise, of facts that have an owner which does not see all of it */
	struct program_health programs[HEALTH_PROGRAMS];
	unsigned nprograms;
	uint64_t losses[LOSS_KINDS]; /* totals since start */
	struct map_fill {
		const char *name;
		uint32_t entries, max;
	} fill[12];
	unsigned nfill;
	double cpu_share;   /* of one core, since the last record; NAN unknown */
	uint64_t rss_bytes; /* 0 unknown */
	uint64_t map_bytes;
	uint64_t late_ns;  /* how much later than planned this tick came */
	uint64_t blind_ns; /* since the last monitor of this boot was killed; 0 none */
};
void model_set_health(struct model *m, const struct health *h);

/* Records go on from this number: the newest one that there is already. */
void model_set_seq(struct model *m, uint64_t seq);
/* How the journal is, for health records: an object, which it takes over; NULL: there is no journal. */
void model_set_journal(struct model *m, json_t *state);

/* One function's name per enum value, as records spell it. */
const char *loss_name(enum loss l);
const char *via_name(enum edge_via v);
const char *access_name(enum access_kind k);
const char *channel_kind_name(enum channel c);

#endif
