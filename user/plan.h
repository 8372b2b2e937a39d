/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From what this kernel allows to what is switched on: a pure decision. */
#ifndef SLUICE_PLAN_H
#define SLUICE_PLAN_H

#include "include/hooks.h"
#include "user/util.h"

/* What was found out about the kernel; see probe.h. */
struct facts {
	int trial[HOOK_KINDS]; /* 0: loads and attaches; else the negative errno of the trial */
	bool have_cast, have_task_btf, have_loop;
	bool preempted;	  /* programs on tracepoints can be */
	bool interrupted; /* those on trampolines can: runs of theirs are left out meanwhile */
	bool btf;	  /* the kernel describes its types */
	bool privileged;  /* may load BPF at all */
	char cgroup2[128]; /* where the v2 root is mounted; "" if nowhere */
};

enum wish { WISH_AUTO, WISH_TRAMPOLINE, WISH_TRACEPOINT };

#define PLAN_WHY 160

struct plan {
	enum hook_set set;
	bool on[HOOK_KINDS];
	int owner[FACT_KINDS]; /* enum hook, or -1: a gap */
	int trial[HOOK_KINDS]; /* as found: why a gap is one */
	char why[160];	       /* why this set */
	char disowned[FACT_KINDS][PLAN_WHY]; /* why a fact lost its owner after all; "" */
	bool have_cast, have_task_btf, have_loop, preempted;
	char cgroup2[128];
};

/* -EPERM: not privileged; -EOPNOTSUPP: the wished set, or under WISH_AUTO either one, can't tell what is read here. The
 * plan is filled in even then, for people to look at. */
int plan_make(const struct facts *facts, enum wish wish, struct plan *ret);

/* -EINVAL if two programs that are on own one fact. */
int plan_check(const struct plan *plan);

const char *fact_name(enum fact f);
const char *fact_text(enum fact f);
const char *hook_name(enum hook h);
const char *set_name(enum hook_set s);
enum hook_set hook_set_of(enum hook h);
uint64_t hook_facts(enum hook h);
bool hook_steady(enum hook h); /* only of use where tracepoints are preempted */

/* "auto", "trampoline", "tracepoint"; -EINVAL. */
int wish_parse(const char *text, enum wish *ret);

/* The owner of a fact turned out not to see it: the fact is a gap from now on, for this reason. Its program stays on
 * for what else it owns. */
void plan_disown(struct plan *plan, enum fact f, const char *why);

/* Calls `each` for every fact that nobody measures, with why. */
void plan_gaps(const struct plan *plan, void (*each)(void *arg, enum fact f, const char *why), void *arg);

/* The same for what the owner of a fact can't see of it. */
void plan_limits(const struct plan *plan, void (*each)(void *arg, enum fact f, const char *why), void *arg);

#endif
