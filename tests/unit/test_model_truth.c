/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Random worlds, told to the model as the collector would: the bound is never below what left, and
 * never above what was read or sent; nor is what a file may hold. In half of them a file is of a derived dataset, and its
 * declared writers put no byte of the first dataset into it. In a third of them the monitor is restarted on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/model_world.h"
#include "user/model_carry.h"
#include "user/model_derived.h"

#ifdef __SANITIZE_ADDRESS__
#define WORLDS 800
#else
#define WORLDS 6000
#endif

static double ratio_bound, ratio_naive;
static unsigned checks, file_checks, tight, leaks, merged, merged_files, declared, restarts, restored;

/* --- what the collector does, and the check ------------------------------ */

typedef void (*edge_act)(struct world *w, const struct edge_key *key, const struct transfer *t);

static void set_edge(struct world *w, const struct edge_key *key, const struct transfer *t)
{
	bool unlimited = key->via == VIA_PEEK || key->via == VIA_DUMP;
	struct edge_val val = {unlimited ? 0 : t->bytes, unlimited ? t->bytes : 1, w->now, w->now};

	assert_int_equal(model_set_edge(w->m, key, &val), 0);
}

static void settle_edge(struct world *w, const struct edge_key *key, const struct transfer *t)
{
	assert_int_equal(model_settle_edge(w->m, key), 0);
}

static void edges_by_mask(struct world *w, const struct actor *a, struct object what,
			  enum edge_via via, uint32_t own, const struct transfer *t, edge_act act)
{
	for (unsigned i = 0; i < MASKS && t[i].mask; i++) {
		struct edge_key key = {.who = a->who, .what = what, .mask = t[i].mask, .via = via, .own = own};

		act(w, &key, &t[i]);
	}
}

static struct object file_object(const struct world *w, unsigned f)
{
	return (struct object){.ino = w->file[f].ino, .dev = 8};
}

static void file_edges(struct world *w, const struct actor *a, unsigned f, edge_act act)
{
	struct object what = file_object(w, f);

	edges_by_mask(w, a, what, VIA_FILE_READ, 0, a->fin[f], act);
	edges_by_mask(w, a, what, VIA_FILE_WRITE, w->derived && f == DERIVED ? DATASETS + 1 : 0, a->fout[f], act);
	edges_by_mask(w, a, what, VIA_DUMP, 0, a->dump[f], act);
}

static void each_edge(struct world *w, const struct actor *a, edge_act act)
{
	struct object what;

	for (unsigned p = 0; p < PIPES; p++) {
		what = (struct object){.ino = p + 1};
		edges_by_mask(w, a, what, VIA_PIPE_READ, 0, a->in[p], act);
		edges_by_mask(w, a, what, VIA_PIPE_WRITE, 0, a->out[p], act);
	}
	for (unsigned f = 0; f < FILES; f++)
		file_edges(w, a, f, act);
	for (unsigned s = 0; s < MEMORIES; s++) {
		what = (struct object){.ino = s + 1, .dev = 7};
		edges_by_mask(w, a, what, VIA_SHARED_READ, 0, a->look[s], act);
		edges_by_mask(w, a, what, VIA_SHARED_WRITE, 0, a->store[s], act);
	}
	for (unsigned i = 0; i < w->actors; i++) {
		memcpy(&what, &w->actor[i].who, sizeof(what));
		edges_by_mask(w, a, what, VIA_PEEK, 0, a->peek[i], act);
	}
}

static void collect_actor(struct world *w, const struct actor *a)
{
	/* Of who lives all are told, long before the dead between them and their ancestors are
	 * forgotten. */
	if (a->taint.mask && (a->used || !(a->dead || a->replaced))) {
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
	each_edge(w, a, set_edge);
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
	each_edge(w, a, settle_edge);
}

/* A file is deleted, and another one takes its place. */
static void delete_file(struct world *w, unsigned at)
{
	struct object was = file_object(w, at);

	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];

		if (a->fpending[at])
			return;
	}
	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];

		if (!a->gone) {
			file_edges(w, a, at, set_edge);
			file_edges(w, a, at, settle_edge);
		}
		memset(a->fin[at], 0, sizeof(a->fin[at]));
		memset(a->fout[at], 0, sizeof(a->fout[at]));
		memset(a->dump[at], 0, sizeof(a->dump[at]));
		a->file[at] = false;
	}
	model_forget_object(w->m, &was);
	w->file[at] = (struct file){.ino = w->file[at].ino + FILES};
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
		sent += !remote || w->conn[i].f.raddr[15] == remote ? w->conn[i].f.out - w->conn[i].f.base_out : 0;
	for (unsigned i = 0; i < w->actors; i++)
		read += w->actor[i].read[d];
	assert_int_equal(ds_graph_current(w->m, d, &g), 0);
	assert_int_equal(ds_graph_leak(g, flows, n, &work, &leak), 0);
	if (leak.bound < left)
		fail_msg("dataset %u: bound %llu, but %llu left", d, (unsigned long long)leak.bound,
			 (unsigned long long)left);
	assert_int_equal(w->m->datasets[d].read, read);
	read += w->m->datasets[d].carried;
	assert_true(leak.bound <= read);
	assert_true(leak.bound <= sent);
	assert_true(leak.bound <= leak.exposed && leak.exposed <= read);
	checks++;
	if (left && settled) {
		uint64_t naive = read < sent ? read : sent;

		leaks++;
		ratio_bound += (double)leak.bound / (double)left;
		ratio_naive += (double)naive / (double)left;
		tight += leak.bound == left;
	}
}

/* What a file holds. */
static void check_files(struct world *w, unsigned d)
{
	for (unsigned f = 0; f < FILES; f++) {
		struct object what = file_object(w, f);
		const struct m_object *o = hashmap_find(&w->m->objects, &what);
		uint64_t work = UINT64_MAX, in_it = 0;
		bool has[IDS] = {false};
		struct ds_graph *g;
		struct leak leak;

		for (unsigned i = 0; i < w->file[f].n; i++) {
			struct byte b = w->file[f].content[i];

			if (b.dataset == d && !has[b.id]) {
				has[b.id] = true;
				in_it++;
			}
		}
		for (unsigned i = 0; i < w->actors; i++) {
			if (w->actor[i].fpending[f])
				in_it = 0; /* as of then it is not told */
		}
		if (!in_it)
			continue;
		assert_non_null(o);
		assert_int_equal(ds_graph_current(w->m, d, &g), 0);
		assert_int_equal(ds_graph_objects(g, &o, 1, &work, &leak), 0);
		if (leak.bound < in_it)
			fail_msg("dataset %u: bound %llu, but file %u holds %llu", d,
				 (unsigned long long)leak.bound, f, (unsigned long long)in_it);
		assert_true(leak.bound <= leak.exposed);
		file_checks++;
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
	merged_files += w->m->merged_objects;
	declared += derived_total(w->m, DATASETS).bytes > 0;
	for (unsigned d = 0; d < DATASETS; d++) {
		for (int remote = 0; remote <= REMOTES; remote++)
			check_set(w, d, remote, settled && !remote && !w->pressed);
		check_files(w, d);
	}
}

/* --- a restart --------------------------------------------------------------- */

#define SAVED_MAX 256

struct saved {
	unsigned n, dataset[SAVED_MAX];
	bool object[SAVED_MAX];
	struct subject who[SAVED_MAX];
	struct object what[SAVED_MAX];
	enum object_kind kind[SAVED_MAX];
	struct carried is[SAVED_MAX];
};

static int save_item(void *arg, const struct carry_item *item)
{
	struct saved *s = arg;
	unsigned i = s->n++;

	assert_true(i < SAVED_MAX);
	s->object[i] = item->object;
	if (item->object) {
		s->what[i] = item->object->what;
		s->kind[i] = item->object->kind;
	} else {
		s->who[i] = item->subject->who;
	}
	s->dataset[i] = item->dataset;
	s->is[i] = item->is;
	s->is[i].chain = NULL;
	s->is[i].nchain = 0;
	return 0;
}

/* The kernel half begins with nothing: who lives is marked again, with all that he holds. */
static void forget_kernel(struct world *w)
{
	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];
		uint64_t pending[PIPES], fpending[FILES];

		memcpy(pending, a->pending, sizeof(pending));
		memcpy(fpending, a->fpending, sizeof(fpending));
		forget_figures(a);
		memcpy(a->pending, pending, sizeof(pending));
		memcpy(a->fpending, fpending, sizeof(fpending));
		memset(&a->taint, 0, sizeof(a->taint));
		a->gone = a->gone || a->dead || a->replaced;
	}
	for (unsigned p = 0; p < PIPES; p++)
		w->pipe[p].mask = 0;
	for (unsigned f = 0; f < FILES; f++)
		w->file[f].mask = 0;
	for (unsigned s = 0; s < MEMORIES; s++)
		w->memory[s].mask = 0;
}

/* Of what was sent before only the first monitor can tell. A flow's owner is the first who is found to hold it. */
static void forget_flows(struct world *w)
{
	for (unsigned i = 0; i < w->conns; i++) {
		struct conn *c = &w->conn[i];
		bool held = false;

		memset(c->left, 0, sizeof(c->left));
		c->gone = c->gone || c->f.closed;
		c->f.id += 100;
		c->f.base_out = c->f.out;
		c->f.mask = 0;
		c->f.role = ROLE_UNKNOWN;
		c->ntaints = 0;
		for (unsigned k = 0; k < w->actors && !held; k++) {
			held = w->actor[k].flow[i] && !w->actor[k].dead && !w->actor[k].replaced;
			if (held)
				c->f.who = w->actor[k].who;
		}
	}
}

static void set_object_mask(struct world *w, const struct object *what, uint64_t mask)
{
	for (unsigned p = 0; p < PIPES; p++)
		w->pipe[p].mask |= !what->dev && what->ino == p + 1 ? mask : 0;
	for (unsigned s = 0; s < MEMORIES; s++)
		w->memory[s].mask |= what->dev == 7 && what->ino == s + 1 ? mask : 0;
	for (unsigned f = 0; f < FILES; f++)
		w->file[f].mask |= what->dev == 8 && what->ino == w->file[f].ino ? mask : 0;
}

static void set_actor_mask(struct world *w, const struct subject *who, uint64_t mask)
{
	for (unsigned i = 0; i < w->actors; i++) {
		struct actor *a = &w->actor[i];

		if (a->dead || a->replaced || memcmp(&a->who, who, sizeof(*who)))
			continue;
		become_tainted(w, a, mask, VIA_HELD);
		announce(w, a);
		restored++;
	}
}

static void restore(struct world *w, const struct saved *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct carried is = s->is[i];

		if (s->object[i]) {
			assert_int_equal(model_carry_object(w->m, &s->what[i], s->kind[i], s->dataset[i], &is), 0);
			set_object_mask(w, &s->what[i], BIT(s->dataset[i]));
		} else {
			assert_int_equal(model_carry_subject(w->m, &s->who[i], s->dataset[i], &is), 0);
		}
	}
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->object[i])
			set_actor_mask(w, &s->who[i], BIT(s->dataset[i]));
	}
	share(w);
}

static void restart(struct world *w, struct config *config)
{
	static struct saved s;
	struct carried_dataset sets[DATASETS];
	uint64_t work = below(4) ? UINT64_MAX : 0; /* without allowance bounds are loose, and hold */

	for (unsigned i = 0; i < w->conns; i++) /* what is sent between the last look and the end nobody tells */
		w->conn[i].f.closed = w->conn[i].gone;
	check(w, false);
	s.n = 0;
	for (unsigned d = 0; d < DATASETS; d++) {
		assert_int_equal(model_carried(w->m, d, &sets[d]), 0);
		assert_int_equal(model_carry_each(w->m, d, &work, save_item, &s), 0);
	}
	model_free(w->m);
	assert_int_equal(model_new(config, NULL, &w->m), 0);
	if (w->pressed)
		w->m->merge_above = 0;
	for (unsigned d = 0; d < DATASETS; d++)
		model_carry_dataset(w->m, d, &sets[d]);
	forget_kernel(w);
	forget_flows(w);
	restore(w, &s);
	restarts++;
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
	for (unsigned f = 0; f < FILES; f++)
		w.file[f].ino = 1000 + f;
	memset(w.memory, JUNK, sizeof(w.memory));
	for (unsigned s = 0; s < MEMORIES; s++)
		w.memory[s].mask = 0;
	assert_int_equal(model_new(config, NULL, &w.m), 0);
	w.derived = config->ndatasets > DATASETS;
	w.pressed = seed % 2;
	if (w.pressed)
		w.m->merge_above = 0;
	for (unsigned steps = 40 + below(120), i = 0; i < steps; i++) {
		step(&w);
		if (!below(12))
			check(&w, false);
		if (!below(25))
			delete_file(&w, below(FILES));
		if (seed % 3 == 0 && !below(60))
			restart(&w, config);
	}
	for (unsigned i = 0; i < w.actors; i++) {
		if (!w.actor[i].dead)
			all_writes_return(&w, &w.actor[i]);
	}
	check(&w, true);
	model_free(w.m);
}

static void test_worlds(void **state)
{
	char *from = (char *)"a", *writer = (char *)"0";
	struct dataset_config datasets[DATASETS + 1] = {{.id = (char *)"a", .path = (char *)"/a"},
							{.id = (char *)"b", .path = (char *)"/b"},
							{.id = (char *)"m", .path = (char *)"/m"}};
	struct config config = {.datasets = datasets, .ndatasets = DATASETS};
	struct config derived = {.datasets = datasets, .ndatasets = DATASETS + 1};

	datasets[DATASETS].derived.from = (struct strings){&from, 1};
	datasets[DATASETS].derived.writers.set = true;
	datasets[DATASETS].derived.writers.users = (struct strings){&writer, 1};
	for (uint64_t seed = 1; seed <= WORLDS; seed++)
		one_world(seed, seed % 4 < 2 ? &config : &derived);
	/* The guard: something was compared. */
	assert_true(leaks > WORLDS / 8);
	assert_true(merged > WORLDS / 4);
	assert_true(merged_files > WORLDS / 8);
	assert_true(file_checks > WORLDS);
	assert_true(declared > WORLDS / 16);
	assert_true(restarts > WORLDS / 4);
	assert_true(restored > WORLDS / 4);
	print_message("  %u checks and %u of files; at the end %u sets of flows had leaked: bound "
		      "/ truth %.2f, "
		      "min(read, sent) / truth %.2f, "
		      "exact in %.0f %%\n",
		      checks, file_checks, leaks, ratio_bound / leaks, ratio_naive / leaks,
		      100.0 * tight / leaks);
	assert_true(ratio_bound < ratio_naive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds)};

	return cmocka_run_group_tests_name("model_truth", tests, NULL, NULL);
}
