/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_credential.h"

#include <string.h>

#define LATE_NS (5 * NSEC) /* between a process's end and the last word of what it opened; so soon its number is nobody else's */

const char *credential_lost_name(enum credential_lost l)
{
	static const char *const names[CREDENTIAL_LOST_KINDS] = {"overflow", "gone", "left"};

	return names[l];
}

/* --- the store ---------------------------------------------------------------------------- */

static struct m_use **bucket(struct model *m, uint32_t pid)
{
	return &m->credentials->of_pid[pid % USE_BUCKETS];
}

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

static struct m_use *use_find(struct model *m, const struct credential_use *use)
{
	for (struct m_use *u = *bucket(m, use->pid); u; u = u->next_pid) {
		if (u->by.pid == use->pid && u->by.start_ns == use->start_ns && u->kind == use->kind &&
		    !strcmp(u->key, use->key) && same_text(u->path, use->path))
			return u;
	}
	return NULL;
}

static void use_free(struct m_use *u)
{
	free(u->job);
	free(u->by.exe);
	free(u->path);
	free(u);
}

static void use_drop(struct model *m, struct m_use **at)
{
	struct m_credentials *c = m->credentials;
	struct m_use *u = *at, *before = NULL;

	for (struct m_use *i = c->first; i && i != u; i = i->next)
		before = i;
	*at = u->next;
	if (c->last == u)
		c->last = before;
	for (struct m_use **p = bucket(m, u->by.pid); *p; p = &(*p)->next_pid) {
		if (*p == u) {
			*p = u->next_pid;
			break;
		}
	}
	c->n--;
	use_free(u);
}

/* The oldest that was given, of which no finding speaks; else the oldest. */
static void make_room(struct model *m)
{
	struct m_credentials *c = m->credentials;

	if (c->n < CREDENTIAL_USES_MAX)
		return;
	for (struct m_use **at = &c->first; *at; at = &(*at)->next) {
		if (!(*at)->raised && (*at)->recorded && (*at)->given == (*at)->opens) {
			use_drop(m, at);
			return;
		}
	}
	c->lost[CREDENTIAL_LEFT] += !c->first->recorded;
	use_drop(m, &c->first);
}

/* "" and NULL: there is nothing to copy. */
static int copy_text(char **to, const char *text)
{
	*to = text && *text ? strdup(text) : NULL;
	return text && *text && !*to ? -ENOMEM : 0;
}

static int copy_words(struct m_use *u, const struct credential_use *use)
{
	int err = copy_text(&u->by.exe, use->exe);

	if (!err)
		err = copy_text(&u->path, use->path);
	if (!err)
		err = copy_text(&u->job, use->job);
	if (use->comm)
		text_safe(u->by.comm, sizeof(u->by.comm), use->comm, strnlen(use->comm, SL_COMM_LEN));
	return err;
}

static int use_new(struct model *m, const struct credential_use *use, struct m_use **ret)
{
	struct m_credentials *c = m->credentials;
	struct m_use *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	if (copy_words(u, use)) {
		use_free(u);
		return -ENOMEM;
	}
	make_room(m);
	u->by.pid = use->pid;
	u->by.start_ns = use->start_ns;
	u->span_ns = use->span_ns;
	u->by.uid = use->uid;
	u->by.uid_known = use->uid_known;
	u->by.parent = use->parent;
	u->kind = use->kind;
	u->first_ns = use->when_ns;
	snprintf(u->key, sizeof(u->key), "%s", use->key);
	*(c->last ? &c->last->next : &c->first) = u;
	c->last = u;
	u->next_pid = *bucket(m, u->by.pid);
	*bucket(m, u->by.pid) = u;
	c->n++;
	*ret = u;
	return 0;
}

int model_set_credential_use(struct model *m, const struct credential_use *use)
{
	struct m_use *u = use_find(m, use);
	int err = u ? 0 : use_new(m, use, &u);

	if (err) {
		m->credentials->lost[CREDENTIAL_LEFT]++;
		return err;
	}
	u->opens += use->opens;
	u->last_ns = MAX(u->last_ns, use->when_ns);
	if (!u->by.start_ns)
		u->looks = 0;
	return 0;
}

int credentials_new(struct model *m)
{
	m->credentials = calloc(1, sizeof(*m->credentials));
	return m->credentials ? 0 : -ENOMEM;
}

void credentials_free(struct model *m)
{
	struct m_credentials *c = m->credentials;

	while (c && c->first)
		use_drop(m, &c->first);
	if (c)
		free(c->gap);
	free(c);
	m->credentials = NULL;
}

/* --- environments ------------------------------------------------------------------------- */

static bool environment_known(const struct model *m, const char *job, const char *key, bool tainted)
{
	for (const struct m_use *u = m->credentials->first; u; u = u->next)
		if (u->kind == SECRET_ENVIRONMENT && (!tainted || u->mask) && !strcmp(u->key, key) && same_text(use_job(u), job))
			return true;
	return false;
}

/* 0: there is no room for it. */
static uint8_t key_index(struct m_credentials *c, const char *key)
{
	for (unsigned i = 0; i < c->nkeys; i++)
		if (!strcmp(c->keys[i], key))
			return (uint8_t)(i + 1);
	if (c->nkeys == ENV_KEYS_MAX)
		return 0;
	snprintf(c->keys[c->nkeys], sizeof(c->keys[0]), "%s", key);
	return ++c->nkeys;
}

static int note_key(struct model *m, const struct m_subject *s, const char *key, bool tainted)
{
	const char *job = s->job ? s->job->name : NULL;
	struct credential_use use = {
		.pid = s->who.tgid,
		.start_ns = s->who.start_ns,
		.span_ns = 1,
		.when_ns = m->clock_ns,
		.uid = s->uid,
		.uid_known = s->uid_known,
		.parent = s->parent.tgid,
		.comm = s->comm,
		.exe = s->exe,
		.job = job,
		.kind = SECRET_ENVIRONMENT,
		.key = key,
	};

	return environment_known(m, job, key, tainted) ? 0 : model_set_credential_use(m, &use);
}

static void add_hint(struct m_credentials *c, uint32_t pid, enum secret_kind kind, const char *home, const char *path)
{
	struct credential_hint *h = &c->hints[c->nhints];

	if (c->nhints == ARRAY_SIZE(c->hints) || (path[0] == '~' && !home[0]))
		return;
	*h = (struct credential_hint){.pid = pid, .kind = kind};
	snprintf(h->path, sizeof(h->path), "%s%s", path[0] == '~' ? home : "", path[0] == '~' ? path + 1 : path);
	c->nhints++;
}

int model_set_environment(struct model *m, const struct subject *who, const struct env_secrets *env)
{
	struct m_subject *s = subject_find(m, who);

	if (!s)
		return -ENOENT;
	s->env_key = env->key[0] ? key_index(m->credentials, env->key) : 0;
	for (enum env_path i = ENV_HOME + 1; i < ENV_PATHS; i++)
		if (env->path[i][0])
			add_hint(m->credentials, who->tgid, secret_kind_of_env(i), env->path[ENV_HOME], env->path[i]);
	return env->key[0] ? note_key(m, s, env->key, false) : 0;
}

bool model_take_credential_hint(struct model *m, struct credential_hint *ret)
{
	struct m_credentials *c = m->credentials;

	if (!c->nhints)
		return false;
	*ret = c->hints[--c->nhints];
	return true;
}

/* --- how well it is seen ------------------------------------------------------------------- */

void model_set_credential_state(struct model *m, const struct credential_state *s)
{
	struct m_credentials *c = m->credentials;
	bool same = !strcmp(c->state.why, s->why);

	c->state = *s;
	if (same)
		return;
	free(c->gap);
	c->gap = NULL;
	if (s->why[0] && asprintf(&c->gap, "credential.files: %s", s->why) < 0)
		c->gap = NULL;
}

uint64_t credentials_lost(const struct model *m, enum credential_lost l)
{
	return m->credentials->lost[l] + m->credentials->state.lost[l];
}

/* --- who it is ------------------------------------------------------------------------------ */

const char *use_job(const struct m_use *u)
{
	return u->subject && u->subject->job ? u->subject->job->name : u->job;
}

/* Of one that was gone, it must have been that number's holder at the time. */
static bool is_by(const struct m_use *u, const struct m_subject *s)
{
	if (u->by.pid != s->who.tgid)
		return false;
	if (u->by.start_ns)
		return s->who.start_ns >= u->by.start_ns && s->who.start_ns < u->by.start_ns + u->span_ns;
	return s->who.start_ns <= u->first_ns && (!s->dead || s->exit_ns + LATE_NS >= u->last_ns);
}

/* Of its images the last; of several processes of a gone one's number the last, too. */
static bool is_later(const struct m_subject *a, const struct m_subject *b)
{
	return a->who.start_ns != b->who.start_ns ? a->who.start_ns > b->who.start_ns : a->who.exec > b->who.exec;
}

static void find_subject(struct model *m, struct m_subject *s)
{
	for (struct m_use *u = s->process ? *bucket(m, s->who.tgid) : NULL; u; u = u->next_pid) {
		if (!is_by(u, s))
			continue;
		u->mask |= s->trusted ? 0 : subject_mask(s);
		if (!u->subject || is_later(s, u->subject))
			u->subject = s;
	}
}

/* Who had the key first in a job may hold nothing, and never will: the first that does is told too. */
static void tell_tainted_keys(struct model *m)
{
	for (struct m_subject *s = m->credentials->nkeys ? m->first_subject : NULL; s; s = s->next) {
		if (!s->env_key || s->env_told || s->trusted || !subject_mask(s))
			continue;
		s->env_told = true;
		if (!note_key(m, s, m->credentials->keys[s->env_key - 1], true))
			find_subject(m, s);
	}
}

void credentials_find_subjects(struct model *m)
{
	struct m_credentials *c = m->credentials;

	if (!c->n)
		return;
	for (struct m_use *u = c->first; u; u = u->next)
		u->mask = 0;
	for (struct m_subject *s = m->first_subject; s; s = s->next)
		find_subject(m, s);
	tell_tainted_keys(m);
	for (struct m_use *u = c->first; u; u = u->next) {
		u->looks++;
		if (use_is_known(u) && !u->by.start_ns && !u->subject && !u->gone_counted) {
			u->gone_counted = true;
			c->lost[CREDENTIAL_GONE]++;
		}
	}
}

void credentials_subject_gone(struct model *m, const struct m_subject *s)
{
	if (!m->credentials || !m->credentials->n)
		return;
	for (struct m_use *u = *bucket(m, s->who.tgid); u; u = u->next_pid)
		if (u->subject == s)
			u->subject = NULL;
}
