/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Taking records, ending segments, and what the journal says of itself. */
#include "user/export/journal_internal.h"

#include <string.h>

#include "user/array.h"
#include "user/json_lines.h"

#define STUCK_NS (10 * NSEC) /* so long one write may take before it is called trouble */

uint64_t journal_seq(const struct journal *j)
{
	return j->head.seq;
}

const char *journal_path(const struct journal *j)
{
	return j->path;
}

/* --- notes -------------------------------------------------------------------------- */

int journal_add_note(struct journal *j, const char *type, json_t *members, json_t *remove)
{
	if (!members || j->nnotes == NOTES_MAX) {
		json_decref(members);
		json_decref(remove);
		return -ENOMEM;
	}
	j->notes[j->nnotes++] = (struct note){type, members, remove};
	return 0;
}

const json_t *journal_note(const struct journal *j, const char **ret_type)
{
	if (!j->nnotes)
		return NULL;
	*ret_type = j->notes[0].type;
	return j->notes[0].members;
}

/* Only now may go what the note says is gone. */
static void carry_out(struct journal *j, const struct note *n)
{
	json_t *name;
	size_t i;

	json_array_foreach (n->remove, i, name)
		writer_remove(j->writer, json_string_value(name));
	j->removing = j->removing && !n->remove;
}

void journal_noted(struct journal *j)
{
	if (!j->nnotes)
		return;
	carry_out(j, &j->notes[0]);
	json_decref(j->notes[0].members);
	json_decref(j->notes[0].remove);
	j->nnotes--;
	memmove(j->notes, j->notes + 1, j->nnotes * sizeof(j->notes[0]));
}

/* --- segments ------------------------------------------------------------------------- */

static int begin_segment(struct journal *j, uint64_t first, const char *time)
{
	char name[JOURNAL_NAME];
	int err;

	journal_segment_name(name, first);
	err = writer_segment(j->writer, name);
	if (err)
		return err;
	j->open = (struct segment){.first = first};
	memcpy(j->open.prev, j->head.hash, sizeof(j->open.prev));
	snprintf(j->open.first_time, sizeof(j->open.first_time), "%s", time);
	j->is_open = true;
	hasher_begin(&j->whole);
	return 0;
}

int journal_end_segment(struct journal *j)
{
	int err;

	if (!j->is_open || !j->open.last)
		return 0;
	err = array_grow((void **)&j->closed, &j->max_closed, j->nclosed + 1, sizeof(*j->closed));
	if (!err)
		err = writer_end_segment(j->writer);
	if (err)
		return err;
	hasher_end(&j->whole, j->open.hash);
	j->closed[j->nclosed++] = j->open;
	j->is_open = false;
	return 0;
}

/* --- records --------------------------------------------------------------------------- */

/* The record with `prev` as its last member, and a newline. */
static int make_line(struct journal *j, const json_t *record, struct journal_line_parts *ret)
{
	int err;

	j->text.len = 0;
	j->text.max = JSON_LINE_MAX;
	err = json_is_object(record) && !json_object_get(record, "prev") ? json_write(&j->text, record) : -EINVAL;
	if (err)
		return err;
	j->text.len--; /* its } */
	err = json_write_raw(&j->text, ",\"prev\":\"", 9);
	if (!err)
		err = json_write_raw(&j->text, j->head.hash, HASH_HEX);
	if (!err)
		err = json_write_raw(&j->text, "\"}\n", 3);
	if (err)
		return err;
	return journal_line_parse(j->text.data, j->text.len - 1, ret) && ret->seq == j->head.seq + 1 ? 0 : -EINVAL;
}

static int refuse(struct journal *j)
{
	j->refused = j->refusing = true;
	return j->error && j->error != -ETIMEDOUT ? j->error : -EAGAIN;
}

static bool is_urgent(const struct journal_line_parts *p)
{
	return !journal_line_is(p, "access") && !journal_line_is(p, "flow") && !journal_line_is(p, "transfer") &&
	       !journal_line_is(p, "health");
}

static int append(struct journal *j, const struct journal_line_parts *p)
{
	struct journal_head next = {.seq = p->seq};
	int err;

	hasher_hex(&j->line, j->text.data, j->text.len - 1, next.hash);
	err = writer_line(j->writer, j->text.data, j->text.len, &next, is_urgent(p));
	if (err)
		return err;
	hasher_add(&j->whole, j->text.data, j->text.len);
	j->head = next;
	j->open.last = p->seq;
	j->open.bytes += j->text.len;
	j->bytes += j->text.len;
	journal_line_time(p, j->open.last_time);
	return 0;
}

int journal_put(struct journal *j, const json_t *record, const char **ret_line, size_t *ret_len)
{
	struct journal_line_parts p;
	char time[TIME_LEN];
	int err = make_line(j, record, &p);

	if (err)
		return err;
	if (!writer_has_room(j->writer, j->text.len))
		return refuse(j);
	if (j->is_open && j->open.last && j->open.bytes + j->text.len > j->segment_max) {
		err = journal_end_segment(j);
		if (!err)
			journal_make_digest(j); /* what it does not cover now, the next one does */
	}
	if (!err && !j->is_open)
		err = begin_segment(j, p.seq, journal_line_time(&p, time));
	if (!err)
		err = append(j, &p);
	if (err)
		return err;
	j->refusing = false;
	if (ret_line) {
		*ret_line = j->text.data;
		*ret_len = j->text.len;
	}
	return j->bytes + j->segment_max > j->max_size && j->nclosed; /* first something must go */
}

/* --- the clock ---------------------------------------------------------------------------- */

static void look_at_writer(struct journal *j)
{
	struct writer_state s;

	writer_look(j->writer, &s);
	if (s.vanished > j->vanished)
		journal_add_note(j, "journal", json_pack("{s:s, s:I}", "event", "vanished", "after", (json_int_t)s.synced_seq), NULL);
	j->vanished = s.vanished;
	int err = s.error;
	if (!err && s.busy_ns && now_boot_ns() > s.busy_ns + STUCK_NS)
		err = -ETIMEDOUT;
	if (err && !j->error) {
		j->failing_ns = s.failing_ns ? s.failing_ns : j->boot_ns;
		j->failing_wall = j->wall;
		j->refused = j->refusing;
	}
	j->error = err;
}

/* Once that is over, the chain says how long it was and what came of it. */
static void note_trouble(struct journal *j, int before)
{
	char since[TIME_LEN];

	if (!before || j->error)
		return;
	j->failing_ns = 0;
	journal_add_note(j, "journal",
			 json_pack("{s:s, s:s, s:s, s:b}", "event", "resumed", "since", time_rfc3339(since, &j->failing_wall),
				   "why", before == -ETIMEDOUT ? "the disk did not answer" : strerror(-before), "held",
				   (int)j->refused),
			 NULL);
	j->refused = false;
}

void journal_tick(struct journal *j, const struct timespec *wall, uint64_t boot_ns)
{
	int before = j->error;

	j->wall = *wall;
	j->boot_ns = boot_ns;
	look_at_writer(j);
	note_trouble(j, before);
	if (boot_ns >= j->due_ns && !j->refusing && !journal_end_segment(j) && !journal_make_digest(j))
		j->due_ns = boot_ns + JOURNAL_HOUR_NS;
	journal_plan_removal(j);
	writer_wake(j->writer);
}

void journal_bounds(struct journal *j, uint64_t max_size, uint64_t retain_ns)
{
	j->max_size = max_size;
	j->retain_ns = retain_ns;
	j->segment_max = MIN(MAX(max_size / SEGMENT_PART, (uint64_t)SEGMENT_LEAST), (uint64_t)SEGMENT_MOST);
}

void journal_look(const struct journal *j, struct journal_state *ret)
{
	struct writer_state s;

	writer_look(j->writer, &s);
	*ret = (struct journal_state){
	    .error = j->error ? j->error : s.error,
	    .refusing = j->refusing,
	    .failing_ns = j->failing_ns ? j->failing_ns : s.failing_ns,
	    .seq = j->head.seq,
	    .synced_seq = s.synced_seq,
	    .queued = s.queued,
	    .bytes = j->bytes,
	    .segments = j->nclosed + j->is_open,
	    .sync_errors = s.sync_errors,
	    .left = s.left,
	    .key = signer_fingerprint(j->signer),
	};
	memcpy(ret->digest_time, j->seal.end, sizeof(ret->digest_time));
}

/* --- the end -------------------------------------------------------------------------------- */

void journal_end(struct journal *j, const struct timespec *wall)
{
	j->wall = *wall;
	if (!journal_end_segment(j))
		journal_make_digest(j);
	writer_closes(j->writer);
}

int journal_close(struct journal *j, unsigned timeout_ms)
{
	int err;

	if (!j)
		return 0;
	err = j->writer ? writer_stop(j->writer, timeout_ms) : 0;
	while (j->nnotes) {
		json_decref(j->notes[--j->nnotes].members);
		json_decref(j->notes[j->nnotes].remove);
	}
	signer_free(j->signer);
	hasher_close(&j->line);
	hasher_close(&j->whole);
	closep(&j->lock);
	closep(&j->dir);
	free(j->text.data);
	free(j->closed);
	free(j->digests);
	free(j->path);
	free(j->host);
	free(j);
	return err;
}
