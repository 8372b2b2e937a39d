/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/cmd.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "user/monitor.h"

static int load_config(const struct options *o, struct config **ret)
{
	struct config_error why = {};
	const char *file = o->config ? o->config : CONFIG_DEFAULT_PATH;
	int err = config_load(file, ret, &why);

	if (err == -ENOENT && !o->config) {
		cmd_error("run", "no %s: watching no dataset, only who talks outside", file);
		return config_default(ret);
	}
	if (err)
		fprintf(stderr, "%s\n", why.text);
	return err;
}

static void tell_inactive(const struct config *c)
{
	for (size_t i = 0; i < c->inactive.n; i++)
		cmd_error("run", "%s: checked, but has no effect in this version", c->inactive.v[i]);
}

int cmd_run(int argc, char **argv)
{
	struct rlimit core = {};
	struct config *config;
	struct options o;
	int status;

	if (!cmd_options("run", argc, argv, &o, &status))
		return status;
	if (load_config(&o, &config))
		return EXIT_USAGE;
	tell_inactive(config);
	setrlimit(RLIMIT_CORE, &core); /* what it knows of others stays out of core files */
	return monitor_run(&o, config);
}
