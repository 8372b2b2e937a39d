/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Findings and where they are kept. Rules make them grow, records and snapshots read them. */
#ifndef SLUICE_FINDING_H
#define SLUICE_FINDING_H

#include "user/model_internal.h"

#define FINDINGS_MAX 4096 /* then what else a job does is joined in one finding */
#define FINDING_ID_LEN 20

enum rule {
	RULE_EXFIL_VOLUME,
	RULE_BUDGET_EXCEEDED,
	RULE_EGRESS_UNEXPECTED,
	RULE_EGRESS_PLAINTEXT,
	RULE_S3_FOREIGN_BUCKET,
	RULE_ACCESS_UNAUTHORIZED,
	RULE_CREDENTIAL_STATIC,
	RULE_CHANNEL_UNOBSERVABLE,
	RULE_STAGING_COPY,
	RULE_DNS_TUNNEL,
	RULE_MONITOR_GAP,
	RULE_KINDS,
};

enum severity {
	SEVERITY_INFO,
	SEVERITY_LOW,
	SEVERITY_MEDIUM,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
};

/* One step of the evidence chain. */
struct hop {
	char *from, *to;
	const char *via;
	uint64_t bytes;
	uint64_t time_ns; /* first seen, or when first seen behind the hop before; 0 not known */
	bool counted;	  /* false: bytes is not known, as for fork and exec */
	uint64_t last_ns; /* last seen, as the interval it fell into; 0 not known */
};

struct remote {
	uint8_t addr[16];
	uint16_t port;
	uint8_t proto;
	struct m_said *said; /* what is known of it, or NULL */
};

struct process_told;

struct finding {
	char id[FINDING_ID_LEN]; /* the key; zero behind its end */
	struct finding *next;
	enum rule rule;
	enum severity severity;
	char *title;
	int dataset; /* -1: none */
	char *job;   /* NULL: none or not known */
	struct m_subject *process;
	struct process_told *by; /* a process that is no subject, while `process` is NULL; NULL: none */
	bool has_remote, has_leak, has_exposed;
	bool joined; /* of several that there was no room for one by one */
	struct remote remote;
	char *channel; /* the remote end is a way out that is not measured: its name; NULL: it is not */
	uint64_t leak_bound, exposed;
	struct hop *chain;
	size_t nchain;
	char **coverage; /* facts missing */
	size_t ncoverage;
	uint64_t first_ns, last_ns;
	int64_t wall_offset;
	uint64_t count;
	bool given; /* a sink has it as it is now */

	/* The rule's own memory. */
	uint64_t sent; /* as judged last */
	unsigned idle; /* evaluations since sent grew */
	unsigned scans; /* of the dataset, when it was last judged */
	bool rough;    /* the bound is not the least that could be said */
	uint64_t seen;
};

/* What makes a finding this one and no other. `about` is the remote end or another word of the
 * rule; NULL: none. */
struct finding_key {
	enum rule rule;
	int dataset;
	const char *job;
	const char *about;
};

struct ds_graph;

struct findings {
	struct hashmap by_id;
	struct finding *first, *last;
	size_t n, most;
};

int findings_new(struct findings **ret);
void findings_free(struct findings *fs);

struct finding *finding_find(const struct model *m, const struct finding_key *key);
/* Found, or new with first and last at now_ns and count 0. -ENOMEM. */
int finding_get(struct model *m, const struct finding_key *key, uint64_t now_ns,
		struct finding **ret);

/* Is there a finding for this, or room for one? Else it belongs to the finding about ABOUT_OTHERS
 * of the same rule, dataset and job, for which there is always room. */
bool finding_has_place(const struct model *m, const struct finding_key *key);
#define ABOUT_OTHERS "*"

/* It grew in this interval. */
void finding_grow(struct finding *f, uint64_t now_ns);

int finding_title(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_process(struct finding *f, struct m_subject *s);
void finding_remote(struct model *m, struct finding *f, const struct m_flow *flow);

/* The gaps that weaken this rule, and losses that can lower a bound. `more`: one further fact, or
 * NULL. */
int finding_cover(const struct model *m, struct finding *f, const char *more);

/* Instead of it, one that is no subject; copied. -ENOMEM. */
int finding_process_told(struct finding *f, const struct process_told *by);

/* The widest way from the dataset to these flows becomes the chain; its last process becomes the
 * finding's. */
int finding_chain(struct model *m, struct finding *f, struct ds_graph *g,
		  const struct m_flow *const *flows, size_t n);
/* The same to objects. */
int finding_chain_to_objects(struct model *m, struct finding *f, struct ds_graph *g,
			     const struct m_object *const *objects, size_t n);

/* The widest way to one of the subjects that hold a channel, and from there into it. */
int finding_chain_to_channel(struct model *m, struct finding *f, struct ds_graph *g,
			     const struct m_subject *const *holders, size_t n, const struct m_channel *c);

/* The widest way to one of the subjects that asked for names, and from there into these: `names` in words, copied. */
int finding_chain_to_names(struct model *m, struct finding *f, struct ds_graph *g, const struct m_subject *const *askers,
			   size_t n, char *names, uint64_t bytes, uint64_t since_ns);

/* The widest way to it, by itself. -ENOENT: there is none; -ENOMEM. chain_free() it. */
int chain_to_object(const struct model *m, unsigned dataset, struct ds_graph *g, const struct m_object *o,
		    struct hop **ret, size_t *ret_n);
int chain_to_subject(const struct model *m, unsigned dataset, struct ds_graph *g, const struct m_subject *s,
		     struct hop **ret, size_t *ret_n);

/* The words of a hop of another monitor, as this one has them; NULL: no such. */
const char *hop_via(const char *word);
#define HOP_BEFORE "before" /* it held so much already when this monitor began, by a way that is not known */

void chain_free(struct hop *chain, size_t n);

const char *rule_name(enum rule r);
const char *severity_name(enum severity s);
/* MITRE ATT&CK techniques; NULL-terminated. */
const char *const *rule_mitre(enum rule r);

/* Can this loss make a bound too low, or leave bytes without an account? */
bool loss_weakens(enum loss l);

/* "python3[412]", safe for a terminal. */
#define SUBJECT_LEN 96
char *subject_text(char buf[static SUBJECT_LEN], const struct m_subject *s);
/* "pipe:[512]", "file /tmp/x": safe likewise. */
#define OBJECT_LEN 320
char *object_text(char buf[static OBJECT_LEN], const struct m_object *o);
/* "203.0.113.9:443", "[2001:db8::1]:443". */
#define REMOTE_LEN 64
char *remote_text(char buf[static REMOTE_LEN], const uint8_t addr[static 16], uint16_t port);
/* Where a flow goes. */
char *flow_text(char buf[static REMOTE_LEN], const struct m_flow *f);

#endif
