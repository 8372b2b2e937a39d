/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a monitor before this one knew to hold tagged bytes, into the kernel half and out of it. */
#include "user/collect_internal.h"

#include <bpf/bpf.h>

#include "user/map_call.h"
#include "user/subjects.h"

static int set_flag(struct collector *c, const char *name)
{
	uint32_t *flag = engine_variable(c->engine, name, sizeof(*flag));

	if (flag)
		*flag = 1;
	return flag ? 0 : -ENOENT;
}

/* A mask that the kernel half has put there meanwhile stays. */
static int add_object(struct collector *c, const struct object *what, uint64_t mask, uint64_t inode)
{
	int fd = engine_map_fd(c->engine, MAP_OBJECTS);
	struct object_taint t = {.since_ns = now_boot_ns()}, now;

	if (!map_lookup(fd, what, &now))
		t = now;
	t.mask |= mask;
	t.inode = t.inode ? t.inode : inode;
	return map_update(fd, what, &t, BPF_ANY) ? (errno == E2BIG ? -ENOSPC : -errno) : 0;
}

int collector_adopt_object(struct collector *c, const struct object *what, uint64_t mask, uint64_t inode,
			   const struct object_handle *handle)
{
	uint8_t *filter = engine_variable(c->engine, "derived_filter", 65536);
	int err = filter ? set_flag(c, "any_taint") : -ENOENT;

	if (!err)
		err = set_flag(c, "any_shared");
	if (!err)
		err = add_object(c, what, mask, inode);
	if (err)
		return err;
	filter[sl_filter_slot(what)] = 1;
	return object_names_adopted(c->names, what, handle);
}

int collector_adopt_subject(struct collector *c, const struct subject *who, uint64_t mask, uint64_t since_ns)
{
	int fd = engine_map_fd(c->engine, MAP_CARRIERS);
	struct subject key = {.start_ns = who->start_ns, .tgid = who->tgid};
	struct carrier val = {.mask = mask, .since_ns = since_ns, .exec = who->exec}, had;

	if (subjects_verify(who))
		return -ESRCH;
	if (!map_lookup(fd, &key, &had)) {
		val.mask |= had.mask;
		val.since_ns = MIN(val.since_ns, had.since_ns);
	}
	c->carriers = true;
	return map_update(fd, &key, &val, BPF_ANY) ? (errno == E2BIG ? -ENOSPC : -errno) : 0;
}

int collect_carriers(struct collector *c)
{
	int fd = engine_map_fd(c->engine, MAP_CARRIERS), err;
	struct subject key;

	if (!c->carriers)
		return 0;
	err = engine_iterate(c->engine, ITER_CARRIERS, 0, NULL, NULL);
	while (!bpf_map_get_next_key(fd, NULL, &key) && !map_delete(fd, &key))
		;
	c->carriers = false;
	return err;
}

void collector_known_object(const struct collector *c, const struct object *what, struct object_handle *ret_handle,
			    uint64_t *ret_inode)
{
	struct object_taint t;

	object_names_handle(c->names, what, ret_handle);
	*ret_inode = map_lookup(engine_map_fd(c->engine, MAP_OBJECTS), what, &t) ? 0 : t.inode;
}
