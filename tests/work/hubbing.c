/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Findings of a journal to Security Hub without the rest of the monitor, until it is killed, or ended by SIGTERM as a monitor is.
 * When SIGTERM may come, and after each step that changed something, it prints one JSON object: how the import is.
 *   hubbing journal=DIR state=FILE endpoint=URL [hurry=N]
 */
#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "user/curl_begin.h"
#include "user/export/hub.h"
#include "user/export/record_fields.h"

static atomic_bool stop;

static void on_signal(int number)
{
	atomic_store(&stop, true);
}

/* --- AWS's client, as a hub asks it ----------------------------------------------- */

static int call(void *arg, const struct aws_request *q, struct aws_reply *ret)
{
	return aws_call(arg, q, ret);
}

static const char *region(void *arg)
{
	return aws_region(arg);
}

static const char *account(void *arg)
{
	return aws_account(arg);
}

static const char *partition(void *arg)
{
	return aws_partition(arg);
}

/* --- the run ----------------------------------------------------------------------- */

static void print(const struct hub *h, struct hub_told *before)
{
	struct hub_told t;
	json_t *v;

	hub_tell(h, &t);
	if (!memcmp(&t, before, sizeof(t)))
		return;
	*before = t;
	v = json_hub(&t);
	json_dumpf(v, stdout, JSON_COMPACT);
	json_decref(v);
	putchar('\n');
	fflush(stdout);
}

static void run(struct hub *h)
{
	struct hub_told before;

	/* Never how it is, so that the first is printed. */
	memset(&before, 0xff, sizeof(before));
	print(h, &before);
	while (!atomic_load(&stop)) {
		uint64_t pause = MIN(hub_step(h, now_boot_ns(), false), NSEC / 20);
		struct timespec t = {.tv_nsec = (long)pause};

		print(h, &before);
		nanosleep(&t, NULL);
	}
	atomic_store(&stop, false);
	hub_step(h, now_boot_ns(), true);
	print(h, &before);
}

int main(int argc, char **argv)
{
	struct hub_options o = {.stop = &stop, .hurry = 1};
	struct aws_options aws = {.stop = &stop};
	struct aws *client;
	struct hub *h;

	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			return 2;
		*value++ = '\0';
		if (!strcmp(argv[i], "journal"))
			o.journal = value;
		else if (!strcmp(argv[i], "state"))
			o.state = value;
		else if (!strcmp(argv[i], "endpoint"))
			aws.endpoint = value;
		else if (!strcmp(argv[i], "hurry"))
			o.hurry = (unsigned)strtoul(value, NULL, 10);
		else
			return 2;
	}
	signal(SIGTERM, on_signal);
	if (curl_begin() || aws_new(&aws, &client))
		return 1;
	o.aws = (struct hub_aws){call, region, account, partition, client};
	if (hub_new(&o, &h))
		return 1;
	run(h);
	hub_free(h);
	aws_free(client);
	return 0;
}
