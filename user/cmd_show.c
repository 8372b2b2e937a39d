/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <jansson.h>
#include <string.h>

#include "user/client.h"
#include "user/screen.h"
#include "user/show_text.h"
#include "user/tree.h"

#define TIMEOUT_MS 15000

static int ask(const struct options *o, json_t **ret_document, struct client_error *ret_error)
{
	_cleanup_(client_closep) struct client *c = NULL;
	json_t *request = o->unread ? json_pack("{s:s, s:s, s:s*}", "show", "unread", "dataset", o->unread, "job", o->job)
				    : json_pack("{s:s}", "show", o->operand);
	int r;

	if (!request) {
		snprintf(ret_error->text, sizeof(ret_error->text), "no memory");
		return -ENOMEM;
	}
	r = client_open(o->socket, TIMEOUT_MS, &c, ret_error);
	if (r == 0)
		r = client_ask(c, request, TIMEOUT_MS, ret_document, ret_error);
	json_decref(request);
	return r;
}

int cmd_show(int argc, char **argv)
{
	struct client_error error = {};
	struct options o;
	json_t *document;
	int status, r;

	if (!cmd_options("show", argc, argv, &o, &status))
		return status;
	if (ask(&o, &document, &error) < 0) {
		cmd_error("show", "%s", error.text);
		return EXIT_USAGE;
	}
	show_filter(document, o.since_given ? &o.since : NULL, o.until_given ? &o.until : NULL);
	r = o.tree ? tree_sort(document) : 0;
	if (r < 0) {
		json_decref(document);
	} else if (o.json) {
		r = screen_json(document);
	} else {
		r = o.tree ? tree_text(document, screen_width(), stdout)
			   : show_text(o.unread ? "unread" : o.operand, document, screen_width(), stdout);
		json_decref(document);
	}
	if (r == -EPROTO)
		cmd_error("show", "what listens at %s does not answer as a monitor does", o.socket);
	else if (r < 0)
		cmd_error("show", "%s", strerror(-r));
	return r < 0 ? EXIT_USAGE : EXIT_GOOD;
}
