/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What one monitor leaves to the next: written and read again, damaged in any way, and in the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/model_fixture.h"
#include "user/carry_state.h"

#define BOOT "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"

static char file[64];

static int make_file(void **state)
{
	strcpy(file, "/tmp/sluice-carry-XXXXXX");
	int fd = mkstemp(file);

	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	return unlink(file);
}

static void put(const char *data, size_t n)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static struct hop hops[] = {
    {(char *)"dataset patients", (char *)"process tar[7]", "read", 4096, 11, true, 0},
    {(char *)"process tar[7]", (char *)"process x[8]", "fork", 0, 0, false, 0},
    {(char *)"process x[8]", (char *)"file /tmp/\xe2\x80\xa6", "file_write", 512, 13, true, 0},
};

static void write_sample(struct json_text *text)
{
	struct carry_head head = {BOOT, 77 * NSEC, -5};
	struct carry_set set = {(char *)"patients", (char *)"/data/patients", {4096, 8192, 3, true, 100, {[7] = 17}, 25600}};
	struct carry_holder object = {
	    .is = {512, 4096, (uint64_t)-9, hops, 3},
	    .is_object = true,
	    .what = {UINT64_MAX - 1, 8u << 20 | 1, 0xfffffffe},
	    .kind = OBJECT_PIPE,
	    .open = true,
	    .path = (char *)"/tmp/\xff\n\"x",
	    .handle = {3, 129, {0, 0xab, 0xff}},
	    .inode = 0xffff888012345678,
	};
	struct carry_holder process = {.is = {1, 1, 3, NULL, 0}, .who = {44, 55, 66}};

	*text = (struct json_text){.max = 1 << 20};
	assert_int_equal(carry_write_head(text, &head), 0);
	assert_int_equal(carry_write_set(text, &set), 0);
	assert_int_equal(carry_write_holder(text, "patients", &object), 0);
	assert_int_equal(carry_write_holder(text, "patients", &process), 0);
	assert_int_equal(carry_write_end(text, 2), 0);
}

static void comes_back_as_it_was(void **state)
{
	_cleanup_(carry_state_freep) struct carry_state *s = NULL;
	struct json_lines_error why = {0};
	struct json_text text;

	write_sample(&text);
	put(text.data, text.len);
	free(text.data);
	assert_int_equal(carry_read(file, &s, &why), 0);
	assert_true(s->whole);
	assert_string_equal(s->head.boot, BOOT);
	assert_int_equal(s->head.boot_ns, 77 * NSEC);
	assert_int_equal(s->head.wall_offset, -5);
	assert_int_equal(s->nsets, 1);
	assert_string_equal(s->sets[0].id, "patients");
	assert_string_equal(s->sets[0].path, "/data/patients");
	assert_int_equal(s->sets[0].is.total, 4096);
	assert_int_equal(s->sets[0].is.size, 8192);
	assert_int_equal(s->sets[0].is.files, 3);
	assert_true(s->sets[0].is.shrank);
	assert_int_equal(s->sets[0].is.spent_slot_ns, 100);
	assert_int_equal(s->sets[0].is.spent_until_ns, 25600);
	assert_int_equal(s->sets[0].is.spent[7], 17);
	assert_int_equal(s->nholders, 2);

	const struct carry_holder *h = &s->holders[0];
	assert_true(h->is_object && h->open && h->kind == OBJECT_PIPE);
	assert_int_equal(h->what.ino, UINT64_MAX - 1);
	assert_int_equal(h->what.dev, 8u << 20 | 1);
	assert_int_equal(h->what.gen, 0xfffffffe);
	assert_string_equal(h->path, "/tmp/\xff\n\"x");
	assert_int_equal(h->handle.length, 3);
	assert_int_equal(h->handle.type, 129);
	assert_memory_equal(h->handle.bytes, "\0\xab\xff", 3);
	assert_int_equal(h->inode, 0xffff888012345678);
	assert_int_equal(h->is.bound, 512);
	assert_int_equal(h->is.exposed, 4096);
	assert_int_equal(h->is.since_ns, (uint64_t)-9);
	assert_int_equal(h->is.nchain, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(h->is.chain[i].from, hops[i].from);
		assert_string_equal(h->is.chain[i].to, hops[i].to);
		assert_string_equal(h->is.chain[i].via, hops[i].via);
		assert_int_equal(h->is.chain[i].bytes, hops[i].bytes);
		assert_int_equal(h->is.chain[i].time_ns, hops[i].time_ns);
		assert_int_equal(h->is.chain[i].counted, hops[i].counted);
	}
	h = &s->holders[1];
	assert_true(!h->is_object && !h->is.nchain);
	assert_int_equal(h->who.start_ns, 44);
	assert_int_equal(h->who.tgid, 55);
	assert_int_equal(h->who.exec, 66);
}

/* A name is any bytes but 0. */
static void any_name_comes_back(void **state)
{
	struct carry_head head = {BOOT, 1, 0};
	struct carry_set set = {(char *)"a", (char *)"/a", {.total = 1}};
	uint64_t rng = 88172645463325252ULL;

	for (unsigned i = 0; i < 1000; i++) {
		_cleanup_(carry_state_freep) struct carry_state *s = NULL;
		struct carry_holder h = {.is = {1, 1, 1, NULL, 0}, .is_object = true, .kind = OBJECT_FILE};
		struct json_text text = {.max = 1 << 20};
		struct json_lines_error why = {0};
		char name[8] = "/";

		for (unsigned k = 1; k < 7; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			name[k] = (char)(i % 2 ? rng >> 40 : 0xc2 + (rng >> 40) % 0x30 - (k % 2 ? 0 : 0x40));
			name[k] = (char)(name[k] ? name[k] : 1);
		}
		h.path = name;
		assert_int_equal(carry_write_head(&text, &head), 0);
		assert_int_equal(carry_write_set(&text, &set), 0);
		assert_int_equal(carry_write_holder(&text, "a", &h), 0);
		assert_int_equal(carry_write_end(&text, 1), 0);
		put(text.data, text.len);
		free(text.data);
		assert_int_equal(carry_read(file, &s, &why), 0);
		assert_string_equal(why.text, "");
		assert_string_equal(s->holders[0].path, name);
	}
}

/* What stands before a damage holds; what does not begin as it should is refused. */
static void of_a_torn_file_the_beginning(void **state)
{
	struct json_text text;
	unsigned partly = 0;

	write_sample(&text);
	for (size_t n = 0; n < text.len - 1; n++) {
		_cleanup_(carry_state_freep) struct carry_state *s = NULL;
		struct json_lines_error why = {0};

		put(text.data, n);
		int err = carry_read(file, &s, &why);
		assert_true(err == 0 || err == -EINVAL);
		assert_true(*why.text);
		assert_true(err || !s->whole);
		partly += !err && s->nholders;
	}
	assert_true(partly > 100);
	free(text.data);
}

static void anything_is_read_or_refused(void **state)
{
	struct json_text text;
	uint64_t rng = 88172645463325252ULL;
	unsigned refused = 0, read = 0;

	write_sample(&text);
	for (unsigned i = 0; i < 4000; i++) {
		_cleanup_(carry_state_freep) struct carry_state *s = NULL;
		_cleanup_free_ char *copy = malloc(text.len);
		struct json_lines_error why = {0};

		assert_non_null(copy);
		memcpy(copy, text.data, text.len);
		for (unsigned k = 0; k <= i % 3; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			copy[rng % text.len] = i % 2 ? "0123456789-\"{}[],:e"[(rng >> 32) % 19] : (char)(rng >> 40);
		}
		put(copy, text.len);
		int err = carry_read(file, &s, &why);
		assert_true(err == 0 || err == -EINVAL);
		refused += err != 0;
		read += !err;
	}
	assert_true(refused > 50 && read > 1000);
	free(text.data);
}

static void expect_refused(const char *lines)
{
	_cleanup_(carry_state_freep) struct carry_state *s = NULL;
	struct json_lines_error why = {0};
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"v\":1,\"type\":\"lineage\",\"boot\":\"" BOOT "\",\"boot_ns\":1,\"wall_offset\":0}\n"
		 "{\"type\":\"dataset\",\"id\":\"a\",\"total\":1,\"size\":1,\"files\":1,\"shrank\":false}\n%s\n{\"type\":\"end\"}\n",
		 lines);
	put(text, strlen(text));
	assert_int_equal(carry_read(file, &s, &why), 0);
	if (s->whole || s->nholders || !(strstr(why.text, ":3:1: ") || strstr(why.text, ":4:1: ")))
		fail_msg("%s: %s", lines, why.text);
}

static void what_makes_no_sense_is_refused(void **state)
{
#define PROCESS "{\"type\":\"process\",\"dataset\":\"a\",\"bound\":1,\"exposed\":1,\"since_ns\":1"
#define OBJECT "{\"type\":\"object\",\"dataset\":\"a\",\"bound\":1,\"exposed\":1,\"since_ns\":1,\"kind\":\"file\""
	expect_refused(PROCESS ",\"start_ns\":1,\"pid\":0,\"exec\":1}");
	expect_refused(PROCESS ",\"start_ns\":1,\"pid\":4294967296,\"exec\":1}");
	expect_refused(PROCESS ",\"start_ns\":-1,\"pid\":4,\"exec\":1}");
	expect_refused(PROCESS ",\"start_ns\":1,\"pid\":4,\"exec\":1,\"way\":[[\"a\",\"b\",\"magic\",1,1]]}");
	expect_refused(PROCESS ",\"start_ns\":1,\"pid\":4,\"exec\":1,\"way\":[[\"a\",\"b\",\"read\",\"1\",1]]}");
	expect_refused("{\"type\":\"process\",\"dataset\":\"b\",\"bound\":1,\"exposed\":1,\"since_ns\":1,\"start_ns\":1,\"pid\":4,"
		       "\"exec\":1}");
	expect_refused("{\"type\":\"process\",\"dataset\":\"a\",\"bound\":0,\"exposed\":1,\"since_ns\":1,\"start_ns\":1,\"pid\":4,"
		       "\"exec\":1}");
	expect_refused(OBJECT ",\"ino\":1,\"dev\":1,\"gen\":1.5}");
	expect_refused(OBJECT ",\"ino\":1,\"dev\":1,\"gen\":1,\"path_hex\":\"zz\"}");
	expect_refused(OBJECT ",\"ino\":1,\"dev\":1,\"gen\":1,\"path_hex\":\"2f00\"}");
	expect_refused(OBJECT ",\"ino\":1,\"dev\":1,\"gen\":1,\"handle\":\"0\",\"handle_type\":1}");
	expect_refused(OBJECT ",\"ino\":1,\"dev\":1,\"gen\":1,\"handle\":\"00\"}");
	expect_refused("{\"type\":\"terminal\"}");
	expect_refused("{\"type\":\"end\"}\n{\"type\":\"end\"}");
	expect_refused("[]");
#undef PROCESS
#undef OBJECT
}

/* --- in the model --------------------------------------------------------------------- */

#define TOTAL 5000

static struct m_flow *uploads(struct fixture *t, uint64_t id, uint32_t pid, uint64_t bytes)
{
	struct flow f = {.id = id, .who = process(pid), .out = bytes, .start_ns = t->now, .last_ns = t->now, .family = 2, .proto = 6,
			 .role = ROLE_CONNECT, .rport = 443, .raddr = {[10] = 0xff, 0xff, 203, 0, 113, 9}};
	struct flow_taint_key key = {id, 1};
	struct flow_taint val = {0, t->now};

	f.mask = 1;
	assert_int_equal(model_set_flow(t->m, &f), 0);
	assert_int_equal(model_set_flow_taint(t->m, &key, &val), 0);
	return hashmap_find(&t->m->flows, &id);
}

static void holds(struct fixture *t, uint32_t pid, uint64_t bound, uint64_t exposed)
{
	struct carried c = {.bound = bound, .exposed = exposed, .since_ns = 7};
	struct taint taint = {.mask = 1, .since_ns = t->now, .via = VIA_HELD, .used = 1};
	struct subject who = process(pid);

	introduce(t, pid, "holder", "slurm:1.0");
	assert_int_equal(model_carry_subject(t->m, &who, 0, &c), 0);
	assert_int_equal(model_set_taint(t->m, &who, &taint), 0);
}

static struct leak leaked(struct fixture *t, const struct m_flow *const *flows, size_t n)
{
	uint64_t work = UINT64_MAX;
	struct ds_graph *g;
	struct leak leak;

	assert_int_equal(ds_graph_current(t->m, 0, &g), 0);
	assert_int_equal(ds_graph_leak(g, flows, n, &work, &leak), 0);
	return leak;
}

/* Two that hold the same bytes sent no more of them together than there were; what is exposed is theirs, not all. */
static void all_together_hold_no_more_than_was_read(void **state)
{
	struct fixture t;
	const struct m_flow *flows[2];

	fixture_begin(&t, NULL);
	model_carry_dataset(t.m, 0, &(struct carried_dataset){.total = TOTAL});
	holds(&t, 10, 3000, 3000);
	holds(&t, 11, 4000, 4500);
	holds(&t, 12, 1, 2);
	flows[0] = uploads(&t, 1, 10, 1000000);
	flows[1] = uploads(&t, 2, 11, 1000000);
	assert_int_equal(leaked(&t, flows, 1).bound, 3000);
	assert_int_equal(leaked(&t, flows, 1).exposed, 3000);
	assert_int_equal(leaked(&t, flows + 1, 1).bound, 4000);
	assert_int_equal(leaked(&t, flows + 1, 1).exposed, 4500);
	assert_int_equal(leaked(&t, flows, 2).bound, TOTAL);
	assert_int_equal(leaked(&t, flows, 2).exposed, TOTAL);
	/* and what it reads now is on top */
	reads_kind(&t, process(10), 0, ACCESS_READ, 17);
	assert_int_equal(leaked(&t, flows, 1).bound, 3017);
	assert_int_equal(leaked(&t, flows, 2).bound, TOTAL + 17);
	fixture_end(&t);
}

static void nothing_is_taken_of_what_was_not_there(void **state)
{
	struct fixture t;
	struct subject who = process(9);
	struct carried c = {.bound = 5, .exposed = 5};

	fixture_begin(&t, NULL);
	assert_int_equal(model_carry_subject(t.m, &who, 0, &c), -EINVAL);
	assert_int_equal(model_carry_subject(t.m, &who, 99, &c), -EINVAL);
	model_carry_dataset(t.m, 0, &(struct carried_dataset){.total = TOTAL});
	c.bound = 0;
	assert_int_equal(model_carry_subject(t.m, &who, 0, &c), -EINVAL);
	assert_int_equal(t.m->nsubjects, 0);
	fixture_end(&t);
}

/* By how old it is, and never younger: an hour later a day's budget still knows it, two days later no more. */
static void what_was_spent_grows_old(void **state)
{
	static const uint64_t slot = 24 * 3600 * NSEC / (BUDGET_SLOTS - 1) + 1;
	const uint64_t hour = 3600 * NSEC;
	struct carried_dataset was = {.total = TOTAL, .spent_slot_ns = slot, .spent = {[0] = 3, [BUDGET_SLOTS - 1] = 40}};
	static const struct {
		int64_t hours;
		uint64_t left;
	} after[] = {{0, 43}, {1, 40}, {23, 40}, {25, 0}, {480, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		struct fixture t;
		uint64_t sum = 0;

		fixture_begin(&t, NULL);
		was.spent_until_ns = t.now - (uint64_t)after[i].hours * hour; /* which may be before the boot */
		model_carry_dataset(t.m, 0, &was);
		for (unsigned k = 0; k < BUDGET_SLOTS; k++)
			sum += t.m->datasets[0].budget.bytes[k];
		if (sum != after[i].left)
			fail_msg("after %lld hours %llu", (long long)after[i].hours, (unsigned long long)sum);
		fixture_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(comes_back_as_it_was, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(any_name_comes_back, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(of_a_torn_file_the_beginning, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(anything_is_read_or_refused, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused, make_file, remove_file),
	    cmocka_unit_test(all_together_hold_no_more_than_was_read),
	    cmocka_unit_test(nothing_is_taken_of_what_was_not_there),
	    cmocka_unit_test(what_was_spent_grows_old),
	};

	return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
