/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/hub_thread.h"

#include <string.h>

#include "user/curl_begin.h"
#include "user/turns.h"

struct hub_thread {
	struct turns turns;
	struct hub *hub;
	struct aws *aws;
	char *endpoint;
	atomic_bool stop;
	pthread_mutex_t lock;
	struct hub_told told;
};

/* --- as a hub asks ---------------------------------------------------------------------- */

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

/* --- the thread ---------------------------------------------------------------------------- */

static uint64_t turn(void *arg)
{
	struct hub_thread *t = arg;
	uint64_t pause = hub_step(t->hub, now_boot_ns(), false);
	struct hub_told told;

	hub_tell(t->hub, &told);
	pthread_mutex_lock(&t->lock);
	t->told = told;
	pthread_mutex_unlock(&t->lock);
	return pause;
}

static struct hub_thread *dispose(struct hub_thread *t)
{
	hub_free(t->hub);
	aws_free(t->aws);
	free(t->endpoint);
	free(t);
	return NULL;
}

static int make(const struct hub_thread_options *o, struct hub_thread *t)
{
	struct aws_options aws = {.stop = &t->stop};
	struct hub_options hub = {.journal = o->journal, .state = o->state, .stop = &t->stop};
	int err = curl_begin();

	t->endpoint = o->endpoint ? strdup(o->endpoint) : NULL;
	if (o->endpoint && !t->endpoint)
		return -ENOMEM;
	aws.endpoint = t->endpoint;
	if (!err)
		err = aws_new(&aws, &t->aws);
	hub.aws = (struct hub_aws){call, region, account, partition, t->aws};
	return err ? err : hub_new(&hub, &t->hub);
}

int hub_thread_start(const struct hub_thread_options *options, struct hub_thread **ret)
{
	struct hub_thread *t = calloc(1, sizeof(*t));
	int err = t ? make(options, t) : -ENOMEM;

	if (!t)
		return err;
	if (!err) {
		pthread_mutex_init(&t->lock, NULL);
		hub_tell(t->hub, &t->told);
		err = turns_start(&t->turns, turn, t);
	}
	if (err) {
		dispose(t);
		return err;
	}
	*ret = t;
	return 0;
}

struct hub_thread *hub_thread_stop(struct hub_thread *t, bool patient)
{
	if (!t)
		return NULL;
	atomic_store(&t->stop, true);
	if (!turns_stop(&t->turns))
		return NULL; /* it uses all of it */
	atomic_store(&t->stop, false);
	if (patient && t->told.state == HUB_GOOD)
		hub_step(t->hub, now_boot_ns(), true);
	pthread_mutex_destroy(&t->lock);
	return dispose(t);
}

void hub_thread_look(struct hub_thread *t, struct hub_told *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->told;
	pthread_mutex_unlock(&t->lock);
}
