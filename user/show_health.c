/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The state of measurement itself, a line each. */
#include "user/show_internal.h"

#include <stdarg.h>
#include <string.h>

#include "user/health_lines.h"
#include "user/table_text.h"

const struct health_line health_lines[HEALTH_LINES] = {
    {"hook set", "backend", FORMAT_TEXT, ""},
    {"processor", "cpu", FORMAT_SHARE, " of one core"},
    {"memory", "memory.rss", FORMAT_SIZE, ""},
    {"memory of maps", "memory.maps", FORMAT_SIZE, " at most"},
    {"late by", "late_ms", FORMAT_TEXT, " ms"},
    {"records waiting", "records_waiting", FORMAT_COUNT, ""},
    {"records behind", "records_lag_ms", FORMAT_TEXT, " ms"},
    {"subjects", "model.subjects", FORMAT_COUNT, ""},
    {"objects", "model.objects", FORMAT_COUNT, ""},
    {"transfers", "model.transfers", FORMAT_COUNT, ""},
    {"flows", "model.flows", FORMAT_COUNT, ""},
    {"had no room for", "model.refused", FORMAT_COUNT, ""},
    {"credential files", "credentials.files", FORMAT_COUNT, " watched"},
};

__attribute__((format(printf, 3, 4))) static void line(const struct printer *p, const char *label,
						       const char *format, ...)
{
	char raw[NOTE_BYTES], safe[NOTE_BYTES], fit[NOTE_BYTES + 8];
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	text_safe(safe, sizeof(safe), raw, strlen(raw));
	text_fit(fit, sizeof(fit), safe, p->width > 40 ? p->width - 18 : NOTE_BYTES, CUT_END);
	fprintf(p->out, "%-16s  %s\n", label, fit);
}

static const struct {
	const char *name, *label;
} volume_classes[] = {
    {"below_64KiB", "below 64 KiB"},
    {"below_1MiB", "below 1 MiB"},
    {"below_64MiB", "below 64 MiB"},
    {"64MiB_or_more", "64 MiB or more"},
};

static void print_tainted(const json_t *tainted, const struct printer *p)
{
	_cleanup_free_ char *processes = value_text(json_at(tainted, "processes"), FORMAT_COUNT, NULL);
	char text[NOTE_BYTES] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(volume_classes) && n < sizeof(text); i++) {
		const json_t *in_class = json_at(json_at(tainted, "volumes"), volume_classes[i].name);
		_cleanup_free_ char *count = value_text(in_class, FORMAT_COUNT, NULL);

		if (json_is_integer(in_class) && json_integer_value(in_class) > 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : ": may hold ", count,
					      volume_classes[i].label);
	}
	line(p, "tainted", "%s processes%s", processes ? processes : "?", text);
}

static void print_maps(const json_t *maps, const struct printer *p)
{
	for (size_t i = 0; i < json_array_size(maps); i++) {
		const json_t *map = json_array_get(maps, i);
		_cleanup_free_ char *name = value_text(json_at(map, "name"), FORMAT_TEXT, NULL);
		_cleanup_free_ char *entries =
		    value_text(json_at(map, "entries"), FORMAT_COUNT, NULL);
		_cleanup_free_ char *most = value_text(json_at(map, "max"), FORMAT_COUNT, NULL);

		line(p, i ? "" : "maps", "%s: %s of %s", name ? name : "?", entries ? entries : "?",
		     most ? most : "?");
	}
}

static void print_losses(const json_t *losses, const struct printer *p)
{
	const char *kind;
	json_t *n;
	unsigned printed = 0;

	json_object_foreach ((json_t *)losses, kind, n) {
		_cleanup_free_ char *count = value_text(n, FORMAT_COUNT, NULL);

		if (json_is_integer(n) && json_integer_value(n) == 0)
			continue;
		line(p, printed++ ? "" : "losses", "%s: %s", kind, count ? count : "?");
	}
	if (!printed)
		line(p, "losses", "%s", json_object_size(losses) ? "none" : "?");
}

/* Only those that the kernel left out at times: of the others there is nothing to tell. */
static void print_programs(const json_t *programs, const struct printer *p)
{
	unsigned printed = 0;

	for (size_t i = 0; i < json_array_size(programs); i++) {
		const json_t *one = json_array_get(programs, i), *missed = json_at(one, "recursion_misses");
		_cleanup_free_ char *name = value_text(json_at(one, "name"), FORMAT_TEXT, NULL);
		_cleanup_free_ char *times = value_text(missed, FORMAT_COUNT, NULL);

		if (json_is_integer(missed) && json_integer_value(missed) > 0)
			line(p, printed++ ? "" : "did not run", "%s: %s times", name ? name : "?", times ? times : "?");
	}
}

static void print_list(const char *label, const json_t *list, const struct printer *p)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		_cleanup_free_ char *text = value_text(json_array_get(list, i), FORMAT_TEXT, NULL);

		line(p, i ? "" : label, "%s", text ? text : "?");
	}
}

/* What is not as it should be: "3 gone, 1 refused". */
static void print_dropped(const json_t *exporter, const struct printer *p)
{
	static const char *const more[] = {"cut", "retimed", "maybe_repeated"};
	const char *why;
	json_t *n;

	json_object_foreach ((json_t *)json_at(exporter, "dropped"), why, n) {
		if (json_integer_value(n) > 0)
			line(p, "", "dropped, %s: %" JSON_INTEGER_FORMAT, why, json_integer_value(n));
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (json_integer_value(json_at(exporter, more[i])) > 0)
			line(p, "", "%s: %" JSON_INTEGER_FORMAT, more[i], json_integer_value(json_at(exporter, more[i])));
}

/* Nothing where none is configured. */
static void print_exporter(const json_t *exporter, const struct printer *p)
{
	_cleanup_free_ char *state = value_text(json_at(exporter, "state"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *sent = value_text(json_at(exporter, "sent"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *behind = value_text(json_at(exporter, "lag_records"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *group = value_text(json_at(exporter, "log_group"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *stream = value_text(json_at(exporter, "log_stream"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *why = value_text(json_at(exporter, "why"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *error = value_text(json_at(exporter, "last_error"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *source = value_text(json_at(exporter, "credentials.source"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *until = value_text(json_at(exporter, "credentials.expire"), FORMAT_TEXT, NULL);
	const json_t *lag = json_at(exporter, "lag_ms");
	char seconds[32] = "?";

	if (!exporter)
		return;
	if (json_is_integer(lag))
		snprintf(seconds, sizeof(seconds), "%.1f", (double)json_integer_value(lag) / 1000);
	line(p, "exporter", "%s%s%s", state ? state : "?", why ? ": " : "", why ? why : "");
	line(p, "", "%s records sent, %s behind (%s s)", sent ? sent : "?", behind ? behind : "?", seconds);
	if (group && stream)
		line(p, "", "to %s, stream %s", group, stream);
	if (source)
		line(p, "", "credentials: %s%s%s", source, until ? ", until " : "", until ? until : "");
	if (error && !why)
		line(p, "", "last error: %s", error);
	print_dropped(exporter, p);
}

/* Nothing where it is not configured. */
static void print_hub(const json_t *hub, const struct printer *p)
{
	_cleanup_free_ char *state = value_text(json_at(hub, "state"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *why = value_text(json_at(hub, "why"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *imported = value_text(json_at(hub, "imported"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *updated = value_text(json_at(hub, "updated"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *waiting = value_text(json_at(hub, "waiting"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *last = value_text(json_at(hub, "last"), FORMAT_TEXT, NULL);

	if (!hub)
		return;
	line(p, "Security Hub", "%s%s%s", state ? state : "?", why ? ": " : "", why ? why : "");
	line(p, "", "%s findings imported, %s updates, %s waiting%s%s", imported ? imported : "?", updated ? updated : "?",
	     waiting ? waiting : "?", last ? ", last " : "", last ? last : "");
	if (json_integer_value(json_at(hub, "refused")) > 0)
		line(p, "", "refused: %" JSON_INTEGER_FORMAT, json_integer_value(json_at(hub, "refused")));
	if (json_integer_value(json_at(hub, "missed")) > 0)
		line(p, "", "records missed: %" JSON_INTEGER_FORMAT, json_integer_value(json_at(hub, "missed")));
}

static void print_trusted(const json_t *list, const struct printer *p)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		_cleanup_free_ char *path = value_text(json_at(one, "path"), FORMAT_TEXT, NULL);
		_cleanup_free_ char *why = value_text(json_at(one, "why_not"), FORMAT_TEXT, NULL);

		line(p, i ? "" : "trusted", "%s%s%s", path ? path : "?", why ? ": not trusted: " : "", why ? why : "");
	}
}

static void print_vpc(const json_t *vpc, const struct printer *p)
{
	_cleanup_free_ char *id = value_text(json_at(vpc, "id"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *blocks = value_text(json_at(vpc, "blocks"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *source = value_text(json_at(vpc, "source"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *why = value_text(json_at(vpc, "why"), FORMAT_TEXT, NULL);

	line(p, "VPC", "%s%s%s blocks, by %s%s%s", id ? id : "", id ? ": " : "", blocks ? blocks : "?", source ? source : "?",
	     why ? ": " : "", why ? why : "");
}

/* Without ranges there is no age to tell. */
static void print_ranges(const json_t *ranges, const struct printer *p)
{
	_cleanup_free_ char *prefixes = value_text(json_at(ranges, "prefixes"), FORMAT_COUNT, NULL);
	_cleanup_free_ char *created = value_text(json_at(ranges, "created"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *file = value_text(json_at(ranges, "file"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *why = value_text(json_at(ranges, "why"), FORMAT_TEXT, NULL);

	if (file)
		line(p, "AWS ranges", "%s prefixes, made %s: %s", prefixes ? prefixes : "?", created ? created : "?", file);
	if (why)
		line(p, file ? "" : "AWS ranges", "not fetched: %s", why);
}

static void print_journal(const json_t *journal, const struct printer *p)
{
	_cleanup_free_ char *dir = value_text(json_at(journal, "dir"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *seq = value_text(json_at(journal, "seq"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *bytes = value_text(json_at(journal, "bytes"), FORMAT_SIZE, NULL);
	_cleanup_free_ char *digest = value_text(json_at(journal, "digest"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *error = value_text(json_at(journal, "error"), FORMAT_TEXT, NULL);
	_cleanup_free_ char *queued = value_text(json_at(journal, "queued_bytes"), FORMAT_SIZE, NULL);
	const json_t *dropped = json_at(journal, "events_dropped");
	_cleanup_free_ char *missed = value_text(dropped, FORMAT_COUNT, NULL);

	if (!json_is_object(journal))
		return; /* none is configured */
	line(p, "journal", "%s: up to record %s, %s; newest digest %s", dir ? dir : "?", seq ? seq : "?", bytes ? bytes : "?",
	     digest ? digest : "none");
	if (error)
		line(p, "", "cannot be written: %s; %s wait", error, queued ? queued : "?");
	if (json_integer_value(dropped) > 0)
		line(p, "", "%s records were not copied to the events: their reader is too slow", missed ? missed : "?");
}

int show_health(const json_t *document, const struct printer *p)
{
	const json_t *health = json_at(document, "health");

	if (!json_is_object(health))
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(health_lines); i++) {
		const json_t *value = json_at(health, health_lines[i].path);
		_cleanup_free_ char *text = value_text(value, health_lines[i].format, NULL);

		line(p, health_lines[i].label, "%s%s", text ? text : "?",
		     text ? health_lines[i].unit : "");
	}
	print_exporter(json_at(health, "exporter"), p);
	print_hub(json_at(health, "security_hub"), p);
	print_tainted(json_at(health, "tainted"), p);
	print_maps(json_at(health, "maps"), p);
	print_losses(json_at(health, "losses"), p);
	print_programs(json_at(health, "programs"), p);
	print_journal(json_at(health, "journal"), p);
	print_vpc(json_at(health, "vpc"), p);
	print_trusted(json_at(health, "trusted"), p);
	print_ranges(json_at(health, "aws_ranges"), p);
	print_list("measured", json_at(health, "owners"), p);
	print_list("measured in part", json_at(health, "limits"), p);
	print_list("not measured", json_at(health, "gaps"), p);
	return 0;
}
