/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/json_lines.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define READ_BYTES 65536

struct reading {
	const char *name;
	int (*raw)(void *arg, const char *line, size_t len);
	int (*each)(void *arg, json_t *value, struct json_lines_why *ret_why);
	void *arg;
	int fd;
	char *data;
	size_t len, size;
	struct json_lines_error *error;
};

__attribute__((format(printf, 4, 5))) static int refuse(struct reading *r, uint64_t line, int column, const char *format,
							...)
{
	char raw[sizeof(r->error->text)];
	size_t n = (size_t)snprintf(raw, sizeof(raw), "%.160s:", r->name);
	va_list ap;

	if (line)
		n += (size_t)snprintf(raw + n, sizeof(raw) - n, "%llu:%d:", (unsigned long long)line, MAX(column, 1));
	n += (size_t)snprintf(raw + n, sizeof(raw) - n, " ");
	va_start(ap, format);
	vsnprintf(raw + n, sizeof(raw) - n, format, ap);
	va_end(ap);
	text_safe(r->error->text, sizeof(r->error->text), raw, strlen(raw));
	return -EINVAL;
}

static int fail(struct reading *r, int err)
{
	refuse(r, 0, 0, "%s", strerror(-err));
	return err;
}

/* More of the file behind what is there; 0: the end. */
static ssize_t more(struct reading *r)
{
	ssize_t n;

	if (r->len + READ_BYTES > r->size) {
		size_t size = MAX(2 * r->size, r->len + READ_BYTES);
		char *data = realloc(r->data, size);

		if (!data)
			return -ENOMEM;
		r->data = data;
		r->size = size;
	}
	do
		n = read(r->fd, r->data + r->len, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->len += (size_t)n;
	return n;
}

static int load(struct reading *r, const char *line, size_t n, uint64_t number, json_t **ret)
{
	json_error_t e;
	json_t *v = json_loadb(line, n, JSON_REJECT_DUPLICATES, &e);

	if (!v)
		return refuse(r, number, e.column, "%s", e.text);
	if (!json_is_object(v)) {
		json_decref(v);
		return refuse(r, number, 1, "no JSON object");
	}
	*ret = v;
	return 0;
}

static int hand_over(struct reading *r, const char *line, size_t n, uint64_t number)
{
	struct json_lines_why why = {"is refused"};
	json_t *v = NULL;
	int err = r->raw ? r->raw(r->arg, line, n) : 0;

	if (err)
		return err == 1 ? 0 : fail(r, err);
	err = load(r, line, n, number, &v);
	if (err)
		return err;
	err = r->each(r->arg, v, &why);
	json_decref(v);
	if (err == -EINVAL)
		return refuse(r, number, 1, "%s", why.text);
	return err ? fail(r, err) : 0;
}

/* What stands behind the last newline: a whole line whose newline is missing, or a torn one. */
static int last_line(struct reading *r, struct json_lines_end *end)
{
	json_t *v = r->len ? json_loadb(r->data, r->len, 0, NULL) : NULL;
	int err;

	if (!r->len)
		return 0;
	end->torn = !v;
	json_decref(v);
	if (end->torn)
		return 0;
	err = hand_over(r, r->data, r->len, end->lines + 1);
	end->lines += !err;
	return err;
}

static int read_all(struct reading *r, struct json_lines_end *end)
{
	size_t looked = 0;
	ssize_t n;

	while ((n = more(r)) > 0) {
		char *line = r->data, *stop;

		while ((stop = memchr(r->data + looked, '\n', r->len - looked))) {
			int err = hand_over(r, line, (size_t)(stop - line), end->lines + 1);

			if (err)
				return err;
			end->lines++;
			line = stop + 1;
			looked = (size_t)(line - r->data);
		}
		r->len -= (size_t)(line - r->data);
		memmove(r->data, line, r->len);
		looked = r->len;
		if (r->len > JSON_LINE_MAX)
			return refuse(r, end->lines + 1, 1, "longer than any record: %u MiB", JSON_LINE_MAX >> 20);
	}
	return n < 0 ? fail(r, (int)n) : last_line(r, end);
}

int json_lines_each(const char *path, int (*raw)(void *arg, const char *line, size_t len),
		    int (*each)(void *arg, json_t *value, struct json_lines_why *ret_why), void *arg, struct json_lines_end *ret_end,
		    struct json_lines_error *ret_error)
{
	bool standard = !strcmp(path, "-");
	_cleanup_close_ int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct reading r = {.name = standard ? "standard input" : path, .raw = raw, .each = each, .arg = arg,
			    .fd = standard ? STDIN_FILENO : opened, .error = ret_error};
	struct json_lines_end end = {0};
	int err = r.fd < 0 ? fail(&r, -errno) : read_all(&r, &end);

	free(r.data);
	if (!err)
		*ret_end = end;
	return err;
}
