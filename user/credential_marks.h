/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Files that may hold credentials, by inode, and what is in them. What a file holds is looked at when it is found and again
 * when someone opens it after it changed: by the descriptor that the kernel hands over, so under whatever name it has then.
 */
#ifndef SLUICE_CREDENTIAL_MARKS_H
#define SLUICE_CREDENTIAL_MARKS_H

#include <sys/stat.h>

#include "user/hashmap.h"
#include "user/secret_file.h"

#define CREDENTIAL_FILES_MAX 8192

struct credential_mark {
	struct {
		uint64_t dev, ino;
	} id;
	enum secret_kind kind;
	bool holds, unread;
	char key[SECRET_KEY_LEN];
	char *path; /* as it was found; hostile */
	uint64_t size;
	struct timespec mtime, ctime; /* when it was read */
	uint64_t seen;		      /* number of the scan that met it last */
};

struct credential_marks {
	int fan; /* -1: none */
	struct hashmap files;
	char buf[SECRET_FILE_MAX + 1];
	uint64_t scan;
	uint64_t left; /* files that there was no room for */
	int refused;   /* the last error of a mark */
};

/* A descriptor for marks, and whether its events name processes by descriptors, or what the kernel says against it. */
int credential_marks_open(bool *ret_pidfds);

struct fanotify_event_metadata;
/* The descriptor of the process, the caller's now; negative: there is none. */
int credential_marks_pidfd(const struct fanotify_event_metadata *e);

/* The fact that is measured by it, as gaps name facts. */
#define CREDENTIAL_FACT "credential.files"
#define CREDENTIAL_FACT_TEXT "uses of long-lived credentials"

/* Of one that was found: marked, and read if it is new. `fd` as credential_each() has it. */
void credential_marks_add(struct credential_marks *m, enum secret_kind kind, int fd, const struct stat *st);

/* The file that was opened, as it is now; NULL: none of ours, or it holds nothing. */
const struct credential_mark *credential_marks_opened(struct credential_marks *m, int fd);

void credential_marks_free(struct credential_marks *m);

#endif
