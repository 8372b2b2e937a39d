/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/server.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "user/json_write.h"
#include "user/unix_listen.h"
#include "user/watch.h"

#define EVICT_IDLE_NS (5 * NSEC) /* a client silent for this long makes room for a new one */
#define ACCEPT_PAUSE_NS NSEC	 /* when the system has no descriptor left */
#define REST_FACTOR 3		 /* rest this many times what an answer took */
#define REST_MIN_NS (NSEC / 1000)
#define ACCEPT_REST_NS (NSEC / 200) /* likewise, so that nobody keeps us busy by connecting */
#define SEND_STEP (1u << 20)	    /* bytes sent to one client per call */

enum { FD_LISTEN, FD_TIMER, FD_CLIENTS };

struct peer {
	int fd; /* -1: free */
	struct ucred cred;
	bool eof;	    /* sends no more, may still read */
	bool ends;	    /* closed once the reply is out */
	uint64_t active_ns; /* connected, or asked something complete */
	uint64_t progress_ns, reply_ns;
	char in[SERVER_REQUEST_MAX];
	size_t in_len;
	char *out;
	size_t out_len, out_done;
	struct watcher watcher; /* all zero: it never asked to watch */
};

struct server {
	struct unix_listener listener;
	int timer;
	server_answer answer;
	void *arg;
	struct watch *watch; /* NULL: nothing is to be watched */
	unsigned turn;	    /* the client whose request is looked at first */
	uint64_t rest_ns;   /* nothing is answered until then */
	uint64_t accept_ns; /* nobody is accepted until then */
	size_t buffered;
	struct peer peers[SERVER_CLIENTS_MAX];
};

int server_open(const char *path, server_answer answer, void *arg, struct server **ret)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct server){.listener.fd = -1, .answer = answer, .arg = arg};
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		s->peers[i].fd = -1;
	s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	r = s->timer < 0 ? -errno : unix_listen(path, SERVER_CLIENTS_MAX, &s->listener);
	if (r < 0) {
		server_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* --- clients ---------------------------------------------------------------- */

static void forget_reply(struct server *s, struct peer *p)
{
	s->buffered -= p->out_len;
	free(p->out);
	p->out = NULL;
	p->out_len = p->out_done = 0;
}

/* What the others watch is kept. */
static void keep_watched(struct server *s)
{
	unsigned whats = 0;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		whats |= s->peers[i].fd >= 0 ? s->peers[i].watcher.whats : 0;
	if (s->watch)
		watch_keep(s->watch, whats);
}

static void drop(struct server *s, struct peer *p)
{
	forget_reply(s, p);
	close(p->fd);
	p->fd = -1;
	if (p->watcher.whats)
		keep_watched(s);
}

static bool is_watching(const struct server *s, const struct peer *p)
{
	return s->watch && p->fd >= 0 && p->watcher.interval_ns;
}

/* Not even what the system keeps for it waits to be read. */
static bool has_read_all(const struct peer *p)
{
	int unread = 0;

	return ioctl(p->fd, SIOCOUTQ, &unread) < 0 || unread == 0;
}

/* Who waits for what is to come is not idle. */
static bool is_idle(const struct server *s, const struct peer *p)
{
	return !p->out && !(is_watching(s, p) && has_read_all(p));
}

/* The place for a new client of this user, or NULL. */
static struct peer *find_place(struct server *s, uid_t uid, uint64_t now)
{
	struct peer *free_one = NULL, *idle = NULL;
	unsigned same = 0, others = 0;
	bool crowd, full;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		same += s->peers[i].fd >= 0 && s->peers[i].cred.uid == uid;
		others += s->peers[i].fd >= 0 && s->peers[i].cred.uid != 0;
	}
	crowd = uid != 0 && same >= SERVER_CLIENTS_USER_MAX;
	full = uid != 0 && others >= SERVER_CLIENTS_MAX - SERVER_CLIENTS_ROOT;
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct peer *p = &s->peers[i];

		if (p->fd < 0)
			free_one = p;
		else if (is_idle(s, p) && (!crowd || p->cred.uid == uid) && (!full || p->cred.uid != 0) &&
			 (!idle || p->active_ns < idle->active_ns))
			idle = p;
	}
	if (free_one && !crowd && !full)
		return free_one;
	if (!idle || now - idle->active_ns < EVICT_IDLE_NS)
		return NULL;
	drop(s, idle);
	return idle;
}

static void turn_away(int fd)
{
	static const char text[] =
	    "{\"error\":\"too many clients are connected: close one, or try again\"}\n";

	send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void accept_clients(struct server *s, uint64_t now)
{
	s->accept_ns = now + ACCEPT_REST_NS;
	for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct ucred cred = {};
		socklen_t len = sizeof(cred);
		int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				s->accept_ns = now + ACCEPT_PAUSE_NS;
			return;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
			close(fd);
			continue;
		}
		struct peer *p = find_place(s, cred.uid, now);
		if (!p) {
			turn_away(fd);
			continue;
		}
		*p = (struct peer){.fd = fd, .cred = cred, .active_ns = now};
	}
}

/* --- replies ---------------------------------------------------------------- */

static size_t room(const struct server *s)
{
	return MIN(SERVER_REPLY_MAX, SERVER_BUFFERED_MAX - s->buffered);
}

/* Takes the text over. */
static void set_text(struct server *s, struct peer *p, const struct json_text *text, uint64_t now)
{
	p->out = text->data;
	p->out_len = text->len;
	p->out_done = 0;
	s->buffered += text->len;
	p->reply_ns = p->progress_ns = now;
}

/* -EFBIG: no room for it, now or ever; or no memory. */
static int set_reply(struct server *s, struct peer *p, const json_t *reply, uint64_t now)
{
	struct json_text text = {.max = room(s)};

	if (json_write(&text, reply) < 0 || json_write_raw(&text, "\n", 1) < 0) {
		free(text.data);
		return -EFBIG;
	}
	set_text(s, p, &text, now);
	return 0;
}

static void reply_error(struct server *s, struct peer *p, const char *text, uint64_t now)
{
	json_t *e = json_pack("{s:s}", "error", text);

	if (!e || set_reply(s, p, e, now) < 0)
		drop(s, p);
	json_decref(e);
}

static void subscribe(struct server *s, struct peer *p, const json_t *request, uint64_t now)
{
	const char *why;

	if (watch_subscribe(request, &p->watcher, &why))
		reply_error(s, p, why, now);
	else
		keep_watched(s);
}

static void answer_line(struct server *s, struct peer *p, const char *line, size_t len,
			uint64_t now)
{
	json_error_t e;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e), *reply;

	if (!json_is_object(request)) {
		json_decref(request);
		reply_error(
		    s, p, "a request is one JSON object on one line, such as {\"show\":\"flows\"}",
		    now);
		return;
	}
	if (s->watch && json_object_get(request, "watch")) {
		subscribe(s, p, request, now);
		json_decref(request);
		return;
	}
	reply = s->answer(s->arg, request);
	json_decref(request);
	if (!reply)
		reply_error(s, p, "the monitor has no memory left for this answer", now);
	else if (set_reply(s, p, reply, now) < 0)
		reply_error(
		    s, p, "the answer is too large just now: try again, or read the records", now);
	json_decref(reply);
}

/* --- what is watched ----------------------------------------------------------- */

void server_offer(struct server *s, struct watch *w)
{
	s->watch = w;
}

void server_ticked(struct server *s)
{
	uint64_t now = now_boot_ns();

	for (size_t i = 0; i < SERVER_CLIENTS_MAX && s->watch; i++)
		if (s->peers[i].fd >= 0)
			watch_ticked(s->watch, &s->peers[i].watcher, now);
}

/* When it is to be told more; UINT64_MAX: that is not known. */
static uint64_t push_due(const struct server *s, const struct peer *p)
{
	return is_watching(s, p) && !p->out && !p->eof ? p->watcher.due_ns : UINT64_MAX;
}

static void push(struct server *s, struct peer *p, uint64_t now)
{
	struct json_text text = {.max = room(s)};

	if (!has_read_all(p)) {
		watch_skip(s->watch, &p->watcher, now);
		return;
	}
	p->active_ns = now;
	if (watch_push(s->watch, &p->watcher, now, &text) < 0) {
		free(text.data);
		drop(s, p);
		return;
	}
	if (text.len)
		set_text(s, p, &text, now);
	else
		free(text.data);
}

/* --- input and output --------------------------------------------------------- */

static void receive(struct server *s, struct peer *p)
{
	if (p->in_len == sizeof(p->in))
		return;
	ssize_t n = recv(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, MSG_DONTWAIT);
	if (n > 0)
		p->in_len += (size_t)n;
	else if (n == 0)
		p->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		drop(s, p);
}

/* Length of the next whole request, its end included; 0: none yet. The end of input ends a line
 * too. */
static size_t next_line(const struct peer *p)
{
	const char *end = memchr(p->in, '\n', p->in_len);

	return end ? (size_t)(end - p->in) + 1 : p->eof ? p->in_len : 0;
}

static void read_request(struct server *s, struct peer *p, uint64_t now)
{
	size_t n = next_line(p);

	if (n == 0 && p->in_len == sizeof(p->in)) {
		p->ends = true;
		p->in_len = 0;
		reply_error(s, p, "the request is too long: 4096 bytes at most", now);
		return;
	}
	if (n == 0) {
		if (p->eof)
			drop(s, p);
		return;
	}
	p->active_ns = now;
	answer_line(s, p, p->in, n, now);
	memmove(p->in, p->in + n, p->in_len - n);
	p->in_len -= n;
}

static void send_reply(struct server *s, struct peer *p, uint64_t now)
{
	size_t step = MIN(p->out_len - p->out_done, SEND_STEP);
	ssize_t n = send(p->fd, p->out + p->out_done, step, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			drop(s, p);
		return;
	}
	p->out_done += (size_t)n;
	p->progress_ns = now;
	if (p->out_done < p->out_len)
		return;
	forget_reply(s, p);
	p->active_ns = now;
	if (p->ends)
		drop(s, p);
}

static uint64_t deadline(const struct peer *p)
{
	return MIN(p->progress_ns + SERVER_STALL_NS, p->reply_ns + SERVER_REPLY_NS);
}

static void handle_peer(struct server *s, struct peer *p, short events, uint64_t now)
{
	if (events & (POLLHUP | POLLERR | POLLNVAL)) {
		drop(s, p);
		return;
	}
	if (p->out && (events & POLLOUT))
		send_reply(s, p, now);
	if (p->fd >= 0 && p->out && now >= deadline(p))
		drop(s, p);
	if (p->fd >= 0 && (events & POLLIN) && !p->eof)
		receive(s, p);
}

/* Something is to be said to this client, once the server has rested. */
static bool wants_answer(const struct peer *p)
{
	return p->fd >= 0 && !p->out && (p->eof || p->in_len == sizeof(p->in) || next_line(p) > 0);
}

static uint64_t rest_until(uint64_t start)
{
	uint64_t end = now_boot_ns();

	return end + MAX(REST_FACTOR * (end - start), REST_MIN_NS);
}

static void answer_one(struct server *s)
{
	uint64_t now = now_boot_ns();

	for (unsigned i = 0; i < SERVER_CLIENTS_MAX && now >= s->rest_ns; i++) {
		struct peer *p = &s->peers[(s->turn + i) % SERVER_CLIENTS_MAX];

		if (wants_answer(p))
			read_request(s, p, now);
		else if (push_due(s, p) <= now)
			push(s, p, now);
		else
			continue;
		if (p->fd >= 0 && p->out)
			send_reply(s, p, now_boot_ns());
		s->turn = (s->turn + i + 1) % SERVER_CLIENTS_MAX;
		s->rest_ns = rest_until(now);
	}
}

/* --- the caller's loop ---------------------------------------------------------- */

static void set_timer(struct server *s)
{
	uint64_t at = s->accept_ns;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		const struct peer *p = &s->peers[i];
		uint64_t mine = p->fd < 0	  ? 0
				: p->out	  ? deadline(p)
				: wants_answer(p) ? MAX(s->rest_ns, 1)
						  : MAX(push_due(s, p), MAX(s->rest_ns, 1));

		if (mine && mine != UINT64_MAX && (!at || mine < at))
			at = mine;
	}
	struct itimerspec t = {
	    .it_value = {.tv_sec = (time_t)(at / NSEC), .tv_nsec = (long)(at % NSEC)}};
	timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

size_t server_fds(struct server *s, struct pollfd fds[static SERVER_FDS])
{
	set_timer(s);
	fds[FD_LISTEN] =
	    (struct pollfd){.fd = s->accept_ns ? -1 : s->listener.fd, .events = POLLIN};
	fds[FD_TIMER] = (struct pollfd){.fd = s->timer, .events = POLLIN};
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		const struct peer *p = &s->peers[i];
		bool reads = !p->out && !p->eof && !wants_answer(p);

		fds[FD_CLIENTS + i] = (struct pollfd){
		    .fd = p->fd,
		    .events = (short)((p->out ? POLLOUT : 0) | (reads ? POLLIN : 0)),
		};
	}
	return SERVER_FDS;
}

void server_handle(struct server *s, const struct pollfd *fds, size_t n)
{
	uint64_t now = now_boot_ns();

	if (n != SERVER_FDS)
		return;
	if (s->accept_ns && now >= s->accept_ns)
		s->accept_ns = 0;
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		if (s->peers[i].fd >= 0 && s->peers[i].fd == fds[FD_CLIENTS + i].fd)
			handle_peer(s, &s->peers[i], fds[FD_CLIENTS + i].revents, now);
	if (fds[FD_LISTEN].revents & POLLIN)
		accept_clients(s, now);
	answer_one(s);
}

struct server *server_close(struct server *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		if (s->peers[i].fd >= 0)
			drop(s, &s->peers[i]);
	unix_unlisten(&s->listener);
	closep(&s->timer);
	free(s);
	return NULL;
}
