/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Real files, named only by device, inode number and generation: found, moved, deleted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "user/object_file.h"
#include "user/object_walk.h"

/* What the kernel half would say, for file systems where stat() says the same. */
static int identify(void *arg, int fd, struct file_identity *ret)
{
	char link[64];
	struct stat st;
	long gen = 0;

	if (fstat(fd, &st))
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (S_ISREG(st.st_mode)) {
		_cleanup_close_ int open_fd = open(link, O_RDONLY | O_CLOEXEC);

		if (open_fd >= 0 && ioctl(open_fd, FS_IOC_GETVERSION, &gen))
			gen = 0;
	}
	*ret = (struct file_identity){.found = 1};
	ret->obj = (struct object){st.st_ino, (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev)),
				   (uint32_t)gen};
	return 0;
}

static bool closed; /* told with each question */

static int look_up(const struct object *what, uint32_t pid, struct object_handle *h,
		   struct object_place *ret)
{
	_cleanup_(object_look_endp) struct object_look *l = NULL;

	assert_int_equal(object_look_begin(identify, NULL, &l), 0);
	return object_look_up(l, what, &(struct object_user){pid, closed}, h, ret);
}

struct dir {
	char path[64], file[96];
};

static void dir_make(struct dir *d, const char *below)
{
	snprintf(d->path, sizeof(d->path), "%s/sluice-object-XXXXXX", below);
	assert_non_null(mkdtemp(d->path));
	assert_int_equal(chmod(d->path, 0755), 0);
	snprintf(d->file, sizeof(d->file), "%s/x", d->path);
}

static int file_make(const struct dir *d, struct object *ret)
{
	struct file_identity id;
	int fd = open(d->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(identify(NULL, fd, &id), 0);
	*ret = id.obj;
	return fd;
}

static void assert_place(const struct object *what, uint32_t pid, struct object_handle *h,
			 const char *path, bool confined)
{
	struct object_place place;

	assert_int_equal(look_up(what, pid, h, &place), 0);
	if (path)
		assert_string_equal(place.path, path);
	else
		assert_null(place.path);
	assert_int_equal(place.confined, confined);
	assert_false(place.fifo);
	object_place_done(&place);
}

static bool is_fs(const char *path, long magic)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == magic;
}

static const char *skip_reason(const char *path, long magic, const char *name)
{
	static char why[96];

	if (geteuid())
		return "handles are for root alone";
	if (is_fs(path, magic))
		return NULL;
	snprintf(why, sizeof(why), "%s is not on %s", path, name);
	return why;
}

#define EXT_MAGIC 0xef53
#define TMPFS_MAGIC 0x01021994

static void skip_for(const char *why)
{
	if (!why)
		return;
	print_message("  skipped: %s\n", why);
	skip();
}

/* No process has it open, and nothing was noted before. */
static void test_by_number(void **state)
{
	struct object_handle h = {0};
	struct object_place place;
	struct object what, next;
	struct dir d;
	char other[96];

	skip_for(skip_reason("/tmp", EXT_MAGIC, "ext4"));
	dir_make(&d, "/tmp");
	close(file_make(&d, &what));
	assert_place(&what, 0, &h, d.file, false);
	assert_int_equal(chmod(d.file, 0640), 0);
	assert_place(&what, 0, &h, d.file, true);
	assert_int_equal(chmod(d.file, 0644), 0);
	assert_int_equal(chmod(d.path, 0700), 0);
	assert_place(&what, 0, &h, d.file, true);
	assert_int_equal(chmod(d.path, 0755), 0);
	snprintf(other, sizeof(other), "%s/y", d.path);
	assert_int_equal(rename(d.file, other), 0);
	assert_place(&what, 0, &h, other, false);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);
	/* The number may be used again, the generation is not. */
	close(file_make(&d, &next));
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);
	h = (struct object_handle){0};
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);
	h = (struct object_handle){0};
	assert_place(&next, 0, &h, d.file, false);
	unlink(d.file);
	rmdir(d.path);
}

/* Deleted, but someone can still read it. */
static void test_deleted_but_open(void **state)
{
	struct object_handle h = {0};
	struct object_place place;
	struct object what;
	struct dir d;

	skip_for(skip_reason("/tmp", EXT_MAGIC, "ext4"));
	dir_make(&d, "/tmp");
	int fd = file_make(&d, &what);
	assert_place(&what, 0, &h, d.file, false);
	assert_int_equal(unlink(d.file), 0);
	assert_place(&what, 0, &h, NULL, true);
	close(fd);
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);
	rmdir(d.path);
}

/* Handles of tmpfs are good only once the kernel has given one. */
static void test_in_memory(void **state)
{
	struct object_handle h = {0}, none = {0};
	struct object_place place;
	struct object what;
	struct dir d;

	skip_for(skip_reason("/dev/shm", TMPFS_MAGIC, "tmpfs"));
	dir_make(&d, "/dev/shm");
	int fd = file_make(&d, &what);
	assert_place(&what, (uint32_t)getpid(), &h, d.file, false);
	close(fd);
	assert_place(&what, 0, &h, d.file, false);
	assert_int_equal(unlink(d.file), 0);
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);

	/* One that was never open while we looked is found by its name. */
	close(file_make(&d, &what));
	h = none;
	assert_place(&what, 0, &h, d.file, false);
	assert_true(h.length);
	assert_int_equal(unlink(d.file), 0);
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);

	/* Without a name it is there as long as someone has it open. */
	fd = file_make(&d, &what);
	assert_int_equal(unlink(d.file), 0);
	h = none;
	assert_int_equal(look_up(&what, 0, &h, &place), -ENOENT);
	close(fd);
	assert_int_equal(look_up(&what, 0, &h, &place), -ENOENT);
	closed = true;
	assert_int_equal(look_up(&what, 0, &h, &place), -ESTALE);
	closed = false;
	rmdir(d.path);
}

static void test_walk(void **state)
{
	struct object_walk *w;
	char path[160];
	struct stat st;
	struct dir d;

	dir_make(&d, "/tmp");
	snprintf(path, sizeof(path), "%s/a", d.path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/b", d.path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/a/b/up", d.path);
	assert_int_equal(symlink("../..", path), 0);
	snprintf(path, sizeof(path), "%s/a/b/f", d.path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(stat(path, &st), 0);
	_cleanup_close_ int fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(object_walk_new(fd, &w), 0);
	assert_true(object_walk_whole(w));
	assert_string_equal(object_walk_find(w, st.st_ino), "a/b/f");
	assert_null(object_walk_find(w, 1));
	object_walk_free(w);
	assert_null(object_walk_free(NULL));
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b/up", d.path);
	unlink(path);
	for (const char *const *p = (const char *const[]){"/a/b", "/a", "", NULL}; *p; p++) {
		snprintf(path, sizeof(path), "%s%s", d.path, *p);
		assert_int_equal(rmdir(path), 0);
	}
}

static void test_fifo(void **state)
{
	struct object_handle h = {0};
	struct object_place place;
	struct file_identity id;
	struct dir d;

	skip_for(skip_reason("/tmp", EXT_MAGIC, "ext4"));
	dir_make(&d, "/tmp");
	assert_int_equal(mkfifo(d.file, 0600), 0);
	int fd = open(d.file, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(identify(NULL, fd, &id), 0);
	assert_int_equal(look_up(&id.obj, (uint32_t)getpid(), &h, &place), 0);
	assert_true(place.fifo);
	object_place_done(&place);
	close(fd);
	unlink(d.file);
	rmdir(d.path);
}

static void test_unknown(void **state)
{
	struct object_handle h = {0};
	struct object_place place;
	struct object what = {.ino = 1, .dev = 0xfffu << 20};

	assert_int_equal(look_up(&what, 0, &h, &place), -EOPNOTSUPP);
	assert_int_equal(look_up(&what, (uint32_t)getpid(), &h, &place), -EOPNOTSUPP);
}

static void test_confined(void **state)
{
	assert_false(object_confined("/tmp", 01777));
	assert_false(object_confined("/dev/shm/x", 0644));
	assert_true(object_confined("/dev/shm/x", 0600));
	assert_true(object_confined("/dev/shm/x", 0660));
	assert_false(object_confined("/nowhere/at/all", 0604));
	assert_false(object_confined("", 0604));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_number), cmocka_unit_test(test_deleted_but_open),
	    cmocka_unit_test(test_in_memory), cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_fifo),      cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_confined),
	};

	return cmocka_run_group_tests_name("object_file", tests, NULL, NULL);
}
