/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/mounts_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define MOUNTINFO_MAX (256u << 20)

enum reach { REACH_UNKNOWN, REACH_PENDING, REACH_NO, REACH_YES };

struct mount {
	struct mount_point point;
	size_t line;
	enum reach reach;
	bool chosen;
};

/* All mounts of a namespace, by parent and path. */
struct table {
	struct mount *v;
	size_t n, room;
	const struct mount **by_id; /* the same, by id */
};

void mounts_free(struct mount_point *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mount_point_clear(&mounts[i]);
	free(mounts);
}

static void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		mount_point_clear(&t->v[i].point);
	free(t->v);
	free(t->by_id);
}

/* --- the table ------------------------------------------------------------- */

static int table_add(struct table *t, const char *line, const char *end)
{
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct mount *v = reallocarray(t->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		t->v = v;
		t->room = room;
	}
	struct mount *m = &t->v[t->n];
	*m = (struct mount){.line = t->n};
	int err = mount_line_parse(line, end, &m->point);
	if (!err)
		t->n++;
	return err == -EINVAL ? 0 : err;
}

static int by_place(const void *pa, const void *pb)
{
	const struct mount *a = pa, *b = pb;

	if (a->point.parent != b->point.parent)
		return a->point.parent < b->point.parent ? -1 : 1;
	int order = strcmp(a->point.path, b->point.path);
	return order ? order : a->line < b->line ? -1 : a->line > b->line;
}

static int by_id(const void *pa, const void *pb)
{
	const struct mount *a = *(const struct mount *const *)pa;
	const struct mount *b = *(const struct mount *const *)pb;

	return a->point.id < b->point.id ? -1 : a->point.id > b->point.id;
}

static int table_index(struct table *t)
{
	t->by_id = calloc(t->n + 1, sizeof(*t->by_id));
	if (!t->by_id)
		return -ENOMEM;
	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_place);
	for (size_t i = 0; i < t->n; i++)
		t->by_id[i] = &t->v[i];
	if (t->n)
		qsort(t->by_id, t->n, sizeof(*t->by_id), by_id);
	return 0;
}

static int table_parse(struct table *t, const char *text, size_t len)
{
	for (const char *end = text + len; text < end;) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = stop ? stop : end;
		int err = table_add(t, text, line_end);

		if (err)
			return err;
		text = line_end + 1;
	}
	return table_index(t);
}

/* NULL: mounted on what this process cannot see, as its root is. */
static struct mount *parent_of(const struct table *t, const struct mount *m)
{
	struct mount key = {.point.id = m->point.parent};
	const struct mount *k = &key, **found;

	if (m->point.parent == m->point.id)
		return NULL;
	found = bsearch(&k, t->by_id, t->n, sizeof(*t->by_id), by_id);
	return found ? (struct mount *)*found : NULL;
}

/* Of the mounts right on `parent` at the first `len` bytes of `path`, the last. */
static const struct mount *mounted_at(const struct table *t, uint64_t parent, const char *path,
				      size_t len)
{
	size_t low = 0, high = t->n; /* below low: at or before the place; from high on: after it */

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct mount_point *p = &t->v[mid].point;
		int order = p->parent < parent ? -1 : p->parent > parent;

		if (!order)
			order = strncmp(p->path, path, len);
		if (!order && p->path[len])
			order = 1;
		if (order <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	const struct mount *m = &t->v[low - 1];
	bool same =
	    m->point.parent == parent && !strncmp(m->point.path, path, len) && !m->point.path[len];
	return same ? m : NULL;
}

/* Length of a directory's path as a prefix: that of "/" is 0. */
static size_t prefix_len(const char *dir)
{
	return strcmp(dir, "/") ? strlen(dir) : 0;
}

static bool at_or_below(const char *path, const char *dir)
{
	size_t n = prefix_len(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

/* --- what a lookup reaches -------------------------------------------------- */

/* Does a lookup that has got to the parent's root come to this mount? Not when another mount on the
 * same parent stands on the way or was put on the same place later. What is mounted over the
 * process's own root is not seen: lookups start below it. */
static bool reached_from_parent(const struct table *t, const struct mount *m,
				const struct mount *parent)
{
	const char *path = m->point.path, *base = parent ? parent->point.path : "/";
	uint64_t on = m->point.parent;

	if (!at_or_below(path, base) || strstr(path, "//") || /* the directory was deleted */
	    mounted_at(t, on, path, strlen(path)) != m)
		return false;
	if (!strcmp(path, "/"))
		return !parent;
	if (!strcmp(path, base))
		return true;
	if (strcmp(base, "/") && mounted_at(t, on, base, strlen(base)))
		return false;
	for (const char *slash = strchr(path + prefix_len(base) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/'))
		if (mounted_at(t, on, path, (size_t)(slash - path)))
			return false;
	return true;
}

/* Climbs to a mount whose answer is known, then answers for all below it. Pending marks those of
 * this climb, so that a ring of parents ends. */
static bool reached(const struct table *t, struct mount *m, struct mount **chain)
{
	size_t n = 0;
	struct mount *top = m;

	while (top && top->reach == REACH_UNKNOWN) {
		top->reach = REACH_PENDING;
		chain[n++] = top;
		top = parent_of(t, top);
	}
	bool yes = !top || top->reach == REACH_YES;
	while (n--) {
		yes = yes && reached_from_parent(t, chain[n], parent_of(t, chain[n]));
		chain[n]->reach = yes ? REACH_YES : REACH_NO;
	}
	return m->reach == REACH_YES;
}

/* Something is mounted on its root, so nobody comes to see it. */
static bool covered(const struct table *t, const struct mount *m)
{
	const char *path = m->point.path;

	return strcmp(path, "/") && mounted_at(t, m->point.id, path, strlen(path));
}

static int choose_below(struct table *t, const char *root, size_t *ret_n)
{
	_cleanup_free_ struct mount **chain = calloc(t->n + 1, sizeof(struct mount *));
	size_t n = 0;

	if (!chain)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		struct mount *m = &t->v[i];

		m->chosen =
		    at_or_below(m->point.path, root) && reached(t, m, chain) && !covered(t, m);
		n += m->chosen;
	}
	*ret_n = n;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct mount_point *)a)->path, ((const struct mount_point *)b)->path);
}

/* Moves the chosen ones out of the table. */
static int take_chosen(struct table *t, size_t n, struct mount_point **ret)
{
	struct mount_point *out = calloc(n + 1, sizeof(*out));
	size_t k = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].chosen) {
			out[k++] = t->v[i].point;
			t->v[i].point = (struct mount_point){};
		}
	qsort(out, n, sizeof(*out), by_path);
	*ret = out;
	return 0;
}

int mounts_parse(const char *text, size_t len, const char *root, struct mount_point **ret,
		 size_t *ret_n)
{
	_cleanup_(table_clear) struct table t = {};
	size_t n = 0;
	int err = table_parse(&t, text, len);

	if (!err)
		err = choose_below(&t, root, &n);
	if (!err)
		err = take_chosen(&t, n, ret);
	if (!err)
		*ret_n = n;
	return err;
}

/* --- this process ------------------------------------------------------------ */

static int real_path(const char *root, char ret[static PATH_MAX])
{
	char link[64], text[PATH_MAX];
	_cleanup_close_ int fd = open(root, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	if (n == sizeof(text) - 1)
		return -ENAMETOOLONG;
	text[n] = '\0';
	if (text[0] != '/')
		return -ENOENT;
	memcpy(ret, text, (size_t)n + 1);
	return 0;
}

static int read_all(const char *file, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		if (len == room) {
			room = room ? 2 * room : 65536;
			char *grown = room <= MOUNTINFO_MAX ? realloc(text, room) : NULL;
			if (!grown)
				return room <= MOUNTINFO_MAX ? -ENOMEM : -E2BIG;
			text = grown;
		}
		n = read(fd, text + len, room - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	*ret = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

int mounts_below(const char *root, struct mount_point **ret, size_t *ret_n)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	int err = real_path(root, path);

	if (!err)
		err = read_all(MOUNTINFO, &text, &len);
	return err ? err : mounts_parse(text, len, path, ret, ret_n);
}

static int all_in(const char *file, struct mount_point **ret, size_t *ret_n)
{
	_cleanup_(table_clear) struct table t = {};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int err = read_all(file, &text, &len);

	if (!err)
		err = table_parse(&t, text, len);
	for (size_t i = 0; i < t.n && !err; i++)
		t.v[i].chosen = true;
	if (!err)
		err = take_chosen(&t, t.n, ret);
	if (!err)
		*ret_n = t.n;
	return err;
}

int mounts_all(struct mount_point **ret, size_t *ret_n)
{
	return all_in(MOUNTINFO, ret, ret_n);
}

int mounts_of_process(uint32_t pid, struct mount_point **ret, size_t *ret_n)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/%u/mountinfo", pid);
	return all_in(file, ret, ret_n);
}

int mounts_watch_open(int *ret_fd)
{
	int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* The kernel forgets a change by telling it, to poll as to epoll. */
bool mounts_watch_rearm(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLPRI | POLLERR);
}
