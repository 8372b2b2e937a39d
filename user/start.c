/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/start.h"

#include <string.h>

#include "user/probe.h"

int engine_start(enum wish wish, struct facts *ret_facts, struct plan *ret_plan, struct engine **ret)
{
	int err = 0, bad;

	probe_guess(wish, ret_facts);
	for (int tries = 0; tries <= HOOK_KINDS; tries++) {
		err = plan_make(ret_facts, wish, ret_plan);
		if (!err)
			err = plan_check(ret_plan);
		if (err)
			return err;
		err = engine_open(ret_plan, ret, &bad);
		if (!err || bad < 0 || !ret_plan->on[bad])
			return err;
		ret_facts->trial[bad] = err;
	}
	return err;
}

void engine_explain(const struct facts *facts, const struct plan *plan, int err, char *ret, size_t n)
{
	if (err == -EPERM)
		snprintf(ret, n, "the kernel refuses to load BPF programs to this user; run as root, for example: sudo sluice run");
	else if (!facts->btf)
		snprintf(ret, n, "the kernel describes no types (no /sys/kernel/btf/vmlinux); install a kernel built with CONFIG_DEBUG_INFO_BTF");
	else if (err == -EOPNOTSUPP)
		snprintf(ret, n, "the %s set does not load on this kernel; see what does: sluice probe", set_name(plan->set));
	else
		snprintf(ret, n, "loading the BPF programs failed: %s; see what this kernel allows: sluice probe", strerror(-err));
}
