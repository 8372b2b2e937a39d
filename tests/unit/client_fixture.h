/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Real programs as clients of a socket here, whose bytes go into a talk as the kernel would have captured them. */
#ifndef SLUICE_CLIENT_FIXTURE_H
#define SLUICE_CLIENT_FIXTURE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/tls_fixture.h"
#include "user/dest/talk.h"

#define WAIT_MS 10000

static inline bool have_program(const char *name)
{
	const char *path = getenv("PATH");
	char dirs[4096], full[4352], *save = NULL;

	snprintf(dirs, sizeof(dirs), "%s", path ? path : "/usr/bin:/bin");
	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		snprintf(full, sizeof(full), "%s/%s", d, name);
		if (!access(full, X_OK))
			return true;
	}
	return false;
}

#define NEED_PROGRAM(name) \
	do { \
		if (!have_program(name)) { \
			print_message("no program " name " here\n"); \
			skip(); \
		} \
	} while (0)

/* On 127.0.0.1. */
static inline int bind_local(int type, uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !getsockname(fd, (struct sockaddr *)&a, &len));
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static inline pid_t start_program(char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0), dup2(null, 1), dup2(null, 2);
	execvp(argv[0], argv);
	_exit(127);
}

static inline void end_program(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline bool readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, WAIT_MS) == 1;
}

/* What the client must have said, and what it is told then; nothing to say first when `expect` is NULL. */
struct step {
	const char *expect;
	const char *say;
	size_t nsay; /* 0: a string */
};

struct dialogue {
	struct talk *t;
	int fd;
	uint32_t seq[2];
	uint8_t said[16384]; /* by the client since the last step */
	size_t n;
};

static inline void hear(struct dialogue *d, size_t n)
{
	talk_tcp(d->t, true, d->seq[1], d->said + d->n, n, n);
	d->seq[1] += (uint32_t)n;
	d->n += n;
}

static inline bool listen_more(struct dialogue *d)
{
	ssize_t n = readable(d->fd) && d->n < sizeof(d->said) ? recv(d->fd, d->said + d->n, sizeof(d->said) - d->n, 0) : 0;

	if (n > 0)
		hear(d, (size_t)n);
	return n > 0;
}

static inline void answer(struct dialogue *d, const void *data, size_t n)
{
	talk_tcp(d->t, false, d->seq[0], data, n, n);
	d->seq[0] += (uint32_t)n;
	assert_int_equal(send(d->fd, data, n, MSG_NOSIGNAL), n);
}

static inline void follow(struct dialogue *d, const struct step *s)
{
	for (; s->say; s++) {
		while (s->expect && !(d->n && memmem(d->said, d->n, s->expect, strlen(s->expect))))
			assert_true(listen_more(d));
		d->n = 0;
		answer(d, s->say, s->nsay ? s->nsay : strlen(s->say));
	}
}

/* The server's part of a handshake, until the talk is settled; `skip` bytes go before it. */
static inline void handshake(struct dialogue *d, size_t skip)
{
	SSL_CTX *ctx = server_context(&(struct tls_wish){0});
	SSL *ssl = end_of(ctx, false);
	uint8_t out[FLIGHT_ROOM];

	while (!talk_facts(d->t)->settled) {
		assert_true(listen_more(d));
		size_t part = MIN(skip, d->n);
		BIO_write(SSL_get_rbio(ssl), d->said + part, (int)(d->n - part));
		skip -= part;
		d->n = 0;
		SSL_do_handshake(ssl);
		int n = BIO_read(SSL_get_wbio(ssl), out, sizeof(out));
		if (n > 0)
			answer(d, out, (size_t)n);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

#define NO_TLS SIZE_MAX

/* Runs the program, which connects to the listening socket, through the steps, and a handshake behind `skip` bytes more. */
static inline void talk_with(int listening, char *const argv[], const struct step *steps, size_t skip, struct talk *t)
{
	pid_t pid = start_program(argv);
	struct dialogue *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	assert_true(readable(listening));
	*d = (struct dialogue){.t = t, .fd = accept(listening, NULL, NULL), .seq = {1, 0xffffff80u}};
	assert_true(d->fd >= 0);
	talk_tcp_start(t, true, d->seq[1]);
	talk_tcp_start(t, false, d->seq[0]);
	follow(d, steps);
	if (skip != NO_TLS)
		handshake(d, skip);
	close(d->fd);
	free(d);
	end_program(pid);
}

#endif
