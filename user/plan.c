/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/plan.h"

#include <string.h>

static const struct {
	const char *name, *text;
} fact_table[] = {
#define X(id, n, t) [id] = {n, t},
	SL_FACTS(X)
#undef X
};

static const struct {
	const char *name;
	enum hook_set set;
	uint64_t facts;
} hook_table[] = {
#define X(program, s, f) [HOOK_##program] = {#program, s, f},
	SL_HOOKS(X)
#undef X
};

static const struct {
	enum hook_set set;
	enum fact fact;
	const char *text;
} limit_table[] = {
#define X(s, f, t) {s, f, t},
	SL_LIMITS(X)
#undef X
};

static const struct {
	enum hook program;
	enum fact fact;
	const char *text;
} program_limits[] = {
#define X(program, f, t) {HOOK_##program, f, t},
	SL_PROGRAM_LIMITS(X)
#undef X
};

/* Without these a set does not see what it is for. */
#define ESSENTIAL (F(READ) | F(READV) | F(MMAP) | F(PIPE_WRITE) | F(PIPE_READ))

const char *fact_name(enum fact f)
{
	return fact_table[f].name;
}

const char *fact_text(enum fact f)
{
	return fact_table[f].text;
}

const char *hook_name(enum hook h)
{
	return hook_table[h].name;
}

enum hook_set hook_set_of(enum hook h)
{
	return hook_table[h].set;
}

uint64_t hook_facts(enum hook h)
{
	return hook_table[h].facts;
}

bool hook_steady(enum hook h)
{
	static const bool steady[HOOK_KINDS] = {
#define X(program) [HOOK_##program] = true,
		SL_STEADY(X)
#undef X
	};

	return steady[h];
}

const char *set_name(enum hook_set s)
{
	return s == SET_TRAMPOLINE ? "trampoline" : s == SET_TRACEPOINT ? "tracepoint" : "both";
}

int wish_parse(const char *text, enum wish *ret)
{
	static const char *const word[] = {"auto", "trampoline", "tracepoint"};

	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		if (!strcmp(text, word[i])) {
			*ret = (enum wish)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The facts that the programs of a set would own here. */
static uint64_t reach(const struct facts *facts, enum hook_set set)
{
	uint64_t got = 0;

	for (int h = 0; h < HOOK_KINDS; h++)
		if (!facts->trial[h] && (hook_table[h].set == set || hook_table[h].set == SET_BOTH))
			got |= hook_table[h].facts;
	return got;
}

static bool sees_enough(const struct facts *facts, enum hook_set set)
{
	return (reach(facts, set) & ESSENTIAL) == ESSENTIAL;
}

static int choose(const struct facts *facts, enum wish wish, struct plan *p)
{
	bool a = sees_enough(facts, SET_TRAMPOLINE), b = sees_enough(facts, SET_TRACEPOINT);

	if (wish == WISH_TRACEPOINT || (wish == WISH_AUTO && (!a || (b && facts->interrupted)))) {
		p->set = SET_TRACEPOINT;
		snprintf(p->why, sizeof(p->why), "%s",
			 wish == WISH_TRACEPOINT ? "asked for"
			 : a ? "this kernel preempts trampolines (fentry, fexit): calls would go uncounted"
			     : "trampolines (fentry, fexit) do not load on this kernel");
		return b ? 0 : -EOPNOTSUPP;
	}
	p->set = SET_TRAMPOLINE;
	snprintf(p->why, sizeof(p->why), "%s",
		 wish == WISH_TRAMPOLINE ? "asked for" : "costs nothing on unrelated system calls");
	return a ? 0 : -EOPNOTSUPP;
}

int plan_make(const struct facts *facts, enum wish wish, struct plan *ret)
{
	struct plan p = {.preempted = facts->preempted,
			 .have_cast = facts->have_cast,
			 .have_task_btf = facts->have_task_btf,
			 .have_loop = facts->have_loop};
	uint64_t owned = 0;
	int err = choose(facts, wish, &p);

	memcpy(p.trial, facts->trial, sizeof(p.trial));
	memcpy(p.cgroup2, facts->cgroup2, sizeof(p.cgroup2));
	for (int f = 0; f < FACT_KINDS; f++)
		p.owner[f] = -1;
	for (int h = 0; h < HOOK_KINDS; h++) {
		uint64_t mine = hook_table[h].facts;

		if (facts->trial[h] || (hook_table[h].set != p.set && hook_table[h].set != SET_BOTH) ||
		    (mine & owned))
			continue;
		p.on[h] = true;
		owned |= mine;
		for (int f = 0; f < FACT_KINDS; f++)
			if (mine >> f & 1)
				p.owner[f] = h;
	}
	*ret = p;
	return facts->privileged ? err : -EPERM;
}

int plan_check(const struct plan *plan)
{
	uint64_t owned = 0;

	for (int h = 0; h < HOOK_KINDS; h++) {
		if (!plan->on[h])
			continue;
		if (owned & hook_table[h].facts)
			return -EINVAL;
		owned |= hook_table[h].facts;
	}
	return 0;
}

static void trial_reason(const struct plan *plan, int h, char *why, size_t n)
{
	if (plan->trial[h] == -ESRCH)
		snprintf(why, n, "%s: this kernel has no such function", hook_table[h].name);
	else if (plan->trial[h])
		snprintf(why, n, "%s does not load here: %s", hook_table[h].name, strerror(-plan->trial[h]));
	else
		snprintf(why, n, "%s is left out: another measures a part of what it does", hook_table[h].name);
}

/* Why has nobody this fact: no program is made for it, or those that are do not load. */
static void gap_reason(const struct plan *plan, enum fact f, char *why, size_t n)
{
	char one[PLAN_WHY];

	why[0] = '\0';
	if (plan->disowned[f][0])
		snprintf(why, n, "%s", plan->disowned[f]);
	for (int h = 0; h < HOOK_KINDS && !plan->disowned[f][0]; h++) {
		size_t at = strlen(why);

		if (plan->trial[h] == -ECANCELED || !(hook_table[h].facts >> f & 1) || (hook_table[h].set != plan->set && hook_table[h].set != SET_BOTH))
			continue;
		trial_reason(plan, h, one, sizeof(one));
		snprintf(why + at, n - at, "%s%s", at ? "; " : "", one);
	}
	if (!why[0])
		snprintf(why, n, "no program of this set measures it yet");
}

void plan_disown(struct plan *plan, enum fact f, const char *why)
{
	plan->owner[f] = -1;
	snprintf(plan->disowned[f], sizeof(plan->disowned[f]), "%s", why);
}

void plan_gaps(const struct plan *plan, void (*each)(void *arg, enum fact f, const char *why), void *arg)
{
	char why[2 * PLAN_WHY];

	for (int f = 0; f < FACT_KINDS; f++) {
		if (plan->owner[f] >= 0)
			continue;
		gap_reason(plan, (enum fact)f, why, sizeof(why));
		each(arg, (enum fact)f, why);
	}
}

void plan_limits(const struct plan *plan, void (*each)(void *arg, enum fact f, const char *why), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(limit_table); i++)
		if (limit_table[i].set == plan->set && plan->owner[limit_table[i].fact] >= 0)
			each(arg, limit_table[i].fact, limit_table[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(program_limits); i++)
		if (plan->owner[program_limits[i].fact] == (int)program_limits[i].program)
			each(arg, program_limits[i].fact, program_limits[i].text);
}
