/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files by their identity, each with a number from 0 on: those that a walk of a dataset met, with sizes and names, or any.
 * Bounded: some 40 bytes and the name for each file.
 */
#ifndef SLUICE_FILE_LIST_H
#define SLUICE_FILE_LIST_H

#include "include/ledger.h"
#include "user/util.h"

#define FILE_LIST_MAX (1u << 20)	/* files of one list */
#define FILE_LIST_NAMES_MAX (64u << 20) /* bytes of names */
#define FILE_LIST_DEVS 16		/* devices told apart */
#define FILE_LIST_NO_NAME UINT32_MAX

struct listed_file {
	struct object what;
	uint64_t size;
	uint32_t name; /* where in `names`; FILE_LIST_NO_NAME */
	uint32_t dir;  /* number of the directory */
};

struct file_list {
	struct listed_file *v;
	size_t n, cap, max;
	uint32_t *slots; /* number plus one; open addressing, a power of two, at most half full */
	size_t nslots;
	char *names;
	size_t names_used, names_cap;
	struct listed_dir {
		uint32_t name, up;
	} *dirs; /* 0: the root */
	size_t ndirs, dirs_cap;
	uint32_t devs[FILE_LIST_DEVS];
	size_t ndevs;
	bool more_devs;
	uint64_t bytes;	   /* of all of them */
	uint64_t left_out; /* not listed for want of room, or since the kernel did not say which they are */
};

/* -ENOMEM */
int file_list_new(size_t max, struct file_list **ret);
struct file_list *file_list_free(struct file_list *l);

static inline void file_list_freep(struct file_list **l)
{
	file_list_free(*l);
}

/* The number of a new directory below `up`; of the first one, the root, both are 0. -ENOSPC, -ENOMEM. */
int file_list_dir(struct file_list *l, uint32_t up, const char *name, uint32_t *ret);

/* Its number, added if it is not there; an old one keeps what is known of it. `name` NULL: not known. -ENOSPC, -ENOMEM. */
int file_list_add(struct file_list *l, const struct object *what, uint64_t size, uint32_t dir, const char *name,
		  uint32_t *ret);

/* -ENOENT */
int file_list_find(const struct file_list *l, const struct object *what, uint32_t *ret);

/* Is any of them on this device? Where there are too many to tell: no. */
bool file_list_on(const struct file_list *l, uint32_t dev);

/* From the root down, to be freed; hostile. NULL: no name, or no memory. */
char *file_list_path(const struct file_list *l, uint32_t number);

#endif
