/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file that the kernel half names by device, inode number and generation: is it still there,
 * where does it lie, and who can read it? It is found again by its file handle, so nothing is kept
 * open and no name is trusted.
 */
#ifndef SLUICE_OBJECT_FILE_H
#define SLUICE_OBJECT_FILE_H

#include "include/ledger.h"
#include "user/util.h"

/* Enough for what the file systems below make; length 0: not known. */
#define OBJECT_HANDLE_MAX 40
struct object_handle {
	unsigned length;
	int type;
	unsigned char bytes[OBJECT_HANDLE_MAX];
};

/* Of what is open, maybe only as a name (O_PATH); where the file system gives none `h` stays as it is. */
void object_handle_ask(int fd, struct object_handle *h);

struct object_place {
	char *path; /* from our root, else as the process that has it open names it: hostile; NULL
		       not known */
	bool confined; /* on this host, and no other user can read it; or it has no name any more */
	bool fifo;     /* no regular file but a pipe with a name */
};

struct object_user {
	uint32_t pid; /* a process that may have it open, in our PID namespace; 0: none */
	bool closed;  /* no process has it open: where it has no name either, it is gone */
};

void object_place_done(struct object_place *p);

/* The mounts of our namespace as of now. Mount points are held open only as long as it lives. */
struct object_look;

/* `identify` says what the kernel calls the inode behind a descriptor: 0 or a negative errno. */
int object_look_begin(int (*identify)(void *arg, int fd, struct file_identity *ret), void *arg,
		      struct object_look **ret);
struct object_look *object_look_end(struct object_look *l);
static inline void object_look_endp(struct object_look **l)
{
	object_look_end(*l);
}

/* Does the file system that this path leads to answer by itself, so that opening it waits for no server and no daemon? Of a path
 * without symlinks. */
bool object_look_local(const struct object_look *l, const char *path);

/*
 * `handle` is filled in once it is known and serves the next call. -ESTALE: the inode is no more.
 * -EOPNOTSUPP: nothing can be said (of this file system handles tell nothing, or none was got while
 * the file was open). -ENOENT: it has no name any more, so that only who has it open can read it.
 * -ENOMEM.
 */
int object_look_up(struct object_look *l, const struct object *what, const struct object_user *user,
		   struct object_handle *handle, struct object_place *ret);

/* Of a path (real, absolute) and the mode of what lies there: can no other user read it? */
bool object_confined(const char *path, unsigned mode);

#endif
