/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which class an address belongs to, as the host, the policy and AWS's file change. */
#include "user/monitor_internal.h"

#include <malloc.h>
#include <string.h>
#include <sys/stat.h>

#include "user/cmd.h"

/* All zeros: it is not there. */
static struct file_state state_of(const char *file)
{
	struct stat st;

	if (stat(file, &st))
		return (struct file_state){0};
	return (struct file_state){st.st_dev, st.st_ino, (uint64_t)st.st_size, st.st_mtim, st.st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_state(const struct file_state *a, const struct file_state *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(&a->mtime, &b->mtime) &&
	       same_time(&a->ctime, &b->ctime);
}

/* The policy's ranges into *ret_fresh, if there are others than those in force. A file that went bad leaves in force
 * what was read of it before; one that was never good is an error. */
static int look_at_ranges(struct monitor *m, const char *file, struct aws_ranges **ret_fresh)
{
	const struct aws_ranges *known = m->ranges.known;
	bool same_file = known && !strcmp(known->source.file, file);
	struct file_state now = state_of(file); /* before it is read: a change meanwhile shows the next time */
	struct aws_ranges_error why;
	int err;

	if (same_file && same_state(&now, &m->ranges.seen))
		return 0;
	err = aws_ranges_load(file, ret_fresh, &why);
	malloc_trim(0); /* the document is ten times the size of what is kept of it */
	if (err)
		cmd_error("run", "%s", why.text);
	if (err && !same_file)
		return err;
	if (err)
		cmd_error("run", "the address ranges of %s stay in force", known->source.created);
	if (err != -ENOMEM)
		m->ranges.seen = now;
	return 0;
}

/* An interface more may be one of another block. */
static void note_local(struct monitor *m, const struct cidr *local, size_t n)
{
	uint64_t sum = n + 1;

	for (size_t i = 0; i < n * sizeof(*local); i++)
		sum = sum * 0x100000001b3ULL ^ ((const uint8_t *)local)[i];
	if (m->local_sum && sum != m->local_sum)
		vpc_poke(m->vpc);
	m->local_sum = sum;
}

static int build(struct monitor *m, const struct aws_ranges *ranges, struct classes **ret)
{
	_cleanup_free_ struct cidr *local = NULL, *blocks = NULL;
	struct config with;
	unsigned missed = 0;
	size_t n = 0;
	int err = classes_local(&local, &n, &missed);

	if (!err)
		err = monitor_vpc_config(m, &with, &blocks);
	if (err)
		return err;
	note_local(m, local, n);
	return classes_build(&with, ranges, local, n, ret);
}

/* The model lets go of the table before, and of the policy before. */
static int put_in_force(struct monitor *m, const struct aws_ranges *ranges)
{
	_cleanup_(classes_freep) struct classes *fresh = NULL;
	struct classes *old = m->classes;
	int err = build(m, ranges, &fresh);

	if (!err && m->model)
		err = model_policy(m->model, m->config, fresh);
	if (err)
		return err;
	m->classes = fresh;
	fresh = old;
	return 0;
}

static const char *ranges_file(const struct monitor *m)
{
	const char *named = config_ranges_file(m->config);

	return named ? named : monitor_ranges_file(m);
}

bool monitor_ranges_changed(const struct monitor *m)
{
	const char *file = ranges_file(m);
	struct file_state now = file ? state_of(file) : (struct file_state){0};

	return file && !same_state(&now, &m->ranges.seen);
}

int monitor_refresh_classes(struct monitor *m)
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *fresh = NULL;
	const char *named = config_ranges_file(m->config), *file = ranges_file(m);
	int err = file ? look_at_ranges(m, file, &fresh) : 0;

	if (err && !named) { /* nobody's mistake: it is fetched anew */
		file = NULL;
		err = 0;
	}
	if (!err)
		err = put_in_force(m, fresh ? fresh : file ? m->ranges.known : NULL);
	if (err && fresh)
		m->ranges.seen = (struct file_state){0}; /* to be read again */
	if (err)
		return err;
	if (fresh || !file) {
		struct aws_ranges *old = m->ranges.known;

		m->ranges.known = fresh;
		fresh = old;
	}
	m->local_ns = now_boot_ns();
	return 0;
}
