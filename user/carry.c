/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/carry_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "user/state_dir.h"

#define SAVE_NS NSEC   /* how often at most it is saved, */
#define SAVE_PART 50 /* and that takes at most one part in so many of the time */
#define SUFFIX ".lineage"

/* --- where it is ------------------------------------------------------------------------- */

int carry_open(const char *dir, const char *socket, struct carry **ret)
{
	char name[NAME_MAX + 1];
	struct carry *c = calloc(1, sizeof(*c));
	int err = c ? 0 : -ENOMEM;

	if (err)
		return err;
	state_file_name(socket, SUFFIX, name);
	c->dir = state_dir_open(dir);
	err = c->dir < 0 ? c->dir : boot_id_read(c->boot);
	if (!err)
		c->dir_path = strdup(dir);
	if (!err && !c->dir_path)
		err = -ENOMEM;
	if (!err && asprintf(&c->path, "%s/%s", dir, name) < 0) {
		c->path = NULL;
		err = -ENOMEM;
	}
	if (err) {
		carry_close(c);
		return err;
	}
	c->name = strrchr(c->path, '/') + 1;
	*ret = c;
	return 0;
}

struct carry *carry_close(struct carry *c)
{
	if (!c)
		return NULL;
	carry_state_free(c->pending);
	if (c->dir >= 0)
		close(c->dir);
	free(c->path);
	free(c->dir_path);
	free(c);
	return NULL;
}

const char *carry_dir(const struct carry *c)
{
	return c->dir_path;
}

/* --- saving --------------------------------------------------------------------------------- */

struct saving {
	struct carry *c;
	const struct collector *collector;
	const struct model *m;
	struct json_text text;
	uint64_t holders;
};

static int save_item(void *arg, const struct carry_item *item)
{
	struct saving *s = arg;
	struct carry_holder h = {.is = item->is, .is_object = item->object};
	const struct m_object *o = item->object;

	if (o) {
		h.what = o->what;
		h.kind = o->kind ? o->kind : OBJECT_FILE;
		h.open = o->placed && !o->confined;
		h.path = o->path; /* lent */
		collector_known_object(s->collector, &o->what, &h.handle, &h.inode);
	} else {
		h.who = item->subject->who;
	}
	s->holders++;
	return carry_write_holder(&s->text, s->m->datasets[item->dataset].id, &h);
}

/* What was not found again yet is not forgotten either. */
static int save_pending(struct saving *s, const char *id)
{
	const struct carry_state *p = s->c->pending;
	int err = 0;

	for (size_t i = 0; p && i < p->nholders && !err; i++) {
		if (strcmp(p->sets[p->holders[i].set].id, id))
			continue;
		s->holders++;
		err = carry_write_holder(&s->text, id, &p->holders[i]);
	}
	return err;
}

static int save_datasets(struct saving *s, struct model *m)
{
	int err = 0;

	for (unsigned i = 0; i < SL_DATASETS_MAX && !err; i++) {
		struct carry_set set = {.id = m->datasets[i].id, .path = m->datasets[i].path};

		if (!set.id || !m->datasets[i].config)
			continue;
		err = model_carried(m, i, &set.is);
		if (!err)
			err = carry_write_set(&s->text, &set);
	}
	return err;
}

static int save_all(struct saving *s, struct model *m, uint64_t now_ns)
{
	struct carry_head head = {.boot_ns = now_ns, .wall_offset = m->wall_offset};
	uint64_t work = GRAPH_WORK / 8;
	int err;

	memcpy(head.boot, s->c->boot, sizeof(head.boot));
	err = carry_write_head(&s->text, &head);
	if (!err)
		err = save_datasets(s, m);
	for (unsigned i = 0; i < SL_DATASETS_MAX && !err; i++) {
		if (!m->datasets[i].id || !m->datasets[i].config)
			continue;
		err = model_carry_each(m, i, &work, save_item, s);
		if (!err)
			err = save_pending(s, m->datasets[i].id);
	}
	return err ? err : carry_write_end(&s->text, s->holders);
}

static int write_whole(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t w = write(fd, data, n);

		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0) {
			data += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

/* The old one stays until the new one is whole. */
static int put_file(const struct carry *c, const struct json_text *text, bool final)
{
	char fresh[NAME_MAX + 1];
	int err;

	snprintf(fresh, sizeof(fresh), "%.*s.new", NAME_MAX - 8, c->name);
	unlinkat(c->dir, fresh, 0);
	_cleanup_close_ int fd = openat(c->dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_whole(fd, text->data, text->len);
	if (!err && final && fsync(fd))
		err = -errno;
	if (!err && renameat(c->dir, fresh, c->dir, c->name))
		err = -errno;
	if (!err && final && fsync(c->dir))
		err = -errno;
	if (err && fd >= 0)
		unlinkat(c->dir, fresh, 0);
	return err;
}

static int remove_file(const struct carry *c)
{
	return unlinkat(c->dir, c->name, 0) && errno != ENOENT ? -errno : 0;
}

/* Does a dataset's budget still remember something? */
static bool anything_spent(const struct model *m)
{
	for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
		if (m->datasets[i].config && m->datasets[i].budget.sent)
			return true;
	return false;
}

static uint64_t versions(const struct model *m)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SL_DATASETS_MAX; i++)
		sum += m->datasets[i].version + m->datasets[i].budget.sent;
	return sum;
}

bool carry_due(const struct carry *c, const struct model *m, uint64_t now_ns)
{
	return versions(m) != c->versions && now_ns >= c->due_ns;
}

int carry_save(struct carry *c, struct model *m, const struct collector *collector, uint64_t now_ns, bool final)
{
	struct saving s = {.c = c, .collector = collector, .m = m, .text = {.max = CARRY_FILE_MAX}};
	uint64_t seen = versions(m);
	int err = save_all(&s, m, now_ns);

	if (!err)
		err = s.holders || anything_spent(m) ? put_file(c, &s.text, final) : remove_file(c);
	free(s.text.data);
	if (!err)
		c->versions = seen;
	uint64_t end = now_boot_ns();
	c->due_ns = end + MAX(SAVE_NS, SAVE_PART * (end - now_ns));
	return err;
}
