/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Small worlds in which every byte has an identity: processes read, write to pipes, read from them,
 * fork, exec, connect, inherit sockets and send, in random order; an imitation of the kernel half
 * counts what it would count. The bound is never below what left, and never above what was read or
 * sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/model_graph.h"
#include "user/policy/rules.h"

#define DATASETS 2
#define IDS 64 /* distinct bytes of each dataset */
#define SUBJECTS_MAX 24
#define PIPES 4
#define FLOWS_MAX 10
#define REMOTES 3
#define QUEUE 400
#define JUNK 0xff

#ifdef __SANITIZE_ADDRESS__
#define WORLDS 800
#else
#define WORLDS 6000
#endif

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
	bool pipe[PIPES], flow[FLOWS_MAX];	     /* descriptors */
	struct transfer in[PIPES][4], out[PIPES][4]; /* by mask */
	uint64_t pending[PIPES];		     /* written, but the call has not returned */
};

struct pipe {
	struct byte queue[QUEUE];
	unsigned head, n;
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
	struct conn conn[FLOWS_MAX];
	unsigned conns;
	uint64_t now;
	bool pressed;
	struct model *m;
};

static double ratio_bound, ratio_naive;
static unsigned checks, tight, leaks, merged;

/* --- what the kernel half does ------------------------------------------- */

static void flow_taint_add(struct world *w, struct conn *c, uint64_t mask, uint64_t base)
{
	if ((c->f.mask & mask) == mask)
		return;
	c->f.mask |= mask;
	c->taints[c->ntaints++] = (struct m_flow_taint){c->f.mask, base, w->now};
}

static void announce(struct world *w, struct actor *a)
{
	struct subject_info info = {
	    .who = a->who, .seen_ns = w->now, .uid_known = true, .job = "slurm:1.0", .comm = "x"};

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
	for (unsigned c = 0; c < w->conns; c++) {
		if (a->flow[c])
			flow_taint_add(w, &w->conn[c], mask, w->conn[c].f.out);
	}
}

static void count(struct transfer *t, uint64_t mask, uint64_t bytes)
{
	for (unsigned i = 0; i < 4; i++) {
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

static struct actor *new_actor(struct world *w)
{
	return w->actors < SUBJECTS_MAX ? &w->actor[w->actors++] : NULL;
}

static void do_fork(struct world *w, struct actor *a)
{
	struct actor *c = new_actor(w);

	if (!c)
		return;
	*c = *a;
	c->who = (struct subject){w->now, 100 + w->actors, a->who.exec};
	c->parent = (int)(a - w->actor);
	c->announced = c->used = false;
	memset(c->read, 0, sizeof(c->read));
	memset(c->in, 0, sizeof(c->in));
	memset(c->out, 0, sizeof(c->out));
	memset(c->pending, 0, sizeof(c->pending));
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
	for (unsigned p = 0; p < PIPES; p++)
		write_returns(w, a, p);
	*c = *a;
	c->who.exec++;
	c->announced = false;
	memset(c->read, 0, sizeof(c->read));
	memset(c->in, 0, sizeof(c->in));
	memset(c->out, 0, sizeof(c->out));
	if (a->taint.mask) {
		c->taint.inherited = a->taint.mask;
		if (a->used) {
			c->taint.from = a->who;
			c->taint.via = VIA_EXEC;
		}
		c->taint.since_ns = w->now;
		c->used = false;
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
	if (a->taint.mask)
		flow_taint_add(w, c, a->taint.mask, 0);
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

/* Only who has no child that user space has not heard of. */
static void do_exit(struct world *w, struct actor *a)
{
	if (a == w->actor || below(3))
		return;
	for (unsigned i = 0; i < w->actors; i++) {
		if (w->actor[i].parent == (int)(a - w->actor) && !w->actor[i].announced)
			return;
	}
	for (unsigned p = 0; p < PIPES; p++)
		write_returns(w, a, p);
	for (unsigned i = 0; i < w->actors; i++)
		w->actor[i].dead = w->actor[i].dead || w->actor[i].who.tgid == a->who.tgid;
	if (a->announced)
		model_set_exit(w->m, &a->who, w->now);
}

static void step(struct world *w)
{
	static void (*const acts[])(struct world *, struct actor *) = {
	    do_read, do_write, do_receive, do_send,    do_write, do_receive,
	    do_send, do_fork,  do_exec,	   do_connect, do_exit,
	};
	struct actor *a = &w->actor[below(w->actors)];

	w->now += NSEC / 20; /* further apart than what counts as one moment */
	if (a->dead || a->replaced)
		return;
	/* Who is in a call does nothing else. */
	for (unsigned p = 0; p < PIPES; p++) {
		if (a->pending[p]) {
			if (!below(3))
				write_returns(w, a, p);
			return;
		}
	}
	acts[below(ARRAY_SIZE(acts))](w, a);
}

/* --- what the collector does, and the check ------------------------------ */

static void collect_actor(struct world *w, const struct actor *a)
{
	if (a->taint.mask && a->used) {
		struct taint t = a->taint;

		t.used = 1;
		assert_int_equal(model_set_taint(w->m, &a->who, &t), 0);
	}
	for (unsigned d = 0; d < DATASETS; d++) {
		struct ledger_key key = {
		    .who = a->who, .dataset = (uint16_t)d, .kind = ACCESS_READ};
		struct ledger_val val = {a->read[d], 1, 1, a->first[d], w->now};

		if (a->read[d])
			assert_int_equal(model_set_access(w->m, &key, &val), 0);
	}
	for (unsigned p = 0; p < PIPES; p++) {
		for (unsigned i = 0; i < 8; i++) {
			const struct transfer *t = i < 4 ? &a->in[p][i] : &a->out[p][i - 4];
			struct edge_key key = {.who = a->who,
					       .what = {.ino = p + 1},
					       .mask = t->mask,
					       .via = i < 4 ? VIA_PIPE_READ : VIA_PIPE_WRITE};
			struct edge_val val = {t->bytes, 1, w->now, w->now};

			if (t->mask)
				assert_int_equal(model_set_edge(w->m, &key, &val), 0);
		}
	}
}

/* What the collector takes out of the kernel when a subject has ended. */
static void settle_actor(struct world *w, struct actor *a)
{
	a->gone = true;
	for (unsigned d = 0; d < DATASETS; d++) {
		struct ledger_key key = {
		    .who = a->who, .dataset = (uint16_t)d, .kind = ACCESS_READ};

		if (a->read[d])
			assert_int_equal(model_settle_access(w->m, &key), 0);
	}
	for (unsigned p = 0; p < PIPES; p++) {
		for (unsigned i = 0; i < 8; i++) {
			struct edge_key key = {.who = a->who,
					       .what = {.ino = p + 1},
					       .mask =
						   i < 4 ? a->in[p][i].mask : a->out[p][i - 4].mask,
					       .via = i < 4 ? VIA_PIPE_READ : VIA_PIPE_WRITE};

			if (key.mask)
				assert_int_equal(model_settle_edge(w->m, &key), 0);
		}
	}
}

static void close_flows(struct world *w)
{
	for (unsigned i = 0; i < w->conns; i++) {
		bool held = false;

		for (unsigned k = 0; k < w->actors; k++)
			held = held ||
			       (w->actor[k].flow[i] && !w->actor[k].dead && !w->actor[k].replaced);
		w->conn[i].f.closed = !held;
	}
}

static void collect(struct world *w)
{
	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];

		if (a->gone)
			continue;
		collect_actor(w, a);
		if (w->pressed && a->dead)
			settle_actor(w, a);
	}
	for (unsigned i = 0; i < w->conns; i++) {
		struct conn *c = &w->conn[i];

		if (c->gone)
			continue;
		c->gone = w->pressed && c->f.closed;
		assert_int_equal(model_set_flow(w->m, &c->f), 0);
		for (unsigned k = 0; k < c->ntaints; k++) {
			struct flow_taint_key key = {c->f.id, c->taints[k].mask};
			struct flow_taint val = {c->taints[k].base_out, c->taints[k].since_ns};

			assert_int_equal(model_set_flow_taint(w->m, &key, &val), 0);
		}
	}
}

/* `remote`: the last byte of the remote address; 0: all. */
static uint64_t truth(const struct world *w, unsigned d, int remote)
{
	uint64_t n = 0;

	for (unsigned id = 0; id < IDS; id++) {
		bool left = false;

		for (unsigned i = 0; i < w->conns; i++)
			left = left || ((!remote || w->conn[i].f.raddr[15] == remote) &&
					w->conn[i].left[d][id]);
		n += left;
	}
	return n;
}

static void check_set(struct world *w, unsigned d, int remote, bool settled)
{
	const struct m_flow *flows[FLOWS_MAX * 2];
	uint64_t work = UINT64_MAX, read = 0, sent = 0, left = truth(w, d, remote);
	struct ds_graph *g;
	struct leak leak;
	size_t n = 0;

	for (const struct m_flow *f = w->m->first_flow; f; f = f->next) {
		if (f->filled && (!remote || f->f.raddr[15] == remote))
			flows[n++] = f;
	}
	for (unsigned i = 0; i < w->conns; i++)
		sent += !remote || w->conn[i].f.raddr[15] == remote ? w->conn[i].f.out : 0;
	for (unsigned i = 0; i < w->actors; i++)
		read += w->actor[i].read[d];
	assert_int_equal(ds_graph_current(w->m, d, &g), 0);
	assert_int_equal(ds_graph_leak(g, flows, n, &work, &leak), 0);
	if (leak.bound < left)
		fail_msg("dataset %u: bound %llu, but %llu left", d, (unsigned long long)leak.bound,
			 (unsigned long long)left);
	assert_true(leak.bound <= read);
	assert_true(leak.bound <= sent);
	assert_true(leak.bound <= leak.exposed && leak.exposed <= read);
	assert_int_equal(w->m->datasets[d].read, read);
	checks++;
	if (left && settled) {
		uint64_t naive = read < sent ? read : sent;

		leaks++;
		ratio_bound += (double)leak.bound / (double)left;
		ratio_naive += (double)naive / (double)left;
		tight += leak.bound == left;
	}
}

static void check(struct world *w, bool settled)
{
	/* Under pressure time flies and the model keeps only what it must. */
	w->now += w->pressed ? 200 * NSEC : 0;
	close_flows(w);
	collect(w);
	for (uint64_t i = 1; i < (w->pressed ? 6 : 3); i++)
		assert_int_equal(rules_evaluate(w->m, w->now + i), 0);
	merged += w->m->merged_next;
	for (unsigned d = 0; d < DATASETS; d++) {
		for (int remote = 0; remote <= REMOTES; remote++)
			check_set(w, d, remote, settled && !remote && !w->pressed);
	}
}

static void one_world(uint64_t seed, struct config *config)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	rng_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	w.now = 1000 * NSEC;
	w.actors = 1 + below(3);
	for (unsigned i = 0; i < w.actors; i++) {
		w.actor[i].who = (struct subject){w.now + i, 50 + i, below(3)};
		w.actor[i].parent = -1;
		for (unsigned p = 0; p < PIPES; p++)
			w.actor[i].pipe[p] = below(4);
	}
	assert_int_equal(model_new(config, NULL, &w.m), 0);
	w.pressed = seed % 2;
	if (w.pressed)
		w.m->merge_above = 0;
	for (unsigned steps = 40 + below(120), i = 0; i < steps; i++) {
		step(&w);
		if (!below(12))
			check(&w, false);
	}
	for (unsigned i = 0; i < w.actors; i++) {
		for (unsigned p = 0; p < PIPES; p++) {
			if (!w.actor[i].dead)
				write_returns(&w, &w.actor[i], p);
		}
	}
	check(&w, true);
	model_free(w.m);
}

static void test_worlds(void **state)
{
	struct dataset_config datasets[DATASETS] = {{.id = (char *)"a", .path = (char *)"/a"},
						    {.id = (char *)"b", .path = (char *)"/b"}};
	struct config config = {.datasets = datasets, .ndatasets = DATASETS};

	for (uint64_t seed = 1; seed <= WORLDS; seed++)
		one_world(seed, &config);
	/* The guard: something was compared. */
	assert_true(leaks > WORLDS / 8);
	assert_true(merged > WORLDS / 4);
	print_message("  %u checks; at the end %u sets of flows had leaked: bound / truth %.2f, "
		      "min(read, sent) / truth %.2f, "
		      "exact in %.0f %%\n",
		      checks, leaks, ratio_bound / leaks, ratio_naive / leaks,
		      100.0 * tight / leaks);
	assert_true(ratio_bound < ratio_naive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds)};

	return cmocka_run_group_tests_name("model_truth", tests, NULL, NULL);
}
