/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/vpc.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define AGAIN_NS (300 * NSEC)	    /* while all is well */
#define AGAIN_FAILED_NS (30 * NSEC) /* while it is not, on a machine that should have it */
#define POKED_NS (1 * NSEC)	    /* addresses come one after the other */

struct vpc {
	struct imds *imds;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct vpc_news news;
	int fd;
	bool poked, stop;
};

void vpc_news_done(struct vpc_news *n)
{
	imds_facts_done(&n->facts);
	*n = (struct vpc_news){0};
}

/* Takes over the facts. */
static void take(struct vpc *v, enum imds_state state, struct imds_facts *facts)
{
	pthread_mutex_lock(&v->lock);
	v->news.state = state;
	if (state == IMDS_OK) {
		imds_facts_done(&v->news.facts);
		v->news.facts = *facts;
		v->news.told_ns = now_boot_ns();
	}
	pthread_mutex_unlock(&v->lock);
	if (eventfd_write(v->fd, 1))
		return; /* it is readable already */
}

static uint64_t pause_after(enum imds_state s)
{
	switch (s) {
	case IMDS_OK:
		return AGAIN_NS;
	case IMDS_OFF:
	case IMDS_NOT_EC2:
		return UINT64_MAX; /* until an interface changes */
	default:
		return AGAIN_FAILED_NS;
	}
}

static struct timespec at(uint64_t boot_ns)
{
	uint64_t now = now_boot_ns(), left = boot_ns > now ? boot_ns - now : 0;
	struct timespec t;

	left = MIN(left, 86400 * NSEC);
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(left / NSEC);
	t.tv_nsec += (long)(left % NSEC);
	if (t.tv_nsec >= (long)NSEC) {
		t.tv_sec++;
		t.tv_nsec -= (long)NSEC;
	}
	return t;
}

/* False: it is time to make an end. */
static bool wait_turn(struct vpc *v, uint64_t pause_ns)
{
	uint64_t due = pause_ns == UINT64_MAX ? UINT64_MAX : now_boot_ns() + pause_ns;

	pthread_mutex_lock(&v->lock);
	while (!v->stop && now_boot_ns() < due) {
		if (v->poked)
			due = MIN(due, now_boot_ns() + POKED_NS);
		v->poked = false;
		struct timespec until = at(due);

		pthread_cond_timedwait(&v->wake, &v->lock, &until);
	}
	bool stop = v->stop;
	pthread_mutex_unlock(&v->lock);
	return !stop;
}

static void *keep_asking(void *arg)
{
	struct vpc *v = arg;
	enum imds_state s;

	do {
		struct imds_facts facts = {0};

		s = imds_ask(v->imds, &facts);
		take(v, s, &facts);
	} while (wait_turn(v, pause_after(s)));
	return NULL;
}

/* Signals are for the loop, which may not block them yet. */
static int start_thread(struct vpc *v)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&v->thread, NULL, keep_asking, v);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static int init_wake(struct vpc *v)
{
	pthread_condattr_t a;
	int err = pthread_condattr_init(&a);

	if (err)
		return -err;
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	err = pthread_cond_init(&v->wake, &a);
	pthread_condattr_destroy(&a);
	return -err;
}

static struct vpc *dispose(struct vpc *v)
{
	imds_close(v->imds);
	vpc_news_done(&v->news);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
	return NULL;
}

int vpc_start(struct vpc **ret)
{
	struct vpc *v = calloc(1, sizeof(*v));
	int err = v ? imds_open(&v->imds) : -ENOMEM;

	if (!v)
		return err;
	v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && v->fd < 0)
		err = -errno;
	if (!err)
		err = init_wake(v);
	if (err) {
		dispose(v);
		return err;
	}
	pthread_mutex_init(&v->lock, NULL);
	err = start_thread(v);
	if (err) {
		pthread_cond_destroy(&v->wake);
		pthread_mutex_destroy(&v->lock);
		dispose(v);
		return err;
	}
	*ret = v;
	return 0;
}

struct vpc *vpc_stop(struct vpc *v)
{
	if (!v)
		return NULL;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
	imds_abort(v->imds);
	pthread_join(v->thread, NULL);
	pthread_cond_destroy(&v->wake);
	pthread_mutex_destroy(&v->lock);
	return dispose(v);
}

int vpc_fd(const struct vpc *v)
{
	return v->fd;
}

int vpc_look(struct vpc *v, struct vpc_news *ret)
{
	struct vpc_news n;
	eventfd_t times;
	int err = 0;

	if (eventfd_read(v->fd, &times))
		times = 0; /* nothing new: what is known is given all the same */
	pthread_mutex_lock(&v->lock);
	n = v->news;
	n.facts.blocks = calloc(n.facts.nblocks + 1, sizeof(*n.facts.blocks));
	if (n.facts.blocks && n.facts.nblocks)
		memcpy(n.facts.blocks, v->news.facts.blocks, n.facts.nblocks * sizeof(*n.facts.blocks));
	pthread_mutex_unlock(&v->lock);
	if (!n.facts.blocks)
		err = -ENOMEM;
	if (!err)
		*ret = n;
	return err;
}

void vpc_poke(struct vpc *v)
{
	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->poked = true;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
}
