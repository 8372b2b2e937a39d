/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Documents of a running monitor: it is asked once, and tells what changes. */
#include "user/tui/feed_internal.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "user/client.h"

#define OPEN_MS 15000
#define RETRY_NS NSEC	     /* between looks for a monitor that went away */
#define AGAIN_NS NSEC	     /* the whole of a document is not asked for more often */
#define READ_STEP (64u << 10)
#define STEP_MAX (8u << 20)  /* bytes taken per step */
#define KEEP_MAX (1u << 20)  /* of a buffer that was needed for a long line once */

struct socket_feed {
	struct feed base;
	struct sockaddr_un addr;
	int fd; /* -1: none */
	uint64_t retry_ns; /* when there is none: when to look */
	bool ask; /* what is wanted is to be told to the monitor */
	unsigned refused; /* documents that the monitor does not tell; it said why */
	unsigned again; /* documents whose whole is to be asked for */
	uint64_t again_ns[FEED_WHATS]; /* when it was, last */
	char *out; /* a request that is not sent yet */
	size_t out_len, out_done;
	char *in;
	size_t in_len, in_size, in_looked; /* no line ends before in_looked */
	uint64_t heard_ns; /* 0: never */
};

static struct socket_feed *of(const struct feed *f)
{
	return (struct socket_feed *)f;
}

/* --- connection ------------------------------------------------------------------ */

static void hang_up(struct socket_feed *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->out);
	free(s->in);
	s->out = s->in = NULL;
	s->out_len = s->out_done = s->in_len = s->in_size = s->in_looked = 0;
	s->again = s->refused = 0;
	s->retry_ns = now_boot_ns() + RETRY_NS;
}

static void close_socket(struct feed *f)
{
	hang_up(of(f));
}

/* Nobody tells it anew. */
static void forget_unwanted(struct socket_feed *s)
{
	for (unsigned i = 0; i < FEED_WHATS; i++)
		if (!(s->base.whats & 1u << i))
			feed_doc_clear(s->base.docs[i]);
}

static void connect_again(struct socket_feed *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	s->retry_ns = now_boot_ns() + RETRY_NS;
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)) == 0) {
		s->fd = fd;
		s->ask = true;
		forget_unwanted(s);
		return;
	}
	if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
		feed_say_why(&s->base, "%s: %s", s->addr.sun_path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* --- asking --------------------------------------------------------------------------- */

static json_t *words_of(unsigned whats)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < FEED_WHATS; i++)
		if (whats & 1u << i)
			json_array_append_new(list, json_string(feed_word((enum feed_what)i)));
	return list;
}

static int make_request(struct socket_feed *s)
{
	json_t *request = json_pack("{s:o, s:I, s:o}", "watch", words_of(s->base.whats), "interval_ms",
				    (json_int_t)(s->base.interval_ns / 1000000), "again", words_of(s->again));
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

	json_decref(request);
	if (!text)
		return -ENOMEM;
	s->out = text;
	s->out_len = strlen(text) + 1;
	s->out_done = 0;
	text[s->out_len - 1] = '\n'; /* instead of the terminator: only bytes are sent */
	s->ask = false;
	s->again = 0;
	return 0;
}

static int say(struct socket_feed *s)
{
	ssize_t n;

	if (!s->out && s->ask) {
		int err = make_request(s);
		if (err)
			return err;
	}
	if (!s->out)
		return 0;
	n = send(s->fd, s->out + s->out_done, s->out_len - s->out_done, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	s->out_done += (size_t)n;
	if (s->out_done < s->out_len)
		return 0;
	free(s->out);
	s->out = NULL;
	return 0;
}

static void want(struct feed *f)
{
	of(f)->ask = true;
	of(f)->refused &= f->whats;
}

/* --- hearing ------------------------------------------------------------------------------ */

static void ask_again(struct socket_feed *s, unsigned what)
{
	uint64_t now = now_boot_ns();

	if (s->again_ns[what] && now - s->again_ns[what] < AGAIN_NS)
		return; /* the next line says again that it does not fit */
	s->again_ns[what] = now;
	s->again |= 1u << what;
	s->ask = true;
}

/* Returns the bit of the document that changed, 0, or -EPROTO. */
static int take_document(struct socket_feed *s, const char *word, json_t *line, size_t len)
{
	const char *error = json_string_value(json_object_get(line, "error"));
	enum watch_what what;
	int err;

	if (watch_parse(word, &what))
		return -EPROTO;
	if (!(s->base.whats & 1u << what))
		return 0; /* it was on its way when it was not wanted any more */
	if (error) {
		feed_say_why(&s->base, "%s: the monitor says: %s", word, error);
		s->refused |= 1u << what;
		return 0;
	}
	err = feed_doc_apply(s->base.docs[what], line, len);
	if (err == -ESTALE || err == -EFBIG) {
		ask_again(s, what);
		return 0;
	}
	if (err)
		return err;
	s->heard_ns = now_boot_ns();
	s->refused &= ~(1u << what);
	if (!s->refused)
		s->base.why[0] = '\0';
	return 1 << what;
}

static int take_line(struct socket_feed *s, const char *text, size_t len)
{
	json_error_t e;
	json_t *line = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e), *watch = json_object_get(line, "watch");
	const char *error = json_string_value(json_object_get(line, "error"));
	int r = -EPROTO;

	if (json_is_string(watch)) {
		r = take_document(s, json_string_value(watch), line, len);
	} else if (json_is_array(watch)) {
		r = 0;
	} else if (error) {
		feed_say_why(&s->base, "the monitor says: %s", error);
		r = -EREMOTEIO;
	}
	json_decref(line);
	return r;
}

static int grow(struct socket_feed *s)
{
	size_t size = MAX(2 * s->in_size, (size_t)READ_STEP);
	char *more;

	if (s->in_size - s->in_len >= READ_STEP / 2)
		return 0;
	if (s->in_len > CLIENT_REPLY_MAX)
		return -EFBIG;
	more = realloc(s->in, size);
	if (!more)
		return -ENOMEM;
	s->in = more;
	s->in_size = size;
	return 0;
}

static void drop_taken(struct socket_feed *s, size_t n)
{
	memmove(s->in, s->in + n, s->in_len - n);
	s->in_len -= n;
	s->in_looked = s->in_len;
	if (s->in_size > KEEP_MAX && s->in_len < READ_STEP) {
		char *less = realloc(s->in, READ_STEP);

		if (less) {
			s->in = less;
			s->in_size = READ_STEP;
		}
	}
}

/* Every whole line. Returns the bits of what changed or what is wrong. */
static int take_lines(struct socket_feed *s)
{
	size_t done = 0;
	int changed = 0;

	for (;;) {
		size_t from = MAX(done, s->in_looked);
		const char *end = memchr(s->in + from, '\n', s->in_len - from);

		if (!end)
			break;
		int r = take_line(s, s->in + done, (size_t)(end - s->in) - done);
		if (r < 0)
			return r;
		changed |= r;
		done = (size_t)(end - s->in) + 1;
	}
	drop_taken(s, done);
	return changed;
}

static int hear(struct socket_feed *s)
{
	size_t taken = 0;
	int changed = 0;

	while (taken < STEP_MAX) {
		int r = grow(s);
		if (r < 0)
			return r;
		ssize_t n = recv(s->fd, s->in + s->in_len, s->in_size - s->in_len, 0);
		if (n == 0)
			return changed ? changed : -ECONNRESET; /* the next step hears it once more */
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? changed : -errno;
		s->in_len += (size_t)n;
		taken += (size_t)n;
		r = take_lines(s);
		if (r < 0)
			return r;
		changed |= r;
	}
	return changed;
}

/* --- the feed ----------------------------------------------------------------------------- */

static int poll_socket(const struct feed *f, short *ret_events, int *ret_timeout_ms)
{
	const struct socket_feed *s = of(f);
	uint64_t now = now_boot_ns();

	*ret_events = (short)(POLLIN | (s->fd >= 0 && (s->out || s->ask) ? POLLOUT : 0));
	*ret_timeout_ms = s->fd >= 0 ? -1 : now >= s->retry_ns ? 0 : (int)((s->retry_ns - now) / 1000000 + 1);
	return s->fd;
}

static void tell_lost(struct socket_feed *s, int error)
{
	if (error == -EREMOTEIO)
		return; /* it said why */
	if (error == -EPROTO)
		feed_say_why(&s->base, "what listens at %s does not speak as a monitor does", s->addr.sun_path);
	else if (error == -EFBIG)
		feed_say_why(&s->base, "what listens at %s sends a line longer than %u MiB", s->addr.sun_path,
			     CLIENT_REPLY_MAX >> 20);
	else if (error == -ECONNRESET || error == -EPIPE)
		feed_say_why(&s->base, "the monitor at %s ended or hung up", s->addr.sun_path);
	else
		feed_say_why(&s->base, "%s: %s", s->addr.sun_path, strerror(-error));
}

static int step_socket(struct feed *f)
{
	struct socket_feed *s = of(f);
	int r;

	if (s->fd < 0 && now_boot_ns() >= s->retry_ns)
		connect_again(s);
	if (s->fd < 0)
		return 0;
	r = hear(s); /* before anything is said: one that turned us away said why */
	if (r >= 0) {
		int err = say(s);
		r = err ? err : r;
	}
	if (r >= 0)
		return r;
	tell_lost(s, r);
	hang_up(s);
	return 0;
}

static enum feed_state state_socket(const struct feed *f)
{
	return of(f)->fd >= 0 ? FEED_LIVE : FEED_LOST;
}

static uint64_t age_socket(const struct feed *f)
{
	return of(f)->heard_ns ? now_boot_ns() - of(f)->heard_ns : UINT64_MAX;
}

static const struct feed_ops socket_ops = {
	.close = close_socket, .want = want, .poll = poll_socket, .step = step_socket, .state = state_socket, .age = age_socket,
};

/* Until health was told, or it says why it will not. */
static int first_word(struct socket_feed *s, struct feed_error *ret_error)
{
	uint64_t end = now_boot_ns() + OPEN_MS * (NSEC / 1000);

	while (!feed_document(&s->base, FEED_HEALTH)) {
		struct pollfd p = {.fd = s->fd, .events = (short)(POLLIN | (s->out || s->ask ? POLLOUT : 0))};
		uint64_t now = now_boot_ns();

		if (now >= end)
			return feed_fail(ret_error, -ETIMEDOUT,
					 "the monitor at %s did not answer within %u s: it may be overloaded, try again",
					 s->addr.sun_path, OPEN_MS / 1000);
		if (poll(&p, 1, (int)((end - now) / 1000000 + 1)) < 0 && errno != EINTR)
			return feed_fail(ret_error, -errno, "%s: %s", s->addr.sun_path, strerror(errno));
		step_socket(&s->base);
		if (s->fd < 0)
			return feed_fail(ret_error, -ECONNRESET, "%s", s->base.why);
	}
	return 0;
}

int feed_watch(int fd, const char *path, struct feed **ret, struct feed_error *ret_error)
{
	struct socket_feed *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		close(fd);
		return feed_fail(ret_error, -ENOMEM, "no memory");
	}
	s->fd = fd;
	s->ask = true;
	s->addr.sun_family = AF_UNIX;
	snprintf(s->addr.sun_path, sizeof(s->addr.sun_path), "%s", path);
	err = feed_begin(&s->base, &socket_ops);
	if (err)
		feed_fail(ret_error, err, "no memory");
	else
		err = first_word(s, ret_error);
	if (err) {
		feed_close(&s->base);
		return err;
	}
	*ret = &s->base;
	return 0;
}

int feed_open_socket(const char *path, struct feed **ret, struct feed_error *ret_error)
{
	struct client_error why = {};
	struct client *c;
	int err = client_open(path, OPEN_MS, &c, &why);

	if (err)
		return feed_fail(ret_error, err, "%s", why.text);
	return feed_watch(client_release(c), path, ret, ret_error);
}
