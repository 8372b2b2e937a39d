/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A walk of a tree put down as a list of its files. */
#ifndef SLUICE_SCAN_LIST_H
#define SLUICE_SCAN_LIST_H

#include "user/file_list.h"
#include "user/scan.h"

struct scan_list {
	struct file_list *list;
	uint32_t dir[SCAN_DEPTH]; /* numbers of the directories that the walk is in; UINT32_MAX: no room for its name */
	int (*identify)(void *arg, int fd, struct file_identity *ret);
	void *arg;
};

/* As the functions of struct scan_ops. What cannot be listed is counted as left out. */
int scan_list_entered(struct scan_list *s, unsigned depth, const char *name);
int scan_list_file(struct scan_list *s, unsigned depth, const char *name, int fd, const struct stat *st);

#endif
