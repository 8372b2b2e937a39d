/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/dns_stream.h"

#include <string.h>

#define ROOM_LEAST 64

/* What is left of a segment. */
struct part {
	const uint8_t *data;
	size_t kept, bytes;
};

static void advance(struct part *p, size_t n)
{
	size_t there = MIN(n, p->kept);

	p->data += there;
	p->kept -= there;
	p->bytes -= n;
}

static bool make_room(struct dns_stream *s, size_t need)
{
	size_t room = MAX(s->room, (size_t)ROOM_LEAST);

	if (need <= s->room)
		return true;
	while (room < need)
		room *= 2;
	uint8_t *data = realloc(s->data, room);
	if (!data)
		return false;
	s->data = data;
	s->room = room;
	return true;
}

/* The length's bytes. False: one of them was not kept. */
static bool take_length(struct dns_stream *s, struct part *p)
{
	while (s->seen < 2 && p->bytes) {
		if (!p->kept)
			return false;
		s->length[s->seen++] = *p->data;
		advance(p, 1);
	}
	return true;
}

/* Up to the message's end. */
static bool take_body(struct dns_stream *s, size_t whole, struct part *p)
{
	size_t n = MIN(whole + 2 - s->seen, p->bytes), kept = MIN(n, p->kept);

	kept = s->cut ? 0 : MIN(kept, DNS_STREAM_KEPT - s->kept);
	if (!make_room(s, s->kept + kept))
		return false;
	if (kept)
		memcpy(s->data + s->kept, p->data, kept);
	s->kept += kept;
	s->cut |= kept < n;
	s->seen += n;
	advance(p, n);
	return true;
}

void dns_stream_done(struct dns_stream *s)
{
	free(s->data);
	*s = (struct dns_stream){.next = s->next};
}

static bool take_part(struct dns_stream *s, struct part p, dns_stream_take take, void *arg)
{
	while (p.bytes) {
		if (!take_length(s, &p))
			return false;
		if (s->seen < 2)
			break;
		size_t whole = (size_t)(s->length[0] << 8 | s->length[1]);
		if (!take_body(s, whole, &p))
			return false;
		if (s->seen < whole + 2)
			break;
		take(arg, s->data, s->kept, s->cut);
		dns_stream_done(s);
	}
	return true;
}

bool dns_stream_put(struct dns_stream *s, uint32_t at, const uint8_t *data, size_t kept, size_t bytes, dns_stream_take take, void *arg)
{
	struct part p = {data, kept, bytes};
	int32_t before = (int32_t)(s->next - at);

	if (s->lost)
		return false;
	if (before >= 0 && (size_t)before >= bytes)
		return true;
	if (before > 0)
		advance(&p, (size_t)before);
	s->next = at + (uint32_t)bytes;
	if (before < 0 || !take_part(s, p, take, arg)) {
		dns_stream_done(s);
		s->lost = true;
		return false;
	}
	return true;
}
