/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file system in user space without libraries: one directory with one file, /f, of which the byte at offset n is
 * n % 251. Mounts itself, says "ready", serves until it is unmounted, and then says what it gave out:
 *
 *   fuse DIR SIZE [BACKING]
 *
 * With BACKING the file's bytes are read from there, so that the daemon itself reads what it serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_NODE 2
#define MOST_READ (128u << 10)

static struct {
	int dev, backing;
	uint64_t size, served, reads;
} fs = {.backing = -1};

static char request[MOST_READ + 65536], data[MOST_READ];

static void answer(uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len), .error = error, .unique = unique};
	struct iovec v[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, len}};

	if (writev(fs.dev, v, len ? 2 : 1) < 0 && errno != ENOENT)
		perror("fuse: answer");
}

static struct fuse_attr attr_of(uint64_t node)
{
	bool file = node == FILE_NODE;

	return (struct fuse_attr){.ino = node,
				  .mode = file ? S_IFREG | 0644 : S_IFDIR | 0755,
				  .nlink = file ? 1 : 2,
				  .size = file ? fs.size : 0,
				  .blksize = 4096};
}

static void init(const struct fuse_in_header *in, const struct fuse_init_in *asked)
{
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
				    .minor = asked->minor < 31 ? asked->minor : 31,
				    .max_readahead = asked->max_readahead,
				    .max_background = 16,
				    .congestion_threshold = 12,
				    .max_write = MOST_READ,
				    .time_gran = 1};

	answer(in->unique, 0, &out, sizeof(out));
}

static void lookup(const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = {.nodeid = FILE_NODE, .entry_valid = 3600, .attr_valid = 3600, .attr = attr_of(FILE_NODE)};

	if (strcmp(name, "f") || in->nodeid != FUSE_ROOT_ID)
		answer(in->unique, -ENOENT, NULL, 0);
	else
		answer(in->unique, 0, &out, sizeof(out));
}

static void getattr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {.attr_valid = 3600, .attr = attr_of(in->nodeid)};

	answer(in->unique, 0, &out, sizeof(out));
}

static void open_it(const struct fuse_in_header *in)
{
	struct fuse_open_out out = {.fh = in->nodeid};

	answer(in->unique, 0, &out, sizeof(out));
}

static size_t put_entry(size_t at, uint64_t node, const char *name, uint32_t type)
{
	struct fuse_dirent *d = (struct fuse_dirent *)(data + at);
	size_t len = strlen(name);

	memset(d, 0, FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len));
	*d = (struct fuse_dirent){.ino = node, .off = node, .namelen = (uint32_t)len, .type = type};
	memcpy(d->name, name, len);
	return at + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len);
}

static void read_dir(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	answer(in->unique, 0, data, r->offset ? 0 : put_entry(0, FILE_NODE, "f", S_IFREG >> 12));
}

static void read_file(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	uint64_t left = r->offset < fs.size ? fs.size - r->offset : 0;
	size_t n = r->size < left ? r->size : (size_t)left;

	n = n < sizeof(data) ? n : sizeof(data);
	if (fs.backing >= 0) {
		ssize_t got = pread(fs.backing, data, n, (off_t)r->offset);

		n = got > 0 ? (size_t)got : 0;
	} else {
		for (size_t i = 0; i < n; i++)
			data[i] = (char)((r->offset + i) % 251);
	}
	fs.served += n;
	fs.reads++;
	answer(in->unique, 0, data, n);
}

static void serve(const struct fuse_in_header *in)
{
	const void *arg = in + 1;
	struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .namelen = 255}};

	switch (in->opcode) {
	case FUSE_INIT:
		init(in, arg);
		break;
	case FUSE_LOOKUP:
		lookup(in, arg);
		break;
	case FUSE_GETATTR:
		getattr(in);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		open_it(in);
		break;
	case FUSE_READ:
		read_file(in, arg);
		break;
	case FUSE_READDIR:
		read_dir(in, arg);
		break;
	case FUSE_STATFS:
		answer(in->unique, 0, &statfs, sizeof(statfs));
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
	case FUSE_ACCESS:
		answer(in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* wants no answer */
	default:
		answer(in->unique, -ENOSYS, NULL, 0);
	}
}

static int mount_at(const char *dir)
{
	char options[128];

	fs.dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fs.dev < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fs.dev);
	return mount("sluice-test", dir, "fuse", MS_NOSUID | MS_NODEV, options);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: fuse DIR SIZE [BACKING]\n");
		return 2;
	}
	fs.size = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		fs.backing = open(argv[3], O_RDONLY | O_CLOEXEC);
	if ((argc > 3 && fs.backing < 0) || mount_at(argv[1])) {
		perror("fuse");
		return errno == ENODEV || errno == ENOENT || errno == EPERM ? 77 : 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n = read(fs.dev, request, sizeof(request));

		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			break; /* ENODEV: unmounted */
		serve((const struct fuse_in_header *)request);
	}
	printf("{\"served\": %llu, \"reads\": %llu}\n", (unsigned long long)fs.served, (unsigned long long)fs.reads);
	return 0;
}
