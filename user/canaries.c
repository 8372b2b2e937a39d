/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The monitor's side of its canaries: their directories, their beginning and their end. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "user/canary_internal.h"

#define PREFIX ".sluice-canary-"
#define LEFT_BEHIND 60 /* seconds; no self-test takes so long */

struct canaries {
	struct shared *shared;
	const struct canary_step *steps;
	size_t n;
	char dir[PATH_MAX];
	int dir_fd, in, out, root, notes;
	uint64_t pace_ns;
	pid_t keeper; /* 0: ended */
};

static int make_directories(struct canaries *cs, const char *place)
{
	if (snprintf(cs->dir, sizeof(cs->dir), "%s/" PREFIX "XXXXXX", place) >=
	    (int)sizeof(cs->dir))
		return -ENAMETOOLONG;
	if (!mkdtemp(cs->dir)) {
		cs->dir[0] = '\0';
		return -errno;
	}
	cs->dir_fd = open(cs->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cs->dir_fd < 0 || mkdirat(cs->dir_fd, "in", 0700) || mkdirat(cs->dir_fd, "out", 0700))
		return -errno;
	cs->in = openat(cs->dir_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cs->out = openat(cs->dir_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cs->root = openat(cs->dir_fd, "in", O_PATH | O_CLOEXEC);
	if (cs->in < 0 || cs->out < 0 || cs->root < 0)
		return -errno;
	_cleanup_close_ int unread = openat(cs->in, CANARY_UNREAD, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return unread < 0 || ftruncate(unread, 2011) ? -errno : 0;
}

static void empty_directory(int dir)
{
	static const char *const names[] = {"f",      "direct", "copy",	   "clone",    "renamed",
					    "linked", CANARY_UNREAD, "derived", "derivedv", "fifo"};

	for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(names); i++)
		unlinkat(dir, names[i], 0);
}

static void closed(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void remove_directories(struct canaries *cs)
{
	empty_directory(cs->in);
	empty_directory(cs->out);
	if (cs->dir_fd >= 0) {
		unlinkat(cs->dir_fd, "in", AT_REMOVEDIR);
		unlinkat(cs->dir_fd, "out", AT_REMOVEDIR);
	}
	if (cs->dir[0])
		rmdir(cs->dir);
	cs->dir[0] = '\0';
	closed(&cs->in);
	closed(&cs->out);
	closed(&cs->root);
	closed(&cs->dir_fd);
}

/* What a monitor left that was killed during its self-test. Only what is one's own, and old:
 * another may be starting now. */
static void sweep_one(int place, const char *name)
{
	struct canaries old = {.in = -1, .out = -1, .root = -1};
	struct stat st;

	old.dir_fd = openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (old.dir_fd < 0)
		return;
	if (!fstat(old.dir_fd, &st) && st.st_uid == geteuid() &&
	    st.st_mtime + LEFT_BEHIND < time(NULL)) {
		old.in = openat(old.dir_fd, "in", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		old.out =
		    openat(old.dir_fd, "out", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		remove_directories(&old);
		unlinkat(place, name, AT_REMOVEDIR);
	}
	closed(&old.dir_fd);
}

static void sweep(const char *place)
{
	DIR *dir = opendir(place);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, PREFIX, strlen(PREFIX)))
			sweep_one(dirfd(dir), d->d_name);
	if (dir)
		closedir(dir);
}

static int make_somewhere(struct canaries *cs, const char *const *places)
{
	int err = -ENOENT;

	for (; *places && err; places++) {
		sweep(*places);
		err = make_directories(cs, *places);
		if (err)
			remove_directories(cs);
	}
	return err;
}

static int start_keeper(struct canaries *cs, uint64_t prepare_ns)
{
	struct keeper k = {.shared = cs->shared,
			   .steps = cs->steps,
			   .n = cs->n,
			   .canary = {.in = cs->in, .out = cs->out}};
	uint64_t began = now_mono_ns();
	pid_t me = getpid();
	int status, err;

	cs->shared->step_ns = cs->shared->total_ns = prepare_ns;
	cs->keeper = fork();
	if (cs->keeper < 0) {
		cs->keeper = 0;
		return -errno;
	}
	if (cs->keeper == 0)
		keeper_run(&k, me);
	err = futex_reach(&cs->shared->phase, PHASE_EARLY, prepare_ns, cs->keeper, &status);
	if (err == -ECHILD)
		cs->keeper = 0;
	cs->pace_ns = now_mono_ns() - began;
	return err ? err : cs->shared->err;
}

static int map_notes(struct canaries *cs)
{
	int err;

	cs->notes = memfd_create("sluice-notes", MFD_CLOEXEC);
	if (cs->notes < 0)
		return -errno;
	cs->shared = MAP_FAILED;
	if (!ftruncate(cs->notes, sizeof(*cs->shared)))
		cs->shared = mmap(NULL, sizeof(*cs->shared), PROT_READ | PROT_WRITE, MAP_SHARED, cs->notes, 0);
	if (cs->shared != MAP_FAILED)
		return 0;
	err = -errno;
	close(cs->notes);
	return err;
}

int canaries_start(const char *const *places, const struct canary_step *steps, size_t n,
		   const bool *wanted, uint64_t prepare_ns, struct canaries **ret)
{
	struct canaries *cs = calloc(1, sizeof(*cs));
	int err;

	if (!cs || n > CANARY_STEPS_MAX) {
		free(cs);
		return -ENOMEM;
	}
	cs->dir_fd = cs->in = cs->out = cs->root = -1;
	cs->steps = steps;
	cs->n = n;
	err = map_notes(cs);
	if (err) {
		free(cs);
		return err;
	}
	for (size_t i = 0; i < n; i++)
		if (!wanted[i])
			atomic_store(&cs->shared->notes[i].state, CANARY_SKIPPED);
	err = make_somewhere(cs, places);
	if (!err)
		err = start_keeper(cs, prepare_ns);
	if (err) {
		canaries_free(cs);
		return err;
	}
	*ret = cs;
	return 0;
}

int canaries_go(struct canaries *cs, uint64_t step_ns, uint64_t total_ns)
{
	int status, err;

	cs->shared->step_ns = step_ns;
	cs->shared->total_ns = total_ns;
	futex_set(&cs->shared->phase, PHASE_GO);
	/* a step that was begun in time may use its own time up */
	err = futex_reach(&cs->shared->phase, PHASE_DONE, total_ns + step_ns, cs->keeper, &status);
	if (err == -ECHILD)
		cs->keeper = 0;
	return err;
}

int canaries_end(struct canaries *cs, uint64_t limit_ns)
{
	uint64_t end = now_mono_ns() + limit_ns;
	int status;

	if (!cs->keeper)
		return 0;
	futex_set(&cs->shared->phase, PHASE_END);
	while (!child_ended(cs->keeper, &status)) {
		if (now_mono_ns() >= end)
			return -ETIMEDOUT;
		usleep(500);
	}
	cs->keeper = 0;
	return 0;
}

struct canaries *canaries_free(struct canaries *cs)
{
	if (!cs)
		return NULL;
	if (cs->keeper) {
		kill(cs->keeper, SIGKILL); /* the others have asked to be killed with it */
		canaries_end(cs, NSEC);
	}
	remove_directories(cs);
	munmap(cs->shared, sizeof(*cs->shared));
	close(cs->notes);
	free(cs);
	return NULL;
}

const struct canary_note *canaries_note(const struct canaries *cs, size_t step)
{
	return &cs->shared->notes[step];
}

int canaries_root(const struct canaries *cs)
{
	return cs->root;
}

int canaries_notes_fd(const struct canaries *cs)
{
	return cs->notes;
}

uint64_t canaries_pace(const struct canaries *cs)
{
	return cs->pace_ns;
}

bool canaries_own(const struct canaries *cs, uint32_t pid)
{
	for (size_t i = 0; i < cs->n; i++)
		for (int role = 0; role < CANARY_ROLES; role++)
			if (pid && (uint32_t)cs->shared->notes[i].pid[role] == pid)
				return true;
	return pid && (pid_t)pid == cs->keeper;
}
