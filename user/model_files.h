/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which files of a dataset were read, by anyone and by each job: what data minimisation asks. Files go by their identity;
 * the last walk of the dataset says which there are. A figure that lacks something says so, and is then a lower one.
 */
#ifndef SLUICE_MODEL_FILES_H
#define SLUICE_MODEL_FILES_H

#include "user/file_list.h"
#include "user/model_internal.h"

#define FILES_OTHERS_MAX (1u << 18) /* of one dataset: read, but not met by the last walk */
#define FILES_CHUNKS_MAX (1u << 15) /* of all jobs: 512 bytes each, for 4096 files of a dataset */

/* Set by their numbers, some 4096 at a time where any is. */
struct m_bits {
	uint64_t **chunk;
	size_t nchunks;
};

/* Files of one dataset that were read by one job, or by anyone. */
struct m_cover {
	struct m_cover *next; /* of the same job */
	uint16_t dataset;
	bool partial;	  /* it read others, nobody knows which */
	bool elsewhere;	  /* it read some on devices that the walk did not come to, maybe the same ones by another way */
	struct m_bits bits; /* listed files first, then the others */
	uint64_t listed, bytes; /* how many of the listed ones, and their sizes */
	uint64_t others;
};

/* What one job, or all of them, read of a dataset. */
struct files_figures {
	bool exact;    /* else `read` is "at least", `unread` "at most" */
	bool measured; /* what follows is known: the dataset was walked */
	uint64_t read; /* distinct files, those that are gone by now or came later included */
	uint64_t total, unread;
	uint64_t bytes_total;
	uint64_t bytes_most; /* so many of them can have been read */
};

/* `bytes_read`: by whom the figures are about, repeated reads and all. `c` may be NULL: nothing. */
void files_figures(const struct model *m, unsigned dataset, const struct m_cover *c, uint64_t bytes_read,
		   struct files_figures *ret);

/* NULL: it read none. `job` NULL: of those whose job is not known. */
const struct m_cover *files_cover(const struct model *m, const struct m_job *job, unsigned dataset);

/* Was the file of this number, of the last walk, read? */
bool files_was_read(const struct m_cover *c, uint32_t number);

void files_cover_drop(struct model *m, struct m_cover *c);
void files_job_gone(struct model *m, struct m_job *job);
/* What it read so far, it read under another job's name. */
void files_job_changed(struct model *m, struct m_subject *s);
/* Bytes of the dataset came to it some way that tells no file. */
void files_unknown(struct model *m, struct m_subject *s, unsigned dataset);
/* Another tree has taken the place of the one that was walked. */
void files_forget(struct model *m, unsigned dataset);

#endif
