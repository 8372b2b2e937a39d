/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_http.h"

#include <curl/curl.h>
#include <string.h>

#include "user/curl_begin.h"
#include "user/export/aws_error.h"
#include "user/locked.h"

#define ANSWER_MS 30000u
#define LOOK_MS 100 /* how often the stop flag is looked at */
#define HEADERS_BYTES_MAX 65536

struct aws_http {
	CURLM *multi;
	CURL *curl;
	const atomic_bool *stop;
	const char *ca; /* AWS_CA_BUNDLE */
};

struct exchange {
	const struct aws_http_request *q;
	struct aws_http_answer a;
	size_t given;	/* of the body, to libcurl */
	size_t headers; /* bytes */
	bool headed; /* the answer's headers came to their end */
	bool long_body, long_headers;
	char error[CURL_ERROR_SIZE];
};

/* --- life --------------------------------------------------------------------------------------- */

int aws_http_new(const atomic_bool *stop, struct aws_http **ret)
{
	struct aws_http *h = calloc(1, sizeof(*h));
	const char *ca = getenv("AWS_CA_BUNDLE");

	if (!h || curl_begin()) {
		free(h);
		return -ENOMEM;
	}
	h->stop = stop;
	h->ca = ca && *ca ? ca : NULL;
	h->multi = curl_multi_init();
	h->curl = curl_easy_init();
	if (!h->multi || !h->curl) {
		aws_http_free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

struct aws_http *aws_http_free(struct aws_http *h)
{
	if (!h)
		return NULL;
	if (h->curl)
		curl_easy_cleanup(h->curl);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	free(h);
	return NULL;
}

/* --- what libcurl calls ------------------------------------------------------------------------- */

/* There is no function to go back with: once something was given, libcurl cannot send the request a second time by itself. */
static size_t give(char *to, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t k = MIN(size * n, x->q->len - x->given);

	memcpy(to, (const char *)x->q->body + x->given, k);
	x->given += k;
	return k;
}

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t k = size * n;

	if (k >= x->q->room - x->a.len) {
		x->long_body = true;
		return 0;
	}
	memcpy(x->q->to + x->a.len, data, k);
	x->a.len += k;
	return k;
}

struct line {
	const char *at;
	size_t n;
};

static bool header_is(struct line *l, const char *name)
{
	size_t n = strlen(name);

	if (l->n <= n || strncasecmp(l->at, name, n) || l->at[n] != ':')
		return false;
	l->at += n + 1;
	l->n -= n + 1;
	while (l->n && (*l->at == ' ' || *l->at == '\t')) {
		l->at++;
		l->n--;
	}
	while (l->n && memchr(" \t\r\n", l->at[l->n - 1], 4))
		l->n--;
	return true;
}

static int64_t date_of(struct line l)
{
	char text[64];
	time_t t;

	if (l.n >= sizeof(text))
		return 0;
	memcpy(text, l.at, l.n);
	text[l.n] = '\0';
	t = curl_getdate(text, NULL);
	return t > 0 ? t : 0;
}

static void read_header(struct aws_http_answer *a, struct line l)
{
	if (header_is(&l, "x-amzn-RequestId") || header_is(&l, "x-amz-request-id"))
		text_safe(a->request_id, sizeof(a->request_id), l.at, l.n);
	else if (header_is(&l, "x-amzn-ErrorType"))
		aws_error_name(l.at, l.n, a->error);
	else if (header_is(&l, "Date"))
		a->date_s = date_of(l);
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t k = size * n;

	x->headers += k;
	if (x->headers > HEADERS_BYTES_MAX) {
		x->long_headers = true;
		return 0;
	}
	if (k > 5 && !strncasecmp(data, "HTTP/", 5)) { /* another answer: what an interim one said does not count */
		x->a.request_id[0] = x->a.error[0] = '\0';
		x->a.date_s = 0;
		x->headed = false;
	} else if (k <= 2 && memchr("\r\n", *data, 2))
		x->headed = true;
	else
		read_header(&x->a, (struct line){data, k});
	return k;
}

/* --- one request -------------------------------------------------------------------------------- */

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void wipe_list(struct curl_slist *list)
{
	for (const struct curl_slist *l = list; l; l = l->next)
		wipe(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static int add_line(struct curl_slist **list, const char *name, const char *value)
{
	size_t room = strlen(name) + strlen(value) + 3;
	_cleanup_locked_ char *line = NULL;
	struct curl_slist *longer;

	if (!is_clean(name) || !is_clean(value))
		return -EINVAL;
	line = locked_alloc(room);
	if (!line)
		return -ENOMEM;
	/* "Name;" is how libcurl sends one without a value; "Name:" would take it away. */
	snprintf(line, room, *value ? "%s: %s" : "%s;", name, value);
	longer = curl_slist_append(*list, line);
	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int make_headers(const struct aws_http_request *q, struct curl_slist **ret)
{
	static const char *const without[] = {"Expect:", "Accept:", "Content-Type:"};
	struct curl_slist *list = NULL;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(without) && !err; i++) { /* what libcurl would add: one of ours, further on, stays */
		struct curl_slist *longer = curl_slist_append(list, without[i]);

		err = longer ? 0 : -ENOMEM;
		list = longer ? longer : list;
	}
	for (size_t i = 0; i < q->nheaders && !err; i++)
		err = add_line(&list, q->headers[i].name, q->headers[i].value);
	if (err)
		wipe_list(list);
	else
		*ret = list;
	return err;
}

static void set_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_transport(struct aws_http *h, const struct aws_http_request *q)
{
	CURL *c = h->curl;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(q->connect_ms ? q->connect_ms : AWS_HTTP_CONNECT_MS));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(q->timeout_ms ? q->timeout_ms : ANSWER_MS));
	set_protocols(c);
	if (h->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->ca);
	if (q->direct) {
		curl_easy_setopt(c, CURLOPT_PROXY, "");
		curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	}
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* being told to stop, do not wait for a name server */
#endif
}

static void set_method(CURL *c, const struct aws_http_request *q)
{
	if (!strcmp(q->method, "GET"))
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	else {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->len);
	}
	if (strcmp(q->method, "GET") && strcmp(q->method, "POST"))
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

static void set_exchange(CURL *c, struct exchange *x)
{
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
}

static bool stopped(const struct aws_http *h)
{
	return h->stop && atomic_load(h->stop);
}

/* 0: it has ended, as *ret says. */
static int drive(struct aws_http *h, CURLcode *ret)
{
	int running = 1, left;

	while (running) {
		CURLMsg *m;

		if (stopped(h))
			return -ECANCELED;
		if (curl_multi_perform(h->multi, &running) || (running && curl_multi_poll(h->multi, NULL, 0, LOOK_MS, NULL)))
			return -ENOMEM;
		while ((m = curl_multi_info_read(h->multi, &left)))
			if (m->msg == CURLMSG_DONE)
				*ret = m->data.result;
	}
	return 0;
}

static bool may_have_arrived(struct aws_http *h, const struct exchange *x)
{
	long sent = 0;

	if (x->q->len)
		return x->given == x->q->len;
	curl_easy_getinfo(h->curl, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

static const char *why_none(const struct exchange *x, CURLcode code)
{
	if (x->long_body)
		return "the answer is too long";
	if (x->long_headers)
		return "the answer's headers are too long";
	if (!code || code == CURLE_SEND_FAIL_REWIND) /* this is what comes of not sending twice */
		return "the connection ended before the answer did";
	return *x->error ? x->error : curl_easy_strerror(code);
}

/* libcurl takes an end among the headers for a whole answer. */
static void conclude(struct aws_http *h, struct exchange *x, CURLcode code)
{
	const char *why = why_none(x, code);

	x->a.maybe_sent = may_have_arrived(h, x);
	x->a.too_long = x->long_body;
	x->q->to[x->a.len] = '\0';
	if (!code && x->headed) {
		curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &x->a.status);
		return;
	}
	wipe(x->q->to, x->a.len);
	x->a.len = 0;
	x->a.request_id[0] = x->a.error[0] = '\0';
	text_safe(x->a.why, sizeof(x->a.why), why, strlen(why));
}

static int perform(struct aws_http *h, struct exchange *x)
{
	CURLcode code = CURLE_RECV_ERROR;
	int err;

	if (curl_multi_add_handle(h->multi, h->curl))
		return -ENOMEM;
	err = drive(h, &code);
	if (!err)
		conclude(h, x, code);
	curl_multi_remove_handle(h->multi, h->curl);
	return err;
}

int aws_http_send(struct aws_http *h, const struct aws_http_request *q, struct aws_http_answer *ret)
{
	char authority[AWS_AUTHORITY_LEN];
	_cleanup_locked_ char *url = locked_alloc(AWS_AUTHORITY_LEN + AWS_PATH_LEN + 16);
	struct exchange x = {.q = q};
	struct curl_slist *headers = NULL;
	int err;

	if (!url)
		return -ENOMEM;
	if (!q->room || q->nheaders > AWS_HTTP_HEADERS_MAX || q->url->path[0] != '/')
		return -EINVAL;
	sprintf(url, "http%s://%s%s", q->url->tls ? "s" : "", aws_url_authority(q->url, authority), q->url->path);
	err = make_headers(q, &headers);
	if (err)
		return err;
	curl_easy_reset(h->curl);
	set_transport(h, q);
	set_method(h->curl, q);
	set_exchange(h->curl, &x);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	err = curl_easy_setopt(h->curl, CURLOPT_URL, url) ? -ENOMEM : perform(h, &x);
	curl_easy_reset(h->curl); /* nothing of ours is left in it */
	wipe_list(headers);
	if (!err)
		*ret = x.a;
	return err;
}
