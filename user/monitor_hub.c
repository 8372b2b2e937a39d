/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `export.security_hub`: findings of the journal to Security Hub, on a thread that only reads it. */
#include "user/monitor_internal.h"

#include <limits.h>
#include <string.h>

#include "user/cmd.h"
#include "user/export/hub_thread.h"
#include "user/export/journal.h"
#include "user/state_dir.h"

#define SUFFIX ".security-hub"

/* Where is kept what was imported, to be freed; NULL: nowhere. */
static char *state_path(const struct monitor *m)
{
	char name[NAME_MAX + 1], *path;
	int fd = m->config->state ? state_dir_open(m->config->state) : -1;

	if (fd < 0) {
		if (m->config->state)
			cmd_error("run", "export.security_hub: %s: %s; after a restart all findings are imported again",
				  m->config->state, strerror(-fd));
		return NULL;
	}
	close(fd);
	state_file_name(m->options.socket, SUFFIX, name);
	return asprintf(&path, "%s/%s", m->config->state, name) < 0 ? NULL : path;
}

void monitor_start_hub(struct monitor *m)
{
	struct hub_thread_options o = {.journal = m->journal ? journal_path(m->journal) : NULL,
				       .endpoint = m->config->export.hub_endpoint};
	_cleanup_free_ char *state = NULL;
	int err;

	if (m->hub || !m->config->export.security_hub)
		return;
	if (monitor_is_passing()) {
		cmd_error("run", "export.security_hub: SLUICE_NO_STATE is set: what the journal has the next monitor imports");
		return;
	}
	if (!o.journal) {
		cmd_error("run", "export.security_hub: findings are imported from the journal, which begins with the next start");
		return;
	}
	o.state = state = state_path(m);
	err = hub_thread_start(&o, &m->hub);
	if (err)
		cmd_error("run", "export.security_hub: %s: nothing is imported; the journal keeps it for the next start",
			  strerror(-err));
}

/* Troubles are told when they begin, when they become others and when they end. */
static void say_state(struct monitor *m, const struct hub_told *t)
{
	bool well = t->state == HUB_GOOD;

	if (t->state == m->hub_state || t->state <= HUB_STARTING)
		return;
	if (!well)
		cmd_error("run", "Security Hub: %s; findings wait in the journal meanwhile", t->why);
	else if (m->hub_state > HUB_GOOD)
		cmd_error("run", "Security Hub: findings arrive again");
	m->hub_state = t->state;
}

void monitor_tell_hub(struct monitor *m)
{
	struct hub_told t = {.state = HUB_OFF};

	if (m->hub) {
		hub_thread_look(m->hub, &t);
		say_state(m, &t);
	}
	model_set_hub(m->model, &t);
}

void monitor_stop_hub(struct monitor *m, bool patient)
{
	m->hub = hub_thread_stop(m->hub, patient);
	m->hub_state = HUB_OFF;
}

void monitor_reload_hub(struct monitor *m, const struct config *old)
{
	const struct config *c = m->config;
	const char *now = c->state ? c->state : "", *before = old->state ? old->state : "";

	if (c->export.security_hub != old->export.security_hub || strcmp(now, before) ||
	    strcmp(c->export.hub_endpoint, old->export.hub_endpoint))
		monitor_stop_hub(m, false);
	monitor_start_hub(m);
	monitor_tell_hub(m);
}
