/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/top_internal.h"

#include <fcntl.h>
#include <string.h>

#define NAMES_MAX 100
#define LINE_BYTES 8192

/* Never through a link, nor over what is there: the viewer may run as root in somebody's directory. */
static int open_new(char *ret_name, size_t n)
{
	struct timespec now;
	struct tm tm;
	char at[32];
	int fd = -EEXIST;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", &tm);
	for (unsigned i = 1; i <= NAMES_MAX && fd == -EEXIST; i++) {
		if (i == 1)
			snprintf(ret_name, n, "sluice-top-%s.txt", at);
		else
			snprintf(ret_name, n, "sluice-top-%s-%u.txt", at, i);
		fd = open(ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}

/* All but the last line where it is about keys. */
static int write_screen(FILE *f)
{
	char line[LINE_BYTES];
	int rows, columns;

	term_size(&rows, &columns);
	for (int y = 0; y < rows - (rows >= ROWS_FOR_HINTS); y++) {
		term_line(y, line, sizeof(line));
		fprintf(f, "%s\n", line);
	}
	return ferror(f) ? -EIO : 0;
}

int top_save(char *ret_name, size_t n)
{
	int fd = open_new(ret_name, n), err;
	FILE *f;

	if (fd < 0)
		return fd;
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	err = write_screen(f);
	if (fclose(f) && !err)
		err = -errno;
	if (err)
		unlink(ret_name);
	return err;
}
