/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/attach.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>

#include "user/load.h"
#include "user/map_call.h"
#include "user/object.h"

struct engine {
	struct bpf_object *obj;
	struct object_memory memory;
	uint64_t *interval_ns, *dump_since_ns; /* in that memory */
	uint32_t *policy_epoch, *any_shared;
	struct object *spared;
	struct file_identity *identified; /* two: see engine_identify_aside() */
	struct hook_links links[HOOK_KINDS];
	int cgroup_fd;
	pthread_mutex_t identifying[2]; /* an answer is one variable */
};

static const char *const map_names[] = {
	[MAP_LEDGER] = "ledger",	   [MAP_OVERFLOW] = "overflow",
	[MAP_TAINTED] = "tainted",	   [MAP_OBJECTS] = "objects",
	[MAP_EDGES] = "edges",		   [MAP_FLOWS] = "flows",
	[MAP_FLOW_TAINTS] = "flow_taints", [MAP_SOCKS] = "socks",
	[MAP_ROOTS] = "roots",		   [MAP_LOSSES] = "losses",
	[MAP_FLOW_OVERFLOW] = "flow_overflow", [MAP_EVENTS] = "events",
	[MAP_BLOCK_DEVICES] = "block_devices", [MAP_CHAR_DEVICES] = "char_devices",
	[MAP_CHANNELS] = "channels",	   [MAP_CONNECTIONS] = "connections",
	[MAP_NET_DEVICES] = "net_devices", [MAP_UNIX_ENDS] = "unix_ends",
	[MAP_LINKS] = "links",		   [MAP_INLETS] = "inlets",
	[MAP_READS] = "reads",		   [MAP_MEMBERS] = "members",
	[MAP_CARRIERS] = "carriers",	   [MAP_SAID] = "said",
};

static const enum hook iter_hook[] = {
	[ITER_FILES] = HOOK_find_files,	    [ITER_MAPPINGS] = HOOK_find_mappings,
	[ITER_FLOWS] = HOOK_sweep_flows,    [ITER_LEDGER] = HOOK_dump_ledger,
	[ITER_EDGES] = HOOK_dump_edges,	    [ITER_TAINTED] = HOOK_dump_tainted,
	[ITER_FLOW_TAINTS] = HOOK_dump_flow_taints, [ITER_DEAD_PIPES] = HOOK_find_dead_pipes,
	[ITER_LINKS] = HOOK_dump_links,
	[ITER_CARRIERS] = HOOK_find_carriers, [ITER_SHARED] = HOOK_share_again,   [ITER_SHARERS] = HOOK_share_look,
};

static struct bpf_map *map_of(const struct bpf_object *obj, enum engine_map m)
{
	return bpf_object__find_map_by_name(obj, map_names[m]);
}

struct engine *engine_close(struct engine *e)
{
	if (!e)
		return NULL;
	for (int h = 0; h < HOOK_KINDS; h++)
		load_detach(&e->links[h]);
	object_unmap(&e->memory);
	bpf_object__close(e->obj);
	if (e->cgroup_fd >= 0)
		close(e->cgroup_fd);
	free(e);
	return NULL;
}

/* Overflow account 0 must exist before it is needed: nothing can be added to a full map. */
static int make_last_resort(struct engine *e)
{
	struct overflow_val none = {};
	struct overflow_key key = {};

	for (unsigned d = 0; d < SL_DATASETS_MAX; d++) {
		for (unsigned k = 1; k < ACCESS_KINDS; k++) {
			key.dataset = (uint16_t)d;
			key.kind = (uint16_t)k;
			if (map_update(engine_map_fd(e, MAP_OVERFLOW), &key, &none, BPF_ANY))
				return -errno;
		}
	}
	return 0;
}

/* The variables that are read and written while the programs run. */
static int find_variables(struct engine *e)
{
	int err = object_map(e->obj, &e->memory);

	if (err)
		return err;
	e->interval_ns = object_live(&e->memory, "interval_ns", sizeof(*e->interval_ns));
	e->dump_since_ns = object_live(&e->memory, "dump_since_ns", sizeof(*e->dump_since_ns));
	e->policy_epoch = object_live(&e->memory, "policy_epoch", sizeof(*e->policy_epoch));
	e->identified = object_live(&e->memory, "identified", 2 * sizeof(*e->identified));
	e->any_shared = object_live(&e->memory, "any_shared", sizeof(*e->any_shared));
	e->spared = object_live(&e->memory, "spared", sizeof(*e->spared));
	return e->interval_ns && e->dump_since_ns && e->policy_epoch && e->identified && e->any_shared && e->spared
		       ? 0
		       : -ENOENT;
}

static int attach_all(struct engine *e, const struct plan *plan, int *ret_bad)
{
	for (int h = 0; h < HOOK_KINDS; h++) {
		int err = plan->on[h] ? load_attach(e->obj, (enum hook)h, e->cgroup_fd, &e->links[h]) : 0;

		*ret_bad = h;
		if (err)
			return err;
	}
	*ret_bad = -1;
	return 0;
}

int engine_open(const struct plan *plan, struct engine **ret, int *ret_bad)
{
	_cleanup_(engine_closep) struct engine *e = calloc(1, sizeof(*e));
	int err;

	*ret_bad = -1;
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(e->identifying); i++)
		pthread_mutex_init(&e->identifying[i], NULL);
	e->cgroup_fd = cgroup2_open(plan->cgroup2);
	e->obj = object_open(!plan->have_loop);
	if (!e->obj)
		return -errno;
	map_call_guard(plan->preempted);
	load_limit_maps(e->obj);
	err = load_programs(e->obj, plan, ret_bad);
	if (!err)
		err = find_variables(e);
	if (!err)
		err = make_last_resort(e);
	if (!err)
		err = attach_all(e, plan, ret_bad);
	if (err)
		return err;
	*ret = e;
	e = NULL;
	return 0;
}

int engine_map_fd(const struct engine *e, enum engine_map m)
{
	return bpf_map__fd(map_of(e->obj, m));
}

const char *engine_map_name(enum engine_map m)
{
	return map_names[m];
}

uint32_t engine_map_max(const struct engine *e, enum engine_map m)
{
	return bpf_map__max_entries(map_of(e->obj, m));
}

int engine_map_named(const struct engine *e, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(e->obj, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

int engine_count(const struct engine *e, enum hook h, struct program_count *ret)
{
	const struct bpf_program *prog = load_program(e->obj, h);
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (!prog || bpf_program__fd(prog) < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return -errno;
	ret->runs = info.run_cnt;
	ret->misses = info.recursion_misses;
	ret->misses_known = len >= offsetof(struct bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses);
	return 0;
}

void engine_untaint(struct engine *e)
{
	uint32_t *any = object_live(&e->memory, "any_taint", sizeof(*any));
	uint8_t *derived = object_live(&e->memory, "derived_filter", 65536);

	if (any)
		__atomic_store_n(any, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(e->any_shared, 0, __ATOMIC_SEQ_CST);
	if (derived)
		memset(derived, 0, 65536);
}

/* Of an entry beside its key and value, both rounded up: struct htab_elem, kernel/bpf/hashtab.c. */
#define ELEMENT_BYTES (48 + 7)

static uint64_t memlock_of(int fd)
{
	char path[64], line[128];
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %lu", &bytes) == 1)
			break;
	return bytes;
}

uint64_t engine_map_bytes(const struct engine *e)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, e->obj) {
		sum += memlock_of(bpf_map__fd(map));
		if (bpf_map__map_flags(map) & BPF_F_NO_PREALLOC)
			sum += (uint64_t)bpf_map__max_entries(map) *
			       (ELEMENT_BYTES + bpf_map__key_size(map) + bpf_map__value_size(map));
	}
	return sum;
}

static int identify(struct engine *e, int fd, unsigned slot, struct file_identity *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint64_t args[2] = {(uint64_t)fd, slot};
	int err = 0;

	opts.ctx_in = args;
	opts.ctx_size_in = sizeof(args);
	pthread_mutex_lock(&e->identifying[slot]);
	if (bpf_prog_test_run_opts(bpf_program__fd(load_program(e->obj, HOOK_identify_fd)), &opts))
		err = -errno;
	else if (!e->identified[slot].found)
		err = -ENOENT;
	else
		*ret = e->identified[slot];
	pthread_mutex_unlock(&e->identifying[slot]);
	return err;
}

int engine_identify(struct engine *e, int fd, struct file_identity *ret)
{
	return identify(e, fd, 0, ret);
}

int engine_identify_aside(struct engine *e, int fd, struct file_identity *ret)
{
	return identify(e, fd, 1, ret);
}

int engine_spare(struct engine *e, int fd)
{
	struct file_identity id = {};
	int err = fd < 0 ? 0 : engine_identify(e, fd, &id);

	if (!err)
		*e->spared = id.obj;
	return err;
}

bool engine_shares(const struct engine *e)
{
	return __atomic_load_n(e->any_shared, __ATOMIC_RELAXED);
}

int engine_iterate(struct engine *e, enum engine_iter it, size_t size, int (*each)(void *arg, const void *record),
		   void *arg)
{
	const struct bpf_link *link = e->links[iter_hook[it]].at[0];
	char buf[65536];
	size_t have = 0;
	int err = 0;

	if (!link)
		return -EOPNOTSUPP;
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, buf + have, sizeof(buf) - have);
		size_t at = 0;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return have ? -EIO : 0;
		have += (size_t)n;
		for (; size && have - at >= size && !err; at += size)
			err = each(arg, buf + at);
		if (err)
			return err;
		memmove(buf, buf + at, have - at);
		have -= at;
		if (!size)
			have = 0;
	}
}

void engine_interval(struct engine *e, uint64_t boot_ns)
{
	*e->interval_ns = boot_ns;
}

void *engine_variable(const struct engine *e, const char *name, size_t size)
{
	return object_live(&e->memory, name, size);
}

void engine_dump_since(struct engine *e, uint64_t since_ns)
{
	*e->dump_since_ns = since_ns;
}

void engine_policy_changed(struct engine *e)
{
	__atomic_add_fetch(e->policy_epoch, 1, __ATOMIC_SEQ_CST);
}

int cgroup2_open(const char *mounted)
{
	if (mounted[0]) {
		int fd = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "cgroup2", 1 /* FSOPEN_CLOEXEC */);
	if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		return -errno;
	int fd = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	return fd < 0 ? -errno : fd;
}
