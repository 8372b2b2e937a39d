/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/credential_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>

#include "user/credential_files.h"
#include "user/credential_marks.h"
#include "user/subjects.h"

#define SEEN_MAX 1024		/* uses that wait to be taken */
#define HINTS_MAX 64
#define SCAN_LEAST_NS (2 * NSEC)
#define SCAN_MOST_NS (60 * NSEC)
#define SCAN_PART 500		/* scanning takes at most one part in this of the time */
#define STUCK_NS (30 * NSEC)	/* without a word of the thread */
#define EVENT_BYTES 2048	/* each event in it is an open descriptor, or two */
#define EVENTS_MOST 200		/* in a second; from then on with a pause before each look at them, */
#define ROUNDS_MOST 64		/* of looks, for one who waits for what was opened before */
#define PAUSE_US 50000		/* in which the kernel makes one event of all that a process does to a file */

/* A use as the thread saw it. */
struct seen {
	struct seen *next;
	struct credential_use use;
	struct process_words who;
	char *path;
	char key[SECRET_KEY_LEN];
};

struct credential_watch {
	const char *passwd;
	pthread_mutex_t lock;
	pthread_cond_t settled;
	unsigned asked, answered; /* by credential_watch_settle() */
	unsigned users; /* of this memory: the thread, the owner */
	bool stop;
	int wake;
	struct credential_hint hints[HINTS_MAX];
	size_t nhints;
	struct seen *seen;
	size_t nseen;
	struct credential_state state;
	uint64_t beat_ns; /* when the thread was last known not to wait for a file system */

	/* of the thread alone */
	struct credential_marks marks;
	bool pidfds;
	uint64_t second_ns; /* when it began */
	unsigned events;    /* in it */
};

/* --- events ------------------------------------------------------------------------------- */

struct opened {
	uint32_t pid;
	int fd, pidfd; /* -1: none */
};

static void lost(struct credential_watch *w, enum credential_lost what)
{
	pthread_mutex_lock(&w->lock);
	w->state.lost[what]++;
	pthread_mutex_unlock(&w->lock);
}

/* Is the number still that process's? Where the kernel gives no descriptor of it, so little time has passed that it is. */
static bool still_there(const struct credential_watch *w, const struct opened *o)
{
	if (!w->pidfds)
		return true;
	return o->pidfd >= 0 && !syscall(SYS_pidfd_send_signal, o->pidfd, 0, NULL, 0);
}

/* With the lock held. */
static struct seen *seen_find(const struct credential_watch *w, uint32_t pid, uint64_t start_ns, const struct credential_mark *f)
{
	struct seen *s = w->seen;

	while (s && (s->use.pid != pid || s->use.start_ns != start_ns || strcmp(s->path, f->path) || strcmp(s->key, f->key)))
		s = s->next;
	return s;
}

static struct seen *seen_new(uint32_t pid, const struct process_words *who, const struct credential_mark *f)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->path = strdup(f->path);
	if (!s->path) {
		free(s);
		return NULL;
	}
	s->who = *who;
	memcpy(s->key, f->key, sizeof(s->key));
	s->use = (struct credential_use){
		.pid = pid, .start_ns = who->start_ns, .span_ns = who->span_ns, .uid = who->uid, .parent = who->parent,
		.uid_known = who->uid_known, .comm = s->who.comm, .exe = s->who.exe, .job = s->who.job, .kind = f->kind,
		.path = s->path, .key = s->key,
	};
	return s;
}

static void seen_free(struct seen *s)
{
	free(s->path);
	free(s);
}

static void note(struct credential_watch *w, const struct opened *o, const struct credential_mark *f, bool opened)
{
	static const struct process_words unknown;
	struct process_words who;

	if (subjects_describe(o->pid, &who) || !still_there(w, o))
		who = unknown;
	pthread_mutex_lock(&w->lock);
	struct seen *s = seen_find(w, o->pid, who.start_ns, f);
	if (!s && w->nseen < SEEN_MAX)
		s = seen_new(o->pid, &who, f);
	if (!s) {
		w->state.lost[CREDENTIAL_LEFT]++;
	} else {
		if (!s->use.when_ns) {
			s->next = w->seen;
			w->seen = s;
			w->nseen++;
		}
		s->use.when_ns = now_boot_ns();
		s->use.opens += opened;
	}
	pthread_mutex_unlock(&w->lock);
}

static void take_event(struct credential_watch *w, const struct fanotify_event_metadata *e)
{
	_cleanup_close_ int fd = e->fd, pidfd = credential_marks_pidfd(e);
	struct opened o = {.pid = (uint32_t)e->pid, .fd = fd, .pidfd = pidfd};

	if (e->mask & FAN_Q_OVERFLOW)
		lost(w, CREDENTIAL_OVERFLOW);
	if (fd < 0 || e->pid == getpid())
		return;
	const struct credential_mark *f = credential_marks_opened(&w->marks, fd);
	if (f && e->pid <= 0)
		lost(w, CREDENTIAL_GONE); /* of a PID namespace that is not ours */
	else if (f)
		note(w, &o, f, e->mask & FAN_OPEN);
}

/* False: there are no more. */
static bool take_some(struct credential_watch *w)
{
	char buf[EVENT_BYTES] __attribute__((aligned(8)));
	ssize_t n = read(w->marks.fan, buf, sizeof(buf));
	const struct fanotify_event_metadata *e = (const void *)buf;

	if (n < 0 && errno != EAGAIN) {
		w->events++;
		lost(w, CREDENTIAL_LEFT); /* of a file that cannot be opened any more */
		return true;
	}
	if (n <= 0)
		return false;
	for (; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n), w->events++)
		take_event(w, e);
	return true;
}

/* Of a flood no more than some thousands in a second; what the kernel's queue has no room for it counts. */
static void take_events(struct credential_watch *w)
{
	uint64_t now = now_boot_ns();

	if (now - w->second_ns > NSEC) {
		w->second_ns = now;
		w->events = 0;
	}
	if (w->events > EVENTS_MOST)
		usleep(PAUSE_US);
	while (take_some(w) && w->events <= EVENTS_MOST)
		;
}

/* --- scans -------------------------------------------------------------------------------- */

static void beat(struct credential_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->beat_ns = now_boot_ns();
	pthread_mutex_unlock(&w->lock);
}

static bool events_wait(const struct credential_watch *w)
{
	struct pollfd p = {.fd = w->marks.fan, .events = POLLIN};

	return w->marks.fan >= 0 && poll(&p, 1, 0) > 0;
}

/* A scan may take long: meanwhile whoever opens a file must not be gone before it is looked at. */
static void on_candidate(void *arg, enum secret_kind kind, int fd, const struct stat *st)
{
	struct credential_watch *w = arg;

	credential_marks_add(&w->marks, kind, fd, st);
	if (events_wait(w))
		take_events(w);
	beat(w);
}

static void follow_hints(struct credential_watch *w)
{
	struct credential_hint h[HINTS_MAX];

	pthread_mutex_lock(&w->lock);
	size_t n = w->nhints;
	memcpy(h, w->hints, n * sizeof(h[0]));
	w->nhints = 0;
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < n; i++)
		credential_files_at(h[i].pid, h[i].kind, h[i].path, on_candidate, w);
}

static void count_files(struct credential_watch *w, struct credential_state *ret)
{
	for (size_t i = 0; i < w->marks.files.size; i++) {
		const struct credential_mark *f = w->marks.files.slots[i].item;

		ret->files += !!f;
		ret->holding += f && f->holds;
		ret->unread += f && f->unread;
	}
}

/* What is in the way; "": nothing. */
static void find_why(const struct credential_watch *w, int err, struct credential_state *ret)
{
	const size_t room = sizeof(ret->why);

	if (err == -ENOSPC)
		snprintf(ret->why, room, "there are more homes and roots than are looked at");
	else if (err)
		snprintf(ret->why, room, "%s cannot be read: %s", w->passwd, strerror(-err));
	else if (w->marks.left)
		snprintf(ret->why, room, "there are more than %u such files", CREDENTIAL_FILES_MAX);
	else if (w->marks.refused)
		snprintf(ret->why, room, "some files cannot be watched: %s", strerror(-w->marks.refused));
	else if (ret->unread)
		snprintf(ret->why, room, "%llu files cannot be read", (unsigned long long)ret->unread);
}

static void tell(struct credential_watch *w, int err)
{
	struct credential_state s = {};

	count_files(w, &s);
	find_why(w, err, &s);
	pthread_mutex_lock(&w->lock);
	memcpy(s.lost, w->state.lost, sizeof(s.lost));
	w->state = s;
	pthread_mutex_unlock(&w->lock);
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

/* When the next one is due. */
static uint64_t scan(struct credential_watch *w)
{
	uint64_t began = own_cpu_ns();

	w->marks.scan++;
	w->marks.left = 0;
	w->marks.refused = 0;
	tell(w, credential_files_scan(w->passwd, on_candidate, w));
	uint64_t pause = (own_cpu_ns() - began) * SCAN_PART;
	return now_boot_ns() + MIN(MAX(pause, SCAN_LEAST_NS), SCAN_MOST_NS);
}

/* --- the thread --------------------------------------------------------------------------- */

static void dispose(struct credential_watch *w)
{
	for (struct seen *s = w->seen, *next; s; s = next) {
		next = s->next;
		seen_free(s);
	}
	credential_marks_free(&w->marks);
	if (w->marks.fan >= 0)
		close(w->marks.fan);
	if (w->wake >= 0)
		close(w->wake);
	pthread_cond_destroy(&w->settled);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Whoever is last puts out the light: the thread may be held up beyond the end of all else. With the lock held. */
static void leave(struct credential_watch *w)
{
	bool last = !--w->users;

	pthread_mutex_unlock(&w->lock);
	if (last)
		dispose(w);
}

/* False: it is over. */
static bool goes_on(struct credential_watch *w, unsigned *ret_asked)
{
	pthread_mutex_lock(&w->lock);
	bool stop = w->stop;
	*ret_asked = w->asked;
	pthread_mutex_unlock(&w->lock);
	return !stop;
}

static void answer(struct credential_watch *w, unsigned asked)
{
	for (unsigned i = 0; i < ROUNDS_MOST && events_wait(w); i++)
		take_events(w);
	pthread_mutex_lock(&w->lock);
	w->answered = asked;
	pthread_cond_broadcast(&w->settled);
	pthread_mutex_unlock(&w->lock);
}

static void wait_for_news(struct credential_watch *w, uint64_t due)
{
	uint64_t wakes, now = now_boot_ns(), wait = due > now ? MIN(due - now, STUCK_NS / 3) / 1000000 + 1 : 0;
	struct pollfd fds[] = {{.fd = w->wake, .events = POLLIN}, {.fd = w->marks.fan, .events = POLLIN}};

	poll(fds, 2, (int)wait);
	beat(w);
	if (fds[1].revents)
		take_events(w);
	if (fds[0].revents && read(w->wake, &wakes, sizeof(wakes)) == sizeof(wakes))
		follow_hints(w);
}

static void *work(void *arg)
{
	struct credential_watch *w = arg;
	uint64_t due = w->marks.fan < 0 ? UINT64_MAX : 0;
	unsigned asked, answered = 0;

	while (goes_on(w, &asked)) {
		if (asked != answered)
			answer(w, asked);
		answered = asked;
		wait_for_news(w, due);
		if (w->marks.fan >= 0 && now_boot_ns() >= due)
			due = scan(w);
	}
	pthread_mutex_lock(&w->lock);
	leave(w);
	return NULL;
}

static void open_marks(struct credential_watch *w)
{
	w->marks.fan = credential_marks_open(&w->pidfds);
	if (w->marks.fan < 0)
		snprintf(w->state.why, sizeof(w->state.why), "the kernel refuses fanotify: %s", strerror(-w->marks.fan));
}

static int start(struct credential_watch *w)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the one who asks */
	int err = pthread_create(&thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_detach(thread);
	return -err;
}

int credential_watch_new(const char *passwd, struct credential_watch **ret)
{
	struct credential_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->passwd = passwd;
	w->users = 2;
	w->beat_ns = now_boot_ns();
	w->marks.files = HASHMAP_OF(struct credential_mark, id);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->settled, NULL);
	open_marks(w);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = w->wake < 0 ? -errno : start(w);
	if (err) {
		dispose(w);
		return err;
	}
	*ret = w;
	return 0;
}

static void wake(const struct credential_watch *w)
{
	uint64_t one = 1;

	if (write(w->wake, &one, sizeof(one)) != sizeof(one))
		return; /* it is awake then */
}

struct credential_watch *credential_watch_free(struct credential_watch *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	wake(w);
	leave(w);
	return NULL;
}

void credential_watch_hint(struct credential_watch *w, const struct credential_hint *h)
{
	pthread_mutex_lock(&w->lock);
	if (w->nhints < HINTS_MAX)
		w->hints[w->nhints++] = *h;
	wake(w);
	pthread_mutex_unlock(&w->lock);
}

void credential_watch_settle(struct credential_watch *w, unsigned ms)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	uint64_t ns = (uint64_t)until.tv_nsec + (uint64_t)ms * 1000000;
	until.tv_sec += (time_t)(ns / NSEC);
	until.tv_nsec = (long)(ns % NSEC);
	pthread_mutex_lock(&w->lock);
	unsigned mine = ++w->asked;
	wake(w);
	while (!err && (int)(w->answered - mine) < 0)
		err = pthread_cond_timedwait(&w->settled, &w->lock, &until);
	pthread_mutex_unlock(&w->lock);
}

/* --- into the model ------------------------------------------------------------------------ */

int credential_watch_take(struct credential_watch *w, struct model *m)
{
	struct credential_state state;
	int err = 0;

	pthread_mutex_lock(&w->lock);
	struct seen *s = w->seen, *next;
	w->seen = NULL;
	w->nseen = 0;
	state = w->state;
	if (now_boot_ns() - w->beat_ns > STUCK_NS)
		snprintf(state.why, sizeof(state.why), "a file system does not answer: nothing is seen meanwhile");
	pthread_mutex_unlock(&w->lock);
	model_set_credential_state(m, &state);
	for (; s; s = next) {
		next = s->next;
		int e = model_set_credential_use(m, &s->use);
		err = err ? err : e;
		seen_free(s);
	}
	return err;
}
