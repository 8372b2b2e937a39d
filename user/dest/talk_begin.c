/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <ctype.h>
#include <string.h>

#include "user/dest/bytes.h"
#include "user/dest/talk_internal.h"
#include "user/dest/tls_server.h"

#define RECORD_MOST (16384 + 2048) /* RFC 5246, 6.2.3 */
#define SSH_LINE_MOST 255	   /* RFC 4253, 4.2 */
#define SSH_PACKET_MOST 35000	   /* RFC 4253, 6.1 */
#define SSH_KEXINIT 20

bool is_noise(const uint8_t *p, size_t n)
{
	size_t low = 0, first;

	n = MIN(n, 64);
	for (size_t i = 0; i < n; i++)
		low += p[i] < 0x7f;
	for (first = 0; first < n && p[first] < 0x7f; first++)
		;
	return first < 10 && low * 10 < n * 7; /* half of random bytes are low */
}

/* --- TLS ----------------------------------------------------------------------------------- */

static bool is_record(const uint8_t *p)
{
	return p[0] >= 20 && p[0] <= 24 && p[1] == 3 && p[2] <= 4 && (p[3] << 8 | p[4]) <= RECORD_MOST;
}

/* Who says hello and then goes on in plain has not begun TLS. */
static bool records_follow(const struct view *v)
{
	size_t at = 0;

	while (at + 5 <= v->n) {
		if (!is_record(v->p + at))
			return false;
		at += 5 + (size_t)(v->p[at + 3] << 8 | v->p[at + 4]);
	}
	return true;
}

static enum begin tls_begin(const struct view *v, struct beginning *ret)
{
	enum tls_state client = v->cut ? tls_hello_parse_cut(v->p, v->n, &ret->hello) : tls_hello_parse(v->p, v->n, &ret->hello);

	ret->sure = client == TLS_HELLO;
	if (client == TLS_HELLO)
		return records_follow(v) ? BEGIN_CLIENT : BEGIN_OTHER;
	if (client == TLS_MORE)
		return v->cut ? BEGIN_DIM : BEGIN_HELLO_PART;
	enum tls_state server = tls_server_parse(v->p, v->n, &ret->version);
	ret->sure = server == TLS_HELLO;
	if (server == TLS_HELLO)
		return records_follow(v) ? BEGIN_SERVER : BEGIN_OTHER;
	if (server == TLS_MORE)
		return v->cut ? BEGIN_DIM : BEGIN_PART;
	return BEGIN_OTHER;
}

/* --- SSH (RFC 4253) -------------------------------------------------------------------------- */

/* 0: what is there is none; *ret_more: it may become one. */
static size_t ssh_line(const struct view *v, bool *ret_more)
{
	static const char *const begins[] = {"SSH-2.0-", "SSH-1.99-"};
	bool found = false;
	size_t n = 0;

	*ret_more = false;
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		found |= !memcmp(v->p, begins[i], MIN(v->n, strlen(begins[i])));
	if (!found)
		return 0;
	while (n < v->n && n < SSH_LINE_MOST && (isprint(v->p[n]) || v->p[n] == '\r'))
		n++;
	*ret_more = n == v->n && n < SSH_LINE_MOST;
	return n < v->n && v->p[n] == '\n' ? n + 1 : 0;
}

/* The packet behind the line can only begin the key exchange. */
static bool ssh_exchange(struct bytes b, bool *ret_sure)
{
	uint32_t len = take(&b, 4), padding = take(&b, 1), message = take(&b, 1);

	*ret_sure = !b.cut;
	return b.cut || (len >= 16 && len <= SSH_PACKET_MOST && padding >= 4 && padding < len && message == SSH_KEXINIT);
}

static enum begin ssh_begin(const struct view *v, struct beginning *ret)
{
	bool more;
	size_t line = ssh_line(v, &more);

	if (!line)
		return more && !v->cut ? BEGIN_PART : BEGIN_OTHER;
	return ssh_exchange((struct bytes){v->p + line, v->n - line, false}, &ret->sure) ? BEGIN_SSH : BEGIN_OTHER;
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static enum begin http_begin(const struct view *v, struct beginning *ret)
{
	enum http_state s = http_head_parse(v->p, v->n, &ret->head);
	bool more;

	if (s == HTTP_REQUEST) {
		ret->token = http_head_has(v->p, v->n, "X-aws-ec2-metadata-token");
		return BEGIN_REQUEST;
	}
	if (http_is_response(v->p, v->n, &more))
		return BEGIN_RESPONSE;
	return !v->cut && (s == HTTP_MORE || more) ? BEGIN_PART : BEGIN_OTHER;
}

/* --- SOCKS ----------------------------------------------------------------------------------- */

/* Only where the direction is known to begin: few bytes are enough to look like it. */
static enum begin socks_begin(const struct view *v, struct beginning *ret)
{
	switch (v->told ? socks_parse(v->p, v->n, &ret->socks) : SOCKS_OTHER) {
	case SOCKS_REQUEST:
		ret->socks_version = v->p[0];
		return BEGIN_SOCKS;
	case SOCKS_MORE:
		return v->cut ? BEGIN_OTHER : BEGIN_PART;
	default:
		return BEGIN_OTHER;
	}
}

/* --- what a load balancer puts before it (HAProxy's PROXY protocol, 2.1 and 2.2) ---------------- */

#define PROXY_LINE_MOST 107

static const uint8_t proxy_mark[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* Bytes of a header's line or of its binary form; 0: none; *ret_more: it may become one. */
static size_t proxy_header(const struct view *v, bool *ret_more)
{
	bool line = !memcmp(v->p, "PROXY ", MIN(v->n, 6)), binary = !memcmp(v->p, proxy_mark, MIN(v->n, sizeof(proxy_mark)));
	const uint8_t *end = line ? memmem(v->p, MIN(v->n, PROXY_LINE_MOST), "\r\n", 2) : NULL;

	*ret_more = (line && !end && v->n < PROXY_LINE_MOST) || (binary && v->n < 16);
	if (end)
		return (size_t)(end - v->p) + 2;
	if (!binary || v->n < 16 || v->p[12] >> 4 != 2)
		return 0;
	size_t len = 16 + (size_t)(v->p[14] << 8 | v->p[15]);
	*ret_more = len > v->n;
	return len;
}

/* True: the view now begins behind it. */
static bool skip_proxy_header(struct view *v, bool *ret_more)
{
	size_t len = proxy_header(v, ret_more);

	if (!len || *ret_more)
		return false;
	v->p += len;
	v->n -= len;
	return true;
}

/* --- all ----------------------------------------------------------------------------------- */

static enum begin known_begin(const struct view *v, struct beginning *ret)
{
	if (v->p[0] == 22)
		return tls_begin(v, ret);
	if (tls_is_alert(v->p, v->n))
		return BEGIN_ALERT;
	if (v->p[0] == 'S') {
		enum begin ssh = ssh_begin(v, ret);
		if (ssh != BEGIN_OTHER)
			return ssh;
	}
	if (v->p[0] == 4 || v->p[0] == 5)
		return socks_begin(v, ret);
	return http_begin(v, ret);
}

/* Without a known start it may be the middle of something else. */
static bool may_be_middle(const struct view *v, const struct beginning *b)
{
	return !v->told && !b->sure && (is_noise(v->p, v->n) || (v->n >= 5 && is_record(v->p)));
}

void beginning_of(const struct view *v, struct beginning *ret)
{
	struct view behind = *v;
	bool more;

	*ret = (struct beginning){.what = v->hole ? BEGIN_DIM : BEGIN_NONE};
	if (!v->n)
		return;
	bool skipped = skip_proxy_header(&behind, &more);
	if (!behind.n || (more && !v->cut)) {
		ret->what = BEGIN_PART;
		return;
	}
	ret->what = known_begin(&behind, ret);
	if (ret->what == BEGIN_OTHER && !skipped && may_be_middle(v, ret))
		ret->what = BEGIN_DIM;
}
