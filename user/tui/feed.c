/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What all feeds have in common. */
#include "user/tui/feed_internal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define INTERVAL_DEFAULT_NS NSEC

_Static_assert((unsigned)FEED_JOBS == WATCH_JOBS && (unsigned)FEED_PROCESSES == WATCH_PROCESSES &&
		   (unsigned)FEED_DATASETS == WATCH_DATASETS && (unsigned)FEED_DESTINATIONS == WATCH_DESTINATIONS &&
		   (unsigned)FEED_FLOWS == WATCH_FLOWS && (unsigned)FEED_FINDINGS == WATCH_FINDINGS &&
		   (unsigned)FEED_HEALTH == WATCH_HEALTH && (unsigned)FEED_WHATS == WATCH_WHATS,
	       "the same words");

const char *feed_word(enum feed_what what)
{
	return watch_word((enum watch_what)what);
}

int feed_fail(struct feed_error *ret_error, int error, const char *format, ...)
{
	char raw[sizeof(ret_error->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(ret_error->text, sizeof(ret_error->text), raw, strlen(raw));
	return error;
}

void feed_say_why(struct feed *f, const char *format, ...)
{
	char raw[sizeof(f->why)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(f->why, sizeof(f->why), raw, strlen(raw));
}

int feed_begin(struct feed *f, const struct feed_ops *ops)
{
	f->ops = ops;
	f->whats = 1u << FEED_HEALTH;
	f->interval_ns = INTERVAL_DEFAULT_NS;
	for (unsigned i = 0; i < FEED_WHATS; i++) {
		f->docs[i] = feed_doc_new((enum watch_what)i);
		if (!f->docs[i])
			return -ENOMEM;
	}
	return 0;
}

struct feed *feed_close(struct feed *f)
{
	if (!f)
		return NULL;
	f->ops->close(f);
	for (unsigned i = 0; i < FEED_WHATS; i++)
		feed_doc_free(f->docs[i]);
	free(f);
	return NULL;
}

void feed_want(struct feed *f, unsigned whats, uint64_t interval_ns)
{
	whats = (whats & ((1u << FEED_WHATS) - 1)) | 1u << FEED_HEALTH;
	interval_ns = MIN(MAX(interval_ns, WATCH_INTERVAL_MIN_NS), WATCH_INTERVAL_MAX_NS);
	if (whats == f->whats && interval_ns == f->interval_ns)
		return;
	/* what is wanted again later is wanted as it is then; of a monitor that went away it stays as it was */
	for (unsigned i = 0; i < FEED_WHATS; i++)
		if ((whats ^ f->whats) & 1u << i && feed_state(f) != FEED_LOST)
			feed_doc_clear(f->docs[i]);
	f->whats = whats;
	f->interval_ns = interval_ns;
	f->ops->want(f);
}

int feed_poll(const struct feed *f, short *ret_events, int *ret_timeout_ms)
{
	return f->ops->poll(f, ret_events, ret_timeout_ms);
}

int feed_step(struct feed *f)
{
	return f->ops->step(f);
}

const json_t *feed_document(const struct feed *f, enum feed_what what)
{
	return feed_doc_json(f->docs[what]);
}

double feed_rate(const struct feed *f, enum feed_what what, const json_t *item, const char *path)
{
	return feed_doc_rate(f->docs[what], item, path);
}

enum feed_state feed_state(const struct feed *f)
{
	return f->ops->state(f);
}

uint64_t feed_age_ns(const struct feed *f)
{
	return f->ops->age(f);
}

const char *feed_why(const struct feed *f)
{
	return f->why;
}

bool feed_span(const struct feed *f, struct feed_span *ret)
{
	if (f->ops->span)
		f->ops->span(f, ret);
	return f->ops->span != NULL;
}

void feed_pause(struct feed *f, bool pause)
{
	if (f->ops->pause)
		f->ops->pause(f, pause);
}

void feed_seek(struct feed *f, const struct timespec *to)
{
	if (f->ops->seek)
		f->ops->seek(f, to);
}

void feed_speed(struct feed *f, double speed)
{
	if (f->ops->speed && isfinite(speed) && speed > 0)
		f->ops->speed(f, speed);
}
