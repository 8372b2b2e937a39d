/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_head.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "user/export/journal_dir.h"

void journal_head_format(const struct journal_head *h, char ret[static JOURNAL_HEAD_SIZE])
{
	int n = snprintf(ret, JOURNAL_HEAD_SIZE, "{\"v\":1,\"seq\":%" PRIu64 ",\"closed\":%s,\"hash\":\"%s\"}", h->seq,
			 h->closed ? "true" : "false", h->hash);

	memset(ret + n, ' ', (size_t)(JOURNAL_HEAD_SIZE - 1 - n));
	ret[JOURNAL_HEAD_SIZE - 1] = '\n';
}

int journal_head_parse(const char *text, size_t len, struct journal_head *ret)
{
	char again[JOURNAL_HEAD_SIZE], copy[JOURNAL_HEAD_SIZE + 1];
	struct journal_head h = {0};
	char closed[6];

	if (len != JOURNAL_HEAD_SIZE)
		return -EBADMSG;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (sscanf(copy, "{\"v\":1,\"seq\":%18" SCNu64 ",\"closed\":%5[a-z],\"hash\":\"%64[0-9a-f]\"}", &h.seq, closed,
		   h.hash) != 3 ||
	    strlen(h.hash) != HASH_HEX || h.seq > JOURNAL_SEQ_MOST)
		return -EBADMSG;
	h.closed = !strcmp(closed, "true");
	journal_head_format(&h, again);
	if (memcmp(again, text, len) != 0)
		return -EBADMSG;
	*ret = h;
	return 0;
}

int journal_head_read(int dir, const char *name, struct journal_head *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err = journal_read_file(dir, name, JOURNAL_HEAD_SIZE, &text, &len);

	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	return journal_head_parse(text, len, ret);
}

int journal_head_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

int journal_head_write(int fd, const struct journal_head *h)
{
	char text[JOURNAL_HEAD_SIZE];
	ssize_t n;

	journal_head_format(h, text);
	do
		n = pwrite(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(text) ? 0 : n < 0 ? -errno : -EIO;
}

void journal_head_name(const char *path, char ret[static JOURNAL_HEAD_NAME])
{
	size_t most = JOURNAL_HEAD_NAME - 32, n;

	while (*path == '/')
		path++;
	n = strlen(path);
	snprintf(ret, JOURNAL_HEAD_NAME, "%s.head", n > most ? path + n - most : path);
	for (char *c = ret; *c; c++)
		*c = *c == '/' ? '-' : *c;
}
