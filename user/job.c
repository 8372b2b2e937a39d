/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/job.h"

#include <ctype.h>
#include <string.h>

#define CONTAINER_HEX 64
#define CONTAINER_SHOWN 12

/* A piece of the path; not terminated. */
struct part {
	const char *s;
	size_t n;
};

/* What may stand between a pattern's prefix and suffix. */
enum id { ID_NONE, ID_ANY, ID_DIGITS, ID_HEX64, ID_POD, ID_TASK, ID_STEP };

/* What must have come before. */
enum context {
	IN_ANY,
	IN_SYSTEM,     /* not under a user's own manager or session */
	IN_KUBE,       /* somewhere below kubepods */
	IN_ECS,	       /* one or two levels below ecs */
	IN_SLURM,      /* right below Slurm's own level */
	IN_JOB,	       /* right below a Slurm job */
	IN_USER_SLICE, /* right below user-UID.slice */
};

enum meaning {
	IS_SLURM,
	IS_SLURM_UID,
	IS_SLURM_JOB,
	IS_SLURM_STEP,
	IS_KUBE,
	IS_POD,
	IS_ECS,
	IS_TASK,
	IS_CONTAINER,
	IS_USER_SLICE,
	IS_USER,
	IS_UNIT,
};

static const struct pattern {
	const char *prefix, *suffix; /* a leading '*' of a prefix stands for nothing or "...-" */
	enum id id;
	enum context in;
	enum meaning meaning;
} patterns[] = {
    {"slurmstepd.scope", "", ID_NONE, IN_SYSTEM, IS_SLURM},
    {"", "_slurmstepd.scope", ID_ANY, IN_SYSTEM, IS_SLURM},
    {"slurm", "", ID_NONE, IN_SYSTEM, IS_SLURM},
    {"slurm_", "", ID_ANY, IN_SYSTEM, IS_SLURM},
    {"uid_", "", ID_DIGITS, IN_SLURM, IS_SLURM_UID},
    {"job_", "", ID_DIGITS, IN_SLURM, IS_SLURM_JOB},
    {"step_", "", ID_STEP, IN_JOB, IS_SLURM_STEP},
    {"*kubepods-pod", ".slice", ID_POD, IN_SYSTEM, IS_POD},
    {"*kubepods-burstable-pod", ".slice", ID_POD, IN_SYSTEM, IS_POD},
    {"*kubepods-besteffort-pod", ".slice", ID_POD, IN_SYSTEM, IS_POD},
    {"*kubepods", "", ID_NONE, IN_SYSTEM, IS_KUBE},
    {"pod", "", ID_POD, IN_KUBE, IS_POD},
    {"ecstasks-", ".slice", ID_TASK, IN_SYSTEM, IS_TASK},
    {"ecs", "", ID_NONE, IN_SYSTEM, IS_ECS},
    {"", "", ID_TASK, IN_ECS, IS_TASK},
    {"docker-", ".scope", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"cri-containerd-", ".scope", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"crio-", ".scope", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"crio-", "", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"libpod-", ".scope", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"libpod-", "", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"nerdctl-", ".scope", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"", "", ID_HEX64, IN_ANY, IS_CONTAINER},
    {"user-", ".slice", ID_DIGITS, IN_SYSTEM, IS_USER_SLICE},
    {"user@", ".service", ID_DIGITS, IN_ANY, IS_USER},
    {"session-", ".scope", ID_ANY, IN_USER_SLICE, IS_USER},
    {"", ".service", ID_ANY, IN_SYSTEM, IS_UNIT},
    {"", ".scope", ID_ANY, IN_SYSTEM, IS_UNIT},
};

enum level { LEVEL_NONE, LEVEL_UNIT, LEVEL_CONTAINER, LEVEL_JOB };

struct found {
	enum level level;
	unsigned depth;
	char name[JOB_LEN];
};

struct walk {
	struct found found;
	unsigned depth;
	enum meaning before; /* of the level right above, where `known` */
	bool known;
	bool user, kube, settled;
	unsigned ecs; /* levels left in which a task may be named */
};

static bool all(struct part p, int (*is)(int))
{
	for (size_t i = 0; i < p.n; i++)
		if (!is((unsigned char)p.s[i]))
			return false;
	return p.n > 0;
}

static int is_hex(int c)
{
	return isdigit(c) || (c >= 'a' && c <= 'f');
}

static int is_step(int c)
{
	return isdigit(c) || (c >= 'a' && c <= 'z') || c == '+';
}

/* 8-4-4-4-12 hex digits; the systemd driver writes the dashes as underscores. */
static bool is_uuid(struct part p)
{
	if (p.n != 36)
		return false;
	for (size_t i = 0; i < p.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? p.s[i] != '-' && p.s[i] != '_' : !is_hex((unsigned char)p.s[i]))
			return false;
	}
	return true;
}

static bool id_fits(enum id id, struct part p)
{
	switch (id) {
	case ID_NONE:
		return p.n == 0;
	case ID_ANY:
		return p.n > 0;
	case ID_DIGITS:
		return p.n <= 20 && all(p, isdigit);
	case ID_HEX64:
		return p.n == CONTAINER_HEX && all(p, is_hex);
	case ID_POD:
	case ID_TASK:
		return is_uuid(p) || (p.n == 32 && all(p, is_hex));
	case ID_STEP:
		return p.n <= 32 && all(p, is_step);
	}
	return false;
}

static bool context_fits(enum context in, const struct walk *w)
{
	switch (in) {
	case IN_ANY:
		return true;
	case IN_SYSTEM:
		return !w->user;
	case IN_KUBE:
		return w->kube;
	case IN_ECS:
		return w->ecs > 0;
	case IN_SLURM:
		return w->known && (w->before == IS_SLURM || w->before == IS_SLURM_UID);
	case IN_JOB:
		return w->known && w->before == IS_SLURM_JOB;
	case IN_USER_SLICE:
		return w->known && w->before == IS_USER_SLICE;
	}
	return false;
}

/* Takes the pattern's prefix off; false if it does not stand there. */
static bool skip_prefix(struct part *p, const char *prefix)
{
	bool anywhere = prefix[0] == '*';
	const char *text = prefix + anywhere;
	size_t n = strlen(text);

	if (!n)
		return true;
	for (const char *at = p->s; (size_t)(at - p->s) + n <= p->n; at++) {
		if (!memcmp(at, text, n) && (at == p->s || at[-1] == '-')) {
			p->n -= (size_t)(at - p->s) + n;
			p->s = at + n;
			return true;
		}
		if (!anywhere)
			return false;
	}
	return false;
}

static bool skip_suffix(struct part *p, const char *suffix)
{
	size_t n = strlen(suffix);

	if (p->n < n || memcmp(p->s + p->n - n, suffix, n))
		return false;
	p->n -= n;
	return true;
}

static const struct pattern *pattern_of(const struct walk *w, struct part level,
					struct part *ret_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct pattern *p = &patterns[i];
		struct part id = level;

		if (context_fits(p->in, w) && skip_prefix(&id, p->prefix) &&
		    skip_suffix(&id, p->suffix) && id_fits(p->id, id)) {
			*ret_id = id;
			return p;
		}
	}
	return NULL;
}

static void name_job(struct walk *w, enum level level, const char *kind, struct part id)
{
	if (level < w->found.level)
		return;
	int n = snprintf(w->found.name, JOB_LEN, "%s:", kind);
	text_safe(w->found.name + n, JOB_LEN - (size_t)n, id.s, id.n);
	w->found.level = level;
	w->found.depth = w->depth;
}

static void name_pod(struct walk *w, struct part uid)
{
	name_job(w, LEVEL_JOB, "k8s", uid);
	for (char *c = w->found.name; *c; c++)
		if (*c == '_')
			*c = '-';
}

static void name_step(struct walk *w, struct part step)
{
	size_t n = strlen(w->found.name);

	snprintf(w->found.name + n, JOB_LEN - n, ".%.*s", (int)step.n, step.s);
	w->found.depth = w->depth;
}

static void take(struct walk *w, enum meaning meaning, struct part level, struct part id)
{
	switch (meaning) {
	case IS_SLURM_JOB:
		name_job(w, LEVEL_JOB, "slurm", id);
		w->settled = true;
		break;
	case IS_SLURM_STEP:
		name_step(w, id);
		break;
	case IS_KUBE:
		w->kube = true;
		break;
	case IS_POD:
		name_pod(w, id);
		break;
	case IS_ECS:
		w->ecs = 2;
		break;
	case IS_TASK:
		name_job(w, LEVEL_JOB, "ecs", id);
		w->ecs = 0;
		break;
	case IS_CONTAINER:
		name_job(w, LEVEL_CONTAINER, "container", (struct part){id.s, CONTAINER_SHOWN});
		break;
	case IS_USER:
		w->user = true;
		break;
	case IS_SLURM: /* also a unit of its own, for the daemons in it */
	case IS_UNIT:
		if (skip_suffix(&(struct part){level.s, level.n}, ".scope") ||
		    skip_suffix(&(struct part){level.s, level.n}, ".service"))
			name_job(w, LEVEL_UNIT, "unit", level);
		break;
	case IS_SLURM_UID:
	case IS_USER_SLICE:
		break;
	}
}

static void walk_level(struct walk *w, struct part level)
{
	struct part id;

	/* Below a Slurm job only its step is still of interest. */
	if (w->settled && !(w->known && w->before == IS_SLURM_JOB))
		return;
	const struct pattern *p = pattern_of(w, level, &id);
	w->known = p && !(w->settled && p->meaning != IS_SLURM_STEP);
	w->depth++;
	w->ecs -= w->ecs > 0;
	if (!w->known)
		return;
	w->before = p->meaning;
	take(w, p->meaning, level, id);
}

/* "a.slice:cri-containerd:<hex>" is what a runtime with the other cgroup driver makes of three. */
static void walk_joined(struct walk *w, struct part level)
{
	const char *last = memrchr(level.s, ':', level.n);
	struct part tail = {last ? last + 1 : level.s, 0};

	tail.n = level.n - (size_t)(tail.s - level.s);
	if (!last || !id_fits(ID_HEX64, tail)) {
		walk_level(w, level);
		return;
	}
	for (const char *s = level.s, *end = level.s + level.n; s < end;) {
		const char *colon = memchr(s, ':', (size_t)(end - s));
		size_t n = colon ? (size_t)(colon - s) : (size_t)(end - s);

		walk_level(w, (struct part){s, n});
		s += n + 1;
	}
}

static void walk_path(struct walk *w, struct part path)
{
	struct part gone = path;

	if (skip_suffix(&gone, " (deleted)"))
		path = gone;
	for (const char *s = path.s, *end = path.s + path.n; s < end;) {
		const char *slash = memchr(s, '/', (size_t)(end - s));
		size_t n = slash ? (size_t)(slash - s) : (size_t)(end - s);

		if (n)
			walk_joined(w, (struct part){s, n});
		s += n + 1;
	}
}

static void finish(char ret[static JOB_LEN], const struct found *f, uint32_t session)
{
	if (f->level != LEVEL_NONE)
		memcpy(ret, f->name, JOB_LEN);
	else if (session)
		snprintf(ret, JOB_LEN, "session:%u", (unsigned)session);
	else
		snprintf(ret, JOB_LEN, "unknown");
}

void job_from_cgroup(char ret[static JOB_LEN], const char *cgroup, uint32_t session)
{
	struct walk w = {};

	if (cgroup)
		walk_path(&w, (struct part){cgroup, strlen(cgroup)});
	finish(ret, &w.found, session);
}

/* The path of a line "N:controllers:path". */
static bool line_path(struct part line, struct part *ret)
{
	for (int i = 0; i < 2; i++) {
		const char *colon = memchr(line.s, ':', line.n);

		if (!colon)
			return false;
		line.n -= (size_t)(colon + 1 - line.s);
		line.s = colon + 1;
	}
	*ret = line;
	return true;
}

static bool tells_more(const struct found *a, const struct found *b)
{
	return a->level > b->level || (a->level == b->level && a->depth > b->depth);
}

void job_from_proc(char ret[static JOB_LEN], const char *text, uint32_t session)
{
	struct found best = {};

	while (text && *text) {
		struct part path, line = {text, strcspn(text, "\n")};
		struct walk w = {};

		if (line_path(line, &path))
			walk_path(&w, path);
		if (tells_more(&w.found, &best))
			best = w.found;
		text += line.n + (text[line.n] == '\n');
	}
	finish(ret, &best, session);
}
