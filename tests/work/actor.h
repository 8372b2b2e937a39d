/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What an actor process holds, and how its bytes move: slots, push, pull. */
#ifndef TESTS_WORK_ACTOR_H
#define TESTS_WORK_ACTOR_H

#include "tests/work/work.h"

#define NAME_LEN 32
#define SLOTS_MAX 65536
#define DATAGRAM 1400 /* below every MTU, so that one send is one packet */

/* A descriptor under a name; a pipe has two. */
struct slot {
	char name[NAME_LEN];
	int rd, wr; /* -1: none; equal for files and sockets */
	int type;   /* SOCK_STREAM, SOCK_DGRAM, or 0 */
};

enum total {
	T_NONE,
	T_READ,
	T_WRITTEN,
	T_PIPE_READ,
	T_PIPE_WRITTEN,
	T_SENT,
	T_RECEIVED,
	T_COUNT,
};

static const char *const total_names[T_COUNT] = {
    [T_READ] = "read",		 [T_WRITTEN] = "written",
    [T_PIPE_READ] = "pipe_read", [T_PIPE_WRITTEN] = "pipe_written",
    [T_SENT] = "sent",		 [T_RECEIVED] = "received",
};

/* What one word of the command line did in this process. */
struct truth {
	struct tally tally;
	uint64_t runs, end_ns; /* CLOCK_REALTIME when it last ended */
	int error;	       /* tolerated inside try{ */
	char local[ENDPOINT_LEN];
};

static struct {
	char **step;
	int steps;
	struct truth *truth;
	uint64_t total[T_COUNT];
	struct tally mapped;
	struct slot *slots;
	size_t slots_count;
	char *buffer;
	size_t chunk; /* 0: 64 KiB, or DATAGRAM */
	uint64_t rate;
	enum via via;
	bool bound;
	struct endpoint source;
	int report;
	unsigned int exec, trying, repeating;
	uint64_t turn;	   /* of the innermost repeat{; % in a name */
	int failed, error; /* index of the step that ended this process */
	bool child_failed;
} me = {.report = STDOUT_FILENO, .failed = -1};

#define BUFFER (1u << 20)

/* --- slots --------------------------------------------------------------------- */

/* The name after @, or the verb's own; % becomes the turn of the innermost repeat{. */
static void slot_name(char out[static NAME_LEN], const char *given, const char *own)
{
	const char *s = given ? given : own;
	size_t n = 0;

	for (; *s && n < NAME_LEN - 1; s++)
		if (*s == '%')
			n += (size_t)snprintf(out + n, NAME_LEN - n, "%llu",
					      (unsigned long long)me.turn);
		else
			out[n++] = *s;
	out[MIN(n, (size_t)NAME_LEN - 1)] = 0;
}

static struct slot *slot_find(const char *name)
{
	for (size_t i = 0; i < me.slots_count; i++)
		if (!strcmp(me.slots[i].name, name))
			return &me.slots[i];
	return NULL;
}

static void slot_shut(struct slot *s)
{
	if (s->wr >= 0 && s->wr != s->rd)
		close(s->wr);
	if (s->rd >= 0)
		close(s->rd);
	s->rd = s->wr = -1;
}

static int slot_set(const char *name, int rd, int wr, int type)
{
	struct slot *s = slot_find(name);

	if (!s) {
		if (me.slots_count == SLOTS_MAX)
			return -EMFILE;
		me.slots = realloc(me.slots, (me.slots_count + 1) * sizeof(*s));
		if (!me.slots)
			die("realloc");
		s = &me.slots[me.slots_count++];
		snprintf(s->name, sizeof(s->name), "%s", name);
	} else {
		slot_shut(s);
	}
	s->rd = rd;
	s->wr = wr;
	s->type = type;
	return 0;
}

/* --- moving bytes ---------------------------------------------------------------- */

static size_t chunk_for(const struct slot *s)
{
	if (me.chunk)
		return me.chunk;
	return s->type == SOCK_DGRAM ? DATAGRAM : 65536;
}

static void keep_rate(uint64_t began, uint64_t bytes)
{
	uint64_t due, now;

	if (!me.rate)
		return;
	due = began + (uint64_t)((double)bytes / (double)me.rate * 1e9);
	now = wall_ns();
	if (due > now)
		pause_ns(due - now);
}

static ssize_t put(const struct slot *s, size_t n)
{
	return s->type ? send(s->wr, me.buffer, n, MSG_NOSIGNAL) : write(s->wr, me.buffer, n);
}

static int push(struct slot *s, uint64_t want, struct truth *t)
{
	uint64_t began = wall_ns(), done = 0;

	if (s->wr < 0)
		return -EBADF;
	while (done < want) {
		ssize_t n = put(s, (size_t)MIN(want - done, (uint64_t)chunk_for(s)));

		t->tally.calls++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		t->tally.ops++;
		t->tally.bytes += (uint64_t)n;
		done += (uint64_t)n;
		keep_rate(began, done);
	}
	return 0;
}

/* `want` bytes exactly, or with NO_LIMIT to the end. The end too early is an error. */
static int pull(struct slot *s, uint64_t want, struct truth *t)
{
	uint64_t before = t->tally.bytes;
	struct limits most = {.bytes = want, .ops = NO_LIMIT};
	/* A datagram that does not fit is cut short, so the buffer is always large. */
	size_t size = s->type == SOCK_DGRAM ? BUFFER : chunk_for(s);
	int r;

	if (s->rd < 0)
		return -EBADF;
	if (s->type == SOCK_DGRAM) {
		if (want == NO_LIMIT)
			return -EINVAL;
		while (t->tally.bytes - before < want) {
			ssize_t n = recv(s->rd, me.buffer, size, 0);

			t->tally.calls++;
			if (n < 0 && errno != EINTR)
				return -errno;
			t->tally.ops += n > 0;
			t->tally.bytes += n > 0 ? (uint64_t)n : 0;
		}
		return 0;
	}
	r = tally_read(&t->tally, VIA_READ, s->rd, me.buffer, size, 0, &most);
	if (r == 0 && want != NO_LIMIT && t->tally.bytes - before < want)
		r = -ENODATA;
	return r;
}

static int limit_parse(const char *text, uint64_t *ret)
{
	if (!text || !*text) {
		*ret = NO_LIMIT;
		return 0;
	}
	return number_parse(text, ret);
}

#endif
