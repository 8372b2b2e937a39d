/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who receives data and passes none on. Trust is decided here and not in the kernel: what moved stays recorded, and when trust
 * ends, by a reload or because the executable changed, the bounds are again as if it had never been.
 */
#ifndef SLUICE_MODEL_TRUST_H
#define SLUICE_MODEL_TRUST_H

#include "user/model.h"

/* An executable that is trusted, by its inode. */
struct trusted_file {
	const char *path;
	uint64_t ino;
	uint32_t dev, owner;
	const char *ended; /* why it is trusted no more, static; NULL: it is */
};

/* May a process be taken for what its executable says that it is? Asked once, while it lives. */
typedef bool (*trust_vouch)(const struct subject *who);

/* Takes the place of the list before; copied. -ENOMEM: the old list stays. */
int model_set_trusted(struct model *m, const struct trusted_file *files, size_t n, trust_vouch vouch);

/* The executable of a subject that the model knows, as the kernel named it. */
void model_set_executable(struct model *m, const struct subject *who, uint64_t ino, uint32_t dev, trust_vouch vouch);

#endif
