/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Names that processes ask for. A question can carry data to whoever answers for its domain, by any resolver.
 *
 * Each subject has its totals, which move into the one that stands for its job's dead, or are given up with it. What
 * dns.tunnel judges is kept by job and domain, since one process per name is the usual way to do it: the questions of
 * those that held a dataset's bytes by then, as told one evaluation later, when what is known of them is complete. A
 * forwarder of this host asks once more for what another job has asked for just before: that is nobody's question.
 */
#ifndef SLUICE_MODEL_DNS_H
#define SLUICE_MODEL_DNS_H

#include "user/dest/dns.h"
#include "user/model_internal.h"

#define DOMAINS_OF_JOB 512 /* those that come after are one, DOMAIN_OTHERS */
#define DOMAINS_MAX 4096   /* of all jobs, likewise */
#define DOMAIN_OTHERS "*." /* no name is written so */
#define DOMAIN_ASKERS 8
#define DOMAIN_TALLIES 8
#define QUESTIONS_WAITING_MAX 8192
#define HEARD_MAX (2 * QUESTIONS_WAITING_MAX)

/* A question was sent by the subject to `resolver` (IPv4 as ::ffff:a.b.c.d), port in host order. -EINVAL: it is an answer;
 * -ENOSPC: the subject has no place in the model; -ENOMEM. */
int model_set_question(struct model *m, const struct subject *who, uint64_t flow_id, const struct dns_message *q,
		       const uint8_t resolver[static 16], uint16_t port, uint64_t now_ns);

/* --- of a subject --------------------------------------------------------- */

/* How many different hashes there were: exact for a few, then within 7 % mostly. */
struct distinct {
	uint64_t few[8];
	unsigned n;
	uint8_t *ranks; /* HyperLogLog; NULL: not yet */
};

struct m_asker {
	uint64_t questions, bytes; /* of names as sent */
	struct distinct names;
};

uint64_t distinct_count(const struct distinct *d);
void asker_free(struct m_asker *a);
/* Adds `from` to `to` and frees it. Without memory it is given up. */
void asker_move(struct m_asker **to, struct m_asker **from);

/* --- of a domain ---------------------------------------------------------- */

/* Of questions by subjects that held all datasets in `mask`. `names` and what follows are of names met for the first time. */
struct tally {
	uint64_t mask;
	uint64_t since_ns, last_ns;
	uint64_t questions, bytes; /* of what is below the domain, with each label's length */
	uint64_t odd;		   /* questions of types other than for addresses */
	uint64_t names, name_bytes;
	uint64_t skeletons, skeleton_bytes; /* names that differ by more than their numbers */
	uint64_t coded_names, coded_bytes;  /* in labels that look like data, each met once */
	uint64_t coded_points; /* the same bytes; those of names that are mostly such count more */
	unsigned longest;      /* label */
};

struct m_domain {
	struct {
		uint64_t job; /* address of the m_job; 0: not known */
		uint64_t hash;
	} key;
	struct m_domain *next, **at; /* of all */
	struct m_domain *job_next, **job_at;
	char *text; /* "": names without a domain; DOMAIN_OTHERS */
	struct m_job *job;
	struct tally tallies[DOMAIN_TALLIES];
	unsigned ntallies;
	struct seen {
		uint64_t hash, mask;
	} *seen; /* a power of two, or none */
	size_t nseen, room;
	bool full; /* there was no room for all: figures about different names are "at least" */
	struct subject askers[DOMAIN_ASKERS];
	unsigned naskers, next_asker;
	bool more_askers; /* than the last, who stand here */
	uint8_t resolver[16]; /* that was asked last */
	uint16_t port;
	uint8_t proto;
	bool provider; /* only its owner sees the questions */
	bool asked_out; /* a resolver on the internet was asked: it sees them */
	unsigned idle; /* evaluations since a question */
};

/* One question that is told of. */
struct asked {
	struct asked *next;
	struct subject who;
	uint64_t at_ns, met; /* evaluations there had been */
	uint64_t hash;
	uint8_t resolver[16];
	uint16_t port, type;
	uint8_t proto;
	unsigned longest;
	char name[];
};

struct questions {
	struct hashmap by_key;
	struct m_domain *first, *unknown; /* of all; of subjects without a job */
	unsigned ndomains, nunknown;	  /* without those of further ones */
	size_t nseen;
	struct asked *first_waiting, *last_waiting;
	unsigned nwaiting;
	struct heard {
		struct subject who;
		uint64_t hash, at_ns;
	} heard[HEARD_MAX]; /* of late, who was first to ask for a name; in a circle */
	unsigned next_heard;
	struct hashmap heard_by_hash;
	struct holding {
		struct subject who;
		uint64_t versions, mask, since_ns[SL_DATASETS_MAX];
	} holdings[16]; /* of those asked for last */
	uint64_t relayed; /* not counted, since another job had asked just before */
};

struct questions *questions_free(struct questions *q);
/* Counts those that waited for one evaluation. -ENOMEM. */
int questions_settle(struct model *m);

/* `mask`: datasets that the subject held by then. -ENOMEM. */
int domain_count(struct model *m, struct m_job *job, const struct asked *a, bool outside, uint64_t mask);
/* All that is known of a dataset's holders. */
struct tally domain_sum(const struct m_domain *d, unsigned dataset);
uint64_t domain_mask(const struct m_domain *d);
void domains_job_gone(struct model *m, struct m_job *job);
void domain_free(struct questions *q, struct m_domain *d);

#endif
