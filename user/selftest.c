/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/selftest.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "user/map_call.h"
#include "user/selftest_internal.h"

#define PREPARE_NS (5 * NSEC)
#define STEP_NS NSEC	    /* at most so long for one step, */
#define TOTAL_NS (3 * NSEC) /* and for all, on an ordinary machine; */
#define PACE_NS                                                                                    \
	(10 * 1000000ULL)    /* one on which the beginning takes longer than this is given more, */
#define SLOWEST 5	     /* but no more than so many times that */
#define SETTLE_NS (NSEC / 2) /* connections close within this */
#define FIRST_PID_NS 0xEFFFFFFCU /* inode number of the initial PID namespace, PROC_PID_INIT_INO   \
				  */

struct test {
	struct engine *engine;
	const struct plan *plan;
	struct selftest *t;
	struct canary_step steps[SELFTEST_ROWS_MAX];
	bool wanted[SELFTEST_ROWS_MAX];
	size_t at[SELFTEST_ROWS_MAX]; /* which step a row is about */
	size_t nsteps;
	struct canaries *canaries;
	const struct canary_note *notes[SELFTEST_ROWS_MAX];
	struct canary_ids ids;
	struct evidence evidence;
	struct root_key root, marker;
	struct object unread; /* ino 0: not registered */
};

static bool owned(const struct plan *plan, uint64_t facts)
{
	for (int f = 0; f < FACT_KINDS; f++)
		if ((facts >> f & 1) && plan->owner[f] >= 0)
			return true;
	return false;
}

static void list_steps(struct test *x)
{
	for (size_t i = 0; i < proof_nrows; i++) {
		const struct proof_row *row = &proof_rows[i];

		if (row->run)
			x->steps[x->nsteps++] =
			    (struct canary_step){row->name, row->run, row->early};
		x->at[i] = x->nsteps - 1;
		x->wanted[x->at[i]] |= owned(x->plan, row->facts);
	}
}

/* --- the dataset ---------------------------------------------------------------------------------
 */

/* As a walk of the directory would: where no program sees a name move, that is who knows the file afterwards. */
static int register_unread(struct test *x)
{
	uint64_t *given = engine_variable(x->engine, "given_datasets", sizeof(*given));
	_cleanup_close_ int fd = openat(canaries_root(x->canaries), CANARY_UNREAD, O_PATH | O_CLOEXEC);
	struct file_identity id;
	uint8_t tag = 1;
	int err = fd < 0 ? -errno : engine_identify(x->engine, fd, &id);

	if (err || !given)
		return err ? err : -ENOENT;
	*given = 1;
	x->unread = id.obj;
	return map_update(engine_map_fd(x->engine, MAP_MEMBERS), &x->unread, &tag, BPF_ANY) ? -errno : 0;
}

static void unregister_unread(struct test *x)
{
	uint64_t *given = engine_variable(x->engine, "given_datasets", sizeof(*given));

	if (given)
		*given = 0;
	map_delete(engine_map_fd(x->engine, MAP_MEMBERS), &x->unread);
}

static int register_root(struct test *x)
{
	struct file_identity id;
	struct stat st;
	uint8_t tag = 1;
	int err = engine_identify(x->engine, canaries_root(x->canaries), &id);

	if (err || fstat(canaries_root(x->canaries), &st))
		return err ? err : -errno;
	if (id.obj.ino != st.st_ino)
		return -EBADE; /* the kernel half speaks of another file than stat() */
	x->root = (struct root_key){.ino = id.obj.ino, .dev = id.obj.dev};
	x->marker = (struct root_key){.dev = id.obj.dev};
	if (map_update(engine_map_fd(x->engine, MAP_ROOTS), &x->root, &tag, BPF_ANY) ||
	    map_update(engine_map_fd(x->engine, MAP_ROOTS), &x->marker, &tag, BPF_ANY))
		return -errno;
	engine_policy_changed(x->engine);
	return x->plan->owner[FACT_MOVED_OUT] == HOOK_a_name_moves ? 0 : register_unread(x);
}

static void unregister_root(struct test *x)
{
	if (!x->root.ino)
		return;
	if (x->unread.ino)
		unregister_unread(x);
	map_delete(engine_map_fd(x->engine, MAP_ROOTS), &x->root);
	map_delete(engine_map_fd(x->engine, MAP_ROOTS), &x->marker);
	engine_policy_changed(x->engine);
}

/* --- runs
 * ------------------------------------------------------------------------------------------ */

/* Of every program that is on; what was counted before is subtracted. */
static void count_runs(struct test *x, uint64_t ret[HOOK_KINDS])
{
	for (int h = 0; h < HOOK_KINDS; h++) {
		struct program_count n;

		if (x->plan->on[h] && !engine_count(x->engine, (enum hook)h, &n))
			ret[h] = n.runs - ret[h];
	}
}

/* --- verdicts
 * ---------------------------------------------------------------------------------------- */

static void untested(struct selftest_row *r, const char *format, const char *what, const char *why)
{
	r->proof = PROOF_UNTESTED;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(r->why, sizeof(r->why), format, what, why);
#pragma GCC diagnostic pop
}

/* A fact that this one needs and that does not work; -1: none. */
static int broken_need(const struct test *x, uint64_t needs)
{
	for (int f = 0; f < FACT_KINDS; f++)
		if ((needs >> f & 1) && (x->plan->owner[f] < 0 || proof_failed(x->t->fact[f])))
			return f;
	return -1;
}

static void judge_figures(const struct test *x, const struct proof_row *row,
			  const struct canary_note *note, struct selftest_row *r)
{
	struct verdict v = {};

	row->check(row, note, &x->evidence, &v);
	r->want = v.want;
	r->got = v.got;
	if (v.most ? v.got >= v.want && v.got <= v.most : v.got == v.want)
		r->proof = PROOF_EXACT;
	else
		r->proof = v.got ? PROOF_WRONG : PROOF_SILENT;
}

static void judge(struct test *x, size_t i)
{
	const struct proof_row *row = &proof_rows[i];
	const struct canary_note *note = x->notes[x->at[i]];
	struct selftest_row *r = &x->t->rows[i];
	int need = broken_need(x, row->needs);

	if (!owned(x->plan, row->facts))
		r->proof = PROOF_UNOWNED;
	else if (atomic_load(&note->state) == CANARY_REFUSED)
		untested(r, "%s: %s", note->call,
			 note->err == -ECANCELED ? "a canary died" : strerror(-note->err));
	else if (atomic_load(&note->state) != CANARY_DONE)
		untested(r, "%s%s", "the time was over", "");
	else if (need >= 0)
		untested(r, "this needs %s%s", fact_name((enum fact)need), "");
	else
		judge_figures(x, row, note, r);
}

static void judge_all(struct test *x)
{
	x->t->nrows = proof_nrows;
	for (size_t i = 0; i < proof_nrows; i++) {
		const struct proof_row *row = &proof_rows[i];

		x->t->rows[i] = (struct selftest_row){
		    .name = row->name, .facts = row->facts, .bytes = row->bytes};
		judge(x, i);
		selftest_sum_up(x->t, x->plan); /* later rows ask whether earlier facts work */
	}
}

/* --- the whole
 * ------------------------------------------------------------------------------------------ */

static unsigned slowness(const struct canaries *cs)
{
	return (unsigned)MIN(1 + canaries_pace(cs) / PACE_NS, (uint64_t)SLOWEST);
}

/* Both ends of each connection told the ring that they closed. */
static bool all_closed(const struct test *x)
{
	for (size_t i = 0; i < x->nsteps; i++) {
		const struct canary_note *n = x->notes[i];
		size_t found = 0;

		if (!n->port || n->datagrams || atomic_load(&n->state) != CANARY_DONE)
			continue;
		for (size_t k = 0; k < x->evidence.closed.n; k++) {
			const struct flow *f = &x->evidence.closed.v[k];

			found += flow_is(f, f->proto, n->port, n->peer_port) ||
				 flow_is(f, f->proto, n->peer_port, n->port);
		}
		if (found < 2)
			return false;
	}
	return true;
}

static int drain_until_closed(struct test *x)
{
	uint64_t end = now_boot_ns() + SETTLE_NS;
	int err;

	while (!(err = evidence_drain(x->engine, &x->evidence)) && !all_closed(x) &&
	       now_boot_ns() < end)
		usleep(1000);
	return err;
}

static int walk_paths(struct test *x)
{
	unsigned slow = slowness(x->canaries);
	int err = register_root(x);

	if (!err && x->plan->owner[FACT_SEED_MAPS] >= 0)
		err = engine_iterate(x->engine, ITER_MAPPINGS, 0, NULL, NULL);
	if (err)
		return err;
	err = canaries_go(x->canaries, slow * STEP_NS, slow * TOTAL_NS);
	if (err && err != -ETIMEDOUT) /* what was not reached says so itself */
		return err;
	return evidence_read(x->engine, &x->ids, &x->evidence);
}

static int run(struct test *x, const char *const *places)
{
	int err = canaries_start(places, x->steps, x->nsteps, x->wanted, PREPARE_NS, &x->canaries),
	    ended;

	if (err)
		return err;
	for (size_t i = 0; i < x->nsteps; i++)
		x->notes[i] = canaries_note(x->canaries, i);
	x->ids = (struct canary_ids){x->canaries, x->notes, x->nsteps};
	count_runs(x, x->t->runs);
	err = engine_spare(x->engine, canaries_notes_fd(x->canaries));
	if (!err)
		err = walk_paths(x);
	ended = canaries_end(x->canaries, SLOWEST * NSEC);
	if (!err)
		err = ended;
	if (!err)
		err = drain_until_closed(x);
	count_runs(x, x->t->runs);
	if (!err)
		judge_all(x);
	unregister_root(x);
	evidence_drain(x->engine, &x->evidence);
	evidence_clear(x->engine, &x->ids);
	engine_spare(x->engine, -1);
	return err;
}

/* Process ids of a namespace of its own are not those that the kernel half speaks of. */
static bool first_pid_namespace(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == FIRST_PID_NS;
}

/* A signal that ends the monitor waits until nothing is left behind. */
static void hold_signals(sigset_t *ret_before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, ret_before);
}

static void nothing_tested(struct selftest *t, const struct plan *plan, const char *why)
{
	snprintf(t->why, sizeof(t->why), "%s", why);
	t->nrows = 0;
	for (int f = 0; f < FACT_KINDS; f++) {
		t->fact[f] = plan->owner[f] < 0 ? PROOF_UNOWNED : PROOF_UNTESTED;
		snprintf(t->detail[f], sizeof(t->detail[f]), "%s", plan->owner[f] < 0 ? "" : why);
	}
}

void selftest_run(struct engine *e, const struct plan *plan, const char *const *places,
		  struct selftest *ret)
{
	/* of a real file system first: direct I/O needs one */
	const char *const usual[] = {"/var/tmp", "/var/lib", "/tmp", "/run", NULL};
	const char *const chosen[] = {getenv("TMPDIR"), "/var/tmp", "/tmp", "/run", NULL};
	uint64_t began = now_boot_ns();
	struct test *x = calloc(1, sizeof(*x));
	sigset_t before;
	int err, stats;

	memset(ret, 0, sizeof(*ret));
	if (!x || !first_pid_namespace()) {
		nothing_tested(ret, plan,
			       x ? "not in the initial PID namespace" : strerror(ENOMEM));
		free(x);
		return;
	}
	x->engine = e;
	x->plan = plan;
	x->t = ret;
	list_steps(x);
	hold_signals(&before);
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	ret->counted = stats >= 0;
	err = run(x, places ? places : chosen[0] ? chosen : usual);
	if (stats >= 0)
		close(stats);
	canaries_free(x->canaries);
	sigprocmask(SIG_SETMASK, &before, NULL);
	evidence_free(&x->evidence);
	free(x);
	if (err)
		nothing_tested(ret, plan, strerror(-err));
	ret->took_ns = now_boot_ns() - began;
}
