/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records to the file of events, as far as it takes them. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/export/record.h"

#define GIVE_NS NSEC		  /* for records, when there are very many: requests wait meanwhile */
#define GIVE_CPU_NS (NSEC / 50)	  /* and this much processor time, for those of which there are very many */

static int put_record(void *arg, const json_t *record)
{
	struct monitor *m = arg;
	int err;

	if (m->pace.done % PACE_LOOK == PACE_LOOK - 1) {
		collector_relieve(m->collector);
		if (m->give_until_ns && now_boot_ns() > m->give_until_ns)
			return -EAGAIN; /* the rest waits in the model */
	}
	err = events_put(m->events, record);
	return err ? err : pace_spent(&m->pace);
}

/* The file's troubles are told when they begin and when they end; the figures wait in the model. */
static void events_state(struct monitor *m, int err)
{
	if (err == -EAGAIN)
		err = 0; /* a slow reader; the next interval goes on */
	if (err && !m->events_err)
		cmd_error("run", "%s: %s; records are kept and written when that is over", m->options.events, strerror(-err));
	if (!err && m->events_err)
		cmd_error("run", "%s: writing again", m->options.events);
	m->events_err = err;
	if (err == -EPIPE)
		m->stop = true; /* nobody reads any more, nor ever will */
}

void monitor_give_records(struct monitor *m, uint64_t now, bool final)
{
	struct timespec wall;
	int err;

	clock_gettime(CLOCK_REALTIME, &wall);
	m->give_until_ns = final ? 0 : now_boot_ns() + GIVE_NS;
	pace_begin(&m->pace, final ? 0 : GIVE_CPU_NS);
	err = records_emit(m->model, now, &wall, final, m->events ? put_record : NULL, m);
	m->give_until_ns = 0;
	if (err > 0)
		err = 0;
	if (m->events) {
		int flushed = events_flush(m->events);

		events_state(m, flushed ? flushed : err);
	}
}

void monitor_give_policy(struct monitor *m)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	int err = records_policy(m->model, &wall, m->events ? put_record : NULL, m);
	if (err && err != -EAGAIN)
		cmd_error("run", "the policy record was not written: %s", strerror(-err));
}
