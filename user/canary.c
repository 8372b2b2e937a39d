/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The processes of the self-test: one that keeps the others, and one or more for each step. */
#include "user/canary_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SLICE_NS (5 * 1000000ULL) /* how often a waiter looks whether the other has died */

/* --- waiting -------------------------------------------------------------------------- */

uint64_t now_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *at, uint32_t while_value, uint64_t ns)
{
	struct timespec t = {(time_t)(ns / NSEC), (long)(ns % NSEC)};

	syscall(SYS_futex, at, FUTEX_WAIT, while_value, &t, NULL, 0);
}

void futex_set(_Atomic uint32_t *at, uint32_t value)
{
	atomic_store(at, value);
	syscall(SYS_futex, at, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool child_ended(pid_t pid, int *ret_status)
{
	pid_t got;

	do
		got = waitpid(pid, ret_status, WNOHANG);
	while (got < 0 && errno == EINTR);
	return got != 0; /* -ECHILD too: it is no more */
}

int futex_reach(_Atomic uint32_t *at, uint32_t value, uint64_t limit_ns, pid_t pid, int *ret_status)
{
	uint64_t end = now_mono_ns() + limit_ns, now;
	uint32_t is;

	while ((is = atomic_load(at)) < value) {
		now = now_mono_ns();
		if (now >= end)
			return -ETIMEDOUT;
		futex_wait(at, is, MIN(end - now, SLICE_NS));
		if (atomic_load(at) < value && pid && child_ended(pid, ret_status))
			return atomic_load(at) < value ? -ECHILD : 0;
	}
	return 0;
}

/* --- in a step -------------------------------------------------------------------------- */

int canary_refuse(struct canary *c, const char *call)
{
	int err = errno ? -errno : -EIO;

	if (!c->note->err) {
		c->note->err = err;
		snprintf(c->note->call, sizeof(c->note->call), "%s", call);
	}
	return err;
}

int canary_bytes(struct canary *c, int role, const char *call, ssize_t got, size_t want)
{
	if (got < 0)
		return canary_refuse(c, call);
	if ((size_t)got != want) {
		errno = EIO;
		return canary_refuse(c, call);
	}
	c->note->bytes[role] += (uint64_t)got;
	return 0;
}

int canary_about(struct canary *c, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return canary_refuse(c, "fstat");
	c->note->ino = st.st_ino;
	return 0;
}

int canary_taste(struct canary *c)
{
	char buf[101];

	return pread(c->file, buf, sizeof(buf), 0) == (ssize_t)sizeof(buf)
		   ? 0
		   : canary_refuse(c, "pread");
}

/* Alive, with all that it holds, until it is killed. */
static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

static _Noreturn void play(struct canary *c, int role, int (*part)(struct canary *c), pid_t parent)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	c->note->pid[role] = getpid();
	err = part(c);
	if (err && !c->note->err)
		c->note->err = err;
	futex_set(&c->note->ready[role], 1);
	stay();
}

int canary_start(struct canary *c, int role, int (*part)(struct canary *c))
{
	pid_t me = getpid(), pid = fork();

	if (pid < 0)
		return canary_refuse(c, "fork");
	if (pid == 0)
		play(c, role, part, me);
	c->note->pid[role] = pid;
	return 0;
}

int canary_wait(struct canary *c, int role)
{
	int status, err;

	err = futex_reach(&c->note->ready[role], 1, c->limit_ns, c->note->pid[role], &status);
	if (err) {
		errno = -err;
		return canary_refuse(c, "another process");
	}
	return c->note->err;
}

int canary_with(struct canary *c, int role, int (*part)(struct canary *c))
{
	int err = canary_start(c, role, part);

	return err ? err : canary_wait(c, role);
}

/* --- the keeper -------------------------------------------------------------------------- */

static void judge(struct canary_note *note, int waited, int status)
{
	if (waited == -ETIMEDOUT && !note->err) {
		note->err = -ETIMEDOUT;
		snprintf(note->call, sizeof(note->call), "its turn");
	} else if (waited == -ECHILD && !note->err) {
		note->err = -ECANCELED;
		snprintf(note->call, sizeof(note->call), "killed by signal %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	}
	atomic_store(&note->state, note->err ? CANARY_REFUSED : CANARY_DONE);
}

static void run_step(struct keeper *k, size_t i)
{
	struct canary_note *note = &k->shared->notes[i];
	uint64_t now = now_mono_ns();
	int status = 0, err;

	if (atomic_load(&note->state) == CANARY_SKIPPED || now >= k->end_ns)
		return;
	k->canary.note = note;
	k->canary.limit_ns = MIN(k->shared->step_ns, k->end_ns - now);
	atomic_store(&note->state, CANARY_RUNNING);
	err = canary_start(&k->canary, 0, k->steps[i].run);
	if (!err)
		err = futex_reach(&note->ready[0], 1, k->canary.limit_ns, note->pid[0], &status);
	judge(note, err, status);
}

static void run_steps(struct keeper *k, bool early)
{
	k->end_ns = now_mono_ns() + k->shared->total_ns;
	for (size_t i = 0; i < k->n; i++)
		if (k->steps[i].early == early)
			run_step(k, i);
}

/* Children of children come to the keeper when their parents end: it leaves after the last of them.
 */
static void end_all(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++)
		for (int role = 0; role < CANARY_ROLES; role++)
			if (k->shared->notes[i].pid[role] > 0)
				kill(k->shared->notes[i].pid[role], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Whatever the monitor has open would be marked as what a canary may pass bytes into. */
static void close_others(const int *keep, size_t n)
{
	int fd, most = 0, null;

	for (size_t i = 0; i < n; i++)
		most = MAX(most, keep[i]);
	for (fd = 0; fd <= most; fd++) {
		bool kept = false;

		for (size_t i = 0; i < n; i++)
			kept |= keep[i] == fd;
		if (!kept)
			close(fd);
	}
	if (syscall(SYS_close_range, most + 1, ~0U, 0))
		for (fd = most + 1; fd < (int)sysconf(_SC_OPEN_MAX) && fd < 65536; fd++)
			close(fd);
	do /* what is opened as 0 to 2 would be taken for more than it is */
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (null >= 0 && null < 2);
	if (null > 2)
		close(null);
}

static int fill_file(int in)
{
	char buf[4096];
	size_t left = CANARY_FILE_BYTES;
	_cleanup_close_ int fd = openat(in, "f", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	memset(buf, 'c', sizeof(buf));
	while (left) {
		ssize_t n = write(fd, buf, MIN(left, sizeof(buf)));

		if (n <= 0)
			return n ? -errno : -EIO;
		left -= (size_t)n;
	}
	return 0;
}

_Noreturn void keeper_run(struct keeper *k, pid_t monitor)
{
	struct shared *s = k->shared;
	struct rlimit core = {};
	int kept[] = {k->canary.in, k->canary.out};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "sluice-canary");
	setrlimit(RLIMIT_CORE, &core);
	if (getppid() != monitor)
		_exit(1);
	close_others(kept, ARRAY_SIZE(kept));
	s->err = fill_file(k->canary.in);
	k->canary.file = openat(k->canary.in, "f", O_RDONLY | O_CLOEXEC);
	if (!s->err && k->canary.file < 0)
		s->err = -errno;
	if (!s->err)
		run_steps(k, true);
	futex_set(&s->phase, PHASE_EARLY);
	while (atomic_load(&s->phase) < PHASE_GO)
		futex_wait(&s->phase, PHASE_EARLY, NSEC);
	if (!s->err && atomic_load(&s->phase) == PHASE_GO)
		run_steps(k, false);
	if (atomic_load(&s->phase) == PHASE_GO)
		futex_set(&s->phase, PHASE_DONE);
	while (atomic_load(&s->phase) < PHASE_END)
		futex_wait(&s->phase, PHASE_DONE, NSEC);
	end_all(k);
	_exit(0);
}
