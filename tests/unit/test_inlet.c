/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flows that come in at a socket of this host: bounds, chains, and what is kept of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rules_fixture.h"
#include "user/model_graph.h"

#define SERVER 11
#define PORT 8443

static uint64_t held_by(struct fixture *t, uint32_t pid)
{
	uint64_t work = UINT64_MAX, volume;
	struct subject who = process(pid);
	struct ds_graph *g;

	assert_int_equal(ds_graph_current(t->m, 0, &g), 0);
	assert_int_equal(ds_graph_volume(g, subject_find(t->m, &who), &work, &volume), 0);
	return volume;
}

static struct edge_key inlet_key(uint32_t pid, uint64_t inlet)
{
	return (struct edge_key){.who = process(pid),
				 .what = {.ino = inlet, .dev = SL_DEV_INLET},
				 .mask = 1,
				 .via = VIA_LOCAL_READ};
}

static void receives(struct fixture *t, uint32_t pid, uint64_t inlet, uint64_t bytes)
{
	struct edge_key key = inlet_key(pid, inlet);
	struct edge_val val = {bytes, 1, t->now, t->now};

	assert_int_equal(model_set_edge(t->m, &key, &val), 0);
	tainted(t, process(pid), 1);
}

static void links(struct fixture *t, uint64_t flow, uint64_t inlet)
{
	struct link_key key = {flow, inlet};

	assert_int_equal(model_set_link(t->m, &key), 0);
}

/* The socket at the other end is no more, and the kernel's edges of it are final. */
static void inlet_goes(struct fixture *t, uint32_t pid, uint64_t inlet)
{
	struct edge_key key = inlet_key(pid, inlet);
	int err = model_settle_edge(t->m, &key);

	assert_true(!err || err == -ENOENT);
	model_forget_object(t->m, &key.what);
}

static struct flow connects(struct fixture *t, uint64_t id, uint32_t pid, uint64_t base)
{
	struct flow f = flow_to(t, id, pid, "127.0.0.1", PORT);

	flow_tainted_by(t, &f, 1, base);
	return f;
}

static void begin(struct fixture *t)
{
	fixture_begin(t, NULL);
	introduce(t, 10, "client", "slurm:1");
	introduce(t, SERVER, "proxy", "unit:proxy.service");
	reads(t, 10, 0, 100003);
}

static void closes(struct fixture *t, struct flow *f)
{
	f->closed = 1;
	assert_int_equal(model_set_flow(t->m, f), 0);
}

/* --- bounds -------------------------------------------------------------- */

/* The least of what was sent since tainted, what was read there, and what the sender had. */
static void test_narrowest(void **state)
{
	struct fixture t;

	begin(&t);
	struct flow f = connects(&t, 1, 10, 5003);
	links(&t, 1, 77);
	receives(&t, SERVER, 77, 50021);
	sends(&t, &f, 5003 + 101, 0);
	assert_int_equal(held_by(&t, SERVER), 101);
	sends(&t, &f, 5003 + 70001, 0);
	assert_int_equal(held_by(&t, SERVER), 50021);
	receives(&t, SERVER, 77, 500009);
	assert_int_equal(held_by(&t, SERVER), 70001);
	sends(&t, &f, 5003 + 700001, 0);
	assert_int_equal(held_by(&t, SERVER), 100003);
	fixture_end(&t);
}

/* One connection of several; a child of the client sends as well. */
static void test_senders_are_those_of_the_flow(void **state)
{
	struct fixture t;

	begin(&t);
	introduce(&t, 12, "child", "slurm:1");
	born(&t, process(10), process(12), 1, VIA_FORK);
	struct flow f = connects(&t, 1, 12, 0), other = flow_to(&t, 2, 10, "127.0.0.1", PORT);
	sends(&t, &other, 1 << 20, 0);
	links(&t, 1, 77);
	sends(&t, &f, 9001, 0);
	receives(&t, SERVER, 77, 500009);
	assert_int_equal(held_by(&t, SERVER), 9001);
	fixture_end(&t);
}

/* Two that send to one socket, as to a resolver's. */
static void test_one_socket_of_many(void **state)
{
	struct fixture t;

	begin(&t);
	introduce(&t, 12, "other", "slurm:2");
	reads(&t, 12, 0, 211);
	struct flow f = connects(&t, 1, 10, 0), g = connects(&t, 2, 12, 0);
	links(&t, 1, 77);
	links(&t, 2, 77);
	links(&t, 2, 77);
	sends(&t, &f, 53, 0);
	sends(&t, &g, 4001, 0);
	receives(&t, SERVER, 77, 4054);
	assert_int_equal(held_by(&t, SERVER), 53 + 211);
	fixture_end(&t);
}

/* It closed between two looks: how much it sent in the end is not told yet, and its reader knows more. */
static void test_never_too_little(void **state)
{
	struct fixture t;

	begin(&t);
	struct flow f = connects(&t, 1, 10, 0);
	links(&t, 1, 77);
	sends(&t, &f, 101, 0);
	receives(&t, SERVER, 77, 101);
	evaluate(&t);
	assert_int_equal(held_by(&t, SERVER), 101);
	model_begin_look(t.m);
	receives(&t, SERVER, 77, 4099);
	assert_int_equal(held_by(&t, SERVER), 4099);
	evaluate(&t);
	assert_int_equal(held_by(&t, SERVER), 4099);
	model_begin_look(t.m);
	f.out = 3001;
	closes(&t, &f);
	evaluate(&t);
	assert_int_equal(held_by(&t, SERVER), 3001);
	model_begin_look(t.m);
	evaluate(&t);
	assert_int_equal(held_by(&t, SERVER), 3001);
	fixture_end(&t);
}

/* The table of links was full: whoever holds the dataset can have sent it. */
static void test_without_a_link(void **state)
{
	struct fixture t;

	begin(&t);
	receives(&t, SERVER, 77, 4099);
	introduce(&t, 12, "other", "unit:proxy.service");
	reads(&t, 12, 0, 3001);
	assert_int_equal(held_by(&t, SERVER), 3001);
	fixture_end(&t);
}

/* Ranks that send to each other in a ring have no more than one of them read. */
static void test_ring(void **state)
{
	struct fixture t;

	begin(&t);
	for (uint32_t i = 0; i < 4; i++) {
		introduce(&t, 20 + i, "rank", "slurm:3");
		struct flow f = connects(&t, 100 + i, 20 + i, 0);

		sends(&t, &f, 1 << 20, 0);
		links(&t, 100 + i, 200 + (i + 1) % 4);
		receives(&t, 20 + i, 200 + i, 1 << 20);
	}
	reads(&t, 20, 0, 5003);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(held_by(&t, 20 + i), 5003);
	fixture_end(&t);
}

/* --- chains -------------------------------------------------------------- */

static void test_chain(void **state)
{
	static const struct step expected[] = {
		{"dataset patients", "process client[10]", "read", 100003},
		{"process client[10]", "socket 127.0.0.1:8443", "local_write", 70001},
		{"socket 127.0.0.1:8443", "process proxy[11]", "local_read", 70001},
		{"process proxy[11]", "203.0.113.9:443", "tcp", 500009},
	};
	struct fixture t;

	begin(&t);
	struct flow f = connects(&t, 1, 10, 0), out = flow_to(&t, 2, SERVER, OUTSIDE, 443);
	links(&t, 1, 77);
	sends(&t, &f, 70001, 0);
	receives(&t, SERVER, 77, 70001);
	flow_tainted_by(&t, &out, 1, 0);
	sends(&t, &out, 500009, 0);
	evaluate(&t);
	const struct finding *found = only(&t, RULE_EXFIL_VOLUME);
	assert_int_equal(found->leak_bound, 70001);
	assert_chain(found, expected, ARRAY_SIZE(expected));
	fixture_end(&t);
}

/* --- what is kept -------------------------------------------------------- */

static void tick(struct fixture *t)
{
	model_begin_look(t->m);
	evaluate(t);
	assert_int_equal(model_prune(t->m, t->now), 0);
}

/* Many short connections are kept in little room, and none of their bytes is forgotten. */
static void test_many_connections(void **state)
{
	const unsigned n = 997;
	struct fixture t;

	begin(&t);
	for (unsigned i = 0; i < n; i++) {
		struct flow f = connects(&t, 1000 + i, 10, 0);

		links(&t, 1000 + i, 5000 + i);
		sends(&t, &f, 97, 0);
		receives(&t, SERVER, 5000 + i, 97);
		closes(&t, &f);
		/* what the server answers: each time to another port */
		struct flow back = flow_to(&t, 20000 + i, SERVER, "127.0.0.1", (uint16_t)(30000 + i));
		back.role = ROLE_ACCEPT;
		flow_tainted_by(&t, &back, 1, 0);
		links(&t, 20000 + i, 50000 + i);
		sends(&t, &back, 7, 0);
		closes(&t, &back);
	}
	assert_int_equal(t.m->nflows, 2 * n);
	tick(&t);
	for (unsigned i = 0; i < n; i++) {
		inlet_goes(&t, SERVER, 5000 + i);
		inlet_goes(&t, 10, 50000 + i);
	}
	for (unsigned i = 0; i < 200; i++)
		tick(&t);
	assert_true(t.m->nflows <= 4);
	assert_true(t.m->nobjects <= 4);
	assert_int_equal(held_by(&t, SERVER), n * 97);
	fixture_end(&t);
}

/* Not one of them may go while its bytes can still be read. */
static void kept_until_read(size_t merge_above)
{
	struct fixture t;

	begin(&t);
	t.m->merge_above = merge_above;
	struct flow f = connects(&t, 1, 10, 0);
	links(&t, 1, 77);
	sends(&t, &f, 4001, 0);
	closes(&t, &f);
	for (unsigned i = 0; i < 200; i++)
		tick(&t);
	assert_int_equal(t.m->nflows, 1);
	assert_int_equal(t.m->nobjects, 1);
	receives(&t, SERVER, 77, 4099);
	assert_int_equal(held_by(&t, SERVER), 4001);
	inlet_goes(&t, SERVER, 77);
	for (unsigned i = 0; i < 200; i++)
		tick(&t);
	assert_int_equal(held_by(&t, SERVER), 4001);
	fixture_end(&t);
}

static void test_kept_until_read(void **state)
{
	kept_until_read(MODEL_MERGE_ABOVE);
}

static void test_kept_in_a_full_model(void **state)
{
	kept_until_read(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_narrowest),
	    cmocka_unit_test(test_senders_are_those_of_the_flow),
	    cmocka_unit_test(test_one_socket_of_many),
	    cmocka_unit_test(test_never_too_little),
	    cmocka_unit_test(test_without_a_link),
	    cmocka_unit_test(test_ring),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_many_connections),
	    cmocka_unit_test(test_kept_until_read),
	    cmocka_unit_test(test_kept_in_a_full_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
