/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the parts of bench.c share. */
#ifndef TESTS_WORK_BENCH_H
#define TESTS_WORK_BENCH_H

#include "tests/work/work.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define HELPERS 8

/* The run under way. A workload's step does a batch of operations and adds to ops and bytes. */
static struct {
	double seconds;
	const char *dir, *peer;
	uint64_t deadline, ops, bytes;
	pid_t helper[HELPERS]; /* the other side, or workers; their CPU is reported apart */
	unsigned int helpers;
	uint64_t random;
} run = {.seconds = 0.5, .random = 88172645463325252u};

static inline uint64_t dice(void)
{
	run.random ^= run.random << 13;
	run.random ^= run.random >> 7;
	run.random ^= run.random << 17;
	return run.random;
}

static inline ssize_t must(ssize_t r, const char *what)
{
	if (r < 0)
		die(what);
	return r;
}

/* Forks a helper that dies with us. True in the child. */
static inline bool helper_start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (pid) {
		run.helper[run.helpers++] = pid;
		return false;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	run.helpers = 0;
	run.random ^= (uint64_t)getpid() << 32;
	return true;
}

static inline uint64_t helpers_cpu_ns(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < run.helpers; i++) {
		clockid_t clock;

		if (clock_getcpuclockid(run.helper[i], &clock) == 0)
			sum += clock_ns(clock);
	}
	return sum;
}

static inline void helpers_end(void)
{
	for (unsigned int i = 0; i < run.helpers; i++)
		kill(run.helper[i], SIGKILL);
	for (unsigned int i = 0; i < run.helpers; i++)
		waitpid(run.helper[i], NULL, 0);
	run.helpers = 0;
}

#endif
