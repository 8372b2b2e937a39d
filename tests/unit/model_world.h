/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A small world in which every byte has an identity: processes read, write to pipes and files, read
 * from them, share memory, look into each other's, dump core, fork, exec, connect, inherit sockets and
 * send, in random order. What the kernel half would count of it is counted as that does. Include
 * after cmocka.h.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include <string.h>

#include "user/model_graph.h"
#include "user/policy/rules.h"

#define DATASETS 2
#define IDS 64 /* distinct bytes of each dataset */
#define SUBJECTS_MAX 24
#define PIPES 4
#define FILES 3
#define DERIVED 0 /* a file that is in a dataset derived from the first, where there is one */
#define FILE_BYTES 2000
#define MEMORIES 2
#define MEMORY_BYTES 50
#define MASKS 4 /* of two datasets, with none */
#define FLOWS_MAX 10
#define REMOTES 3
#define QUEUE 400
#define JUNK 0xff

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	return rng_state ^= rng_state << 17;
}

static unsigned below(unsigned n)
{
	return (unsigned)(rng() % n);
}

struct byte {
	uint8_t dataset, id; /* dataset JUNK: not tagged */
};

struct transfer {
	uint64_t mask, bytes;
};

struct actor {
	struct subject who;
	int parent; /* index, -1 none */
	bool dead, replaced, announced, used, gone;
	bool holds[DATASETS][IDS];
	uint64_t read[DATASETS], first[DATASETS];
	struct taint taint;
	bool pipe[PIPES], flow[FLOWS_MAX], file[FILES]; /* descriptors; of files, for writing */
	struct transfer in[PIPES][MASKS], out[PIPES][MASKS], fin[FILES][MASKS], fout[FILES][MASKS];
	struct transfer dump[FILES][MASKS], peek[SUBJECTS_MAX][MASKS]; /* bytes: how often */
	bool map[MEMORIES];
	struct transfer look[MEMORIES][MASKS], store[MEMORIES][MASKS];
	uint64_t pending[PIPES]; /* written, but the call has not returned */
	uint64_t fpending[FILES];
};

struct pipe {
	struct byte queue[QUEUE];
	unsigned head, n;
	uint64_t mask;
};

struct file {
	struct byte content[FILE_BYTES];
	unsigned n;
	uint64_t mask, ino;
};

struct memory {
	struct byte content[MEMORY_BYTES];
	uint64_t mask;
};

struct conn {
	struct flow f;
	struct m_flow_taint taints[8];
	unsigned ntaints;
	bool gone;
	bool left[DATASETS][IDS];
};

struct world {
	struct actor actor[SUBJECTS_MAX];
	unsigned actors;
	struct pipe pipe[PIPES];
	struct file file[FILES];
	struct memory memory[MEMORIES];
	struct conn conn[FLOWS_MAX];
	unsigned conns;
	uint64_t now;
	bool pressed;
	bool derived; /* there is such a dataset: a third one */
	struct model *m;
};

/* --- what the kernel half does ------------------------------------------- */

static void flow_taint_add(struct world *w, struct conn *c, uint64_t mask, uint64_t base)
{
	if ((c->f.mask & mask) == mask)
		return;
	c->f.mask |= mask;
	c->taints[c->ntaints++] = (struct m_flow_taint){c->f.mask, base, w->now};
}

/* Of the two users one is a declared writer. */
static uint32_t user_of(const struct actor *a)
{
	return a->who.tgid % 2;
}

static void announce(struct world *w, struct actor *a)
{
	struct subject_info info = {
	    .who = a->who, .seen_ns = w->now, .uid = user_of(a), .uid_known = true, .job = "slurm:1.0", .comm = "x"};

	if (a->announced)
		return;
	a->announced = true;
	info.parent = a->parent < 0 ? (struct subject){1, 1, 0} : w->actor[a->parent].who;
	info.parent.exec = 0;
	assert_int_equal(model_set_subject(w->m, &info), 0);
	/* The collector introduces ancestors too. */
	if (a->parent >= 0)
		announce(w, &w->actor[a->parent]);
}

static bool same_process(const struct subject *a, const struct subject *b)
{
	return a->tgid == b->tgid && a->start_ns == b->start_ns;
}

/* As far as the kernel can tell: whose parent has ended is another's child. */
static bool inherits(const struct world *w, const struct actor *a, const struct flow *f)
{
	uint64_t born = UINT64_MAX, since = f->role == ROLE_UNKNOWN ? 0 : f->start_ns;

	for (; a; a = a->parent < 0 || w->actor[a->parent].dead ? NULL : &w->actor[a->parent]) {
		if (same_process(&a->who, &f->who))
			return born >= since;
		born = a->who.start_ns;
	}
	return false;
}

static void flow_mark(struct world *w, struct actor *a, struct conn *c, uint64_t mask)
{
	c->f.passed |= !inherits(w, a, &c->f);
	flow_taint_add(w, c, mask, c->f.out);
}

static void become_tainted(struct world *w, struct actor *a, uint64_t mask, uint32_t via)
{
	a->used = true;
	if ((a->taint.mask & mask) == mask)
		return;
	if (!a->taint.mask)
		a->taint.via = via;
	a->taint.mask |= mask;
	a->taint.since_ns = w->now;
	for (unsigned p = 0; p < PIPES; p++)
		w->pipe[p].mask |= a->pipe[p] ? mask : 0;
	for (unsigned f = 0; f < FILES; f++)
		w->file[f].mask |= a->file[f] ? mask : 0;
	for (unsigned c = 0; c < w->conns; c++) {
		if (a->flow[c])
			flow_mark(w, a, &w->conn[c], mask);
	}
}

static void count(struct transfer *t, uint64_t mask, uint64_t bytes)
{
	for (unsigned i = 0; i < MASKS; i++) {
		if (!t[i].mask || t[i].mask == mask) {
			t[i].mask = mask;
			t[i].bytes += bytes;
			return;
		}
	}
	fail();
}

/* --- what processes do --------------------------------------------------- */

static void do_read(struct world *w, struct actor *a)
{
	unsigned d = below(DATASETS), n = 1 + below(20);

	for (unsigned i = 0; i < n; i++)
		a->holds[d][below(IDS)] = true;
	if (!a->read[d])
		a->first[d] = w->now;
	a->read[d] += n;
	become_tainted(w, a, BIT(d), VIA_READ);
	announce(w, a);
}

/* A byte of its memory, mostly a tagged one if it has any. */
static struct byte some_byte(const struct actor *a)
{
	for (unsigned tries = 0; tries < 30; tries++) {
		unsigned d = below(DATASETS), i = below(IDS);

		if (a->holds[d][i])
			return (struct byte){(uint8_t)d, (uint8_t)i};
	}
	return (struct byte){JUNK, 0};
}

static void write_returns(struct world *w, struct actor *a, unsigned p)
{
	uint64_t n = a->pending[p];

	a->pending[p] = 0;
	if (!n || !a->taint.mask)
		return;
	a->used = true;
	w->pipe[p].mask |= a->taint.mask;
	announce(w, a);
	count(a->out[p], a->taint.mask, n);
}

static void do_write(struct world *w, struct actor *a)
{
	unsigned p = below(PIPES), n = 1 + below(20);
	struct pipe *q = &w->pipe[p];

	if (!a->pipe[p])
		return;
	for (unsigned i = 0; i < w->actors; i++) {
		if (w->actor[i].pending[p])
			return; /* writers of one pipe take turns; see user/model_graph.h */
	}
	for (unsigned i = 0; i < n && q->n < QUEUE; i++) {
		q->queue[(q->head + q->n++) % QUEUE] =
		    below(4) ? some_byte(a) : (struct byte){JUNK, 0};
		a->pending[p]++;
	}
	if (below(3)) /* else the call lasts: readers are faster than it */
		write_returns(w, a, p);
}

static void do_receive(struct world *w, struct actor *a)
{
	unsigned p = below(PIPES), n = 1 + below(20);
	struct pipe *q = &w->pipe[p];
	uint64_t mask = q->mask, got = 0;

	if (!a->pipe[p])
		return;
	for (; got < n && q->n; got++) {
		struct byte b = q->queue[q->head];

		q->head = (q->head + 1) % QUEUE;
		q->n--;
		if (b.dataset != JUNK)
			a->holds[b.dataset][b.id] = true;
	}
	if (!got || !mask)
		return;
	become_tainted(w, a, mask, VIA_PIPE_READ);
	announce(w, a);
	count(a->in[p], mask, got);
}

/* --- files --------------------------------------------------------------- */

static void file_write_returns(struct world *w, struct actor *a, unsigned f)
{
	uint64_t n = a->fpending[f];

	a->fpending[f] = 0;
	if (!n || !a->taint.mask)
		return;
	a->used = true;
	w->file[f].mask |= a->taint.mask;
	announce(w, a);
	count(a->fout[f], a->taint.mask, n);
}

static void all_writes_return(struct world *w, struct actor *a)
{
	for (unsigned p = 0; p < PIPES; p++)
		write_returns(w, a, p);
	for (unsigned f = 0; f < FILES; f++)
		file_write_returns(w, a, f);
}

static void do_open(struct world *w, struct actor *a)
{
	unsigned f = below(FILES);

	a->file[f] = true;
	w->file[f].mask |= a->taint.mask;
}

static bool masks(const struct world *w, const struct actor *a, unsigned f)
{
	return w->derived && f == DERIVED && !user_of(a);
}

static void do_save(struct world *w, struct actor *a)
{
	unsigned at = below(FILES), n = 1 + below(20);
	struct file *f = &w->file[at];

	if (!a->file[at])
		return;
	for (unsigned i = 0; i < w->actors; i++) {
		if (w->actor[i].fpending[at])
			return;
	}
	for (unsigned i = 0; i < n && f->n < FILE_BYTES; i++) {
		struct byte b = below(4) ? some_byte(a) : (struct byte){JUNK, 0};

		if (masks(w, a, at) && b.dataset == 0)
			b = (struct byte){JUNK, 0};
		f->content[f->n++] = b;
		a->fpending[at]++;
	}
	file_write_returns(w, a, at); /* a write that lasts counts when it returns; see user/model_graph.h */
}

/* Any part of it, as often as it likes. */
static void do_load(struct world *w, struct actor *a)
{
	unsigned at = below(FILES), n = 1 + below(30);
	struct file *f = &w->file[at];

	if (!f->n)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct byte b = f->content[below(f->n)];

		if (b.dataset != JUNK)
			a->holds[b.dataset][b.id] = true;
	}
	if (!f->mask)
		return;
	uint64_t mask = f->mask;
	become_tainted(w, a, mask, VIA_FILE_READ);
	announce(w, a);
	count(a->fin[at], mask, n);
}

static void do_dump(struct world *w, struct actor *a)
{
	unsigned at = below(FILES);
	struct file *f = &w->file[at];

	if (!a->taint.mask || below(4) || f->n + DATASETS * IDS > FILE_BYTES)
		return;
	for (unsigned d = 0; d < DATASETS; d++) {
		for (unsigned i = 0; i < IDS; i++) {
			if (a->holds[d][i])
				f->content[f->n++] = (struct byte){(uint8_t)d, (uint8_t)i};
		}
	}
	a->used = true;
	f->mask |= a->taint.mask;
	announce(w, a);
	count(a->dump[at], a->taint.mask, 1);
}

static void do_peek(struct world *w, struct actor *a)
{
	unsigned at = below(w->actors);
	struct actor *b = &w->actor[at];

	if (b->dead || b->replaced || b->who.tgid == a->who.tgid || below(3))
		return;
	for (unsigned d = 0; d < DATASETS; d++) {
		for (unsigned i = 0; i < IDS; i++)
			a->holds[d][i] = a->holds[d][i] || b->holds[d][i];
	}
	if (!b->taint.mask)
		return;
	uint64_t mask = b->taint.mask;
	b->used = true;
	announce(w, b);
	become_tainted(w, a, mask, VIA_PEEK);
	announce(w, a);
	count(a->peek[at], mask, 1);
}

#include "tests/unit/model_world_shared.h"

/* --- life ---------------------------------------------------------------- */

static struct actor *new_actor(struct world *w)
{
	return w->actors < SUBJECTS_MAX ? &w->actor[w->actors++] : NULL;
}

/* Whoever comes out of another has moved nothing itself. */
static void forget_figures(struct actor *c)
{
	c->announced = c->used = false;
	memset(c->read, 0, sizeof(c->read));
	memset(c->in, 0, sizeof(c->in));
	memset(c->out, 0, sizeof(c->out));
	memset(c->fin, 0, sizeof(c->fin));
	memset(c->fout, 0, sizeof(c->fout));
	memset(c->dump, 0, sizeof(c->dump));
	memset(c->peek, 0, sizeof(c->peek));
	memset(c->look, 0, sizeof(c->look));
	memset(c->store, 0, sizeof(c->store));
	memset(c->pending, 0, sizeof(c->pending));
	memset(c->fpending, 0, sizeof(c->fpending));
}

static void do_fork(struct world *w, struct actor *a)
{
	struct actor *c = new_actor(w);

	if (!c)
		return;
	*c = *a;
	c->who = (struct subject){w->now, 100 + w->actors, a->who.exec};
	c->parent = (int)(a - w->actor);
	forget_figures(c);
	c->taint = (struct taint){0};
	if (a->taint.mask) {
		a->used = true;
		announce(w, a);
		c->taint =
		    (struct taint){a->taint.mask, a->taint.mask, a->who, w->now, VIA_FORK, 0};
	}
}

static void do_exec(struct world *w, struct actor *a)
{
	struct actor *c = new_actor(w);

	if (!c)
		return;
	all_writes_return(w, a);
	*c = *a;
	c->who.exec++;
	forget_figures(c);
	memset(c->map, 0, sizeof(c->map));
	if (a->taint.mask) {
		c->taint.inherited = a->taint.mask;
		if (a->used) {
			c->taint.from = a->who;
			c->taint.via = VIA_EXEC;
		}
		c->taint.since_ns = w->now;
		if (!a->used)
			memset(&a->taint, 0, sizeof(a->taint));
	}
	a->replaced = true;
	for (unsigned i = 0; i < w->actors; i++) {
		if (w->actor[i].parent == (int)(a - w->actor))
			w->actor[i].parent = (int)(c - w->actor);
	}
}

static void do_connect(struct world *w, struct actor *a)
{
	if (w->conns == FLOWS_MAX)
		return;
	struct conn *c = &w->conn[w->conns];

	*c = (struct conn){.f = {.id = 1000 + w->conns,
				 .who = a->who,
				 .start_ns = w->now,
				 .family = 2,
				 .proto = 6,
				 .role = ROLE_CONNECT,
				 .state = 1,
				 .rport = 443}};
	c->f.raddr[10] = c->f.raddr[11] = 0xff;
	memcpy(c->f.raddr + 12, (uint8_t[]){203, 0, 113, (uint8_t)(1 + below(REMOTES))}, 4);
	a->flow[w->conns++] = true;
	announce(w, a);
	a->used = a->used || a->taint.mask;
	if (a->taint.mask)
		flow_taint_add(w, c, a->taint.mask, 0);
}

/* A descriptor, by SCM_RIGHTS or pidfd_getfd. */
static void do_pass(struct world *w, struct actor *a)
{
	struct actor *b = &w->actor[below(w->actors)];
	unsigned at = w->conns ? below(w->conns) : 0;

	if (!w->conns || !a->flow[at] || b->flow[at] || b->dead || b->replaced || below(4))
		return;
	b->flow[at] = true;
	if (!b->taint.mask)
		return;
	b->used = true;
	announce(w, b);
	flow_mark(w, b, &w->conn[at], b->taint.mask);
}

static void do_send(struct world *w, struct actor *a)
{
	unsigned n = 1 + below(30), at = w->conns ? below(w->conns) : 0;
	struct conn *c = &w->conn[at];

	if (!w->conns || !a->flow[at])
		return;
	for (unsigned i = 0; i < n; i++) {
		struct byte b = below(3) ? some_byte(a) : (struct byte){JUNK, 0};

		c->f.out++;
		if (b.dataset != JUNK)
			c->left[b.dataset][b.id] = true;
	}
	c->f.last_ns = w->now;
}

static void do_exit(struct world *w, struct actor *a)
{
	if (a == w->actor || below(3))
		return;
	all_writes_return(w, a);
	for (unsigned i = 0; i < w->actors; i++)
		w->actor[i].dead = w->actor[i].dead || w->actor[i].who.tgid == a->who.tgid;
	if (a->announced)
		model_set_exit(w->m, &a->who, w->now);
}

static bool in_a_call(const struct actor *a)
{
	bool is = false;

	for (unsigned p = 0; p < PIPES; p++)
		is = is || a->pending[p];
	for (unsigned f = 0; f < FILES; f++)
		is = is || a->fpending[f];
	return is;
}

static void step(struct world *w)
{
	static void (*const acts[])(struct world *, struct actor *) = {
	    do_read, do_write, do_receive, do_send,    do_write, do_receive,
	    do_send, do_fork,  do_exec,	   do_connect, do_exit,	 do_open,
	    do_save, do_save,  do_load,	   do_load,    do_dump,	 do_peek,
	    do_map,  do_store, do_store,   do_look,    do_look,  do_pass,
	};
	struct actor *a = &w->actor[below(w->actors)];

	w->now += NSEC / 20; /* further apart than what counts as one moment */
	if (a->dead || a->replaced)
		return;
	/* Who is in a call does nothing else. */
	if (in_a_call(a)) {
		if (!below(3))
			all_writes_return(w, a);
		return;
	}
	acts[below(ARRAY_SIZE(acts))](w, a);
	share(w);
}

#endif
