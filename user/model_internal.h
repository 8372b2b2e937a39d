/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the model holds. Lineage, rules, records and snapshots read these structures; only the
 * model*.c files and the findings' store change them (records also note what they have given).
 */
#ifndef SLUICE_MODEL_INTERNAL_H
#define SLUICE_MODEL_INTERNAL_H

#include "user/dest/class.h"
#include "user/export/exporter_told.h"
#include "user/export/hub_told.h"
#include "user/hashmap.h"
#include "user/job.h"
#include "user/model.h"
#include "user/model_account.h"
#include "user/model_said.h"
#include "user/policy/config.h"

#define MODEL_NODES_MAX 200000	 /* subjects, objects and flows together */
#define MODEL_MERGE_ABOVE 150000 /* from here on the dead of one job are kept as one */
#define MODEL_EDGES_MAX 400000
#define MODEL_FORGET_NS (60 * NSEC)
#define MODEL_PRUNE_NS (10 * NSEC)
#define BUDGET_SLOTS 256

#define BIT(dataset) (1ULL << (dataset))

struct m_asker;
struct m_carried;
struct m_cover;
struct m_domain;
struct questions;
struct file_list;

struct m_job {
	char name[JOB_LEN]; /* the key; zero behind its end */
	unsigned refs;
	struct m_subject *merged; /* stands for its dead, or NULL */
	struct m_object *merged_files; /* stands for files that are gone, or NULL */
	struct past past;	  /* of subjects that are forgotten */
	struct job_labels *labels; /* NULL: nobody said anything */
	struct m_cover *covers;	   /* files that it read */
	struct m_domain *domains;  /* below which it asked for names while it held tagged bytes */
	unsigned ndomains;
};

/* A process: its exec instances, and who its parent is. Kept while a subject or a child needs it.
 */
struct m_process {
	struct {
		uint64_t start_ns;
		uint64_t tgid;
	} id;
	struct m_process *parent; /* NULL: not known */
	struct m_subject *images;
	unsigned refs; /* images and children */
	uint32_t slot;
};

struct m_access {
	struct m_access *next; /* of the same subject */
	uint16_t dataset;
	uint64_t judged; /* bytes that access.unauthorized has taken in */
	uint64_t due_ns; /* since when a record of it is due; 0: none is */
	bool waited;	 /* rules waited one interval for its subject's name */
	struct account kind[ACCESS_KINDS];
};

/* When these datasets first came to a subject, as its taint says: no earlier than they did. */
struct m_arrival {
	uint64_t mask;
	uint64_t since_ns;
};

/* How a subject was born with taint. A merged subject has several. */
struct m_birth {
	struct m_subject *from;
	uint64_t mask;
	uint64_t since_ns;
	uint64_t due_ns; /* as of an access */
	uint32_t via; /* VIA_FORK, VIA_EXEC */
	bool given;
};

/* A way out that is not measured. Whoever inherited the descriptor has it as well. */
struct m_channel {
	struct m_channel *next; /* of the same subject */
	char *name;
	uint32_t kind, number;
	uint64_t mask;
	uint64_t first_ns, last_ns;
	uint64_t judged[SL_DATASETS_MAX]; /* the datasets' versions then */
	bool waited; /* rules waited one interval for its subject's name */
};

struct m_subject {
	struct subject who;
	struct m_subject *prev, *next; /* of the model, in order of arrival */
	struct m_subject *next_image;  /* of the same process */
	struct m_process *process;     /* NULL: a merged subject */
	struct m_subject *merged_into; /* set for a moment, while the dead are merged */
	struct m_job *job;	       /* NULL: not known */
	struct subject parent;
	char *exe, *cgroup; /* as the kernel said it: hostile; NULL not known */
	char comm[64];
	int64_t wall_offset; /* wall clock less boot time when it was met */
	uint64_t seen_ns, exit_ns, touched_ns;
	uint64_t mask; /* of its taint */
	struct m_arrival *arrivals;
	struct m_birth *births;
	struct m_access *access;
	struct m_channel *channels;
	struct m_edge *edges;
	struct m_edge *looks; /* of others into its memory */
	struct m_carried *carried; /* that it held when this monitor began */
	struct m_asker *asker;	   /* NULL: it asked for no name */
	unsigned nbirths, narrivals;
	unsigned nflows;   /* live flows and closed ones kept */
	unsigned nlive;	   /* live flows */
	unsigned nowned;   /* datagram flows that it had before another */
	unsigned children; /* births that name it */
	unsigned findings; /* that name it */
	unsigned merged;   /* how many it stands for; 0: itself */
	struct past past;
	uint32_t slot, uid, session;
	uint32_t rank, local_rank; /* as it says; plus one, 0 not known */
	bool uid_known, known, dead;
	uint64_t exe_ino; /* 0: not known */
	uint32_t exe_dev;
	bool vouch_asked, vouched;
	bool trusted; /* nothing that it passes on is charged to it */
	bool env_told;	 /* while tainted, with the key in its environment */
	uint8_t env_key; /* which: an index into m_credentials.keys, less one; 0: none */
	bool writes_inside; /* into files of a dataset: only then `derives` is kept up */
	uint64_t derives; /* datasets that it is a declared writer of */
	uint64_t met; /* evaluations there had been */
	uint64_t files_of; /* datasets of which files are noted as read by its job */
};

enum object_kind {
	OBJECT_UNKNOWN, /* only a core dump went there so far */
	OBJECT_PIPE,
	OBJECT_FILE,
	OBJECT_SOCKET,	 /* what waits to be read from one */
	OBJECT_MEMORY,	 /* shared by mapping */
	OBJECT_QUEUE,	 /* of messages */
	OBJECT_TERMINAL,
	OBJECT_SERVED,	 /* a file system's daemon */
};

/* What there is to know of an edge's kind. */
struct via_traits {
	const char *name;
	enum object_kind kind; /* of its object; unknown: it has none, or it may be of several */
	bool writes;	/* leads from its subject to its object */
	bool unlimited; /* carries all its source may hold, however many bytes that is */
};

/* "pipe", "file", "socket", ...; of an unknown one "file". */
const char *object_kind_name(enum object_kind kind);

/* Never NULL. */
const struct via_traits *via_traits(uint64_t via);

struct m_object {
	struct object what;
	struct m_object *prev, *next;
	struct m_edge *edges;
	struct m_carried *carried; /* as of a subject */
	char *path; /* as its writer named it: hostile; NULL not known */
	enum object_kind kind;
	bool gone;	 /* the inode is no more: nothing will be read from it or written to it */
	bool placed;	 /* it was looked for; what follows is known as far as it can be */
	bool confined;	 /* on this host, and no other user can read it */
	bool told_open;	 /* that others can read it the monitor before this one has told */
	unsigned merged; /* how many it stands for; 0: itself */
	struct m_job *job; /* of a merged one; NULL: none */
	struct m_flow **senders; /* flows that come in here */
	unsigned nsenders;
	uint32_t slot;
};

/* All that moved along an edge, by the datasets it could carry. */
struct m_transfer {
	uint64_t mask;
	uint64_t due_ns; /* as of an access */
	struct account sum;
};

/* Between a subject and an object; a look (VIA_PEEK) is between its subject and the one it looked into. */
struct m_edge {
	struct {
		struct subject who;
		struct object what;
		uint32_t via;
		uint32_t own; /* as in struct edge_key */
	} key;
	struct m_subject *subject;
	struct m_object *object;  /* NULL: a look; */
	struct m_subject *source; /* of a look */
	struct m_edge *subject_next, **subject_at;
	struct m_edge *other_next, **other_at; /* of the same object, or of looks into the same source */
	struct m_transfer *transfers;
	unsigned ntransfers;
};

/* Does it lead from its subject to its object? */
static inline bool edge_writes(const struct m_edge *e)
{
	return via_traits(e->key.via)->writes;
}

/* Does it carry all its source may hold, however many bytes that is? */
static inline bool edge_unlimited(const struct m_edge *e)
{
	return via_traits(e->key.via)->unlimited;
}

/* What a flow sent since a mask of datasets became its taint. */
struct m_flow_taint {
	uint64_t mask;
	uint64_t base_out;
	uint64_t since_ns;
};

/* What a closed and folded flow sent that one dataset can account for. */
struct m_sent {
	uint64_t bytes;
	uint64_t since_ns;
	uint16_t dataset;
};

/* A flow; or, folded, all closed flows of one subject to one remote end. */
struct m_flow {
	uint64_t id; /* 0 when folded */
	struct {
		uint64_t subject; /* address of the m_subject */
		uint64_t said; /* of its struct m_said */
		uint8_t raddr[16];
		uint64_t rport, proto;
	} fold;
	struct m_flow *prev, *next;
	struct m_subject *who;	   /* NULL: not known */
	struct m_subject **owners; /* who had it before, of a datagram socket */
	struct m_flow_taint *taints;
	struct m_sent *sent; /* folded only */
	struct m_object **inlets; /* sockets of this host that it comes in at */
	struct flow f;
	struct dest dest;
	struct m_said *said; /* NULL: nothing is known */
	unsigned nowners, ntaints, nsent, ninlets;
	uint64_t looked; /* number of the look that told of it last */
	unsigned closed_evaluations;
	uint32_t slot;
	uint64_t out, in; /* payload since the monitor saw it */
	uint64_t given_out, given_in, given_tainted;
	uint64_t due_ns; /* as of an access */
	uint64_t folded_tainted; /* folded only: tainted_out when folded */
	uint64_t judged;	 /* payload that egress.unexpected has taken in */
	uint64_t reach;		 /* datasets of which a byte can have reached it */
	uint64_t seen_ns;
	bool filled; /* the kernel's record came; before that only its taint is known */
	bool folded, given, closed;
	bool said_waits; /* its first words are not all there yet */
	uint64_t waited; /* number of the evaluation in which rules waited for its subject's name */
};

struct m_overflow {
	struct {
		uint64_t cgroup;
		uint64_t dataset;
	} key;
	struct m_overflow *next;
	uint64_t due_ns; /* as of an access */
	struct account kind[ACCESS_KINDS];
};

/* Bytes to the outside that a dataset can account for, by time, for its budget. */
struct budget_ring {
	uint64_t slot_ns;
	uint64_t bytes[BUDGET_SLOTS];
	uint64_t last_slot; /* number of the newest slot, from boot */
	uint64_t before;    /* what a monitor before this one had seen of it */
	uint64_t sent;	    /* total that the ring has taken in */
	uint64_t judged;    /* spent, when last raised */
	unsigned idle;	    /* evaluations without growth */
	bool started;
};

struct m_dataset {
	char *id; /* NULL: this slot is free */
	char *path;
	struct tag *tags;
	size_t ntags;
	const struct dataset_config *config;  /* NULL: no longer in the policy */
	uint64_t size, files;		      /* as last scanned; 0 not known */
	uint64_t read_at_begin, read_at_scan; /* `read` when the last scan began and ended */
	unsigned scans;			      /* how many have ended */
	bool begun;			      /* the beginning was told */
	bool quiet;			      /* nothing was read while it ran */
	uint64_t read;			      /* by all subjects, overflow included */
	uint64_t overflow;		      /* the part of it that has no subject */
	uint64_t carried; /* distinct bytes that were about when this monitor began, at most */
	uint64_t version; /* changes with everything a bound depends on, save bytes sent */
	bool shrank;	  /* a scan found less than the one before */
	struct file_list *list;	  /* as last walked; NULL: not yet */
	struct file_list *others; /* read, but not met by that walk; NULL: none */
	bool others_left;	  /* more than there is room for */
	struct m_cover *cover;	  /* read by anyone; NULL: none */
	struct budget_ring budget;
	uint64_t from;		/* datasets that this one is derived from */
	struct figures derived; /* what came of them by edges that are no more */
};

struct findings;
struct users;
struct trusted_file;
struct ds_graph;
struct m_credentials;

enum volume_class { VOLUME_64K, VOLUME_1M, VOLUME_64M, VOLUME_MORE, VOLUME_CLASSES }; /* below each, but the last */

struct tainted_count {
	uint64_t subjects; /* that live */
	uint64_t by_volume[VOLUME_CLASSES];
};

enum model_refused {
	REFUSED_SUBJECT,
	REFUSED_OBJECT,
	REFUSED_FLOW,
	REFUSED_EDGE,
	REFUSED_KINDS,
};

struct model {
	const struct config *config;
	const struct classes *classes;
	struct m_dataset datasets[SL_DATASETS_MAX];
	struct hashmap jobs, processes, subjects, objects, edges, flows, folds, overflows, ml, said;
	struct m_ml *first_ml;
	struct m_cover *unknown_covers; /* of subjects without a job */
	size_t nchunks;			/* of all covers */
	bool file_read_missed;
	struct m_subject *first_subject, *last_subject;
	struct m_object *first_object, *last_object;
	struct m_flow *first_flow, *last_flow;
	struct m_overflow *first_overflow;
	struct slots {
		uint32_t *unused;
		size_t nunused, max_unused;
		uint32_t count; /* slots are numbered below this */
	} subject_slots, object_slots, process_slots, flow_slots;
	size_t nsubjects, nobjects, nflows, nedges;
	struct past spilled;	/* of flows that ended and that there was no room for here */
	uint64_t spilled_mask;
	size_t nodes_max, merge_above;
	uint64_t refused[REFUSED_KINDS];
	uint64_t channels[CHANNEL_KINDS]; /* met since the start */
	uint32_t merged_next, merged_objects;
	struct m_object *merged_files; /* of writers without a job */

	struct trusted_file *trusted;
	size_t ntrusted;
	uint64_t derived_from; /* datasets that any is derived from */

	char *host, *boot_id;
	uint32_t self; /* the monitor's own process; 0: not known */
	struct model_vpc vpc;
	char ranges_why[512];
	struct exporter_told exporter;
	struct hub_told hub;
	struct said_figures said_figures;
	int64_t wall_offset;  /* wall clock less boot time */
	int64_t start_offset; /* the same, left alone while the clock only drifts: a process keeps
				 its start */
	bool clock_known;
	uint64_t clock_ns; /* boot time when it was set */

	struct health health;
	char **owners, **gaps, **limits; /* the model's own copies; NULL-terminated */
	char *backend;
	bool health_known;
	uint64_t losses_judged[LOSS_KINDS], refused_judged[REFUSED_KINDS];
	uint64_t blind_judged_ns;
	uint64_t misses_judged[HEALTH_PROGRAMS];
	uint64_t read_misses;	 /* runs that programs which count reads were left out of, */
	uint64_t read_misses_ns; /* and when there were more of them than before; 0: never */
	bool late_judged; /* the last word on lateness */

	struct tainted_count tainted[SL_DATASETS_MAX + 1]; /* by dataset; the last: of any */
	uint64_t tainted_ns; /* when counted; 0: not yet */

	struct questions *questions; /* NULL: nobody asked for a name yet */

	struct findings *findings;
	struct users *users;
	struct m_credentials *credentials;
	struct ds_graph *graphs[SL_DATASETS_MAX]; /* kept between evaluations */
	uint64_t evaluated_ns, pruned_ns;
	uint64_t evaluations;
	uint64_t looks; /* at the kernel's tables */

	/* Records. */
	uint64_t seq;
	json_t *journal; /* how it is; NULL: there is none */
	uint64_t records_ns;	 /* when they were given last; before that, when the clock was set */
	uint64_t records_waiting; /* totals that there was no room for then, */
	uint64_t records_lag_ns; /* and for how long the oldest of them has waited */
	uint64_t health_given_ns;
	uint64_t health_given_losses[LOSS_KINDS];
	uint64_t health_given_gaps; /* hash */
	bool health_given;
};

/* --- shared by the model's files ----------------------------------------- */

int slot_take(struct slots *s, uint32_t *ret);
void slot_give(struct slots *s, uint32_t slot);

struct m_job *job_ref(struct model *m, const char *name);
void job_unref(struct model *m, struct m_job *job);

struct m_subject *subject_find(const struct model *m, const struct subject *who);
/* Found or new. -ENOSPC: the model is full, which is counted; -ENOMEM. */
int subject_get(struct model *m, const struct subject *who, struct m_subject **ret);
struct m_subject *subject_new_merged(struct model *m, struct m_job *job);
void subject_drop(struct model *m, struct m_subject *s);
/* Every dataset whose bytes it may hold, by its taint, its reads or what it received. */
uint64_t subject_mask(const struct m_subject *s);
/* Neither ended nor replaced by a later image of its process. */
bool subject_alive(const struct m_subject *s);
int subject_add_birth(struct m_subject *s, struct m_subject *from, uint64_t mask, uint32_t via,
		      uint64_t since_ns);
/* When bytes of the dataset first came to the subject, as far as known; UINT64_MAX: never. */
uint64_t subject_arrival(const struct m_subject *s, unsigned dataset);

/* What the kernel's entry says now; times only widen. */
void account_set(struct account *a, uint64_t bytes, uint64_t ops, uint64_t files, uint64_t first_ns,
		 uint64_t last_ns);
/* The kernel's entry is gone: a later one counts on top. */
void account_settle(struct account *a);
void channels_drop(struct m_subject *s);
/* Someone looked into its memory: whoever does that can write there too. */
void subject_looked_into(struct model *m, struct m_subject *s);
void trusted_clear(struct model *m);

/* Adds what `from` holds and was given to what is settled, and empties it. */
void account_move(struct account *to, struct account *from);
struct m_access *subject_access(const struct m_subject *s, unsigned dataset);
int access_get(struct m_subject *s, unsigned dataset, struct m_access **ret);
uint64_t access_bytes(const struct m_access *a);

/* Found or new, between the subject and an object or the subject it looked into: one of the two. -ENOSPC, -ENOMEM. */
int edge_get(struct model *m, struct m_subject *s, struct m_object *o, struct m_subject *source,
	     uint32_t via, uint32_t own, struct m_edge **ret);
int edge_transfer(struct m_edge *e, uint64_t mask, struct m_transfer **ret);
void edge_drop(struct model *m, struct m_edge *e);
/* Can it have carried bytes of the dataset? */
bool edge_carries(const struct m_edge *e, unsigned dataset);
uint64_t edge_bytes(const struct m_edge *e, unsigned dataset);
/* At most so many distinct bytes of the dataset went along it; UINT64_MAX: no limit. */
uint64_t edge_limit(const struct m_edge *e, unsigned dataset);
/* Has a sink been given all of it? */
bool edge_given(const struct m_edge *e);
/* No entry of it is left in the kernel. */
bool edge_settled(const struct m_edge *e);
/* Another in the place of whom a look went into. */
void edge_look_into(struct m_edge *e, struct m_subject *source);
/* Adds what `from` holds to `to`, and drops `from`. */
int edge_move(struct model *m, struct m_edge *from, struct m_edge *to);
struct m_object *object_new_merged(struct model *m);
void object_drop(struct model *m, struct m_object *o);

/* Found or new. -ENOSPC, -ENOMEM. */
int object_get(struct model *m, const struct object *what, struct m_object **ret);
int flow_get(struct model *m, uint64_t id, struct m_flow **ret);

/* model_inlet.c */
void flow_unlink(struct m_flow *f);
void object_unlink(struct m_object *o); /* from the flows that feed it */
int flow_name_inlets(struct m_flow *f);
bool flow_late(const struct model *m, const struct m_flow *f);
bool flow_feeds(const struct m_flow *f);
bool flow_drained(const struct m_flow *f);
int flow_move_inlets(struct model *m, struct m_flow *to, struct m_flow *from);

void flow_drop(struct model *m, struct m_flow *f);
/* Has it one remote end? Else it stands for many, or for those of which nothing else is known. */
static inline bool flow_has_remote(const struct m_flow *f)
{
	return f->f.role != ROLE_MANY && f->f.role != ROLE_OVERFLOW;
}
int flow_fold(struct model *m, struct m_flow *f);
/* Moves a folded flow to another subject. */
int flow_refold(struct model *m, struct m_flow *f, struct m_subject *to);
void flow_classify(const struct model *m, struct m_flow *f);
/* Bytes sent that the dataset can account for, reachable or not; 0 when not its taint. */
uint64_t flow_sent(const struct m_flow *f, unsigned dataset);
/* When the dataset became the flow's taint; UINT64_MAX: it is not. */
uint64_t flow_since(const struct m_flow *f, unsigned dataset);
uint64_t flow_mask(const struct m_flow *f);
/* Bytes sent since tainted by anything that can have reached it. */
uint64_t flow_tainted(const struct m_flow *f);

/* Every bound of these datasets must be looked at again. */
void model_touch(struct model *m, uint64_t mask);

/* Forgets what is over, folds closed flows, merges the dead when the model is filling up. */
int model_prune(struct model *m, uint64_t now_ns);
int model_merge_dead(struct model *m, uint64_t now_ns);
int model_merge_files(struct model *m);
/* Is it dead since long enough that no late word of it is to be expected? */
bool subject_gone(const struct m_subject *s, uint64_t now_ns);

void health_free(struct model *m);
bool model_owns_fact(const struct model *m, const char *fact);
bool job_is_ml(const struct model *m, const char *job);

#endif
