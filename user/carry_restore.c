/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* From the file into the kernel half and the model. */
#include "user/carry_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "user/array.h"

struct restoring {
	struct carry *c;
	struct engine *engine;
	struct model *m;
	struct collector *collector;
	struct carry_state *s;
	struct carry_told *told;
	struct object_look *look; /* the mounts */
	bool same_boot;
	int number[SL_DATASETS_MAX]; /* of the file's datasets; negative: not in force */
};

/* --- datasets --------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* The tree is another one where its path is. */
static int number_of(const struct model *m, const struct carry_set *set)
{
	int n = model_dataset(m, set->id);

	return n >= 0 && m->datasets[n].config && same_text(m->datasets[n].path, set->path) ? n : -ENOENT;
}

static void take_datasets(struct restoring *r)
{
	for (size_t i = 0; i < r->s->nsets; i++) {
		r->number[i] = number_of(r->m, &r->s->sets[i]);
		if (r->number[i] >= 0)
			model_carry_dataset(r->m, (unsigned)r->number[i], &r->s->sets[i].is);
	}
}

/* --- files of another boot ------------------------------------------------------------------ */

static int identify(void *arg, int fd, struct file_identity *ret)
{
	return engine_identify(arg, fd, ret);
}

/* Devices have other numbers by then; inode and generation are the file's own. */
static bool is_it(struct restoring *r, int fd, struct carry_holder *h)
{
	struct file_identity id;

	if (engine_identify(r->engine, fd, &id) || id.obj.ino != h->what.ino || id.obj.gen != h->what.gen)
		return false;
	h->what.dev = id.obj.dev;
	object_handle_ask(fd, &h->handle);
	return true;
}

/* No symlink may lead it to where a server has to answer; openat2() is fddb5d430ad9 ("open: introduce openat2(2) syscall"),
 * 5.6. */
static int open_local(struct restoring *r, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};

	return object_look_local(r->look, path) ? (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)) : -1;
}

static bool found_by_path(struct restoring *r, struct carry_holder *h)
{
	_cleanup_close_ int fd = *h->path == '/' ? open_local(r, h->path, O_PATH | O_NOFOLLOW) : -1;

	return fd >= 0 && is_it(r, fd, h);
}

/* It was renamed: on the file system on which it was it is found by its handle. */
static bool found_by_handle(struct restoring *r, struct carry_holder *h)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + OBJECT_HANDLE_MAX];
	} u = {.handle = {.handle_bytes = h->handle.length, .handle_type = h->handle.type}};
	char above[PATH_MAX];
	int dir = -1, fd;

	if (*h->path != '/' || strlen(h->path) >= sizeof(above))
		return false;
	strcpy(above, h->path);
	while (dir < 0 && above[1]) {
		char *slash = strrchr(above, '/');

		slash[slash == above] = '\0';
		dir = open_local(r, above, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	}
	memcpy(u.handle.f_handle, h->handle.bytes, h->handle.length);
	fd = dir < 0 ? -1 : open_by_handle_at(dir, &u.handle, O_PATH | O_CLOEXEC);
	bool found = fd >= 0 && is_it(r, fd, h);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return found;
}

static bool lasts_over_boots(const struct carry_holder *h)
{
	return h->kind == OBJECT_FILE && h->path && h->handle.length;
}

/* --- holders -------------------------------------------------------------------------------- */

static int take_object(struct restoring *r, struct carry_holder *h, unsigned dataset)
{
	int err = collector_adopt_object(r->collector, &h->what, BIT(dataset), r->same_boot && !h->pending ? h->inode : 0, &h->handle);

	if (!err)
		err = model_carry_object(r->m, &h->what, h->kind, dataset, &h->is);
	if (!err)
		err = model_recall_object(r->m, &h->what, h->path, h->open);
	return err;
}

static int take_subject(struct restoring *r, struct carry_holder *h, unsigned dataset)
{
	int err = collector_adopt_subject(r->collector, &h->who, BIT(dataset), h->is.since_ns);

	if (!err)
		err = model_carry_subject(r->m, &h->who, dataset, &h->is);
	return err == -ESRCH ? 0 : err; /* it holds nothing any more */
}

/* Takes over the holder. */
static int set_pending(struct restoring *r, struct carry_holder *h)
{
	struct carry_state *p = r->c->pending;
	int err = array_grow((void **)&p->holders, &p->max_holders, p->nholders + 1, sizeof(*p->holders));

	if (err)
		return err;
	h->pending = true;
	p->holders[p->nholders++] = *h;
	*h = (struct carry_holder){0};
	r->told->pending++;
	return 0;
}

static int take_holder(struct restoring *r, struct carry_holder *h)
{
	int dataset = r->number[h->set];

	if (dataset >= 0 && r->same_boot && !h->pending)
		return h->is_object ? take_object(r, h, (unsigned)dataset) : take_subject(r, h, (unsigned)dataset);
	if (dataset < 0 || !h->is_object || !lasts_over_boots(h)) {
		r->told->forgotten += dataset < 0 || h->kind == OBJECT_FILE;
		return 0;
	}
	if (found_by_path(r, h) || found_by_handle(r, h))
		return take_object(r, h, (unsigned)dataset);
	return set_pending(r, h);
}

/* Times of another boot, as of this one. */
static void shift_times(struct restoring *r)
{
	uint64_t shift = (uint64_t)(r->s->head.wall_offset - r->m->wall_offset);

	if (r->same_boot)
		return;
	for (size_t i = 0; i < r->s->nsets; i++)
		r->s->sets[i].is.spent_until_ns += shift;
	for (size_t i = 0; i < r->s->nholders; i++) {
		struct carried *c = &r->s->holders[i].is;

		c->since_ns += shift;
		for (size_t k = 0; k < c->nchain; k++)
			c->chain[k].time_ns += c->chain[k].time_ns ? shift : 0;
	}
}

/* The pending ones keep the datasets that they are of. */
static int new_pending(struct carry *c, const struct carry_state *from)
{
	struct carry_state *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	c->pending = p;
	p->sets = calloc(from->nsets + 1, sizeof(*p->sets));
	for (; p->sets && p->nsets < from->nsets; p->nsets++) {
		p->sets[p->nsets].id = strdup(from->sets[p->nsets].id);
		p->sets[p->nsets].path = from->sets[p->nsets].path ? strdup(from->sets[p->nsets].path) : NULL;
		if (!p->sets[p->nsets].id)
			return -ENOMEM;
	}
	return p->sets ? 0 : -ENOMEM;
}

/* There may be more than fit now, where SLUICE_MAP_MAX says so. */
static int take_all(struct restoring *r)
{
	int err = new_pending(r->c, r->s);

	if (!err)
		err = object_look_begin(identify, r->engine, &r->look);
	shift_times(r);
	take_datasets(r);
	for (size_t i = 0; i < r->s->nholders && !err; i++) {
		err = take_holder(r, &r->s->holders[i]);
		if (err == -ENOSPC) {
			r->told->forgotten++;
			err = 0;
		}
	}
	r->look = object_look_end(r->look);
	return err;
}

static int set_aside(struct carry *c, struct carry_told *told)
{
	char bad[NAME_MAX + 1];

	told->damaged = true;
	snprintf(bad, sizeof(bad), "%.*s.bad", NAME_MAX - 8, c->name);
	return renameat(c->dir, c->name, c->dir, bad) ? -errno : 0;
}

static int read_file(struct carry *c, struct carry_told *told, struct carry_state **ret)
{
	struct json_lines_error why = {0};
	struct stat st;
	int err = fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;

	if (!err && (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH) ||
		     st.st_size > CARRY_FILE_MAX)) {
		snprintf(why.text, sizeof(why.text), "%s: not a file of ours", c->path);
		err = -EINVAL;
	} else if (!err) {
		err = carry_read(c->path, ret, &why);
	}
	memcpy(told->why, why.text, sizeof(why.text));
	if (err == -EINVAL)
		return set_aside(c, told);
	if (!err)
		told->damaged = !(*ret)->whole;
	return err == -ENOENT ? 0 : err;
}

int carry_restore(struct carry *c, struct engine *engine, struct model *m, struct collector *collector, uint64_t now_ns,
		  struct carry_told *ret)
{
	_cleanup_(carry_state_freep) struct carry_state *s = NULL;
	struct restoring r = {.c = c, .engine = engine, .m = m, .collector = collector, .told = ret};
	int err;

	*ret = (struct carry_told){0};
	err = read_file(c, ret, &s);
	if (err || !s)
		return err;
	r.s = s;
	r.same_boot = !strcmp(s->head.boot, c->boot);
	if (r.same_boot && now_ns > s->head.boot_ns)
		ret->unwatched_ns = now_ns - s->head.boot_ns;
	err = take_all(&r);
	ret->processes = m->nsubjects;
	ret->objects = m->nobjects;
	return err;
}

unsigned carry_retry(struct carry *c, struct engine *engine, struct model *m, struct collector *collector)
{
	struct carry_told told = {0};
	struct restoring r = {.c = c, .engine = engine, .m = m, .collector = collector, .told = &told};
	struct carry_state *p = c->pending;
	unsigned found = 0;

	if (!p || !p->nholders || object_look_begin(identify, engine, &r.look))
		return 0;
	for (size_t i = 0; i < p->nholders;) {
		struct carry_holder *h = &p->holders[i];
		int dataset = number_of(m, &p->sets[h->set]);

		if (dataset < 0 || (!found_by_path(&r, h) && !found_by_handle(&r, h)) || take_object(&r, h, (unsigned)dataset)) {
			i++;
			continue;
		}
		carry_holder_done(h);
		*h = p->holders[--p->nholders];
		found++;
	}
	object_look_end(r.look);
	return found;
}
