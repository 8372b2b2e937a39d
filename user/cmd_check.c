/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <jansson.h>
#include <string.h>

#include "user/config_text.h"
#include "user/posture.h"
#include "user/screen.h"

struct findings_of_check {
	struct posture_result results[POSTURE_MAX];
	size_t n;
	enum posture_state worst;
};

/* Without -c and without the default file there is still a host to look at. */
static int load(const struct options *o, struct config **ret, struct config_error *ret_error,
		bool *ret_missing)
{
	const char *file = o->config ? o->config : CONFIG_DEFAULT_PATH;
	int r = config_load(file, ret, ret_error);

	*ret_missing = r == -ENOENT && !o->config && access(file, F_OK) < 0;
	return *ret_missing ? config_default(ret) : r;
}

static void look(const struct config *config, bool missing, struct findings_of_check *ret)
{
	ret->n = posture_check(config, "", ret->results);
	if (missing && ret->n < POSTURE_MAX) {
		struct posture_result *r = &ret->results[ret->n++];

		*r = (struct posture_result){.name = "configuration", .state = POSTURE_WARN};
		snprintf(r->text, sizeof(r->text), "no %s: no dataset is watched",
			 CONFIG_DEFAULT_PATH);
		snprintf(r->todo, sizeof(r->todo), "write one: man 8 sluice, CONFIGURATION");
	}
	ret->worst = POSTURE_OK;
	for (size_t i = 0; i < ret->n; i++)
		ret->worst = MAX(ret->worst, ret->results[i].state);
}

static json_t *head(void)
{
	struct timespec now;
	char time[TIME_LEN];

	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:i,s:s,s:s}", "v", 1, "type", "check", "time",
			 time_rfc3339(time, &now));
}

static json_t *safe_json(const char *text)
{
	char safe[512];

	text_safe(safe, sizeof(safe), text, strlen(text));
	return *safe ? json_string(safe) : json_null();
}

static json_t *results_json(const struct findings_of_check *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n; i++) {
		const struct posture_result *r = &f->results[i];

		json_array_append_new(list,
				      json_pack("{s:o,s:s,s:o,s:o}", "name", safe_json(r->name),
						"state", posture_state_name(r->state), "text",
						safe_json(r->text), "todo", safe_json(r->todo)));
	}
	return list;
}

static int print_json(const json_t *config, const struct findings_of_check *f)
{
	json_t *doc = head();

	json_object_set(doc, "configuration", (json_t *)config);
	json_object_set_new(doc, "checks", results_json(f));
	json_object_set_new(doc, "result", json_string(posture_state_name(f->worst)));
	return screen_json(doc);
}

static void print_result(const struct posture_result *r)
{
	char name[sizeof(r->name)], text[sizeof(r->text)], todo[sizeof(r->todo)];

	text_safe(name, sizeof(name), r->name, strlen(r->name));
	text_safe(text, sizeof(text), r->text, strlen(r->text));
	text_safe(todo, sizeof(todo), r->todo, strlen(r->todo));
	printf("%-4s  %-18s  %s\n", posture_state_name(r->state), name, text);
	if (*todo)
		printf("%26s→ %s\n", "", todo);
}

static int print_text(const struct config *c, bool missing, const json_t *config,
		      const struct findings_of_check *f)
{
	int r;

	if (!missing) {
		char file[512];

		text_safe(file, sizeof(file), c->file, strlen(c->file));
		printf("%s is good: %zu dataset%s, digest %.12s\n\n", file, c->ndatasets,
		       c->ndatasets == 1 ? "" : "s", c->digest);
	}
	r = config_print(config, screen_width(), stdout);
	printf("\nthis host\n");
	for (size_t i = 0; i < f->n; i++)
		print_result(&f->results[i]);
	return r;
}

static int refuse(const struct options *o, const struct config_error *error)
{
	char text[sizeof(error->text)];

	text_safe(text, sizeof(text), error->text, strlen(error->text));
	fprintf(stderr, "%s\n", text);
	if (o->json) {
		json_t *doc = head();

		json_object_set_new(doc, "error", safe_json(text));
		screen_json(doc);
	}
	return EXIT_USAGE;
}

int cmd_check(int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct config_error error = {};
	struct findings_of_check *f;
	struct options o;
	json_t *understood;
	bool missing;
	int status, r;

	if (!cmd_options("check", argc, argv, &o, &status))
		return status;
	r = load(&o, &config, &error, &missing);
	if (r < 0) {
		if (!*error.text)
			snprintf(error.text, sizeof(error.text), "%s: %s",
				 o.config ? o.config : CONFIG_DEFAULT_PATH, strerror(-r));
		return refuse(&o, &error);
	}
	f = calloc(1, sizeof(*f));
	understood = config_json(config);
	if (f && understood) {
		look(config, missing, f);
		r = o.json ? print_json(understood, f) : print_text(config, missing, understood, f);
		status = f->worst == POSTURE_FAIL ? EXIT_FINDINGS : EXIT_GOOD;
	} else {
		r = -ENOMEM;
	}
	json_decref(understood);
	free(f);
	if (r < 0) {
		cmd_error("check", "%s", strerror(-r));
		return EXIT_USAGE;
	}
	return status;
}
