/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/pieces.h"

#include <string.h>

#define ROOM_LEAST 256

static int make_room(struct pieces *p, size_t need)
{
	size_t room = MAX(p->room, ROOM_LEAST);

	if (need <= p->room)
		return 0;
	while (room < need)
		room *= 2;
	room = MIN(room, p->most);
	uint8_t *data = realloc(p->data, room);
	if (!data)
		return -ENOMEM;
	p->data = data;
	p->room = room;
	return 0;
}

/* Only where nothing is yet. */
static void fill(struct pieces *p, size_t at, const uint8_t *data, size_t n)
{
	size_t end = at + n, from = at;

	for (unsigned i = 0; i < p->nruns && from < end; i++) {
		const struct piece_run *r = &p->runs[i];

		if (r->from > from)
			memcpy(p->data + from, data + (from - at), MIN(r->from, end) - from);
		from = MAX(from, r->to);
	}
	if (from < end)
		memcpy(p->data + from, data + (from - at), end - from);
}

/* The runs that touch [from, to): the first of them, and how many. */
static unsigned touching(const struct pieces *p, size_t from, size_t to, unsigned *ret_n)
{
	unsigned first = 0, n = 0;

	while (first < p->nruns && p->runs[first].to < from)
		first++;
	while (first + n < p->nruns && p->runs[first + n].from <= to)
		n++;
	*ret_n = n;
	return first;
}

int pieces_put(struct pieces *p, size_t at, const uint8_t *data, size_t n)
{
	unsigned found, first;

	if (!n || at >= p->most)
		return 0;
	n = MIN(n, p->most - at);
	first = touching(p, at, at + n, &found);
	if (!found && p->nruns == PIECES_MAX)
		return -ENOSPC;
	if (make_room(p, at + n))
		return -ENOMEM;
	fill(p, at, data, n);
	struct piece_run all = {at, at + n};
	if (found) {
		all.from = MIN(at, p->runs[first].from);
		all.to = MAX(at + n, p->runs[first + found - 1].to);
	}
	memmove(&p->runs[first + 1], &p->runs[first + found], (p->nruns - first - found) * sizeof(p->runs[0]));
	p->runs[first] = all;
	p->nruns = p->nruns - found + 1;
	return 0;
}

int pieces_shift(struct pieces *p, size_t by)
{
	size_t end = p->nruns ? p->runs[p->nruns - 1].to : 0;
	unsigned n = 0;

	if (by >= p->most)
		end = 0;
	if (end && make_room(p, MIN(end + by, p->most)))
		return -ENOMEM;
	for (unsigned i = 0; i < p->nruns && end; i++) {
		struct piece_run r = {p->runs[i].from + by, MIN(p->runs[i].to + by, p->most)};

		if (r.from < r.to)
			p->runs[n++] = r;
	}
	p->nruns = n;
	if (n)
		memmove(p->data + by, p->data, p->runs[n - 1].to - by);
	return 0;
}

size_t pieces_at(const struct pieces *p, size_t at)
{
	for (unsigned i = 0; i < p->nruns; i++)
		if (p->runs[i].from <= at && at < p->runs[i].to)
			return p->runs[i].to - at;
	return 0;
}

void pieces_done(struct pieces *p)
{
	free(p->data);
	*p = (struct pieces){.most = p->most};
}
