/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "user/events.h"
#include "user/export/record.h"

static char dir[64];

static char *in_dir(const char *name)
{
	static char path[2][256];
	static unsigned turn;
	char *p = path[turn++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static char *slurp(const char *path)
{
	char *text = calloc(1, 4 << 20);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, (4 << 20) - 1) >= 0);
	return text;
}

static void spill(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int put_number(struct events *ev, int n)
{
	json_t *r = json_pack("{s:i,s:s,s:s}", "v", 1, "zebra", "first", "answer", "x");

	json_object_set_new(r, "n", json_integer(n));
	int result = events_put(ev, r);
	json_decref(r);
	return result;
}

/* Every line whole, numbered 0, 1, ... without gap or repeat; returns how many. */
static int count_lines(const char *path)
{
	_cleanup_free_ char *text = slurp(path);
	int n = 0;

	for (char *line = text, *end; *line; line = end + 1, n++) {
		end = strchr(line, '\n');
		assert_non_null(end);
		json_t *j = json_loadb(line, (size_t)(end - line), 0, NULL);
		assert_non_null(j);
		assert_int_equal(json_integer_value(json_object_get(j, "n")), n);
		json_decref(j);
	}
	return n;
}

static void test_lines_in_given_order(void **state)
{
	struct events *ev;
	struct stat st;
	record_sink sink = events_sink;
	char *path = in_dir("a.jsonl");

	umask(0);
	assert_int_equal(events_open(path, &ev), 0);
	umask(022);
	assert_int_equal(put_number(ev, 0), 0);
	assert_true(events_pending(ev) > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(events_flush(ev), 0);
	assert_int_equal(events_pending(ev), 0);
	assert_int_equal(put_number(ev, 1), 0);
	assert_int_equal(events_close(ev), 0);
	_cleanup_free_ char *text = slurp(path);
	assert_string_equal(text, "{\"v\":1,\"zebra\":\"first\",\"answer\":\"x\",\"n\":0}\n"
				  "{\"v\":1,\"zebra\":\"first\",\"answer\":\"x\",\"n\":1}\n");
	/* appended, never truncated */
	assert_int_equal(events_open(path, &ev), 0);
	json_t *r = json_pack("{s:i}", "n", 2);
	assert_int_equal(sink(ev, r), 0);
	json_decref(r);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(count_lines(path), 3);
}

static void test_not_a_record(void **state)
{
	struct events *ev;
	json_t *number = json_integer(3);

	assert_int_equal(events_open(in_dir("b.jsonl"), &ev), 0);
	assert_int_equal(events_put(ev, number), -EINVAL);
	assert_int_equal(events_pending(ev), 0);
	assert_int_equal(events_close(ev), 0);
	json_decref(number);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &l);
}

/* The limit cuts writes in the middle of a line, as a full disk does, at every possible byte. */
static void test_no_space_tears_no_line(void **state)
{
	char *path = in_dir("full.jsonl");
	struct events *ev;
	int taken = 0, refused = 0;

	assert_int_equal(events_open(path, &ev), 0);
	for (rlim_t limit = 10; taken < 200; limit += 37) {
		limit_file_size(limit);
		for (int i = 0; i < 3; i++) {
			int r = put_number(ev, taken);

			assert_true(r == 0 || r == -EFBIG);
			taken += r == 0;
			refused += r != 0;
		}
		int r = events_flush(ev);
		assert_true(r == 0 || r == -EFBIG);
		assert_true(events_pending(ev) < 4 * 60);
	}
	assert_true(refused > 50);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(count_lines(path), taken);
}

static void test_full_device(void **state)
{
	struct events *ev;

	assert_int_equal(events_open("/dev/full", &ev), 0);
	assert_int_equal(put_number(ev, 0), 0);
	assert_int_equal(events_flush(ev), -ENOSPC);
	assert_int_equal(put_number(ev, 1), -ENOSPC);
	assert_true(events_pending(ev) > 0);
	assert_int_equal(events_close(ev), -ENOSPC);
}

static void test_torn_tail_is_mended(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
	    {"{\"n\":0}\n{\"n\":1,\"x", "{\"n\":0}\n"},
	    {"{\"n\":0,\"x", ""},
	    {"{\"n\":0}\n{\"n\":1}", "{\"n\":0}\n{\"n\":1}\n"},
	    {"notes of someone", "notes of someone\n"},
	    {"{\"n\":0}\n", "{\"n\":0}\n"},
	    {"", ""},
	};
	char *path = in_dir("torn.jsonl");
	struct events *ev;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		spill(path, cases[i].before);
		assert_int_equal(events_open(path, &ev), 0);
		assert_int_equal(events_close(ev), 0);
		_cleanup_free_ char *text = slurp(path);
		assert_string_equal(text, cases[i].after);
	}
	/* longer than any record: kept */
	_cleanup_free_ char *big = malloc((2 << 20) + 1);
	memset(big, '{', 2 << 20);
	big[2 << 20] = '\0';
	spill(path, big);
	assert_int_equal(events_open(path, &ev), 0);
	assert_int_equal(events_close(ev), 0);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, (2 << 20) + 1);
}

static void test_symlinks(void **state)
{
	struct events *ev = (struct events *)-1;
	char target[256];

	snprintf(target, sizeof(target), "%s", in_dir("target.jsonl"));

	spill(target, "");
	assert_int_equal(mkdir(in_dir("safe"), 0755), 0);
	assert_int_equal(mkdir(in_dir("open"), 0755), 0);
	assert_int_equal(chmod(in_dir("open"), 01777), 0);
	assert_int_equal(symlink("../target.jsonl", in_dir("safe/link")), 0);
	assert_int_equal(symlink("../target.jsonl", in_dir("open/link")), 0);
	assert_int_equal(symlink("open/link", in_dir("twice")), 0);
	assert_int_equal(symlink("..", in_dir("open/up")), 0);
	assert_int_equal(symlink("safe", in_dir("dirlink")), 0);
	assert_int_equal(symlink("loop", in_dir("loop")), 0);
	assert_int_equal(events_open(in_dir("open/link"), &ev), -ELOOP);
	assert_int_equal(events_open(in_dir("twice"), &ev), -ELOOP);
	assert_int_equal(events_open(in_dir("open/up/target.jsonl"), &ev), -ELOOP);
	assert_int_equal(events_open(in_dir("loop"), &ev), -ELOOP);
	assert_int_equal(events_open(in_dir("missing/x"), &ev), -ENOENT);
	assert_int_equal(events_open(in_dir("target.jsonl/x"), &ev), -ENOTDIR);
	assert_int_equal(events_open(in_dir("safe"), &ev), -EISDIR);
	assert_int_equal(events_open(in_dir("safe/"), &ev), -EISDIR);
	assert_int_equal(events_open("/", &ev), -EISDIR);
	assert_int_equal(events_open("", &ev), -ENOENT);
	assert_ptr_equal(ev, (void *)-1);
	assert_int_equal(events_open(in_dir("dirlink//./link"), &ev), 0);
	assert_int_equal(put_number(ev, 0), 0);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(count_lines(target), 1);
	/* one's own file in such a directory is fine, another name of a file elsewhere is not */
	assert_int_equal(events_open(in_dir("open/own"), &ev), 0);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(link(target, in_dir("open/hard")), 0);
	assert_int_equal(events_open(in_dir("open/hard"), &ev), -EACCES);
	/* a link made absolute, and the working directory as start */
	assert_int_equal(symlink(target, in_dir("absolute")), 0);
	assert_int_equal(events_open(in_dir("absolute"), &ev), 0);
	assert_int_equal(events_close(ev), 0);
	_cleanup_close_ int back = open(".", O_PATH | O_CLOEXEC);
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(events_open("relative.jsonl", &ev), 0);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(access("relative.jsonl", F_OK), 0);
	assert_int_equal(chdir("open"), 0);
	assert_int_equal(events_open("link", &ev), -ELOOP);
	assert_int_equal(fchdir(back), 0);
}

static void test_long_and_deep_paths(void **state)
{
	_cleanup_free_ char *path = malloc(9000);
	struct events *ev;

	memset(path, 'a', 8999);
	path[8999] = '\0';
	assert_int_equal(events_open(path, &ev), -ENAMETOOLONG);
	path[300] = '\0';
	assert_int_equal(events_open(path, &ev), -ENAMETOOLONG);
	memset(path, '/', 3000);
	path[3000] = '\0';
	assert_int_equal(events_open(path, &ev), -EISDIR);
}

/* Standard output is made `fd` until restored. */
static int swap_stdout(int fd)
{
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	fflush(stdout);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	return saved;
}

static void restore_stdout(int saved)
{
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
}

static size_t fill_and_drain(int reader, struct events *ev, int total)
{
	_cleanup_free_ char *seen = calloc(1, 4 << 20);
	size_t n = 0;
	int taken = 0;

	while (taken < total || events_pending(ev)) {
		int r = taken < total ? put_number(ev, taken) : 0;

		taken += r == 0 && taken < total;
		if (r == 0 && taken < total)
			continue;
		r = events_flush(ev);
		assert_true(r == 0 || r == -EAGAIN);
		ssize_t got = read(reader, seen + n, 30000);
		assert_true(got > 0);
		n += (size_t)got;
	}
	for (ssize_t got; (got = read(reader, seen + n, 30000)) > 0;)
		n += (size_t)got;
	spill(in_dir("seen.jsonl"), seen);
	assert_int_equal(count_lines(in_dir("seen.jsonl")), total);
	return n;
}

static void test_slow_reader_of_stdout(void **state)
{
	int pipes[2][2];

	assert_int_equal(pipe2(pipes[0], O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes[1]), 0);
	for (int i = 0; i < 2; i++) {
		struct events *ev;
		int saved = swap_stdout(pipes[i][1]);

		assert_int_equal(events_open("-", &ev), 0);
		restore_stdout(saved);
		events_patience(ev, 1);
		assert_int_equal(fcntl(pipes[i][1], F_GETFL) & O_NONBLOCK, 0);
		fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
		assert_true(fill_and_drain(pipes[i][0], ev, 20000) > 500000);
		close(pipes[i][0]);
		assert_int_equal(put_number(ev, 0), 0);
		assert_int_equal(events_flush(ev), -EPIPE);
		assert_int_equal(put_number(ev, 0), -EPIPE);
		assert_int_equal(events_close(ev), -EPIPE);
		close(pipes[i][1]);
	}
}

static void test_stdout_to_a_file(void **state)
{
	char *path = in_dir("out.jsonl");
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int saved = swap_stdout(fd);
	struct events *ev;
	int r = events_open("-", &ev);

	restore_stdout(saved);
	assert_int_equal(r, 0);
	assert_int_equal(put_number(ev, 0), 0);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(count_lines(path), 1);
	assert_true(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

static void test_fifo(void **state)
{
	char *path = in_dir("fifo"), buf[256];
	struct events *ev;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(events_open(path, &ev), -ENXIO);
	_cleanup_close_ int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(events_open(path, &ev), 0);
	assert_int_equal(put_number(ev, 0), 0);
	assert_int_equal(events_close(ev), 0);
	assert_true(read(reader, buf, sizeof(buf)) > 10);
}

static void test_big_batches(void **state)
{
	char *path = in_dir("big.jsonl");
	struct events *ev;
	struct stat st;

	assert_int_equal(events_open(path, &ev), 0);
	for (int i = 0; i < 60000; i++)
		assert_int_equal(put_number(ev, i), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size >= (off_t)EVENTS_BATCH);
	assert_true(events_pending(ev) < EVENTS_BATCH + 100);
	assert_int_equal(events_close(ev), 0);
	assert_int_equal(count_lines(path), 60000);
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/sluice-events-XXXXXX");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* Copies for a reader that reads nothing: so many wait, whole lines; the others are missed, and nothing waits for it. */
static void test_copies_for_a_slow_reader(void **state)
{
	static char line[10001];
	struct events *ev;
	unsigned taken = 0, whole = 0;
	int fd;

	assert_int_equal(mkfifo(in_dir("slow"), 0600), 0);
	fd = open(in_dir("slow"), O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(events_open(in_dir("slow"), &ev), 0);
	events_patience(ev, 1);
	memset(line, 'x', 10000);
	line[9999] = '\n';
	while (events_copy(ev, line, 10000) == 0)
		taken++;
	assert_int_equal(events_copy(ev, line, 10000), -ENOBUFS);
	assert_true(taken >= EVENTS_COPY / 10000 && taken <= EVENTS_COPY / 10000 + 8);
	assert_int_equal(events_flush(ev), -EAGAIN);
	for (;;) { /* it reads at last */
		char data[65536];
		bool all = events_flush(ev) == 0;
		ssize_t n = read(fd, data, sizeof(data));

		if (n <= 0 && all)
			break;
		for (ssize_t i = 0; i < n; i++)
			whole += data[i] == '\n';
	}
	assert_int_equal(whole, taken);
	assert_int_equal(events_copy(ev, line, 10000), 0);
	assert_int_equal(events_close(ev), 0);
	close(fd);
	unlink(in_dir("slow"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copies_for_a_slow_reader),
	    cmocka_unit_test(test_lines_in_given_order),
	    cmocka_unit_test(test_not_a_record),
	    cmocka_unit_test(test_no_space_tears_no_line),
	    cmocka_unit_test(test_full_device),
	    cmocka_unit_test(test_torn_tail_is_mended),
	    cmocka_unit_test(test_symlinks),
	    cmocka_unit_test(test_long_and_deep_paths),
	    cmocka_unit_test(test_slow_reader_of_stdout),
	    cmocka_unit_test(test_stdout_to_a_file),
	    cmocka_unit_test(test_fifo),
	    cmocka_unit_test(test_big_batches),
	};

	return cmocka_run_group_tests_name("events", tests, set_up, tear_down);
}
