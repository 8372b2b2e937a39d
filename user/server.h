/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The monitor's unix socket: one JSON request per line, one JSON line as reply. No call blocks; the
 * caller polls what server_fds() gives and then calls server_handle(). Answering takes at most a
 * quarter of the caller's time, whatever the clients do; making what they watch far less. Nothing here raises SIGPIPE.
 */
#ifndef SLUICE_SERVER_H
#define SLUICE_SERVER_H

#include <jansson.h>
#include <poll.h>
#include "user/util.h"

#define SERVER_CLIENTS_MAX 16
#define SERVER_CLIENTS_USER_MAX 8 /* of one user other than root */
#define SERVER_CLIENTS_ROOT 2	  /* places that nobody but root takes, however many users there are */
#define SERVER_REQUEST_MAX 4096	  /* bytes of a line, its newline included */
#define SERVER_REPLY_MAX (64u << 20)
#define SERVER_BUFFERED_MAX (128u << 20) /* replies not yet read, of all clients */
#define SERVER_STALL_NS (5 * NSEC)	 /* without reading a byte of a reply */
#define SERVER_REPLY_NS (60 * NSEC)	 /* for reading all of a reply */
#define SERVER_FDS (SERVER_CLIENTS_MAX + 2)

struct server;

/* Returns the reply, a new reference, or NULL for want of memory. `request` is a JSON object; it is
 * borrowed. */
typedef json_t *(*server_answer)(void *arg, const json_t *request);

/* Listens at `path`: mode 0660, group `sluice` if there is one. The socket file of a monitor that
 * died is replaced. -EADDRINUSE: a living one listens there; -EEXIST: something that is no socket
 * is there, and left alone; -ENAMETOOLONG; or what the system says. */
int server_open(const char *path, server_answer answer, void *arg, struct server **ret);

/* From now on clients may also watch: see watch.h. It is borrowed, and must outlive the server; NULL: no more. A client is told
 * no more before it has read what it was told. */
struct watch;
void server_offer(struct server *s, struct watch *w);
/* What is watched has something new. */
void server_ticked(struct server *s);

/* What to poll now; valid until the next server_handle(). Returns the number filled in. */
size_t server_fds(struct server *s, struct pollfd fds[static SERVER_FDS]);
void server_handle(struct server *s, const struct pollfd *fds, size_t n);

/* Ends all connections and removes the socket file if it is still this server's. Returns NULL. */
struct server *server_close(struct server *s);

#endif
