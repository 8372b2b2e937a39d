/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/journal_scan.h"

#include <string.h>

#include "user/export/journal_dir.h"
#include "user/json_lines.h"

#define CHUNK (256u << 10)

void scan_begin(struct scan *s, int fd, uint64_t offset)
{
	char *data = s->data;
	size_t size = s->size;

	*s = (struct scan){.fd = fd, .offset = offset, .data = data, .size = size};
}

void scan_free(struct scan *s)
{
	free(s->data);
	*s = (struct scan){.fd = -1};
}

static int make_room(struct scan *s)
{
	if (s->from) {
		memmove(s->data, s->data + s->from, s->len - s->from);
		s->len -= s->from;
		s->from = 0;
	}
	if (s->len + CHUNK <= s->size)
		return 0;
	size_t size = MAX(2 * s->size, s->len + CHUNK);
	char *data = realloc(s->data, size);

	if (!data)
		return -ENOMEM;
	s->data = data;
	s->size = size;
	return 0;
}

/* More behind what is there; *ret_len 0: that is all. */
static int more(struct scan *s, size_t *ret_len)
{
	int err = make_room(s);

	if (!err)
		err = journal_pread(s->fd, s->data + s->len, CHUNK, s->offset + s->len, ret_len);
	if (err)
		return err;
	if (s->whole)
		hasher_add(s->whole, s->data + s->len, *ret_len);
	s->len += *ret_len;
	return 0;
}

/* What was read of a line without an end is read again later: who writes it may have cut it off meanwhile. */
static int at_end(struct scan *s)
{
	s->rest = s->len - s->from;
	s->len = s->from = 0;
	return 0;
}

/* The line is too long to be kept: what is read of it is forgotten. */
static void forget(struct scan *s)
{
	s->offset += s->len - s->from;
	s->from = s->len = 0;
	s->skipping = true;
}

int scan_next(struct scan *s, const char **ret, size_t *ret_len)
{
	size_t looked = s->from, got;

	for (;;) {
		char *end = s->len > looked ? memchr(s->data + looked, '\n', s->len - looked) : NULL;

		if (end) {
			size_t n = (size_t)(end - s->data) - s->from;

			*ret = s->data + s->from;
			*ret_len = n;
			s->from += n + 1;
			s->offset += n + 1;
			if (!s->skipping)
				return 1;
			s->skipping = false;
			return -EFBIG;
		}
		if (s->len - s->from > JSON_LINE_MAX)
			forget(s);
		looked = s->len - s->from; /* make_room() puts the line's beginning first */
		int err = more(s, &got);

		if (err)
			return err;
		if (!got)
			return at_end(s);
	}
}
