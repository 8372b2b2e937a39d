/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Subjects, their processes and their jobs. */
#include "user/model_carry.h"
#include "user/model_credential.h"
#include "user/model_derived.h"
#include "user/model_dns.h"
#include "user/model_files.h"
#include "user/model_ml.h"

#include <string.h>

/* --- processes ----------------------------------------------------------- */

static int process_ref(struct model *m, const struct subject *who, struct m_process **ret)
{
	struct m_process key = {.id = {who->start_ns, who->tgid}}, *p;
	int err;

	p = hashmap_find(&m->processes, &key.id);
	if (!p) {
		p = malloc(sizeof(*p));
		if (!p)
			return -ENOMEM;
		*p = key;
		err = slot_take(&m->process_slots, &p->slot);
		if (!err) {
			err = hashmap_add(&m->processes, p);
			if (err)
				slot_give(&m->process_slots, p->slot);
		}
		if (err) {
			free(p);
			return err;
		}
	}
	p->refs++;
	*ret = p;
	return 0;
}

static void process_unref(struct model *m, struct m_process *p)
{
	while (p && !--p->refs) {
		struct m_process *parent = p->parent;

		hashmap_remove(&m->processes, &p->id);
		slot_give(&m->process_slots, p->slot);
		free(p);
		p = parent;
	}
}

/* First word wins: later ones come from reparenting. A start later than the child's is a lie. */
static int process_set_parent(struct model *m, struct m_process *p, const struct subject *parent)
{
	if (p->parent || !parent->tgid || parent->start_ns > p->id.start_ns ||
	    (parent->start_ns == p->id.start_ns && parent->tgid == p->id.tgid))
		return 0;
	struct m_process *up;
	int err = process_ref(m, parent, &up);

	if (err)
		return err;
	/* With equal starts two could name each other. */
	for (const struct m_process *q = up; q; q = q->parent) {
		if (q == p) {
			process_unref(m, up);
			return 0;
		}
	}
	p->parent = up;
	return 0;
}

/* --- subjects ------------------------------------------------------------ */

struct m_subject *subject_find(const struct model *m, const struct subject *who)
{
	return hashmap_find(&m->subjects, who);
}

static struct m_subject *subject_append(struct model *m, struct m_subject *s)
{
	s->wall_offset = m->start_offset;
	s->prev = m->last_subject;
	if (m->last_subject)
		m->last_subject->next = s;
	else
		m->first_subject = s;
	m->last_subject = s;
	m->nsubjects++;
	return s;
}

static int subject_make(struct model *m, const struct subject *who, struct m_subject **ret)
{
	struct m_subject *s = calloc(1, sizeof(*s));
	int err = s ? slot_take(&m->subject_slots, &s->slot) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->who = *who;
	s->met = m->evaluations;
	err = hashmap_add(&m->subjects, s);
	if (err) {
		slot_give(&m->subject_slots, s->slot);
		free(s);
		return err;
	}
	*ret = subject_append(m, s);
	return 0;
}

int subject_get(struct model *m, const struct subject *who, struct m_subject **ret)
{
	struct m_subject *s = subject_find(m, who);
	int err;

	if (s) {
		*ret = s;
		return 0;
	}
	if (!who->tgid)
		return -EINVAL;
	if (m->nsubjects + m->nobjects + m->nflows >= m->nodes_max) {
		m->refused[REFUSED_SUBJECT]++;
		return -ENOSPC;
	}
	err = subject_make(m, who, &s);
	if (err)
		return err;
	err = process_ref(m, who, &s->process);
	if (err) {
		subject_drop(m, s);
		return err;
	}
	if (s->process->images)
		s->wall_offset = s->process->images->wall_offset;
	s->next_image = s->process->images;
	s->process->images = s;
	*ret = s;
	return 0;
}

/* Stands for the dead of one job. Process 0 is no process, so its key is nobody else's. */
struct m_subject *subject_new_merged(struct model *m, struct m_job *job)
{
	struct subject who = {.exec = ++m->merged_next};
	struct m_subject *s;

	if (subject_make(m, &who, &s))
		return NULL;
	s->job = job;
	if (job)
		job->refs++;
	s->known = s->dead = true;
	return s;
}

static void leave_process(struct model *m, struct m_subject *s)
{
	if (!s->process)
		return;
	for (struct m_subject **p = &s->process->images; *p; p = &(*p)->next_image) {
		if (*p == s) {
			*p = s->next_image;
			break;
		}
	}
	process_unref(m, s->process);
}

uint64_t subject_mask(const struct m_subject *s)
{
	uint64_t mask = s->mask | carried_mask(s->carried);

	for (const struct m_access *a = s->access; a; a = a->next)
		mask |= BIT(a->dataset);
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		for (unsigned i = 0; i < e->ntransfers; i++)
			mask |= e->transfers[i].mask;
	}
	return mask;
}

bool subject_alive(const struct m_subject *s)
{
	if (s->dead)
		return false;
	for (const struct m_subject *i = s->process ? s->process->images : NULL; i;
	     i = i->next_image) {
		if (i->who.exec > s->who.exec)
			return false;
	}
	return true;
}

static void past_add(struct past *to, const struct past *from)
{
	to->out += from->out;
	to->in += from->in;
	to->tainted += from->tainted;
}

void subject_drop(struct model *m, struct m_subject *s)
{
	model_touch(m, subject_mask(s));
	credentials_subject_gone(m, s);
	if (s->job) {
		past_add(&s->job->past, &s->past);
		if (s->job->merged == s)
			s->job->merged = NULL;
	}
	while (s->edges)
		edge_drop(m, s->edges);
	while (s->looks)
		edge_drop(m, s->looks);
	for (unsigned i = 0; i < s->nbirths; i++)
		s->births[i].from->children--;
	for (struct m_access *a = s->access, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	carried_free(s->carried);
	asker_free(s->asker);
	channels_drop(s);
	leave_process(m, s);
	job_unref(m, s->job);
	*(s->prev ? &s->prev->next : &m->first_subject) = s->next;
	*(s->next ? &s->next->prev : &m->last_subject) = s->prev;
	m->nsubjects--;
	hashmap_remove(&m->subjects, &s->who);
	slot_give(&m->subject_slots, s->slot);
	free(s->births);
	free(s->arrivals);
	free(s->exe);
	free(s->cgroup);
	free(s);
}

int subject_add_birth(struct m_subject *s, struct m_subject *from, uint64_t mask, uint32_t via,
		      uint64_t since_ns)
{
	if (from == s)
		return 0;
	for (unsigned i = 0; i < s->nbirths; i++) {
		if (s->births[i].from == from && s->births[i].via == via) {
			s->births[i].mask |= mask;
			return 0;
		}
	}
	struct m_birth *p = reallocarray(s->births, s->nbirths + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->births = p;
	p[s->nbirths++] =
	    (struct m_birth){.from = from, .mask = mask, .via = via, .since_ns = since_ns};
	from->children++;
	return 0;
}

static int replace_text(char **to, const char *text)
{
	if (!text || (*to && !strcmp(*to, text)))
		return 0;
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

/* Does any network depend on it? Most subjects only talk, and then new ones cost nothing. */
static bool subject_matters(const struct m_subject *s)
{
	unsigned images = 0;

	for (const struct m_subject *i = s->process ? s->process->images : NULL; i;
	     i = i->next_image)
		images++;
	return s->mask || s->carried || s->access || s->edges || s->looks || s->nflows ||
	       (s->process && s->process->refs > images);
}

static int subject_set_job(struct model *m, struct m_subject *s, const char *name)
{
	if (!name || (s->job && !strcmp(s->job->name, name)))
		return 0;
	struct m_job *job = job_ref(m, name);

	if (!job)
		return -ENOMEM;
	job_unref(m, s->job);
	s->job = job;
	files_job_changed(m, s);
	if (subject_matters(s))
		model_touch(m, UINT64_MAX);
	return 0;
}

static int set_ancestors(struct model *m, struct m_process *p, const struct subject_info *info)
{
	int err = process_set_parent(m, p, &info->parent);

	for (size_t i = 0; i < info->nancestors && !err && p->parent; i++) {
		p = p->parent;
		err = process_set_parent(m, p, &info->ancestors[i]);
	}
	return err;
}

int model_set_subject(struct model *m, const struct subject_info *info)
{
	struct m_subject *s;
	int err = subject_get(m, &info->who, &s);

	if (err)
		return err;
	err = replace_text(&s->exe, info->exe);
	if (!err)
		err = replace_text(&s->cgroup, info->cgroup);
	if (!err)
		err = subject_set_job(m, s, info->job);
	if (!err && s->process) {
		bool orphan = !s->process->parent;

		err = set_ancestors(m, s->process, info);
		if (orphan && s->process->parent && subject_matters(s))
			model_touch(m, UINT64_MAX);
	}
	if (err)
		return err;
	if (info->comm)
		text_safe(s->comm, sizeof(s->comm), info->comm, strnlen(info->comm, SL_COMM_LEN));
	if (info->uid_known) {
		s->uid = info->uid;
		s->uid_known = true;
	}
	if (info->parent.tgid && !s->parent.tgid)
		s->parent = info->parent;
	s->session = info->session ? info->session : s->session;
	s->seen_ns = s->seen_ns ? s->seen_ns : info->seen_ns;
	s->known = true;
	if (s->writes_inside)
		derived_judge(m, s);
	return 0;
}

static void labels_add(struct job_labels *to, const struct job_labels *more)
{
	for (unsigned i = 0; i < LABEL_KINDS; i++) {
		if (!to->text[i][0])
			memcpy(to->text[i], more->text[i], LABEL_LEN);
	}
	if (!to->number[NUMBER_WORLD_SIZE])
		to->number[NUMBER_WORLD_SIZE] = more->number[NUMBER_WORLD_SIZE];
}

int model_set_labels(struct model *m, const struct subject *who, const struct job_labels *labels)
{
	struct m_subject *s = subject_find(m, who);

	if (!s || !s->job)
		return -ENOENT;
	if (!s->job->labels)
		s->job->labels = calloc(1, sizeof(*s->job->labels));
	if (!s->job->labels)
		return -ENOMEM;
	labels_add(s->job->labels, labels);
	s->rank = labels->number[NUMBER_RANK];
	s->local_rank = labels->number[NUMBER_LOCAL_RANK];
	return 0;
}

/* The end of a process ends each of its images. */
int model_set_exit(struct model *m, const struct subject *who, uint64_t when_ns)
{
	struct m_process key = {.id = {who->start_ns, who->tgid}};
	struct m_process *p = hashmap_find(&m->processes, &key.id);

	for (struct m_subject *s = p ? p->images : NULL; s; s = s->next_image) {
		if (s->dead)
			continue;
		s->dead = true;
		s->exit_ns = when_ns;
	}
	return 0;
}

static int subject_taint(struct model *m, struct m_subject *s, uint64_t mask, uint64_t since_ns)
{
	uint64_t added = mask & ~s->mask;

	if (!added)
		return 0;
	struct m_arrival *p = reallocarray(s->arrivals, s->narrivals + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->arrivals = p;
	p[s->narrivals++] = (struct m_arrival){added, since_ns};
	s->mask |= added;
	model_touch(m, added);
	return 0;
}

/* `from` NULL: of whom it was born is forgotten, or one with others by now. */
static bool birth_known(const struct m_subject *s, const struct m_subject *from, uint32_t via,
			uint64_t mask)
{
	for (unsigned i = 0; i < s->nbirths; i++) {
		if ((!from || s->births[i].from == from) && s->births[i].via == via &&
		    !(mask & ~s->births[i].mask))
			return true;
	}
	return false;
}

static bool born_here(const struct taint *t)
{
	return t->from.tgid && (t->via == VIA_FORK || t->via == VIA_EXEC) && t->inherited;
}

static int subject_born(struct model *m, struct m_subject *s, const struct taint *t)
{
	struct m_subject *from = subject_find(m, &t->from);
	int err = 0;

	if (!birth_known(s, from, t->via, t->inherited)) {
		err = subject_get(m, &t->from, &from);
		if (!err)
			err = subject_add_birth(s, from, t->inherited, t->via, t->since_ns);
		if (err)
			return err;
		model_touch(m, t->inherited);
	}
	return t->via == VIA_FORK && s->process ? process_set_parent(m, s->process, &t->from) : 0;
}

int model_set_taint(struct model *m, const struct subject *who, const struct taint *t)
{
	struct m_subject *s;
	int err = subject_get(m, who, &s);

	if (!err && born_here(t))
		err = subject_born(m, s, t);
	return err ? err : subject_taint(m, s, t->mask, t->since_ns);
}

uint64_t subject_arrival(const struct m_subject *s, unsigned dataset)
{
	const struct m_access *a = subject_access(s, dataset);
	const struct m_carried *c = carried_of(s->carried, dataset);
	uint64_t first = UINT64_MAX;

	if (c)
		return c->is.since_ns;
	for (unsigned i = 0; i < s->narrivals; i++) {
		if (s->arrivals[i].mask & BIT(dataset))
			first = s->arrivals[i].since_ns;
	}
	for (unsigned k = 0; a && k < ACCESS_KINDS; k++) {
		if (account_total(&a->kind[k]).bytes)
			first = MIN(first, a->kind[k].first_ns);
	}
	for (const struct m_edge *e = s->edges; e; e = e->subject_next) {
		for (unsigned i = 0; !edge_writes(e) && i < e->ntransfers; i++) {
			if (e->transfers[i].mask & BIT(dataset))
				first = MIN(first, e->transfers[i].sum.first_ns);
		}
	}
	return first;
}
