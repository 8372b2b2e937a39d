/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What goes over from one monitor to the next; see carry.h. Without it the monitor works as well, but begins anew. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"

#define RETRY_NS (60 * NSEC) /* how often files of an earlier boot are looked for */

bool monitor_is_passing(void)
{
	return getenv("SLUICE_NO_STATE");
}

void monitor_open_carry(struct monitor *m)
{
	const char *dir = monitor_is_passing() ? NULL : m->config->state;
	int err = dir ? carry_open(dir, m->options.socket, &m->carry) : 0;

	if (err)
		cmd_error("run", "%s: %s: what holds tagged data will not be known after a restart", dir,
			  err == -EPERM ? "others than root can write there" : strerror(-err));
}

static void say_restored(const struct carry_told *told)
{
	if (told->damaged)
		cmd_error("run", "%s: what stood there, or behind it, is not known any more", told->why);
	if (told->processes || told->objects)
		cmd_error("run", "taken up from the monitor before: %zu process%s and %zu file%s or pipe%s that may hold tagged data",
			  told->processes, told->processes == 1 ? "" : "es", told->objects, told->objects == 1 ? "" : "s",
			  told->objects == 1 ? "" : "s");
	if (told->forgotten)
		cmd_error("run", "%u that held tagged data are of datasets that are not in the configuration, or are gone: forgotten",
			  told->forgotten);
	if (told->pending)
		cmd_error("run", "%u files of an earlier boot can't be found yet; they are known again when their file system is there",
			  told->pending);
}

int monitor_restore(struct monitor *m)
{
	struct carry_told told;
	int err = m->carry ? carry_restore(m->carry, m->engine, m->model, m->collector, now_boot_ns(), &told) : 0;

	if (m->carry && !err)
		say_restored(&told);
	return err;
}

void monitor_carry(struct monitor *m, uint64_t now, bool final)
{
	int err = m->carry && (final || carry_due(m->carry, m->model, now))
		      ? carry_save(m->carry, m->model, m->collector, now, final)
		      : 0;

	if (err && err != m->carry_err)
		cmd_error("run", "%s: what holds tagged data can't be kept for the next start: %s", carry_dir(m->carry), strerror(-err));
	if (m->carry)
		m->carry_err = err;
}

void monitor_retry_carry(struct monitor *m, uint64_t now)
{
	if (!m->carry || (m->retried_ns && now - m->retried_ns < RETRY_NS))
		return;
	m->retried_ns = now;
	carry_retry(m->carry, m->engine, m->model, m->collector);
}
