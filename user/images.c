/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/images.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "user/blockdev.h"
#include "user/mounts.h"

#define SYS "/sys"
#define LAYERS_MAX 64	 /* of one overlay that are looked at */
#define LAYERS_DEEP 4	 /* overlays upon overlays */
#define MESSAGES_MAX 4096 /* taken from the kernel at a time */

struct state {
	struct engine *engine;
	struct blockdevs devices;
	struct mount_point *mounts;
	size_t nmounts;
};

static void state_clear(struct state *s)
{
	blockdevs_clear(&s->devices);
	mounts_free(s->mounts, s->nmounts);
}

void images_clear(struct images *i)
{
	for (size_t k = 0; k < i->nroots; k++)
		free(i->roots[k].path);
	free(i->roots);
	free(i->devices);
	*i = (struct images){};
}

/* --- the block devices under a file system -------------------------------------------- */

struct asking {
	struct state *s;
	int (*each)(void *arg, uint32_t dev);
	void *arg;
	unsigned depth;
};

static int ask_fs(struct asking *a, uint32_t fs);

/* "/dev/sda" or, of those that are spread over several, "/dev/sda:/dev/sdb". */
static int ask_source(struct asking *a, const struct mount_point *m)
{
	_cleanup_free_ char *copy = strdup(m->source);
	char *at = copy, *one;
	struct stat st;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (unsigned n = 0; !err && n < LAYERS_MAX && (one = strsep(&at, ":")); n++) {
		if (one[0] != '/' || stat(one, &st) || !S_ISBLK(st.st_mode))
			continue;
		uint32_t dev = blockdev_pack(st.st_rdev);

		err = strcmp(m->fstype, "btrfs") ? a->each(a->arg, dev) : blockdevs_btrfs(SYS, dev, a->each, a->arg);
	}
	return err;
}

static int ask_layer(struct asking *a, const char *dir)
{
	struct file_identity id;
	_cleanup_close_ int fd = dir[0] == '/' ? open(dir, O_PATH | O_CLOEXEC) : -1;

	return fd < 0 || engine_identify(a->s->engine, fd, &id) ? 0 : ask_fs(a, id.obj.dev);
}

/* "rw,lowerdir=/a:/b,upperdir=/c,workdir=/d" */
static int ask_overlay(struct asking *a, const struct mount_point *m)
{
	_cleanup_free_ char *copy = strdup(m->options);
	char *at = copy, *option, *dir;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	while (!err && (option = strsep(&at, ","))) {
		char *value = strchr(option, '=');

		if (!value || (strncmp(option, "lowerdir", 8) && strncmp(option, "upperdir", 8) && strncmp(option, "datadir", 7)))
			continue;
		value++;
		for (unsigned n = 0; !err && n < LAYERS_MAX && (dir = strsep(&value, ":")); n++)
			err = ask_layer(a, dir);
	}
	return err;
}

static const struct mount_point *mount_of(const struct state *s, uint32_t fs)
{
	for (size_t i = 0; i < s->nmounts; i++)
		if (blockdev_pack(s->mounts[i].dev) == fs)
			return &s->mounts[i];
	return NULL;
}

/* A file system on one device has its number; others have a made-up one, and only the mount says what is under them. */
static int ask_fs(struct asking *a, uint32_t fs)
{
	const struct mount_point *m;
	int err;

	if (blockdevs_find(&a->s->devices, fs))
		return a->each(a->arg, fs);
	m = mount_of(a->s, fs);
	if (!m || a->depth == LAYERS_DEEP)
		return 0;
	a->depth++;
	err = strcmp(m->fstype, "overlay") ? ask_source(a, m) : ask_overlay(a, m);
	a->depth--;
	return err;
}

static int each_device(struct state *s, uint32_t fs, int (*each)(void *arg, uint32_t dev), void *arg)
{
	struct asking a = {.s = s, .each = each, .arg = arg};

	return ask_fs(&a, fs);
}

/* --- loop devices ------------------------------------------------------------------------- */

static dev_t loop_dev(uint64_t d)
{
	uint32_t minor = (d & 0xff) | (d >> 12 & 0xfff00);

	return blockdev_unpack((uint32_t)(d >> 8 & 0xfff) << 20 | minor);
}

static int loop_status(const struct blockdev *d, struct loop_info64 *ret)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", d->name);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode) || blockdev_pack(st.st_rdev) != d->dev)
		return -ENODEV;
	return ioctl(fd, LOOP_GET_STATUS64, ret) ? -errno : 0;
}

static int loop_path(const struct blockdev *d, char ret[static PATH_MAX])
{
	char file[128];

	snprintf(file, sizeof(file), SYS "/dev/block/%u:%u/loop/backing_file", d->dev >> 20, d->dev & 0xfffff);
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, PATH_MAX - 1);
	if (n <= 0 || ret[0] != '/')
		return -ENOENT;
	ret[n - (ret[n - 1] == '\n')] = '\0';
	return 0;
}

/* The path is text of whoever attached it, and may name another file to us. */
static int open_named(const char *path, const struct loop_info64 *info)
{
	struct stat st;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_ino == info->lo_inode && st.st_dev == loop_dev(info->lo_device))
		return fd;
	close(fd);
	return -ESTALE;
}

/* By its number alone, where the file system has handles made of it (ext4, XFS; a generation of 0 is any): the file was
 * deleted, renamed, or lies in a mount namespace of its own. */
static int open_numbered(const struct state *s, const struct loop_info64 *info)
{
	struct {
		struct file_handle head;
		uint32_t ino, gen;
	} h = {.head = {.handle_bytes = 8, .handle_type = 1 /* FILEID_INO32_GEN */}, .ino = (uint32_t)info->lo_inode};
	dev_t dev = loop_dev(info->lo_device);

	for (size_t i = 0; i < s->nmounts && info->lo_inode <= UINT32_MAX; i++) {
		if (s->mounts[i].dev != dev)
			continue;
		_cleanup_close_ int at = open(s->mounts[i].path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
		int fd = at < 0 ? -1 : open_by_handle_at(at, &h.head, O_PATH | O_CLOEXEC);
		struct stat st;

		if (fd >= 0 && !fstat(fd, &st) && st.st_ino == info->lo_inode && st.st_dev == dev)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

struct backed {
	struct blockdevs *devices;
	uint32_t loop;
};

static int add_backing(void *arg, uint32_t dev)
{
	struct backed *b = arg;

	return blockdevs_add_file(b->devices, b->loop, dev);
}

static int look_at_loop(struct state *s, struct blockdev *d)
{
	struct backed b = {&s->devices, d->dev};
	struct loop_info64 info = {};
	struct file_identity id;
	char path[PATH_MAX];

	if (loop_path(d, path) || loop_status(d, &info))
		return 0; /* detached meanwhile */
	_cleanup_close_ int named = open_named(path, &info);
	_cleanup_close_ int numbered = named < 0 ? open_numbered(s, &info) : -1;
	int fd = named < 0 ? numbered : named;
	if (fd < 0 || engine_identify(s->engine, fd, &id))
		return 0;
	if (id.tag && id.tag <= SL_DATASETS_MAX)
		d->image |= 1ULL << (id.tag - 1);
	return each_device(s, id.obj.dev, add_backing, &b);
}

/* --- all of it ------------------------------------------------------------------------------ */

struct held {
	struct blockdevs *devices;
	uint64_t bit;
};

static int add_direct(void *arg, uint32_t dev)
{
	struct held *h = arg;
	struct blockdev *d = blockdevs_find(h->devices, dev);

	if (d)
		d->direct |= h->bit;
	return 0;
}

static int spread(struct state *s, const struct fs_tag *tags, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		struct held h = {&s->devices, 1ULL << (tags[i].tag - 1)};

		err = each_device(s, tags[i].dev, add_direct, &h);
	}
	for (size_t i = 0; i < s->devices.n && !err; i++)
		if (s->devices.v[i].loop)
			err = look_at_loop(s, &s->devices.v[i]);
	if (!err)
		blockdevs_spread(&s->devices);
	return err;
}

/* One made of several datasets' images has the first one's tag: an inode has but one. */
static uint8_t tag_of(uint64_t mask)
{
	return mask ? (uint8_t)(__builtin_ctzll(mask) + 1) : 0;
}

static int add_root(struct images *i, uint32_t dev, uint8_t tag, const char *path)
{
	struct image_root *v = reallocarray(i->roots, i->nroots + 1, sizeof(*v));
	char *copy = path ? strdup(path) : NULL;

	if (v)
		i->roots = v;
	if (!v || (path && !copy)) {
		free(copy);
		return -ENOMEM;
	}
	v[i->nroots++] = (struct image_root){dev, tag, copy};
	return 0;
}

static int add_image(void *arg, uint32_t dev)
{
	struct held *h = arg;
	const struct blockdev *d = blockdevs_find(h->devices, dev);

	if (d)
		h->bit |= d->image;
	return 0;
}

/* A file system on an image, where its number is not the device's. */
static int add_mounted(struct state *s, const struct mount_point *m, struct images *ret)
{
	uint32_t fs = blockdev_pack(m->dev);
	struct held h = {&s->devices, 0};
	int err;

	if (!strcmp(m->fstype, "overlay"))
		return 0; /* its files have the tags of those below */
	err = each_device(s, fs, add_image, &h);
	if (err || !h.bit)
		return err;
	err = add_root(ret, fs, tag_of(h.bit), NULL);
	return err ? err : add_root(ret, fs, tag_of(h.bit), m->path);
}

static int collect(struct state *s, struct images *ret)
{
	int err = 0;

	ret->devices = calloc(s->devices.n + 1, sizeof(*ret->devices));
	if (!ret->devices)
		return -ENOMEM;
	for (size_t i = 0; i < s->devices.n && !err; i++) {
		const struct blockdev *d = &s->devices.v[i];

		if (d->holds)
			ret->devices[ret->ndevices++] = (struct device_mask){d->dev, d->holds};
		if (d->image)
			err = add_root(ret, d->dev, tag_of(d->image), NULL);
	}
	for (size_t i = 0; i < s->nmounts && !err; i++)
		err = add_mounted(s, &s->mounts[i], ret);
	return err;
}

int images_find(struct engine *engine, const struct fs_tag *tags, size_t n, struct images *ret)
{
	_cleanup_(state_clear) struct state s = {.engine = engine};
	_cleanup_(images_clear) struct images found = {};
	int err = blockdevs_read(SYS, &s.devices);

	if (!err)
		err = mounts_all(&s.mounts, &s.nmounts);
	if (err && err != -ENOMEM)
		err = 0; /* no sysfs, no proc: then nothing is known of devices */
	else if (!err)
		err = spread(&s, tags, n);
	if (!err)
		err = collect(&s, &found);
	if (err)
		return err;
	*ret = found;
	found = (struct images){};
	return 0;
}

/* --- what changes --------------------------------------------------------------------------- */

int images_watch_open(int *ret_fd)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&kernel, sizeof(kernel))) {
		int err = -errno;

		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static bool about_block(const char *text, size_t len)
{
	static const char word[] = "SUBSYSTEM=block";

	return memmem(text, len, word, sizeof(word));
}

bool images_watch_take(int fd)
{
	char text[8192];
	bool told = false;

	for (unsigned n = 0; n < MESSAGES_MAX; n++) {
		ssize_t len = recv(fd, text, sizeof(text), MSG_DONTWAIT);

		if (len < 0 && errno == ENOBUFS)
			told = true; /* some were dropped */
		else if (len < 0)
			break;
		else
			told |= about_block(text, (size_t)len);
	}
	return told;
}

