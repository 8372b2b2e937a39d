/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `aws_ranges: auto`: the file that is fetched once a day. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/curl_begin.h"

static bool wanted(const struct monitor *m)
{
	return !strcmp(m->config->network.aws_ranges, "auto");
}

void monitor_start_ranges(struct monitor *m)
{
	int err;

	if (m->fetch || !wanted(m))
		return;
	if (!m->carry) {
		cmd_error("run", "aws_ranges: auto: there is no directory (`state`) to keep AWS's ranges in: they are not known");
		return;
	}
	err = curl_begin();
	if (!err)
		err = ranges_fetch_start(carry_dir(m->carry), &m->fetch);
	if (err)
		cmd_error("run", "aws_ranges: auto: %s", err == -EINVAL ? "SLUICE_AWS_RANGES_URL is no https address" : strerror(-err));
}

void monitor_stop_ranges(struct monitor *m)
{
	m->fetch = ranges_fetch_stop(m->fetch);
}

void monitor_reload_ranges(struct monitor *m)
{
	if (!wanted(m))
		monitor_stop_ranges(m);
	monitor_start_ranges(m);
}

const char *monitor_ranges_file(const struct monitor *m)
{
	const char *path = m->fetch ? ranges_fetch_path(m->fetch) : NULL;

	return path && !access(path, R_OK) ? path : NULL;
}

int monitor_take_ranges(struct monitor *m)
{
	char why[RANGES_FETCH_WHY];

	if (!ranges_fetch_look(m->fetch, why))
		return 0;
	model_set_ranges_why(m->model, why);
	if (*why && !m->fetch_failed)
		cmd_error("run", "AWS's address ranges: %s; it is tried again within the hour, and %s", why,
			  m->ranges.known ? "those that are known stay in force" : "until then none are known");
	m->fetch_failed = *why;
	return monitor_refresh_classes(m);
}
