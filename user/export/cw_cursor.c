/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/cw_cursor.h"

#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "user/state_dir.h"

#define SUFFIX ".export"
#define PLACES 2
#define PLACE_SIZE 16384 /* a name has at most 512 characters, and there are four */
#define DIGEST_LEN 64

struct cw_cursor {
	int fd;
	uint64_t saves;
};

/* --- texts ------------------------------------------------------------------------------- */

int cw_digest(const char *text, size_t len, char ret[static DIGEST_LEN + 1])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!EVP_Digest(text, len, md, &n, EVP_sha256(), NULL) || n != DIGEST_LEN / 2)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		snprintf(ret + (size_t)i * 2, 3, "%02x", md[i]);
	return 0;
}

static const struct {
	const char *name;
	size_t offset;
} figures[] = {
    {"records", offsetof(struct cw_figures, records)}, {"batches", offsetof(struct cw_figures, batches)},
    {"metrics", offsetof(struct cw_figures, metrics)}, {"cut", offsetof(struct cw_figures, cut)},
    {"retimed", offsetof(struct cw_figures, retimed)}, {"repeated", offsetof(struct cw_figures, repeated)},
};

static uint64_t *figure(const struct cw_figures *f, size_t i)
{
	return (uint64_t *)((char *)(uintptr_t)f + figures[i].offset);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

static json_t *write_figures(const struct cw_figures *f)
{
	json_t *o = json_object(), *dropped = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		json_object_set_new(o, figures[i].name, number(*figure(f, i)));
	for (enum export_dropped d = 0; d < EXPORT_DROPPED_KINDS; d++)
		json_object_set_new(dropped, export_dropped_name(d), number(f->dropped[d]));
	json_object_set_new(o, "dropped", dropped);
	return o;
}

static json_t *write_mark(const struct cw_mark *m)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "seq", number(m->seq), "minute_seq", number(m->minute_seq), "figures",
			 write_figures(&m->n), "told", write_figures(&m->told), "told_seq", number(m->told_seq), "metered",
			 number(m->metered));
}

static json_t *write_anchor(const struct cw_anchor *a)
{
	return json_pack("{s:o, s:s}", "seq", number(a->seq), "hash", a->hash);
}

static json_t *write_intent(const struct cw_intent *i)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "group", i->group, "stream", i->stream, "first",
			 number(i->first), "last", number(i->last), "batch", number(i->batch), "from_ms", (json_int_t)i->from_ms,
			 "to_ms", (json_int_t)i->to_ms, "sent_ms", (json_int_t)i->sent_ms, "anchor", write_anchor(&i->anchor),
			 "after", write_mark(&i->after));
}

static json_t *write_state(const struct cw_state *s, uint64_t saves)
{
	json_t *anchors = json_array();

	for (size_t i = 0; i < CW_ANCHORS && s->anchors[i].seq; i++)
		json_array_append_new(anchors, write_anchor(&s->anchors[i]));
	return json_pack("{s:i, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "v", 1, "saves", number(saves), "id",
			 s->id, "instance", s->instance, "hostname", s->hostname, "group", s->group, "stream", s->stream, "mark",
			 write_mark(&s->mark), "intent", s->intent.set ? write_intent(&s->intent) : json_null(), "anchors",
			 anchors, "event_max", number(s->event_max), "batch_max", number(s->batch_max), "group_made",
			 s->group_made, "retain_days", (json_int_t)s->retain_days);
}

/* --- and back ----------------------------------------------------------------------------- */

static bool read_number(const json_t *o, const char *name, uint64_t *ret)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static bool read_ms(const json_t *o, const char *name, int64_t *ret)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v))
		return false;
	*ret = json_integer_value(v);
	return true;
}

static bool read_text(const json_t *o, const char *name, char *ret, size_t size)
{
	const char *v = json_string_value(json_object_get(o, name));

	if (!v || strlen(v) >= size)
		return false;
	strcpy(ret, v);
	return true;
}

static bool read_figures(const json_t *o, struct cw_figures *ret)
{
	const json_t *dropped = json_object_get(o, "dropped");

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (!read_number(o, figures[i].name, figure(ret, i)))
			return false;
	for (enum export_dropped d = 0; d < EXPORT_DROPPED_KINDS; d++)
		if (!read_number(dropped, export_dropped_name(d), &ret->dropped[d]))
			return false;
	return true;
}

static bool read_mark(const json_t *o, struct cw_mark *ret)
{
	return read_number(o, "seq", &ret->seq) && read_number(o, "minute_seq", &ret->minute_seq) &&
	       read_figures(json_object_get(o, "figures"), &ret->n) && read_figures(json_object_get(o, "told"), &ret->told) &&
	       read_number(o, "told_seq", &ret->told_seq) && read_number(o, "metered", &ret->metered);
}

static bool read_anchor(const json_t *o, struct cw_anchor *ret)
{
	return read_number(o, "seq", &ret->seq) && read_text(o, "hash", ret->hash, sizeof(ret->hash));
}

static bool read_intent(const json_t *o, struct cw_intent *ret)
{
	ret->set = json_is_object(o);
	if (!ret->set)
		return json_is_null(o);
	return read_text(o, "group", ret->group, sizeof(ret->group)) && read_text(o, "stream", ret->stream, sizeof(ret->stream)) &&
	       read_number(o, "first", &ret->first) && read_number(o, "last", &ret->last) && read_number(o, "batch", &ret->batch) &&
	       read_ms(o, "from_ms", &ret->from_ms) && read_ms(o, "to_ms", &ret->to_ms) && read_ms(o, "sent_ms", &ret->sent_ms) &&
	       read_anchor(json_object_get(o, "anchor"), &ret->anchor) && read_mark(json_object_get(o, "after"), &ret->after);
}

static bool read_anchors(const json_t *list, struct cw_anchor ret[static CW_ANCHORS])
{
	if (!json_is_array(list) || json_array_size(list) > CW_ANCHORS)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_anchor(json_array_get(list, i), &ret[i]))
			return false;
	return true;
}

static bool read_state(const json_t *o, struct cw_state *ret, uint64_t *ret_saves)
{
	uint64_t days;

	if (json_integer_value(json_object_get(o, "v")) != 1 || !read_number(o, "retain_days", &days))
		return false;
	ret->retain_days = (unsigned)MIN(days, 100000u);
	ret->group_made = json_is_true(json_object_get(o, "group_made"));
	return read_number(o, "saves", ret_saves) && read_text(o, "id", ret->id, sizeof(ret->id)) &&
	       read_text(o, "instance", ret->instance, sizeof(ret->instance)) &&
	       read_text(o, "hostname", ret->hostname, sizeof(ret->hostname)) &&
	       read_text(o, "group", ret->group, sizeof(ret->group)) && read_text(o, "stream", ret->stream, sizeof(ret->stream)) &&
	       read_mark(json_object_get(o, "mark"), &ret->mark) && read_intent(json_object_get(o, "intent"), &ret->intent) &&
	       read_anchors(json_object_get(o, "anchors"), ret->anchors) && read_number(o, "event_max", &ret->event_max) &&
	       read_number(o, "batch_max", &ret->batch_max);
}

/* --- the file ------------------------------------------------------------------------------ */

/* "DIGEST {...}\n" and spaces to the place's end. */
static bool read_place(const char *place, size_t len, struct cw_state *ret, uint64_t *ret_saves)
{
	char sum[DIGEST_LEN + 1];
	const char *end = len > DIGEST_LEN + 1 ? memchr(place, '\n', len) : NULL;

	if (!end || end < place + DIGEST_LEN + 1 || place[DIGEST_LEN] != ' ')
		return false;
	const char *text = place + DIGEST_LEN + 1;
	if (cw_digest(text, (size_t)(end - text), sum) || memcmp(sum, place, DIGEST_LEN))
		return false;
	json_t *o = json_loadb(text, (size_t)(end - text), 0, NULL);
	struct cw_state s = {};
	bool good = read_state(o, &s, ret_saves);

	json_decref(o);
	if (good)
		*ret = s;
	return good;
}

static int load(struct cw_cursor *c, struct cw_state *ret, bool *ret_lost)
{
	_cleanup_free_ char *all = calloc(PLACES, PLACE_SIZE);
	size_t len = 0;
	int err = all ? fd_read(c->fd, all, (size_t)PLACES * PLACE_SIZE, &len) : -ENOMEM;
	bool any = false, found = false;

	if (err)
		return err;
	for (size_t i = 0; i < PLACES; i++) {
		struct cw_state s;
		uint64_t saves;
		size_t at = i * PLACE_SIZE, n = len > at ? MIN(len - at, (size_t)PLACE_SIZE) : 0;

		any = any || (n && all[at] != ' ');
		if (!n || !read_place(all + at, n, &s, &saves) || (found && saves < c->saves))
			continue;
		*ret = s;
		c->saves = saves;
		found = true;
	}
	*ret_lost = any && !found;
	return 0;
}

/* Room for both places, so that no later write needs any. */
static int make_room(int fd, int dir)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size == PLACES * PLACE_SIZE)
		return 0;
	_cleanup_free_ char *blank = malloc((size_t)PLACES * PLACE_SIZE);
	if (!blank)
		return -ENOMEM;
	memset(blank, ' ', (size_t)PLACES * PLACE_SIZE);
	off_t from = MIN(st.st_size, (off_t)PLACES * PLACE_SIZE);
	ssize_t n = (ssize_t)(PLACES * PLACE_SIZE - from);

	if (pwrite(fd, blank, (size_t)n, from) != n)
		return errno ? -errno : -EIO;
	if (ftruncate(fd, PLACES * PLACE_SIZE) || fsync(fd) || fsync(dir))
		return -errno;
	return 0;
}

static int open_file(const char *dir, const char *socket, int *ret_fd)
{
	_cleanup_close_ int at = state_dir_open(dir), fd = -1;
	char name[NAME_MAX + 1];

	if (at < 0)
		return at;
	state_file_name(socket, SUFFIX, name);
	fd = openat(at, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	int err = make_room(fd, at);
	if (err)
		return err;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int cw_cursor_open(const char *dir, const char *socket, struct cw_cursor **ret, struct cw_state *ret_state, bool *ret_lost)
{
	_cleanup_(cw_cursor_closep) struct cw_cursor *c = calloc(1, sizeof(*c));
	struct cw_state s = {};
	bool lost = false;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	int err = open_file(dir, socket, &c->fd);
	if (!err)
		err = load(c, &s, &lost);
	if (err)
		return err;
	*ret_state = s;
	*ret_lost = lost;
	*ret = c;
	c = NULL;
	return 0;
}

struct cw_cursor *cw_cursor_close(struct cw_cursor *c)
{
	if (!c)
		return NULL;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	return NULL;
}

int cw_cursor_save(struct cw_cursor *c, const struct cw_state *s)
{
	json_t *o = write_state(s, c->saves + 1);
	_cleanup_free_ char *text = o ? json_dumps(o, JSON_COMPACT) : NULL, *place = malloc(PLACE_SIZE);
	size_t len = text ? strlen(text) : 0;
	char sum[DIGEST_LEN + 1];

	json_decref(o);
	if (!text || !place)
		return -ENOMEM;
	if (DIGEST_LEN + 1 + len + 1 > PLACE_SIZE)
		return -EFBIG;
	int err = cw_digest(text, len, sum);
	if (err)
		return err;
	memset(place, ' ', PLACE_SIZE);
	memcpy(place, sum, DIGEST_LEN);
	memcpy(place + DIGEST_LEN + 1, text, len);
	place[DIGEST_LEN + 1 + len] = '\n';
	/* never over the one that holds */
	ssize_t n = pwrite(c->fd, place, PLACE_SIZE, (off_t)((c->saves + 1) % PLACES) * PLACE_SIZE);
	if (n != PLACE_SIZE)
		return n < 0 ? -errno : -EIO;
	if (fdatasync(c->fd))
		return -errno;
	c->saves++;
	return 0;
}

void cw_state_arrived(struct cw_state *s)
{
	s->mark = s->intent.after;
	if (s->intent.anchor.seq > s->anchors[0].seq) {
		memmove(s->anchors + 1, s->anchors, (CW_ANCHORS - 1) * sizeof(*s->anchors));
		s->anchors[0] = s->intent.anchor;
	}
	s->intent.set = false;
}
