/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "user/alive.h"
#include "user/cmd.h"
#include "user/collect.h"
#include "user/dest/class.h"
#include "user/events.h"
#include "user/export/record.h"
#include "user/model_trust.h"
#include "user/pace.h"
#include "user/policy/rules.h"
#include "user/roots.h"
#include "user/selftest.h"
#include "user/server.h"
#include "user/snapshot.h"
#include "user/start.h"
#include "user/trust.h"

#define FRESH_NS (NSEC / 5)	  /* an answer is not older than this */
#define CROWD_NS (NSEC / 20)	  /* nor asked for more often than this for want of room */
#define GIVE_NS NSEC		  /* for records, when there are very many: requests wait meanwhile */
#define GIVE_CPU_NS (NSEC / 50)	  /* and this much processor time, for those of which there are very many */
#define LOCAL_NS (30 * NSEC)	  /* how often this host's own addresses are looked at */
#define ROOTS_NS (5 * NSEC)	  /* how often a dataset's root is looked up anew */
#define SCAN_NS (600 * NSEC)	  /* how often the datasets are measured that nobody reads */
#define SCAN_SOON_NS (2 * NSEC)	  /* and those that were read, but at most one part in */
#define SCAN_PART 100		  /* this of the time */
#define LAST_WORDS_MS 2000	  /* how long the end waits for a slow reader of the events */

struct monitor {
	struct options options;
	struct config *config;
	struct plan plan; /* as the self-test left it */
	struct classes *classes;
	struct engine *engine;
	struct model *model;
	struct collector *collector;
	struct roots *roots;
	struct trust *trust;
	struct server *server;
	struct events *events;
	struct alive *alive;
	int signals, timer;
	uint64_t interval_ns, due_ns, end_ns; /* end_ns 0: until told */
	uint64_t ticked_ns, tick_took_ns, give_until_ns, local_ns, roots_ns, scan_ns;
	unsigned missing;
	int events_err, tick_err;
	struct pace pace; /* of records */
	bool stop, unwritten;
};

/* --- records ------------------------------------------------------------------- */

static int put_record(void *arg, const json_t *record)
{
	struct monitor *m = arg;
	int err;

	if (m->pace.done % PACE_LOOK == PACE_LOOK - 1) {
		collector_relieve(m->collector);
		if (m->give_until_ns && now_boot_ns() > m->give_until_ns)
			return -EAGAIN; /* the rest waits in the model */
	}
	err = events_put(m->events, record);
	return err ? err : pace_spent(&m->pace);
}

/* The file's troubles are told when they begin and when they end; the figures wait in the model. */
static void events_state(struct monitor *m, int err)
{
	if (err == -EAGAIN)
		err = 0; /* a slow reader; the next interval goes on */
	if (err && !m->events_err)
		cmd_error("run", "%s: %s; records are kept and written when that is over", m->options.events, strerror(-err));
	if (!err && m->events_err)
		cmd_error("run", "%s: writing again", m->options.events);
	m->events_err = err;
	if (err == -EPIPE)
		m->stop = true; /* nobody reads any more, nor ever will */
}

static void give_records(struct monitor *m, uint64_t now, bool final)
{
	struct timespec wall;
	int err;

	clock_gettime(CLOCK_REALTIME, &wall);
	m->give_until_ns = final ? 0 : now_boot_ns() + GIVE_NS;
	pace_begin(&m->pace, final ? 0 : GIVE_CPU_NS);
	err = records_emit(m->model, now, &wall, final, m->events ? put_record : NULL, m);
	m->give_until_ns = 0;
	if (err > 0)
		err = 0;
	if (m->events) {
		int flushed = events_flush(m->events);

		events_state(m, flushed ? flushed : err);
	}
}

static void give_policy(struct monitor *m)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	int err = records_policy(m->model, &wall, m->events ? put_record : NULL, m);
	if (err && err != -EAGAIN)
		cmd_error("run", "the policy record was not written: %s", strerror(-err));
}

/* --- one interval ----------------------------------------------------------------- */

static void tick_state(struct monitor *m, int err)
{
	if (err && err != m->tick_err)
		cmd_error("run", "an interval was incomplete: %s; it is tried again", strerror(-err));
	m->tick_err = err;
}

static void set_clock(struct monitor *m, uint64_t now)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	model_set_clock(m->model, now, &wall);
}

static void tick(struct monitor *m, uint64_t late_ns)
{
	uint64_t now = now_boot_ns();
	int err;

	set_clock(m, now);
	err = collector_tick(m->collector, now, late_ns);
	if (!err)
		err = rules_evaluate(m->model, now);
	tick_state(m, err);
	m->ticked_ns = now;
	m->tick_took_ns = now_boot_ns() - now;
	alive_beat(m->alive, now);
}

/* The host's addresses, the roots and the sizes change slowly: each is looked at in its own time. */
static int refresh_classes(struct monitor *m)
{
	_cleanup_free_ struct cidr *local = NULL;
	struct classes *fresh, *old = m->classes;
	unsigned missed = 0;
	size_t n = 0;
	int err = classes_local(&local, &n, &missed);

	if (!err)
		err = classes_build(m->config, local, n, &fresh);
	if (err)
		return err;
	err = m->model ? model_policy(m->model, m->config, fresh) : 0;
	if (err) {
		classes_free(fresh);
		return err;
	}
	m->classes = fresh;
	classes_free(old);
	m->local_ns = now_boot_ns();
	return 0;
}

/* Without a list nobody is trusted. */
static void load_trust(struct monitor *m)
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

static void refresh_roots(struct monitor *m)
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

static void slow_work(struct monitor *m, uint64_t now)
{
	bool walked = roots_collect_scan(m->roots, m->config, m->model) > 0;

	if (walked)
		malloc_trim(0); /* the list of files of the walk before */
	if (walked || now - m->roots_ns >= ROOTS_NS)
		refresh_roots(m);
	if (now - m->local_ns >= LOCAL_NS)
		tick_state(m, refresh_classes(m));
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
	tick(m, 0);
}

static void on_timer(struct monitor *m)
{
	uint64_t times, now = now_boot_ns(), late = now > m->due_ns ? now - m->due_ns : 0;

	if (read(m->timer, &times, sizeof(times)) != sizeof(times))
		return;
	m->due_ns = now + m->interval_ns;
	slow_work(m, now);
	tick(m, late);
	give_records(m, m->ticked_ns, false);
}

/* --- requests ------------------------------------------------------------------------ */

static json_t *answer(void *arg, const json_t *request)
{
	struct monitor *m = arg;
	const char *what = json_string_value(json_object_get(request, "show"));
	struct timespec wall;
	json_t *reply;

	if (!what)
		return json_pack("{s:s}", "error", "a request says what to show: {\"show\":\"findings\"}");
	if (now_boot_ns() - m->ticked_ns > FRESH_NS)
		tick(m, 0);
	clock_gettime(CLOCK_REALTIME, &wall);
	if (!strcmp(what, "unread"))
		return snapshot_unread(m->model, json_string_value(json_object_get(request, "dataset")),
				       json_string_value(json_object_get(request, "job")), &wall);
	reply = snapshot(m->model, what, &wall);
	return reply ? reply
		     : json_pack("{s:s}", "error", "nothing of that name: datasets, jobs, processes, flows, findings or health");
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
	err = refresh_classes(m); /* the model lets go of the old configuration here, or refuses the new one whole */
	if (err) {
		cmd_error("run", "%s: %s; the policy in force stays as it is", file,
			  err == -ENOSPC ? "with the datasets dropped since the start there are more than 64; restart to forget them"
					 : strerror(-err));
		m->config = old;
		config_free(fresh);
		return;
	}
	config_free(old);
	load_trust(m);
	refresh_roots(m);
	roots_scan(m->roots, m->config, m->model);
	give_policy(m);
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

enum { FD_TIMER, FD_SIGNALS, FD_RING, FD_MOUNTS, FD_DEVICES, FD_SERVER };

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
		size_t n = server_fds(m->server, fds + FD_SERVER);

		if (poll(fds, FD_SERVER + n, left_ms(m)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[FD_SIGNALS].revents)
			on_signal(m);
		if (fds[FD_MOUNTS].revents || (fds[FD_DEVICES].revents && roots_devices_changed(m->roots)))
			refresh_roots(m);
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

/* --- beginning and end -------------------------------------------------------------------- */

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

	if (err == -EADDRINUSE)
		cmd_error("run", "%s: a monitor is already running there; stop it, or give another --socket",
			  m->options.socket);
	else if (err)
		cmd_error("run", "%s: %s", m->options.socket, strerror(-err));
	return err;
}

static void name_host(struct monitor *m)
{
	char host[256] = "", boot[64] = "";
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	gethostname(host, sizeof(host) - 1);
	if (fd >= 0 && read(fd, boot, 36) != 36)
		boot[0] = '\0';
	model_set_host(m->model, host, boot);
}

static int open_model(struct monitor *m, const struct plan *plan)
{
	int err = refresh_classes(m);

	if (!err)
		err = model_new(m->config, m->classes, &m->model);
	if (err)
		return err;
	name_host(m);
	set_clock(m, now_boot_ns());
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

static int start(struct monitor *m)
{
	uint64_t blind = 0;
	int err;

	err = alive_open(m->options.socket, now_boot_ns(), &m->alive, &blind);
	if (err) {
		cmd_error("run", "%s.alive: %s", m->options.socket, strerror(-err));
		return EXIT_USAGE;
	}
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
	load_trust(m);
	refresh_roots(m);
	err = collector_seed(m->collector);
	if (!err)
		err = start_timer(m);
	if (err)
		cmd_error("run", "what runs already could not be looked at: %s", strerror(-err));
	return err ? EXIT_KERNEL : EXIT_GOOD;
}

static int finish(struct monitor *m)
{
	int err;

	if (m->trust)
		trust_check(m->trust, m->model);
	/* twice: what closed while the maps were read the first time waits in the ring */
	tick(m, 0);
	tick(m, 0);
	if (m->events)
		events_patience(m->events, LAST_WORDS_MS);
	give_records(m, m->ticked_ns, true);
	if (!m->events)
		return EXIT_GOOD;
	err = events_close(m->events);
	m->events = NULL;
	if (!err && !m->events_err)
		return EXIT_GOOD;
	cmd_error("run", "%s: the last records could not be written: %s", m->options.events,
		  strerror(-(err ? err : m->events_err)));
	return EXIT_FINDINGS;
}

static void dispose(struct monitor *m, bool well)
{
	server_close(m->server);
	if (m->events)
		events_close(m->events);
	collector_free(m->collector);
	roots_free(m->roots);
	trust_free(m->trust);
	model_free(m->model);
	engine_close(m->engine);
	classes_free(m->classes);
	config_free(m->config);
	alive_close(m->alive, well);
	if (m->signals >= 0)
		close(m->signals);
	if (m->timer >= 0)
		close(m->timer);
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
	if (open_events(&m)) {
		dispose(&m, false);
		return EXIT_USAGE;
	}
	status = start(&m);
	if (!status && open_server(&m))
		status = EXIT_USAGE;
	if (!status) {
		roots_scan(m.roots, m.config, m.model);
		m.scan_ns = now_boot_ns();
		m.end_ns = options->once_ns ? m.scan_ns + options->once_ns : 0;
		malloc_trim(0); /* loading took the kernel's types apart; the loop needs a tenth of that */
		give_policy(&m);
		say_ready(&m);
		err = loop(&m);
		if (err)
			cmd_error("run", "waiting failed: %s", strerror(-err));
		status = finish(&m);
	}
	dispose(&m, !status);
	return status;
}
