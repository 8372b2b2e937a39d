/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Another agent that polls BPF maps: nothing but bpf() calls on a map with large values, until it is killed. With --guarded it
 * makes them as the monitor does, whose own code that is: all that is ours here, for it is what is under test.
 */
#include "tests/work/work.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#include "user/map_call.c"

#define VALUE 32768 /* what a processor's part of a map may have at most */
#define ENTRIES 4
#define PROCESSORS_MAX 256

static int call(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return call(BPF_MAP_LOOKUP_ELEM, &attr);
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return call(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = flags};

	return call(BPF_MAP_UPDATE_ELEM, &attr);
}

int bpf_map_delete_elem(int fd, const void *key)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key};

	return call(BPF_MAP_DELETE_ELEM, &attr);
}

static int make_map(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4, .value_size = VALUE, .max_entries = ENTRIES};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		quit(EXIT_UNSUPPORTED, "a map of large values: %s", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	int fd = make_map();
	char *value = must_alloc((size_t)VALUE * PROCESSORS_MAX);

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--guarded")))
		misuse("usage: mapper [--guarded]");
	if (sysconf(_SC_NPROCESSORS_CONF) > PROCESSORS_MAX)
		quit(EXIT_UNSUPPORTED, "more than %d processors", PROCESSORS_MAX);
	map_call_guard(argc == 2);
	puts("ready");
	fflush(stdout);
	for (uint32_t key = 0;; key = (key + 1) % ENTRIES)
		if (map_lookup(fd, &key, value))
			die("a look into the map");
}
