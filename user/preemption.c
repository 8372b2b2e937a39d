/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/preemption.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "user/object.h"
#include "user/util.h"

enum { NOT_FOUND, PREEMPTION_OFF, PREEMPTION_ON };

static void bpf_object_closep(struct bpf_object **obj)
{
	bpf_object__close(*obj);
}

static struct bpf_program *only_program(struct bpf_object *obj)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, "find_preemption");
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
		if (!bpf_map__is_internal(map))
			bpf_map__set_autocreate(map, false);
	if (prog)
		bpf_program__set_autoload(prog, true);
	return prog;
}

static int ask(struct bpf_object *obj, struct bpf_program *prog, uint32_t *ret)
{
	struct object_memory memory = {};
	struct bpf_link *link = bpf_program__attach(prog);
	uint32_t *asked, *found;
	int err = link ? object_map(obj, &memory) : -errno;

	if (!err) {
		asked = object_live(&memory, "preemption_asked", sizeof(*asked));
		found = object_live(&memory, "preemption_found", sizeof(*found));
		err = asked && found ? 0 : -ENOENT;
	}
	if (!err) {
		__atomic_store_n(asked, (uint32_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
		syscall(SYS_getppid);
		*ret = __atomic_load_n(found, __ATOMIC_SEQ_CST);
	}
	object_unmap(&memory);
	bpf_link__destroy(link);
	return err;
}

int preemption_find(bool *ret)
{
	_cleanup_(bpf_object_closep) struct bpf_object *obj = object_open(false);
	struct bpf_program *prog = obj ? only_program(obj) : NULL;
	uint32_t found = NOT_FOUND;
	int err;

	if (!prog)
		return obj ? -ENOENT : -errno;
	err = bpf_object__load(obj);
	if (!err)
		err = ask(obj, prog, &found);
	if (err)
		return err;
	*ret = found == PREEMPTION_ON;
	return 0;
}

bool preemption_told(const char *modes, const char *version)
{
	if (modes && strchr(modes, '('))
		return strstr(modes, "(full)") || strstr(modes, "(lazy)");
	/* PREEMPT_DYNAMIC alone begins as voluntary where distributions build it; the others always preempt */
	return strstr(version, " PREEMPT ") || strstr(version, " PREEMPT_RT") || strstr(version, " PREEMPT_LAZY");
}

/* Mounted nowhere by need, as in tracefs.c. */
static int debugfs_open(void)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "debugfs", 1 /* FSOPEN_CLOEXEC */);

	if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		return -errno;
	int fd = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	return fd < 0 ? -errno : fd;
}

bool preemption_of_kernel(void)
{
	_cleanup_close_ int dir = debugfs_open();
	_cleanup_close_ int fd = dir < 0 ? -1 : openat(dir, "sched/preempt", O_RDONLY | O_CLOEXEC);
	struct utsname name = {};
	char modes[64] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, modes, sizeof(modes) - 1);

	uname(&name);
	return preemption_told(n > 0 ? modes : NULL, name.version);
}
