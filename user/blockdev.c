/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/blockdev.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LISTED_MAX 65536 /* names of one directory that are looked at */
#define LVM_UUID 68	 /* "LVM-" and two ids of 32: what is longer is a layer */

uint32_t blockdev_pack(dev_t dev)
{
	return major(dev) << 20 | (minor(dev) & 0xfffff);
}

dev_t blockdev_unpack(uint32_t dev)
{
	return makedev(dev >> 20, dev & 0xfffff);
}

void blockdevs_clear(struct blockdevs *b)
{
	free(b->v);
	free(b->edges);
	*b = (struct blockdevs){};
}

/* --- sysfs --------------------------------------------------------------------- */

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

__attribute__((format(printf, 3, 4))) static int read_text(char *ret, size_t len, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ssize_t got = read(fd, ret, len - 1);
	if (got < 0)
		return -errno;
	ret[got] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* "259:3" */
static int parse_dev(const char *text, uint32_t *ret)
{
	unsigned ma, mi;
	int end = 0;

	if (text[0] < '0' || text[0] > '9' || sscanf(text, "%u:%u%n", &ma, &mi, &end) != 2 || text[end] || ma > 0xfff ||
	    mi > 0xfffff)
		return -EINVAL;
	*ret = ma << 20 | mi;
	return 0;
}

static int grow(void *array, size_t size, size_t n, size_t *room)
{
	void **v = array, *more;

	if (n < *room)
		return 0;
	more = reallocarray(*v, *room ? 2 * *room : 64, size);
	if (!more)
		return -ENOMEM;
	*v = more;
	*room = *room ? 2 * *room : 64;
	return 0;
}

/* Calls each name but those with a dot in front. */
static int each_name(const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	const struct dirent *e;
	int err = 0;

	if (!d)
		return -errno;
	for (unsigned n = 0; n < LISTED_MAX && !err && (e = readdir(d)); n++)
		if (e->d_name[0] != '.')
			err = each(arg, e->d_name);
	return err;
}

struct reading {
	const char *sys;
	struct blockdevs *b;
	size_t at; /* the device whose relations are read */
};

static void name_of(const char *sys, const char *number, char *ret, size_t len)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "%s/dev/block/%s", sys, number);
	n = readlink(link, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	const char *slash = strrchr(target, '/');
	size_t k = (size_t)snprintf(ret, len, "%s", slash ? slash + 1 : target);
	if (k >= len)
		ret[0] = '\0';
	for (; *ret; ret++)
		if (*ret == '!')
			*ret = '/';
}

static int add_device(void *arg, const char *number)
{
	struct reading *r = arg;
	struct blockdevs *b = r->b;
	struct blockdev d = {};
	char uuid[192] = "", file[8];

	if (parse_dev(number, &d.dev))
		return 0;
	if (b->n == BLOCKDEV_MAX) {
		b->cut = true;
		return 0;
	}
	name_of(r->sys, number, d.name, sizeof(d.name));
	read_text(uuid, sizeof(uuid), "%s/dev/block/%s/dm/uuid", r->sys, number);
	d.part = !strncmp(uuid, "LVM-", 4) || !strncmp(uuid, "part", 4);
	d.layer = !strncmp(uuid, "LVM-", 4) && strlen(uuid) > LVM_UUID;
	d.loop = !read_text(file, sizeof(file), "%s/dev/block/%s/loop/backing_file", r->sys, number);
	int err = grow(&b->v, sizeof(*b->v), b->n, &b->room);
	if (!err)
		b->v[b->n++] = d;
	return err;
}

static int by_dev(const void *pa, const void *pb)
{
	const struct blockdev *a = pa, *b = pb;

	return a->dev < b->dev ? -1 : a->dev > b->dev;
}

struct blockdev *blockdevs_find(const struct blockdevs *b, uint32_t dev)
{
	struct blockdev key = {.dev = dev};

	return b->n ? bsearch(&key, b->v, b->n, sizeof(*b->v), by_dev) : NULL;
}

static int add_edge(struct blockdevs *b, size_t upper, uint32_t lower, enum blockdev_relation how)
{
	const struct blockdev *under = blockdevs_find(b, lower);

	if (!under || (size_t)(under - b->v) == upper)
		return 0;
	if (b->nedges == BLOCKDEV_EDGES_MAX) {
		b->cut = true;
		return 0;
	}
	int err = grow(&b->edges, sizeof(*b->edges), b->nedges, &b->edges_room);
	if (!err)
		b->edges[b->nedges++] = (struct blockdev_edge){(uint32_t)upper, (uint32_t)(under - b->v), how};
	return err;
}

int blockdevs_add_file(struct blockdevs *b, uint32_t loop, uint32_t under)
{
	const struct blockdev *d = blockdevs_find(b, loop);

	return d ? add_edge(b, (size_t)(d - b->v), under, ON_FILE) : 0;
}

static int add_slave(void *arg, const char *name)
{
	struct reading *r = arg;
	uint32_t self = r->b->v[r->at].dev, dev;
	char text[32];

	if (read_text(text, sizeof(text), "%s/dev/block/%u:%u/slaves/%s/dev", r->sys, self >> 20, self & 0xfffff, name) ||
	    parse_dev(text, &dev))
		return 0;
	return add_edge(r->b, r->at, dev, ON_SLAVE);
}

static int add_relations(struct reading *r)
{
	uint32_t self = r->b->v[r->at].dev, disk;
	char base[PATH_MAX], slaves[PATH_MAX + 8], text[32];
	int err = 0;

	snprintf(base, sizeof(base), "%s/dev/block/%u:%u", r->sys, self >> 20, self & 0xfffff);
	/* what stands there is a link: the directory above its target is the disk's */
	if (!read_text(text, sizeof(text), "%s/partition", base) && !read_text(text, sizeof(text), "%s/../dev", base) &&
	    !parse_dev(text, &disk))
		err = add_edge(r->b, r->at, disk, ON_DISK);
	snprintf(slaves, sizeof(slaves), "%s/slaves", base);
	if (!err)
		err = each_name(slaves, add_slave, r);
	return err == -ENOMEM ? err : 0;
}

int blockdevs_read(const char *sys, struct blockdevs *ret)
{
	struct reading r = {.sys = sys, .b = ret};
	char dir[PATH_MAX];

	*ret = (struct blockdevs){};
	snprintf(dir, sizeof(dir), "%s/dev/block", sys);
	int err = each_name(dir, add_device, &r);
	if (!err && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_dev);
	for (; r.at < ret->n && !err; r.at++)
		err = add_relations(&r);
	return err;
}

/* --- who holds what -------------------------------------------------------------- */

static bool add_bits(uint64_t *to, uint64_t bits)
{
	bool more = bits & ~*to;

	*to |= bits;
	return more;
}

/*
 * What is said of one end of an edge and so holds for the other. An image is one in whatever part or shape it is shown.
 * What lies on a device can be read from the device, and from what is mapped to it. But a disk's other partitions and
 * a volume group's other volumes hold nothing of it, unless they share a layer: a snapshot and its origin.
 */
static bool pass_on(struct blockdevs *b, const struct blockdev_edge *e)
{
	struct blockdev *up = &b->v[e->upper], *low = &b->v[e->lower];
	bool more = false;

	if (e->how != ON_FILE && add_bits(&up->image, low->image)) {
		up->holds |= up->image;
		more = true;
	}
	if (e->how == ON_SLAVE)
		more |= add_bits(&up->holds, low->layer || !up->part ? low->holds : low->direct);
	return add_bits(&low->holds, up->holds) || more;
}

void blockdevs_spread(struct blockdevs *b)
{
	bool more = true;

	for (size_t i = 0; i < b->n; i++)
		b->v[i].holds = b->v[i].direct | b->v[i].image;
	while (more) {
		more = false;
		for (size_t i = 0; i < b->nedges; i++)
			more |= pass_on(b, &b->edges[i]);
	}
}

/* --- btrfs: one file system, several devices --------------------------------------- */

struct members {
	char dir[PATH_MAX];
	uint32_t wanted;
	uint32_t v[256];
	size_t n;
	bool found;
};

static int add_member(void *arg, const char *name)
{
	struct members *m = arg;
	char text[32];
	uint32_t dev;

	if (read_text(text, sizeof(text), "%s/%s/dev", m->dir, name) || parse_dev(text, &dev))
		return 0;
	m->found |= dev == m->wanted;
	if (m->n < ARRAY_SIZE(m->v))
		m->v[m->n++] = dev;
	return 0;
}

struct search {
	const char *sys;
	struct members m;
};

static int try_filesystem(void *arg, const char *uuid)
{
	struct search *s = arg;

	s->m.n = 0;
	snprintf(s->m.dir, sizeof(s->m.dir), "%s/fs/btrfs/%s/devices", s->sys, uuid);
	each_name(s->m.dir, add_member, &s->m);
	return s->m.found;
}

int blockdevs_btrfs(const char *sys, uint32_t dev, int (*each)(void *arg, uint32_t dev), void *arg)
{
	struct search s = {.sys = sys, .m.wanted = dev};
	char dir[PATH_MAX];
	int err = 0;

	snprintf(dir, sizeof(dir), "%s/fs/btrfs", sys);
	if (each_name(dir, try_filesystem, &s) <= 0)
		return each(arg, dev);
	for (size_t i = 0; i < s.m.n && !err; i++)
		err = each(arg, s.m.v[i]);
	return err;
}
