/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who used long-lived credentials. Uses are kept apart from subjects: most who use them are no subjects of ours, and may
 * become some later. At most CREDENTIAL_USES_MAX are kept; then the oldest is forgotten that no finding speaks of.
 */
#ifndef SLUICE_MODEL_CREDENTIAL_H
#define SLUICE_MODEL_CREDENTIAL_H

#include "user/model_internal.h"
#include "user/secret_file.h"

#define CREDENTIAL_USES_MAX 4096

/* Why uses are not known. */
enum credential_lost {
	CREDENTIAL_OVERFLOW, /* the kernel's queue was full */
	CREDENTIAL_GONE,     /* whoever it was had ended before it was looked at */
	CREDENTIAL_LEFT,     /* there was no room for it */
	CREDENTIAL_LOST_KINDS,
};
const char *credential_lost_name(enum credential_lost l);

/* One process and one file, as far as known; texts are copied. */
struct credential_use {
	uint32_t pid;
	uint64_t start_ns, span_ns; /* the process began then, or less than `span_ns` later; 0: it was gone */
	uint64_t when_ns;	    /* of the latest of these opens */
	uint64_t opens;		    /* to be added: at least */
	uint32_t uid, parent;	    /* parent 0: not known */
	bool uid_known;
	const char *comm, *exe, *job; /* hostile; NULL or "": not known */
	enum secret_kind kind;
	const char *path; /* as the file was found: hostile; NULL: no file */
	const char *key;  /* masked; "": none */
};

/* -ENOMEM; -ENOSPC: left out, which is counted. */
int model_set_credential_use(struct model *m, const struct credential_use *use);

/* What a subject's environment holds. Of a job each key counts once, and once more by the first that is tainted. -ENOENT, -ENOMEM, -ENOSPC. */
int model_set_environment(struct model *m, const struct subject *who, const struct env_secrets *env);

/* The next place that an environment named, for who looks there; false: none. */
struct credential_hint {
	uint32_t pid; /* whose root it lies in */
	enum secret_kind kind;
	char path[2 * ENV_PATH_LEN]; /* absolute, hostile */
};
bool model_take_credential_hint(struct model *m, struct credential_hint *ret);

/* How well it is seen who opens such files. */
struct credential_state {
	char why[160];		/* what is in the way; "": nothing */
	uint64_t files, holding; /* watched; those of them that hold something long-lived */
	uint64_t unread;	/* could not be read, so that what they hold is not known */
	uint64_t lost[CREDENTIAL_LOST_KINDS]; /* totals since start */
};
void model_set_credential_state(struct model *m, const struct credential_state *s);

/* --- for rules and records ---------------------------------------------------------------- */

/* A process as /proc told of it. */
struct process_told {
	uint64_t start_ns; /* 0: not known, as is all but `pid` */
	uint32_t pid, uid, parent;
	bool uid_known;
	char comm[64];
	char *exe; /* NULL: not known */
};

struct m_use {
	struct m_use *next;	/* in order of arrival */
	struct m_use *next_pid; /* of the same bucket */
	struct process_told by;
	uint64_t span_ns, first_ns, last_ns;
	uint64_t opens, given, judged;
	uint64_t due_ns; /* as of an access */
	unsigned looks;	 /* evaluations that asked who it is */
	bool raised, raised_high, recorded, gone_counted;
	enum secret_kind kind;
	char key[SECRET_KEY_LEN];
	char *path, *job; /* NULL: none, not known; `job` as /proc said */
	struct m_subject *subject; /* the latest image that is known; NULL: none */
	uint64_t mask; /* of all images, when judged last */
};

#define USE_BUCKETS 1024
#define ENV_KEYS_MAX 255 /* different ones; of further ones only the first process of a job is known */
struct m_credentials {
	char keys[ENV_KEYS_MAX][SECRET_KEY_LEN]; /* of environments, masked */
	uint8_t nkeys;
	struct m_use *first, *last;
	struct m_use *of_pid[USE_BUCKETS];
	size_t n;
	struct credential_hint hints[64];
	size_t nhints;
	struct credential_state state;
	char *gap; /* as health names it; NULL: none */
	uint64_t lost[CREDENTIAL_LOST_KINDS]; /* of the model itself */
	uint64_t lost_judged[CREDENTIAL_LOST_KINDS];
};

/* Who each is, by what the model knows of subjects now. */
void credentials_find_subjects(struct model *m);
void credentials_subject_gone(struct model *m, const struct m_subject *s);
int credentials_new(struct model *m);
void credentials_free(struct model *m);
/* Is all known of it that will be? */
static inline bool use_is_known(const struct m_use *u)
{
	return u->by.start_ns || u->subject || u->looks > 2;
}
/* Its job by what is known best; NULL: not known. */
const char *use_job(const struct m_use *u);
uint64_t credentials_lost(const struct model *m, enum credential_lost l);

#endif
