/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/model_files.h"

#include <string.h>

#define CHUNK_WORDS 64
#define CHUNK_BITS (64 * CHUNK_WORDS)

/* --- bits ------------------------------------------------------------------- */

static bool bits_get(const struct m_bits *b, size_t i)
{
	const uint64_t *chunk = i / CHUNK_BITS < b->nchunks ? b->chunk[i / CHUNK_BITS] : NULL;

	return chunk && chunk[i % CHUNK_BITS / 64] >> i % 64 & 1;
}

static int bits_room(struct m_bits *b, size_t chunks)
{
	uint64_t **p;

	if (chunks <= b->nchunks)
		return 0;
	p = reallocarray(b->chunk, chunks, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + b->nchunks, 0, (chunks - b->nchunks) * sizeof(*p));
	b->chunk = p;
	b->nchunks = chunks;
	return 0;
}

/* -ENOSPC: so many are in use by others. */
static int bits_set(struct model *m, struct m_bits *b, size_t i)
{
	int err = bits_room(b, i / CHUNK_BITS + 1);
	uint64_t **chunk;

	if (err)
		return err;
	chunk = &b->chunk[i / CHUNK_BITS];
	if (!*chunk) {
		if (m->nchunks == FILES_CHUNKS_MAX)
			return -ENOSPC;
		*chunk = calloc(CHUNK_WORDS, sizeof(**chunk));
		if (!*chunk)
			return -ENOMEM;
		m->nchunks++;
	}
	(*chunk)[i % CHUNK_BITS / 64] |= 1ULL << i % 64;
	return 0;
}

static void bits_clear(struct model *m, struct m_bits *b)
{
	for (size_t i = 0; i < b->nchunks; i++) {
		m->nchunks -= b->chunk[i] != NULL;
		free(b->chunk[i]);
	}
	free(b->chunk);
	*b = (struct m_bits){0};
}

/* The first one that is set from `i` on; SIZE_MAX: none. */
static size_t bits_next(const struct m_bits *b, size_t i)
{
	while (i / CHUNK_BITS < b->nchunks) {
		const uint64_t *chunk = b->chunk[i / CHUNK_BITS];
		uint64_t word = chunk ? chunk[i % CHUNK_BITS / 64] >> i % 64 : 0;

		if (word)
			return i + (size_t)__builtin_ctzll(word);
		i = chunk ? (i / 64 + 1) * 64 : (i / CHUNK_BITS + 1) * CHUNK_BITS;
	}
	return SIZE_MAX;
}

/* --- covers ------------------------------------------------------------------- */

static struct m_cover **covers_of(struct model *m, struct m_job *job)
{
	return job ? &job->covers : &m->unknown_covers;
}

static struct m_cover *cover_find(struct m_cover *first, unsigned dataset)
{
	while (first && first->dataset != dataset)
		first = first->next;
	return first;
}

static struct m_cover *cover_get(struct m_cover **first, unsigned dataset)
{
	struct m_cover *c = cover_find(*first, dataset);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->dataset = (uint16_t)dataset;
	c->next = *first;
	*first = c;
	return c;
}

const struct m_cover *files_cover(const struct model *m, const struct m_job *job, unsigned dataset)
{
	return cover_find(job ? job->covers : m->unknown_covers, dataset);
}

void files_cover_drop(struct model *m, struct m_cover *c)
{
	for (struct m_cover *next; c; c = next) {
		next = c->next;
		bits_clear(m, &c->bits);
		free(c);
	}
}

void files_job_gone(struct model *m, struct m_job *job)
{
	files_cover_drop(m, job->covers);
	job->covers = NULL;
}

/* `number`: as in the bits. Without room the cover is partial. */
static int cover_mark(struct model *m, struct m_cover *c, size_t number)
{
	const struct m_dataset *d = &m->datasets[c->dataset];
	size_t listed = d->list ? d->list->n : 0;

	if (bits_get(&c->bits, number))
		return 0;
	int err = bits_set(m, &c->bits, number);
	if (err) {
		c->partial = true;
		return err == -ENOSPC ? 0 : err;
	}
	if (number < listed) {
		c->listed++;
		c->bytes += d->list->v[number].size;
		return 0;
	}
	c->others++;
	c->elsewhere = c->elsewhere || (d->list && !file_list_on(d->list, d->others->v[number - listed].what.dev));
	return 0;
}

/* --- what is read --------------------------------------------------------------- */

static int number_of(struct m_dataset *d, const struct object *what, size_t *ret)
{
	size_t listed = d->list ? d->list->n : 0;
	uint32_t i;
	int err = file_list_find(d->list, what, &i);

	if (!err) {
		*ret = i;
		return 0;
	}
	err = d->others ? 0 : file_list_new(FILES_OTHERS_MAX, &d->others);
	if (!err)
		err = file_list_add(d->others, what, 0, 0, NULL, &i);
	if (!err)
		*ret = listed + i;
	return err;
}

int model_set_file_read(struct model *m, const struct subject *who, unsigned dataset, const struct object *what)
{
	struct m_subject *s = subject_find(m, who);
	struct m_cover *own, *all;
	struct m_dataset *d;
	size_t number;

	if (dataset >= SL_DATASETS_MAX)
		return -EINVAL;
	d = &m->datasets[dataset];
	if (s)
		s->files_of |= BIT(dataset);
	all = cover_get(&d->cover, dataset);
	own = cover_get(covers_of(m, s ? s->job : NULL), dataset);
	int err = all && own ? number_of(d, what, &number) : -ENOMEM;
	if (err == -ENOSPC) {
		d->others_left = true;
		return 0;
	}
	if (!err)
		err = cover_mark(m, all, number);
	if (!err && !bits_get(&all->bits, number)) /* what all have not, none can have */
		own->partial = true;
	else if (!err)
		err = cover_mark(m, own, number);
	return err;
}

void model_miss_file_read(struct model *m)
{
	m->file_read_missed = true;
}

void files_unknown(struct model *m, struct m_subject *s, unsigned dataset)
{
	struct m_cover *all = cover_get(&m->datasets[dataset].cover, dataset);
	struct m_cover *own = cover_get(covers_of(m, s->job), dataset);

	s->files_of |= BIT(dataset);
	if (all)
		all->partial = true;
	if (own)
		own->partial = true;
}

void files_job_changed(struct model *m, struct m_subject *s)
{
	for (uint64_t mask = s->files_of; mask; mask &= mask - 1) {
		struct m_cover *c = cover_get(covers_of(m, s->job), (unsigned)__builtin_ctzll(mask));

		if (c)
			c->partial = true;
	}
}

/* --- a new walk ------------------------------------------------------------------- */

/* Where each number of before is found now, for all that were read by anyone; the rest is not filled in. */
static int renumber(const struct m_cover *all, const struct m_dataset *old, const struct m_dataset *now, uint32_t **ret)
{
	size_t listed = old->list ? old->list->n : 0, n = listed + (old->others ? old->others->n : 0);
	_cleanup_free_ uint32_t *to = calloc(n + 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	for (size_t i = bits_next(&all->bits, 0); i < n; i = bits_next(&all->bits, i + 1)) {
		const struct object *what = i < listed ? &old->list->v[i].what : &old->others->v[i - listed].what;
		int err = file_list_find(now->list, what, &to[i]);

		if (!err)
			continue;
		err = file_list_add(now->others, what, 0, 0, NULL, &to[i]);
		if (err == -ENOMEM)
			return err;
		to[i] = err ? UINT32_MAX : to[i] + (uint32_t)now->list->n;
	}
	*ret = to;
	to = NULL;
	return 0;
}

static int cover_move(struct model *m, struct m_cover *c, const uint32_t *to)
{
	struct m_cover old = *c;
	int err = 0;

	c->bits = (struct m_bits){0};
	c->listed = c->bytes = c->others = 0;
	c->elsewhere = false;
	for (size_t i = bits_next(&old.bits, 0); i != SIZE_MAX && !err; i = bits_next(&old.bits, i + 1)) {
		if (to[i] == UINT32_MAX)
			c->partial = true;
		else
			err = cover_mark(m, c, to[i]);
	}
	bits_clear(m, &old.bits);
	return err;
}

static int move_all(struct model *m, unsigned dataset, const uint32_t *to)
{
	struct m_cover *unknown = cover_find(m->unknown_covers, dataset);
	int err = cover_move(m, m->datasets[dataset].cover, to);

	if (unknown && !err)
		err = cover_move(m, unknown, to);
	for (size_t i = 0; i < m->jobs.size && !err; i++) {
		struct m_job *job = m->jobs.slots[i].item;
		struct m_cover *c = job ? cover_find(job->covers, dataset) : NULL;

		if (c)
			err = cover_move(m, c, to);
	}
	return err;
}

int model_set_dataset_files(struct model *m, unsigned dataset, struct file_list *taken)
{
	_cleanup_(file_list_freep) struct file_list *list = taken;
	struct m_dataset *d = dataset < SL_DATASETS_MAX ? &m->datasets[dataset] : NULL, old;
	_cleanup_free_ uint32_t *to = NULL;

	if (!d)
		return -EINVAL;
	old = *d;
	d->list = list;
	d->others = NULL;
	list = NULL;
	int err = file_list_new(FILES_OTHERS_MAX, &d->others);
	if (!err && d->cover)
		err = renumber(d->cover, &old, d, &to);
	if (err) {
		list = d->list; /* the old one stays */
		file_list_free(d->others);
		*d = old;
		return err;
	}
	if (to)
		err = move_all(m, dataset, to);
	if (err)
		d->others_left = true;
	file_list_free(old.list);
	file_list_free(old.others);
	return err;
}

void files_forget(struct model *m, unsigned dataset)
{
	struct m_dataset *d = &m->datasets[dataset];
	struct m_cover **first[] = {&d->cover, &m->unknown_covers};
	size_t n = ARRAY_SIZE(first);

	d->list = file_list_free(d->list);
	d->others = file_list_free(d->others);
	d->others_left = false;
	for (size_t i = 0; i < n + m->jobs.size; i++) {
		struct m_job *job = i < n ? NULL : m->jobs.slots[i - n].item;
		struct m_cover **at = i < n ? first[i] : job ? &job->covers : NULL;

		while (at && *at && (*at)->dataset != dataset)
			at = &(*at)->next;
		if (!at || !*at)
			continue;
		struct m_cover *gone = *at;
		*at = gone->next;
		gone->next = NULL;
		files_cover_drop(m, gone);
	}
}

/* --- figures ---------------------------------------------------------------------- */

/* Reads that no program here sees, or whose file was not told. */
static bool some_unseen(const struct model *m, const struct m_dataset *d)
{
	static const char *const facts[] = {"read.read",   "read.readv",    "read.mmap", "read.io_uring", "read.libaio",
					    "read.splice", "read.sendfile", "read.copy", "read.clone",	  "read.overlay"};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!model_owns_fact(m, facts[i]))
			return true;
	return d->overflow || d->others_left || m->file_read_missed || m->health.losses[LOSS_READ_UNTOLD] || m->health.losses[LOSS_AIO_FULL];
}

void files_figures(const struct model *m, unsigned dataset, const struct m_cover *c, uint64_t bytes_read,
		   struct files_figures *ret)
{
	static const struct m_cover none;
	const struct m_dataset *d = &m->datasets[dataset];

	if (!c)
		c = &none;
	*ret = (struct files_figures){
	    .exact = !some_unseen(m, d) && !c->partial && !c->elsewhere && !(d->list && d->list->left_out),
	    .read = c->listed + c->others,
	};
	/* where not all of it was seen, there is no whole to speak of */
	if (!d->list || d->list->left_out || !d->files)
		return;
	ret->measured = true;
	ret->total = d->list->n;
	ret->unread = ret->total - c->listed;
	ret->bytes_total = d->list->bytes;
	ret->bytes_most = MIN(bytes_read, ret->exact ? c->bytes : ret->bytes_total);
}

bool files_was_read(const struct m_cover *c, uint32_t number)
{
	return c && bits_get(&c->bits, number);
}
