/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Files of records, and feeds that replay them. */
#ifndef REPLAY_FIXTURE_H
#define REPLAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "user/tui/feed.h"

#define REPLAY_UNUSED __attribute__((unused))
#define ALL_WHATS ((1u << FEED_WHATS) - 1)
#define FIRST_S 1800000000

static char file[64];

REPLAY_UNUSED static int make_file(void **state)
{
	snprintf(file, sizeof(file), "/tmp/sluice-replay-XXXXXX");
	int fd = mkstemp(file);

	close(fd);
	return fd < 0 ? -1 : 0;
}

REPLAY_UNUSED static int remove_file(void **state)
{
	return unlink(file);
}

REPLAY_UNUSED static struct feed *replay(const char *path)
{
	struct feed_error e = {};
	struct feed *f = NULL;

	if (feed_open_replay(path, &f, &e))
		fail_msg("%s", e.text);
	feed_want(f, ALL_WHATS, NSEC);
	return f;
}

/* Until something is shown. */
REPLAY_UNUSED static int shown(struct feed *f)
{
	int r = 0;

	for (uint64_t end = now_boot_ns() + 60 * NSEC; !r && now_boot_ns() < end;) {
		short events;
		int timeout;

		feed_poll(f, &events, &timeout);
		poll(NULL, 0, timeout < 0 ? 10 : MIN(timeout, 10));
		r = feed_step(f);
	}
	assert_true(r > 0);
	return r;
}

REPLAY_UNUSED static void go_to(struct feed *f, struct timespec to)
{
	feed_pause(f, true);
	feed_seek(f, &to);
	shown(f);
}

REPLAY_UNUSED static void go_to_end(struct feed *f)
{
	struct feed_span s;

	feed_span(f, &s);
	go_to(f, s.last);
}

REPLAY_UNUSED static json_t *items(const struct feed *f, enum feed_what what)
{
	return json_object_get(feed_document(f, what), "items");
}

#endif
