/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Asking a running monitor through its socket. */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include <jansson.h>
#include "user/util.h"

#define CLIENT_REPLY_MAX (65u << 20) /* bytes of one reply; just above what a server sends */

struct client;

struct client_error {
	char text[512]; /* one line: what is wrong and what to do; safe for a terminal */
};

/* -ENOENT: no monitor runs there; -EACCES; -ENOTSOCK; -ETIMEDOUT; or what the system says. */
int client_open(const char *path, unsigned timeout_ms, struct client **ret,
		struct client_error *ret_error);

/* One request, one reply: a JSON object, owned by the caller. After an error other than -EREMOTEIO
 * (the monitor answered with an error) the connection is of no more use. -ETIMEDOUT; -ECONNRESET:
 * the monitor ended or dropped us; -EFBIG; -EPROTO: no JSON object came. */
int client_ask(struct client *c, const json_t *request, unsigned timeout_ms, json_t **ret_reply,
	       struct client_error *ret_error);

/* Ends the client and hands its socket over, which does not block. */
int client_release(struct client *c);

struct client *client_close(struct client *c);
static inline void client_closep(struct client **c)
{
	client_close(*c);
}

#endif
