/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One signed request. */
#include <string.h>

#include "user/export/aws_internal.h"
#include "user/export/sigv4.h"
#include "user/locked.h"

#define SIGNED_MAX 5

int64_t aws_now_s(const struct aws *a)
{
	return (int64_t)time(NULL) + a->clock_s;
}

unsigned aws_left_ms(const struct aws *a, unsigned most)
{
	uint64_t now = now_boot_ns();

	return now >= a->until_ns ? 1 : (unsigned)MIN((uint64_t)most, (a->until_ns - now) / 1000000 + 1);
}

struct head {
	struct aws_http_header h[AWS_HTTP_HEADERS_MAX];
	size_t n, nsigned;
	char authority[AWS_AUTHORITY_LEN], authorization[SIGV4_LEN], date[SIGV4_DATE_LEN];
};

static void add(struct head *h, const char *name, const char *value)
{
	if (value && *value)
		h->h[h->n++] = (struct aws_http_header){name, value};
}

static int sign(struct aws *a, const struct aws_sending *s, const struct aws_url *url, struct head *h)
{
	struct sigv4_header headers[SIGNED_MAX + 1];
	struct sigv4 q = {.access_key = s->by->access, .secret_key = s->by->secret, .region = a->region, .service = s->q->service,
			  .method = s->q->method ?: "POST", .headers = headers, .body = s->q->body, .len = s->q->len};
	_cleanup_free_ char *path = strdup(url->path);
	char *query = path ? strchr(path, '?') : NULL;
	int err;

	if (!path)
		return -ENOMEM;
	if (query)
		*query++ = '\0';
	q.path = path;
	q.query = query;
	for (; q.nheaders < h->n; q.nheaders++)
		headers[q.nheaders] = (struct sigv4_header){h->h[q.nheaders].name, h->h[q.nheaders].value};
	headers[q.nheaders++] = (struct sigv4_header){"host", h->authority};
	memcpy(q.date, h->date, sizeof(q.date));
	err = sigv4_sign(&q, h->authorization);
	add(h, "Authorization", h->authorization);
	return err;
}

/* What is signed comes first; what follows may change on its way without harm. */
static int make_head(struct aws *a, const struct aws_sending *s, const struct aws_url *url, struct head *h)
{
	int err = 0;

	aws_url_authority(url, h->authority);
	add(h, "Content-Type", s->q->content_type);
	add(h, "X-Amz-Target", s->q->target);
	if (s->by) {
		err = sigv4_date((time_t)aws_now_s(a), h->date);
		add(h, "X-Amz-Date", h->date);
		add(h, "X-Amz-Security-Token", s->by->token);
		if (!err)
			err = sign(a, s, url, h);
	}
	if (!strcmp(s->q->service, "sts"))
		add(h, "Accept", "application/json"); /* else it speaks XML */
	return err;
}

int aws_send(struct aws *a, const struct aws_sending *s, struct aws_http_answer *ret, char why[static AWS_WHY_LEN])
{
	_cleanup_locked_ struct head *h = locked_alloc(sizeof(*h));
	struct aws_url url;
	struct aws_http_request q = {.url = &url, .method = s->q->method ?: "POST", .body = s->q->body, .len = s->q->len,
				     .timeout_ms = aws_left_ms(a, s->q->timeout_ms ?: AWS_CALL_MS), .to = s->to, .room = s->room};
	int err = h ? aws_endpoint(a, s->q->service, &url, why) : -ENOMEM;

	if (err)
		return err;
	if (s->q->path && snprintf(url.path, sizeof(url.path), "%s", s->q->path) >= (int)sizeof(url.path))
		return -EINVAL;
	err = make_head(a, s, &url, h);
	if (err)
		return err;
	q.headers = h->h;
	q.nheaders = h->n;
	return aws_http_send(a->http, &q, ret);
}
