/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/unix_listen.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>

static int socket_alive(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN ||
	    errno == EPROTOTYPE)
		return 1;
	return errno == ECONNREFUSED ? 0 : -errno;
}

/* 1: a dead monitor's socket lies at path; 0: nothing; -EADDRINUSE, -EEXIST, ... */
static int what_is_there(const struct sockaddr_un *addr)
{
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int r = socket_alive(addr);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : r ? -EADDRINUSE : 1;
}

/* Mode 0660 and the group, through the inode itself: the name could be changed under us. */
static int give_to_group(const char *path, struct stat *ret_st)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const struct group *g = getgrnam("sluice");
	char self[64];

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISSOCK(ret_st->st_mode))
		return -EEXIST;
	if (g && fchownat(fd, "", (uid_t)-1, g->gr_gid, AT_EMPTY_PATH) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return chmod(self, 0660) < 0 ? -errno : 0;
}

/* Puts the listening socket at `temp` in the place of `addr`, where a dead one lies. What was taken
 * out is looked at again, so that a monitor that came up meanwhile is put back. */
static int take_place_of_dead(const struct sockaddr_un *temp, const struct sockaddr_un *addr)
{
	if (renameat2(AT_FDCWD, temp->sun_path, AT_FDCWD, addr->sun_path, RENAME_EXCHANGE) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	int r = what_is_there(temp);
	if (r >= 0) {
		unlink(temp->sun_path);
		return 0;
	}
	renameat2(AT_FDCWD, temp->sun_path, AT_FDCWD, addr->sun_path, RENAME_EXCHANGE);
	return r;
}

static int take_place(const struct sockaddr_un *temp, const struct sockaddr_un *addr)
{
	int r = -EADDRINUSE;

	for (int tries = 0; tries < 8; tries++) {
		if (renameat2(AT_FDCWD, temp->sun_path, AT_FDCWD, addr->sun_path,
			      RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		r = what_is_there(addr);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = take_place_of_dead(temp, addr);
		if (r != -EAGAIN)
			return r;
	}
	return -EADDRINUSE;
}

/* Nobody comes in before the rights are set: bind() gives the file the mode of the descriptor. */
static int bind_closed(int fd, const struct sockaddr_un *addr)
{
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return 0;
	if (errno != EADDRINUSE || what_is_there(addr) != 1)
		return -errno;
	unlink(addr->sun_path); /* of a dead process that had our number */
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
}

int unix_listen(const char *path, int backlog, struct unix_listener *ret)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX}, temp = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(addr.sun_path) ||
	    snprintf(temp.sun_path, sizeof(temp.sun_path), "%s.%d", path, getpid()) >=
		(int)sizeof(temp.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_closed(fd, &temp);
	if (r < 0)
		return r;
	r = give_to_group(temp.sun_path, &st);
	if (r == 0 && listen(fd, backlog) < 0)
		r = -errno;
	if (r == 0)
		r = take_place(&temp, &addr);
	if (r < 0) {
		unlink(temp.sun_path);
		return r;
	}
	*ret = (struct unix_listener){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
	memcpy(ret->path, addr.sun_path, sizeof(ret->path));
	fd = -1;
	return 0;
}

void unix_unlisten(struct unix_listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
}
