/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who uses long-lived credentials, from the thread that watches their files into the model. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/credential_files.h"
#include "user/credential_watch.h"

#define SETTLE_MS 1000

/* SLUICE_PASSWD names another file than the host's: tests have no homes there. */
void monitor_start_credentials(struct monitor *m)
{
	const char *passwd = getenv("SLUICE_PASSWD");
	int err = credential_watch_new(passwd ? passwd : PASSWD_DEFAULT, &m->credentials);

	if (err)
		cmd_error("run", "files of credentials are not watched: %s", strerror(-err));
}

void monitor_stop_credentials(struct monitor *m)
{
	m->credentials = credential_watch_free(m->credentials);
}

void monitor_settle_credentials(struct monitor *m)
{
	if (m->credentials)
		credential_watch_settle(m->credentials, SETTLE_MS);
}

static int say_nothing_is_watched(struct monitor *m)
{
	struct credential_state s = {.why = "there was no memory for watching them"};

	model_set_credential_state(m->model, &s);
	return 0;
}

int monitor_take_credentials(struct monitor *m)
{
	struct credential_hint h;

	if (!m->credentials)
		return say_nothing_is_watched(m);
	while (model_take_credential_hint(m->model, &h))
		credential_watch_hint(m->credentials, &h);
	return credential_watch_take(m->credentials, m->model);
}
