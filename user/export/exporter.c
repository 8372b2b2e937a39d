/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/exporter_internal.h"

#include <signal.h>
#include <string.h>

#include "user/export/aws_wire.h"
#include "user/thread.h"

#define POLL_NS NSEC	  /* how often the journal is looked at unasked */
#define FLUSH_NS (5 * NSEC)
#define SETTLE_NS (3 * NSEC)
#define END_NS (2 * NSEC) /* to come back from what was interrupted */

const char *export_dropped_name(enum export_dropped d)
{
	static const char *const names[EXPORT_DROPPED_KINDS] = {
	    [EXPORT_GONE] = "gone",	  [EXPORT_UNREADABLE] = "unreadable", [EXPORT_TOO_OLD] = "too_old",
	    [EXPORT_TOO_NEW] = "too_new", [EXPORT_EXPIRED] = "expired",	      [EXPORT_REFUSED] = "refused",
	};

	return names[d];
}

const char *export_state_name(enum export_state s)
{
	static const char *const names[] = {
	    [EXPORT_OFF] = "off",	  [EXPORT_STARTING] = "starting", [EXPORT_GOOD] = "good",
	    [EXPORT_FAILING] = "failing", [EXPORT_STUCK] = "stuck",
	};

	return names[s];
}

/* --- time ---------------------------------------------------------------------------------------- */

int64_t export_local_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t export_now_ms(const struct exporter *x)
{
	return export_local_ms() + x->skew_ns / 1000000;
}

/* --- what others see ------------------------------------------------------------------------------- */

bool export_closing(struct exporter *x)
{
	pthread_mutex_lock(&x->lock);
	bool closing = x->closing;
	pthread_mutex_unlock(&x->lock);
	return closing;
}

bool exporter_idle(struct exporter *x)
{
	pthread_mutex_lock(&x->lock);
	bool idle = x->idle && !x->poked;
	pthread_mutex_unlock(&x->lock);
	return idle;
}

static bool is_idle(const struct exporter *x)
{
	return x->phase == PHASE_READ && x->caught_up && !x->waiting_ns;
}

static void tell_figures(const struct exporter *x, struct exporter_told *t)
{
	const struct cw_figures *n = &x->state.mark.n;

	t->sent = n->records;
	t->batches = n->batches;
	t->metrics = n->metrics;
	memcpy(t->dropped, x->after.n.dropped, sizeof(t->dropped));
	t->cut = n->cut;
	t->retimed = n->retimed;
	t->repeated = n->repeated;
	t->retries = x->retries;
}

static void tell_lag(const struct exporter *x, struct exporter_told *t)
{
	uint64_t seq = x->state.mark.seq;
	int64_t now = export_local_ms();

	t->lag_known = t->lag_ns_known = x->phase != PHASE_OPEN;
	if (x->newest > seq)
		t->lag_records = x->newest - seq;
	else if (x->caught_up)
		t->lag_records = x->after.seq > seq ? x->after.seq - seq : 0;
	else
		t->lag_known = false;
	if (x->oldest_ms)
		t->lag_ns = now > x->oldest_ms ? (uint64_t)(now - x->oldest_ms) * 1000000 : 0;
	else
		t->lag_ns_known = t->lag_ns_known && x->caught_up;
}

static void publish(struct exporter *x)
{
	struct exporter_told t = {.state = x->health};
	const char *source = x->wire.credential_source ? x->wire.credential_source(x->wire.arg) : NULL;

	memcpy(t.why, x->why, sizeof(t.why));
	memcpy(t.last_error, x->last_error, sizeof(t.last_error));
	memcpy(t.group, x->state.group, sizeof(t.group));
	memcpy(t.stream, x->state.stream, sizeof(t.stream));
	tell_figures(x, &t);
	snprintf(t.credentials, sizeof(t.credentials), "%s", source ? source : "");
	t.credentials_end = x->wire.credential_expiry ? x->wire.credential_expiry(x->wire.arg) : 0;
	pthread_mutex_lock(&x->lock);
	tell_lag(x, &t);
	x->told = t;
	x->told_newest = x->newest;
	x->idle = is_idle(x);
	pthread_mutex_unlock(&x->lock);
}

void exporter_look(struct exporter *x, struct exporter_told *ret)
{
	pthread_mutex_lock(&x->lock);
	*ret = x->told;
	if (x->newest > x->told_newest && ret->lag_known)
		ret->lag_records += x->newest - x->told_newest;
	pthread_mutex_unlock(&x->lock);
}

void exporter_poke(struct exporter *x, uint64_t newest)
{
	pthread_mutex_lock(&x->lock);
	x->newest = newest;
	x->poked = true;
	pthread_cond_signal(&x->wake);
	pthread_mutex_unlock(&x->lock);
}

/* --- the thread ------------------------------------------------------------------------------------ */

/* False: it is time to make an end. A poke does not shorten a wait after a failure. */
static bool wait_turn(struct exporter *x, uint64_t pause_ns, bool closing)
{
	bool failing = now_boot_ns() < x->not_before_ns;
	uint64_t most = failing ? pause_ns : MIN(pause_ns, POLL_NS);
	struct timespec until = time_in(MIN(most, 3600 * NSEC));

	pthread_mutex_lock(&x->lock);
	while (most && !atomic_load(&x->stop) && (failing || !x->poked) && x->closing == closing)
		if (pthread_cond_timedwait(&x->wake, &x->lock, &until))
			break;
	x->poked = x->poked && failing;
	pthread_mutex_unlock(&x->lock);
	return !atomic_load(&x->stop);
}

static int open_wire(struct exporter *x)
{
	int err;

	if (x->wire.call)
		return 0;
	err = aws_new(&(struct aws_options){.region = x->region, .endpoint = x->endpoint, .stop = &x->stop}, &x->aws);
	if (!err)
		x->wire = aws_wire(x->aws);
	return err;
}

static void *export_all(void *arg)
{
	struct exporter *x = arg;
	uint64_t pause;
	bool closing = false, before;

	do {
		before = closing;
		closing = export_closing(x);
		if (closing && !before)
			x->not_before_ns = 0; /* one more try, whatever the last one said */
		int err = open_wire(x);
		if (err)
			export_trouble(x, EXPORT_STUCK, "%s: %s", x->endpoint, strerror(-err));
		pause = err ? POLL_NS : export_step(x);
		publish(x);
		if (closing && is_idle(x))
			break;
	} while (wait_turn(x, pause, closing));
	x->cursor = cw_cursor_close(x->cursor);
	x->reader = journal_reader_close(x->reader);
	x->aws = aws_free(x->aws);
	return NULL;
}

/* Signals are for the monitor's loop, which may not block them yet. */
static int start_thread(struct exporter *x)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&x->thread, NULL, export_all, x);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

/* --- life --------------------------------------------------------------------------------------------- */

static struct exporter *dispose(struct exporter *x)
{
	if (!x)
		return NULL;
	cw_batch_done(&x->batch);
	emf_free(x->emf);
	json_decref(x->host);
	free(x->journal_dir);
	free(x->state_dir);
	free(x->socket);
	free(x->log_group);
	free(x->metric_namespace);
	free(x->endpoint);
	free(x->region);
	free(x->instance_id);
	free(x);
	return NULL;
}

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int take_options(struct exporter *x, const struct exporter_options *o)
{
	x->retain_days = o->retain_days;
	x->hurry = o->hurry ? o->hurry : 1;
	x->flush_ns = o->flush_ns ? o->flush_ns : FLUSH_NS;
	x->settle_ns = o->settle_ns ? o->settle_ns : SETTLE_NS;
	if (o->wire)
		x->wire = *o->wire;
	return copy(&x->journal_dir, o->journal_dir) || copy(&x->state_dir, o->state_dir) || copy(&x->socket, o->socket) ||
			       copy(&x->log_group, o->log_group) || copy(&x->metric_namespace, o->metric_namespace) ||
			       copy(&x->endpoint, o->endpoint) || copy(&x->region, o->region) ||
			       copy(&x->instance_id, o->instance_id)
		   ? -ENOMEM
		   : 0;
}

static int init_wake(struct exporter *x)
{
	pthread_condattr_t a;
	int err = pthread_condattr_init(&a);

	if (err)
		return -err;
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	err = pthread_cond_init(&x->wake, &a);
	pthread_condattr_destroy(&a);
	return -err;
}

int exporter_start(const struct exporter_options *options, struct exporter **ret)
{
	struct exporter *x = calloc(1, sizeof(*x));
	int err = x ? take_options(x, options) : -ENOMEM;

	if (!err)
		err = emf_new(&x->emf);
	if (!err)
		err = init_wake(x);
	if (err) {
		dispose(x);
		return err;
	}
	pthread_mutex_init(&x->lock, NULL);
	x->health = x->told.state = EXPORT_STARTING;
	err = start_thread(x);
	if (err) {
		pthread_cond_destroy(&x->wake);
		pthread_mutex_destroy(&x->lock);
		dispose(x);
		return err;
	}
	*ret = x;
	return 0;
}

static void interrupt(struct exporter *x)
{
	atomic_store(&x->stop, true);
	pthread_mutex_lock(&x->lock);
	pthread_cond_signal(&x->wake);
	pthread_mutex_unlock(&x->lock);
}

bool exporter_stop(struct exporter *x, uint64_t patience_ns, struct exporter_told *ret_told)
{
	bool done;

	pthread_mutex_lock(&x->lock);
	x->closing = true;
	pthread_cond_signal(&x->wake);
	pthread_mutex_unlock(&x->lock);
	done = patience_ns && thread_joined(x->thread, patience_ns);
	if (!done) {
		interrupt(x);
		done = thread_joined(x->thread, END_NS);
	}
	if (ret_told)
		exporter_look(x, ret_told);
	if (!done) {
		pthread_detach(x->thread);
		return false; /* it uses all of it */
	}
	pthread_cond_destroy(&x->wake);
	pthread_mutex_destroy(&x->lock);
	dispose(x);
	return true;
}
