/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file system in user space without libraries: one directory with a file to read, /f, of which the byte at offset n is
 * n % 251, and files to write to, /w0 to /w9. Mounts itself, says "ready", serves until it is unmounted, and then says what it
 * gave out, took in and sent on:
 *
 *   fuse [OPTION]... DIR SIZE [BACKING]
 *
 * With BACKING the file's bytes are read from there, so that the daemon itself reads what it serves.
 *
 *   --sink ADDR:PORT    what is written is sent on there by TCP, byte for byte, over a connection made beforehand
 *   --into FILE         what is written is written there instead
 *   --late              over one that is made with the first byte
 *   --by WAY            how requests are taken: read (the default), readv, splice (into a pipe, read from there)
 *   --writeback         written bytes stay in the page cache until a kernel thread hands them over
 *   --clone             requests are taken from a second descriptor of the same connection
 *   -o FILE             the report goes there
 */
#include "work.h"

#include <getopt.h>
#include <linux/fuse.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#define FILE_NODE 2
#define FIRST_WRITABLE 3
#define WRITABLE 10
#define MOST_READ (128u << 10)

static struct {
	int dev, backing, sink, in, out; /* in, out: the pipe that requests are spliced through */
	uint64_t size, served, reads, written, writes, taken, sent;
	uint64_t length[WRITABLE];
	const char *by, *to, *into, *report;
	bool late, writeback, clone;
} fs = {.backing = -1, .sink = -1, .by = "read"};

static char request[MOST_READ + 65536], data[MOST_READ];

static void answer(uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len), .error = error, .unique = unique};
	struct iovec v[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, len}};

	if (writev(fs.dev, v, len ? 2 : 1) < 0 && errno != ENOENT)
		perror("fuse: answer");
}

static uint64_t *length_of(uint64_t node)
{
	return node >= FIRST_WRITABLE && node < FIRST_WRITABLE + WRITABLE ? &fs.length[node - FIRST_WRITABLE] : &fs.size;
}

static struct fuse_attr attr_of(uint64_t node)
{
	bool file = node >= FILE_NODE;

	return (struct fuse_attr){.ino = node,
				  .mode = file ? S_IFREG | 0666 : S_IFDIR | 0777,
				  .nlink = file ? 1 : 2,
				  .size = file ? *length_of(node) : 0,
				  .blksize = 4096};
}

/* 0: there is no such file. */
static uint64_t node_of(const char *name)
{
	if (name[0] == 'w' && name[1] >= '0' && name[1] <= '9' && !name[2])
		return FIRST_WRITABLE + (uint64_t)(name[1] - '0');
	return strcmp(name, "f") ? 0 : FILE_NODE;
}

static void init(const struct fuse_in_header *in, const struct fuse_init_in *asked)
{
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
				    .minor = asked->minor < 31 ? asked->minor : 31,
				    .max_readahead = asked->max_readahead,
				    .max_background = 16,
				    .congestion_threshold = 12,
				    .max_write = MOST_READ,
				    .flags = FUSE_BIG_WRITES | (fs.writeback ? FUSE_WRITEBACK_CACHE : 0),
				    .time_gran = 1};

	answer(in->unique, 0, &out, sizeof(out));
}

static void lookup(const struct fuse_in_header *in, const char *name)
{
	uint64_t node = node_of(name);
	struct fuse_entry_out out = {.nodeid = node, .entry_valid = 3600, .attr_valid = 3600, .attr = attr_of(node)};

	if (!node || in->nodeid != FUSE_ROOT_ID)
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

static void connect_sink(void)
{
	struct endpoint to;

	if (endpoint_parse(fs.to, &to) < 0)
		misuse("'%s' is not ADDR:PORT", fs.to);
	fs.sink = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fs.sink < 0 || connect(fs.sink, (struct sockaddr *)&to.sa, to.len))
		die("connect");
}

static void send_on(const char *p, size_t n)
{
	if (!fs.to && !fs.into)
		return;
	if (fs.sink < 0 && fs.to)
		connect_sink();
	if (fs.sink < 0)
		fs.sink = open(fs.into, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (n) {
		ssize_t done = fs.to ? send(fs.sink, p, n, MSG_NOSIGNAL) : write(fs.sink, p, n);

		if (done < 0)
			die("send");
		fs.sent += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
}

static void write_file(const struct fuse_in_header *in, const struct fuse_write_in *w)
{
	struct fuse_write_out out = {.size = w->size};
	uint64_t *length = length_of(in->nodeid);

	send_on((const char *)(w + 1), w->size);
	fs.written += w->size;
	fs.writes++;
	*length = MAX(*length, w->offset + w->size);
	answer(in->unique, 0, &out, sizeof(out));
}

static void set_attr(const struct fuse_in_header *in, const struct fuse_setattr_in *s)
{
	if (s->valid & FATTR_SIZE && in->nodeid >= FIRST_WRITABLE)
		*length_of(in->nodeid) = s->size;
	getattr(in);
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
	case FUSE_WRITE:
		write_file(in, arg);
		break;
	case FUSE_SETATTR:
		set_attr(in, arg);
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
	case FUSE_FSYNC:
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

/* A second way to the same requests, as daemons with several threads have. */
static int clone_device(void)
{
	uint32_t old = (uint32_t)fs.dev;
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &old))
		return -1;
	fs.dev = fd;
	return 0;
}

static ssize_t by_splice(void)
{
	ssize_t n = splice(fs.dev, NULL, fs.out, NULL, sizeof(request), 0), done = 0;

	while (n > 0 && done < n) {
		ssize_t got = read(fs.in, request + done, (size_t)(n - done));

		if (got <= 0)
			die("read from the pipe");
		done += got;
	}
	return n;
}

static ssize_t next_request(void)
{
	struct iovec v[2] = {{request, 4096}, {request + 4096, sizeof(request) - 4096}};
	ssize_t n = !strcmp(fs.by, "splice")  ? by_splice()
		    : !strcmp(fs.by, "readv") ? readv(fs.dev, v, 2)
					      : read(fs.dev, request, sizeof(request));

	fs.taken += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void prepare(void)
{
	int ends[2];

	if (!strcmp(fs.by, "splice")) {
		if (pipe2(ends, O_CLOEXEC) || fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) < 0)
			die("pipe");
		fs.in = ends[0];
		fs.out = ends[1];
	}
	if (fs.to && !fs.late)
		connect_sink();
}

static void tell(void)
{
	FILE *out = fs.report ? fopen(fs.report, "w") : stdout;

	if (!out)
		die(fs.report);
	fprintf(out,
		"{\"pid\": %d, \"served\": %llu, \"reads\": %llu, \"written\": %llu, \"writes\": %llu, \"taken\": %llu, "
		"\"sent\": %llu}\n",
		getpid(), (unsigned long long)fs.served, (unsigned long long)fs.reads, (unsigned long long)fs.written,
		(unsigned long long)fs.writes, (unsigned long long)fs.taken, (unsigned long long)fs.sent);
	fclose(out);
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {{"sink", 1, NULL, 's'},	     {"late", 0, NULL, 'l'},
						{"into", 1, NULL, 'i'},
						{"by", 1, NULL, 'b'},	     {"writeback", 0, NULL, 'w'},
						{"clone", 0, NULL, 'c'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			fs.to = optarg;
			break;
		case 'l':
			fs.late = true;
			break;
		case 'i':
			fs.into = optarg;
			break;
		case 'b':
			fs.by = optarg;
			break;
		case 'w':
			fs.writeback = true;
			break;
		case 'c':
			fs.clone = true;
			break;
		case 'o':
			fs.report = optarg;
			break;
		default:
			misuse("fuse [--sink ADDR:PORT | --into FILE] [--late] [--by WAY] [--writeback] [--clone] [-o FILE] DIR SIZE [BACKING]");
		}
	}
	return optind;
}

int main(int argc, char **argv)
{
	int at = parse(argc, argv);

	if (argc - at < 2)
		misuse("DIR and SIZE are missing");
	fs.size = strtoull(argv[at + 1], NULL, 10);
	if (argc - at > 2)
		fs.backing = open(argv[at + 2], O_RDONLY | O_CLOEXEC);
	prepare();
	if ((argc - at > 2 && fs.backing < 0) || mount_at(argv[at]) || (fs.clone && clone_device())) {
		perror("fuse");
		return errno == ENODEV || errno == ENOENT || errno == EPERM ? EXIT_UNSUPPORTED : EXIT_SAD;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n = next_request();

		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			break; /* ENODEV: unmounted */
		serve((const struct fuse_in_header *)request);
	}
	tell();
	return 0;
}
