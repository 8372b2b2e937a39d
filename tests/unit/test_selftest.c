/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The self-test's judgement: what a canary did, against what the kernel half says. No kernel is
 * asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "user/selftest_internal.h"

static struct verdict judged(proof_check *check, const struct proof_row *row,
			     const struct canary_note *note, const struct evidence *ev)
{
	struct verdict v = {};

	check(row, note, ev, &v);
	return v;
}

static void an_access_is_exact_or_not(void **state)
{
	struct seen_access seen[] = {
	    {.key = {.who = {1, 70, 3}, .kind = ACCESS_READ}, .val = {.bytes = 1000}},
	    {.key = {.who = {1, 70, 3}, .kind = ACCESS_MMAP}, .val = {.bytes = 4096}},
	    {.key = {.who = {1, 71, 3}, .kind = ACCESS_READ}, .val = {.bytes = 500}},
	};
	struct evidence ev = {.ledger = {seen, ARRAY_SIZE(seen)}};
	struct canary_note note = {.pid = {70}, .bytes = {1009}};
	struct proof_row row = {.via = ACCESS_READ};

	assert_int_equal(judged(check_access, &row, &note, &ev).want, 1009);
	assert_int_equal(judged(check_access, &row, &note, &ev).got, 1000);
	note.pid[0] = 0; /* a role that never was owns nothing */
	seen[0].key.who.tgid = 0;
	assert_int_equal(judged(check_access, &row, &note, &ev).got, 0);
}

static void a_mapping_is_a_bound(void **state)
{
	struct seen_access seen[] = {
	    {.key = {.who = {1, 70, 3}, .kind = ACCESS_MMAP}, .val = {.bytes = 8192}}};
	struct evidence ev = {.ledger = {seen, 1}};
	struct canary_note note = {.pid = {70}, .bytes = {CANARY_MAPPED_BYTES}};
	struct proof_row row = {};
	struct verdict v = judged(check_mapped, &row, &note, &ev);

	assert_true(v.got >= v.want && v.got <= v.most);
	seen[0].val.bytes = CANARY_MAPPED_BYTES - 1;
	v = judged(check_mapped, &row, &note, &ev);
	assert_true(v.got < v.want);
}

static void exec_wants_the_next_image(void **state)
{
	struct seen_access read[] = {
	    {.key = {.who = {9, 80, 4}, .kind = ACCESS_READ}, .val = {.bytes = 101}}};
	struct seen_taint taint[] = {{.who = {9, 80, 4}, .taint = {.mask = 1}}};
	struct evidence ev = {.ledger = {read, 1}, .tainted = {taint, 1}};
	struct canary_note note = {.pid = {79, 80}};
	struct proof_row row = {.role = 1};

	assert_int_equal(judged(check_exec, &row, &note, &ev).got, 0);
	taint[0].who.exec = 5;
	assert_int_equal(judged(check_exec, &row, &note, &ev).got, 1);
	taint[0].who.start_ns = 10; /* another process with that number */
	assert_int_equal(judged(check_exec, &row, &note, &ev).got, 0);
}

static void a_child_has_it_from_its_parent(void **state)
{
	struct seen_taint taint[] = {
	    {.who = {9, 81, 4}, .taint = {.mask = 1, .via = VIA_FORK, .from = {8, 80, 4}}}};
	struct evidence ev = {.tainted = {taint, 1}};
	struct canary_note note = {.pid = {80, 81}};
	struct proof_row row = {.role = 1};

	assert_int_equal(judged(check_fork, &row, &note, &ev).got, 1);
	taint[0].taint.via = VIA_READ;
	assert_int_equal(judged(check_fork, &row, &note, &ev).got, 0);
}

static void a_connection_is_known_by_both_ports(void **state)
{
	struct flow flows[] = {
	    {.proto = IPPROTO_TCP,
	     .role = ROLE_CONNECT,
	     .who = {1, 90, 1},
	     .lport = 4001,
	     .rport = 4002,
	     .out = 1117,
	     .in = 2017},
	    {.proto = IPPROTO_TCP,
	     .role = ROLE_ACCEPT,
	     .lport = 4002,
	     .rport = 4001,
	     .out = 2017,
	     .in = 1117},
	};
	struct evidence ev = {.flows = {flows, 2}};
	struct canary_note note = {
	    .pid = {90, 91}, .bytes = {1117, 2017}, .port = 4001, .peer_port = 4002};
	struct proof_row client = {}, server = {.role = 1};

	assert_int_equal(judged(check_connected, &client, &note, &ev).got, 1);
	assert_int_equal(judged(check_swept, &client, &note, &ev).got, 1117 + 2017);
	assert_int_equal(judged(check_closed, &client, &note, &ev).got, 0);
	assert_int_equal(judged(check_accepted, &server, &note, &ev).got, 0);
	flows[1].who.tgid = 91;
	assert_int_equal(judged(check_accepted, &server, &note, &ev).got, 1);
}

static void every_row_of_the_table_makes_sense(void **state)
{
	uint64_t all = 0;

	for (size_t i = 0; i < proof_nrows; i++) {
		const struct proof_row *r = &proof_rows[i];

		assert_true(r->facts);
		assert_false(r->facts & r->needs);
		assert_non_null(r->check);
		assert_true(r->role >= 0 && r->role < CANARY_ROLES);
		assert_true(i || r->run);
		all |= r->facts;
	}
	assert_int_equal(
	    all & (F(READ) | F(READV) | F(MMAP) | F(PIPE_WRITE) | F(PIPE_READ) | F(FORK) | F(TCP)),
	    F(READ) | F(READV) | F(MMAP) | F(PIPE_WRITE) | F(PIPE_READ) | F(FORK) | F(TCP));
}

/* --- rows into facts, facts into the plan ------------------------------------------------------
 */

static struct plan all_owned(void)
{
	struct plan p = {};

	for (int f = 0; f < FACT_KINDS; f++)
		p.owner[f] = HOOK_on_fork;
	p.owner[FACT_NAMES_OF_HOSTS] = -1;
	return p;
}

static void the_worst_row_is_the_fact(void **state)
{
	struct plan p = all_owned();
	struct selftest t = {.nrows = 3, .counted = true, .runs = {[HOOK_on_fork] = 7}};

	t.rows[0] = (struct selftest_row){
	    .name = "readv", .facts = F(READV), .proof = PROOF_EXACT, .bytes = true};
	t.rows[1] = (struct selftest_row){.name = "preadv",
					  .facts = F(READV),
					  .proof = PROOF_SILENT,
					  .bytes = true,
					  .want = 1021};
	t.rows[2] = (struct selftest_row){
	    .name = "read", .facts = F(READ), .proof = PROOF_UNTESTED, .why = "read: no"};
	selftest_sum_up(&t, &p);
	assert_int_equal(t.fact[FACT_READV], PROOF_SILENT);
	assert_non_null(
	    strstr(t.detail[FACT_READV], "canary of 1021 bytes by preadv came out as 0"));
	assert_non_null(strstr(t.detail[FACT_READV], "on_fork ran 7 times"));
	assert_int_equal(t.fact[FACT_READ], PROOF_UNTESTED);
	assert_int_equal(t.fact[FACT_MMAP], PROOF_FIRES);
	assert_int_equal(t.fact[FACT_NAMES_OF_HOSTS], PROOF_UNOWNED);
	t.counted = false;
	selftest_sum_up(&t, &p);
	assert_int_equal(t.fact[FACT_MMAP], PROOF_NONE);
}

static const char *gap_of_readv;

static void find_gap(void *arg, enum fact f, const char *why)
{
	static char text[PLAN_WHY];

	assert_int_not_equal(f, FACT_READ);
	if (f != FACT_READV)
		return;
	snprintf(text, sizeof(text), "%s", why);
	gap_of_readv = text;
}

static void what_is_silent_becomes_a_gap(void **state)
{
	struct plan p = all_owned();
	struct selftest t = {.nrows = 2};

	t.rows[0] = (struct selftest_row){.name = "preadv",
					  .facts = F(READV),
					  .proof = PROOF_SILENT,
					  .bytes = true,
					  .want = 1021};
	t.rows[1] =
	    (struct selftest_row){.name = "read", .facts = F(READ), .proof = PROOF_UNTESTED};
	selftest_sum_up(&t, &p);
	selftest_apply(&t, &p);
	assert_int_equal(p.owner[FACT_READV], -1);
	assert_int_equal(p.owner[FACT_READ], HOOK_on_fork);
	plan_gaps(&p, find_gap, NULL);
	assert_non_null(gap_of_readv);
	assert_non_null(strstr(gap_of_readv, "attached but silent: canary of 1021 bytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_access_is_exact_or_not),
	    cmocka_unit_test(a_mapping_is_a_bound),
	    cmocka_unit_test(exec_wants_the_next_image),
	    cmocka_unit_test(a_child_has_it_from_its_parent),
	    cmocka_unit_test(a_connection_is_known_by_both_ports),
	    cmocka_unit_test(every_row_of_the_table_makes_sense),
	    cmocka_unit_test(the_worst_row_is_the_fact),
	    cmocka_unit_test(what_is_silent_becomes_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
