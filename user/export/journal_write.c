/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the writer's thread does in the directory, one thing at a time. */
#include "user/export/journal_writer_internal.h"

#include <fcntl.h>
#include <sys/stat.h>

/* --- what is done --------------------------------------------------------------------- */

static int make_file(const struct journal_writer *w, const char *name, int flags)
{
	int fd = openat(w->dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0640);

	if (fd < 0)
		return -errno;
	/* whose it is and who may read it matters less than that it is written */
	if (w->group == (gid_t)-1 || !fchown(fd, (uid_t)-1, w->group))
		fchmod(fd, 0640);
	return fd;
}

static int sync_dir(const struct journal_writer *w)
{
	return fsync(w->dir) && errno != EINVAL ? -errno : 0;
}

static int write_rest(int fd, struct op *op)
{
	while (op->done < op->len) {
		ssize_t n = write(fd, op->data + op->done, op->len - op->done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		op->done += (size_t)n;
	}
	return 0;
}

/* One that could not be written claims too little, never too much. */
void writer_write_heads(struct journal_writer *w)
{
	if (w->heads[0] < 0)
		w->heads[0] = journal_head_open(w->dir, JOURNAL_HEAD); /* the disk was full when it was to be made */
	for (int i = 0; i < 2; i++)
		if (w->heads[i] >= 0)
			journal_head_write(w->heads[i], &w->written);
}

int writer_sync(struct journal_writer *w)
{
	int err = w->segment >= 0 && w->unsynced && fdatasync(w->segment) ? -errno : 0;

	if (err) {
		pthread_mutex_lock(&w->lock);
		w->state.sync_errors++;
		pthread_mutex_unlock(&w->lock);
		return err;
	}
	if (w->unsynced)
		writer_write_heads(w);
	w->unsynced = false;
	w->synced_ns = now_boot_ns();
	pthread_mutex_lock(&w->lock);
	w->state.synced_seq = w->written.seq;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static int open_segment(struct journal_writer *w, const struct op *op)
{
	int fd = make_file(w, op->name, O_APPEND | O_EXCL);

	if (fd < 0)
		return fd;
	if (w->segment >= 0)
		close(w->segment);
	w->segment = fd;
	sync_dir(w);
	return 0;
}

/* Someone removed what is being written: the rest would be written to nobody. */
static bool is_gone(const struct journal_writer *w)
{
	struct stat st;

	return fstat(w->segment, &st) == 0 && st.st_nlink == 0;
}

static int write_lines(struct journal_writer *w, struct op *op)
{
	int err;

	if (w->segment < 0 || is_gone(w)) {
		char name[JOURNAL_NAME];

		journal_segment_name(name, w->written.seq + 1);
		err = make_file(w, name, O_APPEND | O_EXCL);
		if (err < 0)
			return err;
		if (w->segment >= 0)
			close(w->segment);
		w->segment = err;
		pthread_mutex_lock(&w->lock);
		w->state.vanished++;
		pthread_mutex_unlock(&w->lock);
		op->done = 0;
	}
	err = write_rest(w->segment, op);
	if (err)
		return err;
	w->written = op->head;
	w->unsynced = true;
	return 0;
}

static int end_segment(struct journal_writer *w)
{
	int err = writer_sync(w);

	if (err)
		return err;
	if (w->segment >= 0)
		close(w->segment);
	w->segment = -1;
	return 0;
}

static int put_file(const struct journal_writer *w, struct op *op)
{
	char fresh[JOURNAL_NAME + 8];
	int err;

	snprintf(fresh, sizeof(fresh), ".%s.new", op->name);
	unlinkat(w->dir, fresh, 0);
	op->done = 0;
	_cleanup_close_ int fd = make_file(w, fresh, O_EXCL);
	err = fd < 0 ? fd : write_rest(fd, op);
	if (!err && fdatasync(fd))
		err = -errno;
	if (!err && renameat(w->dir, fresh, w->dir, op->name))
		err = -errno;
	if (!err)
		sync_dir(w);
	else if (fd >= 0)
		unlinkat(w->dir, fresh, 0);
	return err;
}

static int remove_file(struct journal_writer *w, const struct op *op)
{
	int err = writer_sync(w);

	if (err)
		return err;
	if (unlinkat(w->dir, op->name, 0) && errno != ENOENT) {
		pthread_mutex_lock(&w->lock);
		w->state.left++;
		pthread_mutex_unlock(&w->lock);
	}
	return 0;
}

int writer_carry_out(struct journal_writer *w, struct op *op)
{
	switch (op->kind) {
	case OP_SEGMENT:
		return open_segment(w, op);
	case OP_LINES:
		return write_lines(w, op);
	case OP_END_SEGMENT:
		return end_segment(w);
	case OP_FILE:
		return put_file(w, op);
	case OP_REMOVE:
		return remove_file(w, op);
	}
	return 0;
}
