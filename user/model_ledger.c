/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The exact totals: what was read, what had no room. */
#include "user/model_files.h"
#include "user/model_internal.h"

#include <string.h>

void account_set(struct account *a, uint64_t bytes, uint64_t ops, uint64_t files, uint64_t first_ns,
		 uint64_t last_ns)
{
	a->live = (struct figures){bytes, ops, files};
	a->first_ns = a->first_ns && a->first_ns < first_ns ? a->first_ns : first_ns;
	a->last_ns = MAX(a->last_ns, last_ns);
}

void account_settle(struct account *a)
{
	a->settled = account_total(a);
	a->live = (struct figures){0};
}

void account_move(struct account *to, struct account *from)
{
	struct figures all = account_total(from);

	to->settled.bytes += all.bytes;
	to->settled.ops += all.ops;
	to->settled.files += all.files;
	to->given.bytes += from->given.bytes;
	to->given.ops += from->given.ops;
	to->given.files += from->given.files;
	to->first_ns = to->first_ns && (!from->first_ns || to->first_ns < from->first_ns)
			   ? to->first_ns
			   : from->first_ns;
	to->last_ns = MAX(to->last_ns, from->last_ns);
	*from = (struct account){0};
}

/* --- reads --------------------------------------------------------------- */

struct m_access *subject_access(const struct m_subject *s, unsigned dataset)
{
	struct m_access *a = s->access;

	while (a && a->dataset != dataset)
		a = a->next;
	return a;
}

int access_get(struct m_subject *s, unsigned dataset, struct m_access **ret)
{
	struct m_access *a = subject_access(s, dataset);

	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->dataset = (uint16_t)dataset;
		a->next = s->access;
		s->access = a;
	}
	*ret = a;
	return 0;
}

uint64_t access_bytes(const struct m_access *a)
{
	uint64_t sum = 0;

	for (unsigned k = 0; a && k < ACCESS_KINDS; k++)
		sum += account_total(&a->kind[k]).bytes;
	return sum;
}

static bool known_key(uint16_t dataset, uint16_t kind)
{
	return dataset < SL_DATASETS_MAX && kind && kind < ACCESS_KINDS;
}

int model_set_access(struct model *m, const struct ledger_key *key, const struct ledger_val *val)
{
	struct m_subject *s;
	struct m_access *a;
	int err = known_key(key->dataset, key->kind) ? 0 : -EINVAL;

	if (!err)
		err = subject_get(m, &key->who, &s);
	if (!err)
		err = access_get(s, key->dataset, &a);
	if (err)
		return err;

	struct account *sum = &a->kind[key->kind];
	uint64_t before = account_total(sum).bytes;

	account_set(sum, val->bytes, val->ops, val->files, val->first_ns, val->last_ns);
	uint64_t after = account_total(sum).bytes;
	if (after != before) {
		m->datasets[key->dataset].read += after - before;
		model_touch(m, BIT(key->dataset));
		if (key->kind == ACCESS_DEVICE)
			files_unknown(m, s, key->dataset);
	}
	return 0;
}

int model_settle_access(struct model *m, const struct ledger_key *key)
{
	struct m_subject *s = subject_find(m, &key->who);
	struct m_access *a = s ? subject_access(s, key->dataset) : NULL;

	if (!a || !known_key(key->dataset, key->kind))
		return -ENOENT;
	account_settle(&a->kind[key->kind]);
	return 0;
}

int model_set_overflow(struct model *m, const struct overflow_key *key,
		       const struct overflow_val *val)
{
	struct m_overflow probe = {.key = {key->cgroup, key->dataset}}, *o;

	if (!known_key(key->dataset, key->kind))
		return -EINVAL;
	o = hashmap_find(&m->overflows, &probe.key);
	if (!o) {
		if (!val->bytes && !val->ops)
			return 0;
		o = malloc(sizeof(*o));
		if (!o)
			return -ENOMEM;
		*o = probe;
		int err = hashmap_add(&m->overflows, o);
		if (err) {
			free(o);
			return err;
		}
		o->next = m->first_overflow;
		m->first_overflow = o;
	}

	struct m_dataset *d = &m->datasets[key->dataset];
	uint64_t before = account_total(&o->kind[key->kind]).bytes;

	account_set(&o->kind[key->kind], val->bytes, val->ops, 0, 0, 0);
	if (val->bytes != before) {
		d->read += val->bytes - before;
		d->overflow += val->bytes - before;
		model_touch(m, BIT(key->dataset));
	}
	return 0;
}
