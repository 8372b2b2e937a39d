/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The viewer on documents from a file, for tests of what it draws:
 *
 *   viewer [--ascii] [--mono] [--view NAME] [--filter TEXT] [--interval MS] FILE
 *   viewer --keys          the list of keys for the manual page
 *
 * FILE is {"steps": [{"jobs": DOCUMENT, ...}, ...], "state": "live", "age_ms": 0, "cycle_ms": 0, "replay": false}. Steps are
 * taken one after the other at once, then nothing changes any more; with cycle_ms one is taken after that time, round and
 * round, its time being now. With "replay" steps are seconds of a replay, which stands at the last one. "lose_ms": after
 * that time the monitor goes away. With "asked" there are only the documents that are wanted, as a monitor's are, a step after
 * they were.
 */
#include <getopt.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>

#include "user/tui/keys.h"
#include "user/tui/top.h"
#include "user/tui/view.h"

struct feed {
	json_t *script;
	const json_t *steps;
	size_t at; /* of the step that is shown; nsteps: none yet */
	size_t nsteps;
	enum feed_state state;
	uint64_t cycle_ns, next_ns, lose_ns, lost_ns, age_ns;
	bool replay, moved, asked;
	unsigned whats, here; /* that are wanted, and that are there for it */
	double speed;
	json_t *documents[FEED_WHATS], *before[FEED_WHATS];
	struct known *index[FEED_WHATS]; /* of `before` */
	size_t nindex[FEED_WHATS];
};

const char *feed_word(enum feed_what what)
{
	static const char *const words[] = {"jobs", "processes", "datasets", "destinations", "flows", "findings", "health"};

	return words[what];
}

/* --- steps ---------------------------------------------------------------------- */

static bool take(struct feed *f, size_t step)
{
	const json_t *all = json_array_get(f->steps, step);
	char now[TIME_LEN];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	for (enum feed_what i = 0; i < FEED_WHATS; i++) {
		json_t *document = json_object_get(all, feed_word(i));

		free(f->index[i]);
		f->index[i] = NULL;
		json_decref(f->before[i]);
		f->before[i] = f->documents[i];
		f->documents[i] = f->cycle_ns ? json_copy(document) : json_incref(document);
		if (f->cycle_ns && document)
			json_object_set_new(f->documents[i], "time", json_string(time_rfc3339(now, &t)));
	}
	f->at = step;
	return true;
}

static bool step_on(struct feed *f)
{
	uint64_t now = now_boot_ns();

	if (f->lose_ns && now >= f->lose_ns && f->state != FEED_LOST) {
		f->state = FEED_LOST;
		f->lost_ns = now;
	}
	if (f->state == FEED_LOST)
		return false;
	f->here = f->whats;
	if (f->moved) {
		f->moved = false;
		return true;
	}
	if (f->at == f->nsteps)
		return take(f, 0);
	if (f->cycle_ns && now >= f->next_ns) {
		f->next_ns = now + f->cycle_ns;
		return take(f, (f->at + 1) % f->nsteps);
	}
	return !f->cycle_ns && !f->replay && f->at + 1 < f->nsteps && take(f, f->at + 1);
}

int feed_step(struct feed *f)
{
	return step_on(f) ? (1 << FEED_WHATS) - 1 : 0;
}

int feed_poll(const struct feed *f, short *ret_events, int *ret_timeout_ms)
{
	uint64_t now = now_boot_ns();

	*ret_events = 0;
	if (f->moved || (!f->cycle_ns && !f->replay && f->at + 1 != f->nsteps) || f->at == f->nsteps)
		*ret_timeout_ms = 0;
	else if (f->cycle_ns)
		*ret_timeout_ms = f->next_ns > now ? (int)((f->next_ns - now) / 1000000) + 1 : 0;
	else
		*ret_timeout_ms = f->lose_ns ? 50 : -1;
	return -1;
}

/* --- what a feed tells ------------------------------------------------------------- */

void feed_want(struct feed *f, unsigned whats, uint64_t interval_ns)
{
	f->whats = whats | 1u << FEED_HEALTH;
	f->here &= whats;
	f->moved = f->moved || (f->asked && f->at != f->nsteps);
}

const json_t *feed_document(const struct feed *f, enum feed_what what)
{
	return f->asked && !(f->here & 1u << what) ? NULL : f->documents[what];
}

/* Items of the step before by their keys: made when one is asked for. */
struct known {
	uint64_t key;
	const json_t *item;
};

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void index_items(struct feed *f, enum feed_what what, const struct view_ops *v)
{
	const json_t *items = json_at(f->before[what], "items");

	f->nindex[what] = json_array_size(items);
	f->index[what] = calloc(f->nindex[what] + 1, sizeof(struct known));
	for (size_t i = 0; i < f->nindex[what]; i++)
		f->index[what][i] = (struct known){v->key(json_array_get(items, i)), json_array_get(items, i)};
	qsort(f->index[what], f->nindex[what], sizeof(struct known), compare_known);
}

static const json_t *find(struct feed *f, enum feed_what what, const struct view_ops *v, uint64_t key)
{
	const struct known *found;

	if (!f->index[what])
		index_items(f, what, v);
	found = bsearch(&(struct known){.key = key}, f->index[what], f->nindex[what], sizeof(*found), compare_known);
	return found ? found->item : NULL;
}

static double seconds(const json_t *document)
{
	struct timespec t = {0};
	const char *time = json_string_value(json_at(document, "time"));

	return time && time_parse(time, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : NAN;
}

double feed_rate(const struct feed *f, enum feed_what what, const json_t *item, const char *path)
{
	const json_t *now = json_at(item, path), *before = NULL;

	for (size_t i = 0; i < VIEWS && !before; i++)
		if (views[i]->what == what && f->before[what])
			before = find((struct feed *)f, what, views[i], views[i]->key(item));
	before = before ? json_at(before, path) : NULL;
	if (!json_is_integer(now) || !json_is_integer(before))
		return NAN;
	return (json_number_value(now) - json_number_value(before)) / (seconds(f->documents[what]) - seconds(f->before[what]));
}

enum feed_state feed_state(const struct feed *f)
{
	return f->state;
}

uint64_t feed_age_ns(const struct feed *f)
{
	if (f->at == f->nsteps)
		return UINT64_MAX;
	return f->lost_ns ? now_boot_ns() - f->lost_ns : f->age_ns;
}

bool feed_span(const struct feed *f, struct feed_span *ret)
{
	if (!f->replay)
		return false;
	*ret = (struct feed_span){.first.tv_sec = 1000, .last.tv_sec = 1000 + (time_t)f->nsteps - 1, .speed = f->speed};
	ret->now.tv_sec = 1000 + (time_t)MIN(f->at, f->nsteps - 1);
	return true;
}

void feed_pause(struct feed *f, bool pause)
{
	f->state = pause ? FEED_PAUSED : FEED_REPLAY;
}

void feed_seek(struct feed *f, const struct timespec *to)
{
	size_t step = to->tv_sec < 1000 ? 0 : MIN((size_t)(to->tv_sec - 1000), f->nsteps - 1);

	take(f, step);
	f->moved = true;
}

void feed_speed(struct feed *f, double speed)
{
	f->speed = speed;
}

const char *feed_why(const struct feed *f)
{
	return f->state == FEED_LOST ? "the test took it away" : "";
}

/* Only the program that this stands in for has others. */
int feed_open_socket(const char *path, struct feed **ret, struct feed_error *ret_error)
{
	return -ENOENT;
}

int feed_open_embedded(const struct options *o, struct feed **ret, struct feed_error *ret_error)
{
	return -EPERM;
}

int feed_open_replay(const char *path, struct feed **ret, struct feed_error *ret_error)
{
	return -ENOENT;
}

struct feed *feed_close(struct feed *f)
{
	for (size_t i = 0; i < FEED_WHATS; i++) {
		free(f->index[i]);
		json_decref(f->documents[i]);
		json_decref(f->before[i]);
	}
	json_decref(f->script);
	return NULL;
}

/* --- all --------------------------------------------------------------------------- */

static enum feed_state state_named(const char *word)
{
	static const char *const words[] = {"live", "lost", "replay", "paused", "ended"};

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], word))
			return (enum feed_state)i;
	return FEED_LIVE;
}

static enum feed_what what_named(const char *word)
{
	enum feed_what i = 0;

	while (i < FEED_WHATS - 1 && strcmp(feed_word(i), word))
		i++;
	return i;
}

static uint64_t ms(const json_t *script, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(script, name)) * 1000000;
}

static int read_script(const char *path, struct feed *f)
{
	json_error_t error;

	f->script = json_load_file(path, 0, &error);
	f->steps = json_object_get(f->script, "steps");
	f->nsteps = json_array_size(f->steps);
	if (!f->script || !f->nsteps) {
		fprintf(stderr, "viewer: %s: %s\n", path, f->script ? "no steps" : error.text);
		return -EINVAL;
	}
	f->at = f->nsteps;
	f->state = state_named(json_string_value(json_object_get(f->script, "state")));
	f->replay = json_is_true(json_object_get(f->script, "replay"));
	f->asked = json_is_true(json_object_get(f->script, "asked"));
	f->cycle_ns = ms(f->script, "cycle_ms");
	f->age_ns = ms(f->script, "age_ms");
	f->lose_ns = ms(f->script, "lose_ms") ? now_boot_ns() + ms(f->script, "lose_ms") : 0;
	f->speed = 1;
	if (f->state == FEED_LOST)
		f->lost_ns = now_boot_ns();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"ascii", 0, NULL, 'a'},    {"mono", 0, NULL, 'm'},	{"view", 1, NULL, 'v'},
						{"filter", 1, NULL, 'f'},   {"interval", 1, NULL, 'i'}, {"keys", 0, NULL, 'k'},
						{NULL, 0, NULL, 0}};
	struct top_options o = {.source = "test"};
	struct feed f = {0};
	struct feed_error why;
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			o.ascii = true;
			break;
		case 'm':
			o.mono = true;
			break;
		case 'v':
			o.view = what_named(optarg);
			break;
		case 'f':
			o.filter = optarg;
			break;
		case 'i':
			o.interval_ns = strtoull(optarg, NULL, 10) * 1000000;
			break;
		case 'k':
			keys_manual(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || read_script(argv[optind], &f))
		return 2;
	if (!top_can(&o, &why)) {
		fprintf(stderr, "viewer: %s\n", why.text);
		feed_close(&f);
		return 2;
	}
	err = top_run(&f, &o);
	feed_close(&f);
	if (err)
		fprintf(stderr, "viewer: %s\n", strerror(-err));
	return err ? 1 : 0;
}
