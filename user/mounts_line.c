/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A line of mountinfo, which is hostile: anyone who may mount writes there. */
#include "user/mounts_internal.h"

#include <string.h>
#include <sys/sysmacros.h>

void mount_point_clear(struct mount_point *p)
{
	free(p->root);
	free(p->path);
	free(p->fstype);
	free(p->source);
	free(p->options);
	*p = (struct mount_point){};
}

/* The next field of the line; false at its end. Fields are parted by single spaces. */
static bool next_field(const char **at, const char *end, const char **ret, size_t *ret_len)
{
	if (*at >= end)
		return false;
	const char *space = memchr(*at, ' ', (size_t)(end - *at));
	*ret = *at;
	*ret_len = (size_t)((space ? space : end) - *at);
	*at = space ? space + 1 : end;
	return true;
}

/* Undoes the kernel's \ooo for space, tab, newline, backslash and '#'. */
static char *unescape(const char *s, size_t len)
{
	char *out = malloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < len; i++) {
		const char *d = s + i + 1;

		if (s[i] == '\\' && len - i > 3 && d[0] >= '0' && d[0] <= '3' && d[1] >= '0' &&
		    d[1] <= '7' && d[2] >= '0' && d[2] <= '7') {
			out[n++] = (char)((d[0] - '0') << 6 | (d[1] - '0') << 3 | (d[2] - '0'));
			i += 3;
		} else {
			out[n++] = s[i];
		}
	}
	if (out)
		out[n] = '\0';
	return out;
}

static bool number(const char **s, const char *end, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	const char *from = *s;

	for (; *s < end && **s >= '0' && **s <= '9'; ++*s) {
		unsigned digit = (unsigned)(**s - '0');

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	return *s > from;
}

static bool number_field(const char **at, const char *end, uint64_t *ret)
{
	const char *s;
	size_t n;

	if (!next_field(at, end, &s, &n))
		return false;
	const char *stop = s + n;
	return number(&s, stop, UINT64_MAX, ret) && s == stop;
}

static bool device_field(const char **at, const char *end, dev_t *ret)
{
	const char *s;
	size_t n;
	uint64_t major, minor;

	if (!next_field(at, end, &s, &n))
		return false;
	const char *stop = s + n;
	if (!number(&s, stop, UINT32_MAX, &major) || s == stop || *s++ != ':' ||
	    !number(&s, stop, UINT32_MAX, &minor) || s != stop)
		return false;
	*ret = makedev((unsigned)major, (unsigned)minor);
	return true;
}

/* 0, -EINVAL for what is no path or text field, -ENOMEM. */
static int text_field(const char **at, const char *end, char **ret)
{
	const char *s;
	size_t n;

	if (!next_field(at, end, &s, &n) || memchr(s, '\0', n))
		return -EINVAL;
	*ret = unescape(s, n);
	return *ret ? 0 : -ENOMEM;
}

/* Skips the options and the optional fields up to the lone "-". */
static bool skip_optional(const char **at, const char *end)
{
	const char *s;
	size_t n;

	if (!next_field(at, end, &s, &n))
		return false;
	while (next_field(at, end, &s, &n))
		if (n == 1 && *s == '-')
			return true;
	return false;
}

int mount_line_parse(const char *at, const char *end, struct mount_point *ret)
{
	struct mount_point p = {};
	int err = -EINVAL;

	if (number_field(&at, end, &p.id) && number_field(&at, end, &p.parent) &&
	    device_field(&at, end, &p.dev))
		err = text_field(&at, end, &p.root);
	if (!err)
		err = text_field(&at, end, &p.path);
	if (!err && (p.path[0] != '/' || !skip_optional(&at, end)))
		err = -EINVAL;
	if (!err)
		err = text_field(&at, end, &p.fstype);
	if (!err)
		err = text_field(&at, end, &p.source);
	if (!err)
		err = text_field(&at, end, &p.options);
	if (err) {
		mount_point_clear(&p);
		return err;
	}
	*ret = p;
	return 0;
}
