/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The network itself: against a slow and simple maximum flow, and against the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "user/lineage.h"

#define U LINEAGE_UNLIMITED
#define BIG 1000000000000ULL /* stands for unlimited in the slow one */
#define N_MAX 14

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	return rng_state ^= rng_state << 17;
}

static uint64_t below(uint64_t n)
{
	return rng() % n;
}

static struct leak ask(struct lineage *l, const struct tap *taps, size_t n)
{
	uint64_t work = UINT64_MAX;
	struct leak leak;

	assert_int_equal(lineage_leak(l, taps, n, &work, &leak), 0);
	assert_true(leak.exact);
	return leak;
}

static uint32_t node(struct lineage *l, uint64_t supply)
{
	int64_t n = lineage_node(l, supply);

	assert_true(n >= 0);
	return (uint32_t)n;
}

static void arc(struct lineage *l, uint32_t from, uint32_t to, uint64_t capacity)
{
	assert_int_equal(lineage_arc(l, from, to, capacity), 0);
}

/* --- by hand ------------------------------------------------------------- */

static void test_nothing(void **state)
{
	struct lineage *l = lineage_new();
	struct leak leak = ask(l, NULL, 0);

	assert_int_equal(leak.bound, 0);
	assert_int_equal(leak.exposed, 0);
	uint32_t a = node(l, 7);
	leak = ask(l, NULL, 0);
	assert_int_equal(leak.bound, 0);
	leak = ask(l, &(struct tap){a, 0}, 1);
	assert_int_equal(leak.bound, 0);
	assert_int_equal(leak.exposed, 0);
	leak = ask(l, &(struct tap){a, U}, 1);
	assert_int_equal(leak.bound, 7);
	assert_int_equal(leak.exposed, 7);
	lineage_free(l);
	assert_null(lineage_free(NULL));
}

/* A reads 1000, passes 64 to B by a pipe, B sends 500. */
static void test_pipe(void **state)
{
	struct lineage *l = lineage_new();
	uint32_t a = node(l, 1000), p = node(l, 0), b = node(l, 0);

	arc(l, a, p, 64);
	arc(l, p, b, 60);
	struct leak leak = ask(l, &(struct tap){b, 500}, 1);
	assert_int_equal(leak.bound, 60);
	assert_int_equal(leak.exposed, 1000);
	leak = ask(l, &(struct tap){b, 5}, 1);
	assert_int_equal(leak.bound, 5);
	leak = ask(l, (struct tap[]){{a, 5}, {b, 500}}, 2);
	assert_int_equal(leak.bound, 65);
	/* The same tap twice: two flows of one sender. */
	leak = ask(l, (struct tap[]){{b, 20}, {b, 20}}, 2);
	assert_int_equal(leak.bound, 40);
	lineage_free(l);
}

/* A and B throw the same bytes to and fro: the volume does not grow. */
static void test_cycle(void **state)
{
	struct lineage *l = lineage_new();
	uint32_t a = node(l, 100), b = node(l, 0);

	arc(l, a, b, 1000000);
	arc(l, b, a, 1000000);
	assert_int_equal(ask(l, &(struct tap){b, 500000}, 1).bound, 100);
	assert_int_equal(ask(l, &(struct tap){a, 500000}, 1).bound, 100);
	assert_int_equal(ask(l, (struct tap[]){{a, 500}, {b, 500}}, 2).bound, 100);
	lineage_free(l);
}

/* Three workers send a third each: together no more than was read. */
static void test_split(void **state)
{
	struct lineage *l = lineage_new();
	uint32_t a = node(l, 90), w[3];
	struct tap taps[3];

	for (int i = 0; i < 3; i++) {
		w[i] = node(l, 0);
		arc(l, a, w[i], U);
		taps[i] = (struct tap){w[i], 80};
	}
	assert_int_equal(ask(l, taps, 1).bound, 80);
	assert_int_equal(ask(l, taps, 3).bound, 90);
	lineage_supply(l, w[1], 30);
	assert_int_equal(ask(l, taps, 3).bound, 120);
	assert_int_equal(ask(l, taps, 1).exposed, 90);
	lineage_free(l);
}

static void test_huge(void **state)
{
	struct lineage *l = lineage_new();
	uint32_t a = node(l, UINT64_MAX), b = node(l, UINT64_MAX), c = node(l, 0);

	arc(l, a, c, UINT64_MAX - 1);
	arc(l, b, c, U);
	arc(l, c, a, U);
	/* No sum wraps around. */
	assert_true(ask(l, &(struct tap){c, U}, 1).bound >= UINT64_MAX - 2);
	assert_int_equal(ask(l, &(struct tap){c, 17}, 1).bound, 17);
	assert_true(ask(l, (struct tap[]){{c, UINT64_MAX - 1}, {c, UINT64_MAX - 1}}, 2).bound >=
		    UINT64_MAX - 2);
	lineage_free(l);
}

/* --- against a slow maximum flow ----------------------------------------- */

struct dense {
	unsigned n; /* nodes; then the source, then the sink */
	uint64_t cap[N_MAX + 2][N_MAX + 2];
};

static bool augment(struct dense *g, uint64_t *flow)
{
	unsigned all = g->n + 2, source = g->n, sink = g->n + 1, queue[N_MAX + 2], filled = 0;
	int from[N_MAX + 2];

	memset(from, 0xff, sizeof(from));
	queue[filled++] = source;
	from[source] = (int)source;
	for (unsigned i = 0; i < filled; i++) {
		for (unsigned v = 0; v < all; v++) {
			if (from[v] < 0 && g->cap[queue[i]][v]) {
				from[v] = (int)queue[i];
				queue[filled++] = v;
			}
		}
	}
	if (from[sink] < 0)
		return false;
	uint64_t width = UINT64_MAX;
	for (unsigned v = sink; v != source; v = (unsigned)from[v])
		width = width < g->cap[from[v]][v] ? width : g->cap[from[v]][v];
	for (unsigned v = sink; v != source; v = (unsigned)from[v]) {
		g->cap[from[v]][v] -= width;
		g->cap[v][from[v]] += width;
	}
	*flow += width;
	return true;
}

/* The widest bottleneck by trying every width that occurs. */
static uint64_t slow_widest(const struct dense *g)
{
	uint64_t best = 0;
	unsigned all = g->n + 2;

	for (unsigned i = 0; i < all * all; i++) {
		uint64_t width = g->cap[i / all][i % all];
		bool seen[N_MAX + 2] = {0}, grew = true;

		if (width <= best)
			continue;
		seen[g->n] = true;
		while (grew) {
			grew = false;
			for (unsigned u = 0; u < all; u++) {
				for (unsigned v = 0; v < all; v++) {
					if (seen[u] && !seen[v] && g->cap[u][v] >= width)
						seen[v] = grew = true;
				}
			}
		}
		best = seen[g->n + 1] ? width : best;
	}
	return best;
}

static uint64_t path_width(const struct dense *g, const uint32_t *path, size_t n)
{
	uint64_t width = g->cap[g->n][path[0]];

	for (size_t i = 1; i < n; i++)
		width = width < g->cap[path[i - 1]][path[i]] ? width : g->cap[path[i - 1]][path[i]];
	return width < g->cap[path[n - 1]][g->n + 1] ? width : g->cap[path[n - 1]][g->n + 1];
}

static uint64_t capacity(void)
{
	return below(6) ? below(50) : U;
}

/* The bound for each is never below the answer to a question about it alone, nor above all there is. */
static void check_bounds(struct lineage *l)
{
	uint64_t bound[N_MAX], total = 0;

	lineage_bounds(l, bound);
	for (uint32_t v = 0; v < lineage_nodes(l); v++)
		total += lineage_supply_of(l, v);
	for (uint32_t v = 0; v < lineage_nodes(l); v++) {
		assert_true(bound[v] >= ask(l, &(struct tap){v, U}, 1).bound);
		assert_true(bound[v] <= total);
	}
}

static void one_random_network(void)
{
	struct dense g = {.n = 1 + (unsigned)below(N_MAX)};
	struct lineage *l = lineage_new();
	struct tap taps[N_MAX];
	unsigned arcs = (unsigned)below(g.n * 4), ntaps = 1 + (unsigned)below(3);
	uint64_t flow = 0;

	for (unsigned i = 0; i < g.n; i++) {
		uint64_t supply = below(3) ? 0 : below(80);

		node(l, supply);
		g.cap[g.n][i] = supply;
	}
	for (unsigned i = 0; i < arcs; i++) {
		uint32_t u = (uint32_t)below(g.n), v = (uint32_t)below(g.n);
		uint64_t c = capacity();

		arc(l, u, v, c);
		if (u != v)
			g.cap[u][v] += c == U ? BIG : c;
	}
	for (unsigned i = 0; i < ntaps; i++) {
		uint64_t limit = capacity();

		taps[i] = (struct tap){(uint32_t)below(g.n), limit};
		g.cap[taps[i].node][g.n + 1] += limit == U ? BIG : limit;
	}

	uint64_t widest = slow_widest(&g);
	struct dense residual = g;
	while (augment(&residual, &flow))
		;
	struct leak leak = ask(l, taps, ntaps);
	assert_int_equal(leak.bound, flow);
	assert_true(leak.bound <= leak.exposed);
	/* A question leaves nothing behind. */
	struct leak again = ask(l, taps, ntaps);
	assert_int_equal(again.bound, leak.bound);
	assert_int_equal(again.exposed, leak.exposed);

	/* Out of work it still says something true. */
	uint64_t little = 0;
	assert_int_equal(lineage_leak(l, taps, ntaps, &little, &again), 0);
	assert_true(again.bound >= flow);
	assert_int_equal(ask(l, taps, ntaps).bound, flow);

	check_bounds(l);

	bool *reached = calloc(g.n, sizeof(*reached));
	assert_int_equal(lineage_reach(l, reached), 0);
	bool any = false;
	for (unsigned i = 0; i < ntaps; i++)
		any = any || (reached[taps[i].node] && taps[i].limit);
	assert_int_equal(any, flow > 0);
	free(reached);

	/* Parallel arcs make the dense one's widths sums, which the caller of lineage does before:
	 * skip these. */
	bool parallel = lineage_arcs(l) != 0;
	for (unsigned u = 0, distinct = 0; u < g.n; u++) {
		for (unsigned v = 0; v < g.n; v++)
			distinct += g.cap[u][v] != 0;
		parallel = u + 1 == g.n ? distinct != lineage_arcs(l) : parallel;
	}
	for (unsigned i = 1; i < ntaps; i++) {
		for (unsigned k = 0; k < i; k++)
			parallel = parallel || taps[i].node == taps[k].node;
	}
	uint32_t *path;
	size_t length;
	int err = lineage_widest(l, taps, ntaps, &path, &length);
	assert_int_equal(err, flow ? 0 : -ENOENT);
	if (!err) {
		assert_true(path_width(&g, path, length) > 0);
		if (!parallel)
			assert_int_equal(path_width(&g, path, length), widest);
		free(path);
	}
	lineage_free(l);
}

static void test_random(void **state)
{
	for (int i = 0; i < 20000; i++)
		one_random_network();
}

/* The shortest of the widest: 0 -> 3 directly is as wide as over 1 and 2. */
static void test_shortest(void **state)
{
	struct lineage *l = lineage_new();
	uint32_t *path;
	size_t n;

	for (int i = 0; i < 4; i++)
		node(l, i ? 0 : 50);
	arc(l, 0, 1, U);
	arc(l, 1, 2, U);
	arc(l, 2, 3, 90);
	arc(l, 0, 3, 50);
	assert_int_equal(lineage_widest(l, &(struct tap){3, 70}, 1, &path, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(path[0], 0);
	assert_int_equal(path[1], 3);
	free(path);
	lineage_free(l);
}

/* --- against the clock --------------------------------------------------- */

#define SUBJECTS 10000

static double ask_timed(struct lineage *l, const struct tap *taps, size_t n, uint64_t expect,
			const char *what)
{
	struct timespec t0, t1;
	uint64_t work = UINT64_MAX;
	struct leak leak;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t0);
	assert_int_equal(lineage_leak(l, taps, n, &work, &leak), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t1);
	if (expect)
		assert_int_equal(leak.bound, expect);
	double ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6;
	print_message("  %-28s %6zu nodes %6zu arcs: %7.3f ms, %llu arcs looked at\n", what,
		      lineage_nodes(l), lineage_arcs(l), ms,
		      (unsigned long long)(UINT64_MAX - work));
	return ms;
}

static double chain(void)
{
	struct lineage *l = lineage_new();

	for (uint32_t i = 0; i < SUBJECTS; i++) {
		node(l, 3);
		if (i)
			arc(l, i - 1, i, U);
		if (i > 1)
			arc(l, i - 2, i, 5);
	}
	double ms = ask_timed(l, &(struct tap){SUBJECTS - 1, 1ULL << 40}, 1, 3 * SUBJECTS,
			      "chain of forks");
	ms += ask_timed(l, &(struct tap){SUBJECTS - 1, 1000}, 1, 1000, "the same, little sent");
	lineage_free(l);
	return ms;
}

/* 100 jobs of 100 workers, each with a pipe to its trainer; the trainers meet in one gateway. */
static double fan_in(void)
{
	struct lineage *l = lineage_new();
	uint32_t gateway = node(l, 0);

	for (int j = 0; j < 100; j++) {
		uint32_t trainer = node(l, 0);

		arc(l, trainer, gateway, 900);
		for (int w = 0; w < 99; w++) {
			uint32_t worker = node(l, 1000), pipe = node(l, 0);

			arc(l, worker, pipe, 10);
			arc(l, pipe, trainer, 9);
		}
	}
	double ms = ask_timed(l, &(struct tap){gateway, 1ULL << 40}, 1, 100 * 99 * 9,
			      "workers, trainers, gateway");
	lineage_free(l);
	return ms;
}

static double random_net(uint64_t limit, const char *what)
{
	struct lineage *l = lineage_new();
	struct tap taps[20];

	for (int i = 0; i < SUBJECTS; i++)
		node(l, below(10) ? 0 : below(1 << 20));
	for (int i = 0; i < 20000; i++)
		arc(l, (uint32_t)below(SUBJECTS), (uint32_t)below(SUBJECTS),
		    below(10) ? below(1 << 20) : U);
	for (unsigned i = 0; i < 20; i++)
		taps[i] = (struct tap){(uint32_t)below(SUBJECTS), limit};
	double ms = ask_timed(l, taps, 20, 0, what);
	lineage_free(l);
	return ms;
}

/* A ring of 10,000, each passing to the next and back: flows can wander. */
static double ring(void)
{
	struct lineage *l = lineage_new();

	for (uint32_t i = 0; i < SUBJECTS; i++)
		node(l, i % 100 ? 0 : 1000);
	for (uint32_t i = 0; i < SUBJECTS; i++) {
		arc(l, i, (i + 1) % SUBJECTS, 50 + below(50));
		arc(l, (i + 1) % SUBJECTS, i, 50 + below(50));
	}
	double ms = ask_timed(l, &(struct tap){SUBJECTS / 2, U}, 1, 0, "ring both ways");
	lineage_free(l);
	return ms;
}

/* A grid of 100 by 100 with narrow and wide arcs, read on one side, sent on the other. */
static double grid(void)
{
	struct lineage *l = lineage_new();
	struct tap taps[100];

	for (uint32_t i = 0; i < SUBJECTS; i++)
		node(l, i < 100 ? 100000 : 0);
	for (uint32_t i = 0; i < SUBJECTS; i++) {
		if (i + 100 < SUBJECTS)
			arc(l, i, i + 100, below(1000));
		if (i % 100 < 99)
			arc(l, i, i + 1, below(1000));
	}
	for (uint32_t i = 0; i < 100; i++)
		taps[i] = (struct tap){SUBJECTS - 1 - i, 100000};
	double ms = ask_timed(l, taps, 100, 0, "grid");
	lineage_free(l);
	return ms;
}

static void test_fast(void **state)
{
	double limit = 100; /* of processor time */
#if defined(__SANITIZE_ADDRESS__)
	limit = 2000;
#endif
	assert_true(chain() < limit);
	assert_true(fan_in() < limit);
	assert_true(random_net(1 << 20, "random") < limit);
	assert_true(random_net(U, "random, volumes") < limit);
	assert_true(ring() < limit);
	assert_true(grid() < limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing),  cmocka_unit_test(test_pipe),
	    cmocka_unit_test(test_cycle),    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_huge),     cmocka_unit_test(test_random),
	    cmocka_unit_test(test_shortest), cmocka_unit_test(test_fast),
	};

	return cmocka_run_group_tests_name("lineage", tests, NULL, NULL);
}
