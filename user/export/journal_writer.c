/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The queue, and the thread that takes from it. */
#include "user/export/journal_writer_internal.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>

#include "user/thread.h"

#define PIECE (256u << 10) /* lines are gathered up to this size */

/* --- the thread -------------------------------------------------------------------------- */

static struct op *op_free(struct op *op)
{
	free(op->data);
	free(op);
	return NULL;
}

static void wait_ns(struct journal_writer *w, uint64_t ns)
{
	struct timespec until = time_in(ns);

	pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static void note_result(struct journal_writer *w, int err)
{
	w->state.error = err;
	if (!err)
		w->state.failing_ns = 0;
	else if (!w->state.failing_ns)
		w->state.failing_ns = now_boot_ns();
}

/* What is urgent waits for what is queued behind it, but no longer than anything else. */
static bool sync_due(const struct journal_writer *w, bool urgent)
{
	return w->unsynced && ((!w->first && (urgent || w->ended)) || now_boot_ns() - w->synced_ns >= WRITER_SYNC_NS);
}

/* One step, lock held: false when there is nothing to do now. */
static bool step(struct journal_writer *w, bool *urgent)
{
	bool sync = sync_due(w, *urgent);
	struct op *op = sync ? NULL : w->first;
	int err;

	if (!op && !sync)
		return false;
	w->busy = op != NULL;
	w->state.busy_ns = now_boot_ns();
	pthread_mutex_unlock(&w->lock);
	err = op ? writer_carry_out(w, op) : writer_sync(w);
	pthread_mutex_lock(&w->lock);
	w->busy = false;
	w->state.busy_ns = 0;
	note_result(w, err);
	if (err) {
		if (!w->abandoned)
			wait_ns(w, WRITER_RETRY_NS);
		return true;
	}
	*urgent = op && (*urgent || op->urgent);
	if (op) {
		w->first = op->next;
		if (!w->first)
			w->last = NULL;
		w->state.queued -= op->len;
		op_free(op);
	}
	return true;
}

static void *run(void *arg)
{
	struct journal_writer *w = arg;
	bool urgent = false;

	pthread_mutex_lock(&w->lock);
	while (!w->abandoned) {
		if (step(w, &urgent))
			continue;
		if (w->ended)
			break;
		if (w->unsynced)
			wait_ns(w, WRITER_SYNC_NS);
		else
			pthread_cond_wait(&w->wake, &w->lock);
	}
	bool well = !w->abandoned;
	pthread_mutex_unlock(&w->lock);
	if (well && w->closes) {
		w->written.closed = true;
		writer_write_heads(w);
	}
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static void dispose(struct journal_writer *w)
{
	while (w->first) {
		struct op *next = w->first->next;

		op_free(w->first);
		w->first = next;
	}
	for (int i = 0; i < 2; i++)
		closep(&w->heads[i]);
	closep(&w->segment);
	closep(&w->dir);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static int init_wake(struct journal_writer *w)
{
	pthread_condattr_t a;
	int err = pthread_condattr_init(&a);

	if (err)
		return -err;
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	err = pthread_cond_init(&w->wake, &a);
	pthread_condattr_destroy(&a);
	return -err;
}

/* Signals are for the loop. */
static int start_thread(struct journal_writer *w)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static int begin(struct journal_writer *w, int dir, const char *append_to, const struct journal_head *last)
{
	const struct group *g = geteuid() == 0 ? getgrnam("sluice") : NULL;

	w->group = g ? g->gr_gid : (gid_t)-1;
	w->synced_ns = now_boot_ns();
	w->written = *last;
	w->state.synced_seq = last->seq;
	w->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (w->dir < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		if (w->heads[i] >= 0 && w->group != (gid_t)-1 && fchown(w->heads[i], (uid_t)-1, w->group))
			continue; /* root's, as it was made */
	if (!append_to)
		return 0;
	w->segment = openat(w->dir, append_to, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	return w->segment < 0 ? -errno : 0;
}

int writer_start(int dir, const int heads[static 2], const char *append_to, const struct journal_head *last, size_t room,
		 struct journal_writer **ret)
{
	struct journal_writer *w = calloc(1, sizeof(*w));
	int err = w ? init_wake(w) : -ENOMEM;

	if (err) {
		free(w);
		for (int i = 0; i < 2; i++)
			if (heads[i] >= 0)
				close(heads[i]);
		return err;
	}
	pthread_mutex_init(&w->lock, NULL);
	w->heads[0] = heads[0];
	w->heads[1] = heads[1];
	w->segment = w->dir = -1;
	w->room = room ? room : WRITER_ROOM;
	err = begin(w, dir, append_to, last);
	if (!err)
		err = start_thread(w);
	if (err) {
		dispose(w);
		return err;
	}
	*ret = w;
	return 0;
}

void writer_wake(struct journal_writer *w)
{
	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void writer_look(struct journal_writer *w, struct writer_state *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->state;
	pthread_mutex_unlock(&w->lock);
}

void writer_closes(struct journal_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->closes = true;
	pthread_mutex_unlock(&w->lock);
}

int writer_stop(struct journal_writer *w, unsigned timeout_ms)
{
	int err;

	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (thread_joined(w->thread, timeout_ms * (NSEC / 1000))) {
		dispose(w);
		return 0;
	}
	pthread_mutex_lock(&w->lock);
	w->abandoned = true;
	pthread_cond_signal(&w->wake);
	err = w->state.error ? w->state.error : -EAGAIN;
	pthread_mutex_unlock(&w->lock);
	/* it ends at once, unless the disk keeps it: then what it uses must stay */
	if (thread_joined(w->thread, NSEC))
		dispose(w);
	else
		pthread_detach(w->thread);
	return err;
}

/* --- the queue --------------------------------------------------------------------------------- */

bool writer_has_room(struct journal_writer *w, size_t bytes)
{
	pthread_mutex_lock(&w->lock);
	/* a line that is larger than all of it goes alone */
	bool room = !w->state.queued || w->state.queued + bytes <= w->room;
	pthread_mutex_unlock(&w->lock);
	return room;
}

static int append_data(struct op *op, const char *data, size_t len)
{
	if (op->len + len > op->size) {
		size_t size = MAX(op->len + len, MIN(2 * op->size, (size_t)PIECE));
		char *grown = realloc(op->data, size);

		if (!grown)
			return -ENOMEM;
		op->data = grown;
		op->size = size;
	}
	memcpy(op->data + op->len, data, len);
	op->len += len;
	return 0;
}

static int new_op(enum op_kind kind, const char *name, const char *data, size_t len, struct op **ret)
{
	struct op *op = calloc(1, sizeof(*op));
	int err = op ? 0 : -ENOMEM;

	if (!err && len)
		err = append_data(op, data, len);
	if (err) {
		free(op);
		return err;
	}
	op->kind = kind;
	snprintf(op->name, sizeof(op->name), "%s", name ? name : "");
	*ret = op;
	return 0;
}

static void enqueue(struct journal_writer *w, struct op *op)
{
	if (w->last)
		w->last->next = op;
	else
		w->first = op;
	w->last = op;
	w->state.queued += op->len;
}

static int add_op(struct journal_writer *w, enum op_kind kind, const char *name, const char *data, size_t len)
{
	struct op *op;
	int err = new_op(kind, name, data, len, &op);

	if (err)
		return err;
	pthread_mutex_lock(&w->lock);
	enqueue(w, op);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int writer_segment(struct journal_writer *w, const char *name)
{
	return add_op(w, OP_SEGMENT, name, NULL, 0);
}

/* Lines are gathered in the last piece, unless the thread is at it. */
static struct op *open_piece(const struct journal_writer *w, size_t len)
{
	struct op *op = w->last;

	return op && op->kind == OP_LINES && !(w->busy && op == w->first) && op->done == 0 && op->len + len <= PIECE ? op
														     : NULL;
}

int writer_line(struct journal_writer *w, const char *line, size_t len, const struct journal_head *head, bool urgent)
{
	struct op *op;
	int err;

	pthread_mutex_lock(&w->lock);
	op = open_piece(w, len);
	if (op) {
		err = append_data(op, line, len);
		w->state.queued += err ? 0 : len;
	} else {
		err = new_op(OP_LINES, NULL, line, len, &op);
		if (!err)
			enqueue(w, op);
	}
	if (!err) {
		op->head = *head;
		op->urgent = op->urgent || urgent;
		if (urgent || op->len >= PIECE / 2)
			pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return err;
}

int writer_end_segment(struct journal_writer *w)
{
	return add_op(w, OP_END_SEGMENT, NULL, NULL, 0);
}

int writer_file(struct journal_writer *w, const char *name, const char *text, size_t len)
{
	return add_op(w, OP_FILE, name, text, len);
}

int writer_remove(struct journal_writer *w, const char *name)
{
	return add_op(w, OP_REMOVE, name, NULL, 0);
}
