/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where files with long-lived credentials lie: in every home of the host, of containers and chroots. Names only make
 * candidates; what is in them decides, see secret_file.h.
 *
 * Roots and homes belong to others: no link leads out of a root, nothing but regular files is opened, and an automounter is
 * not woken. A file system that does not answer holds up whoever calls.
 */
#ifndef SLUICE_CREDENTIAL_FILES_H
#define SLUICE_CREDENTIAL_FILES_H

#include <sys/stat.h>

#include "user/secret_file.h"

#define PASSWD_DEFAULT "/etc/passwd"

/* A candidate: `fd` is O_PATH and borrowed. */
typedef void (*credential_each)(void *arg, enum secret_kind kind, int fd, const struct stat *st);

/* Of the homes in the file `passwd` of this process's own root, of the roots of other processes, and of who runs in another
 * mount namespace. Each may come several times. Errors of opendir(3), of reading `passwd`; -ENOMEM. What can't be opened is left out.
 * -ENOSPC: there were more homes or roots than are looked at; all others were. */
int credential_files_scan(const char *passwd, credential_each each, void *arg);

/* Only the homes of one root, a directory; `passwd` lies in it. */
int credential_files_of_root(const char *root, const char *passwd, credential_each each, void *arg);

/* One path in the root of a process. Nothing comes where there is no such file. */
void credential_files_at(uint32_t pid, enum secret_kind kind, const char *path, credential_each each, void *arg);

/* The whole file behind an O_PATH or other descriptor into `buf`. -EFBIG, -EACCES and other errors of open(2) and read(2);
 * -ESTALE: it is not regular any more. */
int credential_file_read(int fd, char *buf, size_t room, size_t *ret_len);

#endif
