/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/monitor_internal.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "user/cmd.h"
#include "user/export/journal.h"
#include "user/model_trust.h"
#include "user/policy/rules.h"
#include "user/snapshot.h"

#define CROWD_NS (NSEC / 20)	  /* nor asked for more often than this for want of room */
#define LOCAL_NS (30 * NSEC)	  /* how often this host's own addresses are looked at */
#define RANGES_NS (5 * NSEC)	  /* how often AWS's file is asked whether it changed */
#define ROOTS_NS (5 * NSEC)	  /* how often a dataset's root is looked up anew */
#define SCAN_NS (600 * NSEC)	  /* how often the datasets are measured that nobody reads */
#define SCAN_SOON_NS (2 * NSEC)	  /* and those that were read, but at most one part in */
#define SCAN_PART 100		  /* this of the time */

/* --- one interval ----------------------------------------------------------------- */

static void tick_state(struct monitor *m, int err)
{
	if (err && err != m->tick_err)
		cmd_error("run", "an interval was incomplete: %s; it is tried again", strerror(-err));
	m->tick_err = err;
}

void monitor_set_clock(struct monitor *m, uint64_t now)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	model_set_clock(m->model, now, &wall);
}

void monitor_tick(struct monitor *m, uint64_t late_ns)
{
	uint64_t now = now_boot_ns();
	int err;

	monitor_set_clock(m, now);
	err = collector_tick(m->collector, now, late_ns);
	int e = monitor_take_credentials(m);
	err = err ? err : e;
	if (!err)
		err = rules_evaluate(m->model, now);
	tick_state(m, err);
	m->ticked_ns = now;
	m->tick_took_ns = now_boot_ns() - now;
	alive_beat(m->alive, now);
}

/* Without a list nobody is trusted. */
void monitor_load_trust(struct monitor *m)
{
	int err;

	m->trust = trust_free(m->trust);
	err = trust_load(m->engine, m->config, &m->trust);
	if (!err)
		err = trust_check(m->trust, m->model);
	else
		model_set_trusted(m->model, NULL, 0, NULL);
	if (err)
		cmd_error("run", "the trusted executables could not be looked at: %s", strerror(-err));
}

void monitor_refresh_roots(struct monitor *m)
{
	unsigned missing = 0;
	int err = roots_update(m->roots, m->config, m->model, &missing);

	if (err)
		cmd_error("run", "the datasets' roots could not be registered: %s", strerror(-err));
	if (missing > m->missing)
		cmd_error("run", "%u of %zu datasets can't be opened now; they are watched again when they are back", missing,
			  m->config->ndatasets);
	m->missing = missing;
	if (m->trust)
		tick_state(m, trust_check(m->trust, m->model));
	m->roots_ns = now_boot_ns();
}

static uint64_t scan_interval(const struct monitor *m)
{
	uint64_t soon = MAX(SCAN_SOON_NS, SCAN_PART * roots_scan_took(m->roots));

	return model_wants_scan(m->model) ? MIN(soon, SCAN_NS) : SCAN_NS;
}

static void take_walk(struct monitor *m)
{
	int err = roots_untold(m->roots);

	malloc_trim(0); /* the list of files of the walk before */
	if (err && err != m->untold)
		cmd_error("run", "%s: files that are moved out of a dataset before they were ever read may not be known as its",
			  err == -ENOSPC ? "there are too many files in the datasets" : strerror(-err));
	m->untold = err;
}

/* The host's addresses, the roots and the sizes change slowly: each is looked at in its own time. */
static void slow_work(struct monitor *m, uint64_t now)
{
	bool walked = roots_collect_scan(m->roots, m->config, m->model) > 0;

	if (walked)
		take_walk(m);
	if (walked || now - m->roots_ns >= ROOTS_NS)
		monitor_refresh_roots(m);
	if (now - m->ranges_ns >= RANGES_NS) {
		m->ranges_ns = now;
		m->local_ns = monitor_ranges_changed(m) ? 0 : m->local_ns;
	}
	if (now - m->local_ns >= LOCAL_NS)
		tick_state(m, monitor_refresh_classes(m));
	monitor_retry_carry(m, now);
	if (now - m->scan_ns >= scan_interval(m) && !roots_scan(m->roots, m->config, m->model))
		m->scan_ns = now;
}

/* Room in the kernel half does not wait for the next interval; but half of the time is enough for it. */
static void on_ring(struct monitor *m)
{
	uint64_t now = now_boot_ns();

	collector_drain(m->collector);
	if (!collector_crowded(m->collector) || now - m->ticked_ns < MAX(CROWD_NS, 2 * m->tick_took_ns))
		return;
	monitor_tick(m, 0);
}

static void on_timer(struct monitor *m)
{
	uint64_t times, now = now_boot_ns(), late = now > m->due_ns ? now - m->due_ns : 0;

	if (read(m->timer, &times, sizeof(times)) != sizeof(times))
		return;
	m->due_ns = now + m->interval_ns;
	slow_work(m, now);
	monitor_tick(m, late);
	monitor_give_records(m, m->ticked_ns, false);
	monitor_tell_export(m);
	monitor_tell_hub(m);
	monitor_carry(m, now_boot_ns(), false);
	server_ticked(m->server);
}

/* --- requests ------------------------------------------------------------------------ */

static json_t *answer(void *arg, const json_t *request)
{
	struct monitor *m = arg;
	const char *what = json_string_value(json_object_get(request, "show"));
	struct timespec wall;
	json_t *reply;

	if (!what)
		return json_pack("{s:s}", "error", "a request says what to show: {\"show\":\"findings\"}, or to watch: {\"watch\":[\"findings\"]}");
	if (now_boot_ns() - m->ticked_ns > MONITOR_FRESH_NS)
		monitor_tick(m, 0);
	clock_gettime(CLOCK_REALTIME, &wall);
	if (!strcmp(what, "unread"))
		return snapshot_unread(m->model, json_string_value(json_object_get(request, "dataset")),
				       json_string_value(json_object_get(request, "job")), &wall);
	reply = snapshot(m->model, what, &wall);
	return reply ? reply
		     : json_pack("{s:s}", "error", "nothing of that name: datasets, jobs, processes, destinations, flows, findings or health");
}

/* A new policy takes the place of the old one whole, or not at all. */
static void reload(struct monitor *m)
{
	const char *file = m->options.config ? m->options.config : CONFIG_DEFAULT_PATH;
	struct config *fresh, *old = m->config;
	struct config_error why = {};
	int err = config_load(file, &fresh, &why);

	if (err) {
		fprintf(stderr, "%s\n", why.text);
		cmd_error("run", "the policy in force stays as it is");
		return;
	}
	m->config = fresh;
	err = monitor_refresh_classes(m); /* the model lets go of the old configuration here, or refuses the new one whole */
	if (err) {
		cmd_error("run", "%s: %s; the policy in force stays as it is", file,
			  err == -ENOSPC ? "with the datasets dropped since the start there are more than 64; restart to forget them"
					 : strerror(-err));
		m->config = old;
		config_free(fresh);
		return;
	}
	monitor_reload_journal(m, old->journal.dir);
	monitor_reload_export(m, old);
	monitor_reload_hub(m, old);
	config_free(old);
	if (!m->config->network.vpc_auto)
		monitor_stop_vpc(m);
	monitor_start_vpc(m);
	monitor_reload_ranges(m);
	tick_state(m, monitor_refresh_classes(m));
	monitor_tell_vpc(m);
	monitor_load_trust(m);
	monitor_refresh_roots(m);
	roots_scan(m->roots, m->config, m->model);
	monitor_give_policy(m);
	cmd_error("run", "%s: policy %.12s is in force, %zu datasets", file, m->config->digest, m->config->ndatasets);
}

static void on_signal(struct monitor *m)
{
	struct signalfd_siginfo info;

	if (read(m->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(m);
	else
		m->stop = true;
}

/* --- the loop -------------------------------------------------------------------------- */

enum { FD_TIMER, FD_SIGNALS, FD_RING, FD_MOUNTS, FD_DEVICES, FD_VPC, FD_RANGES, FD_SERVER };

/* Until the time is over, -1: nobody set one. */
static int left_ms(const struct monitor *m)
{
	uint64_t now = now_boot_ns();

	if (!m->end_ns)
		return -1;
	return now >= m->end_ns ? 0 : (int)MIN((m->end_ns - now) / 1000000 + 1, 60000u);
}

static int loop(struct monitor *m)
{
	struct pollfd fds[FD_SERVER + SERVER_FDS] = {
		[FD_TIMER] = {.fd = m->timer, .events = POLLIN},
		[FD_SIGNALS] = {.fd = m->signals, .events = POLLIN},
		[FD_RING] = {.fd = collector_fd(m->collector), .events = POLLIN},
		[FD_MOUNTS] = {.fd = roots_mounts_fd(m->roots), .events = POLLPRI},
		[FD_DEVICES] = {.fd = roots_devices_fd(m->roots), .events = POLLIN},
	};

	while (!m->stop) {
		fds[FD_VPC] = (struct pollfd){.fd = m->vpc ? vpc_fd(m->vpc) : -1, .events = POLLIN};
		fds[FD_RANGES] = (struct pollfd){.fd = m->fetch ? ranges_fetch_fd(m->fetch) : -1, .events = POLLIN};
		size_t n = server_fds(m->server, fds + FD_SERVER);

		if (poll(fds, FD_SERVER + n, left_ms(m)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[FD_SIGNALS].revents)
			on_signal(m);
		if (fds[FD_MOUNTS].revents)
			m->retried_ns = 0;
		if (fds[FD_MOUNTS].revents || (fds[FD_DEVICES].revents && roots_devices_changed(m->roots)))
			monitor_refresh_roots(m);
		if (fds[FD_VPC].revents)
			tick_state(m, monitor_take_vpc(m));
		if (fds[FD_RANGES].revents)
			tick_state(m, monitor_take_ranges(m));
		if (fds[FD_RING].revents)
			on_ring(m);
		if (fds[FD_TIMER].revents)
			on_timer(m);
		server_handle(m->server, fds + FD_SERVER, n);
		if (left_ms(m) == 0)
			m->stop = true;
	}
	return 0;
}

/* --- the end, and the whole -------------------------------------------------------------- */

static int finish(struct monitor *m)
{
	int status;

	if (m->trust)
		trust_check(m->trust, m->model);
	monitor_settle_credentials(m);
	/* twice: what closed while the maps were read the first time waits in the ring */
	monitor_tick(m, 0);
	monitor_tick(m, 0);
	status = monitor_finish_records(m);
	monitor_carry(m, now_boot_ns(), true);
	monitor_stop_export(m, true);
	monitor_stop_hub(m, true);
	return status;
}

static void dispose(struct monitor *m, bool well)
{
	server_close(m->server);
	monitor_stop_export(m, false);
	monitor_stop_hub(m, false);
	monitor_stop_watch(m);
	if (m->events)
		events_close(m->events);
	journal_close(m->journal, 0);
	monitor_stop_ranges(m);
	carry_close(m->carry);
	monitor_stop_vpc(m);
	monitor_stop_credentials(m);
	collector_free(m->collector);
	roots_free(m->roots);
	trust_free(m->trust);
	model_free(m->model);
	engine_close(m->engine);
	classes_free(m->classes);
	aws_ranges_free(m->ranges.known);
	config_free(m->config);
	alive_close(m->alive, well);
	if (m->signals >= 0)
		close(m->signals);
	if (m->timer >= 0)
		close(m->timer);
}

static int open_events(struct monitor *m)
{
	int err = m->options.events ? events_open(m->options.events, &m->events) : 0;

	if (err)
		cmd_error("run", "%s: %s", m->options.events, strerror(-err));
	return err;
}

/* Opened last: who finds the socket finds everything being watched. */
static int open_server(struct monitor *m)
{
	int err = server_open(m->options.socket, answer, m, &m->server);

	if (!err)
		err = monitor_start_watch(m);
	if (err == -EADDRINUSE)
		cmd_error("run", "%s: a monitor is already running there; stop it, or give another --socket",
			  m->options.socket);
	else if (err)
		cmd_error("run", "%s: %s", m->options.socket, strerror(-err));
	return err;
}

static void say_ready(const struct monitor *m)
{
	size_t n = m->config->ndatasets;

	cmd_error("run", "watching %zu dataset%s with the %s set (%s)", n, n == 1 ? "" : "s", set_name(m->plan.set),
		  m->plan.why);
}

int monitor_run(const struct options *options, struct config *config)
{
	struct monitor m = {.options = *options, .config = config, .signals = -1, .timer = -1};
	int status, err;

	m.interval_ns = config->interval_ns;
	if (open_events(&m) || monitor_open_journal(&m)) {
		dispose(&m, false);
		return EXIT_USAGE;
	}
	monitor_start_vpc(&m); /* what it says comes while programs are loaded */
	monitor_start_credentials(&m);
	status = monitor_start(&m);
	if (!status && open_server(&m))
		status = EXIT_USAGE;
	if (!status) {
		roots_scan(m.roots, m.config, m.model);
		m.scan_ns = now_boot_ns();
		m.end_ns = options->once_ns ? m.scan_ns + options->once_ns : 0;
		malloc_trim(0); /* loading took the kernel's types apart; the loop needs a tenth of that */
		monitor_begin_journal(&m);
		monitor_give_policy(&m);
		monitor_start_export(&m);
		monitor_start_hub(&m);
		say_ready(&m);
		err = loop(&m);
		if (err)
			cmd_error("run", "waiting failed: %s", strerror(-err));
		status = finish(&m);
	}
	dispose(&m, !status);
	return status;
}
