/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `export.cloudwatch`: what stands in the journal, to CloudWatch Logs. The exporter only reads the journal: whatever becomes of it,
 * the monitor goes on. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/curl_begin.h"
#include "user/export/exporter.h"
#include "user/export/journal.h"

#define LAST_NS (5 * NSEC) /* for what is left at the end */

void monitor_start_export(struct monitor *m)
{
	const struct config *c = m->config;
	const char *instance = m->vpc_news.facts.instance_id;
	struct exporter_options o = {.journal_dir = m->journal ? journal_path(m->journal) : NULL, .state_dir = c->state,
				     .socket = m->options.socket, .log_group = c->export.log_group, .metric_namespace = c->export.metric_namespace,
				     .endpoint = c->export.endpoint, .retain_days = c->export.retain_days,
				     .instance_id = *instance ? instance : NULL};
	int err;

	if (m->exporter || !c->export.cloudwatch)
		return;
	if (monitor_is_passing()) {
		cmd_error("run", "export.cloudwatch: SLUICE_NO_STATE is set: what the journal has the next monitor sends");
		return;
	}
	if (!o.journal_dir || !o.state_dir) {
		cmd_error("run", "export.cloudwatch: what is exported stands in the journal, which begins with the next start");
		return;
	}
	err = curl_begin();
	if (!err)
		err = exporter_start(&o, &m->exporter);
	if (err)
		cmd_error("run", "export.cloudwatch: %s: nothing is exported; the journal keeps it for the next start", strerror(-err));
}

/* Troubles are told when they begin, when they become others and when they end. */
static void say_state(struct monitor *m, const struct exporter_told *t)
{
	bool well = t->state == EXPORT_GOOD, stuck = t->state == EXPORT_STUCK;

	if (t->state == EXPORT_STARTING || (well && m->export_state <= EXPORT_GOOD) || (!well && t->state == m->export_state))
		return;
	if (well)
		cmd_error("run", "export: records arrive again");
	else
		cmd_error("run", "export: %s; %s", t->why,
			  stuck ? "records wait in the journal until that is mended" : "records wait in the journal meanwhile");
	m->export_state = t->state;
}

void monitor_tell_export(struct monitor *m)
{
	struct exporter_told t = {.state = EXPORT_OFF};

	if (m->exporter) {
		exporter_poke(m->exporter, model_seq(m->model));
		exporter_look(m->exporter, &t);
		say_state(m, &t);
	}
	model_set_exporter(m->model, &t);
}

void monitor_stop_export(struct monitor *m, bool patient)
{
	struct exporter_told t;

	if (!m->exporter)
		return;
	exporter_poke(m->exporter, model_seq(m->model));
	exporter_stop(m->exporter, patient ? LAST_NS : 0, &t);
	m->exporter = NULL;
	m->export_state = EXPORT_OFF;
	if (patient && (t.lag_records || !t.lag_known))
		cmd_error("run", "export: not all has arrived%s%s; the next start sends the rest", *t.why ? ": " : "", t.why);
}

static bool same(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

void monitor_reload_export(struct monitor *m, const struct config *old)
{
	const struct config *c = m->config;
	bool as_before = c->export.cloudwatch == old->export.cloudwatch && same(c->export.log_group, old->export.log_group) &&
			 same(c->export.metric_namespace, old->export.metric_namespace) &&
			 same(c->export.endpoint, old->export.endpoint) && c->export.retain_days == old->export.retain_days &&
			 same(c->state, old->state);

	if (!as_before)
		monitor_stop_export(m, false);
	monitor_start_export(m);
	monitor_tell_export(m);
}
