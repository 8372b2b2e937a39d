/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Retention: what is too old, or too much, goes, oldest first; and the chain says so before it is gone. */
#include "user/export/journal_internal.h"

#include <string.h>

#define AT_ONCE 64 /* segments in one record */

/* What the clock says, but never more than has passed since the start: one that was set years ahead by mistake must not
 * empty the journal. */
static struct timespec now_for_age(const struct journal *j)
{
	uint64_t ran = j->boot_ns - MIN(j->boot_ns, j->opened_ns);
	struct timespec most = {j->opened_wall.tv_sec + (time_t)(ran / NSEC) + 1, 0};

	return j->wall.tv_sec < most.tv_sec ? j->wall : most;
}

/* Its newest record is not younger than the next segment's first. */
static bool is_old(const struct journal *j, size_t i)
{
	const struct segment *next = i + 1 < j->nclosed ? &j->closed[i + 1] : j->is_open ? &j->open : NULL;
	const char *end = j->closed[i].last_time[0] ? j->closed[i].last_time : next ? next->first_time : "";
	struct timespec at, now = now_for_age(j);

	return !time_parse(end, &at) && now.tv_sec > at.tv_sec && (uint64_t)(now.tv_sec - at.tv_sec) > j->retain_ns / NSEC;
}

/* How many segments go; why the last of them did. */
static size_t too_many(const struct journal *j, const char **ret_why)
{
	uint64_t bytes = j->bytes, want = j->segment_max;
	size_t n = 0;

	while (n < j->nclosed && n < AT_ONCE) {
		bool large = bytes + want > j->max_size;

		if (!large && !is_old(j, n))
			break;
		*ret_why = large ? "max_size" : "retain";
		bytes -= MIN(bytes, j->closed[n].bytes);
		n++;
	}
	return n;
}

/* Digests that cover nothing that stays; one always stays, for the next to follow. */
static size_t idle_digests(const struct journal *j, uint64_t last)
{
	size_t n = 0;

	while (n + 1 < j->ndigests && j->digests[n].file.seq <= last)
		n++;
	return n;
}

static int add_name(json_t *list, const char *name)
{
	return json_array_append_new(list, json_string(name)) ? -ENOMEM : 0;
}

static int list_segments(const struct journal *j, size_t n, json_t *segments, json_t *remove, uint64_t *ret_bytes)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		char name[JOURNAL_NAME];

		journal_segment_name(name, j->closed[i].first);
		err = add_name(segments, name);
		if (!err)
			err = add_name(remove, name);
		*ret_bytes += j->closed[i].bytes;
	}
	return err;
}

static int list_digests(const struct journal *j, size_t n, json_t *digests, json_t *remove, uint64_t *ret_bytes)
{
	char sig[JOURNAL_NAME + 8];
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		snprintf(sig, sizeof(sig), "%s.sig", j->digests[i].file.name);
		err = add_name(digests, j->digests[i].file.name);
		if (!err)
			err = add_name(remove, j->digests[i].file.name);
		if (!err)
			err = add_name(remove, sig);
		*ret_bytes += j->digests[i].bytes;
	}
	return err;
}

static void forget(struct journal *j, size_t nsegments, size_t ndigests, uint64_t bytes)
{
	j->nclosed -= nsegments;
	memmove(j->closed, j->closed + nsegments, j->nclosed * sizeof(*j->closed));
	j->ndigests -= ndigests;
	memmove(j->digests, j->digests + ndigests, j->ndigests * sizeof(*j->digests));
	j->bytes -= MIN(j->bytes, bytes);
}

void journal_plan_removal(struct journal *j)
{
	const char *why = NULL;
	size_t n = j->removing ? 0 : too_many(j, &why), nd;
	uint64_t bytes = 0;
	int err;

	if (!n)
		return;
	const struct segment *last = &j->closed[n - 1];
	/* the first line that stays goes on from the last one that went */
	const char *hash = n < j->nclosed ? j->closed[n].prev : j->is_open && j->open.last ? j->open.prev : j->head.hash;
	json_t *segments = json_array(), *digests = json_array(), *remove = json_array();

	nd = idle_digests(j, last->last);
	err = list_segments(j, n, segments, remove, &bytes);
	if (!err)
		err = list_digests(j, nd, digests, remove, &bytes);
	if (err) {
		json_decref(segments);
		json_decref(digests);
		json_decref(remove);
		return; /* the next tick tries again */
	}
	err =
	    journal_add_note(j, "journal",
			     json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:o, s:o}", "event", "removed", "why", why, "first_seq",
				       (json_int_t)j->closed[0].first, "last_seq", (json_int_t)last->last, "last_hash", hash,
				       "bytes", (json_int_t)bytes, "segments", segments, "digests", digests),
			     remove);
	if (err)
		return;
	j->removing = true;
	forget(j, n, nd, bytes);
}
