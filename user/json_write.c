/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/json_write.h"

#include <string.h>

static int grow(struct json_text *to, size_t n)
{
	char *more;

	if (n > to->max - to->len)
		return -EFBIG;
	size_t size = MIN(MAX(2 * to->size, to->len + n + 4096), to->max);
	more = realloc(to->data, size);
	if (!more)
		return -ENOMEM;
	to->data = more;
	to->size = size;
	return 0;
}

static inline int put(struct json_text *to, const char *data, size_t n)
{
	int err = n <= to->size - to->len ? 0 : grow(to, n);

	if (err)
		return err;
	memcpy(to->data + to->len, data, n);
	to->len += n;
	return 0;
}

int json_write_raw(struct json_text *to, const char *data, size_t n)
{
	return put(to, data, n);
}

static int write_byte(struct json_text *to, char c)
{
	return put(to, &c, 1);
}

/* --- strings and numbers ------------------------------------------------------- */

static bool plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static int write_escape(struct json_text *to, unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char text[8];

	for (const char *p = letters; *p; p += 2) {
		if ((unsigned char)*p == c)
			return put(to, (const char[]){'\\', p[1]}, 2);
	}
	snprintf(text, sizeof(text), "\\u%04X", c);
	return put(to, text, 6);
}

static int write_string(struct json_text *to, const char *s, size_t n)
{
	int err = write_byte(to, '"');

	for (size_t i = 0, from; i < n && !err;) {
		for (from = i; i < n && plain(s[i]); i++)
			;
		err = put(to, s + from, i - from);
		if (!err && i < n)
			err = write_escape(to, (unsigned char)s[i++]);
	}
	return err ? err : write_byte(to, '"');
}

static int write_integer(struct json_text *to, json_int_t value)
{
	char text[24], *p = text + sizeof(text);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do
		*--p = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--p = '-';
	return put(to, p, (size_t)(text + sizeof(text) - p));
}

int json_write_text(struct json_text *to, const char *s)
{
	return write_string(to, s, strlen(s));
}

int json_write_number(struct json_text *to, int64_t n)
{
	return write_integer(to, n);
}

/* Few, and not simple: the library knows how. */
static int write_real(struct json_text *to, const json_t *value)
{
	char text[64];
	size_t n = json_dumpb(value, text, sizeof(text), JSON_COMPACT | JSON_ENCODE_ANY);

	return n && n <= sizeof(text) ? put(to, text, n) : -EINVAL;
}

/* --- values --------------------------------------------------------------------- */

static int write_value(struct json_text *to, const json_t *value, unsigned depth);

static int write_object(struct json_text *to, const json_t *value, unsigned depth)
{
	int err = write_byte(to, '{');
	bool first = true;
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)value, key, v) {
		if (!err && !first)
			err = write_byte(to, ',');
		first = false;
		if (!err)
			err = write_string(to, key, strlen(key));
		if (!err)
			err = write_byte(to, ':');
		if (!err)
			err = write_value(to, v, depth);
	}
	return err ? err : write_byte(to, '}');
}

static int write_array(struct json_text *to, const json_t *value, unsigned depth)
{
	int err = write_byte(to, '[');

	for (size_t i = 0; i < json_array_size(value) && !err; i++) {
		if (i)
			err = write_byte(to, ',');
		if (!err)
			err = write_value(to, json_array_get(value, i), depth);
	}
	return err ? err : write_byte(to, ']');
}

static int write_value(struct json_text *to, const json_t *value, unsigned depth)
{
	bool nests = json_is_object(value) || json_is_array(value);

	if (!value || (nests && depth >= JSON_WRITE_DEPTH))
		return -EINVAL;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return write_object(to, value, depth + 1);
	case JSON_ARRAY:
		return write_array(to, value, depth + 1);
	case JSON_STRING:
		return write_string(to, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return write_integer(to, json_integer_value(value));
	case JSON_REAL:
		return write_real(to, value);
	case JSON_TRUE:
		return put(to, "true", 4);
	case JSON_FALSE:
		return put(to, "false", 5);
	case JSON_NULL:
		return put(to, "null", 4);
	}
	return -EINVAL;
}

int json_write(struct json_text *to, const json_t *value)
{
	size_t before = to->len;
	int err = write_value(to, value, 0);

	if (err)
		to->len = before;
	return err;
}
