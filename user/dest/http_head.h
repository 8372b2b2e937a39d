/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The head of an HTTP/1 request (RFC 9110, 9112): what is asked for, of whom. Also of HTTP/2's preface, which asks for nothing. */
#ifndef SLUICE_HTTP_HEAD_H
#define SLUICE_HTTP_HEAD_H

#include "user/dest/tls_hello.h"

#define HTTP_METHOD_LEN 16
#define HTTP_PATH_LEN 128

enum http_state {
	HTTP_MORE,    /* it begins with a usual method, but its first line is not all there */
	HTTP_OTHER,   /* no request */
	HTTP_REQUEST, /* *ret is filled from what is there */
};

struct http_head {
	char method[HTTP_METHOD_LEN];
	char path[HTTP_PATH_LEN]; /* without query, and without bytes that are no printable ASCII; cut where there is no more room */
	char host[TLS_NAME_LEN];  /* of the target where it names one, else of Host: lower case, no port; "": none */
	bool connect;		  /* CONNECT: what comes behind is between the client and `host` */
	bool proxied;		  /* to a proxy: CONNECT, or the target is a whole URL */
	bool strange;		  /* Host twice, folded lines, a host that is no name, someone's name before it */
	size_t len;		  /* bytes up to the end of the empty line; 0: it has not come */
};

/* *ret is untouched but for HTTP_REQUEST. */
enum http_state http_head_parse(const uint8_t *data, size_t n, struct http_head *ret);

/* Whether a whole line of the head has this field; case does not matter. */
bool http_head_has(const uint8_t *data, size_t n, const char *field);

/* Whether it begins as an HTTP/1 response does; *ret_more: it may become one. */
bool http_is_response(const uint8_t *data, size_t n, bool *ret_more);

#endif
