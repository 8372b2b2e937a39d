/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A listening unix socket that takes the place of a dead one's file, and of nothing else. */
#ifndef SLUICE_UNIX_LISTEN_H
#define SLUICE_UNIX_LISTEN_H

#include <sys/stat.h>
#include <sys/un.h>
#include "user/util.h"

struct unix_listener {
	int fd; /* non-blocking; -1: closed */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t dev;
	ino_t ino;
};

/* Listens under another name first, so that the socket appears at `path` in one step, ready and
 * with its rights: mode 0660, group `sluice` if there is one. -EADDRINUSE: a living one listens
 * there; -EEXIST: something that is no socket is there, and left alone; -ENAMETOOLONG; or what the
 * system says. */
int unix_listen(const char *path, int backlog, struct unix_listener *ret);

/* Closes it, and removes the file if it is still this one's. */
void unix_unlisten(struct unix_listener *l);

#endif
