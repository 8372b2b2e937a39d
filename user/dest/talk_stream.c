/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/talk_internal.h"

/* True: everything known moved up, and the stream now begins at `seq`. */
static bool begin_earlier(struct stream *s, uint32_t seq, size_t by)
{
	if (by >= TALK_KEEP || pieces_shift(&s->pieces, by))
		return false;
	for (unsigned i = 0; i < s->nturns; i++)
		s->turns[i] += by;
	for (unsigned i = 0; i < s->ncut; i++)
		s->cut[i] += by;
	s->first = seq;
	return true;
}

void stream_start(struct stream *s, uint32_t seq)
{
	int32_t off = (int32_t)(seq - s->first);

	if (s->told)
		return;
	if (!s->started)
		s->first = seq;
	else if (off > 0 || (off && !begin_earlier(s, seq, (size_t)(-(int64_t)off))))
		return;
	s->started = s->told = true;
}

static void note(size_t *list, unsigned *n, size_t at)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == at)
			return;
	if (*n < TALK_TURNS)
		list[(*n)++] = at;
}

static void put(struct stream *s, size_t at, const uint8_t *data, size_t kept, size_t bytes)
{
	s->full |= at + bytes >= TALK_KEEP;
	if (pieces_put(&s->pieces, at, data, kept))
		return;
	if (kept < bytes)
		note(s->cut, &s->ncut, at + kept);
	if (kept >= 2 && data[0] == 22 && data[1] == 3)
		note(s->turns, &s->nturns, at);
}

void stream_put(struct stream *s, uint32_t seq, const uint8_t *data, size_t kept, size_t bytes)
{
	int64_t off;

	if (!bytes || kept > bytes || bytes > UINT16_MAX * 16u)
		return;
	if (!s->started)
		s->first = seq;
	s->started = true;
	off = (int32_t)(seq - s->first);
	if (off < 0 && (s->told || !begin_earlier(s, seq, (size_t)-off)))
		return;
	if (off >= TALK_KEEP)
		s->full = true;
	else
		put(s, (size_t)MAX(off, 0), data, kept, bytes);
}

struct view stream_view(const struct stream *s, size_t from)
{
	size_t n = pieces_at(&s->pieces, from);
	struct view v = {n ? s->pieces.data + from : NULL, n, from + n >= TALK_KEEP, !n && (s->pieces.nruns || s->ncut), from || s->told};

	for (unsigned i = 0; i < s->ncut; i++)
		v.cut |= s->cut[i] == from + n;
	return v;
}
