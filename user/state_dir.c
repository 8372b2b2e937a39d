/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Whoever could write there could make us forget, or slander. */
static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

/* The directory's own parents must be there, but for the last: /var/lib is, /var/lib/sluice need not be. */
int state_dir_open(const char *dir)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : check_owner(fd);

	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

void state_file_name(const char *socket, const char *suffix, char ret[static NAME_MAX + 1])
{
	size_t most = NAME_MAX - strlen(suffix) - 9, n;

	while (*socket == '/')
		socket++;
	n = strlen(socket);
	snprintf(ret, NAME_MAX + 1, "%s%s", n > most ? socket + n - most : socket, suffix);
	for (char *c = ret; *c; c++)
		*c = *c == '/' ? '-' : *c;
}
