/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/hub_internal.h"

#include <stdarg.h>
#include <string.h>

#define LOOK_NS (2 * NSEC) /* at the journal */
#define NO_JOURNAL_NS (5 * NSEC)
#define SAVE_NS (60 * NSEC) /* where only reading went on */

const char *hub_state_name(enum hub_state s)
{
	static const char *const names[HUB_STATES] = {"off",	     "starting",       "good",	   "not_enabled",
						      "denied",	     "no_credentials", "unplaced", "throttled",
						      "unreachable", "no_journal"};

	return names[s];
}

void hub_say(struct hub *h, enum hub_state s, const char *format, ...)
{
	char raw[sizeof(h->told.why)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(h->told.why, sizeof(h->told.why), raw, strlen(raw));
	h->told.state = s;
}

void hub_tell(const struct hub *h, struct hub_told *ret)
{
	*ret = h->told;
	ret->waiting = h->waiting;
	if (*h->unsaved && !*ret->why)
		snprintf(ret->why, sizeof(ret->why), "what was imported cannot be kept: %s", h->unsaved);
}

static int copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? -ENOMEM : 0;
}

int hub_new(const struct hub_options *options, struct hub **ret)
{
	struct hub *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->options = *options;
	h->by_id = HASHMAP_OF(struct hub_finding, id);
	h->batch = HUB_BATCH;
	h->told.state = HUB_STARTING;
	if (copy(&h->journal, options->journal) || copy(&h->state, options->state)) {
		hub_free(h);
		return -ENOMEM;
	}
	err = h->state ? hub_load(h) : 0;
	if (err == -ENOMEM) {
		hub_free(h);
		return err;
	}
	if (err && err != -ENOENT)
		snprintf(h->told.why, sizeof(h->told.why), "what was imported before is not known (%s): all is imported again",
			 err == -EBADMSG ? "its file is damaged" : strerror(-err));
	*ret = h;
	return 0;
}

struct hub *hub_free(struct hub *h)
{
	if (!h)
		return NULL;
	if (h->reader)
		journal_reader_close(h->reader);
	hub_forget_all(h);
	hashmap_free(&h->by_id);
	free(h->journal);
	free(h->state);
	free(h->region);
	free(h->account);
	free(h);
	return NULL;
}

static void keep(struct hub *h, uint64_t now_ns, bool must)
{
	if (!h->changed || (!must && now_ns - h->saved_ns < SAVE_NS))
		return;
	h->saved_ns = now_ns;
	hub_save(h);
}

static uint64_t journal_trouble(struct hub *h, int err)
{
	hub_say(h, HUB_NO_JOURNAL, "%s: %s", h->journal, strerror(-err));
	return NO_JOURNAL_NS;
}

uint64_t hub_step(struct hub *h, uint64_t now_ns, bool last)
{
	uint64_t sent = h->told.imported + h->told.updated + h->told.refused, due;
	int err = hub_read(h);

	if (err == -ECANCELED)
		return LOOK_NS;
	if (err)
		return journal_trouble(h, err);
	if (h->told.state == HUB_NO_JOURNAL)
		hub_say(h, HUB_STARTING, "%s", "");
	/* Of what is not the newest nobody need hear, unless there is no room for more. */
	err =
	    h->caught_up || h->waiting_bytes > HUB_WAITING_BYTES / 2 || h->waiting >= HUB_KNOWN_MAX ? hub_send(h, now_ns, last) : 0;
	keep(h, now_ns, last || sent != h->told.imported + h->told.updated + h->told.refused);
	if (err == -ECANCELED)
		return LOOK_NS;
	if (err)
		hub_say(h, h->told.state, "%s", strerror(-err));
	due = hub_due(h, false);
	return due > now_ns ? MIN(due - now_ns, LOOK_NS) : err ? LOOK_NS : 0;
}
