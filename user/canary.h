/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Canaries: processes of our own that walk the data paths one by one, each with figures that
 * nothing else has. What they did is told in memory they share with the monitor, so that telling it
 * is no data path itself. Nothing here knows of the kernel half; selftest.h holds what was done
 * against what was seen.
 */
#ifndef SLUICE_CANARY_H
#define SLUICE_CANARY_H

#include <stdatomic.h>
#include <sys/types.h>

#include "user/util.h"

#define CANARY_ROLES 3 /* processes of one step; the first is the one that the step begins in */
#define CANARY_STEPS_MAX 64
#define CANARY_FILE_BYTES 65537 /* of the file that the steps read: a prime */
#define CANARY_MAPPED_BYTES 4099

enum canary_state {
	CANARY_NOT_REACHED, /* the time was over before its turn */
	CANARY_SKIPPED,	    /* nobody wants to know */
	CANARY_RUNNING,
	CANARY_DONE,
	CANARY_REFUSED, /* the path can't be walked here: `call` and `err` say why */
};

/* What one step did. Written by its processes, read by the monitor when the state is final. */
struct canary_note {
	_Atomic uint32_t state;		      /* enum canary_state; a futex */
	_Atomic uint32_t ready[CANARY_ROLES]; /* 1: this role has done its part; futexes */
	int32_t err;
	char call[32];
	pid_t pid[CANARY_ROLES];      /* 0: no such role */
	uint64_t bytes[CANARY_ROLES]; /* as the system call returned them */
	uint64_t ino;		      /* the inode that the step is about */
	bool datagrams;		      /* the ports are of those, not of a connection */
	uint16_t port, peer_port;     /* of its connection, or of its datagrams: client, server */
};

/* In a step: where it is and what it has. */
struct canary {
	struct canary_note *note;
	int in, out;	   /* directories: registered as a dataset, and not */
	int file;	   /* CANARY_FILE_BYTES bytes, in the dataset, for reading */
	uint64_t limit_ns; /* the longest wait for another role */
};

struct canary_step {
	const char *name;
	int (*run)(struct canary *c); /* 0; a negative errno after canary_refuse() */
	bool early;		      /* before the directory is registered */
};

/* What the monitor and its canaries share. */
struct canaries;

/* Makes the directories in the first of `places` that takes them, and starts the process that runs
 * the steps of which wanted[] is true; the early ones at once, the others after canaries_go(). Its
 * processes stay alive, with all they hold open, until canaries_end(). `prepare_ns` bounds this
 * call. Negative errno. */
int canaries_start(const char *const *places, const struct canary_step *steps, size_t n,
		   const bool *wanted, uint64_t prepare_ns, struct canaries **ret);

/* Lets the steps go on, and waits until all are done or `total_ns` are over; no step is given more
 * than `step_ns`. -ETIMEDOUT: some were not reached. -ECHILD: the processes were killed from
 * outside. */
int canaries_go(struct canaries *cs, uint64_t step_ns, uint64_t total_ns);

/* Ends all its processes and waits for that; at most `limit_ns`. -ETIMEDOUT: one could not be
 * ended. */
int canaries_end(struct canaries *cs, uint64_t limit_ns);

/* Ends what runs and removes the directories. NULL is accepted; returns NULL. */
struct canaries *canaries_free(struct canaries *cs);

const struct canary_note *canaries_note(const struct canaries *cs, size_t step);
/* In the dataset's directory, a file that nobody has read. */
#define CANARY_UNREAD "moved"

/* The dataset's directory: an O_PATH descriptor of the monitor, owned by `cs`. */
int canaries_root(const struct canaries *cs);
/* The memory that the notes lie in: what is shared by it is no data path. Owned by `cs`. */
int canaries_notes_fd(const struct canaries *cs);
/* How long the preparation and the early steps took, nanoseconds: how fast this machine is. */
uint64_t canaries_pace(const struct canaries *cs);
/* Did a canary run as this process? */
bool canaries_own(const struct canaries *cs, uint32_t pid);

/* --- for steps ------------------------------------------------------------------------ */

/* Notes which call can't be made here; returns -errno. */
int canary_refuse(struct canary *c, const char *call);

/* Runs `part` as another process, in this role (1 or 2), and waits until it is ready. Whatever
 * `part` returns is what this returns. */
int canary_with(struct canary *c, int role, int (*part)(struct canary *c));

/* The same without waiting, and the waiting. */
int canary_start(struct canary *c, int role, int (*part)(struct canary *c));
int canary_wait(struct canary *c, int role);

/* Reads and drops up to n bytes of the dataset's file: after that the caller may hold tagged bytes.
 */
int canary_taste(struct canary *c);

/* 0 if `got` is what was wanted, which is noted for the role; else refused by `call`. */
int canary_bytes(struct canary *c, int role, const char *call, ssize_t got, size_t want);

#define CANARY_NOWHERE 0x7f560101u /* 127.86.1.1 */

/* Notes which inode the step is about. */
int canary_about(struct canary *c, int fd);

#endif
