/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records to the journal and to the file of events, as far as they take them. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/export/record.h"

#define GIVE_NS NSEC		  /* for records, when there are very many: requests wait meanwhile */
#define LAST_WORDS_MS 2000	  /* how long the end waits for a slow reader of the events */
#define GIVE_CPU_NS (NSEC / 50)	  /* and this much processor time, for those of which there are very many */

static int put_record(void *arg, const json_t *record)
{
	struct monitor *m = arg;
	int got;

	if (m->pace.done % PACE_LOOK == PACE_LOOK - 1) {
		collector_relieve(m->collector);
		if (m->give_until_ns && now_boot_ns() > m->give_until_ns)
			return -EAGAIN; /* the rest waits in the model */
	}
	got = m->journal ? monitor_journal_put(m, record) : events_put(m->events, record);
	if (got < 0)
		return got;
	return pace_spent(&m->pace) || got;
}

/* NULL: nobody listens. */
static record_sink sink_of(const struct monitor *m)
{
	return m->journal || m->events ? put_record : NULL;
}

/* The file's troubles are told when they begin and when they end; the figures wait in the model, or are in the journal. */
static void events_state(struct monitor *m, int err)
{
	if (err == -EAGAIN)
		err = 0; /* a slow reader; the next interval goes on */
	if (err && !m->events_err)
		cmd_error("run", "%s: %s; records are %s", m->options.events, strerror(-err),
			  m->journal ? "in the journal" : "kept and written when that is over");
	if (!err && m->events_err)
		cmd_error("run", "%s: writing again", m->options.events);
	m->events_err = err;
	if (err != -EPIPE)
		return;
	/* nobody reads any more, nor ever will */
	m->stop = !m->journal;
	if (m->journal) {
		events_close(m->events);
		m->events = NULL;
		m->events_err = 0;
	}
}

void monitor_give_records(struct monitor *m, uint64_t now, bool final)
{
	struct timespec wall;
	int err;

	clock_gettime(CLOCK_REALTIME, &wall);
	m->give_until_ns = final ? 0 : now_boot_ns() + GIVE_NS;
	pace_begin(&m->pace, final ? 0 : GIVE_CPU_NS);
	monitor_tick_journal(m, &wall, put_record, m);
	err = records_emit(m->model, now, &wall, final, sink_of(m), m);
	m->give_until_ns = 0;
	if (err > 0)
		err = 0;
	if (m->journal && final)
		m->journal_lost = err;
	if (m->events) {
		int flushed = events_flush(m->events);

		events_state(m, flushed ? flushed : m->journal ? 0 : err);
	}
}

void monitor_give_policy(struct monitor *m)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	monitor_tick_journal(m, &wall, put_record, m);
	int err = records_policy(m->model, &wall, sink_of(m), m);
	if (err && err != -EAGAIN)
		cmd_error("run", "the policy record was not written: %s", strerror(-err));
}

int monitor_finish_records(struct monitor *m)
{
	int status, err;

	if (m->events)
		events_patience(m->events, LAST_WORDS_MS);
	monitor_last_words(m);
	monitor_give_records(m, m->ticked_ns, true);
	status = monitor_end_journal(m, put_record, m);
	if (!m->events)
		return status;
	err = events_close(m->events);
	m->events = NULL;
	if (!err && !m->events_err)
		return status;
	cmd_error("run", "%s: the last records could not be written: %s", m->options.events,
		  strerror(-(err ? err : m->events_err)));
	return EXIT_FINDINGS;
}
