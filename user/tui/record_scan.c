/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/tui/record_scan.h"

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* From behind the opening quote to the closing one; NULL: there is none. */
static const char *string_end(const char *p, const char *end)
{
	static const uint8_t matters[256] = {['"'] = 1, ['\\'] = 1};

	for (;; p += 2) {
		while (p < end && !matters[(uint8_t)*p])
			p++;
		if (p >= end)
			return NULL;
		if (*p == '"')
			return p;
	}
}

static const char *nested_end(const char *p, const char *end)
{
	static const uint8_t matters[256] = {['"'] = 1, ['{'] = 2, ['['] = 2, ['}'] = 3, [']'] = 3};
	unsigned depth = 0;

	for (; p < end; p++) {
		uint8_t what = matters[(uint8_t)*p];

		if (!what)
			continue;
		if (what == 1) {
			p = string_end(p + 1, end);
			if (!p)
				return NULL;
		} else if (what == 2) {
			depth++;
		} else if (--depth == 0) {
			return p + 1;
		}
	}
	return NULL;
}

/* Behind the value that begins at p; NULL: it has no end. */
static const char *value_end(const char *p, const char *end)
{
	if (p >= end)
		return NULL;
	if (*p == '{' || *p == '[')
		return nested_end(p, end);
	if (*p == '"') {
		p = string_end(p + 1, end);
		return p ? p + 1 : NULL;
	}
	const char *from = p;
	while (p < end && *p != ',' && *p != '}' && *p != ' ')
		p++;
	return p > from ? p : NULL;
}

static int scan_one(const char **p, const char *end, struct record_scan *s)
{
	const char *name = *p + 1, *stop = *p < end && **p == '"' ? string_end(name, end) : NULL, *value;

	if (!stop)
		return -EINVAL;
	value = skip_space(stop + 1, end);
	if (value >= end || *value != ':')
		return -EINVAL;
	value = skip_space(value + 1, end);
	*p = value_end(value, end);
	if (!*p)
		return -EINVAL;
	if (s->n == RECORD_MEMBERS_MAX)
		return -EFBIG;
	s->member[s->n].name = (struct span){name, (size_t)(stop - name)};
	s->member[s->n++].value = (struct span){value, (size_t)(*p - value)};
	return 0;
}

int record_scan(struct span text, struct record_scan *ret)
{
	const char *end = text.p + text.n, *p = skip_space(text.p, end);

	ret->n = 0;
	if (p >= end || *p++ != '{')
		return -EINVAL;
	p = skip_space(p, end);
	if (p < end && *p == '}')
		return skip_space(p + 1, end) == end ? 0 : -EINVAL;
	for (;;) {
		int err = scan_one(&p, end, ret);

		if (err)
			return err;
		p = skip_space(p, end);
		if (p >= end)
			return -EINVAL;
		if (*p == '}')
			return skip_space(p + 1, end) == end ? 0 : -EINVAL;
		if (*p != ',')
			return -EINVAL;
		p = skip_space(p + 1, end);
	}
}

struct span record_find(const struct record_scan *s, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; i < s->n; i++)
		if (s->member[i].name.n == n && !memcmp(s->member[i].name.p, name, n))
			return s->member[i].value;
	return (struct span){0};
}

bool span_number(struct span s, uint64_t *ret)
{
	uint64_t n = 0;

	if (!s.p || !s.n || s.n > 19)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = n;
	return true;
}

bool span_text(struct span s, struct span *ret)
{
	if (!s.p || s.n < 2 || s.p[0] != '"' || memchr(s.p, '\\', s.n))
		return false;
	*ret = (struct span){s.p + 1, s.n - 2};
	return true;
}
