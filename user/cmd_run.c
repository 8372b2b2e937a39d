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

/* Why the kernel half can't be used, and what would help. */
static void explain_refusal(const struct plan *plan, const struct facts *facts, int err)
{
	if (err == -EPERM)
		cmd_error("run", "the kernel refuses to load BPF programs to this user; run as root, for example: sudo sluice run");
	else if (!facts->btf)
		cmd_error("run", "the kernel describes no types (no /sys/kernel/btf/vmlinux); install a kernel built with CONFIG_DEBUG_INFO_BTF");
	else
		cmd_error("run", "the %s set does not load on this kernel; see what does: sluice probe", set_name(plan->set));
}

static int make_plan(const struct options *o, struct plan *ret)
{
	struct facts facts;
	int err;

	probe_wanted((enum wish)o->hooks, &facts);
	err = plan_make(&facts, (enum wish)o->hooks, ret);
	if (!err)
		err = plan_check(ret);
	if (err)
		explain_refusal(ret, &facts, err);
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
	struct plan plan;
	int status;

	if (!cmd_options("run", argc, argv, &o, &status))
		return status;
	if (load_config(&o, &config))
		return EXIT_USAGE;
	tell_inactive(config);
	setrlimit(RLIMIT_CORE, &core); /* what it knows of others stays out of core files */
	if (make_plan(&o, &plan)) {
		config_free(config);
		return EXIT_KERNEL;
	}
	return monitor_run(&o, &plan, config);
}
