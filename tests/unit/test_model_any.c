/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Whatever the model is told, in whatever order, it stays whole; and the table under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/model_fixture.h"
#include "user/policy/finding.h"
#include "user/policy/rules.h"
#include "user/snapshot.h"

/* --- the table ----------------------------------------------------------- */

struct item {
	uint64_t value;
	uint32_t key;
	bool in;
};

/* Thousands of additions and removals, compared with an array after each. */
static void test_hashmap(void **state)
{
	static struct item items[500];
	struct hashmap map = HASHMAP_OF(struct item, key);
	uint64_t rng = 42;
	size_t count = 0;

	assert_null(hashmap_find(&map, &(uint32_t){1}));
	assert_null(hashmap_remove(&map, &(uint32_t){1}));
	for (uint32_t i = 0; i < ARRAY_SIZE(items); i++)
		items[i] = (struct item){.key = i * 2654435761u};
	for (int round = 0; round < 20000; round++) {
		rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
		struct item *it = &items[(rng >> 33) % ARRAY_SIZE(items)];

		if (it->in) {
			assert_int_equal(hashmap_add(&map, it), -EEXIST);
			assert_ptr_equal(hashmap_remove(&map, &it->key), it);
			count--;
		} else {
			assert_null(hashmap_remove(&map, &it->key));
			assert_int_equal(hashmap_add(&map, it), 0);
			count++;
		}
		it->in = !it->in;
		assert_int_equal(map.used, count);
		for (size_t k = 0; k < ARRAY_SIZE(items) && round % 100 == 0; k++)
			assert_ptr_equal(hashmap_find(&map, &items[k].key),
					 items[k].in ? &items[k] : NULL);
	}
	hashmap_free(&map);
	assert_null(hashmap_find(&map, &items[0].key));
}

static void test_hash(void **state)
{
	/* Each byte and the length matter. */
	assert_int_not_equal(hashmap_hash("abcdefgh", 8), hashmap_hash("abcdefgi", 8));
	assert_int_not_equal(hashmap_hash("abcdefgh\0", 8), hashmap_hash("abcdefgh\0", 9));
	assert_int_not_equal(hashmap_hash("a", 1), hashmap_hash("b", 1));
	assert_int_equal(hashmap_hash("abc", 3), hashmap_hash("abc", 3));
}

/* --- anything at all ------------------------------------------------------ */

static uint64_t rng_state = 7;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	return rng_state ^= rng_state << 17;
}

/* Mostly small, sometimes anything. */
static uint64_t some(uint64_t n)
{
	uint64_t r = rng();

	return r % 50 == 0 ? rng() : r % 50 == 1 ? UINT64_MAX : r / 50 % n;
}

static struct subject someone(void)
{
	return (struct subject){4000 * NSEC + some(5), (uint32_t)some(12), (uint32_t)some(3)};
}

static void some_input(struct fixture *t)
{
	static const char *const words[] = {NULL, "", "a", "slurm:1", "\xff\033", "/usr/bin/x"};
	struct ledger_key access = {someone(), (uint16_t)some(3), (uint16_t)some(ACCESS_KINDS), 0};
	struct ledger_val read = {some(1000), some(9), some(9), some(t->now), some(t->now)};
	struct edge_key edge = {
	    someone(), {some(6), (uint32_t)some(2), 0}, some(4), (uint32_t)some(VIA_KINDS + 1), 0};
	struct edge_val moved = {some(1000), some(9), some(t->now), some(t->now)};
	struct taint taint = {some(4), some(4), someone(), some(t->now), (uint32_t)some(7), 1};
	struct flow f =
	    flow_to(t, some(30), 0, some(2) ? "203.0.113.9" : "10.0.0.1", (uint16_t)some(4));
	struct flow_taint_key fk = {some(30), some(4)};
	struct flow_taint fv = {some(1000), some(t->now)};
	struct overflow_key ok = {some(3), (uint16_t)some(3), (uint16_t)some(3), 0};
	struct overflow_val ov = {some(1000), some(9)};
	struct subject who = someone();
	struct subject_info info = {.who = someone(),
				    .parent = someone(),
				    .uid = (uint32_t)rng(),
				    .uid_known = some(2),
				    .comm = words[some(6) % 6],
				    .exe = words[some(6) % 6],
				    .job = words[some(6) % 6]};

	if (edge.via == VIA_PEEK)
		memcpy(&edge.what, &who, sizeof(who));
	f.who = someone();
	f.mask = some(4);
	f.start_ns = some(t->now);
	f.out = some(1000);
	f.in = some(1000);
	f.base_out = some(300);
	f.closed = some(3) == 0;
	f.role = (uint8_t)some(4);
	f.proto = (uint8_t)(some(2) ? 6 : 17);
	switch (some(16)) {
	case 0:
	case 1:
		model_set_access(t->m, &access, &read);
		break;
	case 2:
		model_settle_access(t->m, &access);
		break;
	case 3:
	case 4:
		model_set_edge(t->m, &edge, &moved);
		break;
	case 5:
		model_settle_edge(t->m, &edge);
		break;
	case 6:
		model_set_taint(t->m, &who, &taint);
		break;
	case 7:
	case 8:
		model_set_flow(t->m, &f);
		break;
	case 9:
		model_set_flow_taint(t->m, &fk, &fv);
		break;
	case 10:
		model_set_overflow(t->m, &ok, &ov);
		break;
	case 11:
		model_set_subject(t->m, &info);
		break;
	case 12:
		model_set_exit(t->m, &who, t->now);
		break;
	case 13:
		model_name_object(t->m, &edge.what, words[some(6) % 6], some(2));
		break;
	case 14:
		model_forget_object(t->m, &edge.what);
		break;
	default:
		model_begin_scan(t->m, (unsigned)some(3));
		model_set_dataset_size(t->m, (unsigned)some(3), some(2000), some(5));
	}
}

static void test_any_input(void **state)
{
	static const char *const what[] = {"datasets", "jobs",	   "processes",
					   "flows",    "findings", "health"};

	for (int world = 0; world < 150; world++) {
		struct fixture t;

		fixture_begin(&t, NULL);
		t.m->merge_above = world % 2 ? 3 : 100000;
		t.m->nodes_max = world % 3 ? 100000 : 20;
		t.m->findings->most = world % 5 ? 4096 : 2;
		for (int i = 0; i < 300; i++) {
			some_input(&t);
			if (i % 20)
				continue;
			t.now += world % 2 ? 70 * NSEC : NSEC;
			assert_int_equal(rules_evaluate(t.m, t.now), 0);
			json_t *all =
			    snapshot(t.m, what[some(6) % 6], &(struct timespec){1800000000, 0});
			assert_non_null(all);
			json_decref(all);
		}
		fixture_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hashmap),
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_any_input),
	};

	return cmocka_run_group_tests_name("model_any", tests, NULL, NULL);
}
