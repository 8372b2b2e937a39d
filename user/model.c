/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The model as a whole: its life, its datasets, its policy, its health. */
#include "user/model_internal.h"

#include <string.h>

#include "user/model_credential.h"
#include "user/model_derived.h"
#include "user/model_dns.h"
#include "user/model_files.h"
#include "user/model_graph.h"
#include "user/model_ml.h"
#include "user/policy/finding.h"
#include "user/policy/users.h"

static const char *const loss_names[LOSS_KINDS] = {
    [LOSS_LEDGER_FULL] = "ledger_full",
    [LOSS_OVERFLOW_FULL] = "overflow_full",
    [LOSS_TAINT_FULL] = "taint_full",
    [LOSS_OBJECT_FULL] = "object_full",
    [LOSS_EDGE_FULL] = "edge_full",
    [LOSS_FLOW_FULL] = "flow_full",
    [LOSS_FLOW_TAINT_FULL] = "flow_taint_full",
    [LOSS_RING_FULL] = "ring_full",
    [LOSS_WALK_DEEP] = "walk_deep",
    [LOSS_FDS_DEEP] = "fds_deep",
    [LOSS_NO_FILE] = "no_file",
    [LOSS_CHANNEL_FULL] = "channel_full",
    [LOSS_AIO_FULL] = "aio_full",
    [LOSS_FLOW_FOLDED] = "flow_folded",
    [LOSS_SHARE_CUT] = "share_cut",
    [LOSS_READ_UNTOLD] = "read_untold",
    [LOSS_SAID_UNTOLD] = "name_untold",
};

static const struct via_traits vias[VIA_KINDS] = {
    [VIA_READ] = {"read"},
    [VIA_FORK] = {"fork"},
    [VIA_EXEC] = {"exec"},
    [VIA_HELD] = {"held"},
    [VIA_PIPE_WRITE] = {"pipe_write", OBJECT_PIPE, .writes = true},
    [VIA_PIPE_READ] = {"pipe_read", OBJECT_PIPE},
    [VIA_FILE_WRITE] = {"file_write", OBJECT_FILE, .writes = true},
    [VIA_FILE_READ] = {"file_read", OBJECT_FILE},
    [VIA_PEEK] = {"peek", .unlimited = true},
    [VIA_DUMP] = {"core_dump", .writes = true, .unlimited = true},
    [VIA_UNIX_WRITE] = {"unix_write", OBJECT_SOCKET, .writes = true},
    [VIA_UNIX_READ] = {"unix_read", OBJECT_SOCKET},
    [VIA_LOCAL_WRITE] = {"local_write", OBJECT_SOCKET, .writes = true},
    [VIA_LOCAL_READ] = {"local_read", OBJECT_SOCKET},
    [VIA_SHARED_WRITE] = {"shared_write", OBJECT_MEMORY, .writes = true, .unlimited = true},
    [VIA_SHARED_READ] = {"shared_read", OBJECT_MEMORY, .unlimited = true},
    [VIA_QUEUE_WRITE] = {"queue_write", OBJECT_QUEUE, .writes = true},
    [VIA_QUEUE_READ] = {"queue_read", OBJECT_QUEUE},
    [VIA_TTY_WRITE] = {"tty_write", OBJECT_TERMINAL, .writes = true},
    [VIA_TTY_READ] = {"tty_read", OBJECT_TERMINAL},
    [VIA_SERVED_WRITE] = {"served_write", OBJECT_SERVED, .writes = true},
    [VIA_SERVED_READ] = {"served_read", OBJECT_SERVED},
};

static const char *const access_names[ACCESS_KINDS] = {
    [ACCESS_READ] = "read",
    [ACCESS_MMAP] = "mmap",
    [ACCESS_DEVICE] = "device",
    [ACCESS_ASKED] = "asked",
};

static const char *name_in(const char *const *names, size_t n, size_t i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *loss_name(enum loss l)
{
	return name_in(loss_names, ARRAY_SIZE(loss_names), l);
}

const char *object_kind_name(enum object_kind kind)
{
	static const char *const names[] = {
	    [OBJECT_UNKNOWN] = "file",	[OBJECT_PIPE] = "pipe",	  [OBJECT_FILE] = "file",
	    [OBJECT_SOCKET] = "socket", [OBJECT_MEMORY] = "memory", [OBJECT_QUEUE] = "queue",
	    [OBJECT_TERMINAL] = "terminal", [OBJECT_SERVED] = "served",
	};

	return names[kind];
}

const struct via_traits *via_traits(uint64_t via)
{
	return &vias[via < VIA_KINDS ? via : 0];
}

const char *via_name(enum edge_via v)
{
	const char *name = via_traits(v)->name;

	return name ? name : "unknown";
}

const char *access_name(enum access_kind k)
{
	return name_in(access_names, ARRAY_SIZE(access_names), k);
}

/* --- slots: small numbers that are used again ---------------------------- */

int slot_take(struct slots *s, uint32_t *ret)
{
	if (s->nunused) {
		*ret = s->unused[--s->nunused];
		return 0;
	}
	/* Room to give it back is made now: giving back cannot fail. */
	if (s->count >= s->max_unused) {
		size_t more = s->max_unused ? s->max_unused * 2 : 64;
		uint32_t *p = reallocarray(s->unused, more, sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->unused = p;
		s->max_unused = more;
	}
	*ret = s->count++;
	return 0;
}

void slot_give(struct slots *s, uint32_t slot)
{
	s->unused[s->nunused++] = slot;
}

/* --- datasets ------------------------------------------------------------ */

static void dataset_clear(struct m_dataset *d)
{
	for (size_t i = 0; i < d->ntags; i++) {
		free(d->tags[i].key);
		free(d->tags[i].value);
	}
	free(d->tags);
	free(d->id);
	free(d->path);
	*d = (struct m_dataset){0};
}

/* The words of a dataset are copied: records name it after the policy has dropped it. */
static int dataset_words(const struct dataset_config *c, struct m_dataset *ret)
{
	struct m_dataset d = {.config = c};

	d.id = strdup(c->id);
	d.path = strdup(c->path ? c->path : "");
	d.tags = calloc(c->ntags + 1, sizeof(*d.tags));
	for (; d.tags && d.ntags < c->ntags; d.ntags++) {
		d.tags[d.ntags].key = strdup(c->tags[d.ntags].key);
		d.tags[d.ntags].value = strdup(c->tags[d.ntags].value);
		if (!d.tags[d.ntags].key || !d.tags[d.ntags].value) {
			d.ntags++;
			goto fail;
		}
	}
	if (!d.id || !d.path || !d.tags)
		goto fail;
	*ret = d;
	return 0;
fail:
	dataset_clear(&d);
	return -ENOMEM;
}

int model_dataset(const struct model *m, const char *id)
{
	for (int i = 0; i < SL_DATASETS_MAX; i++) {
		if (m->datasets[i].id && !strcmp(m->datasets[i].id, id))
			return i;
	}
	return -ENOENT;
}

/* A number for each configured dataset: the one it had, else its place in the file, else any free
 * one. */
static int number_datasets(const struct model *m, const struct config *config, int number[])
{
	bool taken[SL_DATASETS_MAX];

	for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
		taken[i] = m->datasets[i].id;
	for (size_t i = 0; i < config->ndatasets; i++) {
		number[i] = model_dataset(m, config->datasets[i].id);
		for (unsigned k = 0; number[i] < 0 && k <= SL_DATASETS_MAX; k++) {
			size_t at = k ? k - 1 : i;

			if (at < SL_DATASETS_MAX && !taken[at])
				number[i] = (int)at;
		}
		if (number[i] < 0)
			return -ENOSPC;
		taken[number[i]] = true;
	}
	return 0;
}

/* What the old dataset of this number counted goes on under the new words. */
static void dataset_renew(struct model *m, unsigned number, struct m_dataset *words)
{
	struct m_dataset *d = &m->datasets[number];
	struct m_dataset old = *d;

	d->id = words->id;
	d->path = words->path;
	d->tags = words->tags;
	d->ntags = words->ntags;
	d->config = words->config;
	*words = (struct m_dataset){
	    .id = old.id, .path = old.path, .tags = old.tags, .ntags = old.ntags};
	if (old.path && strcmp(old.path, d->path)) {
		d->size = d->files = 0;
		files_forget(m, number);
	}
}

int model_policy(struct model *m, const struct config *config, const struct classes *classes)
{
	int number[SL_DATASETS_MAX];
	struct m_dataset words[SL_DATASETS_MAX] = {0};
	size_t n = config->ndatasets;
	int err = n > SL_DATASETS_MAX ? -ENOSPC : number_datasets(m, config, number);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = dataset_words(&config->datasets[i], &words[i]);
	if (!err) {
		for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
			m->datasets[i].config = NULL;
		for (size_t i = 0; i < n; i++)
			dataset_renew(m, (unsigned)number[i], &words[i]);
		derived_policy(m, config);
		m->config = config;
		m->classes = classes;
		for (struct m_flow *f = m->first_flow; f; f = f->next)
			flow_classify(m, f);
		model_touch(m, UINT64_MAX);
	}
	for (size_t i = 0; i < n; i++)
		dataset_clear(&words[i]);
	return err;
}

void model_set_dataset_size(struct model *m, unsigned dataset, uint64_t bytes, uint64_t files)
{
	if (dataset >= SL_DATASETS_MAX)
		return;
	struct m_dataset *d = &m->datasets[dataset];
	bool same = bytes == d->size && files == d->files;

	if (bytes < d->size || files < d->files)
		d->shrank = true;
	d->quiet = d->begun ? d->read == d->read_at_begin : same && d->read == d->read_at_scan;
	d->begun = false;
	d->size = bytes;
	d->files = files;
	d->read_at_scan = d->read;
	d->scans++;
	model_touch(m, BIT(dataset));
}

void model_begin_scan(struct model *m, unsigned dataset)
{
	if (dataset >= SL_DATASETS_MAX)
		return;
	m->datasets[dataset].begun = true;
	m->datasets[dataset].read_at_begin = m->datasets[dataset].read;
}

bool model_wants_scan(const struct model *m)
{
	for (size_t i = 0; i < SL_DATASETS_MAX; i++) {
		const struct m_dataset *d = &m->datasets[i];

		if (d->config && (!d->scans || !d->quiet || d->read != d->read_at_scan))
			return true;
	}
	return false;
}

void model_touch(struct model *m, uint64_t mask)
{
	for (; mask; mask &= mask - 1)
		m->datasets[__builtin_ctzll(mask)].version++;
}

/* --- life ---------------------------------------------------------------- */

int model_new(const struct config *config, const struct classes *classes, struct model **ret)
{
	struct model *m = calloc(1, sizeof(*m));
	int err = m ? 0 : -ENOMEM;

	if (err)
		return err;
	m->jobs = HASHMAP_OF(struct m_job, name);
	m->processes = HASHMAP_OF(struct m_process, id);
	m->subjects = HASHMAP_OF(struct m_subject, who);
	m->objects = HASHMAP_OF(struct m_object, what);
	m->edges = HASHMAP_OF(struct m_edge, key);
	m->flows = HASHMAP_OF(struct m_flow, id);
	m->folds = HASHMAP_OF(struct m_flow, fold);
	m->overflows = HASHMAP_OF(struct m_overflow, key);
	m->ml = HASHMAP_OF(struct m_ml, job);
	m->said = HASHMAP_OF(struct m_said, facts);
	m->nodes_max = MODEL_NODES_MAX;
	m->merge_above = MODEL_MERGE_ABOVE;
	err = credentials_new(m);
	if (!err)
		err = findings_new(&m->findings);
	if (!err)
		err = users_new(&m->users);
	if (!err)
		err = model_policy(m, config, classes);
	if (err) {
		model_free(m);
		return err;
	}
	*ret = m;
	return 0;
}

struct model *model_free(struct model *m)
{
	if (!m)
		return NULL;
	for (unsigned i = 0; i < SL_DATASETS_MAX; i++) {
		m->graphs[i] = ds_graph_free(m->graphs[i]);
		files_forget(m, i);
		dataset_clear(&m->datasets[i]);
	}
	findings_free(m->findings);
	json_decref(m->journal);
	credentials_free(m);
	users_free(m->users);
	while (m->first_flow)
		flow_drop(m, m->first_flow);
	while (m->first_object)
		object_drop(m, m->first_object);
	for (struct m_subject *s = m->first_subject; s; s = s->next) {
		for (unsigned i = 0; i < s->nbirths; i++)
			s->births[i].from->children--;
		s->nbirths = 0;
	}
	while (m->first_subject)
		subject_drop(m, m->first_subject);
	while (m->first_overflow) {
		struct m_overflow *o = m->first_overflow;

		m->first_overflow = o->next;
		free(o);
	}
	ml_free(m);
	said_free(m);
	m->questions = questions_free(m->questions);
	struct hashmap *all[] = {&m->jobs,  &m->processes, &m->subjects, &m->objects,
				 &m->edges, &m->flows,	   &m->folds,	 &m->overflows, &m->said};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		hashmap_free(all[i]);
	free(m->subject_slots.unused);
	free(m->object_slots.unused);
	free(m->process_slots.unused);
	free(m->flow_slots.unused);
	health_free(m);
	trusted_clear(m);
	free(m->host);
	free(m->boot_id);
	free(m);
	return NULL;
}

static int replace(char **to, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int model_set_host(struct model *m, const char *name, const char *boot_id)
{
	int err = replace(&m->host, name);

	return err ? err : replace(&m->boot_id, boot_id);
}

void model_set_vpc(struct model *m, const struct model_vpc *v)
{
	m->vpc = *v;
}

void model_set_self(struct model *m, uint32_t tgid)
{
	m->self = tgid;
}

uint64_t model_seq(const struct model *m)
{
	return m->seq;
}

void model_set_hub(struct model *m, const struct hub_told *t)
{
	m->hub = *t;
}

void model_set_exporter(struct model *m, const struct exporter_told *t)
{
	m->exporter = *t;
}

void model_set_ranges_why(struct model *m, const char *why)
{
	snprintf(m->ranges_why, sizeof(m->ranges_why), "%s", why);
}

void model_set_clock(struct model *m, uint64_t boot_ns, const struct timespec *wall)
{
	int64_t now = (int64_t)wall->tv_sec * (int64_t)NSEC + wall->tv_nsec;

	m->wall_offset = now - (int64_t)boot_ns;
	m->clock_ns = boot_ns;
	if (!m->clock_known || llabs(m->wall_offset - m->start_offset) >= (int64_t)NSEC)
		m->start_offset = m->wall_offset;
	if (m->clock_known)
		return;
	m->clock_known = true;
	m->records_ns = boot_ns;
	for (struct m_subject *s = m->first_subject; s; s = s->next)
		s->wall_offset = m->start_offset;
	for (struct finding *f = m->findings->first; f; f = f->next)
		f->wall_offset = m->wall_offset;
}
