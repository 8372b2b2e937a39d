/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The decision what to switch on, one capability taken away at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "user/plan.h"
#include "user/preemption.h"

static struct facts everything(void)
{
	struct facts f = {.btf = true, .privileged = true, .have_cast = true, .have_task_btf = true, .have_loop = true};

	f.trial[HOOK_a_pipe_write] = -ESRCH; /* no kernel has both names */
	for (int h = 0; h < HOOK_KINDS; h++)
		if (hook_steady((enum hook)h))
			f.trial[h] = -ECANCELED; /* on most kernels */
	return f;
}

static struct facts no_trampolines(void)
{
	struct facts f = everything();

	for (int h = 0; h < HOOK_KINDS; h++)
		if (hook_set_of((enum hook)h) == SET_TRAMPOLINE)
			f.trial[h] = -EPERM;
	return f;
}

static void auto_prefers_trampolines(void **state)
{
	struct facts f = everything();
	struct plan p;

	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.set, SET_TRAMPOLINE);
	assert_true(p.on[HOOK_a_read]);
	assert_false(p.on[HOOK_on_sys_exit]);
	assert_int_equal(p.owner[FACT_READ], HOOK_a_read);
	assert_int_equal(plan_check(&p), 0);
}

static void refused_trampolines_leave_tracepoints(void **state)
{
	struct facts f = no_trampolines();
	struct plan p;

	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.set, SET_TRACEPOINT);
	assert_int_equal(p.owner[FACT_READ], HOOK_on_sys_exit);
	assert_int_equal(p.owner[FACT_ACCEPT], HOOK_on_sys_exit);
	assert_int_equal(plan_check(&p), 0);
	assert_int_equal(plan_make(&f, WISH_TRAMPOLINE, &p), -EOPNOTSUPP);
}

static void preempted_trampolines_are_not_taken(void **state)
{
	struct facts f = everything();
	struct plan p;

	f.interrupted = true;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.set, SET_TRACEPOINT);
	assert_int_equal(plan_make(&f, WISH_TRAMPOLINE, &p), 0);
	assert_int_equal(p.set, SET_TRAMPOLINE);
	f.trial[HOOK_on_sys_exit] = f.trial[HOOK_steady_sys_exit] = -EINVAL;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.set, SET_TRAMPOLINE);
}

static void a_steady_program_comes_first(void **state)
{
	struct facts f = no_trampolines();
	struct plan p;

	f.trial[HOOK_steady_sys_exit] = f.trial[HOOK_again_fork] = 0;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.owner[FACT_READ], HOOK_steady_sys_exit);
	assert_false(p.on[HOOK_on_sys_exit]);
	assert_true(p.on[HOOK_again_fork]);
	f.trial[HOOK_steady_sys_exit] = -ECANCELED;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.owner[FACT_READ], HOOK_on_sys_exit);
}

static void the_kernel_says_whether_it_preempts(void **state)
{
	assert_false(preemption_told("none (voluntary) full ", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-01-01)"));
	assert_true(preemption_told("none voluntary (full) ", "#1 SMP PREEMPT_DYNAMIC x"));
	assert_true(preemption_told("full (lazy) ", "#1 SMP PREEMPT_DYNAMIC x"));
	assert_false(preemption_told(NULL, "#1 SMP PREEMPT_DYNAMIC x"));
	assert_true(preemption_told(NULL, "#1 SMP PREEMPT Thu Jan 1"));
	assert_true(preemption_told(NULL, "#1 SMP PREEMPT_RT Thu Jan 1"));
	assert_false(preemption_told(NULL, "#1 SMP Thu Jan 1"));
}

static void a_wish_is_followed(void **state)
{
	struct facts f = everything();
	struct plan p;

	assert_int_equal(plan_make(&f, WISH_TRACEPOINT, &p), 0);
	assert_int_equal(p.set, SET_TRACEPOINT);
	assert_false(p.on[HOOK_a_read]);
	assert_int_equal(plan_check(&p), 0);
}

static void one_essential_hook_missing_changes_the_set(void **state)
{
	static const enum hook essential[] = {HOOK_a_read, HOOK_a_readv, HOOK_a_mmap, HOOK_a_anon_pipe_write};

	for (size_t i = 0; i < ARRAY_SIZE(essential); i++) {
		struct facts f = everything();
		struct plan p;

		f.trial[essential[i]] = -EINVAL;
		assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
		assert_int_equal(p.set, SET_TRACEPOINT);
	}
}

static void the_other_name_of_a_function_serves(void **state)
{
	struct facts f = everything();
	struct plan p;

	f.trial[HOOK_a_anon_pipe_write] = -ESRCH;
	f.trial[HOOK_a_pipe_write] = 0;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_int_equal(p.owner[FACT_PIPE_WRITE], HOOK_a_pipe_write);
}

static void of_two_owners_one_is_on(void **state)
{
	struct facts f = everything();
	struct plan p;

	f.trial[HOOK_a_pipe_write] = 0;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), 0);
	assert_true(p.on[HOOK_a_anon_pipe_write]);
	assert_false(p.on[HOOK_a_pipe_write]);
	p.on[HOOK_a_pipe_write] = true;
	assert_int_equal(plan_check(&p), -EINVAL);
}

struct found {
	bool gap[FACT_KINDS];
	char why[FACT_KINDS][400];
};

static void note(void *arg, enum fact f, const char *why)
{
	struct found *found = arg;

	found->gap[f] = true;
	snprintf(found->why[f], sizeof(found->why[f]), "%s", why);
}

/* Every hook taken away alone: each of its facts has another owner, or is a gap that names the reason. */
static void whatever_is_missing_is_a_gap(void **state)
{
	for (int h = 0; h < HOOK_KINDS; h++) {
		struct facts f = everything();
		struct found found = {};
		struct plan p;

		f.trial[h] = -ENOENT;
		plan_make(&f, WISH_AUTO, &p);
		assert_int_equal(plan_check(&p), 0);
		assert_false(p.on[h]);
		plan_gaps(&p, note, &found);
		for (int k = 0; k < FACT_KINDS; k++) {
			assert_true((p.owner[k] < 0) <= found.gap[k]);
			if (!(hook_facts((enum hook)h) >> k & 1) || p.owner[k] >= 0)
				continue;
			if (hook_set_of((enum hook)h) == SET_BOTH || hook_set_of((enum hook)h) == p.set) {
				assert_non_null(strstr(found.why[k], hook_name((enum hook)h)));
				assert_non_null(strstr(found.why[k], strerror(ENOENT)));
			}
		}
	}
}

static void a_fact_that_lost_its_owner_is_a_gap_with_its_reason(void **state)
{
	struct facts f = everything();
	struct found found = {};
	struct plan p;

	plan_make(&f, WISH_AUTO, &p);
	plan_disown(&p, FACT_READ, "attached but silent: so and so");
	plan_gaps(&p, note, &found);
	assert_true(found.gap[FACT_READ]);
	assert_string_equal(found.why[FACT_READ], "attached but silent: so and so");
	assert_true(p.on[HOOK_a_read]); /* for what else it owns */
	assert_false(found.gap[FACT_PIPE_READ]);
}

/* What a program cannot know is told where that program is who owns the fact, and nowhere else. */
static void a_limit_goes_with_its_program(void **state)
{
	struct facts f = everything();
	struct found late = {}, early = {};
	struct plan p;

	plan_make(&f, WISH_AUTO, &p);
	plan_limits(&p, note, &late);
	assert_true(p.on[HOOK_on_uring_complete]);
	assert_null(strstr(late.why[FACT_READ_URING], "asks for"));
	f.trial[HOOK_on_uring_complete] = f.trial[HOOK_on_uring_submit] = f.trial[HOOK_on_uring_submit_sqe] = -EINVAL;
	plan_make(&f, WISH_AUTO, &p);
	plan_limits(&p, note, &early);
	assert_int_equal(p.owner[FACT_READ_URING], HOOK_on_uring_asked);
	assert_true(early.gap[FACT_READ_URING]);
	assert_non_null(strstr(early.why[FACT_READ_URING], "asks for"));
}

static void nothing_without_privilege(void **state)
{
	struct facts f = everything();
	struct plan p;

	f.privileged = false;
	assert_int_equal(plan_make(&f, WISH_AUTO, &p), -EPERM);
}

static void facts_have_names_of_their_own(void **state)
{
	for (int a = 0; a < FACT_KINDS; a++) {
		assert_non_null(strchr(fact_name((enum fact)a), '.'));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(fact_name((enum fact)a), fact_name((enum fact)b));
	}
}

static void wishes_are_words(void **state)
{
	enum wish w = WISH_AUTO;

	assert_int_equal(wish_parse("tracepoint", &w), 0);
	assert_int_equal(w, WISH_TRACEPOINT);
	assert_int_equal(wish_parse("kprobe", &w), -EINVAL);
	assert_int_equal(w, WISH_TRACEPOINT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auto_prefers_trampolines),
		cmocka_unit_test(refused_trampolines_leave_tracepoints),
		cmocka_unit_test(preempted_trampolines_are_not_taken),
		cmocka_unit_test(a_steady_program_comes_first),
		cmocka_unit_test(the_kernel_says_whether_it_preempts),
		cmocka_unit_test(a_wish_is_followed),
		cmocka_unit_test(one_essential_hook_missing_changes_the_set),
		cmocka_unit_test(the_other_name_of_a_function_serves),
		cmocka_unit_test(of_two_owners_one_is_on),
		cmocka_unit_test(whatever_is_missing_is_a_gap),
		cmocka_unit_test(a_fact_that_lost_its_owner_is_a_gap_with_its_reason),
		cmocka_unit_test(a_limit_goes_with_its_program),
		cmocka_unit_test(nothing_without_privilege),
		cmocka_unit_test(facts_have_names_of_their_own),
		cmocka_unit_test(wishes_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
