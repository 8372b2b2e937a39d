/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The journal, and the events as its copy. What the journal took is given; who reads the events may be too slow for them. */
#include "user/monitor_internal.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>

#include "user/cmd.h"
#include "user/export/journal.h"
#include "user/export/record.h"

#define LAST_WORDS_NS (10 * NSEC) /* how long the end waits for a slow disk */
#define WAIT_NS 5000000L

/* --- beginning ---------------------------------------------------------------------------- */

/* An exit status. */
int monitor_open_journal(struct monitor *m)
{
	char host[HOST_NAME_MAX + 1] = "";
	struct journal_options o = {.dir = m->config->journal.dir,
				    .state = m->config->state,
				    .host = host,
				    .max_size = m->config->journal.max_size,
				    .retain_ns = m->config->journal.retain_ns};
	struct journal_error why = {};
	struct timespec wall;

	if (!o.dir)
		return EXIT_GOOD;
	gethostname(host, sizeof(host) - 1);
	clock_gettime(CLOCK_REALTIME, &wall);
	if (journal_open(&o, &wall, now_boot_ns(), &m->journal, &why)) {
		cmd_error("run", "journal: %s", why.text);
		return EXIT_USAGE;
	}
	if (*why.text)
		cmd_error("run", "journal: %s", why.text);
	return EXIT_GOOD;
}

/* What it says of itself goes through the same chain. */
static void give_notes(struct monitor *m, const struct timespec *wall, record_sink sink, void *arg)
{
	const json_t *members;
	const char *type;

	while ((members = journal_note(m->journal, &type)) && !records_note(m->model, wall, type, members, sink, arg))
		journal_noted(m->journal);
}

void monitor_begin_journal(struct monitor *m)
{
	if (m->journal)
		model_set_seq(m->model, journal_seq(m->journal));
}

/* --- records -------------------------------------------------------------------------------- */

static void copy_to_events(struct monitor *m, const char *line, size_t len)
{
	if (m->events && events_copy(m->events, line, len))
		m->events_dropped++;
}

/* The last records wait for the disk, within reason: there is no later. */
static bool wait_for_room(const struct monitor *m)
{
	const struct timespec pause = {.tv_nsec = WAIT_NS};

	if (!m->last_words_ns || now_boot_ns() >= m->last_words_ns)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

int monitor_journal_put(struct monitor *m, const json_t *record)
{
	const char *line;
	size_t len;
	int got;

	do
		got = journal_put(m->journal, record, &line, &len);
	while (got == -EAGAIN && wait_for_room(m));
	if (got >= 0)
		copy_to_events(m, line, len);
	return got;
}

/* Told when it begins and when it ends; meanwhile figures wait in the model. */
static void tell_state(struct monitor *m, const struct journal_state *s)
{
	const char *dir = journal_path(m->journal);

	if (s->error && !m->journal_err)
		cmd_error("run", "%s: %s; records are kept and written when that is over", dir,
			  s->error == -ETIMEDOUT ? "the disk does not answer" : strerror(-s->error));
	if (!s->error && m->journal_err)
		cmd_error("run", "%s: writing again", dir);
	m->journal_err = s->error;
}

static void tell_dropped(struct monitor *m)
{
	bool dropping = m->events_dropped > m->events_told;

	if (dropping && !m->dropping)
		cmd_error("run", "%s: its reader is too slow; records that it misses are in the journal", m->options.events);
	m->dropping = dropping;
	m->events_told = m->events_dropped;
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *state_json(const struct monitor *m, const struct journal_state *s)
{
	json_t *v = json_pack(
	    "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "dir", journal_path(m->journal), "error",
	    s->error ? json_string(s->error == -ETIMEDOUT ? "the disk does not answer" : strerror(-s->error)) : json_null(),
	    "seq", (json_int_t)s->seq, "synced_seq", (json_int_t)s->synced_seq, "queued_bytes", (json_int_t)s->queued, "bytes",
	    (json_int_t)s->bytes, "segments", (json_int_t)s->segments, "digest", text_or_null(s->digest_time), "key",
	    text_or_null(s->key), "sync_errors", (json_int_t)s->sync_errors, "events_dropped", (json_int_t)m->events_dropped);

	return v ? v : json_null();
}

void monitor_tick_journal(struct monitor *m, const struct timespec *wall, record_sink sink, void *arg)
{
	struct journal_state s;

	if (!m->journal)
		return;
	journal_tick(m->journal, wall, now_boot_ns());
	journal_look(m->journal, &s);
	tell_state(m, &s);
	tell_dropped(m);
	model_set_journal(m->model, state_json(m, &s));
	give_notes(m, wall, sink, arg);
}

void monitor_reload_journal(struct monitor *m, const char *before)
{
	const char *dir = m->config->journal.dir;

	if (m->journal && dir)
		journal_bounds(m->journal, m->config->journal.max_size, m->config->journal.retain_ns);
	if (!before != !dir || (dir && strcmp(before, dir) != 0))
		cmd_error("run", "journal.dir: another one is taken at the next start");
}

/* --- the end ---------------------------------------------------------------------------------- */

void monitor_last_words(struct monitor *m)
{
	m->last_words_ns = now_boot_ns() + LAST_WORDS_NS;
}

/* The last records came all at once: room is made for them as always, piece by piece. */
static void settle(struct monitor *m, const struct timespec *wall, record_sink sink, void *arg)
{
	const char *type;

	journal_end(m->journal, wall);
	do {
		give_notes(m, wall, sink, arg);
		if (journal_note(m->journal, &type))
			return; /* it takes no more */
		journal_tick(m->journal, wall, now_boot_ns());
	} while (journal_note(m->journal, &type));
}

/* After the last record. An exit status. */
int monitor_end_journal(struct monitor *m, record_sink sink, void *arg)
{
	struct timespec wall;
	uint64_t now = now_boot_ns(), left = m->last_words_ns > now ? m->last_words_ns - now : 0;
	bool told;
	int err;

	if (!m->journal)
		return EXIT_GOOD;
	clock_gettime(CLOCK_REALTIME, &wall);
	settle(m, &wall, sink, arg);
	told = m->journal_err != 0;
	const char *dir = m->config->journal.dir ? m->config->journal.dir : "journal";
	err = journal_close(m->journal, (unsigned)(MAX(left, NSEC) / 1000000));
	m->journal = NULL;
	if (!err && !m->journal_lost)
		return EXIT_GOOD;
	cmd_error("run", "%s: the last records could not be written: %s%s", dir, strerror(-(err ? err : m->journal_lost)),
		  told ? " (as said)" : "");
	return EXIT_FINDINGS;
}
