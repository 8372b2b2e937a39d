/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/watch.h"

#include <string.h>

#define TEXT_MAX (60u << 20) /* of one document's items: a line of them is below SERVER_REPLY_MAX */
#define SLACK 8		     /* of its interval a watcher may be told this part too early, to go with the others */

static const char *const words[WATCH_WHATS] = {
    [WATCH_JOBS] = "jobs",   [WATCH_PROCESSES] = "processes", [WATCH_DATASETS] = "datasets", [WATCH_DESTINATIONS] = "destinations",
    [WATCH_FLOWS] = "flows", [WATCH_FINDINGS] = "findings",   [WATCH_HEALTH] = "health",
};

struct watch {
	struct watch_source source;
	struct {
		struct watch_doc *doc; /* NULL: nobody watches it */
		uint64_t last; /* generation of the one that was let go */
		uint64_t made_ns, of_ns; /* when, and what moment it tells of */
		uint64_t ready_ns; /* it is not made anew until then */
		int err; /* that the last making ended with */
	} is[WATCH_WHATS];
};

const char *watch_word(enum watch_what what)
{
	return words[what];
}

int watch_parse(const char *word, enum watch_what *ret)
{
	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		if (!strcmp(words[i], word)) {
			*ret = (enum watch_what)i;
			return 0;
		}
	}
	return -ENOENT;
}

struct watch *watch_new(const struct watch_source *source)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w)
		w->source = *source;
	return w;
}

static void let_go(struct watch *w, unsigned what)
{
	if (!w->is[what].doc)
		return;
	w->is[what].last = watch_doc_generation(w->is[what].doc);
	w->is[what].doc = watch_doc_free(w->is[what].doc);
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	watch_keep(w, 0);
	free(w);
	return NULL;
}

void watch_keep(struct watch *w, unsigned whats)
{
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		if (!(whats & 1u << i))
			let_go(w, i);
}

/* --- requests --------------------------------------------------------------------- */

static int parse_list(const json_t *list, unsigned *ret)
{
	unsigned mask = 0;

	if (!json_is_array(list))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));
		enum watch_what what;

		if (!word || watch_parse(word, &what))
			return -EINVAL;
		mask |= 1u << what;
	}
	*ret = mask;
	return 0;
}

int watch_subscribe(const json_t *request, struct watcher *ret, const char **ret_why)
{
	const json_t *interval = json_object_get(request, "interval_ms"), *again = json_object_get(request, "again");
	unsigned whats, anew = 0;
	uint64_t ns = NSEC;

	if (parse_list(json_object_get(request, "watch"), &whats) || (again && parse_list(again, &anew))) {
		*ret_why = "watch and again are lists of these: jobs, processes, datasets, destinations, flows, findings, health";
		return -EINVAL;
	}
	if (interval) {
		json_int_t ms = json_integer_value(interval);

		if (!json_is_integer(interval) || ms < (json_int_t)(WATCH_INTERVAL_MIN_NS / 1000000) ||
		    ms > (json_int_t)(WATCH_INTERVAL_MAX_NS / 1000000)) {
			*ret_why = "interval_ms is a whole number from 100 to 3600000";
			return -EINVAL;
		}
		ns = (uint64_t)ms * 1000000;
	}
	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		if (!(whats & ~anew & 1u << i))
			ret->generation[i] = 0;
		ret->failed[i] = false;
	}
	ret->whats = whats;
	ret->interval_ns = ns;
	ret->due_ns = 0;
	return 0;
}

/* --- when ---------------------------------------------------------------------------- */

static bool paced_by_source(const struct watch *w, const struct watcher *to)
{
	return to->interval_ns >= w->source.interval_ns;
}

/* Those of one interval come together, so that one making serves them all. */
static void set_due(const struct watch *w, struct watcher *to, uint64_t now)
{
	if (paced_by_source(w, to))
		to->due_ns = UINT64_MAX;
	else
		to->due_ns = (now / to->interval_ns + 1) * to->interval_ns;
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		if (to->whats & 1u << i && !w->is[i].doc && !w->is[i].err) /* its time had not come */
			to->due_ns = MIN(to->due_ns, w->is[i].ready_ns);
}

void watch_skip(const struct watch *w, struct watcher *to, uint64_t now)
{
	to->told_ns = now;
	set_due(w, to, now);
}

void watch_ticked(const struct watch *w, struct watcher *to, uint64_t now)
{
	if (to->whats && to->due_ns == UINT64_MAX && now + to->interval_ns / SLACK >= to->told_ns + to->interval_ns)
		to->due_ns = now;
}

/* --- what ------------------------------------------------------------------------------- */

/* Of the processor, not by the clock: on a busy machine a document that waited for its turn cost no more. */
static uint64_t used_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

static void make(struct watch *w, unsigned what, uint64_t now, uint64_t of_ns)
{
	struct watch_doc *d = w->is[what].doc;
	uint64_t before = used_ns();
	int err = 0;

	if (!d)
		d = w->is[what].doc = watch_doc_new(words[what], w->is[what].last, TEXT_MAX);
	err = d ? w->source.make(w->source.arg, (enum watch_what)what, d) : -ENOMEM;
	w->is[what].err = err;
	w->is[what].made_ns = now;
	w->is[what].of_ns = of_ns;
	w->is[what].ready_ns = now_boot_ns() + (WATCH_SHARE - 1) * (used_ns() - before);
	if (err) /* half of it is none */
		let_go(w, what);
}

/* A document that nobody has asked for lately is made at once, the others in their time. */
static void make_due(struct watch *w, const struct watcher *to, uint64_t now)
{
	unsigned due = 0;

	for (unsigned i = 0; i < WATCH_WHATS; i++) {
		bool ready = now >= w->is[i].ready_ns, old = w->is[i].made_ns + to->interval_ns / 2 <= now;

		if (to->whats & 1u << i && ready && (old || !w->is[i].doc))
			due |= 1u << i;
	}
	if (!due)
		return;
	uint64_t of = w->source.freshen(w->source.arg, paced_by_source(w, to) ? 2 * w->source.interval_ns : to->interval_ns / 2);
	for (unsigned i = 0; i < WATCH_WHATS; i++)
		if (due & 1u << i && (!w->is[i].doc || w->is[i].of_ns != of))
			make(w, i, now, of);
}

/* Said once; if there is no room even for that, the next time. */
static int write_failure(struct watcher *to, unsigned what, bool large, struct json_text *text)
{
	if (to->failed[what])
		return 0;
	json_t *line =
	    json_pack("{s:s, s:s}", "watch", words[what], "error",
		      large ? "there is too much of it: read the records instead" : "the monitor has no memory left for it");
	size_t before = text->len;
	int err = line ? json_write(text, line) : -ENOMEM;

	json_decref(line);
	if (!err)
		err = json_write_raw(text, "\n", 1);
	if (err)
		text->len = before;
	to->failed[what] = !err;
	return err == -EFBIG ? 0 : err;
}

static int write_one(struct watch *w, struct watcher *to, unsigned what, struct json_text *text)
{
	const struct watch_doc *d = w->is[what].doc;
	int err;

	if (!d) {
		to->generation[what] = 0;
		if (!w->is[what].err) /* its time has not come */
			return 0;
		return write_failure(to, what, w->is[what].err == -EFBIG, text);
	}
	if (to->generation[what] == watch_doc_generation(d))
		return 0;
	err = watch_doc_write(d, to->generation[what], text);
	if (err)
		return write_failure(to, what, err == -EFBIG, text);
	to->failed[what] = false;
	to->generation[what] = watch_doc_generation(d);
	return 0;
}

static int write_nothing(const struct watcher *to, struct json_text *text)
{
	static const char line[] = "{\"watch\":[]}\n";

	return to->whats ? 0 : json_write_raw(text, line, sizeof(line) - 1);
}

int watch_push(struct watch *w, struct watcher *to, uint64_t now, struct json_text *text)
{
	int err;

	make_due(w, to, now);
	err = write_nothing(to, text);
	for (unsigned i = 0; i < WATCH_WHATS && !err; i++)
		if (to->whats & 1u << i)
			err = write_one(w, to, i, text);
	to->told_ns = now;
	set_due(w, to, now);
	return err;
}
