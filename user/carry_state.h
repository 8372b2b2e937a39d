/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What one monitor leaves to the next, as a file: JSON Lines, one of each dataset, then one of each holder and dataset, then
 * one that says that this is all. Only root can write it; it is checked as if anyone could.
 */
#ifndef SLUICE_CARRY_STATE_H
#define SLUICE_CARRY_STATE_H

#include "user/json_lines.h"
#include "user/json_write.h"
#include "user/model_carry.h"
#include "user/object_file.h"

#define CARRY_HOLDERS_MAX 262144
#define CARRY_FILE_MAX (512u << 20)

/* Whose words these are, and by which clock. */
struct carry_head {
	char boot[BOOT_ID_LEN + 1];
	uint64_t boot_ns;    /* when it was written */
	int64_t wall_offset; /* wall clock less boot time, then */
};

struct carry_set {
	char *id, *path;
	struct carried_dataset is;
};

struct carry_holder {
	size_t set; /* index of its dataset */
	struct carried is;
	bool is_object;
	/* a subject: */
	struct subject who;
	/* an object: */
	struct object what;
	enum object_kind kind;
	bool open; /* that others can read it was told */
	bool pending;		     /* it is of an earlier boot, and was not found since */
	char *path;		     /* hostile; NULL: not known */
	struct object_handle handle; /* length 0: not known */
	uint64_t inode;		     /* as in struct object_taint */
};

struct carry_state {
	struct carry_head head;
	struct carry_set *sets;
	struct carry_holder *holders;
	size_t nsets, nholders, max_sets, max_holders;
	bool whole; /* nothing of it is damaged */
};

/* -ENOENT; -EINVAL: it is no such file, and *ret_error says why. Of a damaged one what stands before the damage is given,
 * `whole` is false and *ret_error says where. */
int carry_read(const char *path, struct carry_state **ret, struct json_lines_error *ret_error);
struct carry_state *carry_state_free(struct carry_state *s);
static inline void carry_state_freep(struct carry_state **s)
{
	carry_state_free(*s);
}

void carry_holder_done(struct carry_holder *h);

/* Append a line each. -ENOMEM, -EFBIG. */
int carry_write_head(struct json_text *to, const struct carry_head *h);
int carry_write_set(struct json_text *to, const struct carry_set *s);
int carry_write_holder(struct json_text *to, const char *dataset, const struct carry_holder *h);
int carry_write_end(struct json_text *to, uint64_t holders);

#endif
