/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <jansson.h>
#include <string.h>

#include "user/export/journal_verify.h"
#include "user/policy/config.h"
#include "user/screen.h"

/* --- for people ----------------------------------------------------------------------- */

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static json_int_t number_at(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "sluice-...jsonl line 7, record 1042 of 2026-11-20T23:12:46.001Z, signed by the digest of 22:12:46 to 23:12:46" */
static void print_place(const json_t *p)
{
	const char *sep = "    ";

	if (json_is_string(json_object_get(p, "segment"))) {
		printf("%s%s", sep, text_at(p, "segment"));
		if (number_at(p, "line"))
			printf(" line %" JSON_INTEGER_FORMAT, number_at(p, "line"));
		sep = ", ";
	}
	if (number_at(p, "seq")) {
		printf("%srecord %" JSON_INTEGER_FORMAT, sep, number_at(p, "seq"));
		if (number_at(p, "last_seq"))
			printf(" to %" JSON_INTEGER_FORMAT, number_at(p, "last_seq"));
		if (json_is_string(json_object_get(p, "time")))
			printf(" of %s", text_at(p, "time"));
		sep = ", ";
		if (json_is_string(json_object_get(p, "digest_end")))
			printf("%sof the digest from %s to %s", sep, text_at(p, "digest_start"), text_at(p, "digest_end"));
		else
			printf("%sof no digest", sep);
	}
	if (*sep == ',')
		putchar('\n');
}

static void print_problems(const json_t *d)
{
	const json_t *list = json_object_get(d, "problems"), *p;
	json_int_t all = number_at(d, "nproblems");
	size_t i;

	json_array_foreach (list, i, p) {
		printf("%s: %s\n", text_at(p, "kind"), text_at(p, "text"));
		print_place(p);
	}
	if ((size_t)all > json_array_size(list))
		printf("and %" JSON_INTEGER_FORMAT " more\n", all - (json_int_t)json_array_size(list));
}

static void print_summary(const json_t *d)
{
	const json_t *r = json_object_get(d, "records"), *g = json_object_get(d, "digests"), *m = json_object_get(d, "removed");
	char size[SIZE_LEN];

	printf("%s: %" JSON_INTEGER_FORMAT " records", text_at(d, "dir"), number_at(r, "count"));
	if (number_at(r, "count"))
		printf(", %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT ", %s to %s", number_at(r, "first_seq"),
		       number_at(r, "last_seq"), text_at(r, "first_time"), text_at(r, "last_time"));
	printf("\n%" JSON_INTEGER_FORMAT " segments, %s; %" JSON_INTEGER_FORMAT " digests, %" JSON_INTEGER_FORMAT
	       " with a good signature\n",
	       number_at(d, "segments"), size_iec(size, (uint64_t)number_at(d, "bytes")), number_at(g, "found"),
	       number_at(g, "good"));
	if (json_is_string(json_object_get(g, "newest")))
		printf("newest digest %s, of %s, signature %.32s...\n", text_at(g, "newest"), text_at(g, "end"),
		       text_at(g, "signature"));
	if (number_at(m, "last_seq"))
		printf("retention removed records up to %" JSON_INTEGER_FORMAT ", as recorded\n", number_at(m, "last_seq"));
}

static void print_rest(const json_t *d)
{
	const json_t *torn = json_object_get(d, "torn"), *limits = json_object_get(d, "limits"), *v;
	size_t i;

	json_array_foreach (torn, i, v)
		printf("torn: a crash left %" JSON_INTEGER_FORMAT " bytes of a record after %" JSON_INTEGER_FORMAT
		       "; the start at %s cut them off\n",
		       number_at(v, "bytes"), number_at(v, "after"), text_at(v, "time"));
	json_array_foreach (limits, i, v)
		printf("not proven: %s\n", json_string_value(v));
}

static void print_all(const json_t *d)
{
	bool good = json_is_true(json_object_get(d, "good"));

	print_summary(d);
	print_problems(d);
	print_rest(d);
	if (good)
		puts("good: nothing was changed, removed, moved or put there");
	else
		printf("FAILED: %" JSON_INTEGER_FORMAT " problem%s\n", number_at(d, "nproblems"),
		       number_at(d, "nproblems") == 1 ? "" : "s");
}

/* --- the command ---------------------------------------------------------------------------- */

int cmd_verify(int argc, char **argv)
{
	struct verify_error error;
	struct options o;
	json_t *document;
	int status, err = 0;

	if (!cmd_options("verify", argc, argv, &o, &status))
		return status;
	struct verify_options wish = {.dir = o.operand, .state = o.state ? o.state : STATE_DEFAULT_DIR, .key = o.key};
	if (journal_verify(&wish, &document, &error)) {
		cmd_error("verify", "%s", error.text);
		return EXIT_USAGE;
	}
	status = json_is_true(json_object_get(document, "good")) ? EXIT_GOOD : EXIT_FINDINGS;
	if (o.json) {
		err = screen_json(document);
	} else {
		print_all(document);
		json_decref(document);
	}
	return err ? EXIT_USAGE : status;
}
