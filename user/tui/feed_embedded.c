/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A monitor of the viewer's own: this program once more, in a private place, for as long as the viewer lives. */
#include "user/tui/feed_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/args.h"
#include "user/client.h"

#define START_MS 180000 /* loading takes a minute where processors are emulated */
#define LOOK_MS 50
#define ASK_MS 5000
#define END_MS 5000
#define LOG_TAIL 4096

struct embedded_feed {
	struct feed base;
	struct feed *watched; /* NULL: not yet */
	pid_t child;	      /* 0: none */
	int log;	      /* what it says; its name is gone already */
	char dir[64], socket[80];
};

static struct embedded_feed *of(const struct feed *f)
{
	return (struct embedded_feed *)f;
}

/* --- the child -------------------------------------------------------------------- */

static const char *hooks_word(enum wish w)
{
	return w == WISH_TRAMPOLINE ? "trampoline" : w == WISH_TRACEPOINT ? "tracepoint" : "auto";
}

/* By its name where it has one still, so that a list of processes shows it. */
static void run_self(const char *const *argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n > 0) {
		path[n] = '\0';
		execv(path, (char *const *)argv);
	}
	execv("/proc/self/exe", (char *const *)argv);
}

__attribute__((noreturn)) static void become_monitor(const struct embedded_feed *e, const struct options *o, pid_t parent)
{
	const char *argv[12] = {"sluice", "run", "--socket", e->socket, "--hooks", hooks_word(o->hooks)};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t n = 6;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (o->config) {
		argv[n++] = "--config";
		argv[n++] = o->config;
	}
	setenv("SLUICE_NO_STATE", "1", 1); /* of a place that nobody finds again nothing is to be kept */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0); /* keys that end the viewer are not meant for it */
	if (getppid() == parent && null >= 0 && dup2(null, 0) >= 0 && dup2(e->log, 1) >= 0 && dup2(e->log, 2) >= 0)
		run_self(argv);
	_exit(127);
}

/* False: it has ended, and nobody need wait for it any more. */
static bool is_alive(struct embedded_feed *e)
{
	if (e->child && waitpid(e->child, NULL, WNOHANG) == e->child)
		e->child = 0;
	return e->child != 0;
}

static void end_child(struct embedded_feed *e)
{
	if (!is_alive(e))
		return;
	kill(e->child, SIGTERM);
	for (int waited = 0; is_alive(e) && waited < END_MS; waited += LOOK_MS)
		poll(NULL, 0, LOOK_MS);
	if (is_alive(e)) {
		kill(e->child, SIGKILL);
		waitpid(e->child, NULL, 0);
	}
	e->child = 0;
}

/* The last line that it said; "" if there is none. */
static void last_words(const struct embedded_feed *e, char ret[static LOG_TAIL + 1])
{
	struct stat st = {};
	ssize_t n;
	char *end;

	ret[0] = '\0';
	if (fstat(e->log, &st) < 0)
		return;
	n = pread(e->log, ret, LOG_TAIL, MAX(st.st_size - LOG_TAIL, 0));
	ret[MAX(n, 0)] = '\0';
	end = ret + strlen(ret);
	while (end > ret && end[-1] == '\n')
		*--end = '\0';
	const char *line = strrchr(ret, '\n');
	if (line)
		memmove(ret, line + 1, strlen(line));
}

static void remove_place(const struct embedded_feed *e)
{
	char alive[96];

	snprintf(alive, sizeof(alive), "%s.alive", e->socket);
	unlink(alive);
	unlink(e->socket);
	rmdir(e->dir);
}

/* --- the feed: that of its socket, while it lives -------------------------------------- */

static void close_embedded(struct feed *f)
{
	struct embedded_feed *e = of(f);

	feed_close(e->watched);
	end_child(e);
	closep(&e->log);
	if (*e->dir)
		remove_place(e);
}

/* Its documents are the other's. */
static void lend(struct embedded_feed *e)
{
	for (unsigned i = 0; i < FEED_WHATS; i++) {
		struct feed_doc *own = e->base.docs[i];

		e->base.docs[i] = e->watched->docs[i];
		e->watched->docs[i] = own;
	}
}

static void want_embedded(struct feed *f)
{
	feed_want(of(f)->watched, f->whats, f->interval_ns);
}

static int poll_embedded(const struct feed *f, short *ret_events, int *ret_timeout_ms)
{
	return feed_poll(of(f)->watched, ret_events, ret_timeout_ms);
}

static int step_embedded(struct feed *f)
{
	struct embedded_feed *e = of(f);
	char words[LOG_TAIL + 1];

	lend(e);
	int r = feed_step(e->watched);
	lend(e);
	snprintf(f->why, sizeof(f->why), "%s", feed_why(e->watched));
	if (r || feed_state(e->watched) != FEED_LOST || is_alive(e))
		return r;
	last_words(e, words);
	feed_say_why(f, "the embedded monitor ended%s%s", *words ? ": " : "", words);
	return -ECHILD;
}

static enum feed_state state_embedded(const struct feed *f)
{
	return feed_state(of(f)->watched);
}

static uint64_t age_embedded(const struct feed *f)
{
	return feed_age_ns(of(f)->watched);
}

static const struct feed_ops embedded_ops = {
	.close = close_embedded, .want = want_embedded, .poll = poll_embedded, .step = step_embedded, .state = state_embedded,
	.age = age_embedded,
};

/* --- the start ---------------------------------------------------------------------------- */

static int make_place(struct embedded_feed *e)
{
	static const char *const places[] = {"/run/sluice-top-XXXXXX", "/tmp/sluice-top-XXXXXX"};
	char log[96];

	for (size_t i = 0; i < ARRAY_SIZE(places) && !*e->dir; i++) {
		snprintf(e->dir, sizeof(e->dir), "%s", places[i]);
		if (!mkdtemp(e->dir))
			e->dir[0] = '\0';
	}
	if (!*e->dir)
		return -errno;
	snprintf(e->socket, sizeof(e->socket), "%s/socket", e->dir);
	snprintf(log, sizeof(log), "%s/log", e->dir);
	e->log = open(log, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (e->log < 0)
		return -errno;
	unlink(log);
	return 0;
}

static int start_child(struct embedded_feed *e, const struct options *o)
{
	pid_t self = getpid();

	e->child = fork();
	if (e->child < 0) {
		e->child = 0;
		return -errno;
	}
	if (!e->child)
		become_monitor(e, o, self);
	return 0;
}

/* A signal that ends the viewer waits until the place is tidied. */
static void hold_signals(sigset_t *ret_before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGQUIT);
	sigprocmask(SIG_BLOCK, &held, ret_before);
}

static bool is_told_to_end(void)
{
	sigset_t waiting;

	sigpending(&waiting);
	return sigismember(&waiting, SIGINT) || sigismember(&waiting, SIGTERM) || sigismember(&waiting, SIGHUP) ||
	       sigismember(&waiting, SIGQUIT);
}

/* Until it listens: its socket appears when everything is watched. */
static int wait_ready(struct embedded_feed *e, struct client **ret, struct feed_error *ret_error)
{
	struct client_error why = {};
	char words[LOG_TAIL + 1];

	for (uint64_t end = now_boot_ns() + START_MS * (NSEC / 1000); now_boot_ns() < end; poll(NULL, 0, LOOK_MS)) {
		if (!is_alive(e)) {
			last_words(e, words);
			return feed_fail(ret_error, -ECHILD, "the embedded monitor did not start: %s",
					 *words ? words : "it ended without a word");
		}
		if (is_told_to_end())
			return feed_fail(ret_error, -EINTR, "interrupted");
		if (access(e->socket, F_OK) == 0 && client_open(e->socket, ASK_MS, ret, &why) == 0)
			return 0;
	}
	return feed_fail(ret_error, -ETIMEDOUT, "the embedded monitor was not ready within %u s%s%s", START_MS / 1000,
			 *why.text ? ": " : "", why.text);
}

static int open_embedded(struct embedded_feed *e, const struct options *o, struct feed_error *ret_error)
{
	struct client *c;
	int err = make_place(e);

	if (!err)
		err = start_child(e, o);
	if (err)
		return feed_fail(ret_error, err, "an embedded monitor could not be started: %s", strerror(-err));
	err = wait_ready(e, &c, ret_error);
	if (err)
		return err;
	err = feed_watch(client_release(c), e->socket, &e->watched, ret_error);
	if (!err)
		lend(e);
	return err;
}

int feed_open_embedded(const struct options *o, struct feed **ret, struct feed_error *ret_error)
{
	struct embedded_feed *e;
	sigset_t before;
	int err;

	if (geteuid() != 0)
		return feed_fail(
		    ret_error, -EPERM,
		    "no monitor runs at %s, and only root can start one: `sudo sluice top`, or let `sluice run` run there",
		    o->socket);
	e = calloc(1, sizeof(*e));
	if (!e)
		return feed_fail(ret_error, -ENOMEM, "no memory");
	e->log = -1;
	hold_signals(&before);
	err = feed_begin(&e->base, &embedded_ops);
	if (err)
		feed_fail(ret_error, err, "no memory");
	else
		err = open_embedded(e, o, ret_error);
	if (err)
		feed_close(&e->base);
	else
		*ret = &e->base;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}
