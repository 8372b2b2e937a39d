/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The monitor's beginning: the kernel half, a look at whether it sees, and the model of what runs already. */
#include "user/monitor_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "user/cmd.h"
#include "user/selftest.h"
#include "user/start.h"

static int open_signals(struct monitor *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signals < 0 ? -errno : 0;
}

static int start_timer(struct monitor *m)
{
	uint64_t ns = m->interval_ns;
	struct itimerspec t = {.it_interval = {(time_t)(ns / NSEC), (long)(ns % NSEC)}};

	t.it_value = t.it_interval;
	m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->timer < 0 || timerfd_settime(m->timer, 0, &t, NULL))
		return -errno;
	m->due_ns = now_boot_ns() + ns;
	return 0;
}

static void name_host(struct monitor *m)
{
	char host[256] = "", boot[BOOT_ID_LEN + 1] = "";

	gethostname(host, sizeof(host) - 1);
	boot_id_read(boot); /* else it stays unknown */
	model_set_host(m->model, host, boot);
}

static int open_model(struct monitor *m, const struct plan *plan)
{
	int err = monitor_take_vpc(m);

	if (!err)
		err = monitor_refresh_classes(m);
	if (!err)
		err = model_new(m->config, m->classes, &m->model);
	if (err)
		return err;
	name_host(m);
	model_set_self(m->model, (uint32_t)getpid());
	monitor_tell_vpc(m);
	monitor_set_clock(m, now_boot_ns());
	err = collector_new(m->engine, m->model, plan, &m->collector);
	if (!err)
		err = roots_new(m->engine, &m->roots);
	return err;
}

/* What is attached but sees nothing is a gap. SLUICE_SELF_TEST=off saves the time where many starts are tried in a row. */
static void self_test(struct monitor *m)
{
	const char *wish = getenv("SLUICE_SELF_TEST");
	_cleanup_free_ struct selftest *t = NULL;

	if (wish && !strcmp(wish, "off"))
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	selftest_run(m->engine, &m->plan, NULL, t);
	selftest_apply(t, &m->plan);
	if (t->why[0])
		cmd_error("run", "self-test: nothing was tested: %s", t->why);
	for (int f = 0; f < FACT_KINDS; f++)
		if (proof_failed(t->fact[f]))
			cmd_error("run", "self-test: %s: %s", fact_name((enum fact)f), m->plan.disowned[f]);
}

static int start_engine(struct monitor *m)
{
	struct facts facts;
	char why[256];
	int err = engine_start((enum wish)m->options.hooks, &facts, &m->plan, &m->engine);

	if (!err)
		return 0;
	engine_explain(&facts, &m->plan, err, why, sizeof(why));
	cmd_error("run", "%s", why);
	return err;
}

int monitor_start(struct monitor *m)
{
	uint64_t blind = 0;
	int err;

	err = alive_open(m->options.socket, now_boot_ns(), &m->alive, &blind);
	if (err) {
		cmd_error("run", "%s.alive: %s", m->options.socket, strerror(-err));
		return EXIT_USAGE;
	}
	monitor_open_carry(m);
	monitor_start_ranges(m);
	if (start_engine(m))
		return EXIT_KERNEL;
	self_test(m);
	err = open_model(m, &m->plan);
	if (!err)
		err = open_signals(m);
	if (err) {
		cmd_error("run", "starting failed: %s", strerror(-err));
		return EXIT_KERNEL;
	}
	collector_blind(m->collector, blind);
	monitor_load_trust(m);
	monitor_refresh_roots(m);
	err = monitor_restore(m);
	if (!err)
		err = collector_seed(m->collector);
	if (!err)
		err = start_timer(m);
	if (err)
		cmd_error("run", "what runs already could not be looked at: %s", strerror(-err));
	return err ? EXIT_KERNEL : EXIT_GOOD;
}
