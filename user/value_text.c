/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/value_text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define NAMES_MAX 64 /* shown of one list */
#define DATE_LEN 10  /* of an RFC 3339 time */
#define TIME_END 19

const json_t *json_at(const json_t *object, const char *path)
{
	char key[64];

	while (object && path) {
		const char *dot = strchr(path, '.');
		size_t n = dot ? (size_t)(dot - path) : strlen(path);

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		object = json_object_get(object, key);
		path = dot ? dot + 1 : NULL;
	}
	return json_is_null(object) ? NULL : object;
}

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

static char *plain(const json_t *v)
{
	if (json_is_string(v))
		return strdup(json_string_value(v));
	if (json_is_integer(v))
		return text_of("%lld", (long long)json_integer_value(v));
	if (json_is_real(v))
		return text_of("%g", json_real_value(v));
	if (json_is_boolean(v))
		return strdup(json_is_true(v) ? "yes" : "no");
	return NULL;
}

static char *size_of(const json_t *v)
{
	char text[SIZE_LEN];

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return NULL;
	return strdup(size_iec(text, (uint64_t)json_integer_value(v)));
}

static char *bound_of(const json_t *v)
{
	char text[SIZE_LEN];

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return NULL;
	return strdup(size_iec_most(text, (uint64_t)json_integer_value(v)));
}

static char *count_of(const json_t *v)
{
	if (json_is_array(v))
		return text_of("%zu", json_array_size(v));
	if (json_is_object(v))
		return text_of("%zu", json_object_size(v));
	return json_is_integer(v) ? plain(v) : NULL;
}

static char *share_of(const json_t *v)
{
	if (!json_is_number(v) || !isfinite(json_number_value(v)))
		return NULL;
	return text_of("%.1f %%", 100 * json_number_value(v));
}

/* A bound is never told as less than it is; what reckoning adds to a tenth is none. */
char *share_at_most(double share)
{
	double tenths = ceil(1000 * share - 1e-6);

	return isfinite(share) ? text_of("≤%.1f %%", tenths > 0 ? tenths / 10 : 0.0) : NULL;
}

static char *most_of(const json_t *v)
{
	return json_is_number(v) ? share_at_most(json_number_value(v)) : NULL;
}

static const char *at_least(const json_t *used)
{
	return json_is_true(json_at(used, "exact")) ? "" : "≥";
}

/* "3 of 7" */
static char *files_of(const json_t *used)
{
	_cleanup_free_ char *read = count_of(json_at(used, "files_read")), *total = count_of(json_at(used, "files_total"));
	const json_t *unread = json_at(used, "files_unread");

	if (!read || !total || !json_is_integer(unread))
		return read ? text_of("%s%s of ?", at_least(used), read) : NULL;
	/* those that are gone by now are not of them */
	return text_of("%s%lld of %s", at_least(used),
		       (long long)(json_integer_value(json_at(used, "files_total")) - json_integer_value(unread)), total);
}

static char *used_of(const json_t *used)
{
	_cleanup_free_ char *files = files_of(used), *share = share_of(json_at(used, "files_share"));

	if (!files || !share)
		return files ? strdup(files) : NULL;
	return text_of("%s, %s%s", files, at_least(used), share);
}

static char *use_of(const char *key, const json_t *used)
{
	_cleanup_free_ char *files = files_of(used), *most = most_of(json_at(used, "bytes_share_most"));

	return text_of("%s %s files, %s of bytes", key ? key : "?", files ? files : "?", most ? most : "?");
}

/* Only a time of the form that the contract names is taken apart. */
static char *time_of(const json_t *v, const char *now)
{
	const char *s = json_string_value(v);
	struct timespec t;

	if (!s || time_parse(s, &t) < 0 || strlen(s) < TIME_END + 1)
		return NULL;
	if (now && strlen(now) > DATE_LEN && strncmp(s, now, DATE_LEN) == 0)
		return strndup(s + DATE_LEN + 1, TIME_END - DATE_LEN - 1);
	return strndup(s, DATE_LEN);
}

static char *process_of(const json_t *v)
{
	const char *comm = json_string_value(json_at(v, "comm"));
	const json_t *pid = json_at(v, "pid");

	if (!json_is_integer(pid))
		return comm ? strdup(comm) : NULL;
	return text_of("%s[%lld]", comm ? comm : "?", (long long)json_integer_value(pid));
}

static char *subject_of(const json_t *v)
{
	const json_t *process = json_at(v, "process"), *merged = json_at(v, "merged");

	if (process || !json_is_integer(merged) || json_integer_value(merged) <= 0)
		return process_of(process);
	return text_of("%lld ended", (long long)json_integer_value(merged));
}

static char *end_of(const char *who, const json_t *port)
{
	if (!who)
		return NULL;
	if (!json_is_integer(port))
		return strdup(who);
	return text_of(strchr(who, ':') ? "[%s]:%lld" : "%s:%lld", who, (long long)json_integer_value(port));
}

/* A name that is only said stands behind what is known. */
static char *remote_of(const json_t *v)
{
	const char *addr = json_string_value(json_at(v, "addr"));
	const char *name = json_string_value(json_at(v, "name"));
	const char *belief = json_string_value(json_at(v, "name_belief"));
	bool proven = name && (!belief || !strcmp(belief, "resolved"));
	_cleanup_free_ char *end = end_of(proven ? name : addr ? addr : name, json_at(v, "port"));

	if (!end || !name || proven)
		return end ? strdup(end) : NULL;
	return text_of("%s (says %s%s)", end, name, strcmp(belief, "fronted") ? "" : ", which is elsewhere");
}

static char *sign_of(const json_t *v)
{
	const char *sign = json_string_value(json_at(v, "sign")), *name = json_string_value(json_at(v, "name"));
	_cleanup_free_ char *process = process_of(v);

	return process ? text_of("%s %s in %s", sign ? sign : "?", name ? name : "?", process)
		       : text_of("%s %s", sign ? sign : "?", name ? name : "?");
}

/* One entry of a list or object, as the format wants it; NULL: nothing to show. */
static char *entry_of(const char *key, const json_t *value, enum value_format format)
{
	_cleanup_free_ char *text = NULL;

	if (format == FORMAT_SIGNS)
		return sign_of(value);
	if (format == FORMAT_USES)
		return use_of(key, value);
	if (format == FORMAT_NAMES)
		return key ? strdup(key) : plain(value);
	text = format == FORMAT_BOUNDS ? bound_of(value) : plain(value);
	return text_of(format == FORMAT_BOUNDS ? "%s %s" : "%s=%s", key ? key : "?",
		       text ? text : "?");
}

static bool put_entry(FILE *f, size_t i, const char *key, const json_t *value,
		      enum value_format format)
{
	if (i == NAMES_MAX) {
		fputs(", …", f);
		return false;
	}
	_cleanup_free_ char *entry = entry_of(key, value, format);
	fprintf(f, "%s%s", i ? ", " : "", entry ? entry : "?");
	return true;
}

static char *list_of(const json_t *v, enum value_format format)
{
	char *text = NULL;
	size_t len, i = 0;
	const char *key;
	json_t *value;
	FILE *f;

	if (!json_is_array(v) && !json_is_object(v))
		return format == FORMAT_NAMES ? plain(v) : NULL;
	if (json_array_size(v) + json_object_size(v) == 0)
		return strdup("-");
	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	json_array_foreach (v, i, value)
		if (!put_entry(f, i, NULL, value, format))
			break;
	json_object_foreach ((json_t *)v, key, value)
		if (!put_entry(f, i++, key, value, format))
			break;
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

char *value_text(const json_t *value, enum value_format format, const char *now)
{
	if (!value || json_is_null(value))
		return NULL;
	switch (format) {
	case FORMAT_TEXT:
		return plain(value);
	case FORMAT_SIZE:
		return size_of(value);
	case FORMAT_BOUND:
		return bound_of(value);
	case FORMAT_COUNT:
		return count_of(value);
	case FORMAT_SHARE:
		return share_of(value);
	case FORMAT_MOST:
		return most_of(value);
	case FORMAT_USED:
		return used_of(value);
	case FORMAT_YES:
		return json_is_boolean(value) ? plain(value) : NULL;
	case FORMAT_TIME:
		return time_of(value, now);
	case FORMAT_PROCESS:
		return process_of(value);
	case FORMAT_SUBJECT:
		return subject_of(value);
	case FORMAT_REMOTE:
		return remote_of(value);
	case FORMAT_NAMES:
	case FORMAT_TAGS:
	case FORMAT_BOUNDS:
	case FORMAT_SIGNS:
	case FORMAT_USES:
		return list_of(value, format);
	}
	return NULL;
}
