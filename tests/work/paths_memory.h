/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One process reads FILE; another looks into its memory, is written into by it, or reads its core dump, and sends. */
#ifndef TESTS_WORK_PATHS_MEMORY_H
#define TESTS_WORK_PATHS_MEMORY_H

#include "tests/work/paths_relay.h"

#include <sys/ptrace.h>

/* --- by looking into the other's memory --------------------------------------------------------- */

static pid_t victim;

static int victim_part(void)
{
	int r = read_file();

	me.put = me.tally.bytes;
	if (r == 0)
		hold_still();
	return r;
}

static int peek_by(part_fn way)
{
	int r;

	victim = part("source", victim_part);
	r = part_holds(victim);
	if (r < 0)
		return r;
	r = part_run("sender", way);
	return both(r, part_goes_on(victim));
}

/* The buffer was there before the fork: it has the same address in both. */
static int peek_readv(void)
{
	struct iovec here = {me.buffer, PASS}, there = {me.buffer, PASS};
	ssize_t n = process_vm_readv(victim, &here, 1, &there, 1, 0);

	if (n < 0)
		return errno == ENOSYS || errno == EPERM ? no_path("process_vm_readv") : -errno;
	me.got = (uint64_t)n;
	return send_out();
}

static int do_peek_readv(void)
{
	return peek_by(peek_readv);
}

static int peek_mem(void)
{
	char name[64];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", victim);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, me.buffer, PASS, (off_t)(uintptr_t)me.buffer);
	if (n < 0)
		return no_path("/proc/PID/mem");
	me.got = (uint64_t)n;
	return send_out();
}

static int do_peek_mem(void)
{
	return peek_by(peek_mem);
}

static int peek_ptrace(void)
{
	if (ptrace(PTRACE_SEIZE, victim, NULL, NULL) < 0)
		return no_path("ptrace");
	if (ptrace(PTRACE_INTERRUPT, victim, NULL, NULL) < 0 || waitpid(victim, NULL, __WALL) < 0)
		return -errno;
	for (size_t i = 0; i < 1009; i++) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, victim, me.buffer + i * sizeof(word), NULL);
		if (errno)
			return -errno;
		memcpy(me.buffer + i * sizeof(word), &word, sizeof(word));
		me.got += sizeof(word);
	}
	ptrace(PTRACE_DETACH, victim, NULL, NULL);
	return send_out();
}

static int do_peek_ptrace(void)
{
	return peek_by(peek_ptrace);
}

/* The other way round: a clean process is written into, and sends. */
static int poke_target(void)
{
	hold_still();
	me.got = PASS;
	return send_out();
}

static int poke_source(void)
{
	struct iovec here = {me.buffer, PASS}, there = {me.buffer, PASS};
	ssize_t n;
	int r = read_file();

	if (r < 0)
		return r;
	n = process_vm_writev(victim, &here, 1, &there, 1, 0);
	if (n < 0)
		return errno == ENOSYS || errno == EPERM ? no_path("process_vm_writev") : -errno;
	me.put = (uint64_t)n;
	return 0;
}

static int do_poke_writev(void)
{
	int r;

	victim = part("sender", poke_target);
	r = part_holds(victim);
	if (r < 0)
		return r;
	r = part_run("source", poke_source);
	return both(r, part_goes_on(victim));
}

/* --- by a core dump: the fourth argument is a folder ------------------------------------------------ */

static int core_source(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int r = read_file();

	if (r < 0)
		return r;
	me.put = me.tally.bytes;
	tell("source", 0);
	if (chdir(me.arg[3]) < 0 || setrlimit(RLIMIT_CORE, &unlimited) < 0)
		return -errno;
	prctl(PR_SET_DUMPABLE, 1);
	signal(SIGQUIT, SIG_DFL);
	raise(SIGQUIT);
	return -EIO;
}

static int core_sender(void)
{
	struct paths found = {0};
	int fd = -1;

	for (int r = paths_below(&found, me.arg[3]); r == 0 && fd < 0 && found.count;)
		fd = open(found.name[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		errno = ENOENT;
		return no_path("core_pattern names another place");
	}
	return pass_on_from(fd);
}

static int do_core(void)
{
	part_run("dumped", core_source); /* it dies of a signal */
	return part_run("sender", core_sender);
}

#endif
